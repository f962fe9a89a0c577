/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report_json.c - measurements as one JSON object; scripts depend on its keys.
 *
 * What is not known is absent. Sizes are bytes, times are milliseconds.
 */
#include "config.h"

#include "base/outfile.h"
#include "tools/tool.h"

static void bytes_pair(struct json *j, const char *key, uint64_t device, uint64_t host)
{
	json_object(j, key);
	json_u64(j, "device", device);
	json_u64(j, "host", host);
	json_close(j);
}

static void positive(struct json *j, const char *key, double value)
{
	if (value > 0)
		json_number(j, key, value);
}

static void models(struct json *j, const struct edgert_session *s, uint32_t count)
{
	uint32_t i;

	json_array(j, "models");
	for (i = 0; i < count; i++) {
		double ms;

		json_object(j, NULL);
		json_string(j, "name", edgert_model(s, i, &ms));
		positive(j, "ms", ms);
		json_close(j);
	}
	json_close(j);
}

void report_json(FILE *out, const struct edgert_session *s, const struct tool_times *t)
{
	struct edgert_report r;
	double run_ms;
	struct json j;

	edgert_report(s, &r);
	run_ms = t->warm_ms > 0 ? t->warm_ms : r.run_ms;
	json_begin(&j, out);
	json_object(&j, NULL);
	json_string(&j, "plan", r.plan);
	json_string(&j, "backend", r.backend);
	json_string(&j, "device", r.device);
	json_string(&j, "driver", r.driver);
	json_u64(&j, "threads", r.threads);
	bytes_pair(&j, "planned_peak_bytes", r.planned_device_bytes, r.planned_host_bytes);
	bytes_pair(&j, "actual_peak_bytes", r.actual_device_bytes, r.actual_host_bytes);
	json_u64(&j, "peak_rss_bytes", t->cold_peak_rss ? t->cold_peak_rss : r.peak_rss_bytes);
	json_u64(&j, "driver_rss_bytes", r.driver_rss_bytes);
	positive(&j, "cold_ms", t->cold_ms);
	positive(&j, "cold_process_ms", t->cold_process_ms);
	positive(&j, "warm_ms", t->warm_ms);
	json_number(&j, "load_ms", r.load_ms);
	json_u64(&j, "programs_cached", r.programs_cached);
	json_u64(&j, "runs", r.runs);
	json_u64(&j, "steps", r.steps);
	json_u64(&j, "kernels", r.kernels);
	json_u64(&j, "bytes_streamed", r.bytes_streamed);
	json_string(&j, "io", !r.direct ? "buffered" : r.uring ? "uring" : "direct");
	json_number(&j, "stall_ms", r.stall_ms);
	positive(&j, "predicted_ms", r.predicted_ms);
	positive(&j, "predicted_warm_ms", r.predicted_warm_ms);
	positive(&j, "lower_bound_ms", r.lower_bound_ms);
	positive(&j, "storage_bytes_per_s", t->storage_bytes_per_s);
	positive(&j, "measured_lower_bound_ms", t->bound_ms);
	if (t->bound_ms > 0)
		positive(&j, "lower_bound_ratio", t->bound_run_ms / t->bound_ms);
	positive(&j, "warm_bound_ratio", t->warm_bound_ratio);
	positive(&j, "limited_bound_ms", t->limited_bound_ms);
	if (t->limited_bound_ms > 0)
		positive(&j, "limited_bound_ratio", t->bound_run_ms / t->limited_bound_ms);
	if (r.flops > 0) {
		json_u64(&j, "flops", r.flops);
		positive(&j, "gflops", (double)r.flops / (run_ms * 1e6));
	}
	if (r.models > 1)
		models(&j, s, r.models);
	json_close(&j);
	json_end(&j);
}

enum edge_status report_save(const char *path, const struct edgert_session *s,
			     const struct tool_times *t, struct failure *f)
{
	struct rt_outfile o;
	enum edge_status st = rt_outfile_open(&o, path, f);

	if (st != EDGE_OK)
		return st;
	report_json(o.stream, s, t);
	return rt_outfile_commit(&o, f);
}
