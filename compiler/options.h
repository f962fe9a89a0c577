/* SPDX-License-Identifier: Apache-2.0 */
/* options.h - the command line of edgec as a value. */
#ifndef EDGE_OPTIONS_H
#define EDGE_OPTIONS_H

#include "import/import.h"

enum command { COMMAND_COMPILE, COMMAND_CHECK, COMMAND_FMT, COMMAND_EXPLAIN, COMMAND_TUNE };

struct options {
	enum command command;
	const char *input; /* FILE.edge, or PLAN */
	const char *output;
	const char *plan, *device, *emit, *html;
	const char *print_after, *stop_after;
	bool budget_set;
	uint64_t budget;
	bool time, json, in_place, verify, roundtrip;
	VEC(struct setting) settings;
	VEC(struct setting) knobs; /* --knob: decisions that otherwise a lock file makes */
	const char *lock;          /* NULL: FILE.tune.json */
	bool no_lock;
	struct tune_options {
		bool resume;
		const char *model, *search, *record, *work, *transcript;
		uint32_t trials, jobs; /* 0: as the file says; 1 */
		uint32_t rounds;       /* of timing the winner; 0: the usual */
		bool trials_set, seed_set;
		uint64_t seed;
		double limit_s; /* of one command; 0: the usual */
		VEC(const char *) runners;
	} tune;
};

/*
 * Fills *o. Returns -1 to go on, or the exit status: 0 after --help and
 * --version, 2 for wrong usage (said on stderr).
 */
int options_parse(struct arena *a, int argc, char **argv, struct options *o);

#endif
