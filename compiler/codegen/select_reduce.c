/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select_reduce.c - reductions, arg_max and arg_min.
 *
 * Neighbouring dims that are both kept or both reduced are merged. What then
 * stands last decides where the lanes lie: along the row that is reduced, or
 * along the outputs that are kept.
 */
#include "config.h"

#include "codegen/codegen.h"
#include "codegen/select_gpu.h"

enum { MODE_ROWS, MODE_LANES, MODE_SCALAR, MODE_GROUPS };
enum { SHORT = 32 }; /* on a gpu: rather a work-item than a work-group */

struct dim {
	int64_t size, stride;
};

struct reduction {
	uint32_t kept_count, reduced_count;
	struct dim kept[MAX_RANK], reduced[MAX_RANK]; /* outermost first */
	bool last_kept;
};

static bool is_reduced(const struct node *n, uint32_t dim)
{
	uint32_t count;
	const int64_t *axes = node_ints(n, ATTR_axes, &count);

	for (uint32_t i = 0; i < count; i++)
		if (axes[i] == dim)
			return true;
	return false;
}

static struct reduction reduction_of(const struct codegen *c, const struct node *n)
{
	const struct shape *s = value_shape(c, n->in[0]);
	bool operands = output_width(c, n, 0) != 0, open = false, before = false;
	struct reduction r = { .last_kept = s->rank && !is_reduced(n, s->rank - 1) };
	int64_t stride = 1;

	/* innermost first, turned round afterwards */
	for (uint32_t i = s->rank; i-- > 0; stride *= s->dim[i]) {
		bool reduced = is_reduced(n, i);
		struct dim *list = reduced ? r.reduced : r.kept;
		uint32_t *count = reduced ? &r.reduced_count : &r.kept_count;
		/* the row that operands are read along stays by itself */
		bool apart = operands && !reduced && r.last_kept && r.kept_count == 1;

		if (s->dim[i] == 1 && !(i + 1 == s->rank && operands))
			continue;
		if (open && before == reduced && !apart)
			list[*count - 1].size *= s->dim[i];
		else
			list[(*count)++] = (struct dim){ s->dim[i], stride };
		open = true;
		before = reduced;
	}
	for (uint32_t i = 0; i < r.kept_count / 2; i++) {
		struct dim t = r.kept[i];

		r.kept[i] = r.kept[r.kept_count - 1 - i];
		r.kept[r.kept_count - 1 - i] = t;
	}
	for (uint32_t i = 0; i < r.reduced_count / 2; i++) {
		struct dim t = r.reduced[i];

		r.reduced[i] = r.reduced[r.reduced_count - 1 - i];
		r.reduced[r.reduced_count - 1 - i] = t;
	}
	r.last_kept = r.kept_count && r.kept[r.kept_count - 1].stride == 1;
	return r;
}

static void build_dims(struct build *b, const struct dim *d, uint32_t count)
{
	if (!count) {
		build_i32(b, 1);
		build_i32(b, 0);
	}
	for (uint32_t i = count; i-- > 0;) {
		build_i32(b, d[i].size);
		build_i32(b, d[i].stride);
	}
}

static int64_t product(const struct dim *d, uint32_t count)
{
	int64_t n = 1;

	for (uint32_t i = 0; i < count; i++)
		n *= d[i].size;
	return n;
}

static bool define_type(struct build *b, enum dtype t, int mode)
{
	if (mode != MODE_SCALAR)
		return true;
	build_define(b, "INTEGER", !dtype_is_float(t));
	build_define_text(b, "ACC", dtype_is_float(t) ? "float" : "long");
	return build_element(b, t);
}

bool select_reduce(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	enum dtype t = graph_value(c->g, n->in[0])->dtype;
	struct reduction r = reduction_of(c, n);
	int64_t elements = value_elements(c, n->in[0]), outputs, width = 1, block;
	int mode = t != DTYPE_F32 ? MODE_SCALAR : r.last_kept ? MODE_LANES : MODE_ROWS;
	struct dim inner = { 1, 1 };
	struct build b;
	bool gpu;

	if (!elements)
		return codegen_refuse(c, id, "there is nothing to reduce");
	if (!dtype_is_float(t) && (n->op == OP_reduce_l2 || n->op == OP_reduce_log_sum || n->op == OP_reduce_log_sum_exp))
		return codegen_refuse(c, id, "type %s is not supported", dtype_name(t));
	if (r.reduced_count)
		inner = r.reduced[--r.reduced_count];
	if (mode == MODE_ROWS && inner.stride != 1)
		inner = (struct dim){ 1, 1 }, r.reduced_count++;
	if (mode == MODE_LANES)
		width = r.kept[--r.kept_count].size;
	outputs = product(r.kept, r.kept_count);
	elements /= outputs * width; /* of an output */
	gpu = codegen_is_gpu(c) && mode != MODE_SCALAR && elements > SHORT && outputs <= GPU_MOST_GROUPS;
	build_begin(&b, c, id, "reduce");
	build_define(&b, "MODE", gpu ? MODE_GROUPS : mode);
	if (gpu)
		gpu_reduce_define(&b, width, elements);
	build_define(&b, "OP", (int64_t)n->op - OP_reduce_sum);
	build_define_dims(&b, "_K", r.kept_count ? r.kept_count : 1, "ds");
	build_define_dims(&b, "_R", r.reduced_count ? r.reduced_count : 1, "fz");
	if (!define_type(&b, t, mode) || !build_rows(&b, t, width))
		return false;
	block = rows_per_item(outputs, elements * width > 1 << 20 ? 1 << 20 : elements * width);
	block = mode == MODE_LANES ? 1 : block;
	build_value(&b, n->in[0]);
	build_i32(&b, outputs);
	build_i32(&b, block);
	build_i32(&b, width);
	build_i32(&b, inner.size);
	build_i32(&b, inner.stride);
	build_dims(&b, r.kept, r.kept_count);
	build_dims(&b, r.reduced, r.reduced_count);
	build_out(&b);
	build_flops(&b, (uint64_t)(elements * outputs * width));
	if (gpu)
		return gpu_reduce_launch(&b, outputs, width, elements);
	return build_launch(&b, ceil_div(outputs, block), mode == MODE_LANES ? ceil_div(width, 16) : 1, 1);
}

bool select_arg(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	const struct value *x = graph_value(c->g, n->in[0]);
	uint32_t axis = (uint32_t)node_int(n, ATTR_axis, 0);
	int64_t outer = 1, inner = 1;
	struct build b;

	for (uint32_t i = 0; i < x->shape.rank; i++) {
		outer *= i < axis ? x->shape.dim[i] : 1;
		inner *= i > axis ? x->shape.dim[i] : 1;
	}
	build_begin(&b, c, id, "arg");
	build_define(&b, "MAX", n->op == OP_arg_max);
	build_define(&b, "LAST", node_int(n, ATTR_select_last, 0) != 0);
	build_define(&b, "INNER", inner > 1);
	if (!build_element(&b, x->dtype) || !build_rows(&b, DTYPE_I64, 1))
		return false;
	build_value(&b, n->in[0]);
	build_i32(&b, x->shape.dim[axis]);
	build_i32(&b, inner);
	build_out(&b);
	build_flops(&b, (uint64_t)shape_elements(&x->shape));
	return build_launch(&b, ceil_div(inner, 16), outer, 1);
}
