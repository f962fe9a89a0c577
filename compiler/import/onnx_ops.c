/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops.c - the operators of the standard domain that are understood.
 *
 * `newest` is the version of the operator (the opset in which it changed last)
 * that its conversion was written for; conversions ask for the file's opset
 * where versions differ. A file of a newer opset is read all the same: most
 * operators do not change. Where one did in a way that is not understood,
 * `changed` says when, and only that operator is refused.
 */
#include "config.h"

#include "import/onnx_ops.h"

/* clang-format off */
#define UNARY(name, newest, op) { name, newest, 0, op_unary, op }
#define BINARY(name, newest, op) { name, newest, 0, op_binary, op }
#define REDUCE(name, newest, op) { name, newest, 0, op_reduce, op }
#define NEW(name, newest, convert) { name, newest, 0, convert, OP_identity }
/* clang-format on */

const struct onnx_op onnx_ops[] = {
	/* each element by itself */
	UNARY("Abs", 13, OP_abs),
	UNARY("Acos", 22, OP_acos),
	UNARY("Acosh", 22, OP_acosh),
	UNARY("Asin", 22, OP_asin),
	UNARY("Asinh", 22, OP_asinh),
	UNARY("Atan", 22, OP_atan),
	UNARY("Atanh", 22, OP_atanh),
	UNARY("Ceil", 13, OP_ceil),
	UNARY("Cos", 22, OP_cos),
	UNARY("Cosh", 22, OP_cosh),
	UNARY("Erf", 13, OP_erf),
	UNARY("Exp", 13, OP_exp),
	UNARY("Floor", 13, OP_floor),
	UNARY("HardSwish", 22, OP_hard_swish),
	UNARY("IsNaN", 20, OP_is_nan),
	UNARY("Log", 13, OP_log),
	UNARY("Mish", 22, OP_mish),
	UNARY("Neg", 13, OP_neg),
	UNARY("Not", 1, OP_logical_not),
	UNARY("Reciprocal", 13, OP_reciprocal),
	UNARY("Relu", 14, OP_relu),
	UNARY("Round", 22, OP_round),
	UNARY("Sigmoid", 13, OP_sigmoid),
	UNARY("Sign", 13, OP_sign),
	UNARY("Sin", 22, OP_sin),
	UNARY("Sinh", 22, OP_sinh),
	UNARY("Softplus", 22, OP_softplus),
	UNARY("Softsign", 22, OP_softsign),
	UNARY("Sqrt", 13, OP_sqrt),
	UNARY("Tan", 22, OP_tan),
	UNARY("Tanh", 13, OP_tanh),
	{ "Celu", 28, 0, op_unary_alpha_1, OP_celu },
	{ "Elu", 22, 0, op_unary_alpha_1, OP_elu },
	{ "LeakyRelu", 16, 0, op_leaky_relu, OP_leaky_relu },
	{ "ThresholdedRelu", 22, 0, op_unary_alpha_1, OP_thresholded_relu },
	NEW("Cast", 28, op_cast),
	NEW("CastLike", 25, op_cast_like),
	NEW("Clip", 13, op_clip),
	NEW("DequantizeLinear", 28, op_dequantize),
	NEW("Dropout", 22, op_dropout),
	NEW("Gelu", 20, op_gelu),
	NEW("HardSigmoid", 22, op_hard_sigmoid),
	NEW("Identity", 25, op_identity),
	NEW("IsInf", 20, op_is_inf),
	NEW("QuantizeLinear", 28, op_quantize),
	NEW("Selu", 22, op_selu),
	NEW("Shrink", 9, op_shrink),
	NEW("SwiGLU", 28, op_swiglu),
	NEW("Swish", 24, op_swish),
	BINARY("Add", 14, OP_add),
	BINARY("And", 7, OP_logical_and),
	BINARY("Div", 14, OP_div),
	BINARY("Equal", 19, OP_equal),
	BINARY("Greater", 13, OP_greater),
	BINARY("GreaterOrEqual", 16, OP_greater_equal),
	BINARY("Less", 13, OP_less),
	BINARY("LessOrEqual", 16, OP_less_equal),
	BINARY("Mul", 14, OP_mul),
	BINARY("Or", 7, OP_logical_or),
	BINARY("PRelu", 16, OP_prelu),
	BINARY("Sub", 14, OP_sub),
	BINARY("Xor", 7, OP_logical_xor),
	NEW("Mod", 28, op_mod),
	NEW("Pow", 15, op_pow),
	NEW("Where", 16, op_where),
	{ "Max", 13, 0, op_variadic, OP_max },
	{ "Mean", 13, 0, op_variadic, OP_add },
	{ "Min", 13, 0, op_variadic, OP_min },
	{ "Sum", 13, 0, op_variadic, OP_add },

	/* moving elements */
	NEW("Compress", 28, op_compress),
	NEW("Concat", 13, op_concat),
	NEW("CumSum", 14, op_cum_sum),
	NEW("DepthToSpace", 28, op_depth_to_space),
	NEW("Expand", 13, op_expand),
	NEW("Flatten", 25, op_flatten),
	{ "Gather", 13, 0, op_gather, OP_gather },
	{ "GatherElements", 13, 0, op_gather, OP_gather_elements },
	NEW("GatherND", 13, op_gather_nd),
	NEW("AffineGrid", 20, op_affine_grid),
	NEW("GridSample", 22, op_grid_sample),
	NEW("OneHot", 28, op_one_hot),
	NEW("Pad", 25, op_pad),
	NEW("Reshape", 25, op_reshape),
	NEW("RoiAlign", 22, op_roi_align),
	NEW("ReverseSequence", 10, op_reverse_sequence),
	NEW("Resize", 19, op_resize),
	{ "Scatter", 9, 11, op_scatter_elements, OP_gather },
	NEW("ScatterElements", 18, op_scatter_elements),
	NEW("ScatterND", 18, op_scatter_nd),
	NEW("Slice", 13, op_slice),
	NEW("SpaceToDepth", 28, op_space_to_depth),
	NEW("Split", 18, op_split),
	NEW("Squeeze", 25, op_squeeze),
	NEW("Tile", 13, op_tile),
	NEW("TensorScatter", 24, op_tensor_scatter),
	NEW("TopK", 24, op_top_k),
	NEW("Transpose", 25, op_transpose),
	NEW("Trilu", 14, op_trilu),
	NEW("Unsqueeze", 25, op_unsqueeze),
	{ "Upsample", 9, 10, op_resize, OP_resize },

	/* lists of tensors */
	NEW("ConcatFromSequence", 11, op_concat_from_sequence),
	NEW("Optional", 15, op_optional),
	NEW("OptionalGetElement", 18, op_identity),
	NEW("OptionalHasElement", 18, op_optional_has),
	NEW("SequenceAt", 11, op_sequence_at),
	NEW("SequenceConstruct", 11, op_sequence_construct),
	NEW("SequenceEmpty", 11, op_sequence_construct),
	NEW("SequenceErase", 11, op_sequence_erase),
	NEW("SequenceInsert", 11, op_sequence_insert),
	NEW("SequenceLength", 11, op_sequence_length),
	NEW("SplitToSequence", 24, op_split_to_sequence),

	/* known at once */
	NEW("Constant", 25, op_constant),
	NEW("ConstantOfShape", 25, op_constant_of_shape),
	NEW("EyeLike", 22, op_eye_like),
	NEW("If", 25, op_if),
	NEW("Loop", 25, op_loop),
	NEW("NonZero", 13, op_non_zero),
	NEW("Range", 27, op_range),
	NEW("Scan", 25, op_scan),
	NEW("Shape", 25, op_shape),
	NEW("Size", 25, op_size),

	/* windows */
	{ "AveragePool", 22, 0, op_pool, OP_avg_pool },
	{ "MaxPool", 22, 0, op_pool, OP_max_pool },
	NEW("Col2Im", 18, op_col2im),
	NEW("MaxUnpool", 22, op_max_unpool),
	{ "GlobalAveragePool", 22, 0, op_global_pool, OP_reduce_mean },
	{ "GlobalMaxPool", 22, 0, op_global_pool, OP_reduce_max },
	NEW("Conv", 22, op_conv),
	NEW("ConvTranspose", 22, op_conv_transpose),
	NEW("DeformConv", 22, op_deform_conv),
	NEW("GlobalLpPool", 22, op_global_lp_pool),
	NEW("LpPool", 22, op_lp_pool),
	NEW("LRN", 13, op_lrn),

	/* along axes */
	{ "ArgMax", 13, 0, op_arg, OP_arg_max },
	{ "ArgMin", 13, 0, op_arg, OP_arg_min },
	REDUCE("ReduceL1", 18, OP_reduce_l1),
	REDUCE("ReduceL2", 18, OP_reduce_l2),
	REDUCE("ReduceLogSum", 28, OP_reduce_log_sum),
	REDUCE("ReduceLogSumExp", 28, OP_reduce_log_sum_exp),
	REDUCE("ReduceMax", 20, OP_reduce_max),
	REDUCE("ReduceMean", 18, OP_reduce_mean),
	REDUCE("ReduceMin", 20, OP_reduce_min),
	REDUCE("ReduceProd", 18, OP_reduce_prod),
	REDUCE("ReduceSum", 13, OP_reduce_sum),
	REDUCE("ReduceSumSquare", 18, OP_reduce_sum_square),
	{ "LogSoftmax", 13, 0, op_softmax, OP_log_softmax },
	{ "Softmax", 13, 0, op_softmax, OP_softmax },
	{ "LayerNormalization", 17, 0, op_layer_norm, OP_layer_norm },
	{ "RMSNormalization", 23, 0, op_layer_norm, OP_rms_norm },
	{ "SimplifiedLayerNormalization", 1, 0, op_layer_norm, OP_rms_norm }, /* before RMSNormalization was there */
	NEW("BatchNormalization", 15, op_batch_norm),
	NEW("GroupNormalization", 21, op_group_norm),
	NEW("Hardmax", 13, op_hardmax),
	NEW("InstanceNormalization", 22, op_instance_norm),
	NEW("LpNormalization", 22, op_lp_norm),
	NEW("MeanVarianceNormalization", 13, op_mean_variance_norm),

	/* products */
	NEW("Attention", 25, op_attention),
	NEW("Einsum", 28, op_einsum),
	NEW("RotaryEmbedding", 23, op_rotary),
	NEW("Gemm", 13, op_gemm),
	NEW("MatMul", 13, op_matmul),

	/* integers of 8 bits */
	NEW("ConvInteger", 10, op_conv_integer),
	NEW("DynamicQuantizeLinear", 11, op_dynamic_quantize),
	NEW("MatMulInteger", 10, op_matmul_integer),
	NEW("QLinearConv", 10, op_qlinear_conv),
	NEW("QLinearMatMul", 21, op_qlinear_matmul),

	/* sound */
	NEW("BlackmanWindow", 17, op_blackman_window),
	NEW("DFT", 20, op_dft),
	NEW("HammingWindow", 17, op_hamming_window),
	NEW("HannWindow", 17, op_hann_window),
	NEW("STFT", 17, op_stft),

	/* recurrences */
	{ "GRU", 22, 0, op_rnn, OP_gru },
	{ "LSTM", 22, 0, op_rnn, OP_lstm },
	NEW("RNN", 22, op_rnn),
};

const uint32_t onnx_op_count = sizeof onnx_ops / sizeof *onnx_ops;
