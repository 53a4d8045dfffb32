/* auth_hba_file: which clients may log in to what, and how, in the form of PostgreSQL's pg_hba.conf.
 *
 * The first line whose type, database, user and address fit decides. Not there: hostgssenc, names of hosts, samehost and samenet,
 * memberships (+role, samerole), regular expressions, and files in files; each is refused with a clear text. */
#ifndef PGWEIR_HBA_H
#define PGWEIR_HBA_H

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>

#include "pgweir/config.h"

enum hba_method {
	HBA_TRUST,
	HBA_REJECT,
	HBA_PLAIN,
	HBA_MD5,
	HBA_SCRAM,
	HBA_CERT,
	HBA_PEER,
};

enum hba_clientcert { HBA_CLIENTCERT_NONE, HBA_CLIENTCERT_VERIFY_CA, HBA_CLIENTCERT_VERIFY_FULL };

/* What a matching line asks for. */
struct hba_verdict {
	enum hba_method method;
	const char *map;                /* NULL: the names must be equal. Lives as long as the rules. */
	enum hba_clientcert clientcert;
	unsigned line;
};

struct hba_client {
	const char *database, *user;
	const struct sockaddr_storage *address;         /* AF_UNIX: local. */
	bool tls;
	bool replication;
};

struct hba;
struct ident;

/* NULL after at least one problem. */
struct hba *hba_parse(const char *path, const char *text, size_t size, struct config_problems *problems) MUST_USE;
void hba_free(struct hba **hba);                        /* NULL is fine. */

/* A problem for each line whose map `ident` does not have: such a line lets nobody in. `ident` may be NULL: no map is there. */
void hba_check_maps(const struct hba *hba, const char *path, const struct ident *ident, struct config_problems *problems);

/* A problem for each line that asks for a client's certificate. */
void hba_refuse_certificates(const struct hba *hba, const char *path, struct config_problems *problems);

/* False: no line fits. */
bool hba_match(const struct hba *hba, const struct hba_client *client, struct hba_verdict *verdict) MUST_USE;

/* "[local]" for a Unix socket. */
void hba_address_text(const struct sockaddr_storage *address, char *text, size_t size);

#endif
