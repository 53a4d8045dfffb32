/* Failure story: a name that cannot be resolved at the moment leads where it did. */
#include "names.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "pgweir/mem.h"

/* What the resolver calls back with; outlives what is freed meanwhile. */
struct lookup {
	struct names *names;
};

struct names {
	struct loop *loop;
	const struct config_host *host;
	uint64_t every_ms;
	names_cb *moved;
	void *arg;
	char *address;                  /* NULL: none has been noted. */
	struct lookup *lookup;          /* Under way, or NULL. */
	struct loop_timer timer;
};

static void resolved(const struct resolver_answer *answer, void *arg)
{
	struct lookup *lookup = arg;
	struct names *names = lookup->names;

	mem_free(lookup);
	if (!names)
		return;
	names->lookup = NULL;
	loop_timer_start(&names->timer, names->every_ms);
	if (!names->address || answer->count == 0 || resolver_answer_has(answer, names->address))
		return;
	mem_free(names->address);
	names->address = NULL;
	names->moved(answer, names->arg);
}

static void look_up(void *arg)
{
	struct names *names = arg;

	if (names->lookup)
		return;
	names->lookup = NEW(struct lookup);
	names->lookup->names = names;
	resolver_lookup(names->loop, names->host->host, names->host->port, resolved, mem_free, names->lookup);
}

void names_note(struct names *names, const char *address)
{
	if (!names || !address)
		return;
	if (!names->address)
		names->address = mem_strdup(address);
	else if (strcmp(names->address, address) != 0)
		look_up(names);
}

static bool is_name(const char *host)
{
	struct in6_addr any;

	return *host != '/' && *host != '@' && inet_pton(AF_INET, host, &any) != 1 && inet_pton(AF_INET6, host, &any) != 1;
}

struct names *names_new(struct loop *loop, const struct config_host *host, uint64_t every_ms, names_cb *moved, void *arg)
{
	if (!is_name(host->host))
		return NULL;
	struct names *names = NEW(struct names);

	*names = (struct names){ .loop = loop, .host = host, .every_ms = every_ms, .moved = moved, .arg = arg };
	loop_timer_init(&names->timer, loop, look_up, names);
	loop_timer_start(&names->timer, every_ms);
	return names;
}

void names_free(struct names **names)
{
	struct names *gone = *names;

	*names = NULL;
	if (!gone)
		return;
	loop_timer_stop(&gone->timer);
	if (gone->lookup)
		gone->lookup->names = NULL;
	mem_free(gone->address);
	mem_free(gone);
}
