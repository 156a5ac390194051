/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * saveconfig_fuzz.c: configuration files, applied to a toy tree where the schema lets them. What is
 * dumped afterwards passes the schema, and applying it again leaves nothing out. A plan changes
 * nothing.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdio.h>

#include "control/saveapply.h"
#include "control/savedump.h"
#include "control/saveschema.h"
#include "control/toy_lio.h"

static void once_more(struct tree *t)
{
	struct problems p;
	json_t *config, *extras;

	problems_init(&p);
	assert(!savedump(t, &config, &extras));
	saveschema_check(config, &p);
	assert(!p.counts[PROBLEM_ERROR]);
	assert(!saveapply(t, config, extras, SAVEAPPLY_REMOVE_OTHERS, NULL, &p, NULL));
	json_decref(config);
	json_decref(extras);
	problems_done(&p);
}

/* plan: a walk that only notes. */
static void only_plan(struct tree *t, const json_t *config)
{
	struct changes *changes;
	json_t *before, *before_extras, *after, *after_extras;
	struct problems p;

	problems_init(&p);
	assert(!changes_new(&changes));
	assert(!savedump(t, &before, &before_extras));
	assert(!saveapply(
		t, config, NULL, SAVEAPPLY_REMOVE_OTHERS | SAVEAPPLY_DRY, NULL, &p, changes));
	assert(!savedump(t, &after, &after_extras));
	assert(json_equal(before, after) && json_equal(before_extras, after_extras));
	json_decref(before);
	json_decref(before_extras);
	json_decref(after);
	json_decref(after_extras);
	changes_free(changes);
	problems_done(&p);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct problems p;
	struct tree *t;
	json_t *config;

	problems_init(&p);
	assert(!tree_new(&toy_lio, NULL, &t));
	config = saveschema_parse((const char *)data, size, &p);
	if (config)
		saveschema_check(config, &p);
	if (config && !p.counts[PROBLEM_ERROR]) {
		only_plan(t, config);
		assert(!saveapply(t, config, NULL, 0, NULL, &p, NULL));
		only_plan(t, config);
		once_more(t);
	}
	json_decref(config);
	problems_done(&p);
	assert(!tree_clear(t, tree_root(t), NULL));
	tree_free(t);
	return 0;
}
