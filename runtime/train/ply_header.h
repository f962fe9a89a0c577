/* SPDX-License-Identifier: Apache-2.0 */
/* ply_header.h - what the head of a .ply file says. */
#ifndef EDGE_RT_PLY_HEADER_H
#define EDGE_RT_PLY_HEADER_H

#include "base/failure.h"

#include <stdbool.h>
#include <stdio.h>

enum { PLY_ELEMENTS = 16, PLY_PROPERTIES = 512, PLY_NAME = 32 };

enum ply_format { PLY_ASCII, PLY_LITTLE, PLY_BIG };

enum ply_type { PLY_I8, PLY_U8, PLY_I16, PLY_U16, PLY_I32, PLY_U32, PLY_F32, PLY_F64, PLY_TYPES };

struct ply_property {
	char name[PLY_NAME]; /* cut when longer */
	enum ply_type type;
	bool list;
	enum ply_type count_type; /* of lists */
	int slot;		  /* of the row; -1: skipped */
};

struct ply_element {
	char name[PLY_NAME];
	uint64_t count;
	uint32_t first, end; /* properties */
	bool lists;	     /* has one */
	uint64_t bytes;	     /* of one in a binary file, where it has none */
};

struct ply_header {
	enum ply_format format;
	struct ply_element element[PLY_ELEMENTS];
	struct ply_property property[PLY_PROPERTIES];
	uint32_t element_count, property_count;
	uint64_t bytes; /* of the head itself */
};

extern const uint8_t ply_type_bytes[PLY_TYPES];

/* name is for messages. */
enum edge_status ply_read_header(FILE *in, const char *name, struct ply_header *out, struct failure *f);

#endif
