/* SPDX-License-Identifier: Apache-2.0 */
/*
 * graph.h - the compiler's one intermediate form.
 *
 * A graph is a list of values and a list of nodes. Values are dense row-major
 * tensors with static shapes. Everything refers to everything by id; ids stay
 * valid while passes run, dead nodes are marked and removed by graph_compact().
 * Nodes are kept in an order in which every input comes before its use.
 *
 * Weights are places, never bytes: a constant's data is a recipe (struct data)
 * that can be read when the plan is written.
 */
#ifndef EDGE_IR_GRAPH_H
#define EDGE_IR_GRAPH_H

#include "base/arena.h"
#include "base/diag.h"
#include "base/map.h"
#include "base/strbuf.h"
#include "base/vec.h"

#include <stdbool.h>
#include <stdint.h>

typedef uint32_t value_id;
typedef uint32_t node_id;

enum { NO_ID = UINT32_MAX, MAX_RANK = 8 };

/* Numbers are those of the plan format (edge/plan_format.h checks that). */
enum dtype {
	DTYPE_F32 = 1,
	DTYPE_F16 = 2,
	DTYPE_BF16 = 3,
	DTYPE_F64 = 4,
	DTYPE_I64 = 5,
	DTYPE_I32 = 6,
	DTYPE_I16 = 7,
	DTYPE_I8 = 8,
	DTYPE_U8 = 9,
	DTYPE_BOOL = 10, /* one byte, 0 or 1 */
	/* Blocks of few bits: dtypes of a constant's source only, never of a value (ir/block.h). */
	DTYPE_Q8_0, DTYPE_Q4_0, DTYPE_Q4_1, DTYPE_Q5_0, DTYPE_Q5_1, DTYPE_Q4_K, DTYPE_Q5_K, DTYPE_Q6_K, DTYPE_IQ4_NL,
	DTYPE_GROUPED, /* thirty of our own: block_grouped() */
	DTYPE_WIDE = DTYPE_GROUPED + 30, /* twelve more: block_wide() */
	DTYPE_COUNT = DTYPE_WIDE + 12
};

size_t dtype_size(enum dtype t); /* 0: of a block format, whose elements have no bytes of their own */
const char *dtype_name(enum dtype t); /* "f32" */
bool dtype_from_name(const char *name, enum dtype *out);        /* what a value may have */
bool dtype_from_stored_name(const char *name, enum dtype *out); /* block formats too */
bool dtype_is_float(enum dtype t);
float half_to_float(uint16_t h);
uint16_t float_to_half(float f); /* round to nearest even */

struct shape {
	uint32_t rank;
	int64_t dim[MAX_RANK]; /* >= 0 */
};

/* -1 on overflow of 2^62. */
int64_t shape_elements(const struct shape *s);
bool shape_equal(const struct shape *a, const struct shape *b);
/* "[1,3,224,224]", in the arena. */
const char *shape_string(struct arena *a, const struct shape *s);
/* NumPy broadcasting; false when the two do not go together. */
bool shape_broadcast(const struct shape *a, const struct shape *b, struct shape *out);

/*
 * Where a constant's elements come from. `source` order is dense row-major of
 * source_shape in source_dtype; the steps then give the value's own elements:
 * first permute (when perm_set), then, per element, times scale[i] where i is
 * the index along scale_axis of the *value's* shape (when scale is set).
 * A reshape needs no step. The value's dtype may differ from source_dtype.
 */
enum data_where {
	DATA_MEMORY, /* bytes: in the graph's arena or a mapping that outlives it */
	DATA_FILE,   /* offset and size in a file of the graph's file table */
	DATA_RANDOM  /* element i = mean + deviation * normal(seed, i) */
};

/* Rows of codes whose scales lie apart, as a file has them; the rows that they stand for are of a grouped format. */
struct packed_rows {
	uint32_t bits;	     /* of a code: 2, 4, 8; the lowest bits of a byte come first */
	uint32_t more;	     /* added to each */
	uint64_t rows, row_bytes; /* of codes */
	uint64_t head_bytes; /* of a row's scales and minima */
	const uint8_t *heads; /* of all rows */
	uint32_t rows_in_groups; /* products want what they multiply with in bytes, so many with a scale; 0: as floats */
};

struct data {
	enum data_where where;
	enum dtype source_dtype;
	struct shape source_shape;
	const void *bytes;     /* DATA_MEMORY */
	uint32_t file;         /* DATA_FILE: index into graph->files */
	uint64_t offset, size; /* DATA_FILE */
	uint64_t seed;         /* DATA_RANDOM */
	double mean, deviation;
	bool perm_set;
	uint8_t perm[MAX_RANK];
	const float *scale; /* NULL: none */
	const struct packed_rows *packed; /* what lies at the place; NULL: rows of source_dtype */
	uint32_t scale_axis;
};

enum value_kind { VALUE_INPUT, VALUE_CONST, VALUE_NODE };

struct value {
	enum value_kind kind;
	enum dtype dtype;
	struct shape shape;
	const char *name;  /* from the source, or NULL */
	node_id producer;  /* VALUE_NODE */
	struct data *data; /* VALUE_CONST */
	struct span span;
};

enum op {
#define OP(name, class, min_in, max_in, outs, attrs) OP_##name,
#include "ir/ops.def"
#undef OP
	OP_COUNT
};

enum op_class { OP_UNARY, OP_BINARY, OP_TERNARY, OP_VIEW, OP_HEAVY, OP_REDUCE, OP_OTHER };

enum attr_key {
	ATTR_alpha, ATTR_beta, ATTR_gamma, ATTR_min, ATTR_max, ATTR_dtype, ATTR_shape, ATTR_perm,
	ATTR_starts, ATTR_steps, ATTR_repeats, ATTR_axis, ATTR_axes, ATTR_keepdims, ATTR_pads,
	ATTR_mode, ATTR_value, ATTR_coordinates, ATTR_rounding, ATTR_scales, ATTR_cubic_a,
	ATTR_exclude_outside, ATTR_roi, ATTR_antialias, ATTR_trans_a, ATTR_trans_b, ATTR_strides,
	ATTR_dilations, ATTR_group, ATTR_output_padding, ATTR_scale, ATTR_causal, ATTR_hidden,
	ATTR_direction, ATTR_activations, ATTR_alphas, ATTR_betas, ATTR_clip, ATTR_input_forget,
	ATTR_layout, ATTR_linear_before_reset, ATTR_kernel, ATTR_count_include_pad,
	ATTR_select_last, ATTR_eps, ATTR_heads, ATTR_kv_heads, ATTR_context, ATTR_cache, ATTR_layer,
	ATTR_window, ATTR_softcap,
	ATTR_COUNT
};

enum pad_mode { PAD_CONSTANT, PAD_REFLECT, PAD_EDGE, PAD_WRAP };
enum scatter_mode { SCATTER_SET, SCATTER_ADD, SCATTER_MUL, SCATTER_MIN, SCATTER_MAX };
enum resize_mode { RESIZE_NEAREST, RESIZE_LINEAR, RESIZE_CUBIC };
enum resize_coordinates {
	COORD_HALF_PIXEL, COORD_HALF_PIXEL_SYMMETRIC, COORD_PYTORCH_HALF_PIXEL,
	COORD_ALIGN_CORNERS, COORD_ASYMMETRIC, COORD_TF_HALF_PIXEL_FOR_NN, COORD_TF_CROP_AND_RESIZE
};
enum resize_rounding { ROUND_PREFER_FLOOR, ROUND_PREFER_CEIL, ROUND_FLOOR, ROUND_CEIL };
enum rnn_direction { RNN_FORWARD, RNN_REVERSE, RNN_BIDIRECTIONAL };
/*
 * lstm and gru: `activations` lists these, 3 (lstm: f g h) or 2 (gru: f g) per
 * direction; absent: the usual ones. `alphas` and `betas`, where present, have
 * one entry per activation, whether it uses it or not.
 */
enum rnn_activation {
	RNN_SIGMOID, RNN_TANH, RNN_RELU, RNN_LEAKY_RELU /* alpha */, RNN_THRESHOLDED_RELU /* alpha */,
	RNN_SCALED_TANH /* alpha tanh(beta x) */, RNN_HARD_SIGMOID /* alpha, beta */, RNN_ELU /* alpha */,
	RNN_SOFTSIGN, RNN_SOFTPLUS, RNN_AFFINE /* alpha x + beta */
};

/* How the two parts of a rotated pair lie: side by side, or half a head apart. */
enum rope_mode { ROPE_ADJACENT, ROPE_HALVES };

enum attr_kind { ATTR_INT, ATTR_FLOAT, ATTR_INTS, ATTR_FLOATS };

struct attr {
	enum attr_key key;
	enum attr_kind kind;
	uint32_t count; /* lists */
	int64_t i;
	double f;
	const int64_t *ints;
	const double *floats;
};

/*
 * Epilogue: a straight-line program of elementwise operations applied to each
 * element that the node's own operation produces, before it is stored.
 * Register 0 is the operation's result (for OP_map there is none and register
 * 0 must not be read); instruction i writes register i + 1; the last register
 * is stored. Operand: register r, or node input k (k counts from
 * node->epilogue_first_input), read at the output's index with broadcasting or
 * through the input's view.
 */
struct epilogue_operand {
	bool is_input;
	uint32_t index;
};

struct epilogue_step {
	enum op op; /* UNARY, BINARY or TERNARY */
	enum dtype dtype; /* of the result */
	struct epilogue_operand in[3];
	const struct attr *attr;
	uint32_t attr_count;
};

/* How an input is read at output index o[]: element offset + sum o[i] * stride[i]. */
struct view {
	int64_t offset;
	int64_t stride[MAX_RANK];
};

struct node {
	enum op op;
	bool dead;
	const char *name; /* from the source, or NULL */
	value_id *in;     /* NO_ID: an optional input left out */
	uint32_t in_count;
	value_id *out;
	uint32_t out_count;
	struct attr *attr;
	uint32_t attr_count;
	struct span span;

	/* filled by pass/fuse.c; in[epilogue_first_input..] are its inputs */
	struct epilogue_step *epilogue;
	uint32_t epilogue_count;
	uint32_t epilogue_first_input;
	/* one per epilogue input, or NULL where it is plain broadcasting */
	struct view **view;
};

struct weight_file {
	const char *path; /* as it must be opened */
	uint64_t size;
};

struct graph {
	struct arena *arena;
	const char *name;
	VEC(struct value) values;
	VEC(struct node) nodes;
	VEC(value_id) inputs;
	VEC(value_id) outputs;
	VEC(const char *) output_names; /* parallel to outputs */
	VEC(struct weight_file) files;
	/* how operands of dense arithmetic are stored: f32, f16, bf16; 0: as their source has them */
	enum dtype weight_storage;
	/*
	 * A language model: its values' first dim counts tokens of one sweep, and graphs that differ in
	 * that number alone become variants of one program. So nothing in code generation may depend on
	 * it but the choice of kernels, and tables of embeddings are always looked up.
	 */
	bool language;
	/* All weights of a language model are in memory: a table that is a matrix of a product, too, is read there. */
	bool tables_in_memory;
	/* Elementwise chains behind products and convolutions stay by themselves: launches that can carry weights. */
	bool separate_tails;
};

/* building */
struct graph *graph_new(struct arena *a, const char *name);
value_id graph_add_value(struct graph *g, struct value v);
value_id graph_add_input(struct graph *g, const char *name, enum dtype t, struct shape s);
value_id graph_add_const(struct graph *g, const char *name, enum dtype t, struct shape s, struct data d);
/* Copies the bytes (dense, of dtype t). */
value_id graph_add_const_bytes(struct graph *g, enum dtype t, struct shape s, const void *bytes);
value_id graph_add_scalar_f32(struct graph *g, float x); /* rank 0 */
/*
 * Adds a node with its output values, whose dtype and shape are inferred.
 * Where the inputs do not go together: says so at span (d NULL: silently), returns NO_ID.
 * attrs are copied and made canonical: negative axes are counted from the end, axes are
 * sorted, absent attributes that have a default (ops.def) are added, so that later stages
 * always find them. The outputs are graph->nodes.data[id].out[].
 */
node_id graph_add_node(struct graph *g, struct diag *d, enum op op, const value_id *in, uint32_t in_count,
		       const struct attr *attr, uint32_t attr_count, struct span span, const char *name);
/* The single output of graph_add_node, or NO_ID. */
value_id graph_op(struct graph *g, struct diag *d, enum op op, const value_id *in, uint32_t in_count,
		  const struct attr *attr, uint32_t attr_count, struct span span, const char *name);
void graph_add_output(struct graph *g, value_id v, const char *name);
uint32_t graph_add_file(struct graph *g, const char *path, uint64_t size); /* same path: same index */

/* Rows as codes (OP_quantize_rows): bytes of a row of k elements. */
enum { ROWS_PART = 32, ROWS_PART_BYTES = 48 };
int64_t rows_bytes(int64_t k);

/*
 * An image as codes (OP_quantize_image): x = scale (code - zero). In front are least and greatest numbers of parts of the
 * image, 16 f32 each, then f32 scale and zero; the codes, channels last, follow at IMAGE_HEADER. The frame's codes are zero's.
 */
enum { IMAGE_PARTS = 16, IMAGE_SCALE = 128, IMAGE_HEADER = 192, IMAGE_ALIGN = 64 };
/* Bytes of one image of shape[N, s.., C] with `pads` around it; below 0: too many. */
int64_t image_bytes(const struct shape *s, const int64_t *pads);

/* making attributes: ints and floats are copied by graph_add_node */
#define attr_int(k, x) ((struct attr){ .key = ATTR_##k, .kind = ATTR_INT, .i = (x) })
#define attr_float(k, x) ((struct attr){ .key = ATTR_##k, .kind = ATTR_FLOAT, .f = (x) })
#define attr_ints(k, p, n) ((struct attr){ .key = ATTR_##k, .kind = ATTR_INTS, .ints = (p), .count = (n) })
#define attr_floats(k, p, n) ((struct attr){ .key = ATTR_##k, .kind = ATTR_FLOATS, .floats = (p), .count = (n) })

/* reading */
struct op_info {
	const char *name;
	enum op_class class;
	int min_in, max_in, outs; /* max_in -1: any number */
	uint64_t attrs;           /* bit k: ATTR key k is allowed */
};
const struct op_info *op_info(enum op op);
const char *op_name(enum op op);
bool op_from_name(const char *name, enum op *out);
enum op_class op_class(enum op op);
bool op_is_elementwise(enum op op);
const char *attr_key_name(enum attr_key k);
bool attr_key_from_name(const char *name, enum attr_key *out);
const struct attr *node_attr(const struct node *n, enum attr_key k); /* NULL: absent */
int64_t node_int(const struct node *n, enum attr_key k, int64_t absent);
double node_float(const struct node *n, enum attr_key k, double absent);
const int64_t *node_ints(const struct node *n, enum attr_key k, uint32_t *count); /* NULL: absent */
void node_set_attr(struct graph *g, struct node *n, struct attr a); /* adds or replaces */
static inline struct value *graph_value(const struct graph *g, value_id v) { return &g->values.data[v]; }
static inline struct node *graph_node(const struct graph *g, node_id n) { return &g->nodes.data[n]; }

/* changing */
void graph_replace_uses(struct graph *g, value_id from, value_id to); /* in nodes and outputs */
void graph_kill(struct graph *g, node_id n);
/* Removes dead nodes, sorts topologically (stable). Node ids change, value ids do not. */
void graph_compact(struct graph *g);
/* uses[v] = number of node inputs and graph outputs that read v; array of values.len. */
uint32_t *graph_count_uses(const struct graph *g, struct arena *a);

/* The inputs of the operation itself, without those of its epilogue. */
static inline uint32_t node_own_inputs(const struct node *n)
{
	return n->epilogue_count ? n->epilogue_first_input : n->in_count;
}

/*
 * ir/shape.c: output dtypes and shapes of a node whose ops/inputs/attrs are set; false: said why.
 * d may be NULL: then nothing is said.
 */
bool infer_node(const struct graph *g, const struct node *n, enum dtype *dtype, struct shape *shape, struct diag *d);

/* ir/canonical.c: resolved axes, sorted lists, defaults written out; part of graph_add_node. */
void node_canonical(struct graph *g, struct node *n);

/* The type that an elementwise operation gives for operands of these types; DTYPE_COUNT: none. */
enum dtype elementwise_dtype(enum op op, const enum dtype *in, uint32_t count, int64_t cast_to);

/* ir/lookup.c: rows of a large constant, chosen by indices that only a run knows */
bool node_is_lookup(const struct graph *g, const struct node *n);
/* A gather of rows of a matrix that a product reads as its weights, row by row an output. */
bool node_shares_table(const struct graph *g, const struct node *n);

/* ir/print.c, ir/read.c: the text form; reading back gives an equal graph. */
void graph_print(const struct graph *g, struct strbuf *out);
struct graph *graph_read(struct arena *a, struct diag *d, uint32_t file); /* NULL: said why */

/* ir/verify.c: true when every invariant holds; else says which (a bug, not a user's error). */
bool graph_verify(const struct graph *g, struct diag *d);

/*
 * ir/data.c: the elements of a constant, converted to f32 (floats) or to its
 * own dtype. `out` holds shape_elements * dtype_size bytes (4 for f32).
 * False with a message when the file could not be read.
 */
bool data_read_f32(const struct graph *g, value_id v, float *out, struct diag *d);
bool data_read(const struct graph *g, value_id v, void *out, struct diag *d);
bool data_read_stored(const struct graph *g, value_id v, void *out, struct diag *d); /* in its source's type */
/* Elements [first, first + count) as f32; only where data_in_order(). Costs memory for these alone. */
bool data_read_range(const struct graph *g, value_id v, uint64_t first, uint64_t count, float *out, struct diag *d);
bool data_in_order(const struct graph *g, value_id v); /* the recipe does not permute */
/* NULL unless the constant is in memory (no perm or scale) and of its own dtype. */
const void *data_bytes(const struct graph *g, value_id v);
/* Rows of the source as it has them (block_row_bytes() each); not of random numbers. */
bool data_read_rows(const struct graph *g, value_id v, uint64_t row, uint64_t rows, void *out, struct diag *d);

#endif
