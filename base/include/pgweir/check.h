/* Assertions that stay on in release builds.
 *
 * CHECK is for bugs of our own: it prints what was expected and aborts. Anything an outside party can cause
 * is an error value instead (error.h). */
#ifndef PGWEIR_CHECK_H
#define PGWEIR_CHECK_H

#define MUST_USE __attribute__((warn_unused_result))
/* Seldom called from where every message passes: kept out of its callers. */
#define COLD __attribute__((cold, noinline))
#define PRINTF_LIKE(text_at, first_at) __attribute__((format(printf, text_at, first_at)))

#define CHECK(condition) \
	(__builtin_expect(!!(condition), 1) ? (void)0 : check_failed(#condition, __FILE__, __LINE__, __func__))

__attribute__((noreturn, cold)) void check_failed(const char *condition, const char *file, int line, const char *function);

#define ARRAY_LEN(array) (sizeof(array) / sizeof((array)[0]))
#define CONTAINER_OF(pointer, type, member) ((type *)(void *)((char *)(pointer) - offsetof(type, member)))

#endif
