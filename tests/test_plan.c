/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_plan.c - plan files: what is written is what was scheduled, and what
 * is damaged is refused. With a folder as argument: writes the corpus there.
 */
#include "config.h"

#include "plan_builder.h"
#include "sched_net.h"
#include "tap.h"

#include "base/file.h"
#include "edge/plan_read.h"
#include "plan/explain.h"
#include "plan/plan.h"

#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

struct image {
	uint8_t *data;
	size_t size;
};

static struct image load(const char *path)
{
	struct mapped_file m;
	struct image i = { 0 };

	if (file_map(path, &m)) {
		i.size = m.size;
		i.data = memcpy(malloc(m.size ? m.size : 1), m.data, m.size);
		file_unmap(&m);
	}
	return i;
}

static enum edge_status status(struct image i)
{
	struct edge_plan p;
	char why[128];

	return plan_check(i.data, i.size, &p, why, sizeof why);
}

static const char *temporary(const char *name)
{
	static char path[4][256];
	static unsigned turn;
	const char *dir = getenv("TMPDIR");
	char *p = path[turn++ % 4];

	snprintf(p, sizeof path[0], "%s/edge-%ld-%s", dir ? dir : "/tmp", (long)getpid(), name);
	return p;
}

/* ---- writing ---- */

static struct schedule *schedule_net(struct arena *a, const struct net *n, uint64_t budget, struct diag *d)
{
	struct sched_model m = { "net", n->ks };
	struct target t = target_host();
	struct sched_request r = { .name = "test", .models = arena_copy(a, &m, sizeof m), .model_count = 1,
				   .target = &t, .device_budget = budget };

	t.backend = TARGET_OPENCL; /* the kernels of these networks are no code */
	diag_init(d, a, stderr);
	return schedule_make(a, &r, d);
}

/* x -> linear -> y: small enough to be built by hand. */
static struct net tiny_net(struct arena *a)
{
	struct net n = net_new(a, "tiny");
	value_id x = graph_add_input(n.g, "x", DTYPE_F32, net_shape(8));

	graph_add_output(n.g, net_linear(&n, x, 8, 2, 1024, "fc"), "y");
	net_finish(&n);
	return n;
}

static struct image tiny_plan(void)
{
	struct arena a = { 0 };
	struct net n = tiny_net(&a);
	const char *path = temporary("tiny.plan");
	struct diag d;
	struct image i = { 0 };

	if (plan_write(&a, schedule_net(&a, &n, 0, &d), "test", path, NULL, &d))
		i = load(path);
	unlink(path);
	arena_release(&a);
	return i;
}

static uint32_t wrong_weights(const struct schedule *s, const struct edge_plan *p, struct diag *d)
{
	uint32_t wrong = 0;

	for (uint32_t c = 0; c < s->chunks.len; c++)
		for (uint32_t k = 0; k < s->chunks.data[c].piece_count; k++) {
			const struct sched_piece *x = &s->pieces.data[s->chunks.data[c].piece_first + k];
			const struct sched_weight *sw = &s->weights.data[x->weight];
			const struct weight *w = &sw->ks->weights.data[sw->index];
			unsigned char *all = xmalloc(w->bytes);

			wrong += !pack_weight(sw->ks->graph, w, all, d) ||
				 memcmp(all + x->offset, p->data + p->chunks[c].offset + x->at, x->bytes);
			free(all);
		}
	return wrong;
}

static void test_write(void)
{
	uint32_t unlike = 0, refused = 0, wrong = 0, numbers_off = 0, plans = 0;

	for (uint64_t seed = 0; seed < 24; seed++) {
		struct arena a = { 0 };
		struct net n = net_random_new(&a, seed, 4 + (uint32_t)seed);
		struct diag d;
		struct schedule *s = schedule_net(&a, &n, 0, &d);
		const char *path[2] = { temporary("a.plan"), temporary("b.plan") };
		struct plan_numbers m;
		struct edge_plan p;
		struct image i, j;
		char why[256];

		if (seed % 3)
			s = schedule_net(&a, &n, s->smallest_budget + (seed % 5) * (s->device_bytes - s->smallest_budget) / 5, &d);
		plans++;
		if (!plan_write(&a, s, "1", path[0], &m, &d) || !plan_write(&a, s, "1", path[1], NULL, &d)) {
			refused++;
			continue;
		}
		i = load(path[0]);
		j = load(path[1]);
		unlike += i.size != j.size || memcmp(i.data, j.data, i.size);
		if (plan_check(i.data, i.size, &p, why, sizeof why) || plan_check_chunks(&p, why, sizeof why)) {
			printf("# seed %llu: %s\n", (unsigned long long)seed, why);
			refused++;
		} else {
			wrong += wrong_weights(s, &p, &d);
			numbers_off += m.bytes != i.size || m.steps != p.step_count || m.kernels != p.kernel_count ||
				       m.planned_device_bytes != p.meta->planned_device_bytes;
		}
		free(i.data);
		free(j.data);
		unlink(path[0]);
		unlink(path[1]);
		arena_release(&a);
	}
	tap_ok(!refused, "%u random plans are written and accepted", plans);
	tap_ok(!unlike, "the same schedule gives the same bytes");
	tap_ok(!wrong, "every piece of every chunk is its weight's bytes");
	tap_ok(!numbers_off, "the numbers for --json are the file's");
}

static void test_write_fails(void)
{
	struct arena a = { 0 };
	struct net n = tiny_net(&a);
	FILE *sink = fopen("/dev/null", "w");
	struct diag d;
	struct schedule *s = schedule_net(&a, &n, 0, &d);

	d.out = sink;
	tap_ok(!plan_write(&a, s, "1", "/nonexistent/x.plan", NULL, &d) && d.errors == 1, "a folder that is not there");
	fclose(sink);
	arena_release(&a);
}

/* ---- the same plan by hand ---- */

static void hand_meta(struct plan_builder *b, uint32_t test, uint32_t host, const struct edge_meta *m)
{
	b->meta = (struct edge_meta){ .kind = EDGE_PLAN_RUN, .backend = EDGE_BACKEND_OPENCL,
				      .kernel_style = EDGE_KERNELS_CPU, .name = test, .device_name = host,
				      .compiler = test, .planned_device_bytes = 384 + 4096,
				      /* streaming the one page would need as much */
				      .smallest_budget_bytes = 384 + 4096, .weights_bytes = 8 * 64 * 4 + 64 * 4,
				      .resident_bytes = 4096, .activation_peak_bytes = 384,
				      .activation_lower_bound_bytes = 384, .flops = 1024 };
	/* what the cost model says is not the format's business */
	b->meta.predicted_ms = m->predicted_ms;
	b->meta.predicted_warm_ms = m->predicted_warm_ms;
	b->meta.lower_bound_ms = m->lower_bound_ms;
	b->meta.storage_bytes_per_s = m->storage_bytes_per_s;
	b->meta.flops_per_s = m->flops_per_s;
	b->meta.memory_bytes_per_s = m->memory_bytes_per_s;
	b->meta.launch_ms = m->launch_ms;
}

static uint32_t add(struct plan_builder *b, uint32_t kind, const void *record, uint32_t stride)
{
	return builder_add(b, kind, record, stride);
}

#define ADD(b, kind, type, ...) add(b, EDGE_SECTION_##kind, &(type){ __VA_ARGS__ }, sizeof(type))

/* Packed as panels: w[8][64] -> [2][8][32], then the bias. */
static void hand_weights(struct plan_builder *b)
{
	struct arena a = { 0 };
	struct net n = tiny_net(&a);
	float w[8 * 64], bias[64], packed[8 * 64 + 64];
	struct diag d;

	diag_init(&d, &a, stderr);
	data_read_f32(n.g, n.ks->weights.data[0].value, w, &d);
	data_read_f32(n.g, n.ks->weights.data[1].value, bias, &d);
	for (int panel = 0; panel < 2; panel++)
		for (int k = 0; k < 8; k++)
			for (int c = 0; c < 32; c++)
				packed[(panel * 8 + k) * 32 + c] = w[k * 64 + panel * 32 + c];
	memcpy(packed + 8 * 64, bias, sizeof bias);
	builder_chunk(b, packed, sizeof packed);
	arena_release(&a);
}

/* Words and their order are the writer's; where they are used is up to the hand. */
static uint32_t word(const struct edge_plan *p, const char *text)
{
	uint32_t at = 0;

	while (at < p->strings_size && strcmp(plan_string(p, at), text))
		at += (uint32_t)strlen(plan_string(p, at)) + 1;
	return at;
}

static void hand_plan(struct plan_builder *b, const struct edge_plan *p)
{
	static const char *const param[] = { "p0", "p1", "p2", "p3", "p4", "p5" };
	uint32_t x = word(p, "x"), y = word(p, "y"), net = word(p, "net");

	builder_init(b);
	b->section[EDGE_SECTION_STRINGS].count = 0;
	for (uint32_t at = 0; at < p->strings_size; at += (uint32_t)strlen(plan_string(p, at)) + 1)
		builder_string(b, plan_string(p, at));
	hand_meta(b, word(p, "test"), word(p, "host"), p->meta);
	ADD(b, PROGRAMS, struct edge_program, word(p, "/* prelude */\n__kernel void kvwwoig();\n"),
	    word(p, "-cl-std=CL1.2"));
	ADD(b, KERNELS, struct edge_kernel, word(p, "kvwwoig"), 0, 0, 6);
	for (int i = 0; i < 6; i++)
		ADD(b, PARAMS, struct edge_param, i < 4 ? EDGE_PARAM_GLOBAL : EDGE_PARAM_I32,
		    i == 3 ? EDGE_PARAM_READ | EDGE_PARAM_WRITE : i < 4 ? EDGE_PARAM_READ : 0, word(p, param[i]), 0);
	ADD(b, TENSORS, struct edge_tensor, .name = x, .direction = EDGE_TENSOR_INPUT, .dtype = EDGE_F32, .rank = 2,
	    .dim = { 1, 8 }, .buffer = p->tensors[0].buffer, .bytes = 32);
	ADD(b, TENSORS, struct edge_tensor, .name = y, .direction = EDGE_TENSOR_OUTPUT, .dtype = EDGE_F32, .rank = 2,
	    .dim = { 1, 64 }, .buffer = p->tensors[1].buffer, .bytes = 256);
	ADD(b, MODELS, struct edge_model, net, 0, 3, 0, 8 * 64 * 4 + 256, 1024);
	ADD(b, REGIONS, struct edge_region, EDGE_REGION_ACTIVATIONS, EDGE_SPACE_DEVICE, 384);
	ADD(b, REGIONS, struct edge_region, EDGE_REGION_RESIDENT, EDGE_SPACE_DEVICE, 4096);
	ADD(b, BUFFERS, struct edge_buffer, 0, 0, 256, 128);
	ADD(b, BUFFERS, struct edge_buffer, 0, 0, 0, 256);
	ADD(b, BUFFERS, struct edge_buffer, 1, 0, 0, 2048);
	ADD(b, BUFFERS, struct edge_buffer, 1, 0, 2048, 256);
	hand_weights(b);
	ADD(b, READS, struct edge_read, 0, 1, 0, EDGE_NONE, EDGE_READ_ONCE, p->reads[0].predicted_start_ms,
	    p->reads[0].predicted_end_ms);
	for (uint32_t i = 0; i < 3; i++)
		ADD(b, STEPS, struct edge_step, .kind = i == 0 ? EDGE_STEP_INPUT : i == 1 ? EDGE_STEP_KERNEL : EDGE_STEP_OUTPUT,
		    .index = i == 2, .arg_first = i == 2 ? 6 : 0, .arg_count = i == 1 ? 6 : 0,
		    .global = { i == 1 ? 2 : 1, 1, 1 }, .local = { 1, 1, 1 }, .reads_needed = i >= 1,
		    .flops = i == 1 ? 1024 : 0, .bytes = i == 0 ? 64 : i == 1 ? 4096 + 2048 + 256 : 512,
		    .predicted_ms = p->steps[i].predicted_ms, .predicted_start_ms = p->steps[i].predicted_start_ms);
	ADD(b, ARGS, struct edge_arg, EDGE_PARAM_GLOBAL, 0, { 0 });
	ADD(b, ARGS, struct edge_arg, EDGE_PARAM_GLOBAL, 2, { 0 });
	ADD(b, ARGS, struct edge_arg, EDGE_PARAM_GLOBAL, 3, { 0 });
	ADD(b, ARGS, struct edge_arg, EDGE_PARAM_GLOBAL, 1, { 0 });
	ADD(b, ARGS, struct edge_arg, EDGE_PARAM_I32, 0, { 8 });
	ADD(b, ARGS, struct edge_arg, EDGE_PARAM_I32, 0, { 0 });
}

static const struct edge_section *section(struct image i, uint32_t kind)
{
	const struct edge_header *h = (void *)i.data;
	const struct edge_section *s = (void *)(i.data + h->prefix.header_size);

	for (uint32_t k = 0; k < h->prefix.section_count; k++)
		if (s[k].kind == kind)
			return &s[k];
	return NULL;
}

static void test_by_hand(struct image tiny)
{
	static const uint32_t kinds[] = { EDGE_SECTION_META, EDGE_SECTION_REGIONS, EDGE_SECTION_BUFFERS,
					  EDGE_SECTION_PROGRAMS, EDGE_SECTION_KERNELS, EDGE_SECTION_PARAMS,
					  EDGE_SECTION_STEPS, EDGE_SECTION_ARGS, EDGE_SECTION_TENSORS,
					  EDGE_SECTION_MODELS, EDGE_SECTION_READS, EDGE_SECTION_WEIGHTS };
	struct plan_builder b;
	struct edge_plan p, q;
	struct image hand;
	char why[256];
	uint32_t differ = 0;

	plan_check(tiny.data, tiny.size, &p, why, sizeof why);
	hand_plan(&b, &p);
	hand.data = builder_finish(&b, &hand.size);
	tap_ok(plan_check(hand.data, hand.size, &q, why, sizeof why) == EDGE_OK, "a plan made by hand is accepted%s%s",
	       *why ? ": " : "", why);
	for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
		const struct edge_section *x = section(tiny, kinds[i]), *y = section(hand, kinds[i]);

		if (!y || x->size != y->size || memcmp(tiny.data + x->offset, hand.data + y->offset, x->size)) {
			printf("# section %u differs\n", kinds[i]);
			differ++;
		}
	}
	tap_ok(!differ && q.chunk_count == 1 && q.chunks[0].xxh3 == p.chunks[0].xxh3,
	       "and its sections are what the writer makes, byte for byte");
	free(hand.data);
	builder_free(&b);
}

/* ---- damage ---- */

static void rehash(struct image i)
{
	struct edge_header *h = (void *)i.data;
	struct edge_section *s = (void *)(i.data + h->prefix.header_size);

	for (uint32_t k = 0; k < h->prefix.section_count; k++)
		if (s[k].kind != EDGE_SECTION_WEIGHTS && s[k].offset <= i.size && s[k].size <= i.size - s[k].offset)
			s[k].xxh3 = edge_xxh3(i.data + s[k].offset, s[k].size);
	h->table_xxh3 = edge_xxh3(s, h->prefix.section_count * sizeof *s);
	h->header_xxh3 = edge_xxh3(h, offsetof(struct edge_header, header_xxh3));
}

static struct image copy_of(struct image i)
{
	return (struct image){ memcpy(malloc(i.size), i.data, i.size), i.size };
}

static void test_truncated(struct image tiny)
{
	uint32_t wrong = 0;

	for (size_t n = 0; n < tiny.size; n++) {
		struct image cut = { memcpy(malloc(n ? n : 1), tiny.data, n), n };

		wrong += status(cut) != EDGE_BAD;
		free(cut.data);
	}
	tap_ok(!wrong, "truncated at each of %zu bytes: bad", tiny.size);
	struct image longer = { realloc(copy_of(tiny).data, tiny.size + 1), tiny.size + 1 };

	longer.data[tiny.size] = 0;
	tap_ok(status(longer) == EDGE_BAD, "a byte too many: bad");
	free(longer.data);
}

static void test_flipped(struct image tiny)
{
	const struct edge_section *w = section(tiny, EDGE_SECTION_WEIGHTS);
	uint64_t weights = w->offset;
	uint32_t accepted = 0, chunk_missed = 0;
	struct image i = copy_of(tiny);
	struct edge_plan p;
	char why[128];

	for (size_t bit = 0; bit < weights * 8; bit++) {
		i.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		accepted += status(i) == EDGE_OK;
		i.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	for (size_t bit = weights * 8; bit < i.size * 8; bit += 61) {
		i.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
		chunk_missed += plan_check(i.data, i.size, &p, why, sizeof why) != EDGE_OK ||
				plan_check_chunks(&p, why, sizeof why) != EDGE_BAD;
		i.data[bit / 8] ^= (uint8_t)(1 << bit % 8);
	}
	tap_ok(!accepted, "each of %llu bits before the weights flipped: refused", (unsigned long long)weights * 8);
	tap_ok(!chunk_missed, "flipped bits in weights are found by the chunks' hashes");
	free(i.data);
}

/* Follows everything that a reader may follow. */
static uint64_t walk(const struct edge_plan *p)
{
	uint64_t sum = strlen(plan_string(p, p->meta->name)) + strlen(plan_string(p, p->meta->device_name));
	char why[64];

	for (uint32_t i = 0; i < p->step_count; i++) {
		const struct edge_step *s = &p->steps[i];

		for (uint32_t k = 0; k < s->arg_count; k++)
			if (p->args[s->arg_first + k].kind == EDGE_PARAM_GLOBAL)
				sum += p->regions[p->buffers[p->args[s->arg_first + k].buffer].region].bytes;
		sum += s->kind == EDGE_STEP_KERNEL ? strlen(plan_string(p, p->kernels[s->index].name)) +
						     strlen(plan_string(p, p->programs[p->kernels[s->index].program].source)) :
						     strlen(plan_string(p, p->tensors[s->index].name));
		sum += p->debug ? strlen(plan_string(p, p->debug[i].op)) : 0;
		sum += (uint64_t)s->global[0] / s->local[0];
	}
	for (uint32_t i = 0; i < p->read_count; i++)
		sum += p->data[p->chunks[p->reads[i].chunk].offset];
	plan_check_chunks(p, why, sizeof why);
	return sum;
}

static void test_mangled(struct image tiny)
{
	uint64_t seed = 3, sum = 0;
	uint32_t accepted = 0, tries = 60000;
	FILE *sink = fopen("/dev/null", "w");

	for (uint32_t t = 0; t < tries; t++) {
		struct image i = copy_of(tiny);
		const struct edge_header *h = (void *)i.data;
		struct edge_section *s = (struct edge_section *)(void *)(i.data + h->prefix.header_size) +
					 net_below(&seed, h->prefix.section_count);
		struct edge_plan p;
		char why[128];
		uint64_t front = h->prefix.header_size + h->prefix.section_count * sizeof *s;
		static const uint32_t nasty[] = { 0, 1, 127, 128, 4095, 4096, 0x7fffffff, 0x80000000, 0xffffffff };

		for (uint32_t k = 1 + net_below(&seed, 3); k; k--) {
			uint32_t v = net_below(&seed, 3) ? nasty[net_below(&seed, 9)] : net_below(&seed, 300);

			if (net_below(&seed, 8) == 0) /* the table itself */
				memcpy((uint8_t *)s + 4 * net_below(&seed, sizeof *s / 4), &v, 4);
			else if (s->size >= 4 && s->kind != EDGE_SECTION_WEIGHTS && s->offset >= front &&
				 s->offset <= i.size && s->size <= i.size - s->offset)
				memcpy(i.data + s->offset + 4 * net_below(&seed, (uint32_t)(s->size / 4)), &v, 4);
		}
		rehash(i);
		if (plan_check(i.data, i.size, &p, why, sizeof why) == EDGE_OK) {
			accepted++;
			sum += walk(&p);
			if (accepted % 16 == 0)
				explain_text(&p, sink), explain_json(&p, sink);
		}
		free(i.data);
	}
	fclose(sink);
	tap_ok(accepted > 100 && sum, "of %u plans with wrong records and right hashes %u are accepted, and safe", tries,
	       accepted);
}

struct mangle {
	const char *what;
	size_t offset;
	unsigned size;
	uint64_t value;
	bool rehash;
	enum edge_status expect;
};

#define HEADER(field) offsetof(struct edge_header, field), sizeof(((struct edge_header *)0)->field)

static void test_header(struct image tiny)
{
	static const struct mangle m[] = {
		{ "magic", HEADER(prefix.magic), 0, true, EDGE_BAD },
		{ "major", HEADER(prefix.major), 2, true, EDGE_UNSUPPORTED },
		{ "major 0", HEADER(prefix.major), 0, true, EDGE_UNSUPPORTED },
		{ "major 2 with a wrong hash", HEADER(prefix.major), 2, false, EDGE_UNSUPPORTED },
		{ "minor", HEADER(prefix.minor), 7, true, EDGE_OK },
		{ "minor with a wrong hash", HEADER(prefix.minor), 7, false, EDGE_BAD },
		{ "header_size 0", HEADER(prefix.header_size), 0, false, EDGE_BAD },
		{ "header_size 72", HEADER(prefix.header_size), 72, false, EDGE_BAD },
		{ "header_size huge", HEADER(prefix.header_size), 0xfffffff8, false, EDGE_BAD },
		{ "section_count 0", HEADER(prefix.section_count), 0, true, EDGE_BAD },
		{ "section_count huge", HEADER(prefix.section_count), 0xffffffff, false, EDGE_BAD },
		{ "section_entry_size", HEADER(prefix.section_entry_size), 56, true, EDGE_BAD },
		{ "file_size less", HEADER(prefix.file_size), 4096, true, EDGE_BAD },
		{ "file_size more", HEADER(prefix.file_size), 1ull << 60, true, EDGE_BAD },
		{ "table_xxh3", HEADER(table_xxh3), 1, false, EDGE_BAD },
		{ "header_xxh3", HEADER(header_xxh3), 1, false, EDGE_BAD },
		{ "reserved", HEADER(reserved), 1, true, EDGE_BAD },
	};
	uint32_t wrong = 0, count = sizeof m / sizeof *m;

	for (uint32_t k = 0; k < count; k++) {
		struct image i = copy_of(tiny);
		enum edge_status st;

		memcpy(i.data + m[k].offset, &m[k].value, m[k].size < 8 ? m[k].size : 8);
		if (m[k].rehash)
			rehash(i);
		st = status(i);
		if (st != m[k].expect)
			printf("# %s: status %d, not %d\n", m[k].what, st, m[k].expect);
		wrong += st != m[k].expect;
		free(i.data);
	}
	tap_ok(!wrong, "%u wrong header fields, each with its status", count);
}

/* A record changed and hashed again. */
struct record_mangle {
	const char *what, *why; /* why: part of the message */
	uint32_t kind;
	size_t offset; /* in the section */
	unsigned size;
	uint64_t value;
	enum edge_status expect;
};

#define FIELD(type, i, field) (i) * sizeof(struct type) + offsetof(struct type, field), sizeof(((struct type *)0)->field)

static const struct record_mangle record_mangles[] = {
	{ "plan kind", "kind", EDGE_SECTION_META, FIELD(edge_meta, 0, kind), 4, EDGE_UNSUPPORTED },
	{ "backend", "backend", EDGE_SECTION_META, FIELD(edge_meta, 0, backend), 9, EDGE_UNSUPPORTED },
	{ "flags", "flags", EDGE_SECTION_META, FIELD(edge_meta, 0, flags), 1, EDGE_UNSUPPORTED },
	{ "name", "strings", EDGE_SECTION_META, FIELD(edge_meta, 0, name), 0xffffff, EDGE_BAD },
	{ "planned", "sum", EDGE_SECTION_META, FIELD(edge_meta, 0, planned_device_bytes), 128, EDGE_BAD },
	{ "reading", "way of reading", EDGE_SECTION_META, FIELD(edge_meta, 0, reading), 2, EDGE_BAD },
	{ "flops", "operations", EDGE_SECTION_META, FIELD(edge_meta, 0, flops), 1, EDGE_BAD },
	{ "infinite time", "no number", EDGE_SECTION_META, FIELD(edge_meta, 0, predicted_ms), 0x7ff0000000000000, EDGE_BAD },
	{ "streamed", "streamed", EDGE_SECTION_META, FIELD(edge_meta, 0, streamed_bytes), 4096, EDGE_BAD },
	{ "budget", "budget", EDGE_SECTION_META, FIELD(edge_meta, 0, device_budget_bytes), 100, EDGE_BAD },
	{ "region kind", "kind", EDGE_SECTION_REGIONS, FIELD(edge_region, 0, kind), 77, EDGE_UNSUPPORTED },
	{ "region space", "space", EDGE_SECTION_REGIONS, FIELD(edge_region, 0, space), 2, EDGE_BAD },
	{ "activations as an image", "space", EDGE_SECTION_REGIONS, FIELD(edge_region, 0, space), 3, EDGE_BAD },
	{ "pointers to an image", "names buffer", EDGE_SECTION_REGIONS, FIELD(edge_region, 1, space), 3, EDGE_BAD },
	{ "region size", "bytes", EDGE_SECTION_REGIONS, FIELD(edge_region, 0, bytes), 100, EDGE_BAD },
	{ "huge region", "", EDGE_SECTION_REGIONS, FIELD(edge_region, 0, bytes), 0xffffffffffffff80, EDGE_BAD },
	{ "buffer outside", "fit region", EDGE_SECTION_BUFFERS, FIELD(edge_buffer, 0, offset), 1 << 30, EDGE_BAD },
	{ "buffer wraps", "fit region", EDGE_SECTION_BUFFERS, FIELD(edge_buffer, 0, offset), 0xffffffffffffff80, EDGE_BAD },
	{ "buffer alignment", "fit region", EDGE_SECTION_BUFFERS, FIELD(edge_buffer, 0, offset), 64, EDGE_BAD },
	{ "empty buffer", "fit region", EDGE_SECTION_BUFFERS, FIELD(edge_buffer, 0, bytes), 0, EDGE_BAD },
	{ "buffer region", "region 9", EDGE_SECTION_BUFFERS, FIELD(edge_buffer, 0, region), 9, EDGE_BAD },
	{ "program text", "strings", EDGE_SECTION_PROGRAMS, FIELD(edge_program, 0, source), 0xfffffff, EDGE_BAD },
	{ "kernel name", "name", EDGE_SECTION_KERNELS, FIELD(edge_kernel, 0, name), 0, EDGE_BAD },
	{ "kernel program", "program", EDGE_SECTION_KERNELS, FIELD(edge_kernel, 0, program), 1, EDGE_BAD },
	{ "params", "parameters", EDGE_SECTION_KERNELS, FIELD(edge_kernel, 0, param_first), 0xffffffff, EDGE_BAD },
	{ "param kind", "kind", EDGE_SECTION_PARAMS, FIELD(edge_param, 0, kind), 6, EDGE_UNSUPPORTED },
	{ "param image", "not of its parameter's kind", EDGE_SECTION_PARAMS, FIELD(edge_param, 1, kind), 5, EDGE_BAD },
	{ "image written", "access", EDGE_SECTION_PARAMS, FIELD(edge_param, 3, kind), 5, EDGE_BAD },
	{ "param access", "access", EDGE_SECTION_PARAMS, FIELD(edge_param, 4, access), 1, EDGE_BAD },
	{ "step kind", "kind", EDGE_SECTION_STEPS, FIELD(edge_step, 0, kind), 5, EDGE_UNSUPPORTED },
	{ "lookup step", "lookup 0 of 0", EDGE_SECTION_STEPS, FIELD(edge_step, 0, kind), 4, EDGE_BAD },
	{ "step kernel", "kernel", EDGE_SECTION_STEPS, FIELD(edge_step, 1, index), 1, EDGE_BAD },
	{ "step args", "arguments", EDGE_SECTION_STEPS, FIELD(edge_step, 1, arg_count), 5, EDGE_BAD },
	{ "no work-items", "work-items", EDGE_SECTION_STEPS, FIELD(edge_step, 1, global), 0, EDGE_BAD },
	{ "work-groups", "groups", EDGE_SECTION_STEPS, FIELD(edge_step, 1, local), 3, EDGE_BAD },
	{ "step model", "model", EDGE_SECTION_STEPS, FIELD(edge_step, 1, model), 1, EDGE_BAD },
	{ "reads needed", "reads", EDGE_SECTION_STEPS, FIELD(edge_step, 1, reads_needed), 2, EDGE_BAD },
	{ "reads decrease", "reads", EDGE_SECTION_STEPS, FIELD(edge_step, 2, reads_needed), 0, EDGE_BAD },
	{ "input as output", "not its own", EDGE_SECTION_STEPS, FIELD(edge_step, 0, index), 1, EDGE_BAD },
	{ "arg kind", "kind", EDGE_SECTION_ARGS, FIELD(edge_arg, 0, kind), EDGE_PARAM_I32, EDGE_BAD },
	{ "arg buffer", "buffer", EDGE_SECTION_ARGS, FIELD(edge_arg, 0, buffer), 4, EDGE_BAD },
	{ "arg width", "32 bits", EDGE_SECTION_ARGS, FIELD(edge_arg, 4, value), 1ull << 32, EDGE_BAD },
	{ "tensor dtype", "type", EDGE_SECTION_TENSORS, FIELD(edge_tensor, 0, dtype), 11, EDGE_UNSUPPORTED },
	{ "tensor rank", "shape", EDGE_SECTION_TENSORS, FIELD(edge_tensor, 0, rank), 9, EDGE_BAD },
	{ "tensor dims", "shape", EDGE_SECTION_TENSORS, FIELD(edge_tensor, 0, dim[1]), 1ull << 62, EDGE_BAD },
	{ "negative dim", "shape", EDGE_SECTION_TENSORS, FIELD(edge_tensor, 0, dim[1]), ~0ull, EDGE_BAD },
	{ "tensor buffer", "buffer", EDGE_SECTION_TENSORS, FIELD(edge_tensor, 1, buffer), 0, EDGE_BAD },
	{ "two outputs", "not its own", EDGE_SECTION_TENSORS, FIELD(edge_tensor, 0, direction), 2, EDGE_BAD },
	{ "model steps", "steps", EDGE_SECTION_MODELS, FIELD(edge_model, 0, step_count), 2, EDGE_BAD },
	{ "model flops", "operations", EDGE_SECTION_MODELS, FIELD(edge_model, 0, flops), 2, EDGE_BAD },
	{ "chunk place", "lies at", EDGE_SECTION_CHUNKS, FIELD(edge_chunk, 0, offset), 0, EDGE_BAD },
	{ "chunk size", "bytes", EDGE_SECTION_CHUNKS, FIELD(edge_chunk, 0, bytes), 8192, EDGE_BAD },
	{ "read chunk", "chunk 1", EDGE_SECTION_READS, FIELD(edge_read, 0, chunk), 1, EDGE_BAD },
	{ "read region", "region of its kind", EDGE_SECTION_READS, FIELD(edge_read, 0, region), 0, EDGE_BAD },
	{ "read place", "fit region", EDGE_SECTION_READS, FIELD(edge_read, 0, offset), 4096, EDGE_BAD },
	{ "read flags", "flags", EDGE_SECTION_READS, FIELD(edge_read, 0, flags), 3, EDGE_UNSUPPORTED },
	{ "deadlock", "waits for", EDGE_SECTION_READS, FIELD(edge_read, 0, after_step), 1, EDGE_BAD },
	{ "waits for no step", "waits for", EDGE_SECTION_READS, FIELD(edge_read, 0, after_step), 3, EDGE_BAD },
	{ "debug text", "strings", EDGE_SECTION_DEBUG, FIELD(edge_debug, 0, op), 0xfffffff, EDGE_BAD },
	{ "lifetime place", "outside", EDGE_SECTION_LIFETIMES, FIELD(edge_lifetime, 0, offset), 1 << 20, EDGE_BAD },
	{ "lifetime steps", "steps", EDGE_SECTION_LIFETIMES, FIELD(edge_lifetime, 0, last_step), 3, EDGE_BAD },
	{ "note", "strings", EDGE_SECTION_NOTES, FIELD(edge_note, 0, text), 0xfffffff, EDGE_BAD },
	{ "not UTF-8", "UTF-8", EDGE_SECTION_STRINGS, 1, 1, 0xff, EDGE_BAD },
	{ "first string", "zero byte", EDGE_SECTION_STRINGS, 0, 1, 'x', EDGE_BAD },
};

static struct image mangle_record(struct image tiny, const struct record_mangle *m)
{
	struct image i = copy_of(tiny);
	const struct edge_section *s = section(i, m->kind);

	memcpy(i.data + s->offset + m->offset, &m->value, m->size < 8 ? m->size : m->size == 12 ? 4 : 8);
	rehash(i);
	return i;
}

static void test_records(struct image tiny)
{
	uint32_t wrong = 0, count = sizeof record_mangles / sizeof *record_mangles;

	for (uint32_t k = 0; k < count; k++) {
		const struct record_mangle *m = &record_mangles[k];
		struct image i = mangle_record(tiny, m);
		struct edge_plan p;
		char why[256];
		enum edge_status st = plan_check(i.data, i.size, &p, why, sizeof why);

		if (st != m->expect || !strstr(why, m->why) || p.data) {
			printf("# %s: status %d, not %d: %s\n", m->what, st, m->expect, why);
			wrong++;
		}
		free(i.data);
	}
	tap_ok(!wrong, "%u wrong records, each with its status and reason", count);
}

static void test_sections(struct image tiny)
{
	struct image i = copy_of(tiny);
	struct edge_section *notes = (struct edge_section *)(uintptr_t)section(i, EDGE_SECTION_NOTES);
	struct edge_section *reads = (struct edge_section *)(uintptr_t)section(i, EDGE_SECTION_READS);

	notes->kind = 99;
	rehash(i);
	tap_ok(status(i) == EDGE_OK, "an unknown section that is not required is skipped");
	notes->flags = EDGE_SECTION_REQUIRED;
	rehash(i);
	tap_ok(status(i) == EDGE_UNSUPPORTED, "one that is required is not supported");
	notes->kind = EDGE_SECTION_READS;
	notes->flags = 0;
	notes->stride = reads->stride;
	rehash(i);
	tap_ok(status(i) == EDGE_BAD, "a section twice is bad");
	notes->kind = EDGE_SECTION_NOTES;
	notes->stride = 8;
	reads->kind = 98;
	reads->flags = 0;
	rehash(i);
	tap_ok(status(i) == EDGE_BAD, "a section that is missing is bad");
	free(i.data);
}

/* ---- explanations ---- */

/* The bytes of activations that hold something at a step, marked one by one. */
static uint64_t marked(const struct edge_plan *p, int32_t step, unsigned char *mark)
{
	uint64_t bytes = 0;

	for (uint32_t r = 0; r < p->region_count; r++) {
		if (p->regions[r].kind != EDGE_REGION_ACTIVATIONS)
			continue;
		memset(mark, 0, p->regions[r].bytes);
		for (uint32_t i = 0; i < p->lifetime_count; i++) {
			const struct edge_lifetime *l = &p->lifetimes[i];

			if (l->region == r && l->first_step <= step && step <= l->last_step)
				memset(mark + l->offset, 1, l->bytes);
		}
		for (uint64_t k = 0; k < p->regions[r].bytes; k++)
			bytes += mark[k];
	}
	return bytes;
}

static void test_live(const struct edge_plan *p)
{
	struct explain e;
	uint64_t most = 0, region = 0;
	uint32_t wrong = 0;
	unsigned char *mark;

	for (uint32_t r = 0; r < p->region_count; r++)
		if (p->regions[r].bytes > region)
			region = p->regions[r].bytes;
	mark = malloc(region);
	explain_init(&e, p);
	for (uint32_t i = 0; i < p->step_count; i++) {
		wrong += e.live[i] != marked(p, (int32_t)i, mark);
		if (e.live[i] > most)
			most = e.live[i];
	}
	tap_ok(!wrong && most > 0 && most <= p->meta->activation_peak_bytes,
	       "bytes that values share are counted once: %u of %u steps wrong, at most %llu", wrong, p->step_count,
	       (unsigned long long)most);
	explain_free(&e);
	free(mark);
}

/* A wait ends with the arrival of what the step needs, and no wait is from before the first read. */
static void test_waits(const struct edge_plan *p)
{
	struct explain e;
	double waited = 0, before = p->reads[0].predicted_start_ms;
	uint32_t wrong = 0;

	explain_init(&e, p);
	for (uint32_t i = 0; i < p->step_count; i++) {
		const struct edge_step *s = &p->steps[i];
		double arrived = 0;

		for (uint32_t r = 0; r < s->reads_needed; r++)
			arrived = fmax(arrived, p->reads[r].predicted_end_ms);
		wrong += e.wait[i] < 0 || before + e.wait[i] > s->predicted_start_ms + 1e-9;
		wrong += arrived > before + 1e-9 && arrived < s->predicted_start_ms ? fabs(before + e.wait[i] - arrived) > 1e-9 : 0;
		wrong += arrived <= before && e.wait[i] > 0;
		before = fmax(before, s->predicted_start_ms + s->predicted_ms);
		waited += e.wait[i];
	}
	tap_ok(!wrong && waited > 0 && p->reads[0].predicted_start_ms > 0, "steps wait for reads alone, %.3f ms: %u of %u wrong",
	       waited, wrong, p->step_count);
	explain_free(&e);
}

static void test_explain(void)
{
	struct arena a = { 0 };
	struct net n = net_random_new(&a, 4, 30);
	struct diag d;
	struct schedule *s = schedule_net(&a, &n, 0, &d);
	const char *path = temporary("e.plan");
	char *text[3];
	size_t size[3];
	struct edge_plan p;
	struct image i;
	char why[128];
	int (*const explain[3])(const struct edge_plan *, FILE *) = { explain_text, explain_json, explain_html };

	s = schedule_net(&a, &n, s->smallest_budget + (s->device_bytes - s->smallest_budget) / 3, &d);
	plan_write(&a, s, "1", path, NULL, &d);
	i = load(path);
	unlink(path);
	plan_check(i.data, i.size, &p, why, sizeof why);
	test_live(&p);
	test_waits(&p);
	for (int k = 0; k < 3; k++) {
		FILE *out = open_memstream(&text[k], &size[k]);
		int rc = explain[k](&p, out);

		fclose(out);
		tap_ok(rc == 0 && size[k] > 1000, "explanation %d: %zu bytes", k, size[k]);
	}
	tap_ok(strstr(text[0], "decisions") && strstr(text[0], "read"), "the text names decisions and reads");
	tap_ok(!strstr(text[2], "src=") && !strstr(text[2], "href=") && !strstr(text[2], "url("),
	       "the page loads nothing from elsewhere");
	FILE *full = fopen("/dev/full", "w");

	if (full) {
		setvbuf(full, NULL, _IONBF, 0);
		tap_ok(explain_text(&p, full) == -1, "a full disk is said");
		fclose(full);
	}
	for (int k = 0; k < 3; k++)
		free(text[k]);
	free(i.data);
	arena_release(&a);
}

/* ---- corpus ---- */

static void put_file(const char *dir, const char *name, struct image i)
{
	char path[512];
	FILE *f;

	snprintf(path, sizeof path, "%s/%s.plan", dir, name);
	f = fopen(path, "wb");
	if (!f || fwrite(i.data, 1, i.size, f) != i.size || fclose(f))
		fprintf(stderr, "could not write %s\n", path);
}

static void write_corpus(const char *dir, struct image tiny)
{
	static const char *const chosen[] = { "deadlock", "buffer wraps", "arg kind", "backend", "read flags", "tensor dims" };
	char name[64];

	put_file(dir, "good-tiny", tiny);
	put_file(dir, "bad-truncated", (struct image){ tiny.data, tiny.size / 2 });
	for (size_t c = 0; c < sizeof chosen / sizeof *chosen; c++)
		for (size_t k = 0; k < sizeof record_mangles / sizeof *record_mangles; k++) {
			const struct record_mangle *m = &record_mangles[k];
			struct image i;

			if (strcmp(m->what, chosen[c]))
				continue;
			i = mangle_record(tiny, m);
			snprintf(name, sizeof name, "%s-%s", m->expect == EDGE_BAD ? "bad" : "unsupported", m->what);
			for (char *s = name; *s; s++)
				if (*s == ' ')
					*s = '-';
			put_file(dir, name, i);
			free(i.data);
		}
}

static void test_corpus(void)
{
	const char *source = getenv("EDGE_SRCDIR");
	char dir[512], path[1024];
	DIR *d;
	uint32_t files = 0, wrong = 0;

	snprintf(dir, sizeof dir, "%s/tests/corpus/plan", source ? source : ".");
	d = opendir(dir);
	if (!d) {
		tap_skip("no corpus in %s", dir);
		return;
	}
	for (struct dirent *e; (e = readdir(d));) {
		enum edge_status expect = !strncmp(e->d_name, "good-", 5) ? EDGE_OK :
					  !strncmp(e->d_name, "bad-", 4)  ? EDGE_BAD : EDGE_UNSUPPORTED;
		struct image i;

		if (!strstr(e->d_name, ".plan"))
			continue;
		snprintf(path, sizeof path, "%s/%s", dir, e->d_name);
		i = load(path);
		files++;
		if (status(i) != expect) {
			printf("# %s: status %d\n", e->d_name, status(i));
			wrong++;
		}
		free(i.data);
	}
	closedir(d);
	tap_ok(files >= 8 && !wrong, "%u plans of the corpus", files);
}

int main(int argc, char **argv)
{
	struct image tiny = tiny_plan();

	if (argc > 1) {
		write_corpus(argv[1], tiny);
		free(tiny.data);
		return 0;
	}
	tap_ok(tiny.data && status(tiny) == EDGE_OK, "a tiny plan of %zu bytes", tiny.size);
	test_write();
	test_write_fails();
	test_by_hand(tiny);
	test_truncated(tiny);
	test_flipped(tiny);
	test_header(tiny);
	test_records(tiny);
	test_sections(tiny);
	test_mangled(tiny);
	test_explain();
	test_corpus();
	free(tiny.data);
	return tap_done();
}
