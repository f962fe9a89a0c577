/* SPDX-License-Identifier: Apache-2.0 */
/* train_plan.c - small plans that train, made by the compiler from photographs made here. */
#include "config.h"

#include "train_plan.h"

#include "commands.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char folder[] = "/tmp/edge-train-XXXXXX";
static char plan[100];
static uint32_t view_count;

static FILE *open_file(const char *name)
{
	char path[200];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s", folder, name);
	f = fopen(path, "wb");
	if (!f) {
		perror(path);
		exit(1);
	}
	return f;
}

static void put32(uint8_t *p, uint32_t x)
{
	p[0] = (uint8_t)(x >> 24);
	p[1] = (uint8_t)(x >> 16);
	p[2] = (uint8_t)(x >> 8);
	p[3] = (uint8_t)x;
}

static uint32_t crc(const uint8_t *p, size_t n)
{
	uint32_t c = 0xffffffff;

	for (size_t i = 0; i < n; i++) {
		c ^= p[i];
		for (int k = 0; k < 8; k++)
			c = c >> 1 ^ (c & 1 ? 0xedb88320 : 0);
	}
	return ~c;
}

/* bytes has room for four before and eight around its n */
static void put_chunk(FILE *f, const char *type, uint8_t *bytes, uint32_t n)
{
	uint8_t word[4];

	put32(word, n);
	fwrite(word, 4, 1, f);
	memcpy(bytes - 4, type, 4);
	fwrite(bytes - 4, n + 4, 1, f);
	put32(word, crc(bytes - 4, n + 4));
	fwrite(word, 4, 1, f);
}

/* A PNG whose rows are stored as they are: each a block of its own. libpng must not be linked with ours. */
static void write_png(FILE *f, uint32_t width, uint32_t height, const uint8_t *rgb)
{
	uint32_t row = 1 + 3 * width, at = 6, a = 1, b = 0;
	uint8_t *out = malloc(4 + 6 + (size_t)height * (row + 5) + 8);

	fwrite("\x89PNG\r\n\x1a\n", 8, 1, f);
	put32(out + 4, width);
	put32(out + 8, height);
	memcpy(out + 12, "\10\2\0\0\0", 5);
	put_chunk(f, "IHDR", out + 4, 13);
	memcpy(out + 4, "\x78\1", 2);
	for (uint32_t y = 0; y < height; y++, at += 5 + row) {
		uint8_t *p = out + at;

		p[0] = y + 1 == height;
		p[1] = (uint8_t)row;
		p[2] = (uint8_t)(row >> 8);
		p[3] = (uint8_t)~p[1];
		p[4] = (uint8_t)~p[2];
		p[5] = 0; /* no filter */
		memcpy(p + 6, rgb + (size_t)y * 3 * width, 3 * (size_t)width);
		for (uint32_t i = 0; i < row; i++) {
			a = (a + p[5 + i]) % 65521;
			b = (b + a) % 65521;
		}
	}
	put32(out + at, b << 16 | a);
	put_chunk(f, "IDAT", out + 4, at);
	put_chunk(f, "IEND", out + 4, 0);
	free(out);
}

static void write_photograph(const struct train_plan_request *r, uint32_t view)
{
	uint8_t *rgb = malloc(3 * (size_t)r->width * r->height);
	char name[40];
	FILE *f;

	snprintf(name, sizeof name, "v%02u.png", view);
	f = open_file(name);
	for (uint32_t y = 0; y < r->height; y++)
		for (uint32_t x = 0; x < r->width; x++)
			for (uint32_t c = 0; c < 3; c++)
				rgb[((size_t)y * r->width + x) * 3 + c] =
					(uint8_t)(60 + 60 * c + 30 * sin(0.15 * x + 0.5 * view + c) * cos(0.11 * y + c));
	write_png(f, r->width, r->height, rgb);
	fclose(f);
	free(rgb);
}

/* Cameras on a circle that look at its centre; OpenGL's axes, as the format has them. */
static void write_cameras(const struct train_plan_request *r)
{
	FILE *f = open_file("transforms.json");

	fprintf(f, "{ \"w\": %u, \"h\": %u, \"fl_x\": %u, \"fl_y\": %u, \"cx\": %g, \"cy\": %g, \"frames\": [\n", r->width,
		r->height, r->width, r->width, r->width * 0.5, r->height * 0.5);
	for (uint32_t v = 0; v < r->views; v++) {
		double a = 0.4 * v, c = cos(a), s = sin(a);

		fprintf(f, "%s{ \"file_path\": \"v%02u.png\", \"transform_matrix\": [[%.9f, 0, %.9f, %.9f], [0, 1, 0, 0], "
			   "[%.9f, 0, %.9f, %.9f], [0, 0, 0, 1]] }",
			v ? ",\n" : "", v, c, s, 4 * s, -s, c, 4 * c);
	}
	fputs("] }\n", f);
	fclose(f);
}

/* Code for one instruction set alone is made twice as fast. */
static const char *best_cpu(void)
{
#if defined(__x86_64__)
	__builtin_cpu_init();
	return __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
			       __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl") ? "x86-64-v4" : "x86-64-v3";
#else
	return "aarch64";
#endif
}

static void write_source(const struct train_plan_request *r)
{
	FILE *f = open_file("scene.edge");

	fprintf(f, "device d { backend %s; kernels %s; threads 2;", r->opencl ? "opencl" : "native", r->gpu ? "gpu" : "cpu");
	if (!r->opencl)
		fprintf(f, " cpu %s;", r->cpu ? r->cpu : best_cpu());
	fputs(" }\n", f);
	fprintf(f, "scene s { transforms \"transforms.json\"; holdout every 4; points random count %u seed 3; }\n", r->points);
	fprintf(f, "plan p { on d; train s for %u steps; %s }\n", r->steps, r->statements ? r->statements : "");
	fclose(f);
}

const char *train_plan_make(const struct train_plan_request *r)
{
	struct options o = { .command = COMMAND_COMPILE, .output = plan, .no_lock = true };
	struct arena a = { 0 };
	struct diag d;
	char source[100];
	int status;

	if (!plan[0] && !mkdtemp(folder))
		exit(1);
	diag_init(&d, &a, stderr);
	snprintf(source, sizeof source, "%s/scene.edge", folder);
	snprintf(plan, sizeof plan, "%s/p.plan", folder);
	view_count = r->views;
	for (uint32_t v = 0; v < r->views; v++)
		write_photograph(r, v);
	write_cameras(r);
	write_source(r);
	o.input = source;
	o.budget = r->budget;
	o.budget_set = r->budget != 0;
	status = command_compile(&a, &d, &o);
	arena_release(&a);
	return status == 0 ? plan : NULL;
}

void train_plan_remove(void)
{
	char path[200];

	for (uint32_t v = 0; v < view_count; v++) {
		snprintf(path, sizeof path, "%s/v%02u.png", folder, v);
		unlink(path);
	}
	snprintf(path, sizeof path, "%s/transforms.json", folder);
	unlink(path);
	snprintf(path, sizeof path, "%s/scene.edge", folder);
	unlink(path);
	unlink(plan);
	rmdir(folder);
}
