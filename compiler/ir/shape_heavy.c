/* SPDX-License-Identifier: Apache-2.0 */
/* shape_heavy.c - shapes of dense arithmetic, recurrences, pooling and reductions. */
#include "config.h"

#include "ir/shape.h"

static const char *text(struct arena *tmp, const struct value *v)
{
	return shape_string(tmp, &v->shape);
}

/* All inputs that are there must have the type of the first. */
static bool same_type(struct inference *c, uint32_t count)
{
	for (uint32_t i = 0; i < count; i++) {
		const struct value *v = infer_input(c, i);

		if (v && v->dtype != c->dtype[0])
			return infer_fail(c, "types %s and %s differ", dtype_name(c->dtype[0]),
					  dtype_name(v->dtype));
	}
	return true;
}

/* Input i, where present, has exactly this shape. */
static bool has_shape(struct inference *c, uint32_t i, const char *what, struct shape want)
{
	const struct value *v = infer_input(c, i);
	struct arena tmp = { 0 };

	if (!v || shape_equal(&v->shape, &want))
		return true;
	infer_fail(c, "%s must be %s, and is %s", what, shape_string(&tmp, &want), text(&tmp, v));
	arena_release(&tmp);
	return false;
}

#define SHAPE(...)                                                                                 \
	shape_of((const int64_t[]){ __VA_ARGS__ }, sizeof((const int64_t[]){ __VA_ARGS__ }) / 8)
static struct shape shape_of(const int64_t *dim, size_t rank)
{
	struct shape s = { .rank = (uint32_t)rank };

	for (size_t i = 0; i < rank; i++)
		s.dim[i] = dim[i];
	return s;
}

static bool infer_matmul(struct inference *c)
{
	const struct value *a = infer_input(c, 0), *b = infer_input(c, 1),
			   *bias = infer_input(c, 2);
	uint32_t ra = a->shape.rank, rb = b->shape.rank;
	int64_t m, k, k2, n;
	struct shape batch_a, batch_b, out;
	struct arena tmp = { 0 };

	if (ra < 2 || rb < 2)
		return infer_fail(c, "both operands need two axes or more");
	m = a->shape.dim[ra - 2];
	k = a->shape.dim[ra - 1];
	if (node_int(c->n, ATTR_trans_a, 0)) {
		m = a->shape.dim[ra - 1];
		k = a->shape.dim[ra - 2];
	}
	k2 = b->shape.dim[rb - 2];
	n = b->shape.dim[rb - 1];
	if (node_int(c->n, ATTR_trans_b, 0)) {
		k2 = b->shape.dim[rb - 1];
		n = b->shape.dim[rb - 2];
	}
	if (k != k2) {
		infer_fail(c, "inner sizes %lld and %lld of %s and %s differ", (long long)k,
			   (long long)k2, text(&tmp, a), text(&tmp, b));
		if (c->d && !node_int(c->n, ATTR_trans_b, 0) && b->shape.dim[rb - 1] == k)
			diag_hint(c->d, "The right operand seems to be transposed.");
		arena_release(&tmp);
		return false;
	}
	batch_a = a->shape;
	batch_b = b->shape;
	batch_a.rank -= 2;
	batch_b.rank -= 2;
	if (!shape_broadcast(&batch_a, &batch_b, &out)) {
		infer_fail(c, "batches of %s and %s do not broadcast", text(&tmp, a),
			   text(&tmp, b));
		arena_release(&tmp);
		return false;
	}
	out.dim[out.rank++] = m;
	out.dim[out.rank++] = n;
	if (bias &&
	    (!shape_broadcast(&out, &bias->shape, &batch_a) || !shape_equal(&batch_a, &out))) {
		infer_fail(c, "a bias of %s does not broadcast to %s", text(&tmp, bias),
			   shape_string(&tmp, &out));
		arena_release(&tmp);
		return false;
	}
	c->shape[0] = out;
	return same_type(c, 3);
}

/* Window parameters of convolution and pooling: positive, and small enough to calculate with. */
static bool window_ok(struct inference *c, uint32_t spatial, const int64_t **stride,
		      const int64_t **pads, const int64_t **dilation)
{
	*stride = infer_list(c, ATTR_strides, spatial);
	*pads = *stride ? infer_list(c, ATTR_pads, 2 * spatial) : NULL;
	*dilation = *pads ? infer_list(c, ATTR_dilations, spatial) : NULL;
	if (!*dilation)
		return false;
	for (uint32_t i = 0; i < spatial; i++) {
		if ((*stride)[i] < 1 || (*dilation)[i] < 1)
			return infer_fail(c, "strides and dilations must be positive");
		if ((*stride)[i] > INT32_MAX || (*dilation)[i] > INT32_MAX)
			return infer_fail(c, "strides or dilations are too large");
	}
	for (uint32_t i = 0; i < 2 * spatial; i++) {
		if ((*pads)[i] < -INT32_MAX || (*pads)[i] > INT32_MAX)
			return infer_fail(c, "a padding of %lld is out of range",
					  (long long)(*pads)[i]);
	}
	return true;
}

bool infer_convolution(struct inference *c, const struct shape *x, bool transposed)
{
	const struct value *w = infer_input(c, 1);
	const int64_t *stride, *pads, *dilation, *extra = NULL;
	uint32_t rank = x->rank, spatial = rank - 2;
	int64_t group = node_int(c->n, ATTR_group, 1), channels, outputs;
	struct arena tmp = { 0 };
	struct shape out;

	if (rank < 3 || rank > 5 || w->shape.rank != rank) {
		infer_fail(c, "%s and weights %s are no images of one to three spatial axes",
			   shape_string(&tmp, x), text(&tmp, w));
		arena_release(&tmp);
		return false;
	}
	if (!window_ok(c, spatial, &stride, &pads, &dilation))
		return false;
	if (transposed && !(extra = infer_list(c, ATTR_output_padding, spatial)))
		return false;
	if (group < 1 || group > w->shape.dim[0] || w->shape.dim[0] % group ||
	    w->shape.dim[1] > INT32_MAX || group > INT32_MAX)
		return infer_fail(c, "%lld filters cannot be split into %lld groups",
				  (long long)w->shape.dim[0], (long long)group);
	channels = transposed ? w->shape.dim[0] : w->shape.dim[1] * group;
	outputs = transposed ? w->shape.dim[1] * group : w->shape.dim[0];
	if (channels != x->dim[rank - 1]) {
		infer_fail(c, "the input %s has %lld channels and the weights %s are for %lld",
			   shape_string(&tmp, x), (long long)x->dim[rank - 1], text(&tmp, w),
			   (long long)channels);
		arena_release(&tmp);
		return false;
	}
	out = *x;
	out.dim[rank - 1] = outputs;
	for (uint32_t i = 0; i < spatial; i++) {
		int64_t k = w->shape.dim[i + 2], size;

		if (k < 1 || k > INT32_MAX || x->dim[i + 1] > INT32_MAX)
			return infer_fail(c, "a spatial size is out of range");
		size = dilation[i] * (k - 1) + 1;
		if (transposed) {
			if (extra[i] < 0 || extra[i] > INT32_MAX)
				return infer_fail(c, "output padding is out of range");
			size += (x->dim[i + 1] - 1) * stride[i] + extra[i] - pads[i] -
				pads[i + spatial];
			if (x->dim[i + 1] < 1 || size < 1)
				return infer_fail(c, "nothing is left of spatial axis %u", i);
			out.dim[i + 1] = size;
			continue;
		}
		size = x->dim[i + 1] + pads[i] + pads[i + spatial] - size;
		if (size < 0)
			return infer_fail(
				c, "the window is larger than spatial axis %u, padding included",
				i);
		out.dim[i + 1] = size / stride[i] + 1;
	}
	c->shape[0] = out;
	return has_shape(c, 2, "the bias", SHAPE(outputs));
}

static bool infer_conv(struct inference *c, bool transposed)
{
	return infer_convolution(c, &infer_input(c, 0)->shape, transposed) && same_type(c, 3);
}

static bool infer_attention(struct inference *c)
{
	const struct value *q = infer_input(c, 0), *k = infer_input(c, 1), *v = infer_input(c, 2);
	const struct value *mask = infer_input(c, 3);
	uint32_t r = q->shape.rank;
	struct shape want, scores, both;
	struct arena tmp = { 0 };

	if (r < 2 || k->shape.rank != r || v->shape.rank != r)
		return infer_fail(
			c, "queries, keys and values must have the same rank of two or more");
	want = q->shape;
	want.dim[r - 2] = k->shape.dim[r - 2];
	if (!has_shape(c, 1, "the keys", want))
		return false;
	want.dim[r - 1] = v->shape.dim[r - 1];
	if (!has_shape(c, 2, "the values", want))
		return false;
	scores = q->shape;
	scores.dim[r - 1] = k->shape.dim[r - 2];
	if (mask &&
	    (!shape_broadcast(&scores, &mask->shape, &both) || !shape_equal(&both, &scores))) {
		infer_fail(c, "a mask of %s does not broadcast to scores %s", text(&tmp, mask),
			   shape_string(&tmp, &scores));
		arena_release(&tmp);
		return false;
	}
	c->shape[0] = q->shape;
	c->shape[0].dim[r - 1] = v->shape.dim[r - 1];
	return same_type(c, 4);
}

/* Absent: the usual ones. alphas and betas: one for each activation. */
static bool activations_ok(struct inference *c, uint32_t count)
{
	const struct attr *a = node_attr(c->n, ATTR_activations);
	const struct attr *alphas = node_attr(c->n, ATTR_alphas),
			  *betas = node_attr(c->n, ATTR_betas);

	if ((a && a->count != count) || (alphas && alphas->count != count) ||
	    (betas && betas->count != count))
		return infer_fail(c, "it takes %u activations", count);
	for (uint32_t i = 0; a && i < count; i++) {
		if (a->ints[i] < 0 || a->ints[i] > RNN_AFFINE)
			return infer_fail(c, "activation %lld is unknown", (long long)a->ints[i]);
	}
	return true;
}

static bool infer_rnn(struct inference *c, int64_t gates, int64_t bias_parts)
{
	const struct value *x = infer_input(c, 0), *w = infer_input(c, 1),
			   *lens = infer_input(c, 4);
	int64_t hidden = node_int(c->n, ATTR_hidden, 0),
		direction = node_int(c->n, ATTR_direction, 0);
	int64_t layout = node_int(c->n, ATTR_layout, 0), dirs, steps, batch, in;
	struct shape state;

	if (x->shape.rank != 3)
		return infer_fail(c, "the sequence must have three axes, and has %u",
				  x->shape.rank);
	if (hidden < 1 || hidden > INT32_MAX || direction < 0 || direction > RNN_BIDIRECTIONAL ||
	    layout < 0 || layout > 1)
		return infer_fail(c, "hidden size, direction or layout is out of range");
	dirs = direction == RNN_BIDIRECTIONAL ? 2 : 1;
	if (!activations_ok(c, (uint32_t)(dirs * (c->n->op == OP_lstm ? 3 : 2))))
		return false;
	steps = x->shape.dim[layout ? 1 : 0];
	batch = x->shape.dim[layout ? 0 : 1];
	in = x->shape.dim[2];
	state = layout ? SHAPE(batch, dirs, hidden) : SHAPE(dirs, batch, hidden);
	if (!has_shape(c, 1, "the input weights", SHAPE(dirs, gates * hidden, in)) ||
	    !has_shape(c, 2, "the recurrent weights", SHAPE(dirs, gates * hidden, hidden)) ||
	    !has_shape(c, 3, "the bias", SHAPE(dirs, bias_parts * hidden)) ||
	    !has_shape(c, 4, "the list of lengths", SHAPE(batch)) ||
	    !has_shape(c, 5, "the initial state", state))
		return false;
	if (lens && lens->dtype != DTYPE_I32)
		return infer_fail(c, "lengths must be i32, and are %s", dtype_name(lens->dtype));
	if (c->n->op == OP_lstm && (!has_shape(c, 6, "the initial cell", state) ||
				    !has_shape(c, 7, "the peepholes", SHAPE(dirs, 3 * hidden))))
		return false;
	for (uint32_t i = 0; i < c->n->in_count; i++) {
		const struct value *v = infer_input(c, i);

		if (v && i != 4 && v->dtype != w->dtype)
			return infer_fail(c, "types %s and %s differ", dtype_name(w->dtype),
					  dtype_name(v->dtype));
	}
	c->shape[0] =
		layout ? SHAPE(batch, steps, dirs, hidden) : SHAPE(steps, dirs, batch, hidden);
	for (int i = 1; i < op_info(c->n->op)->outs; i++) {
		c->shape[i] = state;
		c->dtype[i] = c->dtype[0];
	}
	return true;
}

bool infer_heavy(struct inference *c)
{
	c->dtype[0] = infer_input(c, 0)->dtype;
	if (!dtype_is_float(c->dtype[0]) && c->n->op != OP_matmul)
		return infer_fail(c, "it does not work on %s", dtype_name(c->dtype[0]));
	switch (c->n->op) {
	case OP_matmul:
		return infer_matmul(c);
	case OP_conv:
		return infer_conv(c, false);
	case OP_conv_transpose:
		return infer_conv(c, true);
	case OP_attention:
		return infer_attention(c);
	case OP_lstm:
		return infer_rnn(c, 4, 8);
	default:
		return infer_rnn(c, 3, 6);
	}
}

static bool infer_pool(struct inference *c, const struct shape *x)
{
	const int64_t *kernel, *stride, *pads, *dilation, *shape;
	uint32_t spatial = x->rank - 2;

	if (x->rank < 3 || x->rank > 5)
		return infer_fail(c, "rank %u is no image of one to three spatial axes", x->rank);
	kernel = infer_list(c, ATTR_kernel, spatial);
	shape = kernel ? infer_list(c, ATTR_shape, x->rank) : NULL;
	if (!shape || !window_ok(c, spatial, &stride, &pads, &dilation))
		return false;
	if (shape[0] != x->dim[0] || shape[x->rank - 1] != x->dim[x->rank - 1])
		return infer_fail(c, "its shape does not keep batch and channels");
	for (uint32_t i = 0; i < spatial; i++) {
		int64_t reach;

		if (kernel[i] < 1 || kernel[i] > INT32_MAX || pads[i] < 0 ||
		    pads[i + spatial] < 0 || x->dim[i + 1] > INT32_MAX)
			return infer_fail(c, "its window is out of range");
		reach = dilation[i] * (kernel[i] - 1) + 1;
		if (pads[i] >= reach || pads[i + spatial] >= reach)
			return infer_fail(
				c, "the padding is as large as the window on spatial axis %u", i);
		/* every window begins inside the padded input */
		if (shape[i + 1] < 1 || x->dim[i + 1] < 1 ||
		    (shape[i + 1] - 1) > (x->dim[i + 1] + pads[i] - 1) / stride[i])
			return infer_fail(c, "%lld windows do not fit on spatial axis %u of %lld",
					  (long long)shape[i + 1], i, (long long)x->dim[i + 1]);
	}
	for (uint32_t i = 0; i < x->rank; i++)
		c->shape[0].dim[i] = shape[i];
	return true;
}

static bool infer_reduce(struct inference *c, const struct shape *x)
{
	bool keep = node_int(c->n, ATTR_keepdims, 1), gone[MAX_RANK] = { false };
	struct shape out = { 0 };
	uint32_t count;
	const int64_t *axes = node_ints(c->n, ATTR_axes, &count);

	if (!axes || count > x->rank)
		return infer_fail(c, "its axes are missing or too many for rank %u", x->rank);
	for (uint32_t i = 0; i < count; i++) {
		if (axes[i] < 0 || axes[i] >= x->rank || gone[axes[i]])
			return infer_fail(c, "axis %lld is outside of rank %u or there twice",
					  (long long)axes[i], x->rank);
		gone[axes[i]] = true;
	}
	for (uint32_t i = 0; i < x->rank; i++) {
		if (!gone[i] || keep)
			out.dim[out.rank++] = gone[i] ? 1 : x->dim[i];
	}
	c->shape[0] = out;
	return true;
}

static bool infer_arg(struct inference *c, const struct shape *x)
{
	struct shape out = { 0 };
	uint32_t axis;

	if (!infer_axis(c, x->rank, &axis))
		return false;
	if (x->dim[axis] == 0)
		return infer_fail(c, "axis %u is empty", axis);
	for (uint32_t i = 0; i < x->rank; i++) {
		if (i != axis || node_int(c->n, ATTR_keepdims, 1))
			out.dim[out.rank++] = i == axis ? 1 : x->dim[i];
	}
	c->shape[0] = out;
	c->dtype[0] = DTYPE_I64;
	return true;
}

static bool infer_norm(struct inference *c, const struct shape *x)
{
	int64_t group = node_int(c->n, ATTR_group, 1);
	struct shape part = { 0 };
	uint32_t axis;

	if (!dtype_is_float(c->dtype[0]))
		return infer_fail(c, "it does not work on %s", dtype_name(c->dtype[0]));
	if (c->n->op == OP_group_norm) {
		if (x->rank < 2 || group < 1 || x->dim[x->rank - 1] % group)
			return infer_fail(
				c, "the channels of rank %u cannot be split into %lld groups",
				x->rank, (long long)group);
		part = SHAPE(x->dim[x->rank - 1]);
	} else {
		if (!infer_axis(c, x->rank, &axis))
			return false;
		for (uint32_t i = axis; i < x->rank; i++)
			part.dim[part.rank++] = x->dim[i];
	}
	return same_type(c, 3) && has_shape(c, 1, "the scale", part) &&
	       has_shape(c, 2, "the bias", part);
}

static bool infer_mix(struct inference *c, const struct shape *x)
{
	const struct shape *w = &infer_input(c, 1)->shape;
	uint32_t axis;

	if (!dtype_is_float(c->dtype[0]))
		return infer_fail(c, "it does not work on %s", dtype_name(c->dtype[0]));
	if (!infer_axis(c, x->rank, &axis))
		return false;
	if (axis + 1 == x->rank)
		return infer_fail(c, "it does not mix along the last axis");
	if (w->rank != 2 || w->dim[0] != x->dim[axis])
		return infer_fail(c, "the matrix must have two axes, the first of %lld", (long long)x->dim[axis]);
	c->shape[0].dim[axis] = w->dim[1];
	return same_type(c, 4) && has_shape(c, 2, "the scale", SHAPE(w->dim[1])) &&
	       has_shape(c, 3, "the bias", SHAPE(w->dim[1]));
}

bool infer_along_axes(struct inference *c)
{
	const struct value *v = infer_input(c, 0);
	uint32_t axis;

	c->dtype[0] = v->dtype;
	c->shape[0] = v->shape;
	if (v->dtype == DTYPE_BOOL)
		return infer_fail(c, "it does not work on bool");
	switch (c->n->op) {
	case OP_max_pool:
	case OP_avg_pool:
		return infer_pool(c, &v->shape);
	case OP_arg_max:
	case OP_arg_min:
		return infer_arg(c, &v->shape);
	case OP_softmax:
	case OP_log_softmax:
		if (!dtype_is_float(v->dtype))
			return infer_fail(c, "it does not work on %s", dtype_name(v->dtype));
		return infer_axis(c, v->shape.rank, &axis);
	case OP_layer_norm:
	case OP_rms_norm:
	case OP_group_norm:
		return infer_norm(c, &v->shape);
	case OP_mix_norm:
		return infer_mix(c, &v->shape);
	default:
		return infer_reduce(c, &v->shape);
	}
}
