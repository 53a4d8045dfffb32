/* The control plane: signals, the configuration as it is published, listening, and the orderly end.
 *
 * Everything here belongs to the control thread. */
#ifndef PGWEIR_CONTROL_H
#define PGWEIR_CONTROL_H

#include <stdbool.h>

#include "pgweir/config.h"
#include "pgweir/error.h"
#include "pgweir/login.h"
#include "pgweir/loop.h"

enum control_shutdown {
	CONTROL_DRAIN,                  /* SIGTERM: drain_delay, then idle clients bit by bit, all by drain_timeout. */
	CONTROL_WAIT_FOR_SERVERS,       /* Clients may finish their transactions; no new queries; then as CONTROL_NOW. */
	CONTROL_WAIT_FOR_CLIENTS,       /* Accepts nobody, and ends when the last client has left of its own accord. */
	CONTROL_NOW,
};

/* The console's part, on the control thread. */
struct control_console {
	void (*receive)(struct login_session *session);
	void (*stop)(void);             /* Before the control loop goes away. */
};

/* The pages' part, on the control thread. */
struct control_pages {
	bool (*open)(const struct config *config, struct error *error);
	void (*close)(void);            /* Before the control loop goes away, after the workers have ended. */
};

/* Reads what the configuration names: users, rules, certificates of both sides. On false `problems` has at least one text.
 * Needs nothing that runs. */
bool control_check(const struct config *config, struct config_problems *problems) MUST_USE;

/* Runs pgweir with a configuration that has been loaded (takes the reference). Returns the process's exit status. */
int control_run(struct config *config, const struct control_console *console, const struct control_pages *pages);

struct loop *control_loop(void);
struct config *control_config(void);            /* The one in force; borrowed. */
uint64_t control_started_us(void);

/* Reads the file again. On false `problems` says why and nothing has changed. */
bool control_reload(struct config_problems *problems) MUST_USE;
/* Sets a key of [pgweir] until the next reload. */
bool control_set(const char *key, const char *value, struct error *error) MUST_USE;
void control_shutdown(enum control_shutdown how);
bool control_is_shutting_down(void);

#endif
