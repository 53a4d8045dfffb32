/* The words for TLS modes, both ways. */
#include "pgweir/config.h"
#include "setting.h"

const struct setting_word sslmode_words[] = {
	{ "disable", SSLMODE_DISABLE },
	{ "allow", SSLMODE_ALLOW },
	{ "prefer", SSLMODE_PREFER },
	{ "require", SSLMODE_REQUIRE },
	{ "verify-ca", SSLMODE_VERIFY_CA },
	{ "verify-full", SSLMODE_VERIFY_FULL },
	{ 0 },
};

const char *config_sslmode_word(enum sslmode sslmode)
{
	for (const struct setting_word *word = sslmode_words; word->word; word++)
		if (word->value == (int)sslmode)
			return word->word;
	CHECK(!"a mode of sslmode_words");
	return NULL;
}
