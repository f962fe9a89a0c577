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
	call_out(c, 0, onnx_matmul(c, call_in(c, 0), call_in(c, 1)));
	return !c->failed;
}

value_id onnx_gemm(struct call *c)
{
	value_id in[3] = { call_in(c, 0), call_in(c, 1), call_in(c, 2) };
	double beta = call_float(c, "beta", 1);
	struct attr attr[3] = {
		attr_int(trans_a, call_int(c, "transA", 0) != 0),
		attr_int(trans_b, call_int(c, "transB", 0) != 0),
		attr_float(alpha, call_float(c, "alpha", 1)),
	};

	if (shape_of(c, in[0]).rank != 2 || shape_of(c, in[1]).rank != 2)
		call_fail(c, "its operands must be matrices");
	if (in[2] != NO_ID && beta == 0)
		in[2] = NO_ID;
	if (in[2] != NO_ID && beta != 1)
		in[2] = emit2(c, OP_mul, in[2], emit_like(c, in[2], beta));
	return emit(c, OP_matmul, in, in[2] == NO_ID ? 2 : 3, attr, 3);
}

bool op_gemm(struct call *c)
{
	call_out(c, 0, onnx_gemm(c));
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
	if (names->n_strings != count)
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

bool op_rnn(struct call *c)
{
	bool lstm = c->op->op == OP_lstm, named;
	value_id in[8];
	struct shape xs = shape_of(c, call_in(c, 0)), rs = shape_of(c, call_in(c, 2));
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
	functions = (lstm ? 3 : 2) * (direction == RNN_BIDIRECTIONAL ? 2 : 1);
	if (!read_activations(c, functions, f, alpha, beta, &named))
		return false;
	for (uint32_t i = 0; i < inputs; i++)
		in[i] = i == 4 ? sequence_lengths(c, xs.dim[layout ? 1 : 0]) : call_in(c, i);
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
	id = graph_add_node(c->g, c->im->d, c->op->op, in, inputs, attr, n, c->im->span,
			    c->node->name);
	if (id == NO_ID) {
		c->failed = true;
		return false;
	}
	for (uint32_t i = 0; i < graph_node(c->g, id)->out_count; i++)
		call_out(c, i, graph_node(c->g, id)->out[i]);
	return true;
}
