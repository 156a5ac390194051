/* SPDX-License-Identifier: BSD-3-Clause */
/* lioutils_lio.c: lio_node: targets, portals, LUNs, ACLs. */
#include <ctype.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "cli/lioutils.h"
#include "cli/storage.h"

#define TPG  "/iscsi/$1/tpgt_$2"
#define ACL  TPG "/acls/$3"
#define LUN  TPG "/lun/lun_$3"
#define DISC "/iscsi/discovery_auth"

enum { PATH_CHARS = VIEW_PATH_CHARS };

/* ---- what is asked for ----------------------------------------------------------------------- */

static json_int_t tag(const char *text)
{
	uint64_t n = 0;

	num_parse_u64(text, 0, UINT16_MAX, &n);
	return (json_int_t)n;
}

static int ends_acl(struct cli *cli, char **args)
{
	return cli_confirm_sessions(cli, args[0], tag(args[1]), args[2]);
}

static int ends_tpg(struct cli *cli, char **args)
{
	return cli_confirm_sessions(cli, args[0], tag(args[1]), NULL);
}

static int ends_target(struct cli *cli, char **args)
{
	return cli_confirm_sessions(cli, args[0], 0, NULL);
}

static int takes_lun(struct cli *cli, char **args)
{
	char what[64];

	snprintf(what, sizeof(what), "LUN %.32s", args[2]);
	return cli_confirm_use(cli, args[0], NULL, what);
}

static int takes_mapped(struct cli *cli, char **args)
{
	char what[64];

	snprintf(what, sizeof(what), "mapped LUN %.32s", args[3]);
	return cli_confirm_use(cli, args[0], args[2], what);
}

static int ends_all(struct cli *cli, char **args)
{
	return cli_confirm_sessions(cli, NULL, 0, NULL);
}

/* ---- making ---------------------------------------------------------------------------------- */

/* mkdir -p of a template. */
static int make(struct cli *cli, const char *fmt, char **args)
{
	struct strbuf path;
	int status;

	strbuf_init(&path);
	lioutils_expand(&path, fmt, args);
	status = lioutils_mkdir(cli, path.s);
	strbuf_done(&path);
	return status;
}

static int set(struct cli *cli, const char *fmt, const char *value, char **args)
{
	struct strbuf path;
	int status;

	strbuf_init(&path);
	lioutils_expand(&path, fmt, args);
	status = cli_do(cli, "set", json_pack("{s:s, s:s}", "path", path.s, "value", value));
	strbuf_done(&path);
	return status;
}

/* Make a directory with a link in it; nothing stays if the link cannot be. */
static int make_link(
	struct cli *cli, const char *dir_fmt, const char *name, const char *target_fmt, char **args)
{
	char link[PATH_CHARS + 256];
	struct strbuf dir, target;
	struct errmsg err;
	int status = make(cli, dir_fmt, args);

	if (status)
		return status;
	strbuf_init(&dir);
	strbuf_init(&target);
	lioutils_expand(&dir, dir_fmt, args);
	lioutils_expand(&target, target_fmt, args);
	snprintf(link, sizeof(link), "%.1000s/%.250s", dir.s, name);
	status = cli_do(cli, "link", json_pack("{s:s, s:s}", "path", link, "target", target.s));
	if (status)
		json_decref(cli_call(cli, "rmdir", json_pack("{s:s}", "path", dir.s), &err));
	strbuf_done(&dir);
	strbuf_done(&target);
	return status;
}

static int add_tpg(struct cli *cli, char **args)
{
	return make(cli, TPG, args);
}

static int add_acl(struct cli *cli, char **args)
{
	return make(cli, ACL, args);
}

/* The port may be left out. */
static int add_portal(struct cli *cli, char **args)
{
	const char *np = args[2], *close = strchr(np, ']');
	const char *colon = close ? strchr(close, ':') : strchr(np, ':');
	char name[256];
	char *with[] = { args[0], args[1], name };

	snprintf(name, sizeof(name), "%.240s%s", np, !colon ? ":3260" : colon[1] ? "" : "3260");
	return make(cli, TPG "/np/$3", with);
}

static int add_lun(struct cli *cli, char **args)
{
	int status = make_link(cli, LUN, args[3], "/core/$5", args);

	return status ? status : set(cli, LUN "/alua_tg_pt_write_md", "1", args);
}

static int add_mapped(struct cli *cli, char **args)
{
	return make_link(cli, ACL "/lun_$5", "lio_lun", TPG "/lun/lun_$4", args);
}

/* ---- removing -------------------------------------------------------------------------------- */

static int del_tpg(struct cli *cli, char **args)
{
	char path[PATH_CHARS];
	int status;

	snprintf(path, sizeof(path), "/iscsi/%.300s/tpgt_%.16s", args[0], args[1]);
	/* Closed first: its sessions end before anything below goes. */
	status = cli_set(cli, path, "enable", "0");
	return status ? status : tree_remove(cli, path);
}

static int del_target(struct cli *cli, char **args)
{
	return cli_do(cli, "target.remove", json_pack("{s:s}", "target", args[0]));
}

static int unload(struct cli *cli, char **args)
{
	json_t *d = cli_ask(cli, "dump",
		json_pack("{s:s, s:i, s:s}", "path", "/iscsi", "depth", 0, "names", ""));
	json_t *v;
	const char *name;
	int status = d ? 0 : CLI_FAILED;

	json_object_foreach (json_object_get(d, "dirs"), name, v) {
		if (!status && strcmp(name, "discovery_auth") != 0)
			status = cli_do(cli, "target.remove", json_pack("{s:s}", "target", name));
	}
	json_decref(d);
	return status;
}

/* ---- secrets --------------------------------------------------------------------------------- */

static int chap(struct cli *cli, char **args)
{
	int status = set(cli, ACL "/auth/userid", args[3], args);

	return status ? status : set(cli, ACL "/auth/password", args[4], args);
}

static int mutual_chap(struct cli *cli, char **args)
{
	int status = set(cli, ACL "/auth/userid_mutual", args[3], args);

	return status ? status : set(cli, ACL "/auth/password_mutual", args[4], args);
}

static int discovery_chap(struct cli *cli, char **args)
{
	int status = cli_set(cli, DISC, "userid", args[0]);

	return status ? status : cli_set(cli, DISC, "password", args[1]);
}

static int discovery_mutual(struct cli *cli, char **args)
{
	int status = cli_set(cli, DISC, "userid_mutual", args[0]);

	return status ? status : cli_set(cli, DISC, "password_mutual", args[1]);
}

/* ---- lists ----------------------------------------------------------------------------------- */

static json_t *dirs(const json_t *d, const char *sub)
{
	json_t *all = json_object_get(d, "dirs");

	return sub ? json_object_get(json_object_get(all, sub), "dirs") : all;
}

static const json_t *sub(const json_t *d, const char *name)
{
	return json_object_get(json_object_get(d, "dirs"), name);
}

static void list_links(struct cli *cli, const char *name, const json_t *d)
{
	const char *link;
	json_t *to;

	json_object_foreach (json_object_get(d, "links"), link, to)
		cli_say(cli, "            %s/%s -> %s", name, link, json_string_value(to) + 1);
}

static void list_tpg(struct cli *cli, const char *name, const json_t *d)
{
	const char *key;
	json_t *v;

	cli_say(cli, "    %s, %s, alias %s", name,
		lioutils_attr(d, "enable")[0] == '1' ? "enabled" : "disabled",
		lioutils_attr(sub(d, "param"), "TargetAlias"));
	cli_say(cli, "        portals:");
	json_object_foreach (dirs(d, "np"), key, v)
		cli_say(cli, "            %s", key);
	cli_say(cli, "        logical units:");
	json_object_foreach (dirs(d, "lun"), key, v)
		list_links(cli, key, v);
}

static int list_endpoints(struct cli *cli, char **args)
{
	json_t *d = lioutils_dump(cli, "/iscsi", 5), *target, *tpg;
	const char *name, *key;

	json_object_foreach (dirs(d, NULL), name, target) {
		if (!strcmp(name, "discovery_auth"))
			continue;
		cli_say(cli, "%s", name);
		json_object_foreach (dirs(target, NULL), key, tpg) {
			if (!strncmp(key, "tpgt_", 5))
				list_tpg(cli, key, tpg);
		}
	}
	json_decref(d);
	return d ? 0 : CLI_FAILED;
}

static int list_mapped(struct cli *cli, char **args)
{
	char path[PATH_CHARS];
	const char *name, *key, *link;
	json_t *d, *acl, *lun, *to;

	snprintf(path, sizeof(path), "/iscsi/%.300s/tpgt_%.16s/acls", args[0], args[1]);
	d = lioutils_dump(cli, path, 2);
	json_object_foreach (dirs(d, NULL), name, acl) {
		cli_say(cli, "%s", name);
		json_object_foreach (dirs(acl, NULL), key, lun) {
			json_object_foreach (json_object_get(lun, "links"), link, to)
				cli_say(cli, "    %s -> %s (%s)", key,
					strrchr(json_string_value(to), '/') + 1,
					lioutils_attr(lun, "write_protect")[0] == '1' ? "ro"
										      : "rw");
		}
	}
	json_decref(d);
	return d ? 0 : CLI_FAILED;
}

/* ---- the table ------------------------------------------------------------------------------- */

#define AT_TPG "TARGET_IQN TPGT"
#define AT_LUN AT_TPG " LUN"
#define AT_ACL AT_TPG " INITIATOR_IQN"

static const struct lioutils_option options[] = {
	{ "--addlunacl", NULL, 5, AT_ACL " TPG_LUN MAPPED_LUN", "Map a LUN for an initiator.",
		LIOUTILS_RUN, .run = add_mapped, .said = "LUN $4 is LUN $5 for $3." },
	{ "--addnodeacl", NULL, 3, AT_ACL, "Let an initiator in.", LIOUTILS_RUN, .run = add_acl,
		.said = "$3 may log in to $1, group $2." },
	{ "--addnp", NULL, 3, AT_TPG " IP[:PORT]", "Listen at one more address.", LIOUTILS_RUN,
		.run = add_portal, .said = "$1, group $2, listens on $3." },
	{ "--addlun", NULL, 5, AT_LUN " PORT_ALIAS HBA/DEV", "Show a storage object as a LUN.",
		LIOUTILS_RUN, .run = add_lun, .said = "$5 is LUN $3 of $1, group $2." },
	{ "--addtpg", NULL, 2, AT_TPG, "Make a portal group, with its target.", LIOUTILS_RUN,
		.run = add_tpg, .said = "$1 has a group $2." },
	{ "--aluasecmd", NULL, 3, AT_LUN, "Take over and keep the secondary state of a LUN.",
		LIOUTILS_SET, LUN "/alua_tg_pt_write_md", "1" },
	{ "--cleartgptoff", "--clearaluaoff", 3, AT_LUN, "Take a LUN's path online.", LIOUTILS_SET,
		LUN "/alua_tg_pt_offline", "0", .said = "LUN $3 is not offline." },
	{ "--dellunacl", NULL, 4, AT_ACL " MAPPED_LUN", "Take a LUN away from an initiator.",
		LIOUTILS_RMDIR, ACL "/lun_$4", .danger = takes_mapped,
		.said = "$3 has no LUN $4 any more." },
	{ "--delnodeacl", NULL, 3, AT_ACL, "Let an initiator in no more.", LIOUTILS_RMDIR, ACL,
		.danger = ends_acl, .said = "$3 may not log in any more." },
	{ "--delnp", NULL, 3, AT_TPG " IP:PORT", "Listen there no more.", LIOUTILS_RMDIR,
		TPG "/np/$3", .said = "$1, group $2, does not listen on $3 any more." },
	{ "--deliqn", NULL, 1, "TARGET_IQN", "Remove a target.", LIOUTILS_RUN, .run = del_target,
		.danger = ends_target, .said = "$1 is removed." },
	{ "--dellun", NULL, 3, AT_LUN, "Show a LUN no more.", LIOUTILS_RMDIR, LUN,
		.danger = takes_lun, .said = "LUN $3 of $1, group $2, is removed." },
	{ "--deltpg", NULL, 2, AT_TPG, "Remove a portal group.", LIOUTILS_RUN, .run = del_tpg,
		.danger = ends_tpg, .said = "Group $2 of $1 is removed." },
	{ "--demomode", "--permissive", 2, AT_TPG, "Let initiators without an ACL in.",
		LIOUTILS_SET, TPG "/attrib/generate_node_acls", "1",
		.said = "$1, group $2, needs no ACL." },
	{ "--disableauth", NULL, 2, AT_TPG, "Ask for no CHAP.", LIOUTILS_SET,
		TPG "/attrib/authentication", "0", .said = "$1, group $2, asks for no secret." },
	{ "--disablelunwp", NULL, 4, AT_ACL " MAPPED_LUN", "Let an initiator write.", LIOUTILS_SET,
		ACL "/lun_$4/write_protect", "0", .said = "$3 may write to LUN $4." },
	{ "--disabletpg", NULL, 2, AT_TPG, "End all sessions, and let nobody in.", LIOUTILS_SET,
		TPG "/enable", "0", .danger = ends_tpg, .said = "$1, group $2, is disabled." },
	{ "--enableaclmode", NULL, 2, AT_TPG, "Let only initiators with an ACL in.", LIOUTILS_SET,
		TPG "/attrib/generate_node_acls", "0", .said = "$1, group $2, needs ACLs." },
	{ "--enableauth", NULL, 2, AT_TPG, "Ask for CHAP.", LIOUTILS_SET,
		TPG "/attrib/authentication", "1", .said = "$1, group $2, asks for a secret." },
	{ "--enablelunwp", NULL, 4, AT_ACL " MAPPED_LUN", "Let an initiator only read.",
		LIOUTILS_SET, ACL "/lun_$4/write_protect", "1", .said = "$3 may read LUN $4." },
	{ "--enabletpg", NULL, 2, AT_TPG, "Let initiators log in.", LIOUTILS_SET, TPG "/enable",
		"1", .said = "$1, group $2, is enabled." },
	{ "--listendpoints", NULL, 0, NULL, "List targets with their portals and LUNs.",
		LIOUTILS_RUN, .run = list_endpoints },
	{ "--listlunacls", NULL, 2, AT_TPG, "List the LUNs of each initiator.", LIOUTILS_RUN,
		.run = list_mapped },
	{ "--listnodeacls", NULL, 2, AT_TPG, "List the initiators.", LIOUTILS_NAMES, TPG "/acls" },
	{ "--listnodeattr", NULL, 3, AT_ACL, "List attributes of an ACL.", LIOUTILS_LIST,
		ACL "/attrib" },
	{ "--listnodeparam", NULL, 3, AT_ACL, "List what an initiator has agreed to.",
		LIOUTILS_LIST, ACL "/param" },
	{ "--listnps", NULL, 2, AT_TPG, "List the portals.", LIOUTILS_NAMES, TPG "/np" },
	{ "--listtargetnames", NULL, 0, NULL, "List the targets.", LIOUTILS_NAMES, "/iscsi" },
	{ "--listtpgattr", NULL, 2, AT_TPG, "List attributes of a portal group.", LIOUTILS_LIST,
		TPG "/attrib" },
	{ "--listtpgparam", NULL, 2, AT_TPG, "List parameters of a portal group.", LIOUTILS_LIST,
		TPG "/param" },
	{ "--setchapauth", NULL, 5, AT_ACL " USER PASS", "Set the secret of an initiator.",
		LIOUTILS_RUN, .run = chap, .said = "The secret of $3 is set." },
	{ "--setchapmutualauth", NULL, 5, AT_ACL " USER PASS",
		"Set the secret by which the target answers.", LIOUTILS_RUN, .run = mutual_chap,
		.said = "The target's secret for $3 is set." },
	{ "--setchapdiscenforce", NULL, 1, "0|1", "Ask for CHAP at discovery, or not.",
		LIOUTILS_SET, DISC "/enforce_discovery_auth", "$1",
		.said = "Discovery with a secret: $1." },
	{ "--setchapdiscauth", NULL, 2, "USER PASS", "Set the secret of discovery.", LIOUTILS_RUN,
		.run = discovery_chap, .said = "The secret of discovery is set." },
	{ "--setchapdiscmutualauth", NULL, 2, "USER PASS",
		"Set the secret by which the target answers at discovery.", LIOUTILS_RUN,
		.run = discovery_mutual, .said = "The target's secret of discovery is set." },
	{ "--setnodeattr", NULL, 5, AT_ACL " ATTRIBUTE VALUE", "Set an attribute of an ACL.",
		LIOUTILS_SET, ACL "/attrib/$4", "$5", .said = "$4 is $5." },
	{ "--setnodetcq", NULL, 4, AT_ACL " DEPTH", "Set how many commands may be under way.",
		LIOUTILS_SET, ACL "/cmdsn_depth", "$4", .danger = ends_acl,
		.said = "$3 may have $4 commands under way." },
	{ "--settpgattr", NULL, 4, AT_TPG " ATTRIBUTE VALUE", "Set an attribute of a group.",
		LIOUTILS_SET, TPG "/attrib/$3", "$4", .said = "$3 is $4." },
	{ "--settpgparam", NULL, 4, AT_TPG " PARAMETER VALUE", "Set a parameter of a group.",
		LIOUTILS_SET, TPG "/param/$3", "$4", .said = "$3 is $4." },
	{ "--settgptgp", "--setaluatpg", 4, AT_LUN " TG_PT_GP_NAME",
		"Put a LUN into a target port group.", LIOUTILS_SET, LUN "/alua_tg_pt_gp", "$4",
		.said = "LUN $3 is in group $4." },
	{ "--settgptoff", "--setaluaoff", 3, AT_LUN, "Take a LUN's path offline.", LIOUTILS_SET,
		LUN "/alua_tg_pt_offline", "1", .said = "LUN $3 is offline." },
	{ "--showchapauth", NULL, 3, AT_ACL, "Show what of the secret may be shown.", LIOUTILS_LIST,
		ACL "/auth", ": " },
	{ "--showchapdiscauth", NULL, 0, NULL, "The same of discovery.", LIOUTILS_LIST, DISC,
		": " },
	{ "--shownodetcq", NULL, 3, AT_ACL, "Show how many commands may be under way.",
		LIOUTILS_GET, ACL "/cmdsn_depth" },
	{ "--showtgptgp", NULL, 3, AT_LUN, "Show the target port group of a LUN.", LIOUTILS_GET,
		LUN "/alua_tg_pt_gp" },
	{ "--unload", NULL, 0, NULL, "Remove all targets.", LIOUTILS_RUN, .run = unload,
		.danger = ends_all, .said = "All targets are removed." },
	{ NULL },
};

/* Names of targets and initiators are in small letters. */
static void to_small(char *s)
{
	for (; *s; s++)
		*s = (char)tolower((unsigned char)*s);
}

static void normalise(const struct lioutils_option *o, char **args)
{
	if (!o->args || strncmp(o->args, "TARGET_IQN", 10) != 0)
		return;
	to_small(args[0]);
	if (strstr(o->args, "INITIATOR_IQN"))
		to_small(args[2]);
}

const struct lioutils_tool lioutils_lio_node = { "lio_node", options, normalise,
	"/iscsi/lio_version" };
