/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rpc_fuzz.c: lines of the control socket, over a small tree. Whatever the bytes are, what comes
 * back is nothing or one line of JSON.
 */
#include "fuzz.h"

#include <assert.h>
#include <string.h>

#include "base/log.h"
#include "control/rpc.h"
#include "control/toy_tree.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	const struct control_peer peer = { 0, 1 };
	struct control *c;
	struct strbuf out;
	struct tree *t;
	json_t *j;

	log_set_level(LOG_LEVEL_ERROR);
	assert(!tree_new(&toy_root_type, NULL, &t));
	assert(!tree_mkdir(t, tree_lookup(t, "/disks"), "d0", NULL, NULL));
	assert(!control_new(t, &c));
	strbuf_init(&out);
	control_handle(c, &peer, (const char *)data, size, &out);
	if (out.len) {
		assert(memchr(out.s, '\n', out.len) == out.s + out.len - 1);
		j = json_loadb(out.s, out.len, 0, NULL);
		assert(j);
		json_decref(j);
	}
	strbuf_done(&out);
	control_free(c);
	assert(!tree_clear(t, tree_root(t), NULL));
	tree_free(t);
	return 0;
}
