/* Secrets Manager, for what writes to it: provisioning and rotation.
 *
 * A store is the place that one [secret] names: its id, region, endpoint and AWS identity. Requests are retried here where
 * that helps (throttling, an outage of a moment, credentials or a clock that need care) and may still fail. What is given
 * to a request is copied within the call. Nothing here logs a value; an error's text holds none. */
#ifndef PGWEIR_SECRET_STORE_H
#define PGWEIR_SECRET_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/config.h"
#include "pgweir/error.h"
#include "pgweir/loop.h"

enum secret_operation {
	SECRET_DESCRIBE,                /* DescribeSecret: answers with a description. */
	SECRET_GET,                     /* GetSecretValue: by `version_id`, `stage` or both; neither: AWSCURRENT. */
	SECRET_CREATE,                  /* CreateSecret: `text` (NULL: without a value), `token`, `tags`, `comment`, `kms_key`. */
	SECRET_PUT,                     /* PutSecretValue: `text`, `token`, `stages` (NULL: AWSCURRENT). */
	SECRET_UPDATE_STAGE,            /* UpdateSecretVersionStage: `stage` to `move_to` (NULL: to none), from `remove_from`. */
	SECRET_TAG,                     /* TagResource: `tags`. */
	SECRET_DELETE,                  /* DeleteSecret: with `recovery_days`, 7 to 30. */
	SECRET_RESTORE,                 /* RestoreSecret. */
};

struct secret_tag {
	const char *key, *value;
};

/* What an operation does not name above is NULL or 0. */
struct secret_request {
	enum secret_operation operation;
	const char *id;                 /* Name or ARN; NULL: the id of the section. */
	const char *version_id, *stage;
	const char *text;               /* Becomes SecretString. */
	const char *token;              /* ClientRequestToken, 32 to 64 characters: becomes the version id. NULL: a random one.
	                                 * The same token with the same text again changes nothing and succeeds. */
	const char *const *stages;      /* Ends with NULL. */
	const struct secret_tag *tags;
	size_t tag_count;
	const char *comment, *kms_key;
	const char *move_to, *remove_from;      /* Version ids. */
	unsigned recovery_days;
};

enum secret_outcome {
	SECRET_DONE,
	SECRET_MISSING,                 /* No such secret, version or stage; or it has no value. */
	SECRET_EXISTS,                  /* Created by somebody else, or the token has another text. */
	SECRET_DELETED,                 /* Marked for deletion: SECRET_RESTORE brings it back. */
	SECRET_DENIED,
	SECRET_FAILED,
};

struct secret_version {
	char *id;
	char **stages;
	size_t stage_count;
};

struct secret_description {
	char *arn, *name;
	char *owning_service;           /* "rds", …; NULL: none. */
	bool rotation_enabled;          /* By a rotation of AWS's own. */
	bool deleted;                   /* DeletedDate is set. */
	struct secret_version *versions;
	size_t version_count;
	struct secret_tag *tags;
	size_t tag_count;
};

struct secret_answer {
	enum secret_outcome outcome;
	struct error error;             /* Unless done. */
	char code[64];                  /* AWS's word for the error, or "". */
	struct secret_description description;  /* SECRET_DESCRIBE. */
	char *text;                     /* SECRET_GET: the value, NUL-terminated. */
	size_t text_size;
	int64_t created_s;              /* SECRET_GET: when the version was made, since 1970; 0: not said. */
	char *arn, *version_id;         /* Where the service says them. */
};

void secret_answer_fini(struct secret_answer *answer);  /* Wipes. */
/* The version that bears `stage`, or NULL. */
const struct secret_version *secret_description_find(const struct secret_description *description, const char *stage);
const char *secret_description_tag(const struct secret_description *description, const char *key);     /* Or NULL. */

/* --- On a loop: for the daemon --- */

struct secret_store;
struct secret_call;
/* Once per call, on the loop, never from within the call, not after secret_store_cancel(). `answer` lives only during
 * the call; what is taken out of it is set to NULL. */
typedef void secret_store_cb(struct secret_answer *answer, void *arg);

struct secret_store *secret_store_new(struct loop *loop, const struct config_secret *secret) MUST_USE;
void secret_store_free(struct secret_store **store);    /* NULL is fine. Calls under way are cancelled. Not from a callback
                                                         * of the store's own. */
struct secret_call *secret_store_start(struct secret_store *store, const struct secret_request *request,
	secret_store_cb *callback, void *arg) MUST_USE;
void secret_store_cancel(struct secret_call **call);    /* NULL is fine. */

/* --- At once: for commands, on a thread without a loop --- */

/* True: done. The answer is the caller's either way. Gives up soon after `stop` (may be NULL) becomes true; whether a write
 * was done is not known then, and it may be done again. */
bool secret_store_run(const struct config_secret *secret, const struct secret_request *request, const atomic_bool *stop,
	struct secret_answer *answer);

#endif
