/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_import.h - what the files of the ONNX importer share.
 *
 * onnx.c drives; each operator is a function of one `struct call` in one of
 * the onnx_ops_*.c, listed in onnx_ops.c. Conversions say what is wrong with
 * call_fail() and go on without looking at each result: once a call has
 * failed, everything that it builds is NO_ID, and so are its outputs, and
 * nodes that read those are skipped without another message.
 */
#ifndef EDGE_ONNX_IMPORT_H
#define EDGE_ONNX_IMPORT_H

#include "base/file.h"
#include "import/import.h"
#include "import/onnx.pb-c.h"

enum {
	OPSET_OLDEST = 1,
	OPSET_NEWEST = 28 /* the newest published one when the table in onnx_ops.c was made */
};

/*
 * Names and what they stand for. A body sees the names around it; a function does not. `opset` is
 * that of the nodes inside.
 */
struct onnx_scope {
	struct onnx_scope *outer;
	struct map values; /* tensor name -> value_id; NO_ID: something went wrong with it */
	bool sealed;
};

/* A value that is whole numbers times a step: (raw - zero) * step, or codes * step. */
struct onnx_steps {
	value_id value;
	value_id codes;	    /* whole numbers as f32; NO_ID: not made yet */
	value_id raw, zero; /* as the file has them */
	value_id step;	    /* one number, or one for each index of `axis` */
	uint32_t axis;
};

/* A list of tensors: a name may mean one, by an id with this bit (onnx_ops_sequence.c). */
enum { ONNX_SEQUENCE = INT32_MIN };

struct onnx_sequence {
	value_id *item;
	uint32_t count;
};

static inline bool onnx_is_sequence(value_id v)
{
	return v != NO_ID && v >> 31;
}

enum {
	MAX_BODY_DEPTH = 16,
	MAX_BODY_NODES = 1 << 18 /* that bodies may become, all of them together */
};

struct onnx_import {
	struct arena *a;      /* of the graph */
	struct arena file;    /* structure of the file, until the import ends */
	struct arena scratch; /* until the node is converted */
	struct graph *g;
	struct diag *d;
	const struct decl_model *model;
	const struct import_options *options;
	struct span span; /* the file, for messages */
	const char *path, *directory;
	struct mapped_file map;
	uint32_t weight_file; /* index of the model itself in graph->files */
	int64_t opset;
	struct onnx_scope *scope;
	struct map ops;	   /* operator name -> index in onnx_ops; with its domain in front -> behind those, in the tables of other domains */
	struct map dims;   /* symbolic dimension -> index in dim_value */
	VEC(int64_t) dim_value;
	VEC(struct onnx_steps) steps; /* onnx_ops_steps.c */
	VEC(uint32_t) steps_of;	      /* value -> index in steps, + 1; 0: none */
	VEC(struct onnx_sequence) sequences;
	const Onnx__GraphProto *graph; /* the outermost */
	bool end_hinted;
	uint32_t body_depth;
	uint64_t body_nodes;
	Onnx__FunctionProto **functions; /* operators that the file defines */
	size_t function_count;
};

struct call;

struct onnx_op {
	const char *name;
	uint8_t newest;	 /* the newest version of the operator that is understood */
	uint8_t changed; /* a later version that is not understood; 0: there is none */
	bool (*convert)(struct call *c);
	enum op op; /* for conversions that serve several operators */
};

/* One node being converted. */
struct call {
	struct onnx_import *im;
	struct graph *g;
	const Onnx__NodeProto *node;
	const struct onnx_op *op;
	int64_t opset;
	uint64_t attrs_read; /* bit i: attribute i was asked for */
	bool failed;
};

/* onnx_ops.c */
extern const struct onnx_op onnx_ops[];
extern const uint32_t onnx_op_count;
/* onnx_ops_contrib.c: those of com.microsoft */
extern const struct onnx_op onnx_contrib_ops[];
extern const uint32_t onnx_contrib_op_count;
/* onnx_ops_ml.c: those of ai.onnx.ml */
extern const struct onnx_op onnx_ml_ops[];
extern const uint32_t onnx_ml_op_count;

/* onnx_call.c: the node */
bool call_fail(struct call *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* `what` must be known, and input i is computed while the model runs. */
bool call_fail_computed(struct call *c, uint32_t i, const char *what);
bool call_has(const struct call *c, uint32_t i);   /* input i is given */
value_id call_in(struct call *c, uint32_t i);	   /* NO_ID: left out */
bool call_wants(const struct call *c, uint32_t i); /* output i has a name */
/* Outputs that the conversion does not give must not be named. */
bool call_refuse_outputs(struct call *c, uint32_t from);
void call_out(struct call *c, uint32_t i, value_id v);
const Onnx__AttributeProto *call_attr(struct call *c, const char *name); /* NULL: absent */
int64_t call_int(struct call *c, const char *name, int64_t absent);
double call_float(struct call *c, const char *name, double absent);
const char *call_string(struct call *c, const char *name, const char *absent);
const int64_t *call_ints(struct call *c, const char *name, uint32_t *count); /* NULL: absent */

/*
 * Values that must be known now. They come from initialisers and from whatever
 * folded to a constant; where the file computes them at run time, the error
 * names the node and the input. NULL: absent or failed.
 */
const int64_t *call_known_ints(struct call *c, uint32_t i, const char *what, uint32_t *count);
const double *call_known_floats(struct call *c, uint32_t i, const char *what, uint32_t *count);
/* An operator's list that moved from an attribute to input i. */
const int64_t *call_list(struct call *c, const char *attr, uint32_t i, uint32_t *count);
bool is_known(const struct call *c, value_id v);
/* Elements of a constant in its own dtype, valid until the node is converted; NULL: said why. */
const void *known_data(struct call *c, value_id v);
/* -rank..rank-1 to 0..rank-1. */
bool call_axis(struct call *c, int64_t axis, uint32_t rank, uint32_t *out);

/* onnx_call.c: the graph. Results that are computable now become constants at once. */
struct shape shape_of(const struct call *c, value_id v);
enum dtype dtype_of(const struct call *c, value_id v);
value_id emit(struct call *c, enum op op, const value_id *in, uint32_t in_count,
	      const struct attr *attr, uint32_t attr_count);
value_id emit1(struct call *c, enum op op, value_id x);
value_id emit2(struct call *c, enum op op, value_id x, value_id y);
value_id emit3(struct call *c, enum op op, value_id x, value_id y, value_id z);
value_id emit_with(struct call *c, enum op op, value_id x, struct attr a);
value_id emit_cast(struct call *c, value_id x, enum dtype t); /* x itself where it has that type */
value_id emit_reshape(struct call *c, value_id x, const struct shape *s);
value_id emit_expand(struct call *c, value_id x, const struct shape *s);
value_id emit_transpose(struct call *c, value_id x,
			const int64_t *perm);	    /* x itself for the identity */
value_id emit_to_last(struct call *c, value_id x);  /* [N,C,s..] to [N,s..,C] */
value_id emit_to_first(struct call *c, value_id x); /* and back */
value_id emit_reduce(struct call *c, enum op op, value_id x, uint32_t first_axis, bool keep);
value_id emit_slice(struct call *c, value_id x, uint32_t axis, int64_t start, int64_t count);
/* A rank-0 constant of type t; emit_like: of x's type. */
value_id emit_scalar(struct call *c, enum dtype t, double x);
value_id emit_like(struct call *c, value_id x, double number);
value_id emit_ints(struct call *c, const int64_t *list, uint32_t count); /* i64[count] */

/* onnx_tensor.c */
bool onnx_dtype(int64_t number, enum dtype *out);
bool onnx_unsigned(int64_t number); /* of 16 bits or more: not for inputs and outputs */
bool onnx_inner_dtype(int64_t number, enum dtype *out); /* and what holds those inside of a network */
const char *onnx_dtype_name(int64_t number);
int64_t onnx_dtype_number(const char *name); /* in letters of any size; 0: no such type */
/* A constant of what the tensor holds; NO_ID: said why. what: "initializer", "attribute \"value\"
 * of …" */
value_id onnx_tensor(struct onnx_import *im, const Onnx__TensorProto *t, const char *what);

/* onnx_inputs.c */
bool onnx_inputs(struct onnx_import *im, const Onnx__GraphProto *graph);

/* onnx_order.c: indices of the nodes that the wanted tensors need, each after what it reads. */
uint32_t *onnx_order(struct onnx_import *im, const Onnx__GraphProto *graph, uint32_t *count);

/* onnx.c: the nodes of a graph. */
/* How to end the model before a node that cannot be had; once. */
void onnx_hint_end(struct onnx_import *im, const Onnx__NodeProto *n);
bool onnx_nodes(struct onnx_import *im, const Onnx__GraphProto *graph);
void onnx_initialisers(struct onnx_import *im, const Onnx__GraphProto *graph);
value_id onnx_lookup(struct onnx_import *im, const char *name, bool *found); /* in all scopes that are seen */
bool onnx_defined(struct onnx_import *im, const char *name);		      /* in the innermost */
void onnx_define(struct onnx_import *im, const char *name, value_id v);

/* onnx_body.c: graphs inside of nodes, and operators that the file defines */
void onnx_enter(struct onnx_import *im, struct onnx_scope *scope, bool sealed);
const Onnx__FunctionProto *onnx_function(struct onnx_import *im, const Onnx__NodeProto *n); /* NULL: none */
bool onnx_call_function(struct call *c);

#endif
