#include "hosts.h"

#include <string.h>
#include <strings.h>

#include "pgweir/mem.h"
#include "units.h"

enum { HOSTS_MAX = 256, WEIGHT_MAX = 1000 };

static bool is_folder(const char *host)
{
	return *host == '/' || *host == '@';
}

/* Cuts `*N` off the end of `item`. */
static bool take_weight(char *item, unsigned *weight, struct error *error)
{
	char *star = strrchr(item, '*');
	int64_t value;

	*weight = 1;
	if (!star)
		return true;
	if (!units_parse_int(star + 1, &value) || value < 0 || value > WEIGHT_MAX)
		return error_set(error, NULL, "the weight of \"%s\" is not a number from 0 to %d", item, WEIGHT_MAX);
	*weight = (unsigned)value;
	*star = '\0';
	return true;
}

/* Cuts `:port` off the end; the colons inside an IPv6 address do not count. */
static bool take_port(char *item, uint16_t default_port, uint16_t *port, struct error *error)
{
	char *bracket = *item == '[' ? strchr(item, ']') : NULL;
	char *colon = strrchr(item, ':');
	int64_t value;

	*port = default_port;
	if (*item == '[' && !bracket)
		return error_set(error, NULL, "\"%s\" lacks its closing bracket", item);
	if (bracket && bracket[1] != ':' && bracket[1] != '\0')
		return error_set(error, NULL, "\"%s\": only a port may follow the bracket", item);
	bool has_port = bracket ? bracket[1] == ':' : colon && strchr(item, ':') == colon;

	if (!has_port)
		return true;
	if (!units_parse_int(colon + 1, &value) || value < 1 || value > 65535)
		return error_set(error, NULL, "the port of \"%s\" is not a number from 1 to 65535", item);
	*port = (uint16_t)value;
	*colon = '\0';
	return true;
}

static bool parse_one(char *item, uint16_t default_port, struct config_host *host, struct error *error)
{
	if (!take_weight(item, &host->weight, error) || !take_port(item, default_port, &host->port, error))
		return false;
	size_t size = strlen(item);

	if (*item == '[' && size > 1 && item[size - 1] == ']') {
		item[size - 1] = '\0';
		item++;
	}
	if (!*item)
		return error_set(error, NULL, "a host's name is empty");
	if (!is_folder(item) && strpbrk(item, " \t/[]*"))
		return error_set(error, NULL, "\"%s\" is not a host: separate hosts by commas", item);
	host->host = mem_strdup(item);
	return true;
}

static bool is_double(const struct config_host *hosts, size_t count, const struct config_host *host)
{
	for (size_t i = 0; i < count; i++)
		if (hosts[i].port == host->port && strcasecmp(hosts[i].host, host->host) == 0)
			return true;
	return false;
}

bool hosts_parse(const char *text, uint16_t default_port, struct config_host **hosts, size_t *count, struct error *error)
{
	struct config_host *list = NEW_ARRAY(struct config_host, HOSTS_MAX);
	const char *rest = text;
	size_t found = 0;
	bool ok = true;

	for (char *item; ok && (item = config_list_next(&rest)) != NULL; mem_free(item)) {
		if (found == HOSTS_MAX) {
			ok = error_set(error, NULL, "there are more than %d hosts", HOSTS_MAX);
			continue;
		}
		ok = parse_one(item, default_port, &list[found], error);
		if (ok && is_double(list, found, &list[found]))
			ok = error_set(error, NULL, "host \"%s\" stands twice in the list", list[found].host);
		found += list[found].host != NULL;
	}
	if (ok && found == 0)
		ok = error_set(error, NULL, "there is no host");
	if (!ok) {
		hosts_free(&list, &found);
		return false;
	}
	*hosts = mem_realloc(list, found * sizeof(*list));
	*count = found;
	return true;
}

bool hosts_equal(const struct config_host *a, size_t a_count, const struct config_host *b, size_t b_count)
{
	if (a_count != b_count)
		return false;
	for (size_t i = 0; i < a_count; i++)
		if (a[i].port != b[i].port || a[i].weight != b[i].weight || strcmp(a[i].host, b[i].host) != 0)
			return false;
	return true;
}

void hosts_free(struct config_host **hosts, size_t *count)
{
	for (size_t i = 0; *hosts && i < *count; i++)
		mem_free((*hosts)[i].host);
	mem_free(*hosts);
	*hosts = NULL;
	*count = 0;
}

/* host:port, brackets where needed. */
static void format_one(const struct config_host *host, struct buf *out)
{
	buf_printf(out, strchr(host->host, ':') ? "[%s]:%u" : "%s:%u", host->host, host->port);
}

void hosts_format(const struct config_host *hosts, size_t count, struct buf *out)
{
	for (size_t i = 0; i < count; i++) {
		buf_append_text(out, i ? ", " : "");
		format_one(&hosts[i], out);
		if (hosts[i].weight != 1)
			buf_printf(out, "*%u", hosts[i].weight);
	}
}
