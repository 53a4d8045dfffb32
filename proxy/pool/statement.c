#include "pgweir/statement.h"

#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "pgweir/mem.h"

static _Atomic uint64_t last_id;

void statement_table_init(struct statement_table *table)
{
	pthread_mutex_init(&table->mutex, NULL);
	table->by_key = (struct map){ 0 };
}

void statement_table_fini(struct statement_table *table)
{
	map_fini(&table->by_key);
	pthread_mutex_destroy(&table->mutex);
}

/* Takes the key's bytes, the end of which is the Parse message's part. */
static struct statement *statement_new(struct statement_table *table, struct buf *key, size_t parse_size)
{
	struct statement *statement = NEW(struct statement);

	atomic_init(&statement->references, 1);
	statement->table = table;
	statement->id = atomic_fetch_add(&last_id, 1) + 1;
	snprintf(statement->server_name, sizeof(statement->server_name), "pgweir_%llx", (unsigned long long)statement->id);
	statement->key_size = key->size;
	statement->key = key->bytes;
	statement->parse_size = parse_size;
	statement->parse = statement->key + key->size - parse_size;
	return statement;
}

struct statement *statement_intern(struct statement_table *table, const void *scope, size_t scope_size, const char *parse,
	size_t parse_size)
{
	struct buf key = { 0 };

	buf_append(&key, scope, scope_size);
	buf_append(&key, parse, parse_size);
	pthread_mutex_lock(&table->mutex);
	struct statement *statement = map_get(&table->by_key, key.bytes, key.size);

	if (statement) {
		atomic_fetch_add(&statement->references, 1);
		buf_fini(&key);
	} else {
		statement = statement_new(table, &key, parse_size);
		map_put(&table->by_key, statement->key, statement->key_size, statement);
	}
	pthread_mutex_unlock(&table->mutex);
	return statement;
}

struct statement *statement_ref(struct statement *statement)
{
	if (statement)
		atomic_fetch_add(&statement->references, 1);
	return statement;
}

/* The last reference is given up under the table's lock, since interning may be about to take a new one. */
void statement_unref(struct statement **statement)
{
	struct statement *gone = *statement;

	*statement = NULL;
	if (!gone)
		return;
	unsigned references = atomic_load(&gone->references);

	while (references > 1)
		if (atomic_compare_exchange_weak(&gone->references, &references, references - 1))
			return;
	struct statement_table *table = gone->table;

	pthread_mutex_lock(&table->mutex);
	bool last = atomic_fetch_sub(&gone->references, 1) == 1;

	if (last)
		map_take(&table->by_key, gone->key, gone->key_size);
	pthread_mutex_unlock(&table->mutex);
	if (!last)
		return;
	mem_free(gone->key);
	mem_free(gone);
}

struct statement_name *statement_name_new(const char *text, struct statement *statement)
{
	size_t size = strlen(text) + 1;
	struct statement_name *name = mem_alloc(sizeof(*name) + size);

	name->references = 1;
	name->described = name->described_alone = false;
	name->statement = statement;
	memcpy(name->text, text, size);
	return name;
}

struct statement_name *statement_name_ref(struct statement_name *name)
{
	if (name)
		name->references++;
	return name;
}

void statement_name_unref(struct statement_name **name)
{
	struct statement_name *gone = *name;

	*name = NULL;
	if (!gone || --gone->references)
		return;
	statement_unref(&gone->statement);
	mem_free(gone);
}

struct prepared_entry {
	struct list link;
	struct statement *statement;
};

void prepared_init(struct prepared *prepared)
{
	list_init(&prepared->lru);
	prepared->by_id = (struct map){ 0 };
}

static struct prepared_entry *find(const struct prepared *prepared, const struct statement *statement)
{
	return map_get(&prepared->by_id, &statement->id, sizeof(statement->id));
}

static void drop(struct prepared *prepared, struct prepared_entry *entry)
{
	map_take(&prepared->by_id, &entry->statement->id, sizeof(entry->statement->id));
	list_remove(&entry->link);
	statement_unref(&entry->statement);
	mem_free(entry);
}

void prepared_clear(struct prepared *prepared)
{
	LIST_FOREACH(link, next, &prepared->lru)
		drop(prepared, LIST_MEMBER(link, struct prepared_entry, link));
}

void prepared_fini(struct prepared *prepared)
{
	prepared_clear(prepared);
	map_fini(&prepared->by_id);
}

size_t prepared_count(const struct prepared *prepared)
{
	return prepared->by_id.size;
}

bool prepared_has(struct prepared *prepared, const struct statement *statement)
{
	struct list *last = list_last(&prepared->lru);

	if (last && LIST_MEMBER(last, struct prepared_entry, link)->statement == statement)
		return true;
	struct prepared_entry *entry = find(prepared, statement);

	if (!entry)
		return false;
	list_remove(&entry->link);
	list_push_back(&prepared->lru, &entry->link);
	return true;
}

void prepared_add(struct prepared *prepared, struct statement *statement)
{
	if (prepared_has(prepared, statement))
		return;
	struct prepared_entry *entry = NEW(struct prepared_entry);

	entry->statement = statement_ref(statement);
	list_push_back(&prepared->lru, &entry->link);
	map_put(&prepared->by_id, &statement->id, sizeof(statement->id), entry);
}

void prepared_remove(struct prepared *prepared, const struct statement *statement)
{
	struct prepared_entry *entry = find(prepared, statement);

	if (entry)
		drop(prepared, entry);
}

struct statement *prepared_oldest(const struct prepared *prepared)
{
	struct list *first = prepared->lru.next;

	return first == &prepared->lru ? NULL : LIST_MEMBER(first, struct prepared_entry, link)->statement;
}
