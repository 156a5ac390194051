/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * world_priv.h: the little world that the tests of this folder play in: four initiator ports at two
 * target ports. A state of it is written "A1 B2 C2 @5B": A is registered with key 1, B and C with
 * key 2, and B holds a reservation of type 5; with types 7 and 8 no holder is named.
 */
#ifndef ULIO_ENGINE_PR_WORLD_PRIV_H
#define ULIO_ENGINE_PR_WORLD_PRIV_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/bytes.h"
#include "engine/pr/state.h"
#include "scsi/opcodes.h"
#include "scsi/transportid.h"

/*
 * The nexuses, as letters: upper case at target port 1, lower case at 2. Initiator ports A, B, C
 * are known (logged in), D is not.
 */
enum { A, B, C, D, A_2, B_2, C_2, D_2, NEXUSES, INITIATORS = 4 };
static const char letters[] = "ABCDabcd";

#define ISID_SUFFIX ",i,0x00023d00000a"
static const char *const initiator_names[] = { "iqn.a", "iqn.b", "iqn.c", "iqn.d" };
static const char *const initiator_ports[] = { "iqn.a" ISID_SUFFIX, "iqn.b" ISID_SUFFIX,
	"iqn.c" ISID_SUFFIX, "iqn.d" ISID_SUFFIX };

/* Port 2 is there twice, as with two LUNs that show the same LU. */
static const struct pr_port world_ports[] = {
	{ "iqn.target", 1, 0x101, 10 },
	{ "iqn.target", 2, 0x102, 20 },
	{ "iqn.target", 2, 0x102, 21 },
};
static const struct pr_initiator known_initiators[] = {
	{ "iqn.a", "iqn.a" ISID_SUFFIX },
	{ "iqn.b", "iqn.b" ISID_SUFFIX },
	{ "iqn.c", "iqn.c" ISID_SUFFIX },
	{ "iqn.b", "iqn.b" ISID_SUFFIX },
};

static inline struct pr_nexus nexus_of(unsigned i)
{
	const struct pr_port *port = &world_ports[i / INITIATORS];

	return (struct pr_nexus){ initiator_names[i % INITIATORS], initiator_ports[i % INITIATORS],
		port->device, port->tpgt, port->rtpi };
}

struct world {
	uint64_t key[NEXUSES]; /* 0: not registered */
	uint8_t type, scope;
	unsigned holders; /* a set, 1 << A */
	bool aptpl, lost;
	uint32_t generation;
};

static inline unsigned registered(const struct world *w)
{
	unsigned set = 0;

	for (unsigned i = 0; i < NEXUSES; i++)
		set |= w->key[i] ? 1u << i : 0;
	return set;
}

static inline unsigned nexus_by_letter(char c)
{
	const char *at = strchr(letters, c);

	assert_true(c != '\0' && at != NULL);
	return (unsigned)(at - letters);
}

static inline struct world world_parse(const char *s)
{
	struct world w = { .generation = 100 };

	for (; *s; s++) {
		if (*s == ' ')
			continue;
		if (*s == '@') {
			w.type = (uint8_t)(*++s - '0');
			if (w.type < 7)
				w.holders = 1u << nexus_by_letter(*++s);
		} else {
			unsigned i = nexus_by_letter(*s);

			w.key[i] = (uint64_t)(*++s - '0');
		}
	}
	if (w.type >= 7)
		w.holders = registered(&w);
	return w;
}

static inline struct pr_state *world_state(const struct world *w)
{
	struct pr_state *s = pr_state_new();
	uint32_t holder = 0;

	assert_non_null(s);
	for (unsigned i = 0; i < NEXUSES; i++) {
		struct pr_registration r = { .nexus = nexus_of(i), .key = w->key[i] };

		if (!w->key[i])
			continue;
		assert_int_equal(pr_state_add(s, &r), 0);
		if (w->holders & 1u << i)
			holder = s->n - 1;
	}
	if (w->type)
		pr_state_reserve(s, holder, w->scope, w->type);
	s->aptpl = w->aptpl;
	s->lost = w->lost;
	s->generation = w->generation;
	return s;
}

/* Which of the nexuses this one is. */
static inline unsigned nexus_number(const struct pr_nexus *x)
{
	for (unsigned i = 0; i < NEXUSES; i++) {
		struct pr_nexus known = nexus_of(i);

		if (pr_nexus_equal(&known, x)) {
			assert_string_equal(x->initiator, known.initiator);
			assert_int_equal(x->rtpi, known.rtpi);
			return i;
		}
	}
	fail_msg("nexus of %s at %s %u is none of ours", x->initiator_port, x->device, x->tpgt);
	return 0;
}

static inline struct world world_of(const struct pr_state *s)
{
	struct world w = { .type = s->type,
		.scope = s->scope,
		.aptpl = s->aptpl,
		.lost = s->lost,
		.generation = s->generation };

	for (uint32_t i = 0; i < s->n; i++) {
		unsigned at = nexus_number(&s->r[i]->nexus);

		assert_int_equal(w.key[at], 0);
		assert_int_equal(s->r[i]->at, i);
		w.key[at] = s->r[i]->key;
		w.holders |= s->r[i]->holder ? 1u << at : 0;
		assert_ptr_equal(pr_find(s, &s->r[i]->nexus), s->r[i]);
	}
	return w;
}

static inline bool world_equal(const struct world *a, const struct world *b)
{
	return memcmp(a->key, b->key, sizeof(a->key)) == 0 && a->type == b->type &&
	       a->scope == b->scope && a->holders == b->holders && a->aptpl == b->aptpl &&
	       a->lost == b->lost && a->generation == b->generation;
}

/* For messages: as world_parse() reads it, and more. */
static inline const char *world_text(const struct world *w, char buf[static 128])
{
	size_t n = 0;

	for (unsigned i = 0; i < NEXUSES; i++) {
		if (w->key[i])
			n += (size_t)snprintf(
				buf + n, 128 - n, "%c%u ", letters[i], (unsigned)w->key[i]);
	}
	n += (size_t)snprintf(buf + n, 128 - n, "@%u scope %u ", w->type, w->scope);
	for (unsigned i = 0; i < NEXUSES; i++) {
		if (w->holders & 1u << i)
			n += (size_t)snprintf(buf + n, 128 - n, "%c", letters[i]);
	}
	snprintf(buf + n, 128 - n, " gen %u%s%s", w->generation, w->aptpl ? " aptpl" : "",
		w->lost ? " lost" : "");
	return buf;
}

/* A request of A, with the key that it should have if registered with 1. */
static inline struct pr_request request_of(uint8_t action, uint64_t key, uint64_t sa_key)
{
	return (struct pr_request){ .action = action,
		.self = nexus_of(A),
		.list = { .key = key, .sa_key = sa_key },
		.isids = true,
		.can_persist = true,
		.lun = 3,
		.target_lun = 10,
		.now_s = 12345,
		.ports = world_ports,
		.nports = sizeof(world_ports) / sizeof(world_ports[0]),
		.initiators = known_initiators,
		.ninitiators = sizeof(known_initiators) / sizeof(known_initiators[0]) };
}

/* What has come of it, told in the terms of this world. */
struct told {
	unsigned ua[8]; /* sets of nexuses by ASCQ of 2Ah: [3], [4], [5] */
	unsigned abort; /* a set */
};

static inline struct told told_of(const struct pr_outcome *o)
{
	struct told t = { { 0 }, 0 };

	for (uint32_t i = 0; i < o->nnotes; i++) {
		const struct pr_note *note = &o->notes[i];
		unsigned bit = 1u << nexus_number(&note->who->nexus);

		for (unsigned k = 0; k < 8; k++)
			assert_false(t.ua[k] & bit); /* one condition a nexus */
		assert_true(note->ua != SENSE_NO_SENSE || note->abort);
		if (note->ua != SENSE_NO_SENSE) {
			assert_int_equal(sense_key(note->ua), KEY_UNIT_ATTENTION);
			assert_int_equal(sense_asc(note->ua), 0x2a);
			assert_in_range(sense_ascq(note->ua), 3, 5);
			t.ua[sense_ascq(note->ua)] |= bit;
		}
		t.abort |= note->abort ? bit : 0;
	}
	return t;
}

/* TransportIDs for lists: "B" port B, "b" the node of B (format 00b), "s" a SAS port. */
static inline size_t world_ids(const char *which, uint8_t *buf, size_t cap)
{
	size_t n = 0;

	for (; *which; which++) {
		struct transportid id = { .has_isid = *which < 'a',
			.isid = { 0x00, 0x02, 0x3d, 0x00, 0x00, 0x0a } };

		assert_true(n + TRANSPORTID_MAX <= cap);
		if (*which == 's') {
			memset(buf + n, 0, TRANSPORTID_BYTES);
			buf[n] = 0x06;
			n += TRANSPORTID_BYTES;
			continue;
		}
		/* upper case, as names may be written */
		snprintf(id.name, sizeof(id.name), "IQN.%c", id.has_isid ? *which : *which - 32);
		n += transportid_encode(&id, buf + n, cap - n);
	}
	return n;
}

#endif
