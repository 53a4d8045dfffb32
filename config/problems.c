#include "problems.h"

#include <stdarg.h>

#include "pgweir/mem.h"

enum { PROBLEMS_MAX = 200 };

static PRINTF_LIKE(4, 0) void add(struct problems *problems, const struct place *place, bool warning, const char *format,
	va_list args)
{
	char *message = mem_vprintf(format, args);
	char *text = place->line ? mem_printf("%s:%u: %s", place->file, place->line, message)
	                         : mem_printf("%s: %s", place->file, message);

	mem_free(message);
	problems->list = mem_realloc(problems->list, (problems->count + 1) * sizeof(*problems->list));
	problems->list[problems->count++] = (struct problem){ .order = place->order, .warning = warning, .text = text };
	problems->error_count += !warning;
}

/* A file that is no configuration at all would have a problem on each line. */
static bool too_many(const struct problems *problems)
{
	return problems->count >= PROBLEMS_MAX;
}

void problems_error(struct problems *problems, const struct place *place, const char *format, ...)
{
	va_list args;

	problems->error_count += too_many(problems);
	if (too_many(problems))
		return;
	va_start(args, format);
	add(problems, place, false, format, args);
	va_end(args);
}

void problems_warn(struct problems *problems, const struct place *place, const char *format, ...)
{
	va_list args;

	if (too_many(problems))
		return;
	va_start(args, format);
	add(problems, place, true, format, args);
	va_end(args);
}

static void insert_sorted(struct problem *list, size_t count)
{
	for (size_t i = 1; i < count; i++) {
		struct problem moved = list[i];
		size_t at = i;

		for (; at > 0 && list[at - 1].order > moved.order; at--)
			list[at] = list[at - 1];
		list[at] = moved;
	}
}

void problems_finish(struct problems *problems, struct config_problems *out)
{
	*out = (struct config_problems){
		.texts = NEW_ARRAY(char *, problems->count + 1),
		.warnings = NEW_ARRAY(char *, problems->count),
	};
	insert_sorted(problems->list, problems->count);
	for (size_t i = 0; i < problems->count; i++) {
		if (problems->list[i].warning)
			out->warnings[out->warning_count++] = problems->list[i].text;
		else
			out->texts[out->count++] = problems->list[i].text;
	}
	if (problems->error_count > out->count) {
		out->texts[out->count] = mem_printf("… and %zu more", problems->error_count - out->count);
		out->count++;
	}
	mem_free(problems->list);
	*problems = (struct problems){ 0 };
}

void config_problems_add(struct config_problems *problems, const char *text)
{
	problems->texts = mem_realloc(problems->texts, (problems->count + 1) * sizeof(*problems->texts));
	problems->texts[problems->count++] = mem_strdup(text);
}

void config_problems_warn(struct config_problems *problems, const char *text)
{
	problems->warnings = mem_realloc(problems->warnings, (problems->warning_count + 1) * sizeof(*problems->warnings));
	problems->warnings[problems->warning_count++] = mem_strdup(text);
}

void config_problems_fini(struct config_problems *problems)
{
	for (size_t i = 0; i < problems->count; i++)
		mem_free(problems->texts[i]);
	for (size_t i = 0; i < problems->warning_count; i++)
		mem_free(problems->warnings[i]);
	mem_free(problems->texts);
	mem_free(problems->warnings);
	*problems = (struct config_problems){ 0 };
}
