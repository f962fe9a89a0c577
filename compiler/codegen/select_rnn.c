/* SPDX-License-Identifier: Apache-2.0 */
/*
 * select_rnn.c - lstm and gru (recurrent.cl).
 *
 * One launch runs all sequences in all directions, one work-item each; a
 * direction with activations of its own is a launch of its own.
 */
#include "config.h"

#include "codegen/codegen.h"

enum { IN_X, IN_W, IN_R, IN_B, IN_LENS, IN_H0, IN_C0, IN_P, INPUTS };
enum { SCRATCH_PARTS = 4, LANES = 16 };

static value_id input(const struct node *n, uint32_t i)
{
	return i < node_own_inputs(n) ? n->in[i] : NO_ID;
}

static value_id output(const struct node *n, uint32_t i)
{
	return i < n->out_count ? n->out[i] : NO_ID;
}

struct activation {
	enum rnn_activation f;
	double alpha, beta;
};

static struct activation activation_of(const struct node *n, uint32_t direction, uint32_t k)
{
	static const enum rnn_activation usual[] = { RNN_SIGMOID, RNN_TANH, RNN_TANH };
	uint32_t i = direction * (n->op == OP_lstm ? 3 : 2) + k, count;
	const int64_t *list = node_ints(n, ATTR_activations, &count);
	const struct attr *alphas = node_attr(n, ATTR_alphas), *betas = node_attr(n, ATTR_betas);
	struct activation a = { list ? (enum rnn_activation)list[i] : usual[k], 1, 1 };

	if (a.f == RNN_LEAKY_RELU)
		a.alpha = 0.01;
	if (a.f == RNN_HARD_SIGMOID)
		a = (struct activation){ a.f, 0.2, 0.5 };
	if (a.f == RNN_AFFINE)
		a.beta = 0;
	a.alpha = alphas ? alphas->floats[i] : a.alpha;
	a.beta = betas ? betas->floats[i] : a.beta;
	return a;
}

static void define_activation(struct build *b, const char *name, struct activation a)
{
	const char *alpha = expr_literal(b->c->arena, a.alpha, DTYPE_F32, EXPR_VECTOR);
	const char *beta = expr_literal(b->c->arena, a.beta, DTYPE_F32, EXPR_VECTOR);

	switch (a.f) {
	case RNN_SIGMOID:
		build_define_text(b, name, "edge_sigmoid(v)");
		break;
	case RNN_TANH:
		build_define_text(b, name, "edge_tanh(v)");
		break;
	case RNN_RELU:
		build_define_text(b, name, "edge_relu(v)");
		break;
	case RNN_LEAKY_RELU:
		build_define_text(b, name, "EDGE_SELECT(int16, (v) < (float16)(0.0f), %s * (v), (v))", alpha);
		break;
	case RNN_THRESHOLDED_RELU:
		build_define_text(b, name, "EDGE_SELECT(int16, (v) > %s, (v), (float16)(0.0f))", alpha);
		break;
	case RNN_SCALED_TANH:
		build_define_text(b, name, "(%s * edge_tanh(%s * (v)))", alpha, beta);
		break;
	case RNN_HARD_SIGMOID:
		build_define_text(b, name, "edge_clip(%s * (v) + %s, (float16)(0.0f), (float16)(1.0f))", alpha, beta);
		break;
	case RNN_ELU:
		build_define_text(b, name, "EDGE_SELECT(int16, (v) < (float16)(0.0f), %s * edge_expm1(v), (v))", alpha);
		break;
	case RNN_SOFTSIGN:
		build_define_text(b, name, "((v) / (1.0f + fabs(v)))");
		break;
	case RNN_SOFTPLUS:
		build_define_text(b, name, "edge_softplus(v)");
		break;
	case RNN_AFFINE:
		build_define_text(b, name, "(%s * (v) + %s)", alpha, beta);
		break;
	}
}

/* Whether both directions compute with the same functions. */
static bool same_activations(const struct node *n)
{
	for (uint32_t k = 0; k < (n->op == OP_lstm ? 3 : 2); k++) {
		struct activation a = activation_of(n, 0, k), b = activation_of(n, 1, k);

		if (a.f != b.f || a.alpha != b.alpha || a.beta != b.beta)
			return false;
	}
	return true;
}

static bool check(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	static const char *const name[INPUTS] = { "", "input weights", "recurrent weights", "bias", "", "", "", "peepholes" };

	if (n->epilogue_count)
		return codegen_refuse(c, id, "it has an epilogue");
	for (uint32_t i = 0; i < INPUTS; i++) {
		value_id v = input(n, i);

		if (v == NO_ID || i == IN_LENS)
			continue;
		if (name[i][0] && !value_is_const(c, v))
			return codegen_refuse(c, id, "its %s must be constants", name[i]);
		if (!name[i][0] && graph_value(c->g, v)->dtype != DTYPE_F32)
			return codegen_refuse(c, id, "input %u is %s, and only f32 is supported", i,
					      dtype_name(graph_value(c->g, v)->dtype));
	}
	return true;
}

struct sizes {
	int64_t steps, batch, inputs, hidden, padded, directions;
	bool layout, lstm;
};

static void define_all(struct build *b, const struct sizes *s, uint32_t direction)
{
	const struct node *n = b->n;
	double clip = node_float(n, ATTR_clip, 0);
	const char *bound = expr_literal(b->c->arena, clip, DTYPE_F32, EXPR_VECTOR);

	build_define(b, "GATES", s->lstm ? 4 : 3);
	define_activation(b, "F(v)", activation_of(n, direction, 0));
	define_activation(b, "G(v)", activation_of(n, direction, 1));
	if (s->lstm)
		define_activation(b, "H(v)", activation_of(n, direction, 2));
	if (clip > 0)
		build_define_text(b, "CLIP(v)", "edge_clip(v, -%s, %s)", bound, bound);
	else
		build_define_text(b, "CLIP(v)", "(v)");
	build_define_param(b, "B", input(n, IN_B) != NO_ID, "__global const float *restrict bias,");
	build_define_param(b, "LENS", input(n, IN_LENS) != NO_ID, "__global const int *restrict lens,");
	build_define_param(b, "H0", input(n, IN_H0) != NO_ID, "__global const float *restrict h0,");
	build_define_param(b, "C0", s->lstm && input(n, IN_C0) != NO_ID, "__global const float *restrict c0,");
	build_define_param(b, "P", s->lstm && input(n, IN_P) != NO_ID, "__global const float *restrict peep,");
	build_define_param(b, "Y", output(n, 0) != NO_ID, "__global float *restrict y,");
	build_define_param(b, "YH", output(n, 1) != NO_ID, "__global float *restrict yh,");
	build_define_param(b, "YC", s->lstm && output(n, 2) != NO_ID, "__global float *restrict yc,");
	build_define(b, "INPUT_FORGET", s->lstm && node_int(n, ATTR_input_forget, 0) != 0);
	build_define(b, "LINEAR_BEFORE_RESET", !s->lstm && node_int(n, ATTR_linear_before_reset, 0) != 0);
}

static void build_tensors(struct build *b, const struct sizes *s)
{
	const struct node *n = b->n;
	uint32_t gates = s->lstm ? 4 : 3;

	build_float(b, input(n, IN_X));
	build_weight(b, codegen_recurrent(b->c, input(n, IN_W), gates), false);
	build_weight(b, codegen_recurrent(b->c, input(n, IN_R), gates), false);
	if (input(n, IN_B) != NO_ID)
		build_weight(b, codegen_recurrent(b->c, input(n, IN_B), 2 * gates), false);
	if (input(n, IN_LENS) != NO_ID)
		build_value(b, input(n, IN_LENS));
	if (input(n, IN_H0) != NO_ID)
		build_float(b, input(n, IN_H0));
	if (s->lstm && input(n, IN_C0) != NO_ID)
		build_float(b, input(n, IN_C0));
	if (s->lstm && input(n, IN_P) != NO_ID)
		build_weight(b, codegen_recurrent(b->c, input(n, IN_P), 3), false);
	for (uint32_t i = 0; i < (s->lstm ? 3 : 2); i++)
		if (output(n, i) != NO_ID)
			build_value(b, output(n, i));
}

static void build_strides(struct build *b, const struct sizes *s)
{
	int64_t row = s->hidden, rows = s->batch * row;

	build_i32(b, s->layout ? s->inputs : s->batch * s->inputs);                   /* x: step, batch */
	build_i32(b, s->layout ? s->steps * s->inputs : s->inputs);
	build_i32(b, s->directions * (s->layout ? row : rows));                       /* y: step, direction, batch */
	build_i32(b, s->layout ? row : rows);
	build_i32(b, s->layout ? s->steps * s->directions * row : row);
	build_i32(b, s->layout ? row : rows);                                         /* state: direction, batch */
	build_i32(b, s->layout ? s->directions * row : row);
}

static bool launch(struct codegen *c, node_id id, const struct sizes *s, uint32_t direction, uint32_t count)
{
	const struct node *n = graph_node(c->g, id);
	int64_t gates = s->lstm ? 4 : 3;
	struct build b;

	build_begin(&b, c, id, "recurrent");
	define_all(&b, s, direction);
	build_tensors(&b, s);
	build_scratch(&b, (uint64_t)(s->batch * count * SCRATCH_PARTS * s->padded) * sizeof(float));
	build_i32(&b, s->steps);
	build_i32(&b, s->inputs);
	build_i32(&b, s->hidden);
	build_i32(&b, s->padded);
	build_i32(&b, direction);
	build_i32(&b, node_int(n, ATTR_direction, RNN_FORWARD) == RNN_REVERSE);
	build_strides(&b, s);
	build_flops(&b, 2 * (uint64_t)(s->steps * s->batch * count * gates * s->hidden) *
				(uint64_t)(s->inputs + s->hidden));
	return build_launch(&b, s->batch, count, 1);
}

bool select_rnn(struct codegen *c, node_id id)
{
	const struct node *n = graph_node(c->g, id);
	const struct shape *x = value_shape(c, n->in[IN_X]);
	bool both = node_int(n, ATTR_direction, RNN_FORWARD) == RNN_BIDIRECTIONAL;
	bool layout = node_int(n, ATTR_layout, 0) != 0;
	struct sizes s = { .steps = x->dim[layout], .batch = x->dim[!layout], .inputs = x->dim[2],
			   .hidden = value_shape(c, n->in[IN_R])->dim[2], .directions = both ? 2 : 1,
			   .layout = layout, .lstm = n->op == OP_lstm };

	if (!check(c, id))
		return false;
	s.padded = ceil_div(s.hidden, LANES) * LANES;
	if (!both || same_activations(n))
		return launch(c, id, &s, 0, (uint32_t)s.directions);
	return launch(c, id, &s, 0, 1) && launch(c, id, &s, 1, 1);
}
