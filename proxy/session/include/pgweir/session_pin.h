/* What sessions leave on their server connections, and why they keep them. */
#ifndef PGWEIR_SESSION_PIN_H
#define PGWEIR_SESSION_PIN_H

/* What a session may leave on its server connection, as far as the server can be asked about it (leftovers.c). */
enum leftover {
	LEFTOVER_SETTINGS,
	LEFTOVER_STATEMENTS,    /* Made by SQL's PREPARE. */
	LEFTOVER_CURSORS,       /* WITH HOLD. */
	LEFTOVER_LOCKS,         /* Session-level advisory locks. */
	LEFTOVER_TEMPORARY,     /* Tables and whatever else lies in the temporary schema. */
	LEFTOVER_LIBRARIES,     /* About these two it cannot. */
	LEFTOVER_SEED,
	LEFTOVER_COUNT,
};

/* Why a session keeps its server connection beyond the transaction. */
enum session_pin {
	PIN_SESSION_MODE,
	PIN_LISTEN,
	PIN_PREPARE,            /* A statement that was prepared together with others, and cannot be again. */
	PIN_CURSOR,
	PIN_ADVISORY_LOCK,
	PIN_TEMPORARY,
	PIN_LOAD,
	PIN_SEED,
	PIN_CUSTOM_SETTING,     /* One whose name is not known. */
	PIN_SEQUENCE,           /* The client asks for currval() or lastval(), and has written. */
	PIN_LARGE_STATEMENT,
	PIN_UNTRACKED_STATEMENT,
	PIN_FUNCTION,           /* A function has left what the server cannot be asked about. */
	PIN_UNKNOWN,            /* The server did not say what is left. */
	PIN_COUNT,
};
#define PIN_BIT(pin) (1u << (pin))
const char *session_pin_name(enum session_pin pin);

#endif
