/* SPDX-License-Identifier: Apache-2.0 */
/*
 * explain_train.c - a plan that trains, explained: what it learns from, what
 * memory holds, what happens when.
 *
 * A line of the timeline is a row of events of one kind at equal distances.
 * The planned number of Gaussians is an upper bound that follows from the
 * events alone: each growth adds its share at most, and the cap holds.
 */
#include "config.h"

#include "plan/explain_train.h"

#include <stdlib.h>
#include <string.h>

typedef unsigned long long ull;

static const char *event_name(uint32_t kind)
{
	static const char *const names[] = { "", "densify", "prune", "compensate", "relocate", "reinitialise", "colour degree",
					     "evaluate", "checkpoint", "reorder" };

	return kind < sizeof names / sizeof *names ? names[kind] : "?";
}

static const char *policy_name(uint32_t policy)
{
	static const char *const names[] = { "", "diet", "relocate", "auto", "plain" };

	return policy < sizeof names / sizeof *names ? names[policy] : "?";
}

static uint64_t bytes_of(const struct edge_train *t, uint32_t gaussians)
{
	return t->bytes_fixed + t->bytes_per_key * t->key_capacity + t->bytes_per_gaussian * gaussians;
}

static uint32_t grown(const struct edge_train *t, uint32_t n, const struct edge_event *e)
{
	double more = (double)n * (1 + (double)t->growth) + 1;

	switch (e->kind) {
	case EDGE_EVENT_DENSIFY:
	case EDGE_EVENT_COMPENSATE:
	case EDGE_EVENT_RELOCATE:
		return more < 0 ? 0 : more < e->most ? (uint32_t)more : e->most;
	case EDGE_EVENT_REINITIALISE:
		return e->most;
	default:
		return n < e->most ? n : e->most;
	}
}

struct train_growth *train_growth(const struct edge_plan *p, uint32_t *count)
{
	struct train_growth *out = xmalloc(((size_t)p->event_count + 1) * sizeof *out);
	uint32_t n = p->train->first_gaussians;

	out[0] = (struct train_growth){ 0, n, bytes_of(p->train, n) };
	for (uint32_t i = 0; i < p->event_count; i++) {
		n = grown(p->train, n, &p->events[i]);
		out[i + 1] = (struct train_growth){ p->events[i].step, n, bytes_of(p->train, n) };
	}
	*count = p->event_count + 1;
	return out;
}

/* ---- text ---- */

static void print_summary(const struct edge_plan *p, FILE *out)
{
	const struct edge_train *t = p->train;

	explain_say(out, "  scene            %s: %u views to train on, %u held out, at most %u x %u; photographs %s",
		    plan_string(p, p->models[0].name), t->train_views, t->held_out_views, t->width, t->height,
		    size_text(p->meta->weights_bytes));
	fprintf(out, "  training         %u steps, policy %s, seed %llu\n", t->steps, policy_name(t->policy), (ull)t->seed);
	fprintf(out, "  Gaussians        from %u points to at most %u, room for %u; %s each\n", t->first_gaussians, t->cap,
		t->capacity, size_text(t->bytes_per_gaussian));
	fprintf(out, "  each             %u parameters, colour to degree %u, moments of %u bits%s\n", t->parameters, t->sh_degree,
		t->moment_bits, t->flags & EDGE_TRAIN_GREY ? ", compact and grey" : t->flags ? ", compact" : "");
	fprintf(out, "  keys             %u of %s; a picture with more is done in bands\n", t->key_capacity,
		size_text(t->bytes_per_key));
}

static void print_rates(const struct edge_train *t, FILE *out)
{
	fprintf(out, "\nrates, of a step of Adam\n  %-26s %12.3g falling to %.3g, in units of the scene\n", "places",
		(double)t->rate_position_first, (double)t->rate_position_last);
	fprintf(out, "  %-26s %12.3g\n  %-26s %12.3g\n  %-26s %12.3g\n  %-26s %12.3g\n  %-26s %12.3g%s\n", "logarithms of sizes",
		(double)t->rate_scale, "rotations", (double)t->rate_rotation, "opacity before the sigmoid", (double)t->rate_opacity,
		"colours", (double)t->rate_colour, "coefficients above 0", (double)t->rate_sh,
		t->flags & EDGE_TRAIN_COMPACT ? ", without moments" : "");
	if (t->rate_settled > 0)
		fprintf(out, "  all but places' fall to %g of that, from step %u on\n", (double)t->rate_settled,
			(uint32_t)((double)t->settle_from * t->steps + 0.5));
}

/* Which buffer's share a role is. */
static const struct edge_role *role_of(const struct edge_plan *p, uint32_t buffer)
{
	for (uint32_t i = 0; i < p->role_count; i++)
		if (p->roles[i].kind == EDGE_ROLE_BUFFER && p->roles[i].index == buffer)
			return &p->roles[i];
	return NULL;
}

static const char *buffer_name(const struct edge_plan *p, uint32_t buffer)
{
	const struct edge_buffer *b = &p->buffers[buffer];

	for (uint32_t i = 0; i < p->lifetime_count; i++)
		if (p->lifetimes[i].region == b->region && p->lifetimes[i].offset == b->offset)
			return plan_string(p, p->lifetimes[i].name);
	return "";
}

static void print_memory(const struct edge_plan *p, FILE *out)
{
	fputs("\nmemory, all of it from beginning to end\n", out);
	for (uint32_t i = 0; i < p->buffer_count; i++) {
		const struct edge_role *r = role_of(p, i);

		char each[64] = "";
		size_t n = 0;

		if (r && r->bytes_per_gaussian)
			n = (size_t)snprintf(each, sizeof each, "   %u B a Gaussian", r->bytes_per_gaussian);
		if (r && r->bytes_per_key)
			snprintf(each + n, sizeof each - n, "   %u B a key", r->bytes_per_key);
		explain_say(out, "  %-8s %-26s %12s%s", explain_region_kind(p->regions[p->buffers[i].region].kind),
			    buffer_name(p, i), size_text(p->buffers[i].bytes), each);
	}
	for (uint32_t i = 0; i < p->region_count; i++)
		if (p->regions[i].space == EDGE_SPACE_HOST)
			fprintf(out, "  %-8s %-26s %12s\n", "host", explain_region_kind(p->regions[i].kind),
				size_text(p->regions[i].bytes));
}

/* How many events from i on, of its kind, follow at the distance of the first two; *every: that distance. */
static uint32_t run_length(const struct edge_plan *p, uint32_t i, const bool *said, uint32_t *every)
{
	const struct edge_event *first = &p->events[i], *last = first;
	uint32_t n = 1;

	*every = 0;
	for (uint32_t k = i + 1; k < p->event_count; k++) {
		const struct edge_event *e = &p->events[k];

		if (said[k] || e->kind != first->kind)
			continue;
		if (e->most != first->most || e->kind == EDGE_EVENT_DEGREE || (*every && e->step - last->step != *every))
			break;
		*every = e->step - last->step;
		last = e;
		n++;
	}
	return n;
}

static void print_event(const struct edge_plan *p, const struct train_growth *g, uint32_t i, bool *said, FILE *out)
{
	uint32_t every, n = run_length(p, i, said, &every), left = n, last = i;
	const struct edge_event *e = &p->events[i];
	char when[64], what[64];

	for (uint32_t k = i; left && k < p->event_count; k++)
		if (!said[k] && p->events[k].kind == e->kind) {
			said[k] = true;
			last = k;
			left--;
		}
	if (n > 1)
		snprintf(when, sizeof when, "%u .. %u, every %u", e->step, p->events[last].step, every);
	else
		snprintf(when, sizeof when, "%u", e->step);
	if (e->kind == EDGE_EVENT_DEGREE)
		snprintf(what, sizeof what, "%s %u", event_name(e->kind), e->argument);
	else
		snprintf(what, sizeof what, "%s", event_name(e->kind));
	fprintf(out, "  %-26s %-18s %5u %12u %12u %14s\n", when, what, n, e->most, g[last + 1].gaussians,
		size_text(g[last + 1].bytes));
}

static void print_timeline(const struct edge_plan *p, FILE *out)
{
	uint32_t count;
	struct train_growth *g = train_growth(p, &count);
	bool *said = xmalloc(p->event_count + 1);

	memset(said, 0, p->event_count + 1);
	fprintf(out, "\ntimeline: what happens after which steps\n  %-26s %-18s %5s %12s %12s %14s\n", "steps", "event", "times",
		"at most", "planned", "in use by then");
	fprintf(out, "  %-26s %-18s %5s %12s %12u %14s\n", "0", "start", "", "", g[0].gaussians, size_text(g[0].bytes));
	for (uint32_t i = 0; i < p->event_count; i++)
		if (!said[i])
			print_event(p, g, i, said, out);
	fprintf(out, "  %-26u %-18s\n", p->train->steps, "end");
	free(said);
	free(g);
}

static void print_steps(const struct edge_plan *p, FILE *out)
{
	fputs("\nkernels of one step, and of events\n", out);
	for (uint32_t i = 0; i < p->step_count; i++)
		explain_say(out, "  %5u %-18s %8u work-items  %s", i, explain_what(p, i), p->steps[i].global[0],
			    plan_string(p, p->kernels[p->steps[i].index].name));
}

void explain_train_text(const struct edge_plan *p, FILE *out)
{
	print_summary(p, out);
	print_memory(p, out);
	print_rates(p->train, out);
	explain_notes(p, out);
	print_timeline(p, out);
	print_steps(p, out);
}

/* ---- JSON ---- */

static void json_events(const struct edge_plan *p, FILE *out)
{
	uint32_t count;
	struct train_growth *g = train_growth(p, &count);

	fputs(",\n\"events\":[", out);
	for (uint32_t i = 0; i < p->event_count; i++) {
		const struct edge_event *e = &p->events[i];

		fprintf(out, "%s\n{\"step\":%u,\"event\":\"%s\",\"argument\":%u,\"most\":%u,\"bytes\":%llu,"
			"\"planned_gaussians\":%u,\"planned_bytes\":%llu}", i ? "," : "", e->step, event_name(e->kind),
			e->argument, e->most, (ull)e->bytes, g[i + 1].gaussians, (ull)g[i + 1].bytes);
	}
	fputs("]", out);
	free(g);
}

static void json_buffers(const struct edge_plan *p, FILE *out)
{
	fputs(",\n\"buffers\":[", out);
	for (uint32_t i = 0; i < p->buffer_count; i++) {
		const struct edge_role *r = role_of(p, i);

		fprintf(out, "%s\n{\"region\":\"%s\",\"bytes\":%llu,\"bytes_per_gaussian\":%u,\"bytes_per_key\":%u,\"name\":",
			i ? "," : "", explain_region_kind(p->regions[p->buffers[i].region].kind),
			(ull)p->buffers[i].bytes, r ? r->bytes_per_gaussian : 0, r ? r->bytes_per_key : 0);
		explain_json_string(buffer_name(p, i), out);
		putc('}', out);
	}
	fputs("]", out);
}

void explain_train_json(const struct edge_plan *p, FILE *out)
{
	const struct edge_train *t = p->train;

	fputs(",\n\"train\":{\"scene\":", out);
	explain_json_string(plan_string(p, p->models[0].name), out);
	fprintf(out, ",\"steps\":%u,\"policy\":\"%s\",\"seed\":%llu,\"views\":%u,\"held_out\":%u,\"width\":%u,\"height\":%u,"
		"\"first_gaussians\":%u,\"cap\":%u,\"capacity\":%u,\"key_capacity\":%u,\"parameters\":%u,\"sh_degree\":%u,"
		"\"moment_bits\":%u,\"bytes_per_gaussian\":%llu,\"bytes_per_key\":%llu,\"bytes_fixed\":%llu,\"start_bytes\":%llu}",
		t->steps, policy_name(t->policy), (ull)t->seed, t->train_views, t->held_out_views, t->width, t->height,
		t->first_gaussians, t->cap, t->capacity, t->key_capacity, t->parameters, t->sh_degree, t->moment_bits,
		(ull)t->bytes_per_gaussian, (ull)t->bytes_per_key, (ull)t->bytes_fixed, (ull)bytes_of(t, t->first_gaussians));
	json_buffers(p, out);
	json_events(p, out);
}
