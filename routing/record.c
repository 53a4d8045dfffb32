/* Failure story: a file is written beside the old one, brought to the disk, and put in its place, so that a crash leaves
 * the one or the other. What was damaged all the same does not add up with its last line, and counts as missing: then the
 * hosts must tell, as without a file. */
#include "record.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "pgweir/file.h"
#include "pgweir/log.h"
#include "pgweir/loop.h"
#include "pgweir/mem.h"
#include "pgweir/thread.h"

enum { FILE_MAX = 64 * 1024 };

static struct thread *writer;
static _Atomic unsigned failures;

/* FNV-1a: it must be the same for ever, and nobody is expected to lie. */
static uint64_t sum_of(const char *bytes, size_t size)
{
	uint64_t sum = UINT64_C(0xcbf29ce484222325);

	for (size_t i = 0; i < size; i++)
		sum = (sum ^ (unsigned char)bytes[i]) * UINT64_C(0x100000001b3);
	return sum;
}

static bool is_plain(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '_';
}

static char *path_of(const char *folder, const char *cluster)
{
	struct buf path = { 0 };

	buf_printf(&path, "%s/cluster-", folder);
	for (const char *at = cluster; *at; at++)
		buf_printf(&path, is_plain(*at) ? "%c" : "%%%02X", (unsigned char)*at);
	return buf_take_text(&path);
}

static void put_host(struct buf *out, const struct config_host *host)
{
	buf_printf(out, "host %s:%u\n", host->host, (unsigned)host->port);
}

/* --- Reading --- */

/* NULL: there is none, or none that can be read. */
static char *read_text(const char *path)
{
	struct buf text = { 0 };
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	bool good = fd >= 0 && file_read(fd, FILE_MAX, &text);

	if (!good && errno != ENOENT)
		log_warning("cannot read the record of a cluster", LOG_TEXT("path", path), LOG_TEXT("reason", strerror(errno)));
	if (fd >= 0)
		close(fd);
	if (good)
		return buf_take_text(&text);
	buf_fini(&text);
	return NULL;
}

static bool parse(const char *text, struct record *record)
{
	const char *newline = strstr(text, "\nsum ");
	char last[32];

	if (!newline)
		return false;
	snprintf(last, sizeof(last), "\nsum %016" PRIx64 "\n", sum_of(text, (size_t)(newline + 1 - text)));
	if (strcmp(newline, last) != 0)
		return false;
	return sscanf(text, "pgweir cluster 1\nsystem %" SCNu64 "\ntimeline %" SCNu32 "\n", &record->system_identifier,
		&record->newest_timeline) == 2;
}

/* With no host in common it is another cluster by the same name. */
static bool is_about(const char *text, const struct config_cluster *cluster)
{
	bool found = false;

	for (size_t i = 0; i < cluster->host_count && !found; i++) {
		struct buf line = { 0 };

		buf_append_char(&line, '\n');
		put_host(&line, &cluster->hosts[i]);
		buf_append_char(&line, '\0');
		found = strstr(text, line.bytes) != NULL;
		buf_fini(&line);
	}
	return found;
}

bool record_read(const char *folder, const struct config_cluster *cluster, struct record *record)
{
	char *path = path_of(folder, cluster->name), *text = read_text(path);
	bool sound = text && parse(text, record), ours = sound && is_about(text, cluster);

	if (text && !sound)
		log_warning("the record of a cluster is damaged, and is left aside", LOG_TEXT("cluster", cluster->name),
			LOG_TEXT("path", path));
	else if (sound && !ours)
		log_info("the record is of another cluster by this name", LOG_TEXT("cluster", cluster->name), LOG_TEXT("path", path));
	mem_free(text);
	mem_free(path);
	return ours;
}

/* --- Writing --- */

struct writing {
	struct loop_letter letter;
	char *path;
	struct buf text;
};

/* Also what is done with one that comes when the thread has ended. */
static void write_record(struct loop_letter *letter)
{
	struct writing *writing = CONTAINER_OF(letter, struct writing, letter);

	if (!file_replace(writing->path, writing->text.bytes, writing->text.size)) {
		log_error("cannot keep the record of a cluster", LOG_TEXT("path", writing->path), LOG_TEXT("reason", strerror(errno)));
		atomic_fetch_add(&failures, 1);
	}
	mem_free(writing->path);
	buf_fini(&writing->text);
	mem_free(writing);
}

void record_write(const char *folder, const struct config_cluster *cluster, const struct record *record)
{
	struct writing *writing = NEW(struct writing);
	struct buf *text = &writing->text;

	writing->letter = (struct loop_letter){ .deliver = write_record, .drop = write_record };
	writing->path = path_of(folder, cluster->name);
	buf_printf(text, "pgweir cluster 1\nsystem %" PRIu64 "\ntimeline %" PRIu32 "\n", record->system_identifier,
		record->newest_timeline);
	for (size_t i = 0; i < cluster->host_count; i++)
		put_host(text, &cluster->hosts[i]);
	buf_printf(text, "sum %016" PRIx64 "\n", sum_of(text->bytes, text->size));
	if (!writer)
		writer = thread_start("records", NULL, NULL, NULL);
	loop_post(thread_loop(writer), &writing->letter);
}

unsigned record_failures(void)
{
	return atomic_load(&failures);
}

void record_stop(void)
{
	thread_stop(&writer);
}
