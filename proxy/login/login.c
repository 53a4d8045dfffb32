/* The life of a login: accepted on any thread, carried to a login thread, driven by its phases, freed here.
 *
 * Failure story: a client that says nothing, or goes away, costs a descriptor and less than a kilobyte until
 * client_login_timeout; how many of them there may be is bounded, and the oldest of them give way to newcomers. login_stop()
 * ends the logins on the threads where they live and waits for that, so that nothing of this library runs afterwards. */
#include "login_internal.h"

#include <pthread.h>
#include <semaphore.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pgweir/clock.h"
#include "pgweir/descriptors.h"
#include "pgweir/log.h"
#include "pgweir/login_counts.h"
#include "pgweir/mem.h"
#include "pgweir/server.h"
#include "pgweir/socket.h"

enum {
	LOGINS_SPARE = 1000,            /* Logins under way beyond max_client_conn: cancels come this way too. */
	LOGINS_OVER = 256,              /* Beyond that, on their way to have others make room. */
	SILENT_AFTER_US = 1000000,
	SCARCE_MS = 2000,
	SILENT_SOUGHT = 16,             /* Among as many of the oldest. */
};

/* The logins of one login thread. */
struct login_home {
	struct login_home *next;
	struct loop *loop;
	struct list logins;             /* The thread's own. */
	struct login_turns turns;
	struct loop_letter stop;
	sem_t stopped;
};

static struct {
	pthread_mutex_t mutex;
	bool running;
	struct login_home *homes;
	struct login_receiver receiver; /* Does not change while logins live. */
} service = { .mutex = PTHREAD_MUTEX_INITIALIZER };

static _Atomic unsigned logins;
static _Atomic bool refusing;

unsigned login_count(void)
{
	return atomic_load_explicit(&logins, memory_order_relaxed);
}

void login_refuse(bool refuse)
{
	atomic_store(&refusing, refuse);
}

bool login_refusing(void)
{
	return atomic_load(&refusing);
}

const struct login_receiver *login_receiver(void)
{
	return &service.receiver;
}

static void login_free(struct login **login)
{
	struct login *gone = *login;

	*login = NULL;
	if (gone->home) {
		list_remove(&gone->link);
		loop_timer_stop(&gone->timer);
		login_turns_leave(&gone->home->turns, gone);
	}
	authenticator_free(&gone->authenticator);
	conn_close(&gone->conn);
	login_forget_input(gone);
	startup_request_free(&gone->request);
	client_slot_release(&gone->slot);
	tls_context_unref(&gone->tls);
	config_unref(&gone->config);
	mem_free(gone);
	atomic_fetch_sub_explicit(&logins, 1, memory_order_relaxed);
}

void login_continue(struct login *login, enum login_move move)
{
	while (move == LOGIN_NEXT)
		move = login_phase_run(login);
	if (move == LOGIN_END)
		login_free(&login);
}

void login_wait_for_turn(struct login *login)
{
	login_turns_wait(&login->home->turns, login);
}

static void on_io(unsigned what, void *arg)
{
	struct login *login = arg;
	enum login_move move = LOGIN_NEXT;

	login->ended = what & LOOP_CLOSED;
	if (what & LOOP_WRITE && login->phase != LOGIN_PHASE_TLS) {
		if (!conn_flush(&login->conn))
			move = LOGIN_END;
		else if (login->phase == LOGIN_PHASE_LINGER && !conn_blocked(&login->conn))
			conn_shutdown(&login->conn);
	}
	login_continue(login, move);
}

/* What happens at the end of the time. A client that has said nothing gets no answer, and no line in the log. */
static void on_timeout(void *arg)
{
	struct login *login = arg;
	struct error error;

	error_set(&error, "57014", "canceling authentication due to timeout");
	if (login->phase == LOGIN_PHASE_LINGER || (login->phase <= LOGIN_PHASE_FIRST_BYTES && !login->in.size))
		login_continue(login, LOGIN_END);
	else
		login_continue(login, login_fail(login, &error));
}

/* Whoever floods the listener shall not flood the log as well. */
static void log_flood(void)
{
	static _Atomic uint64_t last_ms;
	uint64_t now = clock_now_ms(), last = atomic_load(&last_ms);

	if (now - last >= 1000 && atomic_compare_exchange_strong(&last_ms, &last, now))
		log_warning("too many logins under way", LOG_INT("logins", login_count()));
}

static bool has_room(const struct config *config, unsigned spare)
{
	if (config->max_client_conn <= 0 || login_count() <= (unsigned)config->max_client_conn + spare)
		return true;
	log_flood();
	return false;
}

/* It is the client's turn, and there is nothing of it that we have not read. */
static bool is_silent(const struct login *login)
{
	char byte;

	return login->phase != LOGIN_PHASE_AUTH_WAITING && clock_now_us() - login->accepted_us >= SILENT_AFTER_US
		&& recv(login->conn.fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0;
}

/* Else a thousand connections that say nothing would keep every newcomer out until client_login_timeout. */
static bool make_room(struct login_home *home)
{
	struct error error;
	unsigned seen = 0;

	error_set(&error, "53300", "too many logins are under way, and this one waits for its client");
	LIST_FOREACH(link, next, &home->logins) {
		struct login *login = LIST_MEMBER(link, struct login, link);

		if (is_silent(login)) {
			login_say(login, &error);
			login_free(&login);
			return true;
		}
		if (++seen == SILENT_SOUGHT)
			break;
	}
	return false;
}

/* Where descriptors are scarce others wait to be accepted. 0: as long as it likes. */
static uint64_t time_for(const struct login *login)
{
	uint64_t usual_ms = login->config->client_login_timeout_ms;

	if (!descriptors_crowded() || make_room(login->home))
		return usual_ms;
	return usual_ms && usual_ms < SCARCE_MS ? usual_ms : SCARCE_MS;
}

static void begin(struct loop_letter *letter)
{
	struct login *login = CONTAINER_OF(letter, struct login, letter);
	struct login_home *home = login->home;

	list_init(&login->link);
	loop_timer_init(&login->timer, home->loop, on_timeout, login);
	if (!has_room(login->config, LOGINS_SPARE) && !make_room(home)) {
		login_free(&login);
		return;
	}
	uint64_t time_ms = time_for(login);

	/* Not sooner: it may have waited for this thread for so long that it would make room itself. */
	list_push_back(&home->logins, &login->link);
	if (time_ms)
		loop_timer_start(&login->timer, time_ms);
	socket_tune(login->conn.fd, login->config);
	conn_attach(&login->conn, home->loop, on_io, login);
}

/* With the lock held. */
static struct login_home *home_of(struct loop *loop)
{
	struct login_home *home = service.homes;

	while (home && home->loop != loop)
		home = home->next;
	if (home)
		return home;
	home = NEW(struct login_home);
	home->loop = loop;
	home->next = service.homes;
	list_init(&home->logins);
	login_turns_init(&home->turns, loop);
	sem_init(&home->stopped, 0, 0);
	service.homes = home;
	return home;
}

/* Posting with the lock held puts every login ahead of the letter with which login_stop() ends them all. */
static bool send_home(struct login *login)
{
	pthread_mutex_lock(&service.mutex);
	bool running = service.running;

	if (running) {
		login->home = home_of(login_threads_next());
		login->letter.deliver = begin;
		loop_post(login->home->loop, &login->letter);
	}
	pthread_mutex_unlock(&service.mutex);
	return running;
}

void login_accept(int fd, const struct sockaddr_storage *peer)
{
	struct login *login = NEW(struct login);

	atomic_fetch_add_explicit(&logins, 1, memory_order_relaxed);
	login_count_received();
	conn_init_client(&login->conn, fd);
	login->address = *peer;
	login->accepted_us = clock_now_us();
	bool good = login_setup_current(&login->config, &login->tls)
		&& has_room(login->config, LOGINS_SPARE + LOGINS_OVER);

	if (good) {
		login->phase = login->config->proxy_protocol && !login_is_local(login) ? LOGIN_PHASE_PROXY_HEADER
			: LOGIN_PHASE_FIRST_BYTES;
		good = send_home(login);
	}
	if (!good)
		login_free(&login);
}

void login_start(const struct login_receiver *receiver)
{
	pthread_mutex_lock(&service.mutex);
	CHECK(!service.running && !service.homes);
	service.receiver = *receiver;
	service.running = true;
	pthread_mutex_unlock(&service.mutex);
	login_refuse(false);
}

static void end_logins(struct loop_letter *letter)
{
	struct login_home *home = CONTAINER_OF(letter, struct login_home, stop);
	struct error error;

	error_set(&error, "57P01", "terminating connection due to administrator command");
	LIST_FOREACH(link, next, &home->logins) {
		struct login *login = LIST_MEMBER(link, struct login, link);

		login_say(login, &error);
		login_free(&login);
	}
	login_turns_fini(&home->turns);
	sem_post(&home->stopped);
}

static void home_free(struct login_home *home)
{
	while (sem_wait(&home->stopped) != 0)
		continue;
	sem_destroy(&home->stopped);
	mem_free(home);
}

void login_stop(void)
{
	pthread_mutex_lock(&service.mutex);
	struct login_home *homes = service.homes;

	service.running = false;
	service.homes = NULL;
	for (struct login_home *home = homes; home; home = home->next) {
		home->stop.deliver = end_logins;
		loop_post(home->loop, &home->stop);
	}
	pthread_mutex_unlock(&service.mutex);
	while (homes) {
		struct login_home *next = homes->next;

		home_free(homes);
		homes = next;
	}
	login_setup_fini();
}
