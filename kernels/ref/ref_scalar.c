/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_scalar.c - the elementwise operations on one element.
 *
 * Floats: in double. Integers (all widths and bool): in int64, wrapping; the
 * caller wraps to the narrower width by storing. Truth is 1 and 0 in both.
 */
#include "config.h"

#include "ref/ref.h"

#include <math.h>

static double attr_number(const struct attr *attr, uint32_t count, enum attr_key k, double absent)
{
	for (uint32_t i = 0; i < count; i++)
		if (attr[i].key == k)
			return attr[i].kind == ATTR_INT ? (double)attr[i].i : attr[i].f;
	return absent;
}

static double sigmoid(double x)
{
	return 1 / (1 + exp(-x));
}

static double softplus(double x)
{
	return fmax(x, 0) + log1p(exp(-fabs(x)));
}

static double round_half_even(double x)
{
	double f = floor(x), r = x - f;

	if (r < 0.5 || (r == 0.5 && fmod(f, 2) == 0))
		return copysign(f, x);
	return copysign(f + 1, x);
}

static bool unary_math(enum op op, double x, double *out)
{
	switch (op) {
	case OP_exp: *out = exp(x); return true;
	case OP_log: *out = log(x); return true;
	case OP_sqrt: *out = sqrt(x); return true;
	case OP_rsqrt: *out = 1 / sqrt(x); return true;
	case OP_reciprocal: *out = 1 / x; return true;
	case OP_floor: *out = floor(x); return true;
	case OP_ceil: *out = ceil(x); return true;
	case OP_round: *out = isfinite(x) ? round_half_even(x) : x; return true;
	case OP_sin: *out = sin(x); return true;
	case OP_cos: *out = cos(x); return true;
	case OP_tan: *out = tan(x); return true;
	case OP_asin: *out = asin(x); return true;
	case OP_acos: *out = acos(x); return true;
	case OP_atan: *out = atan(x); return true;
	case OP_sinh: *out = sinh(x); return true;
	case OP_cosh: *out = cosh(x); return true;
	case OP_asinh: *out = asinh(x); return true;
	case OP_acosh: *out = acosh(x); return true;
	case OP_atanh: *out = atanh(x); return true;
	case OP_tanh: *out = tanh(x); return true;
	case OP_erf: *out = erf(x); return true;
	default: return false;
	}
}

static bool unary_activation(enum op op, const struct attr *attr, uint32_t n, double x, double *out)
{
	double alpha = attr_number(attr, n, ATTR_alpha, op == OP_hard_sigmoid ? 0.2
		: op == OP_leaky_relu ? 0.01 : op == OP_selu ? 1.67326319217681884765625 : 1);
	double gamma = attr_number(attr, n, ATTR_gamma, 1.05070102214813232421875);

	switch (op) {
	case OP_sigmoid: *out = sigmoid(x); return true;
	case OP_relu: *out = x < 0 ? 0 : x; return true;
	case OP_gelu: *out = x / 2 * (1 + erf(x * 0.70710678118654752440)); return true;
	case OP_gelu_tanh:
		*out = x / 2 * (1 + tanh(0.79788456080286535588 * (x + 0.044715 * x * x * x)));
		return true;
	case OP_silu: *out = x * sigmoid(x); return true;
	case OP_mish: *out = x * tanh(softplus(x)); return true;
	case OP_softplus: *out = isnan(x) ? x : softplus(x); return true;
	case OP_softsign: *out = x / (1 + fabs(x)); return true;
	case OP_hard_sigmoid:
		x = alpha * x + attr_number(attr, n, ATTR_beta, 0.5);
		*out = x < 0 ? 0 : x > 1 ? 1 : x;
		return true;
	case OP_hard_swish: *out = x * fmin(fmax(x / 6 + 0.5, 0), 1); return true;
	case OP_leaky_relu: *out = x < 0 ? alpha * x : x; return true;
	case OP_elu: *out = x < 0 ? alpha * expm1(x) : x; return true;
	case OP_selu: *out = gamma * (x < 0 ? alpha * expm1(x) : x); return true;
	case OP_celu: *out = x < 0 ? alpha * expm1(x / alpha) : x; return true;
	case OP_thresholded_relu: *out = x <= alpha ? 0 : x; return true;
	default: return false;
	}
}

bool ref_unary(enum op op, const struct attr *attr, uint32_t n, double x, double *out)
{
	switch (op) {
	case OP_identity:
	case OP_cast: *out = x; return true; /* storing converts */
	case OP_neg: *out = -x; return true;
	case OP_abs: *out = fabs(x); return true;
	case OP_sign: *out = isnan(x) ? x : (x > 0) - (x < 0); return true;
	case OP_logical_not: *out = x == 0; return true;
	case OP_is_nan: *out = isnan(x) != 0; return true;
	case OP_is_inf: *out = isinf(x) != 0; return true;
	case OP_clip: /* the upper bound wins, as min(max(x, lo), hi) */
		if (x < attr_number(attr, n, ATTR_min, -INFINITY))
			x = attr_number(attr, n, ATTR_min, 0);
		if (x > attr_number(attr, n, ATTR_max, INFINITY))
			x = attr_number(attr, n, ATTR_max, 0);
		*out = x;
		return true;
	default:
		return unary_math(op, x, out) || unary_activation(op, attr, n, x, out);
	}
}

bool ref_unary_int(enum op op, const struct attr *attr, uint32_t n, int64_t x, int64_t *out)
{
	double v = (double)x;

	switch (op) {
	case OP_identity:
	case OP_cast:
	case OP_floor:
	case OP_ceil:
	case OP_round: *out = x; return true;
	case OP_neg: *out = (int64_t)(0 - (uint64_t)x); return true;
	case OP_abs: *out = x < 0 ? (int64_t)(0 - (uint64_t)x) : x; return true;
	case OP_sign: *out = (x > 0) - (x < 0); return true;
	case OP_relu: *out = x < 0 ? 0 : x; return true;
	case OP_logical_not: *out = x == 0; return true;
	case OP_is_nan:
	case OP_is_inf: *out = 0; return true;
	case OP_clip:
		if (v < attr_number(attr, n, ATTR_min, -INFINITY))
			x = (int64_t)attr_number(attr, n, ATTR_min, 0);
		if (v > attr_number(attr, n, ATTR_max, INFINITY))
			x = (int64_t)attr_number(attr, n, ATTR_max, 0);
		*out = x;
		return true;
	default: return false;
	}
}

bool ref_binary(enum op op, double x, double y, double *out)
{
	switch (op) {
	case OP_add: *out = x + y; return true;
	case OP_sub: *out = x - y; return true;
	case OP_mul: *out = x * y; return true;
	case OP_div: *out = x / y; return true;
	case OP_pow: *out = pow(x, y); return true;
	case OP_min: *out = isnan(x) || x < y ? x : y; return true; /* a NaN on either side stays */
	case OP_max: *out = isnan(x) || x > y ? x : y; return true;
	case OP_fmod: *out = fmod(x, y); return true;
	case OP_mod:
		*out = fmod(x, y);
		if (*out != 0 && (*out < 0) != (y < 0))
			*out += y;
		return true;
	case OP_prelu: *out = x < 0 ? x * y : x; return true;
	case OP_equal: *out = x == y; return true;
	case OP_less: *out = x < y; return true;
	case OP_less_equal: *out = x <= y; return true;
	case OP_greater: *out = x > y; return true;
	case OP_greater_equal: *out = x >= y; return true;
	case OP_logical_and: *out = x != 0 && y != 0; return true;
	case OP_logical_or: *out = x != 0 || y != 0; return true;
	case OP_logical_xor: *out = (x != 0) != (y != 0); return true;
	default: return false;
	}
}

static int64_t pow_int(int64_t x, int64_t y)
{
	uint64_t r = 1, b = (uint64_t)x;

	if (y < 0)
		return x == 1 ? 1 : x == -1 ? (y & 1 ? -1 : 1) : 0;
	for (; y; y >>= 1, b *= b)
		if (y & 1)
			r *= b;
	return (int64_t)r;
}

/* Toward zero; nothing traps: x / 0 is 0 and the least integer over -1 is itself. */
static int64_t div_int(int64_t x, int64_t y)
{
	if (y == 0)
		return 0;
	return y == -1 ? (int64_t)(0 - (uint64_t)x) : x / y;
}

static int64_t fmod_int(int64_t x, int64_t y)
{
	return y == 0 || y == -1 ? 0 : x % y;
}

bool ref_binary_int(enum op op, int64_t x, int64_t y, int64_t *out)
{
	switch (op) {
	case OP_add: *out = (int64_t)((uint64_t)x + (uint64_t)y); return true;
	case OP_sub: *out = (int64_t)((uint64_t)x - (uint64_t)y); return true;
	case OP_mul: *out = (int64_t)((uint64_t)x * (uint64_t)y); return true;
	case OP_div: *out = div_int(x, y); return true;
	case OP_pow: *out = pow_int(x, y); return true;
	case OP_min: *out = x < y ? x : y; return true;
	case OP_max: *out = x > y ? x : y; return true;
	case OP_fmod: *out = fmod_int(x, y); return true;
	case OP_mod:
		*out = fmod_int(x, y);
		if (*out && (*out < 0) != (y < 0))
			*out += y;
		return true;
	case OP_prelu: *out = x < 0 ? (int64_t)((uint64_t)x * (uint64_t)y) : x; return true;
	case OP_equal: *out = x == y; return true;
	case OP_less: *out = x < y; return true;
	case OP_less_equal: *out = x <= y; return true;
	case OP_greater: *out = x > y; return true;
	case OP_greater_equal: *out = x >= y; return true;
	case OP_logical_and: *out = x && y; return true;
	case OP_logical_or: *out = x || y; return true;
	case OP_logical_xor: *out = !x != !y; return true;
	default: return false;
	}
}
