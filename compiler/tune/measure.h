/* SPDX-License-Identifier: Apache-2.0 */
/*
 * measure.h - one configuration: compiled, run, timed and judged.
 *
 * Everything happens in other processes, so that a trial may crash or hang:
 *
 *	edgec compile FILE --no-lock --knob ...   its plan, and what it stores
 *	edgert run PLAN --samples                 its answers
 *	edgert bench PLAN --json                  its time, in turn with the reference's
 *
 * Commands of edgert go through a runner template, if there is one, for
 * another device: in 'ssh board {cmd}' the parts {cmd} (the whole command, in
 * quotes where it needs them), {plan} (the plan's file), {out} (the folder
 * for outputs; empty where there are none) and {slot} are replaced, and a shell
 * runs the result. A slot is a device: each trial has one to itself.
 */
#ifndef EDGE_TUNE_MEASURE_H
#define EDGE_TUNE_MEASURE_H

#include "tune/quality.h"
#include "tune/search.h"

struct measure {
	const char *edgec, *edgert; /* programs */
	const char *edge_file, *plan_name; /* plan_name NULL: the only one */
	struct knob_list options;   /* of edgec compile, as given to edgec tune */
	const char *folder;         /* for plans and outputs */
	const char *const *runner;  /* per slot; NULL: run here */
	uint32_t slots;
	double compile_limit_s, run_limit_s;
	uint32_t rounds;            /* of timing in the search, each the reference and the trial */
	uint32_t check_rounds;      /* of timing the winner again */
	bool generates;             /* the plan makes text */
	struct quality quality;
	/* filled by measure_reference() */
	const char *reference_plan;
	const char *cpu;            /* trials are compiled for this instruction set alone; NULL: all */
	double reference_ms, reference_bytes, reference_peak;
	uint32_t runs;              /* of a bench */
	double noise;               /* of the reference's own time against itself: how far the ratio's bounds are apart */
};

struct measured {
	enum failure_kind failure;
	char error[240];
	double bytes, peak_bytes, latency_ms;
	/* the trial's time over the reference's: median, median deviation, bounds of the median at 95 % each */
	double ratio, spread, low, high;
	struct quality_result quality;
};

/* The float model's answers and the heuristic's time. False: said why. */
bool measure_reference(struct arena *a, struct diag *d, struct measure *m, const struct knob_values *heuristic);
/* split: which half of the samples. rounds 0: no timing. Thread-safe for different slots. */
void measure_trial(const struct measure *m, uint32_t slot, const struct knob_values *knobs, int split, uint32_t rounds,
		   struct measured *out);
/*
 * objective: what is minimised, as a ratio to the heuristic's. strict: of a
 * winner, whose time, where something else is minimised, has to be one that
 * cannot be told from the heuristic's.
 */
struct outcome measure_outcome(const struct measure *m, const struct measured *x, enum decl_minimize minimize, bool strict);

#endif
