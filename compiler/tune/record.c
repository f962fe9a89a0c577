/* SPDX-License-Identifier: Apache-2.0 */
/* record.c - see record.h. */
#include "config.h"

#include "tune/record.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <math.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

static void member(struct strbuf *b, const char *key, double x)
{
	if (isnan(x) || isinf(x))
		return;
	strbuf_printf(b, ", \"%s\": ", key);
	jtree_put_number(b, x);
}

/* {"failure": ..., "bytes": ...}: members of a JSON object, without braces. */
static void outcome_json(const struct outcome *o, struct strbuf *b)
{
	strbuf_printf(b, "\"status\": \"%s\"", o->failure ? failure_name(o->failure) : "ok");
	if (o->error) {
		strbuf_puts(b, ", \"error\": ");
		jtree_put_string(b, o->error);
	}
	member(b, "objective", o->objective);
	member(b, "loss", o->loss);
	member(b, "guard", o->guard);
	if (o->failure)
		return;
	member(b, "bytes", o->bytes);
	member(b, "latency_ms", o->latency_ms);
	member(b, "spread", o->spread);
	member(b, "low", o->low);
	member(b, "high", o->high);
	member(b, "peak_bytes", o->peak_bytes);
	member(b, "quality", o->quality);
}

static void header_text(const struct record_header *h, struct strbuf *b)
{
	strbuf_puts(b, "{\"edge_tune_record\": 1, \"model\": ");
	jtree_put_string(b, h->model);
	strbuf_printf(b, ", \"identity\": \"%s\", \"device\": ", h->identity);
	jtree_put_string(b, h->device);
	strbuf_printf(b, ", \"space\": \"%016llx\", \"search\": \"%s\", \"seed\": %llu, \"goal\": \"%s\", \"quality\": \"%s\"",
		      (unsigned long long)h->space, h->search, (unsigned long long)h->seed, h->goal, h->quality);
	member(b, "allowed_loss", h->loss);
	member(b, "reference_ms", h->reference_ms);
	member(b, "reference_bytes", h->reference_bytes);
	member(b, "reference_peak_bytes", h->reference_peak);
	member(b, "reference_quality", h->reference_quality);
	strbuf_puts(b, "}\n");
}

static bool write_all(struct diag *d, struct record *r, const struct strbuf *b)
{
	const char *p = strbuf_str(b);
	size_t left = b->len;

	while (left) {
		ssize_t n = write(r->fd, p, left);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0) {
			diag_error(d, NO_SPAN, "could not write \"%s\": %s", r->path, strerror(errno));
			return false;
		}
		p += n;
		left -= (size_t)n;
	}
	return true;
}

bool record_add(struct diag *d, struct record *r, const struct space *s, const struct trial *t)
{
	struct strbuf b = { 0 };
	bool good;

	vec_push(s->arena, &r->trials, *t);
	strbuf_printf(&b, "{\"trial\": %u, \"by\": \"%s\", ", t->number, t->by);
	outcome_json(&t->o, &b);
	member(&b, "seconds", t->seconds);
	strbuf_puts(&b, ", \"config\": ");
	config_json(s, t->x, &b);
	strbuf_puts(&b, "}\n");
	good = write_all(d, r, &b);
	strbuf_free(&b);
	return good;
}

static bool read_trial(const struct space *s, const struct jtree *j, uint32_t number, struct trial *out)
{
	const struct jtree *config = jtree_get(j, "config");
	const char *status = jtree_string(j, "status"), *by = jtree_string(j, "by");

	if (!config || config->kind != JSON_OBJECT || !status)
		return false;
	/* whatever the line calls itself: numbers are what trials are found by */
	*out = (struct trial){ .number = number, .x = config_new(s), .by = by ? by : "random",
			       .seconds = jtree_number(j, "seconds", 0) };
	if (strcmp(status, "ok") != 0 && !failure_from_name(status, &out->o.failure))
		return false;
	for (const struct jtree *m = config->first; m; m = m->next) {
		uint32_t k = space_find(s, m->key);

		if (k == NO_ID || m->kind != JSON_STRING || !knob_parse(s, k, m->string, &out->x[k], NULL))
			return false;
	}
	config_canonical(s, out->x);
	out->o.error = jtree_string(j, "error");
	out->o.objective = jtree_number(j, "objective", NAN);
	out->o.loss = jtree_number(j, "loss", 0);
	out->o.guard = jtree_number(j, "guard", 0);
	out->o.bytes = jtree_number(j, "bytes", NAN);
	out->o.latency_ms = jtree_number(j, "latency_ms", NAN);
	out->o.spread = jtree_number(j, "spread", NAN);
	out->o.low = jtree_number(j, "low", NAN);
	out->o.high = jtree_number(j, "high", NAN);
	out->o.peak_bytes = jtree_number(j, "peak_bytes", NAN);
	out->o.quality = jtree_number(j, "quality", NAN);
	return true;
}

static bool is_text(const struct jtree *j, const char *key, const char *want)
{
	const char *have = jtree_string(j, key);

	return have && !strcmp(have, want);
}

static bool is_number(const struct jtree *j, const char *key, double want)
{
	double have = jtree_number(j, key, NAN);

	return isfinite(want) ? fabs(have - want) <= 1e-4 * fabs(want) : isnan(have);
}

static bool same_search(struct diag *d, const char *path, const struct jtree *j, const struct record_header *h,
			bool measured)
{
	const char *what = NULL;
	char own[20];

	snprintf(own, sizeof own, "%016llx", (unsigned long long)h->space);
	if (!jtree_string(j, "identity") || !jtree_string(j, "device") || !jtree_string(j, "space"))
		what = "it is no record of edgec tune";
	else if (!is_text(j, "identity", h->identity))
		what = "the model has changed";
	else if (!is_text(j, "device", h->device))
		what = "the device has changed";
	else if (!is_text(j, "space", own))
		what = "the knobs have changed";
	else if (!is_text(j, "goal", h->goal))
		what = "what is minimised has changed";
	else if (!is_text(j, "quality", h->quality) || !is_number(j, "allowed_loss", h->loss))
		what = "the quality that is asked for has changed";
	else if (measured && !is_number(j, "reference_quality", h->reference_quality))
		what = "the samples have changed";
	if (!what)
		return true;
	diag_error(d, NO_SPAN, "\"%s\" cannot be gone on with: %s", path, what);
	diag_hint(d, "Run edgec tune without --resume to start anew.");
	return false;
}

/* All is relative to the first trial. */
static bool begins_with_heuristic(struct diag *d, const char *path, const struct space *s, const struct record *r)
{
	if (!r->trials.len || !memcmp(r->trials.data[0].x, config_new(s), s->knobs.len * sizeof(double)))
		return true;
	diag_error(d, NO_SPAN, "\"%s\" cannot be gone on with: its first trial is not the heuristic", path);
	diag_hint(d, "Run edgec tune without --resume to start anew.");
	return false;
}

/* Reads whole lines; *kept is where they end. */
static bool read_old(struct arena *a, struct diag *d, const char *path, const struct record_header *h,
		     const struct space *s, struct record *out, off_t *kept)
{
	struct mapped_file f;
	bool first = true, good = true;
	size_t at = 0;

	*kept = 0;
	if (!file_map(path, &f))
		return errno == ENOENT;
	while (good && at < f.size) {
		const char *line = (const char *)f.data + at, *end = memchr(line, '\n', f.size - at);
		const struct jtree *j;
		struct trial t;

		if (!end)
			break;
		j = jtree_parse(a, line, (size_t)(end - line));
		at += (size_t)(end - line) + 1;
		if (first)
			good = same_search(d, path, j, h, h->reference_ms > 0);
		else if (j && read_trial(s, j, out->trials.len, &t))
			vec_push(s->arena, &out->trials, t);
		first = false;
		*kept = (off_t)at;
	}
	file_unmap(&f);
	return good && begins_with_heuristic(d, path, s, out);
}

bool record_open(struct arena *a, struct diag *d, const char *path, const struct record_header *h,
		 const struct space *s, bool resume, struct record *out)
{
	struct strbuf b = { 0 };
	off_t kept = 0;
	bool good;

	*out = (struct record){ .fd = -1, .path = path };
	if (resume && !read_old(a, d, path, h, s, out, &kept))
		return false;
	out->fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
	if (out->fd < 0 || ftruncate(out->fd, kept) != 0) {
		diag_error(d, NO_SPAN, "could not write \"%s\": %s", path, strerror(errno));
		return false;
	}
	if (kept)
		return true;
	header_text(h, &b);
	good = write_all(d, out, &b);
	strbuf_free(&b);
	return good;
}

void record_close(struct record *r)
{
	if (r->fd >= 0)
		close(r->fd);
	r->fd = -1;
}
