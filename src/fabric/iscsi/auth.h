/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * auth.h: the accounts of one place that initiators authenticate at: an ACL, a portal group (for
 * who has no ACL), or discovery. The general account is LIO's auth/ directory; any number of others
 * (AUTH_USERS_MAX) are kept beside it.
 *
 * Secrets are given as values, or read from a file or a credential (secret.h); auth_refresh() reads
 * those again. A change holds for logins from then on and ends no session.
 *
 * All functions are for the control thread, but for auth_copy(), and auth_init() and auth_done() of
 * what has no sources and no further users. What logins see changes under the configuration lock.
 */
#ifndef ULIO_FABRIC_ISCSI_AUTH_H
#define ULIO_FABRIC_ISCSI_AUTH_H

#include <stdbool.h>

#include "base/err.h"
#include "base/list.h"
#include "fabric/iscsi/chap.h"

struct auth;
struct entity;

/* The values of an account. */
enum auth_field {
	AUTH_USERID,
	AUTH_PASSWORD,
	AUTH_PASSWORD_NEXT,
	AUTH_USERID_MUTUAL,
	AUTH_PASSWORD_MUTUAL,
	AUTH_FIELDS
};

/* An account as the administrator has set it. */
struct auth_user {
	struct auth *auth; /* whose it is */
	struct list link; /* in auth->users; the general account is in no list */
	struct list sourced; /* in entity->sourced while it has a source */
	struct chap_user *values; /* owned; NULL: none was ever set, which most never are */
	char *sources[AUTH_FIELDS]; /* of secrets: where they are read from, or NULL */
	/* Of no meaning here: which fields were cleared by "NULL", and are shown so. */
	unsigned cleared;
	void *tree_obj;
};

struct auth {
	struct entity *entity;
	struct auth_user own; /* the general account */
	struct list users; /* struct auth_user by link: the others */
	unsigned nusers;
	struct chap_policy policy; /* n == 0: as where it belongs to says */
	struct chap_users *shared; /* ref; what logins see of the others */
};

void auth_init(struct auth *auth, struct entity *entity);
/* Wipe. Its further users must be gone. */
void auth_done(struct auth *auth);

/* What a login is judged by; the copy has a reference of its own. Under the lock, any thread. */
void auth_copy(const struct auth *auth, struct chap_auth *ret);

/* A further account. 0, -EINVAL, -EEXIST, -ENOSPC, -ENOMEM. */
int auth_user_new(struct auth *auth, const char *name, struct auth_user **ret, struct errmsg *err);
int auth_user_free(struct auth_user *u, struct errmsg *err);

/*
 * Values. A secret that is set so has no source any more; "" clears. 0, -ENOMEM, -EINVAL: it is too
 * long, or not UTF-8, which is what can be saved; of any other bytes a secret is given by a source.
 */
int auth_set_value(
	struct auth_user *u, enum auth_field field, const char *value, struct errmsg *err);
const char *auth_value(const struct auth_user *u, enum auth_field field);
/* All of them. */
const struct chap_user *auth_values(const struct auth_user *u);
/*
 * Where a secret is read from, now and by auth_refresh(); "" ends that and clears it. 0, or the
 * error of secret_read(), and nothing has changed.
 */
int auth_set_source(
	struct auth_user *u, enum auth_field field, const char *source, struct errmsg *err);
/*
 * The end of a change of secret: the next one becomes the password, with its source, and there is
 * no next one any more. -ENOENT: there is none.
 */
int auth_promote(struct auth_user *u, struct errmsg *err);
int auth_set_policy(struct auth *auth, const struct chap_policy *p);

/*
 * Read all secrets again that have a source. What cannot be read stays as it was, and is told:
 * failed(source, why, arg). Returns how many were read; *ret_changed: how many of those are new.
 */
unsigned auth_refresh(struct entity *e, unsigned *ret_changed,
	void (*failed)(const char *source, const char *why, void *arg), void *arg);

#endif
