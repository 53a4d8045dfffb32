/* Failure story: credentials that cannot be renewed go on serving until they expire, and those of EC2 a while longer,
 * since its metadata service is known to renew late. A renewal that fails is tried again, less and less often. Whoever
 * asks while there is nothing that serves waits for the attempt under way and hears its outcome. */
#include <string.h>

#include "aws.h"
#include "aws_acquire.h"
#include "pgweir/clock.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"

enum {
	ADVISORY_S = 15 * 60,           /* Before they expire credentials are renewed, spread over a minute, */
	JITTER_MS = 60 * 1000,
	MANDATORY_S = 60,               /* and with so little left nothing new is begun with them. */
	FILES_S = 5 * 60,               /* Keys from files and the environment are looked at again. */
	EXTENSION_S = 15 * 60,
	RETRY_MIN_MS = 1000,
	RETRY_MAX_MS = 60 * 1000,
};

struct aws_identity {
	struct list link;
	unsigned references;
	struct aws *aws;
	char *profile, *role_arn, *external_id, *region;
	struct aws_keys *keys;          /* NULL: none yet. */
	int64_t usable_until_s;         /* By AWS's clock; 0: always. */
	bool rejected;                  /* `keys` are not to be given to anybody any more. */
	struct aws_acquire *acquire;    /* Under way. */
	struct loop_timer renewal, delivery;
	unsigned failures;              /* One after the other. */
	struct list asks;
};

struct aws_ask {
	struct list link;
	struct aws_identity *identity;
	aws_keys_cb *callback;
	void *arg;
};

/* --- Answers to those who ask --- */

static void answer_all(struct aws_identity *identity, const struct error *error)
{
	struct list asks;

	/* Those who ask from within a callback belong to the next round. */
	list_init(&asks);
	while (!list_empty(&identity->asks)) {
		struct list *link = list_first(&identity->asks);

		list_remove(link);
		list_push_back(&asks, link);
	}
	identity->references++;
	while (!list_empty(&asks)) {
		struct aws_ask *ask = LIST_MEMBER(list_first(&asks), struct aws_ask, link);

		list_remove(&ask->link);
		ask->callback(error ? NULL : identity->keys, error, ask->arg);
		mem_free(ask);
	}
	aws_identity_close(&identity);
}

static bool is_usable(const struct aws_identity *identity)
{
	int64_t until_s = identity->usable_until_s;

	return identity->keys && !identity->rejected && (!until_s || aws_now_s(identity->aws) < until_s);
}

static void deliver(void *arg)
{
	struct aws_identity *identity = arg;

	if (is_usable(identity))
		answer_all(identity, NULL);
}

/* --- Renewal --- */

static void schedule(struct aws_identity *identity, enum aws_link from)
{
	int64_t expires_s = identity->keys->expires_s, left_s = expires_s - aws_now_s(identity->aws);
	int64_t early_s = left_s / 2 < ADVISORY_S ? left_s / 2 : ADVISORY_S;
	int64_t reserve_s = left_s / 4 < MANDATORY_S ? left_s / 4 : MANDATORY_S;

	identity->usable_until_s = 0;
	if (!expires_s) {
		if (from == AWS_LINK_KEYS)
			loop_timer_start(&identity->renewal, FILES_S * 1000);
		return;
	}
	if (from == AWS_LINK_METADATA && left_s < MANDATORY_S) {
		/* EC2 itself is late. AWS's services go on taking such keys for a while. */
		identity->usable_until_s = aws_now_s(identity->aws) + EXTENSION_S;
		loop_timer_start(&identity->renewal, RETRY_MAX_MS + aws_random(RETRY_MAX_MS));
		return;
	}
	uint64_t delay_ms = left_s > early_s ? (uint64_t)(left_s - early_s) * 1000 : RETRY_MIN_MS;
	uint64_t spread_ms = delay_ms / 8 < JITTER_MS ? delay_ms / 8 : JITTER_MS;

	identity->usable_until_s = expires_s - reserve_s;
	loop_timer_start(&identity->renewal, delay_ms - aws_random(spread_ms));
}

static void acquired(struct aws_keys *keys, enum aws_link from, const struct error *error, void *arg)
{
	struct aws_identity *identity = arg;

	identity->acquire = NULL;
	if (keys) {
		if (!identity->keys || identity->failures)
			log_info("AWS credentials", LOG_TEXT("source", aws_link_word(from)),
				LOG_TEXT("role", identity->role_arn), LOG_TEXT("profile", identity->profile));
		aws_keys_unref(&identity->keys);
		identity->keys = keys;
		identity->rejected = false;
		identity->failures = 0;
		schedule(identity, from);
		answer_all(identity, NULL);
		return;
	}
	if (!identity->failures++)
		log_warning("AWS credentials cannot be renewed", LOG_TEXT("reason", error->text),
			LOG_TEXT("in_force", is_usable(identity) ? "the former ones" : "none"));
	uint64_t delay_ms = (uint64_t)RETRY_MIN_MS << (identity->failures < 7 ? identity->failures : 6);

	loop_timer_start(&identity->renewal, delay_ms / 2 + aws_random(delay_ms < RETRY_MAX_MS ? delay_ms : RETRY_MAX_MS) / 2);
	/* Those who asked before credentials became unusable are served with what there is. */
	answer_all(identity, is_usable(identity) ? NULL : error);
}

static void renew(void *arg)
{
	struct aws_identity *identity = arg;
	struct aws_who who = {
		.profile = identity->profile, .role_arn = identity->role_arn, .external_id = identity->external_id,
	};

	loop_timer_stop(&identity->renewal);
	if (!identity->acquire)
		identity->acquire = aws_acquire_start(identity->aws, &who, identity->region, acquired, identity);
}

void aws_identity_reject(struct aws_identity *identity, const struct aws_keys *keys)
{
	if (identity->keys == keys)
		identity->rejected = true;
}

/* --- Asking --- */

struct aws_ask *aws_identity_ask(struct aws_identity *identity, aws_keys_cb *callback, void *arg)
{
	struct aws_ask *ask = NEW(struct aws_ask);

	*ask = (struct aws_ask){ .identity = identity, .callback = callback, .arg = arg };
	list_push_back(&identity->asks, &ask->link);
	if (is_usable(identity))
		loop_timer_start(&identity->delivery, 0);
	else
		renew(identity);
	return ask;
}

void aws_ask_cancel(struct aws_ask **ask)
{
	struct aws_ask *gone = *ask;

	*ask = NULL;
	if (!gone)
		return;
	list_remove(&gone->link);
	mem_free(gone);
}

/* --- Identities --- */

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

struct aws_identity *aws_identity_open(struct aws *aws, const struct aws_who *who, const char *region)
{
	LIST_FOREACH(link, next, &aws->identities) {
		struct aws_identity *known = LIST_MEMBER(link, struct aws_identity, link);

		if (same(known->profile, who->profile) && same(known->role_arn, who->role_arn)
		    && same(known->external_id, who->external_id) && same(known->region, region)) {
			known->references++;
			return known;
		}
	}
	struct aws_identity *identity = NEW(struct aws_identity);

	*identity = (struct aws_identity){
		.references = 1, .aws = aws, .profile = mem_strdup(who->profile), .role_arn = mem_strdup(who->role_arn),
		.external_id = mem_strdup(who->external_id), .region = mem_strdup(region),
	};
	aws->references++;
	list_init(&identity->asks);
	list_push_back(&aws->identities, &identity->link);
	loop_timer_init(&identity->renewal, aws->loop, renew, identity);
	loop_timer_init(&identity->delivery, aws->loop, deliver, identity);
	return identity;
}

void aws_identity_close(struct aws_identity **identity)
{
	struct aws_identity *gone = *identity;

	*identity = NULL;
	if (!gone || --gone->references)
		return;
	CHECK(list_empty(&gone->asks));
	aws_acquire_cancel(&gone->acquire);
	loop_timer_stop(&gone->renewal);
	loop_timer_stop(&gone->delivery);
	list_remove(&gone->link);
	aws_keys_unref(&gone->keys);
	mem_free(gone->profile);
	mem_free(gone->role_arn);
	mem_free(gone->external_id);
	mem_free(gone->region);
	aws_close(&gone->aws);
	mem_free(gone);
}
