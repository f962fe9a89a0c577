/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_signal.c - Fourier transforms and windows.
 *
 * A transform of a known length is a product with a matrix of cosines and
 * sines. For the lengths that networks take of sound, some hundreds, that runs
 * as fast as anything. Complex numbers are pairs along the last axis.
 */
#include "config.h"

#include "import/onnx_ops.h"

#include <math.h>
#include <string.h>

enum { MATRIX_LIMIT = 1 << 25, WINDOW_LIMIT = 1 << 24 };

/* [parts * length, 2 * bins]: what element and part of it give to each part of each bin. */
static value_id fourier_matrix(struct call *c, int64_t length, int64_t bins, bool pairs, bool inverse)
{
	const double pi = 3.14159265358979323846, norm = inverse ? 1.0 / (double)length : 1;
	int64_t parts = pairs ? 2 : 1;
	struct shape s = { 2, { parts * length, 2 * bins } };
	float *m;

	if (length < 1 || length > WINDOW_LIMIT || s.dim[0] > MATRIX_LIMIT / s.dim[1]) {
		call_fail(c, "a transform of length %lld is not supported", (long long)length);
		return NO_ID;
	}
	m = arena_alloc(&c->im->scratch, (size_t)(s.dim[0] * s.dim[1]) * sizeof *m);
	for (int64_t i = 0; i < length; i++) {
		for (int64_t k = 0; k < bins; k++) {
			double angle = 2 * pi * (double)(i * k % length) / (double)length;
			double re = cos(angle) * norm, im = (inverse ? 1 : -1) * sin(angle) * norm;
			float *row = m + parts * i * s.dim[1] + 2 * k;

			row[0] = (float)re;
			row[1] = (float)im;
			if (pairs) {
				row[s.dim[1]] = (float)-im;
				row[s.dim[1] + 1] = (float)re;
			}
		}
	}
	return graph_add_const_bytes(c->g, DTYPE_F32, s, m);
}

/* x[.., n, 1 or 2] to [.., bins, 2]. */
static value_id transform(struct call *c, value_id x, bool onesided, bool inverse)
{
	struct shape s = shape_of(c, x), flat = s;
	int64_t length = s.dim[s.rank - 2], bins = onesided ? length / 2 + 1 : length;
	bool pairs = s.dim[s.rank - 1] == 2;
	enum dtype t = dtype_of(c, x);
	value_id m;

	flat.rank--;
	flat.dim[flat.rank - 1] = length * (pairs ? 2 : 1);
	m = fourier_matrix(c, length, bins, pairs, inverse);
	x = emit2(c, OP_matmul, emit_cast(c, emit_reshape(c, x, &flat), DTYPE_F32), m);
	s.dim[s.rank - 2] = bins;
	s.dim[s.rank - 1] = 2;
	return emit_cast(c, emit_reshape(c, x, &s), t);
}

/* Cut off or filled up with zeros along an axis. */
static value_id with_length(struct call *c, value_id x, uint32_t axis, int64_t length)
{
	struct shape s = shape_of(c, x);
	int64_t pads[2 * MAX_RANK] = { 0 };
	struct attr attr[2];

	if (length <= s.dim[axis])
		return emit_slice(c, x, axis, 0, length);
	pads[s.rank + axis] = length - s.dim[axis];
	attr[0] = attr_ints(pads, pads, 2 * s.rank);
	attr[1] = attr_float(value, 0);
	return emit(c, OP_pad, &x, 1, attr, 2);
}

bool op_dft(struct call *c)
{
	value_id x = call_in(c, 0);
	struct shape s = shape_of(c, x);
	bool onesided = call_int(c, "onesided", 0), inverse = call_int(c, "inverse", 0);
	int64_t wanted = c->opset < 20 ? call_int(c, "axis", 1) : -2, perm[MAX_RANK];
	const int64_t *list;
	uint32_t axis, n, before;

	if (c->opset >= 20 && call_has(c, 2)) {
		list = call_known_ints(c, 2, "axis", &n);
		if (!list || n != 1)
			return call_fail(c, "its axis must be one number");
		wanted = list[0];
	}
	if (s.rank < 2 || (s.dim[s.rank - 1] != 1 && s.dim[s.rank - 1] != 2) || !call_axis(c, wanted, s.rank, &axis) ||
	    axis == s.rank - 1)
		return call_fail(c, "its signal must end with an axis of one or two parts");
	if (inverse && onesided)
		return call_fail(c, "the inverse of half a spectrum is not supported");
	if (call_has(c, 1)) {
		list = call_known_ints(c, 1, "dft_length", &n);
		if (!list || n != 1 || list[0] < 1 || list[0] > WINDOW_LIMIT)
			return call_fail(c, "its length must be one number above 0");
		x = with_length(c, x, axis, list[0]);
	}
	before = s.rank - 2;
	for (uint32_t i = 0; i < s.rank; i++)
		perm[i] = i;
	perm[axis] = before;
	perm[before] = axis;
	x = transform(c, emit_transpose(c, x, perm), onesided, inverse);
	call_out(c, 0, emit_transpose(c, x, perm));
	return !c->failed;
}

/* Frames laid side by side, times the window, transformed. */
bool op_stft(struct call *c)
{
	value_id x = call_in(c, 0), window = call_in(c, 2);
	struct shape s = shape_of(c, x), ws = shape_of(c, window), cut;
	const int64_t *list;
	int64_t step, length, frames, parts;
	uint32_t n;

	list = call_known_ints(c, 1, "frame_step", &n);
	if (!list || n != 1 || list[0] < 1)
		return call_fail(c, "its frame_step must be one number above 0");
	step = list[0];
	length = window == NO_ID ? 0 : ws.dim[0];
	if (call_has(c, 3)) {
		list = call_known_ints(c, 3, "frame_length", &n);
		if (!list || n != 1)
			return call_fail(c, "its frame_length must be one number");
		length = list[0];
	}
	parts = s.rank == 3 ? s.dim[2] : 1;
	if ((s.rank != 2 && s.rank != 3) || parts < 1 || parts > 2 || length < 1 || length > s.dim[1] ||
	    (window != NO_ID && (ws.rank != 1 || ws.dim[0] != length)))
		return call_fail(c, "its signal, window and frame length do not go together");
	frames = (s.dim[1] - length) / step + 1;
	if (frames > WINDOW_LIMIT / length)
		return call_fail(c, "its frames have too many elements");
	x = onnx_windows(c, x, 1, frames, length, step, 1);
	cut = (struct shape){ 4, { s.dim[0], frames, length, parts } };
	x = emit_reshape(c, x, &cut);
	if (window != NO_ID)
		x = emit2(c, OP_mul, x, emit_reshape(c, emit_cast(c, window, dtype_of(c, x)), &(struct shape){ 2, { length, 1 } }));
	call_out(c, 0, c->failed ? NO_ID : transform(c, x, call_int(c, "onesided", 1) && parts == 1, false));
	return !c->failed;
}

/* a - b cos(2 pi i / n) + d cos(4 pi i / n) */
static bool window(struct call *c, double a, double b, double d)
{
	const double pi = 3.14159265358979323846;
	int64_t number = call_int(c, "output_datatype", 1);
	bool periodic = call_int(c, "periodic", 1);
	const int64_t *size;
	enum dtype t;
	float *list;
	double n;
	uint32_t count;

	size = call_known_ints(c, 0, "size", &count);
	if (!size || count != 1 || *size < 0 || *size > WINDOW_LIMIT)
		return call_fail(c, "its size must be one number");
	if (!onnx_dtype(number, &t))
		return call_fail(c, "tensors of %s are not supported", onnx_dtype_name(number));
	n = (double)(periodic || *size < 2 ? *size : *size - 1);
	list = arena_new_array(&c->im->scratch, float, (size_t)*size);
	for (int64_t i = 0; i < *size; i++) {
		double angle = 2 * pi * (double)i / n;

		list[i] = (float)(a - b * cos(angle) + d * cos(2 * angle));
	}
	call_out(c, 0, emit_cast(c, graph_add_const_bytes(c->g, DTYPE_F32, (struct shape){ 1, { *size } }, list), t));
	return !c->failed;
}

bool op_hann_window(struct call *c)
{
	return window(c, 0.5, 0.5, 0);
}

bool op_hamming_window(struct call *c)
{
	return window(c, 25.0 / 46, 21.0 / 46, 0);
}

bool op_blackman_window(struct call *c)
{
	return window(c, 0.42, 0.5, 0.08);
}
