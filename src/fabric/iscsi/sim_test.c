/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim_test.c: sessions in the simulator, over many seeds: all ways of bringing data, digests,
 * connections that are dropped in the midst of Data-Out, aborts and resets that race completion,
 * failing disks, nonsense. Checked: every PDU that comes (sim_peer_test.c), that each command is
 * answered once, that the disk holds what a model allows, that no memory is lost (the rig, ASan).
 */
#include "fabric/iscsi/sim_peer_testkit.h"

static struct sim_target t;
static struct peer peer;

static uint32_t pick(uint32_t n)
{
	return (uint32_t)sim_random(t.rig.k.loops, n);
}

/* Parameters of a seed: every combination of the four data modes and of digests comes. */
static struct peer_params params(uint64_t seed)
{
	static const uint32_t bursts[] = { 512, 4096, 16384, 65536 };
	static const uint32_t recvs[] = { 512, 1536, 8192, 65536 };
	struct peer_params p = {
		.immediate = seed & 1,
		.initial_r2t = seed & 2,
		.header_digest = seed & 4,
		.data_digest = seed & 8,
		.max_burst = bursts[(seed >> 4) % 4],
		.first_burst = bursts[(seed >> 6) % 4],
		.recv = recvs[(seed >> 5) % 4],
		.r2ts = 1 + seed % 5,
	};

	if (p.first_burst > p.max_burst)
		p.first_burst = p.max_burst;
	return p;
}

static const char *const disks[] = { "ram:256k", "file:/disk,size=256k", "delay:ms=1|ram:256k" };

static void begin(uint64_t seed, const char *spec)
{
	static const uint32_t recvs[] = { 512, 4096, 16384, 49152 };
	struct peer_params p = params(seed);

	sim_target_init(&t, seed, spec, recvs[(seed >> 3) % 4]);
	peer_init(&peer, &t, &p);
	peer_login(&peer);
}

static void end(void)
{
	peer_done(&peer);
	sim_target_done(&t);
}

static void some_command(void)
{
	uint32_t n = pick(4) ? 1 + pick(TASK_BLOCKS) : 1, lba = pick(DISK_BLOCKS - n + 1);
	uint8_t attr = ISCSI_ATTR_SIMPLE;

	if (pick(16) == 0)
		attr = pick(2) ? ISCSI_ATTR_ORDERED : ISCSI_ATTR_HEAD_OF_QUEUE;
	peer_start(&peer, pick(2), lba, n, attr, pick(4) == 0);
}

static void work(unsigned commands)
{
	for (unsigned i = 0; i < commands; i++) {
		some_command();
		if (pick(8) == 0)
			peer_nop(&peer);
		if (pick(3) == 0)
			peer_pump(&peer, 1 + pick(40));
	}
}

/* ---- all is well ---------------------------------------------------------------------------- */

static void read_write(void **state)
{
	for (uint64_t seed = 0; seed < 48; seed++) {
		begin(seed, disks[seed / 7 % 3]);
		work(60);
		peer_drain(&peer);
		peer_check_disk(&peer);
		/* Nothing but the unit attention of a new session. */
		if (peer.failed > 1 || peer.good < 12)
			fail_msg("seed %u: %u failed, %u good", (unsigned)seed,
				(unsigned)peer.failed, (unsigned)peer.good);
		peer_logout(&peer);
		end();
	}
}

/* Nothing comes to the disk late either. */
static void check_twice(void)
{
	peer_check_disk(&peer);
	for (unsigned i = 0; i < 20; i++)
		peer_pump(&peer, 20);
	peer_check_disk(&peer);
}

/* ---- connections that go -------------------------------------------------------------------- */

static void dropped(void **state)
{
	uint64_t torn = 0;

	for (uint64_t seed = 0; seed < 48; seed++) {
		begin(seed, disks[seed / 7 % 3]);
		for (unsigned n = 0; n < 4; n++) {
			work(8);
			peer.holds = true;
			work(6);
			peer_pump(&peer, pick(60));
			peer_drop(&peer, pick(2));
			peer.holds = false;
			/* At once: the old session may not know yet (reinstatement, 6.3.5). */
			if (pick(2))
				sim_run(t.rig.k.loops, NULL, NULL, 200);
			peer_login(&peer);
		}
		check_twice();
		torn += peer.torn;
		peer_logout(&peer);
		end();
	}
	assert_true(torn > 48);
}

/* A second connection of the same initiator port takes the session of the first. */
static void reinstated(void **state)
{
	for (uint64_t seed = 0; seed < 32; seed++) {
		int old;

		begin(seed, disks[seed / 7 % 3]);
		work(12);
		peer_pump(&peer, pick(40));
		old = peer.fd;
		peer.fd = -1;
		peer.full_feature = false;
		for (unsigned i = 0; i < PEER_TASKS; i++)
			peer.tasks[i].active = false;
		peer.nactive = 0;
		peer_login(&peer);
		check_twice();
		sim_close(t.rig.k.loops, old, false);
		end();
	}
}

/* A reader that does not read, and goes in the midst of what is being sent to it. */
static void stalled(void **state)
{
	for (uint64_t seed = 0; seed < 32; seed++) {
		begin(seed, disks[seed / 7 % 3]);
		peer_check_disk(&peer);
		sim_stall(t.rig.k.loops, peer.fd, true);
		for (unsigned i = 0; i < 5; i++)
			peer_start(&peer, false, i * TASK_BLOCKS, TASK_BLOCKS, ISCSI_ATTR_SIMPLE,
				false);
		sim_run(t.rig.k.loops, NULL, NULL, 60 + seed * 10);
		peer_drop(&peer, seed % 2);
		peer_login(&peer);
		peer_check_disk(&peer);
		peer_logout(&peer);
		end();
	}
}

/* ---- aborts --------------------------------------------------------------------------------- */

/* True: the task had been answered when the function was. */
static bool abort_some(void)
{
	struct peer_task *k = &peer.tasks[pick(PEER_TASKS)];
	uint64_t lost = peer.lost;

	if (!k->active)
		return false;
	k->aborted = true;
	peer_tmf(&peer, ISCSI_TMF_ABORT_TASK, k->itt, k->cmdsn);
	peer_drain(&peer);
	assert_true(peer.tmf_response == ISCSI_TMF_FUNCTION_COMPLETE ||
		    peer.tmf_response == ISCSI_TMF_TASK_DOES_NOT_EXIST);
	return peer.lost == lost;
}

static void aborts(void **state)
{
	uint64_t raced = 0, lost = 0;

	for (uint64_t seed = 0; seed < 48; seed++) {
		begin(seed, disks[seed / 7 % 3]);
		for (unsigned n = 0; n < 8; n++) {
			work(8);
			peer_pump(&peer, pick(30));
			raced += abort_some();
		}
		peer_drain(&peer);
		check_twice();
		lost += peer.lost;
		peer_logout(&peer);
		end();
	}
	/* Some were too late, some were not. */
	assert_true(raced > 10 && lost > 10);
}

static void resets(void **state)
{
	static const uint8_t functions[] = { ISCSI_TMF_ABORT_TASK_SET, ISCSI_TMF_CLEAR_TASK_SET,
		ISCSI_TMF_LOGICAL_UNIT_RESET, ISCSI_TMF_TARGET_WARM_RESET };
	uint64_t lost = 0, torn = 0;

	for (uint64_t seed = 0; seed < 48; seed++) {
		begin(seed, disks[seed / 7 % 3]);
		for (unsigned n = 0; n < 5; n++) {
			work(10);
			peer_pump(&peer, pick(30));
			for (unsigned i = 0; i < PEER_TASKS; i++)
				peer.tasks[i].aborted = peer.tasks[i].active;
			peer_tmf(&peer, functions[(seed + n) % 4], TAG_RESERVED, 0);
			peer_drain(&peer);
			assert_int_equal(peer.tmf_response, ISCSI_TMF_FUNCTION_COMPLETE);
		}
		check_twice();
		lost += peer.lost;
		torn += peer.torn;
		peer_logout(&peer);
		end();
	}
	assert_true(lost > 48 && torn > 10);
}

/* ---- disks that fail ------------------------------------------------------------------------ */

static void failing_disk(void **state)
{
	static const char *const bad[] = { "error:mode=fail,after=3,count=20|ram:256k",
		"error:op=write,mode=late,after=5,count=9|ram:256k",
		"error:op=read,mode=short,after=4,count=7|file:/disk,size=256k",
		"error:mode=fail,errno=ENOSPC,op=write,after=2,count=9|file:/disk,size=256k" };

	uint64_t errors[4] = { 0 };

	for (uint64_t seed = 0; seed < 24; seed++) {
		begin(seed, bad[seed % 4]);
		work(50);
		peer_drain(&peer);
		rig_set(t.lu, "mode", "off");
		peer_check_disk(&peer);
		/* The disk's errors, and the unit attention of a new session, and no others. */
		errors[seed % 4] += peer.disk_errors;
		assert_true(peer.failed <= peer.disk_errors + 1);
		peer_logout(&peer);
		end();
	}
	for (unsigned i = 0; i < 4; i++)
		if (!errors[i])
			fail_msg("%s: no error of the disk has reached the initiator", bad[i]);
}

/* A disk that does not answer does not keep the session. */
static void stuck_disk(void **state)
{
	uint64_t stuck = 0;

	for (uint64_t seed = 0; seed < 16; seed++) {
		begin(seed, "error:op=write,mode=stuck,after=6|ram:256k");
		work(30);
		peer_pump(&peer, 400);
		stuck += peer.nactive;
		if (seed % 2)
			peer_logout(&peer);
		else
			peer_drop(&peer, seed % 4);
		peer_login(&peer);
		rig_set(t.lu, "mode", "off");
		peer_check_disk(&peer);
		peer_logout(&peer);
		end();
	}
	assert_true(stuck > 16);
}

/* ---- nonsense ------------------------------------------------------------------------------- */

/* The target may close or reject; it goes on serving others, and the disk is as it was. */
static void garbage(void **state)
{
	/* INQUIRY, REQUEST SENSE, READ (6) (10) (16), REPORT LUNS, and two that do not exist */
	static const uint8_t reads[] = { 0x12, 0x03, 0x08, 0x28, 0x88, 0xa0, 0xc1, 0x02 };

	for (uint64_t seed = 0; seed < 48; seed++) {
		uint8_t junk[600];
		uint32_t n;

		begin(seed, "ram:256k");
		work(10);
		peer_drain(&peer); /* so that no Data-Out of junk meets a write of the model */
		peer.loose = true;
		for (n = 0; n < sizeof(junk); n++)
			junk[n] = (uint8_t)pick(256);
		if (seed % 2) {
			/* A header that is nearly right. */
			memset(junk, 0, BHS_BYTES);
			/* Every other one of these a command or data. */
			junk[0] = pick(2)   ? (uint8_t)pick(0x40)
				  : pick(2) ? ISCSI_OP_SCSI_COMMAND
					    : ISCSI_OP_DATA_OUT;
			junk[1] = (uint8_t)pick(256);
			junk[7] = (uint8_t)pick(200);
			for (unsigned i = 16; i < 20; i++)
				junk[i] = (uint8_t)pick(3);
		}
		/* Writes are not in the model: commands of junk read, whatever else they say. */
		if ((junk[0] & ISCSI_OP_MASK) == ISCSI_OP_SCSI_COMMAND)
			junk[32] = reads[pick(sizeof(reads))];
		peer_send(&peer, junk, 1 + pick(sizeof(junk) - 1));
		sim_run(t.rig.k.loops, NULL, NULL, 500);
		peer_drop(&peer, pick(2));
		peer.loose = false;
		peer_login(&peer);
		peer_check_disk(&peer);
		peer_logout(&peer);
		end();
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(read_write),
		cmocka_unit_test(dropped),
		cmocka_unit_test(reinstated),
		cmocka_unit_test(stalled),
		cmocka_unit_test(aborts),
		cmocka_unit_test(resets),
		cmocka_unit_test(failing_disk),
		cmocka_unit_test(stuck_disk),
		cmocka_unit_test(garbage),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
