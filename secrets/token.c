/* Failure story: without AWS credentials there is no token, and the error says why. A request is a letter that travels to
 * the control loop, may wait there for credentials or for its turn, and travels back; whoever sent it may be gone by then:
 * token_cancel() only cuts the tie. `callback` is touched on the sender's loop alone. */
#include <pthread.h>

#include "aws.h"
#include "aws_region.h"
#include "pgweir/clock.h"
#include "pgweir/map.h"
#include "pgweir/mem.h"
#include "token_internal.h"

enum {
	LIFETIME_S = 870,               /* RDS takes them for 900 s. */
	RESERVE_S = 30,                 /* They end with the credentials that made them: not that late. */
	LOGINS_PER_S = 150,             /* AWS advises to stay below 200. */
	BURST_US = 200 * 1000,
	KEPT_MAX = 4096,
	US_PER_S = 1000 * 1000,
};

/* Kept for a secret, host, port and user. */
struct token {
	char *text;
	int64_t until_s;                /* By AWS's clock. */
	uint64_t next_us;               /* When another login with it may begin. */
};

struct token_ask {
	struct loop_letter letter;
	struct list link;               /* Of the service, while it is there. */
	struct loop *loop;              /* A reference. */
	char *secret, *host, *user;
	uint16_t port;
	bool anew;
	struct aws_identity *identity;
	struct aws_ask *ask;
	struct aws_region_ask *region_ask;
	bool nowhere;                   /* There is no region. */
	struct loop_timer timer;
	char *region, *key;
	char *text;                     /* The answer, or */
	struct error error;
	token_cb *callback;             /* NULL once cancelled. */
	void *arg;
};

static struct {
	pthread_mutex_t mutex;
	struct loop *control;
	struct aws *aws;
	struct list asks;
	struct map tokens;
} service = { .mutex = PTHREAD_MUTEX_INITIALIZER };

/* --- Letters --- */

static void free_ask(struct loop_letter *letter)
{
	struct token_ask *ask = CONTAINER_OF(letter, struct token_ask, letter);

	mem_free(ask->secret);
	mem_free(ask->host);
	mem_free(ask->user);
	mem_free(ask->region);
	mem_free(ask->key);
	mem_secret_free(ask->text);
	mem_free(ask);
}

static void come_home(struct loop_letter *letter)
{
	struct token_ask *ask = CONTAINER_OF(letter, struct token_ask, letter);

	if (ask->callback)
		ask->callback(ask->text, ask->text ? NULL : &ask->error, ask->arg);
	free_ask(letter);
}

static void send_home(struct token_ask *ask)
{
	ask->letter.deliver = come_home;
	loop_post_and_unref(ask->loop, &ask->letter);
}

static void leave(struct token_ask *ask)
{
	list_remove(&ask->link);
	loop_timer_stop(&ask->timer);
	aws_ask_cancel(&ask->ask);
	aws_region_cancel(&ask->region_ask);
	aws_identity_close(&ask->identity);
	send_home(ask);
}

/* --- Tokens --- */

static bool free_token(const void *key, size_t size, void *value, void *arg)
{
	struct token *token = value;

	(void)key, (void)size, (void)arg;
	mem_secret_free(token->text);
	mem_free(token);
	return true;
}

static void forget_tokens(void)
{
	map_foreach(&service.tokens, free_token, NULL);
	map_fini(&service.tokens);
	service.tokens = (struct map){ 0 };
}

static struct token *token_of(const struct token_ask *ask)
{
	struct token *token = map_get_text(&service.tokens, ask->key);

	if (token)
		return token;
	if (service.tokens.size >= KEPT_MAX)
		forget_tokens();
	token = NEW(struct token);
	map_put_text(&service.tokens, ask->key, token);
	return token;
}

static void turn_has_come(void *arg)
{
	leave(arg);
}

/* At once, as long as there are few. */
static void take_turn(struct token_ask *ask, struct token *token)
{
	uint64_t now_us = clock_now_us();

	if (token->next_us + BURST_US < now_us)
		token->next_us = now_us - BURST_US;
	token->next_us += US_PER_S / LOGINS_PER_S;
	loop_timer_start(&ask->timer, token->next_us > now_us ? (token->next_us - now_us) / 1000 : 0);
}

static void got_keys(struct aws_keys *keys, const struct error *error, void *arg)
{
	struct token_ask *ask = arg;
	int64_t now_s = aws_now_s(service.aws);

	ask->ask = NULL;
	if (!keys) {
		ask->error = *error;
		leave(ask);
		return;
	}
	struct token *token = token_of(ask);

	if (!token->text || token->until_s <= now_s || ask->anew) {
		int64_t until_s = now_s + LIFETIME_S;

		mem_secret_free(token->text);
		token->text = token_make(service.aws, keys, ask->region, ask->host, ask->port, ask->user);
		token->until_s = keys->expires_s && keys->expires_s - RESERVE_S < until_s ? keys->expires_s - RESERVE_S : until_s;
	}
	ask->text = mem_secret_dup(token->text);
	take_turn(ask, token);
}

/* --- Requests --- */

/* Who and where, from the section as it is now. False: the request's error, and nothing has changed. */
static bool prepare(struct token_ask *ask)
{
	const struct config_secret *section = secrets_section(ask->secret);

	if (!section)
		return error_set(&ask->error, NULL, "there is no secret \"%s\" any more", ask->secret);
	struct aws_who who = {
		.profile = section->profile, .role_arn = section->role_arn, .external_id = section->external_id,
	};
	uint16_t port = ask->port;
	char *host = token_host(section->iam_host, ask->host, &port);

	ask->region = token_region(service.aws, section, host);
	ask->nowhere = !ask->region;
	if (ask->nowhere) {
		mem_free(host);
		return error_set(&ask->error, NULL, "no region: set it in [secret %s], or AWS_REGION", ask->secret);
	}
	mem_free(ask->host);
	ask->host = host;
	ask->port = port;
	ask->identity = aws_identity_open(service.aws, &who, ask->region);
	ask->key = mem_printf("%s\n%s:%u\n%s", ask->secret, host, ask->port, ask->user);
	return true;
}

static void got_region(void *arg)
{
	struct token_ask *ask = arg;

	ask->region_ask = NULL;
	if (prepare(ask))
		ask->ask = aws_identity_ask(ask->identity, got_keys, ask);
	else
		leave(ask);
}

static void arrive(struct loop_letter *letter)
{
	struct token_ask *ask = CONTAINER_OF(letter, struct token_ask, letter);
	bool prepared = service.aws && prepare(ask);

	if (!prepared && ask->nowhere)
		ask->region_ask = aws_region_ask(service.aws, got_region, ask);
	if (!prepared && !ask->region_ask) {
		send_home(ask);
		return;
	}
	list_push_back(&service.asks, &ask->link);
	loop_timer_init(&ask->timer, service.control, turn_has_come, ask);
	if (prepared)
		ask->ask = aws_identity_ask(ask->identity, got_keys, ask);
}

static void drop(struct loop_letter *letter)
{
	struct token_ask *ask = CONTAINER_OF(letter, struct token_ask, letter);

	/* Still on its way there: it holds its reference. */
	if (letter->deliver == arrive)
		loop_unref(ask->loop);
	free_ask(letter);
}

struct token_ask *token_start(const char *secret, const char *host, uint16_t port, const char *user, bool anew,
	struct loop *loop, token_cb *callback, void *arg)
{
	struct token_ask *ask = NEW(struct token_ask);

	*ask = (struct token_ask){
		.letter = { .deliver = arrive, .drop = drop },
		.loop = loop_ref(loop), .secret = mem_strdup(secret), .host = mem_strdup(host), .user = mem_strdup(user),
		.port = port, .anew = anew, .callback = callback, .arg = arg,
	};
	error_set(&ask->error, NULL, "pgweir is ending");
	pthread_mutex_lock(&service.mutex);
	if (service.control)
		loop_post(service.control, &ask->letter);
	else
		send_home(ask);
	pthread_mutex_unlock(&service.mutex);
	return ask;
}

void token_cancel(struct token_ask **ask)
{
	if (*ask)
		(*ask)->callback = NULL;
	*ask = NULL;
}

/* --- The service --- */

static void set_control(struct loop *control)
{
	pthread_mutex_lock(&service.mutex);
	service.control = control;
	pthread_mutex_unlock(&service.mutex);
}

void token_service_start(struct loop *control)
{
	list_init(&service.asks);
	service.aws = aws_open(control);
	set_control(control);
}

void token_service_stop(void)
{
	if (!service.aws)
		return;
	set_control(NULL);
	LIST_FOREACH(link, next, &service.asks)
		leave(LIST_MEMBER(link, struct token_ask, link));
	forget_tokens();
	aws_close(&service.aws);
}
