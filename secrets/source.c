/* Failure story: reading fails, or brings half of a value, while somebody writes; the last good value stays, the reason is
 * logged once and stands in the lease. What a watch misses (a network filesystem, a folder that was not there) is found by
 * looking every CHECK_MS. A file that was written this very moment counts once it reads the same SETTLE_MS later. What comes
 * over the network is read one reading at a time; one that fails is tried again soon, then less and less often, and at the
 * next interval at the latest; whoever asks meanwhile waits for the one under way. */
#include "source.h"

#include <string.h>

#include "aws.h"
#include "aws_secret.h"
#include "pgweir/clock.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "provider.h"
#include "reread_internal.h"

enum {
	CHECK_MS = 10 * 1000,
	GATHER_MS = 20,                 /* Changes come in swarms: a look once they are over. */
	SETTLE_MS = 200,
	AGAIN_MS = 1000,                /* Between the beginnings of two readings for those who doubt the first. */
	RETRY_MIN_MS = 1000,
	RETRY_MAX_MS = 30 * 1000,
	ROTATION_MS = 15 * 1000,        /* While a rotation is under way its end is looked for this often. */
};

struct source {
	struct source_home *home;
	const struct config_secret *section;    /* In the service's snapshot. */
	const struct provider *provider;
	struct loop_timer check, look;
	bool looking;                   /* `look` runs. */
	int folder;                     /* Of the watch; -1: none. */
	struct lease_value young;       /* Read from a file just written; taken when it still reads the same later. */
	uint64_t young_since_us;
	char warning[256];              /* As last logged. */
	struct aws_secret *remote;      /* NULL unless it is fetched. */
	bool fetching;
	unsigned failures;              /* One after the other. */
	uint64_t began_us;              /* The last reading; 0: none. */
	struct list waiters;            /* secrets_waiter: for the end of a reading that began after they asked. */
	struct loop_timer again;        /* Until it may be read again for waiters. */
};

/* --- Reading --- */

static void log_outcome(const struct source *source, const struct lease *former, const char *problem)
{
	const char *name = source->section->name;
	const char *before = former ? former->problem : NULL;

	if (problem && (!before || strcmp(before, problem) != 0))
		log_warning("secret cannot be read", LOG_TEXT("secret", name), LOG_TEXT("reason", problem),
			LOG_TEXT("in_force", former && former->value.password ? "the former value" : "none"));
	if (!problem && before)
		log_notable("secret can be read again", LOG_TEXT("secret", name));
}

static void log_warning_once(struct source *source, const struct reading *reading)
{
	if (strcmp(reading->warning, source->warning) == 0)
		return;
	memcpy(source->warning, reading->warning, sizeof(source->warning));
	if (reading->warning[0])
		log_warning("secret", LOG_TEXT("secret", source->section->name), LOG_TEXT("warning", reading->warning));
}

static void log_value(const char *name)
{
	struct lease *lease = lease_find(name);

	log_notable("secret has a new value", LOG_TEXT("secret", name), LOG_INT("version", lease->version),
		LOG_TEXT("username", lease->value.username));
	lease_unref(&lease);
}

static void publish_on_demand(const struct source *source)
{
	struct lease *former = lease_find(source->section->name);
	bool known = former && former->on_demand;

	lease_unref(&former);
	if (known)
		return;
	lease_publish_on_demand(source->section->name);
	source->home->changed(source->home->arg);
}

static void publish(struct source *source, struct lease_values *values, const char *problem)
{
	const char *name = source->section->name;

	if (!lease_publish(name, values, mem_strdup(problem)))
		return;
	log_value(name);
	source->home->changed(source->home->arg);
}

static void start_look(struct source *source, uint64_t delay_ms)
{
	if (source->looking)
		return;
	source->looking = true;
	loop_timer_start(&source->look, delay_ms);
}

/* True: the value is not taken yet, since the file may not be complete. The first one is: there is nothing better. */
static bool must_settle(struct source *source, const struct lease *former, struct reading *reading)
{
	bool known = !former || !former->value.password || lease_value_equal(&former->value, &reading->values.current);
	bool same = lease_value_equal(&source->young, &reading->values.current);
	bool settled = same && clock_now_us() - source->young_since_us >= SETTLE_MS * UINT64_C(1000);

	lease_value_fini(&source->young);
	if (known || settled || !reading->young)
		return false;
	if (!same)
		source->young_since_us = clock_now_us();
	source->young = reading->values.current;
	reading->values.current = (struct lease_value){ 0 };
	start_look(source, SETTLE_MS);
	return true;
}

/* What a reading brought, or why it brought nothing. False: what it brought is not taken yet. */
static bool take_reading(struct source *source, struct reading *reading, const struct error *error)
{
	struct lease *former = reading->on_demand ? NULL : lease_find(source->section->name);
	bool taken = true;

	if (reading->on_demand) {
		publish_on_demand(source);
		return true;
	}
	secrets_count_reading(source->section->name, !error);
	log_outcome(source, former, error ? error->text : NULL);
	if (!error)
		log_warning_once(source, reading);
	if (error) {
		lease_values_fini(&reading->values);
		publish(source, &reading->values, error->text);
	} else if (must_settle(source, former, reading)) {
		lease_values_fini(&reading->values);
		taken = false;
	} else {
		publish(source, &reading->values, NULL);
	}
	lease_unref(&former);
	return taken;
}

static void read_for_waiters(struct source *source);

/* Those who asked before the reading began; the others wait for another one. */
static void answer_waiters(struct source *source, bool good)
{
	struct list due;

	list_init(&due);
	LIST_FOREACH(link, next, &source->waiters) {
		if (LIST_MEMBER(link, struct secrets_waiter, link)->asked_us > source->began_us)
			continue;
		list_remove(link);
		list_push_back(&due, link);
	}
	if (source->remote && !list_empty(&source->waiters))
		read_for_waiters(source);
	/* Behind one of them a reload may come, after which the source is not there any more. */
	while (!list_empty(&due)) {
		struct secrets_waiter *waiter = LIST_MEMBER(list_first(&due), struct secrets_waiter, link);

		list_remove(&waiter->link);
		waiter->done(waiter, good);
	}
}

static bool read_source(struct source *source)
{
	source->began_us = clock_now_us();
	struct reading reading = { 0 };
	struct error error = { 0 };
	bool good = source->provider->read(source->section, &reading, &error);

	if (source->provider->changes)
		source->folder = watch_folder(&source->home->watch, source->section->path);
	/* Who doubts the former value waits until the new one has settled. */
	if (take_reading(source, &reading, good ? NULL : &error))
		answer_waiters(source, good);
	return good;
}

/* --- Over the network --- */

/* Instances and secrets that started together drift apart. */
static uint64_t next_ms(const struct source *source)
{
	uint64_t interval_ms = source->section->refresh_interval_ms;
	unsigned doublings = source->failures < 6 ? source->failures : 6;
	struct lease *lease = lease_find(source->section->name);
	bool rotating = lease && (lease->pending.password || lease->rotating);

	lease_unref(&lease);
	if (rotating && interval_ms > ROTATION_MS)
		interval_ms = ROTATION_MS;
	if (source->failures) {
		uint64_t retry_ms = (uint64_t)RETRY_MIN_MS << doublings;

		retry_ms = retry_ms < RETRY_MAX_MS ? retry_ms : RETRY_MAX_MS;
		return retry_ms / 2 + aws_random(retry_ms / 2);
	}
	return interval_ms - aws_random(interval_ms / 10);
}

static void fetched(struct reading *reading, const struct error *error, void *arg)
{
	struct source *source = arg;

	source->fetching = false;
	source->failures = error ? source->failures + 1 : 0;
	(void)take_reading(source, reading, error);
	loop_timer_start(&source->check, next_ms(source));
	answer_waiters(source, !error);
}

static void fetch(struct source *source)
{
	if (source->fetching)
		return;
	source->fetching = true;
	source->began_us = clock_now_us();
	loop_timer_stop(&source->check);
	aws_secret_read(source->remote, fetched, source);
}

/* --- For those who think that there is something new --- */

static void read_again(void *arg)
{
	struct source *source = arg;

	if (source->remote)
		fetch(source);
	else
		(void)read_source(source);
}

/* A reading that has begun already may bring what was there before. */
static void read_for_waiters(struct source *source)
{
	uint64_t since_ms = (clock_now_us() - source->began_us) / 1000;

	if (!source->fetching)
		loop_timer_start(&source->again, source->began_us && since_ms < AGAIN_MS ? AGAIN_MS - since_ms : 0);
}

/* --- When to read --- */

static void check(void *arg)
{
	struct source *source = arg;
	uint64_t interval_ms = source->section->refresh_interval_ms;

	if (source->remote) {
		fetch(source);
		return;
	}
	read_source(source);
	loop_timer_start(&source->check, interval_ms && interval_ms < CHECK_MS ? interval_ms : CHECK_MS);
}

static void look(void *arg)
{
	struct source *source = arg;

	source->looking = false;
	read_source(source);
}

void source_look_soon(struct source *source, int folder)
{
	if (source->folder == folder && source->provider->changes)
		start_look(source, GATHER_MS);
}

/* --- When others ask --- */

enum secrets_refresh source_refresh(struct source *source, struct secrets_waiter *waiter)
{
	if (!source->remote)
		return read_source(source) ? SECRETS_REFRESHED : SECRETS_FAILED;
	fetch(source);
	if (waiter) {
		waiter->asked_us = source->began_us;
		list_push_back(&source->waiters, &waiter->link);
	}
	return SECRETS_UNDER_WAY;
}

/* Before there is a value, any will do. */
static bool is_awaited(const struct source *source)
{
	struct lease *lease = lease_find(source->section->name);
	bool awaited = lease && lease->awaited;

	lease_unref(&lease);
	return awaited && source->fetching;
}

void source_refresh_after(struct source *source, struct secrets_waiter *waiter)
{
	waiter->asked_us = is_awaited(source) ? source->began_us : clock_now_us();
	list_push_back(&source->waiters, &waiter->link);
	read_for_waiters(source);
}

int64_t source_next_ms(const struct source *source)
{
	uint64_t now_us = clock_now_us();

	if (source->fetching || !source->check.place)
		return -1;
	return source->check.due_us > now_us ? (int64_t)((source->check.due_us - now_us) / 1000) : 0;
}

/* --- The section --- */

const struct config_secret *source_section(const struct source *source)
{
	return source->section;
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

/* What is fetched is not fetched again because of a reload that changed nothing of it. */
static bool same_place(const struct config_secret *a, const struct config_secret *b)
{
	return same_text(a->provider, b->provider) && same_text(a->id, b->id) && same_text(a->region, b->region)
		&& same_text(a->endpoint, b->endpoint) && same_text(a->json_key, b->json_key)
		&& same_text(a->role_arn, b->role_arn) && same_text(a->external_id, b->external_id)
		&& same_text(a->profile, b->profile) && a->refresh_interval_ms == b->refresh_interval_ms;
}

bool source_serves(const struct source *source, const struct config_secret *section)
{
	return source->remote && strcmp(source->section->name, section->name) == 0 && same_place(source->section, section);
}

void source_use(struct source *source, const struct config_secret *section)
{
	source->section = section;
	aws_secret_use(source->remote, section);
}

/* Nobody waits for the network here: until it answers there is a lease without a value, or the former one. */
static void start_fetching(struct source *source)
{
	source->remote = aws_secret_new(source->home->control, source->section);
	lease_publish_awaited(source->section->name);
	fetch(source);
}

struct source *source_new(struct source_home *home, const struct config_secret *section)
{
	struct source *source = NEW(struct source);

	*source = (struct source){ .home = home, .section = section, .provider = provider_find(section->provider), .folder = -1 };
	CHECK(source->provider);
	list_init(&source->waiters);
	loop_timer_init(&source->check, source->home->control, check, source);
	loop_timer_init(&source->look, source->home->control, look, source);
	loop_timer_init(&source->again, source->home->control, read_again, source);
	return source;
}

void source_start(struct source *source)
{
	if (source->remote)
		return;
	if (source->provider->fetched)
		start_fetching(source);
	else if (source->provider->changes)
		check(source);
	else
		read_source(source);
}

void source_free(struct source *source)
{
	loop_timer_stop(&source->check);
	loop_timer_stop(&source->look);
	loop_timer_stop(&source->again);
	aws_secret_free(&source->remote);
	source->began_us = UINT64_MAX;          /* Nobody waits any longer. */
	answer_waiters(source, false);
	lease_value_fini(&source->young);
	mem_free(source);
}
