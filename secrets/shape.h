/* The shapes in which a secret's text holds a login.
 *
 * - a JSON object: `username password host port dbname` as RDS writes it (port as a number or as text), or a `url`;
 * - a URL: postgresql://user:password@host:port/dbname, with other spellings of the scheme (postgres, postgresql+driver);
 * - anything else of one line is the password itself.
 *
 * What a text does not say stays NULL. Error texts never repeat what could be a part of the secret. */
#ifndef PGWEIR_SECRETS_SHAPE_H
#define PGWEIR_SECRETS_SHAPE_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/error.h"
#include "pgweir/lease.h"

enum { SHAPE_TEXT_MAX = 65536, SHAPE_FIELD_MAX = 8192 };

/* Fills `value`, which must be empty, and which has a password on true. `json_key` (may be NULL) is the member of a JSON
 * object that holds the password, an object or a URL; with dots it leads into nested objects. */
bool shape_parse(const char *text, size_t size, const char *json_key, struct lease_value *value, struct error *error)
	MUST_USE;

/* --- For what comes field by field --- */

/* Takes a field by its name ("username", "port", …); one that is known already stays. False: `error`. */
bool shape_take_field(struct lease_value *value, const char *name, const char *text, size_t size, struct error *error)
	MUST_USE;
bool shape_is_url(const char *text, size_t size) MUST_USE;
/* Fills in what `value` does not say yet; all of it or, on false, nothing. */
bool shape_take_url(struct lease_value *value, const char *text, size_t size, struct error *error) MUST_USE;
bool shape_take_json(struct lease_value *value, const char *text, size_t size, const char *json_key, struct error *error)
	MUST_USE;
/* Without the end of the line that editors and echo put there. */
size_t shape_trimmed(const char *text, size_t size) MUST_USE;

/* Names of fields in JSON and of files, the preferred spelling first; and those that hold a URL. */
extern const char *const shape_fields[], *const shape_url_fields[];
extern const size_t shape_field_count, shape_url_field_count;

#endif
