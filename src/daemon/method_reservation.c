/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * method_reservation.c: reservation.list and reservation.clear: who has registered with a disk,
 * whether he is logged in, and how registrations of those who do not come back are removed.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/disk.h"
#include "daemon/methods.h"
#include "engine/lu.h"
#include "engine/pr/keep.h"
#include "engine/pr/pr.h"
#include "engine/storage.h"
#include "fabric/iscsi/sessions.h"

/* ---- who is logged in ------------------------------------------------------------------------ */

struct login {
	char port[NODE_NAME_BYTES_MAX + sizeof(",i,0x") + 12]; /* initiator port: iqn…,i,0x… */
	char initiator[NODE_NAME_BYTES_MAX + 1];
	char target[NODE_NAME_BYTES_MAX + 1];
	uint16_t tpgt, tsih;
	char peer[64];
};

struct logins {
	struct login *v; /* owned */
	size_t n, room;
	bool failed;
};

static void add_login(const struct session_info *s, void *arg)
{
	struct logins *l = arg;
	struct login *x;

	if (s->discovery || l->failed)
		return;
	if (l->n == l->room) {
		size_t room = l->room ? 2 * l->room : 16;

		x = reallocarray(l->v, room, sizeof(*x));
		l->failed = !x;
		if (!x)
			return;
		l->v = x;
		l->room = room;
	}
	x = &l->v[l->n++];
	snprintf(x->initiator, sizeof(x->initiator), "%s", s->params.initiator_name);
	snprintf(x->port, sizeof(x->port), "%s,i,0x%02x%02x%02x%02x%02x%02x", x->initiator,
		s->isid[0], s->isid[1], s->isid[2], s->isid[3], s->isid[4], s->isid[5]);
	snprintf(x->target, sizeof(x->target), "%s", s->target);
	x->tpgt = s->tpgt;
	x->tsih = s->tsih;
	snprintf(x->peer, sizeof(x->peer), "%s", s->nconns ? s->conns[0].peer : "");
}

static int logins_get(struct daemon *d, struct logins *l)
{
	int r = sessions_each(d->iscsi, NULL, add_login, l);

	return l->failed ? -ENOMEM : r;
}

/* The session of a registration, NULL if there is none. One without ISID has many; this is one. */
static const struct login *login_of(const struct logins *l, const struct pr_nexus *nexus)
{
	bool any_port = !strcmp(nexus->initiator, nexus->initiator_port);

	for (size_t i = 0; i < l->n; i++) {
		const struct login *x = &l->v[i];

		if (x->tpgt == nexus->tpgt && !strcmp(x->target, nexus->device) &&
			!strcmp(any_port ? x->initiator : x->port, nexus->initiator_port))
			return x;
	}
	return NULL;
}

/* ---- list ------------------------------------------------------------------------------------ */

static const char *const type_names[] = {
	[RESERVATION_NONE] = "none",
	[RESERVATION_WRITE_EXCLUSIVE] = "write exclusive",
	[RESERVATION_EXCLUSIVE_ACCESS] = "exclusive access",
	[RESERVATION_WRITE_EXCLUSIVE_RO] = "write exclusive, registrants only",
	[RESERVATION_EXCLUSIVE_ACCESS_RO] = "exclusive access, registrants only",
	[RESERVATION_WRITE_EXCLUSIVE_AR] = "write exclusive, all registrants",
	[RESERVATION_EXCLUSIVE_ACCESS_AR] = "exclusive access, all registrants",
};

static json_t *registration_json(const struct logins *l, const struct pr_registration *r)
{
	const struct login *login = login_of(l, &r->nexus);
	const char *isid = strstr(r->nexus.initiator_port, ",i,0x");
	uint64_t now_s = clock_wall_ns() / NS_PER_S;
	char key[19];
	json_t *out;

	snprintf(key, sizeof(key), "0x%016" PRIx64, r->key);
	out = json_pack("{s:o, s:o, s:o, s:i, s:i, s:i, s:i, s:s, s:b, s:b, s:i}", "initiator",
		json_text(r->nexus.initiator), "isid",
		isid ? json_text(isid + strlen(",i,0x")) : json_null(), "target",
		json_text(r->nexus.device), "tpg", r->nexus.tpgt, "rtpi", r->nexus.rtpi, "lun",
		(int)r->lun, "target_lun", (int)r->target_lun, "key", key, "holder", r->holder,
		"all_target_ports", r->all_tg_pt, "generation", (int)r->generation);
	/* LIO's files do not tell when. */
	json_object_set_new(out, "registered",
		r->registered_s ? json_integer((json_int_t)r->registered_s) : json_null());
	json_object_set_new(out, "age_s",
		r->registered_s && now_s >= r->registered_s
			? json_integer((json_int_t)(now_s - r->registered_s))
			: json_null());
	json_object_set_new(out, "session", login ? json_integer(login->tsih) : json_null());
	json_object_set_new(out, "peer", login ? json_text(login->peer) : json_null());
	return out;
}

/* NULL: no memory. */
static json_t *lu_json(struct lu *lu, const struct logins *l)
{
	struct pr_state *s;
	json_t *list, *out;

	if (pr_copy(lu, &s))
		return NULL;
	list = json_array();
	for (uint32_t i = 0; i < s->n; i++)
		json_array_append_new(list, registration_json(l, s->r[i]));
	out = json_pack("{s:o, s:o, s:i, s:s, s:I, s:b, s:b, s:b, s:o}", "disk",
		json_text(lu->name), "serial", json_text(lu->attribs.unit_serial), "type",
		(int)s->type, "type_name", type_names[s->type], "generation",
		(json_int_t)s->generation, "kept", s->aptpl, "can_be_kept", pr_keep_offered(lu),
		"lost", s->lost, "registrations", list);
	pr_state_free(s);
	return out;
}

/* The LU of parameter "disk", with what was kept of it. NULL: told. */
static struct lu *lu_of(struct control_call *call, int *ret_error)
{
	struct node *disk =
		disk_find(control_tree(call->control), call_string(call, "disk"), &call->err);
	struct lu *lu = NULL;

	*ret_error = disk ? storage_lu(disk, &lu, &call->err) : call->err.code;
	if (lu)
		*ret_error = pr_keep_load(lu, &call->err);
	return *ret_error ? NULL : lu;
}

static bool has_something(struct lu *lu)
{
	struct pr_state *s;
	bool has;

	if (pr_copy(lu, &s))
		return false;
	has = s->n || s->lost;
	pr_state_free(s);
	return has;
}

static int list_into(struct daemon *d, struct control_call *call, const struct logins *l)
{
	struct lu *lu;
	int r;

	call->result = json_array();
	if (call_string(call, "disk")) {
		lu = lu_of(call, &r);
		if (lu && json_array_append_new(call->result, lu_json(lu, l)))
			r = call_fail(call, -ENOMEM, "out of memory");
		return r;
	}
	for (lu = engine_next_lu(d->eng, NULL); lu; lu = engine_next_lu(d->eng, lu)) {
		if (has_something(lu))
			json_array_append_new(call->result, lu_json(lu, l));
	}
	return 0;
}

static int method_list(void *arg, struct control_call *call)
{
	struct logins l = { 0 };
	int r = logins_get(arg, &l);

	if (r)
		call_fail(call, r, "%s", err_text(r));
	else
		r = list_into(arg, call, &l);
	free(l.v);
	return r;
}

/* ---- clear ----------------------------------------------------------------------------------- */

struct choice {
	const char *initiator, *isid, *target; /* NULL: any */
	int64_t tpg; /* -1: any */
	bool stale, all, force;
};

static bool is_chosen(
	const struct choice *c, const struct logins *l, const struct pr_registration *r)
{
	const char *isid = strstr(r->nexus.initiator_port, ",i,0x");

	if (c->initiator && strcmp(c->initiator, r->nexus.initiator) != 0 &&
		strcmp(c->initiator, r->nexus.initiator_port) != 0)
		return false;
	if (c->isid && (!isid || strcasecmp(c->isid, isid + strlen(",i,0x")) != 0))
		return false;
	if ((c->target && strcmp(c->target, r->nexus.device) != 0) ||
		(c->tpg >= 0 && c->tpg != r->nexus.tpgt))
		return false;
	return !c->stale || !login_of(l, &r->nexus);
}

/* None of an initiator that is at work, unless that is meant. */
static int check_logged_in(struct control_call *call, const struct choice *c,
	const struct logins *l, const struct pr_state *s)
{
	for (uint32_t i = 0; i < s->n && !c->force; i++) {
		const struct pr_nexus *x = &s->r[i]->nexus;

		if (is_chosen(c, l, s->r[i]) && login_of(l, x))
			return call_fail(call, -EBUSY,
				"%s is logged in to %s: it would lose its registration while it "
				"works; force it if that is meant",
				x->initiator_port, x->device);
	}
	return 0;
}

static int clear_chosen(struct control_call *call, const struct choice *c, const struct logins *l,
	struct lu *lu, const struct pr_state *s)
{
	int r = check_logged_in(call, c, l, s), n = 0;

	if (!r && c->all) {
		r = pr_clear_admin(lu, &call->err);
		n = (int)s->n;
	}
	for (uint32_t i = 0; i < s->n && !r && !c->all; i++) {
		if (!is_chosen(c, l, s->r[i]))
			continue;
		r = pr_drop_admin(lu, &s->r[i]->nexus, &call->err);
		if (r == -ENOENT)
			r = 0; /* its initiator was faster */
		else
			n++;
	}
	if (!r && !n && c->initiator)
		return call_fail(call, -ENOENT,
			"%s has no such registration; \"ulio reservation list\" shows them",
			lu->name);
	if (!r)
		call->result = json_pack("{s:i}", "cleared", n);
	return r;
}

static int method_clear(void *arg, struct control_call *call)
{
	struct choice c = { call_string(call, "initiator"), call_string(call, "isid"),
		call_string(call, "target"), call_integer(call, "tpg", -1),
		call_bool(call, "stale", false), call_bool(call, "all", false),
		call_bool(call, "force", false) };
	struct pr_state *s = NULL;
	struct logins l = { 0 };
	struct lu *lu;
	int r;

	if (!!c.initiator + c.stale + c.all != 1)
		return call_fail(call, -EINVAL,
			"which registrations? One of \"initiator\", \"stale\" and \"all\" says it");
	if (c.all && (c.isid || c.target || c.tpg >= 0))
		return call_fail(call, -EINVAL, "\"all\" are those of every initiator port");
	lu = lu_of(call, &r);
	if (!lu)
		return r;
	r = logins_get(arg, &l);
	if (!r)
		r = pr_copy(lu, &s);
	if (r)
		call_fail(call, r, "%s", err_text(r));
	else
		r = clear_chosen(call, &c, &l, lu, s);
	pr_state_free(s);
	free(l.v);
	return r;
}

const struct control_method reservation_methods[] = {
	{ .name = "reservation.list",
		.doc = "Persistent reservations: registrations with their keys and sessions.",
		.fn = method_list,
		.params = { { "disk", PARAM_STRING, false,
			"of this disk; absent: of all that have registrations" } } },
	{ .name = "reservation.clear",
		.doc = "Remove registrations with a disk, and the reservation that they hold.",
		.fn = method_clear,
		.changes = true,
		.params = { { "disk", PARAM_STRING, true, "the name of the disk" },
			{ "initiator", PARAM_STRING, false, "those of this initiator" },
			{ "isid", PARAM_STRING, false, "of its port with this ISID alone" },
			{ "target", PARAM_STRING, false, "with this target alone" },
			{ "tpg", PARAM_INTEGER, false, "with this portal group alone" },
			{ "stale", PARAM_BOOL, false, "those of ports that are not logged in" },
			{ "all", PARAM_BOOL, false, "all, and that reservations were lost" },
			{ "force", PARAM_BOOL, false, "also of ports that are logged in" } } },
	{ .name = NULL },
};
