/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_share.c: ulio share, unshare: a disk, a target of its own, a portal, a LUN and who may use
 * it, in one line, and back.
 */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <ulio/control.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/portal.h"

enum { PATH_CHARS = 4096, NAME_CHARS = 200 };

struct share {
	struct cli *cli;
	const char *to;
	char spec[PATH_CHARS + 64]; /* "": the disk is there */
	char file[PATH_CHARS]; /* that --size makes; "": none */
	char disk[NAME_CHARS]; /* its name */
	char dir[PATH_CHARS]; /* its place in the daemon's tree */
	char target[VIEW_NAME_CHARS];
	json_int_t tpg, lun;
	json_int_t mapped; /* the LUN's number for the initiator */
	bool any, read_only;
	bool made_disk, made_target, made_lun, made_acl; /* what is undone if a later step fails */
};

static const char *param(const struct share *s, const char *name)
{
	return json_string_value(json_object_get(s->cli->params, name));
}

static const char *text(const json_t *row, const char *key)
{
	const char *v = json_string_value(json_object_get(row, key));

	return v ? v : "";
}

/* ---- which disk ------------------------------------------------------------------------------ */

/* A name for people and for an IQN, of a path's last component: without what a name cannot have. */
static void name_of(const char *path, char buf[NAME_CHARS])
{
	const char *base = strrchr(path, '/');
	size_t n = 0;

	for (base = base ? base + 1 : path; *base && n < 60; base++) {
		unsigned char ch = (unsigned char)*base;

		buf[n++] = isalnum(ch) || ch == '-' || ch == '.' ? (char)tolower(ch) : '-';
	}
	buf[n] = '\0';
	/* "disk.img" is "disk". */
	if (strrchr(buf, '.') && strrchr(buf, '.') != buf)
		*strrchr(buf, '.') = '\0';
	if (!n)
		strcpy(buf, "disk");
}

/* The disk of a name or path, NULL: there is none. */
static const json_t *find_disk(const json_t *rows, const char *name, const char *path)
{
	json_t *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		if ((name && !strcmp(text(row, "name"), name)) ||
			(path && *text(row, "path") && !strcmp(text(row, "path"), path)))
			return row;
	}
	return NULL;
}

static void take_disk(struct share *s, const json_t *row)
{
	snprintf(s->disk, sizeof(s->disk), "%s", text(row, "name"));
	snprintf(s->dir, sizeof(s->dir), "%s", text(row, "dir"));
}

/* A name that no disk has yet. */
static void new_name(struct share *s, const json_t *rows, const char *base)
{
	snprintf(s->disk, sizeof(s->disk), "%.190s", base);
	for (int i = 2; find_disk(rows, s->disk, NULL); i++)
		snprintf(s->disk, sizeof(s->disk), "%.180s-%d", base, i);
}

/* The path as the daemon has to know it: absolute, also of a file that is to be made. */
static int full_path(struct share *s, const char *what, char buf[PATH_CHARS])
{
	char cwd[PATH_CHARS];
	int n;

	if (realpath(what, buf))
		return 0;
	if (what[0] == '/')
		n = snprintf(buf, PATH_CHARS, "%s", what);
	else if (getcwd(cwd, sizeof(cwd)))
		n = snprintf(buf, PATH_CHARS, "%s/%s", cwd, what);
	else
		return cli_fail(s->cli, CLI_FAILED, "%s: %s", what, err_text(-errno));
	if (n < 0 || n >= PATH_CHARS)
		return cli_fail(s->cli, CLI_USAGE, "%.64s…: the path is too long", what);
	return 0;
}

static int plan_path(struct share *s, const char *what, const json_t *rows, char base[NAME_CHARS])
{
	const char *size = param(s, "size");
	const json_t *there;
	char path[PATH_CHARS];
	struct stat st;
	int status = full_path(s, what, path);
	bool exists = !stat(path, &st);

	if (status)
		return status;
	there = find_disk(rows, NULL, path);
	if (!there && !exists && !strchr(what, '/'))
		there = find_disk(rows, what, NULL);
	if (there) {
		take_disk(s, there);
		return 0;
	}
	if (strchr(path, ','))
		return cli_fail(s->cli, CLI_USAGE, "%s: no comma is possible in its path", path);
	if (exists && !S_ISREG(st.st_mode) && !S_ISBLK(st.st_mode))
		return cli_fail(s->cli, CLI_USAGE, "%s: is no file and no block device", path);
	if (!exists && !size)
		return cli_fail(s->cli, CLI_USAGE,
			"%s: is not there; --size 10G makes a file of that size", path);
	if (exists && size)
		return cli_fail(s->cli, CLI_USAGE,
			"%s: is there, its size is its own; \"ulio disk resize\" changes it", path);
	if (!exists)
		strcpy(s->file, path);
	snprintf(s->spec, sizeof(s->spec), "file:%s%s%s%s", path, size ? ",size=" : "",
		size ? size : "", s->read_only && exists ? ",readonly=yes" : "");
	name_of(path, base);
	return 0;
}

/* Fill spec and name, or find the disk that is meant. */
static int plan_disk(struct share *s)
{
	const char *what = param(s, "what"), *name = param(s, "name");
	json_t *rows = cli_ask(s->cli, "disk.list", NULL);
	size_t kind = strspn(what, "abcdefghijklmnopqrstuvwxyz");
	char base[NAME_CHARS] = "";
	int status = rows ? 0 : CLI_FAILED;

	if (!status && what[kind] == ':' && param(s, "size")) {
		status = cli_fail(s->cli, CLI_USAGE,
			"--size: is of a path; %.64s says its size itself", what);
	} else if (!status && what[kind] == ':' && strlen(what) >= sizeof(s->spec)) {
		status = cli_fail(s->cli, CLI_USAGE, "%.64s…: is too long", what);
	} else if (!status && what[kind] == ':') {
		strcpy(s->spec, what);
		snprintf(base, sizeof(base), "%.*s", (int)kind, what);
	} else if (!status) {
		status = plan_path(s, what, rows, base);
	}
	if (!status && s->spec[0] && name && find_disk(rows, name, NULL))
		status = cli_fail(s->cli, CLI_FAILED, "%s: there is a disk of this name", name);
	if (!status && s->spec[0])
		new_name(s, rows, name ? name : base);
	json_decref(rows);
	return status;
}

static int make_disk(struct share *s)
{
	json_t *row;

	if (!s->spec[0])
		return 0;
	row = cli_ask(
		s->cli, "disk.add", json_pack("{s:s, s:s}", "name", s->disk, "spec", s->spec));
	if (!row)
		return CLI_FAILED;
	take_disk(s, row);
	json_decref(row);
	s->made_disk = true;
	return s->read_only ? cli_set(s->cli, s->dir, "read_only", "1") : 0;
}

/* ---- which target ---------------------------------------------------------------------------- */

static void own_target(struct share *s)
{
	char host[64] = "localhost", name[NAME_CHARS];

	if (gethostname(host, sizeof(host) - 1))
		snprintf(host, sizeof(host), "localhost");
	for (char *p = host; *p; p++)
		*p = isalnum((unsigned char)*p) || *p == '.' ? (char)tolower((unsigned char)*p)
							     : '-';
	snprintf(name, sizeof(name), "%s", s->disk);
	for (char *p = name; *p; p++)
		*p = isalnum((unsigned char)*p) || strchr("-.:", *p)
			     ? (char)tolower((unsigned char)*p)
			     : '-';
	snprintf(s->target, sizeof(s->target), "%s:%s:%.150s", ULIO_TARGET_PREFIX, host, name);
}

/* An existing target: whether the share fits its rules. */
static int check_target(struct share *s, const json_t *row)
{
	const char *access = text(row, "access");
	size_t nluns = json_array_size(json_object_get(row, "luns"));

	s->tpg = json_integer_value(json_object_get(row, "tpg"));
	if (s->any && strncmp(access, "anyone", 6) != 0 && nluns)
		return cli_fail(s->cli, CLI_FAILED,
			"%s: --to any would open its %zu other LUNs to anyone too; share with a "
			"--target of its own",
			s->target, nluns);
	if (!s->any && !strncmp(access, "anyone", 6))
		return cli_fail(s->cli, CLI_FAILED,
			"%s: is open to anyone, and so would the disk be; say --to any, or share "
			"with another --target",
			s->target);
	return 0;
}

/* The portals that other targets have, else one on all addresses. */
static int add_portals(struct share *s, const json_t *targets)
{
	const char *portal = param(s, "portal");
	json_t *addresses = json_object(), *row, *p, *v;
	const char *address;
	int status = 0;
	size_t i, k;

	json_array_foreach (targets, i, row) {
		json_array_foreach (json_object_get(row, "portals"), k, p)
			json_object_set(addresses, json_string_value(p), p);
	}
	if (portal || !json_object_size(addresses)) {
		json_object_clear(addresses);
		json_object_set_new(addresses, portal ? portal : "0.0.0.0:3260", json_null());
	}
	json_object_foreach (addresses, address, v) {
		if (!status)
			status = cli_do(s->cli, "portal.add",
				json_pack("{s:s, s:s}", "address", address, "target", s->target));
	}
	json_decref(addresses);
	return status;
}

static int make_target(struct share *s)
{
	json_t *targets = cli_ask(s->cli, "target.list", NULL), *row;
	char attrib[VIEW_PATH_CHARS];
	int status = targets ? 0 : CLI_FAILED;
	bool there = false;
	size_t i;

	if (param(s, "target"))
		snprintf(s->target, sizeof(s->target), "%.250s", param(s, "target"));
	else
		own_target(s);
	json_array_foreach (targets, i, row) {
		if (there || strcmp(text(row, "target"), s->target) != 0)
			continue;
		there = true;
		status = check_target(s, row);
	}
	if (!status && !there) {
		status = cli_do(s->cli, "target.add", json_pack("{s:s}", "target", s->target));
		s->made_target = !status;
		s->tpg = 1;
		snprintf(attrib, sizeof(attrib), "/iscsi/%s/tpgt_1/attrib", s->target);
		if (!status && !param(s, "user"))
			status = cli_set(s->cli, attrib, "authentication", "0");
		if (!status)
			status = add_portals(s, targets);
	}
	json_decref(targets);
	return status;
}

/* ---- LUN and access -------------------------------------------------------------------------- */

static json_t *where(const struct share *s)
{
	return json_pack("{s:s, s:I}", "target", s->target, "tpg", s->tpg);
}

static int make_lun(struct share *s)
{
	json_t *params = where(s), *row;

	json_object_set_new(params, "disk", json_string(s->dir + strlen("/core/")));
	json_object_set_new(params, "map", json_false());
	row = cli_ask(s->cli, "lun.add", params);
	if (!row)
		return CLI_FAILED;
	s->lun = json_integer_value(json_object_get(row, "lun"));
	s->mapped = s->lun;
	s->made_lun = true;
	json_decref(row);
	return 0;
}

/* The initiator's ACL, if it has none yet; the secrets of one that is there are not changed. */
static int make_acl(struct share *s, const char *acl)
{
	static const char *const secrets[] = { "user", "password", NULL };
	struct errmsg err;
	json_t *there = cli_call(s->cli, "dump",
		json_pack("{s:s, s:i, s:s}", "path", acl, "depth", 0, "names", ""), &err);
	json_t *params;
	bool found = there != NULL;

	json_decref(there);
	if (found && param(s, "user"))
		return cli_fail(s->cli, CLI_FAILED,
			"--user: %s has an access list entry of %s already, which stays as it is; "
			"\"ulio auth\" changes its accounts; share without --user, or with another "
			"--target",
			s->to, s->target);
	if (found)
		return 0;
	params = where(s);
	json_object_set_new(params, "initiator", json_string(s->to));
	json_object_set_new(params, "map", json_false());
	for (int i = 0; secrets[i]; i++) {
		if (param(s, secrets[i]))
			json_object_set_new(params, secrets[i], json_string(param(s, secrets[i])));
	}
	s->made_acl = !cli_do(s->cli, "acl.add", params);
	return s->made_acl ? 0 : CLI_FAILED;
}

/* The number for the initiator: the LUN's, else the first that its ACL does not use yet. */
static int free_mapped(struct share *s, const char *acl, json_int_t *ret)
{
	json_t *d = cli_ask(
		s->cli, "dump", json_pack("{s:s, s:i, s:s}", "path", acl, "depth", 0, "names", ""));
	const json_t *dirs = json_object_get(d, "dirs");
	char name[32];

	snprintf(name, sizeof(name), "lun_%" JSON_INTEGER_FORMAT, s->lun);
	*ret = s->lun;
	for (json_int_t n = 0; json_object_get(dirs, name); n++) {
		snprintf(name, sizeof(name), "lun_%" JSON_INTEGER_FORMAT, n);
		*ret = n;
	}
	json_decref(d);
	return d ? 0 : CLI_FAILED;
}

static int allow(struct share *s)
{
	char acl[VIEW_PATH_CHARS], mapped[VIEW_PATH_CHARS + 32], link[VIEW_PATH_CHARS + 40],
		lun[VIEW_PATH_CHARS];
	json_t *params;
	int status;

	if (s->any) {
		params = where(s);
		json_object_set_new(params, "access",
			json_string(s->read_only ? "anyone-read" : "anyone-write"));
		return cli_do(s->cli, "target.access", params);
	}
	snprintf(acl, sizeof(acl), "/iscsi/%s/tpgt_%" JSON_INTEGER_FORMAT "/acls/%.250s", s->target,
		s->tpg, s->to);
	snprintf(lun, sizeof(lun),
		"/iscsi/%s/tpgt_%" JSON_INTEGER_FORMAT "/lun/lun_%" JSON_INTEGER_FORMAT, s->target,
		s->tpg, s->lun);
	status = make_acl(s, acl);
	if (!status)
		status = free_mapped(s, acl, &s->mapped);
	snprintf(mapped, sizeof(mapped), "%s/lun_%" JSON_INTEGER_FORMAT, acl, s->mapped);
	snprintf(link, sizeof(link), "%s/lun", mapped);
	if (!status)
		status = cli_do(s->cli, "mkdir", json_pack("{s:s}", "path", mapped));
	if (!status)
		status = cli_do(
			s->cli, "link", json_pack("{s:s, s:s}", "path", link, "target", lun));
	if (!status && s->read_only)
		status = cli_set(s->cli, mapped, "write_protect", "1");
	return status;
}

/* ---- the whole ------------------------------------------------------------------------------- */

static void quietly(struct share *s, const char *method, json_t *params)
{
	struct errmsg err;

	json_decref(cli_call(s->cli, method, params, &err));
}

/* Nothing stays of what was made. */
static void undo(struct share *s)
{
	json_t *params;

	if (s->made_target) {
		quietly(s, "target.remove", json_pack("{s:s}", "target", s->target));
	} else {
		if (s->made_acl) {
			params = where(s);
			json_object_set_new(params, "initiator", json_string(s->to));
			quietly(s, "acl.remove", params);
		}
		if (s->made_lun) {
			params = where(s);
			json_object_set_new(params, "lun", json_integer(s->lun));
			quietly(s, "lun.remove", params);
		}
	}
	if (s->made_disk)
		quietly(s, "disk.remove", json_pack("{s:s}", "name", s->dir + strlen("/core/")));
	/* It was not there before, and nobody has written to it. */
	if (s->made_disk && s->file[0])
		unlink(s->file);
}

static bool is_unsaved(struct cli *cli)
{
	struct errmsg err;
	json_t *config = cli_call(cli, "config.status", NULL, &err);
	json_t *autosave = cli_call(cli, "config.autosave", NULL, &err);
	bool yes = json_is_string(json_object_get(config, "file")) && !json_is_true(autosave);

	json_decref(autosave);

	json_decref(config);
	return yes;
}

static int tell(struct share *s)
{
	char portal[PORTAL_CHARS], url[PORTAL_CHARS + VIEW_NAME_CHARS + 64];
	int status = portal_of_target(s->cli, s->target, s->tpg, portal);

	if (status)
		return status;
	snprintf(url, sizeof(url), "iscsi://%s/%s/%" JSON_INTEGER_FORMAT, portal, s->target,
		s->mapped);
	if (s->cli->json) {
		cli_flush_said(s->cli, json_pack("{s:s, s:s, s:I, s:I, s:s, s:s, s:s}", "url", url,
					       "target", s->target, "tpg", s->tpg, "lun", s->lun,
					       "disk", s->disk, "portal", portal, "to", s->to));
		return 0;
	}
	printf("Shared %s as LUN %" JSON_INTEGER_FORMAT " of %s with %s%s.\n\n    %s\n\n", s->disk,
		s->lun, s->target, s->any ? "anyone" : s->to, s->read_only ? ", to read" : "", url);
	printf("Linux:   iscsiadm -m discovery -t sendtargets -p %s\n"
	       "         iscsiadm -m node -T %s -p %s --login\n"
	       "QEMU:    -drive file=%s,format=raw,if=virtio\n"
	       "More:    ulio export --preset linux|windows|vmware|proxmox|kubernetes --target "
	       "%s\n",
		portal, s->target, portal, url, s->target);
	if (is_unsaved(s->cli))
		printf("It lasts until the daemon ends; \"ulio save\" keeps it.\n");
	return 0;
}

static int share(struct cli *cli, json_t *none)
{
	struct share s = { .cli = cli };
	int status;

	s.to = param(&s, "to");
	s.read_only = json_is_true(json_object_get(cli->params, "readonly"));
	if (!s.to)
		return cli_fail(cli, CLI_USAGE,
			"who may use it? --to IQN of an initiator, or --to any for everybody who "
			"can reach a portal");
	s.any = !strcmp(s.to, "any");
	if (s.any && param(&s, "user"))
		return cli_fail(cli, CLI_USAGE,
			"--user: goes with --to IQN; of anyone \"ulio auth add\" asks a secret");
	status = plan_disk(&s);
	if (!status)
		status = make_disk(&s);
	if (!status)
		status = make_target(&s);
	if (!status)
		status = make_lun(&s);
	if (!status)
		status = allow(&s);
	if (status)
		undo(&s);
	return status ? status : tell(&s);
}

static int read_secret(struct cli *cli, struct errmsg *err)
{
	return secret_from_file(cli->params, "password_file", "password", err);
}

/* ---- unshare --------------------------------------------------------------------------------- */

/* Whether an initiator sees another LUN than this one by its number. */
static bool is_mapped_otherwise(struct share *s, const json_t *l)
{
	char acls[VIEW_PATH_CHARS], name[32];
	const char *initiator, *link;
	struct errmsg err;
	json_t *d, *acl, *to;
	bool yes = false;

	snprintf(name, sizeof(name), "lun_%" JSON_INTEGER_FORMAT,
		json_integer_value(json_object_get(l, "lun")));
	snprintf(acls, sizeof(acls), "/iscsi/%.250s/tpgt_%" JSON_INTEGER_FORMAT "/acls",
		text(l, "target"), json_integer_value(json_object_get(l, "tpg")));
	d = cli_call(s->cli, "dump",
		json_pack("{s:s, s:i, s:s}", "path", acls, "depth", 2, "names", ""), &err);
	json_object_foreach (json_object_get(d, "dirs"), initiator, acl) {
		json_t *mapped = json_object_get(json_object_get(acl, "dirs"), name);

		json_object_foreach (json_object_get(mapped, "links"), link, to) {
			const char *lun = strrchr(json_string_value(to), '/');

			yes = yes || !lun || strcmp(lun + 1, name) != 0;
		}
	}
	json_decref(d);
	return yes;
}

/* The disk of "iscsi://host/target/lun", by its directory; "" if no LUN is sure to be meant. */
static void dir_of_url(struct share *s, const json_t *luns, const char *url, char dir[PATH_CHARS])
{
	const char *target = strchr(url + strlen("iscsi://"), '/');
	const char *lun = target ? strchr(target + 1, '/') : NULL;
	json_t *l;
	size_t i;

	json_array_foreach (luns, i, l) {
		const char *name = text(l, "target");

		if (lun && strlen(name) == (size_t)(lun - target - 1) &&
			!strncmp(name, target + 1, strlen(name)) &&
			json_integer_value(json_object_get(l, "lun")) == atoll(lun + 1) &&
			!is_mapped_otherwise(s, l))
			snprintf(dir, PATH_CHARS, "%s", text(l, "dir"));
	}
}

static int find_shared(struct share *s, const json_t *luns)
{
	const char *what = param(s, "what");
	json_t *rows = cli_ask(s->cli, "disk.list", NULL), *row;
	char path[PATH_CHARS], dir[PATH_CHARS] = "";
	const json_t *found = NULL;
	size_t i;

	if (!rows)
		return CLI_FAILED;
	if (!strncmp(what, "iscsi://", 8))
		dir_of_url(s, luns, what, dir);
	else if (!strchr(what, '/'))
		found = find_disk(rows, what, NULL);
	if (!found && !dir[0] && !full_path(s, what, path))
		found = find_disk(rows, NULL, path);
	json_array_foreach (rows, i, row) {
		if (dir[0] && !strcmp(text(row, "dir"), dir))
			found = row;
	}
	if (found)
		take_disk(s, found);
	json_decref(rows);
	return found ? 0
		     : cli_fail(s->cli, CLI_FAILED,
			       "%s: no disk of this name, path or URL is shared; \"ulio disk "
			       "list\" "
			       "shows them",
			       what);
}

/* A target that share made for this disk goes with its last LUN. */
static int remove_lun(struct share *s, const json_t *l)
{
	json_t *targets, *row;
	bool empty = false;
	size_t i;
	int status;

	snprintf(s->disk, sizeof(s->disk), "%s", text(l, "disk"));
	own_target(s);
	status = cli_do(s->cli, "lun.remove",
		json_pack("{s:O, s:O, s:O}", "lun", json_object_get(l, "lun"), "target",
			json_object_get(l, "target"), "tpg", json_object_get(l, "tpg")));
	if (status || strcmp(text(l, "target"), s->target) != 0)
		return status;
	targets = cli_ask(s->cli, "target.list", NULL);
	json_array_foreach (targets, i, row) {
		if (!strcmp(text(row, "target"), s->target))
			empty = !json_array_size(json_object_get(row, "luns"));
	}
	json_decref(targets);
	if (empty)
		status = cli_do(s->cli, "target.remove", json_pack("{s:s}", "target", s->target));
	return status;
}

static int unshare_disk(struct cli *cli, json_t *none)
{
	struct share s = { .cli = cli };
	json_t *luns = cli_ask(cli, "lun.list", NULL), *l;
	int status = luns ? find_shared(&s, luns) : CLI_FAILED;
	char name[NAME_CHARS];
	size_t i;

	snprintf(name, sizeof(name), "%s", s.disk);
	json_array_foreach (luns, i, l) {
		if (!status && !strcmp(text(l, "dir"), s.dir))
			status = cli_confirm_sessions(cli, text(l, "target"),
				json_integer_value(json_object_get(l, "tpg")), NULL);
	}
	json_array_foreach (luns, i, l) {
		if (!status && !strcmp(text(l, "dir"), s.dir))
			status = remove_lun(&s, l);
	}
	json_decref(luns);
	if (!status)
		status = cli_do(
			cli, "disk.remove", json_pack("{s:s}", "name", s.dir + strlen("/core/")));
	if (!status)
		cli_say(cli, "%s is shared no more; its data stay where they are.", name);
	return status;
}

const struct cli_command share_commands[] = {
	{ "share", NULL, "let initiators use a file, a device or memory, in one line", NULL, share,
		.args = { { "what", ARG_POSITION, false,
				  "a file or block device, ram:1G, or any SPEC of disk add" },
			{ "to", ARG_OPTION, false,
				"name of the initiator that may use it, or any" },
			{ "size", ARG_OPTION, false, "makes a file of that size, such as 10G" },
			{ "name", ARG_OPTION, false, "of the disk; else from the path" },
			{ "target", ARG_OPTION, false,
				"target to show it by; else one of its own" },
			{ "portal", ARG_OPTION, false,
				"address of a new target, 10.0.0.1:3260; else those of the other "
				"targets, else all" },
			{ "readonly", ARG_FLAG, false, "to read only" },
			{ "user", ARG_OPTION, false, "CHAP name that the initiator must prove" },
			{ "password_file", ARG_OPTION, false,
				"file with its secret; \"-\" for standard input" } },
		.prepare = read_secret },
	{ "unshare", NULL, "forget a disk with its LUNs and its own target; the data stay", NULL,
		unshare_disk,
		.args = { { "what", ARG_POSITION, false,
			"name or path of the disk, or its URL" } } },
	{ NULL },
};
