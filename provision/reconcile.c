/* Failure story: a pass that fails leaves everything as it is and says so; the next one comes after provision_interval.
 * Ending the process interrupts a pass wherever it waits for a server, as a crash would, and the next run goes on. */
#include "pgweir/reconcile.h"

#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <time.h>

#include "pgweir/clock.h"
#include "pgweir/log.h"
#include "pgweir/mem.h"

enum { LOOK_PAUSE_MS = 50, LOOK_MAX_MS = 3 * 1000 };

static struct {
	struct loop *control;
	struct config *shown;           /* Whose sections `rows` are. Control thread. */
	struct reconcile_row *rows;
	size_t count;
	pthread_t thread;
	bool running;
	atomic_bool stop;               /* The process ends. */
	pthread_mutex_t mutex;          /* Guards what follows. */
	pthread_cond_t changed;
	struct config *next;            /* For the thread to take; NULL: nothing new. */
	struct topology *topology;      /* A reference; NULL: none yet. */
	bool moved;                     /* There is another primary: time for a pass. */
} reconcile = { .mutex = PTHREAD_MUTEX_INITIALIZER };

struct finding {
	struct loop_letter letter;
	struct reconcile_row row;
	uint64_t generation;            /* Of the configuration that it is about. */
};

static void row_fini(struct reconcile_row *row)
{
	char *const texts[] = { row->name, row->cluster, row->role, row->login, row->place, row->problem };

	for (size_t i = 0; i < ARRAY_LEN(texts); i++)
		mem_free(texts[i]);
	*row = (struct reconcile_row){ 0 };
}

static void finding_free(struct loop_letter *letter)
{
	struct finding *finding = CONTAINER_OF(letter, struct finding, letter);

	row_fini(&finding->row);
	mem_free(finding);
}

/* --- On the control thread: what is shown --- */

static void log_change(const struct reconcile_row *before, const struct reconcile_row *now)
{
	bool same = before->looked_us && before->outcome == now->outcome && before->differences == now->differences
		&& (!before->problem || !now->problem || strcmp(before->problem, now->problem) == 0);

	if (same)
		return;
	if (now->outcome == PROVISION_CLEAN)
		log_info("provision is as declared", LOG_TEXT("provision", now->name), LOG_TEXT("role", now->role));
	else if (now->outcome == PROVISION_DRIFTED)
		log_warning("provision has drifted", LOG_TEXT("provision", now->name), LOG_TEXT("role", now->role),
			LOG_INT("differences", now->differences), LOG_TEXT("first", now->problem));
	else if (now->outcome == PROVISION_FAILED)
		log_warning("provision failed", LOG_TEXT("provision", now->name), LOG_TEXT("reason", now->problem));
}

static void take_finding(struct loop_letter *letter)
{
	struct finding *finding = CONTAINER_OF(letter, struct finding, letter);

	for (size_t i = 0; reconcile.shown && finding->generation == reconcile.shown->generation && i < reconcile.count; i++) {
		struct reconcile_row *row = &reconcile.rows[i];

		if (strcmp(row->name, finding->row.name) != 0)
			continue;
		log_change(row, &finding->row);
		finding->row.changed += row->changed;
		finding->row.rotations += row->rotations;
		finding->row.failed_rotations += row->failed_rotations;
		row_fini(row);
		*row = finding->row;
		finding->row = (struct reconcile_row){ 0 };
		break;
	}
	finding_free(letter);
}

const struct reconcile_row *reconcile_rows(size_t *count)
{
	*count = reconcile.count;
	return reconcile.rows;
}

static void forget_rows(void)
{
	for (size_t i = 0; i < reconcile.count; i++)
		row_fini(&reconcile.rows[i]);
	mem_free(reconcile.rows);
	reconcile.rows = NULL;
	reconcile.count = 0;
}

/* --- On the thread: a pass --- */

static void note(const char *text, void *arg)
{
	(void)arg;
	log_info("provision", LOG_TEXT("does", text));
}

static void count_steps(const struct plan *plan, struct reconcile_row *row)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct step *step = &plan->steps[i];
		bool different = step->kind == STEP_CHANGE || step->kind == STEP_BLOCKED;

		row->differences += different;
		row->extras += step->kind == STEP_EXTRA;
		if (different && !row->problem)
			row->problem = mem_strdup(step->what);
	}
}

static bool has_failed(const struct provision_report *report)
{
	return report->outcome == PROVISION_FAILED || report->outcome == PROVISION_BUSY;
}

static void take_failure(struct reconcile_row *row, const struct provision_report *report)
{
	row->outcome = report->outcome;
	mem_free(row->problem);
	row->problem = mem_strdup(report->error.text);
}

static void report_to(struct reconcile_row *row, const struct provision_report *report)
{
	const struct config_provision *section = report->section;

	*row = (struct reconcile_row){ .name = mem_strdup(section->name), .cluster = mem_strdup(section->cluster_name),
		.role = mem_strdup(report->role), .login = mem_strdup(report->user), .place = mem_strdup(report->place),
		.outcome = report->outcome, .changed = report->changed, .password_since_s = report->password_since_s,
		.looked_us = clock_now_us() };
	count_steps(&report->plan, row);
	if (has_failed(report))
		take_failure(row, report);
}

/* What the pass has found stays: a rotation mends none of it. */
static void add_rotation(struct reconcile_row *row, const struct provision_report *report)
{
	row->changed += report->changed;
	row->rotations += report->rotated;
	row->failed_rotations = report->outcome == PROVISION_FAILED;
	if (report->user) {
		mem_free(row->login);
		row->login = mem_strdup(report->user);
		row->password_since_s = report->password_since_s;
	}
	if (has_failed(report))
		take_failure(row, report);
}

static struct topology *current_topology(void)
{
	pthread_mutex_lock(&reconcile.mutex);
	struct topology *topology = topology_ref(reconcile.topology);

	pthread_mutex_unlock(&reconcile.mutex);
	return topology;
}

/* After the start it takes a moment until all hosts of a cluster have been looked at. */
static struct topology *await_topology(const char *cluster)
{
	struct timespec pause = { .tv_nsec = LOOK_PAUSE_MS * INT64_C(1000000) };
	uint64_t until_ms = clock_now_ms() + LOOK_MAX_MS;

	for (;;) {
		struct topology *topology = current_topology();
		const struct topology_cluster *observed = topology_find(topology, cluster);
		bool looking = observed && observed->standing == CLUSTER_LOOKING;

		if (!looking || clock_now_ms() >= until_ms || atomic_load(&reconcile.stop))
			return topology;
		topology_unref(&topology);
		nanosleep(&pause, NULL);
	}
}

static void look_at(const struct config *config, const struct config_provision *section)
{
	struct topology *topology = await_topology(section->cluster_name);
	struct provision_run run = { .config = config, .topology = topology, .stop = &reconcile.stop, .if_due = true, .note = note };
	bool apply = config->provision == PROVISION_APPLY;
	struct finding *finding = NEW(struct finding);
	struct provision_report report;

	if (apply)
		provision_apply(&run, section, &report);
	else
		provision_plan(&run, section, &report);
	report_to(&finding->row, &report);
	bool rotate = apply && report.rotation_due && !has_failed(&report);

	provision_report_fini(&report);
	if (rotate) {
		provision_rotate(&run, section, &report);
		add_rotation(&finding->row, &report);
		provision_report_fini(&report);
	}
	topology_unref(&topology);
	finding->generation = config->generation;
	finding->letter.deliver = take_finding;
	finding->letter.drop = finding_free;
	loop_post(reconcile.control, &finding->letter);
}

static void pass(const struct config *config)
{
	for (size_t i = 0; config->provision != PROVISION_OFF && i < config->provision_count; i++) {
		if (atomic_load(&reconcile.stop))
			return;
		look_at(config, &config->provisions[i]);
	}
}

/* Until there is another configuration or another primary, the time has come, or the process ends. */
static void wait_for_change(struct config **config)
{
	struct timespec until;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += (time_t)(*config ? (*config)->provision_interval_ms / 1000 : 3600);
	pthread_mutex_lock(&reconcile.mutex);
	while (!reconcile.next && !reconcile.moved && !atomic_load(&reconcile.stop))
		if (pthread_cond_timedwait(&reconcile.changed, &reconcile.mutex, &until) != 0)
			break;
	if (reconcile.next) {
		config_unref(config);
		*config = reconcile.next;
		reconcile.next = NULL;
	}
	reconcile.moved = false;
	pthread_mutex_unlock(&reconcile.mutex);
}

static void *run_thread(void *arg)
{
	struct config *config = NULL;

	(void)arg;
	(void)mem_wipe_freed();
	while (!atomic_load(&reconcile.stop)) {
		wait_for_change(&config);
		if (config && !atomic_load(&reconcile.stop))
			pass(config);
	}
	config_unref(&config);
	return NULL;
}

/* --- Start and end --- */

static void start_thread(void)
{
	sigset_t all, before;

	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &before);
	int failed = pthread_create(&reconcile.thread, NULL, run_thread, NULL);

	CHECK(!failed);
	pthread_setname_np(reconcile.thread, "provision");
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	reconcile.running = true;
}

void reconcile_start(struct loop *control)
{
	reconcile.control = loop_ref(control);
	atomic_store(&reconcile.stop, false);
	pthread_cond_init(&reconcile.changed, NULL);
}

static void show_sections(struct config *config)
{
	struct reconcile_row *rows = NEW_ARRAY(struct reconcile_row, config->provision_count);
	size_t count = config->provision == PROVISION_OFF ? 0 : config->provision_count;

	for (size_t i = 0; i < count; i++)
		rows[i] = (struct reconcile_row){ .name = mem_strdup(config->provisions[i].name),
			.cluster = mem_strdup(config->provisions[i].cluster_name) };
	forget_rows();
	reconcile.rows = rows;
	reconcile.count = count;
	config_unref(&reconcile.shown);
	reconcile.shown = config_ref(config);
}

void reconcile_configure(struct config *config)
{
	show_sections(config);
	bool wanted = config->provision != PROVISION_OFF && config->provision_count;

	/* Without anything to do there is no thread; one that runs hears that there is nothing to do any more. */
	if (!wanted && !reconcile.running)
		return;
	if (!reconcile.running)
		start_thread();
	pthread_mutex_lock(&reconcile.mutex);
	config_unref(&reconcile.next);
	reconcile.next = config_ref(config);
	pthread_cond_signal(&reconcile.changed);
	pthread_mutex_unlock(&reconcile.mutex);
}

static bool has_moved(const struct topology *before, const struct topology *now)
{
	for (size_t i = 0; i < now->cluster_count; i++) {
		const struct topology_host *primary = topology_primary(&now->clusters[i]);
		const struct topology_cluster *former = topology_find(before, now->clusters[i].name);
		const struct topology_host *known = former && primary ? topology_find_host(former, primary->host, primary->port) : NULL;

		if (primary && former && (!known || known->standing != HOST_PRIMARY))
			return true;
	}
	return false;
}

void reconcile_publish_topology(struct topology *topology)
{
	pthread_mutex_lock(&reconcile.mutex);
	reconcile.moved = reconcile.moved || has_moved(reconcile.topology, topology);
	topology_unref(&reconcile.topology);
	reconcile.topology = topology_ref(topology);
	pthread_cond_signal(&reconcile.changed);
	pthread_mutex_unlock(&reconcile.mutex);
}

void reconcile_stop(void)
{
	if (!reconcile.control)
		return;
	atomic_store(&reconcile.stop, true);
	pthread_mutex_lock(&reconcile.mutex);
	pthread_cond_signal(&reconcile.changed);
	pthread_mutex_unlock(&reconcile.mutex);
	if (reconcile.running)
		pthread_join(reconcile.thread, NULL);
	reconcile.running = false;
	forget_rows();
	config_unref(&reconcile.next);
	config_unref(&reconcile.shown);
	topology_unref(&reconcile.topology);
	pthread_cond_destroy(&reconcile.changed);
	loop_unref(reconcile.control);
	reconcile.control = NULL;
}
