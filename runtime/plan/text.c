/* SPDX-License-Identifier: Apache-2.0 */
/*
 * text.c - text of files: what is UTF-8, and what a terminal may be shown.
 *
 * Names in a plan, a network or a scene are other people's words. A control
 * character among them could move the cursor, overwrite what was said or turn
 * the direction of what follows, so each is shown as the bytes that it has. A
 * tab only goes forward.
 */
#include "config.h"

#include "edge/plan_read.h"

#include <string.h>

size_t edge_utf8_length(const void *text, size_t n)
{
	const unsigned char *s = text;
	size_t len = s[0] < 0x80 ? 1 : s[0] < 0xc2 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : s[0] < 0xf5 ? 4 : 0;

	if (!len || len > n)
		return 0;
	for (size_t i = 1; i < len; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	if ((s[0] == 0xe0 && s[1] < 0xa0) || (s[0] == 0xed && s[1] > 0x9f) || (s[0] == 0xf0 && s[1] < 0x90) ||
	    (s[0] == 0xf4 && s[1] > 0x8f))
		return 0;
	return len;
}

/* Whether the UTF-8 character at s acts on the terminal rather than showing: C0, DEL, C1, separators of lines, bidi. */
static bool acts(const unsigned char *s, size_t len)
{
	if (len == 1)
		return (s[0] < 0x20 && s[0] != '\t') || s[0] == 0x7f;
	if (len == 2)
		return (s[0] == 0xc2 && s[1] < 0xa0) || (s[0] == 0xd8 && s[1] == 0x9c);
	if (len != 3 || s[0] != 0xe2)
		return false;
	return (s[1] == 0x80 && (s[2] == 0x8e || s[2] == 0x8f || (s[2] >= 0xa8 && s[2] <= 0xae))) ||
	       (s[1] == 0x81 && s[2] >= 0xa6 && s[2] <= 0xa9);
}

size_t edge_shown_char(const char *text, size_t n, char out[4], size_t *used)
{
	static const char digit[] = "0123456789abcdef";
	unsigned char c = (unsigned char)text[0];
	size_t len = edge_utf8_length(text, n);

	if (len && !acts((const unsigned char *)text, len)) {
		memcpy(out, text, len);
		*used = len;
		return len;
	}
	memcpy(out, (const char[]){ '\\', 'x', digit[c >> 4], digit[c & 15] }, 4);
	*used = 1;
	return 4;
}

void edge_show(FILE *out, const char *text, size_t n)
{
	char shown[4];

	for (size_t i = 0, used; i < n; i += used)
		fwrite(shown, 1, edge_shown_char(text + i, n - i, shown, &used), out);
}
