/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cl_cache.c - programs that a driver has built, kept in files.
 *
 * A file is a header and the driver's bytes. It is written under a temporary
 * name and renamed, so that other processes see all of it or nothing; a file
 * that a crash or the disk has damaged does not match its header, and goes.
 *
 * What is read here will run: a file counts only when it is the user's own and
 * nobody else may write it. Hashes find accidents, they are no signature.
 */
#include "config.h"

#include "base/clock.h"
#include "base/memory.h"
#include "device/cl_cache.h"
#include "edge/plan_read.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/stat.h>
#include <unistd.h>

/* Raised when the key or the file changes its meaning; part of both. */
#define CACHE_FORMAT 1

static const char magic[8] = { 'E', 'D', 'G', 'E', 'C', 'L', 'B', '\n' };
static const char suffix[] = ".clbin";

struct header {
	char magic[8];
	uint64_t format;
	uint64_t key[2];
	uint64_t bytes, xxh3; /* of what follows */
};

enum { HEX_DIGITS = 32, NAME_BYTES = 96 };

/* ---- the folder */

/* Where the cache is: true if the path is set and fits. */
static bool find_folder(char *path, size_t room)
{
	static const struct {
		const char *variable, *below;
	} places[] = { { "EDGE_CACHE_DIR", "" },
		       { "XDG_CACHE_HOME", "/edgert" },
		       { "HOME", "/.cache/edgert" } };
	size_t i;

	for (i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		const char *value = getauxval(AT_SECURE) ? NULL : getenv(places[i].variable);
		int n;

		if (!value || !*value)
			continue;
		n = snprintf(path, room, "%s%s", value, places[i].below);
		return n > 0 && (size_t)n < room;
	}
	return false;
}

/* Makes the folder and its parents, for the user alone. What fails shows when it is opened. */
static void make_folder(char *path)
{
	char *p;

	for (p = path + 1; *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		mkdir(path, 0700);
		*p = '/';
	}
	mkdir(path, 0700);
}

void cl_cache_open(struct cl_cache *c)
{
	char path[4096];

	*c = (struct cl_cache){ .folder = -1, .limit = CL_CACHE_LIMIT };
	if (!find_folder(path, sizeof(path)))
		return;
	c->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (c->folder >= 0 || errno != ENOENT)
		return;
	make_folder(path);
	c->folder = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

void cl_cache_close(struct cl_cache *c)
{
	if (c->folder >= 0)
		close(c->folder);
	c->folder = -1;
}

/* ---- keys */

/* Each text after its length, so that no two lists of texts give the same bytes. */
bool cl_cache_key(struct cl_cache_key *key, const char *const *text, size_t count)
{
	uint64_t format = CACHE_FORMAT, length;
	size_t bytes = 2 * sizeof(uint64_t), at = bytes, i;
	char *all;

	for (i = 0; i < count; i++)
		bytes += sizeof(length) + (text[i] ? strlen(text[i]) : 0);
	if (!(all = rt_alloc(bytes, 1)))
		return false;
	memcpy(all + sizeof(uint64_t), &format, sizeof(format));
	for (i = 0; i < count; i++) {
		length = text[i] ? strlen(text[i]) : 0;
		memcpy(all + at, &length, sizeof(length));
		at += sizeof(length);
		if (length)
			memcpy(all + at, text[i], length);
		at += length;
	}
	/* the second half hashes the first one, too */
	key->hash[0] = edge_xxh3(all, bytes);
	memcpy(all, &key->hash[0], sizeof(uint64_t));
	key->hash[1] = edge_xxh3(all, bytes);
	rt_free(all);
	return true;
}

static void file_name(char name[NAME_BYTES], const struct cl_cache_key *key)
{
	snprintf(name, NAME_BYTES, "%016" PRIx64 "%016" PRIx64 "%s", key->hash[0], key->hash[1],
		 suffix);
}

/* ---- reading */

static bool read_all(int fd, void *to, size_t bytes)
{
	char *at = to;
	ssize_t n;

	while (bytes > 0) {
		n = read(fd, at, bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		bytes -= (size_t)n;
	}
	return true;
}

static bool header_fits(const struct cl_cache *c, const struct header *h,
			const struct cl_cache_key *key, uint64_t file_bytes)
{
	return !memcmp(h->magic, magic, sizeof(magic)) && h->format == CACHE_FORMAT &&
	       h->key[0] == key->hash[0] && h->key[1] == key->hash[1] && h->bytes > 0 &&
	       h->bytes <= c->limit && h->bytes == file_bytes - sizeof(*h);
}

/* NULL: no memory, or damaged. */
static void *read_file(const struct cl_cache *c, int fd, const struct cl_cache_key *key,
		       uint64_t file_bytes, size_t *bytes)
{
	struct header h;
	void *data;

	if (file_bytes <= sizeof(h) || !read_all(fd, &h, sizeof(h)) ||
	    !header_fits(c, &h, key, file_bytes) || !(data = rt_alloc((size_t)h.bytes, 1)))
		return NULL;
	if (!read_all(fd, data, (size_t)h.bytes) || edge_xxh3(data, (size_t)h.bytes) != h.xxh3) {
		rt_free(data);
		return NULL;
	}
	*bytes = (size_t)h.bytes;
	return data;
}

void *cl_cache_get(struct cl_cache *c, const struct cl_cache_key *key, size_t *bytes)
{
	char name[NAME_BYTES];
	struct stat info;
	void *data = NULL;
	int fd;

	*bytes = 0;
	if (c->folder < 0)
		return NULL;
	file_name(name, key);
	/* not blocking: it may be a pipe that somebody has put there */
	fd = openat(c->folder, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	if (fd < 0)
		return NULL;
	if (fstat(fd, &info) == 0 && S_ISREG(info.st_mode) && info.st_uid == geteuid() &&
	    (info.st_mode & (S_IWGRP | S_IWOTH)) == 0) {
		data = read_file(c, fd, key, (uint64_t)info.st_size, bytes);
		if (data)
			futimens(fd, NULL); /* used now: not among the oldest */
		else
			cl_cache_drop(c, key);
	}
	close(fd);
	return data;
}

void cl_cache_drop(struct cl_cache *c, const struct cl_cache_key *key)
{
	char name[NAME_BYTES];

	if (c->folder < 0)
		return;
	file_name(name, key);
	unlinkat(c->folder, name, 0);
}

/* ---- writing */

/* A file of the cache's, or one that a process has left half written. */
static bool ours(const char *name)
{
	return strspn(name, "0123456789abcdef") == HEX_DIGITS &&
	       !strncmp(name + HEX_DIGITS, suffix, strlen(suffix));
}

/* The bytes of all files; oldest gets the name of the one that was used least lately, or "". */
static uint64_t measure(const struct cl_cache *c, char oldest[NAME_BYTES])
{
	int fd = openat(c->folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	DIR *dir = fd < 0 ? NULL : fdopendir(fd);
	struct timespec least = { 0, 0 };
	struct dirent *entry;
	struct stat info;
	uint64_t total = 0;

	oldest[0] = '\0';
	if (!dir && fd >= 0)
		close(fd);
	while (dir && (entry = readdir(dir)) != NULL) {
		if (!ours(entry->d_name) || strlen(entry->d_name) >= NAME_BYTES ||
		    fstatat(c->folder, entry->d_name, &info, AT_SYMLINK_NOFOLLOW) != 0 ||
		    !S_ISREG(info.st_mode))
			continue;
		total += (uint64_t)info.st_size;
		if (oldest[0] && (info.st_mtim.tv_sec > least.tv_sec ||
				  (info.st_mtim.tv_sec == least.tv_sec &&
				   info.st_mtim.tv_nsec >= least.tv_nsec)))
			continue;
		least = info.st_mtim;
		memcpy(oldest, entry->d_name, strlen(entry->d_name) + 1); /* it fits, see above */
	}
	if (dir)
		closedir(dir);
	return total;
}

static void make_room(struct cl_cache *c, uint64_t bytes)
{
	char oldest[NAME_BYTES];

	while (measure(c, oldest) + bytes > c->limit)
		if (!oldest[0] || unlinkat(c->folder, oldest, 0) != 0)
			return;
}

static bool write_all(int fd, const void *from, size_t bytes)
{
	const char *at = from;
	ssize_t n;

	while (bytes > 0) {
		n = write(fd, at, bytes);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return false;
		at += n;
		bytes -= (size_t)n;
	}
	return true;
}

void cl_cache_put(struct cl_cache *c, const struct cl_cache_key *key, const void *data,
		  size_t bytes)
{
	struct header h = { .format = CACHE_FORMAT,
			    .key = { key->hash[0], key->hash[1] },
			    .bytes = bytes };
	char name[NAME_BYTES], temporary[NAME_BYTES + 64];
	bool good;
	int fd;

	if (c->folder < 0 || bytes == 0 || bytes > c->limit || c->limit - bytes < sizeof(h))
		return;
	memcpy(h.magic, magic, sizeof(magic));
	h.xxh3 = edge_xxh3(data, bytes);
	make_room(c, bytes + sizeof(h));
	file_name(name, key);
	snprintf(temporary, sizeof(temporary), "%s.%ld.%" PRIx64, name, (long)getpid(),
		 (uint64_t)rt_now());
	fd = openat(c->folder, temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW,
		    0600);
	if (fd < 0)
		return;
	good = write_all(fd, &h, sizeof(h)) && write_all(fd, data, bytes);
	good = close(fd) == 0 && good;
	if (!good || renameat(c->folder, temporary, c->folder, name) != 0)
		unlinkat(c->folder, temporary, 0);
}
