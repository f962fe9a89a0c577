/* SPDX-License-Identifier: Apache-2.0 */
/*
 * kernel_set.h - the graph lowered to kernel launches on packed weights.
 *
 * codegen/select.c makes a kernel_set from a graph and a target; nothing in it
 * depends on the memory budget. The scheduler places it in memory and time;
 * plan_write stores it.
 */
#ifndef EDGE_KERNEL_SET_H
#define EDGE_KERNEL_SET_H

#include "ir/graph.h"
#include "target/target.h"

/*
 * A constant in the byte order that a kernel reads. It consists of `granules`
 * equal pieces of granule_bytes, contiguous; a launch whose split_dim is set
 * may be issued for a sub-range of granules (e.g. panels of 32 output
 * channels), reading only those pieces.
 */
enum pack_kind {
	PACK_DENSE,      /* row-major as the value is, in `dtype`; one granule */
	PACK_PANELS,     /* matrix [K][N] -> [N/width][K][width], zero-padded; granule = panel */
	PACK_CONV,       /* w[O][I][k..] -> [O/width][k..][I][width]; granule = panel */
	PACK_DEPTHWISE,  /* w[C][1][k..] -> [C/width][k..][width]; granule = width channels */
	PACK_VECTOR,     /* vector[n] zero-padded to a multiple of width; granule = width elements */
	PACK_ZEROS,      /* zero bytes, whatever the value: stands in for pixels outside an image */
	PACK_TABLE,      /* weight->table, whatever the value (the node's output, for its name) */
	PACK_QUANT,      /* source in blocks: panels of width outputs as kernels/quant.clh has them; width 1: a table */
	PACK_RECURRENT   /* w[D][groups * H][K..] -> [D][H/width][K][groups][width]; granule = one H/width */
};

struct packing {
	enum pack_kind kind;
	enum dtype dtype;   /* as stored */
	uint32_t width;     /* of a panel */
	uint32_t groups;    /* PACK_CONV, PACK_QUANT: panels do not cross groups */
	bool transposed;    /* PACK_PANELS: the value is [N][K] instead of [K][N] */
	bool texture;       /* PACK_PANELS, PACK_CONV in f16: read as texels of an image, see gpu_gemm.cl */
	uint32_t reserved[4]; /* free for a kernel's own layout parameters */
};

struct weight {
	value_id value;
	struct packing packing;
	uint64_t bytes;         /* granules * granule_bytes */
	uint64_t granule_bytes;
	uint32_t granules;
	const void *table; /* PACK_TABLE */
};

/* Writes weight->bytes bytes. False: the source could not be read (said why). */
bool pack_weight(const struct graph *g, const struct weight *w, void *out, struct diag *d);
/*
 * Bytes [offset, offset + bytes) of it, both multiples of pack_part_unit(): what a
 * large weight costs is then the part alone.
 */
bool pack_part(const struct graph *g, const struct weight *w, uint64_t offset, uint64_t bytes, void *out,
	       struct diag *d);
uint64_t pack_part_unit(const struct graph *g, const struct weight *w); /* w->bytes: it comes whole only */

enum kernel_arg_kind {
	ARG_VALUE,   /* an activation: id = value */
	ARG_WEIGHT,  /* id = index into kernel_set.weights */
	ARG_SCRATCH, /* bytes of memory for this launch only: i = bytes */
	ARG_I32,
	ARG_I64,
	ARG_F32,
	ARG_FIRST_GRANULE, /* i32: first granule of the sub-range; 0 when launched whole */
	ARG_TEXEL, /* i32: where in its image the weight of the argument before it starts */
	ARG_STATE /* memory that outlives the run: id = index into kernel_set.states */
};

struct kernel_arg {
	enum kernel_arg_kind kind;
	uint32_t id;
	int64_t i;
	double f;
	bool split;   /* ARG_WEIGHT: the pointer is to the sub-range's first granule */
	bool written; /* ARG_VALUE: the kernel writes it (from the source's const-ness) */
};

struct kernel_param {
	uint32_t kind, access; /* edge_param_kind, EDGE_PARAM_READ|WRITE */
	const char *name;
};

struct kernel {
	const char *name;   /* unique in the set: template, then a hash of its constants */
	const char *source; /* complete OpenCL C of this kernel, without the common prelude */
	struct kernel_param *param;
	uint32_t param_count;
	uint32_t local[3];
	struct kernel *loading; /* the same with EDGE_LOAD_PARAMS more in front; NULL: it carries nothing */
};

/*
 * Rows of a constant that stays in the plan file: those which the indices name
 * are read when the launch runs. A negative index counts from the end; one
 * outside is moved to the nearest that exists.
 */
struct row_lookup {
	uint32_t weight; /* PACK_DENSE, and no launch's argument */
	enum dtype index_dtype; /* i32 or i64 */
	uint64_t rows, row_bytes, count; /* count: of indices */
};

struct launch {
	uint32_t kernel; /* NO_ID where there is a lookup */
	struct kernel_arg *arg;
	uint32_t arg_count;
	uint32_t global[3];
	int split_dim; /* -1: cannot be split; else global[split_dim] == granules of its split weights */
	node_id node;
	const char *what;      /* "conv 3x3 s2 + add + relu", for people */
	uint64_t flops, bytes; /* of the whole launch; bytes: activations and weights, read + written */
	/* the output may take the place of this input, which dies here and has its size; else NO_ID */
	value_id in_place_of;
	enum target_load load; /* what it may carry, if its kernel has a form that does */
	const struct row_lookup *lookup; /* NULL; else arguments are the indices and the output */
};

/* Memory that keeps its contents from run to run. */
struct state {
	const char *name;
	uint64_t bytes;
};

struct kernel_set {
	const struct graph *graph;
	const char *prelude; /* put before the kernels' sources */
	const char *build_options;
	VEC(struct kernel) kernels;
	VEC(struct weight) weights;
	VEC(struct state) states;
	VEC(struct launch) launches; /* in execution order */
	/* value -> value whose bytes it is (reshape); itself otherwise. values.len entries */
	value_id *alias;
};

/* NULL: an error was said. Deterministic. */
struct kernel_set *codegen_select(struct arena *a, const struct graph *g, const struct target *t, struct diag *d);

/*
 * Parses every kernel with libclang, refuses diagnostics, fills the parameter
 * tables from the AST and compares them with the launches' arguments. Without
 * libclang (configure --without-libclang) a small own parser of the signature
 * fills the tables.
 */
bool codegen_check(struct arena *a, struct kernel_set *ks, struct diag *d);

#endif
