/* SPDX-License-Identifier: Apache-2.0 */
/* apply.c - see apply.h. */
#include "config.h"

#include "tune/apply.h"

#include "codegen/activations.h"
#include "codegen/native.h"
#include "embedded.h"
#include "tune/formats.h"

#include <stdlib.h>
#include <string.h>

static bool is_number(const char *s, long least, long most, long *out)
{
	char *end;

	if (*s < '0' || *s > '9')
		return false;
	*out = strtol(s, &end, 10);
	return !*end && *out >= least && *out <= most;
}

static const char *take_target(struct tuned *t, struct target *target, const struct knob_value *k)
{
	long n;

	if (!strcmp(k->name, "threads")) {
		if (!is_number(k->value, 1, 1024, &n))
			return "a number of threads from 1 to 1024";
		target->threads = (uint32_t)n;
	} else if (!strcmp(k->name, "stream")) {
		if (!is_number(k->value, 0, 100, &n))
			return "a number from 0 to 100";
		t->stream = (int)n;
	} else if (!strcmp(k->name, "backend")) {
		if (!strcmp(k->value, "native") && target->kernels == TARGET_CPU_KERNELS)
			target->backend = TARGET_NATIVE;
		else if (!strcmp(k->value, "opencl"))
			target->backend = TARGET_OPENCL;
		else
			return target->kernels == TARGET_GPU_KERNELS ? "opencl on this device" : "native or opencl";
	} else {
		for (int i = 1; i < NATIVE_ISA_COUNT; i++)
			if (!strcmp(native_isa_name((enum native_isa)i), k->value)) {
				target->isas = 1u << i;
				return NULL;
			}
		return "x86-64-v3, x86-64-v4 or aarch64";
	}
	return NULL;
}

static const char *take_activations(struct tuned *t, const char *value)
{
	static const char *const names[] = { [ACTIVATIONS_AUTO] = "auto", [ACTIVATIONS_F32] = "f32", [ACTIVATIONS_INT8] = "q8" };

	for (int i = 0; i < (int)(sizeof names / sizeof *names); i++)
		if (!strcmp(value, names[i])) {
			t->activations = i;
			return NULL;
		}
	return "auto, f32 or q8";
}

/* NULL, or what the knob expects. "" stands for a name that no knob has. */
static const char *take(struct arena *a, struct tuned *t, struct target *target, const struct knob_value *k)
{
	struct tile_choice tile;

	if (!strncmp(k->name, "tile.", 5)) {
		if (!tile_parse(k->name + 5, k->value, &tile))
			return "HEIGHTxWIDTH, with a height of 1 to 8 and a width of 16, 24, 32 or 48 (1x16 or 1x32 for one row), and p or r after it for what neighbours share";
		vec_push(a, &t->tuning.tiles, tile);
		return NULL;
	}
	if (!strcmp(k->name, "activations"))
		return take_activations(t, k->value);
	if (!strcmp(k->name, "threads") || !strcmp(k->name, "stream") || !strcmp(k->name, "backend") ||
	    !strcmp(k->name, "cpu"))
		return take_target(t, target, k);
	return format_knob_check(k->name, k->value);
}

bool tuned_apply(struct arena *a, struct diag *d, struct tuned *t, struct target *target)
{
	t->stream = -1;
	t->activations = -1;
	for (uint32_t i = t->knobs.len; i-- > 0;) { /* the first setting of a knob comes last and stays */
		const struct knob_value *k = &t->knobs.data[i];
		const char *expects = take(a, t, target, k);

		if (!expects)
			continue;
		if (*expects)
			diag_error(d, NO_SPAN, "knob %s is \"%s\" and expects %s", k->name, k->value, expects);
		else
			diag_error(d, NO_SPAN, "there is no knob \"%s\"", k->name);
		return false;
	}
	for (uint32_t i = 0, j = t->tuning.tiles.len; i + 1 < j; i++, j--) { /* lookups take the first */
		struct tile_choice c = t->tuning.tiles.data[i];

		t->tuning.tiles.data[i] = t->tuning.tiles.data[j - 1];
		t->tuning.tiles.data[j - 1] = c;
	}
	return true;
}

bool tuned_formats(struct arena *a, struct diag *d, const struct tuned *t, const char *calibrate, struct graph *g)
{
	return formats_apply(a, d, &t->knobs, calibrate, g);
}

static const char *embedded_text(const char *name)
{
	for (unsigned i = 0; i < kernel_file_count; i++)
		if (!strcmp(kernel_files[i].name, name))
			return kernel_files[i].text;
	return NULL;
}

const struct tuning *tuning_table(struct arena *a, struct diag *d, const struct target *t)
{
	struct tuning *out = arena_new(a, struct tuning);
	const char *name = arena_printf(a, "%s.txt", tuning_class(t)), *text = embedded_text(name);
	unsigned line = text ? tuning_read(a, text, out) : 0;

	if (line)
		diag_error(d, NO_SPAN, "kernels/tune/%s: line %u cannot be read", name, line);
	return out;
}
