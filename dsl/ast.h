/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ast.h - .edge text as a tree, exactly as written.
 *
 * The grammar knows only shapes: a declaration is KIND NAME { statements }, a
 * statement is a setting ("threads 2;"), or one of the few forms of the
 * network language. What the words mean is decided by sema.c (settings) and
 * by compiler/import/network.c (networks), so that nearly every word may also
 * be used as a name, and messages can say what was meant.
 */
#ifndef EDGE_AST_H
#define EDGE_AST_H

#include "base/diag.h"
#include "base/strbuf.h"

struct ast_number {
	double value;
	int64_t integer;  /* valid when is_integer */
	bool is_integer;
	const char *unit; /* "MiB" when written next to the digits or as X/s or %; else NULL */
};

/* ---- expressions of the network language */

enum ast_expr_kind {
	EXPR_NAME,
	EXPR_NUMBER,
	EXPR_STRING,
	EXPR_LIST,  /* [a, b] : args */
	EXPR_CALL,  /* text(args) */
	EXPR_NEG,   /* - args[0] */
	EXPR_BINARY, /* args[0] op args[1] */
	EXPR_ERROR  /* already reported */
};

struct ast_expr;

struct ast_arg {
	const char *name; /* NULL: by position */
	struct span name_span;
	struct ast_expr *value;
};

struct ast_expr {
	enum ast_expr_kind kind;
	struct span span;
	struct span head; /* CALL: the name; BINARY: the operator */
	uint32_t depth;   /* of the tree below, bounded by the parser */
	char op;          /* BINARY: + - * / */
	const char *text; /* NAME, STRING, CALL */
	struct ast_number number;
	VEC(struct ast_arg) args;
};

/* ---- statements */

/* One word of a setting. */
enum ast_item_kind { ITEM_WORD, ITEM_STRING, ITEM_NUMBER, ITEM_PORT };

struct ast_item {
	enum ast_item_kind kind;
	bool comma; /* a comma stands before it */
	struct span span;
	const char *text; /* WORD, STRING; PORT: before the dot */
	const char *port; /* PORT: after the dot */
	struct ast_number number;
};

enum ast_stmt_kind {
	STMT_SETTING, /* name items; */
	STMT_INPUT,   /* input name : dtype[dims]; */
	STMT_OUTPUT,  /* output name [= expr]; */
	STMT_LET,     /* let name = expr; */
	STMT_ASSIGN,  /* targets = expr; */
	STMT_FOR,     /* for name in from..to { body } */
	STMT_RETURN,  /* return values; */
	STMT_LAYER    /* layer name(params) { body } */
};

struct ast_stmt;

struct ast_list {
	struct ast_stmt **data;
	uint32_t len, cap;
};

struct ast_name {
	const char *text;
	struct span span;
};

struct ast_param {
	struct ast_name name;
	struct ast_expr *value; /* NULL: must be given */
};

struct ast_stmt {
	enum ast_stmt_kind kind;
	struct span span;
	struct ast_name name; /* SETTING, INPUT, OUTPUT, LET, FOR, LAYER */
	VEC(struct ast_item) items;       /* SETTING */
	VEC(struct ast_name) targets;     /* ASSIGN */
	VEC(struct ast_expr *) values;    /* LET, ASSIGN, OUTPUT: one; RETURN: any; FOR: from, to */
	VEC(struct ast_param) params;     /* LAYER */
	struct ast_name dtype;            /* INPUT */
	VEC(struct ast_expr *) dims;      /* INPUT */
	struct ast_list body;             /* FOR, LAYER */
};

/* ---- files */

enum ast_decl_kind { AST_BLOCK, AST_LAYER, AST_INCLUDE };

struct ast_decl {
	enum ast_decl_kind kind;
	struct ast_name word; /* BLOCK: "device"; INCLUDE: "include" or "use" */
	struct ast_name name; /* BLOCK, LAYER; INCLUDE: the file as written */
	struct span span;
	struct ast_list body;   /* BLOCK */
	struct ast_stmt *layer; /* LAYER */
};

/* Declarations of the file and, after each include, of the file included. */
struct ast {
	const char *path;
	uint32_t file; /* of the main file, in diag */
	VEC(struct ast_decl *) decls;
};

/* A path written in the file of span, as it must be opened. */
const char *ast_path(struct arena *a, const struct diag *d, struct span span, const char *path);
/* The candidate that differs least from name, or NULL where none is near. */
const char *ast_nearest(const char *name, const char *const *candidates, uint32_t count);
/* Text as it may be written between quotes. */
void ast_quote(struct strbuf *out, const char *text);

#endif
