/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of the choice of an implementation, and of what worker threads do with a file that hangs.
 * What a process loses for good (io_uring, by a seccomp filter) is lost in a child.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <linux/userfaultfd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "loop/pool.h"
#include "loop/testlib.h"

static int set_new(enum loop_kind kind, unsigned n, struct loops **ret, struct errmsg *err)
{
	struct loops_config cfg = { .kind = kind, .nloops = n, .pin = true };

	errmsg_init(err);
	return loops_new(&cfg, ret, err);
}

static void test_kinds(void **state)
{
	static const struct {
		enum loop_kind kind, got;
		const char *text;
	} rows[] = {
		{ LOOP_AUTO, LOOP_URING, "io_uring" },
		{ LOOP_URING, LOOP_URING, "io_uring" },
		{ LOOP_EPOLL, LOOP_EPOLL, "epoll" },
		{ LOOP_SIM, LOOP_SIM, "simulator" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct loops *loops;
		struct errmsg err;

		assert_int_equal(set_new(rows[i].kind, 0, &loops, &err), 0);
		assert_int_equal(loops_kind(loops), rows[i].got);
		assert_non_null(strstr(loops_describe(loops), rows[i].text));
		assert_true(loops_count(loops) >= 1);
		assert_true(pages_limit_bytes(loops) > 1 << 20);
		loops_free(loops);
	}
}

static void test_config_errors(void **state)
{
	struct loops_config cfg = { .nloops = 1, .page_limit_bytes = 100 };
	struct loops *loops;
	struct errmsg err;

	assert_int_equal(set_new(LOOP_AUTO, LOOPS_MAX + 1, &loops, &err), -EINVAL);
	assert_non_null(strstr(err.text, "at most"));
	assert_int_equal(loops_new(&cfg, &loops, &err), -EINVAL);
	assert_non_null(strstr(err.text, "quota"));
}

/* ---- without io_uring --------------------------------------------------------------------- */

/* From now on io_uring_setup() fails with error in this process. */
static bool forbid_io_uring(int error)
{
	struct sock_filter code[] = {
		BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
		BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, __NR_io_uring_setup, 0, 1),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | (unsigned)error),
		BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = { sizeof(code) / sizeof(code[0]), code };

	return !prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) &&
	       !prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog, 0, 0);
}

static bool falls_back(int error, const char *why)
{
	struct loops *loops;
	struct errmsg err;
	bool ok;

	if (!forbid_io_uring(error))
		return false;
	if (set_new(LOOP_URING, 1, &loops, &err) != -error || !strstr(err.text, why))
		return false;
	if (set_new(LOOP_AUTO, 2, &loops, &err))
		return false;
	ok = loops_kind(loops) == LOOP_EPOLL && strstr(loops_describe(loops), "epoll") &&
	     strstr(loops_describe(loops), why);
	loops_barrier(loops, NULL, NULL);
	loops_free(loops);
	return ok;
}

static void test_fallback(void **state)
{
	static const struct {
		int error;
		const char *why;
	} rows[] = {
		{ EPERM, "forbids it" },
		{ ENOSYS, "no io_uring" },
		{ ENOMEM, "locked memory" },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		int status;
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (!pid)
			_exit(falls_back(rows[i].error, rows[i].why) ? 0 : 1);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
	}
}

/* ---- a file that hangs -------------------------------------------------------------------- */

/*
 * Memory that hangs whoever touches it, until hang_end(). -1 where userfaultfd is not permitted.
 */
static int hang_begin(void *mem, size_t n)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .range = { (uintptr_t)mem, n },
		.mode = UFFDIO_REGISTER_MODE_MISSING };
	int fd = (int)syscall(__NR_userfaultfd, O_CLOEXEC | O_NONBLOCK);

	if (fd < 0)
		return -1;
	if (ioctl(fd, UFFDIO_API, &api) || ioctl(fd, UFFDIO_REGISTER, &reg)) {
		close(fd);
		return -1;
	}
	return fd;
}

static void hang_end(int fd, void *mem, size_t n)
{
	struct uffdio_zeropage zero = { .range = { (uintptr_t)mem, n } };

	assert_int_equal(ioctl(fd, UFFDIO_ZEROPAGE, &zero), 0);
	close(fd);
}

static int answer(void *arg)
{
	return 11;
}

/* More requests hang on one file than it may have threads: other files and calls get on. */
static void test_stuck_file(void **state)
{
	enum { STUCK = 4 * WORKERS_PER_FILE_MAX, OTHERS = 20 };
	struct env *e = *state;
	size_t n = 4096;
	void *mem = mmap(NULL, n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct call *stuck = calloc(STUCK, sizeof(*stuck));
	struct iovec iov[STUCK];
	int hang = hang_begin(mem, n);
	int fds[2] = { open("/dev/zero", O_RDONLY | O_CLOEXEC),
		open("/dev/zero", O_RDONLY | O_CLOEXEC) };
	struct call work = { .start = start_work, .fn = answer };

	if (hang < 0) {
		free(stuck);
		skip(); /* not permitted here */
	}
	for (unsigned i = 0; i < STUCK; i++) {
		iov[i] = (struct iovec){ (char *)mem + i, 1 };
		stuck[i] = (struct call){
			.start = start_read, .fd = fds[0], .iov = &iov[i], .niov = 1
		};
		call_start(e, i % TEST_LOOPS, &stuck[i]);
	}
	for (unsigned i = 0; i < OTHERS; i++) {
		char byte = 1;
		struct iovec one = { &byte, 1 };
		struct call c = { .start = start_read, .fd = fds[1], .iov = &one, .niov = 1 };

		assert_int_equal(call_run(e, i % TEST_LOOPS, &c), 1);
		assert_int_equal(byte, 0);
	}
	assert_int_equal(call_run(e, 0, &work), 11);
	/* what no thread has taken can be cancelled */
	call_cancel(e, (STUCK - 1) % TEST_LOOPS, &stuck[STUCK - 1]);
	assert_int_equal(call_wait(&stuck[STUCK - 1]), -ECANCELED);
	assert_true(op_busy(e, 0, &stuck[0].op));
	hang_end(hang, mem, n);
	for (unsigned i = 0; i < STUCK - 1; i++)
		assert_int_equal(call_wait(&stuck[i]), 1);
	close(fds[0]);
	close(fds[1]);
	munmap(mem, n);
	free(stuck);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_kinds),
		cmocka_unit_test(test_config_errors),
		cmocka_unit_test(test_fallback),
		LOOP_TEST(stuck_file, epoll),
	};

	return cmocka_run_group_tests_name("set", tests, NULL, NULL);
}
