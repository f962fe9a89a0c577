/* SPDX-License-Identifier: Apache-2.0 */
/* make_train_plan.c - a small plan that trains, for shell tests: make_train_plan OUT.plan STEPS "STATEMENTS" [BUDGET]. */
#include "config.h"

#include "train_plan.h"

#include <stdio.h>
#include <stdlib.h>

static int copy(const char *from, const char *to)
{
	FILE *in = fopen(from, "rb"), *out = fopen(to, "wb");
	char block[4096];
	size_t n;
	int bad = !in || !out;

	while (!bad && (n = fread(block, 1, sizeof(block), in)) > 0)
		bad = fwrite(block, 1, n, out) != n;
	if (in)
		fclose(in);
	if (out && fclose(out) != 0)
		bad = 1;
	return bad;
}

int main(int argc, char **argv)
{
	struct train_plan_request r = { .views = 10, .width = 64, .height = 48, .points = 200 };
	const char *plan;
	int bad;

	if (argc < 4) {
		fputs("usage: make_train_plan OUT.plan STEPS \"STATEMENTS\" [BUDGET]\n", stderr);
		return 2;
	}
	r.steps = (uint32_t)strtoul(argv[2], NULL, 10);
	r.statements = argv[3];
	r.budget = argc > 4 ? strtoull(argv[4], NULL, 10) : 0;
	plan = train_plan_make(&r);
	bad = !plan || copy(plan, argv[1]);
	train_plan_remove();
	return bad;
}
