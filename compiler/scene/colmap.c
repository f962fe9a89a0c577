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

/* The folder that the language names: in the capture, else beside the file that names it. */
static const char *named_images(struct arena *a, struct diag *d, const struct decl_scene *decl)
{
	const char *inside = *decl->images == '/' ? decl->images : path_join(a, decl->path, decl->images);

	if (is_folder(inside))
		return inside;
	if (is_folder(decl->images_here))
		return decl->images_here;
	diag_error(d, decl->images_span, "\"%s\" is no folder", inside);
	return NULL;
}

/* FOLDER may be sparse/0 itself. Where only scaled photographs were kept, the largest are taken. */
static const char *usual_images(struct arena *a, struct diag *d, const struct decl_scene *decl)
{
	static const char *const places[] = { "images", "../../images", "images_2", "images_4", "images_8" };

	for (uint32_t i = 0; i < sizeof places / sizeof *places; i++) {
		const char *images = path_join(a, decl->path, places[i]);

		if (is_folder(images))
			return images;
	}
	diag_error(d, decl->path_span, "\"%s\" has no folder \"images\"", decl->path);
	diag_hint(d, "Where photographs lie elsewhere, say so: images \"FOLDER\";");
	return NULL;
}

static bool place_images(struct arena *a, struct diag *d, const struct decl_scene *decl, struct capture *out)
{
	const char *images = decl->images ? named_images(a, d, decl) : usual_images(a, d, decl);

	if (!images)
		return false;
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
