#include "files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "pgweir/file.h"
#include "pgweir/mem.h"

enum { FILE_MAX_BYTES = 64 * 1024 * 1024 };

static char *format_text(const char *path, unsigned line, const char *format, va_list args)
	__attribute__((format(printf, 3, 0)));

static char *format_text(const char *path, unsigned line, const char *format, va_list args)
{
	char text[512];
	int size = vsnprintf(text, sizeof(text), format, args);

	CHECK(size >= 0);
	return line ? mem_printf("%s:%u: %s", path, line, text) : mem_printf("%s: %s", path, text);
}

static void append(char ***texts, size_t *count, char *text)
{
	*texts = mem_realloc(*texts, (*count + 1) * sizeof(**texts));
	(*texts)[(*count)++] = text;
}

void files_problem(struct config_problems *problems, const char *path, unsigned line, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	append(&problems->texts, &problems->count, format_text(path, line, format, args));
	va_end(args);
}

/* A start reads files to judge them, and again to use them: what is said of one twice is told once. */
static PRINTF_LIKE(3, 4) void warn(struct config_problems *problems, const char *path, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	char *text = format_text(path, 0, format, args);

	va_end(args);
	for (size_t i = 0; i < problems->warning_count; i++)
		if (strcmp(problems->warnings[i], text) == 0) {
			mem_free(text);
			return;
		}
	append(&problems->warnings, &problems->warning_count, text);
}

static bool check_mode(struct config_problems *problems, const char *path, const struct stat *status, bool secret)
{
	if (!S_ISREG(status->st_mode)) {
		files_problem(problems, path, 0, "is not a regular file");
		return false;
	}
	if (status->st_size > FILE_MAX_BYTES) {
		files_problem(problems, path, 0, "is larger than %d bytes", FILE_MAX_BYTES);
		return false;
	}
	if (status->st_mode & S_IWOTH) {
		files_problem(problems, path, 0, "everybody may write to it: refused (chmod o-w)");
		return false;
	}
	if (secret && status->st_mode & S_IROTH)
		warn(problems, path, "everybody may read the passwords in it (chmod o-r)");
	return true;
}

bool files_read(struct config_problems *problems, const char *path, bool secret, struct buf *text)
{
	struct stat status;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

	if (fd < 0 || fstat(fd, &status) != 0) {
		files_problem(problems, path, 0, "%s", strerror(errno));
		if (fd >= 0)
			close(fd);
		return false;
	}
	bool done = check_mode(problems, path, &status, secret);
	if (done && !file_read(fd, FILE_MAX_BYTES, text)) {
		files_problem(problems, path, 0, "%s", strerror(errno));
		done = false;
	}
	close(fd);
	return done;
}
