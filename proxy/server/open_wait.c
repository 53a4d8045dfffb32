/* Credentials that are not at hand when an attempt begins: those of a secret that is being read for the first time, and
 * tokens that are made for one login.
 *
 * Failure story: a token that the server refuses may have been made with AWS credentials that are not good any more: one
 * more is made, once. All of the waiting counts in server_connect_timeout. */
#include "open_internal.h"
#include "pgweir/lease.h"
#include "pgweir/mem.h"

/* --- The first value of a secret --- */

static bool is_awaited(const struct credentials *credentials)
{
	struct lease *lease = lease_find(credentials->secret);
	bool awaited = lease && lease->awaited;

	lease_unref(&lease);
	return awaited;
}

static void no_longer_awaited(void *arg)
{
	struct attempt *attempt = arg;
	struct credentials *now = credentials_of_stage(attempt->target->credentials, SECRET_CURRENT);

	attempt->reread = NULL;
	if (now)
		attempt_use(attempt, now);
	attempt_begin(attempt);
	credentials_unref(&now);
}

bool attempt_await_value(struct attempt *attempt)
{
	const struct credentials *credentials = attempt->target->credentials;

	if (!is_awaited(credentials))
		return false;
	attempt_enter(attempt, ATTEMPT_WAIT);
	attempt->reread = reread_start(credentials->secret, attempt->work.loop, no_longer_awaited, attempt);
	return true;
}

/* --- Tokens --- */

static void got_token(const char *token, const struct error *error, void *arg)
{
	struct attempt *attempt = arg;
	struct error refusal;

	attempt->token = NULL;
	if (token) {
		struct credentials *credentials = credentials_with_token(attempt->target->credentials, token);

		attempt_use(attempt, credentials);
		credentials_unref(&credentials);
		attempt_begin(attempt);
		return;
	}
	error_set(&refusal, "28000", "there is no token to log in with: %s", error->text);
	attempt_enter(attempt, ATTEMPT_DIAL);
	attempt_auth_failed(attempt, &refusal);
}

void attempt_ask_token(struct attempt *attempt)
{
	const struct server_target *target = attempt->target;
	const struct credentials *credentials = target->credentials;

	attempt_enter(attempt, ATTEMPT_WAIT);
	attempt->token_secret = mem_strdup(credentials->secret);
	attempt->token = token_start(credentials->secret, target->host->host, target->host->port, credentials->user, false,
		attempt->work.loop, got_token, attempt);
}

bool attempt_try_other_token(struct attempt *attempt)
{
	const struct server_target *target = attempt->target;

	if (!attempt->token_secret || attempt->token_again)
		return false;
	attempt->token_again = true;
	attempt_close_login(attempt);
	attempt_enter(attempt, ATTEMPT_WAIT);
	attempt->token = token_start(attempt->token_secret, target->host->host, target->host->port, target->credentials->user,
		true, attempt->work.loop, got_token, attempt);
	return true;
}
