/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * login.c: the login phase (RFC 7143 6.3). One request goes through header_check(), is collected
 * until its C bit is 0, then identify() (first step only), the keys, the stage's own work, and
 * transit(); reply() makes the response of whatever came out.
 */
#include "fabric/iscsi/login.h"

#include <assert.h>
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/crypto.h>

#include "fabric/iscsi/name.h"

struct login {
	const struct login_ops *ops; /* borrowed */
	void *arg; /* borrowed */
	enum login_state state;
	struct bhs_login_request first; /* what later requests must agree with */
	unsigned requests;
	struct login_id id; /* names in values.sess */
	struct login_grant grant;
	struct keys_values values;
	struct keys_nego nego;
	struct chap chap;
	struct keys_text in; /* text of the step so far */
	struct keys_text out; /* answers not sent yet */
	struct keys_fault fault;
	struct login_failure failure;
};

struct login *login_new(const struct login_ops *ops, void *arg)
{
	struct login *l = calloc(1, sizeof(*l));

	if (!l)
		return NULL;
	l->ops = ops;
	l->arg = arg;
	l->id.initiator_name = l->values.sess.initiator_name;
	l->id.target_name = "";
	keys_values_init(&l->values);
	keys_text_init(&l->in, KEYS_TEXT_BYTES_MAX);
	keys_text_init(&l->out, KEYS_REPLY_BYTES_MAX);
	return l;
}

struct login *login_free(struct login *l)
{
	if (!l)
		return NULL;
	keys_text_done(&l->in);
	keys_text_done(&l->out);
	chap_done(&l->chap);
	chap_auth_done(&l->grant.chap);
	OPENSSL_cleanse(l, sizeof(*l));
	free(l);
	return NULL;
}

/* ---- Failure ---- */

/* What usually helps, where the answer of login_ops does not know better. */
static const char *cure_of(uint16_t status)
{
	static const struct {
		uint16_t status;
		const char *cure;
	} cures[] = {
		{ LOGIN_STATUS_AUTHENTICATION_FAILURE, "compare the CHAP settings of the initiator "
						       "with auth/ of its access entry" },
		{ LOGIN_STATUS_AUTHORIZATION_FAILURE, "add an access entry for this initiator's "
						      "name, or open the target to any" },
		{ LOGIN_STATUS_NOT_FOUND, "check the spelling of TargetName and that the portal "
					  "belongs to that target" },
		{ LOGIN_STATUS_MISSING_PARAMETER, "the initiator has to send InitiatorName and, "
						  "but for discovery, TargetName" },
		{ LOGIN_STATUS_SERVICE_UNAVAILABLE, "enable the target portal group" },
		{ LOGIN_STATUS_OUT_OF_RESOURCES, "raise the memory limit, or close sessions" },
	};

	for (size_t i = 0; i < sizeof(cures) / sizeof(cures[0]); i++) {
		if (cures[i].status == status)
			return cures[i].cure;
	}
	return "";
}

/* Enter LOGIN_FAILED. Always -1. The first failure stands. */
static int __attribute__((format(printf, 4, 5)))
fail(struct login *l, uint16_t status, const char *cure, const char *fmt, ...)
{
	struct keys_fault f;
	char cause[sizeof(f.cause)];
	va_list ap;

	if (l->state == LOGIN_FAILED)
		return -1;
	va_start(ap, fmt);
	vsnprintf(cause, sizeof(cause), fmt, ap);
	va_end(ap);
	keys_fault_set(&f, "%s", cause); /* makes it printable */
	l->failure.state = l->state;
	l->failure.status = status;
	memcpy(l->failure.cause, f.cause, sizeof(l->failure.cause));
	l->failure.cure = cure ? cure : cure_of(status);
	l->state = LOGIN_FAILED;
	return -1;
}

static_assert(sizeof(((struct login_failure *)0)->cause) == sizeof(((struct keys_fault *)0)->cause),
	"one is copied into the other");

/* The same for an error of keys.h, whose cause is in l->fault. 0 for 0. */
static int fail_keys(struct login *l, int err)
{
	if (err == 0)
		return 0;
	if (err == -ENOMEM)
		return fail(l, LOGIN_STATUS_OUT_OF_RESOURCES, NULL, "no memory for login text");
	if (err == -EMSGSIZE)
		return fail(l, LOGIN_STATUS_INITIATOR_ERROR, NULL,
			"the answer would exceed %d bytes", KEYS_REPLY_BYTES_MAX);
	return fail(l, LOGIN_STATUS_INITIATOR_ERROR, NULL, "%s", l->fault.cause);
}

/* ---- The header, 11.12 ---- */

static const struct {
	enum login_state from;
	enum iscsi_stage csg, nsg;
	enum login_state to;
} transitions[] = {
	/* 6.3, 11.12.3: which stage may follow which */
	{ LOGIN_SECURITY, ISCSI_STAGE_SECURITY_NEGOTIATION,
		ISCSI_STAGE_LOGIN_OPERATIONAL_NEGOTIATION, LOGIN_OPERATIONAL },
	{ LOGIN_SECURITY, ISCSI_STAGE_SECURITY_NEGOTIATION, ISCSI_STAGE_FULL_FEATURE_PHASE,
		LOGIN_FULL_FEATURE },
	{ LOGIN_OPERATIONAL, ISCSI_STAGE_LOGIN_OPERATIONAL_NEGOTIATION,
		ISCSI_STAGE_FULL_FEATURE_PHASE, LOGIN_FULL_FEATURE },
};

#define NTRANSITIONS (sizeof(transitions) / sizeof(transitions[0]))

/* The state that a stage number stands for; LOGIN_START if it is none of login. */
static enum login_state state_of(enum iscsi_stage csg)
{
	for (size_t i = 0; i < NTRANSITIONS; i++) {
		if (transitions[i].csg == csg)
			return transitions[i].from;
	}
	return LOGIN_START;
}

/* Where T=1 with this CSG and NSG leads; LOGIN_START if it is not allowed. */
static enum login_state transit_to(uint8_t flags)
{
	for (size_t i = 0; i < NTRANSITIONS; i++) {
		if (transitions[i].csg == login_csg(flags) &&
			transitions[i].nsg == login_nsg(flags))
			return transitions[i].to;
	}
	return LOGIN_START;
}

/* 11.12: fields that stay the same through a login phase. */
static bool header_same(const struct bhs_login_request *a, const struct bhs_login_request *b)
{
	return a->version_max == b->version_max && a->version_min == b->version_min &&
	       memcmp(a->isid, b->isid, sizeof(a->isid)) == 0 &&
	       be16_get(a->tsih) == be16_get(b->tsih) && be16_get(a->cid) == be16_get(b->cid);
}

static int header_check(struct login *l, const struct bhs_login_request *req)
{
	enum login_state stage = state_of(login_csg(req->flags));

	if (req->version_min > ISCSI_VERSION)
		return fail(l, LOGIN_STATUS_UNSUPPORTED_VERSION, NULL,
			"version %u is the lowest that the initiator speaks", req->version_min);
	if (req->total_ahs_length)
		return fail(l, LOGIN_STATUS_INITIATOR_ERROR, NULL, "a Login Request with AHS");
	if (l->requests > 1 && !header_same(req, &l->first))
		return fail(l, LOGIN_STATUS_INITIATOR_ERROR, NULL,
			"version, ISID, TSIH or CID changed during login");
	if (stage == LOGIN_START || (l->state != LOGIN_START && stage != l->state) ||
		(l->state == LOGIN_START && stage != state_of(login_csg(l->first.flags))))
		return fail(l, LOGIN_STATUS_INITIATOR_ERROR, NULL, "CSG=%d while in %s",
			login_csg(req->flags), login_state_name(l->state));
	if ((req->flags & LOGIN_TRANSIT) && (req->flags & LOGIN_CONTINUE))
		return fail(l, LOGIN_STATUS_INITIATOR_ERROR, NULL, "T and C are both set");
	if ((req->flags & LOGIN_TRANSIT) && transit_to(req->flags) == LOGIN_START)
		return fail(l, LOGIN_STATUS_INITIATOR_ERROR, NULL, "CSG=%d cannot go to NSG=%d",
			login_csg(req->flags), login_nsg(req->flags));
	return 0;
}

/* ---- Who, and to what: the first step ---- */

/* A name out of the text, normalised into ret. */
static int take_name(struct login *l, const struct keys_pairs *in, const char *key, char *ret,
	uint16_t malformed)
{
	const struct keys_pair *p = keys_find(in, key);
	const char *why;

	if (!p)
		return fail(l, LOGIN_STATUS_MISSING_PARAMETER, NULL,
			"no %s in the first Login Request", key);
	if (node_name_normalize(p->value, ret, &why) < 0)
		return fail(l, malformed, NULL, "%s=%.100s: %s", key, p->value, why);
	return 0;
}

/* 13.21 */
static int take_session_type(struct login *l, const struct keys_pairs *in)
{
	const struct keys_pair *p = keys_find(in, "SessionType");

	if (!p || strcmp(p->value, "Normal") == 0)
		return 0;
	if (strcmp(p->value, "Discovery") != 0)
		return fail(l, LOGIN_STATUS_SESSION_TYPE_NOT_SUPPORTED, NULL, "SessionType=%.60s",
			p->value);
	l->id.discovery = true;
	l->values.sess.session_type = SESSION_TYPE_DISCOVERY;
	return 0;
}

static bool redirected(uint16_t status)
{
	return status >> 8 == LOGIN_STATUS_TARGET_MOVED_TEMPORARILY >> 8;
}

/* An answer of login_ops. */
static int granted(struct login *l, uint16_t status, const char *otherwise)
{
	const struct login_grant *g = &l->grant;

	if (status == LOGIN_STATUS_SUCCESS)
		return 0;
	if (redirected(status))
		return fail(l, status, g->cure, "redirected to %s", g->target_address);
	return fail(l, status, g->cure, "%s", g->cause ? g->cause : otherwise);
}

/* 6.3.4: parameters of the session that a further connection joins. */
static int join_session(struct login *l)
{
	struct sess_params params = l->values.sess;
	uint16_t status = l->ops->find_session(l->arg, &l->id, &params);

	if (status != LOGIN_STATUS_SUCCESS)
		return fail(l, status, NULL, "TSIH %u: no session that this connection can join",
			l->id.tsih);
	/* Names stay those of this login: find_session() found the session by them. */
	memcpy(params.initiator_name, l->values.sess.initiator_name, sizeof(params.initiator_name));
	memcpy(params.target_name, l->values.sess.target_name, sizeof(params.target_name));
	params.session_type = l->values.sess.session_type;
	l->values.sess = params;
	return 0;
}

static int identify(struct login *l, const struct keys_pairs *in)
{
	struct sess_params *s = &l->values.sess;

	memcpy(l->id.isid, l->first.isid, sizeof(l->id.isid));
	l->id.tsih = be16_get(l->first.tsih);
	l->id.cid = be16_get(l->first.cid);
	if (take_name(l, in, "InitiatorName", s->initiator_name, LOGIN_STATUS_INITIATOR_ERROR) ||
		take_session_type(l, in))
		return -1;
	if (!l->id.discovery) {
		if (take_name(l, in, "TargetName", s->target_name, LOGIN_STATUS_NOT_FOUND))
			return -1;
		l->id.target_name = s->target_name;
	}
	keys_config_init(&l->grant.keys);
	if (!l->id.discovery && granted(l, l->ops->find_target(l->arg, &l->id, &l->grant),
					"no such target at this portal"))
		return -1;
	if (granted(l, l->ops->find_node(l->arg, &l->id, &l->grant),
		    "this initiator has no access"))
		return -1;
	return l->id.tsih ? join_session(l) : 0;
}

/* The first step's text is complete: enter the stage that the initiator chose. */
static int begin(struct login *l, const struct keys_pairs *in)
{
	enum login_state stage = state_of(login_csg(l->first.flags));

	if (identify(l, in))
		return -1;
	/* An account without credentials: CHAP could only fail where None is as good. */
	if (!chap_auth_usable(&l->grant.chap) && (l->grant.keys.auth_method & AUTH_METHOD_NONE))
		l->grant.keys.auth_method = AUTH_METHOD_NONE;
	chap_init(&l->chap, &l->grant.chap);
	chap_auth_done(&l->grant.chap);
	keys_nego_init(&l->nego, stage == LOGIN_SECURITY ? KEYS_SECURITY : KEYS_OPERATIONAL,
		l->id.tsih == 0, &l->grant.keys, &l->values);
	if (stage == LOGIN_OPERATIONAL && !(l->grant.keys.auth_method & AUTH_METHOD_NONE))
		return fail(l, LOGIN_STATUS_AUTHENTICATION_FAILURE,
			"configure CHAP on the initiator, or allow None here",
			"the initiator skips SecurityNegotiation, but must authenticate");
	l->state = stage;
	return 0;
}

/* 13.9: in the first response whose request was complete, if the initiator named a target. */
static int add_portal_group_tag(struct login *l)
{
	char tag[8];

	if (l->id.discovery)
		return 0;
	snprintf(tag, sizeof(tag), "%u", l->grant.target_portal_group_tag);
	return fail_keys(l, keys_text_add(&l->out, "TargetPortalGroupTag", tag));
}

/* ---- Stages ---- */

static bool authenticated(const struct login *l)
{
	if (l->values.conn.auth_method == AUTH_METHOD_CHAP)
		return l->chap.state == CHAP_ACCEPTED;
	return l->grant.keys.auth_method & AUTH_METHOD_NONE;
}

static int security_step(struct login *l, const struct keys_pairs *in)
{
	const struct keys_pair *method = keys_find(in, "AuthMethod");
	int rc;

	if (l->values.conn.auth_method == AUTH_METHOD_CHAP) {
		rc = chap_step(&l->chap, in, &l->out, &l->fault);
		if (rc == -EACCES || rc == -EPROTO)
			return fail(
				l, LOGIN_STATUS_AUTHENTICATION_FAILURE, NULL, "%s", l->fault.cause);
		if (rc == -EIO)
			return fail(l, LOGIN_STATUS_TARGET_ERROR, NULL, "%s", l->fault.cause);
		return fail_keys(l, rc);
	}
	if (method && !authenticated(l))
		return fail(l, LOGIN_STATUS_AUTHENTICATION_FAILURE,
			"configure CHAP on the initiator, or allow None here",
			"AuthMethod=%.80s has no method that is allowed here", method->value);
	return 0;
}

/* May SecurityNegotiation end? 1 yes, 0 not yet, -1 failed. */
static int security_ready(struct login *l, bool rest_of_answer)
{
	if (authenticated(l))
		return 1;
	if (l->values.conn.auth_method == AUTH_METHOD_CHAP)
		return 0;
	return fail(l, LOGIN_STATUS_AUTHENTICATION_FAILURE,
		"configure CHAP on the initiator, or allow None here",
		"the initiator offers no AuthMethod, but must authenticate");
}

/*
 * May LoginOperationalNegotiation end? Not while offers of ours have just gone out, or are on
 * their way in pieces: the initiator has to see them first.
 */
static int operational_ready(struct login *l, bool rest_of_answer)
{
	if (!l->nego.declared) {
		if (fail_keys(l, keys_offer(&l->nego, &l->out)))
			return -1;
		return l->nego.offered == 0;
	}
	return !(rest_of_answer && l->nego.offered);
}

static int no_step(struct login *l, const struct keys_pairs *in)
{
	return 0;
}

static const struct {
	const char *name;
	int (*step)(struct login *l, const struct keys_pairs *in); /* after the keys */
	int (*ready)(struct login *l, bool rest_of_answer);
} stages[LOGIN_STATES] = {
	[LOGIN_START] = { "the first Login Request", NULL, NULL },
	[LOGIN_SECURITY] = { "SecurityNegotiation", security_step, security_ready },
	[LOGIN_OPERATIONAL] = { "LoginOperationalNegotiation", no_step, operational_ready },
	[LOGIN_FULL_FEATURE] = { "the Full Feature Phase", NULL, NULL },
	[LOGIN_FAILED] = { "a refused login", NULL, NULL },
};

const char *login_state_name(enum login_state s)
{
	return s < LOGIN_STATES ? stages[s].name : "?";
}

/* One complete step: all the text between two C=0. */
static int run_step(struct login *l)
{
	bool first = l->state == LOGIN_START;
	struct keys_pairs in;

	if (fail_keys(l, keys_parse(&l->in, &in, &l->fault)))
		return -1;
	if (first && begin(l, &in))
		return -1;
	if (fail_keys(l, keys_negotiate(&l->nego, &in, &l->out, &l->fault)))
		return -1;
	if (first && add_portal_group_tag(l))
		return -1;
	return stages[l->state].step(l, &in);
}

/* ---- Responses ---- */

/* 13.12: during login at most the default, less if the initiator declared less. */
static size_t reply_limit(const struct login *l)
{
	uint32_t declared = l->values.conn.max_xmit_data_segment_length;

	return declared < LOGIN_DATA_SEGMENT_BYTES_MAX ? declared : LOGIN_DATA_SEGMENT_BYTES_MAX;
}

static void reply_header(
	const struct login *l, const struct bhs_login_request *req, struct login_reply *ret)
{
	*ret = (struct login_reply){
		.bhs = {
			.opcode = ISCSI_OP_LOGIN_RESPONSE,
			.version_max = ISCSI_VERSION,
			.version_active = ISCSI_VERSION,
			.tsih = req->tsih,
			.initiator_task_tag = req->initiator_task_tag,
		},
	};
	memcpy(ret->bhs.isid, req->isid, sizeof(ret->bhs.isid));
}

static void reply_text(struct login *l, struct login_reply *ret)
{
	ret->text_bytes = keys_text_take(&l->out, reply_limit(l), &ret->text);
	ret->bhs.data_segment_length = be24_put((uint32_t)ret->text_bytes);
}

/* 11.13.5: nothing but the status, and for a redirection where to. */
static enum login_verdict reply_refusal(
	struct login *l, const struct bhs_login_request *req, struct login_reply *ret)
{
	uint16_t status = l->failure.status;

	reply_header(l, req, ret);
	ret->bhs.status_class = (uint8_t)(status >> 8);
	ret->bhs.status_detail = (uint8_t)status;
	keys_text_reset(&l->in);
	keys_text_reset(&l->out);
	if (redirected(status) && l->grant.target_address[0] &&
		keys_text_add(&l->out, "TargetAddress", l->grant.target_address) == 0)
		reply_text(l, ret);
	return LOGIN_REFUSED;
}

/*
 * The initiator sets T: go on if this stage is done and its last text fits this response.
 *   rest_of_answer	the request only asked for the rest of an answer that came in pieces
 * Returns 0 or -1; the state tells whether it moved on.
 */
static int transit(struct login *l, const struct bhs_login_request *req, bool rest_of_answer)
{
	enum login_state to = transit_to(req->flags);
	int ready = stages[l->state].ready(l, rest_of_answer);

	if (ready <= 0)
		return ready;
	if (keys_text_left(&l->out) > reply_limit(l))
		return 0;
	if (to == LOGIN_FULL_FEATURE && fail_keys(l, keys_complete(&l->nego, &l->fault)))
		return -1;
	l->state = to;
	l->nego.stage = KEYS_OPERATIONAL;
	return 0;
}

static enum login_verdict reply(struct login *l, const struct bhs_login_request *req,
	bool rest_of_answer, struct login_reply *ret)
{
	enum login_state from = l->state;
	uint8_t flags = (uint8_t)(login_csg(req->flags) << LOGIN_CSG_SHIFT);

	if ((req->flags & LOGIN_TRANSIT) && transit(l, req, rest_of_answer))
		return reply_refusal(l, req, ret);
	if (l->state != from)
		flags |= LOGIN_TRANSIT | login_nsg(req->flags);
	reply_header(l, req, ret);
	reply_text(l, ret);
	if (keys_text_left(&l->out))
		flags |= LOGIN_CONTINUE;
	ret->bhs.flags = flags;
	return l->state == LOGIN_FULL_FEATURE ? LOGIN_COMPLETE : LOGIN_PENDING;
}

/* ---- Requests ---- */

/* Collect the text. 1: the step is complete, 0: more is to come, -1: failed. */
static int collect(
	struct login *l, const struct bhs_login_request *req, const void *text, size_t text_bytes)
{
	int rc = keys_text_append(&l->in, text, text_bytes);

	if (rc == -EMSGSIZE)
		return fail(l, LOGIN_STATUS_INITIATOR_ERROR, NULL,
			"more than %d bytes of text in one step", KEYS_TEXT_BYTES_MAX);
	if (rc)
		return fail_keys(l, rc);
	return !(req->flags & LOGIN_CONTINUE);
}

enum login_verdict login_request(struct login *l, const struct bhs_login_request *req,
	const void *text, size_t text_bytes, struct login_reply *ret)
{
	bool rest_of_answer = keys_text_left(&l->out) > 0;
	int rc = 0;

	assert(l->state < LOGIN_FULL_FEATURE);
	if (l->requests++ == 0)
		l->first = *req;
	if (l->requests > LOGIN_REQUESTS_MAX)
		fail(l, LOGIN_STATUS_INITIATOR_ERROR, NULL, "more than %d Login Requests",
			LOGIN_REQUESTS_MAX);
	else if (header_check(l, req) == 0 && rest_of_answer &&
		 (text_bytes || (req->flags & LOGIN_CONTINUE)))
		fail(l, LOGIN_STATUS_INITIATOR_ERROR, NULL,
			"text before the end of our own (C bit)");
	if (l->state == LOGIN_FAILED)
		return reply_refusal(l, req, ret);
	if (!rest_of_answer) {
		keys_text_reset(&l->out);
		rc = collect(l, req, text, text_bytes);
		if (rc > 0) {
			rc = run_step(l);
			keys_text_reset(&l->in);
		}
	}
	return rc < 0 ? reply_refusal(l, req, ret) : reply(l, req, rest_of_answer, ret);
}

enum login_verdict login_refuse(struct login *l, uint16_t status, const char *cause,
	const char *cure, struct login_reply *ret)
{
	fail(l, status, cure, "%s", cause);
	return reply_refusal(l, &l->first, ret);
}

/* ---- Results ---- */

const struct login_id *login_id(const struct login *l)
{
	return &l->id;
}

const struct keys_values *login_values(const struct login *l)
{
	return &l->values;
}

uint32_t login_cmdsn(const struct login *l)
{
	return be32_get(l->first.cmdsn);
}

const char *login_user(const struct login *l)
{
	return l->chap.state == CHAP_ACCEPTED ? l->chap.who->userid : NULL;
}

const char *login_algorithm(const struct login *l)
{
	return l->chap.state == CHAP_ACCEPTED ? chap_algorithm_used(&l->chap) : NULL;
}

bool login_by_next(const struct login *l)
{
	return l->chap.state == CHAP_ACCEPTED && l->chap.by_next;
}

bool login_mutual(const struct login *l)
{
	return l->chap.state == CHAP_ACCEPTED && l->chap.mutual;
}

bool login_awaits_response(const struct login *l)
{
	return l->state == LOGIN_SECURITY && l->chap.state == CHAP_WAIT_RESPONSE;
}

bool login_guessed_wrong(const struct login *l)
{
	return l->chap.wrong;
}

enum login_state login_state(const struct login *l)
{
	return l->state;
}

const struct login_failure *login_failure(const struct login *l)
{
	return l->state == LOGIN_FAILED ? &l->failure : NULL;
}
