/* Failure story: none but a bug. What comes in is ours; libcrypto refusing SHA-256 would end the process. */
#include "aws_sign.h"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <time.h>

#include "aws_canonical.h"
#include "pgweir/mem.h"

enum { DIGEST_SIZE = 32, HEADERS_MAX = 64 };

static const char algorithm[] = "AWS4-HMAC-SHA256";

/* --- Hashes --- */

static void to_hex(const unsigned char *bytes, char hex[AWS_HEX_SIZE])
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < DIGEST_SIZE; i++) {
		hex[i * 2] = digits[bytes[i] >> 4];
		hex[i * 2 + 1] = digits[bytes[i] & 15];
	}
	hex[AWS_HEX_SIZE - 1] = '\0';
}

static void sha256_hex(const void *bytes, size_t size, char hex[AWS_HEX_SIZE])
{
	unsigned char digest[DIGEST_SIZE];

	CHECK(EVP_Digest(size ? bytes : "", size, digest, NULL, EVP_sha256(), NULL) == 1);
	to_hex(digest, hex);
}

static void hmac(unsigned char key_and_result[DIGEST_SIZE], const char *text)
{
	CHECK(HMAC(EVP_sha256(), key_and_result, DIGEST_SIZE, (const unsigned char *)text, strlen(text), key_and_result, NULL));
}

static void make_key(const struct aws_signing *signing, const char *date, unsigned char key[DIGEST_SIZE])
{
	struct buf first = { 0 };
	char day[9];

	memcpy(day, date, 8);
	day[8] = '\0';
	buf_append_text(&first, "AWS4");
	buf_append_text(&first, signing->secret_access_key);
	CHECK(HMAC(EVP_sha256(), first.bytes, (int)first.size, (const unsigned char *)day, strlen(day), key, NULL));
	buf_fini_secret(&first);
	hmac(key, signing->region);
	hmac(key, signing->service);
	hmac(key, "aws4_request");
}

/* --- One signature --- */

struct signature {
	const struct aws_signing *signing;
	const struct aws_message *message;
	char date[AWS_DATE_SIZE];
	char body_hash[AWS_HEX_SIZE];
	char hex[AWS_HEX_SIZE];
	char *scope;
	struct aws_pairs headers, query;
};

static void signature_init(struct signature *signature, const struct aws_signing *signing, const struct aws_message *message)
{
	time_t seconds = (time_t)signing->wall_s;
	struct tm utc;

	*signature = (struct signature){ .signing = signing, .message = message };
	CHECK(gmtime_r(&seconds, &utc));
	CHECK(strftime(signature->date, AWS_DATE_SIZE, "%Y%m%dT%H%M%SZ", &utc) == AWS_DATE_SIZE - 1);
	sha256_hex(message->body, message->body_size, signature->body_hash);
	signature->scope = mem_printf("%.8s/%s/%s/aws4_request", signature->date, signing->region, signing->service);
	aws_canonical_query(&signature->query, message->query);
}

static void signature_fini(struct signature *signature)
{
	mem_free(signature->scope);
	aws_pairs_fini(&signature->headers);
	aws_pairs_fini(&signature->query);
}

/* Ends with the request's hash in `hash`. */
static void hash_request(struct signature *signature, char hash[AWS_HEX_SIZE])
{
	struct buf text = { 0 };

	buf_append_text(&text, signature->message->method);
	buf_append_char(&text, '\n');
	aws_canonical_path(&text, signature->message->path ? signature->message->path : "/", signature->signing->path_as_is);
	buf_append_char(&text, '\n');
	aws_pairs_join(&signature->query, &text);
	buf_append_char(&text, '\n');
	for (size_t i = 0; i < signature->headers.count; i++) {
		buf_append_text(&text, signature->headers.pairs[i].name);
		buf_append_char(&text, ':');
		buf_append_text(&text, signature->headers.pairs[i].value);
		buf_append_char(&text, '\n');
	}
	buf_append_char(&text, '\n');
	aws_pairs_join_names(&signature->headers, &text);
	buf_append_char(&text, '\n');
	buf_append_text(&text, signature->body_hash);
	sha256_hex(text.bytes, text.size, hash);
	buf_fini_secret(&text);
}

static void sign(struct signature *signature)
{
	unsigned char key[DIGEST_SIZE];
	char hash[AWS_HEX_SIZE];

	hash_request(signature, hash);
	char *text = mem_printf("%s\n%s\n%s\n%s", algorithm, signature->date, signature->scope, hash);

	make_key(signature->signing, signature->date, key);
	hmac(key, text);
	to_hex(key, signature->hex);
	mem_wipe(key, sizeof(key));
	mem_free(text);
}

/* --- In a header --- */

void aws_sign_header(const struct aws_signing *signing, const struct aws_message *message, struct buf *authorization,
	char date[AWS_DATE_SIZE])
{
	struct signature signature;
	struct aws_header headers[HEADERS_MAX];
	size_t count = message->header_count;

	CHECK(count + 3 <= HEADERS_MAX);
	signature_init(&signature, signing, message);
	if (count)
		memcpy(headers, message->headers, count * sizeof(*headers));
	headers[count++] = (struct aws_header){ "x-amz-date", signature.date };
	if (signing->session_token && !signing->token_unsigned)
		headers[count++] = (struct aws_header){ "x-amz-security-token", signing->session_token };
	if (signing->with_content_hash)
		headers[count++] = (struct aws_header){ "x-amz-content-sha256", signature.body_hash };
	aws_canonical_headers(&signature.headers, headers, count);
	aws_pairs_sort(&signature.query);
	sign(&signature);
	buf_printf(authorization, "%s Credential=%s/%s, SignedHeaders=", algorithm, signing->access_key_id, signature.scope);
	aws_pairs_join_names(&signature.headers, authorization);
	buf_printf(authorization, ", Signature=%s", signature.hex);
	memcpy(date, signature.date, AWS_DATE_SIZE);
	signature_fini(&signature);
}

/* --- In the query --- */

static void add_parameter(struct signature *signature, const char *name, const char *value)
{
	struct buf encoded = { 0 };

	aws_encode(&encoded, value);
	aws_pairs_add(&signature->query, mem_strdup(name), buf_take_text(&encoded));
}

static void add_parameters(struct signature *signature)
{
	const struct aws_signing *signing = signature->signing;
	struct buf names = { 0 };
	char *credential = mem_printf("%s/%s", signing->access_key_id, signature->scope);
	char *expires = mem_printf("%u", signing->expires_s);

	aws_pairs_join_names(&signature->headers, &names);
	char *signed_names = buf_take_text(&names);

	add_parameter(signature, "X-Amz-Algorithm", algorithm);
	add_parameter(signature, "X-Amz-Credential", credential);
	add_parameter(signature, "X-Amz-Date", signature->date);
	add_parameter(signature, "X-Amz-Expires", expires);
	add_parameter(signature, "X-Amz-SignedHeaders", signed_names);
	if (signing->session_token && !signing->token_unsigned)
		add_parameter(signature, "X-Amz-Security-Token", signing->session_token);
	mem_free(credential);
	mem_free(expires);
	mem_free(signed_names);
}

void aws_sign_query(const struct aws_signing *signing, const struct aws_message *message, struct buf *query)
{
	struct signature signature;

	signature_init(&signature, signing, message);
	aws_canonical_headers(&signature.headers, message->headers, message->header_count);
	add_parameters(&signature);
	aws_pairs_sort(&signature.query);
	sign(&signature);
	aws_pairs_join(&signature.query, query);
	buf_printf(query, "&X-Amz-Signature=%s", signature.hex);
	if (signing->session_token && signing->token_unsigned) {
		buf_append_text(query, "&X-Amz-Security-Token=");
		aws_encode(query, signing->session_token);
	}
	signature_fini(&signature);
}

void aws_sign_rds_token(const struct aws_signing *signing, const char *host, uint16_t port, const char *user,
	struct buf *token)
{
	struct aws_signing connect = *signing;
	char *address = mem_printf("%s:%u", host, port);
	const struct aws_header headers[] = { { "host", address } };
	struct buf query = { 0 };

	buf_append_text(&query, "Action=connect&DBUser=");
	aws_encode(&query, user);
	char *text = buf_take_text(&query);
	struct aws_message message = {
		.method = "GET", .path = "/", .query = text, .headers = headers, .header_count = ARRAY_LEN(headers),
	};

	connect.service = "rds-db";
	connect.path_as_is = connect.with_content_hash = connect.token_unsigned = false;
	connect.expires_s = AWS_TOKEN_EXPIRES_S;
	buf_append_text(token, address);
	buf_append_text(token, "/?");
	aws_sign_query(&connect, &message, token);
	mem_free(address);
	mem_free(text);
}
