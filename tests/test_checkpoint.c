/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_checkpoint.c - training that is cut off goes on as if it had not been; damaged files, files
 * of other plans and full disks change nothing.
 */
#include "config.h"

#include "base/memory.h"
#include "fake_train.h"
#include "tap.h"
#include "train/checkpoint.h"
#include "train/exchange.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

enum { STEPS = 60, CAPACITY = 900, PLAN = 77 };

static char path[64];

static void run(struct train *t, struct curve *c, uint32_t until)
{
	struct failure f = { .status = EDGE_OK };
	struct train_step_report r;

	while (train_done(t) < until && train_step(t, &r, &f) == EDGE_OK) {
		curve_step(c, &r, r.gaussians, r.step == STEPS);
		if (r.step % 20 == 0)
			curve_evaluate(c, r.step, r.gaussians, r.step, 0.5);
	}
}

static bool same(struct train *a, struct train *b)
{
	struct train_counters x, y;
	struct failure f = { .status = EDGE_OK };
	uint8_t p[4 * CAPACITY], q[4 * CAPACITY];
	struct train_part info;

	train_get_counters(a, &x);
	train_get_counters(b, &y);
	if (memcmp(&x, &y, sizeof(x)) != 0)
		return false;
	for (uint32_t i = 0; i < train_part_count(a); i++) {
		train_part_info(a, i, &info);
		for (uint32_t k = 0; k < info.planes; k++) {
			train_part_read(a, i, k, 0, x.gaussians, p, &f);
			train_part_read(b, i, k, 0, x.gaussians, q, &f);
			if (memcmp(p, q, (size_t)x.gaussians * info.element_bytes) != 0)
				return false;
		}
	}
	return true;
}

static bool same_curve(const struct curve *a, const struct curve *b)
{
	return a->points == b->points && a->evaluations == b->evaluations && a->seconds == b->seconds &&
	       !memcmp(a->point, b->point, a->points * sizeof(*a->point)) &&
	       !memcmp(a->evaluation, b->evaluation, a->evaluations * sizeof(*a->evaluation));
}

static void test_resume(void)
{
	struct train *whole = fake_train(PLAN, CAPACITY), *t = fake_train(PLAN, CAPACITY);
	struct failure f = { .status = EDGE_OK };
	struct curve all, c;
	bool found = true;

	curve_begin(&all, STEPS, 15);
	curve_begin(&c, STEPS, 15);
	run(whole, &all, STEPS);
	tap_ok(checkpoint_load(path, t, &c, &found, &f) == EDGE_OK && !found, "no checkpoint: from the start");
	for (uint32_t at = 7; at < STEPS; at += 16) {
		run(t, &c, at);
		tap_ok(checkpoint_save(path, t, &c, &f) == EDGE_OK, "saved after %u steps %s", at, f.text);
		train_close(t);
		curve_end(&c);
		t = fake_train(PLAN, CAPACITY);
		curve_begin(&c, STEPS, 15);
		tap_ok(checkpoint_load(path, t, &c, &found, &f) == EDGE_OK && found && train_done(t) == at, "and loaded %s",
		       f.text);
	}
	run(t, &c, STEPS);
	tap_ok(same(whole, t), "cut off four times, the set has the same bits");
	tap_ok(same_curve(&all, &c) && c.points == 15 && c.evaluations == 3, "and the curve the same points");
	train_close(t);
	train_close(whole);
	curve_end(&c);
	curve_end(&all);
}

/* Loads what stands in the file into a session of plan; the status, and whether nothing was changed. */
static enum edge_status refused(uint64_t plan, uint32_t capacity, bool *untouched, struct failure *f)
{
	struct train *t = fake_train(plan, capacity), *before = fake_train(plan, capacity);
	struct curve c;
	enum edge_status st;
	bool found;

	rt_failure_clear(f);
	curve_begin(&c, STEPS, 15);
	st = checkpoint_load(path, t, &c, &found, f);
	*untouched = same(t, before) && c.points == 0;
	curve_end(&c);
	train_close(t);
	train_close(before);
	return st;
}

static size_t load_file(uint8_t **out)
{
	FILE *in = fopen(path, "rb");
	size_t n;

	if (!in || fseek(in, 0, SEEK_END) != 0)
		exit(1);
	n = (size_t)ftell(in);
	rewind(in);
	*out = malloc(n);
	if (!*out || fread(*out, n, 1, in) != 1)
		exit(1);
	fclose(in);
	return n;
}

static void save_file(const uint8_t *data, size_t n)
{
	FILE *out = fopen(path, "wb");

	if (!out || (n && fwrite(data, n, 1, out) != 1) || fclose(out) != 0)
		exit(1);
}

static void test_refused(void)
{
	struct failure f = { .status = EDGE_OK };
	uint32_t bad = 0, changed = 0;
	uint8_t *file;
	size_t n = load_file(&file);
	bool untouched;

	tap_ok(refused(PLAN + 1, CAPACITY, &untouched, &f) == EDGE_ARGUMENT && untouched, "another plan's: %s", f.text);
	tap_ok(refused(PLAN, 100, &untouched, &f) == EDGE_BAD && untouched, "more than fits: %s", f.text);
	srand(3);
	for (int i = 0; i < 300; i++) {
		size_t at = (size_t)rand() % (i < 100 ? 200 : n);
		uint8_t was = file[at];

		file[at] ^= (uint8_t)(1 << rand() % 8);
		save_file(file, n);
		file[at] = was;
		bad += refused(PLAN, CAPACITY, &untouched, &f) != EDGE_OK;
		changed += !untouched;
	}
	tap_ok(bad == 300 && changed == 0, "a bit flipped anywhere: %u of 300 refused, %u changed something", bad, changed);
	bad = 0;
	for (int i = 0; i < 60; i++) {
		save_file(file, (size_t)rand() % n);
		bad += refused(PLAN, CAPACITY, &untouched, &f) != EDGE_OK && untouched;
	}
	tap_ok(bad == 60, "cut short anywhere: %u of 60 refused: %s", bad, f.text);
	save_file((const uint8_t *)"ply\n", 4);
	tap_ok(refused(PLAN, CAPACITY, &untouched, &f) == EDGE_BAD && untouched, "something else: %s", f.text);
	save_file(file, n);
	free(file);
}

/* No file may grow beyond a third of what is needed. */
static void test_full_disk(void)
{
	struct rlimit before, tight;
	struct failure f = { .status = EDGE_OK };
	struct train *t = fake_train(PLAN, CAPACITY);
	uint8_t *file, *now;
	size_t n = load_file(&file), m;
	struct curve c;

	signal(SIGXFSZ, SIG_IGN);
	curve_begin(&c, STEPS, 15);
	run(t, &c, 5);
	getrlimit(RLIMIT_FSIZE, &before);
	tight = before;
	tight.rlim_cur = n / 3;
	setrlimit(RLIMIT_FSIZE, &tight);
	tap_ok(checkpoint_save(path, t, &c, &f) == EDGE_IO, "a full disk: %s", f.text);
	setrlimit(RLIMIT_FSIZE, &before);
	m = load_file(&now);
	tap_ok(n == m && !memcmp(file, now, n), "the checkpoint from before is still there");
	free(now);
	save_file((const uint8_t *)"before", 6);
	rt_failure_clear(&f);
	setrlimit(RLIMIT_FSIZE, &tight);
	tap_ok(exchange_save(t, path, &f) == EDGE_IO, "the same for .ply: %s", f.text);
	setrlimit(RLIMIT_FSIZE, &before);
	m = load_file(&now);
	tap_ok(m == 6 && !memcmp(now, "before", 6), "and there, too, the file from before is");
	free(now);
	free(file);
	curve_end(&c);
	train_close(t);
}

static void test_exchange(void)
{
	struct failure f = { .status = EDGE_OK };
	struct train *t = fake_train(PLAN, CAPACITY), *u = fake_train(PLAN, CAPACITY);
	struct ply_reader *r = NULL;
	float v[450], w[450];
	bool equal = true, left_out;

	for (uint32_t k = 0; k < 59; k++) {
		for (int i = 0; i < 450; i++)
			v[i] = (float)i - 3 * (float)k;
		train_part_write(t, 0, k, 0, 450, v, &f);
	}
	tap_ok(exchange_save(t, path, &f) == EDGE_OK && ply_open(path, &r, &f) == EDGE_OK &&
		       exchange_load(u, r, &left_out, &f) == EDGE_OK, "a set goes through a file %s", f.text);
	for (uint32_t k = 0; k < 59; k++) {
		train_part_read(t, 0, k, 0, 450, v, &f);
		train_part_read(u, 0, k, 0, 450, w, &f);
		/* logits and logarithms are kept within 30 */
		for (int i = 0; i < 450 && (k < 3 || (k > 5 && k != 10)); i++)
			equal = equal && v[i] == w[i];
	}
	tap_ok(equal && train_gaussians(u) == 450 && !left_out, "and is the same");
	ply_close(r);
	train_close(u);
	u = fake_train(PLAN, 100);
	r = NULL;
	tap_ok(ply_open(path, &r, &f) == EDGE_OK && exchange_load(u, r, &left_out, &f) == EDGE_ARGUMENT, "too many: %s",
	       f.text);
	ply_close(r);
	train_close(t);
	train_close(u);
}

int main(void)
{
	snprintf(path, sizeof(path), "test_checkpoint.%d", (int)getpid());
	test_resume();
	test_refused();
	test_full_disk();
	test_exchange();
	unlink(path);
	return tap_done();
}
