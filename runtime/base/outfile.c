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

static bool is_plan(const char *path)
{
	char magic[sizeof(((struct edge_prefix *)0)->magic)];
	FILE *f = fopen(path, "rb");
	bool is = f && fread(magic, sizeof(magic), 1, f) == 1 && !memcmp(magic, EDGE_PLAN_MAGIC, sizeof(magic));

	if (f)
		fclose(f);
	return is;
}

/* What path leads to is replaced, not the link. */
static char *target_of(const char *path, bool is_file)
{
	char *target = is_file ? realpath(path, NULL) : NULL;
	char *copy = rt_strdup(target ? target : path);

	free(target);
	return copy;
}

static enum edge_status open_temporary(struct rt_outfile *o, const char *path, struct failure *f)
{
	static const char suffix[] = ".tmpXXXXXX";
	size_t n = strlen(o->path);
	mode_t mask;
	int fd;

	o->temporary = rt_alloc(n + sizeof(suffix), 1);
	if (!o->temporary)
		return rt_fail(f, EDGE_MEMORY, "out of memory");
	memcpy(o->temporary, o->path, n);
	memcpy(o->temporary + n, suffix, sizeof(suffix));
	fd = mkstemp(o->temporary);
	if (fd < 0)
		return rt_fail_errno(f, EDGE_IO, "could not create \"%s\"", path);
	mask = umask(0);
	umask(mask);
	if (fchmod(fd, 0666 & ~mask) == 0 && (o->stream = fdopen(fd, "wb")))
		return EDGE_OK;
	rt_fail_errno(f, EDGE_IO, "could not open \"%s\"", path);
	close(fd);
	unlink(o->temporary);
	return EDGE_IO;
}

enum edge_status rt_outfile_open(struct rt_outfile *o, const char *path, struct failure *f)
{
	struct stat info;
	bool there = stat(path, &info) == 0, is_file = there && S_ISREG(info.st_mode);
	enum edge_status st = EDGE_OK;

	*o = (struct rt_outfile){ NULL, target_of(path, is_file), NULL };
	if (!o->path)
		st = rt_fail(f, EDGE_MEMORY, "out of memory");
	else if (there && S_ISDIR(info.st_mode))
		st = rt_fail(f, EDGE_IO, "could not write \"%s\": it is a folder", path);
	else if (is_file && is_plan(path))
		st = rt_fail(f, EDGE_ARGUMENT, "could not write \"%s\": it is a plan", path);
	else if (!there || is_file)
		st = open_temporary(o, path, f);
	else if (!(o->stream = fopen(path, "wb")))
		st = rt_fail_errno(f, EDGE_IO, "could not open \"%s\"", path);
	if (st != EDGE_OK)
		forget(o);
	return st;
}

enum edge_status rt_outfile_commit(struct rt_outfile *o, struct failure *f)
{
	enum edge_status st = EDGE_OK;

	if (fflush(o->stream) != 0 || ferror(o->stream))
		st = rt_fail_errno(f, EDGE_IO, "could not write \"%s\"", o->path);
	if (fclose(o->stream) != 0 && st == EDGE_OK)
		st = rt_fail_errno(f, EDGE_IO, "could not write \"%s\"", o->path);
	if (st == EDGE_OK && o->temporary && rename(o->temporary, o->path) != 0)
		st = rt_fail_errno(f, EDGE_IO, "could not rename \"%s\" to \"%s\"", o->temporary,
				   o->path);
	if (st != EDGE_OK && o->temporary)
		unlink(o->temporary);
	forget(o);
	return st;
}

void rt_outfile_abandon(struct rt_outfile *o)
{
	if (!o->stream)
		return;
	fclose(o->stream);
	if (o->temporary)
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
