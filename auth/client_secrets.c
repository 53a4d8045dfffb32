#include "client_secrets.h"

#include "auth_state.h"
#include "pgweir/mem.h"

void client_secrets_fini(struct client_secrets *secrets)
{
	for (size_t i = 0; i < secrets->count; i++)
		mem_secret_free(secrets->texts[i]);
	*secrets = (struct client_secrets){ 0 };
}

void client_secrets_add(struct client_secrets *secrets, const char *text)
{
	if (text && text[0] && secrets->count < CLIENT_SECRETS_MAX)
		secrets->texts[secrets->count++] = mem_secret_dup(text);
}

/* client_password, else password. This is the one place where the values of client_secret and secret (current,
 * pending, previous within rotation_grace) are to be added once there are leases. */
static void add_of_section(struct client_secrets *secrets, const struct config_user *user)
{
	client_secrets_add(secrets, user->client_password ? user->client_password : user->password);
}

bool client_secrets_find(struct client_secrets *secrets, const struct auth_state *state, const struct config *config,
	const char *user)
{
	const struct config_user *section = config_find_user(config, user);

	if (section)
		add_of_section(secrets, section);
	if (!secrets->count)
		client_secrets_add(secrets, userlist_find(&state->users, user));
	return secrets->count > 0;
}
