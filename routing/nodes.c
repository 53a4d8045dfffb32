#include "nodes.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "pgweir/check.h"

/* NULL is not there, and so is what does not fit. */
static void take_text(char *to, size_t size, const char *text)
{
	if (text && strlen(text) < size)
		snprintf(to, size, "%s", text);
}

static bool take_ms(uint64_t *us, const char *text)
{
	char *end;
	double ms = text ? strtod(text, &end) : -1;

	/* Beyond a year it is no time; this also keeps NaN out. */
	if (!text || end == text || !(ms >= 0 && ms < 3.2e10))
		return false;
	*us = (uint64_t)(ms * 1000);
	return true;
}

static bool is_true(const char *text)
{
	return text && (strcmp(text, "t") == 0 || strcmp(text, "true") == 0);
}

void nodes_add(struct nodes *nodes, const struct node_texts *texts)
{
	if (nodes->count == NODES_MAX || (!texts->id && !texts->host))
		return;
	struct node *node = &nodes->all[nodes->count++];
	unsigned long port = texts->port ? strtoul(texts->port, NULL, 10) : 0;

	*node = (struct node){ .self = is_true(texts->self), .port = port <= UINT16_MAX ? (uint16_t)port : 0 };
	take_text(node->id, sizeof(node->id), texts->id);
	take_text(node->host, sizeof(node->host), texts->host);
	node->writer = texts->session_id && strcmp(texts->session_id, "MASTER_SESSION_ID") == 0;
	node->tells_lag = take_ms(&node->lag_us, texts->lag_ms);
	/* The server's clocks may differ: a time in the future is now. */
	if (!take_ms(&node->age_us, texts->age_ms))
		node->age_us = 0;
}

const struct node *nodes_writer(const struct nodes *nodes)
{
	const struct node *found = NULL;

	for (size_t i = 0; i < nodes->count; i++)
		if (nodes->all[i].writer && (!found || nodes->all[i].age_us < found->age_us))
			found = &nodes->all[i];
	return found;
}

const struct node *nodes_self(const struct nodes *nodes)
{
	for (size_t i = 0; i < nodes->count; i++)
		if (nodes->all[i].self)
			return &nodes->all[i];
	return NULL;
}

/* What follows the first label, without what only endpoints of whole clusters have in front of it. */
static const char *domain_of(const char *host)
{
	static const char *const prefixes[] = { "proxy-", "cluster-ro-", "cluster-custom-", "cluster-", "shardgrp-" };
	const char *domain = strchr(host, '.');

	if (!domain || !strstr(host, ".amazonaws.") || (!strstr(host, ".rds.") && !strstr(host, ".rds-fips.")))
		return NULL;
	domain++;
	for (size_t i = 0; i < ARRAY_LEN(prefixes); i++)
		if (strncasecmp(domain, prefixes[i], strlen(prefixes[i])) == 0)
			return domain + strlen(prefixes[i]);
	return domain;
}

void nodes_place(struct nodes *nodes, const struct config_host *known)
{
	const char *domain = domain_of(known->host);

	for (size_t i = 0; i < nodes->count; i++) {
		struct node *node = &nodes->all[i];

		if (domain && !node->host[0] && node->id[0]) {
			char host[NODE_ID_MAX + NODE_HOST_MAX];

			snprintf(host, sizeof(host), "%s.%s", node->id, domain);
			take_text(node->host, sizeof(node->host), host);
		}
		if (node->host[0] && !node->port)
			node->port = known->port;
	}
}
