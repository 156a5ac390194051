/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * view_tree.c: a part of the view with a summary of each directory, from one dump of the daemon's
 * tree and the list of disks.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/view.h"

/* What the summaries need. */
#define NAMES                                                                                      \
	"enable generate_node_acls demo_mode_write_protect authentication alua_access_state "      \
	"alua_tg_pt_gp emulate_write_cache write_protect tag iser enforce_discovery_auth "         \
	"authenticate_target"

enum { RAW_LEVELS_MAX = 64, ALL = -1 };

struct builder {
	struct cli *cli;
	json_t *disks; /* rows of disk.list by their directory */
	bool all_disks; /* disks has every one */
	const json_t *luns; /* dump of lun/ of the portal group that is built; borrowed */
};

/* Makes the node of a directory of which d is the dump; depth levels below it. */
typedef json_t *build_fn(struct builder *b, const char *name, const json_t *d, int depth);

/* ---- parts of a dump ------------------------------------------------------------------------- */

static const char *attr(const json_t *d, const char *sub, const char *name)
{
	const json_t *at = *sub ? json_object_get(json_object_get(d, "dirs"), sub) : d;
	const char *s = json_string_value(json_object_get(json_object_get(at, "attrs"), name));

	return s ? s : "";
}

static bool is(const json_t *d, const char *sub, const char *name, const char *value)
{
	return !strcmp(attr(d, sub, name), value);
}

static json_t *dirs_of(const json_t *d, const char *sub)
{
	json_t *dirs = json_object_get(d, "dirs");

	return *sub ? json_object_get(json_object_get(dirs, sub), "dirs") : dirs;
}

/* Directories of d/sub whose names begin so. */
static unsigned count(const json_t *d, const char *sub, const char *prefix)
{
	const char *name;
	json_t *v;
	unsigned n = 0;

	json_object_foreach (dirs_of(d, sub), name, v)
		n += !strncmp(name, prefix, strlen(prefix));
	return n;
}

/* Where the first link of a directory leads, "" if nowhere. */
static const char *link_of(const json_t *d)
{
	json_t *links = json_object_get(d, "links");
	const char *to = json_string_value(json_object_iter_value(json_object_iter(links)));

	return to ? to : "";
}

/* ---- nodes ----------------------------------------------------------------------------------- */

enum how { FINE, BAD, PLAIN };

static json_t *node(const char *name, enum view_kind kind, enum how how, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

static json_t *node(const char *name, enum view_kind kind, enum how how, const char *fmt, ...)
{
	char summary[1024];
	va_list ap;
	json_t *n;

	va_start(ap, fmt);
	vsnprintf(summary, sizeof(summary), fmt, ap);
	va_end(ap);
	n = json_pack(
		"{s:s, s:s, s:s}", "name", name, "kind", view_kind_name(kind), "summary", summary);
	if (how != PLAIN)
		json_object_set_new(n, "ok", json_boolean(how == FINE));
	return n;
}

static void add(json_t *n, json_t *child)
{
	json_t *children = json_object_get(n, "children");

	if (!children) {
		children = json_array();
		json_object_set_new(n, "children", children);
	}
	json_array_append_new(children, child);
}

/*
 * Add the directories of d/sub whose names begin with raw as children; in the view their names
 * begin with prefix instead.
 */
static void add_each(struct builder *b, json_t *n, const json_t *d, const char *sub,
	const char *raw, const char *prefix, int depth, build_fn *fn)
{
	size_t skip = strlen(raw);
	const char *name;
	char shown[VIEW_NAME_CHARS + 16];
	json_t *v;

	if (!depth)
		return;
	json_object_set_new(n, "children", json_array());
	json_object_foreach (dirs_of(d, sub), name, v) {
		if (strncmp(name, raw, skip) != 0)
			continue;
		snprintf(shown, sizeof(shown), "%s%s", prefix, name + skip);
		add(n, fn(b, shown, v, depth - 1));
	}
}

/* ---- disks ----------------------------------------------------------------------------------- */

static const char *human(char buf[32], json_int_t bytes)
{
	static const char units[] = "BKMGTPE";
	double x = (double)bytes;
	int u = 0;

	while (x >= 1024 && units[u + 1]) {
		x /= 1024;
		u++;
	}
	snprintf(buf, 32, u ? "%.1f%ciB" : "%.0f%c", x, units[u]);
	return buf;
}

static void learn_disks(struct builder *b)
{
	struct errmsg err = { 0 };
	json_t *rows = cli_call(b->cli, "disk.list", NULL, &err), *row;
	size_t i;

	json_array_foreach (rows, i, row)
		json_object_set(b->disks, json_string_value(json_object_get(row, "dir")), row);
	json_decref(rows);
	b->all_disks = true;
}

/* The row of disk.list, by the disk's directory. NULL if it is gone. */
static const json_t *disk_of(struct builder *b, const char *dir)
{
	json_t *row = json_object_get(b->disks, dir), *rows;
	struct errmsg err = { 0 };

	if (row || b->all_disks || strncmp(dir, "/core/", 6) != 0)
		return row;
	rows = cli_call(b->cli, "disk.list", json_pack("{s:s}", "name", dir + 6), &err);
	row = json_array_get(rows, 0);
	if (row)
		json_object_set(b->disks, dir, row);
	json_decref(rows);
	return json_object_get(b->disks, dir);
}

static const char *text(const json_t *row, const char *key)
{
	const char *s = json_string_value(json_object_get(row, key));

	return s ? s : "";
}

/* "fileio/f1" of "/core/fileio_0/f1". */
static char *object_name(char buf[2 * VIEW_NAME_CHARS], const char *dir)
{
	const struct view_plugin *plugin = view_plugin_of_hba(dir);
	const char *slash = strrchr(dir, '/');

	snprintf(buf, 2 * VIEW_NAME_CHARS, "%s/%s", plugin ? plugin->name : "?",
		slash ? slash + 1 : "?");
	return buf;
}

static json_t *build_group(struct builder *b, const char *name, const json_t *d, int depth)
{
	static const char *const states[] = { "Active/optimized", "Active/non-optimized", "Standby",
		"Unavailable", "LBA dependent", [14] = "Offline", [15] = "Transitioning" };
	const char *state = attr(d, "", "alua_access_state");
	unsigned i = 0;

	sscanf(state, "%u", &i);
	return node(name, VIEW_GROUP, i ? PLAIN : FINE, "ALUA state: %s",
		i < sizeof(states) / sizeof(states[0]) && states[i] ? states[i] : state);
}

static json_t *build_alua(struct builder *b, const char *name, const json_t *d, int depth)
{
	json_t *n = node(name, VIEW_ALUA, PLAIN, "ALUA Groups: %u", count(d, "", ""));

	add_each(b, n, d, "", "", "", depth, build_group);
	return n;
}

/* d may be NULL: only what the row says. */
static json_t *storage_node(const char *name, const json_t *row, const json_t *d)
{
	bool ready = !strcmp(text(row, "state"), "ready");
	bool used = json_integer_value(json_object_get(row, "luns")) > 0;
	const char *cache = !strcmp(text(row, "hba"), "rd_mcp") || !d     ? ""
			    : is(d, "attrib", "emulate_write_cache", "1") ? "write-back "
									  : "write-thru ";
	char size[32];

	return node(name, VIEW_STORAGE, ready ? FINE : BAD, "%s%s(%s) %s%s%s%s", text(row, "path"),
		*text(row, "path") ? " " : "",
		human(size, json_integer_value(json_object_get(row, "size"))), cache,
		json_is_true(json_object_get(row, "read_only")) ? "read-only " : "",
		used ? "activated" : "deactivated",
		ready                                    ? ""
		: !strcmp(text(row, "state"), "pending") ? ", pending: its disk is not there"
							 : ", failed");
}

static json_t *build_storage(
	struct builder *b, const char *name, const char *dir, const json_t *d, int depth)
{
	json_t *n = storage_node(name, disk_of(b, dir), d);

	if (depth)
		add(n, build_alua(b, "alua", json_object_get(dirs_of(d, ""), "alua"), depth - 1));
	return n;
}

/* All disks of a plugin; d is the dump of /core. */
static json_t *build_plugin(
	struct builder *b, const struct view_plugin *plugin, const json_t *d, int depth)
{
	json_t *list = json_array(), *hba, *dev, *n;
	const char *hba_name, *name;
	char dir[3 * VIEW_NAME_CHARS];

	json_object_foreach (dirs_of(d, ""), hba_name, hba) {
		if (view_plugin_of_hba(hba_name) != plugin)
			continue;
		json_object_foreach (dirs_of(hba, ""), name, dev) {
			snprintf(dir, sizeof(dir), "/core/%s/%s", hba_name, name);
			json_array_append_new(list, build_storage(b, name, dir, dev, depth - 1));
		}
	}
	n = node(plugin->name, VIEW_PLUGIN, PLAIN, "Storage Objects: %zu", json_array_size(list));
	if (depth)
		json_object_set(n, "children", list);
	json_decref(list);
	return n;
}

static json_t *build_backstores(struct builder *b, const char *name, const json_t *d, int depth)
{
	json_t *n = node(name, VIEW_BACKSTORES, PLAIN, "...");
	const struct view_plugin *plugin;

	for (unsigned i = 0; depth && (plugin = view_plugin_at(i)); i++) {
		json_t *child = build_plugin(b, plugin, d, depth - 1 ? depth - 1 : 0);
		bool empty = !strcmp(text(child, "summary"), "Storage Objects: 0");

		if (plugin->always || !empty)
			add(n, child);
		else
			json_decref(child);
	}
	return n;
}

/* ---- targets --------------------------------------------------------------------------------- */

static json_t *build_portal(struct builder *b, const char *name, const json_t *d, int depth)
{
	return node(name, VIEW_PORTAL, FINE, "%s", is(d, "", "iser", "1") ? "iser" : "OK");
}

static json_t *build_lun(struct builder *b, const char *name, const json_t *d, int depth)
{
	const char *dir = link_of(d), *gp = attr(d, "", "alua_tg_pt_gp");
	const json_t *disk = *dir ? disk_of(b, dir) : NULL;
	char object[2 * VIEW_NAME_CHARS];
	static const char alias[] = "TG Port Alias: ";

	if (!disk)
		return node(name, VIEW_LUN, BAD, "no storage object");
	gp = strstr(gp, alias);
	gp = gp ? gp + strlen(alias) : "";
	return node(name, VIEW_LUN, strcmp(text(disk, "state"), "ready") ? BAD : FINE,
		"%s%s%s%s (%.*s)", object_name(object, dir), *text(disk, "path") ? " (" : "",
		text(disk, "path"), *text(disk, "path") ? ")" : "", (int)strcspn(gp, "\n"), gp);
}

static json_t *build_mapped(struct builder *b, const char *name, const json_t *d, int depth)
{
	const char *to = link_of(d), *lun = strrchr(to, '/');
	char object[2 * VIEW_NAME_CHARS];
	const char *dir;

	if (!lun || strncmp(lun, "/lun_", 5) != 0)
		return node(name, VIEW_MAPPED, BAD, "no LUN");
	dir = link_of(json_object_get(dirs_of(b->luns, ""), lun + 1));
	return node(name, VIEW_MAPPED, FINE, "lun%s %s(%s)", lun + 5,
		*dir ? strcat(object_name(object, dir), " ") : "",
		is(d, "", "write_protect", "1") ? "ro" : "rw");
}

static json_t *build_acl(struct builder *b, const char *name, const json_t *d, int depth)
{
	const char *tag = attr(d, "", "tag"), *chap = attr(d, "attrib", "authentication");
	json_t *n = node(name, VIEW_ACL, PLAIN, "%s%s%s%s%sMapped LUNs: %u", *tag ? "tag " : "",
		tag, *tag ? ", " : "",
		!strcmp(chap, "1")   ? "CHAP, "
		: !strcmp(chap, "0") ? "no CHAP, "
				     : "",
		is(d, "auth", "authenticate_target", "1") ? "mutual, " : "", count(d, "", "lun_"));

	add_each(b, n, d, "", "lun_", "mapped_lun", depth, build_mapped);
	return n;
}

static json_t *build_acls(struct builder *b, const char *name, const json_t *d, int depth)
{
	json_t *n = node(name, VIEW_ACLS, PLAIN, "ACLs: %u", count(d, "", ""));

	add_each(b, n, d, "", "", "", depth, build_acl);
	return n;
}

static json_t *build_luns(struct builder *b, const char *name, const json_t *d, int depth)
{
	json_t *n = node(name, VIEW_LUNS, PLAIN, "LUNs: %u", count(d, "", "lun_"));

	add_each(b, n, d, "", "lun_", "lun", depth, build_lun);
	return n;
}

static json_t *build_portals(struct builder *b, const char *name, const json_t *d, int depth)
{
	json_t *n = node(name, VIEW_PORTALS, PLAIN, "Portals: %u", count(d, "", ""));

	add_each(b, n, d, "", "", "", depth, build_portal);
	return n;
}

static json_t *build_tpg(struct builder *b, const char *name, const json_t *d, int depth)
{
	static const struct {
		const char *name, *raw;
		build_fn *fn;
	} parts[] = { { "acls", "acls", build_acls }, { "luns", "lun", build_luns },
		{ "portals", "np", build_portals } };
	bool chap = is(d, "attrib", "authentication", "1");
	const char *access = is(d, "attrib", "generate_node_acls", "1")
				     ? is(d, "attrib", "demo_mode_write_protect", "1")
					       ? "anyone-read"
					       : "anyone-write"
			     : count(d, "acls", "") ? "allow-list"
						    : "nobody may log in";
	json_t *n = is(d, "", "enable", "1") ? node(name, VIEW_TPG, access[0] == 'n' ? PLAIN : FINE,
						       "%s, %s", access, chap ? "CHAP" : "no CHAP")
					     : node(name, VIEW_TPG, BAD, "disabled");

	b->luns = json_object_get(dirs_of(d, ""), "lun");
	for (size_t i = 0; depth && i < 3; i++)
		add(n, parts[i].fn(b, parts[i].name, json_object_get(dirs_of(d, ""), parts[i].raw),
			       depth - 1));
	return n;
}

static json_t *build_target(struct builder *b, const char *name, const json_t *d, int depth)
{
	json_t *n = node(name, VIEW_TARGET, PLAIN, "TPGs: %u", count(d, "", "tpgt_"));

	add_each(b, n, d, "", "tpgt_", "tpg", depth, build_tpg);
	return n;
}

static json_t *build_fabric(struct builder *b, const char *name, const json_t *d, int depth)
{
	json_t *targets = json_object(), *n, *v;
	const char *key;

	json_object_foreach (dirs_of(d, ""), key, v) {
		if (strcmp(key, "discovery_auth") != 0)
			json_object_set(targets, key, v);
	}
	n = node(name, VIEW_FABRIC, PLAIN, "%sTargets: %zu",
		is(d, "discovery_auth", "enforce_discovery_auth", "1") ? "discovery by CHAP, " : "",
		json_object_size(targets));
	if (depth) {
		json_object_set_new(n, "children", json_array());
		json_object_foreach (targets, key, v)
			add(n, build_target(b, key, v, depth - 1));
	}
	json_decref(targets);
	return n;
}

/* ---- the whole ------------------------------------------------------------------------------- */

/*
 * depth < 0: all. What a directory holds is told in the summary of the last level: one level more.
 * A plugin of the view stands for all of /core, which has HBAs between.
 */
static json_t *dump(struct builder *b, const char *path, int depth, struct errmsg *err)
{
	int more = strcmp(path, "/core") ? 1 : 2;
	int levels = depth < 0 || depth + more > RAW_LEVELS_MAX ? RAW_LEVELS_MAX : depth + more;

	return cli_call(b->cli, "dump",
		json_pack("{s:s, s:i, s:s}", "path", path, "depth", levels, "names", NAMES), err);
}

/* A part of the root: an empty one if the daemon has none yet. */
static json_t *part(struct builder *b, const char *path, int depth, build_fn *fn)
{
	struct errmsg err = { 0 };
	json_t *d = dump(b, path, depth, &err), *n;

	n = fn(b, !strcmp(path, "/core") ? "backstores" : path + 1, d, depth);
	json_decref(d);
	return n;
}

static json_t *build_root(struct builder *b, int depth, struct errmsg *err)
{
	json_t *n = cli_call(b->cli, "version", NULL, err);

	json_decref(n); /* it is there */
	if (!n)
		return NULL;
	n = node("/", VIEW_ROOT, PLAIN, "...");
	if (depth) {
		add(n, part(b, "/core", depth - 1, build_backstores));
		add(n, part(b, "/iscsi", depth - 1, build_fabric));
	}
	return n;
}

static json_t *build(struct builder *b, const struct view_path *p, int depth, struct errmsg *err)
{
	static build_fn *const fns[VIEW_NKINDS] = { [VIEW_BACKSTORES] = build_backstores,
		[VIEW_ALUA] = build_alua,
		[VIEW_GROUP] = build_group,
		[VIEW_FABRIC] = build_fabric,
		[VIEW_TARGET] = build_target,
		[VIEW_TPG] = build_tpg,
		[VIEW_ACLS] = build_acls,
		[VIEW_ACL] = build_acl,
		[VIEW_MAPPED] = build_mapped,
		[VIEW_LUNS] = build_luns,
		[VIEW_LUN] = build_lun,
		[VIEW_PORTALS] = build_portals,
		[VIEW_PORTAL] = build_portal };
	struct strbuf raw;
	json_t *d, *n = NULL;

	strbuf_init(&raw);
	if (view_raw(b->cli, p, &raw, err)) {
		strbuf_done(&raw);
		return NULL;
	}
	d = dump(b, raw.s, depth, err);
	if (p->kind == VIEW_FABRIC && !d && err->code == -EIO) /* not made yet */
		n = build_fabric(b, view_name(p), NULL, depth);
	else if (d && p->kind == VIEW_PLUGIN)
		n = build_plugin(b, view_plugin_find(view_name(p)), d, depth);
	else if (d && p->kind == VIEW_STORAGE)
		n = build_storage(b, view_name(p), raw.s, d, depth);
	else if (d)
		n = fns[p->kind](b, view_name(p), d, depth);
	strbuf_done(&raw);
	json_decref(d);
	return n;
}

/* The LUNs that the mapped ones below an ACL lead to. */
static json_t *luns_of(struct builder *b, const struct view_path *p)
{
	struct view_path tpg;
	struct errmsg err;
	struct strbuf raw;
	json_t *d = NULL;

	if (p->kind < VIEW_ACLS || p->kind > VIEW_MAPPED || !view_up(p, VIEW_TPG, &tpg))
		return NULL;
	strbuf_init(&raw);
	if (!view_raw(b->cli, &tpg, &raw, &err)) {
		strbuf_puts(&raw, "/lun");
		d = dump(b, raw.s, 0, &err);
	}
	strbuf_done(&raw);
	return d;
}

json_t *view_tree(struct cli *cli, const struct view_path *p, int depth, struct errmsg *err)
{
	struct builder b = { cli, json_object(), false, NULL };
	json_t *luns = luns_of(&b, p), *n;

	b.luns = luns;

	/* One question for all disks where most of them are shown, else one by one. */
	if (p->kind <= VIEW_PLUGIN || p->kind == VIEW_FABRIC)
		learn_disks(&b);
	n = p->kind == VIEW_ROOT ? build_root(&b, depth, err) : build(&b, p, depth, err);
	json_decref(b.disks);
	json_decref(luns);
	return n;
}
