/* What AWS answers, or somebody in its place: credentials as XML and as JSON, descriptions and values of secrets. The first
 * byte says which. What comes out is complete or nothing at all. */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "aws_chain.h"
#include "aws_keys.h"
#include "pgweir/mem.h"
#include "secret_answer.h"
#include "wiped_memory.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_keys(struct aws_keys *keys, const struct error *error)
{
	if (keys ? !keys->access_key_id || !keys->secret_access_key : !error->text[0])
		abort();
	aws_keys_unref(&keys);
}

static void check_answer(const char *text, size_t size, enum secret_operation operation)
{
	struct secret_answer answer = { 0 };
	json_t *root = json_loadb(text, size, 0, NULL);

	if (json_is_object(root)) {
		bool good = secret_answer_take(&answer, operation, root);

		if (!good && !answer.error.text[0])
			abort();
		if (good && operation == SECRET_GET && !answer.text)
			abort();
		(void)secret_description_find(&answer.description, "AWSCURRENT");
		(void)secret_description_tag(&answer.description, "k");
	}
	secret_answer_fini(&answer);
	json_decref(root);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct error error = { 0 };

	if (size == 0)
		return 0;
	wiped_memory_install();
	/* A copy of the exact size, so that reading beyond it is seen. */
	char *text = mem_dup(bytes + 1, size - 1);

	switch (bytes[0] % 5) {
	case 0:
		check_keys(aws_keys_of_xml(text, size - 1, &error), &error);
		break;
	case 1:
		check_keys(aws_keys_of_json(text, size - 1, &error), &error);
		break;
	case 2:
		check_answer(text, size - 1, SECRET_DESCRIBE);
		break;
	case 3:
		check_answer(text, size - 1, SECRET_GET);
		break;
	default: {
		char *time = mem_strndup(text, size - 1);

		(void)aws_parse_time(time);
		mem_free(time);
	}
	}
	mem_free(text);
	return 0;
}
