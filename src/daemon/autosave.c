/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * autosave.c: with --autosave, or when it was switched on by its method, the running configuration
 * is saved a second after the first change that it has not, so at most once a second however many
 * there are. What cannot be saved (a full disk) is tried again, more rarely, and told.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/methods.h"

#define AUTOSAVE_NS       NS_PER_S
#define AUTOSAVE_RETRY_NS (10 * NS_PER_S)

struct autosave {
	struct daemon *d;
	bool on, armed;
	struct poller_timer timer;
	struct job job;
	struct log_limit limit;
};

static void save(struct autosave *a)
{
	struct errmsg err = { 0 };

	a->armed = false;
	if (!saveconfig_save(a->d->save, false, &err))
		return;
	log_limited(
		&a->limit, LOG_LEVEL_ERROR, "config", NULL, "not saved by itself: %s", err.text);
	a->armed = true;
	poller_timer_arm(a->d->poller, &a->timer, AUTOSAVE_RETRY_NS);
}

/* Never while others are in the middle of something. */
static void run(struct job *job)
{
	struct autosave *a = container_of(job, struct autosave, job);
	struct tree_claim all;

	tree_claim_all(a->d->tree, &all);
	save(a);
	tree_unclaim(a->d->tree, &all);
}

static void fire(struct poller_timer *t)
{
	struct autosave *a = container_of(t, struct autosave, timer);

	/* The timer is armed again by the job at the earliest: it is posted once. */
	a->job = (struct job){ .run = run };
	if (jobs_post(a->d->jobs, &a->job) && !a->d->stopping)
		poller_timer_arm(a->d->poller, t, AUTOSAVE_RETRY_NS);
}

static void on_change(void *arg, enum tree_event ev, struct node *dir, const char *name)
{
	struct autosave *a = arg;
	const struct attr *attr = ev == TREE_ATTR_SET ? node_attr(dir, name) : NULL;

	if (!a->on || a->armed || (attr && attr->flags & ATTR_UNSAVED))
		return;
	a->armed = true;
	poller_timer_arm(a->d->poller, &a->timer, AUTOSAVE_NS);
}

int daemon_autosave_start(struct daemon *d, struct errmsg *err)
{
	struct autosave *a = calloc(1, sizeof(*a));

	if (!a || tree_listen(d->tree, on_change, a)) {
		free(a);
		return errmsg_set(err, -ENOMEM, "out of memory");
	}
	a->d = d;
	a->on = d->o->autosave;
	poller_timer_init(&a->timer, fire);
	log_limit_init(&a->limit, 1, 60 * NS_PER_S);
	d->autosave = a;
	return 0;
}

void daemon_autosave_stop(struct daemon *d, bool whole)
{
	struct autosave *a = d->autosave;

	if (!a)
		return;
	/* The last second's changes, while everything is still there. */
	if (a->armed && whole)
		save(a);
	poller_timer_disarm(&a->timer);
	tree_unlisten(d->tree, on_change, a);
	free(a);
	d->autosave = NULL;
}

static int method_autosave(void *arg, struct control_call *call)
{
	struct daemon *d = arg;
	bool on;

	if (!d->autosave)
		return call_fail(call, -EAGAIN, "the daemon is still starting");
	on = call_bool(call, "on", d->autosave->on);
	if (on && !d->o->config)
		return call_fail(call, -EINVAL,
			"there is no file to save to: start the daemon with --config FILE");
	/* What has changed before is to be saved, too. */
	if (on && !d->autosave->on && !d->autosave->armed && saveconfig_is_changed(d->save)) {
		d->autosave->armed = true;
		poller_timer_arm(d->poller, &d->autosave->timer, AUTOSAVE_NS);
	}
	d->autosave->on = on;
	call->result = json_boolean(on);
	return 0;
}

const struct control_method autosave_methods[] = {
	{ .name = "config.autosave",
		.doc = "Save by itself what changes, at most once a second; tells whether it does.",
		.fn = method_autosave,
		.changes = true,
		.params = { { "on", PARAM_BOOL, false, "from now on; absent: as it is" } } },
	{ .name = NULL },
};
