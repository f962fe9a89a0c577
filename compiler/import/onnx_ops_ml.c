/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_ml.c - operators of ai.onnx.ml, in which scikit-learn's linear models are
 * exported: numbers in attributes, labels beside scores.
 *
 * Labels of text and maps from labels to scores are no tensors. The former are left
 * out and the latter become the tensor of scores, each with a warning.
 */
#include "config.h"

#include "import/onnx_ops.h"

#include <string.h>

/* An attribute's floats as a constant of that shape; NO_ID: it has another number of them. */
static value_id constant(struct call *c, const char *name, struct shape s)
{
	const Onnx__AttributeProto *a = call_attr(c, name);

	if (!a || (int64_t)a->n_floats != shape_elements(&s)) {
		call_fail(c, "attribute \"%s\" has %zu numbers, not %lld", name, a ? a->n_floats : 0, (long long)shape_elements(&s));
		return NO_ID;
	}
	return graph_add_const_bytes(c->g, DTYPE_F32, s, arena_copy(c->im->a, a->floats, a->n_floats * sizeof(float)));
}

/* Rows of numbers as f32; their width. */
static value_id rows(struct call *c, int64_t *width)
{
	value_id x = emit_cast(c, call_in(c, 0), DTYPE_F32);
	struct shape s = shape_of(c, x);

	if (s.rank == 1) {
		s = (struct shape){ 2, { 1, s.dim[0] } };
		x = emit_reshape(c, x, &s);
	}
	if (s.rank != 2)
		call_fail(c, "its input must be rows of numbers");
	*width = s.rank == 2 ? s.dim[1] : 0;
	return x;
}

/* 1 where x is above the threshold, else 0 */
static bool op_binarizer(struct call *c)
{
	value_id x = call_in(c, 0);
	value_id above = emit2(c, OP_greater, x, emit_like(c, x, call_float(c, "threshold", 0)));

	call_out(c, 0, emit_cast(c, above, dtype_of(c, x)));
	return !c->failed;
}

/* (x - offset) scale, each one number or one for each column */
static bool op_scaler(struct call *c)
{
	static const char *const names[] = { "offset", "scale" };
	static const enum op ops[] = { OP_sub, OP_mul };
	int64_t width;
	value_id x = rows(c, &width);

	for (uint32_t i = 0; i < 2; i++) {
		const Onnx__AttributeProto *a = call_attr(c, names[i]);
		bool one = a && a->n_floats == 1;

		if (a)
			x = emit2(c, ops[i], x, constant(c, names[i], (struct shape){ 1, { one ? 1 : width } }));
	}
	call_out(c, 0, x);
	return !c->failed;
}

/* A row by its largest number, its sum of absolute values or its length; rows of zeros stay. */
static bool op_normalizer(struct call *c)
{
	const char *name = call_string(c, "norm", "MAX");
	enum op op = strcmp(name, "L1") == 0 ? OP_reduce_l1 : strcmp(name, "L2") == 0 ? OP_reduce_l2 : OP_reduce_max;
	int64_t width;
	value_id x = rows(c, &width), by = emit_reduce(c, op, x, 1, true);

	by = emit3(c, OP_where, emit2(c, OP_equal, by, emit_like(c, by, 0)), emit_like(c, by, 1), by);
	call_out(c, 0, emit2(c, OP_div, x, by));
	return !c->failed;
}

/* x coefficients' + intercepts, for `targets` columns. */
static value_id linear(struct call *c, int64_t targets)
{
	const Onnx__AttributeProto *intercepts = call_attr(c, "intercepts");
	int64_t width;
	value_id in[3];
	struct attr attr = attr_int(trans_b, 1);

	in[0] = rows(c, &width);
	in[1] = constant(c, "coefficients", (struct shape){ 2, { targets, width } });
	in[2] = intercepts && intercepts->n_floats ? constant(c, "intercepts", (struct shape){ 1, { targets } }) : NO_ID;
	return emit(c, OP_matmul, in, in[2] == NO_ID ? 2 : 3, &attr, 1);
}

value_id onnx_ml_transformed(struct call *c, value_id x)
{
	const char *name = call_string(c, "post_transform", "NONE");

	if (strcmp(name, "NONE") == 0)
		return x;
	if (strcmp(name, "SOFTMAX") == 0)
		return emit_with(c, OP_softmax, x, attr_int(axis, 1));
	if (strcmp(name, "LOGISTIC") == 0)
		return emit1(c, OP_sigmoid, x);
	call_fail(c, "post_transform \"%s\" is not supported", name);
	return NO_ID;
}

/* Output 0: the labels with these numbers. */
bool onnx_ml_labels(struct call *c, const int64_t *labels, uint32_t n, value_id at)
{
	if (c->failed || !call_wants(c, 0))
		return !c->failed;
	if (!n) {
		diag_warning(c->im->d, c->im->span, "labels of text are no tensors: \"%s\" is left out", c->node->output[0]);
		onnx_define(c->im, c->node->output[0], NO_ID);
		return true;
	}
	call_out(c, 0, emit(c, OP_gather, (value_id[]){ emit_ints(c, labels, n), at }, 2, &attr_int(axis, 0), 1));
	return !c->failed;
}

static bool op_linear_regressor(struct call *c)
{
	int64_t targets = call_int(c, "targets", 1);

	if (targets < 1 || targets > 1 << 20)
		return call_fail(c, "%lld targets are out of range", (long long)targets);
	call_out(c, 0, onnx_ml_transformed(c, linear(c, targets)));
	return !c->failed;
}

/* The label of the highest score, and the scores. */
static bool op_linear_classifier(struct call *c)
{
	const Onnx__AttributeProto *texts = call_attr(c, "classlabels_strings");
	const Onnx__AttributeProto *coefficients = call_attr(c, "coefficients");
	int64_t width, classes;
	const int64_t *labels;
	struct attr best[2] = { attr_int(axis, 1), attr_int(keepdims, 0) };
	value_id scores, at;
	uint32_t n;

	call_attr(c, "multi_class"); /* how it was trained */
	labels = call_ints(c, "classlabels_ints", &n);
	classes = labels ? n : texts ? (int64_t)texts->n_strings : 0;
	rows(c, &width);
	if (classes < 2 || !coefficients || (int64_t)coefficients->n_floats != classes * width)
		return call_fail(c, "%zu coefficients for %lld classes and %lld columns are not supported",
				 coefficients ? coefficients->n_floats : 0, (long long)classes, (long long)width);
	scores = linear(c, classes);
	call_out(c, 1, onnx_ml_transformed(c, scores));
	at = emit(c, OP_arg_max, &scores, 1, best, 2);
	return onnx_ml_labels(c, labels, n, at);
}

static bool op_array_feature_extractor(struct call *c)
{
	value_id x = call_in(c, 0), at = call_in(c, 1);
	struct shape s = shape_of(c, x), as = shape_of(c, at), row = { 1, { shape_elements(&as) } };

	if (!s.rank)
		return call_fail(c, "its input must have columns");
	x = emit(c, OP_gather, (value_id[]){ x, emit_reshape(c, at, &row) }, 2, &attr_int(axis, s.rank - 1), 1);
	if (s.rank == 1)
		x = emit_reshape(c, x, &(struct shape){ 2, { 1, row.dim[0] } });
	call_out(c, 0, x);
	return !c->failed;
}

/* Maps from labels to the scores of each row. */
static bool op_zip_map(struct call *c)
{
	call_attr(c, "classlabels_strings");
	call_attr(c, "classlabels_int64s");
	diag_warning(c->im->d, c->im->span, "maps are no tensors: \"%s\" is the tensor of scores, in the order of its classes",
		     c->node->n_output ? c->node->output[0] : "");
	call_out(c, 0, call_in(c, 0));
	return !c->failed;
}

/* clang-format off */
#define NEW(name, convert) { name, 1, 0, convert, OP_identity }
/* clang-format on */

const struct onnx_op onnx_ml_ops[] = {
	NEW("ArrayFeatureExtractor", op_array_feature_extractor),
	NEW("Binarizer", op_binarizer),
	NEW("LinearClassifier", op_linear_classifier),
	NEW("LinearRegressor", op_linear_regressor),
	NEW("Normalizer", op_normalizer),
	NEW("Scaler", op_scaler),
	{ "TreeEnsembleClassifier", 3, 0, op_tree_classifier, OP_identity },
	{ "TreeEnsembleRegressor", 3, 0, op_tree_regressor, OP_identity },
	NEW("ZipMap", op_zip_map),
};

const uint32_t onnx_ml_op_count = sizeof onnx_ml_ops / sizeof *onnx_ml_ops;
