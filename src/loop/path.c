/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * path.c: files by path for the control thread and workers, and whole files at a time. Everything
 * here goes through struct loop_sys, so that the simulator's disk sees each single step.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "loop/loop_priv.h"

int loops_listen(struct loops *loops, const struct sockaddr *addr, socklen_t addrlen,
	const char *netns, int flags, struct sockaddr_storage *ret_bound)
{
	return loops->sys->listen(loops, addr, addrlen, netns ? netns : "", flags, ret_bound);
}

bool loops_has_address(struct loops *loops, const struct sockaddr *addr, socklen_t addrlen)
{
	return loops->sys->has_address(loops, addr, addrlen);
}

int loops_peername(struct loops *loops, int fd, struct sockaddr_storage *ret)
{
	return loops->sys->peername(loops, fd, ret);
}

int loops_sockname(struct loops *loops, int fd, struct sockaddr_storage *ret)
{
	return loops->sys->sockname(loops, fd, ret);
}

int loops_open(struct loops *loops, const char *path, int flags, mode_t mode)
{
	return loops->sys->open(loops, path, flags, mode);
}

int loops_close(struct loops *loops, int fd)
{
	return loops->sys->close(loops, fd);
}

int64_t loops_pread(struct loops *loops, int fd, void *buf, size_t n, uint64_t off)
{
	return loops->sys->pread(loops, fd, buf, n, off);
}

int64_t loops_pwrite(struct loops *loops, int fd, const void *buf, size_t n, uint64_t off)
{
	return loops->sys->pwrite(loops, fd, buf, n, off);
}

int loops_fsync(struct loops *loops, int fd, bool datasync)
{
	return loops->sys->fsync(loops, fd, datasync);
}

int loops_ftruncate(struct loops *loops, int fd, uint64_t size)
{
	return loops->sys->ftruncate(loops, fd, size);
}

int loops_fstat(struct loops *loops, int fd, struct stat *ret)
{
	return loops->sys->fstat(loops, fd, ret);
}

int64_t loops_lseek(struct loops *loops, int fd, int64_t off, int whence)
{
	return loops->sys->lseek(loops, fd, off, whence);
}

int loops_rename(struct loops *loops, const char *from, const char *to)
{
	return loops->sys->rename(loops, from, to);
}

int loops_unlink(struct loops *loops, const char *path)
{
	return loops->sys->unlink(loops, path);
}

int loops_mkdir(struct loops *loops, const char *path, mode_t mode)
{
	return loops->sys->mkdir(loops, path, mode);
}

int loops_fsync_dir_of(struct loops *loops, const char *path)
{
	const char *slash = strrchr(path, '/');
	char dir[PATH_MAX];
	size_t n;

	if (!slash)
		return loops->sys->fsync_dir(loops, ".");
	n = slash == path ? 1 : (size_t)(slash - path);
	if (n >= sizeof(dir))
		return -ENAMETOOLONG;
	memcpy(dir, path, n);
	dir[n] = '\0';
	return loops->sys->fsync_dir(loops, dir);
}

/* ---- whole files -------------------------------------------------------------------------- */

static int write_all(struct loops *loops, int fd, const char *data, size_t n)
{
	size_t done = 0;

	while (done < n) {
		int64_t r = loops_pwrite(loops, fd, data + done, n - done, done);

		if (r < 0)
			return (int)r;
		if (r == 0)
			return -EIO;
		done += (size_t)r;
	}
	return 0;
}

static int write_temp(
	struct loops *loops, const char *temp, const void *data, size_t n, mode_t mode)
{
	int fd, r, ret = loops_unlink(loops, temp); /* what a crash left; never follow a link */

	if (ret && ret != -ENOENT)
		return ret;
	fd = loops_open(loops, temp, O_WRONLY | O_CREAT | O_EXCL, mode);
	if (fd < 0)
		return fd;
	ret = write_all(loops, fd, data, n);
	if (!ret)
		ret = loops_fsync(loops, fd, false);
	r = loops_close(loops, fd);
	return ret ? ret : r;
}

int loops_write_file(struct loops *loops, const char *path, const void *data, size_t n, mode_t mode)
{
	char temp[PATH_MAX];
	int len = snprintf(temp, sizeof(temp), "%s.new", path);
	int ret;

	if (len < 0 || (size_t)len >= sizeof(temp))
		return -ENAMETOOLONG;
	ret = write_temp(loops, temp, data, n, mode);
	if (!ret)
		ret = loops_rename(loops, temp, path);
	if (ret) {
		(void)loops_unlink(loops, temp);
		return ret;
	}
	return loops_fsync_dir_of(loops, path);
}

static int64_t read_all(struct loops *loops, int fd, char *buf, size_t max)
{
	size_t n = 0;

	while (n < max) {
		int64_t r = loops_pread(loops, fd, buf + n, max - n, n);

		if (r < 0)
			return r;
		if (r == 0)
			break;
		n += (size_t)r;
	}
	return (int64_t)n;
}

int loops_read_file(struct loops *loops, const char *path, size_t max, char **ret, size_t *ret_n)
{
	int fd = loops_open(loops, path, O_RDONLY, 0);
	struct stat st;
	size_t size;
	char *buf;
	int64_t n;
	int r;

	if (fd < 0)
		return fd;
	r = loops_fstat(loops, fd, &st);
	if (!r && st.st_size > 0 && (uint64_t)st.st_size > max)
		r = -EFBIG;
	if (r)
		goto out;
	/* Files of /proc and /sys say 0; theirs are short. */
	size = st.st_size > 0 ? (size_t)st.st_size : (max < 65536 ? max : 65536);
	buf = malloc(size + 2);
	if (!buf) {
		r = -ENOMEM;
		goto out;
	}
	n = read_all(loops, fd, buf, size + 1);
	if (n < 0 || (uint64_t)n > size) {
		free(buf);
		r = n < 0 ? (int)n : -EFBIG;
		goto out;
	}
	buf[n] = '\0';
	*ret = buf;
	*ret_n = (size_t)n;
out:
	loops_close(loops, fd);
	return r;
}
