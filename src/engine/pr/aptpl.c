/* SPDX-License-Identifier: BSD-3-Clause */
/* aptpl.c: files of persistent reservations. */
#include "engine/pr/aptpl.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/crc32c.h"
#include "base/log.h"
#include "engine/engine.h"
#include "engine/pr/aptpl_text.h"
#include "engine/pr/state.h"
#include "loop/loop.h"

enum { HEADER_BYTES = 256, HEADER_FORMAT = 1 };

/* The files of one serial number. */
struct store {
	struct loops *loops;
	const char *serial;
	char dir[ENGINE_DBROOT_BYTES + 8]; /* <dbroot>/pr */
	char file[ENGINE_PATH_BYTES - 64]; /* LIO's */
};

/* A generation. */
struct slot {
	uint64_t generation; /* 0: there is none, or it is damaged */
	uint64_t file_bytes; /* of LIO's file that it stands for */
	uint32_t file_crc;
	uint64_t body_bytes; /* of what follows the header */
	uint32_t body_crc;
};

struct text {
	char *s; /* NULL: none */
	size_t n;
};

/* ---- names ----------------------------------------------------------------------------------- */

bool aptpl_can_keep(const struct engine *eng, const char *unit_serial, struct errmsg *why)
{
	size_t n = strlen(unit_serial);

	if (!engine_dbroot(eng))
		errmsg_set(why, -EOPNOTSUPP,
			"there is no directory to keep reservations in: start the daemon with "
			"--dbroot DIRECTORY");
	else if (!n)
		errmsg_set(why, -EOPNOTSUPP,
			"it has no unit serial number: set wwn/vpd_unit_serial before it is shown");
	else if (n > APTPL_SERIAL_BYTES || strchr(unit_serial, '/'))
		errmsg_set(why, -EOPNOTSUPP,
			"its unit serial number cannot name a file: at most %u characters without "
			"'/' can",
			APTPL_SERIAL_BYTES);
	else
		return true;
	return false;
}

static void store_init(struct store *st, struct engine *eng, const char *serial)
{
	st->loops = engine_loops(eng);
	st->serial = serial;
	snprintf(st->dir, sizeof(st->dir), "%s/pr", engine_dbroot(eng));
	snprintf(st->file, sizeof(st->file), "%s/aptpl_%s", st->dir, serial);
}

static const char *slot_path(const struct store *st, unsigned i, char path[ENGINE_PATH_BYTES])
{
	snprintf(path, ENGINE_PATH_BYTES, "%s/ulio/aptpl_%s.%u", st->dir, st->serial, i);
	return path;
}

/* ---- generations ----------------------------------------------------------------------------- */

/* "<fields> <checksum of the fields>\n". Its length, 0: that is no header. */
static size_t parse_header(const char *text, struct slot *ret)
{
	const char *end = strchr(text, '\n');
	unsigned format = 0;
	uint32_t crc;
	int at = 0;

	if (!end || sscanf(text,
			    "ulio-aptpl %u generation=%" SCNu64 " file=%" SCNu64 ",%" SCNx32
			    " body=%" SCNu64 ",%" SCNx32 "%n header=%" SCNx32,
			    &format, &ret->generation, &ret->file_bytes, &ret->file_crc,
			    &ret->body_bytes, &ret->body_crc, &at, &crc) != 7)
		return 0;
	if (format != HEADER_FORMAT || !ret->generation || ret->generation == UINT64_MAX ||
		crc != crc32c(text, (size_t)at))
		return 0;
	return (size_t)(end - text) + 1;
}

static void format_header(const struct slot *s, struct strbuf *out)
{
	strbuf_printf(out,
		"ulio-aptpl %u generation=%" PRIu64 " file=%" PRIu64 ",%08" PRIx32 " body=%" PRIu64
		",%08" PRIx32,
		HEADER_FORMAT, s->generation, s->file_bytes, s->file_crc, s->body_bytes,
		s->body_crc);
	strbuf_printf(out, " header=%08" PRIx32 "\n", crc32c(out->s, out->len));
}

/* Up to HEADER_BYTES from the beginning. */
static int64_t read_start(struct loops *loops, int fd, char *buf)
{
	int64_t n = 0, r;

	do {
		r = loops_pread(loops, fd, buf + n, HEADER_BYTES - (size_t)n, (uint64_t)n);
		if (r < 0)
			return r;
		n += r;
	} while (r && n < HEADER_BYTES);
	return n;
}

/*
 * The headers of all generations; *ret_newest is the number of the newest, 0 if there is none.
 * -errno: one is there and cannot be read.
 */
static int scan(const struct store *st, struct slot slots[APTPL_GENERATIONS], uint64_t *ret_newest)
{
	char path[ENGINE_PATH_BYTES], text[HEADER_BYTES + 1];
	int r = 0;

	*ret_newest = 0;
	for (unsigned i = 0; i < APTPL_GENERATIONS; i++) {
		int fd = loops_open(st->loops, slot_path(st, i, path), O_RDONLY | O_CLOEXEC, 0);
		int64_t n = 0;

		slots[i] = (struct slot){ 0 };
		if (fd < 0 && fd != -ENOENT)
			r = fd;
		if (fd < 0)
			continue;
		n = read_start(st->loops, fd, text);
		if (n < 0)
			r = (int)n;
		loops_close(st->loops, fd);
		text[n > 0 ? n : 0] = '\0';
		if (!parse_header(text, &slots[i]))
			slots[i].generation = 0;
		if (slots[i].generation > *ret_newest)
			*ret_newest = slots[i].generation;
	}
	return r;
}

/* Read a generation. 0; -EBADMSG: it is damaged; else it cannot be read. */
static int read_slot(const struct store *st, unsigned i, struct pr_state **ret)
{
	char path[ENGINE_PATH_BYTES];
	unsigned foreign;
	struct slot slot;
	char *text = NULL;
	size_t n = 0, head = 0;
	int r = loops_read_file(st->loops, slot_path(st, i, path), APTPL_FILE_BYTES, &text, &n);

	if (r)
		return r == -EFBIG ? -EBADMSG : r;
	head = parse_header(text, &slot);
	if (!head || n - head != slot.body_bytes || crc32c(text + head, n - head) != slot.body_crc)
		r = -EBADMSG;
	else
		r = aptpl_parse(text + head, n - head, ret, &foreign, NULL);
	free(text);
	return r == -ENOMEM || !r ? r : -EBADMSG;
}

/*
 * Write the next generation, for a file of LIO with this content. *ret_path is what was written.
 */
static int write_slot(const struct store *st, const struct pr_state *s, const char *file_text,
	size_t file_bytes, char path[ENGINE_PATH_BYTES])
{
	struct slot slots[APTPL_GENERATIONS], slot;
	struct strbuf body, text;
	uint64_t newest;
	int r;

	r = scan(st, slots, &newest);
	if (r)
		return r;
	strbuf_init(&body);
	strbuf_init(&text);
	r = aptpl_format(s, true, &body);
	if (!r) {
		slot = (struct slot){ newest + 1, file_bytes, crc32c(file_text, file_bytes),
			body.len, crc32c(body.s, body.len) };
		format_header(&slot, &text);
		strbuf_write(&text, body.s, body.len);
		r = text.failed ? -ENOMEM : 0;
	}
	slot_path(st, (unsigned)((newest + 1) % APTPL_GENERATIONS), path);
	if (!r)
		r = loops_write_file(st->loops, path, text.s, text.len, 0600);
	strbuf_done(&body);
	strbuf_done(&text);
	return r;
}

/* ---- keeping --------------------------------------------------------------------------------- */

/*
 * A commit has failed half-way: what was there before is to be there again, as far as the storage
 * lets us. (If not, the command has failed and may have happened, which is so of any write.)
 */
static void take_back(const struct store *st, const struct text *before, const char *slot)
{
	struct text now = { 0 };
	int r = loops_read_file(st->loops, st->file, APTPL_FILE_BYTES, &now.s, &now.n);

	if (r)
		now.s = NULL;
	if (r == -ENOENT)
		r = 0;
	if (!r && !before->s && now.s)
		r = loops_unlink(st->loops, st->file);
	else if (!r && before->s &&
		 (!now.s || now.n != before->n || memcmp(now.s, before->s, now.n) != 0))
		r = loops_write_file(st->loops, st->file, before->s, before->n, 0600);
	/* Else it is what the file may say. */
	if (!r && *slot)
		(void)loops_unlink(st->loops, slot);
	free(now.s);
}

static int commit(const struct store *st, const struct pr_state *s)
{
	char slot[ENGINE_PATH_BYTES] = "";
	struct text before = { 0 };
	struct strbuf text;
	int r;

	/* What cannot be read now could not be taken back. */
	r = loops_read_file(st->loops, st->file, APTPL_FILE_BYTES, &before.s, &before.n);
	if (r && r != -ENOENT)
		return r;
	strbuf_init(&text);
	r = aptpl_format(s, false, &text);
	if (!r)
		r = write_slot(st, s, text.s, text.len, slot);
	if (!r)
		r = loops_write_file(st->loops, st->file, text.s, text.len, 0600);
	if (r)
		take_back(st, &before, slot);
	free(before.s);
	strbuf_done(&text);
	return r;
}

int aptpl_commit(struct engine *eng, const char *unit_serial, const struct pr_state *s)
{
	struct pr_state *none = NULL;
	struct store st;
	struct errmsg why;
	int r = 0;

	errmsg_init(&why);
	if (!aptpl_can_keep(eng, unit_serial, &why))
		return why.code;
	store_init(&st, eng, unit_serial);
	if (!s->aptpl) {
		none = pr_state_new();
		r = none ? 0 : -ENOMEM;
	}
	if (!r)
		r = commit(&st, none ? none : s);
	pr_state_free(none);
	if (r)
		log_limited(engine_kept_limit(eng), LOG_LEVEL_ERROR, "pr", unit_serial,
			"its persistent reservations cannot be written to %s: %s; the command that "
			"changed them fails",
			st.file, err_text(r));
	return r;
}

/* ---- coming back ----------------------------------------------------------------------------- */

struct load {
	struct store st;
	struct text file;
	struct slot slots[APTPL_GENERATIONS];
	int slot_error; /* a generation is there and cannot be read */
	struct errmsg why; /* what is wrong with the file */
	unsigned foreign;
};

/* The newest generation that is good and below a number; *ret_below: its number. False: none is. */
static bool newest_good(struct load *l, uint64_t *ret_below, struct pr_state **ret)
{
	for (;;) {
		int best = -1, r;

		for (int i = 0; i < (int)APTPL_GENERATIONS; i++) {
			uint64_t n = l->slots[i].generation;

			if (n && n < *ret_below && (best < 0 || n > l->slots[best].generation))
				best = i;
		}
		if (best < 0)
			return false;
		*ret_below = l->slots[best].generation;
		r = read_slot(&l->st, (unsigned)best, ret);
		if (!r)
			return true;
		if (r != -EBADMSG)
			l->slot_error = r;
	}
}

/* The generation that wrote a file of this content, the newest one. False: none did. */
static bool of_file(struct load *l, struct pr_state **ret)
{
	uint32_t crc = crc32c(l->file.s, l->file.n);
	uint64_t below = UINT64_MAX;

	while (newest_good(l, &below, ret)) {
		for (unsigned i = 0; i < APTPL_GENERATIONS; i++) {
			if (l->slots[i].generation == below && l->slots[i].file_crc == crc &&
				l->slots[i].file_bytes == l->file.n)
				return true;
		}
		pr_state_free(*ret);
	}
	return false;
}

/*
 * LIO does not replace its file, it writes it anew: what has the beginning of the newest generation
 * and no NUL at its end was not written to the end.
 */
static bool is_cut(struct load *l)
{
	uint64_t below = UINT64_MAX;
	struct pr_state *s;
	struct strbuf text;
	bool cut;

	if (!l->file.n || !l->file.s[l->file.n - 1] || !newest_good(l, &below, &s))
		return false;
	strbuf_init(&text);
	cut = !aptpl_format(s, false, &text) && l->file.n < text.len &&
	      !memcmp(text.s, l->file.s, l->file.n);
	strbuf_done(&text);
	pr_state_free(s);
	return cut;
}

/* Keep the damaged file under another name, once. False: that failed. */
static bool keep_aside(struct load *l, char path[ENGINE_PATH_BYTES])
{
	for (unsigned i = 1; i <= APTPL_DAMAGED; i++) {
		struct text old = { 0 };
		bool same;
		int r;

		snprintf(path, ENGINE_PATH_BYTES, "%s.damaged-%u", l->st.file, i);
		r = loops_read_file(l->st.loops, path, APTPL_FILE_BYTES, &old.s, &old.n);
		same = !r && old.n == l->file.n && !memcmp(old.s, l->file.s, old.n);
		if (!r)
			free(old.s);
		if (same)
			return true;
		if (r == -ENOENT || i == APTPL_DAMAGED)
			break;
	}
	return !loops_write_file(l->st.loops, path, l->file.s, l->file.n, 0600);
}

/* A state that is not what LIO's file says is in force: bring the file in line. */
static void put_back(struct load *l, const struct pr_state *s)
{
	int r = commit(&l->st, s);

	if (r)
		log_obj(LOG_LEVEL_ERROR, "pr", l->st.serial, "%s cannot be written: %s", l->st.file,
			err_text(r));
}

/* The file is whole. */
static int load_file(struct load *l, struct pr_state *s, struct pr_state **ret)
{
	char path[ENGINE_PATH_BYTES];
	int r;

	if (of_file(l, ret)) {
		pr_state_free(s);
		return 0;
	}
	log_obj(LOG_LEVEL_INFO, "pr", l->st.serial,
		"%s was written by another program: it is valid, its %" PRIu32
		" registrations are taken",
		l->st.file, s->n);
	if (l->foreign)
		log_obj(LOG_LEVEL_WARN, "pr", l->st.serial,
			"%u registrations in %s are of other fabrics than iSCSI: these are dropped",
			l->foreign, l->st.file);
	/* From now on this is what there is to fall back to. */
	r = write_slot(&l->st, s, l->file.s, l->file.n, path);
	if (r)
		log_obj(LOG_LEVEL_WARN, "pr", l->st.serial, "%s cannot be written: %s", path,
			err_text(r));
	*ret = s;
	return 0;
}

static int unreadable(struct load *l, int error, const char *what)
{
	return errmsg_set(&l->why, error,
		"its persistent reservations cannot be read from %s%s%s (%s): mend that, or move "
		"the file away if they are to be forgotten",
		what, *what ? " of " : "", l->st.file, err_text(error));
}

/* It is gone, although there were registrations. */
static int load_missing(struct load *l, struct pr_state **ret)
{
	uint64_t below = UINT64_MAX;
	struct pr_state *s;

	if (!newest_good(l, &below, &s))
		return l->slot_error ? unreadable(l, l->slot_error, "its generations") : 0;
	if (!s->n) {
		*ret = s;
		return 0;
	}
	log_obj(LOG_LEVEL_ERROR, "pr", l->st.serial,
		"%s is gone: its %" PRIu32 " registrations are restored from generation %" PRIu64
		"; \"ulio reservation clear\" removes registrations that are not wanted",
		l->st.file, s->n, below);
	put_back(l, s);
	*ret = s;
	return 0;
}

/* It is damaged: the newest generation, or the state in which it is known that there was one. */
static int load_damaged(struct load *l, struct pr_state **ret)
{
	char path[ENGINE_PATH_BYTES];
	uint64_t below = UINT64_MAX;
	struct pr_state *s;
	bool kept = keep_aside(l, path);

	log_obj(LOG_LEVEL_ERROR, "pr", l->st.serial, "%s is damaged (%s)%s%s", l->st.file,
		l->why.text, kept ? ", kept as " : ", and cannot be kept aside", kept ? path : "");
	if (newest_good(l, &below, &s)) {
		log_obj(LOG_LEVEL_ERROR, "pr", l->st.serial,
			"its reservations are those of generation %" PRIu64 ": %" PRIu32
			" registrations",
			below, s->n);
		if (kept)
			put_back(l, s);
		*ret = s;
		return 0;
	}
	if (l->slot_error)
		return unreadable(l, l->slot_error, "its generations");
	s = pr_state_new();
	if (!s)
		return errmsg_set(&l->why, -ENOMEM, "out of memory");
	s->lost = true;
	log_obj(LOG_LEVEL_ERROR, "pr", l->st.serial,
		"its persistent reservations are lost: initiators are kept off its data until "
		"\"ulio reservation clear\" says that this is over, or an initiator does by "
		"REPLACE LOST RESERVATION");
	*ret = s;
	return 0;
}

static int judge(struct load *l, struct pr_state **ret)
{
	struct pr_state *s = NULL;
	int r = aptpl_parse(l->file.s, l->file.n, &s, &l->foreign, &l->why);

	if (r == -ENOMEM)
		return r;
	if (r)
		return load_damaged(l, ret);
	if (!is_cut(l))
		return load_file(l, s, ret);
	pr_state_free(s);
	errmsg_set(&l->why, -EINVAL, "its end is missing");
	return load_damaged(l, ret);
}

int aptpl_load(
	struct engine *eng, const char *unit_serial, struct pr_state **ret, struct errmsg *err)
{
	struct load *l;
	uint64_t newest;
	int r;

	*ret = NULL;
	if (!aptpl_can_keep(eng, unit_serial, NULL))
		return 0;
	l = calloc(1, sizeof(*l));
	if (!l)
		return errmsg_set(err, -ENOMEM, "out of memory");
	store_init(&l->st, eng, unit_serial);
	r = loops_read_file(l->st.loops, l->st.file, APTPL_FILE_BYTES, &l->file.s, &l->file.n);
	l->slot_error = scan(&l->st, l->slots, &newest);
	if (r == -ENOENT)
		r = load_missing(l, ret);
	else if (r)
		r = unreadable(l, r, "");
	else
		r = judge(l, ret);
	if (r && err)
		*err = l->why;
	free(l->file.s);
	free(l);
	return r;
}
