/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc_test.c: JSON-RPC 2.0 by its specification, and the tree by its methods. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <cmocka.h>

#include "control/limits.h"
#include "control/rpc.h"
#include "control/toy_tree.h"

static struct tree *tree;
static struct control *c;

static int setup(void **state)
{
	assert_int_equal(tree_new(&toy_root_type, NULL, &tree), 0);
	assert_int_equal(control_new(tree, &c), 0);
	return 0;
}

static int teardown(void **state)
{
	assert_null(control_free(c));
	assert_int_equal(tree_clear(tree, tree_root(tree), NULL), 0);
	assert_null(tree_free(tree));
	return 0;
}

/* The reply to a line must be exactly want. */
static void ask_len(const char *line, size_t len, const char *want)
{
	const struct control_peer peer = { 0, 1 };
	struct strbuf out;

	strbuf_init(&out);
	control_handle(c, &peer, line, len, &out);
	if (strcmp(out.s, want) != 0)
		fail_msg("%s\n got %s want %s", line, out.s, want);
	strbuf_done(&out);
}

static void ask(const char *line, const char *want)
{
	ask_len(line, strlen(line), want);
}

/* A call by id 1: the result, or the error, must be want. */
static void call(const char *method, const char *params, const char *want)
{
	char line[1024], reply[2048];

	snprintf(line, sizeof(line),
		"{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"%s\",\"params\":%s}", method, params);
	snprintf(reply, sizeof(reply), "{\"jsonrpc\":\"2.0\",\"id\":1,%s}\n", want);
	ask(line, reply);
}

#define OK(json) "\"result\":" json
#define FAILED(errno_name, path, text)                                                             \
	"\"error\":{\"code\":-32000,\"message\":\"" text "\",\"data\":{\"errno\":\"" errno_name    \
	"\",\"path\":\"" path "\"}}"
#define BAD_PARAMS(text)                                                                           \
	"\"error\":{\"code\":-32602,\"message\":\"" text "\",\"data\":{\"errno\":\"EINVAL\"}}"

static void envelope(void **state)
{
	char deep[2 * CONTROL_JSON_DEPTH_MAX];

	ask("{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"method\":\"get\",\"params\":{\"path\":\"/x\"}}",
		"{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"error\":{\"code\":-32000,\"message\":\"/x: "
		"there "
		"is no such attribute\",\"data\":{\"errno\":\"ENOENT\",\"path\":\"/x\"}}}\n");
	ask("{\"jsonrpc\":\"2.0\",\"id\":null,\"method\":\"nope\"}",
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32601,\"message\":\"there "
		"is no "
		"method \\\"nope\\\": \\\"help\\\" lists "
		"them\",\"data\":{\"errno\":\"ENOSYS\"}}}\n");
	/* Notifications are carried out and never answered, whatever comes of them. */
	ask("{\"jsonrpc\":\"2.0\",\"method\":\"mkdir\",\"params\":{\"path\":\"/disks/d\"}}", "");
	assert_non_null(tree_lookup(tree, "/disks/d"));
	ask("{\"jsonrpc\":\"2.0\",\"method\":\"nope\"}", "");

#define INVALID(id)                                                                                \
	"{\"jsonrpc\":\"2.0\",\"id\":" id                                                          \
	",\"error\":{\"code\":-32600,\"message\":\"a request is an "                               \
	"object with \\\"jsonrpc\\\":\\\"2.0\\\" and a string "                                    \
	"\\\"method\\\"\",\"data\":{\"errno\":"                                                    \
	"\"EINVAL\"}}}"
	ask("{}", INVALID("null") "\n");
	ask("[]", INVALID("null") "\n");
	ask("[1]", "[" INVALID("null") "]\n");
	ask("{\"jsonrpc\":\"1.0\",\"id\":7,\"method\":\"ls\"}", INVALID("7") "\n");
	ask("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":7}", INVALID("7") "\n");
	ask("{\"jsonrpc\":\"2.0\",\"id\":{},\"method\":7}", INVALID("null") "\n");
	ask("{\"jsonrpc\":\"2.0\",\"id\":7,\"method\":\"ls\",\"params\":[\"/\"]}",
		"{\"jsonrpc\":\"2.0\",\"id\":7,\"error\":{\"code\":-32602,\"message\":"
		"\"\\\"params\\\" must "
		"be an object: parameters are given by name\",\"data\":{\"errno\":\"EINVAL\"}}}\n");

	ask("{\"a\" 1}",
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"no "
		"JSON: column 6: ':' expected near '1'\",\"data\":{\"errno\":\"EINVAL\"}}}\n");
	memset(deep, '[', sizeof(deep));
	ask_len(deep, sizeof(deep),
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32700,\"message\":\"arrays "
		"and "
		"objects are nested deeper than 64\",\"data\":{\"errno\":\"EINVAL\"}}}\n");
}

static void batches(void **state)
{
	ask("[{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"mkdir\",\"params\":{\"path\":\"/disks/"
	    "d\"}},"
	    "{\"jsonrpc\":\"2.0\",\"method\":\"mkdir\",\"params\":{\"path\":\"/disks/e\"}},"
	    "{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":\"get\",\"params\":{\"path\":\"/disks/e/"
	    "size\"}}]",
		"[{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":null},"
		"{\"jsonrpc\":\"2.0\",\"id\":2,\"result\":\"0\"}]\n");
	ask("[{\"jsonrpc\":\"2.0\",\"method\":\"mkdir\",\"params\":{\"path\":\"/disks/f\"}}]", "");
	assert_non_null(tree_lookup(tree, "/disks/f"));
}

static void parameters(void **state)
{
	call("get", "{}", BAD_PARAMS("get: parameter \\\"path\\\" is missing: an attribute"));
	call("get", "{\"path\":1}",
		BAD_PARAMS("get: parameter \\\"path\\\" must be a JSON string"));
	call("get", "{\"path\":\"/\",\"p\":1}", BAD_PARAMS("get: there is no parameter \\\"p\\\""));
	call("dump", "{\"depth\":\"1\"}",
		BAD_PARAMS("dump: parameter \\\"depth\\\" must be a JSON integer"));
	call("dump", "{\"depth\":-1}", FAILED("EINVAL", "/", "depth -1: must be from 0 to 64"));
}

static void objects(void **state)
{
	call("mkdir", "{\"path\":\"/disks/d0\"}", OK("null"));
	call("mkdir", "{\"path\":\"/disks/d0/\"}",
		FAILED("EEXIST", "/disks/d0/", "/disks/d0: there is one already"));
	call("mkdir", "{\"path\":\"d0\"}",
		FAILED("EINVAL", "d0",
			"\\\"d0\\\" is no path of an entry: /directory/name is meant"));
	call("mkdir", "{\"path\":\"/\"}",
		FAILED("EINVAL", "/",
			"\\\"/\\\" is no path of an entry: /directory/name is meant"));
	call("mkdir", "{\"path\":\"/disks/x/y/z\"}",
		FAILED("ENOENT", "/disks/x/y/z", "/disks/x: there is no such directory in /disks"));
	call("ls", "{\"path\":\"nowhere\"}",
		FAILED("EINVAL", "nowhere",
			"\\\"nowhere\\\" is no path: at most 4096 bytes that begin with '/'"));
	call("ls", "{\"path\":\"/nowhere\"}",
		FAILED("ENOENT", "/nowhere", "/nowhere: there is no such directory in /"));
	call("mkdir", "{\"path\":\"/luns/lun_0\"}", OK("null"));
	call("link", "{\"path\":\"/luns/lun_0/l\",\"target\":\"/disks/d0\"}", OK("null"));
	call("link", "{\"path\":\"/luns/lun_0/m\",\"target\":\"/luns\"}",
		FAILED("EFAULT", "/luns/lun_0/m", "/luns/lun_0/m: luns is no disk"));
	call("rmdir", "{\"path\":\"/disks/d0\"}",
		FAILED("EBUSY", "/disks/d0",
			"/disks/d0: in use by /luns/lun_0/l, remove that link first"));
	call("dump", "{\"path\":\"/luns\"}",
		OK("{\"attrs\":{},\"links\":{},\"dirs\":{\"lun_0\":{\"attrs\":{},\"links\":{\"l\":"
		   "\"/disks/d0\"},\"dirs\":{}}}}"));
	call("dump", "{\"depth\":0}",
		OK("{\"attrs\":{},\"links\":{},\"dirs\":{\"disks\":null,\"luns\":null}}"));
	call("unlink", "{\"path\":\"/luns/lun_0/l\"}", OK("null"));
	call("rmdir", "{\"path\":\"/disks/d0\"}", OK("null"));
	call("rmdir", "{\"path\":\"/\"}",
		FAILED("EPERM", "/", "/: comes and goes with its parent, it cannot be removed"));
}

static void attributes(void **state)
{
	call("mkdir", "{\"path\":\"/disks/d0\"}", OK("null"));
	call("set", "{\"path\":\"/disks/d0/size\",\"value\":\"7\"}", OK("null"));
	call("get", "{\"path\":\"/disks/d0/size\"}", OK("\"7\""));
	call("set", "{\"path\":\"/disks/d0/size\",\"value\":\"1001\"}",
		FAILED("EINVAL", "/disks/d0/size",
			"/disks/d0/size: \\\"1001\\\" is not a number from 0 to 1000"));
	call("set", "{\"path\":\"/disks/d0/info\",\"value\":\"1\"}",
		FAILED("EACCES", "/disks/d0/info", "/disks/d0/info: can only be read"));

	/* A secret goes in and never comes out. */
	call("set", "{\"path\":\"/disks/d0/password\",\"value\":\"hunter2\"}", OK("null"));
	call("get", "{\"path\":\"/disks/d0/password\"}",
		FAILED("EACCES", "/disks/d0/password",
			"/disks/d0/password: is a secret, which can be set but not read"));
	call("dump", "{\"path\":\"/disks/d0\"}",
		OK("{\"attrs\":{\"size\":\"7\",\"name\":\"\",\"password\":null,\"info\":\"7\"},"
		   "\"links\":{},\"dirs\":{}}"));
	call("dump", "{\"path\":\"/disks\",\"names\":\"siz info  size\"}",
		OK("{\"attrs\":{},\"links\":{},\"dirs\":{\"d0\":{\"attrs\":{\"size\":\"7\","
		   "\"info\":\"7\"},\"links\":{},\"dirs\":{}}}}"));
	call("ls", "{\"path\":\"/disks/d0\"}",
		OK("{\"kind\":\"disk\",\"doc\":\"A disk.\",\"default\":false,\"ours\":false,"
		   "\"mkdir\":false,\"dirs\":[],\"links\":{},\"attrs\":["
		   "{\"name\":\"size\",\"access\":\"rw\",\"value\":\"7\",\"secret\":false,"
		   "\"ours\":false,\"file\":\"line or empty\",\"doc\":\"Size in MiB.\"},"
		   "{\"name\":\"name\",\"access\":\"rw\",\"value\":\"\",\"secret\":false,"
		   "\"ours\":false,\"file\":\"line\",\"doc\":\"Any text.\"},"
		   "{\"name\":\"password\",\"access\":\"rw\",\"value\":null,\"secret\":true,"
		   "\"ours\":false,\"file\":\"text\",\"doc\":\"A secret.\"},"
		   "{\"name\":\"info\",\"access\":\"ro\",\"value\":\"7\",\"secret\":false,"
		   "\"ours\":true,\"file\":\"line or empty\",\"doc\":\"Read only.\"},"
		   "{\"name\":\"control\",\"access\":\"wo\",\"value\":null,\"secret\":false,"
		   "\"ours\":false,\"file\":\"line or empty\",\"doc\":\"Write only.\"}]}"));

	/* Values of bytes that are no UTF-8 still make valid JSON. */
	assert_int_equal(
		tree_set(tree, tree_lookup(tree, "/disks/d0"), "name", "a\xff\xc3\xa9\xc3", NULL),
		0);
	call("get", "{\"path\":\"/disks/d0/name\"}", OK("\"a\\\\xff\xc3\xa9\\\\xc3\""));
}

static int twice(void *arg, struct control_call *cl)
{
	cl->result = json_integer(2 * call_integer(cl, "n", 21) + call_bool(cl, "odd", false));
	return *(int *)arg;
}

static const struct control_method more[] = {
	{ .name = "twice",
		.doc = "Twice n.",
		.fn = twice,
		.params = { { "n", PARAM_INTEGER, false, "a number" },
			{ "odd", PARAM_BOOL, false, "one more" } } },
	{ .name = NULL },
};

static void registered(void **state)
{
	int ret = 0;

	assert_int_equal(control_add_methods(c, more, &ret), 0);
	assert_int_equal(control_add_methods(c, more, &ret), -EEXIST);
	call("twice", "{}", OK("42"));
	call("twice", "{\"n\":4,\"odd\":true}", OK("9"));
	ret = -ENOSPC; /* an error without words gets those of its errno */
	call("twice", "{}",
		"\"error\":{\"code\":-32000,\"message\":\"No space left on device\","
		"\"data\":{\"errno\":\"ENOSPC\"}}");
}

/* All operations or none; secrets come back too, what cannot be read only with its directory. */
static void transaction(void **state)
{
	call("transaction",
		"{\"ops\":[{\"op\":\"mkdir\",\"path\":\"/disks/t\"},{\"op\":\"set\",\"path\":"
		"\"/disks/t/control\",\"value\":\"x\"},{\"op\":\"set\",\"path\":\"/disks/t/"
		"password\",\"value\":\"p1\"},{\"op\":\"mkdir\",\"path\":\"/luns/lun_7\"},{\"op\":"
		"\"link\",\"path\":\"/luns/lun_7/l\",\"target\":\"/disks/t\"}]}",
		OK("{\"done\":5}"));
	call("transaction",
		"{\"ops\":[{\"op\":\"set\",\"path\":\"/disks/t/password\",\"value\":\"p2\"},{"
		"\"op\":\"set\",\"path\":\"/disks/t/size\",\"value\":\"9\"},{\"op\":\"unlink\","
		"\"path\":\"/luns/lun_7/l\"},{\"op\":\"rmdir\",\"path\":\"/luns/lun_7\"},{\"op\":"
		"\"rmdir\",\"path\":\"/disks/t\"},{\"op\":\"rmdir\",\"path\":\"/disks/none\"}]}",
		"\"error\":{\"code\":-32000,\"message\":\"/disks/none: there is no such "
		"directory\",\"data\":{\"errno\":\"ENOENT\",\"path\":\"/disks/none\",\"op\":5,"
		"\"undone\":true}}");
	call("dump", "{\"path\":\"/luns\"}",
		OK("{\"attrs\":{},\"links\":{},\"dirs\":{\"lun_7\":{\"attrs\":{},\"links\":{"
		   "\"l\":\"/disks/t\"},\"dirs\":{}}}}"));
	call("get", "{\"path\":\"/disks/t/size\"}", OK("\"0\""));
	assert_string_equal(
		((struct toy_disk *)node_obj(tree_lookup(tree, "/disks/t")))->password, "p1");
	call("transaction",
		"{\"ops\":[{\"op\":\"set\",\"path\":\"/disks/t/control\",\"value\":\"y\"}]}",
		"\"error\":{\"code\":-32000,\"message\":\"/disks/t/control: its value cannot be "
		"read, so setting it could not be undone: set it outside of a transaction\","
		"\"data\":{\"errno\":\"EPERM\",\"path\":\"/disks/t/control\",\"op\":0,\"undone\":"
		"true}}");
}

/* help must list every method, and its rows be complete. */
static void help(void **state)
{
	const struct control_peer peer = { 0, 1 };
	static const char line[] = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"help\"}";
	struct strbuf out;
	json_t *j, *row;
	size_t i, seen = 0;

	strbuf_init(&out);
	control_handle(c, &peer, line, sizeof(line) - 1, &out);
	j = json_loads(out.s, 0, NULL);
	assert_non_null(j);
	json_array_foreach (json_object_get(j, "result"), i, row) {
		assert_true(json_is_array(json_object_get(row, "params")));
		assert_true(json_string_length(json_object_get(row, "doc")) > 0);
		seen++;
	}
	assert_int_equal(seen, 13);
	json_decref(j);
	strbuf_done(&out);
}

#define with_tree(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		with_tree(envelope),
		with_tree(batches),
		with_tree(parameters),
		with_tree(objects),
		with_tree(attributes),
		with_tree(registered),
		with_tree(transaction),
		with_tree(help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
