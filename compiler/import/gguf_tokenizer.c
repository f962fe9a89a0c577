/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gguf_tokenizer.c - the vocabulary of a GGUF file in the form of a plan.
 *
 * Everything that can be worked out before the device runs is: tokens become
 * the bytes that they print (files write spaces as U+2581 in one kind of
 * vocabulary, and every byte as a letter in the other), merges become numbers
 * of tokens, and what is searched is sorted.
 */
#include "config.h"

#include "edge/plan_read.h"
#include "import/gguf.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_TOKENS = 1 << 24, MAX_TOKEN_BYTES = 1 << 16 };

struct vocabulary {
	struct gguf *g;
	struct edge_tokenizer head;
	const struct gguf_value *tokens;
	struct gguf_text *raw;  /* as in the file */
	struct map raw_map;     /* raw text -> token */
	uint8_t *type;
	float *score;
	uint32_t *offset, *by_text;
	struct strbuf text;
	VEC(struct edge_merge) merges;
	VEC(uint32_t) special;
	int32_t byte_token[256];
};

static bool refuse(struct vocabulary *v, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
static bool refuse(struct vocabulary *v, const char *fmt, ...)
{
	va_list ap;
	char *what;

	va_start(ap, fmt);
	what = arena_vprintf(v->g->arena, fmt, ap);
	va_end(ap);
	diag_error(v->g->diag, v->g->span, "cannot import \"%s\": %s", v->g->path, what);
	return false;
}

/* ---- the byte letters of byte-level vocabularies ---- */

/*
 * Printable Latin-1 characters stand for their own byte; the other 68 bytes, in
 * order, are U+0100 and up.
 */
static bool letter_is_plain(unsigned b)
{
	return (b >= 0x21 && b <= 0x7e) || (b >= 0xa1 && b <= 0xac) || b >= 0xae;
}

static int letter_byte(uint32_t c)
{
	unsigned n = 0;

	if (c < 256)
		return letter_is_plain(c) ? (int)c : -1;
	for (unsigned b = 0; b < 256; b++)
		if (!letter_is_plain(b) && c == 256 + n++)
			return (int)b;
	return -1;
}

/* One character of UTF-8, malformed bytes as themselves; its length. */
static unsigned next_character(const unsigned char *s, uint64_t n, uint32_t *c)
{
	unsigned len = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf8 ? 4 : 0;

	*c = s[0];
	if (len < 2 || len > n)
		return 1;
	*c &= 0xffu >> (len + 1);
	for (unsigned i = 1; i < len; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			*c = s[0];
			return 1;
		}
		*c = *c << 6 | (s[i] & 0x3f);
	}
	return len;
}

/* Appends the bytes that a token of byte letters prints. */
static void put_letters(struct strbuf *out, struct gguf_text t)
{
	const unsigned char *s = (const unsigned char *)t.data;

	for (uint64_t i = 0; i < t.len;) {
		uint32_t c;
		unsigned len = next_character(s + i, t.len - i, &c);
		int byte = letter_byte(c);

		if (byte < 0)
			strbuf_add(out, s + i, len);
		else
			strbuf_add(out, &(char){ (char)byte }, 1);
		i += len;
	}
}

/* U+2581 is a space. */
static void put_spaced(struct strbuf *out, struct gguf_text t)
{
	for (uint64_t i = 0; i < t.len;) {
		if (t.len - i >= 3 && !memcmp(t.data + i, "\xe2\x96\x81", 3)) {
			strbuf_add(out, " ", 1);
			i += 3;
		} else {
			strbuf_add(out, t.data + i++, 1);
		}
	}
}

/* A user's token of spaces is found as those of the vocabulary are, by joining pieces. */
static bool is_spaced(const struct vocabulary *v, uint32_t i)
{
	return v->head.kind == EDGE_TOKENIZER_SPM && v->type[i] == EDGE_TOKEN_USER &&
	       memmem(v->raw[i].data, v->raw[i].len, "\xe2\x96\x81", 3);
}

/* "<0x0A>" */
static int byte_name(struct gguf_text t)
{
	char digits[3] = { 0 };
	char *end;
	long x;

	if (t.len != 6 || memcmp(t.data, "<0x", 3) != 0 || t.data[5] != '>')
		return -1;
	memcpy(digits, t.data + 3, 2);
	x = strtol(digits, &end, 16);
	return *end || x < 0 ? -1 : (int)x;
}

/* ---- tokens ---- */

static bool read_kind(struct vocabulary *v)
{
	static const struct {
		const char *name;
		uint32_t pattern;
	} patterns[] = {
		{ "default", EDGE_PATTERN_UNNAMED },
		{ "gpt-2", EDGE_PATTERN_GPT2 }, { "phi-2", EDGE_PATTERN_GPT2 }, { "mpt", EDGE_PATTERN_GPT2 },
		{ "olmo", EDGE_PATTERN_GPT2 }, { "roberta-bpe", EDGE_PATTERN_GPT2 }, { "jina-v1-en", EDGE_PATTERN_GPT2 },
		{ "falcon3", EDGE_PATTERN_LLAMA3 }, { "pixtral", EDGE_PATTERN_LLAMA3 },
		{ "dbrx", EDGE_PATTERN_LLAMA3 }, { "llama-bpe", EDGE_PATTERN_LLAMA3 },
		{ "llama3", EDGE_PATTERN_LLAMA3 }, { "llama-v3", EDGE_PATTERN_LLAMA3 }, { "smaug-bpe", EDGE_PATTERN_LLAMA3 },
		{ "qwen2", EDGE_PATTERN_QWEN2 }, { "deepseek-r1-qwen", EDGE_PATTERN_QWEN2 },
		{ "smollm", EDGE_PATTERN_SMOLLM }, { "starcoder", EDGE_PATTERN_SMOLLM }, { "refact", EDGE_PATTERN_SMOLLM },
		{ "command-r", EDGE_PATTERN_SMOLLM }, { "codeshell", EDGE_PATTERN_SMOLLM }, { "stablelm2", EDGE_PATTERN_QWEN2 },
	};
	struct gguf_text model, pre = { "default", 7 };

	if (!gguf_string(v->g, "tokenizer.ggml.model", &model))
		return refuse(v, "it has no tokenizer (tokenizer.ggml.model)");
	if (model.len == 5 && !memcmp(model.data, "llama", 5)) {
		v->head.kind = EDGE_TOKENIZER_SPM;
		v->head.flags = EDGE_TOKENIZER_ADD_BOS | EDGE_TOKENIZER_ADD_SPACE;
		return true;
	}
	if (model.len != 4 || memcmp(model.data, "gpt2", 4) != 0)
		return refuse(v, "tokenizer \"%s\" is not supported",
			      arena_strndup(v->g->arena, model.data, model.len < 64 ? model.len : 64));
	v->head.kind = EDGE_TOKENIZER_BPE;
	gguf_string(v->g, "tokenizer.ggml.pre", &pre);
	for (size_t i = 0; i < sizeof patterns / sizeof *patterns; i++)
		if (pre.len == strlen(patterns[i].name) && !memcmp(pre.data, patterns[i].name, pre.len))
			v->head.pattern = patterns[i].pattern;
	if (!v->head.pattern)
		return refuse(v, "pre-tokenizer \"%s\" is not supported",
			      arena_strndup(v->g->arena, pre.data, pre.len < 64 ? pre.len : 64));
	if (v->head.pattern == EDGE_PATTERN_LLAMA3)
		v->head.flags = EDGE_TOKENIZER_ADD_BOS | EDGE_TOKENIZER_WHOLE_WORDS;
	return true;
}

static void read_flag(struct vocabulary *v, const char *key, uint32_t flag)
{
	bool on;

	if (gguf_bool(v->g, key, &on))
		v->head.flags = on ? v->head.flags | flag : v->head.flags & ~flag;
}

/* A token's number, or EDGE_NONE. */
static bool read_id(struct vocabulary *v, const char *key, int32_t *out)
{
	int64_t id;

	if (!gguf_integer(v->g, key, &id))
		return v->g->diag->errors == 0;
	if (id >= v->head.tokens || id < 0)
		return id < 0 || id == UINT32_MAX || refuse(v, "key \"%s\" is %lld of %u tokens", key, (long long)id, v->head.tokens);
	*out = (int32_t)id;
	return true;
}

static bool read_tokens(struct vocabulary *v, int64_t vocabulary)
{
	const struct gguf_value *types, *scores;
	const unsigned char *at;
	struct arena *a = v->g->arena;
	uint32_t n;

	v->tokens = gguf_array(v->g, "tokenizer.ggml.tokens", GGUF_STRING);
	if (!v->tokens)
		return v->g->diag->errors == 0 && refuse(v, "it has no tokens (tokenizer.ggml.tokens)");
	if (v->tokens->count != (uint64_t)vocabulary || vocabulary > MAX_TOKENS)
		return refuse(v, "%llu tokens for %lld embeddings", (unsigned long long)v->tokens->count, (long long)vocabulary);
	v->head.tokens = n = (uint32_t)vocabulary;
	types = gguf_array(v->g, "tokenizer.ggml.token_type", GGUF_I32);
	scores = gguf_array(v->g, "tokenizer.ggml.scores", GGUF_F32);
	if (v->g->diag->errors || (types && types->count < n) || (scores && scores->count < n))
		return v->g->diag->errors == 0 && refuse(v, "its lists of token types or scores are short");
	v->raw = arena_new_array(a, struct gguf_text, n);
	v->type = arena_new_array(a, uint8_t, n + 4);
	v->score = arena_new_array(a, float, n);
	at = v->tokens->at;
	for (uint32_t i = 0; i < n; i++) {
		int64_t type = types ? gguf_element_integer(types, i) : EDGE_TOKEN_NORMAL;

		v->raw[i] = gguf_next_string(&at);
		if (v->raw[i].len > MAX_TOKEN_BYTES)
			return refuse(v, "token %u has %llu bytes", i, (unsigned long long)v->raw[i].len);
		v->type[i] = type >= EDGE_TOKEN_NORMAL && type <= EDGE_TOKEN_BYTE ? (uint8_t)type : EDGE_TOKEN_NORMAL;
		v->score[i] = scores ? gguf_element_f32(scores, i) : 0;
		if (isnan(v->score[i]))
			return refuse(v, "the score of token %u is no number", i);
		if (!memchr(v->raw[i].data, 0, v->raw[i].len)) {
			const char *key = arena_strndup(a, v->raw[i].data, v->raw[i].len);

			if (!map_get(&v->raw_map, key, NULL))
				map_put(a, &v->raw_map, key, i);
		}
	}
	return true;
}

/* Text as it is printed; what starts and ends a text prints nothing of its own, but can be asked for by name. */
static void make_text(struct vocabulary *v)
{
	v->offset = arena_new_array(v->g->arena, uint32_t, v->head.tokens + 1);
	for (uint32_t i = 0; i < v->head.tokens; i++) {
		int byte = v->type[i] == EDGE_TOKEN_BYTE ? byte_name(v->raw[i]) : -1;

		v->offset[i] = (uint32_t)v->text.len;
		if (byte >= 0) {
			strbuf_add(&v->text, &(char){ (char)byte }, 1);
			v->byte_token[byte] = (int32_t)i;
		} else if (v->type[i] != EDGE_TOKEN_NORMAL && !is_spaced(v, i)) {
			strbuf_add(&v->text, v->raw[i].data, v->raw[i].len);
		} else if (v->head.kind == EDGE_TOKENIZER_SPM) {
			put_spaced(&v->text, v->raw[i]);
		} else {
			put_letters(&v->text, v->raw[i]);
		}
		if (v->head.kind == EDGE_TOKENIZER_BPE && v->type[i] == EDGE_TOKEN_NORMAL &&
		    v->text.len == v->offset[i] + 1u && v->byte_token[(unsigned char)v->text.data[v->offset[i]]] < 0)
			v->byte_token[(unsigned char)v->text.data[v->offset[i]]] = (int32_t)i;
	}
	v->offset[v->head.tokens] = v->head.text_bytes = (uint32_t)v->text.len;
}

/* ---- sorted lists ---- */

static const struct vocabulary *sorting; /* qsort has no context */

static int compare_text(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	uint32_t nx = sorting->offset[x + 1] - sorting->offset[x], ny = sorting->offset[y + 1] - sorting->offset[y];
	int c = memcmp(sorting->text.data + sorting->offset[x], sorting->text.data + sorting->offset[y], nx < ny ? nx : ny);

	if (!c)
		c = nx < ny ? -1 : nx > ny;
	return c ? c : x < y ? -1 : x > y;
}

static int compare_longest(const void *a, const void *b)
{
	uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
	uint32_t nx = sorting->offset[x + 1] - sorting->offset[x], ny = sorting->offset[y + 1] - sorting->offset[y];

	return nx != ny ? (nx > ny ? -1 : 1) : x < y ? -1 : x > y;
}

static int compare_merge(const void *a, const void *b)
{
	const struct edge_merge *x = a, *y = b;

	if (x->left != y->left)
		return x->left < y->left ? -1 : 1;
	if (x->right != y->right)
		return x->right < y->right ? -1 : 1;
	return x->rank < y->rank ? -1 : x->rank > y->rank;
}

static void sort_tokens(struct vocabulary *v)
{
	v->by_text = arena_new_array(v->g->arena, uint32_t, v->head.tokens);
	for (uint32_t i = 0; i < v->head.tokens; i++) {
		v->by_text[i] = i;
		if ((v->type[i] == EDGE_TOKEN_CONTROL || v->type[i] == EDGE_TOKEN_USER || v->type[i] == EDGE_TOKEN_UNKNOWN) &&
		    !is_spaced(v, i) && v->offset[i + 1] > v->offset[i])
			vec_push(v->g->arena, &v->special, i);
	}
	sorting = v;
	qsort(v->by_text, v->head.tokens, sizeof *v->by_text, compare_text);
	if (v->special.len)
		qsort(v->special.data, v->special.len, sizeof *v->special.data, compare_longest);
	v->head.specials = v->special.len;
}

/* "LEFT RIGHT"; a merge whose parts or result are no tokens can never happen. */
static void add_merge(struct vocabulary *v, struct gguf_text t, uint32_t rank)
{
	const char *space = t.len > 2 ? memchr(t.data + 1, ' ', t.len - 2) : NULL;
	struct edge_merge m = { .rank = rank };
	struct strbuf both = { 0 };
	const char *left, *right;

	if (!space || memchr(t.data, 0, t.len))
		return;
	left = arena_strndup(v->g->arena, t.data, (size_t)(space - t.data));
	right = arena_strndup(v->g->arena, space + 1, t.len - (size_t)(space + 1 - t.data));
	strbuf_printf(&both, "%s%s", left, right);
	if (map_get(&v->raw_map, left, &m.left) && map_get(&v->raw_map, right, &m.right) &&
	    map_get(&v->raw_map, strbuf_str(&both), &m.result))
		vec_push(v->g->arena, &v->merges, m);
	strbuf_free(&both);
}

static bool read_merges(struct vocabulary *v)
{
	const struct gguf_value *list = gguf_array(v->g, "tokenizer.ggml.merges", GGUF_STRING);
	const unsigned char *at;

	if (v->head.kind != EDGE_TOKENIZER_BPE)
		return v->g->diag->errors == 0;
	if (!list)
		return v->g->diag->errors == 0 && refuse(v, "it has no merges (tokenizer.ggml.merges)");
	if (list->count > MAX_TOKENS)
		return refuse(v, "%llu merges are too many", (unsigned long long)list->count);
	at = list->at;
	for (uint32_t i = 0; i < list->count; i++)
		add_merge(v, gguf_next_string(&at), i);
	if (v->merges.len)
		qsort(v->merges.data, v->merges.len, sizeof *v->merges.data, compare_merge);
	v->head.merges = v->merges.len;
	return true;
}

/* Where generating stops: the tokens that the file names, and those known under such a name. */
static bool mark_ends(struct vocabulary *v)
{
	static const char *const keys[] = { "tokenizer.ggml.eos_token_id", "tokenizer.ggml.eot_token_id",
					    "tokenizer.ggml.eom_token_id" };
	static const char *const names[] = { "<|eot_id|>", "<|eom_id|>", "<|im_end|>", "<|end|>", "<end_of_turn>",
					     "<|endoftext|>", "<|end_of_text|>", "<EOT>", "</s>" };
	uint32_t id;

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
		int32_t end = EDGE_NONE;

		if (!read_id(v, keys[i], &end))
			return false;
		if (end >= 0)
			v->type[end] |= EDGE_TOKEN_ENDS;
	}
	for (size_t i = 0; i < sizeof names / sizeof *names; i++)
		if (map_get(&v->raw_map, names[i], &id) && (v->type[id] & ~EDGE_TOKEN_ENDS) == EDGE_TOKEN_CONTROL)
			v->type[id] |= EDGE_TOKEN_ENDS;
	return true;
}

static void put_section(struct vocabulary *v, struct strbuf *out)
{
	uint32_t n = v->head.tokens;

	strbuf_add(out, &v->head, sizeof v->head);
	strbuf_add(out, v->offset, (n + 1) * sizeof *v->offset);
	strbuf_add(out, v->by_text, n * sizeof *v->by_text);
	strbuf_add(out, v->score, n * sizeof *v->score);
	if (v->merges.len)
		strbuf_add(out, v->merges.data, v->merges.len * sizeof *v->merges.data);
	strbuf_add(out, v->byte_token, sizeof v->byte_token);
	if (v->special.len)
		strbuf_add(out, v->special.data, v->special.len * sizeof *v->special.data);
	strbuf_add(out, v->type, (n + 3) / 4 * 4);
	if (v->text.len)
		strbuf_add(out, v->text.data, v->text.len);
}

bool gguf_tokenizer(struct gguf *g, int64_t vocabulary, struct strbuf *out)
{
	struct vocabulary v = { .g = g, .head = { .bos = EDGE_NONE, .eos = EDGE_NONE, .unknown = EDGE_NONE } };
	bool ok;

	memset(v.byte_token, 0xff, sizeof v.byte_token);
	if (!read_kind(&v) || !read_tokens(&v, vocabulary))
		return false;
	if (v.head.kind == EDGE_TOKENIZER_SPM && v.head.tokens > 2) { /* where the file says nothing */
		v.head.bos = 1;
		v.head.eos = 2;
	}
	ok = read_id(&v, "tokenizer.ggml.bos_token_id", &v.head.bos) &&
	     read_id(&v, "tokenizer.ggml.eos_token_id", &v.head.eos) &&
	     read_id(&v, "tokenizer.ggml.unknown_token_id", &v.head.unknown);
	read_flag(&v, "tokenizer.ggml.add_bos_token", EDGE_TOKENIZER_ADD_BOS);
	read_flag(&v, "tokenizer.ggml.add_eos_token", EDGE_TOKENIZER_ADD_EOS);
	read_flag(&v, "tokenizer.ggml.add_space_prefix", EDGE_TOKENIZER_ADD_SPACE);
	if (ok && g->diag->errors == 0) {
		make_text(&v);
		sort_tokens(&v);
		ok = read_merges(&v) && mark_ends(&v);
		if (ok)
			put_section(&v, out);
	}
	strbuf_free(&v.text);
	return ok && g->diag->errors == 0;
}
