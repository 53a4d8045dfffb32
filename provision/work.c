#include "work.h"

#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/clock.h"
#include "pgweir/mem.h"
#include "pgweir/secrets.h"

enum { NAME_MAX_BYTES = 63 };

void work_note(const struct work *work, const char *format, ...)
{
	va_list args;

	if (!work->run->note)
		return;
	va_start(args, format);
	char *text = mem_vprintf(format, args);
	va_end(args);
	work->run->note(text, work->run->arg);
	mem_free(text);
}

void work_crash_point(struct work *work, const char *point)
{
	const char *wanted = work->run->crash_at;
	size_t size = strlen(point);

	if (!wanted || strncmp(wanted, point, size) != 0 || (wanted[size] && wanted[size] != ':'))
		return;
	unsigned long time = wanted[size] ? strtoul(wanted + size + 1, NULL, 10) : 1;

	if (++work->crash_points == time)
		raise(SIGKILL);
}

static void after_write(void *arg)
{
	work_crash_point(arg, "after-write");
}

/* --- Which role --- */

/* What goes into a secret as JSON must be UTF-8. */
static bool is_text(const char *text)
{
	json_t *made = json_string(text ? text : "");

	json_decref(made);
	return made;
}

/* A clone's name must fit as well. */
static bool check_name(const struct work *work, const char *name, size_t more, struct error *error)
{
	bool clone = work->section->strategy == PROVISION_STRATEGY_ALTERNATING;
	size_t limit = NAME_MAX_BYTES - (clone || more ? strlen(CLONE_SUFFIX) : 0) - more;

	if (strlen(name) > limit)
		return error_set(error, NULL, "[provision %s]: the name \"%s\" has more than %zu bytes", work->section->name, name,
			limit);
	if (strncmp(name, "pg_", 3) == 0)
		return error_set(error, NULL, "[provision %s]: names that start with pg_ are PostgreSQL's own", work->section->name);
	return true;
}

static bool check_names(const struct work *work, struct error *error)
{
	const struct config_provision *section = work->section;
	const struct config_cluster *cluster = section->cluster;

	if (section->strategy == PROVISION_STRATEGY_ALTERNATING && section->secret_format != SECRET_FORMAT_JSON)
		return error_set(error, NULL, "[provision %s]: strategy = alternating needs secret_format = json, which holds the name",
			section->name);
	if (!is_text(section->user ? section->user : section->user_prefix) || !is_text(section->databases))
		return error_set(error, NULL, "[provision %s]: a name is not UTF-8", section->name);
	if (section->secret->json_key)
		return error_set(error, NULL, "[provision %s]: [secret %s] has a json_key, and pgweir writes whole secrets only",
			section->name, section->secret->name);
	if (!section->user)
		return check_name(work, section->user_prefix, SUFFIX_SIZE, error);
	if (strcmp(section->user, cluster->admin_user) == 0)
		return error_set(error, NULL, "[provision %s]: \"%s\" is the admin_user that it would be done with", section->name,
			section->user);
	return check_name(work, section->user, 0, error);
}

/* --- The secret --- */

/* What is stored under a stage; empty if there is nothing. */
static bool read_value(struct work *work, enum secret_stage stage, struct lease_value *value, int64_t *since_s,
	struct error *error)
{
	struct stored_text text;
	bool good = store_get(work->store, stage, &text, error);

	lease_value_fini(value);
	if (good && text.text)
		good = secrets_parse(text.text, strlen(text.text), value, error)
			|| error_prepend(error, "secret \"%s\"", work->section->secret->name);
	if (since_s)
		*since_s = good && text.text ? text.created_s : 0;
	stored_text_fini(&text);
	return good;
}

/* Only a secret that says so in its tags is ours, or one without a value: that was made for us. */
static bool check_owner(const struct work *work, struct error *error)
{
	const struct stored *stored = &work->stored;
	const char *place = store_place(work->store), *name = work->section->name;

	if (stored->state == STORED_MISSING)
		return true;
	if (stored->provision && strcmp(stored->provision, name) != 0)
		return error_set(error, NULL, "secret %s belongs to [provision %s]", place, stored->provision);
	if (!stored->provision && stored->state == STORED_GOOD && work->section->secret->path)
		return error_set(error, NULL, "%s is there already, and no %s.pgweir says that it is ours: pgweir does not touch it. "
			"Move it away, or name another path", place, place);
	if (!stored->provision && stored->state == STORED_GOOD)
		return error_set(error, NULL, "secret %s has a value, and no tag that says that it is ours: pgweir does not touch it. "
			"To hand it over, tag it with pgweir:provision = %s%s", place, name,
			work->section->user ? "" : " and pgweir:role = the role's name");
	if (stored->state == STORED_DELETED && !stored->provision)
		return error_set(error, NULL, "secret %s is scheduled for deletion: restore it, or wait until it is gone", place);
	if (stored->state == STORED_GOOD && !work->section->user && !stored->role)
		return error_set(error, NULL, "secret %s has no tag pgweir:role: whose password it holds is not known", place);
	return true;
}

static bool is_ours(const struct work *work, const char *user)
{
	size_t size = strlen(work->role);

	return strcmp(user, work->role) == 0
		|| (strncmp(user, work->role, size) == 0 && strcmp(user + size, CLONE_SUFFIX) == 0);
}

static bool check_user(const struct work *work, const struct lease_value *value, struct error *error)
{
	if (!work->role || !value->username || is_ours(work, value->username))
		return true;
	return error_set(error, NULL, "secret %s is of user \"%s\", not of \"%s\"", store_place(work->store), value->username,
		work->role);
}

static bool read_versions(struct work *work, struct error *error)
{
	if (!read_value(work, SECRET_CURRENT, &work->current, &work->current_since_s, error))
		return false;
	/* A version that cannot be read is as good as none: a failed rotation of others may leave an empty one. */
	struct error ignored;

	if (!work->stored.pending || !read_value(work, SECRET_PENDING, &work->pending, NULL, &ignored))
		lease_value_fini(&work->pending);
	if (!work->stored.previous || !read_value(work, SECRET_PREVIOUS, &work->previous, NULL, &ignored))
		lease_value_fini(&work->previous);
	return check_user(work, &work->current, error) && check_user(work, &work->pending, error);
}

bool work_read_secret(struct work *work, struct error *error)
{
	stored_fini(&work->stored);
	if (!store_describe(work->store, &work->stored, error) || !check_owner(work, error))
		return false;
	mem_free(work->role);
	work->role = mem_strdup(work->section->user ? work->section->user : work->stored.role);
	if (work->stored.state == STORED_GOOD && !read_versions(work, error))
		return false;
	struct provision_report *report = work->report;

	mem_free(report->role);
	mem_free(report->user);
	report->role = mem_strdup(work->role);
	report->user = mem_strdup(work->current.password ? work_user_of(work, &work->current) : NULL);
	report->password_since_s = work->current_since_s;
	uint64_t age_ms = work->current_since_s ? (uint64_t)(clock_wall_us() / 1000000 - work->current_since_s) * 1000 : 0;

	/* What others have begun is theirs to end. */
	report->rotation_due = (work->pending.password && !work->stored.foreign)
		|| (work->section->rotate_every_ms && age_ms >= work->section->rotate_every_ms);
	return true;
}

char *work_compose(const struct work *work, const char *user, const char *password)
{
	const struct declaration *declaration = &work->declaration;
	const struct config_host *host = work->place.primary;

	if (work->section->secret_format == SECRET_FORMAT_PLAIN)
		return mem_secret_dup(password);
	json_t *root = json_pack("{ss ss ss ss si ss}", "engine", "postgres", "username", user, "password", password, "host",
		host->host, "port", (int)host->port, "dbname",
		declaration->databases.count ? declaration->databases.items[0] : work->section->cluster->probe_dbname);

	CHECK(root);
	char *made = json_dumps(root, JSON_PRESERVE_ORDER | JSON_COMPACT), *text = mem_secret_dup(made);
	json_free_t release;

	json_get_alloc_funcs(NULL, &release);
	release(made);
	json_decref(root);
	return text;
}

bool work_has_shape(const struct work *work)
{
	bool json = work->section->secret_format == SECRET_FORMAT_JSON;

	return !work->current.password || work->stored.foreign || json == (work->current.username != NULL);
}

const char *work_user_of(const struct work *work, const struct lease_value *value)
{
	return value->username ? value->username : work->role;
}

char *work_clone_name(const struct work *work)
{
	return mem_printf("%s" CLONE_SUFFIX, work->role);
}

/* --- Opening --- */

bool work_open(const struct provision_run *run, const struct config_provision *section, struct provision_report *report,
	struct work *work, struct error *error)
{
	secrets_json_prepare();
	*work = (struct work){ .run = run, .section = section, .report = report };
	*report = (struct provision_report){ .section = section, .outcome = PROVISION_FAILED };
	if (!declaration_make(section, &work->declaration, error) || !check_names(work, error))
		return false;
	work->store = store_open(section->secret, run->stop, error);
	if (!work->store)
		return false;
	store_watch(work->store, after_write, work);
	report->place = mem_strdup(store_place(work->store));
	if (!place_open(run->config, section->cluster, run->topology, run->stop, &work->place, error))
		return false;
	const char *admin = work->place.admin.username;

	/* Whose password would change under our feet. */
	if (admin && section->user && strcmp(admin, section->user) == 0)
		return error_set(error, NULL, "[provision %s]: \"%s\" is the user that it would be done with", section->name, admin);
	return true;
}

bool work_open_locked(const struct provision_run *run, const struct config_provision *section,
	struct provision_report *report, struct work *work, struct error *error)
{
	if (!work_open(run, section, report, work, error))
		return false;
	if (place_lock(&work->place, run->lock_wait_ms, error))
		return true;
	if (strcmp(error->sqlstate, "55P03") == 0)
		report->outcome = PROVISION_BUSY;
	return false;
}

void work_succeed(struct work *work, enum provision_outcome outcome)
{
	work->report->outcome = outcome;
	work->report->error = (struct error){ 0 };
}

void work_close(struct work *work)
{
	place_close(&work->place);
	declaration_fini(&work->declaration);
	store_close(&work->store);
	stored_fini(&work->stored);
	mem_free(work->role);
	lease_value_fini(&work->current);
	lease_value_fini(&work->pending);
	lease_value_fini(&work->previous);
}

/* --- Logging in --- */

enum login_state work_try_login(struct work *work, const char *user, const char *password, struct error *error)
{
	const struct declaration *declaration = &work->declaration;
	const char *dbname = declaration->databases.count ? declaration->databases.items[0] : work->section->cluster->probe_dbname;
	struct pgclient_sync *client = place_connect_as(&work->place, dbname, user, password, error);

	if (client) {
		pgclient_sync_close(&client);
		return LOGIN_GOOD;
	}
	return strcmp(error->sqlstate, "28P01") == 0 ? LOGIN_WRONG_PASSWORD : LOGIN_UNKNOWN;
}

void work_judge_verifier(struct work *work, enum login_state login)
{
	work->scram_only = work->scram_only || (work->has_set && login == LOGIN_WRONG_PASSWORD);
}
