/* Where the secret of a provision is kept, and changed.
 *
 * One interface, a class for each provider that can be written to. Versions carry stages as in Secrets Manager: the current
 * one is what everybody uses, the pending one is about to take over, the previous one has just been replaced. Tags say whose
 * secret it is. Every write can be repeated: the same version id with the same text changes nothing. */
#ifndef PGWEIR_PROVISION_STORE_H
#define PGWEIR_PROVISION_STORE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "pgweir/config.h"
#include "pgweir/credentials.h"
#include "pgweir/error.h"

enum stored_state { STORED_MISSING, STORED_EMPTY, STORED_GOOD, STORED_DELETED };

struct stored {
	enum stored_state state;
	char *current, *pending, *previous;     /* Ids of versions; NULL: none. A pending one that is current is none. */
	char *provision, *role;                 /* Tags; NULL: it has none. */
	char *foreign;                          /* Who else rotates it, in words; NULL: nobody. */
};

struct stored_text {
	char *text;                             /* mem_secret_free(); NULL: there is no such version, or it is empty. */
	int64_t created_s;                      /* Since 1970; 0: not known. */
};

struct store;

/* NULL: `error`; the provider cannot be written to. What waits for a service gives up soon after `stop` becomes true; may
 * be NULL. */
struct store *store_open(const struct config_secret *secret, const atomic_bool *stop, struct error *error) MUST_USE;
void store_close(struct store **store);
const char *store_place(const struct store *store);            /* Its id or path, for people. */

bool store_describe(struct store *store, struct stored *stored, struct error *error) MUST_USE;
void stored_fini(struct stored *stored);
bool store_get(struct store *store, enum secret_stage stage, struct stored_text *text, struct error *error) MUST_USE;
void stored_text_fini(struct stored_text *text);

/* A secret that does not exist, with its first version and its tags; current at once. */
bool store_create(struct store *store, const char *version, const char *text, const char *provision, const char *role,
	struct error *error) MUST_USE;
/* A further version. SQLSTATE 42710 in `error`: there is one of that id with another text. What is current afterwards is to
 * be read: it may be what an earlier run has begun to store. */
bool store_put(struct store *store, const char *version, const char *text, enum secret_stage stage, struct error *error)
	MUST_USE;
/* Makes a pending version the current one, if `from` is still that. */
bool store_promote(struct store *store, const char *version, const char *from, struct error *error) MUST_USE;
bool store_tag(struct store *store, const char *provision, const char *role, struct error *error) MUST_USE;
/* With a time in which it can be brought back; `until` (may stay NULL) is what to tell people about that. */
bool store_delete(struct store *store, char **until, struct error *error) MUST_USE;
bool store_restore(struct store *store, struct error *error) MUST_USE;

/* Called after each write that was done; tests end the process there. */
void store_watch(struct store *store, void (*wrote)(void *arg), void *arg);

/* --- For the classes --- */

void store_wrote(const struct store *store);

struct store_class {
	const char *provider;
	bool (*open)(struct store *store, struct error *error);
	void (*close)(struct store *store);
	bool (*describe)(struct store *store, struct stored *stored, struct error *error);
	bool (*get)(struct store *store, enum secret_stage stage, struct stored_text *text, struct error *error);
	bool (*create)(struct store *store, const char *version, const char *text, const char *provision, const char *role,
		struct error *error);
	bool (*put)(struct store *store, const char *version, const char *text, enum secret_stage stage, struct error *error);
	bool (*promote)(struct store *store, const char *version, const char *from, struct error *error);
	bool (*tag)(struct store *store, const char *provision, const char *role, struct error *error);
	bool (*delete)(struct store *store, char **until, struct error *error);
	bool (*restore)(struct store *store, struct error *error);
};

struct store {
	const struct store_class *class;
	const struct config_secret *secret;
	const atomic_bool *stop;
	void (*wrote)(void *arg);
	void *arg;
	void *own;
};

extern const struct store_class store_aws_class, store_file_class;

#endif
