#include "pgweir/pgclient_url.h"

#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/mem.h"

enum { PORT_DEFAULT = 5432 };

static const char *option(const PQconninfoOption *options, const char *keyword)
{
	for (; options->keyword; options++)
		if (strcmp(options->keyword, keyword) == 0)
			return options->val && *options->val ? options->val : NULL;
	return NULL;
}

/* The i-th item of a list, or the only one; NULL where it is empty. */
static char *item_at(const char *list, size_t i)
{
	bool several = list && strchr(list, ',');

	for (; several && i && list; i--) {
		list = strchr(list, ',');
		list = list ? list + 1 : NULL;
	}
	size_t size = list ? strcspn(list, ",") : 0;

	return size ? mem_strndup(list, size) : NULL;
}

static size_t item_count(const char *list)
{
	size_t count = 1;

	for (; list && *list; list++)
		count += *list == ',';
	return count;
}

static bool read_port(const char *text, uint16_t *port)
{
	char *end;
	unsigned long value = text ? strtoul(text, &end, 10) : PORT_DEFAULT;

	*port = (uint16_t)value;
	return value >= 1 && value <= UINT16_MAX && (!text || *end == '\0');
}

/* Where hostaddr is given, that is what is connected to; host is the name in the certificate then, which is lost here. */
static bool read_hosts(struct pgclient_url *url, const PQconninfoOption *options, struct error *error)
{
	const char *hosts = option(options, "host") ? option(options, "host") : option(options, "hostaddr");
	const char *ports = option(options, "port");
	size_t count = item_count(hosts);

	if (count > PGCLIENT_URL_HOSTS_MAX)
		return error_set(error, NULL, "the URL has more than %d hosts", PGCLIENT_URL_HOSTS_MAX);
	for (size_t i = 0; i < count; i++) {
		char *port = item_at(ports, i);
		bool good = read_port(port, &url->hosts[i].port);

		mem_free(port);
		url->hosts[i].host = item_at(hosts, i);
		if (!url->hosts[i].host)
			url->hosts[i].host = mem_strdup("localhost");
		url->host_count++;
		if (!good)
			return error_set(error, NULL, "a port in the URL is not a number from 1 to 65535");
	}
	return true;
}

bool pgclient_url_parse(struct pgclient_url *url, const char *text, struct error *error)
{
	char *why = NULL;
	PQconninfoOption *options = PQconninfoParse(text, &why);

	*url = (struct pgclient_url){ 0 };
	PQfreemem(why);
	if (!options)
		return error_set(error, NULL, "the URL cannot be parsed; its form is postgresql://user:password@host:port/dbname, with "
			"signs such as @ and / in the password as %%40 and %%2F");
	bool good = read_hosts(url, options, error);

	url->user = mem_strdup(option(options, "user"));
	url->password = mem_secret_dup(option(options, "password"));
	url->dbname = mem_strdup(option(options, "dbname"));
	url->sslmode = mem_strdup(option(options, "sslmode"));
	url->ssl_ca_file = mem_strdup(option(options, "sslrootcert"));
	url->ssl_cert_file = mem_strdup(option(options, "sslcert"));
	url->ssl_key_file = mem_strdup(option(options, "sslkey"));
	PQconninfoFree(options);
	return good;
}

void pgclient_url_fini(struct pgclient_url *url)
{
	for (size_t i = 0; i < url->host_count; i++)
		mem_free(url->hosts[i].host);
	mem_free(url->user);
	mem_secret_free(url->password);
	mem_free(url->dbname);
	mem_free(url->sslmode);
	mem_free(url->ssl_ca_file);
	mem_free(url->ssl_cert_file);
	mem_free(url->ssl_key_file);
	*url = (struct pgclient_url){ 0 };
}
