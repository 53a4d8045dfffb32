/* The login with what a [secret] says, of which the server may want another value.
 *
 * Failure story: a password changes in two places, one after the other. What worked here last is tried first, then what
 * the secret says; when the server refuses it the secret is read again, and then its pending and its previous value get
 * a try each. Nobody else tries a value on that host meanwhile (trials.h): they wait for what comes of it. What is
 * refused all around is not tried again for a while, by anybody. All of it counts in server_connect_timeout. */
#include <stdatomic.h>
#include <string.h>

#include "open_internal.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"

/* Somebody else's trial takes about as long as a login does. */
enum { TURN_MS = 10 };

/* The same in every other respect. Targets are immutable, so it is another one. */
static struct server_target *with_credentials(const struct server_target *target, struct credentials *credentials)
{
	struct server_target *other = NEW(struct server_target);

	*other = (struct server_target){
		.config = config_ref(target->config),
		.database = target->database,
		.host = target->host,
		.host_moved = target->host_moved,
		.dbname = mem_strdup(target->dbname),
		.credentials = credentials_ref(credentials),
		.login_state = state_ref(target->login_state),
		.replication = mem_strdup(target->replication),
		.asks_allowed = target->asks_allowed,
	};
	atomic_init(&other->references, 1);
	return other;
}

void attempt_use(struct attempt *attempt, struct credentials *credentials)
{
	struct server_target *old = attempt->target;

	attempt->target = with_credentials(old, credentials);
	server_target_unref(&old);
}

/* A connection may live for longer than its password. */
void attempt_forget_value(struct attempt *attempt, struct server *server)
{
	if (!attempt->target->credentials->secret)
		return;
	struct credentials *bare = credentials_without_values(attempt->target->credentials);

	attempt_use(attempt, bare);
	server_target_unref(&server->target);
	server->target = server_target_ref(attempt->target);
	if (server->acts_as)
		server->acts_as = bare->acts_as;
	credentials_unref(&bare);
}

static void end_trial(struct attempt *attempt)
{
	if (attempt->in_trial)
		trials_end(attempt->trials);
	attempt->in_trial = false;
}

static void read_again(void *arg)
{
	struct attempt *attempt = arg;

	attempt->reread = NULL;
	attempt_login_with_secret(attempt);
}

/* Nothing is left: what the server said stands, unless the secret says something else by now. */
static void nothing_left(struct attempt *attempt)
{
	if (!attempt->has_reread) {
		attempt->has_reread = true;
		attempt_enter(attempt, ATTEMPT_REREAD);
		attempt->reread = reread_start(attempt->target->credentials->secret, attempt->work.loop, read_again, attempt);
		return;
	}
	if (!attempt->refused_count) {
		struct error error;

		error_set(&error, "28000", "there is no password to log in with: secret \"%s\" has no value any more",
			attempt->target->credentials->secret);
		attempt_auth_failed(attempt, &error);
		return;
	}
	trials_exhausted(attempt->trials, &attempt->reply->opened.error);
	attempt_end(attempt);
}

static void try_now(struct attempt *attempt, struct credentials *credentials)
{
	attempt_use(attempt, credentials);
	attempt_enter(attempt, ATTEMPT_DIAL);
	attempt_dial(attempt);
}

static void take_turn(struct attempt *attempt, struct credentials *credentials)
{
	struct error error;
	enum trials_turn turn = attempt->in_trial ? TRIALS_KNOWN : trials_begin(attempt->trials, credentials, &error);

	switch (turn) {
	case TRIALS_BEGUN:
		attempt->in_trial = true;
		try_now(attempt, credentials);
		break;
	case TRIALS_KNOWN:
		try_now(attempt, credentials);
		break;
	case TRIALS_BUSY:
		loop_timer_start(&attempt->address_timer, TURN_MS);
		break;
	case TRIALS_LATER:
		attempt->reply->opened.error = error;
		attempt->reply->opened.from_server = attempt->reply->opened.password_refused = true;
		attempt_end(attempt);
		break;
	}
}

/* Before other values than the current one are tried, the secret is read again: they may be old. */
static bool is_due_to_reread(const struct attempt *attempt, const struct credentials *credentials)
{
	return attempt->refused_count > 0 && !attempt->has_reread && credentials->stage != SECRET_CURRENT;
}

void attempt_login_with_secret(struct attempt *attempt)
{
	struct credentials *chosen = trials_choose(attempt->trials, attempt->target->credentials, attempt->refused,
		attempt->refused_count);

	if (attempt->state != ATTEMPT_TURN)
		attempt_enter(attempt, ATTEMPT_TURN);
	if (!chosen || is_due_to_reread(attempt, chosen))
		nothing_left(attempt);
	else
		take_turn(attempt, chosen);
	credentials_unref(&chosen);
}

void attempt_begin_with_secret(struct attempt *attempt)
{
	const struct server_target *target = attempt->target;

	attempt->trials = trials_get(target->credentials, target->host->host, target->host->port);
	attempt_login_with_secret(attempt);
}

bool attempt_try_other_value(struct attempt *attempt)
{
	const struct credentials *credentials = attempt->target->credentials;

	if (!attempt->trials)
		return attempt_try_other_token(attempt);
	log_debug("server refused the value of a secret", LOG_TEXT("secret", credentials->secret),
		LOG_TEXT("stage", secret_stage_words[credentials->stage]), LOG_TEXT("host", attempt->target->host->host));
	trials_refused(attempt->trials, credentials);
	if (attempt->refused_count == ARRAY_LEN(attempt->refused))
		return false;
	attempt->refused[attempt->refused_count++] = credentials->fingerprint;
	attempt_close_login(attempt);
	attempt_login_with_secret(attempt);
	return true;
}

void attempt_secret_worked(struct attempt *attempt)
{
	if (!attempt->trials)
		return;
	trials_worked(attempt->trials, attempt->target->credentials);
	end_trial(attempt);
}

/* insufficient_privilege: no member of the original. invalid_parameter_value: there is no such role. */
bool attempt_may_do_without_role(struct attempt *attempt)
{
	const struct credentials *credentials = attempt->target->credentials;
	const struct error *error = &attempt->reply->opened.error;
	bool minded = strcmp(error->sqlstate, "42501") == 0 || strcmp(error->sqlstate, "22023") == 0;

	if (!minded || !attempt->server->acts_as)
		return false;
	log_warning("the users of a secret that take turns are two users to the server, since the one may not act as the other",
		LOG_TEXT("secret", credentials->secret), LOG_TEXT("user", credentials->user),
		LOG_TEXT("original", credentials->acts_as), LOG_TEXT("reason", error->text));
	attempt->refused_role = true;
	return true;
}

void attempt_secret_ended(struct attempt *attempt)
{
	struct server_opened *opened = attempt->reply ? &attempt->reply->opened : NULL;

	if (!attempt->trials)
		return;
	end_trial(attempt);
	if (!opened || !opened->password_refused)
		return;
	struct trials_outlook outlook = trials_outlook(attempt->trials);

	opened->hopeful = outlook.hopeful;
	opened->after_us = outlook.after_us;
}
