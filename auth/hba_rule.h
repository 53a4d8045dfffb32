/* One line of pg_hba.conf, as hba_parse.c makes it and hba.c matches it. */
#ifndef PGWEIR_HBA_RULE_H
#define PGWEIR_HBA_RULE_H

#include "auth_rules.h"
#include "hba.h"

enum hba_type { HBA_TYPE_LOCAL, HBA_TYPE_HOST, HBA_TYPE_HOSTSSL, HBA_TYPE_HOSTNOSSL, HBA_TYPE_HOSTNOGSSENC };

struct hba_address {
	bool all;
	int family;                     /* AF_INET or AF_INET6. */
	unsigned char bytes[16], mask[16];
};

struct hba_rule {
	enum hba_type type;
	struct auth_rules_field databases, users;
	struct hba_address address;
	struct hba_verdict verdict;
	char *map;
};

struct hba {
	struct hba_rule *rules;
	size_t count;
};

void hba_rule_fini(struct hba_rule *rule);

/* Takes databases and users out of `line`. False, and `why` says so: the line is wrong. */
bool hba_rule_parse(struct auth_rules_line *line, struct hba_rule *rule, char *why, size_t why_size) MUST_USE;

#endif
