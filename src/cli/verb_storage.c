/* SPDX-License-Identifier: BSD-3-Clause */
/* verb_storage.c: create and delete of storage objects and of their ALUA groups. */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/num.h"
#include "cli/storage.h"
#include "cli/verb.h"

enum { PATH_CHARS = 4096, CONTROL_CHARS = 6000 };

/* ---- create ---------------------------------------------------------------------------------- */

/* "~/x" and what is relative are the user's, not the daemon's. */
static int absolute(struct verb_call *c, const char *path, char buf[PATH_CHARS])
{
	const char *home = getenv("HOME");
	char cwd[PATH_CHARS / 2];
	int n;

	if (path[0] == '/')
		n = snprintf(buf, PATH_CHARS, "%s", path);
	else if (!strncmp(path, "~/", 2) && home)
		n = snprintf(buf, PATH_CHARS, "%s/%s", home, path + 2);
	else if (getcwd(cwd, sizeof(cwd)))
		n = snprintf(buf, PATH_CHARS, "%s/%s", cwd, path);
	else
		return cli_fail(c->cli, CLI_FAILED, "%s: %s", path, err_text(-errno));
	if (n < 0 || n >= PATH_CHARS)
		return cli_fail(c->cli, CLI_USAGE, "%.64s…: the path is too long", path);
	return storage_check_path(c->cli, buf);
}

static int size_of(struct verb_call *c, uint64_t *ret)
{
	const char *size = verb_arg(c, "size");

	if (num_parse_size(size, ret) || !*ret)
		return cli_fail(
			c->cli, CLI_USAGE, "size %s: a size such as 512M or 10G is meant", size);
	return 0;
}

/* A new file that has all of its blocks. */
static int make_whole_file(struct verb_call *c, const char *path, uint64_t size)
{
	int fd = open(path, O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, 0600);
	int r = fd < 0 ? -errno : -posix_fallocate(fd, 0, (off_t)size);

	if (fd >= 0)
		close(fd);
	if (!r)
		return 0;
	if (fd >= 0)
		unlink(path);
	return cli_fail(c->cli, CLI_FAILED, "%s: %s", path, err_text(r));
}

static int made(struct verb_call *c, const struct storage_new *s, const char *what)
{
	char dir[STORAGE_DIR_CHARS];
	int status = storage_make(c->cli, s, dir);

	if (status)
		return status;
	cli_say(c->cli, "Created %s storage object %s%s%s.", what, s->name,
		s->udev_path ? " of " : "", s->udev_path ? s->udev_path : "");
	verb_created(c, s->name);
	return 0;
}

static int create_fileio(struct verb_call *c, struct storage_new s)
{
	char path[PATH_CHARS], control[CONTROL_CHARS];
	bool write_back, sparse, block = false, there;
	uint64_t size = 0;
	struct stat st;
	int n, status = verb_bool(c, "write_back", true, &write_back);

	if (!status)
		status = verb_bool(c, "sparse", true, &sparse);
	if (!status)
		status = absolute(c, verb_arg(c, "file_or_dev"), path);
	if (!status)
		status = storage_not_in_use(c->cli, path);
	if (status)
		return status;
	there = !stat(path, &st);
	block = there && S_ISBLK(st.st_mode);
	if (there && !block && !S_ISREG(st.st_mode))
		return cli_fail(c->cli, CLI_USAGE, "%s: is there, and is no file", path);
	if (!there && !verb_arg(c, "size"))
		return cli_fail(
			c->cli, CLI_USAGE, "%s: is not there; a new file needs a size", path);
	if (verb_arg(c, "size"))
		status = size_of(c, &size);
	if (!status && there && size && !block)
		cli_say(c->cli, "%s is there: its size is taken, not the one given.", path);
	if (there && !block)
		size = (uint64_t)st.st_size;
	if (!status && !there && !sparse)
		status = make_whole_file(c, path, size);
	if (status)
		return status;
	n = snprintf(control, sizeof(control), "fd_dev_name=%s", path);
	if (!block)
		n += snprintf(
			control + n, sizeof(control) - (size_t)n, ",fd_dev_size=%" PRIu64, size);
	if (write_back)
		snprintf(control + n, sizeof(control) - (size_t)n, ",fd_buffered_io=1");
	s.control = control;
	s.udev_path = path;
	s.write_cache = write_back;
	return made(c, &s, "fileio");
}

static int create_block(struct verb_call *c, struct storage_new s)
{
	char path[PATH_CHARS], control[CONTROL_CHARS];
	bool readonly, exclusive;
	int status = verb_bool(c, "readonly", false, &readonly);

	if (!status)
		status = verb_bool(c, "exclusive", true, &exclusive);
	if (!status)
		status = absolute(c, verb_arg(c, "dev"), path);
	if (!status)
		status = storage_not_in_use(c->cli, path);
	if (status)
		return status;
	snprintf(control, sizeof(control), "udev_path=%s,readonly=%d%s", path, readonly,
		exclusive ? "" : ",exclusive=0");
	s.control = control;
	s.udev_path = path;
	return made(c, &s, "block");
}

static int create_ramdisk(struct verb_call *c, struct storage_new s)
{
	char control[CONTROL_CHARS];
	uint64_t size = 0;
	bool nullio;
	int status = verb_bool(c, "nullio", false, &nullio);

	if (!status)
		status = size_of(c, &size);
	if (status)
		return status;
	snprintf(control, sizeof(control), "rd_pages=%" PRIu64 "%s", (size + 4095) / 4096,
		nullio ? ",rd_nullio=1" : "");
	s.control = control;
	return made(c, &s, "ramdisk");
}

static int create_user(struct verb_call *c, struct storage_new s)
{
	const char *config = verb_arg(c, "cfgstring"), *handler = strchr(view_name(&c->at), ':');
	const char *sectors = verb_arg(c, "hw_max_sectors"), *more = verb_arg(c, "control");
	char control[CONTROL_CHARS];
	uint64_t size = 0;
	int status = size_of(c, &size);

	if (!status && strpbrk(config, ",\n"))
		status =
			cli_fail(c->cli, CLI_USAGE, "cfgstring %s: must be without commas", config);
	if (status)
		return status;
	snprintf(control, sizeof(control), "dev_config=%s%s%s,dev_size=%" PRIu64 "%s%s%s%s",
		handler ? handler + 1 : "", handler ? "/" : "", config, size,
		sectors ? ",hw_max_sectors=" : "", sectors ? sectors : "", more ? "," : "",
		more ? more : "");
	s.control = control;
	return made(c, &s, "user");
}

/* A device by its place: what LIO's pscsi wants is four numbers, which sysfs has. */
static int create_pscsi(struct verb_call *c, struct storage_new s)
{
	char path[PATH_CHARS], control[CONTROL_CHARS];
	int status = absolute(c, verb_arg(c, "dev"), path);

	if (status)
		return status;
	snprintf(control, sizeof(control), "udev_path=%s", path);
	s.control = control;
	s.udev_path = path;
	return made(c, &s, "pscsi");
}

int verb_create_backstore(struct verb_call *c)
{
	static const struct {
		const char *plugin;
		int (*create)(struct verb_call *c, struct storage_new s);
	} rows[] = { { "fileio", create_fileio }, { "block", create_block },
		{ "ramdisk", create_ramdisk }, { "user", create_user }, { "pscsi", create_pscsi } };
	const struct view_plugin *plugin = view_plugin_find(view_name(&c->at));
	struct storage_new s = {
		.hba = plugin->hba, .name = verb_arg(c, "name"), .serial = verb_arg(c, "wwn")
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		if (!strcmp(rows[i].plugin, plugin->name))
			return rows[i].create(c, s);
	}
	return CLI_FAILED;
}

/* ---- delete ---------------------------------------------------------------------------------- */

/* Sessions of targets that show it are told that a LUN has gone; who uses it is asked for. */
static int confirm_use(struct verb_call *c, const char *dir)
{
	struct errmsg err;
	json_t *luns = cli_call(c->cli, "lun.list", NULL, &err), *l, *sessions;
	size_t i, n = 0;

	json_array_foreach (luns, i, l) {
		if (strcmp(json_string_value(json_object_get(l, "dir")), dir) != 0)
			continue;
		sessions = cli_call(c->cli, "sessions.list",
			json_pack("{s:O}", "target", json_object_get(l, "target")), &err);
		n += json_array_size(sessions);
		json_decref(sessions);
	}
	json_decref(luns);
	return n ? cli_confirm(c->cli, "%zu session%s may be using %s", n, n == 1 ? "" : "s",
			   strrchr(dir, '/') + 1)
		 : 0;
}

int verb_delete_backstore(struct verb_call *c)
{
	struct view_path at;
	struct errmsg err = { 0 };
	struct strbuf dir;
	bool save;
	int status = verb_bool(c, "save", false, &save);

	if (status)
		return status;
	strbuf_init(&dir);
	if (view_child(&c->at, verb_arg(c, "name"), &at, &err) || view_raw(c->cli, &at, &dir, &err))
		status = verb_fail(c, &err);
	if (!status)
		status = confirm_use(c, dir.s);
	if (!status)
		status = storage_remove(c->cli, dir.s);
	if (!status)
		cli_say(c->cli, "Deleted storage object %s.", verb_arg(c, "name"));
	strbuf_done(&dir);
	return status || !save ? status : cli_do(c->cli, "save", NULL);
}

/* ---- ALUA groups ----------------------------------------------------------------------------- */

int verb_create_group(struct verb_call *c)
{
	const char *name = verb_arg(c, "name");
	char path[VIEW_PATH_CHARS + VIEW_NAME_CHARS];
	struct errmsg err;
	struct strbuf raw;
	int status = verb_raw(c, &raw);

	snprintf(path, sizeof(path), "%s/%s", raw.s, name);
	if (!status)
		status = tree_mkdir_at(c->cli, raw.s, name);
	strbuf_done(&raw);
	if (status)
		return status;
	status = cli_set(c->cli, path, "tg_pt_gp_id", verb_arg(c, "tag"));
	if (status) {
		json_decref(cli_call(c->cli, "rmdir", json_pack("{s:s}", "path", path), &err));
		return status;
	}
	cli_say(c->cli, "Created ALUA group %s with number %s.", name, verb_arg(c, "tag"));
	verb_created(c, name);
	return 0;
}

int verb_delete_group(struct verb_call *c)
{
	struct strbuf raw;
	int status = verb_raw(c, &raw);

	strbuf_printf(&raw, "/%s", verb_arg(c, "name"));
	if (!status)
		status = cli_do(c->cli, "rmdir", json_pack("{s:s}", "path", raw.s));
	if (!status)
		cli_say(c->cli, "Deleted ALUA group %s.", verb_arg(c, "name"));
	strbuf_done(&raw);
	return status;
}
