/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_image.c - convolution, pooling, padding.
 *
 * The graph's operations are channels-last, the format's are channels-first:
 * each is wrapped in transposes, which the layout pass cancels or sinks.
 */
#include "config.h"

#include "import/onnx_ops.h"

#include <string.h>

enum { MAX_SPATIAL = ONNX_MAX_SPATIAL, MAX_WINDOW = 1 << 20 };

static bool read_list(struct call *c, const char *name, int64_t *out, uint32_t count,
		      int64_t absent, int64_t least)
{
	uint32_t n;
	const int64_t *list = call_ints(c, name, &n);

	if (list && n != count)
		return call_fail(c, "attribute \"%s\" has %u numbers, and %u are needed", name, n,
				 count);
	for (uint32_t i = 0; i < count; i++) {
		out[i] = list ? list[i] : absent;
		if (out[i] < least || out[i] > MAX_WINDOW)
			return call_fail(c, "attribute \"%s\" holds %lld", name, (long long)out[i]);
	}
	return true;
}

/* Everything but pads. kernel: of the weights, or NULL where the attribute gives it. */
static bool read_window(struct call *c, const struct shape *x, const int64_t *kernel,
			struct onnx_window *w)
{
	*w = (struct onnx_window){ .spatial = x->rank - 2 };
	if (x->rank < 3 || w->spatial > MAX_SPATIAL)
		return call_fail(c, "its input must have 1 to %d spatial axes, and is %s",
				 MAX_SPATIAL, shape_string(&c->im->scratch, x));
	for (uint32_t i = 0; i < w->spatial; i++) {
		w->in[i] = x->dim[i + 2];
		if (kernel && (kernel[i] < 1 || kernel[i] > MAX_WINDOW))
			return call_fail(c, "its kernel has size %lld", (long long)kernel[i]);
	}
	if (!kernel && !call_attr(c, "kernel_shape"))
		return call_fail(c, "attribute \"kernel_shape\" is missing");
	if (!read_list(c, "kernel_shape", w->kernel, w->spatial, 1, 1) ||
	    !read_list(c, "strides", w->strides, w->spatial, 1, 1) ||
	    !read_list(c, "dilations", w->dilations, w->spatial, 1, 1))
		return false;
	for (uint32_t i = 0; kernel && i < w->spatial; i++) {
		if (call_attr(c, "kernel_shape") && w->kernel[i] != kernel[i])
			return call_fail(c, "attribute \"kernel_shape\" does not fit the weights");
		w->kernel[i] = kernel[i];
	}
	return true;
}

static int64_t reach(const struct onnx_window *w, uint32_t i)
{
	return (w->kernel[i] - 1) * w->dilations[i] + 1;
}

/* Pads and output sizes, by attribute or by rule. */
static bool place_window(struct call *c, struct onnx_window *w, bool ceil_mode)
{
	const char *rule = call_string(c, "auto_pad", "NOTSET");
	bool upper = strcmp(rule, "SAME_UPPER") == 0, lower = strcmp(rule, "SAME_LOWER") == 0;

	if (!upper && !lower && strcmp(rule, "VALID") != 0 && strcmp(rule, "NOTSET") != 0)
		return call_fail(c, "auto_pad \"%s\" is not known", rule);
	if (!read_list(c, "pads", w->pads, 2 * w->spatial, 0, 0))
		return false;
	for (uint32_t i = 0; i < w->spatial; i++) {
		int64_t *before = &w->pads[i], *after = &w->pads[i + w->spatial], room;

		if (*rule != 'N')
			*before = *after = 0;
		if (upper || lower) {
			int64_t out = (w->in[i] + w->strides[i] - 1) / w->strides[i];
			int64_t total = (out - 1) * w->strides[i] + reach(w, i) - w->in[i];

			total = total > 0 ? total : 0;
			*before = lower ? total - total / 2 : total / 2;
			*after = total - *before;
		}
		room = w->in[i] + *before + *after - reach(w, i);
		if (room < 0 && !(ceil_mode && room + w->strides[i] > 0))
			return call_fail(c,
					 "a window of %lld is larger than its input of %lld with "
					 "its padding",
					 (long long)reach(w, i),
					 (long long)(w->in[i] + *before + *after));
		w->out[i] = room < 0 ? 1 : room / w->strides[i] + 1;
		if (ceil_mode && room > 0 && room % w->strides[i] &&
		    w->out[i] * w->strides[i] < w->in[i] + *before)
			w->out[i]++; /* a last window that starts inside */
	}
	return true;
}

value_id onnx_conv(struct call *c, value_id x, value_id weights, value_id bias)
{
	value_id in[3];
	struct shape xs = shape_of(c, x), ws = shape_of(c, weights);
	struct onnx_window w;
	struct attr attr[4];

	if (ws.rank != xs.rank) {
		call_fail(c, "weights of rank %u do not fit an input of rank %u", ws.rank, xs.rank);
		return NO_ID;
	}
	if (!read_window(c, &xs, ws.dim + 2, &w) || !place_window(c, &w, false))
		return NO_ID;
	if (onnx_is_computed(c, weights))
		return onnx_unfolded_conv(c, x, weights, bias, &w, call_int(c, "group", 1));
	in[0] = emit_to_last(c, x);
	in[1] = weights;
	in[2] = bias;
	attr[0] = attr_ints(strides, w.strides, w.spatial);
	attr[1] = attr_ints(pads, w.pads, 2 * w.spatial);
	attr[2] = attr_ints(dilations, w.dilations, w.spatial);
	attr[3] = attr_int(group, call_int(c, "group", 1));
	return emit_to_first(c, emit(c, OP_conv, in, in[2] == NO_ID ? 2 : 3, attr, 4));
}

bool op_conv(struct call *c)
{
	value_id y = onnx_steps_conv(c);

	call_out(c, 0, y != NO_ID ? y : onnx_conv(c, call_in(c, 0), call_in(c, 1), call_in(c, 2)));
	return !c->failed;
}

/*
 * Pads from the wanted output, where the file gives that instead. What the
 * wanted output has beyond all windows is added to `extra`.
 */
static bool place_transposed(struct call *c, struct onnx_window *w, int64_t *extra)
{
	const char *rule = call_string(c, "auto_pad", "NOTSET");
	bool upper = strcmp(rule, "SAME_UPPER") == 0, lower = strcmp(rule, "SAME_LOWER") == 0;
	uint32_t n;
	const int64_t *wanted = call_ints(c, "output_shape", &n);

	if (!read_list(c, "pads", w->pads, 2 * w->spatial, 0, 0))
		return false;
	if (wanted && n != w->spatial && n != w->spatial + 2)
		return call_fail(c, "attribute \"output_shape\" has %u numbers", n);
	for (uint32_t i = 0; i < w->spatial; i++) {
		int64_t full = (w->in[i] - 1) * w->strides[i] + extra[i] + reach(w, i);
		int64_t *before = &w->pads[i], *after = &w->pads[i + w->spatial], total;

		if (wanted)
			total = full - wanted[n - w->spatial + i];
		else if (upper || lower)
			total = full - w->in[i] * w->strides[i];
		else if (strcmp(rule, "VALID") == 0)
			total = 0;
		else
			continue;
		if (total < -MAX_WINDOW)
			return call_fail(c, "its output would be mostly empty");
		if (total < 0) {
			if (wanted) /* the rules give no more than the windows do */
				extra[i] -= total;
			total = 0;
		}
		*before = upper ? total / 2 : total - total / 2;
		*after = total - *before;
	}
	return true;
}

bool op_conv_transpose(struct call *c)
{
	value_id x = call_in(c, 0), weights = call_in(c, 1), in[3], out;
	struct shape xs = shape_of(c, x), ws = shape_of(c, weights);
	int64_t extra[MAX_SPATIAL];
	struct onnx_window w;
	struct attr attr[5];

	if (ws.rank != xs.rank)
		return call_fail(c, "weights of rank %u do not fit an input of rank %u", ws.rank,
				 xs.rank);
	if (!read_window(c, &xs, ws.dim + 2, &w) ||
	    !read_list(c, "output_padding", extra, w.spatial, 0, 0) ||
	    !place_transposed(c, &w, extra))
		return false;
	in[0] = emit_to_last(c, x);
	in[1] = weights;
	in[2] = call_in(c, 2);
	attr[0] = attr_ints(strides, w.strides, w.spatial);
	attr[1] = attr_ints(pads, w.pads, 2 * w.spatial);
	attr[2] = attr_ints(dilations, w.dilations, w.spatial);
	attr[3] = attr_int(group, call_int(c, "group", 1));
	attr[4] = attr_ints(output_padding, extra, w.spatial);
	out = emit(c, OP_conv_transpose, in, in[2] == NO_ID ? 2 : 3, attr, 5);
	call_out(c, 0, emit_to_first(c, out));
	return !c->failed;
}

/* Output 1 of MaxPool. */
static bool pool_indices(struct call *c)
{
	struct shape s = shape_of(c, call_in(c, 0));
	struct onnx_window w;

	if (c->op->op != OP_max_pool || call_int(c, "storage_order", 0))
		return call_fail(c, "output 1 in this form is not supported");
	if (!read_window(c, &s, NULL, &w) || !place_window(c, &w, call_int(c, "ceil_mode", 0)))
		return false;
	call_out(c, 1, onnx_pool_indices(c, call_in(c, 0), &w));
	return !c->failed;
}

value_id onnx_pool(struct call *c, enum op op, value_id x)
{
	struct shape s = shape_of(c, x);
	enum dtype t = dtype_of(c, x);
	struct attr attr[6];
	struct onnx_window w;
	uint32_t n = 5;

	if (!read_window(c, &s, NULL, &w) || !place_window(c, &w, call_int(c, "ceil_mode", 0)))
		return NO_ID;
	attr[0] = attr_ints(kernel, w.kernel, w.spatial);
	attr[1] = attr_ints(strides, w.strides, w.spatial);
	attr[2] = attr_ints(pads, w.pads, 2 * w.spatial);
	attr[3] = attr_ints(dilations, w.dilations, w.spatial);
	attr[4] = attr_ints(shape, w.out, w.spatial);
	if (op == OP_avg_pool)
		attr[n++] = attr_int(count_include_pad, call_int(c, "count_include_pad", 0));
	if (!dtype_is_float(t)) /* bytes, as floats */
		x = emit_cast(c, x, DTYPE_F32);
	x = emit_to_last(c, x);
	return emit_cast(c, emit_to_first(c, emit(c, op, &x, 1, attr, n)), t);
}

bool op_pool(struct call *c)
{
	call_attr(c, "storage_order"); /* of the indices */
	call_out(c, 0, onnx_pool(c, c->op->op, call_in(c, 0)));
	if (call_wants(c, 1))
		return pool_indices(c);
	return !c->failed;
}

bool op_global_pool(struct call *c)
{
	call_out(c, 0, emit_reduce(c, c->op->op, call_in(c, 0), 2, true));
	return !c->failed;
}

static value_id absolute_power(struct call *c, value_id x, int64_t p)
{
	if (p == 2)
		return emit2(c, OP_mul, x, x);
	x = emit1(c, OP_abs, x);
	return p == 1 ? x : emit2(c, OP_pow, x, emit_like(c, x, (double)p));
}

static value_id root(struct call *c, value_id x, int64_t p)
{
	return p == 1	? x
	       : p == 2 ? emit1(c, OP_sqrt, x)
			: emit2(c, OP_pow, x, emit_like(c, x, 1 / (double)p));
}

/* The p-norm of each window: the mean of powers, times their number. */
bool op_lp_pool(struct call *c)
{
	value_id x = call_in(c, 0);
	struct shape s = shape_of(c, x);
	int64_t p = call_int(c, "p", 2), size = 1;
	struct attr attr[6];
	struct onnx_window w;

	if (p < 1 || p > 16)
		return call_fail(c, "p = %lld is not supported", (long long)p);
	if (!read_window(c, &s, NULL, &w) || !place_window(c, &w, call_int(c, "ceil_mode", 0)))
		return false;
	for (uint32_t i = 0; i < w.spatial; i++) { /* all windows are whole */
		int64_t end = (w.out[i] - 1) * w.strides[i] + reach(&w, i) - w.in[i] - w.pads[i];

		if (w.pads[i + w.spatial] < end)
			w.pads[i + w.spatial] = end;
	}
	attr[0] = attr_ints(kernel, w.kernel, w.spatial);
	attr[1] = attr_ints(strides, w.strides, w.spatial);
	attr[2] = attr_ints(pads, w.pads, 2 * w.spatial);
	attr[3] = attr_ints(dilations, w.dilations, w.spatial);
	attr[4] = attr_ints(shape, w.out, w.spatial);
	attr[5] = attr_int(count_include_pad, 1);
	for (uint32_t i = 0; i < w.spatial; i++)
		size *= w.kernel[i];
	x = absolute_power(c, emit_to_last(c, x), p);
	x = emit(c, OP_avg_pool, &x, 1, attr, 6);
	x = emit2(c, OP_mul, x, emit_like(c, x, (double)size));
	call_out(c, 0, emit_to_first(c, root(c, x, p)));
	return !c->failed;
}

bool op_global_lp_pool(struct call *c)
{
	int64_t p = call_int(c, "p", 2);
	value_id x;

	if (p < 1 || p > 16)
		return call_fail(c, "p = %lld is not supported", (long long)p);
	x = absolute_power(c, call_in(c, 0), p);
	call_out(c, 0, root(c, emit_reduce(c, OP_reduce_sum, x, 2, true), p));
	return !c->failed;
}

/* x / (bias + alpha / size * sum over `size` neighbouring channels of x^2)^beta */
bool op_lrn(struct call *c)
{
	value_id x = call_in(c, 0), y = emit_to_last(c, x), mean;
	struct shape s = shape_of(c, y), line = { .rank = 3, .dim = { 1, 0, 1 } };
	int64_t size = call_int(c, "size", 0), one = 1, pads[2];
	double alpha = call_float(c, "alpha", 0.0001f), beta = call_float(c, "beta", 0.75);
	double bias = call_float(c, "bias", 1);
	struct attr attr[4];

	if (size < 1 || size > MAX_WINDOW || s.rank < 3)
		return call_fail(c, "it needs a size and an image");
	for (uint32_t i = 0; i + 1 < s.rank; i++)
		line.dim[0] *= s.dim[i];
	line.dim[1] = s.dim[s.rank - 1];
	pads[0] = (size - 1) / 2;
	pads[1] = size - 1 - pads[0];
	attr[0] = attr_ints(kernel, &size, 1);
	attr[1] = attr_ints(strides, &one, 1);
	attr[2] = attr_ints(pads, pads, 2);
	attr[3] = attr_int(count_include_pad, 1);
	mean = emit_reshape(c, emit2(c, OP_mul, y, y), &line);
	mean = emit_reshape(c, emit(c, OP_avg_pool, &mean, 1, attr, 4), &s);
	mean = emit2(c, OP_add, emit2(c, OP_mul, mean, emit_like(c, mean, alpha)),
		     emit_like(c, mean, bias));
	mean = emit2(c, OP_pow, mean, emit_like(c, mean, -beta));
	call_out(c, 0, emit_to_first(c, emit2(c, OP_mul, y, mean)));
	return !c->failed;
}

static bool pad_mode_from(struct call *c, int64_t *mode)
{
	const char *name = call_string(c, "mode", "constant");
	static const char *const names[] = { "constant", "reflect", "edge", "wrap" };

	for (*mode = PAD_CONSTANT; *mode <= PAD_WRAP; ++*mode)
		if (strcmp(name, names[*mode]) == 0)
			return true;
	return call_fail(c, "mode \"%s\" is not known", name);
}

bool op_pad(struct call *c)
{
	value_id x = call_in(c, 0);
	uint32_t rank = shape_of(c, x).rank, n, n_axes, a, k, moved = 0;
	int64_t full[2 * MAX_RANK] = { 0 }, mode = 0;
	const int64_t *pads, *axes;
	struct attr attr[3];
	double value = call_float(c, "value", 0);

	pads = call_list(c, c->opset < 2 ? "paddings" : "pads", 1, &n);
	axes = call_known_ints(c, 3, "axes", &n_axes);
	if (!pads || c->failed || !pad_mode_from(c, &mode))
		return call_fail(c, "the pads are missing");
	if (!axes)
		n_axes = rank;
	if (n_axes > rank || n != 2 * n_axes)
		return call_fail(c, "%u pads for %u axes", n, n_axes);
	for (uint32_t i = 0; i < n_axes; i++) {
		if (!call_axis(c, axes ? axes[i] : i, rank, &a))
			return false;
		full[a] = pads[i];
		full[a + rank] = pads[i + n_axes];
		moved += pads[i] != 0 || pads[i + n_axes] != 0;
	}
	if (call_has(c, 2) && mode == PAD_CONSTANT) {
		const double *number = call_known_floats(c, 2, "constant_value", &k);

		if (!number || k != 1)
			return call_fail(c, "the padding must be one number");
		value = *number;
	}
	attr[0] = attr_ints(pads, full, 2 * rank);
	attr[1] = attr_int(mode, mode);
	attr[2] = attr_float(value, value);
	call_out(c, 0, moved ? emit(c, OP_pad, &x, 1, attr, 3) : x);
	return !c->failed;
}
