/* SPDX-License-Identifier: Apache-2.0 */
/* search.c - outcomes, and the search that knows nothing: random. */
#include "config.h"

#include "tune/search.h"

#include <string.h>

static const char *const failure_names[FAILURE_KINDS] = { "none", "invalid", "compile", "timeout", "wrong_output", "crash" };

const char *failure_name(enum failure_kind k)
{
	return failure_names[k];
}

bool failure_from_name(const char *name, enum failure_kind *out)
{
	for (int i = 0; i < FAILURE_KINDS; i++)
		if (!strcmp(name, failure_names[i])) {
			*out = (enum failure_kind)i;
			return true;
		}
	return false;
}

bool outcome_feasible(const struct outcome *o)
{
	return !o->failure && o->loss <= 1 && o->guard <= 1 && isfinite(o->objective);
}

double outcome_score(const struct outcome *o)
{
	double excess;

	if (outcome_feasible(o))
		return o->objective;
	if (o->failure || !isfinite(o->objective))
		return 1e6;
	excess = (o->loss > 1 ? o->loss - 1 : 0) + (o->guard > 1 ? o->guard - 1 : 0);
	return 1e3 + (isfinite(excess) && excess < 1e3 ? excess : 1e3);
}

bool search_ask(struct search *s, double *x)
{
	return s->ops->ask(s->state, x);
}

void search_tell(struct search *s, const double *x, const struct outcome *o)
{
	s->ops->tell(s->state, x, o);
}

struct random_state {
	const struct space *space;
	struct rng rng;
};

static bool random_ask(void *state, double *x)
{
	struct random_state *r = state;

	config_random(r->space, &r->rng, x);
	return true;
}

static void random_tell(void *state, const double *x, const struct outcome *o)
{
	(void)state, (void)x, (void)o;
}

struct search *search_random(const struct search_setup *s)
{
	static const struct search_ops ops = { random_ask, random_tell, NULL };
	struct random_state *r = arena_new(s->arena, struct random_state);
	struct search *out = arena_new(s->arena, struct search);

	*r = (struct random_state){ s->space, { s->seed * 0x2545f4914f6cdd1du + 1 } };
	*out = (struct search){ "random", &ops, r };
	return out;
}
