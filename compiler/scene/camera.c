/* SPDX-License-Identifier: Apache-2.0 */
/* camera.c - camera models, and what numbers a camera may have. */
#include "config.h"

#include "scene/capture.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* COLMAP's numbers, names and parameter counts. What is not supported is known, to be named in the refusal. */
static const struct camera_model models[] = {
	{ 0, "SIMPLE_PINHOLE", 3, true },
	{ 1, "PINHOLE", 4, true },
	{ 2, "SIMPLE_RADIAL", 4, true },
	{ 3, "RADIAL", 5, true },
	{ 4, "OPENCV", 8, true },
	{ 5, "OPENCV_FISHEYE", 8, false },
	{ 6, "FULL_OPENCV", 12, false },
	{ 7, "FOV", 5, false },
	{ 8, "SIMPLE_RADIAL_FISHEYE", 4, false },
	{ 9, "RADIAL_FISHEYE", 5, false },
	{ 10, "THIN_PRISM_FISHEYE", 12, false },
	{ 11, "RAD_TAN_THIN_PRISM_FISHEYE", 16, false },
	{ 12, "SIMPLE_DIVISION", 4, false },
	{ 13, "DIVISION", 5, false },
	{ 14, "SIMPLE_FISHEYE", 3, false },
	{ 15, "FISHEYE", 4, false },
};
enum { MODELS = sizeof models / sizeof *models };

const struct camera_model *camera_model_by_id(int id)
{
	for (uint32_t i = 0; i < MODELS; i++)
		if (models[i].id == id)
			return &models[i];
	return NULL;
}

const struct camera_model *camera_model_by_name(const char *name)
{
	for (uint32_t i = 0; i < MODELS; i++)
		if (!strcmp(models[i].name, name))
			return &models[i];
	return NULL;
}

void camera_lens(const struct camera_model *m, const double *param, struct scene_lens *out)
{
	bool one_focal = m->id == 0 || m->id == 2 || m->id == 3;
	const double *rest = param + (one_focal ? 3 : 4);

	*out = (struct scene_lens){ .fx = param[0], .fy = param[one_focal ? 0 : 1], .cx = rest[-2], .cy = rest[-1] };
	if (m->id >= 2)
		out->k[0] = rest[0];
	if (m->id >= 3)
		out->k[1] = rest[1];
	if (m->id == 4) {
		out->p[0] = rest[2];
		out->p[1] = rest[3];
	}
}

bool camera_check(const struct capture_camera *c, char *why, size_t why_size)
{
	const struct scene_lens *l = &c->lens;
	double all[] = { l->cx, l->cy, l->k[0], l->k[1], l->k[2], l->k[3], l->p[0], l->p[1] };

	if (!c->width || !c->height || c->width > CAPTURE_MAX_SIDE || c->height > CAPTURE_MAX_SIDE) {
		snprintf(why, why_size, "a photograph cannot be %u x %u pixels", c->width, c->height);
		return false;
	}
	if (!(l->fx > 0) || !(l->fy > 0) || l->fx > 1e9 || l->fy > 1e9) {
		snprintf(why, why_size, "its focal length is %g x %g", l->fx, l->fy);
		return false;
	}
	for (uint32_t i = 0; i < sizeof all / sizeof *all; i++)
		if (!isfinite(all[i]) || fabs(all[i]) > 1e9) {
			snprintf(why, why_size, "%s is %g", i < 2 ? "its principal point" : "its distortion", all[i]);
			return false;
		}
	return true;
}

bool camera_rotation(const double q[4], double R[9])
{
	double n = q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3], s;
	double w = q[0], x = q[1], y = q[2], z = q[3];

	if (!(n > 1e-12) || !isfinite(n))
		return false;
	s = 2 / n;
	R[0] = 1 - s * (y * y + z * z);
	R[1] = s * (x * y - w * z);
	R[2] = s * (x * z + w * y);
	R[3] = s * (x * y + w * z);
	R[4] = 1 - s * (x * x + z * z);
	R[5] = s * (y * z - w * x);
	R[6] = s * (x * z - w * y);
	R[7] = s * (y * z + w * x);
	R[8] = 1 - s * (x * x + y * y);
	return true;
}

bool point_check(const double xyz[3])
{
	for (int i = 0; i < 3; i++)
		if (!isfinite(xyz[i]) || fabs(xyz[i]) > 1e15)
			return false;
	return true;
}

bool capture_find_camera(const struct capture *c, uint32_t id, uint32_t *index)
{
	char key[16];

	snprintf(key, sizeof key, "%u", id);
	return map_get(&c->camera_ids, key, index);
}

bool capture_usable_camera(struct diag *d, const struct capture *c, uint32_t index)
{
	const char *refused = c->cameras.data[index].refused;

	if (!refused)
		return true;
	diag_error(d, NO_SPAN, "%s", refused);
	diag_hint(d, "Undistort the photographs to PINHOLE with the tool that made the capture.");
	return false;
}

bool capture_add_camera(struct arena *a, struct capture *c, const struct capture_camera *camera)
{
	uint32_t same;
	char key[16];

	if (capture_find_camera(c, camera->id, &same))
		return false;
	snprintf(key, sizeof key, "%u", camera->id);
	map_put(a, &c->camera_ids, key, c->cameras.len);
	vec_push(a, &c->cameras, *camera);
	return true;
}
