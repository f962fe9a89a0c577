/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_splat_train.c - training as a whole: bands, order, events, memory, repeatability.
 */
#include "config.h"

#include "splat_scene.h"
#include "tap.h"
#include "train/internal.h"
#include "train_plan.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { WIDTH = 70, HEIGHT = 50, POINTS = 90, PARAMETERS = 59, MOST = 4096 };

static struct failure failure;

static void must(enum edge_status st)
{
	if (st != EDGE_OK) {
		printf("Bail out! %s\n", failure.text);
		exit(1);
	}
}

static struct train *open_session(const char *plan, uint32_t threads)
{
	struct train_options o = { .plan = plan, .threads = threads, .no_cache = true };
	struct train *t = NULL;

	failure = (struct failure){ 0 };
	return plan && train_open(&o, &t, &failure) == EDGE_OK ? t : NULL;
}

static const char *make_plan(uint32_t steps, const char *statements, uint64_t budget, bool opencl)
{
	struct train_plan_request r = { .views = 6, .width = WIDTH, .height = HEIGHT, .points = POINTS, .steps = steps,
					.statements = statements, .budget = budget, .opencl = opencl };

	return train_plan_make(&r);
}

/* A session that the tests which follow cannot do without. */
static struct train *need_session(const char *plan, uint32_t threads)
{
	struct train *t = open_session(plan, threads);

	if (!t) {
		printf("Bail out! %s\n", failure.text);
		exit(1);
	}
	return t;
}

static void column(struct train *t, uint32_t part, uint32_t plane, float *out)
{
	must(train_part_read(t, part, plane, 0, train_gaussians(t), out, &failure));
}

static void set_column(struct train *t, uint32_t plane, const float *in, uint32_t n)
{
	must(train_parameter_write(t, plane, 0, n, in, &failure));
}

/* ---- bands ---- */

static void put_scene(struct train *t, const struct splat_scene *s)
{
	float x[MOST];

	for (uint32_t k = 0; k < PARAMETERS; k++) {
		for (uint32_t i = 0; i < s->count; i++) {
			const struct ref_gaussian *g = &s->gaussian[i];

			x[i] = (float)(k < 3 ? g->mean[k] : k < 6 ? g->log_scale[k - 3] : k < 10 ? g->rotation[k - 6] :
				       k == 10 ? g->opacity : g->sh[(k - 11) / 3][(k - 11) % 3]);
		}
		set_column(t, k, x, s->count);
	}
	t->counters.gaussians = s->count;
	t->counters.degree = s->sh_degree;
}

static void test_bands(const char *plan_file, const char *name)
{
	static float whole[3 * WIDTH * HEIGHT], parts[3 * WIDTH * HEIGHT];
	struct train *t = open_session(plan_file, 2);
	uint32_t most_bands = 0, differ = 0;

	if (!t) {
		tap_skip("%s: %s", name, failure.text);
		return;
	}
	for (uint64_t seed = 1; seed <= 10; seed++) {
		const struct edge_train *plan = t->plan;
		struct edge_train narrow = *plan;
		struct train_camera c = { .width = WIDTH, .height = HEIGHT };
		struct splat_scene s;

		splat_scene_make(&s, seed, POINTS, WIDTH, HEIGHT);
		put_scene(t, &s);
		c.fx = s.camera.fx;
		c.fy = s.camera.fy;
		c.cx = s.camera.cx;
		c.cy = s.camera.cy;
		memcpy(c.rotation, s.camera.rotation, sizeof c.rotation);
		memcpy(c.translation, s.camera.translation, sizeof c.translation);
		must(train_render(t, &c, whole, &failure));
		narrow.key_capacity = narrow.capacity;
		t->plan = &narrow;
		must(train_render(t, &c, parts, &failure));
		t->plan = plan;
		most_bands = t->state[STATE_BANDS] > most_bands ? t->state[STATE_BANDS] : most_bands;
		differ += memcmp(whole, parts, sizeof whole) != 0;
		splat_scene_free(&s);
	}
	tap_ok(differ == 0 && most_bands > 1, "%s: a picture in up to %u bands has the same bits (%u of 10 differ)", name,
	       most_bands, differ);
	train_close(t);
}

/* ---- repeatability ---- */

static uint64_t train_some(struct train *t, uint32_t steps, float *first_loss, float *last_loss)
{
	uint64_t hash = 0;
	uint32_t most = 0;

	for (uint32_t i = 0; i < steps; i++) {
		struct train_step_report r;

		must(train_step(t, &r, &failure));
		*(i == 0 ? first_loss : last_loss) = r.loss;
		most = r.gaussians > most ? r.gaussians : most;
	}
	for (uint32_t part = 0; part < train_part_count(t); part++) {
		struct train_part info;
		static char bytes[MOST * 4];

		train_part_info(t, part, &info);
		for (uint32_t k = 0; k < info.planes; k++) {
			must(train_part_read(t, part, k, 0, train_gaussians(t), bytes, &failure));
			hash = hash * 31 + edge_xxh3(bytes, train_gaussians(t) * info.element_bytes);
		}
	}
	return hash + most;
}

static void test_repeatable(const char *plan, const char *policy)
{
	uint64_t hash[2] = { 0 };
	float first = 0, last = 0;

	for (uint32_t i = 0; i < 2; i++) {
		struct train *t = need_session(plan, i + 1);

		hash[i] = train_some(t, 60, &first, &last);
		train_close(t);
	}
	tap_ok(hash[0] == hash[1], "policy %s: the same bits on one thread and on two", policy);
	/* diet removes what is large, which in so small a scene all points are */
	tap_ok(last < 0.75f * first || !strcmp(policy, "diet"), "policy %s: the loss falls from %.3f to %.3f", policy, (double)first, (double)last);
}

/* Lists with room for little: the same steps and events, in several bands. */
static void test_training_in_bands(const char *plan, const char *policy)
{
	uint64_t hash[2] = { 0 };
	uint32_t bands = 0, grown = 0;

	for (uint32_t narrow = 0; narrow < 2; narrow++) {
		struct train *t = need_session(plan, 2);
		const struct edge_train *whole = t->plan;
		struct edge_train less = *whole;

		less.key_capacity = narrow ? less.capacity : less.key_capacity;
		less.slot_capacity = narrow ? 7 : less.slot_capacity; /* most tiles' lists are longer */
		t->plan = &less;
		for (uint32_t i = 0; i < 30; i++) {
			float loss;

			hash[narrow] = train_some(t, 1, &loss, &loss);
			bands = narrow && t->state[STATE_BANDS] > bands ? t->state[STATE_BANDS] : bands;
		}
		grown = train_gaussians(t) - POINTS;
		t->plan = whole;
		train_close(t);
	}
	tap_ok(hash[0] == hash[1] && bands > 1,
	       "policy %s: trained in up to %u bands and rounds of 7, with the same bits (%u Gaussians more)", policy, bands,
	       grown);
}

/* ---- compact formats ---- */

/* A budget with which the plan is compact and keeps all colours. */
static uint64_t compact_budget(const char *plan, uint64_t each)
{
	struct train *t = need_session(plan, 2);
	const struct edge_train *x = t->plan;
	uint64_t bytes = x->bytes_fixed - 44 * (uint64_t)x->slot_capacity + 44 * (uint64_t)(x->capacity < 1024 ? x->capacity : 1024) +
			 each * (uint64_t)x->capacity;

	train_close(t);
	return bytes;
}

static void test_compact(const char *plan, uint32_t flags)
{
	static const float some[4] = { 0.25f, -1.5f, 3.0518e-5f, 0.0f };
	struct train *t = need_session(plan, 2);
	const struct edge_train *whole = t->plan;
	struct edge_train less = *whole;
	float back[4], first, last, loss = 0;
	uint64_t hash[3];

	tap_ok(whole->flags == flags && whole->sh_degree == 3 && train_part_count(t) == 5,
	       "compact: flags %u, degree %u, %llu bytes a Gaussian", whole->flags, whole->sh_degree,
	       (unsigned long long)whole->bytes_per_gaussian);
	for (uint32_t k = flags & EDGE_TRAIN_GREY ? 23 : 20; k < 29; k++) /* of degree 1, and of degree 2, where red, green and blue are one */
		set_column(t, k, some + (k < 23 && k != 21), 4 - (k < 23 && k != 21));
	must(train_parameter_read(t, flags & EDGE_TRAIN_GREY ? 24 : 21, 0, 4, back, &failure));
	tap_ok(!memcmp(back, some, 2 * sizeof *back), "compact: a colour of a coefficient comes back");
	must(train_parameter_read(t, 27, 0, 4, back, &failure));
	tap_ok(back[0] == some[0] && back[1] == some[1] && fabsf(back[2] - some[2]) < 1e-8f && back[3] == 0.0f,
	       "compact: a coefficient of all colours comes back");
	train_close(t);
	for (uint32_t i = 0; i < 3; i++) {
		t = need_session(plan, i == 1 ? 1 : 2);
		less = *t->plan;
		less.slot_capacity = i == 2 ? 7 : less.slot_capacity;
		t->plan = &less;
		hash[i] = train_some(t, 60, &first, &last);
		loss = last / first;
		train_close(t);
	}
	tap_ok(hash[0] == hash[1] && hash[0] == hash[2], "compact: the same bits on one thread, on two, and in rounds of 7");
	tap_ok(loss < 0.5f, "compact: the loss falls to %.2f of what it was", (double)loss);
}

/* ---- memory ---- */

static void test_budget(const char *statements, uint64_t budget)
{
	struct train *t = need_session(make_plan(60, statements, budget, false), 2);
	struct train_totals totals;
	uint32_t most = 0;

	for (uint32_t i = 0; i < 60; i++) {
		struct train_step_report r;

		must(train_step(t, &r, &failure));
		most = r.gaussians > most ? r.gaussians : most;
		train_totals(t, &totals);
		if (totals.device_bytes_now != totals.planned_device_bytes)
			most = UINT32_MAX;
	}
	tap_ok(totals.planned_device_bytes <= budget && totals.actual_device_bytes == totals.planned_device_bytes &&
		       most <= train_capacity(t),
	       "%llu bytes: the peak is the planned %llu, after all events; at most %u Gaussians of %u",
	       (unsigned long long)budget, (unsigned long long)totals.planned_device_bytes, most, train_capacity(t));
	train_close(t);
}

static void test_smallest(const char *statements, const char *plan)
{
	struct train *t = need_session(plan, 2);
	uint64_t smallest = t->s->plan.meta->smallest_budget_bytes;

	train_close(t);
	tap_ok(!make_plan(60, statements, smallest - 1, false), "a byte less than the smallest budget is refused");
	test_budget(statements, smallest);
	test_budget(statements, smallest + 20000);
}

/* ---- events ---- */

static void run_event(struct train *t, uint32_t kind, uint32_t most, struct train_step_report *out)
{
	struct edge_event e = { .step = 1, .kind = kind, .most = most };
	struct edge_plan *p = &t->s->plan;
	const struct edge_event *events = p->events;
	uint32_t count = p->event_count;

	p->events = &e;
	p->event_count = 1;
	*out = (struct train_step_report){ 0 };
	must(train_events(t, 1, out, &failure));
	p->events = events;
	p->event_count = count;
}

static int compare(const void *a, const void *b)
{
	float x, y;

	memcpy(&x, a, sizeof x);
	memcpy(&y, b, sizeof y);
	return x < y ? -1 : x > y;
}

static void test_prune(const char *plan)
{
	struct train *t = need_session(plan, 2);
	float x[MOST], opacity[MOST], weight[MOST], after[MOST], survivors[MOST];
	struct train_step_report r;
	uint32_t n, kept = 0;

	n = train_gaussians(t);
	for (uint32_t i = 0; i < n; i++) {
		x[i] = (float)i;
		opacity[i] = i % 5 == 0 ? -7.0f : 0.0f; /* transparent */
		weight[i] = (float)((i * 37) % n) / (float)n;
	}
	set_column(t, 0, x, n);
	set_column(t, 10, opacity, n);
	must(train_part_write(t, 3, 2, 0, n, weight, &failure));
	run_event(t, EDGE_EVENT_PRUNE, 50, &r);
	/* what should be left: the 50 heaviest of those that are not transparent */
	for (uint32_t i = 0; i < n; i++) {
		uint32_t heavier = 0;

		for (uint32_t k = 0; k < n; k++)
			heavier += k % 5 != 0 && weight[k] > weight[i];
		if (i % 5 != 0 && heavier < 50)
			survivors[kept++] = x[i];
	}
	tap_ok(train_gaussians(t) == 50 && kept == 50 && r.removed == n - 50 && r.added == 0, "prune: %u are left of %u",
	       train_gaussians(t), n);
	column(t, 0, 0, after);
	qsort(after, 50, sizeof *after, compare);
	tap_ok(memcmp(after, survivors, 50 * sizeof *after) == 0, "prune: the heaviest are left, whole");
	train_close(t);
}

static void test_densify(const char *plan)
{
	struct train *t = need_session(plan, 2);
	float gradient[MOST], one[MOST], x[MOST], m[MOST];
	struct train_step_report r;
	uint32_t n, most, zero = 0;

	n = train_gaussians(t);
	most = n + 20 < train_capacity(t) ? n + 20 : train_capacity(t);
	for (uint32_t i = 0; i < n; i++) {
		gradient[i] = 1e-3f * (float)((i * 31) % n);
		one[i] = 1.0f;
	}
	must(train_part_write(t, 3, 0, 0, n, gradient, &failure));
	must(train_part_write(t, 3, 1, 0, n, one, &failure));
	must(train_part_write(t, 1, 0, 0, n, one, &failure));
	run_event(t, EDGE_EVENT_DENSIFY, most, &r);
	tap_ok(r.added == most - n && train_gaussians(t) == most, "densify: %u more, as many as there is room for", r.added);
	column(t, 1, 0, m);
	column(t, 0, 0, x);
	for (uint32_t i = n; i < most; i++)
		zero += m[i] == 0.0f && isfinite(x[i]);
	tap_ok(zero == most - n, "densify: new ones begin with moments of zero");
	train_close(t);
}

static void test_relocate(const char *plan, const char *policy)
{
	struct train *t = need_session(plan, 2);
	float opacity[MOST], error[MOST];
	struct train_step_report r;
	uint32_t n, dead = 0;

	n = train_gaussians(t);
	for (uint32_t i = 0; i < n; i++) {
		opacity[i] = i % 3 == 0 ? -8.0f : 1.0f;
		error[i] = (float)i;
	}
	set_column(t, 10, opacity, n);
	must(train_part_write(t, 3, 3, 0, n, error, &failure));
	for (uint32_t i = 0; i < n; i++)
		error[i] = 1.0f; /* seen once, pulled, with weight */
	for (uint32_t plane = 0; plane < 3; plane++)
		must(train_part_write(t, 3, plane, 0, n, error, &failure));
	run_event(t, EDGE_EVENT_RELOCATE, n + 1, &r);
	column(t, 0, 10, opacity);
	for (uint32_t i = 0; i < train_gaussians(t); i++)
		dead += !(opacity[i] > -5.3f);
	tap_ok(dead == 0 && train_gaussians(t) <= n + 1 && train_gaussians(t) == n + r.added - r.removed,
	       "policy %s: none is transparent afterwards, %u of at most %u", policy, train_gaussians(t), n + 1);
	train_close(t);
}

static void test_reinitialise(const char *plan)
{
	struct train *t = need_session(plan, 2);
	struct train_step_report r;
	float x[MOST], first, last;
	uint32_t odd = 0;

	train_some(t, 20, &first, &last);
	run_event(t, EDGE_EVENT_REINITIALISE, t->plan->cap, &r);
	column(t, 0, 0, x);
	for (uint32_t i = 0; i < train_gaussians(t); i++)
		odd += !isfinite(x[i]);
	tap_ok(r.removed > 0 && r.added > 10 && train_gaussians(t) == r.added && r.added <= t->plan->cap && odd == 0,
	       "a set that begins anew has %u Gaussians on surfaces", r.added);
	must(train_step(t, &r, &failure));
	tap_ok(!r.skipped && isfinite(r.loss), "and trains on, loss %.3f", (double)r.loss);
	train_close(t);
}

/* ---- steps that are missed, and taken later ---- */

/* A parameter that sees no gradient in any of n steps, as Adam has it. */
static double without_gradient(const struct edge_train *x, uint32_t k, double p, double m, double v, uint32_t n)
{
	for (uint32_t step = 1; step <= n; step++) {
		double at = (double)step / x->steps, late = (at - x->settle_from) / (1 - x->settle_from);
		double left = x->rate_settled > 0 && late > 0 ? pow(x->rate_settled, late) : 1;
		double place = x->rate_position_first * pow(x->rate_position_last / x->rate_position_first, at);
		double rate = k < 3 ? place : k < 6 ? x->rate_scale : k < 10 ? x->rate_rotation : k == 10 ? x->rate_opacity :
			      x->rate_colour;

		m *= 0.9;
		v *= 0.999;
		p -= (k < 3 ? 1 : left) * rate * m / (1 - pow(0.9, step)) / (sqrt(v / (1 - pow(0.999, step))) + x->epsilon);
	}
	return p;
}

static void test_missed(const char *plan)
{
	struct train *t = need_session(plan, 2);
	float before[14][MOST], after[MOST], hidden[MOST], m[MOST], v[MOST], missed[MOST], first, last;
	uint32_t n = train_gaussians(t), owed = 0;
	double worst = 0;

	for (uint32_t i = 0; i < n; i++) {
		hidden[i] = -20.0f;
		m[i] = 0.01f * (float)(1 + i % 7);
		v[i] = 1e-4f * (float)(1 + i % 5);
	}
	set_column(t, 10, hidden, n); /* so no view shows any */
	t->s->plan.event_count = 0;
	for (uint32_t k = 0; k < 14; k++) {
		must(train_part_write(t, 1, k, 0, n, m, &failure));
		must(train_part_write(t, 2, k, 0, n, v, &failure));
		column(t, 0, k, before[k]);
	}
	train_some(t, t->plan->steps - 1, &first, &last);
	column(t, 3, 4, missed);
	for (uint32_t i = 0; i < n; i++)
		owed += missed[i] == (float)t->plan->steps - 1.0f;
	train_some(t, 1, &first, &last);
	for (uint32_t k = 0; k < 14; k++) {
		column(t, 0, k, after);
		for (uint32_t i = 0; i < n; i++) {
			double p = (double)before[k][i], wanted = without_gradient(t->plan, k, p, (double)m[i], (double)v[i], t->plan->steps);

			worst = fmax(worst, fabs((double)after[i] - wanted) / (fabs(wanted - p) + 1e-2 * fabs(p)));
		}
	}
	column(t, 3, 4, missed);
	for (uint32_t i = 0; i < n; i++)
		owed += missed[i] == 0.0f;
	tap_ok(owed == 2 * n, "what no view shows misses steps, and has taken all of them in the end");
	tap_ok(worst < 1e-4, "the steps taken late are Adam's, within %.2g of them", worst);
	train_close(t);
}

static void test_reorder(const char *plan)
{
	struct train *t = need_session(plan, 2);
	float tag[MOST], place[3][MOST], now[4][MOST], found[MOST] = { 0 };
	uint32_t n = train_gaussians(t), whole = 0, all = 0;
	double apart[2] = { 0 };
	struct train_step_report r;

	for (uint32_t i = 0; i < n; i++)
		tag[i] = (float)i;
	for (uint32_t k = 0; k < 3; k++) {
		column(t, 0, k, place[k]);
		for (uint32_t i = 0; i < n; i++) { /* far away distances count for less */
			float x = place[k][i] - t->plan->centre[k];

			place[k][i] = x / (t->plan->extent + fabsf(x));
		}
	}
	set_column(t, 58, tag, n);
	must(train_part_write(t, 1, 17, 0, n, tag, &failure));
	must(train_part_write(t, 2, 0, 0, n, tag, &failure));
	must(train_part_write(t, 3, 4, 0, n, tag, &failure));
	for (uint32_t i = 1; i < n; i++)
		for (uint32_t k = 0; k < 3; k++)
			apart[0] += fabs((double)(place[k][i] - place[k][i - 1]));
	run_event(t, EDGE_EVENT_REORDER, n, &r);
	column(t, 0, 58, now[0]);
	column(t, 1, 17, now[1]);
	column(t, 2, 0, now[2]);
	column(t, 3, 4, now[3]);
	for (uint32_t i = 0; i < n; i++)
		whole += now[0][i] == now[1][i] && now[1][i] == now[2][i] && now[2][i] == now[3][i];
	for (uint32_t i = 0; i < n && whole == n; i++) {
		uint32_t was = (uint32_t)now[0][i], before = (uint32_t)now[0][i ? i - 1 : 0];

		all += was < n && found[was]++ == 0.0f;
		for (uint32_t k = 0; k < 3; k++)
			apart[1] += fabs((double)(place[k][was] - place[k][before]));
	}
	tap_ok(r.added == 0 && r.removed == 0 && whole == n && all == n, "reorder: all %u Gaussians are there, and whole", n);
	tap_ok(apart[1] < 0.9 * apart[0], "reorder: neighbours are closer, %.3g instead of %.3g", apart[1] / n, apart[0] / n);
	train_close(t);
}

int main(void)
{
	static const char diet[] = "policy diet; densify every 10 from 5 until 50; prune every 10; compensate every 5 from 20 "
				   "until 50;";
	static const char automatic[] = "policy auto; densify every 10 from 5 until 50;";
	static const char relocate[] = "policy relocate; densify every 10 from 5 until 50;";
	const char *plan = make_plan(60, diet, 0, false);

	test_bands(plan, "native");
	test_repeatable(plan, "diet");
	test_training_in_bands(plan, "diet");
	test_prune(plan);
	test_densify(plan);
	test_smallest(diet, plan);
	plan = make_plan(60, automatic, 0, false);
	test_repeatable(plan, "auto");
	test_relocate(plan, "auto");
	test_training_in_bands(plan, "auto");
	test_reinitialise(plan);
	test_missed(plan);
	test_reorder(plan);
	test_compact(make_plan(60, automatic, compact_budget(plan, 174), false), EDGE_TRAIN_COMPACT);
	test_compact(make_plan(60, automatic, compact_budget(make_plan(60, automatic, 0, false), 160), false),
		     EDGE_TRAIN_COMPACT | EDGE_TRAIN_GREY);
	plan = make_plan(60, relocate, 0, false);
	test_repeatable(plan, "relocate");
	test_relocate(plan, "relocate");
	test_bands(make_plan(60, relocate, 0, true), "opencl");
	train_plan_remove();
	return tap_done();
}
