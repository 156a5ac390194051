/* SPDX-License-Identifier: BSD-3-Clause */
/* view.c: paths of the view and of the daemon's tree. */
#include "cli/view.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "cli/cli.h"

/* ---- the table ------------------------------------------------------------------------------- */

/* From a directory to one in it. */
static const struct step {
	enum view_kind from, to;
	enum {
		STEP_FIXED, /* this name; raw is its name in the daemon's tree */
		STEP_NUMBER, /* this and a number; raw and the number */
		STEP_PLUGIN, /* one of plugins[]; stands for no directory alone */
		STEP_ANY, /* any name, the same in both trees */
	} how;
	const char *name, *raw;
} steps[] = {
	{ VIEW_ROOT, VIEW_BACKSTORES, STEP_FIXED, "backstores", "core" },
	{ VIEW_BACKSTORES, VIEW_PLUGIN, STEP_PLUGIN, NULL, NULL },
	{ VIEW_PLUGIN, VIEW_STORAGE, STEP_ANY, NULL, NULL },
	{ VIEW_STORAGE, VIEW_ALUA, STEP_FIXED, "alua", "alua" },
	{ VIEW_ALUA, VIEW_GROUP, STEP_ANY, NULL, NULL },
	{ VIEW_ROOT, VIEW_FABRIC, STEP_FIXED, "iscsi", "iscsi" },
	{ VIEW_FABRIC, VIEW_TARGET, STEP_ANY, NULL, NULL },
	{ VIEW_TARGET, VIEW_TPG, STEP_NUMBER, "tpg", "tpgt_" },
	{ VIEW_TPG, VIEW_ACLS, STEP_FIXED, "acls", "acls" },
	{ VIEW_ACLS, VIEW_ACL, STEP_ANY, NULL, NULL },
	{ VIEW_ACL, VIEW_MAPPED, STEP_NUMBER, "mapped_lun", "lun_" },
	{ VIEW_TPG, VIEW_LUNS, STEP_FIXED, "luns", "lun" },
	{ VIEW_LUNS, VIEW_LUN, STEP_NUMBER, "lun", "lun_" },
	{ VIEW_TPG, VIEW_PORTALS, STEP_FIXED, "portals", "np" },
	{ VIEW_PORTALS, VIEW_PORTAL, STEP_ANY, NULL, NULL },
};

enum { NSTEPS = sizeof(steps) / sizeof(steps[0]) };

static const struct view_plugin plugins[] = {
	{ "block", "iblock", true },
	{ "fileio", "fileio", true },
	{ "pscsi", "pscsi", false },
	{ "ramdisk", "rd_mcp", true },
	{ "user", "user", false },
};

static const struct {
	const char *name, *doc;
} kinds[VIEW_NKINDS] = {
	[VIEW_RAW] = { "directory", "A directory of the daemon's tree, as LIO's configfs has it." },
	[VIEW_ROOT] = { "root", "All that is served." },
	[VIEW_BACKSTORES] = { "backstores", "The disks, by what they are made of." },
	[VIEW_PLUGIN] = { "backstore kind", "Disks of one kind." },
	[VIEW_STORAGE] = { "storage object", "A disk." },
	[VIEW_ALUA] = { "ALUA groups", "Groups of paths to the disk with an access state each." },
	[VIEW_GROUP] = { "ALUA group", "Paths to the disk with one access state." },
	[VIEW_FABRIC] = { "iSCSI", "The targets." },
	[VIEW_TARGET] = { "target", "A target with its portal groups." },
	[VIEW_TPG] = { "portal group", "Portals with the LUNs they show, and who may see them." },
	[VIEW_ACLS] = { "ACLs", "Who may log in." },
	[VIEW_ACL] = { "ACL", "An initiator, with the LUNs that it sees." },
	[VIEW_MAPPED] = { "mapped LUN", "A LUN as one initiator sees it." },
	[VIEW_LUNS] = { "LUNs", "The disks that the portal group shows." },
	[VIEW_LUN] = { "LUN", "A disk that the portal group shows." },
	[VIEW_PORTALS] = { "portals", "The addresses of the portal group." },
	[VIEW_PORTAL] = { "portal", "An address that the portal group listens on." },
};

const char *view_kind_name(enum view_kind kind)
{
	return kinds[kind].name;
}

const char *view_kind_doc(enum view_kind kind)
{
	return kinds[kind].doc;
}

/* ---- plugins --------------------------------------------------------------------------------- */

enum { NPLUGINS = sizeof(plugins) / sizeof(plugins[0]) };

const struct view_plugin *view_plugin_at(unsigned i)
{
	return i < NPLUGINS ? &plugins[i] : NULL;
}

const struct view_plugin *view_plugin_find(const char *name)
{
	size_t n = strcspn(name, ":"); /* user:handler */

	for (unsigned i = 0; i < NPLUGINS; i++) {
		if (strlen(plugins[i].name) == n && !strncmp(plugins[i].name, name, n) &&
			(!name[n] || !strcmp(plugins[i].name, "user")))
			return &plugins[i];
	}
	return NULL;
}

const struct view_plugin *view_plugin_of_hba(const char *hba)
{
	if (!strncmp(hba, "/core/", 6))
		hba += 6;
	for (unsigned i = 0; i < NPLUGINS; i++) {
		size_t n = strlen(plugins[i].hba);

		if (!strncmp(hba, plugins[i].hba, n) &&
			(!hba[n] || (hba[n] == '_' && isdigit((unsigned char)hba[n + 1]))))
			return &plugins[i];
	}
	return NULL;
}

/* ---- paths ----------------------------------------------------------------------------------- */

static bool is_number(const char *s)
{
	uint64_t n;

	return !num_parse_u64(s, 0, INT64_MAX, &n) && (s[0] != '0' || !s[1]);
}

static const struct step *step_of(enum view_kind from, const char *name)
{
	for (unsigned i = 0; i < NSTEPS; i++) {
		const struct step *s = &steps[i];
		const char *word = s->name ? s->name : "";
		size_t n = strlen(word);

		if (s->from != from)
			continue;
		if ((s->how == STEP_FIXED && !strcmp(name, word)) ||
			(s->how == STEP_NUMBER && !strncmp(name, word, n) && is_number(name + n)) ||
			(s->how == STEP_PLUGIN && view_plugin_find(name)) || s->how == STEP_ANY)
			return s;
	}
	return NULL;
}

/* The next component of a path into name. Where it ends, NULL: there is none. */
static const char *component(const char *p, char name[VIEW_NAME_CHARS])
{
	size_t n;

	p += strspn(p, "/");
	n = strcspn(p, "/");
	if (!n)
		return NULL;
	snprintf(name, VIEW_NAME_CHARS, "%.*s", (int)(n < VIEW_NAME_CHARS ? n : 0), p);
	return p + n;
}

static enum view_kind kind_of(const char *text)
{
	enum view_kind kind = VIEW_ROOT;
	char name[VIEW_NAME_CHARS];

	for (const char *p = text; (p = component(p, name));) {
		const struct step *s = step_of(kind, name);

		if (!s)
			return VIEW_RAW;
		kind = s->to;
	}
	return kind;
}

/* Append components of text to path, going up at "..". 0 or -ENAMETOOLONG. */
static int walk(char path[VIEW_PATH_CHARS], const char *text)
{
	size_t len = strlen(path); /* of "" for the root */

	for (const char *p = text; *p;) {
		size_t n;

		p += strspn(p, "/");
		n = strcspn(p, "/");
		if (n == 2 && !strncmp(p, "..", 2)) {
			char *slash = strrchr(path, '/');

			len = slash ? (size_t)(slash - path) : 0;
			path[len] = '\0';
		} else if (n && !(n == 1 && *p == '.')) {
			if (len + n + 2 > VIEW_PATH_CHARS || n >= VIEW_NAME_CHARS)
				return -ENAMETOOLONG;
			path[len++] = '/';
			memcpy(path + len, p, n);
			len += n;
			path[len] = '\0';
		}
		p += n;
	}
	return 0;
}

int view_resolve(
	const struct view_path *cwd, const char *text, struct view_path *ret, struct errmsg *err)
{
	struct view_path p = { 0 };
	int r = 0;

	if (text[0] != '/' && cwd)
		r = walk(p.text, cwd->text);
	if (!r)
		r = walk(p.text, text);
	if (r)
		return errmsg_set(err, r, "%.64s…: a path has at most %d bytes, a name %d", text,
			VIEW_PATH_CHARS - 1, VIEW_NAME_CHARS - 1);
	if (!p.text[0])
		strcpy(p.text, "/");
	p.kind = kind_of(p.text);
	*ret = p;
	return 0;
}

int view_child(
	const struct view_path *dir, const char *name, struct view_path *ret, struct errmsg *err)
{
	struct view_path p = *dir;

	if (strlen(p.text) + strlen(name) + 2 > sizeof(p.text))
		return errmsg_set(err, -ENAMETOOLONG, "%.64s: the path is too long", name);
	if (p.text[1])
		strcat(p.text, "/");
	strcat(p.text, name);
	p.kind = kind_of(p.text);
	*ret = p;
	return 0;
}

bool view_up(const struct view_path *p, enum view_kind kind, struct view_path *ret)
{
	struct view_path at = *p;

	while (at.kind != kind) {
		char *slash = strrchr(at.text, '/');

		if (!at.text[1])
			return false;
		slash[slash == at.text] = '\0';
		at.kind = kind_of(at.text);
	}
	*ret = at;
	return true;
}

const char *view_name(const struct view_path *p)
{
	const char *slash = strrchr(p->text, '/');

	return slash[1] ? slash + 1 : slash;
}

/* ---- the daemon's tree ----------------------------------------------------------------------- */

/* Where a storage object lies. */
static int storage_dir(struct cli *cli, const char *plugin, const char *name, struct strbuf *out,
	struct errmsg *err)
{
	char full[2 * VIEW_NAME_CHARS];
	json_t *rows;
	const char *dir;

	snprintf(full, sizeof(full), "%s/%s", view_plugin_find(plugin)->hba, name);
	rows = cli_call(cli, "disk.list", json_pack("{s:s}", "name", full), err);
	/* What the daemon itself refuses: it has no disk of this name. */
	if (!rows && err->code == -EIO)
		errmsg_set(err, -EIO, "/backstores/%s/%s: there is no such storage object", plugin,
			name);
	if (!rows)
		return err->code;
	dir = json_string_value(json_object_get(json_array_get(rows, 0), "dir"));
	strbuf_reset(out);
	strbuf_puts(out, dir ? dir : "");
	json_decref(rows);
	return dir ? 0 : errmsg_set(err, -EPROTO, "the daemon does not tell where %s lies", full);
}

/* An ACL by its name, or by the tag it alone has. */
static int acl_dir(struct cli *cli, const char *name, struct strbuf *out, struct errmsg *err)
{
	json_t *dump, *acl;
	const char *wwn, *found = NULL;
	int r = 0;

	if (strpbrk(name, ".:")) {
		strbuf_printf(out, "/%s", name);
		return 0;
	}
	dump = cli_call(cli, "dump",
		json_pack("{s:s, s:i, s:s}", "path", out->s, "depth", 1, "names", "tag"), err);
	if (!dump)
		return err->code;
	json_object_foreach (json_object_get(dump, "dirs"), wwn, acl) {
		const char *tag =
			json_string_value(json_object_get(json_object_get(acl, "attrs"), "tag"));

		if (!tag || strcmp(tag, name) != 0)
			continue;
		if (found && !r)
			r = errmsg_set(err, -EINVAL,
				"%s: several initiators have this tag: %s, %s …; name one of them",
				name, found, wwn);
		found = wwn;
	}
	strbuf_printf(out, "/%s", found ? found : name);
	json_decref(dump);
	return r;
}

int view_raw(struct cli *cli, const struct view_path *p, struct strbuf *out, struct errmsg *err)
{
	enum view_kind kind = VIEW_ROOT;
	char name[VIEW_NAME_CHARS], plugin[VIEW_NAME_CHARS] = "";
	int r = 0;

	strbuf_reset(out);
	if (p->kind == VIEW_RAW || p->kind == VIEW_ROOT) {
		strbuf_puts(out, p->text);
		return 0;
	}
	for (const char *at = p->text; !r && (at = component(at, name));) {
		const struct step *s = step_of(kind, name);

		kind = s->to;
		if (s->how == STEP_FIXED)
			strbuf_printf(out, "/%s", s->raw);
		else if (s->how == STEP_NUMBER)
			strbuf_printf(out, "/%s%s", s->raw, name + strlen(s->name));
		else if (s->how == STEP_PLUGIN)
			strcpy(plugin, name);
		else if (kind == VIEW_STORAGE)
			r = storage_dir(cli, plugin, name, out, err);
		else if (kind == VIEW_ACL)
			r = acl_dir(cli, name, out, err);
		else
			strbuf_printf(out, "/%s", name);
	}
	return r;
}

int view_check(struct cli *cli, const struct view_path *p, struct errmsg *err)
{
	struct strbuf raw;
	json_t *found = NULL;
	int r;

	strbuf_init(&raw);
	r = view_raw(cli, p, &raw, err);
	/* Part of the view, and made when first needed. */
	if (!r && p->kind != VIEW_FABRIC && p->kind != VIEW_PLUGIN) {
		found = cli_call(cli, "dump",
			json_pack("{s:s, s:i, s:s}", "path", raw.s, "depth", 0, "names", ""), err);
		r = found ? 0 : err->code;
		if (r == -EIO)
			errmsg_set(err, r, "%s: there is no such %s", p->text,
				view_kind_name(p->kind));
	}
	strbuf_done(&raw);
	json_decref(found);
	return r;
}

/* Names in a plugin's directory. */
static void list_plugin(struct cli *cli, const char *plugin, json_t *out)
{
	const struct view_plugin *want = view_plugin_find(plugin);
	struct errmsg err;
	json_t *rows = cli_call(cli, "disk.list", NULL, &err), *row;
	size_t i;

	json_array_foreach (rows, i, row) {
		const char *dir = json_string_value(json_object_get(row, "dir"));

		if (dir && view_plugin_of_hba(dir) == want)
			json_array_append(out, json_object_get(row, "name"));
	}
	json_decref(rows);
}

/* Directories that the daemon has there: those of a step, under their names in the view. */
static void list_made(struct cli *cli, const struct view_path *p, const struct step *s, json_t *out)
{
	size_t skip = s && s->how == STEP_NUMBER ? strlen(s->raw) : 0;
	struct errmsg err;
	struct strbuf raw;
	json_t *d = NULL, *v;
	const char *name;
	char shown[VIEW_NAME_CHARS + 32];

	strbuf_init(&raw);
	if (!view_raw(cli, p, &raw, &err))
		d = cli_call(cli, "dump",
			json_pack("{s:s, s:i, s:s}", "path", raw.s, "depth", 0, "names", ""), &err);
	strbuf_done(&raw);
	json_object_foreach (json_object_get(d, "dirs"), name, v) {
		if ((skip && strncmp(name, s->raw, skip) != 0) ||
			(p->kind == VIEW_FABRIC && !strcmp(name, "discovery_auth")))
			continue;
		snprintf(shown, sizeof(shown), "%s%s", skip ? s->name : "", name + skip);
		json_array_append_new(out, json_string(shown));
	}
	json_decref(d);
}

json_t *view_list(struct cli *cli, const struct view_path *p)
{
	json_t *out = json_array();

	if (p->kind == VIEW_RAW)
		list_made(cli, p, NULL, out);
	if (p->kind == VIEW_PLUGIN)
		list_plugin(cli, view_name(p), out);
	for (unsigned i = 0; i < NSTEPS; i++) {
		const struct step *s = &steps[i];

		if (s->from != p->kind || p->kind == VIEW_PLUGIN)
			continue;
		if (s->how == STEP_FIXED)
			json_array_append_new(out, json_string(s->name));
		else if (s->how != STEP_PLUGIN)
			list_made(cli, p, s, out);
		for (unsigned k = 0; s->how == STEP_PLUGIN && k < NPLUGINS; k++) {
			/* None can be made there. */
			if (strcmp(plugins[k].name, "pscsi") != 0)
				json_array_append_new(out, json_string(plugins[k].name));
		}
	}
	return out;
}
