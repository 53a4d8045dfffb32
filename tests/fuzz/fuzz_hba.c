/* Files in the form of pg_hba.conf and pg_ident.conf; what was understood is asked once. The first byte says which. */
#include <stdlib.h>
#include <string.h>

#include "hba.h"
#include "ident.h"
#include "pgweir/mem.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void drop_problems(struct config_problems *problems)
{
	for (size_t i = 0; i < problems->count; i++)
		mem_free(problems->texts[i]);
	mem_free(problems->texts);
}

static void rules(const char *text, size_t size)
{
	struct config_problems problems = { 0 };
	struct sockaddr_storage address = { .ss_family = AF_INET6 };
	struct hba_client client = { .database = "app", .user = "alice", .address = &address, .tls = true };
	struct hba_verdict verdict;
	struct hba *hba = hba_parse("hba", text, size, &problems);

	if (!hba != (problems.count > 0))
		abort();
	if (hba)
		(void)!hba_match(hba, &client, &verdict);
	hba_free(&hba);
	drop_problems(&problems);
}

static void map(const char *text, size_t size)
{
	struct config_problems problems = { 0 };
	struct ident *ident;

	/* The C library's regular expressions are not what is tried here, and may take for ever. */
	if (memchr(text, '/', size))
		return;
	ident = ident_parse("ident", text, size, &problems);
	if (!ident != (problems.count > 0))
		abort();
	(void)!ident_allows(ident, "map", "system", "alice");
	ident_free(&ident);
	drop_problems(&problems);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (size == 0)
		return 0;
	/* A copy of the exact size, so that reading beyond it is seen. */
	char *text = mem_dup(bytes + 1, size - 1);

	if (bytes[0] == 'm')
		map(text, size - 1);
	else
		rules(text, size - 1);
	mem_free(text);
	return 0;
}
