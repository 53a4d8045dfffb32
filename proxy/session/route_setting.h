/* pgweir's own settings: pgweir.route, pgweir.min_position, and what SHOW pgweir.position tells. They are never sent to a
 * server, count at once, and no ROLLBACK takes them back. */
#ifndef PGWEIR_SESSION_ROUTE_SETTING_H
#define PGWEIR_SESSION_ROUTE_SETTING_H

#include "leftovers.h"

enum own_command { OWN_NONE, OWN_SHOW, OWN_SET, OWN_RESET };
enum own_setting { OWN_ROUTE, OWN_MIN_POSITION, OWN_POSITION, OWN_SETTINGS };

struct own_statement {
	enum own_command command;       /* OWN_NONE: it is about something else. */
	enum own_setting setting;
	enum refusal refusal;           /* Why it cannot be done. */
	bool to_startup;                /* RESET, or TO DEFAULT. */
	int mode;                       /* Of OWN_ROUTE: enum routing_mode, or -1. */
	uint64_t min_us;                /* Of OWN_MIN_POSITION. */
};

/* Tells most texts from the first letters. */
static inline bool route_setting_may_be(const char *text, size_t size)
{
	while (size && (*text == ' ' || *text == '\n' || *text == '\t' || *text == '\r'))
		text++, size--;
	if (size < 11 || ((*text | 32) != 's' && (*text | 32) != 'r'))
		return false;
	/* SET, SHOW, RESET; not SELECT. */
	return (text[2] | 32) == 't' || (text[2] | 32) == 'o' || (text[2] | 32) == 's';
}

struct own_statement route_setting_parse(const char *text, size_t size);
const char *route_setting_name(enum own_setting setting);
char *route_setting_value(struct session *session, enum own_setting setting) MUST_USE;
void route_setting_apply(struct session *session, const struct own_statement *statement);
/* Takes them out of what the client begins with. A reason to refuse it, or REFUSAL_NONE. */
enum refusal route_setting_take_startup(struct session *session, struct state **settings);
/* Of all there are: RESET ALL, if the text is that, or (without a text) DISCARD ALL. */
void route_setting_reset_all(struct session *session, const char *text, size_t size);
/* Of a text that reaches a server connection all the same: a reason not to send it, or REFUSAL_NONE. */
enum refusal route_setting_refusal(const struct session *session, const char *text, size_t size);

/* In front of a message, whatever it is: answers what is about pgweir's own settings. How many bytes have been dealt with; 0:
 * it is something else; -1: it must wait. */
ssize_t route_setting_answer(struct session *session, const char *bytes, size_t size);

#endif
