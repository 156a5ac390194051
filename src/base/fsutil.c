/* SPDX-License-Identifier: BSD-3-Clause */
/* fsutil.c: small whole files. */
#include "base/fsutil.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static int write_all(int fd, const char *p, size_t n)
{
	while (n) {
		ssize_t k = write(fd, p, n);

		if (k < 0) {
			if (errno == EINTR)
				continue;
			return -errno;
		}
		p += k;
		n -= (size_t)k;
	}
	return 0;
}

/* Write the temporary file, whose path ends in XXXXXX (mkostemp). */
static int write_temporary(char *tmp, const void *data, size_t len, mode_t mode)
{
	int fd = mkostemp(tmp, O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = write_all(fd, data, len);
	if (rc == 0 && (fchmod(fd, mode) < 0 || fsync(fd) < 0))
		rc = -errno;
	if (close(fd) < 0 && rc == 0)
		rc = -errno;
	if (rc < 0)
		unlink(tmp);
	return rc;
}

static int sync_directory(const char *dir)
{
	int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int rc = 0;

	if (fd < 0)
		return -errno;
	if (fsync(fd) < 0)
		rc = -errno;
	close(fd);
	return rc;
}

int file_write_atomic(const char *path, const void *data, size_t len, mode_t mode)
{
	char real[PATH_MAX], tmp[PATH_MAX], *slash;
	int rc, n;

	/* the file need not exist yet; a link to nothing is replaced itself */
	if (!realpath(path, real)) {
		if (errno != ENOENT)
			return -errno;
		n = snprintf(real, sizeof(real), "%s", path);
		if (n >= (int)sizeof(real))
			return -ENAMETOOLONG;
	}
	n = snprintf(tmp, sizeof(tmp), "%s.XXXXXX", real);
	if (n >= (int)sizeof(tmp))
		return -ENAMETOOLONG;
	rc = write_temporary(tmp, data, len, mode);
	if (rc < 0)
		return rc;
	if (rename(tmp, real) < 0) {
		rc = -errno;
		unlink(tmp);
		return rc;
	}
	slash = strrchr(real, '/');
	if (!slash)
		return sync_directory(".");
	slash[slash == real] = '\0';
	return sync_directory(real);
}

/* Read to the end of fd, or until there are more than max bytes. */
static int read_all(int fd, size_t max, char **ret_data, size_t *ret_len)
{
	size_t cap = 4096, len = 0;
	char *data = NULL, *more;
	int rc = 0;

	do {
		ssize_t n;

		if (!data || len + 1 == cap) {
			cap = data ? cap * 2 : cap;
			more = realloc(data, cap);
			if (!more) {
				rc = -ENOMEM;
				break;
			}
			data = more;
		}
		n = read(fd, data + len, cap - 1 - len);
		if (n < 0) {
			if (errno == EINTR)
				continue;
			rc = -errno;
		} else if (n == 0) {
			data[len] = '\0';
			*ret_data = data;
			*ret_len = len;
			return 0;
		} else {
			len += (size_t)n;
			if (len > max)
				rc = -EFBIG;
		}
	} while (rc == 0);
	free(data);
	return rc;
}

int file_read(const char *path, size_t max, char **ret_data, size_t *ret_len)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	int rc;

	if (fd < 0)
		return -errno;
	rc = read_all(fd, max, ret_data, ret_len);
	close(fd);
	return rc;
}
