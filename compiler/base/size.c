/* SPDX-License-Identifier: Apache-2.0 */
/* size.c - a number of bytes for people: exact while it is short, then to about three digits. */
#include "config.h"

#include "base/size.h"

#include <stdio.h>

const char *size_text(uint64_t bytes)
{
	static char text[8][32];
	static unsigned turn;
	char *s = text[turn++ % 8];

	if (bytes < 10 * 1024)
		snprintf(s, sizeof text[0], "%llu bytes", (unsigned long long)bytes);
	else if (bytes < 1024 * 1024)
		snprintf(s, sizeof text[0], "%.1f KiB", (double)bytes / 1024);
	else if (bytes < (uint64_t)10 << 30)
		snprintf(s, sizeof text[0], "%.2f MiB", (double)bytes / (1 << 20));
	else
		snprintf(s, sizeof text[0], "%.2f GiB", (double)bytes / (1 << 30));
	return s;
}
