/* SPDX-License-Identifier: BSD-3-Clause */
/* method_daemon.c: status, log.level, shutdown, and the tables of all methods put together. */
#include <errno.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/methods.h"
#include "daemon/place.h"

static unsigned count_lus(struct daemon *d)
{
	unsigned n = 0;

	for (struct lu *lu = engine_next_lu(d->eng, NULL); lu; lu = engine_next_lu(d->eng, lu))
		n++;
	return n;
}

static unsigned count_targets(struct daemon *d)
{
	struct node *iscsi = place_iscsi(d->tree);
	unsigned n = 0;

	for (struct node *t = iscsi ? node_first_child(iscsi) : NULL; t;
		t = node_next_child(iscsi, t))
		n += !node_is_default(t);
	return n;
}

static int method_status(void *arg, struct control_call *call)
{
	struct daemon *d = arg;

	call->result = json_pack("{s:s, s:i, s:I, s:s, s:i, s:i, s:i, s:i, s:s, s:o}", "version",
		ULIO_VERSION, "pid", (int)getpid(), "uptime_s",
		(json_int_t)((clock_now_ns() - d->started_ns) / NS_PER_S), "loops",
		loops_describe(d->loops), "connections", (int)atomic_load(&d->iscsi->nconns),
		"targets", (int)count_targets(d), "disks", (int)count_lus(d), "pending",
		(int)d->npending, "log_level", log_level_name(log_get_level()), "config",
		saveconfig_status(d->save));
	return 0;
}

static int method_log_level(void *arg, struct control_call *call)
{
	const char *word = call_string(call, "level");
	enum log_level level;

	if (word && log_level_parse(word, &level))
		return call_fail(
			call, -EINVAL, "level %s: error, warn, info or debug is meant", word);
	if (word)
		log_set_level(level);
	call->result = json_string(log_level_name(log_get_level()));
	return 0;
}

static int method_shutdown(void *arg, struct control_call *call)
{
	struct daemon *d = arg;

	poller_stop(d->poller);
	return 0;
}

const struct control_method daemon_methods[] = {
	{ .name = "status", .doc = "The daemon in a few figures.", .fn = method_status },
	{ .name = "log.level",
		.doc = "Show or set how much is logged.",
		.fn = method_log_level,
		.changes = true,
		.claims = true,
		.params = { { "level", PARAM_STRING, false, "error, warn, info or debug" } } },
	{ .name = "shutdown",
		.doc = "End all sessions and the daemon; nothing is saved.",
		.fn = method_shutdown,
		.changes = true,
		.claims = true },
	{ .name = NULL },
};

int daemon_add_methods(struct daemon *d)
{
	static const struct control_method *const tables[] = { daemon_methods, disk_methods,
		target_methods, lun_methods, alua_methods, auth_methods, session_methods,
		isns_methods, reservation_methods, autosave_methods, mount_methods };
	int r = 0;

	for (size_t i = 0; i < sizeof(tables) / sizeof(tables[0]) && !r; i++)
		r = control_add_methods(d->control, tables[i], d);
	return r;
}
