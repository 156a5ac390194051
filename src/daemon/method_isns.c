/* SPDX-License-Identifier: BSD-3-Clause */
/* method_isns.c: iSNS servers that the targets are registered with. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "daemon/methods.h"
#include "fabric/iscsi/isns.h"
#include "fabric/iscsi/target.h"

static json_t *server_json(const struct isns_server_info *s)
{
	return json_pack("{s:s, s:s, s:o, s:i, s:i, s:I, s:I, s:I, s:o}", "server", s->address,
		"state", s->state, "error", json_text(s->error), "targets", (int)s->targets,
		"portals", (int)s->portals, "registrations", (json_int_t)s->registrations,
		"inquiries", (json_int_t)s->esis, "notes", (json_int_t)s->scns, "last_note",
		json_text(s->last_scn));
}

static int method_list(void *arg, struct control_call *call)
{
	struct isns_server_info *info = calloc(ISNS_SERVERS_MAX, sizeof(*info));
	struct daemon *d = arg;
	unsigned n;

	if (!info)
		return -ENOMEM;
	n = d->iscsi->isns ? isns_info(d->iscsi->isns, info) : 0;
	call->result = json_array();
	for (unsigned i = 0; i < n; i++)
		json_array_append_new(call->result, server_json(&info[i]));
	free(info);
	return 0;
}

static int set_servers(struct control_call *call, const char *servers)
{
	struct tree *t = control_tree(call->control);

	return tree_set(t, tree_lookup(t, "/isns"), "servers", servers, &call->err);
}

static int get_servers(struct control_call *call, struct strbuf *out)
{
	struct tree *t = control_tree(call->control);

	return tree_get(t, tree_lookup(t, "/isns"), "servers", out, &call->err);
}

static int method_add(void *arg, struct control_call *call)
{
	struct strbuf b;
	int r;

	strbuf_init(&b);
	r = get_servers(call, &b);
	strbuf_printf(&b, "%s%s", b.len ? "," : "", call_string(call, "server"));
	if (!r)
		r = set_servers(call, b.s);
	strbuf_done(&b);
	return r;
}

/* Whether the word of the attribute is that server, however both are written. */
static bool is_server(const char *word, const struct sockaddr_storage *server)
{
	struct sockaddr_storage addr;

	return isns_server_address(word, &addr, NULL) == 0 && address_equal(&addr, server);
}

static int method_remove(void *arg, struct control_call *call)
{
	const char *server = call_string(call, "server");
	struct sockaddr_storage addr;
	struct strbuf b, left;
	char *rest, *word;
	bool found = false;
	int r = isns_server_address(server, &addr, &call->err);

	if (r)
		return r;
	strbuf_init(&b);
	strbuf_init(&left);
	r = get_servers(call, &b);
	/* As the attribute takes them: commas, spaces, or both. */
	for (rest = b.s; !r && b.len && (word = strsep(&rest, ", "));) {
		if (!*word)
			continue;
		if (is_server(word, &addr))
			found = true;
		else
			strbuf_printf(&left, "%s%s", left.len ? "," : "", word);
	}
	if (!r)
		r = found ? set_servers(call, left.s)
			  : call_fail(call, -ENOENT,
				    "%s: there is no such server; \"isns list\" shows those there "
				    "are",
				    server);
	strbuf_done(&b);
	strbuf_done(&left);
	return r;
}

const struct control_method isns_methods[] = {
	{ .name = "isns.list",
		.doc = "The iSNS servers, and how it goes with each.",
		.fn = method_list },
	{ .name = "isns.add",
		.doc = "Register the targets with an iSNS server.",
		.fn = method_add,
		.changes = true,
		.params = { { "server", PARAM_STRING, true,
			"its address, 10.0.0.5 or [2001:db8::5]; with a port if it is not "
			"3205" } } },
	{ .name = "isns.remove",
		.doc = "Withdraw the registration from an iSNS server.",
		.fn = method_remove,
		.changes = true,
		.params = { { "server", PARAM_STRING, true,
			"its address, however it is written" } } },
	{ NULL },
};
