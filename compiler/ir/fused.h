/* SPDX-License-Identifier: Apache-2.0 */
/* fused.h - up to where fused operations pay: passes make them and code is generated for them within these. */
#ifndef EDGE_FUSED_H
#define EDGE_FUSED_H

enum {
	MIX_MOST = 64,	     /* channels of mix_norm; more are a product's business */
	ATTENTION_LANES = 16 /* query rows from which on a row is a lane: the rate of a product however few keys there are */
};

#endif
