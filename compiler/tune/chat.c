/* SPDX-License-Identifier: Apache-2.0 */
/*
 * chat.c - the only file that knows libcurl.
 *
 * What is tried again: no connection, a timeout, 408, 409, 429 and 5xx, unless
 * the server says x-should-retry: false, or that a quota is used up. How long
 * to wait: retry-after-ms, else retry-after in seconds or as a date, if that is
 * at most two minutes (else it is given up), else half a second, doubled each
 * time up to eight, less up to a quarter by chance.
 */
#include "config.h"

#include "tune/chat.h"

#include <stdlib.h>
#include <string.h>

#ifdef HAVE_CURL

#include "tune/process.h"

#include <curl/curl.h>
#include <stdio.h>
#include <strings.h>
#include <time.h>

struct exchange {
	struct chat_reply *reply;
	double retry_after; /* < 0: not said */
	int should_retry;   /* -1: not said */
};

static size_t take_body(char *data, size_t size, size_t count, void *user)
{
	struct exchange *e = user;

	if (e->reply->body.len + size * count > CHAT_MAX_REPLY)
		return 0; /* ends the transfer */
	strbuf_add(&e->reply->body, data, size * count);
	return size * count;
}

/* The value of the header where the line is of that name. */
static bool header_value(const char *line, size_t len, const char *name, char *out, size_t size)
{
	size_t n = strlen(name);

	if (len <= n || strncasecmp(line, name, n) != 0 || line[n] != ':')
		return false;
	for (n++; n < len && (line[n] == ' ' || line[n] == '\t'); n++)
		;
	len -= n;
	if (len >= size)
		len = size - 1;
	memcpy(out, line + n, len);
	out[len] = '\0';
	out[strcspn(out, "\r\n")] = '\0';
	return true;
}

static size_t take_header(char *data, size_t size, size_t count, void *user)
{
	struct exchange *e = user;
	char value[128], *end;
	double x;

	if (header_value(data, size * count, "x-should-retry", value, sizeof value))
		e->should_retry = !strcasecmp(value, "true") ? 1 : !strcasecmp(value, "false") ? 0 : -1;
	if (header_value(data, size * count, "retry-after-ms", value, sizeof value)) {
		e->retry_after = strtod(value, NULL) / 1000;
	} else if (e->retry_after < 0 && header_value(data, size * count, "retry-after", value, sizeof value)) {
		x = strtod(value, &end);
		if (end == value) {
			time_t at = curl_getdate(value, NULL);

			x = at == -1 ? -1 : difftime(at, time(NULL));
		}
		e->retry_after = x;
	}
	return size * count;
}

static bool is_local(const char *url)
{
	static const char *const hosts[] = { "http://127.0.0.1", "http://localhost", "http://[::1]" };

	for (int i = 0; i < 3; i++) {
		size_t n = strlen(hosts[i]);

		/* what stands before an @ is a user's name, and the host comes after it */
		if (!strncmp(url, hosts[i], n) && (url[n] == ':' || url[n] == '/' || !url[n]))
			return !strpbrk(url, "@\\");
	}
	return false;
}

static const char *key_for(const char *url)
{
	const char *key = getenv("EDGE_LLM_KEY");

	if (!key || !*key)
		key = getenv("OPENAI_API_KEY");
	if (!key || !*key || strpbrk(key, "\r\n") || (strncmp(url, "https://", 8) != 0 && !is_local(url)))
		return NULL;
	return key;
}

/* A server may send back what it was sent. */
static void redact(struct strbuf *body, const char *key)
{
	size_t n = key ? strlen(key) : 0;

	for (char *p = body->data; n >= 4 && p && (p = strstr(p, key)); p += n)
		memset(p, '*', n);
}

/* An interrupt does not wait for a slow server. */
static int may_go_on(void *user, curl_off_t a, curl_off_t b, curl_off_t c, curl_off_t d)
{
	(void)user, (void)a, (void)b, (void)c, (void)d;
	return process_stopped();
}

static void set_options(CURL *curl, const struct chat *c, const char *url, const char *request, struct curl_slist *headers,
			struct exchange *e)
{
	double limit = c->limit_s > 0 ? c->limit_s : 120;

	curl_easy_setopt(curl, CURLOPT_URL, url);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDS, request);
	curl_easy_setopt(curl, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)strlen(request));
	curl_easy_setopt(curl, CURLOPT_HTTPHEADER, headers);
	curl_easy_setopt(curl, CURLOPT_WRITEFUNCTION, take_body);
	curl_easy_setopt(curl, CURLOPT_WRITEDATA, e);
	curl_easy_setopt(curl, CURLOPT_HEADERFUNCTION, take_header);
	curl_easy_setopt(curl, CURLOPT_HEADERDATA, e);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT_MS, (long)(limit * 1000));
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, 5L);
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_NOPROGRESS, 0L);
	curl_easy_setopt(curl, CURLOPT_XFERINFOFUNCTION, may_go_on);
	curl_easy_setopt(curl, CURLOPT_FOLLOWLOCATION, 0L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYPEER, 1L);
	curl_easy_setopt(curl, CURLOPT_SSL_VERIFYHOST, 2L);
	curl_easy_setopt(curl, CURLOPT_NOPROXY, "localhost,127.0.0.1,::1");
	curl_easy_setopt(curl, CURLOPT_USERAGENT, "edgec/" PACKAGE_VERSION);
#if LIBCURL_VERSION_NUM >= 0x075500
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS_STR, "http,https");
#else
	curl_easy_setopt(curl, CURLOPT_PROTOCOLS, (long)(CURLPROTO_HTTP | CURLPROTO_HTTPS));
#endif
}

/* Whether trying again may help. */
static bool attempt(const struct chat *c, const char *url, const char *request, const char *key, struct exchange *e)
{
	struct curl_slist *headers = curl_slist_append(NULL, "Content-Type: application/json");
	struct strbuf authorization = { 0 };
	CURL *curl = curl_easy_init();
	CURLcode code;
	long status = 0;

	strbuf_free(&e->reply->body);
	e->reply->body = (struct strbuf){ 0 };
	e->reply->status = 0;
	e->retry_after = -1;
	e->should_retry = -1;
	headers = curl_slist_append(headers, "Accept: application/json");
	if (key) {
		strbuf_printf(&authorization, "Authorization: Bearer %s", key);
		headers = curl_slist_append(headers, strbuf_str(&authorization));
		strbuf_free(&authorization);
	}
	set_options(curl, c, url, request, headers, e);
	code = curl_easy_perform(curl);
	if (code == CURLE_OK)
		curl_easy_getinfo(curl, CURLINFO_RESPONSE_CODE, &status);
	curl_easy_cleanup(curl);
	curl_slist_free_all(headers);
	redact(&e->reply->body, key);
	e->reply->status = status;
	e->reply->error[0] = '\0';
	if (code == CURLE_WRITE_ERROR) {
		snprintf(e->reply->error, sizeof e->reply->error, "the reply is larger than %d MiB", CHAT_MAX_REPLY >> 20);
		return false;
	}
	if (code != CURLE_OK) {
		snprintf(e->reply->error, sizeof e->reply->error, "%s", curl_easy_strerror(code));
		return code != CURLE_URL_MALFORMAT && code != CURLE_UNSUPPORTED_PROTOCOL && code != CURLE_PEER_FAILED_VERIFICATION;
	}
	if (e->should_retry >= 0)
		return e->should_retry;
	if (status == 429 && strstr(strbuf_str(&e->reply->body), "insufficient_quota"))
		return false;
	return status == 408 || status == 409 || status == 429 || status >= 500;
}

static double now_s(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void wait_s(double s)
{
	double end = now_s() + s;

	while (now_s() < end && !process_stopped()) {
		struct timespec tick = { 0, 20000000 };

		nanosleep(&tick, NULL);
	}
}

void chat_post(const struct chat *c, const char *request, struct chat_reply *out)
{
	static unsigned chance = 12345;
	struct exchange e = { .reply = out };
	struct strbuf url = { 0 };
	double started = now_s();
	const char *key = key_for(c->endpoint);
	size_t n = strlen(c->endpoint);

	*out = (struct chat_reply){ 0 };
	curl_global_init(CURL_GLOBAL_DEFAULT);
	while (n && c->endpoint[n - 1] == '/')
		n--;
	strbuf_add(&url, c->endpoint, n);
	strbuf_puts(&url, "/chat/completions");
	for (;;) {
		double delay;
		bool again = attempt(c, strbuf_str(&url), request, key, &e);

		out->attempts++;
		if (!again || out->attempts > c->retries || process_stopped())
			break;
		delay = 0.5 * (double)(1u << (out->attempts < 5 ? out->attempts - 1 : 4));
		chance = chance * 1664525 + 1013904223;
		delay = (delay > 8 ? 8 : delay) * (1 - 0.25 * (chance >> 8) / 0x1p24);
		if (e.retry_after > 120)
			break; /* longer than anybody waits for */
		wait_s(e.retry_after > 0 ? e.retry_after : delay);
	}
	strbuf_free(&url);
	out->seconds = now_s() - started;
}

bool chat_available(void)
{
	return true;
}

#else

void chat_post(const struct chat *c, const char *request, struct chat_reply *out)
{
	(void)c, (void)request;
	*out = (struct chat_reply){ .error = "this edgec was built without libcurl" };
}

bool chat_available(void)
{
	return false;
}

#endif
