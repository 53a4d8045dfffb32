/* Names that a text gives, for whoever wants to know them. */
#include "scan_internal.h"

static char folded_byte(char byte)
{
	return byte >= 'A' && byte <= 'Z' ? (char)(byte | ' ') : byte;
}

size_t scan_names_fold(const struct scan *scan, char *folded)
{
	size_t size = scan->word_size < SCAN_WORD_MAX ? scan->word_size : SCAN_WORD_MAX;

	for (size_t i = 0; i < size; i++)
		folded[i] = scan->quoted ? scan->word_at[i] : folded_byte(scan->word_at[i]);
	folded[size] = '\0';
	return size;
}

void scan_names_mention(struct scan *scan)
{
	char folded[SCAN_WORD_MAX + 1];
	size_t size = scan_names_fold(scan, folded);

	scan->mentioned(folded, size, scan->called_arg);
}

void scan_filter_add(struct scan_filter *filter, const char *name, size_t size)
{
	size_t slot = scan_word_slot(scan_word_spell(name, size), size);

	filter->bits[slot / 64] |= 1ull << (slot % 64);
}

void scan_names_lose(struct scan *scan)
{
	if (scan->names)
		scan->names->lost = true;
}

static struct scan_name *next_name(struct scan *scan, uint32_t effect)
{
	if (!scan->names || scan->names->count == SCAN_NAMES_MAX) {
		scan_names_lose(scan);
		return NULL;
	}
	struct scan_name *name = &scan->names->list[scan->names->count++];

	*name = (struct scan_name){ .effect = effect };
	return name;
}

/* The last word, or all. What is longer PostgreSQL cuts at a character's end, which depends on the encoding. */
void scan_names_push(struct scan *scan, uint32_t effect, bool all)
{
	if (!all && (scan->word_size > SCAN_WORD_MAX || scan->word_size == 0)) {
		scan_names_lose(scan);
		return;
	}
	struct scan_name *name = next_name(scan, effect);

	if (!name)
		return;
	name->all = all;
	if (all)
		return;
	name->size = (uint8_t)scan_names_fold(scan, name->text);
	name->spelled = scan->word_at == scan->kept ? NULL : scan->word_at;
	name->spelled_size = scan->word_size;
}

void scan_names_push_text(struct scan *scan, uint32_t effect, const char *text)
{
	struct scan_name *name = next_name(scan, effect);

	if (!name)
		return;
	name->size = (uint8_t)strlen(text);
	memcpy(name->text, text, name->size);
}

/* A setting's, or the parameter that has it. */
void scan_names_push_setting(struct scan *scan)
{
	struct scan_name *name = next_name(scan, SCAN_SETS_CUSTOM);

	if (!name)
		return;
	name->parameter = (uint16_t)scan->parameter;
	name->size = (uint8_t)scan->setting_size;
	memcpy(name->text, scan->setting, name->size);
}

void scan_names_push_provisionally(struct scan *scan, uint32_t effect)
{
	uint8_t before = scan->names ? scan->names->count : 0;

	scan_names_push(scan, effect, false);
	scan->provisional = scan->names && scan->names->count > before;
}

/* The provisional one was none; if it was lost, that stays so. */
void scan_names_pop(struct scan *scan)
{
	if (scan->provisional)
		scan->names->list[--scan->names->count] = (struct scan_name){ 0 };
	scan->provisional = false;
}
