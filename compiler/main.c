/* SPDX-License-Identifier: Apache-2.0 */
/* main.c - the edgec program. */
#include "config.h"

#include <stdio.h>
#include <string.h>

int main(int argc, char **argv)
{
	if (argc == 2 && !strcmp(argv[1], "--version")) {
		puts("edgec " PACKAGE_VERSION);
		return 0;
	}
	fputs("usage: edgec --version\n", argc == 2 && !strcmp(argv[1], "--help") ? stdout : stderr);
	return argc == 2 && !strcmp(argv[1], "--help") ? 0 : 2;
}
