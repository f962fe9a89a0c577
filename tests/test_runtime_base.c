/* SPDX-License-Identifier: Apache-2.0 */
/* test_runtime_base.c - .npy files, JSON and counted memory of the runtime. */
#include "config.h"

#include "base/clock.h"
#include "base/json.h"
#include "base/memory.h"
#include "base/npy.h"
#include "base/outfile.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char directory[] = "/tmp/edge-base-XXXXXX";
static char path[80];

/* A .npy file of that version with that header and `bytes` bytes of elements. */
static size_t make_npy(unsigned char *out, int version, const char *header, size_t bytes)
{
	size_t n = strlen(header), at = version == 1 ? 10 : 12;

	memcpy(out, "\x93NUMPY", 6);
	out[6] = (unsigned char)version;
	out[7] = 0;
	out[8] = (unsigned char)n;
	out[9] = (unsigned char)(n >> 8);
	if (version > 1)
		out[10] = out[11] = 0;
	memcpy(out + at, header, n);
	memset(out + at + n, 3, bytes);
	return at + n + bytes;
}

static void check_headers(void)
{
	static const struct {
		const char *header;
		enum edge_status status;
		uint32_t dtype, rank;
		int64_t last;
		size_t bytes; /* in the file */
	} cases[] = {
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", EDGE_OK,
		  EDGE_F32, 2, 3, 24 },
		{ "{'shape':(5,),'descr':\"|u1\",'fortran_order':False}", EDGE_OK, EDGE_U8, 1, 5,
		  5 },
		{ "{'descr': '<f8', 'fortran_order': False, 'shape': (), }", EDGE_OK, EDGE_F64, 0,
		  0, 8 },
		{ "{'descr': '<i8', 'fortran_order': False, 'shape': (0, 4), }", EDGE_OK, EDGE_I64,
		  2, 4, 0 },
		{ "{'descr': '|b1', 'fortran_order': False, 'shape': (4L,), }", EDGE_OK, EDGE_BOOL,
		  1, 4, 4 },
		{ "{'descr': '<f2', 'fortran_order': True, 'shape': (4,), }", EDGE_OK, EDGE_F16, 1,
		  4, 8 },
		{ "{'descr': '<f2', 'fortran_order': True, 'shape': (4, 2), }", EDGE_UNSUPPORTED, 0,
		  0, 0, 16 },
		{ "{'descr': '>f4', 'fortran_order': False, 'shape': (1,), }", EDGE_UNSUPPORTED, 0,
		  0, 0, 4 },
		{ "{'descr': '<c8', 'fortran_order': False, 'shape': (1,), }", EDGE_UNSUPPORTED, 0,
		  0, 0, 8 },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }", EDGE_BAD, 0, 0, 0,
		  23 },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (9999999999, 9999999999), }",
		  EDGE_BAD, 0, 0, 0, 8 },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (99999999999999999999,), }",
		  EDGE_BAD, 0, 0, 0, 8 },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (1,1,1,1,1,1,1,1,1), }",
		  EDGE_BAD, 0, 0, 0, 8 },
		{ "{'descr': '<f4', 'fortran_order': False, 'shape': (-1,), }", EDGE_BAD, 0, 0, 0,
		  8 },
		{ "{'descr': '<f4', 'fortran_order': False}", EDGE_BAD, 0, 0, 0, 8 },
		{ "{'descr': [('a', '<f4')], 'fortran_order': False, 'shape': (1,)}", EDGE_BAD, 0,
		  0, 0, 8 },
		{ "{'descr': '<f4", EDGE_BAD, 0, 0, 0, 8 },
		{ "", EDGE_BAD, 0, 0, 0, 8 },
	};
	unsigned char file[512];
	size_t i;
	int version;

	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (version = 1; version <= 3; version++) {
			struct failure f = { .status = EDGE_OK };
			struct npy n;
			size_t size = make_npy(file, version, cases[i].header, cases[i].bytes);
			enum edge_status st = npy_parse(file, size, "t.npy", &n, &f);
			bool good = st == cases[i].status &&
				    (st == EDGE_OK ? n.dtype == cases[i].dtype &&
							     n.rank == cases[i].rank &&
							     (!n.rank ||
							      n.dim[n.rank - 1] == cases[i].last) &&
							     n.bytes == cases[i].bytes
						   : f.text[0] != '\0');

			if (version == 1 || !good)
				tap_ok(good, "%s %s", cases[i].header, f.text);
		}
	}
}

/* Nothing outside is read: every prefix in memory of just its size, every bit flipped. */
static void check_damage(void)
{
	unsigned char file[512];
	size_t size = make_npy(file, 1,
			       "{'descr': '<f4', 'fortran_order': False, 'shape': (2, 3), }\n", 24),
	       n, bit;
	struct npy t;

	for (n = 0; n < size; n++) {
		struct failure f = { .status = EDGE_OK };
		unsigned char *exact = malloc(n ? n : 1);

		memcpy(exact, file, n);
		if (npy_parse(exact, n, "cut", &t, &f) == EDGE_OK)
			tap_ok(false, "a file of %zu bytes is taken for whole", n);
		free(exact);
	}
	for (bit = 0; bit < size * 8; bit++) {
		struct failure f = { .status = EDGE_OK };
		unsigned char *exact = malloc(size);

		memcpy(exact, file, size);
		exact[bit / 8] ^= (unsigned char)(1 << bit % 8);
		if (npy_parse(exact, size, "flipped", &t, &f) == EDGE_OK &&
		    t.bytes > size - t.offset)
			tap_ok(false, "bit %zu leads outside", bit);
		free(exact);
	}
	tap_ok(true, "%zu prefixes and %zu flipped bits", size, size * 8);
}

static void check_round_trip(void)
{
	static const uint32_t dtypes[] = { EDGE_F32, EDGE_F16, EDGE_BF16, EDGE_F64, EDGE_I64,
					   EDGE_I32, EDGE_I16, EDGE_I8,	  EDGE_U8,  EDGE_BOOL };
	unsigned char data[6 * 8];
	size_t i;

	for (i = 0; i < sizeof(data); i++)
		data[i] = (unsigned char)i;
	for (i = 0; i < sizeof(dtypes) / sizeof(dtypes[0]); i++) {
		struct npy t = { .dtype = dtypes[i], .rank = 3, .dim = { 1, 2, 3 } }, back;
		struct failure f = { .status = EDGE_OK };
		void *read = NULL;
		bool good = npy_save(path, &t, data, &f) == EDGE_OK &&
			    npy_load(path, &back, &read, &f) == EDGE_OK && back.dtype == t.dtype &&
			    back.rank == 3 && back.dim[2] == 3 &&
			    back.bytes == 6 * edge_dtype_size(t.dtype) && back.offset % 64 == 0 &&
			    !memcmp(read, data, back.bytes);

		tap_ok(good, "%s is written and read %s", edge_dtype_name(dtypes[i]), f.text);
		rt_free(read);
	}
	unlink(path);
}

static void check_outfile(void)
{
	struct failure f = { .status = EDGE_OK };
	struct rt_outfile o;
	struct stat info;
	char deep[128];

	tap_ok(rt_outfile_open(&o, path, &f) == EDGE_OK && stat(path, &info) != 0,
	       "an output is not there before it is complete");
	fputs("x", o.stream);
	tap_ok(rt_outfile_commit(&o, &f) == EDGE_OK && stat(path, &info) == 0 && info.st_size == 1,
	       "and then it is");
	rt_outfile_open(&o, path, &f);
	fputs("yyyy", o.stream);
	rt_outfile_abandon(&o);
	rt_outfile_abandon(&o);
	tap_ok(stat(path, &info) == 0 && info.st_size == 1, "an abandoned one leaves the old file");
	unlink(path);
	snprintf(deep, sizeof(deep), "%s/a/b/c", directory);
	tap_ok(rt_make_directory(deep, &f) == EDGE_OK && rt_make_directory(deep, &f) == EDGE_OK &&
		       stat(deep, &info) == 0,
	       "folders are made, and made again");
	for (int i = 0; i < 3; i++) {
		rmdir(deep);
		*strrchr(deep, '/') = '\0';
	}
	tap_ok(rt_make_directory("/proc/no/such", &f) == EDGE_IO, "or it says why not: %s", f.text);
}

static void check_json(void)
{
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	struct json j;

	json_begin(&j, out);
	json_object(&j, NULL);
	json_string(&j, "a\"b", "line\n\ttab \\ \x01 \xc3\xa9 \xff");
	json_array(&j, "list");
	json_u64(&j, NULL, UINT64_MAX);
	json_i64(&j, NULL, -5);
	json_number(&j, NULL, 0.5);
	json_close(&j);
	json_number(&j, "left out", NAN);
	json_array(&j, "empty");
	json_close(&j);
	json_bool(&j, "yes", true);
	json_close(&j);
	json_end(&j);
	fclose(out);
	tap_ok(!strcmp(text, "{\n  \"a\\\"b\": \"line\\n\\ttab \\\\ \\u0001 \xc3\xa9 \\ufffd\",\n  "
			     "\"list\": [\n    18446744073709551615,\n"
			     "    -5,\n    0.5\n  ],\n  \"empty\": [],\n  \"yes\": true\n}\n"),
	       "JSON: %s", "quoting, nesting, numbers");
	free(text);
}

static void check_memory(void)
{
	struct rt_account a = { { 0 }, { 0 } };
	char *p = rt_map(&a, RT_DEVICE, 100000), *q = rt_map(&a, RT_DEVICE, 50);
	uint64_t before = rt_sealed_allocations();

	tap_ok(p && (uintptr_t)p % 4096 == 0 && p[99999] == 0 && a.current[RT_DEVICE] == 100050,
	       "mapped memory is counted");
	p[0] = 1;
	tap_ok(rt_resident(p, 100000) == 8192, "and is in RAM where it was touched");
	rt_unmap(&a, RT_DEVICE, p, 100000);
	rt_unmap(&a, RT_DEVICE, q, 50);
	tap_ok(a.current[RT_DEVICE] == 0 && a.peak[RT_DEVICE] == 100050 && a.peak[RT_HOST] == 0,
	       "the peak stays");
	tap_ok(!rt_map(&a, RT_HOST, 0) && !rt_map(&a, RT_HOST, UINT64_MAX),
	       "nothing and everything are refused");
	tap_ok(!rt_alloc(SIZE_MAX / 2, 4), "a product that overflows is refused");
#ifndef EDGE_DEBUG
	rt_seal(true);
	rt_free(rt_alloc(1, 1));
	rt_seal(false);
	before++;
#endif
	tap_ok(rt_sealed_allocations() == before, "allocations of a sealed thread are seen");
	tap_ok(rt_rss() > 0 && rt_peak_rss() >= rt_rss() / 2 && rt_process_start() <= rt_now(),
	       "the process is measured");
}

int main(void)
{
	if (!mkdtemp(directory))
		return 1;
	snprintf(path, sizeof(path), "%s/t.npy", directory);
	check_headers();
	check_damage();
	check_round_trip();
	check_outfile();
	check_json();
	check_memory();
	rmdir(directory);
	return tap_done();
}
