/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_contrib_attention.c - attention as com.microsoft has it.
 *
 * There masks are lengths or integers as well as numbers to add, projections and
 * positions are a part of it, and what is past stands before or in one tensor
 * with its keys and values.
 */
#include "config.h"

#include "import/onnx_ops.h"

#include <math.h>

/* Keys that a mask of integers hides, as [batch, 1, 1 or queries, keys] of bool; NO_ID: none. */
static value_id key_mask(struct call *c, value_id mask, int64_t batch, int64_t keys)
{
	struct shape s = shape_of(c, mask);
	value_id place, length;
	int64_t *list;

	if (mask == NO_ID)
		return NO_ID;
	if (s.rank > 1)
		mask = emit_cast(c, mask, DTYPE_BOOL);
	if (s.rank == 2 && s.dim[0] == batch && s.dim[1] == keys)
		return emit_reshape(c, mask, &(struct shape){ 4, { batch, 1, 1, keys } });
	if (s.rank == 3)
		return emit_reshape(c, mask, &(struct shape){ 4, { s.dim[0], 1, s.dim[1], s.dim[2] } });
	if (s.rank != 1 || s.dim[0] != batch || keys > 1 << 24) {
		call_fail(c, "a mask of %s is not supported", shape_string(&c->im->scratch, &s));
		return NO_ID;
	}
	list = arena_new_array(&c->im->scratch, int64_t, (size_t)keys);
	for (int64_t i = 0; i < keys; i++)
		list[i] = i;
	place = emit_ints(c, list, (uint32_t)keys);
	length = emit_reshape(c, emit_cast(c, mask, DTYPE_I64), &(struct shape){ 4, { batch, 1, 1, 1 } });
	return emit2(c, OP_less, place, length);
}

/* Both what hides keys and what is added to scores. */
static value_id whole_mask(struct call *c, value_id hides, value_id added, enum dtype t, double hidden)
{
	if (hides == NO_ID)
		return added;
	hides = emit3(c, OP_where, hides, emit_scalar(c, t, 0), emit_scalar(c, t, hidden));
	return added == NO_ID ? hides : emit2(c, OP_add, hides, added);
}

/* A third of what a product gave: queries, keys or values. */
static value_id part(struct call *c, value_id x, int64_t first, int64_t count, int64_t heads)
{
	struct shape s = shape_of(c, x);

	return c->failed ? NO_ID : onnx_split_heads(c, emit_slice(c, x, s.rank - 1, first, count), heads);
}

/* Half `which` of [2, batch, heads, length, size]. */
static value_id past_half(struct call *c, value_id past, int64_t which)
{
	struct shape s = shape_of(c, past), less = { 4, { s.dim[1], s.dim[2], s.dim[3], s.dim[4] } };

	return emit_reshape(c, emit_slice(c, past, 0, which, 1), &less);
}

static value_id stacked(struct call *c, value_id k, value_id v)
{
	struct shape s = shape_of(c, k), one = { 5, { 1, s.dim[0], s.dim[1], s.dim[2], s.dim[3] } };
	value_id in[2] = { emit_reshape(c, k, &one), emit_reshape(c, v, &one) };

	return emit(c, OP_concat, in, 2, &attr_int(axis, 0), 1);
}

/* Attention and QAttention: x times one matrix is queries, keys and values. */
static bool self_attention(struct call *c, value_id x, value_id w, value_id bias, value_id mask, value_id past,
			   value_id added)
{
	int64_t heads = call_int(c, "num_heads", 0), size[3];
	double hidden = call_float(c, "mask_filter_value", -10000);
	struct shape xs = shape_of(c, x), ws = shape_of(c, w);
	struct attend a = { .causal = call_int(c, "unidirectional", 0), .scale = call_float(c, "scale", 0), .left = -1, .right = -1 };
	const int64_t *sizes;
	value_id all;
	uint32_t n;

	sizes = call_ints(c, "qkv_hidden_sizes", &n);
	if (call_int(c, "do_rotary", 0) || (sizes && n != 3) || heads < 1 || xs.rank != 3 || ws.rank != 2)
		return call_fail(c, "this form of it is not supported");
	for (uint32_t i = 0; i < 3; i++) {
		size[i] = sizes ? sizes[i] : ws.dim[1] / 3;
		if (size[i] < heads || size[i] > ws.dim[1])
			return call_fail(c, "its weights do not fit its heads");
	}
	if (size[0] + size[1] + size[2] != ws.dim[1])
		return call_fail(c, "its weights do not fit its heads");
	all = onnx_matmul(c, x, w);
	all = bias == NO_ID ? all : emit2(c, OP_add, all, bias);
	a.q = part(c, all, 0, size[0], heads);
	a.k = part(c, all, size[0], size[1], heads);
	a.v = part(c, all, size[0] + size[1], size[2], heads);
	if (past != NO_ID && !c->failed) {
		value_id k[2] = { past_half(c, past, 0), a.k }, v[2] = { past_half(c, past, 1), a.v };

		if (shape_of(c, past).rank != 5)
			return call_fail(c, "what is past must have five axes");
		a.past = shape_of(c, past).dim[3];
		a.k = emit(c, OP_concat, k, 2, &attr_int(axis, 2), 1);
		a.v = emit(c, OP_concat, v, 2, &attr_int(axis, 2), 1);
	}
	mask = key_mask(c, mask, xs.dim[0], c->failed ? 0 : shape_of(c, a.k).dim[2]);
	a.mask = whole_mask(c, mask, added, dtype_of(c, x), hidden);
	call_out(c, 0, onnx_join_heads(c, onnx_attend(c, &a)));
	if (call_wants(c, 1))
		call_out(c, 1, stacked(c, a.k, a.v));
	return call_refuse_outputs(c, 2) && !c->failed;
}

bool op_ms_attention(struct call *c)
{
	if (call_has(c, 6))
		return call_fail(c, "input 6 (past_sequence_length) is not supported");
	return self_attention(c, call_in(c, 0), call_in(c, 1), call_in(c, 2), call_in(c, 3), call_in(c, 4), call_in(c, 5));
}

/* Queries, keys or values with their part of the bias; what has four axes has heads already. */
static value_id one_input(struct call *c, uint32_t i, int64_t from, int64_t heads)
{
	value_id x = call_in(c, i), bias = call_in(c, 3);
	struct shape s = shape_of(c, x);

	if (x == NO_ID || (s.rank != 3 && s.rank != 4)) {
		call_fail(c, "input %u in this form is not supported", i);
		return NO_ID;
	}
	if (s.rank == 3 && bias != NO_ID) {
		struct shape bs = shape_of(c, bias);

		if (bs.rank != 1 || from + s.dim[2] > bs.dim[0]) {
			call_fail(c, "its bias does not fit");
			return NO_ID;
		}
		x = emit2(c, OP_add, x, emit_slice(c, bias, 0, from, s.dim[2]));
	}
	return onnx_split_heads(c, x, heads);
}

bool op_multi_head_attention(struct call *c)
{
	int64_t heads = call_int(c, "num_heads", 0), width = shape_of(c, call_in(c, 0)).dim[2];
	double hidden = call_float(c, "mask_filter_value", -10000);
	struct attend a = { .causal = call_int(c, "unidirectional", 0), .scale = call_float(c, "scale", 0), .left = -1, .right = -1 };
	value_id mask, shown = NO_ID;

	if (shape_of(c, call_in(c, 0)).rank != 3)
		return call_fail(c, "packed queries, keys and values are not supported");
	for (uint32_t i = 8; i < c->node->n_input; i++)
		if (call_has(c, i))
			return call_fail(c, "input %u is not supported", i);
	a.q = one_input(c, 0, 0, heads);
	a.k = one_input(c, 1, width, heads);
	a.v = one_input(c, 2, 2 * width, heads);
	if (call_has(c, 6))
		a.past = shape_of(c, call_in(c, 6)).dim[2];
	a.k = onnx_with_past(c, a.k, 6, 1);
	a.v = onnx_with_past(c, a.v, 7, 2);
	if (c->failed)
		return false;
	mask = key_mask(c, call_in(c, 4), shape_of(c, a.q).dim[0], shape_of(c, a.k).dim[2]);
	a.mask = whole_mask(c, mask, call_in(c, 5), dtype_of(c, a.q), hidden);
	if (call_wants(c, 3))
		a.shown = &shown;
	call_out(c, 0, onnx_join_heads(c, onnx_attend(c, &a)));
	call_out(c, 3, shown);
	return !c->failed;
}

bool op_qattention(struct call *c)
{
	value_id x = onnx_dequantized(c, call_in(c, 0), call_in(c, 3), call_in(c, 6), UINT32_MAX);
	value_id w = onnx_dequantized(c, call_in(c, 1), call_in(c, 4), call_in(c, 7), 1);

	return self_attention(c, x, w, call_in(c, 2), call_in(c, 5), call_in(c, 8), NO_ID);
}

/* ---- queries in groups, each with one key and value head */

/*
 * What is past is as long as its tensors and the new keys come behind it: then places are known now. Or the tensors have
 * room for more (`fills`): the new keys begin where a run says, and `total` keys are looked at.
 */
struct past {
	bool fills;
	int64_t total;
	value_id from; /* the place of the first new key, of each batch */
};

/* seqlens_k is how many keys a batch has in all, less one. */
static bool read_fill(struct call *c, struct past *p, int64_t now)
{
	p->fills = true;
	if (p->total == now) /* all keys are new */
		p->from = emit_scalar(c, DTYPE_I64, 0);
	else
		p->from = emit2(c, OP_add, emit_cast(c, call_in(c, 5), DTYPE_I64), emit_scalar(c, DTYPE_I64, (double)(1 - now)));
	return !c->failed;
}

static bool read_past(struct call *c, struct past *p, int64_t batch, int64_t past, int64_t now)
{
	const int64_t *total, *ends;
	uint32_t n;

	*p = (struct past){ .total = past + now, .from = NO_ID };
	total = call_known_ints(c, 6, "total_sequence_length", &n);
	if (!total || n != 1)
		return call_fail(c, "its total_sequence_length must be one number");
	if (total[0] >= now && total[0] <= past) {
		p->total = total[0];
		return read_fill(c, p, now);
	}
	if (total[0] != past + now)
		return call_fail(c, "a past of %lld and %lld new keys are not the %lld in all that it names",
				 (long long)past, (long long)now, (long long)total[0]);
	if (batch == 1 || !past)
		return true;
	ends = call_known_ints(c, 5, "seqlens_k", &n); /* of which one batch has only one */
	for (uint32_t i = 0; ends && i < n; i++)
		if (ends[i] + 1 != total[0])
			return call_fail(c, "texts of different lengths behind a past that grows are not supported");
	return ends != NULL;
}

/* The places of `now` keys behind `past` others, or what the file says about them. */
static value_id places(struct call *c, uint32_t input, int64_t past, int64_t now)
{
	int64_t *list;

	if (call_in(c, input) != NO_ID)
		return call_in(c, input);
	if (now > 1 << 20) {
		call_fail(c, "%lld positions are too many", (long long)now);
		return NO_ID;
	}
	list = arena_new_array(&c->im->scratch, int64_t, (size_t)now);
	for (int64_t i = 0; i < now; i++)
		list[i] = past + i;
	return emit_ints(c, list, (uint32_t)now);
}

/* Queries, keys and values, which may be one tensor. */
static bool split_packed(struct call *c, value_id *q, value_id *k, value_id *v, int64_t heads, int64_t groups)
{
	struct shape s = shape_of(c, call_in(c, 0));
	int64_t size;

	*q = call_in(c, 0);
	*k = call_in(c, 1);
	*v = call_in(c, 2);
	if (s.rank != 3 || heads < 1 || groups < 1 || (*k == NO_ID) != (*v == NO_ID))
		return call_fail(c, "this form of it is not supported");
	if (*k != NO_ID)
		return true;
	size = s.dim[2] / (heads + 2 * groups);
	if (size < 1 || size * (heads + 2 * groups) != s.dim[2])
		return call_fail(c, "its input does not fit its heads");
	*k = emit_slice(c, *q, 2, heads * size, groups * size);
	*v = emit_slice(c, *q, 2, (heads + groups) * size, groups * size);
	*q = emit_slice(c, *q, 2, 0, heads * size);
	return !c->failed;
}

/* The new keys and values in their places, and a mask of what each query sees. */
static void fill(struct call *c, struct attend *a, const struct past *p)
{
	int64_t now = shape_of(c, a->k).dim[2];
	enum dtype t = dtype_of(c, a->q);
	value_id seen;

	a->k = onnx_cache_write(c, call_in(c, 3), a->k, p->from, 2, false);
	a->v = onnx_cache_write(c, call_in(c, 4), a->v, p->from, 2, false);
	call_out(c, 1, a->k);
	call_out(c, 2, a->v);
	if (c->failed)
		return;
	a->k = emit_slice(c, a->k, 2, 0, p->total);
	a->v = emit_slice(c, a->v, 2, 0, p->total);
	seen = onnx_cache_seen(c, p->from, now, p->total, a->left);
	a->mask = whole_mask(c, seen, a->mask, t, -INFINITY);
	a->causal = false;
	a->left = -1;
	a->past = 0;
}

bool op_group_query_attention(struct call *c)
{
	int64_t heads = call_int(c, "num_heads", 0), groups = call_int(c, "kv_num_heads", 0), window = call_int(c, "local_window_size", -1);
	struct attend a = { .causal = true, .scale = call_float(c, "scale", 0), .cap = call_float(c, "softcap", 0), .right = -1 };
	struct turning t = { .cosine = call_in(c, 7), .sine = call_in(c, 8), .interleaved = call_int(c, "rotary_interleaved", 0) };
	bool turn = call_int(c, "do_rotary", 0);
	struct past p;
	struct shape s;

	for (uint32_t i = 11; i < c->node->n_input; i++)
		if (call_has(c, i))
			return call_fail(c, "input %u is not supported", i);
	if (call_int(c, "smooth_softmax", 0) > 0 || call_int(c, "qk_output", 0) || !call_int(c, "causal", 1))
		return call_fail(c, "this form of it is not supported");
	if (!split_packed(c, &a.q, &a.k, &a.v, heads, groups))
		return false;
	s = shape_of(c, a.k);
	a.past = call_has(c, 3) ? shape_of(c, call_in(c, 3)).dim[2] : 0;
	a.left = window < 1 ? -1 : window - 1; /* the query's own place is counted */
	a.mask = call_in(c, 10);
	if (s.rank != 3 || !read_past(c, &p, s.dim[0], a.past, s.dim[1]))
		return call_fail(c, "its keys must have three axes");
	if (turn) {
		t.positions = p.fills && !call_has(c, 9) ? onnx_cache_places(c, p.from, s.dim[1]) : places(c, 9, a.past, s.dim[1]);
		t.turned = 2 * shape_of(c, t.cosine).dim[1];
		t.heads = heads;
		a.q = onnx_turned(c, a.q, &t);
		t.heads = groups;
		a.k = onnx_turned(c, a.k, &t);
	}
	a.q = onnx_split_heads(c, a.q, heads);
	a.k = onnx_split_heads(c, a.k, groups);
	a.v = onnx_split_heads(c, a.v, groups);
	if (p.fills) {
		fill(c, &a, &p);
	} else {
		a.k = onnx_with_past(c, a.k, 3, 1);
		a.v = onnx_with_past(c, a.v, 4, 2);
	}
	call_out(c, 0, onnx_join_heads(c, onnx_attend(c, &a)));
	return call_refuse_outputs(c, 3) && !c->failed;
}

/* Positions come second, and one alone is where the sequence begins. */
bool op_ms_rotary(struct call *c)
{
	value_id x = call_in(c, 0), at = call_in(c, 1);
	struct shape s = shape_of(c, x), ps = shape_of(c, at);
	struct turning t = { .cosine = call_in(c, 2), .sine = call_in(c, 3), .heads = call_int(c, "num_heads", 0),
			     .turned = call_int(c, "rotary_embedding_dim", 0), .interleaved = call_int(c, "interleaved", 0) };

	call_attr(c, "is_packed_batching");
	if (call_float(c, "scale", 1) != 1 || (s.rank != 3 && s.rank != 4) || shape_of(c, t.cosine).rank != 2)
		return call_fail(c, "this form of it is not supported");
	if (!t.turned && !t.heads)
		t.turned = 2 * shape_of(c, t.cosine).dim[1];
	if (s.rank == 3 && !t.heads && t.turned)
		t.heads = s.dim[2] / t.turned;
	t.positions = ps.rank < 2 ? emit2(c, OP_add, places(c, UINT32_MAX, 0, s.dim[s.rank - 2]), at) : at;
	call_out(c, 0, onnx_turned(c, x, &t));
	return !c->failed;
}
