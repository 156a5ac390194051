/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * storage_alua.c: target port groups as LIO has them in its tree: alua/ of a storage object, and
 * the LU groups in core/alua/lu_gps.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "engine/alua.h"
#include "engine/storage_priv.h"

enum { GROUP_NAME_MAX = 256 }; /* of what is written to alua_lu_gp, as in LIO */

/* What a LUN list ends with is no part of the value. */
static void cut_newline(struct strbuf *out)
{
	if (out->len && out->s[out->len - 1] == '\n')
		out->s[--out->len] = '\0';
}

/* ---- a target port group -------------------------------------------------------------------- */

/* A copy of the fields: commands may change the state at any time. */
static struct alua_group look(void *obj)
{
	struct alua_group *g = obj, copy;

	pthread_mutex_lock(&g->lu->lock);
	copy = *g;
	pthread_mutex_unlock(&g->lu->lock);
	return copy;
}

static bool has_id(const struct attr *a, void *obj, struct errmsg *err)
{
	const struct alua_group *g = obj;

	if (!g->has_id)
		errmsg_set(err, -EINVAL, "%s: %s has no id yet: write its tg_pt_gp_id first",
			a->name, g->name);
	return g->has_id;
}

static int get_id(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct alua_group *g = obj;

	if (g->has_id)
		strbuf_printf(out, "%u", g->id);
	return 0;
}

static int set_id(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, UINT16_MAX, &v, err);

	return r ? r : alua_group_set_id(obj, (uint16_t)v, err);
}

static int get_state(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "%u", look(obj).state);
	return 0;
}

static int set_state(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct alua_group *g = obj;
	const struct storage *s = g->lu->tree_obj;
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, TPG_TRANSITIONING, &v, err);

	if (r)
		return r;
	if (!s->enabled && !s->pending)
		return errmsg_set(
			err, -ENODEV, "alua_access_state: %s has no disk yet", g->lu->name);
	return alua_group_set_state(g, (uint8_t)v, err);
}

static int get_status(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_puts(out, alua_status_text(look(obj).status));
	return 0;
}

static int set_status(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct alua_group *g = obj;
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, TPG_STATUS_IMPLICIT, &v, err);

	return r ? r : alua_group_set_u8(g, &g->status, (uint8_t)v);
}

static const char *const access_texts[] = { "None", "Implicit", "Explicit",
	"Implicit and Explicit" };

static int get_access(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_puts(out, access_texts[((struct alua_group *)obj)->access]);
	return 0;
}

static int set_access(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, ALUA_IMPLICIT | ALUA_EXPLICIT, &v, err);

	return r ? r : alua_group_set_access(obj, (uint8_t)v, err);
}

/* A bit of `supported`: a->min. */
static int get_support(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_putc(out, ((struct alua_group *)obj)->supported & a->min ? '1' : '0');
	return 0;
}

static int set_support(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct alua_group *g = obj;
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, 1, &v, err);

	if (r)
		return r;
	return alua_group_set_u8(
		g, &g->supported, (uint8_t)(v ? g->supported | a->min : g->supported & ~a->min));
}

static int get_flag(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_putc(out, *(bool *)((char *)obj + a->offset) ? '1' : '0');
	return 0;
}

static int set_preferred(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct alua_group *g = obj;
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, 1, &v, err);

	return r ? r : alua_group_set_bool(g, &g->preferred, v);
}

static int set_write_metadata(
	const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, 1, &v, err);

	return r ? r : alua_group_set_write_metadata(obj, v, err);
}

static int set_number(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, a->max, &v, err);

	return r ? r : alua_group_set_u32(obj, (uint32_t *)((char *)obj + a->offset), (uint32_t)v);
}

static int get_members(const struct attr *a, void *obj, struct strbuf *out)
{
	alua_group_members(obj, out);
	cut_newline(out);
	return 0;
}

#define SUPPORT(state, bit, text)                                                                  \
	{                                                                                          \
		.name = "alua_support_" state, .get = get_support, .set = set_support,             \
		.may_set = has_id, .min = bit, .doc = text,                                        \
	}
#define NUMBER(field, n, most, text)                                                               \
	{                                                                                          \
		.name = n, .get = attr_get_u32, .set = set_number,                                 \
		.offset = offsetof(struct alua_group, field), .max = most, .doc = text,            \
	}

static const struct attr group_rows[] = {
	{ .name = "alua_access_state",
		.get = get_state,
		.set = set_state,
		.may_set = has_id,
		.doc = "State of the group: 0 active/optimized, 1 active/non-optimized, 2 standby, "
		       "3 unavailable, 4 LBA dependent, 14 offline, 15 transitioning. Writing "
		       "changes it, and returns when that is done." },
	{ .name = "alua_access_status",
		.get = get_status,
		.set = set_status,
		.may_set = has_id,
		.doc = "What brought the state about: 0 nothing, 1 an initiator (SET TARGET PORT "
		       "GROUPS), 2 the target." },
	{ .name = "alua_access_type",
		.get = get_access,
		.set = set_access,
		.doc = "Who may change the state: 0 nobody, 1 the target (implicit), 2 initiators "
		       "(explicit), 3 both. A state that initiators alone change is kept in a "
		       "file as with alua_write_metadata." },
	SUPPORT("active_nonoptimized", TPG_AN_SUP, "The state can be had."),
	SUPPORT("active_optimized", TPG_AO_SUP, "The state can be had."),
	SUPPORT("lba_dependent", TPG_LBD_SUP, "The state can be had; see lba_map."),
	SUPPORT("offline", TPG_O_SUP, "The state can be had."),
	SUPPORT("standby", TPG_S_SUP, "The state can be had."),
	SUPPORT("transitioning", TPG_T_SUP,
		"Changes pass through transitioning; without, commands that the new state excludes "
		"are waited for after it."),
	SUPPORT("unavailable", TPG_U_SUP, "The state can be had."),
	{ .name = "alua_write_metadata",
		.get = get_flag,
		.set = set_write_metadata,
		.offset = offsetof(struct alua_group, write_metadata),
		.doc = "Each new state is kept in alua/tpgs_<serial>/<group> below dbroot, durably "
		       "before it is told; when this is set on a unit that no LUN shows, as while "
		       "a configuration is loaded, what is kept there is taken over." },
	NUMBER(implicit_trans_s, "implicit_trans_secs", 255,
		"IMPLICIT TRANSITION TIME in seconds, told to initiators; 0: not told."),
	{ .name = "members",
		.get = get_members,
		.doc = "LUNs of the group: fabric/target/tpgt_N/lun_N in each line." },
	NUMBER(nonop_delay_ms, "nonop_delay_msecs", ALUA_MAX_NONOP_DELAY_MS,
		"Delay in ms of each command that goes to the disk while the state is "
		"active/non-optimized."),
	{ .name = "preferred",
		.get = get_flag,
		.set = set_preferred,
		.offset = offsetof(struct alua_group, preferred),
		.doc = "The group is told to initiators as the preferred one." },
	{ .name = "tg_pt_gp_id",
		.get = get_id,
		.set = set_id,
		.doc = "TARGET PORT GROUP, 0 to 65535; is set once, 0: one that is free." },
	NUMBER(trans_delay_ms, "trans_delay_msecs", ALUA_MAX_TRANS_DELAY_MS,
		"How long a change stays in transitioning at least, in ms."),
	ATTR_END,
};

static int group_rmdir(struct node *node, struct errmsg *err)
{
	return alua_group_free(node_obj(node), err);
}

static const struct node_type group_type = {
	.name = "target port group",
	.doc = "LUNs whose paths have one access state.",
	.attrs = group_rows,
	.rmdir = group_rmdir,
};

/* ---- alua/ ----------------------------------------------------------------------------------- */

static void *default_group_of(void *parent)
{
	return alua_group_default(((struct storage *)parent)->lu);
}

static const struct node_default alua_defaults[] = {
	{ ALUA_DEFAULT_GROUP, &group_type, default_group_of },
	{ NULL },
};

static int alua_mkdir(struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	struct storage *s = node_obj(dir);
	struct alua_group *g;
	int r = alua_group_new(s->lu, name, &g, err);

	if (!r)
		*ret = (struct node_new){ &group_type, g };
	return r;
}

const struct node_type storage_alua_type = {
	.name = "target port groups",
	.doc = "Asymmetric access: the ports that show the unit, in groups with access states.",
	.defaults = alua_defaults,
	.mkdir = alua_mkdir,
};

/* ---- core/alua/lu_gps ------------------------------------------------------------------------ */

static int get_lu_gp_id(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct alua_lu_group *g = obj;

	if (g->has_id)
		strbuf_printf(out, "%u", g->id);
	return 0;
}

static int set_lu_gp_id(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, UINT16_MAX, &v, err);

	return r ? r : alua_lu_group_set_id(obj, (uint16_t)v, err);
}

static void put_lu(struct lu *lu, void *arg)
{
	const struct storage *s = lu->tree_obj;

	/* Its name in the tree, which is what follows the HBA in a longer one. */
	if (s && (s->enabled || s->pending))
		strbuf_printf(arg, "%s_%" PRIu64 "/%s\n", s->hba->kind->hba, s->hba->index,
			strchr(lu->name, '/') ? strchr(lu->name, '/') + 1 : lu->name);
}

static int get_lu_members(const struct attr *a, void *obj, struct strbuf *out)
{
	alua_lu_group_each(obj, put_lu, out);
	cut_newline(out);
	return 0;
}

static const struct attr lu_gp_rows[] = {
	{ .name = "lu_gp_id",
		.get = get_lu_gp_id,
		.set = set_lu_gp_id,
		.doc = "LOGICAL UNIT GROUP, 0 to 65535; is set once, 0: one that is free." },
	{ .name = "members",
		.get = get_lu_members,
		.doc = "Storage objects of the group: HBA/name in each line." },
	ATTR_END,
};

static int lu_gp_rmdir(struct node *node, struct errmsg *err)
{
	return alua_lu_group_free(node_obj(node), err);
}

static const struct node_type lu_gp_type = {
	.name = "LU group",
	.doc = "Logical units whose target port groups of the same id change state together; those "
	       "of the default one do not.",
	.attrs = lu_gp_rows,
	.rmdir = lu_gp_rmdir,
};

static void *default_lu_gp_of(void *parent)
{
	return alua_lu_group_default(((struct storage_core *)parent)->eng);
}

static const struct node_default lu_gps_defaults[] = {
	{ ALUA_DEFAULT_LU_GROUP, &lu_gp_type, default_lu_gp_of },
	{ NULL },
};

static int lu_gps_mkdir(
	struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	struct storage_core *core = node_obj(dir);
	struct alua_lu_group *g;
	int r = alua_lu_group_new(core->eng, name, &g, err);

	if (!r)
		*ret = (struct node_new){ &lu_gp_type, g };
	return r;
}

static const struct node_type lu_gps_type = {
	.name = "LU groups",
	.doc = "Groups of logical units.",
	.defaults = lu_gps_defaults,
	.mkdir = lu_gps_mkdir,
};

static const struct node_default core_alua_defaults[] = {
	{ "lu_gps", &lu_gps_type, NULL },
	{ NULL },
};

const struct node_type storage_core_alua_type = {
	.name = "asymmetric access",
	.doc = "Groups of logical units.",
	.defaults = core_alua_defaults,
};

/* ---- alua_lu_gp, lba_map --------------------------------------------------------------------- */

int storage_get_lu_gp(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct storage *s = obj;
	const struct alua_lu_group *g = s->lu->alua->lu_group;

	if (!s->enabled && !s->pending)
		return 0;
	strbuf_printf(out, "LU Group Alias: %s\nLU Group ID: %u", g->name, g->id);
	return 0;
}

/* A name, or the text that is shown. */
int storage_set_lu_gp(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	static const char alias[] = "LU Group Alias:";
	struct storage *s = obj;
	struct engine *eng = s->hba->core->eng;
	struct alua_lu_group *g;
	char name[GROUP_NAME_MAX + 1];

	if (strlen(value) > GROUP_NAME_MAX)
		return errmsg_set(
			err, -EINVAL, "%s: names have at most %d bytes", a->name, GROUP_NAME_MAX);
	if (!strncmp(value, alias, strlen(alias)))
		value += strlen(alias);
	value += strspn(value, " \t\n");
	snprintf(name, sizeof(name), "%.*s", (int)strcspn(value, "\n"), value);
	for (size_t n = strlen(name); n && strchr(" \t", name[n - 1]); n--)
		name[n - 1] = '\0';
	g = strcmp(name, "NULL") ? alua_lu_group_find(eng, name) : alua_lu_group_default(eng);
	if (!g || !g->has_id)
		return errmsg_set(err, -ENODEV,
			"%s: there is no LU group \"%.64s\" with an id: make it in "
			"core/alua/lu_gps",
			a->name, name);
	return alua_lu_group_join(s->lu, g, err);
}

int storage_get_lba_map(const struct attr *a, void *obj, struct strbuf *out)
{
	alua_lba_get(((struct storage *)obj)->lu, out);
	cut_newline(out);
	return 0;
}

int storage_set_lba_map(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	return alua_lba_set(((struct storage *)obj)->lu, value, err);
}
