/* SPDX-License-Identifier: Apache-2.0 */
/* network_shape.c - layers that move elements: reshape, transpose, concat, slice, resize ... */
#include "config.h"

#include "import/network.h"

#include <string.h>

static struct net_value done(struct net_call *c, value_id v)
{
	return net_tensor(v, c->span);
}

/* One dimension of -1 takes what is left. */
static struct net_value build_reshape(struct net_call *c)
{
	int64_t dim[MAX_RANK], known = 1, all = shape_elements(net_shape(c, 0));
	uint32_t n = net_get_list(c, 1, dim, MAX_RANK), open = UINT32_MAX;

	if (n == UINT32_MAX)
		return NET_POISONED;
	for (uint32_t i = 0; i < n; i++) {
		if (dim[i] == -1 && open == UINT32_MAX)
			open = i;
		else if (dim[i] < 1 || __builtin_mul_overflow(known, dim[i], &known))
			return net_fail(c, 1, dim[i] == -1 ? "only one dimension may be -1"
							   : "a dimension must be at least 1, or -1 for one of them");
	}
	if (open != UINT32_MAX && all % known == 0)
		dim[open] = all / known;
	else if (open != UINT32_MAX || known != all)
		return net_fail(c, 1, "%lld elements do not fill this shape%s", (long long)all,
				open == UINT32_MAX ? "" : " evenly");
	return done(c, net_reshape(c, c->arg[0].tensor, dim, n));
}

static struct net_value build_flatten(struct net_call *c)
{
	struct shape s = *net_shape(c, 0);
	int64_t axis = net_get_axis(c, 1, s.rank, s.rank > 1 ? 1 : 0);

	if (axis < 0)
		return NET_POISONED;
	for (uint32_t i = (uint32_t)axis + 1; i < s.rank; i++)
		s.dim[axis] *= s.dim[i];
	return done(c, net_reshape(c, c->arg[0].tensor, s.dim, (uint32_t)axis + 1));
}

static struct net_value build_transpose(struct net_call *c)
{
	int64_t perm[MAX_RANK];
	uint32_t rank = net_shape(c, 0)->rank, n = net_get_list(c, 1, perm, MAX_RANK), seen = 0;

	if (n == UINT32_MAX)
		return NET_POISONED;
	for (uint32_t i = 0; i < n && n == rank; i++) {
		if (perm[i] < 0 && perm[i] >= -(int64_t)rank)
			perm[i] += rank;
		if (perm[i] >= 0 && perm[i] < rank)
			seen |= 1u << perm[i];
	}
	if (n != rank || seen != (1u << rank) - 1)
		return net_fail(c, 1, "this must name each of the %u axes once", rank);
	return done(c, net_transpose(c, c->arg[0].tensor, perm, n));
}

static struct net_value build_squeeze(struct net_call *c)
{
	struct shape s = *net_shape(c, 0);
	int64_t axis = net_get_axis(c, 1, s.rank, 0);

	if (axis < 0)
		return NET_POISONED;
	if (s.dim[axis] != 1)
		return net_fail(c, 1, "axis %lld has %lld elements, only an axis of 1 can be removed", (long long)axis,
				(long long)s.dim[axis]);
	for (uint32_t i = (uint32_t)axis; i + 1 < s.rank; i++)
		s.dim[i] = s.dim[i + 1];
	return done(c, net_reshape(c, c->arg[0].tensor, s.dim, s.rank - 1));
}

static struct net_value build_unsqueeze(struct net_call *c)
{
	struct shape s = *net_shape(c, 0);
	int64_t axis;

	if (s.rank == MAX_RANK)
		return net_fail(c, 0, "a tensor has at most %d axes", MAX_RANK);
	axis = net_get_axis(c, 1, s.rank + 1, 0);
	if (axis < 0)
		return NET_POISONED;
	for (uint32_t i = s.rank; i > axis; i--)
		s.dim[i] = s.dim[i - 1];
	s.dim[axis] = 1;
	return done(c, net_reshape(c, c->arg[0].tensor, s.dim, s.rank + 1));
}

/* concat(a, b, ..., axis) */
static struct net_value build_concat(struct net_call *c)
{
	const struct net_value *list = &c->arg[0];
	const struct shape *first = &graph_value(c->n->graph, list->item[0].tensor)->shape;
	struct attr a = attr_int(axis, net_get_axis(c, 1, first->rank, 0));
	value_id *in = arena_new_array(c->n->arena, value_id, list->count);

	if (a.i < 0)
		return NET_POISONED;
	for (uint32_t i = 0; i < list->count; i++)
		in[i] = list->item[i].tensor;
	return done(c, net_op(c, OP_concat, in, list->count, &a, 1));
}

static value_id slice_axis(struct net_call *c, uint32_t axis, int64_t from, int64_t count, int64_t step)
{
	struct shape s = *net_shape(c, 0);
	int64_t starts[MAX_RANK] = { 0 }, steps[MAX_RANK];
	struct attr a[3];

	for (uint32_t i = 0; i < s.rank; i++)
		steps[i] = 1;
	starts[axis] = from;
	steps[axis] = step;
	s.dim[axis] = count;
	a[0] = attr_ints(starts, starts, s.rank);
	a[1] = attr_ints(steps, steps, s.rank);
	a[2] = attr_ints(shape, s.dim, s.rank);
	return net_op(c, OP_slice, &c->arg[0].tensor, 1, a, 3);
}

/* slice(x, axis, from, to, step) */
static struct net_value build_slice(struct net_call *c)
{
	const struct shape *s = net_shape(c, 0);
	int64_t axis = net_get_axis(c, 1, s->rank, 0), step = net_get_int(c, 4, 1), size, from, to;

	if (axis < 0)
		return NET_POISONED;
	size = s->dim[axis];
	from = c->arg[2].integer < 0 ? c->arg[2].integer + size : c->arg[2].integer;
	to = net_get_int(c, 3, size);
	to = to < 0 ? to + size : to;
	if (step < 1)
		return net_fail(c, 4, "the step must be at least 1");
	if (from < 0 || to > size || from >= to)
		return net_fail(c, 2, "nothing lies from %lld to %lld on an axis of %lld", (long long)c->arg[2].integer,
				(long long)net_get_int(c, 3, size), (long long)size);
	return done(c, slice_axis(c, (uint32_t)axis, from, (to - from - 1) / step + 1, step));
}

/* split(x, parts, axis) */
static struct net_value build_split(struct net_call *c)
{
	const struct shape *s = net_shape(c, 0);
	int64_t axis = net_get_axis(c, 2, s->rank, -1), parts = c->arg[1].integer, size;
	struct net_value *item;

	if (axis < 0)
		return NET_POISONED;
	if (parts < 2 || parts > 1000 || s->dim[axis] % parts)
		return net_fail(c, 1, "an axis of %lld cannot be split into %lld equal parts", (long long)s->dim[axis],
				(long long)parts);
	size = s->dim[axis] / parts;
	item = arena_new_array(c->n->arena, struct net_value, (size_t)parts);
	for (int64_t i = 0; i < parts; i++) {
		item[i] = done(c, slice_axis(c, (uint32_t)axis, i * size, size, 1));
		if (item[i].kind == NET_POISON)
			return NET_POISONED;
	}
	return net_results(c->n, item, (uint32_t)parts, c->span);
}

static struct net_value build_expand(struct net_call *c)
{
	struct shape want = { 0 }, both;
	struct attr a;

	want.rank = net_get_list(c, 1, want.dim, MAX_RANK);
	if (want.rank == UINT32_MAX)
		return NET_POISONED;
	for (uint32_t i = 0; i < want.rank; i++)
		if (want.dim[i] < 1)
			return net_fail(c, 1, "a dimension must be at least 1");
	if (!shape_broadcast(net_shape(c, 0), &want, &both) || !shape_equal(&both, &want))
		return net_fail(c, 1, "it cannot be expanded to %s", shape_string(c->n->arena, &want));
	a = attr_ints(shape, want.dim, want.rank);
	return done(c, net_op(c, OP_expand, &c->arg[0].tensor, 1, &a, 1));
}

static struct net_value build_tile(struct net_call *c)
{
	int64_t times[MAX_RANK];
	uint32_t n = net_get_list(c, 1, times, MAX_RANK);
	struct attr a = attr_ints(repeats, times, n);

	if (n == UINT32_MAX)
		return NET_POISONED;
	if (n != net_shape(c, 0)->rank)
		return net_fail(c, 1, "one number for each of the %u axes is needed", net_shape(c, 0)->rank);
	for (uint32_t i = 0; i < n; i++)
		if (times[i] < 1 || times[i] > INT32_MAX)
			return net_fail(c, 1, "it cannot be repeated %lld times", (long long)times[i]);
	return done(c, net_op(c, OP_tile, &c->arg[0].tensor, 1, &a, 1));
}

static int find_word(const char *word, const char *const *words, int count)
{
	for (int i = 0; i < count; i++)
		if (!strcmp(word, words[i]))
			return i;
	return -1;
}

/* pad(x, before, after, value, mode) */
static struct net_value build_pad(struct net_call *c)
{
	static const char *const modes[] = { "constant", "reflect", "edge", "wrap" }; /* enum pad_mode */
	uint32_t rank = net_shape(c, 0)->rank, n, m;
	int64_t pads[2 * MAX_RANK];
	int mode = net_given(c, 4) ? find_word(c->arg[4].text, modes, 4) : PAD_CONSTANT;
	struct attr a[3];

	n = net_get_list(c, 1, pads, MAX_RANK);
	m = n == UINT32_MAX ? n : net_get_list(c, 2, pads + rank, MAX_RANK);
	if (m == UINT32_MAX)
		return NET_POISONED;
	if (n != rank || m != rank)
		return net_fail(c, n != rank ? 1 : 2, "one number for each of the %u axes is needed", rank);
	if (mode < 0)
		return net_fail(c, 4, "modes are constant, reflect, edge and wrap");
	for (uint32_t i = 0; i < 2 * rank; i++)
		if (pads[i] < 0 || pads[i] > INT32_MAX)
			return net_fail(c, i < rank ? 1 : 2, "padding must be 0 or more");
	a[0] = attr_ints(pads, pads, 2 * rank);
	a[1] = attr_int(mode, mode);
	a[2] = attr_float(value, net_get_real(c, 3, 0));
	return done(c, net_op(c, OP_pad, &c->arg[0].tensor, 1, a, 3));
}

/* resize(x, size, mode, align_corners, scale): PyTorch's coordinates */
static struct net_value build_resize(struct net_call *c)
{
	static const char *const modes[] = { "nearest", "linear", "cubic" }; /* enum resize_mode */
	struct shape s = *net_shape(c, 0);
	int64_t size[MAX_RANK], old;
	double scales[MAX_RANK], scale = net_get_real(c, 4, 0);
	int mode = net_given(c, 2) ? find_word(c->arg[2].text, modes, 3) : RESIZE_NEAREST;
	uint32_t n = 0;
	struct attr a[6];
	bool align = net_get_switch(c, 3, false);

	if (s.rank < 3)
		return net_fail(c, 0, "its input must be [batch, channels, ...], and has rank %u", s.rank);
	if (net_given(c, 1))
		n = net_get_list(c, 1, size, s.rank - 2);
	if (n == UINT32_MAX)
		return NET_POISONED;
	if (mode < 0)
		return net_fail(c, 2, "modes are nearest, linear and cubic");
	if (net_given(c, 1) ? net_given(c, 4) || n != s.rank - 2 : !(scale > 0 && scale < 1e6))
		return net_fail(c, 1, "either one size for each of the %u axes or a scale above 0 is needed", s.rank - 2);
	for (uint32_t i = 0; i < s.rank; i++) {
		old = s.dim[i];
		if (i >= 2)
			s.dim[i] = n ? size[i - 2] : (int64_t)((double)old * scale);
		if (s.dim[i] < 1 || s.dim[i] > INT32_MAX)
			return net_fail(c, n ? 1 : 4, "a size of %lld is out of range", (long long)s.dim[i]);
		scales[i] = i < 2 ? 1 : n ? (double)s.dim[i] / (double)old : scale;
	}
	a[0] = attr_int(mode, mode);
	a[1] = attr_int(coordinates, align ? COORD_ALIGN_CORNERS : mode == RESIZE_NEAREST ? COORD_ASYMMETRIC
										      : COORD_HALF_PIXEL);
	a[2] = attr_int(rounding, ROUND_FLOOR);
	a[3] = attr_floats(scales, scales, s.rank);
	a[4] = attr_ints(shape, s.dim, s.rank);
	a[5] = attr_float(cubic_a, -0.75);
	return done(c, net_op(c, OP_resize, &c->arg[0].tensor, 1, a, 6));
}

static struct net_value build_gather(struct net_call *c)
{
	struct attr a = attr_int(axis, net_get_axis(c, 2, net_shape(c, 0)->rank, 0));
	enum dtype t = net_dtype(c, 1);

	if (a.i < 0)
		return NET_POISONED;
	if (t != DTYPE_I64 && t != DTYPE_I32)
		return net_fail(c, 1, "ids must be i64 or i32");
	return done(c, net_op(c, OP_gather, (value_id[]){ c->arg[0].tensor, c->arg[1].tensor }, 2, &a, 1));
}

static struct net_value build_cast(struct net_call *c)
{
	enum dtype t;
	struct attr a;

	if (!dtype_from_name(c->arg[1].text, &t))
		return net_fail(c, 1, "unknown type \"%s\"", c->arg[1].text);
	a = attr_int(dtype, (int64_t)t);
	return done(c, net_op(c, OP_cast, &c->arg[0].tensor, 1, &a, 1));
}

static struct net_value build_dim(struct net_call *c)
{
	int64_t axis = net_get_axis(c, 1, net_shape(c, 0)->rank, 0);

	return axis < 0 ? NET_POISONED : net_int(net_shape(c, 0)->dim[axis], c->span);
}

const struct layer_spec net_shape_layers[] = {
	{ "reshape", "x:t shape:l", build_reshape, 0 },
	{ "flatten", "x:t axis:n?", build_flatten, 0 },
	{ "transpose", "x:t perm:l", build_transpose, 0 },
	{ "squeeze", "x:t axis:n", build_squeeze, 0 },
	{ "unsqueeze", "x:t axis:n", build_unsqueeze, 0 },
	{ "concat", "*x:t axis:n", build_concat, 0 },
	{ "slice", "x:t axis:n from:n to:n? step:n?", build_slice, 0 },
	{ "split", "x:t parts:n axis:n?", build_split, 0 },
	{ "expand", "x:t shape:l", build_expand, 0 },
	{ "tile", "x:t repeats:l", build_tile, 0 },
	{ "pad", "x:t before:l after:l value:r? mode:s?", build_pad, 0 },
	{ "resize", "x:t size:i? mode:s? align_corners:b? scale:r?", build_resize, 0 },
	{ "gather", "x:t ids:t axis:n?", build_gather, 0 },
	{ "cast", "x:t type:s", build_cast, 0 },
	{ "dim", "x:t axis:n", build_dim, 0 },
};
const uint32_t net_shape_layer_count = sizeof net_shape_layers / sizeof *net_shape_layers;
