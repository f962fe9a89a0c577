/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_tree.c - ensembles of decision trees of ai.onnx.ml.
 *
 * All trees go down one level at a time: for each row and tree, the number of
 * the node that it has come to. A level is a few Gathers from tables with one
 * row for each node; leaves lead to themselves, so that as many levels as the
 * deepest tree has are enough for all. Then the weights of the leaves are
 * summed over the trees.
 */
#include "config.h"

#include "import/onnx_ops.h"

#include <math.h>
#include <string.h>

enum { MOST_NODES = 1 << 22, MOST_LEVELS = 128, MOST_WEIGHTS = 1 << 26, MOST_CLASSES = 1 << 16 };

struct ensemble {
	uint32_t nodes, trees, levels, columns;
	int64_t *feature, *yes, *no, *root; /* columns of x; numbers of nodes */
	float *value, *missing;		    /* missing: 1 where a row without the number goes on with yes */
	float *weight;			    /* [nodes, columns] */
	bool *leaf;
	bool any_missing, all_positive;
	uint32_t used, last; /* how many columns have weights; one that has */
	const char *mode;
};

static const int64_t *ints(struct call *c, const char *name, uint32_t want)
{
	uint32_t n;
	const int64_t *list = call_ints(c, name, &n);

	if (!list || n != want)
		call_fail(c, "attribute \"%s\" has %u numbers, not %u", name, n, want);
	return c->failed ? NULL : list;
}

static const float *floats(struct call *c, const char *name, uint32_t want)
{
	const Onnx__AttributeProto *a = call_attr(c, name);

	if (!a || a->n_floats != want)
		call_fail(c, "attribute \"%s\" has %zu numbers, not %u", name, a ? a->n_floats : 0, want);
	return c->failed ? NULL : a->floats;
}

static const char *number_key(struct call *c, int64_t tree, int64_t node)
{
	return arena_printf(&c->im->scratch, "%lld.%lld", (long long)tree, (long long)node);
}

/* One comparison for all nodes that have one. */
static bool read_modes(struct call *c, struct ensemble *e)
{
	const Onnx__AttributeProto *a = call_attr(c, "nodes_modes");

	if (!a || a->n_strings != e->nodes)
		return call_fail(c, "attribute \"nodes_modes\" does not fit its nodes");
	for (uint32_t i = 0; i < e->nodes; i++) {
		const char *mode = arena_strndup(&c->im->scratch, (const char *)a->strings[i].data, a->strings[i].len);

		e->leaf[i] = strcmp(mode, "LEAF") == 0;
		if (e->leaf[i])
			continue;
		if (e->mode && strcmp(e->mode, mode) != 0)
			return call_fail(c, "nodes of both %s and %s are not supported", e->mode, mode);
		e->mode = mode;
	}
	e->mode = e->mode ? e->mode : "BRANCH_LEQ";
	return true;
}

/* How far below a root the deepest leaf is; nodes come in any order. */
static bool count_levels(struct call *c, struct ensemble *e)
{
	uint8_t *seen = arena_new_array(&c->im->scratch, uint8_t, e->nodes);
	uint32_t *at = arena_new_array(&c->im->scratch, uint32_t, e->nodes + 1);
	uint32_t *next = arena_new_array(&c->im->scratch, uint32_t, e->nodes + 1), n = e->trees, more;

	for (uint32_t i = 0; i < n; i++)
		at[i] = (uint32_t)e->root[i];
	for (e->levels = 0;; e->levels++) {
		more = 0;
		for (uint32_t i = 0; i < n; i++) {
			if (seen[at[i]]++)
				return call_fail(c, "a node of a tree is reached twice");
			if (e->leaf[at[i]])
				continue;
			next[more++] = (uint32_t)e->yes[at[i]];
			next[more++] = (uint32_t)e->no[at[i]];
			if (more >= e->nodes)
				return call_fail(c, "a node of a tree is reached twice");
		}
		if (!more)
			return true;
		if (e->levels == MOST_LEVELS)
			return call_fail(c, "a tree has more than %d levels", MOST_LEVELS);
		memcpy(at, next, more * sizeof *at);
		n = more;
	}
}

static bool read_nodes(struct call *c, struct ensemble *e, int64_t width, struct map *numbers)
{
	uint32_t n;
	const int64_t *tree = call_ints(c, "nodes_treeids", &n), *id, *feature, *yes, *no, *track;
	const float *value;
	uint32_t at;

	if (!tree || !n || n > MOST_NODES)
		return call_fail(c, "%u nodes are not supported", n);
	e->nodes = n;
	id = ints(c, "nodes_nodeids", n);
	feature = ints(c, "nodes_featureids", n);
	yes = ints(c, "nodes_truenodeids", n);
	no = ints(c, "nodes_falsenodeids", n);
	value = floats(c, "nodes_values", n);
	track = call_attr(c, "nodes_missing_value_tracks_true") ? ints(c, "nodes_missing_value_tracks_true", n) : NULL;
	call_attr(c, "nodes_hitrates");
	e->leaf = arena_new_array(&c->im->scratch, bool, n);
	if (c->failed || !read_modes(c, e))
		return false;
	e->feature = arena_new_array(&c->im->scratch, int64_t, n);
	e->yes = arena_new_array(&c->im->scratch, int64_t, n);
	e->no = arena_new_array(&c->im->scratch, int64_t, n);
	e->root = arena_new_array(&c->im->scratch, int64_t, n);
	e->value = arena_new_array(&c->im->scratch, float, n);
	e->missing = arena_new_array(&c->im->scratch, float, n);
	for (uint32_t i = 0; i < n; i++) {
		if (map_get(numbers, number_key(c, tree[i], id[i]), NULL))
			return call_fail(c, "node %lld of tree %lld is there twice", (long long)id[i], (long long)tree[i]);
		map_put(&c->im->scratch, numbers, number_key(c, tree[i], id[i]), i);
		if (i == 0 || tree[i] != tree[i - 1])
			e->root[e->trees++] = i;
	}
	for (uint32_t i = 0; i < n; i++) {
		e->yes[i] = e->no[i] = i;
		if (e->leaf[i])
			continue;
		e->feature[i] = feature[i];
		e->value[i] = value[i];
		e->missing[i] = track && track[i];
		e->any_missing |= track && track[i];
		if (feature[i] < 0 || feature[i] >= width)
			return call_fail(c, "column %lld is outside of %lld", (long long)feature[i], (long long)width);
		if (!map_get(numbers, number_key(c, tree[i], yes[i]), &at))
			return call_fail(c, "tree %lld has no node %lld", (long long)tree[i], (long long)yes[i]);
		e->yes[i] = at;
		if (!map_get(numbers, number_key(c, tree[i], no[i]), &at))
			return call_fail(c, "tree %lld has no node %lld", (long long)tree[i], (long long)no[i]);
		e->no[i] = at;
	}
	return count_levels(c, e);
}

/* prefix: "class" or "target" */
static bool read_weights(struct call *c, struct ensemble *e, const char *prefix, const struct map *numbers)
{
	struct arena *a = &c->im->scratch;
	uint32_t n, at;
	const int64_t *tree = call_ints(c, arena_printf(a, "%s_treeids", prefix), &n);
	const int64_t *node = ints(c, arena_printf(a, "%s_nodeids", prefix), n), *column;
	const float *weight = floats(c, arena_printf(a, "%s_weights", prefix), n);
	uint8_t *used;

	column = ints(c, arena_printf(a, "%s_ids", prefix), n);
	if (!tree || c->failed)
		return call_fail(c, "its weights are missing");
	if ((uint64_t)e->nodes * e->columns > MOST_WEIGHTS)
		return call_fail(c, "%u nodes with %u weights are too many", e->nodes, e->columns);
	e->weight = arena_new_array(a, float, (size_t)e->nodes * e->columns);
	used = arena_new_array(a, uint8_t, e->columns);
	e->all_positive = true;
	for (uint32_t i = 0; i < n; i++) {
		if (!map_get(numbers, number_key(c, tree[i], node[i]), &at) || column[i] < 0 || column[i] >= e->columns)
			return call_fail(c, "weight %u belongs to nothing", i);
		e->weight[(size_t)at * e->columns + (size_t)column[i]] += weight[i];
		e->all_positive &= weight[i] >= 0;
		e->used += !used[column[i]];
		used[column[i]] = 1;
		e->last = (uint32_t)column[i];
	}
	return true;
}

static value_id table(struct call *c, enum dtype t, uint32_t n, const void *data)
{
	size_t size = dtype_size(t) * n;

	return graph_add_const_bytes(c->g, t, (struct shape){ 1, { n } }, arena_copy(c->im->a, data, size));
}

static value_id look_up(struct call *c, value_id from, value_id at)
{
	return emit(c, OP_gather, (value_id[]){ from, at }, 2, &attr_int(axis, 0), 1);
}

static value_id compared(struct call *c, const char *mode, value_id x, value_id y)
{
	static const struct {
		const char *name;
		enum op op;
	} ways[] = { { "BRANCH_LEQ", OP_less_equal }, { "BRANCH_LT", OP_less }, { "BRANCH_GTE", OP_greater_equal },
		     { "BRANCH_GT", OP_greater }, { "BRANCH_EQ", OP_equal } };

	for (size_t i = 0; i < sizeof ways / sizeof *ways; i++)
		if (strcmp(ways[i].name, mode) == 0)
			return emit2(c, ways[i].op, x, y);
	if (strcmp(mode, "BRANCH_NEQ") == 0)
		return emit1(c, OP_logical_not, emit2(c, OP_equal, x, y));
	call_fail(c, "nodes of %s are not supported", mode);
	return NO_ID;
}

/* The leaf of each row in each tree: [rows, trees]. */
static value_id leaves(struct call *c, const struct ensemble *e, value_id x)
{
	struct shape s = shape_of(c, x), all = { 2, { s.dim[0], e->trees } };
	value_id at = emit_expand(c, table(c, DTYPE_I64, e->trees, e->root), &all);
	value_id feature = table(c, DTYPE_I64, e->nodes, e->feature), value = table(c, DTYPE_F32, e->nodes, e->value);
	value_id yes = table(c, DTYPE_I64, e->nodes, e->yes), no = table(c, DTYPE_I64, e->nodes, e->no);
	value_id missing = table(c, DTYPE_F32, e->nodes, e->missing), number, go;

	for (uint32_t i = 0; i < e->levels; i++) {
		number = emit(c, OP_gather_elements, (value_id[]){ x, look_up(c, feature, at) }, 2, &attr_int(axis, 1), 1);
		go = compared(c, e->mode, number, look_up(c, value, at));
		if (e->any_missing) {
			value_id lost = emit2(c, OP_logical_and, emit1(c, OP_is_nan, number),
					      emit2(c, OP_greater, look_up(c, missing, at), emit_scalar(c, DTYPE_F32, 0)));

			go = emit2(c, OP_logical_or, go, lost);
		}
		at = emit3(c, OP_where, go, look_up(c, yes, at), look_up(c, no, at));
	}
	return at;
}

/* Weights over all trees: [rows, columns]; how: SUM, AVERAGE, MIN or MAX. */
static value_id summed(struct call *c, const struct ensemble *e, value_id x, const char *how)
{
	struct shape s = { 2, { e->nodes, e->columns } };
	size_t size = (size_t)e->nodes * e->columns * sizeof *e->weight;
	value_id w = graph_add_const_bytes(c->g, DTYPE_F32, s, arena_copy(c->im->a, e->weight, size));
	static const char *const names[] = { "SUM", "AVERAGE", "MIN", "MAX" };
	static const enum op ops[] = { OP_reduce_sum, OP_reduce_mean, OP_reduce_min, OP_reduce_max };
	const int64_t trees = 1;
	struct attr attr[2] = { attr_ints(axes, &trees, 1), attr_int(keepdims, 0) };
	value_id y = look_up(c, w, leaves(c, e, x));

	for (size_t i = 0; i < 4; i++)
		if (strcmp(names[i], how) == 0)
			return emit(c, ops[i], &y, 1, attr, 2);
	call_fail(c, "aggregate_function \"%s\" is not known", how);
	return NO_ID;
}

static value_id read_ensemble(struct call *c, struct ensemble *e, const char *prefix, const char *how)
{
	struct map numbers = { 0 };
	value_id x = emit_cast(c, call_in(c, 0), DTYPE_F32);
	struct shape s = shape_of(c, x);

	if (s.rank != 2) {
		call_fail(c, "its input must be rows of numbers");
		return NO_ID;
	}
	if (!read_nodes(c, e, s.dim[1], &numbers) || !read_weights(c, e, prefix, &numbers))
		return NO_ID;
	return summed(c, e, x, how);
}

static value_id with_base(struct call *c, value_id y, uint32_t columns)
{
	const Onnx__AttributeProto *base = call_attr(c, "base_values");

	if (!base || !base->n_floats || c->failed)
		return y;
	if (base->n_floats != 1 && base->n_floats != columns) {
		call_fail(c, "%zu base values for %u columns are not supported", base->n_floats, columns);
		return NO_ID;
	}
	return emit2(c, OP_add, y, table(c, DTYPE_F32, (uint32_t)base->n_floats, base->floats));
}

bool op_tree_regressor(struct call *c)
{
	int64_t targets = call_int(c, "n_targets", 1);
	struct ensemble e = { .columns = (uint32_t)targets };
	value_id y;

	if (targets < 1 || targets > MOST_CLASSES)
		return call_fail(c, "%lld targets are out of range", (long long)targets);
	y = read_ensemble(c, &e, "target", call_string(c, "aggregate_function", "SUM"));
	call_out(c, 0, onnx_ml_transformed(c, with_base(c, y, e.columns)));
	return !c->failed;
}

static value_id pair(struct call *c, value_id first, value_id second)
{
	return emit(c, OP_concat, (value_id[]){ first, second }, 2, &attr_int(axis, 1), 1);
}

/* Two classes, and weights of one of them: a share where no weight is below 0, else a number around 0. */
static value_id is_second(struct call *c, const struct ensemble *e, value_id y)
{
	value_id above = emit2(c, OP_greater, y, emit_like(c, y, e->all_positive ? 0.5 : 0));

	return emit_cast(c, emit_reshape(c, above, &(struct shape){ 1, { shape_of(c, y).dim[0] } }), DTYPE_I64);
}

/* Both scores out of those of the second class, which stand in the first column. */
static value_id both_scores(struct call *c, const struct ensemble *e, value_id y)
{
	const char *after = call_string(c, "post_transform", "NONE");
	value_id minus;

	if (e->all_positive)
		return pair(c, emit2(c, OP_sub, emit_like(c, y, 1), y), y);
	minus = emit1(c, OP_neg, y);
	if (strcmp(after, "LOGISTIC") == 0)
		return pair(c, emit1(c, OP_sigmoid, minus), emit1(c, OP_sigmoid, y));
	return pair(c, minus, y);
}

bool op_tree_classifier(struct call *c)
{
	const Onnx__AttributeProto *texts = call_attr(c, "classlabels_strings");
	uint32_t n;
	const int64_t *labels = call_ints(c, "classlabels_int64s", &n);
	struct ensemble e = { .columns = labels && n ? n : texts ? (uint32_t)texts->n_strings : 0 };
	struct attr best[2] = { attr_int(axis, 1), attr_int(keepdims, 0) };
	value_id y, at;

	if (e.columns < 1 || e.columns > MOST_CLASSES)
		return call_fail(c, "%u classes are not supported", e.columns);
	y = read_ensemble(c, &e, "class", "SUM");
	if (e.columns == 2 && e.used == 1 && !c->failed) {
		value_id one = emit_slice(c, y, 1, e.last, 1);

		one = e.last ? one : with_base(c, one, 1);
		y = e.last ? with_base(c, y, 2) : y;
		call_out(c, 1, e.last ? onnx_ml_transformed(c, y) : both_scores(c, &e, one));
		at = is_second(c, &e, one);
	} else {
		y = with_base(c, y, e.columns);
		call_out(c, 1, onnx_ml_transformed(c, y));
		at = emit(c, OP_arg_max, &y, 1, best, 2);
	}
	return onnx_ml_labels(c, labels, n, at);
}
