/* auth_file. No problem's text may repeat what could be a secret. */
#include <stdlib.h>
#include <string.h>

#include "pgweir/mem.h"
#include "userlist.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct config_problems problems = { 0 };
	struct userlist userlist = { 0 };
	/* A copy of the exact size, so that reading beyond it is seen. */
	char *text = mem_dup(bytes, size);

	userlist_parse(&userlist, "users", text, size, &problems);
	(void)userlist_find(&userlist, "alice");
	userlist_fini(&userlist);
	for (size_t i = 0; i < problems.count; i++) {
		if (strlen(problems.texts[i]) > 100)
			abort();
		mem_free(problems.texts[i]);
	}
	mem_free(problems.texts);
	mem_free(text);
	return 0;
}
