/* SPDX-License-Identifier: Apache-2.0 */
/* window.c - see window.h. */
#include "config.h"

#include "codegen/window.h"

static void read_list(const struct node *n, enum attr_key k, uint32_t dims, uint32_t from, int64_t absent, int64_t *out)
{
	uint32_t count, i;
	const int64_t *list = node_ints(n, k, &count);

	for (i = 0; i < 3; i++)
		out[i] = absent;
	for (i = 0; list && i < dims && from + i < count; i++)
		out[3 - dims + i] = list[from + i];
}

struct window window_read(const struct codegen *c, const struct node *n, const struct shape *w)
{
	return window_of(n, value_shape(c, n->in[0]), value_shape(c, n->out[0]), w);
}

struct window window_of(const struct node *n, const struct shape *x, const struct shape *o, const struct shape *w)
{
	struct window v = { .dims = x->rank - 2, .images = x->dim[0], .channels = x->dim[x->rank - 1] };
	uint32_t i;

	for (i = 0; i < 3; i++)
		v.in[i] = v.out[i] = 1;
	for (i = 0; i < v.dims; i++) {
		v.in[3 - v.dims + i] = x->dim[1 + i];
		v.out[3 - v.dims + i] = o->dim[1 + i];
	}
	read_list(n, ATTR_strides, v.dims, 0, 1, v.stride);
	read_list(n, ATTR_dilations, v.dims, 0, 1, v.dilation);
	read_list(n, ATTR_pads, v.dims, 0, 0, v.begin);
	read_list(n, ATTR_pads, v.dims, v.dims, 0, v.end);
	read_list(n, ATTR_kernel, v.dims, 0, 1, v.kernel);
	for (i = 0; w && i < v.dims; i++)
		v.kernel[3 - v.dims + i] = w->dim[2 + i];
	return v;
}

const char *window_text(struct codegen *c, const struct window *w)
{
	struct strbuf s = { 0 };
	const char *text;
	uint32_t i;

	for (i = 3 - w->dims; i < 3; i++)
		strbuf_printf(&s, "%s%lld", s.len ? "x" : "", (long long)w->kernel[i]);
	if (w->stride[2] > 1 || w->stride[1] > 1)
		strbuf_printf(&s, " s%lld", (long long)(w->stride[1] > w->stride[2] ? w->stride[1] : w->stride[2]));
	text = arena_strdup(c->arena, strbuf_str(&s));
	strbuf_free(&s);
	return text;
}

void window_args(struct build *b, const int64_t v[3])
{
	build_i32(b, v[0]);
	build_i32(b, v[1]);
	build_i32(b, v[2]);
}

void window_all_args(struct build *b, const struct window *w)
{
	window_args(b, w->in);
	window_args(b, w->out);
	window_args(b, w->kernel);
	window_args(b, w->stride);
	window_args(b, w->dilation);
	window_args(b, w->begin);
}
