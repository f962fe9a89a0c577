/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network.h - what the files that read networks of the language share.
 *
 * network.c carries out statements, network_expr.c expressions, network_call.c
 * binds arguments to the parameters of a layer, network_layers.c, network_image.c and
 * network_shape.c build the built-in layers, network_weights.c finds or makes
 * weights.
 */
#ifndef EDGE_IMPORT_NETWORK_H
#define EDGE_IMPORT_NETWORK_H

#include "ast.h"
#include "import/import.h"

enum net_kind {
	NET_ABSENT, /* an optional argument that was left out */
	NET_POISON, /* wrong, and reported: swallows everything that touches it */
	NET_TENSOR,
	NET_INT,
	NET_REAL,
	NET_TEXT,
	NET_SWITCH, /* on, off: integer */
	NET_LIST    /* of the others; also what a layer with several results gives */
};

struct net_value {
	enum net_kind kind;
	struct span span; /* of the expression */
	value_id tensor;
	int64_t integer;
	double real; /* INT too */
	const char *text;
	const struct net_value *item; /* LIST */
	uint32_t count;
	bool results; /* LIST: results of a layer, to be given names */
};

#define NET_POISONED ((struct net_value){ .kind = NET_POISON })

enum {
	MAX_ARGUMENTS = 12,
	MAX_LAYER_DEPTH = 24,    /* layers inside layers */
	MAX_LEVELS = 800,        /* expressions and blocks open at a time */
	MAX_STATEMENTS = 200000, /* carried out, loops unrolled */
	MAX_TEXT = 1000          /* bytes of a filled-in name */
};

struct variable {
	const char *name;
	struct net_value value;
	struct span span;
	uint32_t shadowed; /* index of the variable that has the name outside; NO_ID */
	bool constant;     /* of the model: seen in its layers */
	bool is_input;
};

struct frame { /* of a layer being built */
	const struct frame *parent;
	const struct ast_stmt *layer;
	uint32_t base; /* first variable */
	struct net_value result;
	bool returned;
};

struct layer_entry {
	const struct ast_stmt *layer;
	bool in_model;
	bool failed; /* an error was said inside: do not say it at every call */
};

struct weight_entry {
	value_id value;
	struct shape shape; /* in the source's order */
	struct span span;
};

struct network {
	struct arena *arena;
	struct diag *diag;
	struct graph *graph;
	const struct decl_model *model;
	const struct import_options *options;

	struct map names; /* name to index in variables */
	VEC(struct variable) variables;
	const struct frame *frame;
	struct frame *current;
	struct map layer_names;
	VEC(struct layer_entry) layers;
	struct map output_names;

	struct map weight_names;
	VEC(struct weight_entry) weights;
	struct safetensors tensors;
	bool tensors_open, weights_missing_said;

	unsigned level, depth;
	uint32_t statements;
	bool stop; /* a limit was reached */
};

/* A call of a built-in layer with its arguments bound, by position in the layer's list of parameters. */
struct layer_spec;
struct net_call {
	struct network *n;
	const struct layer_spec *spec;
	struct span span, head;
	struct net_value arg[MAX_ARGUMENTS];
	struct span where[MAX_ARGUMENTS];
};

/*
 * params: names with types, "x:t name:s units:n? bias:b?"; t tensor, v tensor
 * or number, n whole number, r number, s text, b on/off, l list of whole
 * numbers, a whole number or list, p the same or text; * before the name: all positional
 * arguments. ? marks those that may be left out.
 */
struct layer_spec {
	const char *name, *params;
	struct net_value (*build)(struct net_call *c);
	int op; /* enum op, where the builder serves several */
};

/* ---- network_expr.c: names */
/* Only a variable of the layer at hand, which an assignment changes. */
struct variable *net_own(struct network *n, const char *name);
void net_push(struct network *n, const char *name, struct net_value value, struct span span, bool constant);
/* Forgets the names given since there were `len`. */
void net_pop(struct network *n, uint32_t len);
void net_assign(struct network *n, struct ast_name name, struct net_value value);
/* One more level of expression or block; false: too many, which was said. Ends with n->level--. */
bool net_enter(struct network *n, struct span at);

/* ---- and expressions */
struct net_value net_eval(struct network *n, const struct ast_expr *e);
struct net_value net_tensor(value_id v, struct span span); /* NO_ID: poison */
struct net_value net_int(int64_t x, struct span span);
struct net_value net_results(struct network *n, const struct net_value *item, uint32_t count, struct span span);
const char *net_kind_name(enum net_kind k);
/* A number as a tensor that goes with x; NO_ID where it cannot, which was said. */
value_id net_number(struct network *n, const struct net_value *number, value_id like);

/* ---- network.c: a layer of the user */
struct net_value net_call_layer(struct network *n, struct layer_entry *l, const struct ast_expr *e);

/* ---- network_call.c */
struct net_value net_call(struct network *n, const struct ast_expr *e);
/* Finds the layer with the name in one of the tables. */
const struct layer_spec *net_find_layer(const char *name);

/* For builders. Sizes of x as the user sees them. */
const struct shape *net_shape(const struct net_call *c, uint32_t arg);
enum dtype net_dtype(const struct net_call *c, uint32_t arg);
bool net_given(const struct net_call *c, uint32_t arg);
int64_t net_get_int(const struct net_call *c, uint32_t arg, int64_t absent);
double net_get_real(const struct net_call *c, uint32_t arg, double absent);
bool net_get_switch(const struct net_call *c, uint32_t arg, bool absent);
/* An error at argument arg with a note on every tensor among the arguments; gives poison. */
struct net_value net_fail(struct net_call *c, uint32_t arg, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* A note on the type of every tensor among the arguments. */
void net_note_operands(struct net_call *c);
/* Axis argument in 0..rank-1, negative ones from the end; -1: was wrong, which was said. */
int64_t net_get_axis(struct net_call *c, uint32_t arg, uint32_t rank, int64_t absent);
/* A list of whole numbers into out[max]; its length, or UINT32_MAX: was wrong, which was said. */
uint32_t net_get_list(struct net_call *c, uint32_t arg, int64_t *out, uint32_t max);
/* One more operation; NO_ID in gives NO_ID. */
value_id net_op(struct net_call *c, enum op op, const value_id *in, uint32_t in_count, const struct attr *attr,
		uint32_t attr_count);
value_id net_reshape(struct net_call *c, value_id x, const int64_t *dim, uint32_t rank);
value_id net_transpose(struct net_call *c, value_id x, const int64_t *perm, uint32_t rank);
value_id net_to_last(struct net_call *c, value_id x);  /* [N,C,s..] to [N,s..,C] */
value_id net_to_first(struct net_call *c, value_id x); /* and back */

/* ---- tables */
extern const struct layer_spec net_layers[], net_image_layers[], net_shape_layers[];
extern const uint32_t net_layer_count, net_image_layer_count, net_shape_layer_count;

/* ---- network_weights.c */
enum weight_use {
	WEIGHT_MATRIX,  /* random: deviation 1/sqrt(fan_in) */
	WEIGHT_UNIT,    /* random: deviation 1 */
	WEIGHT_SCALE,   /* random: all 1 */
	WEIGHT_BIAS     /* random: small */
};

struct weight_request {
	const char *name, *suffix; /* suffix NULL: none */
	uint32_t rank;
	int64_t dim[MAX_RANK]; /* in the file's order; -1: as the file says */
	enum weight_use use;
	int64_t fan_in;
	bool transposed; /* matrices: give [in, out] for [out, in] */
	const int64_t *as; /* when not NULL: the value's own dimensions, as_rank of them */
	uint32_t as_rank;
};

/* Opens the file that the model names; false: said why. */
bool weights_begin(struct network *n);
/* NO_ID: said why. */
value_id weights_get(struct net_call *c, const struct weight_request *r);
/* The number of rows and columns that the file has for NAME.weight: false where it does not tell. */
bool weights_shape(struct net_call *c, const char *name, const char *suffix, struct shape *out);

#endif
