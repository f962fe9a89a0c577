/* SPDX-License-Identifier: Apache-2.0 */
/*
 * apply.c - a configuration applied to a graph.
 *
 * First every tensor gets its rule, then the network runs over the calibration
 * inputs once for all that want to know what they are multiplied with, then
 * the tensors are quantised one after the other, each on all threads, and their
 * constants get the result as their source.
 */
#include "config.h"

#include "quant/quant.h"

#include "ir/block.h"
#include "quant/run.h"
#include "quant/solve.h"

#include <math.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST_HESSIAN = 4096 }; /* inputs of an output: 64 MB of floats, 128 of sums */

static bool one_matches(const char *pattern, const struct quant_matrix *m, const struct graph *g, struct span at,
			bool *out, struct diag *d)
{
	const char *node = graph_node(g, m->tensor.node)->name;
	char why[200];
	regex_t re;
	int error = regcomp(&re, pattern, REG_EXTENDED | REG_NOSUB);

	if (error) {
		regerror(error, &re, why, sizeof why);
		diag_error(d, at, "\"%s\" is no regular expression: %s", pattern, why);
		return false;
	}
	*out = regexec(&re, m->tensor.name, 0, NULL, 0) == 0 || (node && regexec(&re, node, 0, NULL, 0) == 0);
	regfree(&re);
	return true;
}

/* Each pattern must match something: else it is a slip of the pen. */
static bool mark_matches(const struct graph *g, const struct quant_matrix *m, uint32_t count,
			 const char *const *pattern, uint32_t patterns, struct span at, bool *marked, struct diag *d)
{
	memset(marked, 0, count * sizeof *marked);
	for (uint32_t p = 0; p < patterns; p++) {
		bool any = false;

		for (uint32_t i = 0; i < count; i++) {
			bool match;

			if (!one_matches(pattern[p], &m[i], g, at, &match, d))
				return false;
			marked[i] |= match;
			any |= match;
		}
		if (!any) {
			diag_error(d, at, "no weight is called \"%s\"", pattern[p]);
			if (count)
				diag_hint(d, "The first is \"%s\", the last \"%s\".", m[0].tensor.name, m[count - 1].tensor.name);
			return false;
		}
	}
	return true;
}

/* rule[i]: of tensor i, or NULL. */
static bool choose_rules(struct arena *a, const struct graph *g, const struct quant_config *c, const struct quant_matrix *m,
			 uint32_t count, const struct quant_rule **rule, struct diag *d)
{
	bool *marked = arena_new_array(a, bool, count + 1);

	for (uint32_t r = 0; r < c->rule_count; r++) {
		const struct quant_rule *x = &c->rules[r];

		if (x->format > QUANT_BF16 &&
		    block_grouped(quant_bits(x->format), x->group ? x->group : 32, x->asymmetric) == DTYPE_COUNT) {
			diag_error(d, x->span, "groups have 32, 64 or 128 weights, not %u", x->group);
			return false;
		}
		if (!mark_matches(g, m, count, x->pattern, x->pattern_count, x->span, marked, d))
			return false;
		for (uint32_t i = 0; i < count; i++)
			if ((!x->pattern_count && !x->first && !x->last) || marked[i] || (x->first && i == 0) ||
			    (x->last && i + 1 == count))
				rule[i] = x;
	}
	if (!mark_matches(g, m, count, c->except, c->except_count, c->except_span, marked, d))
		return false;
	for (uint32_t i = 0; i < count; i++)
		if (marked[i] || (c->except_first && i == 0) || (c->except_last && i + 1 == count))
			rule[i] = NULL;
	return true;
}

/* What kernels cannot read in few bits is kept in f16, which is the nearest. */
static enum quant_format format_of(const struct quant_matrix *m, const struct quant_rule *r)
{
	return r->format > QUANT_BF16 && !m->blocks ? QUANT_F16 : r->format;
}

static bool has_method(const struct quant_matrix *m, const struct quant_rule *r)
{
	return r && format_of(m, r) > QUANT_BF16 && m->tensor.op != OP_gather && r->method != QUANT_ROUND;
}

static bool look(struct arena *a, const struct graph *g, const struct quant_config *c, const struct quant_matrix *m,
		 uint32_t count, const struct quant_rule *const *rule, struct quant_seen *seen, struct diag *d)
{
	bool any = false;

	for (uint32_t i = 0; i < count; i++) {
		seen[i].want = m[i].blocks && m[i].tensor.op != OP_gather && rule[i] && c->calibrate;
		seen[i].want_all = seen[i].want && has_method(&m[i], rule[i]) && m[i].tensor.row <= MOST_HESSIAN;
		if (has_method(&m[i], rule[i]) && !c->calibrate) {
			diag_error(d, rule[i]->span, "method %s needs calibration inputs", quant_method_name(rule[i]->method));
			diag_hint(d, "Say calibrate \"FILE.npy\"; whose first dimension counts samples.");
			return false;
		}
		any |= has_method(&m[i], rule[i]);
	}
	return !any || quant_run(a, g, c, m, count, seen, d);
}

/* The bytes of a grouped source (ir/block.h). */
static void *source_bytes(struct arena *a, const struct quant_problem *p, uint64_t row_bytes)
{
	int64_t groups = (p->row + p->group - 1) / p->group;
	uint8_t *bytes = arena_alloc(a, (size_t)p->rows * row_bytes), *to = bytes;

	for (int64_t r = 0; r < p->rows; r++, to += row_bytes) {
		uint8_t *code = to + 2 * groups;

		for (int64_t i = 0; i < groups; i++) {
			to[2 * i] = (uint8_t)p->scale[r * groups + i];
			to[2 * i + 1] = (uint8_t)(p->scale[r * groups + i] >> 8);
			if (!p->asymmetric)
				continue;
			code[2 * i] = (uint8_t)p->minimum[r * groups + i];
			code[2 * i + 1] = (uint8_t)(p->minimum[r * groups + i] >> 8);
		}
		memcpy(p->asymmetric ? code + 2 * groups : code, p->code + r * p->row, (size_t)p->row);
	}
	return bytes;
}

static double error_of(const struct quant_problem *p)
{
	int64_t groups = (p->row + p->group - 1) / p->group;
	double error = 0, all = 0;

	for (int64_t r = 0; r < p->rows; r++)
		for (int64_t i = 0; i < p->row; i++) {
			int64_t at = r * groups + i / p->group;
			struct quant_grid g = quant_grid(p->scale[at], p->asymmetric ? p->minimum[at] : 0, p->bits, p->asymmetric);
			double w = (double)p->w[r * p->row + i], k = p->importance ? (double)p->importance[i] : 1;
			double e = w - (double)((float)p->code[r * p->row + i] * g.scale + g.minimum);

			error += k * e * e;
			all += k * w * w;
		}
	return all > 0 ? error / all : 0;
}

static bool all_finite(const float *w, int64_t n)
{
	for (int64_t i = 0; i < n; i++)
		if (!isfinite(w[i]))
			return false;
	return true;
}

/* One tensor in few bits; its constant gets the result. False: said why. */
static bool solve_one(struct graph *g, const struct quant_config *c, const struct quant_matrix *m,
		      const struct quant_rule *rule, const struct quant_seen *seen, struct quant_result *result, struct diag *d)
{
	struct quant_problem p = {
		.rows = m->tensor.rows, .row = m->tensor.row, .bits = quant_bits(rule->format),
		.group = rule->group ? rule->group : 32, .asymmetric = rule->asymmetric, .method = result->method,
		.hessian = seen->hessian, .learning_rate = c->learning_rate, .clip = c->clip > 0 ? c->clip : 0.6,
		.damping = c->damping > 0 ? c->damping : 0.01, .iterations = c->iterations ? c->iterations : 200,
		.threads = c->threads };
	enum dtype t = block_grouped(p.bits, p.group, p.asymmetric);
	size_t groups = (size_t)(p.rows * ((p.row + p.group - 1) / p.group));
	struct value *v = graph_value(g, m->tensor.value);
	struct data *data = arena_new(g->arena, struct data);
	float *w = quant_matrix_read(g, m, d);
	bool identity = true;

	if (!w)
		return false;
	if (!all_finite(w, p.rows * p.row)) {
		diag_error(d, v->span, "weight \"%s\" holds what is no finite number", m->tensor.name);
		free(w);
		return false;
	}
	p.w = w;
	p.importance = p.method == QUANT_ROUND ? NULL : seen->importance;
	p.learning_rate = c->learning_rate > 0 ? c->learning_rate : 1.0 / p.iterations;
	p.code = xmalloc((size_t)(p.rows * p.row));
	p.scale = xmalloc(groups * sizeof *p.scale);
	p.minimum = xmalloc(groups * sizeof *p.minimum);
	if (!quant_solve(&p)) { /* no Hessian, or one without an inverse */
		p.method = result->method = p.importance ? QUANT_WEIGHTED : QUANT_ROUND;
		quant_solve(&p);
	}
	result->error = error_of(&p);
	*data = (struct data){ .where = DATA_MEMORY, .source_dtype = t, .source_shape = m->source };
	data->bytes = source_bytes(g->arena, &p, block_row_bytes(t, p.row));
	for (uint32_t i = 0; i < m->source.rank; i++) {
		data->perm[i] = m->perm[i];
		identity &= m->perm[i] == i;
	}
	data->perm_set = !identity;
	v->data = data;
	free(p.code);
	free(p.scale);
	free(p.minimum);
	free(w);
	return true;
}

/* The constant as f32, f16 or bf16, which says how it is stored. */
static bool store_plain(struct graph *g, value_id id, enum quant_format f, struct diag *d)
{
	struct value *v = graph_value(g, id);
	int64_t n = shape_elements(&v->shape);
	struct data *data = arena_new(g->arena, struct data);
	float *x = arena_alloc(g->arena, (size_t)n * sizeof *x);
	uint16_t *half = (uint16_t *)x;

	if (!data_read_f32(g, id, x, d))
		return false;
	for (int64_t i = 0; i < n && f != QUANT_F32; i++) {
		uint32_t u;

		memcpy(&u, &x[i], sizeof u);
		half[i] = f == QUANT_F16 ? float_to_half(x[i]) : (uint16_t)((u + 0x7fff + (u >> 16 & 1)) >> 16);
		if (f == QUANT_F16 && (half[i] & 0x7fff) == 0x7c00) {
			diag_error(d, v->span, "weight \"%s\" holds a value that f16 cannot", v->name ? v->name : "");
			diag_hint(d, "bf16 has the range of f32.");
			return false;
		}
	}
	*data = (struct data){ .where = DATA_MEMORY, .source_shape = v->shape, .bytes = x,
			       .source_dtype = f == QUANT_F32 ? DTYPE_F32 : f == QUANT_F16 ? DTYPE_F16 : DTYPE_BF16 };
	v->data = data;
	return true;
}

/* Tensors without a rule keep what the model said of all of them. */
static bool keep_storage(struct graph *g, const struct quant_matrix *m, uint32_t count,
			 const struct quant_rule *const *rule, struct diag *d)
{
	enum quant_format f = g->weight_storage == DTYPE_F16 ? QUANT_F16 : g->weight_storage == DTYPE_BF16 ? QUANT_BF16 : QUANT_F32;
	bool plain = false;

	for (uint32_t i = 0; i < count; i++)
		plain |= rule[i] && format_of(&m[i], rule[i]) <= QUANT_BF16;
	if (!plain || !g->weight_storage)
		return true;
	for (uint32_t i = 0; i < count; i++)
		if (!rule[i] && !store_plain(g, m[i].tensor.value, f, d))
			return false;
	g->weight_storage = 0;
	return true;
}

/* A method that could not be used as asked. */
static void say_fallback(const struct quant_matrix *m, const struct quant_rule *const *rule, uint32_t count,
			 const struct quant_result *result, struct diag *d)
{
	uint32_t first = NO_ID, others = 0;

	for (uint32_t i = 0, r = 0; i < count; i++) {
		if (!rule[i])
			continue;
		if (has_method(&m[i], rule[i]) && result[r].method != rule[i]->method) {
			first = first == NO_ID ? i : first;
			others += first != i;
		}
		r++;
	}
	if (first == NO_ID)
		return;
	diag_warning(d, rule[first]->span, "method %s was not possible for \"%s\"%s", quant_method_name(rule[first]->method),
		     m[first].tensor.name, others ? arena_printf(d->arena, " and %u other weights", others) : "");
	if (m[first].tensor.row > MOST_HESSIAN)
		diag_note(d, rule[first]->span, "its rows have %lld numbers, more than %d; it was rounded by method weighted",
			  (long long)m[first].tensor.row, MOST_HESSIAN);
}

bool quant_apply(struct arena *a, struct graph *g, const struct quant_config *config, struct quant_report *report,
		 struct diag *d)
{
	struct quant_config c = *config;
	uint32_t count;
	struct quant_matrix *m = quant_matrices(a, g, &count);
	const struct quant_rule **rule = arena_new_array(a, const struct quant_rule *, count + 1);
	struct quant_seen *seen = arena_new_array(a, struct quant_seen, count + 1);
	struct quant_result *result = arena_new_array(a, struct quant_result, count + 1);
	uint32_t results = 0;

	if (!c.threads)
		c.threads = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	if (!choose_rules(a, g, &c, m, count, rule, d) || !look(a, g, &c, m, count, rule, seen, d) ||
	    !keep_storage(g, m, count, rule, d))
		return false;
	for (uint32_t i = 0; i < count; i++) {
		struct quant_result *r = &result[results];
		enum quant_format f;

		if (!rule[i])
			continue;
		f = format_of(&m[i], rule[i]);
		*r = (struct quant_result){ .tensor = m[i].tensor, .format = f };
		if (f > QUANT_BF16) {
			r->group = rule[i]->group ? rule[i]->group : 32;
			r->asymmetric = rule[i]->asymmetric;
			r->method = has_method(&m[i], rule[i]) ? rule[i]->method : QUANT_ROUND;
		}
		if (f > QUANT_BF16 ? !solve_one(g, &c, &m[i], rule[i], &seen[i], r, d) :
				     !store_plain(g, m[i].tensor.value, f, d))
			return false;
		r->bytes = quant_bytes(f, r->group, r->asymmetric, m[i].tensor.rows, m[i].tensor.row);
		results++;
	}
	say_fallback(m, rule, count, result, d);
	if (report)
		*report = (struct quant_report){ result, results };
	return true;
}
