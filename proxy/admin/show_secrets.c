/* SHOW SECRETS and REFRESH SECRET: what is known of each [secret], and nothing that it keeps. */
#include "act.h"
#include "pgweir/clock.h"
#include "pgweir/control.h"
#include "pgweir/mem.h"
#include "pgweir/secret_uses.h"
#include "pgweir/secrets.h"
#include "pgweir/trials.h"
#include "show.h"

enum { US_PER_S = 1000 * 1000 };

static const struct column columns[] = {
	{ "name", COLUMN_TEXT },
	{ "provider", COLUMN_TEXT },
	{ "stage", COLUMN_TEXT },
	{ "version", COLUMN_INT8 },
	{ "username", COLUMN_TEXT },
	{ "host", COLUMN_TEXT },
	{ "port", COLUMN_INT8 },
	{ "dbname", COLUMN_TEXT },
	{ "age", COLUMN_INT8 },                 /* Seconds that the value has been in force, */
	{ "fetched", COLUMN_INT8 },             /* and since it was last read. */
	{ "previous", COLUMN_TEXT },            /* What the value before it is still good for. */
	{ "pending", COLUMN_TEXT },             /* Whether there is a value to come, and whether it may be read. */
	{ "client_logins", COLUMN_TEXT },       /* By user and version. */
	{ "servers", COLUMN_INT8 },             /* Connections that it has opened and that live. */
	{ "trials", COLUMN_INT8 },              /* Logins with a value of which it was not known whether it works there, */
	{ "refused", COLUMN_INT8 },             /* and how many logins servers have refused. */
	{ "hosts_refusing", COLUMN_INT8 },
	{ "problem", COLUMN_TEXT },
	{ "version_id", COLUMN_TEXT },          /* What its source calls the version, */
	{ "next_refresh", COLUMN_INT8 },        /* and in how many seconds it is read again. */
};
const struct table secrets_table = TABLE(columns);

static void put_since(struct result *result, uint64_t then_us)
{
	if (then_us)
		result_int(result, (int64_t)((clock_now_us() - then_us) / US_PER_S));
	else
		result_null(result);
}

static void put_next(struct result *result, const char *name)
{
	int64_t next_ms = secrets_next_ms(name);

	if (next_ms >= 0)
		result_int(result, next_ms / 1000);
	else
		result_null(result);
}

static const char *previous_use(const struct lease *lease, const struct config_secret *secret)
{
	if (!lease->previous.password)
		return "none";
	if (lease->revoked)
		return "revoked";
	return lease_in_grace(lease, secret->rotation_grace_ms) ? "clients and servers" : "servers";
}

static const char *pending_word(const struct lease *lease)
{
	if (!lease->pending.password)
		return lease->rotating ? "unreadable" : "no";
	return lease_value_equal(&lease->pending, &lease->value) ? "no" : "yes";
}

static void put_uses(struct result *result, const char *name)
{
	struct trials_sum sum;
	struct buf logins = { 0 };

	trials_count(name, &sum);
	secret_uses_describe(name, &logins);
	char *text = buf_take_text(&logins);

	result_text(result, text);
	result_int(result, sum.open);
	result_int(result, (int64_t)sum.trials);
	result_int(result, (int64_t)sum.refusals);
	result_int(result, sum.hosts_refusing);
	mem_free(text);
}

static void put_lease(struct result *result, const struct lease *lease, const struct config_secret *secret)
{
	const struct lease_value *value = &lease->value;

	result_text(result, lease->stage);
	result_int(result, (int64_t)lease->version);
	result_text(result, value->username);
	result_text(result, value->host);
	if (value->port)
		result_int(result, value->port);
	else
		result_null(result);
	result_text(result, value->dbname);
	put_since(result, lease->changed_us);
	put_since(result, lease->fetched_us);
	result_text(result, previous_use(lease, secret));
	result_text(result, pending_word(lease));
	put_uses(result, secret->name);
	result_text(result, lease->problem);
	result_text(result, value->version_id);
	put_next(result, secret->name);
}

void show_secrets(struct job *job)
{
	static const struct lease nothing = { .stage = "", .problem = (char *)"it has not been read yet" };
	const struct config *config = control_config();

	for (size_t i = 0; i < config->secret_count; i++) {
		const struct config_secret *secret = &config->secrets[i];
		struct lease *lease = lease_find(secret->name);

		result_begin(&job->result);
		result_text(&job->result, secret->name);
		result_text(&job->result, secret->provider);
		put_lease(&job->result, lease ? lease : &nothing, secret);
		result_end(&job->result);
		lease_unref(&lease);
	}
	show_done(job);
}

struct refresh {
	struct secrets_waiter waiter;
	struct job *job;
};

static void refreshed(struct job *job, bool good)
{
	if (good)
		job_done(job, "REFRESH SECRET");
	else
		job_fail(job, "58000", "the secret cannot be read; the former value stays", "SHOW SECRETS says why.");
}

static void refresh_ended(struct secrets_waiter *waiter, bool good)
{
	struct refresh *refresh = CONTAINER_OF(waiter, struct refresh, waiter);
	struct job *job = refresh->job;

	mem_free(refresh);
	refreshed(job, good);
}

void act_refresh_secret(struct job *job)
{
	struct refresh *refresh = NEW(struct refresh);

	*refresh = (struct refresh){ .waiter = { .done = refresh_ended }, .job = job };
	enum secrets_refresh outcome = secrets_refresh(call_argument(&job->call, 0), &refresh->waiter);

	if (outcome != SECRETS_UNDER_WAY)
		mem_free(refresh);
	switch (outcome) {
	case SECRETS_REFRESHED:
	case SECRETS_FAILED:
		refreshed(job, outcome == SECRETS_REFRESHED);
		break;
	case SECRETS_UNDER_WAY:
		break;
	case SECRETS_UNKNOWN:
		job_fail(job, "42704", "there is no such secret", "SHOW SECRETS lists them.");
		break;
	}
}
