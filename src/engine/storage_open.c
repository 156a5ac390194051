/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * storage_open.c: from LIO's "control" words to an open backstore, and back to LIO's "info" words.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/num.h"
#include "block/backstore.h"
#include "engine/engine.h"
#include "engine/limits.h"
#include "engine/storage_priv.h"

enum {
	RD_PAGE_BYTES = 4096,
	WORD_TEXT_MAX = 511,
};

/* ---- control words --------------------------------------------------------------------------- */

enum word_type {
	W_TEXT,
	W_SIZE,
	W_PAGES,
	W_ONE, /* 1 and nothing else */
	W_BOOL,
	W_COUNT, /* from 1 */
	W_BLOCK, /* 512 to 4096, a power of two */
	W_REPLY, /* nl_reply_supported */
	W_IGNORED,
	W_REFUSED,
};

static const struct word {
	const char *hba, *key;
	enum word_type type;
	size_t offset;
} words[] = {
	{ "fileio", "fd_dev_name", W_TEXT, offsetof(struct storage, dev) },
	{ "fileio", "fd_dev_size", W_SIZE, offsetof(struct storage, size_bytes) },
	{ "fileio", "fd_buffered_io", W_ONE, offsetof(struct storage, buffered) },
	{ "fileio", "fd_async_io", W_ONE, offsetof(struct storage, async) },
	{ "iblock", "udev_path", W_TEXT, offsetof(struct storage, dev) },
	{ "iblock", "readonly", W_BOOL, offsetof(struct storage, readonly) },
	{ "iblock", "force", W_IGNORED, 0 },
	{ "iblock", "exclusive", W_BOOL, offsetof(struct storage, exclusive) },
	{ "rd_mcp", "rd_pages", W_PAGES, offsetof(struct storage, size_bytes) },
	{ "rd_mcp", "rd_nullio", W_ONE, offsetof(struct storage, nullio) },
	{ "rd_mcp", "rd_dummy", W_REFUSED, 0 },
	{ "user", "dev_config", W_TEXT, offsetof(struct storage, dev) },
	{ "user", "dev_size", W_SIZE, offsetof(struct storage, size_bytes) },
	{ "user", "hw_block_size", W_BLOCK, offsetof(struct storage, user.hw_block_size) },
	{ "user", "hw_max_sectors", W_COUNT, offsetof(struct storage, user.hw_max_sectors) },
	/* Of LIO's rings to user space, which are not needed here: they are shown again. */
	{ "user", "nl_reply_supported", W_REPLY, 0 },
	{ "user", "max_data_area_mb", W_COUNT, offsetof(struct storage, user.max_data_area_mb) },
	{ "user", "data_pages_per_blk", W_COUNT,
		offsetof(struct storage, user.data_pages_per_blk) },
	{ "user", "cmd_ring_size_mb", W_COUNT, offsetof(struct storage, user.cmd_ring_size_mb) },
};

static const struct word *find_word(const char *hba, const char *text)
{
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		size_t n = strlen(words[i].key);

		if (!strcmp(words[i].hba, hba) && !strncmp(text, words[i].key, n) && text[n] == '=')
			return &words[i];
	}
	return NULL;
}

static int set_word_text(char **at, const char *key, const char *value, struct errmsg *err)
{
	char *copy = strdup(value);

	if (!copy)
		return errmsg_set(err, -ENOMEM, "%s: out of memory", key);
	free(*at);
	*at = copy;
	return 0;
}

static bool is_possible(enum word_type type, uint64_t n)
{
	if (type == W_ONE)
		return n == 1;
	if (type == W_COUNT)
		return n >= 1 && n <= INT32_MAX;
	if (type == W_BLOCK)
		return n >= 512 && n <= 4096 && !(n & (n - 1));
	return true;
}

static int set_word(struct storage *s, const struct word *w, const char *value, struct errmsg *err)
{
	char *at = (char *)s + w->offset;
	uint64_t n;

	if (w->type == W_IGNORED)
		return 0;
	if (w->type == W_REFUSED)
		return errmsg_set(err, -EINVAL, "control: %s is not possible here", w->key);
	if (w->type == W_REPLY)
		return storage_set_user_reply(
			&(const struct attr){ .name = w->key }, s, value, err);
	if (w->type == W_TEXT && (!*value || strlen(value) > WORD_TEXT_MAX))
		return errmsg_set(err, -EINVAL, "control: %s: 1 to %d bytes are possible", w->key,
			WORD_TEXT_MAX);
	if (w->type == W_TEXT)
		return set_word_text((char **)at, w->key, value, err);
	if (num_parse_any(value, 0, UINT64_MAX / RD_PAGE_BYTES, &n) || !is_possible(w->type, n))
		return errmsg_set(err, -EINVAL, "control: %s=%.64s: %s", w->key, value,
			w->type == W_ONE ? "must be 1" : "is no number that is possible");
	if (w->type == W_SIZE)
		*(uint64_t *)at = n;
	else if (w->type == W_PAGES)
		*(uint64_t *)at = n * RD_PAGE_BYTES;
	else if (w->type == W_COUNT || w->type == W_BLOCK)
		*(uint32_t *)at = (uint32_t)n;
	else
		*(bool *)at = n;
	return 0;
}

/*
 * Words are separated by commas and line ends, and unknown ones ignored, as LIO does; but what
 * follows "dev_config=" and is no word of its own belongs to it, since settings have commas.
 */
int storage_control_set(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct storage *s = obj;
	const char *hba = s->hba->kind->hba;
	char *text = strdup(value), *at = text;
	int r = 0;

	if (!text)
		return errmsg_set(err, -ENOMEM, "control: out of memory");
	if (s->enabled) {
		free(text);
		return errmsg_set(err, s->hba->kind->opened_error,
			"control: is decided before the disk is opened: remove %s and make it anew",
			s->lu->name);
	}
	while (!r && *at) {
		const struct word *w = find_word(hba, at);
		char *end = at + strcspn(at, ",\n");

		while (w && !strcmp(w->key, "dev_config") && *end == ',' &&
			!find_word(hba, end + 1))
			end += 1 + strcspn(end + 1, ",\n");
		value = w ? at + strlen(w->key) + 1 : NULL;
		at = *end ? end + 1 : end;
		*end = '\0';
		if (w)
			r = set_word(s, w, value, err);
	}
	free(text);
	return r;
}

/* ---- settings of backstores ------------------------------------------------------------------ */

static int need_dev(const struct storage *s, const char *key, struct errmsg *err)
{
	if (s->dev)
		return 0;
	return errmsg_set(err, -EINVAL,
		"enable: %s has no disk: write %s=… to its \"control\" first", s->lu->name, key);
}

/* Commas and '|' separate settings and filters: a path cannot have them. */
static int add_path(const struct storage *s, struct strbuf *spec, struct errmsg *err)
{
	if (strpbrk(s->dev, ",|"))
		return errmsg_set(
			err, -EINVAL, "enable: a path with ',' or '|' is not possible: %s", s->dev);
	strbuf_printf(spec, "path=%s", s->dev);
	return 0;
}

/* LIO's fileio writes through unless it is told to buffer. */
static int fileio_settings(struct storage *s, struct strbuf *spec, struct errmsg *err)
{
	struct stat st;
	int r = need_dev(s, "fd_dev_name", err);

	if (!r)
		r = add_path(s, spec, err);
	if (r)
		return r;
	if (s->size_bytes && (stat(s->dev, &st) || !S_ISBLK(st.st_mode)))
		strbuf_printf(spec, ",size=%" PRIu64, s->size_bytes);
	strbuf_puts(spec, s->buffered || s->write_back ? ",sync=no" : ",sync=yes");
	return 0;
}

static int iblock_settings(struct storage *s, struct strbuf *spec, struct errmsg *err)
{
	struct stat st;
	int r = need_dev(s, "udev_path", err);

	if (!r)
		r = add_path(s, spec, err);
	if (r)
		return r;
	if (!stat(s->dev, &st) && !S_ISBLK(st.st_mode))
		return errmsg_set(
			err, -ENOTBLK, "enable: %s is no block device: use fileio", s->dev);
	strbuf_printf(spec, ",create=no,readonly=%s,exclusive=%s", s->readonly ? "yes" : "no",
		s->exclusive ? "yes" : "no");
	return 0;
}

static int ram_settings(struct storage *s, struct strbuf *spec, struct errmsg *err)
{
	if (!s->size_bytes)
		return errmsg_set(err, -EINVAL,
			"enable: %s has no size: write rd_pages=N (of 4096 bytes) to its "
			"\"control\" "
			"first",
			s->lu->name);
	strbuf_printf(spec, "size=%" PRIu64, s->size_bytes);
	return 0;
}

/* Append "key=size" unless the settings of the kind at the end of the chain say it already. */
static void add_user_size(struct storage *s, struct strbuf *spec, const char *kind, const char *own)
{
	const struct ulio_backstore_ops *ops =
		s->hba->core->reg ? backstore_kind(s->hba->core->reg, kind) : NULL;

	for (const struct ulio_param_doc *d = ops ? ops->params : NULL; d && d->key; d++) {
		if (!strcmp(d->key, "size") && !strstr(own, "size="))
			strbuf_printf(spec, "%ssize=%" PRIu64, *own ? "," : "", s->size_bytes);
	}
}

/* "kind/settings", "filter/settings|kind/settings" -> "filter:settings|kind:settings". */
static int user_settings(struct storage *s, struct strbuf *spec, struct errmsg *err)
{
	const char *at, *own = "";
	char kind[64] = "";
	int r = need_dev(s, "dev_config", err);

	if (r)
		return r;
	for (at = s->dev;;) {
		size_t part = strcspn(at, "|"), n = strcspn(at, "/|");

		snprintf(kind, sizeof(kind), "%.*s", (int)n, at);
		if (s->hba->core->reg && !backstore_kind(s->hba->core->reg, kind))
			return errmsg_set(err, -ENODEV,
				"enable: dev_config=%.64s: there is no kind of backstore \"%s\": "
				"ulio disk kinds lists them",
				s->dev, kind);
		own = n < part ? at + n + 1 : at + part;
		strbuf_printf(spec, "%s:%.*s", kind, (int)(at + part - own), own);
		at += part;
		if (!*at)
			break;
		strbuf_putc(spec, '|');
		at++;
	}
	if (s->size_bytes)
		add_user_size(s, spec, kind, own);
	return 0;
}

/*
 * A daemon that was killed keeps its files locked until the kernel has ended what was under way on
 * them, which may be after the next one has started: just then a disk in use is waited for.
 */
static int open_disk(
	struct storage *s, const char *spec, struct backstore **ret, struct errmsg *err)
{
	const struct storage_core *core = s->hba->core;
	struct loop_event never;
	int r;

	loop_event_init(&never, engine_loops(core->eng));
	for (;;) {
		r = backstore_open_spec(core->reg, s->lu->name, spec, ret, err);
		if (r != -EBUSY || clock_now_ns() - core->created_ns > STORAGE_BUSY_WAIT_NS)
			return r;
		(void)loop_event_wait_aside(&never, 10 * NS_PER_MS);
	}
}

int storage_open(struct storage *s, struct errmsg *err)
{
	const struct storage_kind *k = s->hba->kind;
	struct backstore *bs = NULL;
	struct strbuf spec;
	int r;

	strbuf_init(&spec);
	if (s->nullio)
		strbuf_puts(&spec, "null:");
	else if (k->backstore)
		strbuf_printf(&spec, "%s:", k->backstore);
	r = k->settings(s, &spec, err);
	if (!r && s->settings && *s->settings)
		strbuf_printf(&spec, ",%s", s->settings);
	if (!r && spec.failed)
		r = errmsg_set(err, -ENOMEM, "enable: out of memory");
	if (!r && !s->hba->core->reg)
		r = errmsg_set(err, -ENOTSUP, "enable: disks are not opened here");
	if (!r)
		r = open_disk(s, spec.s, &bs, err);
	strbuf_done(&spec);
	if (r)
		return r;
	s->lu->attribs.read_only |= s->readonly;
	r = storage_attach(s, bs, err);
	if (r) {
		backstore_close(bs, UINT64_C(1000000000));
		return r;
	}
	s->enabled = true;
	notice_tell(engine_notices(s->lu->eng),
		&(struct notice){ .kind = NOTICE_LUN,
			.object = s->lu->name,
			.state = "ready",
			.text = s->pending ? "its disk has come" : "its disk is open" });
	s->pending = false;
	return 0;
}

/* ---- info ------------------------------------------------------------------------------------ */

uint64_t storage_size_bytes(const struct storage *s, const struct lu_conf *conf)
{
	return s->enabled ? conf->nblocks << conf->block_shift : s->size_bytes;
}

static void fileio_info(struct storage *s, const struct lu_conf *conf, struct strbuf *out)
{
	strbuf_printf(out,
		"TCM FILEIO ID: 0        File: %s  Size: %" PRIu64 "  Mode: %s Async: %d",
		s->dev ? s->dev : "", storage_size_bytes(s, conf),
		s->buffered || s->write_back ? "Buffered-WCE" : "O_DSYNC", s->async);
}

/* The name in /sys/class/block: rtslib takes the size from there. */
static void iblock_info(struct storage *s, const struct lu_conf *conf, struct strbuf *out)
{
	unsigned major = 0, minor = 0;
	char link[64], target[256];
	struct stat st;
	ssize_t n;

	if (s->dev && !stat(s->dev, &st) && S_ISBLK(st.st_mode)) {
		major = major(st.st_rdev);
		minor = minor(st.st_rdev);
		snprintf(link, sizeof(link), "/sys/dev/block/%u:%u", major, minor);
		n = readlink(link, target, sizeof(target) - 1);
		target[n > 0 ? n : 0] = '\0';
		if (s->enabled && strrchr(target, '/'))
			strbuf_printf(out, "iBlock device: %s  ", strrchr(target, '/') + 1);
	}
	strbuf_printf(out,
		"UDEV PATH: %s  readonly: %d  exclusive: %d\n        Major: %u Minor: %u%s",
		s->dev ? s->dev : "", s->readonly, s->exclusive, major, minor,
		s->enabled ? "  CLAIMED: IBLOCK" : "");
}

/* LIO keeps the pages in tables of so many. */
enum { RD_TABLE_PAGES = 2048 };

static void ram_info(struct storage *s, const struct lu_conf *conf, struct strbuf *out)
{
	uint64_t pages = storage_size_bytes(s, conf) / RD_PAGE_BYTES;

	strbuf_printf(out,
		"TCM RamDisk ID: 0  RamDisk Makeup: rd_mcp\n        PAGES/PAGE_SIZE: %" PRIu64
		"*%d  SG_table_count: %" PRIu64 "  nullio: %d dummy: 0",
		pages, RD_PAGE_BYTES, s->enabled && !s->nullio ? pages / RD_TABLE_PAGES + 1 : 0,
		s->nullio);
}

static void user_info(struct storage *s, const struct lu_conf *conf, struct strbuf *out)
{
	strbuf_printf(out,
		"Config: %s Size: %" PRIu64
		" MaxDataAreaMB: %u DataPagesPerBlk: %u CmdRingSizeMB: %u",
		s->dev ? s->dev : "NULL", storage_size_bytes(s, conf), s->user.max_data_area_mb,
		s->user.data_pages_per_blk, s->user.cmd_ring_size_mb);
}

static const struct storage_kind kinds[] = {
	{ "fileio", "file", 8388608, -EINVAL, fileio_settings, fileio_info },
	{ "iblock", "file", 0, -EEXIST, iblock_settings, iblock_info },
	{ "rd_mcp", "ram", 0, -EINVAL, ram_settings, ram_info },
	{ "user", NULL, 8388608, -EINVAL, user_settings, user_info },
};

const struct storage_kind *storage_kind_find(const char *hba, size_t len)
{
	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		if (strlen(kinds[i].hba) == len && !strncmp(kinds[i].hba, hba, len))
			return &kinds[i];
	}
	return NULL;
}
