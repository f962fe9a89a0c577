/* SPDX-License-Identifier: Apache-2.0 */
/* blocks.c - which settings each kind of block has: the language's vocabulary. */
#include "config.h"

#include "sema.h"

static const struct setting_spec device_settings[] = {
	{ "backend", "v:native|opencl", SETTING_ONCE },
	{ "cpu", "v:LIST", SETTING_ONCE },
	{ "threads", "v:INT", SETTING_ONCE },
	{ "storage", "v:RATE", SETTING_ONCE },
	{ "memory", "v:RATE", SETTING_ONCE },
	{ "compute", "v:FLOPS", SETTING_ONCE },
	{ "launch", "v:TIME", SETTING_ONCE },
	{ "start", "v:TIME", SETTING_ONCE },
	{ "seek", "v:TIME", SETTING_ONCE },
	{ "page", "v:TIME", SETTING_ONCE },
	{ "latency", "v:TIME", SETTING_ONCE },
	{ "touch", "v:RATE", SETTING_ONCE },
	{ "cached", "v:RATE", SETTING_ONCE },
	{ "request", "v:TIME", SETTING_ONCE },
	{ "requests", "v:INT", SETTING_ONCE },
	{ "reading", "v:threads|uring", SETTING_ONCE },
	{ "weights", "v:texture|buffer", SETTING_ONCE },
	{ "kernels", "v:cpu|gpu", SETTING_ONCE },
	{ "image", "v:INT", SETTING_ONCE },
	{ "copies", "v:queue|kernels", SETTING_ONCE },
	{ "upload", "v:RATE", SETTING_ONCE },
	{ "capacity", "kind:elementwise|reusable v:RATE", SETTING_MANY },
};

static const struct setting_spec budget_settings[] = {
	{ "device", "v:SIZE", SETTING_ONCE },
	{ "host", "v:SIZE", SETTING_ONCE },
};

static const struct setting_spec model_settings[] = {
	{ "import", "kind:onnx|gguf file:STRING", SETTING_ONCE },
	{ "context", "v:INT", SETTING_ONCE },
	{ "cache", "v:f32|f16|q8", SETTING_ONCE },
	{ "batch", "v:INT", SETTING_ONCE },
	{ "weights", "kind:safetensors file:STRING", SETTING_ONCE },
	{ "weights", "kind:random [seed seed:INT]", SETTING_ONCE },
	{ "weights", "format:f32|f16|bf16", SETTING_ONCE },
};

#define FORMATS "f32|f16|bf16|q8|q6|q5|q4|q3"

static const struct setting_spec quantize_settings[] = {
	{ "weights", "format:" FORMATS " [group group:INT] [method method:rtn|weighted|gptq|learned]"
		     " [calibrate file:STRING] [kind:symmetric|asymmetric] [for tensors:LIST]", SETTING_MANY },
	{ "method", "method:rtn|weighted|gptq|learned", SETTING_ONCE },
	{ "calibrate", "file:STRING", SETTING_ONCE },
	{ "except", "tensors:LIST", SETTING_MANY },
	{ "activations", "format:auto|f32|q8", SETTING_ONCE },
	{ "iterations", "v:INT", SETTING_ONCE },
	{ "samples", "v:INT", SETTING_ONCE },
	{ "rate", "v:PERCENT", SETTING_ONCE },
	{ "clip", "v:PERCENT", SETTING_ONCE },
	{ "damping", "v:PERCENT", SETTING_ONCE },
};

static const struct setting_spec tune_settings[] = {
	{ "formats", "formats:LIST", SETTING_ONCE },
	{ "methods", "methods:LIST", SETTING_ONCE },
	{ "calibrate", "file:STRING", SETTING_ONCE },
	{ "per", "v:class|tensor", SETTING_ONCE },
	{ "kernels", "", SETTING_ONCE },
	{ "streaming", "", SETTING_ONCE },
	{ "threads", "", SETTING_ONCE },
	{ "backends", "backends:LIST", SETTING_ONCE },
	{ "quality", "accuracy on data:STRING labels labels:STRING [within loss:PERCENT]", SETTING_ONCE },
	{ "quality", "perplexity on data:STRING [within loss:PERCENT]", SETTING_ONCE },
	{ "quality", "divergence on data:STRING [within loss:PERCENT]", SETTING_ONCE },
	{ "minimize", "v:latency|memory|bytes", SETTING_ONCE },
	{ "search", "v:random|tpe|anneal|greedy|llm|replay [endpoint url:STRING] [model model:STRING]"
		    " [transcript file:STRING] [trials trials:INT] [seed seed:INT]", SETTING_ONCE },
	{ "trials", "v:INT", SETTING_ONCE },
	{ "seed", "v:INT", SETTING_ONCE },
};

static const struct setting_spec scene_settings[] = {
	{ "colmap", "dir:STRING", SETTING_ONCE },
	{ "transforms", "dir:STRING", SETTING_ONCE },
	{ "downscale", "v:INT", SETTING_ONCE },
	{ "images", "dir:STRING", SETTING_ONCE },
	{ "holdout", "every v:INT", SETTING_ONCE },
	{ "allow", "missing", SETTING_ONCE },
	{ "mask", "dir:STRING", SETTING_ONCE },
	{ "background", "v:black|white|random", SETTING_ONCE },
	{ "points", "kind:sfm", SETTING_ONCE },
	{ "points", "kind:random [count count:INT] [seed seed:INT]", SETTING_ONCE },
};

static const struct setting_spec plan_settings[] = {
	{ "on", "device:NAME [within limit:LIMIT]", SETTING_ONCE },
	{ "within", "limit:LIMIT", SETTING_ONCE },
	{ "run", "model:NAME", SETTING_MANY },
	{ "generate", "model:NAME", SETTING_MANY },
	{ "train", "scene:NAME for steps:INT steps", SETTING_ONCE },
	{ "feed", "to:PORT from from:PORT", SETTING_MANY },
	{ "densify", "[every n:INT] [from from:INT] [until until:INT]", SETTING_ONCE },
	{ "prune", "[every n:INT] [from from:INT] [until until:INT]", SETTING_ONCE },
	{ "compensate", "[every n:INT] [from from:INT] [until until:INT]", SETTING_ONCE },
	{ "policy", "v:diet|relocate|plain|auto", SETTING_ONCE },
	{ "reinitialise", "at at:INT", SETTING_MANY },
	{ "evaluate", "every n:INT", SETTING_ONCE },
	{ "checkpoint", "every n:INT", SETTING_ONCE },
	{ "seed", "v:INT", SETTING_ONCE },
};

const struct block_spec blocks[BLOCKS] = {
	[BLOCK_DEVICE] = { "device", device_settings, COUNT(device_settings) },
	[BLOCK_BUDGET] = { "budget", budget_settings, COUNT(budget_settings) },
	[BLOCK_MODEL] = { "model", model_settings, COUNT(model_settings) },
	[BLOCK_PLAN] = { "plan", plan_settings, COUNT(plan_settings) },
	[BLOCK_QUANTIZE] = { "quantize", quantize_settings, COUNT(quantize_settings) },
	[BLOCK_TUNE] = { "tune", tune_settings, COUNT(tune_settings) },
	[BLOCK_SCENE] = { "scene", scene_settings, COUNT(scene_settings) },
};
