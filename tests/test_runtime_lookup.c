/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_runtime_lookup.c - steps that read rows of a table, on a device whose
 * memory is the host's and on one with memory of its own; and what plan_check()
 * says of lookups that are not right.
 */
#include "config.h"

#include "exec/session.h"
#include "fake_device.h"
#include "plan_builder.h"
#include "tap.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { ROWS = 10, ROW_FLOATS = 300, IN_CHUNK = 3, COUNT = 7 };

static const int64_t ids[COUNT] = { 0, 9, -1, 4, -11, 1000, 4 };
static const int rows[COUNT] = { 0, 9, 9, 4, 0, 9, 4 };
static char path[] = "test_runtime_lookup-XXXXXX";

static uint64_t up(uint64_t x)
{
	return (x + 127) / 128 * 128;
}

static float element(int row, int i)
{
	return (float)(row * 1000 + i);
}

static void add_table(struct plan_builder *b)
{
	static float part[IN_CHUNK][ROW_FLOATS];

	for (int row = 0; row < ROWS; row += IN_CHUNK) {
		memset(part, 0, sizeof part);
		for (int r = 0; r < IN_CHUNK && row + r < ROWS; r++)
			for (int i = 0; i < ROW_FLOATS; i++)
				part[r][i] = element(row + r, i);
		builder_chunk(b, part, sizeof part);
	}
}

static void add_steps(struct plan_builder *b)
{
	static const uint32_t kind[] = { EDGE_STEP_INPUT, EDGE_STEP_LOOKUP, EDGE_STEP_OUTPUT };
	static const uint32_t index[] = { 0, 0, 1 };

	for (int i = 0; i < 3; i++) {
		struct edge_step s = { .kind = kind[i], .index = index[i], .global = { 1, 1, 1 }, .local = { 1, 1, 1 } };

		builder_add(b, EDGE_SECTION_STEPS, &s, sizeof s);
	}
}

/* y = table[ids] */
static void build(struct plan_builder *b, const struct edge_lookup *l)
{
	uint64_t first = up(8 * COUNT), bytes = first + up(4 * COUNT * ROW_FLOATS);
	struct edge_region region = { EDGE_REGION_ACTIVATIONS, EDGE_SPACE_DEVICE, bytes };
	struct edge_buffer buffer[2] = { { .bytes = first }, { .offset = first, .bytes = bytes - first } };
	struct edge_tensor in = { .direction = EDGE_TENSOR_INPUT, .dtype = EDGE_I64, .rank = 1, .dim = { COUNT },
				  .bytes = 8 * COUNT };
	struct edge_tensor out = { .direction = EDGE_TENSOR_OUTPUT, .dtype = EDGE_F32, .rank = 2, .buffer = 1,
				   .dim = { COUNT, ROW_FLOATS }, .bytes = 4 * COUNT * ROW_FLOATS };
	struct edge_model model = { .step_count = 3 };

	builder_init(b);
	b->meta.planned_device_bytes = b->meta.activation_peak_bytes = bytes;
	builder_add(b, EDGE_SECTION_REGIONS, &region, sizeof region);
	builder_add(b, EDGE_SECTION_BUFFERS, &buffer[0], sizeof *buffer);
	builder_add(b, EDGE_SECTION_BUFFERS, &buffer[1], sizeof *buffer);
	in.name = builder_string(b, "ids");
	out.name = builder_string(b, "y");
	builder_add(b, EDGE_SECTION_TENSORS, &in, sizeof in);
	builder_add(b, EDGE_SECTION_TENSORS, &out, sizeof out);
	add_table(b);
	builder_add(b, EDGE_SECTION_LOOKUPS, l, sizeof *l);
	add_steps(b);
	model.name = builder_string(b, "lookup");
	builder_add(b, EDGE_SECTION_MODELS, &model, sizeof model);
}

static const struct edge_lookup right = { .index_buffer = 0, .output_buffer = 1, .index_dtype = EDGE_I64,
					  .chunk_first = 0, .chunk_count = 4, .chunk_rows = IN_CHUNK,
					  .count = COUNT, .rows = ROWS, .row_bytes = 4 * ROW_FLOATS };

static void check_run(const char *what)
{
	static float y[COUNT][ROW_FLOATS];
	struct edgert_options options = { .plan = path };
	struct edgert_session *s;
	bool same = session_open(&options, &fake_ops, &s) == EDGE_OK;

	if (!same)
		printf("# %s\n", edgert_last_error(NULL));
	same = same && edgert_set_input(s, edgert_find(s, "ids"), ids, sizeof ids) == EDGE_OK &&
	       edgert_set_output(s, edgert_find(s, "y"), y, sizeof y) == EDGE_OK;
	for (int run = 0; run < 3 && same; run++) {
		memset(y, 0xff, sizeof y);
		same = edgert_run(s) == EDGE_OK;
		if (!same)
			printf("# %s\n", edgert_last_error(s));
		for (int i = 0; i < COUNT; i++)
			for (int k = 0; k < ROW_FLOATS; k++)
				same = same && y[i][k] == element(rows[i], k);
	}
	edgert_close(s);
	tap_ok(same, "rows on a device %s", what);
}

static enum edge_status verdict(const struct edge_lookup *l, char *why, size_t size)
{
	struct plan_builder b;
	struct edge_plan view;
	unsigned char *data;
	enum edge_status st;
	size_t bytes;

	build(&b, l);
	data = builder_finish(&b, &bytes);
	st = plan_check(data, bytes, &view, why, size);
	free(data);
	builder_free(&b);
	return st;
}

static void check_wrong(void)
{
	static const struct {
		const char *what;
		size_t offset, size;
		uint64_t value;
		enum edge_status want;
	} wrong[] = {
#define FIELD(f) offsetof(struct edge_lookup, f), sizeof(((struct edge_lookup *)0)->f)
		{ "index buffer", FIELD(index_buffer), 2, EDGE_BAD },
		{ "output buffer", FIELD(output_buffer), 2, EDGE_BAD },
		{ "rows do not fit their buffer", FIELD(output_buffer), 0, EDGE_BAD },
		{ "type of indices", FIELD(index_dtype), EDGE_U8, EDGE_UNSUPPORTED },
		{ "first chunk", FIELD(chunk_first), 1, EDGE_BAD },
		{ "number of chunks", FIELD(chunk_count), 3, EDGE_BAD },
		{ "rows in a chunk", FIELD(chunk_rows), 4, EDGE_BAD },
		{ "no rows in a chunk", FIELD(chunk_rows), 0, EDGE_BAD },
		{ "number of indices", FIELD(count), COUNT + 10, EDGE_BAD },
		{ "overflowing number of indices", FIELD(count), UINT64_MAX / 4, EDGE_BAD },
		{ "number of rows", FIELD(rows), ROWS + 3, EDGE_BAD },
		{ "no rows", FIELD(rows), 0, EDGE_BAD },
		{ "more rows than numbers", FIELD(rows), UINT64_MAX, EDGE_BAD },
		{ "bytes of a row", FIELD(row_bytes), 8 * ROW_FLOATS, EDGE_BAD },
		{ "overflowing bytes of a row", FIELD(row_bytes), UINT64_MAX / 2, EDGE_BAD },
#undef FIELD
	};
	char why[200];

	tap_ok(verdict(&right, why, sizeof why) == EDGE_OK, "a right lookup: %s", why);
	for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
		struct edge_lookup l = right;

		memcpy((char *)&l + wrong[i].offset, &wrong[i].value, wrong[i].size);
		tap_ok(verdict(&l, why, sizeof why) == wrong[i].want, "%s: %s", wrong[i].what, why);
	}
}

int main(void)
{
	struct plan_builder b;
	int fd = mkstemp(path);

	if (fd < 0)
		return 1;
	close(fd);
	check_wrong();
	build(&b, &right);
	tap_ok(builder_write(&b, path), "a plan by hand");
	builder_free(&b);
	check_run("whose memory is the host's");
	fake_settings.discrete = true;
	check_run("with memory of its own");
	tap_ok(rt_sealed_allocations() == 0, "nothing was allocated in a step loop");
	unlink(path);
	return tap_done();
}
