#include <arpa/inet.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "hba_rule.h"
#include "pgweir/mem.h"

/* A line on its way to become a rule; `at` is the next field. */
struct parse {
	struct auth_rules_line *line;
	struct hba_rule *rule;
	size_t at;
	char *why;
	size_t why_size;
};

static bool wrong(struct parse *parse, const char *format, ...) PRINTF_LIKE(2, 3);

static bool wrong(struct parse *parse, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(parse->why, parse->why_size, format, args);
	va_end(args);
	return false;
}

static void field_fini(struct auth_rules_field *field)
{
	for (size_t i = 0; i < field->count; i++)
		mem_free(field->items[i].text);
	mem_free(field->items);
}

void hba_rule_fini(struct hba_rule *rule)
{
	field_fini(&rule->databases);
	field_fini(&rule->users);
	mem_free(rule->map);
}

/* The next field, or NULL. */
static struct auth_rules_field *next_field(struct parse *parse)
{
	return parse->at < parse->line->count ? &parse->line->fields[parse->at++] : NULL;
}

/* The next field where no list is possible, or NULL with `why` set. */
static const struct auth_rules_word *next_word(struct parse *parse, const char *what)
{
	const struct auth_rules_field *field = next_field(parse);

	if (!field) {
		wrong(parse, "the line ends before its %s", what);
		return NULL;
	}
	if (field->count > 1) {
		wrong(parse, "a list is not possible as %s", what);
		return NULL;
	}
	return &field->items[0];
}

static bool parse_type(struct parse *parse)
{
	static const char *const names[] = {
		[HBA_TYPE_LOCAL] = "local",
		[HBA_TYPE_HOST] = "host",
		[HBA_TYPE_HOSTSSL] = "hostssl",
		[HBA_TYPE_HOSTNOSSL] = "hostnossl",
		[HBA_TYPE_HOSTNOGSSENC] = "hostnogssenc",
	};
	const struct auth_rules_word *word = next_word(parse, "connection type");

	if (!word)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(names); i++) {
		if (strcmp(word->text, names[i]) != 0)
			continue;
		parse->rule->type = (enum hba_type)i;
		return true;
	}
	if (strcmp(word->text, "hostgssenc") == 0)
		return wrong(parse, "hostgssenc: there are no connections that are encrypted with GSSAPI");
	return wrong(parse, "invalid connection type \"%s\": local, host, hostssl, hostnossl or hostnogssenc expected", word->text);
}

/* Words with a meaning in PostgreSQL that a proxy cannot give them are better refused than never matched. */
static bool check_name(struct parse *parse, const struct auth_rules_word *word, const char *what)
{
	/* Quotes do not take this meaning away: PostgreSQL 16 and later need them for a comma. */
	if (word->text[0] == '/')
		return wrong(parse, "%s \"%s\": regular expressions are not supported here", what, word->text);
	if (word->quoted)
		return true;
	if (word->text[0] == '+' || strcmp(word->text, "samerole") == 0 || strcmp(word->text, "samegroup") == 0)
		return wrong(parse, "%s \"%s\": memberships in roles are not known to pgweir; name the users", what, word->text);
	if (word->text[0] == '@')
		return wrong(parse, "%s \"%s\": names from files are not supported", what, word->text);
	return true;
}

static bool take_names(struct parse *parse, struct auth_rules_field *names, const char *what)
{
	struct auth_rules_field *field = next_field(parse);

	if (!field)
		return wrong(parse, "the line ends before its %s", what);
	*names = *field;
	*field = (struct auth_rules_field){ 0 };
	for (size_t i = 0; i < names->count; i++)
		if (!check_name(parse, &names->items[i], what))
			return false;
	return true;
}

/* --- Addresses --- */

static size_t address_size(int family)
{
	return family == AF_INET ? sizeof(struct in_addr) : sizeof(struct in6_addr);
}

static bool parse_bytes(const char *text, int *family, unsigned char bytes[16])
{
	*family = strchr(text, ':') ? AF_INET6 : AF_INET;
	return inet_pton(*family, text, bytes) == 1;
}

static void mask_from_bits(unsigned char mask[16], unsigned bits)
{
	for (unsigned i = 0; i < 16; i++) {
		unsigned here = bits > i * 8 ? bits - i * 8 : 0;

		mask[i] = (unsigned char)(here >= 8 ? 0xff : 0xff00u >> here);
	}
}

static bool parse_bits(struct parse *parse, const char *text)
{
	struct hba_address *address = &parse->rule->address;
	char *end;
	unsigned long bits = strtoul(text, &end, 10);

	if (text[0] < '0' || text[0] > '9' || *end || bits > address_size(address->family) * 8)
		return wrong(parse, "invalid mask length \"%s\"", text);
	mask_from_bits(address->mask, (unsigned)bits);
	return true;
}

static bool parse_mask(struct parse *parse)
{
	struct hba_address *address = &parse->rule->address;
	const struct auth_rules_word *word = next_word(parse, "netmask (or write the address as address/bits)");
	int family;

	if (!word)
		return false;
	if (!parse_bytes(word->text, &family, address->mask))
		return wrong(parse, "invalid IP mask \"%s\"", word->text);
	if (family != address->family)
		return wrong(parse, "IP address and mask do not match");
	return true;
}

static bool parse_address(struct parse *parse)
{
	struct hba_address *address = &parse->rule->address;
	const struct auth_rules_word *word = next_word(parse, "address");

	if (!word)
		return false;
	if (auth_rules_is(word, "all")) {
		address->all = true;
		return true;
	}
	if (auth_rules_is(word, "samehost") || auth_rules_is(word, "samenet"))
		return wrong(parse, "%s is not supported: write the addresses", word->text);

	char *text = mem_strdup(word->text);
	char *slash = strchr(text, '/');

	if (slash)
		*slash = '\0';
	bool known = parse_bytes(text, &address->family, address->bytes);
	bool done = !known ? wrong(parse, "invalid IP address \"%s\" (names of hosts are not supported)", word->text) :
		slash ? parse_bits(parse, slash + 1) : parse_mask(parse);
	mem_free(text);
	return done;
}

/* --- Method and options --- */

static const struct {
	const char *name;
	enum hba_method method;
} methods[] = {
	{ "trust", HBA_TRUST }, { "reject", HBA_REJECT }, { "password", HBA_PLAIN }, { "plain", HBA_PLAIN },
	{ "md5", HBA_MD5 }, { "scram-sha-256", HBA_SCRAM }, { "cert", HBA_CERT }, { "peer", HBA_PEER },
};

static bool check_method(struct parse *parse)
{
	enum hba_method method = parse->rule->verdict.method;

	if (method == HBA_PEER && parse->rule->type != HBA_TYPE_LOCAL)
		return wrong(parse, "peer authentication is only supported on local sockets");
	if (method == HBA_CERT && parse->rule->type != HBA_TYPE_HOSTSSL)
		return wrong(parse, "cert authentication is only supported on hostssl connections");
	return true;
}

static bool parse_method(struct parse *parse)
{
	const struct auth_rules_word *word = next_word(parse, "authentication method");

	if (!word)
		return false;
	for (size_t i = 0; i < ARRAY_LEN(methods); i++) {
		if (strcmp(word->text, methods[i].name) != 0)
			continue;
		parse->rule->verdict.method = methods[i].method;
		return check_method(parse);
	}
	return wrong(parse, "authentication method \"%s\" is not supported: trust, reject, password, md5, scram-sha-256, cert "
		"or peer expected", word->text);
}

static bool set_map(struct parse *parse, const char *value)
{
	struct hba_verdict *verdict = &parse->rule->verdict;

	if (verdict->method != HBA_CERT && verdict->method != HBA_PEER)
		return wrong(parse, "option map is only possible with cert and peer");
	mem_free(parse->rule->map);
	parse->rule->map = mem_strdup(value);
	verdict->map = parse->rule->map;
	return true;
}

static bool set_clientcert(struct parse *parse, const char *value)
{
	struct hba_verdict *verdict = &parse->rule->verdict;

	if (parse->rule->type != HBA_TYPE_HOSTSSL)
		return wrong(parse, "option clientcert is only possible in hostssl lines");
	/* `cert` checks the name, by the map where there is one. */
	if (verdict->method == HBA_CERT)
		return strcmp(value, "verify-full") == 0 || wrong(parse, "clientcert can only be verify-full with cert");
	if (strcmp(value, "verify-ca") == 0)
		verdict->clientcert = HBA_CLIENTCERT_VERIFY_CA;
	else if (strcmp(value, "verify-full") == 0)
		verdict->clientcert = HBA_CLIENTCERT_VERIFY_FULL;
	else
		return wrong(parse, "invalid value for clientcert: \"%s\"", value);
	return true;
}

static bool parse_option(struct parse *parse)
{
	const struct auth_rules_word *word = next_word(parse, "option");

	if (!word)
		return false;
	if (strncmp(word->text, "map=", 4) == 0)
		return set_map(parse, word->text + 4);
	if (strncmp(word->text, "clientcert=", 11) == 0)
		return set_clientcert(parse, word->text + 11);
	return wrong(parse, "option \"%s\" is not supported: map=… or clientcert=… expected", word->text);
}

bool hba_rule_parse(struct auth_rules_line *line, struct hba_rule *rule, char *why, size_t why_size)
{
	struct parse parse = { .line = line, .rule = rule, .why = why, .why_size = why_size };

	rule->verdict.line = line->number;
	if (!parse_type(&parse) || !take_names(&parse, &rule->databases, "database") ||
		!take_names(&parse, &rule->users, "user"))
		return false;
	if (rule->type != HBA_TYPE_LOCAL && !parse_address(&parse))
		return false;
	if (!parse_method(&parse))
		return false;
	while (parse.at < line->count)
		if (!parse_option(&parse))
			return false;
	return true;
}
