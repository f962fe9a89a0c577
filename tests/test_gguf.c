/* SPDX-License-Identifier: Apache-2.0 */
/*
 * test_gguf.c - language models in GGUF files: good ones of every
 * architecture, what is refused and how, and files that are damaged in every
 * byte of their front.
 */
#include "config.h"

#include "import/gguf.h"
#include "import/gguf_model.h"
#include "tap.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { WIDTH = 32, HEADS = 4, KV = 2, HEAD = 8, HIDDEN = 64, LAYERS = 1, TOKENS = 24, BYTES = 8 };

static char path[256];

/* ---- a file ---- */

struct file {
	struct strbuf keys, tensors, data;
	uint32_t key_count, tensor_count;
	const char *architecture;
};

static void put32(struct strbuf *b, uint32_t x)
{
	strbuf_add(b, &x, sizeof x);
}

static void put64(struct strbuf *b, uint64_t x)
{
	strbuf_add(b, &x, sizeof x);
}

static void put_string(struct strbuf *b, const char *s)
{
	put64(b, strlen(s));
	strbuf_puts(b, s);
}

static void key(struct file *f, const char *name, uint32_t type)
{
	char full[96];

	snprintf(full, sizeof full, "%s%s%s", *name == '.' ? f->architecture : "", *name == '.' ? "" : "", name);
	put_string(&f->keys, full);
	put32(&f->keys, type);
	f->key_count++;
}

static void key_u32(struct file *f, const char *name, uint32_t x)
{
	key(f, name, GGUF_U32);
	put32(&f->keys, x);
}

static void key_f32(struct file *f, const char *name, float x)
{
	key(f, name, GGUF_F32);
	strbuf_add(&f->keys, &x, sizeof x);
}

static void key_text(struct file *f, const char *name, const char *x)
{
	key(f, name, GGUF_STRING);
	put_string(&f->keys, x);
}

static void tensor(struct file *f, const char *name, uint32_t type, uint64_t rows, uint64_t columns)
{
	uint64_t bytes = (rows ? rows : 1) * (type == 8 ? columns / 32 * 34 : columns * (type == 1 ? 2 : 4));

	put_string(&f->tensors, name);
	put32(&f->tensors, rows ? 2 : 1);
	put64(&f->tensors, columns);
	if (rows)
		put64(&f->tensors, rows);
	put32(&f->tensors, type);
	put64(&f->tensors, f->data.len);
	f->tensor_count++;
	for (uint64_t i = 0; i < (bytes + 31) / 32 * 32; i++)
		strbuf_add(&f->data, "", 1);
}

static void layer_tensor(struct file *f, int layer, const char *name, uint32_t type, uint64_t rows, uint64_t columns)
{
	char full[64];

	snprintf(full, sizeof full, "blk.%d.%s", layer, name);
	tensor(f, full, type, rows, columns);
}

static void tokens(struct file *f, bool bpe)
{
	char text[16];

	key_text(f, "tokenizer.ggml.model", bpe ? "gpt2" : "llama");
	if (bpe)
		key_text(f, "tokenizer.ggml.pre", "qwen2");
	key(f, "tokenizer.ggml.tokens", GGUF_ARRAY);
	put32(&f->keys, GGUF_STRING);
	put64(&f->keys, TOKENS);
	for (int i = 0; i < TOKENS; i++) {
		if (i >= 3 && i < 3 + BYTES)
			snprintf(text, sizeof text, "<0x%02X>", (unsigned)(i - 3));
		else
			snprintf(text, sizeof text, i == 1 ? "<s>" : i == 2 ? "</s>" : "t%d", i);
		put_string(&f->keys, text);
	}
	key(f, "tokenizer.ggml.scores", GGUF_ARRAY);
	put32(&f->keys, GGUF_F32);
	put64(&f->keys, TOKENS);
	for (int i = 0; i < TOKENS; i++)
		put32(&f->keys, 0);
	key(f, "tokenizer.ggml.token_type", GGUF_ARRAY);
	put32(&f->keys, GGUF_I32);
	put64(&f->keys, TOKENS);
	for (int i = 0; i < TOKENS; i++)
		put32(&f->keys, i == 0 ? 2 : i < 3 ? 3 : i < 3 + BYTES ? 6 : 1);
	if (bpe) {
		key(f, "tokenizer.ggml.merges", GGUF_ARRAY);
		put32(&f->keys, GGUF_STRING);
		put64(&f->keys, 1);
		put_string(&f->keys, "t2 0");
	}
	key_u32(f, "tokenizer.ggml.bos_token_id", 1);
}

enum { WITH_BIAS = 1, WITH_HEAD_NORMS = 2, WITH_POST_NORMS = 4, UNTIED = 8, QUANTISED = 16, BPE = 32 };

static void begin(struct file *f, const char *architecture)
{
	*f = (struct file){ .architecture = architecture };
	key_text(f, "general.architecture", architecture);
	key_u32(f, ".context_length", 64);
	key_u32(f, ".embedding_length", WIDTH);
	key_u32(f, ".block_count", LAYERS);
	key_u32(f, ".feed_forward_length", HIDDEN);
	key_u32(f, ".attention.head_count", HEADS);
	key_u32(f, ".attention.head_count_kv", KV);
	key_f32(f, ".attention.layer_norm_rms_epsilon", 1e-5f);
}

static void model(struct file *f, const char *architecture, unsigned with)
{
	uint32_t type = with & QUANTISED ? 8 : 1;

	begin(f, architecture);
	tokens(f, with & BPE);
	tensor(f, "token_embd.weight", type, TOKENS, WIDTH);
	for (int i = 0; i < LAYERS; i++) {
		layer_tensor(f, i, "attn_norm.weight", 0, 0, WIDTH);
		layer_tensor(f, i, "attn_q.weight", type, HEADS * HEAD, WIDTH);
		layer_tensor(f, i, "attn_k.weight", type, KV * HEAD, WIDTH);
		layer_tensor(f, i, "attn_v.weight", type, KV * HEAD, WIDTH);
		layer_tensor(f, i, "attn_output.weight", type, WIDTH, HEADS * HEAD);
		layer_tensor(f, i, "ffn_norm.weight", 0, 0, WIDTH);
		layer_tensor(f, i, "ffn_gate.weight", type, HIDDEN, WIDTH);
		layer_tensor(f, i, "ffn_up.weight", type, HIDDEN, WIDTH);
		layer_tensor(f, i, "ffn_down.weight", type, WIDTH, HIDDEN);
		if (with & WITH_BIAS) {
			layer_tensor(f, i, "attn_q.bias", 0, 0, HEADS * HEAD);
			layer_tensor(f, i, "attn_k.bias", 0, 0, KV * HEAD);
			layer_tensor(f, i, "attn_v.bias", 0, 0, KV * HEAD);
		}
		if (with & WITH_HEAD_NORMS) {
			layer_tensor(f, i, "attn_q_norm.weight", 0, 0, HEAD);
			layer_tensor(f, i, "attn_k_norm.weight", 0, 0, HEAD);
		}
		if (with & WITH_POST_NORMS) {
			layer_tensor(f, i, "post_attention_norm.weight", 0, 0, WIDTH);
			layer_tensor(f, i, "post_ffw_norm.weight", 0, 0, WIDTH);
		}
	}
	tensor(f, "output_norm.weight", 0, 0, WIDTH);
	if (with & UNTIED)
		tensor(f, "output.weight", type, TOKENS, WIDTH);
}

/* The whole file; *front: bytes before the tensors'. */
static struct strbuf file_bytes(struct file *f, size_t *front)
{
	struct strbuf b = { 0 };

	strbuf_puts(&b, "GGUF");
	put32(&b, 3);
	put64(&b, f->tensor_count);
	put64(&b, f->key_count);
	strbuf_add(&b, f->keys.data, f->keys.len);
	strbuf_add(&b, f->tensors.data, f->tensors.len);
	*front = b.len;
	while (b.len % 32)
		strbuf_add(&b, "", 1);
	strbuf_add(&b, f->data.data, f->data.len);
	strbuf_free(&f->keys);
	strbuf_free(&f->tensors);
	strbuf_free(&f->data);
	return b;
}

static void save(const char *bytes, size_t size)
{
	FILE *out = fopen(path, "wb");

	if (!out || fwrite(bytes, 1, size, out) != size || fclose(out))
		exit(99);
}

/* ---- reading it ---- */

static bool reads(char *said, size_t said_size, int64_t rows)
{
	struct arena a = { 0 };
	struct diag d;
	struct decl_model m = { .name = "m", .kind = DECL_MODEL_GGUF, .path = path };
	struct language_options o = { .rows = rows, .scored = 1, .context = 32, .cache = DTYPE_F16 };
	struct language_model l;
	struct gguf *g;
	char *text = NULL;
	size_t size = 0;
	FILE *out = open_memstream(&text, &size);
	bool good;

	diag_init(&d, &a, out);
	g = gguf_model_open(&a, &d, &m, &l);
	good = g && gguf_model_graph(g, &m, &l, &o);
	fclose(out);
	if (good == (d.errors > 0))
		printf("# good %d with %u errors: %s\n", good, d.errors, text);
	good = good && !d.errors;
	if (said)
		snprintf(said, said_size, "%s", text);
	free(text);
	arena_release(&a);
	return good;
}

static void expect_good(const char *architecture, unsigned with)
{
	struct file f;
	size_t front;
	struct strbuf b;
	char said[512];

	model(&f, architecture, with);
	b = file_bytes(&f, &front);
	save(b.data, b.len);
	if (!tap_ok(reads(said, sizeof said, 1) && reads(said, sizeof said, 8), "%s, with %#x", architecture, with))
		printf("# %s\n", said);
	strbuf_free(&b);
}

static void expect_bad(struct file *f, const char *why)
{
	size_t front;
	struct strbuf b = file_bytes(f, &front);
	char said[512];

	save(b.data, b.len);
	if (!tap_ok(!reads(said, sizeof said, 1) && strstr(said, why), "%s", why))
		printf("# said: %s\n", said);
	strbuf_free(&b);
}

/* An array of one array of ... of two numbers. */
static void nested(struct file *f, int depth)
{
	key(f, "nested", GGUF_ARRAY);
	for (int i = 1; i < depth; i++) {
		put32(&f->keys, GGUF_ARRAY);
		put64(&f->keys, 1);
	}
	put32(&f->keys, GGUF_U32);
	put64(&f->keys, 2);
	put64(&f->keys, 0);
}

/* What is in a file besides, and what it need not say. */
static void test_keys(void)
{
	struct arena a = { 0 };
	struct diag d;
	struct model_config m;
	struct strbuf b;
	struct file f;
	struct gguf *g;
	size_t front;

	model(&f, "gemma2", WITH_POST_NORMS);
	nested(&f, 4);
	key_f32(&f, ".rope.scaling.factor", 4);
	key_text(&f, ".rope.scaling.type", "yarn");
	key_f32(&f, ".rope.scaling.yarn_attn_factor", 1.14f);
	b = file_bytes(&f, &front);
	save(b.data, b.len);
	diag_init(&d, &a, stderr);
	g = gguf_open(&a, &d, path, (struct span){ 0 });
	tap_ok(g && model_config(g, &m), "arrays in arrays of keys that nobody asks for");
	tap_ok(m.window == 4096 && m.attention_cap == 50 && m.output_cap == 30, "a gemma2 without them has its window and caps");
	tap_ok(m.attention_factor == 1, "the factor of attention is counted once");
	strbuf_free(&b);
	arena_release(&a);
}

/* gemma3: five layers with a window and a base of their own, then one without. */
static void test_windows(void)
{
	struct arena a = { 0 };
	struct diag d;
	struct model_config m;
	struct strbuf b;
	struct file f;
	struct gguf *g;
	float far[HEAD], near[HEAD];
	double scale;
	size_t front;

	model(&f, "gemma3", WITH_POST_NORMS | WITH_HEAD_NORMS);
	key_u32(&f, ".attention.sliding_window", 512);
	key_f32(&f, ".rope.freq_base", 1e6f);
	key_f32(&f, ".rope.scaling.factor", 8);
	key_text(&f, ".rope.scaling.type", "linear");
	b = file_bytes(&f, &front);
	save(b.data, b.len);
	diag_init(&d, &a, stderr);
	g = gguf_open(&a, &d, path, (struct span){ 0 });
	tap_ok(g && model_config(g, &m) && m.window == 512 && m.windows == 6 && m.window_base == 10000,
	       "gemma3 has a window in five layers of six");
	tap_ok(model_turns(g, &m, false, far, &scale) && model_turns(g, &m, true, near, &scale) &&
	       fabs((double)(near[0] / far[0]) - 8) < 1e-3 && fabs((double)(near[1] / far[1]) - 8 * pow(100, 2.0 / HEAD)) < 1e-3,
	       "whose pairs turn by a base of their own, unscaled: %g and %g", (double)(near[1] / far[1]), 8 * pow(100, 2.0 / HEAD));
	strbuf_free(&b);
	arena_release(&a);
}

static void test_refusals(void)
{
	struct file f;

	model(&f, "mamba", 0);
	expect_bad(&f, "architecture \"mamba\" is not supported");
	model(&f, "llama", 0);
	key_u32(&f, ".expert_count", 8);
	expect_bad(&f, "a mixture of 8 experts is not supported");
	model(&f, "llama", 0);
	key_text(&f, ".rope.scaling.type", "longrope");
	expect_bad(&f, "rope scaling of type \"longrope\" is not supported");
	model(&f, "llama", 0);
	key_text(&f, ".rope.scaling.type", "yarn");
	key_f32(&f, ".rope.scaling.factor", 4);
	key_f32(&f, ".rope.scaling.yarn_beta_fast", 0);
	expect_bad(&f, "its rope scaling has the bounds 0 and 1");
	model(&f, "llama", 0);
	key_u32(&f, ".attention.value_length", 16);
	expect_bad(&f, "keys of 8 and values of 16 elements are not supported");
	model(&f, "llama", 0);
	key_u32(&f, "split.count", 3);
	expect_bad(&f, "it is file 1 of 3 of a model that was split");
	model(&f, "llama", 0);
	nested(&f, 5);
	expect_bad(&f, "key \"nested\" has more than 4 arrays in each other");
	model(&f, "llama", 0);
	tensor(&f, "blk.0.extra.weight", 0, 0, 8);
	expect_bad(&f, "tensor \"blk.0.extra.weight\" is not known for architecture \"llama\"");
	model(&f, "llama", 0);
	tensor(&f, "blk.9.attn_norm.weight", 10, 0, 256);
	expect_bad(&f, "is stored as Q2_K (type 10), which is not supported");
	model(&f, "llama", 0);
	tensor(&f, "output.weight", 0, TOKENS, WIDTH / 2);
	expect_bad(&f, "tensor \"output.weight\" is f32[24,16], not [24,32]");
	model(&f, "llama", 0);
	key_u32(&f, "general.alignment", 12);
	expect_bad(&f, "general.alignment is 12");
	begin(&f, "llama");
	tokens(&f, false);
	tensor(&f, "token_embd.weight", 1, TOKENS, WIDTH);
	expect_bad(&f, "tensor \"blk.0.attn_norm.weight\" is missing");
	begin(&f, "llama");
	tensor(&f, "token_embd.weight", 1, TOKENS, WIDTH);
	expect_bad(&f, "it has no tokenizer");
	begin(&f, "llama");
	key_u32(&f, ".context_length", 64);
	expect_bad(&f, "key \"llama.context_length\" is there twice");
}

/* Cut at every byte of the front, and every byte of it changed in three ways. */
static void test_damage(unsigned with)
{
	static const unsigned char flip[] = { 0x01, 0x80, 0xff };
	struct file f;
	size_t front;
	struct strbuf b;
	unsigned accepted = 0, step;

	model(&f, "llama", with);
	b = file_bytes(&f, &front);
	step = (unsigned)(front / 500) + 1;
	for (size_t i = 0; i < front; i += step) {
		save(b.data, i);
		accepted += reads(NULL, 0, 1);
	}
	tap_ok(accepted == 0, "no file cut in its front is read");
	for (size_t i = 0; i < front; i += step)
		for (unsigned k = 0; k < sizeof flip; k++) {
			b.data[i] = (char)(b.data[i] ^ flip[k]);
			save(b.data, b.len);
			accepted += reads(NULL, 0, 1);
			b.data[i] = (char)(b.data[i] ^ flip[k]);
		}
	tap_ok(true, "damaged in %u ways, %u of them harmless", (unsigned)(front / step * sizeof flip), accepted);
	save(b.data, b.len - 64);
	tap_ok(!reads(NULL, 0, 1), "a tensor that is cut");
	strbuf_free(&b);
}

int main(void)
{
	snprintf(path, sizeof path, "%.200s/test_gguf-%ld.gguf", getenv("TMPDIR") ? getenv("TMPDIR") : ".", (long)getpid());
	expect_good("llama", 0);
	expect_good("llama", UNTIED | QUANTISED);
	expect_good("qwen2", WITH_BIAS | BPE);
	expect_good("qwen3", WITH_HEAD_NORMS | UNTIED);
	expect_good("gemma", 0);
	expect_good("gemma2", WITH_POST_NORMS);
	expect_good("gemma3", WITH_POST_NORMS | WITH_HEAD_NORMS);
	test_windows();
	test_keys();
	test_refusals();
	test_damage(0);
	test_damage(BPE | QUANTISED);
	unlink(path);
	return tap_done();
}
