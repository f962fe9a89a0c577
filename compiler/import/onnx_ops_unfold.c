/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_unfold.c - convolution with weights that a run computes: windows
 * laid out as rows, times the weights.
 *
 * The kernels of OP_conv read weights that were packed when the plan was
 * written. A network that computes its weights has few of them.
 */
#include "config.h"

#include "import/onnx_ops.h"

/* Whether the value depends on an input of the model. */
bool onnx_is_computed(const struct call *c, value_id v)
{
	uint8_t *seen = arena_new_array(&c->im->scratch, uint8_t, c->g->values.len);
	VEC(value_id) todo = { 0 };

	if (v == NO_ID)
		return false;
	vec_push(&c->im->scratch, &todo, v);
	while (todo.len) {
		const struct value *x = graph_value(c->g, v = todo.data[--todo.len]);
		const struct node *n;

		if (seen[v]++)
			continue;
		if (x->kind == VALUE_INPUT)
			return true;
		if (x->kind == VALUE_CONST)
			continue;
		n = graph_node(c->g, x->producer);
		for (uint32_t i = 0; i < n->in_count; i++)
			if (n->in[i] != NO_ID && !seen[n->in[i]])
				vec_push(&c->im->scratch, &todo, n->in[i]);
	}
	return false;
}

/* Along one axis, all elements of the first window, then those of the second, and so on. */
value_id onnx_windows(struct call *c, value_id x, uint32_t at, int64_t out, int64_t kernel, int64_t stride, int64_t dilation)
{
	int64_t *list = arena_new_array(&c->im->scratch, int64_t, (size_t)(out * kernel));

	for (int64_t i = 0; i < out * kernel; i++)
		list[i] = i / kernel * stride + i % kernel * dilation;
	return emit(c, OP_gather, (value_id[]){ x, emit_ints(c, list, (uint32_t)(out * kernel)) }, 2, &attr_int(axis, at), 1);
}

/* x[N,C,s..] with pads, w[O,C/group,k..]; the result is channels-first as well. */
value_id onnx_unfolded_conv(struct call *c, value_id x, value_id w, value_id bias, const struct onnx_window *p, int64_t group)
{
	struct shape s = shape_of(c, x), ws = shape_of(c, w), cut = { 0 }, result = { 0 }, b;
	int64_t pads[2 * MAX_RANK] = { 0 }, perm[MAX_RANK] = { 0 }, back[MAX_RANK] = { 0 }, places = s.dim[0], taps = 1;
	uint32_t n = p->spatial, rank = s.rank, r = 0;
	struct attr attr[2], turn = attr_int(trans_b, 1);
	value_id in[2];

	if (n > 2 || group < 1 || s.dim[1] % group || ws.dim[0] % group || ws.dim[1] * group != s.dim[1]) {
		call_fail(c, "weights that are computed while the model runs are supported for one or two spatial axes, and must fit");
		return NO_ID;
	}
	for (uint32_t i = 0; i < n; i++) {
		pads[2 + i] = p->pads[i];
		pads[rank + 2 + i] = p->pads[n + i];
		if (p->out[i] * p->kernel[i] > 1 << 22) {
			call_fail(c, "its image is too large for weights that are computed while the model runs");
			return NO_ID;
		}
		places *= p->out[i];
		taps *= p->kernel[i];
	}
	attr[0] = attr_ints(pads, pads, 2 * rank);
	attr[1] = attr_float(value, 0);
	x = emit(c, OP_pad, &x, 1, attr, 2);
	cut.dim[cut.rank++] = s.dim[0]; /* [N, group, C/group, (out, kernel)..] */
	cut.dim[cut.rank++] = group;
	cut.dim[cut.rank++] = s.dim[1] / group;
	perm[r++] = 1;
	perm[r++] = 0;
	for (uint32_t i = 0; i < n; i++) {
		x = onnx_windows(c, x, 2 + i, p->out[i], p->kernel[i], p->strides[i], p->dilations[i]);
		cut.dim[cut.rank++] = p->out[i];
		cut.dim[cut.rank++] = p->kernel[i];
		perm[r++] = 3 + 2 * i;
	}
	perm[r++] = 2;
	for (uint32_t i = 0; i < n; i++)
		perm[r++] = 4 + 2 * i;
	x = emit_transpose(c, emit_reshape(c, x, &cut), perm); /* [group, N, out.., C/group, kernel..] */
	in[0] = emit_reshape(c, x, &(struct shape){ 3, { group, places, s.dim[1] / group * taps } });
	in[1] = emit_reshape(c, w, &(struct shape){ 3, { group, ws.dim[0] / group, ws.dim[1] * taps } });
	x = emit(c, OP_matmul, in, 2, &turn, 1); /* [group, N out.., O/group] */
	cut = (struct shape){ 2, { group, s.dim[0] } };
	result = (struct shape){ 2, { s.dim[0], ws.dim[0] } };
	for (uint32_t i = 0; i < n; i++) {
		cut.dim[cut.rank++] = p->out[i];
		result.dim[result.rank++] = p->out[i];
		back[3 + i] = 2 + i;
	}
	cut.dim[cut.rank++] = ws.dim[0] / group;
	back[0] = 1;
	back[2] = cut.rank - 1;
	x = emit_reshape(c, emit_transpose(c, emit_reshape(c, x, &cut), back), &result);
	if (bias == NO_ID)
		return x;
	b = (struct shape){ .rank = rank - 1, .dim = { ws.dim[0] } };
	for (uint32_t i = 1; i < b.rank; i++)
		b.dim[i] = 1;
	return emit2(c, OP_add, x, emit_reshape(c, bias, &b));
}
