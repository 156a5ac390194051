/* SPDX-License-Identifier: BSD-3-Clause */
/* view_test.c: paths of the view, verbs at them, and completion from the tables alone. */
#include "cli/view.h"

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "cli/complete.h"
#include "cli/verb.h"

static struct cli cli = { .control = "/nonexistent/ulio.sock", .cwd = { VIEW_ROOT, "/" } };

static void resolves(void **state)
{
	static const struct {
		const char *cwd, *text, *path;
		enum view_kind kind;
	} rows[] = {
		{ "/", "", "/", VIEW_ROOT },
		{ "/", "..", "/", VIEW_ROOT },
		{ "/", "backstores", "/backstores", VIEW_BACKSTORES },
		{ "/", "backstores//fileio/", "/backstores/fileio", VIEW_PLUGIN },
		{ "/backstores", "user:rbd", "/backstores/user:rbd", VIEW_PLUGIN },
		{ "/backstores", "fileio:x", "/backstores/fileio:x", VIEW_RAW },
		{ "/backstores", "tape", "/backstores/tape", VIEW_RAW },
		{ "/backstores/block", "d", "/backstores/block/d", VIEW_STORAGE },
		{ "/backstores/block/d", "alua/g", "/backstores/block/d/alua/g", VIEW_GROUP },
		{ "/iscsi", "iqn.x", "/iscsi/iqn.x", VIEW_TARGET },
		{ "/iscsi/iqn.x", "tpg1", "/iscsi/iqn.x/tpg1", VIEW_TPG },
		{ "/iscsi/iqn.x", "tpgt_1", "/iscsi/iqn.x/tpgt_1", VIEW_RAW },
		{ "/iscsi/iqn.x", "tpg01", "/iscsi/iqn.x/tpg01", VIEW_RAW },
		{ "/iscsi/iqn.x/tpg1", "acls/iqn.y/mapped_lun0",
			"/iscsi/iqn.x/tpg1/acls/iqn.y/mapped_lun0", VIEW_MAPPED },
		{ "/iscsi/iqn.x/tpg1/acls", "../luns/lun7/", "/iscsi/iqn.x/tpg1/luns/lun7",
			VIEW_LUN },
		{ "/iscsi/iqn.x/tpg1/luns", "../portals/./[::1]:3260",
			"/iscsi/iqn.x/tpg1/portals/[::1]:3260", VIEW_PORTAL },
		{ "/iscsi/iqn.x/tpg1/luns", "/core", "/core", VIEW_RAW },
		{ "/iscsi/iqn.x", "../../../..", "/", VIEW_ROOT },
	};
	struct errmsg err = { 0 };

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct view_path cwd, p;

		assert_int_equal(view_resolve(NULL, rows[i].cwd, &cwd, &err), 0);
		assert_int_equal(view_resolve(&cwd, rows[i].text, &p, &err), 0);
		assert_string_equal(p.text, rows[i].path);
		assert_int_equal(p.kind, rows[i].kind);
	}
}

static void limits(void **state)
{
	char name[VIEW_NAME_CHARS + 1], path[VIEW_PATH_CHARS + 8];
	struct errmsg err = { 0 };
	struct view_path p, child;

	memset(name, 'a', sizeof(name) - 1);
	name[VIEW_NAME_CHARS] = '\0';
	assert_int_equal(view_resolve(NULL, name, &p, &err), -ENAMETOOLONG);
	name[VIEW_NAME_CHARS - 1] = '\0';
	assert_int_equal(view_resolve(NULL, name, &p, &err), 0);
	memset(path, 'b', sizeof(path) - 1);
	path[sizeof(path) - 1] = '\0';
	for (size_t i = 0; i < sizeof(path) - 1; i += 100)
		path[i] = '/';
	assert_int_equal(view_resolve(NULL, path, &p, &err), -ENAMETOOLONG);
	path[VIEW_PATH_CHARS - 1] = '\0';
	assert_int_equal(view_resolve(NULL, path, &p, &err), 0);
	assert_int_equal(view_child(&p, "x", &child, &err), -ENAMETOOLONG);
}

static void upward(void **state)
{
	struct errmsg err = { 0 };
	struct view_path p, up;

	assert_int_equal(view_resolve(NULL, "/iscsi/iqn.x/tpg3/acls/iqn.y", &p, &err), 0);
	assert_true(view_up(&p, VIEW_TPG, &up));
	assert_string_equal(view_name(&up), "tpg3");
	assert_true(view_up(&p, VIEW_ROOT, &up));
	assert_string_equal(view_name(&up), "/");
	assert_false(view_up(&p, VIEW_STORAGE, &up));
	assert_string_equal(view_plugin_of_hba("/core/iblock_3/x")->name, "block");
	assert_string_equal(view_plugin_of_hba("rd_mcp_0")->name, "ramdisk");
	assert_null(view_plugin_of_hba("alua"));
	assert_null(view_plugin_of_hba("fileiox_0"));
}

static const struct verb *verb(const char *path, const char *name)
{
	struct errmsg err = { 0 };
	struct view_path p;

	assert_int_equal(view_resolve(NULL, path, &p, &err), 0);
	return verb_find(&p, name);
}

static void verbs(void **state)
{
	assert_non_null(verb("/", "ls"));
	assert_null(verb("/", "create"));
	assert_null(verb("/", "status"));
	assert_string_equal(verb("/backstores/block", "create")->params[1].name, "dev");
	assert_string_equal(verb("/backstores/user:x", "create")->params[2].name, "cfgstring");
	assert_non_null(verb("/iscsi/iqn.x/tpg1", "disable"));
	assert_null(verb("/iscsi/iqn.x", "disable"));
	assert_null(verb("/core", "create"));
}

/* Words for the end of a line, joined by blanks. */
static void completes(const char *line, const char *want)
{
	char got[4096] = "";
	struct complete c;

	complete_line(&cli, line, &c);
	for (size_t i = 0; i < c.n; i++) {
		strcat(got, i ? " " : "");
		strcat(got, c.v[i]);
	}
	assert_string_equal(got, want);
	complete_done(&c);
}

static void completion(void **state)
{
	completes("pw", "pwd");
	completes("/b", "/backstores/");
	completes("ba", "backstores/");
	completes("/backstores/f", "/backstores/fileio/");
	completes("cd /backstores/r", "/backstores/ramdisk/");
	completes("/backstores/fileio cr", "create");
	completes("/backstores/fileio create x /dev/nul", "/dev/null");
	completes("/backstores/fileio create x y wr", "write_back=");
	completes("/backstores/fileio create x y write_back=", "write_back=false write_back=true");
	completes("/iscsi/iqn.x/tpg1 set a", "attribute auth");
	completes("set glob", "global");
	completes("set global auto_c", "auto_cd_after_create=");
	completes("set global auto_cd_after_create=f", "auto_cd_after_create=false");
	completes("get global export", "export_backstore_name_as_model");
	completes("disk re", "remove resize");
	completes("disk resize x --f", "--force");
	completes("nonsense x", "");
}

static void hints(void **state)
{
	struct complete c;

	complete_line(&cli, "/iscsi create ", &c);
	assert_int_equal(c.n, 0);
	assert_non_null(strstr(c.hint, "wwn: "));
	complete_done(&c);
	complete_line(&cli, "/backstores/fileio create ", &c);
	assert_non_null(strstr(c.hint, "name: "));
	complete_done(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resolves),
		cmocka_unit_test(limits),
		cmocka_unit_test(upward),
		cmocka_unit_test(verbs),
		cmocka_unit_test(completion),
		cmocka_unit_test(hints),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
