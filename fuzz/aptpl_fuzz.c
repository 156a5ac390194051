/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * aptpl_fuzz.c: files of persistent reservations, LIO's and those of our own, and what is written
 * to res_aptpl_metadata. What is taken can be written, and is the same when it is read again.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "engine/pr/aptpl_text.h"
#include "engine/pr/state.h"

static void check_same(const struct pr_state *a, const struct pr_state *b, bool extras)
{
	assert(a->n == b->n && a->type == b->type && a->scope == b->scope && !b->lost);
	assert(!extras || a->aptpl == b->aptpl);
	for (uint32_t i = 0; i < a->n; i++) {
		const struct pr_registration *x = a->r[i], *y = b->r[i];

		assert(pr_nexus_equal(&x->nexus, &y->nexus) && x->nexus.rtpi == y->nexus.rtpi);
		assert(x->key && x->key == y->key && x->holder == y->holder);
		assert(x->all_tg_pt == y->all_tg_pt && x->lun == y->lun);
		assert(x->target_lun == y->target_lun);
		assert(!extras || x->registered_s == y->registered_s);
	}
}

static void write_and_read(const struct pr_state *s, bool extras)
{
	struct pr_state *again;
	struct strbuf b;
	unsigned foreign;

	strbuf_init(&b);
	assert(!aptpl_format(s, extras, &b));
	assert(!aptpl_parse(b.s, b.len, &again, &foreign, NULL) && !foreign);
	check_same(s, again, extras);
	pr_state_free(again);
	strbuf_done(&b);
}

static void take(struct pr_state *s)
{
	uint32_t holders = 0;

	for (uint32_t i = 0; i < s->n; i++)
		holders += s->r[i]->holder;
	assert(s->type ? holders == 1 || holders == s->n : !holders);
	write_and_read(s, false);
	write_and_read(s, true);
	pr_state_free(s);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	char *text = malloc(size + 1);
	struct errmsg err;
	struct pr_state *s;
	unsigned foreign;

	assert(text);
	memcpy(text, data, size);
	text[size] = '\0';
	if (!aptpl_parse(text, size, &s, &foreign, &err))
		take(s);
	if (!aptpl_parse_one(text, &s, &err))
		take(s);
	free(text);
	return 0;
}
