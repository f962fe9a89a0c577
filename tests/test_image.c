/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_image.c - what becomes of rendered pictures: PNG, numbers, .ply.
 *
 * PNG files are read back by a decoder of this test's own; numbers are
 * compared with the reference; .ply files go there and back, and come in the
 * forms of other trainers, damaged ones too.
 */
#include "config.h"

#include "image/metrics.h"
#include "image/png.h"
#include "ref/ref_splat.h"
#include "tap.h"
#include "train/ply.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static uint64_t seed = 1;

static uint32_t random_bits(void)
{
	seed = seed * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(seed >> 33);
}

/* ---- PNG */

struct bytes {
	uint8_t *data;
	size_t count, room;
};

static bool sink_bytes(void *to, const void *data, size_t n)
{
	struct bytes *b = to;

	if (b->count + n > b->room)
		return false;
	memcpy(b->data + b->count, data, n);
	b->count += n;
	return true;
}

/* A plain inflater: enough for what deflate.c may write. */
struct inflate {
	const uint8_t *in;
	size_t at, end;
	uint32_t bit;
	bool bad;
};

static uint32_t bits(struct inflate *s, uint32_t n)
{
	uint32_t v = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (s->at >= s->end) {
			s->bad = true;
			return 0;
		}
		v |= (uint32_t)(s->in[s->at] >> s->bit & 1) << i;
		if (++s->bit == 8) {
			s->bit = 0;
			s->at++;
		}
	}
	return v;
}

struct tree {
	uint16_t count[16], symbol[320];
};

static void plant(struct tree *t, const uint8_t *length, uint32_t n)
{
	uint16_t offset[17] = { 0 };

	memset(t, 0, sizeof(*t));
	for (uint32_t i = 0; i < n; i++)
		t->count[length[i]]++;
	t->count[0] = 0;
	for (int i = 1; i < 16; i++)
		offset[i + 1] = (uint16_t)(offset[i] + t->count[i]);
	for (uint32_t i = 0; i < n; i++)
		if (length[i])
			t->symbol[offset[length[i]]++] = (uint16_t)i;
}

static uint32_t symbol(struct inflate *s, const struct tree *t)
{
	int code = 0, first = 0, index = 0;

	for (int n = 1; n < 16; n++) {
		code |= (int)bits(s, 1);
		if (code - t->count[n] < first)
			return t->symbol[index + code - first];
		index += t->count[n];
		first = (first + t->count[n]) << 1;
		code <<= 1;
	}
	s->bad = true;
	return 0;
}

static void trees(struct inflate *s, struct tree *literal, struct tree *distance)
{
	static const uint8_t order[19] = { 16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15 };
	uint32_t literals = bits(s, 5) + 257, distances = bits(s, 5) + 1, codes = bits(s, 4) + 4, n = 0;
	uint8_t length[320] = { 0 }, first[19] = { 0 };
	struct tree t;

	for (uint32_t i = 0; i < codes; i++)
		first[order[i]] = (uint8_t)bits(s, 3);
	plant(&t, first, 19);
	while (n < literals + distances && !s->bad) {
		uint32_t v = symbol(s, &t), times = 1;
		uint8_t what = (uint8_t)v;

		if (v == 16) {
			what = length[n - 1];
			times = 3 + bits(s, 2);
		} else if (v > 16) {
			what = 0;
			times = v == 17 ? 3 + bits(s, 3) : 11 + bits(s, 7);
		}
		for (; times > 0 && n < 320; times--)
			length[n++] = what;
	}
	s->bad = s->bad || n != literals + distances;
	plant(literal, length, literals);
	plant(distance, length + literals, distances);
}

static void inflate_block(struct inflate *s, struct bytes *out)
{
	struct tree literal, distance;

	trees(s, &literal, &distance);
	while (!s->bad) {
		uint32_t v = symbol(s, &literal), extra, length, away;

		if (v == 256)
			return;
		if (v < 256) {
			uint8_t c = (uint8_t)v;

			s->bad = !sink_bytes(out, &c, 1);
			continue;
		}
		v -= 257;
		extra = v < 8 || v == 28 ? 0 : (v - 4) / 4;
		length = v == 28 ? 258 : v < 8 ? v + 3 : ((4 + v % 4) << extra) + 3 + bits(s, extra);
		v = symbol(s, &distance);
		extra = v < 4 ? 0 : (v - 2) / 2;
		away = v < 4 ? v + 1 : ((2 + v % 2) << extra) + 1 + bits(s, extra);
		for (; length > 0 && !s->bad; length--)
			s->bad = away > out->count || !sink_bytes(out, out->data + out->count - away, 1);
	}
}

static uint32_t big(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t crc(const uint8_t *p, size_t n)
{
	uint32_t c = 0xffffffffu;

	for (size_t i = 0; i < n; i++) {
		c ^= p[i];
		for (int k = 0; k < 8; k++)
			c = c & 1 ? 0xedb88320u ^ c >> 1 : c >> 1;
	}
	return ~c;
}

/* The IDAT chunks joined; false: the file is no PNG of this size. */
static bool chunks(const struct bytes *png, uint32_t w, uint32_t h, struct bytes *out)
{
	size_t at = 8;
	bool end = false;

	if (png->count < 8 || memcmp(png->data, "\x89PNG\r\n\x1a\n", 8) != 0)
		return false;
	while (at + 12 <= png->count && !end) {
		uint32_t n = big(png->data + at);
		const uint8_t *p = png->data + at + 4;

		if (at + 12 + n > png->count || crc(p, n + 4) != big(p + 4 + n))
			return false;
		if (!memcmp(p, "IHDR", 4) && (big(p + 4) != w || big(p + 8) != h || p[12] != 8 || p[13] != 2))
			return false;
		if (!memcmp(p, "IDAT", 4))
			sink_bytes(out, p + 4, n);
		end = !memcmp(p, "IEND", 4);
		at += 12 + n;
	}
	return end && at == png->count;
}

static uint8_t paeth(int a, int b, int c)
{
	int pa = abs(b - c), pb = abs(a - c), pc = abs(a + b - 2 * c);

	return (uint8_t)(pa <= pb && pa <= pc ? a : pb <= pc ? b : c);
}

static void unfilter(uint8_t *rows, uint32_t w, uint32_t h)
{
	size_t n = 3 * (size_t)w;

	for (uint32_t y = 0; y < h; y++) {
		uint8_t *row = rows + y * (n + 1), *above = y ? row - n : NULL;

		for (size_t i = 0; i < n; i++) {
			int left = i < 3 ? 0 : row[1 + i - 3], up = above ? above[i] : 0;
			int corner = i < 3 || !above ? 0 : above[i - 3];
			const int add[5] = { 0, left, up, (left + up) / 2, paeth(left, up, corner) };

			row[1 + i] = (uint8_t)(row[1 + i] + add[row[0] % 5]);
		}
	}
}

static void fill(uint8_t *rgb, size_t n, int kind)
{
	for (size_t i = 0; i < n; i++)
		rgb[i] = kind == 0   ? (uint8_t)random_bits()
			 : kind == 1 ? 200
			 : kind == 2 ? (uint8_t)(i / 7)
				     : (uint8_t)(128 + 90 * sin((double)i / 50) + random_bits() % 5);
}

static void test_png_of(struct png *p, uint32_t w, uint32_t h, int kind)
{
	size_t n = 3 * (size_t)w * h, room = 2 * n + 4096;
	uint8_t *rgb = malloc(n + 1);
	struct bytes file = { malloc(room), 0, room }, packed = { malloc(room), 0, room }, rows = { malloc(room), 0, room };
	struct inflate s = { .at = 2 };
	bool good, last = false;
	uint32_t a = 1, b = 0;

	fill(rgb, n, kind);
	png_begin(p, sink_bytes, &file, h);
	for (uint32_t y = 0; y < h; y++)
		png_row(p, rgb + 3 * (size_t)y * w);
	good = png_end(p) && chunks(&file, w, h, &packed);
	s.in = packed.data;
	s.end = packed.count;
	good = good && packed.data[0] == 0x78 && (packed.data[0] * 256 + packed.data[1]) % 31 == 0;
	while (good && !last && !s.bad) {
		last = bits(&s, 1);
		s.bad = bits(&s, 2) != 2;
		inflate_block(&s, &rows);
	}
	for (size_t i = 0; i < rows.count; i++) {
		a = (a + rows.data[i]) % 65521;
		b = (b + a) % 65521;
	}
	s.at += s.bit != 0;
	good = good && !s.bad && s.at + 4 == s.end && big(packed.data + s.at) == (b << 16 | a);
	good = good && rows.count == (3 * (size_t)w + 1) * h;
	if (good)
		unfilter(rows.data, w, h);
	for (uint32_t y = 0; y < h && good; y++)
		good = !memcmp(rows.data + 1 + y * (3 * (size_t)w + 1), rgb + 3 * (size_t)y * w, 3 * (size_t)w);
	tap_ok(good, "PNG of %u by %u comes back, %zu bytes from %zu", w, h, file.count, n);
	free(rgb);
	free(file.data);
	free(packed.data);
	free(rows.data);
}

static bool full(void *to, const void *data, size_t n)
{
	(void)to;
	(void)data;
	return n < 100; /* the head and the end fit */
}

static void test_png(void)
{
	static const uint32_t width[] = { 1, 31, 200, 400 };

	for (size_t i = 0; i < sizeof(width) / sizeof(width[0]); i++) {
		struct png *p = png_new(width[i]);

		for (int kind = 0; kind < 4; kind++)
			test_png_of(p, width[i], kind == 0 ? 1 : 7 + 90 * (uint32_t)kind, kind);
		png_delete(p);
	}
	{
		struct png *p = png_new(400);
		uint8_t row[1200];

		png_begin(p, full, NULL, 300);
		for (int y = 0; y < 300; y++) {
			fill(row, sizeof(row), 0);
			png_row(p, row);
		}
		tap_ok(!png_end(p), "a full disk is noticed");
		png_delete(p);
	}
}

static void test_base64(void)
{
	char text[64] = "";
	FILE *out = fmemopen(text, sizeof(text), "w");
	struct base64 b = { .out = out };

	sink_base64(&b, "any", 3);
	sink_base64(&b, " carnal pleas", 13);
	base64_end(&b);
	fclose(out);
	tap_ok(!strcmp(text, "YW55IGNhcm5hbCBwbGVhcw=="), "base64: %s", text);
}

/* ---- metrics */

static void test_metrics_of(struct metrics *m, uint32_t w, uint32_t h)
{
	size_t n = 3 * (size_t)w * h;
	float *x = malloc(n * sizeof(*x));
	uint8_t *y = malloc(n);
	double *dx = malloc(n * sizeof(*dx)), *dy = malloc(n * sizeof(*dy)), psnr, ssim;

	for (size_t i = 0; i < n; i++) {
		y[i] = (uint8_t)random_bits();
		x[i] = (float)y[i] / 255 + ((float)(random_bits() % 200) - 100) / 400;
		dx[i] = fmin(fmax((double)x[i], 0), 1);
		dy[i] = y[i] / 255.0;
	}
	metrics_begin(m, w, h);
	for (uint32_t r = 0; r < h; r++)
		metrics_row(m, x + 3 * (size_t)r * w, y + 3 * (size_t)r * w);
	metrics_end(m, &psnr, &ssim);
	tap_ok(fabs(psnr - ref_splat_psnr(dx, dy, w, h)) < 1e-4 && fabs(ssim - ref_splat_ssim(dx, dy, w, h)) < 1e-5,
	       "%u by %u: %.3f dB and %.4f as the reference", w, h, psnr, ssim);
	free(x);
	free(y);
	free(dx);
	free(dy);
}

static void test_metrics(void)
{
	struct metrics *m = metrics_new(70);
	uint8_t grey[3] = { 128, 128, 128 };
	float same[3] = { 128 / 255.f, 128 / 255.f, 128 / 255.f };
	double psnr, ssim;

	test_metrics_of(m, 70, 40);
	test_metrics_of(m, 1, 1);
	test_metrics_of(m, 3, 50);
	test_metrics_of(m, 64, 4);
	metrics_begin(m, 1, 1);
	metrics_row(m, same, grey);
	metrics_end(m, &psnr, &ssim);
	tap_ok(psnr > 99 && fabs(ssim - 1) < 1e-6, "equal images");
	metrics_free(m);
}

/* ---- .ply */

static char path[64];

static void set_file(const void *data, size_t n)
{
	FILE *out = fopen(path, "wb");

	if (!out || fwrite(data, 1, n, out) != n || fclose(out) != 0)
		exit(1);
}

static void random_row(float row[PLY_FLOATS])
{
	for (int k = 0; k < PLY_FLOATS; k++)
		row[k] = (float)random_bits() / (float)(1u << 30) - 1;
}

static void test_ply_round_trip(void)
{
	struct failure f = { .status = EDGE_OK };
	float row[5][PLY_FLOATS], got[5][PLY_FLOATS];
	struct ply_reader *r;
	struct ply_writer w;

	for (int i = 0; i < 5; i++)
		random_row(row[i]);
	tap_ok(ply_create(&w, path, 5, &f) == EDGE_OK && ply_write(&w, row, 2, &f) == EDGE_OK &&
		       ply_write(&w, row + 2, 3, &f) == EDGE_OK && ply_commit(&w, &f) == EDGE_OK,
	       "five Gaussians are written %s", f.text);
	if (!tap_ok(ply_open(path, &r, &f) == EDGE_OK && ply_count(r) == 5 && ply_degree(r) == 3, "and found %s", f.text))
		return;
	tap_ok(ply_read(r, got, 5, &f) == EDGE_OK && !memcmp(row, got, sizeof(row)), "and are the same");
	tap_ok(ply_read(r, got, 1, &f) == EDGE_BAD, "there is no sixth: %s", f.text);
	ply_close(r);
}

/* Opens and reads all; the message, or "" when all went well. */
static const char *read_all(float row[PLY_FLOATS], uint64_t *count, uint32_t *degree)
{
	static struct failure f;
	struct ply_reader *r;

	rt_failure_clear(&f);
	*count = 0;
	if (ply_open(path, &r, &f) == EDGE_OK) {
		*count = ply_count(r);
		*degree = ply_degree(r);
		for (uint64_t i = 0; i < *count && f.status == EDGE_OK; i++)
			ply_read(r, (float(*)[PLY_FLOATS])row, 1, &f);
	}
	ply_close(r);
	return f.text;
}

/* The head of a text file with the needed properties; rest: more lines. */
static int text_head(char *out, size_t room, const char *format, const char *vertices, const char *before,
		     const char *more)
{
	return snprintf(out, room,
			"ply\r\nformat %s 1.0\ncomment made by a test\n%selement vertex %s\n"
			"property float rot_3\nproperty float rot_2\nproperty float rot_1\nproperty float rot_0\n"
			"property double x\nproperty float y\nproperty float z\nproperty float opacity\n"
			"property float scale_0\nproperty float scale_1\nproperty float scale_2\n"
			"property float f_dc_0\nproperty float f_dc_1\nproperty float f_dc_2\n%send_header\n",
			format, before, vertices, more);
}

static void test_ply_text(void)
{
	char text[4096];
	float row[PLY_FLOATS];
	uint64_t count;
	uint32_t degree = 9;
	const char *why;
	int n = text_head(text, sizeof(text), "ascii", "2", "element junk 2\nproperty list uchar int i\nproperty float a\n",
			  "property list uchar short extra\nproperty uchar red\n");

	snprintf(text + n, sizeof(text) - (size_t)n,
		 "3 1 2 3 0.5\n0 1\n4 3 2 1  10 11 12  -1  -2 -inf -4  .1 .2 .3  2 7 8  255\n"
		 "0 0 0 0 1e1 11 12 inf -2 -3 -4 .1 .2 .3 0 1");
	set_file(text, strlen(text));
	why = read_all(row, &count, &degree);
	tap_ok(!*why && count == 2 && degree == 0, "text, other order, lists, other elements %s", why);
	tap_ok(row[0] == 10 && row[2] == 12 && row[6] == 1 && row[9] == 0 && row[10] == 30 && row[12] == 0.2f,
	       "what has no finite form gets the nearest");
}

static void test_ply_degree_one(void)
{
	char text[4096], more[512] = "";
	float row[PLY_FLOATS];
	uint64_t count;
	uint32_t degree;
	const char *why;
	int n;

	for (int i = 0; i < 9; i++)
		snprintf(more + strlen(more), sizeof(more) - strlen(more), "property float f_rest_%d\n", i);
	n = text_head(text, sizeof(text), "ascii", "1", "", more);
	snprintf(text + n, sizeof(text) - (size_t)n, "1 0 0 0 1 2 3 4 5 6 7 8 9 10 100 101 102 110 111 112 120 121 122\n");
	set_file(text, strlen(text));
	why = read_all(row, &count, &degree);
	tap_ok(!*why && degree == 1 && row[14] == 100 && row[15] == 110 && row[16] == 120 && row[17] == 101 && row[23] == 0,
	       "fewer coefficients %s", why);
}

static void put_value(uint8_t **at, const void *v, size_t n)
{
	const uint8_t *p = v;

	for (size_t i = 0; i < n; i++)
		*(*at)++ = p[n - 1 - i];
}

static void test_ply_big_endian(void)
{
	uint8_t file[4096], *at;
	float row[PLY_FLOATS], v[13] = { 0, 0, 0, 1, 6, 7, -1, -2, -3, -4, .5f, .25f, .125f };
	double x = 5;
	uint64_t count;
	uint32_t degree;
	const char *why;

	at = file + text_head((char *)file, sizeof(file), "binary_big_endian", "1", "", "");
	for (int i = 0; i < 13; i++) {
		if (i == 4)
			put_value(&at, &x, sizeof(x));
		put_value(&at, &v[i], sizeof(v[i]));
	}
	set_file(file, (size_t)(at - file));
	why = read_all(row, &count, &degree);
	tap_ok(!*why && row[0] == 5 && row[1] == 6 && row[6] == 1 && row[5] == -4 && row[13] == .125f, "big endian %s", why);
}

static void test_ply_bad(void)
{
	static const struct {
		const char *vertices, *before, *more, *body, *want;
	} bad[] = {
		{ "1", "", "", "1 0 0 0 1 2 nan 4 5 6 7 8 9 10", "position is not a number" },
		{ "1", "", "", "1 0 0 0 1 2 zwei 4 5 6 7 8 9 10", "z is not a number" },
		{ "2", "", "", "1 0 0 0 1 2 3 4 5 6 7 8 9 10", "ends at vertex 2 of 2" },
		{ "0", "", "", "", "holds no Gaussians" },
		{ "-1", "", "", "", "not a count" },
		{ "99999999999", "", "", "", "not a count" },
		{ "1", "property float x\n", "", "", "before any element" },
		{ "1", "", "property float x\n", "", "second property named" },
		{ "1", "", "property float\n", "", "a type and a name" },
		{ "1", "", "property quad w\n", "", "unknown type" },
		{ "1", "", "property list float int l\n", "", "not a type of counts" },
		{ "1", "", "property float f_rest_0\n", "", "none of 0, 9, 24 and 45" },
		{ "1", "", "colour red\n", "", "unknown word" },
		{ "1", "", "property uint packed_position\n", "", "compressed" },
		{ "1", "element vertex 1\nproperty float x\n", "", "", "no property \"y\"" },
	};
	char text[4096];
	float row[PLY_FLOATS];
	uint64_t count;
	uint32_t degree;

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		int n = text_head(text, sizeof(text), "ascii", bad[i].vertices, bad[i].before, bad[i].more);
		const char *why;

		snprintf(text + n, sizeof(text) - (size_t)n, "%s", bad[i].body);
		set_file(text, strlen(text));
		why = read_all(row, &count, &degree);
		tap_ok(strstr(why, bad[i].want) != NULL, "refused: %s", why);
	}
	set_file("plywood", 7);
	tap_ok(strstr(read_all(row, &count, &degree), "within its head") != NULL, "cut in the head");
	set_file("\x89PNG", 4);
	tap_ok(strstr(read_all(row, &count, &degree), "not a .ply") != NULL, "something else");
	text_head(text, sizeof(text), "binary_little_endian", "1000000", "", "");
	set_file(text, strlen(text));
	tap_ok(strstr(read_all(row, &count, &degree), "cut short") != NULL, "fewer bytes than promised");
}

/* Any change of any byte: reads or refuses. */
static void test_ply_damage(void)
{
	struct failure f = { .status = EDGE_OK };
	float row[2][PLY_FLOATS];
	struct ply_writer w;
	uint8_t file[8192];
	size_t n;
	uint64_t count;
	uint32_t degree, refused = 0;
	FILE *in;

	random_row(row[0]);
	random_row(row[1]);
	if (ply_create(&w, path, 2, &f) != EDGE_OK || ply_write(&w, row, 2, &f) != EDGE_OK || ply_commit(&w, &f) != EDGE_OK)
		exit(1);
	in = fopen(path, "rb");
	n = in ? fread(file, 1, sizeof(file), in) : 0;
	if (in)
		fclose(in);
	for (int i = 0; i < 600; i++) {
		uint8_t copy[sizeof(file)];
		size_t cut = i % 3 ? n : random_bits() % n;

		memcpy(copy, file, n);
		for (uint32_t k = 0; k < 1 + random_bits() % 4; k++)
			copy[random_bits() % n] = (uint8_t)(i % 2 ? random_bits() : (uint32_t)"0 9\n-lxp"[random_bits() % 8]);
		set_file(copy, cut);
		refused += *read_all(row[0], &count, &degree) != '\0';
	}
	tap_ok(refused > 300, "damaged files: %u of 600 refused", refused);
}

int main(void)
{
	snprintf(path, sizeof(path), "test_image.%d.ply", (int)getpid());
	test_png();
	test_base64();
	test_metrics();
	test_ply_round_trip();
	test_ply_text();
	test_ply_degree_one();
	test_ply_big_endian();
	test_ply_bad();
	test_ply_damage();
	unlink(path);
	return tap_done();
}
