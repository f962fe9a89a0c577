/* SPDX-License-Identifier: Apache-2.0 */
/* shape_rows.c - shapes of rows of codes, of such rows times a matrix, and of a table's rows as it stores them. */
#include "config.h"

#include "ir/shape.h"

int64_t rows_bytes(int64_t k)
{
	return (k + ROWS_PART - 1) / ROWS_PART * ROWS_PART_BYTES;
}

static bool infer_quantize(struct inference *c)
{
	const struct value *x = infer_input(c, 0);
	uint32_t rank = x->shape.rank;

	int64_t group = node_int(c->n, ATTR_group, ROWS_PART);

	if (x->dtype != DTYPE_F32 || !rank)
		return infer_fail(c, "it takes rows of f32");
	if (group < ROWS_PART || group > 1 << 20 || group & (group - 1))
		return infer_fail(c, "its groups are no parts of 32");
	c->dtype[0] = DTYPE_I8;
	c->shape[0] = x->shape;
	c->shape[0].dim[rank - 1] = rows_bytes(x->shape.dim[rank - 1]);
	return true;
}

bool infer_rows(struct inference *c)
{
	const struct value *x, *w, *bias = infer_input(c, 2);
	bool turned = node_int(c->n, ATTR_trans_b, 0) != 0;
	struct shape out, all;

	if (c->n->op == OP_quantize_rows)
		return infer_quantize(c);
	x = infer_input(c, 0);
	w = infer_input(c, 1);
	if (x->dtype != DTYPE_I8 || !x->shape.rank || w->dtype != DTYPE_F32 || w->shape.rank != 2)
		return infer_fail(c, "it takes rows of i8 and a matrix of f32");
	if (x->shape.dim[x->shape.rank - 1] != rows_bytes(w->shape.dim[turned ? 1 : 0]))
		return infer_fail(c, "its rows do not fit its matrix");
	out = x->shape;
	out.dim[out.rank - 1] = w->shape.dim[turned ? 0 : 1];
	if (bias && (bias->dtype != DTYPE_F32 || !shape_broadcast(&out, &bias->shape, &all) || !shape_equal(&out, &all)))
		return infer_fail(c, "its bias does not broadcast to the result");
	c->dtype[0] = DTYPE_F32;
	c->shape[0] = out;
	return true;
}

/* stored_rows: table, index -> bytes of each row; decode_rows: such bytes, table -> f32. */
bool infer_stored(struct inference *c)
{
	bool decode = c->n->op == OP_decode_rows;
	const struct value *table = infer_input(c, decode ? 1 : 0), *from = infer_input(c, decode ? 0 : 1);
	const int64_t *shape;
	uint32_t rank;

	if (table->kind != VALUE_CONST || table->dtype != DTYPE_F32 || table->shape.rank != 2)
		return infer_fail(c, "its table is no constant matrix of f32");
	rank = decode ? from->shape.rank : from->shape.rank + 1;
	if (rank < 1 || rank > MAX_RANK || (decode ? from->dtype != DTYPE_I8 : from->dtype != DTYPE_I32 && from->dtype != DTYPE_I64))
		return infer_fail(c, "it takes %s", decode ? "rows of i8" : "indices");
	shape = infer_list(c, ATTR_shape, rank);
	if (!shape)
		return false;
	c->dtype[0] = decode ? DTYPE_F32 : DTYPE_I8;
	c->shape[0].rank = rank;
	for (uint32_t i = 0; i < rank; i++) {
		c->shape[0].dim[i] = shape[i];
		if (shape[i] < 1 || (i + 1 < rank && shape[i] != from->shape.dim[i]))
			return infer_fail(c, "its shape does not fit its rows");
	}
	return !decode || shape[rank - 1] == table->shape.dim[1] || infer_fail(c, "its rows are not those of its table");
}
