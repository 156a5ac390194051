/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * replay.c: main() of a fuzz target where libFuzzer is not linked: runs every file of the
 * directories and every file named on the command line. With no input at all it fails.
 */
#include "fuzz.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include "base/err.h"
#include "base/fsutil.h"

enum { REPLAY_BYTES_MAX = 16 << 20 };

static unsigned long replay_file(const char *path)
{
	char *data, *exact;
	size_t len;
	int rc = file_read(path, REPLAY_BYTES_MAX, &data, &len);

	if (rc < 0) {
		fprintf(stderr, "%s: %s\n", path, err_text(rc));
		exit(1);
	}
	/* of exactly its size, so that reading behind it is seen */
	exact = malloc(len ? len : 1);
	if (!exact)
		exit(1);
	memcpy(exact, data, len);
	free(data);
	LLVMFuzzerTestOneInput((const uint8_t *)exact, len);
	free(exact);
	return 1;
}

static unsigned long replay_dir(const char *dir)
{
	DIR *d = opendir(dir);
	unsigned long n = 0;
	struct dirent *e;

	if (!d) {
		perror(dir);
		exit(1);
	}
	while ((e = readdir(d))) {
		char path[PATH_MAX];

		if (e->d_name[0] == '.')
			continue;
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		n += replay_file(path);
	}
	closedir(d);
	return n;
}

int main(int argc, char **argv)
{
	unsigned long n = 0;

	for (int i = 1; i < argc; i++) {
		struct stat st;

		if (stat(argv[i], &st) < 0) {
			perror(argv[i]);
			return 1;
		}
		n += S_ISDIR(st.st_mode) ? replay_dir(argv[i]) : replay_file(argv[i]);
	}
	printf("%lu inputs\n", n);
	return n == 0;
}
