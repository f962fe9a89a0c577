/* SPDX-License-Identifier: Apache-2.0 */
/*
 * network_weights.c - weights of networks written in the language: places in a
 * safetensors file, or seeded noise.
 *
 * Noise depends on the model's seed and the weight's name only, so that a
 * weight stays what it is when layers around it change. Its size keeps
 * activations near one: 1/sqrt(fan in) for matrices and filters, ones for the
 * scales of norms, small biases.
 */
#include "config.h"

#include "import/network.h"

#include <math.h>
#include <string.h>

static const char *full_name(struct net_call *c, const char *name, const char *suffix)
{
	return suffix ? arena_printf(c->n->arena, "%s.%s", name, suffix) : name;
}

bool weights_begin(struct network *n)
{
	if (n->model->weights != DECL_WEIGHTS_SAFETENSORS)
		return true;
	n->tensors_open = safetensors_open(n->graph, n->diag, n->model->weights_path, n->model->weights_span, &n->tensors);
	return n->tensors_open;
}

/* FNV-1a over the name, then mixed (splitmix64) with the seed. */
static uint64_t weight_seed(uint64_t seed, const char *name)
{
	uint64_t h = UINT64_C(14695981039346656037);

	for (; *name; name++)
		h = (h ^ (unsigned char)*name) * UINT64_C(1099511628211);
	h += seed * UINT64_C(0x9e3779b97f4a7c15);
	h = (h ^ h >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	h = (h ^ h >> 27) * UINT64_C(0x94d049bb133111eb);
	return h ^ h >> 31;
}

/* Shapes with -1 for what the layer leaves open. */
static const char *wanted_text(struct arena *a, const struct weight_request *r)
{
	struct strbuf b = { 0 };
	char *text;

	strbuf_puts(&b, "[");
	for (uint32_t i = 0; i < r->rank; i++) {
		strbuf_puts(&b, i ? "," : "");
		if (r->dim[i] < 0)
			strbuf_puts(&b, "any");
		else
			strbuf_printf(&b, "%lld", (long long)r->dim[i]);
	}
	strbuf_puts(&b, "]");
	text = arena_strdup(a, strbuf_str(&b));
	strbuf_free(&b);
	return text;
}

static bool fits(const struct weight_request *r, const struct shape *s)
{
	if (s->rank != r->rank)
		return false;
	for (uint32_t i = 0; i < r->rank; i++)
		if (r->dim[i] >= 0 && r->dim[i] != s->dim[i])
			return false;
	return true;
}

static void unknown_tensor(struct net_call *c, const char *name)
{
	struct network *n = c->n;
	const char **names, *near;

	diag_error(n->diag, c->span, "\"%s\" has no tensor \"%s\"", n->model->weights_path, name);
	names = arena_new_array(n->arena, const char *, n->tensors.count);
	for (uint32_t i = 0; i < n->tensors.count; i++)
		names[i] = n->tensors.tensor[i].name;
	near = ast_nearest(name, names, n->tensors.count);
	if (near)
		diag_hint(n->diag, "Did you mean %s?", near);
}

static bool from_file(struct net_call *c, const struct weight_request *r, const char *name, struct data *data)
{
	struct network *n = c->n;
	const struct safetensor *t;

	if (!n->tensors_open)
		return false; /* said already */
	t = safetensors_find(&n->tensors, name);
	if (!t) {
		unknown_tensor(c, name);
		return false;
	}
	if (!fits(r, &t->shape)) {
		diag_error(n->diag, c->span, "weight \"%s\" has shape %s, and %s needs %s", name,
			   shape_string(n->arena, &t->shape), c->spec->name, wanted_text(n->arena, r));
		net_note_operands(c);
		diag_note(n->diag, n->model->weights_span, "weights come from here");
		return false;
	}
	if (!dtype_is_float(t->dtype)) {
		diag_error(n->diag, c->span, "weight \"%s\" is %s, and must be of a floating type", name,
			   dtype_name(t->dtype));
		return false;
	}
	*data = (struct data){ .where = DATA_FILE, .source_dtype = t->dtype, .source_shape = t->shape,
			       .file = n->tensors.file, .offset = t->offset, .size = t->size };
	return true;
}

static bool from_noise(struct net_call *c, const struct weight_request *r, const char *name, struct data *data)
{
	struct network *n = c->n;

	*data = (struct data){ .where = DATA_RANDOM, .source_dtype = DTYPE_F32, .source_shape = { .rank = r->rank },
			       .seed = weight_seed(n->model->seed, name) };
	for (uint32_t i = 0; i < r->rank; i++) {
		if (r->dim[i] < 0) {
			diag_error(n->diag, c->span, "the size of weight \"%s\" is not known", name);
			diag_hint(n->diag, "With random weights %s needs all its sizes.", c->spec->name);
			return false;
		}
		data->source_shape.dim[i] = r->dim[i];
	}
	switch (r->use) {
	case WEIGHT_MATRIX:
		data->deviation = 1 / sqrt(r->fan_in > 0 ? (double)r->fan_in : 1);
		break;
	case WEIGHT_UNIT:
		data->deviation = 1;
		break;
	case WEIGHT_SCALE:
		data->mean = 1;
		break;
	case WEIGHT_BIAS:
		data->deviation = 0.02;
		break;
	}
	return true;
}

/* One weight may serve several layers (tied embeddings), with one shape. */
static bool same_as_before(struct net_call *c, const char *name, const struct data *data, value_id *found,
			   const char *key)
{
	struct network *n = c->n;
	const struct weight_entry *w;
	uint32_t i;

	*found = NO_ID;
	if (map_get(&n->weight_names, key, &i)) {
		*found = n->weights.data[i].value;
		return true;
	}
	if (!map_get(&n->weight_names, name, &i))
		return true;
	w = &n->weights.data[i];
	if (shape_equal(&w->shape, &data->source_shape))
		return true;
	diag_error(n->diag, c->span, "weight \"%s\" has shape %s here and %s elsewhere", name,
		   shape_string(n->arena, &data->source_shape), shape_string(n->arena, &w->shape));
	diag_note(n->diag, w->span, "first used here");
	return false;
}

static void no_weights(struct network *n, struct span at)
{
	if (n->weights_missing_said)
		return;
	n->weights_missing_said = true;
	diag_error(n->diag, at, "model \"%s\" does not say where its weights come from", n->model->name);
	diag_hint(n->diag, "Add weights safetensors \"FILE\"; or weights random seed 1;");
}

value_id weights_get(struct net_call *c, const struct weight_request *r)
{
	struct network *n = c->n;
	const char *name = full_name(c, r->name, r->suffix), *key;
	struct weight_entry entry = { .span = c->span };
	struct data data;
	struct shape shape;
	value_id v;

	if (n->model->weights == DECL_WEIGHTS_NONE) {
		no_weights(n, c->span);
		return NO_ID;
	}
	if (!(n->model->weights == DECL_WEIGHTS_SAFETENSORS ? from_file : from_noise)(c, r, name, &data))
		return NO_ID;
	shape = data.source_shape;
	if (shape_elements(&shape) < 1) {
		diag_error(n->diag, c->span, "weight \"%s\" of shape %s is empty or too large", name,
			   shape_string(n->arena, &shape));
		return NO_ID;
	}
	if (r->transposed) {
		data.perm_set = true;
		data.perm[0] = 1;
		data.perm[1] = 0;
		shape = (struct shape){ 2, { shape.dim[1], shape.dim[0] } };
	}
	if (r->as) {
		shape.rank = r->as_rank;
		for (uint32_t i = 0; i < r->as_rank; i++)
			shape.dim[i] = r->as[i] < 0 ? data.source_shape.dim[0] : r->as[i];
	}
	key = arena_printf(n->arena, "%s%s|%s", name, r->transposed ? "|t" : "", shape_string(n->arena, &shape));
	if (!same_as_before(c, name, &data, &v, key))
		return NO_ID;
	if (v != NO_ID)
		return v;
	v = graph_add_const(n->graph, name, DTYPE_F32, shape, data);
	graph_value(n->graph, v)->span = c->span;
	entry.value = v;
	entry.shape = data.source_shape;
	map_put(n->arena, &n->weight_names, key, n->weights.len);
	map_put(n->arena, &n->weight_names, name, n->weights.len);
	vec_push(n->arena, &n->weights, entry);
	return v;
}

bool weights_shape(struct net_call *c, const char *name, const char *suffix, struct shape *out)
{
	struct network *n = c->n;
	const struct safetensor *t;

	if (!n->tensors_open)
		return false;
	t = safetensors_find(&n->tensors, full_name(c, name, suffix));
	if (t)
		*out = t->shape;
	return t != NULL;
}
