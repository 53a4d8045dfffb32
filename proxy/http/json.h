/* JSON, written from front to back. */
#ifndef PGWEIR_HTTP_JSON_H
#define PGWEIR_HTTP_JSON_H

#include <stdbool.h>
#include <stdint.h>

#include "pgweir/buf.h"

struct json {
	struct buf out;
	bool follows;                   /* A comma is due before the next value. */
};

/* `key` is NULL inside an array, and for the outermost value. */
void json_open(struct json *json, const char *key, char bracket);       /* '{' or '[' */
void json_close(struct json *json, char bracket);                       /* '}' or ']' */
void json_text(struct json *json, const char *key, const char *text);   /* NULL is null. */
void json_int(struct json *json, const char *key, int64_t value);
void json_number(struct json *json, const char *key, double value);     /* Three decimals. */
void json_bool(struct json *json, const char *key, bool value);
void json_null(struct json *json, const char *key);

#endif
