/* A connection string of libpq (postgresql://… or "host=… dbname=…") taken apart. Nothing is connected to. */
#ifndef PGWEIR_PGCLIENT_URL_H
#define PGWEIR_PGCLIENT_URL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "pgweir/check.h"
#include "pgweir/error.h"

enum { PGCLIENT_URL_HOSTS_MAX = 32 };

/* Each but the hosts may be NULL where it is not said. */
struct pgclient_url {
	struct {
		char *host;
		uint16_t port;
	} hosts[PGCLIENT_URL_HOSTS_MAX];        /* At least one: localhost:5432 where none is said. */
	size_t host_count;
	char *user, *password, *dbname, *sslmode, *ssl_ca_file, *ssl_cert_file, *ssl_key_file;
};

/* The error never shows a part of the string, which may be a password. */
bool pgclient_url_parse(struct pgclient_url *url, const char *text, struct error *error) MUST_USE;
void pgclient_url_fini(struct pgclient_url *url);       /* Wipes. */

#endif
