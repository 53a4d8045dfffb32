/* Failure story: an answer that is none, or says that the service has no time, is waited for up to three times; keys that
 * the service does not know are replaced once, a wrong clock is put right once. What fails then is the caller's to judge.
 * What AWS says of an error is kept, without control characters; it repeats names, never values. */
#include "aws_call.h"

#include <stdlib.h>
#include <string.h>

#include "aws_place.h"
#include "aws_region.h"
#include "aws_sign.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "wiped_memory.h"

enum { TIMEOUT_MS = 5 * 1000, TRIES_MAX = 3, HEADERS_MAX = 8, MESSAGE_MAX = 300 };

static const char content_type[] = "application/x-amz-json-1.1";

struct aws_client {
	struct aws *aws;
	struct aws_identity *identity;
	char *id, *region, *endpoint, *profile;
};

struct aws_call {
	struct aws_client *client;
	char *target, *body;
	struct aws_place place;
	char *ca_file;
	struct aws_keys *keys;          /* That the request under way was signed with. */
	struct aws_ask *ask;
	struct http_call *http;
	struct loop_timer timer;
	struct aws_answer answer;
	unsigned tries;
	struct aws_region_ask *region;
	bool keys_renewed, clock_learned, unplaced;
	bool nowhere;                   /* There is no region. */
	aws_call_cb *callback;
	void *arg;
};

static void ask_keys(struct aws_call *call);

/* --- The end --- */

static void free_call(struct aws_call *call)
{
	aws_ask_cancel(&call->ask);
	http_cancel(&call->http);
	aws_region_cancel(&call->region);
	loop_timer_stop(&call->timer);
	aws_keys_unref(&call->keys);
	aws_place_fini(&call->place);
	mem_free(call->ca_file);
	mem_free(call->target);
	mem_secret_free(call->body);
	mem_free(call);
}

static void end(struct aws_call *call)
{
	call->callback(&call->answer, call->arg);
	free_call(call);
}

/* --- Answers --- */

/* One line of what the service says. */
static void take_message(struct aws_call *call, long status, const char *message)
{
	char text[MESSAGE_MAX + 1];
	size_t size = 0;

	for (; message[size] && size < MESSAGE_MAX; size++)
		text[size] = (unsigned char)message[size] < ' ' ? ' ' : message[size];
	text[size] = '\0';
	if (*call->answer.code)
		error_set(&call->answer.error, NULL, "%s%s%s", call->answer.code, *text ? ": " : "", text);
	else
		error_set(&call->answer.error, NULL, "HTTP status %ld with an answer that is not AWS's", status);
}

/* "com.amazonaws.secretsmanager#ThrottlingException:http://…" is ThrottlingException. */
static void take_code(struct aws_call *call, const char *type)
{
	size_t size = strcspn(type, ":");

	for (size_t i = size; i > 0; i--) {
		if (type[i - 1] == '#') {
			type += i;
			size -= i;
			break;
		}
	}
	size = size < sizeof(call->answer.code) - 1 ? size : sizeof(call->answer.code) - 1;
	memcpy(call->answer.code, type, size);
	call->answer.code[size] = '\0';
}

static const char *text_member(const json_t *root, const char *name)
{
	const char *text = json_string_value(json_object_get(root, name));

	return text ? text : "";
}

static bool try_again(struct aws_call *call, enum aws_remedy remedy, const struct http_answer *answer)
{
	if (remedy == AWS_REMEDY_KEYS && !call->keys_renewed) {
		call->keys_renewed = true;
		aws_identity_reject(call->client->identity, call->keys);
		ask_keys(call);
		return true;
	}
	if (remedy == AWS_REMEDY_CLOCK && !call->clock_learned && aws_learn_clock(call->client->aws, answer->date_s)) {
		call->clock_learned = true;
		ask_keys(call);
		return true;
	}
	if (remedy != AWS_REMEDY_WAIT || ++call->tries >= TRIES_MAX)
		return false;
	uint64_t delay_ms = aws_backoff_ms(call->tries - 1);

	loop_timer_start(&call->timer, delay_ms > answer->retry_after_ms ? delay_ms : answer->retry_after_ms);
	return true;
}

static void refused(struct aws_call *call, const struct http_answer *answer, const json_t *root)
{
	const char *lower = text_member(root, "message"), *message = *lower ? lower : text_member(root, "Message");

	take_code(call, text_member(root, "__type"));
	if (answer->status)
		take_message(call, answer->status, message);
	else
		call->answer.error = answer->error;
	if (!try_again(call, aws_fault_find(answer->status, call->answer.code, message, &call->answer.fault), answer))
		end(call);
}

static void answered(struct http_answer *answer, void *arg)
{
	struct aws_call *call = arg;
	json_error_t where;

	call->http = NULL;
	json_t *root = json_loadb(answer->body.size ? answer->body.bytes : "", answer->body.size, 0, &where);

	mem_wipe(&where, sizeof(where));
	if (answer->status == 200 && json_is_object(root)) {
		call->answer = (struct aws_answer){ .fault = AWS_FINE, .root = root };
		end(call);
	} else {
		refused(call, answer, root);
	}
	json_decref(root);
}

/* --- Requests --- */

static void send_request(struct aws_call *call)
{
	const struct aws_place *place = &call->place;
	const char *path = strchr(strstr(place->url, "://") + 3, '/');
	const struct aws_header headers[] = {
		{ "content-type", content_type }, { "host", place->host }, { "x-amz-target", call->target },
	};
	struct aws_message message = {
		.method = "POST", .path = path ? path : "/", .headers = headers, .header_count = ARRAY_LEN(headers),
		.body = call->body, .body_size = strlen(call->body),
	};
	struct aws_signing signing = {
		.access_key_id = call->keys->access_key_id, .secret_access_key = call->keys->secret_access_key,
		.session_token = call->keys->session_token, .region = place->region,
		.service = aws_service_word(AWS_SECRETS_MANAGER), .wall_s = aws_now_s(call->client->aws),
	};
	struct buf authorization = { 0 };
	char date[AWS_DATE_SIZE], *texts[HEADERS_MAX] = { 0 };
	size_t count = 0;

	aws_sign_header(&signing, &message, &authorization, date);
	char *signature = buf_take_text(&authorization);

	texts[count++] = mem_printf("Content-Type: %s", content_type);
	texts[count++] = mem_printf("X-Amz-Target: %s", call->target);
	texts[count++] = mem_printf("X-Amz-Date: %s", date);
	texts[count++] = mem_printf("Authorization: %s", signature);
	if (signing.session_token)
		texts[count++] = mem_printf("X-Amz-Security-Token: %s", signing.session_token);
	struct http_request request = {
		.method = "POST", .url = place->url, .headers = (const char *const *)texts, .body = call->body,
		.body_size = strlen(call->body), .ca_file = call->ca_file, .timeout_ms = TIMEOUT_MS,
	};

	call->http = http_start(call->client->aws->http, &request, answered, call);
	for (size_t i = 0; i < count; i++)
		mem_secret_free(texts[i]);
	mem_free(signature);
}

static void got_keys(struct aws_keys *keys, const struct error *error, void *arg)
{
	struct aws_call *call = arg;

	call->ask = NULL;
	aws_keys_unref(&call->keys);
	if (!keys) {
		call->answer = (struct aws_answer){ .fault = AWS_UNAVAILABLE, .error = *error };
		end(call);
		return;
	}
	call->keys = aws_keys_ref(keys);
	send_request(call);
}

static void ask_keys(struct aws_call *call)
{
	call->ask = aws_identity_ask(call->client->identity, got_keys, call);
}

/* The environment and the files of profiles are read for each call: they may change, and calls are few. */
static bool find_place(struct aws_call *call)
{
	const struct aws_client *client = call->client;
	struct aws_profiles *profiles = aws_profiles_load();
	const char *profile = aws_profile_name(client->profile);
	char *region = aws_region_find(client->region, client->id, profiles, profile);

	if (!region)
		region = mem_strdup(aws_region_known(client->aws));
	call->nowhere = !region;
	bool good = aws_place_find(&call->place, AWS_SECRETS_MANAGER, region, client->endpoint, profiles, profile,
		&call->answer.error);

	mem_free(call->ca_file);
	call->ca_file = mem_strdup(aws_ca_file(profiles, profile));
	mem_free(region);
	aws_profiles_free(&profiles);
	return good;
}

static void got_region(void *arg)
{
	struct aws_call *call = arg;

	call->region = NULL;
	if (find_place(call))
		ask_keys(call);
	else
		end(call);
}

/* The first try, or another. Never within aws_call_start(). */
static void timer_is_up(void *arg)
{
	struct aws_call *call = arg;

	if (!call->unplaced) {
		ask_keys(call);
		return;
	}
	call->region = call->nowhere ? aws_region_ask(call->client->aws, got_region, call) : NULL;
	call->unplaced = false;
	if (!call->region)
		end(call);
}

struct aws_call *aws_call_start(struct aws_client *client, const char *operation, const char *body, aws_call_cb *callback,
	void *arg)
{
	struct aws_call *call = NEW(struct aws_call);

	wiped_memory_install();
	call->client = client;
	call->target = mem_printf("%s.%s", aws_service_word(AWS_SECRETS_MANAGER), operation);
	call->body = mem_secret_dup(body);
	call->callback = callback;
	call->arg = arg;
	loop_timer_init(&call->timer, client->aws->loop, timer_is_up, call);
	call->unplaced = !find_place(call);
	call->answer.fault = AWS_REFUSED;
	loop_timer_start(&call->timer, 0);
	return call;
}

void aws_call_cancel(struct aws_call **call)
{
	struct aws_call *gone = *call;

	*call = NULL;
	if (gone)
		free_call(gone);
}

/* --- Clients --- */

/* STS is asked in the secret's own region, as far as the section or an ARN says one. */
struct aws_client *aws_client_open(struct aws *aws, const struct config_secret *secret)
{
	struct aws_client *client = NEW(struct aws_client);
	struct aws_who who = {
		.profile = secret->profile, .role_arn = secret->role_arn, .external_id = secret->external_id,
	};
	struct aws_profiles *profiles = aws_profiles_load();
	char *region = aws_region_find(secret->region, secret->id, profiles, aws_profile_name(secret->profile));

	*client = (struct aws_client){
		.aws = aws, .identity = aws_identity_open(aws, &who, region), .id = mem_strdup(secret->id),
		.region = mem_strdup(secret->region), .endpoint = mem_strdup(secret->endpoint),
		.profile = mem_strdup(secret->profile),
	};
	aws->references++;
	mem_free(region);
	aws_profiles_free(&profiles);
	return client;
}

void aws_client_close(struct aws_client **client)
{
	struct aws_client *gone = *client;

	*client = NULL;
	if (!gone)
		return;
	aws_identity_close(&gone->identity);
	aws_close(&gone->aws);
	mem_free(gone->id);
	mem_free(gone->region);
	mem_free(gone->endpoint);
	mem_free(gone->profile);
	mem_free(gone);
}
