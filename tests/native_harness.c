/* SPDX-License-Identifier: Apache-2.0 */
/* native_harness.c - write kernels, compile them natively, map the code and call it. */
#include "config.h"

#include "native_harness.h"

#include "codegen/codegen.h"
#include "codegen/native.h"
#include "device/isa.h"
#include "edge/plan_format.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { MAX_KERNELS = 400 };

const int lanes[PLANES] = { 1, 2, 4, 8, 16 };

static struct arena arena;
static struct kernel kernels[MAX_KERNELS];
static uint32_t kernel_count;

uint32_t native_add_kernel(const char *name, uint32_t pointers, struct strbuf *source)
{
	struct kernel *k = &kernels[kernel_count];
	struct kernel_param *p = arena_new_array(&arena, struct kernel_param, pointers + 1);

	for (uint32_t i = 0; i <= pointers; i++)
		p[i] = (struct kernel_param){ i < pointers ? EDGE_PARAM_GLOBAL : EDGE_PARAM_I32,
					      EDGE_PARAM_READ, "p" };
	*k = (struct kernel){ .name = arena_strdup(&arena, name),
			      .source = arena_strdup(&arena, strbuf_str(source)),
			      .param = p,
			      .param_count = pointers + 1,
			      .local = { 1, 1, 1 } };
	strbuf_free(source);
	return kernel_count++;
}

static const char *lane_name(int n)
{
	static const char *const names[17] = {
		[1] = "", [2] = "2", [4] = "4", [8] = "8", [16] = "16"
	};

	return names[n];
}

/* y = name(x, ...) with operands of type `in`, 16 elements an item, one plane for each number of
 * lanes. */
uint32_t native_add(const char *name, const char *in, const char *out, uint32_t operands,
		    unsigned planes)
{
	static const char *const operand[] = { "a", "b", "c" };
	struct strbuf s = { 0 };
	char kernel[100];

	snprintf(kernel, sizeof kernel, "test_%s_%s_%s", name, in, out);
	strbuf_printf(&s, "__kernel void %s(", kernel);
	for (uint32_t i = 0; i < operands; i++)
		strbuf_printf(&s, "__global const %s *%s, ", in, operand[i]);
	strbuf_printf(&s,
		      "__global %s *y, const int n EDGE_WI)\n{\n\tconst int at = "
		      "(int)get_global_id(0) * 16;\n\n",
		      out);
	for (int p = 0; p < PLANES; p++) {
		const char *n = lane_name(lanes[p]);

		if (!(planes & 1u << p))
			continue;
		strbuf_printf(&s, "\tfor (int i = 0; i < %d; i++)\n\t\t", 16 / lanes[p]);
		if (p == 0)
			strbuf_puts(&s, "y[at + i] = ");
		else
			strbuf_printf(&s, "vstore%s(", n);
		/* convert_T is called convert_T4 for four lanes */
		strbuf_printf(&s, "%s%s(", name, strncmp(name, "convert_", 8) ? "" : n);
		for (uint32_t i = 0; i < operands; i++) {
			if (i)
				strbuf_puts(&s, ", ");
			if (p == 0)
				strbuf_printf(&s, "%s[at + i]", operand[i]);
			else
				strbuf_printf(&s, "vload%s(i, %s + at)", n, operand[i]);
		}
		if (p == 0)
			strbuf_puts(&s, ");\n");
		else
			strbuf_printf(&s, "), i, y + %d * n + at);\n", p);
	}
	strbuf_puts(&s, "}\n");
	return native_add_kernel(kernel, operands + 1, &s);
}

void native_run(const struct machine *m, uint32_t kernel, const void *a, const void *b,
		const void *c, void *y, uint32_t n)
{
	const uint64_t range[5] = { 0, n / 16, n / 16, 1, 1 };
	const uint8_t *at = m->block + m->entry[kernel];
	void (*entry)(const uint64_t *, const uint64_t *);
	uint64_t arg[5];
	uint32_t count = 0;

	if (a)
		arg[count++] = (uint64_t)(uintptr_t)a;
	if (b)
		arg[count++] = (uint64_t)(uintptr_t)b;
	if (c)
		arg[count++] = (uint64_t)(uintptr_t)c;
	arg[count++] = (uint64_t)(uintptr_t)y;
	arg[count++] = n;
	memcpy(&entry, &at, sizeof entry);
	entry(arg, range);
}

static uint64_t random_state = 88172645463325252u;

uint64_t random_bits(void)
{
	random_state ^= random_state << 13;
	random_state ^= random_state >> 7;
	random_state ^= random_state << 17;
	return random_state * 2685821657736338717u;
}

double random_between(double low, double high)
{
	return low + (high - low) * (double)(random_bits() >> 11) * 0x1p-53;
}

float float_of(uint32_t bits)
{
	float x;

	memcpy(&x, &bits, sizeof x);
	return x;
}

static const uint8_t *map_block(const struct native_code *code)
{
	void *p =
		mmap(NULL, code->bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return NULL;
	memcpy(p, code->block, code->bytes);
	__builtin___clear_cache(p, (char *)p + code->bytes);
	return mprotect(p, code->bytes, PROT_READ | PROT_EXEC) == 0 ? p : NULL;
}

uint32_t native_build(struct machine out[NATIVE_MACHINES])
{
#if defined(__aarch64__)
	static const enum native_isa isa[] = { NATIVE_AARCH64 };
#else
	static const enum native_isa isa[] = { NATIVE_X86_64_V3, NATIVE_X86_64_V4 };
#endif
	const struct kernel *list[MAX_KERNELS];
	struct native_code code[COUNT(isa)];
	struct diag d;

	diag_init(&d, &arena, stderr);
	for (uint32_t i = 0; i < kernel_count; i++)
		list[i] = &kernels[i];
	if (!native_compile(&arena, list, kernel_count, prelude_text(), isa, COUNT(isa), code, &d))
		return 0;
	for (uint32_t i = 0; i < COUNT(isa); i++) {
		out[i] =
			(struct machine){ .name = native_isa_name(isa[i]), .entry = code[i].entry };
		if (isa_supported((uint32_t)isa[i]))
			out[i].block = map_block(&code[i]);
	}
	return COUNT(isa);
}

void native_release(void)
{
	arena_release(&arena);
}
