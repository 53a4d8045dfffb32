/* Failure story: reading fails, or brings half of a value, while somebody writes; the last good value stays, the reason is
 * logged once and stands in the lease. What a watch misses (a network filesystem, a folder that was not there) is found by
 * looking every CHECK_MS. A file that was written this very moment counts once it reads the same SETTLE_MS later. What comes
 * over the network is read one reading at a time; one that fails is tried again soon, then less and less often, and at the
 * next interval at the latest; whoever asks meanwhile waits for the one under way. */
#include "pgweir/secrets.h"

#include <string.h>

#include "aws.h"
#include "aws_secret.h"
#include "pgweir/clock.h"
#include "pgweir/log.h"
#include "pgweir/map.h"
#include "pgweir/mem.h"
#include "provider.h"
#include "reread_internal.h"
#include "shape.h"
#include "token_internal.h"
#include "watch.h"

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

static struct {
	struct loop *control;
	secrets_changed_cb *changed;
	void *arg;
	struct config *config;          /* A reference. */
	struct source **sources;
	size_t count;
	struct watch watch;
} service;

/* --- Counting --- */

struct reads {
	uint64_t good, failed;
};
static struct map reads_by_name;        /* Of sections that have come and gone too, so that no count goes back. */

static void count_reading(const char *name, bool good)
{
	struct reads *reads = map_get_text(&reads_by_name, name);

	if (!reads) {
		reads = NEW(struct reads);
		map_put_text(&reads_by_name, name, reads);
	}
	reads->good += good;
	reads->failed += !good;
}

void secrets_reads(const char *name, uint64_t *good, uint64_t *failed)
{
	const struct reads *reads = map_get_text(&reads_by_name, name);

	*good = reads ? reads->good : 0;
	*failed = reads ? reads->failed : 0;
}

static bool free_reads(const void *key, size_t size, void *value, void *arg)
{
	(void)key, (void)size, (void)arg;
	mem_free(value);
	return true;
}

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
	service.changed(service.arg);
}

static void publish(struct source *source, struct lease_values *values, const char *problem)
{
	const char *name = source->section->name;

	if (!lease_publish(name, values, mem_strdup(problem)))
		return;
	log_value(name);
	service.changed(service.arg);
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
	count_reading(source->section->name, !error);
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
		source->folder = watch_folder(&service.watch, source->section->path);
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

static void something_changed(int folder, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < service.count; i++)
		if (service.sources[i]->folder == folder && service.sources[i]->provider->changes)
			start_look(service.sources[i], GATHER_MS);
}

static struct source *find_source(const char *name)
{
	for (size_t i = 0; i < service.count; i++)
		if (service.sources[i] && strcmp(service.sources[i]->section->name, name) == 0)
			return service.sources[i];
	return NULL;
}

static enum secrets_refresh refresh(struct source *source, struct secrets_waiter *waiter)
{
	if (!source)
		return SECRETS_UNKNOWN;
	if (!source->remote)
		return read_source(source) ? SECRETS_REFRESHED : SECRETS_FAILED;
	fetch(source);
	if (waiter) {
		waiter->asked_us = source->began_us;
		list_push_back(&source->waiters, &waiter->link);
	}
	return SECRETS_UNDER_WAY;
}

const struct config_secret *secrets_section(const char *name)
{
	const struct source *source = find_source(name);

	return source ? source->section : NULL;
}

enum secrets_refresh secrets_refresh(const char *name, struct secrets_waiter *waiter)
{
	return refresh(find_source(name), waiter);
}

/* Before there is a value, any will do. */
static bool is_awaited(const struct source *source)
{
	struct lease *lease = lease_find(source->section->name);
	bool awaited = lease && lease->awaited;

	lease_unref(&lease);
	return awaited && source->fetching;
}

enum secrets_refresh secrets_refresh_after(const char *name, struct secrets_waiter *waiter)
{
	struct source *source = find_source(name);

	if (!source)
		return SECRETS_UNKNOWN;
	waiter->asked_us = is_awaited(source) ? source->began_us : clock_now_us();
	list_push_back(&source->waiters, &waiter->link);
	read_for_waiters(source);
	return SECRETS_UNDER_WAY;
}

int64_t secrets_next_ms(const char *name)
{
	const struct source *source = find_source(name);
	uint64_t now_us = clock_now_us();

	if (!source || source->fetching || !source->check.place)
		return -1;
	return source->check.due_us > now_us ? (int64_t)((source->check.due_us - now_us) / 1000) : 0;
}

/* --- Sections --- */

/* Nobody waits for the network here: until it answers there is a lease without a value, or the former one. */
static void start_fetching(struct source *source)
{
	source->remote = aws_secret_new(service.control, source->section);
	lease_publish_awaited(source->section->name);
	fetch(source);
}

static struct source *source_new(const struct config_secret *section)
{
	struct source *source = NEW(struct source);

	*source = (struct source){ .section = section, .provider = provider_find(section->provider), .folder = -1 };
	CHECK(source->provider);
	list_init(&source->waiters);
	loop_timer_init(&source->check, service.control, check, source);
	loop_timer_init(&source->look, service.control, look, source);
	loop_timer_init(&source->again, service.control, read_again, source);
	return source;
}

static void source_start(struct source *source)
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

static void source_free(struct source *source)
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

/* Leases of sections that are gone, or whose values are of another kind now. */
static void forget_gone(const struct config *config)
{
	for (size_t i = 0; i < service.count; i++) {
		const struct config_secret *now = config_find_secret(config, service.sources[i]->section->name);

		if (!now || strcmp(now->provider, service.sources[i]->section->provider) != 0)
			lease_forget(service.sources[i]->section->name);
	}
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

/* The former source of a section, taken out of the list; NULL: it needs a new one. */
static struct source *take_former(const struct config_secret *section)
{
	for (size_t i = 0; i < service.count; i++) {
		struct source *source = service.sources[i];

		if (source && source->remote && strcmp(source->section->name, section->name) == 0
		    && same_place(source->section, section)) {
			service.sources[i] = NULL;
			source->section = section;
			aws_secret_use(source->remote, section);
			return source;
		}
	}
	return NULL;
}

static void stop_sources(void)
{
	for (size_t i = 0; i < service.count; i++)
		if (service.sources[i])
			source_free(service.sources[i]);
	mem_free(service.sources);
	service.sources = NULL;
	service.count = 0;
	watch_fini(&service.watch);
	config_unref(&service.config);
}

void secrets_configure(struct config *config)
{
	struct source **sources = NEW_ARRAY(struct source *, config->secret_count);

	forget_gone(config);
	for (size_t i = 0; i < config->secret_count; i++) {
		struct source *former = take_former(&config->secrets[i]);

		sources[i] = former ? former : source_new(&config->secrets[i]);
	}
	stop_sources();
	service.config = config_ref(config);
	watch_init(&service.watch, service.control, something_changed, NULL);
	/* All are entered before the first is read: reading may call back. */
	service.sources = sources;
	service.count = config->secret_count;
	for (size_t i = 0; i < service.count; i++)
		source_start(service.sources[i]);
}

void secrets_start(struct loop *control, secrets_changed_cb *changed, void *arg)
{
	service.control = control;
	service.changed = changed;
	service.arg = arg;
	service.watch.io.fd = -1;
	reread_service_start(control);
	token_service_start(control);
}

void secrets_stop(void)
{
	reread_service_stop();
	token_service_stop();
	if (service.control)
		stop_sources();
	service.control = NULL;
	map_foreach(&reads_by_name, free_reads, NULL);
	map_fini(&reads_by_name);
	lease_forget_all();
}

/* --- For commands --- */

bool secrets_is_remote(const struct config_secret *secret)
{
	return provider_find(secret->provider)->fetched;
}

void secrets_read(const struct config_secret *secret, struct secrets_report *report)
{
	secrets_read_until(secret, NULL, report);
}

void secrets_read_until(const struct config_secret *secret, const atomic_bool *stop, struct secrets_report *report)
{
	const struct provider *provider = provider_find(secret->provider);
	struct reading reading = { .stop = stop };

	*report = (struct secrets_report){ 0 };
	report->good = provider->read(secret, &reading, &report->error);
	if (report->good)
		report->values = reading.values;
	else
		lease_values_fini(&reading.values);
	report->on_demand = reading.on_demand;
	memcpy(report->warning, reading.warning, sizeof(report->warning));
}

bool secrets_parse(const char *text, size_t size, struct lease_value *value, struct error *error)
{
	bool good = shape_parse(text, size, NULL, value, error);

	if (!good)
		lease_value_fini(value);
	return good;
}

void secrets_report_fini(struct secrets_report *report)
{
	lease_values_fini(&report->values);
}
