/* Where one [secret] section's value comes from: read at the start, when it is due, and when somebody asks; what comes of it
 * is published as the secret's lease. Knows nothing of other sections. The control loop's thread. */
#ifndef PGWEIR_SECRETS_SOURCE_H
#define PGWEIR_SECRETS_SOURCE_H

#include "pgweir/secrets.h"
#include "watch.h"

/* What all sources of the service share. */
struct source_home {
	struct loop *control;
	secrets_changed_cb *changed;
	void *arg;
	struct watch watch;
};

struct source;

/* `section` lives as long as the source, or until source_use(). Nothing is read before source_start(), which may call back. */
struct source *source_new(struct source_home *home, const struct config_secret *section);
void source_start(struct source *source);
void source_free(struct source *source);        /* Who waits is told that the reading was in vain. */

const struct config_secret *source_section(const struct source *source);
/* What is fetched is not fetched again because of a reload that changed nothing of it: source_use() does then. */
bool source_serves(const struct source *source, const struct config_secret *section);
void source_use(struct source *source, const struct config_secret *section);

/* As secrets_refresh(), secrets_refresh_after() and secrets_next_ms() (secrets.h). */
enum secrets_refresh source_refresh(struct source *source, struct secrets_waiter *waiter);
void source_refresh_after(struct source *source, struct secrets_waiter *waiter);
int64_t source_next_ms(const struct source *source);

/* Something has changed in a folder, which may be the one that its file lies in. */
void source_look_soon(struct source *source, int folder);

/* The service counts them. */
void secrets_count_reading(const char *name, bool good);

#endif
