/* SPDX-License-Identifier: BSD-3-Clause */
/* verb_target.c: targets, portal groups and portals. */
#include <ctype.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>
#include <ulio/control.h>
#include <unistd.h>

#include "base/num.h"
#include "cli/storage.h"
#include "cli/verb.h"

enum { PORT = 3260, TAG_MAX = 65535, PATH_CHARS = VIEW_PATH_CHARS + VIEW_NAME_CHARS };

/* ---- portals --------------------------------------------------------------------------------- */

/* The name of a portal's directory: "10.0.0.1:3260", "[::1]:3260". */
static void portal_name(const char *address, const char *port, char buf[VIEW_NAME_CHARS])
{
	const char *colon = strchr(address, ':');
	bool whole = !port && colon &&
		     (address[0] == '[' ? strstr(address, "]:") != NULL : !strchr(colon + 1, ':'));

	if (whole)
		snprintf(buf, VIEW_NAME_CHARS, "%s", address);
	else if (colon && address[0] != '[')
		snprintf(buf, VIEW_NAME_CHARS, "[%s]:%s", address, port ? port : "3260");
	else
		snprintf(buf, VIEW_NAME_CHARS, "%s:%s", address, port ? port : "3260");
}

static int check_port(struct verb_call *c)
{
	const char *port = verb_arg(c, "ip_port");
	uint64_t n;

	if (port && num_parse_u64(port, 1, 65535, &n))
		return cli_fail(c->cli, CLI_USAGE, "ip_port %s: 1 to 65535 is meant", port);
	return 0;
}

int verb_create_portal(struct verb_call *c)
{
	const char *address = verb_arg(c, "ip_address");
	char name[VIEW_NAME_CHARS];
	struct strbuf raw;
	int status = check_port(c);

	if (status)
		return status;
	portal_name(address ? address : "0.0.0.0", verb_arg(c, "ip_port"), name);
	status = verb_raw(c, &raw);
	if (!status)
		status = tree_mkdir_at(c->cli, raw.s, name);
	strbuf_done(&raw);
	if (status)
		return status;
	cli_say(c->cli, "Created network portal %s.", name);
	verb_created(c, name);
	return 0;
}

int verb_delete_portal(struct verb_call *c)
{
	char name[VIEW_NAME_CHARS];
	struct strbuf raw;
	int status = check_port(c);

	if (status)
		return status;
	portal_name(verb_arg(c, "ip_address"), verb_arg(c, "ip_port"), name);
	status = verb_raw(c, &raw);
	strbuf_printf(&raw, "/%s", name);
	if (!status)
		status = cli_do(c->cli, "rmdir", json_pack("{s:s}", "path", raw.s));
	if (!status)
		cli_say(c->cli, "Deleted network portal %s.", name);
	strbuf_done(&raw);
	return status;
}

static int portal_switch(struct verb_call *c, const char *attr)
{
	struct strbuf raw;
	bool on;
	int status = verb_bool(c, "boolean", false, &on);

	if (status)
		return status;
	status = verb_raw(c, &raw);
	if (!status)
		status = cli_set(c->cli, raw.s, attr, on ? "1" : "0");
	if (!status)
		cli_say(c->cli, "%s is now %s.", attr, on ? "enabled" : "disabled");
	strbuf_done(&raw);
	return status;
}

int verb_enable_iser(struct verb_call *c)
{
	return portal_switch(c, "iser");
}

int verb_enable_offload(struct verb_call *c)
{
	return portal_switch(c, "cxgbit");
}

/* ---- portal groups --------------------------------------------------------------------------- */

/* "2" or "tpg2". */
static int tag_of(struct verb_call *c, uint64_t *ret)
{
	const char *tag = verb_arg(c, "tag");

	if (num_parse_u64(tag + (strncmp(tag, "tpg", 3) ? 0 : 3), 0, TAG_MAX, ret))
		return cli_fail(c->cli, CLI_USAGE, "tag %s: 0 to %d is meant", tag, TAG_MAX);
	return 0;
}

static int free_tag(struct verb_call *c, const char *target, uint64_t *ret)
{
	json_t *d = cli_ask(c->cli, "dump",
		json_pack("{s:s, s:i, s:s}", "path", target, "depth", 0, "names", ""));
	char name[32];

	for (*ret = 1; d && *ret <= TAG_MAX; ++*ret) {
		snprintf(name, sizeof(name), "tpgt_%" PRIu64, *ret);
		if (!json_object_get(json_object_get(d, "dirs"), name))
			break;
	}
	json_decref(d);
	return d ? 0 : CLI_FAILED;
}

/* A portal group as targetcli's defaults have it; path is its directory. */
static int make_tpg(struct verb_call *c, const char *path, uint64_t tag)
{
	const struct prefs *prefs = &c->cli->prefs;
	char sub[PATH_CHARS + 16];
	struct errmsg err;
	json_t *made;
	int status = cli_do(c->cli, "mkdir", json_pack("{s:s}", "path", path));

	if (status)
		return status;
	snprintf(sub, sizeof(sub), "%s/attrib", path);
	status = cli_set(c->cli, sub, "authentication", "0");
	if (!status && prefs->auto_enable_tpgt)
		status = cli_set(c->cli, path, "enable", "1");
	if (status) {
		json_decref(cli_call(c->cli, "rmdir", json_pack("{s:s}", "path", path), &err));
		return status;
	}
	cli_say(c->cli, "Created TPG %" PRIu64 ".", tag);
	if (!prefs->auto_add_default_portal)
		return 0;
	snprintf(sub, sizeof(sub), "%s/np/0.0.0.0:%d", path, PORT);
	made = cli_call(c->cli, "mkdir", json_pack("{s:s}", "path", sub), &err);
	if (made)
		cli_say(c->cli, "Created default portal 0.0.0.0:%d.", PORT);
	else
		cli_say(c->cli, "No default portal: %s", err.text);
	json_decref(made);
	return 0;
}

int verb_create_tpg(struct verb_call *c)
{
	char path[PATH_CHARS], name[32];
	struct strbuf raw;
	uint64_t tag = 0;
	int status = verb_arg(c, "tag") ? tag_of(c, &tag) : 0;

	if (status)
		return status;
	status = verb_raw(c, &raw);
	if (!status && !verb_arg(c, "tag"))
		status = free_tag(c, raw.s, &tag);
	snprintf(path, sizeof(path), "%s/tpgt_%" PRIu64, raw.s, tag);
	strbuf_done(&raw);
	if (!status)
		status = make_tpg(c, path, tag);
	snprintf(name, sizeof(name), "tpg%" PRIu64, tag);
	if (!status)
		verb_created(c, name);
	return status;
}

int verb_delete_tpg(struct verb_call *c)
{
	struct strbuf raw;
	uint64_t tag;
	int status = tag_of(c, &tag);

	if (status)
		return status;
	status = verb_raw(c, &raw);
	strbuf_printf(&raw, "/tpgt_%" PRIu64, tag);
	if (!status)
		status = cli_confirm_sessions(c->cli, view_name(&c->at), (json_int_t)tag, NULL);
	/* Closed first: its sessions end before anything below goes. */
	if (!status)
		status = cli_set(c->cli, raw.s, "enable", "0");
	if (!status)
		status = tree_remove(c->cli, raw.s);
	if (!status)
		cli_say(c->cli, "Deleted TPG %" PRIu64 ".", tag);
	strbuf_done(&raw);
	return status;
}

/* The tag of a portal group of the view. */
static json_int_t tag_at(const struct view_path *at)
{
	uint64_t n = 0;

	num_parse_u64(view_name(at) + 3, 0, TAG_MAX, &n);
	return (json_int_t)n;
}

static int switch_tpg(struct verb_call *c, const char *value)
{
	struct view_path target;
	struct strbuf raw;
	int status = verb_raw(c, &raw);

	if (!status && value[0] == '0' && view_up(&c->at, VIEW_TARGET, &target))
		status = cli_confirm_sessions(c->cli, view_name(&target), tag_at(&c->at), NULL);
	if (!status)
		status = cli_set(c->cli, raw.s, "enable", value);
	if (!status)
		cli_say(c->cli, "The TPG is %s.", value[0] == '1' ? "enabled" : "disabled");
	strbuf_done(&raw);
	return status;
}

int verb_enable(struct verb_call *c)
{
	return switch_tpg(c, "1");
}

int verb_disable(struct verb_call *c)
{
	return switch_tpg(c, "0");
}

/* ---- targets --------------------------------------------------------------------------------- */

/* A name that no other target has. */
static void new_name(char buf[VIEW_NAME_CHARS])
{
	char host[64] = "localhost";
	uint8_t r[6];

	if (gethostname(host, sizeof(host) - 1))
		snprintf(host, sizeof(host), "localhost");
	/* RFC 3722: small letters, digits, '-', '.'. */
	for (char *p = host; *p; p++)
		*p = isalnum((unsigned char)*p) || *p == '.' ? (char)tolower((unsigned char)*p)
							     : '-';
	if (getrandom(r, sizeof(r), 0) != sizeof(r))
		memset(r, 0, sizeof(r));
	snprintf(buf, VIEW_NAME_CHARS, "%s:%s.sn.%02x%02x%02x%02x%02x%02x", ULIO_TARGET_PREFIX,
		host, r[0], r[1], r[2], r[3], r[4], r[5]);
}

/* The fabric's directory is made when it is first needed. */
static int need_fabric(struct verb_call *c)
{
	struct errmsg err;
	json_t *there = cli_call(c->cli, "dump",
		json_pack("{s:s, s:i, s:s}", "path", "/iscsi", "depth", 0, "names", ""), &err);
	bool ok = there != NULL;

	json_decref(there);
	return ok ? 0 : cli_do(c->cli, "mkdir", json_pack("{s:s}", "path", "/iscsi"));
}

int verb_create_target(struct verb_call *c)
{
	const char *name = verb_arg(c, "wwn");
	char buf[VIEW_NAME_CHARS], path[PATH_CHARS], tpg[PATH_CHARS + 16];
	struct errmsg err;
	int status = need_fabric(c);

	if (status)
		return status;
	if (!name) {
		new_name(buf);
		name = buf;
	}
	snprintf(path, sizeof(path), "/iscsi/%s", name);
	status = cli_do(c->cli, "mkdir", json_pack("{s:s}", "path", path));
	if (status)
		return status;
	cli_say(c->cli, "Created target %s.", name);
	snprintf(tpg, sizeof(tpg), "%s/tpgt_1", path);
	status = make_tpg(c, tpg, 1);
	if (status)
		json_decref(cli_call(c->cli, "rmdir", json_pack("{s:s}", "path", path), &err));
	else
		verb_created(c, name);
	return status;
}

int verb_delete_target(struct verb_call *c)
{
	const char *name = verb_arg(c, "wwn");
	int status = cli_confirm_sessions(c->cli, name, 0, NULL);

	if (!status)
		status = cli_do(c->cli, "target.remove", json_pack("{s:s}", "target", name));
	if (!status)
		cli_say(c->cli, "Deleted target %s.", name);
	return status;
}
