/* SPDX-License-Identifier: BSD-3-Clause */
/* keep.c: when what is kept of an LU's reservations is read, and by whom it is written. */
#include "engine/pr/keep.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "engine/engine.h"
#include "engine/lu.h"
#include "engine/pr/aptpl.h"
#include "engine/pr/aptpl_text.h"
#include "engine/pr/pr.h"

#define CHANGES_NS (5 * NS_PER_S)

/* Its serial number is its own, and can name a file. If not that is told. */
static bool find_out(struct lu *lu)
{
	const char *serial = lu->attribs.unit_serial;
	struct lu *other;
	struct errmsg why;

	errmsg_init(&why);
	if (!aptpl_can_keep(lu->eng, serial, &why)) {
		/* Without a place at all that was told at the start. */
		if (engine_dbroot(lu->eng))
			log_obj(LOG_LEVEL_WARN, "pr", lu->name,
				"its persistent reservations will not outlive a restart: %s",
				why.text);
		return false;
	}
	other = engine_claim_serial(lu->eng, lu);
	if (other)
		log_obj(LOG_LEVEL_ERROR, "pr", lu->name,
			"has the unit serial number of %s, %s: its persistent reservations will "
			"not outlive a restart; give it one of its own",
			other->name, serial);
	return !other;
}

/* A change that an initiator has begun may still be committed by the old serial number. */
static bool wait_for_changes(struct lu *lu)
{
	uint64_t end = clock_now_ns() + CHANGES_NS;
	struct loop_event never;

	loop_event_init(&never, engine_loops(lu->eng));
	while (atomic_load(&lu->holds)) {
		if (clock_now_ns() > end)
			return false;
		(void)loop_event_wait(&never, NS_PER_MS);
	}
	return true;
}

int pr_keep_load(struct lu *lu, struct errmsg *err)
{
	const char *serial = lu->attribs.unit_serial;
	bool again = lu->keep.known && strcmp(lu->keep.serial, serial) != 0;
	struct pr_state *s = NULL;
	int r = 0;

	if (lu->exports)
		return 0;
	if (lu->keep.known && !again) {
		if (!lu->keep.offered)
			find_out(lu);
		return 0;
	}
	if (again && !wait_for_changes(lu))
		return errmsg_set(err, -EBUSY,
			"%s still has a change of its reservations under way: try again", lu->name);
	pr_keep_done(lu);
	snprintf(lu->keep.serial, sizeof(lu->keep.serial), "%s", serial);
	if (find_out(lu))
		r = aptpl_load(lu->eng, serial, &s, err);
	/* Another serial number is another LU. */
	if (!r && !s && again) {
		s = pr_state_new();
		r = s ? 0 : errmsg_set(err, -ENOMEM, "out of memory");
	}
	if (!r && s)
		r = pr_import(lu, s, err);
	if (r) {
		pr_state_free(s);
		pr_keep_done(lu);
		errmsg_prefix(err, "%s", lu->name);
		return r;
	}
	lu->keep.known = true;
	return 0;
}

bool pr_keep_offered(const struct lu *lu)
{
	return lu->keep.offered;
}

int pr_keep_commit(const struct lu *lu, const struct pr_state *s)
{
	return lu->keep.offered ? aptpl_commit(lu->eng, lu->keep.serial, s) : 0;
}

void pr_keep_done(struct lu *lu)
{
	if (lu->keep.offered)
		engine_release_serial(lu->eng, lu);
	lu->keep.known = false;
}

/* ---- res_aptpl_metadata ---------------------------------------------------------------------- */

/* What is there without the nexus of `add`, then that. 0, -ENOSPC, -ENOMEM. */
static int merge(const struct pr_state *now, const struct pr_state *add, struct pr_state **ret)
{
	const struct pr_registration *r = add->r[0], *holder = pr_holder(now);
	struct pr_state *s = pr_state_new();
	uint32_t held = UINT32_MAX;
	int rc = s ? 0 : -ENOMEM;

	for (uint32_t i = 0; i < now->n && !rc; i++) {
		if (pr_nexus_equal(&now->r[i]->nexus, &r->nexus))
			continue;
		if (now->r[i] == holder)
			held = s->n;
		rc = pr_state_add(s, now->r[i]);
	}
	if (!rc)
		rc = pr_state_add(s, r);
	if (rc) {
		pr_state_free(s);
		return rc;
	}
	s->aptpl = true;
	s->generation = now->generation;
	if (add->type)
		pr_state_reserve(s, s->n - 1, add->scope, add->type);
	else if (held != UINT32_MAX)
		pr_state_reserve(s, held, now->scope, now->type);
	else if (reservation_type_all_registrants(now->type))
		pr_state_reserve(s, 0, now->scope, now->type);
	*ret = s;
	return 0;
}

static int import_one(struct lu *lu, const struct pr_state *one, struct errmsg *err)
{
	struct pr_state *now = NULL, *next = NULL;
	int r = pr_copy(lu, &now);

	if (!r)
		r = merge(now, one, &next);
	pr_state_free(now);
	if (!r)
		r = pr_keep_commit(lu, next);
	if (r)
		errmsg_set(err, r, "%s",
			r == -ENOSPC ? "there are too many registrations" : err_text(r));
	else
		r = pr_import(lu, next, err);
	if (r)
		pr_state_free(next);
	return r;
}

int pr_keep_import(struct lu *lu, const char *text, struct errmsg *err)
{
	struct pr_state *one;
	int r;

	if (lu->exports)
		return errmsg_set(err, -EBUSY, "%s is shown as a LUN", lu->name);
	/* A change under way writes the same files. */
	if (!wait_for_changes(lu))
		return errmsg_set(err, -EBUSY, "%s has a change under way: try again", lu->name);
	r = aptpl_parse_one(text, &one, err);
	if (r)
		return r;
	r = pr_keep_load(lu, err);
	if (!r)
		r = import_one(lu, one, err);
	pr_state_free(one);
	return r;
}
