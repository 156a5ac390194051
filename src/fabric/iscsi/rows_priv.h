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
 * userid and its kind (rows_auth.c): the value of the field at a->offset of *auth. Text that
 * begins with "NULL" clears it, and is shown until the next write, as LIO does.
 */
int auth_get(const struct attr *a, const struct chap_auth *auth, struct strbuf *out);
int auth_set(const struct attr *a, struct chap_auth *auth, struct engine *eng, const char *value,
	struct errmsg *err);
int auth_get_mutual(const struct chap_auth *auth, struct strbuf *out);
#define AUTH_ROW(n, getter, setter, text)                                                          \
	{                                                                                          \
		.name = #n, .get = getter, .set = setter, .flags = ATTR_SECRET, .doc = text,       \
		.offset = offsetof(struct chap_auth, n), .max = sizeof(((struct chap_auth *)0)->n) \
	}
/* The rows of a directory of secrets; getter and setter find the struct chap_auth. */
#define AUTH_ROWS(getter, setter, mutual)                                                          \
	AUTH_ROW(userid, getter, setter, "Name that the initiator proves to have by CHAP."),       \
		AUTH_ROW(password, getter, setter, "Its secret."),                                 \
		AUTH_ROW(userid_mutual, getter, setter,                                            \
			"Name that the target proves to have, when the initiator asks."),          \
		AUTH_ROW(password_mutual, getter, setter, "Its secret, another one."),             \
	{                                                                                          \
		.name = "authenticate_target", .get = mutual,                                      \
		.doc = "1: the target can prove who it is (both mutual values are set)."           \
	}

/* Directories whose types other files hang in. */
extern const struct node_type target_stats_type; /* <IQN>/fabric_statistics/ (rows_stats.c) */
extern const struct node_type luns_type, acls_type; /* tpgt_N/lun/, tpgt_N/acls/ */
/* Below an ACL (rows_session.c); their objects: struct acl */
extern const struct node_type acl_param_type, acl_stats_type;
int acl_get_info(const struct attr *a, void *obj, struct strbuf *out);

/* Of an LU, for statistics of LUNs. */
enum lun_stat { LUN_CMDS, LUN_READ_MBYTES, LUN_WRITE_MBYTES, LUN_UNDER_WAY };
uint64_t lun_stat(struct lu *lu, enum lun_stat which);

/* The time limit of logins follows from those of all portal groups. */
void tpg_update_login_timeout(struct entity *e);

#endif
