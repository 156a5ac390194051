/* SPDX-License-Identifier: BSD-3-Clause */
/* sock_test.c: the control socket and clients of every kind: slow, garbled, gone, too many. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <ulio/control.h>
#include <unistd.h>
#include <cmocka.h>

#include "control/limits.h"
#include "control/sock.h"
#include "control/toy_tree.h"

static struct tree *tree;
static struct control *c;
static struct poller *p;
static struct control_sock *s;
static struct events *events;
static char dir[] = "/tmp/ulio-sock-XXXXXX", path[64];

static int group_setup(void **state)
{
	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/s", dir);
	return 0;
}

static int group_teardown(void **state)
{
	return rmdir(dir);
}

static int setup(void **state)
{
	struct errmsg err = { 0 };

	assert_int_equal(tree_new(&toy_root_type, NULL, &tree), 0);
	assert_int_equal(control_new(tree, &c), 0);
	assert_int_equal(poller_new(&p), 0);
	assert_int_equal(events_new(&events), 0);
	if (control_sock_new(p, c, events, path, CONTROL_SOCK_ADMIN, &s, &err))
		fail_msg("%s", err.text);
	return 0;
}

static int teardown(void **state)
{
	assert_null(control_sock_free(s));
	assert_null(events_free(events));
	assert_null(poller_free(p));
	assert_null(control_free(c));
	tree_clear(tree, tree_root(tree), NULL);
	assert_null(tree_free(tree));
	assert_int_equal(access(path, F_OK), -1);
	return 0;
}

static int dial(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	memcpy(addr.sun_path, path, strlen(path) + 1);
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

/* Serve until nothing is left to do. */
static void serve(void)
{
	for (int i = 0; i < 50; i++)
		assert_int_equal(poller_step(p, 0), 0);
}

static void say(int fd, const char *text)
{
	assert_int_equal(send(fd, text, strlen(text), 0), strlen(text));
}

static void hear(int fd, const char *want)
{
	char buf[4096];
	ssize_t n = recv(fd, buf, sizeof(buf) - 1, 0);

	if (n < 0)
		fail_msg("nothing came, wanted %s", want);
	buf[n] = '\0';
	assert_string_equal(buf, want);
}

#define MKDIR(id, name)                                                                            \
	"{\"jsonrpc\":\"2.0\",\"id\":" id                                                          \
	",\"method\":\"mkdir\",\"params\":{\"path\":\"/disks/" name "\"}}\n"
#define NULL_RESULT(id) "{\"jsonrpc\":\"2.0\",\"id\":" id ",\"result\":null}\n"

static void mode_is_0600(void **state)
{
	struct stat st;

	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);
}

static void pipelined_and_in_pieces(void **state)
{
	static const char one[] = MKDIR("3", "c");
	int fd = dial();

	say(fd, MKDIR("1", "a") "\n \r\n" MKDIR("2", "b"));
	serve();
	hear(fd, NULL_RESULT("1") NULL_RESULT("2"));
	for (size_t i = 0; i < sizeof(one) - 1; i++) {
		assert_int_equal(send(fd, one + i, 1, 0), 1);
		serve();
	}
	hear(fd, NULL_RESULT("3"));
	close(fd);
	serve();
	assert_non_null(tree_lookup(tree, "/disks/c"));
}

/* Who sends, closes the sending side and then reads gets all answers. */
static void half_close(void **state)
{
	int fd = dial();

	say(fd, MKDIR("1", "a") MKDIR("2", "b") "{\"half\":");
	shutdown(fd, SHUT_WR);
	serve();
	hear(fd, NULL_RESULT("1") NULL_RESULT("2"));
	hear(fd, "");
	close(fd);
}

static void garbage(void **state)
{
	char junk[1000];
	int fd = dial();
	unsigned seed = 1;

	for (int round = 0; round < 200; round++) {
		for (size_t i = 0; i < sizeof(junk); i++)
			junk[i] = (char)rand_r(&seed);
		assert_int_equal(send(fd, junk, sizeof(junk), 0), sizeof(junk));
		serve();
		while (recv(fd, junk, sizeof(junk), 0) > 0)
			;
	}
	say(fd, "\n");
	serve();
	while (recv(fd, junk, sizeof(junk), 0) > 0)
		;
	say(fd, MKDIR("1", "a"));
	serve();
	hear(fd, NULL_RESULT("1"));
	close(fd);
}

static void line_too_long(void **state)
{
	static char block[65536];
	int fd = dial();
	size_t sent = 0;

	memset(block, 'x', sizeof(block));
	while (sent < 3 * (size_t)ULIO_CONTROL_REQUEST_MAX) {
		ssize_t n = send(fd, block, sizeof(block), 0);

		if (n > 0)
			sent += (size_t)n;
		serve();
	}
	say(fd, "\n" MKDIR("1", "a"));
	serve();
	hear(fd, "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32600,\"message\":\"a "
		 "request "
		 "is longer than 1048576 bytes: split it\"}}\n" NULL_RESULT("1"));
	close(fd);
}

/* One that never reads fills its own pipe; the other is served meanwhile. */
static void slow_reader(void **state)
{
	static const char help[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"help\"}\n";
	int slow = dial(), quick = dial();
	size_t asked = 0, got = 0;
	char buf[65536];
	ssize_t n;

	while (send(slow, help, sizeof(help) - 1, 0) == sizeof(help) - 1) {
		asked++;
		serve();
		assert_true(asked < 100000);
	}
	say(quick, MKDIR("1", "a"));
	serve();
	hear(quick, NULL_RESULT("1"));

	/* When it reads at last, every whole request has its answer. */
	shutdown(slow, SHUT_WR);
	while ((n = recv(slow, buf, sizeof(buf), 0)) != 0) {
		for (ssize_t i = 0; i < n; i++)
			got += buf[i] == '\n';
		serve();
	}
	assert_int_equal(got, asked);
	close(slow);
	close(quick);
}

static void gone_before_the_answer(void **state)
{
	int fd = dial();

	say(fd, MKDIR("1", "a"));
	close(fd);
	serve();
	assert_non_null(tree_lookup(tree, "/disks/a"));
}

static void too_many(void **state)
{
	int fds[CONTROL_CLIENTS_MAX + 1];

	for (int i = 0; i <= CONTROL_CLIENTS_MAX; i++) {
		fds[i] = dial();
		serve();
	}
	hear(fds[CONTROL_CLIENTS_MAX],
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":\"too "
		"many "
		"connections, try again later\",\"data\":{\"errno\":\"EBUSY\"}}}\n");
	say(fds[0], MKDIR("1", "a"));
	serve();
	hear(fds[0], NULL_RESULT("1"));
	close(fds[1]);
	close(fds[CONTROL_CLIENTS_MAX]);
	serve();
	fds[1] = dial();
	say(fds[1], MKDIR("1", "b"));
	serve();
	hear(fds[1], NULL_RESULT("1"));
	for (int i = 0; i < CONTROL_CLIENTS_MAX; i++)
		close(fds[i]);
}

static void stale_and_taken_paths(void **state)
{
	struct control_sock *second = NULL;
	struct errmsg err = { 0 };
	char other[80], plain[80], longest[200];
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd;

	assert_int_equal(control_sock_new(p, c, events, path, CONTROL_SOCK_ADMIN, &second, &err),
		-EADDRINUSE);
	assert_non_null(strstr(err.text, "another daemon serves it"));

	/* What a dead daemon left is replaced. */
	snprintf(other, sizeof(other), "%s/other", dir);
	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", other);
	fd = socket(AF_UNIX, SOCK_STREAM, 0);
	assert_int_equal(bind(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	close(fd);
	assert_int_equal(
		control_sock_new(p, c, events, other, CONTROL_SOCK_ADMIN, &second, &err), 0);
	/* Somebody else's file at that path outlives us. */
	assert_int_equal(unlink(other), 0);
	fd = open(other, O_CREAT | O_WRONLY, 0600);
	close(fd);
	control_sock_free(second);
	assert_int_equal(unlink(other), 0);

	/* A file that is no socket is nobody's to remove. */
	snprintf(plain, sizeof(plain), "%s/plain", dir);
	fd = open(plain, O_CREAT | O_WRONLY, 0600);
	close(fd);
	assert_int_equal(control_sock_new(p, c, events, plain, CONTROL_SOCK_ADMIN, &second, &err),
		-EADDRINUSE);
	assert_int_equal(unlink(plain), 0);
	memset(longest, 'x', sizeof(longest));
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(control_sock_new(p, c, events, longest, CONTROL_SOCK_ADMIN, &second, &err),
		-ENAMETOOLONG);
	assert_int_equal(control_sock_new(p, c, events, "/nowhere/at/all", CONTROL_SOCK_ADMIN,
				 &second, &err),
		-ENOENT);
}

static void socketpair_end(void **state)
{
	int sv[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, sv), 0);
	assert_int_equal(control_sock_add(s, sv[0]), 0);
	say(sv[1], MKDIR("1", "a"));
	serve();
	hear(sv[1], NULL_RESULT("1"));
	close(sv[1]);
	serve();
}

/* A method that takes a descriptor and gives back what can be read from it. */
static int take_fd(void *arg, struct control_call *call)
{
	char text[8] = "";
	int fd = *call->peer->fd;

	if (fd < 0)
		return call_fail(call, -EBADF, "none came");
	*call->peer->fd = -1;
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_true(read(fd, text, sizeof(text) - 1) >= 0);
	close(fd);
	call->result = json_string(text);
	return 0;
}

static void say_with_fds(int to, const char *text, const int *fds, size_t n)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(2 * sizeof(int))] = { 0 };
	struct iovec iov = { (char *)text, strlen(text) };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = CMSG_SPACE(n * sizeof(int)) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(n * sizeof(int));
	memcpy(CMSG_DATA(h), fds, n * sizeof(int));
	assert_int_equal(sendmsg(to, &msg, 0), (ssize_t)strlen(text));
}

/* The other end of a pipe that came along is closed when nobody has taken it. */
static void assert_closed(int pipe_in)
{
	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(write(pipe_in, "x", 1), -1);
	assert_int_equal(errno, EPIPE);
	close(pipe_in);
}

static void descriptors(void **state)
{
	static const struct control_method methods[] = { { .name = "take", .fn = take_fd },
		{ NULL } };
	static const char take[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"take\"}\n";
	int a[2], b[2], fd = dial();

	assert_int_equal(control_add_methods(c, methods, NULL), 0);
	/* The last one of several belongs to the request, and to no later one. */
	assert_int_equal(pipe(a), 0);
	assert_int_equal(pipe(b), 0);
	assert_int_equal(write(b[1], "hello", 5), 5);
	say_with_fds(fd, take, (int[]){ a[0], b[0] }, 2);
	close(a[0]);
	close(b[0]);
	serve();
	hear(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":\"hello\"}\n");
	assert_closed(a[1]);
	assert_closed(b[1]);
	/* With a request that wants none: closed. */
	assert_int_equal(pipe(a), 0);
	say_with_fds(fd, MKDIR("2", "fds"), a, 1);
	close(a[0]);
	serve();
	hear(fd, NULL_RESULT("2"));
	assert_closed(a[1]);
	say(fd, take);
	serve();
	hear(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"error\":{\"code\":-32000,\"message\":\"none "
		 "came\","
		 "\"data\":{\"errno\":\"EBADF\"}}}\n");
	/* With a connection that ends before its line does. */
	assert_int_equal(pipe(a), 0);
	say_with_fds(fd, "{", a, 1);
	close(a[0]);
	close(fd);
	serve();
	assert_closed(a[1]);
}

#define with_sock(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

/* ---- events and roles ------------------------------------------------------------------------ */

static void tell(const char *text)
{
	struct notices to = events_notices(events);

	notice_tell(&to, &(struct notice){ .kind = NOTICE_ERROR, .text = text });
}

static unsigned drain(int fd, char *tail, size_t cap)
{
	static char buf[1 << 20];
	unsigned lines = 0;
	ssize_t n;

	while ((n = recv(fd, buf, sizeof(buf) - 1, 0)) > 0) {
		for (ssize_t i = 0; i < n; i++)
			lines += buf[i] == '\n';
		snprintf(tail, cap, "%.*s", n > 100 ? 100 : (int)n, buf + (n > 100 ? n - 100 : 0));
		serve();
	}
	return lines;
}

/* Events come by themselves, whole and between answers; who does not read them stops nobody. */
static void events_come(void **state)
{
	int fd = dial(), other = dial();
	char tail[128], *big = malloc(20000);

	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscribe\",\"params\":{\"kinds\":"
		"[\"error\"]}}\n");
	serve();
	hear(fd, NULL_RESULT("1"));
	tell("one");
	serve();
	assert_int_equal(drain(fd, tail, sizeof(tail)), 1);
	assert_non_null(strstr(tail, "\"text\":\"one\"}}\n"));
	memset(big, 'x', 19999);
	big[19999] = '\0';
	for (unsigned i = 0; i < EVENTS_QUEUED_MAX + 100; i++) {
		tell(big);
		if (i % 64 == 0)
			serve();
	}
	say(other, MKDIR("2", "d"));
	serve();
	hear(other, NULL_RESULT("2"));
	assert_in_range(drain(fd, tail, sizeof(tail)), EVENTS_QUEUED_MAX, EVENTS_QUEUED_MAX + 100);
	assert_non_null(strstr(tail, "\"kind\":\"lost\""));
	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"subscribe\",\"params\":{\"kinds\":"
		"[\"weather\"]}}\n");
	serve();
	drain(fd, tail, sizeof(tail));
	assert_non_null(strstr(tail, "EINVAL"));
	tell("unread");
	close(fd);
	close(other);
	serve();
	tell("nobody is there");
	free(big);
}

/* On the read-only socket what changes or is for administrators is refused; the rest goes. */
static void read_only(void **state)
{
	struct control_sock *second = NULL;
	struct errmsg err = { 0 };
	char other[80], tail[256], own[sizeof(path)];
	struct stat st;
	int fd;

	snprintf(other, sizeof(other), "%s/ro", dir);
	assert_int_equal(
		control_sock_new(p, c, events, other, CONTROL_SOCK_READ_ONLY, &second, &err), 0);
	assert_int_equal(stat(other, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0666);
	memcpy(own, path, sizeof(path));
	memcpy(path, other, strlen(other) + 1);
	fd = dial();
	memcpy(path, own, sizeof(path));
	say(fd, MKDIR("1", "x"));
	serve();
	drain(fd, tail, sizeof(tail));
	assert_non_null(strstr(tail, "EACCES"));
	assert_null(tree_lookup(tree, "/disks/x"));
	say(fd, "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"get\",\"params\":{\"path\":\"/"
		"disks\"}}\n");
	serve();
	drain(fd, tail, sizeof(tail));
	assert_null(strstr(tail, "EACCES"));
	close(fd);
	control_sock_free(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_sock(mode_is_0600),
		with_sock(pipelined_and_in_pieces),
		with_sock(half_close),
		with_sock(garbage),
		with_sock(line_too_long),
		with_sock(slow_reader),
		with_sock(gone_before_the_answer),
		with_sock(too_many),
		with_sock(stale_and_taken_paths),
		with_sock(socketpair_end),
		with_sock(descriptors),
		with_sock(events_come),
		with_sock(read_only),
	};

	return cmocka_run_group_tests(tests, group_setup, group_teardown);
}
