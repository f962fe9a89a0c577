/* SPDX-License-Identifier: Apache-2.0 */
/*
 * plan_format.h - the plan file: all that the compiler and the runtime share.
 *
 * Little-endian, fixed width, every padding byte zero, offsets instead of
 * pointers. The file is: prefix, header, section table, sections. Sections
 * start at multiples of 64 bytes, WEIGHTS and BLOCKS at multiples of 4096.
 * doc/plan-format.txt is the specification with its history.
 */
#ifndef EDGE_PLAN_FORMAT_H
#define EDGE_PLAN_FORMAT_H

#include <assert.h>
#include <stdint.h>

#define EDGE_PLAN_MAGIC "\x89" "EDGEPL\n" /* 8 bytes; not text, damaged by newline conversion */

enum {
	EDGE_PLAN_MAJOR = 1, /* another major: refused as unsupported */
	EDGE_PLAN_MINOR = 0, /* a higher minor only adds what may be skipped */
	EDGE_PLAN_PAGE = 4096, /* alignment of chunks in the file and in memory */
	EDGE_PLAN_MAX_RANK = 8,
	EDGE_PLAN_TEXEL = 8, EDGE_PLAN_IMAGE_WIDTH = EDGE_PLAN_PAGE / EDGE_PLAN_TEXEL,
	EDGE_PLAN_LOOKUP_CHUNK = 1 << 20, /* the most bytes of a chunk of a looked-up table */
	EDGE_PLAN_LOOKUPS_OF_CHUNK = 64, /* all lookups together name at most so many times the chunks there are */
	EDGE_NONE = -1
};

/* Whole pages that so many bytes take. Bytes: at most UINT64_MAX - EDGE_PLAN_PAGE. */
static inline uint64_t edge_plan_pages(uint64_t bytes)
{
	return (bytes + EDGE_PLAN_PAGE - 1) / EDGE_PLAN_PAGE * EDGE_PLAN_PAGE;
}

/* These 32 bytes never change. */
struct edge_prefix {
	uint8_t magic[8];
	uint16_t major, minor;
	uint32_t header_size;   /* of struct edge_header, which starts at byte 0 */
	uint32_t section_count; /* entries of the table that follows the header */
	uint32_t section_entry_size;
	uint64_t file_size;
};

struct edge_header {
	struct edge_prefix prefix;
	uint64_t table_xxh3; /* XXH3-64 of the section table */
	uint64_t header_xxh3; /* XXH3-64 of the header bytes before this field */
	uint64_t reserved[2];
};

enum edge_section_kind {
	EDGE_SECTION_META = 1,     /* one struct edge_meta */
	EDGE_SECTION_STRINGS = 2,  /* NUL-terminated UTF-8; a string is its byte offset; byte 0 is NUL */
	EDGE_SECTION_REGIONS = 3,  /* struct edge_region */
	EDGE_SECTION_BUFFERS = 4,  /* struct edge_buffer */
	EDGE_SECTION_PROGRAMS = 5, /* struct edge_program */
	EDGE_SECTION_KERNELS = 6,  /* struct edge_kernel */
	EDGE_SECTION_PARAMS = 7,   /* struct edge_param */
	EDGE_SECTION_STEPS = 8,    /* struct edge_step */
	EDGE_SECTION_ARGS = 9,     /* struct edge_arg */
	EDGE_SECTION_TENSORS = 10, /* struct edge_tensor: inputs, then outputs */
	EDGE_SECTION_MODELS = 11,  /* struct edge_model */
	EDGE_SECTION_CHUNKS = 12,  /* struct edge_chunk */
	EDGE_SECTION_READS = 13,   /* struct edge_read, in the order in which they are issued */
	EDGE_SECTION_WEIGHTS = 14, /* the chunks' bytes; xxh3 is 0, each chunk has its own */
	/* of native plans only */
	EDGE_SECTION_CODE = 15,    /* struct edge_code, one per instruction set */
	EDGE_SECTION_ENTRIES = 16, /* uint64_t: for each code, for each kernel, its entry's offset in the block */
	EDGE_SECTION_BLOCKS = 17,  /* the machine code; starts at a multiple of EDGE_PLAN_PAGE */
	/* of plans with EDGE_STEP_LOOKUP */
	EDGE_SECTION_LOOKUPS = 18, /* struct edge_lookup */
	/* of plans whose launches carry weights into images */
	EDGE_SECTION_LOADS = 19,   /* struct edge_load, by step */
	/* not required to run */
	EDGE_SECTION_DEBUG = 32,     /* struct edge_debug, one per step */
	EDGE_SECTION_LIFETIMES = 33, /* struct edge_lifetime: what lies where, when */
	EDGE_SECTION_NOTES = 34,     /* struct edge_note: decisions in the compiler's words */
	/* of plans that train */
	EDGE_SECTION_TRAIN = 40,  /* one struct edge_train */
	EDGE_SECTION_VIEWS = 41,  /* struct edge_view: sorted by name */
	EDGE_SECTION_POINTS = 42, /* struct edge_point: what training starts from */
	EDGE_SECTION_EVENTS = 43, /* struct edge_event: by step */
	EDGE_SECTION_ROLES = 44,   /* struct edge_role: what buffers and steps are for */
	/* of plans that generate text */
	EDGE_SECTION_GENERATE = 50,      /* one struct edge_generate */
	EDGE_SECTION_VARIANTS = 51,      /* struct edge_variant */
	EDGE_SECTION_STEP_VARIANTS = 52, /* uint32_t, one per step: bit v is set where variant v takes it */
	EDGE_SECTION_TOKENIZER = 53      /* struct edge_tokenizer and what follows it */
};

enum { EDGE_SECTION_REQUIRED = 1 }; /* flag: a reader that does not know the kind must refuse */

struct edge_section {
	uint32_t kind, flags;
	uint64_t offset, size; /* size excludes padding */
	uint32_t count, stride; /* of records; bytes count as stride 1 */
	uint64_t xxh3;
	uint64_t reserved;
};

enum edge_plan_kind { EDGE_PLAN_RUN = 1, EDGE_PLAN_TRAIN = 2, EDGE_PLAN_GENERATE = 3 };
enum edge_backend { EDGE_BACKEND_OPENCL = 1, EDGE_BACKEND_NATIVE = 2 };
enum edge_kernel_style { EDGE_KERNELS_CPU = 1, EDGE_KERNELS_GPU = 2 };

struct edge_meta {
	uint32_t kind, backend, kernel_style;
	uint32_t threads;     /* 0: all */
	uint32_t name;        /* string: the plan's name */
	uint32_t device_name; /* string: the device block's name */
	uint32_t compiler;    /* string: compiler version */
	uint32_t flags;       /* 0 */
	uint64_t device_budget_bytes, host_budget_bytes; /* 0: no limit */
	uint64_t planned_device_bytes, planned_host_bytes; /* sums of the regions */
	uint64_t smallest_budget_bytes;
	uint64_t weights_bytes, resident_bytes, streamed_bytes; /* streamed: per run, in steady state */
	uint64_t activation_peak_bytes, activation_lower_bound_bytes;
	uint64_t flops; /* one run */
	double predicted_ms, lower_bound_ms; /* one cold run */
	double storage_bytes_per_s, flops_per_s, memory_bytes_per_s, launch_ms; /* assumed by the schedule */
	double predicted_warm_ms; /* one run after the first */
	uint32_t requests; /* reads on their way at once; 0: as the runtime likes; or EDGE_REQUESTS_BUFFERED */
	uint32_t reading; /* enum edge_reading: a wish; a runtime that cannot uses threads */
	uint64_t reserved[6];
};

/* What has so many reads on their way: as many threads, or one with io_uring. */
enum edge_reading { EDGE_READING_THREADS = 0, EDGE_READING_URING = 1, EDGE_READINGS };

/* One read at a time, through the page cache. */
enum { EDGE_REQUESTS_MOST = 32, EDGE_REQUESTS_BUFFERED = 255 };

/*
 * How weights are read where nothing else is said, so that what is predicted is what is done. From so many
 * bytes of weights on, past the page cache: of weights that are read once, since less comes as fast with what
 * surrounds it; of those that are read again, since less stays in the cache. And so many chunks (of up to
 * 1 MiB, or of a large page each where many stay) at a time: four keep a disk busy; into memory that is new it
 * is six, because readers clear pages and check hashes meanwhile, and the disk would wait for them.
 */
enum {
	EDGE_DIRECT_FROM = 2 << 20, EDGE_DIRECT_AGAIN_FROM = 16 << 20,
	EDGE_REQUESTS_AGAIN = 4, EDGE_REQUESTS_ONCE = 6
};

/* A region is one allocation, made when the plan is opened and kept until it is closed. */
enum edge_region_kind {
	EDGE_REGION_ACTIVATIONS = 1, /* inputs, intermediate values, outputs, scratch */
	EDGE_REGION_RESIDENT = 2,    /* weights read once */
	EDGE_REGION_STREAM = 3,      /* weights read in each run */
	EDGE_REGION_STAGING = 4,     /* host memory for reads where the device's is not the host's */
	EDGE_REGION_CARRIED = 5,     /* streamed weights on their way into an image: see struct edge_load */
	/* of plans that train */
	EDGE_REGION_MODEL = 40,  /* parameters, moments, statistics, state of one step: by Gaussian */
	EDGE_REGION_KEYS = 41,   /* lists of the tiles and what they give back: by key */
	EDGE_REGION_IMAGE = 42,  /* picture, its gradient, tables by tile */
	EDGE_REGION_FRAMES = 43  /* the photographs of this step and of the next */
};

/*
 * An image is device memory that kernels read as texels: RGBA of halves,
 * EDGE_PLAN_IMAGE_WIDTH texels a row, so that a row is a page; only weights lie there.
 */
enum edge_space { EDGE_SPACE_DEVICE = 1, EDGE_SPACE_HOST = 2, EDGE_SPACE_IMAGE = 3 };

struct edge_region {
	uint32_t kind, space;
	uint64_t bytes; /* > 0, multiple of 128 */
};

struct edge_buffer {
	uint32_t region, reserved;
	uint64_t offset, bytes; /* offset is a multiple of 128; bytes > 0 */
};

/* Source text of one OpenCL C program. */
struct edge_program {
	uint32_t source, options; /* strings */
};

struct edge_kernel {
	uint32_t name; /* string: the function's name */
	uint32_t program;
	uint32_t param_first, param_count;
};

enum edge_param_kind {
	EDGE_PARAM_GLOBAL = 1, /* __global pointer */
	EDGE_PARAM_I32 = 2,
	EDGE_PARAM_I64 = 3,
	EDGE_PARAM_F32 = 4,
	EDGE_PARAM_IMAGE = 5 /* __read_only or, by its access, __write_only image2d_t; its argument is a buffer of a region that is an image */
};

enum { EDGE_PARAM_READ = 1, EDGE_PARAM_WRITE = 2 };

struct edge_param {
	uint32_t kind, access; /* access: of pointers; from const-ness in the source */
	uint32_t name;         /* string */
	uint32_t reserved;
};

enum edge_isa { EDGE_ISA_X86_64_V3 = 1, EDGE_ISA_X86_64_V4 = 2, EDGE_ISA_AARCH64 = 3, EDGE_ISA_X86_64_V4_VNNI = 4 };

/*
 * Machine code of every kernel for one instruction set: a block that refers to
 * nothing outside itself and may be mapped at any multiple of EDGE_PLAN_PAGE.
 * An entry is a C function void (const uint64_t *arg, const uint64_t *range)
 * that runs work-items range[0] .. range[1] - 1 of a launch of range[2] x
 * range[3] x range[4], the first dimension fastest; arg[] holds pointers,
 * integers and the bits of floats.
 */
struct edge_code {
	uint32_t isa, reserved;
	uint64_t offset; /* in the BLOCKS section; multiple of EDGE_PLAN_PAGE */
	uint64_t bytes;
};

enum edge_step_kind {
	EDGE_STEP_KERNEL = 1,
	EDGE_STEP_INPUT = 2, /* caller's tensor[index] into its buffer */
	EDGE_STEP_OUTPUT = 3, /* tensor[index]'s buffer to the caller */
	EDGE_STEP_LOOKUP = 4  /* rows of a table in the file, by lookup[index] */
};

/*
 * Reads rows of a table from the plan file into a buffer: row number
 * index[i] becomes row i of the output. A negative index counts from the end;
 * one outside is moved to the nearest that exists. The table is in successive
 * chunks that no read names, each with chunk_rows whole rows, the last with
 * those that are left.
 */
struct edge_lookup {
	uint32_t index_buffer, output_buffer;
	uint32_t index_dtype; /* EDGE_I32 or EDGE_I64 */
	uint32_t chunk_first, chunk_count, chunk_rows;
	uint64_t count; /* of indices */
	uint64_t rows, row_bytes;
};

struct edge_step {
	uint32_t kind;
	uint32_t index; /* kernel, tensor or lookup */
	uint32_t arg_first, arg_count;
	uint32_t global[3], local[3]; /* work-items; all >= 1; local divides global */
	uint32_t model;
	uint32_t reads_needed; /* this many of READS must have arrived; never decreases */
	uint64_t flops, bytes; /* work of the step: arithmetic, and bytes read + written */
	double predicted_ms;   /* without waiting for reads */
	double predicted_start_ms; /* on the schedule's clock, cold run */
};

struct edge_arg {
	uint32_t kind; /* edge_param_kind */
	uint32_t buffer; /* GLOBAL */
	union {
		int64_t i;
		double f;
	} value;
};

/*
 * Beside its own work, a launch moves rows of texels from where reads brought
 * them into an image that later launches read. The first EDGE_LOAD_PARAMS
 * parameters of its kernel say so: the image (written), the texels (read),
 * which texel of the image is the first, the number of texels less one, and
 * how many each work-item moves. No argument of the launch reads that image.
 */
enum { EDGE_LOAD_PARAMS = 5 };

struct edge_load {
	uint32_t step;     /* ascending: a step has one at most */
	uint32_t read;     /* the last read that brought some of it; the step needs it */
	uint32_t from, to; /* regions: of kind CARRIED; of kind STREAM, an image */
	uint64_t from_offset, to_offset, bytes; /* multiples of EDGE_PLAN_PAGE */
};

enum { EDGE_TENSOR_INPUT = 1, EDGE_TENSOR_OUTPUT = 2 };

struct edge_tensor {
	uint32_t name; /* string: the network's own name, with MODEL. before it in a chain */
	uint32_t direction;
	uint32_t dtype; /* enum edge_dtype */
	uint32_t rank;
	int64_t dim[EDGE_PLAN_MAX_RANK];
	uint32_t buffer, model;
	uint64_t bytes; /* dense, row-major; at most the buffer's */
};

enum edge_dtype {
	EDGE_F32 = 1, EDGE_F16 = 2, EDGE_BF16 = 3, EDGE_F64 = 4, EDGE_I64 = 5,
	EDGE_I32 = 6, EDGE_I16 = 7, EDGE_I8 = 8, EDGE_U8 = 9, EDGE_BOOL = 10
};

struct edge_model {
	uint32_t name; /* string */
	uint32_t step_first, step_count;
	uint32_t reserved;
	uint64_t weights_bytes, flops;
};

/* A piece of the weights section: the unit of reading and of residency. */
struct edge_chunk {
	uint64_t offset; /* in the file; multiple of EDGE_PLAN_PAGE */
	uint64_t bytes;  /* multiple of EDGE_PLAN_PAGE, zero-padded */
	uint64_t xxh3;   /* of those bytes */
};

enum { EDGE_READ_ONCE = 1 }; /* flag: resident; issued in the first run only */

/*
 * Reads are issued in order. Read r may start when step after_step of the same
 * run has completed (EDGE_NONE: at once), because only then its place is free.
 * after_step never decreases, and is smaller than any step that needs a read
 * at or after r, so that a run always ends.
 */
struct edge_read {
	uint32_t chunk, region;
	uint64_t offset; /* in the region; multiple of EDGE_PLAN_PAGE */
	int32_t after_step;
	uint32_t flags;
	double predicted_start_ms, predicted_end_ms;
};

struct edge_debug {
	uint32_t node; /* string: names of the graph's nodes in this step */
	uint32_t op;   /* string: e.g. "conv 3x3 + add + relu" */
	uint32_t file, line; /* string; 0 where there is none */
};

/* For the memory map: bytes of a region that hold one thing for a range of steps. */
struct edge_lifetime {
	uint32_t region, name; /* string */
	uint64_t offset, bytes;
	int32_t first_step, last_step; /* inclusive; EDGE_NONE first: before the run */
};

struct edge_note {
	uint32_t topic, text; /* strings */
};

/* ---- plans that train ---- */

/*
 * The timeline of a plan that trains. Gaussians are columns: parameter k of
 * Gaussian i is element k * capacity + i. Parameters are, in this order:
 * position 3, log of the scale 3, quaternion wxyz 4, logit of the opacity 1,
 * colour coefficients 3 * (sh_degree + 1)^2 (coefficient by coefficient, each
 * red green blue). Steps count from 1.
 */
enum edge_policy {
	EDGE_POLICY_DIET = 1,     /* grow below the cap, cut back to it by importance */
	EDGE_POLICY_RELOCATE = 2, /* move the transparent ones to where opacity is; grow to the cap in steps */
	EDGE_POLICY_AUTO = 3,     /* relocation by error: see doc/architecture.md */
	EDGE_POLICY_PLAIN = 4     /* grow, and stop at the cap */
};

enum edge_train_flags {
	/*
	 * moment_bits is 8. All parameters but places have 16 bits, see doc/plan-format.txt. Colour coefficients of
	 * degree 1 and up have no moments; from degree 2 on there is one for red, green and blue together.
	 * Statistics are the upper halves of f32.
	 */
	EDGE_TRAIN_COMPACT = 1,
	EDGE_TRAIN_GREY = 2 /* only with COMPACT: of degree 1, too, there is one for the three */
};

/* How many parameters are a place, stand before the colour coefficients of degree 1 and up, and are of degree 1. */
enum { EDGE_TRAIN_PLACE = 3, EDGE_TRAIN_BASE = 14, EDGE_TRAIN_DEGREE_1 = 9 };

/* How many of the parameters have moments. */
static inline uint32_t edge_train_moments(uint32_t parameters, uint32_t flags)
{
	return flags & EDGE_TRAIN_COMPACT ? (uint32_t)EDGE_TRAIN_BASE : parameters;
}

/* How many are f32 columns. */
static inline uint32_t edge_train_whole(uint32_t parameters, uint32_t flags)
{
	return flags & EDGE_TRAIN_COMPACT ? (uint32_t)EDGE_TRAIN_PLACE : parameters;
}

/* How many columns of 16 bits there are for the rest of them. */
static inline uint32_t edge_train_columns(uint32_t parameters, uint32_t flags)
{
	const uint32_t higher = parameters - EDGE_TRAIN_BASE;
	const uint32_t own = flags & EDGE_TRAIN_GREY ? 0 : higher < EDGE_TRAIN_DEGREE_1 ? higher : (uint32_t)EDGE_TRAIN_DEGREE_1;

	if (!(flags & EDGE_TRAIN_COMPACT))
		return 0;
	return EDGE_TRAIN_BASE - EDGE_TRAIN_PLACE + own + (higher - own) / 3;
}

struct edge_window {
	uint32_t every, from, until; /* steps from < s <= until with s % every == 0; every 0: never */
};

struct edge_train {
	uint32_t steps;
	uint32_t policy;	  /* enum edge_policy */
	uint32_t cap, capacity;	  /* Gaussians: the most between events; the most ever */
	uint32_t first_gaussians; /* how many of the points are taken at the start */
	uint32_t sh_degree, sh_every; /* the degree goes up by 1 every so many steps, from 0 */
	uint32_t parameters;	  /* floats of one Gaussian */
	uint32_t moment_bits;	  /* of each of the two moments: 32, 16 or 8 */
	uint32_t key_capacity;	  /* pairs of Gaussian and tile in one band; >= capacity */
	uint32_t tile_width, tile_height;
	uint32_t width, height;	  /* the largest view, each by itself */
	uint32_t stride, rows;	  /* of images in memory: whole tiles */
	uint32_t train_views, held_out_views;
	uint32_t evaluate_every, checkpoint_every; /* 0: at the end only; never */
	struct edge_window densify, prune, compensate, relocate;
	uint32_t reinitialise_at; /* 0: never */
	uint32_t reorder_every;	  /* 0: never */
	uint32_t flags;		  /* enum edge_train_flags */
	uint64_t seed;
	float background[3];
	float extent; /* radius of the cameras' places */
	float centre[3];
	/* rates of Adam; the position's goes from first to last exponentially and is times extent already */
	float rate_position_first, rate_position_last;
	float rate_scale, rate_rotation, rate_opacity, rate_colour, rate_sh, epsilon;
	float ssim_weight; /* loss = (1 - w) L1 + w (1 - SSIM) */
	float gradient_threshold; /* of the mean gradient of the place on the screen */
	float split_scale;	  /* of extent: larger ones are split, smaller ones cloned */
	float opacity_min, scale_max; /* below, above (of extent): removed */
	float growth;		  /* the most by which an event may grow the set, of its size */
	float noise;		  /* of relocation: added to positions */
	float opacity_decay, scale_decay; /* weights of their means in the loss */
	float new_opacity;	  /* of a Gaussian made from a pixel */
	/* from this share of the steps on (0 .. 1) the other rates fall exponentially, to rate_settled times at the end; 0: never */
	float settle_from, rate_settled;
	uint32_t slot_capacity;	  /* entries of lists that the way back does at a time; > 0 */
	uint32_t reserved;
	uint64_t bytes_per_gaussian, bytes_per_key, bytes_fixed; /* device: capacity, key_capacity times, once */
};

struct edge_view {
	uint32_t name; /* string: the photograph's */
	uint32_t width, height;
	uint32_t held_out; /* 1: for evaluation only */
	double fx, fy, cx, cy; /* pixels; the centre of the top left pixel is (0.5, 0.5) */
	double rotation[9], translation[3]; /* world to camera; x right, y down, z forward */
	/*
	 * The frame, 8 bits a channel: width * height reds in rows, then greens, then
	 * blues. chunk_count successive chunks, which no read names, hold it and nothing else.
	 */
	uint32_t chunk_first, chunk_count;
};

struct edge_point {
	float x, y, z;
	float log_scale;
	uint8_t r, g, b, zero;
};

enum edge_event_kind {
	EDGE_EVENT_DENSIFY = 1,    /* grow where the gradient of the place is large */
	EDGE_EVENT_PRUNE = 2,      /* cut back to the cap by importance */
	EDGE_EVENT_COMPENSATE = 3, /* add Gaussians at pixels of large error */
	EDGE_EVENT_RELOCATE = 4,   /* move what is transparent; grow towards the cap */
	EDGE_EVENT_REINITIALISE = 5, /* replace the whole set by points of the depth images */
	EDGE_EVENT_DEGREE = 6,	   /* argument: colour coefficients up to this degree are trained from here on */
	EDGE_EVENT_EVALUATE = 7,
	EDGE_EVENT_CHECKPOINT = 8,
	EDGE_EVENT_REORDER = 9	   /* neighbours in space become neighbours in memory */
};

/* What happens after a step, in the order of the records. */
struct edge_event {
	uint32_t step, kind;
	uint32_t argument;
	uint32_t most;	/* Gaussians there may be at most after it; cap between events */
	uint64_t bytes; /* device memory in use by so many, and by everything else */
};

/* Parts of memory and of the work of a plan that trains. */
enum edge_train_buffer {
	EDGE_BUFFER_PARAMETERS = 1, /* columns */
	EDGE_BUFFER_MOMENT1 = 2, EDGE_BUFFER_MOMENT2 = 3, /* columns of moment_bits */
	EDGE_BUFFER_STATISTICS = 4, /* columns: see kernels/splat.clh */
	EDGE_BUFFER_PROJECTED = 5, EDGE_BUFFER_GRADIENTS = 6, EDGE_BUFFER_ORDER = 7,
	EDGE_BUFFER_LISTS = 8, /* by key */
	EDGE_BUFFER_SLOTS = 9, /* slot_capacity times */
	EDGE_BUFFER_TILES = 10, EDGE_BUFFER_COUNTS = 11,
	EDGE_BUFFER_IMAGE = 12, EDGE_BUFFER_IMAGE_GRADIENT = 13, EDGE_BUFFER_LOSS = 14,
	EDGE_BUFFER_FRAME_A = 15, EDGE_BUFFER_FRAME_B = 16,
	EDGE_BUFFER_STATE = 17, /* what the runtime tells kernels and what they tell it */
	EDGE_BUFFER_CHUNKS = 18,
	EDGE_BUFFER_ROLES = 19
};

enum edge_train_step {
	EDGE_TRAIN_PROJECT = 1,
	EDGE_TRAIN_SORT_COUNT_1 = 2, EDGE_TRAIN_SORT_PLACE_1 = 3, EDGE_TRAIN_SORT_MOVE_1 = 4,
	EDGE_TRAIN_SORT_COUNT_2 = 5, EDGE_TRAIN_SORT_PLACE_2 = 6, EDGE_TRAIN_SORT_MOVE_2 = 7,
	EDGE_TRAIN_SORT_COUNT_3 = 8, EDGE_TRAIN_SORT_PLACE_3 = 9, EDGE_TRAIN_SORT_MOVE_3 = 10,
	EDGE_TRAIN_TILE_COUNT = 11, EDGE_TRAIN_TILE_PLACE = 12, EDGE_TRAIN_TILE_LIST = 13,
	EDGE_TRAIN_BLEND = 14, EDGE_TRAIN_LOSS_A = 15, EDGE_TRAIN_LOSS_B = 16,
	EDGE_TRAIN_BLEND_BACKWARD = 17, EDGE_TRAIN_GATHER = 18, EDGE_TRAIN_UPDATE = 19,
	/* events */
	EDGE_TRAIN_RELOCATE = 32, EDGE_TRAIN_DENSIFY = 33, EDGE_TRAIN_PRUNE = 34, EDGE_TRAIN_COMPENSATE = 35,
	EDGE_TRAIN_REINITIALISE = 36, EDGE_TRAIN_REORDER = 37, EDGE_TRAIN_REPLACE = 38,
	EDGE_TRAIN_PERMUTE = 39,
	EDGE_TRAIN_STEP_ROLES = 40
};

enum edge_role_kind { EDGE_ROLE_BUFFER = 1, EDGE_ROLE_STEP = 2 };

/* Which buffer or which step plays a part; parts are numbered by enum edge_train_buffer and enum edge_train_step. */
struct edge_role {
	uint32_t kind; /* enum edge_role_kind */
	uint32_t role;
	uint32_t index; /* of the buffer or step */
	uint32_t gaussians_per_item; /* of steps: work-items of dim 0 each do so many; 0: not by Gaussian */
	uint32_t bytes_per_gaussian; /* of buffers: bytes = this * capacity, rounded up; 0: not by Gaussian */
	uint32_t bytes_per_key;
};

/*
 * A plan that generates does one sweep over a few tokens a run. Its steps are
 * those of several variants, for sweeps of different size, over the same memory
 * and weights: a run takes the steps of one of them and counts the others as
 * done. Caches lie in the activations and keep what they hold from run to run.
 */
struct edge_generate {
	uint32_t context, vocabulary; /* tokens that the caches hold; numbers below vocabulary are tokens */
	/* tensors */
	uint32_t tokens; /* in, i32[rows] */
	uint32_t state;  /* in, i32[4]: position of the first token, how many tokens, 0, 0 */
	uint32_t wanted; /* in, i32[scored]: rows of which logits are wanted */
	uint32_t logits; /* out, f32[scored, vocabulary] */
	uint32_t layers, reserved;
};

/* Sizes are those of the largest; rows and scored of this variant come first in the tensors. */
struct edge_variant {
	uint32_t rows;   /* most tokens of a run */
	uint32_t scored; /* rows that get logits */
};

enum edge_tokenizer_kind {
	EDGE_TOKENIZER_SPM = 1, /* pieces joined by score; unknown characters as bytes */
	EDGE_TOKENIZER_BPE = 2  /* bytes joined by rank, within the words of a pattern */
};

enum edge_tokenizer_pattern {
	EDGE_PATTERN_NONE = 0, EDGE_PATTERN_GPT2 = 1, EDGE_PATTERN_LLAMA3 = 2, EDGE_PATTERN_QWEN2 = 3,
	EDGE_PATTERN_SMOLLM = 4, EDGE_PATTERN_UNNAMED = 5
};

enum {
	EDGE_TOKENIZER_ADD_BOS = 1,
	EDGE_TOKENIZER_ADD_SPACE = 2, /* before the text */
	EDGE_TOKENIZER_WHOLE_WORDS = 4, /* a word that is a token is not taken apart */
	EDGE_TOKENIZER_ADD_EOS = 8
};

enum { EDGE_TOKEN_NORMAL = 1, EDGE_TOKEN_UNKNOWN = 2, EDGE_TOKEN_CONTROL = 3, EDGE_TOKEN_USER = 4, EDGE_TOKEN_UNUSED = 5,
       EDGE_TOKEN_BYTE = 6, EDGE_TOKEN_ENDS = 128 /* flag: generating stops here */ };

/*
 * The header, then: uint32_t offset[tokens + 1] of each token's bytes in the
 * text; uint32_t by_text[tokens], tokens sorted by their bytes; float
 * score[tokens]; struct edge_merge[merges]; int32_t byte_token[256]; uint32_t
 * special[specials], tokens that are looked for in a prompt, longest first; uint8_t
 * type[tokens]; the text. Each part starts at a multiple of 4; nothing follows.
 * A token's bytes are what it prints: spaces are spaces, a byte token is its byte.
 */
struct edge_tokenizer {
	uint32_t kind, pattern, flags;
	uint32_t tokens, merges, specials;
	int32_t bos, eos, unknown; /* EDGE_NONE: there is none */
	uint32_t text_bytes;
	uint32_t reserved[6];
};

/* Tokens left and right, side by side, become one; the least rank goes first. Sorted by left, then right. */
struct edge_merge {
	uint32_t left, right, rank, result;
};

/* As doc/plan-format.txt has them, whatever the compiler. */
static_assert(sizeof(struct edge_prefix) == 32, "edge_prefix");
static_assert(sizeof(struct edge_header) == 64, "edge_header");
static_assert(sizeof(struct edge_section) == 48, "edge_section");
static_assert(sizeof(struct edge_meta) == 232, "edge_meta");
static_assert(sizeof(struct edge_region) == 16, "edge_region");
static_assert(sizeof(struct edge_buffer) == 24, "edge_buffer");
static_assert(sizeof(struct edge_code) == 24, "edge_code");
static_assert(sizeof(struct edge_step) == 80, "edge_step");
static_assert(sizeof(struct edge_arg) == 16, "edge_arg");
static_assert(sizeof(struct edge_tensor) == 96, "edge_tensor");
static_assert(sizeof(struct edge_model) == 32, "edge_model");
static_assert(sizeof(struct edge_chunk) == 24, "edge_chunk");
static_assert(sizeof(struct edge_read) == 40, "edge_read");
static_assert(sizeof(struct edge_lookup) == 48, "edge_lookup");
static_assert(sizeof(struct edge_load) == 40, "edge_load");
static_assert(sizeof(struct edge_lifetime) == 32, "edge_lifetime");
static_assert(sizeof(struct edge_train) == 296, "edge_train");
static_assert(sizeof(struct edge_view) == 152, "edge_view");
static_assert(sizeof(struct edge_point) == 20, "edge_point");
static_assert(sizeof(struct edge_event) == 24, "edge_event");
static_assert(sizeof(struct edge_role) == 24, "edge_role");
static_assert(sizeof(struct edge_generate) == 32, "edge_generate");
static_assert(sizeof(struct edge_tokenizer) == 64, "edge_tokenizer");
static_assert(sizeof(struct edge_merge) == 16, "edge_merge");

#endif
