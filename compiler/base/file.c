/* SPDX-License-Identifier: Apache-2.0 */
/* file.c - whole-file input, and output that appears only when complete. */
#include "config.h"

#include "base/file.h"
#include "base/leftover.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

bool file_map(const char *path, struct mapped_file *out)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* a pipe nobody writes to is refused as well */
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

static char *copy_text(const char *s)
{
	size_t n = strlen(s) + 1;

	return memcpy(xmalloc(n), s, n);
}

static void forget(struct output_file *o)
{
	leftover_gone(o->watched);
	free(o->path);
	free(o->temporary);
	*o = (struct output_file){ .watched = -1 };
}

static mode_t rights_of_new_file(void)
{
	mode_t mask = umask(0);

	umask(mask);
	return 0666 & ~mask;
}

/* A file beside the final one, with the rights that it has or will have. */
static FILE *open_temporary(struct output_file *o, mode_t rights)
{
	size_t n = strlen(o->path) + 16;
	FILE *f = NULL;
	int fd, saved;

	o->temporary = xmalloc(n);
	snprintf(o->temporary, n, "%s.tmpXXXXXX", o->path);
	fd = mkstemp(o->temporary);
	if (fd < 0)
		return NULL;
	o->watched = leftover_file(o->temporary);
	if (fchmod(fd, rights) == 0)
		f = fdopen(fd, "w+b");
	if (!f) {
		saved = errno;
		close(fd);
		unlink(o->temporary);
		errno = saved;
	}
	return f;
}

bool output_open(struct output_file *o, const char *path)
{
	struct stat st;
	bool there = stat(path, &st) == 0;
	char *target = there ? realpath(path, NULL) : NULL;

	*o = (struct output_file){ .path = target && S_ISREG(st.st_mode) ? target : copy_text(path), .watched = -1 };
	if (target != o->path)
		free(target);
	if (there && S_ISDIR(st.st_mode))
		errno = EISDIR;
	else
		o->stream = there && !S_ISREG(st.st_mode) ? fopen(path, "wb") :
			    open_temporary(o, there ? st.st_mode & 0777 : rights_of_new_file());
	if (!o->stream) {
		int saved = errno;

		forget(o);
		errno = saved;
	}
	return o->stream != NULL;
}

bool output_commit(struct output_file *o)
{
	bool ok = fflush(o->stream) == 0 && !ferror(o->stream);
	int saved;

	ok = ok && (!o->temporary || fsync(fileno(o->stream)) == 0);
	saved = errno;
	if (fclose(o->stream) != 0 && ok) {
		saved = errno;
		ok = false;
	}
	if (ok && o->temporary && rename(o->temporary, o->path) != 0) {
		saved = errno;
		ok = false;
	}
	if (!ok && o->temporary)
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
	if (o->temporary)
		unlink(o->temporary);
	forget(o);
}

bool same_file(const char *a, const char *b)
{
	struct stat x, y;

	return stat(a, &x) == 0 && stat(b, &y) == 0 && x.st_dev == y.st_dev && x.st_ino == y.st_ino;
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
