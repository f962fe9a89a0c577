/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain_html.c - an explanation to look at.
 *
 * The page is page.html, or train_page.html, with the same JSON that explain_json() prints in its
 * middle; all drawing is done by the script in the page, which loads nothing.
 */
#include "config.h"

#include "plan/explain.h"
#include "plan/page.h"

int explain_html(const struct edge_plan *p, FILE *out)
{
	const char *const *before = p->train ? train_page_before : page_before;
	const char *const *after = p->train ? train_page_after : page_after;
	struct explain e;

	explain_init(&e, p);
	for (const char *const *line = before; *line; line++)
		fputs(*line, out);
	explain_json_object(&e, out);
	for (const char *const *line = after; *line; line++)
		fputs(*line, out);
	explain_free(&e);
	return fflush(out) || ferror(out) ? -1 : 0;
}
