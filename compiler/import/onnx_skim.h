/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_skim.h - the structure of an ONNX file without the bytes of its tensors. */
#ifndef EDGE_ONNX_SKIM_H
#define EDGE_ONNX_SKIM_H

#include "base/strbuf.h"

#include <stdbool.h>
#include <stdint.h>

struct skim_error {
	uint64_t offset; /* in the file */
	const char *what;
};

/*
 * Appends to `out` a message that onnx.proto describes completely: unknown
 * fields are gone, tensors carry place_offset and place_size instead of their
 * bytes. False: the file is damaged; `error` says where.
 */
bool onnx_skim(const unsigned char *data, size_t size, struct strbuf *out,
	       struct skim_error *error);

#endif
