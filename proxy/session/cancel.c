/* Cancel requests: who is meant, and what is done.
 *
 * A key is looked up on each worker in turn, by pid and key together. In transaction mode the pid is ours: the id of
 * this process among its peers, a bit that keeps it above every real pid, and a number. What nobody here knows may be a
 * peer's. */
#include <string.h>

#include "pgweir/log.h"
#include "pgweir/mem.h"
#include "session_internal.h"

enum { PID_PEER_SHIFT = 23, PID_OURS = 1 << 22, PID_NUMBER_MASK = PID_OURS - 1 };

static struct session **bucket(struct worker *worker, uint32_t pid)
{
	return &worker->sessions_by_pid[pid & (worker->pid_buckets - 1)];
}

static void grow_table(struct worker *worker)
{
	struct session **old = worker->sessions_by_pid;
	size_t old_buckets = worker->pid_buckets;

	worker->pid_buckets = old_buckets ? old_buckets * 2 : 64;
	worker->sessions_by_pid = NEW_ARRAY(struct session *, worker->pid_buckets);
	for (size_t i = 0; i < old_buckets; i++) {
		for (struct session *session = old[i], *next; session; session = next) {
			struct session **at = bucket(worker, session->pid);

			next = session->next_by_pid;
			session->next_by_pid = *at;
			*at = session;
		}
	}
	mem_free(old);
}

static bool pid_is_taken(struct worker *worker, uint32_t pid)
{
	for (const struct session *session = *bucket(worker, pid); session; session = session->next_by_pid)
		if (session->pid == pid)
			return true;
	return false;
}

/* Numbers of one worker differ from those of the others, and by one among themselves: buckets fill evenly. */
static uint32_t make_pid(struct worker *worker)
{
	uint32_t pid;

	do {
		uint32_t number = worker->next_pid++ * workers_count() + worker->index;

		pid = (uint32_t)worker->config->peer_id << PID_PEER_SHIFT | PID_OURS | (number & PID_NUMBER_MASK);
	} while (pid_is_taken(worker, pid));
	return pid;
}

/* Two servers may give the same pid to two sessions: the key tells them apart. */
void session_register(struct session *session)
{
	struct worker *worker = session->worker;

	if (worker->pid_count >= worker->pid_buckets)
		grow_table(worker);
	worker->pid_count++;
	if (!session->pid)
		session->pid = make_pid(worker);
	struct session **at = bucket(worker, session->pid);

	session->next_by_pid = *at;
	*at = session;
	session->registered = true;
}

void session_unregister(struct session *session)
{
	if (!session->registered)
		return;
	struct session **at = bucket(session->worker, session->pid);

	while (*at != session)
		at = &(*at)->next_by_pid;
	*at = session->next_by_pid;
	session->worker->pid_count--;
	session->registered = false;
}

static struct session *find(struct worker *worker, const struct login_cancel *cancel)
{
	struct session *session = worker->pid_buckets ? *bucket(worker, cancel->pid) : NULL;

	for (; session; session = session->next_by_pid)
		if (session->pid == cancel->pid && session->key_size == cancel->key_size
			&& mem_equal_secret(session->key, cancel->key, cancel->key_size))
			return session;
	return NULL;
}

/* A question of our own behind a transaction is not what the client wants to end; a cancel of it could come late, and hit
 * what the client asks next. */
static bool works_for_client(const struct session *session)
{
	const struct requests *requests = &session->backend->requests;

	for (uint32_t i = 0; i < requests_count(requests); i++)
		if (!(requests_at(requests, i)->flags & REQUEST_INJECTED))
			return true;
	return session->held.size > 0;
}

void session_cancel(struct session *session)
{
	if (session->state == SESSION_WAITING) {
		pool_waiter_cancel(&session->waiter);
		session_fail_waiting(session, "57014", "canceling statement due to user request", NULL);
		return;
	}
	if (session->backend && works_for_client(session))
		pool_cancel(session->backend);
}

struct search {
	struct loop_letter letter;
	struct login_cancel *cancel;
	unsigned next;
};

static void drop_search(struct loop_letter *letter)
{
	struct search *search = CONTAINER_OF(letter, struct search, letter);

	login_cancel_free(&search->cancel);
	mem_free(search);
}

static void pass_to_peer(struct worker *worker, const struct login_cancel *cancel)
{
	struct config *config = worker->config;
	unsigned peer_id = cancel->pid >> PID_PEER_SHIFT;

	worker->cancels_unknown++;
	if (!(cancel->pid & PID_OURS) || peer_id == config->peer_id)
		return;
	for (size_t i = 0; i < config->peer_count; i++)
		if (config->peers[i].id == peer_id)
			server_cancel_peer(config, config->peers[i].host, config->peers[i].port, cancel->pid, cancel->key,
				cancel->key_size);
}

static void look_here(struct loop_letter *letter)
{
	struct search *search = CONTAINER_OF(letter, struct search, letter);
	struct worker *worker = worker_at(search->next++);
	struct session *session = find(worker, search->cancel);

	if (session) {
		worker->cancels_delivered++;
		worker_now(worker);
		session_cancel(session);
	} else if (search->next < workers_count()) {
		loop_post(worker_at(search->next)->loop, &search->letter);
		return;
	} else {
		pass_to_peer(worker, search->cancel);
	}
	login_cancel_free(&search->cancel);
	mem_free(search);
}

void session_receive_cancel(struct login_cancel *cancel)
{
	struct search *search = NEW(struct search);

	search->cancel = cancel;
	search->letter = (struct loop_letter){ .deliver = look_here, .drop = drop_search };
	loop_post(worker_at(0)->loop, &search->letter);
}
