/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * storage_test.c: core/ as LIO's tools use it: HBAs, "control" words, enable, attributes with LIO's
 * errno, info in LIO's words, pending disks, resize.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "backstore/builtin.h"
#include "block/backstore.h"
#include "engine/engine.h"
#include "engine/lu.h"
#include "engine/storage.h"

static struct loops *loops;
static struct backstore_registry *reg;
static struct engine *eng;
static struct storage_core *core;
static struct tree *t;
static char dir[] = "/tmp/ulio-storage-XXXXXX", file[64];

static int setup(void **state)
{
	const struct loops_config cfg = { .kind = LOOP_AUTO, .nloops = 2 };
	struct errmsg err = { 0 };

	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/disk", dir);
	if (loops_new(&cfg, &loops, &err))
		fail_msg("%s", err.text);
	reg = backstore_registry_new(loops);
	assert_int_equal(backstores_register(reg), 0);
	eng = engine_new(loops);
	core = storage_core_new(eng, reg);
	assert_int_equal(tree_new(&storage_core_type, core, &t), 0);
	return 0;
}

static int teardown(void **state)
{
	struct errmsg err = { 0 };

	if (tree_clear(t, tree_root(t), &err))
		fail_msg("%s", err.text);
	tree_free(t);
	storage_core_free(core);
	engine_free(eng);
	backstore_registry_free(reg);
	loops_free(loops);
	unlink(file);
	rmdir(dir);
	strcpy(dir + strlen(dir) - 6, "XXXXXX");
	return 0;
}

static struct node *make(const char *hba, const char *name)
{
	struct node *h = node_child(tree_root(t), hba), *n = NULL;
	struct errmsg err = { 0 };

	if ((!h && tree_mkdir(t, tree_root(t), hba, &h, &err)) || tree_mkdir(t, h, name, &n, &err))
		fail_msg("%s", err.text);
	return n;
}

static struct node *at(struct node *n, const char *sub)
{
	return *sub ? node_child(n, sub) : n;
}

static void set(struct node *n, const char *sub, const char *attr, const char *value)
{
	struct errmsg err = { 0 };

	if (tree_set(t, at(n, sub), attr, value, &err))
		fail_msg("%s", err.text);
}

static void refuse(struct node *n, const char *sub, const char *attr, const char *value, int want)
{
	struct errmsg err = { 0 };
	int r = tree_set(t, at(n, sub), attr, value, &err);

	if (r != want || err.code != want || !err.text[0])
		fail_msg("%s=%s: %d, \"%s\"", attr, value, r, err.text);
}

static void is(struct node *n, const char *sub, const char *attr, const char *want)
{
	struct strbuf b;
	struct errmsg err = { 0 };

	strbuf_init(&b);
	if (tree_get(t, at(n, sub), attr, &b, &err))
		fail_msg("%s", err.text);
	assert_string_equal(b.s, want);
	strbuf_done(&b);
}

static void hbas(void **state)
{
	struct node *n = NULL;
	struct errmsg err = { 0 };
	static const char *const bad[] = { "fileio", "fileio_", "fileio_x", "zfs_0", "_0", "rd_0",
		"pscsi_0", "fileio_-1", NULL };
	char longest[80];

	for (int i = 0; bad[i]; i++)
		assert_int_equal(tree_mkdir(t, tree_root(t), bad[i], &n, &err), -EINVAL);
	assert_int_equal(
		tree_mkdir(t, tree_root(t), "fileio_99999999999999999999", &n, &err), -ERANGE);
	memset(longest, '0', sizeof(longest));
	memcpy(longest, "fileio_", 7);
	longest[64] = '\0';
	assert_int_equal(tree_mkdir(t, tree_root(t), longest, &n, &err), -ENAMETOOLONG);
	assert_int_equal(tree_mkdir(t, tree_root(t), "rd_mcp_7", &n, &err), 0);
	is(n, "", "hba_info", "HBA Index: 1 plugin: rd_mcp version: v5.0");
	is(n, "", "hba_mode", "0");
	refuse(n, "", "hba_mode", "1", -EINVAL);
	/* Several in one HBA, and one name in two of them. */
	make("rd_mcp_7", "a");
	make("rd_mcp_7", "b");
	make("fileio_0", "a");
	assert_int_equal(tree_rmdir(t, n, &err), -ENOTEMPTY);
}

static void ramdisk(void **state)
{
	struct node *n = make("rd_mcp_0", "r0");
	struct lu *lu = NULL;
	struct errmsg err = { 0 };

	refuse(n, "", "enable", "1", -EINVAL);
	assert_int_equal(storage_lu(n, &lu, &err), -ENODEV);
	assert_int_equal(storage_lu(tree_root(t), &lu, &err), -EFAULT);
	refuse(n, "", "control", "rd_pages=x", -EINVAL);
	set(n, "", "control", "unknown=1,rd_pages=16384\n");
	is(n, "", "enable", "0");
	set(n, "", "enable", "1\n");
	is(n, "", "enable", "1");
	is(n, "", "state", "ready");
	refuse(n, "", "enable", "1", -EEXIST);
	refuse(n, "", "enable", "0", -EINVAL);
	refuse(n, "", "control", "rd_pages=1", -EINVAL);
	is(n, "", "info",
		"Status: DEACTIVATED  Max Queue Depth: 0  SectorSize: 512  HwMaxSectors: "
		"4294967288\n        TCM RamDisk ID: 0  RamDisk Makeup: rd_mcp\n        "
		"PAGES/PAGE_SIZE: 16384*4096  SG_table_count: 9  nullio: 0 dummy: 0");
	assert_int_equal(storage_lu(n, &lu, &err), 0);
	assert_string_equal(lu->name, "r0");
	is(n, "wwn", "product_id", "RAMDISK-MCP");
}

static void nullio(void **state)
{
	struct node *n = make("rd_mcp_0", "r0");

	set(n, "", "control", "rd_pages=16");
	set(n, "", "control", "rd_nullio=1");
	refuse(n, "", "control", "rd_nullio=2", -EINVAL);
	set(n, "", "enable", "1");
	assert_string_equal(backstore_kind_name(engine_find_lu(eng, "r0")->bs), "null");
}

static void fileio(void **state)
{
	struct node *n = make("fileio_0", "f0");
	char text[400];

	refuse(n, "", "enable", "1", -EINVAL);
	snprintf(text, sizeof(text), "fd_dev_name=%s,fd_dev_size=1048576", file);
	set(n, "", "control", text);
	/* rtslib's way of write_back. */
	set(n, "attrib", "emulate_write_cache", "1");
	set(n, "", "control", "fd_buffered_io=1");
	set(n, "", "udev_path", file);
	set(n, "attrib", "block_size", "4096");
	set(n, "", "enable", "1");
	is(n, "", "udev_path", file);
	is(n, "attrib", "block_size", "4096");
	is(n, "attrib", "emulate_write_cache", "1");
	is(n, "attrib", "hw_max_sectors", "2048");
	snprintf(text, sizeof(text),
		"Status: DEACTIVATED  Max Queue Depth: 0  SectorSize: 4096  HwMaxSectors: 2048\n"
		"        TCM FILEIO ID: 0        File: %s  Size: 1048576  Mode: Buffered-WCE "
		"Async: 0",
		file);
	is(n, "", "info", text);
	refuse(n, "attrib", "emulate_write_cache", "0", -EINVAL);
}

/* Without write_back every write is durable, and WCE says so. */
static void fileio_write_through(void **state)
{
	struct node *n = make("fileio_0", "f0");
	char text[400];

	snprintf(text, sizeof(text), "fd_dev_name=%s,fd_dev_size=1048576", file);
	set(n, "", "control", text);
	/* The last word counts. */
	set(n, "attrib", "emulate_write_cache", "1");
	set(n, "attrib", "emulate_write_cache", "0");
	set(n, "", "enable", "1");
	is(n, "attrib", "emulate_write_cache", "0");
	refuse(n, "attrib", "emulate_write_cache", "1", -EINVAL);
	set(n, "attrib", "emulate_write_cache", "0");
}

static void not_a_block_device(void **state)
{
	struct node *n = make("iblock_0", "b0");
	char text[400];
	int fd = open(file, O_CREAT | O_WRONLY, 0600);

	close(fd);
	snprintf(text, sizeof(text), "udev_path=%s,readonly=1", file);
	set(n, "", "control", text);
	refuse(n, "", "enable", "1", -ENOTBLK);
	set(n, "", "control", "udev_path=/dev/ulio-none-such");
	refuse(n, "", "enable", "1", -ENOENT);
}

static void user(void **state)
{
	struct node *n = make("user_0", "u0");
	struct lu *lu;

	set(n, "", "control", "dev_config=delay/ms=0,op=read|null/block=4096,dev_size=1048576");
	set(n, "", "control", "hw_max_sectors=128");
	set(n, "", "enable", "1");
	lu = engine_find_lu(eng, "u0");
	assert_string_equal(backstore_kind_name(lu->bs), "delay");
	assert_string_equal(backstore_kind_name(backstore_below(lu->bs)), "null");
	is(n, "attrib", "block_size", "4096");
	is(n, "", "info",
		"Status: DEACTIVATED  Max Queue Depth: 0  SectorSize: 4096  HwMaxSectors: "
		"128\n        Config: delay/ms=0,op=read|null/block=4096 Size: 1048576 "
		"MaxDataAreaMB: 1024 DataPagesPerBlk: 1 CmdRingSizeMB: 8");
}

/* What LIO has of disks that a program in user space serves. */
static void user_attributes(void **state)
{
	static const struct {
		const char *sub, *name, *value;
		int ret;
	} cases[] = {
		{ "", "control", "hw_block_size=1000", -EINVAL },
		{ "", "control", "hw_max_sectors=0", -EINVAL },
		{ "", "control", "max_data_area_mb=0", -EINVAL },
		{ "", "control", "nl_reply_supported=128", -EINVAL },
		{ "", "control", "hw_block_size=1024,max_data_area_mb=32,cmd_ring_size_mb=4", 0 },
		{ "action", "reset_ring", "1", -ENODEV },
		{ "attrib", "dev_config", "", -EINVAL },
		{ "attrib", "dev_config", "ram", 0 },
		{ "attrib", "dev_size", "1048576", 0 },
		{ "", "enable", "1", 0 },
		{ "", "control", "dev_size=1", -EINVAL },
		{ "action", "reset_ring", "3", -EINVAL },
		{ "action", "reset_ring", "1", -ENOSYS },
		{ "action", "free_kept_buf", "0", -ENOSYS },
		{ "action", "block_dev", "0", 0 },
		{ "action", "block_dev", "1", -ENOSYS },
		{ "action", "block_dev", "2", -EINVAL },
		{ "attrib", "dev_config", "ram", 0 },
		{ "attrib", "dev_config", "null", -EINVAL },
		{ "attrib", "dev_size", "1048576", 0 },
		{ "attrib", "dev_size", "0", -EINVAL },
		{ "attrib", "dev_size", "524288", -EINVAL },
		{ "attrib", "dev_size", "2097152", 0 },
		{ "attrib", "cmd_time_out", "0", 0 },
		{ "attrib", "qfull_time_out", "-2", -EINVAL },
		{ "attrib", "qfull_time_out", "5", 0 },
		{ "attrib", "tmr_notification", "2", -EINVAL },
		{ "attrib", "nl_reply_supported", "-1", 0 },
		{ "attrib", "max_data_area_mb", "8", -EACCES },
	};
	struct node *n = make("user_0", "u0");

	is(n, "attrib", "max_data_area_mb", "1024");
	is(n, "attrib", "cmd_time_out", "30");
	is(n, "attrib", "qfull_time_out", "-1");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].ret)
			refuse(n, cases[i].sub, cases[i].name, cases[i].value, cases[i].ret);
		else
			set(n, cases[i].sub, cases[i].name, cases[i].value);
	}
	is(n, "attrib", "block_size", "1024");
	is(n, "attrib", "dev_size", "2097152");
	is(n, "attrib", "dev_config", "ram");
	is(n, "attrib", "qfull_time_out", "5");
	is(n, "", "info",
		"Status: DEACTIVATED  Max Queue Depth: 0  SectorSize: 1024  HwMaxSectors: "
		"8192\n        Config: ram Size: 2097152 MaxDataAreaMB: 32 DataPagesPerBlk: 1 "
		"CmdRingSizeMB: 4");
	engine_find_lu(eng, "u0")->exports++;
	refuse(n, "attrib", "cmd_time_out", "1", -EINVAL);
	engine_find_lu(eng, "u0")->exports--;
}

static void statistics(void **state)
{
	struct node *n = make("rd_mcp_0", "r0"), *other;
	struct node *st = node_child(n, "statistics");
	struct errmsg err = { 0 };

	set(n, "", "control", "rd_pages=16");
	set(n, "", "enable", "1");
	assert_int_equal(tree_mkdir(t, st, "x", &other, &err), -ENOSYS);
	st = node_child(st, "scsi_lu");
	is(st, "", "lu_name", "None");
	is(st, "", "vend", "LIO-ORG ");
	is(st, "", "prod", "RAMDISK-MCP     ");
	is(st, "", "rev", "4.0 ");
	is(st, "", "status", "notavailable");
	is(st, "", "inst", "2");
	is(st, "", "dev", "1");
	st = node_child(node_child(n, "statistics"), "scsi_tgt_dev");
	is(st, "", "status", "deactivated");
	is(st, "", "non_access_lus", "1");
	engine_find_lu(eng, "r0")->exports++;
	is(st, "", "status", "activated");
	is(st, "", "non_access_lus", "0");
	st = node_child(node_child(n, "statistics"), "scsi_lu");
	is(st, "", "status", "available");
	engine_find_lu(eng, "r0")->exports--;
	/* Of a second device of the HBA, and of one of a second HBA. */
	st = node_child(node_child(make("rd_mcp_0", "r1"), "statistics"), "scsi_dev");
	is(st, "", "inst", "2");
	is(st, "", "indx", "2");
	st = node_child(node_child(make("fileio_0", "f"), "statistics"), "scsi_dev");
	is(st, "", "inst", "3");
	is(st, "", "indx", "3");
}

/* Values that LIO's files have are accepted; what cannot be is refused with LIO's errno. */
static void attributes(void **state)
{
	static const struct {
		const char *name, *value;
		int ret;
	} cases[] = {
		{ "alua_support", "1", 0 },
		{ "alua_support", "0", -ENOSYS },
		{ "block_size", "1024", 0 },
		{ "block_size", "513", -EINVAL },
		{ "block_size", "8192", -EINVAL },
		{ "emulate_dpo", "0", 0 },
		{ "emulate_rest_reord", "1", -ENOSYS },
		{ "emulate_tpu", "1", 0 },
		{ "emulate_tpu", "2", -EINVAL },
		{ "emulate_ua_intlck_ctrl", "3", -EINVAL },
		{ "emulate_write_cache", "1", -EINVAL },
		{ "max_unmap_lba_count", "4194303", 0 },
		{ "max_unmap_lba_count", "4294967296", -ERANGE },
		{ "optimal_sectors", "4294967288", 0 },
		{ "pi_prot_format", "0", 0 },
		{ "pi_prot_type", "1", -ENOSYS },
		{ "pi_prot_verify", "1", 0 },
		{ "queue_depth", "129", -EINVAL },
		{ "queue_depth", "64", 0 },
		{ "queue_depth", "0", -EINVAL },
	};
	struct node *n = make("rd_mcp_0", "r0");
	const struct attr *a;
	struct strbuf b;

	set(n, "", "control", "rd_pages=16");
	set(n, "attrib", "emulate_caw", "0");
	set(n, "", "enable", "1");
	is(n, "attrib", "emulate_caw", "0");
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (cases[i].ret)
			refuse(n, "attrib", cases[i].name, cases[i].value, cases[i].ret);
		else
			set(n, "attrib", cases[i].name, cases[i].value);
	}
	is(n, "attrib", "emulate_dpo", "1");
	is(n, "attrib", "block_size", "1024");

	/* What is shown can be written back, all of it. */
	strbuf_init(&b);
	attr_for_each (a, node_type(node_child(n, "attrib"))->attrs) {
		strbuf_reset(&b);
		assert_int_equal(tree_get(t, node_child(n, "attrib"), a->name, &b, NULL), 0);
		if (a->set)
			set(n, "attrib", a->name, b.s);
	}
	strbuf_done(&b);

	/* What is on the wire does not change below a LUN. */
	engine_find_lu(eng, "r0")->exports++;
	refuse(n, "attrib", "block_size", "512", -EINVAL);
	refuse(n, "wwn", "vpd_unit_serial", "x", -EINVAL);
	set(n, "attrib", "emulate_tpu", "0");
	engine_find_lu(eng, "r0")->exports--;
}

static void identity(void **state)
{
	struct node *n = make("rd_mcp_0", "a-name-of-more-than-15-characters");

	set(n, "", "control", "rd_pages=16");
	set(n, "", "enable", "1");
	is(n, "wwn", "vpd_unit_serial", "T10 VPD Unit Serial Number: ");
	set(n, "wwn", "vpd_unit_serial", " 85971102-be4b-4142-897c-f467bba3264e\n");
	is(n, "wwn", "vpd_unit_serial",
		"T10 VPD Unit Serial Number: 85971102-be4b-4142-897c-f467bba3264e");
	is(n, "wwn", "company_id", "0x001405");
	set(n, "wwn", "company_id", "0xabcdef");
	refuse(n, "wwn", "company_id", "0x1000000", -EOVERFLOW);
	refuse(n, "wwn", "vendor_id", "NINECHARS", -EOVERFLOW);
	refuse(n, "wwn", "revision", "\x01", -EINVAL);
	set(n, "wwn", "vendor_id", "  ACME  ");
	is(n, "wwn", "vendor_id", "ACME");
	set(n, "attrib", "emulate_model_alias", "1");
	is(n, "wwn", "product_id", "a-name-of-more-");
	/* Two of one name are told apart by their HBA, but not to initiators. */
	n = make("fileio_0", "r");
	n = make("rd_mcp_0", "r");
	set(n, "attrib", "emulate_model_alias", "1");
	is(n, "wwn", "product_id", "r");
}

/* A disk that comes later. */
static void pending(void **state)
{
	struct node *n = make("fileio_0", "f0");
	struct lu *lu = NULL;
	struct errmsg err = { 0 };
	char text[400];
	int fd;

	snprintf(text, sizeof(text), "fd_dev_name=%s", file);
	set(n, "", "control", text);
	refuse(n, "", "enable", "1", -ENOENT);
	assert_false(storage_is_pending(n));
	assert_int_equal(storage_set_pending(n, &err), 0);
	assert_true(storage_is_pending(n));
	set(n, "attrib", "emulate_caw", "0");
	/* What the disk takes is not known yet; LIO's files have what theirs did. */
	set(n, "attrib", "queue_depth", "256");
	set(n, "attrib", "optimal_sectors", "4294967288");
	refuse(n, "attrib", "queue_depth", "0", -EINVAL);
	set(n, "wwn", "vpd_unit_serial", "serial");
	assert_int_equal(storage_lu(n, &lu, &err), 0);
	is(n, "", "state", "pending");
	assert_int_equal(storage_retry(n, &err), -ENOENT);
	fd = open(file, O_CREAT | O_WRONLY, 0600);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	close(fd);
	if (storage_retry(n, &err))
		fail_msg("%s", err.text);
	assert_false(storage_is_pending(n));
	is(n, "", "state", "ready");
	is(n, "", "enable", "1");
	is(n, "attrib", "emulate_caw", "0");
	is(n, "attrib", "queue_depth", "128");
	is(n, "attrib", "optimal_sectors", "16384");
	refuse(n, "attrib", "queue_depth", "129", -EINVAL);
	is(n, "wwn", "vpd_unit_serial", "T10 VPD Unit Serial Number: serial");
	assert_int_equal(storage_retry(n, &err), 0);
}

static void resize(void **state)
{
	struct node *n = make("fileio_0", "f0");
	struct errmsg err = { 0 };
	struct lu_conf conf;
	char text[400];

	snprintf(text, sizeof(text), "fd_dev_name=%s,fd_dev_size=1048576", file);
	set(n, "", "control", text);
	assert_int_equal(storage_resize(n, 2 << 20, false, &err), -ENODEV);
	set(n, "", "enable", "1");
	assert_int_equal(storage_resize(n, 2 << 20, false, &err), 0);
	lu_get_conf(engine_find_lu(eng, "f0"), &conf);
	assert_int_equal(conf.nblocks, 4096);
	assert_int_equal(storage_resize(n, 1 << 20, false, &err), -EINVAL);
	assert_int_equal(storage_resize(n, 1 << 20, true, &err), 0);
}

#define with_core(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_core(hbas),
		with_core(ramdisk),
		with_core(nullio),
		with_core(fileio),
		with_core(fileio_write_through),
		with_core(not_a_block_device),
		with_core(user),
		with_core(user_attributes),
		with_core(statistics),
		with_core(attributes),
		with_core(identity),
		with_core(pending),
		with_core(resize),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
