/* SPDX-License-Identifier: Apache-2.0 */
/* dialogue.c - see dialogue.h. */
#include "config.h"

#include "tune/dialogue.h"

#include "base/file.h"
#include "tune/chat.h"
#include "tune/process.h"
#include "tune/prompt.h"
#include "tune/reply.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { REPAIRS = 2, MAX_QUEUE = 16, MAX_ADAPTED = 6, BAD_ROUNDS = 4, FIRST_TOKENS = 1500, MOST_TOKENS = 12000 };
#define TOKEN_LIMIT 500000.0
#define TIME_LIMIT_S 3600.0

/* What servers do not all understand; given up one at a time when they say so. */
struct dialect {
	bool new_token_name; /* max_completion_tokens */
	bool no_temperature, no_seed;
	int format; /* 2 json_schema, 1 json_object, 0 nothing */
	uint32_t tokens;
};

struct dialogue {
	struct dialogue_setup setup;
	const struct space *space;
	struct arena *arena;
	struct chat chat;
	struct dialect dialect;
	struct search *tpe;
	VEC(struct past) past;
	double *queue[MAX_QUEUE];
	uint32_t queued, bad_rounds;
	const char *dead;        /* why it is not asked any more; NULL: it is */
	const char *prompt, *said; /* said: notes on the last reply, for the next request */
	struct strbuf notes;       /* while a reply is used */
	const struct jtree **line; /* replay: of the transcript */
	uint32_t lines, next_line;
	FILE *transcript;
	double tokens, seconds;
	uint32_t requests, replies, repaired, invalid, unknown, snapped, rejected, repeated, fallback;
};

static void give_up(struct dialogue *g, const char *why)
{
	if (g->dead)
		return;
	g->dead = arena_strdup(g->arena, why);
	if (!g->setup.quiet)
		fprintf(stderr, "%s: %s; tpe goes on\n", g->setup.replay ? "the transcript" : "the language model", why);
}

/* ---- requests */

static void message(struct strbuf *b, const char *role, const char *text, bool last)
{
	strbuf_printf(b, "{\"role\": \"%s\", \"content\": ", role);
	jtree_put_string(b, text);
	strbuf_puts(b, last ? "}" : "}, ");
}

static void make_request(struct dialogue *g, struct strbuf *b)
{
	uint32_t left = g->setup.search.trials > g->past.len ? g->setup.search.trials - g->past.len : 0;
	struct strbuf dynamic = { 0 };

	prompt_dynamic(g->space, g->past.data, g->past.len, left, g->said, &dynamic);
	strbuf_puts(b, "{\"model\": ");
	jtree_put_string(b, g->setup.model ? g->setup.model : "default");
	strbuf_puts(b, ", \"messages\": [");
	message(b, "system", prompt_system(), false);
	message(b, "user", g->prompt, false);
	message(b, "user", strbuf_str(&dynamic), true);
	strbuf_printf(b, "], \"%s\": %u, \"stream\": false", g->dialect.new_token_name ? "max_completion_tokens" : "max_tokens",
		      g->dialect.tokens);
	if (!g->dialect.no_temperature)
		strbuf_puts(b, ", \"temperature\": 0.4");
	if (!g->dialect.no_seed)
		strbuf_printf(b, ", \"seed\": %llu", (unsigned long long)(g->setup.search.seed & 0x7fffffff));
	if (g->dialect.format == 1)
		strbuf_puts(b, ", \"response_format\": {\"type\": \"json_object\"}");
	if (g->dialect.format == 2) {
		strbuf_puts(b, ", \"response_format\": {\"type\": \"json_schema\", \"json_schema\": {\"name\": \"proposal\", "
			       "\"strict\": true, \"schema\": ");
		prompt_schema(g->space, b);
		strbuf_puts(b, "}}");
	}
	strbuf_puts(b, "}");
	strbuf_free(&dynamic);
}

/* A server that names a field in its refusal does not get it again. False: it named none. */
static bool adapt(struct dialect *d, const char *said)
{
	if (!d->new_token_name && strstr(said, "max_tokens")) {
		d->new_token_name = true;
	} else if (!d->no_temperature && strstr(said, "temperature")) {
		d->no_temperature = true;
	} else if (!d->no_seed && strstr(said, "seed")) {
		d->no_seed = true;
	} else if (d->format && (strstr(said, "response_format") || strstr(said, "schema") || strstr(said, "grammar"))) {
		d->format--;
	} else if (strstr(said, "context")) {
		return false;
	} else if (d->format) { /* not said what: the newest thing first */
		d->format--;
	} else {
		return false;
	}
	return true;
}

/* ---- exchanges, live or from the transcript */

static void write_transcript(struct dialogue *g, const char *request, const struct chat_reply *r)
{
	struct strbuf b = { 0 };

	if (!g->transcript)
		return;
	strbuf_printf(&b, "{\"request\": %s, \"status\": %ld, \"seconds\": %.3f, \"attempts\": %u", request, r->status, r->seconds,
		      r->attempts);
	if (r->error[0]) {
		strbuf_puts(&b, ", \"error\": ");
		jtree_put_string(&b, r->error);
	}
	strbuf_puts(&b, ", \"response\": ");
	jtree_put_string(&b, strbuf_str(&r->body));
	strbuf_puts(&b, "}\n");
	fwrite(strbuf_str(&b), 1, b.len, g->transcript);
	fflush(g->transcript);
	strbuf_free(&b);
}

static bool exchange(struct dialogue *g, const char *request, struct chat_reply *r)
{
	const struct jtree *line;
	const char *text;

	g->requests++;
	if (!g->setup.replay) {
		chat_post(&g->chat, request, r);
		g->seconds += r->seconds;
		write_transcript(g, request, r);
		return true;
	}
	if (g->next_line == g->lines) {
		give_up(g, "it has no more replies");
		return false;
	}
	line = g->line[g->next_line++];
	*r = (struct chat_reply){ .status = (long)jtree_number(line, "status", 0) };
	text = jtree_string(line, "response");
	strbuf_puts(&r->body, text ? text : "");
	snprintf(r->error, sizeof r->error, "%s", jtree_string(line, "error") ? jtree_string(line, "error") : "");
	return true;
}

/* ---- what came back */

static const struct past *known(const struct dialogue *g, const double *x)
{
	for (uint32_t i = 0; i < g->past.len; i++)
		if (!memcmp(g->past.data[i].x, x, g->space->knobs.len * sizeof *x))
			return &g->past.data[i];
	return NULL;
}

static const double *best_so_far(const struct dialogue *g)
{
	uint32_t best = 0;

	for (uint32_t i = 1; i < g->past.len; i++)
		if (outcome_score(&g->past.data[i].o) < outcome_score(&g->past.data[best].o))
			best = i;
	return g->past.len ? g->past.data[best].x : config_new(g->space);
}

static bool is_queued(const struct dialogue *g, const double *x)
{
	for (uint32_t i = 0; i < g->queued; i++)
		if (!memcmp(g->queue[i], x, g->space->knobs.len * sizeof *x))
			return true;
	return false;
}

static void enqueue(struct dialogue *g, struct reply *r)
{
	for (uint32_t i = 0; i < r->count; i++) {
		const struct past *p = known(g, r->config[i]);

		if (p) {
			g->repeated++;
			strbuf_printf(&g->notes, "- %s was measured before: score %.4g, loss %.3g\n", config_text(g->space, p->x),
				      p->o.objective, p->o.loss);
		} else if (g->queued < MAX_QUEUE && !is_queued(g, r->config[i])) {
			g->queue[g->queued++] = r->config[i];
		}
	}
}

static void take_notes(struct dialogue *g, struct reply *r)
{
	g->unknown += r->unknown;
	g->snapped += r->snapped;
	g->rejected += r->rejected;
	g->repaired += r->snapped > 0 || r->unknown > 0;
	g->tokens += r->tokens;
	if (r->notes.len)
		strbuf_puts(&g->notes, strbuf_str(&r->notes));
	strbuf_free(&r->notes);
}

/* A good HTTP reply: proposals go to the queue, everything wrong into the notes. */
static void use_reply(struct dialogue *g, const struct strbuf *body)
{
	struct reply r;

	reply_read(g->arena, g->space, best_so_far(g), strbuf_str(body), body->len, &r);
	g->replies++;
	take_notes(g, &r);
	if (r.truncated && g->dialect.tokens < MOST_TOKENS)
		g->dialect.tokens *= 2;
	if (r.error) {
		g->invalid++;
		strbuf_printf(&g->notes, "- %s\n", r.error);
	}
	if (r.stop && !r.count)
		give_up(g, "it has nothing more to propose");
	enqueue(g, &r);
	g->said = arena_strdup(g->arena, strbuf_str(&g->notes));
	strbuf_free(&g->notes);
	g->notes = (struct strbuf){ 0 };
}

/* One request with its adaptations. False: there is no use in asking again now. */
static bool ask_once(struct dialogue *g)
{
	for (int i = 0; i <= MAX_ADAPTED; i++) {
		struct strbuf request = { 0 };
		struct chat_reply r;
		const char *said;
		bool sent;

		make_request(g, &request);
		sent = exchange(g, strbuf_str(&request), &r);
		strbuf_free(&request);
		if (!sent)
			return false;
		said = reply_error(g->arena, strbuf_str(&r.body), r.body.len);
		if (r.status == 200) {
			use_reply(g, &r.body);
		} else if (r.status == 0) {
			give_up(g, arena_printf(g->arena, "no answer: %s", r.error));
		} else if (r.status == 400 && adapt(&g->dialect, said)) {
			strbuf_free(&r.body);
			continue;
		} else if (r.status == 429 || r.status >= 500) {
			give_up(g, arena_printf(g->arena, "status %ld after every attempt: %s", r.status, said));
		} else {
			give_up(g, arena_printf(g->arena, "status %ld: %s", r.status, said));
		}
		strbuf_free(&r.body);
		return !g->dead;
	}
	give_up(g, "it refuses every form of request");
	return false;
}

static bool take_queued(struct dialogue *g, double *x)
{
	while (g->queued) {
		double *c = g->queue[0];

		memmove(g->queue, g->queue + 1, --g->queued * sizeof *g->queue);
		if (known(g, c))
			continue;
		memcpy(x, c, g->space->knobs.len * sizeof *x);
		return true;
	}
	return false;
}

static bool dialogue_ask(void *state, double *x)
{
	struct dialogue *g = state;

	if (take_queued(g, x))
		return true;
	if (g->tokens > TOKEN_LIMIT)
		give_up(g, "its tokens are used up");
	else if (g->seconds > TIME_LIMIT_S)
		give_up(g, "its time is used up");
	for (int i = 0; i <= REPAIRS && !g->dead && !process_stopped(); i++) {
		if (ask_once(g) && take_queued(g, x)) {
			g->bad_rounds = 0;
			return true;
		}
	}
	if (!g->dead && ++g->bad_rounds == BAD_ROUNDS)
		give_up(g, "its replies cannot be used");
	if (take_queued(g, x))
		return true;
	g->fallback++;
	return search_ask(g->tpe, x);
}

static void dialogue_tell(void *state, const double *x, const struct outcome *o)
{
	struct dialogue *g = state;

	search_tell(g->tpe, x, o);
	if (!known(g, x))
		vec_push(g->arena, &g->past, (struct past){ config_copy(g->space, x), *o, g->past.len });
}

static void dialogue_report(void *state, struct strbuf *json)
{
	const struct dialogue *g = state;

	strbuf_printf(json, "{\"requests\": %u, \"replies\": %u, \"invalid\": %u, \"repaired\": %u, \"unknown_knobs\": %u, "
			    "\"snapped_values\": %u, \"rejected\": %u, \"repeated\": %u, \"fallback\": %u, \"tokens\": %.0f, "
			    "\"seconds\": %.3f",
		      g->requests, g->replies, g->invalid, g->repaired, g->unknown, g->snapped, g->rejected, g->repeated,
		      g->fallback, g->tokens, g->seconds);
	if (g->dead) {
		strbuf_puts(json, ", \"ended\": ");
		jtree_put_string(json, g->dead);
	}
	strbuf_puts(json, "}");
}

/* ---- making one */

static bool read_transcript(struct dialogue *g, struct diag *d)
{
	struct mapped_file f;
	VEC(const struct jtree *) lines = { 0 };
	size_t at = 0;

	if (!file_map(g->setup.transcript, &f)) {
		diag_error(d, NO_SPAN, "could not open \"%s\": %s", g->setup.transcript, strerror(errno));
		return false;
	}
	while (at < f.size) {
		const char *line = (const char *)f.data + at, *end = memchr(line, '\n', f.size - at);
		size_t n = end ? (size_t)(end - line) : f.size - at;
		const struct jtree *j = jtree_parse(g->arena, line, n);

		if (j && jtree_string(j, "response"))
			vec_push(g->arena, &lines, j);
		at += n + 1;
	}
	file_unmap(&f);
	g->line = lines.data;
	g->lines = lines.len;
	if (!g->lines)
		diag_error(d, NO_SPAN, "\"%s\" is no transcript of a dialogue", g->setup.transcript);
	return g->lines > 0;
}

struct search *search_dialogue(const struct dialogue_setup *s, struct diag *d)
{
	static const struct search_ops ops = { dialogue_ask, dialogue_tell, dialogue_report };
	struct dialogue *g = arena_new(s->search.arena, struct dialogue);
	struct search *out = arena_new(s->search.arena, struct search);
	const char *limit = getenv("EDGE_LLM_TIMEOUT");
	struct strbuf prompt = { 0 };

	*g = (struct dialogue){ .said = "", .setup = *s, .space = s->search.space, .arena = s->search.arena,
				.dialect = { .format = 2, .tokens = FIRST_TOKENS } };
	g->chat = (struct chat){ .endpoint = s->endpoint, .limit_s = limit ? strtod(limit, NULL) : 0, .retries = 2 };
	g->tpe = search_tpe(&s->search);
	prompt_static(g->space, s->problem, &prompt);
	g->prompt = arena_strdup(g->arena, strbuf_str(&prompt));
	strbuf_free(&prompt);
	if (s->replay && !read_transcript(g, d))
		return NULL;
	if (!s->replay && s->transcript) {
		g->transcript = fopen(s->transcript, "ae");
		if (!g->transcript) {
			diag_error(d, NO_SPAN, "could not write \"%s\": %s", s->transcript, strerror(errno));
			return NULL;
		}
	}
	if (!s->replay && !chat_available())
		give_up(g, "this edgec was built without libcurl");
	*out = (struct search){ s->replay ? "replay" : "llm", &ops, g };
	return out;
}
