/* SPDX-License-Identifier: Apache-2.0 */
/* sample.h - which token comes next. */
#ifndef EDGE_RT_SAMPLE_H
#define EDGE_RT_SAMPLE_H

#include "base/failure.h"

struct sampler {
	double temperature; /* 0: the most likely token, always */
	uint32_t top_k;     /* 0: all */
	double top_p;       /* 1: all */
	uint64_t state[4];
	uint32_t vocabulary;
	struct candidate {
		float logit;
		uint32_t token;
	} *candidate; /* of the vocabulary */
};

enum edge_status sampler_open(struct sampler *s, uint32_t vocabulary, double temperature, uint32_t top_k, double top_p,
			      uint64_t seed, struct failure *f);
void sampler_close(struct sampler *s);
/* Takes no memory. What is not finite is never chosen; of equals the first. */
int32_t sampler_next(struct sampler *s, const float *logits);
/* -ln of the probability of a token. */
double token_loss(const float *logits, uint32_t vocabulary, int32_t token);

#endif
