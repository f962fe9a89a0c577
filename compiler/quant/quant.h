/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quant.h - weights in few bits: which tensors, in which format, found how.
 *
 * A quant_config comes from a quantize block of the .edge file, or is made by
 * whoever searches for a good one. quant_apply() works on a graph on which all
 * passes have run, and before code generation: constants that are weights of
 * products, convolutions or lookups get a source in a grouped format
 * (ir/block.h). Codes are kept as they are from then on; kernels compute with
 * them as stored.
 *
 *	struct quant_rule rules[] = {
 *		{ .format = QUANT_Q4, .group = 32 },
 *		{ .format = QUANT_Q8, .group = 64, .pattern = (const char *[]){ "head" }, .pattern_count = 1 },
 *	};
 *	struct quant_config c = { .rules = rules, .rule_count = 2, .except_first = true };
 *
 *	quant_apply(arena, graph, &c, NULL, diag);
 */
#ifndef EDGE_QUANT_H
#define EDGE_QUANT_H

#include "ir/graph.h"

enum quant_format { QUANT_F32, QUANT_F16, QUANT_BF16, QUANT_Q8, QUANT_Q6, QUANT_Q5, QUANT_Q4, QUANT_Q3 };
enum quant_method {
	QUANT_ROUND,    /* rtn: nearest, scales searched for the least squared error */
	QUANT_WEIGHTED, /* the same, errors weighted by the mean square of what each weight is multiplied with */
	QUANT_GPTQ,     /* each rounding error is made up for by the weights after it */
	QUANT_LEARNED   /* rounding and clipping learned against the float layer's outputs */
};

/* Tensors whose name (or whose node's name) one of the patterns matches, or all. */
struct quant_rule {
	enum quant_format format;
	uint32_t group; /* 32, 64 or 128; 0: 32 */
	bool asymmetric;
	enum quant_method method;
	const char *const *pattern; /* POSIX extended regular expressions, anywhere in the name */
	uint32_t pattern_count;
	bool first, last;           /* these and what matches; with no pattern and neither: all tensors */
	struct span span;
};

struct quant_config {
	const struct quant_rule *rules; /* of those that match, the last one counts */
	uint32_t rule_count;
	const char *const *except; /* patterns of tensors that stay as they are */
	uint32_t except_count;
	bool except_first, except_last; /* the first and the last tensor in the order of execution */
	const char *calibrate; /* .npy, samples in the first dimension; NULL: none */
	struct span except_span, calibrate_span;
	/* knobs; 0: the usual value */
	double learning_rate; /* of QUANT_LEARNED, in steps of a code: 0.01 */
	uint32_t iterations;  /* of QUANT_LEARNED: 200 */
	double clip;          /* the smallest range tried, as a part of the largest weight: 0.6 */
	double damping;       /* of QUANT_GPTQ, as a part of the mean diagonal: 0.01 */
	uint32_t samples;     /* at most so many of the calibration file: 128 */
	uint32_t threads;     /* as many as there are processors */
};

/* A constant that can be quantised, in the order of execution. */
struct quant_tensor {
	value_id value;
	node_id node;     /* the first that reads it */
	const char *name; /* the constant's, else the node's, else "op_17" */
	enum op op;       /* matmul, conv, conv_transpose or gather */
	int64_t rows, row; /* output channels, and the elements of each */
};

struct quant_result {
	struct quant_tensor tensor;
	enum quant_format format;
	uint32_t group;
	bool asymmetric;
	enum quant_method method;
	double error;  /* relative: |w - q|^2 / |w|^2, weighted where there are calibration inputs */
	uint64_t bytes;
};

struct quant_report {
	struct quant_result *result;
	uint32_t count;
};

/* All of them, in the arena. */
struct quant_tensor *quant_tensors(struct arena *a, const struct graph *g, uint32_t *count);
/* False: an error was said. report may be NULL; it lies in the arena. */
bool quant_apply(struct arena *a, struct graph *g, const struct quant_config *c, struct quant_report *report,
		 struct diag *d);
/* Bytes of a tensor of rows by row elements in a format, as the plan stores it (without padding of rows). */
uint64_t quant_bytes(enum quant_format f, uint32_t group, bool asymmetric, int64_t rows, int64_t row);

uint32_t quant_bits(enum quant_format f);
bool quant_format_from_name(const char *name, enum quant_format *out); /* "q4" */
bool quant_method_from_name(const char *name, enum quant_method *out); /* "rtn" */
const char *quant_method_name(enum quant_method m);

#endif
