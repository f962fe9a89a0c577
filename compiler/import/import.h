/* SPDX-License-Identifier: Apache-2.0 */
/* import.h - every way in ends in a struct graph. NULL: errors were said. */
#ifndef EDGE_IMPORT_H
#define EDGE_IMPORT_H

#include "dsl.h"
#include "ir/graph.h"

/* "--set NAME=VALUE": a symbolic dimension (NAME), or an input's shape (NAME=1x3x224x224) */
struct setting {
	const char *key, *value;
};

struct import_options {
	const struct setting *settings;
	uint32_t setting_count;
	bool *setting_used; /* parallel; main reports those that nothing used */
};

struct graph *import_onnx(struct arena *a, struct diag *d, const struct decl_model *m, const struct import_options *o);
/* A network written in the language: import/network.c */
struct graph *import_network(struct arena *a, struct diag *d, const struct decl_model *m, const struct import_options *o);

/* A language model in a GGUF file: import/gguf_model.c. */
struct gguf;

struct language_model {
	int64_t vocabulary, trained_context, layers;
	int64_t cached; /* numbers that a position leaves in the caches */
	const void *tokenizer; /* the TOKENIZER section of a plan, in the arena */
	size_t tokenizer_bytes;
};

struct language_options {
	int64_t rows;     /* tokens of a sweep */
	int64_t scored;   /* rows that get logits */
	int64_t context;  /* positions of the cache */
	enum dtype cache; /* f32, f16, or i8 with a scale for each head of a position */
};

struct gguf *gguf_model_open(struct arena *a, struct diag *d, const struct decl_model *m, struct language_model *out);
struct graph *gguf_model_graph(struct gguf *g, const struct decl_model *m, const struct language_model *l,
			       const struct language_options *o);

/* import/safetensors.c: the tensors of a file by name; nothing is copied. */
struct safetensors {
	uint32_t file; /* index into graph->files */
	uint32_t count;
	struct safetensor {
		const char *name;
		enum dtype dtype;
		struct shape shape;
		uint64_t offset, size; /* in the file */
	} *tensor; /* sorted by name */
};

bool safetensors_open(struct graph *g, struct diag *d, const char *path, struct span span, struct safetensors *out);
const struct safetensor *safetensors_find(const struct safetensors *s, const char *name);

#endif
