/* SPDX-License-Identifier: BSD-3-Clause */
/* rpc.c: the client's end of the control socket: one call at a time. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <ulio/control.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "cli/cli.h"

struct rpc {
	int fd;
	int id;
	struct strbuf in;
};

int rpc_open(const char *path, struct rpc **ret, struct errmsg *err)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct rpc *rpc = calloc(1, sizeof(*rpc));
	int r;

	if (!rpc)
		return errmsg_set(err, -ENOMEM, "out of memory");
	strbuf_init(&rpc->in);
	if (strlen(path) >= sizeof(addr.sun_path)) {
		free(rpc);
		return errmsg_set(err, -ENAMETOOLONG,
			"%s: the path of a socket is at most %zu bytes", path,
			sizeof(addr.sun_path) - 1);
	}
	memcpy(addr.sun_path, path, strlen(path) + 1);
	rpc->fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	r = rpc->fd < 0 || connect(rpc->fd, (struct sockaddr *)&addr, sizeof(addr)) ? -errno : 0;
	if (!r) {
		*ret = rpc;
		return 0;
	}
	rpc_close(rpc);
	if (r == -ENOENT || r == -ECONNREFUSED)
		return errmsg_set(err, r,
			"no daemon answers at %s: is uliod running? --control PATH or $%s names "
			"its "
			"socket",
			path, ULIO_CONTROL_ENV);
	if (r == -EACCES)
		return errmsg_set(
			err, r, "%s: only the user who runs uliod, or root, may use it", path);
	return errmsg_set(err, r, "%s: %s", path, err_text(r));
}

struct rpc *rpc_close(struct rpc *rpc)
{
	if (!rpc)
		return NULL;
	if (rpc->fd >= 0)
		close(rpc->fd);
	strbuf_done(&rpc->in);
	free(rpc);
	return NULL;
}

static int send_all(int fd, const char *text, size_t n)
{
	while (n) {
		ssize_t sent = send(fd, text, n, MSG_NOSIGNAL);

		if (sent < 0 && errno != EINTR)
			return -errno;
		if (sent > 0) {
			text += sent;
			n -= (size_t)sent;
		}
	}
	return 0;
}

/* The next line, with its newline replaced by NUL, at the start of rpc->in. Length or -errno. */
static ssize_t recv_line(struct rpc *rpc)
{
	size_t scanned = 0;

	for (;;) {
		char *end = memchr(rpc->in.s + scanned, '\n', rpc->in.len - scanned);
		ssize_t n;

		if (end)
			return end - rpc->in.s;
		scanned = rpc->in.len;
		if (!strbuf_reserve(&rpc->in, 65536))
			return -ENOMEM;
		/* A signal with a handler is Ctrl-C in the shell: the answer is given up. */
		n = recv(rpc->fd, rpc->in.s + rpc->in.len, 65536, 0);
		if (n <= 0)
			return n ? -errno : -ECONNRESET;
		rpc->in.len += (size_t)n;
	}
}

/* Take apart what the daemon said. */
static json_t *result_of(json_t *reply, struct errmsg *err)
{
	json_t *error = json_object_get(reply, "error");
	const char *message = json_string_value(json_object_get(error, "message"));

	if (!reply || !json_is_object(reply)) {
		errmsg_set(err, -EPROTO, "the daemon's answer makes no sense");
		return NULL;
	}
	if (error) {
		errmsg_set(err, -EIO, "%s", message ? message : "refused");
		return NULL;
	}
	return json_incref(json_object_get(reply, "result"));
}

int rpc_fd(const struct rpc *rpc)
{
	return rpc->fd;
}

/* The first byte of a request, with a descriptor. */
static int send_fd(int to, char byte, int fd)
{
	_Alignas(struct cmsghdr) char control[CMSG_SPACE(sizeof(int))] = { 0 };
	struct iovec iov = { &byte, 1 };
	struct msghdr msg = { .msg_iov = &iov,
		.msg_iovlen = 1,
		.msg_control = control,
		.msg_controllen = sizeof(control) };
	struct cmsghdr *h = CMSG_FIRSTHDR(&msg);

	h->cmsg_level = SOL_SOCKET;
	h->cmsg_type = SCM_RIGHTS;
	h->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(h), &fd, sizeof(int));
	return sendmsg(to, &msg, MSG_NOSIGNAL) == 1 ? 0 : -errno;
}

json_t *rpc_call(struct rpc *rpc, const char *method, json_t *params, struct errmsg *err)
{
	return rpc_call_with_fd(rpc, method, params, -1, err);
}

json_t *rpc_call_with_fd(
	struct rpc *rpc, const char *method, json_t *params, int fd, struct errmsg *err)
{
	json_t *req = json_pack("{s:s, s:i, s:s, s:O*}", "jsonrpc", "2.0", "id", ++rpc->id,
		"method", method, "params", params);
	char *text = req ? json_dumps(req, JSON_COMPACT) : NULL;
	json_t *reply, *result = NULL;
	size_t sent = fd >= 0;
	ssize_t n = text ? 0 : -ENOMEM;

	if (!n && fd >= 0)
		n = send_fd(rpc->fd, text[0], fd);
	if (!n)
		n = send_all(rpc->fd, text + sent, strlen(text) - sent);
	if (!n)
		n = send_all(rpc->fd, "\n", 1);
	if (text)
		explicit_bzero(text, strlen(text)); /* may hold a secret */
	free(text);
	json_decref(req);
	if (!n)
		n = recv_line(rpc);
	if (n == -EINTR) {
		errmsg_set(err, -EINTR, "interrupted; the daemon may still do it");
		return NULL;
	}
	if (n < 0) {
		errmsg_set(err, (int)n, "the daemon is gone: %s", err_text((int)n));
		return NULL;
	}
	reply = json_loadb(rpc->in.s, (size_t)n, JSON_DECODE_ANY, NULL);
	memmove(rpc->in.s, rpc->in.s + n + 1, rpc->in.len - (size_t)n - 1);
	strbuf_truncate(&rpc->in, rpc->in.len - (size_t)n - 1);
	result = result_of(reply, err);
	json_decref(reply);
	return result;
}
