/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * poller.h: what the control thread waits in: descriptors, timers, and messages from other threads.
 * A plain poll(2): the control thread serves a handful of descriptors and may block in between.
 *
 * Functions are for the control thread, or for others that have the tree's turn
 * (poller_set_turn()); poller_post() any thread may call.
 */
#ifndef ULIO_CONTROL_POLLER_H
#define ULIO_CONTROL_POLLER_H

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct poller;

/* 0 or -errno. */
int poller_new(struct poller **ret);
/* Descriptors stay the caller's. Returns NULL. */
struct poller *poller_free(struct poller *p);

/*
 * While the thread waits for events, others may have what it holds else: leave is called before it
 * waits, enter after. NULL: nothing is called, as at first.
 */
void poller_set_turn(
	struct poller *p, void (*leave)(void *arg), void (*enter)(void *arg), void *arg);

/* revents as poll(2) gives them: always also POLLERR, POLLHUP. */
typedef void poller_fd_fn(void *arg, int fd, short revents);
/* 0 or -ENOMEM. A descriptor may be added once. */
int poller_add(struct poller *p, int fd, short events, poller_fd_fn *fn, void *arg);
/* Change what is waited for. 0: nothing but POLLERR and POLLHUP. */
void poller_want(struct poller *p, int fd, short events);
/* Also from inside of a callback. A descriptor that was not added is ignored. */
void poller_del(struct poller *p, int fd);

struct poller_timer {
	void (*fire)(struct poller_timer *t);
	/* Private. */
	uint64_t at_ns;
	struct list link;
};
void poller_timer_init(struct poller_timer *t, void (*fire)(struct poller_timer *t));
/* (Re)arm: fires once, delay_ns from now or a little later. */
void poller_timer_arm(struct poller *p, struct poller_timer *t, uint64_t delay_ns);
void poller_timer_disarm(struct poller_timer *t);

struct poller_msg {
	void (*fn)(struct poller_msg *msg);
	/* Private. */
	struct list link;
	bool queued;
};
/* Run msg->fn on the control thread. A message that is queued already is left where it is. */
void poller_post(struct poller *p, struct poller_msg *msg);
/* On the control thread: a message that was posted will not run. */
void poller_unpost(struct poller *p, struct poller_msg *msg);

/*
 * Wait for one round of events, at most timeout_ms (-1: for ever), and handle them. 0 or -errno of
 * poll(2).
 */
int poller_step(struct poller *p, int timeout_ms);
/* Steps until poller_stop(), which a callback calls. */
int poller_run(struct poller *p);
void poller_stop(struct poller *p);

#endif
