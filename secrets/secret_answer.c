#include "secret_answer.h"

#include <limits.h>
#include <openssl/evp.h>
#include <string.h>

#include "pgweir/mem.h"

static char *text_of(const json_t *root, const char *name)
{
	return mem_secret_dup(json_string_value(json_object_get(root, name)));
}

/* --- Descriptions --- */

static void take_version(struct secret_version *version, const char *id, const json_t *stages)
{
	size_t i;
	const json_t *stage;

	version->id = mem_strdup(id);
	version->stages = NEW_ARRAY(char *, json_array_size(stages) + 1);
	json_array_foreach(stages, i, stage)
		if (json_is_string(stage))
			version->stages[version->stage_count++] = mem_strdup(json_string_value(stage));
}

static void take_versions(struct secret_description *description, json_t *versions)
{
	const char *id;
	json_t *stages;

	description->versions = NEW_ARRAY(struct secret_version, json_object_size(versions) + 1);
	json_object_foreach(versions, id, stages)
		take_version(&description->versions[description->version_count++], id, stages);
}

static void take_tags(struct secret_description *description, const json_t *tags)
{
	size_t i;
	json_t *tag;

	description->tags = NEW_ARRAY(struct secret_tag, json_array_size(tags) + 1);
	json_array_foreach(tags, i, tag)
		if (json_is_string(json_object_get(tag, "Key")))
			description->tags[description->tag_count++] = (struct secret_tag){ text_of(tag, "Key"), text_of(tag, "Value") };
}

static void take_description(struct secret_description *description, const json_t *root)
{
	description->arn = text_of(root, "ARN");
	description->name = text_of(root, "Name");
	description->owning_service = text_of(root, "OwningService");
	description->rotation_enabled = json_is_true(json_object_get(root, "RotationEnabled"));
	description->deleted = json_is_number(json_object_get(root, "DeletedDate"));
	take_versions(description, json_object_get(root, "VersionIdsToStages"));
	take_tags(description, json_object_get(root, "Tags"));
}

static void description_fini(struct secret_description *description)
{
	mem_free(description->arn);
	mem_free(description->name);
	mem_free(description->owning_service);
	for (size_t i = 0; i < description->version_count; i++) {
		for (size_t k = 0; k < description->versions[i].stage_count; k++)
			mem_free(description->versions[i].stages[k]);
		mem_free(description->versions[i].stages);
		mem_free(description->versions[i].id);
	}
	mem_free(description->versions);
	for (size_t i = 0; i < description->tag_count; i++) {
		mem_free((char *)description->tags[i].key);
		mem_free((char *)description->tags[i].value);
	}
	mem_free(description->tags);
	*description = (struct secret_description){ 0 };
}

const struct secret_version *secret_description_find(const struct secret_description *description, const char *stage)
{
	for (size_t i = 0; i < description->version_count; i++)
		for (size_t k = 0; k < description->versions[i].stage_count; k++)
			if (strcmp(description->versions[i].stages[k], stage) == 0)
				return &description->versions[i];
	return NULL;
}

const char *secret_description_tag(const struct secret_description *description, const char *key)
{
	for (size_t i = 0; i < description->tag_count; i++)
		if (strcmp(description->tags[i].key, key) == 0)
			return description->tags[i].value;
	return NULL;
}

/* --- Values --- */

static bool take_binary(struct secret_answer *answer, const char *encoded)
{
	size_t size = strlen(encoded);
	unsigned char *bytes = mem_alloc(size + 1);
	int decoded = size && size % 4 == 0 && size < INT_MAX
		? EVP_DecodeBlock(bytes, (const unsigned char *)encoded, (int)size) : -1;

	answer->text = (char *)bytes;
	answer->text_size = decoded > 0 ? (size_t)decoded : 0;
	for (size_t i = 1; i <= 2 && decoded > 0 && encoded[size - i] == '='; i++)
		answer->text_size--;
	bytes[answer->text_size] = '\0';
	return decoded > 0 || error_set(&answer->error, NULL, "SecretBinary is not what it should be");
}

static int64_t time_of(const json_t *root, const char *name)
{
	double seconds = json_number_value(json_object_get(root, name));

	return seconds > 0 && seconds < (double)INT32_MAX * 4 ? (int64_t)seconds : 0;
}

static bool take_value(struct secret_answer *answer, const json_t *root)
{
	const json_t *text = json_object_get(root, "SecretString");
	const char *binary = json_string_value(json_object_get(root, "SecretBinary"));

	answer->created_s = time_of(root, "CreatedDate");
	if (json_is_string(text)) {
		answer->text_size = json_string_length(text);
		answer->text = mem_alloc(answer->text_size + 1);
		memcpy(answer->text, json_string_value(text), answer->text_size);
		return true;
	}
	if (binary)
		return take_binary(answer, binary);
	return error_set(&answer->error, NULL, "the answer holds neither SecretString nor SecretBinary");
}

/* --- Answers --- */

bool secret_answer_take(struct secret_answer *answer, enum secret_operation operation, const json_t *root)
{
	answer->arn = text_of(root, "ARN");
	answer->version_id = text_of(root, "VersionId");
	if (operation == SECRET_DESCRIBE) {
		take_description(&answer->description, root);
		/* Whoever is in between may answer 200 with anything. */
		if (!answer->description.name && !answer->arn)
			return error_set(&answer->error, NULL, "the answer describes no secret");
	}
	return operation != SECRET_GET || take_value(answer, root);
}

void secret_answer_fini(struct secret_answer *answer)
{
	description_fini(&answer->description);
	if (answer->text)
		mem_wipe(answer->text, answer->text_size);
	mem_free(answer->text);
	mem_free(answer->arn);
	mem_free(answer->version_id);
	*answer = (struct secret_answer){ 0 };
}
