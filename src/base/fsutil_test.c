/* SPDX-License-Identifier: BSD-3-Clause */
/* fsutil_test.c: replacing, links, modes, bounds, and that failures leave the old file alone. */
#include "base/fsutil.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct place {
	char dir[64];
	char path[128];
};

static int setup(void **state)
{
	struct place *p = calloc(1, sizeof(*p));

	assert_non_null(p);
	strcpy(p->dir, "/tmp/ulio-fsutil.XXXXXX");
	assert_non_null(mkdtemp(p->dir));
	snprintf(p->path, sizeof(p->path), "%s/file", p->dir);
	*state = p;
	return 0;
}

static const char *name_in(const struct place *p, const char *name)
{
	static char path[PATH_MAX];

	snprintf(path, sizeof(path), "%s/%s", p->dir, name);
	return path;
}

/* Remove the directory's files; returns how many there were. */
static unsigned empty(const struct place *p)
{
	DIR *d = opendir(p->dir);
	struct dirent *e;
	unsigned n = 0;

	assert_non_null(d);
	while ((e = readdir(d))) {
		if (e->d_name[0] == '.')
			continue;
		n++;
		assert_int_equal(remove(name_in(p, e->d_name)), 0);
	}
	closedir(d);
	return n;
}

static int teardown(void **state)
{
	struct place *p = *state;

	empty(p);
	assert_int_equal(rmdir(p->dir), 0);
	free(p);
	return 0;
}

static void check(const char *path, const char *want, size_t want_len)
{
	char *data = NULL;
	size_t len = 99;

	assert_int_equal(file_read(path, 1 << 20, &data, &len), 0);
	assert_int_equal(len, want_len);
	assert_memory_equal(data, want, want_len);
	assert_int_equal(data[len], '\0');
	free(data);
}

static void replaces(void **state)
{
	struct place *p = *state;
	struct stat st;

	assert_int_equal(file_write_atomic(p->path, "first", 5, 0600), 0);
	check(p->path, "first", 5);
	assert_int_equal(file_write_atomic(p->path, "a\0b", 3, 0644), 0);
	check(p->path, "a\0b", 3);
	assert_int_equal(stat(p->path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0644);
	assert_int_equal(file_write_atomic(p->path, "", 0, 0600), 0);
	check(p->path, "", 0);
	assert_int_equal(empty(p), 1);
}

static void relative_paths(void **state)
{
	struct place *p = *state;
	char *was = getcwd(NULL, 0);

	assert_non_null(was);
	assert_int_equal(chdir(p->dir), 0);
	assert_int_equal(file_write_atomic("new", "x", 1, 0600), 0);
	assert_int_equal(file_write_atomic("new", "y", 1, 0600), 0);
	check("new", "y", 1);
	assert_int_equal(chdir(was), 0);
	free(was);
	check(name_in(p, "new"), "y", 1);
	assert_int_equal(empty(p), 1);
}

static void follows_links(void **state)
{
	struct place *p = *state;
	struct stat st;

	assert_int_equal(file_write_atomic(p->path, "old", 3, 0600), 0);
	assert_int_equal(symlink("file", name_in(p, "link")), 0);
	assert_int_equal(file_write_atomic(name_in(p, "link"), "new", 3, 0600), 0);
	check(p->path, "new", 3);
	assert_int_equal(lstat(name_in(p, "link"), &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(empty(p), 2);
}

static void failures(void **state)
{
	struct place *p = *state;
	char longpath[PATH_MAX + 10], *data = NULL;
	size_t len;

	assert_int_equal(file_write_atomic(name_in(p, "no/file"), "x", 1, 0600), -ENOENT);
	/* a directory cannot be replaced: the temporary file is gone again */
	assert_int_equal(mkdir(name_in(p, "d"), 0700), 0);
	assert_int_equal(file_write_atomic(name_in(p, "d"), "x", 1, 0600), -EISDIR);
	assert_int_equal(empty(p), 1);
	memset(longpath, 'x', sizeof(longpath));
	longpath[0] = '/';
	longpath[sizeof(longpath) - 1] = '\0';
	assert_int_equal(file_write_atomic(longpath, "x", 1, 0600), -ENAMETOOLONG);
	assert_int_equal(file_read(name_in(p, "none"), 10, &data, &len), -ENOENT);
	assert_int_equal(file_read(p->dir, 10, &data, &len), -EISDIR);
	assert_null(data);
}

static void bounds(void **state)
{
	struct place *p = *state;
	static char big[100000];
	char *data = NULL;
	size_t len;

	for (size_t i = 0; i < sizeof(big); i++)
		big[i] = (char)(i * 31);
	for (size_t n = 4090; n < 4100; n++) {
		assert_int_equal(file_write_atomic(p->path, big, n, 0600), 0);
		check(p->path, big, n);
		assert_int_equal(file_read(p->path, n - 1, &data, &len), -EFBIG);
		assert_int_equal(file_read(p->path, n, &data, &len), 0);
		free(data);
		data = NULL;
	}
	assert_int_equal(file_write_atomic(p->path, big, sizeof(big), 0600), 0);
	check(p->path, big, sizeof(big));
	/* endless ones too */
	assert_int_equal(file_read("/dev/zero", 10000, &data, &len), -EFBIG);
	assert_null(data);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(replaces, setup, teardown),
		cmocka_unit_test_setup_teardown(relative_paths, setup, teardown),
		cmocka_unit_test_setup_teardown(follows_links, setup, teardown),
		cmocka_unit_test_setup_teardown(failures, setup, teardown),
		cmocka_unit_test_setup_teardown(bounds, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
