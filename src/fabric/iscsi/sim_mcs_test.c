/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim_mcs_test.c: sessions with several connections (RFC 7143 4.2.4) on several loops, in the
 * simulator, over many seeds: order by CmdSN, connections that come, go, are logged out or replaced
 * in the midst of work, also the leading one. Each connection works on blocks of its own, so that a
 * model tells what must be read; where order is checked they share blocks.
 */
#include "base/clock.h"
#include "fabric/iscsi/sess.h"
#include "fabric/iscsi/sim_peer_testkit.h"
#include "loop/loop.h"

enum { CONNS = 4, REGION = DISK_BLOCKS / CONNS };

static struct sim_target t;
static struct peer peers[CONNS];

static uint32_t pick(uint32_t n)
{
	return (uint32_t)sim_random(t.rig.k.loops, n);
}

static const char *const disks[] = { "ram:256k", "file:/disk,size=256k", "delay:ms=1|ram:256k" };

static void pump(uint64_t steps)
{
	peers_pump_alive(peers, CONNS, steps);
}

static struct peer *some_peer(void)
{
	struct peer *list[CONNS];
	unsigned n = peers_alive(peers, CONNS, list);

	return n ? list[pick(n)] : NULL;
}

static void drain(void)
{
	for (unsigned i = 0;; i++) {
		bool busy = false;

		for (unsigned k = 0; k < CONNS; k++) {
			if (peers[k].fd >= 0 && peers[k].closed)
				fail_msg("the target has closed connection %u", k);
			busy = busy || peers[k].nactive || peers[k].tmf_itt != TAG_RESERVED;
		}
		if (!busy)
			return;
		if (i == 20000)
			fail_msg("commands are not answered");
		pump(50);
	}
}

static void begin(uint64_t seed, unsigned conns)
{
	struct peer_params p = {
		.immediate = seed & 1,
		.initial_r2t = seed & 2,
		.header_digest = seed & 4,
		.data_digest = seed & 8,
		.max_burst = 4096u << seed % 3,
		.first_burst = 4096,
		.recv = 8192,
		.r2ts = 1 + seed % 3,
		.conns = CONNS,
	};

	sim_target_init(&t, seed, disks[seed % 3], 8192);
	for (unsigned i = 0; i < CONNS; i++)
		peer_init(&peers[i], &t, &p);
	peer_login(&peers[0]);
	for (unsigned i = 1; i < conns; i++)
		assert_int_equal(peer_join(&peers[i], &peers[0], (uint16_t)i), 0);
}

static void end(void)
{
	for (unsigned i = 0; i < CONNS; i++)
		peer_done(&peers[i]);
	sim_target_done(&t);
}

static void some_command(struct peer *peer)
{
	uint32_t n = 1 + pick(pick(4) ? 8 : TASK_BLOCKS), lba = pick(REGION - n + 1);
	uint8_t attr = ISCSI_ATTR_SIMPLE;

	if (pick(12) == 0)
		attr = pick(2) ? ISCSI_ATTR_ORDERED : ISCSI_ATTR_HEAD_OF_QUEUE;
	peer_start(peer, pick(2), (uint32_t)(peer - peers) * REGION + lba, n, attr, pick(4) == 0);
}

static void work(unsigned commands)
{
	for (unsigned i = 0; i < commands; i++) {
		struct peer *peer = some_peer();

		some_command(peer);
		if (pick(8) == 0)
			peer_nop(peer);
		if (pick(3) == 0)
			pump(1 + pick(40));
	}
}

static void check_disk(void)
{
	drain();
	peer_check_disk(some_peer());
}

/* ---- all is well ----------------------------------------------------------------------------- */

static void read_write(void **state)
{
	for (uint64_t seed = 0; seed < 40; seed++) {
		uint64_t good = 0, failed = 0;

		begin(seed, 2 + seed % 3);
		work(120);
		check_disk();
		for (unsigned i = 0; i < CONNS; i++) {
			good += peers[i].good;
			failed += peers[i].failed;
		}
		/* Nothing but the unit attention of a new session. */
		if (failed > 1 || good < 25)
			fail_msg("seed %u: %u failed, %u good", (unsigned)seed, (unsigned)failed,
				(unsigned)good);
		assert_int_equal(peer_logout_for(&peers[1], ISCSI_LOGOUT_CLOSE_SESSION, 0), 0);
		/* 11.14: all connections of the session are closed. */
		for (unsigned i = 0; !peers[0].closed; i++) {
			assert_true(i < 1000);
			pump(50);
		}
		end();
	}
}

/* ---- order ----------------------------------------------------------------------------------- */

struct heard {
	uint8_t data[512];
	unsigned n, status;
};

static void hear(
	struct peer *peer, struct peer_task *k, uint8_t status, const uint8_t *sense, uint32_t n)
{
	struct heard *h = k->arg;

	h->n++;
	h->status |= status;
	if (!k->write)
		memcpy(h->data, k->data, sizeof(h->data));
}

static void block_io(struct peer *peer, bool write, uint8_t fill, uint8_t attr, struct heard *h)
{
	uint8_t out[512];
	struct peer_cmd c = {
		.cdb = { write ? OP_WRITE_16 : OP_READ_16 }, .attr = attr, .done = hear, .arg = h
	};

	memset(out, fill, sizeof(out));
	put_be64(c.cdb + 2, 5);
	put_be32(c.cdb + 10, 1);
	if (write) {
		c.out = out;
		c.out_bytes = sizeof(out);
	} else {
		c.in_bytes = sizeof(out);
	}
	while (!peer_command(peer, &c))
		pump(20);
}

/*
 * 4.2.2.1: commands come to the device in the order of their CmdSNs, whichever connections bring
 * them; SAM-5 8.6: an ORDERED one runs after all that came before and before all that come after.
 */
static void order(void **state)
{
	for (uint64_t seed = 0; seed < 60; seed++) {
		struct heard writes = { .n = 0 }, read = { .n = 0 };

		begin(seed, CONNS);
		block_io(&peers[0], false, 0, ISCSI_ATTR_SIMPLE, &read);
		drain();
		for (unsigned round = 1; round < 30; round++) {
			memset(&writes, 0, sizeof(writes));
			memset(&read, 0, sizeof(read));
			block_io(some_peer(), true, (uint8_t)(round + 100), ISCSI_ATTR_SIMPLE,
				&writes);
			if (pick(2))
				block_io(some_peer(), true, (uint8_t)(round + 50),
					ISCSI_ATTR_ORDERED, &writes);
			block_io(some_peer(), true, (uint8_t)round, ISCSI_ATTR_ORDERED, &writes);
			block_io(some_peer(), false, 0, ISCSI_ATTR_SIMPLE, &read);
			if (pick(3) == 0)
				pump(1 + pick(60));
			drain();
			assert_int_equal(writes.status, 0);
			assert_int_equal(read.n, 1);
			if (read.data[0] != round || read.data[511] != round)
				fail_msg("seed %u: read %u in round %u", (unsigned)seed,
					read.data[0], round);
		}
		assert_int_equal(peer_logout_for(&peers[seed % CONNS], 0, 0), 0);
		end();
	}
}

/* SCSI Commands that the target has received from all connections. */
static uint64_t received(void)
{
	const struct sess *sess = list_first(&t.tpg->sessions, struct sess, tpg_link);
	const struct conn *conn;
	uint64_t n = 0;

	list_for_each (conn, &sess->conns, struct conn, sess_link)
		n += conn->cmd_pdus;
	return n;
}

/* 4.2.2.1: what has come and waits behind an ORDERED command loses its number to nobody. */
static void number_of_a_waiting_one(void **state)
{
	unsigned waiting = 0;

	/* With the disk that is slow. */
	for (uint64_t seed = 2; seed < 120; seed += 3) {
		struct heard h = { .n = 0 };
		unsigned n = 6;
		uint64_t before;

		begin(seed, CONNS);
		block_io(&peers[0], false, 0, ISCSI_ATTR_SIMPLE, &h);
		drain();
		memset(&h, 0, sizeof(h));
		before = received();
		for (unsigned i = 0; i < n; i++)
			block_io(&peers[i % CONNS], true, (uint8_t)i, ISCSI_ATTR_ORDERED, &h);
		while (received() != before + n)
			pump(1);
		waiting += n - h.n;
		for (unsigned i = 0; i < 12; i++) {
			/* The initiator takes for lost what ExpCmdSN does not tell of. */
			if (peers[0].w->exp_cmdsn != peers[0].w->cmdsn)
				peer_fill(some_peer(), peers[0].w->exp_cmdsn);
			pump(1 + pick(20));
		}
		drain();
		assert_int_equal(h.n, n);
		assert_int_equal(h.status, 0);
		end();
	}
	assert_true(waiting > 100);
}

/*
 * 4.2.3.3, 11.5.1: a function that is to end what is stuck is not kept from it by commands that
 * wait for the stuck one.
 */
static void stuck_ordered(void **state)
{
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct heard stuck = { .n = 0 }, others = { .n = 0 };
		struct peer_params p = { .immediate = true,
			.max_burst = 4096,
			.first_burst = 4096,
			.recv = 8192,
			.r2ts = 1,
			.conns = CONNS };

		sim_target_init(&t, seed, "error:op=write,mode=stuck,after=0|ram:256k", 8192);
		for (unsigned i = 0; i < CONNS; i++)
			peer_init(&peers[i], &t, &p);
		peer_login(&peers[0]);
		for (unsigned i = 1; i < CONNS; i++)
			assert_int_equal(peer_join(&peers[i], &peers[0], (uint16_t)i), 0);
		block_io(&peers[0], false, 0, ISCSI_ATTR_SIMPLE, &others);
		drain();
		memset(&others, 0, sizeof(others));
		block_io(&peers[0], true, 1, ISCSI_ATTR_ORDERED, &stuck);
		for (unsigned i = 1; i < CONNS; i++)
			block_io(&peers[i], false, 0, ISCSI_ATTR_SIMPLE, &others);
		for (uint64_t end = loop_now_ns(loops_get(t.rig.k.loops, 0)) + 20 * NS_PER_S;
			loop_now_ns(loops_get(t.rig.k.loops, 0)) < end;)
			pump(50);
		assert_int_equal(stuck.n + others.n, 0);
		peer_tmf(&peers[seed % CONNS], ISCSI_TMF_ABORT_TASK_SET, TAG_RESERVED, 0);
		for (unsigned i = 0; peers[seed % CONNS].tmf_itt != TAG_RESERVED; i++) {
			if (i == 5000)
				fail_msg("the function is not answered");
			pump(50);
		}
		rig_set(t.lu, "mode", "off");
		for (unsigned k = 0; k < CONNS; k++)
			peer_drop(&peers[k], true);
		end();
	}
}

/* ---- connections that go --------------------------------------------------------------------- */

/* Numbers of commands that a lost connection has taken with it are used up by pings. */
static void fill_holes(const uint32_t *lost, unsigned n)
{
	struct peer *peer = some_peer();

	for (unsigned i = 0; i < n; i++)
		peer_fill(peer, lost[i]);
}

static unsigned numbers_of(const struct peer *peer, uint32_t *lost)
{
	unsigned n = 0;

	for (unsigned i = 0; i < PEER_TASKS; i++)
		if (peer->tasks[i].active)
			lost[n++] = peer->tasks[i].cmdsn;
	return n;
}

static void expect_all(void)
{
	for (unsigned i = 0; peers[0].w->exp_cmdsn != peers[0].w->cmdsn; i++) {
		struct peer *peer = some_peer();

		if (i == 2000)
			fail_msg("ExpCmdSN %08x, CmdSN %08x", peers[0].w->exp_cmdsn,
				peers[0].w->cmdsn);
		peer_nop(peer);
		pump(50);
	}
}

/* Any connection goes, also the leading one; the others go on, and a new one comes. */
static void dropped(void **state)
{
	uint64_t lost_all = 0;

	for (uint64_t seed = 0; seed < 60; seed++) {
		begin(seed, CONNS);
		for (unsigned round = 0; round < 5; round++) {
			uint32_t lost[PEER_TASKS];
			struct peer *gone = some_peer();
			unsigned n;

			work(20);
			n = numbers_of(gone, lost);
			lost_all += n;
			peer_drop(gone, pick(2));
			work(5);
			if (pick(2)) {
				/* 6.3.4: the target may not know yet that it has gone. */
				assert_int_equal(peer_join(gone, some_peer(), gone->cid), 0);
				fill_holes(lost, n);
			} else {
				/* 11.14: what it has sent is discarded before it is sent anew. */
				(void)peer_logout_for(
					some_peer(), ISCSI_LOGOUT_CLOSE_CONNECTION, gone->cid);
				fill_holes(lost, n);
				assert_int_equal(
					peer_join(gone, some_peer(), (uint16_t)(gone->cid + CONNS)),
					0);
			}
			work(10);
			check_disk();
			expect_all();
		}
		assert_int_equal(peer_logout_for(some_peer(), 0, 0), 0);
		end();
	}
	assert_true(lost_all > 200);
}

/* 6.3.4: the only connection of a session is replaced; the session goes on. */
static void replaced_alone(void **state)
{
	for (uint64_t seed = 0; seed < 40; seed++) {
		uint32_t lost[PEER_TASKS];
		unsigned n;

		begin(seed, 1);
		work(12);
		n = numbers_of(&peers[0], lost);
		assert_int_equal(peer_join(&peers[1], &peers[0], 0), 0);
		peer_drop(&peers[0], false);
		assert_int_equal(peers[1].tsih, peers[0].tsih);
		fill_holes(lost, n);
		/* No unit attention of a new session: it is the old one. */
		peers[1].failed = 0;
		work(20);
		check_disk();
		assert_int_equal(peers[1].failed, 0);
		expect_all();
		assert_int_equal(peer_logout_for(&peers[1], 0, 0), 0);
		end();
	}
}

/* ---- logouts --------------------------------------------------------------------------------- */

static void logouts(void **state)
{
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct peer *by, *of;

		begin(seed, CONNS);
		work(30);
		/* One that is not there. */
		assert_int_equal(peer_logout_for(some_peer(), ISCSI_LOGOUT_CLOSE_CONNECTION, 77),
			ISCSI_LOGOUT_CID_NOT_FOUND);
		/* Its own, in the midst of work: commands that have begun are answered before. */
		of = &peers[seed % 2 ? 0 : 2];
		drain();
		assert_int_equal(peer_logout_for(of, ISCSI_LOGOUT_CLOSE_CONNECTION, of->cid), 0);
		work(30);
		/* Another one: it is closed, and its commands end without an answer. */
		by = &peers[1];
		of = &peers[3];
		drain();
		assert_int_equal(peer_logout_for(by, ISCSI_LOGOUT_CLOSE_CONNECTION, of->cid), 0);
		for (unsigned i = 0; !of->closed; i++) {
			assert_true(i < 1000);
			peer_pump(of, 50);
		}
		peer_drop(of, false);
		work(30);
		check_disk();
		/* And again from one to four. */
		for (unsigned i = 0; i < CONNS; i++)
			if (peers[i].fd < 0)
				assert_int_equal(peer_join(&peers[i], by, (uint16_t)(10 + i)), 0);
		work(30);
		check_disk();
		/* One after the other: the session ends with the last one. */
		for (unsigned i = 0; i < CONNS; i++) {
			of = &peers[(seed + i) % CONNS];
			assert_int_equal(
				peer_logout_for(of, ISCSI_LOGOUT_CLOSE_CONNECTION, of->cid), 0);
		}
		end();
	}
}

/* 13.2, 11.13.5: no more than was agreed; and no session that is not there. */
static void too_many(void **state)
{
	struct peer extra;

	begin(1, CONNS);
	peer_init(&extra, &t, &peers[0].p);
	assert_int_equal(peer_join(&extra, &peers[0], 9), 0x0206);
	peer_drop(&extra, false);
	extra.own.cmdsn = 5;
	peers[0].tsih++;
	assert_int_equal(peer_join(&extra, &peers[0], 9), 0x020a);
	peers[0].tsih--;
	peer_drop(&extra, false);
	peer_done(&extra);
	work(20);
	check_disk();
	assert_int_equal(peer_logout_for(&peers[0], 0, 0), 0);
	end();
}

/* The session ends in the midst of work of all its connections; all at once are lost. */
static void all_lost(void **state)
{
	for (uint64_t seed = 0; seed < 40; seed++) {
		begin(seed, CONNS);
		work(40);
		if (seed % 2) {
			for (unsigned i = 0; i < CONNS; i++)
				peer_drop(&peers[i], pick(2));
		} else {
			for (unsigned i = 1; i < CONNS; i++)
				peer_drop(&peers[i], pick(2));
			for (unsigned i = 0; i < PEER_TASKS; i++)
				peers[0].tasks[i].active = false;
			peers[0].nactive = 0;
			sim_close(t.rig.k.loops, peers[0].fd, true);
			peers[0].fd = -1;
			peers[0].full_feature = false;
		}
		/* Anew, in place of the old session (6.3.5). */
		peer_login(&peers[0]);
		peer_check_disk(&peers[0]);
		for (unsigned i = 1; i < CONNS; i++)
			assert_int_equal(peer_join(&peers[i], &peers[0], (uint16_t)i), 0);
		work(20);
		check_disk();
		assert_int_equal(peer_logout_for(&peers[0], 0, 0), 0);
		end();
	}
}

/*
 * 6.3.5: of logins of one initiator port that come at once only the last one to succeed has a
 * session: never two.
 */
static void at_once(void **state)
{
	for (uint64_t seed = 0; seed < 40; seed++) {
		struct peer *list[CONNS];
		struct sess *sess;
		unsigned n = 0;

		begin(seed, 1);
		for (unsigned i = 1; i < CONNS; i++)
			peer_login_begin(&peers[i]);
		for (unsigned i = 0; i < 300; i++) {
			n = peers_alive(peers, CONNS, list);
			assert_true(n > 0);
			peers_pump(list, n, 50);
			if (n == 1 && list[0]->full_feature)
				break;
		}
		assert_int_equal(n, 1);
		n = 0;
		list_for_each (sess, &t.tpg->sessions, struct sess, tpg_link)
			n++;
		assert_int_equal(n, 1);
		peer_check_disk(list[0]);
		end();
	}
}

/* Who is asked to log out, and told at once to go, goes; the gentler one adds nothing. */
static void ended_while_asked(void **state)
{
	for (uint64_t seed = 0; seed < 20; seed++) {
		struct peer *list[CONNS];
		struct sess *sess;
		uint64_t since;

		begin(seed, CONNS);
		sess = list_first(&t.tpg->sessions, struct sess, tpg_link);
		sess_ask_logout(sess, "asked by the test", 300);
		(void)sim_run(t.rig.k.loops, NULL, NULL, seed);
		since = sim_now_ns(t.rig.k.loops);
		sess_drop(sess, "ended by the test");
		sess_ask_logout(sess, "asked again", 300);
		for (unsigned i = 0; peers_alive(peers, CONNS, list); i++) {
			assert_true(i < 1000);
			pump(50);
		}
		assert_true(sim_now_ns(t.rig.k.loops) - since < 100 * NS_PER_S);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_write),
		cmocka_unit_test(order),
		cmocka_unit_test(number_of_a_waiting_one),
		cmocka_unit_test(stuck_ordered),
		cmocka_unit_test(dropped),
		cmocka_unit_test(replaced_alone),
		cmocka_unit_test(logouts),
		cmocka_unit_test(too_many),
		cmocka_unit_test(all_lost),
		cmocka_unit_test(at_once),
		cmocka_unit_test(ended_while_asked),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
