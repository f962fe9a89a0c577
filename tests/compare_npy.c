/* SPDX-License-Identifier: Apache-2.0 */
/*
 * compare_npy.c - compare two tensors: compare_npy A.npy B.npy TOLERANCE
 *
 * Exit 0 when types and shapes agree and the largest difference is at most
 * TOLERANCE times the largest value of B; 0 asks for equal bytes.
 */
#include "config.h"

#include "base/memory.h"
#include "base/npy.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static int compare(char **argv, const struct npy *a, const struct npy *b, const void *pa, const void *pb)
{
	double largest = 0, difference = 0;

	if (a->dtype != b->dtype || a->rank != b->rank || memcmp(a->dim, b->dim, a->rank * sizeof a->dim[0])) {
		printf("types or shapes differ: %s and %s\n", argv[1], argv[2]);
		return 1;
	}
	if (atof(argv[3]) == 0 || a->dtype != EDGE_F32) {
		if (memcmp(pa, pb, a->bytes) == 0)
			return 0;
		printf("bytes differ: %s and %s\n", argv[1], argv[2]);
		return 1;
	}
	for (uint64_t i = 0; i < a->bytes / 4; i++) {
		double x = ((const float *)pa)[i], y = ((const float *)pb)[i];

		largest = fmax(largest, fabs(y));
		/* a NaN on either side must not compare equal */
		difference = isnan(x) != isnan(y) ? INFINITY : fmax(difference, isnan(x) ? 0 : fabs(x - y));
	}
	printf("largest difference %.3g of %.3g\n", difference, largest);
	return !(difference <= atof(argv[3]) * largest);
}

int main(int argc, char **argv)
{
	struct failure f = { 0 };
	void *pa = NULL, *pb = NULL;
	struct npy a, b;
	int status = 1;

	if (argc != 4) {
		fputs("usage: compare_npy A.npy B.npy TOLERANCE\n", stderr);
		return 2;
	}
	if (npy_load(argv[1], &a, &pa, &f) != EDGE_OK || npy_load(argv[2], &b, &pb, &f) != EDGE_OK)
		fprintf(stderr, "compare_npy: %s\n", f.text);
	else
		status = compare(argv, &a, &b, pa, pb);
	rt_free(pa);
	rt_free(pb);
	return status;
}
