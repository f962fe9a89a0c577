/* SPDX-License-Identifier: Apache-2.0 */
/*
 * onnx_ops_einsum.c - Einsum as transposes, sums and matrix products.
 *
 * Each axis of each operand has a label. Operands are taken in one by one:
 * labels that are in neither the rest nor the result are summed away at once,
 * those that two operands share and nobody else needs become the inner axis of
 * one batched matrix product.
 */
#include "config.h"

#include "import/onnx_ops.h"

#include <string.h>

enum { LETTERS = 52, LABELS = LETTERS + MAX_RANK };

/* A tensor whose axis i is called label[i]; the axes of "..." are LETTERS and on. */
struct term {
	value_id v;
	uint32_t rank;
	uint8_t label[MAX_RANK];
};

typedef uint64_t label_set;
#define IN(set, l) ((set) >> (l)&1)

static label_set labels_of(const struct term *t)
{
	label_set s = 0;

	for (uint32_t i = 0; i < t->rank; i++)
		s |= UINT64_C(1) << t->label[i];
	return s;
}

static int64_t size_of(const struct call *c, const struct term *t, unsigned label)
{
	for (uint32_t i = 0; i < t->rank; i++)
		if (t->label[i] == label)
			return shape_of(c, t->v).dim[i];
	return 1;
}

static int letter(char ch)
{
	return ch >= 'a' && ch <= 'z' ? ch - 'a' + 26 : ch >= 'A' && ch <= 'Z' ? ch - 'A' : -1;
}

/* "ij..." up to a comma, an arrow or the end. dots: how many axes "..." is. */
static bool read_term(struct call *c, const char **p, uint32_t dots, struct term *t)
{
	bool seen = false;

	t->rank = 0;
	for (; **p && **p != ',' && **p != '-'; ++*p) {
		uint32_t n = 1;

		if (**p == ' ')
			continue;
		if (strncmp(*p, "...", 3) == 0 && !seen) {
			*p += 2;
			seen = true;
			n = dots;
		} else if (letter(**p) < 0) {
			return call_fail(c, "its equation has \"%c\"", **p);
		}
		for (uint32_t i = 0; i < n; i++) {
			if (t->rank == MAX_RANK)
				return call_fail(c, "more than %d axes", MAX_RANK);
			t->label[t->rank++] = (uint8_t)(**p == '.' ? LETTERS + MAX_RANK - n + i
								   : (uint32_t)letter(**p));
		}
	}
	return true;
}

/* Axes of an operand that "..." stands for. */
static uint32_t count_dots(const char *p, uint32_t rank)
{
	uint32_t letters = 0;
	bool dots = false;

	for (; *p && *p != ',' && *p != '-'; p++) {
		letters += letter(*p) >= 0;
		dots |= *p == '.';
	}
	return dots && rank > letters ? rank - letters : 0;
}

static value_id transpose_to(struct call *c, struct term *t, const uint8_t *order, uint32_t n)
{
	int64_t perm[MAX_RANK] = { 0 };

	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < t->rank; k++)
			if (t->label[k] == order[i])
				perm[i] = k;
	t->v = emit_transpose(c, t->v, perm);
	memcpy(t->label, order, n);
	return t->v;
}

/* Axes a and b have one label: n by n becomes the n on the diagonal. */
static void take_diagonal(struct call *c, struct term *t, uint32_t a, uint32_t b)
{
	struct shape s = shape_of(c, t->v);
	int64_t perm[MAX_RANK], starts[MAX_RANK] = { 0 }, steps[MAX_RANK], n = s.dim[a];
	uint8_t label[MAX_RANK];
	uint32_t rank = 0;
	struct attr attr[3];

	if (c->failed || s.dim[b] != n) {
		call_fail(c, "one label has sizes %lld and %lld", (long long)n,
			  (long long)s.dim[b]);
		return;
	}
	for (uint32_t i = 0; i < t->rank; i++)
		if (i != a && i != b)
			perm[rank++] = i;
	perm[rank] = a;
	perm[rank + 1] = b;
	t->v = emit_transpose(c, t->v, perm);
	s.rank = rank + 1;
	for (uint32_t i = 0; i <= rank; i++) {
		label[i] = t->label[perm[i]];
		s.dim[i] = shape_of(c, t->v).dim[i];
		steps[i] = 1;
	}
	s.dim[rank] = n * n;
	t->v = emit_reshape(c, t->v, &s);
	steps[rank] = n + 1;
	s.dim[rank] = n;
	attr[0] = attr_ints(starts, starts, s.rank);
	attr[1] = attr_ints(steps, steps, s.rank);
	attr[2] = attr_ints(shape, s.dim, s.rank);
	if (n > 1)
		t->v = emit(c, OP_slice, &t->v, 1, attr, 3);
	t->rank = s.rank;
	memcpy(t->label, label, s.rank);
}

static void take_diagonals(struct call *c, struct term *t)
{
	for (uint32_t a = 0; a < t->rank && !c->failed; a++)
		for (uint32_t b = a + 1; b < t->rank; b++)
			if (t->label[a] == t->label[b]) {
				take_diagonal(c, t, a, b);
				a = UINT32_MAX; /* from the start: axes have moved */
				break;
			}
}

/* Sums the axes that nobody needs. */
static void sum_away(struct call *c, struct term *t, label_set needed)
{
	int64_t axes[MAX_RANK];
	uint32_t n = 0, kept = 0;
	struct attr attr[2];

	for (uint32_t i = 0; i < t->rank; i++) {
		if (IN(needed, t->label[i]))
			t->label[kept++] = t->label[i];
		else
			axes[n++] = i;
	}
	t->rank = kept;
	if (!n)
		return;
	attr[0] = attr_ints(axes, axes, n);
	attr[1] = attr_int(keepdims, 0);
	t->v = emit(c, OP_reduce_sum, &t->v, 1, attr, 2);
}

/* The labels of both operands by their part in the product. */
struct parts {
	uint8_t batch[MAX_RANK], inner[MAX_RANK], left[MAX_RANK], right[MAX_RANK];
	uint32_t batches, inners, lefts, rights;
};

static void sort_labels(const struct term *a, const struct term *b, label_set needed,
			struct parts *p)
{
	label_set la = labels_of(a), lb = labels_of(b);

	*p = (struct parts){ .batches = 0 };
	for (uint32_t i = 0; i < a->rank; i++) {
		if (!IN(lb, a->label[i]))
			p->left[p->lefts++] = a->label[i];
		else if (IN(needed, a->label[i]))
			p->batch[p->batches++] = a->label[i];
		else
			p->inner[p->inners++] = a->label[i];
	}
	for (uint32_t i = 0; i < b->rank; i++)
		if (!IN(la, b->label[i]))
			p->right[p->rights++] = b->label[i];
}

/* [batch..., rows, columns] with the labels of each group multiplied together. */
static value_id as_matrix(struct call *c, struct term *t, const struct parts *p,
			  const uint8_t *rows, uint32_t n_rows, const uint8_t *columns,
			  uint32_t n_columns)
{
	uint8_t order[2 * MAX_RANK];
	struct shape s = { .rank = p->batches + 2 };

	memcpy(order, p->batch, p->batches);
	memcpy(order + p->batches, rows, n_rows);
	memcpy(order + p->batches + n_rows, columns, n_columns);
	for (uint32_t i = 0; i < p->batches; i++)
		s.dim[i] = size_of(c, t, p->batch[i]);
	s.dim[p->batches] = s.dim[p->batches + 1] = 1;
	for (uint32_t i = 0; i < n_rows; i++)
		s.dim[p->batches] *= size_of(c, t, rows[i]);
	for (uint32_t i = 0; i < n_columns; i++)
		s.dim[p->batches + 1] *= size_of(c, t, columns[i]);
	transpose_to(c, t, order, p->batches + n_rows + n_columns);
	return emit_reshape(c, t->v, &s);
}

static void multiply(struct call *c, struct term *a, struct term *b, label_set needed)
{
	struct parts p;
	struct shape out = { 0 };
	uint8_t label[MAX_RANK];
	value_id x, y;

	sum_away(c, a, needed | labels_of(b));
	sum_away(c, b, needed | labels_of(a));
	sort_labels(a, b, needed, &p);
	if (p.batches + 2 > MAX_RANK || p.batches + p.lefts + p.rights > MAX_RANK) {
		call_fail(c, "its operands have too many axes together");
		return;
	}
	for (uint32_t i = 0; i < p.inners; i++)
		if (size_of(c, a, p.inner[i]) != size_of(c, b, p.inner[i])) {
			call_fail(c, "one label has sizes %lld and %lld",
				  (long long)size_of(c, a, p.inner[i]),
				  (long long)size_of(c, b, p.inner[i]));
			return;
		}
	for (uint32_t i = 0; i < p.batches; i++) {
		int64_t m = size_of(c, a, p.batch[i]), n = size_of(c, b, p.batch[i]);

		label[out.rank] = p.batch[i];
		out.dim[out.rank++] = m == 1 ? n : m;
	}
	for (uint32_t i = 0; i < p.lefts; i++) {
		label[out.rank] = p.left[i];
		out.dim[out.rank++] = size_of(c, a, p.left[i]);
	}
	for (uint32_t i = 0; i < p.rights; i++) {
		label[out.rank] = p.right[i];
		out.dim[out.rank++] = size_of(c, b, p.right[i]);
	}
	x = as_matrix(c, a, &p, p.left, p.lefts, p.inner, p.inners);
	y = as_matrix(c, b, &p, p.inner, p.inners, p.right, p.rights);
	x = emit2(c, p.inners ? OP_matmul : OP_mul, x, y); /* a column times a row broadcasts */
	a->v = emit_reshape(c, x, &out);
	a->rank = out.rank;
	memcpy(a->label, label, out.rank);
}

/* Without an arrow: "..." and then the labels that occur once, in the order of the alphabet. */
static void implicit_result(const struct term *in, uint32_t n, uint32_t dots, struct term *out)
{
	uint32_t seen[LABELS] = { 0 };
	/* the order of ASCII, which is that of letter(): capitals first */

	out->rank = 0;
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t k = 0; k < in[i].rank; k++)
			seen[in[i].label[k]]++;
	for (uint32_t i = 0; i < dots; i++)
		out->label[out->rank++] = (uint8_t)(LABELS - dots + i);
	for (uint32_t l = 0; l < LETTERS; l++)
		if (seen[l] == 1 && out->rank < MAX_RANK)
			out->label[out->rank++] = (uint8_t)l;
}

/* Labels of all operands and of the result; operands without repeated labels. */
static bool read_equation(struct call *c, struct term *in, uint32_t n, struct term *out)
{
	const char *text = call_string(c, "equation", ""), *p = text;
	uint32_t most = 0;
	label_set all = 0;

	for (uint32_t i = 0; i < n; i++) {
		uint32_t rank, dots;

		in[i].v = call_in(c, i);
		rank = shape_of(c, in[i].v).rank;
		dots = count_dots(p, rank);
		most = dots > most ? dots : most;
		if (!read_term(c, &p, dots, &in[i]))
			return false;
		if (in[i].v == NO_ID || in[i].rank != rank || (i + 1 < n && *p != ','))
			return call_fail(c, "equation \"%s\" does not fit its operands", text);
		p += i + 1 < n;
		take_diagonals(c, &in[i]);
		all |= labels_of(&in[i]);
	}
	if (*p == '\0') {
		implicit_result(in, n, most, out);
		return !c->failed;
	}
	if (p[0] != '-' || p[1] != '>')
		return call_fail(c, "equation \"%s\" does not fit its operands", text);
	p += 2;
	if (!read_term(c, &p, most, out))
		return false;
	if (*p || (labels_of(out) & ~all) ||
	    (uint32_t)__builtin_popcountll(labels_of(out)) != out->rank)
		return call_fail(c, "equation \"%s\" has no such result", text);
	return !c->failed;
}

bool op_einsum(struct call *c)
{
	uint32_t n = (uint32_t)c->node->n_input;
	struct term *in = arena_new_array(&c->im->scratch, struct term, n), out;

	if (!n || !read_equation(c, in, n, &out))
		return call_fail(c, "it has no operands");
	for (uint32_t i = 1; i < n; i++) {
		label_set needed = labels_of(&out);

		for (uint32_t k = i + 1; k < n; k++)
			needed |= labels_of(&in[k]);
		multiply(c, &in[0], &in[i], needed);
		if (c->failed)
			return false;
	}
	sum_away(c, &in[0], labels_of(&out));
	if (c->failed || in[0].rank != out.rank)
		return call_fail(c, "its equation does not fit its operands");
	call_out(c, 0, transpose_to(c, &in[0], out.label, out.rank));
	return !c->failed;
}
