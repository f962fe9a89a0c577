/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_cl_cache.c - programs kept in files: what is damaged, foreign or refused
 * is built again, and nothing that is wrong with the folder is a failure.
 */
#include "config.h"

#include "base/memory.h"
#include "device/cl_cache.h"
#include "device/device.h"
#include "tap.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PAYLOAD = 100 };

static char root[512];

static const char *path_of(const char *name)
{
	static char path[4][1024];
	static int next;
	char *p = path[next++ % 4];

	snprintf(p, sizeof(path[0]), "%s/%s", root, name);
	return p;
}

static void empty_folder(const char *path)
{
	DIR *dir = opendir(path);
	struct dirent *e;

	while (dir && (e = readdir(dir)) != NULL)
		if (strcmp(e->d_name, ".") && strcmp(e->d_name, ".."))
			unlinkat(dirfd(dir), e->d_name, 0);
	if (dir)
		closedir(dir);
}

/* How many files there are, and the name of the last one. */
static int files(const char *path, char *name, size_t room)
{
	DIR *dir = opendir(path);
	struct dirent *e;
	int n = 0;

	while (dir && (e = readdir(dir)) != NULL) {
		if (e->d_name[0] == '.')
			continue;
		snprintf(name, room, "%s", e->d_name);
		n++;
	}
	if (dir)
		closedir(dir);
	return n;
}

static void key_of(struct cl_cache_key *key, const char *text)
{
	cl_cache_key(key, &text, 1);
}

static bool holds(struct cl_cache *c, const struct cl_cache_key *key, const void *data,
		  size_t bytes)
{
	size_t got;
	void *p = cl_cache_get(c, key, &got);
	bool same = p && got == bytes && !memcmp(p, data, bytes);

	rt_free(p);
	return same;
}

static void name_of(char *name, size_t room, const struct cl_cache_key *key)
{
	snprintf(name, room, "%016llx%016llx.clbin", (unsigned long long)key->hash[0],
		 (unsigned long long)key->hash[1]);
}

/* ---- the files themselves */

static void test_keys(void)
{
	static const char *const lists[][2] = { { "ab", "c" }, { "a", "bc" }, { "abc", "" },
						{ "", "abc" }, { "c", "ab" } };
	struct cl_cache_key key[5], null, again;
	bool differ = true;
	int i, j;

	for (i = 0; i < 5; i++)
		cl_cache_key(&key[i], lists[i], 2);
	for (i = 0; i < 5; i++)
		for (j = 0; j < i; j++)
			differ = differ && key[i].hash[0] != key[j].hash[0] &&
				 key[i].hash[1] != key[j].hash[1];
	tap_ok(differ, "lists of texts that differ in any way have different keys");
	cl_cache_key(&null, (const char *const[]){ "abc", NULL }, 2);
	cl_cache_key(&again, lists[2], 2);
	tap_ok(!memcmp(&null, &key[2], sizeof(null)) && !memcmp(&again, &key[2], sizeof(again)) &&
		       null.hash[0] != null.hash[1],
	       "equal ones have the same, NULL is empty, and the halves differ");
}

static void damage(struct cl_cache *c, const struct cl_cache_key *key, const char *data)
{
	struct cl_cache_key other;
	char name[96], moved[96];
	bool refused = true, removed = true;
	struct stat info;
	int fd, at;
	char byte;

	name_of(name, sizeof(name), key);
	stat(path_of(name), &info);
	for (at = 0; at < info.st_size; at++) {
		cl_cache_put(c, key, data, PAYLOAD);
		refused = truncate(path_of(name), at) == 0 && !holds(c, key, data, PAYLOAD) &&
			  refused;
		removed = access(path_of(name), F_OK) != 0 && removed;
	}
	tap_ok(refused && removed, "a file truncated at any byte is not used, and goes");
	for (at = 0; at < info.st_size; at++) {
		cl_cache_put(c, key, data, PAYLOAD);
		fd = open(path_of(name), O_RDWR);
		if (pread(fd, &byte, 1, at) != 1)
			refused = false;
		byte ^= (char)(1 << at % 8);
		if (pwrite(fd, &byte, 1, at) != 1)
			refused = false;
		close(fd);
		refused = !holds(c, key, data, PAYLOAD) && refused;
		removed = access(path_of(name), F_OK) != 0 && removed;
	}
	tap_ok(refused && removed, "a file with a flipped bit in any byte is not used, and goes");
	key_of(&other, "another program");
	name_of(moved, sizeof(moved), &other);
	cl_cache_put(c, key, data, PAYLOAD);
	tap_ok(rename(path_of(name), path_of(moved)) == 0 && !holds(c, &other, data, PAYLOAD) &&
		       access(path_of(moved), F_OK) != 0,
	       "a file under the name of another key is not used, and goes");
}

static void foreign(struct cl_cache *c, const struct cl_cache_key *key, const char *data)
{
	char name[96];

	name_of(name, sizeof(name), key);
	cl_cache_put(c, key, data, PAYLOAD);
	chmod(path_of(name), 0620);
	tap_ok(!holds(c, key, data, PAYLOAD), "a file that the group may write is ignored");
	chmod(path_of(name), 0602);
	tap_ok(!holds(c, key, data, PAYLOAD), "and one that everybody may write");
	chmod(path_of(name), 0644);
	tap_ok(holds(c, key, data, PAYLOAD), "others may read it");
	if (geteuid() == 0 && chown(path_of(name), 12345, (gid_t)-1) == 0)
		tap_ok(!holds(c, key, data, PAYLOAD), "a file of another user's is ignored");
	else
		tap_skip("only root gives files away");
	rename(path_of(name), path_of("aside"));
	if (symlink("aside", path_of(name)) == 0)
		tap_ok(!holds(c, key, data, PAYLOAD), "a symbolic link is ignored");
	unlink(path_of(name));
	if (mkfifo(path_of(name), 0600) == 0)
		tap_ok(!holds(c, key, data, PAYLOAD), "a pipe is ignored, and not waited for");
	empty_folder(root);
}

static void test_limit(struct cl_cache *c)
{
	static char data[1000];
	struct timespec oldest[2] = { { 1000, 0 }, { 1000, 0 } }, old[2] = { { 0, 0 }, { 0, 0 } };
	char name[96], text[16], last[256];
	struct cl_cache_key key[10];
	int i;

	c->limit = 4500;
	close(open(path_of("not the cache's"), O_CREAT | O_WRONLY, 0600));
	truncate(path_of("not the cache's"), 100000);
	for (i = 0; i < 10; i++) {
		snprintf(text, sizeof(text), "program %d", i);
		key_of(&key[i], text);
		name_of(name, sizeof(name), &key[i]);
		if (i == 4) { /* used between */
			tap_ok(holds(c, &key[0], data, sizeof(data)), "what is there is found");
			snprintf(last, sizeof(last), "%s.99.77", name);
			close(open(path_of(last), O_CREAT | O_WRONLY, 0600));
			truncate(path_of(last), 900);
			utimensat(AT_FDCWD, path_of(last), oldest, 0);
		}
		cl_cache_put(c, &key[i], data, sizeof(data));
		old[0].tv_sec = old[1].tv_sec = 2000 + i;
		utimensat(AT_FDCWD, path_of(name), old, 0);
		if (i < 4)
			continue;
		/* the first is older than what is written now, but was used */
		if (i == 4)
			tap_ok(access(path_of(last), F_OK) != 0 &&
				       holds(c, &key[0], data, sizeof(data)) &&
				       !holds(c, &key[1], data, sizeof(data)),
			       "the least lately used goes, and what a crash has left");
	}
	tap_ok(files(root, last, sizeof(last)) == 1 + 4 && holds(c, &key[9], data, sizeof(data)) &&
		       !holds(c, &key[4], data, sizeof(data)),
	       "all files together stay within the limit; other files are let alone");
	cl_cache_put(c, &key[1], data, 4480);
	tap_ok(!holds(c, &key[1], data, 4480) && holds(c, &key[9], data, sizeof(data)),
	       "what does not fit at all replaces nothing");
	c->limit = CL_CACHE_LIMIT;
	empty_folder(root);
}

/* Several processes that write and read one key: whole, or not there. */
static void test_processes(struct cl_cache *c, const struct cl_cache_key *key)
{
	enum { PROCESSES = 4, TIMES = 100, BYTES = 50000 };
	static char data[BYTES];
	int i, p, status, bad = 0;
	size_t bytes;
	char last[256];

	for (p = 0; p < PROCESSES; p++) {
		if (fork() != 0)
			continue;
		for (i = 0; i < TIMES; i++) {
			char *got;

			memset(data, p + 1, sizeof(data));
			cl_cache_put(c, key, data, sizeof(data));
			got = cl_cache_get(c, key, &bytes);
			if (!got || bytes != BYTES || got[0] != got[BYTES - 1])
				_exit(1);
			rt_free(got);
		}
		_exit(0);
	}
	while (wait(&status) > 0)
		bad += status != 0;
	tap_ok(bad == 0 && files(root, last, sizeof(last)) == 1,
	       "processes that write at the same time see whole files, and leave one");
	empty_folder(root);
}

/* ---- where it is */

static bool works(const char *expected)
{
	struct cl_cache_key key;
	struct cl_cache c;
	bool good;

	key_of(&key, "x");
	cl_cache_open(&c);
	cl_cache_put(&c, &key, "abc", 3);
	good = holds(&c, &key, "abc", 3);
	cl_cache_drop(&c, &key);
	good = good && !holds(&c, &key, "abc", 3);
	cl_cache_close(&c);
	return good && (!expected || access(expected, F_OK) == 0);
}

static void test_places(void)
{
	struct stat info;

	setenv("HOME", path_of("home"), 1);
	setenv("XDG_CACHE_HOME", path_of("xdg"), 1);
	setenv("EDGE_CACHE_DIR", path_of("a/b/c"), 1);
	tap_ok(works(path_of("a/b/c")) && stat(path_of("a/b"), &info) == 0 &&
		       (info.st_mode & 0777) == 0700,
	       "EDGE_CACHE_DIR is made with its parents, for the user alone");
	setenv("EDGE_CACHE_DIR", "", 1);
	tap_ok(works(path_of("xdg/edgert")), "else XDG_CACHE_HOME");
	unsetenv("XDG_CACHE_HOME");
	tap_ok(works(path_of("home/.cache/edgert")), "else HOME");
	unsetenv("HOME");
	tap_ok(!works(NULL), "else there is none, which is no failure");
	close(open(path_of("file"), O_CREAT | O_WRONLY, 0600));
	setenv("EDGE_CACHE_DIR", path_of("file"), 1);
	tap_ok(!works(NULL), "nor is a folder that is a file");
	setenv("EDGE_CACHE_DIR", path_of("file/below"), 1);
	tap_ok(!works(NULL), "nor one below a file");
	setenv("EDGE_CACHE_DIR", "/proc", 1);
	tap_ok(!works(NULL), "nor one that nobody can write");
}

/* ---- a driver */

static const char source[] = "__kernel __attribute__((reqd_work_group_size(1,1,1)))\n"
			     "void count(__global int *y, int a)\n"
			     "{\n"
			     "	y[get_global_id(0)] = a + (int)get_global_id(0);\n"
			     "}\n";

static bool count_to(const struct device_ops *ops, struct device *d, struct device_program *p,
		     struct failure *f)
{
	struct device_launch_request r = { .program = p, .kernel = "count", .arg_count = 2,
					   .global = { 8, 1, 1 }, .local = { 1, 1, 1 } };
	struct device_argument arg[2] = { { .kind = EDGE_PARAM_GLOBAL },
					  { .kind = EDGE_PARAM_I32, .value.i = 30 } };
	struct device_region *region = NULL;
	struct device_launch *l = NULL;
	int y[8] = { 0 };
	bool good;

	r.arg = arg;
	good = ops->region_create(d, EDGE_SPACE_DEVICE, 4096, NULL, &region, f) == EDGE_OK &&
	       ops->buffer_create(d, region, 0, 4096, &arg[0].buffer, f) == EDGE_OK &&
	       ops->launch_create(d, &r, &l, f) == EDGE_OK &&
	       ops->submit(d, l, NULL, f) == EDGE_OK &&
	       ops->read(d, region, 0, y, sizeof(y), NULL, f) == EDGE_OK &&
	       ops->finish(d, f) == EDGE_OK && y[0] == 30 && y[7] == 37;
	ops->launch_destroy(d, l);
	ops->buffer_destroy(d, arg[0].buffer);
	ops->region_destroy(d, region);
	return good;
}

/* Builds and runs; how many programs came from the cache, or -1. */
static int build(const char *options, const char *text, bool no_cache)
{
	const struct device_ops *ops = device_backend(EDGE_BACKEND_OPENCL);
	struct device_request request = { .no_cache = no_cache };
	struct device_code code = { .source = text, .options = options };
	struct failure f = { .status = EDGE_OK };
	struct device_program *p = NULL;
	struct device *d = NULL;
	int cached = -1;

	if (ops->open(&request, &d, &f) == EDGE_OK &&
	    ops->program_build(d, &code, &p, &f) == EDGE_OK && count_to(ops, d, p, &f))
		cached = (int)ops->info(d)->programs_cached;
	else if (text == source)
		printf("# %s\n", f.text);
	if (d) {
		ops->program_destroy(d, p);
		ops->close(d);
	}
	return cached;
}

/* A sound file that holds what no driver takes. */
static bool plant(const char *name)
{
	static const char rubbish[] = "this is no program of any driver's";
	unsigned long long half[2];
	struct cl_cache_key key;
	struct cl_cache c;
	bool good;

	if (sscanf(name, "%16llx%16llx", &half[0], &half[1]) != 2)
		return false;
	key.hash[0] = half[0];
	key.hash[1] = half[1];
	cl_cache_open(&c);
	cl_cache_put(&c, &key, rubbish, sizeof(rubbish));
	good = holds(&c, &key, rubbish, sizeof(rubbish));
	cl_cache_close(&c);
	return good;
}

static void test_driver(void)
{
	const char *standard = "-cl-std=CL1.2";
	char name[256] = "";

	tap_ok(build(standard, source, true) == 0 && files(root, name, sizeof(name)) == 0,
	       "no_cache keeps nothing");
	tap_ok(build(standard, source, false) == 0 && files(root, name, sizeof(name)) == 1,
	       "a program is built and kept");
	tap_ok(build(standard, source, false) == 1, "the second time it is there, and runs");
	tap_ok(build(standard, source, true) == 0, "no_cache does not use it");
	tap_ok(truncate(path_of(name), 200) == 0 && build(standard, source, false) == 0 &&
		       build(standard, source, false) == 1,
	       "a truncated one is built again, and kept again");
	tap_ok(plant(name) && build(standard, source, false) == 0 &&
		       build(standard, source, false) == 1,
	       "so is one that the driver refuses");
	tap_ok(build("-cl-std=CL1.2 -DA", source, false) == 0 &&
		       files(root, name, sizeof(name)) == 2,
	       "other options are another program");
	tap_ok(build(standard, "no program", false) == -1 &&
		       build(standard, "no program", false) == -1 &&
		       files(root, name, sizeof(name)) == 2,
	       "a program that cannot be built fails each time, and is not kept");
	setenv("EDGE_CACHE_DIR", "/proc", 1);
	tap_ok(build(standard, source, false) == 0 && build(standard, source, false) == 0,
	       "a folder that cannot be written is as good as none");
	setenv("EDGE_CACHE_DIR", root, 1);
}

static void seen(void *ctx, const struct device_info *info)
{
	(void)info;
	++*(int *)ctx;
}

int main(void)
{
	const char *build_folder = getenv("EDGE_BUILDDIR");
	struct failure f = { .status = EDGE_OK };
	char data[PAYLOAD], clean[600];
	struct cl_cache_key key;
	struct cl_cache c;
	int i, devices = 0;

	snprintf(root, sizeof(root), "%s/cl_cache.XXXXXX", build_folder ? build_folder : ".");
	if (!mkdtemp(root))
		return 1;
	setenv("EDGE_CACHE_DIR", root, 1);
	for (i = 0; i < PAYLOAD; i++)
		data[i] = (char)(i * 7);
	key_of(&key, "a program");
	test_keys();
	cl_cache_open(&c);
	tap_ok(!holds(&c, &key, data, PAYLOAD), "an empty cache holds nothing");
	cl_cache_put(&c, &key, data, PAYLOAD);
	tap_ok(holds(&c, &key, data, PAYLOAD), "what is put is there");
	damage(&c, &key, data);
	foreign(&c, &key, data);
	test_limit(&c);
	test_processes(&c, &key);
	cl_cache_close(&c);
	if (device_backend(EDGE_BACKEND_OPENCL)->list(seen, &devices, &f) != EDGE_OK || !devices)
		tap_skip("no OpenCL device here%s%s", f.text[0] ? ": " : "", f.text);
	else
		test_driver();
	test_places();
	snprintf(clean, sizeof(clean), "rm -rf '%s'", root);
	return system(clean) != 0 || tap_done();
}
