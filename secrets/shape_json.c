/* JSON, read with jansson. What it allocates is wiped when it is freed; what it says about errors is not repeated, since
 * it quotes the text. */
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "pgweir/mem.h"
#include "pgweir/secrets.h"
#include "shape.h"
#include "wiped_memory.h"

void secrets_json_prepare(void)
{
	wiped_memory_install();
}

/* --- Members --- */

static bool take_member(struct lease_value *value, const json_t *object, const char *name, struct error *error)
{
	const json_t *member = json_object_get(object, name);
	char digits[24];

	bool empty = json_is_string(member) && json_string_length(member) == 0 && strcmp(name, "password") != 0;

	if (!member || json_is_null(member) || empty)
		return true;
	if (json_is_string(member))
		return shape_take_field(value, name, json_string_value(member), json_string_length(member), error);
	if (!json_is_integer(member) || strcmp(name, "port") != 0)
		return error_set(error, NULL, "member \"%s\" is not a text", name);
	int size = snprintf(digits, sizeof(digits), "%lld", (long long)json_integer_value(member));

	return shape_take_field(value, name, digits, (size_t)size, error);
}

static bool take_members(struct lease_value *value, const json_t *object, struct error *error)
{
	for (size_t i = 0; i < shape_field_count; i++)
		if (!take_member(value, object, shape_fields[i], error))
			return false;
	return true;
}

/* A URL that cannot be read is no harm where its parts are there by themselves. */
static bool take_url(struct lease_value *value, const json_t *object, struct error *error)
{
	for (size_t i = 0; i < shape_url_field_count; i++) {
		const json_t *member = json_object_get(object, shape_url_fields[i]);

		if (!json_is_string(member))
			continue;
		if (shape_take_url(value, json_string_value(member), json_string_length(member), error) || value->password)
			return true;
		return error_prepend(error, "member \"%s\"", shape_url_fields[i]);
	}
	return true;
}

/* --- json_key --- */

struct place {
	const json_t *around, *member;          /* The object, and what json_key names in it. */
};

/* The name as it stands, else its first part up to a dot and the rest within that. */
static struct place find(const json_t *object, const char *key)
{
	struct place place = { object, json_object_get(object, key) };
	const char *dot = strchr(key, '.');

	while (!place.member && dot) {
		char *head = mem_strndup(key, (size_t)(dot - key));

		object = json_object_get(object, head);
		mem_free(head);
		if (!json_is_object(object))
			break;
		key = dot + 1;
		dot = strchr(key, '.');
		place = (struct place){ object, json_object_get(object, key) };
	}
	return place;
}

/* The member itself counts first; what it leaves open is taken from the object around it. */
static bool take_text(struct lease_value *value, const json_t *member, struct error *error)
{
	const char *text = json_string_value(member);
	size_t size = json_string_length(member);

	return shape_is_url(text, size) ? shape_take_url(value, text, size, error)
		: shape_take_field(value, "password", text, size, error);
}

static bool take_object(struct lease_value *value, const json_t *root, const char *json_key, struct error *error)
{
	struct place place = { root, NULL };

	if (json_key) {
		place = find(root, json_key);
		if (json_is_object(place.member))
			place.around = place.member;
		else if (!json_is_string(place.member))
			return error_set(error, NULL, "has no member \"%s\" that is a text or an object", json_key);
		else if (!take_text(value, place.member, error))
			return error_prepend(error, "member \"%s\"", json_key);
	}
	return take_members(value, place.around, error) && take_url(value, place.around, error);
}

bool shape_take_json(struct lease_value *value, const char *text, size_t size, const char *json_key, struct error *error)
{
	json_error_t where;

	wiped_memory_install();
	json_t *root = json_loadb(text, size, JSON_REJECT_DUPLICATES, &where);
	bool good = root != NULL;

	if (!root)
		error_set(error, NULL, "is not JSON as a whole: line %d, column %d", where.line, where.column);
	else if (!json_is_object(root))
		good = error_set(error, NULL, "is JSON, but not an object");
	good = good && take_object(value, root, json_key, error);
	json_decref(root);
	/* jansson keeps a piece of the text here. */
	mem_wipe(&where, sizeof(where));
	return good;
}
