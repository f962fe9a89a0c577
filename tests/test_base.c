/* SPDX-License-Identifier: Apache-2.0 */
/* test_base.c - what all of the compiler stands on: arenas, arrays, maps, text, files, diagnostics. */
#include "config.h"

#include "base/arena.h"
#include "base/diag.h"
#include "base/file.h"
#include "base/map.h"
#include "base/npy_array.h"
#include "base/strbuf.h"
#include "base/vec.h"
#include "edge/plan_read.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void test_arena(struct arena *a)
{
	bool aligned = true, zero = true, apart = true;
	unsigned char *last = NULL;

	for (size_t i = 0; i < 3000; i++) {
		unsigned char *p = arena_alloc(a, i % 97);

		aligned &= (uintptr_t)p % 16 == 0;
		for (size_t j = 0; j < i % 97; j++)
			zero &= p[j] == 0;
		memset(p, 0xff, i % 97);
		apart &= p != last;
		last = p;
	}
	tap_ok(aligned, "memory is aligned to 16 bytes");
	tap_ok(zero, "memory is zero");
	tap_ok(apart, "every piece has its own address, empty ones too");
	last = arena_alloc(a, 5 << 20);
	last[(5 << 20) - 1] = 1;
	tap_ok(a->total >= 5 << 20, "a piece may be larger than a block");
	tap_ok(!strcmp(arena_printf(a, "%d-%s", 7, "x"), "7-x"), "text is formatted");
	tap_ok(!strcmp(arena_strndup(a, "abcdef", 3), "abc"), "the beginning of a text is copied");
}

static void test_vec_and_map(struct arena *a)
{
	VEC(int) v = { 0 };
	struct map m = { 0 };
	bool same = true;
	uint32_t value = 1234;
	char key[32];

	for (int i = 0; i < 10000; i++)
		vec_push(a, &v, i * 3);
	for (int i = 0; i < 10000; i++)
		same &= v.data[i] == i * 3;
	tap_ok(same && v.len == 10000, "an array keeps its elements while it grows");

	tap_ok(!map_get(&m, "absent", &value) && value == 1234, "an empty map has no key");
	for (uint32_t i = 0; i < 5000; i++) {
		snprintf(key, sizeof key, "key %u", i);
		map_put(a, &m, key, i);
	}
	map_put(a, &m, "key 77", 99);
	same = true;
	for (uint32_t i = 0; i < 5000; i++) {
		snprintf(key, sizeof key, "key %u", i);
		same &= map_get(&m, key, &value) && value == (i == 77 ? 99 : i);
	}
	tap_ok(same && m.len == 5000, "a map keeps 5000 keys; putting one again replaces it");
	tap_ok(!map_get(&m, "key 5000", NULL) && map_get(&m, "key 0", NULL), "presence can be asked for alone");
}

static void test_strbuf(void)
{
	struct strbuf b = { 0 };

	tap_ok(!strcmp(strbuf_str(&b), ""), "an empty buffer is an empty text");
	strbuf_puts(&b, "a");
	strbuf_add(&b, "b\0c", 3);
	for (int i = 0; i < 1000; i++)
		strbuf_printf(&b, "%04d", i);
	tap_ok(b.len == 4004 && b.data[4004] == 0, "a buffer knows its length and ends with NUL");
	tap_ok(!memcmp(b.data, "ab\0c0000", 8) && !memcmp(b.data + 4000, "0999", 4), "bytes stay in order");
	strbuf_free(&b);
}

static bool file_holds(const char *path, const char *text)
{
	struct mapped_file f;
	bool same;

	if (!file_map(path, &f))
		return false;
	same = f.size == strlen(text) && (!f.size || !memcmp(f.data, text, f.size));
	file_unmap(&f);
	return same;
}

static void test_files(struct arena *a)
{
	const char *build = getenv("EDGE_BUILDDIR");
	char *path = arena_printf(a, "%s/tests/test_base.%ld.out", build ? build : ".", (long)getpid());
	struct mapped_file f;
	struct output_file o;
	struct stat info;

	tap_ok(!file_map(path, &f), "a file that is not there cannot be mapped");
	tap_ok(output_open(&o, path) && fputs("first", o.stream) >= 0, "an output is opened");
	tap_ok(access(path, F_OK) != 0, "it does not appear before it is complete");
	tap_ok(output_commit(&o) && file_holds(path, "first"), "it appears when committed");
	if (tap_ok(output_open(&o, path), "it is written again")) {
		fputs("second", o.stream);
		output_abandon(&o);
	}
	tap_ok(file_holds(path, "first"), "an abandoned output leaves the file as it was");
	tap_ok(chmod(path, 0640) == 0 && output_open(&o, path) && output_commit(&o) && stat(path, &info) == 0 &&
	       (info.st_mode & 0777) == 0640, "who may read it stays");
	unlink(path);
	tap_ok(!output_open(&o, "/nonexistent/folder/file"), "an output needs its folder");
	tap_ok(!strcmp(path_directory(a, "a/b/c"), "a/b") && !strcmp(path_directory(a, "c"), "."), "folder of a path");
	tap_ok(!strcmp(path_join(a, "a", "b"), "a/b") && !strcmp(path_join(a, "a", "/b"), "/b"), "paths are joined");
}

static void test_diag(struct arena *a)
{
	static const char text[] = "one\n\ttwo three\n";
	struct diag d;
	char *out = NULL;
	size_t size;
	FILE *stream = open_memstream(&out, &size);
	unsigned line, column;

	diag_init(&d, a, stream);
	uint32_t file = diag_add_file(&d, "x.edge", text, sizeof text - 1);
	diag_locate(&d, file, 9, &line, &column);
	tap_ok(line == 2 && column == 6, "byte 9 is line 2, column 6: %u.%u", line, column);
	diag_error(&d, (struct span){ file, 9, 14 }, "cannot count to %d", 3);
	diag_hint(&d, "Count to two.");
	diag_warning(&d, NO_SPAN, "no place");
	fclose(stream);
	tap_ok(strstr(out, "x.edge:2.6-10: error: cannot count to 3\n") == out, "an error names its place");
	tap_ok(strstr(out, "two three\n") && strstr(out, "^~~~~\n"), "and shows it");
	tap_ok(strstr(out, "    Hint: Count to two.\n") != NULL, "a hint follows");
	tap_ok(d.errors == 1 && d.warnings == 1, "errors and warnings are counted");
	free(out);
}

static bool put_file(const char *path, const void *data, size_t size)
{
	FILE *f = fopen(path, "wb");
	bool good = f && fwrite(data, 1, size, f) == size;

	return f && fclose(f) == 0 && good;
}

/* Cut at every byte, which must be seen, and with each bit turned, which may be. */
static void test_npy(struct arena *a)
{
	static const char head[] = "\x93NUMPY\x01\0\x49\0{'descr': '<f2', 'fortran_order': False, 'shape': (2, 3), }             \n";
	const char *build = getenv("EDGE_BUILDDIR");
	char *path = arena_printf(a, "%s/tests/test_base.%ld.npy", build ? build : ".", (long)getpid()), *said = NULL;
	char whole[sizeof head - 1 + 12];
	unsigned taken = 0, cut = 0;
	struct npy_array n;
	struct diag d;
	size_t size;

	memcpy(whole, head, sizeof head - 1);
	memcpy(whole + sizeof head - 1, "\0\x3c\0\xc0\0\x38\x01\0\0\x7c\xff\x7b", 12);
	FILE *stream = open_memstream(&said, &size);
	diag_init(&d, a, stream);
	tap_ok(put_file(path, whole, sizeof whole) && npy_array_read(a, &d, NO_SPAN, path, &n) && n.rank == 2 && n.dim[1] == 3 &&
	       n.data[0] == 1 && n.data[1] == -2 && n.data[2] == 0.5f && n.data[3] == 0x1p-24f && n.data[4] > 1e30f && n.data[5] == 65504,
	       "an array of halves is read");
	for (size_t i = 0; i < sizeof whole; i++)
		cut += put_file(path, whole, i) && !npy_array_read(a, &d, NO_SPAN, path, &n);
	tap_ok(cut == sizeof whole && d.errors == cut, "%u of %zu prefixes are refused", cut, sizeof whole);
	for (size_t i = 0; i < 8 * (sizeof head - 1); i++) {
		whole[i / 8] = (char)(whole[i / 8] ^ 1 << i % 8);
		taken += put_file(path, whole, sizeof whole) && npy_array_read(a, &d, NO_SPAN, path, &n);
		whole[i / 8] = (char)(whole[i / 8] ^ 1 << i % 8);
	}
	tap_ok(taken < 8 * sizeof head, "each bit of the header turned: %u harmless", taken);
	fclose(stream);
	free(said);
	unlink(path);
}

/* What a terminal may be shown of other people's words. */
static void test_shown(struct arena *a)
{
	static const char text[] = "ok = \xc3\xa9\x01\xc3\x28\twrong\r\n";
	static const struct {
		const char *text, *shown;
	} cases[] = {
		{ "plain, \ttab", "plain, \ttab" },
		{ "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80", "\xc3\xa9 \xe2\x82\xac \xf0\x9f\x98\x80" },
		{ "\x1b[2J\r\n\x7f", "\\x1b[2J\\x0d\\x0a\\x7f" },
		{ "\xc2\x9b\xc2\xa0", "\\xc2\\x9b\xc2\xa0" },
		{ "\xe2\x80\xae\xe2\x81\xa6\xe2\x80\xa8\xe2\x80\x9d", "\\xe2\\x80\\xae\\xe2\\x81\\xa6\\xe2\\x80\\xa8\xe2\x80\x9d" },
		{ "\xff\xc0\xaf\xed\xa0\x80\xe2\x82", "\\xff\\xc0\\xaf\\xed\\xa0\\x80\\xe2\\x82" },
	};
	char *out = NULL;
	size_t size;
	FILE *stream;
	struct diag d;

	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		stream = open_memstream(&out, &size);
		edge_show(stream, cases[i].text, strlen(cases[i].text));
		fclose(stream);
		tap_ok(!strcmp(out, cases[i].shown), "a terminal is shown %s", out);
		free(out);
	}
	stream = open_memstream(&out, &size);
	diag_init(&d, a, stream);
	uint32_t file = diag_add_file(&d, "\x1b.edge", text, sizeof text - 1);
	diag_error(&d, (struct span){ file, 11, 16 }, "cannot take \"%s\"", "\x1b]0;\a");
	diag_hint(&d, "Take \"%s\".", "\x9b");
	fclose(stream);
	tap_ok(!strcmp(out, "\\x1b.edge:1.12-16: error: cannot take \"\\x1b]0;\\x07\"\n"
			    "    1 | ok = \xc3\xa9\\x01\\xc3(\twrong\n"
			    "      |                \t^~~~~\n"
			    "    Hint: Take \"\\x9b\".\n"), "a diagnostic shows bytes, and its caret stands under what it means");
	free(out);
}

int main(void)
{
	struct arena a = { 0 };

	test_arena(&a);
	test_vec_and_map(&a);
	test_strbuf();
	test_files(&a);
	test_diag(&a);
	test_npy(&a);
	test_shown(&a);
	arena_release(&a);
	tap_ok(a.total == 0 && !a.head, "a released arena is empty");
	return tap_done();
}
