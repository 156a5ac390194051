/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * quick.c: --disk, --listen, --advertise, --allow and --chap as the operations on the tree that an
 * administrator would do by hand: one target with one portal group.
 */
#include <ctype.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ulio/control.h>
#include <unistd.h>

#include "base/fsutil.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/disk.h"
#include "daemon/place.h"
#include "fabric/iscsi/secret.h"

enum { SECRET_MIN = 12, SECRET_MAX = 255 }; /* RFC 7143 12.1.3: 96 bits at least */

struct quick {
	struct tree *t;
	const struct options *o;
	struct errmsg *err;
	struct node *tpg;
};

/* ---- steps ----------------------------------------------------------------------------------- */

static int put(
	struct quick *q, struct node *dir, const char *sub, const char *attr, const char *value)
{
	struct node *n = *sub ? node_child(dir, sub) : dir;

	if (!n)
		return errmsg_set(q->err, -ENOENT, "%s is not there", sub);
	return tree_set(q->t, n, attr, value, q->err);
}

static struct node *make(struct quick *q, struct node *dir, const char *fmt, ...)
{
	char name[300];
	struct node *n = NULL;
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(name, sizeof(name), fmt, ap);
	va_end(ap);
	if (!dir || tree_mkdir(q->t, dir, name, &n, q->err))
		return NULL;
	return n;
}

const char *daemon_target_name(const struct options *o, char *buf, size_t cap)
{
	char host[64] = "localhost";

	if (o->target)
		return o->target;
	if (gethostname(host, sizeof(host) - 1))
		snprintf(host, sizeof(host), "localhost");
	host[sizeof(host) - 1] = '\0';
	/* RFC 3722: what is no letter, digit, '-', '.' is not possible, and no capital letters. */
	for (char *p = host; *p; p++)
		*p = isalnum((unsigned char)*p) || *p == '.' ? (char)tolower((unsigned char)*p)
							     : '-';
	snprintf(buf, cap, ULIO_TARGET_PREFIX ":%s", host);
	return buf;
}

static bool is_loopback(const char *address)
{
	return !strncmp(address, "127.", 4) || !strncmp(address, "[::1]", 5);
}

/* ---- who may -------------------------------------------------------------------------------- */

static int first_line(const char *path, char secret[SECRET_MAX + 2], struct errmsg *err)
{
	char *text = NULL;
	size_t n;
	int r = file_read(path, 65536, &text, &n);

	if (r)
		return errmsg_set(err, r, "%s: %s", path, err_text(r));
	n = strcspn(text, "\r\n");
	/* One byte too much is enough to tell that it is too long. */
	snprintf(secret, SECRET_MAX + 2, "%.*s", n > SECRET_MAX ? SECRET_MAX + 1 : (int)n, text);
	explicit_bzero(text, strlen(text));
	free(text);
	return 0;
}

/* A secret from a file, its first line, or a credential. Its memory is wiped by the caller. */
static int read_secret(const char *path, char secret[SECRET_MAX + 2], struct errmsg *err)
{
	bool credential = !strncmp(path, SECRET_CREDENTIAL, strlen(SECRET_CREDENTIAL));
	int r = credential ? secret_read(path, secret, SECRET_MAX + 1, err)
			   : first_line(path, secret, err);
	size_t n;

	if (r) {
		errmsg_prefix(err, "--chap");
		return r;
	}
	n = strlen(secret);
	if (n < SECRET_MIN || n > SECRET_MAX)
		return errmsg_set(err, -EINVAL,
			"--chap: %s: a secret of %d to %d bytes in the first line is meant, this "
			"one has %s%zu",
			path, SECRET_MIN, SECRET_MAX, n > SECRET_MAX ? "at least " : "", n);
	return 0;
}

/*
 * Name and secret of --chap USER:FILE into the directory `auth`; of the second and further ones
 * into an account of their own.
 */
static int put_chap(struct quick *q, struct node *auth, unsigned i)
{
	const char *chap = q->o->chap.v[i], *colon = strchr(chap, ':');
	char secret[SECRET_MAX + 2], user[256];
	struct node *account = auth;
	int r;

	if (!colon || colon == chap || !colon[1])
		return errmsg_set(q->err, -EINVAL,
			"--chap %s: USER:FILE or USER:" SECRET_CREDENTIAL "NAME is meant", chap);
	if (colon - chap > 255)
		return errmsg_set(
			q->err, -EINVAL, "--chap: a name of at most 255 bytes is possible");
	snprintf(user, sizeof(user), "%.*s", (int)(colon - chap), chap);
	r = read_secret(colon + 1, secret, q->err);
	if (!r && i) {
		account = make(q, node_child(auth, "users"), "%s", user);
		r = account ? 0 : errmsg_prefix(q->err, "--chap %s", user);
	} else if (!r) {
		r = put(q, auth, "", "userid", user);
	}
	if (!r)
		r = put(q, account, "", "password", secret);
	explicit_bzero(secret, sizeof(secret));
	return r;
}

static int put_chaps(struct quick *q, struct node *auth)
{
	int r = 0;

	for (unsigned i = 0; i < q->o->chap.n && !r; i++)
		r = put_chap(q, auth, i);
	return r;
}

/* An ACL that maps every LUN as it is. */
static int allow_one(struct quick *q, const char *iqn)
{
	struct node *acl = make(q, node_child(q->tpg, "acls"), "%s", iqn), *ml;
	struct node *luns = node_child(q->tpg, "lun");
	int r = acl ? 0 : q->err->code;

	if (!r)
		r = put_chaps(q, node_child(acl, "auth"));
	for (struct node *l = node_first_child(luns); l && !r; l = node_next_child(luns, l)) {
		ml = make(q, acl, "%s", node_name(l));
		r = ml ? tree_link(q->t, ml, "lun", l, q->err) : q->err->code;
	}
	return r;
}

/* --allow and --chap. Without either nobody gets in: said here, or refused if others could try. */
static int allow(struct quick *q)
{
	const struct options *o = q->o;
	bool any = false, open = true;
	int r = 0;

	for (unsigned i = 0; i < (o->listen.n ? o->listen.n : 1); i++)
		open = open && (!o->listen.n || is_loopback(o->listen.v[i]));
	if (!o->allow.n && !o->chap.n && !open)
		return errmsg_set(q->err, -EACCES,
			"nobody may use these disks: add --chap USER:FILE, --allow IQN for each "
			"initiator, or --allow any for everybody who can reach the address");
	if (!o->allow.n && !o->chap.n)
		log_msg(LOG_LEVEL_WARN, "daemon",
			"nobody may use these disks: add --allow IQN, --allow any, or --chap "
			"USER:FILE");
	for (unsigned i = 0; i < o->allow.n; i++)
		any = any || !strcmp(o->allow.v[i], "any");
	/* With a secret alone, who knows it may. */
	any = any || (o->chap.n && !o->allow.n);
	r = put(q, q->tpg, "attrib", "authentication", o->chap.n ? "1" : "0");
	if (!r && any)
		r = put(q, q->tpg, "attrib", "generate_node_acls", "1");
	if (!r && any)
		r = put(q, q->tpg, "attrib", "demo_mode_write_protect", "0");
	if (!r && any)
		r = put_chaps(q, node_child(q->tpg, "auth"));
	/* Discovery takes the secret too, of who has it set for both; it does not demand it. */
	if (!r)
		r = put_chaps(
			q, node_child(node_child(tree_root(q->t), "iscsi"), "discovery_auth"));
	for (unsigned i = 0; i < o->allow.n && !r; i++) {
		if (strcmp(o->allow.v[i], "any") != 0)
			r = allow_one(q, o->allow.v[i]);
	}
	return r;
}

/* ---- LUNs and portals ----------------------------------------------------------------------- */

static int add_lun(struct quick *q, const char *target, unsigned i)
{
	char name[32], uuid[DISK_UUID_CHARS], seed[600];
	struct node *disk = NULL, *lun;
	int r;

	/* The same disk of the same target is the same unit after a restart. */
	snprintf(name, sizeof(name), "disk%u", i);
	snprintf(seed, sizeof(seed), "%s %u %.300s", target, i, q->o->disks.v[i]);
	r = disk_add(q->t, name, q->o->disks.v[i], disk_uuid_of(uuid, seed), &disk, q->err);
	if (r) {
		errmsg_prefix(q->err, "--disk %s", q->o->disks.v[i]);
		return r;
	}
	lun = make(q, node_child(q->tpg, "lun"), "lun_%u", i);
	return lun ? tree_link(q->t, lun, name, disk, q->err) : q->err->code;
}

static int add_portal(struct quick *q, unsigned i)
{
	const char *listen = q->o->listen.n ? q->o->listen.v[i] : "127.0.0.1";
	char name[300], advertise[300];
	struct node *np;

	place_portal_name(listen, name, sizeof(name));
	np = make(q, node_child(q->tpg, "np"), "%s", name);
	if (!np) {
		errmsg_prefix(q->err, "--listen %s", listen);
		return q->err->code;
	}
	if (i >= q->o->advertise.n)
		return 0;
	place_portal_name(q->o->advertise.v[i], advertise, sizeof(advertise));
	return put(q, np, "", "advertise", advertise);
}

int daemon_quick(struct daemon *d, struct errmsg *err)
{
	struct quick q = { d->tree, d->o, err, NULL };
	char buf[256];
	const char *name = daemon_target_name(d->o, buf, sizeof(buf));
	struct node *target = make(&q, make(&q, tree_root(d->tree), "iscsi"), "%s", name);
	int r;

	q.tpg = make(&q, target, "tpgt_1");
	r = q.tpg ? 0 : err->code;
	for (unsigned i = 0; i < d->o->disks.n && !r; i++)
		r = add_lun(&q, name, i);
	for (unsigned i = 0; i < (d->o->listen.n ? d->o->listen.n : 1) && !r; i++)
		r = add_portal(&q, i);
	if (!r)
		r = allow(&q);
	if (!r)
		r = put(&q, q.tpg, "", "enable", "1");
	return r;
}
