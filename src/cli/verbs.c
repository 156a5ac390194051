/* SPDX-License-Identifier: BSD-3-Clause */
/* verbs.c: the table of verbs, and arguments by it. */
#include <stdio.h>
#include <string.h>

#include "cli/render.h"
#include "cli/verb.h"

#define NAME(what)                                                                                 \
	{                                                                                          \
		"name", true, VALUES_ANY, what                                                     \
	}
#define THE(what)                                                                                  \
	{                                                                                          \
		"name", true, VALUES_CHILD, what                                                   \
	}
#define WWN                                                                                        \
	{                                                                                          \
		"wwn", false, VALUES_ANY, "unit serial number; else a random UUID"                 \
	}
#define ADD_MAPPED(what)                                                                           \
	{                                                                                          \
		"add_mapped_luns", false, VALUES_BOOL, what ", else as auto_add_mapped_luns says"  \
	}

enum {
	OBJECTS = AT(VIEW_STORAGE) | AT(VIEW_GROUP) | AT(VIEW_FABRIC) | AT(VIEW_TARGET) |
		  AT(VIEW_TPG) | AT(VIEW_ACL) | AT(VIEW_MAPPED) | AT(VIEW_LUN) | AT(VIEW_PORTAL),
	NO_ROOT = ~(unsigned)AT(VIEW_ROOT),
};

static const struct verb table[] = {
	{ "ls", 0, "Show what is here and below.", verb_ls,
		{ { "path", false, VALUES_VIEW, "another place" },
			{ "depth", false, VALUES_ANY, "levels; else all" } } },
	{ "cd", 0, "Go to another place; \"-\" is the one before.", verb_cd,
		{ { "path", false, VALUES_VIEW, "where to; else the root" } } },
	{ "pwd", 0, "Tell where the shell is.", verb_pwd },
	{ "help", 0, "Tell what can be done here, or how a command is used.", verb_help,
		.words = true },
	{ "get", 0, "Show parameters of a group: get GROUP [NAME …].", verb_get,
		{ { "group", false, VALUES_GROUP, "attribute, parameter, auth … or global" } },
		.words = true },
	{ "set", 0, "Set parameters of a group: set GROUP NAME=VALUE ….", verb_set,
		{ { "group", false, VALUES_GROUP, "attribute, parameter, auth … or global" } },
		.words = true },
	{ "exit", 0, "Leave the shell.", verb_exit },
	{ "quit", 0, "Leave the shell.", verb_exit },
	{ "status", NO_ROOT, "Tell how what is here goes.", verb_status },
	{ "info", OBJECTS, "Tell what is here in full.", verb_info },
	{ "version", NO_ROOT, "Tell the version.", verb_version },

	{ "create", AT(VIEW_PLUGIN), "Make a disk of a file.", verb_create_backstore,
		{ NAME("its name"),
			{ "file_or_dev", true, VALUES_FILE, "the file, made if it is not there" },
			{ "size", false, VALUES_ANY, "of a new file, such as 10G" },
			{ "write_back", false, VALUES_BOOL, "with a volatile cache; else true" },
			{ "sparse", false, VALUES_BOOL,
				"a new file takes no space yet; else true" },
			WWN },
		.plugin = "fileio" },
	{ "create", AT(VIEW_PLUGIN), "Make a disk of a block device.", verb_create_backstore,
		{ NAME("its name"), { "dev", true, VALUES_FILE, "the device" },
			{ "readonly", false, VALUES_BOOL, "write-protected; else false" }, WWN,
			{ "exclusive", false, VALUES_BOOL,
				"false: others may have it open, too" } },
		.plugin = "block" },
	{ "create", AT(VIEW_PLUGIN), "Make a disk of memory.", verb_create_backstore,
		{ NAME("its name"), { "size", true, VALUES_ANY, "such as 1G" },
			{ "nullio", false, VALUES_BOOL,
				"it keeps nothing and reads as zeroes; else false" },
			WWN },
		.plugin = "ramdisk" },
	{ "create", AT(VIEW_PLUGIN), "Pass a SCSI device through: refused, ulio has none of it.",
		verb_create_backstore,
		{ NAME("its name"), { "dev", true, VALUES_FILE, "the device" } },
		.plugin = "pscsi" },
	{ "create", AT(VIEW_PLUGIN), "Make a disk of a plugin or with filters.",
		verb_create_backstore,
		{ NAME("its name"), { "size", true, VALUES_ANY, "such as 10G" },
			{ "cfgstring", true, VALUES_ANY, "what the handler reads" }, WWN,
			{ "hw_max_sectors", false, VALUES_ANY, "longest access in blocks" },
			{ "control", false, VALUES_ANY, "more words for control" } },
		.plugin = "user" },
	{ "delete", AT(VIEW_PLUGIN), "Remove a storage object with its LUNs; its data stay.",
		verb_delete_backstore,
		{ THE("the storage object"),
			{ "save", false, VALUES_BOOL, "save the configuration then" } } },
	{ "create", AT(VIEW_ALUA), "Make a group of paths.", verb_create_group,
		{ NAME("its name"), { "tag", true, VALUES_ANY, "its number, 1 to 65535" } } },
	{ "delete", AT(VIEW_ALUA), "Remove a group; its LUNs go to the default one.",
		verb_delete_group, { THE("the group") } },

	{ "create", AT(VIEW_FABRIC), "Make a target with portal group 1.", verb_create_target,
		{ { "wwn", false, VALUES_ANY, "its name, iqn.…; else a new one" } } },
	{ "delete", AT(VIEW_FABRIC), "End the sessions of a target and remove it.",
		verb_delete_target, { { "wwn", true, VALUES_CHILD, "its name" } } },
	{ "create", AT(VIEW_TARGET), "Make a portal group.", verb_create_tpg,
		{ { "tag", false, VALUES_ANY, "its tag, 2 or tpg2; else the first free one" } } },
	{ "delete", AT(VIEW_TARGET), "End the sessions of a portal group and remove it.",
		verb_delete_tpg, { { "tag", true, VALUES_CHILD, "its tag" } } },
	{ "enable", AT(VIEW_TPG), "Let initiators log in.", verb_enable },
	{ "disable", AT(VIEW_TPG), "End all sessions, and let nobody log in.", verb_disable },
	{ "create", AT(VIEW_PORTALS), "Listen at one more address.", verb_create_portal,
		{ { "ip_address", false, VALUES_ANY, "10.0.0.1 or 2001:db8::1; else all" },
			{ "ip_port", false, VALUES_ANY, "else 3260" } } },
	{ "delete", AT(VIEW_PORTALS), "Listen there no more; sessions stay.", verb_delete_portal,
		{ { "ip_address", true, VALUES_CHILD, "the address, or address:port" },
			{ "ip_port", false, VALUES_ANY, "else 3260" } } },
	{ "enable_iser", AT(VIEW_PORTAL),
		"Switch iSER off; ulio has none, and refuses to switch it on.", verb_enable_iser,
		{ { "boolean", true, VALUES_BOOL, "true or false" } } },
	{ "enable_offload", AT(VIEW_PORTAL),
		"Switch offload off; ulio has none, and refuses to switch it on.",
		verb_enable_offload, { { "boolean", true, VALUES_BOOL, "true or false" } } },

	{ "create", AT(VIEW_LUNS), "Show a disk as a LUN.", verb_create_lun,
		{ { "storage_object", true, VALUES_STORAGE,
			  "/backstores/KIND/NAME, or a file or device, of which one is made" },
			{ "lun", false, VALUES_ANY, "its number; else the first free one" },
			ADD_MAPPED("map it for each ACL") } },
	{ "delete", AT(VIEW_LUNS), "Show a LUN no more; commands under way end first.",
		verb_delete_lun, { { "lun", true, VALUES_CHILD, "its number" } } },
	{ "create", AT(VIEW_ACLS), "Let an initiator in.", verb_create_acl,
		{ { "wwn", true, VALUES_INITIATOR, "its name" },
			ADD_MAPPED("map every LUN for it") } },
	{ "delete", AT(VIEW_ACLS), "End the sessions of an initiator and let it in no more.",
		verb_delete_acl, { { "wwn", true, VALUES_CHILD, "its name" } } },
	{ "tag", AT(VIEW_ACLS), "Give an initiator a name for people.", verb_tag,
		{ { "wwn_or_tag", true, VALUES_CHILD, "the initiator" },
			{ "new_tag", true, VALUES_ANY, "the name, without '.'" } } },
	{ "untag", AT(VIEW_ACLS), "Take that name away.", verb_untag,
		{ { "wwn_or_tag", true, VALUES_CHILD, "the initiator" } } },
	{ "create", AT(VIEW_ACL), "Map a LUN for this initiator.", verb_create_mapped,
		{ { "mapped_lun", true, VALUES_ANY, "the number that it sees" },
			{ "tpg_lun_or_backstore", true, VALUES_STORAGE,
				"the LUN's number, a storage object, a file or a device" },
			{ "write_protect", false, VALUES_BOOL,
				"else as prod_mode_write_protect" } } },
	{ "delete", AT(VIEW_ACL), "Take a LUN away from this initiator.", verb_delete_mapped,
		{ { "mapped_lun", true, VALUES_CHILD, "the number that it sees" } } },

	{ "saveconfig", 0, "Write the running configuration to its file.", verb_saveconfig,
		{ { "savefile", false, VALUES_FILE, "another file" } } },
	{ "restoreconfig", 0, "Bring a saved configuration back.", verb_restoreconfig,
		{ { "savefile", false, VALUES_FILE, "another file than the configured one" },
			{ "clear_existing", false, VALUES_BOOL, "remove what runs first" },
			{ "target", false, VALUES_ANY, "this target alone" },
			{ "storage_object", false, VALUES_ANY, "this storage object alone" } } },
	{ "clearconfig", 0, "Remove all targets and storage objects; data stay.", verb_clearconfig,
		{ { "confirm", false, VALUES_BOOL, "true: it is meant" } } },
};

enum { NVERBS = sizeof(table) / sizeof(table[0]) };

/* "create" takes what the kind of backstore needs. */
static bool is_at(const struct verb *v, const struct view_path *at)
{
	if (v->kinds && !(v->kinds & AT(at->kind)))
		return false;
	return !v->plugin || !strcmp(v->plugin, view_plugin_find(view_name(at))->name);
}

const struct verb *verb_at(const struct view_path *at, unsigned i)
{
	for (unsigned k = 0; k < NVERBS; k++) {
		if (is_at(&table[k], at) && !i--)
			return &table[k];
	}
	return NULL;
}

const struct verb *verb_find(const struct view_path *at, const char *name)
{
	const struct verb *v;

	for (unsigned i = 0; (v = verb_at(at, i)); i++) {
		if (!strcmp(v->name, name))
			return v;
	}
	return NULL;
}

/* ---- arguments ------------------------------------------------------------------------------- */

void verb_usage_line(const struct verb *v, struct strbuf *out)
{
	strbuf_reset(out);
	strbuf_puts(out, v->name);
	for (const struct verb_param *p = v->params; p->name; p++)
		strbuf_printf(out, p->required ? " %s" : " [%s]", p->name);
}

void verb_usage(const struct verb *v)
{
	struct strbuf b, line;

	strbuf_init(&b);
	strbuf_init(&line);
	verb_usage_line(v, &line);
	render_paragraph(&b, line.s, 0, term_width());
	strbuf_done(&line);
	render_paragraph(&b, v->doc, 2, term_width());
	for (const struct verb_param *p = v->params; p->name; p++) {
		strbuf_printf(&b, "  %s:\n", p->name);
		render_paragraph(&b, p->doc, 6, term_width());
	}
	fputs(b.s, stdout);
	strbuf_done(&b);
}

/* Bytes of the name in "name=value", 0 if the word is none such. */
static size_t name_of(const char *word)
{
	size_t n = strspn(word, "abcdefghijklmnopqrstuvwxyz_");

	return word[n] == '=' ? n : 0;
}

static const struct verb_param *param_of(const struct verb *v, const char *name, size_t n)
{
	for (const struct verb_param *p = v->params; p->name; p++) {
		if (strlen(p->name) == n && !memcmp(p->name, name, n))
			return p;
	}
	return NULL;
}

/* By name, or by position: the first that is not there yet. */
static int take(struct verb_call *c, const char *word)
{
	const struct verb *v = c->verb;
	size_t n = name_of(word);
	const struct verb_param *p = n ? param_of(v, word, n) : v->params;

	if (n && !p)
		return cli_fail(c->cli, CLI_USAGE, "%s: %s has no parameter %.*s", word, v->name,
			(int)n, word);
	while (!n && p->name && json_object_get(c->args, p->name))
		p++;
	if (!p->name)
		return cli_fail(
			c->cli, CLI_USAGE, "%s: is one word too many for %s", word, v->name);
	if (json_object_set_new(c->args, p->name, json_string(n ? word + n + 1 : word)))
		return cli_fail(c->cli, CLI_USAGE, "%s: is no UTF-8 text", p->name);
	return 0;
}

int verb_run(
	struct cli *cli, const struct verb *v, const struct view_path *at, int argc, char **argv)
{
	struct verb_call c = { cli, v, *at, json_object(), argc, argv };
	int status = 0;

	for (int i = 0; i < argc && !v->words && !status; i++)
		status = take(&c, argv[i]);
	for (const struct verb_param *p = v->params; p->name && !v->words && !status; p++) {
		if (p->required && !json_object_get(c.args, p->name))
			status = cli_fail(
				cli, CLI_USAGE, "%s: %s is missing: %s", v->name, p->name, p->doc);
	}
	if (!status)
		status = v->run(&c);
	json_decref(c.args);
	return status;
}

const char *verb_arg(const struct verb_call *c, const char *name)
{
	return json_string_value(json_object_get(c->args, name));
}

int verb_bool(struct verb_call *c, const char *name, bool preset, bool *ret)
{
	const char *text = verb_arg(c, name);

	*ret = preset;
	if (text && prefs_parse_bool(text, ret))
		return cli_fail(c->cli, CLI_USAGE, "%s=%s: true or false is meant", name, text);
	return 0;
}

int verb_fail(struct verb_call *c, const struct errmsg *err)
{
	return cli_fail(c->cli, CLI_FAILED, "%s", err->text);
}

int verb_raw(struct verb_call *c, struct strbuf *out)
{
	struct errmsg err = { 0 };

	strbuf_init(out);
	return view_raw(c->cli, &c->at, out, &err) ? verb_fail(c, &err) : 0;
}

void verb_created(struct verb_call *c, const char *name)
{
	struct errmsg err;
	struct view_path there;

	if (c->cli->shell && c->cli->prefs.auto_cd_after_create &&
		!view_child(&c->at, name, &there, &err))
		c->cli->cwd = there;
}
