#include "pgweir/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "pgweir/buf.h"
#include "pgweir/clock.h"

static const struct {
	const char *text;
	const char *json;
} levels[] = {
	[LOG_LEVEL_DEBUG] = { "DEBUG", "debug" },
	[LOG_LEVEL_INFO] = { "LOG", "info" },
	[LOG_LEVEL_WARNING] = { "WARNING", "warning" },
	[LOG_LEVEL_ERROR] = { "ERROR", "error" },
};

static _Atomic int threshold = LOG_LEVEL_INFO;
static _Atomic int log_format_now = LOG_FORMAT_TEXT;
static _Atomic int log_fd = STDERR_FILENO;
static _Atomic uint64_t lines_lost;

enum log_level log_threshold(void)
{
	return (enum log_level)atomic_load_explicit(&threshold, memory_order_relaxed);
}

void log_set_level(enum log_level level)
{
	atomic_store(&threshold, (int)level);
}

void log_set_format(enum log_format format)
{
	atomic_store(&log_format_now, (int)format);
}

/* The new file takes over the old one's descriptor number, so that no thread ever writes to a closed one. */
int log_open(const char *path)
{
	if (!path) {
		int old = atomic_exchange(&log_fd, STDERR_FILENO);

		if (old != STDERR_FILENO)
			close(old);
		return 0;
	}
	int fd = open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640);

	if (fd < 0)
		return errno;
	int now = atomic_load(&log_fd);

	if (now == STDERR_FILENO) {
		atomic_store(&log_fd, fd);
		return 0;
	}
	int failed = dup3(fd, now, O_CLOEXEC) < 0 ? errno : 0;

	close(fd);
	return failed;
}

static void append_escaped(struct buf *line, const char *text)
{
	for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
		if (*at == '"' || *at == '\\')
			buf_printf(line, "\\%c", *at);
		else if (*at < 0x20 || *at == 0x7f)
			buf_printf(line, "\\u%04x", *at);
		else
			buf_append_char(line, (char)*at);
	}
}

static void append_quoted(struct buf *line, const char *text)
{
	buf_append_char(line, '"');
	append_escaped(line, text);
	buf_append_char(line, '"');
}

static bool plain_word(const char *text)
{
	size_t plain = strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.:/@*+,%[]()<>");

	return plain > 0 && text[plain] == '\0';
}

static void append_text_line(struct buf *line, enum log_level level, const char *event, const struct log_field *fields)
{
	buf_printf(line, "[%d] %s ", (int)getpid(), levels[level].text);
	buf_append_text(line, event);
	for (; fields->name; fields++) {
		if (fields->is_text && !fields->text)
			continue;
		buf_printf(line, " %s=", fields->name);
		if (!fields->is_text)
			buf_printf(line, "%lld", (long long)fields->number);
		else if (plain_word(fields->text))
			buf_append_text(line, fields->text);
		else
			append_quoted(line, fields->text);
	}
	buf_append_char(line, '\n');
}

static void append_json_line(struct buf *line, enum log_level level, const char *event, const struct log_field *fields)
{
	buf_printf(line, "\"level\":\"%s\",\"pid\":%d,\"event\":", levels[level].json, (int)getpid());
	append_quoted(line, event);
	for (; fields->name; fields++) {
		if (fields->is_text && !fields->text)
			continue;
		buf_printf(line, ",\"%s\":", fields->name);
		if (fields->is_text)
			append_quoted(line, fields->text);
		else
			buf_printf(line, "%lld", (long long)fields->number);
	}
	buf_append_text(line, "}\n");
}

static void append_time(struct buf *line, bool json)
{
	int64_t wall_us = clock_wall_us();
	time_t seconds = (time_t)(wall_us / 1000000);
	struct tm parts;
	char text[32];

	gmtime_r(&seconds, &parts);
	strftime(text, sizeof(text), json ? "%Y-%m-%dT%H:%M:%S" : "%Y-%m-%d %H:%M:%S", &parts);
	buf_printf(line, json ? "{\"time\":\"%s.%03dZ\"," : "%s.%03d UTC ", text, (int)(wall_us / 1000 % 1000));
}

/* One write per line keeps lines whole between threads. A reader that does not keep up (a pipe, a full disk) costs
 * lines, never time. */
static void emit(const struct buf *line)
{
	ssize_t written = write(atomic_load_explicit(&log_fd, memory_order_relaxed), line->bytes, line->size);

	if (written != (ssize_t)line->size)
		atomic_fetch_add(&lines_lost, 1);
}

static void format_line(struct buf *line, enum log_level level, const char *event, const struct log_field *fields)
{
	bool json = atomic_load_explicit(&log_format_now, memory_order_relaxed) == LOG_FORMAT_JSON;

	append_time(line, json);
	if (json)
		append_json_line(line, level, event, fields);
	else
		append_text_line(line, level, event, fields);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
	static _Thread_local struct buf line;
	uint64_t lost = atomic_exchange(&lines_lost, 0);

	line.size = 0;
	if (lost)
		format_line(&line, LOG_LEVEL_WARNING, "log lines were lost",
			(const struct log_field[]){ LOG_INT("lines", lost), { 0 } });
	format_line(&line, level, event, fields);
	emit(&line);
}
