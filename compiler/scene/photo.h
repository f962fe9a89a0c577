/* SPDX-License-Identifier: Apache-2.0 */
/*
 * photo.h - photographs on disk: JPEG and PNG.
 *
 * Pixels are given as they are stored: an orientation in the file's EXIF block
 * is not applied, since poses belong to the stored pixels, and colour profiles
 * are not. All functions may run on several threads at once; on failure why[]
 * says what is wrong.
 */
#ifndef EDGE_SCENE_PHOTO_H
#define EDGE_SCENE_PHOTO_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct photo {
	uint32_t width, height;
	uint8_t *rgb;   /* width * height * 3 */
	uint8_t *alpha; /* width * height; NULL: opaque */
};

/* What a file says of itself at its beginning. */
struct photo_info {
	uint32_t width, height;
	bool alpha;
};

bool photo_info(const char *path, struct photo_info *out, char *why, size_t why_size);
bool photo_read(const char *path, struct photo *out, char *why, size_t why_size);
void photo_free(struct photo *p);

/* The formats, each in a file of its own; only photo.c calls them. info alone is filled where out is NULL. */
struct photo_source {
	const uint8_t *data;
	size_t size;
};

bool photo_jpeg(const struct photo_source *s, struct photo_info *info, struct photo *out, char *why, size_t why_size);
bool photo_png(const struct photo_source *s, struct photo_info *info, struct photo *out, char *why, size_t why_size);
/* Allocates for info's size; false where that is more than a photograph can be. */
bool photo_allocate(const struct photo_info *info, struct photo *out, char *why, size_t why_size);

#endif
