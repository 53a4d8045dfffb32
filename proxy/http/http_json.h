/* JSON, written from front to back. */
#ifndef PGWEIR_HTTP_JSON_H
#define PGWEIR_HTTP_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/buf.h"

struct http_json {
	struct buf out;
	bool follows;                   /* A comma is due before the next value. */
};

/* `key` is NULL inside an array, and for the outermost value. */
void http_json_open(struct http_json *json, const char *key, char bracket);       /* '{' or '[' */
void http_json_close(struct http_json *json, char bracket);                       /* '}' or ']' */
void http_json_text(struct http_json *json, const char *key, const char *text);   /* NULL is null. */
void http_json_int(struct http_json *json, const char *key, int64_t value);
void http_json_number(struct http_json *json, const char *key, double value);     /* Three decimals. */
void http_json_bool(struct http_json *json, const char *key, bool value);
void http_json_null(struct http_json *json, const char *key);

#endif
