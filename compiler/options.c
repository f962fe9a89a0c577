/* SPDX-License-Identifier: Apache-2.0 */
/*
 * options.c - parse the command line of edgec.
 *
 * One table holds every option with the commands that take it, so --help and
 * the parser cannot disagree.
 */
#include "config.h"

#include "options.h"

#include "edge/plan_read.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum {
	ON_COMPILE = 1 << COMMAND_COMPILE,
	ON_CHECK = 1 << COMMAND_CHECK,
	ON_FMT = 1 << COMMAND_FMT,
	ON_EXPLAIN = 1 << COMMAND_EXPLAIN,
	ON_TUNE = 1 << COMMAND_TUNE
};

/* Options without a short form. */
enum {
	OPTION_EMIT = 256, OPTION_PRINT_AFTER, OPTION_STOP_AFTER, OPTION_HTML, OPTION_RESUME, OPTION_KNOB, OPTION_LOCK,
	OPTION_NO_LOCK, OPTION_MODEL, OPTION_SEARCH, OPTION_TRIALS, OPTION_SEED, OPTION_JOBS, OPTION_RUNNER, OPTION_LIMIT,
	OPTION_RECORD, OPTION_WORK, OPTION_TRANSCRIPT, OPTION_ROUNDS
};

static const struct {
	const char *name, *argument, *help;
} commands[] = {
	[COMMAND_COMPILE] = { "compile", "FILE.edge", "make a plan" },
	[COMMAND_CHECK] = { "check", "FILE.edge", "only look for mistakes" },
	[COMMAND_FMT] = { "fmt", "FILE.edge", "print the file in its canonical form" },
	[COMMAND_EXPLAIN] = { "explain", "PLAN", "say what a plan does, and why" },
	[COMMAND_TUNE] = { "tune", "FILE.edge", "search formats and kernels by measuring" },
};

static const struct {
	const char *name;
	int letter; /* the short option, or one of those above */
	const char *argument;
	unsigned commands;
	const char *help;
} table[] = {
	{ "output", 'o', "OUT.plan", ON_COMPILE, "where the plan goes (default: NAME.plan)" },
	{ "plan", 'p', "NAME", ON_COMPILE | ON_TUNE, "which plan of the file" },
	{ "budget", 'b', "SIZE", ON_COMPILE | ON_TUNE, "device budget instead of the plan's, e.g. 24MiB" },
	{ "device", 'd', "NAME", ON_COMPILE | ON_TUNE, "device instead of the plan's; host is built in" },
	{ "set", 's', "KEY=VALUE", ON_COMPILE | ON_CHECK | ON_TUNE,
	  "a symbolic dimension (batch=1), or an input's shape (x=1x3x224x224)" },
	{ "time", 't', NULL, ON_COMPILE, "print how long each stage took" },
	{ "json", 'j', NULL, ON_COMPILE | ON_EXPLAIN | ON_TUNE, "one JSON object on stdout" },
	{ "emit", OPTION_EMIT, "STAGE", ON_COMPILE, "print ast, graph, schedule or kernels and stop" },
	{ "print-after", OPTION_PRINT_AFTER, "PASS", ON_COMPILE, "print the graph after a pass, or after all" },
	{ "stop-after", OPTION_STOP_AFTER, "PASS", ON_COMPILE, "stop after a pass" },
	{ "html", OPTION_HTML, "OUT", ON_EXPLAIN, "write a timeline to look at" },
	{ "html", OPTION_HTML, "OUT", ON_TUNE, "write a report to look at; with --trials 0 of what was recorded" },
	{ "in-place", 'i', NULL, ON_FMT, "change the file itself" },
	{ "resume", OPTION_RESUME, NULL, ON_TUNE, "go on with an interrupted search" },
	{ "knob", OPTION_KNOB, "NAME=VALUE", ON_COMPILE, "a decision of the tuner, e.g. format.conv=q8" },
	{ "lock", OPTION_LOCK, "FILE", ON_COMPILE | ON_TUNE, "lock file instead of FILE.tune.json" },
	{ "no-lock", OPTION_NO_LOCK, NULL, ON_COMPILE, "compile as if there were no lock file" },
	{ "model", OPTION_MODEL, "NAME", ON_TUNE, "which tune block of the file" },
	{ "search", OPTION_SEARCH, "NAME", ON_TUNE, "random, tpe, anneal, greedy, llm or replay instead of the file's" },
	{ "trials", OPTION_TRIALS, "N", ON_TUNE, "how many configurations to try at most" },
	{ "seed", OPTION_SEED, "N", ON_TUNE, "of all that is left to chance" },
	{ "jobs", OPTION_JOBS, "N", ON_TUNE, "trials at once; each has a runner of its own" },
	{ "runner", OPTION_RUNNER, "COMMAND", ON_TUNE, "how to reach a device: 'ssh board {cmd}'; once, or once for each job" },
	{ "limit", OPTION_LIMIT, "SECONDS", ON_TUNE, "most that one command of a trial may take" },
	{ "record", OPTION_RECORD, "FILE", ON_TUNE, "record instead of FILE.tune.jsonl" },
	{ "work", OPTION_WORK, "DIR", ON_TUNE, "folder for plans and outputs, which runners see too" },
	{ "transcript", OPTION_TRANSCRIPT, "FILE", ON_TUNE, "dialogue with the language model: written by llm, read by replay" },
	{ "rounds", OPTION_ROUNDS, "N", ON_TUNE, "how often the winner and the heuristic are timed in turn at the end (41)" },
	{ "help", 'h', NULL, ~0u, "this text" },
	{ "version", 'V', NULL, ~0u, "the version" },
};

enum { TABLE_SIZE = sizeof table / sizeof table[0], COMMANDS = sizeof commands / sizeof commands[0] };

static void print_options(FILE *out, unsigned mask)
{
	for (unsigned i = 0; i < TABLE_SIZE; i++) {
		char left[64];

		if (!(table[i].commands & mask))
			continue;
		snprintf(left, sizeof left, "--%s%s%s", table[i].name, table[i].argument ? " " : "",
			 table[i].argument ? table[i].argument : "");
		if (table[i].letter < 256)
			fprintf(out, "  -%c, %-22s %s\n", table[i].letter, left, table[i].help);
		else
			fprintf(out, "      %-22s %s\n", left, table[i].help);
	}
}

static void usage(FILE *out)
{
	fputs("usage: edgec COMMAND [OPTION...] FILE\n\n", out);
	for (unsigned i = 0; i < COMMANDS; i++)
		fprintf(out, "  edgec %-8s %-10s %s\n", commands[i].name, commands[i].argument, commands[i].help);
	for (unsigned i = 0; i < COMMANDS; i++) {
		fprintf(out, "\noptions of %s:\n", commands[i].name);
		print_options(out, (1u << i) & (ON_COMPILE | ON_CHECK | ON_FMT | ON_EXPLAIN | ON_TUNE));
	}
	fputs("\nSizes are bytes or carry a unit: KiB MiB GiB kB MB GB.\n"
	      "Exit status: 0 done, 1 the work failed, 2 wrong usage.\n", out);
}

/* "24MiB", "24 MiB", "1e6", "5 MB": bytes. False: not a size. */
static bool size_parse(const char *s, uint64_t *out)
{
	static const struct {
		const char *name;
		double factor;
	} unit[] = { { "", 1 },	  { "B", 1 },	 { "KiB", 1024 }, { "MiB", 1048576 }, { "GiB", 1073741824 },
		     { "kB", 1e3 }, { "KB", 1e3 }, { "MB", 1e6 },	 { "GB", 1e9 } };
	char *end;
	double x;

	if (!((*s >= '0' && *s <= '9') || *s == '.'))
		return false;
	errno = 0;
	x = strtod(s, &end);
	while (*end == ' ')
		end++;
	for (unsigned i = 0; i < sizeof unit / sizeof unit[0]; i++) {
		if (strcmp(end, unit[i].name) != 0)
			continue;
		x *= unit[i].factor;
		if (!isfinite(x) || x < 0 || x > 9e18 || x != floor(x))
			return false;
		*out = (uint64_t)x;
		return true;
	}
	return false;
}

static int bad_usage(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

static int bad_usage(const char *fmt, ...)
{
	struct arena tmp = { 0 };
	const char *text;
	va_list ap;

	va_start(ap, fmt);
	text = arena_vprintf(&tmp, fmt, ap);
	va_end(ap);
	fputs("edgec: ", stderr);
	edge_show(stderr, text, strlen(text));
	fputs("\nTry 'edgec --help'.\n", stderr);
	arena_release(&tmp);
	return 2;
}

static bool split_setting(struct arena *a, const char *text, struct setting *out)
{
	const char *equals = strchr(text, '=');

	if (!equals || equals == text || !equals[1])
		return false;
	out->key = arena_strndup(a, text, (size_t)(equals - text));
	out->value = arena_strdup(a, equals + 1);
	return true;
}

static bool take_number(const char *text, unsigned long least, unsigned long most, uint32_t *out)
{
	char *end;
	unsigned long n = strtoul(text, &end, 10);

	*out = (uint32_t)n;
	return *text >= '0' && *text <= '9' && !*end && n >= least && n <= most;
}

/* What only tune takes. Returns -1, or the exit status. */
static int take_tune_option(struct arena *a, struct options *o, int letter)
{
	char *end;

	switch (letter) {
	case OPTION_RESUME: o->tune.resume = true; return -1;
	case OPTION_MODEL: o->tune.model = optarg; return -1;
	case OPTION_SEARCH:
		if (strcmp(optarg, "random") && strcmp(optarg, "tpe") && strcmp(optarg, "anneal") && strcmp(optarg, "greedy") &&
		    strcmp(optarg, "llm") && strcmp(optarg, "replay"))
			return bad_usage("--search %s is not one of random, tpe, anneal, greedy, llm, replay", optarg);
		o->tune.search = optarg;
		return -1;
	case OPTION_TRIALS:
		o->tune.trials_set = true;
		return take_number(optarg, 0, 100000, &o->tune.trials) ? -1 : bad_usage("--trials %s is not a number up to 100000", optarg);
	case OPTION_SEED:
		o->tune.seed_set = true;
		errno = 0;
		o->tune.seed = strtoull(optarg, &end, 10);
		return *optarg < '0' || *optarg > '9' || *end || errno ? bad_usage("--seed %s is not a number", optarg) : -1;
	case OPTION_JOBS: return take_number(optarg, 1, 256, &o->tune.jobs) ? -1 : bad_usage("--jobs %s is not a number from 1 to 256", optarg);
	case OPTION_RUNNER: vec_push(a, &o->tune.runners, optarg); return -1;
	case OPTION_LIMIT:
		o->tune.limit_s = strtod(optarg, &end);
		return *end || !(o->tune.limit_s > 0 && o->tune.limit_s < 1e6) ? bad_usage("--limit %s is not a time in seconds", optarg) : -1;
	case OPTION_RECORD: o->tune.record = optarg; return -1;
	case OPTION_WORK: o->tune.work = optarg; return -1;
	case OPTION_ROUNDS: return take_number(optarg, 1, 101, &o->tune.rounds) ? -1 : bad_usage("--rounds %s is not a number from 1 to 101", optarg);
	case OPTION_TRANSCRIPT: o->tune.transcript = optarg; return -1;
	default: fputs("Try 'edgec --help'.\n", stderr); return 2;
	}
}

/* Returns -1, or the exit status. */
static int take_option(struct arena *a, struct options *o, int letter)
{
	struct setting s;

	switch (letter) {
	case 'o': o->output = optarg; return -1;
	case 'p': o->plan = optarg; return -1;
	case 'd': o->device = optarg; return -1;
	case 't': o->time = true; return -1;
	case 'j': o->json = true; return -1;
	case 'i': o->in_place = true; return -1;
	case 'b':
		if (!size_parse(optarg, &o->budget) || o->budget == 0)
			return bad_usage("--budget %s is not a size; sizes look like 24MiB", optarg);
		o->budget_set = true;
		return -1;
	case 's':
		if (!split_setting(a, optarg, &s))
			return bad_usage("--set %s is not KEY=VALUE", optarg);
		vec_push(a, &o->settings, s);
		return -1;
	case OPTION_KNOB:
		if (!split_setting(a, optarg, &s))
			return bad_usage("--knob %s is not NAME=VALUE", optarg);
		vec_push(a, &o->knobs, s);
		return -1;
	case OPTION_LOCK: o->lock = optarg; return -1;
	case OPTION_NO_LOCK: o->no_lock = true; return -1;
	case OPTION_EMIT:
		if (strcmp(optarg, "ast") && strcmp(optarg, "graph") && strcmp(optarg, "schedule") &&
		    strcmp(optarg, "kernels"))
			return bad_usage("--emit %s is not one of ast, graph, schedule, kernels", optarg);
		o->emit = optarg;
		return -1;
	case OPTION_PRINT_AFTER: o->print_after = optarg; return -1;
	case OPTION_STOP_AFTER: o->stop_after = optarg; return -1;
	case OPTION_HTML: o->html = optarg; return -1;
	case 'h': usage(stdout); return 0;
	case 'V': puts("edgec " PACKAGE_VERSION); return 0;
	default: return take_tune_option(a, o, letter);
	}
}

static void build_getopt(struct option *longs, char *shorts)
{
	for (unsigned i = 0; i < TABLE_SIZE; i++) {
		longs[i] = (struct option){ table[i].name, table[i].argument ? required_argument : no_argument,
					    NULL, table[i].letter };
		if (table[i].letter < 256) {
			*shorts++ = (char)table[i].letter;
			if (table[i].argument)
				*shorts++ = ':';
		}
	}
	longs[TABLE_SIZE] = (struct option){ 0 };
	*shorts = '\0';
}

static const char *option_name(int letter)
{
	for (unsigned i = 0; i < TABLE_SIZE; i++)
		if (table[i].letter == letter)
			return table[i].name;
	return "";
}

static bool option_allowed(int letter, enum command c)
{
	bool known = false;

	for (unsigned i = 0; i < TABLE_SIZE; i++) {
		if (table[i].letter == letter && table[i].commands & (1u << c))
			return true;
		known |= table[i].letter == letter;
	}
	return !known; /* '?': take_option says it */
}

int options_parse(struct arena *a, int argc, char **argv, struct options *o)
{
	struct option longs[TABLE_SIZE + 1];
	char shorts[2 * TABLE_SIZE + 1];
	const char *debug = getenv("EDGEC_DEBUG");
	int letter, status;
	unsigned c;

	*o = (struct options){ 0 };
	o->verify = debug && strstr(debug, "verify");
	o->roundtrip = debug && strstr(debug, "roundtrip");
	if (argc < 2)
		return bad_usage("which command?");
	if (argv[1][0] == '-') {
		if (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h"))
			return take_option(a, o, 'h');
		if (!strcmp(argv[1], "--version") || !strcmp(argv[1], "-V"))
			return take_option(a, o, 'V');
		return bad_usage("the command comes first, before %s", argv[1]);
	}
	if (!strcmp(argv[1], "help"))
		return take_option(a, o, 'h');
	for (c = 0; c < COMMANDS && strcmp(argv[1], commands[c].name); c++)
		;
	if (c == COMMANDS)
		return bad_usage("no command %s", argv[1]);
	o->command = (enum command)c;
	build_getopt(longs, shorts);
	optind = 2;
	while ((letter = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		if (!option_allowed(letter, o->command))
			return bad_usage("%s does not take --%s", commands[c].name, option_name(letter));
		status = take_option(a, o, letter);
		if (status >= 0)
			return status;
	}
	if (optind == argc)
		return bad_usage("%s needs a file", commands[c].name);
	if (optind + 1 < argc)
		return bad_usage("one file at a time: what is %s?", argv[optind + 1]);
	o->input = argv[optind];
	return -1;
}
