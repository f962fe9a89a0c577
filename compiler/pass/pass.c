/* SPDX-License-Identifier: Apache-2.0 */
/*
 * pass.c - the order of passes, and what watches over them.
 *
 * The order is fixed and short. Simplifying and folding wait for each other,
 * and so do layout and simplifying (a batch norm reaches its convolution only
 * when the transposes between them are gone), so they come several times; a
 * pass that finds nothing to do costs one look at each node.
 */
#include "config.h"

#include "pass/pass.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

struct pass {
	const char *name;
	bool (*run)(struct graph *g, struct diag *d);
};

static const struct pass known[] = {
	{ "dead", pass_dead },	   { "fold", pass_fold },	    { "simplify", pass_simplify },
	{ "layout", pass_layout }, { "batchnorm", pass_batchnorm }, { "fuse", pass_fuse },
	{ "widen", pass_widen },
};

static const char *const order[] = {
	"widen",
	"dead", "fold",	    "simplify",	 "fold", "simplify", "layout",
	"fold", "simplify", "layout",	 "fold", "simplify", "batchnorm",
	"fold", "simplify", "batchnorm", "dead", "fuse",     "dead",
};

enum { KNOWN = sizeof known / sizeof *known, ORDER = sizeof order / sizeof *order };

static const struct pass *pass_find(const char *name)
{
	for (int i = 0; i < KNOWN; i++) {
		if (strcmp(known[i].name, name) == 0)
			return &known[i];
	}
	return NULL;
}

bool pass_run(const char *name, struct graph *g, struct diag *d, bool *changed)
{
	const struct pass *p = pass_find(name);

	if (!p)
		return false;
	*changed = p->run(g, d);
	return true;
}

static bool wants_verify(void)
{
#ifdef NDEBUG
	const char *debug = getenv("EDGEC_DEBUG");

	return debug && strstr(debug, "verify");
#else
	return true;
#endif
}

static bool name_ok(const char *name, struct diag *d)
{
	if (!name || strcmp(name, "all") == 0 || pass_find(name))
		return true;
	diag_error(d, NO_SPAN, "there is no pass \"%s\"", name);
	diag_hint(d, "Passes are widen, dead, fold, simplify, layout, batchnorm and fuse.");
	return false;
}

/* What was printed is read again, and takes the graph's place. */
static bool roundtrip(struct graph *g, struct diag *d, const char *after)
{
	struct strbuf one = { 0 }, two = { 0 };
	char *name = arena_printf(g->arena, "graph after %s", after);
	struct graph *again;
	bool good;

	graph_print(g, &one);
	again = graph_read(
		g->arena, d,
		diag_add_file(d, name, arena_strndup(g->arena, one.data, one.len), one.len));
	if (again)
		graph_print(again, &two);
	good = again && one.len == two.len && memcmp(one.data, two.data, one.len) == 0;
	if (good)
		*g = *again;
	else
		diag_error(d, NO_SPAN,
			   "the graph after pass %s does not survive being printed and read",
			   after);
	strbuf_free(&one);
	strbuf_free(&two);
	return good;
}

static double now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return 1e3 * (double)t.tv_sec + 1e-6 * (double)t.tv_nsec;
}

static void print_graph(const struct graph *g, const char *after)
{
	struct strbuf s = { 0 };

	graph_print(g, &s);
	fprintf(stderr, "# after %s\n%s", after, strbuf_str(&s));
	strbuf_free(&s);
}

static bool run_one(struct graph *g, struct diag *d, const struct pass_options *opt,
		    const char *name)
{
	double start = now_ms();
	bool changed = pass_find(name)->run(g, d);

	if (opt->time)
		fprintf(stderr, "%-10s %8.2f ms  %u nodes%s\n", name, now_ms() - start,
			g->nodes.len, changed ? "" : ", nothing changed");
	if (d->errors)
		return false;
	if (wants_verify() && !graph_verify(g, d)) {
		diag_note(d, NO_SPAN, "after pass %s; this is a fault of the compiler", name);
		return false;
	}
	if (opt->print_after &&
	    (strcmp(opt->print_after, "all") == 0 || strcmp(opt->print_after, name) == 0))
		print_graph(g, name);
	return !opt->roundtrip || roundtrip(g, d, name);
}

bool passes_run(struct graph *g, struct diag *d, const struct pass_options *opt)
{
	static const struct pass_options nothing;
	int last = ORDER;

	opt = opt ? opt : &nothing;
	if (!name_ok(opt->print_after, d) || !name_ok(opt->stop_after, d))
		return false;
	for (int i = 0; opt->stop_after && i < ORDER; i++) {
		if (strcmp(order[i], opt->stop_after) == 0)
			last = i + 1;
	}
	for (int i = 0; i < last; i++) {
		if (!run_one(g, d, opt, order[i]))
			return false;
	}
	return true;
}
