/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pending.c: disks that a configuration has and that were not there when it was loaded. Their LUNs
 * answer NOT READY; once a second, later every few, it is tried to open them.
 */
#include <errno.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "daemon/daemon.h"

#define RETRY_NS (2 * NS_PER_S)

/* Call fn for each pending disk; how many there are. */
static unsigned each_pending(struct daemon *d, void (*fn)(struct node *disk))
{
	struct node *core = node_child(tree_root(d->tree), "core");
	unsigned n = 0;

	for (struct node *h = node_first_child(core); h; h = node_next_child(core, h)) {
		for (struct node *disk = node_first_child(h); disk;
			disk = node_next_child(h, disk)) {
			if (!storage_is_pending(disk))
				continue;
			if (fn)
				fn(disk);
			n += storage_is_pending(disk);
		}
	}
	return n;
}

static void try_open(struct node *disk)
{
	struct errmsg err = { 0 };

	if (!storage_retry(disk, &err))
		log_obj(LOG_LEVEL_INFO, "daemon", node_name(disk), "its disk has come");
	else
		log_obj(LOG_LEVEL_DEBUG, "daemon", node_name(disk), "still pending: %s", err.text);
}

static void retry(struct poller_timer *t)
{
	struct daemon *d = container_of(t, struct daemon, retry);
	unsigned before = d->npending;

	d->npending = each_pending(d, try_open);
	if (d->npending)
		poller_timer_arm(d->poller, t, RETRY_NS);
	if (d->npending != before)
		notify_ready(d);
}

static int disk_pending(void *arg, struct node *disk, int error, struct errmsg *err)
{
	struct daemon *d = arg;
	struct errmsg own = { 0 };
	int r = storage_set_pending(disk, &own);

	if (r)
		return r;
	log_obj(LOG_LEVEL_WARN, "daemon", node_name(disk), "its LUNs answer NOT READY: %s",
		err->text);
	d->npending++;
	poller_timer_arm(d->poller, &d->retry, RETRY_NS);
	return 0;
}

void daemon_pending_init(struct daemon *d, struct saveapply_hooks *hooks)
{
	poller_timer_init(&d->retry, retry);
	*hooks = (struct saveapply_hooks){
		.disk_pending = disk_pending,
		.arg = d,
		.applied = daemon_refresh_secrets,
		.rehearse = daemon_rehearse,
	};
}

void daemon_pending_stop(struct daemon *d)
{
	poller_timer_disarm(&d->retry);
}
