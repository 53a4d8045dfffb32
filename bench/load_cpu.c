#include "load_cpu.h"

#include <dirent.h>
#include <stdio.h>
#include <string.h>

static uint64_t thread_run_ns(pid_t pid, const char *thread)
{
	char path[320];
	unsigned long long run_ns = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/task/%s/schedstat", (int)pid, thread);
	file = fopen(path, "re");
	if (!file)
		return 0;
	if (fscanf(file, "%llu", &run_ns) != 1)
		run_ns = 0;
	fclose(file);
	return run_ns;
}

static void read_split(pid_t pid, struct cpu_sample *sample)
{
	char path[64];
	char line[1024];
	const char *behind_name;
	unsigned long long user = 0;
	unsigned long long system = 0;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	file = fopen(path, "re");
	if (!file)
		return;
	/* Fields 14 and 15; the second, the name in parentheses, may hold blanks. */
	behind_name = fgets(line, sizeof(line), file) ? strrchr(line, ')') : NULL;
	if (behind_name && sscanf(behind_name, ") %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu %llu", &user,
				  &system) == 2) {
		sample->user_ticks = user;
		sample->system_ticks = system;
	}
	fclose(file);
}

struct cpu_sample cpu_sample_take(pid_t pid)
{
	struct cpu_sample sample = { 0 };
	char path[64];
	struct dirent *entry;
	DIR *threads;

	snprintf(path, sizeof(path), "/proc/%d/task", (int)pid);
	threads = opendir(path);
	if (!threads)
		return sample;
	while ((entry = readdir(threads)))
		if (entry->d_name[0] != '.')
			sample.run_ns += thread_run_ns(pid, entry->d_name);
	closedir(threads);
	read_split(pid, &sample);
	return sample;
}
