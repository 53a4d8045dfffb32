#include "client_secrets.h"

#include "auth_state.h"
#include "pgweir/credentials.h"
#include "pgweir/lease.h"
#include "pgweir/mem.h"

void client_secrets_forget_texts(struct client_secrets *secrets)
{
	while (secrets->count)
		mem_secret_free(secrets->texts[--secrets->count]);
}

void client_secrets_fini(struct client_secrets *secrets)
{
	client_secrets_forget_texts(secrets);
	*secrets = (struct client_secrets){ 0 };
}

void client_secrets_add(struct client_secrets *secrets, const char *text)
{
	if (text && text[0] && secrets->count < CLIENT_SECRETS_MAX)
		secrets->texts[secrets->count++] = mem_secret_dup(text);
}

static void add_value(struct client_secrets *secrets, const struct lease_value *value, uint64_t version)
{
	if (secrets->count < CLIENT_SECRETS_MAX)
		secrets->versions[secrets->count] = version;
	client_secrets_add(secrets, value->password);
}

/* The value of now, for a while the one before it, and the one to come: who reads the secret's service may be ahead of us.
 * False: no such secret is published. */
static bool add_of_secret(struct client_secrets *secrets, const struct config *config, const char *name)
{
	struct lease *lease = name ? lease_find(name) : NULL;
	const struct config_secret *section = lease ? config_find_secret(config, name) : NULL;

	/* Clients cannot prove that they know a token that is made for each login. */
	if (!lease || lease->on_demand) {
		lease_unref(&lease);
		return false;
	}
	add_value(secrets, &lease->value, lease->version);
	if (section && lease_in_grace(lease, section->rotation_grace_ms))
		add_value(secrets, &lease->previous, lease->version - 1);
	if (!lease_value_equal(&lease->pending, &lease->value))
		add_value(secrets, &lease->pending, lease->version + 1);
	secrets->secret = section ? section->name : NULL;
	secrets->missing = !lease->value.password;
	secrets->awaited = lease->awaited;
	lease_unref(&lease);
	return true;
}

/* What is said for clients, else what is for the server too. */
static void add_of_section(struct client_secrets *secrets, const struct config *config, const struct config_user *user)
{
	if (add_of_secret(secrets, config, user->client_secret))
		return;
	client_secrets_add(secrets, user->client_password);
	if (!secrets->count && !add_of_secret(secrets, config, user->secret))
		client_secrets_add(secrets, user->password);
}

bool client_secrets_find(struct client_secrets *secrets, const struct auth_state *state, const struct config *config,
	const char *user)
{
	const struct config_user *section = credentials_find_user(config, user);

	if (section)
		add_of_section(secrets, config, section);
	if (!secrets->count && !secrets->missing)
		client_secrets_add(secrets, userlist_find(&state->users, user));
	return secrets->count > 0;
}
