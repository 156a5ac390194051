/* SPDX-License-Identifier: BSD-3-Clause */
/* poller.c: the control thread's poll(2) loop. */
#include "control/poller.h"

#include <assert.h>
#include <errno.h>
#include <limits.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"

struct entry {
	poller_fd_fn *fn;
	void *arg;
};

struct poller {
	pthread_t owner;
	struct pollfd *fds; /* fds[0]: wake */
	struct pollfd *polled; /* a copy for the kernel: others may change fds meanwhile */
	struct entry *entries; /* beside fds */
	unsigned n, cap;
	bool dead; /* some fd was deleted: -1 until the round ends */
	bool in_round;
	bool stop;
	void (*leave)(void *arg);
	void (*enter)(void *arg);
	void *turn_arg;
	struct list timers; /* sorted by time */
	int wake; /* eventfd */
	pthread_mutex_t lock; /* of msgs */
	struct list msgs;
};

static void wake(struct poller *p)
{
	uint64_t one = 1;

	/* EAGAIN: the counter is full, so a wake-up is due anyway. */
	if (write(p->wake, &one, sizeof(one)) < 0)
		assert(errno == EAGAIN || errno == EINTR);
}

/* What another thread has changed, in its turn, is to be looked at. */
static void changed(struct poller *p)
{
	if (!pthread_equal(p->owner, pthread_self()))
		wake(p);
}

static void woken(void *arg, int fd, short revents)
{
	struct poller *p = arg;
	struct list todo, *l;
	uint64_t count;

	list_init(&todo);
	if (read(fd, &count, sizeof(count)) < 0)
		assert(errno == EAGAIN || errno == EINTR);
	pthread_mutex_lock(&p->lock);
	list_splice_back(&todo, &p->msgs);
	pthread_mutex_unlock(&p->lock);
	while ((l = list_pop_front(&todo))) {
		struct poller_msg *msg = container_of(l, struct poller_msg, link);

		pthread_mutex_lock(&p->lock);
		msg->queued = false;
		pthread_mutex_unlock(&p->lock);
		msg->fn(msg);
	}
}

int poller_new(struct poller **ret)
{
	struct poller *p = calloc(1, sizeof(*p));
	int r;

	if (!p)
		return -ENOMEM;
	p->owner = pthread_self();
	list_init(&p->timers);
	list_init(&p->msgs);
	pthread_mutex_init(&p->lock, NULL);
	p->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r = p->wake < 0 ? -errno : poller_add(p, p->wake, POLLIN, woken, p);
	if (r) {
		poller_free(p);
		return r;
	}
	*ret = p;
	return 0;
}

struct poller *poller_free(struct poller *p)
{
	if (!p)
		return NULL;
	if (p->wake >= 0)
		close(p->wake);
	pthread_mutex_destroy(&p->lock);
	free(p->fds);
	free(p->polled);
	free(p->entries);
	free(p);
	return NULL;
}

void poller_set_turn(
	struct poller *p, void (*leave)(void *arg), void (*enter)(void *arg), void *arg)
{
	p->leave = leave;
	p->enter = enter;
	p->turn_arg = arg;
}

static unsigned find(const struct poller *p, int fd)
{
	unsigned i = 0;

	while (i < p->n && p->fds[i].fd != fd)
		i++;
	return i;
}

int poller_add(struct poller *p, int fd, short events, poller_fd_fn *fn, void *arg)
{
	assert(fd >= 0 && find(p, fd) == p->n);
	if (p->n == p->cap) {
		unsigned cap = p->cap ? 2 * p->cap : 16;
		struct pollfd *fds = realloc(p->fds, cap * sizeof(*fds));
		struct entry *entries;

		if (!fds)
			return -ENOMEM;
		p->fds = fds;
		entries = realloc(p->entries, cap * sizeof(*entries));
		if (!entries)
			return -ENOMEM;
		p->entries = entries;
		p->cap = cap;
	}
	p->fds[p->n] = (struct pollfd){ .fd = fd, .events = events };
	p->entries[p->n++] = (struct entry){ fn, arg };
	changed(p);
	return 0;
}

void poller_want(struct poller *p, int fd, short events)
{
	unsigned i = find(p, fd);

	assert(i < p->n);
	p->fds[i].events = events;
	changed(p);
}

static void compact(struct poller *p)
{
	unsigned to = 0;

	for (unsigned i = 0; i < p->n; i++) {
		if (p->fds[i].fd < 0)
			continue;
		p->fds[to] = p->fds[i];
		p->entries[to++] = p->entries[i];
	}
	p->n = to;
	p->dead = false;
}

void poller_del(struct poller *p, int fd)
{
	unsigned i = find(p, fd);

	if (i == p->n)
		return;
	p->fds[i].fd = -1;
	p->dead = true;
	if (!p->in_round)
		compact(p);
	changed(p);
}

void poller_timer_init(struct poller_timer *t, void (*fire)(struct poller_timer *t))
{
	t->fire = fire;
	list_init(&t->link);
}

void poller_timer_arm(struct poller *p, struct poller_timer *t, uint64_t delay_ns)
{
	struct poller_timer *at;

	list_del(&t->link);
	t->at_ns = clock_now_ns() + delay_ns;
	list_for_each (at, &p->timers, struct poller_timer, link) {
		if (at->at_ns > t->at_ns)
			break;
	}
	list_insert_before_(&at->link, &t->link);
	changed(p);
}

void poller_timer_disarm(struct poller_timer *t)
{
	list_del(&t->link);
}

void poller_post(struct poller *p, struct poller_msg *msg)
{
	bool first = false;

	pthread_mutex_lock(&p->lock);
	if (!msg->queued) {
		first = list_empty(&p->msgs);
		msg->queued = true;
		list_init(&msg->link);
		list_push_back(&p->msgs, &msg->link);
	}
	pthread_mutex_unlock(&p->lock);
	if (first)
		wake(p);
}

void poller_unpost(struct poller *p, struct poller_msg *msg)
{
	pthread_mutex_lock(&p->lock);
	if (msg->queued)
		list_del(&msg->link);
	msg->queued = false;
	pthread_mutex_unlock(&p->lock);
}

/* Milliseconds until the first timer, at most timeout_ms. */
static int wait_ms(const struct poller *p, int timeout_ms)
{
	struct poller_timer *t = list_first(&p->timers, struct poller_timer, link);
	uint64_t now = clock_now_ns(), ms;

	if (!t)
		return timeout_ms;
	ms = t->at_ns <= now ? 0 : (t->at_ns - now + NS_PER_MS - 1) / NS_PER_MS;
	if (ms > INT_MAX)
		ms = INT_MAX;
	return timeout_ms < 0 || (int)ms < timeout_ms ? (int)ms : timeout_ms;
}

static void run_timers(struct poller *p)
{
	uint64_t now = clock_now_ns();
	struct poller_timer *t;

	while ((t = list_first(&p->timers, struct poller_timer, link)) && t->at_ns <= now) {
		list_del(&t->link);
		t->fire(t);
	}
}

/* Poll a copy of fds, without the turn. The number of those with events or -errno. */
static int wait_for_events(struct poller *p, int timeout_ms)
{
	unsigned count = p->n;
	int ms = wait_ms(p, timeout_ms), n, r;
	struct pollfd *polled = realloc(p->polled, count * sizeof(*polled));

	if (!polled)
		return -ENOMEM;
	p->polled = polled;
	memcpy(polled, p->fds, count * sizeof(*polled));
	if (p->leave)
		p->leave(p->turn_arg);
	n = poll(polled, count, ms);
	r = n < 0 ? -errno : n;
	if (p->enter)
		p->enter(p->turn_arg);
	/* Of another descriptor that has come to that place nothing is known yet. */
	for (unsigned i = 0; i < p->n; i++)
		p->fds[i].revents =
			r > 0 && i < count && p->fds[i].fd == polled[i].fd ? polled[i].revents : 0;
	return r == -EINTR ? 0 : r;
}

int poller_step(struct poller *p, int timeout_ms)
{
	int n = wait_for_events(p, timeout_ms);
	unsigned count = p->n; /* descriptors that callbacks add wait for the next round */

	if (n < 0)
		return n;
	p->in_round = true;
	for (unsigned i = 0; n > 0 && i < count; i++) {
		if (p->fds[i].fd < 0 || !p->fds[i].revents)
			continue;
		p->entries[i].fn(p->entries[i].arg, p->fds[i].fd, p->fds[i].revents);
	}
	p->in_round = false;
	if (p->dead)
		compact(p);
	run_timers(p);
	return 0;
}

int poller_run(struct poller *p)
{
	int r = 0;

	p->stop = false;
	while (!r && !p->stop)
		r = poller_step(p, -1);
	return r;
}

void poller_stop(struct poller *p)
{
	p->stop = true;
	changed(p);
}
