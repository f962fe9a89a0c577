/* SPDX-License-Identifier: Apache-2.0 */
/* dump.h - a plan as text: what the file holds, record by record. */
#ifndef EDGE_PLAN_DUMP_H
#define EDGE_PLAN_DUMP_H

#include "edge/plan_read.h"

#include <stdio.h>

/* p has passed plan_check(). The text depends on the plan's bytes only. */
void plan_dump(FILE *out, const struct edge_plan *p);

/* In quotes. */
void dump_string(FILE *out, const struct edge_plan *p, uint32_t s);
/* dump_train.c: the records of a plan that trains; nothing for another. */
void dump_train(FILE *out, const struct edge_plan *p);
/* dump_generate.c: the same for one that generates text. */
void dump_generate(FILE *out, const struct edge_plan *p);

#endif
