/* SPDX-License-Identifier: Apache-2.0 */
/* language_tool.c - what generate, perplexity and tokenize share. */
#include "config.h"

#include "tools/language_tool.h"

#include "base/memory.h"
#include "base/npy.h"
#include "tools/tool.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool language_session_option(struct edgert_options *o, int option)
{
	switch (option) {
	case OPT_SESSION_THREADS: return tool_number("--threads", optarg, 1, &o->threads);
	case OPT_SESSION_DEVICE: o->device = optarg; return true;
	case OPT_SESSION_NO_NATIVE: o->no_native = true; return true;
	case OPT_SESSION_NO_CACHE: o->no_cache = true; return true;
	case OPT_SESSION_PIN: o->pin = true; return true;
	case OPT_SESSION_IO:
		return tool_io(optarg, &o->io);
	default: return false;
	}
}

static void pair(struct json *j, const char *key, uint64_t device, uint64_t host)
{
	json_object(j, key);
	json_u64(j, "device", device);
	json_u64(j, "host", host);
	json_close(j);
}

void language_json_memory(struct json *j, const struct edgert_session *s)
{
	struct edgert_report r;

	edgert_report(s, &r);
	json_string(j, "plan", r.plan);
	json_string(j, "backend", r.backend);
	json_string(j, "device", r.device);
	json_u64(j, "threads", r.threads);
	pair(j, "planned_peak_bytes", r.planned_device_bytes, r.planned_host_bytes);
	pair(j, "actual_peak_bytes", r.actual_device_bytes, r.actual_host_bytes);
	json_u64(j, "peak_rss_bytes", r.peak_rss_bytes);
	json_number(j, "load_ms", r.load_ms);
	json_u64(j, "steps", r.steps);
	json_u64(j, "kernels", r.kernels);
	json_u64(j, "bytes_streamed", r.bytes_streamed);
	json_number(j, "stall_ms", r.stall_ms);
	if (r.predicted_ms > 0)
		json_number(j, "predicted_ms", r.predicted_ms);
	if (r.lower_bound_ms > 0)
		json_number(j, "lower_bound_ms", r.lower_bound_ms);
}

void language_json_text(struct json *j, const char *key, const char *text)
{
	size_t n = strlen(text), at = 0;
	char *clean = malloc(3 * n + 1);

	if (!clean)
		return;
	for (size_t i = 0; i < n;) {
		uint32_t length, c = unicode_next(text + i, n - i, &length);

		if (c == 0xfffd && length == 1)
			memcpy(clean + at, "\xef\xbf\xbd", 3);
		else
			memcpy(clean + at, text + i, length);
		at += c == 0xfffd && length == 1 ? 3 : length;
		i += length;
	}
	clean[at] = '\0';
	json_string(j, key, clean);
	free(clean);
}

static bool token_at(const struct npy *t, const void *data, uint64_t i, int64_t *out)
{
	switch (t->dtype) {
	case EDGE_I64: *out = ((const int64_t *)data)[i]; return true;
	case EDGE_I32: *out = ((const int32_t *)data)[i]; return true;
	case EDGE_I16: *out = ((const int16_t *)data)[i]; return true;
	default: return false;
	}
}

enum edge_status language_load_tokens(const char *path, uint32_t vocabulary, struct tokens *out, struct failure *f)
{
	struct npy t;
	void *data;
	enum edge_status st = npy_load(path, &t, &data, f);

	if (st != EDGE_OK)
		return st;
	for (uint64_t i = 0; st == EDGE_OK && i < t.bytes / edge_dtype_size(t.dtype); i++) {
		int64_t token;

		if (t.rank != 1 || !token_at(&t, data, i, &token))
			st = rt_fail(f, EDGE_ARGUMENT, "\"%s\" is no list of integers", path);
		else if (token < 0 || token >= vocabulary)
			st = rt_fail(f, EDGE_ARGUMENT, "\"%s\" holds %lld, and tokens are 0 to %u", path, (long long)token,
				     vocabulary - 1);
		else
			st = tokens_add(out, (int32_t)token, f);
	}
	if (st == EDGE_OK && !out->count)
		st = rt_fail(f, EDGE_ARGUMENT, "\"%s\" holds no tokens", path);
	rt_free(data);
	return st;
}

enum edge_status language_load_text(const char *path, char **text, size_t *size, struct failure *f)
{
	FILE *in = fopen(path, "rb");
	size_t room = 1 << 16, n;

	*size = 0;
	*text = NULL;
	if (!in)
		return rt_fail_errno(f, EDGE_IO, "could not open \"%s\"", path);
	do {
		char *grown = realloc(*text, room *= 2);

		if (!grown) {
			fclose(in);
			return rt_fail(f, EDGE_MEMORY, "out of memory");
		}
		*text = grown;
		n = fread(*text + *size, 1, room - *size, in);
		*size += n;
	} while (n);
	if (ferror(in)) {
		rt_fail_errno(f, EDGE_IO, "could not read \"%s\"", path);
		fclose(in);
		return EDGE_IO;
	}
	fclose(in);
	return EDGE_OK;
}
