/* SPDX-License-Identifier: Apache-2.0 */
/*
 * cse.c - the same computation is done once.
 *
 * Every node gets a key: its operation, the values it reads and its attributes
 * (canonical, so equal nodes have equal keys). Small constants are brought
 * together in the same way. One hash table, one walk.
 */
#include "config.h"

#include "pass/simplify.h"

#include <string.h>

enum { SMALL = 256 };

struct table {
	uint32_t *slot; /* value id + 1 */
	uint64_t *hash;
	uint32_t mask;
};

static uint64_t mix(uint64_t h, uint64_t x)
{
	h = (h ^ x) * UINT64_C(0x9fb21c651e98df25);
	return h ^ (h >> 32);
}

static uint64_t mix_bytes(uint64_t h, const void *p, size_t n)
{
	const unsigned char *b = p;

	while (n >= 8) {
		uint64_t w;

		memcpy(&w, b, 8);
		h = mix(h, w);
		b += 8;
		n -= 8;
	}
	for (; n; n--)
		h = mix(h, *b++);
	return h;
}

static bool attr_equal(const struct attr *a, const struct attr *b)
{
	if (a->key != b->key || a->kind != b->kind)
		return false;
	switch (a->kind) {
	case ATTR_INT:
		return a->i == b->i;
	case ATTR_FLOAT:
		return memcmp(&a->f, &b->f, sizeof a->f) == 0;
	case ATTR_INTS:
		return a->count == b->count &&
		       memcmp(a->ints, b->ints, a->count * sizeof *a->ints) == 0;
	default:
		return a->count == b->count &&
		       memcmp(a->floats, b->floats, a->count * sizeof *a->floats) == 0;
	}
}

static bool node_equal(const struct node *a, const struct node *b)
{
	if (a->op != b->op || a->in_count != b->in_count || a->attr_count != b->attr_count ||
	    memcmp(a->in, b->in, a->in_count * sizeof *a->in) != 0)
		return false;
	for (uint32_t i = 0; i < a->attr_count; i++) {
		if (!attr_equal(&a->attr[i], &b->attr[i]))
			return false;
	}
	return true;
}

static uint64_t node_hash(const struct node *n)
{
	uint64_t h = mix(1, n->op);

	h = mix_bytes(h, n->in, n->in_count * sizeof *n->in);
	for (uint32_t i = 0; i < n->attr_count; i++) {
		const struct attr *a = &n->attr[i];

		h = mix(h, (uint64_t)a->key * 8 + a->kind);
		if (a->kind == ATTR_INT)
			h = mix(h, (uint64_t)a->i);
		else if (a->kind == ATTR_FLOAT)
			h = mix_bytes(h, &a->f, sizeof a->f);
		else if (a->kind == ATTR_INTS)
			h = mix_bytes(h, a->ints, a->count * sizeof *a->ints);
		else
			h = mix_bytes(h, a->floats, a->count * sizeof *a->floats);
	}
	return h;
}

/* The bytes of a constant that is small and has them at hand. */
static const void *small_bytes(const struct graph *g, value_id v, size_t *size)
{
	const struct value *x = graph_value(g, v);

	*size = (size_t)shape_elements(&x->shape) * dtype_size(x->dtype);
	return *size <= SMALL ? data_bytes(g, v) : NULL;
}

static bool const_equal(const struct graph *g, value_id a, value_id b)
{
	const struct value *x = graph_value(g, a), *y = graph_value(g, b);
	size_t size, other;
	const void *p, *q;

	if (y->kind != VALUE_CONST || x->dtype != y->dtype || !shape_equal(&x->shape, &y->shape))
		return false;
	p = small_bytes(g, a, &size);
	q = small_bytes(g, b, &other);
	return p && q && memcmp(p, q, size) == 0;
}

static bool same(const struct graph *g, value_id a, value_id b)
{
	const struct value *x = graph_value(g, a), *y = graph_value(g, b);

	if (x->kind == VALUE_CONST)
		return const_equal(g, a, b);
	return y->kind == VALUE_NODE &&
	       node_equal(graph_node(g, x->producer), graph_node(g, y->producer));
}

/* The value that was there before and equals v; v itself when it is the first. */
static value_id find_or_add(const struct graph *g, struct table *t, value_id v, uint64_t hash)
{
	uint32_t i = (uint32_t)hash & t->mask;

	for (; t->slot[i]; i = (i + 1) & t->mask) {
		if (t->hash[i] == hash && same(g, v, t->slot[i] - 1))
			return t->slot[i] - 1;
	}
	t->slot[i] = v + 1;
	t->hash[i] = hash;
	return v;
}

static void share_constants(struct rewrite *rw, struct table *t, node_id id)
{
	const struct graph *g = rw->g;

	for (uint32_t k = 0; k < graph_node(g, id)->in_count; k++) {
		value_id v = graph_node(g, id)->in[k], first;
		const struct value *x;
		const void *bytes;
		uint64_t hash;
		size_t size;

		if (v == NO_ID || graph_value(g, v)->kind != VALUE_CONST ||
		    !(bytes = small_bytes(g, v, &size)))
			continue;
		x = graph_value(g, v);
		hash = mix(mix(2, x->dtype), x->shape.rank);
		hash = mix_bytes(hash, x->shape.dim, x->shape.rank * sizeof *x->shape.dim);
		first = find_or_add(g, t, v, mix_bytes(hash, bytes, size));
		if (first != v)
			rewrite_set_input(rw, id, k, first);
	}
}

/* Walks in an order in which producers come first: that of the last compaction, then what was
 * added. */
bool simplify_common(struct rewrite *rw)
{
	struct graph *g = rw->g;
	struct table t = { 0 };
	uint32_t size = 64, entries = g->nodes.len;
	bool any = false;

	for (uint32_t i = 0; i < g->nodes.len; i++)
		entries += g->nodes.data[i].in_count;
	while (size < 2 * entries)
		size *= 2;
	t.slot = arena_new_array(&rw->tmp, uint32_t, size);
	t.hash = arena_new_array(&rw->tmp, uint64_t, size);
	t.mask = size - 1;
	for (uint32_t i = 0; i < g->nodes.len; i++) {
		const struct node *n = rewrite_visit(rw, i);
		value_id out, first;

		if (n->dead || n->epilogue_count || n->op == OP_map)
			continue;
		share_constants(rw, &t, i);
		n = graph_node(g, i);
		out = n->out[0];
		first = find_or_add(g, &t, out, node_hash(n));
		if (first == out || graph_node(g, graph_value(g, first)->producer)->dead)
			continue;
		for (uint32_t k = 0; k < n->out_count; k++)
			rewrite_replace(rw, n->out[k],
					graph_node(g, graph_value(g, first)->producer)->out[k]);
		any = true;
	}
	return any;
}
