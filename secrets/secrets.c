/* Failure story: what goes wrong with a secret is its source's affair (source.h). Reading may call back, as far as a reload: all
 * sources are in place before the first of them is read. */
#include "pgweir/secrets.h"

#include <string.h>

#include "pgweir/map.h"
#include "pgweir/mem.h"
#include "provider.h"
#include "reread_internal.h"
#include "shape.h"
#include "source.h"
#include "token_internal.h"

static struct {
	struct source_home home;
	struct config *config;          /* A reference. */
	struct source **sources;
	size_t count;
} service;

/* --- Counting --- */

struct reads {
	uint64_t good, failed;
};
static struct map reads_by_name;        /* Of sections that have come and gone too, so that no count goes back. */

void secrets_count_reading(const char *name, bool good)
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

/* --- By name --- */

static struct source *find_source(const char *name)
{
	for (size_t i = 0; i < service.count; i++)
		if (service.sources[i] && strcmp(source_section(service.sources[i])->name, name) == 0)
			return service.sources[i];
	return NULL;
}

const struct config_secret *secrets_section(const char *name)
{
	const struct source *source = find_source(name);

	return source ? source_section(source) : NULL;
}

enum secrets_refresh secrets_refresh(const char *name, struct secrets_waiter *waiter)
{
	struct source *source = find_source(name);

	return source ? source_refresh(source, waiter) : SECRETS_UNKNOWN;
}

enum secrets_refresh secrets_refresh_after(const char *name, struct secrets_waiter *waiter)
{
	struct source *source = find_source(name);

	if (!source)
		return SECRETS_UNKNOWN;
	source_refresh_after(source, waiter);
	return SECRETS_UNDER_WAY;
}

int64_t secrets_next_ms(const char *name)
{
	const struct source *source = find_source(name);

	return source ? source_next_ms(source) : -1;
}

/* --- Sections --- */

static void something_changed(int folder, void *arg)
{
	(void)arg;
	for (size_t i = 0; i < service.count; i++)
		source_look_soon(service.sources[i], folder);
}

/* Leases of sections that are gone, or whose values are of another kind now. */
static void forget_gone(const struct config *config)
{
	for (size_t i = 0; i < service.count; i++) {
		const struct config_secret *now = config_find_secret(config, source_section(service.sources[i])->name);

		if (!now || strcmp(now->provider, source_section(service.sources[i])->provider) != 0)
			lease_forget(source_section(service.sources[i])->name);
	}
}

/* The former source of a section, taken out of the list; NULL: it needs a new one. */
static struct source *take_former(const struct config_secret *section)
{
	for (size_t i = 0; i < service.count; i++) {
		struct source *source = service.sources[i];

		if (source && source_serves(source, section)) {
			service.sources[i] = NULL;
			source_use(source, section);
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
	watch_fini(&service.home.watch);
	config_unref(&service.config);
}

void secrets_configure(struct config *config)
{
	struct source **sources = NEW_ARRAY(struct source *, config->secret_count);

	forget_gone(config);
	for (size_t i = 0; i < config->secret_count; i++) {
		struct source *former = take_former(&config->secrets[i]);

		sources[i] = former ? former : source_new(&service.home, &config->secrets[i]);
	}
	stop_sources();
	service.config = config_ref(config);
	watch_init(&service.home.watch, service.home.control, something_changed, NULL);
	/* All are entered before the first is read: reading may call back. */
	service.sources = sources;
	service.count = config->secret_count;
	for (size_t i = 0; i < service.count; i++)
		source_start(service.sources[i]);
}

void secrets_start(struct loop *control, secrets_changed_cb *changed, void *arg)
{
	service.home.control = control;
	service.home.changed = changed;
	service.home.arg = arg;
	service.home.watch.io.fd = -1;
	reread_service_start(control);
	token_service_start(control);
}

void secrets_stop(void)
{
	reread_service_stop();
	token_service_stop();
	if (service.home.control)
		stop_sources();
	service.home.control = NULL;
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
