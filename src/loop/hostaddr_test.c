/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hostaddr_test.c: in a network namespace of its own, addresses come and go, and the answer is
 * always what bind() says.
 */
#include <arpa/inet.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "loop/hostaddr.h"

static socklen_t parse(const char *text, struct sockaddr_storage *ret)
{
	struct sockaddr_in *in = (struct sockaddr_in *)ret;
	struct sockaddr_in6 *in6 = (struct sockaddr_in6 *)ret;

	memset(ret, 0, sizeof(*ret));
	if (inet_pton(AF_INET, text, &in->sin_addr) == 1) {
		in->sin_family = AF_INET;
		return sizeof(*in);
	}
	assert_int_equal(inet_pton(AF_INET6, text, &in6->sin6_addr), 1);
	in6->sin6_family = AF_INET6;
	return sizeof(*in6);
}

static bool has(struct hostaddrs *h, const char *text)
{
	struct sockaddr_storage a;
	socklen_t n = parse(text, &a);

	return hostaddrs_has(h, (struct sockaddr *)&a, n);
}

static bool binds(const char *text)
{
	struct sockaddr_storage a;
	socklen_t n = parse(text, &a);
	int fd = socket(a.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0), r;

	assert_true(fd >= 0);
	r = bind(fd, (struct sockaddr *)&a, n);
	close(fd);
	return r == 0;
}

static void run(const char *command)
{
	if (system(command)) /* NOLINT(cert-env33-c): a test's own text */
		fail_msg("%s: failed", command);
}

/* All that the steps give and take, each as bind() has it; how many there are. */
static unsigned count(struct hostaddrs *h)
{
	static const char *const all[] = { "127.0.0.1", "127.255.0.5", "::1", "192.0.2.1",
		"192.0.2.2", "198.51.100.0", "198.51.100.77", "198.51.101.1", "2001:db8::1",
		"2001:db8::2", "10.9.0.1", "10.9.3.200", "10.9.4.1" };
	unsigned n = 0;

	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (has(h, all[i]) != binds(all[i]))
			fail_msg("%s: bind() says %d", all[i], binds(all[i]));
		n += has(h, all[i]);
	}
	return n;
}

static void many(const char *verb)
{
	FILE *f = popen("ip -batch -", "we"); /* NOLINT(cert-env33-c) */

	assert_non_null(f);
	for (unsigned i = 1; i <= 1000; i++)
		fprintf(f, "addr %s 10.9.%u.%u/32 dev lo\n", verb, i >> 8, i & 255);
	assert_int_equal(pclose(f), 0);
}

static void come_and_go(void **state)
{
	struct hostaddrs *h = hostaddrs_new();

	assert_non_null(h);
	assert_false(has(h, "127.0.0.1"));
	run("ip link set lo up");
	assert_int_equal(count(h), 3);
	run("ip addr add 192.0.2.1/32 dev lo");
	assert_int_equal(count(h), 4);
	run("ip -6 addr add 2001:db8::1/128 dev lo");
	assert_int_equal(count(h), 5);
	/* Routed to this host as a whole. */
	run("ip route add local 198.51.100.0/24 dev lo");
	assert_int_equal(count(h), 7);
	/* Routes to elsewhere are nobody's address. */
	run("ip route add 198.51.101.0/24 dev lo");
	assert_int_equal(count(h), 7);
	/* More than one message holds, and more news than the queue does. */
	many("add");
	assert_int_equal(count(h), 9);
	many("del");
	assert_int_equal(count(h), 7);
	run("ip route del local 198.51.100.0/24 dev lo");
	run("ip addr del 192.0.2.1/32 dev lo");
	assert_int_equal(count(h), 4);
	run("ip -6 addr del 2001:db8::1/128 dev lo");
	assert_int_equal(count(h), 3);
	hostaddrs_free(h);
}

/* A namespace that this process may change: as root, or as root of a user namespace. */
static bool own_netns(void)
{
	char map[32];
	bool ok;
	FILE *f;

	if (!unshare(CLONE_NEWNET))
		return true;
	snprintf(map, sizeof(map), "0 %u 1", getuid());
	if (unshare(CLONE_NEWUSER | CLONE_NEWNET))
		return false;
	f = fopen("/proc/self/uid_map", "we");
	ok = f && fputs(map, f) >= 0;
	return f && !fclose(f) && ok;
}

static void test_come_and_go(void **state)
{
	const struct CMUnitTest tests[] = { cmocka_unit_test(come_and_go) };
	pid_t child = fork();
	int status;

	assert_true(child >= 0);
	if (child == 0) {
		if (!own_netns())
			_exit(77);
		_exit(cmocka_run_group_tests(tests, NULL, NULL));
	}
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFEXITED(status));
	if (WEXITSTATUS(status) == 77)
		skip(); /* not permitted here */
	assert_int_equal(WEXITSTATUS(status), 0);
}

/* Once it has the table it needs no descriptor; where it cannot have it, bind() does. */
static void test_without_descriptors(void **state)
{
	struct rlimit old, none;
	struct hostaddrs *h = hostaddrs_new(), *late = hostaddrs_new();
	bool told, late_told;

	assert_true(has(h, "127.0.0.1"));
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	none = (struct rlimit){ 0, old.rlim_max };
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	told = has(h, "127.0.0.1");
	late_told = has(late, "127.0.0.1");
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &old), 0);
	assert_true(told);
	assert_false(late_told);
	assert_true(has(late, "127.0.0.1"));
	hostaddrs_free(late);
	hostaddrs_free(h);
}

static void test_no_address(void **state)
{
	struct hostaddrs *h = hostaddrs_new();
	struct sockaddr_storage a = { .ss_family = AF_UNIX };

	assert_false(hostaddrs_has(h, (struct sockaddr *)&a, sizeof(a)));
	a.ss_family = AF_INET6;
	assert_false(hostaddrs_has(h, (struct sockaddr *)&a, sizeof(struct sockaddr_in)));
	hostaddrs_free(h);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_come_and_go),
		cmocka_unit_test(test_without_descriptors),
		cmocka_unit_test(test_no_address),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
