/* Signatures: the very requests that are made, with answers that botocore gave for the same keys and clock; and, where
 * PGWEIR_SIGV4_VECTORS names their folder, all of the published vectors, in a header and in the query. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <dirent.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "aws_sign.h"
#include "pgweir/mem.h"

enum { HEADERS_MAX = 16, AT_S = 1767323045, BOTOCORE_AT_S = 1478540373 };   /* 2026-01-02 03:04:05, 2016-11-07 17:39:33. */

static const struct aws_signing example = {
	.access_key_id = "AKIDEXAMPLE", .secret_access_key = "wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY",
	.region = "eu-west-1", .service = "secretsmanager", .wall_s = AT_S,
};

static void assert_ends_with(const struct buf *text, const char *end)
{
	size_t size = strlen(end);

	assert_true(text->size >= size);
	assert_memory_equal(text->bytes + text->size - size, end, size);
}

static void assert_signed(const struct aws_signing *signing, const struct aws_message *message, const char *signature)
{
	struct buf authorization = { 0 };
	char date[AWS_DATE_SIZE];

	aws_sign_header(signing, message, &authorization, date);
	assert_string_equal(date, "20260102T030405Z");
	assert_ends_with(&authorization, signature);
	buf_fini(&authorization);
}

static void a_request_for_a_secret_is_signed_as_botocore_does(void **state)
{
	(void)state;
	static const char body[] = "{\"SecretId\":\"/postgres/c1/hevo/readonly/password\",\"VersionStage\":\"AWSCURRENT\"}";
	static const struct aws_header headers[] = {
		{ "Content-Type", "application/x-amz-json-1.1" },
		{ "Host", "secretsmanager.eu-west-1.amazonaws.com" },
		{ "X-Amz-Target", "secretsmanager.GetSecretValue" },
	};
	struct aws_message message = {
		.method = "POST", .path = "/", .headers = headers, .header_count = ARRAY_LEN(headers), .body = body,
		.body_size = strlen(body),
	};
	struct aws_signing signing = example;

	assert_signed(&signing, &message, "630962c655c710d9197f56b86f1d4b88d524749694657c8d6e394eae5782f067");
	signing.session_token = "IQoJb3JpZ2luX2VjE+/a==";
	assert_signed(&signing, &message, "d27292fef16168f6f670ff4f019126b664606d26b9fa2199ac114d124bc30c2f");
}

static void a_request_for_a_role_is_signed_as_botocore_does(void **state)
{
	(void)state;
	static const char body[] = "Action=AssumeRole&Version=2011-06-15&RoleArn=arn%3Aaws%3Aiam%3A%3A123456789012%3Arole%2Fx"
		"&RoleSessionName=pgweir&ExternalId=ext-1";
	static const struct aws_header headers[] = {
		{ "content-type", "application/x-www-form-urlencoded; charset=utf-8" },
		{ "host", "sts.eu-west-1.amazonaws.com" },
	};
	struct aws_message message = {
		.method = "POST", .headers = headers, .header_count = ARRAY_LEN(headers), .body = body, .body_size = strlen(body),
	};
	struct aws_signing signing = example;

	signing.service = "sts";
	assert_signed(&signing, &message, "c678aae056bb8b3a97bc0bfff65d66f7a40e76cef2f6a22f31ca385167ec56d0");
}

static void tokens_for_rds_are_those_of_botocore(void **state)
{
	(void)state;
	static const struct {
		const char *id, *key, *token, *region, *host, *user, *signature;
		int64_t at_s;
		uint16_t port;
	} rows[] = {
		{ "akid", "skid", NULL, "us-east-1", "prod-instance.us-east-1.rds.amazonaws.com", "someusername",
		  "d1138cdbc0ca63eec012ec0fc6c2267e03642168f5884a7795320d4c18374c61", BOTOCORE_AT_S, 3306 },
		{ "ASIAEXAMPLE", "sk/ex+ample", NULL, "eu-west-1", "db1.cluster-abc.eu-west-1.rds.amazonaws.com", "pgweir_ro",
		  "54ca79f636e7992cc171bf4d7dd548793958fe6f6264f5d14f26b91dc177182a", AT_S, 5432 },
		{ "ASIAEXAMPLE", "sk/ex+ample", "IQoJb3JpZ2luX2VjE+/a==", "eu-west-1",
		  "db1.cluster-abc.eu-west-1.rds.amazonaws.com", "user+a@b c/\xc3\xa9",
		  "8fe014f6c24451f64fd80da8d5f6e783c352651a42de339109a6cb76cc743076", AT_S, 5432 },
		{ "ASIAEXAMPLE", "sk/ex+ample", "FwoGZXIvYXdz//tok+x=", "eu-west-1",
		  "db1.cluster-abc.eu-west-1.rds.amazonaws.com", "pgweir_ro",
		  "4b2633f7a7015ba8462e58064141fd2818ea0829842e5f73a9fe981013226298", AT_S, 6432 },
	};

	for (size_t i = 0; i < ARRAY_LEN(rows); i++) {
		struct aws_signing signing = {
			.access_key_id = rows[i].id, .secret_access_key = rows[i].key, .session_token = rows[i].token,
			.region = rows[i].region, .wall_s = rows[i].at_s,
		};
		struct buf token = { 0 };
		char *start = mem_printf("%s:%u/?Action=connect&DBUser=", rows[i].host, rows[i].port);

		aws_sign_rds_token(&signing, rows[i].host, rows[i].port, rows[i].user, &token);
		assert_memory_equal(token.bytes, start, strlen(start));
		assert_ends_with(&token, rows[i].signature);
		mem_free(start);
		buf_fini_secret(&token);
	}
}

/* --- The published vectors --- */

struct vector {
	char *request, *query, *expected_header, *expected_query;
	json_t *context;
	struct aws_header headers[HEADERS_MAX];
	struct aws_message message;
	struct aws_signing signing;
};

static char *read_text(const char *folder, const char *vector, const char *name)
{
	char *path = mem_printf("%s/%s/%s", folder, vector, name);
	FILE *file = fopen(path, "r");
	struct buf text = { 0 };
	int c;

	if (!file)
		fail_msg("%s cannot be read", path);
	while ((c = getc(file)) != EOF)
		buf_append_char(&text, (char)c);
	fclose(file);
	mem_free(path);
	return buf_take_text(&text);
}

/* One "Name:value" with the lines that continue it; "" ends them. */
static char *take_header(struct vector *vector, char *line)
{
	char *end = line;

	do
		end = strchr(end + 1, '\n');
	while (end && end[1] == ' ');
	if (end)
		*end = '\0';
	char *colon = strchr(line, ':');

	assert_non_null(colon);
	assert_true(vector->message.header_count < HEADERS_MAX);
	*colon = '\0';
	vector->headers[vector->message.header_count++] = (struct aws_header){ line, colon + 1 };
	return end ? end + 1 : line + strlen(line);
}

static void parse_request(struct vector *vector)
{
	char *line_end = strchr(vector->request, '\n');
	char *target = strchr(vector->request, ' ');
	char *version = strstr(vector->request, " HTTP/1.1");
	char *at = line_end + 1;

	*target++ = *version = '\0';
	char *query = strchr(target, '?');

	if (query)
		*query++ = '\0';
	vector->message.method = vector->request;
	vector->message.path = target;
	vector->message.query = query;
	vector->message.headers = vector->headers;
	while (*at && *at != '\n')
		at = take_header(vector, at);
	vector->message.body = *at == '\n' ? at + 1 : at;
	vector->message.body_size = strlen(vector->message.body);
}

static void parse_context(struct vector *vector, const char *text)
{
	const char *stamp, *id, *key, *token = NULL, *region, *service;
	int normalize = 1, sign_body = 0, omit = 0, expires;
	struct tm utc = { 0 };

	vector->context = json_loads(text, 0, NULL);
	assert_int_equal(json_unpack(vector->context, "{s:{s:s,s:s,s?s},s:s,s:s,s:s,s:b,s:b,s:i,s?b}", "credentials",
		"access_key_id", &id, "secret_access_key", &key, "token", &token, "region", &region, "service", &service,
		"timestamp", &stamp, "normalize", &normalize, "sign_body", &sign_body, "expiration_in_seconds", &expires,
		"omit_session_token", &omit), 0);
	assert_non_null(strptime(stamp, "%Y-%m-%dT%H:%M:%SZ", &utc));
	vector->signing = (struct aws_signing){
		.access_key_id = id, .secret_access_key = key, .session_token = token, .region = region, .service = service,
		.wall_s = timegm(&utc), .path_as_is = !normalize, .with_content_hash = sign_body, .token_unsigned = omit,
		.expires_s = (unsigned)expires,
	};
}

/* The signature in what the vector says the signed query is, wherever it stands there. */
static void assert_query_has(const struct buf *query, const char *vector, const char *signature)
{
	char *wanted = mem_printf("X-Amz-Signature=%.64s", signature);

	if (!memmem(query->bytes, query->size, wanted, strlen(wanted)))
		fail_msg("%s: %.*s lacks %s", vector, (int)query->size, query->bytes, wanted);
	mem_free(wanted);
}

static void check_vector(const char *folder, const char *name)
{
	struct vector vector = { 0 };
	struct buf authorization = { 0 }, query = { 0 };
	char *context = read_text(folder, name, "context.json");
	char date[AWS_DATE_SIZE];

	vector.request = read_text(folder, name, "request.txt");
	vector.expected_header = read_text(folder, name, "header-signed-request.txt");
	vector.expected_query = read_text(folder, name, "query-signature.txt");
	parse_request(&vector);
	parse_context(&vector, context);
	aws_sign_header(&vector.signing, &vector.message, &authorization, date);
	if (!memmem(vector.expected_header, strlen(vector.expected_header), authorization.bytes, authorization.size))
		fail_msg("%s: %.*s", name, (int)authorization.size, authorization.bytes);
	/* A signed query has no hash of the body beside it. */
	vector.signing.with_content_hash = false;
	aws_sign_query(&vector.signing, &vector.message, &query);
	assert_query_has(&query, name, vector.expected_query);
	buf_fini(&authorization);
	buf_fini(&query);
	json_decref(vector.context);
	mem_free(vector.request);
	mem_free(vector.expected_header);
	mem_free(vector.expected_query);
	mem_free(context);
}

static void all_published_vectors_are_met(void **state)
{
	(void)state;
	const char *folder = getenv("PGWEIR_SIGV4_VECTORS");
	unsigned count = 0;
	DIR *entries = folder ? opendir(folder) : NULL;

	if (!folder)
		skip();
	assert_non_null(entries);
	for (struct dirent *entry; (entry = readdir(entries));) {
		if (strncmp(entry->d_name, "get-", 4) != 0 && strncmp(entry->d_name, "post-", 5) != 0)
			continue;
		check_vector(folder, entry->d_name);
		count++;
	}
	closedir(entries);
	assert_int_equal(count, 38);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_for_a_secret_is_signed_as_botocore_does),
		cmocka_unit_test(a_request_for_a_role_is_signed_as_botocore_does),
		cmocka_unit_test(tokens_for_rds_are_those_of_botocore),
		cmocka_unit_test(all_published_vectors_are_met),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
