/* SPDX-License-Identifier: BSD-3-Clause */
/* storage.c: core/, its HBAs, and the directory of a storage object. */
#include "engine/storage.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/engine.h"
#include "engine/storage_priv.h"

enum { STORAGE_TEXT_MAX = 511 }; /* udev_path and alias, as in LIO */

/* ---- attributes of a storage object ---------------------------------------------------------- */

static int get_enable(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct storage *s = obj;

	strbuf_putc(out, s->enabled ? '1' : '0');
	return 0;
}

static int set_enable(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct storage *s = obj;

	if (!strchr(value, '1'))
		return errmsg_set(err, -EINVAL,
			"enable: \"%.32s\": only 1 can be written, remove the storage object to "
			"close "
			"its disk",
			value);
	if (s->enabled)
		return errmsg_set(err, -EEXIST, "enable: %s is enabled already", s->lu->name);
	return storage_open(s, err);
}

/* As LIO: the queue depth is 0 until it has been written. */
static int get_info(const struct attr *a, void *obj, struct strbuf *out)
{
	struct storage *s = obj;
	const struct storage_kind *k = s->hba->kind;
	struct lu_conf conf;

	lu_get_conf(s->lu, &conf);
	strbuf_printf(out,
		"Status: %s  Max Queue Depth: %u  SectorSize: %u  HwMaxSectors: %u\n        ",
		s->lu->exports ? "ACTIVATED" : "DEACTIVATED",
		s->depth_set ? s->lu->attribs.queue_depth : 0, s->lu->attribs.block_size,
		storage_hw_max_sectors(s));
	k->info(s, &conf, out);
	return 0;
}

/* Texts of a->min to STORAGE_TEXT_MAX bytes at a->offset. */
static int get_text(const struct attr *a, void *obj, struct strbuf *out)
{
	char *text = *(char **)((char *)obj + a->offset);

	strbuf_puts(out, text ? text : "");
	return 0;
}

static int set_text(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	char **at = (char **)((char *)obj + a->offset), *copy;

	if (strlen(value) > STORAGE_TEXT_MAX || (a->min && !*value))
		return errmsg_set(err, -EINVAL, "%s: %u to %d bytes are possible", a->name,
			(unsigned)a->min, STORAGE_TEXT_MAX);
	copy = strdup(value);
	if (!copy)
		return errmsg_set(err, -ENOMEM, "%s: out of memory", a->name);
	free(*at);
	*at = copy;
	return 0;
}

static bool not_enabled(const struct attr *a, void *obj, struct errmsg *err)
{
	struct storage *s = obj;

	if (s->enabled)
		errmsg_set(err, -EINVAL, "%s: is decided before the disk is opened", a->name);
	return !s->enabled;
}

static int get_switch(const struct attr *a, void *obj, struct strbuf *out)
{
	return attr_get_u32(a, &((struct storage *)obj)->lu->attribs, out);
}

static int set_switch(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct storage *s = obj;
	bool on;
	int r = attr_parse_bool(a, value, &on, err);

	if (r)
		return r;
	*(uint32_t *)((char *)&s->lu->attribs + a->offset) = on;
	return storage_changed(s, err);
}

static int get_readiness(const struct attr *a, void *obj, struct strbuf *out)
{
	static const char *const words[] = {
		[LU_READY] = "ready",
		[LU_PENDING] = "pending",
		[LU_NO_MEDIUM] = "no medium",
		[LU_FAILED] = "failed",
	};
	struct lu_conf conf;

	lu_get_conf(((struct storage *)obj)->lu, &conf);
	strbuf_puts(out, words[conf.readiness]);
	return 0;
}

static const struct attr storage_attrs[] = {
	{ .name = "control",
		.set = storage_control_set,
		.doc = "What the disk is: words such as fd_dev_name=/path,fd_dev_size=1048576 (see "
		       "the kinds of HBA)." },
	{ .name = "enable",
		.get = get_enable,
		.set = set_enable,
		.doc = "Write 1 to open the disk." },
	{ .name = "info", .get = get_info, .doc = "The disk in words, as LIO's tools read them." },
	{ .name = "udev_path",
		.get = get_text,
		.set = set_text,
		.offset = offsetof(struct storage, udev_path),
		.min = 1,
		.doc = "The path of the disk, for tools; not used." },
	{ .name = "alias",
		.get = get_text,
		.set = set_text,
		.offset = offsetof(struct storage, alias),
		.doc = "Any text." },
	{ .name = "alua_lu_gp",
		.get = storage_get_lu_gp,
		.set = storage_set_lu_gp,
		.doc = "LU group (core/alua/lu_gps) by name; NULL: the default one. Units of a "
		       "group "
		       "change their access states together." },
	{ .name = "lba_map",
		.get = storage_get_lba_map,
		.set = storage_set_lba_map,
		.doc = "Which blocks which target port group reaches, for the state LBA dependent: "
		       "\"<segment size> <multiplier>\" in blocks, then lines of \"<first> <last> "
		       "<group id>:<O|A|S|U> ...\" with as many groups each. Empty: none." },
	{ .name = "settings",
		.get = get_text,
		.set = set_text,
		.flags = ATTR_OURS,
		.may_set = not_enabled,
		.offset = offsetof(struct storage, settings),
		.doc = "More settings of the backstore, such as direct=no." },
	{ .name = "read_only",
		.get = get_switch,
		.set = set_switch,
		.flags = ATTR_OURS,
		.may_set = storage_not_exported,
		.offset = offsetof(struct lu_attribs, read_only),
		.doc = "The unit is write-protected." },
	{ .name = "removable",
		.get = get_switch,
		.set = set_switch,
		.flags = ATTR_OURS,
		.may_set = storage_not_exported,
		.offset = offsetof(struct lu_attribs, removable),
		.doc = "The medium can be removed (RMB of INQUIRY)." },
	{ .name = "state",
		.get = get_readiness,
		.flags = ATTR_STAT | ATTR_OURS,
		.doc = "ready, pending (its disk is not there yet), no medium or "
		       "failed." },
	ATTR_END,
};

static const struct node_type action_type = {
	.name = "actions",
	.doc = "Empty: LIO has it.",
};

static const struct node_default storage_user_defaults[] = {
	{ "action", &storage_user_action_type, NULL },
	{ "attrib", &storage_user_attrib_type, NULL },
	{ "pr", &storage_pr_type, NULL },
	{ "wwn", &storage_wwn_type, NULL },
	{ "alua", &storage_alua_type, NULL },
	{ "statistics", &storage_stats_type, NULL },
	{ NULL },
};

static const struct node_default storage_defaults[] = {
	{ "action", &action_type, NULL },
	{ "attrib", &storage_attrib_type, NULL },
	{ "pr", &storage_pr_type, NULL },
	{ "wwn", &storage_wwn_type, NULL },
	{ "alua", &storage_alua_type, NULL },
	{ "statistics", &storage_stats_type, NULL },
	{ NULL },
};

/* ---- life ------------------------------------------------------------------------------------ */

static struct storage *storage_free(struct storage *s)
{
	free(s->dev);
	free(s->settings);
	free(s->udev_path);
	free(s->alias);
	free(s);
	return NULL;
}

/*
 * The engine's names are unique. Objects of different HBAs may have the same one: the second is
 * then called "hba/name".
 */
static int new_lu(
	struct hba *hba, struct node *dir, const char *name, struct lu **ret, struct errmsg *err)
{
	struct lu_attribs a;
	char longer[256];

	lu_attribs_default(&a, hba->kind->hba, NULL);
	if (engine_find_lu(hba->core->eng, name)) {
		snprintf(longer, sizeof(longer), "%.100s/%.150s", node_name(dir), name);
		name = longer;
	}
	return lu_new(hba->core->eng, name, hba->kind->hba, NULL, &a, ret, err);
}

static bool is_user(const struct hba *hba)
{
	return !strcmp(hba->kind->hba, "user");
}

static int storage_mkdir(
	struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	struct storage *s = calloc(1, sizeof(*s));
	int r;

	if (!s)
		return errmsg_set(err, -ENOMEM, "%s: out of memory", name);
	s->hba = node_obj(dir);
	s->exclusive = true;
	r = new_lu(s->hba, dir, name, &s->lu, err);
	if (r) {
		storage_free(s);
		return r;
	}
	s->lu->tree_obj = s;
	s->id = ++s->hba->core->next_id;
	storage_user_default(&s->user);
	*ret = (struct node_new){ is_user(s->hba) ? &storage_user_type : &storage_type, s };
	return 0;
}

static int storage_rmdir(struct node *node, struct errmsg *err)
{
	struct storage *s = node_obj(node);
	int r = lu_free(s->lu, err);

	if (!r)
		storage_free(s);
	return r;
}

const struct node_type storage_type = {
	.name = "storage object",
	.doc = "A disk as a logical unit.",
	.unit = true,
	.attrs = storage_attrs,
	.defaults = storage_defaults,
	.rmdir = storage_rmdir,
};

const struct node_type storage_user_type = {
	.name = "storage object",
	.doc = "A disk as a logical unit.",
	.unit = true,
	.attrs = storage_attrs,
	.defaults = storage_user_defaults,
	.rmdir = storage_rmdir,
};

static bool is_storage(const struct node *node)
{
	return node_type(node) == &storage_type || node_type(node) == &storage_user_type;
}

/* ---- HBAs ------------------------------------------------------------------------------------ */

static int get_hba_info(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct hba *hba = obj;

	strbuf_printf(out, "HBA Index: %u plugin: %s version: v5.0", hba->id, hba->kind->hba);
	return 0;
}

static int get_hba_mode(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_putc(out, '0');
	return 0;
}

static int set_hba_mode(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	return errmsg_set(err, -EINVAL, "hba_mode: only pass-through HBAs have modes");
}

static const struct attr hba_attrs[] = {
	{ .name = "hba_info", .get = get_hba_info, .doc = "Number and plugin of the HBA." },
	{ .name = "hba_mode",
		.get = get_hba_mode,
		.set = set_hba_mode,
		.flags = ATTR_UNSAVED,
		.doc = "Always 0." },
	ATTR_END,
};

static int hba_rmdir(struct node *node, struct errmsg *err)
{
	struct hba *hba = node_obj(node);

	hba->core->nhbas--;
	free(hba);
	return 0;
}

static const struct node_type hba_type = {
	.name = "HBA",
	.doc = "Storage objects of one kind.",
	.attrs = hba_attrs,
	.mkdir = storage_mkdir,
	.rmdir = hba_rmdir,
};

/* "<plugin>_<index>"; a second '_' belongs to the plugin: rd_mcp_7. */
static int core_mkdir(struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	static const struct attr index_row = { .name = "index" };
	struct storage_core *core = node_obj(dir);
	const char *index = strrchr(name, '_');
	const struct storage_kind *kind;
	struct hba *hba;
	uint64_t n;
	int r;

	if (strlen(name) >= 64)
		return errmsg_set(err, -ENAMETOOLONG, "%s: at most 63 bytes are possible", name);
	kind = index ? storage_kind_find(name, (size_t)(index - name)) : NULL;
	if (!kind)
		return errmsg_set(
			err, -EINVAL, "%s: fileio_N, iblock_N, rd_mcp_N or user_N is meant", name);
	r = attr_parse_u64(&index_row, index + 1, 0, UINT64_MAX, &n, err);
	if (r)
		return r;
	hba = calloc(1, sizeof(*hba));
	if (!hba)
		return errmsg_set(err, -ENOMEM, "%s: out of memory", name);
	*hba = (struct hba){ core, kind, n, ++core->next_hba_id };
	core->nhbas++;
	*ret = (struct node_new){ &hba_type, hba };
	return 0;
}

static const struct node_default core_defaults[] = {
	{ "alua", &storage_core_alua_type, NULL },
	{ NULL },
};

const struct node_type storage_core_type = {
	.name = "core",
	.doc = "Storage objects, by HBA.",
	.defaults = core_defaults,
	.mkdir = core_mkdir,
};

struct storage_core *storage_core_new(struct engine *eng, struct backstore_registry *reg)
{
	struct storage_core *core = calloc(1, sizeof(*core));

	if (core) {
		core->eng = eng;
		core->reg = reg;
		core->created_ns = clock_now_ns();
	}
	return core;
}

struct storage_core *storage_core_free(struct storage_core *core)
{
	assert(!core || !core->nhbas);
	free(core);
	return NULL;
}

/* ---- for LUNs and the daemon ----------------------------------------------------------------- */

int storage_lu(struct node *node, struct lu **ret, struct errmsg *err)
{
	struct storage *s = node_obj(node);

	if (!is_storage(node))
		return errmsg_set(err, -EFAULT, "%s is no storage object", node_name(node));
	if (!s->enabled && !s->pending)
		return errmsg_set(err, -ENODEV,
			"%s has no disk yet: write 1 to its \"enable\" first", node_name(node));
	if (s->dirty && lu_refresh(s->lu))
		return errmsg_set(err, -ENOMEM, "%s: out of memory", node_name(node));
	s->dirty = false;
	*ret = s->lu;
	return 0;
}

uint32_t storage_number(const struct lu *lu)
{
	const struct storage *s = lu->tree_obj;

	return s ? s->id : 0;
}

/* LIO has an HBA of its own, before the first that users make. */
uint32_t storage_hba_number(const struct lu *lu)
{
	const struct storage *s = lu->tree_obj;

	return s ? s->hba->id + 1 : 0;
}

int storage_set_pending(struct node *node, struct errmsg *err)
{
	struct storage *s = node_obj(node);

	if (!is_storage(node))
		return errmsg_set(err, -EFAULT, "%s is no storage object", node_name(node));
	s->pending = !s->enabled;
	if (s->pending)
		notice_tell(engine_notices(s->lu->eng), &(struct notice){ .kind = NOTICE_LUN,
								.object = s->lu->name,
								.state = "not ready",
								.text = "its disk is not there" });
	return 0;
}

bool storage_is_pending(struct node *node)
{
	return is_storage(node) && ((struct storage *)node_obj(node))->pending;
}

int storage_retry(struct node *node, struct errmsg *err)
{
	struct storage *s = node_obj(node);

	assert(is_storage(node));
	return s->pending ? storage_open(s, err) : 0;
}

int storage_resize(struct node *node, uint64_t size_bytes, bool force, struct errmsg *err)
{
	struct storage *s = node_obj(node);

	if (!is_storage(node))
		return errmsg_set(err, -EFAULT, "%s is no storage object", node_name(node));
	return lu_resize(s->lu, size_bytes, force, err);
}
