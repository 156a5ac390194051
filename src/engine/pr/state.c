/* SPDX-License-Identifier: BSD-3-Clause */
/* state.c: what is registered and reserved, as a value; the rules are in rules.c. */
#include "engine/pr/state_priv.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "scsi/transportid.h"

/* ---- nexuses -------------------------------------------------------------------------------- */

bool pr_nexus_equal(const struct pr_nexus *a, const struct pr_nexus *b)
{
	return a->tpgt == b->tpgt && strcmp(a->initiator_port, b->initiator_port) == 0 &&
	       strcmp(a->device, b->device) == 0;
}

/* A name that fits, and is one. */
static bool name_fits(const char *s)
{
	size_t n = strnlen(s, PORT_NAME_BYTES);

	return n > 0 && n < PORT_NAME_BYTES;
}

/* Over what identifies a nexus; names that do not fit are nobody's. */
static bool nexus_hash(const struct pr_state *s, const struct pr_nexus *x, uint64_t *ret)
{
	char key[2 * PORT_NAME_BYTES + sizeof(x->tpgt)];
	size_t port, device;

	if (!name_fits(x->initiator_port) || !name_fits(x->device))
		return false;
	port = strlen(x->initiator_port) + 1; /* with its NUL, which parts the two */
	device = strlen(x->device);
	memcpy(key, x->initiator_port, port);
	memcpy(key + port, x->device, device);
	memcpy(key + port + device, &x->tpgt, sizeof(x->tpgt));
	*ret = hash_bytes(&s->by_nexus, key, port + device + sizeof(x->tpgt));
	return true;
}

static bool node_is(const struct hash_node *node, const void *key)
{
	return pr_nexus_equal(&container_of(node, struct pr_registration, node)->nexus, key);
}

const struct pr_registration *pr_find(const struct pr_state *s, const struct pr_nexus *nexus)
{
	struct hash_node *node;
	uint64_t hash;

	if (s->n == 0 || !nexus_hash(s, nexus, &hash))
		return NULL;
	node = hash_find(&s->by_nexus, hash, node_is, nexus);
	return node ? container_of(node, struct pr_registration, node) : NULL;
}

/* ---- making states -------------------------------------------------------------------------- */

struct pr_state *pr_state_new(void)
{
	struct pr_state *s = calloc(1, sizeof(*s));

	if (s)
		hash_init(&s->by_nexus);
	return s;
}

struct pr_state *pr_state_free(struct pr_state *s)
{
	if (!s)
		return NULL;
	for (uint32_t i = 0; i < s->n; i++)
		free(s->r[i]);
	free(s->r);
	hash_done(&s->by_nexus);
	free(s);
	return NULL;
}

static char *put_string(char **at, const char *s)
{
	size_t n = strlen(s) + 1;
	char *copy = memcpy(*at, s, n);

	*at += n;
	return copy;
}

/* A copy with strings of its own, in one piece of memory. */
static struct pr_registration *registration_copy(const struct pr_registration *from)
{
	const struct pr_nexus *x = &from->nexus;
	size_t names = strlen(x->initiator) + strlen(x->initiator_port) + strlen(x->device) + 3;
	struct pr_registration *r = malloc(sizeof(*r) + names);
	char *at = (char *)(r + 1);

	if (!r)
		return NULL;
	*r = *from;
	r->nexus.initiator = put_string(&at, x->initiator);
	r->nexus.initiator_port = put_string(&at, x->initiator_port);
	r->nexus.device = put_string(&at, x->device);
	return r;
}

static bool make_room(struct pr_state *s, uint32_t n)
{
	uint32_t room = s->room ? s->room : 8;
	struct pr_registration **r;

	if (n <= s->room)
		return true;
	while (room < n)
		room *= 2;
	r = realloc(s->r, room * sizeof(struct pr_registration *));
	if (!r)
		return false;
	s->r = r;
	s->room = room;
	return true;
}

/* Append a copy of *r, of a nexus that is not there yet. 0, -ENOMEM. */
static int append(struct pr_state *s, const struct pr_registration *r)
{
	struct pr_registration *copy;
	uint64_t hash;
	bool fits;

	if (!make_room(s, s->n + 1))
		return -ENOMEM;
	copy = registration_copy(r);
	if (!copy)
		return -ENOMEM;
	fits = nexus_hash(s, &copy->nexus, &hash);
	assert(fits);
	hash_insert(&s->by_nexus, &copy->node, hash);
	copy->at = s->n;
	s->r[s->n++] = copy;
	return 0;
}

int pr_state_copy(const struct pr_state *s, struct pr_state **ret)
{
	struct pr_state *copy = pr_state_new();

	if (!copy || !make_room(copy, s->n)) {
		pr_state_free(copy);
		return -ENOMEM;
	}
	copy->generation = s->generation;
	copy->aptpl = s->aptpl;
	copy->lost = s->lost;
	copy->type = s->type;
	copy->scope = s->scope;
	for (uint32_t i = 0; i < s->n; i++) {
		if (append(copy, s->r[i])) {
			pr_state_free(copy);
			return -ENOMEM;
		}
	}
	*ret = copy;
	return 0;
}

int pr_state_add(struct pr_state *s, const struct pr_registration *r)
{
	struct pr_registration add = *r;
	struct transportid id;

	if (r->key == 0 || !name_fits(r->nexus.initiator) || !name_fits(r->nexus.device) ||
		!name_fits(r->nexus.initiator_port) ||
		!transportid_from_port(r->nexus.initiator_port, &id))
		return -EINVAL;
	if (pr_find(s, &r->nexus))
		return -EEXIST;
	if (s->n >= PR_MAX_REGISTRATIONS)
		return -ENOSPC;
	add.holder = reservation_type_all_registrants(s->type);
	return append(s, &add);
}

void pr_state_reserve(struct pr_state *s, uint32_t holder, uint8_t scope, uint8_t type)
{
	bool all = reservation_type_all_registrants(type);

	assert(reservation_type_valid(type) && s->n > 0 && (all || holder < s->n));
	s->scope = scope;
	s->type = type;
	for (uint32_t i = 0; i < s->n; i++)
		s->r[i]->holder = all || i == holder;
}

void pr_state_release(struct pr_state *s)
{
	s->type = RESERVATION_NONE;
	s->scope = 0;
	for (uint32_t i = 0; i < s->n; i++)
		s->r[i]->holder = false;
}

void pr_state_remove(struct pr_state *s, const bool *gone, uint32_t n)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		struct pr_registration *r = s->r[i];

		if (i < n && gone[i]) {
			hash_remove(&s->by_nexus, &r->node);
			free(r);
		} else {
			r->at = kept;
			s->r[kept++] = r;
		}
	}
	s->n = kept;
	if (kept == 0)
		pr_state_release(s);
}

void pr_state_check(const struct pr_state *s)
{
	uint32_t holders = 0;

	for (uint32_t i = 0; i < s->n; i++) {
		assert(s->r[i]->key != 0);
		holders += s->r[i]->holder;
	}
	assert(s->n == s->by_nexus.count && s->n <= PR_MAX_REGISTRATIONS);
	assert(!s->lost || s->n == 0);
	if (s->type == RESERVATION_NONE)
		assert(holders == 0);
	else if (reservation_type_all_registrants(s->type))
		assert(s->n > 0 && holders == s->n);
	else
		assert(holders == 1);
}

/* ---- asking them ---------------------------------------------------------------------------- */

const struct pr_registration *pr_holder(const struct pr_state *s)
{
	for (uint32_t i = 0; i < s->n && s->type != RESERVATION_NONE; i++) {
		if (s->r[i]->holder)
			return s->r[i];
	}
	return NULL;
}

/*
 * SPC-4 5.12.1, table 66: the holder does what it likes; with registrants only and all registrants
 * types so do the registered. Exclusive access types keep the others from reading, too.
 */
uint32_t pr_bars(const struct pr_state *s, const struct pr_nexus *nexus)
{
	const struct pr_registration *r;

	if (s->lost)
		return PR_BAR | PR_BAR_READ | PR_BAR_LOST;
	if (s->type == RESERVATION_NONE)
		return 0;
	r = pr_find(s, nexus);
	if (r && (r->holder || reservation_type_registrants_only(s->type)))
		return 0;
	return reservation_type_exclusive_access(s->type) ? PR_BAR | PR_BAR_READ : PR_BAR;
}
