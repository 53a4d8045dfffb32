/* Settings that say where servers are: the hosts of a cluster, and the peers. */
#include <string.h>

#include "hosts.h"
#include "pgweir/mem.h"
#include "units.h"
#include "value.h"

static struct config_cluster *cluster_of(const void *field)
{
	return (struct config_cluster *)(void *)((char *)(uintptr_t)field - offsetof(struct config_cluster, hosts));
}

static void clear_hosts(const struct setting *setting, void *field)
{
	struct config_cluster *cluster = cluster_of(field);

	(void)setting;
	hosts_free(&cluster->hosts, &cluster->host_count);
}

static bool parse_hosts(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	struct config_cluster *cluster = cluster_of(field);

	(void)base;
	clear_hosts(setting, field);
	return hosts_parse(text, 5432, &cluster->hosts, &cluster->host_count, error);
}

static void format_hosts(const struct setting *setting, const void *field, struct buf *out)
{
	const struct config_cluster *cluster = cluster_of(field);

	(void)setting;
	hosts_format(cluster->hosts, cluster->host_count, out);
}

const struct value_type value_hosts = { "list of hosts", parse_hosts, format_hosts, clear_hosts };

static void clear_peer(const struct setting *setting, void *field)
{
	struct config_peer *peer = field;

	(void)setting;
	mem_free(peer->host);
	peer->host = NULL;
}

static bool parse_peer_word(const char *word, struct config_peer *peer, struct error *error)
{
	int64_t port;

	if (strncmp(word, "host=", 5) == 0 && word[5]) {
		mem_free(peer->host);
		peer->host = mem_strdup(word + 5);
		return true;
	}
	if (strncmp(word, "port=", 5) == 0 && units_parse_int(word + 5, &port) && port >= 1 && port <= 65535) {
		peer->port = (uint16_t)port;
		return true;
	}
	/* PgBouncer has it; pgweir's peers need no pool, since a cancel request is one short connection. */
	if (strncmp(word, "pool_size=", 10) == 0)
		return true;
	return error_set(error, NULL, "must have the form host=NAME port=NUMBER");
}

static bool parse_peer(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	struct error *error)
{
	struct config_peer *peer = field;
	char *copy = mem_strdup(text), *rest = NULL;
	bool ok = true;

	(void)base;
	clear_peer(setting, field);
	peer->port = 6432;
	for (char *word = strtok_r(copy, " \t", &rest); ok && word; word = strtok_r(NULL, " \t", &rest))
		ok = parse_peer_word(word, peer, error);
	if (ok && !peer->host)
		ok = error_set(error, NULL, "must have the form host=NAME port=NUMBER");
	mem_free(copy);
	return ok;
}

static void format_peer(const struct setting *setting, const void *field, struct buf *out)
{
	const struct config_peer *peer = field;

	(void)setting;
	if (peer->host)
		buf_printf(out, "host=%s port=%u", peer->host, peer->port);
}

const struct value_type value_peer = { "peer", parse_peer, format_peer, clear_peer };
