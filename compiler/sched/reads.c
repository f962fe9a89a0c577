/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reads.c - chunks, and the order in which they leave the disk.
 *
 * The order comes from the two clocks of a cold run, and chunks lie in the
 * file in that order, so that a cold run is one sequential scan. A block that
 * is read several times in a run, because it holds a weight of several
 * launches, is stored once.
 */
#include "config.h"

#include "sched/layout.h"

#include <assert.h>

enum {
	CHUNK_LEAST = 256 * 1024, /* a resident chunk ends with the first run that makes it so large */
	LARGE_PAGE = 2 << 20, LARGE_PAGES = 64, /* a region of so many: each is a chunk */
	COPY_PIECE = 64 * 1024, COPY_LEAST = 16 * 1024 /* of a block that several threads copy; less is not worth two */
};

/*
 * Bytes of a streamed block's chunks. Where threads that run kernels copy it out of the page cache each takes
 * a chunk at a time: as many for each, or one waits for the other at the end.
 */
static uint64_t piece_bytes(const struct layout *l, uint64_t block)
{
	const struct target *t = l->w->t;
	uint64_t pieces, threads = t->threads ? t->threads : 2, bytes;

	if (!cost_shares_copies(t) || block < threads * COPY_LEAST)
		return l->chunk_most;
	pieces = round_up((block + COPY_PIECE - 1) / COPY_PIECE, threads);
	bytes = round_up((block + pieces - 1) / pieces, SCHED_PAGE);
	return bytes < l->chunk_most ? bytes : l->chunk_most;
}

static void resident_chunk_new(struct layout *l, uint32_t region, uint32_t run, uint64_t from, uint64_t to)
{
	vec_push(l->w->a, &l->chunks, (struct resident_chunk){ region, run, from, to - from });
}

/*
 * Two reads into one large page that is new may both begin with clearing it. Where many are read into each has
 * its own; where few are, kernels would wait for more than they need.
 */
static bool chunk_is_page(const struct layout *l, uint32_t region)
{
	return l->w->t->unified && l->w->t->weights != TARGET_TEXTURES &&
	       l->r.region_bytes.data[region] >= (uint64_t)LARGE_PAGES * LARGE_PAGE;
}

void resident_chunks(struct layout *l)
{
	uint32_t first = 0; /* run that begins the chunk */
	uint64_t at = 0;    /* the chunk's start */

	for (uint32_t i = 0; i < l->r.runs.len; i++) {
		const struct run *r = &l->r.runs.data[i];
		bool last = i + 1 == l->r.runs.len || l->r.runs.data[i + 1].region != r->region;
		uint64_t most = chunk_is_page(l, r->region) ? LARGE_PAGE : l->chunk_most;
		uint64_t least = most == LARGE_PAGE ? LARGE_PAGE : CHUNK_LEAST;
		uint64_t end = round_up(r->offset + r->bytes, SCHED_PAGE);

		if (end > at && l->r.runs.data[first].offset + l->r.runs.data[first].bytes <= at)
			first = i;
		while (end - at > most && end > at) {
			resident_chunk_new(l, r->region, first, at, at + most);
			at += most;
			if (l->r.runs.data[first].offset + l->r.runs.data[first].bytes <= at)
				first = i;
		}
		if (end > at && (last || end - at >= least)) {
			resident_chunk_new(l, r->region, first, at, end);
			at = end;
			first = i;
		}
		if (last) {
			at = 0;
			first = i + 1;
		}
	}
}

uint32_t resident_chunk_of(const struct layout *l, const struct run *r, uint64_t at)
{
	uint32_t low = 0, high = l->chunks.len - 1;

	at += r->offset;
	while (low < high) {
		uint32_t mid = low + (high - low + 1) / 2;
		const struct resident_chunk *c = &l->chunks.data[mid];

		if (c->region < r->region || (c->region == r->region && c->offset <= at))
			low = mid;
		else
			high = mid - 1;
	}
	return low;
}

/* ---- the two lists of reads ---- */

struct reader {
	struct layout *l;
	VEC(struct clock_read) stream, resident;
	VEC(struct stream_chunk { uint32_t block; uint64_t offset; }) stream_chunk;
	uint32_t *last_read; /* per streamed block: of its reads */
	uint32_t *block_chunk; /* per block: the first of its chunks in the file; NO_ID: not stored yet */
	struct map same;       /* contents of blocks with shared weights -> block */
	uint32_t run_at;       /* runs before it have no bytes in later chunks */
};

static void list_streamed(struct reader *k)
{
	const struct layout *l = k->l;
	struct arena *a = l->w->a;
	uint64_t read = 0; /* the first round through the ring touches it */

	for (uint32_t n = 0; n < l->p->order.len; n++) {
		uint32_t i = l->p->order.data[n];
		const struct block *b = &l->p->blocks.data[i];
		int32_t free = b->carried ? b->stage_after : b->after, after = free < 0 ? -1 : (int32_t)l->step_of[free];
		uint64_t piece = piece_bytes(l, b->bytes);

		for (uint64_t at = 0; at < b->bytes; at += piece) {
			uint64_t bytes = b->bytes - at < piece ? b->bytes - at : piece;

			vec_push(a, &k->stream,
				 (struct clock_read){ .bytes = bytes, .after = after,
						      .touch_ms = read < l->p->ring ?
									  cost_touch_ms(l->w->t, l->memory, read, bytes) :
									  0,
						      .upload_ms = cost_upload_ms(l->w->t, bytes, !b->carried),
						      .first = l->step_of[block_need(b)] });
			vec_push(a, &k->stream_chunk, (struct stream_chunk){ i, at });
			read += bytes;
		}
	}
}

/* How many streamed reads each step waits for: those of blocks that it or one before it needs or carries. */
static void count_streamed(struct reader *k)
{
	const struct layout *l = k->l;
	uint32_t n = 0;

	for (uint32_t i = 0; i < l->clock.len; i++) {
		while (n < k->stream.len && l->step_first[block_need(&l->p->blocks.data[k->stream_chunk.data[n].block])] <= i)
			n++;
		l->clock.data[i].stream = n;
	}
}

static void list_resident(struct reader *k)
{
	const struct layout *l = k->l;
	uint64_t at = l->resident_at; /* chunks cover the regions */

	for (uint32_t i = 0; i < l->chunks.len; at += l->chunks.data[i++].bytes)
		vec_push(l->w->a, &k->resident,
			 (struct clock_read){ .bytes = l->chunks.data[i].bytes, .after = -1, .once = true,
					      .touch_ms = cost_touch_ms(l->w->t, l->memory, at, l->chunks.data[i].bytes),
					      /* those of weights that are no images come before all others */
					      .first = l->chunks.data[i].region < l->r.image_regions ?
							       0 :
							       l->step_of[l->r.runs.data[l->chunks.data[i].run].unit] });
}

/* ---- what chunks hold ---- */

static void piece_new(struct work *w, struct sched_chunk *c, uint64_t chunk_at, uint32_t weight, uint64_t weight_offset,
		      uint64_t at, uint64_t bytes)
{
	uint64_t from = at > chunk_at ? at : chunk_at;
	uint64_t to = at + bytes < chunk_at + c->bytes ? at + bytes : chunk_at + c->bytes;

	if (from >= to)
		return;
	vec_push(w->a, &w->s->pieces,
		 (struct sched_piece){ weight, weight_offset + from - at, to - from, from - chunk_at });
	c->piece_count++;
}

static uint32_t chunk_push(struct work *w, struct sched_chunk c)
{
	vec_push(w->a, &w->s->chunks, c);
	return w->s->chunks.len - 1;
}

static uint32_t resident_chunk_store(struct reader *k, uint32_t i)
{
	const struct layout *l = k->l;
	const struct resident_chunk *c = &l->chunks.data[i];
	struct sched_chunk out = { l->w->s->pieces.len, 0, c->bytes };

	for (uint32_t r = c->run; r < l->r.runs.len; r++) {
		const struct run *x = &l->r.runs.data[r];

		if (x->region != c->region || x->offset >= c->offset + c->bytes)
			break;
		piece_new(l->w, &out, c->offset, x->weight, work_weight(l->w, x->weight)->granule_bytes * x->first,
			  x->offset, x->bytes);
	}
	return chunk_push(l->w, out);
}

/* Segments of a block: [*from, *to). Those of a common block lie before its first unit's. */
static void block_segments(const struct layout *l, uint32_t block, uint32_t *from, uint32_t *to)
{
	const struct block *b = &l->p->blocks.data[block];

	*from = b->common ? l->common_segment[block] : l->unit_segment[b->unit_first];
	*to = *from;
	while (*to < l->segments.len && l->segments.data[*to].block == block)
		++*to;
}

static void block_store(struct reader *k, uint32_t block)
{
	const struct layout *l = k->l;
	uint64_t bytes = l->p->blocks.data[block].bytes, piece = piece_bytes(l, bytes);
	uint32_t from, to;

	block_segments(l, block, &from, &to);
	k->block_chunk[block] = l->w->s->chunks.len;
	for (uint64_t at = 0; at < bytes; at += piece) {
		struct sched_chunk out = { l->w->s->pieces.len, 0,
					   bytes - at < piece ? bytes - at : piece };

		for (uint32_t i = from; i < to; i++) {
			const struct segment *g = &l->segments.data[i];
			uint64_t granule = work_weight(l->w, g->weight)->granule_bytes;

			piece_new(l->w, &out, at, g->weight, granule * g->first, g->at, granule * g->count);
		}
		chunk_push(l->w, out);
	}
}

/* The earlier block with the same contents, or this one. */
static uint32_t same_block(struct reader *k, uint32_t block)
{
	const struct layout *l = k->l;
	struct strbuf key = { 0 };
	uint32_t from, to, found = block;
	bool shared = false;

	block_segments(l, block, &from, &to);
	for (uint32_t i = from; i < to; i++)
		shared |= l->w->weight_uses[l->segments.data[i].weight] > 1;
	if (!shared)
		return block;
	for (uint32_t i = from; i < to; i++) {
		const struct segment *g = &l->segments.data[i];

		strbuf_printf(&key, "%u %u %u ", g->weight, g->first, g->count);
	}
	if (!map_get(&k->same, strbuf_str(&key), &found))
		map_put(l->w->a, &k->same, strbuf_str(&key), block);
	strbuf_free(&key);
	return found;
}

static uint32_t stream_chunk_store(struct reader *k, uint32_t read)
{
	uint32_t block = k->stream_chunk.data[read].block, stored = block;

	if (k->block_chunk[block] == NO_ID) {
		stored = same_block(k, block);
		if (k->block_chunk[stored] == NO_ID)
			block_store(k, stored);
		k->block_chunk[block] = k->block_chunk[stored];
	}
	return k->block_chunk[block] +
	       (uint32_t)(k->stream_chunk.data[read].offset / piece_bytes(k->l, k->l->p->blocks.data[block].bytes));
}

/* ---- the merged order ---- */

static void read_push(struct reader *k, int32_t ordered, int32_t *after)
{
	const struct layout *l = k->l;
	struct schedule *s = l->w->s;
	struct sched_read r = { 0 };

	if (ordered < 0) {
		uint32_t i = (uint32_t)~ordered;
		const struct clock_read *c = &k->resident.data[i];

		r = (struct sched_read){ resident_chunk_store(k, i), l->resident + l->chunks.data[i].region,
					 l->chunks.data[i].offset, -1, true, c->start, c->end };
	} else {
		uint32_t i = (uint32_t)ordered;
		const struct clock_read *c = &k->stream.data[i];
		const struct stream_chunk *x = &k->stream_chunk.data[i];

		const struct block *b = &l->p->blocks.data[x->block];

		r = (struct sched_read){ stream_chunk_store(k, i), b->carried ? l->staged : l->stream + b->image,
					 (b->carried ? b->stage_offset : b->offset) + x->offset, c->after, false, c->start,
					 c->end };
		k->last_read[x->block] = s->reads.len;
		s->streamed_bytes += c->bytes;
		s->queued_bytes += !b->carried && l->w->t->copies == TARGET_COPIES_KERNELS ? c->bytes : 0;
	}
	if (*after < r.after_step)
		*after = r.after_step;
	r.after_step = *after; /* those behind it in the queue wait with it */
	vec_push(l->w->a, &s->reads, r);
}

/* How many reads each step waits for: all up to the last one that it needs. */
static void steps_wait(struct reader *k, const int32_t *order)
{
	struct schedule *s = k->l->w->s;
	uint32_t *at[2], needed = 0;

	at[0] = arena_new_array(k->l->w->a, uint32_t, k->stream.len + 1);
	at[1] = arena_new_array(k->l->w->a, uint32_t, k->resident.len + 1);
	for (uint32_t i = 0, n[2] = { 0, 0 }; i < s->reads.len; i++) {
		bool resident = order[i] < 0;

		at[resident][++n[resident]] = i + 1;
	}
	for (uint32_t i = 0; i < s->steps.len; i++) {
		const struct clock_step *c = &k->l->clock.data[i];

		if (needed < at[0][c->stream])
			needed = at[0][c->stream];
		if (needed < at[1][c->resident])
			needed = at[1][c->resident];
		s->steps.data[i].reads_needed = needed;
		s->steps.data[i].start_ms = c->start;
	}
}

static void weight_lifetimes(struct layout *l)
{
	struct work *w = l->w;
	int32_t last = (int32_t)w->s->steps.len - 1;

	for (uint32_t i = 0; i < l->r.runs.len; i++) {
		const struct run *r = &l->r.runs.data[i];

		vec_push(w->a, &w->s->lifetimes,
			 (struct sched_lifetime){ l->resident + r->region, weight_name(w, r->weight), r->offset,
						  r->bytes, -1, last });
	}
	for (uint32_t i = 0; i < l->p->blocks.len; i++) {
		const struct block *b = &l->p->blocks.data[i];
		uint32_t from, to;
		const char *name;

		if (b->pinned)
			continue;
		block_segments(l, i, &from, &to);
		name = weight_name(w, l->segments.data[from].weight);
		if (to - from > 1)
			name = arena_printf(w->a, "%s and %u more", name, to - from - 1);
		vec_push(w->a, &w->s->lifetimes,
			 (struct sched_lifetime){ l->stream + b->image, name, b->offset, b->bytes,
						  b->carried ? (int32_t)l->step_of[b->carried_first] :
						  b->after < 0 ? -1 : (int32_t)l->step_of[b->after] + 1,
						  (int32_t)l->step_of[b->unit_last] });
		if (b->carried)
			vec_push(w->a, &w->s->lifetimes,
				 (struct sched_lifetime){ l->staged, name, b->stage_offset, b->bytes,
							  b->stage_after < 0 ? -1 : (int32_t)l->step_of[b->stage_after] + 1,
							  (int32_t)l->step_of[b->carried_last] });
	}
}

void reads_make(struct layout *l)
{
	struct reader k = { .l = l };
	struct schedule *s = l->w->s;
	int32_t *order, after = -1;

	list_streamed(&k);
	list_resident(&k);
	k.block_chunk = arena_new_array(l->w->a, uint32_t, l->p->blocks.len + 1);
	for (uint32_t i = 0; i < l->p->blocks.len; i++)
		k.block_chunk[i] = NO_ID;
	count_streamed(&k);
	k.last_read = arena_new_array(l->w->a, uint32_t, l->p->blocks.len + 1);
	order = arena_new_array(l->w->a, int32_t, k.stream.len + k.resident.len + 1);
	for (uint32_t i = 0; i < s->tensors.len && l->clock.len; i++)
		l->clock.data[0].touch_ms += cost_tensor_ms(l->w->t, s->tensors.data[i].bytes);
	s->warm_ms = clock_run(l->w->t, l->clock.data, l->clock.len, k.stream.data, k.stream.len, k.resident.data,
			       k.resident.len, false, NULL);
	s->predicted_ms = clock_run(l->w->t, l->clock.data, l->clock.len, k.stream.data, k.stream.len,
				    k.resident.data, k.resident.len, true, order);
	for (uint32_t i = 0; i < k.stream.len + k.resident.len; i++)
		read_push(&k, order[i], &after);
	steps_wait(&k, order);
	for (uint32_t i = 0; i < s->loads.len; i++) /* until here it has been the block */
		s->loads.data[i].read = k.last_read[s->loads.data[i].read];
	weight_lifetimes(l);
}
