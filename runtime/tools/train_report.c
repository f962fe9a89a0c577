/* SPDX-License-Identifier: Apache-2.0 */
/* train_report.c - how training went as one JSON object; scripts depend on its keys. */
#include "config.h"

#include "base/clock.h"
#include "tools/train_tool.h"

static void bytes_pair(struct json *j, const char *key, uint64_t device, uint64_t host)
{
	json_object(j, key);
	json_u64(j, "device", device);
	json_u64(j, "host", host);
	json_close(j);
}

static const char *policy_name(uint32_t policy)
{
	switch (policy) {
	case EDGE_POLICY_DIET:
		return "diet";
	case EDGE_POLICY_RELOCATE:
		return "relocate";
	case EDGE_POLICY_PLAIN:
		return "plain";
	default:
		return "auto";
	}
}

static void curve_json(struct json *j, const struct curve *c)
{
	json_array(j, "curve");
	for (uint32_t i = 0; i < c->points; i++) {
		const struct curve_point *p = &c->point[i];

		json_object(j, NULL);
		json_u64(j, "step", p->step);
		json_number(j, "loss", p->loss);
		json_u64(j, "gaussians", p->gaussians);
		json_u64(j, "device_bytes", p->device_bytes);
		json_number(j, "ms", p->ms);
		json_close(j);
	}
	json_close(j);
	json_array(j, "evaluations");
	for (uint32_t i = 0; i < c->evaluations; i++) {
		json_object(j, NULL);
		json_u64(j, "step", c->evaluation[i].step);
		json_u64(j, "gaussians", c->evaluation[i].gaussians);
		json_number(j, "psnr", c->evaluation[i].psnr);
		json_number(j, "ssim", c->evaluation[i].ssim);
		json_close(j);
	}
	json_close(j);
}

void train_report_json(FILE *out, const struct train_record *r)
{
	const struct edge_plan *p = train_plan(r->train);
	struct train_totals totals;
	uint32_t done = train_done(r->train);
	struct json j;

	train_totals(r->train, &totals);
	json_begin(&j, out);
	json_object(&j, NULL);
	json_string(&j, "plan", plan_string(p, p->meta->name));
	json_string(&j, "backend", totals.backend);
	json_string(&j, "device", totals.device);
	json_string(&j, "driver", totals.driver);
	json_u64(&j, "threads", totals.threads);
	json_string(&j, "policy", policy_name(p->train->policy));
	json_u64(&j, "steps", done);
	json_number(&j, "seconds", r->curve->seconds);
	if (done)
		json_number(&j, "ms_per_step", r->curve->seconds * 1000 / done);
	json_u64(&j, "gaussians", train_gaussians(r->train));
	json_u64(&j, "cap", p->train->cap);
	bytes_pair(&j, "planned_peak_bytes", totals.planned_device_bytes, totals.planned_host_bytes);
	bytes_pair(&j, "actual_peak_bytes", totals.actual_device_bytes, totals.actual_host_bytes);
	json_u64(&j, "peak_rss_bytes", rt_peak_rss());
	if (p->meta->device_budget_bytes)
		json_u64(&j, "budget_bytes", p->meta->device_budget_bytes);
	json_u64(&j, "bytes_read", totals.bytes_read);
	json_number(&j, "wait_ms", totals.wait_ms);
	json_number(&j, "open_ms", totals.open_ms);
	json_u64(&j, "skipped", r->curve->skipped);
	if (r->resumed_at)
		json_u64(&j, "resumed_at", r->resumed_at);
	if (r->evaluation && r->evaluation->psnr > 0)
		evaluation_json(&j, r->evaluation);
	curve_json(&j, r->curve);
	json_close(&j);
	json_end(&j);
}
