/* SPDX-License-Identifier: Apache-2.0 */
/*
 * expr.c - one elementwise operation as OpenCL C text.
 *
 * The same words serve a scalar and sixteen lanes: the functions of
 * kernels/prelude.clh are overloaded for both. What differs is select() versus
 * ?:, and that only f32 and bool have a vector form.
 */
#include "config.h"

#include "codegen/codegen.h"

#include <math.h>
#include <string.h>

static bool is_float(enum dtype t)
{
	return dtype_is_float(t); /* f64 is a way to store: in registers it is a float */
}

const char *expr_type(enum dtype t, enum expr_form form)
{
	if (form == EXPR_VECTOR)
		return t == DTYPE_F32 ? "float16" : t == DTYPE_BOOL ? "int16" : NULL;
	switch (t) {
	case DTYPE_F32: case DTYPE_F16: case DTYPE_BF16: case DTYPE_F64: return "float";
	case DTYPE_I64: return "long";
	case DTYPE_I32: case DTYPE_BOOL: return "int";
	case DTYPE_I16: return "short";
	case DTYPE_I8: return "char";
	case DTYPE_U8: return "uchar";
	default: return NULL;
	}
}

const char *expr_storage(enum dtype t)
{
	switch (t) {
	case DTYPE_F32: return "float";
	case DTYPE_F16: return "half";
	case DTYPE_F64: return "double";
	case DTYPE_BF16: return "ushort";
	case DTYPE_I64: return "long";
	case DTYPE_I32: return "int";
	case DTYPE_I16: return "short";
	case DTYPE_I8: return "char";
	case DTYPE_U8: case DTYPE_BOOL: return "uchar";
	default: return NULL;
	}
}

const char *expr_load(struct arena *a, enum dtype t, const char *pointer, const char *index)
{
	if (t == DTYPE_F16)
		return arena_printf(a, "vload_half(%s, %s)", index, pointer);
	if (t == DTYPE_BF16)
		return arena_printf(a, "edge_load_bf16(%s, %s)", pointer, index);
	if (t == DTYPE_F64)
		return arena_printf(a, "(float)%s[%s]", pointer, index);
	return arena_printf(a, t == DTYPE_BOOL ? "(%s[%s] != 0)" : "%s[%s]", pointer, index);
}

const char *expr_store(struct arena *a, enum dtype t, const char *pointer, const char *index, const char *x)
{
	if (t == DTYPE_F16)
		return arena_printf(a, "vstore_half_rte(%s, %s, %s)", x, index, pointer);
	if (t == DTYPE_BF16)
		return arena_printf(a, "%s[%s] = edge_to_bf16(%s)", pointer, index, x);
	return arena_printf(a, "%s[%s] = (%s)(%s)", pointer, index, expr_storage(t), x);
}

const char *expr_literal(struct arena *a, double x, enum dtype t, enum expr_form form)
{
	const char *s;

	if (is_float(t)) {
		if (isnan(x))
			s = "NAN";
		else if (isinf(x) || fabs(x) > 3.4028234663852886e38)
			s = x < 0 ? "-INFINITY" : "INFINITY";
		else
			s = arena_printf(a, "%af", (double)(float)x);
		return arena_printf(a, form == EXPR_VECTOR ? "(float16)(%s)" : "(%s)", s);
	}
	if (form == EXPR_VECTOR)
		return x != 0 ? "(int16)(-1)" : "(int16)(0)";
	if (t == DTYPE_I64)
		return arena_printf(a, "(%lldL)", (long long)x);
	return x < -2147483647 ? "(-2147483647 - 1)" : arena_printf(a, "(%lld)", (long long)x);
}

/* Functions of one float whose text is NAME(x). */
static const char *const function[OP_COUNT] = {
	[OP_abs] = "fabs", [OP_sign] = "edge_sign", [OP_exp] = "edge_exp", [OP_log] = "log", [OP_sqrt] = "sqrt",
	[OP_floor] = "floor", [OP_ceil] = "ceil", [OP_round] = "rint", [OP_sin] = "sin", [OP_cos] = "cos",
	[OP_tan] = "tan", [OP_asin] = "asin", [OP_acos] = "acos", [OP_atan] = "atan", [OP_sinh] = "sinh",
	[OP_cosh] = "cosh", [OP_asinh] = "asinh", [OP_acosh] = "acosh", [OP_atanh] = "atanh",
	[OP_tanh] = "edge_tanh", [OP_erf] = "edge_erf", [OP_sigmoid] = "edge_sigmoid", [OP_relu] = "edge_relu",
	[OP_gelu] = "edge_gelu", [OP_gelu_tanh] = "edge_gelu_tanh", [OP_silu] = "edge_silu",
	[OP_mish] = "edge_mish", [OP_softplus] = "edge_softplus", [OP_neg] = "-", [OP_identity] = "",
};

static const char *const function2[OP_COUNT] = {
	[OP_pow] = "pow", [OP_min] = "edge_min", [OP_max] = "edge_max", [OP_mod] = "edge_mod", [OP_fmod] = "fmod",
};

static const char *const infix[OP_COUNT] = {
	[OP_add] = "+", [OP_sub] = "-", [OP_mul] = "*", [OP_div] = "/", [OP_equal] = "==", [OP_less] = "<",
	[OP_less_equal] = "<=", [OP_greater] = ">", [OP_greater_equal] = ">=",
};

/* Functions of two integers of one type. */
static const char *const int_function2[OP_COUNT] = {
	[OP_div] = "edge_idiv", [OP_mod] = "edge_imod", [OP_fmod] = "edge_irem", [OP_min] = "min", [OP_max] = "max",
};

static double number(const struct epilogue_step *s, enum attr_key k, double absent)
{
	const struct node n = { .attr = (struct attr *)s->attr, .attr_count = s->attr_count };
	const struct attr *a = node_attr(&n, k);

	return !a ? absent : a->kind == ATTR_INT ? (double)a->i : a->f;
}

struct writer {
	struct strbuf *out;
	struct arena scratch;
	const struct epilogue_step *s;
	enum expr_form form;
	const char *f, *i; /* float and integer type of the form */
};

static const char *lit(struct writer *w, double x)
{
	return expr_literal(&w->scratch, x, DTYPE_F32, w->form);
}

static const char *attr_lit(struct writer *w, enum attr_key k, double absent)
{
	return lit(w, number(w->s, k, absent));
}

/* c ? a : b */
static void put_select(struct writer *w, const char *c, const char *a, const char *b)
{
	if (w->form == EXPR_VECTOR)
		strbuf_printf(w->out, "EDGE_SELECT(int16, %s, %s, %s)", c, a, b);
	else
		strbuf_printf(w->out, "(%s) ? (%s) : (%s)", c, a, b);
}

static bool put_unary_float(struct writer *w, const char *x)
{
	struct arena *a = &w->scratch;
	const char *alpha = attr_lit(w, ATTR_alpha, 1), *zero = lit(w, 0), *less = arena_printf(a, "%s < %s", x, zero);

	if (function[w->s->op]) {
		strbuf_printf(w->out, "%s(%s)", function[w->s->op], x);
		return true;
	}
	switch (w->s->op) {
	case OP_rsqrt:
		strbuf_printf(w->out, "%s / sqrt(%s)", lit(w, 1), x);
		return true;
	case OP_reciprocal:
		strbuf_printf(w->out, "%s / %s", lit(w, 1), x);
		return true;
	case OP_softsign:
		strbuf_printf(w->out, "%s / (%s + fabs(%s))", x, lit(w, 1), x);
		return true;
	case OP_hard_sigmoid:
		strbuf_printf(w->out, "edge_clip(%s * %s + %s, %s, %s)", x, attr_lit(w, ATTR_alpha, 0.2),
			      attr_lit(w, ATTR_beta, 0.5), zero, lit(w, 1));
		return true;
	case OP_hard_swish:
		strbuf_printf(w->out, "%s * edge_clip(%s * %s + %s, %s, %s)", x, x, lit(w, 1.0 / 6), lit(w, 0.5), zero,
			      lit(w, 1));
		return true;
	case OP_leaky_relu:
		put_select(w, less, arena_printf(a, "%s * %s", x, attr_lit(w, ATTR_alpha, 0.01)), x);
		return true;
	case OP_elu:
		put_select(w, less, arena_printf(a, "%s * edge_expm1(%s)", alpha, x), x);
		return true;
	case OP_selu:
		alpha = lit(w, number(w->s, ATTR_alpha, 1.67326319217681884765625) *
				       number(w->s, ATTR_gamma, 1.05070102214813232421875));
		put_select(w, less, arena_printf(a, "%s * edge_expm1(%s)", alpha, x),
			   arena_printf(a, "%s * %s", attr_lit(w, ATTR_gamma, 1.05070102214813232421875), x));
		return true;
	case OP_celu:
		put_select(w, less, arena_printf(a, "%s * edge_expm1(%s / %s)", alpha, x, alpha), x);
		return true;
	case OP_thresholded_relu:
		put_select(w, arena_printf(a, "%s > %s", x, alpha), x, zero);
		return true;
	case OP_clip:
		strbuf_printf(w->out, "edge_clip(%s, %s, %s)", x, attr_lit(w, ATTR_min, -INFINITY),
			      attr_lit(w, ATTR_max, INFINITY));
		return true;
	case OP_is_nan:
		strbuf_printf(w->out, "(%s != %s)", x, x);
		return true;
	case OP_is_inf:
		strbuf_printf(w->out, "(fabs(%s) == %s)", x, lit(w, INFINITY));
		return true;
	default:
		return false;
	}
}

static bool put_unary_int(struct writer *w, const char *x, enum dtype t)
{
	const char *u = t == DTYPE_I64 ? "ulong" : "uint", *s = t == DTYPE_I64 ? "long" : "int";
	double lo = number(w->s, ATTR_min, -INFINITY), hi = number(w->s, ATTR_max, INFINITY);
	double low = t == DTYPE_I64 ? -0x1p63 : -0x1p31;
	const char *const limit[2] = { t == DTYPE_I64 ? "LONG_MIN" : "INT_MIN", t == DTYPE_I64 ? "LONG_MAX" : "INT_MAX" };

	switch (w->s->op) {
	case OP_identity:
		strbuf_puts(w->out, x);
		return true;
	case OP_neg:
		strbuf_printf(w->out, "(%s)((%s)0 - (%s)%s)", s, u, u, x);
		return true;
	case OP_abs:
		strbuf_printf(w->out, "%s < 0 ? (%s)((%s)0 - (%s)%s) : %s", x, s, u, u, x, x);
		return true;
	case OP_sign:
		strbuf_printf(w->out, "(%s > 0) - (%s < 0)", x, x);
		return true;
	case OP_relu:
		strbuf_printf(w->out, "max((%s)%s, (%s)0)", s, x, s);
		return true;
	case OP_floor: case OP_ceil: case OP_round:
		strbuf_puts(w->out, x);
		return true;
	case OP_clip:
		/* a bound outside the type does not bind */
		lo = ceil(lo) > low ? ceil(lo) : low;
		hi = floor(hi) < -low ? floor(hi) : -low;
		strbuf_printf(w->out, "clamp((%s)%s, (%s)%s, (%s)%s)", s, x, s,
			      lo <= low ? limit[0] : expr_literal(&w->scratch, lo, t, w->form), s,
			      hi >= -low ? limit[1] : expr_literal(&w->scratch, hi, t, w->form));
		return true;
	default:
		return false;
	}
}

static bool put_cast(struct writer *w, const char *x, enum dtype from, enum dtype to)
{
	if (from == to) {
		strbuf_puts(w->out, x);
	} else if (w->form == EXPR_VECTOR) {
		if (to == DTYPE_BOOL)
			strbuf_printf(w->out, "(%s != %s)", x, lit(w, 0));
		else
			put_select(w, x, lit(w, 1), lit(w, 0));
	} else if (to == DTYPE_BOOL) {
		strbuf_printf(w->out, "(%s != 0)", x);
	} else if (is_float(from) && !is_float(to)) {
		strbuf_printf(w->out, "(%s)edge_to_long(%s)", expr_type(to, w->form), x);
	} else {
		strbuf_printf(w->out, "(%s)%s", expr_type(to, w->form), x);
	}
	return true;
}

/* x to the power of a literal that needs no pow(). */
static bool put_power(struct writer *w, const char *x, const char *y)
{
	if (strcmp(y, lit(w, 2)) == 0)
		strbuf_printf(w->out, "%s * %s", x, x);
	else if (strcmp(y, lit(w, 3)) == 0)
		strbuf_printf(w->out, "%s * %s * %s", x, x, x);
	else if (strcmp(y, lit(w, 0.5)) == 0)
		strbuf_printf(w->out, "sqrt(%s)", x);
	else
		return false;
	return true;
}

static bool put_binary_float(struct writer *w, const char *x, const char *y)
{
	enum op op = w->s->op;

	if (op == OP_pow && put_power(w, x, y))
		return true;
	if (infix[op])
		strbuf_printf(w->out, "(%s %s %s)", x, infix[op], y);
	else if (function2[op])
		strbuf_printf(w->out, "%s(%s, %s)", function2[op], x, y);
	else if (op == OP_prelu)
		put_select(w, arena_printf(&w->scratch, "%s < %s", x, lit(w, 0)),
			   arena_printf(&w->scratch, "%s * %s", y, x), x);
	else
		return false;
	return true;
}

/* Wraps around: through the unsigned type. */
static bool put_binary_int(struct writer *w, const char *x, const char *y, enum dtype t)
{
	const char *u = t == DTYPE_I64 ? "ulong" : "uint", *s = t == DTYPE_I64 ? "long" : "int";
	enum op op = w->s->op;

	if (op == OP_add || op == OP_sub || op == OP_mul)
		strbuf_printf(w->out, "(%s)((%s)%s %s (%s)%s)", s, u, x, infix[op], u, y);
	else if (int_function2[op])
		strbuf_printf(w->out, "%s((%s)%s, (%s)%s)", int_function2[op], s, x, s, y);
	else if (op == OP_pow)
		strbuf_printf(w->out, "(%s)edge_ipow((long)%s, (long)%s)", s, x, y);
	else if (op == OP_prelu)
		strbuf_printf(w->out, "%s < 0 ? (%s)((%s)%s * (%s)%s) : (%s)%s", x, s, u, y, u, x, s, x);
	else if (infix[op])
		strbuf_printf(w->out, "(%s %s %s)", x, infix[op], y);
	else
		return false;
	return true;
}

static bool put_logic(struct writer *w, const char *x, const char *y)
{
	switch (w->s->op) {
	case OP_logical_and:
		strbuf_printf(w->out, "(%s & %s)", x, y);
		return true;
	case OP_logical_or:
		strbuf_printf(w->out, "(%s | %s)", x, y);
		return true;
	case OP_logical_xor:
		strbuf_printf(w->out, "(%s ^ %s)", x, y);
		return true;
	case OP_equal:
		strbuf_printf(w->out, "(%s == %s)", x, y);
		return true;
	default:
		return false;
	}
}

static bool put(struct writer *w, const struct expr_arg *arg)
{
	const char *x = arg[0].text, *y = arg[1].text;
	enum dtype t = arg[0].dtype;

	if (w->s->op == OP_cast)
		return put_cast(w, x, t, w->s->dtype);
	if (w->s->op == OP_where) {
		put_select(w, x, y, arg[2].text);
		return true;
	}
	if (w->s->op == OP_logical_not) {
		strbuf_printf(w->out, w->form == EXPR_VECTOR ? "(%s == (int16)(0))" : "!%s", x);
		return true;
	}
	if (op_class(w->s->op) == OP_UNARY) {
		if (t == DTYPE_BOOL && w->s->op == OP_identity)
			strbuf_puts(w->out, x);
		else
			return is_float(t) ? put_unary_float(w, x) : put_unary_int(w, x, t);
		return true;
	}
	if (t == DTYPE_BOOL)
		return put_logic(w, x, y);
	if (arg[1].dtype != t)
		y = arena_printf(&w->scratch, "(%s)%s", expr_type(t, w->form), y);
	return is_float(t) ? put_binary_float(w, x, y) : put_binary_int(w, x, y, t);
}

bool expr_render(struct strbuf *out, const struct epilogue_step *s, const struct expr_arg *arg,
		 enum expr_form form)
{
	struct writer w = { .out = out, .s = s, .form = form };
	bool ok = put(&w, arg);

	arena_release(&w.scratch);
	return ok;
}
