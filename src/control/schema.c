/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * schema.c: the protocol of the socket for programs, made of the rows of the methods: JSON Schema
 * (draft 2020-12) of a request to each, and of events.
 */
#include <string.h>
#include <ulio/control.h>

#include "control/events.h"
#include "control/rpc.h"
#include "control/rpc_priv.h"

static json_t *param_schema(const struct control_param *p)
{
	return json_pack("{s:s, s:s}", "type", control_type_name(p->type), "description", p->doc);
}

static json_t *params_schema(const struct control_method *m)
{
	json_t *properties = json_object(), *required = json_array();

	for (const struct control_param *p = m->params; p->name; p++) {
		json_object_set_new(properties, p->name, param_schema(p));
		if (p->required)
			json_array_append_new(required, json_string(p->name));
	}
	return json_pack("{s:s, s:o, s:o, s:b}", "type", "object", "properties", properties,
		"required", required, "additionalProperties", 0);
}

static json_t *method_schema(const struct control_method *m)
{
	return json_pack("{s:s, s:s, s:b, s:o}", "description", m->doc, "role",
		m->changes || m->admin ? "admin" : "read-only", "changes", m->changes, "params",
		params_schema(m));
}

static json_t *event_schema(void)
{
	static const struct {
		const char *name, *doc;
	} fields[] = {
		{ "object", "the unit that it is about" },
		{ "target", "name of the target" },
		{ "initiator", "name of the initiator" },
		{ "peer", "its address" },
		{ "path", "of the entry of the tree" },
		{ "state", "what it is now, or what happened to it" },
		{ "text", "why, or more of it" },
	};
	json_t *properties = json_object(), *kinds = json_array();

	for (unsigned k = 0; k < EVENT_KINDS; k++)
		json_array_append_new(kinds, json_string(event_kind_name(k)));
	json_array_append_new(kinds, json_string("lost"));
	json_object_set_new(properties, "kind", json_pack("{s:o}", "enum", kinds));
	json_object_set_new(properties, "time",
		json_pack("{s:s, s:s}", "type", "number", "description", "seconds since 1970"));
	json_object_set_new(properties, "count",
		json_pack("{s:s, s:s}", "type", "integer", "description",
			"of kind \"lost\": how many could not be told"));
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++)
		json_object_set_new(properties, fields[i].name,
			json_pack("{s:s, s:s}", "type", "string", "description", fields[i].doc));
	return json_pack("{s:s, s:o, s:[s]}", "type", "object", "properties", properties,
		"required", "kind");
}

/* A request to any of the methods: its name decides which parameters there may be. */
static json_t *request_schema(const struct control *c)
{
	json_t *any = json_array();
	const struct control_method *m;

	for (unsigned i = 0; (m = control_method_at(c, i)); i++) {
		char ref[160];

		snprintf(ref, sizeof(ref), "#/methods/%s/params", m->name);
		json_array_append_new(
			any, json_pack("{s:{s:{s:s}, s:{s:s}}}", "properties", "method", "const",
				     m->name, "params", "$ref", ref));
	}
	return json_pack("{s:s, s:{s:{s:s}, s:{s:[s,s,s]}}, s:[s,s], s:o}", "type", "object",
		"properties", "jsonrpc", "const", "2.0", "id", "type", "string", "number", "null",
		"required", "jsonrpc", "method", "oneOf", any);
}

json_t *control_schema(const struct control *c)
{
	json_t *methods = json_object();
	const struct control_method *m;

	for (unsigned i = 0; (m = control_method_at(c, i)); i++)
		json_object_set_new(methods, m->name, method_schema(m));
	return json_pack("{s:s, s:s, s:s, s:i, s:s, s:o, s:o, s:o}", "$schema",
		"https://json-schema.org/draft/2020-12/schema", "$id", "urn:ulio:control", "title",
		"Control socket of uliod", "protocol", ULIO_CONTROL_PROTOCOL, "$ref", "#/request",
		"request", request_schema(c), "methods", methods, "event", event_schema());
}
