/* SPDX-License-Identifier: Apache-2.0 */
/* test_codegen.c - what the code generator promises besides right results. */
#include "config.h"

#include "codegen/codegen.h"
#include "codegen/signature.h"
#include "embedded.h"
#include "kernel_harness.h"
#include "tap.h"

#include "edge/plan_format.h"

#include <stdlib.h>
#include <string.h>

static const char two_layers[] =
	"%0 \"x\" = input f32[17,28]\n"
	"%1 = const f32[28,28] = random seed 3 mean 0.0 deviation 0.5 f32[28,28]\n"
	"%2 = const f32[28,60] = random seed 4 mean 0.0 deviation 0.5 f32[28,60]\n"
	"%3 = const f32[28] = random seed 5 mean 0.0 deviation 0.5 f32[28]\n"
	"%4 = const f32[60] = random seed 6 mean 0.0 deviation 0.5 f32[60]\n"
	"%5 = matmul(%0, %1, %3;) {trans_a = 0, trans_b = 0, alpha = 1.0} [relu(r0) f32] : f32[17,28]\n"
	"%6 = matmul(%5, %2, %4;) {trans_a = 0, trans_b = 0, alpha = 1.0} [relu(r0) f32] : f32[17,60]\n"
	"%7 = reshape(%6) {shape = [1020]} : f32[1020]\n"
	"%8 = map(;%7) [exp(i0) f32] : f32[1020]\n"
	"output \"y\" %8\n";

static void test_sharing(struct harness *h)
{
	struct harness_case *c = harness_text(h, "layers", two_layers);
	struct kernel_set *a = codegen_select(&h->arena, c->g, &h->target, &h->diag);
	struct kernel_set *b = codegen_select(&h->arena, c->g, &h->target, &h->diag);
	bool same = a && b && a->kernels.len == b->kernels.len && a->launches.len == b->launches.len;
	uint32_t i;

	if (!tap_ok(a && b, "a graph of two layers is selected"))
		return;
	tap_ok(a->kernels.len == 2 && a->launches.len == 3, "layers of different sizes share a kernel (%u kernels)",
	       a->kernels.len);
	for (i = 0; same && i < a->kernels.len; i++)
		same = strcmp(a->kernels.data[i].name, b->kernels.data[i].name) == 0 &&
		       strcmp(a->kernels.data[i].source, b->kernels.data[i].source) == 0;
	tap_ok(same, "selecting twice gives the same kernels");
	tap_ok(a->alias[7] == 6 && a->alias[6] == 6, "a reshape is its input's bytes");
	tap_ok(a->launches.data[2].in_place_of == 7, "a map takes the place of an input that dies");
	tap_ok(a->launches.data[1].split_dim == 0 && a->launches.data[1].global[0] == 2,
	       "a product splits along its panels");
	tap_ok(codegen_check(&h->arena, a, &h->diag), "the kernels pass the check");
}

/* The text reader must agree with libclang, where there is one. */
static void test_signature(struct harness *h)
{
	struct harness_case *c = &h->cases.data[0];
	struct kernel_set *ks = codegen_select(&h->arena, c->g, &h->target, &h->diag);
	bool good = ks && codegen_check(&h->arena, ks, &h->diag);
	uint32_t i, k;

	for (i = 0; good && i < ks->kernels.len; i++) {
		struct kernel copy = ks->kernels.data[i];

		good = signature_read(&h->arena, &copy) && copy.param_count == ks->kernels.data[i].param_count;
		for (k = 0; good && k < copy.param_count; k++)
			good = copy.param[k].kind == ks->kernels.data[i].param[k].kind &&
			       copy.param[k].access == ks->kernels.data[i].param[k].access &&
			       strcmp(copy.param[k].name, ks->kernels.data[i].param[k].name) == 0;
	}
	tap_ok(good, "the signature in the text is that of the syntax tree");
}

/* Every template has a signature that can be read with its defaults. */
static void test_templates(struct harness *h)
{
	bool good = true;
	unsigned i;

	for (i = 0; i < kernel_file_count; i++) {
		const char *name = kernel_files[i].name, *dot = strrchr(name, '.');
		struct kernel k = { .name = name };

		if (!dot || strcmp(dot, ".cl") != 0)
			continue;
		k.source = arena_printf(&h->arena, "#define EDGE_OUT __global float *out, const int out_n\n%s",
					kernel_files[i].text);
		if (!signature_read(&h->arena, &k)) {
			printf("# %s has no readable signature\n", name);
			good = false;
		}
	}
	tap_ok(good, "every template keeps to the form that the text reader needs");
}

static void test_errors(struct harness *h)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct harness_case *c = harness_text(h, "run-time weights",
					      "%0 \"x\" = input f32[1,5,5,3]\n%1 \"w\" = input f32[4,3,3,3]\n"
					      "%2 = conv(%0, %1) \"first\" {strides = [1,1], pads = [0,0,0,0], "
					      "dilations = [1,1], group = 1} : f32[1,3,3,4]\noutput \"y\" %2\n");
	struct kernel_set *ks;

	h->diag.out = out;
	ks = c->g ? codegen_select(&h->arena, c->g, &h->target, &h->diag) : NULL;
	fflush(out);
	h->diag.out = stderr;
	tap_ok(c->g && !ks && text && strstr(text, "no kernel for operation \"conv\" of node \"first\""),
	       "what has no kernel is refused by operation and node");
	fclose(out);
	free(text);
}

/* Bytes of panels, padded. */
static void test_packing(struct harness *h)
{
	static const float w[6] = { 1, 2, 3, 4, 5, 6 }; /* [K 2][N 3] */
	struct graph *g = graph_new(&h->arena, "w");
	struct weight p = { .packing = { .kind = PACK_PANELS, .dtype = DTYPE_F32, .width = 2 }, .bytes = 32,
			    .granule_bytes = 16, .granules = 2 };
	static const float want[8] = { 1, 2, 4, 5, 3, 0, 6, 0 };
	float got[8];

	p.value = graph_add_const_bytes(g, DTYPE_F32, (struct shape){ 2, { 2, 3 } }, w);
	tap_ok(pack_weight(g, &p, got, &h->diag) && memcmp(got, want, sizeof want) == 0,
	       "panels lie one after the other, the last one padded with zeros");
}

/* [N 3][K 2], turned: what the source has as halves is packed as halves, NaNs with their bits. */
static void test_packing_halves(struct harness *h)
{
	static const uint16_t w[6] = { 0x3c00, 0x7e01, 0x0001, 0xfc00, 0x4500, 0x8000 };
	static const uint16_t want[8] = { 0x3c00, 0x0001, 0x7e01, 0xfc00, 0x4500, 0, 0x8000, 0 };
	static const enum dtype type[2] = { DTYPE_F16, DTYPE_BF16 };

	for (int i = 0; i < 4; i++) {
		struct graph *g = graph_new(&h->arena, "w");
		bool turned = i >= 2; /* by the recipe, not by the packing */
		struct data d = { .where = DATA_MEMORY, .source_dtype = type[i % 2], .source_shape = { 2, { 3, 2 } },
				  .perm_set = turned, .perm = { 1, 0 }, .bytes = w };
		struct weight p = { .packing = { .kind = PACK_PANELS, .dtype = type[i % 2], .width = 2, .transposed = !turned },
				    .bytes = 16, .granule_bytes = 8, .granules = 2 };
		uint16_t got[8];

		p.value = graph_add_const(g, "w", DTYPE_F32, (struct shape){ 2, { turned ? 2 : 3, turned ? 3 : 2 } }, d);
		tap_ok(pack_weight(g, &p, got, &h->diag) && memcmp(got, want, sizeof want) == 0, "panels of the source's own %s%s",
		       dtype_name(type[i % 2]), turned ? ", turned" : "");
	}
}

/* One matrix and one table, in fewer bits where that is wished or where the source has them so. */
static void test_storage(struct harness *h)
{
	static const char text[] = "%0 \"i\" = input i64[3]\n%1 = const f32[9,8] = random seed 3 mean 0.0 deviation 1.0 f32[9,8]\n"
				   "%2 = gather(%1, %0) {axis = 0} : f32[3,8]\n"
				   "%3 = const f32[8,2] = memory f16[8,2] {1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16}\n"
				   "%4 = matmul(%2, %3) {trans_a = 0, trans_b = 0, alpha = 1.0} : f32[3,2]\noutput \"y\" %4\n";
	static const enum dtype wish[4] = { 0, DTYPE_F32, DTYPE_F16, DTYPE_BF16 };
	static const enum dtype table[4] = { DTYPE_F32, DTYPE_F32, DTYPE_F16, DTYPE_BF16 };
	static const enum dtype matrix[4] = { DTYPE_F16, DTYPE_F32, DTYPE_F16, DTYPE_BF16 };

	for (int i = 0; i < 4; i++) {
		struct harness_case *c = harness_text(h, "storage", text);
		struct kernel_set *ks;

		c->g->weight_storage = wish[i];
		ks = codegen_select(&h->arena, c->g, &h->target, &h->diag);
		tap_ok(ks && ks->weights.len == 2 && ks->weights.data[0].packing.dtype == table[i] &&
			       ks->weights.data[1].packing.dtype == matrix[i] &&
			       ks->weights.data[0].bytes == 72 * dtype_size(table[i]) && codegen_check(&h->arena, ks, &h->diag),
		       "weights stored as %s", wish[i] ? dtype_name(wish[i]) : "their source has them");
	}
}

static void test_too_large(struct harness *h)
{
	static const float w[2] = { 1, -70000 };
	struct graph *g = graph_new(&h->arena, "w");
	struct weight p = { .packing = { .kind = PACK_DENSE, .dtype = DTYPE_F16 }, .bytes = 4, .granule_bytes = 4,
			    .granules = 1 };
	FILE *nothing = fopen("/dev/null", "w");
	uint16_t got[2];

	p.value = graph_add_const_bytes(g, DTYPE_F32, (struct shape){ 1, { 2 } }, w);
	h->diag.out = nothing;
	tap_ok(!pack_weight(g, &p, got, &h->diag), "what f16 cannot hold is an error");
	h->diag.out = stderr;
	p.packing.dtype = DTYPE_BF16;
	tap_ok(pack_weight(g, &p, got, &h->diag) && got[0] == 0x3f80 && got[1] == 0xc789, "bf16 can, rounded to nearest");
	fclose(nothing);
}

int main(void)
{
	struct harness h;

	harness_init(&h, TARGET_CPU_KERNELS);
	test_sharing(&h);
	test_signature(&h);
	test_templates(&h);
	test_errors(&h);
	test_packing_halves(&h);
	test_packing(&h);
	test_storage(&h);
	test_too_large(&h);
	arena_release(&h.arena);
	return tap_done();
}
