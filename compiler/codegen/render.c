/* SPDX-License-Identifier: Apache-2.0 */
/*
 * render.c - a kernel's source: definitions, then the template as it is.
 *
 * A template is never edited. Its specialisation is
 *
 *	#define KERNEL matmul_0f3a...        made unique by a hash of the rest
 *	#define TILE_M 8                     constants
 *	#define EDGE_OUT ...                 the rendered epilogue
 *	... the template's text ...         with the defaults that it shares with others (*_defaults.clh)
 *	#undef ...                           every macro defined above
 *
 * so that all kernels of a plan stand in one program behind one prelude. Equal
 * text gives the same kernel.
 */
#include "config.h"

#include "codegen/codegen.h"

#include "embedded.h"

#include <string.h>

const char *kernel_file_text(const char *name)
{
	unsigned i;

	for (i = 0; i < kernel_file_count; i++)
		if (strcmp(kernel_files[i].name, name) == 0)
			return kernel_files[i].text;
	return NULL;
}

const char *template_text(const char *name)
{
	char file[64];

	if (snprintf(file, sizeof file, "%s.cl", name) >= (int)sizeof file)
		return NULL;
	return kernel_file_text(file);
}

const char *prelude_text(void)
{
	return kernel_file_text("prelude.clh");
}

/* What depends on a kernel's constants and serves several templates stands before each of them. */
static const char *shared_text(struct arena *a, const char *template, const char *defines)
{
	const char *kind = strrchr(template, '_');
	bool quant = strstr(defines, "#define QUANT_BITS ");

	if (!strncmp(template, "winograd", 8))
		return arena_printf(a, "%s%s", quant ? kernel_file_text("quant.clh") : "", kernel_file_text("winograd.clh"));
	if (!quant)
		return "";
	if (kind && !strcmp(kind, "_int8"))
		return arena_printf(a, "#define EDGE_INT8\n%s%s", kernel_file_text("quant.clh"), kernel_file_text("int8.clh"));
	return kernel_file_text("quant.clh");
}

/* The template with the *_defaults.clh that it includes in place; programs are compiled without any file. */
static const char *with_defaults(struct arena *a, const char *text)
{
	static const char include[] = "#include \"";
	struct strbuf out = { 0 };
	const char *line, *end;

	for (line = text; *line; line = end) {
		size_t name = strlen(include), len;
		const char *file;

		end = line + strcspn(line, "\n");
		end += *end == '\n';
		len = strncmp(line, include, name) ? 0 : strcspn(line + name, "\"\n");
		file = arena_strndup(a, line + name * (len > 0), len);
		if (len > 13 && !strcmp(file + len - 13, "_defaults.clh"))
			strbuf_printf(&out, "%s", strstr(kernel_file_text(file), "\n#") + 1); /* behind its first comment */
		else
			strbuf_printf(&out, "%.*s", (int)(end - line), line);
	}
	text = arena_strdup(a, strbuf_str(&out));
	strbuf_free(&out);
	return text;
}

static uint64_t hash_text(uint64_t h, const char *s)
{
	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * 0x100000001b3u;
	return h;
}

/* Appends "#undef X" for each "#define X" that starts a line, once per name. */
static void undefine(struct strbuf *out, struct arena *a, struct map *seen, const char *text)
{
	const char *line, *end, *name;

	for (line = text; line; line = end ? end + 1 : NULL) {
		end = strchr(line, '\n');
		if (strncmp(line, "#define ", 8) != 0)
			continue;
		name = arena_strndup(a, line + 8, strcspn(line + 8, " (\n"));
		if (map_get(seen, name, NULL))
			continue;
		map_put(a, seen, name, 1);
		strbuf_printf(out, "#undef %s\n", name);
	}
}

void render_loading(struct arena *a, struct kernel_set *ks)
{
	for (uint32_t i = 0; i < ks->launches.len; i++) {
		const struct launch *l = &ks->launches.data[i];
		struct kernel *k = l->load && !l->lookup ? &ks->kernels.data[l->kernel] : NULL;
		struct strbuf out = { 0 };
		struct map seen = { 0 };
		struct kernel *x;

		if (!k || k->loading)
			continue;
		x = k->loading = arena_copy(a, k, sizeof *k);
		x->name = arena_printf(a, "%s_load", k->name);
		strbuf_printf(&out, "#define KERNEL %s\n#define CARRY 1\n#define EDGE_LOADS"
			      " __write_only image2d_t load_to, __global const half *restrict load_from, const int load_texel, "
			      "const int load_last, const int load_each,%s", x->name, strchr(k->source, '\n'));
		x->source = arena_strdup(a, strbuf_str(&out));
		undefine(&out, a, &seen, x->source);
		x->source = arena_strdup(a, strbuf_str(&out));
		strbuf_free(&out);
	}
}

uint32_t render_kernel(struct codegen *c, const char *template, const char *defines, const char *epilogue,
		       const uint32_t local[3])
{
	const char *text = template_text(template);
	struct strbuf out = { 0 };
	struct map seen = { 0 };
	struct kernel k = { 0 };
	uint32_t index;
	char *key;

	key = arena_printf(c->arena, "%s %u %u %u\n%s%s", template, local[0], local[1], local[2], defines, epilogue);
	if (map_get(&c->kernel_map, key, &index))
		return index;
	index = c->ks->kernels.len;
	map_put(c->arena, &c->kernel_map, key, index);

	k.name = arena_printf(c->arena, "%s_%016llx", template,
			      (unsigned long long)hash_text(0xcbf29ce484222325u, key));
	memcpy(k.local, local, sizeof k.local);
	strbuf_printf(&out, "#define KERNEL %s\n%s%s%s%s", k.name, defines, epilogue,
		      shared_text(c->arena, template, defines), with_defaults(c->arena, text));
	k.source = arena_strdup(c->arena, strbuf_str(&out));
	undefine(&out, c->arena, &seen, k.source);
	k.source = arena_strdup(c->arena, strbuf_str(&out));
	strbuf_free(&out);
	vec_push(c->arena, &c->ks->kernels, k);
	return index;
}
