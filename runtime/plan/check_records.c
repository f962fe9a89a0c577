/* SPDX-License-Identifier: Apache-2.0 */
/*
 * check_records.c - every index, offset and string of a plan's records.
 *
 * Each function looks at one section and relies on those checked before it.
 * What a run needs beyond memory safety is checked too: that it ends (reads
 * wait only for steps that come before every step waiting for them), that it
 * uses each tensor once, and that the totals which are shown to people are the
 * sums of what is there.
 */
#include "config.h"

#include "plan/check.h"

#include <math.h>
#include <string.h>

#define BAD(...) return check_fail(c, EDGE_BAD, __VA_ARGS__)
typedef unsigned long long ull;

static bool string_ok(const struct check *c, uint32_t s)
{
	return s < c->p->strings_size;
}

/* A time, rate or amount. */
static bool number_ok(double x)
{
	return isfinite(x) && x >= 0;
}

static enum edge_status check_strings(struct check *c)
{
	const uint8_t *s = (const uint8_t *)c->p->strings;
	uint64_t n = c->p->strings_size;

	if (!n || s[0] || s[n - 1])
		BAD("strings do not start and end with a zero byte");
	for (uint64_t i = 0; i < n;) {
		size_t len = edge_utf8_length(s + i, n - i);

		if (!len)
			BAD("strings: byte %llu is not UTF-8", (ull)i);
		i += len;
	}
	return EDGE_OK;
}

static enum edge_status check_meta(struct check *c)
{
	const struct edge_meta *m = c->p->meta;

	if (m->kind != EDGE_PLAN_RUN && m->kind != EDGE_PLAN_TRAIN && m->kind != EDGE_PLAN_GENERATE)
		return check_fail(c, EDGE_UNSUPPORTED, "plan of kind %u", m->kind);
	if (m->backend != EDGE_BACKEND_OPENCL && m->backend != EDGE_BACKEND_NATIVE)
		return check_fail(c, EDGE_UNSUPPORTED, "plan for backend %u", m->backend);
	if (m->kernel_style != EDGE_KERNELS_CPU && m->kernel_style != EDGE_KERNELS_GPU)
		return check_fail(c, EDGE_UNSUPPORTED, "kernels of style %u", m->kernel_style);
	if (m->flags)
		return check_fail(c, EDGE_UNSUPPORTED, "plan flags %#x", m->flags);
	if (!string_ok(c, m->name) || !string_ok(c, m->device_name) || !string_ok(c, m->compiler))
		BAD("meta: a name lies outside the strings");
	if (!number_ok(m->predicted_ms) || !number_ok(m->predicted_warm_ms) || !number_ok(m->lower_bound_ms) ||
	    !number_ok(m->storage_bytes_per_s) || !number_ok(m->flops_per_s) || !number_ok(m->memory_bytes_per_s) || !number_ok(m->launch_ms))
		BAD("meta: a time or rate is no number");
	if (m->requests > EDGE_REQUESTS_MOST && m->requests != EDGE_REQUESTS_BUFFERED)
		BAD("meta: %u reads at once", m->requests);
	if (m->reading >= EDGE_READINGS && c->p->header->prefix.minor == EDGE_PLAN_MINOR)
		BAD("meta: way of reading %u", m->reading);
	for (size_t i = 0; i < sizeof m->reserved / sizeof *m->reserved; i++)
		if (m->reserved[i] && c->p->header->prefix.minor == EDGE_PLAN_MINOR)
			BAD("meta: a reserved field is not zero");
	return EDGE_OK;
}

static enum edge_status check_regions(struct check *c)
{
	const struct edge_meta *m = c->p->meta;
	uint64_t sum[2] = { 0, 0 }, by_kind[EDGE_REGION_CARRIED + 1] = { 0 };
	bool train = m->kind == EDGE_PLAN_TRAIN;

	for (uint32_t i = 0; i < c->p->region_count; i++) {
		const struct edge_region *r = &c->p->regions[i];
		bool host = r->space == EDGE_SPACE_HOST;

		if ((r->kind < EDGE_REGION_ACTIVATIONS || r->kind > EDGE_REGION_CARRIED) &&
		    !(train && r->kind >= EDGE_REGION_MODEL && r->kind <= EDGE_REGION_FRAMES))
			return check_fail(c, EDGE_UNSUPPORTED, "region %u of kind %u", i, r->kind);
		if (r->space != (r->kind == EDGE_REGION_STAGING ? EDGE_SPACE_HOST : EDGE_SPACE_DEVICE) &&
		    (r->space != EDGE_SPACE_IMAGE || m->backend != EDGE_BACKEND_OPENCL ||
		     (r->kind != EDGE_REGION_RESIDENT && r->kind != EDGE_REGION_STREAM)))
			BAD("region %u of kind %u lies in space %u", i, r->kind, r->space);
		if (r->space == EDGE_SPACE_IMAGE && (r->bytes % EDGE_PLAN_PAGE || r->bytes / EDGE_PLAN_TEXEL > INT32_MAX))
			BAD("region %u, an image, has %llu bytes", i, (ull)r->bytes);
		if (!r->bytes || r->bytes % 128 || r->bytes > (uint64_t)INT64_MAX - sum[host])
			BAD("region %u has %llu bytes", i, (ull)r->bytes);
		sum[host] += r->bytes;
		if (r->kind == EDGE_REGION_CARRIED && !c->p->load_count)
			BAD("region %u holds what no step carries", i);
		if (r->kind <= EDGE_REGION_CARRIED)
			by_kind[r->kind] += r->bytes;
	}
	if (sum[0] != m->planned_device_bytes || sum[1] != m->planned_host_bytes)
		BAD("planned bytes are not the sum of the regions");
	if (by_kind[EDGE_REGION_RESIDENT] != m->resident_bytes)
		BAD("resident bytes are not the sum of the resident regions");
	if (by_kind[EDGE_REGION_ACTIVATIONS] != m->activation_peak_bytes ||
	    m->activation_lower_bound_bytes > m->activation_peak_bytes)
		BAD("the activations' peak is not the size of their region");
	if ((m->device_budget_bytes && sum[0] > m->device_budget_bytes) ||
	    (m->host_budget_bytes && sum[1] > m->host_budget_bytes) || m->smallest_budget_bytes > sum[0])
		BAD("the regions do not fit the budget");
	return EDGE_OK;
}

static enum edge_status check_buffers(struct check *c)
{
	for (uint32_t i = 0; i < c->p->buffer_count; i++) {
		const struct edge_buffer *b = &c->p->buffers[i];

		if (b->region >= c->p->region_count || b->reserved)
			BAD("buffer %u lies in region %u", i, b->region);
		if (c->p->regions[b->region].space == EDGE_SPACE_HOST)
			BAD("buffer %u does not lie in device memory", i);
		if (!b->bytes || b->offset % 128 || !check_range(b->offset, b->bytes, c->p->regions[b->region].bytes))
			BAD("buffer %u: %llu bytes at %llu do not fit region %u", i, (ull)b->bytes,
			    (ull)b->offset, b->region);
	}
	return EDGE_OK;
}

/* A native plan has code for every kernel, and only such a plan has any. */
static enum edge_status check_code(struct check *c)
{
	const struct edge_plan *p = c->p;
	bool native = p->meta->backend == EDGE_BACKEND_NATIVE;

	if (native != (p->code_count != 0))
		BAD("%u blocks of code in a plan for backend %u", p->code_count, p->meta->backend);
	if (p->entry_count != (uint64_t)p->code_count * p->kernel_count)
		BAD("%u entries for %u blocks of code and %u kernels", p->entry_count, p->code_count, p->kernel_count);
	for (uint32_t i = 0; i < p->code_count; i++) {
		const struct edge_code *x = &p->codes[i];

		if (x->reserved || x->offset % EDGE_PLAN_PAGE || !x->bytes ||
		    !check_range(x->offset, x->bytes, p->blocks_size))
			BAD("code %u: %llu bytes at %llu do not fit the blocks", i, (ull)x->bytes, (ull)x->offset);
		for (uint32_t k = 0; k < p->kernel_count; k++)
			if (p->entries[(uint64_t)i * p->kernel_count + k] >= x->bytes)
				BAD("code %u: kernel %u starts outside the block", i, k);
	}
	return EDGE_OK;
}

static enum edge_status check_kernels(struct check *c)
{
	const struct edge_plan *p = c->p;

	for (uint32_t i = 0; i < p->program_count; i++)
		if (!string_ok(c, p->programs[i].source) || !string_ok(c, p->programs[i].options))
			BAD("program %u: a text lies outside the strings", i);
	for (uint32_t i = 0; i < p->kernel_count; i++) {
		const struct edge_kernel *k = &p->kernels[i];

		if (!string_ok(c, k->name) || !plan_string(p, k->name)[0] || k->program >= p->program_count)
			BAD("kernel %u has no name or no program", i);
		if (!check_range(k->param_first, k->param_count, p->param_count))
			BAD("kernel %u: parameters %u to %llu of %u", i, k->param_first,
			    (ull)k->param_first + k->param_count, p->param_count);
	}
	for (uint32_t i = 0; i < p->param_count; i++) {
		const struct edge_param *a = &p->params[i];
		bool memory = a->kind == EDGE_PARAM_GLOBAL || a->kind == EDGE_PARAM_IMAGE;

		if (a->kind < EDGE_PARAM_GLOBAL || a->kind > EDGE_PARAM_IMAGE)
			return check_fail(c, EDGE_UNSUPPORTED, "parameter %u of kind %u", i, a->kind);
		if (a->access > (EDGE_PARAM_READ | EDGE_PARAM_WRITE) || memory != (a->access != 0) ||
		    (a->kind == EDGE_PARAM_IMAGE && a->access != EDGE_PARAM_READ && a->access != EDGE_PARAM_WRITE))
			BAD("parameter %u with access %u", i, a->access);
		if (!string_ok(c, a->name) || a->reserved)
			BAD("parameter %u: its name lies outside the strings", i);
	}
	return EDGE_OK;
}

/* The models' steps lie one after the other and are all steps. */
static enum edge_status check_models(struct check *c)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < c->p->model_count; i++) {
		const struct edge_model *m = &c->p->models[i];

		if (!string_ok(c, m->name) || m->reserved)
			BAD("model %u: its name lies outside the strings", i);
		if (m->step_first != end || !check_range(end, m->step_count, c->p->step_count))
			BAD("model %u: steps %u to %llu", i, m->step_first, (ull)m->step_first + m->step_count);
		end += m->step_count;
	}
	if (!c->p->model_count || end != c->p->step_count)
		BAD("the models' steps are not all steps");
	return EDGE_OK;
}

/* Bytes of a dense tensor; false: an extent is negative or the product overflows. */
static bool tensor_bytes(const struct edge_tensor *t, uint64_t *bytes)
{
	uint64_t n = edge_dtype_size(t->dtype);
	bool zero = false;

	for (uint32_t i = 0; i < EDGE_PLAN_MAX_RANK; i++) {
		if (i >= t->rank ? t->dim[i] != 0 : t->dim[i] < 0)
			return false;
		if (i < t->rank && !t->dim[i])
			zero = true;
		else if (i < t->rank && __builtin_mul_overflow(n, (uint64_t)t->dim[i], &n))
			return false;
	}
	*bytes = zero ? 0 : n;
	return true;
}

/* Whether such a buffer can be what `space` is. */
static bool buffer_in(const struct edge_plan *p, uint32_t buffer, uint32_t space)
{
	return buffer < p->buffer_count && p->regions[p->buffers[buffer].region].space == space;
}

static enum edge_status check_tensors(struct check *c)
{
	bool outputs = false;

	for (uint32_t i = 0; i < c->p->tensor_count; i++) {
		const struct edge_tensor *t = &c->p->tensors[i];
		uint64_t bytes;

		if (t->direction != EDGE_TENSOR_INPUT && t->direction != EDGE_TENSOR_OUTPUT)
			BAD("tensor %u is neither input nor output", i);
		if (outputs && t->direction == EDGE_TENSOR_INPUT)
			BAD("tensor %u: an input after the outputs", i);
		outputs = t->direction == EDGE_TENSOR_OUTPUT;
		if (!edge_dtype_size(t->dtype))
			return check_fail(c, EDGE_UNSUPPORTED, "tensor %u of type %u", i, t->dtype);
		if (!string_ok(c, t->name) || t->rank > EDGE_PLAN_MAX_RANK || !tensor_bytes(t, &bytes) ||
		    bytes != t->bytes)
			BAD("tensor %u: its name, shape or size is wrong", i);
		if (!buffer_in(c->p, t->buffer, EDGE_SPACE_DEVICE) || t->bytes > c->p->buffers[t->buffer].bytes)
			BAD("tensor %u: %llu bytes do not fit buffer %u", i, (ull)t->bytes, t->buffer);
		if (t->model >= c->p->model_count)
			BAD("tensor %u belongs to model %u of %u", i, t->model, c->p->model_count);
	}
	return EDGE_OK;
}

static enum edge_status check_args(struct check *c, uint32_t step)
{
	const struct edge_plan *p = c->p;
	const struct edge_step *s = &p->steps[step];
	const struct edge_kernel *k = &p->kernels[s->index];

	if (s->arg_count != k->param_count)
		BAD("step %u: %u arguments for %u parameters", step, s->arg_count, k->param_count);
	for (uint32_t i = 0; i < s->arg_count; i++) {
		const struct edge_arg *a = &p->args[s->arg_first + i];

		if (a->kind != p->params[k->param_first + i].kind)
			BAD("step %u: argument %u is not of its parameter's kind", step, i);
		if (a->kind == EDGE_PARAM_GLOBAL  ? !buffer_in(p, a->buffer, EDGE_SPACE_DEVICE) || a->value.i
		    : a->kind == EDGE_PARAM_IMAGE ? !buffer_in(p, a->buffer, EDGE_SPACE_IMAGE) || a->value.i
						  : a->buffer != 0)
			BAD("step %u: argument %u names buffer %u of %u", step, i, a->buffer, p->buffer_count);
		if (a->kind == EDGE_PARAM_I32 && (a->value.i < INT32_MIN || a->value.i > INT32_MAX))
			BAD("step %u: argument %u does not fit 32 bits", step, i);
	}
	return EDGE_OK;
}

/* Only a step that carries writes to an image, and only to that which its record names. */
static enum edge_status check_images(struct check *c, uint32_t step, const struct edge_load *load)
{
	const struct edge_plan *p = c->p;
	const struct edge_step *s = &p->steps[step];

	for (uint32_t i = 0; i < s->arg_count; i++) {
		const struct edge_arg *a = &p->args[s->arg_first + i];
		bool written = p->params[p->kernels[s->index].param_first + i].access & EDGE_PARAM_WRITE;

		if (a->kind != EDGE_PARAM_IMAGE)
			continue;
		if (written != (load && i == 0))
			BAD("step %u: argument %u is an image that it %s", step, i, written ? "writes" : "reads");
		if (i && load && p->buffers[a->buffer].region == load->to)
			BAD("step %u reads the image that it carries into", step);
	}
	return EDGE_OK;
}

/* The record names what lies in its regions and has been read; the arguments say the same. */
static enum edge_status check_load(struct check *c, const struct edge_load *l)
{
	const struct edge_plan *p = c->p;
	const struct edge_step *s = &p->steps[l->step];
	const struct edge_arg *a = &p->args[s->arg_first];
	const struct edge_buffer *from, *to;
	const struct edge_read *r;
	uint64_t items = 1;

	if (l->from >= p->region_count || l->to >= p->region_count || p->regions[l->from].kind != EDGE_REGION_CARRIED ||
	    p->regions[l->to].kind != EDGE_REGION_STREAM || p->regions[l->to].space != EDGE_SPACE_IMAGE)
		BAD("step %u carries from region %u to region %u", l->step, l->from, l->to);
	if (!l->bytes || l->bytes % EDGE_PLAN_PAGE || l->from_offset % EDGE_PLAN_PAGE || l->to_offset % EDGE_PLAN_PAGE ||
	    !check_range(l->from_offset, l->bytes, p->regions[l->from].bytes) ||
	    !check_range(l->to_offset, l->bytes, p->regions[l->to].bytes))
		BAD("step %u carries %llu bytes from %llu to %llu, which do not fit", l->step, (ull)l->bytes,
		    (ull)l->from_offset, (ull)l->to_offset);
	r = l->read < s->reads_needed ? &p->reads[l->read] : NULL;
	if (!r || r->region != l->from || r->offset >= l->from_offset + l->bytes ||
	    r->offset + p->chunks[r->chunk].bytes <= l->from_offset)
		BAD("step %u carries what read %u has not brought", l->step, l->read);
	if (s->arg_count < EDGE_LOAD_PARAMS || a[0].kind != EDGE_PARAM_IMAGE || a[1].kind != EDGE_PARAM_GLOBAL ||
	    a[2].kind != EDGE_PARAM_I32 || a[3].kind != EDGE_PARAM_I32 || a[4].kind != EDGE_PARAM_I32)
		BAD("step %u: its kernel carries nothing", l->step);
	to = &p->buffers[a[0].buffer];
	from = &p->buffers[a[1].buffer];
	for (int i = 0; i < 3; i++)
		items *= s->global[i]; /* at most INT64_MAX, checked */
	if (to->region != l->to || to->offset != l->to_offset || to->bytes != l->bytes || from->region != l->from ||
	    from->offset != l->from_offset || from->bytes != l->bytes || items > INT32_MAX ||
	    a[2].value.i != (int64_t)(l->to_offset / EDGE_PLAN_TEXEL) ||
	    a[3].value.i != (int64_t)(l->bytes / EDGE_PLAN_TEXEL) - 1 || a[4].value.i < 1 ||
	    items * (uint64_t)a[4].value.i > INT32_MAX ||
	    items * (uint64_t)a[4].value.i < l->bytes / EDGE_PLAN_TEXEL)
		BAD("step %u: its arguments do not carry what they should", l->step);
	return EDGE_OK;
}

/* Steps are known to be good. */
static enum edge_status check_loads(struct check *c)
{
	const struct edge_plan *p = c->p;
	enum edge_status st;
	uint32_t next = 0;

	for (uint32_t i = 0; i < p->step_count; i++) {
		const struct edge_load *l = next < p->load_count && p->loads[next].step == i ? &p->loads[next++] : NULL;

		if (p->steps[i].kind != EDGE_STEP_KERNEL) {
			if (l)
				BAD("step %u carries weights and is no launch", i);
			continue;
		}
		if ((st = l ? check_load(c, l) : EDGE_OK) || (st = check_images(c, i, l)))
			return st;
	}
	if (next != p->load_count)
		BAD("load %u is of step %u", next, p->loads[next].step);
	return EDGE_OK;
}

static enum edge_status check_launch(struct check *c, uint32_t step)
{
	const struct edge_step *s = &c->p->steps[step];
	uint64_t items = 1, group = 1;

	for (int i = 0; i < 3; i++) {
		if (!s->global[i] || !s->local[i] || s->global[i] % s->local[i])
			BAD("step %u: %u work-items in groups of %u", step, s->global[i], s->local[i]);
		if (__builtin_mul_overflow(items, s->global[i], &items) || items > INT64_MAX ||
		    __builtin_mul_overflow(group, s->local[i], &group) || group > 1 << 20)
			BAD("step %u has too many work-items", step);
	}
	return EDGE_OK;
}

/* A table lies in its chunks, and a lookup's indices and rows in their buffers. */
static enum edge_status check_lookups(struct check *c)
{
	const struct edge_plan *p = c->p;
	uint64_t named = 0;

	for (uint32_t i = 0; i < p->lookup_count; i++) {
		const struct edge_lookup *l = &p->lookups[i];
		uint64_t index, output, part;

		if (l->index_dtype != EDGE_I32 && l->index_dtype != EDGE_I64)
			return check_fail(c, EDGE_UNSUPPORTED, "lookup %u: indices of type %u", i, l->index_dtype);
		if (!buffer_in(p, l->index_buffer, EDGE_SPACE_DEVICE) || !buffer_in(p, l->output_buffer, EDGE_SPACE_DEVICE))
			BAD("lookup %u names buffers %u and %u of %u", i, l->index_buffer, l->output_buffer,
			    p->buffer_count);
		if (!l->rows || l->rows > INT64_MAX || !l->row_bytes || !l->count || !l->chunk_rows ||
		    __builtin_mul_overflow(l->count, edge_dtype_size(l->index_dtype), &index) ||
		    __builtin_mul_overflow(l->count, l->row_bytes, &output) ||
		    __builtin_mul_overflow(l->chunk_rows, l->row_bytes, &part))
			BAD("lookup %u: %llu of %llu rows of %llu bytes", i, (ull)l->count, (ull)l->rows,
			    (ull)l->row_bytes);
		if (index > p->buffers[l->index_buffer].bytes || output > p->buffers[l->output_buffer].bytes)
			BAD("lookup %u does not fit its buffers", i);
		if (!check_range(l->chunk_first, l->chunk_count, p->chunk_count) ||
		    l->chunk_count != l->rows / l->chunk_rows + (l->rows % l->chunk_rows != 0))
			BAD("lookup %u: chunks %u to %llu for %llu rows", i, l->chunk_first,
			    (ull)l->chunk_first + l->chunk_count, (ull)l->rows);
		named += l->chunk_count; /* keeps the time linear */
		if (named > (uint64_t)EDGE_PLAN_LOOKUPS_OF_CHUNK * p->chunk_count)
			BAD("lookup %u: %llu chunks of %u", i, (ull)named, p->chunk_count);
		for (uint32_t k = 0; k < l->chunk_count; k++)
			if (p->chunks[l->chunk_first + k].bytes < part ||
			    p->chunks[l->chunk_first + k].bytes > EDGE_PLAN_LOOKUP_CHUNK)
				BAD("lookup %u: chunk %u does not hold its rows", i, l->chunk_first + k);
	}
	return EDGE_OK;
}

/* A fixed scrambling: a step list that names each tensor once gives the sum over all tensors. */
static uint64_t scramble(uint64_t x)
{
	x = (x + 0x9e3779b97f4a7c15) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

static enum edge_status check_tensor_step(struct check *c, uint32_t step, uint64_t *sum)
{
	const struct edge_step *s = &c->p->steps[step];
	uint32_t direction = s->kind == EDGE_STEP_INPUT ? EDGE_TENSOR_INPUT : EDGE_TENSOR_OUTPUT;

	if (s->index >= c->p->tensor_count || c->p->tensors[s->index].direction != direction ||
	    c->p->tensors[s->index].model != s->model || s->arg_count)
		BAD("step %u moves tensor %u, which is not its own", step, s->index);
	*sum += scramble(s->index);
	return EDGE_OK;
}

static enum edge_status check_step(struct check *c, uint32_t i, uint64_t *arg_end, uint64_t *tensor_sum)
{
	const struct edge_plan *p = c->p;
	const struct edge_step *s = &p->steps[i];
	enum edge_status st;

	if (s->kind < EDGE_STEP_KERNEL || s->kind > EDGE_STEP_LOOKUP)
		return check_fail(c, EDGE_UNSUPPORTED, "step %u of kind %u", i, s->kind);
	if (s->arg_first != *arg_end || !check_range(*arg_end, s->arg_count, p->arg_count))
		BAD("step %u: arguments %u to %llu of %u", i, s->arg_first, (ull)s->arg_first + s->arg_count,
		    p->arg_count);
	*arg_end += s->arg_count;
	if (s->model >= p->model_count || i - p->models[s->model].step_first >= p->models[s->model].step_count ||
	    i < p->models[s->model].step_first)
		BAD("step %u does not belong to model %u", i, s->model);
	if (!number_ok(s->predicted_ms) || !number_ok(s->predicted_start_ms))
		BAD("step %u: a predicted time is no number", i);
	if ((st = check_launch(c, i)))
		return st;
	if (s->kind == EDGE_STEP_LOOKUP) {
		if (s->index >= p->lookup_count || s->arg_count)
			BAD("step %u does lookup %u of %u", i, s->index, p->lookup_count);
		return EDGE_OK;
	}
	if (s->kind != EDGE_STEP_KERNEL)
		return check_tensor_step(c, i, tensor_sum);
	if (s->index >= p->kernel_count)
		BAD("step %u runs kernel %u of %u", i, s->index, p->kernel_count);
	return check_args(c, i);
}

/* Reads come before steps here: after this every step waits only for what can happen. */
static enum edge_status check_waits(struct check *c, uint32_t i, uint32_t *needed)
{
	const struct edge_plan *p = c->p;
	uint32_t n = p->steps[i].reads_needed;

	if (n > p->read_count || n < *needed)
		BAD("step %u waits for %u of %u reads", i, n, p->read_count);
	if (n && p->reads[n - 1].after_step >= (int64_t)i)
		BAD("step %u waits for read %u, which waits for step %d", i, n - 1, p->reads[n - 1].after_step);
	*needed = n;
	return EDGE_OK;
}

static enum edge_status check_steps(struct check *c)
{
	const struct edge_plan *p = c->p;
	uint64_t args = 0, flops = 0, tensors = 0;
	uint32_t needed = 0;
	enum edge_status st;

	for (uint32_t i = 0; i < p->step_count; i++) {
		if ((st = check_step(c, i, &args, &tensors)) || (st = check_waits(c, i, &needed)))
			return st;
		if (__builtin_add_overflow(flops, p->steps[i].flops, &flops))
			BAD("step %u has %llu operations", i, (ull)p->steps[i].flops);
	}
	for (uint32_t i = 0; i < p->tensor_count; i++)
		tensors -= scramble(i);
	if (args != p->arg_count || tensors)
		BAD("arguments or tensors that no step uses, or that several use");
	if (needed != p->read_count)
		BAD("reads that no step waits for");
	if (flops != p->meta->flops)
		BAD("the plan's operations are not the sum of its steps'");
	for (uint32_t i = 0; i < p->model_count; i++) {
		const struct edge_model *m = &p->models[i];

		flops = 0;
		for (uint32_t k = 0; k < m->step_count; k++)
			flops += p->steps[m->step_first + k].flops;
		if (flops != m->flops)
			BAD("model %u: its operations are not the sum of its steps'", i);
	}
	return EDGE_OK;
}

/* Chunks lie one after the other and are the whole section. */
static enum edge_status check_chunks(struct check *c)
{
	uint64_t end = 0;

	for (uint32_t i = 0; i < c->p->chunk_count; i++) {
		const struct edge_chunk *k = &c->p->chunks[i];

		if (k->offset != c->weights_offset + end)
			BAD("chunk %u lies at %llu", i, (ull)k->offset);
		if (!k->bytes || k->bytes % EDGE_PLAN_PAGE || !check_range(end, k->bytes, c->weights_size))
			BAD("chunk %u has %llu bytes", i, (ull)k->bytes);
		end += k->bytes;
	}
	if (end != c->weights_size)
		BAD("the chunks are not the whole weights section");
	if (c->p->meta->weights_bytes > c->weights_size)
		BAD("more weights than the weights section holds");
	return EDGE_OK;
}

static enum edge_status check_reads(struct check *c)
{
	const struct edge_plan *p = c->p;
	int32_t after = EDGE_NONE;
	uint64_t streamed = 0;

	for (uint32_t i = 0; i < p->read_count; i++) {
		const struct edge_read *r = &p->reads[i];
		bool once = r->flags & EDGE_READ_ONCE;

		if (r->flags & ~(uint32_t)EDGE_READ_ONCE)
			return check_fail(c, EDGE_UNSUPPORTED, "read %u has flags %#x", i, r->flags);
		if (r->chunk >= p->chunk_count || r->region >= p->region_count)
			BAD("read %u: chunk %u into region %u", i, r->chunk, r->region);
		if (p->regions[r->region].kind != (uint32_t)(once ? EDGE_REGION_RESIDENT : EDGE_REGION_STREAM) &&
		    (once || p->regions[r->region].kind != EDGE_REGION_CARRIED))
			BAD("read %u does not go to a region of its kind", i);
		if (r->offset % EDGE_PLAN_PAGE ||
		    !check_range(r->offset, p->chunks[r->chunk].bytes, p->regions[r->region].bytes))
			BAD("read %u: %llu bytes at %llu do not fit region %u", i,
			    (ull)p->chunks[r->chunk].bytes, (ull)r->offset, r->region);
		if (r->after_step < after || (r->after_step >= 0 && (uint32_t)r->after_step >= p->step_count))
			BAD("read %u waits for step %d", i, r->after_step);
		after = r->after_step;
		if (!number_ok(r->predicted_start_ms) || !number_ok(r->predicted_end_ms) ||
		    r->predicted_end_ms < r->predicted_start_ms)
			BAD("read %u: a predicted time is no number", i);
		if (!once && __builtin_add_overflow(streamed, p->chunks[r->chunk].bytes, &streamed))
			BAD("read %u: too many bytes in a run", i);
	}
	if (streamed != p->meta->streamed_bytes)
		BAD("streamed bytes are not the sum of the reads");
	return EDGE_OK;
}

static enum edge_status check_extras(struct check *c)
{
	const struct edge_plan *p = c->p;

	if (p->debug && c->debug_count != p->step_count)
		BAD("%u debug records for %u steps", c->debug_count, p->step_count);
	for (uint32_t i = 0; p->debug && i < p->step_count; i++) {
		const struct edge_debug *x = &p->debug[i];

		if (!string_ok(c, x->node) || !string_ok(c, x->op) || !string_ok(c, x->file))
			BAD("debug record %u: a text lies outside the strings", i);
	}
	for (uint32_t i = 0; i < p->lifetime_count; i++) {
		const struct edge_lifetime *l = &p->lifetimes[i];

		if (!string_ok(c, l->name) || l->region >= p->region_count ||
		    !check_range(l->offset, l->bytes, p->regions[l->region].bytes))
			BAD("lifetime %u lies outside region %u", i, l->region);
		if (l->first_step < EDGE_NONE || l->last_step < l->first_step ||
		    (l->last_step >= 0 && (uint32_t)l->last_step >= p->step_count))
			BAD("lifetime %u: steps %d to %d", i, l->first_step, l->last_step);
	}
	for (uint32_t i = 0; i < p->note_count; i++)
		if (!string_ok(c, p->notes[i].topic) || !string_ok(c, p->notes[i].text))
			BAD("note %u lies outside the strings", i);
	return EDGE_OK;
}

enum edge_status check_records(struct check *c)
{
	static enum edge_status (*const check[])(struct check *) = {
		check_strings, check_meta,   check_regions, check_buffers, check_kernels, check_code, check_models,
		check_tensors, check_chunks, check_reads,   check_lookups, check_steps, check_loads, check_train,
		check_generate,
	};

	for (size_t i = 0; i < sizeof check / sizeof *check; i++) {
		enum edge_status st = check[i](c);

		if (st)
			return st;
	}
	return EDGE_OK;
}

enum edge_status check_late_records(struct check *c)
{
	enum edge_status st = check_extras(c);

	return st || !c->p->tokenizer ? st : check_tokenizer(c);
}

size_t edge_dtype_size(uint32_t dtype)
{
	static const uint8_t size[] = { [EDGE_F32] = 4,	[EDGE_F16] = 2, [EDGE_BF16] = 2, [EDGE_F64] = 8,
					[EDGE_I64] = 8, [EDGE_I32] = 4, [EDGE_I16] = 2,	 [EDGE_I8] = 1,
					[EDGE_U8] = 1,	[EDGE_BOOL] = 1 };

	return dtype < sizeof size ? size[dtype] : 0;
}

const char *edge_dtype_name(uint32_t dtype)
{
	static const char *const name[] = { [EDGE_F32] = "f32", [EDGE_F16] = "f16", [EDGE_BF16] = "bf16",
					    [EDGE_F64] = "f64", [EDGE_I64] = "i64", [EDGE_I32] = "i32",
					    [EDGE_I16] = "i16", [EDGE_I8] = "i8",   [EDGE_U8] = "u8",
					    [EDGE_BOOL] = "bool" };

	return edge_dtype_size(dtype) ? name[dtype] : "unknown";
}
