/* SPDX-License-Identifier: Apache-2.0 */
/* test_tune_llm.c - replies that cannot be trusted, and dialogues with a server that plays parts (llm_server.py). */
#include "config.h"

#include "llm_server.h"
#include "tap.h"
#include "tune/chat.h"
#include "tune/dialogue.h"
#include "tune/process.h"
#include "tune/reply.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static const char *const bits[] = { "f16", "q8", "q6", "q5", "q4", "q3" };
static const char *const sizes[] = { "8", "16", "32", "64" };

static struct space *make_space(struct arena *a)
{
	struct space *s = arena_new(a, struct space);

	s->arena = a;
	space_add_list(s, "format.first", KNOB_ENUM, bits, 6, 0, "first layer");
	space_add_list(s, "format.conv", KNOB_ENUM, bits, 6, 0, "the others");
	space_add_list(s, "format.last", KNOB_ENUM, bits, 6, 0, NULL);
	space_add_list(s, "tile_m", KNOB_INT, sizes, 4, 0, NULL);
	space_add(s, (struct knob){ .name = "rate", .kind = KNOB_FLOAT, .min = 0.001, .max = 1, .log = true, .initial = 0.1, .when = NO_ID });
	vec_push(a, &s->constraints, (struct constraint){ "tile_m <= 32" });
	return s;
}

static struct outcome measure(const double *x)
{
	static const double width[] = { 16, 8.5, 6.5, 5.5, 4.5, 3.5 };
	double bytes = 0, loss = 0;
	static const int size[] = { 1, 20, 4 };

	for (int i = 0; i < 3; i++) {
		bytes += width[(int)x[i]] * size[i] / 400;
		loss += x[i] == 0 ? 0 : pow(4, -width[(int)x[i]]) * (i == 1 ? 300 : 900);
	}
	return (struct outcome){ .objective = bytes + 0.02 * fabs(x[3] - 2), .loss = loss };
}

/* ---- the ladder */

static const char *wrap(struct arena *a, const char *content)
{
	struct strbuf b = { 0 };
	const char *out;

	strbuf_puts(&b, "{\"choices\": [{\"message\": {\"content\": ");
	jtree_put_string(&b, content);
	strbuf_puts(&b, "}}], \"usage\": {\"total_tokens\": 7}}");
	out = arena_strdup(a, strbuf_str(&b));
	strbuf_free(&b);
	return out;
}

static void test_replies(struct arena *a)
{
	static const struct {
		const char *content;
		uint32_t count;
		const char *first; /* text of the first configuration */
		uint32_t unknown, snapped, rejected;
	} cases[] = {
		{ "{\"proposals\": [{\"format.conv\": \"q4\"}]}", 1, "format.conv=q4", 0, 0, 0 },
		{ "{\"config\": {\"format.conv\": \"q4\"}}", 1, "format.conv=q4", 0, 0, 0 },
		{ "{\"format.conv\": \"q4\"}", 1, "format.conv=q4", 0, 0, 0 },
		{ "{\"proposals\": [{\"config\": {\"tile_m\": 16}}]}", 1, "tile_m=16", 0, 0, 0 },
		{ "{\"proposals\": [{\"tile_m\": \"31\"}]}", 1, "tile_m=32", 0, 1, 0 },
		{ "{\"proposals\": [{\"tile_m\": 64}]}", 0, NULL, 0, 0, 1 },
		{ "{\"proposals\": [{\"tile_m\": 5e30}]}", 0, NULL, 0, 1, 1 },
		{ "{\"proposals\": [{\"tile_m\": 5e999}]}", 0, NULL, 0, 1, 1 },
		{ "{\"proposals\": [{\"rate\": 7, \"format.first\": \"q9\"}]}", 1, "rate=1", 0, 2, 0 },
		{ "{\"proposals\": [{\"unknown\": 7}]}", 0, NULL, 1, 0, 1 },
		{ "{\"proposals\": [{\"format.conv\": \"q4\", \"x\": 1}, {\"format.last\": \"q8\"}]}", 2, "format.conv=q4", 1, 0, 0 },
		{ "{\"proposals\": [{\"tile_m\": {\"a\": 1}}, {\"tile_m\": [1]}, {\"tile_m\": null}]}", 0, NULL, 0, 3, 3 },
		{ "<think>{\"proposals\": [{\"format.conv\": \"q3\"}]}</think>```json\n{\"proposals\": [{\"format.conv\": \"q5\"}]}\n```", 1,
		  "format.conv=q5", 0, 0, 0 },
		{ "text {not json} {\"proposals\": [{\"format.conv\": \"q5\"}]} } {", 1, "format.conv=q5", 0, 0, 0 },
		{ "{\"proposals\": []}", 0, NULL, 0, 0, 0 }, { "{\"proposals\": 5}", 0, NULL, 0, 0, 0 }, { "nothing", 0, NULL, 0, 0, 0 },
		{ "", 0, NULL, 0, 0, 0 }, { "{\"a\": \"}\"", 0, NULL, 0, 0, 0 },
	};
	struct space *s = make_space(a);

	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		const char *body = wrap(a, cases[i].content);
		struct reply r;

		reply_read(a, s, config_new(s), body, strlen(body), &r);
		tap_ok(r.count == cases[i].count && (r.error == NULL) == (r.count > 0) &&
			       (!r.count || !strcmp(config_text(s, r.config[0]), cases[i].first)) && r.tokens == 7,
		       "%u proposals in %.60s", cases[i].count, cases[i].content);
		/* a knob whose value is nothing does count as known only where it was understood */
		tap_ok(r.unknown == cases[i].unknown && r.snapped == cases[i].snapped, "  %u unknown, %u put right", r.unknown,
		       r.snapped);
		strbuf_free(&r.notes);
	}
}

/* Bytes changed, cut and repeated: anything but a crash. */
static void test_mutations(struct arena *a)
{
	const char *seed = wrap(a, "{\"thought\": \"x\", \"action\": \"propose\", \"proposals\": [{\"format.conv\": \"q4\", \"rate\": 0.5}]}");
	struct space *s = make_space(a);
	size_t n = strlen(seed);
	struct rng rng = { 99 };
	bool good = true;

	for (int i = 0; i < 20000; i++) {
		struct arena scratch = { 0 };
		char *text = arena_strdup(&scratch, seed);
		size_t len = n;
		struct reply r;

		for (uint32_t k = 1 + rng_below(&rng, 6); k > 0; k--)
			text[rng_below(&rng, (uint32_t)n)] = "{}[]\",:\\0aue9.-\n\xff\x00"[rng_below(&rng, 18)];
		if (rng_below(&rng, 4) == 0)
			len = rng_below(&rng, (uint32_t)n);
		reply_read(&scratch, s, config_new(s), text, len, &r);
		good &= r.count <= REPLY_PROPOSALS;
		for (uint32_t k = 0; k < r.count; k++)
			good &= !config_violates(s, r.config[k]);
		reply_error(&scratch, text, len);
		strbuf_free(&r.notes);
		arena_release(&scratch);
	}
	tap_ok(good, "20000 broken replies give legal proposals or none");
}

/* ---- dialogues */

struct played {
	double best, objectives[40];
	uint32_t asked;
	char report[600];
};

static bool play(struct arena *a, struct dialogue_setup *d, uint32_t trials, struct played *out)
{
	struct space *s = make_space(a);
	struct search *search;
	struct strbuf report = { 0 };
	struct diag diag;
	double *x = config_new(s);
	struct outcome o = measure(x);

	diag_init(&diag, a, stdout);
	d->search = (struct search_setup){ .arena = a, .space = s, .seed = 3, .trials = trials };
	d->quiet = true;
	search = search_dialogue(d, &diag);
	if (!search)
		return false;
	*out = (struct played){ .best = outcome_score(&o) };
	search_tell(search, x, &o);
	for (; out->asked < trials && search_ask(search, x); out->asked++) {
		if (config_violates(s, x))
			return false;
		o = measure(x);
		out->objectives[out->asked] = o.objective;
		search_tell(search, x, &o);
		if (outcome_score(&o) < out->best)
			out->best = outcome_score(&o);
	}
	search->ops->report(search->state, &report);
	snprintf(out->report, sizeof out->report, "%s", strbuf_str(&report));
	strbuf_free(&report);
	return true;
}

static double count_of(const struct played *p, struct arena *a, const char *key)
{
	return jtree_number(jtree_parse(a, p->report, strlen(p->report)), key, -1);
}

static const char *temporary(struct arena *a, const char *name)
{
	const char *dir = getenv("TMPDIR");
	char *path = arena_printf(a, "%s/edge-llm-%d-%s", dir ? dir : "/tmp", (int)getpid(), name);

	unlink(path);
	return path;
}

static bool file_has(struct arena *a, const char *path, const char *text)
{
	FILE *f = fopen(path, "rb");
	char *all = arena_alloc(a, 4 << 20);
	size_t n = f ? fread(all, 1, (4 << 20) - 1, f) : 0;

	if (f)
		fclose(f);
	all[n] = '\0';
	return strstr(all, text) != NULL;
}

static void test_modes(struct arena *a)
{
	static const struct {
		const char *mode;
		bool useful, dead; /* the model's proposals were used; tpe took over for good */
		uint32_t trials;
	} cases[] = {
		{ "good", true, false, 14 }, { "fenced", true, false, 14 }, { "tools", true, false, 14 }, { "parts", true, false, 14 },
		{ "llamacpp", true, false, 14 }, { "ollama", true, false, 14 }, { "vllm", true, false, 14 },
		{ "limit", true, false, 4 }, { "picky", true, false, 14 }, { "malformed", false, true, 10 }, { "truncated", false, true, 10 },
		{ "html", false, true, 10 }, { "empty", false, true, 10 }, { "refusal", false, true, 10 }, { "reasoning", false, true, 10 },
		{ "array", false, true, 10 }, { "deep", false, true, 6 }, { "huge", false, true, 4 }, { "nul", false, true, 6 },
		{ "error500", false, true, 6 }, { "error401", false, true, 6 }, { "redirect", false, true, 6 },
	};

	for (unsigned i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct dialogue_setup d = { 0 };
		struct server s;
		struct played p;
		double fallback;

		if (!start_server(&s, cases[i].mode, "/dev/null")) {
			tap_skip("no server: %s", cases[i].mode);
			continue;
		}
		d.endpoint = s.url;
		if (!tap_ok(play(a, &d, cases[i].trials, &p) && p.asked == cases[i].trials, "%s: every trial was proposed", cases[i].mode)) {
			stop_server(&s);
			continue;
		}
		fallback = count_of(&p, a, "fallback");
		tap_ok(cases[i].useful ? fallback <= cases[i].trials / 2 : fallback == cases[i].trials, "%s: %.0f of %u came from tpe",
		       cases[i].mode, fallback, cases[i].trials);
		tap_ok((strstr(p.report, "\"ended\"") != NULL) == cases[i].dead, "%s: %s", cases[i].mode, p.report);
		stop_server(&s);
	}
}

static void test_hostile(struct arena *a)
{
	struct dialogue_setup d = { 0 };
	struct server s;
	struct played p;
	struct stat st;

	unlink("/tmp/evil");
	if (!start_server(&s, "hostile", "/dev/null")) {
		tap_skip("no server: hostile");
		return;
	}
	d.endpoint = s.url;
	tap_ok(play(a, &d, 8, &p) && p.asked == 8, "hostile replies do no harm: %s", p.report);
	tap_ok(stat("/tmp/evil", &st) != 0 && count_of(&p, a, "unknown_knobs") > 0, "and are counted");
	stop_server(&s);
}

/* A reply that takes longer than the limit, and no server at all. */
static void test_dead(struct arena *a)
{
	struct dialogue_setup d = { .endpoint = "http://127.0.0.1:9/v1" };
	struct timespec begin, end;
	struct server s;
	struct played p;

	setenv("EDGE_LLM_TIMEOUT", "0.3", 1);
	clock_gettime(CLOCK_MONOTONIC, &begin);
	tap_ok(play(a, &d, 5, &p) && strstr(p.report, "no answer"), "nobody listens: %s", p.report);
	if (start_server(&s, "slow", "/dev/null")) {
		d.endpoint = s.url;
		tap_ok(play(a, &d, 5, &p) && strstr(p.report, "no answer") && p.asked == 5, "too slow: %s", p.report);
		stop_server(&s);
	}
	clock_gettime(CLOCK_MONOTONIC, &end);
	tap_ok(end.tv_sec - begin.tv_sec < 60, "neither is waited for long");
	unsetenv("EDGE_LLM_TIMEOUT");
}

static void test_replay(struct arena *a)
{
	const char *path = temporary(a, "transcript"), *log = temporary(a, "log");
	struct dialogue_setup d = { .transcript = path }, again = { .transcript = path, .replay = true };
	struct played live, replayed, longer;
	struct server s;

	setenv("EDGE_LLM_KEY", "sk-secret-0123456789", 1);
	if (!start_server(&s, "echo", log)) {
		tap_skip("no server: echo");
		return;
	}
	d.endpoint = s.url;
	tap_ok(play(a, &d, 12, &live), "a dialogue is recorded");
	stop_server(&s);
	tap_ok(file_has(a, log, "Bearer sk-secret"), "the key was sent");
	tap_ok(!file_has(a, path, "sk-secret"), "and stands in no transcript, even when the server says it");
	tap_ok(play(a, &again, 12, &replayed) && !memcmp(live.objectives, replayed.objectives, sizeof live.objectives) &&
		       replayed.best == live.best, "the replay proposes the same, without a server");
	tap_ok(play(a, &again, 30, &longer) && longer.asked == 30 && strstr(longer.report, "no more replies"),
	       "a transcript that ends is gone on with by tpe");
	again.transcript = log;
	tap_ok(!play(a, &again, 5, &longer), "what is no transcript is refused");
	unsetenv("EDGE_LLM_KEY");
	unlink(path);
	unlink(log);
}

/* A name before an @ is not the host, and what runs trials has no use for the key. */
static void test_key(struct arena *a)
{
	const char *log = temporary(a, "log"), *env[] = { "env", NULL };
	struct dialogue_setup d = { 0 };
	struct process printed;
	struct server s;
	struct played p;

	setenv("EDGE_LLM_KEY", "sk-secret-0123456789", 1);
	process_run(env, 20, &printed);
	tap_ok(process_good(&printed) && strstr(strbuf_str(&printed.out), "PATH=") &&
		       !strstr(strbuf_str(&printed.out), "sk-secret"), "a program that prints its environment has no key");
	process_free(&printed);
	if (start_server(&s, "good", log)) {
		d.endpoint = arena_printf(a, "http://127.0.0.1:1@%s", s.url + strlen("http://"));
		tap_ok(play(a, &d, 4, &p) && file_has(a, log, "key=") && !file_has(a, log, "sk-secret"),
		       "http://127.0.0.1:1@elsewhere does not get it");
		stop_server(&s);
	}
	unsetenv("EDGE_LLM_KEY");
	unlink(log);
}

int main(void)
{
	struct arena a = { 0 };

	signal(SIGPIPE, SIG_IGN);
	test_replies(&a);
	test_mutations(&a);
	if (system("python3 -c 'import http.server' 2>/dev/null") != 0 || !chat_available()) {
		tap_skip("dialogues need python3 and libcurl");
	} else {
		test_modes(&a);
		test_hostile(&a);
		test_dead(&a);
		test_replay(&a);
		test_key(&a);
	}
	arena_release(&a);
	return tap_done();
}
