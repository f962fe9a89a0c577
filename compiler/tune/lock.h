/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock.h - FILE.tune.json: what a search found, for builds that repeat it.
 *
 *	{"edge_tune": 1, "models": {"detect": {"model": "9f2c...", "device": "host native ...",
 *	 "config": {"format.conv": "q4", ...}, ...}}}
 *
 * The entry says what it was measured with. edgec compile applies it to the
 * same model for the same device and refuses it otherwise.
 */
#ifndef EDGE_TUNE_LOCK_H
#define EDGE_TUNE_LOCK_H

#include "base/json_tree.h"
#include "ir/graph.h"
#include "target/target.h"

/* One decision: a knob's name and its value as text. */
struct knob_value {
	const char *name, *value;
};

struct knob_values {
	struct knob_value *data;
	uint32_t len, cap;
};

struct lock_entry {
	const char *model;    /* its name in the .edge file */
	const char *identity; /* of the model's contents */
	const char *device;
	struct knob_values config;
	const struct jtree *json; /* all of it */
};

struct lock {
	const char *path;
	VEC(struct lock_entry) entries;
};

/* "dir/net.tune.json" for "dir/net.edge". */
const char *lock_path(struct arena *a, const char *edge_file);
/* A file that is not there has no entries, unless it is required. False: said why. */
bool lock_read(struct arena *a, struct diag *d, const char *path, bool required, struct lock *out);
const struct lock_entry *lock_find(const struct lock *l, const char *model);
/* Replaces or adds the model's entry, given as the text of its JSON object. */
bool lock_write(struct diag *d, const struct lock *l, const char *model, const char *entry);

/* What a model is made of: its graph after import and the contents of its files. NULL: said why. */
const char *model_identity(struct arena *a, struct diag *d, const struct graph *g);
/* As declared; for the built-in device also the CPU of this machine. */
const char *device_identity(struct arena *a, const struct target *t);
/* False: the entry was made for something else; said what, and how to go on. */
bool lock_fresh(struct arena *a, struct diag *d, const struct lock *l, const struct lock_entry *e,
		const struct graph *g, const struct target *t);

#endif
