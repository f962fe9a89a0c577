/* SPDX-License-Identifier: Apache-2.0 */
/* edgert.c - the edgert program. */
#include "config.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--version")) {
		puts("edgert " PACKAGE_VERSION);
		return 0;
	}
	fputs("usage: edgert --version\n", argc == 2 && !strcmp(argv[1], "--help") ? stdout : stderr);
	return argc == 2 && !strcmp(argv[1], "--help") ? 0 : 2;
}
