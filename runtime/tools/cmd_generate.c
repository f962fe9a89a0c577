/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_generate.c - edgert generate: text from a prompt, written as it is made. */
#include "config.h"

#include "base/clock.h"
#include "base/memory.h"
#include "base/npy.h"
#include "text/language.h"
#include "text/sample.h"
#include "tools/language_tool.h"
#include "tools/tool.h"

#include <errno.h>
#include <getopt.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_PROMPT = 256, OPT_SEED, OPT_TEMPERATURE, OPT_TOP_K, OPT_TOP_P, OPT_JSON, OPT_LOGITS, OPT_TOKENS, OPT_IGNORE_END,
       OPT_REPEAT, OPT_TRACE, DEFAULT_TOKENS = 128 };

static const struct option options[] = {
	{ "prompt", required_argument, NULL, OPT_PROMPT },
	{ "seed", required_argument, NULL, OPT_SEED },
	{ "temperature", required_argument, NULL, OPT_TEMPERATURE },
	{ "top-k", required_argument, NULL, OPT_TOP_K },
	{ "top-p", required_argument, NULL, OPT_TOP_P },
	{ "json", no_argument, NULL, OPT_JSON },
	{ "logits", required_argument, NULL, OPT_LOGITS },
	{ "tokens", required_argument, NULL, OPT_TOKENS },
	{ "ignore-end", no_argument, NULL, OPT_IGNORE_END },
	{ "repeat", required_argument, NULL, OPT_REPEAT },
	{ "trace", required_argument, NULL, OPT_TRACE },
	LANGUAGE_SESSION_OPTIONS,
	{ NULL, 0, NULL, 0 },
};

struct generate {
	struct edgert_options session;
	const char *prompt, *logits, *token_file, *trace;
	uint32_t count, top_k, repeat;
	uint64_t seed;
	double temperature, top_p;
	bool json, ignore_end;

	struct language l;
	struct sampler sampler;
	struct tokens tokens; /* the prompt's */
	uint32_t made;
	char *text; /* what was made */
	size_t text_bytes, shown;
	double first_ms, prefill_ms, decode_ms;
	const char *stop;
};

static bool real(const char *option, const char *text, double least, double most, double *out)
{
	char *end;

	*out = strtod(text, &end);
	if (*text && !*end && *out >= least && *out <= most)
		return true;
	tool_usage_error("%s needs a number from %g to %g, not \"%s\"", option, least, most, text);
	return false;
}

static bool take(struct generate *g, int c)
{
	char *end;

	switch (c) {
	case OPT_PROMPT: g->prompt = optarg; return true;
	case OPT_LOGITS: g->logits = optarg; return true;
	case OPT_TOKENS: g->token_file = optarg; return true;
	case OPT_JSON: g->json = true; return true;
	case OPT_REPEAT: return tool_number("--repeat", optarg, 1, &g->repeat);
	case OPT_TRACE:
		g->trace = optarg;
		g->session.profile = true;
		return true;
	case OPT_IGNORE_END: g->ignore_end = true; return true;
	case OPT_TEMPERATURE: return real("--temperature", optarg, 0, 100, &g->temperature);
	case OPT_TOP_P: return real("--top-p", optarg, 0, 1, &g->top_p);
	case OPT_TOP_K: return tool_number("--top-k", optarg, 0, &g->top_k);
	case 'n': return tool_number("-n", optarg, 0, &g->count);
	case OPT_SEED:
		errno = 0;
		g->seed = strtoull(optarg, &end, 10);
		return (*optarg && !*end && !errno) || (tool_usage_error("--seed needs a whole number, not \"%s\"", optarg), false);
	default: return language_session_option(&g->session, c);
	}
}

/* ---- text as it comes ---- */

/* Bytes of whole characters; a character whose end has not come yet waits. */
static size_t whole_characters(const char *s, size_t n)
{
	for (size_t back = 1; back <= 3 && back <= n; back++) {
		unsigned char c = (unsigned char)s[n - back];

		if ((c & 0xc0) == 0x80)
			continue;
		return (c >= 0xf0 ? 4 : c >= 0xe0 ? 3 : c >= 0xc0 ? 2 : 1) > back ? n - back : n;
	}
	return n;
}

static void show(struct generate *g, bool all)
{
	size_t n = all ? g->text_bytes : whole_characters(g->text, g->text_bytes);

	if (!g->json && n > g->shown) {
		fwrite(g->text + g->shown, 1, n - g->shown, stdout);
		fflush(stdout);
	}
	if (n > g->shown)
		g->shown = n;
}

static enum edge_status add_piece(struct generate *g, int32_t token, size_t *capacity, struct failure *f)
{
	uint32_t n;
	const char *piece = tokenizer_piece(&g->l.tokenizer, token, &n);
	char *grown;

	if (g->text_bytes + n + 1 > *capacity) {
		*capacity = 2 * *capacity + n + 1;
		if (!(grown = realloc(g->text, *capacity)))
			return rt_fail(f, EDGE_MEMORY, "out of memory");
		g->text = grown;
	}
	memcpy(g->text + g->text_bytes, piece, n);
	g->text_bytes += n;
	g->text[g->text_bytes] = '\0';
	return EDGE_OK;
}

/* ---- the work ---- */

static enum edge_status read_prompt(struct generate *g, struct failure *f)
{
	unsigned flags = TOKENIZE_START | TOKENIZE_SPECIAL;
	enum edge_status st;

	if (g->token_file)
		return language_load_tokens(g->token_file, g->l.vocabulary, &g->tokens, f);
	st = tokenizer_encode(&g->l.tokenizer, g->prompt, strlen(g->prompt), flags, &g->tokens, f);
	if (st == EDGE_OK && !g->tokens.count) {
		int32_t bos = g->l.tokenizer.v.header->bos;

		if (bos < 0)
			return rt_fail(f, EDGE_ARGUMENT, "the prompt is empty, and the model has no token to begin with");
		st = tokens_add(&g->tokens, bos, f);
	}
	if (st == EDGE_OK && g->tokens.count > g->l.context)
		return rt_fail(f, EDGE_ARGUMENT, "the prompt has %llu tokens, and the plan's context is %u",
			       (unsigned long long)g->tokens.count, g->l.context);
	return st;
}

/* Logits of every token of the prompt, as a file. */
static enum edge_status save_logits(struct generate *g, struct failure *f)
{
	struct npy t = { .dtype = EDGE_F32, .rank = 2, .dim = { (int64_t)g->tokens.count, g->l.vocabulary } };
	float *all = rt_alloc(g->tokens.count * g->l.vocabulary, sizeof *all);
	enum edge_status st = all ? EDGE_OK : rt_fail(f, EDGE_MEMORY, "out of memory");

	for (uint64_t at = 0; at < g->tokens.count && st == EDGE_OK;) {
		uint32_t n = g->tokens.count - at < g->l.scored ? (uint32_t)(g->tokens.count - at) : g->l.scored;

		st = language_score(&g->l, g->tokens.id + at, n, f);
		if (st == EDGE_OK)
			memcpy(all + at * g->l.vocabulary, g->l.logits, (size_t)n * g->l.vocabulary * sizeof *all);
		at += n;
	}
	if (st == EDGE_OK)
		st = npy_save(g->logits, &t, all, f);
	rt_free(all);
	return st;
}

static enum edge_status generate_tokens(struct generate *g, struct failure *f)
{
	int64_t begin = rt_now(), decoding;
	size_t capacity = 0;
	enum edge_status st = language_feed(&g->l, g->tokens.id, g->tokens.count, f);

	g->prefill_ms = rt_ms(rt_now() - begin);
	decoding = rt_now();
	g->stop = "count";
	while (st == EDGE_OK && g->made < g->count) {
		int32_t token = sampler_next(&g->sampler, g->l.logits);

		if (!g->made) {
			g->first_ms = rt_ms(rt_now() - tool_start);
			decoding = rt_now();
		}
		if (!g->ignore_end && tokenizer_ends(&g->l.tokenizer, token)) {
			g->stop = "end";
			break;
		}
		if ((st = add_piece(g, token, &capacity, f)) != EDGE_OK)
			break;
		show(g, false);
		if (++g->made == g->count)
			break;
		if (g->l.position == g->l.context) {
			g->stop = "context";
			break;
		}
		st = language_feed(&g->l, &token, 1, f);
	}
	g->decode_ms = rt_ms(rt_now() - decoding);
	show(g, true);
	return st;
}

/*
 * The same text again and again in one session: what the work takes without loading
 * anything. The times reported are the medians of all rounds but the first.
 */
static enum edge_status repeat_tokens(struct generate *g, struct failure *f)
{
	uint32_t rounds = g->repeat - 1;
	double first = g->first_ms, *prefill = rt_alloc(rounds, 2 * sizeof *prefill), *decode = prefill + rounds;
	enum edge_status st = prefill ? EDGE_OK : rt_fail(f, EDGE_MEMORY, "out of memory");

	for (uint32_t i = 0; i < rounds && st == EDGE_OK; i++) {
		language_rewind(&g->l, 0);
		g->text_bytes = g->made = 0;
		sampler_close(&g->sampler);
		st = sampler_open(&g->sampler, g->l.vocabulary, g->temperature, g->top_k, g->top_p, g->seed, f);
		if (st == EDGE_OK)
			st = generate_tokens(g, f);
		prefill[i] = g->prefill_ms;
		decode[i] = g->decode_ms;
	}
	if (st == EDGE_OK) {
		g->prefill_ms = median_ms(prefill, rounds);
		g->decode_ms = median_ms(decode, rounds);
		g->first_ms = first;
	}
	rt_free(prefill);
	return st;
}

static void report(const struct generate *g)
{
	/* the first token comes with the prompt */
	double decoded = g->made > 1 ? g->made - 1 : 0;
	char *full = NULL;
	size_t n = g->prompt ? strlen(g->prompt) : 0;
	struct json j;

	if (!g->json) {
		putchar('\n');
		fflush(stdout);
		fprintf(stderr, "%u tokens; first after %.1f ms, prompt %.1f tokens/s, then %.1f tokens/s\n", g->made,
			g->first_ms, g->prefill_ms > 0 ? (double)g->tokens.count * 1e3 / g->prefill_ms : 0,
			g->decode_ms > 0 ? decoded * 1e3 / g->decode_ms : 0);
		if (!strcmp(g->stop, "context"))
			fprintf(stderr, "stopped: the plan's context of %u tokens is full\n", g->l.context);
		return;
	}
	full = malloc(n + g->text_bytes + 1);
	if (full) {
		memcpy(full, n ? g->prompt : "", n);
		memcpy(full + n, g->text ? g->text : "", g->text_bytes);
		full[n + g->text_bytes] = '\0';
	}
	json_begin(&j, stdout);
	json_object(&j, NULL);
	language_json_text(&j, "text", full ? full : "");
	language_json_text(&j, "completion", g->text ? g->text : "");
	free(full);
	json_u64(&j, "tokens", g->made);
	json_u64(&j, "prompt_tokens", g->tokens.count);
	json_string(&j, "stop", g->stop);
	if (g->prefill_ms > 0)
		json_number(&j, "prefill_tokens_per_s", (double)g->tokens.count * 1e3 / g->prefill_ms);
	if (g->decode_ms > 0 && decoded > 0)
		json_number(&j, "decode_tokens_per_s", decoded * 1e3 / g->decode_ms);
	if (g->first_ms > 0)
		json_number(&j, "first_token_ms", g->first_ms);
	/* as of a run: from start to the first token, and a token after it */
	if (g->first_ms > 0)
		json_number(&j, "cold_ms", g->first_ms);
	if (g->decode_ms > 0 && decoded > 0)
		json_number(&j, "warm_ms", g->decode_ms / decoded);
	language_json_memory(&j, g->l.session);
	json_close(&j);
	json_end(&j);
}

static enum edge_status work(struct generate *g, struct edgert_session *s, struct failure *f)
{
	enum edge_status st;

	if ((st = language_open(s, &g->l, f)) != EDGE_OK || (st = read_prompt(g, f)) != EDGE_OK ||
	    (st = sampler_open(&g->sampler, g->l.vocabulary, g->temperature, g->top_k, g->top_p, g->seed, f)) != EDGE_OK)
		return st;
	if (g->logits)
		return save_logits(g, f);
	if (!g->json && g->prompt) {
		fputs(g->prompt, stdout);
		fflush(stdout);
	}
	if ((st = generate_tokens(g, f)) != EDGE_OK || (g->repeat > 1 && (st = repeat_tokens(g, f)) != EDGE_OK))
		return st;
	report(g);
	return g->trace ? trace_save(g->trace, s, f) : EDGE_OK;
}

static int parse(int argc, char **argv, struct generate *g)
{
	int c;

	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":n:", options, NULL)) != -1) {
		if (c == '?')
			return tool_usage_error("%s has no option \"%s\"", argv[0], argv[optind - 1]);
		if (c == ':')
			return tool_usage_error("option \"%s\" needs a value", argv[optind - 1]);
		if (!take(g, c))
			return TOOL_USAGE;
	}
	if (optind + 1 != argc)
		return tool_usage_error(optind == argc ? "%s needs a plan" : "%s takes one plan", argv[0]);
	if (!g->prompt == !g->token_file)
		return tool_usage_error("%s needs --prompt TEXT, or --tokens FILE.npy", argv[0]);
	g->session.plan = argv[optind];
	g->session.text = true;
	return TOOL_OK;
}

int cmd_generate(int argc, char **argv)
{
	struct generate g = { .count = DEFAULT_TOKENS, .top_k = 40, .top_p = 0.95 };
	struct failure f = { .status = EDGE_OK };
	struct edgert_session *s = NULL;
	int status = parse(argc, argv, &g);

	if (status != TOOL_OK)
		return status;
	if (edgert_open(&g.session, &s) != EDGE_OK)
		status = tool_error("%s", edgert_last_error(NULL));
	else if (work(&g, s, &f) != EDGE_OK)
		status = tool_error("%s", f.text);
	sampler_close(&g.sampler);
	tokens_free(&g.tokens);
	free(g.text);
	language_close(&g.l);
	edgert_close(s);
	return status;
}
