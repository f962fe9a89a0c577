/* SPDX-License-Identifier: Apache-2.0 */
/*
 * native.c - compile kernels to machine code with clang and ld.lld.
 *
 * Everything happens in a temporary folder: a few sources with some of the
 * kernels each, then per instruction set an object of each source and a linked file, from
 * which the block and the entries are read (native_elf.c). As many compilers run at a time
 * as there are CPUs; how many sources there are depends on the kernels alone, so that the
 * same input gives the same bytes everywhere. Tools are run with posix_spawn and
 * without a shell; what they print is shown only when they fail.
 */
#include "config.h"

#include "codegen/native.h"

#include "base/file.h"
#include "base/leftover.h"
#include "codegen/native_elf.h"
#include "edge/plan_format.h"
#include "embedded.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

static const struct {
	const char *name, *target, *march;
} isas[NATIVE_ISA_COUNT] = {
	[NATIVE_X86_64_V3] = { "x86-64-v3", "x86_64-unknown-linux-gnu", "-march=x86-64-v3" },
	[NATIVE_X86_64_V4] = { "x86-64-v4", "x86_64-unknown-linux-gnu", "-march=x86-64-v4" },
	[NATIVE_AARCH64] = { "aarch64", "aarch64-unknown-linux-gnu", "-march=armv8-a" },
	[NATIVE_X86_64_V4_VNNI] = { "x86-64-v4-vnni", "x86_64-unknown-linux-gnu", "-march=x86-64-v4" },
};

const char *native_isa_name(enum native_isa isa)
{
	return isas[isa].name;
}

/* Code and constants in one section; anything that would need a loader is not kept. */
static const char link_script[] = "SECTIONS { . = 0;\n"
				  " .block : { *(.text .text.*) . = ALIGN(64); *(.rodata .rodata.*) }\n"
				  " /DISCARD/ : { *(.comment) *(.note*) *(.eh_frame*) *(.llvm*) } }\n";

enum { PARTS = 4, KERNELS_OF_PART = 4 };

struct work {
	struct arena *arena;
	struct diag *diag;
	char *folder;
	uint32_t parts; /* sources */
};

static char *work_path(struct work *w, const char *name, const char *suffix)
{
	return arena_printf(w->arena, "%s/%s%s", w->folder, name, suffix);
}

static bool write_text(struct work *w, const char *path, const char *text)
{
	FILE *f = fopen(path, "w");
	bool ok = f && fputs(text, f) >= 0;

	if (f && fclose(f) != 0)
		ok = false;
	if (!ok)
		diag_error(w->diag, NO_SPAN, "could not write \"%s\": %s", path, strerror(errno));
	return ok;
}

static void add_entry(struct strbuf *s, const struct kernel *k)
{
	strbuf_printf(s, "void edge_entry_%s(const __global ulong *arg, const __global ulong *range)\n{\n"
		"\tstruct edge_wi wi;\n\tulong n = range[1];\n", k->name);
	for (uint32_t i = 0; i < k->param_count; i++) {
		switch (k->param[i].kind) {
		case EDGE_PARAM_GLOBAL:
			strbuf_printf(s, "\t__global void *a%u = (__global void *)arg[%u];\n", i, i);
			break;
		case EDGE_PARAM_I32: strbuf_printf(s, "\tint a%u = (int)arg[%u];\n", i, i); break;
		case EDGE_PARAM_I64: strbuf_printf(s, "\tlong a%u = (long)arg[%u];\n", i, i); break;
		default: strbuf_printf(s, "\tfloat a%u = as_float((uint)arg[%u]);\n", i, i); break;
		}
	}
	strbuf_puts(s, "\twi.gsize[0] = range[2];\n\twi.gsize[1] = range[3];\n\twi.gsize[2] = range[4];\n"
		"\twi.gid[0] = range[0] % wi.gsize[0];\n"
		"\twi.gid[1] = range[0] / wi.gsize[0] % wi.gsize[1];\n"
		"\twi.gid[2] = range[0] / wi.gsize[0] / wi.gsize[1];\n"
		"\tfor (ulong i = range[0]; i < n; i++) {\n");
	strbuf_printf(s, "\t\t%s(", k->name);
	for (uint32_t i = 0; i < k->param_count; i++)
		strbuf_printf(s, "a%u, ", i);
	strbuf_puts(s, "&wi);\n"
		"\t\tif (++wi.gid[0] == wi.gsize[0]) {\n\t\t\twi.gid[0] = 0;\n"
		"\t\t\tif (++wi.gid[1] == wi.gsize[1]) {\n\t\t\t\twi.gid[1] = 0;\n\t\t\t\twi.gid[2]++;\n"
		"\t\t\t}\n\t\t}\n\t}\n}\n");
}

static const char *native_header(void)
{
	for (unsigned i = 0; i < kernel_file_count; i++)
		if (!strcmp(kernel_files[i].name, "native.clh"))
			return kernel_files[i].text;
	return "";
}

static const char *part_path(struct work *w, const char *name, uint32_t part, const char *suffix)
{
	return work_path(w, arena_printf(w->arena, "%s-%u", name, part), suffix);
}

static bool write_part(struct work *w, const struct kernel *const *kernels, uint32_t count, const char *prelude,
		       uint32_t part)
{
	struct strbuf s = { 0 };
	bool ok;

	strbuf_puts(&s, native_header());
	strbuf_puts(&s, prelude);
	for (uint32_t i = part; i < count; i += w->parts) {
		strbuf_puts(&s, kernels[i]->source);
		strbuf_puts(&s, "\n");
		add_entry(&s, kernels[i]);
	}
	ok = write_text(w, part_path(w, "kernels", part, ".cl"), strbuf_str(&s));
	strbuf_free(&s);
	return ok;
}

static bool write_sources(struct work *w, const struct kernel *const *kernels, uint32_t count, const char *prelude)
{
	bool ok = write_text(w, work_path(w, "block", ".ld"), link_script);

	for (uint32_t part = 0; ok && part < w->parts; part++)
		ok = write_part(w, kernels, count, prelude, part);
	return ok;
}

/* Starts a tool with its output in `log`; 0 when it could not be started (said). */
static pid_t start_tool(struct work *w, const char *const *argv, const char *log)
{
	posix_spawn_file_actions_t files;
	pid_t pid = 0;
	int error;

	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_addopen(&files, 1, log, O_WRONLY | O_CREAT | O_TRUNC, 0600);
	posix_spawn_file_actions_adddup2(&files, 1, 2);
	error = posix_spawnp(&pid, argv[0], &files, NULL, (char *const *)(uintptr_t)argv, environ);
	posix_spawn_file_actions_destroy(&files);
	if (error) {
		diag_error(w->diag, NO_SPAN, "could not run %s: %s", argv[0], strerror(error));
		diag_hint(w->diag, "Native plans need clang and ld.lld where they are compiled; "
			  "EDGE_CLANG and EDGE_LLD name other ones.");
		return 0;
	}
	leftover_tool(pid);
	return pid;
}

static bool wait_tool(struct work *w, pid_t pid, const char *tool, const char *log)
{
	struct mapped_file text;
	int status = 0;
	pid_t ended;

	while ((ended = waitpid(pid, &status, 0)) < 0 && errno == EINTR)
		;
	leftover_tool_gone(pid);
	if (ended < 0)
		return false;
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
		return true;
	diag_error(w->diag, NO_SPAN, "could not compile the kernels: %s ended with status %d", tool,
		   WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
	if (file_map(log, &text)) {
		if (text.data)
			diag_note(w->diag, NO_SPAN, "%s", arena_strndup(w->arena, (const char *)text.data,
									text.size < 1500 ? text.size : 1500));
		file_unmap(&text);
	}
	return false;
}

static const char *tool_path(const char *variable, const char *configured)
{
	const char *s = getenv(variable);

	return s && *s ? s : configured;
}

static pid_t start_clang(struct work *w, enum native_isa isa, uint32_t part)
{
	bool wide = isa == NATIVE_X86_64_V4 || isa == NATIVE_X86_64_V4_VNNI;
	const char *name = isas[isa].name;
	const char *argv[] = { tool_path("EDGE_CLANG", EDGE_CLANG_PATH), "-x", "cl", "-cl-std=CL1.2", "-Xclang",
			       "-cl-ext=+cl_khr_fp64,+cl_khr_fp16", "-target", isas[isa].target, isas[isa].march,
			       /* without it clang prefers 256-bit code on 512-bit CPUs */
			       wide ? "-mprefer-vector-width=512" : "-O3",
			       isa == NATIVE_X86_64_V4_VNNI ? "-mavx512vnni" : "-O3", "-O3", "-fPIC",
			       /* a loop that copies must not become a call of memcpy */
			       "-fno-builtin", "-ffp-contract=fast", "-fno-math-errno", "-fno-jump-tables",
			       "-fno-asynchronous-unwind-tables", "-fno-stack-protector", "-fvisibility=hidden",
			       "-Wno-psabi", "-c", part_path(w, "kernels", part, ".cl"), "-o",
			       part_path(w, name, part, ".o"), NULL };

	return start_tool(w, argv, part_path(w, name, part, ".log"));
}

static bool link_block(struct work *w, enum native_isa isa)
{
	const char *name = isas[isa].name, *log = work_path(w, name, ".link.log");
	const char *argv[12 + PARTS] = { tool_path("EDGE_LLD", EDGE_LLD_PATH), "-static", "--no-undefined",
					 /* each part brings what copies and clears memory */
					 "--allow-multiple-definition", "-e", "0", "-T", work_path(w, "block", ".ld"),
					 "-o", work_path(w, name, ".elf") };
	pid_t pid;

	for (uint32_t part = 0; part < w->parts; part++)
		argv[10 + part] = part_path(w, name, part, ".o");
	pid = start_tool(w, argv, log);
	return pid && wait_tool(w, pid, argv[0], log);
}

static bool read_block(struct work *w, enum native_isa isa, const struct kernel *const *kernels, uint32_t count,
		       struct native_code *out)
{
	const char **names = arena_new_array(w->arena, const char *, count);
	uint64_t *entry = arena_new_array(w->arena, uint64_t, count);
	char why[200];
	bool ok = true;

	for (uint32_t i = 0; i < count; i++)
		names[i] = arena_printf(w->arena, "edge_entry_%s", kernels[i]->name);
	*out = (struct native_code){ .isa = isa, .entry = entry };
	for (uint32_t part = 0; ok && part < w->parts; part++)
		ok = elf_check_object(part_path(w, isas[isa].name, part, ".o"), why, sizeof why);
	if (ok && link_block(w, isa) &&
	    elf_read_block(w->arena, work_path(w, isas[isa].name, ".elf"), names, count, &out->block, &out->bytes,
			   entry, why, sizeof why))
		return true;
	if (w->diag->errors == 0)
		diag_error(w->diag, NO_SPAN, "could not make native code for %s: %s", isas[isa].name, why);
	return false;
}

static void remove_folder(struct work *w)
{
	static const char *const suffix[] = { ".elf", ".link.log" }, *const part_suffix[] = { ".o", ".log" };

	unlink(work_path(w, "block", ".ld"));
	for (uint32_t part = 0; part < w->parts; part++)
		unlink(part_path(w, "kernels", part, ".cl"));
	for (unsigned i = 1; i < NATIVE_ISA_COUNT; i++)
		for (unsigned k = 0; k < 2; k++) {
			unlink(work_path(w, isas[i].name, suffix[k]));
			for (uint32_t part = 0; part < w->parts; part++)
				unlink(part_path(w, isas[i].name, part, part_suffix[k]));
		}
	rmdir(w->folder);
}

/* One compiler for each part and instruction set, as many at a time as there are CPUs. */
static bool compile_parts(struct work *w, const enum native_isa *isa, uint32_t isa_count)
{
	pid_t pid[NATIVE_ISA_COUNT * PARTS] = { 0 };
	uint32_t jobs = isa_count * w->parts, done = 0;
	long cpus = sysconf(_SC_NPROCESSORS_ONLN);
	bool ok = true;

	for (uint32_t job = 0; job < jobs + (uint32_t)(cpus > 0 ? cpus : 1) && done < jobs; job++) {
		if (job < jobs && ok)
			ok = (pid[job] = start_clang(w, isa[job / w->parts], job % w->parts)) != 0;
		if (job + 1 < (uint32_t)(cpus > 0 ? cpus : 1))
			continue;
		if (pid[done] && !wait_tool(w, pid[done], "clang",
					    part_path(w, isas[isa[done / w->parts]].name, done % w->parts, ".log")))
			ok = false;
		done++;
	}
	return ok;
}

bool native_compile(struct arena *a, const struct kernel *const *kernels, uint32_t kernel_count, const char *prelude,
		    const enum native_isa *isa, uint32_t isa_count, struct native_code *out, struct diag *d)
{
	const char *tmp = getenv("TMPDIR");
	struct work w = { .arena = a, .diag = d, .parts = kernel_count / KERNELS_OF_PART };
	int watched;
	bool ok;

	w.parts = w.parts < 1 ? 1 : w.parts > PARTS ? PARTS : w.parts;
	w.folder = arena_printf(a, "%s/edgec.XXXXXX", tmp && *tmp ? tmp : "/tmp");
	if (!mkdtemp(w.folder)) {
		diag_error(d, NO_SPAN, "could not make a temporary folder \"%s\": %s", w.folder, strerror(errno));
		return false;
	}
	watched = leftover_folder(w.folder);
	ok = write_sources(&w, kernels, kernel_count, prelude) && compile_parts(&w, isa, isa_count);
	for (uint32_t i = 0; i < isa_count && ok; i++)
		ok = read_block(&w, isa[i], kernels, kernel_count, &out[i]);
	remove_folder(&w);
	leftover_gone(watched);
	return ok;
}
