/* SPDX-License-Identifier: Apache-2.0 */
/* quant_shim.c - stands in for the quantiser where it is not built in. */
#include "config.h"

#include "quant/quant.h"

__attribute__((weak)) bool quant_apply(struct arena *a, struct graph *g, const struct quant_config *c,
				       struct quant_report *report, struct diag *d)
{
	(void)a, (void)g, (void)c, (void)report;
	diag_error(d, NO_SPAN, "weights in several formats are not supported");
	return false;
}

__attribute__((weak)) bool quant_format_from_name(const char *name, enum quant_format *out)
{
	(void)name, (void)out;
	return false;
}

__attribute__((weak)) bool quant_method_from_name(const char *name, enum quant_method *out)
{
	(void)name, (void)out;
	return false;
}

__attribute__((weak)) uint64_t quant_bytes(enum quant_format f, uint32_t group, bool asymmetric, int64_t rows, int64_t row)
{
	(void)f, (void)group, (void)asymmetric;
	return (uint64_t)(rows * row);
}
