/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sched_net.h - made-up networks for tests of the scheduler and of plans:
 * kernel sets with the shape of real ones and weights that can be packed.
 */
#ifndef EDGE_TEST_SCHED_NET_H
#define EDGE_TEST_SCHED_NET_H

#include "base/arena.h"
#include "codegen/kernel_set.h"
#include "edge/plan_format.h"

struct net_alias {
	value_id value, of;
};

struct net {
	struct arena *a;
	struct graph *g;
	struct kernel_set *ks;
	VEC(struct net_alias) alias;
};

static inline uint64_t net_random(uint64_t *seed)
{
	*seed += 0x9e3779b97f4a7c15u;
	uint64_t x = *seed;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
	x = (x ^ x >> 27) * 0x94d049bb133111ebu;
	return x ^ x >> 31;
}

static inline uint32_t net_below(uint64_t *seed, uint32_t n)
{
	return (uint32_t)(net_random(seed) % n);
}

static inline struct shape net_shape(int64_t n)
{
	return (struct shape){ .rank = 2, .dim = { 1, n } };
}

static inline struct net net_new(struct arena *a, const char *name)
{
	struct net n = { .a = a, .g = graph_new(a, name), .ks = arena_new(a, struct kernel_set) };

	n.ks->graph = n.g;
	n.ks->prelude = "/* prelude */";
	n.ks->build_options = "-cl-std=CL1.2";
	return n;
}

/* A value of n floats that a launch computes. */
static inline value_id net_value(struct net *n, int64_t elements)
{
	return graph_add_value(n->g, (struct value){ .kind = VALUE_NODE, .dtype = DTYPE_F32,
						     .shape = net_shape(elements), .producer = NO_ID });
}

/* [k][columns] in panels of 32 columns, or a vector of as many when k is 0. */
static inline uint32_t net_weight(struct net *n, uint32_t k, uint32_t panels, const char *name)
{
	struct shape s = k ? (struct shape){ .rank = 2, .dim = { k, panels * 32 } } :
			     (struct shape){ .rank = 1, .dim = { panels * 32 } };
	struct data d = { .where = DATA_RANDOM, .source_dtype = DTYPE_F32, .source_shape = s,
			  .seed = n->ks->weights.len + 1, .deviation = 1 };
	struct weight w = { .packing = { .kind = k ? PACK_PANELS : PACK_VECTOR, .dtype = DTYPE_F32, .width = 32,
					 .groups = 1 } };

	w.value = graph_add_const(n->g, name, DTYPE_F32, s, d);
	w.granules = panels;
	w.granule_bytes = (uint64_t)(k ? k : 1) * 32 * 4;
	w.bytes = w.granule_bytes * panels;
	vec_push(n->a, &n->ks->weights, w);
	return n->ks->weights.len - 1;
}

/* A weight in one piece. */
static inline uint32_t net_dense(struct net *n, int64_t elements, const char *name)
{
	struct shape s = net_shape(elements);
	struct data d = { .where = DATA_RANDOM, .source_dtype = DTYPE_F32, .source_shape = s,
			  .seed = n->ks->weights.len + 1, .deviation = 1 };
	struct weight w = { .packing = { .kind = PACK_DENSE, .dtype = DTYPE_F32, .width = 1, .groups = 1 } };

	w.value = graph_add_const(n->g, name, DTYPE_F32, s, d);
	w.granules = 1;
	w.bytes = w.granule_bytes = (uint64_t)elements * 4;
	vec_push(n->a, &n->ks->weights, w);
	return n->ks->weights.len - 1;
}

/* One kernel for each list of argument kinds. */
static inline uint32_t net_kernel(struct net *n, const struct kernel_arg *arg, uint32_t count)
{
	char name[64] = "k";
	struct kernel k = { .param_count = count, .local = { 1, 1, 1 } };

	for (uint32_t i = 0; i < count && i < 32; i++) {
		name[i + 1] = "vwsilfg"[arg[i].kind];
		if (arg[i].written)
			name[i + 1] = 'o';
		name[i + 2] = 0;
	}
	for (uint32_t i = 0; i < n->ks->kernels.len; i++)
		if (!__builtin_strcmp(n->ks->kernels.data[i].name, name))
			return i;
	k.name = arena_strdup(n->a, name);
	k.source = arena_printf(n->a, "__kernel void %s();", name);
	k.param = arena_new_array(n->a, struct kernel_param, count);
	for (uint32_t i = 0; i < count; i++) {
		bool pointer = arg[i].kind <= ARG_SCRATCH;

		k.param[i] = (struct kernel_param){
			pointer ? EDGE_PARAM_GLOBAL : arg[i].kind == ARG_I64 ? EDGE_PARAM_I64 :
			arg[i].kind == ARG_F32 ? EDGE_PARAM_F32 : EDGE_PARAM_I32,
			!pointer ? 0 : arg[i].written || arg[i].kind == ARG_SCRATCH ?
				EDGE_PARAM_READ | EDGE_PARAM_WRITE : EDGE_PARAM_READ,
			arena_printf(n->a, "p%u", i) };
	}
	vec_push(n->a, &n->ks->kernels, k);
	return n->ks->kernels.len - 1;
}

static inline void net_launch(struct net *n, const struct kernel_arg *arg, uint32_t count, uint32_t extent, bool split,
			      uint64_t flops, value_id in_place_of, const char *what)
{
	struct launch l = { .kernel = net_kernel(n, arg, count), .arg_count = count, .global = { extent, 1, 1 },
			    .split_dim = split ? 0 : -1, .node = NO_ID, .what = what, .flops = flops,
			    .bytes = 4096, .in_place_of = in_place_of };

	l.arg = arena_copy(n->a, arg, count * sizeof *arg);
	for (uint32_t i = 0; i < count; i++)
		if (arg[i].kind == ARG_WEIGHT)
			l.bytes += n->ks->weights.data[arg[i].id].bytes;
	vec_push(n->a, &n->ks->launches, l);
}

static inline void net_finish(struct net *n)
{
	value_id *alias = arena_new_array(n->a, value_id, n->g->values.len + 1);

	for (uint32_t i = 0; i < n->g->values.len; i++)
		alias[i] = i;
	for (uint32_t i = 0; i < n->alias.len; i++)
		alias[n->alias.data[i].value] = n->alias.data[i].of;
	n->ks->alias = alias;
}

/* y = f(x W + b): the usual heavy launch. */
static inline value_id net_linear(struct net *n, value_id x, uint32_t k, uint32_t panels, uint64_t flops, const char *name)
{
	uint32_t w = net_weight(n, k, panels, arena_printf(n->a, "%s.weight", name));
	uint32_t b = net_weight(n, 0, panels, arena_printf(n->a, "%s.bias", name));
	value_id y = net_value(n, panels * 32);
	struct kernel_arg arg[] = { { .kind = ARG_VALUE, .id = x },
				    { .kind = ARG_WEIGHT, .id = w, .split = true },
				    { .kind = ARG_WEIGHT, .id = b, .split = true },
				    { .kind = ARG_VALUE, .id = y, .written = true },
				    { .kind = ARG_I32, .i = k },
				    { .kind = ARG_FIRST_GRANULE } };

	net_launch(n, arg, 6, panels, true, flops, NO_ID, name);
	return y;
}

/* A random network of `launches` launches: branches, in-place, scratch, shared and common weights. */
static inline struct net net_random_new(struct arena *a, uint64_t seed, uint32_t launches)
{
	struct net n = net_new(a, "random");
	VEC(value_id) values = { 0 };
	uint32_t inputs = 1 + net_below(&seed, 3);

	for (uint32_t i = 0; i < inputs; i++)
		vec_push(a, &values, graph_add_input(n.g, arena_printf(a, "in%u", i), DTYPE_F32,
						     net_shape(1 + net_below(&seed, 3000))));
	for (uint32_t i = 0; i < launches; i++) {
		struct kernel_arg arg[12];
		uint32_t count = 0, reads = 1 + net_below(&seed, 3), kind = net_below(&seed, 8);
		uint32_t panels = 1 + net_below(&seed, 12), extent = panels;
		bool split = false;
		value_id first = NO_ID, in_place = NO_ID, y;
		int64_t elements = 1 + net_below(&seed, 5000);

		for (uint32_t k = 0; k < reads; k++) {
			uint32_t back = net_below(&seed, net_below(&seed, 4) ? 3 : values.len);
			value_id v = values.data[values.len - 1 - (back < values.len ? back : values.len - 1)];

			if (!k)
				first = v;
			arg[count++] = (struct kernel_arg){ .kind = ARG_VALUE, .id = v };
		}
		if (net_below(&seed, 3) == 0) {
			in_place = first;
			elements = graph_value(n.g, first)->shape.dim[1];
		}
		y = net_value(&n, elements);
		if (kind < 4) { /* panels, perhaps with a bias and something common */
			split = net_below(&seed, 5) != 0;
			arg[count++] = (struct kernel_arg){ .kind = ARG_WEIGHT, .split = true,
							    .id = net_weight(&n, 1 + net_below(&seed, 400), panels, NULL) };
			if (kind < 3)
				arg[count++] = (struct kernel_arg){ .kind = ARG_WEIGHT, .split = true,
								    .id = net_weight(&n, 0, panels, NULL) };
			if (kind == 0)
				arg[count++] = (struct kernel_arg){ .kind = ARG_WEIGHT,
								    .id = net_dense(&n, 1 + net_below(&seed, 4000), NULL) };
		} else if (kind == 4) {
			arg[count++] = (struct kernel_arg){ .kind = ARG_WEIGHT,
							    .id = net_dense(&n, 1 + net_below(&seed, 9000), NULL) };
		} else if (kind == 5 && n.ks->weights.len) { /* someone else's weight, whole */
			arg[count++] = (struct kernel_arg){ .kind = ARG_WEIGHT,
							    .id = net_below(&seed, n.ks->weights.len) };
		} else if (kind == 6) {
			arg[count++] = (struct kernel_arg){ .kind = ARG_SCRATCH, .i = 1 + net_below(&seed, 9000) };
		}
		arg[count++] = (struct kernel_arg){ .kind = ARG_VALUE, .id = y, .written = true };
		arg[count++] = (struct kernel_arg){ .kind = ARG_FIRST_GRANULE };
		net_launch(&n, arg, count, extent, split, (uint64_t)net_below(&seed, 100000) * net_below(&seed, 100),
			   in_place, "launch");
		if (net_below(&seed, 6) == 0) { /* a reshape: another name for the same bytes */
			value_id same = net_value(&n, elements);

			vec_push(a, &n.alias, (struct net_alias){ same, y });
			y = same;
		}
		vec_push(a, &values, y);
		if (net_below(&seed, 12) == 0)
			graph_add_output(n.g, y, arena_printf(a, "out%u", i));
	}
	graph_add_output(n.g, values.data[values.len - 1], "last");
	net_finish(&n);
	return n;
}

#endif
