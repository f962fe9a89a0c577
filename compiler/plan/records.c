/* SPDX-License-Identifier: Apache-2.0 */
/*
 * records.c - sections being filled: records, strings, kernels.
 *
 * Strings are stored once. A native plan has programs and kernels too, with
 * machine code for each instruction set instead of a text.
 */
#include "config.h"

#include "plan/records.h"

#include "codegen/native.h"

#include <string.h>

_Static_assert((int)NATIVE_X86_64_V3 == EDGE_ISA_X86_64_V3 && (int)NATIVE_X86_64_V4 == EDGE_ISA_X86_64_V4 &&
		       (int)NATIVE_AARCH64 == EDGE_ISA_AARCH64 && (int)NATIVE_X86_64_V4_VNNI == EDGE_ISA_X86_64_V4_VNNI, "instruction sets");

static const uint32_t kinds[SECTION_COUNT][2] = {
	{ EDGE_SECTION_META, sizeof(struct edge_meta) },
	{ EDGE_SECTION_STRINGS, 1 },
	{ EDGE_SECTION_REGIONS, sizeof(struct edge_region) },
	{ EDGE_SECTION_BUFFERS, sizeof(struct edge_buffer) },
	{ EDGE_SECTION_PROGRAMS, sizeof(struct edge_program) },
	{ EDGE_SECTION_KERNELS, sizeof(struct edge_kernel) },
	{ EDGE_SECTION_PARAMS, sizeof(struct edge_param) },
	{ EDGE_SECTION_STEPS, sizeof(struct edge_step) },
	{ EDGE_SECTION_ARGS, sizeof(struct edge_arg) },
	{ EDGE_SECTION_TENSORS, sizeof(struct edge_tensor) },
	{ EDGE_SECTION_MODELS, sizeof(struct edge_model) },
	{ EDGE_SECTION_CHUNKS, sizeof(struct edge_chunk) },
	{ EDGE_SECTION_READS, sizeof(struct edge_read) },
	{ EDGE_SECTION_CODE, sizeof(struct edge_code) },
	{ EDGE_SECTION_ENTRIES, sizeof(uint64_t) },
	{ EDGE_SECTION_LOOKUPS, sizeof(struct edge_lookup) },
	{ EDGE_SECTION_LOADS, sizeof(struct edge_load) },
	{ EDGE_SECTION_TRAIN, sizeof(struct edge_train) },
	{ EDGE_SECTION_VIEWS, sizeof(struct edge_view) },
	{ EDGE_SECTION_POINTS, sizeof(struct edge_point) },
	{ EDGE_SECTION_EVENTS, sizeof(struct edge_event) },
	{ EDGE_SECTION_ROLES, sizeof(struct edge_role) },
	{ EDGE_SECTION_GENERATE, sizeof(struct edge_generate) },
	{ EDGE_SECTION_VARIANTS, sizeof(struct edge_variant) },
	{ EDGE_SECTION_STEP_VARIANTS, sizeof(uint32_t) },
	{ EDGE_SECTION_BLOCKS, 1 },
	{ EDGE_SECTION_TOKENIZER, 1 },
	{ EDGE_SECTION_DEBUG, sizeof(struct edge_debug) },
	{ EDGE_SECTION_LIFETIMES, sizeof(struct edge_lifetime) },
	{ EDGE_SECTION_NOTES, sizeof(struct edge_note) },
};

void records_begin(struct records *r, struct arena *a, struct sections *x, struct diag *d)
{
	*r = (struct records){ .a = a, .x = x, .d = d };
	for (uint32_t i = 0; i < SECTION_COUNT; i++)
		x->section[i] = (struct section){ kinds[i][0], kinds[i][1], { 0 } };
	strbuf_add(&x->section[SECTION_STRINGS].bytes, "", 1);
}

bool records_end(struct records *r)
{
	if (r->x->section[SECTION_STRINGS].bytes.len <= UINT32_MAX)
		return true;
	diag_error(r->d, NO_SPAN, "the plan's texts are longer than 4 GiB");
	return false;
}

void records_put(struct records *r, enum section_index i, const void *record)
{
	strbuf_add(&r->x->section[i].bytes, record, kinds[i][1]);
}

uint32_t records_string(struct records *r, const char *s)
{
	struct strbuf *b = &r->x->section[SECTION_STRINGS].bytes;
	uint32_t at;

	if (!s || !*s)
		return 0;
	if (map_get(&r->strings, s, &at))
		return at;
	at = (uint32_t)b->len;
	map_put(r->a, &r->strings, s, at);
	strbuf_add(b, s, strlen(s) + 1);
	return at;
}

const char *records_clean(struct records *r, const char *s)
{
	size_t n = s ? strlen(s) : 0, i = 0, len;
	char *copy;

	while (i < n && (len = edge_utf8_length(s + i, n - i)))
		i += len;
	if (i == n)
		return s;
	copy = arena_strdup(r->a, s);
	for (; i < n; i += len ? len : 1)
		if (!(len = edge_utf8_length(copy + i, n - i)))
			copy[i] = '?';
	return copy;
}

/* ---- kernels ---- */

struct kernel_list {
	const struct plan_kernel *kernel;
	uint32_t kernels;
	const struct plan_program *program;
	uint32_t programs;
};

/* Machine code instead of source. */
static bool put_native(struct records *r, const struct target *t, const struct kernel_list *l)
{
	const struct kernel **kernels = arena_new_array(r->a, const struct kernel *, l->kernels + 1);
	struct strbuf *blocks = &r->x->section[SECTION_BLOCKS].bytes;
	struct native_code code[NATIVE_ISA_COUNT];
	enum native_isa isa[NATIVE_ISA_COUNT];
	uint32_t count = 0, isas = t->isas;
	bool dots = false; /* kernels that gain by a CPU's dot products of bytes */

	for (uint32_t i = 0; i < l->kernels; i++)
		kernels[i] = l->kernel[i].k;
	for (uint32_t i = 0; i < l->kernels; i++)
		dots |= strstr(kernels[i]->name, "_int8_") != NULL;
	if (dots && isas & 1u << NATIVE_X86_64_V4)
		isas |= 1u << NATIVE_X86_64_V4_VNNI;
	for (unsigned i = 1; i < NATIVE_ISA_COUNT; i++)
		if (isas & 1u << i)
			isa[count++] = (enum native_isa)i;
	if (!native_compile(r->a, kernels, l->kernels, l->programs ? l->program[0].prelude : "", isa, count, code, r->d))
		return false;
	for (uint32_t i = 0; i < count; i++) {
		struct edge_code record = { .isa = code[i].isa, .bytes = code[i].bytes };

		while (blocks->len % EDGE_PLAN_PAGE)
			strbuf_add(blocks, "", 1);
		record.offset = blocks->len;
		strbuf_add(blocks, code[i].block, code[i].bytes);
		records_put(r, SECTION_CODE, &record);
		for (uint32_t k = 0; k < l->kernels; k++)
			records_put(r, SECTION_ENTRIES, &code[i].entry[k]);
	}
	return true;
}

static void put_source(struct records *r, const struct kernel_list *l)
{
	for (uint32_t p = 0; p < l->programs; p++) {
		struct strbuf text = { 0 };
		struct edge_program record;

		strbuf_printf(&text, "%s\n", l->program[p].prelude);
		for (uint32_t i = 0; i < l->kernels; i++)
			if (l->kernel[i].program == p)
				strbuf_printf(&text, "%s\n", l->kernel[i].k->source);
		record = (struct edge_program){ records_string(r, strbuf_str(&text)), records_string(r, l->program[p].options) };
		records_put(r, SECTION_PROGRAMS, &record);
		strbuf_free(&text);
	}
}

static void put_parameters(struct records *r, const struct kernel *k)
{
	for (uint32_t i = 0; i < k->param_count; i++) {
		struct edge_param p = { k->param[i].kind, k->param[i].access, records_string(r, k->param[i].name), 0 };

		records_put(r, SECTION_PARAMS, &p);
	}
}

bool records_kernels(struct records *r, const struct target *t, const struct plan_kernel *kernel, uint32_t kernels,
		     const struct plan_program *program, uint32_t programs)
{
	struct kernel_list l = { kernel, kernels, program, programs };
	bool native = t->backend == TARGET_NATIVE;
	uint32_t params = 0;

	if (!native)
		put_source(r, &l);
	for (uint32_t p = 0; native && p < programs; p++)
		records_put(r, SECTION_PROGRAMS, &(struct edge_program){ 0, 0 });
	for (uint32_t i = 0; i < kernels; i++) {
		const struct kernel *k = kernel[i].k;
		struct edge_kernel record = { records_string(r, k->name), kernel[i].program, params, k->param_count };

		records_put(r, SECTION_KERNELS, &record);
		put_parameters(r, k);
		params += k->param_count;
	}
	return !native || put_native(r, t, &l);
}
