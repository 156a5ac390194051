/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * storage_pr.c: pr/ of a storage object: its reservations in LIO's words, and the way by which
 * LIO's tools give back what was kept.
 */
#include <errno.h>
#include <inttypes.h>

#include "engine/nexus.h"
#include "engine/pr/keep.h"
#include "engine/pr/pr.h"
#include "engine/storage_priv.h"

#define FABRIC "iSCSI"

/* By type; SPC-4 6.15.3.4. */
static const char *const type_words[] = {
	[RESERVATION_WRITE_EXCLUSIVE] = "Write Exclusive Access",
	[RESERVATION_EXCLUSIVE_ACCESS] = "Exclusive Access",
	[RESERVATION_WRITE_EXCLUSIVE_RO] = "Write Exclusive Access, Registrants Only",
	[RESERVATION_EXCLUSIVE_ACCESS_RO] = "Exclusive Access, Registrants Only",
	[RESERVATION_WRITE_EXCLUSIVE_AR] = "Write Exclusive Access, All Registrants",
	[RESERVATION_EXCLUSIVE_ACCESS_AR] = "Exclusive Access, All Registrants",
};

static bool is_served(const struct storage *s)
{
	return s->lu->attribs.emulate_pr;
}

/* Call show with the state as it is. */
static int with_state(const struct attr *a, struct storage *s, struct strbuf *out,
	void (*show)(const struct pr_state *now, struct strbuf *out))
{
	struct pr_state *now;
	int r = pr_copy(s->lu, &now);

	if (r)
		return r;
	show(now, out);
	pr_state_free(now);
	return 0;
}

/* Call show with the holder, or say that there is none. */
static int with_holder(struct storage *s, struct strbuf *out,
	void (*show)(
		const struct pr_state *now, const struct pr_registration *h, struct strbuf *out))
{
	const struct pr_registration *h;
	struct pr_state *now;
	int r = pr_copy(s->lu, &now);

	if (r)
		return r;
	h = pr_holder(now);
	if (h)
		show(now, h, out);
	else
		strbuf_puts(out, "No SPC-3 Reservation holder");
	pr_state_free(now);
	return 0;
}

/* Who has the LU by RESERVE of SPC-2; False: nobody. */
static bool show_spc2(struct lu *lu, struct strbuf *out)
{
	const struct nexus *holder;
	struct itl *itl;

	pthread_mutex_lock(&lu->lock);
	holder = atomic_load(&lu->reserve6);
	if (holder) {
		list_for_each (itl, &lu->itls, struct itl, lu_link) {
			if (itl->nexus == holder) {
				strbuf_printf(out, "SPC-2 Reservation: " FABRIC " Initiator: %s",
					itl->nexus->initiator);
				break;
			}
		}
	}
	pthread_mutex_unlock(&lu->lock);
	return holder;
}

static void show_holder(
	const struct pr_state *now, const struct pr_registration *h, struct strbuf *out)
{
	strbuf_printf(out, "SPC-3 Reservation: " FABRIC " Initiator: %s", h->nexus.initiator_port);
}

static int get_holder(const struct attr *a, void *obj, struct strbuf *out)
{
	struct storage *s = obj;

	if (!is_served(s)) {
		strbuf_puts(out, "SPC_RESERVATIONS_DISABLED");
		return 0;
	}
	return show_spc2(s->lu, out) ? 0 : with_holder(s, out, show_holder);
}

static void show_all_tgt_pts(
	const struct pr_state *now, const struct pr_registration *h, struct strbuf *out)
{
	strbuf_printf(out, "SPC-3 Reservation: %s Target Port%s registration",
		h->all_tg_pt ? "All" : "Single", h->all_tg_pt ? "s" : "");
}

static int get_all_tgt_pts(const struct attr *a, void *obj, struct strbuf *out)
{
	return with_holder(obj, out, show_all_tgt_pts);
}

static void show_generation(const struct pr_state *now, struct strbuf *out)
{
	strbuf_printf(out, "0x%08" PRIx32, now->generation);
}

static int get_generation(const struct attr *a, void *obj, struct strbuf *out)
{
	return with_state(a, obj, out, show_generation);
}

static void show_holder_tg_port(
	const struct pr_state *now, const struct pr_registration *h, struct strbuf *out)
{
	strbuf_printf(out,
		"SPC-3 Reservation: " FABRIC " Target Node Endpoint: %s\nSPC-3 Reservation: "
		"Relative Port Identifier Tag: %u " FABRIC " Portal Group Tag: %u " FABRIC
		" Logical Unit: %" PRIu32,
		h->nexus.device, h->nexus.rtpi, h->nexus.tpgt, h->target_lun);
}

static int get_holder_tg_port(const struct attr *a, void *obj, struct strbuf *out)
{
	return with_holder(obj, out, show_holder_tg_port);
}

static void show_registered(const struct pr_state *now, struct strbuf *out)
{
	strbuf_puts(out, "SPC-3 PR Registrations:");
	if (!now->n)
		strbuf_puts(out, "\nNone");
	for (uint32_t i = 0; i < now->n; i++)
		strbuf_printf(out,
			"\n" FABRIC " Node: %s Key: 0x%016" PRIx64 " PRgen: 0x%08" PRIx32,
			now->r[i]->nexus.initiator_port, now->r[i]->key, now->r[i]->generation);
}

static int get_registered(const struct attr *a, void *obj, struct strbuf *out)
{
	return with_state(a, obj, out, show_registered);
}

static void show_type(
	const struct pr_state *now, const struct pr_registration *h, struct strbuf *out)
{
	strbuf_printf(out, "SPC-3 Reservation Type: %s", type_words[now->type]);
}

static int get_type(const struct attr *a, void *obj, struct strbuf *out)
{
	return with_holder(obj, out, show_type);
}

static int get_res_type(const struct attr *a, void *obj, struct strbuf *out)
{
	struct storage *s = obj;

	strbuf_puts(out, !is_served(s)                   ? "SPC_RESERVATIONS_DISABLED"
			 : atomic_load(&s->lu->reserve6) ? "SPC2_RESERVATIONS"
							 : "SPC3_PERSISTENT_RESERVATIONS");
	return 0;
}

static void show_aptpl(const struct pr_state *now, struct strbuf *out)
{
	strbuf_printf(out, "APTPL Bit Status: %s", now->aptpl ? "Activated" : "Disabled");
}

static int get_aptpl(const struct attr *a, void *obj, struct strbuf *out)
{
	return is_served(obj) ? with_state(a, obj, out, show_aptpl) : 0;
}

static int get_metadata(const struct attr *a, void *obj, struct strbuf *out)
{
	if (is_served(obj))
		strbuf_puts(out, "Ready to process PR APTPL metadata..");
	return 0;
}

static int set_metadata(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct storage *s = obj;
	int r;

	if (!is_served(s))
		return 0; /* LIO takes it and does nothing */
	r = pr_keep_import(s->lu, value, err);
	if (r)
		errmsg_prefix(err, "%s", a->name);
	return r;
}

static const struct attr pr_rows[] = {
	{ .name = "res_aptpl_active",
		.get = get_aptpl,
		.flags = ATTR_STAT,
		.doc = "Whether registrations outlive a restart: what the last one asked for "
		       "(APTPL)." },
	{ .name = "res_aptpl_metadata",
		.get = get_metadata,
		.set = set_metadata,
		.may_set = storage_not_exported,
		.flags = ATTR_UNSAVED,
		.doc = "Write a registration that was kept, as LIO's tools do. There is no need "
		       "to: what was kept is loaded before the unit is shown." },
	{ .name = "res_holder",
		.get = get_holder,
		.flags = ATTR_STAT,
		.doc = "Who holds the reservation." },
	{ .name = "res_pr_all_tgt_pts",
		.get = get_all_tgt_pts,
		.flags = ATTR_STAT,
		.doc = "Whether the holder registered by one target port or by all of them." },
	{ .name = "res_pr_generation",
		.get = get_generation,
		.flags = ATTR_STAT,
		.doc = "PRGENERATION: counts changes since the start." },
	{ .name = "res_pr_holder_tg_port",
		.get = get_holder_tg_port,
		.flags = ATTR_STAT,
		.doc = "The target port by which the holder registered." },
	{ .name = "res_pr_registered_i_pts",
		.get = get_registered,
		.flags = ATTR_STAT,
		.doc = "Registered initiator ports with their keys." },
	{ .name = "res_pr_type",
		.get = get_type,
		.flags = ATTR_STAT,
		.doc = "Type of the reservation." },
	{ .name = "res_type",
		.get = get_res_type,
		.flags = ATTR_STAT,
		.doc = "The kind of reservations in force: SPC3_PERSISTENT_RESERVATIONS, "
		       "SPC2_RESERVATIONS (RESERVE is in force) or SPC_RESERVATIONS_DISABLED "
		       "(emulate_pr is 0)." },
	ATTR_END,
};

const struct node_type storage_pr_type = {
	.name = "reservations",
	.doc = "Persistent reservations of the logical unit.",
	.attrs = pr_rows,
};
