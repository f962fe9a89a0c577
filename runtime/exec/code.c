/* SPDX-License-Identifier: Apache-2.0 */
/*
 * code.c - the machine code of a native plan.
 *
 * The best variant that this CPU can run is mapped from the plan file, which
 * plan_check() has hashed: readable and executable, never writable. Where the
 * system's pages are larger than the plan's, it is copied into memory of its
 * own, which becomes executable only after it has stopped being writable.
 */
#include "config.h"

#include "exec/session.h"

#include "base/memory.h"
#include "device/isa.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static const struct edge_code *best_code(const struct edge_plan *p)
{
	const struct edge_code *best = NULL;

	for (uint32_t i = 0; i < p->code_count; i++)
		if (isa_supported(p->codes[i].isa) &&
		    (!best || isa_rank(p->codes[i].isa) > isa_rank(best->isa)))
			best = &p->codes[i];
	return best;
}

static enum edge_status no_code(struct edgert_session *s)
{
	char list[200] = "";
	size_t n = 0;

	for (uint32_t i = 0; i < s->plan.code_count && n < sizeof list; i++)
		n += (size_t)snprintf(list + n, sizeof list - n, "%s%s", i ? ", " : "",
				      isa_name(s->plan.codes[i].isa));
	return rt_fail(&s->failure, EDGE_UNSUPPORTED,
		       "plan holds native code for %s, this CPU is %s (plan \"%s\")", list,
		       isa_cpu_name(), s->file.path);
}

static void *copy_code(const void *from, size_t bytes)
{
	void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (p == MAP_FAILED)
		return p;
	memcpy(p, from, bytes);
	__builtin___clear_cache(p, (char *)p + bytes);
	if (mprotect(p, bytes, PROT_READ | PROT_EXEC) != 0) {
		munmap(p, bytes);
		return MAP_FAILED;
	}
	return p;
}

enum edge_status session_map_code(struct edgert_session *s)
{
	const struct edge_plan *p = &s->plan;
	const struct edge_code *c;
	uint64_t offset;
	void *at;

	if (p->meta->backend != EDGE_BACKEND_NATIVE)
		return EDGE_OK;
	if (!(c = best_code(p)))
		return no_code(s);
	offset = p->blocks_offset + c->offset;
	if (offset % (uint64_t)sysconf(_SC_PAGESIZE) == 0)
		at = mmap(NULL, c->bytes, PROT_READ | PROT_EXEC, MAP_PRIVATE, s->file.fd,
			  (off_t)offset);
	else
		at = copy_code(p->data + offset, c->bytes);
	if (at == MAP_FAILED)
		return rt_fail_errno(&s->failure, EDGE_MEMORY,
				     "could not map the code of plan \"%s\"", s->file.path);
	s->code.block = at;
	s->code.bytes = c->bytes;
	s->code.entry = p->entries + (uint64_t)(c - p->codes) * p->kernel_count;
	return EDGE_OK;
}

void session_unmap_code(struct edgert_session *s)
{
	if (s->code.block)
		munmap(s->code.block, s->code.bytes);
	s->code.block = NULL;
}
