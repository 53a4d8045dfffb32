/* The files that a configuration names, looked at as a start does.
 *
 * Failure story: where a file is missing nothing is said about those it belongs to but that. It may be where pgweir will
 * run, and this may be somewhere else. The same goes for keys whose passphrase comes over the network: their secret is not
 * read, and they are not looked at. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "pgweir/authenticator.h"
#include "pgweir/control.h"
#include "pgweir/key_passphrase.h"
#include "pgweir/lease.h"
#include "pgweir/mem.h"
#include "pgweir/secrets.h"
#include "pgweir/server.h"

static bool is_there(const char *path, struct config_problems *problems)
{
	if (!path || !*path || access(path, F_OK) == 0)
		return true;
	char *text = mem_printf("%s: %s", path, strerror(errno));

	config_problems_warn(problems, text);
	mem_free(text);
	return false;
}

static bool tls_is_there(const struct config_tls *tls, struct config_problems *problems)
{
	bool authority = is_there(tls->ca_file, problems);
	bool certificate = is_there(tls->cert_file, problems);
	bool key = is_there(tls->key_file, problems);

	return authority && certificate && key;
}

static bool check_users(const struct config *config, struct config_problems *problems)
{
	bool users = is_there(config->auth_file, problems);
	bool rules = is_there(config->auth_hba_file, problems);
	bool names = is_there(config->auth_ident_file, problems);

	return !users || !rules || !names || auth_check(config, problems);
}

static bool check_clients(const struct config *config, struct config_problems *problems)
{
	if (config->client_tls.sslmode != SSLMODE_DISABLE && !tls_is_there(&config->client_tls, problems))
		return true;
	return login_check(config, problems);
}

/* Databases mostly share theirs; what is wrong is said once. */
static bool check_servers(const struct config *config, struct config_problems *problems)
{
	size_t before = problems->count, warnings = problems->warning_count;
	struct error error, last = { 0 };

	for (size_t i = 0; i < config->database_count; i++) {
		const struct config_tls *tls = &config->databases[i].server_tls;

		if (tls->sslmode == SSLMODE_DISABLE || key_passphrase_is_awaited(tls) || problems->warning_count > warnings || !tls_is_there(tls, problems)
		    || server_tls_check(tls, &error) || strcmp(error.text, last.text) == 0)
			continue;
		last = error;
		error_prepend(&error, "server_tls");
		config_problems_add(problems, error.text);
	}
	server_tls_reload();
	return problems->count == before;
}

bool control_check(const struct config *config, struct config_problems *problems)
{
	secrets_publish_keys(config, false);
	bool users = check_users(config, problems);
	bool clients = check_clients(config, problems);
	bool servers = check_servers(config, problems);

	lease_forget_all();
	return users && clients && servers;
}
