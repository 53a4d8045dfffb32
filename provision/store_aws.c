/* Secrets in AWS Secrets Manager.
 *
 * Whose a secret is stands in its tags: pgweir:provision, pgweir:role (with =XX for what tags may not hold), and
 * pgweir:since, the time of the current password. The last one only says when the next rotation is due. Where it could not be
 * written, or others have stored the password, the version's own age counts. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/buf.h"
#include "pgweir/clock.h"
#include "pgweir/mem.h"
#include "pgweir/secret_store.h"
#include "store.h"

enum { RECOVERY_DAYS = 30, NUMBER_MAX = 24 };

#define TAG_PROVISION "pgweir:provision"
#define TAG_ROLE "pgweir:role"
#define TAG_SINCE "pgweir:since"

struct aws {
	int64_t since_s;                /* As of the last description. */
};

static const char *const stages[] = { [SECRET_CURRENT] = "AWSCURRENT", [SECRET_PENDING] = "AWSPENDING",
	[SECRET_PREVIOUS] = "AWSPREVIOUS" };

/* --- Tags --- */

/* What a tag's value may hold is less than what a name may. */
static char *encode(const char *name)
{
	static const char allowed[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789 _.:/+-@";
	struct buf text = { 0 };

	for (const char *at = name; *at; at++) {
		if (strchr(allowed, *at))
			buf_append_char(&text, *at);
		else
			buf_printf(&text, "=%02X", (unsigned)(unsigned char)*at);
	}
	return buf_take_text(&text);
}

static char *decode(const char *value)
{
	struct buf name = { 0 };

	for (const char *at = value; *at; at++) {
		char digits[3] = { at[0] == '=' ? at[1] : '\0', at[0] == '=' && at[1] ? at[2] : '\0', '\0' };
		char *end;
		unsigned long byte = strtoul(digits, &end, 16);

		if (digits[0] && digits[1] && !*end && byte) {
			buf_append_char(&name, (char)byte);
			at += 2;
		} else {
			buf_append_char(&name, *at);
		}
	}
	return buf_take_text(&name);
}

static char *now_text(void)
{
	return mem_printf("%lld", (long long)(clock_wall_us() / 1000000));
}

/* --- Requests --- */

static bool run(struct store *store, const struct secret_request *request, struct secret_answer *answer, struct error *error)
{
	if (secret_store_run(store->secret, request, store->stop, answer))
		return true;
	*error = answer->error;
	if (answer->outcome == SECRET_EXISTS)
		memcpy(error->sqlstate, "42710", sizeof("42710"));
	return false;
}

/* Something is changed, and nothing of the answer is wanted. */
static bool run_write(struct store *store, const struct secret_request *request, struct error *error)
{
	struct secret_answer answer;
	bool good = run(store, request, &answer, error);

	secret_answer_fini(&answer);
	if (good)
		store_wrote(store);
	return good;
}

/* --- The class --- */

static bool aws_open(struct store *store, struct error *error)
{
	(void)error;
	store->own = NEW(struct aws);
	return true;
}

static void aws_close(struct store *store)
{
	mem_free(store->own);
}

static char *version_with(const struct secret_description *description, const char *stage)
{
	const struct secret_version *version = secret_description_find(description, stage);

	return version ? mem_strdup(version->id) : NULL;
}

static char *who_else(const struct store *store, const struct secret_description *description)
{
	if (description->owning_service)
		return mem_printf("the service \"%s\", which owns it", description->owning_service);
	if (strncmp(store->secret->id, "rds!", 4) == 0 || (description->name && strncmp(description->name, "rds!", 4) == 0))
		return mem_strdup("RDS, which manages it");
	return description->rotation_enabled ? mem_strdup("a rotation function of its own (RotationEnabled)") : NULL;
}

static void take_description(const struct store *store, const struct secret_description *description, struct stored *stored)
{
	const char *role = secret_description_tag(description, TAG_ROLE), *since = secret_description_tag(description, TAG_SINCE);
	struct aws *aws = store->own;

	stored->current = version_with(description, "AWSCURRENT");
	stored->pending = version_with(description, "AWSPENDING");
	stored->previous = version_with(description, "AWSPREVIOUS");
	/* A finished rotation may leave the label where it is. */
	if (stored->pending && stored->current && strcmp(stored->pending, stored->current) == 0) {
		mem_free(stored->pending);
		stored->pending = NULL;
	}
	stored->state = description->deleted ? STORED_DELETED : stored->current ? STORED_GOOD : STORED_EMPTY;
	stored->provision = mem_strdup(secret_description_tag(description, TAG_PROVISION));
	stored->role = role ? decode(role) : NULL;
	stored->foreign = who_else(store, description);
	aws->since_s = since ? strtoll(since, NULL, 10) : 0;
}

static bool aws_describe(struct store *store, struct stored *stored, struct error *error)
{
	struct secret_request request = { .operation = SECRET_DESCRIBE };
	struct secret_answer answer;
	bool good = run(store, &request, &answer, error);

	if (good)
		take_description(store, &answer.description, stored);
	else if (answer.outcome == SECRET_MISSING)
		stored->state = STORED_MISSING;
	good = good || answer.outcome == SECRET_MISSING;
	secret_answer_fini(&answer);
	return good;
}

static bool aws_get(struct store *store, enum secret_stage stage, struct stored_text *text, struct error *error)
{
	struct secret_request request = { .operation = SECRET_GET, .stage = stages[stage] };
	const struct aws *aws = store->own;
	struct secret_answer answer;
	bool good = run(store, &request, &answer, error);

	if (good) {
		text->text = answer.text;
		text->created_s = stage != SECRET_CURRENT ? 0 : aws->since_s > answer.created_s ? aws->since_s : answer.created_s;
		answer.text = NULL;
	}
	/* Also a version that has a stage and no value: what a failed rotation leaves. */
	good = good || answer.outcome == SECRET_MISSING;
	secret_answer_fini(&answer);
	return good;
}

struct tags {
	char *values[3];
	struct secret_tag tags[3];
};

static void tags_init(struct tags *tags, const char *provision, const char *role)
{
	*tags = (struct tags){ .values = { encode(provision), encode(role), now_text() } };
	tags->tags[0] = (struct secret_tag){ TAG_PROVISION, tags->values[0] };
	tags->tags[1] = (struct secret_tag){ TAG_ROLE, tags->values[1] };
	tags->tags[2] = (struct secret_tag){ TAG_SINCE, tags->values[2] };
}

static void tags_fini(struct tags *tags)
{
	for (size_t i = 0; i < ARRAY_LEN(tags->values); i++)
		mem_free(tags->values[i]);
}

static bool aws_create(struct store *store, const char *version, const char *text, const char *provision, const char *role,
	struct error *error)
{
	struct tags tags;

	tags_init(&tags, provision, role);
	struct secret_request request = { .operation = SECRET_CREATE, .token = version, .text = text, .tags = tags.tags,
		.tag_count = ARRAY_LEN(tags.tags), .comment = "Login of a database user that pgweir keeps" };
	bool good = run_write(store, &request, error);

	tags_fini(&tags);
	return good;
}

/* Not since when: there is no password yet. */
static bool aws_tag(struct store *store, const char *provision, const char *role, struct error *error)
{
	struct tags tags;

	tags_init(&tags, provision, role);
	struct secret_request request = { .operation = SECRET_TAG, .tags = tags.tags, .tag_count = ARRAY_LEN(tags.tags) - 1 };
	bool good = run_write(store, &request, error);

	tags_fini(&tags);
	return good;
}

static bool tag_since(struct store *store, struct error *error)
{
	char *since = now_text();
	struct secret_tag tag = { TAG_SINCE, since };
	struct secret_request request = { .operation = SECRET_TAG, .tags = &tag, .tag_count = 1 };
	bool good = run_write(store, &request, error);

	mem_free(since);
	return good;
}

static bool aws_put(struct store *store, const char *version, const char *text, enum secret_stage stage, struct error *error)
{
	const char *const wanted[] = { stages[stage], NULL };
	struct secret_request request = { .operation = SECRET_PUT, .token = version, .text = text, .stages = wanted };

	return run_write(store, &request, error) && (stage != SECRET_CURRENT || tag_since(store, error));
}

static bool aws_promote(struct store *store, const char *version, const char *from, struct error *error)
{
	struct secret_request request = { .operation = SECRET_UPDATE_STAGE, .stage = "AWSCURRENT", .move_to = version,
		.remove_from = from };

	return run_write(store, &request, error) && tag_since(store, error);
}

static bool aws_delete(struct store *store, char **until, struct error *error)
{
	struct secret_request request = { .operation = SECRET_DELETE, .recovery_days = RECOVERY_DAYS };

	if (!run_write(store, &request, error))
		return false;
	*until = mem_printf("for %d days", RECOVERY_DAYS);
	return true;
}

static bool aws_restore(struct store *store, struct error *error)
{
	struct secret_request request = { .operation = SECRET_RESTORE };

	return run_write(store, &request, error);
}

const struct store_class store_aws_class = {
	.provider = "aws-secrets-manager",
	.open = aws_open,
	.close = aws_close,
	.describe = aws_describe,
	.get = aws_get,
	.create = aws_create,
	.put = aws_put,
	.promote = aws_promote,
	.tag = aws_tag,
	.delete = aws_delete,
	.restore = aws_restore,
};
