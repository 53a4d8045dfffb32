/* Failure story: a step fails, is tried again where that may help (no answer, 5xx, throttling, a token that STS could not
 * check this moment), and then ends the whole attempt with a text that names the step. Files are read anew each time: a
 * web identity's token lives for an hour, and tools rewrite profiles. */
#include "aws_acquire_internal.h"

#include <string.h>

#include "aws_metadata.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"

enum {
	PROCESS_TIMEOUT_MS = 60 * 1000,
	TRIES_MAX = 3,
	TOKEN_SIZE_MAX = 20000,
};

static void begin(struct aws_acquire *acquire);

/* --- The end --- */

static void free_acquire(struct aws_acquire *acquire)
{
	http_cancel(&acquire->call);
	process_cancel(&acquire->process);
	loop_timer_stop(&acquire->timer);
	aws_chain_fini(&acquire->chain);
	aws_profiles_free(&acquire->profiles);
	aws_place_fini(&acquire->sts);
	aws_keys_unref(&acquire->keys);
	mem_secret_free(acquire->metadata_token);
	mem_free(acquire->metadata_role);
	mem_free(acquire->profile);
	mem_free(acquire->ca_file);
	mem_free(acquire->region);
	mem_free(acquire);
}

static void end(struct aws_acquire *acquire)
{
	struct aws_keys *keys = acquire->keys;

	acquire->keys = NULL;
	acquire->callback(keys, acquire->chain.first, keys ? NULL : &acquire->error, acquire->arg);
	free_acquire(acquire);
}

static void fail(struct aws_acquire *acquire)
{
	static const char *const names[] = {
		[STEP_KEYS] = "keys", [STEP_PROCESS] = "credential_process", [STEP_WEB_IDENTITY] = "AssumeRoleWithWebIdentity",
		[STEP_CONTAINER] = "the container's endpoint", [STEP_METADATA_TOKEN] = "EC2's metadata service",
		[STEP_METADATA_ROLE] = "EC2's metadata service", [STEP_METADATA_KEYS] = "EC2's metadata service",
		[STEP_ASSUME_ROLE] = "AssumeRole",
	};

	error_prepend(&acquire->error, "AWS credentials: %s", names[acquire->step]);
	aws_keys_unref(&acquire->keys);
	end(acquire);
}

/* --- From step to step --- */

static void take_keys(struct aws_acquire *acquire, struct aws_keys *keys)
{
	if (!keys) {
		fail(acquire);
		return;
	}
	aws_keys_unref(&acquire->keys);
	acquire->keys = keys;
	if (acquire->step == STEP_ASSUME_ROLE)
		acquire->role++;
	if (acquire->role == acquire->chain.role_count) {
		end(acquire);
		return;
	}
	acquire->step = STEP_ASSUME_ROLE;
	acquire->tries = 0;
	begin(acquire);
}

static void process_done(const struct buf *output, const struct error *error, void *arg)
{
	struct aws_acquire *acquire = arg;
	struct aws_keys *keys = NULL;

	acquire->process = NULL;
	if (error)
		acquire->error = *error;
	else
		keys = aws_keys_of_json(output->bytes, output->size, &acquire->error);
	take_keys(acquire, keys);
}

static bool start_process(struct aws_acquire *acquire)
{
	acquire->process = process_start(acquire->aws->loop, acquire->chain.command, PROCESS_TIMEOUT_MS, process_done,
		acquire);
	return true;
}

static bool begin_step(struct aws_acquire *acquire)
{
	switch (acquire->step) {
	case STEP_KEYS:
		take_keys(acquire, aws_keys_new(acquire->chain.access_key_id, acquire->chain.secret_access_key,
			acquire->chain.session_token, acquire->chain.expires_s));
		return true;
	case STEP_PROCESS:
		return start_process(acquire);
	case STEP_WEB_IDENTITY:
	case STEP_ASSUME_ROLE:
		return aws_acquire_ask_sts(acquire);
	case STEP_CONTAINER:
		return aws_acquire_ask_container(acquire);
	default:
		return aws_acquire_ask_metadata(acquire);
	}
}

static void begin(struct aws_acquire *acquire)
{
	if (!begin_step(acquire))
		fail(acquire);
}

/* The first step, or another try of one. Never within aws_acquire_start(). */
static void timer_is_up(void *arg)
{
	struct aws_acquire *acquire = arg;

	if (acquire->chained) {
		begin(acquire);
		return;
	}
	error_prepend(&acquire->error, "AWS credentials");
	end(acquire);
}

/* --- Answers --- */

static bool is_worth_another(const struct aws_acquire *acquire, const struct http_answer *answer, const char *code)
{
	static const char *const passing[] = { "IDPCommunicationError", "InvalidIdentityToken", "Throttling" };

	/* Where there is no metadata service nothing answers, and waiting for it three times helps nobody. */
	if (answer->status == 0)
		return acquire->step != STEP_METADATA_TOKEN;
	for (size_t i = 0; code && i < ARRAY_LEN(passing); i++)
		if (strncmp(code, passing[i], strlen(passing[i])) == 0)
			return true;
	return answer->status >= 500 || answer->status == 429;
}

static void refused(struct aws_acquire *acquire, const struct http_answer *answer)
{
	char *code = aws_xml_text(answer->body.bytes, answer->body.size, "Code");
	char *message = aws_xml_text(answer->body.bytes, answer->body.size, "Message");
	bool clock = !acquire->clock_learned && acquire->step == STEP_ASSUME_ROLE && answer->status == 403
		&& aws_learn_clock(acquire->aws, answer->date_s);

	if (answer->status == 0)
		acquire->error = answer->error;
	else if (code)
		error_set(&acquire->error, NULL, "%s: %s", code, message ? message : "no reason given");
	else
		error_set(&acquire->error, NULL, "HTTP status %ld", answer->status);
	bool again = is_worth_another(acquire, answer, code) && ++acquire->tries < TRIES_MAX;

	acquire->clock_learned |= clock;
	mem_secret_free(code);
	mem_secret_free(message);
	if (clock)
		begin(acquire);
	else if (again)
		loop_timer_start(&acquire->timer, aws_backoff_ms(acquire->tries - 1));
	else
		fail(acquire);
}

static void go_to(struct aws_acquire *acquire, enum acquire_step step)
{
	acquire->step = step;
	acquire->tries = 0;
	begin(acquire);
}

void aws_acquire_answered(struct http_answer *answer, void *arg)
{
	struct aws_acquire *acquire = arg;
	const char *body = answer->body.bytes ? answer->body.bytes : "";

	acquire->call = NULL;
	/* Once: then without one. */
	if (acquire->step == STEP_METADATA_TOKEN && aws_metadata_has_no_tokens(answer)) {
		go_to(acquire, STEP_METADATA_ROLE);
		return;
	}
	if (answer->status != 200) {
		refused(acquire, answer);
		return;
	}
	switch (acquire->step) {
	case STEP_METADATA_TOKEN:
		acquire->metadata_token = aws_metadata_line(answer);
		go_to(acquire, STEP_METADATA_ROLE);
		return;
	case STEP_METADATA_ROLE:
		acquire->metadata_role = aws_metadata_line(answer);
		go_to(acquire, STEP_METADATA_KEYS);
		return;
	case STEP_CONTAINER:
	case STEP_METADATA_KEYS:
		take_keys(acquire, aws_keys_of_json(body, answer->body.size, &acquire->error));
		return;
	default:
		take_keys(acquire, aws_keys_of_xml(body, answer->body.size, &acquire->error));
		return;
	}
}

void aws_acquire_send(struct aws_acquire *acquire, const struct http_request *request)
{
	acquire->call = http_start(acquire->aws->http, request, aws_acquire_answered, acquire);
}

char *aws_acquire_read_token(struct aws_acquire *acquire, const char *path)
{
	FILE *file = fopen(path, "re");
	char *text = mem_alloc(TOKEN_SIZE_MAX + 1);
	size_t size = file ? fread(text, 1, TOKEN_SIZE_MAX, file) : 0;

	if (file)
		fclose(file);
	while (size && strchr(" \r\n", text[size - 1]))
		text[--size] = '\0';
	if (size && strlen(text) == size && !strpbrk(text, "\r\n"))
		return text;
	mem_secret_free(text);
	error_set(&acquire->error, NULL, "%s holds no token", path);
	return NULL;
}

/* --- The start --- */

static enum acquire_step first_step(enum aws_link link)
{
	static const enum acquire_step steps[] = {
		[AWS_LINK_KEYS] = STEP_KEYS, [AWS_LINK_PROCESS] = STEP_PROCESS, [AWS_LINK_WEB_IDENTITY] = STEP_WEB_IDENTITY,
		[AWS_LINK_CONTAINER] = STEP_CONTAINER, [AWS_LINK_METADATA] = STEP_METADATA_TOKEN,
	};

	return steps[link];
}

struct aws_acquire *aws_acquire_start(struct aws *aws, const struct aws_who *who, const char *region,
	aws_acquired_cb *callback, void *arg)
{
	struct aws_acquire *acquire = NEW(struct aws_acquire);

	acquire->aws = aws;
	acquire->callback = callback;
	acquire->arg = arg;
	acquire->region = mem_strdup(region);
	acquire->profiles = aws_profiles_load();
	acquire->profile = mem_strdup(aws_profile_name(who->profile));
	acquire->ca_file = mem_strdup(aws_ca_file(acquire->profiles, acquire->profile));
	loop_timer_init(&acquire->timer, aws->loop, timer_is_up, acquire);
	acquire->chained = aws_chain_find(&acquire->chain, who, acquire->profiles, &acquire->error);
	acquire->step = first_step(acquire->chain.first);
	loop_timer_start(&acquire->timer, 0);
	return acquire;
}

void aws_acquire_cancel(struct aws_acquire **acquire)
{
	struct aws_acquire *gone = *acquire;

	*acquire = NULL;
	if (gone)
		free_acquire(gone);
}
