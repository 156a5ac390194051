/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_stats.c: fabric_statistics/ of a target. */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "fabric/iscsi/rows_priv.h"
#include "fabric/iscsi/sessions.h"

static int get_index(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "%u", ((struct target *)obj)->index);
	return 0;
}

/* ---- counters: fields of struct target_stats at a->offset ------------------------------------ */

static int get_counter(const struct attr *a, void *obj, struct strbuf *out)
{
	struct target_stats *s = &((struct target *)obj)->stats;
	const _Atomic uint64_t *at = (const _Atomic uint64_t *)((char *)s + a->offset);

	strbuf_printf(out, "%" PRIu64, atomic_load(at));
	return 0;
}

static int get_fail_type(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "%u", atomic_load(&((struct target *)obj)->stats.fail_type));
	return 0;
}

static int get_fails(const struct attr *a, void *obj, struct strbuf *out)
{
	struct target_stats *s = &((struct target *)obj)->stats;

	strbuf_printf(out, "%" PRIu64,
		atomic_load(&s->login_other_fails) + atomic_load(&s->login_authorize_fails) +
			atomic_load(&s->login_authenticate_fails) +
			atomic_load(&s->login_negotiate_fails));
	return 0;
}

/* The initiator of the last failed login, and where it was. */
static void last_failure(struct target *t, char name[NODE_NAME_BYTES_MAX + 1], char host[64])
{
	engine_lock(t->entity->eng);
	memcpy(name, t->stats.fail_initiator, NODE_NAME_BYTES_MAX + 1);
	peer_host(t->stats.fail_address, host, 64);
	engine_unlock(t->entity->eng);
}

static int get_fail_name(const struct attr *a, void *obj, struct strbuf *out)
{
	char name[NODE_NAME_BYTES_MAX + 1], host[64];

	last_failure(obj, name, host);
	strbuf_puts(out, name[0] ? name : "None");
	return 0;
}

static int get_fail_address(const struct attr *a, void *obj, struct strbuf *out)
{
	char name[NODE_NAME_BYTES_MAX + 1], host[64];

	last_failure(obj, name, host);
	strbuf_puts(out, host[0] ? host : "(einval)");
	return 0;
}

static int get_fail_address_type(const struct attr *a, void *obj, struct strbuf *out)
{
	char name[NODE_NAME_BYTES_MAX + 1], host[64];

	last_failure(obj, name, host);
	strbuf_puts(out, strchr(host, ':') ? "ipv6" : "ipv4");
	return 0;
}

#define COUNTER(n, field, text)                                                                    \
	{                                                                                          \
		.name = n, .get = get_counter, .flags = ATTR_STAT, .doc = text,                    \
		.offset = offsetof(struct target_stats, field),                                    \
	}

/* ---- iscsi_instance -------------------------------------------------------------------------- */

static int get_portals(const struct attr *a, void *obj, struct strbuf *out)
{
	const struct target *t = obj;
	const struct tpg *tpg;
	const struct portal *p;
	unsigned n = 0;

	list_for_each (tpg, &t->tpgs, struct tpg, link)
		list_for_each (p, &tpg->portals, struct portal, link)
			n++;
	strbuf_printf(out, "%u", n);
	return 0;
}

static int get_sessions(const struct attr *a, void *obj, struct strbuf *out)
{
	struct target *t = obj;
	const struct tpg *tpg;
	unsigned n = 0;

	engine_lock(t->entity->eng);
	list_for_each (tpg, &t->tpgs, struct tpg, link)
		n += tpg->nsessions;
	engine_unlock(t->entity->eng);
	strbuf_printf(out, "%u", n);
	return 0;
}

/* Sessions that ended by an error. */
static int get_fail_sess(const struct attr *a, void *obj, struct strbuf *out)
{
	struct target_stats *s = &((struct target *)obj)->stats;

	strbuf_printf(out, "%" PRIu64,
		atomic_load(&s->digest_errors) + atomic_load(&s->connection_errors) +
			atomic_load(&s->format_errors));
	return 0;
}

static const struct attr instance_attrs[] = {
	STAT("inst", get_index, "Number of the target."),
	STAT_FIXED("min_ver", "0", "iSCSI version: 0."),
	STAT_FIXED("max_ver", "0", "iSCSI version: 0."),
	STAT("portals", get_portals, "Portals of all its groups."),
	STAT_FIXED("nodes", "1", "iSCSI nodes: this one."),
	STAT("sessions", get_sessions, "Sessions."),
	STAT("fail_sess", get_fail_sess, "Errors of its sessions."),
	STAT("fail_type", get_fail_type, "Status of the last failed login (RFC 7143 11.13.5)."),
	STAT("fail_rem_name", get_fail_name, "Initiator of the last failed login, or None."),
	STAT_FIXED("disc_time", "0", "Always 0, as in LIO."),
	STAT_FIXED("description", "Storage Engine Target", "What LIO's tools expect."),
	STAT_FIXED("vendor", "Datera, Inc. iSCSI-Target", "What LIO's tools expect."),
	STAT_FIXED("version", "v4.1.0", "What LIO's tools expect."),
	ATTR_END,
};

static const struct attr sess_err_attrs[] = {
	STAT("inst", get_index, "Number of the target."),
	COUNTER("digest_errors", digest_errors, "PDUs with a wrong digest."),
	COUNTER("cxn_errors", connection_errors, "Connections that broke or timed out."),
	COUNTER("format_errors", format_errors, "PDUs that no initiator may send."),
	ATTR_END,
};

static const struct attr tgt_attr_attrs[] = {
	STAT("inst", get_index, "Number of the target."),
	STAT_FIXED("indx", "1", "The node: 1."),
	STAT("login_fails", get_fails, "Logins that were refused."),
	COUNTER("last_fail_time", fail_time, "When the last one was, in s since 1970, or 0."),
	STAT("last_fail_type", get_fail_type, "Its status (RFC 7143 11.13.5), decimal."),
	STAT("fail_intr_name", get_fail_name, "Its initiator, or None."),
	STAT("fail_intr_addr_type", get_fail_address_type, "ipv4 or ipv6."),
	STAT("fail_intr_addr", get_fail_address, "Where that was; (einval): there was none."),
	ATTR_END,
};

static const struct attr login_attrs[] = {
	STAT("inst", get_index, "Number of the target."),
	STAT_FIXED("indx", "1", "The node: 1."),
	COUNTER("accepts", login_accepts, "Logins that succeeded."),
	COUNTER("other_fails", login_other_fails, "Logins refused for other causes."),
	COUNTER("redirects", login_redirects, "Logins that were sent elsewhere."),
	COUNTER("authorize_fails", login_authorize_fails, "Logins without an ACL."),
	COUNTER("authenticate_fails", login_authenticate_fails, "Logins that failed CHAP."),
	COUNTER("negotiate_fails", login_negotiate_fails, "Logins without agreement on keys."),
	ATTR_END,
};

static const struct attr logout_attrs[] = {
	STAT("inst", get_index, "Number of the target."),
	STAT_FIXED("indx", "1", "The node: 1."),
	COUNTER("normal_logouts", logout_normal, "Sessions that logged out."),
	COUNTER("abnormal_logouts", logout_abnormal, "Sessions that ended without."),
	ATTR_END,
};

static const struct node_type instance_type = { .name = "iSCSI instance",
	.doc = "The target as an instance of iSCSI.",
	.attrs = instance_attrs };
static const struct node_type sess_err_type = {
	.name = "session errors", .doc = "Errors of its sessions.", .attrs = sess_err_attrs
};
static const struct node_type tgt_attr_type = {
	.name = "failed logins", .doc = "The last failed login.", .attrs = tgt_attr_attrs
};
static const struct node_type login_type = {
	.name = "logins", .doc = "Logins by outcome.", .attrs = login_attrs
};
static const struct node_type logout_type = {
	.name = "logouts", .doc = "Ends of sessions.", .attrs = logout_attrs
};

static const struct node_default stats_defaults[] = {
	{ "iscsi_instance", &instance_type, NULL },
	{ "iscsi_login_stats", &login_type, NULL },
	{ "iscsi_logout_stats", &logout_type, NULL },
	{ "iscsi_sess_err", &sess_err_type, NULL },
	{ "iscsi_tgt_attr", &tgt_attr_type, NULL },
	{ NULL },
};

const struct node_type target_stats_type = {
	.name = "target statistics",
	.doc = "Statistics of the target.",
	.defaults = stats_defaults,
};
