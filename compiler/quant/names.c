/* SPDX-License-Identifier: Apache-2.0 */
/* names.c - formats and methods by name, and what a format costs. */
#include "config.h"

#include "quant/quant.h"

#include "codegen/codegen.h"
#include "ir/block.h"

#include <string.h>

static const char *const format_name[] = { "f32", "f16", "bf16", "q8", "q6", "q5", "q4", "q3" };
static const char *const method_name[] = { "rtn", "weighted", "gptq", "learned" };

static bool find(const char *name, const char *const *list, unsigned count, unsigned *out)
{
	for (*out = 0; *out < count; ++*out)
		if (!strcmp(list[*out], name))
			return true;
	return false;
}

bool quant_format_from_name(const char *name, enum quant_format *out)
{
	unsigned i;
	bool known = find(name, format_name, sizeof format_name / sizeof *format_name, &i);

	if (known)
		*out = (enum quant_format)i;
	return known;
}

bool quant_method_from_name(const char *name, enum quant_method *out)
{
	unsigned i;
	bool known = find(name, method_name, sizeof method_name / sizeof *method_name, &i);

	if (known)
		*out = (enum quant_method)i;
	return known;
}

const char *quant_method_name(enum quant_method m)
{
	return method_name[m];
}

uint32_t quant_bits(enum quant_format f)
{
	static const uint32_t bits[] = { 32, 16, 16, 8, 6, 5, 4, 3 };

	return bits[f];
}

uint64_t quant_bytes(enum quant_format f, uint32_t group, bool asymmetric, int64_t rows, int64_t row)
{
	if (f <= QUANT_BF16)
		return (uint64_t)(rows * row) * quant_bits(f) / 8;
	return (uint64_t)rows * quant_row_bytes(block_grouped(quant_bits(f), group ? group : 32, asymmetric), row);
}
