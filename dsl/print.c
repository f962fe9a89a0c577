/* SPDX-License-Identifier: Apache-2.0 */
/*
 * print.c - the tree as text: one line a statement, expressions with every
 * bracket, so that precedence and grouping can be read off.
 */
#include "config.h"

#include "dsl.h"
#include "ast.h"

static void print_number(const struct ast_number *n, struct strbuf *out)
{
	if (n->is_integer)
		strbuf_printf(out, "%lld", (long long)n->integer);
	else
		strbuf_printf(out, "%.9g", n->value);
	if (n->unit)
		strbuf_printf(out, " %s", n->unit);
}

static void print_expr(const struct ast_expr *e, struct strbuf *out)
{
	switch (e->kind) {
	case EXPR_NAME:
		strbuf_puts(out, e->text);
		return;
	case EXPR_NUMBER:
		print_number(&e->number, out);
		return;
	case EXPR_STRING:
		ast_quote(out, e->text);
		return;
	case EXPR_LIST:
		strbuf_puts(out, "[");
		break;
	case EXPR_CALL:
		strbuf_printf(out, "(%s", e->text);
		break;
	case EXPR_NEG:
		strbuf_puts(out, "(-");
		break;
	case EXPR_BINARY:
		strbuf_printf(out, "(%c", e->op);
		break;
	case EXPR_ERROR:
		strbuf_puts(out, "(error");
		break;
	}
	for (uint32_t i = 0; i < e->args.len; i++) {
		const struct ast_arg *a = &e->args.data[i];

		if (i || e->kind != EXPR_LIST)
			strbuf_puts(out, " ");
		if (a->name)
			strbuf_printf(out, "%s=", a->name);
		print_expr(a->value, out);
	}
	strbuf_puts(out, e->kind == EXPR_LIST ? "]" : ")");
}

static void print_item(const struct ast_item *item, struct strbuf *out)
{
	strbuf_puts(out, item->comma ? ", " : " ");
	switch (item->kind) {
	case ITEM_WORD:
		strbuf_puts(out, item->text);
		break;
	case ITEM_STRING:
		ast_quote(out, item->text);
		break;
	case ITEM_NUMBER:
		print_number(&item->number, out);
		break;
	case ITEM_PORT:
		strbuf_printf(out, "%s.", item->text);
		strbuf_puts(out, item->port);
		break;
	}
}

static void print_list(const struct ast_list *list, unsigned indent, struct strbuf *out);

static void print_layer(const struct ast_stmt *t, unsigned indent, struct strbuf *out)
{
	strbuf_printf(out, "layer %s", t->name.text);
	for (uint32_t i = 0; i < t->params.len; i++) {
		strbuf_printf(out, " %s", t->params.data[i].name.text);
		if (t->params.data[i].value) {
			strbuf_puts(out, "=");
			print_expr(t->params.data[i].value, out);
		}
	}
	strbuf_puts(out, "\n");
	print_list(&t->body, indent + 1, out);
}

static void print_values(const struct ast_stmt *t, struct strbuf *out)
{
	for (uint32_t i = 0; i < t->values.len; i++) {
		strbuf_puts(out, " ");
		print_expr(t->values.data[i], out);
	}
	strbuf_puts(out, "\n");
}

static void print_stmt(const struct ast_stmt *t, unsigned indent, struct strbuf *out)
{
	strbuf_printf(out, "%*s", (int)indent * 2, "");
	switch (t->kind) {
	case STMT_SETTING:
		strbuf_printf(out, "set %s", t->name.text);
		for (uint32_t i = 0; i < t->items.len; i++)
			print_item(&t->items.data[i], out);
		strbuf_puts(out, "\n");
		return;
	case STMT_INPUT:
		strbuf_puts(out, "input ");
		ast_quote(out, t->name.text);
		strbuf_printf(out, " %s [", t->dtype.text);
		for (uint32_t i = 0; i < t->dims.len; i++) {
			strbuf_puts(out, i ? " " : "");
			print_expr(t->dims.data[i], out);
		}
		strbuf_puts(out, "]\n");
		return;
	case STMT_OUTPUT:
		strbuf_puts(out, "output ");
		ast_quote(out, t->name.text);
		print_values(t, out);
		return;
	case STMT_LET:
		strbuf_printf(out, "let %s", t->name.text);
		print_values(t, out);
		return;
	case STMT_ASSIGN:
		strbuf_puts(out, "assign");
		for (uint32_t i = 0; i < t->targets.len; i++)
			strbuf_printf(out, "%s%s", i ? ", " : " ", t->targets.data[i].text);
		strbuf_puts(out, " =");
		print_values(t, out);
		return;
	case STMT_FOR:
		strbuf_printf(out, "for %s", t->name.text);
		print_values(t, out);
		print_list(&t->body, indent + 1, out);
		return;
	case STMT_RETURN:
		strbuf_puts(out, "return");
		print_values(t, out);
		return;
	case STMT_LAYER:
		print_layer(t, indent, out);
		return;
	}
}

static void print_list(const struct ast_list *list, unsigned indent, struct strbuf *out)
{
	for (uint32_t i = 0; i < list->len; i++)
		print_stmt(list->data[i], indent, out);
}

void dsl_print_ast(const struct ast *ast, struct strbuf *out)
{
	for (uint32_t i = 0; i < ast->decls.len; i++) {
		const struct ast_decl *d = ast->decls.data[i];

		switch (d->kind) {
		case AST_BLOCK:
			strbuf_printf(out, "%s %s\n", d->word.text, d->name.text);
			print_list(&d->body, 1, out);
			break;
		case AST_LAYER:
			print_layer(d->layer, 0, out);
			break;
		case AST_INCLUDE:
			strbuf_printf(out, "%s ", d->word.text);
			ast_quote(out, d->name.text);
			strbuf_puts(out, "\n");
			break;
		}
	}
}
