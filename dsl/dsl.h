/* SPDX-License-Identifier: Apache-2.0 */
/*
 * dsl.h - from .edge text to resolved declarations.
 *
 *	dsl_parse   text -> struct ast (ast.h), includes followed
 *	dsl_resolve ast -> struct project: names bound, units applied, duplicates
 *	            and unknown names reported
 *	dsl_format  text -> canonical text, comments kept, idempotent
 *
 * All say what is wrong through diag and return NULL or false.
 */
#ifndef EDGE_DSL_H
#define EDGE_DSL_H

#include "base/diag.h"
#include "base/strbuf.h"

struct ast;      /* ast.h */
struct ast_list; /* ast.h: statements of a network body */

enum decl_backend { DECL_BACKEND_DEFAULT, DECL_BACKEND_NATIVE, DECL_BACKEND_OPENCL };
enum decl_kernels { DECL_KERNELS_DEFAULT, DECL_KERNELS_CPU, DECL_KERNELS_GPU };
enum decl_copies { DECL_COPIES_DEFAULT, DECL_COPIES_QUEUE, DECL_COPIES_KERNELS };
enum decl_storage { DECL_WEIGHTS_DEFAULT, DECL_WEIGHTS_BUFFER, DECL_WEIGHTS_TEXTURE };

/* device NAME { ... }; a number that the file does not give is 0 */
struct decl_device {
	const char *name;
	struct span span;
	enum decl_backend backend;
	enum decl_kernels kernels;
	enum decl_storage weights;
	enum decl_copies copies; /* how streamed bytes get into textures */
	double capacity_elementwise, capacity_reusable; /* capacity reusable 3 GB/s; bytes for each second of a kernel */
	double upload_bytes_per_s; /* upload 2 GB/s; rectangles written into images */
	uint32_t threads;
	uint32_t image_rows; /* image 16384; */
	uint32_t isas; /* cpu x86-64-v3, aarch64; bit (1 << enum native_isa) each; 0: not given */
	double storage_bytes_per_s; /* storage 1.2 GB/s; */
	double memory_bytes_per_s;  /* memory 25 GB/s; */
	double flops_per_s;         /* compute 200 GFLOP/s; */
	double launch_ms;           /* launch 4 us; */
	double start_ms, seek_ms;   /* start 1.2 ms; seek 90 us; */
	double page_ms;             /* page 1.5 us; */
	double latency_ms;          /* latency 1.1 ns; */
	double touch_bytes_per_s;   /* touch 9 GB/s; */
	double cached_bytes_per_s;  /* cached 8 GB/s; */
	double request_ms;          /* request 15 us; */
	bool uring;                 /* reading uring */
	bool requests_set;
	uint32_t requests;          /* requests 4; 0: one, through the page cache */
};

struct decl_budget {
	const char *name; /* NULL: written in the plan as a size */
	struct span span;
	uint64_t device_bytes, host_bytes; /* 0: no limit */
};

/* "input x : f32[1,3,224,224];" in a block with an import sets symbolic dimensions */
struct decl_input_shape {
	const char *name;
	struct span span;
	uint32_t dtype; /* enum dtype of ir/graph.h; 0: not given */
	uint32_t rank;
	int64_t dim[8];
};

/* A tensor of an imported model that is to be an output. */
struct decl_output {
	const char *name;
	struct span span;
};

enum decl_model_kind { DECL_MODEL_ONNX, DECL_MODEL_GGUF, DECL_MODEL_NETWORK };

struct decl_model {
	const char *name;
	struct span span;
	enum decl_model_kind kind;
	const char *path; /* ONNX, GGUF: as it must be opened (relative to the .edge file) */
	struct span path_span;
	VEC(struct decl_input_shape) inputs; /* ONNX */
	VEC(struct decl_output) outputs;     /* ONNX: in place of the file's own; none: those */
	const struct ast_list *body; /* NETWORK: statements, see ast.h */
	const struct ast *ast;       /* NETWORK: where layers beside the model are */
	uint32_t context; /* GGUF: positions of the cache; 0: not given */
	uint32_t batch;   /* GGUF: most tokens of a sweep; 0: not given */
	const char *cache; /* GGUF: how keys and values are stored: f32, f16, q8; NULL: not given */
	enum decl_weight_kind { DECL_WEIGHTS_NONE, DECL_WEIGHTS_SAFETENSORS, DECL_WEIGHTS_RANDOM } weights;
	const char *weights_path;
	struct span weights_span;
	uint64_t seed;
	const char *weights_format; /* "weights f16;": f32, f16, bf16; NULL: as the source has them */
	struct span format_span;
};

enum decl_action { DECL_RUN, DECL_GENERATE, DECL_TRAIN };

struct decl_step {
	enum decl_action action;
	uint32_t model; /* index into project->models; DECL_TRAIN: not used */
	const char *subject;
	struct span span;
};

/* scene NAME { ... }; */
enum decl_capture { DECL_CAPTURE_NONE, DECL_CAPTURE_COLMAP, DECL_CAPTURE_TRANSFORMS };
enum decl_background { DECL_BACKGROUND_BLACK, DECL_BACKGROUND_WHITE, DECL_BACKGROUND_RANDOM };
enum decl_points { DECL_POINTS_DEFAULT, DECL_POINTS_SFM, DECL_POINTS_RANDOM };

struct decl_scene {
	const char *name;
	struct span span;
	enum decl_capture capture;
	const char *path; /* folder, or file, as it must be opened */
	struct span path_span;
	const char *images;  /* folder as written; NULL: not given */
	const char *images_here; /* the same, beside the file that names it */
	struct span images_span;
	uint32_t downscale; /* at least 1 */
	uint32_t holdout;   /* every n-th view by name is held out; 0: none */
	bool allow_missing;
	const char *mask; /* folder; NULL: none */
	struct span mask_span;
	enum decl_background background;
	struct span background_span;
	enum decl_points points;
	struct span points_span;
	uint32_t point_count; /* of random points; 0: not given */
	uint64_t seed;        /* the same */
};

/* The statements of a plan that trains. every, from, until: steps, 0 where not given */
struct decl_window {
	bool given;
	struct span span;
	uint32_t every, from, until;
};

/* plain: growth simply stops at the cap */
enum decl_policy { DECL_POLICY_AUTO, DECL_POLICY_DIET, DECL_POLICY_RELOCATE, DECL_POLICY_PLAIN };

struct decl_train {
	uint32_t scene; /* index into project->scenes */
	uint32_t steps;
	struct span span;
	struct decl_window densify, prune, compensate;
	enum decl_policy policy;
	VEC(uint32_t) reinitialise; /* steps, ascending */
	uint32_t evaluate_every, checkpoint_every; /* 0: not given */
	uint64_t seed;
};

struct decl_feed { /* feed TO_MODEL.INPUT from FROM_MODEL.OUTPUT; */
	uint32_t to_model, from_model;
	const char *to_name, *from_name;
	struct span span;
};

struct decl_plan {
	const char *name;
	struct span span;
	const struct decl_device *device; /* NULL: built-in host */
	struct decl_budget budget;        /* zeros: no limit */
	VEC(struct decl_step) steps;
	VEC(struct decl_feed) feeds;
	struct decl_train *train; /* NULL: the plan does not train */
	/* a statement that parses and has no meaning yet: compiling says "not supported yet" */
	const char *unsupported;
	struct span unsupported_span;
};

/* tune MODEL { ... } */
enum decl_quality { DECL_QUALITY_NONE, DECL_QUALITY_ACCURACY, DECL_QUALITY_PERPLEXITY, DECL_QUALITY_DIVERGENCE };
enum decl_minimize { DECL_MINIMIZE_LATENCY, DECL_MINIMIZE_MEMORY, DECL_MINIMIZE_BYTES };
enum decl_search {
	DECL_SEARCH_DEFAULT, DECL_SEARCH_RANDOM, DECL_SEARCH_TPE, DECL_SEARCH_ANNEAL, DECL_SEARCH_GREEDY,
	DECL_SEARCH_LLM, DECL_SEARCH_REPLAY
};

struct decl_names {
	const char **data;
	uint32_t len, cap;
};

struct decl_tune {
	const char *name; /* the model's */
	struct span span;
	uint32_t model; /* index into project->models */
	struct decl_names formats, methods, backends; /* empty: not searched */
	bool kernels, streaming, threads; /* searched */
	bool per_tensor; /* formats per tensor; else per class of tensors */
	const char *calibrate; /* for methods that want inputs; NULL: none */
	enum decl_quality quality;
	const char *data, *labels; /* paths */
	struct span data_span, labels_span;
	double loss; /* that is allowed, as a fraction of the reference's quality */
	enum decl_minimize minimize;
	enum decl_search search;
	struct span search_span;
	const char *endpoint, *llm, *transcript;
	uint32_t trials;
	uint64_t seed;
};

/* quantize MODEL { ... }; what is not given is 0 or NULL */
struct decl_quantize_rule {
	const char *format; /* f32, f16, bf16, q8, q6, q5, q4, q3 */
	uint32_t group;
	bool asymmetric;
	const char *method; /* rtn, weighted, gptq, learned */
	struct decl_names patterns; /* none, and neither first nor last: every tensor */
	bool first, last;
	struct span span;
};

enum decl_activations { DECL_ACTIVATIONS_ABSENT, DECL_ACTIVATIONS_AUTO, DECL_ACTIVATIONS_F32, DECL_ACTIVATIONS_Q8 };

struct decl_quantize {
	const char *name; /* the model's */
	struct span span;
	uint32_t model; /* index into project->models */
	VEC(struct decl_quantize_rule) rules;
	const char *method; /* of rules that name none */
	struct decl_names except;
	bool except_first, except_last;
	struct span except_span; /* of the last such statement */
	enum decl_activations activations;
	struct span activations_span;
	const char *calibrate;
	struct span calibrate_span;
	uint32_t iterations, samples;
	double learning_rate, clip, damping; /* parts of one */
};

struct project {
	const char *path; /* of the .edge file */
	const struct ast *ast;
	VEC(struct decl_device) devices;
	VEC(struct decl_budget) budgets;
	VEC(struct decl_model) models;
	VEC(struct decl_scene) scenes;
	VEC(struct decl_plan) plans;
	VEC(struct decl_tune) tunes;
	VEC(struct decl_quantize) quantizes;
};

/* NULL: errors were said. path is opened; its text lives in the arena. */
struct ast *dsl_parse(struct arena *a, struct diag *d, const char *path);
struct project *dsl_resolve(struct arena *a, struct diag *d, const struct ast *ast);
/* false: the text does not parse; out is then empty. */
bool dsl_format(struct arena *a, struct diag *d, const char *path, struct strbuf *out);
void dsl_print_ast(const struct ast *ast, struct strbuf *out); /* --emit=ast */

#endif
