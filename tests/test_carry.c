/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_carry.c - weights that launches carry into images: schedules of random
 * networks by their meaning, what replay and plan_check find wrong, and the
 * capacities that say how much.
 */
#include "config.h"

#include "sched_net.h"
#include "tap.h"

#include "base/file.h"
#include "edge/plan_read.h"
#include "plan/plan.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Weights become texels (all, or some of them), and launches may carry. */
static void carrying(struct net *n, uint64_t seed, bool all)
{
	struct kernel_set *ks = n->ks;

	for (uint32_t i = 0; i < ks->weights.len; i++)
		/* a part of what stays must be a buffer of its own */
		ks->weights.data[i].packing.texture = all || ks->weights.data[i].granule_bytes % 512 ||
						      net_below(&seed, 4) != 0;
	for (uint32_t i = 0; i < ks->launches.len; i++) {
		struct launch *l = &ks->launches.data[i];
		struct kernel *k = &ks->kernels.data[l->kernel];

		l->load = (enum target_load)net_below(&seed, TARGET_LOAD_CLASSES);
		if (l->split_dim == 0)
			l->global[1] = 1 + net_below(&seed, 300);
		for (uint32_t p = 0; p < l->arg_count && all; p++)
			if (l->arg[p].kind == ARG_WEIGHT)
				k->param[p].kind = EDGE_PARAM_IMAGE;
		k->loading = arena_copy(n->a, k, sizeof *k);
	}
	for (uint32_t i = 0; i < ks->kernels.len; i++) {
		struct kernel *k = &ks->kernels.data[i], *x = k->loading;

		x->name = arena_printf(n->a, "%s_load", k->name);
		x->param_count = k->param_count + EDGE_LOAD_PARAMS;
		x->param = arena_new_array(n->a, struct kernel_param, x->param_count);
		for (uint32_t p = 0; p < EDGE_LOAD_PARAMS; p++)
			x->param[p] = (struct kernel_param){ EDGE_PARAM_I32, 0, "load" };
		x->param[0].kind = EDGE_PARAM_IMAGE;
		x->param[0].access = EDGE_PARAM_WRITE;
		x->param[1].kind = EDGE_PARAM_GLOBAL;
		x->param[1].access = EDGE_PARAM_READ;
		memcpy(x->param + EDGE_LOAD_PARAMS, k->param, k->param_count * sizeof *k->param);
	}
}

static struct target gpu_target(double capacity)
{
	struct target t = target_host();

	t.backend = TARGET_OPENCL;
	t.kernels = TARGET_GPU_KERNELS;
	t.weights = TARGET_TEXTURES;
	t.copies = TARGET_COPIES_KERNELS;
	t.unified = false;
	t.align = 512;
	t.capacity[TARGET_LOAD_ELEMENTWISE] = 2 * capacity;
	t.capacity[TARGET_LOAD_REUSABLE] = capacity;
	t.upload_bytes_per_s = 2e9;
	return t;
}

static struct schedule *schedule_net(struct arena *a, const struct net *n, const struct target *t, uint64_t budget, FILE *to)
{
	struct sched_model m = { "net", n->ks };
	struct sched_request r = { .name = "test", .models = arena_copy(a, &m, sizeof m), .model_count = 1,
				   .target = t, .device_budget = budget };
	struct diag d;

	diag_init(&d, a, to);
	return schedule_make(a, &r, &d);
}

static uint64_t carried_bytes(const struct schedule *s)
{
	uint64_t bytes = 0;

	for (uint32_t i = 0; i < s->loads.len; i++)
		bytes += s->buffers.data[s->loads.data[i].from].bytes;
	return bytes;
}

static void test_random(void)
{
	uint32_t bad_replay = 0, bad_size = 0, refused = 0, schedules = 0, carry = 0, several = 0;

	for (uint32_t i = 0; i < 90; i++) {
		struct arena a = { 0 };
		struct net n = net_random_new(&a, i, 4 + i % 40);
		struct target t = gpu_target(i % 3 == 0 ? 3e9 : i % 3 == 1 ? 60e9 : 4e11), plain;
		uint64_t seed = i, smallest, most;
		struct schedule *s;

		carrying(&n, i, i % 2);
		if (i % 4 == 0)
			t.max_region_bytes = 640 * 1024;
		plain = t;
		plain.copies = TARGET_COPIES_QUEUE;
		s = schedule_net(&a, &n, &plain, 0, stderr);
		smallest = s->smallest_budget;
		most = s->device_bytes;
		for (uint32_t k = 0; k < 10; k++) {
			uint64_t budget = k == 0 ? smallest : k == 1 ? most : smallest + net_random(&seed) % (most - smallest + 1);
			char why[256] = "";

			schedules++;
			if (!(s = schedule_net(&a, &n, &t, budget, stderr))) {
				refused++;
				continue;
			}
			if (!schedule_replay(s, why, sizeof why)) {
				printf("# net %u, budget %llu: %s\n", i, (unsigned long long)budget, why);
				bad_replay++;
			}
			bad_size += s->device_bytes > budget || s->smallest_budget != smallest ||
				    carried_bytes(s) > s->streamed_bytes;
			carry += s->loads.len > 0;
			several += s->loads.len > 4;
		}
		arena_release(&a);
	}
	tap_ok(!bad_replay, "every step of %u schedules finds its weights, %u carry some, %u in more than four launches", schedules,
	       carry, several);
	tap_ok(!refused, "every budget that works with the queue works with kernels");
	tap_ok(!bad_size, "regions fit the budget, and the smallest one is the same");
	tap_ok(carry > schedules / 8 && several > schedules / 16, "weights are carried");
}

/* Ten layers of one shape: most of what streams can be carried, unless the capacity is nothing. */
static struct net even_net(struct arena *a)
{
	struct net n = net_new(a, "even");
	value_id x = graph_add_input(n.g, "x", DTYPE_F32, net_shape(512));

	for (uint32_t i = 0; i < 10; i++) {
		uint32_t w = net_weight(&n, 512, 16, arena_printf(a, "w%u", i));
		value_id y = net_value(&n, 512);
		struct kernel_arg arg[] = { { .kind = ARG_VALUE, .id = x }, { .kind = ARG_WEIGHT, .id = w, .split = true },
					    { .kind = ARG_VALUE, .id = y, .written = true }, { .kind = ARG_FIRST_GRANULE } };

		net_launch(&n, arg, 4, 16, true, 200000000, NO_ID, "layer");
		x = y;
	}
	graph_add_output(n.g, x, "y");
	net_finish(&n);
	carrying(&n, 1, true);
	for (uint32_t i = 0; i < n.ks->launches.len; i++) {
		n.ks->launches.data[i].load = TARGET_LOAD_REUSABLE;
		n.ks->launches.data[i].global[1] = 256;
	}
	return n;
}

static void test_capacity(void)
{
	struct arena a = { 0 };
	struct net n = even_net(&a);
	uint64_t last = 0, budget = 0;
	double capacity[] = { 1e3, 2e8, 1e9, 1e11 };
	bool grows = true;

	for (uint32_t i = 0; i < 4; i++) {
		struct target t = gpu_target(capacity[i]);
		struct schedule *s = schedule_net(&a, &n, &t, budget, stderr);

		if (!budget) { /* everything; then a third of it */
			budget = s->device_bytes / 3;
			s = schedule_net(&a, &n, &t, budget, stderr);
		}
		printf("# %.0e bytes a second: %llu of %llu are carried by %u launches\n", capacity[i],
		       (unsigned long long)carried_bytes(s), (unsigned long long)s->streamed_bytes, s->loads.len);
		grows = grows && (i ? carried_bytes(s) >= last : !s->loads.len);
		last = carried_bytes(s);
		if (i == 3)
			tap_ok(last * 2 > s->streamed_bytes, "with much capacity most is carried");
	}
	tap_ok(grows, "nothing is carried without capacity, and more with more");
	arena_release(&a);
}

/* ---- what is wrong is found ---- */

struct image {
	uint8_t *data;
	size_t size;
};

static struct edge_section *section(struct image i, uint32_t kind)
{
	struct edge_header *h = (void *)i.data;
	struct edge_section *s = (void *)(i.data + h->prefix.header_size);

	while (s->kind != kind)
		s++;
	return s;
}

static void rehash(struct image i)
{
	struct edge_header *h = (void *)i.data;
	struct edge_section *s = (void *)(i.data + h->prefix.header_size);

	for (uint32_t k = 0; k < h->prefix.section_count; k++)
		if (s[k].kind != EDGE_SECTION_WEIGHTS)
			s[k].xxh3 = edge_xxh3(i.data + s[k].offset, s[k].size);
	h->table_xxh3 = edge_xxh3(s, h->prefix.section_count * sizeof *s);
	h->header_xxh3 = edge_xxh3(h, offsetof(struct edge_header, header_xxh3));
}

static struct image write_plan(void)
{
	struct arena a = { 0 };
	struct net n = even_net(&a);
	struct target t = gpu_target(1e11);
	struct schedule *s = schedule_net(&a, &n, &t, 0, stderr);
	struct image i = { 0 };
	struct mapped_file m;
	const char *dir = getenv("TMPDIR");
	const char *path = arena_printf(&a, "%s/edge-carry-%ld.plan", dir ? dir : "/tmp", (long)getpid());
	struct diag d;

	diag_init(&d, &a, stderr);
	s = schedule_net(&a, &n, &t, s->device_bytes / 3, stderr);
	if (s && s->loads.len && plan_write(&a, s, "test", path, NULL, &d) && file_map(path, &m)) {
		i = (struct image){ memcpy(malloc(m.size), m.data, m.size), m.size };
		file_unmap(&m);
	}
	unlink(path);
	arena_release(&a);
	return i;
}

/* Adds to a field of the first load, or of an argument of its step, or of an image's parameter. */
static bool refused(struct image good, uint32_t kind, size_t offset, unsigned size, int64_t add, const char *what, const char *word)
{
	struct image i = { memcpy(malloc(good.size), good.data, good.size), good.size };
	uint8_t *at = i.data + section(i, kind)->offset + offset;
	struct edge_plan p;
	char why[256] = "";
	uint64_t x = 0;
	bool ok;

	memcpy(&x, at, size);
	x += (uint64_t)add;
	memcpy(at, &x, size);
	rehash(i);
	ok = plan_check(i.data, i.size, &p, why, sizeof why) == EDGE_BAD && strstr(why, word);
	if (!ok)
		printf("# %s %+lld: \"%s\"\n", what, (long long)add, why);
	free(i.data);
	return ok;
}

#define LOAD(field, add, word) \
	bad += !refused(i, EDGE_SECTION_LOADS, offsetof(struct edge_load, field), sizeof(((struct edge_load *)0)->field), add, \
			#field, word)
#define ARG(n, field, add, word) \
	bad += !refused(i, EDGE_SECTION_ARGS, (first + (n)) * sizeof(struct edge_arg) + offsetof(struct edge_arg, field), \
			sizeof(((struct edge_arg *)0)->field), add, "argument " #n " " #field, word)

static void test_records(void)
{
	struct image i = write_plan();
	struct edge_plan p;
	char why[256] = "";
	uint32_t bad = 0, first, param;

	tap_ok(i.data && plan_check(i.data, i.size, &p, why, sizeof why) == EDGE_OK, "a plan whose launches carry is accepted%s%s",
	       *why ? ": " : "", why);
	if (!i.data || *why)
		return;
	first = p.steps[p.loads[0].step].arg_first;
	param = p.kernels[p.steps[p.loads[0].step].index].param_first;
	LOAD(step, 1, "");
	LOAD(step, -1, "");
	LOAD(step, 100000, "");
	LOAD(read, 1, "");
	LOAD(read, 100000, "read");
	LOAD(from, 1, "region");
	LOAD(from, 1000, "region");
	LOAD(to, -2, "region");
	LOAD(to, 1, "");
	LOAD(from_offset, 8, "fit");
	LOAD(from_offset, 4096, "");
	LOAD(from_offset, INT64_MIN, "fit");
	LOAD(to_offset, 4096, "");
	LOAD(to_offset, -4096, "");
	LOAD(to_offset, (int64_t)1 << 40, "fit");
	LOAD(bytes, -4096, "");
	LOAD(bytes, 1, "fit");
	LOAD(bytes, (int64_t)1 << 40, "fit");
	ARG(0, kind, -4, "kind");
	ARG(0, buffer, 1, "");
	ARG(1, buffer, 1, "");
	ARG(2, value, 1, "carry");
	ARG(3, value, 1, "carry");
	ARG(3, value, -1, "carry");
	ARG(4, value, -100000, "carry");
	ARG(4, value, INT32_MAX / 2, "carry");
	bad += !refused(i, EDGE_SECTION_PARAMS, param * sizeof(struct edge_param) + offsetof(struct edge_param, access), 4,
			-EDGE_PARAM_READ, "written image", "image");
	tap_ok(!bad, "wrong records and arguments of loads are refused");
	free(i.data);
}

static void test_replay(void)
{
	struct arena a = { 0 };
	struct net n = even_net(&a);
	struct target t = gpu_target(1e11);
	struct schedule *s = schedule_net(&a, &n, &t, 0, stderr);
	uint32_t found = 0, loads;
	char why[256];

	s = schedule_net(&a, &n, &t, s->device_bytes / 3, stderr);
	loads = s->loads.len;
	for (uint32_t i = 0; i < loads; i++) { /* not carried at all; read into its place too early */
		uint32_t step = s->loads.data[i].step;
		struct sched_read *r = &s->reads.data[s->loads.data[i].read];

		s->steps.data[step].load = NO_ID;
		found += !schedule_replay(s, why, sizeof why);
		s->steps.data[step].load = i;
		s->loads.data[i].each = 0;
		found += !schedule_replay(s, why, sizeof why);
		s->loads.data[i].each = 4096;
		r->offset += SCHED_PAGE;
		found += !schedule_replay(s, why, sizeof why);
		r->offset -= SCHED_PAGE;
	}
	tap_ok(loads && found == 3 * loads && schedule_replay(s, why, sizeof why),
	       "replay finds what is not carried, or not from where it is, in %u loads", loads);
	for (uint32_t i = 0; i < s->reads.len; i++)
		if (!s->reads.data[i].once)
			s->reads.data[i].after_step = -1;
	tap_ok(!schedule_replay(s, why, sizeof why), "and reads into places that are not free: %s", why);
	arena_release(&a);
}

int main(void)
{
	test_random();
	test_capacity();
	test_replay();
	test_records();
	return tap_done();
}
