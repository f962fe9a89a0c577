/* SPDX-License-Identifier: Apache-2.0 */
/*
 * json.h - write JSON to a stream; commas, quoting and indentation are done here.
 *
 *	json_begin(&j, stdout);
 *	json_object(&j, NULL);   json_string(&j, "name", "a");   json_close(&j);   json_end(&j);
 *
 * A key is NULL inside arrays and for the outermost value. Numbers that are not
 * finite are left out, with their key.
 */
#ifndef EDGE_RT_JSON_H
#define EDGE_RT_JSON_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

enum { JSON_MAX_DEPTH = 16 };

struct json {
	FILE *out;
	int depth;
	bool compact;		    /* no line breaks below the second level */
	bool array[JSON_MAX_DEPTH]; /* what is open */
	bool any[JSON_MAX_DEPTH];   /* whether it has a member */
};

void json_begin(struct json *j, FILE *out);
void json_object(struct json *j, const char *key);
void json_array(struct json *j, const char *key);
void json_close(struct json *j);
void json_string(struct json *j, const char *key, const char *value);
void json_u64(struct json *j, const char *key, uint64_t value);
void json_i64(struct json *j, const char *key, int64_t value);
void json_number(struct json *j, const char *key, double value); /* 6 significant digits or more */
void json_bool(struct json *j, const char *key, bool value);
/* A last line break. */
void json_end(struct json *j);

#endif
