/* Failure story: a command that hangs is killed with all of its process group when its time is up; one that cannot be
 * started, fails, or prints too much is an error. What it says on standard error goes to ours. It counts as ended when the
 * process itself has ended, whoever still holds its pipe. */
#include "process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "pgweir/mem.h"

enum { WORDS_MAX = 64 };

struct process {
	pid_t pid;                      /* 0: it was never started, or is gone. */
	struct loop_io output_io, end_io;
	int output_fd, end_fd;
	struct loop_timer timer;
	struct buf output;
	struct error error;
	bool failed;
	process_cb *callback;
	void *arg;
};

/* --- Words --- */

/* The next word, unquoted in its place; NULL: there is none. */
static char *next_word(char **rest)
{
	char *from = *rest + strspn(*rest, " \t"), *to = from, *word = from, quote = '\0';

	if (!*from)
		return NULL;
	for (; *from && (quote || !strchr(" \t", *from)); from++) {
		if (quote ? *from == quote : *from == '\'' || *from == '"')
			quote = quote ? '\0' : *from;
		else if (*from == '\\' && quote != '\'' && from[1])
			*to++ = *++from;
		else
			*to++ = *from;
	}
	*rest = *from ? from + 1 : from;
	*to = '\0';
	return word;
}

/* --- The end --- */

static void close_fd(struct loop_io *io, int *fd)
{
	loop_io_fini(io);
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void free_process(struct process *process)
{
	if (process->pid) {
		kill(-process->pid, SIGKILL);
		while (waitpid(process->pid, NULL, 0) < 0 && errno == EINTR)
			continue;
	}
	close_fd(&process->output_io, &process->output_fd);
	close_fd(&process->end_io, &process->end_fd);
	loop_timer_stop(&process->timer);
	buf_fini_secret(&process->output);
	mem_free(process);
}

static void end(struct process *process)
{
	process->callback(&process->output, process->failed ? &process->error : NULL, process->arg);
	free_process(process);
}

static void fail(struct process *process, const char *text)
{
	process->failed = true;
	error_set(&process->error, NULL, "%s", text);
}

/* --- While it runs --- */

static void read_output(struct process *process)
{
	ssize_t size = 1;

	while (size > 0 && process->output.size <= PROCESS_OUTPUT_MAX) {
		size = read(process->output_fd, buf_reserve(&process->output, BUFSIZ), BUFSIZ);
		process->output.size += size > 0 ? (size_t)size : 0;
	}
	if (size == 0)
		loop_io_fini(&process->output_io);
}

static void output_ready(unsigned what, void *arg)
{
	struct process *process = arg;

	(void)what;
	read_output(process);
	if (process->output.size <= PROCESS_OUTPUT_MAX)
		return;
	fail(process, "it printed too much");
	end(process);
}

static void ended(unsigned what, void *arg)
{
	struct process *process = arg;
	int status = 0;

	(void)what;
	if (waitpid(process->pid, &status, WNOHANG) != process->pid)
		return;
	process->pid = 0;
	read_output(process);
	if (process->output.size > PROCESS_OUTPUT_MAX)
		fail(process, "it printed too much");
	else if (!WIFEXITED(status) || WEXITSTATUS(status) != 0)
		fail(process, WIFEXITED(status) ? "it failed" : "it was killed");
	end(process);
}

/* Its time, or, where it could not be started, at once. */
static void time_is_up(void *arg)
{
	struct process *process = arg;

	if (!process->failed)
		fail(process, "it took too long");
	end(process);
}

/* --- The start --- */

static int spawn(struct process *process, char **words, int output)
{
	extern char **environ;
	posix_spawn_file_actions_t files;
	posix_spawnattr_t attributes;
	sigset_t none, defaults;

	sigemptyset(&none);
	sigemptyset(&defaults);
	sigaddset(&defaults, SIGPIPE);
	posix_spawn_file_actions_init(&files);
	posix_spawn_file_actions_addopen(&files, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	posix_spawn_file_actions_adddup2(&files, output, STDOUT_FILENO);
	posix_spawnattr_init(&attributes);
	posix_spawnattr_setsigmask(&attributes, &none);
	posix_spawnattr_setsigdefault(&attributes, &defaults);
	posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
	int result = posix_spawnp(&process->pid, words[0], &files, &attributes, words, environ);

	posix_spawn_file_actions_destroy(&files);
	posix_spawnattr_destroy(&attributes);
	if (result != 0)
		process->pid = 0;
	return result;
}

static bool run(struct process *process, const char *command)
{
	char *text = mem_strdup(command), *rest = text, *words[WORDS_MAX + 1] = { 0 };
	int pipes[2], result = EINVAL;

	for (size_t i = 0; i < WORDS_MAX && (words[i] = next_word(&rest)); i++)
		continue;
	if (words[0] && pipe2(pipes, O_CLOEXEC) == 0) {
		result = spawn(process, words, pipes[1]);
		close(pipes[1]);
		process->output_fd = pipes[0];
		fcntl(pipes[0], F_SETFL, O_NONBLOCK);
	}
	mem_free(text);
	if (result == 0)
		process->end_fd = pidfd_open(process->pid, 0);
	if (result == 0 && process->end_fd < 0)
		result = errno;
	errno = result;
	return result == 0;
}

struct process *process_start(struct loop *loop, const char *command, uint64_t timeout_ms, process_cb *callback, void *arg)
{
	struct process *process = NEW(struct process);

	*process = (struct process){ .output_fd = -1, .end_fd = -1, .callback = callback, .arg = arg };
	loop_timer_init(&process->timer, loop, time_is_up, process);
	if (!run(process, command)) {
		fail(process, strerror(errno));
		loop_timer_start(&process->timer, 0);
		return process;
	}
	loop_io_init(&process->output_io, loop, process->output_fd, output_ready, process);
	loop_io_init(&process->end_io, loop, process->end_fd, ended, process);
	loop_io_read(&process->output_io, true);
	loop_io_read(&process->end_io, true);
	loop_timer_start(&process->timer, timeout_ms);
	return process;
}

void process_cancel(struct process **process)
{
	struct process *gone = *process;

	*process = NULL;
	if (gone)
		free_process(gone);
}
