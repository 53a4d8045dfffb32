#include "auth_fixture.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgweir/authenticator.h"
#include "pgweir/mem.h"

struct config fixture_config;
int fixture_references;

/* config's own functions need a snapshot that config_load() made; these serve one made by hand. */
struct config *config_ref(struct config *config)
{
	fixture_references++;
	return config;
}

void config_unref(struct config **config)
{
	if (*config)
		fixture_references--;
	*config = NULL;
}

const struct config_user *config_find_user(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->user_count; i++)
		if (strcmp(config->users[i].name, name) == 0)
			return &config->users[i];
	return NULL;
}

const struct config_provision *config_find_provision(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->provision_count; i++)
		if (strcmp(config->provisions[i].name, name) == 0)
			return &config->provisions[i];
	return NULL;
}

const struct config_secret *config_find_secret(const struct config *config, const char *name)
{
	for (size_t i = 0; i < config->secret_count; i++)
		if (strcmp(config->secrets[i].name, name) == 0)
			return &config->secrets[i];
	return NULL;
}

void config_problems_fini(struct config_problems *problems)
{
	for (size_t i = 0; i < problems->count; i++)
		free(problems->texts[i]);
	for (size_t i = 0; i < problems->warning_count; i++)
		free(problems->warnings[i]);
	free(problems->texts);
	free(problems->warnings);
	*problems = (struct config_problems){ 0 };
}

/* A file without a name, whose path is good in this process until it is closed. */
static char *open_file(const char *text, int *fd)
{
	*fd = -1;
	if (!text)
		return NULL;
	*fd = memfd_create("fixture", MFD_CLOEXEC);
	assert_true(*fd >= 0);
	assert_int_equal(fchmod(*fd, 0600), 0);
	assert_int_equal(write(*fd, text, strlen(text)), strlen(text));
	return mem_printf("/proc/self/fd/%d", *fd);
}

static void close_file(char **path, int fd)
{
	if (fd >= 0)
		close(fd);
	mem_free(*path);
	*path = NULL;
}

bool fixture_try(const char *auth_file, const char *hba_file, const char *ident_file, struct config_problems *problems)
{
	int fds[3];

	fixture_config.auth_file = open_file(auth_file, &fds[0]);
	fixture_config.auth_hba_file = open_file(hba_file, &fds[1]);
	fixture_config.auth_ident_file = open_file(ident_file, &fds[2]);
	bool good = auth_configure(&fixture_config, problems);

	close_file(&fixture_config.auth_file, fds[0]);
	close_file(&fixture_config.auth_hba_file, fds[1]);
	close_file(&fixture_config.auth_ident_file, fds[2]);
	return good;
}

void fixture_load(const char *auth_file, const char *hba_file, const char *ident_file)
{
	struct config_problems problems = { 0 };

	if (!fixture_try(auth_file, hba_file, ident_file, &problems))
		fail_msg("%s", problems.texts[0]);
	config_problems_fini(&problems);
}

struct sockaddr_storage fixture_address(const char *text)
{
	struct sockaddr_storage address = { .ss_family = AF_UNIX };

	if (!text)
		return address;
	address.ss_family = strchr(text, ':') ? AF_INET6 : AF_INET;
	void *bytes = address.ss_family == AF_INET ? (void *)&((struct sockaddr_in *)&address)->sin_addr :
		(void *)&((struct sockaddr_in6 *)&address)->sin6_addr;

	assert_int_equal(inet_pton(address.ss_family, text, bytes), 1);
	return address;
}
