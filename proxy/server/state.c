/* Nothing here fails. The one thing that could go wrong is a set that dies while another thread finds it in the
 * table: therefore the last reference is only ever given up, and a set only ever found, under the table's mutex. */
#include "pgweir/state.h"

#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pgweir/map.h"
#include "pgweir/mem.h"

struct state {
	_Atomic unsigned references;
	_Atomic uint8_t spelling;       /* enum state_spelling */
	size_t count;
	struct state_pair *pairs;       /* Sorted; names and values lie in `text`. */
	size_t text_size;
	char text[];                    /* "name\0value\0name\0…": the key in the table. */
};

static pthread_mutex_t table_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct map table;

/* A prepared statement's pair has this before its name, which no setting's name can. */
enum { STATEMENT_MARK = '\1' };

static bool is_statement(const char *name)
{
	return name[0] == STATEMENT_MARK;
}

/* Settings' names are compared without regard to case. */
static bool same_name(const char *a, const char *b)
{
	return is_statement(a) ? strcmp(a, b) == 0 : strcasecmp(a, b) == 0;
}

/* --- Building --- */

static char *lower_case(const char *name)
{
	char *lower = mem_strdup(name);

	if (is_statement(name))
		return lower;
	/* As PostgreSQL's guc_name_compare(): ASCII only. */
	for (char *at = lower; *at; at++)
		if (*at >= 'A' && *at <= 'Z')
			*at = (char)(*at - 'A' + 'a');
	return lower;
}

static struct state_pair *find(const struct state_builder *builder, const char *name)
{
	for (size_t i = 0; i < builder->count; i++)
		if (same_name(builder->pairs[i].name, name))
			return &builder->pairs[i];
	return NULL;
}

void state_builder_set(struct state_builder *builder, const char *name, const char *value)
{
	struct state_pair *pair = find(builder, name);
	char *copy = mem_strdup(value);         /* First: `value` may be the one that is replaced. */

	if (pair) {
		mem_free(pair->value);
		pair->value = copy;
		return;
	}
	if (builder->count == builder->capacity) {
		builder->capacity = builder->capacity ? builder->capacity * 2 : 8;
		builder->pairs = mem_realloc(builder->pairs, builder->capacity * sizeof(*builder->pairs));
	}
	builder->pairs[builder->count++] = (struct state_pair){ .name = lower_case(name), .value = copy };
}

static char *statement_key(const char *name)
{
	size_t size = strlen(name);
	char *key = mem_alloc(size + 2);

	key[0] = STATEMENT_MARK;
	memcpy(key + 1, name, size + 1);
	return key;
}

void state_builder_prepare(struct state_builder *builder, const char *name, const char *sql)
{
	char *key = statement_key(name);

	state_builder_set(builder, key, sql);
	mem_free(key);
}

void state_builder_unset(struct state_builder *builder, const char *name)
{
	struct state_pair *pair = find(builder, name);

	if (!pair)
		return;
	mem_free(pair->name);
	mem_free(pair->value);
	*pair = builder->pairs[--builder->count];
}

void state_builder_deallocate(struct state_builder *builder, const char *name)
{
	char *key = statement_key(name);

	state_builder_unset(builder, key);
	mem_free(key);
}

void state_builder_copy(struct state_builder *builder, const struct state *state)
{
	for (size_t i = 0; i < state_count(state); i++)
		state_builder_set(builder, state->pairs[i].name, state->pairs[i].value);
}

static void empty(struct state_builder *builder)
{
	for (size_t i = 0; i < builder->count; i++) {
		mem_free(builder->pairs[i].name);
		mem_free(builder->pairs[i].value);
	}
	mem_free(builder->pairs);
	*builder = (struct state_builder){ 0 };
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(((const struct state_pair *)a)->name, ((const struct state_pair *)b)->name);
}

/* --- Interning --- */

static struct state *new_state(const struct buf *text, size_t count)
{
	struct state *state = mem_alloc(sizeof(*state) + text->size);
	char *at = state->text;

	atomic_init(&state->references, 1);
	atomic_init(&state->spelling, STATE_NOT_LOOKED_AT);
	state->count = count;
	state->pairs = NEW_ARRAY(struct state_pair, count);
	state->text_size = text->size;
	memcpy(state->text, text->bytes, text->size);
	for (size_t i = 0; i < count; i++) {
		state->pairs[i].name = at;
		at += strlen(at) + 1;
		state->pairs[i].value = at;
		at += strlen(at) + 1;
	}
	return state;
}

static struct state *intern(const struct buf *text, size_t count)
{
	pthread_mutex_lock(&table_mutex);
	struct state *state = map_get(&table, text->bytes, text->size);

	if (state) {
		atomic_fetch_add_explicit(&state->references, 1, memory_order_relaxed);
	} else {
		state = new_state(text, count);
		map_put(&table, state->text, state->text_size, state);
	}
	pthread_mutex_unlock(&table_mutex);
	return state;
}

struct state *state_builder_finish(struct state_builder *builder)
{
	struct buf text = { 0 };
	struct state *state = NULL;

	if (builder->count)
		qsort(builder->pairs, builder->count, sizeof(*builder->pairs), compare_names);
	for (size_t i = 0; i < builder->count; i++) {
		buf_append_cstring(&text, builder->pairs[i].name);
		buf_append_cstring(&text, builder->pairs[i].value);
	}
	if (builder->count)
		state = intern(&text, builder->count);
	buf_fini(&text);
	empty(builder);
	return state;
}

struct state *state_ref(struct state *state)
{
	if (state)
		atomic_fetch_add_explicit(&state->references, 1, memory_order_relaxed);
	return state;
}

/* Gives up a reference that is not the last one. */
static bool unref_shared(struct state *state)
{
	unsigned now = atomic_load_explicit(&state->references, memory_order_relaxed);

	while (now > 1)
		if (atomic_compare_exchange_weak_explicit(&state->references, &now, now - 1, memory_order_release,
			memory_order_relaxed))
			return true;
	return false;
}

void state_unref(struct state **state)
{
	struct state *gone = *state;

	*state = NULL;
	if (!gone || unref_shared(gone))
		return;
	pthread_mutex_lock(&table_mutex);
	bool last = atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) == 1;

	if (last) {
		map_take(&table, gone->text, gone->text_size);
		if (!table.size)
			map_fini(&table);
	}
	pthread_mutex_unlock(&table_mutex);
	if (!last)
		return;
	mem_free(gone->pairs);
	mem_free(gone);
}

/* --- Looking in --- */

const char *state_get(const struct state *state, const char *name)
{
	for (size_t i = 0; i < state_count(state); i++)
		if (same_name(state->pairs[i].name, name))
			return state->pairs[i].value;
	return NULL;
}

const char *state_statement(const struct state *state, const char *name)
{
	for (size_t i = 0; i < state_count(state); i++)
		if (is_statement(state->pairs[i].name) && strcmp(state->pairs[i].name + 1, name) == 0)
			return state->pairs[i].value;
	return NULL;
}

const char *state_pair_statement(const struct state_pair *pair)
{
	return is_statement(pair->name) ? pair->name + 1 : NULL;
}

bool state_names_within(const struct state *some, const struct state *all)
{
	for (size_t i = 0; i < state_count(some); i++)
		if (!state_get(all, some->pairs[i].name))
			return false;
	return true;
}

size_t state_count(const struct state *state)
{
	return state ? state->count : 0;
}

const struct state_pair *state_pairs(const struct state *state)
{
	return state ? state->pairs : NULL;
}

enum state_spelling state_spelling(const struct state *state)
{
	return state ? (enum state_spelling)atomic_load_explicit(&state->spelling, memory_order_relaxed) : STATE_AS_REPORTED;
}

void state_note_spelling(struct state *state, enum state_spelling spelling)
{
	atomic_store_explicit(&state->spelling, (uint8_t)spelling, memory_order_relaxed);
}

/* PGC_BACKEND and PGC_SU_BACKEND of PostgreSQL's guc tables, fixed once a backend runs; and those that a startup packet means
 * otherwise than SET does, or that RESET refuses. */
bool state_is_startup_only(const char *name)
{
	static const char *const names[] = {
		"ignore_system_indexes",
		"jit_debugging_support",
		"jit_profiling_support",
		"local_preload_libraries",
		"log_connections",
		"log_disconnections",
		"post_auth_delay",
		"seed",
		"session_preload_libraries",
		"temp_tablespaces",
		"transaction_deferrable",
		"transaction_isolation",
		"transaction_read_only",
	};

	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (strcasecmp(names[i], name) == 0)
			return true;
	return false;
}
