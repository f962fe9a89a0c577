/* SPDX-License-Identifier: Apache-2.0 */
/*
 * colmap_binary.c - cameras.bin, images.bin and points3D.bin.
 *
 * Little-endian records without padding, each file a count and as many
 * records. A record is read through a cursor that knows the end of the file,
 * so a count or a length that lies ends in one message.
 */
#include "config.h"

#include "scene/capture.h"

#include "base/file.h"

#include <errno.h>
#include <string.h>

typedef unsigned long long ull;

struct cursor {
	struct diag *diag;
	const char *path;
	struct mapped_file file;
	size_t at;
	const char *what; /* "camera", for messages */
	uint64_t record, count;
};

static bool truncated(struct cursor *c)
{
	diag_error(c->diag, NO_SPAN, "\"%s\" ends inside %s %llu of %llu", c->path, c->what, (ull)c->record + 1,
		   (ull)c->count);
	return false;
}

static bool take(struct cursor *c, void *out, size_t n)
{
	if (n > c->file.size - c->at)
		return truncated(c);
	if (out)
		memcpy(out, c->file.data + c->at, n);
	c->at += n;
	return true;
}

/* n records of so many bytes that nobody reads */
static bool skip(struct cursor *c, uint64_t n, size_t bytes)
{
	if (n > (c->file.size - c->at) / bytes)
		return truncated(c);
	c->at += (size_t)n * bytes;
	return true;
}

static bool open_records(struct cursor *c, struct arena *a, const char *folder, const char *name, const char *what)
{
	c->path = path_join(a, folder, name);
	c->what = what;
	if (!file_map(c->path, &c->file)) {
		diag_error(c->diag, NO_SPAN, "could not open \"%s\": %s", c->path, strerror(errno));
		return false;
	}
	if (c->file.size < sizeof c->count) {
		diag_error(c->diag, NO_SPAN, "\"%s\" is too short to hold a count", c->path);
		file_unmap(&c->file);
		return false;
	}
	return take(c, &c->count, sizeof c->count);
}

/* What is left behind the last record belongs to a format that is not this one. */
static bool close_records(struct cursor *c, bool ok)
{
	if (ok && c->at != c->file.size) {
		diag_error(c->diag, NO_SPAN, "\"%s\" has %llu bytes behind its %llu records", c->path,
			   (ull)(c->file.size - c->at), (ull)c->count);
		ok = false;
	}
	file_unmap(&c->file);
	return ok;
}

static bool add_camera(struct cursor *c, struct arena *a, const struct capture_camera *camera, struct capture *out)
{
	if (capture_add_camera(a, out, camera))
		return true;
	diag_error(c->diag, NO_SPAN, "\"%s\": camera %d is there twice", c->path, (int32_t)camera->id);
	return false;
}

/* A camera of a model that is not supported is an error once a photograph is by it. */
static bool read_camera(struct cursor *c, struct arena *a, struct capture *out)
{
	struct capture_camera camera = { 0 };
	struct { int32_t id, model; uint64_t width, height; } head;
	const struct camera_model *m;
	double param[16];
	char why[160];

	if (!take(c, &head.id, 4) || !take(c, &head.model, 4) || !take(c, &head.width, 8) || !take(c, &head.height, 8))
		return false;
	m = camera_model_by_id(head.model);
	if (!m) { /* of a length that nobody knows */
		diag_error(c->diag, NO_SPAN, "\"%s\": camera %d has the model unknown (%d), which is not supported", c->path,
			   head.id, head.model);
		return false;
	}
	if (!take(c, param, m->parameters * sizeof *param))
		return false;
	camera.id = (uint32_t)head.id;
	if (!m->supported) {
		camera.refused = arena_printf(a, "\"%s\": camera %d has the model %s (%d), which is not supported", c->path,
					      head.id, m->name, head.model);
		return add_camera(c, a, &camera, out);
	}
	camera.width = head.width > CAPTURE_MAX_SIDE ? UINT32_MAX : (uint32_t)head.width;
	camera.height = head.height > CAPTURE_MAX_SIDE ? UINT32_MAX : (uint32_t)head.height;
	camera_lens(m, param, &camera.lens);
	if (!camera_check(&camera, why, sizeof why)) {
		diag_error(c->diag, NO_SPAN, "\"%s\": camera %d: %s", c->path, head.id, why);
		return false;
	}
	return add_camera(c, a, &camera, out);
}

static bool read_name(struct cursor *c, struct arena *a, const char **out)
{
	const char *name = (const char *)c->file.data + c->at;
	size_t left = c->file.size - c->at, n = strnlen(name, left < CAPTURE_MAX_NAME ? left : CAPTURE_MAX_NAME);

	if (n == left)
		return truncated(c);
	if (n == CAPTURE_MAX_NAME) {
		diag_error(c->diag, NO_SPAN, "\"%s\": the name of image %llu is longer than %d bytes", c->path,
			   (ull)c->record + 1, (int)CAPTURE_MAX_NAME);
		return false;
	}
	*out = arena_strndup(a, name, n);
	c->at += n + 1;
	return true;
}

static bool read_image(struct cursor *c, struct arena *a, struct capture *out)
{
	struct capture_image image = { 0 };
	double q[4];
	int32_t id, camera;
	uint64_t points;

	if (!take(c, &id, 4) || !take(c, q, sizeof q) || !take(c, image.t, sizeof image.t) || !take(c, &camera, 4) ||
	    !read_name(c, a, &image.name) || !take(c, &points, 8) || !skip(c, points, 24))
		return false;
	if (!camera_rotation(q, image.R) || !point_check(image.t)) {
		diag_error(c->diag, NO_SPAN, "\"%s\": image %d (%s) has no valid pose", c->path, id, image.name);
		return false;
	}
	if (!capture_find_camera(out, (uint32_t)camera, &image.camera)) {
		diag_error(c->diag, NO_SPAN, "\"%s\": image %d (%s) was taken by camera %d, which does not exist",
			   c->path, id, image.name, camera);
		return false;
	}
	if (!capture_usable_camera(c->diag, out, image.camera))
		return false;
	vec_push(a, &out->images, image);
	return true;
}

static bool read_point(struct cursor *c, struct arena *a, struct capture *out)
{
	struct scene_point p = { 0 };
	double xyz[3], error;
	uint64_t id, track;
	uint8_t rgb[3];

	if (!take(c, &id, 8) || !take(c, xyz, sizeof xyz) || !take(c, rgb, 3) || !take(c, &error, 8) ||
	    !take(c, &track, 8) || !skip(c, track, 8))
		return false;
	if (!point_check(xyz)) {
		diag_error(c->diag, NO_SPAN, "\"%s\": point %llu is at (%g, %g, %g)", c->path, (ull)id, xyz[0], xyz[1],
			   xyz[2]);
		return false;
	}
	p = (struct scene_point){ .x = (float)xyz[0], .y = (float)xyz[1], .z = (float)xyz[2], .r = rgb[0], .g = rgb[1],
				  .b = rgb[2] };
	vec_push(a, &out->points, p);
	return true;
}

static bool read_records(struct arena *a, struct diag *d, const char *folder, const char *name, const char *what,
			 bool (*read)(struct cursor *, struct arena *, struct capture *), struct capture *out)
{
	struct cursor c = { .diag = d };
	bool ok = open_records(&c, a, folder, name, what);

	if (!ok)
		return false;
	for (; ok && c.record < c.count; c.record++)
		ok = read(&c, a, out);
	return close_records(&c, ok);
}

bool colmap_binary(struct arena *a, struct diag *d, const char *folder, struct capture *out)
{
	out->points_file = path_join(a, folder, "points3D.bin");
	return read_records(a, d, folder, "cameras.bin", "camera", read_camera, out) &&
	       read_records(a, d, folder, "images.bin", "image", read_image, out) &&
	       read_records(a, d, folder, "points3D.bin", "point", read_point, out);
}
