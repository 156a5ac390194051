/* SPDX-License-Identifier: BSD-3-Clause */
/* method_auth.c: auth.refresh: secrets in files; logins.refused: who was not let in. */
#include <stdio.h>

#include "base/log.h"
#include "daemon/methods.h"
#include "fabric/iscsi/auth.h"
#include "fabric/iscsi/login_log.h"

static void tell_failed(const char *source, const char *why, void *arg)
{
	log_msg(LOG_LEVEL_ERROR, "daemon", "the secret in %s keeps its old value: %s", source, why);
	if (arg)
		json_array_append_new(arg, json_pack("{s:o, s:o}", "source", json_text(source),
						   "why", json_text(why)));
}

void daemon_refresh_secrets(void *arg)
{
	struct daemon *d = arg;
	unsigned changed, n = auth_refresh(d->iscsi, &changed, tell_failed, NULL);

	if (changed)
		log_msg(LOG_LEVEL_INFO, "daemon", "%u of %u secrets in files are new", changed, n);
}

static int method_refresh(void *arg, struct control_call *call)
{
	struct daemon *d = arg;
	json_t *failed = json_array();
	unsigned changed, n = auth_refresh(d->iscsi, &changed, tell_failed, failed);

	call->result = json_pack(
		"{s:i, s:i, s:o}", "read", (int)n, "changed", (int)changed, "failed", failed);
	return 0;
}

/* ---- logins.refused -------------------------------------------------------------------------- */

static void add_refused(const struct login_record *r, void *arg)
{
	char status[8];

	snprintf(status, sizeof(status), "0x%04x", r->status);
	json_array_append_new(
		arg, json_pack("{s:I, s:I, s:I, s:o, s:o, s:o, s:b, s:s, s:s, s:s, s:o, s:s}",
			     "last", (json_int_t)r->last_s, "first", (json_int_t)r->first_s,
			     "times", (json_int_t)r->count, "peer", json_text(r->peer), "initiator",
			     json_text(r->initiator), "target", json_text(r->target), "discovery",
			     r->discovery, "stage", r->stage, "status", status, "status_name",
			     login_status_name(r->status), "cause", json_text(r->cause), "cure",
			     r->cure));
}

static int method_refused(void *arg, struct control_call *call)
{
	struct daemon *d = arg;

	call->result = json_array();
	login_log_each(&d->iscsi->refused, add_refused, call->result);
	return 0;
}

const struct control_method auth_methods[] = {
	{ .name = "logins.refused",
		.doc = "The latest refused logins, each kind once: who, where, why, and the cure.",
		.fn = method_refused },
	{ .name = "auth.refresh",
		.doc = "Read the secrets again that are kept in files; sessions stay.",
		.fn = method_refresh,
		.changes = true },
	{ .name = NULL },
};
