/* Logging in to a host as the doctor does, and what to do when that is refused. */
#include <string.h>

#include "ask.h"
#include "doctor_servers.h"
#include "pgweir/key_passphrase.h"
#include "pgweir/mem.h"
#include "pgweir/tokens.h"
#include "progress.h"

const char *doctor_advice(const struct error *error)
{
	static const struct {
		const char *begins, *says, *advice;
	} table[] = {
		{ "28P01", "", "the password is not the server's: correct it, or see `pgweir secret test` and docs/secrets.md" },
		{ "28000", "", "pg_hba.conf of the server has no rule for this user, database, address or encryption; or the role may not "
		           "log in" },
		{ "3D000", "", "there is no such database: create it, or correct dbname (probe_dbname of a cluster)" },
		{ "53300", "", "all of the server's connections are taken: lower pools, or raise max_connections" },
		{ "57P03", "", "the server starts or stops; try again" },
		{ "42501", "", "GRANT what the text says is lacking" },
		{ "08", "could not resolve", "is the name right, and does this machine's resolver know it (getent hosts NAME)?" },
		{ "08", "does not match host name", "connect to a name that the certificate has, or have one made for this name; verify-ca "
		                                    "does not look at names" },
		{ "08", "certificate", "does server_tls_ca_file hold the authority that signed the server's certificate, and has neither "
		                       "expired (openssl x509 -noout -dates -issuer -in FILE)?" },
		{ "08", "Connection refused", "nothing listens there, or a firewall says so: is it up, are host and port right?" },
		{ "08", "", "is it up, are host and port right, does a firewall let pgweir through, does server_tls_sslmode suit it?" },
		{ "", "", "the text is the server's" },
	};
	size_t i = 0;

	while (strncmp(error->sqlstate, table[i].begins, strlen(table[i].begins)) != 0 || !strstr(error->text, table[i].says))
		i++;
	return table[i].advice;
}

struct pgclient_sync *doctor_open(const struct config *config, const struct config_tls *tls, const struct config_host *host,
	const struct doctor_login *login, struct error *error)
{
	const struct config_secret *tokens = login->tokens ? config_find_secret(config, login->tokens) : NULL;
	char *token = tokens ? token_make_now(tokens, host->host, host->port, login->user, error) : NULL;

	if (tokens && !token)
		return NULL;
	progress_say("asking %s:%u, %s as %s", host->host, host->port, login->dbname, login->user);
	char *passphrase = key_passphrase_find(tls);
	struct pgclient_options options = {
		.host = host->host, .port = host->port, .dbname = login->dbname, .user = login->user,
		.password = token ? token : login->password,
		.sslmode = config_sslmode_word(tls->sslmode), .ssl_ca_file = tls->ca_file, .ssl_cert_file = tls->cert_file,
		.ssl_key_file = tls->key_file, .ssl_key_passphrase = passphrase,
		.application_name = config->application_name ? config->application_name : "pgweir doctor",
	};

	struct pgclient_sync *client = ask_open(&options, error);

	mem_secret_free(passphrase);
	mem_secret_free(token);
	return client;
}
