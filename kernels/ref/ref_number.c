/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ref_number.c - elements of any dtype as double or int64, and back.
 *
 * f16 and bf16 are rounded to nearest even from the double at once: going
 * through float would round twice.
 */
#include "config.h"

#include "ref/ref.h"

#include <math.h>
#include <string.h>

static float bits_to_float(uint32_t bits)
{
	float f;

	memcpy(&f, &bits, sizeof(f));
	return f;
}

/*
 * To float, inexact results toward an odd mantissa: a later rounding to fewer
 * bits then gives what rounding the double at once would give.
 */
static float float_to_odd(double x)
{
	float f = (float)x;
	uint32_t bits;

	if (isnan(x) || isinf(f) || (double)f == x)
		return f;
	if (fabs((double)f) > fabs(x))
		f = nextafterf(f, 0);
	memcpy(&bits, &f, sizeof(bits));
	return bits_to_float(bits | 1);
}

static uint16_t double_to_bf16(double x)
{
	float f = float_to_odd(x);
	uint32_t bits;

	memcpy(&bits, &f, sizeof(bits));
	if (isnan(f))
		return (uint16_t)(bits >> 16 | 0x40);
	return (uint16_t)((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

static int64_t double_to_int64(double x)
{
	if (isnan(x))
		return 0;
	if (x >= 9223372036854775808.0)
		return INT64_MAX;
	if (x <= -9223372036854775808.0)
		return INT64_MIN;
	return (int64_t)x;
}

double ref_get(const struct ref_tensor *t, int64_t i)
{
	switch (t->dtype) {
	case DTYPE_F32:
		return (double)((const float *)t->data)[i];
	case DTYPE_F64:
		return ((const double *)t->data)[i];
	case DTYPE_F16:
		return (double)half_to_float(((const uint16_t *)t->data)[i]);
	case DTYPE_BF16:
		return (double)bits_to_float((uint32_t)((const uint16_t *)t->data)[i] << 16);
	default:
		return (double)ref_get_int(t, i);
	}
}

int64_t ref_get_int(const struct ref_tensor *t, int64_t i)
{
	switch (t->dtype) {
	case DTYPE_I64:
		return ((const int64_t *)t->data)[i];
	case DTYPE_I32:
		return ((const int32_t *)t->data)[i];
	case DTYPE_I16:
		return ((const int16_t *)t->data)[i];
	case DTYPE_I8:
		return ((const int8_t *)t->data)[i];
	case DTYPE_U8:
		return ((const uint8_t *)t->data)[i];
	case DTYPE_BOOL:
		return ((const uint8_t *)t->data)[i] != 0;
	default:
		return double_to_int64(ref_get(t, i));
	}
}

void ref_set(struct ref_tensor *t, int64_t i, double x)
{
	switch (t->dtype) {
	case DTYPE_F32:
		((float *)t->data)[i] = (float)x;
		break;
	case DTYPE_F64:
		((double *)t->data)[i] = x;
		break;
	case DTYPE_F16:
		((uint16_t *)t->data)[i] = float_to_half(float_to_odd(x));
		break;
	case DTYPE_BF16:
		((uint16_t *)t->data)[i] = double_to_bf16(x);
		break;
	case DTYPE_BOOL:
		((uint8_t *)t->data)[i] = x != 0;
		break;
	case DTYPE_I32:
		((int32_t *)t->data)[i] = isnan(x) ? 0
			: x >= INT32_MAX ? INT32_MAX : x <= INT32_MIN ? INT32_MIN : (int32_t)x;
		break;
	default:
		ref_set_int(t, i, double_to_int64(x));
		break;
	}
}

void ref_set_int(struct ref_tensor *t, int64_t i, int64_t x)
{
	switch (t->dtype) {
	case DTYPE_I64:
		((int64_t *)t->data)[i] = x;
		break;
	case DTYPE_I32:
		((int32_t *)t->data)[i] = (int32_t)(uint32_t)(uint64_t)x;
		break;
	case DTYPE_I16:
		((int16_t *)t->data)[i] = (int16_t)(uint16_t)(uint64_t)x;
		break;
	case DTYPE_I8:
		((int8_t *)t->data)[i] = (int8_t)(uint8_t)(uint64_t)x;
		break;
	case DTYPE_U8:
		((uint8_t *)t->data)[i] = (uint8_t)(uint64_t)x;
		break;
	case DTYPE_BOOL:
		((uint8_t *)t->data)[i] = x != 0;
		break;
	case DTYPE_F32:
		((float *)t->data)[i] = (float)x; /* rounded once, unlike through double */
		break;
	default:
		ref_set(t, i, (double)x);
		break;
	}
}
