/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_inputs.c - the model's run-time inputs, with every dimension a number.
 *
 * A dimension is a number in the file, or a name that the model block or
 * "--set" gives a number, or nothing, which only the whole input's shape can
 * settle. A shape given for one input also gives its named dimensions to the
 * other inputs.
 */
#include "config.h"

#include "import/onnx_import.h"

#include <stdlib.h>
#include <string.h>

enum { MAX_DIM = 1 << 30 };

/* An input as the file declares it and as the user asks for it. */
struct wanted {
	const char *name;
	const Onnx__TypeProto__Tensor *type;
	enum dtype dtype;
	struct shape shape; /* -1: not known */
	bool from_set;
	struct span span; /* where the user said it */
};

/* "images:0" is written images_0 where an identifier is needed. */
static bool same_name(const char *tensor, const char *written)
{
	if (strcmp(tensor, written) == 0)
		return true;
	for (; *tensor && *written; tensor++, written++) {
		bool plain = (*tensor >= 'A' && *tensor <= 'Z') ||
			     (*tensor >= 'a' && *tensor <= 'z') ||
			     (*tensor >= '0' && *tensor <= '9') || *tensor == '.' || *tensor == '-';

		if (*written != (plain ? *tensor : '_'))
			return false;
	}
	return *tensor == *written;
}

/* "1x3x224x224" or "7" */
static bool parse_shape(const char *s, struct shape *out)
{
	*out = (struct shape){ 0 };
	for (;;) {
		char *end;
		long long n;

		if (*s < '0' || *s > '9' || out->rank == MAX_RANK)
			return false;
		n = strtoll(s, &end, 10);
		if (n < 1 || n > MAX_DIM)
			return false;
		out->dim[out->rank++] = n;
		if (*end == '\0')
			return true;
		if (*end != 'x' && *end != ',')
			return false;
		s = end + 1;
	}
}

static const char *symbol(const struct wanted *w, uint32_t i)
{
	const char *s = w->type->shape->dim[i]->dim_param;

	return s && *s ? s : NULL;
}

static void bind(struct onnx_import *im, const char *name, int64_t n)
{
	uint32_t i;

	if (map_get(&im->dims, name, &i)) {
		im->dim_value.data[i] = n;
		return;
	}
	map_put(&im->file, &im->dims, name, im->dim_value.len);
	vec_push(&im->file, &im->dim_value, n);
}

static int64_t bound(const struct onnx_import *im, const char *name)
{
	uint32_t i;

	return map_get(&im->dims, name, &i) ? im->dim_value.data[i] : -1;
}

/* The input's own entry: what the file says. */
static bool read_declared(struct onnx_import *im, const Onnx__ValueInfoProto *v, struct wanted *w)
{
	const Onnx__TypeProto__Tensor *t = v->type ? v->type->tensor_type : NULL;

	*w = (struct wanted){ .name = v->name, .type = t, .span = im->span };
	if (!t) {
		diag_error(im->d, im->span, "input \"%s\" is not a tensor", v->name);
		return false;
	}
	if (!onnx_dtype(t->elem_type, &w->dtype)) {
		diag_error(im->d, im->span, "input \"%s\": tensors of %s are not supported",
			   v->name, onnx_dtype_name(t->elem_type));
		return false;
	}
	w->shape.rank = UINT32_MAX; /* any */
	if (!t->shape)
		return true;
	if (t->shape->n_dim > MAX_RANK) {
		diag_error(im->d, im->span, "input \"%s\": rank %zu is above %d", v->name,
			   t->shape->n_dim, MAX_RANK);
		return false;
	}
	w->shape.rank = (uint32_t)t->shape->n_dim;
	for (uint32_t i = 0; i < w->shape.rank; i++) {
		const Onnx__TensorShapeProto__Dimension *d = t->shape->dim[i];

		w->shape.dim[i] = d->has_dim_value && d->dim_value >= 0 ? d->dim_value : -1;
		if (w->shape.dim[i] > MAX_DIM) {
			diag_error(im->d, im->span, "input \"%s\": dimension %lld is too large",
				   v->name, (long long)w->shape.dim[i]);
			return false;
		}
	}
	return true;
}

static const char *declared_string(struct onnx_import *im, const struct wanted *w)
{
	struct strbuf b = { 0 };
	const char *s;

	strbuf_printf(&b, "%s[", dtype_name(w->dtype));
	for (uint32_t i = 0; w->shape.rank != UINT32_MAX && i < w->shape.rank; i++) {
		strbuf_puts(&b, i ? "," : "");
		if (w->shape.dim[i] >= 0)
			strbuf_printf(&b, "%lld", (long long)w->shape.dim[i]);
		else
			strbuf_puts(&b, symbol(w, i) ? symbol(w, i) : "?");
	}
	strbuf_puts(&b, w->shape.rank == UINT32_MAX ? "...]" : "]");
	s = arena_strdup(&im->file, strbuf_str(&b));
	strbuf_free(&b);
	return s;
}

/* Puts the shape that the user gave over the file's, where they agree. */
static bool apply_shape(struct onnx_import *im, struct wanted *w, const struct shape *given,
			struct span span)
{
	bool fits = w->shape.rank == UINT32_MAX || w->shape.rank == given->rank;

	for (uint32_t i = 0; fits && w->shape.rank != UINT32_MAX && i < given->rank; i++)
		fits = w->shape.dim[i] < 0 || w->shape.dim[i] == given->dim[i];
	if (!fits) {
		diag_error(im->d, span, "input \"%s\" cannot be %s", w->name,
			   shape_string(&im->file, given));
		diag_note(im->d, im->span, "the model declares it as %s", declared_string(im, w));
		return false;
	}
	for (uint32_t i = 0; i < given->rank; i++) {
		const char *name =
			w->shape.rank != UINT32_MAX && w->shape.dim[i] < 0 ? symbol(w, i) : NULL;
		int64_t before = name ? bound(im, name) : -1;

		if (before >= 0 && before != given->dim[i]) {
			diag_error(im->d, span, "dimension \"%s\" cannot be both %lld and %lld",
				   name, (long long)before, (long long)given->dim[i]);
			diag_note(im->d, span, "input \"%s\" is %s", w->name,
				  declared_string(im, w));
			return false;
		}
		if (name)
			bind(im, name, given->dim[i]);
	}
	w->shape = *given;
	return true;
}

static bool apply_block(struct onnx_import *im, struct wanted *w, uint8_t *used)
{
	for (uint32_t i = 0; im->model && i < im->model->inputs.len; i++) {
		const struct decl_input_shape *in = &im->model->inputs.data[i];
		struct shape given = { .rank = in->rank };

		if (!same_name(w->name, in->name))
			continue;
		used[i] = 1;
		if (in->dtype && in->dtype != (uint32_t)w->dtype) {
			diag_error(im->d, in->span, "input \"%s\" cannot be %s", w->name,
				   dtype_name((enum dtype)in->dtype));
			diag_note(im->d, im->span, "the model declares it as %s",
				  declared_string(im, w));
			return false;
		}
		memcpy(given.dim, in->dim, sizeof given.dim);
		if (!w->from_set && !apply_shape(im, w, &given, in->span))
			return false;
	}
	return true;
}

static bool apply_settings(struct onnx_import *im, struct wanted *w)
{
	for (uint32_t i = 0; im->options && i < im->options->setting_count; i++) {
		const struct setting *s = &im->options->settings[i];
		struct shape given;

		if (!same_name(w->name, s->key))
			continue;
		if (im->options->setting_used)
			im->options->setting_used[i] = true;
		if (!parse_shape(s->value, &given)) {
			diag_error(im->d, NO_SPAN, "\"%s\" is not a shape for input \"%s\"",
				   s->value, w->name);
			diag_hint(im->d, "Write the dimensions like 1x3x224x224.");
			return false;
		}
		if (!apply_shape(im, w, &given, NO_SPAN))
			return false;
		w->from_set = true;
	}
	return true;
}

/* "--set NAME=7" for the dimensions that have names. */
static bool bind_settings(struct onnx_import *im, const struct wanted *list, uint32_t count)
{
	for (uint32_t s = 0; im->options && s < im->options->setting_count; s++) {
		const struct setting *set = &im->options->settings[s];
		bool found = false;
		struct shape n;

		for (uint32_t i = 0; i < count; i++)
			for (uint32_t k = 0;
			     list[i].shape.rank != UINT32_MAX && k < list[i].shape.rank; k++)
				found |= list[i].shape.dim[k] < 0 && symbol(&list[i], k) &&
					 strcmp(symbol(&list[i], k), set->key) == 0;
		if (!found)
			continue;
		if (!parse_shape(set->value, &n) || n.rank != 1) {
			diag_error(im->d, NO_SPAN, "\"%s\" is not a size for dimension \"%s\"",
				   set->value, set->key);
			return false;
		}
		bind(im, set->key, n.dim[0]);
		if (im->options->setting_used)
			im->options->setting_used[s] = true;
	}
	return true;
}

/* Names from the file go into hints only when they are plain text. */
static bool plain(const char *s)
{
	for (; *s; s++)
		if ((unsigned char)*s < 32 || *s == 127 || *s == '%')
			return false;
	return true;
}

static bool settle(struct onnx_import *im, struct wanted *w)
{
	bool good = true;

	if (w->shape.rank == UINT32_MAX) {
		diag_error(im->d, im->span, "the shape of input \"%s\" is not set", w->name);
		if (plain(w->name))
			diag_hint(im->d,
				  "Give it in the model block (input %s : %s[1,...];) or with "
				  "--set %s=1x...",
				  w->name, dtype_name(w->dtype), w->name);
		return false;
	}
	for (uint32_t i = 0; i < w->shape.rank; i++) {
		const char *name = symbol(w, i);

		if (w->shape.dim[i] >= 0)
			continue;
		if (name && bound(im, name) >= 0) {
			w->shape.dim[i] = bound(im, name);
			continue;
		}
		good = false;
		if (name)
			diag_error(im->d, im->span,
				   "dimension \"%s\" of input \"%s\" %s is not set", name, w->name,
				   declared_string(im, w));
		else
			diag_error(im->d, im->span, "dimension %u of input \"%s\" %s is not set", i,
				   w->name, declared_string(im, w));
		if (name && plain(name))
			diag_hint(im->d,
				  "Give the input's whole shape in the model block, or use --set "
				  "%s=NUMBER.",
				  name);
		else if (plain(w->name))
			diag_hint(im->d,
				  "Give the input's whole shape in the model block, or use --set "
				  "%s=AxBxC.",
				  w->name);
	}
	return good;
}

/* The model block names an input that is not there. */
static bool all_used(struct onnx_import *im, const uint8_t *used, const struct wanted *list,
		     uint32_t count)
{
	bool good = true;

	for (uint32_t i = 0; im->model && i < im->model->inputs.len; i++) {
		const struct decl_input_shape *in = &im->model->inputs.data[i];

		if (used[i])
			continue;
		good = false;
		diag_error(im->d, in->span, "the model has no input \"%s\"", in->name);
		for (uint32_t k = 0; k < count && k < 8; k++)
			diag_note(im->d, im->span, "its input \"%s\" is %s", list[k].name,
				  declared_string(im, &list[k]));
	}
	return good;
}

bool onnx_inputs(struct onnx_import *im, const Onnx__GraphProto *graph)
{
	struct wanted *list = arena_new_array(&im->file, struct wanted, graph->n_input);
	uint8_t *used = arena_new_array(&im->file, uint8_t, im->model ? im->model->inputs.len : 0);
	struct map seen = { 0 };
	uint32_t count = 0;
	bool good = true;

	for (size_t i = 0; i < graph->n_input; i++) {
		const Onnx__ValueInfoProto *v = graph->input[i];

		if (!v->name || !*v->name) {
			diag_error(im->d, im->span, "input %zu has no name", i);
			return false;
		}
		if (onnx_defined(im, v->name))
			continue; /* an initialiser: its value is a default that nothing here
				     overrides */
		if (map_get(&seen, v->name, NULL)) {
			diag_error(im->d, im->span, "input \"%s\" is there twice", v->name);
			return false;
		}
		map_put(&im->file, &seen, v->name, 1);
		good &= read_declared(im, v, &list[count]);
		count++;
	}
	if (!good || !bind_settings(im, list, count))
		return false;
	for (uint32_t i = 0; i < count; i++)
		good &= apply_settings(im, &list[i]) && apply_block(im, &list[i], used);
	if (!good || !all_used(im, used, list, count))
		return false;
	for (uint32_t i = 0; i < count; i++) {
		if (!settle(im, &list[i])) {
			good = false;
			continue;
		}
		onnx_define(im, list[i].name,
			    graph_add_input(im->g, list[i].name, list[i].dtype, list[i].shape));
	}
	return good;
}
