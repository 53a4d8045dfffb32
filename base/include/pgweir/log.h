/* One line per event: a time, a level, an event text that never varies, and named values.
 *
 *     log_info("server connection opened", LOG_TEXT("database", name), LOG_INT("pid", pid));
 *
 * Text form: `2026-01-02 03:04:05.678 UTC [pid] LOG server connection opened database=app pid=17`; JSON form: one
 * object. Values are escaped, so that nothing a client sends can forge a line. May be called from any thread.
 * Never pass a secret. */
#ifndef PGWEIR_LOG_H
#define PGWEIR_LOG_H

#include <stddef.h>
#include <stdint.h>

#include "pgweir/check.h"

enum log_level {
	LOG_LEVEL_DEBUG,
	LOG_LEVEL_INFO,
	LOG_LEVEL_WARNING,
	LOG_LEVEL_ERROR,
};

enum log_format {
	LOG_FORMAT_TEXT,
	LOG_FORMAT_JSON,
};

struct log_field {
	const char *name;
	const char *text;       /* NULL: `number` counts. A text field given NULL is left out by the writer. */
	int64_t number;
	int is_text;
};

#define LOG_TEXT(name_, text_) ((struct log_field){ .name = (name_), .text = (text_), .is_text = 1 })
#define LOG_INT(name_, number_) ((struct log_field){ .name = (name_), .number = (int64_t)(number_) })

#define log_event(level, event, ...) \
	do { \
		if ((level) >= log_threshold()) \
			log_write((level), (event), (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ) { 0 } }); \
	} while (0)
#define log_debug(event, ...) log_event(LOG_LEVEL_DEBUG, event __VA_OPT__(, ) __VA_ARGS__)
#define log_info(event, ...) log_event(LOG_LEVEL_INFO, event __VA_OPT__(, ) __VA_ARGS__)
/* As log_info(), for what people want to see later too (log_recent.h). */
#define log_notable(event, ...) \
	log_write_notable((event), (const struct log_field[]){ __VA_ARGS__ __VA_OPT__(, ) { 0 } })
#define log_warning(event, ...) log_event(LOG_LEVEL_WARNING, event __VA_OPT__(, ) __VA_ARGS__)
#define log_error(event, ...) log_event(LOG_LEVEL_ERROR, event __VA_OPT__(, ) __VA_ARGS__)

enum log_level log_threshold(void);
const char *log_level_word(enum log_level level);        /* "warning" */
void log_set_level(enum log_level level);
void log_set_format(enum log_format format);
/* Opens `path` for appending, or returns to standard error with NULL. A full disk loses lines, never the program;
 * the number of lost lines is logged when writing works again. Returns 0 or an errno. */
int log_open(const char *path) MUST_USE;

/* `fields` ends with a name of NULL. Use the macros above. */
void log_write(enum log_level level, const char *event, const struct log_field *fields);
void log_write_notable(const char *event, const struct log_field *fields);

#endif
