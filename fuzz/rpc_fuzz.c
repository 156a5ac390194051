/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rpc_fuzz.c: lines of the control socket, over a small tree. Whatever the bytes are, what comes
 * back is nothing or one line of JSON; a transaction that says that it was undone has changed
 * nothing; and the read-only role changes nothing whatever it asks for.
 */
#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "control/rpc.h"
#include "control/toy_tree.h"

/* All there is, as JSON. */
static json_t *all_of(struct control *c)
{
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"dump\"}";
	const struct control_peer peer = { 0, 1 };
	struct strbuf out;
	json_t *j;

	strbuf_init(&out);
	control_handle(c, &peer, line, sizeof(line) - 1, &out);
	j = json_loadb(out.s, out.len, 0, NULL);
	assert(json_object_get(j, "result"));
	strbuf_done(&out);
	return j;
}

static bool is_undone(const json_t *reply)
{
	return json_is_true(json_object_get(
		json_object_get(json_object_get(reply, "error"), "data"), "undone"));
}

/* The line with that peer; what there is afterwards. */
static json_t *handle(struct control *c, const struct control_peer *peer, const uint8_t *data,
	size_t size, const json_t *before)
{
	struct strbuf out;
	json_t *after, *j = NULL;

	strbuf_init(&out);
	control_handle(c, peer, (const char *)data, size, &out);
	if (out.len) {
		assert(memchr(out.s, '\n', out.len) == out.s + out.len - 1);
		j = json_loadb(out.s, out.len, 0, NULL);
		assert(j);
	}
	after = all_of(c);
	assert((!is_undone(j) && !peer->read_only) || json_equal(before, after));
	json_decref(j);
	strbuf_done(&out);
	return after;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct control_peer peers[] = { { .read_only = true }, { .read_only = false } };
	struct control *c;
	struct tree *t;
	json_t *now, *next;

	log_set_level(LOG_LEVEL_ERROR);
	assert(!tree_new(&toy_root_type, NULL, &t));
	assert(!tree_mkdir(t, tree_lookup(t, "/disks"), "d0", NULL, NULL));
	assert(!control_new(t, &c));
	now = all_of(c);
	for (size_t i = 0; i < sizeof(peers) / sizeof(peers[0]); i++) {
		next = handle(c, &peers[i], data, size, now);
		json_decref(now);
		now = next;
	}
	json_decref(now);
	control_free(c);
	assert(!tree_clear(t, tree_root(t), NULL));
	tree_free(t);
	return 0;
}
