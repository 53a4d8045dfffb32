/* The requests that bring credentials: to STS, to a container's endpoint, to EC2's metadata service. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

#include "aws_acquire_internal.h"
#include "aws_metadata.h"
#include "aws_region.h"
#include "aws_sign.h"
#include "pgweir/mem.h"

enum {
	STS_TIMEOUT_MS = 10 * 1000,
	CONTAINER_TIMEOUT_MS = 2000,
	HEADERS_MAX = 6,
};

/* Owned texts, ended by NULL. */
struct headers {
	char *texts[HEADERS_MAX + 1];
	size_t count;
};

static void add_header(struct headers *headers, char *text)
{
	CHECK(headers->count < HEADERS_MAX);
	headers->texts[headers->count++] = text;
}

static void headers_fini(struct headers *headers)
{
	for (size_t i = 0; i < headers->count; i++)
		mem_secret_free(headers->texts[i]);
}

static void send_off(struct aws_acquire *acquire, struct http_request *request, struct headers *headers)
{
	request->headers = (const char *const *)headers->texts;
	aws_acquire_send(acquire, request);
	headers_fini(headers);
}

/* --- STS --- */

static void add_parameter(struct buf *form, const char *name, const char *value)
{
	if (!value)
		return;
	buf_printf(form, "%s%s=", form->size ? "&" : "", name);
	aws_encode(form, value);
}

static void add_role(struct buf *form, const char *action, const struct aws_role *role)
{
	char own[32], duration[16];

	snprintf(own, sizeof(own), "pgweir-%ld", (long)getpid());
	snprintf(duration, sizeof(duration), "%u", role->duration_s);
	add_parameter(form, "Action", action);
	add_parameter(form, "Version", "2011-06-15");
	add_parameter(form, "RoleArn", role->arn);
	add_parameter(form, "RoleSessionName", role->session_name ? role->session_name : own);
	add_parameter(form, "ExternalId", role->external_id);
	if (role->duration_s)
		add_parameter(form, "DurationSeconds", duration);
}

static void sign_form(struct aws_acquire *acquire, const char *type, const struct buf *form, struct headers *headers)
{
	const struct aws_header signed_headers[] = { { "content-type", type }, { "host", acquire->sts.host } };
	const char *path = strchr(strstr(acquire->sts.url, "://") + 3, '/');
	struct aws_message message = {
		.method = "POST", .path = path ? path : "/", .headers = signed_headers,
		.header_count = ARRAY_LEN(signed_headers), .body = form->bytes, .body_size = form->size,
	};
	struct aws_signing signing = {
		.access_key_id = acquire->keys->access_key_id, .secret_access_key = acquire->keys->secret_access_key,
		.session_token = acquire->keys->session_token, .region = acquire->sts.region, .service = "sts",
		.wall_s = aws_now_s(acquire->aws),
	};
	struct buf authorization = { 0 };
	char date[AWS_DATE_SIZE];

	aws_sign_header(&signing, &message, &authorization, date);
	char *text = buf_take_text(&authorization);

	add_header(headers, mem_printf("Authorization: %s", text));
	add_header(headers, mem_printf("X-Amz-Date: %s", date));
	if (signing.session_token)
		add_header(headers, mem_printf("X-Amz-Security-Token: %s", signing.session_token));
	mem_free(text);
}

static bool find_sts(struct aws_acquire *acquire)
{
	if (acquire->sts.url)
		return true;
	char *region = aws_region_find(acquire->region, NULL, acquire->profiles, acquire->profile);

	if (!region)
		region = mem_strdup(aws_region_known(acquire->aws));
	bool good = aws_place_find(&acquire->sts, AWS_STS, region, NULL, acquire->profiles, acquire->profile,
		&acquire->error);

	mem_free(region);
	return good;
}

bool aws_acquire_ask_sts(struct aws_acquire *acquire)
{
	static const char type[] = "application/x-www-form-urlencoded; charset=utf-8";
	bool web = acquire->step == STEP_WEB_IDENTITY;
	struct buf form = { 0 };
	struct headers headers = { 0 };

	if (!find_sts(acquire))
		return false;
	char *token = web ? aws_acquire_read_token(acquire, acquire->chain.token_file) : NULL;

	if (web && !token)
		return false;
	add_role(&form, web ? "AssumeRoleWithWebIdentity" : "AssumeRole",
		web ? &acquire->chain.web : &acquire->chain.roles[acquire->role]);
	add_parameter(&form, "WebIdentityToken", token);
	add_header(&headers, mem_printf("Content-Type: %s", type));
	if (!web)
		sign_form(acquire, type, &form, &headers);
	struct http_request request = {
		.method = "POST", .url = acquire->sts.url, .body = form.bytes, .body_size = form.size,
		.ca_file = acquire->ca_file, .timeout_ms = STS_TIMEOUT_MS,
	};

	send_off(acquire, &request, &headers);
	mem_secret_free(token);
	buf_fini_secret(&form);
	return true;
}

/* --- Containers --- */

/* Plain http may go to this machine, and to the addresses that ECS and EKS use for it. */
static bool is_container_address(const char *url)
{
	static const char *const hosts[] = { "http://169.254.170.2", "http://169.254.170.23", "http://[fd00:ec2::23]" };

	for (size_t i = 0; i < ARRAY_LEN(hosts); i++) {
		size_t size = strlen(hosts[i]);

		if (strncasecmp(url, hosts[i], size) == 0 && (url[size] == '\0' || strchr(":/", url[size])))
			return true;
	}
	return false;
}

static bool add_authorization(struct aws_acquire *acquire, struct headers *headers)
{
	const char *path = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE");
	const char *text = getenv("AWS_CONTAINER_AUTHORIZATION_TOKEN");
	char *token = path && *path ? aws_acquire_read_token(acquire, path) : text && *text ? mem_secret_dup(text) : NULL;

	if (path && *path && !token)
		return false;
	if (token && strpbrk(token, "\r\n")) {
		mem_secret_free(token);
		return error_set(&acquire->error, NULL, "the authorization token has more than one line");
	}
	if (token)
		add_header(headers, mem_printf("Authorization: %s", token));
	mem_secret_free(token);
	return true;
}

bool aws_acquire_ask_container(struct aws_acquire *acquire)
{
	const char *relative = getenv("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI");
	const char *full = getenv("AWS_CONTAINER_CREDENTIALS_FULL_URI");
	struct headers headers = { 0 };
	bool is_relative = relative && *relative;
	char *url = is_relative ? mem_printf("http://169.254.170.2%s", relative) : mem_strdup(full);

	if (!url || (http_is_exposed(url) && !is_container_address(url)) || strncasecmp(url, "http", 4) != 0) {
		mem_free(url);
		return error_set(&acquire->error, NULL, "its address is no https:// address, and none of this machine");
	}
	if (!add_authorization(acquire, &headers)) {
		mem_free(url);
		return false;
	}
	add_header(&headers, mem_strdup("Accept: application/json"));
	struct http_request request = {
		.method = "GET", .url = url, .ca_file = acquire->ca_file, .timeout_ms = CONTAINER_TIMEOUT_MS, .direct = true,
	};

	send_off(acquire, &request, &headers);
	mem_free(url);
	return true;
}

/* --- EC2 --- */

bool aws_acquire_ask_metadata(struct aws_acquire *acquire)
{
	const char *role = acquire->step == STEP_METADATA_KEYS ? acquire->metadata_role : "";
	char *path = mem_printf("latest/meta-data/iam/security-credentials/%s", role);

	acquire->call = acquire->step == STEP_METADATA_TOKEN ? aws_metadata_ask_token(acquire->aws, aws_acquire_answered, acquire)
		: aws_metadata_ask(acquire->aws, path, acquire->metadata_token, aws_acquire_answered, acquire);
	mem_free(path);
	return true;
}
