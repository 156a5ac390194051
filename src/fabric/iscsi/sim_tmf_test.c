/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim_tmf_test.c: task management over the connections of a session that lie on several loops (RFC
 * 7143 4.2.2.3, 4.2.3), in the simulator, over many seeds: functions from any connection, commands
 * before and after them on all others, connections that go in the midst. Checked: nothing that a
 * function has ended is answered on any connection after the function is, what was sent after it is
 * not touched, everything is answered, and the disk holds what a model allows.
 */
#include "engine/tmf.h"
#include "fabric/iscsi/conn.h"
#include "fabric/iscsi/sim_peer_testkit.h"
#include "fabric/iscsi/task.h"
#include "loop/loop.h"

enum { CONNS = 4, REGION = DISK_BLOCKS / CONNS };

static struct sim_target t;
static struct peer peers[CONNS];
static unsigned covered; /* tasks that a function has ended */

static uint32_t pick(uint32_t n)
{
	return (uint32_t)sim_random(t.rig.k.loops, n);
}

static const char *const reportings[] = { "RFC3720", "ResponseFence", "FastAbort" };
static const char *const disks[] = { "ram:256k", "file:/disk,size=256k", "delay:ms=1|ram:256k" };

static void pump(uint64_t steps)
{
	peers_pump_alive(peers, CONNS, steps);
}

static void pump_all(struct peer *peer, uint64_t steps)
{
	pump(steps);
}

static struct peer *some_peer(void)
{
	struct peer *list[CONNS];
	unsigned n = peers_alive(peers, CONNS, list);

	return list[pick(n)];
}

/* Something is under way. */
static bool is_busy(void)
{
	for (unsigned k = 0; k < CONNS; k++)
		if (peers[k].nactive || peers[k].tmf_itt != TAG_RESERVED)
			return true;
	return false;
}

static void drain(void)
{
	for (unsigned i = 0; is_busy(); i++) {
		for (unsigned k = 0; k < CONNS; k++)
			if (peers[k].fd >= 0 && peers[k].closed)
				fail_msg("the target has closed connection %u", k);
		if (i == 40000)
			fail_msg("commands are not answered");
		pump(50);
	}
}

/* The function is answered: from now on nothing comes for what it has ended. */
static void function_over(struct peer *issuer)
{
	for (unsigned i = 0; i < CONNS; i++) {
		/* ABORT TASK: the answer of the other connection may still be on its way. */
		if (issuer->tmf_response == ISCSI_TMF_TASK_DOES_NOT_EXIST)
			for (unsigned k = 0; k < PEER_TASKS; k++)
				peers[i].tasks[k].aborted = false;
		covered += peer_lose_aborted(&peers[i]);
	}
}

static void begin_with(uint64_t seed, bool initial_r2t)
{
	struct peer_params p = {
		.immediate = seed & 1,
		.initial_r2t = initial_r2t,
		.max_burst = 4096u << seed % 3,
		.first_burst = 4096,
		.recv = 8192,
		.r2ts = 1 + seed % 3,
		.conns = CONNS,
		.task_reporting = reportings[seed / 2 % 3],
		.answers_r2ts = seed % 5 < 3,
	};

	sim_target_init(&t, seed, disks[seed % 3], 8192);
	for (unsigned i = 0; i < CONNS; i++) {
		peer_init(&peers[i], &t, &p);
		peers[i].on_tmf = function_over;
		peers[i].pump = pump_all;
	}
	peer_login(&peers[0]);
	for (unsigned i = 1; i < CONNS; i++)
		assert_int_equal(peer_join(&peers[i], &peers[0], (uint16_t)i), 0);
}

/* Half of them send unsolicited data, which a function may come in the midst of. */
static void begin(uint64_t seed)
{
	begin_with(seed, seed / 6 % 2);
}

static void end(void)
{
	for (unsigned i = 0; i < CONNS; i++)
		peer_done(&peers[i]);
	sim_target_done(&t);
}

static void work(unsigned commands)
{
	for (unsigned i = 0; i < commands; i++) {
		struct peer *peer = some_peer();
		uint32_t n = 1 + pick(pick(4) ? 8 : TASK_BLOCKS), lba = pick(REGION - n + 1);
		uint8_t attr = ISCSI_ATTR_SIMPLE;

		if (pick(12) == 0)
			attr = pick(2) ? ISCSI_ATTR_ORDERED : ISCSI_ATTR_HEAD_OF_QUEUE;
		peer_start(peer, pick(2), (uint32_t)(peer - peers) * REGION + lba, n, attr, false);
		if (pick(3) == 0)
			pump(1 + pick(40));
	}
}

static void check_disk(void)
{
	drain();
	peer_check_disk(some_peer());
	for (unsigned i = 0; i < 20; i++)
		pump(20);
	peer_check_disk(some_peer());
}

/* What has been sent so far is what the function is about. */
static void send_function(struct peer *by, uint8_t function)
{
	for (unsigned i = 0; i < CONNS; i++)
		for (unsigned k = 0; k < PEER_TASKS; k++)
			if (peers[i].fd >= 0)
				peers[i].tasks[k].aborted = peers[i].tasks[k].active;
	peer_tmf(by, function, TAG_RESERVED, 0);
}

static void many_tasks(void **state)
{
	static const uint8_t functions[] = { ISCSI_TMF_ABORT_TASK_SET, ISCSI_TMF_CLEAR_TASK_SET,
		ISCSI_TMF_LOGICAL_UNIT_RESET, ISCSI_TMF_TARGET_WARM_RESET };

	covered = 0;
	for (uint64_t seed = 0; seed < 60; seed++) {
		begin(seed);
		for (unsigned round = 0; round < 5; round++) {
			struct peer *by = some_peer();

			work(14);
			send_function(by, functions[pick(4)]);
			/* Younger ones: they are answered. */
			work(10);
			drain();
			assert_int_equal(by->tmf_response, ISCSI_TMF_FUNCTION_COMPLETE);
		}
		check_disk();
		assert_int_equal(peer_logout_for(some_peer(), 0, 0), 0);
		end();
	}
	assert_true(covered > 500);
}

/* 11.5.1: a task of any connection, by way of any other. */
static void abort_task(void **state)
{
	unsigned raced = 0;

	covered = 0;
	for (uint64_t seed = 0; seed < 60; seed++) {
		begin(seed);
		for (unsigned round = 0; round < 8; round++) {
			struct peer *of = some_peer(), *by = some_peer();
			struct peer_task *k = &of->tasks[pick(PEER_TASKS)];
			unsigned before = covered;

			work(8);
			if (!k->active)
				continue;
			k->aborted = true;
			peer_tmf(by, ISCSI_TMF_ABORT_TASK, k->itt, k->cmdsn);
			work(4);
			drain();
			raced += covered == before;
		}
		check_disk();
		assert_int_equal(peer_logout_for(some_peer(), 0, 0), 0);
		end();
	}
	assert_true(raced > 10 && covered > 50);
}

/* The connection of the function, or another one, is lost before it is answered. */
static void lost_meanwhile(void **state)
{
	for (uint64_t seed = 0; seed < 60; seed++) {
		begin(seed);
		for (unsigned round = 0; round < 4; round++) {
			struct peer *by = some_peer(), *gone = some_peer();
			uint32_t lost[PEER_TASKS];
			unsigned n = 0;

			drain();
			work(14);
			send_function(by, ISCSI_TMF_ABORT_TASK_SET);
			pump(pick(80));
			for (unsigned k = 0; k < PEER_TASKS; k++)
				if (gone->tasks[k].active)
					lost[n++] = gone->tasks[k].cmdsn;
			peer_drop(gone, pick(2));
			gone->tmf_itt = TAG_RESERVED;
			assert_int_equal(peer_join(gone, some_peer(), gone->cid), 0);
			for (unsigned k = 0; k < n; k++)
				peer_fill(some_peer(), lost[k]);
			if (gone == by) {
				/* Nobody tells how that ended: another one makes sure. */
				send_function(some_peer(), ISCSI_TMF_ABORT_TASK_SET);
			}
			drain();
		}
		check_disk();
		assert_int_equal(peer_logout_for(some_peer(), 0, 0), 0);
		end();
	}
}

/*
 * ---- a function that is refused when memory is short
 * ----------------------------------------------
 */

static struct {
	bool on; /* functions are refused, as by an engine that has no memory */
	unsigned pdu; /* so many PDUs later there is none for one; 0: there is */
	bool hit;
} short_of;

void __real_tmf_submit(struct tmf *tmf);
void __wrap_tmf_submit(struct tmf *tmf);
void *__real_calloc(size_t n, size_t size);
void *__wrap_calloc(size_t n, size_t size);

void __wrap_tmf_submit(struct tmf *tmf)
{
	if (!short_of.on) {
		__real_tmf_submit(tmf);
		return;
	}
	short_of.pdu = 1 + pick(8);
	tmf->response = TMF_FUNCTION_REJECTED;
	task_tmf_done(tmf);
}

void *__wrap_calloc(size_t n, size_t size)
{
	if (short_of.pdu && n == 1 && size == sizeof(struct tx_pdu) && !--short_of.pdu) {
		short_of.hit = true;
		return NULL;
	}
	return __real_calloc(n, size);
}

/* It has ended nothing. */
static void function_refused(struct peer *issuer)
{
	assert_int_equal(issuer->tmf_response, ISCSI_TMF_FUNCTION_REJECTED);
}

/* The target had no memory for something of that connection: it comes again. */
static void replace(struct peer *gone)
{
	uint32_t lost[PEER_TASKS];
	unsigned n = 0;

	for (unsigned k = 0; k < PEER_TASKS; k++)
		if (gone->tasks[k].active)
			lost[n++] = gone->tasks[k].cmdsn;
	peer_drop(gone, false);
	gone->closed = false;
	assert_int_equal(peer_join(gone, some_peer(), gone->cid), 0);
	for (unsigned k = 0; k < n; k++)
		peer_fill(some_peer(), lost[k]);
}

/* That which the target has closed. */
static struct peer *closed_peer(void)
{
	for (unsigned i = 0; i < 40000; i++) {
		for (unsigned k = 0; k < CONNS; k++)
			if (peers[k].closed)
				return &peers[k];
		pump(1);
	}
	fail_msg("no connection is closed");
	return NULL;
}

/*
 * Tasks that a function was to end go on when it ends none of them (11.6.1); where memory is short
 * for their R2Ts their connection is closed in the midst of that, with all of its tasks.
 */
static void refused_without_memory(void **state)
{
	unsigned closed = 0;

	for (uint64_t seed = 0; seed < 120; seed++) {
		begin_with(seed, true); /* a write without a status waits for nothing else */
		for (unsigned i = 0; i < CONNS; i++)
			peers[i].on_tmf = function_refused;
		/* SIMPLE ones: what waits for an ORDERED command ends at once. */
		for (unsigned i = 0; i < 30; i++) {
			struct peer *peer = some_peer();
			uint32_t n = 1 + pick(TASK_BLOCKS);

			peer_start(peer, pick(4),
				(uint32_t)(peer - peers) * REGION + pick(REGION - n + 1), n,
				ISCSI_ATTR_SIMPLE, false);
		}
		short_of.on = true;
		short_of.hit = false;
		peer_tmf(some_peer(), ISCSI_TMF_ABORT_TASK_SET, TAG_RESERVED, 0);
		for (unsigned i = 0; i < 40000 && !short_of.hit && is_busy(); i++)
			pump(50);
		if (short_of.hit) {
			replace(closed_peer());
			closed++;
		}
		short_of.on = false;
		short_of.pdu = 0;
		check_disk();
		assert_int_equal(peer_logout_for(some_peer(), 0, 0), 0);
		end();
	}
	assert_in_range(closed, 40, 120);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_tasks),
		cmocka_unit_test(abort_task),
		cmocka_unit_test(lost_meanwhile),
		cmocka_unit_test(refused_without_memory),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
