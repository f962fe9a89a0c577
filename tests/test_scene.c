/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_scene.c - captures: the corpus of good, bad and unsupported ones with
 * what is said about them (UPDATE_GOLDEN=1 rewrites that), damaged files, and
 * the values that good ones have. The pixels are in test_frames.c.
 */
#include "config.h"

#include "scene/photo.h"
#include "scene/frames.h"
#include "tap.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* An import and what it said. */
struct attempt {
	struct arena arena;
	struct diag diag;
	struct scene *s;
	char *text;
	size_t size;
	FILE *out;
};

static void attempt(struct attempt *t, const struct decl_scene *decl)
{
	struct decl_scene d = *decl;

	memset(t, 0, sizeof *t);
	d.name = d.name ? d.name : "s";
	d.downscale = d.downscale ? d.downscale : 1;
	t->out = open_memstream(&t->text, &t->size);
	diag_init(&t->diag, &t->arena, t->out);
	t->s = scene_import(&t->arena, &t->diag, &d);
	fflush(t->out);
}

static bool ignore_frame(void *context, uint32_t view, const uint8_t *rgb)
{
	uint32_t *count = context;

	*count += rgb != NULL && view == *count;
	return true;
}

/* All frames; only what is wrong with a photograph's bytes shows here. */
static bool decode(struct attempt *t)
{
	uint32_t count = 0;
	bool ok = t->s && frames_each(t->s, &t->diag, "frames", ignore_frame, &count) && count == t->s->views.len;

	fflush(t->out);
	return ok;
}

static void attempt_end(struct attempt *t)
{
	fclose(t->out);
	free(t->text);
	arena_release(&t->arena);
}

static void show(const char *text)
{
	while (text && *text) {
		size_t n = strcspn(text, "\n");

		printf("# %.*s\n", (int)n, text);
		text += n + (text[n] == '\n');
	}
}

/* ---- the corpus */

static FILE *golden;

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void check_file(const struct decl_scene *decl, const char *name)
{
	bool good = !strncmp(name, "good-", 5), unsupported = !strncmp(name, "unsupported-", 12), ok;
	struct attempt t;

	attempt(&t, decl);
	ok = decode(&t);
	if (good)
		tap_ok(ok && !t.diag.errors, "%s is read", name);
	else
		tap_ok(!ok && t.diag.errors && !!strstr(t.text, "not supported") == unsupported, "%s is refused", name);
	if (good != ok)
		show(t.text);
	fprintf(golden, "== %s\n%s", name, t.text);
	attempt_end(&t);
}

static unsigned check_folder(const char *folder, enum decl_capture capture)
{
	char *name[200], path[600];
	struct dirent *e;
	unsigned n = 0;
	DIR *d = opendir(folder);

	while (d && (e = readdir(d)) && n < 200)
		if (!strncmp(e->d_name, "good-", 5) || !strncmp(e->d_name, "bad-", 4) ||
		    !strncmp(e->d_name, "unsupported-", 12))
			name[n++] = strdup(e->d_name);
	if (d)
		closedir(d);
	qsort(name, n, sizeof *name, compare_names);
	for (unsigned i = 0; i < n; i++) {
		snprintf(path, sizeof path, "%s/%s", folder, name[i]);
		check_file(&(struct decl_scene){ .capture = capture, .path = path }, name[i]);
		free(name[i]);
	}
	return n;
}

static char *load(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	char *p = NULL;
	size_t cap = 0;

	*size = 0;
	while (f && !feof(f)) {
		p = realloc(p, cap += 1 << 16);
		*size += fread(p + *size, 1, cap - 1 - *size, f);
	}
	if (f) {
		fclose(f);
		p[*size] = 0;
	}
	return p;
}

static void save(const char *path, const char *data, size_t size)
{
	FILE *f = fopen(path, "wb");

	if (f) {
		fwrite(data, 1, size, f);
		fclose(f);
	}
}

static void check_corpus(void)
{
	char *said = NULL, *want;
	size_t size, len;

	golden = open_memstream(&said, &size);
	tap_ok(check_folder("colmap", DECL_CAPTURE_COLMAP) > 40, "corpus of COLMAP captures");
	tap_ok(check_folder("transforms", DECL_CAPTURE_TRANSFORMS) > 35, "corpus of transforms.json");
	fclose(golden);
	if (getenv("UPDATE_GOLDEN"))
		save("messages.txt", said, size);
	want = load("messages.txt", &len);
	if (!tap_ok(want && !strcmp(want, said), "what is said about them"))
		show(said);
	free(want);
	free(said);
}

/* ---- values */

static bool near(double a, double b, double within)
{
	return fabs(a - b) <= within;
}

static bool same_scene(const struct scene *a, const struct scene *b)
{
	bool ok = a->views.len == b->views.len;

	for (uint32_t i = 0; ok && i < a->views.len; i++) {
		const struct scene_view *x = &a->views.data[i], *y = &b->views.data[i];

		ok = !strcmp(x->name, y->name) && x->width == y->width && near(x->fx, y->fx, 1e-9) && near(x->cx, y->cx, 1e-9);
		for (int k = 0; k < 9; k++)
			ok &= near(x->R[k], y->R[k], 1e-9);
		for (int k = 0; k < 3; k++)
			ok &= near(x->t[k], y->t[k], 1e-9);
	}
	return ok;
}

static void check_colmap_values(void)
{
	struct attempt a, b;
	const struct scene_view *v;

	attempt(&a, &(struct decl_scene){ .capture = DECL_CAPTURE_COLMAP, .path = "colmap/good-binary", .holdout = 2 });
	if (!tap_ok(a.s && a.s->views.len == 3, "three views"))
		return;
	v = a.s->views.data;
	tap_ok(v[0].held_out && !v[1].held_out && v[2].held_out && a.s->train_count == 1 && a.s->held_out_count == 2,
	       "every second view by name is held out, the first is");
	tap_ok(v[0].R[0] == 1 && v[0].t[2] == 4 && v[0].fx == 30 && v[0].width == 32 && v[0].height == 24, "a camera at -4 z");
	/* (0.9, 0, 0.1, 0) turns by 2 atan(1/9) about y */
	tap_ok(near(v[1].R[0], cos(2 * atan(1.0 / 9)), 1e-12) && near(v[1].R[2], sin(2 * atan(1.0 / 9)), 1e-12) &&
	       near(v[1].R[6], -sin(2 * atan(1.0 / 9)), 1e-12), "a quaternion that is not of length 1");
	tap_ok(a.s->points.len == 6 && !a.s->points_are_random && a.s->points.data[5].r == 50 && a.s->points.data[5].g == 20,
	       "six points with colours");
	attempt(&b, &(struct decl_scene){ .capture = DECL_CAPTURE_COLMAP, .path = "colmap/good-sparse-numbers" });
	tap_ok(b.s && same_scene(a.s, b.s), "cameras are found by their numbers");
	attempt_end(&b);
	attempt(&b, &(struct decl_scene){ .capture = DECL_CAPTURE_COLMAP, .path = "colmap/good-scaled" });
	tap_ok(b.s && same_scene(a.s, b.s) && b.diag.warnings == 1, "cameras of another scale follow the photographs");
	attempt_end(&b);
	attempt(&b, &(struct decl_scene){ .capture = DECL_CAPTURE_COLMAP, .path = "colmap/good-text" });
	a.s->views.len = 2;
	tap_ok(b.s && same_scene(a.s, b.s) && b.s->points.len == 2, "text says the same as binary");
	attempt_end(&b);
	attempt_end(&a);
}

/* OpenGL's camera to world, as world to camera: the place is where it was, y and z turn over. */
static void check_transforms_values(void)
{
	static const double R[9] = { 1, 0, 0, 0, -1, 0, 0, 0, -1 };
	struct decl_scene decl = { .capture = DECL_CAPTURE_TRANSFORMS, .path = "transforms/good-plain.json" };
	struct attempt a;
	bool ok = true;

	attempt(&a, &decl);
	for (int k = 0; k < 9; k++)
		ok &= a.s && near(a.s->views.data[0].R[k], R[k], 1e-12);
	/* sorted: "../images/a.png", "../images/b.jpg", "../images/c.png"; the second stands at (0.5, 0, 4) */
	tap_ok(ok && near(a.s->views.data[1].t[0], -0.5, 1e-12) && near(a.s->views.data[1].t[2], 4, 1e-12), "poses turn over");
	tap_ok(a.s && a.s->points_are_random && a.s->points.len == 100000, "no points: random ones");
	tap_ok(a.s && near(a.s->extent, 0.55, 1e-9) && near(a.s->centre[2], 4, 1e-9), "extent and centre of the cameras");
	attempt_end(&a);
	decl.path = "transforms/good-angle.json";
	decl.points = DECL_POINTS_RANDOM;
	decl.point_count = 50;
	attempt(&a, &decl);
	tap_ok(a.s && near(a.s->views.data[0].fx, 16 / tan(0.45), 1e-9) && a.s->views.data[0].cx == 16 && a.s->points.len == 50,
	       "an opening angle, and names without endings");
	attempt_end(&a);
	decl.path = "transforms/good-points.json";
	decl.points = DECL_POINTS_DEFAULT;
	attempt(&a, &decl);
	tap_ok(a.s && a.s->points.len == 3 && a.s->points.data[1].g == 255, "points of a PLY file");
	tap_ok(a.s && a.s->near == 0.2, "the near plane of a scene of some units");
	tap_ok(a.s && near((double)a.s->points.data[0].scale, 1, 1e-6) &&
	       near((double)a.s->points.data[1].scale, sqrt(1.5), 1e-6), "radii from the nearest");
	attempt_end(&a);
	decl.path = "transforms/good-small.json";
	attempt(&a, &decl);
	tap_ok(a.s && a.s->near > 0.001 && a.s->near < 0.05, "and of one of some hundredths: %g", a.s ? a.s->near : 0);
	attempt_end(&a);
	decl.points = DECL_POINTS_SFM;
	decl.path = "transforms/good-plain.json";
	attempt(&a, &decl);
	tap_ok(!a.s && a.diag.errors == 1, "points sfm without points is an error");
	attempt_end(&a);
}

static void check_settings(void)
{
	struct decl_scene decl = { .capture = DECL_CAPTURE_COLMAP, .path = "colmap/bad-lost", .allow_missing = true };
	struct attempt a;

	attempt(&a, &decl);
	tap_ok(a.s && a.s->views.len == 3 && a.diag.warnings == 1 && strstr(a.text, "lost.png"), "missing photographs are named");
	attempt_end(&a);
	decl.path = "colmap/good-binary";
	decl.downscale = 2;
	attempt(&a, &decl);
	tap_ok(a.s && a.s->views.data[0].width == 16 && a.s->views.data[0].fx == 15 && a.s->frame_bytes == 16 * 12 * 3,
	       "half the size");
	attempt_end(&a);
	decl.downscale = 4;
	attempt(&a, &decl);
	tap_ok(!a.s && strstr(a.text, "8 x 6"), "nothing is left of a photograph that is scaled too much");
	attempt_end(&a);
	decl.downscale = 1;
	decl.mask = "transforms";
	attempt(&a, &decl);
	tap_ok(!a.s && strstr(a.text, "has no mask"), "a mask for each photograph");
	attempt_end(&a);
	decl.mask = NULL;
	decl.images = decl.images_here = "nowhere";
	attempt(&a, &decl);
	tap_ok(!a.s && strstr(a.text, "is no folder"), "photographs in a folder that is not there");
	attempt_end(&a);
	decl.images = "../../images";
	attempt(&a, &decl);
	tap_ok(a.s && a.s->views.len == 3, "photographs in a folder that is named");
	attempt_end(&a);
	decl.images = NULL;
	decl.background = DECL_BACKGROUND_RANDOM;
	attempt(&a, &decl);
	tap_ok(!a.s && strstr(a.text, "not supported"), "no random background");
	attempt_end(&a);
	attempt(&a, &(struct decl_scene){ .capture = DECL_CAPTURE_COLMAP, .path = "nowhere" });
	tap_ok(!a.s && strstr(a.text, "nowhere/sparse/0"), "a folder that is not there");
	attempt_end(&a);
	attempt(&a, &(struct decl_scene){ .capture = DECL_CAPTURE_TRANSFORMS, .path = "nowhere" });
	tap_ok(!a.s && strstr(a.text, "nowhere/transforms.json"), "and a file");
	attempt_end(&a);
}

static void check_limit(void)
{
	struct decl_scene decl = { .capture = DECL_CAPTURE_TRANSFORMS, .path = "transforms/good-plain.json", .point_count = 5000,
				   .points = DECL_POINTS_RANDOM, .seed = 3 };
	struct attempt a, b;
	double before = 0, after = 0;

	attempt(&a, &decl);
	attempt(&b, &decl);
	tap_ok(a.s && b.s && !memcmp(a.s->points.data, b.s->points.data, 5000 * sizeof *a.s->points.data), "a seed is a set");
	attempt_end(&b);
	decl.seed = 4;
	attempt(&b, &decl);
	tap_ok(a.s && b.s && memcmp(a.s->points.data, b.s->points.data, 5000 * sizeof *a.s->points.data), "another seed another");
	attempt_end(&b);
	if (!a.s)
		return;
	for (uint32_t i = 0; i < 5000; i++)
		before += (double)a.s->points.data[i].scale / 5000;
	scene_limit_points(a.s, 625, 1);
	for (uint32_t i = 0; i < a.s->points.len; i++)
		after += (double)a.s->points.data[i].scale / a.s->points.len;
	tap_ok(a.s->points.len == 625 && after > 1.5 * before && after < 2.7 * before,
	       "an eighth of the points has twice the radii (%.3f, %.3f)", before, after);
	attempt_end(&a);
}

/* ---- damage */

static uint32_t noise_state = 7;

static uint32_t noise(void)
{
	noise_state ^= noise_state << 13;
	noise_state ^= noise_state >> 17;
	noise_state ^= noise_state << 5;
	return noise_state;
}

/* Bytes changed, taken out, or the end cut off; values that are likely to hurt. */
static size_t damage(char *p, size_t size)
{
	static const unsigned char bad[] = { 0, 1, 0x7f, 0x80, 0xff, '-', '9', '"', '[', '}' };

	for (unsigned n = 1 + noise() % 3; n && size; n--) {
		size_t at = noise() % size, length = 1 + noise() % 8;

		length = length < size - at ? length : size - at;
		switch (noise() % 4) {
		case 0: memset(p + at, bad[noise() % sizeof bad], length); break;
		case 1: p[at] = (char)(p[at] ^ 1 << noise() % 8); break;
		case 2: memmove(p + at, p + at + length, size - at - length), size -= length; break;
		default: size = noise() % 4 ? size : at; break;
		}
	}
	return size;
}

/* `file` is damaged a few hundred times; all that may happen is an error. */
static void check_damage(const struct decl_scene *decl, const char *file, unsigned times)
{
	size_t size, n;
	char *good = load(file, &size), *bad = malloc(size + 1);
	unsigned refused = 0;

	for (unsigned i = 0; good && i < times; i++) {
		struct attempt t;

		memcpy(bad, good, size);
		n = damage(bad, size);
		save(file, bad, n);
		attempt(&t, decl);
		if (t.s && t.s->frame_bytes < 1 << 20)
			decode(&t);
		refused += t.diag.errors > 0;
		attempt_end(&t);
	}
	tap_ok(good && refused > 0, "%s damaged: %u of %u refused", strrchr(file, '/') + 1, refused, times);
	if (good)
		save(file, good, size);
	free(good);
	free(bad);
}

static void copy(const char *from, const char *folder, const char *name)
{
	char path[900];
	size_t size;
	char *p = load(from, &size);

	snprintf(path, sizeof path, "%s/%s", folder, name);
	save(path, p, size);
	free(p);
}

static void check_damaged_files(const char *base)
{
	static const char *const files[][2] = {
		{ "cameras.bin", "colmap/good-opencv/cameras.bin" }, { "images.bin", "colmap/good-opencv/images.bin" },
		{ "points3D.bin", "colmap/good-opencv/points3D.bin" }, { "t/transforms.json", "transforms/good-distorted.json" },
		{ "t/points.ply", "transforms/points.ply" }, { "images/a.png", "images/a.png" },
		{ "images/b.jpg", "images/b.jpg" }, { "images/c.png", "images/c.png" },
	};
	static const char *const folders[] = { "", "images", "t" };
	char dir[600], inner[700], path[900];
	struct decl_scene decl = { 0 };

	snprintf(dir, sizeof dir, "%s/test_scene-%ld", base, (long)getpid());
	snprintf(inner, sizeof inner, "%s/t", dir);
	for (unsigned i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, folders[i]);
		mkdir(path, 0777);
	}
	for (unsigned i = 0; i < sizeof files / sizeof *files; i++)
		copy(files[i][1], dir, files[i][0]);
	for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
		bool json = i == 3 || i == 4;

		decl.path = json ? inner : dir;
		decl.capture = json ? DECL_CAPTURE_TRANSFORMS : DECL_CAPTURE_COLMAP;
		decl.points = json ? DECL_POINTS_RANDOM : DECL_POINTS_DEFAULT;
		decl.point_count = 10;
		snprintf(path, sizeof path, "%s/%s", dir, files[i][0]);
		if (i == 4) /* points are read though random ones are wanted */
			copy("transforms/good-points.json", inner, "transforms.json");
		check_damage(&decl, path, 250);
	}
	for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
		snprintf(path, sizeof path, "%s/%s", dir, files[i][0]);
		unlink(path);
	}
	for (unsigned i = 3; i > 0; i--) {
		snprintf(path, sizeof path, "%s/%s", dir, folders[i - 1]);
		rmdir(path);
	}
}

/* ---- real captures */

static void check_real(void)
{
	const char *data = getenv("EDGE_DATA");
	char path[900];
	struct attempt a;

	snprintf(path, sizeof path, "%s/scenes/bonsai", data ? data : "");
	if (access(path, R_OK) != 0) {
		tap_skip("no real captures (EDGE_DATA)");
		return;
	}
	attempt(&a, &(struct decl_scene){ .capture = DECL_CAPTURE_COLMAP, .path = path, .downscale = 2, .holdout = 8 });
	tap_ok(a.s && a.s->views.len == 292 && a.s->held_out_count == 37 && a.s->points.len == 20038,
	       "bonsai: 292 views, 37 held out, 20038 points");
	tap_ok(a.s && a.s->width == 400 && a.s->height == 266, "800 x 533 at half the size is 400 x 266");
	tap_ok(a.s && a.s->extent > 1 && a.s->extent < 20, "its extent is %g", a.s ? a.s->extent : 0);
	attempt_end(&a);
	snprintf(path, sizeof path, "%s/scenes/fox", data);
	attempt(&a, &(struct decl_scene){ .capture = DECL_CAPTURE_TRANSFORMS, .path = path, .downscale = 8, .holdout = 8 });
	tap_ok(!a.s && strstr(a.text, "17 of the 67"), "fox: 17 photographs are missing");
	attempt_end(&a);
	attempt(&a, &(struct decl_scene){ .capture = DECL_CAPTURE_TRANSFORMS, .path = path, .downscale = 8, .holdout = 8,
					  .allow_missing = true, .points = DECL_POINTS_RANDOM, .point_count = 2000 });
	tap_ok(a.s && a.s->views.len == 50 && a.s->held_out_count == 7 && a.s->width == 135 && a.s->height == 240,
	       "without them it has 50 views of 135 x 240");
	attempt_end(&a);
}

/* A printer's file: four inks, stored as what is missing of each. */
static void check_inks(void)
{
	const uint8_t expected[3] = { 200, 100, 50 };
	char why[200] = "";
	struct photo p;
	int off = 0;
	bool ok = photo_read("images/ink.jpg", &p, why, sizeof why) && p.width == 32 && p.height == 24;

	for (uint32_t i = 0; ok && i < p.width * p.height; i++)
		for (int c = 0; c < 3; c++)
			off = abs(p.rgb[3 * i + c] - expected[c]) > off ? abs(p.rgb[3 * i + c] - expected[c]) : off;
	tap_ok(ok && off <= 3, "a JPEG in CMYK, colours off by at most %d %s", off, why);
	if (ok)
		photo_free(&p);
}

int main(void)
{
	const char *source = getenv("EDGE_SRCDIR");
	char dir[4096], base[500];

	if (!source || !getcwd(base, sizeof base)) {
		tap_skip("EDGE_SRCDIR is not set");
		return tap_done();
	}
	snprintf(dir, sizeof dir, "%s/tests/corpus/scene", source);
	if (chdir(dir) != 0)
		return 99;
	check_corpus();
	check_colmap_values();
	check_transforms_values();
	check_settings();
	check_inks();
	check_limit();
	check_damaged_files(base);
	check_real();
	return tap_done();
}
