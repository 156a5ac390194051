/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of the loop seam's files over each implementation.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "loop/testlib.h"

/* ---- files -------------------------------------------------------------------------------- */

static void path_in(struct env *e, char *path, const char *name)
{
	snprintf(path, 128, "%s%s%s", e->kind == LOOP_SIM ? "" : e->dir, "/", name);
}

static void test_file(void **state)
{
	struct env *e = *state;
	uint8_t out[10000], in[10000] = { 0 };
	struct iovec w[2] = { { out, 6000 }, { out + 6000, 4000 } };
	struct iovec r[3] = { { in, 1 }, { in + 1, 9000 }, { in + 9001, 999 } };
	struct call c = { .start = start_write, .iov = w, .niov = 2, .off = 4096 };
	char path[128];
	struct stat st;

	path_in(e, path, "file");
	c.fd = loops_open(e->loops, path, O_RDWR | O_CREAT | O_EXCL, 0600);
	assert_true(c.fd >= 0);
	fill(out, sizeof(out), 5);
	assert_int_equal(call_run(e, 0, &c), 10000);
	c.niov = 1;
	c.flags = LOOP_DSYNC;
	c.off = 0;
	w[0].iov_len = 4096;
	assert_int_equal(call_run(e, 1, &c), 4096);
	c = (struct call){ .start = start_fsync, .fd = c.fd, .flags = 1 };
	assert_int_equal(call_run(e, 2, &c), 0);
	c.flags = 0;
	assert_int_equal(call_run(e, 2, &c), 0);
	c = (struct call){ .start = start_read, .fd = c.fd, .iov = r, .niov = 3, .off = 4096 };
	assert_int_equal(call_run(e, 0, &c), 10000);
	assert_memory_equal(in, out, 10000);
	r[0] = (struct iovec){ in, 10000 };
	c.niov = 1;
	c.off = 14000; /* across the end */
	assert_int_equal(call_run(e, 0, &c), 96);
	assert_memory_equal(in, out + 9904, 96);
	c.off = 20000;
	assert_int_equal(call_run(e, 0, &c), 0);
	c = (struct call){ .start = start_fallocate,
		.fd = c.fd,
		.off = 4096,
		.len = 4096,
		.flags = FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE };
	assert_int_equal(call_run(e, 1, &c), 0);
	assert_int_equal(loops_pread(e->loops, c.fd, in, 4097, 4095), 4097);
	assert_int_equal(in[0], out[4095]);
	for (unsigned i = 1; i < 4097; i++)
		assert_int_equal(in[i], 0);
	assert_int_equal(loops_fstat(e->loops, c.fd, &st), 0);
	assert_int_equal(st.st_size, 14096);
	assert_int_equal(loops_lseek(e->loops, c.fd, 0, SEEK_END), 14096);
	assert_int_equal(loops_close(e->loops, c.fd), 0);
	assert_int_equal(loops_unlink(e->loops, path), 0);
}

static void test_file_errors(void **state)
{
	struct env *e = *state;
	char byte = 0;
	struct iovec iov = { &byte, 1 };
	struct call c = { .start = start_write, .iov = &iov, .niov = 1 };
	char path[128];

	path_in(e, path, "ro");
	assert_int_equal(loops_open(e->loops, path, O_RDWR, 0), -ENOENT);
	assert_int_equal(loops_unlink(e->loops, path), -ENOENT);
	c.fd = loops_open(e->loops, path, O_RDONLY | O_CREAT, 0600);
	assert_true(c.fd >= 0);
	assert_int_equal(loops_open(e->loops, path, O_RDWR | O_CREAT | O_EXCL, 0600), -EEXIST);
	assert_int_equal(call_run(e, 0, &c), -EBADF);
	c.start = start_read;
	c.off = UINT64_MAX;
	assert_int_equal(call_run(e, 0, &c), -EINVAL);
	assert_int_equal(loops_close(e->loops, c.fd), 0);
	assert_int_equal(loops_unlink(e->loops, path), 0);
}

static void test_whole_files(void **state)
{
	struct env *e = *state;
	char path[128], temp[128], other[128], *text;
	size_t n;

	path_in(e, path, "whole");
	path_in(e, temp, "whole.new");
	path_in(e, other, "other");
	assert_int_equal(loops_read_file(e->loops, path, 100, &text, &n), -ENOENT);
	assert_int_equal(loops_write_file(e->loops, path, "first", 5, 0600), 0);
	assert_int_equal(loops_write_file(e->loops, path, "second", 6, 0600), 0);
	assert_int_equal(loops_unlink(e->loops, temp), -ENOENT);
	assert_int_equal(loops_read_file(e->loops, path, 5, &text, &n), -EFBIG);
	assert_int_equal(loops_read_file(e->loops, path, 6, &text, &n), 0);
	assert_int_equal(n, 6);
	assert_string_equal(text, "second");
	free(text);
	assert_int_equal(loops_rename(e->loops, path, other), 0);
	assert_int_equal(loops_write_file(e->loops, path, "", 0, 0600), 0);
	assert_int_equal(loops_read_file(e->loops, path, 6, &text, &n), 0);
	assert_int_equal(n, 0);
	free(text);
	assert_int_equal(loops_unlink(e->loops, path), 0);
	assert_int_equal(loops_unlink(e->loops, other), 0);
}

#define TESTS(kind)                                                                                \
	LOOP_TEST(file, kind), LOOP_TEST(file_errors, kind), LOOP_TEST(whole_files, kind)

int main(void)
{
	const struct CMUnitTest tests[] = { TESTS(uring), TESTS(epoll), TESTS(sim) };

	return cmocka_run_group_tests_name("file", tests, NULL, NULL);
}
