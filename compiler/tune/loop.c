/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop.c - ask, measure, tell, record.
 *
 * Each slot is a thread that measures one trial at a time; everything else,
 * the proposer among it, stays in the main thread. A configuration that was
 * measured before is told again and costs no trial.
 */
#include "config.h"

#include "tune/tune.h"

#include "tune/process.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>

enum {
	PATIENCE = 60,
	ATTEMPTS = 3,	  /* at measuring the heuristic */
	CHECKED = 8,	  /* trials that are measured again */
	CAREFUL = 3,	  /* trials that are less bold than the best, */
	LEAST_TRIALS = 20 /* of so many or more */
};
/* What lost too much on unseen samples is followed by what stores so much more. */
static const double STEP_BACK = 1.05;

struct job {
	pthread_t thread;
	bool used, running, done;
	const struct measure *measure;
	uint32_t slot, rounds;
	double *x;
	struct knob_values knobs;
	struct measured result;
	double started, seconds;
	const char *by;
	pthread_mutex_t *lock;
	pthread_cond_t *changed;
};

static void *work(void *argument)
{
	struct job *j = argument;

	measure_trial(j->measure, j->slot, &j->knobs, SPLIT_SEARCH, j->rounds, &j->result);
	pthread_mutex_lock(j->lock);
	j->done = true;
	pthread_cond_signal(j->changed);
	pthread_mutex_unlock(j->lock);
	return NULL;
}

static const struct trial *known(const struct tuning_run *t, const double *x)
{
	size_t size = t->problem.space.knobs.len * sizeof *x;

	for (uint32_t i = 0; i < t->record.trials.len; i++)
		if (!memcmp(t->record.trials.data[i].x, x, size))
			return &t->record.trials.data[i];
	return NULL;
}

static bool in_flight(const struct tuning_run *t, const struct job *jobs, uint32_t n, const double *x)
{
	for (uint32_t i = 0; i < n; i++)
		if (jobs[i].running && !memcmp(jobs[i].x, x, t->problem.space.knobs.len * sizeof *x))
			return true;
	return false;
}

/* Each format a step wider, as far as the heuristic's; false: they are that wide. */
static bool widen(const struct space *s, double *x)
{
	bool any = false;

	for (uint32_t k = 0; k < s->knobs.len; k++)
		if (!strncmp(s->knobs.data[k].name, "format", 6) && x[k] > s->knobs.data[k].initial) {
			x[k]--;
			any = true;
		}
	config_canonical(s, x);
	return any;
}

/*
 * A search that has gone to the limit on its samples has found what fits these: the last trials
 * are for what is likely to hold on others.
 */
static bool propose_careful(const struct tuning_run *t, const struct job *jobs, uint32_t n, double *x)
{
	const struct space *s = &t->problem.space;
	uint32_t next = t->record.trials.len, best = loop_best(t);

	for (uint32_t i = 0; i < n; i++)
		next += jobs[i].running;
	if (!t->measure.quality.split || t->trials < LEAST_TRIALS || next + CAREFUL <= t->trials || best == NO_TRIAL)
		return false;
	memcpy(x, t->record.trials.data[best].x, s->knobs.len * sizeof *x);
	for (int i = 0; i < CAREFUL && widen(s, x); i++)
		if (!known(t, x) && !in_flight(t, jobs, n, x) && !config_violates(s, x))
			return true;
	return false;
}

/* Something new to try; false: the space seems to be used up. */
static bool propose(struct tuning_run *t, const struct job *jobs, uint32_t n, struct rng *rng, double *x, const char **by)
{
	const struct space *s = &t->problem.space;

	*by = "careful";
	if (propose_careful(t, jobs, n, x))
		return true;
	for (int i = 0; i < PATIENCE + 500 && !process_stopped(); i++) {
		const struct trial *old;
		bool asked = i < PATIENCE && search_ask(t->search, x);

		*by = asked ? t->search->name : "random";
		if (!asked)
			config_random(s, rng, x);
		config_canonical(s, x);
		if (config_violates(s, x) || in_flight(t, jobs, n, x))
			continue;
		old = known(t, x);
		if (!old)
			return true;
		if (asked) {
			t->reused++;
			search_tell(t->search, x, &old->o);
		}
	}
	return false;
}

static bool start(struct tuning_run *t, struct job *j, const double *x, const char *by)
{
	j->x = config_copy(&t->problem.space, x);
	j->knobs = problem_knobs(&t->problem, x);
	j->by = by;
	j->done = false;
	j->running = true;
	j->started = tune_now();
	j->rounds = t->measure.rounds;
	if (pthread_create(&j->thread, NULL, work, j) == 0)
		return true;
	j->running = false;
	diag_error(t->diag, NO_SPAN, "could not start a thread");
	return false;
}

static bool finish(struct tuning_run *t, struct job *j)
{
	struct trial trial = { .number = t->record.trials.len, .x = j->x, .by = j->by };

	pthread_join(j->thread, NULL);
	j->running = false;
	if (process_stopped())
		return true; /* not an outcome of the configuration */
	trial.seconds = tune_now() - j->started;
	trial.o = measure_outcome(&t->measure, &j->result, t->tune->minimize, false);
	if (trial.o.error)
		trial.o.error = arena_strdup(t->arena, trial.o.error);
	search_tell(t->search, trial.x, &trial.o);
	if (!record_add(t->diag, &t->record, &t->problem.space, &trial))
		return false;
	report_progress(t, &trial);
	return true;
}

static bool heuristic_first(struct tuning_run *t)
{
	struct trial trial = { .x = config_new(&t->problem.space), .by = "heuristic" };
	struct knob_values knobs = problem_knobs(&t->problem, trial.x);
	struct measured m;
	double started = tune_now();

	if (t->record.trials.len)
		return true;
	for (int i = 0; i < ATTEMPTS; i++) { /* a runner that fails once must not end everything */
		measure_trial(&t->measure, 0, &knobs, SPLIT_SEARCH, t->measure.rounds, &m);
		if (process_stopped())
			return true;
		trial.o = measure_outcome(&t->measure, &m, t->tune->minimize, false);
		if (trial.o.failure != FAILURE_CRASH)
			break;
	}
	trial.o.guard = fmin(trial.o.guard, 1); /* it is as fast as itself, whatever else the machine did */
	if (t->tune->minimize == DECL_MINIMIZE_LATENCY && !trial.o.failure)
		trial.o.objective = 1;
	if (trial.o.error)
		trial.o.error = arena_strdup(t->arena, trial.o.error);
	trial.seconds = tune_now() - started;
	if (trial.o.failure) {
		diag_error(t->diag, NO_SPAN, "the heuristic cannot be measured: %s", trial.o.error);
		return false;
	}
	if (!record_add(t->diag, &t->record, &t->problem.space, &trial))
		return false;
	report_progress(t, &trial);
	return true;
}

bool loop_run(struct tuning_run *t)
{
	pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
	pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
	uint32_t n = t->measure.slots, running = 0;
	struct job *jobs = arena_new_array(t->arena, struct job, n);
	double *x = config_new(&t->problem.space);
	struct rng rng = { t->seed * 977 + 5 };
	bool good = heuristic_first(t), more = good;

	for (uint32_t i = 0; i < t->record.trials.len; i++)
		search_tell(t->search, t->record.trials.data[i].x, &t->record.trials.data[i].o);
	for (uint32_t i = 0; i < n; i++)
		jobs[i] = (struct job){ .measure = &t->measure, .slot = i, .lock = &lock, .changed = &changed };
	rng.state += t->record.trials.len * 0x632be59bd9b4e019u; /* a resumed search goes elsewhere */
	while (good) {
		const char *by;

		for (uint32_t i = 0; i < n && more && good; i++) {
			if (jobs[i].running || t->record.trials.len + running > t->trials)
				continue;
			more = !process_stopped() && propose(t, jobs, n, &rng, x, &by);
			good = !more || start(t, &jobs[i], x, by);
			running += more && good;
		}
		if (!running)
			break;
		pthread_mutex_lock(&lock);
		for (;;) {
			bool any = false;

			for (uint32_t i = 0; i < n; i++)
				any |= jobs[i].running && jobs[i].done;
			if (any)
				break;
			pthread_cond_wait(&changed, &lock);
		}
		pthread_mutex_unlock(&lock);
		for (uint32_t i = 0; i < n; i++) {
			pthread_mutex_lock(&lock);
			bool done = jobs[i].running && jobs[i].done;
			pthread_mutex_unlock(&lock);
			if (!done)
				continue;
			good &= finish(t, &jobs[i]);
			running--;
		}
	}
	for (uint32_t i = 0; i < n; i++)
		if (jobs[i].running)
			pthread_join(jobs[i].thread, NULL);
	return good;
}

uint32_t loop_best(const struct tuning_run *t)
{
	uint32_t best = NO_TRIAL;

	for (uint32_t i = 0; i < t->record.trials.len; i++) {
		const struct outcome *o = &t->record.trials.data[i].o;

		if (outcome_feasible(o) &&
		    (best == NO_TRIAL || outcome_score(o) < outcome_score(&t->record.trials.data[best].o)))
			best = i;
	}
	return best;
}

/* ---- is it really better? */

static int by_score(const void *x, const void *y)
{
	const struct trial *const *a = x, *const *b = y;
	double sa = outcome_score(&(*a)->o), sb = outcome_score(&(*b)->o);

	return sa != sb ? (sa > sb) - (sa < sb) : ((*a)->number > (*b)->number) - ((*a)->number < (*b)->number);
}

/* On the samples that the search has not seen. */
static struct outcome again(struct tuning_run *t, const double *x, bool winner, struct measured *m)
{
	struct knob_values knobs = problem_knobs(&t->problem, x);
	struct outcome o;

	measure_trial(&t->measure, 0, &knobs, t->measure.quality.split ? SPLIT_CHECK : SPLIT_SEARCH,
		      winner ? t->measure.check_rounds : t->measure.rounds, m);
	o = measure_outcome(&t->measure, m, t->tune->minimize, winner);
	if (o.error)
		o.error = arena_strdup(t->arena, o.error);
	return o;
}

bool loop_verify(struct tuning_run *t)
{
	const struct trial **list = arena_new_array(t->arena, const struct trial *, t->record.trials.len + 1);
	uint32_t n = 0;
	struct measured m;
	double *initial = config_new(&t->problem.space), least = 0;
	uint32_t checked = 0;
	const bool timed = t->tune->minimize == DECL_MINIMIZE_LATENCY;

	t->best = NO_TRIAL;
	t->heuristic = again(t, initial, false, &m);
	t->heuristic.latency_ms = t->measure.reference_ms; /* what ratios are of */
	t->final = t->heuristic;
	t->verified = true;
	for (uint32_t i = 0; i < t->record.trials.len; i++)
		if (outcome_feasible(&t->record.trials.data[i].o) && outcome_score(&t->record.trials.data[i].o) < 1 &&
		    config_text(&t->problem.space, t->record.trials.data[i].x)[0])
			list[n++] = &t->record.trials.data[i];
	qsort(list, n, sizeof *list, by_score);
	t->kept = n ? "nothing that was better in the search held when it was measured again" : "nothing better was found";
	for (uint32_t i = 0; i < n && checked < CHECKED && !process_stopped(); i++) {
		struct outcome o;

		if (list[i]->o.objective < least)
			continue;
		checked++;
		o = again(t, list[i]->x, true, &m);
		if (!timed && !o.failure && o.loss > 1)
			least = list[i]->o.objective * STEP_BACK;
		/* a time has to be better beyond doubt */
		if (!outcome_feasible(&o) || !((timed ? m.high : o.objective) < 1)) {
			fprintf(stderr, "trial %u does not hold: %s\n", list[i]->number,
				o.failure ? o.error : o.loss > 1 ? "too much quality is lost on other samples"
				: o.guard > 1 ? "it is slower than the heuristic" : "it is no better than the heuristic");
			continue;
		}
		if (t->best != NO_TRIAL && m.ratio > 1)
			continue; /* one that cannot be told from the heuristic is there */
		t->best = list[i]->number;
		t->final = o;
		t->kept = NULL;
		if (timed || !(m.ratio > 1))
			break;
	}
	return !process_stopped();
}
