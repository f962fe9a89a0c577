/* SPDX-License-Identifier: Apache-2.0 */
/* photo.c - which format a file has, and the memory of a photograph. */
#include "config.h"

#include "scene/photo.h"

#include "base/file.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A quarter of a gigapixel; decoded, three bytes each. */
enum { MAX_PIXELS = 1 << 28 };

bool photo_allocate(const struct photo_info *info, struct photo *out, char *why, size_t why_size)
{
	uint64_t pixels = (uint64_t)info->width * info->height;

	*out = (struct photo){ .width = info->width, .height = info->height };
	if (!pixels || info->width > 65535 || info->height > 65535 || pixels > MAX_PIXELS) {
		snprintf(why, why_size, "%u x %u pixels are more than a photograph can have", info->width, info->height);
		return false;
	}
	out->rgb = xmalloc(pixels * 3);
	out->alpha = info->alpha ? xmalloc(pixels) : NULL;
	return true;
}

void photo_free(struct photo *p)
{
	free(p->rgb);
	free(p->alpha);
	*p = (struct photo){ 0 };
}

static bool decode(const char *path, struct photo_info *info, struct photo *out, char *why, size_t why_size)
{
	struct mapped_file file;
	struct photo_source s;
	bool ok = false;

	if (!file_map(path, &file)) {
		snprintf(why, why_size, "%s", errno == EINVAL ? "no regular file" : strerror(errno));
		return false;
	}
	s = (struct photo_source){ file.data, file.size };
	if (s.size >= 3 && !memcmp(s.data, "\xff\xd8\xff", 3))
		ok = photo_jpeg(&s, info, out, why, why_size);
	else if (s.size >= 8 && !memcmp(s.data, "\x89PNG\r\n\x1a\n", 8))
		ok = photo_png(&s, info, out, why, why_size);
	else
		snprintf(why, why_size, s.size ? "neither JPEG nor PNG" : "the file is empty");
	file_unmap(&file);
	if (!ok && out)
		photo_free(out);
	return ok;
}

bool photo_info(const char *path, struct photo_info *out, char *why, size_t why_size)
{
	return decode(path, out, NULL, why, why_size);
}

bool photo_read(const char *path, struct photo *out, char *why, size_t why_size)
{
	struct photo_info info;

	*out = (struct photo){ 0 };
	return decode(path, &info, out, why, why_size);
}
