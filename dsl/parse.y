/* SPDX-License-Identifier: Apache-2.0 */
/*
 * parse.y - the grammar of .edge files.
 *
 * LALR(1) with lookahead correction, no conflicts. The words below that have
 * tokens of their own are keywords only where a statement starts; everywhere
 * else `name` takes them, so that a network may call its input "input".
 * After an error parsing goes on at the next ";" or at the end of the block.
 */
%require "3.6"
%define api.pure full
%define api.prefix {dslyy}
%define api.token.prefix {TOK_}
%define api.location.type {struct span}
%define parse.lac full
%define parse.error custom
%locations
%expect 0
%parse-param {struct syntax *s} {void *scanner}
%lex-param {struct syntax *s} {void *scanner}

%code requires {
#include "syntax.h"
}

%code {
#define YYLLOC_DEFAULT(current, rhs, n)                                                            \
	do {                                                                                       \
		(current) = (n) ? YYRHSLOC(rhs, 1) : YYRHSLOC(rhs, 0);                             \
		(current).end = YYRHSLOC(rhs, n).end;                                              \
		if (!(n))                                                                          \
			(current).start = (current).end;                                           \
	} while (0)
}

%union {
	struct ast_name name;
	struct ast_number number;
	struct ast_item item;
	struct ast_arg arg;
	struct ast_param param;
	struct ast_expr *expr;
	struct ast_stmt *stmt;
	struct ast_list *list;
}

%code provides {
/* scan.l */
int dslyylex(DSLYYSTYPE *value, struct span *at, struct syntax *s, void *scanner);
}

%code {
static void dslyyerror(struct span *at, struct syntax *s, void *scanner, const char *message);
static void add_block(struct syntax *s, struct span span, struct ast_name word, struct ast_name name,
		      struct ast_list *body);
static void add_include(struct syntax *s, struct span span, const char *word, struct ast_name path);
static void require_equals(struct syntax *s, struct ast_name name, struct span value);
}

%token END 0 "end of file"
%token <name> WORD "name"
%token <name> STRING "string"
%token <number> NUMBER "number"
%token <number> QUANTITY "quantity"
%token <name> INPUT "input" OUTPUT "output" LET "let" FOR "for" IN "in" RETURN "return"
%token <name> LAYER "layer" INCLUDE "include" USE "use"
%token RANGE ".."
%token SEMICOLON ";" COMMA "," OPEN_BLOCK "{" CLOSE_BLOCK "}" OPEN "(" CLOSE ")"
%token OPEN_LIST "[" CLOSE_LIST "]" EQUALS "=" COLON ":" DOT "."
%token PLUS "+" MINUS "-" TIMES "*" OVER "/"

%type <name> name target
%type <item> item atom
%type <stmt> setting items stmt names layer params type
%type <expr> expr primary list values args
%type <arg> arg
%type <param> param
%type <list> body stmts

%left "+" "-"
%left "*" "/"
%precedence NEGATE

%%

file:
	%empty
	| file declaration
	| file error ";"		{ yyerrok; }
	| file error "}"		{ yyerrok; }
	| file error body		{ yyerrok; }
	;

declaration:
	WORD name body			{ add_block(s, @$, $1, $2, $3); }
	| INCLUDE STRING ";"		{ add_include(s, @$, "include", $2); }
	| USE STRING ";"		{ add_include(s, @$, "use", $2); }
	| layer
		{
			struct ast_decl *d = arena_new(s->arena, struct ast_decl);

			*d = (struct ast_decl){ .kind = AST_LAYER, .name = $1->name, .span = $1->span, .layer = $1 };
			vec_push(s->arena, &s->decls, d);
		}
	;

body:
	"{" stmts "}"			{ $$ = $2; }
	| "{" stmts error "}"		{ yyerrok; $$ = $2; }
	;

stmts:
	%empty				{ $$ = arena_new(s->arena, struct ast_list); }
	| stmts stmt			{ $$ = $1; if ($2) vec_push(s->arena, $$, $2); }
	| stmts error ";"		{ yyerrok; $$ = $1; }
	;

stmt:
	setting ";"			{ $$ = $1; }
	| names "=" expr ";"
		{
			$$ = $1;
			$$->span = @$;
			vec_push(s->arena, &$$->values, $3);
		}
	| INPUT target ":" type ";"
		{
			$$ = $4;
			$$->span = @$;
			$$->name = $2;
		}
	| OUTPUT target ";"		{ $$ = stmt_new(s, STMT_OUTPUT, @$, $2); }
	| OUTPUT target "=" expr ";"
		{
			$$ = stmt_new(s, STMT_OUTPUT, @$, $2);
			vec_push(s->arena, &$$->values, $4);
		}
	| LET name "=" expr ";"
		{
			$$ = stmt_new(s, STMT_LET, @$, $2);
			vec_push(s->arena, &$$->values, $4);
		}
	| FOR name IN expr RANGE expr body
		{
			$$ = stmt_new(s, STMT_FOR, (struct span){ @1.file, @1.start, @6.end }, $2);
			vec_push(s->arena, &$$->values, $4);
			vec_push(s->arena, &$$->values, $6);
			$$->body = *$7;
		}
	| FOR error body		{ yyerrok; $$ = NULL; }
	| RETURN values ";"
		{
			$$ = stmt_new(s, STMT_RETURN, @$, (struct ast_name){ "return", @1 });
			for (uint32_t i = 0; i < $2->args.len; i++)
				vec_push(s->arena, &$$->values, $2->args.data[i].value);
		}
	| layer
	;

layer:
	LAYER name "(" params ")" body
		{
			$$ = $4;
			$$->span = (struct span){ @1.file, @1.start, @5.end };
			$$->name = $2;
			$$->body = *$6;
		}
	| LAYER name "(" ")" body
		{
			$$ = stmt_new(s, STMT_LAYER, (struct span){ @1.file, @1.start, @4.end }, $2);
			$$->body = *$5;
		}
	;

params:
	param
		{
			$$ = stmt_new(s, STMT_LAYER, @$, (struct ast_name){ 0 });
			vec_push(s->arena, &$$->params, $1);
		}
	| params "," param		{ $$ = $1; vec_push(s->arena, &$$->params, $3); }
	;

param:
	name				{ $$ = (struct ast_param){ $1, NULL }; }
	| name "=" expr			{ $$ = (struct ast_param){ $1, $3 }; }
	;

/* A setting: a word and what it is set to, separated by blanks or commas. */
setting:
	WORD				{ $$ = stmt_new(s, STMT_SETTING, @$, $1); }
	| WORD items			{ $$ = $2; $$->span = @$; $$->name = $1; }
	;

items:
	item
		{
			$$ = stmt_new(s, STMT_SETTING, @$, (struct ast_name){ 0 });
			vec_push(s->arena, &$$->items, $1);
		}
	| items item			{ $$ = $1; vec_push(s->arena, &$$->items, $2); }
	| items "," item
		{
			$$ = $1;
			$3.comma = true;
			vec_push(s->arena, &$$->items, $3);
		}
	;

item:
	atom				{ $$ = $1; $$.span = @$; }
	;

atom:
	name				{ $$ = (struct ast_item){ .kind = ITEM_WORD, .text = $1.text }; }
	| STRING			{ $$ = (struct ast_item){ .kind = ITEM_STRING, .text = $1.text }; }
	| NUMBER			{ $$ = (struct ast_item){ .kind = ITEM_NUMBER, .number = $1 }; }
	| QUANTITY			{ $$ = (struct ast_item){ .kind = ITEM_NUMBER, .number = $1 }; }
	| "-" NUMBER
		{
			$$ = (struct ast_item){ .kind = ITEM_NUMBER, .number = $2 };
			$$.number.value = -$2.value;
			$$.number.integer = -$2.integer;
		}
	| name "." target
		{
			$$ = (struct ast_item){ .kind = ITEM_PORT, .text = $1.text, .port = $3.text };
		}
	;

names:
	name
		{
			$$ = stmt_new(s, STMT_ASSIGN, @$, (struct ast_name){ 0 });
			vec_push(s->arena, &$$->targets, $1);
		}
	| names "," name		{ $$ = $1; vec_push(s->arena, &$$->targets, $3); }
	;

type:
	name
		{
			$$ = stmt_new(s, STMT_INPUT, @$, (struct ast_name){ 0 });
			$$->dtype = $1;
		}
	| name "[" "]"
		{
			$$ = stmt_new(s, STMT_INPUT, @$, (struct ast_name){ 0 });
			$$->dtype = $1;
		}
	| name "[" values "]"
		{
			$$ = stmt_new(s, STMT_INPUT, @$, (struct ast_name){ 0 });
			$$->dtype = $1;
			for (uint32_t i = 0; i < $3->args.len; i++)
				vec_push(s->arena, &$$->dims, $3->args.data[i].value);
		}
	;

expr:
	primary
	| "-" expr %prec NEGATE		{ $$ = expr_negate(s, @$, $2); }
	| expr "+" expr			{ $$ = expr_binary(s, '+', @2, $1, $3); }
	| expr "-" expr			{ $$ = expr_binary(s, '-', @2, $1, $3); }
	| expr "*" expr			{ $$ = expr_binary(s, '*', @2, $1, $3); }
	| expr "/" expr			{ $$ = expr_binary(s, '/', @2, $1, $3); }
	;

primary:
	name
		{
			$$ = expr_new(s, EXPR_NAME, @$);
			$$->text = $1.text;
		}
	| NUMBER
		{
			$$ = expr_new(s, EXPR_NUMBER, @$);
			$$->number = $1;
		}
	| QUANTITY
		{
			diag_error(s->diag, @1, "a number in a network has no unit, this one has \"%s\"", $1.unit);
			$$ = expr_new(s, EXPR_ERROR, @$);
		}
	| STRING
		{
			$$ = expr_new(s, EXPR_STRING, @$);
			$$->text = $1.text;
		}
	| list
	| "(" expr ")"			{ $$ = $2; $$->span = @$; }
	| name "(" ")"
		{
			$$ = expr_new(s, EXPR_CALL, @$);
			$$->text = $1.text;
			$$->head = @1;
		}
	| name "(" args ")"
		{
			$$ = $3;
			$$->kind = EXPR_CALL;
			$$->span = @$;
			$$->text = $1.text;
			$$->head = @1;
		}
	;

list:
	"[" "]"				{ $$ = expr_new(s, EXPR_LIST, @$); }
	| "[" values "]"		{ $$ = $2; $$->span = @$; }
	;

values:
	expr
		{
			$$ = expr_new(s, EXPR_LIST, @$);
			expr_add_arg(s, $$, (struct ast_arg){ .value = $1 });
		}
	| values "," expr
		{
			$$ = $1;
			expr_add_arg(s, $$, (struct ast_arg){ .value = $3 });
		}
	;

args:
	arg
		{
			$$ = expr_new(s, EXPR_CALL, @$);
			expr_add_arg(s, $$, $1);
		}
	| args "," arg			{ $$ = $1; expr_add_arg(s, $$, $3); }
	;

arg:
	expr				{ $$ = (struct ast_arg){ .value = $1 }; }
	| name "=" expr			{ $$ = (struct ast_arg){ $1.text, @1, $3 }; }
	| name NUMBER
		{
			require_equals(s, $1, @2);
			$$ = (struct ast_arg){ $1.text, @1, expr_new(s, EXPR_ERROR, @2) };
		}
	| name WORD
		{
			require_equals(s, $1, @2);
			$$ = (struct ast_arg){ $1.text, @1, expr_new(s, EXPR_ERROR, @2) };
		}
	;

target:
	name
	| STRING
	;

name:
	WORD | INPUT | OUTPUT | LET | FOR | IN | RETURN | LAYER | INCLUDE | USE
	;

%%

static void add_block(struct syntax *s, struct span span, struct ast_name word, struct ast_name name,
		      struct ast_list *body)
{
	struct ast_decl *d = arena_new(s->arena, struct ast_decl);

	*d = (struct ast_decl){ .kind = AST_BLOCK, .word = word, .name = name, .span = span, .body = *body };
	vec_push(s->arena, &s->decls, d);
}

static void add_include(struct syntax *s, struct span span, const char *word, struct ast_name path)
{
	struct ast_decl *d = arena_new(s->arena, struct ast_decl);

	*d = (struct ast_decl){ .kind = AST_INCLUDE, .word = { word, span }, .name = path, .span = span };
	vec_push(s->arena, &s->decls, d);
}

static void require_equals(struct syntax *s, struct ast_name name, struct span value)
{
	diag_error(s->diag, value, "missing \"=\" between \"%s\" and its value", name.text);
	diag_hint(s->diag, "Named arguments are written %s=VALUE.", name.text);
}

static bool is_keyword(yysymbol_kind_t k)
{
	switch (k) {
	case YYSYMBOL_INPUT: case YYSYMBOL_OUTPUT: case YYSYMBOL_LET: case YYSYMBOL_FOR: case YYSYMBOL_IN:
	case YYSYMBOL_RETURN: case YYSYMBOL_LAYER: case YYSYMBOL_INCLUDE: case YYSYMBOL_USE:
		return true;
	default:
		return false;
	}
}

/* Words of the grammar are quoted, kinds of tokens are not. */
static const char *symbol_text(yysymbol_kind_t k, char *out, size_t size)
{
	bool quoted = is_keyword(k) || (k >= YYSYMBOL_RANGE && k <= YYSYMBOL_OVER);

	snprintf(out, size, quoted ? "\"%s\"" : "%s", yysymbol_name(k));
	return out;
}

/* What might have stood there, in words; "" where the list would help nobody. */
static void list_expected(char *out, size_t size, const yysymbol_kind_t *kind, int n)
{
	bool any_name = false, any_value = false;
	int shown = 0, total = 0;
	size_t at = 0;

	out[0] = 0;
	for (int i = 0; i < n; i++) {
		any_name |= kind[i] == YYSYMBOL_WORD;
		any_value |= kind[i] == YYSYMBOL_NUMBER;
	}
	for (int pass = 0; pass < 2; pass++) {
		for (int i = 0; i < n; i++) {
			const char *sep;
			char text[24];

			if (kind[i] == YYSYMBOL_YYEOF || (any_name && is_keyword(kind[i])) ||
			    kind[i] == YYSYMBOL_QUANTITY || (any_value && kind[i] == YYSYMBOL_MINUS))
				continue;
			if (!pass) {
				total++;
				continue;
			}
			sep = shown == 0 ? ", expected " : shown == total - 1 ? " or " : ", ";
			at += (size_t)snprintf(out + at, size - at, "%s%s", sep,
						symbol_text(kind[i], text, sizeof text));
			if (at >= size) {
				out[0] = 0;
				return;
			}
			shown++;
		}
		if (total > 5)
			return;
	}
}

static bool on_later_line(const struct syntax *s, struct span at)
{
	for (uint32_t i = s->last_end; i < at.start; i++)
		if (s->text[i] == '\n')
			return true;
	return at.start >= s->len;
}

/* The bracket that the parser still waits for, where the text goes on without it. */
static const struct span *open_bracket(const struct syntax *s, yysymbol_kind_t found, const yysymbol_kind_t *kind, int n)
{
	if (found != YYSYMBOL_SEMICOLON && found != YYSYMBOL_CLOSE_BLOCK && found != YYSYMBOL_OPEN_BLOCK)
		return NULL;
	for (int i = 0; i < n; i++)
		if (kind[i] == YYSYMBOL_CLOSE || kind[i] == YYSYMBOL_CLOSE_LIST)
			return &s->last_bracket;
	return NULL;
}

static int yyreport_syntax_error(const yypcontext_t *context, struct syntax *s, void *scanner)
{
	yysymbol_kind_t kind[YYNTOKENS];
	yysymbol_kind_t found = yypcontext_token(context);
	struct span at = *yypcontext_location(context);
	int n = yypcontext_expected_tokens(context, kind, YYNTOKENS);
	const struct span *open;
	bool semicolon = false;
	char expected[200], what[80];

	(void)scanner;
	if (++s->errors >= MAX_SYNTAX_ERRORS && !s->stop) {
		s->stop = true;
		diag_error(s->diag, at, "too many errors, the rest of the file is not read");
		return 0;
	}
	if (s->stop)
		return 0;
	for (int i = 0; i < n; i++)
		semicolon |= kind[i] == YYSYMBOL_SEMICOLON;
	if (semicolon && s->last_end && !s->unmatched && (found == YYSYMBOL_CLOSE_BLOCK || found == YYSYMBOL_OPEN_BLOCK || on_later_line(s, at))) {
		diag_error(s->diag, (struct span){ at.file, s->last_end - 1, s->last_end },
			   "missing \";\" after this");
		return 0;
	}
	if (found == YYSYMBOL_WORD || found == YYSYMBOL_NUMBER || is_keyword(found))
		snprintf(what, sizeof what, "\"%.*s\"", (int)(at.end - at.start > 40 ? 40 : at.end - at.start),
			 s->text + at.start);
	else
		symbol_text(found, what, sizeof what);
	open = open_bracket(s, found, kind, n);
	if (open) {
		diag_error(s->diag, at, "unexpected %s inside brackets", what);
		diag_note(s->diag, *open, "opened here");
		return 0;
	}
	if (s->unmatched) {
		diag_error(s->diag, at, "%s closes nothing", what);
		return 0;
	}
	if (found == YYSYMBOL_YYEOF && s->nesting) {
		diag_error(s->diag, at, "file ends before a bracket is closed");
		diag_note(s->diag, s->open[s->nesting], "opened here");
		return 0;
	}
	list_expected(expected, sizeof expected, kind, n);
	diag_error(s->diag, at, "unexpected %s%s", what, expected);
	return 0;
}

/* Only for a parser stack that is full. */
static void dslyyerror(struct span *at, struct syntax *s, void *scanner, const char *message)
{
	(void)scanner;
	(void)message;
	s->errors++;
	s->stop = true;
	diag_error(s->diag, *at, "nested too deeply");
}
