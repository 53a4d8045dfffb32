/* Stands in for libFuzzer where there is none: runs a fuzz target over files and folders of inputs.
 *
 * Each input is also run cut short at every length (up to CUT_MAX), since "the rest has not arrived" is the one thing
 * that happens to every parser. Inputs lie in memory of exactly their size, so that a sanitizer sees a read beyond. */
#include <dirent.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pgweir/mem.h"

enum { INPUT_MAX = 1 << 20, CUT_MAX = 512 };

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static unsigned inputs;

static void run(const char *bytes, size_t size)
{
	uint8_t *exact = mem_dup(bytes, size);

	LLVMFuzzerTestOneInput(exact, size);
	mem_free(exact);
}

static bool run_file(const char *path)
{
	FILE *file = fopen(path, "rb");

	if (!file) {
		perror(path);
		return false;
	}
	char *bytes = mem_alloc(INPUT_MAX);
	size_t size = fread(bytes, 1, INPUT_MAX, file);

	fclose(file);
	for (size_t cut = 0; cut < size && cut < CUT_MAX; cut++)
		run(bytes, cut);
	run(bytes, size);
	mem_free(bytes);
	inputs++;
	return true;
}

static bool run_path(const char *path)
{
	DIR *folder = opendir(path);
	bool good = true;

	if (!folder)
		return run_file(path);
	for (struct dirent *entry; (entry = readdir(folder));) {
		if (entry->d_name[0] == '.')
			continue;
		char *inside = mem_printf("%s/%s", path, entry->d_name);

		good &= run_file(inside);
		mem_free(inside);
	}
	closedir(folder);
	return good;
}

int main(int argc, char **argv)
{
	bool good = true;

	run("", 0);
	for (int i = 1; i < argc; i++)
		good &= run_path(argv[i]);
	printf("%u inputs\n", inputs);
	return good && inputs ? EXIT_SUCCESS : EXIT_FAILURE;
}
