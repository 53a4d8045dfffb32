#include "discovery.h"

#include <string.h>
#include <strings.h>

#include "pgweir/map.h"
#include "pgweir/mem.h"

static struct map hosts;        /* By "host:port": struct config_host. */

const struct config_host *discovery_host(const char *name, uint16_t port)
{
	char *key = mem_printf("%s:%u", name, (unsigned)port);
	struct config_host *host = map_get_text(&hosts, key);

	if (!host) {
		host = NEW(struct config_host);
		*host = (struct config_host){ .host = mem_strdup(name), .port = port, .weight = 1 };
		map_put_text(&hosts, key, host);
	}
	mem_free(key);
	return host;
}

static bool free_host(const void *key, size_t size, void *value, void *arg)
{
	struct config_host *host = value;

	(void)key, (void)size, (void)arg;
	mem_free(host->host);
	mem_free(host);
	return true;
}

void discovery_stop(void)
{
	map_foreach(&hosts, free_host, NULL);
	map_fini(&hosts);
}

static bool is_configured(const struct config_cluster *cluster, const struct node *node)
{
	for (size_t i = 0; i < cluster->host_count; i++)
		if (cluster->hosts[i].port == node->port && strcasecmp(cluster->hosts[i].host, node->host) == 0)
			return true;
	return false;
}

static bool is_among(const struct config_host *const *found, size_t count, const struct config_host *host)
{
	for (size_t i = 0; i < count; i++)
		if (found[i] == host)
			return true;
	return false;
}

size_t discovery_find(const struct nodes *nodes, const struct config_cluster *cluster, const struct config_host **found,
	size_t max)
{
	size_t count = 0;

	for (size_t i = 0; i < nodes->count && count < max; i++) {
		const struct node *node = &nodes->all[i];

		if (!node->host[0] || !node->port || is_configured(cluster, node))
			continue;
		const struct config_host *host = discovery_host(node->host, node->port);

		if (!is_among(found, count, host))
			found[count++] = host;
	}
	return count;
}
