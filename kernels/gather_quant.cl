/* SPDX-License-Identifier: Apache-2.0 */
/*
 * gather_quant.cl - rows of a table in few bits, by index: out[count][inner].
 *
 * A row of the table is a panel of one channel (quant.clh), so its bytes are
 * those that the format has; or, with LANES 16, it is one of the panels of a
 * product. Few rows are chosen, so a byte at a time will do.
 * An index outside is moved to the nearest that exists. AT(r) is the index of row r:
 * r itself where the table holds the rows already chosen.
 */
#ifndef EDGE_PRELUDE
#include "prelude.clh"
#endif
#ifndef KERNEL
#define KERNEL gather_quant
#endif
#ifndef TILE_NV
#define TILE_NV 1
#endif
#ifndef INDEX
#define INDEX long
#endif
#ifndef LANES
#define LANES 1
#endif
#ifndef AT
#define AT(r) index[r]
#endif
#ifndef EDGE_QUANT
#include "quant.clh"
#endif

/* Of a panel; bytes of scales, and of a column, with its lanes side by side. */
#define WIDTH (LANES == 1 ? 1 : 16 * TILE_NV)
#define SCALES (QUANT_SCALES / 16 * LANES)
#if QUANT_WIDE
#define HEAD(i, p) ((__global const float *)(p))[i]
#else
#define HEAD(i, p) vload_half(i, (__global const half *)(p))
#endif
#define COLUMN(e) (QUANT_COLUMN(e) / 16 * LANES)
#define FIELD(p, bits, i)                                                                          \
	(((p)[((i) / (32 / bits) * LANES + lane) * 4 + (i) % 4] >> ((i) % (32 / bits) / 4 * bits)) & ((1 << bits) - 1))

EDGE_OVERLOAD int EDGE_FN(code)(__global const uchar *p, int lane, int i, int e)
{
#if QUANT_BITS == 8
	return FIELD(p, 8, i);
#elif QUANT_BITS == 3
	return FIELD(p, 2, i) | FIELD(p + e / 4 * LANES, 1, i) << 2;
#elif QUANT_BITS == 5
	return FIELD(p, 4, i) | FIELD(p + e / 2 * LANES, 1, i) << 4;
#elif QUANT_BITS == 6
	return FIELD(p, 4, i) | FIELD(p + e / 2 * LANES, 2, i) << 4;
#elif QUANT_KIND == 2
	const ulong eight = FIELD(p, 4, i) < 8 ? 0xf6eaddcfbfad9881ul : 0x7159453526190d01ul;

	return (char)(eight >> (FIELD(p, 4, i) % 8 * 8));
#else
	return FIELD(p, 4, i);
#endif
}

EDGE_OVERLOAD float EDGE_FN(one)(__global const uchar *p, int lane, int i, int e)
{
	const float d = HEAD(lane, p);
	const float q = (float)EDGE_FN(code)(p + SCALES, lane, i, e);
#if QUANT_KIND == 4
	return d * (float)(char)FIELD(p + 2 * LANES, 8, i / 16) * (q - 32.0f);
#elif QUANT_KIND == 3
	const int j = i / 32;
	const int scale = FIELD(p + 4 * LANES, 4, j) | FIELD(p + 12 * LANES, 2, j) << 4;
	const int minimum = FIELD(p + 8 * LANES, 4, j) | FIELD(p + 12 * LANES, 2, j + 8) << 4;

	return d * (float)scale * q - HEAD(LANES + lane, p) * (float)minimum;
#elif QUANT_KIND == 2
	return d * q;
#elif QUANT_KIND == 1
	return d * q + HEAD(LANES + lane, p);
#else
	return d * (q - (float)(1 << (QUANT_BITS - 1)));
#endif
}

__kernel EDGE_SINGLE void KERNEL(__global const uchar *restrict table, __global const INDEX *restrict index, const int n,
				 const int k, const int bytes, const int count, const int block, EDGE_OUT EDGE_WI)
{
	const int first = (int)get_global_id(0) * block, last = min(first + block, count);

	for (int r = first; r < last; r++) {
		INDEX at = AT(r);

		at = clamp(at < 0 ? at + n : at, (INDEX)0, (INDEX)(n - 1));
		for (int i = 0; i < k; i += 16) {
			const int start = i / QUANT_ELEMENTS * QUANT_ELEMENTS, e = QUANT_STORED(start), lanes = min(16, k - i);
			const int lane = (int)(at % WIDTH);
			__global const uchar *p = table + ((long)(at / WIDTH) * bytes +
							   (long)(i / QUANT_ELEMENTS) * (COLUMN(QUANT_ELEMENTS) * (WIDTH / LANES)) +
							   lane / LANES * COLUMN(e));
			float t[16];

			for (int l = 0; l < 16; l++)
				t[l] = l < lanes ? EDGE_FN(one)(p, lane % LANES, i - start + l, e) : 0.0f;
			EDGE_STORE16(vload16(0, t), r, i, lanes);
		}
	}
}
