#ifndef PGWEIR_SECRETS_AWS_ACQUIRE_INTERNAL_H
#define PGWEIR_SECRETS_AWS_ACQUIRE_INTERNAL_H

#include "aws_acquire.h"
#include "aws_place.h"
#include "process.h"

enum acquire_step {
	STEP_KEYS,
	STEP_PROCESS,
	STEP_WEB_IDENTITY,
	STEP_CONTAINER,
	STEP_METADATA_TOKEN,
	STEP_METADATA_ROLE,
	STEP_METADATA_KEYS,
	STEP_ASSUME_ROLE,
};

struct aws_acquire {
	struct aws *aws;
	struct aws_chain chain;
	struct aws_profiles *profiles;
	char *profile, *ca_file;
	struct aws_place sts;           /* Found when first needed. */
	char *region;                   /* As the caller said it, or NULL. */
	enum acquire_step step;
	unsigned tries;                 /* Of this step. */
	bool chained, clock_learned;    /* There is a chain. The clock was put right once. */
	size_t role;                    /* Of the chain's roles: the one to assume next. */
	struct aws_keys *keys;          /* As far as we are. */
	char *metadata_token, *metadata_role;
	struct http_call *call;
	struct process *process;
	struct loop_timer timer;        /* Waits before another try; fails what could not be begun. */
	struct error error;
	aws_acquired_cb *callback;
	void *arg;
};

/* Each begins a step: a request, a process, or on false `acquire->error`. */
bool aws_acquire_ask_sts(struct aws_acquire *acquire) MUST_USE;             /* STEP_WEB_IDENTITY, STEP_ASSUME_ROLE. */
bool aws_acquire_ask_container(struct aws_acquire *acquire) MUST_USE;
bool aws_acquire_ask_metadata(struct aws_acquire *acquire) MUST_USE;

/* The answer comes to aws_acquire.c. */
void aws_acquire_answered(struct http_answer *answer, void *arg);
void aws_acquire_send(struct aws_acquire *acquire, const struct http_request *request);
/* A small file's text without the line's end; NULL: `acquire->error`. */
char *aws_acquire_read_token(struct aws_acquire *acquire, const char *path) MUST_USE;

#endif
