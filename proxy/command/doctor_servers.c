/* Each cluster in turn: who looks at it, its hosts, the cluster as a whole, the logins. */
#include "doctor_servers.h"
#include "pgweir/credentials.h"
#include "pgweir/lease.h"
#include "pgweir/mem.h"

static void choose_login(struct doctor_cluster *report)
{
	const struct config_cluster *cluster = report->cluster;

	report->lease = cluster->probe_secret ? lease_find(cluster->probe_secret) : NULL;
	report->probing = cluster->probe_user || cluster->probe_secret;
	if (!report->probing)
		return;
	const struct lease_value *value = report->lease ? &report->lease->value : NULL;

	report->login = (struct doctor_login){
		.dbname = cluster->probe_dbname,
		.user = cluster->probe_user ? cluster->probe_user : value ? value->username : NULL,
		.password = value ? value->password : cluster->probe_password,
		.tokens = report->lease && report->lease->on_demand ? cluster->probe_secret : NULL,
	};
}

/* Without a probe_user, whoever may log in to one of the databases. */
static struct credentials *borrow_login(struct doctor_cluster *report)
{
	const struct config *config = report->config;

	for (size_t i = 0; i < config->database_count && !report->login.user; i++) {
		const struct config_database *database = &config->databases[i];

		if (database->cluster != report->cluster || !database->dbname)
			continue;
		for (size_t j = 0; j <= config->user_count; j++) {
			const char *user = j < config->user_count ? config->users[j].name : database->user;
			struct credentials *credentials = user ? credentials_for_server(config, database, user, NULL) : NULL;

			if (credentials && (credentials->password || credentials->on_demand)) {
				report->login = (struct doctor_login){ database->dbname, credentials->user, credentials->password,
					credentials->on_demand ? credentials->secret : NULL };
				return credentials;
			}
			credentials_unref(&credentials);
		}
	}
	return NULL;
}

static void look_at_cluster(struct doctor *doctor, const struct config *config, const struct config_cluster *cluster)
{
	char *where = mem_printf("cluster %s", cluster->name);
	struct doctor_cluster report = { .doctor = doctor, .config = config, .cluster = cluster };

	report.hosts = NEW_ARRAY(struct doctor_host, cluster->host_count);
	choose_login(&report);
	struct credentials *borrowed = report.login.user ? NULL : borrow_login(&report);

	for (size_t i = 0; i < cluster->host_count; i++)
		doctor_look_at_host(&report, &cluster->hosts[i], &report.hosts[i]);
	doctor_judge_roles(&report, where);
	doctor_judge_limits(&report, where);
	doctor_try_admin(&report);
	for (size_t i = 0; i < config->database_count; i++)
		if (config->databases[i].cluster == cluster)
			doctor_try_logins(&report, &config->databases[i]);
	for (size_t i = 0; i < cluster->host_count; i++)
		mem_free(report.hosts[i].system);
	mem_free(report.hosts);
	lease_unref(&report.lease);
	credentials_unref(&borrowed);
	mem_free(where);
}

void doctor_look_at_servers(struct doctor *doctor, const struct config *config)
{
	for (size_t i = 0; i < config->cluster_count; i++)
		look_at_cluster(doctor, config, &config->clusters[i]);
}
