/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc.c: JSON-RPC 2.0 (jsonrpc.org/specification): requests, batches, notifications, errors. */
#include "control/rpc.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <ulio/control.h>

#include "base/log.h"
#include "base/utf8.h"
#include "control/events.h"
#include "control/limits.h"
#include "tree/node.h"
#include "control/rpc_priv.h"

struct registered {
	const struct control_method *m;
	void *arg;
};

struct control {
	struct tree *tree;
	struct registered methods[CONTROL_METHODS_MAX];
	unsigned nmethods;
	void (*after_change)(void *arg);
	void *after_arg;
};

static int method_help(void *arg, struct control_call *call);
static int method_version(void *arg, struct control_call *call);
static int method_schema(void *arg, struct control_call *call);
static int method_subscribe(void *arg, struct control_call *call);

static const struct control_method own_methods[] = {
	{ .name = "help", .doc = "List all methods with their parameters.", .fn = method_help },
	{ .name = "version",
		.doc = "The version of the daemon and of this protocol, and the caller's role.",
		.fn = method_version },
	{ .name = "schema",
		.doc = "The protocol for programs: a JSON Schema of all requests and events.",
		.fn = method_schema },
	{ .name = "subscribe",
		.doc = "Be told of events on this connection, as notifications \"event\"; replaces "
		       "what was asked for before.",
		.fn = method_subscribe,
		.params = { { "kinds", PARAM_ARRAY, true,
			"of \"login\", \"login_refused\", \"logout\", \"lun\", \"alua\", "
			"\"error\", "
			"\"tree\"; empty: none" } } },
	{ .name = NULL },
};

int control_new(struct tree *tree, struct control **ret)
{
	struct control *c = calloc(1, sizeof(*c));
	int r;

	if (!c)
		return -ENOMEM;
	c->tree = tree;
	r = control_add_methods(c, own_methods, c);
	if (!r)
		r = control_add_methods(c, control_tree_methods, c);
	if (!r)
		r = control_add_methods(c, control_transaction_methods, c);
	assert(!r);
	*ret = c;
	return 0;
}

struct control *control_free(struct control *c)
{
	free(c);
	return NULL;
}

struct tree *control_tree(struct control *c)
{
	return c->tree;
}

static const struct registered *find_method(const struct control *c, const char *name)
{
	for (unsigned i = 0; i < c->nmethods; i++) {
		if (!strcmp(c->methods[i].m->name, name))
			return &c->methods[i];
	}
	return NULL;
}

int control_add_methods(struct control *c, const struct control_method *table, void *arg)
{
	for (const struct control_method *m = table; m->name; m++) {
		assert(!m->params[CONTROL_PARAMS_MAX - 1].name);
		if (find_method(c, m->name))
			return -EEXIST;
		if (c->nmethods == CONTROL_METHODS_MAX)
			return -E2BIG;
		c->methods[c->nmethods++] = (struct registered){ m, arg };
	}
	return 0;
}

json_t *json_text(const char *s)
{
	struct strbuf b;
	json_t *j;
	size_t n;

	if (utf8_valid(s, strlen(s)))
		return json_string(s);
	strbuf_init(&b);
	for (; *s; s += n) {
		n = 1;
		while (n < 4 && !utf8_valid(s, n) && s[n])
			n++;
		if (utf8_valid(s, n)) {
			strbuf_write(&b, s, n);
		} else {
			strbuf_printf(&b, "\\x%02x", (unsigned char)*s);
			n = 1;
		}
	}
	j = b.failed ? NULL : json_string(b.s);
	strbuf_done(&b);
	return j;
}

/* ---- parameters ---------------------------------------------------------------------------- */

static const struct {
	const char *name;
	unsigned json; /* set of 1 << json_typeof() */
} types[] = {
	[PARAM_STRING] = { "string", 1u << JSON_STRING },
	[PARAM_INTEGER] = { "integer", 1u << JSON_INTEGER },
	[PARAM_BOOL] = { "boolean", 1u << JSON_TRUE | 1u << JSON_FALSE },
	[PARAM_OBJECT] = { "object", 1u << JSON_OBJECT },
	[PARAM_ARRAY] = { "array", 1u << JSON_ARRAY },
};

const char *control_type_name(enum control_param_type type)
{
	return types[type].name;
}

const struct control_method *control_method_at(const struct control *c, unsigned i)
{
	return i < c->nmethods ? c->methods[i].m : NULL;
}

static const struct control_param *find_param(const struct control_method *m, const char *name)
{
	for (const struct control_param *p = m->params; p->name; p++) {
		if (!strcmp(p->name, name))
			return p;
	}
	return NULL;
}

/* Check params (an object) against the table: 0 or -EINVAL. */
static int check_params(const struct control_method *m, json_t *params, struct errmsg *err)
{
	const char *key;
	json_t *value;

	json_object_foreach (params, key, value) {
		const struct control_param *p = find_param(m, key);

		if (!p)
			return errmsg_set(
				err, -EINVAL, "%s: there is no parameter \"%.64s\"", m->name, key);
		if (!(types[p->type].json >> json_typeof(value) & 1))
			return errmsg_set(err, -EINVAL, "%s: parameter \"%s\" must be a JSON %s",
				m->name, key, types[p->type].name);
	}
	for (const struct control_param *p = m->params; p->name; p++) {
		if (p->required && !json_object_get(params, p->name))
			return errmsg_set(err, -EINVAL, "%s: parameter \"%s\" is missing: %s",
				m->name, p->name, p->doc);
	}
	return 0;
}

const char *call_string(const struct control_call *call, const char *name)
{
	return json_string_value(json_object_get(call->params, name));
}

int64_t call_integer(const struct control_call *call, const char *name, int64_t absent)
{
	const json_t *j = json_object_get(call->params, name);

	return j ? json_integer_value(j) : absent;
}

bool call_bool(const struct control_call *call, const char *name, bool absent)
{
	const json_t *j = json_object_get(call->params, name);

	return j ? json_is_true(j) : absent;
}

/* ---- replies ------------------------------------------------------------------------------- */

static json_t *reply_new(json_t *id)
{
	return json_pack("{s:s, s:O}", "jsonrpc", "2.0", "id", id);
}

static json_t *error_reply(json_t *id, int code, const struct control_call *call)
{
	json_t *reply = reply_new(id), *message = json_text(call->err.text), *data;

	data = call->err.code ? json_pack("{s:s}", "errno", err_name(call->err.code)) : NULL;
	if (data && call->path[0])
		json_object_set_new(data, "path", json_text(call->path));
	if (data && call->error_data)
		json_object_update(data, call->error_data);
	json_object_set_new(reply, "error",
		json_pack("{s:i, s:o, s:o*}", "code", code, "message", message, "data", data));
	return reply;
}

static json_t *simple_error(json_t *id, int code, const char *text)
{
	struct control_call call = { 0 };

	errmsg_set(&call.err, -EINVAL, "%s", text);
	return error_reply(id, code, &call);
}

static void log_change(const struct control_peer *peer, const struct control_method *m,
	const struct control_call *call, int r)
{
	const char *what = call_string(call, "path");

	what = what ? what : call_string(call, "name");
	if (r)
		log_msg(LOG_LEVEL_INFO, "control", "%s %s by uid %u pid %d refused: %s", m->name,
			what ? what : "", (unsigned)peer->uid, (int)peer->pid, call->err.text);
	else
		log_msg(LOG_LEVEL_DEBUG, "control", "%s %s by uid %u pid %d", m->name,
			what ? what : "", (unsigned)peer->uid, (int)peer->pid);
}

void control_after_change(struct control *c, void (*fn)(void *arg), void *arg)
{
	c->after_change = fn;
	c->after_arg = arg;
}

/* Call a method whose params are an object. */
static json_t *call_method(struct control *c, const struct control_peer *peer,
	const struct registered *reg, json_t *params, json_t *id)
{
	struct control_call call = { .control = c, .peer = peer, .params = params };
	bool claims_all = reg->m->changes && !reg->m->claims;
	struct tree_claim all;
	json_t *reply;
	int r;

	errmsg_init(&call.err);
	if (peer->read_only && (reg->m->changes || reg->m->admin)) {
		errmsg_set(&call.err, -EACCES,
			"%s: may not be called with the read-only role: root and the user that the "
			"daemon runs as may, on the daemon's own socket",
			reg->m->name);
		log_change(peer, reg->m, &call, -EACCES);
		return error_reply(id, ULIO_CONTROL_FAILED, &call);
	}
	if (check_params(reg->m, params, &call.err))
		return error_reply(id, ULIO_CONTROL_INVALID_PARAMS, &call);
	if (claims_all)
		tree_claim_all(c->tree, &all);
	r = reg->m->fn(reg->arg, &call);
	if (claims_all)
		tree_unclaim(c->tree, &all);
	assert(r <= 0);
	if (r && !call.err.code)
		errmsg_set(&call.err, r, "%s", err_text(r));
	if (reg->m->changes)
		log_change(peer, reg->m, &call, r);
	if (reg->m->changes && c->after_change)
		c->after_change(c->after_arg);
	if (r) {
		json_decref(call.result);
		reply = error_reply(id, ULIO_CONTROL_FAILED, &call);
		json_decref(call.error_data);
		return reply;
	}
	json_decref(call.error_data);
	reply = reply_new(id);
	json_object_set_new(reply, "result", call.result ? call.result : json_null());
	return reply;
}

/* One request. NULL: nothing is answered. */
static json_t *handle_request(struct control *c, const struct control_peer *peer, json_t *req)
{
	json_t *id = json_object_get(req, "id"), *params = json_object_get(req, "params");
	const char *name = json_string_value(json_object_get(req, "method"));
	const char *version = json_string_value(json_object_get(req, "jsonrpc"));
	bool notification = json_is_object(req) && !id;
	const struct registered *reg;
	json_t *reply, *none = json_object(), *null = json_null();

	if (id && !json_is_string(id) && !json_is_number(id) && !json_is_null(id))
		id = NULL;
	id = id ? id : null;
	if (!json_is_object(req) || !name || !version || strcmp(version, "2.0") != 0) {
		notification = false;
		reply = simple_error(id, ULIO_CONTROL_INVALID_REQUEST,
			"a request is an object with \"jsonrpc\":\"2.0\" and a string \"method\"");
	} else if (!(reg = find_method(c, name))) {
		struct control_call call = { 0 };

		errmsg_set(&call.err, -ENOSYS, "there is no method \"%.64s\": \"help\" lists them",
			name);
		reply = error_reply(id, ULIO_CONTROL_NO_METHOD, &call);
	} else if (params && !json_is_object(params)) {
		reply = simple_error(id, ULIO_CONTROL_INVALID_PARAMS,
			"\"params\" must be an object: parameters are given by name");
	} else {
		reply = call_method(c, peer, reg, params ? params : none, id);
	}
	json_decref(none);
	if (!notification)
		return reply;
	json_decref(reply);
	return NULL;
}

/* json_dump_callback(): append, but never more than a reply may have. */
static int append(const char *buffer, size_t size, void *arg)
{
	struct strbuf *out = arg;

	if (out->len + size > ULIO_CONTROL_REPLY_MAX)
		return -1;
	strbuf_write(out, buffer, size);
	return out->failed ? -1 : 0;
}

/* The same without the limit, for errors: there are no more of them than a request has bytes. */
static int append_error(const char *buffer, size_t size, void *arg)
{
	strbuf_write(arg, buffer, size);
	return 0;
}

static void write_reply(json_t *reply, struct strbuf *out)
{
	size_t start = out->len;

	if (json_dump_callback(reply, append, out, JSON_COMPACT)) {
		json_t *e = simple_error(json_object_get(reply, "id"), ULIO_CONTROL_FAILED,
			"the answer is too long: ask for a smaller part");

		out->failed = false;
		strbuf_truncate(out, start);
		json_dump_callback(e, append_error, out, JSON_COMPACT);
		json_decref(e);
	}
	json_decref(reply);
}

/* Brackets that are open at once, outside of strings. */
static bool too_deep(const char *s, size_t len)
{
	unsigned depth = 0;
	bool string = false;

	for (size_t i = 0; i < len; i++) {
		if (string) {
			if (s[i] == '\\')
				i++;
			else if (s[i] == '"')
				string = false;
		} else if (s[i] == '"') {
			string = true;
		} else if (s[i] == '{' || s[i] == '[') {
			if (++depth > CONTROL_JSON_DEPTH_MAX)
				return true;
		} else if ((s[i] == '}' || s[i] == ']') && depth) {
			depth--;
		}
	}
	return false;
}

static void handle_batch(
	struct control *c, const struct control_peer *peer, json_t *batch, struct strbuf *out)
{
	const char *before = "[";
	json_t *one;
	size_t i;

	json_array_foreach (batch, i, one) {
		json_t *reply = handle_request(c, peer, one);

		if (!reply)
			continue;
		strbuf_puts(out, before);
		write_reply(reply, out);
		before = ",";
	}
	if (*before == ',')
		strbuf_puts(out, "]\n");
}

void control_handle(struct control *c, const struct control_peer *peer, const char *line,
	size_t len, struct strbuf *out)
{
	json_error_t where;
	json_t *req = NULL, *reply = NULL;
	char text[JSON_ERROR_TEXT_LENGTH + 64];

	if (too_deep(line, len)) {
		snprintf(text, sizeof(text), "arrays and objects are nested deeper than %d",
			CONTROL_JSON_DEPTH_MAX);
		reply = simple_error(json_null(), ULIO_CONTROL_PARSE_ERROR, text);
	} else if (!(req = json_loadb(
			     line, len, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, &where))) {
		snprintf(text, sizeof(text), "no JSON: column %d: %s", where.column, where.text);
		reply = simple_error(json_null(), ULIO_CONTROL_PARSE_ERROR, text);
	} else if (json_is_array(req) && json_array_size(req)) {
		handle_batch(c, peer, req, out);
	} else {
		reply = handle_request(c, peer, req);
	}
	if (reply) {
		write_reply(reply, out);
		strbuf_putc(out, '\n');
	}
	json_decref(req);
}

/* ---- help, version, subscribe ---------------------------------------------------------------- */

static json_t *method_row(const struct control_method *m)
{
	json_t *params = json_array();

	for (const struct control_param *p = m->params; p->name; p++)
		json_array_append_new(params,
			json_pack("{s:s, s:s, s:b, s:s}", "name", p->name, "type",
				types[p->type].name, "required", p->required, "doc", p->doc));
	return json_pack("{s:s, s:s, s:b, s:s, s:o}", "name", m->name, "doc", m->doc, "changes",
		m->changes, "role", m->changes || m->admin ? "admin" : "read-only", "params",
		params);
}

static int method_help(void *arg, struct control_call *call)
{
	struct control *c = arg;

	call->result = json_array();
	for (unsigned i = 0; i < c->nmethods; i++)
		json_array_append_new(call->result, method_row(c->methods[i].m));
	return 0;
}

static int method_version(void *arg, struct control_call *call)
{
	call->result = json_pack("{s:s, s:i, s:s}", "version", ULIO_VERSION, "protocol",
		ULIO_CONTROL_PROTOCOL, "role", call->peer->read_only ? "read-only" : "admin");
	return 0;
}

static int method_schema(void *arg, struct control_call *call)
{
	call->result = control_schema(arg);
	return call->result ? 0 : -ENOMEM;
}

static int method_subscribe(void *arg, struct control_call *call)
{
	const json_t *kinds = json_object_get(call->params, "kinds");
	json_t *word;
	unsigned want = 0;
	size_t i;

	if (!call->peer->events || !call->peer->events->ev)
		return call_fail(call, -EOPNOTSUPP, "events are told on the daemon's socket alone");
	json_array_foreach (kinds, i, word) {
		const char *name = json_string_value(word);
		int kind = name ? event_kind(name) : -1;

		if (kind < 0)
			return call_fail(call, -EINVAL,
				"kinds: %s is no kind of event: login, login_refused, logout, lun, "
				"alua, error or tree is meant",
				name ? name : "what is no string");
		want |= 1u << kind;
	}
	event_queue_want(call->peer->events, want);
	return 0;
}
