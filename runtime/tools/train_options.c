/* SPDX-License-Identifier: Apache-2.0 */
/* train_options.c - the options that train, render and eval share. */
#include "config.h"

#include "tools/train_tool.h"

#include <getopt.h>

bool train_session_option(struct train_options *o, int option)
{
	switch (option) {
	case OPT_TRAIN_THREADS: return tool_number("--threads", optarg, 1, &o->threads);
	case OPT_TRAIN_PIN: return o->pin = true;
	case OPT_TRAIN_NO_NATIVE: return o->no_native = true;
	case OPT_TRAIN_NO_CACHE: return o->no_cache = true;
	case OPT_TRAIN_DEVICE: o->device = optarg; return true;
	default: return false;
	}
}
