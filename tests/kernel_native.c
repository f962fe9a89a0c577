/* SPDX-License-Identifier: Apache-2.0 */
/* kernel_native.c - see kernel_native.h. The block lies in memory instead of a plan, otherwise as in a run. */
#include "config.h"

#include "kernel_native.h"

#include "base/failure.h"
#include "codegen/native.h"
#include "device/isa.h"
#include "device/pool.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

typedef void (*native_entry)(const uint64_t *arg, const uint64_t *range);

struct kernel_native {
	struct arena arena;
	struct diag diag;
	struct map index; /* name -> entry */
	struct native_code code;
	uint8_t *block;
	struct pool *pool;
};

static enum native_isa best_isa(void)
{
	static const enum native_isa order[] = { NATIVE_X86_64_V4, NATIVE_X86_64_V3, NATIVE_AARCH64, NATIVE_X86_64_V4_VNNI };
	const char *wish = getenv("HARNESS_ISA");

	for (unsigned i = 0; i < 4; i++)
		if (isa_supported(order[i]) && (!wish || !strcmp(wish, native_isa_name(order[i]))))
			return order[i];
	return 0;
}

static bool map_block(struct kernel_native *n)
{
	size_t bytes = n->code.bytes ? n->code.bytes : 1;

	n->block = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (n->block == MAP_FAILED) {
		n->block = NULL;
		return false;
	}
	memcpy(n->block, n->code.block, n->code.bytes);
	__builtin___clear_cache((char *)n->block, (char *)n->block + bytes);
	return mprotect(n->block, bytes, PROT_READ | PROT_EXEC) == 0;
}

struct kernel_native *kernel_native_new(const struct kernel *const *kernels, uint32_t count, const char *prelude,
					bool one_thread, const char **why)
{
	struct kernel_native *n = calloc(1, sizeof *n);
	enum native_isa isa = best_isa();
	struct failure f = { 0 };

	if (!n)
		abort();
	diag_init(&n->diag, &n->arena, stderr);
	for (uint32_t i = 0; i < count; i++)
		map_put(&n->arena, &n->index, kernels[i]->name, i);
	*why = !isa ? "no instruction set of native code runs here" :
	       !native_compile(&n->arena, kernels, count, prelude, &isa, 1, &n->code, &n->diag) ? "no native code" :
	       !map_block(n) || pool_open(one_thread, false, &n->pool, &f) != EDGE_OK ? "no memory or no threads" : NULL;
	if (!*why)
		return n;
	kernel_native_free(n);
	return NULL;
}

const char *kernel_native_isa(const struct kernel_native *n)
{
	return native_isa_name(n->code.isa);
}

struct job {
	native_entry entry;
	const uint64_t *arg;
	const uint32_t *global;
};

static void run_range(void *ctx, uint64_t begin, uint64_t end)
{
	const struct job *j = ctx;
	const uint64_t range[5] = { begin, end, j->global[0], j->global[1], j->global[2] };

	j->entry(j->arg, range);
}

bool kernel_native_run(const struct kernel_native *n, const char *name, const uint64_t *arg, const uint32_t global[3])
{
	struct job j = { .arg = arg, .global = global };
	const uint8_t *at;
	uint32_t i;

	if (!map_get(&n->index, name, &i))
		return false;
	at = n->block + n->code.entry[i];
	memcpy(&j.entry, &at, sizeof at); /* ISO C has no cast from data to code */
	pool_run(n->pool, run_range, &j, (uint64_t)global[0] * global[1] * global[2]);
	return true;
}

void kernel_native_free(struct kernel_native *n)
{
	if (!n)
		return;
	pool_close(n->pool);
	if (n->block)
		munmap(n->block, n->code.bytes ? n->code.bytes : 1);
	arena_release(&n->arena);
	free(n);
}
