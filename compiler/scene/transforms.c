/* SPDX-License-Identifier: Apache-2.0 */
/*
 * transforms.c - transforms.json of instant-ngp, nerfstudio and Blender.
 *
 * Intrinsics stand beside the frames, in each frame, or as an opening angle;
 * poses are camera to world with y up and z backward. A folder with
 * transforms_train.json and transforms_test.json brings its own split. Paths
 * are relative to the JSON file and may lead anywhere: only regular files are
 * opened, and only pixels leave them.
 */
#include "config.h"

#include "scene/capture.h"
#include "scene/photo.h"

#include "base/file.h"
#include "base/json_tree.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <sys/stat.h>

struct reading {
	struct arena *arena;
	struct diag *diag;
	const char *path, *folder; /* of the JSON file */
	const struct jtree *root;
	uint32_t frame; /* being read */
	struct capture *out;
	int split;
};

static bool wrong(struct reading *r, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool wrong(struct reading *r, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	diag_error(r->diag, NO_SPAN, "\"%s\": frame %u: %s", r->path, r->frame + 1, text);
	return false;
}

/* ---- photographs */

static bool exists(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0;
}

/* As it stands there, or with one of the usual endings where it has none. */
static const char *find_photo(struct reading *r, const char *name)
{
	static const char *const endings[] = { ".png", ".jpg", ".jpeg", ".JPG", ".PNG", ".JPEG" };
	const char *path = path_join(r->arena, r->folder, name);

	if (exists(path))
		return path;
	for (uint32_t i = 0; i < sizeof endings / sizeof *endings; i++) {
		const char *with = arena_printf(r->arena, "%s%s", path, endings[i]);

		if (exists(with))
			return with;
	}
	return path;
}

/* ---- intrinsics */

/* Of the frame, else of the file. */
static double setting(const struct reading *r, const struct jtree *frame, const char *key, double absent)
{
	return jtree_number(frame, key, jtree_number(r->root, key, absent));
}

static bool check_model(struct reading *r, const struct jtree *frame)
{
	static const char *const pinholes[] = { "OPENCV", "PINHOLE", "SIMPLE_PINHOLE", "RADIAL", "SIMPLE_RADIAL", "PERSPECTIVE" };
	const char *model = jtree_string(frame, "camera_model");

	if (!model)
		model = jtree_string(r->root, "camera_model");
	if (jtree_bool(r->root, "is_fisheye", false) || jtree_bool(frame, "is_fisheye", false))
		model = "fisheye";
	if (jtree_get(r->root, "ftheta_p0"))
		model = "f-theta";
	if (jtree_bool(r->root, "lonlat", false) || jtree_bool(r->root, "equirect", false))
		model = "equirectangular";
	for (uint32_t i = 0; model && i < sizeof pinholes / sizeof *pinholes; i++)
		if (!strcmp(model, pinholes[i]))
			model = NULL;
	if (!model)
		return true;
	wrong(r, "the camera model %s is not supported", model);
	diag_hint(r->diag, "Undistort the photographs to a pinhole with the tool that made the capture.");
	return false;
}

static bool whole_side(double x, uint32_t *out)
{
	if (!(x >= 1) || x > CAPTURE_MAX_SIDE || x != floor(x))
		return false;
	*out = (uint32_t)x;
	return true;
}

/* The size that the intrinsics are for: given, else the photograph's. A missing photograph has none to give. */
static bool read_size(struct reading *r, const struct jtree *frame, const char *photo, struct capture_camera *c)
{
	double w = setting(r, frame, "w", NAN), h = setting(r, frame, "h", NAN);
	struct photo_info info;
	char why[200];

	if (!isnan(w) || !isnan(h)) {
		if (!whole_side(w, &c->width) || !whole_side(h, &c->height))
			return wrong(r, "a photograph cannot be %g x %g pixels", w, h);
		return true;
	}
	if (!exists(photo)) {
		c->width = c->height = 1;
		return true;
	}
	if (!photo_info(photo, &info, why, sizeof why))
		return wrong(r, "photograph \"%s\": %s", photo, why);
	c->width = info.width;
	c->height = info.height;
	return true;
}

static double opening(const struct reading *r, const struct jtree *frame, const char *key, uint32_t side)
{
	double angle = setting(r, frame, key, NAN);

	return angle > 0 && angle < 3.14159 ? 0.5 * side / tan(0.5 * angle) : NAN;
}

static bool read_camera(struct reading *r, const struct jtree *frame, const char *photo, uint32_t *index)
{
	struct capture_camera c = { .id = r->out->cameras.len };
	struct scene_lens *l = &c.lens;
	char why[160];

	if (!check_model(r, frame) || !read_size(r, frame, photo, &c))
		return false;
	l->fx = setting(r, frame, "fl_x", opening(r, frame, "camera_angle_x", c.width));
	l->fy = setting(r, frame, "fl_y", opening(r, frame, "camera_angle_y", c.height));
	if (isnan(l->fx) && isnan(l->fy))
		return wrong(r, "neither fl_x nor camera_angle_x is given");
	if (isnan(l->fx))
		l->fx = l->fy;
	if (isnan(l->fy))
		l->fy = l->fx;
	l->cx = setting(r, frame, "cx", 0.5 * c.width);
	l->cy = setting(r, frame, "cy", 0.5 * c.height);
	l->k[0] = setting(r, frame, "k1", 0);
	l->k[1] = setting(r, frame, "k2", 0);
	l->k[2] = setting(r, frame, "k3", 0);
	l->k[3] = setting(r, frame, "k4", 0);
	l->p[0] = setting(r, frame, "p1", 0);
	l->p[1] = setting(r, frame, "p2", 0);
	if (!camera_check(&c, why, sizeof why))
		return wrong(r, "%s", why);
	*index = c.id;
	return capture_add_camera(r->arena, r->out, &c);
}

/* ---- poses */

static bool read_matrix(struct reading *r, const struct jtree *frame, double m[12])
{
	const struct jtree *rows = jtree_get(frame, "transform_matrix");

	if (!rows || rows->kind != JSON_ARRAY || (rows->count != 3 && rows->count != 4))
		return wrong(r, "transform_matrix is no matrix of 4 x 4");
	for (uint32_t y = 0; y < 3; y++) {
		const struct jtree *row = jtree_at(rows, y);

		if (row->kind != JSON_ARRAY || row->count != 4)
			return wrong(r, "transform_matrix is no matrix of 4 x 4");
		for (uint32_t x = 0; x < 4; x++) {
			const struct jtree *e = jtree_at(row, x);

			if (e->kind != JSON_NUMBER || !isfinite(e->number) || fabs(e->number) > 1e15)
				return wrong(r, "transform_matrix has no number in row %u, column %u", y + 1, x + 1);
			m[4 * y + x] = e->number;
		}
	}
	return true;
}

static double dot(const double a[3], const double b[3])
{
	return a[0] * b[0] + a[1] * b[1] + a[2] * b[2];
}

/*
 * The axes of the camera as rows of world to camera: x right, y down (was up),
 * z forward (was backward). They must be a rotation, but for rounding and a
 * common scale.
 */
static bool camera_axes(struct reading *r, const double m[12], double R[9])
{
	double length[3];

	for (int a = 0; a < 3; a++) {
		double sign = a ? -1 : 1, axis[3] = { sign * m[a], sign * m[4 + a], sign * m[8 + a] };

		length[a] = sqrt(dot(axis, axis));
		if (!(length[a] > 1e-9) || fabs(length[a] - length[0]) > 0.05 * length[0])
			return wrong(r, "transform_matrix is no rotation");
		for (int i = 0; i < 3; i++)
			R[3 * a + i] = axis[i] / length[a];
	}
	for (int i = 0; i < 3; i++) { /* z stays; x is made square to it; y follows */
		double along = dot(R, R + 6);

		if (fabs(along) > 0.05 || fabs(dot(R + 3, R + 6)) > 0.05 || fabs(dot(R, R + 3)) > 0.05)
			return wrong(r, "transform_matrix is no rotation");
		R[i] -= along * R[6 + i];
	}
	length[0] = sqrt(dot(R, R));
	for (int i = 0; i < 3; i++)
		R[i] /= length[0];
	double y[3] = { R[7] * R[2] - R[8] * R[1], R[8] * R[0] - R[6] * R[2], R[6] * R[1] - R[7] * R[0] };

	if (dot(y, R + 3) < 0)
		return wrong(r, "transform_matrix mirrors the world");
	memcpy(R + 3, y, sizeof y);
	return true;
}

static bool read_pose(struct reading *r, const struct jtree *frame, struct capture_image *image)
{
	double m[12], place[3];

	if (!read_matrix(r, frame, m) || !camera_axes(r, m, image->R))
		return false;
	for (int i = 0; i < 3; i++)
		place[i] = m[4 * i + 3];
	for (int i = 0; i < 3; i++)
		image->t[i] = -dot(image->R + 3 * i, place);
	return true;
}

/* ---- the file */

static bool read_frame(struct reading *r, const struct jtree *frame)
{
	const char *name = jtree_string(frame, "file_path"), *mask = jtree_string(frame, "mask_path");
	struct capture_image image = { .split = r->split };

	if (!name || !*name)
		return wrong(r, "file_path is missing");
	if (strlen(name) >= CAPTURE_MAX_NAME)
		return wrong(r, "file_path is longer than %d bytes", (int)CAPTURE_MAX_NAME);
	while (!strncmp(name, "./", 2))
		name += 2;
	image.name = arena_strdup(r->arena, name);
	image.path = find_photo(r, image.name);
	if (!exists(image.path) && strchr(name, '\\')) { /* written under Windows */
		char *slashes = arena_strdup(r->arena, name);

		for (char *p = slashes; (p = strchr(p, '\\'));)
			*p = '/';
		image.name = slashes;
		image.path = find_photo(r, slashes);
	}
	image.mask = mask && *mask ? path_join(r->arena, r->folder, mask) : NULL;
	if (!read_camera(r, frame, image.path, &image.camera) || !read_pose(r, frame, &image))
		return false;
	vec_push(r->arena, &r->out->images, image);
	return true;
}

static bool read_frames(struct reading *r)
{
	const struct jtree *frames = jtree_get(r->root, "frames");

	if (!frames || frames->kind != JSON_ARRAY || !frames->count) {
		diag_error(r->diag, NO_SPAN, "\"%s\" has no frames", r->path);
		return false;
	}
	for (const struct jtree *f = frames->first; f; f = f->next, r->frame++)
		if (!read_frame(r, f))
			return false;
	return true;
}

static bool read_points(struct reading *r)
{
	const char *ply = jtree_string(r->root, "ply_file_path");

	if (!ply || r->out->has_points)
		return true;
	r->out->has_points = true;
	r->out->points_file = path_join(r->arena, r->folder, ply);
	return ply_points(r->arena, r->diag, r->out->points_file, r->out);
}

static bool read_file(struct arena *a, struct diag *d, const char *path, int split, struct capture *out)
{
	struct reading r = { .arena = a, .diag = d, .path = path, .folder = path_directory(a, path), .out = out, .split = split };
	struct mapped_file file;

	if (!file_map(path, &file)) {
		diag_error(d, NO_SPAN, "could not open \"%s\": %s", path, strerror(errno));
		return false;
	}
	r.root = jtree_parse(a, file.data ? (const char *)file.data : "", file.size);
	file_unmap(&file);
	if (!r.root || r.root->kind != JSON_OBJECT) {
		diag_error(d, NO_SPAN, "\"%s\" is no JSON object", path);
		return false;
	}
	return read_frames(&r) && read_points(&r);
}

bool transforms_read(struct arena *a, struct diag *d, const struct decl_scene *decl, struct capture *out)
{
	const char *whole = path_join(a, decl->path, "transforms.json"), *train, *test;
	struct stat st;

	if (stat(decl->path, &st) == 0 && S_ISREG(st.st_mode))
		return read_file(a, d, decl->path, CAPTURE_BY_NAME, out);
	train = path_join(a, decl->path, "transforms_train.json");
	test = path_join(a, decl->path, "transforms_test.json");
	if (exists(whole) || !exists(train)) {
		if (exists(whole))
			return read_file(a, d, whole, CAPTURE_BY_NAME, out);
		diag_error(d, decl->path_span, "could not find \"%s\"", whole);
		return false;
	}
	return read_file(a, d, train, CAPTURE_TRAIN, out) && (!exists(test) || read_file(a, d, test, CAPTURE_HELD_OUT, out));
}
