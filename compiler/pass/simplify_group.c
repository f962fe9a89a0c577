/* SPDX-License-Identifier: Apache-2.0 */
/*
 * simplify_group.c - group normalisation that was spelt as an instance norm.
 *
 * Exports without the operation see an image x[N, C, s..] as [N, G, all of a
 * group], normalise each of the G "channels", and see the result as x again.
 * That is group_norm with G groups on x with its channels last, where the
 * transposes around it meet those of its neighbours.
 */
#include "config.h"

#include "pass/simplify.h"

/* [0, 2 .. rank-1, 1], or the way back [0, rank-1, 1 .. rank-2] */
static void channels_perm(int64_t *perm, uint32_t rank, bool back)
{
	perm[0] = 0;
	for (uint32_t i = 1; i < rank; i++)
		perm[i] = back ? (i == 1 ? rank - 1 : i - 1) : (i + 1 < rank ? i + 1 : 1);
}

/* The transpose that gives v, if nothing else reads v and it is that one. */
static const struct node *channels_moved(struct rewrite *rw, value_id v, bool back)
{
	const struct node *n = rewrite_producer_op(rw, v, OP_transpose);
	uint32_t rank = shape_of_value(rw->g, v)->rank;
	int64_t want[MAX_RANK];
	const int64_t *perm;

	if (!n || rank < 3 || rewrite_uses(rw, v) != 1)
		return NULL;
	channels_perm(want, rank, back);
	perm = node_ints(n, ATTR_perm, NULL);
	for (uint32_t i = 0; i < rank; i++) {
		if (perm[i] != want[i])
			return NULL;
	}
	return n;
}

/* A factor or term for each group becomes one for each of its channels. */
static value_id for_channels(struct rewrite *rw, value_id v, int64_t channels)
{
	int64_t groups = shape_elements(shape_of_value(rw->g, v));
	struct shape s = { .rank = 1, .dim = { channels } };
	float *out;

	if (v == NO_ID || graph_value(rw->g, v)->kind != VALUE_CONST || groups < 1 || channels % groups)
		return NO_ID;
	out = arena_new_array(&rw->tmp, float, (size_t)channels + (size_t)groups);
	if (!data_read_f32(rw->g, v, out + channels, rw->d))
		return NO_ID;
	for (int64_t c = 0; c < channels; c++)
		out[c] = out[channels + c / (channels / groups)];
	v = graph_add_const_bytes(rw->g, DTYPE_F32, s, out);
	rewrite_track(rw);
	return v;
}

/* reshape(instance_norm(reshape(x))) with x's own shape */
bool simplify_group(struct rewrite *rw, node_id id)
{
	const struct node *n = graph_node(rw->g, id), *after, *norm, *before, *seen;
	struct shape x;
	int64_t perm[MAX_RANK], groups;
	struct attr attr[2];
	value_id in[3], v;

	after = n->op == OP_reshape ? channels_moved(rw, n->in[0], true) : NULL;
	norm = after ? rewrite_producer_op(rw, after->in[0], OP_group_norm) : NULL;
	if (!norm || norm->in_count != 3 || rewrite_uses(rw, after->in[0]) != 1)
		return false;
	before = channels_moved(rw, norm->in[0], false);
	seen = before ? rewrite_producer_op(rw, before->in[0], OP_reshape) : NULL;
	groups = node_int(norm, ATTR_group, 1);
	if (!seen || shape_of_value(rw->g, before->in[0])->dim[1] != groups)
		return false;
	v = seen->in[0];
	x = *shape_of_value(rw->g, v);
	if (x.rank < 3 || !shape_equal(&x, shape_of_value(rw->g, n->out[0])) ||
	    x.dim[0] != shape_of_value(rw->g, before->in[0])->dim[0] || x.dim[1] % groups)
		return false;
	attr[0] = attr_int(group, groups);
	attr[1] = attr_float(eps, node_float(norm, ATTR_eps, 1e-5));
	in[1] = for_channels(rw, norm->in[1], x.dim[1]);
	in[2] = for_channels(rw, norm->in[2], x.dim[1]);
	if (in[1] == NO_ID || in[2] == NO_ID)
		return false;
	channels_perm(perm, x.rank, false);
	in[0] = rewrite_transpose(rw, v, perm, id);
	v = in[0] == NO_ID ? NO_ID : rewrite_op(rw, OP_group_norm, in, 3, attr, 2, id);
	if (v == NO_ID)
		return false;
	channels_perm(perm, x.rank, true);
	return rewrite_become(rw, id, rewrite_transpose(rw, v, perm, id));
}
