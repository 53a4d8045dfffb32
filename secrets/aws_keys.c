#include "aws_keys.h"

#include <jansson.h>
#include <string.h>

#include "aws_chain.h"
#include "pgweir/buf.h"
#include "pgweir/mem.h"
#include "wiped_memory.h"

struct aws_keys *aws_keys_new(const char *access_key_id, const char *secret_access_key, const char *session_token,
	int64_t expires_s)
{
	struct aws_keys *keys = NEW(struct aws_keys);

	*keys = (struct aws_keys){
		.references = 1, .access_key_id = mem_secret_dup(access_key_id),
		.secret_access_key = mem_secret_dup(secret_access_key),
		.session_token = session_token && *session_token ? mem_secret_dup(session_token) : NULL, .expires_s = expires_s,
	};
	return keys;
}

struct aws_keys *aws_keys_ref(struct aws_keys *keys)
{
	keys->references++;
	return keys;
}

void aws_keys_unref(struct aws_keys **keys)
{
	struct aws_keys *gone = *keys;

	*keys = NULL;
	if (!gone || --gone->references)
		return;
	mem_secret_free(gone->access_key_id);
	mem_secret_free(gone->secret_access_key);
	mem_secret_free(gone->session_token);
	mem_free(gone);
}

/* --- JSON --- */

static const char *member(const json_t *root, const char *name)
{
	const char *text = json_string_value(json_object_get(root, name));

	return text && *text ? text : NULL;
}

static struct aws_keys *of_object(const json_t *root, struct error *error)
{
	const char *id = member(root, "AccessKeyId"), *secret = member(root, "SecretAccessKey");
	const char *token = member(root, "Token"), *code = member(root, "Code"), *message = member(root, "Message");

	if (code && strcmp(code, "Success") != 0) {
		error_set(error, NULL, "%s: %s", code, message ? message : "no reason given");
		return NULL;
	}
	if (!id || !secret) {
		error_set(error, NULL, "the answer holds no credentials");
		return NULL;
	}
	return aws_keys_new(id, secret, token ? token : member(root, "SessionToken"),
		aws_parse_time(member(root, "Expiration")));
}

struct aws_keys *aws_keys_of_json(const char *text, size_t size, struct error *error)
{
	json_error_t where;
	struct aws_keys *keys = NULL;

	wiped_memory_install();
	json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);

	if (json_is_object(root))
		keys = of_object(root, error);
	else
		error_set(error, NULL, "the answer is no JSON object");
	json_decref(root);
	/* jansson keeps a piece of the text here. */
	mem_wipe(&where, sizeof(where));
	return keys;
}

/* --- XML --- */

static const char *find(const char *text, size_t size, const char *what)
{
	return memmem(text, size, what, strlen(what));
}

static void append_unescaped(struct buf *out, const char *text, size_t size)
{
	static const struct {
		const char *entity;
		char c;
	} entities[] = { { "&amp;", '&' }, { "&lt;", '<' }, { "&gt;", '>' }, { "&quot;", '"' }, { "&apos;", '\'' } };

	for (size_t i = 0; i < size; i++) {
		size_t k = 0;

		while (k < ARRAY_LEN(entities) && (size - i < strlen(entities[k].entity)
		       || memcmp(text + i, entities[k].entity, strlen(entities[k].entity)) != 0))
			k++;
		buf_append_char(out, k < ARRAY_LEN(entities) ? entities[k].c : text[i]);
		if (k < ARRAY_LEN(entities))
			i += strlen(entities[k].entity) - 1;
	}
}

char *aws_xml_text(const char *text, size_t size, const char *name)
{
	char *open = mem_printf("<%s>", name), *close = mem_printf("</%s>", name);
	const char *start = find(text, size, open);
	const char *from = start ? start + strlen(open) : NULL;
	const char *end = from ? find(from, size - (size_t)(from - text), close) : NULL;
	struct buf out = { 0 };

	if (end)
		append_unescaped(&out, from, (size_t)(end - from));
	mem_free(open);
	mem_free(close);
	return end ? buf_take_text(&out) : NULL;
}

struct aws_keys *aws_keys_of_xml(const char *text, size_t size, struct error *error)
{
	char *id = aws_xml_text(text, size, "AccessKeyId"), *secret = aws_xml_text(text, size, "SecretAccessKey");
	char *token = aws_xml_text(text, size, "SessionToken"), *expires = aws_xml_text(text, size, "Expiration");
	struct aws_keys *keys = NULL;

	if (id && secret && token)
		keys = aws_keys_new(id, secret, token, aws_parse_time(expires));
	else
		error_set(error, NULL, "the answer of STS holds no credentials");
	mem_secret_free(id);
	mem_secret_free(secret);
	mem_secret_free(token);
	mem_secret_free(expires);
	return keys;
}
