/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capture.h - what a reader found in a capture, each record judged by itself;
 * import.c judges them together.
 */
#ifndef EDGE_SCENE_CAPTURE_H
#define EDGE_SCENE_CAPTURE_H

#include "base/map.h"
#include "scene/scene.h"

struct capture_camera {
	uint32_t id; /* as the file numbers them */
	uint32_t width, height;
	struct scene_lens lens;
	const char *refused; /* why no photograph may be by it; NULL: they may */
};

struct capture_image {
	const char *name; /* as the file names it */
	const char *path; /* as it is opened */
	const char *mask; /* NULL: the file names none */
	uint32_t camera;  /* index */
	double R[9], t[3]; /* world to camera */
	enum { CAPTURE_BY_NAME, CAPTURE_TRAIN, CAPTURE_HELD_OUT } split; /* where the capture itself says */
};

struct capture {
	VEC(struct capture_camera) cameras;
	struct map camera_ids;
	VEC(struct capture_image) images;
	VEC(struct scene_point) points;
	bool has_points;        /* the capture has a place for points */
	const char *points_file; /* where they are, for messages */
};

/* A pixel is at most that far from the next; enough for every photograph. */
enum { CAPTURE_MAX_SIDE = 65535, CAPTURE_MAX_NAME = 4096, CAPTURE_MAX_IMAGES = 1000000 };

/* False: errors were said. */
bool colmap_read(struct arena *a, struct diag *d, const struct decl_scene *decl, struct capture *out);
bool transforms_read(struct arena *a, struct diag *d, const struct decl_scene *decl, struct capture *out);

/* colmap_binary.c, colmap_text.c: one file each; folder is where they lie. */
bool colmap_binary(struct arena *a, struct diag *d, const char *folder, struct capture *out);
bool colmap_text(struct arena *a, struct diag *d, const char *folder, struct capture *out);

/* ply.c: vertices with x y z and, where there are, red green blue. */
bool ply_points(struct arena *a, struct diag *d, const char *path, struct capture *out);

/* False: a camera has this id already. */
bool capture_add_camera(struct arena *a, struct capture *c, const struct capture_camera *camera);
bool capture_find_camera(const struct capture *c, uint32_t id, uint32_t *index);
/* False, and it was said: the camera of a photograph is of a model that is not supported. */
bool capture_usable_camera(struct diag *d, const struct capture *c, uint32_t index);

/* camera.c: what a lens may be; why[] says what is wrong with it. */
bool camera_check(const struct capture_camera *c, char *why, size_t why_size);
/* A rotation from a quaternion w x y z of any length but 0. */
bool camera_rotation(const double q[4], double R[9]);
/* COLMAP's models by number or name, with their parameters; says what is wrong in why[]. */
struct camera_model {
	int id; /* COLMAP's number */
	const char *name;
	uint32_t parameters;
	bool supported;
};
const struct camera_model *camera_model_by_id(int id);
const struct camera_model *camera_model_by_name(const char *name);
void camera_lens(const struct camera_model *m, const double *param, struct scene_lens *out);
bool point_check(const double xyz[3]);

#endif
