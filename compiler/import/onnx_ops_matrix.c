/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops_matrix.c - matrix products, attention, recurrences. */
#include "config.h"

#include "import/onnx_ops.h"

#include <string.h>

/* A vector is a matrix of one row (left) or one column (right) whose axis goes again. */
value_id onnx_matmul(struct call *c, value_id a, value_id b)
{
	value_id y;
	struct shape sa = shape_of(c, a), sb = shape_of(c, b), out;
	bool row = sa.rank == 1, column = sb.rank == 1;

	if (!sa.rank || !sb.rank) {
		call_fail(c, "a scalar is no matrix");
		return NO_ID;
	}
	if (row)
		a = emit_reshape(c, a, &(struct shape){ 2, { 1, sa.dim[0] } });
	if (column)
		b = emit_reshape(c, b, &(struct shape){ 2, { sb.dim[0], 1 } });
	y = emit2(c, OP_matmul, a, b);
	if (!c->failed && (row || column)) {
		out = shape_of(c, y);
		if (row) {
			out.dim[out.rank - 2] = out.dim[out.rank - 1];
			out.rank--;
		}
		if (column)
			out.rank--;
		y = emit_reshape(c, y, &out);
	}
	return y;
}

bool op_matmul(struct call *c)
{
	value_id y = onnx_steps_matmul(c);

	call_out(c, 0, y != NO_ID ? y : onnx_matmul(c, call_in(c, 0), call_in(c, 1)));
	return !c->failed;
}

value_id onnx_gemm(struct call *c, value_id a, value_id b, value_id bias, double alpha)
{
	value_id in[3] = { a, b, bias };
	struct attr attr[3] = {
		attr_int(trans_a, call_int(c, "transA", 0) != 0),
		attr_int(trans_b, call_int(c, "transB", 0) != 0),
		attr_float(alpha, alpha),
	};

	if (shape_of(c, a).rank != 2 || shape_of(c, b).rank != 2)
		call_fail(c, "its operands must be matrices");
	return emit(c, OP_matmul, in, bias == NO_ID ? 2 : 3, attr, 3);
}

value_id onnx_gemm_of_floats(struct call *c)
{
	value_id bias = call_in(c, 2);
	double beta = call_float(c, "beta", 1);

	if (bias != NO_ID && beta == 0)
		bias = NO_ID;
	if (bias != NO_ID && beta != 1)
		bias = emit2(c, OP_mul, bias, emit_like(c, bias, beta));
	return onnx_gemm(c, call_in(c, 0), call_in(c, 1), bias, call_float(c, "alpha", 1));
}

bool op_gemm(struct call *c)
{
	value_id y = onnx_steps_gemm(c);

	call_out(c, 0, y != NO_ID ? y : onnx_gemm_of_floats(c));
	return !c->failed;
}

/* ---- LSTM and GRU stay one operation */

static int find_activation(const ProtobufCBinaryData *name)
{
	static const char *const names[] = {
		"Sigmoid",     "Tanh", "Relu",	   "LeakyRelu", "ThresholdedRelu", "ScaledTanh",
		"HardSigmoid", "Elu",  "Softsign", "Softplus",	"Affine"
	};

	for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
		if (name->len == strlen(names[i]) &&
		    strncasecmp((const char *)name->data, names[i], name->len) == 0)
			return i; /* the order of enum rnn_activation */
	return -1;
}

/* alpha and beta of an activation that says nothing */
static void activation_defaults(int f, double *alpha, double *beta)
{
	*alpha = f == RNN_LEAKY_RELU ? 0.01f : f == RNN_HARD_SIGMOID ? 0.2f : 1;
	*beta = f == RNN_HARD_SIGMOID ? 0.5 : f == RNN_AFFINE ? 0 : 1;
}

static bool uses_alpha(int64_t f)
{
	return f >= RNN_LEAKY_RELU && f != RNN_SOFTSIGN && f != RNN_SOFTPLUS;
}

static bool uses_beta(int64_t f)
{
	return f == RNN_SCALED_TANH || f == RNN_HARD_SIGMOID || f == RNN_AFFINE;
}

/* The file's lists have entries only for activations that take them. */
static bool read_activations(struct call *c, uint32_t count, int64_t *f, double *alpha,
			     double *beta, bool *any)
{
	const Onnx__AttributeProto *names = call_attr(c, "activations"),
				   *as = call_attr(c, "activation_alpha");
	const Onnx__AttributeProto *bs = call_attr(c, "activation_beta");
	size_t na = 0, nb = 0;

	*any = names && names->n_strings;
	if (!*any)
		return true;
	if (names->n_strings < count) /* the default has them for two directions, and files say it for one */
		return call_fail(c, "it takes %u activations, and %zu are named", count,
				 names->n_strings);
	for (uint32_t i = 0; i < count; i++) {
		int found = find_activation(&names->strings[i]);

		if (found < 0)
			return call_fail(c, "activation \"%.*s\" is not known",
					 (int)names->strings[i].len,
					 (const char *)names->strings[i].data);
		f[i] = found;
		activation_defaults(found, &alpha[i], &beta[i]);
		if (as && uses_alpha(found) && na < as->n_floats)
			alpha[i] = as->floats[na++];
		if (bs && uses_beta(found) && nb < bs->n_floats)
			beta[i] = bs->floats[nb++];
	}
	return true;
}

/* Lengths that are all the whole sequence say nothing. */
static value_id sequence_lengths(struct call *c, int64_t steps)
{
	value_id v = call_in(c, 4);
	const int64_t *list;
	uint32_t n, whole = 0;

	if (v == NO_ID || !is_known(c, v))
		return v;
	list = call_known_ints(c, 4, "sequence_lens", &n);
	for (uint32_t i = 0; list && i < n; i++)
		whole += list[i] == steps;
	return whole == n ? NO_ID : emit_cast(c, v, DTYPE_I32);
}

static bool read_direction(struct call *c, int64_t *out)
{
	static const char *const names[] = { "forward", "reverse", "bidirectional" };
	const char *s = call_string(c, "direction", "forward");

	for (*out = RNN_FORWARD; *out <= RNN_BIDIRECTIONAL; ++*out)
		if (strcmp(s, names[*out]) == 0)
			return true;
	return call_fail(c, "direction \"%s\" is not known", s);
}

/* A constant's elements as floats, wherever they are; NULL: said why. */
static const float *known_f32(struct call *c, uint32_t i)
{
	value_id v = call_in(c, i);
	struct shape s = shape_of(c, v);
	float *out;

	if (!is_known(c, v) || shape_elements(&s) > 1 << 26) {
		call_fail(c, "input %u must be known when compiling, and of less than 2^26 numbers", i);
		return NULL;
	}
	out = arena_alloc(&c->im->scratch, (size_t)shape_elements(&s) * sizeof *out);
	if (!data_read_f32(c->g, v, out, c->im->d))
		c->failed = true;
	return c->failed ? NULL : out;
}

/* `parts` blocks of `each` numbers for each direction, the last block from `from`, those before it filled up. */
static value_id last_gate(struct call *c, const float *from, struct shape s, int64_t parts, int64_t each, const float *fill)
{
	int64_t all = s.dim[0] * parts * each;
	float *out = arena_alloc(&c->im->scratch, (size_t)all * sizeof *out);

	s.dim[1] *= parts;
	for (int64_t i = 0; i < all; i++) {
		int64_t direction = i / (parts * each), part = i / each % parts;

		out[i] = part + 1 < parts ? fill[part] : from[direction * each + i % each];
	}
	return graph_add_const_bytes(c->g, DTYPE_F32, s, out);
}

/*
 * RNN is a GRU whose update gate is always 0 and whose reset gate is always 1:
 * both take a steep step of a bias that is far from 0.
 */
static bool rnn_as_gru(struct call *c, value_id *in, int64_t hidden, uint32_t directions, int64_t *f, double *alpha, double *beta)
{
	static const float none[2] = { 0, 0 };
	struct shape ws = shape_of(c, in[1]), rs = shape_of(c, in[2]), bs = shape_of(c, in[3]);
	const float *w = known_f32(c, 1), *r = known_f32(c, 2), *b = in[3] == NO_ID ? NULL : known_f32(c, 3);
	float *bias;

	if (!w || !r || ws.rank != 3 || ws.dim[0] != directions || ws.dim[1] != hidden || rs.dim[0] != directions ||
	    rs.dim[1] != hidden || (in[3] != NO_ID && (!b || bs.rank != 2 || bs.dim[0] != directions || bs.dim[1] != 2 * hidden)))
		return call_fail(c, "its weights do not fit its hidden size");
	in[1] = last_gate(c, w, ws, 3, hidden * ws.dim[2], none);
	in[2] = last_gate(c, r, rs, 3, hidden * rs.dim[2], none);
	bias = arena_new_array(&c->im->scratch, float, (size_t)(directions * 6 * hidden));
	for (int64_t d = 0; d < directions; d++)
		for (int64_t i = 0; i < hidden; i++) {
			float *to = bias + d * 6 * hidden + i;

			to[0] = -1e4f;
			to[hidden] = 1e4f;
			to[2 * hidden] = b ? b[d * 2 * hidden + i] : 0;
			to[5 * hidden] = b ? b[d * 2 * hidden + hidden + i] : 0;
		}
	bs = (struct shape){ 2, { directions, 6 * hidden } };
	in[3] = graph_add_const_bytes(c->g, DTYPE_F32, bs, bias);
	for (uint32_t d = directions; d-- > 0;) {
		f[2 * d + 1] = f[d];
		alpha[2 * d + 1] = alpha[d];
		beta[2 * d + 1] = beta[d];
		f[2 * d] = RNN_HARD_SIGMOID;
		alpha[2 * d] = 1e6;
		beta[2 * d] = 0.5;
	}
	return true;
}

/* w, r: the weights, as inputs 1 and 2 of the standard operators */
bool onnx_rnn(struct call *c, value_id w, value_id r)
{
	bool lstm = c->op->op == OP_lstm, plain = c->op->op == OP_identity, named;
	value_id in[8];
	struct shape xs = shape_of(c, call_in(c, 0)), rs = shape_of(c, r);
	int64_t direction, f[6], layout = call_int(c, "layout", 0), hidden;
	uint32_t inputs = lstm ? 8 : 6, n = 0, functions;
	double alpha[6], beta[6];
	struct attr attr[9];
	node_id id;

	if (!read_direction(c, &direction))
		return false;
	if (xs.rank != 3 || rs.rank != 3)
		return call_fail(c, "its sequence and weights must have three axes");
	hidden = call_int(c, "hidden_size", rs.dim[2]);
	functions = (lstm ? 3 : plain ? 1 : 2) * (direction == RNN_BIDIRECTIONAL ? 2 : 1);
	for (uint32_t i = 0; i < 2 && plain; i++) {
		f[i] = RNN_TANH;
		activation_defaults(RNN_TANH, &alpha[i], &beta[i]);
	}
	if (!read_activations(c, functions, f, alpha, beta, &named))
		return false;
	for (uint32_t i = 0; i < inputs; i++)
		in[i] = i == 4 ? sequence_lengths(c, xs.dim[layout ? 1 : 0]) : call_in(c, i);
	in[1] = w;
	in[2] = r;
	if (plain) {
		if (c->failed || !rnn_as_gru(c, in, hidden, functions, f, alpha, beta))
			return false;
		functions *= 2;
		named = true;
	}
	attr[n++] = attr_int(hidden, hidden);
	attr[n++] = attr_int(direction, direction);
	attr[n++] = attr_int(layout, layout != 0);
	if (named) {
		attr[n++] = attr_ints(activations, f, functions);
		attr[n++] = attr_floats(alphas, alpha, functions);
		attr[n++] = attr_floats(betas, beta, functions);
	}
	if (call_attr(c, "clip"))
		attr[n++] = attr_float(clip, call_float(c, "clip", 0));
	if (lstm)
		attr[n++] = attr_int(input_forget, call_int(c, "input_forget", 0) != 0);
	else
		attr[n++] =
			attr_int(linear_before_reset, call_int(c, "linear_before_reset", 0) != 0);
	while (inputs > 3 && in[inputs - 1] == NO_ID)
		inputs--;
	if (c->failed)
		return false;
	id = graph_add_node(c->g, c->im->d, lstm ? OP_lstm : OP_gru, in, inputs, attr, n, c->im->span,
			    c->node->name);
	if (id == NO_ID) {
		c->failed = true;
		return false;
	}
	for (uint32_t i = 0; i < graph_node(c->g, id)->out_count; i++)
		call_out(c, i, graph_node(c->g, id)->out[i]);
	return true;
}

bool op_rnn(struct call *c)
{
	return onnx_rnn(c, call_in(c, 1), call_in(c, 2));
}
