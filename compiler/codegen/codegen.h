/* SPDX-License-Identifier: Apache-2.0 */
/*
 * codegen.h - inside the code generator: how a select function makes launches.
 *
 * A select function turns one node into launches. For each launch it names a
 * template (a file of kernels/), defines the template's constants, lets the
 * node's epilogue be rendered, and lists the arguments in the order of the
 * kernel's parameters:
 *
 *	struct build b;
 *
 *	build_begin(&b, c, id, "softmax");        kernels/softmax.cl
 *	build_define(&b, "VECTOR", 1);            #define VECTOR 1
 *	build_epilogue(&b, DTYPE_F32);            EDGE_OUT, EDGE_STORE...: see kernels/prelude.clh;
 *	                                          false: an error was said
 *	build_value(&b, n->in[0]);                __global const float *x
 *	build_i32(&b, rows);                      int rows
 *	build_out(&b);                            EDGE_OUT
 *	build_flops(&b, 5 * elements);
 *	build_launch(&b, rows, 1, 1);             (EDGE_WI has no argument)
 *
 * Equal specialisations become one kernel, so pass as an int argument what
 * gains nothing by being a constant: every distinct kernel costs the device's
 * compiler about 0.1 s.
 */
#ifndef EDGE_CODEGEN_H
#define EDGE_CODEGEN_H

#include "codegen/kernel_set.h"

/* Element l of a value is element l / part * stride + at + l % part of what it is a part of. */
struct place {
	int64_t at, part, stride; /* part 0: it is by itself; part == stride: one piece */
};

/* Rows of a product's input 0: element k of row r is of[offset + r * stride + k * step]. */
struct rows_at {
	value_id of;
	int64_t offset, stride, step; /* step 0: they are dense */
};

struct heads;

struct codegen {
	struct arena *arena;
	const struct graph *g;
	const struct target *t;
	struct diag *d;
	struct kernel_set *ks;
	struct map kernel_map; /* rendered text -> kernel */
	struct map weight_map; /* packing in words -> weight */
	node_id *last_use;     /* of a value or of any alias of it; NO_ID: lives to the end */
	struct place *place;	 /* of a value in its root; strided only where the kernel writes rows */
	struct rows_at *rows_at; /* of a node's input 0 */
	value_id *planes_at;	 /* of a node: its input 0 with channels before pixels, which it reads instead; NO_ID */
	struct heads **heads;	 /* of each attention, and of each product of two activations */
	bool *unmade;		 /* values that nobody needs made */
	uint32_t zeros;        /* index of the weight that codegen_zeros() gives; NO_ID: none yet */
};

/* False: an error was said. */
typedef bool (*select_fn)(struct codegen *c, node_id id);

/* ---- one launch under construction ---- */

struct build {
	struct codegen *c;
	node_id id;
	const struct node *n; /* node id; or what select_map puts in its place */
	const char *template;
	struct strbuf defines; /* "#define A 1\n..." */
	struct strbuf epilogue;
	const char *what;
	VEC(struct kernel_arg) args;
	VEC(struct kernel_arg) out_args; /* of EDGE_OUT */
	int split_dim;
	uint64_t flops;
	enum target_load load;
	bool in_place; /* let the output take the place of a dying epilogue operand: see build_epilogue() */
	value_id in_place_of;
};

void build_begin(struct build *b, struct codegen *c, node_id id, const char *template);
void build_define(struct build *b, const char *name, int64_t value);
void build_define_text(struct build *b, const char *name, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * Renders the node's epilogue. `result` is the type that the kernel passes to
 * EDGE_STORE (the type of the operation before the epilogue).
 *
 * In place: the output may share memory with an operand of the epilogue that
 * has its shape and type and dies here, because EDGE_STORE reads an element of
 * it only just before it writes the same element. Set b->in_place = false
 * beforehand where the kernel reads that same value in another way or stores
 * an element more than once.
 */
bool build_epilogue(struct build *b, enum dtype result); /* false: said why */
void build_out(struct build *b); /* the arguments of EDGE_OUT */

/* Arguments. A constant becomes a PACK_DENSE weight; NO_ID passes the output's buffer (never read). */
void build_value(struct build *b, value_id v);
void build_value_f32(struct build *b, value_id v); /* a constant is stored as f32 whatever it was */
void build_weight(struct build *b, uint32_t weight, bool split);
void build_define_weight(struct build *b, uint32_t weight); /* EDGE_WEIGHT: how it is stored */
void build_i32(struct build *b, int64_t i);
void build_f32(struct build *b, double f);
void build_scratch(struct build *b, uint64_t bytes);
void build_texel(struct build *b); /* int texel: where the weight just given lies in its image */
/* Memory that outlives the run, e.g. a cache: the same for all launches that name it alike. */
void build_state(struct build *b, const char *name, uint64_t bytes);
void build_first_granule(struct build *b); /* int first: of a launch with split_dim set */
void build_what(struct build *b, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void build_flops(struct build *b, uint64_t flops);
void build_load(struct build *b, enum target_load load); /* its template has EDGE_LOADS */

/* Adds the kernel (or finds it) and the launch. local size is 1. */
bool build_launch(struct build *b, int64_t gx, int64_t gy, int64_t gz);
/* With a work-group size; global sizes are rounded up to multiples of it. */
bool build_launch_local(struct build *b, int64_t gx, int64_t gy, int64_t gz, uint32_t lx, uint32_t ly, uint32_t lz);

/* ---- weights ---- */

bool codegen_is_gpu(const struct codegen *c);
bool codegen_textures(const struct codegen *c); /* weights of dense arithmetic are images */

/* Index in ks->weights; equal (value, packing) pairs give the same index. */
uint32_t codegen_weight(struct codegen *c, value_id v, struct packing p);
/* How an operand of dense arithmetic is stored: f32, f16 or bf16. */
enum dtype codegen_storage(const struct codegen *c, value_id v);
uint32_t codegen_dense(struct codegen *c, value_id v);  /* in its own dtype */
/* At least `bytes` zero bytes; v: any constant of the node, for the record. */
uint32_t codegen_zeros(struct codegen *c, value_id v, uint64_t bytes);
/* A table that the compiler has worked out; v: an output of the node, for its name. Copied. */
uint32_t codegen_table(struct codegen *c, value_id v, const void *bytes, uint64_t size);
/* PACK_RECURRENT, f32, width 16: v[D][parts * hidden][K..]. pack_recurrent() writes it. */
uint32_t codegen_recurrent(struct codegen *c, value_id v, uint32_t parts);
bool pack_recurrent(const struct graph *g, const struct weight *w, void *out, struct diag *d);

/* ---- pack_quant.c, select_quant.c: weights in few bits (ir/block.h) ---- */

/*
 * Whether the constant's source has rows that are outputs (dim `out`), with the
 * inputs (dim `in`) innermost and then the other dims from the last to the first.
 */
bool codegen_quant(const struct codegen *c, value_id v, uint32_t out, uint32_t in);
uint32_t codegen_quant_width(int64_t outputs); /* of a panel: 16 or 32 */
int64_t codegen_quant_tiles(const struct codegen *c, int64_t tiles, int64_t panels); /* of a work-item, of so many in all */
uint32_t codegen_quant_weight(struct codegen *c, value_id v, uint32_t width, uint32_t groups);
void describe_quant(const struct graph *g, struct weight *w); /* sets the sizes */
uint64_t quant_row_bytes(enum dtype t, int64_t k);
void build_define_quant(struct build *b, uint32_t weight);
void build_define_format(struct build *b, enum dtype t, uint32_t width);
bool pack_quant(const struct graph *g, const struct weight *w, uint32_t first, uint32_t granules, void *out,
		struct diag *d);
struct rows_by_panels;
bool select_rows_by_quant(struct codegen *c, node_id id, const struct rows_by_panels *p, value_id weights);
bool select_gather_quant(struct codegen *c, node_id id, const char *index);
/* Rows of a matrix that lies in panels for a product. */
bool select_gather_panels(struct codegen *c, node_id id, const char *index);

/* ---- helpers ---- */

static inline bool value_is_const(const struct codegen *c, value_id v)
{
	return v != NO_ID && graph_value(c->g, v)->kind == VALUE_CONST;
}

static inline const struct shape *value_shape(const struct codegen *c, value_id v)
{
	return &graph_value(c->g, v)->shape;
}

static inline int64_t value_elements(const struct codegen *c, value_id v)
{
	return shape_elements(value_shape(c, v));
}

static inline int64_t ceil_div(int64_t a, int64_t b)
{
	return (a + b - 1) / b;
}

/* The single element of a constant; false: not such a constant, or it could not be read. */
bool codegen_scalar(struct codegen *c, value_id v, double *out);
/* One message that names the operation, the node and the reason; false. */
bool codegen_refuse(struct codegen *c, node_id id, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* Says so unless every one of the node's own (not epilogue) inputs is of the type. */
bool codegen_want_f32(struct codegen *c, node_id id);
/* Whether value v is of no use to anything after node id. */
bool codegen_dies(const struct codegen *c, value_id v, node_id id);

/*
 * The node as it is after its bias (own input `own`, the last one) became the
 * first step of the epilogue: a bias is an operand like any other. The node
 * itself where there is no bias.
 */
const struct node *codegen_bias_as_epilogue(struct codegen *c, const struct node *n, uint32_t own);
/*
 * Height of the tiles into which m rows are cut, at most 8: the one that wastes
 * least, a tile of h rows costing h plus what loading its weights costs.
 */
int64_t codegen_tile_height(int64_t m);

/* ---- place.c ---- */

/* Fills in ks->alias, place, rows_at and unmade. */
void codegen_place(struct codegen *c);
bool codegen_is_alias(const struct codegen *c, const struct node *n); /* a reshape that is no copy */
/* How far apart rows of v lie in the memory that it is a part of; 0: it is one piece. */
int64_t codegen_row_stride(const struct codegen *c, value_id v);

/* ---- epilogue.c ---- */

/* An elementwise input: how it is read at output index o[]. */
struct operand {
	value_id value;
	int64_t offset;
	int64_t stride[MAX_RANK]; /* over the output's dims as given to epilogue_render() */
};

/* Operand k of node n, broadcast against its output or through its view. */
struct operand epilogue_operand(const struct codegen *c, const struct node *n, uint32_t k);
/* How a value of shape `in` is read when broadcast to `out`. */
struct operand operand_broadcast(const struct shape *in, const struct shape *out, value_id v);
/*
 * Appends the definitions of EDGE_OUT and EDGE_STORE* to b->epilogue and their
 * arguments to b->out_args, for an output seen as `shape` (of as many elements
 * as the node's output); the operands' strides are over those dims.
 */
bool epilogue_render(struct build *b, enum dtype result, const struct shape *shape, const struct operand *op,
		     uint32_t count);
/* Whether the whole program works on sixteen lanes at a time. */
bool epilogue_is_vector(const struct codegen *c, const struct node *n, enum dtype result);

/* ---- expr.c: one elementwise operation as text ---- */

enum expr_form {
	EXPR_SCALAR, /* each type as its C type, bool as int 0 or 1 */
	EXPR_VECTOR  /* f32 as float16, bool as int16 0 or -1; nothing else */
};

struct expr_arg {
	const char *text; /* a name or a literal */
	enum dtype dtype;
};

/* False: the operation is not supported on these types. */
bool expr_render(struct strbuf *out, const struct epilogue_step *s, const struct expr_arg *arg,
		 enum expr_form form);
const char *expr_type(enum dtype t, enum expr_form form); /* of a register */
const char *expr_literal(struct arena *a, double x, enum dtype t, enum expr_form form);
/* Memory: the element type behind a __global pointer; NULL: not supported. */
const char *expr_storage(enum dtype t);
const char *expr_load(struct arena *a, enum dtype t, const char *pointer, const char *index);
const char *expr_store(struct arena *a, enum dtype t, const char *pointer, const char *index, const char *x);

/* ---- render.c ---- */

/* The text of kernels/NAME.cl, or NULL. */
const char *template_text(const char *name);
const char *kernel_file_text(const char *name); /* of any file of kernels/, with its suffix */
const char *prelude_text(void);
/* Finds or adds the kernel made of the defines, the epilogue and the template. */
uint32_t render_kernel(struct codegen *c, const char *template, const char *defines, const char *epilogue,
		       const uint32_t local[3]);
/* The form that carries of every kernel that has one and is launched. */
void render_loading(struct arena *a, struct kernel_set *ks);

/* ---- select_matmul.c: the launch that 1x1 convolutions share ---- */

/*
 * The shape of a work-item's tile. cpu: `tile` rows of a whole panel, one
 * work-item a group. gpu: four rows of four columns, neighbours in dim 0 share
 * a panel, dim 2 counts panels. Both split along panels.
 */
struct tile {
	bool gpu;
	bool rows_first; /* the panels together are more than a cache: go over all rows with each */
	int64_t height;	 /* rows */
	uint32_t width;	 /* of a panel */
	int64_t block;	 /* rows_first: tiles of rows that all panels are gone over with before the next; 0: all */
};
/* k: products to a sum */
struct tile codegen_tile(const struct codegen *c, int64_t rows, int64_t outputs, int64_t k);
void build_tile(struct build *b, const struct tile *t); /* TILE_*, WIDTH, GPU and split_dim */
bool build_launch_tiles(struct build *b, const struct tile *t, int64_t panels, int64_t tiles);

/* alpha * a b for node n: `rows` rows of k values of input 0, weights in panels of tile.width columns. */
struct rows_by_panels {
	const struct node *n; /* bias in the epilogue */
	const char *what;
	uint32_t weight;
	struct tile tile;
	int64_t rows, k, outputs;
	int64_t trans_m; /* rows of one matrix of a transposed input 0; 0: not transposed */
	double alpha;
	struct rows_at at; /* step 0: row after row */
};
bool select_rows_by_panels(struct codegen *c, node_id id, const struct rows_by_panels *p);

/* Whether product id will be one of matmul_batch.cl. */
bool matmul_is_batch(struct codegen *c, node_id id);
/* Whether node id will be rows of *k values by panels, wherever the rows are. */
bool matmul_reads_rows(const struct codegen *c, node_id id, int64_t *k);
bool conv_reads_rows(const struct codegen *c, node_id id, int64_t *k);
/* Whether convolution id can read channels one after the other as well. */
bool conv_reads_planes(struct codegen *c, node_id id);

/* ---- one per family ---- */

bool select_matmul(struct codegen *c, node_id id);
bool select_conv(struct codegen *c, node_id id); /* and conv_transpose */
bool select_pool(struct codegen *c, node_id id);
bool select_map(struct codegen *c, node_id id);
bool select_move(struct codegen *c, node_id id); /* transpose, slice, expand, tile */
bool select_concat(struct codegen *c, node_id id);
bool select_pad(struct codegen *c, node_id id);
bool select_gather(struct codegen *c, node_id id); /* and gather_elements */
bool select_lookup(struct codegen *c, node_id id); /* gather of few rows of a large constant; else select_gather() */
bool select_scatter(struct codegen *c, node_id id);
bool select_top_k(struct codegen *c, node_id id);
bool select_resize(struct codegen *c, node_id id);
bool select_reduce(struct codegen *c, node_id id);
bool select_arg(struct codegen *c, node_id id); /* arg_max, arg_min */
bool select_softmax(struct codegen *c, node_id id); /* and log_softmax */
bool select_norm(struct codegen *c, node_id id); /* layer_norm, rms_norm, group_norm */
bool select_mix_norm(struct codegen *c, node_id id);
bool select_attention(struct codegen *c, node_id id);
bool select_stored_rows(struct codegen *c, node_id id);
bool select_decode_rows(struct codegen *c, node_id id);
bool select_quantize_rows(struct codegen *c, node_id id);
bool select_matmul_rows(struct codegen *c, node_id id);
bool select_quantize_image(struct codegen *c, node_id id);
bool select_conv_image(struct codegen *c, node_id id);
bool select_rope_angles(struct codegen *c, node_id id);
bool select_kv_append(struct codegen *c, node_id id);
bool select_kv_attention(struct codegen *c, node_id id);
bool select_rnn(struct codegen *c, node_id id); /* lstm, gru */

/* ---- select_move.c: what the kernels that write rows share ---- */

/* Defines TYPE, CTYPE, LOAD and VECTOR for elements of type t; false: said why. */
bool build_element(struct build *b, enum dtype t);
/*
 * DIMS = count and DIM_PARAMS = "const int d0, const int s0, const int d1, ..."
 * for the letters "ds", each name with `suffix`; a kernel's parameter list holds
 * only object-like macros (see signature.c).
 */
void build_define_dims(struct build *b, const char *suffix, uint32_t count, const char *letters);
/* HAS_NAME = present and PARAM_NAME = the parameter, or nothing. */
void build_define_param(struct build *b, const char *name, bool present, const char *parameter);
/* A float value for a __global const float *; a constant of any float type is stored as f32. */
void build_float(struct build *b, value_id v);
/*
 * The output as rows: of `width` elements where no operand of the epilogue
 * cares, else of its own last dim. Returns the row's elements.
 */
int64_t output_width(const struct codegen *c, const struct node *n, int64_t width);
/* build_epilogue() for the output seen as rows of output_width(c, n, width). */
bool build_rows(struct build *b, enum dtype result, int64_t width);
/* Whether a move's output can be written as rows of `part` elements, each by itself. */
bool move_has_rows(const struct codegen *c, const struct node *n, int64_t part);
/* How to read the output of a move, as rows of k elements, from its input; false: not of that form. */
bool move_rows(const struct codegen *c, const struct node *n, int64_t k, struct rows_at *rows);
/* How many rows of n elements a work-item does when there are `rows`. */
int64_t rows_per_item(int64_t rows, int64_t n);

#endif
