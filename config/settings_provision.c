/* The keys of [provision NAME]. */
#include "setting.h"

enum { SECOND = 1000, MINUTE = 60 * SECOND, HOUR = 60 * MINUTE };

static const struct setting_word secret_format_words[] = {
	{ "plain", SECRET_FORMAT_PLAIN },
	{ "json", SECRET_FORMAT_JSON },
	{ 0 },
};

static const struct setting_word profile_words[] = {
	{ "none", PROVISION_PROFILE_NONE },
	{ "read-only", PROVISION_PROFILE_READ_ONLY },
	{ "read-write", PROVISION_PROFILE_READ_WRITE },
	{ "owner", PROVISION_PROFILE_OWNER },
	{ "monitoring", PROVISION_PROFILE_MONITORING },
	{ "replication", PROVISION_PROFILE_REPLICATION },
	{ 0 },
};

static const struct setting_word strategy_words[] = {
	{ "single", PROVISION_STRATEGY_SINGLE },
	{ "alternating", PROVISION_STRATEGY_ALTERNATING },
	{ 0 },
};

static const struct setting_word extra_words[] = {
	{ "report", PROVISION_EXTRA_REPORT },
	{ "revoke", PROVISION_EXTRA_REVOKE },
	{ 0 },
};

const struct setting settings_provision[] = {
	{ .name = "cluster", AS_TEXT(struct config_provision, cluster_name),
	  .summary = "Name of the [cluster] in which the user lives; must be set, and have an admin_user." },
	{ .name = "database", AS_NAMES(struct config_provision, databases),
	  .summary = "Databases on the server that the user may connect to, comma-separated." },
	{ .name = "schemas", AS_NAMES(struct config_provision, schemas), .inherits = "public",
	  .summary = "Schemas that the privileges are for, comma-separated." },
	{ .name = "user", AS_TEXT(struct config_provision, user),
	  .summary = "Name of the user; this or user_prefix must be set." },
	{ .name = "user_prefix", AS_TEXT(struct config_provision, user_prefix),
	  .summary = "Start of the user's name; the rest is random and recorded with the secret." },
	{ .name = "secret", AS_TEXT(struct config_provision, secret_name),
	  .summary = "Name of the [secret] that gets the password; must be set. Created at its id if it is missing." },
	{ .name = "secret_format", AS_ENUM(struct config_provision, secret_format, secret_format_words),
	  .default_text = "json",
	  .summary = "What is stored: the password alone, or RDS's JSON with user, host and database." },
	{ .name = "profile", AS_ENUM(struct config_provision, profile, profile_words), .default_text = "none",
	  .summary = "A ready-made set of privileges." },
	{ .name = "privileges", AS_LIST(struct config_provision, privileges),
	  .summary = "Privileges on tables and sequences, comma-separated, instead of a profile." },
	{ .name = "owners", AS_NAMES(struct config_provision, owners),
	  .summary = "Roles whose future tables the user gets the same privileges on, comma-separated." },
	{ .name = "member_of", AS_NAMES(struct config_provision, member_of),
	  .summary = "Roles that the user is a member of, comma-separated." },
	{ .name = "replication", AS_BOOL(struct config_provision, replication), .default_text = "0",
	  .summary = "Whether the user may replicate (REPLICATION, or rds_replication on RDS)." },
	{ .name = "settings", AS_NAMES(struct config_provision, settings),
	  .summary = "Settings of the user as name=value, comma-separated." },
	{ .name = "connection_limit", AS_INT(struct config_provision, connection_limit), .default_text = "-1", .min = -1,
	  .max = 262143,
	  .summary = "CONNECTION LIMIT of the user; -1: none." },
	{ .name = "valid_for", AS_DURATION(struct config_provision, valid_for_ms), .default_text = "0",
	  .summary = "VALID UNTIL lies this far ahead, and moves with each rotation; 0: none." },
	{ .name = "comment", AS_TEXT(struct config_provision, comment),
	  .summary = "Comment on the role." },
	{ .name = "rotate_every", AS_DURATION(struct config_provision, rotate_every_ms), .default_text = "0",
	  .summary = "How often the password is changed, at least 1h; 0: only on command." },
	{ .name = "strategy", AS_ENUM(struct config_provision, strategy, strategy_words), .default_text = "single",
	  .summary = "Whether one user's password changes, or two users take turns." },
	{ .name = "rotation_replica_wait", AS_DURATION(struct config_provision, rotation_replica_wait_ms),
	  .default_text = "1min", .max = HOUR,
	  .summary = "How long a rotation waits for replicas to replay the new password." },
	{ .name = "extra", AS_ENUM(struct config_provision, extra, extra_words), .default_text = "report",
	  .summary = "What to do about privileges beyond the declaration." },
};
const size_t settings_provision_count = ARRAY_LEN(settings_provision);
