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

bool op_gemm(struct call *c)
{
	value_id in[3] = { call_in(c, 0), call_in(c, 1), call_in(c, 2) };
	double beta = call_float(c, "beta", 1);
	struct attr attr[3] = {
		attr_int(trans_a, call_int(c, "transA", 0) != 0),
		attr_int(trans_b, call_int(c, "transB", 0) != 0),
		attr_float(alpha, call_float(c, "alpha", 1)),
	};

	if (shape_of(c, in[0]).rank != 2 || shape_of(c, in[1]).rank != 2)
		return call_fail(c, "its operands must be matrices");
	if (in[2] != NO_ID && beta == 0)
		in[2] = NO_ID;
	if (in[2] != NO_ID && beta != 1)
		in[2] = emit2(c, OP_mul, in[2], emit_like(c, in[2], beta));
	call_out(c, 0, emit(c, OP_matmul, in, in[2] == NO_ID ? 2 : 3, attr, 3));
	return !c->failed;
}

/* ---- Attention (versions 23 to 25) */

struct heads {
	int64_t batch, q_heads, kv_heads, q_len, kv_len;
	bool flat; /* [batch, length, heads * size] */
};

/* To [batch, heads, length, size]. */
static value_id split_heads(struct call *c, value_id x, int64_t heads)
{
	struct shape s = shape_of(c, x), split;
	static const int64_t perm[] = { 0, 2, 1, 3 };

	if (s.rank == 4)
		return x;
	if (s.rank != 3 || heads < 1 || s.dim[2] % heads) {
		call_fail(c, "%s cannot be split into %lld heads",
			  shape_string(&c->im->scratch, &s), (long long)heads);
		return NO_ID;
	}
	split = (struct shape){ 4, { s.dim[0], s.dim[1], heads, s.dim[2] / heads } };
	return emit_transpose(c, emit_reshape(c, x, &split), perm);
}

/* Grouped heads: each key and value head serves several query heads. */
static value_id repeat_heads(struct call *c, value_id x, int64_t times)
{
	struct shape s = shape_of(c, x), one, all, joined;

	if (times == 1)
		return x;
	one = (struct shape){ 5, { s.dim[0], s.dim[1], 1, s.dim[2], s.dim[3] } };
	all = one;
	all.dim[2] = times;
	joined = s;
	joined.dim[1] *= times;
	return emit_reshape(c, emit_expand(c, emit_reshape(c, x, &one), &all), &joined);
}

static value_id with_past(struct call *c, value_id x, uint32_t past, uint32_t present)
{
	if (call_in(c, past) != NO_ID)
		x = emit(c, OP_concat, (value_id[]){ call_in(c, past), x }, 2, &attr_int(axis, 2),
			 1);
	call_out(c, present, x);
	return x;
}

/* Bool masks become 0 and minus infinity; one that is too short hides the rest. */
static value_id attention_mask(struct call *c, value_id mask, enum dtype t, int64_t length)
{
	struct shape s = shape_of(c, mask);
	int64_t pads[2 * MAX_RANK] = { 0 };

	if (dtype_of(c, mask) == DTYPE_BOOL)
		mask = emit3(c, OP_where, mask, emit_scalar(c, t, 0),
			     emit_scalar(c, t, -__builtin_inf()));
	if (s.rank && s.dim[s.rank - 1] < length && s.dim[s.rank - 1] != 1) {
		struct attr attr[2];

		pads[2 * s.rank - 1] = length - s.dim[s.rank - 1];
		attr[0] = attr_ints(pads, pads, 2 * s.rank);
		attr[1] = attr_float(value, -__builtin_inf());
		mask = emit(c, OP_pad, &mask, 1, attr, 2);
	}
	return mask;
}

static bool attention_is_plain(struct call *c)
{
	call_attr(c, "softmax_precision");
	if (call_float(c, "softcap", 0) != 0)
		return call_fail(c, "softcap is not supported");
	if (call_int(c, "left_window_size", -1) != -1 || call_int(c, "right_window_size", -1) != -1)
		return call_fail(c, "windows are not supported");
	if (call_has(c, 6))
		return call_fail(c, "input 6 (nonpad_kv_seqlen) is not supported");
	call_attr(c, "qk_matmul_output_mode");
	return call_refuse_outputs(c, 3);
}

bool op_attention(struct call *c)
{
	value_id q = call_in(c, 0), k = call_in(c, 1), v = call_in(c, 2), in[4], y;
	int64_t q_heads = call_int(c, "q_num_heads", 0), kv_heads = call_int(c, "kv_num_heads", 0);
	bool flat = shape_of(c, q).rank == 3, causal = call_int(c, "is_causal", 0);
	struct shape sq, sk, out;
	double scale = call_float(c, "scale", 0);
	static const int64_t perm[] = { 0, 2, 1, 3 };
	struct attr attr[2];
	uint32_t n = 0;

	if (!attention_is_plain(c))
		return false;
	q = split_heads(c, q, q_heads);
	k = with_past(c, split_heads(c, k, kv_heads), 4, 1);
	v = with_past(c, split_heads(c, v, kv_heads), 5, 2);
	sq = shape_of(c, q);
	sk = shape_of(c, k);
	if (c->failed || sq.rank != 4 || sk.rank != 4 || !sk.dim[1] || sq.dim[1] % sk.dim[1])
		return call_fail(c, "its queries and keys do not go together");
	if (causal && sq.dim[2] != sk.dim[2])
		return call_fail(c, "causal attention needs as many queries as keys here");
	in[0] = q;
	in[1] = repeat_heads(c, k, sq.dim[1] / sk.dim[1]);
	in[2] = repeat_heads(c, v, sq.dim[1] / sk.dim[1]);
	in[3] = call_in(c, 3);
	if (in[3] != NO_ID)
		in[3] = attention_mask(c, in[3], dtype_of(c, q), sk.dim[2]);
	if (scale != 0)
		attr[n++] = attr_float(scale, scale);
	attr[n++] = attr_int(causal, causal);
	y = emit(c, OP_attention, in, in[3] == NO_ID ? 3 : 4, attr, n);
	if (flat && !c->failed) {
		y = emit_transpose(c, y, perm);
		out = shape_of(c, y);
		out = (struct shape){ 3, { out.dim[0], out.dim[1], out.dim[2] * out.dim[3] } };
		y = emit_reshape(c, y, &out);
	}
	call_out(c, 0, y);
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
