/* SPDX-License-Identifier: Apache-2.0 */
/* measure.c - trials as rows of commands; see measure.h. */
#include "config.h"

#include "tune/measure.h"

#include "tune/process.h"
#include "tune/tune.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

enum { MAX_ROUNDS = 101, LEAST_ROUNDS = 5, TOKENS = 32, MOST_TOKENS = 256, MOST_RUNS = 50 };
#define BENCH_MS 40.0 /* of computing in one bench, about */
#define MOST_SECONDS 60.0 /* of timing one trial, beyond the least rounds */
#define STRICT 0.01    /* most by which a winner's time may be above the heuristic's where many rounds cannot tell them apart */
#define TOLERANCE 0.02 /* in the search, of a time that cannot be told from the heuristic's */

/* ---- commands */

/* 'word', where a shell would read it otherwise. */
static void put_word(struct strbuf *out, const char *word)
{
	bool plain = *word != '\0';

	for (const char *p = word; *p; p++)
		plain &= isalnum((unsigned char)*p) || strchr("_-./=:,+@%", *p) != NULL;
	if (plain) {
		strbuf_puts(out, word);
		return;
	}
	strbuf_puts(out, "'");
	for (; *word; word++) {
		if (*word == '\'')
			strbuf_puts(out, "'\\''");
		else
			strbuf_add(out, word, 1);
	}
	strbuf_puts(out, "'");
}

static void put_command(struct strbuf *out, const char *const *argv)
{
	for (uint32_t i = 0; argv[i]; i++) {
		strbuf_puts(out, i ? " " : "");
		put_word(out, argv[i]);
	}
}

/* The template with its parts replaced. */
static const char *fill(struct arena *a, const char *template, const char *const *argv, const char *plan, const char *folder,
			uint32_t slot)
{
	struct strbuf b = { 0 };
	const char *out;

	while (*template) {
		if (!strncmp(template, "{cmd}", 5)) {
			put_command(&b, argv);
			template += 5;
		} else if (!strncmp(template, "{plan}", 6)) {
			put_word(&b, plan);
			template += 6;
		} else if (!strncmp(template, "{out}", 5)) {
			if (folder)
				put_word(&b, folder);
			template += 5;
		} else if (!strncmp(template, "{slot}", 6)) {
			strbuf_printf(&b, "%u", slot);
			template += 6;
		} else {
			strbuf_add(&b, template++, 1);
		}
	}
	out = arena_strdup(a, strbuf_str(&b));
	strbuf_free(&b);
	return out;
}

static void on_device(const struct measure *m, struct arena *a, uint32_t slot, const char *const *argv, const char *plan,
		      const char *folder, struct process *p)
{
	const char *shell[] = { "/bin/sh", "-c", NULL, NULL };

	if (!m->runner || !m->runner[slot]) {
		process_run(argv, m->run_limit_s, p);
		return;
	}
	shell[2] = fill(a, m->runner[slot], argv, plan, folder, slot);
	process_run(shell, m->run_limit_s, p);
}

static bool fail(struct measured *out, enum failure_kind kind, const struct process *p, double limit_s)
{
	out->failure = p->timed_out ? FAILURE_TIMEOUT : kind;
	process_explain(p, limit_s, out->error, sizeof out->error);
	return false;
}

/* ---- the steps of a trial */

static bool compile(const struct measure *m, struct arena *a, const struct knob_values *knobs, const char *plan,
		    struct measured *out)
{
	VEC(const char *) argv = { 0 };
	const struct jtree *j;
	struct process p;
	bool good;

	vec_push(a, &argv, m->edgec);
	vec_push(a, &argv, "compile");
	vec_push(a, &argv, m->edge_file);
	vec_push(a, &argv, "--no-lock");
	vec_push(a, &argv, "--json");
	vec_push(a, &argv, "-o");
	vec_push(a, &argv, plan);
	if (m->plan_name) {
		vec_push(a, &argv, "--plan");
		vec_push(a, &argv, m->plan_name);
	}
	for (uint32_t i = 0; i < m->options.len; i++)
		vec_push(a, &argv, m->options.data[i]);
	for (uint32_t i = 0; i < knobs->len; i++) {
		vec_push(a, &argv, "--knob");
		vec_push(a, &argv, arena_printf(a, "%s=%s", knobs->data[i].name, knobs->data[i].value));
	}
	if (m->cpu) {
		vec_push(a, &argv, "--knob");
		vec_push(a, &argv, arena_printf(a, "cpu=%s", m->cpu));
	}
	vec_push(a, &argv, NULL);
	process_run(argv.data, m->compile_limit_s, &p);
	j = process_good(&p) ? jtree_parse(a, strbuf_str(&p.out), p.out.len) : NULL;
	good = j != NULL;
	if (good) {
		out->bytes = jtree_number(j, "weights_bytes", NAN);
		out->peak_bytes = jtree_number(jtree_get(j, "planned_peak_bytes"), "device", NAN);
	} else {
		fail(out, FAILURE_COMPILE, &p, m->compile_limit_s);
	}
	process_free(&p);
	return good;
}

static bool run_samples(const struct measure *m, struct arena *a, uint32_t slot, const char *plan, int split,
			const char *folder, struct measured *out)
{
	VEC(const char *) argv = { 0 };
	struct process p;
	bool good;

	vec_push(a, &argv, m->edgert);
	vec_push(a, &argv, "run");
	vec_push(a, &argv, plan);
	vec_push(a, &argv, "--samples");
	for (uint32_t i = 0; i < m->quality.inputs[split].len; i++) {
		vec_push(a, &argv, "--input");
		vec_push(a, &argv, m->quality.inputs[split].data[i]);
	}
	vec_push(a, &argv, "--output-dir");
	vec_push(a, &argv, folder);
	vec_push(a, &argv, NULL);
	on_device(m, a, slot, argv.data, plan, folder, &p);
	good = process_good(&p) || fail(out, FAILURE_CRASH, &p, m->run_limit_s);
	process_free(&p);
	return good;
}

static bool run_text(const struct measure *m, struct arena *a, uint32_t slot, const char *plan, int split, double *perplexity,
		     struct measured *out)
{
	const char *argv[] = { m->edgert, "perplexity", plan, "--text", m->quality.text[split], "--json", NULL };
	struct process p;
	bool good;

	on_device(m, a, slot, argv, plan, NULL, &p);
	good = process_good(&p) || fail(out, FAILURE_CRASH, &p, m->run_limit_s);
	if (good)
		*perplexity = jtree_number(jtree_parse(a, strbuf_str(&p.out), p.out.len), "perplexity", NAN);
	process_free(&p);
	return good;
}

/* Time of one run, or of one token; cpu: the instruction set that was used, where it is known. */
static bool bench(const struct measure *m, struct arena *a, uint32_t slot, const char *plan, double *ms, const char **cpu,
		  struct measured *out)
{
	const char *runs = arena_printf(a, "%u", m->runs ? m->runs : 5), *tokens = arena_printf(a, "%u", m->runs > TOKENS ? m->runs : TOKENS);
	const char *warm[] = { m->edgert, "bench", plan, "--json", "-n", runs, NULL };
	const char *text[] = { m->edgert, "generate", plan, "--prompt", "The", "-n", tokens, "--temperature", "0", "--ignore-end", "--json", NULL };
	const struct jtree *j = NULL;
	struct process p;
	bool good;

	on_device(m, a, slot, m->generates ? text : warm, plan, NULL, &p);
	good = process_good(&p);
	if (good)
		j = jtree_parse(a, strbuf_str(&p.out), p.out.len);
	*ms = m->generates ? 1e3 / jtree_number(j, "decode_tokens_per_s", NAN) : jtree_number(j, "warm_ms", NAN);
	if (cpu)
		*cpu = jtree_string(j, "device");
	if (!good) {
		fail(out, FAILURE_CRASH, &p, m->run_limit_s);
	} else if (!(*ms > 0)) {
		good = false;
		out->failure = FAILURE_CRASH;
		snprintf(out->error, sizeof out->error, "the measurement gave no time");
	}
	process_free(&p);
	return good;
}

static void sort(double *v, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
		for (uint32_t k = i; k && v[k] < v[k - 1]; k--) {
			double t = v[k];

			v[k] = v[k - 1];
			v[k - 1] = t;
		}
}

static double middle(double *v, uint32_t n)
{
	sort(v, n);
	return n % 2 ? v[n / 2] : (v[n / 2 - 1] + v[n / 2]) / 2;
}

/*
 * Which of n sorted observations bounds the median from below, with an error of at
 * most `error`: the sign test turned around. 0: n is too small, else 1 for the first.
 */
static uint32_t median_bound(uint32_t n, double error)
{
	double tail = pow(0.5, n), term = tail;
	uint32_t k = 0;

	while (k < n / 2 && tail <= error) { /* tail: the chance that at most k of n lie below the median */
		k++;
		term *= (double)(n - k + 1) / k;
		tail += term;
	}
	return k;
}

static void summarise(double *ratio, uint32_t n, struct measured *out)
{
	double away[MAX_ROUNDS];
	uint32_t k = median_bound(n, 0.05);

	out->ratio = middle(ratio, n);
	out->low = ratio[k ? k - 1 : 0];
	out->high = ratio[n - (k ? k : 1)];
	for (uint32_t i = 0; i < n; i++)
		away[i] = fabs(ratio[i] - out->ratio);
	out->spread = n > 1 ? middle(away, n) : 0;
}

/* Whether one side is faster beyond doubt, so that more rounds would show nothing new. */
static bool is_clear(double *ratio, uint32_t n)
{
	uint32_t k = median_bound(n, 0.001);

	if (!k)
		return false;
	sort(ratio, n);
	return ratio[k - 1] > 1.01 || ratio[n - k] < 0.99;
}

/* The reference and the trial in turn, each first in every other round. */
static bool time_trial(const struct measure *m, struct arena *a, uint32_t slot, const char *plan, uint32_t rounds,
		       struct measured *out)
{
	double ratio[MAX_ROUNDS], reference, trial, started = tune_now();
	uint32_t n;

	rounds = rounds > MAX_ROUNDS ? MAX_ROUNDS : rounds;
	for (n = 0; n < rounds; n++) {
		bool first = n % 2 == 0;

		if ((first && !bench(m, a, slot, m->reference_plan, &reference, NULL, out)) ||
		    !bench(m, a, slot, plan, &trial, NULL, out) ||
		    (!first && !bench(m, a, slot, m->reference_plan, &reference, NULL, out)))
			return false;
		ratio[n] = trial / reference;
		if (n + 1 >= LEAST_ROUNDS && (tune_now() - started > MOST_SECONDS || is_clear(ratio, n + 1))) {
			n++;
			break;
		}
	}
	summarise(ratio, n, out);
	out->latency_ms = out->ratio * m->reference_ms;
	return true;
}

static bool judge(const struct measure *m, struct arena *a, uint32_t slot, const char *plan, int split, struct measured *out)
{
	const char *folder = arena_printf(a, "%s/out%u", m->folder, slot);
	double perplexity = NAN;

	if (m->quality.kind == DECL_QUALITY_PERPLEXITY) {
		if (!run_text(m, a, slot, plan, split, &perplexity, out))
			return false;
	} else if (m->generates) {
		return true; /* nothing was asked for */
	} else if (!run_samples(m, a, slot, plan, split, folder, out)) {
		return false;
	}
	out->quality = quality_judge(a, &m->quality, split, folder, perplexity);
	if (!out->quality.wrong)
		return true;
	out->failure = FAILURE_WRONG_OUTPUT;
	snprintf(out->error, sizeof out->error, "%s", out->quality.why);
	return false;
}

void measure_trial(const struct measure *m, uint32_t slot, const struct knob_values *knobs, int split, uint32_t rounds,
		   struct measured *out)
{
	struct arena a = { 0 };
	const char *plan = arena_printf(&a, "%s/trial%u.plan", m->folder, slot);

	*out = (struct measured){ .latency_ms = NAN, .ratio = NAN, .spread = NAN, .low = NAN, .high = NAN };
	if (compile(m, &a, knobs, plan, out) && judge(m, &a, slot, plan, split, out) && rounds)
		/* what is not good enough needs no exact time */
		time_trial(m, &a, slot, plan, out->quality.loss > m->quality.allowed ? 1 : rounds, out);
	arena_release(&a);
}

/* Rounding moves the outputs of the heuristic itself; kernels may do a little more. */
static bool is_wrong(const struct measure *m, const struct measured *x)
{
	return m->quality.kind == DECL_QUALITY_NONE && x->quality.divergence > 20 * m->quality.noise + 1e-3;
}

struct outcome measure_outcome(const struct measure *m, const struct measured *x, enum decl_minimize minimize, bool strict)
{
	struct outcome o = { .failure = x->failure, .error = x->failure ? x->error : NULL, .objective = NAN,
			     .bytes = x->bytes, .latency_ms = x->latency_ms, .spread = x->spread, .low = x->low, .high = x->high,
			     .peak_bytes = x->peak_bytes, .quality = x->quality.value };

	if (o.failure)
		return o;
	if (is_wrong(m, x)) {
		o.failure = FAILURE_WRONG_OUTPUT;
		o.error = "the outputs are not those of the reference";
		return o;
	}
	o.loss = m->quality.kind && m->quality.allowed > 0 ? x->quality.loss / m->quality.allowed : 0;
	if (minimize == DECL_MINIMIZE_LATENCY)
		o.objective = x->ratio;
	else
		o.objective = minimize == DECL_MINIMIZE_BYTES ? x->bytes / m->reference_bytes : x->peak_bytes / m->reference_peak;
	if (minimize != DECL_MINIMIZE_LATENCY && isfinite(x->ratio))
		o.guard = x->low > 1 ? x->ratio : x->ratio / (1 + (strict ? STRICT : TOLERANCE));
	return o;
}

/* ---- the reference */

static bool refuse(struct diag *d, const char *what, const struct measured *x)
{
	diag_error(d, NO_SPAN, "%s could not be measured: %s", what, x->error);
	return false;
}

/* Formats are left out: the model as its file has it. */
static bool float_model(struct arena *a, struct diag *d, struct measure *m, const struct knob_values *heuristic)
{
	const char *plan = arena_printf(a, "%s/float.plan", m->folder);
	struct knob_values knobs = { 0 };
	struct measured x = { 0 };

	for (uint32_t i = 0; i < heuristic->len; i++)
		if (strncmp(heuristic->data[i].name, "format", 6) != 0)
			vec_push(a, &knobs, heuristic->data[i]);
	if (!compile(m, a, &knobs, plan, &x))
		return refuse(d, "the float model", &x);
	for (int s = 0; s < (m->quality.split ? SPLITS : 1); s++) {
		const char *folder = arena_printf(a, "%s/float%d", m->folder, s);
		double perplexity = NAN;

		if (m->quality.kind == DECL_QUALITY_PERPLEXITY ? !run_text(m, a, 0, plan, s, &perplexity, &x)
		    : !m->generates && !run_samples(m, a, 0, plan, s, folder, &x))
			return refuse(d, "the float model", &x);
		if ((m->quality.kind == DECL_QUALITY_PERPLEXITY || !m->generates) &&
		    !quality_reference(a, d, &m->quality, s, folder, perplexity))
			return false;
	}
	return true;
}

bool measure_reference(struct arena *a, struct diag *d, struct measure *m, const struct knob_values *heuristic)
{
	struct measured x = { 0 };
	const char *cpu = NULL;
	uint32_t most;
	double ms;

	if (!float_model(a, d, m, heuristic))
		return false;
	m->reference_plan = arena_printf(a, "%s/reference.plan", m->folder);
	if (!compile(m, a, heuristic, m->reference_plan, &x) || !bench(m, a, 0, m->reference_plan, &ms, &cpu, &x))
		return refuse(d, "the heuristic", &x);
	if (cpu && (!strncmp(cpu, "x86-64-v", 8) || !strcmp(cpu, "aarch64")))
		m->cpu = cpu;
	most = m->generates ? MOST_TOKENS : MOST_RUNS;
	m->runs = ms > 0 && BENCH_MS / ms < most ? (uint32_t)(BENCH_MS / ms) : most;
	m->runs = m->runs < 3 ? 3 : m->runs;
	m->reference_ms = ms;
	m->reference_bytes = x.bytes;
	m->reference_peak = x.peak_bytes;
	if (!judge(m, a, 0, m->reference_plan, SPLIT_SEARCH, &x))
		return refuse(d, "the heuristic", &x);
	m->quality.noise = isfinite(x.quality.divergence) ? x.quality.divergence : 0;
	if (!time_trial(m, a, 0, m->reference_plan, m->rounds, &x))
		return refuse(d, "the heuristic", &x);
	m->noise = x.high - x.low;
	return true;
}
