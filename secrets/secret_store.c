/* Failure story: what aws_call.c could not mend arrives here as an answer with an outcome; a connection that breaks after a
 * write leaves open whether it was done. Writes are made so that doing them again is safe: with a token of their own. */
#include "pgweir/secret_store.h"

#include <openssl/rand.h>
#include <stdio.h>
#include <string.h>

#include "aws_call.h"
#include "pgweir/mem.h"
#include "secret_answer.h"
#include "wiped_memory.h"

enum { UUID_SIZE = 37 };

struct secret_store {
	struct aws *aws;
	struct aws_client *client;
	char *id;
	struct list calls;
};

struct secret_call {
	struct list link;
	struct aws_call *call;
	enum secret_operation operation;
	secret_store_cb *callback;
	void *arg;
};

/* --- Requests as JSON --- */

static void put_text(json_t *body, const char *name, const char *value)
{
	if (value)
		CHECK(json_object_set_new(body, name, json_stringn_nocheck(value, strlen(value))) == 0);
}

static void put_token(json_t *body, const char *token)
{
	unsigned char bytes[16];
	char uuid[UUID_SIZE];

	CHECK(RAND_bytes(bytes, sizeof(bytes)) == 1);
	bytes[6] = (unsigned char)((bytes[6] & 0x0f) | 0x40);
	bytes[8] = (unsigned char)((bytes[8] & 0x3f) | 0x80);
	snprintf(uuid, sizeof(uuid), "%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", bytes[0], bytes[1],
		bytes[2], bytes[3], bytes[4], bytes[5], bytes[6], bytes[7], bytes[8], bytes[9], bytes[10], bytes[11], bytes[12],
		bytes[13], bytes[14], bytes[15]);
	put_text(body, "ClientRequestToken", token ? token : uuid);
}

static void put_tags(json_t *body, const struct secret_request *request)
{
	json_t *tags = json_array();

	for (size_t i = 0; i < request->tag_count; i++) {
		json_t *tag = json_object();

		put_text(tag, "Key", request->tags[i].key);
		put_text(tag, "Value", request->tags[i].value);
		json_array_append_new(tags, tag);
	}
	if (request->tag_count)
		json_object_set(body, "Tags", tags);
	json_decref(tags);
}

static void build_get(json_t *body, const struct secret_request *request)
{
	put_text(body, "VersionId", request->version_id);
	put_text(body, "VersionStage", request->stage || request->version_id ? request->stage : "AWSCURRENT");
}

static void build_create(json_t *body, const struct secret_request *request)
{
	put_text(body, "SecretString", request->text);
	put_text(body, "Description", request->comment);
	put_text(body, "KmsKeyId", request->kms_key);
	put_token(body, request->token);
	put_tags(body, request);
}

static void build_put(json_t *body, const struct secret_request *request)
{
	put_text(body, "SecretString", request->text);
	put_token(body, request->token);
	if (!request->stages)
		return;
	json_t *stages = json_array();

	for (const char *const *stage = request->stages; *stage; stage++)
		json_array_append_new(stages, json_stringn_nocheck(*stage, strlen(*stage)));
	json_object_set_new(body, "VersionStages", stages);
}

static void build_update_stage(json_t *body, const struct secret_request *request)
{
	put_text(body, "VersionStage", request->stage);
	put_text(body, "MoveToVersionId", request->move_to);
	put_text(body, "RemoveFromVersionId", request->remove_from);
}

static void build_delete(json_t *body, const struct secret_request *request)
{
	if (request->recovery_days)
		json_object_set_new(body, "RecoveryWindowInDays", json_integer(request->recovery_days));
}

static void build_nothing(json_t *body, const struct secret_request *request)
{
	(void)body, (void)request;
}

static const struct operation {
	const char *word, *id_member;
	void (*build)(json_t *body, const struct secret_request *request);
} operations[] = {
	[SECRET_DESCRIBE] = { "DescribeSecret", "SecretId", build_nothing },
	[SECRET_GET] = { "GetSecretValue", "SecretId", build_get },
	[SECRET_CREATE] = { "CreateSecret", "Name", build_create },
	[SECRET_PUT] = { "PutSecretValue", "SecretId", build_put },
	[SECRET_UPDATE_STAGE] = { "UpdateSecretVersionStage", "SecretId", build_update_stage },
	[SECRET_TAG] = { "TagResource", "SecretId", put_tags },
	[SECRET_DELETE] = { "DeleteSecret", "SecretId", build_delete },
	[SECRET_RESTORE] = { "RestoreSecret", "SecretId", build_nothing },
};

/* --- Calls --- */

static void free_call(struct secret_call *call)
{
	list_remove(&call->link);
	aws_call_cancel(&call->call);
	mem_free(call);
}

static enum secret_outcome outcome_of(enum aws_fault fault)
{
	static const enum secret_outcome outcomes[] = {
		[AWS_FINE] = SECRET_DONE, [AWS_MISSING] = SECRET_MISSING, [AWS_EXISTS] = SECRET_EXISTS,
		[AWS_DELETED] = SECRET_DELETED, [AWS_DENIED] = SECRET_DENIED, [AWS_REFUSED] = SECRET_FAILED,
		[AWS_UNAVAILABLE] = SECRET_FAILED,
	};

	return outcomes[fault];
}

static void answered(const struct aws_answer *given, void *arg)
{
	struct secret_call *call = arg;
	struct secret_answer answer = { .outcome = outcome_of(given->fault), .error = given->error };

	call->call = NULL;
	list_remove(&call->link);
	memcpy(answer.code, given->code, sizeof(answer.code));
	if (answer.outcome == SECRET_DONE && !secret_answer_take(&answer, call->operation, given->root))
		answer.outcome = SECRET_FAILED;
	if (answer.outcome != SECRET_DONE)
		error_prepend(&answer.error, "%s", operations[call->operation].word);
	call->callback(&answer, call->arg);
	secret_answer_fini(&answer);
	mem_free(call);
}

struct secret_call *secret_store_start(struct secret_store *store, const struct secret_request *request,
	secret_store_cb *callback, void *arg)
{
	const struct operation *operation = &operations[request->operation];
	struct secret_call *call = NEW(struct secret_call);
	json_t *body = json_object();

	put_text(body, operation->id_member, request->id ? request->id : store->id);
	operation->build(body, request);
	char *text = json_dumps(body, JSON_COMPACT | JSON_PRESERVE_ORDER);

	CHECK(text);
	*call = (struct secret_call){ .operation = request->operation, .callback = callback, .arg = arg };
	list_push_back(&store->calls, &call->link);
	call->call = aws_call_start(store->client, operation->word, text, answered, call);
	json_decref(body);
	wiped_memory_free(text);
	return call;
}

void secret_store_cancel(struct secret_call **call)
{
	struct secret_call *gone = *call;

	*call = NULL;
	if (gone)
		free_call(gone);
}

/* --- Stores --- */

struct secret_store *secret_store_new(struct loop *loop, const struct config_secret *secret)
{
	struct secret_store *store = NEW(struct secret_store);

	wiped_memory_install();
	store->aws = aws_open(loop);
	store->client = aws_client_open(store->aws, secret);
	store->id = mem_strdup(secret->id);
	list_init(&store->calls);
	return store;
}

void secret_store_free(struct secret_store **store)
{
	struct secret_store *gone = *store;

	*store = NULL;
	if (!gone)
		return;
	LIST_FOREACH(link, next, &gone->calls)
		free_call(LIST_MEMBER(link, struct secret_call, link));
	aws_client_close(&gone->client);
	aws_close(&gone->aws);
	mem_free(gone->id);
	mem_free(gone);
}

/* --- For commands --- */

struct run {
	struct loop *loop;
	struct secret_answer *answer;
};

static void ran(struct secret_answer *answer, void *arg)
{
	struct run *run = arg;

	*run->answer = *answer;
	*answer = (struct secret_answer){ 0 };
	loop_stop(run->loop);
}

bool secret_store_run(const struct config_secret *secret, const struct secret_request *request, const atomic_bool *stop,
	struct secret_answer *answer)
{
	struct run run = { .loop = loop_new("secret store"), .answer = answer };
	struct secret_store *store = secret_store_new(run.loop, secret);

	*answer = (struct secret_answer){ .outcome = SECRET_FAILED };
	error_set(&answer->error, NULL, "%s: interrupted: the process is about to end", operations[request->operation].word);
	(void)!secret_store_start(store, request, ran, &run);
	(void)!loop_run_until(run.loop, stop);
	secret_store_free(&store);
	loop_free(&run.loop);
	return answer->outcome == SECRET_DONE;
}
