/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * saveapply_disk.c: storage objects of a configuration: HBA, device, the "control" words of each
 * plugin, enable, serial number, attributes, ALUA groups.
 */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "control/saveapply_priv.h"
#include "control/savedump.h"
#include "control/saveschema.h"

static const char *str(const json_t *obj, const char *key)
{
	return json_string_value(json_object_get(obj, key));
}

static bool is_true(const json_t *obj, const char *key)
{
	return json_is_true(json_object_get(obj, key));
}

/* ---- control words --------------------------------------------------------------------------- */

enum word_type { W_TEXT, W_NUMBER, W_PAGES, W_FLAG, W_BOOL };

/* key of the configuration -> word of "control", as rtslib writes them, in its order. */
static const struct word {
	const char *plugin, *key, *word;
	enum word_type type;
} words[] = {
	{ "fileio", "dev", "fd_dev_name", W_TEXT },
	{ "fileio", "size", "fd_dev_size", W_NUMBER },
	{ "fileio", "write_back", "fd_buffered_io", W_FLAG },
	{ "fileio", "aio", "fd_async_io", W_FLAG },
	{ "block", "dev", "udev_path", W_TEXT },
	{ "block", "readonly", "readonly", W_BOOL },
	{ "block", "exclusive", "exclusive", W_BOOL },
	{ "ramdisk", "size", "rd_pages", W_PAGES },
	{ "ramdisk", "nullio", "rd_nullio", W_FLAG },
	{ "user", "config", "dev_config", W_TEXT },
	{ "user", "size", "dev_size", W_NUMBER },
	{ "user", "hw_max_sectors", "hw_max_sectors", W_NUMBER },
	{ "user", "control", NULL, W_TEXT },
};

/* The text of one word; empty: it is not to be written. */
static void word_text(const struct word *w, const json_t *value, struct strbuf *out)
{
	json_int_t n = json_integer_value(value);

	strbuf_reset(out);
	if (w->type == W_TEXT && json_string_length(value))
		strbuf_printf(out, "%s%s%s", w->word ? w->word : "", w->word ? "=" : "",
			json_string_value(value));
	else if (w->type == W_NUMBER && n > 0)
		strbuf_printf(out, "%s=%" JSON_INTEGER_FORMAT, w->word, n);
	else if (w->type == W_PAGES)
		strbuf_printf(out, "%s=%" JSON_INTEGER_FORMAT, w->word, n / 4096 + (n % 4096 != 0));
	else if (w->type == W_FLAG && json_is_true(value))
		strbuf_printf(out, "%s=1", w->word);
	else if (w->type == W_BOOL && json_is_boolean(value))
		strbuf_printf(out, "%s=%d", w->word, json_is_true(value));
}

static bool is_settings(const struct word *w)
{
	return !strcmp(w->word, "dev_config");
}

/* False: told. */
static bool write_words(struct apply *a, struct node *disk, const char *plugin, const json_t *obj)
{
	struct errmsg err = { 0 };
	struct strbuf text;
	int r = 0;

	strbuf_init(&text);
	for (size_t i = 0; !r && i < sizeof(words) / sizeof(words[0]); i++) {
		const json_t *value = json_object_get(obj, words[i].key);

		if (strcmp(words[i].plugin, plugin) != 0)
			continue;
		/* Settings may have commas, "control" knows where they end. */
		if (words[i].type == W_TEXT && words[i].word && json_is_string(value) &&
			strpbrk(json_string_value(value), is_settings(&words[i]) ? "\n" : ",\n"))
			r = errmsg_set(&err, -EINVAL,
				"\"%s\": commas and line ends are not possible",
				json_string_value(value));
		word_text(&words[i], value, &text);
		if (!r && text.len)
			r = tree_set(a->t, disk, "control", text.s, &err);
		if (r)
			apply_skip(a, words[i].key, &err);
	}
	strbuf_done(&text);
	return !r;
}

/* ---- one storage object ---------------------------------------------------------------------- */

bool apply_disk_fits(struct apply *a, struct node *disk, const json_t *obj)
{
	static const char *const keys[] = { "dev", "write_back", "readonly", "exclusive", "aio",
		"nullio", "config" };
	json_t *is = savedump_disk(a->t, disk);
	bool fits = is;

	for (size_t i = 0; fits && i < sizeof(keys) / sizeof(keys[0]); i++) {
		const json_t *x = json_object_get(is, keys[i]), *y = json_object_get(obj, keys[i]);

		if (json_is_string(x) && json_is_string(y))
			fits = json_equal(x, y);
		else if (json_is_boolean(x) && json_is_boolean(y))
			fits = json_equal(x, y);
	}
	/* The size of a RAM disk is what it is made of; those of files follow "resize". */
	if (fits && !strcmp(str(obj, "plugin"), "ramdisk"))
		fits = (json_integer_value(json_object_get(is, "size")) + 4095) / 4096 ==
		       (json_integer_value(json_object_get(obj, "size")) + 4095) / 4096;
	json_decref(is);
	return fits;
}

/* Make the HBA and the device; NULL: told. */
static struct node *make_disk(struct apply *a, const char *hba, const char *name)
{
	struct node *core = node_child(tree_root(a->t), "core"), *h = NULL, *disk = NULL;
	struct errmsg err = { 0 };
	char index[64];

	if (a->hba)
		return apply_dir(a, a->hba, name, NULL);
	do
		snprintf(index, sizeof(index), "%s_%u", hba, a->next_hba++);
	while (core && node_child(core, index));
	if (!core || tree_mkdir(a->t, core, index, &h, &err) ||
		tree_mkdir(a->t, h, name, &disk, &err))
		apply_skip(a, NULL, &err);
	if (h && !disk)
		tree_rmdir(a->t, h, NULL);
	return disk;
}

static void unmake_disk(struct apply *a, struct node *disk)
{
	struct node *hba = node_parent(disk);

	if (!tree_rmdir(a->t, disk, NULL) && !a->hba)
		tree_rmdir(a->t, hba, NULL);
}

/* Open it; if that fails the daemon may keep it pending. False: told. */
static bool enable_disk(struct apply *a, struct node *disk)
{
	struct errmsg err = { 0 };
	int r = tree_set(a->t, disk, "enable", "1", &err);

	if (!r)
		return true;
	if (a->hooks && a->hooks->disk_pending)
		r = a->hooks->disk_pending(a->hooks->arg, disk, r, &err);
	if (!r)
		problem_add(a->p, PROBLEM_NOTE, a->path.s,
			"its disk is not there (%s): its LUNs answer NOT READY until it comes",
			err.text);
	if (r >= 0)
		return true;
	apply_skip(a, NULL, &err);
	return false;
}

/* A device from nothing. NULL: told. */
static struct node *make_whole_disk(struct apply *a, const json_t *obj, const char *key)
{
	const char *plugin = str(obj, "plugin"), *dev = str(obj, "dev"), *wwn = str(obj, "wwn");
	struct node *disk = make_disk(a, saveschema_hba(plugin), str(obj, "name"));

	if (!disk)
		return NULL;
	/* rtslib says it twice, and before the disk is opened. */
	if (is_true(obj, "write_back") && !strcmp(plugin, "fileio"))
		apply_set(a, disk, "attrib/emulate_write_cache", "1", "write_back");
	if (!write_words(a, disk, plugin, obj) ||
		(dev && !apply_set(a, disk, "udev_path", dev, "dev"))) {
		unmake_disk(a, disk);
		return NULL;
	}
	/* Some of them say how the disk is to be opened. */
	apply_extras(a, disk, key);
	if (!enable_disk(a, disk)) {
		unmake_disk(a, disk);
		return NULL;
	}
	if (wwn && *wwn)
		apply_set(a, disk, "wwn/vpd_unit_serial", wwn, "wwn");
	return disk;
}

/* The same, as one change. NULL: told, or this is a dry run. */
static struct node *new_disk(struct apply *a, const json_t *obj, const char *key)
{
	struct changes *changes = a->changes;
	struct node *disk = NULL;

	a->changes = NULL;
	if (!a->dry)
		disk = make_whole_disk(a, obj, key);
	a->changes = changes;
	if (changes && (disk || a->dry))
		changes_create_disk(changes, key, disk, obj);
	if (a->dry)
		json_object_set_new(a->disks, key, json_pack("{s:s}", "path", key));
	return disk;
}

enum { ALUA_TRANSITIONING = 15 }; /* as LIO's schema has it */

/* What configfs shows in words and the configuration has as numbers: is it the same already? */
static bool is_in_words(struct apply *a, struct node *g, const char *attr, const char *const *texts,
	const json_t *number)
{
	json_int_t v = json_integer_value(number);
	struct strbuf b;
	bool same = false;

	strbuf_init(&b);
	for (json_int_t i = 0; texts[i] && !same; i++)
		same = i == v && savedump_value(a->t, g, attr, &b) && !strcmp(b.s, texts[i]);
	strbuf_done(&b);
	return same;
}

/*
 * The state and who may change it, in the order in which that is possible: LBA dependent goes with
 * implicit alone, explicit alone allows no write of the state. A group that LUNs are in already has
 * the state that initiators and cluster managers have given it, which a reload must not undo.
 */
static void apply_alua_state(struct apply *a, struct node *g, const json_t *obj)
{
	static const char *const access[] = { "None", "Implicit", "Explicit",
		"Implicit and Explicit", NULL };
	static const char *const altered[] = { "None", "Altered by Explicit STPG",
		"Altered by Implicit ALUA", NULL };
	const json_t *status = json_object_get(obj, "alua_access_status");
	const json_t *type = json_object_get(obj, "alua_access_type");
	json_int_t t = json_integer_value(type);
	bool has_members;
	struct strbuf b;

	strbuf_init(&b);
	has_members = savedump_value(a->t, g, "members", &b) && b.len;
	strbuf_done(&b);
	if (type && is_in_words(a, g, "alua_access_type", access, type))
		type = NULL;
	if (status && is_in_words(a, g, "alua_access_status", altered, status))
		status = NULL;
	if (type && t & 1)
		apply_set_json(a, g, "alua_access_type", type, "alua_access_type");
	if (json_integer_value(json_object_get(obj, "alua_access_state")) == ALUA_TRANSITIONING) {
		problem_add(a->p, PROBLEM_NOTE, a->path.s,
			"its state was being changed when it was saved: it keeps the one that it "
			"has");
	} else if (!has_members) {
		apply_set_json(a, g, "alua_access_state", json_object_get(obj, "alua_access_state"),
			"alua_access_state");
		apply_set_json(a, g, "alua_access_status", status, "alua_access_status");
	}
	if (type && !(t & 1))
		apply_set_json(a, g, "alua_access_type", type, "alua_access_type");
}

static void apply_alua_group(struct apply *a, struct node *disk, const char *key, const json_t *obj)
{
	static const char *const done[] = { "name", "tg_pt_gp_id", "alua_access_state",
		"alua_access_status", "alua_access_type" };
	struct node *alua = node_child(disk, "alua"), *g;
	struct strbuf extra;
	const char *name = str(obj, "name");
	bool is_default = !strcmp(name, "default_tg_pt_gp");
	json_t *rest;

	if (!alua && is_default && !json_integer_value(json_object_get(obj, "alua_access_state")))
		return; /* what is so without ALUA too */
	if (!alua) {
		struct errmsg err = { 0 };

		errmsg_set(&err, -ENOENT, "ALUA groups are not served by this version");
		apply_skip(a, NULL, &err);
		return;
	}
	g = apply_dir(a, alua, name, obj);
	if (!g)
		return;
	if (!is_default)
		apply_set_json(
			a, g, "tg_pt_gp_id", json_object_get(obj, "tg_pt_gp_id"), "tg_pt_gp_id");
	strbuf_init(&extra);
	strbuf_printf(&extra, "%s/alua/%s", key, name);
	apply_extras(a, g, extra.s);
	strbuf_done(&extra);
	apply_alua_state(a, g, obj);
	rest = json_copy((json_t *)obj);
	for (size_t i = 0; i < sizeof(done) / sizeof(done[0]); i++)
		json_object_del(rest, done[i]);
	apply_values(a, g, "", rest, "");
	json_decref(rest);
}

static void apply_disk(struct apply *a, const json_t *obj)
{
	struct strbuf key, path;
	struct node *disk;
	json_t *g;
	size_t i;

	strbuf_init(&key);
	strbuf_init(&path);
	strbuf_printf(&key, "/backstores/%s/%s", str(obj, "plugin"), str(obj, "name"));
	disk = tree_lookup(
		a->t, json_string_value(json_object_get(json_object_get(a->disks, key.s), "path"))
			      ?: "/nothing there");
	if (!disk)
		disk = new_disk(a, obj, key.s);
	else if (!apply_disk_fits(a, disk, obj))
		problem_add(a->p, PROBLEM_SKIPPED, a->path.s,
			"the running one has another disk or mode and is left as it is: remove it "
			"first");
	if (disk) {
		node_path(disk, &path);
		json_object_set_new(a->disks, key.s, json_pack("{s:s}", "path", path.s));
		apply_extras(a, disk, key.s);
		apply_values(a, disk, "attrib", json_object_get(obj, "attributes"), "attributes");
		json_array_foreach (json_object_get(obj, "alua_tpgs"), i, g) {
			size_t where = apply_enter(a, "/alua_tpgs/%zu", i);

			apply_alua_group(a, disk, key.s, g);
			apply_leave(a, where);
		}
	}
	strbuf_done(&key);
	strbuf_done(&path);
}

/* Storage objects that are there already. */
static void find_disks(struct apply *a)
{
	struct node *core = node_child(tree_root(a->t), "core"), *hba, *d;
	struct strbuf key, path;

	strbuf_init(&key);
	strbuf_init(&path);
	for (hba = core ? node_first_child(core) : NULL; hba; hba = node_next_child(core, hba)) {
		for (d = node_first_child(hba); d; d = node_next_child(hba, d)) {
			strbuf_reset(&key);
			strbuf_reset(&path);
			node_path(d, &path);
			if (!apply_is_gone(a, d) && savedump_disk_key(d, &key))
				json_object_set_new(
					a->disks, key.s, json_pack("{s:s}", "path", path.s));
		}
	}
	strbuf_done(&key);
	strbuf_done(&path);
}

/* LU groups, which LIO's file has no place for. */
static void apply_lu_groups(struct apply *a)
{
	struct node *dir = tree_lookup(a->t, "/core/alua/lu_gps"), *g;
	const char *name;
	json_t *id;

	if (!dir)
		return;
	json_object_foreach (json_object_get(a->extras, SAVEDUMP_LU_GROUPS), name, id) {
		g = apply_dir(a, dir, name, id);
		if (g)
			apply_set_json(a, g, "lu_gp_id", id, "lu_gp_id");
	}
}

void apply_disks(struct apply *a)
{
	json_t *obj;
	size_t i;

	find_disks(a);
	apply_lu_groups(a);
	json_array_foreach (json_object_get(a->config, "storage_objects"), i, obj) {
		size_t where = apply_enter(a, "/storage_objects/%zu", i);

		if (strcmp(str(obj, "plugin"), "pscsi") != 0)
			apply_disk(a, obj);
		apply_leave(a, where);
	}
}

int saveapply_disk(struct tree *t, struct node *hba, const json_t *obj, const json_t *extras,
	struct problems *p)
{
	struct apply a = { .t = t, .extras = extras, .p = p, .disks = json_object(), .hba = hba };

	if (!a.disks)
		return -ENOMEM;
	strbuf_init(&a.path);
	strbuf_printf(&a.path, "/backstores/%s/%s", str(obj, "plugin"), str(obj, "name"));
	strbuf_init(&a.value);
	strbuf_init(&a.number);
	apply_disk(&a, obj);
	savedump_forget(&a.value);
	strbuf_done(&a.number);
	strbuf_done(&a.path);
	json_decref(a.disks);
	return 0;
}
