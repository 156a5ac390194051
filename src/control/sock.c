/* SPDX-License-Identifier: BSD-3-Clause */
/* sock.c: connections of the control socket: lines in, lines out, none of them trusted. */
#include "control/sock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <ulio/control.h>
#include <unistd.h>

#include "base/list.h"
#include "base/log.h"
#include "control/limits.h"

struct client {
	struct control_sock *s;
	struct list link;
	int fd;
	struct control_peer peer;
	struct job job; /* its request, while busy: in and peer belong to a worker */
	bool busy;
	bool gone; /* meanwhile: it is freed afterwards */
	size_t line_bytes; /* of the request */
	struct strbuf reply; /* to it */
	int passed; /* a descriptor that came with what is in in, -1: none */
	bool eof; /* nothing more comes */
	bool skipping; /* the rest of a line that was too long */
	size_t scanned; /* bytes of in that hold no newline */
	struct strbuf in; /* not yet handled */
	struct strbuf out;
	size_t sent; /* bytes of out */
	struct event_queue events;
	struct poller_msg wake; /* events wait */
	struct poller_timer again; /* more is to be told of them later */
};

struct control_sock {
	struct poller *p;
	struct control *c;
	struct events *ev; /* borrowed, may be NULL */
	enum control_sock_kind kind;
	struct jobs *w; /* NULL: requests are carried out here */
	int fd;
	char path[sizeof(((struct sockaddr_un *)0)->sun_path)];
	dev_t dev; /* of the socket at path, to remove no other */
	ino_t ino;
	struct list clients;
	unsigned nclients;
};

/* What no method has taken. */
static void drop_passed(struct client *cl)
{
	if (cl->passed >= 0)
		close(cl->passed);
	cl->passed = -1;
}

static void client_free(struct client *cl)
{
	event_queue_done(&cl->events);
	poller_unpost(cl->s->p, &cl->wake);
	poller_timer_disarm(&cl->again);
	poller_del(cl->s->p, cl->fd);
	close(cl->fd);
	drop_passed(cl);
	list_del(&cl->link);
	cl->s->nclients--;
	strbuf_done(&cl->in);
	strbuf_done(&cl->reply);
	strbuf_done(&cl->out);
	free(cl);
}

/* Send what waits. False: the connection is of no more use. */
static bool client_send(struct client *cl)
{
	while (cl->sent < cl->out.len) {
		ssize_t n = send(cl->fd, cl->out.s + cl->sent, cl->out.len - cl->sent,
			MSG_NOSIGNAL | MSG_DONTWAIT);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return errno == EAGAIN;
		cl->sent += (size_t)n;
	}
	/* Big answers are rare: their memory is not kept. */
	strbuf_done(&cl->out);
	strbuf_init(&cl->out);
	cl->sent = 0;
	return true;
}

/* Descriptors that came with bytes: the last one is kept for the request that they belong to. */
static void take_passed(struct client *cl, struct msghdr *msg)
{
	for (struct cmsghdr *c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			drop_passed(cl);
			memcpy(&cl->passed, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
		}
	}
}

/* Events go out when all before them has: a client that does not read lets them queue up. */
static void take_events(struct client *cl)
{
	uint64_t again_ns = 0;

	if (cl->sent == cl->out.len)
		again_ns = event_queue_take(&cl->events, &cl->out);
	if (again_ns)
		poller_timer_arm(cl->s->p, &cl->again, again_ns);
}

/* Take up to CONTROL_READ_BYTES. False: the connection is of no more use. */
static bool client_recv(struct client *cl)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(CONTROL_FDS_MAX * sizeof(int))];
	struct iovec iov = { .iov_len = CONTROL_READ_BYTES };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	ssize_t n;

	if (!strbuf_reserve(&cl->in, CONTROL_READ_BYTES))
		return false;
	iov.iov_base = cl->in.s + cl->in.len;
	n = recvmsg(cl->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	take_passed(cl, &msg);
	cl->in.len += (size_t)n;
	cl->in.s[cl->in.len] = '\0';
	cl->eof = n == 0;
	return true;
}

static void drop_front(struct client *cl, size_t n)
{
	memmove(cl->in.s, cl->in.s + n, cl->in.len - n);
	strbuf_truncate(&cl->in, cl->in.len - n);
	cl->scanned = 0;
}

static void say_too_long(struct client *cl)
{
	strbuf_printf(&cl->out,
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":%d,\"message\":"
		"\"a request is longer than %d bytes: split it\"}}\n",
		ULIO_CONTROL_INVALID_REQUEST, ULIO_CONTROL_REQUEST_MAX);
}

static bool has_line(struct client *cl)
{
	bool found = memchr(cl->in.s + cl->scanned, '\n', cl->in.len - cl->scanned);

	if (!found)
		cl->scanned = cl->in.len;
	return found;
}

/* Here it could keep up everybody; and what the daemon is asked at its end is not done. */
static void say_no_worker(struct client *cl)
{
	strbuf_puts(&cl->out,
		"{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,\"message\":"
		"\"the daemon ends, or has no thread for this: try again later\","
		"\"data\":{\"errno\":\"EAGAIN\"}}}\n");
	cl->eof = true;
}

static void handle(struct job *job)
{
	struct client *cl = container_of(job, struct client, job);

	control_handle(cl->s->c, &cl->peer, cl->in.s, cl->line_bytes, &cl->reply);
}

static void line_over(struct client *cl)
{
	drop_passed(cl);
	drop_front(cl, cl->line_bytes + 1);
	strbuf_write(&cl->out, cl->reply.s, cl->reply.len);
	cl->out.failed |= cl->reply.failed;
	strbuf_done(&cl->reply);
	strbuf_init(&cl->reply);
}

static void client_go_on(struct client *cl, bool alive);

static void handled(struct job *job)
{
	struct client *cl = container_of(job, struct client, job);

	cl->busy = false;
	line_over(cl);
	client_go_on(cl, !cl->gone);
}

/* Handle the first line, which is there. */
static void client_line(struct client *cl)
{
	cl->line_bytes = (size_t)((char *)memchr(cl->in.s, '\n', cl->in.len) - cl->in.s);
	if (cl->skipping) {
		cl->skipping = false; /* was the rest of a long line */
	} else if (cl->line_bytes > ULIO_CONTROL_REQUEST_MAX) {
		say_too_long(cl);
	} else if (strspn(cl->in.s, " \t\r") < cl->line_bytes) {
		cl->job = (struct job){ .run = handle, .done = handled };
		cl->busy = cl->s->w && !jobs_post(cl->s->w, &cl->job);
		if (cl->busy)
			return;
		if (cl->s->w)
			say_no_worker(cl);
		else
			handle(&cl->job);
	}
	line_over(cl);
}

/* What to wait for next: answers go out before more is taken in. */
static short client_wants(struct client *cl)
{
	if (cl->sent < cl->out.len)
		return POLLOUT;
	if (cl->busy)
		return 0;
	return has_line(cl) ? POLLOUT : POLLIN;
}

/*
 * It is of no more use. A request that a worker is at is carried out all the same; the client is
 * freed then.
 */
static void client_end(struct client *cl)
{
	if (cl->busy) {
		poller_del(cl->s->p, cl->fd);
		poller_timer_disarm(&cl->again);
		cl->gone = true;
	} else {
		client_free(cl);
	}
}

static void client_go_on(struct client *cl, bool alive)
{
	alive = alive && !cl->out.failed && client_send(cl);
	if (alive)
		take_events(cl);
	alive = alive && !cl->out.failed && client_send(cl);
	if (!alive || (cl->eof && !cl->busy && cl->sent == cl->out.len && !has_line(cl)))
		client_end(cl);
	else
		poller_want(cl->s->p, cl->fd, client_wants(cl));
}

/* One line a round, so that no client keeps the others waiting. */
static void client_event(void *arg, int fd, short revents)
{
	struct client *cl = arg;
	bool alive = !(revents & (POLLERR | POLLNVAL)) && !(cl->busy && revents & POLLHUP);

	if (alive && !cl->busy && cl->sent == cl->out.len) {
		if (!has_line(cl))
			alive = client_recv(cl);
		if (alive && has_line(cl)) {
			client_line(cl);
		} else if (alive && cl->skipping) {
			drop_front(cl, cl->in.len);
		} else if (alive && cl->in.len > ULIO_CONTROL_REQUEST_MAX) {
			say_too_long(cl);
			cl->skipping = true;
			drop_front(cl, cl->in.len);
		}
	}
	client_go_on(cl, alive);
}

/* Events have come, on the control thread. */
static void push_events(struct client *cl)
{
	if (!cl->gone)
		client_go_on(cl, true);
}

static void on_wake(struct poller_msg *msg)
{
	push_events(container_of(msg, struct client, wake));
}

static void on_again(struct poller_timer *t)
{
	push_events(container_of(t, struct client, again));
}

static void wake(void *arg)
{
	struct client *cl = arg;

	poller_post(cl->s->p, &cl->wake);
}

/* On the daemon's own socket root and who it runs as are administrators. */
static bool is_read_only(const struct control_sock *s, uid_t uid)
{
	return s->kind == CONTROL_SOCK_READ_ONLY || (uid != 0 && uid != geteuid());
}

int control_sock_add(struct control_sock *s, int fd)
{
	struct client *cl = calloc(1, sizeof(*cl));
	struct ucred who = { .pid = 0, .uid = (uid_t)-1 };
	socklen_t len = sizeof(who);
	int r = cl ? poller_add(s->p, fd, POLLIN, client_event, cl) : -ENOMEM;

	if (r) {
		free(cl);
		close(fd);
		return r;
	}
	getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &who, &len);
	cl->s = s;
	cl->fd = fd;
	cl->passed = -1;
	cl->peer = (struct control_peer){
		.uid = who.uid,
		.pid = who.pid,
		.fd = &cl->passed,
		.read_only = is_read_only(s, who.uid),
		.events = &cl->events,
	};
	event_queue_init(&cl->events, s->ev, wake, cl);
	cl->wake = (struct poller_msg){ .fn = on_wake };
	poller_timer_init(&cl->again, on_again);
	strbuf_init(&cl->in);
	strbuf_init(&cl->reply);
	strbuf_init(&cl->out);
	list_push_back(&s->clients, &cl->link);
	s->nclients++;
	return 0;
}

static void on_connection(void *arg, int fd, short revents)
{
	static const char busy[] = "{\"jsonrpc\":\"2.0\",\"id\":null,\"error\":{\"code\":-32000,"
				   "\"message\":\"too many connections, try again later\","
				   "\"data\":{\"errno\":\"EBUSY\"}}}\n";
	struct control_sock *s = arg;
	int c = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (c < 0)
		return;
	if (s->nclients < CONTROL_CLIENTS_MAX) {
		control_sock_add(s, c);
		return;
	}
	if (send(c, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT) < 0)
		log_msg(LOG_LEVEL_DEBUG, "control", "a connection too many left by itself");
	close(c);
}

/* Bind fd to path; a socket file that nobody serves any more is replaced. */
static int bind_path(int fd, const struct sockaddr_un *addr, struct errmsg *err)
{
	const struct sockaddr *sa = (const struct sockaddr *)addr;
	const char *path = addr->sun_path;
	struct stat st;
	int probe, r;

	if (!bind(fd, sa, sizeof(*addr)))
		return 0;
	if (errno != EADDRINUSE || lstat(path, &st) || !S_ISSOCK(st.st_mode))
		return errmsg_set(err, -errno, "control socket %s: %s", path, err_text(-errno));
	probe = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = probe < 0 || !connect(probe, sa, sizeof(*addr)) || errno != ECONNREFUSED;
	if (probe >= 0)
		close(probe);
	if (r)
		return errmsg_set(err, -EADDRINUSE,
			"control socket %s: another daemon serves it; stop that one or choose "
			"another path",
			path);
	if (unlink(path) || bind(fd, sa, sizeof(*addr)))
		return errmsg_set(err, -errno, "control socket %s: %s", path, err_text(-errno));
	return 0;
}

/* Open, bind with its mode from the first moment, listen. The descriptor or -errno. */
static int open_listener(const char *path, mode_t mode, struct errmsg *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd, r;

	if (strlen(path) >= sizeof(addr.sun_path))
		return errmsg_set(err, -ENAMETOOLONG,
			"control socket %s: a path of at most %zu bytes is possible", path,
			sizeof(addr.sun_path) - 1);
	memcpy(addr.sun_path, path, strlen(path) + 1);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return errmsg_set(err, -errno, "control socket: %s", err_text(-errno));
	/* Linux gives the socket file the mode of the socket: there is no moment of a wider one. */
	r = fchmod(fd, mode) ? errmsg_set(err, -errno, "control socket: %s", err_text(-errno))
			     : bind_path(fd, &addr, err);
	if (!r && listen(fd, CONTROL_BACKLOG))
		r = errmsg_set(err, -errno, "control socket %s: %s", path, err_text(-errno));
	if (r) {
		close(fd);
		return r;
	}
	return fd;
}

void control_sock_use(struct control_sock *s, struct jobs *w)
{
	s->w = w;
}

int control_sock_new(struct poller *p, struct control *c, struct events *events, const char *path,
	enum control_sock_kind kind, struct control_sock **ret, struct errmsg *err)
{
	struct control_sock *s = calloc(1, sizeof(*s));
	struct stat st;
	int r;

	if (!s)
		return errmsg_set(err, -ENOMEM, "control socket: out of memory");
	s->p = p;
	s->c = c;
	s->ev = events;
	s->kind = kind;
	list_init(&s->clients);
	s->fd = open_listener(path, kind == CONTROL_SOCK_ADMIN ? 0600 : 0666, err);
	if (s->fd < 0) {
		r = s->fd;
		free(s);
		return r;
	}
	memcpy(s->path, path, strlen(path) + 1);
	/* The umask was taken off; to make it wider now lets nobody in who may not. */
	if (kind == CONTROL_SOCK_READ_ONLY && chmod(path, 0666))
		log_msg(LOG_LEVEL_WARN, "control", "%s: %s", s->path, err_text(-errno));
	if (!lstat(path, &st)) {
		s->dev = st.st_dev;
		s->ino = st.st_ino;
	}
	r = poller_add(p, s->fd, POLLIN, on_connection, s);
	if (r) {
		control_sock_free(s);
		return errmsg_set(err, r, "control socket: %s", err_text(r));
	}
	*ret = s;
	return 0;
}

void control_sock_flush(struct control_sock *s)
{
	struct client *cl;

	list_for_each (cl, &s->clients, struct client, link)
		client_send(cl);
}

struct control_sock *control_sock_free(struct control_sock *s)
{
	struct client *cl, *tmp;
	struct stat st;

	if (!s)
		return NULL;
	list_for_each_safe (cl, tmp, &s->clients, struct client, link)
		client_free(cl);
	poller_del(s->p, s->fd);
	close(s->fd);
	if (!lstat(s->path, &st) && st.st_dev == s->dev && st.st_ino == s->ino)
		unlink(s->path);
	free(s);
	return NULL;
}
