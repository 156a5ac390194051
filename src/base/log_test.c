/* SPDX-License-Identifier: BSD-3-Clause */
/* log_test.c: the shape of lines, escapes, levels, limits, a sink that takes nothing, and several
 * threads on one pipe. */
#include "base/log.h"

#include <fcntl.h>
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

struct fixture {
	int fds[2];
	char buf[1 << 18];
};

/* All that has been logged so far; the reader's end does not block. */
static const char *take(struct fixture *f)
{
	size_t len = 0;
	ssize_t n;

	while ((n = read(f->fds[0], f->buf + len, sizeof(f->buf) - 1 - len)) > 0)
		len += (size_t)n;
	f->buf[len] = '\0';
	return f->buf;
}

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	assert_non_null(f);
	assert_int_equal(pipe2(f->fds, O_CLOEXEC | O_NONBLOCK), 0);
	log_set_level(LOG_LEVEL_INFO);
	log_set_sink(f->fds[1], true);
	*state = f;
	return 0;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	log_set_sink(STDERR_FILENO, false);
	close(f->fds[0]);
	close(f->fds[1]);
	free(f);
	return 0;
}

static void shapes(void **state)
{
	struct fixture *f = *state;

	log_msg(LOG_LEVEL_ERROR, "file", "cannot open %s", "/x");
	assert_string_equal(take(f), "<3>file: cannot open /x\n");
	log_obj(LOG_LEVEL_WARN, "iscsi", "conn 7 sess 3", "dropped");
	assert_string_equal(take(f), "<4>iscsi: conn 7 sess 3: dropped\n");
	log_obj(LOG_LEVEL_INFO, "iscsi", NULL, "listening");
	assert_string_equal(take(f), "<6>iscsi: listening\n");
	log_set_sink(f->fds[1], false);
	log_msg(LOG_LEVEL_INFO, "file", "opened");
	assert_int_equal(take(f)[10], 'T');
	assert_string_equal(f->buf + strlen("2026-01-01T00:00:00.000"), "Z info file: opened\n");
}

static void levels(void **state)
{
	struct fixture *f = *state;
	enum log_level level = LOG_LEVEL_ERROR;

	log_msg(LOG_LEVEL_DEBUG, "a", "unseen");
	assert_string_equal(take(f), "");
	assert_int_equal(log_level_parse("debug", &level), 0);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	log_set_level(level);
	log_msg(LOG_LEVEL_DEBUG, "a", "seen");
	assert_string_equal(take(f), "<7>a: seen\n");
	assert_int_equal(log_level_parse("loud", &level), -EINVAL);
	assert_int_equal(log_level_parse("", &level), -EINVAL);
	assert_int_equal(level, LOG_LEVEL_DEBUG);
	assert_string_equal(log_level_name(LOG_LEVEL_WARN), "warn");
	log_set_level(LOG_LEVEL_ERROR);
	assert_false(log_enabled(LOG_LEVEL_WARN));
	assert_true(log_enabled(LOG_LEVEL_ERROR));
}

static void peers_cannot_forge(void **state)
{
	struct fixture *f = *state;

	log_obj(LOG_LEVEL_INFO, "iscsi", "conn\n1", "name %s",
		"a\n<0>kernel: \x1b[2J\t\\\x7f\xc3\xa4");
	assert_string_equal(take(f),
		"<6>iscsi: conn\\n1: name a\\n<0>kernel: \\x1b[2J\\t\\\\\\x7f\\xc3\\xa4\n");
}

static void long_lines_are_cut(void **state)
{
	struct fixture *f = *state;
	char big[3 * LOG_LINE_MAX];

	for (size_t n = LOG_LINE_MAX - 40; n < sizeof(big); n += n < LOG_LINE_MAX ? 1 : 500) {
		size_t len;

		memset(big, 'x', n);
		big[n] = '\0';
		log_obj(LOG_LEVEL_INFO, "c", "o", "%s", big);
		len = strlen(take(f));
		assert_true(len <= LOG_LINE_MAX);
		assert_int_equal(f->buf[len - 1], '\n');
		if (n + strlen("<6>c: o: ") <= LOG_LINE_MAX - 4)
			assert_int_equal(len, n + strlen("<6>c: o: \n"));
		else
			assert_string_equal(f->buf + len - 4, "...\n");
		memset(big, '\1', n);
		log_obj(LOG_LEVEL_INFO, big, big, "%s", big);
		len = strlen(take(f));
		assert_true(len <= LOG_LINE_MAX);
		assert_string_equal(f->buf + len - 4, "...\n");
	}
}

static void escapes_fit(void **state)
{
	char dst[8];

	assert_int_equal(log_escape(dst, 0, "a", 1), 0);
	assert_int_equal(log_escape(dst, sizeof(dst), "ab\0c", 4), 7);
	assert_string_equal(dst, "ab\\x00c");
	/* the escape that does not fit is left out as a whole */
	assert_int_equal(log_escape(dst, sizeof(dst), "abcd\1", 5), 4);
	assert_string_equal(dst, "abcd");
}

static void limit_tells_what_it_dropped(void **state)
{
	struct fixture *f = *state;
	struct log_limit l;
	unsigned dropped = 99;

	log_limit_init(&l, 2, 1000);
	assert_true(log_limit_take(&l, 0, &dropped));
	assert_int_equal(dropped, 0);
	assert_true(log_limit_take(&l, 10, &dropped));
	assert_false(log_limit_take(&l, 20, &dropped));
	assert_false(log_limit_take(&l, 1000, &dropped));
	assert_true(log_limit_take(&l, 1001, &dropped));
	assert_int_equal(dropped, 2);
	assert_true(log_limit_take(&l, 5, &dropped)); /* a clock read before the others */
	assert_int_equal(dropped, 0);
	assert_false(log_limit_take(&l, 1500, &dropped));

	log_limit_init(&l, 1, UINT64_MAX);
	for (int i = 0; i < 5; i++)
		log_limited(&l, LOG_LEVEL_INFO, "iscsi", "conn 1", "line %d", i);
	assert_string_equal(take(f), "<6>iscsi: conn 1: line 0\n");
	l.interval_ns = 0;
	log_limited(&l, LOG_LEVEL_INFO, "iscsi", NULL, "line %d", 5);
	assert_string_equal(
		take(f), "<6>iscsi: 4 lines like the next were dropped\n<6>iscsi: line 5\n");
}

static void full_pipe_does_not_block(void **state)
{
	struct fixture *f = *state;
	int flags = fcntl(f->fds[1], F_GETFL);

	assert_int_equal(fcntl(f->fds[1], F_SETFL, flags & ~O_NONBLOCK), 0);
	for (int i = 0; i < 20000; i++)
		log_msg(LOG_LEVEL_INFO, "a", "%d", i);
	take(f);
	log_msg(LOG_LEVEL_INFO, "a", "after");
	assert_non_null(strstr(take(f), " lines lost, the log did not take them\n<6>a: after\n"));
	log_msg(LOG_LEVEL_INFO, "a", "again");
	assert_string_equal(take(f), "<6>a: again\n");
}

static void errno_is_kept(void **state)
{
	struct fixture *f = *state;

	log_set_sink(-1, false);
	errno = EXDEV;
	log_msg(LOG_LEVEL_ERROR, "a", "lost");
	assert_int_equal(errno, EXDEV);
	log_set_sink(f->fds[1], true);
	log_msg(LOG_LEVEL_ERROR, "a", "b");
	take(f);
}

static void journal_is_recognised(void **state)
{
	struct fixture *f = *state;
	int saved = dup(STDERR_FILENO);
	struct stat st;
	char env[64];

	assert_true(saved >= 0);
	assert_int_equal(fstat(f->fds[1], &st), 0);
	snprintf(env, sizeof(env), "%llu:%llu", (unsigned long long)st.st_dev,
		(unsigned long long)st.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", env, 1), 0);
	assert_int_equal(dup2(f->fds[1], STDERR_FILENO), STDERR_FILENO);
	log_init();
	log_msg(LOG_LEVEL_INFO, "a", "journal");
	assert_int_equal(setenv("JOURNAL_STREAM", "1:1", 1), 0);
	log_init();
	log_msg(LOG_LEVEL_INFO, "a", "file");
	assert_int_equal(dup2(saved, STDERR_FILENO), STDERR_FILENO);
	close(saved);
	assert_memory_equal(take(f), "<6>a: journal\n2", 15);
	assert_non_null(strstr(f->buf, "Z info a: file\n"));
}

enum { THREADS = 4, LINES = 500 };

static void *thread_main(void *arg)
{
	struct log_limit *l = arg;

	for (int i = 0; i < LINES; i++) {
		log_msg(LOG_LEVEL_INFO, "t", "0123456789");
		log_limited(l, LOG_LEVEL_INFO, "t", NULL, "0123456789");
	}
	return NULL;
}

static void threads_do_not_mix(void **state)
{
	struct fixture *f = *state;
	const char want[] = "<6>t: 0123456789\n";
	pthread_t threads[THREADS];
	struct log_limit l;
	size_t lines = 0;

	assert_true(fcntl(f->fds[1], F_SETPIPE_SZ, 1 << 18) > 0);
	log_limit_init(&l, 10, UINT64_MAX);
	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, thread_main, &l), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(threads[i], NULL);
	for (const char *p = take(f); *p; p += strlen(want), lines++)
		assert_memory_equal(p, want, strlen(want));
	assert_int_equal(lines, THREADS * LINES + 10);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(shapes, setup, teardown),
		cmocka_unit_test_setup_teardown(levels, setup, teardown),
		cmocka_unit_test_setup_teardown(peers_cannot_forge, setup, teardown),
		cmocka_unit_test_setup_teardown(long_lines_are_cut, setup, teardown),
		cmocka_unit_test(escapes_fit),
		cmocka_unit_test_setup_teardown(limit_tells_what_it_dropped, setup, teardown),
		cmocka_unit_test_setup_teardown(full_pipe_does_not_block, setup, teardown),
		cmocka_unit_test_setup_teardown(errno_is_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(journal_is_recognised, setup, teardown),
		cmocka_unit_test_setup_teardown(threads_do_not_mix, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
