/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuse_note.c: telling the kernel of changes that it does not know of. Whatever is added needs no
 * word but for the figures of its directory: the kernel keeps no "there is no such entry".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "control/fuse_priv.h"
#include "control/limits.h"

static bool made_by(const struct fuse_face *f, const struct fuse_mnt *m)
{
	const struct fuse_acting *a;

	list_for_each (a, &f->acting, struct fuse_acting, link) {
		if (a->m == m && pthread_equal(a->thread, pthread_self()))
			return true;
	}
	return false;
}

/* Whether the last note says the same. */
static bool is_repeated(struct fuse_mnt *m, fuse_ino_t dir, const char *name)
{
	struct fuse_note *last;

	if (list_empty(&m->notes))
		return false;
	last = container_of(m->notes.prev, struct fuse_note, link);
	return last->dir == dir && !strcmp(last->name, name);
}

/* Under the face's lock. */
static void put(struct fuse_mnt *m, fuse_ino_t dir, const char *name)
{
	size_t n = strlen(name) + 1;
	struct fuse_note *note = NULL;

	if (is_repeated(m, dir, name))
		return;
	if (m->nnotes < FUSE_NOTES_MAX)
		note = malloc(sizeof(*note) + n);
	if (note) {
		note->dir = dir;
		memcpy(note->name, name, n);
		list_init(&note->link);
		list_push_back(&m->notes, &note->link);
		m->nnotes++;
		m->queued++;
		pthread_cond_signal(&m->changed);
	} else if (!m->overflowed) {
		m->overflowed = true;
		log_msg(LOG_LEVEL_WARN, "fuse", "%s is busy: it may show entries that have gone",
			m->dir);
	}
}

void fuse_note_change(void *arg, enum tree_event ev, struct node *dir, const char *name)
{
	struct fuse_entry e = { .kind = FUSE_DIR, .dir = dir };
	bool gone = ev == TREE_REMOVED || ev == TREE_UNLINKED;
	struct fuse_face *f = arg;
	struct fuse_mnt *m;

	if (!gone && ev != TREE_ADDED)
		return;
	pthread_mutex_lock(&f->lock);
	list_for_each (m, &f->mounts, struct fuse_mnt, link) {
		if (made_by(f, m))
			continue;
		if (gone)
			put(m, fuse_ino_of(&e), name);
		/* A directory's number of links counts its directories. */
		if (ev != TREE_UNLINKED)
			put(m, fuse_ino_of(&e), "");
	}
	pthread_mutex_unlock(&f->lock);
}

/* -ENOENT: the kernel has never looked at it. */
static void tell(struct fuse_mnt *m, const struct fuse_note *note)
{
	int r;

	if (note->name[0])
		r = fuse_lowlevel_notify_inval_entry(
			m->se, note->dir, note->name, strlen(note->name));
	else
		r = fuse_lowlevel_notify_inval_inode(m->se, note->dir, -1, 0);
	if (r && r != -ENOENT && r != -ENODEV && r != -ENOTCONN && !atomic_load(&m->ending))
		log_msg(LOG_LEVEL_WARN, "fuse", "%s cannot be told of a change: %s", m->dir,
			err_text(r));
}

void fuse_note_run(struct fuse_mnt *m)
{
	struct fuse_face *f = m->f;
	struct list *l;

	pthread_mutex_lock(&f->lock);
	while (!atomic_load(&m->ending)) {
		l = list_pop_front(&m->notes);
		if (!l) {
			pthread_cond_wait(&m->changed, &f->lock);
			continue;
		}
		m->nnotes--;
		pthread_mutex_unlock(&f->lock);
		tell(m, container_of(l, struct fuse_note, link));
		free(container_of(l, struct fuse_note, link));
		pthread_mutex_lock(&f->lock);
		m->told++;
		if (f->nsettling)
			pthread_cond_broadcast(&f->told);
	}
	m->told = m->queued;
	pthread_mutex_unlock(&f->lock);
}

void fuse_note_drop(struct fuse_mnt *m)
{
	struct list *l;

	while ((l = list_pop_front(&m->notes)))
		free(container_of(l, struct fuse_note, link));
}

/* ---- waiting until all have been told -------------------------------------------------------- */

struct goal {
	uint64_t id, queued; /* of a mount */
};

static bool reached(const struct fuse_face *f, const struct goal *goals, unsigned n)
{
	const struct fuse_mnt *m;

	list_for_each (m, &f->mounts, struct fuse_mnt, link) {
		for (unsigned i = 0; i < n; i++) {
			if (goals[i].id == m->id && m->told < goals[i].queued)
				return false;
		}
	}
	return true;
}

void fuse_face_settle(struct fuse_face *f, uint64_t timeout_ns)
{
	uint64_t until_ns = clock_now_ns() + timeout_ns;
	struct goal goals[FUSE_MOUNTS_MAX];
	const struct fuse_mnt *m;
	unsigned n = 0;
	bool more = true;

	pthread_mutex_lock(&f->lock);
	list_for_each (m, &f->mounts, struct fuse_mnt, link)
		goals[n++] = (struct goal){ m->id, m->queued };
	f->nsettling++;
	while (more && !reached(f, goals, n))
		more = fuse_cond_wait(&f->told, &f->lock, until_ns);
	f->nsettling--;
	pthread_mutex_unlock(&f->lock);
}

bool fuse_face_is_settled(struct fuse_face *f)
{
	const struct fuse_mnt *m;
	bool all = true;

	pthread_mutex_lock(&f->lock);
	list_for_each (m, &f->mounts, struct fuse_mnt, link)
		all = all && m->told == m->queued;
	pthread_mutex_unlock(&f->lock);
	return all;
}
