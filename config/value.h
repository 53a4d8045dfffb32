/* The types that settings have: text to value and back.
 *
 * A type is one row of functions, in the file whose concept it is; value.c has the table of them. Nothing but that table
 * knows which types there are. Errors say what would have been right and never show the value: a secret may stand where it
 * does not belong, and the environment is expanded by now. */
#ifndef PGWEIR_VALUE_H
#define PGWEIR_VALUE_H

#include "setting.h"

/* `field` is the row's place in the snapshot, of the C type that setting.h names beside the SETTING_… of the type. */
struct value_type {
	const char *word;               /* What the reference calls it. */
	/* Takes the whole text, and releases what the field held; false: `error`. */
	bool (*parse)(const struct setting *setting, const struct setting_base *base, const char *text, void *field,
	              struct error *error);
	/* Appends what `parse` reads back to the same value; nothing where it is not set. */
	void (*format)(const struct setting *setting, const void *field, struct buf *out);
	/* Frees what the field owns; NULL: it owns nothing. */
	void (*clear)(const struct setting *setting, void *field);
};

/* value_number.c */
extern const struct value_type value_int, value_uint, value_port, value_mode;
/* value_time.c */
extern const struct value_type value_duration, value_duration_int, value_size;
/* value_text.c */
extern const struct value_type value_text, value_word, value_list, value_names, value_path, value_address;
/* value_hosts.c */
extern const struct value_type value_hosts, value_peer;

/* --- value_word.c: the words of a setting, and the types that consist of them --- */

extern const struct value_type value_bool, value_enum;

/* The word, whatever its case, or NULL. `words` may be NULL. */
const struct setting_word *value_word_find(const struct setting_word *words, const char *text);
const char *value_word_of(const struct setting_word *words, int value);         /* NULL: it has no word. */
bool value_word_refuse(const struct setting_word *words, struct error *error);  /* False, with all words in the error. */

#endif
