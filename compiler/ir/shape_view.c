/* SPDX-License-Identifier: Apache-2.0 */
/* shape_view.c - shapes of what moves elements: reshaping, slices, concatenation, gathering, resizing. */
#include "config.h"

#include "ir/shape.h"

/* The shape attribute: in range, and its elements countable. */
static bool wanted_shape(struct inference *c, struct shape *out)
{
	uint32_t count;
	const int64_t *dim = node_ints(c->n, ATTR_shape, &count);

	if (!dim)
		return infer_fail(c, "attribute shape is missing");
	if (count > MAX_RANK)
		return infer_fail(c, "rank %u is above %d", count, MAX_RANK);
	out->rank = count;
	for (uint32_t i = 0; i < count; i++) {
		if (dim[i] < 0)
			return infer_fail(c, "dimension %lld of the shape is negative",
					  (long long)dim[i]);
		out->dim[i] = dim[i];
	}
	return true;
}

static bool infer_reshape(struct inference *c, const struct shape *x)
{
	struct shape want = { 0 };
	struct arena tmp = { 0 };

	if (!wanted_shape(c, &want))
		return false;
	if (shape_elements(&want) != shape_elements(x)) {
		infer_fail(c, "%s has %lld elements, and %s has %lld", shape_string(&tmp, x),
			   (long long)shape_elements(x), shape_string(&tmp, &want),
			   (long long)shape_elements(&want));
		arena_release(&tmp);
		return false;
	}
	c->shape[0] = want;
	return true;
}

static bool infer_expand(struct inference *c, const struct shape *x)
{
	struct shape want = { 0 }, both;
	struct arena tmp = { 0 };

	if (!wanted_shape(c, &want))
		return false;
	if (!shape_broadcast(x, &want, &both) || !shape_equal(&both, &want)) {
		infer_fail(c, "%s cannot be expanded to %s", shape_string(&tmp, x),
			   shape_string(&tmp, &want));
		arena_release(&tmp);
		return false;
	}
	c->shape[0] = want;
	return true;
}

static bool infer_transpose(struct inference *c, const struct shape *x)
{
	const int64_t *perm = infer_list(c, ATTR_perm, x->rank);
	uint32_t seen = 0;

	if (!perm)
		return false;
	for (uint32_t i = 0; i < x->rank; i++) {
		if (perm[i] < 0 || perm[i] >= x->rank || seen >> perm[i] & 1)
			return infer_fail(c, "perm is no permutation of %u axes", x->rank);
		seen |= 1u << perm[i];
		c->shape[0].dim[i] = x->dim[perm[i]];
	}
	return true;
}

static bool infer_slice(struct inference *c, const struct shape *x)
{
	const int64_t *start = infer_list(c, ATTR_starts, x->rank);
	const int64_t *step = start ? infer_list(c, ATTR_steps, x->rank) : NULL;
	struct shape want = { 0 };

	if (!step || !wanted_shape(c, &want) || !infer_list(c, ATTR_shape, x->rank))
		return false;
	for (uint32_t i = 0; i < x->rank; i++) {
		int64_t last;

		if (want.dim[i] == 0)
			continue;
		if (want.dim[i] > x->dim[i] || step[i] > x->dim[i] || step[i] < -x->dim[i])
			last = want.dim[i] == 1 ? start[i] : -1;
		else
			last = start[i] + (want.dim[i] - 1) * step[i];
		if (start[i] < 0 || start[i] >= x->dim[i] || last < 0 || last >= x->dim[i])
			return infer_fail(
				c, "axis %u has %lld elements: %lld from %lld by %lld is outside",
				i, (long long)x->dim[i], (long long)want.dim[i],
				(long long)start[i], (long long)step[i]);
	}
	c->shape[0] = want;
	return true;
}

static bool infer_tile(struct inference *c, const struct shape *x)
{
	const int64_t *times = infer_list(c, ATTR_repeats, x->rank);

	if (!times)
		return false;
	for (uint32_t i = 0; i < x->rank; i++) {
		if (times[i] < 0 || (times[i] && x->dim[i] > (INT64_C(1) << 40) / times[i]))
			return infer_fail(c, "it cannot be repeated %lld times",
					  (long long)times[i]);
		c->shape[0].dim[i] = x->dim[i] * times[i];
	}
	return true;
}

static bool infer_concat(struct inference *c, const struct shape *x)
{
	struct arena tmp = { 0 };
	uint32_t axis;

	if (!infer_axis(c, x->rank, &axis))
		return false;
	for (uint32_t k = 1; k < node_own_inputs(c->n); k++) {
		const struct value *v = infer_input(c, k);
		struct shape same;

		if (!v)
			return infer_fail(c, "input %u is missing", k);
		same = v->shape;
		if (same.rank == x->rank)
			same.dim[axis] = x->dim[axis];
		if (!shape_equal(&same, x) || v->dtype != c->dtype[0]) {
			infer_fail(c, "%s%s and %s%s do not go together along axis %u",
				   dtype_name(c->dtype[0]), shape_string(&tmp, x),
				   dtype_name(v->dtype), shape_string(&tmp, &v->shape), axis);
			arena_release(&tmp);
			return false;
		}
		c->shape[0].dim[axis] += v->shape.dim[axis];
	}
	return true;
}

static bool infer_pad(struct inference *c, const struct shape *x)
{
	const int64_t *pads = infer_list(c, ATTR_pads, 2 * x->rank);
	int64_t mode = node_int(c->n, ATTR_mode, PAD_CONSTANT);

	if (!pads)
		return false;
	if (mode < PAD_CONSTANT || mode > PAD_WRAP)
		return infer_fail(c, "pad mode %lld is unknown", (long long)mode);
	for (uint32_t i = 0; i < x->rank; i++) {
		int64_t before = pads[i], after = pads[i + x->rank],
			size = x->dim[i] + before + after;
		int64_t most = mode == PAD_REFLECT ? x->dim[i] - 1 : INT64_MAX;

		if (size < 0)
			return infer_fail(c, "axis %u of %lld elements cannot lose %lld", i,
					  (long long)x->dim[i], (long long)-(before + after));
		if (mode != PAD_CONSTANT && x->dim[i] == 0 && size > 0)
			return infer_fail(c, "axis %u is empty", i);
		if (before > most || after > most)
			return infer_fail(c, "axis %u of %lld elements cannot be reflected by %lld",
					  i, (long long)x->dim[i],
					  (long long)(before > after ? before : after));
		c->shape[0].dim[i] = size;
	}
	return true;
}

static bool infer_gather(struct inference *c, const struct shape *x)
{
	const struct value *index = infer_input(c, 1);
	struct shape out = { 0 };
	uint32_t axis;

	if (!infer_axis(c, x->rank, &axis))
		return false;
	if (index->dtype != DTYPE_I32 && index->dtype != DTYPE_I64)
		return infer_fail(c, "indices must be i32 or i64, and are %s",
				  dtype_name(index->dtype));
	if (c->n->op == OP_gather_elements) {
		if (index->shape.rank != x->rank)
			return infer_fail(c, "ranks %u and %u differ", x->rank, index->shape.rank);
		for (uint32_t i = 0; i < x->rank; i++) {
			if (i != axis && index->shape.dim[i] > x->dim[i])
				return infer_fail(c, "axis %u has more indices than elements", i);
		}
		c->shape[0] = index->shape;
		return true;
	}
	if (x->rank - 1 + index->shape.rank > MAX_RANK)
		return infer_fail(c, "the result's rank is above %d", MAX_RANK);
	for (uint32_t i = 0; i < axis; i++)
		out.dim[out.rank++] = x->dim[i];
	for (uint32_t i = 0; i < index->shape.rank; i++)
		out.dim[out.rank++] = index->shape.dim[i];
	for (uint32_t i = axis + 1; i < x->rank; i++)
		out.dim[out.rank++] = x->dim[i];
	c->shape[0] = out;
	return true;
}

static bool infer_resize(struct inference *c, const struct shape *x)
{
	const struct attr *scales = node_attr(c->n, ATTR_scales), *roi = node_attr(c->n, ATTR_roi);
	int64_t coordinates = node_int(c->n, ATTR_coordinates, 0);
	int64_t mode = node_int(c->n, ATTR_mode, 0), rounding = node_int(c->n, ATTR_rounding, 0);
	struct shape want = { 0 };

	if (!wanted_shape(c, &want))
		return false;
	if (want.rank != x->rank)
		return infer_fail(c, "ranks %u and %u differ", x->rank, want.rank);
	if (!scales || scales->count != x->rank)
		return infer_fail(c, "it needs one scale for each of %u axes", x->rank);
	for (uint32_t i = 0; i < x->rank; i++) {
		if (!(scales->floats[i] > 0 && scales->floats[i] < 1e9) && want.dim[i])
			return infer_fail(c, "scale %g is out of range", scales->floats[i]);
		if (x->dim[i] == 0 && want.dim[i])
			return infer_fail(c, "axis %u is empty", i);
	}
	if (mode < 0 || mode > RESIZE_CUBIC || rounding < 0 || rounding > ROUND_CEIL ||
	    coordinates < 0 || coordinates > COORD_TF_CROP_AND_RESIZE)
		return infer_fail(c, "its mode, rounding or coordinates are unknown");
	if (coordinates == COORD_TF_CROP_AND_RESIZE && (!roi || roi->count != 2 * x->rank))
		return infer_fail(c, "tf_crop_and_resize needs a region of %u values", 2 * x->rank);
	c->shape[0] = want;
	return true;
}

static bool infer_scatter(struct inference *c, const struct shape *x)
{
	const struct value *index = infer_input(c, 1), *updates = infer_input(c, 2);
	int64_t mode = node_int(c->n, ATTR_mode, SCATTER_SET);

	if (index->dtype != DTYPE_I32 && index->dtype != DTYPE_I64)
		return infer_fail(c, "indices must be i32 or i64, and are %s", dtype_name(index->dtype));
	if (x->rank != 2 || index->shape.rank != 1 || updates->shape.rank != 2 ||
	    updates->shape.dim[0] != index->shape.dim[0] || updates->shape.dim[1] != x->dim[1])
		return infer_fail(c, "it needs rows, a list of indices and a row for each");
	if (updates->dtype != c->dtype[0])
		return infer_fail(c, "its updates are %s and not %s", dtype_name(updates->dtype), dtype_name(c->dtype[0]));
	if (mode < SCATTER_SET || mode > SCATTER_MAX || (mode != SCATTER_SET && c->dtype[0] == DTYPE_BOOL))
		return infer_fail(c, "mode %lld is not known", (long long)mode);
	return true;
}

static bool infer_top_k(struct inference *c, const struct shape *x)
{
	struct shape want = { 0 }, full;

	c->dtype[0] = DTYPE_I64;
	if (!wanted_shape(c, &want))
		return false;
	full = want;
	if (x->rank && want.rank == x->rank && want.dim[x->rank - 1] <= x->dim[x->rank - 1])
		full.dim[x->rank - 1] = x->dim[x->rank - 1];
	if (!x->rank || !shape_equal(&full, x))
		return infer_fail(c, "its shape is not that of some of its input's last axis");
	c->shape[0] = want;
	return true;
}

bool infer_view(struct inference *c)
{
	const struct value *v = infer_input(c, 0);

	c->dtype[0] = v->dtype;
	c->shape[0] = v->shape;
	switch (c->n->op) {
	case OP_reshape:
		return infer_reshape(c, &v->shape);
	case OP_transpose:
		return infer_transpose(c, &v->shape);
	case OP_slice:
		return infer_slice(c, &v->shape);
	case OP_expand:
		return infer_expand(c, &v->shape);
	case OP_tile:
		return infer_tile(c, &v->shape);
	case OP_concat:
		return infer_concat(c, &v->shape);
	case OP_pad:
		return infer_pad(c, &v->shape);
	case OP_resize:
		return infer_resize(c, &v->shape);
	case OP_scatter:
		return infer_scatter(c, &v->shape);
	case OP_top_k:
		return infer_top_k(c, &v->shape);
	default:
		return infer_gather(c, &v->shape);
	}
}
