/* Failure story: every login ends in exactly one of GRANTED and DENIED. What a client gets wrong is DENIED with
 * PostgreSQL's own words; unknown user, wrong password and unusable secret look the same from outside and differ only
 * in the log. An owner that goes away while auth_query is under way cancels it; the answer then finds nobody. A client
 * may take its time to answer, and a value of a [secret] be retired meanwhile: nothing of it is kept here until then. */
#include "pgweir/authenticator.h"

#include <netinet/in.h>
#include <string.h>
#include <unistd.h>

#include "authenticator_internal.h"
#include "credentials_internal.h"
#include "pgweir/mem.h"
#include "pgweir/secret_uses.h"
#include "pgweir/trials.h"
#include "throttle.h"

/* A client that came in through an IPv6 socket over IPv4 is an IPv4 client to every rule. */
static void copy_address(struct sockaddr_storage *to, const struct sockaddr_storage *from)
{
	*to = *from;
	if (from->ss_family != AF_INET6)
		return;
	const struct sockaddr_in6 *in6 = (const struct sockaddr_in6 *)from;

	if (!IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))
		return;
	struct sockaddr_in in = { .sin_family = AF_INET, .sin_port = in6->sin6_port };

	memcpy(&in.sin_addr, in6->sin6_addr.s6_addr + 12, sizeof(in.sin_addr));
	memset(to, 0, sizeof(*to));
	memcpy(to, &in, sizeof(in));
}

struct authenticator *authenticator_new(const struct auth_request *request, struct loop *loop, authenticator_cb *callback,
	void *arg)
{
	struct authenticator *authenticator = NEW(struct authenticator);

	*authenticator = (struct authenticator){
		.config = config_ref(request->config),
		.state = auth_state_current(),
		.database = request->database,
		.database_name = mem_strdup(request->database_name),
		.user = mem_strdup(request->user),
		.common_name = mem_strdup(request->common_name),
		.replication = request->replication,
		.tls = request->tls,
		.peer_uid = request->peer_uid,
		.loop = loop,
		.callback = callback,
		.arg = arg,
	};
	copy_address(&authenticator->address, request->address);
	if (request->tls && request->binding_size && request->binding_size <= SCRAM_BINDING_MAX) {
		memcpy(authenticator->scram.binding, request->binding, request->binding_size);
		authenticator->scram.binding_size = request->binding_size;
	}
	return authenticator;
}

void authenticator_free(struct authenticator **authenticator)
{
	struct authenticator *gone = *authenticator;

	*authenticator = NULL;
	if (!gone)
		return;
	lookup_cancel(&gone->lookup);
	renewal_cancel(&gone->reread);
	credentials_unref(&gone->proved);
	client_secrets_fini(&gone->secrets);
	scram_server_fini(&gone->scram);
	mem_secret_free(gone->answer);
	mem_free(gone->mechanism);
	mem_free(gone->refusal);
	buf_fini(&gone->body);
	mem_free(gone->database_name);
	mem_free(gone->user);
	mem_free(gone->common_name);
	auth_state_unref(&gone->state);
	config_unref(&gone->config);
	mem_free(gone);
}

/* --- Steps --- */

enum auth_step authenticator_challenge(struct authenticator *authenticator, uint32_t code)
{
	authenticator->phase = PHASE_CHALLENGED;
	authenticator->code = code;
	return AUTH_CHALLENGE;
}

enum auth_step authenticator_grant(struct authenticator *authenticator)
{
	authenticator->phase = PHASE_DONE;
	return AUTH_GRANTED;
}

enum auth_step authenticator_deny(struct authenticator *authenticator, const char *detail)
{
	authenticator->phase = PHASE_DONE;
	authenticator->code = AUTH_CODE_OK;
	buf_drop_front(&authenticator->body, authenticator->body.size);
	mem_free(authenticator->refusal);
	authenticator->refusal = detail ? mem_strdup(detail) : NULL;
	return AUTH_DENIED;
}

void authenticator_doom(struct authenticator *authenticator, enum stored_secret kind, const char *detail)
{
	char *secret = auth_state_mock_secret(authenticator->user, kind);

	client_secrets_fini(&authenticator->secrets);
	client_secrets_add(&authenticator->secrets, secret);
	mem_secret_free(secret);
	authenticator->doomed = true;
	authenticator->detail = detail;
}

static enum auth_step deny_throttled(struct authenticator *authenticator)
{
	error_set(&authenticator->error, "28000", "too many failed logins from this address");
	return authenticator_deny(authenticator, NULL);
}

/* That the user exists is told here; whoever waits for a secret to come must be able to see why nobody gets in. */
static enum auth_step deny_missing(struct authenticator *authenticator)
{
	error_set(&authenticator->error, "57P03", "the password of user \"%s\" is not known yet: its secret has no value",
		authenticator->user);
	return authenticator_deny(authenticator, NULL);
}

/* --- Where the secrets come from --- */

static void lookup_answered(const struct lookup_answer *answer, void *arg);
static enum auth_step find_secrets(struct authenticator *authenticator);

static bool may_look_up(const struct authenticator *authenticator)
{
	return authenticator->database && authenticator->database->auth_user;
}

static enum auth_step look_up(struct authenticator *authenticator, enum authenticator_phase phase)
{
	struct lookup_request request = {
		.config = authenticator->config,
		.database = authenticator->database,
		.database_name = authenticator->database_name,
		.user = authenticator->user,
		.anew = phase == PHASE_LOOKUP_ANEW,
	};

	authenticator->phase = phase;
	authenticator->lookup = lookup_start(&request, authenticator->loop, lookup_answered, authenticator);
	return AUTH_WAITING;
}

/* An unknown user is asked as most users are: those of the server, where it was asked, mostly have verifiers. */
static enum auth_step begin_method(struct authenticator *authenticator)
{
	enum stored_secret usual = may_look_up(authenticator) ? STORED_SCRAM : auth_state_mock_kind(authenticator->state);

	if (authenticator->method->needs_secrets && !authenticator->secrets.count)
		authenticator_doom(authenticator, usual, "there is no such user, or it has no password");
	enum auth_step step = authenticator->method->start(authenticator);

	if (authenticator->secrets.secret)
		client_secrets_forget_texts(&authenticator->secrets);
	return step;
}

static void take_secrets(struct authenticator *authenticator, const struct lookup_answer *answer)
{
	client_secrets_fini(&authenticator->secrets);
	authenticator->doomed = false;
	if (answer->outcome == LOOKUP_FOUND)
		client_secrets_add(&authenticator->secrets, answer->secret);
	authenticator->looked_up = true;
	authenticator->secrets_cached = answer->cached;
}

/* --- The verdict --- */

static enum auth_step deny_password(struct authenticator *authenticator)
{
	throttle_failed(&authenticator->address);
	error_set(&authenticator->error, "28P01", "password authentication failed for user \"%s\"", authenticator->user);
	return authenticator_deny(authenticator, authenticator->detail ? authenticator->detail : "wrong password");
}

static bool verify(struct authenticator *authenticator)
{
	if (authenticator->method->verify(authenticator) && !authenticator->doomed)
		return true;
	/* A made-up secret fits nothing but by a miracle. */
	credentials_unref(&authenticator->proved);
	return false;
}

static enum auth_step grant_proved(struct authenticator *authenticator)
{
	const struct client_secrets *secrets = &authenticator->secrets;

	if (secrets->secret) {
		authenticator->proved->secret = mem_strdup(secrets->secret);
		authenticator->proved->secret_version = secrets->versions[authenticator->matched];
		secret_uses_count(secrets->secret, authenticator->user, authenticator->proved->secret_version);
	}
	if (authenticator->looked_up)
		credentials_note_stored(authenticator->proved, secrets->texts[authenticator->matched]);
	return authenticator_grant(authenticator);
}

static enum auth_step judge_anew(struct authenticator *authenticator)
{
	if (authenticator->secrets.count && verify(authenticator))
		return grant_proved(authenticator);
	return deny_password(authenticator);
}

/* --- A secret that may say something else by now --- */

static void find_again(struct authenticator *authenticator)
{
	struct client_secrets now = { 0 };

	if (!client_secrets_find(&now, authenticator->state, authenticator->config, authenticator->user))
		return;
	client_secrets_fini(&authenticator->secrets);
	authenticator->secrets = now;
}

static void have_reread(void *arg)
{
	struct authenticator *authenticator = arg;

	authenticator->reread = NULL;
	find_again(authenticator);
	authenticator->callback(judge_anew(authenticator), authenticator->arg);
}

/* Whoever has read the secret before us knows a password that we do not. How often it is read is not in a client's hand. */
static enum auth_step reread(struct authenticator *authenticator)
{
	authenticator->phase = PHASE_REREAD;
	client_secrets_forget_texts(&authenticator->secrets);
	authenticator->reread = renewal_start(authenticator->secrets.secret, authenticator->loop, have_reread, authenticator);
	return authenticator->reread ? AUTH_WAITING : deny_password(authenticator);
}

/* Many may have been let in to try at the same time; only as many as there are tokens are judged. */
enum auth_step authenticator_judge(struct authenticator *authenticator)
{
	if (!throttle_allows(&authenticator->address))
		return deny_throttled(authenticator);
	if (authenticator->secrets.secret)
		find_again(authenticator);
	if (verify(authenticator))
		return grant_proved(authenticator);
	if (authenticator->secrets_cached)
		return look_up(authenticator, PHASE_LOOKUP_ANEW);
	if (authenticator->secrets.secret && !authenticator->doomed)
		return reread(authenticator);
	return deny_password(authenticator);
}

static void lookup_answered(const struct lookup_answer *answer, void *arg)
{
	struct authenticator *authenticator = arg;
	enum auth_step step;

	authenticator->lookup = NULL;
	if (answer->outcome == LOOKUP_FAILED) {
		/* Where we have asked, as whom, and what the server said is not for strangers: it is in the log. */
		error_set(&authenticator->error, answer->error.sqlstate, "could not look up user \"%s\"", authenticator->user);
		step = authenticator_deny(authenticator, answer->error.text);
	} else {
		take_secrets(authenticator, answer);
		step = authenticator->phase == PHASE_LOOKUP ? begin_method(authenticator) : judge_anew(authenticator);
	}
	authenticator->callback(step, authenticator->arg);
}

/* --- A secret that has no value yet --- */

static void no_longer_awaited(void *arg)
{
	struct authenticator *authenticator = arg;

	authenticator->reread = NULL;
	client_secrets_fini(&authenticator->secrets);
	enum auth_step step = find_secrets(authenticator);

	if (step != AUTH_WAITING)
		authenticator->callback(step, authenticator->arg);
}

/* As often as a reading takes longer than one may be waited for; client_login_timeout ends it. */
static enum auth_step await_value(struct authenticator *authenticator)
{
	authenticator->phase = PHASE_REREAD;
	authenticator->reread = renewal_start(authenticator->secrets.secret, authenticator->loop, no_longer_awaited, authenticator);
	return authenticator->reread ? AUTH_WAITING : deny_missing(authenticator);
}

static enum auth_step find_secrets(struct authenticator *authenticator)
{
	if (client_secrets_find(&authenticator->secrets, authenticator->state, authenticator->config, authenticator->user))
		return begin_method(authenticator);
	if (authenticator->secrets.missing)
		return authenticator->secrets.awaited ? await_value(authenticator) : deny_missing(authenticator);
	if (!may_look_up(authenticator))
		return begin_method(authenticator);
	return look_up(authenticator, PHASE_LOOKUP);
}

/* --- For the owner --- */

/* As PgBouncer: who runs as we do may use the console. */
static bool is_console_owner(const struct authenticator *authenticator)
{
	return !authenticator->database && authenticator->address.ss_family == AF_UNIX &&
		authenticator->peer_uid == geteuid() &&
		(strcmp(authenticator->user, "pgweir") == 0 || strcmp(authenticator->user, "pgbouncer") == 0);
}

enum auth_step authenticator_start(struct authenticator *authenticator)
{
	CHECK(authenticator->phase == PHASE_NEW);
	if (is_console_owner(authenticator))
		return authenticator_grant(authenticator);
	if (!throttle_allows(&authenticator->address))
		return deny_throttled(authenticator);
	if (!authenticator_choose(authenticator))
		return authenticator_deny(authenticator, NULL);
	return authenticator->method->needs_secrets ? find_secrets(authenticator) : begin_method(authenticator);
}

enum auth_step authenticator_answer(struct authenticator *authenticator, const void *body, size_t size)
{
	CHECK(authenticator->phase == PHASE_CHALLENGED);
	buf_drop_front(&authenticator->body, authenticator->body.size);
	authenticator->code = AUTH_CODE_OK;
	return authenticator->method->answer(authenticator, body, size);
}

uint32_t authenticator_code(const struct authenticator *authenticator)
{
	return authenticator->code;
}

const struct buf *authenticator_body(const struct authenticator *authenticator)
{
	return &authenticator->body;
}

const struct error *authenticator_error(const struct authenticator *authenticator)
{
	return &authenticator->error;
}

const char *authenticator_method(const struct authenticator *authenticator)
{
	return authenticator->method ? authenticator->method->name : NULL;
}

const char *authenticator_refusal(const struct authenticator *authenticator)
{
	return authenticator->refusal;
}

struct credentials *authenticator_take_proved(struct authenticator *authenticator)
{
	struct credentials *proved = authenticator->proved;

	authenticator->proved = NULL;
	return proved;
}

void auth_start(struct loop *control)
{
	lookup_service_start(control);
}

void auth_secrets_changed(void)
{
	lookup_service_secrets_changed();
}

void auth_stop(void)
{
	lookup_service_stop();
	auth_state_forget();
	scram_cache_wipe();
	trials_forget_all();
	secret_uses_forget_all();
}
