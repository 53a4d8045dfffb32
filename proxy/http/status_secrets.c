/* What /status.json says of secrets and of provisioned users; of neither a word that is secret. */
#include "pgweir/clock.h"
#include "pgweir/reconcile.h"
#include "status_parts.h"

static void put_age(struct http_json *json, const char *key, const struct observation *seen, uint64_t then_us)
{
	if (then_us)
		http_json_number(json, key, (double)observation_age_us(seen, then_us) / 1e6);
	else
		http_json_null(json, key);
}

void status_put_secrets(struct http_json *json, const struct observation *seen)
{
	http_json_open(json, "secrets", '[');
	for (size_t i = 0; i < seen->secret_count; i++) {
		const struct observed_secret *secret = &seen->secrets[i];
		const struct lease *lease = secret->lease;

		http_json_open(json, NULL, '{');
		http_json_text(json, "name", secret->name);
		http_json_text(json, "provider", secret->provider);
		http_json_text(json, "problem", lease ? lease->problem : "it has not been read yet");
		http_json_int(json, "version", lease ? (int64_t)lease->version : 0);
		put_age(json, "age_s", seen, lease ? lease->changed_us : 0);
		put_age(json, "read_s", seen, lease ? lease->fetched_us : 0);
		http_json_bool(json, "previous", lease && lease->previous.password);
		http_json_int(json, "failed_reads", (int64_t)secret->failed_reads);
		http_json_close(json, '}');
	}
	http_json_close(json, ']');
}

static void put_provision(struct http_json *json, const struct observation *seen, const struct reconcile_row *row)
{
	http_json_open(json, NULL, '{');
	http_json_text(json, "name", row->name);
	http_json_text(json, "login", row->login);
	http_json_text(json, "state", row->looked_us ? provision_outcome_word(row->outcome) : "waiting");
	http_json_text(json, "problem", row->problem);
	http_json_int(json, "differences", (int64_t)row->differences);
	http_json_int(json, "changed", (int64_t)row->changed);
	http_json_int(json, "rotations", (int64_t)row->rotations);
	http_json_int(json, "failed_rotations", (int64_t)row->failed_rotations);
	if (row->password_since_s)
		http_json_int(json, "password_s", clock_wall_us() / 1000000 - row->password_since_s);
	else
		http_json_null(json, "password_s");
	put_age(json, "looked_s", seen, row->looked_us);
	http_json_close(json, '}');
}

void status_put_provisions(struct http_json *json, const struct observation *seen)
{
	size_t count;
	const struct reconcile_row *rows = reconcile_rows(&count);

	http_json_open(json, "provisions", '[');
	for (size_t i = 0; i < count; i++)
		put_provision(json, seen, &rows[i]);
	http_json_close(json, ']');
}
