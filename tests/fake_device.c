/* SPDX-License-Identifier: Apache-2.0 */
/* fake_device.c - a backend for tests that knows one kernel, axpy, in C. */
#include "config.h"

#include "fake_device.h"

#include "base/clock.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { RING = 4096 };

struct fake_settings fake_settings;

enum job_kind { JOB_AXPY, JOB_COPY, JOB_MARK };

struct device_buffer {
	char *data;
};

struct device_region {
	char *data;
	bool own;
};

struct device_launch {
	const float *w;
	float *y;
	float a;
	int n, rounds;
};

struct job {
	enum job_kind kind;
	struct device_launch launch;
	void *to;
	const void *from;
	size_t size;
	int64_t start, end;
};

struct device {
	struct device_info info;
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	struct job ring[RING];
	uint64_t submitted, done; /* jobs */
	int launches;
	bool stop;
};

static void axpy(const struct device_launch *l)
{
	int i, r;

	for (i = 0; i < l->n; i++) {
		float v = l->w[i] * l->a;

		for (r = 1; r < l->rounds; r++)
			v = v * 0.5f + l->w[i] * (l->a * 0.5f);
		l->y[i] += v;
	}
}

static void *worker(void *arg)
{
	struct device *d = arg;

	pthread_mutex_lock(&d->lock);
	for (;;) {
		struct job *j;

		while (!d->stop && d->done == d->submitted)
			pthread_cond_wait(&d->changed, &d->lock);
		if (d->done == d->submitted)
			break;
		j = &d->ring[d->done % RING];
		pthread_mutex_unlock(&d->lock);
		j->start = rt_now();
		if (j->kind == JOB_AXPY) {
			axpy(&j->launch);
			usleep(fake_settings.launch_us);
		} else if (j->kind == JOB_COPY) {
			memcpy(j->to, j->from, j->size);
		}
		j->end = rt_now();
		pthread_mutex_lock(&d->lock);
		d->done++;
		pthread_cond_broadcast(&d->changed);
	}
	pthread_mutex_unlock(&d->lock);
	return NULL;
}

static enum edge_status fake_list(void (*visit)(void *, const struct device_info *), void *ctx,
				  struct failure *f)
{
	(void)visit;
	(void)ctx;
	(void)f;
	return EDGE_OK;
}

static enum edge_status fake_open(const struct device_request *request, struct device **out,
				  struct failure *f)
{
	struct device *d = calloc(1, sizeof(*d));

	(void)request;
	(void)f;
	d->info = (struct device_info){ .backend = "fake",
					.name = "fake",
					.driver = "none",
					.threads = 1,
					.unified = !fake_settings.discrete };
	pthread_mutex_init(&d->lock, NULL);
	pthread_cond_init(&d->changed, NULL);
	pthread_create(&d->thread, NULL, worker, d);
	*out = d;
	return EDGE_OK;
}

static void fake_close(struct device *d)
{
	if (!d)
		return;
	pthread_mutex_lock(&d->lock);
	d->stop = true;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	pthread_join(d->thread, NULL);
	pthread_mutex_destroy(&d->lock);
	pthread_cond_destroy(&d->changed);
	free(d);
}

static const struct device_info *fake_info(const struct device *d)
{
	return &d->info;
}

static enum edge_status fake_region_create(struct device *d, uint32_t space, uint64_t bytes, void *host,
					   struct device_region **out, struct failure *f)
{
	struct device_region *r = calloc(1, sizeof(*r));

	(void)d;
	(void)space; /* bytes are bytes */
	(void)f;
	r->own = !host;
	r->data = host ? host : aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
	*out = r;
	return EDGE_OK;
}

static void fake_region_destroy(struct device *d, struct device_region *r)
{
	(void)d;
	if (r && r->own)
		free(r->data);
	free(r);
}

static enum edge_status fake_buffer_create(struct device *d, struct device_region *r,
					   uint64_t offset, uint64_t bytes,
					   struct device_buffer **out, struct failure *f)
{
	(void)d;
	(void)f;
	(void)bytes;
	*out = calloc(1, sizeof(**out));
	(*out)->data = r->data + offset;
	return EDGE_OK;
}

static void fake_buffer_destroy(struct device *d, struct device_buffer *b)
{
	(void)d;
	free(b);
}

static enum edge_status fake_program_build(struct device *d, const struct device_code *code,
					   struct device_program **out, struct failure *f)
{
	(void)d;
	(void)code;
	*out = NULL;
	return fake_settings.fail_build ? rt_fail(f, EDGE_DEVICE, "the fake compiler failed")
					: EDGE_OK;
}

static void fake_program_destroy(struct device *d, struct device_program *p)
{
	(void)d;
	(void)p;
}

static enum edge_status fake_launch_create(struct device *d,
					   const struct device_launch_request *request,
					   struct device_launch **out, struct failure *f)
{
	const struct device_argument *a = request->arg;

	(void)d;
	if (request->arg_count != 5)
		return rt_fail(f, EDGE_DEVICE, "axpy takes 5 arguments");
	*out = malloc(sizeof(**out));
	**out = (struct device_launch){ (float *)a[0].buffer->data, (float *)a[1].buffer->data,
					(float)a[2].value.f, (int)a[3].value.i, (int)a[4].value.i };
	return EDGE_OK;
}

static void fake_launch_destroy(struct device *d, struct device_launch *l)
{
	(void)d;
	free(l);
}

static enum edge_status enqueue(struct device *d, const struct job *j, struct device_fence *fence)
{
	pthread_mutex_lock(&d->lock);
	while (d->submitted - d->done == RING)
		pthread_cond_wait(&d->changed, &d->lock);
	d->ring[d->submitted++ % RING] = *j;
	if (fence)
		fence->handle = (void *)(uintptr_t)d->submitted;
	pthread_cond_broadcast(&d->changed);
	pthread_mutex_unlock(&d->lock);
	return EDGE_OK;
}

static enum edge_status fake_submit(struct device *d, struct device_launch *l,
				    struct device_fence *fence, struct failure *f)
{
	struct job j = { .kind = JOB_AXPY, .launch = *l };

	if (++d->launches == fake_settings.fail_launch)
		return rt_fail(f, EDGE_DEVICE, "the fake queue is full");
	return enqueue(d, &j, fence);
}

static enum edge_status fake_write(struct device *d, struct device_region *r, uint64_t offset,
				   const void *bytes, uint64_t size, struct device_fence *fence,
				   struct failure *f)
{
	struct job j = { .kind = JOB_COPY, .to = r->data + offset, .from = bytes, .size = size };

	(void)f;
	return enqueue(d, &j, fence);
}

static enum edge_status fake_read(struct device *d, struct device_region *r, uint64_t offset,
				  void *bytes, uint64_t size, struct device_fence *fence,
				  struct failure *f)
{
	struct job j = { .kind = JOB_COPY, .to = bytes, .from = r->data + offset, .size = size };

	(void)f;
	return enqueue(d, &j, fence);
}

static enum edge_status fake_mark(struct device *d, struct device_fence *fence, struct failure *f)
{
	struct job j = { .kind = JOB_MARK };

	(void)f;
	return enqueue(d, &j, fence);
}

static enum edge_status fake_flush(struct device *d, struct failure *f)
{
	(void)d;
	(void)f;
	return EDGE_OK;
}

static void wait_for(struct device *d, uint64_t jobs)
{
	pthread_mutex_lock(&d->lock);
	while (d->done < jobs)
		pthread_cond_wait(&d->changed, &d->lock);
	pthread_mutex_unlock(&d->lock);
}

static enum edge_status fake_finish(struct device *d, struct failure *f)
{
	(void)f;
	wait_for(d, d->submitted);
	return EDGE_OK;
}

static enum edge_status fake_fence_wait(struct device *d, const struct device_fence *fence,
					struct failure *f)
{
	(void)f;
	wait_for(d, (uint64_t)(uintptr_t)fence->handle);
	return EDGE_OK;
}

static void fake_fence_reset(struct device *d, struct device_fence *fence)
{
	(void)d;
	fence->handle = NULL;
}

static enum edge_status fake_fence_times(struct device *d, const struct device_fence *fence,
					 int64_t *start, int64_t *end, struct failure *f)
{
	struct job *j = &d->ring[((uintptr_t)fence->handle - 1) % RING];

	(void)f;
	*start = j->start;
	*end = j->end;
	return EDGE_OK;
}

static enum edge_status fake_upload(struct device *d, struct device_region *r, uint64_t offset,
				    const void *bytes, uint64_t size, struct failure *f)
{
	(void)d;
	(void)f;
	memcpy(r->data + offset, bytes, size);
	return EDGE_OK;
}

const struct device_ops fake_ops = {
	.name = "fake",
	.backend = EDGE_BACKEND_OPENCL,
	.list = fake_list,
	.open = fake_open,
	.close = fake_close,
	.info = fake_info,
	.region_create = fake_region_create,
	.region_destroy = fake_region_destroy,
	.buffer_create = fake_buffer_create,
	.buffer_destroy = fake_buffer_destroy,
	.program_build = fake_program_build,
	.program_destroy = fake_program_destroy,
	.launch_create = fake_launch_create,
	.launch_destroy = fake_launch_destroy,
	.submit = fake_submit,
	.write = fake_write,
	.read = fake_read,
	.mark = fake_mark,
	.flush = fake_flush,
	.finish = fake_finish,
	.fence_wait = fake_fence_wait,
	.fence_reset = fake_fence_reset,
	.fence_times = fake_fence_times,
	.upload = fake_upload,
};
