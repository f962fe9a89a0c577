/* SPDX-License-Identifier: Apache-2.0 */
/* select_norm.c - softmax and the normalisations. */
#include "config.h"

#include "codegen/select_gpu.h"
#include "ir/fused.h"

enum { SHORT_ROW = 32 }; /* on a gpu: rather a work-item than a work-group */
enum { KEEP_MOST = 1024 }; /* exponentials of a softmax that a work-item keeps */
/* Of mix_norm.cl: channels of a tile, its lanes, at least as many work-items (or one for each row). */
enum { MIX_ROWS = 8, MIX_LANES = 32, MIX_ITEMS = 32 };

bool select_softmax(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	const struct shape *s = value_shape(c, n->in[0]);
	uint32_t axis = (uint32_t)node_int(n, ATTR_axis, 0);
	int64_t outer = 1, inner = 1, size, block, width;
	struct build b;

	if (!codegen_want_f32(c, id))
		return false;
	for (uint32_t i = 0; i < s->rank; i++) {
		outer *= i < axis ? s->dim[i] : 1;
		inner *= i > axis ? s->dim[i] : 1;
	}
	size = s->dim[axis];
	/* dims of one element after the axis are no reason for lanes of one; an operand of the epilogue is */
	width = output_width(c, n, inner > 1 ? inner : size);
	if (codegen_is_gpu(c) && inner == 1 && width == size && size > SHORT_ROW)
		return gpu_softmax(c, id, outer, size);
	build_begin(&b, c, id, "softmax");
	build_define(&b, "LOG", n->op == OP_log_softmax);
	build_define(&b, "INNER", inner > 1 || width != size);
	if (inner == 1 && width == size && size < 16)
		build_define(&b, "SHORT", 1);
	else if (!codegen_is_gpu(c) && n->op == OP_softmax && inner == 1 && width == size && size <= KEEP_MOST)
		build_define(&b, "KEEP", KEEP_MOST);
	if (!build_rows(&b, DTYPE_F32, width))
		return false;
	build_float(&b, n->in[0]);
	build_flops(&b, 5 * (uint64_t)shape_elements(s));
	if (inner > 1 || width != size) {
		build_i32(&b, size);
		build_i32(&b, inner / width);
		build_i32(&b, width);
		build_out(&b);
		return build_launch(&b, ceil_div(width, 16), outer * (inner / width), 1);
	}
	block = rows_per_item(outer, size);
	build_i32(&b, outer);
	build_i32(&b, size);
	build_i32(&b, block);
	build_out(&b);
	return build_launch(&b, ceil_div(outer, block), 1, 1);
}

/* Scale and bias are the inputs `at` and the next. */
static void define_parameters(struct build *b, uint32_t at)
{
	const struct node *n = b->n;
	uint32_t own = node_own_inputs(n);
	bool scale = own > at && n->in[at] != NO_ID, bias = own > at + 1 && n->in[at + 1] != NO_ID;

	build_define_param(b, "SCALE", scale, "__global const float *restrict scale,");
	build_define_param(b, "BIAS", bias, "__global const float *restrict bias,");
	for (uint32_t i = 0; i < at; i++)
		build_float(b, n->in[i]);
	if (scale)
		build_float(b, n->in[at]);
	if (bias)
		build_float(b, n->in[at + 1]);
	build_f32(b, node_float(n, ATTR_eps, 1e-5));
}

static bool row_norm(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	const struct shape *s = value_shape(c, n->in[0]);
	uint32_t axis = (uint32_t)node_int(n, ATTR_axis, 0);
	int64_t rows = 1, size = 1, block, width;
	struct build b;
	bool gpu;

	for (uint32_t i = 0; i < s->rank; i++)
		*(i < axis ? &rows : &size) *= s->dim[i];
	width = output_width(c, n, size);
	gpu = codegen_is_gpu(c) && size > SHORT_ROW;
	if (gpu)
		gpu_norm_begin(&b, c, id, size);
	else
		build_begin(&b, c, id, "norm");
	build_define(&b, "RMS", n->op == OP_rms_norm);
	define_parameters(&b, 1);
	if (!build_rows(&b, DTYPE_F32, width))
		return false;
	if (gpu)
		return gpu_norm(&b, rows, size, width);
	block = rows_per_item(rows, size);
	build_i32(&b, rows);
	build_i32(&b, size);
	build_i32(&b, block);
	build_i32(&b, size / width);
	build_out(&b);
	build_flops(&b, 8 * (uint64_t)shape_elements(s));
	return build_launch(&b, ceil_div(rows, block), 1, 1);
}

static bool group_norm(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	const struct shape *s = value_shape(c, n->in[0]);
	int64_t channels = s->dim[s->rank - 1], pixels = shape_elements(s) / channels / s->dim[0];
	int64_t groups = node_int(n, ATTR_group, 1), each = channels / groups;
	bool small = 16 % each == 0;
	bool gpu = codegen_is_gpu(c) && pixels * each > SHORT_ROW && groups <= GPU_MOST_GROUPS && s->dim[0] <= GPU_MOST_GROUPS;
	struct build b;

	if (gpu)
		gpu_norm_begin(&b, c, id, pixels * each);
	else
		build_begin(&b, c, id, "group_norm");
	build_define(&b, gpu ? "GROUPS" : "SMALL", gpu || small);
	define_parameters(&b, 1);
	if (!build_rows(&b, DTYPE_F32, channels))
		return false;
	if (gpu)
		return gpu_group_norm(&b, s->dim[0], pixels, channels, each);
	build_i32(&b, pixels);
	build_i32(&b, channels);
	build_i32(&b, each);
	build_out(&b);
	build_flops(&b, 8 * (uint64_t)shape_elements(s));
	return build_launch(&b, small ? ceil_div(channels, 16) : groups, s->dim[0], 1);
}

bool select_norm(struct codegen *c, node_id id)
{
	if (!codegen_want_f32(c, id))
		return false;
	return graph_node(c->g, id)->op == OP_group_norm ? group_norm(c, id) : row_norm(c, id);
}

bool select_mix_norm(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	const struct shape *s = value_shape(c, n->in[0]), *w = value_shape(c, n->in[1]);
	uint32_t axis = (uint32_t)node_int(n, ATTR_axis, 0);
	int64_t outer = 1, inner = 1, width, block, tile = w->dim[1] < MIX_ROWS ? w->dim[1] : MIX_ROWS;
	struct build b;

	if (!codegen_want_f32(c, id))
		return false;
	if (w->dim[0] > MIX_MOST || w->dim[1] > MIX_MOST || w->dim[1] < 1)
		return codegen_refuse(c, id, "%lld channels become %lld; %d is the most", (long long)w->dim[0],
				      (long long)w->dim[1], MIX_MOST);
	for (uint32_t i = 0; i < s->rank; i++) {
		outer *= i < axis ? s->dim[i] : 1;
		inner *= i > axis ? s->dim[i] : 1;
	}
	width = output_width(c, n, inner);
	block = ceil_div(width, MIX_ITEMS * MIX_LANES) * MIX_LANES;
	build_begin(&b, c, id, "mix_norm");
	build_define(&b, "CHANNELS", w->dim[0]);
	build_define(&b, "MIXED", w->dim[1]);
	build_define(&b, "TILE_M", codegen_is_gpu(c) && tile > 4 ? 4 : tile);
	build_define(&b, "TILE_NV", codegen_is_gpu(c) ? 1 : 2);
	define_parameters(&b, 2);
	if (!build_rows(&b, DTYPE_F32, width))
		return false;
	build_i32(&b, inner / width);
	build_i32(&b, width);
	build_i32(&b, block);
	build_out(&b);
	build_flops(&b, (uint64_t)(outer * inner * w->dim[1] * (2 * w->dim[0] + 8)));
	return build_launch(&b, ceil_div(width, block), outer * (inner / width), 1);
}
