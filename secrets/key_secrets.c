/* Passphrases of private keys, for commands: they have no service that would publish them. */
#include <string.h>

#include "pgweir/secrets.h"

static void publish(const struct config *config, const struct config_tls *tls, bool remote_too)
{
	const struct config_secret *secret = tls->key_secret ? config_find_secret(config, tls->key_secret) : NULL;
	struct lease *lease = secret ? lease_find(secret->name) : NULL;
	bool known = lease && lease->version;
	struct secrets_report report;

	lease_unref(&lease);
	if (!secret || known || (secrets_is_remote(secret) && !remote_too))
		return;
	secrets_read(secret, &report);
	if (report.good && !report.on_demand) {
		lease_publish(secret->name, &report.values, NULL);
		report.values = (struct lease_values){ 0 };
	}
	secrets_report_fini(&report);
}

void secrets_publish_keys(const struct config *config, bool remote_too)
{
	publish(config, &config->client_tls, remote_too);
	publish(config, &config->server_tls, remote_too);
	for (size_t i = 0; i < config->cluster_count; i++)
		publish(config, &config->clusters[i].server_tls, remote_too);
	for (size_t i = 0; i < config->database_count; i++)
		publish(config, &config->databases[i].server_tls, remote_too);
}
