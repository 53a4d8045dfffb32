#include "hba.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>

#include "files.h"
#include "hba_rule.h"
#include "ident.h"
#include "pgweir/mem.h"

enum { HBA_RULES_MAX = 10000, HBA_WHY_SIZE = 256 };

void hba_free(struct hba **hba)
{
	struct hba *gone = *hba;

	*hba = NULL;
	if (!gone)
		return;
	for (size_t i = 0; i < gone->count; i++)
		hba_rule_fini(&gone->rules[i]);
	mem_free(gone->rules);
	mem_free(gone);
}

static void add_rule(struct hba *hba, struct auth_rules_line *line, const char *path, struct config_problems *problems)
{
	char why[HBA_WHY_SIZE];
	struct hba_rule rule = { 0 };

	if (line->problem) {
		files_problem(problems, path, line->number, "%s", line->problem);
		return;
	}
	if (!hba_rule_parse(line, &rule, why, sizeof(why))) {
		files_problem(problems, path, line->number, "%s", why);
		hba_rule_fini(&rule);
		return;
	}
	hba->rules = mem_realloc(hba->rules, (hba->count + 1) * sizeof(*hba->rules));
	hba->rules[hba->count++] = rule;
}

struct hba *hba_parse(const char *path, const char *text, size_t size, struct config_problems *problems)
{
	struct hba *hba = NEW(struct hba);
	struct auth_rules_line line;
	const char *at = text, *end = text + size;
	size_t before = problems->count;
	unsigned number = 0;

	while (auth_rules_next(&at, end, &number, &line)) {
		bool full = hba->count == HBA_RULES_MAX;

		if (full)
			files_problem(problems, path, line.number, "more than %d lines", HBA_RULES_MAX);
		else
			add_rule(hba, &line, path, problems);
		auth_rules_line_fini(&line);
		if (full)
			break;
	}
	if (problems->count > before)
		hba_free(&hba);
	return hba;
}

void hba_check_maps(const struct hba *hba, const char *path, const struct ident *ident, struct config_problems *problems)
{
	for (size_t i = 0; i < hba->count; i++) {
		const struct hba_verdict *verdict = &hba->rules[i].verdict;

		if (verdict->map && !ident_has(ident, verdict->map))
			files_problem(problems, path, verdict->line, "map \"%s\" is in no line of auth_ident_file", verdict->map);
	}
}

void hba_refuse_certificates(const struct hba *hba, const char *path, struct config_problems *problems)
{
	for (size_t i = 0; i < hba->count; i++) {
		const struct hba_verdict *verdict = &hba->rules[i].verdict;

		if (verdict->method == HBA_CERT || verdict->clientcert != HBA_CLIENTCERT_NONE)
			files_problem(problems, path, verdict->line,
				"certificates of clients can only be checked with client_tls_ca_file");
	}
}

/* --- Matching --- */

static bool type_fits(enum hba_type type, const struct hba_client *client)
{
	bool local = client->address->ss_family == AF_UNIX;

	switch (type) {
	case HBA_TYPE_LOCAL:
		return local;
	case HBA_TYPE_HOST:
	case HBA_TYPE_HOSTNOGSSENC:
		return !local;
	case HBA_TYPE_HOSTSSL:
		return !local && client->tls;
	case HBA_TYPE_HOSTNOSSL:
		return !local && !client->tls;
	}
	return false;
}

/* "replication" fits only such connections, and they fit nothing else, as in PostgreSQL. */
static bool database_fits(const struct auth_rules_word *word, const struct hba_client *client)
{
	if (auth_rules_is(word, "replication"))
		return client->replication;
	if (client->replication)
		return false;
	if (auth_rules_is(word, "all"))
		return true;
	if (auth_rules_is(word, "sameuser"))
		return strcmp(client->database, client->user) == 0;
	return strcmp(word->text, client->database) == 0;
}

static bool user_fits(const struct auth_rules_word *word, const struct hba_client *client)
{
	return auth_rules_is(word, "all") || strcmp(word->text, client->user) == 0;
}

static bool any_fits(const struct auth_rules_field *field, const struct hba_client *client,
	bool (*fits)(const struct auth_rules_word *word, const struct hba_client *client))
{
	for (size_t i = 0; i < field->count; i++)
		if (fits(&field->items[i], client))
			return true;
	return false;
}

static const unsigned char *address_bytes(const struct sockaddr_storage *address, size_t *size)
{
	if (address->ss_family == AF_INET) {
		*size = sizeof(struct in_addr);
		return (const unsigned char *)&((const struct sockaddr_in *)address)->sin_addr;
	}
	*size = sizeof(struct in6_addr);
	return (const unsigned char *)&((const struct sockaddr_in6 *)address)->sin6_addr;
}

static bool address_fits(const struct hba_address *wanted, const struct sockaddr_storage *address)
{
	size_t size;

	if (address->ss_family == AF_UNIX || wanted->all)
		return true;
	if (address->ss_family != wanted->family)
		return false;
	const unsigned char *bytes = address_bytes(address, &size);

	for (size_t i = 0; i < size; i++)
		if ((bytes[i] ^ wanted->bytes[i]) & wanted->mask[i])
			return false;
	return true;
}

bool hba_match(const struct hba *hba, const struct hba_client *client, struct hba_verdict *verdict)
{
	for (size_t i = 0; i < hba->count; i++) {
		const struct hba_rule *rule = &hba->rules[i];

		if (!type_fits(rule->type, client) || !address_fits(&rule->address, client->address) ||
			!any_fits(&rule->databases, client, database_fits) || !any_fits(&rule->users, client, user_fits))
			continue;
		*verdict = rule->verdict;
		return true;
	}
	return false;
}

void hba_address_text(const struct sockaddr_storage *address, char *text, size_t size)
{
	size_t address_size;

	snprintf(text, size, "[local]");
	if (address->ss_family != AF_UNIX)
		inet_ntop(address->ss_family, address_bytes(address, &address_size), text, (socklen_t)size);
}
