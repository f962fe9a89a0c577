/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select_pad.c - padding and cropping.
 *
 * A dim without padding is merged with the one before it: with constants the
 * pair is padded by whole inner rows; in the other modes only if neither is
 * padded, because they look at positions one by one.
 */
#include "config.h"

#include "codegen/codegen.h"

#include <inttypes.h>

enum { KERNEL_DIMS = 8 };

struct pad_dim {
	int64_t out, in, begin, stride;
};

struct padding {
	uint32_t rank;
	struct pad_dim dim[MAX_RANK];
};

static struct padding padding_of(const struct codegen *c, const struct node *n, bool keep_last)
{
	const struct shape *in = value_shape(c, n->in[0]), *out = value_shape(c, n->out[0]);
	bool constant = node_int(n, ATTR_mode, PAD_CONSTANT) == PAD_CONSTANT;
	uint32_t count;
	const int64_t *pads = node_ints(n, ATTR_pads, &count);
	struct padding p = { 0 };
	int64_t stride = 1;

	for (uint32_t i = 0; i < in->rank; i++) {
		struct pad_dim d = { out->dim[i], in->dim[i], pads[i], 0 };
		bool plain = !pads[i] && out->dim[i] == in->dim[i], last = keep_last && i + 1 == in->rank;
		struct pad_dim *top = p.rank ? &p.dim[p.rank - 1] : NULL;

		if (top && plain && !last && (constant || (!top->begin && top->out == top->in)))
			*top = (struct pad_dim){ top->out * d.out, top->in * d.in, top->begin * d.in, 0 };
		else
			p.dim[p.rank++] = d;
	}
	if (!p.rank)
		p.dim[p.rank++] = (struct pad_dim){ 1, 1, 0, 1 };
	for (uint32_t i = p.rank; i-- > 0; stride *= p.dim[i].in)
		p.dim[i].stride = stride;
	return p;
}

static void define_value(struct build *b, enum dtype t, double value)
{
	if (dtype_is_float(t))
		build_define_text(b, "VALUE", "value");
	else
		build_define_text(b, "VALUE", "((CTYPE)(%" PRId64 "L))", (int64_t)value);
}

bool select_pad(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	enum dtype t = graph_value(c->g, n->in[0])->dtype;
	int64_t out_elements = value_elements(c, n->out[0]), width, rows, block;
	double value = node_float(n, ATTR_value, 0);
	bool operands = output_width(c, n, 0) != 0;
	struct padding p = padding_of(c, n, operands);
	uint32_t last = p.rank - 1, dims = last ? last : 1;
	struct build b;

	build_begin(&b, c, id, "pad");
	build_define_dims(&b, "", dims, "dcbs");
	build_define(&b, "MODE", node_int(n, ATTR_mode, PAD_CONSTANT));
	define_value(&b, t, value);
	width = p.dim[last].out;
	if (!build_element(&b, t) || !build_rows(&b, t, width))
		return false;
	rows = out_elements / width;
	block = rows_per_item(rows, width);
	build_value(&b, n->in[0]);
	build_f32(&b, value);
	build_i32(&b, rows);
	build_i32(&b, block);
	build_i32(&b, width);
	build_i32(&b, p.dim[last].in);
	build_i32(&b, p.dim[last].begin);
	for (uint32_t i = 0; i < dims; i++) {
		struct pad_dim d = last ? p.dim[last - 1 - i] : (struct pad_dim){ 1, 1, 0, 0 };

		build_i32(&b, d.out);
		build_i32(&b, d.in);
		build_i32(&b, d.begin);
		build_i32(&b, d.stride);
	}
	build_out(&b);
	return build_launch(&b, ceil_div(rows, block), 1, 1);
}
