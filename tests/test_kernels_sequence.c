/* SPDX-License-Identifier: Apache-2.0 */
/* test_kernels_sequence.c - attention, lstm and gru with all their options. */
#include "config.h"

#include "kernel_harness.h"

#include <math.h>

static void attention(struct harness *h, int sq, int sk, int d, int dv, const char *options)
{
	harness_textf(h, "attention",
		      "%%0 \"q\" = input f32[2,3,%d,%d]\n%%1 \"k\" = input f32[2,3,%d,%d]\n%%2 \"v\" = input f32[2,3,%d,%d]\n"
		      "%%3 = attention(%%0, %%1, %%2) {%s} : f32[2,3,%d,%d]\noutput \"y\" %%3\n",
		      sq, d, sk, d, sk, dv, options, sq, dv);
}

static void masked(struct harness *h, const char *what, int sq, int sk, const char *mask, int causal)
{
	struct harness_case *c =
		harness_textf(h, what,
			      "%%0 \"q\" = input f32[2,3,%d,20]\n%%1 \"k\" = input f32[2,3,%d,20]\n"
			      "%%2 \"v\" = input f32[2,3,%d,17]\n%%3 \"m\" = input %s\n"
			      "%%4 = attention(%%0, %%1, %%2, %%3) {scale = 0.3, causal = %d} : f32[2,3,%d,17]\n"
			      "output \"y\" %%4\n", sq, sk, sk, mask, causal, sq);

	c->low = -2;
	c->high = 2;
}

/* Scores that grow from key to key, far beyond what an exponential can be of: what was summed up must follow. */
static void growing(struct harness *h, const char *options)
{
	static float q[37 * 24], k[150 * 24];
	struct harness_case *c = harness_textf(
		h, "scores grow with the key",
		"%%0 \"q\" = input f32[37,24]\n%%1 \"k\" = input f32[150,24]\n%%2 \"v\" = input f32[150,16]\n"
		"%%3 = attention(%%0, %%1, %%2) {%s} : f32[37,16]\noutput \"y\" %%3\n", options);

	for (int i = 0; i < 37 * 24; i++)
		q[i] = i % 24 == 0 ? 1.0f + (float)(i / 24 % 5) : 0.01f * (float)(i % 7);
	for (int i = 0; i < 150 * 24; i++)
		k[i] = i % 24 == 0 ? (float)(i / 24 - 70) * 1.5f : 0.01f * (float)(i % 11);
	harness_input(h, c, 0, q);
	harness_input(h, c, 1, k);
	c->tolerance = 1e-4;
}

/* `moves`: launches beside the attention's own. */
static void heads(struct harness *h, struct harness_case *c, uint32_t moves, const char *what)
{
	struct kernel_set *ks = codegen_select(&h->arena, c->g, &h->target, &h->diag);

	harness_ok(ks && ks->launches.len == 1 + moves, what);
}

/* Heads side by side, as a product leaves them and the next one wants them: nothing is moved for attention. */
static void test_heads(struct harness *h)
{
	static const int queries[] = { 5, 37, 131 };
	struct harness_case *c;

	for (int i = 0; i < 3; i++) {
		int s = queries[i], last = s > 128; /* a launch of their own for the last few rows */

		c = harness_textf(h, "heads out of one product, and back",
				  "%%0 \"x\" = input f32[2,%d,108]\n%%1 = reshape(%%0) {shape = [2,%d,3,3,12]} : f32[2,%d,3,3,12]\n"
				  "%%2 = map(;%%1 view 0 [%d,12,108,1]) [identity(i0) f32] : f32[2,3,%d,12]\n"
				  "%%3 = map(;%%1 view 36 [%d,12,108,1]) [identity(i0) f32] : f32[2,3,%d,12]\n"
				  "%%4 = map(;%%1 view 72 [%d,12,108,1]) [identity(i0) f32] : f32[2,3,%d,12]\n"
				  "%%5 = attention(%%2, %%3, %%4) {scale = 0.3} : f32[2,3,%d,12]\n"
				  "%%6 = transpose(%%5) {perm = [0,2,1,3]} : f32[2,%d,3,12]\n"
				  "%%7 = reshape(%%6) {shape = [2,%d,36]} : f32[2,%d,36]\noutput \"y\" %%7\n",
				  s, s, s, s * 108, s, s * 108, s, s * 108, s, s, s, s, s);
		heads(h, c, last, "they are read and written where they are");
		c = harness_textf(h, "heads of three products, causal",
				  "%%0 \"q\" = input f32[%d,3,20]\n%%1 \"k\" = input f32[%d,3,20]\n%%2 \"v\" = input f32[%d,3,17]\n"
				  "%%3 = transpose(%%0) {perm = [1,0,2]} : f32[3,%d,20]\n%%4 = transpose(%%1) {perm = [1,0,2]} : f32[3,%d,20]\n"
				  "%%5 = transpose(%%2) {perm = [1,0,2]} : f32[3,%d,17]\n"
				  "%%6 = attention(%%3, %%4, %%5) {scale = 0.3, causal = 1} : f32[3,%d,17]\n"
				  "%%7 = transpose(%%6) {perm = [1,0,2]} : f32[%d,3,17]\noutput \"y\" %%7\n",
				  s, s, s, s, s, s, s, s);
		heads(h, c, last, "of any size, too");
		c = harness_textf(h, "keys that somebody else reads, an epilogue, the result turned otherwise",
				  "%%0 \"q\" = input f32[%d,3,20]\n%%1 \"k\" = input f32[9,3,20]\n%%2 \"v\" = input f32[3,17,9]\n"
				  "%%3 = transpose(%%0) {perm = [1,0,2]} : f32[3,%d,20]\n%%4 = transpose(%%1) {perm = [1,0,2]} : f32[3,9,20]\n"
				  "%%5 = transpose(%%2) {perm = [0,2,1]} : f32[3,9,17]\n"
				  "%%6 = attention(%%3, %%4, %%5) {scale = 0.3} [exp(r0) f32] : f32[3,%d,17]\n"
				  "%%7 = transpose(%%6) {perm = [1,0,2]} : f32[%d,3,17]\n"
				  "%%8 = transpose(%%6) {perm = [0,2,1]} : f32[3,17,%d]\n"
				  "output \"y\" %%7\noutput \"z\" %%8\noutput \"k\" %%4\n", s, s, s, s, s);
		heads(h, c, 4 + last, "what is not of use to attention alone is made");
	}
}

static void test_attention(struct harness *h)
{
	static float forbid[5 * 7], forbid_many[50 * 71];
	struct harness_case *c;

	attention(h, 8, 16, 32, 32, "scale = 0.17");
	attention(h, 19, 37, 17, 33, "scale = 0.5");
	attention(h, 1, 50, 64, 64, "scale = 0.125");
	attention(h, 5, 3, 3, 1, "scale = 1.0");
	attention(h, 33, 33, 24, 16, "scale = 0.25, causal = 1");
	attention(h, 9, 40, 16, 16, "scale = 0.25, causal = 1");
	attention(h, 40, 9, 24, 16, "scale = 0.3");
	attention(h, 47, 150, 24, 16, "scale = 0.5");
	attention(h, 70, 131, 24, 16, "scale = 0.2, causal = 1");
	attention(h, 131, 70, 24, 16, "scale = 0.2, causal = 1");
	attention(h, 16, 17, 515, 3, "scale = 0.05");
	attention(h, 133, 40, 16, 8, "scale = 0.2");
	attention(h, 144, 150, 8, 16, "scale = 0.2, causal = 1");
	/* a last block of a few rows more is a launch of its own */
	attention(h, 129, 35, 20, 17, "scale = 0.3");
	attention(h, 137, 70, 20, 17, "scale = 0.3");
	attention(h, 136, 150, 72, 72, "scale = 0.2, causal = 1");
	growing(h, "scale = 1.0");
	growing(h, "scale = 1.0, causal = 1");
	c = harness_text(h, "attention to one key among many, large scores",
			 "%0 \"q\" = input f32[1,9,8]\n%1 \"k\" = input f32[1,100,8]\n%2 \"v\" = input f32[1,100,8]\n"
			 "%3 = attention(%0, %1, %2) {scale = 1.0} : f32[1,9,8]\noutput \"y\" %3\n");
	c->low = -9;
	c->high = 9;
	c->tolerance = 1e-4; /* scores of hundreds: their own rounding shows in the exponentials */
	masked(h, "mask for all heads", 13, 21, "f32[13,21]", 0);
	masked(h, "mask by batch and key", 13, 21, "f32[2,1,1,21]", 0);
	masked(h, "mask by row", 13, 21, "f32[3,13,1]", 1);
	masked(h, "mask by head", 13, 21, "f32[3,1,21]", 1);
	harness_text(h, "heads of heads",
		     "%0 \"q\" = input f32[2,2,3,20,8]\n%1 \"k\" = input f32[2,2,3,9,8]\n%2 \"v\" = input f32[2,2,3,9,8]\n"
		     "%3 = attention(%0, %1, %2) {scale = 0.3} : f32[2,2,3,20,8]\noutput \"y\" %3\n");
	masked(h, "mask for all heads, many rows", 53, 77, "f32[53,77]", 0);
	masked(h, "mask by batch and key, many rows", 53, 77, "f32[2,1,1,77]", 0);
	masked(h, "mask by row, many rows", 53, 77, "f32[3,53,1]", 1);
	masked(h, "mask by head, many rows", 53, 77, "f32[3,1,77]", 1);
	masked(h, "mask for all heads, a last block of few rows", 133, 37, "f32[133,37]", 0);
	masked(h, "mask by row, a last block of few rows", 133, 37, "f32[3,133,1]", 1);
	c = harness_text(h, "rows that may look at nothing give zeros, epilogue",
			 "%0 \"q\" = input f32[5,8]\n%1 \"k\" = input f32[7,8]\n%2 \"v\" = input f32[7,8]\n"
			 "%3 \"m\" = input f32[5,7]\n%4 \"r\" = input f32[5,8]\n"
			 "%5 = attention(%0, %1, %2, %3; %4) {scale = 0.3} [add(r0, i0) f32] : f32[5,8]\noutput \"y\" %5\n");
	for (int i = 0; i < 5 * 7; i++)
		forbid[i] = i / 7 == 2 || i % 7 == 6 ? -INFINITY : 0;
	harness_input(h, c, 3, forbid);
	c = harness_text(h, "many rows of which some may look at nothing, epilogue",
			 "%0 \"q\" = input f32[50,8]\n%1 \"k\" = input f32[71,8]\n%2 \"v\" = input f32[71,8]\n"
			 "%3 \"m\" = input f32[50,71]\n%4 \"r\" = input f32[50,8]\n"
			 "%5 = attention(%0, %1, %2, %3; %4) {scale = 0.3} [add(r0, i0) f32] : f32[50,8]\noutput \"y\" %5\n");
	for (int i = 0; i < 50 * 71; i++) {
		int row = i / 71, key = i % 71;

		forbid_many[i] = row % 7 == 2 || key % 7 == 6 || (row > 40 && key < 66) ? -INFINITY : 0;
	}
	harness_input(h, c, 3, forbid_many);
}

/* seq 5, batch 3, inputs 7, hidden 19 */
static struct harness_case *recurrent(struct harness *h, const char *what, bool lstm, int directions, bool layout,
				      const char *inputs, const char *attrs)
{
	int gates = lstm ? 4 : 3;
	const char *x = layout ? "3,5,7" : "5,3,7";
	char state[32], y[32], cell[64] = "";

	snprintf(state, sizeof state, layout ? "3,%d,19" : "%d,3,19", directions);
	snprintf(y, sizeof y, layout ? "3,5,%d,19" : "5,%d,3,19", directions);
	if (lstm)
		snprintf(cell, sizeof cell, ", f32[%s]", state);
	return harness_textf(h, what,
		"%%0 \"x\" = input f32[%s]\n%%1 = const f32[%d,%d,7] = random seed 3 mean 0.0 deviation 0.4 f32[%d,%d,7]\n"
		"%%2 = const f32[%d,%d,19] = random seed 4 mean 0.0 deviation 0.3 f32[%d,%d,19]\n"
		"%%3 = const f32[%d,%d] = random seed 5 mean 0.0 deviation 0.3 f32[%d,%d]\n"
		"%%4 = const i32[3] = memory i32[3] {5, 2, 0}\n"
		"%%5 \"h0\" = input f32[%s]\n%%6 \"c0\" = input f32[%s]\n"
		"%%7 = const f32[%d,57] = random seed 6 mean 0.0 deviation 0.3 f32[%d,57]\n"
		"%%8, %%9%s = %s(%%0, %%1, %%2%s) {hidden = 19, %s} : f32[%s], f32[%s]%s\n"
		"output \"y\" %%8\noutput \"yh\" %%9\n%s",
		x, directions, gates * 19, directions, gates * 19, directions, gates * 19, directions, gates * 19,
		directions, 2 * gates * 19, directions, 2 * gates * 19, state, state, directions, directions,
		lstm ? ", %10" : "", lstm ? "lstm" : "gru", inputs, attrs, y, state, cell,
		lstm ? "output \"yc\" %10\n" : "");
}

static void test_lstm(struct harness *h)
{
	recurrent(h, "lstm", true, 1, false, "", "direction = 0, layout = 0, input_forget = 0");
	recurrent(h, "lstm, everything, both directions", true, 2, false, ", %3, %4, %5, %6, %7",
		  "direction = 2, layout = 0, input_forget = 0");
	recurrent(h, "lstm, reverse, batch first, clip", true, 1, true, ", %3, _, %5, %6",
		  "direction = 1, layout = 1, clip = 0.3, input_forget = 1");
	recurrent(h, "lstm, other activations by direction", true, 2, true, ", %3, %4",
		  "direction = 2, layout = 1, input_forget = 0, activations = [6,5,8,9,3,7],"
		  " alphas = {0.25,1.2,0.0,0.0,0.1,0.9}, betas = {0.45,0.7,0.0,0.0,0.0,0.0}");
	recurrent(h, "lstm, the rest of the activations", true, 2, false, ", %3",
		  "direction = 2, layout = 0, input_forget = 0, activations = [2,10,4,2,10,4],"
		  " alphas = {0.0,0.5,0.1,0.0,0.5,0.1}, betas = {0.0,0.1,0.0,0.0,0.1,0.0}");
}

static void test_gru(struct harness *h)
{
	recurrent(h, "gru", false, 1, false, "", "direction = 0, layout = 0, linear_before_reset = 0");
	recurrent(h, "gru, everything, both directions", false, 2, false, ", %3, %4, %5",
		  "direction = 2, layout = 0, linear_before_reset = 0");
	recurrent(h, "gru, linear before reset", false, 2, true, ", %3, %4, %5",
		  "direction = 2, layout = 1, linear_before_reset = 1");
	recurrent(h, "gru, reverse, clip, other activations", false, 1, false, ", %3, _, %5",
		  "direction = 1, layout = 0, linear_before_reset = 1, clip = 0.5, activations = [6,1],"
		  " alphas = {0.2,0.0}, betas = {0.5,0.0}");
}

int main(void)
{
	struct harness h;

	harness_init(&h, TARGET_CPU_KERNELS);
	h.quick = true;
	test_attention(&h);
	test_heads(&h);
	test_lstm(&h);
	test_gru(&h);
	return harness_run(&h);
}
