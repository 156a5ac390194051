/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_priv.h: what the files of the tree's rows share. */
#ifndef ULIO_FABRIC_ISCSI_ROWS_PRIV_H
#define ULIO_FABRIC_ISCSI_ROWS_PRIV_H

#include "fabric/iscsi/rows.h"
#include "fabric/iscsi/target.h"

struct session_info;

/* Rows that only tell: counters and states. */
#define STAT(n, getter, text)                                                                      \
	{                                                                                          \
		.name = n, .get = getter, .flags = ATTR_STAT, .doc = text,                         \
	}
/* The same of a getter that serves several rows: id in a->min. */
#define STAT_ID(n, getter, id, text)                                                               \
	{                                                                                          \
		.name = n, .get = getter, .min = id, .flags = ATTR_STAT, .doc = text,              \
	}

/* A row whose value never changes: a->words[0]. */
#define STAT_FIXED(n, value, text)                                                                 \
	{                                                                                          \
		.name = n, .get = row_get_fixed, .flags = ATTR_STAT, .doc = text,                  \
		.words = (const char *const[]){ value, NULL },                                     \
	}
int row_get_fixed(const struct attr *a, void *obj, struct strbuf *out);

/*
 * A number of the form "<prefix><N>": base as in configfs, at most max. 0, or -EINVAL saying so.
 */
int row_index(
	const char *name, const char *prefix, uint64_t max, uint64_t *ret, struct errmsg *err);

/*
 * The rows of a directory of secrets (rows_auth.c), whose object is the struct auth_user of the
 * general account: field in min. Text that begins with "NULL" clears, and is shown until the next
 * write, as LIO does.
 */
int row_get_auth(const struct attr *a, void *obj, struct strbuf *out);
int row_set_auth(const struct attr *a, void *obj, const char *value, struct errmsg *err);
int row_get_auth_source(const struct attr *a, void *obj, struct strbuf *out);
int row_set_auth_source(const struct attr *a, void *obj, const char *value, struct errmsg *err);
int row_get_auth_mutual(const struct attr *a, void *obj, struct strbuf *out);
int row_get_auth_policy(const struct attr *a, void *obj, struct strbuf *out);
int row_set_auth_policy(const struct attr *a, void *obj, const char *value, struct errmsg *err);
#define AUTH_ROW_FLAGS(n, field, more, text)                                                       \
	{                                                                                          \
		.name = n, .get = row_get_auth, .set = row_set_auth, .flags = ATTR_SECRET | more,  \
		.doc = text, .min = field                                                          \
	}
#define AUTH_ROW(n, field, text) AUTH_ROW_FLAGS(n, field, ATTR_EMPTY_LINE, text)
#define AUTH_SOURCE_ROW(n, field)                                                                  \
	{                                                                                          \
		.name = n "_file", .get = row_get_auth_source, .set = row_set_auth_source,         \
		.flags = ATTR_OURS, .min = field,                                                  \
		.doc = "Where " n " is read from: an absolute path, or credential:NAME of "        \
		       "systemd; read again by `ulio auth refresh` and by a reload."               \
	}
#define AUTH_SECRET_ROWS                                                                           \
	AUTH_ROW("password", AUTH_PASSWORD,                                                        \
		"Its secret, as UTF-8 text; other bytes can be given by password_file."),          \
		AUTH_ROW("userid_mutual", AUTH_USERID_MUTUAL,                                      \
			"Name that the target proves to have, when the initiator asks."),          \
		AUTH_ROW("password_mutual", AUTH_PASSWORD_MUTUAL, "Its secret, another one."),     \
		AUTH_ROW_FLAGS("password_next", AUTH_PASSWORD_NEXT, ATTR_OURS,                     \
			"A second secret that is good too: set it, change the initiators, then "   \
			"make it the password. The log tells who logs in by it."),                 \
		AUTH_SOURCE_ROW("password", AUTH_PASSWORD),                                        \
		AUTH_SOURCE_ROW("password_next", AUTH_PASSWORD_NEXT),                              \
		AUTH_SOURCE_ROW("password_mutual", AUTH_PASSWORD_MUTUAL)
#define AUTH_ROWS                                                                                  \
	AUTH_ROW("userid", AUTH_USERID, "Name that the initiator proves to have by CHAP."),        \
		AUTH_SECRET_ROWS,                                                                  \
		{                                                                                  \
			.name = "authenticate_target",                                             \
			.get = row_get_auth_mutual,                                                \
			.doc = "1: the target can prove who it is (both mutual values are set).",  \
		},                                                                                 \
	{                                                                                          \
		.name = "algorithms", .get = row_get_auth_policy, .set = row_set_auth_policy,      \
		.flags = ATTR_OURS,                                                                \
		.doc = "CHAP algorithms that may be used, the best one first: SHA3-256,SHA256; "   \
		       "empty: as the portal group says, else as /iscsi chap_algorithms does.",    \
	}
int row_parse_policy(
	const struct attr *a, const char *value, struct chap_policy *ret, struct errmsg *err);
extern const struct node_default auth_defaults[]; /* users/ */
extern const struct node_type auth_users_type;

/* Directories whose types other files hang in. */
extern const struct node_type target_stats_type; /* <IQN>/fabric_statistics/ (rows_stats.c) */
extern const struct node_type luns_type, acls_type, portals_type; /* tpgt_N/lun/, acls/, np/ */
/* Below an ACL (rows_session.c); their objects: struct acl */
extern const struct node_type acl_param_type, acl_stats_type;
int acl_get_info(const struct attr *a, void *obj, struct strbuf *out);

/* Of an LU, for statistics of LUNs. */
enum lun_stat { LUN_CMDS, LUN_READ_MBYTES, LUN_WRITE_MBYTES, LUN_UNDER_WAY };
uint64_t lun_stat(struct lu *lu, enum lun_stat which);

#endif
