#include "saslprep.h"

#include <string.h>
#include <stringprep.h>

#include "pgweir/mem.h"

/* NFKC makes a character up to 18 times as long; no password that matters gets near it. */
enum { SASLPREP_GROWTH = 18 };

/* ASCII is either unchanged or, with a control character, prohibited and so unchanged too. It never enters the
 * library, which does not wipe what it frees. */
static bool is_ascii(const char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text >= 0x80)
			return false;
	return true;
}

/* Tone marks that are prohibited, and turn into others that are not. PostgreSQL, unlike the RFC, looks for what is prohibited
 * before it normalizes. */
static bool has_tone_mark(const char *text)
{
	return strstr(text, "\xcd\x80") || strstr(text, "\xcd\x81");
}

char *saslprep(const char *password)
{
	if (is_ascii(password) || has_tone_mark(password))
		return mem_secret_dup(password);

	size_t size = strlen(password);
	size_t capacity = size * SASLPREP_GROWTH + 1;
	char *prepared = mem_alloc(capacity);

	memcpy(prepared, password, size);
	int status = stringprep(prepared, capacity, STRINGPREP_NO_UNASSIGNED, stringprep_saslprep);
	if (status == STRINGPREP_OK && prepared[0])
		return prepared;
	mem_wipe(prepared, capacity);
	mem_free(prepared);
	return mem_secret_dup(password);
}
