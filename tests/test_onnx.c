/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_onnx.c - ONNX files: each operator against recorded results, bad and
 * unsupported files, damaged files, and the real networks.
 *
 * The models of tests/onnx carry their inputs and the outputs of ONNX Runtime
 * as initialisers that no node reads: "given NAME", "expected NAME".
 */
#include "config.h"

#include "base/memory.h"
#include "base/npy.h"
#include "eval_graph.h"
#include "import/import.h"
#include "pass/pass.h"
#include "ref/ref.h"
#include "tap.h"

#include <dirent.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* An import and what it said. */
struct attempt {
	struct arena arena;
	struct diag diag;
	struct graph *g;
	char *text;
	size_t size;
	FILE *out;
};

static void attempt(struct attempt *t, const char *path, const struct import_options *o,
		    const struct decl_model *with)
{
	struct decl_model m = with ? *with : (struct decl_model){ .name = "m" };

	memset(t, 0, sizeof *t);
	m.path = path;
	t->out = open_memstream(&t->text, &t->size);
	diag_init(&t->diag, &t->arena, t->out);
	t->g = import_onnx(&t->arena, &t->diag, &m, o);
	fflush(t->out);
}

static void attempt_end(struct attempt *t)
{
	fclose(t->out);
	free(t->text);
	arena_release(&t->arena);
}

static void show(const struct attempt *t)
{
	const char *p = t->text;

	while (p && *p) {
		size_t n = strcspn(p, "\n");

		printf("# %.*s\n", (int)n, p);
		p += n + (p[n] == '\n');
	}
}

static value_id find_const(const struct graph *g, const char *prefix, const char *name)
{
	size_t n = strlen(prefix);

	for (value_id v = 0; v < g->values.len; v++) {
		const struct value *x = graph_value(g, v);

		if (x->kind == VALUE_CONST && x->name && strncmp(x->name, prefix, n) == 0 &&
		    strcmp(x->name + n, name) == 0)
			return v;
	}
	return NO_ID;
}

/* Largest difference over the largest value (at least 1); infinite where one is not a number. */
static double distance(enum dtype t, const void *a, const void *b, int64_t n)
{
	struct ref_tensor x = { t, { 1, { n } }, (void *)(uintptr_t)a },
			  y = { t, { 1, { n } }, (void *)(uintptr_t)b };
	double worst = 0, largest = 1;

	for (int64_t i = 0; i < n; i++) {
		double p = ref_get(&x, i), q = ref_get(&y, i);

		if (isnan(p) != isnan(q) || (isinf(q) && p != q))
			return INFINITY;
		if (isnan(q) || isinf(q))
			continue;
		worst = fmax(worst, fabs(p - q));
		largest = fmax(largest, fabs(q));
	}
	return worst / largest;
}

static bool check_recorded(struct attempt *t)
{
	const struct graph *g = t->g;
	const void **in = arena_new_array(&t->arena, const void *, g->inputs.len);
	void **out = arena_new_array(&t->arena, void *, g->outputs.len);
	bool good = true;

	for (uint32_t i = 0; i < g->inputs.len; i++) {
		value_id v = find_const(g, "given ", graph_value(g, g->inputs.data[i])->name);
		void *bytes;

		if (v == NO_ID)
			return printf("# no recorded input\n"), false;
		bytes = arena_alloc(&t->arena, eval_bytes(g, v));
		good &= data_read(g, v, bytes, &t->diag);
		in[i] = bytes;
	}
	for (uint32_t i = 0; i < g->outputs.len; i++)
		out[i] = arena_alloc(&t->arena, eval_bytes(g, g->outputs.data[i]));
	if (!good || !eval_graph(g, in, out))
		return false;
	for (uint32_t i = 0; i < g->outputs.len; i++) {
		value_id v = find_const(g, "expected ", g->output_names.data[i]),
			 o = g->outputs.data[i];
		const struct value *want = v == NO_ID ? NULL : graph_value(g, v),
				   *got = graph_value(g, o);
		void *bytes;
		double far;

		if (!want || want->dtype != got->dtype || !shape_equal(&want->shape, &got->shape)) {
			printf("# output %s is %s%s, expected %s%s\n", g->output_names.data[i],
			       dtype_name(got->dtype), shape_string(&t->arena, &got->shape),
			       want ? dtype_name(want->dtype) : "nothing",
			       want ? shape_string(&t->arena, &want->shape) : "");
			return false;
		}
		bytes = arena_alloc(&t->arena, eval_bytes(g, v));
		data_read(g, v, bytes, &t->diag);
		far = distance(got->dtype, out[i], bytes, shape_elements(&got->shape));
		if (!(far <= (got->dtype == DTYPE_F16	   ? 2e-3
			      : dtype_is_float(got->dtype) ? 2e-6
							   : 0))) {
			printf("# output %s differs by %g\n", g->output_names.data[i], far);
			good = false;
		}
	}
	return good;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted paths of a folder's files that begin with `prefix` and end with `suffix`. */
static uint32_t list_files(struct arena *a, const char *folder, const char *prefix,
			   const char *suffix, char ***out)
{
	VEC(char *) list = { 0 };
	DIR *dir = opendir(folder);
	struct dirent *e;

	while (dir && (e = readdir(dir))) {
		size_t n = strlen(e->d_name), m = strlen(suffix);

		if (n >= m && strcmp(e->d_name + n - m, suffix) == 0 &&
		    strncmp(e->d_name, prefix, strlen(prefix)) == 0)
			vec_push(a, &list, arena_printf(a, "%s/%s", folder, e->d_name));
	}
	if (dir)
		closedir(dir);
	if (list.len)
		qsort(list.data, list.len, sizeof *list.data, by_text);
	*out = list.data;
	return list.len;
}

static const char *base_name(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
}

static void test_recorded(const char *srcdir)
{
	struct arena a = { 0 };
	char **files;
	uint32_t n = list_files(&a, arena_printf(&a, "%s/tests/onnx", srcdir), "", ".onnx", &files);

	tap_ok(n >= 250, "%u recorded models", n);
	for (uint32_t i = 0; i < n; i++) {
		struct attempt t;
		bool good;

		attempt(&t, files[i], NULL, NULL);
		good = t.g && graph_verify(t.g, &t.diag) && check_recorded(&t);
		fflush(t.out);
		if (!tap_ok(good, "%s", base_name(files[i])))
			show(&t);
		if (good) {
			good = passes_run(t.g, &t.diag, &(struct pass_options){ 0 }) &&
			       graph_verify(t.g, &t.diag) && check_recorded(&t);
			fflush(t.out);
			if (!tap_ok(good, "%s after all passes", base_name(files[i])))
				show(&t);
		}
		attempt_end(&t);
	}
	arena_release(&a);
}

/* good-* imports, bad-* is refused, unsupported-* is refused and says that it is that. */
static void test_corpus(const char *srcdir)
{
	struct arena a = { 0 };
	char **files;
	uint32_t n = list_files(&a, arena_printf(&a, "%s/tests/corpus/onnx", srcdir), "", ".onnx",
				&files);

	tap_ok(n >= 10, "%u models in the corpus", n);
	for (uint32_t i = 0; i < n; i++) {
		const char *name = base_name(files[i]);
		struct attempt t;
		bool good;

		attempt(&t, files[i], NULL, NULL);
		if (strncmp(name, "good-", 5) == 0)
			good = t.g != NULL;
		else
			good = !t.g && t.diag.errors &&
			       (strncmp(name, "bad-", 4) == 0 || strstr(t.text, "not supported") ||
				strstr(t.text, "unsupported"));
		if (!tap_ok(good, "%s", name))
			show(&t);
		attempt_end(&t);
	}
	arena_release(&a);
}

static unsigned char *read_file(const char *path, size_t *size)
{
	FILE *f = fopen(path, "rb");
	unsigned char *p;

	if (!f || fseek(f, 0, SEEK_END))
		exit(99);
	*size = (size_t)ftell(f);
	rewind(f);
	p = xmalloc(*size + 1);
	if (fread(p, 1, *size, f) != *size)
		exit(99);
	fclose(f);
	return p;
}

static void write_file(const char *path, const void *p, size_t size)
{
	FILE *f = fopen(path, "wb");

	if (!f || fwrite(p, 1, size, f) != size || fclose(f))
		exit(99);
}

/* Whatever comes out must be a valid graph, or an error and no graph; and must not eat memory. */
static bool survives(const char *path)
{
	struct attempt t;
	bool good;

	attempt(&t, path, NULL, NULL);
	good = t.g ? graph_verify(t.g, &t.diag) : t.diag.errors > 0;
	good &= t.arena.total < 64 << 20;
	attempt_end(&t);
	return good;
}

static void test_damage(const char *srcdir, const char *name, const char *tmp)
{
	struct arena a = { 0 };
	size_t size;
	unsigned char *p =
		read_file(arena_printf(&a, "%s/tests/onnx/%s.onnx", srcdir, name), &size);
	unsigned failures = 0;

	for (size_t n = 0; n < size; n++) {
		write_file(tmp, p, n);
		failures += !survives(tmp);
	}
	tap_ok(failures == 0, "%s: cut at each of its %zu bytes", name, size);
	failures = 0;
	for (size_t i = 0; i < size; i++) {
		for (unsigned bit = 0; bit < 8; bit += 1 + i % 2) {
			p[i] ^= (unsigned char)(1u << bit);
			write_file(tmp, p, size);
			failures += !survives(tmp);
			p[i] ^= (unsigned char)(1u << bit);
		}
	}
	tap_ok(failures == 0, "%s: with single bits flipped", name);
	free(p);
	arena_release(&a);
}

/* Messages that a person needs: what, where, and what to do. */
static void test_messages(const char *srcdir)
{
	static const struct {
		const char *file, *key, *value, *says;
	} cases[] = {
		{ "unsupported-two-operators", NULL, NULL, "MaxRoiPool (node \"first\", \"second\"), " },
		{ "unsupported-boxes", NULL, NULL, "output \"boxes\"; output \"scores:0\";" },
		{ "bad-symbolic", NULL, NULL,
		  "dimension \"batch\" of input \"x\" f32[batch,3,?] is not set" },
		{ "bad-symbolic", "batch", "2", "dimension 2 of input \"x\"" },
		{ "bad-symbolic", "x", "2x4x5", "declares it as f32[batch,3,?]" },
		{ "bad-symbolic", "x", "2x3xq", "is not a shape for input" },
		{ "bad-symbolic", "x", "2x3x5", NULL },
		{ "bad-run-time-shape", NULL, NULL,
		  "node \"Reshape_node\" (Reshape): input 1 (shape) must be known when compiling, "
		  "but \"s\" is" },
		{ "bad-location-outside", NULL, NULL, "outside of the model's folder" },
		{ "bad-location-missing", NULL, NULL, "could not open its external data" },
		{ "bad-inner-sizes", NULL, NULL, "MatMul_node" },
		{ "bad-input-twice", NULL, NULL, "input \"x\" is there twice" },
		{ "bad-self-unnamed", NULL, NULL, "node of output \"y\" (Add) needs its own result" },
	};
	struct arena a = { 0 };

	for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct setting set = { cases[i].key, cases[i].value };
		bool used = false, good;
		struct import_options o = { &set, cases[i].key ? 1 : 0, &used };
		struct attempt t;

		attempt(&t, arena_printf(&a, "%s/tests/corpus/onnx/%s.onnx", srcdir, cases[i].file),
			&o, NULL);
		good = cases[i].says ? !t.g && t.text && strstr(t.text, cases[i].says)
				     : t.g != NULL;
		good &= !cases[i].key || used;
		if (!tap_ok(good, "%s %s=%s says %s", cases[i].file,
			    cases[i].key ? cases[i].key : "", cases[i].value ? cases[i].value : "",
			    cases[i].says ? cases[i].says : "nothing"))
			show(&t);
		attempt_end(&t);
	}
	arena_release(&a);
}

/* Shapes from the model block, which is how a .edge file gives them. */
static void test_block(const char *srcdir)
{
	struct arena a = { 0 };
	struct decl_input_shape in = {
		.name = "x", .dtype = DTYPE_F32, .rank = 3, .dim = { 2, 3, 5 }
	};
	struct decl_model m = { .name = "m" };
	const char *path = arena_printf(&a, "%s/tests/corpus/onnx/bad-symbolic.onnx", srcdir);
	struct attempt t;

	vec_push(&a, &m.inputs, in);
	attempt(&t, path, NULL, &m);
	if (!tap_ok(t.g && graph_value(t.g, t.g->inputs.data[0])->shape.dim[0] == 2,
		    "a shape from the model block"))
		show(&t);
	attempt_end(&t);
	m.inputs.data[0].dtype = DTYPE_F16;
	attempt(&t, path, NULL, &m);
	tap_ok(!t.g && strstr(t.text, "cannot be f16"), "a wrong type in the model block");
	attempt_end(&t);
	m.inputs.data[0].name = "z";
	attempt(&t, path, NULL, &m);
	tap_ok(!t.g && strstr(t.text, "has no input \"z\""), "a wrong name in the model block");
	attempt_end(&t);
	arena_release(&a);
}

/* The model block says where the model ends: before what cannot be had. */
static void test_outputs(const char *srcdir)
{
	static const char *const names[] = { "boxes", "scores:0", "nothing" };
	struct arena a = { 0 };
	struct decl_model m = { .name = "m" };
	const char *path = arena_printf(&a, "%s/tests/corpus/onnx/unsupported-boxes.onnx", srcdir);
	struct attempt t;

	for (uint32_t i = 0; i < 2; i++)
		vec_push(&a, &m.outputs, (struct decl_output){ .name = names[i] });
	attempt(&t, path, NULL, &m);
	if (!tap_ok(t.g && t.g->outputs.len == 2 && strcmp(t.g->output_names.data[1], "scores:0") == 0,
		    "outputs from the model block"))
		show(&t);
	attempt_end(&t);
	vec_push(&a, &m.outputs, (struct decl_output){ .name = names[2] });
	attempt(&t, path, NULL, &m);
	tap_ok(!t.g && strstr(t.text, "has no tensor \"nothing\""), "an output that no node computes");
	attempt_end(&t);
	arena_release(&a);
}

/* tests/corpus/onnx/good-external.onnx with its data beside it, and that data cut short. */
static void test_external(const char *srcdir)
{
	struct arena a = { 0 };
	struct attempt t;
	float first = 0;
	value_id w;

	attempt(&t, arena_printf(&a, "%s/tests/corpus/onnx/good-external.onnx", srcdir), NULL,
		NULL);
	w = t.g ? find_const(t.g, "", "w") : NO_ID;
	tap_ok(w != NO_ID && graph_value(t.g, w)->data->where == DATA_FILE,
	       "external data stays in its file");
	if (w != NO_ID) {
		float *all = arena_alloc(&a, eval_bytes(t.g, w));

		data_read_f32(t.g, w, all, &t.diag);
		first = all[1];
	}
	tap_ok(first == 0.5f, "and is read from the right place");
	attempt_end(&t);
	arena_release(&a);
}

/* Appends a length-delimited field whose last `hole` bytes are to follow. */
static void put_field(struct strbuf *b, unsigned number, const struct strbuf *body, size_t hole)
{
	size_t n = body->len + hole;

	strbuf_add(b, &(unsigned char){ (unsigned char)(number << 3 | 2) }, 1);
	for (; n >= 128; n >>= 7)
		strbuf_add(b, &(unsigned char){ (unsigned char)(n | 128) }, 1);
	strbuf_add(b, &(unsigned char){ (unsigned char)n }, 1);
	strbuf_add(b, body->data, body->len);
}

/* Relu of one inline tensor of 1 GiB, which is a hole in the file and must not be touched. */
static void test_large(const char *tmp)
{
	static const char node[] = "\x0a\x01w\x12\x01y\x22\x04Relu", out[] = "\x0a\x01y",
			  opset[] = "\x42\x02\x10\x11";
	static const char tensor[] = "\x08\x80\x80\x01\x08\x80\x80\x01\x10\x01\x42\x01w";
	struct strbuf n = { 0 }, o = { 0 }, t = { 0 }, none = { 0 }, graph = { 0 }, model = { 0 };
	size_t hole = (size_t)1 << 30;
	struct attempt at;
	FILE *f;

	strbuf_add(&n, node, sizeof node - 1);
	strbuf_add(&o, out, sizeof out - 1);
	strbuf_add(&t, tensor, sizeof tensor - 1);
	put_field(&t, 9, &none, hole);
	put_field(&graph, 1, &n, 0);
	put_field(&graph, 12, &o, 0);
	put_field(&graph, 5, &t, hole);
	strbuf_add(&model, opset, sizeof opset - 1);
	put_field(&model, 7, &graph, hole);
	write_file(tmp, model.data, model.len);
	f = fopen(tmp, "r+b");
	if (f && ftruncate(fileno(f), (off_t)(model.len + hole)) == 0) {
		attempt(&at, tmp, NULL, NULL);
		if (!tap_ok(at.g && at.arena.total < 100000,
			    "a tensor of 1 GiB inside the file costs %zu bytes", at.arena.total))
			show(&at);
		attempt_end(&at);
	} else {
		tap_skip("no room for a file of 1 GiB with a hole");
	}
	if (f)
		fclose(f);
	strbuf_free(&n);
	strbuf_free(&o);
	strbuf_free(&t);
	strbuf_free(&graph);
	strbuf_free(&model);
}

static bool load_npy(struct arena *a, const char *path, size_t bytes, void **out)
{
	struct failure f = { 0 };
	struct npy n;
	void *p;

	if (npy_load(path, &n, &p, &f) != EDGE_OK)
		return false;
	*out = n.bytes == bytes ? arena_copy(a, p, bytes) : NULL;
	rt_free(p);
	return *out != NULL;
}

static char *plain_name(struct arena *a, const char *name)
{
	char *s = arena_strdup(a, name);

	for (char *p = s; *p; p++)
		if (!((*p >= 'a' && *p <= 'z') || (*p >= 'A' && *p <= 'Z') ||
		      (*p >= '0' && *p <= '9')))
			*p = '_';
	return s;
}

static bool check_network(struct attempt *t, const char *models, const char *name, int k,
			  double *worst)
{
	const struct graph *g = t->g;
	struct arena *a = &t->arena;
	void **in = arena_new_array(a, void *, g->inputs.len),
	     **out = arena_new_array(a, void *, g->outputs.len);

	*worst = INFINITY;
	for (uint32_t i = 0; i < g->inputs.len; i++) {
		value_id v = g->inputs.data[i];

		if (!load_npy(a,
			      arena_printf(a, "%s/%s.ref/input_%d_%s.npy", models, name, k,
					   plain_name(a, graph_value(g, v)->name)),
			      eval_bytes(g, v), &in[i]))
			return false;
	}
	for (uint32_t i = 0; i < g->outputs.len; i++)
		out[i] = arena_alloc(a, eval_bytes(g, g->outputs.data[i]));
	if (!eval_graph(g, (const void *const *)in, out))
		return false;
	*worst = 0;
	for (uint32_t i = 0; i < g->outputs.len; i++) {
		value_id v = g->outputs.data[i];
		int64_t n = shape_elements(&graph_value(g, v)->shape);
		double far = 0, largest = 0;
		void *want;

		if (!load_npy(a,
			      arena_printf(a, "%s/%s.ref/output_%d_%s.npy", models, name, k,
					   plain_name(a, g->output_names.data[i])),
			      eval_bytes(g, v), &want))
			return false;
		for (int64_t e = 0; e < n; e++) {
			double x = ((float *)out[i])[e], y = ((float *)want)[e];

			far = fmax(far, isnan(x) ? INFINITY : fabs(x - y));
			largest = fmax(largest, fabs(y));
		}
		*worst = fmax(*worst, far / largest);
	}
	return *worst <= 1e-4;
}

/* One reference pair each; the slow ones only where the references run at full speed. */
static void test_networks(const char *data)
{
	static const struct {
		const char *name;
		bool slow;
	} nets[] = { { "resnet20_cifar10", false },
		     { "silero_vad_16k", false },
		     { "kwt1", false },
		     { "fastestdet", true },
		     { "ultraface_rfb320", true },
		     { "squeezenet1.1", true } };
	struct arena a = { 0 };

	for (size_t i = 0; i < sizeof nets / sizeof *nets; i++) {
		const char *path = arena_printf(&a, "%s/models/%s.onnx", data, nets[i].name);
		struct attempt t;
		double worst;
		bool run = true;

		if (access(path, R_OK) != 0) {
			tap_skip("%s is not there", path);
			continue;
		}
#ifdef EDGE_ASAN
		run = !nets[i].slow;
#endif
		attempt(&t, path, NULL, NULL);
		if (!tap_ok(t.g && graph_verify(t.g, &t.diag), "%s imports: %u nodes", nets[i].name,
			    t.g ? t.g->nodes.len : 0)) {
			show(&t);
		} else if (!run) {
			tap_skip("%s is slow here", nets[i].name);
		} else {
			bool good = check_network(&t, arena_printf(&a, "%s/models", data),
						  nets[i].name, 0, &worst);

			tap_ok(good, "%s gives its reference within %.2g of the largest value",
			       nets[i].name, worst);
		}
		attempt_end(&t);
	}
	arena_release(&a);
}

int main(void)
{
	const char *srcdir = getenv("EDGE_SRCDIR"), *data = getenv("EDGE_DATA");
	char tmp[] = "test_onnx.XXXXXX";
	int fd = mkstemp(tmp);

	if (fd < 0)
		return 99;
	close(fd);
	if (!srcdir)
		srcdir = ".";
	test_recorded(srcdir);
	test_corpus(srcdir);
	test_messages(srcdir);
	test_block(srcdir);
	test_outputs(srcdir);
	test_external(srcdir);
	test_damage(srcdir, "Conv-11-1d", tmp);
	test_damage(srcdir, "shape-chain", tmp);
	test_damage(srcdir, "If-13", tmp);
	test_large(tmp);
	unlink(tmp);
	if (data)
		test_networks(data);
	else
		tap_skip("no real networks: EDGE_DATA is not set");
	return tap_done();
}
