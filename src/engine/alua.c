/* SPDX-License-Identifier: BSD-3-Clause */
/* alua.c: target port groups, who is in them, and what commands and reports see of them. */
#include "engine/alua.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/strbuf.h"
#include "engine/alua_priv.h"
#include "engine/bars.h"
#include "engine/engine_priv.h"
#include "engine/optable.h"

enum {
	/* The defaults of LIO: all but logical block dependent, which takes a map. */
	DEFAULT_SUPPORTED = TPG_T_SUP | TPG_O_SUP | TPG_U_SUP | TPG_S_SUP | TPG_AN_SUP | TPG_AO_SUP,
	DEFAULT_NONOP_DELAY_MS = 100,
};

/* ---- states ---------------------------------------------------------------------------------- */

/* By state: what it says, what a command needs to run in it (0: nothing), and what else it gets. */
static const struct {
	const char *text;
	uint32_t rule;
	enum sense_name sense;
} states[16] = {
	[TPG_ACTIVE_OPTIMIZED] = { "Active/Optimized", 0, 0 },
	[TPG_ACTIVE_NONOPTIMIZED] = { "Active/NonOptimized", 0, 0 },
	[TPG_STANDBY] = { "Standby", RULE_ALUA_STANDBY, SENSE_ALUA_STANDBY },
	[TPG_UNAVAILABLE] = { "Unavailable", RULE_ALUA_UNAVAILABLE, SENSE_ALUA_UNAVAILABLE },
	[TPG_LBA_DEPENDENT] = { "LBA Dependent", 0, 0 }, /* judged by blocks: alua_lba.c */
	[TPG_OFFLINE] = { "Offline", RULE_ALUA_OFFLINE, SENSE_LU_OFFLINE },
	[TPG_TRANSITIONING] = { "Transitioning", RULE_ALUA_TRANSITION, SENSE_ALUA_TRANSITION },
};

const char *alua_state_text(unsigned state)
{
	return state < 16 && states[state].text ? states[state].text : "reserved";
}

const char *alua_status_text(unsigned status)
{
	static const char *const texts[] = {
		[TPG_STATUS_NONE] = "None",
		[TPG_STATUS_EXPLICIT] = "Altered by Explicit STPG",
		[TPG_STATUS_IMPLICIT] = "Altered by Implicit ALUA",
	};

	return status < 3 ? texts[status] : "reserved";
}

bool alua_allows(unsigned state, uint32_t rules)
{
	return !states[state].rule || rules & states[state].rule;
}

uint8_t alua_effective(const struct port_lun *pl)
{
	const struct alua_group *g = atomic_load_explicit(&pl->alua_group, memory_order_relaxed);

	return pl->alua_offline ? TPG_OFFLINE : g->state;
}

uint32_t alua_bars(struct itl *itl)
{
	const struct port_lun *pl = itl->pl;
	const struct alua_group *g = pl ? atomic_load(&pl->alua_group) : NULL;
	uint32_t delay;
	uint8_t state;

	/* A LUN that is being taken away: what barred it does so to the end. */
	if (!g || g->lu != itl->lu)
		return atomic_load(&itl->bars) & (BAR_ALUA_MASK | BAR_ALUA_OFFLINE);
	state = alua_effective(pl);
	if (state == TPG_OFFLINE)
		return BAR_ALUA_OFFLINE;
	delay = state == TPG_ACTIVE_NONOPTIMIZED ? g->nonop_delay_ms : 0;
	atomic_store_explicit(&itl->alua_delay_ms, delay, memory_order_relaxed);
	/* Without a delay it is as good as optimized for the device server. */
	if (state == TPG_ACTIVE_NONOPTIMIZED && !delay)
		state = TPG_ACTIVE_OPTIMIZED;
	return (uint32_t)state << BAR_ALUA_SHIFT;
}

bool alua_pass(struct cmd *cmd, uint32_t bars)
{
	unsigned state = bars_alua_state(bars);

	if (state == TPG_LBA_DEPENDENT)
		return alua_lba_pass(cmd);
	if (alua_allows(state, cmd->row->rules))
		return true;
	cmd_fail(cmd, states[state].sense);
	return false;
}

static unsigned state_of(const struct cmd *cmd)
{
	return bars_alua_state(atomic_load_explicit(&cmd->itl->bars, memory_order_relaxed));
}

enum sense_name alua_sense(const struct cmd *cmd)
{
	return states[state_of(cmd)].sense;
}

bool alua_connected(const struct cmd *cmd)
{
	unsigned state = state_of(cmd);

	return state != TPG_UNAVAILABLE && state != TPG_OFFLINE;
}

void alua_attention(struct lu *lu, enum sense_name ua, const struct nexus *except)
{
	struct itl *itl;

	list_for_each (itl, &lu->itls, struct itl, lu_link)
		if (itl->nexus != except)
			ua_add(itl, ua);
}

/* ---- life ------------------------------------------------------------------------------------ */

void alua_queue_init(struct alua_queue *q)
{
	pthread_mutex_init(&q->lock, NULL);
	list_init(&q->changes);
}

static struct alua_group *group_make(struct lu *lu, const char *name)
{
	struct alua_group *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->lu = lu;
	list_init(&g->members);
	snprintf(g->name, sizeof(g->name), "%s", name);
	g->access = ALUA_IMPLICIT | ALUA_EXPLICIT;
	g->supported = DEFAULT_SUPPORTED;
	g->nonop_delay_ms = DEFAULT_NONOP_DELAY_MS;
	return g;
}

int alua_lu_init(struct lu *lu)
{
	struct lu_alua *alua = calloc(1, sizeof(*alua));
	struct alua_group *g = group_make(lu, ALUA_DEFAULT_GROUP);

	if (!alua || !g) {
		free(alua);
		free(g);
		return -ENOMEM;
	}
	g->has_id = true;
	list_init(&alua->groups);
	list_push_back(&alua->groups, &g->link);
	alua_queue_init(&alua->own);
	alua->queue = &alua->own;
	alua->lu = lu;
	alua->lu_group = alua_lu_group_default(lu->eng);
	list_push_back(&alua->lu_group->members, &alua->lu_group_link);
	lu->alua = alua;
	return 0;
}

void alua_lu_gone(struct lu *lu)
{
	struct lu_alua *alua = lu->alua;

	pthread_mutex_lock(&alua->lu_group->queue.lock);
	list_del(&alua->lu_group_link);
	pthread_mutex_unlock(&alua->lu_group->queue.lock);
}

void alua_lu_done(struct lu *lu)
{
	struct lu_alua *alua = lu->alua;
	struct list *n;

	if (!alua)
		return;
	assert(alua_queue_idle(&alua->own));
	list_del(&alua->lu_group_link); /* of one that was never finished */
	while ((n = list_pop_front(&alua->groups)))
		free(container_of(n, struct alua_group, link));
	alua_lba_done(alua);
	pthread_mutex_destroy(&alua->own.lock);
	free(alua);
	lu->alua = NULL;
}

/* ---- groups ---------------------------------------------------------------------------------- */

struct alua_group *alua_group_default(struct lu *lu)
{
	return container_of(lu->alua->groups.next, struct alua_group, link);
}

struct alua_group *alua_group_find(struct lu *lu, const char *name)
{
	struct alua_group *g;

	list_for_each (g, &lu->alua->groups, struct alua_group, link)
		if (!strcmp(g->name, name))
			return g;
	return NULL;
}

struct alua_group *alua_group_by_id(struct lu *lu, uint16_t id, bool with_members)
{
	struct alua_group *g;

	list_for_each (g, &lu->alua->groups, struct alua_group, link)
		if (g->has_id && g->id == id && (!with_members || !list_empty(&g->members)))
			return g;
	return NULL;
}

int alua_group_new(struct lu *lu, const char *name, struct alua_group **ret, struct errmsg *err)
{
	struct alua_group *g;
	unsigned n = 0;

	if (strlen(name) >= ALUA_NAME_BYTES)
		return errmsg_set(err, -ENAMETOOLONG, "%.32s…: at most %u bytes are possible", name,
			ALUA_NAME_BYTES - 1);
	if (alua_group_find(lu, name))
		return errmsg_set(err, -EEXIST, "%s has a group %s already", lu->name, name);
	list_for_each (g, &lu->alua->groups, struct alua_group, link)
		n++;
	if (n >= ALUA_MAX_GROUPS)
		return errmsg_set(err, -ENOSPC, "%s has %u groups, which is the most", lu->name, n);
	g = group_make(lu, name);
	if (!g)
		return errmsg_set(err, -ENOMEM, "%s: out of memory", name);
	pthread_mutex_lock(&lu->lock);
	list_push_back(&lu->alua->groups, &g->link);
	pthread_mutex_unlock(&lu->lock);
	*ret = g;
	return 0;
}

int alua_group_free(struct alua_group *g, struct errmsg *err)
{
	struct lu *lu = g->lu;
	struct port_lun *pl;
	bool busy;

	if (alua_group_is_default(g))
		return errmsg_set(err, -EPERM, "%s stays as long as %s", g->name, lu->name);
	while ((pl = list_first(&g->members, struct port_lun, alua_link))) {
		int r = alua_move(pl, alua_group_default(lu), err);

		if (r)
			return r;
	}
	pthread_mutex_lock(&lu->lock);
	busy = g->users;
	if (!busy)
		list_del(&g->link);
	pthread_mutex_unlock(&lu->lock);
	if (busy)
		return errmsg_set(
			err, -EBUSY, "the state of %s is being changed: try again", g->name);
	free(g);
	return alua_refresh(lu) ? errmsg_set(err, -ENOMEM, "%s: out of memory", lu->name) : 0;
}

int alua_group_set_id(struct alua_group *g, uint16_t id, struct errmsg *err)
{
	uint32_t want = id;

	if (g->has_id)
		return errmsg_set(
			err, -EINVAL, "tg_pt_gp_id: %s has the id %u, which stays", g->name, g->id);
	if (!want)
		for (want = 1; alua_group_by_id(g->lu, (uint16_t)want, false); want++)
			;
	if (alua_group_by_id(g->lu, (uint16_t)want, false))
		return errmsg_set(err, -EINVAL, "tg_pt_gp_id: another group of %s has the id %u",
			g->lu->name, id);
	pthread_mutex_lock(&g->lu->lock);
	g->id = (uint16_t)want;
	g->has_id = true;
	pthread_mutex_unlock(&g->lu->lock);
	return 0;
}

int alua_group_set_u32(struct alua_group *g, uint32_t *field, uint32_t value)
{
	pthread_mutex_lock(&g->lu->lock);
	*field = value;
	lu_bars_update(g->lu);
	pthread_mutex_unlock(&g->lu->lock);
	return 0;
}

int alua_group_set_bool(struct alua_group *g, bool *field, bool value)
{
	pthread_mutex_lock(&g->lu->lock);
	*field = value;
	pthread_mutex_unlock(&g->lu->lock);
	return 0;
}

int alua_group_set_u8(struct alua_group *g, uint8_t *field, uint8_t value)
{
	pthread_mutex_lock(&g->lu->lock);
	*field = value;
	pthread_mutex_unlock(&g->lu->lock);
	return alua_refresh(g->lu);
}

/*
 * What is kept of a state, from the moment on that it is to be kept: while no LUN shows the LU, as
 * at a start, that is what the last run has left behind.
 */
static int begin_to_keep(struct alua_group *g, struct errmsg *err)
{
	struct alua_md md;
	int r = g->lu->exports ? -ENOENT : alua_md_load_group(g);

	if (r != -ENOENT && r != -EBADMSG)
		return r ? errmsg_set(err, r, "the kept state of %s cannot be read: %s", g->name,
				   err_text(r))
			 : 0;
	r = alua_md_of_group(g, g->state, g->status, &md);
	if (!r)
		r = alua_md_write(g->lu->eng, &md);
	alua_md_done(&md);
	return r ? errmsg_set(err, r, "the state of %s cannot be kept: %s", g->name, err_text(r))
		 : 0;
}

int alua_group_set_write_metadata(struct alua_group *g, bool on, struct errmsg *err)
{
	int r = 0;

	if (on == g->write_metadata)
		return 0;
	if (on && !engine_dbroot(g->lu->eng))
		return errmsg_set(err, -ENODEV,
			"alua_write_metadata: there is no directory to keep it in: start "
			"with --dbroot DIRECTORY");
	g->write_metadata = on;
	if (on)
		r = begin_to_keep(g, err);
	if (r)
		g->write_metadata = false;
	return r;
}

int alua_group_set_access(struct alua_group *g, uint8_t access, struct errmsg *err)
{
	uint8_t before = g->access;
	int r = alua_group_set_u8(g, &g->access, access);

	/* SPC-4 5.15.2.9: what initiators alone change outlives a loss of power. */
	if (!r && access == ALUA_EXPLICIT && before != access && engine_dbroot(g->lu->eng))
		r = begin_to_keep(g, err);
	return r;
}

int alua_group_set_state(struct alua_group *g, uint8_t state, struct errmsg *err)
{
	struct alua_wish wish = { g->id, state };

	if (!g->has_id)
		return errmsg_set(
			err, -EINVAL, "%s has no id yet: write its tg_pt_gp_id first", g->name);
	if (!(g->access & ALUA_IMPLICIT))
		return errmsg_set(err, -EINVAL,
			"%s is changed by initiators alone: write 3 to its alua_access_type first",
			g->name);
	if (!(tpg_sup_bit(state) & g->supported))
		return errmsg_set(err, -EINVAL, "%u (%s) is no state that %s supports", state,
			alua_state_text(state), g->name);
	if (state == TPG_LBA_DEPENDENT && g->access & ALUA_EXPLICIT)
		return errmsg_set(err, -EINVAL,
			"%s can be changed explicitly, which does not go with LBA dependent: "
			"write 1 to its alua_access_type first",
			g->name);
	return alua_change_run(g->lu, &wish, err);
}

void alua_group_members(struct alua_group *g, struct strbuf *out)
{
	const struct port_lun *pl;

	list_for_each (pl, &g->members, struct port_lun, alua_link)
		strbuf_printf(out, "%s/%s/tpgt_%u/lun_%u\n", pl->port->ops->name, pl->port->device,
			pl->port->tpgt, pl->lun);
}

/* ---- members --------------------------------------------------------------------------------- */

void alua_join(struct port_lun *pl, struct alua_group *g)
{
	if (!g) {
		g = alua_group_default(pl->lu);
		pl->alua_offline = pl->alua_write_metadata = false;
		pl->alua_status = TPG_STATUS_NONE;
	}
	list_push_back(&g->members, &pl->alua_link);
	atomic_store(&pl->alua_group, g);
}

void alua_leave(struct port_lun *pl)
{
	list_del(&pl->alua_link);
	atomic_store(&pl->alua_group, NULL);
}

/* An initiator may have looked at it. */
static bool seen(const struct port_lun *pl)
{
	bool any;

	engine_lock(pl->port->eng);
	any = !list_empty(&pl->port->nexuses);
	engine_unlock(pl->port->eng);
	return any;
}

int alua_set_offline_metadata(struct port_lun *pl, bool on, struct errmsg *err)
{
	struct alua_md md;
	int r;

	if (on == pl->alua_write_metadata)
		return 0;
	if (on && !engine_dbroot(pl->port->eng))
		return errmsg_set(err, -ENODEV,
			"alua_tg_pt_write_md: there is no directory to keep it in: start with "
			"--dbroot DIRECTORY");
	pl->alua_write_metadata = on;
	if (!on)
		return 0;
	r = seen(pl) ? -ENOENT : alua_md_load_lun(pl);
	if (r == -ENOENT || r == -EBADMSG) {
		r = alua_md_of_lun(pl, pl->alua_offline, pl->alua_status, &md);
		if (!r)
			r = alua_md_write(pl->port->eng, &md);
		alua_md_done(&md);
	}
	if (!r)
		return 0;
	pl->alua_write_metadata = false;
	return errmsg_set(err, r, "alua_tg_pt_write_md: %s", err_text(r));
}

uint8_t alua_tpgs(const struct lu *lu)
{
	const struct alua_group *g;
	uint8_t all = 0;
	bool any = false;

	list_for_each (g, &lu->alua->groups, struct alua_group, link) {
		if (!g->has_id || list_empty(&g->members))
			continue;
		any = true;
		all |= g->access;
	}
	return any ? all : container_of(lu->alua->groups.next, struct alua_group, link)->access;
}

int alua_refresh(struct lu *lu)
{
	bool changed;
	int r;

	pthread_mutex_lock(&lu->lock);
	changed = alua_tpgs(lu) != atomic_load(&lu->conf)->tpgs;
	pthread_mutex_unlock(&lu->lock);
	if (!changed)
		return 0;
	r = lu_refresh(lu);
	if (!r)
		ua_add_all(lu, SENSE_INQUIRY_DATA_HAS_CHANGED, NULL);
	return r;
}

/* ---- reports --------------------------------------------------------------------------------- */

static bool has_port(const uint16_t *rtpis, unsigned n, uint16_t rtpi)
{
	for (unsigned i = 0; i < n; i++)
		if (rtpis[i] == rtpi)
			return true;
	return false;
}

/* A port that shows the LU under several LUNs counts once. Returns how many there are. */
static unsigned ports_of(const struct alua_group *g, bool offline_only, unsigned n, uint16_t *rtpis)
{
	const struct port_lun *pl;

	list_for_each (pl, &g->members, struct port_lun, alua_link) {
		if ((offline_only && !pl->alua_offline) || n == TPG_PORTS_MAX)
			continue;
		if (!has_port(rtpis, n, pl->port->rtpi))
			rtpis[n++] = pl->port->rtpi;
	}
	return n;
}

/*
 * SPC-4 5.15.2.10: the ports that are offline, as a secondary target port group besides the primary
 * ones. It has an id that no other group has, from the end.
 */
static unsigned offline_group(struct lu *lu, struct tpg_desc *d, uint16_t *rtpis)
{
	uint16_t id = UINT16_MAX;
	struct alua_group *g;
	unsigned n = 0;

	list_for_each (g, &lu->alua->groups, struct alua_group, link)
		n = ports_of(g, true, n, rtpis);
	if (!n)
		return 0;
	while (alua_group_by_id(lu, id, false))
		id--;
	*d = (struct tpg_desc){ .state = TPG_OFFLINE,
		.supported = TPG_O_SUP,
		.status = TPG_STATUS_IMPLICIT,
		.group = id,
		.nports = n,
		.rtpis = rtpis };
	return 1;
}

static void fill_report(struct lu *lu, struct alua_report *r, uint16_t *rtpis)
{
	const struct alua_group *g;

	list_for_each (g, &lu->alua->groups, struct alua_group, link) {
		if (!g->has_id || list_empty(&g->members))
			continue;
		r->groups[r->n++] = (struct tpg_desc){
			.pref = g->preferred,
			.state = g->state,
			.supported = g->supported,
			.status = g->status,
			.group = g->id,
			.nports = ports_of(g, false, 0, rtpis),
			.rtpis = rtpis,
		};
		rtpis += TPG_PORTS_MAX;
		if (g->implicit_trans_s > r->transition_s)
			r->transition_s = (uint8_t)g->implicit_trans_s;
	}
	r->n += offline_group(lu, &r->groups[r->n], rtpis);
}

struct alua_report *alua_report(struct lu *lu)
{
	struct alua_report *r;
	struct alua_group *g;
	size_t n = 1;

	pthread_mutex_lock(&lu->lock);
	list_for_each (g, &lu->alua->groups, struct alua_group, link)
		n += !list_empty(&g->members);
	r = malloc(sizeof(*r) + n * (sizeof(r->groups[0]) + TPG_PORTS_MAX * sizeof(uint16_t)));
	if (r) {
		r->n = r->transition_s = 0;
		fill_report(lu, r, (uint16_t *)&r->groups[n]);
	}
	pthread_mutex_unlock(&lu->lock);
	return r;
}

bool alua_group_of_cmd(const struct cmd *cmd, uint16_t *ret_id)
{
	const struct alua_group *g;

	pthread_mutex_lock(&cmd->lu->lock);
	g = atomic_load(&cmd->itl->pl->alua_group);
	if (g)
		*ret_id = g->id;
	pthread_mutex_unlock(&cmd->lu->lock);
	return g;
}

bool alua_lu_group_id(struct lu *lu, uint16_t *ret_id)
{
	const struct alua_lu_group *g;
	bool says;

	pthread_mutex_lock(&lu->lock);
	g = lu->alua->lu_group;
	says = !g->is_default && g->has_id;
	*ret_id = g->id;
	pthread_mutex_unlock(&lu->lock);
	return says;
}
