/* SPDX-License-Identifier: BSD-3-Clause */
/* storage.c: see storage.h. */
#include "cli/storage.h"

#include <errno.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>

#include "base/num.h"
#include "cli/verb.h"

enum { HBA_TRIES = 16 };

/* ---- directories ----------------------------------------------------------------------------- */

int tree_mkdir_at(struct cli *cli, const char *dir, const char *name)
{
	char path[VIEW_PATH_CHARS + VIEW_NAME_CHARS];

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	return cli_do(cli, "mkdir", json_pack("{s:s}", "path", path));
}

/* Whether a directory was made by somebody, not with its parent. */
static json_t *look(struct cli *cli, const char *path, bool *ret_made)
{
	json_t *at = cli_ask(cli, "ls", json_pack("{s:s}", "path", path));

	*ret_made = at && !json_is_true(json_object_get(at, "default"));
	return at;
}

/* Default groups in which nothing is made: there is no need to look. */
static bool is_closed(const char *dir)
{
	static const char *const names[] = { "statistics", "fabric_statistics", "attrib", "param",
		"wwn", "pr", "action" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (!strcmp(names[i], dir))
			return true;
	}
	return false;
}

/* Everything that users made below, links first, the youngest directory first. */
static int clear(struct cli *cli, const char *path, const json_t *at)
{
	json_t *dirs = json_object_get(at, "dirs"), *v;
	const char *name;
	int status = 0;

	json_object_foreach (json_object_get(at, "links"), name, v) {
		char link[VIEW_PATH_CHARS + VIEW_NAME_CHARS];

		snprintf(link, sizeof(link), "%s/%s", path, name);
		status = status ? status : cli_do(cli, "unlink", json_pack("{s:s}", "path", link));
	}
	for (size_t i = json_array_size(dirs); i-- && !status;) {
		const char *dir = json_string_value(json_array_get(dirs, i));
		char below[VIEW_PATH_CHARS];
		json_t *sub;
		bool made;

		if (is_closed(dir))
			continue;
		snprintf(below, sizeof(below), "%s/%s", path, dir);
		sub = look(cli, below, &made);
		status = sub ? clear(cli, below, sub) : CLI_FAILED;
		if (!status && made)
			status = cli_do(cli, "rmdir", json_pack("{s:s}", "path", below));
		json_decref(sub);
	}
	return status;
}

int tree_remove(struct cli *cli, const char *path)
{
	bool made;
	json_t *at = look(cli, path, &made);
	int status = at ? clear(cli, path, at) : CLI_FAILED;

	json_decref(at);
	return status ? status : cli_do(cli, "rmdir", json_pack("{s:s}", "path", path));
}

/* ---- making ---------------------------------------------------------------------------------- */

const char *storage_new_uuid(char buf[STORAGE_UUID_CHARS])
{
	uint8_t b[16];

	if (getrandom(b, sizeof(b), 0) != sizeof(b))
		abort(); /* cannot happen: 16 bytes are never short */
	b[6] = (uint8_t)((b[6] & 0x0f) | 0x40);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(buf, STORAGE_UUID_CHARS,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		b[15]);
	return buf;
}

/* The first index above all that HBAs of any plugin have. */
static int free_index(struct cli *cli, uint64_t *ret)
{
	json_t *core = cli_ask(cli, "dump",
		json_pack("{s:s, s:i, s:s}", "path", "/core", "depth", 0, "names", ""));
	const char *name;
	json_t *v;
	int status = core ? 0 : CLI_FAILED;

	*ret = 0;
	json_object_foreach (json_object_get(core, "dirs"), name, v) {
		const char *index = strrchr(name, '_');
		uint64_t n;

		if (index && !num_parse_u64(index + 1, 0, UINT32_MAX, &n) && n >= *ret)
			*ret = n + 1;
	}
	json_decref(core);
	return status;
}

/* An HBA of its own; somebody else may be quicker with the same index. */
static int make_hba(struct cli *cli, const char *hba, char path[STORAGE_DIR_CHARS])
{
	struct errmsg err = { 0 };
	uint64_t index;

	if (free_index(cli, &index))
		return CLI_FAILED;
	for (int i = 0; i < HBA_TRIES; i++) {
		json_t *made;

		snprintf(path, STORAGE_DIR_CHARS, "/core/%s_%" PRIu64, hba, index + (uint64_t)i);
		made = cli_call(cli, "mkdir", json_pack("{s:s}", "path", path), &err);
		json_decref(made);
		if (made)
			return 0;
		if (!strstr(err.text, "there is one already"))
			break;
	}
	return cli_fail(cli, CLI_FAILED, "%s", err.text);
}

static int fill(struct cli *cli, const struct storage_new *s, const char *dir)
{
	char sub[STORAGE_DIR_CHARS + 16], uuid[STORAGE_UUID_CHARS];
	int status = cli_set(cli, dir, "control", s->control);

	snprintf(sub, sizeof(sub), "%s/attrib", dir);
	if (!status && s->write_cache)
		status = cli_set(cli, sub, "emulate_write_cache", "1");
	if (!status && s->udev_path)
		status = cli_set(cli, dir, "udev_path", s->udev_path);
	if (!status)
		status = cli_set(cli, dir, "enable", "1");
	if (!status && cli->prefs.export_backstore_name_as_model)
		status = cli_set(cli, sub, "emulate_model_alias", "1");
	snprintf(sub, sizeof(sub), "%s/wwn", dir);
	if (!status)
		status = cli_set(cli, sub, "vpd_unit_serial",
			s->serial ? s->serial : storage_new_uuid(uuid));
	return status;
}

/* No two of one plugin have one name: paths of the view would be ambiguous. */
static int check_name(struct cli *cli, const struct storage_new *s)
{
	char full[2 * VIEW_NAME_CHARS];
	struct errmsg err = { 0 };
	json_t *rows;
	bool there;

	if (!*s->name || strpbrk(s->name, "/ \t\n"))
		return cli_fail(cli, CLI_USAGE,
			"name \"%s\": a name without blanks and slashes is meant", s->name);
	snprintf(full, sizeof(full), "%s/%.200s", s->hba, s->name);
	rows = cli_call(cli, "disk.list", json_pack("{s:s}", "name", full), &err);
	there = rows != NULL;
	json_decref(rows);
	if (there)
		return cli_fail(
			cli, CLI_FAILED, "%s: there is such a storage object already", s->name);
	return 0;
}

int storage_make(struct cli *cli, const struct storage_new *s, char dir[STORAGE_DIR_CHARS])
{
	char hba[STORAGE_DIR_CHARS];
	struct errmsg err;
	int status = check_name(cli, s);

	if (!status)
		status = make_hba(cli, s->hba, hba);
	if (status)
		return status;
	snprintf(dir, STORAGE_DIR_CHARS, "%.300s/%.300s", hba, s->name);
	status = cli_do(cli, "mkdir", json_pack("{s:s}", "path", dir));
	if (!status) {
		status = fill(cli, s, dir);
		if (status)
			json_decref(cli_call(cli, "rmdir", json_pack("{s:s}", "path", dir), &err));
	}
	if (status)
		json_decref(cli_call(cli, "rmdir", json_pack("{s:s}", "path", hba), &err));
	return status;
}

int storage_not_in_use(struct cli *cli, const char *path)
{
	json_t *rows = cli_ask(cli, "disk.list", NULL), *row;
	int status = rows ? 0 : CLI_FAILED;
	struct stat a, b;
	size_t i;

	json_array_foreach (rows, i, row) {
		const char *other = json_string_value(json_object_get(row, "path"));

		if (!status && *other && !stat(path, &a) && !stat(other, &b) &&
			a.st_dev == b.st_dev && a.st_ino == b.st_ino)
			status = cli_fail(cli, CLI_FAILED,
				"%s: the storage object %s has it already", path,
				json_string_value(json_object_get(row, "name")));
	}
	json_decref(rows);
	return status;
}

int storage_check_path(struct cli *cli, const char *path)
{
	if (strpbrk(path, ",\n"))
		return cli_fail(cli, CLI_USAGE,
			"%s: LIO's words have no way to name a path with a comma", path);
	return 0;
}

int storage_make_of_path(struct cli *cli, const char *path, char dir[STORAGE_DIR_CHARS])
{
	char full[4096], control[4200], copy[4096];
	struct stat st;
	bool block;
	int status;

	if (!realpath(path, full) || stat(full, &st))
		return cli_fail(cli, CLI_USAGE,
			"%s: is no storage object, and no file or device: %s", path,
			err_text(-errno));
	block = S_ISBLK(st.st_mode);
	if (!block && !S_ISREG(st.st_mode))
		return cli_fail(cli, CLI_USAGE, "%s: is no file and no block device", path);
	status = storage_check_path(cli, full);
	if (!status)
		status = storage_not_in_use(cli, full);
	if (status)
		return status;
	if (block)
		snprintf(control, sizeof(control), "udev_path=%s", full);
	else
		snprintf(control, sizeof(control),
			"fd_dev_name=%s,fd_dev_size=%" PRIu64 ",fd_buffered_io=1", full,
			(uint64_t)st.st_size);
	strcpy(copy, full);
	return storage_make(cli,
		&(struct storage_new){ .hba = block ? "iblock" : "fileio",
			.name = basename(copy),
			.control = control,
			.udev_path = full,
			.write_cache = !block },
		dir);
}

/* ---- removing -------------------------------------------------------------------------------- */

int storage_remove(struct cli *cli, const char *dir)
{
	const char *name = dir + strlen("/core/");
	json_t *luns = cli_ask(cli, "lun.list", NULL), *l;
	int status = luns ? 0 : CLI_FAILED;
	size_t i;

	json_array_foreach (luns, i, l) {
		const char *at = json_string_value(json_object_get(l, "dir"));

		if (status || !at || strcmp(at, dir) != 0)
			continue;
		status = cli_do(cli, "lun.remove",
			json_pack("{s:O, s:O, s:O}", "lun", json_object_get(l, "lun"), "target",
				json_object_get(l, "target"), "tpg", json_object_get(l, "tpg")));
		if (!status)
			cli_say(cli, "Deleted LUN %" JSON_INTEGER_FORMAT " of %s.",
				json_integer_value(json_object_get(l, "lun")),
				json_string_value(json_object_get(l, "target")));
	}
	json_decref(luns);
	return status ? status : cli_do(cli, "disk.remove", json_pack("{s:s}", "name", name));
}
