/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cmd_tokenize.c - edgert tokenize: the tokens that a plan's model makes of a text.
 *
 * It reads the plan's tables and nothing else: no device is opened, no weight read.
 */
#include "config.h"

#include "stream/plan_file.h"
#include "tools/language_tool.h"
#include "tools/tool.h"

#include <getopt.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_TEXT = 256, OPT_PROMPT, OPT_PLAIN, OPT_JSON };

static const struct option options[] = {
	{ "text", required_argument, NULL, OPT_TEXT },
	{ "prompt", required_argument, NULL, OPT_PROMPT },
	{ "plain", no_argument, NULL, OPT_PLAIN },
	{ "json", no_argument, NULL, OPT_JSON },
	{ NULL, 0, NULL, 0 },
};

struct tokenize {
	const char *plan, *path, *prompt;
	bool plain, json;
};

/* A piece may hold NUL, which JSON's strings of C cannot: it ends there. */
static void piece_json(struct json *j, const struct tokenizer *t, int32_t id)
{
	uint32_t n;
	const char *piece = tokenizer_piece(t, id, &n);
	char *text = strndup(piece, n);

	language_json_text(j, NULL, text ? text : "");
	free(text);
}

static void print(const struct tokenize *o, const struct tokenizer *t, const struct tokens *tokens)
{
	struct json j;

	if (!o->json) {
		for (uint64_t i = 0; i < tokens->count; i++)
			printf("%s%d", i ? " " : "", tokens->id[i]);
		putchar('\n');
		return;
	}
	json_begin(&j, stdout);
	json_object(&j, NULL);
	json_u64(&j, "count", tokens->count);
	json_array(&j, "tokens");
	for (uint64_t i = 0; i < tokens->count; i++)
		json_i64(&j, NULL, tokens->id[i]);
	json_close(&j);
	json_array(&j, "pieces");
	for (uint64_t i = 0; i < tokens->count; i++)
		piece_json(&j, t, tokens->id[i]);
	json_close(&j);
	json_close(&j);
	json_end(&j);
}

static enum edge_status work(const struct tokenize *o, const struct edge_plan *p, struct failure *f)
{
	unsigned flags = TOKENIZE_START | (o->plain ? 0 : TOKENIZE_SPECIAL);
	struct tokens tokens = { 0 };
	enum edge_status st = EDGE_OK;
	struct tokenizer t;
	char *text = NULL;
	size_t size = o->prompt ? strlen(o->prompt) : 0;

	if (!p->generate)
		return rt_fail(f, EDGE_ARGUMENT, "plan \"%s\" does not generate text", o->plan);
	tokenizer_open(p, &t);
	if (o->path)
		st = language_load_text(o->path, &text, &size, f);
	if (st == EDGE_OK)
		st = tokenizer_encode(&t, text ? text : o->prompt, size, flags, &tokens, f);
	if (st == EDGE_OK)
		print(o, &t, &tokens);
	tokens_free(&tokens);
	free(text);
	return st;
}

static int parse(int argc, char **argv, struct tokenize *o)
{
	int c;

	optind = 1;
	opterr = 0;
	while ((c = getopt_long(argc, argv, ":", options, NULL)) != -1) {
		switch (c) {
		case OPT_TEXT: o->path = optarg; break;
		case OPT_PROMPT: o->prompt = optarg; break;
		case OPT_PLAIN: o->plain = true; break;
		case OPT_JSON: o->json = true; break;
		case ':': return tool_usage_error("option \"%s\" needs a value", argv[optind - 1]);
		default: return tool_usage_error("%s has no option \"%s\"", argv[0], argv[optind - 1]);
		}
	}
	if (optind + 1 != argc)
		return tool_usage_error(optind == argc ? "%s needs a plan" : "%s takes one plan", argv[0]);
	if (!o->path == !o->prompt)
		return tool_usage_error("%s needs --text FILE or --prompt TEXT", argv[0]);
	o->plan = argv[optind];
	return TOOL_OK;
}

int cmd_tokenize(int argc, char **argv)
{
	struct failure f = { .status = EDGE_OK };
	struct tokenize o = { .plan = NULL };
	struct plan_file file;
	struct edge_plan p;
	int status = parse(argc, argv, &o);

	if (status != TOOL_OK)
		return status;
	if (tool_open_checked(o.plan, &file, &p, &f) != EDGE_OK || work(&o, &p, &f) != EDGE_OK)
		status = tool_error("%s", f.text);
	plan_file_close(&file);
	if (status == TOOL_OK && fflush(stdout) != 0)
		return tool_error("could not write the tokens");
	return status;
}
