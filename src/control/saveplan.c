/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * saveplan.c: plan and apply of a whole desired configuration. Both are the walk of saveapply.c:
 * plan only notes what it would change, apply does that and nothing else. It is first rehearsed
 * where nothing real is touched; what fails then all the same (a disk that cannot be opened, an
 * address that is taken) makes it go back to the configuration from before.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "control/changes.h"
#include "control/saveconfig_priv.h"
#include "control/savedump.h"
#include "control/saveschema.h"

/* A desired configuration, and what is said of it. */
struct desired {
	json_t *config, *extras;
	struct problems problems;
	struct changes *changes;
};

static void desired_done(struct desired *w)
{
	json_decref(w->config);
	json_decref(w->extras);
	problems_done(&w->problems);
	changes_free(w->changes);
}

/* Left out or unusable: what stands in the way of carrying all of it out. */
static unsigned nfailures(const struct problems *p)
{
	return p->counts[PROBLEM_SKIPPED] + p->counts[PROBLEM_ERROR];
}

static const struct problem *first_failure(const struct problems *p)
{
	for (unsigned i = 0; i < p->n; i++) {
		if (p->list[i].level != PROBLEM_NOTE)
			return &p->list[i];
	}
	return NULL;
}

/* Fail with the first problem as the sentence, and all of them for programs. */
static int fail_with(struct control_call *call, const struct problems *p, const char *state)
{
	const struct problem *first = first_failure(p);

	call->error_data = json_pack("{s:o}", "problems", problems_json(p));
	return call_fail(call, -EINVAL, "%s%s%s; %s", first ? first->path : "", first ? ": " : "",
		first ? first->text : "the configuration cannot be used", state);
}

/* The parameters config or file, and extras. */
static int desired_take(struct control_call *call, struct desired *w)
{
	const char *file = call_string(call, "file");
	json_t *config = json_object_get(call->params, "config");
	int r = 0;

	*w = (struct desired){ 0 };
	problems_init(&w->problems);
	if (!file == !config)
		return call_fail(call, -EINVAL,
			"one of \"config\" (an object) and \"file\" (a path) is meant");
	if (file && file[0] != '/')
		return call_fail(call, -EINVAL, "file %s: an absolute path is meant", file);
	if (file)
		r = saveconfig_check(file, &w->problems, &w->config);
	else
		saveschema_check(config, &w->problems);
	if (nfailures(&w->problems))
		return fail_with(call, &w->problems, "nothing has been changed");
	if (r)
		return call_fail(call, r, "%s: %s", file, err_text(r));
	if (config)
		w->config = json_incref(config);
	w->extras = json_incref(json_object_get(call->params, "extras"));
	r = changes_new(&w->changes);
	return r ? call_fail(call, r, "%s", err_text(r)) : 0;
}

enum { FLAGS = SAVEAPPLY_REMOVE_OTHERS | SAVEAPPLY_KEEP_EXTRAS };

static json_t *answer(const struct desired *w)
{
	return json_pack("{s:O, s:o}", "changes", changes_list(w->changes), "problems",
		problems_json(&w->problems));
}

static int method_plan(void *arg, struct control_call *call)
{
	struct saveconfig *s = arg;
	struct desired w;
	int r = desired_take(call, &w);

	if (!r)
		r = saveapply(saveconfig_tree(s), w.config, w.extras, FLAGS | SAVEAPPLY_DRY,
			saveconfig_hooks(s), &w.problems, w.changes);
	if (!r)
		call->result = answer(&w);
	desired_done(&w);
	return r;
}

/* ---- apply ----------------------------------------------------------------------------------- */

/* Where nothing real is touched. Problems that are found are of the configuration. */
static int rehearse(struct saveconfig *s, struct control_call *call, struct desired *w)
{
	const struct saveapply_hooks *hooks = saveconfig_hooks(s);
	struct problems own;
	int r;

	if (!hooks->rehearse)
		return 0;
	problems_init(&own);
	r = hooks->rehearse(hooks->arg, w->config, w->extras, &own, &call->err);
	if (!r && nfailures(&own))
		r = fail_with(call, &own, "nothing has been changed");
	problems_done(&own);
	return r;
}

/* Back to what was before. The error that tells it. */
static int go_back(struct saveconfig *s, struct control_call *call, const struct desired *w,
	const json_t *config, const json_t *extras)
{
	struct problems own;
	char state[256];
	int r;

	problems_init(&own);
	r = saveapply(saveconfig_tree(s), config, extras, SAVEAPPLY_REMOVE_OTHERS,
		saveconfig_hooks(s), &own, NULL);
	if (!r && !nfailures(&own))
		snprintf(state, sizeof(state),
			"what had been changed was changed back: the configuration from before is "
			"in force");
	else
		snprintf(state, sizeof(state),
			"changing back left out %u parts, the first is %s: look at \"plan\"",
			nfailures(&own), nfailures(&own) ? first_failure(&own)->path : "memory");
	r = fail_with(call, &w->problems, state);
	json_object_set_new(call->error_data, "changed_back", json_boolean(!nfailures(&own)));
	json_object_set_new(call->error_data, "changing_back_problems", problems_json(&own));
	log_msg(LOG_LEVEL_ERROR, "config", "apply: %s", call->err.text);
	problems_done(&own);
	return r;
}

static int carry_out(struct saveconfig *s, struct control_call *call, struct desired *w)
{
	struct saveapply_hooks hooks = *saveconfig_hooks(s);
	json_t *config = NULL, *extras = NULL;
	int r = savedump(saveconfig_tree(s), &config, &extras);

	/* A disk that is not there is a mistake here, unless said otherwise. */
	if (!call_bool(call, "pending", false))
		hooks.disk_pending = NULL;
	if (!r)
		r = saveapply(saveconfig_tree(s), w->config, w->extras, FLAGS, &hooks, &w->problems,
			w->changes);
	if (!r && nfailures(&w->problems))
		r = go_back(s, call, w, config, extras);
	json_decref(config);
	json_decref(extras);
	return r;
}

static int method_apply(void *arg, struct control_call *call)
{
	struct saveconfig *s = arg;
	struct desired w;
	int r = desired_take(call, &w);

	if (!r)
		r = rehearse(s, call, &w);
	if (!r && saveconfig_set_loading(s, true))
		r = call_fail(call, -EBUSY, "another configuration is being carried out");
	else if (!r)
		r = carry_out(s, call, &w), saveconfig_set_loading(s, false);
	if (!r)
		call->result = answer(&w);
	desired_done(&w);
	return r;
}

/* ---- dump ------------------------------------------------------------------------------------ */

/* Take out what is secret. */
static void drop_secrets(json_t *j)
{
	const char *key;
	void *tmp;
	json_t *v;
	size_t i;

	json_array_foreach (j, i, v)
		drop_secrets(v);
	json_object_foreach_safe (j, tmp, key, v) {
		if (strstr(key, "password"))
			json_object_del(j, key);
		else
			drop_secrets(v);
	}
}

static int method_dump(void *arg, struct control_call *call)
{
	json_t *config, *extras;
	int r;

	if (call_bool(call, "secrets", false) && call->peer->read_only)
		return call_fail(call, -EACCES, "secrets are not for the read-only role");
	r = savedump(saveconfig_tree(arg), &config, &extras);
	if (r)
		return call_fail(call, r, "%s", err_text(r));
	if (!call_bool(call, "secrets", false)) {
		drop_secrets(config);
		drop_secrets(extras);
	}
	call->result = json_pack("{s:o, s:o}", "config", config, "extras", extras);
	return 0;
}

#define DESIRED                                                                                    \
	{ "config", PARAM_OBJECT, false, "the whole configuration, as in saveconfig.json" },       \
		{ "file", PARAM_STRING, false,                                                     \
			"or the absolute path of a file with it, which the daemon reads" },        \
	{                                                                                          \
		"extras", PARAM_OBJECT, false,                                                     \
			"what that format has no place for, as config.dump tells it; absent: it "  \
			"stays"                                                                    \
	}

const struct control_method saveplan_methods[] = {
	{ .name = "plan",
		.doc = "What apply would change, in its order; changes nothing.",
		.fn = method_plan,
		.admin = true, /* it reads files */
		.params = { DESIRED } },
	{ .name = "apply",
		.doc = "Bring the running configuration to this one: only what differs is "
		       "touched. If something fails, all is changed back.",
		.fn = method_apply,
		.changes = true,
		.params = { DESIRED,
			{ "pending", PARAM_BOOL, false,
				"a disk that is not there is no error: its LUNs answer NOT READY "
				"until it comes" } } },
	{ .name = "config.dump",
		.doc = "The running configuration as it would be saved, for plan and apply.",
		.fn = method_dump,
		.params = { { "secrets", PARAM_BOOL, false,
			"with secrets; without them apply would take them away" } } },
	{ .name = NULL },
};
