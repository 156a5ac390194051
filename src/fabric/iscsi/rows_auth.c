/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_auth.c: CHAP names and secrets as LIO's auth/ files, and what LIO has not: users/. */
#include <errno.h>
#include <string.h>

#include "fabric/iscsi/auth.h"
#include "fabric/iscsi/rows_priv.h"

/* ---- values ---------------------------------------------------------------------------------- */

/* A secret that is read from a file is not told, so that no saved configuration has it. */
int row_get_auth(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct auth_user *u = obj;

	if (u->cleared & (1u << a->min))
		strbuf_puts(out, "NULL");
	else if (!u->sources[a->min])
		strbuf_puts(out, auth_value(u, (enum auth_field)a->min));
	return 0;
}

int row_set_auth(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	bool clear = !strncmp(value, "NULL", 4);
	struct auth_user *u = obj;
	int r = auth_set_value(u, (enum auth_field)a->min, clear ? "" : value, err);

	if (r)
		return r;
	u->cleared &= ~(1u << a->min);
	if (clear)
		u->cleared |= 1u << a->min;
	return 0;
}

int row_get_auth_source(const struct attr *a, void *obj, struct strbuf *out)
{
	const char *source = ((const struct auth_user *)obj)->sources[a->min];

	strbuf_puts(out, source ? source : "");
	return 0;
}

int row_set_auth_source(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct auth_user *u = obj;
	int r = auth_set_source(u, (enum auth_field)a->min, value, err);

	if (!r && *value)
		u->cleared &= ~(1u << a->min);
	return r;
}

int row_get_auth_mutual(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct chap_user *u = auth_values(obj);

	strbuf_putc(out, u->userid_mutual[0] && u->password_mutual[0] ? '1' : '0');
	return 0;
}

/* ---- algorithms ------------------------------------------------------------------------------ */

int row_parse_policy(
	const struct attr *a, const char *value, struct chap_policy *ret, struct errmsg *err)
{
	if (chap_policy_parse(value, ret))
		return errmsg_set(err, -EINVAL,
			"%s: \"%.100s\": some of SHA3-256,SHA256,SHA1,MD5, each once, are meant",
			a->name, value);
	return 0;
}

int row_get_auth_policy(const struct attr *a, void *obj, struct strbuf *out)
{
	char text[CHAP_POLICY_TEXT];

	chap_policy_print(&((const struct auth_user *)obj)->auth->policy, text);
	strbuf_puts(out, text);
	return 0;
}

int row_set_auth_policy(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct chap_policy p;
	int r = row_parse_policy(a, value, &p, err);

	return r ? r : auth_set_policy(((struct auth_user *)obj)->auth, &p);
}

/* ---- users/ ---------------------------------------------------------------------------------- */

static const struct attr user_attrs[] = {
	AUTH_SECRET_ROWS,
	ATTR_END,
};

static int user_rmdir(struct node *node, struct errmsg *err)
{
	return auth_user_free(node_obj(node), err);
}

static const struct node_type user_type = {
	.name = "account",
	.doc = "One more CHAP account; the directory's name is that which the initiator proves to "
	       "have. Without mutual values of its own those of auth/ hold.",
	.attrs = user_attrs,
	.rmdir = user_rmdir,
};

static int users_mkdir(struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	struct auth_user *own = node_obj(dir), *u;
	int r = auth_user_new(own->auth, name, &u, err);

	if (!r)
		*ret = (struct node_new){ &user_type, u };
	return r;
}

const struct node_type auth_users_type = {
	.name = "accounts",
	.doc = "Further CHAP accounts, each as good as the one in auth/.",
	.ours = true,
	.mkdir = users_mkdir,
};

const struct node_default auth_defaults[] = {
	{ "users", &auth_users_type, NULL },
	{ NULL },
};
