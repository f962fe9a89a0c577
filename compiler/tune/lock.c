/* SPDX-License-Identifier: Apache-2.0 */
/* lock.c - reading, checking and writing FILE.tune.json. */
#include "config.h"

#include "tune/lock.h"

#include "base/file.h"
#include "edge/plan_read.h"
#include "target/tuning.h"

#include <ctype.h>
#include <errno.h>
#include <string.h>

enum { MAX_LOCK = 16 << 20, MAX_KNOBS = 100000 };

const char *lock_path(struct arena *a, const char *edge_file)
{
	size_t n = strlen(edge_file);

	if (n > 5 && !strcmp(edge_file + n - 5, ".edge"))
		n -= 5;
	return arena_printf(a, "%.*s.tune.json", (int)n, edge_file);
}

static bool read_entry(struct arena *a, const struct jtree *j, struct lock_entry *out)
{
	const struct jtree *config = jtree_get(j, "config");

	*out = (struct lock_entry){ .model = j->key, .identity = jtree_string(j, "model"),
				    .device = jtree_string(j, "device"), .json = j };
	if (!out->identity || !out->device || !config || config->kind != JSON_OBJECT || config->count > MAX_KNOBS)
		return false;
	for (const struct jtree *m = config->first; m; m = m->next) {
		if (m->kind != JSON_STRING)
			return false;
		vec_push(a, &out->config, (struct knob_value){ m->key, m->string });
	}
	return true;
}

bool lock_read(struct arena *a, struct diag *d, const char *path, bool required, struct lock *out)
{
	const struct jtree *root = NULL, *models;
	struct mapped_file f;

	*out = (struct lock){ .path = path };
	if (!file_map(path, &f)) {
		if (errno == ENOENT && !required)
			return true;
		diag_error(d, NO_SPAN, "could not open \"%s\": %s", path, strerror(errno));
		return false;
	}
	if (f.data && f.size <= MAX_LOCK)
		root = jtree_parse(a, (const char *)f.data, f.size);
	file_unmap(&f);
	models = jtree_get(root, "models");
	if (!models || models->kind != JSON_OBJECT || jtree_number(root, "edge_tune", 0) != 1) {
		diag_error(d, NO_SPAN, "\"%s\" is no lock file of edgec tune", path);
		diag_hint(d, "Run edgec tune again, or compile with --no-lock.");
		return false;
	}
	for (const struct jtree *m = models->first; m; m = m->next) {
		struct lock_entry e;

		if (!read_entry(a, m, &e)) {
			diag_error(d, NO_SPAN, "\"%s\": the entry of model \"%s\" is not complete", path, m->key);
			diag_hint(d, "Run edgec tune again, or compile with --no-lock.");
			return false;
		}
		vec_push(a, &out->entries, e);
	}
	return true;
}

const struct lock_entry *lock_find(const struct lock *l, const char *model)
{
	for (uint32_t i = 0; i < l->entries.len; i++)
		if (!strcmp(l->entries.data[i].model, model))
			return &l->entries.data[i];
	return NULL;
}

bool lock_write(struct diag *d, const struct lock *l, const char *model, const char *entry)
{
	struct strbuf b = { 0 };
	struct output_file out;
	bool first = true, good;

	strbuf_puts(&b, "{\"edge_tune\": 1, \"models\": {");
	for (uint32_t i = 0; i < l->entries.len; i++) {
		if (!strcmp(l->entries.data[i].model, model))
			continue;
		strbuf_puts(&b, first ? "\n" : ",\n");
		first = false;
		jtree_put_string(&b, l->entries.data[i].model);
		strbuf_puts(&b, ": ");
		jtree_print(&b, l->entries.data[i].json);
	}
	strbuf_puts(&b, first ? "\n" : ",\n");
	jtree_put_string(&b, model);
	strbuf_printf(&b, ": %s\n}}\n", entry);
	good = output_open(&out, l->path);
	if (good) {
		fwrite(strbuf_str(&b), 1, b.len, out.stream);
		good = output_commit(&out);
	}
	if (!good)
		diag_error(d, NO_SPAN, "could not write \"%s\": %s", l->path, strerror(errno));
	strbuf_free(&b);
	return good;
}

/* ---- what it was measured with */

/* The graph's text without the lines that name files: a model may move. */
static uint64_t hash_structure(const struct graph *g)
{
	struct strbuf text = { 0 }, kept = { 0 };
	const char *p;
	uint64_t h;

	graph_print(g, &text);
	for (p = strbuf_str(&text); *p;) {
		size_t n = strcspn(p, "\n");

		n += p[n] == '\n';
		if (strncmp(p, "file ", 5) != 0 && strncmp(p, "graph ", 6) != 0)
			strbuf_add(&kept, p, n);
		p += n;
	}
	h = edge_xxh3(strbuf_str(&kept), kept.len);
	strbuf_free(&text);
	strbuf_free(&kept);
	return h;
}

const char *model_identity(struct arena *a, struct diag *d, const struct graph *g)
{
	uint64_t *h = arena_new_array(a, uint64_t, g->files.len + 1);

	h[0] = hash_structure(g);
	for (uint32_t i = 0; i < g->files.len; i++) {
		struct mapped_file f;

		if (!file_map(g->files.data[i].path, &f)) {
			diag_error(d, NO_SPAN, "could not open \"%s\": %s", g->files.data[i].path, strerror(errno));
			return NULL;
		}
		h[i + 1] = edge_xxh3(f.data ? (const void *)f.data : "", f.size);
		file_unmap(&f);
	}
	return arena_printf(a, "%016llx", (unsigned long long)edge_xxh3(h, (g->files.len + 1) * sizeof *h));
}

/* "model name" of the first CPU, or what the architecture calls itself. */
static const char *own_cpu(struct arena *a)
{
	char line[512], *p, *name = NULL;
	FILE *f = fopen("/proc/cpuinfo", "r");

	while (f && !name && fgets(line, sizeof line, f)) {
		p = strchr(line, ':');
		if (!p || (strncmp(line, "model name", 10) != 0 && strncmp(line, "CPU part", 8) != 0))
			continue;
		for (p++; isspace((unsigned char)*p); p++)
			;
		p[strcspn(p, "\r\n")] = '\0';
		name = arena_strdup(a, p);
	}
	if (f)
		fclose(f);
	return name ? name : "unknown";
}

const char *device_identity(struct arena *a, const struct target *t)
{
	const char *cpu = strcmp(t->name, "host") != 0 ? "" : arena_printf(a, ", %s", own_cpu(a));

	if (!t->threads)
		return arena_printf(a, "%s: %s, all threads%s", t->name, tuning_class(t), cpu);
	return arena_printf(a, "%s: %s, %u threads%s", t->name, tuning_class(t), t->threads, cpu);
}

bool lock_fresh(struct arena *a, struct diag *d, const struct lock *l, const struct lock_entry *e,
		const struct graph *g, const struct target *t)
{
	const char *identity = model_identity(a, d, g), *device = device_identity(a, t);

	if (!identity)
		return false;
	if (!strcmp(identity, e->identity) && !strcmp(device, e->device))
		return true;
	if (strcmp(identity, e->identity) != 0)
		diag_error(d, NO_SPAN, "\"%s\" was tuned for another model \"%s\": its file or its shapes have changed",
			   l->path, e->model);
	else
		diag_error(d, NO_SPAN, "\"%s\" was tuned on another device: \"%s\", and this is \"%s\"", l->path, e->device,
			   device);
	diag_hint(d, "Run edgec tune again, compile with --no-lock, or remove the file.");
	return false;
}
