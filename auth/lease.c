#include "pgweir/lease.h"

#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "pgweir/clock.h"
#include "pgweir/map.h"
#include "pgweir/mem.h"

static struct {
	pthread_mutex_t mutex;
	struct map leases;              /* By name; a reference each. */
	uint64_t serial;
} published = { .mutex = PTHREAD_MUTEX_INITIALIZER };

/* --- Values --- */

void lease_value_fini(struct lease_value *value)
{
	mem_secret_free(value->username);
	mem_secret_free(value->password);
	mem_secret_free(value->host);
	mem_secret_free(value->dbname);
	mem_free(value->version_id);
	*value = (struct lease_value){ 0 };
}

void lease_values_fini(struct lease_values *values)
{
	lease_value_fini(&values->current);
	lease_value_fini(&values->pending);
	lease_value_fini(&values->previous);
}

void lease_value_copy(struct lease_value *to, const struct lease_value *from)
{
	*to = (struct lease_value){
		.username = mem_secret_dup(from->username),
		.password = mem_secret_dup(from->password),
		.host = mem_secret_dup(from->host),
		.dbname = mem_secret_dup(from->dbname),
		.version_id = mem_strdup(from->version_id),
		.port = from->port,
	};
}

static bool same_text(const char *a, const char *b)
{
	return a && b ? mem_equal_secret_text(a, b) : a == b;
}

bool lease_value_equal(const struct lease_value *a, const struct lease_value *b)
{
	return same_text(a->username, b->username) && same_text(a->password, b->password) && same_text(a->host, b->host)
		&& same_text(a->dbname, b->dbname) && a->port == b->port;
}

static bool same_login(const struct lease_value *a, const struct lease_value *b)
{
	return same_text(a->username, b->username) && same_text(a->password, b->password);
}

/* --- Leases --- */

struct lease *lease_ref(struct lease *lease)
{
	atomic_fetch_add_explicit(&lease->references, 1, memory_order_relaxed);
	return lease;
}

void lease_unref(struct lease **lease)
{
	struct lease *gone = *lease;

	*lease = NULL;
	if (!gone || atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) > 1)
		return;
	lease_value_fini(&gone->value);
	lease_value_fini(&gone->previous);
	lease_value_fini(&gone->pending);
	mem_free(gone->problem);
	mem_free(gone->name);
	mem_free(gone);
}

static struct lease *lease_new(const char *name, const struct lease *former)
{
	struct lease *lease = NEW(struct lease);

	atomic_init(&lease->references, 1);
	lease->name = mem_strdup(name);
	lease->stage = "";
	if (!former)
		return lease;
	lease_value_copy(&lease->value, &former->value);
	lease_value_copy(&lease->previous, &former->previous);
	lease_value_copy(&lease->pending, &former->pending);
	lease->rotating = former->rotating;
	lease->stage = former->stage;
	lease->revoked = former->revoked;
	lease->version = former->version;
	lease->serial = former->serial;
	lease->fetched_us = former->fetched_us;
	lease->changed_us = former->changed_us;
	lease->dated = former->dated;
	return lease;
}

/* What is in `to` goes, what is in `from` moves there. */
static void move_value(struct lease_value *to, struct lease_value *from)
{
	lease_value_fini(to);
	*to = *from;
	*from = (struct lease_value){ 0 };
}

/* True: another login than before, or the same at another place. */
static bool take_values(struct lease *lease, struct lease_values *values, uint64_t now_us)
{
	bool had = lease->value.password != NULL;
	bool changed = !had || !same_login(&lease->value, &values->current);
	bool moved = !lease_value_equal(&lease->value, &values->current);

	lease->fetched_us = now_us;
	if (values->previous.password)
		move_value(&lease->previous, &values->previous);
	else if (changed && had)
		move_value(&lease->previous, &lease->value);
	move_value(&lease->value, &values->current);
	move_value(&lease->pending, &values->pending);
	lease->rotating = values->rotating;
	lease->stage = "current";
	if (changed) {
		lease->revoked = false;
		lease->version++;
		/* May wrap around, with a source that is older than this machine is up; so do the differences. */
		lease->changed_us = had ? now_us : now_us - values->age_us;
		lease->dated = had || (values->age_us && values->age_us <= now_us);
	}
	return changed || moved;
}

bool lease_publish(const char *name, struct lease_values *values, char *problem)
{
	bool changed = false;

	pthread_mutex_lock(&published.mutex);
	struct lease *former = map_get_text(&published.leases, name);
	struct lease *lease = lease_new(name, former);

	if (values->current.password)
		changed = take_values(lease, values, clock_now_us());
	if (!former || lease->version != former->version)
		lease->serial = ++published.serial;
	lease->problem = problem;
	map_put_text(&published.leases, name, lease);
	pthread_mutex_unlock(&published.mutex);
	lease_unref(&former);
	lease_values_fini(values);
	return changed;
}

bool lease_revoke(const char *name)
{
	pthread_mutex_lock(&published.mutex);
	struct lease *former = map_get_text(&published.leases, name);
	struct lease *lease = former ? lease_new(name, former) : NULL;

	if (lease) {
		lease->revoked = true;
		lease->serial = ++published.serial;
		lease->problem = mem_strdup(former->problem);
		map_put_text(&published.leases, name, lease);
	}
	pthread_mutex_unlock(&published.mutex);
	lease_unref(&former);
	return lease != NULL;
}

static void publish_lease(const char *name, struct lease *lease)
{
	struct lease *former = map_put_text(&published.leases, name, lease);

	lease_unref(&former);
}

void lease_publish_awaited(const char *name)
{
	pthread_mutex_lock(&published.mutex);
	const struct lease *former = map_get_text(&published.leases, name);

	if (!former || !former->value.password) {
		struct lease *lease = lease_new(name, NULL);

		lease->awaited = true;
		publish_lease(name, lease);
	}
	pthread_mutex_unlock(&published.mutex);
}

void lease_publish_on_demand(const char *name)
{
	struct lease *lease = lease_new(name, NULL);

	lease->on_demand = true;
	lease->stage = "on demand";
	lease->fetched_us = clock_now_us();
	pthread_mutex_lock(&published.mutex);
	lease->serial = ++published.serial;
	publish_lease(name, lease);
	pthread_mutex_unlock(&published.mutex);
}

void lease_forget(const char *name)
{
	pthread_mutex_lock(&published.mutex);
	struct lease *gone = map_take_text(&published.leases, name);

	pthread_mutex_unlock(&published.mutex);
	lease_unref(&gone);
}

static bool let_go(const void *key, size_t size, void *value, void *arg)
{
	struct lease *lease = value;

	(void)key, (void)size, (void)arg;
	lease_unref(&lease);
	return true;
}

void lease_forget_all(void)
{
	pthread_mutex_lock(&published.mutex);
	map_foreach(&published.leases, let_go, NULL);
	map_fini(&published.leases);
	published.leases = (struct map){ 0 };
	pthread_mutex_unlock(&published.mutex);
}

struct lease *lease_find(const char *name)
{
	pthread_mutex_lock(&published.mutex);
	struct lease *lease = map_get_text(&published.leases, name);

	if (lease)
		lease_ref(lease);
	pthread_mutex_unlock(&published.mutex);
	return lease;
}

bool lease_in_grace(const struct lease *lease, uint64_t grace_ms)
{
	return lease->previous.password && !lease->revoked && clock_now_us() - lease->changed_us < grace_ms * 1000;
}
