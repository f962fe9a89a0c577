/* SPDX-License-Identifier: Apache-2.0 */
/*
 * shape.c - what a node gives for what it is given.
 *
 * The one place that decides whether inputs and attributes of an operation go
 * together; importers, passes, the reader of the text form and the verifier
 * all ask it. It trusts nothing: ids, attribute kinds and list lengths are
 * checked before use. Moving elements: shape_view.c. Images, recurrences and
 * reductions: shape_heavy.c.
 */
#include "config.h"

#include "ir/shape.h"

bool infer_fail(const struct inference *c, const char *fmt, ...)
{
	const struct graph *g = c->g;
	const struct node *n = c->n;
	struct arena tmp = { 0 };
	va_list ap;
	char *text;

	if (!c->d)
		return false;
	va_start(ap, fmt);
	text = arena_vprintf(&tmp, fmt, ap);
	va_end(ap);
	if (n->name)
		diag_error(c->d, n->span, "cannot apply %s \"%s\": %s", op_name(n->op), n->name,
			   text);
	else
		diag_error(c->d, n->span, "cannot apply %s: %s", op_name(n->op), text);
	for (uint32_t i = 0; i < n->in_count && i < 8; i++) {
		const struct value *v;

		if (n->in[i] >= g->values.len)
			continue;
		v = &g->values.data[n->in[i]];
		diag_note(c->d, v->span, "input %u%s%s%s is %s%s", i, v->name ? " \"" : "",
			  v->name ? v->name : "", v->name ? "\"" : "", dtype_name(v->dtype),
			  shape_string(&tmp, &v->shape));
	}
	arena_release(&tmp);
	return false;
}

const struct value *infer_input(const struct inference *c, uint32_t i)
{
	return i < node_own_inputs(c->n) && c->n->in[i] != NO_ID ? &c->g->values.data[c->n->in[i]]
								 : NULL;
}

const int64_t *infer_list(const struct inference *c, enum attr_key k, uint32_t count)
{
	uint32_t have;
	const int64_t *list = node_ints(c->n, k, &have);

	if (!list) {
		infer_fail(c, "attribute %s is missing", attr_key_name(k));
		return NULL;
	}
	if (have != count) {
		infer_fail(c, "attribute %s has %u values, and %u are needed", attr_key_name(k),
			   have, count);
		return NULL;
	}
	return list;
}

bool infer_axis(const struct inference *c, uint32_t rank, uint32_t *axis)
{
	int64_t x = node_int(c->n, ATTR_axis, -1);

	if (x < 0 || x >= rank)
		return infer_fail(c, "axis %lld is outside of rank %u", (long long)x, rank);
	*axis = (uint32_t)x;
	return true;
}

static bool is_list(enum attr_key k)
{
	return UINT64_C(1) << k &
	       (UINT64_C(1) << ATTR_shape | UINT64_C(1) << ATTR_perm | UINT64_C(1) << ATTR_starts |
		UINT64_C(1) << ATTR_steps | UINT64_C(1) << ATTR_repeats | UINT64_C(1) << ATTR_axes |
		UINT64_C(1) << ATTR_pads | UINT64_C(1) << ATTR_strides |
		UINT64_C(1) << ATTR_dilations | UINT64_C(1) << ATTR_output_padding |
		UINT64_C(1) << ATTR_kernel | UINT64_C(1) << ATTR_activations);
}

enum attr_kind attr_key_kind(enum attr_key k)
{
	switch (k) {
	case ATTR_alpha:
	case ATTR_beta:
	case ATTR_gamma:
	case ATTR_min:
	case ATTR_max:
	case ATTR_value:
	case ATTR_cubic_a:
	case ATTR_scale:
	case ATTR_clip:
	case ATTR_eps:
	case ATTR_softcap:
		return ATTR_FLOAT;
	case ATTR_scales:
	case ATTR_roi:
	case ATTR_alphas:
	case ATTR_betas:
		return ATTR_FLOATS;
	default:
		return is_list(k) ? ATTR_INTS : ATTR_INT;
	}
}

/* Integers are kept small enough that sums and products of a few cannot overflow. */
bool infer_attrs(const struct inference *c)
{
	uint64_t seen = 0, allowed = op_info(c->n->op)->attrs;

	for (uint32_t i = 0; i < c->n->attr_count; i++) {
		const struct attr *a = &c->n->attr[i];
		const char *name = attr_key_name(a->key);

		if ((unsigned)a->key >= ATTR_COUNT || !(allowed >> a->key & 1))
			return infer_fail(c, "it has no attribute %s", name);
		if (seen >> a->key & 1)
			return infer_fail(c, "attribute %s is there twice", name);
		seen |= UINT64_C(1) << a->key;
		if (a->kind != attr_key_kind(a->key))
			return infer_fail(c, "attribute %s is of the wrong kind", name);
		if (a->kind == ATTR_INTS && a->count > 2 * MAX_RANK)
			return infer_fail(c, "attribute %s is too long", name);
		for (uint32_t k = 0; a->kind == ATTR_INTS && k < a->count; k++) {
			if (a->ints[k] < -(INT64_C(1) << 40) || a->ints[k] > INT64_C(1) << 40)
				return infer_fail(c,
						  "attribute %s holds %lld, which is out of range",
						  name, (long long)a->ints[k]);
		}
		if (a->kind == ATTR_INT && (a->i < -(INT64_C(1) << 40) || a->i > INT64_C(1) << 40))
			return infer_fail(c, "attribute %s is %lld, which is out of range", name,
					  (long long)a->i);
	}
	return true;
}

static bool inputs_ok(const struct inference *c)
{
	const struct op_info *info = op_info(c->n->op);
	uint32_t own = node_own_inputs(c->n);

	if (own > c->n->in_count || own < (uint32_t)info->min_in ||
	    (info->max_in >= 0 && own > (uint32_t)info->max_in))
		return infer_fail(c, "it has %u inputs", own);
	for (uint32_t i = 0; i < c->n->in_count; i++) {
		const struct value *v;

		if (c->n->in[i] == NO_ID) {
			if (i < (uint32_t)info->min_in || i >= own)
				return infer_fail(c, "input %u is missing", i);
			continue;
		}
		if (c->n->in[i] >= c->g->values.len)
			return infer_fail(c, "input %u is no value", i);
		v = &c->g->values.data[c->n->in[i]];
		if (v->shape.rank > MAX_RANK || !dtype_size(v->dtype))
			return infer_fail(c, "input %u has no valid type", i);
		for (uint32_t k = 0; k < v->shape.rank; k++) {
			if (v->shape.dim[k] < 0 || v->shape.dim[k] > INT64_C(1) << 40)
				return infer_fail(c, "a dimension of input %u is out of range", i);
		}
	}
	return true;
}

/* cast_to: the dtype attribute, for cast */
enum dtype elementwise_dtype(enum op op, const enum dtype *in, uint32_t count, int64_t cast_to)
{
	switch (op) {
	case OP_cast:
		return cast_to > 0 && cast_to < DTYPE_Q8_0 ? (enum dtype)cast_to : DTYPE_COUNT;
	case OP_identity:
		return in[0];
	case OP_neg:
	case OP_abs:
	case OP_sign:
	case OP_relu:
	case OP_clip:
		return in[0] == DTYPE_BOOL ? DTYPE_COUNT : in[0];
	case OP_logical_not:
		return in[0] == DTYPE_BOOL ? DTYPE_BOOL : DTYPE_COUNT;
	case OP_is_nan:
	case OP_is_inf:
		return dtype_is_float(in[0]) ? DTYPE_BOOL : DTYPE_COUNT;
	case OP_add:
	case OP_sub:
	case OP_mul:
	case OP_div:
	case OP_pow:
	case OP_min:
	case OP_max:
	case OP_mod:
	case OP_fmod:
	case OP_prelu:
		return in[0] == in[1] && in[0] != DTYPE_BOOL ? in[0] : DTYPE_COUNT;
	case OP_equal:
		return in[0] == in[1] ? DTYPE_BOOL : DTYPE_COUNT;
	case OP_less:
	case OP_less_equal:
	case OP_greater:
	case OP_greater_equal:
		return in[0] == in[1] && in[0] != DTYPE_BOOL ? DTYPE_BOOL : DTYPE_COUNT;
	case OP_logical_and:
	case OP_logical_or:
	case OP_logical_xor:
		return in[0] == DTYPE_BOOL && in[1] == DTYPE_BOOL ? DTYPE_BOOL : DTYPE_COUNT;
	case OP_where:
		return in[0] == DTYPE_BOOL && in[1] == in[2] ? in[1] : DTYPE_COUNT;
	default: /* functions of real numbers */
		return count == 1 && dtype_is_float(in[0]) ? in[0] : DTYPE_COUNT;
	}
}

static bool infer_elementwise(struct inference *c)
{
	const struct value *v[3] = { 0 };
	enum dtype in[3] = { 0 };
	uint32_t count = node_own_inputs(c->n);

	for (uint32_t i = 0; i < count; i++) {
		struct shape merged;

		v[i] = infer_input(c, i);
		in[i] = v[i]->dtype;
		if (i == 0) {
			c->shape[0] = v[0]->shape;
		} else if (shape_broadcast(&c->shape[0], &v[i]->shape, &merged)) {
			c->shape[0] = merged;
		} else {
			struct arena tmp = { 0 };

			infer_fail(c, "shapes %s and %s do not broadcast together",
				   shape_string(&tmp, &c->shape[0]),
				   shape_string(&tmp, &v[i]->shape));
			arena_release(&tmp);
			return false;
		}
	}
	c->dtype[0] = elementwise_dtype(c->n->op, in, count, node_int(c->n, ATTR_dtype, 0));
	if (c->dtype[0] == DTYPE_COUNT) {
		if (c->n->op == OP_cast)
			return infer_fail(c, "the type to cast to is unknown");
		if (count == 1)
			return infer_fail(c, "it does not work on %s", dtype_name(in[0]));
		return infer_fail(c, "it does not work on %s and %s", dtype_name(in[count - 2]),
				  dtype_name(in[count - 1]));
	}
	return true;
}

/* A map's shape cannot be told from inputs read through views: it is what its output says. */
static bool infer_map(struct inference *c)
{
	if (c->n->out_count != 1 || c->n->out[0] >= c->g->values.len || !c->n->epilogue_count)
		return infer_fail(c, "a map needs an output and a program");
	c->shape[0] = c->g->values.data[c->n->out[0]].shape;
	c->dtype[0] = c->n->epilogue[c->n->epilogue_count - 1].dtype;
	return true;
}

bool infer_node(const struct graph *g, const struct node *n, enum dtype *dtype, struct shape *shape,
		struct diag *d)
{
	struct inference c = { .g = g, .n = n, .d = d, .dtype = dtype, .shape = shape };
	uint32_t outs;
	bool good;

	if ((unsigned)n->op >= OP_COUNT)
		return false;
	if (!inputs_ok(&c) || !infer_attrs(&c))
		return false;
	switch (op_class(n->op)) {
	case OP_UNARY:
	case OP_BINARY:
	case OP_TERNARY:
		good = infer_elementwise(&c);
		break;
	case OP_VIEW:
		good = infer_view(&c);
		break;
	case OP_HEAVY:
		good = infer_heavy(&c);
		break;
	case OP_REDUCE:
		good = infer_along_axes(&c);
		break;
	default:
		good = n->op == OP_map ? infer_map(&c) :
		       n->op == OP_quantize_rows || n->op == OP_matmul_rows ? infer_rows(&c) :
		       n->op == OP_quantize_image || n->op == OP_conv_image ? infer_image(&c) :
		       n->op == OP_stored_rows || n->op == OP_decode_rows ? infer_stored(&c) : infer_language(&c);
		break;
	}
	if (!good)
		return false;
	outs = (uint32_t)op_info(n->op)->outs;
	for (uint32_t i = 0; i < outs; i++) {
		int64_t count = shape_elements(&shape[i]);

		if (count < 0 || count > INT64_C(1) << 48)
			return infer_fail(&c, "the result has too many elements");
		for (uint32_t k = 0; k < shape[i].rank; k++) {
			if (shape[i].dim[k] > INT64_C(1) << 40)
				return infer_fail(&c, "a dimension of the result is out of range");
		}
	}
	if (n->epilogue_count)
		dtype[0] = n->epilogue[n->epilogue_count - 1].dtype;
	return true;
}
