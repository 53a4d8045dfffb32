/* Failure story: without AWSCURRENT the whole reading fails, and the service keeps what it has. AWSPENDING and AWSPREVIOUS
 * may be missing, empty or denied by a policy: then there is none, and that is no error. A version never changes its
 * value, so a known id needs no fetch; one that had no value is asked for again. */
#include "aws_secret.h"

#include <stdio.h>
#include <string.h>

#include "pgweir/clock.h"
#include "pgweir/mem.h"
#include "pgweir/secret_store.h"
#include "shape.h"

enum { US_PER_S = 1000 * 1000 };

/* In the order of asking. */
enum stage { STAGE_CURRENT, STAGE_PENDING, STAGE_PREVIOUS, STAGE_COUNT };

static const char *const stage_words[STAGE_COUNT] = {
	[STAGE_CURRENT] = "AWSCURRENT", [STAGE_PENDING] = "AWSPENDING", [STAGE_PREVIOUS] = "AWSPREVIOUS",
};

struct aws_secret {
	const struct config_secret *section;
	struct secret_store *store;
	struct secret_call *call;
	struct lease_values known;      /* As of the last good reading. */
	struct reading reading;         /* Under way. */
	struct secret_description description;
	bool described, again;          /* There is a description. It is the second one. */
	enum stage stage;
	aws_secret_cb *callback;
	void *arg;
};

static void go_on(struct aws_secret *secret);
static void describe(struct aws_secret *secret);

static struct lease_value *value_of(struct lease_values *values, enum stage stage)
{
	return stage == STAGE_CURRENT ? &values->current : stage == STAGE_PENDING ? &values->pending : &values->previous;
}

/* --- The end --- */

static void description_clear(struct aws_secret *secret)
{
	struct secret_answer holder = { .description = secret->description };

	secret_answer_fini(&holder);
	secret->description = (struct secret_description){ 0 };
}

static void end(struct aws_secret *secret, const struct error *error)
{
	struct reading reading = secret->reading;

	description_clear(secret);
	secret->reading = (struct reading){ 0 };
	if (!error) {
		lease_values_fini(&secret->known);
		for (enum stage stage = 0; stage < STAGE_COUNT; stage++)
			lease_value_copy(value_of(&secret->known, stage), value_of(&reading.values, stage));
	}
	secret->callback(&reading, error, secret->arg);
	lease_values_fini(&reading.values);
}

/* --- Values --- */

static void warn(struct aws_secret *secret, const struct error *error)
{
	snprintf(secret->reading.warning, sizeof(secret->reading.warning), "%s: %.200s", stage_words[secret->stage],
		error->text);
}

/* Between the description and the value a rotation has ended: what else was described is of before. */
static bool has_moved_on(const struct aws_secret *secret)
{
	const struct secret_version *version = secret_description_find(&secret->description, stage_words[STAGE_CURRENT]);
	const char *id = secret->reading.values.current.version_id;

	return secret->stage == STAGE_CURRENT && version && id && strcmp(version->id, id) != 0 && !secret->again;
}

static void start_over(struct aws_secret *secret)
{
	description_clear(secret);
	lease_values_fini(&secret->reading.values);
	secret->reading.values.rotating = false;
	secret->again = true;
	describe(secret);
}

/* What was current before it is not to be good for clients again, for a while, whenever pgweir starts. */
static void take_age(struct aws_secret *secret, const struct secret_answer *answer)
{
	int64_t age_s = clock_wall_us() / US_PER_S - answer->created_s;

	if (secret->stage == STAGE_CURRENT && answer->created_s)
		secret->reading.values.age_us = age_s > 0 ? (uint64_t)age_s * US_PER_S : 1;
}

static void take_value(struct aws_secret *secret, struct secret_answer *answer)
{
	struct lease_value *value = value_of(&secret->reading.values, secret->stage);
	struct error error = { 0 };

	if (!shape_parse(answer->text, answer->text_size, secret->section->json_key, value, &error)) {
		lease_value_fini(value);
		error_prepend(&error, "the value of %s", secret->section->id);
		if (secret->stage == STAGE_CURRENT) {
			end(secret, &error);
			return;
		}
		warn(secret, &error);
	} else {
		value->version_id = answer->version_id;
		answer->version_id = NULL;
		take_age(secret, answer);
	}
	if (has_moved_on(secret)) {
		start_over(secret);
		return;
	}
	secret->stage++;
	go_on(secret);
}

static void got_value(struct secret_answer *answer, void *arg)
{
	struct aws_secret *secret = arg;

	secret->call = NULL;
	if (answer->outcome == SECRET_DONE) {
		take_value(secret, answer);
		return;
	}
	if (secret->stage == STAGE_CURRENT) {
		end(secret, &answer->error);
		return;
	}
	secret->stage++;
	go_on(secret);
}

/* --- Which to fetch --- */

/* Known by its version: no need to ask. */
static bool take_known(struct aws_secret *secret, const char *version_id)
{
	for (enum stage stage = 0; stage < STAGE_COUNT; stage++) {
		const struct lease_value *known = value_of(&secret->known, stage);

		if (known->password && known->version_id && strcmp(known->version_id, version_id) == 0) {
			lease_value_copy(value_of(&secret->reading.values, secret->stage), known);
			return true;
		}
	}
	return false;
}

/* A rotation that has ended leaves AWSPENDING where AWSCURRENT is, or nowhere. */
static bool is_needed(struct aws_secret *secret)
{
	const char *current = secret->reading.values.current.version_id;
	const struct secret_version *version = secret_description_find(&secret->description, stage_words[secret->stage]);

	if (!secret->described)
		return true;
	if (!version)
		return secret->stage == STAGE_CURRENT;
	if (secret->stage != STAGE_CURRENT && current && strcmp(current, version->id) == 0)
		return false;
	if (secret->stage == STAGE_PENDING)
		secret->reading.values.rotating = true;
	return !take_known(secret, version->id);
}

static void go_on(struct aws_secret *secret)
{
	while (secret->stage < STAGE_COUNT && !is_needed(secret))
		secret->stage++;
	if (secret->stage == STAGE_COUNT) {
		end(secret, NULL);
		return;
	}
	struct secret_request request = { .operation = SECRET_GET, .stage = stage_words[secret->stage] };

	secret->call = secret_store_start(secret->store, &request, got_value, secret);
}

static void got_description(struct secret_answer *answer, void *arg)
{
	static const struct error deleted = { .text = "the secret is marked for deletion; RestoreSecret brings it back" };
	struct aws_secret *secret = arg;

	secret->call = NULL;
	if (answer->outcome != SECRET_DONE && answer->outcome != SECRET_DENIED) {
		end(secret, &answer->error);
		return;
	}
	secret->described = answer->outcome == SECRET_DONE;
	secret->description = answer->description;
	answer->description = (struct secret_description){ 0 };
	if (secret->description.deleted)
		end(secret, &deleted);
	else
		go_on(secret);
}

static void describe(struct aws_secret *secret)
{
	struct secret_request request = { .operation = SECRET_DESCRIBE };

	secret->stage = STAGE_CURRENT;
	secret->call = secret_store_start(secret->store, &request, got_description, secret);
}

void aws_secret_read(struct aws_secret *secret, aws_secret_cb *callback, void *arg)
{
	CHECK(!secret->call);
	secret->callback = callback;
	secret->arg = arg;
	secret->again = false;
	describe(secret);
}

struct aws_secret *aws_secret_new(struct loop *loop, const struct config_secret *section)
{
	struct aws_secret *secret = NEW(struct aws_secret);

	secret->section = section;
	secret->store = secret_store_new(loop, section);
	return secret;
}

void aws_secret_use(struct aws_secret *secret, const struct config_secret *section)
{
	secret->section = section;
}

void aws_secret_free(struct aws_secret **secret)
{
	struct aws_secret *gone = *secret;

	*secret = NULL;
	if (!gone)
		return;
	secret_store_cancel(&gone->call);
	secret_store_free(&gone->store);
	description_clear(gone);
	lease_values_fini(&gone->known);
	lease_values_fini(&gone->reading.values);
	mem_free(gone);
}

/* --- For commands --- */

struct now {
	struct loop *loop;
	struct reading *reading;
	struct error *error;
	bool good;
};

static void read_now(struct reading *reading, const struct error *error, void *arg)
{
	struct now *now = arg;

	now->good = !error;
	if (error)
		*now->error = *error;
	else
		*now->reading = *reading;
	if (!error)
		*reading = (struct reading){ 0 };
	loop_stop(now->loop);
}

bool aws_secret_read_now(const struct config_secret *section, struct reading *reading, struct error *error)
{
	struct now now = { .loop = loop_new("secret"), .reading = reading, .error = error };
	struct aws_secret *secret = aws_secret_new(now.loop, section);

	error_set(error, NULL, "interrupted: the process is about to end");
	aws_secret_read(secret, read_now, &now);
	(void)!loop_run_until(now.loop, reading->stop);
	aws_secret_free(&secret);
	loop_free(&now.loop);
	return now.good;
}
