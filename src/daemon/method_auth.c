/* SPDX-License-Identifier: BSD-3-Clause */
/* method_auth.c: auth.refresh: secrets that are kept in files. */
#include "base/log.h"
#include "daemon/methods.h"
#include "fabric/iscsi/auth.h"

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

const struct control_method auth_methods[] = {
	{ .name = "auth.refresh",
		.doc = "Read the secrets again that are kept in files; sessions stay.",
		.fn = method_refresh,
		.changes = true },
	{ .name = NULL },
};
