/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuse.c: the mounts of the face and the threads that serve them. Each mount has a thread of its
 * own, which takes it down when it ends, one that tells the kernel of changes (fuse_note.c), and
 * workers, which read requests and answer them, until nothing is being told any more: what the
 * kernel is told may wait for a directory that is locked until a request is answered. There is
 * always one worker more than operations under way, so that a slow one holds up nobody, up to
 * FUSE_WORKERS_MAX.
 */
#include "control/fuse.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/clock.h"
#include "control/fuse_priv.h"
#include "control/limits.h"

enum {
	FUSE_MAJOR = 10, /* of /dev/fuse */
	FUSE_MINOR = 229,
	WAKE_SIGNAL = SIGUSR1, /* gets a worker out of read(2) */
	STACK_BYTES = 256 << 10,
	REFUSED_BURST = 100, /* lines of the log */
	REFUSED_INTERVAL_S = 10,
};

/* ---- conditions with time limits ------------------------------------------------------------- */

void fuse_cond_init(pthread_cond_t *c)
{
	pthread_condattr_t attr;

	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(c, &attr);
	pthread_condattr_destroy(&attr);
}

bool fuse_cond_wait(pthread_cond_t *c, pthread_mutex_t *lock, uint64_t until_ns)
{
	const struct timespec until = { .tv_sec = (time_t)(until_ns / NS_PER_S),
		.tv_nsec = (long)(until_ns % NS_PER_S) };

	return !pthread_cond_timedwait(c, lock, &until);
}

/* ---- threads --------------------------------------------------------------------------------- */

static void woken(int sig)
{
}

/* With all signals blocked but the one that wakes. 0 or -errno. */
static int start_thread(pthread_t *ret, bool detached, void *(*fn)(void *), void *arg)
{
	sigset_t all, old;
	pthread_attr_t attr;
	int r;

	sigfillset(&all);
	sigdelset(&all, WAKE_SIGNAL);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, STACK_BYTES);
	if (detached)
		pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(ret, &attr, fn, arg);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	pthread_attr_destroy(&attr);
	return -r;
}

static int add_worker(struct fuse_mnt *m);

/* A request was read: is there somebody to read the next one? */
static void keep_one_idle(struct fuse_mnt *m)
{
	if (atomic_fetch_sub(&m->nidle, 1) > 1 || atomic_load(&m->unserved))
		return;
	pthread_mutex_lock(&m->f->lock);
	if (m->nworkers < FUSE_WORKERS_MAX && add_worker(m))
		log_msg(LOG_LEVEL_WARN, "fuse", "%s: no memory for one more thread", m->dir);
	pthread_mutex_unlock(&m->f->lock);
}

/* The mount ends: unmounted, or the face is freed. */
static void mnt_end(struct fuse_mnt *m)
{
	pthread_mutex_lock(&m->f->lock);
	atomic_store(&m->ending, true);
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->f->lock);
}

static void *worker_run(void *arg)
{
	struct fuse_worker *w = arg;
	struct fuse_mnt *m = w->m;
	struct fuse_buf buf = { 0 };

	while (!atomic_load(&m->unserved)) {
		int n = fuse_session_receive_buf(m->se, &buf);

		if (n == -EINTR || n == -EAGAIN)
			continue;
		if (n <= 0)
			break;
		keep_one_idle(m);
		fuse_session_process_buf(m->se, &buf);
		atomic_fetch_add(&m->nidle, 1);
		if (fuse_session_exited(m->se))
			break;
	}
	mnt_end(m);
	free(buf.mem);
	pthread_mutex_lock(&m->f->lock);
	w->done = true;
	pthread_cond_broadcast(&m->changed);
	pthread_mutex_unlock(&m->f->lock);
	return NULL;
}

/* Under the lock. 0 or -errno. */
static int add_worker(struct fuse_mnt *m)
{
	struct fuse_worker *w = calloc(1, sizeof(*w));
	int r;

	if (!w)
		return -ENOMEM;
	w->m = m;
	list_init(&w->link);
	atomic_fetch_add(&m->nidle, 1);
	r = start_thread(&w->thread, false, worker_run, w);
	if (r) {
		atomic_fetch_sub(&m->nidle, 1);
		free(w);
		return r;
	}
	list_push_back(&m->workers, &w->link);
	m->nworkers++;
	return 0;
}

/* Wake the workers until all have seen that they are to end. */
static void end_workers(struct fuse_mnt *m)
{
	struct fuse_face *f = m->f;
	struct fuse_worker *w;
	struct list *l;

	pthread_mutex_lock(&f->lock);
	atomic_store(&m->unserved, true);
	while (!list_empty(&m->workers)) {
		w = list_first(&m->workers, struct fuse_worker, link);
		if (w->done) { /* NOLINT(clang-analyzer-unix.Malloc): what is freed is in no list */
			list_pop_front(&m->workers);
			pthread_mutex_unlock(&f->lock);
			pthread_join(w->thread, NULL);
			free(w);
			pthread_mutex_lock(&f->lock);
			continue;
		}
		/* It may be just before its read(2): then the signal is lost, and sent again. */
		for (l = m->workers.next; l != &m->workers; l = l->next)
			pthread_kill(
				container_of(l, struct fuse_worker, link)->thread, WAKE_SIGNAL);
		fuse_cond_wait(&m->changed, &f->lock, clock_now_ns() + 10 * NS_PER_MS);
	}
	pthread_mutex_unlock(&f->lock);
}

/* ---- a mount --------------------------------------------------------------------------------- */

void fuse_handle_add(fuse_req_t req, struct fuse_handle *h, void (*free)(struct fuse_handle *h))
{
	h->m = fuse_req_userdata(req);
	h->free = free;
	list_init(&h->link);
	pthread_mutex_lock(&h->m->f->lock);
	list_push_back(&h->m->handles, &h->link);
	pthread_mutex_unlock(&h->m->f->lock);
}

void fuse_handle_del(struct fuse_handle *h)
{
	pthread_mutex_lock(&h->m->f->lock);
	list_del(&h->link);
	pthread_mutex_unlock(&h->m->f->lock);
}

/* Its workers have ended. */
static void mnt_free(struct fuse_mnt *m)
{
	struct list *l;

	/* The kernel releases nothing of a mount that has been cut off. */
	while ((l = list_pop_front(&m->handles))) {
		struct fuse_handle *h = container_of(l, struct fuse_handle, link);

		h->free(h);
	}
	if (m->se)
		fuse_session_destroy(m->se); /* closes what it has mounted */
	if (m->fd >= 0)
		close(m->fd);
	fuse_note_drop(m);
	pthread_cond_destroy(&m->changed);
	free(m->dir);
	free(m);
}

/*
 * The thread that tells may wait in the kernel for a directory that is locked until a worker has
 * answered. If the process dies just then, nobody answers and this thread does not end: it has no
 * descriptors but the mount's and the log's, so that all others are closed, by which the watcher
 * hears of the death and forces the mount to an end.
 */
static void *tell_run(void *arg)
{
	struct fuse_mnt *m = arg;
	unsigned fd = (unsigned)fuse_session_fd(m->se);

	if (!unshare(CLONE_FILES)) {
		if (fd > 3)
			syscall(SYS_close_range, 3U, fd - 1, 0U);
		syscall(SYS_close_range, fd + 1, ~0U, 0U);
	}
	fuse_note_run(m);
	return NULL;
}

/* The mount's own thread. */
static void *mnt_run(void *arg)
{
	struct fuse_mnt *m = arg;
	struct fuse_face *f = m->f;
	pthread_t teller;
	int r;

	pthread_mutex_lock(&f->lock);
	r = add_worker(m);
	pthread_mutex_unlock(&f->lock);
	if (!r)
		r = start_thread(&teller, false, tell_run, m);
	if (r)
		log_msg(LOG_LEVEL_ERROR, "fuse", "%s cannot be served: %s", m->dir, err_text(r));
	else
		pthread_join(teller, NULL);
	end_workers(m);
	log_msg(LOG_LEVEL_DEBUG, "fuse", "%s is no longer served", m->dir);
	/* Out of the list first: a change must not find it any more. */
	pthread_mutex_lock(&f->lock);
	list_del(&m->link);
	pthread_mutex_unlock(&f->lock);
	mnt_free(m);
	pthread_mutex_lock(&f->lock);
	f->nmounts--;
	pthread_cond_broadcast(&f->told);
	pthread_mutex_unlock(&f->lock);
	return NULL;
}

static bool is_dev_fuse(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISCHR(st.st_mode) &&
	       st.st_rdev == makedev(FUSE_MAJOR, FUSE_MINOR);
}

/* 0 or -errno. fd is the mount's in any case. */
static int mnt_new(struct fuse_face *f, int fd, const char *dir, struct fuse_mnt **ret)
{
	char *argv[] = { (char *)"uliod", NULL }, place[32];
	struct fuse_args args = FUSE_ARGS_INIT(1, argv);
	struct fuse_mnt *m = calloc(1, sizeof(*m));

	if (!m) {
		close(fd);
		return -ENOMEM;
	}
	m->f = f;
	m->fd = fd;
	list_init(&m->link);
	list_init(&m->handles);
	list_init(&m->workers);
	list_init(&m->notes);
	fuse_cond_init(&m->changed);
	m->dir = strdup(dir);
	m->se = m->dir ? fuse_session_new(&args, &fuse_ops, sizeof(fuse_ops), m) : NULL;
	fuse_opt_free_args(&args);
	snprintf(place, sizeof(place), "/dev/fd/%d", fd);
	if (!m->se || fuse_session_mount(m->se, place)) {
		mnt_free(m);
		return -ENOMEM;
	}
	m->fd = -1;
	*ret = m;
	return 0;
}

int fuse_face_serve(struct fuse_face *f, int fd, const char *dir, bool own, struct errmsg *err)
{
	struct fuse_mnt *m = NULL;
	pthread_t thread;
	int r;

	if (!is_dev_fuse(fd)) {
		close(fd);
		return errmsg_set(err, -EINVAL, "%s: a descriptor of /dev/fuse is meant", dir);
	}
	r = mnt_new(f, fd, dir, &m);
	if (r)
		return errmsg_set(err, r, "%s: %s", dir, err_text(r));
	m->own = own;
	pthread_mutex_lock(&f->lock);
	if (f->nmounts >= FUSE_MOUNTS_MAX)
		r = errmsg_set(
			err, -EMFILE, "%s: there are %d mounts already", dir, FUSE_MOUNTS_MAX);
	if (!r && (r = start_thread(&thread, true, mnt_run, m)))
		errmsg_set(err, r, "%s: %s", dir, err_text(r));
	if (!r) {
		m->id = ++f->next_id;
		list_push_back(&f->mounts, &m->link);
		f->nmounts++;
	}
	pthread_mutex_unlock(&f->lock);
	if (r)
		mnt_free(m);
	return r;
}

/* ---- the face -------------------------------------------------------------------------------- */

int fuse_face_new(struct tree *tree, struct fuse_face **ret, struct errmsg *err)
{
	struct fuse_face *f = calloc(1, sizeof(*f));
	struct sigaction wake = { .sa_handler = woken };
	int r;

	if (!f)
		return errmsg_set(err, -ENOMEM, "out of memory");
	sigaction(WAKE_SIGNAL, &wake, NULL);
	f->tree = tree;
	clock_gettime(CLOCK_REALTIME, &f->started);
	list_init(&f->acting);
	list_init(&f->mounts);
	log_limit_init(&f->refused, REFUSED_BURST, REFUSED_INTERVAL_S * NS_PER_S);
	pthread_mutex_init(&f->lock, NULL);
	fuse_cond_init(&f->told);
	r = tree_listen(tree, fuse_note_change, f);
	if (r) {
		free(f);
		return errmsg_set(err, r, "out of memory");
	}
	*ret = f;
	return 0;
}

bool fuse_face_stop(struct fuse_face *f, uint64_t timeout_ns)
{
	uint64_t end_ns = clock_now_ns() + timeout_ns;
	struct fuse_mnt *m;
	bool ended;

	pthread_mutex_lock(&f->lock);
	list_for_each (m, &f->mounts, struct fuse_mnt, link) {
		atomic_store(&m->ending, true);
		pthread_cond_broadcast(&m->changed);
	}
	while (f->nmounts && clock_now_ns() < end_ns)
		fuse_cond_wait(&f->told, &f->lock, end_ns);
	ended = !f->nmounts;
	pthread_mutex_unlock(&f->lock);
	return ended;
}

struct fuse_face *fuse_face_free(struct fuse_face *f)
{
	if (!f)
		return NULL;
	tree_enter(f->tree);
	tree_unlisten(f->tree, fuse_note_change, f);
	tree_leave(f->tree);
	pthread_cond_destroy(&f->told);
	pthread_mutex_destroy(&f->lock);
	free(f);
	return NULL;
}
