/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gguf.h - a GGUF file: its metadata and the table of its tensors.
 *
 * Nothing is copied: values and names point into the mapped file, which stays
 * mapped. Every pointer and count has been checked against the file's end.
 */
#ifndef EDGE_IMPORT_GGUF_H
#define EDGE_IMPORT_GGUF_H

#include "import/import.h"

enum gguf_type {
	GGUF_U8, GGUF_I8, GGUF_U16, GGUF_I16, GGUF_U32, GGUF_I32, GGUF_F32, GGUF_BOOL, GGUF_STRING, GGUF_ARRAY,
	GGUF_U64, GGUF_I64, GGUF_F64, GGUF_TYPES
};

struct gguf_text {
	const char *data; /* no NUL at its end */
	uint64_t len;
};

struct gguf_value {
	enum gguf_type type, element; /* element: of an array */
	uint64_t count;               /* of an array's elements; else 1 */
	const unsigned char *at, *end; /* the value's bytes; of an array its elements */
};

struct gguf_tensor {
	const char *name;
	uint32_t type; /* ggml's number */
	enum dtype dtype;
	struct shape shape; /* slowest first: rows, then their elements */
	uint64_t offset, size; /* in the file */
};

struct gguf {
	struct arena *arena;
	struct diag *diag;
	struct span span;
	const char *path, *architecture;
	uint64_t file_size;
	struct map keys;      /* -> value */
	VEC(struct gguf_value) values;
	struct map names;     /* -> tensor */
	VEC(struct gguf_tensor) tensors;
};

/* Maps and checks the file. NULL: said why. */
struct gguf *gguf_open(struct arena *a, struct diag *d, const char *path, struct span span);

/* NULL or false where the key is absent; a key of another type is an error, which is said. */
const struct gguf_value *gguf_find(const struct gguf *g, const char *key);
bool gguf_integer(struct gguf *g, const char *key, int64_t *out);
bool gguf_number(struct gguf *g, const char *key, double *out);
bool gguf_bool(struct gguf *g, const char *key, bool *out);
bool gguf_string(struct gguf *g, const char *key, struct gguf_text *out);
/* An array of the given type, or NULL. */
const struct gguf_value *gguf_array(struct gguf *g, const char *key, enum gguf_type element);
/* The next string of an array; *at starts at value->at. */
struct gguf_text gguf_next_string(const unsigned char **at);
int64_t gguf_element_integer(const struct gguf_value *v, uint64_t i); /* i32, u32 or one of 8 bits */
float gguf_element_f32(const struct gguf_value *v, uint64_t i);

const struct gguf_tensor *gguf_tensor(const struct gguf *g, const char *name); /* NULL: there is none */
const char *gguf_type_name(uint32_t type); /* "Q4_K"; "type 77" is "unknown" */

/* gguf_tokenizer.c: the TOKENIZER section of a plan. False: said why. */
bool gguf_tokenizer(struct gguf *g, int64_t vocabulary, struct strbuf *out);

#endif
