/* SPDX-License-Identifier: BSD-3-Clause */
/* saveschema.c: the tables of saveconfig.json and the checks that they drive. */
#include "control/saveschema.h"

#include <arpa/inet.h>
#include <inttypes.h>
#include <string.h>

#include "control/limits.h"
#include "tree/node.h"

enum field_type { F_STRING, F_INT, F_BOOL, F_VALUES, F_LIST };

enum { REQUIRED = 1, MAY_BE_NULL = 2, MAY_BE_EMPTY = 4, IS_NAME = 8 };

struct check;

struct field {
	const char *key;
	enum field_type type;
	unsigned flags;
	int64_t min, max; /* F_INT */
	const struct object_schema *items; /* F_LIST */
};

struct object_schema {
	const char *what;
	const struct field *fields; /* ends with a NULL key */
	/* After the fields were checked and found good. */
	void (*check)(struct check *c, const json_t *obj);
};

/* The state of a check: where it is, and what it has seen. */
struct check {
	struct problems *p;
	struct strbuf path;
	json_t *disks; /* "/backstores/fileio/d0" -> true */
	json_t *targets; /* wwn -> true */
	json_t *luns; /* of the portal group at hand: "3" -> true */
};

static const struct {
	const char *plugin, *hba;
} plugins[] = {
	{ "fileio", "fileio" },
	{ "block", "iblock" },
	{ "ramdisk", "rd_mcp" },
	{ "pscsi", "pscsi" },
	{ "user", "user" },
};

const char *saveschema_hba(const char *plugin)
{
	for (size_t i = 0; i < sizeof(plugins) / sizeof(plugins[0]); i++) {
		if (!strcmp(plugins[i].plugin, plugin))
			return plugins[i].hba;
	}
	return NULL;
}

const char *saveschema_plugin(const char *hba)
{
	for (size_t i = 0; i < sizeof(plugins) / sizeof(plugins[0]); i++) {
		if (!strcmp(plugins[i].hba, hba))
			return plugins[i].plugin;
	}
	return NULL;
}

/* ---- what an object of each kind may hold ---------------------------------------------------- */

#define U32_MAX 4294967295

static void check_disk(struct check *c, const json_t *obj);
static void check_target(struct check *c, const json_t *obj);
static void check_tpg(struct check *c, const json_t *obj);
static void check_lun(struct check *c, const json_t *obj);
static void check_portal(struct check *c, const json_t *obj);
static void check_mapped_lun(struct check *c, const json_t *obj);

static const struct field alua_fields[] = {
	{ "name", F_STRING, REQUIRED | IS_NAME },
	{ "tg_pt_gp_id", F_INT, REQUIRED, 0, 65535 },
	{ "alua_access_state", F_INT, 0, 0, 15 },
	{ "alua_access_status", F_INT, 0, 0, 2 },
	{ "alua_access_type", F_INT, 0, 0, 3 },
	{ "alua_write_metadata", F_INT, 0, 0, 1 },
	{ "preferred", F_INT, 0, 0, 1 },
	{ "nonop_delay_msecs", F_INT, 0, 0, 10000 },
	{ "trans_delay_msecs", F_INT, 0, 0, 30000 },
	{ "implicit_trans_secs", F_INT, 0, 0, 255 },
	{ "alua_support_offline", F_INT, 0, 0, 1 },
	{ "alua_support_standby", F_INT, 0, 0, 1 },
	{ "alua_support_transitioning", F_INT, 0, 0, 1 },
	{ "alua_support_active_nonoptimized", F_INT, 0, 0, 1 },
	{ "alua_support_unavailable", F_INT, 0, 0, 1 },
	{ "alua_support_active_optimized", F_INT, 0, 0, 1 },
	{ "alua_support_lba_dependent", F_INT, 0, 0, 1 },
	{ NULL },
};
static const struct object_schema alua_schema = { "an ALUA group", alua_fields, NULL };

static const struct field disk_fields[] = {
	{ "name", F_STRING, REQUIRED | IS_NAME },
	{ "plugin", F_STRING, REQUIRED },
	{ "attributes", F_VALUES },
	{ "alua_tpgs", F_LIST, .items = &alua_schema },
	{ "dev", F_STRING, 0 },
	{ "size", F_INT, 0, 0, INT64_MAX },
	{ "wwn", F_STRING, MAY_BE_NULL | MAY_BE_EMPTY },
	{ "write_back", F_BOOL },
	{ "aio", F_BOOL },
	{ "readonly", F_BOOL },
	{ "exclusive", F_BOOL },
	{ "nullio", F_BOOL },
	{ "config", F_STRING, 0 },
	{ "control", F_STRING, MAY_BE_NULL | MAY_BE_EMPTY },
	{ "hw_max_sectors", F_INT, MAY_BE_NULL, 0, U32_MAX },
	/* Of old files, without meaning for LIO too. */
	{ "buffered_mode", F_BOOL },
	{ "exists", F_BOOL },
	{ NULL },
};
static const struct object_schema disk_schema = { "a storage object", disk_fields, check_disk };

static const struct field lun_fields[] = {
	{ "index", F_INT, REQUIRED, 0, 65535 },
	{ "storage_object", F_STRING, REQUIRED },
	{ "alias", F_STRING, IS_NAME },
	{ "alua_tg_pt_gp_name", F_STRING, MAY_BE_NULL },
	{ NULL },
};
static const struct object_schema lun_schema = { "a LUN", lun_fields, check_lun };

static const struct field portal_fields[] = {
	{ "ip_address", F_STRING, REQUIRED },
	{ "port", F_INT, REQUIRED, 1, 65535 },
	/* Ours; LIO's tools pass over it. */
	{ "netns", F_STRING, 0 },
	{ "iser", F_BOOL },
	{ "offload", F_BOOL },
	{ NULL },
};
static const struct object_schema portal_schema = { "a portal", portal_fields, check_portal };

static const struct field mapped_lun_fields[] = {
	{ "index", F_INT, REQUIRED, 0, 65535 },
	{ "tpg_lun", F_INT, REQUIRED, 0, 65535 },
	{ "write_protect", F_BOOL },
	{ "alias", F_STRING, IS_NAME },
	{ NULL },
};
static const struct object_schema mapped_lun_schema = { "a mapped LUN", mapped_lun_fields,
	check_mapped_lun };

#define CHAP_FIELDS                                                                                \
	{ "chap_userid", F_STRING, MAY_BE_NULL | MAY_BE_EMPTY },                                   \
		{ "chap_password", F_STRING, MAY_BE_NULL | MAY_BE_EMPTY },                         \
		{ "chap_mutual_userid", F_STRING, MAY_BE_NULL | MAY_BE_EMPTY },                    \
	{                                                                                          \
		"chap_mutual_password", F_STRING, MAY_BE_NULL | MAY_BE_EMPTY                       \
	}

static const struct field acl_fields[] = {
	{ "node_wwn", F_STRING, REQUIRED | IS_NAME },
	{ "attributes", F_VALUES },
	{ "parameters", F_VALUES },
	{ "mapped_luns", F_LIST, .items = &mapped_lun_schema },
	{ "tag", F_STRING, MAY_BE_NULL | MAY_BE_EMPTY },
	CHAP_FIELDS,
	{ NULL },
};
static const struct object_schema acl_schema = { "a node ACL", acl_fields, NULL };

static const struct field tpg_fields[] = {
	{ "tag", F_INT, REQUIRED, 0, 65535 },
	{ "enable", F_BOOL },
	{ "attributes", F_VALUES },
	{ "parameters", F_VALUES },
	/* Portal LUNs come first: mapped LUNs are checked against them. */
	{ "luns", F_LIST, .items = &lun_schema },
	{ "portals", F_LIST, .items = &portal_schema },
	{ "node_acls", F_LIST, .items = &acl_schema },
	CHAP_FIELDS,
	{ NULL },
};
static const struct object_schema tpg_schema = { "a portal group", tpg_fields, check_tpg };

static const struct field target_fields[] = {
	{ "fabric", F_STRING, REQUIRED },
	{ "wwn", F_STRING, REQUIRED | IS_NAME },
	{ "parameters", F_VALUES },
	{ "attributes", F_VALUES },
	{ "tpgs", F_LIST, .items = &tpg_schema },
	{ NULL },
};
static const struct object_schema target_schema = { "a target", target_fields, check_target };

static const struct field fabric_fields[] = {
	{ "name", F_STRING, REQUIRED },
	{ "discovery_enable_auth", F_BOOL },
	{ "discovery_userid", F_STRING, MAY_BE_NULL | MAY_BE_EMPTY },
	{ "discovery_password", F_STRING, MAY_BE_NULL | MAY_BE_EMPTY },
	{ "discovery_mutual_userid", F_STRING, MAY_BE_NULL | MAY_BE_EMPTY },
	{ "discovery_mutual_password", F_STRING, MAY_BE_NULL | MAY_BE_EMPTY },
	{ NULL },
};
static const struct object_schema fabric_schema = { "a fabric", fabric_fields, NULL };

static const struct field root_fields[] = {
	/* Storage objects come first: LUNs are checked against them. */
	{ "storage_objects", F_LIST, .items = &disk_schema },
	{ "targets", F_LIST, .items = &target_schema },
	{ "fabric_modules", F_LIST, .items = &fabric_schema },
	{ NULL },
};
static const struct object_schema root_schema = { "a configuration", root_fields, NULL };

/* ---- checks that the tables cannot say ------------------------------------------------------- */

static const char *str(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

/* The caller takes it off again: strbuf_truncate(). */
static void enter(struct check *c, const char *key)
{
	strbuf_putc(&c->path, '/');
	strbuf_puts(&c->path, key);
}

static void enter_nth(struct check *c, size_t i)
{
	strbuf_putc(&c->path, '/');
	strbuf_put_u64(&c->path, i);
}

static void error(struct check *c, const char *key, const char *text, const char *value)
{
	size_t len = c->path.len;

	if (key)
		strbuf_printf(&c->path, "/%s", key);
	problem_add(c->p, PROBLEM_ERROR, c->path.s, text, value);
	strbuf_truncate(&c->path, len);
}

/* Note name in the set; false and a problem if it is there already. */
static bool once(struct check *c, json_t *set, const char *name, const char *key)
{
	size_t len = c->path.len;

	if (!json_object_get(set, name)) {
		json_object_set_new(set, name, json_true());
		return true;
	}
	strbuf_printf(&c->path, "/%s", key);
	problem_add(c->p, PROBLEM_ERROR, c->path.s, "%s is there twice: remove one", name);
	strbuf_truncate(&c->path, len);
	return false;
}

/* The keys that a plugin cannot do without. */
static const struct {
	const char *plugin, *key, *cure;
} needs[] = {
	{ "fileio", "dev", "the path of the file" },
	{ "block", "dev", "the path of the block device" },
	{ "ramdisk", "size", "its size in bytes" },
	{ "user", "config", "\"kind/settings\", such as \"null/\"" },
	{ "user", "size", "its size in bytes" },
};

static void check_disk(struct check *c, const json_t *obj)
{
	const char *plugin = str(obj, "plugin");
	struct strbuf name;

	if (!saveschema_hba(plugin)) {
		error(c, "plugin", "\"%s\" is none of fileio, block, ramdisk, user", plugin);
		return;
	}
	if (!strcmp(plugin, "pscsi"))
		problem_add(c->p, PROBLEM_SKIPPED, c->path.s,
			"SCSI devices cannot be passed through by this version: use plugin block");
	for (size_t i = 0; i < sizeof(needs) / sizeof(needs[0]); i++) {
		if (!strcmp(needs[i].plugin, plugin) && !json_object_get(obj, needs[i].key))
			error(c, needs[i].key, "is missing: %s", needs[i].cure);
	}
	strbuf_init(&name);
	strbuf_printf(&name, "/backstores/%s/%s", plugin, str(obj, "name"));
	once(c, c->disks, name.s, "name");
	strbuf_done(&name);
}

static void check_target(struct check *c, const json_t *obj)
{
	if (strcmp(str(obj, "fabric"), "iscsi") != 0) {
		problem_add(c->p, PROBLEM_SKIPPED, c->path.s,
			"fabric \"%s\" is not served by this daemon", str(obj, "fabric"));
		return;
	}
	once(c, c->targets, str(obj, "wwn"), "wwn");
}

void saveschema_portal_name(const json_t *portal, struct strbuf *out)
{
	const char *netns = str(portal, "netns");

	strbuf_printf(out, "%s:%" JSON_INTEGER_FORMAT, str(portal, "ip_address"),
		json_integer_value(json_object_get(portal, "port")));
	if (netns)
		strbuf_printf(out, "@%s", netns);
}

/* Numbers and names that may be in a list once: of LUNs and ACLs by that key, portals by all. */
static void check_list_once(struct check *c, const json_t *obj, const char *list, const char *key)
{
	json_t *seen = json_object(), *e;
	size_t i, len = c->path.len;
	struct strbuf name;

	strbuf_init(&name);
	json_array_foreach (json_object_get(obj, list), i, e) {
		const json_t *k = json_object_get(e, key);

		strbuf_reset(&name);
		if (!strcmp(list, "portals"))
			saveschema_portal_name(e, &name);
		else if (json_is_string(k))
			strbuf_puts(&name, json_string_value(k));
		else
			strbuf_put_i64(&name, json_integer_value(k));
		enter(c, list);
		enter_nth(c, i);
		once(c, seen, name.s, key);
		strbuf_truncate(&c->path, len);
	}
	strbuf_done(&name);
	json_decref(seen);
}

static void check_tpg(struct check *c, const json_t *obj)
{
	size_t i, len = c->path.len;
	json_t *acl;

	check_list_once(c, obj, "luns", "index");
	check_list_once(c, obj, "portals", "ip_address");
	check_list_once(c, obj, "node_acls", "node_wwn");
	json_array_foreach (json_object_get(obj, "node_acls"), i, acl) {
		strbuf_printf(&c->path, "/node_acls/%zu", i);
		check_list_once(c, acl, "mapped_luns", "index");
		strbuf_truncate(&c->path, len);
	}
	json_object_clear(c->luns);
}

static void check_lun(struct check *c, const json_t *obj)
{
	const char *disk = str(obj, "storage_object");
	char index[32];

	if (!json_object_get(c->disks, disk))
		error(c, "storage_object",
			"\"%s\" is not among storage_objects: \"/backstores/<plugin>/<name>\" is "
			"meant",
			disk);
	snprintf(index, sizeof(index), "%" JSON_INTEGER_FORMAT,
		json_integer_value(json_object_get(obj, "index")));
	json_object_set_new(c->luns, index, json_true());
}

static void check_portal(struct check *c, const json_t *obj)
{
	const char *ip = str(obj, "ip_address");
	size_t len = strlen(ip);
	char v6[INET6_ADDRSTRLEN];
	struct in6_addr a6;
	struct in_addr a4;

	if (inet_pton(AF_INET, ip, &a4) == 1)
		return;
	if (ip[0] == '[' && ip[len - 1] == ']' && len - 2 < sizeof(v6)) {
		size_t scope = strcspn(ip + 1, "%]"); /* "%eth0" is the portal's to judge */

		memcpy(v6, ip + 1, scope);
		v6[scope] = '\0';
		if (inet_pton(AF_INET6, v6, &a6) == 1)
			return;
	}
	error(c, "ip_address", "\"%s\" is no address: 10.0.0.1 or [2001:db8::1] is meant", ip);
}

static void check_mapped_lun(struct check *c, const json_t *obj)
{
	char index[32];

	snprintf(index, sizeof(index), "%" JSON_INTEGER_FORMAT,
		json_integer_value(json_object_get(obj, "tpg_lun")));
	if (!json_object_get(c->luns, index))
		error(c, "tpg_lun", "%s is no LUN of this portal group", index);
}

/* ---- the walk -------------------------------------------------------------------------------- */

static bool check_object(struct check *c, const struct object_schema *s, const json_t *obj);

static const char *const type_names[] = {
	[F_STRING] = "a string",
	[F_INT] = "an integer",
	[F_BOOL] = "true or false",
	[F_VALUES] = "an object of numbers and strings",
	[F_LIST] = "a list",
};

static const unsigned json_types[] = {
	[F_STRING] = 1u << JSON_STRING,
	[F_INT] = 1u << JSON_INTEGER,
	[F_BOOL] = 1u << JSON_TRUE | 1u << JSON_FALSE,
	[F_VALUES] = 1u << JSON_OBJECT,
	[F_LIST] = 1u << JSON_ARRAY,
};

static bool check_values(struct check *c, const json_t *value)
{
	const unsigned allowed = 1u << JSON_STRING | 1u << JSON_INTEGER | 1u << JSON_TRUE |
				 1u << JSON_FALSE | 1u << JSON_NULL;
	const char *key;
	json_t *v;
	bool good = true;

	json_object_foreach ((json_t *)value, key, v) {
		if (allowed >> json_typeof(v) & 1)
			continue;
		error(c, key, "%s", "must be a number or a string");
		good = false;
	}
	return good;
}

static bool check_list(struct check *c, const struct object_schema *items, const json_t *value)
{
	size_t i, len = c->path.len;
	json_t *e;
	bool good = true;

	json_array_foreach (value, i, e) {
		enter_nth(c, i);
		good = check_object(c, items, e) && good;
		strbuf_truncate(&c->path, len);
	}
	return good;
}

/* c->path leads to the value. */
static bool check_field(struct check *c, const struct field *f, const json_t *value)
{
	struct errmsg err;
	const char *s = json_string_value(value);

	if (json_is_null(value) && f->flags & MAY_BE_NULL)
		return true;
	if (!(json_types[f->type] >> json_typeof(value) & 1)) {
		error(c, NULL, "must be %s", type_names[f->type]);
		return false;
	}
	if (f->type == F_VALUES)
		return check_values(c, value);
	if (f->type == F_LIST)
		return check_list(c, f->items, value);
	if (f->type == F_INT &&
		(json_integer_value(value) < f->min || json_integer_value(value) > f->max)) {
		problem_add(c->p, PROBLEM_ERROR, c->path.s,
			"%" JSON_INTEGER_FORMAT ": must be from %" PRId64 " to %" PRId64,
			json_integer_value(value), f->min, f->max);
		return false;
	}
	if (f->type == F_STRING && !*s && !(f->flags & MAY_BE_EMPTY)) {
		error(c, NULL, "%s", "must not be empty");
		return false;
	}
	if (f->flags & IS_NAME && tree_name_check(s, &err)) {
		error(c, NULL, "%s", err.text);
		return false;
	}
	return true;
}

static const struct field *find_field(const struct object_schema *s, const char *key)
{
	for (const struct field *f = s->fields; f->key; f++) {
		if (!strcmp(f->key, key))
			return f;
	}
	return NULL;
}

static bool check_object(struct check *c, const struct object_schema *s, const json_t *obj)
{
	size_t len = c->path.len;
	const char *key;
	json_t *value;
	bool good = true;

	if (!json_is_object(obj)) {
		error(c, NULL, "must be an object: %s", s->what);
		return false;
	}
	for (const struct field *f = s->fields; f->key; f++) {
		value = json_object_get(obj, f->key);
		enter(c, f->key);
		if (value) {
			good = check_field(c, f, value) && good;
		} else if (f->flags & REQUIRED) {
			error(c, NULL, "is missing: %s needs it", s->what);
			good = false;
		}
		strbuf_truncate(&c->path, len);
	}
	json_object_foreach ((json_t *)obj, key, value) {
		if (find_field(s, key))
			continue;
		enter(c, key);
		problem_add(c->p, PROBLEM_NOTE, c->path.s, "is not known and left out of account");
		strbuf_truncate(&c->path, len);
	}
	if (good && s->check)
		s->check(c, obj);
	return good;
}

void saveschema_check(const json_t *config, struct problems *p)
{
	struct check c = {
		.p = p, .disks = json_object(), .targets = json_object(), .luns = json_object()
	};

	strbuf_init(&c.path);
	check_object(&c, &root_schema, config);
	strbuf_done(&c.path);
	json_decref(c.disks);
	json_decref(c.targets);
	json_decref(c.luns);
}

json_t *saveschema_parse(const char *text, size_t n, struct problems *p)
{
	json_error_t where;
	json_t *j = json_loadb(text, n, JSON_REJECT_DUPLICATES, &where);
	char at[64];

	if (j)
		return j;
	snprintf(at, sizeof(at), "line %d column %d", where.line, where.column);
	problem_add(p, PROBLEM_ERROR, at, "%s", n ? where.text : "the file is empty");
	return NULL;
}
