#include "userlist.h"

#include <string.h>

#include "files.h"
#include "pgweir/buf.h"
#include "pgweir/mem.h"
#include "scram.h"
#include "stored_secret.h"

enum { USER_MAX = 1024, SECRET_MAX = 4096 };

struct line {
	const char *at, *end;
};

static bool free_secret(const void *key, size_t size, void *value, void *arg)
{
	(void)key;
	(void)size;
	(void)arg;
	mem_secret_free(value);
	return true;
}

void userlist_fini(struct userlist *userlist)
{
	map_foreach(&userlist->secrets, free_secret, NULL);
	map_fini(&userlist->secrets);
	*userlist = (struct userlist){ 0 };
}

const char *userlist_find(const struct userlist *userlist, const char *user)
{
	return map_get_text(&userlist->secrets, user);
}

static void skip_blanks(struct line *line)
{
	while (line->at < line->end && (*line->at == ' ' || *line->at == '\t' || *line->at == '\r'))
		line->at++;
}

/* What is wrong with it, or NULL. */
static const char *read_quoted(struct line *line, struct buf *value)
{
	skip_blanks(line);
	if (line->at == line->end || *line->at != '"')
		return "expected \"user\" \"password\" in double quotes";
	for (line->at++; line->at < line->end; line->at++) {
		if (*line->at == '"') {
			if (line->end - line->at < 2 || line->at[1] != '"') {
				line->at++;
				return NULL;
			}
			line->at++;
		}
		if (*line->at == '\0')
			return "contains a zero byte";
		buf_append_char(value, *line->at);
	}
	return "a double quote is not closed";
}

static void count_kind(struct userlist *userlist, enum stored_secret kind)
{
	size_t *const counts[] = {
		[STORED_PLAIN] = &userlist->plain_count,
		[STORED_MD5] = &userlist->md5_count,
		[STORED_SCRAM] = &userlist->scram_count,
	};

	++*counts[kind];
}

static const char *add_user(struct userlist *userlist, struct buf *user, struct buf *secret)
{
	if (user->size == 0)
		return "the user name is empty";
	if (user->size > USER_MAX || secret->size > SECRET_MAX)
		return "the user name or password is too long";
	char *text = mem_strndup(secret->bytes, secret->size);
	enum stored_secret kind = stored_secret_kind(text);

	if (kind == STORED_PLAIN && strncmp(text, SCRAM_PLAIN_MECHANISM "$", sizeof(SCRAM_PLAIN_MECHANISM)) == 0) {
		mem_secret_free(text);
		return "the SCRAM verifier is malformed";
	}
	count_kind(userlist, kind);
	mem_secret_free(map_put(&userlist->secrets, user->bytes, user->size, text));
	return NULL;
}

static const char *read_line(struct userlist *userlist, struct line line)
{
	struct buf user = { 0 }, secret = { 0 };
	const char *wrong = read_quoted(&line, &user);

	if (!wrong)
		wrong = read_quoted(&line, &secret);
	skip_blanks(&line);
	/* As PgBouncer: what follows is ignored. Old files have more fields there. */
	if (!wrong)
		wrong = add_user(userlist, &user, &secret);
	buf_fini(&user);
	buf_fini_secret(&secret);
	return wrong;
}

void userlist_parse(struct userlist *userlist, const char *path, const char *text, size_t size,
	struct config_problems *problems)
{
	const char *end = text + size;
	unsigned number = 0;

	while (text < end) {
		const char *newline = memchr(text, '\n', (size_t)(end - text));
		struct line line = { .at = text, .end = newline ? newline : end };

		number++;
		text = newline ? newline + 1 : end;
		skip_blanks(&line);
		if (line.at == line.end || *line.at == ';')
			continue;
		const char *wrong = read_line(userlist, line);
		if (wrong)
			files_problem(problems, path, number, "%s", wrong);
	}
}
