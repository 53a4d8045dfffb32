#include "pgweir/secret_record.h"

#include <openssl/sha.h>
#include <string.h>

#include "pgweir/buf.h"
#include "pgweir/clock.h"
#include "pgweir/mem.h"
#include "wiped_memory.h"

#include <jansson.h>

enum { ID_BYTES = 16 };

void secret_record_version_fini(struct secret_record_version *version)
{
	mem_free(version->id);
	mem_secret_free(version->text);
	*version = (struct secret_record_version){ 0 };
}

void secret_record_fini(struct secret_record *record)
{
	for (size_t i = 0; i < SECRET_STAGES; i++)
		secret_record_version_fini(&record->versions[i]);
	mem_free(record->provision);
	mem_free(record->role);
	*record = (struct secret_record){ 0 };
}

char *secret_record_path(const char *path)
{
	return mem_printf("%s.pgweir", path);
}

/* --- As JSON --- */

static char *member(const json_t *object, const char *name)
{
	return mem_secret_dup(json_string_value(json_object_get(object, name)));
}

bool secret_record_parse(const char *text, struct secret_record *record)
{
	wiped_memory_install();
	json_t *root = json_loads(text, 0, NULL);

	*record = (struct secret_record){ 0 };
	if (!root)
		return false;
	record->provision = member(root, "provision");
	record->role = member(root, "role");
	record->deleted = json_is_true(json_object_get(root, "deleted"));
	for (size_t i = 0; i < SECRET_STAGES; i++) {
		const json_t *version = json_object_get(root, secret_stage_words[i]);

		record->versions[i] = (struct secret_record_version){ .id = member(version, "id"), .text = member(version, "text"),
			.created_s = json_integer_value(json_object_get(version, "created")) };
	}
	json_decref(root);
	return true;
}

/* False: it is no UTF-8. */
static bool set_text(json_t *object, const char *name, const char *text)
{
	return !text || json_object_set_new(object, name, json_string(text)) == 0;
}

static bool set_version(json_t *root, const char *stage, const struct secret_record_version *version)
{
	json_t *object = json_object();
	bool good = set_text(object, "id", version->id) && set_text(object, "text", version->text);

	json_object_set_new(object, "created", json_integer(version->created_s));
	if (version->id)
		json_object_set(root, stage, object);
	json_decref(object);
	return good;
}

char *secret_record_format(const struct secret_record *record)
{
	wiped_memory_install();
	json_t *root = json_object();
	bool good = set_text(root, "provision", record->provision) && set_text(root, "role", record->role);

	if (record->deleted)
		json_object_set_new(root, "deleted", json_true());
	for (size_t i = 0; i < SECRET_STAGES && good; i++)
		good = set_version(root, secret_stage_words[i], &record->versions[i]);
	char *made = good ? json_dumps(root, JSON_INDENT(2)) : NULL, *text = mem_secret_dup(made);

	wiped_memory_free(made);
	json_decref(root);
	return text;
}

/* --- What the file says --- */

static char *id_of_text(const char *text)
{
	unsigned char digest[SHA256_DIGEST_LENGTH];
	struct buf id = { 0 };

	SHA256((const unsigned char *)text, strlen(text), digest);
	buf_append_text(&id, "by-hand-");
	for (size_t i = 0; i < ID_BYTES; i++)
		buf_printf(&id, "%02x", digest[i]);
	return buf_take_text(&id);
}

void secret_record_shift(struct secret_record *record, struct secret_record_version *next)
{
	secret_record_version_fini(&record->versions[SECRET_PREVIOUS]);
	record->versions[SECRET_PREVIOUS] = record->versions[SECRET_CURRENT];
	record->versions[SECRET_CURRENT] = *next;
	*next = (struct secret_record_version){ 0 };
}

bool secret_record_says(const struct secret_record_version *version, const char *text)
{
	return version->text && mem_equal_secret_text(version->text, text);
}

bool secret_record_settle(struct secret_record *record, const char *text)
{
	if (secret_record_says(&record->versions[SECRET_CURRENT], text))
		return true;
	if (secret_record_says(&record->versions[SECRET_PENDING], text)) {
		secret_record_shift(record, &record->versions[SECRET_PENDING]);
		return true;
	}
	struct secret_record_version by_hand = { .id = id_of_text(text), .text = mem_secret_dup(text),
		.created_s = clock_wall_us() / 1000000 };

	secret_record_shift(record, &by_hand);
	return false;
}
