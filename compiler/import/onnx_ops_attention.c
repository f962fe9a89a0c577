/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_attention.c - attention of the standard, and what others are made of.
 *
 * Which keys a query sees by their places (causal, windows) is known now: where
 * the graph's own causal attention does not mean it, it becomes a constant mask.
 * What one operation cannot give (scores as an output, a bounded score) is
 * written as products and a softmax.
 */
#include "config.h"

#include "import/onnx_ops.h"

#include <math.h>

enum { MASK_LIMIT = 1 << 24, FEW_QUERIES = 16 };

value_id onnx_split_heads(struct call *c, value_id x, int64_t heads)
{
	struct shape s = shape_of(c, x), split;
	static const int64_t perm[] = { 0, 2, 1, 3 };

	if (s.rank == 4)
		return x;
	if (s.rank != 3 || heads < 1 || s.dim[2] % heads) {
		call_fail(c, "%s cannot be split into %lld heads",
			  shape_string(&c->im->scratch, &s), (long long)heads);
		return NO_ID;
	}
	split = (struct shape){ 4, { s.dim[0], s.dim[1], heads, s.dim[2] / heads } };
	return emit_transpose(c, emit_reshape(c, x, &split), perm);
}

value_id onnx_join_heads(struct call *c, value_id x)
{
	static const int64_t perm[] = { 0, 2, 1, 3 };
	struct shape s;

	x = emit_transpose(c, x, perm);
	s = shape_of(c, x);
	return emit_reshape(c, x, &(struct shape){ 3, { s.dim[0], s.dim[1], s.dim[2] * s.dim[3] } });
}

/* Grouped heads: each key and value head serves several query heads. */
static value_id repeat_heads(struct call *c, value_id x, int64_t times)
{
	struct shape s = shape_of(c, x), one, all, joined;

	if (times == 1)
		return x;
	one = (struct shape){ 5, { s.dim[0], s.dim[1], 1, s.dim[2], s.dim[3] } };
	all = one;
	all.dim[2] = times;
	joined = s;
	joined.dim[1] *= times;
	return emit_reshape(c, emit_expand(c, emit_reshape(c, x, &one), &all), &joined);
}

/* Bool masks become 0 and `hidden`; one that is too short hides the rest. */
static value_id read_mask(struct call *c, value_id mask, enum dtype t, int64_t length, double hidden)
{
	struct shape s = shape_of(c, mask);
	int64_t pads[2 * MAX_RANK] = { 0 };

	if (dtype_of(c, mask) == DTYPE_BOOL)
		mask = emit3(c, OP_where, mask, emit_scalar(c, t, 0), emit_scalar(c, t, hidden));
	if (s.rank && s.dim[s.rank - 1] < length && s.dim[s.rank - 1] != 1) {
		struct attr attr[2];

		pads[2 * s.rank - 1] = length - s.dim[s.rank - 1];
		attr[0] = attr_ints(pads, pads, 2 * s.rank);
		attr[1] = attr_float(value, hidden);
		mask = emit(c, OP_pad, &mask, 1, attr, 2);
	}
	return emit_cast(c, mask, t);
}

static bool sees(const struct attend *a, int64_t query, int64_t key)
{
	int64_t ahead = key - query - a->past;

	return (!a->causal || ahead <= 0) && (a->left < 0 || -ahead <= a->left) && (a->right < 0 || ahead <= a->right);
}

/* What queries see by their places: 0 or minus infinity; NO_ID: everything. */
static value_id place_mask(struct call *c, const struct attend *a, int64_t queries, int64_t keys, enum dtype t)
{
	struct shape s = { 2, { queries, keys } };
	float *list;

	if (!a->causal && a->left < 0 && a->right < 0)
		return NO_ID;
	if (queries * keys > MASK_LIMIT) {
		call_fail(c, "%lld queries and %lld keys are too many for a mask", (long long)queries, (long long)keys);
		return NO_ID;
	}
	list = arena_new_array(&c->im->scratch, float, (size_t)(queries * keys));
	for (int64_t i = 0; i < queries * keys; i++)
		list[i] = sees(a, i / keys, i % keys) ? 0 : -INFINITY;
	return emit_cast(c, graph_add_const_bytes(c->g, DTYPE_F32, s, list), t);
}

static value_id add_masks(struct call *c, value_id a, value_id b)
{
	return a == NO_ID ? b : b == NO_ID ? a : emit2(c, OP_add, a, b);
}

/* A row that sees nothing is 0 / 0, and means nothing: its weights are 0. */
static value_id masked_softmax(struct call *c, value_id s)
{
	value_id largest = emit_reduce(c, OP_reduce_max, s, 3, true);
	value_id none = emit2(c, OP_equal, largest, emit_like(c, s, -INFINITY));

	return emit3(c, OP_where, none, emit_like(c, s, 0), emit_with(c, OP_softmax, s, attr_int(axis, 3)));
}

/* softmax(f(scale q k') + mask) v, with the scores to look at. */
static value_id by_products(struct call *c, const struct attend *a, const value_id *in, double scale)
{
	struct attr attr[2] = { attr_int(trans_b, 1), attr_float(alpha, scale) };
	value_id s = emit(c, OP_matmul, in, 2, attr, 2), shown = s;

	if (a->cap != 0) {
		s = emit1(c, OP_tanh, emit2(c, OP_div, s, emit_like(c, s, a->cap)));
		s = emit2(c, OP_mul, s, emit_like(c, s, a->cap));
		shown = a->shown_mode == 1 ? s : shown;
	}
	if (in[3] != NO_ID)
		s = emit2(c, OP_add, s, in[3]);
	shown = a->shown_mode == 2 ? s : shown;
	s = in[3] != NO_ID ? masked_softmax(c, s) : emit_with(c, OP_softmax, s, attr_int(axis, 3));
	shown = a->shown_mode == 3 ? s : shown;
	if (a->shown)
		*a->shown = shown;
	return emit2(c, OP_matmul, s, in[2]);
}

/* A mask for `heads` by `queries` as one for groups of so many heads, whose queries are rows of one head. */
static value_id group_mask(struct call *c, value_id mask, int64_t heads, int64_t queries, int64_t each)
{
	struct shape s = shape_of(c, mask), four = { 4, { 1, 1, 1, 1 } }, five, joined;

	for (uint32_t i = 0; i < s.rank && i < 4; i++)
		four.dim[4 - s.rank + i] = s.dim[i];
	mask = emit_reshape(c, mask, &four);
	if (four.dim[1] == 1 && four.dim[2] == 1)
		return mask;
	five = (struct shape){ 5, { four.dim[0], 1, each, queries, four.dim[3] } };
	if (four.dim[1] == 1) {
		mask = emit_reshape(c, mask, &(struct shape){ 5, { four.dim[0], 1, 1, four.dim[2], four.dim[3] } });
		mask = emit_expand(c, mask, &five);
	} else {
		four.dim[2] = queries;
		mask = emit_expand(c, mask, &four);
	}
	joined = (struct shape){ 4, { four.dim[0], four.dim[1] == 1 ? 1 : heads / each, each * queries, four.dim[3] } };
	return emit_reshape(c, mask, &joined);
}

/* Few queries: those of a group's heads are rows of one head, whose keys and values nobody copies. */
static value_id attend_in_groups(struct call *c, value_id *in, struct attr scale)
{
	struct shape s = shape_of(c, in[0]), v = shape_of(c, in[2]);
	int64_t each = s.dim[1] / v.dim[1];

	if (in[3] != NO_ID)
		in[3] = group_mask(c, in[3], s.dim[1], s.dim[2], each);
	in[0] = emit_reshape(c, in[0], &(struct shape){ 4, { s.dim[0], v.dim[1], each * s.dim[2], s.dim[3] } });
	in[0] = emit(c, OP_attention, in, in[3] == NO_ID ? 3 : 4, &scale, 1);
	return emit_reshape(c, in[0], &(struct shape){ 4, { s.dim[0], s.dim[1], s.dim[2], v.dim[3] } });
}

value_id onnx_attend(struct call *c, const struct attend *a)
{
	struct shape sq = shape_of(c, a->q), sk = shape_of(c, a->k);
	double scale = a->scale != 0 ? a->scale : 1 / sqrt((double)(sq.dim[3] ? sq.dim[3] : 1));
	enum dtype t = dtype_of(c, a->q);
	value_id in[4];
	bool causal;
	struct attr attr[2];

	if (c->failed || sq.rank != 4 || sk.rank != 4 || !sk.dim[1] || sq.dim[1] % sk.dim[1]) {
		call_fail(c, "its queries and keys do not go together");
		return NO_ID;
	}
	in[0] = a->q;
	in[1] = a->k;
	in[2] = a->v;
	in[3] = a->mask == NO_ID ? NO_ID : read_mask(c, a->mask, t, sk.dim[2], -INFINITY);
	causal = a->causal && sq.dim[2] == sk.dim[2] && !a->past && a->left < 0 && a->right < 0 && a->cap == 0 && !a->shown;
	if (!causal)
		in[3] = add_masks(c, in[3], place_mask(c, a, sq.dim[2], sk.dim[2], t));
	attr[0] = attr_float(scale, scale);
	attr[1] = attr_int(causal, causal);
	if (sq.dim[1] > sk.dim[1] && sq.dim[2] <= FEW_QUERIES && !causal && a->cap == 0 && !a->shown)
		return attend_in_groups(c, in, attr[0]);
	in[1] = repeat_heads(c, a->k, sq.dim[1] / sk.dim[1]);
	in[2] = repeat_heads(c, a->v, sq.dim[1] / sk.dim[1]);
	if (a->cap != 0 || a->shown)
		return by_products(c, a, in, scale);
	return emit(c, OP_attention, in, in[3] == NO_ID ? 3 : 4, attr, 2);
}

value_id onnx_with_past(struct call *c, value_id x, uint32_t past, uint32_t present)
{
	if (call_in(c, past) != NO_ID)
		x = emit(c, OP_concat, (value_id[]){ call_in(c, past), x }, 2, &attr_int(axis, 2),
			 1);
	call_out(c, present, x);
	return x;
}

bool op_attention(struct call *c)
{
	struct attend a = { .mask = call_in(c, 3), .left = call_int(c, "left_window_size", -1),
			    .right = call_int(c, "right_window_size", -1), .causal = call_int(c, "is_causal", 0),
			    .scale = call_float(c, "scale", 0), .cap = call_float(c, "softcap", 0),
			    .shown_mode = call_int(c, "qk_matmul_output_mode", 0) };
	int64_t q_heads = call_int(c, "q_num_heads", 0), kv_heads = call_int(c, "kv_num_heads", 0);
	bool flat = shape_of(c, call_in(c, 0)).rank == 3;
	value_id y, shown = NO_ID;

	call_attr(c, "softmax_precision");
	if (call_has(c, 4))
		a.past = shape_of(c, call_in(c, 4)).dim[2];
	a.q = onnx_split_heads(c, call_in(c, 0), q_heads);
	a.k = onnx_with_past(c, onnx_split_heads(c, call_in(c, 1), kv_heads), 4, 1);
	a.v = onnx_with_past(c, onnx_split_heads(c, call_in(c, 2), kv_heads), 5, 2);
	if (call_has(c, 6) && !c->failed) { /* how many keys each batch has */
		value_id some = onnx_keys_below(c, call_in(c, 6), shape_of(c, a.k).dim[2]);

		if (a.mask == NO_ID)
			a.mask = some;
		else if (dtype_of(c, a.mask) == DTYPE_BOOL)
			a.mask = emit2(c, OP_logical_and, a.mask, some);
		else
			a.mask = emit3(c, OP_where, some, a.mask, emit_like(c, a.mask, -INFINITY));
	}
	if (call_wants(c, 3))
		a.shown = &shown;
	y = onnx_attend(c, &a);
	call_out(c, 0, flat && !c->failed ? onnx_join_heads(c, y) : y);
	call_out(c, 3, shown);
	return !c->failed;
}
