/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reply.c - the ladder: JSON, a choice, its text (or a tool call's arguments),
 * an object in it, knobs, values, constraints.
 *
 * Nothing here trusts anything: texts are cut before they are repeated, the
 * JSON's depth is bounded (json_tree.h), and what is not understood is counted
 * and said in the next prompt.
 */
#include "config.h"

#include "tune/reply.h"

#include <stdlib.h>
#include <string.h>

enum { QUOTED = 60, MAX_NOTES = 2000 };

/* At most QUOTED characters, printable. */
static const char *shown(struct arena *a, const char *s)
{
	char *out = arena_strndup(a, s, strnlen(s, QUOTED));

	for (char *p = out; *p; p++)
		if ((unsigned char)*p < 32 || *p == 127)
			*p = ' ';
	return out;
}

static void note(struct reply *r, const char *text)
{
	if (r->notes.len > MAX_NOTES)
		return;
	strbuf_printf(&r->notes, "- %s\n", text);
}

const char *reply_error(struct arena *a, const char *body, size_t len)
{
	const struct jtree *j = jtree_parse(a, body, len), *e = jtree_get(j, "error");
	const char *text = jtree_string(e, "message");

	if (!text)
		text = jtree_string(j, "message");
	if (!text)
		text = jtree_string(j, "error");
	if (!text)
		text = arena_strndup(a, body, len < 200 ? len : 200);
	return shown(a, text);
}

/* content is a string, null, or an array of parts. */
static const char *content_of(struct arena *a, const struct jtree *message)
{
	const struct jtree *content = jtree_get(message, "content");
	struct strbuf b = { 0 };
	const char *out;

	if (content && content->kind == JSON_STRING)
		return content->string;
	for (const struct jtree *p = content && content->kind == JSON_ARRAY ? content->first : NULL; p; p = p->next)
		if (jtree_string(p, "text"))
			strbuf_puts(&b, jtree_string(p, "text"));
	out = b.len ? arena_strdup(a, strbuf_str(&b)) : NULL;
	strbuf_free(&b);
	return out;
}

/* The end of the object that starts at p, or NULL. */
static const char *object_end(const char *p)
{
	int depth = 0;
	bool quoted = false;

	for (; *p; p++) {
		if (quoted) {
			if (*p == '\\' && p[1])
				p++;
			else if (*p == '"')
				quoted = false;
		} else if (*p == '"') {
			quoted = true;
		} else if (*p == '{') {
			depth++;
		} else if (*p == '}' && --depth == 0) {
			return p + 1;
		}
	}
	return NULL;
}

/* The last object of the text that is JSON, after any thinking aloud. */
static const struct jtree *object_in(struct arena *a, const char *text)
{
	const char *think = text, *end;
	const struct jtree *found = NULL;
	int tries = 0;

	while ((end = strstr(think, "</think>")))
		think = end + 8;
	for (const char *p = strchr(think, '{'); p && tries < 100; tries++) {
		const struct jtree *j;

		end = object_end(p);
		j = end ? jtree_parse(a, p, (size_t)(end - p)) : NULL;
		if (j)
			found = j;
		p = strchr(j ? end : p + 1, '{');
	}
	return found;
}

static const char *as_text(struct arena *a, const struct jtree *v)
{
	struct strbuf b = { 0 };
	const char *out;

	if (v->kind == JSON_STRING)
		return v->string;
	if (v->kind == JSON_BOOL)
		return v->boolean ? "1" : "0";
	if (v->kind != JSON_NUMBER)
		return NULL;
	jtree_put_number(&b, v->number);
	out = arena_strdup(a, strbuf_str(&b));
	strbuf_free(&b);
	return out;
}

static void read_config(struct arena *a, const struct space *s, const double *best, const struct jtree *config,
			struct reply *r)
{
	double *x = config_copy(s, best);
	const char *violated;
	uint32_t known = 0;

	for (const struct jtree *m = config->first; m; m = m->next) {
		uint32_t k = space_find(s, m->key);
		const char *text = as_text(a, m);
		double v;
		bool exact;

		if (k == NO_ID) {
			if (r->unknown++ < 3)
				note(r, arena_printf(a, "there is no knob \"%s\"; it was ignored", shown(a, m->key)));
			continue;
		}
		if (!text || !knob_parse(s, k, text, &v, &exact)) {
			r->snapped++;
			note(r, arena_printf(a, "%s cannot be \"%s\"; the best value so far was kept", m->key,
					     text ? shown(a, text) : "that"));
			continue;
		}
		if (!exact) {
			r->snapped++;
			note(r, arena_printf(a, "%s = %s is out of range; %s was taken", m->key, shown(a, text), knob_text(s, k, v)));
		}
		x[k] = v;
		known++;
	}
	config_canonical(s, x);
	violated = config_violates(s, x);
	if (!known) {
		r->rejected++;
		note(r, "a proposal named no knob that exists");
	} else if (violated) {
		r->rejected++;
		note(r, arena_printf(a, "a proposal violates %s", violated));
	} else {
		r->config[r->count++] = x;
	}
}

static void read_proposals(struct arena *a, const struct space *s, const double *best, const struct jtree *j,
			   struct reply *r)
{
	const struct jtree *config = jtree_get(j, "config"), *many = jtree_get(j, "proposals");
	const char *action = jtree_string(j, "action");

	r->stop = action && !strcmp(action, "stop");
	if (config && config->kind == JSON_OBJECT)
		read_config(a, s, best, config, r);
	for (const struct jtree *p = many && many->kind == JSON_ARRAY ? many->first : NULL; p && r->count < REPLY_PROPOSALS;
	     p = p->next) {
		const struct jtree *inner = jtree_get(p, "config");

		if (p->kind == JSON_OBJECT && (!inner || inner->kind == JSON_OBJECT))
			read_config(a, s, best, inner ? inner : p, r);
	}
	if (!config && !many && j->count) /* the configuration itself */
		read_config(a, s, best, j, r);
	if (!r->count && !r->stop)
		r->error = r->notes.len ? "no proposal can be used" : "the reply has no \"proposals\"";
}

void reply_read(struct arena *a, const struct space *s, const double *best, const char *body, size_t len, struct reply *out)
{
	const struct jtree *root, *choice, *message, *call, *arguments, *object = NULL;
	const char *text, *reason;

	*out = (struct reply){ 0 };
	root = jtree_parse(a, body, len);
	choice = jtree_at(jtree_get(root, "choices"), 0);
	message = jtree_get(choice, "message");
	if (!message) {
		out->error = root ? "the reply has no choices" : "the reply is not JSON";
		return;
	}
	out->tokens = jtree_number(jtree_get(root, "usage"), "total_tokens", 0);
	reason = jtree_string(choice, "finish_reason");
	out->truncated = reason && !strcmp(reason, "length");
	if (jtree_string(message, "refusal")) {
		out->error = "the model refused";
		return;
	}
	text = content_of(a, message);
	if (text)
		object = object_in(a, text);
	call = jtree_get(jtree_at(jtree_get(message, "tool_calls"), 0), "function");
	arguments = jtree_get(call, "arguments");
	if (!object && arguments && arguments->kind == JSON_STRING)
		object = object_in(a, arguments->string);
	else if (!object && arguments && arguments->kind == JSON_OBJECT)
		object = arguments;
	if (object)
		read_proposals(a, s, best, object, out);
	else if (out->truncated)
		out->error = "the reply was cut off";
	else
		out->error = !text || !*text ? "the reply is empty" : "the reply holds no JSON object";
}
