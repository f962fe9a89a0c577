/* SPDX-License-Identifier: Apache-2.0 */
/* edgert.c - the edgert program: one word chooses the command. */
#include "config.h"

#include "base/clock.h"
#include "tools/tool.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int64_t tool_start;

static const char usage[] =
	"usage: edgert COMMAND ...\n"
	"\n"
	"  execute PLAN [options of run]   do what the plan is for\n"
	"  run PLAN --input NAME=FILE.npy ... --output-dir DIR\n"
	"      --input NAME=FILE.npy       a tensor for an input of the plan\n"
	"      --output-dir DIR            where outputs go, as DIR/NAME.npy\n"
	"      --report FILE.json          measurements of the run\n"
	"      --trace FILE.json           what ran and was read when, for a trace viewer\n"
	"      --resident                  have all weights in memory before the clock starts; "
	"refuse a plan that streams\n"
	"      --repeat N                  run N times\n"
	"      --samples                   input files hold many samples; run once for each\n"
	"      --threads N                 threads that run kernels\n"
	"      --pin                       keep each of these threads on one CPU (native plans)\n"
	"      --no-native                 refuse a plan that holds machine code\n"
	"      --device TEXT               only a device whose name contains TEXT\n"
	"      --io auto|buffered|direct|uring   read weights through the page cache, or past it\n"
	"      --no-cache                  build every OpenCL program anew, and keep none\n"
	"  bench PLAN [--cold] [-n N] [--json] [--input NAME=FILE.npy] [--threads N] [--pin] [--device "
	"TEXT] [--io KIND] [--no-native] [--no-cache]\n"
	"      --cold                      start a process for each run, the plan evicted from the "
	"page cache\n"
	"  verify PLAN [--no-native]       check every byte of a plan\n"
	"  dump PLAN                       print what a plan holds\n"
	"  devices [--json]                list what plans can run on\n"
	"  probe [PLAN] [-o FILE.edge] [--name NAME] [--backend native|opencl] [--threads N] [--device TEXT]\n"
	"                                  measure this machine and write a device block\n"
	"  train PLAN -o SCENE.ply         train a scene\n"
	"      --report FILE.json, --json  measurements of the training\n"
	"      --svg FILE, --html FILE     how it went as a drawing, as a page with views beside their photographs\n"
	"      --html-views N              how many of them (8)\n"
	"      --checkpoint FILE           keep the state there now and then, and on SIGINT and SIGTERM\n"
	"      --checkpoint-every N        every N steps\n"
	"      --resume                    go on from the checkpoint, where there is one\n"
	"      --evaluate-every N          look at the views held out every N steps\n"
	"      --steps N                   end after step N of the plan's\n"
	"      --threads N, --pin, --device TEXT, --no-native, --no-cache   as for run\n"
	"  render PLAN --scene SCENE.ply --output-dir DIR\n"
	"      --view N | NAME             from one of the plan's views\n"
	"      --all, --held-out           from all of them, from those held out\n"
	"      --orbit N                   N pictures of a round trip; --size WIDTHxHEIGHT of them\n"
	"  eval PLAN --scene SCENE.ply [--json] [--html FILE] [--html-views N]\n"
	"                                  PSNR and SSIM of the views held out\n"
	"  generate PLAN --prompt TEXT     text that follows a prompt, as it is made\n"
	"      -n N                        at most N tokens (128)\n"
	"      --temperature T             0 (the most likely token, the default), or how freely to choose\n"
	"      --top-k K, --top-p P        choose among the K most likely (40), as many as have a share P (0.95)\n"
	"      --seed S                    of the choice\n"
	"      --ignore-end                go on where the model would stop\n"
	"      --tokens FILE.npy           tokens in place of a prompt\n"
	"      --repeat N                  N times in one session; rates are medians without the first, which loads\n"
	"      --trace FILE.json           what ran and was read when in the last sweep, for a trace viewer\n"
	"      --logits FILE.npy           only write the logits of each of them\n"
	"      --json                      one object, at the end\n"
	"  perplexity PLAN --text FILE [--json]\n"
	"                                  how well the model of a plan knows a text\n"
	"      both: --threads N, --device TEXT, --io KIND, --no-native, --no-cache, --pin\n"
	"  tokenize PLAN (--prompt TEXT | --text FILE) [--plain] [--json]\n"
	"                                  the tokens of a text; --plain: names of special tokens are text\n"
	"\n"
	"  --help, --version\n"
	"\n"
	"exit status: 0 done, 1 the work failed, 2 wrong usage\n";

void tool_vsay(FILE *out, const char *fmt, va_list ap)
{
	char *text = NULL;
	int n = vasprintf(&text, fmt, ap);

	if (n >= 0)
		edge_show(out, text, (size_t)n);
	else
		fputs("out of memory", out);
	free(text);
	fputc('\n', out);
}

void tool_say(FILE *out, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	tool_vsay(out, fmt, ap);
	va_end(ap);
}

int tool_error(const char *fmt, ...)
{
	va_list ap;

	fflush(stdout);
	fputs("edgert: error: ", stderr);
	va_start(ap, fmt);
	tool_vsay(stderr, fmt, ap);
	va_end(ap);
	return TOOL_FAILED;
}

int tool_usage_error(const char *fmt, ...)
{
	va_list ap;

	fputs("edgert: error: ", stderr);
	va_start(ap, fmt);
	tool_vsay(stderr, fmt, ap);
	va_end(ap);
	fputs("Try \"edgert --help\".\n", stderr);
	return TOOL_USAGE;
}

bool tool_number(const char *option, const char *text, long least, uint32_t *out)
{
	char *end;
	long v = strtol(text, &end, 10);

	if (*text == '\0' || *end != '\0' || v < least || v > INT32_MAX) {
		tool_usage_error("%s needs a number from %ld, not \"%s\"", option, least, text);
		return false;
	}
	*out = (uint32_t)v;
	return true;
}

const char *tool_size(uint64_t bytes)
{
	static const char *const unit[] = { "bytes", "KiB", "MiB", "GiB", "TiB" };
	static char text[4][32];
	static unsigned next;
	double v = (double)bytes;
	char *out = text[next++ % 4];
	int u = 0;

	while (v >= 1024 && u < 4) {
		v /= 1024;
		u++;
	}
	snprintf(out, sizeof(text[0]), u ? "%.2f %s" : "%.0f %s", v, unit[u]);
	return out;
}

static const struct command {
	const char *name;
	int (*run)(int argc, char **argv);
} commands[] = {
	{ "execute", cmd_execute },    { "run", cmd_run },
	{ "bench", cmd_bench },	       { "verify", cmd_verify },
	{ "dump", cmd_dump },	       { "devices", cmd_devices },
	{ "probe", cmd_probe },	       { "train", cmd_train },
	{ "render", cmd_render },      { "eval", cmd_eval },
	{ "generate", cmd_generate },  { "perplexity", cmd_perplexity },
	{ "tokenize", cmd_tokenize },
};

int main(int argc, char **argv)
{
	size_t i;

	tool_start = rt_process_start();
	if (argc < 2) {
		fputs(usage, stderr);
		return TOOL_USAGE;
	}
	for (i = 0; i < (size_t)argc; i++) {
		if (!strcmp(argv[i], "--"))
			break;
		if (!strcmp(argv[i], "--help") || (i == 1 && !strcmp(argv[i], "-h"))) {
			fputs(usage, stdout);
			return fflush(stdout) == 0 ? TOOL_OK : TOOL_FAILED;
		}
	}
	if (!strcmp(argv[1], "--version")) {
		printf("edgert %s\n", edgert_version());
		return TOOL_OK;
	}
	for (i = 0; i < sizeof(commands) / sizeof(commands[0]); i++)
		if (!strcmp(commands[i].name, argv[1]))
			return commands[i].run(argc - 1, argv + 1);
	return tool_usage_error("no command \"%s\"", argv[1]);
}
