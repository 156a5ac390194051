/* SPDX-License-Identifier: BSD-3-Clause */
/* rows_tpg.c: a portal group: its switch, attributes, parameters, secrets, and portals. */
#include <errno.h>
#include <inttypes.h>
#include <string.h>

#include "fabric/iscsi/rows_priv.h"
#include "fabric/iscsi/sess.h"

static struct engine *eng_of(const struct tpg *tpg)
{
	return tpg->target->entity->eng;
}

/* ---- numbers --------------------------------------------------------------------------------*/

/* A number at a->offset of the group, or of its port. */
static int get_number(const struct attr *a, void *obj, struct strbuf *out)
{
	return attr_get_u32(a, obj, out);
}

static int get_port_number(const struct attr *a, void *obj, struct strbuf *out)
{
	return attr_get_u32(a, ((struct tpg *)obj)->port, out);
}

static int store(
	const struct attr *a, struct tpg *tpg, void *base, const char *value, struct errmsg *err)
{
	int r;

	engine_lock(eng_of(tpg));
	r = attr_set_u32(a, base, value, err);
	engine_unlock(eng_of(tpg));
	return r;
}

static int set_number(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	return store(a, obj, obj, value, err);
}

/* ---- tpgt_N/ --------------------------------------------------------------------------------- */

static int get_enable(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_putc(out, ((struct tpg *)obj)->enabled ? '1' : '0');
	return 0;
}

/* As LIO: a group that demands authentication does not offer None. */
static void strip_none(struct tpg *tpg)
{
	engine_lock(eng_of(tpg));
	tpg->keys.auth_method &= ~(uint32_t)AUTH_METHOD_NONE;
	if (!tpg->keys.auth_method)
		tpg->keys.auth_method = AUTH_METHOD_CHAP;
	engine_unlock(eng_of(tpg));
}

static int set_enable(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct tpg *tpg = obj;
	bool on;
	int r = attr_parse_bool(a, value, &on, err);

	if (r)
		return r;
	if (on && tpg->attribs.authentication && tpg->keys.auth_method == AUTH_METHOD_NONE)
		strip_none(tpg);
	return tpg_enable(tpg, on, err);
}

static void put_dynamic(struct sess *sess, void *arg)
{
	const struct acl *acl = acl_find(sess->tpg->port, sess->initiator);
	struct strbuf *out = arg;

	if (!acl || !acl->dynamic)
		return;
	strbuf_printf(out, out->len ? "\n%s" : "%s", sess->initiator);
}

static int get_dynamic(const struct attr *a, void *obj, struct strbuf *out)
{
	sess_each(obj, put_dynamic, out);
	return 0;
}

static int get_rtpi(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_printf(out, "%#x", ((struct tpg *)obj)->port->rtpi);
	return 0;
}

static int set_rtpi(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct tpg *tpg = obj;
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, UINT32_MAX, &v, err);

	if (!r && (!v || v > UINT16_MAX))
		r = errmsg_set(err, v ? -ERANGE : -EINVAL, "%s: %" PRIu64 " is not from 1 to %u",
			a->name, v, UINT16_MAX);
	if (r || v == tpg->port->rtpi)
		return r;
	if (tpg->enabled)
		return errmsg_set(err, -EINVAL,
			"%s: cannot change while the portal group is enabled", a->name);
	return port_set_rtpi(tpg->port, (uint16_t)v, err);
}

static const struct attr tpg_attrs[] = {
	{ .name = "enable",
		.get = get_enable,
		.set = set_enable,
		.doc = "1: its portals listen and logins are accepted; 0: all its sessions end." },
	{ .name = "dynamic_sessions",
		.get = get_dynamic,
		.flags = ATTR_STAT,
		.doc = "Initiators that are logged in without an ACL, one a line." },
	{ .name = "discovery_by_portal",
		.get = get_number,
		.set = set_number,
		.flags = ATTR_OURS,
		.max = 1,
		.offset = offsetof(struct tpg, discovery_by_portal),
		.doc = "1: SendTargets tells of this group only initiators that ask through one of "
		       "its portals; 0: also those that ask through a portal of another." },
	{ .name = "rtpi",
		.get = get_rtpi,
		.set = set_rtpi,
		.doc = "RELATIVE TARGET PORT IDENTIFIER, unique among all ports; to be changed "
		       "while disabled." },
	ATTR_END,
};

/* ---- attrib/ --------------------------------------------------------------------------------- */

static int set_port_number(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	return store(a, obj, ((struct tpg *)obj)->port, value, err);
}

static int set_authentication(
	const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct tpg *tpg = obj;
	int r = set_number(a, obj, value, err);

	if (r)
		return r;
	if (tpg->attribs.authentication) {
		strip_none(tpg);
		return 0;
	}
	engine_lock(eng_of(tpg));
	tpg->keys.auth_method |= AUTH_METHOD_NONE;
	engine_unlock(eng_of(tpg));
	return 0;
}

static int set_login_timeout(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	uint64_t v;
	int r = attr_parse_u64(a, value, a->min, a->max, &v, err);

	if (!r)
		tpg_set_login_timeout(obj, (uint32_t)v);
	return r;
}

static int set_generate(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct port *port = ((struct tpg *)obj)->port;
	int r = set_port_number(a, obj, value, err);

	if (r || !port->generate_node_acls)
		return r;
	engine_lock(port->eng);
	port->cache_dynamic_acls = 1;
	engine_unlock(port->eng);
	return 0;
}

static int set_cache(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct port *port = ((struct tpg *)obj)->port;
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, 1, &v, err);

	/* As LIO: with generate_node_acls it stays on, and nobody is told. */
	if (r || (!v && port->generate_node_acls))
		return r;
	return set_port_number(a, obj, value, err);
}

static int set_demo_protect(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	int r = set_port_number(a, obj, value, err);

	return r ? r : port_refresh(((struct tpg *)obj)->port, err);
}

static int set_cmdsn_depth(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct tpg *tpg = obj;
	int r = set_number(a, obj, value, err);

	if (r)
		return r;
	engine_lock(eng_of(tpg));
	tpg->port->default_queue_depth = tpg->attribs.default_cmdsn_depth;
	engine_unlock(eng_of(tpg));
	return 0;
}

static int set_prot_type(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, 3, &v, err);

	if (!r && v == 2)
		return errmsg_set(err, -EINVAL, "%s: 0, 1 or 3 is meant", a->name);
	return r ? r : set_number(a, obj, value, err);
}

static int get_workaround(const struct attr *a, void *obj, struct strbuf *out)
{
	strbuf_putc(out, ((struct tpg *)obj)->keys.login_keys_workaround ? '1' : '0');
	return 0;
}

static int set_workaround(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct tpg *tpg = obj;
	uint64_t v;
	int r = attr_parse_u64(a, value, 0, 1, &v, err);

	if (r)
		return r;
	engine_lock(eng_of(tpg));
	tpg->keys.login_keys_workaround = v;
	engine_unlock(eng_of(tpg));
	return 0;
}

#define ATTRIB(n, lo, hi, setter, text)                                                            \
	{                                                                                          \
		.name = #n, .get = get_number, .set = setter, .min = lo, .max = hi, .doc = text,   \
		.offset = offsetof(struct tpg, attribs.n),                                         \
	}
#define PORT_ATTRIB(n, setter, text)                                                               \
	{                                                                                          \
		.name = #n, .get = get_port_number, .set = setter, .max = 1, .doc = text,          \
		.offset = offsetof(struct port, n),                                                \
	}

static const struct attr attrib_attrs[] = {
	ATTRIB(authentication, 0, 1, set_authentication,
		"1: initiators must authenticate by CHAP; AuthMethod loses None. 0: it gains "
		"None, and while it has it initiators may log in without."),
	PORT_ATTRIB(cache_dynamic_acls, set_cache,
		"1: what is known of an initiator without an ACL is kept after its last session."),
	ATTRIB(default_cmdsn_depth, 1, 512, set_cmdsn_depth,
		"Commands that a session may have under way, for ACLs made from now on and for "
		"initiators without one."),
	ATTRIB(default_erl, 0, 2, set_number, "default_erl of new ACLs."),
	ATTRIB(demo_mode_discovery, 0, 1, set_number,
		"1: initiators without an ACL are told of the target by SendTargets."),
	PORT_ATTRIB(demo_mode_write_protect, set_demo_protect,
		"1: LUNs are read-only to initiators without an ACL."),
	ATTRIB(fabric_prot_type, 0, 3, set_prot_type,
		"0, 1 or 3. Kept for LIO's tools: protection information is not passed on."),
	PORT_ATTRIB(generate_node_acls, set_generate,
		"1: initiators without an ACL may log in and see all LUNs (\"demo mode\")."),
	{ .name = "login_keys_workaround",
		.get = get_workaround,
		.set = set_workaround,
		.doc = "1: an initiator that leaves a key unanswered gets the RFC's default; 0: it "
		       "is refused." },
	ATTRIB(login_timeout, LOGIN_TIMEOUT_MIN_S, LOGIN_TIMEOUT_MAX_S, set_login_timeout,
		"Seconds until a connection must have logged in. Which group it is for is not "
		"known before: the largest of all groups applies."),
	ATTRIB(netif_timeout, 2, 15, set_number,
		"Kept for LIO's tools: a network interface that comes and goes needs no timeout "
		"here."),
	PORT_ATTRIB(prod_mode_write_protect, set_port_number,
		"1: LUNs that are mapped by ACLs from now on begin as read-only."),
	ATTRIB(t10_pi, 0, 1, set_number,
		"Kept for LIO's tools: protection information is not passed on."),
	ATTRIB(tpg_enabled_sendtargets, 0, 1, set_number,
		"1: SendTargets tells of this group; 0: it is known by other means."),
	ATTR_END,
};

static const struct node_type attrib_type = {
	.name = "portal group attributes",
	.doc = "Rules of a portal group.",
	.attrs = attrib_attrs,
};

/* ---- auth/ ----------------------------------------------------------------------------------- */

static const struct attr auth_attrs[] = {
	AUTH_ROWS,
	ATTR_END,
};

static const struct node_type auth_type = {
	.name = "portal group secrets",
	.doc = "CHAP names and secrets of initiators without an ACL.",
	.attrs = auth_attrs,
	.defaults = auth_defaults,
};

static void *auth_of(void *tpg)
{
	return &((struct tpg *)tpg)->auth.own;
}

/* ---- param/ ---------------------------------------------------------------------------------- */

static int get_param(const struct attr *a, void *obj, struct strbuf *out)
{
	char buf[KEY_VALUE_BYTES_MAX + 1];
	int n = keys_config_get(&((struct tpg *)obj)->keys, a->name, buf, sizeof(buf));

	if (n < 0)
		return n;
	strbuf_write(out, buf, (size_t)n);
	return 0;
}

static int set_param(const struct attr *a, void *obj, const char *value, struct errmsg *err)
{
	struct tpg *tpg = obj;
	int r;

	engine_lock(eng_of(tpg));
	r = keys_config_set(&tpg->keys, a->name, value);
	engine_unlock(eng_of(tpg));
	return r ? errmsg_set(err, r, "%s: \"%.64s\" is not allowed: %s", a->name, value, a->doc)
		 : 0;
}

#define PARAM(n, text)                                                                             \
	{                                                                                          \
		.name = #n, .get = get_param, .set = set_param, .flags = ATTR_EMPTY_LINE,          \
		.doc = text,                                                                       \
	}

/* The same of a key with few values. */
#define CHOICE(n, list, text)                                                                      \
	{                                                                                          \
		.name = #n, .get = get_param, .set = set_param, .flags = ATTR_EMPTY_LINE,          \
		.words = list, .doc = text,                                                        \
	}

static const char *const yes_no[] = { "Yes", "No", NULL };
static const char *const digests[] = { "CRC32C", "None", "CRC32C,None", "None,CRC32C", NULL };
static const char *const methods[] = { "CHAP", "None", "CHAP,None", NULL };
static const char *const levels[] = { "0", "1", "2", NULL };

static const struct attr param_attrs[] = {
	CHOICE(AuthMethod, methods,
		"CHAP, None, or both; see attrib/authentication (RFC 7143 12)."),
	CHOICE(DataDigest, digests, "CRC32C, None, or both (RFC 7143 13.1)."),
	CHOICE(DataPDUInOrder, yes_no, "Yes or No (RFC 7143 13.18): No if both sides say so."),
	CHOICE(DataSequenceInOrder, yes_no, "Yes or No (RFC 7143 13.19): No if both sides say so."),
	PARAM(DefaultTime2Retain,
		"0 to 3600 s (RFC 7143 13.16): how long, after DefaultTime2Wait, sessions with "
		"ErrorRecoveryLevel 2 keep the commands of a connection that was lost. 0: not."),
	PARAM(DefaultTime2Wait, "0 to 3600 s (RFC 7143 13.15)."),
	CHOICE(ErrorRecoveryLevel, levels,
		"0 to 2 (RFC 7143 13.20): what sessions may have. 1: lost PDUs are sent again. 2: "
		"commands outlive the connection they came on."),
	PARAM(FirstBurstLength, "512 to 16777215 bytes (RFC 7143 13.14)."),
	CHOICE(HeaderDigest, digests, "CRC32C, None, or both (RFC 7143 13.1)."),
	PARAM(IFMarkInt, "Reject: there are no markers (RFC 7143 13.25)."),
	PARAM(IFMarker, "No: there are no markers (RFC 7143 13.25)."),
	CHOICE(ImmediateData, yes_no, "Yes or No (RFC 7143 13.11)."),
	CHOICE(InitialR2T, yes_no, "Yes or No (RFC 7143 13.10)."),
	PARAM(MaxBurstLength, "512 to 16777215 bytes (RFC 7143 13.13)."),
	PARAM(MaxConnections, "1 to 65535 connections of a session (RFC 7143 13.2)."),
	PARAM(MaxOutstandingR2T, "1 to 65535, of which at most 8 are granted (RFC 7143 13.17)."),
	PARAM(MaxRecvDataSegmentLength,
		"512 to 16777215 bytes that initiators may send at once, of which at most 1 MiB "
		"is granted (RFC 7143 13.12)."),
	PARAM(MaxXmitDataSegmentLength,
		"512 to 16777215 bytes that are sent at once, at most 1 MiB and what the "
		"initiator takes."),
	PARAM(OFMarkInt, "Reject: there are no markers (RFC 7143 13.25)."),
	PARAM(OFMarker, "No: there are no markers (RFC 7143 13.25)."),
	PARAM(TargetAlias, "A name for people, at most 255 bytes (RFC 7143 13.6)."),
	ATTR_END,
};

static const struct node_type param_type = {
	.name = "portal group parameters",
	.doc = "The target's side of the negotiation at login; sessions that exist keep theirs.",
	.attrs = param_attrs,
};

/* ---- the directory --------------------------------------------------------------------------- */

static int tpg_rmdir(struct node *node, struct errmsg *err)
{
	return tpg_free(node_obj(node), err);
}

static const struct node_default tpg_defaults[] = {
	{ "acls", &acls_type, NULL },
	{ "attrib", &attrib_type, NULL },
	{ "auth", &auth_type, auth_of },
	{ "lun", &luns_type, NULL },
	{ "np", &portals_type, NULL },
	{ "param", &param_type, NULL },
	{ NULL },
};

const struct node_type tpg_type = {
	.name = "portal group",
	.doc = "Portals with the LUNs that they show, and who may see them.",
	.attrs = tpg_attrs,
	.defaults = tpg_defaults,
	.rmdir = tpg_rmdir,
};
