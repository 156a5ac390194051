/* SPDX-License-Identifier: BSD-3-Clause */
/* verb_lun.c: LUNs, ACLs, and what of the LUNs initiators see. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/num.h"
#include "cli/storage.h"
#include "cli/verb.h"

enum { LUN_MAX = 65535, PATH_CHARS = VIEW_PATH_CHARS + VIEW_NAME_CHARS };

/* "3", or with the word that the view has before it: "lun3", "mapped_lun3". */
static int number_of(struct verb_call *c, const char *name, const char *prefix, uint64_t *ret)
{
	const char *text = verb_arg(c, name);
	size_t n = strlen(prefix);

	if (num_parse_u64(text + (strncmp(text, prefix, n) ? 0 : n), 0, LUN_MAX, ret))
		return cli_fail(c->cli, CLI_USAGE, "%s %s: 0 to %d is meant", name, text, LUN_MAX);
	return 0;
}

/* The dump of a directory with so many levels below; its values are not asked for. */
static json_t *look(struct verb_call *c, const char *path, int depth)
{
	return cli_ask(c->cli, "dump",
		json_pack("{s:s, s:i, s:s}", "path", path, "depth", depth, "names", ""));
}

static bool has(const json_t *dir, uint64_t lun)
{
	char name[32];

	snprintf(name, sizeof(name), "lun_%" PRIu64, lun);
	return json_object_get(json_object_get(dir, "dirs"), name) != NULL;
}

static uint64_t free_lun(const json_t *dir)
{
	uint64_t n = 0;

	while (has(dir, n))
		n++;
	return n;
}

/* ---- the parts ------------------------------------------------------------------------------- */

/* acls/INITIATOR/lun_mapped -> lun/lun_lun. write_protect NULL: as the group's rules have it. */
static int map(struct verb_call *c, const char *tpg, const char *acl, uint64_t mapped, uint64_t lun,
	const char *write_protect)
{
	char path[PATH_CHARS + 64], link[PATH_CHARS + 80], target[PATH_CHARS + 64];
	struct errmsg err;
	int status;

	snprintf(path, sizeof(path), "%s/lun_%" PRIu64, acl, mapped);
	snprintf(link, sizeof(link), "%s/lun", path);
	snprintf(target, sizeof(target), "%s/lun/lun_%" PRIu64, tpg, lun);
	status = cli_do(c->cli, "mkdir", json_pack("{s:s}", "path", path));
	if (status)
		return status;
	status = cli_do(c->cli, "link", json_pack("{s:s, s:s}", "path", link, "target", target));
	if (!status && write_protect)
		status = cli_set(c->cli, path, "write_protect", write_protect);
	if (status) {
		json_decref(cli_call(c->cli, "unlink", json_pack("{s:s}", "path", link), &err));
		json_decref(cli_call(c->cli, "rmdir", json_pack("{s:s}", "path", path), &err));
		return status;
	}
	cli_say(c->cli, "Created mapped LUN %" PRIu64 " of LUN %" PRIu64 " for %s.", mapped, lun,
		strrchr(acl, '/') + 1);
	return 0;
}

/* Map a new LUN in each ACL: under its own number, else under the first that is free. */
static int map_for_all(struct verb_call *c, const char *tpg, uint64_t lun)
{
	char acls[PATH_CHARS], acl[PATH_CHARS];
	const char *name;
	json_t *d, *v;
	int status = 0;

	snprintf(acls, sizeof(acls), "%.1000s/acls", tpg);
	d = look(c, acls, 1);
	if (!d)
		return CLI_FAILED;
	json_object_foreach (json_object_get(d, "dirs"), name, v) {
		snprintf(acl, sizeof(acl), "%.1000s/%.250s", acls, name);
		if (!status)
			status = map(c, tpg, acl, has(v, lun) ? free_lun(v) : lun, lun, NULL);
	}
	json_decref(d);
	return status;
}

/* Where the storage object of a word lies: a path of the view, else a file or device. */
static int object_dir(struct verb_call *c, const char *word, char dir[STORAGE_DIR_CHARS])
{
	struct view_path at;
	struct errmsg err = { 0 };
	struct strbuf raw;
	int status;

	if (view_resolve(&c->at, word, &at, &err))
		return verb_fail(c, &err);
	if (at.kind != VIEW_STORAGE) {
		status = storage_make_of_path(c->cli, word, dir);
		if (!status)
			cli_say(c->cli, "Created storage object %s.", strrchr(dir, '/') + 1);
		return status;
	}
	strbuf_init(&raw);
	status = view_raw(c->cli, &at, &raw, &err) ? verb_fail(c, &err) : 0;
	snprintf(dir, STORAGE_DIR_CHARS, "%s", raw.s);
	strbuf_done(&raw);
	return status;
}

/* Show a storage object as a LUN; *lun < 0: the first number that is free, which it gets. */
static int make_lun(struct verb_call *c, const char *tpg, const char *object, int64_t *lun)
{
	char luns[PATH_CHARS], path[PATH_CHARS + 64], link[PATH_CHARS + 2 * VIEW_NAME_CHARS];
	struct errmsg err;
	json_t *d;
	int status;

	snprintf(luns, sizeof(luns), "%.1000s/lun", tpg);
	d = *lun < 0 ? look(c, luns, 0) : NULL;
	if (*lun < 0 && !d)
		return CLI_FAILED;
	if (d)
		*lun = (int64_t)free_lun(d);
	json_decref(d);
	snprintf(path, sizeof(path), "%s/lun_%" PRId64, luns, *lun);
	snprintf(link, sizeof(link), "%s/%.200s", path, strrchr(object, '/') + 1);
	status = cli_do(c->cli, "mkdir", json_pack("{s:s}", "path", path));
	if (status)
		return status;
	status = cli_do(c->cli, "link", json_pack("{s:s, s:s}", "path", link, "target", object));
	if (status)
		json_decref(cli_call(c->cli, "rmdir", json_pack("{s:s}", "path", path), &err));
	else
		cli_say(c->cli, "Created LUN %" PRId64 ".", *lun);
	return status;
}

/* The LUN of the portal group that shows a storage object, -1: none. */
static int find_lun(struct verb_call *c, const char *tpg, const char *object, int64_t *ret)
{
	char luns[PATH_CHARS];
	const char *name, *key;
	json_t *d, *l, *to;

	snprintf(luns, sizeof(luns), "%.1000s/lun", tpg);
	d = look(c, luns, 1);
	*ret = -1;
	json_object_foreach (json_object_get(d, "dirs"), name, l) {
		uint64_t n;

		json_object_foreach (json_object_get(l, "links"), key, to) {
			if (!strcmp(json_string_value(to), object) &&
				!num_parse_u64(strrchr(name, '_') + 1, 0, INT64_MAX, &n))
				*ret = (int64_t)n;
		}
	}
	json_decref(d);
	return d ? 0 : CLI_FAILED;
}

/* The portal group that the place is in, in the daemon's tree. */
static int tpg_of(struct verb_call *c, struct strbuf *out)
{
	struct view_path tpg;
	struct errmsg err = { 0 };

	strbuf_init(out);
	view_up(&c->at, VIEW_TPG, &tpg);
	return view_raw(c->cli, &tpg, out, &err) ? verb_fail(c, &err) : 0;
}

/* ---- LUNs ------------------------------------------------------------------------------------ */

int verb_create_lun(struct verb_call *c)
{
	char object[STORAGE_DIR_CHARS], name[32];
	uint64_t number = 0;
	int64_t lun = -1, there = -1;
	struct strbuf tpg;
	bool add_mapped;
	int status =
		verb_bool(c, "add_mapped_luns", c->cli->prefs.auto_add_mapped_luns, &add_mapped);

	if (!status && verb_arg(c, "lun")) {
		status = number_of(c, "lun", "lun", &number);
		lun = (int64_t)number;
	}
	if (status)
		return status;
	status = tpg_of(c, &tpg);
	if (!status)
		status = object_dir(c, verb_arg(c, "storage_object"), object);
	if (!status)
		status = find_lun(c, tpg.s, object, &there);
	if (!status && there >= 0)
		status = cli_fail(c->cli, CLI_FAILED, "%s: is LUN %" PRId64 " of this TPG already",
			verb_arg(c, "storage_object"), there);
	if (!status)
		status = make_lun(c, tpg.s, object, &lun);
	if (!status && add_mapped)
		status = map_for_all(c, tpg.s, (uint64_t)lun);
	strbuf_done(&tpg);
	snprintf(name, sizeof(name), "lun%" PRId64, lun);
	if (!status)
		verb_created(c, name);
	return status;
}

/* What is said of the target and its group, for a method. */
static json_t *where(struct verb_call *c)
{
	struct view_path target, tpg;
	uint64_t tag = 0;

	view_up(&c->at, VIEW_TARGET, &target);
	view_up(&c->at, VIEW_TPG, &tpg);
	num_parse_u64(view_name(&tpg) + 3, 0, UINT16_MAX, &tag);
	return json_pack("{s:s, s:I}", "target", view_name(&target), "tpg", (json_int_t)tag);
}

static int confirm(struct verb_call *c, const char *initiator)
{
	json_t *w = where(c);
	int status = cli_confirm_sessions(c->cli, json_string_value(json_object_get(w, "target")),
		json_integer_value(json_object_get(w, "tpg")), initiator);

	json_decref(w);
	return status;
}

static int confirm_use(struct verb_call *c, const char *initiator, const char *what, uint64_t lun)
{
	json_t *w = where(c);
	char text[64];
	int status;

	snprintf(text, sizeof(text), "%s %" PRIu64, what, lun);
	status = cli_confirm_use(
		c->cli, json_string_value(json_object_get(w, "target")), initiator, text);
	json_decref(w);
	return status;
}

int verb_delete_lun(struct verb_call *c)
{
	uint64_t lun;
	json_t *params;
	int status = number_of(c, "lun", "lun", &lun);

	if (!status)
		status = confirm_use(c, NULL, "LUN", lun);
	if (status)
		return status;
	params = where(c);
	json_object_set_new(params, "lun", json_integer((json_int_t)lun));
	status = cli_do(c->cli, "lun.remove", params);
	if (!status)
		cli_say(c->cli, "Deleted LUN %" PRIu64 ".", lun);
	return status;
}

/* ---- ACLs ------------------------------------------------------------------------------------ */

int verb_create_acl(struct verb_call *c)
{
	const char *wwn = verb_arg(c, "wwn"), *name;
	char acl[PATH_CHARS];
	struct strbuf tpg;
	json_t *luns, *v;
	bool add_mapped;
	int status =
		verb_bool(c, "add_mapped_luns", c->cli->prefs.auto_add_mapped_luns, &add_mapped);

	if (status)
		return status;
	status = tpg_of(c, &tpg);
	snprintf(acl, sizeof(acl), "%.900s/acls/%.250s", tpg.s, wwn);
	if (!status)
		status = cli_do(c->cli, "mkdir", json_pack("{s:s}", "path", acl));
	if (!status) {
		cli_say(c->cli, "Created node ACL for %s.", wwn);
		strbuf_puts(&tpg, "/lun");
		luns = add_mapped ? look(c, tpg.s, 0) : NULL;
		strbuf_truncate(&tpg, tpg.len - strlen("/lun"));
		json_object_foreach (json_object_get(luns, "dirs"), name, v) {
			uint64_t n;

			if (!status && !num_parse_u64(strrchr(name, '_') + 1, 0, INT64_MAX, &n))
				status = map(c, tpg.s, acl, n, n, NULL);
		}
		json_decref(luns);
	}
	strbuf_done(&tpg);
	if (!status)
		verb_created(c, wwn);
	return status;
}

/* The directory of the ACL that a parameter names, by initiator or tag. */
static int acl_dir(struct verb_call *c, const char *param, struct strbuf *out)
{
	struct view_path at;
	struct errmsg err = { 0 };

	strbuf_init(out);
	if (view_child(&c->at, verb_arg(c, param), &at, &err) || view_raw(c->cli, &at, out, &err))
		return verb_fail(c, &err);
	return 0;
}

int verb_delete_acl(struct verb_call *c)
{
	struct strbuf acl;
	json_t *params;
	int status = acl_dir(c, "wwn", &acl);
	const char *name = status ? "" : strrchr(acl.s, '/') + 1;

	if (!status)
		status = confirm(c, name);
	if (!status) {
		params = where(c);
		json_object_set_new(params, "initiator", json_string(name));
		status = cli_do(c->cli, "acl.remove", params);
	}
	if (!status)
		cli_say(c->cli, "Deleted node ACL for %s.", name);
	strbuf_done(&acl);
	return status;
}

static int set_tag(struct verb_call *c, const char *tag)
{
	struct strbuf acl;
	int status = acl_dir(c, "wwn_or_tag", &acl);

	if (!status)
		status = cli_set(c->cli, acl.s, "tag", tag);
	strbuf_done(&acl);
	return status;
}

int verb_tag(struct verb_call *c)
{
	const char *tag = verb_arg(c, "new_tag");
	int status;

	if (strpbrk(tag, ".:/"))
		return cli_fail(c->cli, CLI_USAGE,
			"new_tag %s: '.', ':' and '/' belong to initiators' names", tag);
	status = set_tag(c, tag);
	if (!status)
		cli_say(c->cli, "%s is now tagged %s.", verb_arg(c, "wwn_or_tag"), tag);
	return status;
}

int verb_untag(struct verb_call *c)
{
	int status = set_tag(c, "NULL");

	if (!status)
		cli_say(c->cli, "%s has no tag any more.", verb_arg(c, "wwn_or_tag"));
	return status;
}

/* ---- mapped LUNs ----------------------------------------------------------------------------- */

/* The LUN that a word means: its number, or that of a storage object, which becomes one. */
static int lun_of(struct verb_call *c, const char *tpg, const char *word, int64_t *ret)
{
	char object[STORAGE_DIR_CHARS];
	uint64_t n;
	int status;

	if (!num_parse_u64(word + (strncmp(word, "lun", 3) ? 0 : 3), 0, LUN_MAX, &n)) {
		*ret = (int64_t)n;
		return 0;
	}
	status = object_dir(c, word, object);
	if (!status)
		status = find_lun(c, tpg, object, ret);
	return status || *ret >= 0 ? status : make_lun(c, tpg, object, ret);
}

int verb_create_mapped(struct verb_call *c)
{
	struct strbuf tpg, acl;
	uint64_t mapped;
	int64_t lun = -1;
	bool protect;
	int status = number_of(c, "mapped_lun", "mapped_lun", &mapped);

	if (!status)
		status = verb_bool(c, "write_protect", false, &protect);
	if (status)
		return status;
	status = tpg_of(c, &tpg);
	strbuf_init(&acl);
	if (!status) {
		strbuf_done(&acl);
		status = verb_raw(c, &acl);
	}
	if (!status)
		status = lun_of(c, tpg.s, verb_arg(c, "tpg_lun_or_backstore"), &lun);
	if (!status)
		status = map(c, tpg.s, acl.s, mapped, (uint64_t)lun,
			verb_arg(c, "write_protect") ? protect ? "1" : "0" : NULL);
	strbuf_done(&tpg);
	strbuf_done(&acl);
	return status;
}

int verb_delete_mapped(struct verb_call *c)
{
	struct strbuf raw;
	uint64_t mapped;
	int status = number_of(c, "mapped_lun", "mapped_lun", &mapped);

	if (status)
		return status;
	status = verb_raw(c, &raw);
	if (!status)
		status = confirm_use(c, strrchr(raw.s, '/') + 1, "mapped LUN", mapped);
	strbuf_printf(&raw, "/lun_%" PRIu64, mapped);
	if (!status)
		status = tree_remove(c->cli, raw.s);
	if (!status)
		cli_say(c->cli, "Deleted mapped LUN %" PRIu64 ".", mapped);
	strbuf_done(&raw);
	return status;
}
