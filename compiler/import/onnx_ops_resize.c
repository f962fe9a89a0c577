/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_resize.c - Resize and Upsample in all their versions.
 *
 * The operator changed its inputs four times (scales; roi, scales, sizes;
 * optional roi; axes) and its defaults once (version 11). What comes out is
 * always: one scale and one size for each axis.
 */
#include "config.h"

#include "import/onnx_ops.h"

#include <math.h>
#include <string.h>

struct resizing {
	struct shape in, out;
	double scales[MAX_RANK], roi[2 * MAX_RANK];
	uint32_t axis[MAX_RANK], axes; /* which axes the lists are about */
};

static int find_name(const char *name, const char *const *names, int count)
{
	for (int i = 0; i < count; i++)
		if (strcmp(name, names[i]) == 0)
			return i;
	return -1;
}

static bool read_axes(struct call *c, struct resizing *r)
{
	uint32_t n;
	const int64_t *axes = call_ints(c, "axes", &n);

	r->axes = axes ? n : r->in.rank;
	if (r->axes > r->in.rank)
		return call_fail(c, "%u axes for rank %u", n, r->in.rank);
	for (uint32_t i = 0; i < r->axes; i++)
		if (!call_axis(c, axes ? axes[i] : i, r->in.rank, &r->axis[i]))
			return false;
	return true;
}

static bool by_scales(struct call *c, struct resizing *r, const double *scales, uint32_t n)
{
	if (n != r->axes)
		return call_fail(c, "%u scales for %u axes", n, r->axes);
	for (uint32_t i = 0; i < n; i++) {
		double size = floorf((float)r->in.dim[r->axis[i]] * (float)scales[i]);

		if (!(scales[i] > 0) || !(size >= 0 && size < 1e9))
			return call_fail(c, "scale %g is out of range", scales[i]);
		r->scales[r->axis[i]] = scales[i];
		r->out.dim[r->axis[i]] = (int64_t)size;
	}
	return true;
}

static bool by_sizes(struct call *c, struct resizing *r, const int64_t *sizes, uint32_t n)
{
	const char *policy = call_string(c, "keep_aspect_ratio_policy", "stretch");
	static const char *const policies[] = { "stretch", "not_larger", "not_smaller" };
	int keep = find_name(policy, policies, 3);
	double common = 0;

	if (keep < 0)
		return call_fail(c, "keep_aspect_ratio_policy \"%s\" is not known", policy);
	if (n != r->axes)
		return call_fail(c, "%u sizes for %u axes", n, r->axes);
	for (uint32_t i = 0; i < n; i++) {
		int64_t dim = r->in.dim[r->axis[i]];
		double scale = dim ? (double)sizes[i] / (double)dim : 1;

		if (sizes[i] < 1 || sizes[i] > 1 << 30)
			return call_fail(c, "size %lld is out of range", (long long)sizes[i]);
		r->out.dim[r->axis[i]] = sizes[i];
		r->scales[r->axis[i]] = scale;
		if (!i || (keep == 1 ? scale < common : scale > common))
			common = scale;
	}
	for (uint32_t i = 0; keep && i < n; i++) {
		r->scales[r->axis[i]] = common;
		r->out.dim[r->axis[i]] =
			(int64_t)floor(common * (double)r->in.dim[r->axis[i]] + 0.5);
	}
	return true;
}

/* Before version 11 of Resize. */
static bool is_old(const struct call *c)
{
	return c->opset < 11 || strcmp(c->op->name, "Upsample") == 0;
}

/* Where scales and sizes stand depends on the version. */
static bool read_target(struct call *c, struct resizing *r)
{
	bool old = is_old(c);
	uint32_t at = old ? 1 : 2, n = 0;
	const Onnx__AttributeProto *a = old ? call_attr(c, "scales") : NULL;
	const double *scales = NULL;
	const int64_t *sizes;

	if (a) {
		double *list = arena_new_array(&c->im->scratch, double, a->n_floats);

		for (size_t i = 0; i < a->n_floats; i++)
			list[i] = a->floats[i];
		return by_scales(c, r, list, (uint32_t)a->n_floats);
	}
	if (c->opset < 7) { /* Upsample of images */
		double list[4] = { 1, 1, call_float(c, "height_scale", 1), call_float(c, "width_scale", 1) };

		return by_scales(c, r, list, 4);
	}
	if (call_has(c, at))
		scales = call_known_floats(c, at, "scales", &n);
	if (c->failed)
		return false;
	if (scales && n)
		return by_scales(c, r, scales, n);
	sizes = old ? NULL : call_known_ints(c, 3, "sizes", &n);
	if (!sizes)
		return call_fail(c, "it has neither scales nor sizes");
	return by_sizes(c, r, sizes, n);
}

static bool read_roi(struct call *c, struct resizing *r)
{
	const double *roi;
	uint32_t n;

	for (uint32_t i = 0; i < r->in.rank; i++)
		r->roi[i + r->in.rank] = 1;
	roi = call_known_floats(c, 1, "roi", &n);
	if (!roi || n != 2 * r->axes)
		return call_fail(c, "tf_crop_and_resize needs a region of %u numbers", 2 * r->axes);
	for (uint32_t i = 0; i < r->axes; i++) {
		r->roi[r->axis[i]] = roi[i];
		r->roi[r->axis[i] + r->in.rank] = roi[i + r->axes];
	}
	return true;
}

struct resize_modes {
	int mode, coordinates, rounding;
};

static bool read_modes(struct call *c, struct resize_modes *m)
{
	static const char *const modes[] = { "nearest", "linear", "cubic" };
	static const char *const coordinates[] = { "half_pixel",	 "half_pixel_symmetric",
						   "pytorch_half_pixel", "align_corners",
						   "asymmetric",	 "tf_half_pixel_for_nn",
						   "tf_crop_and_resize" };
	static const char *const roundings[] = { "round_prefer_floor", "round_prefer_ceil", "floor",
						 "ceil" };
	bool old = is_old(c);
	const char *mode = call_string(c, "mode", "nearest");

	if (old && strcmp(mode, "bilinear") == 0)
		mode = "linear";
	m->mode = find_name(mode, modes, 3);
	m->coordinates = find_name(
		call_string(c, "coordinate_transformation_mode", old ? "asymmetric" : "half_pixel"),
		coordinates, 7);
	m->rounding = find_name(
		call_string(c, "nearest_mode", old ? "floor" : "round_prefer_floor"), roundings, 4);
	if (m->mode < 0 || m->coordinates < 0 || m->rounding < 0)
		return call_fail(c, "its mode is not known");
	return true;
}

/* Per-axis lists follow the image to channels-last. */
static void to_last(struct resizing *r)
{
	struct resizing from = *r;
	uint32_t rank = r->in.rank;

	for (uint32_t i = 1; i < rank; i++) {
		uint32_t s = i + 1 < rank ? i + 1 : 1;

		r->in.dim[i] = from.in.dim[s];
		r->out.dim[i] = from.out.dim[s];
		r->scales[i] = from.scales[s];
		r->roi[i] = from.roi[s];
		r->roi[i + rank] = from.roi[s + rank];
	}
}

static value_id resized(struct call *c, value_id x, const struct resizing *r, const struct resize_modes *m)
{
	struct attr attr[10];
	uint32_t n = 0, rank = r->in.rank;

	attr[n++] = attr_int(mode, m->mode);
	attr[n++] = attr_int(coordinates, m->coordinates);
	attr[n++] = attr_int(rounding, m->rounding);
	attr[n++] = attr_floats(scales, r->scales, rank);
	attr[n++] = attr_ints(shape, r->out.dim, rank);
	attr[n++] = attr_float(cubic_a, call_float(c, "cubic_coeff_a", -0.75));
	attr[n++] = attr_int(exclude_outside, call_int(c, "exclude_outside", 0) != 0);
	attr[n++] = attr_float(value, call_float(c, "extrapolation_value", 0));
	attr[n++] = attr_int(antialias, call_int(c, "antialias", 0) != 0);
	if (m->coordinates == COORD_TF_CROP_AND_RESIZE)
		attr[n++] = attr_floats(roi, r->roi, 2 * rank);
	return emit(c, OP_resize, &x, 1, attr, n);
}

/* Before version 11, nearest took the lower neighbour along axes that grow and the upper one along those that shrink. */
static value_id resized_before_11(struct call *c, value_id x, const struct resizing *r, struct resize_modes *m)
{
	struct resizing part = *r;
	bool up = false, down = false;

	for (uint32_t i = 0; i < r->in.rank; i++) {
		up |= r->scales[i] > 1;
		down |= r->scales[i] < 1;
	}
	for (uint32_t i = 0; up && down && i < r->in.rank; i++)
		if (r->scales[i] < 1) {
			part.scales[i] = 1;
			part.out.dim[i] = r->in.dim[i];
		}
	if (up && down) {
		x = resized(c, x, &part, m);
		part = *r;
		for (uint32_t i = 0; i < r->in.rank; i++)
			if (r->scales[i] > 1) {
				part.scales[i] = 1;
				part.in.dim[i] = r->out.dim[i];
			}
	}
	m->rounding = down ? ROUND_CEIL : m->rounding;
	return resized(c, x, &part, m);
}

bool op_resize(struct call *c)
{
	value_id x = call_in(c, 0);
	struct resizing r = { .in = shape_of(c, x), .out = shape_of(c, x) };
	struct resize_modes m;
	uint32_t rank = r.in.rank;
	bool image;

	for (uint32_t i = 0; i < rank; i++)
		r.scales[i] = 1;
	if (!read_axes(c, &r) || !read_target(c, &r) || !read_modes(c, &m))
		return false;
	if (m.coordinates == COORD_TF_CROP_AND_RESIZE && !read_roi(c, &r))
		return false;
	image = rank >= 3 && rank <= 5 && r.in.dim[0] == r.out.dim[0] &&
		r.in.dim[1] == r.out.dim[1];
	if (image) {
		x = emit_to_last(c, x);
		to_last(&r);
	}
	x = is_old(c) && m.mode == RESIZE_NEAREST ? resized_before_11(c, x, &r, &m) : resized(c, x, &r, &m);
	call_out(c, 0, image ? emit_to_first(c, x) : x);
	return !c->failed;
}
