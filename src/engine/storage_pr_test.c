/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * storage_pr_test.c: pr/ of a storage object in LIO's words, to the letter, in every situation that
 * they tell apart; and registrations that LIO's tools bring back by res_aptpl_metadata.
 */
#include "engine/pr/three_testkit.h"

#include <errno.h>

#include "engine/storage.h"
#include "tree/node.h"

static struct storage_core *core;
static struct tree *t;
static struct node *disk, *pr;

static void set(struct node *n, const char *attr, const char *value)
{
	struct errmsg err;

	errmsg_init(&err);
	if (tree_set(t, n, attr, value, &err))
		fail_msg("%s = %s: %s", attr, value, err.text);
}

static void is(const char *attr, const char *want)
{
	struct strbuf text;

	strbuf_init(&text);
	assert_int_equal(tree_get(t, pr, attr, &text, NULL), 0);
	if (strcmp(text.s, want) != 0)
		fail_msg("%s: \"%s\", not \"%s\"", attr, text.s, want);
	strbuf_done(&text);
}

static void link_disk(void)
{
	struct port_lun *pl;
	struct errmsg err;

	errmsg_init(&err);
	if (storage_lu(disk, &lu, &err) || port_lun_add(rig.port, 0, &pl, &err) ||
		port_lun_link(pl, lu, "link", &err))
		fail_msg("%s", err.text);
}

static int setup_disk(void **state)
{
	struct node *hba;
	struct errmsg err;

	errmsg_init(&err);
	rig_init(&rig, LOOP_SIM, NLOOPS, 1);
	assert_int_equal(engine_set_dbroot(rig.eng, "/db", &err), 0);
	core = storage_core_new(rig.eng, rig.k.reg);
	assert_int_equal(tree_new(&storage_core_type, core, &t), 0);
	assert_int_equal(tree_mkdir(t, tree_root(t), "rd_mcp_0", &hba, &err), 0);
	assert_int_equal(tree_mkdir(t, hba, "d", &disk, &err), 0);
	pr = node_child(disk, "pr");
	assert_non_null(pr);
	set(disk, "control", "rd_pages=64");
	set(disk, "enable", "1");
	set(node_child(disk, "wwn"), "vpd_unit_serial", "0001");
	return 0;
}

static void log_in(void)
{
	link_disk();
	a = rig_login(&rig, "iqn.a", 0);
	b = rig_login(&rig, "iqn.b", 1);
	io_settle(&rig, a, 0);
	io_settle(&rig, b, 0);
}

static int teardown_disk(void **state)
{
	struct errmsg err;

	errmsg_init(&err);
	if (a)
		rig_logout(a);
	if (b)
		rig_logout(b);
	a = b = NULL;
	if (port_lun_find(rig.port, 0))
		rig_unmap(&rig, 0);
	if (tree_clear(t, tree_root(t), &err))
		fail_msg("%s", err.text);
	tree_free(t);
	storage_core_free(core);
	rig_done(&rig);
	return 0;
}

/* As lio-configfs shows a new disk. */
static void nothing_reserved(void **state)
{
	is("res_aptpl_active", "APTPL Bit Status: Disabled");
	is("res_aptpl_metadata", "Ready to process PR APTPL metadata..");
	is("res_holder", "No SPC-3 Reservation holder");
	is("res_pr_all_tgt_pts", "No SPC-3 Reservation holder");
	is("res_pr_generation", "0x00000000");
	is("res_pr_holder_tg_port", "No SPC-3 Reservation holder");
	is("res_pr_registered_i_pts", "SPC-3 PR Registrations:\nNone");
	is("res_pr_type", "No SPC-3 Reservation holder");
	is("res_type", "SPC3_PERSISTENT_RESERVATIONS");
}

static void persistent(void **state)
{
	static const struct {
		uint8_t type;
		const char *text;
	} types[] = {
		{ WE, "SPC-3 Reservation Type: Write Exclusive Access" },
		{ EA, "SPC-3 Reservation Type: Exclusive Access" },
		{ WE_RO, "SPC-3 Reservation Type: Write Exclusive Access, Registrants Only" },
		{ EA_RO, "SPC-3 Reservation Type: Exclusive Access, Registrants Only" },
		{ WE_AR, "SPC-3 Reservation Type: Write Exclusive Access, All Registrants" },
		{ EA_AR, "SPC-3 Reservation Type: Exclusive Access, All Registrants" },
	};
	struct prout p;
	char text[256];

	log_in();
	prout_init(&rig, &p, a, 0, SA_REGISTER, 0, 0, 0x123456789abcdef0);
	p.list[20] = PR_APTPL | PR_ALL_TG_PT;
	assert_int_equal(io_run(&p.c), STATUS_GOOD);
	prout_init(&rig, &p, b, 1, SA_REGISTER, 0, 0, KEY_B);
	p.list[20] = PR_APTPL;
	assert_int_equal(io_run(&p.c), STATUS_GOOD);
	is("res_pr_registered_i_pts",
		"SPC-3 PR Registrations:\n"
		"iSCSI Node: iqn.a Key: 0x123456789abcdef0 PRgen: 0x00000000\n"
		"iSCSI Node: iqn.b Key: 0x00000000000000b2 PRgen: 0x00000001");
	is("res_pr_generation", "0x00000002");
	is("res_aptpl_active", "APTPL Bit Status: Activated");
	is("res_holder", "No SPC-3 Reservation holder");
	for (unsigned i = 0; i < sizeof(types) / sizeof(types[0]); i++) {
		assert_int_equal(
			out(a, SA_RESERVE, types[i].type, 0x123456789abcdef0, 0), STATUS_GOOD);
		is("res_pr_type", types[i].text);
		is("res_holder", "SPC-3 Reservation: iSCSI Initiator: iqn.a");
		is("res_pr_all_tgt_pts", "SPC-3 Reservation: All Target Ports registration");
		assert_int_equal(
			out(a, SA_RELEASE, types[i].type, 0x123456789abcdef0, 0), STATUS_GOOD);
	}
	io_settle(&rig, b, 0); /* RESERVATIONS RELEASED */
	pr_reserve(&rig, b, 1, KEY_B, WE_RO);
	is("res_pr_all_tgt_pts", "SPC-3 Reservation: Single Target Port registration");
	snprintf(text, sizeof(text),
		"SPC-3 Reservation: iSCSI Target Node Endpoint: naa.test\n"
		"SPC-3 Reservation: Relative Port Identifier Tag: %u iSCSI Portal Group Tag: 1 "
		"iSCSI Logical Unit: 0",
		rig.port->rtpi);
	is("res_pr_holder_tg_port", text);
	is("res_type", "SPC3_PERSISTENT_RESERVATIONS");
	/* What the port is called now, not what it was called then. */
	assert_int_equal(port_set_rtpi(rig.port, 77, NULL), 0);
	is("res_pr_holder_tg_port",
		"SPC-3 Reservation: iSCSI Target Node Endpoint: naa.test\n"
		"SPC-3 Reservation: Relative Port Identifier Tag: 77 iSCSI Portal Group Tag: 1 "
		"iSCSI Logical Unit: 0");
}

static void spc2(void **state)
{
	log_in();
	assert_int_equal(six(b, OP_RESERVE_6, 0), STATUS_GOOD);
	is("res_holder", "SPC-2 Reservation: iSCSI Initiator: iqn.b");
	is("res_type", "SPC2_RESERVATIONS");
	assert_int_equal(six(b, OP_RELEASE_6, 0), STATUS_GOOD);
	is("res_holder", "No SPC-3 Reservation holder");
}

static void disabled(void **state)
{
	struct errmsg err;

	errmsg_init(&err);
	set(node_child(disk, "attrib"), "emulate_pr", "0");
	is("res_holder", "SPC_RESERVATIONS_DISABLED");
	is("res_type", "SPC_RESERVATIONS_DISABLED");
	is("res_aptpl_active", "");
	is("res_aptpl_metadata", "");
	is("res_pr_registered_i_pts", "SPC-3 PR Registrations:\nNone");
	/* Taken and not looked at. */
	set(pr, "res_aptpl_metadata", "whatever");
}

#define METADATA                                                                                   \
	"initiator_fabric=iSCSI,initiator_node=iqn.2003-01.org.example:a,"                         \
	"initiator_sid=00023d000001,sa_res_key=1,res_holder=1,res_type=05,res_scope=00,"           \
	"res_all_tg_pt=0,mapped_lun=0,target_fabric=iSCSI,target_node=naa.test,tpgt=1,"            \
	"port_rtpi=1,target_lun=0"

static void metadata(void **state)
{
	struct errmsg err;
	size_t n;
	char *text;

	errmsg_init(&err);
	set(pr, "res_aptpl_metadata", METADATA);
	is("res_holder", "SPC-3 Reservation: iSCSI Initiator: "
			 "iqn.2003-01.org.example:a,i,0x00023d000001");
	is("res_aptpl_active", "APTPL Bit Status: Activated");
	/* It is kept from then on. */
	assert_int_equal(loops_read_file(rig.k.loops, "/db/pr/aptpl_0001", 65536, &text, &n), 0);
	assert_non_null(strstr(text, "initiator_sid=00023d000001\nsa_res_key=1\nres_holder=1\n"));
	free(text);
	assert_int_equal(tree_set(t, pr, "res_aptpl_metadata", "initiator_node=a", &err), -EINVAL);
	assert_non_null(strstr(err.text, "res_aptpl_metadata: target_node= is missing"));
	log_in();
	assert_int_equal(write_at(a, 0), STATUS_RESERVATION_CONFLICT);
	assert_int_equal(tree_set(t, pr, "res_aptpl_metadata", METADATA, &err), -EINVAL);
	/* What registrations are of does not change under them. */
	assert_int_equal(
		tree_set(t, node_child(disk, "attrib"), "enforce_pr_isids", "0", &err), -EINVAL);
}

#define D(test) cmocka_unit_test_setup_teardown(test, setup_disk, teardown_disk)

int main(void)
{
	const struct CMUnitTest tests[] = {
		D(nothing_reserved),
		D(persistent),
		D(spc2),
		D(disabled),
		D(metadata),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
