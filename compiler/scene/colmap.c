/* SPDX-License-Identifier: Apache-2.0 */
/*
 * colmap.c - where a COLMAP capture lies, and in which of the two forms.
 *
 * FOLDER/sparse/0 beside FOLDER/images is what COLMAP's tools write; a sparse
 * folder without the number, and the files in FOLDER itself, are taken too.
 * Rigs and frames (rigs.bin, frames.bin) repeat what images.bin says and are
 * not read.
 */
#include "config.h"

#include "scene/capture.h"

#include "base/file.h"

#include <string.h>
#include <sys/stat.h>

static bool is_file(struct arena *a, const char *folder, const char *name)
{
	struct stat st;

	return stat(path_join(a, folder, name), &st) == 0 && S_ISREG(st.st_mode);
}

static bool is_folder(const char *path)
{
	struct stat st;

	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

/* A name leads out of its folder by ".." or by being absolute. */
static bool stays_inside(const char *name)
{
	if (*name == '/')
		return false;
	while (*name) {
		size_t n = strcspn(name, "/");

		if (n == 2 && name[0] == '.' && name[1] == '.')
			return false;
		name += n + (name[n] == '/');
	}
	return true;
}

/* Photographs lie in FOLDER/images, or beside the model's folder. */
static bool place_images(struct arena *a, struct diag *d, const struct decl_scene *decl, struct capture *out)
{
	const char *images = path_join(a, decl->path, "images");

	if (!is_folder(images))
		images = path_join(a, decl->path, "../../images"); /* FOLDER is sparse/0 itself */
	if (!is_folder(images)) {
		diag_error(d, decl->path_span, "\"%s\" has no folder \"images\"", decl->path);
		return false;
	}
	for (uint32_t i = 0; i < out->images.len; i++) {
		struct capture_image *image = &out->images.data[i];

		if (!*image->name || !stays_inside(image->name)) {
			diag_error(d, decl->path_span, "the name \"%s\" of an image leads out of \"%s\"", image->name, images);
			return false;
		}
		image->path = path_join(a, images, image->name);
	}
	return true;
}

bool colmap_read(struct arena *a, struct diag *d, const struct decl_scene *decl, struct capture *out)
{
	static const char *const places[] = { "sparse/0", "sparse", NULL };
	bool ok = false, found = false;

	for (uint32_t i = 0; i < sizeof places / sizeof *places && !found; i++) {
		const char *folder = places[i] ? path_join(a, decl->path, places[i]) : decl->path;

		found = is_file(a, folder, "cameras.bin") || is_file(a, folder, "cameras.txt");
		if (found)
			ok = is_file(a, folder, "cameras.bin") ? colmap_binary(a, d, folder, out)
							       : colmap_text(a, d, folder, out);
	}
	if (!found) {
		diag_error(d, decl->path_span, "could not find cameras.bin or cameras.txt in \"%s/sparse/0\"", decl->path);
		return false;
	}
	out->has_points = true;
	return ok && place_images(a, d, decl, out);
}
