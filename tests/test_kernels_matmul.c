/* SPDX-License-Identifier: Apache-2.0 */
/* test_kernels_matmul.c - matrix products in every arrangement, over odd shapes. */
#include "config.h"

#include "kernel_harness.h"

#include <stdio.h>

/* x[m,k] times a constant that is stored in some type, with bias and relu. */
static void stored(struct harness *h, const char *type, int m, int n, int k)
{
	char name[64];

	snprintf(name, sizeof name, "constant matrix %d x %d x %d of %s", m, n, k, type);
	harness_textf(h, name,
		      "weights %s\n%%0 \"x\" = input f32[%d,%d]\n"
		      "%%1 = const f32[%d,%d] = random seed 3 mean 0.0 deviation 0.5 f32[%d,%d]\n"
		      "%%2 = const f32[%d] = random seed 5 mean 0.0 deviation 0.5 f32[%d]\n"
		      "%%3 = matmul(%%0, %%1, %%2; ) {trans_a = 0, trans_b = 0, alpha = 1.0} [relu(r0) f32] : f32[%d,%d]\n"
		      "output \"y\" %%3\n",
		      type, m, k, k, n, k, n, n, n, m, n);
}

static void constant(struct harness *h, int m, int n, int k)
{
	stored(h, "f32", m, n, k);
}

/* Two activations. */
static void batch(struct harness *h, const char *name, const char *a, const char *b, const char *attr, const char *out)
{
	harness_textf(h, name,
		      "%%0 \"a\" = input f32[%s]\n%%1 \"b\" = input f32[%s]\n"
		      "%%2 = matmul(%%0, %%1) {%s} : f32[%s]\noutput \"y\" %%2\n",
		      a, b, attr, out);
}

/* Heads side by side, as a product leaves them: products of two activations read them where they are. */
static void test_heads(struct harness *h)
{
	static const int rows[] = { 5, 37 };

	for (int i = 0; i < 2; i++) {
		int s = rows[i];
		struct harness_case *c = harness_textf(h, "scores of heads, mixed, and weighted sums, in place",
			"%%0 \"x\" = input f32[2,%d,108]\n%%1 = reshape(%%0) {shape = [2,%d,3,3,12]} : f32[2,%d,3,3,12]\n"
			"%%2 = map(;%%1 view 0 [%d,12,108,1]) [identity(i0) f32] : f32[2,3,%d,12]\n"
			"%%3 = map(;%%1 view 36 [%d,12,108,1]) [identity(i0) f32] : f32[2,3,%d,12]\n"
			"%%4 = map(;%%1 view 72 [%d,12,108,1]) [identity(i0) f32] : f32[2,3,%d,12]\n"
			"%%5 = matmul(%%2, %%3) {trans_a = 0, trans_b = 1, alpha = 0.3} : f32[2,3,%d,%d]\n"
			"%%6 = matmul(%%5, %%4) {trans_a = 0, trans_b = 0, alpha = 1.0} : f32[2,3,%d,12]\noutput \"y\" %%6\n",
			s, s, s, s * 108, s, s * 108, s, s * 108, s, s, s, s);
		struct kernel_set *ks = codegen_select(&h->arena, c->g, &h->target, &h->diag);

		harness_ok(ks && ks->launches.len == (h->target.kernels == TARGET_GPU_KERNELS ? 5 : 2), "nothing is moved");
		harness_textf(h, "a head turned that broadcasts, and one that somebody else reads",
			"%%0 \"a\" = input f32[%d,3,20]\n%%1 \"b\" = input f32[7,1,20]\n"
			"%%2 = transpose(%%0) {perm = [1,0,2]} : f32[3,%d,20]\n%%3 = transpose(%%1) {perm = [1,0,2]} : f32[1,7,20]\n"
			"%%4 = matmul(%%2, %%3) {trans_a = 0, trans_b = 1, alpha = 1.0} : f32[3,%d,7]\n"
			"%%5 = matmul(%%2, %%2) {trans_a = 1, trans_b = 0, alpha = 1.0} : f32[3,20,20]\n"
			"output \"y\" %%4\noutput \"z\" %%5\n", s, s, s);
		harness_textf(h, "rows turned that are columns",
			"%%0 \"a\" = input f32[%d,3,20]\n%%1 \"b\" = input f32[%d,3,7]\n"
			"%%2 = transpose(%%0) {perm = [1,0,2]} : f32[3,%d,20]\n%%3 = transpose(%%1) {perm = [1,0,2]} : f32[3,%d,7]\n"
			"%%4 = matmul(%%2, %%3) {trans_a = 1, trans_b = 0, alpha = 1.0} : f32[3,20,7]\noutput \"y\" %%4\n",
			s, s, s, s);
	}
}

static void products(struct harness *h)
{
	static const int m[] = { 1, 2, 3, 5, 8, 9, 17, 49 };
	static const int n[] = { 1, 7, 16, 17, 32, 33, 70 };
	unsigned i;

	for (i = 0; i < 8; i++)
		constant(h, m[i], n[(i * 3) % 7], 1 + (int)i * 13 % 40);
	constant(h, 1, 10, 301);
	constant(h, 1, 96, 64);
	constant(h, 16, 130, 8);
	/* more weights than a cache: tiles of a panel one after the other, each asks for a share of the next */
	constant(h, 9, 515, 131);
	constant(h, 21, 2111, 32);
	constant(h, 30, 75, 901);
	/* a last tile of fewer rows, one to seven */
	for (i = 0; i < 7; i++)
		constant(h, 193 + (int)i, n[i], 7 + (int)i);
	constant(h, 203, 24, 19);
	constant(h, 197, 515, 131);
	harness_text(h, "a last tile of fewer rows, an epilogue that is not short",
		     "%0 \"x\" = input f32[197,19]\n"
		     "%1 = const f32[19,45] = random seed 3 mean 0.0 deviation 0.5 f32[19,45]\n"
		     "%2 = matmul(%0, %1; ) {trans_a = 0, trans_b = 0, alpha = 1.0} [gelu(r0) f32] : f32[197,45]\n"
		     "output \"y\" %2\n");
	/* more rows than a cache: in blocks, of which the last is shorter */
	constant(h, 1203, 301, 290);
	stored(h, "f16", 1500, 400, 177);
	stored(h, "f16", 19, 270, 257);
	for (i = 0; i < 2; i++) {
		const char *type = i ? "bf16" : "f16";

		stored(h, type, 1, 77, 61);
		stored(h, type, 1, 16, 9);
		stored(h, type, 5, 33, 40);
		stored(h, type, 17, 7, 30);
		stored(h, type, 8, 130, 65);
	}
	harness_text(h, "batches of rows, trans_b, alpha, residual in place",
		     "%0 \"x\" = input f32[3,5,19]\n%1 \"r\" = input f32[3,5,40]\n"
		     "%2 = const f32[40,19] = random seed 3 mean 0.0 deviation 0.5 f32[40,19]\n"
		     "%3 = map(;%1) [abs(i0) f32] : f32[3,5,40]\n"
		     "%4 = matmul(%0, %2; %3) {trans_a = 0, trans_b = 1, alpha = 0.5} [add(r0, i0) f32, gelu(r1) f32] : "
		     "f32[3,5,40]\noutput \"y\" %4\n");
	harness_text(h, "trans_a with batches",
		     "%0 \"x\" = input f32[3,19,5]\n"
		     "%1 = const f32[19,40] = random seed 3 mean 0.0 deviation 0.5 f32[19,40]\n"
		     "%2 = matmul(%0, %1) {trans_a = 1, trans_b = 0, alpha = 1.0} : f32[3,5,40]\noutput \"y\" %2\n");
	harness_text(h, "epilogue over a column and the row's batch",
		     "%0 \"x\" = input f32[2,6,9]\n%1 \"s\" = input f32[2,1,1]\n%2 \"t\" = input f32[6,1]\n"
		     "%3 = const f32[9,21] = random seed 3 mean 0.0 deviation 0.5 f32[9,21]\n"
		     "%4 = matmul(%0, %3; %1, %2) {trans_a = 0, trans_b = 0, alpha = 1.0} [mul(r0, i0) f32, add(r1, i1) f32] "
		     ": f32[2,6,21]\noutput \"y\" %4\n");
	harness_text(h, "a source of halves is kept",
		     "%0 \"x\" = input f32[6,4]\n%1 = const f32[4,3] = memory f16[4,3] {1,2,3.5,4,5,6,7,65504,9,0.1,11,12}\n"
		     "%2 = matmul(%0, %1) {trans_a = 0, trans_b = 0, alpha = 1.0} : f32[6,3]\noutput \"y\" %2\n");
	harness_text(h, "a source of bfloat16 is kept, trans_b",
		     "%0 \"x\" = input f32[6,4]\n%1 = const f32[3,4] = memory bf16[3,4] hex 803f00406040cdbd4971cdbf00010080803fc0bf3040e040\n"
		     "%2 = matmul(%0, %1) {trans_a = 0, trans_b = 1, alpha = 1.0} : f32[6,3]\noutput \"y\" %2\n");
	harness_text(h, "constant of halves",
		     "%0 \"x\" = input f32[6,4]\n%1 = const f16[4,3] = memory f32[4,3] {1,2,3,4,5,6,7,8,9,10,11,12}\n"
		     "%2 = cast(%1) {dtype = 1} : f32[4,3]\n"
		     "%3 = matmul(%0, %2) {trans_a = 0, trans_b = 0, alpha = 1.0} : f32[6,3]\noutput \"y\" %3\n");
	batch(h, "two activations", "13,7", "7,45", "trans_a = 0, trans_b = 0, alpha = 1.0", "13,45");
	batch(h, "heads", "2,3,11,16", "2,3,11,16", "trans_a = 0, trans_b = 1, alpha = 0.25", "2,3,11,11");
	batch(h, "heads of odd sizes", "2,13,37", "2,51,37", "trans_a = 0, trans_b = 1, alpha = 0.25", "2,13,51");
	batch(h, "batches broadcast both ways", "4,1,9,5", "3,5,33", "trans_a = 0, trans_b = 0, alpha = 1.0", "4,3,9,33");
	batch(h, "both transposed", "2,5,9", "2,33,5", "trans_a = 1, trans_b = 1, alpha = 1.0", "2,9,33");
	batch(h, "many rows", "200,10", "10,20", "trans_a = 0, trans_b = 0, alpha = 1.0", "200,20");
	batch(h, "one row", "1,10", "10,3", "trans_a = 0, trans_b = 0, alpha = 1.0", "1,3");
	test_heads(h);
	harness_text(h, "constant on the left, and a batch of constants",
		     "%0 \"x\" = input f32[7,9]\n%1 \"z\" = input f32[3,4,7]\n"
		     "%2 = const f32[5,7] = random seed 3 mean 0.0 deviation 0.5 f32[5,7]\n"
		     "%3 = const f32[3,7,6] = random seed 4 mean 0.0 deviation 0.5 f32[3,7,6]\n"
		     "%4 = matmul(%2, %0) {trans_a = 0, trans_b = 0, alpha = 1.0} : f32[5,9]\n"
		     "%5 = matmul(%1, %3) {trans_a = 0, trans_b = 0, alpha = 1.0} : f32[3,4,6]\n"
		     "output \"y\" %4\noutput \"u\" %5\n");
}

int main(void)
{
	struct harness h;

	harness_init(&h, TARGET_CPU_KERNELS);
	products(&h);
	h.target.kernels = TARGET_GPU_KERNELS;
	products(&h);
	return harness_run(&h);
}
