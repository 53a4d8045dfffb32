/* A login that was refused although a [secret] says so.
 *
 * Failure story: a password changes in two places, one after the other. Where the server has changed first, the file may
 * say so by now and nobody has looked yet: it is read again. Where the secret has changed first, the server still wants
 * the previous value. Each value gets one try per attempt; all of it counts in server_connect_timeout. */
#include <stdatomic.h>

#include "open_internal.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"

/* The same in every other respect. Targets are immutable, so it is another one. */
static struct server_target *with_credentials(const struct server_target *target, struct credentials *credentials)
{
	struct server_target *other = NEW(struct server_target);

	*other = (struct server_target){
		.config = config_ref(target->config),
		.database = target->database,
		.host = target->host,
		.dbname = mem_strdup(target->dbname),
		.credentials = credentials_ref(credentials),
		.login_state = state_ref(target->login_state),
		.replication = mem_strdup(target->replication),
		.asks_allowed = target->asks_allowed,
	};
	atomic_init(&other->references, 1);
	return other;
}

static void start_again(struct attempt *attempt, struct credentials *credentials)
{
	struct server_target *old = attempt->target;

	attempt->target = with_credentials(old, credentials);
	server_target_unref(&old);
	attempt_close_login(attempt);
	attempt_enter(attempt, ATTEMPT_DIAL);
	attempt_dial(attempt);
}

/* Of what the server has refused so far nothing is tried again: `value` may be NULL. */
static bool start_with(struct attempt *attempt, struct credentials *value)
{
	bool another = value && !value->missing && value->fingerprint != attempt->refused
		&& value->fingerprint != attempt->target->credentials->fingerprint;

	if (another)
		start_again(attempt, value);
	credentials_unref(&value);
	return another;
}

static bool try_previous(struct attempt *attempt)
{
	if (attempt->tried_previous)
		return false;
	attempt->tried_previous = true;
	return start_with(attempt, credentials_previous(attempt->target->credentials));
}

static void read_again(void *arg)
{
	struct attempt *attempt = arg;

	attempt->reread = NULL;
	if (!start_with(attempt, credentials_renewed(attempt->target->credentials)) && !try_previous(attempt))
		attempt_end(attempt);
}

bool attempt_try_other_value(struct attempt *attempt)
{
	const struct credentials *credentials = attempt->target->credentials;

	if (!credentials->secret)
		return false;
	log_debug("server refused the value of a secret", LOG_TEXT("secret", credentials->secret),
		LOG_TEXT("host", attempt->target->host->host));
	if (attempt->tried_renewed)
		return try_previous(attempt);
	attempt->tried_renewed = true;
	attempt->refused = credentials->fingerprint;
	attempt_close_login(attempt);
	attempt_enter(attempt, ATTEMPT_REREAD);
	attempt->reread = reread_start(credentials->secret, attempt->work.loop, read_again, attempt);
	return true;
}
