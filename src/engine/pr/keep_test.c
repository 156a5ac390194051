/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * keep_test.c: registrations that outlive a restart (SPC-4 5.12.5), by real commands: they and the
 * reservation are in force before the first command of anybody; what cannot be kept is refused;
 * and, with the power cut at every file operation of a sequence of PERSISTENT RESERVE OUT commands,
 * the state is the one before or after each command, and after it once GOOD was sent.
 *
 * usage: keep_test [number of seeds]
 */
#include "engine/pr/three_testkit.h"

#include <errno.h>

#include "base/log.h"
#include "engine/pr/aptpl.h"
#include "engine/pr/keep.h"

#define SERIAL    "6001405-0001"
#define FILE_NAME "/db/pr/aptpl_" SERIAL

static struct sim_disk *medium;
static uint64_t nseeds = 2;

/* An LU that is not shown yet. */
static struct lu *new_lu(const char *name, const char *serial)
{
	struct backstore *bs = kit_open(&rig.k, "ram:1M");
	struct lu_attribs attribs;
	struct errmsg err;
	struct lu *made;

	errmsg_init(&err);
	lu_attribs_default(&attribs, "ramdisk", bs);
	snprintf(attribs.unit_serial, sizeof(attribs.unit_serial), "%s", serial);
	if (lu_new(rig.eng, name, "ramdisk", bs, &attribs, &made, &err))
		fail_msg("%s", err.text);
	return made;
}

static int link_lu(struct lu *which, uint32_t lun, struct errmsg *err)
{
	struct port_lun *pl;
	int r;

	errmsg_init(err);
	assert_int_equal(port_lun_add(rig.port, lun, &pl, err), 0);
	r = port_lun_link(pl, which, "link", err);
	if (r)
		assert_int_equal(port_lun_remove(pl, NULL), 0);
	return r;
}

static void start(uint64_t seed)
{
	struct errmsg err;

	errmsg_init(&err);
	rig_init(&rig, LOOP_SIM, NLOOPS, seed);
	sim_attach_disk(rig.k.loops, medium);
	if (engine_set_dbroot(rig.eng, "/db", &err))
		fail_msg("%s", err.text);
	lu = new_lu("lu0", SERIAL);
	memset(buf, 0x5a, sizeof(buf));
}

/* TEST UNIT READY, until it reports no unit attention. */
static void tur_of(struct loopback *lb, struct loopback_cmd *r)
{
	do
		io_tur(&rig, r, lb, 0);
	while (r->status == STATUS_CHECK_CONDITION && r->sense[2] == KEY_UNIT_ATTENTION);
}

static void log_in(void)
{
	struct loopback_cmd r;

	a = rig_login(&rig, "iqn.a", 0);
	b = rig_login(&rig, "iqn.b", 1);
	c = rig_login(&rig, "iqn.c", 2);
	tur_of(a, &r);
	tur_of(b, &r);
	tur_of(c, &r);
}

static void up(uint64_t seed)
{
	struct errmsg err;

	start(seed);
	if (link_lu(lu, 0, &err))
		fail_msg("%s", err.text);
	log_in();
}

static void down(void)
{
	rig_logout(a);
	rig_logout(b);
	rig_logout(c);
	a = b = c = NULL;
	rig_remove(&rig, 0);
	rig_done(&rig);
}

static void restart(void)
{
	down();
	up(3);
}

static int setup_kept(void **state)
{
	medium = sim_disk_new(1);
	assert_non_null(medium);
	up(1);
	return 0;
}

static int teardown_kept(void **state)
{
	down();
	medium = sim_disk_free(medium);
	return 0;
}

static uint8_t flagged(struct loopback *lb, uint8_t action, uint8_t type, uint64_t key,
	uint64_t sa_key, uint8_t flags)
{
	struct prout p;

	prout_init(&rig, &p, lb, lb == a ? 0 : lb == b ? 1 : 2, action, type, key, sa_key);
	p.list[20] = flags;
	return io_run(&p.c);
}

static void register_kept(struct loopback *lb, uint64_t key)
{
	assert_int_equal(flagged(lb, SA_REGISTER, 0, 0, key, PR_APTPL), STATUS_GOOD);
}

static uint8_t capability(unsigned byte)
{
	uint8_t cap[8];

	prin_run(&rig, a, 0, SA_REPORT_CAPABILITIES, cap, sizeof(cap));
	return cap[byte] & 0x01;
}

static void put_file(const char *text, size_t n)
{
	assert_int_equal(loops_write_file(rig.k.loops, FILE_NAME, text, n, 0600), 0);
}

/* ---- over a restart -------------------------------------------------------------------------- */

static void comes_back(void **state)
{
	uint8_t in[64];
	uint64_t key = 0;

	assert_int_equal(capability(2), 1); /* PTPL_C */
	assert_int_equal(capability(3), 0); /* PTPL_A */
	register_kept(a, KEY_A);
	register_kept(b, KEY_B);
	assert_int_equal(capability(3), 1);
	pr_reserve(&rig, a, 0, KEY_A, WE_RO);
	restart();
	/* What an initiator that is not registered sends first meets the reservation. */
	assert_int_equal(write_at(c, 0), STATUS_RESERVATION_CONFLICT);
	assert_int_equal(write_at(b, 0), STATUS_GOOD);
	assert_int_equal(pr_reserved(&rig, c, 2, &key), WE_RO);
	assert_int_equal(key, KEY_A);
	assert_int_equal(capability(3), 1);
	/* SPC-4 6.15.2: PRGENERATION is zero after a power on. */
	prin_run(&rig, c, 2, SA_READ_KEYS, in, sizeof(in));
	assert_int_equal(get_be32(in), 0);
	assert_int_equal(get_be32(in + 4), 16);
	assert_int_equal(get_be64(in + 8), KEY_A);
	assert_int_equal(get_be64(in + 16), KEY_B);
	/* Each change is kept, whichever command makes it. */
	assert_int_equal(out(b, SA_PREEMPT, EA_RO, KEY_B, KEY_A), STATUS_GOOD);
	restart();
	assert_int_equal(pr_reserved(&rig, c, 2, &key), EA_RO);
	assert_int_equal(key, KEY_B);
	assert_int_equal(pr_keys(&rig, c, 2), 1);
	assert_int_equal(read_status(a), STATUS_RESERVATION_CONFLICT);
	assert_int_equal(out(b, SA_RELEASE, EA_RO, KEY_B, 0), STATUS_GOOD);
	restart();
	assert_int_equal(pr_reserved(&rig, c, 2, NULL), RESERVATION_NONE);
	assert_int_equal(out(b, SA_CLEAR, 0, KEY_B, 0), STATUS_GOOD);
	restart();
	assert_int_equal(pr_keys(&rig, c, 2), 0);
}

/* SPC-4 5.12.5: the most recent APTPL is the one that counts, for all registrations. */
static void switched_off(void **state)
{
	register_kept(a, KEY_A);
	assert_int_equal(flagged(b, SA_REGISTER, 0, 0, KEY_B, 0), STATUS_GOOD);
	assert_int_equal(capability(3), 0);
	restart();
	assert_int_equal(pr_keys(&rig, c, 2), 0);
	/* And on again, by registering once more. */
	assert_int_equal(flagged(a, SA_REGISTER, 0, 0, KEY_A, 0), STATUS_GOOD);
	assert_int_equal(flagged(b, SA_REGISTER, 0, 0, KEY_B, PR_APTPL), STATUS_GOOD);
	restart();
	assert_int_equal(pr_keys(&rig, c, 2), 2);
}

static void forced(void **state)
{
	restart(); /* attributes are those of a new LU */
	lu->attribs.force_pr_aptpl = 1;
	assert_int_equal(lu_refresh(lu), 0);
	pr_register(&rig, a, 0, KEY_A);
	assert_int_equal(capability(3), 1);
	restart();
	assert_int_equal(pr_keys(&rig, c, 2), 1);
}

/* ALL_TG_PT and a nexus at another port of the target. */
static void several_ports(void **state)
{
	struct errmsg err;
	struct port_lun *pl;
	struct port *port;

	errmsg_init(&err);
	for (unsigned round = 0; round < 2; round++) {
		assert_int_equal(port_new(rig.eng, &loopback_ops, "naa.test", "naa.test,t,0x0002",
					 2, NULL, NULL, &port),
			0);
		assert_int_equal(port_lun_add(port, 5, &pl, &err), 0);
		assert_int_equal(port_lun_link(pl, lu, "link", &err), 0);
		if (!round)
			assert_int_equal(
				flagged(a, SA_REGISTER, 0, 0, KEY_A, PR_APTPL | PR_ALL_TG_PT),
				STATUS_GOOD);
		assert_int_equal(pr_keys(&rig, c, 2), 2);
		assert_int_equal(port_lun_unlink(pl, &err), 0);
		assert_int_equal(port_lun_remove(pl, &err), 0);
		assert_int_equal(port_free(port, &err), 0);
		if (!round)
			restart();
	}
}

/* ---- what cannot be kept --------------------------------------------------------------------- */

static void failing_storage(void **state)
{
	const struct sim_faults faults = { .io_error = 1000 }, none = { 0 };
	struct prout p;

	register_kept(a, KEY_A);
	sim_set_faults(rig.k.loops, &faults);
	prout_init(&rig, &p, b, 1, SA_REGISTER, 0, 0, KEY_B);
	p.list[20] = PR_APTPL;
	io_run(&p.c);
	io_sense(&p.c, SENSE_INSUFFICIENT_REGISTRATION_RESOURCES);
	assert_int_equal(pr_keys(&rig, a, 0), 1);
	/* Nothing new to do, but what is on storage is not known. */
	prout_init(&rig, &p, a, 0, SA_REGISTER, 0, KEY_A, KEY_A);
	p.list[20] = PR_APTPL;
	io_run(&p.c);
	io_sense(&p.c, SENSE_INSUFFICIENT_REGISTRATION_RESOURCES);
	sim_set_faults(rig.k.loops, &none);
	io_run(&p.c);
	io_good(&p.c);
	restart();
	assert_int_equal(pr_keys(&rig, a, 0), 1);
}

/* Two LUs with one serial number, none at all, and one that no file can have. */
static void serial_numbers(void **state)
{
	static const char *const serials[] = { SERIAL, "", "a/b" };
	struct errmsg err;

	for (unsigned i = 0; i < sizeof(serials) / sizeof(serials[0]); i++) {
		struct lu *other = new_lu("other", serials[i]);

		assert_int_equal(link_lu(other, 1, &err), 0);
		assert_false(pr_keep_offered(other));
		assert_true(pr_keep_offered(lu));
		assert_ptr_equal(rig_unmap(&rig, 1), other);
		assert_int_equal(lu_free(other, &err), 0);
	}
	/* When it has gone its number is free. */
	io_settle(&rig, a, 0);
	register_kept(a, KEY_A);
	rig_remove(&rig, 0);
	lu = new_lu("lu0", SERIAL);
	assert_int_equal(link_lu(lu, 0, &err), 0);
	assert_true(pr_keep_offered(lu));
	io_settle(&rig, a, 0);
	assert_int_equal(pr_keys(&rig, a, 0), 1);
}

/* While it is not shown it may become another LU, and come back. */
static void other_identity(void **state)
{
	struct errmsg err;

	register_kept(a, KEY_A);
	assert_ptr_equal(rig_unmap(&rig, 0), lu);
	strcpy(lu->attribs.unit_serial, "another");
	assert_int_equal(link_lu(lu, 0, &err), 0);
	io_settle(&rig, b, 0);
	assert_int_equal(pr_keys(&rig, b, 1), 0);
	assert_ptr_equal(rig_unmap(&rig, 0), lu);
	strcpy(lu->attribs.unit_serial, SERIAL);
	assert_int_equal(link_lu(lu, 0, &err), 0);
	io_settle(&rig, b, 0);
	assert_int_equal(pr_keys(&rig, b, 1), 1);
	/* Without a change of it the state stays, kept or not. */
	io_settle(&rig, a, 0);
	assert_int_equal(flagged(a, SA_REGISTER, 0, KEY_A, KEY_A, 0), STATUS_GOOD);
	assert_ptr_equal(rig_unmap(&rig, 0), lu);
	assert_int_equal(link_lu(lu, 0, &err), 0);
	io_settle(&rig, b, 0);
	assert_int_equal(pr_keys(&rig, b, 1), 1);
	io_settle(&rig, a, 0);
	io_settle(&rig, c, 0);
}

/* ---- what was kept and is damaged ------------------------------------------------------------ */

/* Nothing is served to anybody until it is said that the reservations are lost for good. */
static void lost(void **state)
{
	struct loopback_cmd r;
	struct errmsg err;

	errmsg_init(&err);
	put_file("rubbish", 7);
	for (unsigned round = 0; round < 2; round++) {
		restart();
		tur_of(b, &r);
		io_sense(&r, SENSE_PR_INFORMATION_LOST);
		io_init(&rig, &r, b, 1);
		io_blocks(&r, OP_WRITE_16, 0, 1, buf, 512);
		io_run(&r);
		io_sense(&r, SENSE_PR_INFORMATION_LOST);
	}
	assert_int_equal(pr_clear_admin(lu, &err), 0);
	assert_int_equal(write_at(b, 0), STATUS_GOOD);
	restart();
	assert_int_equal(write_at(b, 0), STATUS_GOOD);
	/* The same by a command. */
	put_file("rubbish", 7);
	for (unsigned i = 0; i < APTPL_GENERATIONS; i++) {
		char path[64];

		snprintf(path, sizeof(path), "/db/pr/ulio/aptpl_" SERIAL ".%u", i);
		loops_unlink(rig.k.loops, path);
	}
	restart();
	assert_int_equal(out(a, SA_REPLACE_LOST_RESERVATION, WE, 0, KEY_A), STATUS_GOOD);
	assert_int_equal(write_at(a, 0), STATUS_GOOD);
	restart();
	assert_int_equal(write_at(b, 0), STATUS_GOOD);
}

/* It is there and cannot be read: then the LU is not shown. */
static void unreadable(void **state)
{
	const struct sim_faults faults = { .io_error = 1000 }, none = { 0 };
	struct errmsg err;

	register_kept(a, KEY_A);
	down();
	start(5);
	sim_set_faults(rig.k.loops, &faults);
	assert_int_equal(link_lu(lu, 0, &err), -EIO);
	assert_non_null(strstr(err.text, FILE_NAME));
	assert_non_null(strstr(err.text, "lu0"));
	assert_int_equal(lu->exports, 0);
	sim_set_faults(rig.k.loops, &none);
	assert_int_equal(link_lu(lu, 0, &err), 0);
	log_in();
	assert_int_equal(pr_keys(&rig, a, 0), 1);
}

/* ---- by the administrator -------------------------------------------------------------------- */

static void cleared(void **state)
{
	const struct pr_nexus of_a = { "iqn.a", "iqn.a", "naa.test", 1, 0 };
	struct errmsg err;

	errmsg_init(&err);
	register_kept(a, KEY_A);
	register_kept(b, KEY_B);
	pr_reserve(&rig, a, 0, KEY_A, EA);
	assert_int_equal(pr_drop_admin(lu, &of_a, &err), 0);
	ATTENTIONS(a, SENSE_REGISTRATIONS_PREEMPTED);
	restart();
	/* APTPL is as it was: what is left is kept. */
	assert_int_equal(pr_keys(&rig, c, 2), 1);
	assert_int_equal(pr_reserved(&rig, c, 2, NULL), RESERVATION_NONE);
	assert_int_equal(capability(3), 1);
	assert_int_equal(pr_clear_admin(lu, &err), 0);
	restart();
	assert_int_equal(pr_keys(&rig, c, 2), 0);
	/* Also of an LU that nobody sees. */
	register_kept(a, KEY_A);
	down();
	start(9);
	assert_int_equal(pr_keep_load(lu, &err), 0);
	assert_int_equal(pr_count(lu), 1);
	assert_int_equal(pr_clear_admin(lu, &err), 0);
	assert_int_equal(link_lu(lu, 0, &err), 0);
	log_in();
	assert_int_equal(pr_keys(&rig, c, 2), 0);
	restart();
	assert_int_equal(pr_keys(&rig, c, 2), 0);
}

/* As rtslib does: what the file says, once more, by res_aptpl_metadata. */
static void imported(void **state)
{
	static const char of_a[] = "0,initiator_fabric=iSCSI,initiator_node=iqn.a,sa_res_key=161,"
				   "res_holder=0,res_all_tg_pt=0,mapped_lun=0,target_fabric=iSCSI,"
				   "target_node=naa.test,tpgt=1,port_rtpi=1,target_lun=0,0";
	static const char of_c[] =
		"initiator_node=iqn.c,sa_res_key=0x99,target_node=naa.test,tpgt=1,"
		"res_holder=1,res_type=06,res_scope=00";
	struct errmsg err;
	uint64_t key = 0;

	errmsg_init(&err);
	assert_int_equal(pr_keep_import(lu, of_a, &err), -EBUSY);
	register_kept(a, KEY_A);
	register_kept(b, KEY_B);
	pr_reserve(&rig, b, 1, KEY_B, WE_RO);
	down();
	start(5);
	assert_int_equal(pr_keep_import(lu, "initiator_node=iqn.c", &err), -EINVAL);
	/* What is there already stays what it is, with the holder. */
	assert_int_equal(pr_keep_import(lu, of_a, &err), 0);
	assert_int_equal(pr_count(lu), 2);
	assert_int_equal(link_lu(lu, 0, &err), 0);
	log_in();
	assert_int_equal(pr_reserved(&rig, c, 2, &key), WE_RO);
	assert_int_equal(key, KEY_B);
	down();
	/* Another one, that holds: then it does; and it is kept. */
	start(6);
	assert_int_equal(pr_keep_import(lu, of_c, &err), 0);
	rig.port->generate_node_acls = 1;
	assert_int_equal(link_lu(lu, 0, &err), 0);
	log_in();
	restart();
	assert_int_equal(pr_keys(&rig, c, 2), 2 + 1);
	assert_int_equal(pr_reserved(&rig, a, 0, &key), EA_RO);
	assert_int_equal(key, 0x99);
}

/* ---- threads --------------------------------------------------------------------------------- */

enum { ROUNDS = 60 };

static char place[] = "/tmp/ulio-keep-XXXXXX";

static void up_with_threads(void)
{
	struct errmsg err;

	errmsg_init(&err);
	rig_init(&rig, LOOP_AUTO, NLOOPS, 0);
	if (engine_set_dbroot(rig.eng, place, &err))
		fail_msg("%s", err.text);
	lu = new_lu("lu0", SERIAL);
	memset(buf, 0x5a, sizeof(buf));
	if (link_lu(lu, 0, &err))
		fail_msg("%s", err.text);
	log_in();
}

static int remove_place(void **state)
{
	char command[64];

	snprintf(command, sizeof(command), "rm -rf %s", place);
	return system(command);
}

/*
 * Real loops, workers and files: three initiators change the state at once, and what is in force in
 * the end is what comes back.
 */
static void threads(void **state)
{
	struct loopback **const by[NLOOPS] = { &a, &b, &c };
	struct prout p[NLOOPS];
	struct pr_state *before, *after;

	assert_non_null(mkdtemp(place));
	up_with_threads();
	for (unsigned round = 0; round < ROUNDS; round++) {
		for (unsigned i = 0; i < NLOOPS; i++) {
			bool reserve = (round + i) % 4 == 3;

			prout_init(&rig, &p[i], *by[i], i,
				reserve ? SA_RESERVE : SA_REGISTER_AND_IGNORE_EXISTING_KEY,
				reserve ? WE_RO : 0, reserve ? 1 + (round - 1) * NLOOPS + i : 0,
				reserve ? 0 : 1 + round * NLOOPS + i);
			p[i].list[20] = reserve ? 0 : PR_APTPL;
			loopback_start(&p[i].c);
		}
		for (unsigned i = 0; i < NLOOPS; i++)
			io_wait(&p[i].c);
	}
	assert_int_equal(pr_copy(lu, &before), 0);
	assert_int_equal(before->n, NLOOPS);
	assert_int_equal(before->type, WE_RO);
	down();
	up_with_threads();
	assert_int_equal(pr_copy(lu, &after), 0);
	assert_int_equal(after->n, before->n);
	assert_int_equal(after->type, before->type);
	for (unsigned i = 0; i < before->n; i++) {
		const struct pr_registration *r = pr_find(after, &before->r[i]->nexus);

		assert_true(r && r->key == before->r[i]->key && r->holder == before->r[i]->holder);
	}
	pr_state_free(before);
	pr_state_free(after);
	down();
}

/* ---- power cuts ------------------------------------------------------------------------------ */

/* Each is one PERSISTENT RESERVE OUT; all of them are GOOD while the storage is. */
static const struct command {
	struct loopback **by;
	uint8_t action, type;
	uint64_t key, sa_key;
	uint8_t flags;
} script[] = {
	{ &a, SA_REGISTER, 0, 0, KEY_A, PR_APTPL },
	{ &b, SA_REGISTER, 0, 0, KEY_B, PR_APTPL },
	{ &a, SA_RESERVE, WE_RO, KEY_A, 0, 0 },
	{ &c, SA_REGISTER_AND_IGNORE_EXISTING_KEY, 0, 0, KEY_C, PR_APTPL },
	{ &b, SA_PREEMPT, EA_RO, KEY_B, KEY_A, 0 },
	{ &c, SA_REGISTER, 0, KEY_C, 0x77, 0 }, /* not kept any more */
	{ &c, SA_REGISTER, 0, 0x77, KEY_C, PR_APTPL },
	{ &b, SA_RELEASE, EA_RO, KEY_B, 0, 0 },
	{ &c, SA_PREEMPT_AND_ABORT, EA_AR, KEY_C, KEY_B, 0 },
	{ &c, SA_RESERVE, EA_AR, KEY_C, 0, 0 },
	{ &c, SA_CLEAR, 0, KEY_C, 0, 0 },
	{ &a, SA_REGISTER, 0, 0, KEY_A, PR_APTPL },
};

enum { NCOMMANDS = sizeof(script) / sizeof(script[0]) };

/* What is to come back after each command: states[0] is before the first. */
static struct pr_state *states[NCOMMANDS + 1];

/* The unit attentions of others would else end a command that is told of them. */
static uint8_t run_command(unsigned i)
{
	const struct command *x = &script[i];
	struct prout p;

	do {
		prout_init(&rig, &p, *x->by,
			*x->by == a   ? 0
			: *x->by == b ? 1
				      : 2,
			x->action, x->type, x->key, x->sa_key);
		p.list[20] = x->flags;
		io_run(&p.c);
	} while (p.c.status == STATUS_CHECK_CONDITION &&
		 (p.c.sense[2] & 0x0f) == KEY_UNIT_ATTENTION);
	return p.c.status;
}

static struct pr_state *now(void)
{
	struct pr_state *s;

	assert_int_equal(pr_copy(lu, &s), 0);
	return s;
}

static bool same(const struct pr_state *x, const struct pr_state *y)
{
	if (x->n != y->n || x->type != y->type || x->scope != y->scope || x->lost != y->lost)
		return false;
	for (uint32_t i = 0; i < x->n; i++) {
		if (!pr_nexus_equal(&x->r[i]->nexus, &y->r[i]->nexus) ||
			x->r[i]->key != y->r[i]->key || x->r[i]->holder != y->r[i]->holder)
			return false;
	}
	return true;
}

static void record(void)
{
	medium = sim_disk_new(99);
	up(99);
	for (unsigned i = 0; i <= NCOMMANDS; i++) {
		states[i] = now();
		if (!states[i]->aptpl) {
			pr_state_free(states[i]);
			states[i] = pr_state_new();
		}
		if (i < NCOMMANDS)
			assert_int_equal(run_command(i), STATUS_GOOD);
	}
	down();
	sim_disk_free(medium);
}

/* The power goes at the nth file operation from the first command on. False: none was left. */
static bool cut_at(uint64_t seed, uint64_t nth)
{
	struct pr_state *found;
	unsigned good = 0;
	bool cut;

	medium = sim_disk_new(seed * 10000 + nth);
	up(seed);
	sim_power_cut_at(rig.k.loops, sim_file_ops(rig.k.loops) + nth);
	while (good < NCOMMANDS && run_command(good) == STATUS_GOOD)
		good++;
	cut = sim_power_is_cut(rig.k.loops);
	assert_true(cut || good == NCOMMANDS);
	down();

	sim_power_on(medium);
	up(seed);
	found = now();
	if (!same(found, states[good]) && (good == NCOMMANDS || !same(found, states[good + 1])))
		fail_msg("seed %u, cut %u: after %u commands there are %u registrations, type %u",
			(unsigned)seed, (unsigned)nth, good, found->n, found->type);
	pr_state_free(found);
	down();
	medium = sim_disk_free(medium);
	return cut;
}

static void power_cuts(void **state)
{
	unsigned cuts = 0;

	record();
	for (uint64_t seed = 1; seed <= nseeds; seed++)
		for (uint64_t nth = 1; cut_at(seed, nth); nth++)
			cuts++;
	/* Create, write, fsync, rename, fsync of the directory, of two files. */
	assert_true(cuts >= nseeds * NCOMMANDS * 10);
	for (unsigned i = 0; i <= NCOMMANDS; i++)
		pr_state_free(states[i]);
}

#define K(test) cmocka_unit_test_setup_teardown(test, setup_kept, teardown_kept)

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		K(comes_back),
		K(switched_off),
		K(forced),
		K(several_ports),
		K(failing_storage),
		K(serial_numbers),
		K(other_identity),
		K(lost),
		K(unreadable),
		K(cleared),
		K(imported),
		cmocka_unit_test_teardown(threads, remove_place),
		cmocka_unit_test(power_cuts),
	};

	if (argc > 1)
		nseeds = strtoull(argv[1], NULL, 0);
	log_set_sink(-1, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
