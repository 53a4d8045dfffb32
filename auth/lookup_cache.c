#include "lookup_cache.h"

#include <string.h>

#include "lookup_source.h"
#include "pgweir/clock.h"
#include "pgweir/map.h"
#include "pgweir/mem.h"

enum { SWEEP_MS = 10000 };

/* A user as one source knows it. */
struct entry {
	struct list link;               /* Of the source's entries, the latest asked last. */
	struct book *book;
	char *user;
	bool asking;
	uint64_t asked_at_ms, found_at_ms;      /* 0: it has not been found. */
	struct lookup_answer answer;    /* Of the last question; FAILED: none. */
	struct list waiters;
	size_t waiter_count;
};

/* A source and what it has said. */
struct book {
	struct list link;               /* The latest used last. */
	struct lookup_cache *cache;
	char *name;
	struct lookup_source *source;
	struct map by_user;
	struct list entries;
	size_t waiter_count;
	uint64_t used_at_ms;
	uint64_t repeats_since_ms;
	unsigned repeats;
};

struct lookup_cache {
	struct loop *control;
	struct map by_name;
	struct list books;
	struct loop_timer sweep;
};

static void fail(struct lookup_waiter *waiter, const char *sqlstate, const char *text)
{
	struct lookup_answer answer = { .outcome = LOOKUP_FAILED };

	error_set(&answer.error, sqlstate, "%s", text);
	waiter->answered(waiter, &answer);
}

/* --- Entries --- */

static void entry_free(struct entry *entry)
{
	CHECK(list_empty(&entry->waiters));
	CHECK(map_take_text(&entry->book->by_user, entry->user) == entry);
	list_remove(&entry->link);
	mem_secret_free(entry->answer.secret);
	mem_free(entry->user);
	mem_free(entry);
}

static void answer_waiters(struct entry *entry)
{
	struct list answered;

	/* Who comes back from within a callback waits for the next answer. */
	list_init(&answered);
	while (!list_empty(&entry->waiters)) {
		struct list *first = list_first(&entry->waiters);

		list_remove(first);
		list_push_back(&answered, first);
	}
	entry->book->waiter_count -= entry->waiter_count;
	entry->waiter_count = 0;
	while (!list_empty(&answered)) {
		struct lookup_waiter *waiter = LIST_MEMBER(list_first(&answered), struct lookup_waiter, link);

		list_remove(&waiter->link);
		waiter->answered(waiter, &entry->answer);
	}
}

static void source_answered(enum lookup_outcome outcome, const char *secret, const struct error *error, void *arg)
{
	struct entry *entry = arg;
	bool still_good = entry->found_at_ms && clock_now_ms() - entry->found_at_ms < LOOKUP_FOUND_TTL_MS;

	entry->asking = false;
	if (outcome == LOOKUP_FAILED && still_good && entry->answer.outcome == LOOKUP_FOUND) {
		answer_waiters(entry);
		return;
	}
	mem_secret_free(entry->answer.secret);
	entry->answer = (struct lookup_answer){ .outcome = outcome };
	entry->found_at_ms = outcome == LOOKUP_FOUND ? clock_now_ms() : 0;
	if (outcome == LOOKUP_FOUND)
		entry->answer.secret = mem_secret_dup(secret);
	if (outcome == LOOKUP_FAILED)
		entry->answer.error = *error;
	answer_waiters(entry);
	entry->answer.cached = true;
	if (outcome == LOOKUP_FAILED && list_empty(&entry->waiters))
		entry_free(entry);
}

/* The one that was asked about longest ago makes room; those under way stay. */
static void make_room(struct book *book)
{
	if (book->by_user.size < LOOKUP_USERS_MAX)
		return;
	LIST_FOREACH(at, following, &book->entries) {
		struct entry *entry = LIST_MEMBER(at, struct entry, link);

		if (entry->asking)
			continue;
		entry_free(entry);
		return;
	}
}

static struct entry *find_or_add(struct book *book, const char *user)
{
	struct entry *entry = map_get_text(&book->by_user, user);

	if (entry)
		return entry;
	make_room(book);
	entry = NEW(struct entry);
	entry->book = book;
	entry->user = mem_strdup(user);
	entry->answer.outcome = LOOKUP_FAILED;
	list_init(&entry->waiters);
	list_push_back(&book->entries, &entry->link);
	map_put_text(&book->by_user, user, entry);
	return entry;
}

/* --- May an answer be used again? --- */

/* Takes one from this second's allowance. */
static bool may_repeat(struct book *book, uint64_t now_ms)
{
	if (now_ms - book->repeats_since_ms >= 1000) {
		book->repeats_since_ms = now_ms;
		book->repeats = 0;
	}
	return book->repeats++ < LOOKUP_REPEATS_PER_SECOND;
}

static bool is_good(struct entry *entry, bool anew, uint64_t now_ms)
{
	uint64_t age_ms = now_ms - entry->asked_at_ms;

	if (entry->answer.outcome == LOOKUP_FOUND && age_ms < LOOKUP_FRESH_MS)
		return true;
	if (entry->answer.outcome == LOOKUP_FOUND)
		return (anew || age_ms < LOOKUP_FOUND_TTL_MS) && !may_repeat(entry->book, now_ms);
	if (entry->answer.outcome == LOOKUP_UNKNOWN)
		return age_ms < LOOKUP_UNKNOWN_TTL_MS && !may_repeat(entry->book, now_ms);
	return false;
}

/* --- Books --- */

static void book_free(struct book *book)
{
	LIST_FOREACH(at, following, &book->entries) {
		struct entry *entry = LIST_MEMBER(at, struct entry, link);

		entry->answer.outcome = LOOKUP_FAILED;
		error_set(&entry->answer.error, "57P01", "pgweir is stopping");
		answer_waiters(entry);
		entry_free(entry);
	}
	lookup_source_free(&book->source);
	map_fini(&book->by_user);
	CHECK(map_take_text(&book->cache->by_name, book->name) == book);
	list_remove(&book->link);
	mem_free(book->name);
	mem_free(book);
}

static void sweep(void *arg)
{
	struct lookup_cache *cache = arg;
	uint64_t now_ms = clock_now_ms();

	LIST_FOREACH(at, following, &cache->books) {
		struct book *book = LIST_MEMBER(at, struct book, link);

		if (!book->waiter_count && now_ms - book->used_at_ms >= LOOKUP_IDLE_MS)
			book_free(book);
	}
	loop_timer_start(&cache->sweep, SWEEP_MS);
}

static const char *dbname_of(const struct lookup_request *request)
{
	const struct config_database *database = request->database;

	if (database->auth_dbname)
		return database->auth_dbname;
	return database->dbname ? database->dbname : request->database_name;
}

/* False: there are too many, and all are busy. */
static bool make_room_for_book(struct lookup_cache *cache)
{
	if (cache->by_name.size < LOOKUP_SOURCES_MAX)
		return true;
	LIST_FOREACH(at, following, &cache->books) {
		struct book *book = LIST_MEMBER(at, struct book, link);

		if (book->waiter_count)
			continue;
		book_free(book);
		return true;
	}
	return false;
}

/* A source belongs to one snapshot of the configuration, one [database] and one database on the server. */
static struct book *find_or_add_book(struct lookup_cache *cache, const struct lookup_request *request)
{
	const char *dbname = dbname_of(request);
	char *name = mem_printf("%p\n%s\n%s", (void *)request->config, request->database->name, dbname);
	struct book *book = map_get_text(&cache->by_name, name);

	if (book || !make_room_for_book(cache)) {
		mem_free(name);
		return book;
	}
	book = NEW(struct book);
	book->cache = cache;
	book->name = name;
	book->source = lookup_source_new(cache->control, request->config, request->database, dbname);
	list_init(&book->entries);
	list_push_back(&cache->books, &book->link);
	map_put_text(&cache->by_name, name, book);
	return book;
}

static void wait_for_answer(struct entry *entry, struct lookup_waiter *waiter, uint64_t now_ms)
{
	struct book *book = entry->book;

	list_push_back(&entry->waiters, &waiter->link);
	entry->waiter_count++;
	book->waiter_count++;
	if (entry->asking)
		return;
	entry->asking = true;
	entry->asked_at_ms = now_ms;
	list_remove(&entry->link);
	list_push_back(&book->entries, &entry->link);
	lookup_source_ask(book->source, entry->user, source_answered, entry);
}

void lookup_cache_ask(struct lookup_cache *cache, struct lookup_waiter *waiter)
{
	const struct lookup_request *request = waiter->request;
	struct book *book = find_or_add_book(cache, request);
	uint64_t now_ms = clock_now_ms();

	if (!book || book->waiter_count >= LOOKUP_WAITING_MAX) {
		fail(waiter, "53300", "too many look-ups are under way");
		return;
	}
	book->used_at_ms = now_ms;
	list_remove(&book->link);
	list_push_back(&cache->books, &book->link);
	struct entry *entry = find_or_add(book, request->user);

	if (!entry->asking && is_good(entry, request->anew, now_ms))
		waiter->answered(waiter, &entry->answer);
	else
		wait_for_answer(entry, waiter, now_ms);
}

void lookup_cache_secrets_changed(struct lookup_cache *cache)
{
	LIST_FOREACH(at, following, &cache->books)
		lookup_source_secrets_changed(LIST_MEMBER(at, struct book, link)->source);
}

struct lookup_cache *lookup_cache_new(struct loop *control)
{
	struct lookup_cache *cache = NEW(struct lookup_cache);

	cache->control = control;
	list_init(&cache->books);
	loop_timer_init(&cache->sweep, control, sweep, cache);
	loop_timer_start(&cache->sweep, SWEEP_MS);
	return cache;
}

void lookup_cache_free(struct lookup_cache **cache)
{
	struct lookup_cache *gone = *cache;

	*cache = NULL;
	if (!gone)
		return;
	loop_timer_stop(&gone->sweep);
	LIST_FOREACH(at, following, &gone->books)
		book_free(LIST_MEMBER(at, struct book, link));
	map_fini(&gone->by_name);
	mem_free(gone);
}
