/* SPDX-License-Identifier: Apache-2.0 */
/* test_embedded.c - the kernels inside the compiler are the files, to the byte. */
#include "config.h"

#include "embedded.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>

static bool same_as_file(const struct kernel_file *k, const char *source)
{
	size_t len = strlen(k->text), got;
	char path[4096], *text = malloc(len + 2);
	FILE *f;

	snprintf(path, sizeof path, "%s/kernels/%s%s", source, strstr(k->name, ".txt") ? "tune/" : "", k->name);
	f = fopen(path, "rb");
	got = f && text ? fread(text, 1, len + 2, f) : 0;
	if (f)
		fclose(f);
	got = got == len && !memcmp(text, k->text, len);
	free(text);
	return got;
}

int main(void)
{
	const char *source = getenv("EDGE_SRCDIR");

	tap_ok(kernel_file_count > 0, "there are %u kernel files", kernel_file_count);
	tap_ok(!kernel_files[kernel_file_count].name, "the table ends with a NULL name");
	for (unsigned i = 0; source && i < kernel_file_count; i++)
		tap_ok(same_as_file(&kernel_files[i], source), "%s", kernel_files[i].name);
	return tap_done();
}
