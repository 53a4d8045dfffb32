/* What a server has of one role: its attributes, and what it may do where.
 *
 * Read only from views that everybody may read, so that the same works for a superuser and for the master user of a managed
 * service. Objects that the declaration is about are there even if the role holds nothing on them, others only if it does. */
#ifndef PGWEIR_PROVISION_CATALOG_H
#define PGWEIR_PROVISION_CATALOG_H

#include "declaration.h"
#include "place.h"

/* What pgweir can do about privileges on something that `owner` owns. */
enum reach {
	REACH_NONE,             /* Nothing, but for privileges that it holds with the grant option. */
	REACH_DIRECT,           /* It is a superuser, the owner, or a member. */
	REACH_BORROW,           /* It may make itself a member for the time of a transaction. */
};

struct catalog_object {
	enum object_kind kind;
	char *database, *schema, *name, *owner;         /* Each "" where it means nothing. */
	uint32_t held, public_held, mine;               /* By the role, by everybody, by us with the grant option. */
	uint32_t grantable;                             /* Held by the role with the grant option. */
	enum reach reach;
	bool declared;                                  /* Among the databases and schemas of the declaration. */
};

struct catalog_owner {
	char *name;
	enum reach reach;
	bool exists;
};

struct catalog {
	/* Of the connection. */
	bool we_are_super, we_replicate, we_create_roles, rds, logical, md5;
	char *we;                                       /* current_user. */
	/* Of the role; nothing else of it holds where it does not exist. */
	bool exists, login, inherits, super, creates_roles, creates_databases, bypasses_rls, replicates, rds_replicates;
	bool has_expiry;
	long long expires_s;                            /* Since 1970. */
	int connection_limit;
	char *comment;
	struct names member_of, settings;               /* The latter as name=value. */
	struct names admin_of;                          /* Of member_of: it may make others members. */
	struct names lame_in;                           /* Of member_of: it does not inherit, or may not SET ROLE. */
	struct names others;                            /* What else it has, described. */
	struct catalog_owner *owners;
	size_t owner_count;
	struct catalog_object *objects;
	size_t object_count;
};

/* What is the same in every database, asked at home. `catalog` is to be freed either way. */
bool catalog_read_role(const struct place *place, const struct declaration *declaration, const char *role,
	struct catalog *catalog, struct error *error) MUST_USE;
/* What one of the declared databases has. */
bool catalog_read_database(struct pgclient_sync *client, const struct declaration *declaration, const char *role,
	const char *database, struct catalog *catalog, struct error *error) MUST_USE;
void catalog_fini(struct catalog *catalog);

/* REACH_NONE for what does not exist. */
enum reach catalog_reach(const struct catalog *catalog, const char *owner);
bool catalog_owner_exists(const struct catalog *catalog, const char *owner);

#endif
