/* SPDX-License-Identifier: BSD-3-Clause */
/* auth.c: accounts, and where their secrets come from. */
#include "fabric/iscsi/auth.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "base/log.h"
#include "base/utf8.h"
#include "fabric/iscsi/limits.h"
#include "fabric/iscsi/secret.h"
#include "fabric/iscsi/target.h"

static const struct {
	const char *name;
	size_t offset;
} fields[AUTH_FIELDS] = {
	[AUTH_USERID] = { "userid", offsetof(struct chap_user, userid) },
	[AUTH_PASSWORD] = { "password", offsetof(struct chap_user, password) },
	[AUTH_PASSWORD_NEXT] = { "password_next", offsetof(struct chap_user, password_next) },
	[AUTH_USERID_MUTUAL] = { "userid_mutual", offsetof(struct chap_user, userid_mutual) },
	[AUTH_PASSWORD_MUTUAL] = { "password_mutual", offsetof(struct chap_user, password_mutual) },
};

static_assert(CHAP_NAME_BYTES_MAX == CHAP_SECRET_BYTES_MAX, "all fields are of one size");
enum { FIELD_BYTES = CHAP_SECRET_BYTES_MAX + 1 };

static char *field_of(struct chap_user *u, enum auth_field field)
{
	return (char *)u + fields[field].offset;
}

const struct chap_user *auth_values(const struct auth_user *u)
{
	static const struct chap_user none;

	return u->values ? u->values : &none;
}

static void user_init(struct auth_user *u, struct auth *auth)
{
	u->auth = auth;
	list_init(&u->link);
	list_init(&u->sourced);
}

/* In the list of those that have a source, or not. */
static void mark_sourced(struct auth_user *u)
{
	bool any = false;

	for (int i = 0; i < AUTH_FIELDS; i++)
		any = any || u->sources[i];
	if (any && !list_linked(&u->sourced))
		list_push_back(&u->auth->entity->sourced, &u->sourced);
	else if (!any && list_linked(&u->sourced))
		list_del(&u->sourced);
}

static void user_done(struct auth_user *u)
{
	for (int i = 0; i < AUTH_FIELDS; i++) {
		free(u->sources[i]);
		u->sources[i] = NULL;
	}
	mark_sourced(u);
	if (u->values)
		OPENSSL_cleanse(u->values, sizeof(*u->values));
	free(u->values);
	u->values = NULL;
}

void auth_init(struct auth *auth, struct entity *entity)
{
	memset(auth, 0, sizeof(*auth));
	auth->entity = entity;
	list_init(&auth->users);
	user_init(&auth->own, auth);
}

void auth_done(struct auth *auth)
{
	assert(list_empty(&auth->users));
	user_done(&auth->own);
	auth->shared = chap_users_unref(auth->shared);
}

void auth_copy(const struct auth *auth, struct chap_auth *ret)
{
	ret->user = *auth_values(&auth->own);
	ret->more = chap_users_ref(auth->shared);
	ret->policy = auth->policy;
}

/* ---- publishing ------------------------------------------------------------------------------ */

/* The accounts as logins see them; *ret NULL: there are none. 0 or -ENOMEM. */
static int make_shared(const struct auth *auth, struct chap_users **ret)
{
	struct chap_users *s = NULL;
	const struct auth_user *u;

	*ret = NULL;
	if (!auth->nusers)
		return 0;
	s = calloc(1, sizeof(*s) + auth->nusers * sizeof(s->v[0]));
	if (!s)
		return -ENOMEM;
	atomic_init(&s->refs, 1);
	list_for_each (u, &auth->users, struct auth_user, link)
		s->v[s->n++] = *auth_values(u);
	*ret = s;
	return 0;
}

static void publish(struct auth *auth, struct chap_users *shared)
{
	struct chap_users *old;

	engine_lock(auth->entity->eng);
	old = auth->shared;
	auth->shared = shared;
	engine_unlock(auth->entity->eng);
	chap_users_unref(old);
}

/* The general account's first value of all. 0 or -ENOMEM. */
static int make_values(struct auth_user *u)
{
	struct chap_user *values = calloc(1, sizeof(*values));

	if (!values)
		return -ENOMEM;
	engine_lock(u->auth->entity->eng);
	u->values = values;
	engine_unlock(u->auth->entity->eng);
	return 0;
}

/* A field gets a new value: of the general account in place, of others by a new list. */
static int change(struct auth_user *u, enum auth_field field, const char *value, struct errmsg *err)
{
	struct chap_users *shared;
	char old[FIELD_BYTES];
	char *at;
	int r = 0;

	if (!u->values && !*value)
		return 0;
	if (!u->values && make_values(u))
		return errmsg_set(err, -ENOMEM, "%s: out of memory", fields[field].name);
	at = field_of(u->values, field);
	if (u == &u->auth->own) {
		engine_lock(u->auth->entity->eng);
		OPENSSL_cleanse(at, FIELD_BYTES);
		strcpy(at, value);
		engine_unlock(u->auth->entity->eng);
		return 0;
	}
	memcpy(old, at, FIELD_BYTES);
	OPENSSL_cleanse(at, FIELD_BYTES);
	strcpy(at, value);
	if (make_shared(u->auth, &shared)) {
		memcpy(at, old, FIELD_BYTES);
		r = errmsg_set(err, -ENOMEM, "%s: out of memory", fields[field].name);
	} else {
		publish(u->auth, shared);
	}
	explicit_bzero(old, sizeof(old));
	return r;
}

/* ---- accounts -------------------------------------------------------------------------------- */

int auth_user_new(struct auth *auth, const char *name, struct auth_user **ret, struct errmsg *err)
{
	struct auth_user *u;
	struct chap_users *shared;

	if (strlen(name) > CHAP_NAME_BYTES_MAX)
		return errmsg_set(
			err, -EINVAL, "a CHAP name has at most %d bytes", CHAP_NAME_BYTES_MAX);
	if (auth->nusers >= AUTH_USERS_MAX)
		return errmsg_set(err, -ENOSPC,
			"%s: there are %d accounts here already, the most that are possible", name,
			AUTH_USERS_MAX);
	list_for_each (u, &auth->users, struct auth_user, link)
		if (!strcmp(auth_values(u)->userid, name))
			return errmsg_set(err, -EEXIST, "there is an account %s already", name);
	u = calloc(1, sizeof(*u));
	if (u)
		u->values = calloc(1, sizeof(*u->values));
	if (!u || !u->values) {
		free(u);
		return errmsg_set(err, -ENOMEM, "%s: out of memory", name);
	}
	user_init(u, auth);
	strcpy(u->values->userid, name);
	list_push_back(&auth->users, &u->link);
	auth->nusers++;
	if (make_shared(auth, &shared)) {
		list_del(&u->link);
		auth->nusers--;
		user_done(u);
		free(u);
		return errmsg_set(err, -ENOMEM, "%s: out of memory", name);
	}
	publish(auth, shared);
	*ret = u;
	return 0;
}

int auth_user_free(struct auth_user *u, struct errmsg *err)
{
	struct auth *auth = u->auth;
	struct list *next = u->link.next;
	struct chap_users *shared;

	list_del(&u->link);
	auth->nusers--;
	if (make_shared(auth, &shared)) {
		list_push_back(next, &u->link);
		auth->nusers++;
		return errmsg_set(err, -ENOMEM, "%s: out of memory", auth_values(u)->userid);
	}
	publish(auth, shared);
	user_done(u);
	free(u);
	return 0;
}

/* ---- values ---------------------------------------------------------------------------------- */

static bool is_name(enum auth_field field)
{
	return field == AUTH_USERID || field == AUTH_USERID_MUTUAL;
}

/* RFC 7143 9.2.1: 96 bits at least, unless IPsec is in use, which is not known here. */
static void warn_if_short(const struct auth_user *u, enum auth_field field, const char *value)
{
	if (!is_name(field) && value[0] && strlen(value) < CHAP_SECRET_BYTES_GOOD)
		log_msg(LOG_LEVEL_WARN, "iscsi",
			"%s of CHAP user \"%s\" is shorter than %d bytes: only safe where IPsec "
			"protects the connection (RFC 7143 9.2.1)",
			fields[field].name, auth_values(u)->userid, CHAP_SECRET_BYTES_GOOD);
}

const char *auth_value(const struct auth_user *u, enum auth_field field)
{
	return (const char *)auth_values(u) + fields[field].offset;
}

/* A value, wherever it is from; it has no source from here on. */
static int replace(
	struct auth_user *u, enum auth_field field, const char *value, struct errmsg *err)
{
	int r = change(u, field, value, err);

	if (r)
		return r;
	free(u->sources[field]);
	u->sources[field] = NULL;
	mark_sourced(u);
	warn_if_short(u, field, value);
	return 0;
}

/* It is saved as it is given (saveconfig.json), and text in JSON is UTF-8. */
static int not_text(enum auth_field field, struct errmsg *err)
{
	if (is_name(field))
		return errmsg_set(err, -EINVAL, "%s: a name must be UTF-8 text, which can be saved",
			fields[field].name);
	return errmsg_set(err, -EINVAL,
		"%s: this secret is not UTF-8 text and could not be saved: write it to a file and "
		"set %s_file to its path",
		fields[field].name, fields[field].name);
}

int auth_set_value(
	struct auth_user *u, enum auth_field field, const char *value, struct errmsg *err)
{
	size_t n = strlen(value);

	if (n >= FIELD_BYTES)
		return errmsg_set(err, -EINVAL, "%s: %zu bytes are too long, at most %d",
			fields[field].name, n, FIELD_BYTES - 1);
	if (!utf8_valid(value, n))
		return not_text(field, err);
	return replace(u, field, value, err);
}

int auth_set_source(
	struct auth_user *u, enum auth_field field, const char *source, struct errmsg *err)
{
	char value[FIELD_BYTES], *copy;
	int r;

	if (!*source) {
		/* A secret that was given as a value has no source to be cleared. */
		return u->sources[field] ? auth_set_value(u, field, "", err) : 0;
	}
	r = secret_read(source, value, sizeof(value), err);
	if (r) {
		errmsg_prefix(err, "%s_file", fields[field].name);
		return r;
	}
	copy = strdup(source);
	r = copy ? replace(u, field, value, err)
		 : errmsg_set(err, -ENOMEM, "%s: out of memory", source);
	explicit_bzero(value, sizeof(value));
	if (r) {
		free(copy);
		return r;
	}
	u->sources[field] = copy;
	mark_sourced(u);
	return 0;
}

int auth_promote(struct auth_user *u, struct errmsg *err)
{
	const char *source = u->sources[AUTH_PASSWORD_NEXT];
	char value[FIELD_BYTES];
	int r;

	strcpy(value, auth_value(u, AUTH_PASSWORD_NEXT));
	if (!*value)
		return errmsg_set(err, -ENOENT, "%s has no next password", auth_values(u)->userid);
	r = source ? auth_set_source(u, AUTH_PASSWORD, source, err)
		   : auth_set_value(u, AUTH_PASSWORD, value, err);
	explicit_bzero(value, sizeof(value));
	if (r)
		return r;
	u->cleared &= ~((1u << AUTH_PASSWORD) | (1u << AUTH_PASSWORD_NEXT));
	return auth_set_value(u, AUTH_PASSWORD_NEXT, "", err);
}

int auth_set_policy(struct auth *auth, const struct chap_policy *p)
{
	engine_lock(auth->entity->eng);
	auth->policy = *p;
	engine_unlock(auth->entity->eng);
	return 0;
}

unsigned auth_refresh(struct entity *e, unsigned *ret_changed,
	void (*failed)(const char *source, const char *why, void *arg), void *arg)
{
	char value[FIELD_BYTES];
	unsigned nread = 0;
	struct auth_user *u;

	*ret_changed = 0;
	list_for_each (u, &e->sourced, struct auth_user, sourced) {
		for (int i = 0; i < AUTH_FIELDS; i++) {
			struct errmsg err = { 0 };

			if (!u->sources[i])
				continue;
			if (secret_read(u->sources[i], value, sizeof(value), &err)) {
				failed(u->sources[i], err.text, arg);
				continue;
			}
			nread++;
			if (strcmp(value, auth_value(u, (enum auth_field)i)) == 0)
				continue;
			if (change(u, (enum auth_field)i, value, &err))
				failed(u->sources[i], err.text, arg);
			else
				++*ret_changed;
			warn_if_short(u, (enum auth_field)i, value);
		}
	}
	explicit_bzero(value, sizeof(value));
	return nread;
}
