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

#include <stdint.h>

#define EDGE_PLAN_MAGIC "\x89" "EDGEPL\n" /* 8 bytes; not text, damaged by newline conversion */

enum {
	EDGE_PLAN_MAJOR = 1, /* another major: refused as unsupported */
	EDGE_PLAN_MINOR = 0, /* a higher minor only adds what may be skipped */
	EDGE_PLAN_PAGE = 4096, /* alignment of chunks in the file and in memory */
	EDGE_PLAN_MAX_RANK = 8,
	EDGE_PLAN_LOOKUP_CHUNK = 1 << 20, /* the most bytes of a chunk of a looked-up table */
	EDGE_PLAN_LOOKUPS_OF_CHUNK = 64, /* all lookups together name at most so many times the chunks there are */
	EDGE_NONE = -1
};

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
	/* not required to run */
	EDGE_SECTION_DEBUG = 32,     /* struct edge_debug, one per step */
	EDGE_SECTION_LIFETIMES = 33, /* struct edge_lifetime: what lies where, when */
	EDGE_SECTION_NOTES = 34      /* struct edge_note: decisions in the compiler's words */
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
	uint64_t reserved[8];
};

/* A region is one allocation, made when the plan is opened and kept until it is closed. */
enum edge_region_kind {
	EDGE_REGION_ACTIVATIONS = 1, /* inputs, intermediate values, outputs, scratch */
	EDGE_REGION_RESIDENT = 2,    /* weights read once */
	EDGE_REGION_STREAM = 3,      /* weights read in each run */
	EDGE_REGION_STAGING = 4      /* host memory for reads where the device's is not the host's */
};

enum edge_space { EDGE_SPACE_DEVICE = 1, EDGE_SPACE_HOST = 2 };

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
	EDGE_PARAM_F32 = 4
};

enum { EDGE_PARAM_READ = 1, EDGE_PARAM_WRITE = 2 };

struct edge_param {
	uint32_t kind, access; /* access: of pointers; from const-ness in the source */
	uint32_t name;         /* string */
	uint32_t reserved;
};

enum edge_isa { EDGE_ISA_X86_64_V3 = 1, EDGE_ISA_X86_64_V4 = 2, EDGE_ISA_AARCH64 = 3 };

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

_Static_assert(sizeof(struct edge_prefix) == 32, "prefix is 32 bytes");
_Static_assert(sizeof(struct edge_header) == 64, "header is 64 bytes");
_Static_assert(sizeof(struct edge_section) == 48, "section entry is 48 bytes");
_Static_assert(sizeof(struct edge_meta) == 232, "meta");
_Static_assert(sizeof(struct edge_region) == 16, "region");
_Static_assert(sizeof(struct edge_buffer) == 24, "buffer");
_Static_assert(sizeof(struct edge_code) == 24, "code");
_Static_assert(sizeof(struct edge_step) == 80, "step");
_Static_assert(sizeof(struct edge_arg) == 16, "arg");
_Static_assert(sizeof(struct edge_tensor) == 96, "tensor");
_Static_assert(sizeof(struct edge_model) == 32, "model");
_Static_assert(sizeof(struct edge_chunk) == 24, "chunk");
_Static_assert(sizeof(struct edge_read) == 40, "read");
_Static_assert(sizeof(struct edge_lookup) == 48, "lookup");
_Static_assert(sizeof(struct edge_lifetime) == 32, "lifetime");

#endif
