/* SPDX-License-Identifier: BSD-3-Clause */
/* engine.c: making and unmaking the engine, and finding what it holds. */
#include "engine/engine.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "engine/alua.h"
#include "engine/engine_priv.h"

void engine_set_notices(struct engine *eng, struct notices to)
{
	eng->notices = to;
}

const struct notices *engine_notices(const struct engine *eng)
{
	return &eng->notices;
}

struct engine *engine_new(struct loops *loops)
{
	struct engine *eng = calloc(1, sizeof(*eng));
	unsigned n = loops_count(loops);

	if (!eng)
		return NULL;
	eng->per_loop = aligned_alloc(128, n * sizeof(*eng->per_loop));
	if (!eng->per_loop || alua_engine_init(eng)) {
		free(eng->per_loop);
		free(eng);
		return NULL;
	}
	memset(eng->per_loop, 0, n * sizeof(*eng->per_loop));
	for (unsigned i = 0; i < n; i++) {
		list_init(&eng->per_loop[i].free_cmds);
		list_init(&eng->per_loop[i].waits);
		eng->per_loop[i].loop = loops_get(loops, i);
	}
	pthread_mutex_init(&eng->lock, NULL);
	list_init(&eng->lus);
	hash_init(&eng->lu_names);
	hash_init(&eng->kept);
	list_init(&eng->ports);
	eng->loops = loops;
	log_limit_init(&eng->kept_limit, 10, 60 * NS_PER_S);
	idpool_init(&eng->rtpis, 1, 65535); /* SPC-4 7.8.6.6: 0 is reserved */
	return eng;
}

struct engine *engine_free(struct engine *eng)
{
	if (!eng)
		return NULL;
	assert(list_empty(&eng->lus) && list_empty(&eng->ports));
	for (unsigned i = 0; i < loops_count(eng->loops); i++) {
		struct list *n;

		assert(list_empty(&eng->per_loop[i].waits));
		while ((n = list_pop_front(&eng->per_loop[i].free_cmds)))
			free(container_of(n, struct cmd, link));
	}
	hash_done(&eng->lu_names);
	hash_done(&eng->kept);
	idpool_done(&eng->rtpis);
	pthread_mutex_destroy(&eng->lock);
	alua_engine_done(eng);
	free(eng->per_loop);
	free(eng->dbroot);
	free(eng);
	return NULL;
}

struct loops *engine_loops(const struct engine *eng)
{
	return eng->loops;
}

void engine_lock(struct engine *eng)
{
	pthread_mutex_lock(&eng->lock);
}

void engine_unlock(struct engine *eng)
{
	pthread_mutex_unlock(&eng->lock);
}

struct lu *engine_next_lu(struct engine *eng, struct lu *prev)
{
	struct list *next = prev ? prev->link.next : eng->lus.next;

	return next == &eng->lus ? NULL : container_of(next, struct lu, link);
}

struct lu *engine_find_lu(struct engine *eng, const char *name)
{
	struct hash_str_node *n = hash_str_find(&eng->lu_names, name);

	return n ? container_of(n, struct lu, name_node) : NULL;
}

/* ---- where state is kept ------------------------------------------------------------------ */

/* Make the directory, durable with its name. 0 if it is there already. */
static int make_dir(struct loops *loops, const char *path)
{
	int r = loops_mkdir(loops, path, 0700);

	if (r == -EEXIST)
		return 0;
	return r ? r : loops_fsync_dir_of(loops, path);
}

/* Whether files can be made and removed there; without a sync, since each start does it. */
static int try_dir(struct loops *loops, const char *path)
{
	char file[ENGINE_PATH_BYTES];
	int fd, r;

	snprintf(file, sizeof(file), "%.*s/.try", (int)sizeof(file) - 16, path);
	r = loops_unlink(loops, file); /* what a crash left */
	if (r && r != -ENOENT)
		return r;
	fd = loops_open(loops, file, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return fd;
	loops_close(loops, fd);
	return loops_unlink(loops, file);
}

int engine_set_dbroot(struct engine *eng, const char *path, struct errmsg *err)
{
	static const char *const dirs[] = { "", "/pr", "/pr/ulio", "/alua" };
	char dir[ENGINE_PATH_BYTES];
	char *copy;
	int r = 0;

	free(eng->dbroot);
	eng->dbroot = NULL;
	if (!path || !*path)
		return 0;
	if (strlen(path) > ENGINE_DBROOT_BYTES)
		return errmsg_set(err, -ENAMETOOLONG,
			"%.100s...: a path of at most %u bytes is "
			"meant",
			path, ENGINE_DBROOT_BYTES);
	for (size_t i = 0; i < sizeof(dirs) / sizeof(dirs[0]) && !r; i++) {
		snprintf(dir, sizeof(dir), "%s%s", path, dirs[i]);
		r = make_dir(eng->loops, dir);
		if (!r && i)
			r = try_dir(eng->loops, dir);
	}
	if (r)
		return errmsg_set(err, r,
			"%s cannot be written to (%s): make it a directory of the user that runs "
			"this, or choose another one",
			dir, err_text(r));
	copy = strdup(path);
	if (!copy)
		return errmsg_set(err, -ENOMEM, "%s: out of memory", path);
	eng->dbroot = copy;
	return 0;
}

const char *engine_dbroot(const struct engine *eng)
{
	return eng->dbroot;
}

struct lu *engine_claim_serial(struct engine *eng, struct lu *lu)
{
	struct hash_str_node *n = hash_str_find(&eng->kept, lu->keep.serial);

	if (n)
		return container_of(n, struct lu, keep.node);
	hash_str_insert(&eng->kept, &lu->keep.node, lu->keep.serial);
	lu->keep.offered = true;
	return NULL;
}

void engine_release_serial(struct engine *eng, struct lu *lu)
{
	assert(lu->keep.offered);
	hash_str_remove(&eng->kept, &lu->keep.node);
	lu->keep.offered = false;
}

struct log_limit *engine_kept_limit(struct engine *eng)
{
	return &eng->kept_limit;
}
