#include "auth_fixture.h"

#include <stdio.h>
#include <stdlib.h>
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

static const char *folder(void)
{
	static char path[] = "auth-fixture-XXXXXX";
	static int made;

	if (!made) {
		assert_non_null(mkdtemp(path));
		made = 1;
	}
	return path;
}

const char *fixture_file(const char *name, const char *text)
{
	static char paths[8][64];
	static size_t next;
	char *path = paths[next++ % 8];

	snprintf(path, sizeof(paths[0]), "%s/%s", folder(), name);
	FILE *file = fopen(path, "w");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
	assert_int_equal(chmod(path, 0600), 0);
	return path;
}

static char *write_file(const char *name, const char *text)
{
	return text ? mem_strdup(fixture_file(name, text)) : NULL;
}

void fixture_load(const char *auth_file, const char *hba_file, const char *ident_file)
{
	struct config_problems problems = { 0 };

	fixture_config.auth_file = write_file("userlist.txt", auth_file);
	fixture_config.auth_hba_file = write_file("pg_hba.conf", hba_file);
	fixture_config.auth_ident_file = write_file("pg_ident.conf", ident_file);
	bool loaded = auth_configure(&fixture_config, &problems);
	if (!loaded)
		fail_msg("%s", problems.texts[0]);
	config_problems_fini(&problems);
	mem_free(fixture_config.auth_file);
	mem_free(fixture_config.auth_hba_file);
	mem_free(fixture_config.auth_ident_file);
	fixture_config.auth_file = fixture_config.auth_hba_file = fixture_config.auth_ident_file = NULL;
	if (auth_file)
		unlink(fixture_file("userlist.txt", ""));
	if (hba_file)
		unlink(fixture_file("pg_hba.conf", ""));
	if (ident_file)
		unlink(fixture_file("pg_ident.conf", ""));
	rmdir(folder());
}
