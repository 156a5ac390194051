/* SPDX-License-Identifier: BSD-3-Clause */
/* disk.c: storage objects from one line. */
#include "daemon/disk.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/hash.h"
#include "base/num.h"
#include "base/rng.h"
#include "engine/storage.h"

/* ---- UUIDs ----------------------------------------------------------------------------------- */

static const char *uuid_text(char buf[DISK_UUID_CHARS], const uint8_t raw[16], unsigned version)
{
	uint8_t b[16];

	memcpy(b, raw, sizeof(b));
	b[6] = (uint8_t)((b[6] & 0x0f) | version << 4);
	b[8] = (uint8_t)((b[8] & 0x3f) | 0x80);
	snprintf(buf, DISK_UUID_CHARS,
		"%02x%02x%02x%02x-%02x%02x-%02x%02x-%02x%02x-%02x%02x%02x%02x%02x%02x", b[0], b[1],
		b[2], b[3], b[4], b[5], b[6], b[7], b[8], b[9], b[10], b[11], b[12], b[13], b[14],
		b[15]);
	return buf;
}

const char *disk_uuid_random(char buf[DISK_UUID_CHARS])
{
	uint64_t r[2] = { rng_u64(), rng_u64() };

	return uuid_text(buf, (const uint8_t *)r, 4);
}

const char *disk_uuid_of(char buf[DISK_UUID_CHARS], const char *text)
{
	struct hash h;
	uint64_t r[2];

	for (unsigned i = 0; i < 2; i++) {
		hash_init_key(&h, UINT64_C(0x756c696f), i);
		r[i] = hash_bytes(&h, text, strlen(text));
		hash_done(&h);
	}
	return uuid_text(buf, (const uint8_t *)r, 8);
}

/* ---- one line -> HBA and control words ------------------------------------------------------- */

struct plan {
	const char *hba;
	struct strbuf control, settings, udev_path;
	bool buffered, readonly, removable;
};

/* Value of "key=" at the word p of length n, NULL if it is another. */
static const char *value_of(const char *p, size_t n, const char *key)
{
	size_t k = strlen(key);

	return n > k && !strncmp(p, key, k) && p[k] == '=' ? p + k + 1 : NULL;
}

static int plan_size(const char *spec, const char *p, size_t n, uint64_t *ret, struct errmsg *err)
{
	char text[32];

	snprintf(text, sizeof(text), "%.*s", (int)n, p);
	if (n >= sizeof(text) || num_parse_size(text, ret) || !*ret)
		return errmsg_set(err, -EINVAL, "%s: size=%s: a size such as 512M or 10G is meant",
			spec, text);
	return 0;
}

/* Words of the settings that have places of their own in LIO; the rest goes to "settings". */
static int plan_words(struct plan *pl, const char *spec, const char *words, const char *first,
	uint64_t *ret_size, struct strbuf *path, struct errmsg *err)
{
	bool begin = true;
	int r = 0;

	for (const char *p = words; *p && !r; begin = false) {
		size_t n = strcspn(p, ",");
		const char *v;

		if ((v = value_of(p, n, "size")) ||
			(begin && !strcmp(first, "size") && !memchr(p, '=', n) && (v = p)))
			r = plan_size(spec, v, n - (size_t)(v - p), ret_size, err);
		else if ((v = value_of(p, n, "path")) ||
			 (begin && !strcmp(first, "path") && !memchr(p, '=', n) && (v = p)))
			strbuf_write(path, v, n - (size_t)(v - p));
		else if ((v = value_of(p, n, "sync")) && !strncmp(v, "yes", 3))
			pl->buffered = false;
		else if ((v = value_of(p, n, "readonly")) && !strncmp(v, "yes", 3))
			pl->readonly = true;
		else if ((v = value_of(p, n, "removable")))
			pl->removable = !strncmp(v, "yes", 3);
		else if (!value_of(p, n, "sync") && !value_of(p, n, "readonly") && n)
			strbuf_printf(
				&pl->settings, "%s%.*s", pl->settings.len ? "," : "", (int)n, p);
		p += n;
		p += *p == ',';
	}
	return r;
}

static int plan_file(struct plan *pl, const char *spec, const char *words, struct errmsg *err)
{
	uint64_t size = 0;
	struct strbuf path;
	struct stat st;
	bool block;
	int r;

	strbuf_init(&path);
	pl->buffered = true;
	r = plan_words(pl, spec, words, "path", &size, &path, err);
	if (!r && !path.len)
		r = errmsg_set(err, -EINVAL, "%s: which file? file:/path,size=10G is meant", spec);
	if (!r) {
		block = !stat(path.s, &st) && S_ISBLK(st.st_mode);
		pl->hba = block ? "iblock" : "fileio";
		strbuf_printf(&pl->control, "%s=%s", block ? "udev_path" : "fd_dev_name", path.s);
		if (size && !block)
			strbuf_printf(&pl->control, ",fd_dev_size=%" PRIu64, size);
		if (pl->buffered && !block)
			strbuf_puts(&pl->control, ",fd_buffered_io=1");
		if (pl->readonly && block)
			strbuf_puts(&pl->control, ",readonly=1");
		else if (pl->readonly)
			strbuf_printf(&pl->settings, "%sreadonly=yes", pl->settings.len ? "," : "");
		strbuf_puts(&pl->udev_path, path.s);
	}
	strbuf_done(&path);
	return r;
}

static int plan_ram(struct plan *pl, const char *spec, const char *words, struct errmsg *err)
{
	uint64_t size = 0;
	struct strbuf path;
	int r;

	strbuf_init(&path);
	r = plan_words(pl, spec, words, "size", &size, &path, err);
	strbuf_done(&path);
	if (!r && (!size || size % 4096))
		r = errmsg_set(err, -EINVAL,
			"%s: how large? ram:1G is meant, in multiples of 4096 bytes", spec);
	pl->hba = "rd_mcp";
	strbuf_printf(&pl->control, "rd_pages=%" PRIu64, size / 4096);
	return r;
}

/* "a:x|b:y" -> "a/x|b/y": in LIO the settings of a handler follow a slash. */
static void plan_user(struct plan *pl, const char *spec)
{
	bool kind = true;

	pl->hba = "user";
	strbuf_puts(&pl->control, "dev_config=");
	for (const char *p = spec; *p; p++) {
		strbuf_putc(&pl->control, kind && *p == ':' ? '/' : *p);
		kind = *p == '|' || (kind && *p != ':');
	}
	if (!strpbrk(spec, ":|"))
		strbuf_putc(&pl->control, '/');
}

static int plan_make(struct plan *pl, const char *spec, struct errmsg *err)
{
	size_t kind = strcspn(spec, ":");
	const char *words = spec[kind] ? spec + kind + 1 : spec + kind;

	if (!kind)
		return errmsg_set(
			err, -EINVAL, "\"%s\": file:/path,size=10G or ram:1G is meant", spec);
	if (strchr(spec, '|'))
		plan_user(pl, spec);
	else if (!strncmp(spec, "file:", 5))
		return plan_file(pl, spec, words, err);
	else if (!strncmp(spec, "ram:", 4))
		return plan_ram(pl, spec, words, err);
	else
		plan_user(pl, spec);
	return 0;
}

/* ---- making and removing --------------------------------------------------------------------- */

/* A directory <hba>_N with the first N that no HBA has yet. */
static struct node *new_hba(struct tree *t, const char *hba, struct errmsg *err)
{
	struct node *core = node_child(tree_root(t), "core"), *n = NULL;
	uint64_t free_index = 0;
	char name[64];

	for (struct node *h = node_first_child(core); h; h = node_next_child(core, h)) {
		const char *index = node_is_default(h) ? NULL : strrchr(node_name(h), '_');
		uint64_t i = index ? strtoull(index + 1, NULL, 0) : 0;

		if (index && i >= free_index)
			free_index = i + 1;
	}
	snprintf(name, sizeof(name), "%s_%" PRIu64, hba, free_index);
	return tree_mkdir(t, core, name, &n, err) ? NULL : n;
}

static int fill(struct tree *t, struct node *disk, const struct plan *pl, const char *serial,
	struct errmsg *err)
{
	char uuid[DISK_UUID_CHARS];
	int r = tree_set(t, disk, "control", pl->control.s, err);

	if (!r && pl->settings.len)
		r = tree_set(t, disk, "settings", pl->settings.s, err);
	if (!r && pl->udev_path.len)
		r = tree_set(t, disk, "udev_path", pl->udev_path.s, err);
	if (!r && pl->readonly)
		r = tree_set(t, disk, "read_only", "1", err);
	if (!r && pl->removable)
		r = tree_set(t, disk, "removable", "1", err);
	if (!r)
		r = tree_set(t, disk, "enable", "1", err);
	if (!r)
		r = tree_set(t, node_child(disk, "wwn"), "vpd_unit_serial",
			serial ? serial : disk_uuid_random(uuid), err);
	return r;
}

int disk_add(struct tree *t, const char *name, const char *spec, const char *serial,
	struct node **ret, struct errmsg *err)
{
	struct plan pl = { 0 };
	struct node *hba, *disk = NULL;
	int r;

	strbuf_init(&pl.control);
	strbuf_init(&pl.settings);
	strbuf_init(&pl.udev_path);
	r = plan_make(&pl, spec, err);
	if (!r) {
		hba = new_hba(t, pl.hba, err);
		r = hba ? tree_mkdir(t, hba, name, &disk, err) : err->code;
		if (!r)
			r = fill(t, disk, &pl, serial, err);
		if (r && disk)
			tree_rmdir(t, disk, NULL);
		if (r && hba)
			tree_rmdir(t, hba, NULL);
	}
	strbuf_done(&pl.control);
	strbuf_done(&pl.settings);
	strbuf_done(&pl.udev_path);
	if (!r && ret)
		*ret = disk;
	return r;
}

/* Is the storage object named so: "d0", or "fileio/d0", "fileio_3/d0"? */
static bool is_named(struct node *hba, struct node *disk, const char *name)
{
	const char *slash = strchr(name, '/');
	size_t n = slash ? (size_t)(slash - name) : 0;
	const char *h = node_name(hba);

	if (!slash)
		return !strcmp(node_name(disk), name);
	return !strcmp(node_name(disk), slash + 1) && !strncmp(h, name, n) &&
	       (!h[n] || (h[n] == '_' && !strchr(h + n + 1, '_')));
}

struct node *disk_find(struct tree *t, const char *name, struct errmsg *err)
{
	struct node *core = node_child(tree_root(t), "core"), *found = NULL;

	for (struct node *h = node_first_child(core); h; h = node_next_child(core, h)) {
		for (struct node *d = node_first_child(h); d; d = node_next_child(h, d)) {
			if (node_is_default(h) || !is_named(h, d, name))
				continue;
			if (found) {
				errmsg_set(err, -EINVAL,
					"%s: several disks have this name: %s/%s or %s/%s?", name,
					node_name(node_parent(found)), node_name(found),
					node_name(h), node_name(d));
				return NULL;
			}
			found = d;
		}
	}
	if (!found)
		errmsg_set(err, -ENOENT, "%s: there is no such disk; \"ulio disk list\" shows them",
			name);
	return found;
}

int disk_remove(struct tree *t, struct node *disk, struct errmsg *err)
{
	struct node *hba = node_parent(disk);
	int r = tree_clear(t, disk, err);

	if (!r)
		r = tree_rmdir(t, disk, err);
	if (!r && !node_first_child(hba))
		r = tree_rmdir(t, hba, err);
	return r;
}
