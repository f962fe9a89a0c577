/* SPDX-License-Identifier: Apache-2.0 */
/* select_pool.c - max_pool and avg_pool. */
#include "config.h"

#include "codegen/codegen.h"

#include "codegen/window.h"

enum { GPU_ITEMS = 64, MOST_UNROLLED = 8 };

bool select_pool(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	struct window w;
	int64_t rows, height, work, end[3];
	struct build b;
	bool gpu;
	int i;

	if (!codegen_want_f32(c, id))
		return false;
	w = window_read(c, n, NULL);
	if (w.dims < 1 || w.dims > 3)
		return codegen_refuse(c, id, "%u spatial dimensions are not supported", w.dims);
	for (i = 0; i < 3; i++)
		end[i] = w.in[i] + w.end[i];
	rows = w.images * w.out[0] * w.out[1];
	work = w.out[2] * w.channels * w.kernel[0] * w.kernel[1] * w.kernel[2];
	/* at least some 10,000 elements read by a work-item, and at least 16 work-items where possible */
	height = 10000 / work ? 10000 / work : 1;
	if (height > ceil_div(rows, 16))
		height = ceil_div(rows, 16);
	gpu = codegen_is_gpu(c) && rows * w.out[2] * w.channels <= INT32_MAX - GPU_ITEMS;
	build_begin(&b, c, id, gpu ? "gpu_pool" : "pool");
	build_what(&b, "%s %s", op_name(n->op), window_text(c, &w));
	build_define(&b, "MAX", n->op == OP_max_pool);
	if (!gpu && n->op == OP_max_pool && w.dims <= 2 && w.kernel[2] <= MOST_UNROLLED)
		build_define(&b, "KW", w.kernel[2]);
	if (!build_epilogue(&b, DTYPE_F32))
		return false;
	build_value_f32(&b, n->in[0]);
	if (!gpu)
		build_i32(&b, height);
	build_i32(&b, rows);
	window_all_args(&b, &w);
	window_args(&b, end);
	build_i32(&b, node_int(n, ATTR_count_include_pad, 0));
	build_out(&b);
	build_flops(&b, (uint64_t)(rows * work));
	if (gpu)
		return build_launch_local(&b, rows * w.out[2] * w.channels, 1, 1, GPU_ITEMS, 1, 1);
	return build_launch(&b, ceil_div(rows, height), 1, 1);
}
