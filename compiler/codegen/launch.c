/* SPDX-License-Identifier: Apache-2.0 */
/*
 * launch.c - one launch from the words of a select function.
 *
 * See codegen.h for the order of calls. Bytes moved are counted here from the
 * arguments, so that no select function has to.
 */
#include "config.h"

#include "codegen/codegen.h"

#include <assert.h>
#include <string.h>

void build_begin(struct build *b, struct codegen *c, node_id id, const char *template)
{
	memset(b, 0, sizeof *b);
	b->c = c;
	b->id = id;
	b->n = graph_node(c->g, id);
	b->template = template;
	b->split_dim = -1;
	b->in_place = true;
	b->in_place_of = NO_ID;
}

void build_define(struct build *b, const char *name, int64_t value)
{
	strbuf_printf(&b->defines, "#define %s %lld\n", name, (long long)value);
}

void build_define_text(struct build *b, const char *name, const char *fmt, ...)
{
	va_list ap;

	strbuf_printf(&b->defines, "#define %s ", name);
	va_start(ap, fmt);
	strbuf_vprintf(&b->defines, fmt, ap);
	va_end(ap);
	strbuf_puts(&b->defines, "\n");
}

static void push(struct build *b, struct kernel_arg a)
{
	vec_push(b->c->arena, &b->args, a);
}

void build_value(struct build *b, value_id v)
{
	if (v == NO_ID)
		v = b->n->out[0];
	if (value_is_const(b->c, v))
		push(b, (struct kernel_arg){ .kind = ARG_WEIGHT, .id = codegen_dense(b->c, v) });
	else
		push(b, (struct kernel_arg){ .kind = ARG_VALUE, .id = v });
}

void build_value_f32(struct build *b, value_id v)
{
	if (value_is_const(b->c, v))
		build_weight(b, codegen_weight(b->c, v, (struct packing){ .kind = PACK_DENSE, .dtype = DTYPE_F32 }), false);
	else
		build_value(b, v);
}

void build_weight(struct build *b, uint32_t weight, bool split)
{
	push(b, (struct kernel_arg){ .kind = ARG_WEIGHT, .id = weight, .split = split });
}

void build_define_weight(struct build *b, uint32_t weight)
{
	enum dtype t = b->c->ks->weights.data[weight].packing.dtype;

	if (t != DTYPE_F32)
		build_define_text(b, "EDGE_WEIGHT", "%s", expr_storage(t));
}

void build_i32(struct build *b, int64_t i)
{
	assert(i >= INT32_MIN && i <= INT32_MAX);
	push(b, (struct kernel_arg){ .kind = ARG_I32, .i = i });
}

void build_f32(struct build *b, double f)
{
	push(b, (struct kernel_arg){ .kind = ARG_F32, .f = f });
}

void build_scratch(struct build *b, uint64_t bytes)
{
	push(b, (struct kernel_arg){ .kind = ARG_SCRATCH, .i = (int64_t)bytes });
}

void build_texel(struct build *b)
{
	push(b, (struct kernel_arg){ .kind = ARG_TEXEL });
}

void build_state(struct build *b, const char *name, uint64_t bytes)
{
	struct kernel_set *ks = b->c->ks;
	uint32_t i = 0;

	while (i < ks->states.len && strcmp(ks->states.data[i].name, name) != 0)
		i++;
	if (i == ks->states.len)
		vec_push(b->c->arena, &ks->states, (struct state){ arena_strdup(b->c->arena, name), bytes });
	push(b, (struct kernel_arg){ .kind = ARG_STATE, .id = i });
}

void build_first_granule(struct build *b)
{
	push(b, (struct kernel_arg){ .kind = ARG_FIRST_GRANULE });
}

void build_what(struct build *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	b->what = arena_vprintf(b->c->arena, fmt, ap);
	va_end(ap);
}

void build_flops(struct build *b, uint64_t flops)
{
	b->flops = flops;
}

void build_load(struct build *b, enum target_load load)
{
	b->load = load;
}

bool build_epilogue(struct build *b, enum dtype result)
{
	struct codegen *c = b->c;
	const struct node *n = b->n;
	const struct shape *s = value_shape(c, n->out[0]);
	uint32_t first = node_own_inputs(n), k, count = n->in_count - first;
	struct operand *op = arena_new_array(c->arena, struct operand, count);

	for (k = 0; k < count; k++)
		op[k] = epilogue_operand(c, n, k);
	return epilogue_render(b, result, s, op, count);
}

void build_out(struct build *b)
{
	uint32_t i;

	for (i = 0; i < b->out_args.len; i++)
		push(b, b->out_args.data[i]);
}

/* "conv 3x3 + add + relu" */
static const char *describe(const struct build *b)
{
	const struct node *n = b->n;
	struct strbuf s = { 0 };
	const char *what;
	uint32_t i;

	strbuf_puts(&s, b->what ? b->what : op_name(n->op));
	for (i = 0; i < n->epilogue_count && i < 8; i++)
		strbuf_printf(&s, "%s%s", n->op == OP_map && i == 0 ? ": " : " + ", op_name(n->epilogue[i].op));
	if (i < n->epilogue_count)
		strbuf_printf(&s, " + %u more", n->epilogue_count - i);
	what = arena_strdup(b->c->arena, strbuf_str(&s));
	strbuf_free(&s);
	return what;
}

/* Each distinct value or weight is read or written once; a kernel that touches only a part is overcounted. */
static uint64_t count_bytes(const struct build *b)
{
	uint64_t bytes = 0;
	uint32_t i, j;

	for (i = 0; i < b->args.len; i++) {
		const struct kernel_arg *a = &b->args.data[i];

		if (a->kind == ARG_STATE) /* on average half full */
			bytes += b->c->ks->states.data[a->id].bytes / 2;
		if (a->kind != ARG_VALUE && a->kind != ARG_WEIGHT)
			continue;
		for (j = 0; j < i; j++)
			if (b->args.data[j].kind == a->kind && b->args.data[j].id == a->id)
				break;
		if (j < i)
			continue;
		if (a->kind == ARG_WEIGHT)
			bytes += b->c->ks->weights.data[a->id].bytes;
		else
			bytes += (uint64_t)value_elements(b->c, a->id) *
				 dtype_size(graph_value(b->c->g, a->id)->dtype);
	}
	return bytes;
}

bool build_launch_local(struct build *b, int64_t gx, int64_t gy, int64_t gz, uint32_t lx, uint32_t ly, uint32_t lz)
{
	struct codegen *c = b->c;
	const uint32_t local[3] = { lx, ly, lz };
	const int64_t global[3] = { ceil_div(gx, lx) * lx, ceil_div(gy, ly) * ly, ceil_div(gz, lz) * lz };
	struct launch l = { .split_dim = b->split_dim, .node = b->id, .flops = b->flops };
	int d;

	if (!template_text(b->template))
		return codegen_refuse(c, b->id, "there is no template \"%s\"", b->template);
	for (d = 0; d < 3; d++) {
		if (global[d] < 1 || global[d] > INT32_MAX)
			return codegen_refuse(c, b->id, "its launch would have %lld work-items in dimension %d",
					      (long long)global[d], d);
		l.global[d] = (uint32_t)global[d];
	}
	l.kernel = render_kernel(c, b->template, strbuf_str(&b->defines), strbuf_str(&b->epilogue), local);
	l.arg = b->args.data;
	l.arg_count = b->args.len;
	l.load = b->load;
	l.what = describe(b);
	l.bytes = count_bytes(b);
	l.in_place_of = b->in_place ? b->in_place_of : NO_ID;
	vec_push(c->arena, &c->ks->launches, l);
	strbuf_free(&b->defines);
	strbuf_free(&b->epilogue);
	return true;
}

bool build_launch(struct build *b, int64_t gx, int64_t gy, int64_t gz)
{
	return build_launch_local(b, gx, gy, gz, 1, 1, 1);
}
