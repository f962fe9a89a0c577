/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_execute.c - edgert execute: whatever the plan is for.
 *
 * The options are those of the command that the plan's kind stands for, so the plan has to be found among the
 * arguments first: it is the one that is a plan file. All that is read here is read again, and checked, by that
 * command.
 */
#include "config.h"

#include "edge/plan_format.h"
#include "tools/tool.h"

#include <stdio.h>
#include <string.h>

enum { MOST_SECTIONS = 1024 };

static bool read_at(FILE *in, uint64_t offset, void *out, size_t n)
{
	return offset <= INT32_MAX && fseek(in, (long)offset, SEEK_SET) == 0 && fread(out, n, 1, in) == 1;
}

/* enum edge_plan_kind, or 0. */
static uint32_t kind_of(FILE *in)
{
	struct edge_prefix prefix;
	uint32_t kind;

	if (!read_at(in, 0, &prefix, sizeof(prefix)) || memcmp(prefix.magic, EDGE_PLAN_MAGIC, sizeof(prefix.magic)) != 0)
		return 0;
	for (uint32_t i = 0; i < prefix.section_count && i < MOST_SECTIONS; i++) {
		struct edge_section s;

		if (!read_at(in, prefix.header_size + (uint64_t)i * prefix.section_entry_size, &s, sizeof(s)))
			return 0;
		if (s.kind == EDGE_SECTION_META)
			return read_at(in, s.offset, &kind, sizeof(kind)) ? kind : 0;
	}
	return 0;
}

static uint32_t kind_among(int argc, char **argv)
{
	uint32_t kind = 0;

	for (int i = 1; i < argc && kind == 0; i++) {
		FILE *in = argv[i][0] == '-' ? NULL : fopen(argv[i], "rb");

		if (in) {
			kind = kind_of(in);
			fclose(in);
		}
	}
	return kind;
}

/* A plan of a kind without a command, and what is no plan, is refused by run. */
int cmd_execute(int argc, char **argv)
{
	switch (kind_among(argc, argv)) {
	case EDGE_PLAN_TRAIN: return cmd_train(argc, argv);
	case EDGE_PLAN_GENERATE: return cmd_generate(argc, argv);
	default: return cmd_run(argc, argv);
	}
}
