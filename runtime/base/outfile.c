/* SPDX-License-Identifier: Apache-2.0 */
/* outfile.c - an output file that appears under its name only when complete. */
#include "config.h"

#include "base/memory.h"
#include "base/outfile.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void forget(struct rt_outfile *o)
{
	rt_free(o->path);
	rt_free(o->temporary);
	*o = (struct rt_outfile){ NULL, NULL, NULL };
}

enum edge_status rt_outfile_open(struct rt_outfile *o, const char *path, struct failure *f)
{
	static const char suffix[] = ".tmpXXXXXX";
	size_t n = strlen(path);
	mode_t mask;
	int fd;

	*o = (struct rt_outfile){ NULL, rt_strdup(path), rt_alloc(n + sizeof(suffix), 1) };
	if (!o->path || !o->temporary) {
		forget(o);
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	}
	memcpy(o->temporary, path, n);
	memcpy(o->temporary + n, suffix, sizeof(suffix));
	fd = mkstemp(o->temporary);
	if (fd < 0) {
		rt_fail_errno(f, EDGE_IO, "could not create \"%s\"", path);
		forget(o);
		return EDGE_IO;
	}
	mask = umask(0);
	umask(mask);
	if (fchmod(fd, 0666 & ~mask) == 0)
		o->stream = fdopen(fd, "wb");
	if (!o->stream) {
		rt_fail_errno(f, EDGE_IO, "could not open \"%s\"", path);
		close(fd);
		unlink(o->temporary);
		forget(o);
		return EDGE_IO;
	}
	return EDGE_OK;
}

enum edge_status rt_outfile_commit(struct rt_outfile *o, struct failure *f)
{
	enum edge_status st = EDGE_OK;

	if (fflush(o->stream) != 0 || ferror(o->stream))
		st = rt_fail_errno(f, EDGE_IO, "could not write \"%s\"", o->path);
	if (fclose(o->stream) != 0 && st == EDGE_OK)
		st = rt_fail_errno(f, EDGE_IO, "could not write \"%s\"", o->path);
	if (st == EDGE_OK && rename(o->temporary, o->path) != 0)
		st = rt_fail_errno(f, EDGE_IO, "could not rename \"%s\" to \"%s\"", o->temporary,
				   o->path);
	if (st != EDGE_OK)
		unlink(o->temporary);
	forget(o);
	return st;
}

void rt_outfile_abandon(struct rt_outfile *o)
{
	if (!o->stream)
		return;
	fclose(o->stream);
	unlink(o->temporary);
	forget(o);
}

enum edge_status rt_make_directory(const char *path, struct failure *f)
{
	char *copy = rt_strdup(path), *p;
	enum edge_status st = EDGE_OK;
	struct stat info;

	if (!copy)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	for (p = copy + 1; *copy && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(copy, 0777); /* a parent that cannot be made shows below */
		*p = '/';
	}
	if (mkdir(copy, 0777) != 0 && errno != EEXIST)
		st = rt_fail_errno(f, EDGE_IO, "could not create directory \"%s\"", path);
	else if (stat(copy, &info) == 0 && !S_ISDIR(info.st_mode))
		st = rt_fail(f, EDGE_IO, "could not create directory \"%s\": it is a file", path);
	rt_free(copy);
	return st;
}
