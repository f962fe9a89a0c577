/* SPDX-License-Identifier: Apache-2.0 */
/*
 * syntax.h - what scanner, grammar and formatter share inside dsl/.
 *
 * One struct syntax per file that is read. The scanner cuts the text into
 * tokens and counts brackets; the grammar builds the tree in `decls`.
 */
#ifndef EDGE_DSL_SYNTAX_H
#define EDGE_DSL_SYNTAX_H

#include "ast.h"

enum {
	MAX_NESTING = 100,       /* brackets and blocks open at a time */
	MAX_EXPR_DEPTH = 200,    /* height of an expression's tree */
	MAX_FILE = 16 << 20,     /* bytes of one .edge file */
	MAX_NAME = 255,
	MAX_SYNTAX_ERRORS = 50,
	MAX_INCLUDES = 16,       /* files open at a time */
	TOKEN_COMMENT = 10000    /* seen by the formatter only */
};

struct syntax {
	struct arena *arena;
	struct diag *diag;
	uint32_t file;
	const char *text;
	size_t len;
	uint32_t pos;            /* of the scanner */
	uint32_t last_end;       /* where the token before the newest one ended */
	uint32_t token_end;      /* where the newest token ended */
	unsigned nesting;
	struct span open[MAX_NESTING + 1]; /* brackets: where */
	struct span last_bracket; /* the innermost ( or [ before the newest token */
	bool unmatched;          /* the newest token closes what was never opened */
	unsigned errors;         /* of syntax, in this file */
	bool comments;           /* return them as TOKEN_COMMENT */
	bool stop;               /* too much is wrong: behave as at the end of the file */
	VEC(struct ast_decl *) decls;
};

struct token {
	int kind;
	struct span span;
};

/* scan.l: runs the parser over s->text; false: errors were said. */
bool syntax_parse(struct syntax *s);
/* scan.l: all tokens with comments, end of file excluded. Quiet where the text was parsed before. */
struct token *syntax_tokens(struct syntax *s, uint32_t *count);
/* ast.c: reads and checks a file as text; false: errors were said at from. */
bool syntax_open(struct syntax *s, struct arena *a, struct diag *d, const char *path, struct span from);

/* ast.c, used by the grammar */
struct ast_expr *expr_new(struct syntax *s, enum ast_expr_kind kind, struct span span);
struct ast_expr *expr_binary(struct syntax *s, char op, struct span at, struct ast_expr *x,
			     struct ast_expr *y);
struct ast_expr *expr_negate(struct syntax *s, struct span span, struct ast_expr *x);
void expr_add_arg(struct syntax *s, struct ast_expr *e, struct ast_arg arg);
struct ast_stmt *stmt_new(struct syntax *s, enum ast_stmt_kind kind, struct span span,
			  struct ast_name name);

#endif
