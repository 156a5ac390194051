/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * fuse_path.c: texts of links. symlink(2) of configfs resolves its text as the caller sees it; a
 * FUSE server is told the text alone, and works out where it leads.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/strbuf.h"
#include "control/fuse_priv.h"

/* Append the parts of text to the path ret; "." and ".." are taken out. False: too long. */
static bool append_parts(char *ret, const char *text)
{
	size_t len = strlen(ret);

	for (;;) {
		size_t n;

		text += strspn(text, "/");
		n = strcspn(text, "/");
		if (!n)
			return true;
		if (n == 2 && !memcmp(text, "..", 2)) {
			char *slash = strrchr(ret, '/');

			len = slash ? (size_t)(slash - ret) : 0;
			ret[len] = '\0';
		} else if (n != 1 || *text != '.') {
			if (len + 1 + n >= PATH_MAX)
				return false;
			ret[len++] = '/';
			memcpy(ret + len, text, n);
			len += n;
			ret[len] = '\0';
		}
		text += n;
	}
}

static bool make_absolute(const char *base, const char *text, char *ret)
{
	ret[0] = '\0';
	if (text[0] != '/' && !append_parts(ret, base))
		return false;
	return append_parts(ret, text);
}

/* The rest of path behind a first component that is "target", NULL if there is none. */
static const char *behind_target(const char *path)
{
	static const char word[] = "/target";

	for (; path; path = strchr(path + 1, '/')) {
		const char *rest = path + strlen(word);

		if (!strncmp(path, word, strlen(word)) && (*rest == '/' || !*rest))
			return rest;
	}
	return NULL;
}

bool fuse_path_in_tree(const char *dir, const char *base, const char *text, char *ret)
{
	char path[PATH_MAX];
	size_t n = strlen(dir);
	const char *rest;

	if (!make_absolute(base, text, path))
		return false;
	/* The mount's own place, else wherever else the caller may see it. */
	rest = behind_target(!strncmp(path, dir, n) && path[n] == '/' ? path + n : path);
	if (!rest)
		return false;
	snprintf(ret, PATH_MAX, "%s", *rest ? rest : "/");
	return true;
}

int fuse_path_outside(pid_t pid, const char *base, const char *text)
{
	/* Mounts are not entered: one of them may be ours and would have to be served by us. */
	struct open_how how = { .flags = O_PATH | O_CLOEXEC,
		.resolve = RESOLVE_NO_XDEV | RESOLVE_NO_MAGICLINKS | RESOLVE_IN_ROOT };
	char root[32], path[PATH_MAX];
	int dir, fd, r = -EPERM;

	if (!make_absolute(base, text, path))
		return -ENAMETOOLONG;
	snprintf(root, sizeof(root), "/proc/%d/root", (int)pid);
	dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0)
		return -EPERM;
	fd = (int)syscall(SYS_openat2, dir, path, &how, sizeof(how));
	if (fd < 0 && errno != EXDEV && errno != ENOSYS && errno != EACCES)
		r = -errno;
	if (fd >= 0)
		close(fd);
	close(dir);
	return r;
}

bool fuse_path_cwd(pid_t pid, char *ret)
{
	char link[32];
	ssize_t n;

	snprintf(link, sizeof(link), "/proc/%d/cwd", (int)pid);
	n = readlink(link, ret, PATH_MAX - 1);
	if (n < 0)
		return false;
	ret[n] = '\0';
	return true;
}

void fuse_path_relative(const struct node *dir, const struct node *target, struct strbuf *out)
{
	/* One step for each directory up to the root of the tree, one for "target" itself. */
	for (const struct node *n = dir; n; n = node_parent(n))
		strbuf_puts(out, "../");
	strbuf_puts(out, "target");
	node_path(target, out);
}
