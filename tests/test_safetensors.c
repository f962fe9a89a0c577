/* SPDX-License-Identifier: Apache-2.0 */
/* test_safetensors.c - good, bad, unsupported and damaged safetensors files. */
#include "config.h"

#include "import/import.h"
#include "tap.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct attempt {
	struct arena arena;
	struct diag diag;
	struct graph *g;
	struct safetensors s;
	char *text;
	size_t size;
	FILE *out;
	bool good;
};

static void attempt(struct attempt *t, const char *path)
{
	memset(t, 0, sizeof *t);
	t->out = open_memstream(&t->text, &t->size);
	diag_init(&t->diag, &t->arena, t->out);
	t->g = graph_new(&t->arena, "m");
	t->good = safetensors_open(t->g, &t->diag, path, NO_SPAN, &t->s);
	fflush(t->out);
}

static void attempt_end(struct attempt *t)
{
	fclose(t->out);
	free(t->text);
	arena_release(&t->arena);
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void test_corpus(const char *folder)
{
	struct arena a = { 0 };
	VEC(char *) list = { 0 };
	DIR *dir = opendir(folder);
	struct dirent *e;

	while (dir && (e = readdir(dir)))
		if (strstr(e->d_name, ".safetensors"))
			vec_push(&a, &list, arena_strdup(&a, e->d_name));
	if (dir)
		closedir(dir);
	tap_ok(list.len >= 40, "%u files in the corpus", list.len);
	if (list.len)
		qsort(list.data, list.len, sizeof *list.data, by_text);
	for (uint32_t i = 0; i < list.len; i++) {
		const char *name = list.data[i];
		struct attempt t;
		bool good;

		attempt(&t, arena_printf(&a, "%s/%s", folder, name));
		good = strncmp(name, "good-", 5) == 0 ? t.good && !t.diag.errors
						      : !t.good && t.diag.errors == 1;
		if (strncmp(name, "unsupported-", 12) == 0)
			good &= t.text && strstr(t.text, "not supported");
		if (!tap_ok(good, "%s", name))
			printf("# %s\n", t.text ? t.text : "");
		attempt_end(&t);
	}
	arena_release(&a);
}

static void test_contents(const char *folder)
{
	struct arena a = { 0 };
	const struct safetensor *w;
	struct attempt t;

	attempt(&t, arena_printf(&a, "%s/good-two.safetensors", folder));
	w = safetensors_find(&t.s, "a.weight");
	tap_ok(t.s.count == 2 && w && w->dtype == DTYPE_F32 && w->shape.rank == 2 &&
		       w->shape.dim[1] == 3 && w->size == 24,
	       "type, shape and size of a tensor");
	tap_ok(w && w->offset + 32 == t.g->files.data[t.s.file].size,
	       "its place counts from the start of the file");
	tap_ok(safetensors_find(&t.s, "a") == NULL, "a name that is not there");
	attempt_end(&t);
	attempt(&t, arena_printf(&a, "%s/good-escapes.safetensors", folder));
	tap_ok(safetensors_find(&t.s, "a\xc3\xa9\n\xf0\x9f\x98\x80/b") != NULL,
	       "a name with escapes");
	attempt_end(&t);
	attempt(&t, arena_printf(&a, "%s/none.safetensors", folder));
	tap_ok(!t.good && strstr(t.text, "could not open"), "a file that is not there");
	attempt_end(&t);
	arena_release(&a);
}

static bool survives(const char *path, const unsigned char *p, size_t size)
{
	FILE *f = fopen(path, "wb");
	struct attempt t;
	bool good;

	if (!f || fwrite(p, 1, size, f) != size || fclose(f))
		exit(99);
	attempt(&t, path);
	good = t.good == (t.diag.errors == 0) && t.arena.total < 1 << 20;
	for (uint32_t i = 0; i < t.s.count; i++)
		good &= t.s.tensor[i].offset + t.s.tensor[i].size <= size;
	attempt_end(&t);
	return good;
}

static void test_damage(const char *folder, const char *name, const char *tmp)
{
	struct arena a = { 0 };
	unsigned char bytes[4096];
	FILE *f = fopen(arena_printf(&a, "%s/%s.safetensors", folder, name), "rb");
	size_t size = f ? fread(bytes, 1, sizeof bytes, f) : 0;
	unsigned failures = 0;

	if (!f || !size)
		exit(99);
	fclose(f);
	for (size_t n = 0; n < size; n++)
		failures += !survives(tmp, bytes, n);
	tap_ok(failures == 0, "%s: cut at each of its %zu bytes", name, size);
	failures = 0;
	for (size_t i = 0; i < 8 * size; i++) {
		bytes[i / 8] ^= (unsigned char)(1u << i % 8);
		failures += !survives(tmp, bytes, size);
		bytes[i / 8] ^= (unsigned char)(1u << i % 8);
	}
	tap_ok(failures == 0, "%s: with each single bit flipped", name);
	arena_release(&a);
}

int main(void)
{
	const char *srcdir = getenv("EDGE_SRCDIR");
	struct arena a = { 0 };
	char tmp[] = "test_safetensors.XXXXXX";
	const char *folder = arena_printf(&a, "%s/tests/corpus/safetensors", srcdir ? srcdir : ".");
	int fd = mkstemp(tmp);

	if (fd < 0)
		return 99;
	close(fd);
	test_corpus(folder);
	test_contents(folder);
	test_damage(folder, "good-metadata", tmp);
	test_damage(folder, "good-empty-tensor", tmp);
	unlink(tmp);
	arena_release(&a);
	return tap_done();
}
