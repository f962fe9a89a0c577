/* SPDX-License-Identifier: Apache-2.0 */
/* test_tune_files.c - records and lock files that were damaged, mixed up or made by somebody else. */
#include "config.h"

#include "tap.h"
#include "target/target.h"
#include "tune/apply.h"
#include "tune/lock.h"
#include "tune/record.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *const bits[] = { "f16", "q8", "q4" };
static const char *const sizes[] = { "8", "16", "32" };
static char *said;
static size_t said_len;

/* What diagnostics say goes to said. */
static struct diag listen(struct arena *a)
{
	struct diag d;

	free(said);
	said = NULL;
	diag_init(&d, a, open_memstream(&said, &said_len));
	return d;
}

static struct space *make_space(struct arena *a)
{
	struct space *s = arena_new(a, struct space);
	uint32_t k;

	s->arena = a;
	k = space_add_list(s, "format.conv", KNOB_ENUM, bits, 3, 0, NULL);
	space_add_list(s, "group.conv", KNOB_INT, sizes, 3, 0, NULL);
	s->knobs.data[k + 1].when = k;
	s->knobs.data[k + 1].when_values = 6;
	space_add(s, (struct knob){ .name = "rate", .kind = KNOB_FLOAT, .min = 0.001, .max = 1, .log = true, .initial = 0.1,
				    .when = NO_ID });
	return s;
}

static const char *path_in(struct arena *a, const char *name)
{
	const char *base = getenv("TMPDIR");

	return arena_printf(a, "%s/test_tune_files.%ld.%s", base && *base ? base : "/tmp", (long)getpid(), name);
}

static void write_file(const char *path, const char *text, size_t len)
{
	FILE *f = fopen(path, "wb");

	if (f) {
		fwrite(text, 1, len, f);
		fclose(f);
	}
}

static char *read_file(struct arena *a, const char *path, size_t *len)
{
	char *text = arena_alloc(a, 1 << 16);
	FILE *f = fopen(path, "rb");

	*len = f ? fread(text, 1, (1 << 16) - 1, f) : 0;
	text[*len] = '\0';
	if (f)
		fclose(f);
	return text;
}

static struct record_header header_of(const struct space *s)
{
	return (struct record_header){ .model = "m", .identity = "0123", .device = "d: x", .search = "random", .goal = "bytes",
				       .quality = "accuracy", .seed = 1, .space = space_hash(s), .loss = 0.01,
				       .reference_ms = 2, .reference_bytes = 100, .reference_peak = 200,
				       .reference_quality = 0.75 };
}

/* The heuristic and four others. */
static void make_record(struct arena *a, const char *path, struct space *s, const struct record_header *h)
{
	struct diag d = listen(a);
	struct record r;

	if (record_open(a, &d, path, h, s, false, &r))
		for (uint32_t i = 0; i < 5; i++) {
			struct trial t = { .number = i, .x = config_new(s), .by = i ? "random" : "heuristic", .seconds = 1,
					   .o = { .objective = 1 - 0.1 * i, .bytes = 100, .latency_ms = NAN } };

			t.x[0] = i % 3;
			t.x[2] = i ? 0.1 * i + 0.005 : 0.1;
			if (i == 3)
				t.o = (struct outcome){ .failure = FAILURE_TIMEOUT, .error = "took longer", .objective = NAN };
			record_add(&d, &r, s, &t);
		}
	record_close(&r);
	fclose(d.out);
}

static bool reopen(struct arena *a, const char *path, struct space *s, const struct record_header *h, struct record *r)
{
	struct diag d = listen(a);
	bool good = record_open(a, &d, path, h, s, true, r);

	record_close(r);
	fclose(d.out);
	return good;
}

static bool in_order(const struct record *r)
{
	for (uint32_t i = 0; i < r->trials.len; i++)
		if (r->trials.data[i].number != i)
			return false;
	return true;
}

/* ---- records */

static void test_record(struct arena *a)
{
	struct space *s = make_space(a);
	struct record_header h = header_of(s), other;
	const char *path = path_in(a, "jsonl");
	char *text, *at;
	size_t len;
	struct record r;
	bool good;

	make_record(a, path, s, &h);
	tap_ok(reopen(a, path, s, &h, &r) && r.trials.len == 5 && in_order(&r) && r.trials.data[3].o.failure == FAILURE_TIMEOUT,
	       "five trials are read again");
	for (int i = 0; i < 4; i++) {
		static const char *const what[] = { "what is minimised", "the quality", "the quality", "the samples" };

		other = h;
		other.goal = i == 0 ? "latency" : h.goal;
		other.quality = i == 1 ? "divergence" : h.quality;
		other.loss = i == 2 ? 0.02 : h.loss;
		other.reference_quality = i == 3 ? 0.7 : h.reference_quality;
		good = !reopen(a, path, s, &other, &r);
		tap_ok(good && said && strstr(said, what[i]), "a record is refused: %s", said ? said : "");
	}
	text = read_file(a, path, &len);
	at = strstr(text, "\"trial\": 4");
	memcpy(at, "\"trial\": 9", 10);
	at = strstr(text, "{\"trial\": 1");
	at[0] = '!';
	write_file(path, text, len);
	tap_ok(reopen(a, path, s, &h, &r) && r.trials.len == 4 && in_order(&r) && r.trials.data[3].o.objective == 0.6,
	       "a damaged line is left out, and trials are where their numbers say");
	at = strstr(text, "{\"trial\": 0");
	at[0] = '!';
	write_file(path, text, len);
	tap_ok(!reopen(a, path, s, &h, &r) && said && strstr(said, "not the heuristic"), "and none goes on without the heuristic");
	unlink(path);
}

/* Some bytes changed, and the end cut off at times. */
static size_t damage(char *text, size_t n, struct rng *rng)
{
	static const char odd[] = "{}[]\",:\\0aue9.-\n\xff\0";

	for (uint32_t k = 1 + rng_below(rng, 8); k > 0; k--)
		text[rng_below(rng, (uint32_t)n)] = odd[rng_below(rng, sizeof odd - 1)];
	return rng_below(rng, 4) ? n : rng_below(rng, (uint32_t)n);
}

static void test_record_damage(struct arena *a)
{
	const char *path = path_in(a, "jsonl");
	struct space *s = make_space(a);
	struct record_header h = header_of(s);
	struct rng rng = { 7 };
	bool good = true;
	uint32_t taken = 0;
	size_t n;
	char *seed;

	make_record(a, path, s, &h);
	seed = read_file(a, path, &n);
	for (int i = 0; i < 3000; i++) {
		struct arena scratch = { 0 };
		struct space *own = make_space(&scratch);
		char *text = arena_strdup(&scratch, seed);
		struct record r;

		write_file(path, text, damage(text, n, &rng));
		if (reopen(&scratch, path, own, &h, &r)) {
			taken++;
			good &= in_order(&r);
			for (uint32_t k = 0; k < r.trials.len; k++)
				good &= r.trials.data[k].x[0] <= 2 && r.trials.data[k].x[2] >= 0.001 && r.trials.data[k].x[2] <= 1;
		}
		arena_release(&scratch);
	}
	tap_ok(good && taken > 100, "3000 damaged records give legal trials or none (%u were taken)", taken);
	unlink(path);
}

/* ---- lock files */

static const char lock_text[] =
	"{\"edge_tune\": 1, \"models\": {\n\"a\": {\"model\": \"01\", \"device\": \"d\", \"config\": {\"format.conv\": \"q4\", "
	"\"group.conv\": \"64\", \"tile.28x64\": \"4x16p\", \"threads\": \"2\", \"stream\": \"50\", \"activations\": \"q8\"}, "
	"\"metrics\": {\"bytes\": 1e3, \"x\": [1, null, true]}},\n\"b\": {\"model\": \"02\", \"device\": \"d\", \"config\": {}}\n}}\n";

/* What compile does with each entry; its answer does not matter. */
static void use_lock(struct arena *a, struct diag *d, const struct lock *l)
{
	for (uint32_t i = 0; i < l->entries.len; i++) {
		struct target target = { .name = "host" };
		struct tuned t = { 0 };

		t.knobs = l->entries.data[i].config;
		tuned_apply(a, d, &t, &target);
	}
}

static void test_lock_damage(struct arena *a)
{
	const char *path = path_in(a, "json");
	struct rng rng = { 11 };
	uint32_t taken = 0;
	bool good = true;

	for (int i = 0; i < 3000; i++) {
		struct arena scratch = { 0 };
		char *text = arena_strdup(&scratch, lock_text);
		struct diag d = listen(&scratch);
		struct lock l, again;

		write_file(path, text, i ? damage(text, sizeof lock_text - 1, &rng) : sizeof lock_text - 1);
		if (lock_read(&scratch, &d, path, true, &l)) {
			taken++;
			use_lock(&scratch, &d, &l);
			good &= lock_write(&d, &l, "new", "{\"model\": \"03\", \"device\": \"d\", \"config\": {}}") &&
				lock_read(&scratch, &d, path, true, &again) && again.entries.len >= 1 && lock_find(&again, "new");
		}
		fclose(d.out);
		arena_release(&scratch);
	}
	tap_ok(good && taken > 50, "3000 damaged lock files are refused, or written again whole (%u were taken)", taken);
	unlink(path);
}

int main(void)
{
	struct arena a = { 0 };

	test_record(&a);
	test_record_damage(&a);
	test_lock_damage(&a);
	free(said);
	arena_release(&a);
	return tap_done();
}
