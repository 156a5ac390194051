/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sessions_test.c: what the tree and sessions.h tell of real sessions over a loopback socket, who
 * is let in by which attributes (RFC 7143 11.13.5), and how sessions are ended.
 */
#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "fabric/iscsi/rows_testkit.h"
#include "fabric/iscsi/sessions.h"
#include "fabric/iscsi/wire.h"

/* A listening address that was free a moment ago: "127.0.0.1:PORT" below np/. */
static uint16_t free_port(char *path, size_t cap)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t n = sizeof(in);
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(fd >= 0 && !bind(fd, (struct sockaddr *)&in, n) &&
		    !getsockname(fd, (struct sockaddr *)&in, &n));
	close(fd);
	snprintf(path, cap, TPG "/np/127.0.0.1:%u", ntohs(in.sin_port));
	return ntohs(in.sin_port);
}

static int dial(uint16_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_int_equal(connect(fd, (struct sockaddr *)&in, sizeof(in)), 0);
	return fd;
}

static bool recv_all(int fd, void *buf, size_t n)
{
	return recv(fd, buf, n, MSG_WAITALL) == (ssize_t)n;
}

/* Log in from the operational stage in one step. Returns the status, -1: no answer. */
static int log_in(int fd, const char *initiator, const char *target, uint8_t isid5)
{
	struct bhs_login_response rsp;
	struct bhs_login_request req;
	uint8_t pdu[1024] = { 0 }, rest[8192];
	size_t n = 0;

	n = (size_t)snprintf((char *)pdu + sizeof(req), 900,
		"InitiatorName=%s%cTargetName=%s%cInitiatorAlias=test", initiator, 0, target, 0);
	n++;
	memset(&req, 0, sizeof(req));
	req.opcode = 0x40 | ISCSI_OP_LOGIN_REQUEST;
	req.flags = 0x80 | 1 << 2 | 3; /* T, LoginOperationalNegotiation to FullFeature */
	req.data_segment_length = be24_put((uint32_t)n);
	req.isid[0] = 0x80;
	req.isid[5] = isid5;
	req.initiator_task_tag = be32_put(1);
	req.cmdsn = be32_put(1);
	memcpy(pdu, &req, sizeof(req));
	n = sizeof(req) + ((n + 3) & ~(size_t)3);
	assert_int_equal(send(fd, pdu, n, 0), (ssize_t)n);
	if (!recv_all(fd, &rsp, sizeof(rsp)))
		return -1;
	n = (be24_get(rsp.data_segment_length) + 3u) & ~3u;
	assert_true(n <= sizeof(rest) && recv_all(fd, rest, n));
	return rsp.status_class << 8 | rsp.status_detail;
}

/* Wait until the peer has closed; what it still sends is dropped. */
static void wait_closed(int fd)
{
	char buf[512];

	while (recv(fd, buf, sizeof(buf), 0) > 0)
		;
	close(fd);
}

static void open_target(uint16_t *port, char *path, size_t cap)
{
	*port = free_port(path, cap);
	ok(try_mkdir(path), path);
	MKDIR(TPG "/lun/lun_0");
	LINK(TPG "/lun/lun_0/a", DISK);
	SET(TPG "/attrib/authentication", "0");
	SET(TPG "/enable", "1");
}

static void keep_last(const struct session_info *s, void *arg)
{
	*(struct session_info *)arg = *s;
}

static void count_one(const struct session_info *s, void *arg)
{
	++*(unsigned *)arg;
}

static unsigned count(const struct session_filter *f)
{
	unsigned n = 0;

	assert_int_equal(sessions_each(entity, f, count_one, &n), 0);
	return n;
}

/* Sessions end by themselves once they are told to: each look takes a round of all loops. */
static void wait_gone(const struct session_filter *f)
{
	uint64_t end = clock_now_ns() + UINT64_C(10000000000);

	while (count(f))
		if (clock_now_ns() > end)
			fail_msg("the session does not end");
}

/* An initiator with an ACL and a mapped LUN that has logged in. Returns its socket. */
static int open_session(uint16_t *port)
{
	char path[256];
	int fd;

	open_target(port, path, sizeof(path));
	MKDIR(TPG "/acls/" INI);
	MKDIR(TPG "/acls/" INI "/lun_3");
	LINK(TPG "/acls/" INI "/lun_3/x", TPG "/lun/lun_0");
	fd = dial(*port);
	assert_int_equal(log_in(fd, INI, IQN, 1), 0);
	return fd;
}

static void refused(void **state)
{
	char path[256];
	uint16_t port;
	int fd;

	open_target(&port, path, sizeof(path));
	fd = dial(port);
	/* Nobody is let in by default. */
	assert_int_equal(log_in(fd, INI, IQN, 1), 0x0202);
	wait_closed(fd);
	is("/iscsi/" IQN "/fabric_statistics/iscsi_login_stats/authorize_fails", "1");
	is("/iscsi/" IQN "/fabric_statistics/iscsi_tgt_attr/fail_intr_name", INI);
	is("/iscsi/" IQN "/fabric_statistics/iscsi_tgt_attr/fail_intr_addr", "127.0.0.1");
	is("/iscsi/" IQN "/fabric_statistics/iscsi_tgt_attr/last_fail_type", "514");
}

static const struct session_filter mine = { .initiator = INI };

static void told_of(void **state)
{
	struct session_info s;
	uint16_t port;
	int fd = open_session(&port);

	assert_int_equal(sessions_each(entity, &mine, keep_last, &s), 0);
	assert_string_equal(s.params.initiator_name, INI);
	assert_string_equal(s.params.initiator_alias, "test");
	assert_string_equal(s.target, IQN);
	assert_int_equal(s.tpgt, 1);
	assert_int_equal(s.state, SESS_LOGGED_IN);
	assert_int_equal(s.luns, 1);
	assert_int_equal(s.nconns, 1);
	assert_int_equal(s.isid[5], 1);
	assert_int_equal(strncmp(s.conns[0].peer, "127.0.0.1:", 10), 0);
	assert_int_equal(count(NULL), 1);
	assert_int_equal(count(&(struct session_filter){ .tsih = s.tsih }), 1);
	assert_int_equal(count(&(struct session_filter){ .tsih = s.tsih + 1u }), 0);
	assert_int_equal(count(&(struct session_filter){ .target = "" }), 0);
	is("/iscsi/" IQN "/fabric_statistics/iscsi_instance/sessions", "1");
	is(TPG "/dynamic_sessions", "");
	close(fd);
	wait_gone(NULL);
}

/* What LIO's tools look for. */
static void told_by_files(void **state)
{
	struct session_info s;
	char want[256];
	struct strbuf b;
	uint16_t port;
	int fd = open_session(&port);

	assert_int_equal(sessions_each(entity, &mine, keep_last, &s), 0);
	strbuf_init(&b);
	assert_int_equal(get(TPG "/acls/" INI "/info", &b), 0);
	snprintf(want, sizeof(want),
		"InitiatorName: " INI "\nInitiatorAlias: test\nLIO Session ID: %u   ISID: 0x80 00 "
		"00 00 00 01  TSIH: %u  SessionType: Normal\nSession State: "
		"TARG_SESS_STATE_LOGGED_IN\n",
		s.tsih, s.tsih);
	assert_int_equal(strncmp(b.s, want, strlen(want)), 0);
	assert_non_null(strstr(b.s, "CID: 0  Connection State: TARG_CONN_STATE_LOGGED_IN\n"
				    "   Address 127.0.0.1 TCP  StatSN: 0x"));
	strbuf_done(&b);
	is(TPG "/acls/" INI "/param/ErrorRecoveryLevel", "0");
	is(TPG "/acls/" INI "/param/InitialR2T", "1");
	is(TPG "/acls/" INI "/lun_3/statistics/scsi_att_intr_port/port_ident",
		INI "+i+800000000001");
	is(TPG "/acls/" INI "/lun_3/statistics/scsi_auth_intr/att_count", "1");
	is(TPG "/acls/" INI "/fabric_statistics/iscsi_sess_stats/node", "1");
	close(fd);
}

static void ended(void **state)
{
	struct session_info s;
	uint16_t port;
	int fd = open_session(&port);

	assert_int_equal(sessions_drop(entity, &(struct session_filter){ .target = "x" }, "no"), 0);
	assert_int_equal(sessions_drop(entity, &mine, "by the test"), 1);
	wait_closed(fd);
	wait_gone(&mine);

	/* A change of the depth ends the session; so does the end of the ACL. */
	fd = dial(port);
	assert_int_equal(log_in(fd, INI, IQN, 1), 0);
	SET(TPG "/acls/" INI "/cmdsn_depth", "64");
	assert_int_equal(count(NULL), 1);
	SET(TPG "/acls/" INI "/cmdsn_depth", "16");
	wait_closed(fd);
	fd = dial(port);
	assert_int_equal(log_in(fd, INI, IQN, 1), 0);
	assert_int_equal(sessions_each(entity, &mine, keep_last, &s), 0);
	assert_int_equal(s.depth, 16);
	UNLINK(TPG "/acls/" INI "/lun_3/x");
	RMDIR(TPG "/acls/" INI "/lun_3");
	RMDIR(TPG "/acls/" INI);
	wait_closed(fd);
	assert_int_equal(count(NULL), 0);
}

static void demo_mode(void **state)
{
	struct session_info s;
	char path[256];
	uint16_t port;
	int a, b;

	open_target(&port, path, sizeof(path));
	SET(TPG "/attrib/generate_node_acls", "1");
	a = dial(port);
	assert_int_equal(log_in(a, INI, IQN, 1), 0);
	b = dial(port);
	assert_int_equal(log_in(b, INI "b", IQN, 1), 0);
	is(TPG "/dynamic_sessions", INI "\n" INI "b");
	assert_int_equal(sessions_each(entity, NULL, keep_last, &s), 0);
	assert_int_equal(s.luns, 1);
	/* An ACL takes the session over: no LUN is mapped in it. */
	MKDIR(TPG "/acls/" INI "b");
	is(TPG "/dynamic_sessions", INI);
	assert_int_equal(sessions_each(entity, &(struct session_filter){ .initiator = INI "b" },
				 keep_last, &s),
		0);
	assert_int_equal(s.luns, 0);
	SET(TPG "/attrib/demo_mode_write_protect", "0");
	SET(TPG "/enable", "0");
	wait_closed(a);
	wait_closed(b);
	assert_int_equal(count(NULL), 0);
	/* What is cached of demo mode lets nobody in when it is off. */
	SET(TPG "/attrib/generate_node_acls", "0");
	SET(TPG "/enable", "1");
	a = dial(port);
	assert_int_equal(log_in(a, INI, IQN, 1), 0x0202);
	wait_closed(a);
}

/* attrib/authentication and param/AuthMethod decide who gets in without a secret. */
static void who_must_authenticate(void **state)
{
	static const struct {
		const char *tpg, *method, *acl;
		int status;
	} cases[] = {
		{ "0", "CHAP,None", "-1", 0 },
		{ "0", "None", "-1", 0 },
		{ "0", "CHAP", "-1", 0x0201 },
		{ "0", "CHAP", "0", 0 },
		{ "0", "CHAP,None", "1", 0x0201 },
		{ "1", "CHAP", "-1", 0x0201 },
		{ "1", "CHAP,None", "-1", 0x0201 },
		{ "1", "CHAP", "0", 0 },
	};
	char path[256];
	uint16_t port;

	open_target(&port, path, sizeof(path));
	MKDIR(TPG "/acls/" INI);
	SET(TPG "/acls/" INI "/auth/userid", "u");
	SET(TPG "/acls/" INI "/auth/password", "123456789012");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int fd = dial(port), status;

		ok(try_set(TPG "/attrib/authentication", cases[i].tpg), "authentication");
		ok(try_set(TPG "/param/AuthMethod", cases[i].method), "AuthMethod");
		ok(try_set(TPG "/acls/" INI "/attrib/authentication", cases[i].acl), "acl");
		status = log_in(fd, INI, IQN, 1);
		if (status != cases[i].status)
			fail_msg("case %zu: status %04x", i, status);
		if (!status)
			(void)sessions_drop(entity, NULL, "the next case");
		wait_closed(fd);
	}
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(refused),
		CASE(told_of),
		CASE(told_by_files),
		CASE(ended),
		CASE(demo_mode),
		CASE(who_must_authenticate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
