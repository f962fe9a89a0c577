/* SPDX-License-Identifier: Apache-2.0 */
/* language_tool.h - what generate, perplexity and tokenize share. */
#ifndef EDGE_RT_LANGUAGE_TOOL_H
#define EDGE_RT_LANGUAGE_TOOL_H

#include "base/json.h"
#include "text/tokenizer.h"
#include "edge/edgert.h"

enum { OPT_SESSION_THREADS = 512, OPT_SESSION_DEVICE, OPT_SESSION_IO, OPT_SESSION_NO_NATIVE, OPT_SESSION_NO_CACHE,
       OPT_SESSION_PIN };

#define LANGUAGE_SESSION_OPTIONS                                                                   \
	{ "threads", required_argument, NULL, OPT_SESSION_THREADS },                               \
	{ "device", required_argument, NULL, OPT_SESSION_DEVICE },                                 \
	{ "io", required_argument, NULL, OPT_SESSION_IO },                                         \
	{ "no-native", no_argument, NULL, OPT_SESSION_NO_NATIVE },                                 \
	{ "no-cache", no_argument, NULL, OPT_SESSION_NO_CACHE },                                   \
	{ "pin", no_argument, NULL, OPT_SESSION_PIN }

/* One of those; false: said what is wrong. */
bool language_session_option(struct edgert_options *o, int option);
/* Planned and actual peaks, streamed bytes, and so on. */
void language_json_memory(struct json *j, const struct edgert_session *s);
/* Text that need not be UTF-8: what is not, is replaced by U+FFFD. */
void language_json_text(struct json *j, const char *key, const char *text);
/* A whole file, whatever is in it; free() in any case. */
enum edge_status language_load_text(const char *path, char **text, size_t *size, struct failure *f);
/* Integers of a .npy file, each a token. */
enum edge_status language_load_tokens(const char *path, uint32_t vocabulary, struct tokens *out, struct failure *f);

#endif
