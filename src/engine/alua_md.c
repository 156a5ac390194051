/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * alua_md.c: files that keep access states, where LIO has them and in its format:
 *
 *	<dbroot>/alua/tpgs_<unit serial>/<group>
 *	<dbroot>/alua/<fabric>/<target>+<tag>/lun_<n>
 *
 * LIO writes them and leaves the reading to others; here they are read when keeping is switched on
 * for something that no initiator has seen yet, which is what loading the configuration does.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/num.h"
#include "engine/alua_priv.h"
#include "engine/engine_priv.h"

enum { MD_FILE_MAX = 4096 };

/* ---- paths and texts ------------------------------------------------------------------------- */

/* A part of a path: not empty, and no way out of the directory. */
static bool is_name(const char *s)
{
	return *s && !strchr(s, '/') && strcmp(s, ".") != 0 && strcmp(s, "..") != 0;
}

static char *group_path(const struct alua_group *g)
{
	const char *root = engine_dbroot(g->lu->eng);
	const char *serial = g->lu->attribs.unit_serial;
	char path[ALUA_PATH_BYTES];

	if (!root || !is_name(serial) || !is_name(g->name))
		return NULL;
	if (snprintf(path, sizeof(path), "%s/alua/tpgs_%s/%s", root, serial, g->name) >=
		(int)sizeof(path))
		return NULL;
	return strdup(path);
}

static char *lun_path(const struct port_lun *pl)
{
	const char *root = engine_dbroot(pl->port->eng);
	char path[ALUA_PATH_BYTES];

	if (!root || !is_name(pl->port->device))
		return NULL;
	if (snprintf(path, sizeof(path), "%s/alua/%s/%s+%u/lun_%u", root, pl->port->ops->name,
		    pl->port->device, pl->port->tpgt, pl->lun) >= (int)sizeof(path))
		return NULL;
	return strdup(path);
}

int alua_md_of_group(const struct alua_group *g, uint8_t state, uint8_t status, struct alua_md *ret)
{
	ret->path = NULL;
	if (!g->write_metadata && g->access != ALUA_EXPLICIT)
		return 0;
	ret->path = group_path(g);
	if (!ret->path)
		return g->write_metadata ? -EINVAL : 0;
	snprintf(ret->text, sizeof(ret->text),
		"tg_pt_gp_id=%u\nalua_access_state=0x%02x\nalua_access_status=0x%02x\n", g->id,
		state, status);
	return 0;
}

int alua_md_of_lun(const struct port_lun *pl, bool offline, uint8_t status, struct alua_md *ret)
{
	ret->path = NULL;
	if (!pl->alua_write_metadata)
		return 0;
	ret->path = lun_path(pl);
	if (!ret->path)
		return -EINVAL;
	snprintf(ret->text, sizeof(ret->text), "alua_tg_pt_offline=%d\nalua_tg_pt_status=0x%02x\n",
		offline, status);
	return 0;
}

void alua_md_done(struct alua_md *md)
{
	free(md->path);
	md->path = NULL;
}

/* ---- writing --------------------------------------------------------------------------------- */

/* Make the directories between dbroot and the file, each durable with its name. */
static int make_dirs(struct loops *loops, char *path, size_t from)
{
	for (char *at = strchr(path + from + 1, '/'); at; at = strchr(at + 1, '/')) {
		int r;

		*at = '\0';
		r = loops_mkdir(loops, path, 0700);
		if (!r)
			r = loops_fsync_dir_of(loops, path);
		else if (r == -EEXIST)
			r = 0;
		*at = '/';
		if (r)
			return r;
	}
	return 0;
}

int alua_md_write(struct engine *eng, const struct alua_md *md)
{
	int r;

	if (!md->path)
		return 0;
	r = make_dirs(eng->loops, md->path, strlen(engine_dbroot(eng)));
	if (!r)
		r = loops_write_file(eng->loops, md->path, md->text, strlen(md->text), 0600);
	return r;
}

/* ---- reading --------------------------------------------------------------------------------- */

struct word {
	const char *key;
	uint64_t max;
	uint64_t value;
	bool found;
};

/* "key=number" in each line. False: something else, too large, or missing. */
static bool parse(char *text, struct word *words, size_t n)
{
	char *save = NULL;

	for (char *line = strtok_r(text, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		size_t i = 0, len = strcspn(line, "=");

		if (!line[len])
			return false;
		line[len] = '\0';
		while (i < n && strcmp(words[i].key, line) != 0)
			i++;
		if (i == n || words[i].found ||
			num_parse_any(line + len + 1, 0, words[i].max, &words[i].value))
			return false;
		words[i].found = true;
	}
	for (size_t i = 0; i < n; i++)
		if (!words[i].found)
			return false;
	return true;
}

/* What makes no sense is kept for people, out of the way. */
static int put_aside(struct engine *eng, const char *path)
{
	char aside[ALUA_PATH_BYTES];
	int r = -ENAMETOOLONG;

	if (snprintf(aside, sizeof(aside), "%s.corrupt", path) < (int)sizeof(aside))
		r = loops_rename(eng->loops, path, aside);
	log_obj(LOG_LEVEL_ERROR, "engine", path,
		"is no state that was written here and is not used%s",
		r ? "" : ": it is kept with .corrupt at its end");
	return -EBADMSG;
}

/* 0, -ENOENT, -EBADMSG, errors of reading. Takes path over. */
static int load(struct engine *eng, char *path, struct word *words, size_t n)
{
	char *text = NULL;
	size_t len;
	int r;

	if (!path)
		return -EINVAL;
	r = loops_read_file(eng->loops, path, MD_FILE_MAX, &text, &len);
	if (r == -EFBIG || (!r && (strlen(text) != len || !parse(text, words, n))))
		r = put_aside(eng, path);
	free(text);
	free(path);
	return r;
}

int alua_md_load_group(struct alua_group *g)
{
	struct word w[] = {
		{ "tg_pt_gp_id", UINT16_MAX },
		{ "alua_access_state", TPG_TRANSITIONING },
		{ "alua_access_status", TPG_STATUS_IMPLICIT },
	};
	char *path = group_path(g);
	int r = load(g->lu->eng, path, w, 3);

	if (r)
		return r;
	/* Of another group that had the name: it says nothing of this one. */
	if (w[0].value != g->id || !(tpg_sup_bit((unsigned)w[1].value) & g->supported))
		return -ENOENT;
	/* A transition that was under way has not happened. */
	if (w[1].value == TPG_TRANSITIONING)
		return -ENOENT;
	if (g->state != w[1].value)
		log_obj(LOG_LEVEL_INFO, "engine", g->lu->name, "group %s: state %s, as kept",
			g->name, alua_state_text((unsigned)w[1].value));
	pthread_mutex_lock(&g->lu->lock);
	g->state = (uint8_t)w[1].value;
	g->status = (uint8_t)w[2].value;
	pthread_mutex_unlock(&g->lu->lock);
	return 0;
}

int alua_md_load_lun(struct port_lun *pl)
{
	struct word w[] = {
		{ "alua_tg_pt_offline", 1 },
		{ "alua_tg_pt_status", TPG_STATUS_IMPLICIT },
	};
	int r = load(pl->port->eng, lun_path(pl), w, 2);
	struct errmsg err;

	if (r)
		return r;
	errmsg_init(&err);
	r = alua_set_offline(pl, w[0].value, &err);
	if (r)
		return r;
	pthread_mutex_lock(&pl->lu->lock);
	pl->alua_status = (uint8_t)w[1].value;
	pthread_mutex_unlock(&pl->lu->lock);
	return 0;
}
