/* SPDX-License-Identifier: Apache-2.0 */
/* compilation.h - one plan in the making: what the stages of compile.c hand on, and the stages that are gone through more than once. */
#ifndef EDGE_COMPILATION_H
#define EDGE_COMPILATION_H

#include "commands.h"
#include "generate.h"

#include "import/import.h"
#include "sched/schedule.h"
#include "target/target.h"
#include "tune/apply.h"

struct compilation {
	struct arena *arena;
	struct diag *diag;
	const struct options *opt;
	struct project *project;
	const struct decl_plan *plan;
	struct target target;
	struct tuned *tuned;     /* per model of the project */
	struct import_options import;
	struct graph **graph;    /* per model of the project; NULL: not in the plan. Or the variants of one. */
	struct kernel_set **set; /* the same */
	const struct graph *stored; /* of variants: the first whose weights are in their final format */
	uint32_t graphs, *model_of; /* how many, and of which model each is */
	bool tuning_loaded;
	uint64_t least; /* of a language model: the smallest budget of any batch; 0: not looked for */
	struct variants *variants; /* NULL: the plan does not generate */
	int64_t batch;		    /* tokens of a sweep */
	bool shared_table;	    /* its table of tokens is its output matrix */
	bool tables_in_memory, separate_tails; /* see graph.h */
	struct schedule *schedule;
	int stream; /* percent between the smallest budget and all resident; -1: as the budget says */
	double started, stage_started;
};

enum { MOST_BATCH = 64 }; /* tokens of a sweep */

/* ---- compile.c: stages; false: an error was said */
/* Up to the weights' formats. */
bool compile_graphs(struct compilation *c);
bool compile_kernels(struct compilation *c);
/* measure: without a budget, to know what the smallest would be. */
bool compile_schedule(struct compilation *c, bool measure);
/* Bytes of the device; 0: no limit. */
uint64_t compile_budget(const struct compilation *c);
/* A language model's sweeps have at most so many tokens. */
void compile_choose_batch(struct compilation *c, int64_t batch);

/* ---- compile_again.c: several ways to make a plan, of which the best is kept; false: an error was said */
/* Of a language model: the most tokens a sweep that memory has room for. */
bool again_fit_batch(struct compilation *c);
/* A table of tokens that is also the output matrix. */
bool again_share_table(struct compilation *c);
/* Elementwise tails of products as launches of their own. */
bool again_try_tails(struct compilation *c);

#endif
