/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_perplexity.c - edgert perplexity: how well a model knows a text.
 *
 * The text is cut at <|endoftext|>; white space in front of each part goes. Each
 * part is read from its own beginning (the first token of the model, where it
 * has one, is given and not scored) and every other token is scored by what the
 * model said before it. A part longer than the context is cut into windows of
 * the context, each beginning anew.
 *
 *	perplexity = exp(mean of -ln p)
 */
#include "config.h"

#include "base/clock.h"
#include "base/memory.h"
#include "text/language.h"
#include "text/sample.h"
#include "tools/language_tool.h"
#include "tools/tool.h"

#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_TEXT = 256, OPT_JSON };

static const char end_of_text[] = "<|endoftext|>";

static const struct option options[] = {
	{ "text", required_argument, NULL, OPT_TEXT },
	{ "json", no_argument, NULL, OPT_JSON },
	LANGUAGE_SESSION_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

struct perplexity {
	struct edgert_options session;
	const char *path;
	bool json;
	struct language l;
	double loss;
	uint64_t scored;
	double ms;
};

/* One window: logits of a sweep score the tokens of the next one as well. */
static enum edge_status score_window(struct perplexity *p, const int32_t *token, uint64_t count, struct failure *f)
{
	struct language *l = &p->l;
	enum edge_status st = EDGE_OK;

	language_rewind(l, 0);
	for (uint64_t at = 0; at + 1 < count && st == EDGE_OK;) {
		uint64_t left = count - 1 - at; /* the last token is only scored */
		uint32_t n = left < l->scored ? (uint32_t)left : l->scored;

		st = language_score(l, token + at, n, f);
		for (uint32_t i = 0; i < n && st == EDGE_OK; i++) {
			p->loss += token_loss(l->logits + (size_t)i * l->vocabulary, l->vocabulary, token[at + i + 1]);
			p->scored++;
		}
		at += n;
	}
	return st;
}

/* Windows begin with the model's first token, where it has one. */
static enum edge_status score_part(struct perplexity *p, const char *text, size_t size, struct failure *f)
{
	const struct edge_tokenizer *h = p->l.tokenizer.v.header;
	bool first = (h->flags & EDGE_TOKENIZER_ADD_BOS) && h->bos >= 0;
	struct tokens t = { 0 }, window = { 0 };
	enum edge_status st = tokenizer_encode(&p->l.tokenizer, text, size, TOKENIZE_START, &t, f);
	uint64_t room = (uint64_t)p->l.context + 1 - first;

	for (uint64_t at = first; at < t.count && st == EDGE_OK; at += room) {
		window.count = 0;
		if (first)
			st = tokens_add(&window, h->bos, f);
		for (uint64_t i = at; i < t.count && i < at + room && st == EDGE_OK; i++)
			st = tokens_add(&window, t.id[i], f);
		if (st == EDGE_OK)
			st = score_window(p, window.id, window.count, f);
	}
	tokens_free(&t);
	tokens_free(&window);
	return st;
}

static bool is_blank(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static enum edge_status score_text(struct perplexity *p, const char *text, size_t size, struct failure *f)
{
	enum edge_status st = EDGE_OK;
	size_t from = 0;

	while (from < size && st == EDGE_OK) {
		const char *cut = memmem(text + from, size - from, end_of_text, sizeof end_of_text - 1);
		size_t to = cut ? (size_t)(cut - text) : size, next = cut ? to + sizeof end_of_text - 1 : size;

		while (from < to && is_blank(text[from]))
			from++;
		if (from < to)
			st = score_part(p, text + from, to - from, f);
		from = next;
	}
	if (st == EDGE_OK && !p->scored)
		st = rt_fail(f, EDGE_ARGUMENT, "\"%s\" holds nothing to score", p->path);
	return st;
}

static void report(const struct perplexity *p)
{
	double value = exp(p->loss / (double)p->scored), rate = p->ms > 0 ? (double)p->scored * 1e3 / p->ms : 0;
	struct json j;

	if (!p->json) {
		printf("perplexity %.4f over %llu tokens (%.1f tokens/s)\n", value, (unsigned long long)p->scored, rate);
		return;
	}
	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_number(&j, "perplexity", value);
	json_u64(&j, "tokens", p->scored);
	json_number(&j, "tokens_per_s", rate);
	json_number(&j, "mean_loss", p->loss / (double)p->scored);
	language_json_memory(&j, p->l.session);
	json_close(&j);
	json_end(&j);
}

static enum edge_status work(struct perplexity *p, struct edgert_session *s, struct failure *f)
{
	enum edge_status st;
	size_t size = 0;
	char *text = NULL;
	int64_t begin;

	if ((st = language_open(s, &p->l, f)) == EDGE_OK && (st = language_load_text(p->path, &text, &size, f)) == EDGE_OK) {
		begin = rt_now();
		st = score_text(p, text, size, f);
		p->ms = rt_ms(rt_now() - begin);
		if (st == EDGE_OK)
			report(p);
	}
	free(text);
	return st;
}

int cmd_perplexity(int argc, char **argv)
{
	struct perplexity p = { .path = NULL };
	struct failure f = { .status = EDGE_OK };
	struct edgert_session *s = NULL;
	int c, status = TOOL_OK;

	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		if (c == '?')
			return tool_usage_error("%s has no option \"%s\"", argv[0], argv[optind - 1]);
		if (c == ':')
			return tool_usage_error("option \"%s\" needs a value", argv[optind - 1]);
		if (c == OPT_TEXT)
			p.path = optarg;
		else if (c == OPT_JSON)
			p.json = true;
		else if (!language_session_option(&p.session, c))
			return TOOL_USAGE;
	}
	if (optind + 1 != argc)
		return tool_usage_error(optind == argc ? "%s needs a plan" : "%s takes one plan", argv[0]);
	if (!p.path)
		return tool_usage_error("%s needs --text FILE", argv[0]);
	p.session.plan = argv[optind];
	p.session.text = true;
	if (edgert_open(&p.session, &s) != EDGE_OK)
		status = tool_error("%s", edgert_last_error(NULL));
	else if (work(&p, s, &f) != EDGE_OK)
		status = tool_error("%s", f.text);
	language_close(&p.l);
	edgert_close(s);
	return status;
}
