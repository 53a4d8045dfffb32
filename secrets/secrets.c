/* Failure story: reading fails, or brings half of a value, while somebody writes; the last good value stays, the reason is
 * logged once and stands in the lease. What a watch misses (a network filesystem, a folder that was not there) is found by
 * looking every CHECK_MS. A file that was written this very moment counts once it reads the same SETTLE_MS later. */
#include "pgweir/secrets.h"

#include <string.h>

#include "pgweir/clock.h"
#include "pgweir/log.h"
#include "pgweir/map.h"
#include "pgweir/mem.h"
#include "provider.h"
#include "reread_internal.h"
#include "shape.h"
#include "watch.h"

enum {
	CHECK_MS = 10 * 1000,
	GATHER_MS = 20,                 /* Changes come in swarms: a look once they are over. */
	SETTLE_MS = 200,
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
};

static struct {
	struct loop *control;
	secrets_changed_cb *changed;
	void *arg;
	struct config *config;          /* A reference. */
	struct source *sources;
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

static void publish(struct source *source, struct lease_value *value, const char *problem)
{
	const char *name = source->section->name;
	struct lease_values values = { .current = *value };

	*value = (struct lease_value){ 0 };
	if (!lease_publish(name, &values, mem_strdup(problem)))
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
	bool known = !former || !former->value.password || lease_value_equal(&former->value, &reading->value);
	bool same = lease_value_equal(&source->young, &reading->value);
	bool settled = same && clock_now_us() - source->young_since_us >= SETTLE_MS * UINT64_C(1000);

	lease_value_fini(&source->young);
	if (known || settled || !reading->young)
		return false;
	if (!same)
		source->young_since_us = clock_now_us();
	source->young = reading->value;
	reading->value = (struct lease_value){ 0 };
	start_look(source, SETTLE_MS);
	return true;
}

static bool read_source(struct source *source)
{
	struct lease *former = lease_find(source->section->name);
	struct reading reading = { 0 };
	struct error error = { 0 };
	bool good = source->provider->read(source->section, &reading, &error);

	if (source->provider->changes)
		source->folder = watch_folder(&service.watch, source->section->path);
	count_reading(source->section->name, good);
	log_outcome(source, former, good ? NULL : error.text);
	if (good)
		log_warning_once(source, &reading);
	if (!good) {
		lease_value_fini(&reading.value);
		publish(source, &reading.value, error.text);
	} else if (!must_settle(source, former, &reading)) {
		publish(source, &reading.value, NULL);
	}
	lease_unref(&former);
	return good;
}

/* --- When to read --- */

static void check(void *arg)
{
	struct source *source = arg;
	uint64_t interval_ms = source->section->refresh_interval_ms;

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
		if (service.sources[i].folder == folder && service.sources[i].provider->changes)
			start_look(&service.sources[i], GATHER_MS);
}

static struct source *find_source(const char *name)
{
	for (size_t i = 0; i < service.count; i++)
		if (strcmp(service.sources[i].section->name, name) == 0)
			return &service.sources[i];
	return NULL;
}

enum secrets_refresh secrets_refresh(const char *name)
{
	struct source *source = find_source(name);

	if (!source)
		return SECRETS_UNKNOWN;
	if (!source->provider->read)
		return SECRETS_NO_EFFECT;
	return read_source(source) ? SECRETS_REFRESHED : SECRETS_FAILED;
}

/* --- Sections --- */

static void source_start(struct source *source, const struct config_secret *section)
{
	*source = (struct source){ .section = section, .provider = provider_find(section->provider), .folder = -1 };
	CHECK(source->provider);
	loop_timer_init(&source->check, service.control, check, source);
	loop_timer_init(&source->look, service.control, look, source);
	if (!source->provider->read)
		log_warning("secret has no effect yet: its provider is not built in", LOG_TEXT("secret", section->name),
			LOG_TEXT("provider", section->provider));
	else if (source->provider->changes)
		check(source);
	else
		read_source(source);
}

static void source_stop(struct source *source)
{
	loop_timer_stop(&source->check);
	loop_timer_stop(&source->look);
	lease_value_fini(&source->young);
}

/* Leases of sections that are gone, or have a provider without effect now. */
static void forget_gone(const struct config *config)
{
	for (size_t i = 0; i < service.count; i++) {
		const struct config_secret *now = config_find_secret(config, service.sources[i].section->name);

		if (!now || !provider_find(now->provider)->read)
			lease_forget(service.sources[i].section->name);
	}
}

static void stop_sources(void)
{
	for (size_t i = 0; i < service.count; i++)
		source_stop(&service.sources[i]);
	mem_free(service.sources);
	service.sources = NULL;
	service.count = 0;
	watch_fini(&service.watch);
	config_unref(&service.config);
}

void secrets_configure(struct config *config)
{
	forget_gone(config);
	stop_sources();
	service.config = config_ref(config);
	watch_init(&service.watch, service.control, something_changed, NULL);
	service.sources = NEW_ARRAY(struct source, config->secret_count);
	service.count = config->secret_count;
	/* All are entered before the first is read: reading may call back. */
	for (size_t i = 0; i < service.count; i++)
		service.sources[i].section = &config->secrets[i];
	for (size_t i = 0; i < service.count; i++)
		source_start(&service.sources[i], &config->secrets[i]);
}

void secrets_start(struct loop *control, secrets_changed_cb *changed, void *arg)
{
	service.control = control;
	service.changed = changed;
	service.arg = arg;
	service.watch.io.fd = -1;
	reread_service_start(control);
}

void secrets_stop(void)
{
	reread_service_stop();
	if (service.control)
		stop_sources();
	service.control = NULL;
	map_foreach(&reads_by_name, free_reads, NULL);
	map_fini(&reads_by_name);
	lease_forget_all();
}

/* --- For commands --- */

void secrets_read(const struct config_secret *secret, struct secrets_report *report)
{
	const struct provider *provider = provider_find(secret->provider);
	struct reading reading = { 0 };

	*report = (struct secrets_report){ .no_effect = !provider->read };
	if (report->no_effect)
		return;
	report->good = provider->read(secret, &reading, &report->error);
	if (report->good)
		report->value = reading.value;
	else
		lease_value_fini(&reading.value);
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
	lease_value_fini(&report->value);
}
