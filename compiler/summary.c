/* SPDX-License-Identifier: Apache-2.0 */
/* summary.c - see summary.h. */
#include "config.h"

#include "summary.h"

#include "base/json_tree.h"

#include <stdio.h>
#include <sys/resource.h>
#include <time.h>

double summary_now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec * 1e3 + (double)t.tv_nsec * 1e-6;
}

void summary_json_count(struct strbuf *b, const char *key, uint64_t x)
{
	strbuf_printf(b, ", \"%s\": %llu", key, (unsigned long long)x);
}

void summary_json_ms(struct strbuf *b, const char *key, double x)
{
	strbuf_printf(b, ", \"%s\": %.6g", key, x);
}

void summary_json_begin(struct strbuf *b, const char *path, const struct plan_numbers *n)
{
	strbuf_puts(b, "{\"plan\": ");
	jtree_put_string(b, path);
	summary_json_count(b, "bytes", n->bytes);
	strbuf_printf(b, ", \"planned_peak_bytes\": {\"device\": %llu, \"host\": %llu}",
		      (unsigned long long)n->planned_device_bytes, (unsigned long long)n->planned_host_bytes);
	summary_json_count(b, "smallest_budget_bytes", n->smallest_budget_bytes);
	summary_json_count(b, "steps", n->steps);
	summary_json_count(b, "kernels", n->kernels);
	summary_json_count(b, "weights_bytes", n->weights_bytes);
	summary_json_count(b, "streamed_bytes", n->streamed_bytes);
}

void summary_json_end(struct strbuf *b, double started)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	summary_json_ms(b, "compile_ms", summary_now_ms() - started);
	summary_json_count(b, "peak_rss_bytes", (uint64_t)usage.ru_maxrss * 1024);
	printf("%s}\n", strbuf_str(b));
	strbuf_free(b);
}
