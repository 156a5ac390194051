/* SPDX-License-Identifier: BSD-3-Clause */
/* saveschema_test.c: what is wrong with a configuration, where it is told, and in which words. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "control/saveschema.h"

/* The problems of a configuration, one line each, must be these. */
static void check(const char *text, const char *want)
{
	struct problems p;
	struct strbuf out;
	json_t *j;

	problems_init(&p);
	strbuf_init(&out);
	j = saveschema_parse(text, strlen(text), &p);
	if (j)
		saveschema_check(j, &p);
	problems_print(&p, &out);
	if (strcmp(out.s, want) != 0)
		fail_msg("%s\ngot:\n%swanted:\n%s", text, out.s, want);
	json_decref(j);
	strbuf_done(&out);
	problems_done(&p);
}

#define DISK     "{\"name\":\"d\",\"plugin\":\"fileio\",\"dev\":\"/d\"}"
#define DISKS(x) "{\"storage_objects\":[" x "]}"
#define TPG(x)                                                                                     \
	"{\"storage_objects\":[" DISK                                                              \
	"],\"targets\":[{\"fabric\":\"iscsi\",\"wwn\":\"iqn.t\",\"tpgs\":["                        \
	"{\"tag\":1," x "}]}]}"

static void syntax(void **state)
{
	check("", "error: line 1 column 0: the file is empty\n");
	check("{\n  \"targets\": [\n    {]\n}",
		"error: line 3 column 6: string or '}' expected near ']'\n");
	check("{\"a\":1,\"a\":2}", "error: line 1 column 10: duplicate object key near '\"a\"'\n");
	check("[]", "error: : must be an object: a configuration\n");
	check("{}", "");
}

static void types(void **state)
{
	check("{\"targets\":{}}", "error: /targets: must be a list\n");
	check(DISKS("1"), "error: /storage_objects/0: must be an object: a storage object\n");
	check(DISKS("{\"plugin\":7}"),
		"error: /storage_objects/0/name: is missing: a storage object "
		"needs it\n"
		"error: /storage_objects/0/plugin: must be a string\n");
	check(DISKS("{\"name\":\"a/b\",\"plugin\":\"fileio\",\"dev\":\"\",\"size\":-1}"),
		"error: /storage_objects/0/name: \"a/b\" is no name: one to 255 bytes without "
		"'/', not \".\" or \"..\"\n"
		"error: /storage_objects/0/dev: must not be empty\n"
		"error: /storage_objects/0/size: -1: must be from 0 to 9223372036854775807\n");
	check(DISKS("{\"name\":\".\",\"plugin\":\"fileio\"}"),
		"error: /storage_objects/0/name: \".\" is no name: one to 255 bytes without '/', "
		"not \".\" or \"..\"\n");
	check(DISKS("{\"name\":\"a\\u007f\",\"plugin\":\"fileio\"}"),
		"error: /storage_objects/0/name: a name must be UTF-8 without control "
		"characters\n");
	check(DISKS("{\"name\":\"a\",\"plugin\":\"fileio\",\"dev\":\"/"
		    "d\",\"attributes\":{\"x\":[]}}"),
		"error: /storage_objects/0/attributes/x: must be a number or a string\n");
	check(TPG("\"enable\":1"), "error: /targets/0/tpgs/0/enable: must be true or false\n");
}

static void disks(void **state)
{
	check(DISKS("{\"name\":\"d\",\"plugin\":\"zfs\"}"),
		"error: /storage_objects/0/plugin: \"zfs\" is none of fileio, block, ramdisk, "
		"user\n");
	check(DISKS("{\"name\":\"d\",\"plugin\":\"ramdisk\"}"),
		"error: /storage_objects/0/size: is missing: its size in bytes\n");
	check(DISKS("{\"name\":\"d\",\"plugin\":\"block\"}"),
		"error: /storage_objects/0/dev: is missing: the path of the block device\n");
	check(DISKS("{\"name\":\"d\",\"plugin\":\"user\"}"),
		"error: /storage_objects/0/config: is missing: \"kind/settings\", such as "
		"\"null/\"\n"
		"error: /storage_objects/0/size: is missing: its size in bytes\n");
	check(DISKS("{\"name\":\"d\",\"plugin\":\"pscsi\",\"dev\":\"/dev/sg0\"}"),
		"skipped: /storage_objects/0: SCSI devices cannot be passed through by this "
		"version: "
		"use plugin block\n");
	check(DISKS(DISK "," DISK), "error: /storage_objects/1/name: /backstores/fileio/d is there "
				    "twice: remove one\n");
	check(DISKS("{\"name\":\"d\",\"plugin\":\"fileio\",\"dev\":\"/d\",\"colour\":1}"),
		"note: /storage_objects/0/colour: is not known and left out of account\n");
}

static void targets(void **state)
{
	check(TPG("\"luns\":[{\"index\":0,\"storage_object\":\"/backstores/fileio/e\"}]"),
		"error: /targets/0/tpgs/0/luns/0/storage_object: \"/backstores/fileio/e\" is not "
		"among "
		"storage_objects: \"/backstores/<plugin>/<name>\" is meant\n");
	check(TPG("\"luns\":[{\"index\":70000,\"storage_object\":\"/backstores/fileio/d\"}]"),
		"error: /targets/0/tpgs/0/luns/0/index: 70000: must be from 0 to 65535\n");
	check(TPG("\"luns\":[{\"index\":1,\"storage_object\":\"/backstores/fileio/d\"},"
		  "{\"index\":1,\"storage_object\":\"/backstores/fileio/d\"}]"),
		"error: /targets/0/tpgs/0/luns/1/index: 1 is there twice: remove one\n");
	check(TPG("\"portals\":[{\"ip_address\":\"10.0.0.256\",\"port\":3260},"
		  "{\"ip_address\":\"::1\",\"port\":3260},{\"ip_address\":\"[::1]\",\"port\":0},"
		  "{\"ip_address\":\"[fe80::1%eth0]\",\"port\":3260},"
		  "{\"ip_address\":\"[]\",\"port\":3260}]"),
		"error: /targets/0/tpgs/0/portals/0/ip_address: \"10.0.0.256\" is no address: "
		"10.0.0.1 "
		"or [2001:db8::1] is meant\n"
		"error: /targets/0/tpgs/0/portals/1/ip_address: \"::1\" is no address: 10.0.0.1 or "
		"[2001:db8::1] is meant\n"
		"error: /targets/0/tpgs/0/portals/2/port: 0: must be from 1 to 65535\n"
		"error: /targets/0/tpgs/0/portals/4/ip_address: \"[]\" is no address: 10.0.0.1 or "
		"[2001:db8::1] is meant\n");
	check(TPG("\"portals\":[{\"ip_address\":\"10.0.0.1\",\"port\":3260},"
		  "{\"ip_address\":\"10.0.0.1\",\"port\":3261},"
		  "{\"ip_address\":\"10.0.0.1\",\"port\":3260}]"),
		"error: /targets/0/tpgs/0/portals/2/ip_address: 10.0.0.1:3260 is there twice: "
		"remove "
		"one\n");
	check(TPG("\"luns\":[{\"index\":1,\"storage_object\":\"/backstores/fileio/d\"}],"
		  "\"node_acls\":[{\"node_wwn\":\"iqn.i\",\"mapped_luns\":[{\"index\":0,\"tpg_"
		  "lun\":1},"
		  "{\"index\":0,\"tpg_lun\":2}]}]"),
		"error: /targets/0/tpgs/0/node_acls/0/mapped_luns/1/tpg_lun: 2 is no LUN of this "
		"portal group\n"
		"error: /targets/0/tpgs/0/node_acls/0/mapped_luns/1/index: 0 is there twice: "
		"remove "
		"one\n");
	check("{\"targets\":[{\"fabric\":\"loopback\",\"wwn\":\"naa.1\"},"
	      "{\"fabric\":\"iscsi\",\"wwn\":\"iqn.t\"},{\"fabric\":\"iscsi\",\"wwn\":\"iqn.t\"}]}",
		"skipped: /targets/0: fabric \"loopback\" is not served by this daemon\n"
		"error: /targets/2/wwn: iqn.t is there twice: remove one\n");
}

/* Random damage to a valid text is reported or harmless, never worse. */
static void damage(void **state)
{
	static const char good[] =
		TPG("\"luns\":[{\"index\":1,\"storage_object\":\"/backstores/fileio/d\"}],"
		    "\"portals\":[{\"ip_address\":\"[::1]\",\"port\":3260}],"
		    "\"node_acls\":[{\"node_wwn\":\"iqn.i\",\"mapped_luns\":[{\"index\":0,\"tpg_"
		    "lun\":1}]}]");
	unsigned seed = 7, bad = 0;

	check(good, "");
	for (int i = 0; i < 5000; i++) {
		char text[sizeof(good)];
		struct problems p;
		json_t *j;

		memcpy(text, good, sizeof(good));
		text[(unsigned)rand_r(&seed) % (sizeof(good) - 1)] =
			(char)(rand_r(&seed) % 95 + 32);
		problems_init(&p);
		j = saveschema_parse(text, sizeof(good) - 1, &p);
		if (j)
			saveschema_check(j, &p);
		bad += p.counts[PROBLEM_ERROR] > 0;
		json_decref(j);
		problems_done(&p);
	}
	assert_true(bad > 2000);
}

static void plugin_names(void **state)
{
	assert_string_equal(saveschema_hba("block"), "iblock");
	assert_string_equal(saveschema_hba("ramdisk"), "rd_mcp");
	assert_null(saveschema_hba("iblock"));
	assert_string_equal(saveschema_plugin("rd_mcp"), "ramdisk");
	assert_null(saveschema_plugin("ramdisk"));
}

/* Beyond the list problems are counted. */
static void bounded(void **state)
{
	struct problems p;
	struct strbuf out;

	problems_init(&p);
	strbuf_init(&out);
	for (int i = 0; i < 1003; i++)
		problem_add(&p, PROBLEM_NOTE, "/x", "%d", i);
	problems_print(&p, &out);
	assert_int_equal(p.n, 1000);
	assert_int_equal(p.counts[PROBLEM_NOTE], 1003);
	assert_string_equal(out.s + out.len - 11, "and 3 more\n");
	strbuf_done(&out);
	problems_done(&p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(syntax),
		cmocka_unit_test(types),
		cmocka_unit_test(disks),
		cmocka_unit_test(targets),
		cmocka_unit_test(damage),
		cmocka_unit_test(plugin_names),
		cmocka_unit_test(bounded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
