/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sys_host.c: the blocking calls of the loop seam as system calls.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "loop/hostaddr.h"
#include "loop/limits.h"
#include "loop/loop_priv.h"

/* Result of a system call as the seam reports it. */
static int64_t sys_ret(int64_t n)
{
	return n < 0 ? -errno : n;
}

static int listen_options(int fd, const struct sockaddr *addr, int flags)
{
	int one = 1;

	if (addr->sa_family == AF_UNIX)
		return 0;
	/* Connections of a former daemon in TIME_WAIT must not keep the port. */
	if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)))
		return -errno;
	/* [::] and 0.0.0.0 are portals of their own. */
	if (addr->sa_family == AF_INET6 &&
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof(one)))
		return -errno;
	/* IP_FREEBIND serves both families. */
	if ((flags & LOOP_FREEBIND) && setsockopt(fd, IPPROTO_IP, IP_FREEBIND, &one, sizeof(one)))
		return -errno;
	return 0;
}

static int sys_name(int fd, struct sockaddr_storage *ret,
	int (*fn)(int fd, struct sockaddr *addr, socklen_t *len))
{
	socklen_t len = sizeof(*ret);

	*ret = (struct sockaddr_storage){ 0 };
	return fn(fd, (struct sockaddr *)ret, &len) ? -errno : 0;
}

static int host_sockname(struct loops *loops, int fd, struct sockaddr_storage *ret)
{
	return sys_name(fd, ret, getsockname);
}

static int host_peername(struct loops *loops, int fd, struct sockaddr_storage *ret)
{
	return sys_name(fd, ret, getpeername);
}

static bool host_has_address(struct loops *loops, const struct sockaddr *addr, socklen_t addrlen)
{
	return hostaddrs_has(loops->hostaddrs, addr, addrlen);
}

struct socket_arg {
	int family;
	const char *netns;
	int fd; /* or -errno */
};

/* On a thread of its own, which ends there: a thread that serves others never leaves its place. */
static void *socket_in_netns(void *arg)
{
	struct socket_arg *s = arg;
	char path[128];
	int ns;

	snprintf(path, sizeof(path), "/run/netns/%s", s->netns);
	ns = open(path, O_RDONLY | O_CLOEXEC);
	if (ns < 0) {
		s->fd = -errno;
		return NULL;
	}
	if (setns(ns, CLONE_NEWNET)) /* EINVAL: a file that no namespace is mounted on */
		s->fd = errno == EINVAL ? -ENOENT : -errno;
	else
		s->fd = (int)sys_ret(socket(s->family, SOCK_STREAM | SOCK_CLOEXEC, 0));
	close(ns);
	return NULL;
}

/* A socket is of the namespace in which it was made, whoever uses it then. */
static int socket_new(int family, const char *netns)
{
	struct socket_arg s = { family, netns, -1 };
	sigset_t all, old;
	pthread_t thread;
	int r;

	if (!*netns)
		return (int)sys_ret(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0));
	if (strlen(netns) > LOOP_NETNS_BYTES_MAX || strchr(netns, '/') || netns[0] == '.')
		return -ENOENT;
	sigfillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	r = pthread_create(&thread, NULL, socket_in_netns, &s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (r)
		return -r;
	pthread_join(thread, NULL);
	return s.fd;
}

static int host_listen(struct loops *loops, const struct sockaddr *addr, socklen_t addrlen,
	const char *netns, int flags, struct sockaddr_storage *ret_bound)
{
	struct sockaddr_storage bound;
	int ret, fd = socket_new(addr->sa_family, netns);

	if (fd < 0)
		return fd;
	ret = listen_options(fd, addr, flags);
	if (!ret && (bind(fd, addr, addrlen) || listen(fd, SOMAXCONN)))
		ret = -errno;
	if (!ret)
		ret = host_sockname(loops, fd, &bound);
	if (ret) {
		close(fd);
		return ret;
	}
	if (ret_bound)
		*ret_bound = bound;
	return fd;
}

static int host_open(struct loops *loops, const char *path, int flags, mode_t mode)
{
	int fd;

	do {
		fd = open(path, flags | O_CLOEXEC, mode);
	} while (fd < 0 && errno == EINTR);
	return (int)sys_ret(fd);
}

static int host_close(struct loops *loops, int fd)
{
	/* Linux frees the descriptor also when close() is interrupted. */
	return close(fd) && errno != EINTR ? -errno : 0;
}

static int64_t host_pread(struct loops *loops, int fd, void *buf, size_t n, uint64_t off)
{
	ssize_t r;

	do {
		r = pread(fd, buf, n, (off_t)off);
	} while (r < 0 && errno == EINTR);
	return sys_ret(r);
}

static int64_t host_pwrite(struct loops *loops, int fd, const void *buf, size_t n, uint64_t off)
{
	ssize_t r;

	do {
		r = pwrite(fd, buf, n, (off_t)off);
	} while (r < 0 && errno == EINTR);
	return sys_ret(r);
}

static int host_fsync(struct loops *loops, int fd, bool datasync)
{
	int r;

	do {
		r = datasync ? fdatasync(fd) : fsync(fd);
	} while (r && errno == EINTR);
	return (int)sys_ret(r);
}

static int host_ftruncate(struct loops *loops, int fd, uint64_t size)
{
	int r;

	do {
		r = ftruncate(fd, (off_t)size);
	} while (r && errno == EINTR);
	return (int)sys_ret(r);
}

static int host_fstat(struct loops *loops, int fd, struct stat *ret)
{
	return (int)sys_ret(fstat(fd, ret));
}

static int64_t host_lseek(struct loops *loops, int fd, int64_t off, int whence)
{
	return sys_ret(lseek(fd, off, whence));
}

static int host_rename(struct loops *loops, const char *from, const char *to)
{
	return (int)sys_ret(rename(from, to));
}

static int host_unlink(struct loops *loops, const char *path)
{
	return (int)sys_ret(unlink(path));
}

static int host_mkdir(struct loops *loops, const char *path, mode_t mode)
{
	return (int)sys_ret(mkdir(path, mode));
}

static int host_fsync_dir(struct loops *loops, const char *dir)
{
	int ret, fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return -errno;
	ret = host_fsync(loops, fd, false);
	close(fd);
	return ret;
}

const struct loop_sys loop_sys_host = {
	.listen = host_listen,
	.has_address = host_has_address,
	.peername = host_peername,
	.sockname = host_sockname,
	.open = host_open,
	.close = host_close,
	.pread = host_pread,
	.pwrite = host_pwrite,
	.fsync = host_fsync,
	.ftruncate = host_ftruncate,
	.fstat = host_fstat,
	.lseek = host_lseek,
	.rename = host_rename,
	.unlink = host_unlink,
	.mkdir = host_mkdir,
	.fsync_dir = host_fsync_dir,
};
