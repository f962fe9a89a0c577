/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tune.c - edgec tune: prepare, search, measure the winner again, write the lock.
 */
#include "config.h"

#include "tune/tune.h"

#include "base/file.h"
#include "tune/dialogue.h"
#include "tune/process.h"

#include <errno.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

double tune_now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

/* ---- what to tune */

static const struct decl_tune *choose_block(struct tuning_run *t, const struct project *p)
{
	const char *name = t->opt->tune.model;

	for (uint32_t i = 0; i < p->tunes.len; i++)
		if (name ? !strcmp(p->tunes.data[i].name, name) : p->tunes.len == 1)
			return &p->tunes.data[i];
	if (name) {
		diag_error(t->diag, NO_SPAN, "\"%s\" has no tune block for \"%s\"", t->opt->input, name);
	} else if (p->tunes.len) {
		diag_error(t->diag, NO_SPAN, "\"%s\" has %u tune blocks; --model says which", t->opt->input, p->tunes.len);
		for (uint32_t i = 0; i < p->tunes.len; i++)
			diag_note(t->diag, p->tunes.data[i].span, "tune %s", p->tunes.data[i].name);
	} else {
		diag_error(t->diag, NO_SPAN, "\"%s\" has no tune block", t->opt->input);
		diag_hint(t->diag, "Add: tune MODEL { formats f16, q8, q4; quality divergence on \"X.npy\" within 1 %%; }");
	}
	return NULL;
}

static const char *search_of(const struct tuning_run *t)
{
	static const char *const names[] = { "greedy", "random", "tpe", "anneal", "greedy", "llm", "replay" };

	if (t->opt->tune.search)
		return t->opt->tune.search;
	if (t->tune->search == DECL_SEARCH_DEFAULT && !t->tune->formats.len)
		return "tpe";
	return names[t->tune->search];
}

static struct search *make_search(struct tuning_run *t)
{
	struct search_setup s = { .arena = t->arena, .space = &t->problem.space, .seed = t->seed, .trials = t->trials };
	struct dialogue_setup d = { .search = s, .problem = &t->problem, .endpoint = t->tune->endpoint, .model = t->tune->llm };

	if (!strcmp(t->search_name, "random"))
		return search_random(&s);
	if (!strcmp(t->search_name, "tpe"))
		return search_tpe(&s);
	if (!strcmp(t->search_name, "anneal"))
		return search_anneal(&s);
	if (!strcmp(t->search_name, "greedy"))
		return search_greedy(&s);
	d.transcript = t->opt->tune.transcript ? t->opt->tune.transcript : t->tune->transcript;
	d.replay = !strcmp(t->search_name, "replay");
	if (!d.transcript && !d.replay)
		d.transcript = arena_printf(t->arena, "%.*s.llm.jsonl",
					    (int)(strlen(t->record.path) - strlen(".tune.jsonl")), t->record.path);
	if (!d.transcript) {
		diag_error(t->diag, NO_SPAN, "search replay needs a transcript");
		diag_hint(t->diag, "Give it with --transcript FILE.");
		return NULL;
	}
	if (!d.replay && !d.endpoint) {
		diag_error(t->diag, NO_SPAN, "search llm needs an endpoint");
		diag_hint(t->diag, "Write in the tune block: search llm endpoint \"http://127.0.0.1:8080/v1\";");
		return NULL;
	}
	return search_dialogue(&d, t->diag);
}

/* ---- where it happens */

/* The program of that name beside this one, or wherever the shell would find it. */
static const char *program(struct arena *a, const char *name, const char *variable)
{
	const char *given = getenv(variable), *beside;
	char self[4096];
	ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);

	if (!strcmp(name, "edgec") && n > 0) {
		self[n] = '\0';
		return arena_strdup(a, self);
	}
	if (given && *given)
		return given;
	if (n > 0) {
		self[n] = '\0';
		beside = path_join(a, path_directory(a, self), name);
		if (access(beside, X_OK) == 0)
			return beside;
	}
	return name;
}

static const char *make_folder(struct tuning_run *t)
{
	const char *base = getenv("TMPDIR");
	char *path;

	if (t->opt->tune.work) {
		if (mkdir(t->opt->tune.work, 0777) == 0 || errno == EEXIST)
			return t->opt->tune.work;
		diag_error(t->diag, NO_SPAN, "could not make the folder \"%s\": %s", t->opt->tune.work, strerror(errno));
		return NULL;
	}
	path = arena_printf(t->arena, "%s/edge-tune-XXXXXX", base && *base ? base : "/tmp");
	if (mkdtemp(path))
		return path;
	diag_error(t->diag, NO_SPAN, "could not make a folder in \"%s\": %s", base && *base ? base : "/tmp", strerror(errno));
	return NULL;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *ftw)
{
	(void)st, (void)kind, (void)ftw;
	remove(path);
	return 0;
}

static void remove_folder(const struct tuning_run *t, const char *path)
{
	if (path && !t->opt->tune.work)
		nftw(path, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static bool slots(struct tuning_run *t)
{
	const struct tune_options *o = &t->opt->tune;
	uint32_t n = o->jobs ? o->jobs : o->runners.len ? o->runners.len : 1;
	const char **runner = arena_new_array(t->arena, const char *, n);

	if (o->runners.len > 1 && o->runners.len != n) {
		diag_error(t->diag, NO_SPAN, "%u runners for %u jobs: give one, or one for each", o->runners.len, n);
		return false;
	}
	for (uint32_t i = 0; i < n; i++) {
		runner[i] = o->runners.len ? o->runners.data[o->runners.len > 1 ? i : 0] : NULL;
		if (runner[i] && !strstr(runner[i], "{cmd}")) {
			diag_error(t->diag, NO_SPAN, "the runner \"%s\" has no {cmd}", runner[i]);
			return false;
		}
	}
	t->measure.slots = n;
	t->measure.runner = runner;
	return true;
}

static void measure_setup(struct tuning_run *t, const char *folder)
{
	struct measure *m = &t->measure;
	const struct options *o = t->opt;

	m->edgec = program(t->arena, "edgec", "EDGEC");
	m->edgert = program(t->arena, "edgert", "EDGERT");
	m->edge_file = o->input;
	m->plan_name = t->front.named ? t->front.plan->name : NULL;
	m->folder = folder;
	m->compile_limit_s = o->tune.limit_s > 0 ? o->tune.limit_s : 300;
	m->run_limit_s = o->tune.limit_s > 0 ? o->tune.limit_s : 120;
	m->rounds = 5;
	m->check_rounds = o->tune.rounds ? o->tune.rounds : 41;
	if (m->check_rounds < m->rounds)
		m->rounds = m->check_rounds;
	for (uint32_t k = 0; k < t->front.plan->steps.len; k++)
		m->generates |= t->front.plan->steps.data[k].action == DECL_GENERATE;
	for (uint32_t i = 0; i < o->settings.len; i++) {
		vec_push(t->arena, &m->options, "--set");
		vec_push(t->arena, &m->options, arena_printf(t->arena, "%s=%s", o->settings.data[i].key, o->settings.data[i].value));
	}
	if (o->budget_set) {
		vec_push(t->arena, &m->options, "--budget");
		vec_push(t->arena, &m->options, arena_printf(t->arena, "%llu", (unsigned long long)o->budget));
	}
	if (o->device) {
		vec_push(t->arena, &m->options, "--device");
		vec_push(t->arena, &m->options, o->device);
	}
}

/* ---- the command */

static bool prepare(struct tuning_run *t, const char *folder)
{
	static const char *const goals[] = { "latency", "memory", "bytes" };
	static const char *const qualities[] = { "none", "accuracy", "perplexity", "divergence" };
	struct knob_values heuristic = problem_knobs(&t->problem, config_new(&t->problem.space));
	size_t stem = strlen(lock_path(t->arena, t->opt->input)) - strlen(".tune.json");
	const char *path = arena_printf(t->arena, "%.*s.tune.jsonl", (int)stem, lock_path(t->arena, t->opt->input));

	t->header = (struct record_header){ .model = t->tune->name, .identity = t->front.identity, .search = t->search_name,
					    .device = device_identity(t->arena, &t->front.target), .seed = t->seed,
					    .space = space_hash(&t->problem.space), .goal = goals[t->tune->minimize],
					    .quality = qualities[t->tune->quality], .loss = t->tune->loss };
	if (t->trials) {
		measure_setup(t, folder);
		if (!slots(t) ||
		    !quality_prepare(t->arena, t->diag, t->tune, t->front.graph, folder, &t->measure.quality) ||
		    !measure_reference(t->arena, t->diag, &t->measure, &heuristic))
			return false;
	}
	t->header.reference_ms = t->measure.reference_ms;
	t->header.reference_bytes = t->measure.reference_bytes;
	t->header.reference_peak = t->measure.reference_peak;
	t->header.reference_quality = t->measure.quality.reference[SPLIT_SEARCH];
	return record_open(t->arena, t->diag, t->opt->tune.record ? t->opt->tune.record : path, &t->header,
			   &t->problem.space, t->opt->tune.resume || !t->trials, &t->record);
}

static void interrupt(int signal_number)
{
	(void)signal_number;
	process_stop();
}

static bool write_lock(struct tuning_run *t, const char *path)
{
	struct strbuf entry = { 0 };
	struct lock lock;
	bool good;

	report_lock(t, &entry);
	good = lock_read(t->arena, t->diag, path, false, &lock) &&
	       lock_write(t->diag, &lock, t->tune->name, strbuf_str(&entry));
	strbuf_free(&entry);
	return good;
}

static bool write_html(struct tuning_run *t)
{
	struct strbuf page = { 0 };
	struct output_file out;
	bool good;

	if (!t->opt->html)
		return true;
	report_html(t, &page);
	good = output_open(&out, t->opt->html);
	if (good) {
		fwrite(strbuf_str(&page), 1, page.len, out.stream);
		good = output_commit(&out);
	}
	strbuf_free(&page);
	if (!good)
		diag_error(t->diag, NO_SPAN, "could not write \"%s\": %s", t->opt->html, strerror(errno));
	return good;
}

static bool search(struct tuning_run *t)
{
	const char *lock = t->opt->lock ? t->opt->lock : lock_path(t->arena, t->opt->input);

	t->search = make_search(t);
	if (!t->search || !loop_run(t))
		return false;
	if (process_stopped() || !loop_verify(t)) {
		diag_error(t->diag, NO_SPAN, "interrupted after %u trials", t->record.trials.len);
		diag_hint(t->diag, "Go on with: edgec tune --resume %s", t->opt->input);
		return false;
	}
	if (!write_lock(t, lock))
		return false;
	report_summary(t);
	if (t->opt->json)
		report_json(t, lock);
	return true;
}

int command_tune(struct arena *a, struct diag *d, const struct options *o)
{
	struct tuning_run t = { .arena = a, .diag = d, .opt = o, .started_s = tune_now(), .best = NO_TRIAL };
	const struct ast *ast = dsl_parse(a, d, o->input);
	struct project *p = ast ? dsl_resolve(a, d, ast) : NULL;
	const char *folder = NULL;
	bool good;

	if (!p || d->errors)
		return 1;
	t.tune = choose_block(&t, p);
	if (!t.tune || !compile_front(a, d, o, p, t.tune->model, &t.front))
		return 1;
	t.trials = o->tune.trials_set ? o->tune.trials : t.tune->trials;
	t.seed = o->tune.seed_set ? o->tune.seed : t.tune->seed;
	t.search_name = search_of(&t);
	if (!problem_make(a, d, t.tune, t.front.graph, &t.front.target, &t.problem))
		return 1;
	signal(SIGINT, interrupt);
	signal(SIGTERM, interrupt);
	signal(SIGPIPE, SIG_IGN);
	good = (!t.trials || (folder = make_folder(&t))) && prepare(&t, folder) && (!t.trials || search(&t));
	if (t.record.trials.len) {
		good &= write_html(&t);
	} else if (good) {
		diag_error(d, NO_SPAN, "there is nothing to report: \"%s\" has no trials", t.record.path);
		good = false;
	}
	record_close(&t.record);
	remove_folder(&t, folder);
	return good ? 0 : 1;
}
