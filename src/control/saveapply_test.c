/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * saveapply_test.c: configurations onto a tree and back: what is dumped is what was applied,
 * applying again changes nothing, a reload touches only what differs, and what fails is told in its
 * place.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "control/saveapply.h"
#include "control/savedump.h"
#include "control/saveschema.h"
#include "control/toy_lio.h"

static struct tree *t;

static int setup(void **state)
{
	toy_refuse = NULL;
	return tree_new(&toy_lio, NULL, &t);
}

static int teardown(void **state)
{
	assert_int_equal(tree_clear(t, tree_root(t), NULL), 0);
	assert_null(tree_free(t));
	return 0;
}

#define D0                                                                                         \
	"{\"aio\":false,\"alua_tpgs\":[{\"alua_access_state\":0,\"alua_access_type\":3,"           \
	"\"name\":\"default_tg_pt_gp\",\"preferred\":0,\"tg_pt_gp_id\":0}],\"attributes\":{"       \
	"\"block_size\":4096,\"emulate_tpu\":1,\"emulate_write_cache\":1,\"queue_depth\":128},"    \
	"\"dev\":\"/var/d0.img\",\"name\":\"d0\",\"plugin\":\"fileio\",\"size\":1048576,"          \
	"\"write_back\":true,\"wwn\":\"uuid-0\"}"
#define R0                                                                                         \
	"{\"alua_tpgs\":[{\"alua_access_state\":0,\"alua_access_type\":3,\"name\":"                \
	"\"default_tg_pt_gp\",\"preferred\":0,\"tg_pt_gp_id\":0},{\"alua_access_state\":1,"        \
	"\"alua_access_type\":1,\"name\":\"g\",\"preferred\":1,\"tg_pt_gp_id\":5}],"               \
	"\"attributes\":{\"block_size\":512,\"emulate_tpu\":0,\"emulate_write_cache\":0,"          \
	"\"queue_depth\":128},\"name\":\"r0\",\"nullio\":true,\"plugin\":\"ramdisk\",\"size\":"    \
	"8192,\"wwn\":\"uuid-1\"}"
#define B0                                                                                         \
	"{\"alua_tpgs\":[{\"alua_access_state\":0,\"alua_access_type\":3,\"name\":"                \
	"\"default_tg_pt_gp\",\"preferred\":0,\"tg_pt_gp_id\":0}],\"attributes\":{"                \
	"\"block_size\":512,\"emulate_tpu\":0,\"emulate_write_cache\":0,\"queue_depth\":128},"     \
	"\"dev\":\"/dev/vdb\",\"name\":\"b0\",\"plugin\":\"block\",\"readonly\":true,"             \
	"\"write_back\":false,\"wwn\":\"\"}"
#define U0                                                                                         \
	"{\"alua_tpgs\":[{\"alua_access_state\":0,\"alua_access_type\":3,\"name\":"                \
	"\"default_tg_pt_gp\",\"preferred\":0,\"tg_pt_gp_id\":0}],\"attributes\":{"                \
	"\"block_size\":512,\"emulate_tpu\":0,\"emulate_write_cache\":0,\"queue_depth\":128},"     \
	"\"config\":\"null/ Size: 7\",\"name\":\"u0\","                                            \
	"\"plugin\":\"user\",\"size\":4096,\"wwn\":\"\"}"
#define LUN(i, plugin, d)                                                                          \
	"{\"alias\":\"l" #i "\",\"alua_tg_pt_gp_name\":null,\"index\":" #i ",\"storage_object\":"  \
	"\"/backstores/" plugin "/" d "\"}"
#define NP(ip, port)                                                                               \
	"{\"ip_address\":\"" ip "\",\"iser\":false,\"offload\":false,\"port\":" #port "}"
#define ML(i, lun, wp)                                                                             \
	"{\"alias\":\"m" #i "\",\"index\":" #i ",\"tpg_lun\":" #lun ",\"write_protect\":" wp "}"
#define ACL(name, mls, more)                                                                       \
	"{\"attributes\":{\"authentication\":-1,\"dataout_timeout\":20}," more                     \
	"\"mapped_luns\":[" mls "],\"node_wwn\":\"" name "\"}"
#define TGT(wwn, luns, nps, acls)                                                                  \
	"{\"fabric\":\"iscsi\",\"parameters\":{\"cmd_completion_affinity\":\"-1\"},\"tpgs\":[{"    \
	"\"attributes\":{\"authentication\":0,\"generate_node_acls\":1,\"login_timeout\":15},"     \
	"\"chap_password\":\"secret\",\"chap_userid\":\"user\",\"enable\":true,\"luns\":[" luns    \
	"],\"node_acls\":[" acls "],\"parameters\":{\"AuthMethod\":\"CHAP,None\","                 \
	"\"MaxBurstLength\":\"65536\"},\"portals\":[" nps "],\"tag\":1}],\"wwn\":\"" wwn "\"}"
#define FM                                                                                         \
	"{\"discovery_enable_auth\":true,\"discovery_password\":\"p\",\"discovery_userid\":\"u\"," \
	"\"name\":\"iscsi\"}"
#define CFG(fm, so, tg)                                                                            \
	"{\"fabric_modules\":[" fm "],\"storage_objects\":[" so "],\"targets\":[" tg "]}"

#define FULL                                                                                       \
	CFG(FM, D0 "," R0 "," B0 "," U0,                                                           \
		TGT("iqn.a", LUN(0, "fileio", "d0") "," LUN(3, "ramdisk", "r0"),                   \
			NP("0.0.0.0", 3260) "," NP("[::1]", 3261),                                 \
			ACL("iqn.i", ML(0, 3, "true") "," ML(1, 0, "false"),                       \
				"\"chap_mutual_password\":\"mp\",\"chap_mutual_userid\":\"mu\","   \
				"\"chap_password\":\"ap\",\"chap_userid\":\"au\",")) "," TGT("iqn" \
											     ".b", \
			"", "", ""))

static int pending(void *arg, struct node *disk, int error, struct errmsg *err)
{
	((struct toy *)node_obj(disk))->pending = true;
	return 0;
}

/* Apply text; the problems must be these lines. */
static void apply(const char *text, const char *extras_text, unsigned flags,
	const struct saveapply_hooks *hooks, const char *want)
{
	struct problems p;
	struct strbuf out;
	json_t *j = json_loads(text, 0, NULL), *extras = NULL;

	assert_non_null(j);
	if (extras_text)
		extras = json_loads(extras_text, 0, NULL);
	problems_init(&p);
	strbuf_init(&out);
	saveschema_check(j, &p);
	assert_int_equal(p.counts[PROBLEM_ERROR], 0);
	assert_int_equal(saveapply(t, j, extras, flags, hooks, &p, NULL), 0);
	problems_print(&p, &out);
	if (strcmp(out.s, want) != 0)
		fail_msg("got:\n%swanted:\n%s", out.s, want);
	strbuf_done(&out);
	problems_done(&p);
	json_decref(j);
	json_decref(extras);
}

static void dumped(const char *want, const char *want_extras)
{
	json_t *config, *extras, *j;
	char *a, *b;

	assert_int_equal(savedump(t, &config, &extras), 0);
	j = json_loads(want, 0, NULL);
	a = json_dumps(config, JSON_SORT_KEYS | JSON_INDENT(1));
	b = json_dumps(j, JSON_SORT_KEYS | JSON_INDENT(1));
	assert_string_equal(a, b);
	free(a);
	free(b);
	json_decref(j);
	if (want_extras) {
		a = json_dumps(extras, JSON_SORT_KEYS | JSON_COMPACT);
		assert_string_equal(a, want_extras);
		free(a);
	}
	json_decref(config);
	json_decref(extras);
}

static void there_and_back(void **state)
{
	apply(FULL, NULL, 0, NULL, "");
	dumped(FULL, NULL);

	/* Once more: nothing is set, nothing is made. */
	toy_sets = 0;
	apply(FULL, NULL, 0, NULL, "");
	assert_int_equal(toy_sets, 0);
	apply(FULL, NULL, SAVEAPPLY_REMOVE_OTHERS, NULL, "");
	dumped(FULL, NULL);
}

static void beside(void **state)
{
	static const char config[] = CFG("", D0, TGT("iqn.a", "", NP("0.0.0.0", 3260), ""));
	static const char extras[] =
		"{\"/backstores/fileio/d0\":{\"alias\":\"big\",\"wwn/vendor_id\":\"ACME\"},"
		"\"/iscsi/iqn.a\":{\"param/cmd_completion_affinity\":\"-1\"},"
		"\"/iscsi/iqn.a/tpgt_1/np/0.0.0.0:3260\":{\"advertise\":\"10.0.0.1:3260\"}}";

	apply(config, extras, 0, NULL, "");
	dumped(config, extras);
}

/* From one configuration to another and back. */
static void reload(void **state)
{
	static const char other[] = CFG("", D0 "," B0,
		TGT("iqn.a", LUN(0, "fileio", "d0") "," LUN(3, "block", "b0"), NP("[::1]", 3261),
			ACL("iqn.j", ML(0, 3, "false"), "")));
	struct node *kept, *tpg;

	apply(FULL, NULL, 0, NULL, "");
	kept = tree_lookup(t, "/core/fileio_0/d0");
	tpg = tree_lookup(t, "/iscsi/iqn.a/tpgt_1");
	apply(other, NULL, SAVEAPPLY_REMOVE_OTHERS, NULL, "");
	dumped(other, NULL);
	assert_ptr_equal(tree_lookup(t, "/core/fileio_0/d0"), kept);
	assert_ptr_equal(tree_lookup(t, "/iscsi/iqn.a/tpgt_1"), tpg);
	assert_null(tree_lookup(t, "/core/rd_mcp_1"));
	apply(FULL, NULL, SAVEAPPLY_REMOVE_OTHERS, NULL, "");
	assert_ptr_equal(tree_lookup(t, "/core/fileio_0/d0"), kept);
	apply("{}", NULL, SAVEAPPLY_REMOVE_OTHERS, NULL, "");
	dumped(CFG("", "", ""), NULL);
}

/* A storage object whose disk changes is made anew, with the LUNs that show it. */
static void reload_replaces(void **state)
{
#define D1(path) "{\"name\":\"d\",\"plugin\":\"fileio\",\"dev\":\"" path "\",\"size\":512}"
#define ONE(path)                                                                                  \
	CFG("", D1(path),                                                                          \
		TGT("iqn.a", LUN(0, "fileio", "d"), "", ACL("iqn.i", ML(0, 0, "true"), "")))
	struct strbuf b;
	struct node *lun;

	strbuf_init(&b);
	apply(ONE("/one"), NULL, 0, NULL, "");
	apply(ONE("/two"), NULL, 0, NULL,
		"skipped: /storage_objects/0: the running one has another disk or mode and is left "
		"as "
		"it is: remove it first\n");
	apply(ONE("/two"), NULL, SAVEAPPLY_REMOVE_OTHERS, NULL, "");
	lun = tree_lookup(t, "/iscsi/iqn.a/tpgt_1/lun/lun_0/l0");
	assert_non_null(lun);
	assert_true(savedump_value(t, lun, "udev_path", &b));
	assert_string_equal(b.s, "/two");
	assert_ptr_equal(tree_lookup(t, "/iscsi/iqn.a/tpgt_1/acls/iqn.i/lun_0/m0/l0"), lun);
	strbuf_done(&b);
}

static void missing_disk(void **state)
{
	static const struct saveapply_hooks hooks = { pending, NULL };
	static const char config[] =
		CFG("", D1("/missing/d"), TGT("iqn.a", LUN(0, "fileio", "d"), "", ""));

	apply(config, NULL, 0, NULL,
		"skipped: /storage_objects/0: enable: /missing: No such file or directory\n"
		"skipped: /targets/0/tpgs/0/luns/0: /backstores/fileio/d could not be made, so "
		"this LUN "
		"cannot be\n");
	assert_null(node_first_child(tree_lookup(t, "/core")));
	apply(config, NULL, 0, &hooks,
		"note: /storage_objects/0: its disk is not there (enable: /missing: No such file "
		"or "
		"directory): its LUNs answer NOT READY until it comes\n");
	assert_non_null(tree_lookup(t, "/iscsi/iqn.a/tpgt_1/lun/lun_0/l0"));
}

static bool enabled(const char *path)
{
	struct strbuf b;
	bool on;

	strbuf_init(&b);
	on = savedump_value(t, tree_lookup(t, path), "enable", &b) && !strcmp(b.s, "1");
	strbuf_done(&b);
	return on;
}

/* What fails is told; a group that could be open by it stays closed, others are not concerned. */
static void refused(void **state)
{
	static const char two[] =
		CFG("", D0, TGT("iqn.a", "", "", "") "," TGT("iqn.b", "", "", ""));

	toy_refuse = "block_size=4096";
	apply(two, NULL, 0, NULL,
		"skipped: /storage_objects/0/attributes/block_size: block_size: \"4096\" is "
		"refused by "
		"this toy\n");
	assert_true(enabled("/iscsi/iqn.a/tpgt_1"));
	assert_int_equal(tree_clear(t, tree_root(t), NULL), 0);

	toy_refuse = "MaxBurstLength=65536";
	apply(CFG("", "", TGT("iqn.a", "", "", "")), NULL, 0, NULL,
		"skipped: /targets/0/tpgs/0/parameters/MaxBurstLength: MaxBurstLength: \"65536\" "
		"is "
		"refused by this toy\n");
	assert_true(enabled("/iscsi/iqn.a/tpgt_1"));
	assert_int_equal(tree_clear(t, tree_root(t), NULL), 0);

	toy_refuse = "password=secret";
	apply(CFG("", "", TGT("iqn.a", "", "", "")), NULL, 0, NULL,
		"skipped: /targets/0/tpgs/0/chap_password: password: the value is refused (Invalid "
		"argument)\n"
		"skipped: /targets/0/tpgs/0/enable: the portal group stays closed, because "
		"something "
		"that keeps people out could not be set (told above): mend it and load again\n");
	assert_false(enabled("/iscsi/iqn.a/tpgt_1"));
	assert_int_equal(tree_clear(t, tree_root(t), NULL), 0);

	/* Write protection that fails leaves the LUN unmapped. */
	toy_refuse = "write_protect=1";
	apply(CFG("", D0,
		      TGT("iqn.a", LUN(0, "fileio", "d0"), "", ACL("iqn.i", ML(0, 0, "true"), ""))),
		NULL, 0, NULL,
		"skipped: /targets/0/tpgs/0/node_acls/0/mapped_luns/0/write_protect: "
		"write_protect: "
		"\"1\" is refused by this toy\n");
	assert_null(tree_lookup(t, "/iscsi/iqn.a/tpgt_1/acls/iqn.i/lun_0/m0"));
}

static void unknown_attribute(void **state)
{
	apply(CFG("",
		      "{\"name\":\"d\",\"plugin\":\"ramdisk\",\"size\":1,\"attributes\":{\"warp\":"
		      "9}}",
		      ""),
		NULL, 0, NULL,
		"skipped: /storage_objects/0/attributes/warp: warp: there is no such attribute\n");
	apply(CFG("", "{\"name\":\"e\",\"plugin\":\"fileio\",\"dev\":\"/a,b\"}", ""), NULL, 0, NULL,
		"skipped: /storage_objects/0/dev: \"/a,b\": commas and line ends are not "
		"possible\n");
	assert_non_null(tree_lookup(t, "/core/rd_mcp_0/d"));
	assert_null(tree_lookup(t, "/core/fileio_1"));
}

/* A LUN that was unlinked shows nothing: it is left out, and so is what an ACL maps to it. */
static void unlinked(void **state)
{
	struct problems p;
	json_t *config, *extras, *luns, *mapped;

	apply(FULL, NULL, 0, NULL, "");
	assert_int_equal(
		tree_unlink(t, tree_lookup(t, "/iscsi/iqn.a/tpgt_1/lun/lun_3"), "l3", NULL), 0);
	assert_int_equal(savedump(t, &config, &extras), 0);
	problems_init(&p);
	saveschema_check(config, &p);
	assert_int_equal(p.counts[PROBLEM_ERROR], 0);
	problems_done(&p);
	assert_int_equal(json_unpack(config, "{s:[{s:[{s:o, s:[{s:o}]}]}, {}]}", "targets", "tpgs",
				 "luns", &luns, "node_acls", "mapped_luns", &mapped),
		0);
	assert_int_equal(json_array_size(luns), 1);
	assert_int_equal(json_array_size(mapped), 1);
	json_decref(config);
	json_decref(extras);
}

#define with_tree(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_tree(there_and_back),
		with_tree(beside),
		with_tree(reload),
		with_tree(reload_replaces),
		with_tree(missing_disk),
		with_tree(refused),
		with_tree(unknown_attribute),
		with_tree(unlinked),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
