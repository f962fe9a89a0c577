/* SPDX-License-Identifier: Apache-2.0 */
/* select_gpu.h - launches of work-groups, for the select functions of the same operations. */
#ifndef EDGE_SELECT_GPU_H
#define EDGE_SELECT_GPU_H

#include "codegen/codegen.h"
#include "codegen/window.h"

struct gpu_convolution {
	const struct node *n; /* bias in the epilogue */
	const struct window *w;
	uint32_t weight, width; /* of a panel */
	int64_t group, outputs;
};

struct gpu_product {
	const struct node *n;
	int64_t m, n_out, k, batch;
	bool trans_a, trans_b;
	double alpha;
	int64_t size[3], a[3], b[3]; /* digits of the batch */
};

bool gpu_rows_by_panels(struct codegen *c, node_id id, const struct rows_by_panels *p);
bool gpu_conv(struct codegen *c, node_id id, const struct gpu_convolution *v);
bool gpu_depthwise(struct codegen *c, node_id id, const struct gpu_convolution *v); /* PACK_DEPTHWISE, 16 wide */
bool gpu_batch(struct codegen *c, node_id id, const struct gpu_product *p);
bool gpu_softmax(struct codegen *c, node_id id, int64_t rows, int64_t n); /* along the last dim */
/* gpu_norm.cl: begin, parameters as of norm.cl, epilogue, then the rest and the launch. */
void gpu_norm_begin(struct build *b, struct codegen *c, node_id id, int64_t n);
bool gpu_norm(struct build *b, int64_t rows, int64_t n, int64_t width);
/* The same for groups of `each` neighbouring channels. */
bool gpu_group_norm(struct build *b, int64_t images, int64_t pixels, int64_t channels, int64_t each);
/* Grid limits of most GPUs in the second and third dim. */
enum { GPU_MOST_GROUPS = 65535 };
/* Of reduce.cl with MODE GROUPS: lanes are neighbouring outputs, `width` of them; so many rows of outputs of n each. */
void gpu_reduce_define(struct build *b, int64_t width, int64_t n);
bool gpu_reduce_launch(struct build *b, int64_t outputs, int64_t width, int64_t n);
/* gpu_attention.cl takes the arguments of attention.cl. */
bool gpu_attention_fits(const struct codegen *c, int64_t d, int64_t dv);
bool gpu_attention_launch(struct build *b, int64_t sq, int64_t batch);

#endif
