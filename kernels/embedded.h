/* SPDX-License-Identifier: Apache-2.0 */
/*
 * embedded.h - the text of the kernel files, inside the compiler.
 *
 * The table is generated from the files that local.mk lists (embed.awk), in
 * that order; name is the file's name without its folder, e.g. "gemm.cl".
 */
#ifndef EDGE_KERNELS_EMBEDDED_H
#define EDGE_KERNELS_EMBEDDED_H

struct kernel_file {
	const char *name, *text;
};

extern const struct kernel_file kernel_files[]; /* ends with a NULL name */
extern const unsigned kernel_file_count;

#endif
