/* SPDX-License-Identifier: Apache-2.0 */
/* simplify_move.c - views and copies that do nothing, or do together what one can do. */
#include "config.h"

#include "pass/layout.h"
#include "pass/simplify.h"

#include <string.h>

static bool same_shape_as_input(const struct rewrite *rw, const struct node *n)
{
	return shape_equal(shape_of_value(rw->g, n->in[0]), shape_of_value(rw->g, n->out[0]));
}

static bool all_equal(const int64_t *list, uint32_t count, int64_t x)
{
	for (uint32_t i = 0; i < count; i++) {
		if (list[i] != x)
			return false;
	}
	return true;
}

/* The only axis of which the slice leaves something out, in steps of one; rank: there is none such.
 */
static uint32_t sliced_axis(const struct graph *g, const struct node *slice)
{
	const struct shape *from = shape_of_value(g, slice->in[0]),
			   *to = shape_of_value(g, slice->out[0]);
	const int64_t *step = node_ints(slice, ATTR_steps, NULL);
	uint32_t axis = from->rank;

	for (uint32_t i = 0; i < from->rank; i++) {
		if (to->dim[i] > 1 && step[i] != 1)
			return from->rank;
		if (to->dim[i] == from->dim[i])
			continue;
		if (axis != from->rank)
			return from->rank;
		axis = i;
	}
	return axis;
}

/*
 * reshape(slice(x)) -> slice(reshape(x)), where the axis that is sliced is split
 * and the slice takes whole pieces: the heads of q, k and v out of one product.
 * Then the slice stands before what moves next, and both become one move.
 */
static bool reshape_of_slice(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id),
			  *p = rewrite_producer_op(rw, n->in[0], OP_slice);
	struct shape part = *shape_of_value(rw->g, n->in[0]),
		     to = *shape_of_value(rw->g, n->out[0]), whole = to;
	struct group group[2 * MAX_RANK];
	int64_t inner = 1, starts[MAX_RANK] = { 0 }, steps[MAX_RANK];
	uint32_t axis, k = 0, first;
	struct shape from;
	value_id v;

	if (!p || rewrite_uses(rw, n->in[0]) != 1 || shape_elements(&part) <= 0)
		return false;
	from = *shape_of_value(rw->g, p->in[0]);
	axis = sliced_axis(rw->g, p);
	if (axis == from.rank || part.dim[axis] == 1)
		return false;
	shape_groups(&part, &to, group);
	while (group[k].in + group[k].in_count <= axis)
		k++;
	for (uint32_t i = group[k].in; i < group[k].in + group[k].in_count; i++) {
		if (i != axis && part.dim[i] != 1)
			return false;
	}
	for (first = group[k].out; to.dim[first] == 1;)
		first++;
	for (uint32_t j = first + 1; j < group[k].out + group[k].out_count; j++)
		inner *= to.dim[j];
	if (inner == 1 || from.dim[axis] % inner || node_ints(p, ATTR_starts, NULL)[axis] % inner)
		return false;
	whole.dim[first] = from.dim[axis] / inner;
	starts[first] = node_ints(p, ATTR_starts, NULL)[axis] / inner;
	for (uint32_t i = 0; i < to.rank; i++)
		steps[i] = 1;
	v = rewrite_reshape(rw, p->in[0], &whole, id);
	if (v == NO_ID)
		return false;
	v = rewrite_op(rw, OP_slice, &v, 1,
		       (struct attr[]){ attr_ints(starts, starts, to.rank),
					attr_ints(steps, steps, to.rank),
					attr_ints(shape, to.dim, to.rank) },
		       3, id);
	return rewrite_become(rw, id, v);
}

static bool view_reshape(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id),
			  *p = rewrite_producer_op(rw, n->in[0], OP_reshape);
	struct shape to = *shape_of_value(rw->g, n->out[0]);

	if (same_shape_as_input(rw, n))
		return rewrite_become(rw, id, n->in[0]);
	if (p)
		return rewrite_become(rw, id, rewrite_reshape(rw, p->in[0], &to, id));
	return reshape_of_slice(rw, id);
}

static bool view_transpose(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id),
			  *p = rewrite_producer_op(rw, n->in[0], OP_transpose);
	const int64_t *perm = node_ints(n, ATTR_perm, NULL);
	uint32_t rank = shape_of_value(rw->g, n->in[0])->rank;
	int64_t both[MAX_RANK];

	if (perm_moves_nothing(shape_of_value(rw->g, n->in[0]), perm))
		return rewrite_become(rw, id, rewrite_transpose(rw, n->in[0], perm, id));
	if (!p)
		return false;
	for (uint32_t i = 0; i < rank; i++)
		both[i] = node_ints(p, ATTR_perm, NULL)[perm[i]];
	return rewrite_become(rw, id, rewrite_transpose(rw, p->in[0], both, id));
}

/* A part of a concatenation that lies in one of its inputs. */
static bool slice_of_concat(struct rewrite *rw, node_id id, const struct node *p)
{
	const struct node *n = graph_node(rw->g, id);
	int64_t axis = node_int(p, ATTR_axis, 0), begin = 0, starts[MAX_RANK];
	const int64_t *start = node_ints(n, ATTR_starts, NULL),
		      *step = node_ints(n, ATTR_steps, NULL);
	const struct shape *want = shape_of_value(rw->g, n->out[0]);
	int64_t first, last;

	if (!want->dim[axis])
		return false;
	first = start[axis];
	last = first + (want->dim[axis] - 1) * step[axis];
	memcpy(starts, start, want->rank * sizeof *start);
	for (uint32_t k = 0; k < p->in_count; k++) {
		int64_t end = begin + shape_of_value(rw->g, p->in[k])->dim[axis];
		value_id v = p->in[k];

		if (first >= begin && first < end && last >= begin && last < end) {
			starts[axis] -= begin;
			v = rewrite_op(rw, OP_slice, &v, 1,
				       (struct attr[]){ attr_ints(starts, starts, want->rank),
							attr_ints(steps, step, want->rank),
							attr_ints(shape, want->dim, want->rank) },
				       3, id);
			return rewrite_become(rw, id, v);
		}
		begin = end;
	}
	return false;
}

static bool view_slice(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id), *p = rewrite_producer(rw, n->in[0]);
	uint32_t rank = shape_of_value(rw->g, n->in[0])->rank;
	const int64_t *start = node_ints(n, ATTR_starts, NULL),
		      *step = node_ints(n, ATTR_steps, NULL);
	const struct shape want = *shape_of_value(rw->g, n->out[0]);
	int64_t starts[MAX_RANK], steps[MAX_RANK];
	const int64_t *p_start, *p_step;
	value_id v;

	if (same_shape_as_input(rw, n)) {
		bool whole = true;

		for (uint32_t i = 0; i < rank; i++)
			whole &= want.dim[i] <= 1 || step[i] == 1;
		if (whole)
			return rewrite_become(rw, id, n->in[0]);
	}
	if (p && p->op == OP_concat && !p->epilogue_count)
		return slice_of_concat(rw, id, p);
	if (!p || p->op != OP_slice || p->epilogue_count)
		return false;
	p_start = node_ints(p, ATTR_starts, NULL);
	p_step = node_ints(p, ATTR_steps, NULL);
	for (uint32_t i = 0; i < rank; i++) {
		starts[i] = p_start[i] + start[i] * p_step[i];
		steps[i] = want.dim[i] > 1 ? p_step[i] * step[i] : 1;
	}
	v = p->in[0];
	v = rewrite_op(rw, OP_slice, &v, 1,
		       (struct attr[]){ attr_ints(starts, starts, rank),
					attr_ints(steps, steps, rank),
					attr_ints(shape, want.dim, rank) },
		       3, id);
	return rewrite_become(rw, id, v);
}

static bool view_expand(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id),
			  *p = rewrite_producer_op(rw, n->in[0], OP_expand);
	const struct shape to = *shape_of_value(rw->g, n->out[0]);
	value_id v;

	if (same_shape_as_input(rw, n))
		return rewrite_become(rw, id, n->in[0]);
	if (shape_elements(&to) == shape_elements(shape_of_value(rw->g, n->in[0])))
		return rewrite_become(rw, id, rewrite_reshape(rw, n->in[0], &to, id));
	if (!p)
		return false;
	v = p->in[0];
	return rewrite_become(rw, id,
			      rewrite_op(rw, OP_expand, &v, 1,
					 (struct attr[]){ attr_ints(shape, to.dim, to.rank) }, 1,
					 id));
}

/* Inputs that are concatenations along the same axis are taken apart. */
static bool view_concat(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id);
	struct attr axis = attr_int(axis, node_int(n, ATTR_axis, 0));
	VEC(value_id) all = { 0 };
	bool nested = false;

	if (n->in_count == 1)
		return rewrite_become(rw, id, n->in[0]);
	for (uint32_t k = 0; k < n->in_count; k++) {
		const struct node *p = rewrite_producer_op(rw, n->in[k], OP_concat);

		if (shape_of_value(rw->g, n->in[k])->dim[axis.i] == 0) {
			nested = true; /* nothing to add */
			continue;
		}
		if (p && rewrite_uses(rw, n->in[k]) == 1 && node_int(p, ATTR_axis, 0) == axis.i) {
			nested = true;
			for (uint32_t j = 0; j < p->in_count; j++)
				vec_push(&rw->tmp, &all, p->in[j]);
		} else {
			vec_push(&rw->tmp, &all, n->in[k]);
		}
	}
	if (!nested || !all.len)
		return false;
	return rewrite_become(rw, id, rewrite_op(rw, OP_concat, all.data, all.len, &axis, 1, id));
}

static bool view_pad(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id),
			  *p = rewrite_producer_op(rw, n->in[0], OP_pad);
	const struct shape to = *shape_of_value(rw->g, n->out[0]);
	const int64_t *pads = node_ints(n, ATTR_pads, NULL), *inner;
	int64_t list[2 * MAX_RANK];
	bool shrinks = true, grows = true;
	value_id v;

	if (all_equal(pads, 2 * to.rank, 0))
		return rewrite_become(rw, id, n->in[0]);
	for (uint32_t i = 0; i < 2 * to.rank; i++) {
		shrinks &= pads[i] <= 0;
		grows &= pads[i] >= 0;
		list[i] = i < to.rank ? -pads[i] : 1;
	}
	v = n->in[0];
	if (shrinks && shape_elements(&to) > 0)
		return rewrite_become(
			rw, id,
			rewrite_op(rw, OP_slice, &v, 1,
				   (struct attr[]){ attr_ints(starts, list, to.rank),
						    attr_ints(steps, list + to.rank, to.rank),
						    attr_ints(shape, to.dim, to.rank) },
				   3, id));
	if (!p || node_int(n, ATTR_mode, 0) != PAD_CONSTANT ||
	    node_int(p, ATTR_mode, 0) != PAD_CONSTANT || !grows ||
	    node_float(n, ATTR_value, 0) != node_float(p, ATTR_value, 0) ||
	    rewrite_uses(rw, n->in[0]) != 1)
		return false;
	inner = node_ints(p, ATTR_pads, NULL);
	for (uint32_t i = 0; i < 2 * to.rank; i++) {
		if (inner[i] < 0)
			return false;
		list[i] = pads[i] + inner[i];
	}
	v = p->in[0];
	return rewrite_become(
		rw, id,
		rewrite_op(rw, OP_pad, &v, 1,
			   (struct attr[]){ attr_ints(pads, list, 2 * to.rank),
					    attr_float(value, node_float(n, ATTR_value, 0)) },
			   2, id));
}

static bool view_resize(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id);
	const struct attr *scales = node_attr(n, ATTR_scales);

	if (!same_shape_as_input(rw, n) ||
	    node_int(n, ATTR_coordinates, 0) == COORD_TF_CROP_AND_RESIZE)
		return false;
	for (uint32_t i = 0; i < scales->count; i++) {
		if (scales->floats[i] != 1)
			return false;
	}
	return rewrite_become(rw, id, n->in[0]);
}

enum { MAX_INDICES = 4096 };

/* Indices that are known and go up or down in equal steps. */
static bool regular_indices(struct rewrite *rw, value_id v, int64_t size, int64_t *first,
			    int64_t *step, int64_t *count)
{
	const struct value *x = graph_value(rw->g, v);
	int64_t list[MAX_INDICES];
	int32_t narrow;

	*count = shape_elements(&x->shape);
	if (x->kind != VALUE_CONST || *count < 1 || *count > MAX_INDICES ||
	    !data_read(rw->g, v, list, rw->d))
		return false;
	for (int64_t i = *count;
	     x->dtype == DTYPE_I32 && i-- > 0;) { /* widen in place, from the end */
		memcpy(&narrow, (char *)list + 4 * i, 4);
		list[i] = narrow;
	}
	for (int64_t i = 0; i < *count; i++) {
		list[i] += list[i] < 0 ? size : 0;
		if (list[i] < 0 || list[i] >= size)
			return false;
	}
	*first = list[0];
	*step = *count > 1 ? list[1] - list[0] : 1;
	for (int64_t i = 1; i < *count; i++) {
		if (list[i] - list[i - 1] != *step)
			return false;
	}
	return *step != 0;
}

static bool view_gather(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id);
	const struct shape to = *shape_of_value(rw->g, n->out[0]);
	struct shape part = *shape_of_value(rw->g, n->in[0]);
	int64_t axis = node_int(n, ATTR_axis, 0), first, step, count, starts[MAX_RANK] = { 0 },
		steps[MAX_RANK];
	value_id v = n->in[0];

	if (!regular_indices(rw, n->in[1], part.dim[axis], &first, &step, &count))
		return false;
	for (uint32_t i = 0; i < part.rank; i++)
		steps[i] = 1;
	starts[axis] = first;
	steps[axis] = step;
	part.dim[axis] = count;
	v = rewrite_op(rw, OP_slice, &v, 1,
		       (struct attr[]){ attr_ints(starts, starts, part.rank),
					attr_ints(steps, steps, part.rank),
					attr_ints(shape, part.dim, part.rank) },
		       3, id);
	return v != NO_ID && rewrite_become(rw, id, rewrite_reshape(rw, v, &to, id));
}

bool simplify_view(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id);

	switch (n->op) {
	case OP_reshape:
		return view_reshape(rw, id);
	case OP_transpose:
		return view_transpose(rw, id);
	case OP_slice:
		return view_slice(rw, id);
	case OP_expand:
		return view_expand(rw, id);
	case OP_tile:
		return same_shape_as_input(rw, n) &&
		       all_equal(node_ints(n, ATTR_repeats, NULL),
				 shape_of_value(rw->g, n->in[0])->rank, 1) &&
		       rewrite_become(rw, id, n->in[0]);
	case OP_concat:
		return view_concat(rw, id);
	case OP_pad:
		return view_pad(rw, id);
	case OP_resize:
		return view_resize(rw, id);
	case OP_gather:
		return view_gather(rw, id);
	default:
		return false;
	}
}

/* An operand that was expanded only to fit: broadcasting does that. */
bool simplify_skip_expand(struct rewrite *rw, node_id id)
{
	struct node *n = graph_node(rw->g, id);
	bool done = false;

	if (n->in_count < 2)
		return false;
	for (uint32_t k = 0; k < n->in_count; k++) {
		const struct node *p = rewrite_producer_op(rw, n->in[k], OP_expand);
		value_id keep = n->in[k];
		enum dtype dtype;
		struct shape shape;

		if (!p)
			continue;
		n->in[k] = p->in[0];
		if (infer_node(rw->g, n, &dtype, &shape, NULL) &&
		    shape_equal(&shape, shape_of_value(rw->g, n->out[0]))) {
			value_id v = n->in[k];

			n->in[k] = keep;
			rewrite_set_input(rw, id, k, v);
			done = true;
		} else {
			n->in[k] = keep;
		}
	}
	return done;
}

/* One element for each index of the other's last axis. */
static bool along_last_axis(const struct shape *s, const struct shape *other)
{
	return s->rank && other->rank && s->rank <= other->rank &&
	       s->dim[s->rank - 1] == other->dim[other->rank - 1] &&
	       shape_elements(s) == s->dim[s->rank - 1] &&
	       shape_elements(s) != shape_elements(other);
}

/*
 * f(reshape(x)) -> reshape(f(x)): a reshape costs nothing anywhere, but between
 * a producer and its elementwise consumers it is in the way of fusing them.
 */
bool simplify_sink_reshape(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id);
	const struct shape to = *shape_of_value(rw->g, n->out[0]), *from = NULL;
	struct shape inner;
	uint32_t uses = 0;
	value_id in[3], v;

	for (uint32_t k = 0; k < n->in_count; k++)
		uses += n->in[k] == n->in[0];
	for (uint32_t k = 0; k < n->in_count; k++) {
		const struct node *p = rewrite_producer_op(rw, n->in[k], OP_reshape);

		in[k] = n->in[k];
		if (shape_elements(shape_of_value(rw->g, in[k])) == 1)
			continue;
		if (along_last_axis(shape_of_value(rw->g, in[k]), &to))
			continue;
		if (!p || rewrite_uses(rw, in[k]) != (in[k] == n->in[0] ? uses : 1) ||
		    !shape_equal(shape_of_value(rw->g, in[k]), &to))
			return false;
		in[k] = p->in[0];
		if (from && !shape_equal(from, shape_of_value(rw->g, in[k])))
			return false;
		from = shape_of_value(rw->g, in[k]);
	}
	if (!from)
		return false;
	inner = *from;
	for (uint32_t k = 0; k < graph_node(rw->g, id)->in_count;
	     k++) { /* small ones must not raise the rank */
		const struct shape *s = shape_of_value(rw->g, in[k]);

		if (shape_equal(s, &inner))
			continue;
		if (shape_elements(s) == 1)
			in[k] = rewrite_reshape(rw, in[k], &(struct shape){ 0 }, id);
		else if (!along_last_axis(s, &inner))
			return false;
		else
			in[k] = rewrite_reshape(rw, in[k],
						&(struct shape){ 1, { s->dim[s->rank - 1] } }, id);
	}
	n = graph_node(rw->g, id);
	v = rewrite_op(rw, n->op, in, n->in_count, n->attr, n->attr_count, id);
	return v != NO_ID && rewrite_become(rw, id, rewrite_reshape(rw, v, &to, id));
}
