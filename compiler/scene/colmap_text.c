/* SPDX-License-Identifier: Apache-2.0 */
/*
 * colmap_text.c - cameras.txt, images.txt and points3D.txt.
 *
 * One record a line, words with blanks between, "#" begins a comment; in
 * images.txt each record is followed by a line of observations, which may be
 * empty. Errors carry the line.
 */
#include "config.h"

#include "scene/capture.h"

#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct lines {
	struct diag *diag;
	const char *path;
	const char *at, *end; /* of the file */
	const char *line, *line_end;
	const char *word; /* where the next word of the line may begin */
	unsigned number;
};

/* Lines of observations are long, so errors name the line and do not show it. */
__attribute__((format(printf, 2, 3))) static bool wrong(struct lines *l, const char *fmt, ...)
{
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof text, fmt, ap);
	va_end(ap);
	diag_error(l->diag, NO_SPAN, "\"%s\" line %u: %s", l->path, l->number, text);
	return false;
}

static bool next_line(struct lines *l)
{
	const char *newline;

	if (l->at >= l->end)
		return false;
	l->number++;
	l->line = l->word = l->at;
	newline = memchr(l->at, '\n', (size_t)(l->end - l->at));
	l->line_end = newline ? newline : l->end;
	l->at = newline ? newline + 1 : l->end;
	if (l->line_end > l->line && l->line_end[-1] == '\r')
		l->line_end--;
	return true;
}

/* The next line that is a record. */
static bool next_record(struct lines *l)
{
	while (next_line(l)) {
		const char *p = l->line;

		while (p < l->line_end && (*p == ' ' || *p == '\t'))
			p++;
		if (p < l->line_end && *p != '#')
			return true;
	}
	return false;
}

/* The next word, copied so that it ends; false: the line ends. */
static bool word(struct lines *l, char *out, size_t size)
{
	size_t n = 0;

	while (l->word < l->line_end && (*l->word == ' ' || *l->word == '\t'))
		l->word++;
	while (l->word < l->line_end && *l->word != ' ' && *l->word != '\t') {
		if (n + 1 < size)
			out[n++] = *l->word;
		l->word++;
	}
	out[n] = 0;
	return n > 0;
}

static bool number(struct lines *l, double *out)
{
	char text[64], *end;

	if (!word(l, text, sizeof text))
		return false;
	*out = strtod(text, &end);
	return !*end;
}

static bool integer(struct lines *l, long long *out)
{
	char text[32], *end;

	if (!word(l, text, sizeof text))
		return false;
	errno = 0;
	*out = strtoll(text, &end, 10);
	return !*end && !errno;
}

static bool malformed(struct lines *l, const char *what, const char *form)
{
	wrong(l, "this is no %s", what);
	diag_hint(l->diag, "A line is: %s", form);
	return false;
}

static uint32_t side(long long x)
{
	return x < 0 || x > CAPTURE_MAX_SIDE ? UINT32_MAX : (uint32_t)x;
}

static bool read_camera(struct lines *l, struct arena *a, struct capture *out)
{
	struct capture_camera camera = { 0 };
	long long id, width, height;
	const struct camera_model *m;
	double param[16];
	char name[64], why[160];

	if (!integer(l, &id) || !word(l, name, sizeof name) || !integer(l, &width) || !integer(l, &height))
		return malformed(l, "camera", "CAMERA_ID MODEL WIDTH HEIGHT PARAMS...");
	m = camera_model_by_name(name);
	if (!m || !m->supported) {
		camera.id = (uint32_t)id;
		camera.refused = arena_printf(a, "\"%s\" line %u: camera %lld has the model %s, which is not supported",
					      l->path, l->number, id, name);
		return capture_add_camera(a, out, &camera) || wrong(l, "camera %lld is there twice", id);
	}
	for (uint32_t i = 0; i < m->parameters; i++)
		if (!number(l, &param[i]))
			return wrong(l, "camera %lld: %s has %u parameters", id, name, m->parameters);
	camera = (struct capture_camera){ .id = (uint32_t)id, .width = side(width), .height = side(height) };
	camera_lens(m, param, &camera.lens);
	if (!camera_check(&camera, why, sizeof why))
		return wrong(l, "camera %lld: %s", id, why);
	return capture_add_camera(a, out, &camera) || wrong(l, "camera %lld is there twice", id);
}

/* The rest of the line: names may hold blanks. */
static const char *rest(struct lines *l, struct arena *a)
{
	const char *end = l->line_end;

	while (l->word < end && (*l->word == ' ' || *l->word == '\t'))
		l->word++;
	while (end > l->word && (end[-1] == ' ' || end[-1] == '\t'))
		end--;
	return end > l->word && end - l->word < CAPTURE_MAX_NAME ? arena_strndup(a, l->word, (size_t)(end - l->word)) : NULL;
}

static bool read_image(struct lines *l, struct arena *a, struct capture *out)
{
	struct capture_image image = { 0 };
	long long id, camera;
	double q[4];

	if (!integer(l, &id) || !number(l, &q[0]) || !number(l, &q[1]) || !number(l, &q[2]) || !number(l, &q[3]) ||
	    !number(l, &image.t[0]) || !number(l, &image.t[1]) || !number(l, &image.t[2]) || !integer(l, &camera) ||
	    !(image.name = rest(l, a)))
		return malformed(l, "image", "IMAGE_ID QW QX QY QZ TX TY TZ CAMERA_ID NAME");
	if (!camera_rotation(q, image.R) || !point_check(image.t))
		return wrong(l, "image %lld (%s) has no valid pose", id, image.name);
	if (!capture_find_camera(out, (uint32_t)camera, &image.camera))
		return wrong(l, "image %lld (%s) was taken by camera %lld, which does not exist", id,
			   image.name, camera);
	if (!capture_usable_camera(l->diag, out, image.camera))
		return false;
	vec_push(a, &out->images, image);
	next_line(l); /* observations */
	return true;
}

static bool read_point(struct lines *l, struct arena *a, struct capture *out)
{
	long long id, r, g, b;
	double xyz[3];

	if (!integer(l, &id) || !number(l, &xyz[0]) || !number(l, &xyz[1]) || !number(l, &xyz[2]) || !integer(l, &r) ||
	    !integer(l, &g) || !integer(l, &b) || r < 0 || r > 255 || g < 0 || g > 255 || b < 0 || b > 255)
		return malformed(l, "point", "POINT3D_ID X Y Z R G B ERROR TRACK...");
	if (!point_check(xyz))
		return wrong(l, "point %lld is at (%g, %g, %g)", id, xyz[0], xyz[1], xyz[2]);
	vec_push(a, &out->points,
		 (struct scene_point){ .x = (float)xyz[0], .y = (float)xyz[1], .z = (float)xyz[2], .r = (uint8_t)r,
				       .g = (uint8_t)g, .b = (uint8_t)b });
	return true;
}

static bool read_records(struct arena *a, struct diag *d, const char *folder, const char *name,
			 bool (*read)(struct lines *, struct arena *, struct capture *), struct capture *out)
{
	const char *path = path_join(a, folder, name);
	struct lines l = { .diag = d };
	struct mapped_file file;
	bool ok = true;

	if (!file_map(path, &file)) {
		diag_error(d, NO_SPAN, "could not open \"%s\": %s", path, strerror(errno));
		return false;
	}
	l.path = path;
	l.at = file.data ? (const char *)file.data : "";
	l.end = l.at + file.size;
	if (file.size >= 3 && !memcmp(l.at, "\xef\xbb\xbf", 3)) /* the mark that Windows editors begin with */
		l.at += 3;
	while (ok && next_record(&l))
		ok = read(&l, a, out);
	file_unmap(&file);
	return ok;
}

bool colmap_text(struct arena *a, struct diag *d, const char *folder, struct capture *out)
{
	out->points_file = path_join(a, folder, "points3D.txt");
	return read_records(a, d, folder, "cameras.txt", read_camera, out) &&
	       read_records(a, d, folder, "images.txt", read_image, out) &&
	       read_records(a, d, folder, "points3D.txt", read_point, out);
}
