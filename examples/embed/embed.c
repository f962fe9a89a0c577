/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embed.c - run a plan from a program of your own.
 *
 *	cc embed.c $(pkg-config --cflags --libs edgert) -o embed
 *	./embed net.plan
 *
 * Every input is filled with ones; the first numbers of every output are
 * printed. All memory that the run needs is taken by edgert_open(), so a
 * program that got this far does not run out of it later.
 */
#include <edge/edgert.h>

#include <stdio.h>
#include <stdlib.h>

int main(int argc, char **argv)
{
	struct edgert_options options = { .plan = argc > 1 ? argv[1] : "net.plan" };
	struct edgert_session *s;
	struct edgert_tensor t;
	struct edgert_report r;
	enum edge_status st;
	uint32_t i, k, n;
	float **data;

	if (edgert_open(&options, &s) != EDGE_OK) {
		fprintf(stderr, "embed: %s\n", edgert_last_error(NULL));
		return 1;
	}
	n = edgert_tensor_count(s);
	data = calloc(n, sizeof(*data));
	for (i = 0; data && i < n; i++) {
		edgert_tensor_info(s, i, &t);
		data[i] = calloc(1, t.bytes + sizeof(float));
		if (!data[i] ||
		    (t.output ? edgert_set_output(s, (int)i, data[i], t.bytes)
			      : edgert_set_input(s, (int)i, data[i], t.bytes)) != EDGE_OK)
			return 1;
		for (k = 0; !t.output && t.dtype == EDGE_F32 && k < t.bytes / sizeof(float); k++)
			data[i][k] = 1;
	}
	st = data ? edgert_run(s) : EDGE_MEMORY;
	if (st != EDGE_OK)
		fprintf(stderr, "embed: %s\n", edgert_last_error(s));
	for (i = 0; st == EDGE_OK && i < n; i++) {
		edgert_tensor_info(s, i, &t);
		if (!t.output || t.dtype != EDGE_F32)
			continue;
		printf("%s:", t.name);
		for (k = 0; k < 4 && k < t.bytes / sizeof(float); k++)
			printf(" %g", (double)data[i][k]);
		putchar('\n');
	}
	edgert_report(s, &r);
	printf("%llu bytes of device memory, %.1f ms\n", (unsigned long long)r.actual_device_bytes,
	       r.run_ms);
	edgert_close(s);
	for (i = 0; data && i < n; i++)
		free(data[i]);
	free(data);
	return st == EDGE_OK ? 0 : 1;
}
