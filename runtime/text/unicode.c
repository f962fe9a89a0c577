/* SPDX-License-Identifier: Apache-2.0 */
/* unicode.c - code points of UTF-8 and the classes that patterns ask for. */
#include "config.h"

#include "text/tokenizer.h"

#include "text/unicode_ranges.h"

uint32_t unicode_next(const char *s, uint64_t size, uint32_t *length)
{
	const unsigned char *p = (const unsigned char *)s;
	uint32_t n = p[0] < 0x80 ? 1 : p[0] < 0xc2 ? 0 : p[0] < 0xe0 ? 2 : p[0] < 0xf0 ? 3 : p[0] < 0xf5 ? 4 : 0, c = p[0];

	*length = 1;
	if (n < 2 || n > size)
		return n == 1 ? c : 0xfffd;
	c &= 0xffu >> (n + 1);
	for (uint32_t i = 1; i < n; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0xfffd;
		c = c << 6 | (p[i] & 0x3f);
	}
	if ((n == 3 && (c < 0x800 || (c >= 0xd800 && c < 0xe000))) || (n == 4 && (c < 0x10000 || c > 0x10ffff)))
		return 0xfffd;
	*length = n;
	return c;
}

static bool is_in(const struct range *r, uint32_t count, uint32_t c)
{
	uint32_t low = 0, high = count;

	while (low < high) {
		uint32_t mid = low + (high - low) / 2;

		if (r[mid].last < c)
			low = mid + 1;
		else
			high = mid;
	}
	return low < count && r[low].first <= c;
}

bool unicode_letter(uint32_t c)
{
	return is_in(letters, sizeof letters / sizeof *letters, c);
}

bool unicode_number(uint32_t c)
{
	return is_in(numbers, sizeof numbers / sizeof *numbers, c);
}

bool unicode_punctuation(uint32_t c)
{
	return is_in(punctuation, sizeof punctuation / sizeof *punctuation, c);
}

bool unicode_space(uint32_t c)
{
	return (c >= 9 && c <= 13) || c == ' ' || c == 0x85 || c == 0xa0 || c == 0x1680 || (c >= 0x2000 && c <= 0x200a) ||
	       c == 0x2028 || c == 0x2029 || c == 0x202f || c == 0x205f || c == 0x3000;
}
