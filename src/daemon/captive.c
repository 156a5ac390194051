/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * captive.c: --run: the daemon serves one command on a port of its own, behind a secret that only
 * the command is told, and ends with it.
 */
#include <errno.h>
#include <ftw.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <ulio/control.h>
#include <unistd.h>

#include "base/fsutil.h"
#include "base/hex.h"
#include "base/log.h"
#include "base/rng.h"
#include "daemon/daemon.h"
#include "daemon/url.h"

enum { SECRET_BYTES = 16 };

/* A port of 127.0.0.1 that nobody uses now, 0 if there is none. */
static unsigned free_port(void)
{
	struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(a);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool good = fd >= 0 && !bind(fd, (struct sockaddr *)&a, sizeof(a)) &&
		    !getsockname(fd, (struct sockaddr *)&a, &len);

	if (fd >= 0)
		close(fd);
	return good ? ntohs(a.sin_port) : 0;
}

/* A secret of hexadecimal digits in a file of the scratch directory: "USER:FILE". */
static int new_secret(struct daemon *d, const char **ret_chap, struct errmsg *err)
{
	uint8_t raw[SECRET_BYTES];
	char text[2 * SECRET_BYTES + 1], path[300];
	char *chap;
	int r = rng_fill(raw, sizeof(raw));

	if (r)
		return errmsg_set(err, r, "--run: no random numbers: %s", err_text(r));
	hex_encode(text, sizeof(text), raw, sizeof(raw));
	snprintf(path, sizeof(path), "%s/secret", d->scratch);
	r = file_write_atomic(path, text, strlen(text), 0600);
	explicit_bzero(text, sizeof(text));
	if (r)
		return errmsg_set(err, r, "--run: %s: %s", path, err_text(r));
	if (asprintf(&chap, "captive:%s", path) < 0)
		return errmsg_set(err, -ENOMEM, "--run: out of memory");
	*ret_chap = chap;
	return 0;
}

int daemon_captive_options(struct daemon *d, struct options *o, struct errmsg *err)
{
	char dir[] = "/tmp/uliod-XXXXXX";
	static char listen[32];
	unsigned port;

	if (!mkdtemp(dir) || !(d->scratch = strdup(dir)))
		return errmsg_set(err, -errno, "--run: %s: %s", dir, err_text(-errno));
	if (!o->listen.n) {
		port = free_port();
		if (!port)
			return errmsg_set(err, -EADDRNOTAVAIL, "--run: no free port on 127.0.0.1");
		snprintf(listen, sizeof(listen), "127.0.0.1:%u", port);
		o->listen.v[o->listen.n++] = listen;
	}
	if (o->allow.n || o->chap.n)
		return 0;
	return new_secret(d, &o->chap.v[o->chap.n++], err);
}

/* "user%secret" of --chap, NULL without. */
static char *auth_of(const struct options *o)
{
	const char *colon;
	char *text = NULL, *auth = NULL;
	size_t n;

	if (!o->chap.n)
		return NULL;
	colon = strchr(o->chap.v[0], ':');
	if (!colon || file_read(colon + 1, 65536, &text, &n))
		return NULL;
	if (asprintf(&auth, "%.*s%%%.*s", (int)(colon - o->chap.v[0]), o->chap.v[0],
		    (int)strcspn(text, "\r\n"), text) < 0)
		auth = NULL;
	explicit_bzero(text, n);
	free(text);
	return auth;
}

/* $ULIO_URL: LUN 0; $ULIO_URL_1 and so on: the others. */
static void put_environment(struct daemon *d)
{
	char *auth = auth_of(d->o), name[32];
	struct strbuf url;

	strbuf_init(&url);
	for (unsigned i = 0; i < d->o->disks.n; i++) {
		strbuf_reset(&url);
		url_of_lun(d->o, auth, i, &url);
		snprintf(name, sizeof(name), "ULIO_URL_%u", i);
		setenv(name, url.s, 1);
		if (!i)
			setenv("ULIO_URL", url.s, 1);
	}
	if (d->sock)
		setenv(ULIO_CONTROL_ENV, d->control_path, 1);
	explicit_bzero(url.s, url.len);
	strbuf_done(&url);
	if (auth)
		explicit_bzero(auth, strlen(auth));
	free(auth);
}

int daemon_captive_start(struct daemon *d, struct errmsg *err)
{
	sigset_t none;
	pid_t pid;

	put_environment(d);
	pid = fork();
	if (pid < 0)
		return errmsg_set(err, -errno, "--run: %s", err_text(-errno));
	if (!pid) {
		sigemptyset(&none);
		sigprocmask(SIG_SETMASK, &none, NULL);
		signal(SIGPIPE, SIG_DFL);
		execl("/bin/sh", "sh", "-c", d->o->run, (char *)NULL);
		_exit(127);
	}
	d->child = pid;
	return 0;
}

void daemon_captive_end(struct daemon *d)
{
	char path[300];

	if (d->child > 0) {
		kill(d->child, SIGTERM);
		/* It may be in the middle of a request to us. */
		tree_leave(d->tree);
		waitpid(d->child, NULL, 0);
		tree_enter(d->tree);
		d->child = 0;
	}
	if (!d->scratch)
		return;
	snprintf(path, sizeof(path), "%s/secret", d->scratch);
	unlink(path);
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)remove(path);
	return 0;
}

void daemon_captive_clean(struct daemon *d)
{
	enum { FDS = 8 };

	if (!d->scratch)
		return;
	nftw(d->scratch, remove_entry, FDS, FTW_DEPTH | FTW_PHYS | FTW_MOUNT);
	free(d->scratch);
	d->scratch = NULL;
}
