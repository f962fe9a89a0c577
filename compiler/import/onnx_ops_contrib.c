/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_contrib.c - operators of com.microsoft, which optimisers write in
 * the place of what exporters wrote: activations, products and norms with what
 * stands around them.
 */
#include "config.h"

#include "import/onnx_ops.h"

#include <string.h>

static value_id plus(struct call *c, value_id x, uint32_t input)
{
	return call_in(c, input) == NO_ID ? x : emit2(c, OP_add, x, call_in(c, input));
}

/* BiasGelu, FastGelu: of the sum with a bias that may be there. */
static bool op_bias_gelu(struct call *c)
{
	call_out(c, 0, emit1(c, c->op->op, plus(c, call_in(c, 0), 1)));
	return !c->failed;
}

/* x sigmoid(alpha x) */
static bool op_quick_gelu(struct call *c)
{
	value_id x = call_in(c, 0), scaled = emit2(c, OP_mul, x, emit_like(c, x, call_float(c, "alpha", 1.702f)));

	call_out(c, 0, emit2(c, OP_mul, x, emit1(c, OP_sigmoid, scaled)));
	return !c->failed;
}

/* The last two axes exchanged, or the batch axes moved behind the rows ("transBatch"). */
static value_id turned(struct call *c, value_id x, bool batch)
{
	uint32_t rank = shape_of(c, x).rank;
	int64_t perm[MAX_RANK] = { 0 };

	for (uint32_t i = 0; i < rank; i++)
		perm[i] = i;
	if (batch)
		for (uint32_t i = 0; i + 1 < rank; i++)
			perm[i] = i + 2 < rank ? i + 1 : 0;
	return emit_transpose(c, x, perm);
}

static bool op_fused_matmul(struct call *c)
{
	value_id in[2] = { call_in(c, 0), call_in(c, 1) };
	bool ta = call_int(c, "transA", 0), tb = call_int(c, "transB", 0);
	struct attr attr[3] = { attr_int(trans_a, ta), attr_int(trans_b, tb), attr_float(alpha, call_float(c, "alpha", 1)) };
	value_id y;

	if (call_int(c, "transBatchA", 0))
		in[0] = turned(c, in[0], true);
	if (call_int(c, "transBatchB", 0))
		in[1] = turned(c, in[1], true);
	if (shape_of(c, in[0]).rank > 1 && shape_of(c, in[1]).rank > 1) {
		call_out(c, 0, emit(c, OP_matmul, in, 2, attr, 3));
		return !c->failed;
	}
	y = onnx_matmul(c, in[0], in[1]);
	call_out(c, 0, emit2(c, OP_mul, y, emit_like(c, y, attr[2].f)));
	return !c->failed;
}

/* What FusedConv and FusedGemm apply to their result, by the activation's name. */
static value_id activated(struct call *c, value_id x, const char *parameters)
{
	const Onnx__AttributeProto *p = parameters ? call_attr(c, parameters) : NULL;
	const char *name = call_string(c, "activation", "");
	double first = p && p->n_floats ? p->floats[0] : call_float(c, "activation_alpha", 0);
	double second = p && p->n_floats > 1 ? p->floats[1] : call_float(c, "activation_beta", 0);
	struct attr range[2] = { attr_float(min, first), attr_float(max, second) };
	struct attr line[2] = { attr_float(alpha, first), attr_float(beta, second) };

	call_float(c, "activation_gamma", 0);
	if (!*name)
		return x;
	if (strcmp(name, "Relu") == 0)
		return emit1(c, OP_relu, x);
	if (strcmp(name, "Sigmoid") == 0)
		return emit1(c, OP_sigmoid, x);
	if (strcmp(name, "Tanh") == 0)
		return emit1(c, OP_tanh, x);
	if (strcmp(name, "HardSwish") == 0)
		return emit1(c, OP_hard_swish, x);
	if (strcmp(name, "Softplus") == 0)
		return emit1(c, OP_softplus, x);
	if (strcmp(name, "Softsign") == 0)
		return emit1(c, OP_softsign, x);
	if (strcmp(name, "Elu") == 0)
		return emit_with(c, OP_elu, x, attr_float(alpha, first));
	if (strcmp(name, "LeakyRelu") == 0)
		return emit_with(c, OP_leaky_relu, x, attr_float(alpha, first));
	if (strcmp(name, "Clip") == 0)
		return emit(c, OP_clip, &x, 1, range, 2);
	if (strcmp(name, "HardSigmoid") == 0)
		return emit(c, OP_hard_sigmoid, &x, 1, line, 2);
	call_fail(c, "activation \"%s\" is not known", name);
	return NO_ID;
}

static bool op_fused_conv(struct call *c)
{
	value_id y = onnx_conv(c, call_in(c, 0), call_in(c, 1), call_in(c, 2));

	call_out(c, 0, activated(c, plus(c, y, 3), "activation_params"));
	return !c->failed;
}

static bool op_fused_gemm(struct call *c)
{
	call_out(c, 0, activated(c, onnx_gemm_of_floats(c), NULL));
	return !c->failed;
}

/* ---- norms of sums */

/* Of the last axis, times gamma, plus beta. */
static value_id norm(struct call *c, enum op op, value_id x, value_id gamma, value_id beta, double eps)
{
	value_id in[3] = { x, gamma, beta };
	uint32_t rank = shape_of(c, x).rank;
	struct attr attr[2] = { attr_int(axis, rank ? rank - 1 : 0), attr_float(eps, eps) };

	if (gamma == NO_ID) {
		call_fail(c, "its scale is missing");
		return NO_ID;
	}
	return emit(c, op, in, beta == NO_ID ? 2 : 3, attr, 2);
}

/* SkipLayerNormalization and its form without mean and beta. */
static bool op_skip_norm(struct call *c)
{
	bool simple = c->op->op == OP_rms_norm;
	value_id sum = plus(c, emit2(c, OP_add, call_in(c, 0), call_in(c, 1)), simple ? 3 : 4);

	if (call_wants(c, 1) || call_wants(c, 2))
		return call_fail(c, "outputs 1 and 2 (mean and deviation) are not supported");
	call_out(c, 0, norm(c, c->op->op, sum, call_in(c, 2), simple ? NO_ID : call_in(c, 3), call_float(c, "epsilon", 1e-12f)));
	call_out(c, 3, sum);
	return !c->failed;
}

static value_id rows(struct call *c, uint32_t table, value_id index)
{
	return emit(c, OP_gather, (value_id[]){ call_in(c, table), index }, 2, &attr_int(axis, 0), 1);
}

/* Words, places and segments of a text, added up and normed. */
static bool op_embed_norm(struct call *c)
{
	struct shape s = shape_of(c, call_in(c, 0));
	value_id x = rows(c, 2, call_in(c, 0)), place = call_in(c, 8);
	int64_t *list;

	if (s.rank != 2 || s.dim[1] > 1 << 20)
		return call_fail(c, "its tokens must be [batch, length]");
	call_attr(c, "mask_index_type");
	if (place == NO_ID) {
		list = arena_new_array(&c->im->scratch, int64_t, (size_t)s.dim[1]);
		for (int64_t i = 0; i < s.dim[1]; i++)
			list[i] = i;
		place = emit_ints(c, list, (uint32_t)s.dim[1]);
	}
	x = emit2(c, OP_add, x, rows(c, 3, place));
	if (call_in(c, 1) != NO_ID && call_in(c, 4) != NO_ID)
		x = emit2(c, OP_add, x, rows(c, 4, call_in(c, 1)));
	call_out(c, 0, norm(c, OP_layer_norm, x, call_in(c, 5), call_in(c, 6), call_float(c, "epsilon", 1e-12f)));
	if (call_wants(c, 1)) { /* how long each text is */
		value_id mask = call_in(c, 7);

		call_out(c, 1, mask == NO_ID ? emit_expand(c, emit_scalar(c, DTYPE_I32, 0), &(struct shape){ 1, { s.dim[0] } })
					     : emit_reduce(c, OP_reduce_sum, mask, 1, false));
	}
	call_out(c, 2, x);
	return !c->failed;
}

/* ---- integers */

static value_id without_zero(struct call *c, uint32_t i, uint32_t zero)
{
	return onnx_dequantized(c, call_in(c, i), NO_ID, call_in(c, zero), UINT32_MAX);
}

/* a, its scale and zero point, b, likewise, scale and zero point of the result. */
static bool op_qlinear_binary(struct call *c)
{
	value_id a = onnx_dequantized(c, call_in(c, 0), call_in(c, 1), call_in(c, 2), UINT32_MAX);
	value_id b = onnx_dequantized(c, call_in(c, 3), call_in(c, 4), call_in(c, 5), UINT32_MAX);

	call_out(c, 0, onnx_quantized(c, emit2(c, c->op->op, a, b), call_in(c, 6), call_in(c, 7)));
	return !c->failed;
}

static bool op_qlinear_unary(struct call *c)
{
	value_id x = onnx_dequantized(c, call_in(c, 0), call_in(c, 1), call_in(c, 2), UINT32_MAX);

	if (c->op->op == OP_leaky_relu)
		x = emit_with(c, OP_leaky_relu, x, attr_float(alpha, call_float(c, "alpha", 0.01f)));
	else if (c->op->op == OP_softmax)
		x = onnx_softmax(c, x, call_int(c, "opset", c->opset));
	else
		x = emit1(c, c->op->op, x);
	call_out(c, 0, onnx_quantized(c, x, call_in(c, 3), call_in(c, 4)));
	return !c->failed;
}

static bool op_qlinear_global_pool(struct call *c)
{
	value_id x = onnx_dequantized(c, call_in(c, 0), call_in(c, 1), call_in(c, 2), UINT32_MAX);

	if (call_int(c, "channels_last", 0))
		return call_fail(c, "channels_last is not supported");
	x = emit_reduce(c, OP_reduce_mean, x, 2, true);
	call_out(c, 0, onnx_quantized(c, x, call_in(c, 3), call_in(c, 4)));
	return !c->failed;
}

static bool op_qlinear_pool(struct call *c)
{
	value_id x = onnx_dequantized(c, call_in(c, 0), call_in(c, 1), call_in(c, 2), UINT32_MAX);

	if (call_int(c, "channels_last", 0))
		return call_fail(c, "channels_last is not supported");
	call_out(c, 0, onnx_quantized(c, onnx_pool(c, OP_avg_pool, x), call_in(c, 3), call_in(c, 4)));
	return !c->failed;
}

/* Scale and zero point of the result, then three inputs for each part. */
static bool op_qlinear_concat(struct call *c)
{
	uint32_t n = ((uint32_t)c->node->n_input - 2) / 3, axis;
	value_id *in = arena_new_array(&c->im->scratch, value_id, n + 1);

	if (c->node->n_input < 5 || c->node->n_input % 3 != 2)
		return call_fail(c, "it has %zu inputs", c->node->n_input);
	for (uint32_t i = 0; i < n; i++)
		in[i] = onnx_dequantized(c, call_in(c, 2 + 3 * i), call_in(c, 3 + 3 * i), call_in(c, 4 + 3 * i), UINT32_MAX);
	if (!call_axis(c, call_int(c, "axis", 0), shape_of(c, in[0]).rank, &axis))
		return false;
	call_out(c, 0, onnx_quantized(c, emit(c, OP_concat, in, n, &attr_int(axis, axis), 1), call_in(c, 0), call_in(c, 1)));
	return !c->failed;
}

/* Integers times integers, with scales behind: A B, scales of both, zero points of both, bias. */
static bool op_matmul_integer_to_float(struct call *c)
{
	value_id y = onnx_matmul(c, without_zero(c, 0, 4), onnx_dequantized(c, call_in(c, 1), NO_ID, call_in(c, 5), 1));

	y = emit2(c, OP_mul, emit2(c, OP_mul, y, call_in(c, 2)), call_in(c, 3));
	call_out(c, 0, plus(c, y, 6));
	return !c->failed;
}

/* The left side is rounded to bytes by its own range, as DynamicQuantizeLinear does. */
static bool op_dynamic_matmul(struct call *c)
{
	value_id step, zero, x = onnx_dynamic(c, call_in(c, 0), &step, &zero);
	value_id w = onnx_dequantized(c, call_in(c, 1), call_in(c, 2), call_in(c, 3), 1);

	x = onnx_dequantized(c, x, step, zero, UINT32_MAX);
	call_out(c, 0, plus(c, onnx_matmul(c, x, w), 4));
	return !c->failed;
}

/* Weights [directions, inputs, 4 hidden] of bytes, one scale for each direction or column, as an LSTM has them. */
static value_id lstm_weights(struct call *c, uint32_t i, uint32_t scale)
{
	static const int64_t perm[3] = { 0, 2, 1 };
	value_id w = emit_cast(c, call_in(c, i), DTYPE_F32), part[2] = { call_in(c, scale), call_in(c, scale + 1) };
	struct shape s = shape_of(c, w);

	if (s.rank != 3 || part[0] == NO_ID || part[1] == NO_ID) {
		call_fail(c, "its weights or their scales are missing");
		return NO_ID;
	}
	for (uint32_t k = 0; k < 2; k++) {
		struct shape ps = shape_of(c, part[k]), to = { 3, { s.dim[0], 1, 1 } };

		if (shape_elements(&ps) == s.dim[0] * s.dim[2])
			to.dim[2] = s.dim[2];
		else if (shape_elements(&ps) != s.dim[0])
			call_fail(c, "a scale or zero point is %s", shape_string(&c->im->scratch, &ps));
		part[k] = emit_reshape(c, emit_cast(c, part[k], DTYPE_F32), &to);
	}
	return emit_transpose(c, emit2(c, OP_mul, emit2(c, OP_sub, w, part[1]), part[0]), perm);
}

/* Weights of bytes; what they are multiplied by stays as exact as it is. */
static bool op_dynamic_lstm(struct call *c)
{
	value_id w = lstm_weights(c, 1, 8), r = lstm_weights(c, 2, 10);

	return !c->failed && onnx_rnn(c, w, r);
}

/* clang-format off */
#define NEW(name, convert) { name, 1, 0, convert, OP_identity }
/* clang-format on */

const struct onnx_op onnx_contrib_ops[] = {
	{ "BiasGelu", 1, 0, op_bias_gelu, OP_gelu },
	{ "FastGelu", 1, 0, op_bias_gelu, OP_gelu_tanh },
	{ "Gelu", 1, 0, op_bias_gelu, OP_gelu },
	{ "QLinearAdd", 1, 0, op_qlinear_binary, OP_add },
	{ "QLinearLeakyRelu", 1, 0, op_qlinear_unary, OP_leaky_relu },
	{ "QLinearMul", 1, 0, op_qlinear_binary, OP_mul },
	{ "QLinearSigmoid", 1, 0, op_qlinear_unary, OP_sigmoid },
	{ "QLinearSoftmax", 1, 0, op_qlinear_unary, OP_softmax },
	{ "SkipLayerNormalization", 1, 0, op_skip_norm, OP_layer_norm },
	{ "SkipSimplifiedLayerNormalization", 1, 0, op_skip_norm, OP_rms_norm },
	NEW("Attention", op_ms_attention),
	NEW("DequantizeLinear", op_dequantize),
	{ "DynamicQuantizeLSTM", 1, 0, op_dynamic_lstm, OP_lstm },
	NEW("DynamicQuantizeMatMul", op_dynamic_matmul),
	NEW("EmbedLayerNormalization", op_embed_norm),
	NEW("FusedConv", op_fused_conv),
	NEW("FusedGemm", op_fused_gemm),
	NEW("FusedMatMul", op_fused_matmul),
	{ "GatherBlockQuantized", 1, 0, op_gather_bits, OP_gather },
	NEW("GroupQueryAttention", op_group_query_attention),
	NEW("MatMulIntegerToFloat", op_matmul_integer_to_float),
	NEW("MatMulNBits", op_matmul_bits),
	NEW("MultiHeadAttention", op_multi_head_attention),
	NEW("QAttention", op_qattention),
	NEW("QGemm", op_qgemm),
	NEW("QLinearAveragePool", op_qlinear_pool),
	NEW("QLinearConcat", op_qlinear_concat),
	NEW("QLinearConv", op_qlinear_conv),
	NEW("QLinearGlobalAveragePool", op_qlinear_global_pool),
	NEW("QuantizeLinear", op_quantize),
	NEW("QuickGelu", op_quick_gelu),
	NEW("RotaryEmbedding", op_ms_rotary),
	NEW("TransposeMatMul", op_fused_matmul), /* what FusedMatMul was called before */
};

const uint32_t onnx_contrib_op_count = sizeof onnx_contrib_ops / sizeof *onnx_contrib_ops;
