/* SPDX-License-Identifier: Apache-2.0 */
/*
 * words.c - where byte-level tokenizers cut a text into words.
 *
 * Each was trained with a pattern, of which these are the alternatives in their
 * order; L are letters, N numbers, S white space:
 *
 *	gpt-2    's 't 're 've 'm 'll 'd | ␣?L+ | ␣?N+ | ␣?[^SLN]+ | S+ before the last | S+
 *	llama-3  the same in any case | [^\r\nLN]?L+ | N{1,3} | ␣?[^SLN]+[\r\n]* | S*[\r\n]+ | S+ before the last | S+
 *	qwen-2   as llama-3 with single numbers
 *	smollm   single numbers, else as gpt-2
 *	unnamed  [P$+<=>^~|]+ | as gpt-2, up to the next of these; numbers without their space, ASCII's digits by threes
 *
 * "S+ before the last": white space in front of a word leaves it its last one.
 */
#include "config.h"

#include "text/tokenizer.h"

struct text {
	const char *s;
	uint64_t size;
};

static uint32_t at(const struct text *t, uint64_t i, uint32_t *n)
{
	if (i < t->size)
		return unicode_next(t->s + i, t->size - i, n);
	*n = 0;
	return 0;
}

static bool is_other(uint32_t c, uint32_t n)
{
	return n && !unicode_space(c) && !unicode_letter(c) && !unicode_number(c);
}

static bool is_line_end(uint32_t c, uint32_t n)
{
	return n && (c == '\r' || c == '\n');
}

/* End of the run of characters of a kind that starts at i; at most `most`. */
static uint64_t run(const struct text *t, uint64_t i, bool (*is)(uint32_t c), unsigned most)
{
	uint32_t n, c = at(t, i, &n);

	for (unsigned k = 0; n && is(c) && k < most; k++) {
		i += n;
		c = at(t, i, &n);
	}
	return i;
}

static uint64_t run_other(const struct text *t, uint64_t i)
{
	uint32_t n, c = at(t, i, &n);

	for (; is_other(c, n); c = at(t, i, &n))
		i += n;
	return i;
}

/* What the pattern for files that name none cuts first. */
static bool is_mark(uint32_t c)
{
	return unicode_punctuation(c) || c == '$' || c == '+' || c == '<' || c == '=' || c == '>' || c == '^' || c == '~' ||
	       c == '|';
}

static bool is_plain_other(uint32_t c)
{
	return is_other(c, 1) && !is_mark(c);
}

static bool is_digit(uint32_t c)
{
	return c >= '0' && c <= '9';
}

/* 's and the like; 0: not here. */
static uint64_t contraction(const struct text *t, bool any_case)
{
	static const char *const tails[] = { "s", "t", "re", "ve", "m", "ll", "d" };

	if (!t->size || t->s[0] != '\'')
		return 0;
	for (unsigned i = 0; i < sizeof tails / sizeof *tails; i++) {
		uint64_t k = 0;

		for (; tails[i][k] && k + 1 < t->size; k++) {
			char c = t->s[k + 1];

			if (any_case && c >= 'A' && c <= 'Z')
				c = (char)(c - 'A' + 'a');
			if (c != tails[i][k])
				break;
		}
		if (!tails[i][k])
			return k + 1;
	}
	return 0;
}

/* White space: before a word all but the last character, else all. Single numbers are no words but ends. */
static uint64_t spaces(const struct text *t, bool single)
{
	uint64_t i = 0, last = 0;
	uint32_t n, c = at(t, 0, &n);

	for (; n && unicode_space(c); c = at(t, i, &n)) {
		last = i;
		i += n;
	}
	return i < t->size && last && !(single && unicode_number(c)) ? last : i;
}

/* S*[\r\n]+: up to the last line end of the white space; 0: there is none. */
static uint64_t lines(const struct text *t)
{
	uint64_t i = 0, end = 0;
	uint32_t n, c = at(t, 0, &n);

	for (; n && unicode_space(c); c = at(t, i, &n)) {
		i += n;
		if (is_line_end(c, n))
			end = i;
	}
	return end;
}

/* A space, if one comes first and the next character is of the kind, is a part of the word. */
static uint64_t gpt2_word(const struct text *t, bool single)
{
	uint64_t from = t->s[0] == ' ', end;

	if (single && (end = run(t, 0, unicode_number, 1)) > 0)
		return end;
	if ((end = run(t, from, unicode_letter, UINT32_MAX)) > from)
		return end;
	if (!single && (end = run(t, from, unicode_number, UINT32_MAX)) > from)
		return end;
	return (end = run_other(t, from)) > from ? end : 0;
}

/* Of a run of numbers: three digits, or what comes before the next three. */
static uint64_t unnamed_number(const struct text *t)
{
	uint64_t i = 0;
	uint32_t n, c = at(t, 0, &n);

	for (; n && unicode_number(c) && run(t, i, is_digit, 3) < i + 3; c = at(t, i, &n))
		i += n;
	return i || !n || !unicode_number(c) ? i : 3;
}

static uint64_t unnamed_word(const struct text *t)
{
	uint64_t from = t->s[0] == ' ', end;
	uint32_t n;

	if ((end = run(t, 0, is_mark, UINT32_MAX)) > 0 || (end = unnamed_number(t)) > 0)
		return end;
	if (unicode_number(at(t, from, &n)) && n)
		return from;
	if ((end = run(t, from, unicode_letter, UINT32_MAX)) > from || (end = run(t, from, is_plain_other, UINT32_MAX)) > from)
		return end;
	end = run(t, 0, unicode_space, UINT32_MAX);
	return is_mark(at(t, end, &n)) && n ? end : 0;
}

static uint64_t llama_word(const struct text *t, unsigned numbers)
{
	uint32_t n, m, c = at(t, 0, &n);
	uint64_t end, from = t->s[0] == ' ';

	if (unicode_letter(c))
		return run(t, 0, unicode_letter, UINT32_MAX);
	if (!is_line_end(c, n) && !unicode_number(c) && unicode_letter(at(t, n, &m)) && m)
		return run(t, n, unicode_letter, UINT32_MAX);
	if ((end = run(t, 0, unicode_number, numbers)) > 0)
		return end;
	if ((end = run_other(t, from)) > from) {
		while (end < t->size && (t->s[end] == '\r' || t->s[end] == '\n'))
			end++;
		return end;
	}
	return lines(t);
}

uint64_t words_next(uint32_t pattern, const char *text, uint64_t size)
{
	const struct text t = { text, size };
	bool llama = pattern == EDGE_PATTERN_LLAMA3 || pattern == EDGE_PATTERN_QWEN2;
	uint64_t end;
	uint32_t n;

	if (pattern == EDGE_PATTERN_NONE)
		return size;
	if (pattern != EDGE_PATTERN_UNNAMED && (end = contraction(&t, llama)) > 0)
		return end;
	if (pattern == EDGE_PATTERN_UNNAMED)
		end = unnamed_word(&t);
	else
		end = llama ? llama_word(&t, pattern == EDGE_PATTERN_LLAMA3 ? 3 : 1) : gpt2_word(&t, pattern == EDGE_PATTERN_SMOLLM);
	if (end || (end = spaces(&t, pattern == EDGE_PATTERN_SMOLLM)) > 0)
		return end;
	at(&t, 0, &n);
	return n;
}
