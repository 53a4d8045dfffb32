#include "pgweir/log.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "log_internal.h"
#include "pgweir/clock.h"
#include "pgweir/log_recent.h"
#include "pgweir/utf8.h"

static const struct {
	const char *text;
	const char *json;
	int priority;           /* syslog's. */
} levels[] = {
	[LOG_LEVEL_DEBUG] = { "DEBUG", "debug", 7 },
	[LOG_LEVEL_INFO] = { "LOG", "info", 6 },
	[LOG_LEVEL_WARNING] = { "WARNING", "warning", 4 },
	[LOG_LEVEL_ERROR] = { "ERROR", "error", 3 },
};

enum { LINE_USUAL = 256 };

static _Atomic int threshold = LOG_LEVEL_INFO;
static _Atomic int log_format_now = LOG_FORMAT_TEXT;
static _Atomic int log_fd = STDERR_FILENO;
static _Atomic bool to_journal;
static _Atomic uint64_t lines_lost;
static _Atomic bool last_line_torn;
static _Atomic bool failing;

const char *log_level_word(enum log_level level)
{
	return levels[level].json;
}

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

/* systemd says in JOURNAL_STREAM which device and inode the journal's socket has. */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat found;

	return stream && sscanf(stream, "%llu:%llu", &device, &inode) == 2 && fstat(STDERR_FILENO, &found) == 0
		&& found.st_dev == device && found.st_ino == inode;
}

/* The new destination takes over the old one's descriptor number, so that no thread ever writes to a closed one. */
static int redirect(const char *path, int now)
{
	int fd = path ? open(path, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0640) : fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0);

	if (fd < 0)
		return errno;
	if (now == STDERR_FILENO) {
		atomic_store(&log_fd, fd);
		return 0;
	}
	int failed = dup3(fd, now, O_CLOEXEC) < 0 ? errno : 0;

	close(fd);
	return failed;
}

int log_open(const char *path)
{
	int now = atomic_load(&log_fd);
	int failed = path || now != STDERR_FILENO ? redirect(path, now) : 0;

	if (failed == 0)
		atomic_store(&to_journal, !path && stderr_is_journal());
	return failed;
}

/* Control characters, those beyond ASCII too (terminals obey U+009B), as \u; a byte that is not UTF-8 as U+FFFD, since
 * readers of JSON would refuse the whole line for it. */
static void append_escaped(struct buf *line, const char *text)
{
	const char *at = text;
	uint32_t code;

	while (*at) {
		size_t size = utf8_char(at, &code);

		if (size == 0)
			buf_append_text(line, "\\ufffd");
		else if (code == '"' || code == '\\')
			buf_printf(line, "\\%c", *at);
		else if (code < 0x20 || (code >= 0x7f && code < 0xa0))
			buf_printf(line, "\\u%04x", code);
		else
			buf_append(line, at, size);
		at += size ? size : 1;
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

void log_put_fields(struct buf *line, const struct log_field *fields, const char *but)
{
	for (; fields->name; fields++) {
		if ((fields->is_text && !fields->text) || (but && strcmp(fields->name, but) == 0))
			continue;
		buf_printf(line, " %s=", fields->name);
		if (!fields->is_text)
			buf_printf(line, "%lld", (long long)fields->number);
		else if (plain_word(fields->text))
			buf_append_text(line, fields->text);
		else
			append_quoted(line, fields->text);
	}
}

static void append_text_line(struct buf *line, enum log_level level, const char *event, const struct log_field *fields, bool pid)
{
	if (pid)
		buf_printf(line, "[%d] ", (int)getpid());
	buf_printf(line, "%s ", levels[level].text);
	buf_append_text(line, event);
	log_put_fields(line, fields, NULL);
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
 * lines, never time: a pipe that polls as writable takes PIPE_BUF bytes without waiting. */
static ssize_t write_now(int fd, const struct buf *line)
{
	struct pollfd destination = { .fd = fd, .events = POLLOUT };

	errno = 0;
	if (poll(&destination, 1, 0) == 1 && destination.revents & POLLOUT)
		return write(fd, line->bytes, line->size);
	errno = EAGAIN;
	return -1;
}

static bool emit(const struct buf *line)
{
	ssize_t written = write_now(atomic_load_explicit(&log_fd, memory_order_relaxed), line);

	if (written > 0)
		atomic_store_explicit(&last_line_torn, written != (ssize_t)line->size, memory_order_relaxed);
	return written == (ssize_t)line->size;
}

static void format_line(struct buf *line, enum log_level level, const char *event, const struct log_field *fields)
{
	bool json = atomic_load_explicit(&log_format_now, memory_order_relaxed) == LOG_FORMAT_JSON;
	bool journal = atomic_load_explicit(&to_journal, memory_order_relaxed);

	/* The journal takes the priority off again, and has a time and a pid of its own. */
	if (journal)
		buf_printf(line, "<%d>", levels[level].priority);
	if (json || !journal)
		append_time(line, json);
	if (json)
		append_json_line(line, level, event, fields);
	else
		append_text_line(line, level, event, fields, !journal);
}

/* A logfile that takes nothing more cannot say so: standard error can, and SHOW EVENTS, once until it does again. A line
 * that was cut off has no reason, the next one has. */
static void tell_of_failure(int reason)
{
	const struct log_field fields[] = { LOG_TEXT("reason", strerror(reason)), { 0 } };
	struct buf line = { 0 };

	if (atomic_load(&log_fd) == STDERR_FILENO || reason == 0 || reason == EAGAIN || atomic_exchange(&failing, true))
		return;
	log_recent_keep(LOG_LEVEL_ERROR, "cannot write to the log", fields);
	format_line(&line, LOG_LEVEL_ERROR, "cannot write to the log", fields);
	(void)write_now(STDERR_FILENO, &line);
	buf_fini(&line);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields)
{
	struct buf line = { 0 };

	if (level >= LOG_LEVEL_WARNING)
		log_recent_keep(level, event, fields);
	uint64_t lost = atomic_exchange(&lines_lost, 0);

	buf_reserve(&line, LINE_USUAL);
	if (lost && atomic_load_explicit(&last_line_torn, memory_order_relaxed))
		buf_append_char(&line, '\n');
	if (lost)
		format_line(&line, LOG_LEVEL_WARNING, "log lines were lost",
			(const struct log_field[]){ LOG_INT("lines", lost), { 0 } });
	format_line(&line, level, event, fields);
	if (emit(&line)) {
		atomic_store_explicit(&failing, false, memory_order_relaxed);
	} else {
		int reason = errno;

		atomic_fetch_add(&lines_lost, lost + 1);
		tell_of_failure(reason);
	}
	buf_fini(&line);
}

void log_write_notable(const char *event, const struct log_field *fields)
{
	log_recent_keep(LOG_LEVEL_INFO, event, fields);
	if (log_threshold() <= LOG_LEVEL_INFO)
		log_write(LOG_LEVEL_INFO, event, fields);
}
