/* Server connections and targets as objects: who frees what. */
#include "pgweir/server.h"

#include <stdatomic.h>

#include "pgweir/mem.h"
#include "pgweir/trials.h"

struct server_target *server_target_ref(struct server_target *target)
{
	atomic_fetch_add_explicit(&target->references, 1, memory_order_relaxed);
	return target;
}

void server_target_unref(struct server_target **target)
{
	struct server_target *gone = *target;

	*target = NULL;
	if (!gone || atomic_fetch_sub_explicit(&gone->references, 1, memory_order_acq_rel) != 1)
		return;
	credentials_unref(&gone->credentials);
	state_unref(&gone->login_state);
	mem_free(gone->dbname);
	mem_free(gone->replication);
	config_unref(&gone->config);    /* Last: `database` and `host` live in it. */
	mem_free(gone);
}

void server_free(struct server **server)
{
	struct server *gone = *server;

	*server = NULL;
	if (!gone)
		return;
	conn_close(&gone->conn);
	if (gone->trials)
		trials_closed(gone->trials);
	server_target_unref(&gone->target);
	parameters_fini(&gone->parameters);
	buf_fini(&gone->early);
	mem_wipe(gone->key, sizeof(gone->key));
	mem_free(gone);
}
