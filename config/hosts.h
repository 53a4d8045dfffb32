/* Lists of hosts: `a:5432, [::1]:5433*2, /run/postgresql, name`. */
#ifndef PGWEIR_HOSTS_H
#define PGWEIR_HOSTS_H

#include "pgweir/buf.h"
#include "pgweir/config.h"
#include "pgweir/error.h"

/* Yields at least one host, the caller's. A name with several colons and no brackets is an IPv6 address without port. */
bool hosts_parse(const char *text, uint16_t default_port, struct config_host **hosts, size_t *count,
	struct error *error) MUST_USE;
void hosts_free(struct config_host **hosts, size_t *count);
bool hosts_equal(const struct config_host *a, size_t a_count, const struct config_host *b, size_t b_count);
void hosts_format(const struct config_host *hosts, size_t count, struct buf *out);

#endif
