/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * isns_test.c: the iSNS client against servers that the test plays, in the simulator. What is
 * checked is mostly what stands in their databases.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <string.h>

#include "fabric/iscsi/isns_testkit.h"

/* ---- tests ----------------------------------------------------------------------------------- */

/* 5.6.5.1: entity, portals, targets, tags of groups; 5.6.5.5: one registration for notes each. */
static void test_register(void **state)
{
	struct server *s = &b.servers[0];

	add_target("10.0.0.1:3260");
	add_target("10.0.0.1:3260");
	add_target("[2001:db8::1]:3261");
	serve(s);
	configure("10.0.0.5");
	settled();
	assert_int_equal(s->nnodes, 3);
	assert_int_equal(s->nports, 2);
	assert_int_equal(s->npgs, 3);
	assert_int_equal(s->scn_regs, 3);
	assert_int_equal(s->replaces, 1);
	assert_int_equal(s->period, 300);
	assert_int_not_equal(s->esi_port, 0);
	assert_int_equal(info(0).targets, 3);
	assert_int_equal(info(0).portals, 2);
}

/* Nothing to register: no server is bothered. */
static void test_nothing(void **state)
{
	serve(&b.servers[0]);
	configure("10.0.0.5");
	run_for(100 * S);
	assert_int_equal(b.servers[0].connections, 0);
	assert_string_equal(info(0).state, "nothing to register");
}

/* Of a change only what has changed is told; what has gone is withdrawn. */
static void test_changes(void **state)
{
	struct server *s = &b.servers[0];
	unsigned told;

	add_target("10.0.0.1:3260");
	add_target("10.0.0.1:3260");
	serve(s);
	configure("10.0.0.5");
	settled();
	told = s->names_told;
	add_target("10.0.0.2:3262");
	settled();
	assert_int_equal(s->nnodes, 3);
	assert_int_equal(s->nports, 2);
	assert_int_equal(s->names_told, told + 1);
	assert_int_equal(s->scn_regs, 3);
	remove_target();
	settled();
	assert_int_equal(s->nnodes, 2);
	assert_int_equal(s->nports, 1);
	assert_int_equal(s->replaces, 1);
	assert_int_equal(s->connections, 1);
	/* The last one: an entity without targets is none. */
	remove_target();
	remove_target();
	run_for(S);
	assert_false(s->entity);
	assert_int_equal(s->nnodes, 0);
	assert_string_equal(info(0).state, "nothing to register");
	add_target("10.0.0.1:3260");
	settled();
	assert_int_equal(s->nnodes, 1);
}

/* Groups that are closed or kept from SendTargets, portals that are, are not told of. */
static void test_what_is_told(void **state)
{
	struct server *s = &b.servers[0];
	struct portal *p;

	add_target("10.0.0.1:3260");
	add_target("10.0.0.1:3260");
	add_target("10.0.0.1:3263@blue");
	add_target("10.0.0.1:3264");
	add_target("0.0.0.0:3265");
	b.tpgs[1]->attribs.tpg_enabled_sendtargets = 0;
	b.portals[3]->sendtargets = 0;
	assert_int_equal(portal_new(b.tpgs[0], "10.0.0.1:3266", &p, NULL), 0);
	assert_int_equal(portal_set_advertise(p, "192.0.2.1:3267", NULL), 0);
	serve(s);
	configure("10.0.0.5");
	settled();
	assert_int_equal(s->nnodes, 2);
	assert_int_equal(s->nports, 3);
	set_port(s, 3260, false);
	set_port(s, 3265, false);
	set_port(s, 3267, false);
	assert_int_equal(s->nports, 0);
	assert_int_equal(portal_free(p, NULL), 0);
}

/* An address in place of "any address" is not withdrawn as what that was registered as. */
static void test_any_narrowed(void **state)
{
	struct server *s = &b.servers[0];
	struct portal *p;

	add_target("0.0.0.0:3260");
	assert_int_equal(portal_new(b.tpgs[0], "0.0.0.0:3261", &p, NULL), 0);
	serve(s);
	configure("10.0.0.5");
	settled();
	assert_int_equal(s->nports, 2);
	assert_int_equal(portal_free(p, NULL), 0);
	assert_int_equal(portal_free(b.portals[0], NULL), 0);
	assert_int_equal(portal_new(b.tpgs[0], "127.0.0.1:3260", &b.portals[0], NULL), 0);
	isns_changed(b.e->isns);
	run_for(S);
	assert_int_equal(s->nports, 1);
	assert_int_equal(s->ports[0], 3260);
}

/* Many: in several messages, none of which is too long. */
static void test_many(void **state)
{
	for (unsigned i = 0; i < 300; i++)
		add_target("10.0.0.1:3260");
	serve(&b.servers[0]);
	configure("10.0.0.5");
	settled();
	assert_int_equal(b.servers[0].nnodes, 300);
	assert_int_equal(b.servers[0].npgs, 300);
	assert_in_range(b.servers[0].registrations, 4, 30);
	for (unsigned i = 0; i < 250; i++)
		remove_target();
	settled();
	assert_int_equal(b.servers[0].nnodes, 50);
}

/*
 * More portals than one message holds, and a target that has them all: the entity comes first, what
 * follows is added to it, and each message has room (5.1.4: 65,532 bytes).
 */
static void test_many_portals(void **state)
{
	enum { N = 2000 };
	struct server *s = &b.servers[0];
	struct portal *p[N];
	char name[32];
	unsigned before;

	add_target("10.0.0.1:3260");
	for (unsigned i = 0; i < N; i++) {
		snprintf(name, sizeof(name), "10.0.0.1:%u", 10000 + i);
		assert_int_equal(portal_new(b.tpgs[0], name, &p[i], NULL), 0);
	}
	add_target("10.0.0.1:3260");
	serve(s);
	configure("10.0.0.5");
	settled();
	assert_int_equal(s->nports, N + 1);
	assert_int_equal(s->nnodes, 2);
	assert_int_equal(s->npgs, N + 2);
	assert_int_equal(s->replaces, 1);
	assert_int_equal(info(0).portals, N + 1);
	/* Of a change what is known is not told again. */
	before = s->registrations;
	add_target("10.0.0.1:3261");
	settled();
	assert_int_equal(s->nports, N + 2);
	assert_int_equal(s->registrations, before + 1);
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(portal_free(p[i], NULL), 0);
	isns_changed(b.e->isns);
	settled();
	assert_int_equal(s->nports, 2);
	assert_int_equal(s->replaces, 1);
}

/* The pauses between tries double, up to a minute and a quarter more. */
static void test_back_off(void **state)
{
	struct server *s = &b.servers[0];
	uint64_t gap;

	add_target("10.0.0.1:3260");
	s->mood = HANGS_UP;
	serve(s);
	configure("10.0.0.5");
	run_for(600 * S);
	assert_in_range(s->connections, 10, 20);
	for (unsigned i = 1; i < s->connections; i++) {
		gap = s->accepted_ns[i] - s->accepted_ns[i - 1];
		assert_in_range(gap, i < 7 ? S << (i - 1) : 60 * S, 77 * S);
		if (i < 6)
			assert_in_range(gap, 0, (S << (i - 1)) * 3 / 2 + 2 * S);
	}
	assert_non_null(strstr(info(0).error, "lost"));
	s->mood = ANSWERS;
	run_for(80 * S);
	assert_true(is_registered());
	assert_string_equal(info(0).error, "");
}

static void test_nobody_there(void **state)
{
	add_target("10.0.0.1:3260");
	configure("10.0.0.5");
	run_for(300 * S);
	assert_non_null(strstr(info(0).error, "cannot be reached"));
	serve(&b.servers[0]);
	run_for(80 * S);
	assert_true(is_registered());
	assert_int_equal(b.servers[0].nnodes, 1);
}

static void test_silent(void **state)
{
	struct server *s = &b.servers[0];

	add_target("10.0.0.1:3260");
	s->mood = SILENT;
	serve(s);
	configure("10.0.0.5");
	run_for(30 * S);
	assert_in_range(s->connections, 2, 3);
	assert_non_null(strstr(info(0).error, "does not answer"));
	s->mood = ANSWERS;
	run_for(80 * S);
	assert_true(is_registered());
}

/* What it says cannot be read: the connection ends, and it is tried again. */
static void test_garbled(void **state)
{
	struct server *s = &b.servers[0];

	add_target("10.0.0.1:3260");
	s->mood = GARBLES;
	serve(s);
	configure("10.0.0.5");
	run_for(10 * S);
	assert_in_range(s->connections, 2, 10);
	s->mood = ANSWERS;
	run_for(80 * S);
	assert_true(is_registered());
}

/* The server says why it does not want us; people read that. */
static void test_refused(void **state)
{
	struct server *s = &b.servers[0];

	add_target("10.0.0.1:3260");
	s->mood = REFUSES;
	s->status = ISNS_SOURCE_UNAUTHORIZED;
	serve(s);
	configure("10.0.0.5");
	run_for(10 * S);
	assert_non_null(strstr(info(0).error, "refuses the registration: source unauthorized"));
	/* 6.3.4: without inquiries, where it has none to give. */
	s->status = ISNS_ESI_NOT_AVAILABLE;
	run_for(60 * S);
	assert_non_null(strstr(info(0).error, "ESI not available"));
	s->mood = ANSWERS;
	s->esi_port = 0;
	run_for(80 * S);
	assert_true(is_registered());
	assert_int_equal(s->esi_port, 0);
	assert_int_not_equal(s->scn_port, 0);
}

/* 6.2.6: a sign of life in each third of the period; one that is forgotten registers anew. */
static void test_signs_of_life(void **state)
{
	struct server *s = &b.servers[0];

	add_target("10.0.0.1:3260");
	serve(s);
	configure("10.0.0.5");
	settled();
	run_for(1000 * S);
	assert_in_range(s->queries, 9, 11);
	assert_int_equal(s->registrations, 1);
	assert_int_equal(s->connections, 1);
	forget(s);
	run_for(110 * S);
	assert_int_equal(s->nnodes, 1);
	assert_int_equal(s->replaces, 2);
	assert_true(is_registered());
}

/* A server that comes back and knows us is not told again. */
static void test_lost_connection(void **state)
{
	struct server *s = &b.servers[0];

	add_target("10.0.0.1:3260");
	serve(s);
	configure("10.0.0.5");
	settled();
	serve_no_more(s);
	assert_true(run_until(is_not_registered));
	run_for(20 * S);
	serve(s);
	run_for(80 * S);
	assert_true(is_registered());
	assert_int_equal(s->registrations, 1);
	/* And one that comes back without its database is. */
	serve_no_more(s);
	forget(s);
	run_for(20 * S);
	serve(s);
	run_for(80 * S);
	assert_true(is_registered());
	assert_int_equal(s->nnodes, 1);
	/* All of it, although but a part is new to us. */
	serve_no_more(s);
	forget(s);
	add_target("10.0.0.1:3260");
	run_for(20 * S);
	serve(s);
	run_for(80 * S);
	assert_true(is_registered());
	assert_int_equal(s->nnodes, 2);
}

/* What was under way when the connection was lost may have been done, or not. */
static void test_lost_answer(void **state)
{
	struct server *s = &b.servers[0];

	add_target("10.0.0.1:3260");
	serve(s);
	configure("10.0.0.5");
	settled();
	s->mood = LOSES;
	add_target("10.0.0.1:3261");
	assert_true(run_until(is_not_registered));
	run_for(S / 2);
	assert_int_equal(s->nnodes, 2);
	remove_target();
	s->mood = ANSWERS;
	run_for(80 * S);
	assert_true(is_registered());
	assert_int_equal(s->nnodes, 1);
	assert_int_equal(s->nports, 1);
}

/* "Any address" is the one that the server is reached from, also when that changes. */
static void test_moved(void **state)
{
	static const uint8_t before[] = { 127, 0, 0, 1 }, after[] = { 10, 0, 0, 9 };
	struct server *s = &b.servers[0];

	add_target("0.0.0.0:3260");
	serve(s);
	configure("10.0.0.5");
	settled();
	assert_memory_equal(s->last_address + 12, before, 4);
	sim_set_host(b.rig.k.loops, 0x0a000009);
	drop_peer(s);
	assert_true(run_until(is_not_registered));
	run_for(20 * S);
	assert_true(is_registered());
	assert_memory_equal(s->last_address + 12, after, 4);
	assert_int_equal(s->replaces, 2);
	assert_int_equal(s->nports, 1);
}

/* A period so short that a third of it is less than a second. */
static void test_short_period(void **state)
{
	struct isns_settings set;
	struct server *s = &b.servers[0];

	add_target("10.0.0.1:3260");
	serve(s);
	configure("10.0.0.5");
	set = *isns_settings(b.e->isns);
	set.period_s = 2;
	assert_int_equal(isns_configure(b.e->isns, &set, NULL), 0);
	settled();
	run_for(10 * S);
	assert_in_range(s->queries, 5, 11);
}

static void test_two_servers(void **state)
{
	add_target("10.0.0.1:3260");
	serve(&b.servers[0]);
	b.servers[1].mood = SILENT;
	serve(&b.servers[1]);
	configure("10.0.0.5,10.0.0.6:3205");
	settled();
	assert_int_equal(b.servers[0].nnodes, 1);
	run_for(5 * S);
	b.servers[1].mood = ANSWERS;
	run_for(80 * S);
	assert_int_equal(b.servers[1].nnodes, 1);
	/* One goes: it is left in order, and the other one does not notice. */
	configure("10.0.0.6");
	run_for(S);
	assert_false(b.servers[0].entity);
	assert_int_equal(b.servers[0].peer, -1);
	assert_string_equal(info(0).address, "10.0.0.6:3205");
	assert_int_equal(b.servers[1].nnodes, 1);
	assert_int_equal(b.servers[1].connections, 1 + (b.servers[1].connections > 1));
}

/* Other settings: all is told anew. */
static void test_settings(void **state)
{
	struct isns_settings set;
	struct server *s = &b.servers[0];

	add_target("10.0.0.1:3260");
	serve(s);
	configure("10.0.0.5");
	settled();
	set = *isns_settings(b.e->isns);
	set.period_s = 3000;
	assert_int_equal(isns_configure(b.e->isns, &set, NULL), 0);
	settled();
	assert_int_equal(s->period, 3000);
	assert_int_equal(s->nnodes, 1);
	assert_int_equal(s->deregistrations, 0);
	/* Under another name: the one it had is withdrawn. */
	strcpy(set.entity, "other");
	assert_int_equal(isns_configure(b.e->isns, &set, NULL), 0);
	run_for(S);
	assert_true(is_registered());
	assert_int_equal(s->deregistrations, 1);
	assert_string_equal(s->eid, "other");
	assert_int_equal(s->nnodes, 1);
	/* Also where it is left at the same time, and where the connection is lost. */
	serve_no_more(s);
	strcpy(set.entity, "third");
	assert_int_equal(isns_configure(b.e->isns, &set, NULL), 0);
	run_for(20 * S);
	serve(s);
	run_for(80 * S);
	assert_true(is_registered());
	assert_string_equal(s->eid, "third");
	assert_int_equal(s->deregistrations, 2);
	strcpy(set.entity, "fourth");
	set.servers[0] = '\0';
	assert_int_equal(isns_configure(b.e->isns, &set, NULL), 0);
	run_for(S);
	assert_false(s->entity);
}

static void test_bad_settings(void **state)
{
	static const char nine[] =
		"10.0.0.1,10.0.0.2,10.0.0.3,10.0.0.4,10.0.0.5,10.0.0.6,10.0.0.7,10.0.0.8,10.0.0.9";
	static const char *const bad[] = { "nobody", "10.0.0.1:0", "10.0.0.1,10.0.0.1:3205", "::1",
		nine };
	struct isns_settings set = *isns_settings(b.e->isns);

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct errmsg err = { 0 };

		strcpy(set.servers, bad[i]);
		assert_int_equal(isns_configure(b.e->isns, &set, &err), -EINVAL);
		assert_int_not_equal(strlen(err.text), 0);
	}
	strcpy(set.servers, "[2001:db8::5], 10.0.0.5:3206");
	assert_int_equal(isns_configure(b.e->isns, &set, NULL), 0);
	assert_string_equal(info(0).address, "[2001:db8::5]:3205");
	assert_string_equal(info(1).address, "10.0.0.5:3206");
	strcpy(set.entity, "a b");
	assert_int_equal(isns_configure(b.e->isns, &set, NULL), -EINVAL);
}

/* ---- calls of the server --------------------------------------------------------------------- */

static int call(uint32_t port)
{
	struct sockaddr_in in = { .sin_family = AF_INET,
		.sin_port = htons((uint16_t)port),
		.sin_addr.s_addr = htonl(0x0a000001) };
	int fd = sim_connect(b.rig.k.loops, (struct sockaddr *)&in, sizeof(in));

	assert_true(fd >= 0);
	return fd;
}

static int caller;
static uint8_t reply[1000];
static size_t reply_n;

static bool reply_came(void)
{
	int64_t got = sim_recv(b.rig.k.loops, caller, reply + reply_n, sizeof(reply) - reply_n);

	if (got < 0)
		return true;
	reply_n += (size_t)got;
	return reply_n >= ISNS_HEADER_BYTES &&
	       reply_n == ISNS_HEADER_BYTES + (size_t)get_be16(reply + 4);
}

/* Sends the message that o holds, and reads the answer; 0: the connection was closed. */
static size_t ask(struct strbuf *o)
{
	assert_true(isns_end(o));
	reply_n = 0;
	assert_int_equal(sim_send(b.rig.k.loops, caller, o->s, o->len), 0);
	assert_true(run_until(reply_came));
	return reply_n;
}

/* 5.7.5.13: the answer has the status and all that was asked. */
static void test_inquiry(void **state)
{
	struct server *s = &b.servers[0];
	struct strbuf o;

	add_target("10.0.0.1:3260");
	serve(s);
	configure("10.0.0.5");
	settled();
	caller = call(s->esi_port);
	for (unsigned i = 0; i < 3; i++) {
		strbuf_init(&o);
		isns_begin(&o, ISNS_ESI, ISNS_FLAG_SERVER, (uint16_t)(9 + i));
		isns_put(&o, ISNS_TIMESTAMP, "\0\0\0\0\0\0\0\1", 8);
		isns_put_text(&o, ISNS_ENTITY_ID, "sim");
		assert_int_equal(ask(&o), o.len + 4);
		assert_int_equal(get_be16(reply + 2), ISNS_ESI | ISNS_RESPONSE);
		assert_int_equal(get_be16(reply + 8), 9 + i);
		assert_int_equal(get_be32(reply + 12), ISNS_SUCCESS);
		assert_memory_equal(reply + 16, o.s + 12, o.len - 12);
		strbuf_done(&o);
	}
	assert_int_equal(info(0).esis, 3);
	/* What a server has no business to ask. */
	strbuf_init(&o);
	isns_begin(&o, ISNS_DEV_ATTR_QRY, ISNS_FLAG_SERVER, 7);
	assert_int_equal(ask(&o), 16);
	assert_int_equal(get_be32(reply + 12), ISNS_NOT_SUPPORTED);
	strbuf_done(&o);
	sim_close(b.rig.k.loops, caller, false);
}

static void note(const char *to, uint32_t bits, const char *who)
{
	struct strbuf o;

	strbuf_init(&o);
	isns_begin(&o, ISNS_SCN, ISNS_FLAG_SERVER, 3);
	isns_put_text(&o, ISNS_ISCSI_NAME, to);
	isns_put(&o, ISNS_TIMESTAMP, "\0\0\0\0\0\0\0\1", 8);
	isns_put_u32(&o, ISNS_ISCSI_SCN_BITMAP, bits);
	isns_put_text(&o, ISNS_ISCSI_NAME, who);
	assert_in_range(ask(&o), 16, sizeof(reply));
	assert_int_equal(get_be16(reply + 2), ISNS_SCN | ISNS_RESPONSE);
	assert_int_equal(get_be32(reply + 12), ISNS_SUCCESS);
	strbuf_done(&o);
}

/* 5.7.5.8: notes are answered and shown; that we were removed is looked into, not too often. */
static void test_notes(void **state)
{
	struct server *s = &b.servers[0];

	add_target("10.0.0.1:3260");
	serve(s);
	configure("10.0.0.5");
	settled();
	caller = call(s->scn_port);
	note("iqn.2003-01.test:t000", ISNS_SCN_OBJECT_ADDED, "iqn.2003-01.test:initiator");
	assert_string_equal(info(0).last_scn, "added iqn.2003-01.test:initiator");
	note("iqn.2003-01.test:t000", ISNS_SCN_OBJECT_REMOVED, "iqn.2003-01.test:initiator");
	assert_int_equal(s->queries, 0);
	forget(s);
	for (unsigned i = 0; i < 20; i++)
		note("iqn.2003-01.test:t000", ISNS_SCN_OBJECT_REMOVED, "iqn.2003-01.test:t000");
	run_for(S);
	assert_in_range(s->queries, 1, 2);
	assert_int_equal(s->nnodes, 1);
	assert_int_equal(info(0).scns, 22);
	sim_close(b.rig.k.loops, caller, false);
}

/* Callers are bounded, and what they send is not trusted. */
static void test_bad_callers(void **state)
{
	static const struct {
		size_t n;
		uint8_t bytes[24];
	} bad[] = {
		{ 12, { 0, 2, 0, 13, 0, 0 } }, /* version 2 */
		{ 12, { 0, 1, 0, 13, 0, 3 } }, /* a length that is none */
		{ 12, { 0, 1, 0x80, 13, 0, 0 } }, /* a response */
		{ 5, { 0, 1, 0, 13, 0 } }, /* less than a header */
		{ 20, { 0, 1, 0, 13, 0, 64 } }, /* less than it says */
	};
	struct loops *loops = b.rig.k.loops;
	struct server *s = &b.servers[0];
	int fds[40];

	add_target("10.0.0.1:3260");
	serve(s);
	configure("10.0.0.5");
	settled();
	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		caller = call(s->esi_port);
		reply_n = 0;
		assert_int_equal(sim_send(loops, caller, bad[i].bytes, bad[i].n), 0);
		if (i < 3)
			assert_true(run_until(reply_came));
		run_for(S / 10);
		assert_int_equal(reply_n, 0);
		sim_close(loops, caller, i & 1);
	}
	for (unsigned i = 0; i < 40; i++) {
		fds[i] = call(s->esi_port);
		run_for(S / 100);
	}
	/* The first ones have given way, the last one is heard. */
	assert_int_equal(sim_recv(loops, fds[0], reply, 1), -EPIPE);
	caller = fds[39];
	note("iqn.2003-01.test:t000", ISNS_SCN_OBJECT_ADDED, "iqn.2003-01.test:initiator");
	for (unsigned i = 0; i < 40; i++)
		sim_close(loops, fds[i], false);
	run_for(S);
	assert_true(is_registered());
}

/* The end says goodbye, and does not wait for who does not answer. */
static void test_end(void **state)
{
	struct server *s = &b.servers[0];
	uint64_t before;

	add_target("10.0.0.1:3260");
	serve(s);
	serve(&b.servers[1]);
	configure("10.0.0.5,10.0.0.6");
	settled();
	assert_true(b.servers[1].entity);
	before = sim_now_ns(b.rig.k.loops);
	assert_int_equal(entity_stop(b.e, 10 * S), 0);
	assert_in_range(sim_now_ns(b.rig.k.loops) - before, 0, 3 * S);
	play(s);
	play(&b.servers[1]);
	assert_int_equal(s->deregistrations, 1);
	assert_false(s->entity);
	assert_false(b.servers[1].entity);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		CASE(test_register),
		CASE(test_nothing),
		CASE(test_changes),
		CASE(test_what_is_told),
		CASE(test_any_narrowed),
		CASE(test_many),
		CASE(test_many_portals),
		CASE(test_back_off),
		CASE(test_nobody_there),
		CASE(test_silent),
		CASE(test_garbled),
		CASE(test_refused),
		CASE(test_signs_of_life),
		CASE(test_lost_connection),
		CASE(test_lost_answer),
		CASE(test_moved),
		CASE(test_short_period),
		CASE(test_two_servers),
		CASE(test_settings),
		CASE(test_bad_settings),
		CASE(test_inquiry),
		CASE(test_notes),
		CASE(test_bad_callers),
		CASE(test_end),
	};

	return cmocka_run_group_tests_name("isns", tests, NULL, NULL);
}
