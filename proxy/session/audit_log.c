/* Who left something behind: counted, and told to the operator. */
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "audit_internal.h"
#include "pgweir/clock.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "pgweir/socket.h"

enum { TOLD_MAX = 1024 };
static const uint64_t told_again_us = 3600ull * 1000 * 1000;

static pthread_mutex_t told_mutex = PTHREAD_MUTEX_INITIALIZER;
static struct map told;                 /* By database and culprit; when, in microseconds. */

static bool free_time(const void *key, size_t size, void *value, void *arg)
{
	(void)key, (void)size, (void)arg;
	mem_free(value);
	return true;
}

/* True once in an hour. */
static bool is_news_locked(const char *key)
{
	uint64_t *when = map_get_text(&told, key);
	uint64_t now_us = clock_now_us();

	if (when && now_us < *when + told_again_us)
		return false;
	if (!when && told.size >= TOLD_MAX) {
		map_foreach(&told, free_time, NULL);
		map_fini(&told);
		told = (struct map){ 0 };
	}
	if (!when) {
		when = NEW(uint64_t);
		map_put_text(&told, key, when);
	}
	*when = now_us;
	return true;
}

static bool is_news(const struct session *session)
{
	const struct audit *audit = session->audit;
	char *key = audit->function[0] ? mem_printf("%s\n%s", session->share->database_name, audit->function)
		: mem_printf("%s\n%016" PRIx64, session->share->database_name, audit->statement);

	pthread_mutex_lock(&told_mutex);
	bool news = is_news_locked(key);

	pthread_mutex_unlock(&told_mutex);
	mem_free(key);
	return news;
}

void audit_tell(struct session *session, const char *found)
{
	const struct audit *audit = session->audit;
	char address[SOCKET_ADDRESS_MAX], hash[17];
	struct sockaddr_storage storage = { 0 };

	if (!audit || !is_news(session))
		return;
	memcpy(&storage, &session->address, sizeof(session->address));
	socket_address_text(&storage, address, sizeof(address));
	snprintf(hash, sizeof(hash), "%016" PRIx64, audit->statement);
	log_notable("state was left behind by a function", LOG_TEXT("database", session->share->database_name),
		LOG_TEXT("user", session->guest->name), LOG_TEXT("address", address), LOG_INT("client", session->id),
		LOG_TEXT("function", audit->function[0] ? audit->function : NULL), LOG_TEXT("statement", hash),
		LOG_TEXT("text", audit->text), LOG_TEXT("found", found));
}

void audit_asks(struct session *session)
{
	if (!session->audit || !session->audit->asks)
		return;
	session->audit->asks = false;
	session->share->stats.audits++;
}

/* What was found and the client's own text has said nothing of. */
static void put_found(struct session *session, const struct state *now, uint32_t pins, struct buf *found)
{
	static const struct { uint32_t pin; enum leftover kind; const char *name; } names[] = {
		{ PIN_BIT(PIN_CURSOR), LEFTOVER_CURSORS, "cursors" },
		{ PIN_BIT(PIN_ADVISORY_LOCK), LEFTOVER_LOCKS, "advisory locks" },
		{ PIN_BIT(PIN_TEMPORARY), LEFTOVER_TEMPORARY, "temporary objects" },
	};

	if (now != session->backend->settings && !(session->told & (1u << LEFTOVER_SETTINGS | 1u << LEFTOVER_STATEMENTS)))
		buf_append_text(found, "settings or prepared statements");
	for (size_t i = 0; i < ARRAY_LEN(names); i++)
		if (pins & ~session->pins & names[i].pin && !(session->told & 1u << names[i].kind))
			buf_printf(found, "%s%s", found->size ? ", " : "", names[i].name);
}

/* The server has answered; the session and its connection are still as they were. */
void audit_learned(struct session *session, const struct state *now, uint32_t pins)
{
	struct buf found = { 0 };

	if (session->audit && session->audit->statement)
		put_found(session, now, pins, &found);
	session->told = 0;
	if (found.size) {
		char *text = buf_take_text(&found);

		audit_tell(session, text);
		mem_free(text);
	}
	buf_fini(&found);
	if (session->audit && !session->audit->wanted && !session->audit->refresh)
		audit_free(session);
	/* The client may go on before the connection is given back. */
	audit_linked(session);
}
