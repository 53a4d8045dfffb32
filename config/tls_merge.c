#include "tls_merge.h"

#include <string.h>
#include <strings.h>

#include "pgweir/mem.h"

void tls_copy(struct config_tls *to, const struct config_tls *from)
{
	*to = (struct config_tls){
		.sslmode = from->sslmode,
		.ca_file = mem_strdup(from->ca_file),
		.cert_file = mem_strdup(from->cert_file),
		.key_file = mem_strdup(from->key_file),
		.key_secret = mem_strdup(from->key_secret),
		.ciphers = mem_strdup(from->ciphers),
		.ciphers13 = mem_strdup(from->ciphers13),
		.protocols = mem_strdup(from->protocols),
	};
}

static bool same(const char *a, const char *b)
{
	return a && b ? strcmp(a, b) == 0 : a == b;
}

bool tls_equal(const struct config_tls *a, const struct config_tls *b)
{
	return a->sslmode == b->sslmode && same(a->ca_file, b->ca_file) && same(a->cert_file, b->cert_file)
		&& same(a->key_file, b->key_file) && same(a->key_secret, b->key_secret) && same(a->ciphers, b->ciphers)
		&& same(a->ciphers13, b->ciphers13) && same(a->protocols, b->protocols);
}

bool tls_is_rds(const struct config_host *hosts, size_t count)
{
	static const char *const suffixes[] = { ".rds.amazonaws.com", ".rds.amazonaws.com.cn" };

	for (size_t i = 0; i < count; i++) {
		for (size_t j = 0; j < ARRAY_LEN(suffixes); j++) {
			size_t size = strlen(hosts[i].host), tail = strlen(suffixes[j]);

			if (size > tail && strcasecmp(hosts[i].host + size - tail, suffixes[j]) == 0)
				return true;
		}
	}
	return false;
}
