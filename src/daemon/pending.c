/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * pending.c: disks that a configuration has and that were not there when it was loaded. Their LUNs
 * answer NOT READY until the disk comes, which is told by the kernel: inotify(7) watches for each
 * the first part of its path that is not there (udev makes links, too), and poll(2) of the table of
 * mounts tells of a file system that is mounted on the way to it. Only what fails otherwise (a busy
 * device, a plugin's server) is tried again by time.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/list.h"
#include "base/log.h"
#include "daemon/daemon.h"

#define SETTLE_NS    (100 * NS_PER_MS) /* what has come is given its owner and its links */
#define RETRY_NS     (2 * NS_PER_S)
#define RETRY_MAX_NS (64 * NS_PER_S)

enum {
	WATCH_MASK = IN_CREATE | IN_MOVED_TO | IN_ATTRIB | IN_CLOSE_WRITE | IN_DELETE_SELF |
		     IN_MOVE_SELF | IN_ONLYDIR,
};

/* An entry that is waited for in a directory. */
struct watch {
	struct list link; /* in pending.watches */
	int wd;
	char *name;
};

struct pending {
	struct daemon *d;
	int inotify, mounts; /* -1: not open */
	struct list watches;
	struct poller_timer timer;
	uint64_t retry_ns; /* of those that are tried again by time, doubled */
	bool by_time; /* some are */
	struct job job;
	bool busy; /* it runs */
	bool again; /* something has come meanwhile */
	uint64_t *ids; /* while it runs: of disks that are to be tried */
	unsigned nids;
};

/* ---- watching -------------------------------------------------------------------------------- */

static void watch_free(struct watch *w)
{
	list_del(&w->link);
	free(w->name);
	free(w);
}

static void drop_watches(struct pending *p)
{
	struct watch *w, *tmp;

	list_for_each_safe (w, tmp, &p->watches, struct watch, link)
		watch_free(w);
	if (p->inotify >= 0) {
		poller_del(p->d->poller, p->inotify);
		close(p->inotify);
	}
	if (p->mounts >= 0) {
		poller_del(p->d->poller, p->mounts);
		close(p->mounts);
	}
	p->inotify = p->mounts = -1;
}

static void soon(struct pending *p)
{
	poller_timer_arm(p->d->poller, &p->timer, SETTLE_NS);
}

/* Does it tell of an entry that is waited for, or that a watch is of no more use? */
static bool concerns(const struct pending *p, const struct inotify_event *ev)
{
	struct watch *w;

	if (ev->mask & (IN_Q_OVERFLOW | IN_DELETE_SELF | IN_MOVE_SELF | IN_IGNORED | IN_UNMOUNT))
		return true;
	list_for_each (w, &p->watches, struct watch, link) {
		if (w->wd == ev->wd && ev->len && !strcmp(w->name, ev->name))
			return true;
	}
	return false;
}

static void on_inotify(void *arg, int fd, short revents)
{
	_Alignas(struct inotify_event) char buf[4096];
	struct pending *p = arg;
	bool mine = false;
	ssize_t n;

	while ((n = read(fd, buf, sizeof(buf))) > 0) {
		for (char *at = buf; at < buf + n;) {
			struct inotify_event *ev = (struct inotify_event *)at;

			mine = mine || concerns(p, ev);
			at += sizeof(*ev) + ev->len;
		}
	}
	if (mine)
		soon(p);
}

static void on_mount(void *arg, int fd, short revents)
{
	soon(arg);
}

static bool open_watches(struct pending *p)
{
	p->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
	if (p->inotify >= 0 && poller_add(p->d->poller, p->inotify, POLLIN, on_inotify, p)) {
		close(p->inotify);
		p->inotify = -1;
	}
	p->mounts = open("/proc/self/mountinfo", O_RDONLY | O_CLOEXEC);
	if (p->mounts >= 0 && poller_add(p->d->poller, p->mounts, POLLPRI, on_mount, p)) {
		close(p->mounts);
		p->mounts = -1;
	}
	return p->inotify >= 0;
}

/*
 * Watch for the first part of a path that is not there; of one that leads through links, also for
 * what these lead to. False: it is to be tried by time.
 */
static bool watch_path(struct pending *p, const char *path)
{
	char dir[PATH_MAX], *name;
	struct watch *w;

	if (path[0] != '/' || strlen(path) >= sizeof(dir))
		return false;
	strcpy(dir, path);
	do {
		name = strrchr(dir, '/');
		*name++ = '\0';
	} while (*dir && access(dir, F_OK));
	/* A link to nowhere, or what may not be opened, tells of itself when that changes. */
	w = calloc(1, sizeof(*w));
	if (!w)
		return false;
	list_init(&w->link);
	w->name = strndup(name, strcspn(name, "/"));
	w->wd = inotify_add_watch(p->inotify, *dir ? dir : "/", WATCH_MASK);
	if (!w->name || w->wd < 0) {
		watch_free(w);
		return false;
	}
	list_push_back(&p->watches, &w->link);
	return true;
}

/* ---- trying ---------------------------------------------------------------------------------- */

/* Call fn (may be NULL), which must not step aside, for each disk that is pending; how many. */
static unsigned each_pending(struct pending *p, void (*fn)(struct pending *p, struct node *disk))
{
	struct node *core = node_child(tree_root(p->d->tree), "core");
	unsigned n = 0;

	for (struct node *h = node_first_child(core); h; h = node_next_child(core, h)) {
		for (struct node *disk = node_first_child(h); disk;
			disk = node_next_child(h, disk)) {
			if (!storage_is_pending(disk))
				continue;
			if (fn)
				fn(p, disk);
			n++;
		}
	}
	return n;
}

/* A link that leads nowhere, or a device without a disk in it, is not told of by its name. */
static void watch(struct pending *p, struct node *disk)
{
	struct strbuf path;
	char *target;

	strbuf_init(&path);
	if (p->inotify < 0 || tree_get(p->d->tree, disk, "udev_path", &path, NULL) || !path.len ||
		!watch_path(p, path.s))
		p->by_time = true;
	target = path.len ? malloc(PATH_MAX) : NULL;
	if (target) {
		ssize_t n = readlink(path.s, target, PATH_MAX - 1);

		target[n > 0 ? n : 0] = '\0';
		if (n > 0 && target[0] == '/')
			watch_path(p, target);
		else if (n > 0)
			p->by_time = true;
	}
	free(target);
	strbuf_done(&path);
}

static void try_open(struct pending *p, struct node *disk)
{
	struct errmsg err = { 0 };

	if (!storage_retry(disk, &err)) {
		log_obj(LOG_LEVEL_INFO, "daemon", node_name(disk), "its disk has come");
		return;
	}
	log_obj(LOG_LEVEL_DEBUG, "daemon", node_name(disk), "still pending: %s", err.text);
	if (err.code != -ENOENT && err.code != -ENOTDIR)
		p->by_time = true;
}

/*
 * Opening may take long: others have the tree meanwhile, and may remove the disk before its turn.
 */
static void try_later(struct pending *p, struct node *disk)
{
	p->ids[p->nids++] = node_id(disk);
}

static void try_all(struct pending *p)
{
	struct tree *t = p->d->tree;

	p->nids = 0;
	p->ids = calloc(each_pending(p, NULL) + 1, sizeof(*p->ids));
	if (!p->ids) {
		p->by_time = true;
		return;
	}
	each_pending(p, try_later);
	for (unsigned i = 0; i < p->nids; i++) {
		struct node *disk = tree_node_by_id(t, p->ids[i]);
		struct tree_claim claim;

		if (!disk)
			continue;
		tree_claim_node(t, &claim, disk);
		disk = tree_node_by_id(t, p->ids[i]);
		if (disk && storage_is_pending(disk))
			try_open(p, disk);
		tree_unclaim(t, &claim);
	}
	free(p->ids);
	p->ids = NULL;
}

/* Watched first, then tried: what comes in between is noticed. On a worker. */
static void retry(struct job *job)
{
	struct pending *p = container_of(job, struct pending, job);

	drop_watches(p);
	p->by_time = false;
	open_watches(p);
	each_pending(p, watch);
	try_all(p);
}

static void retried(struct job *job)
{
	struct pending *p = container_of(job, struct pending, job);
	struct daemon *d = p->d;
	unsigned before = d->npending;

	p->busy = false;
	d->npending = each_pending(p, NULL);
	if (p->again) {
		p->again = false;
		soon(p);
	} else if (!d->npending) {
		drop_watches(p);
		p->retry_ns = RETRY_NS;
	} else if (p->by_time) {
		poller_timer_arm(d->poller, &p->timer, p->retry_ns);
		p->retry_ns = p->retry_ns < RETRY_MAX_NS ? 2 * p->retry_ns : RETRY_MAX_NS;
	}
	if (d->npending != before)
		notify_ready(d);
}

static void on_timer(struct poller_timer *t)
{
	struct pending *p = container_of(t, struct pending, timer);

	p->again = p->busy;
	if (p->busy)
		return;
	p->job = (struct job){ .run = retry, .done = retried };
	p->busy = !jobs_post(p->d->jobs, &p->job);
	if (!p->busy && !p->d->stopping)
		poller_timer_arm(p->d->poller, t, p->retry_ns);
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
	d->pending->retry_ns = RETRY_NS;
	soon(d->pending);
	return 0;
}

int daemon_pending_init(struct daemon *d, struct saveapply_hooks *hooks)
{
	struct pending *p = calloc(1, sizeof(*p));

	if (!p)
		return -ENOMEM;
	p->d = d;
	p->inotify = p->mounts = -1;
	p->retry_ns = RETRY_NS;
	list_init(&p->watches);
	poller_timer_init(&p->timer, on_timer);
	d->pending = p;
	*hooks = (struct saveapply_hooks){
		.disk_pending = disk_pending,
		.arg = d,
		.applied = daemon_refresh_secrets,
		.rehearse = daemon_rehearse,
	};
	return 0;
}

void daemon_pending_done(struct daemon *d)
{
	if (!d->pending)
		return;
	poller_timer_disarm(&d->pending->timer);
	drop_watches(d->pending);
	free(d->pending);
	d->pending = NULL;
}
