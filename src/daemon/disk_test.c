/* SPDX-License-Identifier: BSD-3-Clause */
/* disk_test.c: one line makes a storage object: which HBA, which words, which serial number. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "backstore/builtin.h"
#include "block/backstore.h"
#include "daemon/disk.h"
#include "engine/engine.h"
#include "engine/lu.h"
#include "engine/storage.h"

static struct loops *loops;
static struct backstore_registry *reg;
static struct engine *eng;
static struct storage_core *core;
static struct tree *t;
static char dir[] = "/tmp/ulio-disk-XXXXXX", file[64];

static void *core_obj(void *root)
{
	return core;
}

static const struct node_default root_defaults[] = {
	{ "core", &storage_core_type, core_obj },
	{ NULL },
};
static const struct node_type root_type = { .name = "root", .defaults = root_defaults };

static int setup(void **state)
{
	const struct loops_config cfg = { .kind = LOOP_AUTO, .nloops = 1 };
	struct errmsg err = { 0 };

	assert_non_null(mkdtemp(dir));
	snprintf(file, sizeof(file), "%s/disk", dir);
	if (loops_new(&cfg, &loops, &err))
		fail_msg("%s", err.text);
	reg = backstore_registry_new(loops);
	assert_int_equal(backstores_register(reg), 0);
	eng = engine_new(loops);
	core = storage_core_new(eng, reg);
	return tree_new(&root_type, NULL, &t);
}

static int teardown(void **state)
{
	assert_int_equal(tree_clear(t, tree_root(t), NULL), 0);
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

static struct node *add(const char *name, const char *spec)
{
	struct errmsg err = { 0 };
	struct node *n = NULL;

	if (disk_add(t, name, spec, NULL, &n, &err))
		fail_msg("%s: %s", spec, err.text);
	return n;
}

static void refuse(const char *spec, int want, const char *text)
{
	struct errmsg err = { 0 };
	int r = disk_add(t, "x", spec, NULL, NULL, &err);

	if (r != want || !strstr(err.text, text))
		fail_msg("%s: %d %s", spec, r, err.text);
	assert_null(engine_find_lu(eng, "x"));
}

static void is(struct node *n, const char *attr, const char *want)
{
	struct strbuf b;

	strbuf_init(&b);
	assert_int_equal(tree_get(t, n, attr, &b, NULL), 0);
	if (!strstr(b.s, want))
		fail_msg("%s = %s", attr, b.s);
	strbuf_done(&b);
}

static void lines(void **state)
{
	struct errmsg err = { 0 };
	struct node *n;
	char spec[128];

	n = add("a", "ram:1M");
	assert_string_equal(node_name(node_parent(n)), "rd_mcp_0");
	is(n, "info", "PAGES/PAGE_SIZE: 256*4096");
	snprintf(spec, sizeof(spec), "file:%s,size=2M,direct=no", file);
	n = add("b", spec);
	assert_string_equal(node_name(node_parent(n)), "fileio_1");
	is(n, "info", "Size: 2097152  Mode: Buffered-WCE");
	is(n, "settings", "direct=no");
	is(n, "udev_path", file);
	n = add("c", "null:1T");
	assert_string_equal(node_name(node_parent(n)), "user_2");
	is(n, "info", "Config: null/1T Size: 1099511627776 ");
	n = add("d", "delay:ms=0,op=read|ram:1M");
	is(n, "info", "Config: delay/ms=0,op=read|ram/1M ");
	n = add("e", "ram:size=1M,block=4096");
	is(node_child(n, "attrib"), "block_size", "4096");

	/* Found by name, by HBA where that is needed. */
	assert_ptr_equal(disk_find(t, "e", &err), n);
	add("f", "ram:1M");
	n = add("f", "null:1M");
	assert_null(disk_find(t, "f", &err));
	assert_int_equal(err.code, -EINVAL);
	assert_ptr_equal(disk_find(t, "user/f", &err), n);
	assert_null(disk_find(t, "g", &err));
	assert_int_equal(err.code, -ENOENT);
	assert_int_equal(disk_remove(t, n, &err), 0);
	assert_ptr_equal(node_parent(disk_find(t, "f", &err)), tree_lookup(t, "/core/rd_mcp_5"));
}

static void write_through_and_read_only(void **state)
{
	struct node *n;
	char spec[128];

	snprintf(spec, sizeof(spec), "file:%s,size=2M,sync=yes", file);
	n = add("a", spec);
	is(n, "info", "Mode: O_DSYNC");
	assert_int_equal(disk_remove(t, n, NULL), 0);
	snprintf(spec, sizeof(spec), "file:%s,readonly=yes", file);
	n = add("a", spec);
	is(n, "settings", "readonly=yes");
}

static void refusals(void **state)
{
	refuse("", -EINVAL, "is meant");
	refuse("ram", -EINVAL, "size");
	refuse("ram:", -EINVAL, "how large?");
	refuse("ram:1000", -EINVAL, "multiples of 4096");
	refuse("ram:1Z", -EINVAL, "size=1Z");
	refuse("file:", -EINVAL, "which file?");
	refuse("file:/a,size=x", -EINVAL, "size=x");
	refuse("file:/ulio/no/such/file", -ENOENT, "/ulio/no/such/file");
	refuse("file:/a,colour=red", -EINVAL, "colour");
	refuse("zfs:/a", -ENODEV, "zfs");
}

static void serials(void **state)
{
	char a[DISK_UUID_CHARS], b[DISK_UUID_CHARS];

	assert_string_equal(disk_uuid_of(a, "x"), disk_uuid_of(b, "x"));
	assert_string_not_equal(disk_uuid_of(a, "x"), disk_uuid_of(b, "y"));
	assert_string_not_equal(disk_uuid_random(a), disk_uuid_random(b));
	assert_int_equal(strlen(a), 36);
	assert_int_equal(a[14], '4');
	assert_int_equal(disk_uuid_of(a, "x")[14], '8');
	assert_non_null(strchr("89ab", a[19]));
}

#define with_core(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_core(lines),
		with_core(write_through_and_read_only),
		with_core(refusals),
		cmocka_unit_test(serials),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
