/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_kernels.c - arithmetic rate of the heavy kernels beside the peak of
 * this machine, measured in the same process just before and after each.
 *
 *	bench_kernels [WORD]      only cases whose name contains WORD
 *	bench_kernels FILE.ir     the launches of a graph, as edgec --emit=graph
 *	                          prints it, one by one
 */
#include "config.h"

#include "kernel_harness.h"

#include "base/file.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* Twelve independent sums: enough to keep two pipes of latency 4 busy. */
enum { ROUNDS = 1000000, SUMS = 12 };

#define PEAK(name, attribute, width)                                                               \
	attribute static float name(void)                                                          \
	{                                                                                          \
		typedef float lanes __attribute__((vector_size(4 * width)));                       \
		lanes s0 = { 0 }, s1 = s0 + 1, s2 = s0 + 2, s3 = s0 + 3, s4 = s0 + 4, s5 = s0 + 5;  \
		lanes s6 = s0 + 6, s7 = s0 + 7, s8 = s0 + 8, s9 = s0 + 9, sa = s0 + 10, sb = s0 + 11; \
		lanes x = s0 + 0.5f, y = s0 + 1.25f;                                               \
		int i;                                                                             \
												   \
		for (i = 0; i < ROUNDS; i++) {                                                     \
			s0 = s0 * x + y, s1 = s1 * x + y, s2 = s2 * x + y, s3 = s3 * x + y;         \
			s4 = s4 * x + y, s5 = s5 * x + y, s6 = s6 * x + y, s7 = s7 * x + y;         \
			s8 = s8 * x + y, s9 = s9 * x + y, sa = sa * x + y, sb = sb * x + y;         \
		}                                                                                  \
		s0 += s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9 + sa + sb;                        \
		return s0[0] + s0[width - 1];                                                      \
	}

static int width = 4;

#ifdef __x86_64__
#define TARGET(x) __attribute__((noinline, optimize("O2", "fp-contract=fast"), target(x)))
PEAK(peak16, TARGET("avx512f,fma"), 16)
PEAK(peak8, TARGET("avx2,fma"), 8)
#endif
PEAK(peak4, __attribute__((noinline)), 4)

static float multiply_add(void)
{
#ifdef __x86_64__
	if (width == 16)
		return peak16();
	if (width == 8)
		return peak8();
#endif
	return peak4();
}

static void find_width(void)
{
#ifdef __x86_64__
	__builtin_cpu_init();
	width = __builtin_cpu_supports("avx512f") ? 16 : __builtin_cpu_supports("avx2") ? 8 : 4;
#endif
}

static void *worker(void *result)
{
	*(float *)result = multiply_add();
	return NULL;
}

/* GFLOP/s of all cores. */
static double peak(void)
{
	long threads = sysconf(_SC_NPROCESSORS_ONLN), i;
	pthread_t *t = calloc((size_t)threads, sizeof *t);
	float *out = calloc((size_t)threads, sizeof *out);
	double best = 0, s;
	int j;

	for (j = 0; j < 3; j++) {
		s = now();
		for (i = 0; i < threads; i++)
			pthread_create(&t[i], NULL, worker, &out[i]);
		for (i = 0; i < threads; i++)
			pthread_join(t[i], NULL);
		s = (double)threads * ROUNDS * SUMS * 2 * width / (now() - s) * 1e-9;
		best = s > best ? s : best;
	}
	free(t);
	free(out);
	return best;
}

static void matmul(struct harness *h, int m, int n, int k)
{
	char name[64];

	snprintf(name, sizeof name, "matmul %d x %d x %d", m, n, k);
	harness_textf(h, name,
		      "%%0 \"x\" = input f32[%d,%d]\n"
		      "%%1 = const f32[%d,%d] = random seed 3 mean 0.0 deviation 0.5 f32[%d,%d]\n"
		      "%%2 = const f32[%d] = random seed 5 mean 0.0 deviation 0.5 f32[%d]\n"
		      "%%3 = matmul(%%0, %%1, %%2) {trans_a = 0, trans_b = 0, alpha = 1.0} : f32[%d,%d]\n"
		      "output \"y\" %%3\n",
		      m, k, k, n, k, n, n, n, m, n);
}

static void conv(struct harness *h, int size, int in, int out, int kernel, int stride, int group)
{
	char name[64];
	int pad = kernel / 2, result = (size + 2 * pad - kernel) / stride + 1;

	snprintf(name, sizeof name, "conv %dx%d /%d %s%d^2 %d->%d", kernel, kernel, stride, group > 1 ? "grouped " : "",
		 size, in, out);
	harness_textf(h, name,
		      "%%0 \"x\" = input f32[1,%d,%d,%d]\n"
		      "%%1 = const f32[%d,%d,%d,%d] = random seed 3 mean 0.0 deviation 0.5 f32[%d,%d,%d,%d]\n"
		      "%%2 = const f32[%d] = random seed 5 mean 0.0 deviation 0.5 f32[%d]\n"
		      "%%3 = conv(%%0, %%1, %%2;) {strides = [%d,%d], pads = [%d,%d,%d,%d], dilations = [1,1], group = %d} "
		      "[relu(r0) f32] : f32[1,%d,%d,%d]\n"
		      "output \"y\" %%3\n",
		      size, size, in, out, in / group, kernel, kernel, out, in / group, kernel, kernel, out, out, stride,
		      stride, pad, pad, pad, pad, group, result, result, out);
}

static void add_cases(struct harness *h)
{
	matmul(h, 1024, 1024, 1024);
	matmul(h, 128, 768, 768);
	matmul(h, 128, 2304, 768);
	matmul(h, 128, 3072, 768);
	matmul(h, 128, 768, 3072);
	matmul(h, 64, 512, 512);
	matmul(h, 100, 700, 300);
	matmul(h, 13, 768, 768);
	matmul(h, 1, 1000, 1024);
	matmul(h, 1, 4096, 4096);
	conv(h, 56, 64, 64, 3, 1, 1);
	conv(h, 28, 128, 128, 3, 1, 1);
	conv(h, 14, 256, 256, 3, 1, 1);
	conv(h, 56, 64, 256, 1, 1, 1);
	conv(h, 55, 16, 64, 3, 1, 1);
	conv(h, 32, 16, 16, 3, 1, 1);
	conv(h, 56, 64, 128, 3, 2, 1);
	conv(h, 44, 48, 48, 1, 1, 1);
	conv(h, 224, 3, 64, 3, 2, 1);
	conv(h, 224, 3, 64, 7, 2, 1);
	conv(h, 56, 96, 96, 3, 1, 96);
	conv(h, 44, 24, 24, 5, 1, 24);
}

static int graph_file(const char *path)
{
	struct mapped_file f;
	struct harness h;
	struct graph *g;
	const struct kernel_set *ks;
	double *each, whole, sum = 0;
	uint32_t i;

	harness_init(&h, TARGET_CPU_KERNELS);
	if (!file_map(path, &f) || !(g = graph_read(&h.arena, &h.diag,
						    diag_add_file(&h.diag, path, (const char *)f.data, f.size))))
		return 1;
	harness_graph(&h, path, g);
	if (!harness_build(&h) || !(ks = h.cases.data[0].ks))
		return 1;
	each = calloc(ks->launches.len, sizeof *each);
	whole = harness_time(&h, 0, 10, each);
	for (i = 0; i < ks->launches.len; i++) {
		const struct launch *l = &ks->launches.data[i];

		sum += each[i];
		printf("%4u %9.1f us %8.1f GFLOP/s %7.1f GB/s  %-40s %u x %u x %u\n", i, each[i] * 1e6,
		       (double)l->flops / each[i] * 1e-9, (double)l->bytes / each[i] * 1e-9, l->what, l->global[0],
		       l->global[1], l->global[2]);
	}
	printf("together %.1f us, one by one %.1f us; peak %.1f GFLOP/s\n", whole * 1e6, sum * 1e6, peak());
	free(each);
	harness_free(&h);
	file_unmap(&f);
	return 0;
}

int main(int argc, char **argv)
{
	struct harness h;
	uint32_t i, j;

	find_width();
	if (argc > 1 && strlen(argv[1]) > 3 && strcmp(argv[1] + strlen(argv[1]) - 3, ".ir") == 0)
		return graph_file(argv[1]);
	harness_init(&h, TARGET_CPU_KERNELS);
	add_cases(&h);
	for (i = j = 0; i < h.cases.len; i++)
		if (argc < 2 || strstr(h.cases.data[i].name, argv[1]))
			h.cases.data[j++] = h.cases.data[i];
	h.cases.len = j;
	if (!harness_build(&h)) {
		fprintf(stderr, "no OpenCL device, or the kernels could not be built\n");
		return 1;
	}
	printf("%-36s %10s %10s %10s %6s\n", "case", "ms", "GFLOP/s", "peak", "share");
	for (i = 0; i < h.cases.len; i++) {
		const struct kernel_set *ks = h.cases.data[i].ks;
		double top = peak(), s, rate;
		uint64_t flops = 0;

		for (j = 0; ks && j < ks->launches.len; j++)
			flops += ks->launches.data[j].flops;
		s = harness_time(&h, i, 25, NULL);
		if (s <= 0)
			continue;
		rate = (double)flops / s * 1e-9;
		printf("%-36s %10.3f %10.1f %10.1f %5.0f%%\n", h.cases.data[i].name, s * 1e3, rate, top, 100 * rate / top);
		fflush(stdout);
	}
	harness_free(&h);
	return 0;
}
