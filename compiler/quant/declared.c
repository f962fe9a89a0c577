/* SPDX-License-Identifier: Apache-2.0 */
/* declared.c - from a quantize block's words to a configuration. */
#include "config.h"

#include "quant/declared.h"

static struct quant_config quant_config_of(struct arena *a, const struct decl_quantize *q)
{
	struct quant_rule *rules = arena_new_array(a, struct quant_rule, q->rules.len + 1);

	for (uint32_t i = 0; i < q->rules.len; i++) {
		const struct decl_quantize_rule *r = &q->rules.data[i];
		const char *method = r->method ? r->method : q->method;

		rules[i] = (struct quant_rule){ .group = r->group, .asymmetric = r->asymmetric, .span = r->span,
						.first = r->first, .last = r->last, .pattern = r->patterns.data, .pattern_count = r->patterns.len };
		quant_format_from_name(r->format, &rules[i].format);
		if (method)
			quant_method_from_name(method, &rules[i].method);
	}
	return (struct quant_config){ .rules = rules, .rule_count = q->rules.len, .except = q->except.data,
				      .except_count = q->except.len, .except_first = q->except_first,
				      .except_last = q->except_last, .calibrate = q->calibrate, .except_span = q->except_span, .calibrate_span = q->calibrate_span, .learning_rate = q->learning_rate,
				      .iterations = q->iterations, .clip = q->clip, .damping = q->damping,
				      .samples = q->samples };
}

bool quant_declared(struct arena *a, struct graph *g, const struct decl_quantize *q, struct diag *d)
{
	struct quant_config c = quant_config_of(a, q);

	return quant_apply(a, g, &c, NULL, d);
}
