/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bench_kernels.c - each kernel as a share of what this machine can do: of its
 * multiply-add peak or of the rate at which its cores read as many bytes as the
 * kernel touches, whichever allows less; both measured in the same process
 * just before each kernel, through OpenCL and as native code. Beside the rate
 * of reading stands that of copying, half of the bytes read and half written:
 * what writes as much as it reads cannot be faster than that.
 *
 *	bench_kernels [-n|-o|-1] [WORD]   only native code, only OpenCL; only cases
 *	                                  whose name contains WORD
 *	-1: only native code on one thread, in its processor time: what a busy
 *	machine can still say
 *	bench_kernels [-n|-1] FILE.ir  the launches of a graph, as edgec
 *	                               --emit=graph prints it, one by one
 */
#include "config.h"

#include "kernel_harness.h"
#include "quant_blocks.h"

#include "base/file.h"
#include "codegen/activations.h"
#include "codegen/native.h"
#include "device/isa.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

static bool one_thread;

static double now(void)
{
	struct timespec t;

	clock_gettime(one_thread ? CLOCK_PROCESS_CPUTIME_ID : CLOCK_MONOTONIC, &t);
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
#ifdef __clang__
#define TARGET(x) __attribute__((noinline, target(x)))
#else
#define TARGET(x) __attribute__((noinline, optimize("O2", "fp-contract=fast"), target(x)))
#endif
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

struct job {
	const float *from; /* NULL: multiply and add */
	float *to;         /* NULL: only read */
	size_t count;      /* floats, a multiple of 64 */
	int rounds;
	float result;
};

#define READ(name, attribute, width)                                                               \
	attribute static float name(const float *p, size_t n)                                      \
	{                                                                                          \
		typedef float lanes __attribute__((vector_size(4 * width), aligned(4)));           \
		lanes s0 = { 0 }, s1 = s0, s2 = s0, s3 = s0;                                       \
												   \
		for (size_t i = 0; i < n; i += 4 * width) {                                        \
			s0 += *(const lanes *)(p + i), s1 += *(const lanes *)(p + i + width);      \
			s2 += *(const lanes *)(p + i + 2 * width), s3 += *(const lanes *)(p + i + 3 * width); \
		}                                                                                  \
		s0 += s1 + s2 + s3;                                                                \
		return s0[0] + s0[width - 1];                                                      \
	}

#ifdef __x86_64__
READ(read16, TARGET("avx512f"), 16)
READ(read8, TARGET("avx2"), 8)
#endif
READ(read4, __attribute__((noinline)), 4)

static float read_once(const float *p, size_t n)
{
#ifdef __x86_64__
	if (width == 16)
		return read16(p, n);
	if (width == 8)
		return read8(p, n);
#endif
	return read4(p, n);
}

#define COPY(name, attribute, width)                                                               \
	attribute static void name(float *to, const float *p, size_t n)                            \
	{                                                                                          \
		typedef float lanes __attribute__((vector_size(4 * width), aligned(4)));           \
												   \
		for (size_t i = 0; i < n; i += 2 * width) {                                        \
			*(lanes *)(to + i) = *(const lanes *)(p + i);                              \
			*(lanes *)(to + i + width) = *(const lanes *)(p + i + width);              \
		}                                                                                  \
	}

#ifdef __x86_64__
COPY(copy16, TARGET("avx512f"), 16)
COPY(copy8, TARGET("avx2"), 8)
#endif
COPY(copy4, __attribute__((noinline)), 4)

static void copy_once(float *to, const float *p, size_t n)
{
#ifdef __x86_64__
	if (width == 16) {
		copy16(to, p, n);
		return;
	}
	if (width == 8) {
		copy8(to, p, n);
		return;
	}
#endif
	copy4(to, p, n);
}

static void *worker(void *arg)
{
	struct job *j = arg;

	if (!j->from)
		j->result = multiply_add();
	for (int i = 0; j->from && i < j->rounds; i++)
		if (j->to)
			copy_once(j->to, j->from, j->count);
		else
			j->result += read_once(j->from, j->count);
	return NULL;
}

/* Seconds that the jobs take side by side, the best of three. */
static double side_by_side(struct job *job, long threads)
{
	pthread_t *t = calloc((size_t)threads, sizeof *t);
	double best = 0, s;

	for (int j = 0; j < 3; j++) {
		s = now();
		for (long i = 0; i < threads; i++)
			pthread_create(&t[i], NULL, worker, &job[i]);
		for (long i = 0; i < threads; i++)
			pthread_join(t[i], NULL);
		s = now() - s;
		best = j == 0 || s < best ? s : best;
	}
	free(t);
	return best;
}

/* FLOP/s of all cores. */
static double peak(void)
{
	long threads = one_thread ? 1 : sysconf(_SC_NPROCESSORS_ONLN);
	struct job *job = calloc((size_t)threads, sizeof *job);
	double s = side_by_side(job, threads);

	free(job);
	return (double)threads * ROUNDS * SUMS * 2 * width / s;
}

/*
 * Bytes/s at which all cores read `bytes` again and again, or copy one half of them to the other: from a cache
 * where they fit into one.
 */
static double memory_rate(uint64_t bytes, bool copy)
{
	long threads = one_thread ? 1 : sysconf(_SC_NPROCESSORS_ONLN);
	size_t each = (bytes / (size_t)threads / 512 + 1) * 128; /* floats */
	int rounds = (int)(((size_t)32 << 20) / (each * sizeof(float))) + 1;
	struct job *job = calloc((size_t)threads, sizeof *job);
	float *data = calloc(each * (size_t)threads, sizeof *data);
	double s;

	for (size_t i = 0; i < each * (size_t)threads; i++)
		data[i] = (float)(i & 7);
	for (long i = 0; i < threads; i++) {
		float *from = data + each * (size_t)i;

		job[i] = (struct job){ from, copy ? from + each / 2 : NULL, copy ? each / 2 : each, rounds, 0 };
	}
	s = side_by_side(job, threads);
	free(data);
	free(job);
	return (double)(each * sizeof(float)) * (double)threads * rounds / s;
}

static void matmul_of(struct harness *h, const char *type, int m, int n, int k)
{
	char name[64];

	snprintf(name, sizeof name, "matmul %d x %d x %d %s", m, n, k, type);
	harness_textf(h, name,
		      "weights %s\n%%0 \"x\" = input f32[%d,%d]\n"
		      "%%1 = const f32[%d,%d] = random seed 3 mean 0.0 deviation 0.5 f32[%d,%d]\n"
		      "%%2 = const f32[%d] = random seed 5 mean 0.0 deviation 0.5 f32[%d]\n"
		      "%%3 = matmul(%%0, %%1, %%2) {trans_a = 0, trans_b = 0, alpha = 1.0} : f32[%d,%d]\n"
		      "output \"y\" %%3\n",
		      type, m, k, k, n, k, n, n, n, m, n);
}

static void matmul(struct harness *h, int m, int n, int k)
{
	matmul_of(h, "f32", m, n, k);
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

static void attention(struct harness *h, int heads, int sq, int sk, int d, bool causal)
{
	char name[64];

	snprintf(name, sizeof name, "attention %d x %d x %d x %d%s", heads, sq, sk, d, causal ? " causal" : "");
	harness_textf(h, name,
		      "%%0 \"q\" = input f32[1,%d,%d,%d]\n%%1 \"k\" = input f32[1,%d,%d,%d]\n%%2 \"v\" = input f32[1,%d,%d,%d]\n"
		      "%%3 = attention(%%0, %%1, %%2, _) {causal = %d, scale = 0.125} : f32[1,%d,%d,%d]\noutput \"y\" %%3\n",
		      heads, sq, d, heads, sk, d, heads, sk, d, causal, heads, sq, d);
}

/* The same as three operations. */
static void spelt(struct harness *h, int heads, int sq, int sk, int d)
{
	char name[64];

	snprintf(name, sizeof name, "spelt attention %d x %d x %d x %d", heads, sq, sk, d);
	harness_textf(h, name,
		      "%%0 \"q\" = input f32[1,%d,%d,%d]\n%%1 \"k\" = input f32[1,%d,%d,%d]\n%%2 \"v\" = input f32[1,%d,%d,%d]\n"
		      "%%3 = matmul(%%0, %%1) {trans_a = 0, trans_b = 1, alpha = 0.125} : f32[1,%d,%d,%d]\n"
		      "%%4 = softmax(%%3) {axis = 3} : f32[1,%d,%d,%d]\n"
		      "%%5 = matmul(%%4, %%2) {trans_a = 0, trans_b = 0, alpha = 1.0} : f32[1,%d,%d,%d]\noutput \"y\" %%5\n",
		      heads, sq, d, heads, sk, d, heads, sk, d, heads, sq, sk, heads, sq, sk, heads, sq, d);
}

static void batch(struct harness *h, int heads, int m, int n, int k)
{
	char name[64];

	snprintf(name, sizeof name, "batched matmul %d x %d x %d x %d", heads, m, n, k);
	harness_textf(h, name,
		      "%%0 \"a\" = input f32[%d,%d,%d]\n%%1 \"b\" = input f32[%d,%d,%d]\n"
		      "%%2 = matmul(%%0, %%1) {trans_a = 0, trans_b = 1, alpha = 1.0} : f32[%d,%d,%d]\noutput \"y\" %%2\n",
		      heads, m, k, heads, n, k, heads, m, n);
}

static void norm(struct harness *h, int rows, int n)
{
	char name[64];

	snprintf(name, sizeof name, "layer_norm %d x %d", rows, n);
	harness_textf(h, name,
		      "%%0 \"x\" = input f32[%d,%d]\n"
		      "%%1 = const f32[%d] = random seed 3 mean 1.0 deviation 0.5 f32[%d]\n"
		      "%%2 = const f32[%d] = random seed 5 mean 0.0 deviation 0.5 f32[%d]\n"
		      "%%3 = layer_norm(%%0, %%1, %%2) {axis = 1, eps = 1e-05} : f32[%d,%d]\noutput \"y\" %%3\n",
		      rows, n, n, n, n, n, rows, n);
}

static void softmax(struct harness *h, int rows, int n)
{
	char name[64];

	snprintf(name, sizeof name, "softmax %d x %d", rows, n);
	harness_textf(h, name,
		      "%%0 \"x\" = input f32[%d,%d]\n%%1 = softmax(%%0) {axis = 1} : f32[%d,%d]\noutput \"y\" %%1\n", rows, n,
		      rows, n);
}

static void transpose(struct harness *h, int rows, int n)
{
	char name[64];

	snprintf(name, sizeof name, "transpose %d x %d", rows, n);
	harness_textf(h, name,
		      "%%0 \"x\" = input f32[%d,%d]\n%%1 = transpose(%%0) {perm = [1,0]} : f32[%d,%d]\noutput \"y\" %%1\n", rows,
		      n, n, rows);
}

static void gelu(struct harness *h, int n)
{
	char name[64];

	snprintf(name, sizeof name, "gelu %d", n);
	harness_textf(h, name, "%%0 \"x\" = input f32[%d]\n%%1 = map(;%%0) [gelu(i0) f32] : f32[%d]\noutput \"y\" %%1\n", n, n);
}

/* Weights in few bits, and rows as floats or in 8 bits; a matrix that no cache holds is read at the rate of the memory. */
static void quantised(struct harness *h, enum dtype t, int m, int n, int k, enum activations rows)
{
	struct graph *g = graph_new(&h->arena, "g");
	struct shape s = { 2, { n, k } };
	value_id in[2] = { graph_add_input(g, "x", DTYPE_F32, (struct shape){ 2, { m, k } }),
			   graph_add_const(g, "w", DTYPE_F32, s, quant_random_data(&h->arena, t, s, 7)) };

	graph_add_output(g, graph_op(g, &h->diag, OP_matmul, in, 2, (struct attr[]){ attr_int(trans_b, 1) }, 1, NO_SPAN, NULL),
			 "y");
	activations_quantize(g, rows, &h->target, NO_SPAN, NULL);
	harness_graph(h, arena_printf(&h->arena, "quant %d x %d x %d %s%s", m, n, k, dtype_name(t),
				      rows == ACTIVATIONS_INT8 ? " rows in 8 bits" : ""), g);
}

/* Sizes of networks, and beside each some that divide by nothing. */
static void add_cases(struct harness *h)
{
	static const int product[][3] = {
		{ 1024, 1024, 1024 }, { 1023, 1025, 1021 }, { 128, 768, 768 }, { 127, 769, 767 }, { 128, 2304, 768 },
		{ 128, 3072, 768 }, { 128, 768, 3072 }, { 197, 768, 768 }, { 197, 771, 3077 }, { 64, 512, 512 },
		{ 65, 513, 511 }, { 100, 700, 300 }, { 77, 333, 555 }, { 67, 50, 1000 }, { 1500, 77, 99 }, { 13, 768, 768 },
	};
	static const int vector[][2] = { { 1000, 1024 }, { 4096, 4096 }, { 4099, 4097 }, { 3073, 769 }, { 50257, 768 } };
	static const int image[][6] = { /* size, in, out, kernel, stride, group */
		{ 56, 64, 64, 3, 1, 1 }, { 55, 63, 65, 3, 1, 1 }, { 28, 128, 128, 3, 1, 1 }, { 14, 256, 256, 3, 1, 1 },
		{ 13, 255, 257, 3, 1, 1 }, { 56, 64, 256, 1, 1, 1 }, { 57, 67, 131, 1, 1, 1 }, { 55, 16, 64, 3, 1, 1 },
		{ 32, 16, 16, 3, 1, 1 }, { 31, 17, 19, 3, 1, 1 }, { 56, 64, 128, 3, 2, 1 }, { 44, 48, 48, 1, 1, 1 },
		{ 43, 24, 40, 1, 1, 1 }, { 224, 3, 64, 3, 2, 1 }, { 224, 3, 64, 7, 2, 1 }, { 29, 33, 47, 5, 1, 1 },
		{ 56, 64, 64, 3, 1, 4 }, { 56, 96, 96, 3, 1, 96 }, { 44, 24, 24, 5, 1, 24 }, { 27, 75, 75, 3, 2, 75 },
		{ 112, 32, 32, 3, 1, 32 },
	};

	for (unsigned i = 0; i < sizeof product / sizeof *product; i++)
		matmul(h, product[i][0], product[i][1], product[i][2]);
	matmul_of(h, "f16", 128, 768, 768);
	matmul_of(h, "bf16", 128, 768, 768);
	for (unsigned i = 0; i < sizeof vector / sizeof *vector; i++) {
		matmul_of(h, "f32", 1, vector[i][0], vector[i][1]);
		matmul_of(h, "f16", 1, vector[i][0], vector[i][1]);
		matmul_of(h, "bf16", 1, vector[i][0], vector[i][1]);
	}
	for (unsigned i = 0; i < sizeof image / sizeof *image; i++)
		conv(h, image[i][0], image[i][1], image[i][2], image[i][3], image[i][4], image[i][5]);
	batch(h, 12, 197, 197, 64);
	batch(h, 7, 65, 131, 33);
	attention(h, 12, 197, 197, 64, false);
	spelt(h, 12, 197, 197, 64);
	attention(h, 16, 1500, 1500, 64, false);
	spelt(h, 16, 1500, 1500, 64);
	attention(h, 12, 128, 128, 64, true);
	norm(h, 197, 768);
	norm(h, 1501, 1023);
	softmax(h, 2364, 197);
	softmax(h, 20000, 2);
	softmax(h, 3000, 5);
	transpose(h, 3, 50176);
	transpose(h, 50176, 3);
	transpose(h, 768, 197);
	gelu(h, 605184);
	for (int i = 0; i < 2; i++) {
		const enum activations rows = i ? ACTIVATIONS_INT8 : ACTIVATIONS_F32;

		for (enum dtype t = DTYPE_Q8_0; t < DTYPE_GROUPED; t++) {
			quantised(h, t, 1, 8192, 11008, rows);
			quantised(h, t, 128, 768, 768, rows);
		}
		quantised(h, block_grouped(3, 32, false), 1, 8192, 11008, rows);
		quantised(h, block_grouped(6, 32, false), 1, 8192, 11008, rows);
		quantised(h, DTYPE_Q8_0, 128, 2048, 5632, rows);
		quantised(h, DTYPE_Q4_0, 128, 2048, 5632, rows);
		quantised(h, DTYPE_Q4_0, 4, 8192, 11008, rows);
	}
}

static bool build(struct harness *h, bool native)
{
	const char *what = "OpenCL";

	if (native ? harness_build_native(h, &what) : harness_build(h)) {
		printf("# %s\n", what);
		return true;
	}
	fprintf(stderr, "%s\n", native ? what : "no OpenCL device, or the kernels could not be built");
	return false;
}

static int graph_file(const char *path, bool native)
{
	struct mapped_file f;
	struct harness h;
	struct graph *g;
	const struct kernel_set *ks;
	double *each, whole, sum = 0;
	uint32_t i;

	harness_init(&h, TARGET_CPU_KERNELS);
	h.one_thread = one_thread;
	if (!file_map(path, &f) || !(g = graph_read(&h.arena, &h.diag,
						    diag_add_file(&h.diag, path, (const char *)f.data, f.size))))
		return 1;
	harness_graph(&h, path, g);
	if (!build(&h, native) || !(ks = h.cases.data[0].ks))
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
	printf("together %.1f us, one by one %.1f us; peak %.1f GFLOP/s\n", whole * 1e6, sum * 1e6, peak() * 1e-9);
	free(each);
	harness_free(&h);
	file_unmap(&f);
	return 0;
}

static void one_case(struct harness *h, uint32_t i)
{
	const struct kernel_set *ks = h->cases.data[i].ks;
	double top = peak(), rate, copy, s, compute, memory;
	uint64_t flops = 0, bytes = 0;

	for (uint32_t j = 0; ks && j < ks->launches.len; j++) {
		flops += ks->launches.data[j].flops;
		bytes += ks->launches.data[j].bytes;
	}
	rate = memory_rate(bytes, false);
	copy = memory_rate(bytes, true);
	s = harness_time(h, i, 25, NULL);
	if (s <= 0)
		return;
	compute = (double)flops / top;
	memory = (double)bytes / rate;
	printf("%-40s %10.4f %9.1f %9.1f %6.0f%% of %s", h->cases.data[i].name, s * 1e3, (double)flops / s * 1e-9,
	       (double)bytes / s * 1e-9, 100 * (compute > memory ? compute : memory) / s,
	       compute > memory ? "peak" : "read rate");
	if (compute <= memory)
		printf(", %.0f%% of copying", 100 * (double)bytes / copy / s);
	printf("\n");
	fflush(stdout);
}

static bool table(struct harness *h, bool native)
{
	if (!build(h, native))
		return false;
	printf("%-40s %10s %9s %9s %6s\n", "case", "ms", "GFLOP/s", "GB/s", "share");
	for (uint32_t i = 0; i < h->cases.len; i++)
		one_case(h, i);
	return true;
}

int main(int argc, char **argv)
{
	bool native = true, opencl = true, done;
	struct harness h;
	uint32_t i, j;

	find_width();
	if (isa_supported(NATIVE_X86_64_V4_VNNI)) /* as plans would */
		setenv("HARNESS_ISA", native_isa_name(NATIVE_X86_64_V4_VNNI), 0);
	if (argc > 1 && (!strcmp(argv[1], "-n") || !strcmp(argv[1], "-o") || !strcmp(argv[1], "-1"))) {
		*(argv[1][1] == 'o' ? &native : &opencl) = false;
		one_thread = argv[1][1] == '1';
		argv++;
		argc--;
	}
	if (argc > 1 && strlen(argv[1]) > 3 && strcmp(argv[1] + strlen(argv[1]) - 3, ".ir") == 0)
		return graph_file(argv[1], !opencl);
	harness_init(&h, TARGET_CPU_KERNELS);
	h.one_thread = one_thread;
	add_cases(&h);
	for (i = j = 0; i < h.cases.len; i++)
		if (argc < 2 || strstr(h.cases.data[i].name, argv[1]))
			h.cases.data[j++] = h.cases.data[i];
	h.cases.len = j;
	done = opencl && table(&h, false);
	done |= native && table(&h, true);
	harness_free(&h);
	return !done;
}
