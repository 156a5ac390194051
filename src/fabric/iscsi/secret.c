/* SPDX-License-Identifier: BSD-3-Clause */
/* secret.c: secrets from files and systemd credentials. */
#include "fabric/iscsi/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/log.h"
#include "fabric/iscsi/limits.h"

/* The file that source means, in path of SECRET_SOURCE_BYTES_MAX + 1 bytes. */
static int place_of(const char *source, char *path, struct errmsg *err)
{
	const char *name = source + strlen(SECRET_CREDENTIAL), *dir;
	int n;

	if (strlen(source) > SECRET_SOURCE_BYTES_MAX)
		return errmsg_set(err, -EINVAL, "a path of at most %d bytes is possible",
			SECRET_SOURCE_BYTES_MAX);
	if (source[0] == '/') {
		strcpy(path, source);
		return 0;
	}
	if (strncmp(source, SECRET_CREDENTIAL, strlen(SECRET_CREDENTIAL)) != 0)
		return errmsg_set(err, -EINVAL,
			"\"%.200s\": an absolute path is meant, or " SECRET_CREDENTIAL "NAME",
			source);
	if (!*name || strchr(name, '/') || name[0] == '.')
		return errmsg_set(err, -EINVAL, "\"%.200s\" is no name of a credential", source);
	dir = getenv("CREDENTIALS_DIRECTORY");
	if (!dir || dir[0] != '/')
		return errmsg_set(err, -ENOENT,
			"%.200s: systemd has handed over no credentials: add "
			"LoadCredential=%.100s:/PATH to the service",
			source, name);
	n = snprintf(path, SECRET_SOURCE_BYTES_MAX + 1, "%s/%s", dir, name);
	if (n < 0 || n > SECRET_SOURCE_BYTES_MAX)
		return errmsg_set(err, -EINVAL, "%.200s: the path is too long", source);
	return 0;
}

/* Not a pipe, nor anything else that one may wait for. 0 or -errno. */
static int check_file(int fd, const char *path, struct errmsg *err)
{
	struct stat st;

	if (fstat(fd, &st))
		return errmsg_set(err, -errno, "%s: %s", path, err_text(-errno));
	if (!S_ISREG(st.st_mode))
		return errmsg_set(err, -EINVAL, "%s is no regular file", path);
	if (st.st_mode & S_IROTH)
		log_msg(LOG_LEVEL_WARN, "iscsi",
			"%s, which holds a secret, can be read by everybody: chmod 640 or 600",
			path);
	return 0;
}

/* The first line of n bytes at buf, which is one byte longer. */
static int take_line(char *buf, size_t n, size_t cap, const char *path, struct errmsg *err)
{
	const char *end = memchr(buf, '\n', n);
	size_t len = end ? (size_t)(end - buf) : n;

	if (len && buf[len - 1] == '\r')
		len--;
	if (!len)
		return errmsg_set(err, -EINVAL, "%s: there is no secret in its first line", path);
	if (memchr(buf, '\0', len))
		return errmsg_set(err, -EINVAL, "%s: a secret has no NUL in it", path);
	if (len >= cap)
		return errmsg_set(err, -EINVAL, "%s: a secret of at most %zu bytes is possible",
			path, cap - 1);
	buf[len] = '\0';
	return 0;
}

int secret_read(const char *source, char *buf, size_t cap, struct errmsg *err)
{
	char path[SECRET_SOURCE_BYTES_MAX + 1], line[CHAP_SECRET_BYTES_MAX + 4];
	size_t n = 0;
	ssize_t got;
	int fd, r = place_of(source, path, err);

	if (r)
		return r;
	fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	if (fd < 0)
		return errmsg_set(err, -errno,
			"%s: %s; the daemon runs as user %u and must be able to read it", path,
			err_text(-errno), geteuid());
	r = check_file(fd, path, err);
	while (!r && n < sizeof(line) - 1) {
		got = read(fd, line + n, sizeof(line) - 1 - n);
		if (got < 0 && errno != EINTR)
			r = errmsg_set(err, -errno, "%s: %s", path, err_text(-errno));
		if (got == 0)
			break;
		n += got > 0 ? (size_t)got : 0;
	}
	close(fd);
	if (!r)
		r = take_line(line, n, cap < sizeof(line) ? cap : sizeof(line), path, err);
	if (!r)
		strcpy(buf, line);
	else
		explicit_bzero(buf, cap);
	explicit_bzero(line, sizeof(line));
	return r;
}
