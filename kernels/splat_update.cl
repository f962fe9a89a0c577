/* SPDX-License-Identifier: Apache-2.0 */
/*
 * splat_update.cl - projection backward, and a step of Adam on what comes out of it.
 *
 * The forward intermediates are computed again, so between the picture and the
 * parameters nothing is kept but nine sums a Gaussian.
 *
 * Those that the view did not show take a step with a gradient of zero, as Adam
 * has it, but later: sixteen that have no gradient are not touched, only counted,
 * and take the steps they missed together with their next one, or after
 * MISSED_MOST of them. k steps without gradient multiply the moments by beta^k and
 * move the parameter by the mean over its deviation, times a number that depends
 * on k and the step alone: the host's table. So moments are what Adam's would be, and
 * parameters too whenever a step with a gradient is over; until then what is not in
 * the picture lags behind by less than it would have drifted. The last step of training
 * leaves nothing to catch up with. Where each step pulls at every Gaussian (decay,
 * noise) none misses one.
 *
 * MOMENT_BITS 32: both moments as floats. 16: their upper halves. 8: the first
 * as sign, 5 bits of exponent and 2 of mantissa, the root of the second as 5 and
 * 3. Both round up or down by chance in proportion to what is lost, without
 * which small changes of a slow mean would never arrive.
 *
 * COMPACT: all parameters but places have 16 bits, rounded by chance, too, and higher
 * colour coefficients have no moments of their own. Their functions have the
 * same mean square over all directions as the constant one, so the colour's second moment says
 * how large their gradients are; the first moment would only smooth what is slow anyway.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef EDGE_SPLAT
#include "splat.clh"
#endif
#ifndef KERNEL
#define KERNEL splat_update
#endif

#define MOST_STEP 10.0f /* of a coefficient without moments, in rates */
#define BETA1 0.9f
#define BETA2 0.999f

struct EDGE_FN(adam) {
	__global float *p;
	__global REST *rest; /* of the parameters */
	__global MOMENT1 *m;
	__global MOMENT2 *v;
	long plane;
	float unbias1, unbias2, epsilon;
	uint16 random;
	int late, own;			  /* whether steps were missed; whether there is a present one */
	float16 drift, place, fade1, fade2; /* of the steps missed */
};

#if MOMENT_BITS == 32
#define LOAD_M(at) vload16(0, a->m + (at))
#define LOAD_V(at) vload16(0, a->v + (at))
#define STORE_M(x, at) vstore16(x, 0, a->m + (at))
#define STORE_V(x, at) vstore16(x, 0, a->v + (at))
#elif MOMENT_BITS == 16
#define LOAD_M(at) as_float16(convert_uint16(vload16(0, a->m + (at))) << 16)
#define LOAD_V(at) as_float16(convert_uint16(vload16(0, a->v + (at))) << 16)
#define STORE_M(x, at) vstore16(convert_ushort16((as_uint16(x) + (a->random >> 16)) >> 16), 0, a->m + (at))
#define STORE_V(x, at) vstore16(convert_ushort16((as_uint16(x) + (a->random & 0xffffu)) >> 16), 0, a->v + (at))
#else
/* exponents 2^-34 .. 2^-3; below is zero */
#define LOW_CODE (93u << 3)
#define LOAD_V(at) EDGE_FN(second)(vload16(0, a->v + (at)))
#define LOAD_M(at) EDGE_FN(first)(vload16(0, a->m + (at)))
#define STORE_M(x, at) vstore16(EDGE_FN(code1)(x, a->random), 0, a->m + (at))
#define STORE_V(x, at) vstore16(EDGE_FN(code2)(x, a->random), 0, a->v + (at))

EDGE_OVERLOAD float16 EDGE_FN(second)(uchar16 code)
{
	const uint16 c = convert_uint16(code);
	const float16 root = as_float16(((c + LOW_CODE) << 20) & as_uint16(c != 0u));

	return root * root;
}
EDGE_OVERLOAD float16 EDGE_FN(first)(uchar16 code)
{
	const uint16 c = convert_uint16(code), size = c & 127u;

	return as_float16((((size + (LOW_CODE >> 1)) << 21) & as_uint16(size != 0u)) | (c & 128u) << 24);
}
EDGE_OVERLOAD uchar16 EDGE_FN(code2)(float16 v, uint16 random)
{
	const int16 bits = as_int16((as_uint16(sqrt(v)) + (random >> 12)) >> 20) - (int)LOW_CODE;

	return convert_uchar16(clamp(bits, (int16)(0), (int16)(255)));
}
EDGE_OVERLOAD uchar16 EDGE_FN(code1)(float16 m, uint16 random)
{
	const uint16 all = as_uint16(m), bits = ((all & 0x7fffffffu) + ((random * 0x9e3779b1u) >> 11)) >> 21;
	const int16 size = clamp(as_int16(bits) - (int)(LOW_CODE >> 1), (int16)(0), (int16)(127));

	return convert_uchar16(as_uint16(size) | (all >> 24 & 128u));
}
#endif

#if MOMENT_BITS == 8
/* the least root that has a code bounds the step where the second moment has none */
#define VARIANCE(v) max(v, (float16)(0x1p-68f))
#else
#define VARIANCE(v) (v)
#endif

/* Parameter k, which is p, after its step. */
EDGE_OVERLOAD float16 EDGE_FN(stepped)(struct EDGE_FN(adam) *a, int k, float16 p, float16 gradient, float rate)
{
	const long at = k * a->plane;
	float16 m = LOAD_M(at), v = LOAD_V(at);

	if (a->late) {
		p -= (k < P_SCALE ? a->place : rate * a->drift) * m / sqrt(max(VARIANCE(v), (float16)(1e-30f)));
		m *= a->fade1;
		v *= a->fade2;
	}
	if (a->own) {
		m = BETA1 * m + (1.0f - BETA1) * gradient;
		v = BETA2 * v + (1.0f - BETA2) * gradient * gradient;
		p -= rate * a->unbias1 * m / (sqrt(VARIANCE(v) * a->unbias2) + a->epsilon);
	}
#if MOMENT_BITS < 32
	a->random = a->random * 1664525u + 1013904223u;
#endif
	STORE_M(m, at);
	STORE_V(v, at);
	return p;
}

EDGE_OVERLOAD void EDGE_FN(place)(struct EDGE_FN(adam) *a, int k, float16 gradient, float rate)
{
	const long at = k * a->plane;

	vstore16(EDGE_FN(stepped)(a, k, vload16(0, a->p + at), gradient, rate), 0, a->p + at);
}

/* What chance rounds by, for numbers of 16 bits. */
EDGE_OVERLOAD uint16 EDGE_FN(chance)(struct EDGE_FN(adam) *a)
{
#if COMPACT
	a->random = a->random * 1664525u + 1013904223u;
#endif
	return a->random >> 16;
}

/* A step of parameter k, of those from P_REST on. */
EDGE_OVERLOAD void EDGE_FN(step)(struct EDGE_FN(adam) *a, int k, float16 gradient, float rate)
{
	const float16 x = EDGE_FN(stepped)(a, k, splat_rest16(a->rest, a->plane, k), gradient, rate);

	splat_put_rest16(x, EDGE_FN(chance)(a), a->rest, a->plane, k);
}

#if COMPACT
EDGE_OVERLOAD void EDGE_FN(coefficient)(struct EDGE_FN(adam) *a, int column, float16 step, float rate)
{
	__global REST *p = a->rest + column * a->plane;
	const float16 x = splat_half16(p) - rate * clamp(step, (float16)(-MOST_STEP), (float16)(MOST_STEP));

	splat_put_half16(x, EDGE_FN(chance)(a), p);
}

/* The higher coefficients' steps. */
EDGE_OVERLOAD void EDGE_FN(higher)(struct EDGE_FN(adam) *a, int n, const float16 *y, const float16 *rgb, float rate)
{
	float16 scale[3], all = (float16)(0.0f), grey;

	for (int j = 0; j < 3; j++) {
		const float16 v = VARIANCE(LOAD_V((P_COLOUR + j) * a->plane)) * a->unbias2;

		scale[j] = rgb[j] / (sqrt(v) + a->epsilon);
		all += v;
	}
	grey = (rgb[0] + rgb[1] + rgb[2]) / (sqrt(all) + a->epsilon);
	for (int k = 1; k < min(n, GREY); k++)
		for (int j = 0; j < 3; j++)
			EDGE_FN(coefficient)(a, HIGHER_AT(k, j), y[k] * scale[j], rate);
	for (int k = GREY; k < n; k++)
		EDGE_FN(coefficient)(a, HIGHER_AT(k, 0), y[k] * grey, rate);
}
#endif

/* What so many steps missed come to. */
EDGE_OVERLOAD void EDGE_FN(lateness)(__global const uint *restrict state, float16 missed, struct EDGE_FN(adam) *a)
{
	__global const float *table = (__global const float *)state + STATE_DRIFT;
	float number[16], drift[16], place[16];

	a->late = edge_any(missed > 0.0f);
	if (!a->late)
		return;
	vstore16(missed, 0, number);
	for (int l = 0; l < 16; l++) {
		const int k = clamp((int)number[l], 0, MISSED_MOST);

		drift[l] = table[k];
		place[l] = table[MISSED_MOST + 1 + k];
	}
	a->drift = vload16(0, drift);
	a->place = vload16(0, place);
	a->fade1 = edge_exp(missed * -0.10536051565782628f); /* ln beta */
	a->fade2 = edge_exp(missed * -0.0010005003335835335f);
}

/* dL / d direction from the products of the coefficients with dL / d colour. */
EDGE_OVERLOAD void EDGE_FN(direction)(const float16 *d, int degree, const float16 *c, float16 *out)
{
	const float16 x = d[0], y = d[1], z = d[2];
	float16 gx = (float16)(0.0f), gy = gx, gz = gx;

#if SH_DEGREE > 0
	if (degree > 0) {
		gy -= SH1 * c[1];
		gz += SH1 * c[2];
		gx -= SH1 * c[3];
	}
#endif
#if SH_DEGREE > 1
	if (degree > 1) {
		gx += SH2_0 * (y * c[4] - z * c[7]) - 2.0f * SH2_2 * x * c[6] + 2.0f * SH2_4 * x * c[8];
		gy += SH2_0 * (x * c[4] - z * c[5]) - 2.0f * SH2_2 * y * c[6] - 2.0f * SH2_4 * y * c[8];
		gz += 4.0f * SH2_2 * z * c[6] - SH2_0 * (y * c[5] + x * c[7]);
	}
#endif
#if SH_DEGREE > 2
	if (degree > 2) {
		const float16 xx = x * x, yy = y * y, zz = z * z;

		gx += -6.0f * SH3_0 * x * y * c[9] + SH3_1 * y * z * c[10] + 2.0f * SH3_2 * x * y * c[11] -
		      6.0f * SH3_3 * x * z * c[12] - SH3_2 * (4.0f * zz - 3.0f * xx - yy) * c[13] +
		      2.0f * SH3_5 * x * z * c[14] - 3.0f * SH3_0 * (xx - yy) * c[15];
		gy += -3.0f * SH3_0 * (xx - yy) * c[9] + SH3_1 * x * z * c[10] -
		      SH3_2 * (4.0f * zz - xx - 3.0f * yy) * c[11] - 6.0f * SH3_3 * y * z * c[12] +
		      2.0f * SH3_2 * x * y * c[13] - 2.0f * SH3_5 * y * z * c[14] + 6.0f * SH3_0 * x * y * c[15];
		gz += SH3_1 * x * y * c[10] - 8.0f * SH3_2 * y * z * c[11] +
		      3.0f * SH3_3 * (2.0f * zz - xx - yy) * c[12] - 8.0f * SH3_2 * x * z * c[13] +
		      SH3_5 * (xx - yy) * c[14];
	}
#endif
	out[0] = gx;
	out[1] = gy;
	out[2] = gz;
}

/* Gradients of position, scale and rotation, from the sums of a Gaussian; place: dL / d (u, v). */
EDGE_OVERLOAD void EDGE_FN(geometry)(__global const uint *restrict state, const struct splat_geometry *g,
				     const float16 *sum, float16 *out, float16 *place)
{
	const float fx = splat_float(state, STATE_FOCAL), fy = splat_float(state, STATE_FOCAL + 1);
	__global const float *w = (__global const float *)state + STATE_ROTATION;
	const float16 root = KAPPA_ROOT / sqrt(g->c * g->det);
	const float16 k1 = g->c * root, k2 = -g->b * root, k3 = KAPPA / g->c;
	/* half the sum of h (Q d) (Q d)^T, where Q d = (k1 k, k2 k + k3 dy) / kappa */
	const float16 da = (0.5f / (KAPPA * KAPPA)) * k1 * k1 * sum[3];
	const float16 db = (1.0f / (KAPPA * KAPPA)) * k1 * (k2 * sum[3] + k3 * sum[4]);
	const float16 dc = (0.5f / (KAPPA * KAPPA)) * (k2 * (k2 * sum[3] + 2.0f * k3 * sum[4]) + k3 * k3 * sum[5]);
	const float16 s = 1.0f / max(g->tz, (float16)(NEAR));
	const int16 cut_x = g->x != g->xc, cut_y = g->y != g->yc;
	float16 m[6], v[9], t[6], q[4], j11, j13, j22, j23, dt[3], dot;
	const float16 zero = (float16)(0.0f);

	place[0] = (-1.0f / KAPPA) * k1 * sum[1];
	place[1] = (-1.0f / KAPPA) * (k2 * sum[1] + k3 * sum[2]);
	for (int k = 0; k < 3; k++) {
		m[k] = 2.0f * da * g->m[k] + db * g->m[3 + k];
		m[3 + k] = db * g->m[k] + 2.0f * dc * g->m[3 + k];
	}
	for (int j = 0; j < 3; j++)
		for (int k = 0; k < 3; k++)
			v[3 * j + k] = g->t[j] * m[k] + g->t[3 + j] * m[3 + k];
	for (int i = 0; i < 2; i++)
		for (int j = 0; j < 3; j++)
			t[3 * i + j] = m[3 * i] * g->v[3 * j] + m[3 * i + 1] * g->v[3 * j + 1] +
				       m[3 * i + 2] * g->v[3 * j + 2];
	j11 = t[0] * w[0] + t[1] * w[1] + t[2] * w[2];
	j13 = t[0] * w[6] + t[1] * w[7] + t[2] * w[8];
	j22 = t[3] * w[3] + t[4] * w[4] + t[5] * w[5];
	j23 = t[3] * w[6] + t[4] * w[7] + t[5] * w[8];
	dt[0] = fx * s * place[0] - select(fx * s * s * j13, zero, cut_x);
	dt[1] = fy * s * place[1] - select(fy * s * s * j23, zero, cut_y);
	dt[2] = s * s * (select((float16)(2.0f), (float16)(1.0f), cut_x) * fx * g->xc * j13 +
			 select((float16)(2.0f), (float16)(1.0f), cut_y) * fy * g->yc * j23 - fx * j11 - fy * j22) -
		s * (fx * g->x * place[0] + fy * g->y * place[1]);
	for (int j = 0; j < 3; j++)
		out[P_POSITION + j] = w[j] * dt[0] + w[3 + j] * dt[1] + w[6 + j] * dt[2];
	for (int k = 0; k < 3; k++)
		out[P_SCALE + k] = g->v[k] * v[k] + g->v[3 + k] * v[3 + k] + g->v[6 + k] * v[6 + k];
	for (int i = 0; i < 3; i++)
		for (int k = 0; k < 3; k++)
			v[3 * i + k] *= g->s[k];
	q[0] = 2.0f * (g->q[1] * (v[7] - v[5]) + g->q[2] * (v[2] - v[6]) + g->q[3] * (v[3] - v[1]));
	q[1] = 2.0f * (g->q[2] * (v[1] + v[3]) + g->q[3] * (v[2] + v[6]) + g->q[0] * (v[7] - v[5])) -
	       4.0f * g->q[1] * (v[4] + v[8]);
	q[2] = 2.0f * (g->q[1] * (v[1] + v[3]) + g->q[3] * (v[5] + v[7]) + g->q[0] * (v[2] - v[6])) -
	       4.0f * g->q[2] * (v[0] + v[8]);
	q[3] = 2.0f * (g->q[1] * (v[2] + v[6]) + g->q[2] * (v[5] + v[7]) + g->q[0] * (v[3] - v[1])) -
	       4.0f * g->q[3] * (v[0] + v[4]);
	dot = q[0] * g->q[0] + q[1] * g->q[1] + q[2] * g->q[2] + q[3] * g->q[3];
	for (int k = 0; k < 4; k++)
		out[P_ROTATION + k] = (q[k] - g->q[k] * dot) / g->length;
}

/* The nine sums of sixteen Gaussians; zero where the view did not show one, or where one is no number. */
EDGE_OVERLOAD int16 EDGE_FN(sums)(__global const SUM *restrict gradients, uint shown, float16 *sum)
{
	float lane[GRADIENT * 16];
	int16 ok;

	for (int l = 0; l < 16; l++)
		for (int k = 0; k < GRADIENT; k++)
			lane[16 * k + l] = shown >> l & 1u ? splat_get(gradients + l * GRADIENT + k) : 0.0f;
	ok = ((int16)((int)shown) >> SPLAT_LANES_I & 1) != 0;
	for (int k = 0; k < GRADIENT; k++) {
		sum[k] = vload16(k, lane);
		ok = ok & (fabs(sum[k]) < 1e20f);
	}
	for (int k = 0; k < GRADIENT; k++)
		sum[k] = select((float16)(0.0f), sum[k], ok);
	return ok;
}

/* Gradients of all but the colour, and of that what its sums and y come to; the statistics. */
EDGE_OVERLOAD void EDGE_FN(backward)(__global const uint *restrict state, const struct splat_geometry *g,
				     const struct EDGE_FN(adam) *a, int16 shown, float16 opacity, float16 *sum, float16 *y,
				     float16 *out, __global STAT *s)
{
	const int degree = (int)state[STATE_DEGREE], n = (degree + 1) * (degree + 1);
	float16 c[16], d[3], rgb[3], dd[3], place[2], length, dot;

	EDGE_FN(geometry)(state, g, sum, out, place);
	place[0] *= 0.5f * (float)state[STATE_WIDTH];
	place[1] *= 0.5f * (float)state[STATE_HEIGHT];
	splat_put16(splat_get16(s) + sqrt(place[0] * place[0] + place[1] * place[1]), a->random >> 16, s);
	out[P_OPACITY] = (1.0f - opacity) * sum[0];
	length = splat_direction(state, a->p, a->plane, d);
	splat_harmonics(d, degree, y);
	splat_colour(a->rest, a->plane, degree, y, rgb);
	for (int k = 0; k < 3; k++)
		sum[6 + k] = select(sum[6 + k], (float16)(0.0f), rgb[k] < 0.0f);
	for (int k = 1; k < min(n, GREY); k++) {
		__global const REST *sh = a->rest + HIGHER_AT(k, 0) * a->plane;

		c[k] = sum[6] * splat_half16(sh) + sum[7] * splat_half16(sh + a->plane) + sum[8] * splat_half16(sh + 2 * a->plane);
	}
	for (int k = GREY; k < n; k++)
		c[k] = (sum[6] + sum[7] + sum[8]) * splat_half16(a->rest + HIGHER_AT(k, 0) * a->plane);
	EDGE_FN(direction)(d, degree, c, dd);
	dot = d[0] * dd[0] + d[1] * dd[1] + d[2] * dd[2];
	for (int k = 0; k < 3; k++)
		out[k] += (dd[k] - d[k] * dot) / length;
	for (int k = 0; k < 11; k++)
		out[k] = select((float16)(0.0f), out[k], shown & (fabs(out[k]) < 1e20f));
}

/* Exploration of relocation: noise of the shape of the Gaussian, for those that are nearly transparent. */
EDGE_OVERLOAD void EDGE_FN(wander)(__global const uint *restrict state, const struct splat_geometry *g, float16 opacity,
				   int first, __global float *p, long plane)
{
	const float16 size = splat_float(state, STATE_NOISE) * splat_sigmoid(100.0f * (0.005f - opacity));
	float16 n[3], u[3];
	float lane[16];

	for (int k = 0; k < 3; k++) {
		for (int l = 0; l < 16; l++)
			lane[l] = splat_normal(((uint)(first + l) * 3u + (uint)k) ^
					       splat_hash(state[STATE_STEP] + state[STATE_SEED]));
		n[k] = vload16(0, lane) * size;
	}
	for (int k = 0; k < 3; k++)
		u[k] = g->v[k] * n[0] + g->v[3 + k] * n[1] + g->v[6 + k] * n[2];
	for (int i = 0; i < 3; i++)
		vstore16(vload16(0, p + i * plane) + g->v[3 * i] * u[0] + g->v[3 * i + 1] * u[1] + g->v[3 * i + 2] * u[2], 0,
			 p + i * plane);
}

/* Sixteen Gaussians' steps. */
EDGE_OVERLOAD void EDGE_FN(steps)(__global const uint *restrict state, struct EDGE_FN(adam) *a, const float16 *out,
				  const float16 *y, const float16 *rgb, int pulled)
{
	__global const float *rate = (__global const float *)state + STATE_RATES;
	const int degree = (int)state[STATE_DEGREE], n = (degree + 1) * (degree + 1);

	for (int k = 0; k < 3; k++)
		EDGE_FN(place)(a, P_POSITION + k, out[P_POSITION + k], rate[0]);
	for (int k = 0; k < 3; k++)
		EDGE_FN(step)(a, P_SCALE + k, out[P_SCALE + k], rate[1]);
	for (int k = 0; k < 4; k++)
		EDGE_FN(step)(a, P_ROTATION + k, out[P_ROTATION + k], rate[2]);
	EDGE_FN(step)(a, P_OPACITY, out[P_OPACITY], rate[3]);
	for (int j = 0; j < 3; j++)
		EDGE_FN(step)(a, P_COLOUR + j, y[0] * rgb[j], rate[4]);
#if COMPACT
	if (pulled)
		EDGE_FN(higher)(a, n, y, rgb, rate[5]);
#else
	for (int k = 1; k < n; k++)
		for (int j = 0; j < 3; j++)
			EDGE_FN(step)(a, P_COLOUR + 3 * k + j, y[k] * rgb[j], rate[5]);
#endif
}

EDGE_OVERLOAD void EDGE_FN(sixteen)(__global const uint *restrict state, struct EDGE_FN(adam) *a,
				    __global const SUM *restrict gradients, uint seen, __global STAT *s, int first)
{
	const float noise = splat_float(state, STATE_NOISE), fade = splat_float(state, STATE_OPACITY_DECAY);
	const float shrink = splat_float(state, STATE_SCALE_DECAY);
	const int all = noise > 0.0f || fade > 0.0f || shrink > 0.0f;
	float16 sum[GRADIENT], out[11], y[16], missed = splat_get16(s + STAT_MISSED * a->plane), opacity;
	struct splat_geometry g;
	int16 shown = (int16)(0);
	int pulled = 0;

	for (int k = 0; k < GRADIENT; k++)
		sum[k] = (float16)(0.0f);
	if (seen) {
		shown = EDGE_FN(sums)(gradients, seen, sum);
		for (int k = 0; k < GRADIENT; k++)
			pulled |= edge_any(sum[k] != 0.0f);
		splat_put16(splat_get16(s + a->plane) + select((float16)(0.0f), (float16)(1.0f), shown), a->random & 0xffffu,
			    s + a->plane);
	}
	if (a->own && !all && !pulled && !edge_any(missed >= (float)MISSED_MOST)) {
		splat_put16(missed + 1.0f, (uint16)(0u), s + STAT_MISSED * a->plane);
		return;
	}
	EDGE_FN(lateness)(state, missed, a);
	if (!a->own && !a->late)
		return;
	opacity = splat_sigmoid(splat_rest16(a->rest, a->plane, P_OPACITY));
	for (int k = 0; k < 11; k++)
		out[k] = (float16)(0.0f);
	for (int k = 0; k < 16; k++)
		y[k] = (float16)(0.0f);
	if (pulled || noise > 0.0f)
		splat_geometry(state, a->p, a->rest, a->plane, &g);
	if (pulled)
		EDGE_FN(backward)(state, &g, a, shown, opacity, sum, y, out, s);
	if (fade > 0.0f || shrink > 0.0f) {
		out[P_OPACITY] += fade * opacity * (1.0f - opacity);
		for (int k = 0; k < 3; k++)
			out[P_SCALE + k] += shrink * edge_exp(splat_rest16(a->rest, a->plane, P_SCALE + k));
	}
	EDGE_FN(steps)(state, a, out, y, sum + 6, pulled);
	if (noise > 0.0f && a->own)
		EDGE_FN(wander)(state, &g, opacity, first, a->p, a->plane);
	splat_put16((float16)(0.0f), (uint16)(0u), s + STAT_MISSED * a->plane);
}

__kernel EDGE_SINGLE void KERNEL(__global const uint *restrict state, __global float *restrict parameters,
				 __global MOMENT1 *restrict moment1, __global MOMENT2 *restrict moment2,
				 __global const uint *restrict chunks, __global const SUM *restrict gradients,
				 __global STAT *restrict statistics EDGE_WI)
{
	const int count = (int)state[STATE_COUNT], begin = (int)get_global_id(0) * CHUNK;
	const int last = min(begin + CHUNK, count), own = state[STATE_CATCH_UP] == 0u;
	const long plane = (long)state[STATE_CAPACITY];
	__global const uint *shown = SHOWN(chunks, plane);

	for (int i = begin; i < last; i += 16) {
		struct EDGE_FN(adam) a = { .p = parameters + i, .rest = SPLAT_REST(parameters, plane, i), .m = moment1 + i,
					   .v = moment2 + i, .plane = plane,
					   .unbias1 = splat_float(state, STATE_UNBIAS1),
					   .unbias2 = splat_float(state, STATE_UNBIAS2),
					   .epsilon = splat_float(state, STATE_EPSILON),
					   .random = splat_hash(convert_uint16(SPLAT_LANES_I + i) ^ splat_hash(state[STATE_STEP])),
					   .own = own };

		EDGE_FN(sixteen)(state, &a, gradients + (long)i * GRADIENT, own ? shown[i / 16] : 0u, statistics + i, i);
	}
}
