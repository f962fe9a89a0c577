/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_dsl.c - the language: what good files mean, what is said about bad ones
 * (tests/dsl/NAME.edge with NAME.err; UPDATE_GOLDEN=1 rewrites those), that formatting
 * changes nothing but blanks, and that no damage to a file can hurt the compiler.
 */
#include "config.h"

#include "ast.h"
#include "dsl.h"
#include "tap.h"

#include "base/file.h"
#include "import/import.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char *source_dir;
static char scratch[256];

/* ---- reading a file with everything said about it */

struct reading {
	struct arena arena;
	struct diag diag;
	char *said;
	size_t said_len;
	const struct ast *ast;
	struct project *project;
	unsigned networks;
};

/* All stages that look at the text, networks included. */
static void read_project(struct reading *r, const char *path)
{
	memset(r, 0, sizeof *r);
	diag_init(&r->diag, &r->arena, open_memstream(&r->said, &r->said_len));
	r->diag.max_errors = 100;
	r->ast = dsl_parse(&r->arena, &r->diag, path);
	r->project = r->ast ? dsl_resolve(&r->arena, &r->diag, r->ast) : NULL;
	for (uint32_t i = 0; r->project && i < r->project->models.len; i++) {
		struct graph *g;

		if (r->project->models.data[i].kind != DECL_MODEL_NETWORK)
			continue;
		g = import_network(&r->arena, &r->diag, &r->project->models.data[i], NULL);
		if (g && graph_verify(g, &r->diag))
			r->networks++;
	}
	fclose(r->diag.out);
}

static void end_reading(struct reading *r)
{
	free(r->said);
	arena_release(&r->arena);
}

static void write_scratch(const char *text, size_t len)
{
	FILE *f = fopen(scratch, "wb");

	if (!f || fwrite(text, 1, len, f) != len || fclose(f) != 0) {
		perror(scratch);
		exit(99);
	}
}

/* Reads text as a file; true: no error was said. */
static bool accepts(const char *text, size_t len)
{
	struct reading r;
	bool ok;

	write_scratch(text, len);
	read_project(&r, scratch);
	ok = !r.diag.errors;
	end_reading(&r);
	return ok;
}

static char *load(const char *path, size_t *len)
{
	struct mapped_file f;
	char *text;

	if (!file_map(path, &f))
		return NULL;
	text = xmalloc(f.size + 1);
	if (f.size)
		memcpy(text, f.data, f.size);
	text[f.size] = 0;
	*len = f.size;
	file_unmap(&f);
	return text;
}

/* ---- formatting */

/* The formatted text, or NULL where the file is wrong. */
static char *format(const char *path)
{
	struct arena a = { 0 };
	struct strbuf b = { 0 };
	struct diag d;
	char *nothing = NULL, *out = NULL;
	size_t len;

	diag_init(&d, &a, open_memstream(&nothing, &len));
	if (dsl_format(&a, &d, path, &b))
		out = strdup(strbuf_str(&b));
	fclose(d.out);
	free(nothing);
	strbuf_free(&b);
	arena_release(&a);
	return out;
}

/* The tree as text: what must not change. Comments are counted beside it. */
static char *meaning(const char *path)
{
	struct reading r;
	struct strbuf b = { 0 };
	char *out;

	read_project(&r, path);
	if (r.ast)
		dsl_print_ast(r.ast, &b);
	out = strdup(strbuf_str(&b));
	strbuf_free(&b);
	end_reading(&r);
	return out;
}

static unsigned count_hashes(const char *s)
{
	unsigned n = 0;

	for (; *s; s++)
		n += *s == '#';
	return n;
}

static void check_format(const char *path)
{
	size_t len;
	char *text = load(path, &len), *once = format(path), *twice = NULL, *before = meaning(path), *after;
	bool blanks = false, same = false;

	if (once) {
		write_scratch(once, strlen(once));
		twice = format(scratch);
		after = meaning(scratch); /* of a file that includes others: not found from there */
		same = (!strcmp(before, after) || strstr(text, "include")) && count_hashes(text) == count_hashes(once);
		blanks = strstr(once, " \n") || strstr(once, "\n\n\n") || strchr(once, '\r');
		free(after);
	}
	tap_ok(once && twice && !strcmp(once, twice) && same && !blanks, "formatting %s is idempotent and keeps all",
	       strrchr(path, '/') ? strrchr(path, '/') + 1 : path);
	free(text);
	free(once);
	free(twice);
	free(before);
}

/* ---- golden messages */

static void check_golden(const char *name)
{
	struct reading r;
	char err[300];
	size_t len = 0;
	char *want;

	snprintf(err, sizeof err, "%.*s.err", (int)(strlen(name) - 5), name);
	read_project(&r, name);
	if (getenv("UPDATE_GOLDEN")) {
		FILE *f = fopen(err, "wb");

		fputs(r.said, f);
		fclose(f);
	}
	want = load(err, &len);
	if (!tap_ok(want && !strcmp(want, r.said), "messages of %s", name))
		printf("# said:\n%s\n", r.said);
	free(want);
	end_reading(&r);
}

/* The tree of a good file, as --emit=ast prints it. */
static void check_tree(const char *name)
{
	char edge[300], golden[300];
	size_t len;
	char *said, *want;

	snprintf(edge, sizeof edge, "../corpus/edge/%s.edge", name);
	snprintf(golden, sizeof golden, "%s.ast", name);
	said = meaning(edge);
	if (getenv("UPDATE_GOLDEN")) {
		FILE *f = fopen(golden, "wb");

		fputs(said, f);
		fclose(f);
	}
	want = load(golden, &len);
	if (!tap_ok(want && !strcmp(want, said), "tree of %s", name))
		printf("# said:\n%s\n", said);
	free(want);
	free(said);
}

/* ---- every file of a folder */

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static unsigned each_file(const char *dir, const char *prefix, void (*use)(const char *))
{
	struct dirent *e;
	char *name[200];
	unsigned n = 0;
	DIR *d = opendir(dir);

	while (d && (e = readdir(d)) && n < 200) {
		size_t len = strlen(e->d_name);

		if (len > 5 && !strcmp(e->d_name + len - 5, ".edge") && !strncmp(e->d_name, prefix, strlen(prefix)))
			name[n++] = strdup(e->d_name);
	}
	if (d)
		closedir(d);
	qsort(name, n, sizeof *name, compare_names);
	for (unsigned i = 0; i < n; i++) {
		use(name[i]);
		free(name[i]);
	}
	return n;
}

static void check_good(const char *path)
{
	struct reading r;

	read_project(&r, path);
	if (!tap_ok(!r.diag.errors && r.project, "%s is good", path))
		printf("# %s\n", r.said);
	for (uint32_t i = 0; r.project && i < r.project->plans.len; i++)
		if (r.project->plans.data[i].unsupported)
			tap_ok(false, "plan %s of %s is supported", r.project->plans.data[i].name, path);
	end_reading(&r);
	check_format(path);
}

static void check_bad(const char *path)
{
	struct reading r;

	read_project(&r, path);
	tap_ok(r.diag.errors > 0 && r.said_len > 0, "%s is bad", path);
	end_reading(&r);
}

/* Cut at every byte, and with one bit turned at every byte. */
static void check_damage(const char *path)
{
	size_t len;
	char *text = load(path, &len);
	unsigned accepted = 0;

	if (strstr(path, "everything") || strstr(path, "include"))
		return (void)free(text); /* long, and like the others; depends on a second file */
	for (size_t i = 0; i < len; i++)
		accepted += accepts(text, i);
	for (size_t i = 0; i < len; i++) {
		text[i] ^= (char)(1 << i % 8);
		accepted += accepts(text, len);
		text[i] ^= (char)(1 << i % 8);
	}
	tap_ok(true, "%s damaged in %zu ways, %u of them harmless", path, 2 * len, accepted);
	free(text);
}

/* ---- hostile files */

static void check_repeated(const char *what, const char *head, const char *unit, unsigned times, const char *tail)
{
	struct strbuf b = { 0 };

	strbuf_puts(&b, head);
	for (unsigned i = 0; i < times; i++)
		strbuf_puts(&b, unit);
	strbuf_puts(&b, tail);
	tap_ok(!accepts(b.data, b.len), "%s, %u times, is refused", what, times);
	strbuf_free(&b);
}

static void check_hostile(void)
{
	static const char head[] = "model m { weights random; input x : f32[2]; output y = ";

	check_repeated("an opened parenthesis", head, "(", 100000, "x;}");
	check_repeated("a sign", head, "-", 100000, "x; }");
	check_repeated("a sum", head, "x+", 100000, "x; }");
	check_repeated("a call", head, "relu(", 1000, "x; }");
	check_repeated("a list", head, "[", 100000, "");
	check_repeated("an opened block", "", "model m {", 100000, "");
	check_repeated("a loop in a loop", "model m { input x : f32[1];", "for i in 0..2 {", 60, "x = x + x; ");
	check_repeated("a digit", "budget b { device ", "9", 100000, " B; }");
	check_repeated("a letter", "budget ", "b", 100000, " { device 1 B; }");
	check_repeated("a quote", "include \"", "\\\"", 100000, "");
	check_repeated("a semicolon", "", ";", 100000, "");
	check_repeated("a brace", "", "}", 100000, "");
	check_repeated("a word", "device d { threads ", "a ", 100000, "; }");
	check_repeated("a declaration", "", "device d { }", 20000, "");
	check_repeated("a setting", "plan p { run m;", "on host;", 20000, "}");
	check_repeated("an argument", "model m { input x : f32[2]; output y = relu(x", ", x", 10000, "); }");
	check_repeated("a parameter", "layer l(x", ", x", 10000, ") { return x; }");
}

/* Loops inside loops that unroll to 2^30 must end in an error, not in hours. */
static void check_unrolling(void)
{
	struct strbuf b = { 0 };

	strbuf_puts(&b, "model m { weights random; input x : f32[2]; ");
	for (int i = 0; i < 30; i++)
		strbuf_printf(&b, "for i%d in 0..2 { ", i);
	strbuf_puts(&b, "x = x + 1; ");
	for (int i = 0; i < 30; i++)
		strbuf_puts(&b, "}");
	strbuf_puts(&b, " output y = x; }");
	tap_ok(!accepts(b.data, b.len), "2^30 rounds of loops are refused");
	strbuf_free(&b);
}

static void check_includes(void)
{
	char name[300], text[700];
	struct reading r;

	for (int i = 0; i < 20; i++) {
		FILE *f;

		snprintf(name, sizeof name, "%s.%d", scratch, i);
		f = fopen(name, "w");
		fprintf(f, "include \"%s.%d\";", strrchr(scratch, '/') ? strrchr(scratch, '/') + 1 : scratch, i + 1);
		fclose(f);
	}
	snprintf(name, sizeof name, "%s.0", scratch);
	read_project(&r, name);
	tap_ok(strstr(r.said, "nested more than") != NULL, "twenty files deep is too deep");
	end_reading(&r);
	snprintf(name, sizeof name, "%s.5", scratch);
	snprintf(text, sizeof text, "include \"%s.0\";", scratch);
	write_scratch(text, strlen(text));
	rename(scratch, name);
	snprintf(name, sizeof name, "%s.0", scratch);
	read_project(&r, name);
	tap_ok(strstr(r.said, "includes itself") && strstr(r.said, "included from here"), "a circle of six files is found");
	end_reading(&r);
	for (int i = 0; i < 20; i++) {
		snprintf(name, sizeof name, "%s.%d", scratch, i);
		unlink(name);
	}
}

/* ---- meaning */

static void check_values(void)
{
	struct reading r;
	const struct decl_device *desk, *phone;
	const struct project *p;

	read_project(&r, "good-everything.edge");
	p = r.project;
	if (!tap_ok(p && p->devices.len == 3 && p->budgets.len == 2 && p->models.len == 3 && p->plans.len == 4,
		    "everything declared")) {
		end_reading(&r);
		return;
	}
	desk = &p->devices.data[0];
	phone = &p->devices.data[2];
	tap_ok(desk->backend == DECL_BACKEND_NATIVE && desk->threads == 2 && desk->storage_bytes_per_s == 1.2e9 &&
		       desk->memory_bytes_per_s == 25e9 && desk->flops_per_s == 290e9 && desk->launch_ms > 0.00399 &&
		       desk->launch_ms < 0.00401 && desk->weights == DECL_WEIGHTS_BUFFER &&
		       desk->kernels == DECL_KERNELS_CPU,
	       "units of a device");
	tap_ok(phone->backend == DECL_BACKEND_OPENCL && phone->storage_bytes_per_s == 9e8 && phone->launch_ms == 0.05 &&
		       phone->weights == DECL_WEIGHTS_TEXTURE && phone->kernels == DECL_KERNELS_GPU,
	       "units that touch their number");
	tap_ok(p->budgets.data[0].device_bytes == 24 << 20 && p->budgets.data[0].host_bytes == 8 << 20 &&
		       p->budgets.data[1].device_bytes == 1500000 && p->budgets.data[1].host_bytes == 64000,
	       "sizes");
	tap_ok(p->models.data[0].kind == DECL_MODEL_ONNX && p->models.data[0].inputs.len == 2 &&
		       !strcmp(p->models.data[0].inputs.data[0].name, "input.1") &&
		       p->models.data[0].inputs.data[0].rank == 4 && p->models.data[0].inputs.data[0].dim[3] == 352 &&
		       p->models.data[0].inputs.data[0].dtype == DTYPE_F32 && p->models.data[0].inputs.data[1].rank == 0,
	       "shapes of an import");
	tap_ok(p->models.data[1].weights == DECL_WEIGHTS_RANDOM && p->models.data[1].seed == 7, "seed");
	tap_ok(p->plans.data[0].device == phone && p->plans.data[0].budget.host_bytes == 8 << 20 &&
		       p->plans.data[0].steps.len == 2 && p->plans.data[0].feeds.len == 1 &&
		       !strcmp(p->plans.data[0].feeds.data[0].from_name, "p"),
	       "a plan of two models");
	tap_ok(p->plans.data[1].device == desk && p->plans.data[1].budget.device_bytes == 300 << 10 &&
		       !p->plans.data[2].device && p->plans.data[2].budget.device_bytes == 1500000 &&
		       !p->plans.data[3].device && !p->plans.data[3].budget.device_bytes,
	       "limits as size, by name and none");
	end_reading(&r);
}

/* ---- documentation */

static void check_examples(void)
{
	static const char *const files[] = { "digits/digits.edge", "larger-than-memory/transformer.edge",
					     "two-models/two-models.edge" };

	for (unsigned i = 0; i < sizeof files / sizeof *files; i++) {
		char path[4096];

		snprintf(path, sizeof path, "%s/examples/%s", source_dir, files[i]);
		check_format(path);
	}
}

static void check_document(const char *path)
{
	size_t len;
	char *text = load(path, &len), *p = text;
	unsigned n = 0;

	while (p && (p = strstr(p, "```edge\n"))) {
		char *end = strstr(p += 8, "```");
		struct reading r;

		if (!end)
			break;
		write_scratch(p, (size_t)(end - p));
		read_project(&r, scratch);
		if (!tap_ok(!r.diag.errors, "example %u of the language's description", ++n))
			printf("# %s\n", r.said);
		end_reading(&r);
		p = end + 3;
	}
	tap_ok(n >= 3, "the description has examples");
	free(text);
}

int main(void)
{
	char dir[4096], cwd[2048];

	source_dir = getenv("EDGE_SRCDIR");
	if (!source_dir || !getcwd(cwd, sizeof cwd)) {
		tap_skip("EDGE_SRCDIR is not set");
		return tap_done();
	}
	snprintf(dir, sizeof dir, "%s/tests/corpus/edge", source_dir);
	if (chdir(dir) != 0)
		return 99;
	snprintf(scratch, sizeof scratch, "%.200s/test_dsl-%ld.edge", getenv("TMPDIR") ? getenv("TMPDIR") : cwd,
		 (long)getpid());
	check_values();
	tap_ok(each_file(".", "good-", check_good) >= 8, "corpus of good files");
	tap_ok(each_file(".", "bad-", check_bad) >= 8, "corpus of bad files");
	each_file(".", "good-", check_damage);
	check_hostile();
	check_unrolling();
	check_includes();
	if (chdir("../../dsl") != 0)
		return 99;
	tap_ok(each_file(".", "", check_golden) >= 5, "golden messages");
	check_tree("good-comments");
	check_tree("good-everything");
	check_tree("good-transformer");
	check_tree("good-words");
	check_tree("good-train");
	check_examples();
	snprintf(dir, sizeof dir, "%s/doc/language.md", source_dir);
	check_document(dir);
	unlink(scratch);
	return tap_done();
}
