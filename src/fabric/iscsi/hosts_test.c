/* SPDX-License-Identifier: BSD-3-Clause */
/* hosts_test.c: limits by address, and back-off. */
#include <arpa/inet.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/clock.h"
#include "fabric/iscsi/limits.h"
#include "fabric/iscsi/hosts.h"

static struct hosts hosts;

static struct sockaddr_storage address(const char *text)
{
	struct sockaddr_storage ss = { 0 };

	if (strchr(text, ':')) {
		ss.ss_family = AF_INET6;
		assert_int_equal(
			inet_pton(AF_INET6, text, &((struct sockaddr_in6 *)&ss)->sin6_addr), 1);
	} else {
		ss.ss_family = AF_INET;
		assert_int_equal(
			inet_pton(AF_INET, text, &((struct sockaddr_in *)&ss)->sin_addr), 1);
	}
	return ss;
}

static struct host *enter(const char *text, bool want_over)
{
	struct sockaddr_storage ss = address(text);
	bool over = !want_over;
	struct host *host = hosts_enter(&hosts, &ss, &over);

	assert_non_null(host);
	assert_int_equal(over, want_over);
	return host;
}

static int setup(void **state)
{
	hosts_init(&hosts);
	return 0;
}

static int teardown(void **state)
{
	assert_true(hosts.nidle <= HOSTS_IDLE_MAX);
	hosts_done(&hosts);
	return 0;
}

/* One IPv4 address is one host; of IPv6 the network is. */
static void test_who(void **state)
{
	static const struct {
		const char *a, *b;
		bool same;
	} rows[] = {
		{ "10.0.0.1", "10.0.0.1", true },
		{ "10.0.0.1", "10.0.0.2", false },
		{ "10.0.0.1", "::ffff:10.0.0.1", true },
		{ "2001:db8:1:2::1", "2001:db8:1:2:ffff::9", true },
		{ "2001:db8:1:2::1", "2001:db8:1:3::1", false },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct host *a = enter(rows[i].a, false), *b = enter(rows[i].b, false);

		assert_int_equal(a == b, rows[i].same);
		hosts_leave(&hosts, a);
		hosts_leave(&hosts, b);
	}
}

static void test_limits(void **state)
{
	struct host_limits l = { .connections = 2, .sessions = 1, .logins_per_s = 3 };
	struct host *a, *b;

	hosts_set_limits(&hosts, &l);
	a = enter("10.0.0.1", false);
	enter("10.0.0.1", false);
	enter("10.0.0.1", true);
	b = enter("10.0.0.2", false);
	hosts_leave(&hosts, a);
	hosts_leave(&hosts, a);
	enter("10.0.0.1", false);
	assert_true(hosts_session(&hosts, a));
	assert_false(hosts_session(&hosts, a));
	assert_true(hosts_session(&hosts, b));
	hosts_session_ended(&hosts, a);
	assert_true(hosts_session(&hosts, a));
	for (int i = 0; i < 3; i++)
		assert_true(hosts_login(&hosts, a, NS_PER_S + 7));
	assert_false(hosts_login(&hosts, a, 2 * NS_PER_S));
	assert_true(hosts_login(&hosts, b, 2 * NS_PER_S));
	assert_true(hosts_login(&hosts, a, 2 * NS_PER_S + 7));
	hosts_leave(&hosts, a);
	hosts_leave(&hosts, a);
	hosts_leave(&hosts, b);
	/* A session keeps it. */
	assert_int_equal(hosts.nidle, 0);
	hosts_session_ended(&hosts, a);
	hosts_session_ended(&hosts, b);
	assert_int_equal(hosts.nidle, 2);
	/* Without limits nothing is refused. */
	hosts_set_limits(&hosts, &(struct host_limits){ 0 });
	for (int i = 0; i < 1000; i++) {
		a = enter("10.0.0.1", false);
		assert_true(hosts_session(&hosts, a));
		assert_true(hosts_login(&hosts, a, 0));
	}
	for (int i = 0; i < 1000; i++) {
		hosts_session_ended(&hosts, a);
		hosts_leave(&hosts, a);
	}
}

/* What is remembered of those that have gone is bounded, and the oldest goes first. */
static void test_bounded(void **state)
{
	char text[32];

	for (unsigned i = 0; i < HOSTS_IDLE_MAX + 10; i++) {
		snprintf(text, sizeof(text), "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		hosts_leave(&hosts, enter(text, false));
		assert_true(hosts.nidle <= HOSTS_IDLE_MAX);
	}
	assert_null(hash_str_find(&hosts.hash, "10.0.0.9"));
	assert_non_null(hash_str_find(&hosts.hash, "10.0.0.10"));
}

/* Wrong responses: free ones, then one after the other with growing delays, at most the longest. */
static void test_backoff(void **state)
{
	struct host *a = enter("10.0.0.1", false), *b = enter("10.0.0.2", false);
	uint64_t now = 5 * NS_PER_S, at, gap = HOST_BACKOFF_FIRST_NS;

	for (unsigned i = 0; i < HOST_FAILURES_FREE; i++) {
		assert_int_equal(hosts_judge_at(&hosts, a, now, HOST_WAIT_NS), now);
		hosts_failed(&hosts, a, now);
	}
	assert_int_equal(hosts_judge_at(&hosts, a, now, HOST_WAIT_NS), now);
	hosts_failed(&hosts, a, now);
	for (int i = 0; i < 12; i++) {
		at = hosts_judge_at(&hosts, a, now, HOST_WAIT_NS);
		assert_int_equal(at - now, gap);
		now = at;
		hosts_failed(&hosts, a, now);
		gap = gap * 2 < HOST_BACKOFF_MAX_S * NS_PER_S ? gap * 2
							      : HOST_BACKOFF_MAX_S * NS_PER_S;
	}
	/* Many at once wait in a line, and a long line takes no more. */
	for (uint64_t n = 1; n <= HOST_WAIT_NS / (HOST_BACKOFF_MAX_S * NS_PER_S); n++)
		assert_int_equal(hosts_judge_at(&hosts, a, now, HOST_WAIT_NS),
			now + n * HOST_BACKOFF_MAX_S * NS_PER_S);
	assert_int_equal(hosts_judge_at(&hosts, a, now, HOST_WAIT_NS), UINT64_MAX);
	assert_int_equal(hosts_judge_at(&hosts, a, now, 0), UINT64_MAX);
	/* Nobody else waits. */
	assert_int_equal(hosts_judge_at(&hosts, b, now, HOST_WAIT_NS), now);
	/* It is not forgotten by going and coming back, but by time. */
	hosts_leave(&hosts, a);
	a = enter("10.0.0.1", false);
	assert_int_equal(hosts_judge_at(&hosts, a, now, HOST_WAIT_NS), UINT64_MAX);
	now += HOST_FORGET_NS;
	assert_int_equal(hosts_judge_at(&hosts, a, now, HOST_WAIT_NS), now);
	hosts_leave(&hosts, a);
	hosts_leave(&hosts, b);
}

static void test_no_backoff(void **state)
{
	struct host *a = enter("10.0.0.1", false);
	struct host_limits l = hosts_limits(&hosts);

	l.backoff_max_s = 0;
	hosts_set_limits(&hosts, &l);
	for (int i = 0; i < 1000; i++) {
		assert_int_equal(hosts_judge_at(&hosts, a, 7, HOST_WAIT_NS), 7);
		hosts_failed(&hosts, a, 7);
	}
	hosts_leave(&hosts, a);
}

/* Loops look at the clock at different moments: one that is behind forgives nothing. */
static void test_loop_behind(void **state)
{
	struct host_limits l = { .logins_per_s = 2, .backoff_max_s = HOST_BACKOFF_MAX_S };
	struct host *a = enter("10.0.0.1", false);
	uint64_t now = 100 * NS_PER_S, behind = now - 1;

	hosts_set_limits(&hosts, &l);
	assert_true(hosts_login(&hosts, a, now));
	assert_true(hosts_login(&hosts, a, behind));
	assert_false(hosts_login(&hosts, a, behind));
	for (int i = 0; i < 3; i++)
		hosts_failed(&hosts, a, now);
	assert_int_equal(
		hosts_judge_at(&hosts, a, behind, HOST_WAIT_NS), now + 4 * HOST_BACKOFF_FIRST_NS);
	hosts_failed(&hosts, a, behind);
	assert_int_equal(a->failures, 4);
	assert_int_equal(a->failed_ns, now);
	hosts_leave(&hosts, a);
}

#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		T(test_who),
		T(test_limits),
		T(test_bounded),
		T(test_backoff),
		T(test_no_backoff),
		T(test_loop_behind),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
