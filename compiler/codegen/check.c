/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check.c - what the device's compiler will say, before it says it.
 *
 * All kernels of a set are parsed by libclang as one translation unit, as the
 * device will be given them. Any diagnostic is an error (of a template or of
 * the generator, never of the user). The parameter tables come from the AST:
 * nobody types them by hand, and a launch whose arguments do not fit its
 * kernel is found here instead of on the device.
 *
 * Without libclang, or without its OpenCL headers, signature.c reads the
 * parameters from the text.
 */
#include "config.h"

#include "codegen/codegen.h"

#include "codegen/signature.h"

#include "edge/plan_format.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Kernels, then the forms of them that carry. */
struct kernel_list {
	VEC(struct kernel *) list;
};

#ifdef HAVE_LIBCLANG
#include <clang-c/Index.h>
#include <dlfcn.h>

/*
 * Loaded when needed and kept out of the global symbols: an OpenCL driver in
 * the same process may bring another LLVM.
 */
#define CLANG_CALLS(X) \
	X(Cursor_getArgument) X(Cursor_getNumArguments) X(createIndex) X(disposeDiagnostic) \
	X(disposeIndex) X(disposeString) X(disposeTranslationUnit) X(getCString) \
	X(getCanonicalType) X(getClangVersion) X(getCursorKind) X(getCursorSpelling) \
	X(getCursorType) X(getDiagnostic) X(getDiagnosticLocation) X(getDiagnosticSpelling) \
	X(getExpansionLocation) X(getNumDiagnostics) X(getPointeeType) \
	X(getTranslationUnitCursor) X(isConstQualifiedType) X(isCursorDefinition) \
	X(parseTranslationUnit2) X(visitChildren)

static struct {
#define MEMBER(name) __typeof__(clang_##name) *name;
	CLANG_CALLS(MEMBER)
#undef MEMBER
} clang;

static bool load_clang(void)
{
	static const char *const file[] = {
		"libclang-14.so.13", "libclang-14.so.1", "libclang.so.1", "libclang.so",
		"/usr/lib/llvm-14/lib/libclang.so.1", "/usr/lib/llvm-15/lib/libclang.so.1",
		"/usr/lib/llvm-16/lib/libclang.so.1", "/usr/lib/llvm-17/lib/libclang.so.1",
		"/usr/lib/llvm-18/lib/libclang.so.1", "/usr/lib/llvm-19/lib/libclang.so.1",
	};
	static void *lib;
	uint32_t i;

	for (i = 0; i < sizeof file / sizeof *file && !lib; i++)
		lib = dlopen(file[i], RTLD_NOW | RTLD_LOCAL);
	if (!lib)
		return false;
#define LOOKUP(name)                                                                               \
	*(void **)&clang.name = dlsym(lib, "clang_" #name);                                        \
	if (!clang.name)                                                                           \
		return false;
	CLANG_CALLS(LOOKUP)
#undef LOOKUP
	return true;
}

/* The directory of libclang's own headers, or NULL. */
static const char *resource_dir(struct arena *a)
{
	static const char *const pattern[] = {
		"/usr/lib/llvm-%u/lib/clang/%s", "/usr/lib/llvm-%u/lib/clang/%u", "/usr/lib64/clang/%u",
		"/usr/lib/clang/%u", "/usr/lib/clang/%s", "/usr/local/lib/clang/%u", "/usr/local/lib/clang/%s",
	};
	CXString s = clang.getClangVersion();
	const char *text = clang.getCString(s), *digits = text + strcspn(text, "0123456789");
	char *version = arena_strndup(a, digits, strspn(digits, "0123456789."));
	char *major = arena_strndup(a, version, strcspn(version, "."));
	const char *dir = NULL;
	uint32_t i;

	clang.disposeString(s);
	for (i = 0; i < sizeof pattern / sizeof *pattern && !dir; i++) {
		struct strbuf b = { 0 };
		const char *p;

		for (p = pattern[i]; *p; p++) {
			if (*p != '%')
				strbuf_add(&b, p, 1);
			else
				strbuf_puts(&b, *++p == 's' ? version : major);
		}
		if (access(arena_printf(a, "%s/include/opencl-c-base.h", strbuf_str(&b)), R_OK) == 0)
			dir = arena_strdup(a, strbuf_str(&b));
		strbuf_free(&b);
	}
	return dir;
}

struct checker {
	struct arena *a;
	const struct kernel_list *all;
	struct map kernel; /* name -> index */
	const char *source;
	size_t *start; /* offset of each kernel in the source */
	struct diag *d;
};

static void read_param(struct checker *c, CXCursor cursor, struct kernel_param *p)
{
	CXType t = clang.getCanonicalType(clang.getCursorType(cursor));
	CXString name = clang.getCursorSpelling(cursor);

	p->name = arena_strdup(c->a, clang.getCString(name));
	clang.disposeString(name);
	switch (t.kind) {
	case CXType_Pointer:
		p->kind = EDGE_PARAM_GLOBAL;
		p->access = clang.isConstQualifiedType(clang.getPointeeType(t)) ? EDGE_PARAM_READ :
										  EDGE_PARAM_READ | EDGE_PARAM_WRITE;
		break;
	case CXType_Int:
		p->kind = EDGE_PARAM_I32;
		break;
	case CXType_Long:
		p->kind = EDGE_PARAM_I64;
		break;
	case CXType_Float:
		p->kind = EDGE_PARAM_F32;
		break;
	case CXType_OCLImage2dRO:
	case CXType_OCLImage2dWO:
		p->kind = EDGE_PARAM_IMAGE;
		p->access = t.kind == CXType_OCLImage2dRO ? EDGE_PARAM_READ : EDGE_PARAM_WRITE;
		break;
	default:
		break;
	}
}

static enum CXChildVisitResult visit(CXCursor cursor, CXCursor parent, CXClientData data)
{
	struct checker *c = data;
	CXString name;
	uint32_t index;
	int i, n;

	(void)parent;
	if (clang.getCursorKind(cursor) != CXCursor_FunctionDecl)
		return CXChildVisit_Continue;
	name = clang.getCursorSpelling(cursor);
	if (map_get(&c->kernel, clang.getCString(name), &index) && clang.isCursorDefinition(cursor)) {
		struct kernel *k = c->all->list.data[index];

		n = clang.Cursor_getNumArguments(cursor);
		k->param_count = n < 0 ? 0 : (uint32_t)n;
		k->param = arena_new_array(c->a, struct kernel_param, k->param_count);
		for (i = 0; i < n; i++)
			read_param(c, clang.Cursor_getArgument(cursor, (unsigned)i), &k->param[i]);
	}
	clang.disposeString(name);
	return CXChildVisit_Continue;
}

/* The first few diagnostics, each with the kernel that it is in. */
static bool report(struct checker *c, CXTranslationUnit unit)
{
	unsigned n = clang.getNumDiagnostics(unit), i;

	for (i = 0; i < n && i < 5; i++) {
		CXDiagnostic diagnostic = clang.getDiagnostic(unit, i);
		CXString text = clang.getDiagnosticSpelling(diagnostic);
		unsigned line, column, offset;
		uint32_t k;

		clang.getExpansionLocation(clang.getDiagnosticLocation(diagnostic), NULL, &line, &column, &offset);
		for (k = c->all->list.len; k > 0 && c->start[k - 1] > offset; k--)
			;
		diag_error(c->d, NO_SPAN, "kernel \"%s\" does not compile: %s (line %u of the program)",
			   k ? c->all->list.data[k - 1]->name : "prelude", clang.getCString(text), line);
		clang.disposeString(text);
		clang.disposeDiagnostic(diagnostic);
	}
	return n == 0;
}

/* 1: parsed, 0: said what is wrong, -1: libclang is of no use here. */
static int parse_with_clang(struct checker *c)
{
	const char *dir = load_clang() ? resource_dir(c->a) : NULL;
	const char *args[] = { "-x", "cl", "-cl-std=CL1.2", "-target", "spir64-unknown-unknown", "-Xclang",
			       "-fdeclare-opencl-builtins", "-Xclang", "-finclude-default-header",
			       "-Wno-unused-function", "-resource-dir", dir,
			       dir ? arena_printf(c->a, "-I%s/include", dir) : NULL };
	struct CXUnsavedFile file = { "kernels.cl", c->source, strlen(c->source) };
	CXTranslationUnit unit = NULL;
	CXIndex index;
	bool ok;

	if (!dir)
		return -1;
	index = clang.createIndex(0, 0);
	if (clang.parseTranslationUnit2(index, "kernels.cl", args, sizeof args / sizeof *args, &file, 1,
					CXTranslationUnit_None, &unit) != CXError_Success) {
		clang.disposeIndex(index);
		return -1;
	}
	ok = report(c, unit);
	if (ok)
		clang.visitChildren(clang.getTranslationUnitCursor(unit), visit, c);
	clang.disposeTranslationUnit(unit);
	clang.disposeIndex(index);
	return ok;
}

static int parse_program(struct arena *a, struct kernel_set *ks, const struct kernel_list *all, struct diag *d)
{
	struct checker c = { .a = a, .all = all, .d = d };
	struct strbuf source = { 0 };
	uint32_t i;
	int result;

	c.start = arena_new_array(a, size_t, all->list.len);
	strbuf_puts(&source, ks->prelude);
	for (i = 0; i < all->list.len; i++) {
		map_put(a, &c.kernel, all->list.data[i]->name, i);
		c.start[i] = source.len;
		strbuf_puts(&source, all->list.data[i]->source);
	}
	c.source = strbuf_str(&source);
	result = parse_with_clang(&c);
	strbuf_free(&source);
	return result;
}
#else
static int parse_program(struct arena *a, struct kernel_set *ks, const struct kernel_list *all, struct diag *d)
{
	(void)a;
	(void)ks;
	(void)all;
	(void)d;
	return -1;
}
#endif

static uint32_t wanted(const struct kernel_set *ks, const struct kernel_arg *a)
{
	switch (a->kind) {
	case ARG_WEIGHT: return ks->weights.data[a->id].packing.texture ? EDGE_PARAM_IMAGE : EDGE_PARAM_GLOBAL;
	case ARG_VALUE: case ARG_SCRATCH: case ARG_STATE: return EDGE_PARAM_GLOBAL;
	case ARG_I32: case ARG_FIRST_GRANULE: case ARG_TEXEL: return EDGE_PARAM_I32;
	case ARG_I64: return EDGE_PARAM_I64;
	default: return EDGE_PARAM_F32;
	}
}

/* Also copies from the parameters which arguments are written. */
static bool compare_arguments(struct kernel_set *ks, const struct launch *l, struct diag *d)
{
	const struct kernel *k;
	uint32_t i;

	if (l->lookup)
		return true;
	k = &ks->kernels.data[l->kernel];
	if (l->arg_count != k->param_count) {
		diag_error(d, NO_SPAN, "kernel \"%s\" has %u parameters and its launch %u arguments", k->name,
			   k->param_count, l->arg_count);
		return false;
	}
	for (i = 0; i < l->arg_count; i++) {
		struct kernel_arg *a = &l->arg[i];

		if (k->param[i].kind != wanted(ks, a)) {
			diag_error(d, NO_SPAN, "argument %u of kernel \"%s\" does not fit its parameter \"%s\"", i,
				   k->name, k->param[i].name);
			return false;
		}
		a->written = k->param[i].kind == EDGE_PARAM_GLOBAL && (k->param[i].access & EDGE_PARAM_WRITE);
		if (a->written && a->kind == ARG_WEIGHT) {
			diag_error(d, NO_SPAN, "kernel \"%s\" writes to its weight \"%s\"", k->name, k->param[i].name);
			return false;
		}
	}
	return true;
}

bool codegen_check(struct arena *a, struct kernel_set *ks, struct diag *d)
{
	struct kernel_list all = { 0 };
	uint32_t i;
	int parsed;

	for (i = 0; i < ks->kernels.len; i++)
		vec_push(a, &all.list, &ks->kernels.data[i]);
	for (i = 0; i < ks->kernels.len; i++)
		if (ks->kernels.data[i].loading)
			vec_push(a, &all.list, ks->kernels.data[i].loading);
	parsed = ks->kernels.len ? parse_program(a, ks, &all, d) : 1;
	if (parsed == 0)
		return false;
	for (i = 0; i < all.list.len; i++) {
		struct kernel *k = all.list.data[i];

		if ((parsed < 0 && !signature_read(a, k)) || (parsed > 0 && !k->param)) {
			diag_error(d, NO_SPAN, "kernel \"%s\" has no signature that can be read", k->name);
			return false;
		}
	}
	for (i = 0; i < ks->launches.len; i++)
		if (!compare_arguments(ks, &ks->launches.data[i], d))
			return false;
	return true;
}
