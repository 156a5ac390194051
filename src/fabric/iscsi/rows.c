/* SPDX-License-Identifier: BSD-3-Clause */
/* rows.c: iscsi/, its discovery_auth/, and targets. */
#include "fabric/iscsi/rows.h"

#include <errno.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "fabric/iscsi/name.h"
#include "fabric/iscsi/rows_priv.h"

int row_get_fixed(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_puts(out, a->words[0]);
	return 0;
}

int row_index(const char *name, const char *prefix, uint64_t max, uint64_t *ret, struct errmsg *err)
{
	const struct attr row = { .name = name };
	size_t n = strlen(prefix);

	if (strncmp(name, prefix, n) != 0)
		return errmsg_set(err, -EINVAL, "%.80s: %s and a number is meant", name, prefix);
	if (attr_parse_u64(&row, name + n, 0, max, ret, err))
		return errmsg_set(err, -EINVAL, "%.80s: %s and a number from 0 to %llu is meant",
			name, prefix, (unsigned long long)max);
	return 0;
}

/* ---- the CPUs of the loops ------------------------------------------------------------------- */

static void get_cpus(struct loop *loop, void *arg)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	if (!sched_getaffinity(0, sizeof(set), &set))
		CPU_OR((cpu_set_t *)arg, (cpu_set_t *)arg, &set);
}

/* As the kernel writes lists of CPUs: "0-3,8". */
static int get_cpus_allowed(const struct attr *a, void *obj, struct strbuf *out)
{
	struct entity *e = obj;
	const char *comma = "";
	cpu_set_t set;

	CPU_ZERO(&set);
	for (unsigned i = 0; i < loops_count(e->loops); i++)
		loops_call(e->loops, loops_get(e->loops, i), get_cpus, &set);
	for (int i = 0, last; i < CPU_SETSIZE; i = last + 1) {
		last = i;
		if (!CPU_ISSET(i, &set))
			continue;
		while (last + 1 < CPU_SETSIZE && CPU_ISSET(last + 1, &set))
			last++;
		strbuf_printf(out, last > i ? "%s%d-%d" : "%s%d", comma, i, last);
		comma = ",";
	}
	return 0;
}

/* A decimal number at *p, which is moved behind it; -1: there is none, or it is no CPU's. */
static int cpu_number(const char **p)
{
	int n = -1;

	for (; **p >= '0' && **p <= '9'; (*p)++) {
		n = (n < 0 ? 0 : n * 10) + (**p - '0');
		if (n >= CPU_SETSIZE)
			return -1;
	}
	return n;
}

static bool parse_cpus(const char *p, cpu_set_t *set)
{
	CPU_ZERO(set);
	for (;; p++) {
		int first = cpu_number(&p), last = first;

		if (*p == '-') {
			p++;
			last = cpu_number(&p);
		}
		if (first < 0 || last < first)
			return false;
		for (int i = first; i <= last; i++)
			CPU_SET(i, set);
		if (*p != ',')
			return *p == '\0';
	}
}

struct set_cpus {
	cpu_set_t set;
	int error;
};

static void set_cpus(struct loop *loop, void *arg)
{
	struct set_cpus *s = arg;

	if (!s->error && sched_setaffinity(0, sizeof(s->set), &s->set))
		s->error = -errno;
}

static int set_cpus_allowed(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct set_cpus s = { .error = 0 };
	struct entity *e = obj;

	if (!parse_cpus(value, &s.set))
		return errmsg_set(err, -EINVAL,
			"%s: \"%.64s\" is no list of CPUs: use 0-3,8 or the like", a->name, value);
	/* The simulator's loops have no threads of their own. */
	for (unsigned i = 0; loops_kind(e->loops) != LOOP_SIM && i < loops_count(e->loops); i++)
		loops_call(e->loops, loops_get(e->loops, i), set_cpus, &s);
	if (s.error)
		return errmsg_set(err, s.error, "%s: \"%.64s\": uliod may use none of these CPUs",
			a->name, value);
	return 0;
}

/* ---- authentication -------------------------------------------------------------------------- */

static int get_policy(const struct attr *a, void *obj, struct strbuf *out)
{
	char text[CHAP_POLICY_TEXT];

	chap_policy_print(&((struct entity *)obj)->chap_policy, text);
	strbuf_puts(out, text);
	return 0;
}

static int set_policy(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct entity *e = obj;
	struct chap_policy p;
	int r = row_parse_policy(a, value, &p, err);

	if (r)
		return r;
	engine_lock(e->eng);
	e->chap_policy = p;
	engine_unlock(e->eng);
	return 0;
}

/* ---- what an address may take ---------------------------------------------------------------- */

static int get_limit(const struct attr *a, void *obj, struct strbuf *out)
{
	struct host_limits l = hosts_limits(&((struct entity *)obj)->hosts);

	return attr_get_u32(a, &l, out);
}

static int set_limit(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct entity *e = obj;
	struct host_limits l = hosts_limits(&e->hosts);
	int r = attr_set_u32(a, &l, value, err);

	if (!r)
		hosts_set_limits(&e->hosts, &l);
	return r;
}

#define LIMIT(n, field, most, text)                                                                \
	{                                                                                          \
		.name = n, .get = get_limit, .set = set_limit, .max = most, .doc = text,           \
		.offset = offsetof(struct host_limits, field), .flags = ATTR_OURS,                 \
	}

static const struct attr entity_attrs[] = {
	{ .name = "lio_version",
		.get = row_get_fixed,
		.words = (const char *const[]){ "Datera Inc. iSCSI Target v4.1.0", NULL },
		.doc = "What LIO's tools expect here." },
	{ .name = "cpus_allowed_list",
		.get = get_cpus_allowed,
		.set = set_cpus_allowed,
		.flags = ATTR_UNSAVED,
		.doc = "CPUs that the I/O threads may run on." },
	{ .name = "chap_algorithms",
		.get = get_policy,
		.set = set_policy,
		.flags = ATTR_OURS,
		.doc = "CHAP algorithms that may be used, the best one first: without MD5, "
		       "SHA3-256,SHA256,SHA1. Empty: all, and the initiator's order counts." },
	LIMIT("peer_connections_max", connections, CONNS_MAX,
		"Connections that one address (of IPv6 one network of 64 bits) may have, 0: any "
		"number."),
	LIMIT("peer_sessions_max", sessions, UINT16_MAX,
		"Sessions that one address may have, 0: any number."),
	LIMIT("peer_logins_per_s", logins_per_s, 1000000,
		"Logins that one address may begin in a second, 0: any number."),
	LIMIT("login_failures_free", failures_free, 1000000,
		"Wrong secrets that one address may send before its next ones have to wait; a "
		"minute without one and they are forgotten."),
	LIMIT("login_backoff_max", backoff_max_s, HOST_WAIT_NS / NS_PER_S,
		"The longest time, in seconds, that lies then between two secrets that are looked "
		"at; it begins with a tenth and doubles. 0: none, no back-off."),
	ATTR_END,
};

/* ---- discovery_auth/ ------------------------------------------------------------------------- */

static struct entity *entity_of(void *obj)
{
	return ((struct auth_user *)obj)->auth->entity;
}

static int get_enforce(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_putc(out, entity_of(obj)->enforce_discovery_auth ? '1' : '0');
	return 0;
}

static int set_enforce(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct entity *e = entity_of(obj);
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, 1, &v, err);

	if (r)
		return r;
	engine_lock(e->eng);
	e->enforce_discovery_auth = v;
	engine_unlock(e->eng);
	return 0;
}

static const struct attr discovery_attrs[] = {
	AUTH_ROWS,
	{ .name = "enforce_discovery_auth",
		.get = get_enforce,
		.set = set_enforce,
		.doc = "1: discovery sessions must authenticate." },
	ATTR_END,
};

static const struct node_type discovery_type = {
	.name = "discovery",
	.doc = "Who may discover targets.",
	.attrs = discovery_attrs,
	.defaults = auth_defaults,
};

static void *discovery_auth_of(void *entity)
{
	return &((struct entity *)entity)->discovery_auth.own;
}

/* ---- targets --------------------------------------------------------------------------------- */

static int get_affinity(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "%d", ((struct target *)obj)->cmd_completion_affinity);
	return 0;
}

static int set_affinity(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	int64_t v;
	int r = attr_parse_s64(a, value, -2, sysconf(_SC_NPROCESSORS_ONLN) - 1, &v, err);

	if (!r)
		((struct target *)obj)->cmd_completion_affinity = (int32_t)v;
	return r;
}

static const struct attr target_param_attrs[] = {
	{ .name = "cmd_completion_affinity",
		.get = get_affinity,
		.set = set_affinity,
		.doc = "-1, -2 or a CPU. Kept for LIO's tools: commands complete on the loop of "
		       "their connection whatever it is." },
	ATTR_END,
};

static const struct node_type target_param_type = {
	.name = "target parameters",
	.doc = "Parameters of a target.",
	.attrs = target_param_attrs,
};

static int target_mkdir(
	struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	struct target *t = node_obj(dir);
	struct tpg *tpg;
	uint64_t tag;
	int r = row_index(name, "tpgt_", UINT16_MAX, &tag, err);

	if (!r)
		r = tpg_new(t, (uint16_t)tag, &tpg, err);
	if (r)
		return r;
	*ret = (struct node_new){ &tpg_type, tpg };
	return 0;
}

static int target_rmdir(struct node *node, struct errmsg *err)
{
	return target_free(node_obj(node), err);
}

static const struct node_default target_defaults[] = {
	{ "fabric_statistics", &target_stats_type, NULL },
	{ "param", &target_param_type, NULL },
	{ NULL },
};

const struct node_type target_type = {
	.name = "target",
	.doc = "An iSCSI target: a name and its portal groups, tpgt_<N>.",
	.unit = true,
	.defaults = target_defaults,
	.mkdir = target_mkdir,
	.rmdir = target_rmdir,
};

static int entity_mkdir(
	struct node *dir, const char *name, struct node_new *ret, struct errmsg *err)
{
	char normal[NODE_NAME_BYTES_MAX + 1];
	const char *why = NULL;
	struct target *t;
	int r;

	if (node_name_normalize(name, normal, &why))
		return errmsg_set(err, -EINVAL, "\"%.230s\" is no iSCSI name: %s", name, why);
	r = target_new(node_obj(dir), normal, &t, err);
	if (!r)
		*ret = (struct node_new){ &target_type, t };
	return r;
}

/* The entity is the daemon's: the values of discovery_auth/ outlive the directory, as in LIO. */
static int entity_rmdir(struct node *node, struct errmsg *err)
{
	return 0;
}

static const struct node_default entity_defaults[] = {
	{ "discovery_auth", &discovery_type, discovery_auth_of },
	{ NULL },
};

const struct node_type entity_type = {
	.name = "iSCSI",
	.doc = "iSCSI targets, by name.",
	.attrs = entity_attrs,
	.defaults = entity_defaults,
	.mkdir = entity_mkdir,
	.rmdir = entity_rmdir,
};
