/* SPDX-License-Identifier: Apache-2.0 */
/* tool_options.c - the options of run and bench. */
#include "config.h"

#include "base/memory.h"
#include "tools/tool.h"

#include <getopt.h>
#include <string.h>

enum {
	OPT_INPUT = 256,
	OPT_OUTPUT_DIR,
	OPT_REPORT,
	OPT_TRACE,
	OPT_RESIDENT,
	OPT_REPEAT,
	OPT_THREADS,
	OPT_PIN,
	OPT_NO_NATIVE,
	OPT_DEVICE,
	OPT_IO,
	OPT_NO_CACHE,
	OPT_COLD,
	OPT_JSON,
	OPT_CHILD,
	OPT_SAMPLES
};

static const struct option run_options[] = {
	{ "input", required_argument, NULL, OPT_INPUT },
	{ "output-dir", required_argument, NULL, OPT_OUTPUT_DIR },
	{ "report", required_argument, NULL, OPT_REPORT },
	{ "trace", required_argument, NULL, OPT_TRACE },
	{ "resident", no_argument, NULL, OPT_RESIDENT },
	{ "repeat", required_argument, NULL, OPT_REPEAT },
	{ "samples", no_argument, NULL, OPT_SAMPLES },
	{ "threads", required_argument, NULL, OPT_THREADS },
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ "pin", no_argument, NULL, OPT_PIN },
	{ "no-native", no_argument, NULL, OPT_NO_NATIVE },
	{ "io", required_argument, NULL, OPT_IO },
	{ "no-cache", no_argument, NULL, OPT_NO_CACHE },
	{ NULL, 0, NULL, 0 },
};

static const struct option bench_options[] = {
	{ "input", required_argument, NULL, OPT_INPUT },
	{ "cold", no_argument, NULL, OPT_COLD },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "resident", no_argument, NULL, OPT_RESIDENT },
	{ "threads", required_argument, NULL, OPT_THREADS },
	{ "device", required_argument, NULL, OPT_DEVICE },
	{ "io", required_argument, NULL, OPT_IO },
	{ "no-cache", no_argument, NULL, OPT_NO_CACHE },
	{ "pin", no_argument, NULL, OPT_PIN },
	{ "no-native", no_argument, NULL, OPT_NO_NATIVE },
	{ "child", required_argument, NULL, OPT_CHILD },
	{ NULL, 0, NULL, 0 },
};

static bool add_input(struct tool_options *o, const char *text)
{
	if (!strchr(text, '=') || text[0] == '=') {
		tool_usage_error("--input needs NAME=FILE.npy, not \"%s\"", text);
		return false;
	}
	o->input[o->input_count++] = text;
	return true;
}

bool tool_io(const char *text, enum edgert_io *out)
{
	static const char *const names[] = { [EDGERT_IO_AUTO] = "auto", [EDGERT_IO_BUFFERED] = "buffered",
					     [EDGERT_IO_DIRECT] = "direct", [EDGERT_IO_URING] = "uring" };

	for (int i = EDGERT_IO_AUTO; i <= EDGERT_IO_URING; i++) {
		if (!strcmp(text, names[i])) {
			*out = (enum edgert_io)i;
			return true;
		}
	}
	tool_usage_error("--io is auto, buffered, direct or uring, not \"%s\"", text);
	return false;
}

static bool take(struct tool_options *o, int option)
{
	uint32_t n;

	switch (option) {
	case OPT_INPUT:
		return add_input(o, optarg);
	case OPT_OUTPUT_DIR:
		o->output_dir = optarg;
		return true;
	case OPT_REPORT:
		o->report = optarg;
		return true;
	case OPT_TRACE:
		o->trace = optarg;
		o->session.profile = true;
		return true;
	case OPT_RESIDENT:
		o->session.resident = true;
		return true;
	case OPT_REPEAT:
		return tool_number("--repeat", optarg, 1, &o->count);
	case 'n':
		return tool_number("-n", optarg, 1, &o->count);
	case OPT_THREADS:
		return tool_number("--threads", optarg, 1, &o->session.threads);
	case OPT_DEVICE:
		o->session.device = optarg;
		return true;
	case OPT_PIN:
		o->session.pin = true;
		return true;
	case OPT_NO_NATIVE:
		o->session.no_native = true;
		return true;
	case OPT_IO:
		return tool_io(optarg, &o->session.io);
	case OPT_NO_CACHE:
		o->session.no_cache = true;
		return true;
	case OPT_SAMPLES:
		o->samples = true;
		return true;
	case OPT_COLD:
		o->cold = true;
		return true;
	case OPT_JSON:
		o->json = true;
		return true;
	case OPT_CHILD:
		if (!tool_number("--child", optarg, 0, &n))
			return false;
		o->child = (int)n;
		return true;
	default:
		return false; /* getopt_long has said why */
	}
}

int tool_options(int argc, char **argv, bool bench, struct tool_options *out)
{
	int c;

	*out = (struct tool_options){ .child = -1,
				      .input = rt_alloc((size_t)argc, sizeof(*out->input)) };
	if (!out->input)
		return 1 + tool_error("out of memory");
	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, bench ? ":n:" : ":",
				bench ? bench_options : run_options, NULL)) != -1) {
		if (c == '?')
			return 1 + tool_usage_error("%s has no option \"%s\"", argv[0],
						    argv[optind - 1]);
		if (c == ':')
			return 1 +
			       tool_usage_error("option \"%s\" needs a value", argv[optind - 1]);
		if (!take(out, c))
			return 1 + TOOL_USAGE;
	}
	if (optind == argc)
		return 1 + tool_usage_error("%s needs a plan", argv[0]);
	if (optind + 1 < argc)
		return 1 + tool_usage_error("%s takes one plan; \"%s\" is too much", argv[0],
					    argv[optind + 1]);
	out->session.plan = argv[optind];
	return 0;
}

void tool_options_free(struct tool_options *o)
{
	rt_free(o->input);
}
