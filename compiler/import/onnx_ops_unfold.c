/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_unfold.c - windows laid out one behind the other: convolution with
 * weights that a run computes, where a pool's largest elements lie, and back.
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

/* ---- where the largest elements of windows lie, and elements put there */

/* 0, step, 2 step ... along axis `at` of something of that rank. */
static value_id ramp(struct call *c, int64_t n, int64_t first, int64_t step, uint32_t at, uint32_t rank)
{
	struct shape s = { .rank = rank };
	int64_t *list = arena_new_array(&c->im->scratch, int64_t, (size_t)n);

	for (int64_t i = 0; i < n; i++)
		list[i] = first + i * step;
	for (uint32_t i = 0; i < rank; i++)
		s.dim[i] = i == at ? n : 1;
	return emit_reshape(c, emit_ints(c, list, (uint32_t)n), &s);
}

static value_id by(struct call *c, enum op op, value_id x, int64_t number)
{
	return emit2(c, op, x, emit_scalar(c, DTYPE_I64, (double)number));
}

/* Indices into all of x[N,C,s..] laid end to end, of the first largest in each window. */
value_id onnx_pool_indices(struct call *c, value_id x, const struct onnx_window *p)
{
	struct shape s = shape_of(c, x), cut = { 2, { s.dim[0], s.dim[1] } };
	int64_t pads[2 * MAX_RANK] = { 0 }, perm[MAX_RANK] = { 0, 1 }, taps = 1, plane = 1;
	uint32_t n = p->spatial, r = 2;
	struct attr attr[2];
	value_id best, at;

	for (uint32_t i = 0; i < n; i++) {
		pads[2 + i] = p->pads[i];
		pads[s.rank + 2 + i] = p->pads[n + i] + p->strides[i]; /* a last window may reach further */
		taps *= p->kernel[i];
		plane *= s.dim[2 + i];
		perm[r++] = 2 + 2 * i;
		if (p->out[i] * p->kernel[i] > 1 << 22) {
			call_fail(c, "its image is too large for output 1");
			return NO_ID;
		}
	}
	if (shape_elements(&s) > INT64_C(1) << 31 || n > 3) {
		call_fail(c, "its image is too large for output 1");
		return NO_ID;
	}
	attr[0] = attr_ints(pads, pads, 2 * s.rank);
	attr[1] = attr_float(value, -__builtin_inf());
	x = emit(c, OP_pad, &x, 1, attr, 2);
	for (uint32_t i = 0; i < n; i++) {
		x = onnx_windows(c, x, 2 + i, p->out[i], p->kernel[i], p->strides[i], p->dilations[i]);
		cut.dim[cut.rank++] = p->out[i];
		cut.dim[cut.rank++] = p->kernel[i];
		perm[r++] = 3 + 2 * i;
	}
	x = emit_transpose(c, emit_reshape(c, x, &cut), perm);
	cut = (struct shape){ 2, { s.dim[0], s.dim[1] } };
	for (uint32_t i = 0; i < n; i++)
		cut.dim[cut.rank++] = p->out[i];
	cut.dim[cut.rank++] = taps;
	attr[0] = attr_int(axis, n + 2);
	attr[1] = attr_int(keepdims, 0);
	x = emit_reshape(c, x, &cut);
	best = emit(c, OP_arg_max, &x, 1, attr, 2);
	at = emit2(c, OP_add, ramp(c, s.dim[0], 0, s.dim[1] * plane, 0, s.rank), ramp(c, s.dim[1], 0, plane, 1, s.rank));
	for (uint32_t i = 0; i < n; i++) {
		taps /= p->kernel[i];
		plane /= s.dim[2 + i];
		at = emit2(c, OP_add, at, ramp(c, p->out[i], -p->pads[i] * plane, p->strides[i] * plane, 2 + i, s.rank));
		at = emit2(c, OP_add, at, by(c, OP_mul, by(c, OP_mod, by(c, OP_div, best, taps), p->kernel[i]), p->dilations[i] * plane));
	}
	return at;
}

static value_id scattered(struct call *c, value_id updates, value_id index, int64_t rows, int64_t width, int64_t count, int64_t mode)
{
	value_id in[3];

	in[0] = emit_expand(c, emit_like(c, updates, 0), &(struct shape){ 2, { rows, width } });
	in[1] = emit_reshape(c, index, &(struct shape){ 1, { count } });
	in[2] = emit_reshape(c, updates, &(struct shape){ 2, { count, width } });
	return emit(c, OP_scatter, in, 3, &attr_int(mode, mode), 1);
}

static int64_t listed(const int64_t *list, uint32_t n, uint32_t i, int64_t absent)
{
	return list && i < n ? list[i] : absent;
}

bool op_max_unpool(struct call *c)
{
	value_id x = call_in(c, 0);
	struct shape s = shape_of(c, x), is = shape_of(c, call_in(c, 1)), out = s;
	uint32_t n_kernel, n_strides, n_pads, n_given = 0, n = s.rank - 2;
	const int64_t *kernel = call_ints(c, "kernel_shape", &n_kernel), *strides = call_ints(c, "strides", &n_strides);
	const int64_t *pads = call_ints(c, "pads", &n_pads), *given = NULL;

	if (call_has(c, 2))
		given = call_known_ints(c, 2, "output_shape", &n_given);
	if (s.rank < 3 || !shape_equal(&s, &is) || !kernel || n_kernel != n || (strides && n_strides != n) ||
	    (pads && n_pads != 2 * n) || (given && n_given != s.rank))
		return call_fail(c, "its input, indices and attributes do not go together");
	for (uint32_t i = 0; i < n; i++) {
		int64_t step = listed(strides, n_strides, i, 1);

		out.dim[2 + i] = (s.dim[2 + i] - 1) * step + kernel[i] - listed(pads, n_pads, i, 0) - listed(pads, n_pads, n + i, 0);
		if (given)
			out.dim[2 + i] = given[2 + i];
		if (step < 1 || step > 1 << 20 || kernel[i] < 1 || out.dim[2 + i] < 1 || out.dim[2 + i] > 1 << 24)
			return call_fail(c, "its output would have size %lld", (long long)out.dim[2 + i]);
	}
	if (shape_elements(&out) < 1 || shape_elements(&out) > INT64_C(1) << 30)
		return call_fail(c, "its output has too many elements");
	x = scattered(c, x, call_in(c, 1), shape_elements(&out), 1, shape_elements(&s), SCATTER_SET);
	call_out(c, 0, emit_reshape(c, x, &out));
	return !c->failed;
}

/* Where element `i` of the windows lies in the image; outside of it: its size, which names nothing. */
static int64_t image_place(const struct onnx_window *p, int64_t i)
{
	int64_t places = 1, all = 1, at = 0, stride = 1, tap, place;
	bool inside = true;

	for (uint32_t k = 0; k < p->spatial; k++) {
		places *= p->out[k];
		all *= p->in[k];
	}
	tap = i / places;
	place = i % places;
	for (uint32_t k = p->spatial; k-- > 0; stride *= p->in[k]) {
		int64_t x = place % p->out[k] * p->strides[k] + tap % p->kernel[k] * p->dilations[k] - p->pads[k];

		inside = inside && x >= 0 && x < p->in[k];
		at += x * stride;
		place /= p->out[k];
		tap /= p->kernel[k];
	}
	return inside ? at : all;
}

static bool read_fold(struct call *c, struct onnx_window *p)
{
	uint32_t n_image, n_block, n_strides, n_pads, n_dilations;
	const int64_t *image = call_known_ints(c, 1, "image_shape", &n_image), *block = call_known_ints(c, 2, "block_shape", &n_block);
	const int64_t *strides = call_ints(c, "strides", &n_strides), *pads = call_ints(c, "pads", &n_pads);
	const int64_t *dilations = call_ints(c, "dilations", &n_dilations);

	if (!image || !block || n_image < 1 || n_image > ONNX_MAX_SPATIAL || n_block != n_image || (strides && n_strides != n_image) ||
	    (dilations && n_dilations != n_image) || (pads && n_pads != 2 * n_image))
		return call_fail(c, "its image, blocks and attributes do not go together");
	p->spatial = n_image;
	for (uint32_t i = 0; i < n_image; i++) {
		int64_t room, before = listed(pads, n_pads, i, 0), after = listed(pads, n_pads, n_image + i, 0);

		p->in[i] = image[i];
		p->kernel[i] = block[i];
		p->strides[i] = listed(strides, n_strides, i, 1);
		p->dilations[i] = listed(dilations, n_dilations, i, 1);
		p->pads[i] = before;
		if (image[i] < 1 || image[i] > 1 << 20 || block[i] < 1 || block[i] > 1 << 16 || p->strides[i] < 1 ||
		    p->dilations[i] < 1 || p->dilations[i] > 1 << 16 || before < 0 || after < 0 || before > 1 << 20 || after > 1 << 20)
			return call_fail(c, "its image, blocks and attributes do not go together");
		room = image[i] + before + after - (block[i] - 1) * p->dilations[i] - 1;
		if (room < 0)
			return call_fail(c, "its blocks are larger than its image");
		p->out[i] = room / p->strides[i] + 1;
	}
	return true;
}

/* Blocks, one in each column, added up where they lie in the image. */
bool op_col2im(struct call *c)
{
	static const int64_t turn[] = { 2, 3, 0, 1 }, swap[] = { 1, 0 };
	value_id x = call_in(c, 0);
	struct shape s = shape_of(c, x), image = { .rank = 2 };
	int64_t taps = 1, places = 1, pixels = 1, channels, *list;
	struct onnx_window p = { 0 };

	if (!read_fold(c, &p))
		return false;
	for (uint32_t i = 0; i < p.spatial; i++) {
		if (taps > (1 << 24) / p.kernel[i] || places > (1 << 24) / p.out[i] || pixels > (1 << 30) / p.in[i])
			return call_fail(c, "its image is too large");
		taps *= p.kernel[i];
		places *= p.out[i];
		pixels *= p.in[i];
		image.dim[image.rank++] = p.in[i];
	}
	if (s.rank != 3 || s.dim[1] % taps || s.dim[2] != places || taps > (1 << 24) / places)
		return call_fail(c, "%s does not hold blocks of %lld at %lld places", shape_string(&c->im->scratch, &s), (long long)taps,
				 (long long)places);
	channels = s.dim[1] / taps;
	list = arena_new_array(&c->im->scratch, int64_t, (size_t)(taps * places));
	for (int64_t i = 0; i < taps * places; i++)
		list[i] = image_place(&p, i);
	x = emit_transpose(c, emit_reshape(c, x, &(struct shape){ 4, { s.dim[0], channels, taps, places } }), turn);
	x = scattered(c, x, emit_ints(c, list, (uint32_t)(taps * places)), pixels, s.dim[0] * channels, taps * places, SCATTER_ADD);
	image.dim[0] = s.dim[0];
	image.dim[1] = channels;
	call_out(c, 0, emit_reshape(c, emit_transpose(c, x, swap), &image));
	return !c->failed;
}
