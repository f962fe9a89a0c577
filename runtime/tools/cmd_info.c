/* SPDX-License-Identifier: Apache-2.0 */
/* cmd_info.c - edgert verify, dump and devices: what there is, without running anything. */
#include "config.h"

#include "base/memory.h"
#include "device/device.h"
#include "plan/dump.h"
#include "stream/plan_file.h"
#include "tools/tool.h"

#include <inttypes.h>
#include <string.h>

/* The one operand of a command without options; NULL: said why. */
static const char *only_plan(int argc, char **argv)
{
	if (argc == 2 && argv[1][0] != '-')
		return argv[1];
	if (argc < 2)
		tool_usage_error("%s needs a plan", argv[0]);
	else
		tool_usage_error("%s takes a plan and nothing else", argv[0]);
	return NULL;
}

enum edge_status tool_open_checked(const char *path, struct plan_file *file, struct edge_plan *p, struct failure *f)
{
	enum edge_status st = plan_file_open(path, file, f);
	char why[512];

	if (st != EDGE_OK)
		return st;
	if ((st = plan_check(file->data, file->size, p, why, sizeof(why))) != EDGE_OK)
		rt_fail(f, st, "plan \"%s\" %s: %s", path,
			st == EDGE_UNSUPPORTED ? "is not supported" : "is damaged", why);
	return st;
}

static enum edge_status check_chunks(const struct plan_file *file, const struct edge_plan *p,
				     struct failure *f)
{
	enum edge_status st = EDGE_OK;
	uint64_t largest = 1;
	void *memory;
	uint32_t i;

	for (i = 0; i < p->chunk_count; i++)
		if (p->chunks[i].bytes > largest)
			largest = p->chunks[i].bytes;
	if (!(memory = rt_alloc(largest, 1)))
		return rt_fail(f, EDGE_MEMORY, "out of memory for a chunk of %" PRIu64 " bytes",
			       largest);
	for (i = 0; i < p->chunk_count && st == EDGE_OK; i++)
		st = plan_file_read_chunk(file, &p->chunks[i], i, memory, f);
	rt_free(memory);
	return st;
}

/* Takes --no-native, wherever it stands, out of the operands. */
static bool take_no_native(int *argc, char **argv)
{
	bool found = false;
	int n = 1;

	for (int i = 1; i < *argc; i++)
		if (!strcmp(argv[i], "--no-native"))
			found = true;
		else
			argv[n++] = argv[i];
	*argc = n;
	return found;
}

int cmd_verify(int argc, char **argv)
{
	bool no_native = take_no_native(&argc, argv);
	const char *path = only_plan(argc, argv);
	struct failure f = { .status = EDGE_OK };
	struct plan_file file;
	struct edge_plan p;
	int status = TOOL_OK;

	if (!path)
		return TOOL_USAGE;
	if (tool_open_checked(path, &file, &p, &f) != EDGE_OK || check_chunks(&file, &p, &f) != EDGE_OK)
		status = tool_error("%s", f.text);
	else if (no_native && plan_holds_code(&p))
		status = tool_error("plan \"%s\" holds machine code", path);
	else
		printf("%s: sound, %" PRIu32 " steps, %" PRIu32 " weight chunks of %s\n", path,
		       p.step_count, p.chunk_count, tool_size(p.meta->weights_bytes));
	plan_file_close(&file);
	return status;
}

int cmd_dump(int argc, char **argv)
{
	const char *path = only_plan(argc, argv);
	struct failure f = { .status = EDGE_OK };
	struct plan_file file;
	struct edge_plan p;
	int status = TOOL_OK;

	if (!path)
		return TOOL_USAGE;
	if (tool_open_checked(path, &file, &p, &f) != EDGE_OK)
		status = tool_error("%s", f.text);
	else
		plan_dump(stdout, &p);
	plan_file_close(&file);
	if (status == TOOL_OK && fflush(stdout) != 0)
		return tool_error("could not write the dump");
	return status;
}

struct listing {
	struct json *json; /* NULL: a table */
	uint32_t count;
};

static void list_one(void *ctx, const struct device_info *info)
{
	struct listing *l = ctx;

	l->count++;
	if (!l->json) {
		tool_say(stdout, "%s  %s", info->backend, info->name);
		tool_say(stdout, "    driver %s, %" PRIu32 " threads or units, memory %s, largest region %s%s", info->driver,
			 info->threads, tool_size(info->memory_bytes), tool_size(info->max_region_bytes),
			 info->unified ? ", shares memory with the host" : "");
		return;
	}
	json_object(l->json, NULL);
	json_string(l->json, "backend", info->backend);
	json_string(l->json, "name", info->name);
	json_string(l->json, "driver", info->driver);
	json_u64(l->json, "threads", info->threads);
	json_bool(l->json, "unified", info->unified);
	if (info->memory_bytes)
		json_u64(l->json, "memory_bytes", info->memory_bytes);
	if (info->max_region_bytes)
		json_u64(l->json, "max_region_bytes", info->max_region_bytes);
	json_close(l->json);
}

static int list_devices(bool as_json)
{
	const struct device_ops *const *b;
	struct listing l = { NULL, 0 };
	struct failure f = { .status = EDGE_OK };
	struct json j;

	if (as_json) {
		json_begin(&j, stdout);
		json_object(&j, NULL);
		json_array(&j, "devices");
		l.json = &j;
	}
	for (b = device_backends; *b; b++)
		(*b)->list(list_one, &l, &f);
	if (as_json) {
		json_close(&j);
		json_close(&j);
		json_end(&j);
	}
	if (l.count == 0)
		return tool_error("%s", f.status != EDGE_OK ? f.text : "no device");
	if (f.status != EDGE_OK)
		tool_say(stderr, "edgert: note: %s", f.text);
	return TOOL_OK;
}

int cmd_devices(int argc, char **argv)
{
	if (argc > 2 || (argc == 2 && strcmp(argv[1], "--json") != 0))
		return tool_usage_error("devices takes no \"%s\"", argv[argc - 1]);
	return list_devices(argc == 2);
}
