/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_sample.c - reading an image at places that only a run knows.
 *
 * Images become rows of channels, and each neighbour of a place is a Gather of
 * rows times its weight: what a run computes for a place is a few numbers, and
 * the rest moves whole pixels.
 */
#include "config.h"

#include "import/onnx_ops.h"

#include <string.h>

enum { MOST_AXES = 3 };

static value_id by(struct call *c, enum op op, value_id x, double number)
{
	return emit2(c, op, x, emit_like(c, x, number));
}

static value_id clipped(struct call *c, value_id x, double least, double most)
{
	struct attr range[2] = { attr_float(min, least), attr_float(max, most) };

	return emit(c, OP_clip, &x, 1, range, 2);
}

/* Back and forth between two mirrors. */
static value_id reflected(struct call *c, value_id x, double least, double most)
{
	double range = most - least;

	if (range <= 0)
		return by(c, OP_mul, x, 0);
	x = by(c, OP_mod, by(c, OP_sub, x, least), 2 * range);
	x = emit1(c, OP_abs, by(c, OP_sub, x, range)); /* how far from the second mirror */
	return by(c, OP_add, emit1(c, OP_neg, x), most);
}

/* A neighbour at a whole number; beyond the border it is another one, or counts nothing. */
static void add_tap(struct call *c, struct onnx_taps *t, value_id at, value_id weight, int64_t size, enum onnx_border border, bool corners)
{
	value_id inside, low, high;
	double edge = corners ? 0 : 0.5;

	if (border == BORDER_REFLECTION)
		at = reflected(c, at, -edge, (double)size - 1 + edge);
	if (border == BORDER_ZEROS) {
		low = emit2(c, OP_greater_equal, at, emit_like(c, at, 0));
		high = emit2(c, OP_less_equal, at, emit_like(c, at, (double)(size - 1)));
		inside = emit_cast(c, emit2(c, OP_logical_and, low, high), dtype_of(c, at));
		weight = weight == NO_ID ? inside : emit2(c, OP_mul, weight, inside);
	}
	at = emit1(c, OP_round, clipped(c, at, 0, (double)(size - 1)));
	t->index[t->count] = emit_cast(c, at, DTYPE_I64);
	t->weight[t->count++] = weight;
}

/* Horner: ((a t + b) t + c) t + d */
static value_id cubic(struct call *c, value_id t, double p3, double p2, double p1, double p0)
{
	value_id y = by(c, OP_add, by(c, OP_mul, t, p3), p2);

	y = by(c, OP_add, emit2(c, OP_mul, y, t), p1);
	return by(c, OP_add, emit2(c, OP_mul, y, t), p0);
}

void onnx_find_taps(struct call *c, struct onnx_taps *t, value_id at, int64_t size, char mode, enum onnx_border border, bool corners)
{
	static const double a = -0.75;
	value_id low, part;

	t->count = 0;
	if (mode == 'n') {
		add_tap(c, t, emit1(c, OP_round, at), NO_ID, size, border, corners);
		return;
	}
	if (border == BORDER_REFLECTION && mode == 'l')
		at = reflected(c, at, corners ? 0 : -0.5, (double)size - (corners ? 1 : 0.5));
	low = emit1(c, OP_floor, at);
	part = emit2(c, OP_sub, at, low);
	if (mode == 'l') {
		add_tap(c, t, low, by(c, OP_add, emit1(c, OP_neg, part), 1), size, border, corners);
		add_tap(c, t, by(c, OP_add, low, 1), part, size, border, corners);
		return;
	}
	add_tap(c, t, by(c, OP_sub, low, 1), cubic(c, part, a, -2 * a, a, 0), size, border, corners);
	add_tap(c, t, low, cubic(c, part, a + 2, -a - 3, 0, 1), size, border, corners);
	add_tap(c, t, by(c, OP_add, low, 1), cubic(c, part, -a - 2, 2 * a + 3, -a, 0), size, border, corners);
	add_tap(c, t, by(c, OP_add, low, 2), cubic(c, part, -a, a, 0, 0), size, border, corners);
}

value_id onnx_steps(struct call *c, int64_t n, int64_t step, uint32_t rank)
{
	struct shape s = { .rank = rank, .dim = { n } };
	int64_t *list = arena_new_array(&c->im->scratch, int64_t, (size_t)n);

	for (int64_t i = 0; i < n; i++)
		list[i] = i * step;
	for (uint32_t i = 1; i < rank; i++)
		s.dim[i] = 1;
	return emit_reshape(c, emit_ints(c, list, (uint32_t)n), &s);
}

value_id onnx_sum_taps(struct call *c, value_id rows, value_id first, const int64_t *size, const struct onnx_taps *t, uint32_t axes)
{
	struct shape places = shape_of(c, t[0].index[0]), column = places;
	uint32_t which[MOST_AXES] = { 0 }, k;
	value_id sum = NO_ID;

	column.dim[column.rank++] = 1;
	do {
		value_id at = first, weight = NO_ID, x;
		int64_t stride = 1;

		for (k = axes; k-- > 0; stride *= size[k]) {
			value_id w = t[k].weight[which[k]];

			at = emit2(c, OP_add, at, emit2(c, OP_mul, t[k].index[which[k]], emit_scalar(c, DTYPE_I64, (double)stride)));
			if (w != NO_ID)
				weight = weight == NO_ID ? w : emit2(c, OP_mul, weight, w);
		}
		x = emit(c, OP_gather, (value_id[]){ rows, at }, 2, &attr_int(axis, 0), 1);
		if (weight != NO_ID)
			x = emit2(c, OP_mul, x, emit_reshape(c, weight, &column));
		sum = sum == NO_ID ? x : emit2(c, OP_add, sum, x);
		for (k = axes; k-- > 0 && ++which[k] == t[k].count;)
			which[k] = 0;
	} while (k != UINT32_MAX && !c->failed);
	return sum;
}

static bool read_sampling(struct call *c, char *mode, enum onnx_border *border)
{
	const char *m = call_string(c, "mode", "linear"), *p = call_string(c, "padding_mode", "zeros");

	*mode = strcmp(m, "linear") == 0 || strcmp(m, "bilinear") == 0 ? 'l' :
		strcmp(m, "cubic") == 0 || strcmp(m, "bicubic") == 0   ? 'c' :
		strcmp(m, "nearest") == 0			       ? 'n' :
									 0;
	*border = strcmp(p, "border") == 0 ? BORDER_EDGE : strcmp(p, "reflection") == 0 ? BORDER_REFLECTION : BORDER_ZEROS;
	if (!*mode || (*border == BORDER_ZEROS && strcmp(p, "zeros") != 0))
		return call_fail(c, "mode \"%s\" with padding \"%s\" is not known", m, p);
	return true;
}

bool op_grid_sample(struct call *c)
{
	value_id x = call_in(c, 0), grid = call_in(c, 1), rows;
	struct shape s = shape_of(c, x), gs = shape_of(c, grid), places = gs;
	bool corners = call_int(c, "align_corners", 0);
	uint32_t axes = s.rank - 2;
	struct onnx_taps t[MOST_AXES];
	enum onnx_border border;
	int64_t pixels = 1;
	char mode;

	if (s.rank < 3 || axes > MOST_AXES || gs.rank != s.rank || gs.dim[gs.rank - 1] != axes || gs.dim[0] != s.dim[0])
		return call_fail(c, "its image and grid do not go together");
	if (!read_sampling(c, &mode, &border))
		return false;
	places.rank--;
	grid = emit_cast(c, grid, DTYPE_F32);
	for (uint32_t k = 0; k < axes; k++) {
		int64_t size = s.dim[2 + k];
		double half = corners ? (double)(size - 1) / 2 : (double)size / 2;
		value_id at = emit_reshape(c, emit_slice(c, grid, gs.rank - 1, axes - 1 - k, 1), &places);

		if (size < 1 || size > 1 << 20)
			return call_fail(c, "its image is empty or too large");
		at = by(c, OP_add, by(c, OP_mul, at, half), (double)(size - 1) / 2);
		onnx_find_taps(c, &t[k], at, size, mode, border, corners);
		pixels *= size;
	}
	rows = emit_reshape(c, emit_to_last(c, x), &(struct shape){ 2, { s.dim[0] * pixels, s.dim[1] } });
	if (c->failed)
		return false;
	x = onnx_sum_taps(c, rows, onnx_steps(c, s.dim[0], pixels, places.rank), s.dim + 2, t, axes);
	call_out(c, 0, emit_to_first(c, emit_cast(c, x, dtype_of(c, call_in(c, 0)))));
	return !c->failed;
}

/* Places of a regular grid, transformed: grid[n] = base theta[n]'. */
bool op_affine_grid(struct call *c)
{
	value_id theta = call_in(c, 0), in[2];
	struct shape ts = shape_of(c, theta), out;
	bool corners = call_int(c, "align_corners", 0);
	struct attr turn = attr_int(trans_b, 1);
	const int64_t *size;
	int64_t points = 1;
	uint32_t n, axes;
	float *base;

	size = call_known_ints(c, 1, "size", &n);
	if (!size || (n != 4 && n != 5) || ts.rank != 3 || ts.dim[1] != n - 2 || ts.dim[2] != n - 1 || ts.dim[0] != size[0])
		return call_fail(c, "its transformation does not fit its size");
	axes = n - 2;
	out = (struct shape){ .rank = n, .dim = { size[0] } };
	for (uint32_t i = 0; i < axes; i++) {
		out.dim[1 + i] = size[2 + i];
		if (size[2 + i] < 1 || size[2 + i] > 1 << 20 || points > (1 << 24) / size[2 + i])
			return call_fail(c, "its size is out of range");
		points *= size[2 + i];
	}
	out.dim[n - 1] = axes;
	base = arena_new_array(&c->im->scratch, float, (size_t)points * (axes + 1));
	for (int64_t i = 0; i < points; i++) {
		int64_t rest = i;

		for (uint32_t k = axes; k-- > 0; rest /= size[2 + k]) {
			double at = (double)(rest % size[2 + k]), whole = (double)size[2 + k];

			base[i * (axes + 1) + axes - 1 - k] = (float)(!corners ? (2 * at + 1) / whole - 1 :
								      whole > 1 ? 2 * at / (whole - 1) - 1 :
										  0);
		}
		base[i * (axes + 1) + axes] = 1;
	}
	in[0] = graph_add_const_bytes(c->g, DTYPE_F32, (struct shape){ 3, { 1, points, axes + 1 } }, base);
	in[1] = emit_cast(c, theta, DTYPE_F32);
	in[0] = emit_cast(c, emit(c, OP_matmul, in, 2, &turn, 1), dtype_of(c, theta));
	call_out(c, 0, emit_reshape(c, in[0], &out));
	return !c->failed;
}
