/* SPDX-License-Identifier: Apache-2.0 */
/*
 * fold.c - what is known when compiling is computed when compiling.
 *
 * Reshapes, transposes, casts and scalings of weights change only their
 * recipes, whatever their size. Everything else is evaluated with the plain-C
 * references, as long as the result is not larger than what it saves.
 */
#include "config.h"

#include "ir/block.h"
#include "pass/pass.h"
#include "pass/rewrite.h"

#include "ref/ref.h"

#include <stdlib.h>

enum {
	SMALL_BYTES = 64 << 10,	    /* below, elements are better than a recipe */
	MAX_GROWTH_BYTES = 1 << 20, /* a result may be larger than its inputs up to here */
	MAX_BYTES = 64 << 20,
	MAX_WORK = 50 * 1000 * 1000, /* multiplications */
};

static int64_t bytes_of(const struct graph *g, value_id v)
{
	return shape_elements(shape_of_value(g, v)) * (int64_t)dtype_size(graph_value(g, v)->dtype);
}

static bool all_constant(const struct graph *g, const struct node *n)
{
	for (uint32_t k = 0; k < n->in_count; k++) {
		if (n->in[k] != NO_ID && graph_value(g, n->in[k])->kind != VALUE_CONST)
			return false;
	}
	return n->in_count > 0;
}

/* How many multiplications the references would make; only dense arithmetic can be too slow. */
static double work(const struct graph *g, const struct node *n)
{
	const struct shape *out = shape_of_value(g, n->out[0]), *x = shape_of_value(g, n->in[0]),
			   *w;
	double each = 1;

	switch (n->op) {
	case OP_matmul:
		each = (double)x->dim[x->rank - (node_int(n, ATTR_trans_a, 0) ? 2 : 1)];
		break;
	case OP_conv:
	case OP_conv_transpose:
		w = shape_of_value(g, n->in[1]);
		for (uint32_t i = 1; i < w->rank; i++)
			each *= (double)w->dim[i];
		break;
	case OP_max_pool:
	case OP_avg_pool:
		for (uint32_t i = 0; i + 2 < x->rank; i++)
			each *= (double)node_ints(n, ATTR_kernel, NULL)[i];
		break;
	case OP_attention:
	case OP_lstm:
	case OP_gru:
		return 1e18;
	default:
		return (double)shape_elements(x) + (double)shape_elements(out);
	}
	return each * (double)shape_elements(out);
}

static bool worth_it(const struct graph *g, const struct node *n)
{
	int64_t in = 0, out = 0;

	for (uint32_t k = 0; k < n->in_count; k++)
		in += n->in[k] != NO_ID ? bytes_of(g, n->in[k]) : 0;
	for (uint32_t k = 0; k < n->out_count; k++)
		out += bytes_of(g, n->out[k]);
	return in <= MAX_BYTES && out <= MAX_BYTES && (out <= MAX_GROWTH_BYTES || out <= in) &&
	       work(g, n) <= MAX_WORK;
}

static bool evaluate(struct rewrite *rw, node_id id)
{
	struct graph *g = rw->g;
	const struct node n = *graph_node(g, id);
	struct ref_tensor *in = arena_new_array(&rw->tmp, struct ref_tensor, n.in_count);
	struct ref_tensor *out = arena_new_array(&rw->tmp, struct ref_tensor, n.out_count);
	bool good = true;

	for (uint32_t k = 0; k < n.in_count; k++) {
		if (n.in[k] == NO_ID)
			continue;
		in[k] = (struct ref_tensor){ graph_value(g, n.in[k])->dtype,
					     *shape_of_value(g, n.in[k]),
					     xmalloc((size_t)bytes_of(g, n.in[k]) + 1) };
		good = good && data_read(g, n.in[k], in[k].data, rw->d);
	}
	for (uint32_t k = 0; k < n.out_count; k++)
		out[k] =
			(struct ref_tensor){ graph_value(g, n.out[k])->dtype,
					     *shape_of_value(g, n.out[k]),
					     arena_alloc(g->arena, (size_t)bytes_of(g, n.out[k])) };
	good = good && ref_eval(n.op, n.attr, n.attr_count, in, n.in_count, out, n.out_count);
	for (uint32_t k = 0; k < n.in_count; k++)
		free(in[k].data);
	for (uint32_t k = 0; good && k < n.out_count; k++) {
		struct data d = { .where = DATA_MEMORY,
				  .source_dtype = out[k].dtype,
				  .source_shape = out[k].shape,
				  .bytes = out[k].data };
		value_id v = graph_add_const(g, NULL, out[k].dtype, out[k].shape, d);

		graph_value(g, v)->span = n.span;
		rewrite_track(rw);
		rewrite_replace(rw, n.out[k], v);
	}
	return good;
}

/* The same source, read as another type; the type in between must not have rounded. */
static value_id cast_recipe(struct rewrite *rw, const struct node *n)
{
	struct graph *g = rw->g;
	const struct value x = *graph_value(g, n->in[0]);
	value_id v;

	if (x.dtype != x.data->source_dtype || x.data->scale ||
	    graph_value(g, n->out[0])->dtype != DTYPE_F32 || !dtype_is_float(x.dtype))
		return NO_ID;
	v = graph_add_const(g, x.name, DTYPE_F32, x.shape, *x.data);
	graph_value(g, v)->span = x.span;
	return v;
}

/* A run of whole rows of a file or of memory is a smaller piece of it. */
static value_id slice_recipe(struct rewrite *rw, const struct node *n)
{
	struct graph *g = rw->g;
	const struct value x = *graph_value(g, n->in[0]);
	const struct shape want = *shape_of_value(g, n->out[0]);
	const int64_t *start = node_ints(n, ATTR_starts, NULL),
		      *step = node_ints(n, ATTR_steps, NULL);
	struct data d = *x.data;
	uint64_t skip, row = dtype_size(d.source_dtype);
	uint32_t axis = 0;

	if (d.perm_set || d.scale || d.where == DATA_RANDOM || (!row && !shape_equal(&d.source_shape, &x.shape)))
		return NO_ID;
	while (axis < want.rank && x.shape.dim[axis] == 1)
		axis++;
	for (uint32_t i = axis; i < want.rank; i++) {
		if (want.dim[i] > 1 && step[i] != 1)
			return NO_ID;
		if (i > axis && want.dim[i] != x.shape.dim[i])
			return NO_ID;
		if (i > axis)
			row *= (uint64_t)want.dim[i];
	}
	if (axis == want.rank)
		return NO_ID;
	if (!row && d.packed)
		return NO_ID;
	if (!row) { /* blocks: whole rows of them */
		if (axis + 1 >= want.rank || (block_format(d.source_dtype).grouped && axis))
			return NO_ID;
		d.source_shape = want;
		row = block_row_bytes(d.source_dtype, data_row(&d));
		for (uint32_t i = axis + 1; i + 1 < want.rank && !block_format(d.source_dtype).grouped; i++)
			row *= (uint64_t)want.dim[i];
	}
	skip = row * (uint64_t)start[axis];
	d.source_shape = want;
	if (d.where == DATA_FILE) {
		d.offset += skip;
		d.size = row * (uint64_t)want.dim[axis];
	} else {
		d.bytes = (const char *)d.bytes + skip;
	}
	return graph_add_const(g, x.name, x.dtype, want, d);
}

/* large * small, large / small, where small has one element for each index of one axis */
static value_id scale_recipe(struct rewrite *rw, const struct node *n)
{
	struct graph *g = rw->g;
	const struct shape *out = shape_of_value(g, n->out[0]);

	for (uint32_t k = 0; k < 2; k++) {
		value_id big = n->in[k], small = n->in[1 - k];
		const struct shape *s = shape_of_value(g, small);
		uint32_t axis = out->rank ? out->rank - 1 : 0;
		int64_t count = shape_elements(s);
		float *scale;

		if (!shape_equal(shape_of_value(g, big), out) || !out->rank ||
		    (n->op == OP_div && k))
			continue;
		for (uint32_t i = 0; i < s->rank; i++) {
			if (s->dim[i] > 1)
				axis = i + out->rank - s->rank;
		}
		if (count != 1 && count != out->dim[axis])
			continue;
		scale = arena_new_array(&rw->tmp, float, (size_t)out->dim[axis] + 1);
		if (!data_read_f32(g, small, scale, rw->d))
			return NO_ID;
		for (int64_t i = 1; count == 1 && i < out->dim[axis]; i++)
			scale[i] = scale[0];
		for (int64_t i = 0; n->op == OP_div && i < out->dim[axis]; i++)
			scale[i] = 1 / scale[i];
		return constant_scale(g, big, axis, scale);
	}
	return NO_ID;
}

static value_id recipe(struct rewrite *rw, const struct node *n)
{
	bool large = bytes_of(rw->g, n->out[0]) > SMALL_BYTES;

	switch (n->op) {
	case OP_reshape:
		return constant_reshape(rw->g, n->in[0], shape_of_value(rw->g, n->out[0]));
	case OP_transpose:
		return constant_transpose(rw->g, n->in[0], node_ints(n, ATTR_perm, NULL));
	case OP_cast:
		return cast_recipe(rw, n);
	case OP_slice:
		return large ? slice_recipe(rw, n) : NO_ID;
	case OP_mul:
	case OP_div:
		return large && graph_value(rw->g, n->out[0])->dtype == DTYPE_F32
			       ? scale_recipe(rw, n)
			       : NO_ID;
	default:
		return NO_ID;
	}
}

bool pass_fold(struct graph *g, struct diag *d)
{
	struct rewrite rw;
	uint32_t count = g->nodes.len;

	rewrite_begin(&rw, g, d);
	for (uint32_t i = 0; i < count; i++) {
		const struct node *n = rewrite_visit(&rw, i);
		value_id v;

		if (n->dead || n->epilogue_count || !all_constant(g, n))
			continue;
		v = recipe(&rw, n);
		rewrite_track(&rw);
		if (v != NO_ID)
			rewrite_become(&rw, i, v);
		else if (worth_it(g, n))
			evaluate(&rw, i);
	}
	return rewrite_end(&rw);
}
