/* SPDX-License-Identifier: Apache-2.0 */
/* onnx_ops.h - the conversions that the table in onnx_ops.c names; each true unless it said an
 * error. */
#ifndef EDGE_ONNX_OPS_H
#define EDGE_ONNX_OPS_H

#include "import/onnx_import.h"

/* onnx_ops_elementwise.c */
bool op_unary(struct call *c);
bool op_leaky_relu(struct call *c);
bool op_unary_alpha_1(struct call *c);
bool op_hard_sigmoid(struct call *c);
bool op_selu(struct call *c);
bool op_gelu(struct call *c);
bool op_swish(struct call *c);
bool op_swiglu(struct call *c);
bool op_shrink(struct call *c);
bool op_is_inf(struct call *c);
bool op_binary(struct call *c);
bool op_pow(struct call *c);
bool op_mod(struct call *c);
bool op_where(struct call *c);
bool op_variadic(struct call *c);
bool op_clip(struct call *c);
bool op_cast(struct call *c);
bool op_cast_like(struct call *c);
bool op_identity(struct call *c);
bool op_dropout(struct call *c);
bool op_dequantize(struct call *c);
bool op_quantize(struct call *c);

/* onnx_ops_bits.c */
bool op_matmul_bits(struct call *c);
bool op_gather_bits(struct call *c);

/* onnx_ops_shape.c */
bool op_reshape(struct call *c);
bool op_flatten(struct call *c);
bool op_squeeze(struct call *c);
bool op_unsqueeze(struct call *c);
bool op_transpose(struct call *c);
bool op_expand(struct call *c);
bool op_tile(struct call *c);
bool op_concat(struct call *c);
bool op_split(struct call *c);
bool op_slice(struct call *c);
bool op_gather(struct call *c);
bool op_gather_nd(struct call *c);
bool op_depth_to_space(struct call *c);
bool op_space_to_depth(struct call *c);
bool op_trilu(struct call *c);
bool op_cum_sum(struct call *c);
bool op_one_hot(struct call *c);

/* tuples of k indices along the last axis as one index into k axes of these sizes */
value_id onnx_flat_index(struct call *c, value_id index, const int64_t *dims, uint32_t k);

/* onnx_ops_known.c */
bool op_constant(struct call *c);
bool op_constant_of_shape(struct call *c);
bool op_shape(struct call *c);
bool op_size(struct call *c);
bool op_range(struct call *c);
bool op_non_zero(struct call *c);
bool op_eye_like(struct call *c);

/* onnx_body.c */
bool op_if(struct call *c);
bool op_loop(struct call *c);
bool op_scan(struct call *c);

/* onnx_ops_image.c */
bool op_conv(struct call *c);
bool op_conv_transpose(struct call *c);
bool op_pool(struct call *c);
bool op_global_pool(struct call *c);
bool op_lp_pool(struct call *c);
bool op_global_lp_pool(struct call *c);
bool op_lrn(struct call *c);
bool op_pad(struct call *c);

enum { ONNX_MAX_SPATIAL = 3 };

/* Windows over the spatial axes of an image: all that kernel_shape, strides and so on say. */
struct onnx_window {
	uint32_t spatial;
	int64_t in[ONNX_MAX_SPATIAL], out[ONNX_MAX_SPATIAL], kernel[ONNX_MAX_SPATIAL], strides[ONNX_MAX_SPATIAL],
		dilations[ONNX_MAX_SPATIAL], pads[2 * ONNX_MAX_SPATIAL];
};

/* channels-first, with the attributes of the node; bias: NO_ID for none */
value_id onnx_pool(struct call *c, enum op op, value_id x);
value_id onnx_conv(struct call *c, value_id x, value_id weights, value_id bias);

/* onnx_ops_unfold.c */
bool onnx_is_computed(const struct call *c, value_id v); /* from an input of the model */
value_id onnx_unfolded_conv(struct call *c, value_id x, value_id w, value_id bias, const struct onnx_window *p,
			    int64_t group);

/* Along axis `at`, all elements of the first of `out` windows, then those of the second, and so on. */
value_id onnx_windows(struct call *c, value_id x, uint32_t at, int64_t out, int64_t kernel, int64_t stride,
		      int64_t dilation);

value_id onnx_pool_indices(struct call *c, value_id x, const struct onnx_window *p);
bool op_max_unpool(struct call *c);
bool op_col2im(struct call *c);

/* onnx_ops_signal.c */
bool op_dft(struct call *c);
bool op_stft(struct call *c);
bool op_hann_window(struct call *c);
bool op_hamming_window(struct call *c);
bool op_blackman_window(struct call *c);

/* onnx_ops_sample.c */
bool op_grid_sample(struct call *c);
bool op_affine_grid(struct call *c);

/* onnx_ops_quantized.c */
bool op_qlinear_conv(struct call *c);
bool op_qlinear_matmul(struct call *c);
bool op_matmul_integer(struct call *c);
bool op_conv_integer(struct call *c);
bool op_dynamic_quantize(struct call *c);
bool op_qgemm(struct call *c); /* of com.microsoft */

/*
 * (x - zero) * step as f32, each one number or, where axis is that of x, one for each of its
 * indices; NO_ID: none. And back, to the type of zero.
 */
value_id onnx_dequantized(struct call *c, value_id x, value_id step, value_id zero, uint32_t axis);
/* the same of weights that are known, at once; NO_ID: they are not, or are few */
value_id onnx_known_dequantized(struct call *c, value_id x, value_id step, value_id zero, uint32_t axis);
value_id onnx_quantized(struct call *c, value_id x, value_id step, value_id zero);
/* A number for all, or one for each index of an axis of something of that rank. */
value_id onnx_spread(struct call *c, value_id v, uint32_t rank, uint32_t axis);

/* onnx_ops_steps.c */
void onnx_keep_steps(struct call *c, struct onnx_steps s);
/* Conv, MatMul, Gemm of such values; NO_ID: they are others. */
value_id onnx_steps_conv(struct call *c);
value_id onnx_steps_matmul(struct call *c);
value_id onnx_steps_gemm(struct call *c);
value_id onnx_steps_relu(struct call *c, value_id x, value_id y);
/* x / step, by way of its own step if it has one and `step` is one number */
value_id onnx_divided(struct call *c, value_id x, value_id step);
/* x as uint8 by its own range */
value_id onnx_dynamic(struct call *c, value_id x, value_id *scale_out, value_id *zero_out);

/* onnx_ops_resize.c */
bool op_resize(struct call *c);

/* onnx_ops_norm.c */
bool op_reduce(struct call *c);
bool op_arg(struct call *c);
bool op_softmax(struct call *c);
value_id onnx_softmax(struct call *c, value_id x, int64_t opset);
bool op_batch_norm(struct call *c);
bool op_instance_norm(struct call *c);
bool op_group_norm(struct call *c);
bool op_layer_norm(struct call *c);
bool op_lp_norm(struct call *c);
bool op_mean_variance_norm(struct call *c);
bool op_hardmax(struct call *c);

/* onnx_ops_matrix.c */
bool op_matmul(struct call *c);
bool op_gemm(struct call *c);
value_id onnx_matmul(struct call *c, value_id a, value_id b);
/* alpha a b + bias (NO_ID: none), each turned as the node says; and with the node's own inputs */
value_id onnx_gemm(struct call *c, value_id a, value_id b, value_id bias, double alpha);
value_id onnx_gemm_of_floats(struct call *c);
bool op_rnn(struct call *c);
bool onnx_rnn(struct call *c, value_id w, value_id r);

/* onnx_ops_attention.c */
bool op_attention(struct call *c);

/* [batch, heads, length, size] each, fewer heads in k and v where several queries share one. */
struct attend {
	value_id q, k, v, mask;	   /* mask: added, or of bool; NO_ID: none */
	double scale;		   /* 0: the usual one */
	double cap;		   /* of scores by tanh; 0: none */
	bool causal;
	int64_t past;		   /* keys before that of query 0 */
	int64_t left, right;	   /* how far a query sees; -1: all the way */
	value_id *shown;	   /* NULL, or where the scores are wanted: as they are (mode 0), bounded (1), */
	int64_t shown_mode;	   /* masked (2), after softmax (3) */
};

value_id onnx_attend(struct call *c, const struct attend *a);
value_id onnx_split_heads(struct call *c, value_id x, int64_t heads); /* [b,l,h*s] to [b,h,l,s]; what has four axes stays */
value_id onnx_join_heads(struct call *c, value_id x);		      /* and back */
/* x behind input `past`, if there is one; output `present` is the whole. */
value_id onnx_with_past(struct call *c, value_id x, uint32_t past, uint32_t present);

/* onnx_ops_sample.c: reading at places between pixels */
enum { ONNX_MOST_TAPS = 4 };
enum onnx_border { BORDER_ZEROS, BORDER_EDGE, BORDER_REFLECTION };

/* The neighbours of a place along one axis: index (i64) and weight, both of the places' shape. */
struct onnx_taps {
	uint32_t count;
	value_id index[ONNX_MOST_TAPS], weight[ONNX_MOST_TAPS]; /* weight NO_ID: 1 */
};

/* mode: 'n'earest, 'l'inear, 'c'ubic; corners: where a reflection has its mirrors. */
void onnx_find_taps(struct call *c, struct onnx_taps *t, value_id at, int64_t size, char mode, enum onnx_border border, bool corners);
/* The sum over all neighbours of rows[first + place][..] times weight; first: i64, broadcast to the places. */
value_id onnx_sum_taps(struct call *c, value_id rows, value_id first, const int64_t *size, const struct onnx_taps *t, uint32_t axes);
value_id onnx_steps(struct call *c, int64_t n, int64_t step, uint32_t rank); /* 0, step, 2 step .. as [n,1,1..] of that rank */

/* onnx_ops_regions.c */
bool op_deform_conv(struct call *c);
bool op_roi_align(struct call *c);

/* onnx_ops_cache.c: `from` (one number, or one for each batch) is the place of the first of `now` new rows */
value_id onnx_cache_places(struct call *c, value_id from, int64_t now); /* i64[batch or 1, now] */
value_id onnx_cache_write(struct call *c, value_id cache, value_id x, value_id from, uint32_t axis, bool circular);
/* bool[batch or 1, 1, now, keys]: keys up to each place, `left` before it at most (-1: all) */
value_id onnx_cache_seen(struct call *c, value_id from, int64_t now, int64_t keys, int64_t left);
value_id onnx_keys_below(struct call *c, value_id count, int64_t keys); /* bool[batch or 1, 1, 1, keys] */
bool op_tensor_scatter(struct call *c);

/* onnx_ops_einsum.c */
bool op_einsum(struct call *c);

/* onnx_ops_rotary.c */
bool op_rotary(struct call *c);

/* Pairs of each head's first `turned` numbers (0: of all) by the angles of their positions. */
struct turning {
	value_id cosine, sine;	/* [positions, pairs]; without positions [batch, length, pairs] */
	value_id positions;	/* [length], [batch, length] or NO_ID */
	int64_t heads, turned;
	bool interleaved;
};

/* x: [batch, heads, length, size] or [batch, length, heads * size] */
value_id onnx_turned(struct call *c, value_id x, const struct turning *t);

/* onnx_ops_contrib_attention.c */
bool op_ms_attention(struct call *c);
bool op_multi_head_attention(struct call *c);
bool op_qattention(struct call *c);
bool op_group_query_attention(struct call *c);
bool op_ms_rotary(struct call *c);

/* onnx_ops_scatter.c */
bool op_scatter_nd(struct call *c);
bool op_scatter_elements(struct call *c);
bool op_compress(struct call *c);

/* onnx_ops_ml.c */
value_id onnx_ml_transformed(struct call *c, value_id scores); /* as post_transform says */
bool onnx_ml_labels(struct call *c, const int64_t *labels, uint32_t n, value_id at);

/* onnx_ops_tree.c */
bool op_tree_classifier(struct call *c);
bool op_tree_regressor(struct call *c);

/* onnx_ops_sequence.c */
bool op_sequence_construct(struct call *c);
bool op_sequence_insert(struct call *c);
bool op_sequence_erase(struct call *c);
bool op_sequence_at(struct call *c);
bool op_sequence_length(struct call *c);
bool op_concat_from_sequence(struct call *c);
bool op_split_to_sequence(struct call *c);
bool op_optional(struct call *c);
bool op_optional_has(struct call *c);

/* onnx_ops_order.c */
bool op_top_k(struct call *c);
bool op_reverse_sequence(struct call *c);

#endif
