/* Failure story: as with logins of clients' connections (trials.h), another value is tried by one login at a time per host, and
 * who comes while it is under way looks again a little later. A token that is refused is made anew once. Whatever ends a
 * login, the turn is given back. Connections live for long: of a value nothing is kept here but which one it was. */
#include "pgweir/secret_login.h"

#include "pgweir/mem.h"
#include "pgweir/renewal.h"
#include "pgweir/trials.h"

enum { TURN_MS = 10 };

struct secret_login {
	struct loop *loop;
	secret_login_cb *callback;
	void *arg;
	char *host;
	uint16_t port;
	struct credentials *wanted, *chosen;
	struct trials *trials;                  /* NULL: it is no secret's, or has tokens. */
	bool in_trial, over;                    /* There is a turn. There is no more to try, and the owner is to hear it. */
	uint64_t refused[SECRET_STAGES * 2];    /* Fingerprints. */
	unsigned refused_count;
	struct error reason;                    /* Of the last refusal. */
	bool has_reread, has_token_anew;
	struct reread *reread;
	struct token_ask *token;
	struct loop_timer turn;
};

static void end_trial(struct secret_login *login)
{
	if (login->in_trial)
		trials_end(login->trials);
	login->in_trial = false;
}

static void stop(struct secret_login *login)
{
	end_trial(login);
	login->over = false;
	loop_timer_stop(&login->turn);
	renewal_cancel(&login->reread);
	renewal_cancel_token(&login->token);
}

static void give_up(struct secret_login *login, const struct error *error)
{
	struct error reason = *error;

	end_trial(login);
	login->callback(NULL, &reason, login->arg);
}

/* The owner takes what it needs. */
static void hand_over(struct secret_login *login)
{
	struct credentials *chosen = login->chosen;

	login->chosen = credentials_without_values(chosen);
	login->callback(chosen, NULL, login->arg);
	credentials_unref(&chosen);
}

/* --- Values --- */

/* False: the host has refused all of them. Without a value there is nothing to choose; the server says what it thinks of that. */
static bool choose(struct secret_login *login)
{
	struct credentials *chosen = trials_choose(login->trials, login->wanted, login->refused, login->refused_count);

	if (!chosen && login->refused_count)
		return false;
	credentials_unref(&login->chosen);
	login->chosen = chosen ? chosen : credentials_ref(login->wanted);
	return true;
}

static void take_turn(void *arg)
{
	struct secret_login *login = arg;
	struct error error;

	if (login->over) {
		give_up(login, &login->reason);
		return;
	}
	enum trials_turn turn = login->in_trial ? TRIALS_KNOWN : trials_begin(login->trials, login->chosen, &error);

	if (turn == TRIALS_BUSY) {
		loop_timer_start(&login->turn, TURN_MS);
		return;
	}
	if (turn == TRIALS_LATER) {
		login->reason = error;
		login->over = true;
		loop_timer_start(&login->turn, 0);
		return;
	}
	login->in_trial |= turn == TRIALS_BEGUN;
	hand_over(login);
}

static void have_reread(void *arg)
{
	struct secret_login *login = arg;

	login->reread = NULL;
	if (choose(login)) {
		take_turn(login);
		return;
	}
	trials_exhausted(login->trials, &login->reason);
	give_up(login, &login->reason);
}

static bool try_other_value(struct secret_login *login, const struct error *reason)
{
	trials_refused(login->trials, login->chosen);
	if (login->refused_count == ARRAY_LEN(login->refused))
		return false;
	login->refused[login->refused_count++] = login->chosen->fingerprint;
	login->reason = *reason;
	if (!login->has_reread)
		login->reread = renewal_start(login->wanted->secret, login->loop, have_reread, login);
	login->has_reread = true;
	if (login->reread)
		return true;
	if (!choose(login)) {
		trials_exhausted(login->trials, reason);
		return false;
	}
	take_turn(login);
	return true;
}

/* --- Tokens --- */

static void got_token(const char *token, const struct error *error, void *arg)
{
	struct secret_login *login = arg;

	login->token = NULL;
	if (!token) {
		struct error reason;

		error_set(&reason, "28000", "there is no token to log in with: %s", error->text);
		give_up(login, &reason);
		return;
	}
	credentials_unref(&login->chosen);
	login->chosen = credentials_with_token(login->wanted, token);
	hand_over(login);
}

/* False: nobody makes them. */
static bool ask_token(struct secret_login *login, bool anew)
{
	struct renewal_place place = { login->wanted->secret, login->host, login->port, login->wanted->user };

	login->token = renewal_ask_token(&place, anew, login->loop, got_token, login);
	return login->token != NULL;
}

static bool try_other_token(struct secret_login *login)
{
	if (login->has_token_anew)
		return false;
	login->has_token_anew = true;
	return ask_token(login, true);
}

/* --- For the owner --- */

void secret_login_begin(struct secret_login *login, struct credentials *wanted, const char *host, uint16_t port)
{
	stop(login);
	credentials_unref(&login->wanted);
	credentials_unref(&login->chosen);
	mem_free(login->host);
	login->wanted = credentials_without_values(wanted);
	login->host = mem_strdup(host);
	login->port = port;
	login->refused_count = 0;
	login->has_reread = login->has_token_anew = false;
	login->trials = wanted->secret && !wanted->on_demand ? trials_get(wanted, host, port) : NULL;
	login->chosen = wanted;
	if (wanted->on_demand && ask_token(login, false))
		return;
	if (login->trials && choose(login))
		take_turn(login);
	else
		hand_over(login);
}

void secret_login_worked(struct secret_login *login)
{
	if (login->trials)
		trials_worked(login->trials, login->chosen);
	end_trial(login);
}

bool secret_login_try_other(struct secret_login *login, const struct error *reason)
{
	bool again = false;

	if (login->wanted->secret && trials_is_refusal(reason))
		again = login->trials ? try_other_value(login, reason) : try_other_token(login);
	if (!again)
		end_trial(login);
	return again;
}

bool secret_login_is_retired(const struct secret_login *login)
{
	bool found = !login->trials || !login->chosen;

	for (int stage = 0; stage < SECRET_STAGES && !found; stage++) {
		struct credentials *now = credentials_of_stage(login->wanted, (enum secret_stage)stage);

		found = now && now->fingerprint == login->chosen->fingerprint;
		credentials_unref(&now);
	}
	return !found;
}

struct secret_login *secret_login_new(struct loop *loop, secret_login_cb *callback, void *arg)
{
	struct secret_login *login = NEW(struct secret_login);

	login->loop = loop;
	login->callback = callback;
	login->arg = arg;
	loop_timer_init(&login->turn, loop, take_turn, login);
	return login;
}

void secret_login_free(struct secret_login **login)
{
	struct secret_login *gone = *login;

	*login = NULL;
	if (!gone)
		return;
	stop(gone);
	credentials_unref(&gone->wanted);
	credentials_unref(&gone->chosen);
	mem_free(gone->host);
	mem_free(gone);
}
