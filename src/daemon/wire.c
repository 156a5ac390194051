/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * wire.c: all parts of the daemon, brought up in the order of the layers and taken down in reverse.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "backstore/builtin.h"
#include "base/clock.h"
#include "base/log.h"
#include "block/backstore.h"
#include "daemon/daemon.h"

#define STOP_NS (5 * NS_PER_S) /* for initiators to hear of it and for their commands to end */

static const struct {
	const char *word;
	enum loop_kind kind;
} loop_kinds[] = { { "auto", LOOP_AUTO }, { "uring", LOOP_URING }, { "epoll", LOOP_EPOLL } };

static int up_loops(struct daemon *d, enum daemon_mode mode, struct errmsg *err)
{
	struct loops_config cfg = {
		.nloops = d->o->loops,
		.page_limit_bytes = (uint64_t)d->o->memory_mb << 20,
		.pin = d->o->pin,
	};
	int r;

	for (size_t i = 0; i < sizeof(loop_kinds) / sizeof(loop_kinds[0]); i++) {
		if (!strcmp(loop_kinds[i].word, d->o->loop))
			cfg.kind = loop_kinds[i].kind;
	}
	if (mode == DAEMON_CHECK)
		cfg = (struct loops_config){ .kind = LOOP_SIM, .nloops = 1, .sim_seed = 1 };
	r = loops_new(&cfg, &d->loops, err);
	if (!r && mode == DAEMON_SERVE)
		log_msg(LOG_LEVEL_INFO, "daemon", "%s", loops_describe(d->loops));
	return r;
}

static int up_backstores(struct daemon *d, struct errmsg *err)
{
	int r;

	d->reg = backstore_registry_new(d->loops);
	if (!d->reg)
		return errmsg_set(err, -ENOMEM, "out of memory");
	r = backstores_register(d->reg);
	if (r)
		return errmsg_set(err, r, "backstores: %s", err_text(r));
	for (unsigned i = 0; i < d->o->plugins.n && !r; i++)
		r = backstore_load_plugin(d->reg, d->o->plugins.v[i], err);
	return r;
}

static int up_engine(struct daemon *d, enum daemon_mode mode, struct errmsg *err)
{
	d->eng = engine_new(d->loops);
	if (d->eng && d->events)
		engine_set_notices(d->eng, events_notices(d->events));
	d->core = d->eng ? storage_core_new(d->eng, mode == DAEMON_CHECK ? NULL : d->reg) : NULL;
	if (!d->core)
		return errmsg_set(err, -ENOMEM, "out of memory");
	return mode == DAEMON_CHECK ? 0 : daemon_find_dbroot(d, err);
}

static void tell_change(struct events *to, enum tree_event ev, struct node *dir, const char *name)
{
	static const char *const what[] = {
		[TREE_ADDED] = "added",
		[TREE_REMOVED] = "removed",
		[TREE_LINKED] = "linked",
		[TREE_UNLINKED] = "unlinked",
		[TREE_ATTR_SET] = "set",
	};
	struct strbuf path;
	json_t *j;

	strbuf_init(&path);
	node_path(dir, &path);
	if (path.len == 1)
		strbuf_reset(&path); /* the root: "/name" follows */
	strbuf_printf(&path, "/%s", name);
	j = json_pack("{s:o, s:s}", "path", json_text(path.s), "state", what[ev]);
	event_tell(to, EVENT_TREE, j);
	json_decref(j);
	strbuf_done(&path);
}

/* Whatever of the targets changes is in the tree: iSNS servers are told, and who wants to know. */
static void tree_changed(void *arg, enum tree_event ev, struct node *dir, const char *name)
{
	struct daemon *d = arg;

	if (d->events && event_wanted(d->events, EVENT_TREE))
		tell_change(d->events, ev, dir, name);
	if (d->iscsi->isns)
		isns_changed(d->iscsi->isns);
}

/* Who waits for something slow lets others have the tree. */
static bool step_aside(void *arg)
{
	if (!tree_is_ours(arg))
		return false;
	tree_leave(arg);
	return true;
}

static void leave_tree(void *arg)
{
	tree_leave(arg);
}

static void enter_tree(void *arg)
{
	tree_enter(arg);
}

static int up_tree(struct daemon *d, enum daemon_mode mode, struct errmsg *err)
{
	struct saveapply_hooks hooks;
	int r = tree_new(&daemon_root_type, d, &d->tree);

	/* The control thread has the turn but while it waits. */
	if (!r) {
		tree_enter(d->tree);
		loops_set_aside(d->loops, step_aside, enter_tree, d->tree);
	}
	if (!r)
		r = tree_listen(d->tree, tree_changed, d);
	if (!r)
		r = poller_new(&d->poller);
	if (!r)
		poller_set_turn(d->poller, leave_tree, enter_tree, d->tree);
	if (!r && mode == DAEMON_SERVE)
		r = fuse_face_new(d->tree, &d->fuse, err);
	if (!r)
		r = jobs_new(d->poller, d->tree, &d->jobs);
	if (!r)
		r = control_new(d->tree, &d->control);
	if (!r)
		control_after_change(d->control, daemon_tell_mounts, d);
	if (!r)
		r = daemon_pending_init(d, &hooks);
	if (!r)
		r = saveconfig_new(d->loops, d->tree, d->o->config, &hooks, &d->save);
	if (!r)
		r = saveconfig_add_methods(d->save, d->control);
	if (!r)
		r = daemon_add_methods(d);
	return r ? errmsg_set(err, r, "control: %s", err_text(r)) : 0;
}

static void error_logged(void *arg, const char *text)
{
	struct notices to = events_notices(arg);

	notice_tell(&to, &(struct notice){ .kind = NOTICE_ERROR, .text = text });
}

static int up_events(struct daemon *d, struct errmsg *err)
{
	if (events_new(&d->events))
		return errmsg_set(err, -ENOMEM, "out of memory");
	log_set_error_listener(error_logged, d->events);
	return 0;
}

int daemon_up(struct daemon *d, enum daemon_mode mode, struct errmsg *err)
{
	int r = mode == DAEMON_SERVE ? up_events(d, err) : 0;

	if (!r)
		r = up_loops(d, mode, err);

	if (!r)
		r = up_backstores(d, err);
	if (!r)
		r = up_engine(d, mode, err);
	if (!r)
		r = entity_new(d->eng, &d->iscsi);
	if (r && !err->code)
		errmsg_set(err, r, "iSCSI: %s", err_text(r));
	if (!r)
		r = up_tree(d, mode, err);
	return r;
}

bool daemon_settle(struct daemon *d)
{
	if (d->stopping)
		return d->settled;
	d->stopping = true;
	if (d->jobs && !jobs_stop(d->jobs, STOP_NS))
		return false;
	/* What they have done is answered. */
	if (d->jobs)
		(void)poller_step(d->poller, 0);
	d->settled = daemon_unmount(d, STOP_NS);
	return d->settled;
}

void daemon_down(struct daemon *d)
{
	struct errmsg err = { 0 };

	if (!daemon_settle(d)) {
		log_msg(LOG_LEVEL_ERROR, "daemon",
			"ends although a disk does not answer what an administrator has asked for");
		return;
	}
	d->sock = control_sock_free(d->sock);
	d->sock_ro = control_sock_free(d->sock_ro);
	daemon_autosave_stop(d, false);
	daemon_pending_done(d);
	if (d->iscsi)
		entity_stop(d->iscsi, STOP_NS);
	d->save = saveconfig_free(d->save);
	d->control = control_free(d->control);
	if (d->tree && tree_clear(d->tree, tree_root(d->tree), &err)) {
		/* A disk or a peer that holds something; the process ends all the same. */
		log_msg(LOG_LEVEL_ERROR, "daemon", "ends although something is still in use: %s",
			err.text);
		return;
	}
	d->jobs = jobs_free(d->jobs);
	if (d->loops)
		loops_set_aside(d->loops, NULL, NULL, NULL);
	if (d->tree)
		tree_leave(d->tree);
	d->tree = tree_free(d->tree);
	d->iscsi = entity_free(d->iscsi);
	d->core = storage_core_free(d->core);
	d->eng = engine_free(d->eng);
	/* Disks that were given up use the loops until they have closed themselves. */
	if (d->reg && backstore_registry_settle(d->reg, STOP_NS) < 0) {
		log_msg(LOG_LEVEL_ERROR, "daemon", "ends although a disk does not answer");
		return;
	}
	d->reg = backstore_registry_free(d->reg);
	d->loops = loops_free(d->loops);
	if (d->events)
		log_set_error_listener(NULL, NULL);
	d->events = events_free(d->events);
	d->poller = poller_free(d->poller);
}
