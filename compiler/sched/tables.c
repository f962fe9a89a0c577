/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tables.c - constants that are only looked up, row by row.
 *
 * They take no memory and no part in the order of reading: their chunks come
 * last in the file, and no read names them. A chunk holds a few whole rows, so
 * that a row is one small request and is checked by the chunk's hash.
 */
#include "config.h"

#include "sched/internal.h"

enum { CHUNK_MOST = 32 * 1024 };

/* The fewest rows of those numbers whose pages hold little else. */
uint64_t table_chunk(const struct row_lookup *r, uint64_t *rows)
{
	double least = 2;

	*rows = 1;
	for (uint64_t n = 1; n <= r->rows && (n == 1 || n * r->row_bytes <= CHUNK_MOST); n++) {
		double waste = (double)round_up(n * r->row_bytes, SCHED_PAGE) / (double)(n * r->row_bytes);

		if (n * r->row_bytes * 4 >= CHUNK_MOST && waste < least - 0.02) {
			*rows = n;
			least = waste;
		}
	}
	return round_up(*rows * r->row_bytes, SCHED_PAGE);
}

uint32_t table_of(struct work *w, uint32_t weight)
{
	uint32_t i = 0;

	while (i < w->s->tables.len && w->s->tables.data[i].weight != weight)
		i++;
	if (i == w->s->tables.len)
		vec_push(w->a, &w->s->tables, (struct sched_table){ .weight = weight });
	return i;
}

static void table_make(struct work *w, struct sched_table *t, const struct row_lookup *r)
{
	uint64_t bytes = table_chunk(r, &t->rows), total = r->rows * r->row_bytes, part = t->rows * r->row_bytes;

	t->chunk_first = w->s->chunks.len;
	for (uint64_t at = 0; at < total; at += part) {
		uint64_t n = total - at < part ? total - at : part;

		vec_push(w->a, &w->s->chunks, (struct sched_chunk){ w->s->pieces.len, 1, bytes });
		vec_push(w->a, &w->s->pieces, (struct sched_piece){ t->weight, at, n, 0 });
		t->chunk_count++;
	}
}

void tables_make(struct work *w)
{
	for (uint32_t i = 0; i < w->s->steps.len; i++) {
		const struct sched_step *x = &w->s->steps.data[i];

		if (x->kind == SCHED_LOOKUP && !w->s->tables.data[x->table].chunk_count)
			table_make(w, &w->s->tables.data[x->table],
				   w->r->models[x->model].ks->launches.data[x->launch].lookup);
	}
}
