/* SPDX-License-Identifier: Apache-2.0 */
/* commands.c - the commands beside compile, which are short. */
#include "config.h"

#include "commands.h"

#include "base/file.h"
#include "plan/plan.h"

#include <errno.h>
#include <string.h>

static int format_command(struct arena *a, struct diag *d, const struct options *o)
{
	struct strbuf text = { 0 };
	struct output_file out;
	int status = 1;

	if (!dsl_format(a, d, o->input, &text))
		goto done;
	if (!o->in_place) {
		fwrite(strbuf_str(&text), 1, text.len, stdout);
		status = 0;
		goto done;
	}
	if (!output_open(&out, o->input)) {
		diag_error(d, NO_SPAN, "could not write \"%s\": %s", o->input, strerror(errno));
		goto done;
	}
	fwrite(strbuf_str(&text), 1, text.len, out.stream);
	if (output_commit(&out))
		status = 0;
	else
		diag_error(d, NO_SPAN, "could not write \"%s\": %s", o->input, strerror(errno));
done:
	strbuf_free(&text);
	return status;
}

static int explain_to_html(struct diag *d, const struct options *o, const struct edge_plan *p)
{
	struct output_file out;

	if (!output_open(&out, o->html)) {
		diag_error(d, NO_SPAN, "could not write \"%s\": %s", o->html, strerror(errno));
		return 1;
	}
	if (explain_html(p, out.stream) != 0) {
		int saved = errno;

		output_abandon(&out);
		errno = saved;
	} else if (output_commit(&out)) {
		return 0;
	}
	diag_error(d, NO_SPAN, "could not write \"%s\": %s", o->html, strerror(errno));
	return 1;
}

static int explain_command(struct diag *d, const struct options *o)
{
	struct mapped_file file;
	struct edge_plan plan;
	enum edge_status st;
	char why[256];
	int status;

	if (!file_map(o->input, &file)) {
		diag_error(d, NO_SPAN, "could not open \"%s\": %s", o->input, strerror(errno));
		return 1;
	}
	st = plan_check(file.data, file.size, &plan, why, sizeof why);
	if (st != EDGE_OK) {
		diag_error(d, NO_SPAN, "%s plan \"%s\": %s", st == EDGE_UNSUPPORTED ? "unsupported" : "bad",
			   o->input, why);
		status = 1;
	} else if (o->html) {
		status = explain_to_html(d, o, &plan);
	} else {
		status = (o->json ? explain_json(&plan, stdout) : explain_text(&plan, stdout)) != 0;
	}
	file_unmap(&file);
	return status;
}

/* What a command writes, apart from plans, which have a check of their own. */
static bool spares_its_input(struct diag *d, const struct options *o)
{
	bool tune = o->command == COMMAND_TUNE;
	const char *const written[] = { o->html, tune ? o->lock : NULL, o->tune.record, o->tune.transcript };

	for (size_t i = 0; i < sizeof written / sizeof *written; i++) {
		if (!written[i] || !same_file(written[i], o->input))
			continue;
		diag_error(d, NO_SPAN, "could not write \"%s\": it is the file to read", written[i]);
		return false;
	}
	return true;
}

int command_run(struct arena *a, struct diag *d, const struct options *o)
{
	if (!spares_its_input(d, o))
		return 1;
	switch (o->command) {
	case COMMAND_COMPILE:
	case COMMAND_CHECK: return command_compile(a, d, o);
	case COMMAND_FMT: return format_command(a, d, o);
	case COMMAND_EXPLAIN: return explain_command(d, o);
	case COMMAND_TUNE: return command_tune(a, d, o);
	}
	return 2;
}
