/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_sched.c - the scheduler against brute force, against its own meaning
 * (replay), and at the edge of every budget.
 */
#include "config.h"

#include "sched_net.h"
#include "tap.h"

#include "sched/internal.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

static struct target small_target(void)
{
	struct target t = target_host();

	t.storage_bytes_per_s = 2e8; /* slow enough that hiding matters */
	return t;
}

/* ---- fill: against every possible assignment ---- */

enum { STEPS = 5, WEIGHTS = 4 };

struct brute {
	const struct fill_weight *w;
	uint32_t n, left[STEPS];
	uint32_t read[WEIGHTS][STEPS];
	uint64_t preload;
	/* best over all assignments with the smallest preload */
	uint64_t best_preload, best_distance, best_flight[STEPS];
};

static void brute_judge(struct brute *b)
{
	uint64_t distance = 0;

	if (b->preload > b->best_preload)
		return;
	if (b->preload < b->best_preload) {
		b->best_preload = b->preload;
		b->best_distance = UINT64_MAX;
		for (int l = 0; l < STEPS; l++)
			b->best_flight[l] = UINT64_MAX;
	}
	for (uint32_t i = 0; i < b->n; i++)
		for (uint32_t l = 0; l < STEPS; l++)
			if (b->read[i][l]) {
				distance += b->w[i].use - l;
				break;
			}
	if (!b->preload && distance < b->best_distance)
		b->best_distance = distance;
	for (uint32_t l = 0; l < STEPS; l++) {
		uint64_t flight = 0;

		/* in flight: read or there before the run, needed later */
		for (uint32_t i = 0; i < b->n; i++)
			if (b->w[i].use > l) {
				flight += b->w[i].units;
				for (uint32_t k = l + 1; k < STEPS; k++)
					flight -= b->read[i][k];
			}
		if (flight < b->best_flight[l])
			b->best_flight[l] = flight;
	}
}

static void brute_assign(struct brute *b, uint32_t i, uint32_t l, uint32_t todo)
{
	if (i == b->n) {
		brute_judge(b);
	} else if (l >= b->w[i].use || l >= STEPS) {
		b->preload += todo;
		brute_assign(b, i + 1, 0, i + 1 < b->n ? b->w[i + 1].units : 0);
		b->preload -= todo;
	} else {
		for (uint32_t q = 0; q <= todo && q <= b->left[l]; q++) {
			b->left[l] -= q;
			b->read[i][l] = q;
			brute_assign(b, i, l + 1, todo - q);
			b->read[i][l] = 0;
			b->left[l] += q;
		}
	}
}

static int by_use(const void *a, const void *b)
{
	const struct fill_weight *x = a, *y = b;

	return x->use < y->use ? -1 : x->use > y->use;
}

static void test_fill(void)
{
	uint64_t seed = 11;
	uint32_t bad_minimum = 0, bad_left = 0, bad_distance = 0, bad_flight = 0, feasible = 0, tries = 1500;

	for (uint32_t t = 0; t < tries; t++) {
		struct fill_weight w[WEIGHTS];
		uint32_t capacity[STEPS], n = 1 + net_below(&seed, WEIGHTS);
		uint64_t flight[STEPS], distance = 0, left;
		struct brute b = { .w = w, .n = n, .best_preload = UINT64_MAX };

		for (uint32_t i = 0; i < n; i++)
			w[i] = (struct fill_weight){ .use = net_below(&seed, STEPS), .units = 1 + net_below(&seed, 3) };
		qsort(w, n, sizeof *w, by_use);
		for (uint32_t l = 0; l < STEPS; l++)
			b.left[l] = capacity[l] = net_below(&seed, 4);
		brute_assign(&b, 0, 0, w[0].units);
		left = fill_backward(w, n, capacity, STEPS, flight);
		for (uint32_t i = 0; i < n; i++)
			distance += w[i].use - w[i].start;
		bad_minimum += fill_minimum(w, n, capacity, STEPS) != b.best_preload;
		bad_left += left != b.best_preload;
		feasible += !left;
		bad_distance += !left && distance != b.best_distance;
		for (uint32_t l = 0; l < STEPS; l++)
			bad_flight += flight[l] != b.best_flight[l];
	}
	tap_ok(!bad_minimum, "fill: the closed form is the smallest preload in all of %u instances", tries);
	tap_ok(!bad_left, "fill: the backward walk reaches it");
	tap_ok(!bad_distance && feasible > 100, "fill: distances are smallest in the %u feasible ones", feasible);
	tap_ok(!bad_flight, "fill: bytes in flight are smallest at every step");
}

/* ---- memory ---- */

static uint32_t overlaps(const struct mem_item *x, uint32_t n, uint64_t top)
{
	uint32_t bad = 0;

	for (uint32_t i = 0; i < n; i++) {
		bad += x[i].offset + x[i].bytes > top || x[i].offset % 128;
		for (uint32_t j = 0; j < i; j++)
			bad += x[i].first <= x[j].last && x[j].first <= x[i].last &&
			       x[i].offset < x[j].offset + x[j].bytes && x[j].offset < x[i].offset + x[i].bytes;
	}
	return bad;
}

static void test_memory(void)
{
	uint64_t seed = 5;
	uint32_t bad = 0, above = 0, tries = 300;
	double worst = 0;

	for (uint32_t t = 0; t < tries; t++) {
		struct mem_item x[120];
		uint32_t n = 1 + net_below(&seed, 120), events = 100;
		uint64_t bound, top;

		for (uint32_t i = 0; i < n; i++) {
			x[i] = (struct mem_item){ .bytes = 128 * (1 + net_below(&seed, 1 + net_below(&seed, 64))),
						  .first = net_below(&seed, events) };
			x[i].last = x[i].first + net_below(&seed, 1 + net_below(&seed, t % 3 ? 4 : 40));
			if (x[i].last >= events)
				x[i].last = events - 1;
		}
		bound = memory_lower_bound(x, n, events, NULL);
		top = memory_place(x, n);
		bad += overlaps(x, n, top) || top < bound;
		above += top > bound;
		if ((double)(top - bound) / (double)bound > worst)
			worst = (double)(top - bound) / (double)bound;
	}
	tap_ok(!bad, "memory: nothing that lives at the same time overlaps, in %u random instances", tries);
	tap_ok(worst < 0.10 && above < tries / 2, "memory: at most %.1f %% above the bound; %u of %u above it",
	       100 * worst, above, tries);
}

static void test_memory_large(void)
{
	uint32_t n = 20000;
	struct mem_item *x = xmalloc(n * sizeof *x);
	clock_t start = clock();
	uint64_t top, bound;

	/* a chain with long branches, and things that live for the whole run: too many pairs for a search */
	for (uint32_t i = 0; i < n; i++)
		x[i] = (struct mem_item){ .bytes = 128 * (1 + i % 7), .first = i, .last = i % 10 ? i + 1 : n };
	bound = memory_lower_bound(x, n, n + 1, NULL);
	top = memory_place(x, n);
	tap_ok(top >= bound && (double)top < 1.1 * (double)bound && clock() - start < 8 * CLOCKS_PER_SEC,
	       "memory: %u items with 20 million pairs in %.2f s, %.1f %% above the bound", n,
	       (double)(clock() - start) / CLOCKS_PER_SEC, 100 * ((double)top / (double)bound - 1));
	free(x);
}

/* ---- whole schedules ---- */

static struct schedule *make_schedule(struct arena *a, const struct net *n, uint32_t models, const struct target *t, uint64_t budget,
			     FILE *out)
{
	struct sched_model *m = arena_new_array(a, struct sched_model, models);
	struct sched_request r = { .name = "test", .models = m, .model_count = models, .target = t,
				   .device_budget = budget, .host_budget = t->unified ? 0 : 3 * SCHED_PAGE };
	struct diag d;

	for (uint32_t i = 0; i < models; i++)
		m[i] = (struct sched_model){ arena_printf(a, "m%u", i), n[i].ks };
	diag_init(&d, a, out);
	return schedule_make(a, &r, &d);
}

static uint32_t replay_bad(const struct schedule *s, const char *what, uint64_t seed, uint64_t budget)
{
	char why[256];

	if (schedule_replay(s, why, sizeof why))
		return 0;
	printf("# %s, seed %llu, budget %llu: %s\n", what, (unsigned long long)seed, (unsigned long long)budget, why);
	return 1;
}

static void test_random(void)
{
	uint32_t nets = 120, bad_replay = 0, bad_edge = 0, bad_size = 0, bad_time = 0, streamed = 0, schedules = 0;
	char *text;
	size_t text_size;

	for (uint32_t i = 0; i < nets; i++) {
		struct arena a = { 0 };
		struct target t = small_target();
		struct net n[2] = { net_random_new(&a, i, 1 + i % 40), net_random_new(&a, i + 1000, 1 + i % 7) };
		uint32_t models = 1 + i % 2;
		struct schedule *s;
		uint64_t smallest, most, seed = i;
		FILE *sink = open_memstream(&text, &text_size);
		char expected[64];

		t.align = i % 5 ? 128 : 512;
		t.unified = i % 4 != 0; /* else a tiny host budget: reads of one page */
		if (i % 3 == 0)
			t.max_region_bytes = 640 * 1024; /* several resident regions, split launches */
		s = make_schedule(&a, n, models, &t, 0, sink);
		smallest = s->smallest_budget;
		most = s->device_bytes;
		for (uint32_t k = 0; k < 12; k++) {
			uint64_t budget = k == 0 ? smallest : k == 1 ? most : k == 2 ? smallest + 1 :
					  k == 3 && most > smallest ? most - 1 :
					  smallest + net_random(&seed) % (most - smallest + 1);

			s = make_schedule(&a, n, models, &t, budget, sink);
			schedules++;
			if (!s) {
				bad_edge++;
				printf("# net %u, budget %llu of %llu..%llu refused\n", i, (unsigned long long)budget,
				       (unsigned long long)smallest, (unsigned long long)most);
				continue;
			}
			streamed += s->streamed_bytes > 0;
			bad_replay += replay_bad(s, "random", i, budget);
			bad_size += s->device_bytes > budget || s->device_bytes < smallest ||
				    s->smallest_budget != smallest ||
				    s->activation_peak < s->activation_lower_bound;
			bad_time += s->predicted_ms < s->lower_bound_ms * (1 - 1e-9) ||
				    s->warm_ms > s->predicted_ms * (1 + 1e-9);
		}
		fflush(sink);
		bad_edge += text_size != 0;
		if (smallest > 1) {
			bad_edge += make_schedule(&a, n, models, &t, smallest - 1, sink) != NULL;
			fflush(sink);
			snprintf(expected, sizeof expected, "smallest budget that works: %llu bytes (",
				 (unsigned long long)smallest);
			bad_edge += !strstr(text, expected);
		}
		fclose(sink);
		free(text);
		arena_release(&a);
	}
	tap_ok(!bad_replay, "every step of %u schedules (%u stream) finds its weights and values", schedules, streamed);
	tap_ok(!bad_edge, "every budget from the smallest on works, and one byte less names it");
	tap_ok(!bad_size, "regions fit the budget, and the smallest budget does not depend on it");
	tap_ok(!bad_time, "no prediction is below the bound, and warm runs are no slower");
	tap_ok(streamed > schedules / 3, "%u of %u schedules stream", streamed, schedules);
}

/* The closed form agrees with a search for the smallest budget that is accepted. */
static void test_smallest(void)
{
	uint32_t bad = 0, nets = 30;

	for (uint32_t i = 0; i < nets; i++) {
		struct arena a = { 0 };
		struct target t = small_target();
		struct net n = net_random_new(&a, i + 77, 12);
		FILE *sink = fopen("/dev/null", "w");
		struct schedule *s = make_schedule(&a, &n, 1, &t, 0, sink);
		uint64_t low = 0, high = s->device_bytes; /* low fails, high works */

		while (high - low > 1) {
			uint64_t mid = low + (high - low) / 2;

			if (make_schedule(&a, &n, 1, &t, mid, sink))
				high = mid;
			else
				low = mid;
		}
		bad += high != s->smallest_budget;
		fclose(sink);
		arena_release(&a);
	}
	tap_ok(!bad, "a binary search finds the closed form's smallest budget in %u networks", nets);
}

/* A transformer-like chain of large layers: how close to the bound, and how small. */
static void test_quality(void)
{
	struct arena a = { 0 };
	struct target t = target_host();
	struct net n = net_new(&a, "large");
	value_id x = graph_add_input(n.g, "x", DTYPE_F32, net_shape(768));
	struct schedule *s;
	double ratio, worst = 0;

	for (uint32_t i = 0; i < 48; i++)
		x = net_linear(&n, x, 768, 24, i % 4 == 3 ? 100000 : 900000000, arena_printf(&a, "layer %u", i));
	graph_add_output(n.g, x, "y");
	net_finish(&n);
	/* of the schedule alone, without what starts and first touches cost; checking what was read stays */
	t.start_ms = t.seek_ms = t.page_ms = 0;
	t.touch_bytes_per_s = 1e15;
	t.threads = 1000;
	s = make_schedule(&a, &n, 1, &t, 0, stderr);
	tap_ok(s->predicted_ms < 1.1 * s->lower_bound_ms, "resident: %.2f ms cold, bound %.2f", s->predicted_ms,
	       s->lower_bound_ms);
	tap_ok(s->smallest_budget - s->activation_peak < 128 * 1024, "smallest: one panel of the largest layer, %llu bytes",
	       (unsigned long long)(s->smallest_budget - s->activation_peak));
	for (uint64_t part = 4; part <= 64; part *= 2) {
		uint64_t budget = s->device_bytes / part;
		struct schedule *b = make_schedule(&a, &n, 1, &t, budget, stderr);

		if (!b || replay_bad(b, "large", 0, budget)) {
			tap_ok(false, "large: budget %llu", (unsigned long long)budget);
			continue;
		}
		ratio = b->predicted_ms / b->lower_bound_ms;
		printf("# 1/%llu of the weights: ring %llu, resident %llu, cold %.2f ms, warm %.2f ms, T/T* %.3f, %u steps\n",
		       (unsigned long long)part, (unsigned long long)(b->device_bytes - b->resident_bytes - b->activation_peak),
		       (unsigned long long)b->resident_bytes, b->predicted_ms, b->warm_ms, ratio, b->steps.len);
		if (part <= 16 && ratio > worst)
			worst = ratio;
	}
	tap_ok(worst > 0 && worst < 1.15, "streamed in 1/4 to 1/16 of the weights: T/T* at most %.3f", worst);
	arena_release(&a);
}

/*
 * The second half of a network has many weights and little work, and half of all can stay. Reads that share the disk
 * come later than one alone would: what stays must leave the disk with something to do in the first half, too.
 */
static void test_spread(void)
{
	struct arena a = { 0 };
	struct target t = target_host();
	struct net n = net_new(&a, "late weights");
	value_id x = graph_add_input(n.g, "x", DTYPE_F32, net_shape(768));
	struct schedule *s, *b;
	double disk;

	t.unified = true;
	t.storage_bytes_per_s = 3.5e9;
	t.flops_per_s = 5e11;
	t.requests = 4;
	t.seek_ms = 0.05;
	t.request_ms = 0.03;
	for (uint32_t i = 0; i < 48; i++)
		x = net_linear(&n, x, 768, i < 24 ? 24 + i % 3 * 8 : 60, i < 24 ? 180000000 : 20000000, "layer");
	graph_add_output(n.g, x, "y");
	net_finish(&n);
	s = make_schedule(&a, &n, 1, &t, 0, stderr);
	b = make_schedule(&a, &n, 1, &t, s->activation_peak + s->resident_bytes / 2, stderr);
	disk = 1e3 * (double)b->streamed_bytes / t.storage_bytes_per_s;
	tap_ok(!replay_bad(b, "late weights", 0, b->device_bytes) && b->warm_ms < 1.05 * disk,
	       "the disk is busy all the time: %.2f ms warm, kernels %.2f, disk %.2f", b->warm_ms, s->warm_ms, disk);
	arena_release(&a);
}

/* Pinning grows with the budget, also where everything could hide behind compute. */
static void test_graded(void)
{
	struct arena a = { 0 };
	struct target t = target_host();
	struct net n = net_new(&a, "graded");
	value_id x = graph_add_input(n.g, "x", DTYPE_F32, net_shape(768));
	struct schedule *s;
	uint64_t low, high, streamed[9];
	uint32_t grows = 0;

	for (uint32_t i = 0; i < 24; i++)
		x = net_linear(&n, x, 768, 24, 2000000000, arena_printf(&a, "layer %u", i));
	graph_add_output(n.g, x, "y");
	net_finish(&n);
	s = make_schedule(&a, &n, 1, &t, 0, stderr);
	low = s->smallest_budget;
	high = s->device_bytes;
	for (uint32_t i = 0; i < 9; i++) {
		streamed[i] = make_schedule(&a, &n, 1, &t, low + (high - low) * i / 8, stderr)->streamed_bytes;
		grows += i && streamed[i] > streamed[i - 1];
	}
	tap_ok(!grows && streamed[8] == 0 && streamed[7] < streamed[0] / 4,
	       "residency is graded: %llu KiB are read in each run at the smallest budget, %llu at half, %llu at 7/8",
	       (unsigned long long)streamed[0] >> 10, (unsigned long long)streamed[4] >> 10,
	       (unsigned long long)streamed[7] >> 10);
	arena_release(&a);
}

/* Nothing computes what has no elements; whoever asks for it is told so. */
static void test_empty(void)
{
	struct arena a = { 0 };
	struct target t = target_host();
	struct net n = net_new(&a, "empty");
	value_id x = graph_add_input(n.g, "x", DTYPE_F32, net_shape(256));
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);
	struct schedule *s;

	graph_add_output(n.g, net_linear(&n, x, 256, 8, 20000000, "layer"), "y");
	graph_add_output(n.g, net_value(&n, 0), "none");
	net_finish(&n);
	s = make_schedule(&a, &n, 1, &t, 0, out);
	fclose(out);
	tap_ok(!s && text && strstr(text, "output none has no elements"), "an output without elements: %s", text ? text : "");
	free(text);
	arena_release(&a);
}

static void test_feed(void)
{
	struct arena a = { 0 };
	struct target t = target_host();
	struct net n[2] = { net_new(&a, "one"), net_new(&a, "two") };
	struct sched_model m[2] = { { "one", n[0].ks }, { "two", n[1].ks } };
	struct sched_feed f = { 1, 0, "x", "y", NO_SPAN };
	struct sched_request r = { .name = "chain", .models = m, .model_count = 2, .feeds = &f, .feed_count = 1,
				   .target = &t };
	struct schedule *s;
	struct diag d;
	FILE *sink = fopen("/dev/null", "w");
	uint32_t head = NO_ID;
	char why[256] = "";

	for (uint32_t i = 0; i < 2; i++) {
		value_id x = graph_add_input(n[i].g, "x", DTYPE_F32, net_shape(256));

		for (uint32_t k = 0; k < 6; k++)
			x = net_linear(&n[i], x, 256, 8, 20000000, "layer");
		graph_add_output(n[i].g, x, "y");
		net_finish(&n[i]);
	}
	diag_init(&d, &a, sink);
	s = schedule_make(&a, &r, &d);
	tap_ok(s && s->tensors.len == 3 && !strcmp(s->tensors.data[0].name, "one.x") &&
	       !strcmp(s->tensors.data[1].name, "one.y") && !strcmp(s->tensors.data[2].name, "two.y"),
	       "a fed input is no input of the plan");
	tap_ok(s && schedule_replay(s, why, sizeof why), "and is where the output was%s%s", *why ? ": " : "", why);
	r.device_budget = s->activation_peak + 400 * 1024;
	s = schedule_make(&a, &r, &d);
	for (uint32_t i = 0; s && i < s->steps.len; i++)
		if (s->steps.data[i].model == 1) {
			head = i;
			break;
		}
	tap_ok(s && s->reads.data[s->steps.data[head - 1].reads_needed].after_step < (int32_t)head - 1,
	       "the tail of one model reads the head of the next");
	f.to_name = "z";
	tap_ok(!schedule_make(&a, &r, &d), "an input that is not there");
	f.to_name = "x";
	f.from_model = 1;
	tap_ok(!schedule_make(&a, &r, &d), "a feed from what runs later");
	f.from_model = 0;
	m[1].ks = m[0].ks; /* the same network twice: its weights are stored once */
	r.device_budget = 0;
	s = schedule_make(&a, &r, &d);
	tap_ok(s && s->weights.len == n[0].ks->weights.len && schedule_replay(s, why, sizeof why) &&
	       s->resident_bytes < s->weights_bytes + 8192, "a network that runs twice has one copy of its weights");
	fclose(sink);
	arena_release(&a);
}

/* ---- effort ---- */

static double schedule_seconds(uint32_t layers, uint64_t part, uint32_t *chunks)
{
	struct arena a = { 0 };
	struct target t = target_host();
	struct net n = net_new(&a, "huge");
	value_id x = graph_add_input(n.g, "x", DTYPE_F32, net_shape(768));
	struct schedule *s;
	struct timespec from, to;
	uint64_t budget;

	for (uint32_t i = 0; i < layers; i++)
		x = net_linear(&n, x, 1024, 16, 300000000, "layer");
	graph_add_output(n.g, x, "y");
	net_finish(&n);
	for (uint32_t i = 0; i < n.ks->weights.len; i++)
		n.ks->weights.data[i].value = 0; /* names are not what is measured */
	budget = (uint64_t)layers * (1024 * 16 * 128 + 2048) / part;
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &from);
	s = make_schedule(&a, &n, 1, &t, budget, stderr);
	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &to);
	*chunks = s ? s->chunks.len : 0;
	arena_release(&a);
	return (double)(to.tv_sec - from.tv_sec) + 1e-9 * (double)(to.tv_nsec - from.tv_nsec);
}

static void test_effort(void)
{
	uint32_t few, many;
	double a = schedule_seconds(4000, 20, &few), b = schedule_seconds(32000, 20, &many);
#ifdef __SANITIZE_ADDRESS__
	double limit = 15;
#else
	double limit = 3;
#endif

	tap_ok(many >= 60000 && b < limit, "%u chunks in %.2f s", many, b);
	tap_ok(b < 16 * a + 0.2, "8 times the chunks (%u, %u) take %.1f times as long", few, many, b / a);
}

/* ---- chunks of weights that stay ---- */

/* The largest chunk, and how many are smaller, of layers of about 2 MiB that all stay. */
static uint64_t largest_chunk(uint32_t layers, bool unified, uint32_t *smaller)
{
	struct arena a = { 0 };
	struct target t = target_host();
	struct net n = net_new(&a, "stays");
	value_id x = graph_add_input(n.g, "x", DTYPE_F32, net_shape(768));
	struct schedule *s;
	uint64_t most = 0;
	char why[256];

	for (uint32_t i = 0; i < layers; i++)
		x = net_linear(&n, x, 1024, 16, 300000000, "layer");
	graph_add_output(n.g, x, "y");
	net_finish(&n);
	t.unified = unified;
	s = make_schedule(&a, &n, 1, &t, 0, stderr);
	*smaller = 0;
	if (s && schedule_replay(s, why, sizeof why)) {
		for (uint32_t i = 0; i < s->chunks.len; i++)
			most = s->chunks.data[i].bytes > most ? s->chunks.data[i].bytes : most;
		for (uint32_t i = 0; i < s->chunks.len; i++)
			*smaller += s->chunks.data[i].bytes < most;
	}
	arena_release(&a);
	return most;
}

static void test_pages(void)
{
	uint32_t few, many, staged;
	uint64_t of_few = largest_chunk(30, true, &few), of_many = largest_chunk(100, true, &many),
		 of_staged = largest_chunk(100, false, &staged);

	tap_ok(of_few > 0 && of_few <= 1 << 20 && few > 0, "where little stays, chunks have at most 1 MiB: %llu bytes",
	       (unsigned long long)of_few);
	tap_ok(of_many == 2 << 20 && many <= 1, "where much does, each large page is one: %llu bytes, %u smaller",
	       (unsigned long long)of_many, many);
	tap_ok(of_staged > 0 && of_staged <= 1 << 20, "what is staged has no more than stages hold: %llu bytes",
	       (unsigned long long)of_staged);
}

int main(void)
{
	test_fill();
	test_pages();
	test_memory();
	test_memory_large();
	test_random();
	test_smallest();
	test_quality();
	test_spread();
	test_graded();
	test_feed();
	test_empty();
	test_effort();
	return tap_done();
}
