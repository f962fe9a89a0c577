/* SPDX-License-Identifier: Apache-2.0 */
/* device.c - the device's memory and launches, by the parts they play in training. */
#include "config.h"

#include "train/internal.h"

void *train_in_place(struct train *t, uint32_t role)
{
	const struct edge_buffer *b = &t->s->plan.buffers[t->buffer[role]];
	char *region = t->s->in_place[b->region];

	return region ? region + b->offset : NULL;
}

enum edge_status train_write(struct train *t, uint32_t role, uint64_t offset, const void *bytes, uint64_t size,
			     struct failure *f)
{
	const struct edge_buffer *b = &t->s->plan.buffers[t->buffer[role]];

	return t->s->ops->write(t->s->device, t->s->regions[b->region], b->offset + offset, bytes, size, NULL, f);
}

enum edge_status train_read(struct train *t, uint32_t role, uint64_t offset, void *bytes, uint64_t size,
			    struct failure *f)
{
	const struct edge_buffer *b = &t->s->plan.buffers[t->buffer[role]];

	return t->s->ops->read(t->s->device, t->s->regions[b->region], b->offset + offset, bytes, size, NULL, f);
}

enum edge_status train_launch(struct train *t, uint32_t role, struct failure *f)
{
	return t->s->ops->submit(t->s->device, t->s->steps[t->step[role]].launch, NULL, f);
}

enum edge_status train_finish(struct train *t, struct failure *f)
{
	return t->s->ops->finish(t->s->device, f);
}
