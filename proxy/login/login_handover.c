/* What comes of a login: a session or a cancel. Failure story: none; whatever could go wrong has been asked before. */
#include <string.h>

#include "login_internal.h"
#include "pgweir/clock.h"
#include "pgweir/log.h"
#include "pgweir/login_counts.h"
#include "pgweir/mem.h"
#include "pgweir/socket.h"

static void log_connection(const struct login_session *session)
{
	char address[SOCKET_ADDRESS_MAX];

	if (!session->config->log_connections)
		return;
	socket_address_text(&session->address, address, sizeof(address));
	log_info("client connected", LOG_TEXT("database", session->database_name), LOG_TEXT("user", session->user),
		LOG_TEXT("address", address), LOG_TEXT("replication", session->replication),
		LOG_TEXT("tls", tls_version(&session->conn)));
}

void login_hand_over_session(struct login *login, struct credentials *proved)
{
	struct startup_request *request = login->request;
	struct login_session *session = NEW(struct login_session);

	conn_detach(&login->conn);
	conn_move(&session->conn, &login->conn);
	session->slot = login->slot;
	session->config = config_ref(login->config);
	session->database = login->database;
	session->database_name = request->database;
	session->user = request->user;
	session->replication = request->replication;
	session->settings = request->settings;
	session->login_settings = request->login_settings;
	session->refusal = request->refusal;
	session->minor = request->minor;
	session->address = login->address;
	session->tls = session->conn.ssl != NULL;
	session->early = login->in;
	session->accepted_us = login->accepted_us;
	if (session->database)
		session->credentials = credentials_for_server(session->config, session->database, session->user, proved);
	if (proved && proved->secret) {
		session->secret = mem_strdup(proved->secret);
		session->secret_version = proved->secret_version;
	}
	/* The session owns these now. */
	login->slot = NULL;
	login->in = (struct buf){ 0 };
	request->database = request->user = request->replication = NULL;
	request->settings = request->login_settings = NULL;
	request->refusal = NULL;
	login_count_good(tls_version(&session->conn));
	log_connection(session);
	login_receiver()->session(session);
}

void login_session_free(struct login_session **session)
{
	struct login_session *gone = *session;

	*session = NULL;
	if (!gone)
		return;
	conn_close(&gone->conn);
	client_slot_release(&gone->slot);
	credentials_unref(&gone->credentials);
	mem_free(gone->secret);
	state_unref(&gone->settings);
	state_unref(&gone->login_settings);
	mem_free(gone->refusal);
	buf_fini_secret(&gone->early);
	mem_free(gone->database_name);
	mem_free(gone->user);
	mem_free(gone->replication);
	config_unref(&gone->config);
	mem_free(gone);
}

bool login_hand_over_cancel(struct login *login)
{
	struct login_cancel *cancel;
	const char *key;
	size_t key_size;
	uint32_t pid;

	if (!wire_cancel_parse(login->in.bytes, login->in.size, &pid, &key, &key_size))
		return false;
	cancel = NEW(struct login_cancel);
	cancel->pid = pid;
	cancel->key_size = key_size;
	memcpy(cancel->key, key, key_size);
	conn_detach(&login->conn);
	conn_move(&cancel->conn, &login->conn);
	login_receiver()->cancel(cancel);
	return true;
}

void login_cancel_free(struct login_cancel **cancel)
{
	struct login_cancel *gone = *cancel;

	*cancel = NULL;
	if (!gone)
		return;
	conn_close(&gone->conn);
	mem_wipe(gone->key, sizeof(gone->key));
	mem_free(gone);
}
