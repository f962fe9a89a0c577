/* SPDX-License-Identifier: Apache-2.0 */
/* file.c - whole-file input, and output that appears only when complete. */
#include "config.h"

#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_map(const char *path, struct mapped_file *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	struct stat st;
	bool ok = false;

	*out = (struct mapped_file){ NULL, 0 };
	if (fd < 0)
		return false;
	if (fstat(fd, &st) == 0) {
		if (!S_ISREG(st.st_mode)) {
			errno = S_ISDIR(st.st_mode) ? EISDIR : EINVAL;
		} else if (st.st_size == 0) {
			ok = true;
		} else {
			void *p = mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);

			if (p != MAP_FAILED) {
				out->data = p;
				out->size = (size_t)st.st_size;
				ok = true;
			}
		}
	}
	int saved = errno;

	close(fd);
	errno = saved;
	return ok;
}

void file_unmap(struct mapped_file *f)
{
	if (f->data)
		munmap((void *)(uintptr_t)f->data, f->size);
	*f = (struct mapped_file){ NULL, 0 };
}

bool output_open(struct output_file *o, const char *path)
{
	size_t n = strlen(path);
	int fd;

	o->path = memcpy(xmalloc(n + 1), path, n + 1);
	o->temporary = xmalloc(n + 16);
	snprintf(o->temporary, n + 16, "%s.tmpXXXXXX", path);
	fd = mkstemp(o->temporary);
	o->stream = NULL;
	if (fd >= 0) {
		mode_t mask = umask(0);

		umask(mask);
		if (fchmod(fd, 0666 & ~mask) == 0)
			o->stream = fdopen(fd, "w+b");
		if (!o->stream) {
			int saved = errno;

			close(fd);
			unlink(o->temporary);
			errno = saved;
		}
	}
	if (!o->stream) {
		free(o->path);
		free(o->temporary);
		return false;
	}
	return true;
}

static void forget(struct output_file *o)
{
	free(o->path);
	free(o->temporary);
	*o = (struct output_file){ 0 };
}

bool output_commit(struct output_file *o)
{
	bool ok = fflush(o->stream) == 0 && !ferror(o->stream);
	int saved;

	ok = ok && fsync(fileno(o->stream)) == 0;
	saved = errno;
	if (fclose(o->stream) != 0 && ok) {
		saved = errno;
		ok = false;
	}
	if (ok && rename(o->temporary, o->path) != 0) {
		saved = errno;
		ok = false;
	}
	if (!ok)
		unlink(o->temporary);
	forget(o);
	errno = saved;
	return ok;
}

void output_abandon(struct output_file *o)
{
	if (!o->stream)
		return;
	fclose(o->stream);
	unlink(o->temporary);
	forget(o);
}

char *path_directory(struct arena *a, const char *path)
{
	const char *slash = strrchr(path, '/');

	if (!slash)
		return arena_strdup(a, ".");
	if (slash == path)
		return arena_strdup(a, "/");
	return arena_strndup(a, path, (size_t)(slash - path));
}

char *path_join(struct arena *a, const char *directory, const char *path)
{
	if (path[0] == '/' || strcmp(directory, ".") == 0)
		return arena_strdup(a, path);
	return arena_printf(a, "%s/%s", directory, path);
}
