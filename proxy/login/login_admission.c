/* Who may come in: limits, TLS, the admin console.
 *
 * Failure story: each rule is a row of a table and refuses with an SQLSTATE and a text. What would tell a stranger
 * which databases exist, or let one use up a role's connections, is asked only after authentication. */
#include <string.h>

#include "client_slot.h"
#include "login_internal.h"
#include "pgweir/descriptors.h"

bool login_is_admin_database(const char *name)
{
	return strcmp(name, "pgweir") == 0 || strcmp(name, "pgbouncer") == 0;
}

static bool is_not_draining(struct login *login, struct error *error)
{
	(void)login;
	if (login_refusing())
		return error_set(error, "57P03", "the database system is shutting down");
	return true;
}

static bool has_tls_if_required(struct login *login, struct error *error)
{
	if (login->config->client_tls.sslmode >= SSLMODE_REQUIRE && !login->conn.ssl && !login_is_local(login))
		return error_set(error, "08P01", "SSL required");
	return true;
}

static bool has_certificate_of_user(struct login *login, struct error *error)
{
	char name[256];

	if (login->config->client_tls.sslmode != SSLMODE_VERIFY_FULL || login_is_local(login))
		return true;
	if (!tls_peer_common_name(&login->conn, name, sizeof(name)) || strcmp(name, login->request->user) != 0)
		return error_set(error, "28000", "certificate authentication failed for user \"%s\"", login->request->user);
	return true;
}

static bool is_not_replicating_the_console(struct login *login, struct error *error)
{
	if (login->request->replication && login_is_admin_database(login->request->database))
		return error_set(error, "08P01", "the admin console has no replication connections");
	return true;
}

unsigned login_places(const struct config *config)
{
	unsigned most = descriptors_for_sessions(), wanted = config->max_client_conn > 0 ? (unsigned)config->max_client_conn : most;

	return wanted < most ? wanted : most;
}

/* Somebody must be able to look, also when all places are taken. */
static unsigned place_limit(const struct login *login)
{
	const struct startup_request *request = login->request;
	bool looks = login_is_admin_database(request->database) && config_list_has(login->config->admin_users, request->user);

	return login_places(login->config) + (looks ? descriptors_for_administrators() : 0);
}

/* Saves both sides the authentication. No place is taken yet: strangers who go no further would keep users out. */
static bool may_find_place(struct login *login, struct error *error)
{
	if (client_slot_count() < place_limit(login))
		return true;
	return error_set(error, "53300", "sorry, too many clients already");
}

static bool has_place(struct login *login, struct error *error)
{
	login->slot = client_slot_new(place_limit(login));
	return login->slot || error_set(error, "53300", "sorry, too many clients already");
}

static bool may_use_console(struct login *login, struct error *error)
{
	const struct startup_request *request = login->request;
	const struct config *config = login->config;

	if (!login_is_admin_database(request->database) || config_list_has(config->admin_users, request->user)
		|| config_list_has(config->stats_users, request->user))
		return true;
	return error_set(error, "42501", "user \"%s\" is not allowed to use the admin console", request->user);
}

/* A physical replication connection has no database: its tools ask for the name "replication". Where all databases lie
 * on one cluster, that is the one meant. */
const struct config_database *login_find_database(struct login *login)
{
	const struct startup_request *request = login->request;
	const struct config *config = login->config;
	const struct config_database *database = config_find_database(config, request->database);
	bool physical = request->replication && strcmp(request->replication, "true") == 0;

	if (database || !physical || config->database_count == 0)
		return database;
	for (size_t i = 1; i < config->database_count; i++)
		if (config->databases[i].cluster != config->databases[0].cluster)
			return NULL;
	return &config->databases[0];
}

static bool has_existing_database(struct login *login, struct error *error)
{
	const char *name = login->request->database;

	if (login_is_admin_database(name) || login_find_database(login))
		return true;
	return error_set(error, "3D000", "database \"%s\" does not exist", name);
}

static unsigned limit_of(int own, int general)
{
	int limit = own == CONFIG_INHERIT ? general : own;

	return limit > 0 ? (unsigned)limit : 0;
}

static bool is_within_limits(struct login *login, struct error *error)
{
	const struct startup_request *request = login->request;
	const struct config *config = login->config;
	const struct config_user *user = config_find_user(config, request->user);

	/* Whoever may use the console may use it also when the role's connections are used up. */
	if (!login->database)
		return true;
	switch (client_slot_join(&login->slot, request->database,
		limit_of(login->database->max_db_client_connections, config->max_db_client_connections), request->user,
		limit_of(user ? user->max_user_client_connections : CONFIG_INHERIT, config->max_user_client_connections))) {
	case CLIENT_SLOT_DATABASE_FULL:
		return error_set(error, "53300", "too many connections for database \"%s\"", request->database);
	case CLIENT_SLOT_USER_FULL:
		return error_set(error, "53300", "too many connections for role \"%s\"", request->user);
	case CLIENT_SLOT_JOINED:
		break;
	}
	return true;
}

typedef bool login_rule(struct login *login, struct error *error);

static login_rule *const request_rules[] = {
	is_not_draining,
	has_tls_if_required,
	has_certificate_of_user,
	is_not_replicating_the_console,
	may_find_place,
};

static login_rule *const user_rules[] = {
	has_place,
	may_use_console,
	has_existing_database,
	is_within_limits,
};

bool login_admit_request(struct login *login, struct error *error)
{
	for (size_t i = 0; i < ARRAY_LEN(request_rules); i++)
		if (!request_rules[i](login, error))
			return false;
	return true;
}

bool login_admit_user(struct login *login, struct error *error)
{
	for (size_t i = 0; i < ARRAY_LEN(user_rules); i++)
		if (!user_rules[i](login, error))
			return false;
	return true;
}
