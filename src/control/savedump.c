/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * savedump.c: tree -> saveconfig.json. It reads the same files as rtslib does, in the same way:
 * what is not an attribute of its own (size, mode) comes from the text of "info".
 */
#include "control/savedump.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/num.h"
#include "control/rpc.h"
#include "control/saveauth.h"
#include "control/saveschema.h"
#include "tree/limits.h"

/* ---- reading --------------------------------------------------------------------------------- */

struct node *savedump_dir(struct node *dir, const char *path)
{
	char name[TREE_NAME_MAX + 1];

	while (dir && *path) {
		size_t n = strcspn(path, "/");

		if (n > TREE_NAME_MAX)
			return NULL;
		memcpy(name, path, n);
		name[n] = '\0';
		path += path[n] ? n + 1 : n;
		dir = node_child(dir, name);
	}
	return dir;
}

bool savedump_value(struct tree *t, struct node *dir, const char *path, struct strbuf *out)
{
	const char *slash = strrchr(path, '/');
	char where[TREE_NAME_MAX + 1];
	const struct attr *a;

	strbuf_reset(out);
	if (slash) {
		if (slash - path > TREE_NAME_MAX)
			return false;
		memcpy(where, path, (size_t)(slash - path));
		where[slash - path] = '\0';
		dir = savedump_dir(dir, where);
	}
	a = dir ? node_attr(dir, slash ? slash + 1 : path) : NULL;
	return a && a->get && !tree_get(t, dir, a->name, out, NULL);
}

void savedump_forget(struct strbuf *b)
{
	if (b->s)
		explicit_bzero(b->s, b->len);
	strbuf_done(b);
}

/* int() of Python, where it yields what was there: digits with an optional sign. */
static json_t *number_or_text(const char *s)
{
	int64_t v;

	return num_parse_i64(s, INT64_MIN, INT64_MAX, &v) ? json_text(s) : json_integer(v);
}

static void set_text(
	struct tree *t, struct node *dir, const char *path, json_t *obj, const char *key)
{
	struct strbuf b;

	strbuf_init(&b);
	if (savedump_value(t, dir, path, &b) && b.len)
		json_object_set_new(obj, key, json_text(b.s));
	strbuf_done(&b);
}

static void set_bool(
	struct tree *t, struct node *dir, const char *path, json_t *obj, const char *key)
{
	struct strbuf b;

	strbuf_init(&b);
	json_object_set_new(
		obj, key, json_boolean(savedump_value(t, dir, path, &b) && b.s[0] == '1'));
	strbuf_done(&b);
}

/*
 * Everything that can be read and written in a directory; as text, or numbers where they are
 * such.
 */
static json_t *values_of(struct tree *t, struct node *dir, bool text)
{
	json_t *out = json_object();
	const struct attr *a;
	struct strbuf b;

	if (!dir)
		return out;
	strbuf_init(&b);
	attr_for_each (a, node_type(dir)->attrs) {
		if (!a->get || !a->set || a->flags & ATTR_UNSAVED)
			continue;
		strbuf_reset(&b);
		if (!tree_get(t, dir, a->name, &b, NULL))
			json_object_set_new(
				out, a->name, text ? json_text(b.s) : number_or_text(b.s));
	}
	strbuf_done(&b);
	return out;
}

/* The word after "key: " in info, as rtslib finds it: the last match, up to a blank or ':'. */
static bool info_word(const char *info, const char *key, char *ret, size_t cap)
{
	char want[32];
	const char *at = NULL, *p = info;
	size_t n;

	snprintf(want, sizeof(want), "%s: ", key);
	while ((p = strstr(p, want))) {
		p += strlen(want);
		at = p;
	}
	n = at ? strcspn(at, " :\n") : 0;
	if (!n || n >= cap)
		return false;
	memcpy(ret, at, n);
	ret[n] = '\0';
	return true;
}

/* ---- storage objects ------------------------------------------------------------------------- */

/* The plugin that a device directory belongs to, NULL if it is none. */
static const char *disk_plugin(struct node *disk)
{
	struct node *hba = node_parent(disk);
	char name[TREE_NAME_MAX + 1], *index;

	if (!hba || !node_parent(hba) || strcmp(node_name(node_parent(hba)), "core") != 0)
		return NULL;
	snprintf(name, sizeof(name), "%s", node_name(hba));
	index = strrchr(name, '_');
	if (!index)
		return NULL;
	*index = '\0';
	return saveschema_plugin(name);
}

bool savedump_disk_key(struct node *disk, struct strbuf *out)
{
	const char *plugin = disk_plugin(disk);

	if (plugin)
		strbuf_printf(out, "/backstores/%s/%s", plugin, node_name(disk));
	return plugin;
}

/* Numbers behind the words of an ALUA group. */
static const struct {
	const char *text;
	int value;
} alua_words[] = {
	{ "Implicit and Explicit", 3 },
	{ "Explicit", 2 },
	{ "Implicit", 1 },
	{ "Altered by Explicit STPG", 1 },
	{ "Altered by Implicit ALUA", 2 },
	{ "None", 0 },
};

static json_t *dump_alua_group(struct tree *t, struct node *group)
{
	json_t *out = values_of(t, group, false), *v;
	const char *key;
	void *tmp;

	json_object_foreach_safe (out, tmp, key, v) {
		for (size_t i = 0; i < sizeof(alua_words) / sizeof(alua_words[0]); i++) {
			if (json_is_string(v) &&
				!strcmp(json_string_value(v), alua_words[i].text)) {
				json_object_set_new(out, key, json_integer(alua_words[i].value));
				break;
			}
		}
		/* Not set, as in a group without an id: nothing to save. */
		if (json_is_string(json_object_get(out, key)))
			json_object_del(out, key);
	}
	/* rtslib takes it for read-only and does not save it. */
	json_object_del(out, "alua_support_lba_dependent");
	json_object_set_new(out, "name", json_text(node_name(group)));
	return out;
}

static json_t *dump_alua(struct tree *t, struct node *disk)
{
	struct node *alua = node_child(disk, "alua");
	json_t *out = json_array();

	for (struct node *g = alua ? node_first_child(alua) : NULL; g; g = node_next_child(alua, g))
		json_array_append_new(out, dump_alua_group(t, g));
	return out;
}

static void set_info_size(json_t *out, const char *info, const char *key)
{
	char word[32];
	uint64_t v;

	if (info_word(info, key, word, sizeof(word)) && !num_parse_u64(word, 0, INT64_MAX, &v))
		json_object_set_new(out, "size", json_integer((json_int_t)v));
}

static void set_info_bool(
	json_t *out, const char *info, const char *key, const char *yes, const char *as)
{
	char word[32];
	bool on = info_word(info, key, word, sizeof(word)) && !strcmp(word, yes);

	json_object_set_new(out, as, json_boolean(on));
}

static void dump_fileio(json_t *out, const char *info)
{
	set_info_size(out, info, "Size");
	set_info_bool(out, info, "Mode", "Buffered-WCE", "write_back");
	set_info_bool(out, info, "Async", "1", "aio");
}

static void dump_block(json_t *out, const char *info)
{
	set_info_bool(out, info, "readonly", "1", "readonly");
	/* Of new kernels, and of use where it is not as it always was. */
	if (strstr(info, "exclusive: 0"))
		json_object_set_new(out, "exclusive", json_false());
	json_object_set_new(out, "write_back", json_false());
}

static void dump_ramdisk(json_t *out, const char *info)
{
	const char *pages = strstr(info, "PAGES/PAGE_SIZE: ");
	char word[32];

	if (pages)
		json_object_set_new(out, "size",
			json_integer(
				4096 * strtoll(pages + strlen("PAGES/PAGE_SIZE: "), NULL, 10)));
	if (info_word(info, "nullio", word, sizeof(word)) && !strcmp(word, "1"))
		json_object_set_new(out, "nullio", json_true());
}

static void dump_user(json_t *out, const char *info)
{
	const char *config = strstr(info, "Config: "), *end = NULL, *p = config;

	set_info_size(out, info, "Size");
	/* Settings may have the word too: the last one is the size's. */
	while (p && (p = strstr(p, " Size: ")))
		end = p++;
	if (!end)
		return;
	config += strlen("Config: ");
	if (end < config)
		return;
	json_object_set_new(out, "config", json_stringn(config, (size_t)(end - config)));
}

static const struct {
	const char *plugin;
	void (*dump)(json_t *out, const char *info);
	bool has_dev;
} kinds[] = {
	{ "fileio", dump_fileio, true },
	{ "block", dump_block, true },
	{ "ramdisk", dump_ramdisk, false },
	{ "user", dump_user, false },
};

json_t *savedump_disk(struct tree *t, struct node *disk)
{
	const char *plugin = disk_plugin(disk), *serial;
	struct strbuf b;
	json_t *out;

	if (!plugin)
		return NULL;
	out = json_pack("{s:o, s:s, s:o, s:o}", "name", json_text(node_name(disk)), "plugin",
		plugin, "attributes", values_of(t, node_child(disk, "attrib"), false), "alua_tpgs",
		dump_alua(t, disk));
	strbuf_init(&b);
	savedump_value(t, disk, "info", &b);
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strcmp(kinds[i].plugin, plugin) != 0)
			continue;
		kinds[i].dump(out, b.s);
		if (kinds[i].has_dev)
			set_text(t, disk, "udev_path", out, "dev");
	}
	if (savedump_value(t, disk, "wwn/vpd_unit_serial", &b) && (serial = strchr(b.s, ':'))) {
		serial += 1 + strspn(serial + 1, " ");
		json_object_set_new(out, "wwn", json_text(serial));
	}
	strbuf_done(&b);
	return out;
}

/* ---- targets --------------------------------------------------------------------------------- */

/* CHAP names and secrets, where they are set. */
static const struct {
	const char *attr, *chap, *discovery;
} auth_keys[] = {
	{ "userid", "chap_userid", "discovery_userid" },
	{ "password", "chap_password", "discovery_password" },
	{ "userid_mutual", "chap_mutual_userid", "discovery_mutual_userid" },
	{ "password_mutual", "chap_mutual_password", "discovery_mutual_password" },
};

static void dump_auth(struct tree *t, struct node *auth, json_t *out, bool discovery)
{
	struct strbuf b;

	strbuf_init(&b);
	for (size_t i = 0; auth && i < sizeof(auth_keys) / sizeof(auth_keys[0]); i++) {
		if (!savedump_value(t, auth, auth_keys[i].attr, &b) || !b.len ||
			!strncmp(b.s, "NULL", 4))
			continue;
		json_object_set_new(out, discovery ? auth_keys[i].discovery : auth_keys[i].chap,
			json_text(b.s));
	}
	savedump_forget(&b);
}

/* N of "lun_N", "tpgt_N". */
static json_t *index_of(struct node *n)
{
	const char *s = strrchr(node_name(n), '_');

	return json_integer(s ? strtoll(s + 1, NULL, 0) : 0);
}

/* The link of a LUN to its disk, and the disk's key. False: it shows nothing. */
static bool lun_disk(struct node *lun, struct node_link *ret, struct strbuf *key)
{
	return node_link_at(lun, 0, ret) && savedump_disk_key(ret->target, key);
}

static json_t *dump_lun(struct tree *t, struct node *lun)
{
	static const char alias[] = "TG Port Alias: ";
	json_t *out = json_pack("{s:o, s:n}", "index", index_of(lun), "alua_tg_pt_gp_name");
	struct node_link l;
	struct strbuf b;

	strbuf_init(&b);
	if (!lun_disk(lun, &l, &b)) {
		strbuf_done(&b);
		json_decref(out);
		return NULL; /* rtslib leaves it out too */
	}
	json_object_set_new(out, "storage_object", json_text(b.s));
	json_object_set_new(out, "alias", json_text(l.name));
	if (savedump_value(t, lun, "alua_tg_pt_gp", &b) && !strncmp(b.s, alias, strlen(alias))) {
		b.s[strcspn(b.s, "\n")] = '\0';
		json_object_set_new(out, "alua_tg_pt_gp_name", json_text(b.s + strlen(alias)));
	}
	strbuf_done(&b);
	return out;
}

static json_t *dump_portal(struct tree *t, struct node *np)
{
	const char *name = node_name(np), *colon = strrchr(name, ':'), *at = strchr(name, '@');
	json_t *out;

	if (!colon)
		return NULL;
	out = json_pack("{s:o, s:I}", "ip_address", json_stringn(name, (size_t)(colon - name)),
		"port", (json_int_t)strtoll(colon + 1, NULL, 10));
	if (at)
		json_object_set_new(out, "netns", json_text(at + 1));
	set_bool(t, np, "iser", out, "iser");
	set_bool(t, np, "cxgbit", out, "offload");
	return out;
}

static json_t *dump_mapped_lun(struct tree *t, struct node *ml)
{
	struct node_link l, disk;
	struct strbuf key;
	json_t *out;
	bool shown;

	strbuf_init(&key);
	/* With its LUN left out it could not be restored. */
	shown = node_link_at(ml, 0, &l) && lun_disk(l.target, &disk, &key);
	strbuf_done(&key);
	if (!shown)
		return NULL;
	out = json_pack("{s:o, s:o, s:o}", "index", index_of(ml), "tpg_lun", index_of(l.target),
		"alias", json_text(l.name));
	set_bool(t, ml, "write_protect", out, "write_protect");
	return out;
}

/* What dump says of each child of dir whose name begins with prefix. */
static json_t *dump_children(struct tree *t, struct node *dir, const char *prefix,
	json_t *(*dump)(struct tree *t, struct node *n))
{
	json_t *out = json_array();

	for (struct node *n = dir ? node_first_child(dir) : NULL; n; n = node_next_child(dir, n)) {
		json_t *j = NULL;

		if (!node_is_default(n) && !strncmp(node_name(n), prefix, strlen(prefix)))
			j = dump(t, n);
		if (j)
			json_array_append_new(out, j);
	}
	return out;
}

static json_t *dump_acl(struct tree *t, struct node *acl)
{
	json_t *out = json_pack("{s:o, s:o, s:o}", "node_wwn", json_text(node_name(acl)),
		"attributes", values_of(t, node_child(acl, "attrib"), false), "mapped_luns",
		dump_children(t, acl, "lun_", dump_mapped_lun));

	set_text(t, acl, "tag", out, "tag");
	dump_auth(t, node_child(acl, "auth"), out, false);
	return out;
}

static json_t *dump_tpg(struct tree *t, struct node *tpg)
{
	json_t *out = json_pack("{s:o, s:o, s:o, s:o, s:o, s:o}", "tag", index_of(tpg),
		"attributes", values_of(t, node_child(tpg, "attrib"), false), "parameters",
		values_of(t, node_child(tpg, "param"), true), "luns",
		dump_children(t, node_child(tpg, "lun"), "lun_", dump_lun), "portals",
		dump_children(t, node_child(tpg, "np"), "", dump_portal), "node_acls",
		dump_children(t, node_child(tpg, "acls"), "", dump_acl));

	set_bool(t, tpg, "enable", out, "enable");
	dump_auth(t, node_child(tpg, "auth"), out, false);
	return out;
}

static json_t *dump_target(struct tree *t, struct node *target)
{
	json_t *out = json_pack("{s:s, s:o, s:o}", "fabric", "iscsi", "wwn",
		json_text(node_name(target)), "tpgs", dump_children(t, target, "tpgt_", dump_tpg));
	json_t *params = values_of(t, node_child(target, "param"), true);

	if (json_object_size(params))
		json_object_set(out, "parameters", params);
	json_decref(params);
	return out;
}

static json_t *dump_fabrics(struct tree *t, struct node *iscsi)
{
	struct node *auth = iscsi ? node_child(iscsi, "discovery_auth") : NULL;
	json_t *out = json_array(), *f;
	struct strbuf b;

	strbuf_init(&b);
	if (auth && savedump_value(t, auth, "enforce_discovery_auth", &b) && b.s[0] == '1') {
		f = json_pack("{s:s, s:b}", "name", "iscsi", "discovery_enable_auth", 1);
		dump_auth(t, auth, f, true);
		json_array_append_new(out, f);
	}
	strbuf_done(&b);
	return out;
}

/* ---- what LIO's schema has no place for ------------------------------------------------------ */

/*
 * Directories of objects whose attributes are saved beside, and those attributes there that are in
 * LIO's file, or are no configuration.
 */
static const struct extra {
	const char *dir;
	const char *const * not ;
} disk_extras[] = {
	{ "", (const char *const[]){ "enable", "udev_path", "alua_lu_gp", NULL } },
	{ "wwn", (const char *const[]){ "vpd_unit_serial", NULL } },
	{ NULL },
}, fabric_extras[] = {
	{ "", (const char *const[]){ NULL } },
	{ NULL },
}, isns_extras[] = {
	{ "", (const char *const[]){ NULL } },
	{ NULL },
}, target_extras[] = {
	{ "param", (const char *const[]){ NULL } },
	{ NULL },
}, tpg_extras[] = {
	{ "", (const char *const[]){ "enable", NULL } },
	{ NULL },
}, portal_extras[] = {
	{ "", (const char *const[]){ "iser", "cxgbit", NULL } },
	{ NULL },
}, acl_extras[] = {
	{ "", (const char *const[]){ "tag", NULL } },
	{ NULL },
};

static bool is_in(const char *const *list, const char *name)
{
	while (*list && strcmp(*list, name) != 0)
		list++;
	return *list;
}

static void add_extras(
	struct tree *t, struct node *n, const struct extra *what, const char *key, json_t *extras)
{
	json_t *out = json_object();
	const struct attr *a;
	struct strbuf b, path;

	strbuf_init(&b);
	strbuf_init(&path);
	for (; what->dir; what++) {
		struct node *dir = savedump_dir(n, what->dir);

		attr_for_each (a, dir ? node_type(dir)->attrs : NULL) {
			if (!a->get || !a->set ||
				a->flags & (ATTR_UNSAVED | ATTR_SECRET | ATTR_STAT) ||
				is_in(what->not, a->name))
				continue;
			strbuf_reset(&path);
			strbuf_puts(&path, what->dir);
			if (*what->dir)
				strbuf_putc(&path, '/');
			strbuf_puts(&path, a->name);
			strbuf_reset(&b);
			if (!tree_get(t, dir, a->name, &b, NULL) && b.len)
				json_object_set_new(out, path.s, json_text(b.s));
		}
	}
	if (json_object_size(out))
		json_object_set(extras, key, out);
	json_decref(out);
	strbuf_done(&b);
	strbuf_done(&path);
}

static void add_path_extras(
	struct tree *t, struct node *n, const struct extra *what, json_t *extras)
{
	struct strbuf path;

	strbuf_init(&path);
	node_path(n, &path);
	add_extras(t, n, what, path.s, extras);
	strbuf_done(&path);
}

/* An attribute that is a rare exception: kept only if it is not what it is without. */
static void add_exception(
	struct tree *t, struct node *n, const char *attr, const char *usual, json_t *values)
{
	struct strbuf b;

	strbuf_init(&b);
	if (node_attr(n, attr) && !tree_get(t, n, attr, &b, NULL) && b.len &&
		strncmp(b.s, usual, strlen(usual)) != 0)
		json_object_set_new(values, attr, json_text(b.s));
	strbuf_done(&b);
}

/* Add values to what is there for key, if there are any; drops the reference. */
static void merge_extras(json_t *extras, const char *key, json_t *values)
{
	json_t *there = json_object_get(extras, key);

	if (there)
		json_object_update(there, values);
	else if (json_object_size(values))
		json_object_set(extras, key, values);
	json_decref(values);
}

/* Of a disk: its LU group, and what LIO does not save of its target port groups. */
static void add_alua_extras(struct tree *t, struct node *disk, const char *key, json_t *extras)
{
	struct node *alua = node_child(disk, "alua");
	json_t *values = json_object();
	struct strbuf path;

	add_exception(t, disk, "alua_lu_gp", "LU Group Alias: default_lu_gp\n", values);
	merge_extras(extras, key, values);
	strbuf_init(&path);
	for (struct node *g = alua ? node_first_child(alua) : NULL; g;
		g = node_next_child(alua, g)) {
		values = json_object();
		add_exception(t, g, "alua_support_lba_dependent", "0", values);
		strbuf_reset(&path);
		strbuf_printf(&path, "%s/alua/%s", key, node_name(g));
		merge_extras(extras, path.s, values);
	}
	strbuf_done(&path);
}

/* Of LUNs: their secondary access state. */
static void add_lun_extras(struct tree *t, struct node *luns, json_t *extras)
{
	struct strbuf path;

	strbuf_init(&path);
	for (struct node *l = luns ? node_first_child(luns) : NULL; l;
		l = node_next_child(luns, l)) {
		json_t *values = json_object();

		add_exception(t, l, "alua_tg_pt_offline", "0", values);
		add_exception(t, l, "alua_tg_pt_write_md", "0", values);
		strbuf_reset(&path);
		node_path(l, &path);
		merge_extras(extras, path.s, values);
	}
	strbuf_done(&path);
}

static void add_lu_groups(struct tree *t, json_t *extras)
{
	struct node *dir = tree_lookup(t, "/core/alua/lu_gps");
	json_t *ids = json_object();
	struct strbuf b;

	strbuf_init(&b);
	for (struct node *g = dir ? node_first_child(dir) : NULL; g; g = node_next_child(dir, g))
		if (!node_is_default(g) && savedump_value(t, g, "lu_gp_id", &b) && b.len)
			json_object_set_new(ids, node_name(g), json_text(b.s));
	strbuf_done(&b);
	merge_extras(extras, SAVEDUMP_LU_GROUPS, ids);
}

static void add_children_extras(
	struct tree *t, struct node *dir, const struct extra *what, json_t *extras)
{
	for (struct node *n = dir ? node_first_child(dir) : NULL; n; n = node_next_child(dir, n))
		add_path_extras(t, n, what, extras);
}

/* Of a portal group and its ACLs. */
static void add_auth_extras(struct tree *t, struct node *tpg, json_t *extras)
{
	struct node *acls = node_child(tpg, "acls"), *n;

	saveauth_dump(t, node_child(tpg, "auth"), extras);
	for (n = acls ? node_first_child(acls) : NULL; n; n = node_next_child(acls, n))
		saveauth_dump(t, node_child(n, "auth"), extras);
}

static void add_target_extras(struct tree *t, struct node *target, json_t *extras)
{
	struct node *tpg;

	add_path_extras(t, target, target_extras, extras);
	for (tpg = node_first_child(target); tpg; tpg = node_next_child(target, tpg)) {
		if (node_is_default(tpg))
			continue;
		add_path_extras(t, tpg, tpg_extras, extras);
		add_children_extras(t, node_child(tpg, "np"), portal_extras, extras);
		add_children_extras(t, node_child(tpg, "acls"), acl_extras, extras);
		add_auth_extras(t, tpg, extras);
		add_lun_extras(t, node_child(tpg, "lun"), extras);
	}
}

/* ---- all of it ------------------------------------------------------------------------------- */

static void dump_disks(struct tree *t, json_t *list, json_t *extras)
{
	struct node *core = node_child(tree_root(t), "core"), *hba, *d;
	struct strbuf key;

	strbuf_init(&key);
	for (hba = core ? node_first_child(core) : NULL; hba; hba = node_next_child(core, hba)) {
		for (d = node_first_child(hba); d; d = node_next_child(hba, d)) {
			json_t *j = node_is_default(hba) ? NULL : savedump_disk(t, d);

			if (!j)
				continue;
			json_array_append_new(list, j);
			strbuf_reset(&key);
			savedump_disk_key(d, &key);
			add_extras(t, d, disk_extras, key.s, extras);
			add_alua_extras(t, d, key.s, extras);
		}
	}
	strbuf_done(&key);
}

int savedump(struct tree *t, json_t **ret_config, json_t **ret_extras)
{
	struct node *iscsi = node_child(tree_root(t), "iscsi"), *n;
	struct node *isns = node_child(tree_root(t), "isns");
	json_t *disks = json_array(), *targets = json_array(), *extras = json_object(), *config;

	dump_disks(t, disks, extras);
	add_lu_groups(t, extras);
	if (iscsi) {
		add_path_extras(t, iscsi, fabric_extras, extras);
		saveauth_dump(t, node_child(iscsi, "discovery_auth"), extras);
	}
	if (isns)
		add_path_extras(t, isns, isns_extras, extras);
	for (n = iscsi ? node_first_child(iscsi) : NULL; n; n = node_next_child(iscsi, n)) {
		if (node_is_default(n))
			continue;
		json_array_append_new(targets, dump_target(t, n));
		add_target_extras(t, n, extras);
	}
	config = json_pack("{s:o, s:o, s:o}", "fabric_modules", dump_fabrics(t, iscsi),
		"storage_objects", disks, "targets", targets);
	if (!config) {
		json_decref(extras);
		return -ENOMEM;
	}
	*ret_config = config;
	*ret_extras = extras;
	return 0;
}
