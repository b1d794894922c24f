/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* Instead of libFuzzer: hands a target each file named, and each in directories named. */
#include <dirent.h>
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static size_t replayed;

static void fail(const char *path)
{
	fprintf(stderr, "replay: %s: %s\n", path, strerror(errno));
	exit(1);
}

static void replay_file(const char *path, size_t size)
{
	FILE *file = fopen(path, "rbe");
	/* Exactly as large as the data, for the sanitizer to see what goes beyond. */
	uint8_t *data = malloc(size);

	if (!file || (size && !data) || fread(data, 1, size, file) != size)
		fail(path);
	fclose(file);
	LLVMFuzzerTestOneInput(data, size);
	free(data);
	replayed++;
}

static void replay(const char *path)
{
	struct stat st;

	if (stat(path, &st) < 0)
		fail(path);
	if (!S_ISDIR(st.st_mode)) {
		replay_file(path, (size_t)st.st_size);
		return;
	}

	DIR *dir = opendir(path);

	if (!dir)
		fail(path);
	for (struct dirent *entry; (entry = readdir(dir));) {
		char *inside;

		if (entry->d_name[0] == '.')
			continue;
		if (asprintf(&inside, "%s/%s", path, entry->d_name) < 0)
			fail(path);
		replay(inside);
		free(inside);
	}
	closedir(dir);
}

int main(int argc, char **argv)
{
	for (int i = 1; i < argc; i++)
		replay(argv[i]);
	if (!replayed) {
		fputs("replay: no files\n", stderr);
		return 1;
	}
	printf("%zu inputs\n", replayed);
	return 0;
}
