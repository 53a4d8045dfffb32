/* The keys of [user NAME], [secret NAME] and [peers]. */
#include "setting.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, DAY = 24 * 60 * MINUTE };

const struct setting settings_user[] = {
	{ .name = "password", AS_TEXT(struct config_user, password), .secret = true, .applies = APPLIES_NEW_CONNECTIONS,
	  .inherits = "the entry of auth_file",
	  .summary = "Password towards the server: plain, md5… or SCRAM-SHA-256$…." },
	{ .name = "secret", AS_TEXT(struct config_user, secret), .applies = APPLIES_NEW_CONNECTIONS,
	  .summary = "Name of the [secret] with the login for the server.",
	  .detail = "Clients prove that they know the same password, unless client_password or client_secret says "
	            "otherwise." },
	{ .name = "client_password", AS_TEXT(struct config_user, client_password), .secret = true,
	  .applies = APPLIES_NEW_CONNECTIONS, .inherits = "password",
	  .summary = "Password that clients must know." },
	{ .name = "client_secret", AS_TEXT(struct config_user, client_secret), .applies = APPLIES_NEW_CONNECTIONS,
	  .inherits = "secret",
	  .summary = "Name of the [secret] with the password that clients must know." },
	{ .name = "pool_mode", AS_ENUM(struct config_user, pool_mode, pool_mode_words), .inherits = "[database] pool_mode",
	  .summary = "When a server connection goes back to the pool." },
	{ .name = "pool_size", AS_INT(struct config_user, pool_size), .min = 1, .max = 100000,
	  .inherits = "[database] pool_size",
	  .summary = "Server connections per database and host that log in as this user." },
	{ .name = "max_user_connections", AS_INT(struct config_user, max_user_connections),
	  .inherits = "[pgweir] max_user_connections",
	  .summary = "Server connections that log in as this user, whatever the database; 0: no limit." },
	{ .name = "max_user_client_connections", AS_INT(struct config_user, max_user_client_connections),
	  .inherits = "[pgweir] max_user_client_connections",
	  .summary = "Client connections allowed for this user; 0: no limit." },
	{ .name = "query_timeout", AS_DURATION_INT(struct config_user, query_timeout_ms),
	  .inherits = "[database] query_timeout",
	  .summary = "A query that runs longer is cancelled." },
	{ .name = "transaction_timeout", AS_DURATION_INT(struct config_user, transaction_timeout_ms),
	  .inherits = "[database] transaction_timeout",
	  .summary = "A transaction that lasts longer is ended." },
	{ .name = "idle_transaction_timeout", AS_DURATION_INT(struct config_user, idle_transaction_timeout_ms),
	  .inherits = "[database] idle_transaction_timeout",
	  .summary = "A client that is idle in a transaction for this long is disconnected." },
	{ .name = "client_idle_timeout", AS_DURATION_INT(struct config_user, client_idle_timeout_ms),
	  .inherits = "[pgweir] client_idle_timeout",
	  .summary = "A client that is idle outside a transaction for this long is disconnected." },
};
const size_t settings_user_count = ARRAY_LEN(settings_user);

static const struct setting_word provider_words[] = {
	{ "aws-secrets-manager", 0 },
	{ "rds-iam", 0 },
	{ "file", 0 },
	{ "env", 0 },
	{ "static", 0 },
	{ 0 },
};

const struct setting settings_secret[] = {
	{ .name = "provider", AS_WORD(struct config_secret, provider, provider_words),
	  .summary = "Where the secret comes from; must be set.",
	  .detail = "`rds-iam` makes a token for the server's own user name; the others fetch a value." },
	{ .name = "id", AS_TEXT(struct config_secret, id),
	  .summary = "aws-secrets-manager: name or ARN of the secret. Across accounts the full ARN." },
	{ .name = "path", AS_PATH(struct config_secret, path),
	  .summary = "file: the file, or a folder with files named username and password.",
	  .detail = "It is watched; Kubernetes mounts, CSI drivers and External Secrets all end up here." },
	{ .name = "variable", AS_TEXT(struct config_secret, variable),
	  .summary = "env: name of the environment variable." },
	{ .name = "value", AS_TEXT(struct config_secret, value), .secret = true,
	  .summary = "static: the value itself." },
	{ .name = "region", AS_TEXT(struct config_secret, region), .inherits = "what AWS's SDKs would take",
	  .summary = "AWS region." },
	{ .name = "json_key", AS_TEXT(struct config_secret, json_key),
	  .summary = "Member of the JSON value that holds the password, where it has another name." },
	{ .name = "endpoint", AS_TEXT(struct config_secret, endpoint), .inherits = "AWS_ENDPOINT_URL…, then AWS's own",
	  .summary = "Address of the service, as scheme://host[:port][/path]." },
	{ .name = "role_arn", AS_TEXT(struct config_secret, role_arn),
	  .summary = "Role to assume first." },
	{ .name = "external_id", AS_TEXT(struct config_secret, external_id),
	  .summary = "ExternalId that the role asks for." },
	{ .name = "profile", AS_TEXT(struct config_secret, profile),
	  .summary = "Profile of the AWS configuration files." },
	{ .name = "iam_host", AS_TEXT(struct config_secret, iam_host), .inherits = "the host of the cluster",
	  .summary = "rds-iam: the real endpoint, where the host in the configuration is another name for it.",
	  .detail = "Per host as `host=endpoint, …`, or one endpoint for all." },
	{ .name = "follow_host", AS_TEXT(struct config_secret, follow_host), .inherits = "off",
	  .summary = "Pattern of host names that the secret may point its cluster to; `off`: the secret's host is ignored." },
	{ .name = "refresh_interval", AS_DURATION(struct config_secret, refresh_interval_ms), .default_text = "5min",
	  .min = SECOND, .max = 7 * (int64_t)DAY,
	  .summary = "How often the secret is fetched again." },
	{ .name = "rotation_grace", AS_DURATION(struct config_secret, rotation_grace_ms), .default_text = "1h",
	  .max = 30 * (int64_t)DAY,
	  .summary = "How long clients may still log in with the previous version." },
};
const size_t settings_secret_count = ARRAY_LEN(settings_secret);

const struct setting settings_peers[] = {
	{ .name = "ID", .type = SETTING_PEER,
	  .summary = "Another instance behind the same address, as `1 = host=10.0.0.1 port=6432`.",
	  .detail = "The number is that instance's peer_id. The host may be the folder of a Unix socket." },
};
const size_t settings_peers_count = ARRAY_LEN(settings_peers);
