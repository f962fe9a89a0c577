/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chat.h - one request to an OpenAI-compatible chat endpoint, and its reply.
 *
 * The key comes from the environment (EDGE_LLM_KEY, else OPENAI_API_KEY). It
 * is sent only over TLS or to this machine, and stands in no message, record or
 * transcript. Redirects are not followed, certificates are verified, replies
 * larger than CHAT_MAX_REPLY are cut off.
 */
#ifndef EDGE_TUNE_CHAT_H
#define EDGE_TUNE_CHAT_H

#include "base/strbuf.h"

#include <stdbool.h>

enum { CHAT_MAX_REPLY = 8 << 20 };

struct chat {
	const char *endpoint; /* "http://127.0.0.1:8080/v1": /chat/completions is added */
	double limit_s;       /* of one request; 0: 120 */
	unsigned retries;     /* after the first attempt */
};

struct chat_reply {
	long status;        /* of HTTP; 0: there was no answer */
	struct strbuf body;
	char error[200];    /* where there was no answer, or one that is no use trying again */
	double seconds;
	unsigned attempts;
};

/* Retries as servers ask for it; see chat.c. The body is to be freed with strbuf_free(). */
void chat_post(const struct chat *c, const char *request, struct chat_reply *out);
bool chat_available(void); /* false: built without libcurl */

#endif
