/* What a session has set and prepared: immutable and interned, so that "the same state" is one pointer compare.
 *
 * A state maps settings' names (lower case, as PostgreSQL compares them without regard to case) to values, and the names of
 * statements that SQL's PREPARE made to its text. NULL is the empty state.
 * Any thread; interning takes a lock, comparing does not. */
#ifndef PGWEIR_STATE_H
#define PGWEIR_STATE_H

#include <stdbool.h>
#include <stddef.h>

#include "pgweir/buf.h"
#include "pgweir/check.h"

struct state;

struct state_pair {
	char *name, *value;
};

/* Collects pairs before they are interned; a later pair of a name replaces an earlier one. Zeroed is empty. */
struct state_builder {
	struct state_pair *pairs;
	size_t count, capacity;
};
void state_builder_set(struct state_builder *builder, const char *name, const char *value);
void state_builder_prepare(struct state_builder *builder, const char *name, const char *sql);
void state_builder_deallocate(struct state_builder *builder, const char *name);
void state_builder_unset(struct state_builder *builder, const char *name);
void state_builder_copy(struct state_builder *builder, const struct state *state);
struct state *state_builder_finish(struct state_builder *builder) MUST_USE;     /* Empties the builder. A reference. */

struct state *state_ref(struct state *state);
void state_unref(struct state **state);
const char *state_get(const struct state *state, const char *name);     /* NULL where it is not set. */
const char *state_statement(const struct state *state, const char *name);       /* Its SQL, or NULL. */
bool state_names_within(const struct state *some, const struct state *all);     /* Values do not matter. */
size_t state_count(const struct state *state);
const struct state_pair *state_pairs(const struct state *state);        /* Sorted by name. */
const char *state_pair_statement(const struct state_pair *pair);        /* The statement's name, or NULL: a setting. */

/* Has a server taken all of it, and does it report what it reports of it in the same words? One answer is for good. */
enum state_spelling { STATE_NOT_LOOKED_AT, STATE_AS_REPORTED, STATE_SPELLED_OTHERWISE };
enum state_spelling state_spelling(const struct state *state);
void state_note_spelling(struct state *state, enum state_spelling spelling);

/* Of a name or a value: the same bytes in every client_encoding. */
bool state_text_is_ascii(const char *text);

/* The SQL that turns a session whose settings are `from` into one whose settings are `to`, as one simple query that
 * leaves a failed transaction behind if any part of it fails: "BEGIN;RESET a;SET b TO 'c';COMMIT".
 * Nothing is appended if the settings are equal. */
void state_difference(const struct state *from, const struct state *to, struct buf *sql);

/* The same for statements, one query at a time, since each may fail for itself: DEALLOCATE for each that is not in `to`, then
 * PREPARE for each that is not in `from`. `*step` begins as 0. Returns the statement's name; NULL: there are no more. */
const char *state_statements_step(const struct state *from, const struct state *to, size_t *step, struct buf *sql);

/* True for parameters that only a startup packet can set, or can set in this way (log_connections, temp_tablespaces). */
bool state_is_startup_only(const char *name);

#endif
