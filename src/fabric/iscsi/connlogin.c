/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * connlogin.c: between a connection and the login phase (login.h): who is let in where,
 * and reinstatement of a session (RFC 7143 6.3.5).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/iov.h"
#include "fabric/iscsi/login.h"
#include "fabric/iscsi/login_log.h"
#include "fabric/iscsi/sess.h"

/*
 * ---- questions of the login phase
 * -----------------------------------------------------------------
 */

static uint16_t refuse(struct login_grant *g, uint16_t status, const char *cause, const char *cure)
{
	g->cause = cause;
	g->cure = cure;
	return status;
}

static void clamp(struct keys_config *keys)
{
	if (keys->max_recv_data_segment_length > CONN_DATA_SEGMENT_BYTES_MAX)
		keys->max_recv_data_segment_length = CONN_DATA_SEGMENT_BYTES_MAX;
	if (keys->max_xmit_data_segment_length > CONN_DATA_SEGMENT_BYTES_MAX)
		keys->max_xmit_data_segment_length = CONN_DATA_SEGMENT_BYTES_MAX;
	if (keys->max_outstanding_r2t > TASK_R2TS_MAX)
		keys->max_outstanding_r2t = TASK_R2TS_MAX;
}

/* The group of that target that this connection has come through. Under the configuration lock. */
static struct tpg *tpg_of(struct conn *conn, const char *target_name)
{
	struct portal *portal = portal_find(conn->listener, target_name);

	return portal ? portal->tpg : NULL;
}

static uint16_t find_target(void *arg, const struct login_id *id, struct login_grant *g)
{
	struct conn *conn = arg;
	uint16_t status = LOGIN_STATUS_SUCCESS;
	struct tpg *tpg;

	engine_lock(conn->entity->eng);
	tpg = tpg_of(conn, id->target_name);
	if (tpg) {
		g->keys = tpg->keys;
		g->target_portal_group_tag = tpg->tag;
		clamp(&g->keys);
	} else if (target_find(conn->entity, id->target_name)) {
		status = refuse(g, LOGIN_STATUS_SERVICE_UNAVAILABLE,
			"the target has no enabled portal group at this address",
			"enable its portal group, or add this address to its portals");
	} else {
		status = refuse(g, LOGIN_STATUS_NOT_FOUND, "there is no target of that name",
			"check the name: `ulio ls /iscsi` lists those there are");
	}
	engine_unlock(conn->entity->eng);
	return status;
}

/* Whom the login is for, and what is found out about it under the lock. */
struct node_query {
	struct conn *conn;
	struct tpg *tpg;
	struct login_grant *g;
	struct node_attribs attribs;
	uint32_t depth;
	uint16_t status;
};

/* What a login at this place is judged by; the algorithms as the nearest place says. */
static void copy_auth(const struct entity *e, const struct auth *auth, const struct tpg *tpg,
	struct chap_auth *ret)
{
	auth_copy(auth, ret);
	if (!ret->policy.n && tpg)
		ret->policy = tpg->auth.policy;
	if (!ret->policy.n)
		ret->policy = e->chap_policy;
}

/*
 * The methods that an initiator may choose from, AUTH_METHOD_x: what its ACL says, else its portal
 * group. As in LIO, an AuthMethod without None demands authentication too.
 */
static uint32_t methods_of(const struct tpg *tpg, const struct node_attribs *node)
{
	uint32_t either = AUTH_METHOD_CHAP | AUTH_METHOD_NONE;

	if (node->authentication == 0)
		return either;
	if (node->authentication == 1 || tpg->attribs.authentication ||
		!(tpg->keys.auth_method & AUTH_METHOD_NONE))
		return AUTH_METHOD_CHAP;
	return tpg->keys.auth_method & either;
}

static int ask_node(struct acl *acl, void *arg)
{
	struct node_query *q = arg;
	const struct node_data *nd = acl->fabric_data;
	const struct auth *auth = acl->dynamic ? &q->tpg->auth : &nd->auth;
	uint32_t methods = methods_of(q->tpg, &nd->attribs);

	q->attribs = nd->attribs;
	q->depth = acl->queue_depth;
	if (!q->g)
		return 0;
	copy_auth(q->conn->entity, auth, q->tpg, &q->g->chap);
	q->g->keys.auth_method = methods;
	if (q->g->keys.error_recovery_level < nd->attribs.default_erl)
		q->g->keys.error_recovery_level = nd->attribs.default_erl;
	if (methods == AUTH_METHOD_CHAP && !chap_auth_usable(&q->g->chap))
		q->status = refuse(q->g, LOGIN_STATUS_AUTHENTICATION_FAILURE,
			"authentication is demanded, but no userid and password are set for it",
			"set auth/userid and auth/password, or attrib/authentication to 0 (param/"
			"AuthMethod then has None)");
	return 0;
}

static uint16_t ask_discovery(struct conn *conn, struct login_grant *g)
{
	struct entity *e = conn->entity;
	uint16_t status = LOGIN_STATUS_SUCCESS;

	engine_lock(e->eng);
	copy_auth(e, &e->discovery_auth, NULL, &g->chap);
	g->keys.auth_method =
		e->enforce_discovery_auth ? AUTH_METHOD_CHAP : AUTH_METHOD_CHAP | AUTH_METHOD_NONE;
	if (e->enforce_discovery_auth && !chap_auth_usable(&g->chap))
		status = refuse(g, LOGIN_STATUS_AUTHENTICATION_FAILURE,
			"discovery demands authentication, but no userid and password are set for "
			"it",
			"set discovery_auth/userid and password, or enforce_discovery_auth to 0");
	engine_unlock(e->eng);
	clamp(&g->keys);
	return status;
}

/* What its address may take. */
static uint16_t check_peer(struct conn *conn, struct login_grant *g)
{
	if (conn->over_limit)
		return refuse(g, LOGIN_STATUS_OUT_OF_RESOURCES,
			"its address has as many connections as it may have",
			"end some of them (ulio sessions drop), or raise peer_connections_max of "
			"/iscsi");
	if (!hosts_login(&conn->entity->hosts, conn->host, loop_now_ns(conn->loop)))
		return refuse(g, LOGIN_STATUS_SERVICE_UNAVAILABLE,
			"its address logs in more often in a second than it may",
			"find out why it does, or raise peer_logins_per_s of /iscsi");
	return LOGIN_STATUS_SUCCESS;
}

static uint16_t find_node(void *arg, const struct login_id *id, struct login_grant *g)
{
	struct node_query q = { .conn = arg, .g = g };
	uint16_t status = check_peer(q.conn, g);
	struct portal *portal;
	int rc;

	if (status != LOGIN_STATUS_SUCCESS)
		return status;
	if (id->discovery)
		return ask_discovery(arg, g);
	engine_lock(q.conn->entity->eng);
	portal = portal_find(q.conn->listener, id->target_name);
	q.tpg = portal ? portal->tpg : NULL;
	rc = q.tpg ? port_with_acl_locked(q.tpg->port, id->initiator_name, ask_node, &q) : -ENOENT;
	if (!rc && q.status == LOGIN_STATUS_SUCCESS)
		q.status = redirect_login(q.conn, portal, id, g);
	engine_unlock(q.conn->entity->eng);
	if (rc == -EACCES)
		return refuse(g, LOGIN_STATUS_AUTHORIZATION_FAILURE,
			"the initiator is not in the access list of the target",
			"add an ACL for its name, or open the target to all (generate_node_acls)");
	if (rc)
		return refuse(g, LOGIN_STATUS_OUT_OF_RESOURCES, "the portal group has gone", NULL);
	return q.status;
}

static uint16_t find_session(void *arg, const struct login_id *id, struct sess_params *params)
{
	uint16_t status = LOGIN_STATUS_SESSION_DOES_NOT_EXIST;
	struct conn *conn = arg;
	struct tpg *tpg;

	engine_lock(conn->entity->eng);
	tpg = id->discovery ? NULL : tpg_of(conn, id->target_name);
	if (tpg)
		status = join_find(conn, tpg, id);
	engine_unlock(conn->entity->eng);
	if (conn->joins)
		*params = conn->joins->params;
	return status;
}

static const struct login_ops ops = {
	.find_target = find_target,
	.find_node = find_node,
	.find_session = find_session,
};

/*
 * ---- PDUs
 * ---------------------------------------------------------------------------------------------
 */

static void send_reply(struct conn *conn, const struct login_reply *reply)
{
	struct tx_pdu *p = tx_pdu_new(conn, ISCSI_OP_LOGIN_RESPONSE, 0);

	if (!p)
		return;
	memcpy(&p->bhs, &reply->bhs, BHS_BYTES);
	/* 11.13.4: StatSN is only valid, and only advances, when the login has not failed. */
	p->takes_statsn = true;
	if (reply->text_bytes) {
		p->data = malloc(reply->text_bytes);
		if (!p->data) {
			free(p);
			conn_close(conn, "out of memory");
			return;
		}
		memcpy(p->data, reply->text, reply->text_bytes);
		p->data_bytes = (uint32_t)reply->text_bytes;
	}
	tx_send(conn, p);
}

static void end_refused(struct conn *conn, const struct login_reply *reply)
{
	if (login_guessed_wrong(conn->login))
		hosts_failed(&conn->entity->hosts, conn->host, loop_now_ns(conn->loop));
	login_log_refused(conn);
	send_reply(conn, reply);
	conn_event(conn, EV_LOGIN_FAILED);
	conn_close_when_sent(conn);
}

/*
 * End a session that this login replaces. True: there is one; wait_msg comes when a session of
 * the group has ended.
 */
static bool replace_session(struct conn *conn, const struct login_id *id)
{
	struct tpg *tpg;
	struct sess *old = NULL;

	engine_lock(conn->entity->eng);
	tpg = tpg_of(conn, id->target_name);
	if (tpg)
		old = sess_of_port(tpg, id->isid, id->initiator_name);
	if (old) {
		sess_drop(old, "the initiator has logged in anew (session reinstatement)");
		conn->waiting = true;
		list_push_back(&tpg->waiters, &conn->wait_link);
	}
	engine_unlock(conn->entity->eng);
	return old != NULL;
}

static uint16_t make_session(struct conn *conn)
{
	const struct login_id *id = login_id(conn->login);
	struct node_query q = { .conn = conn };
	int rc = -ENOENT;

	q.attribs.nopin_timeout = id->discovery ? 0 : 15;
	if (!id->discovery) {
		engine_lock(conn->entity->eng);
		q.tpg = tpg_of(conn, id->target_name);
		if (q.tpg)
			rc = port_with_acl_locked(q.tpg->port, id->initiator_name, ask_node, &q);
		/* In the group's list it holds the group: it cannot go before the session. */
		if (!rc)
			q.tpg->nsessions++;
		engine_unlock(conn->entity->eng);
		if (rc)
			return rc == -EACCES ? LOGIN_STATUS_AUTHORIZATION_FAILURE
					     : LOGIN_STATUS_SERVICE_UNAVAILABLE;
	}
	return sess_new(conn, q.tpg, login_values(conn->login), id->isid, login_cmdsn(conn->login),
		&q.attribs, q.tpg ? q.depth : 16);
}

/* The same within the limits of its address. *ret_why: static, of a refusal. */
static uint16_t make_session_of_host(struct conn *conn, const char **ret_why, const char **ret_cure)
{
	struct hosts *hosts = &conn->entity->hosts;
	uint16_t status;

	*ret_why = "its address has as many sessions as it may have";
	*ret_cure = "end some of them (ulio sessions drop), or raise peer_sessions_max of /iscsi";
	if (!hosts_session(hosts, conn->host))
		return LOGIN_STATUS_OUT_OF_RESOURCES;
	*ret_why = "the session could not be made";
	*ret_cure = NULL;
	status = make_session(conn);
	if (status != LOGIN_STATUS_SUCCESS) {
		hosts_session_ended(hosts, conn->host);
		return status;
	}
	/* Without memory for it the list of sessions lacks the name, no more. */
	if (login_user(conn->login))
		conn->sess->user = strdup(login_user(conn->login));
	conn->sess->by_next = login_by_next(conn->login);
	conn->sess->mutual = login_mutual(conn->login);
	conn->sess->algorithm = login_algorithm(conn->login);
	conn->sess->host = conn->host;
	return status;
}

static void tell_login(const struct conn *conn)
{
	bool discovery = login_id(conn->login)->discovery;

	notice_tell(engine_notices(conn->entity->eng),
		&(struct notice){ .kind = NOTICE_LOGIN,
			.target = discovery ? NULL : login_id(conn->login)->target_name,
			.initiator = conn->sess->initiator,
			.peer = conn->peer,
			.state = discovery ? "discovery" : "normal" });
}

/* The connection belongs to its session: tell, and enter the Full Feature Phase. */
static void enter(struct conn *conn)
{
	struct login_reply *reply = conn->login_reply;
	const struct keys_values *v = login_values(conn->login);

	reply->bhs.tsih = be16_put(conn->sess->tsih);
	sess_count_login(conn->sess);
	if (!login_id(conn->login)->discovery)
		redirect_login_done(conn);
	tell_login(conn);
	log_msg(LOG_LEVEL_INFO, "iscsi", "%s: %s logged in to %s, session %u, CID %u%s%s%s",
		conn->peer, conn->sess->initiator,
		login_id(conn->login)->discovery ? "discovery" : login_id(conn->login)->target_name,
		conn->sess->tsih, conn->cid, login_user(conn->login) ? ", authenticated as " : "",
		login_user(conn->login) ? login_user(conn->login) : "",
		login_by_next(conn->login) ? " by the next password" : "");
	send_reply(conn, reply);
	conn->header_digest = v->conn.header_digest == DIGEST_CRC32C;
	conn->data_digest = v->conn.data_digest == DIGEST_CRC32C;
	conn_event(conn, EV_LOGIN_DONE);
	conn->login = login_free(conn->login);
	free(conn->login_data);
	conn->login_data = NULL;
	free(conn->login_reply);
	conn->login_reply = NULL;
	if (conn->rx.stopped)
		rx_resume(conn);
}

void login_joined(struct conn *conn, uint16_t status)
{
	if (status == LOGIN_STATUS_SUCCESS) {
		join_done(conn);
		enter(conn);
		return;
	}
	login_refuse(conn->login, status,
		status == LOGIN_STATUS_TOO_MANY_CONNECTIONS
			? "the session has as many connections as was agreed"
			: "the session has ended meanwhile",
		NULL, conn->login_reply);
	end_refused(conn, conn->login_reply);
}

/* All has been agreed: make the session, or join the one that is there. */
static void complete(struct conn *conn)
{
	struct login_reply *reply = conn->login_reply;
	const char *why, *cure;
	uint16_t status;

	conn->cid = login_id(conn->login)->cid;
	if (conn->joins) {
		join_begin(conn);
		return;
	}
	if (!login_id(conn->login)->discovery && replace_session(conn, login_id(conn->login))) {
		loop_timer_arm(conn->loop, &conn->timer, REINSTATE_WAIT_NS);
		return;
	}
	status = make_session_of_host(conn, &why, &cure);
	if (status == SESS_AGAIN) {
		complete(conn);
		return;
	}
	if (status != LOGIN_STATUS_SUCCESS) {
		login_refuse(conn->login, status, why, cure, reply);
		end_refused(conn, reply);
		return;
	}
	enter(conn);
}

/* ---- back-off: a response that is judged later ---- */

struct login_hold {
	struct conn *conn;
	struct loop_timer timer;
	struct bhs_login_request req;
	uint32_t data_bytes; /* in conn->login_data: nothing is received meanwhile */
};

/* The session that stood in the way has ended, or one of the same group has. */
static void session_ended(struct loop *loop, struct loop_msg *msg)
{
	struct conn *conn = container_of(msg, struct conn, wait_msg);

	conn->waiting = false;
	if (conn->closing)
		conn_reap(conn);
	else
		complete(conn);
}

void login_stop_waiting(struct conn *conn)
{
	if (conn->login_hold)
		loop_timer_disarm(conn->loop, &conn->login_hold->timer);
	free(conn->login_hold);
	conn->login_hold = NULL;
	if (!conn->waiting)
		return;
	engine_lock(conn->entity->eng);
	/* Not in the list any more: the message is on its way, and the connection waits for it. */
	if (list_linked(&conn->wait_link)) {
		list_del(&conn->wait_link);
		conn->waiting = false;
	}
	engine_unlock(conn->entity->eng);
}

bool login_begin_pdu(struct conn *conn, const struct pdu *pdu)
{
	if (conn->waiting || conn->joining || conn->close_after_send) {
		conn_close(conn, "a PDU after the last one of the login");
		return false;
	}
	/* What is held is still in conn->login_data. */
	if (conn->login_hold) {
		conn_close(conn, "a Login Request before the answer to the one before it");
		return false;
	}
	if (!conn->login) {
		conn->login = login_new(&ops, conn);
		conn->login_data = malloc(LOGIN_DATA_SEGMENT_BYTES_MAX);
		conn->login_reply = calloc(1, sizeof(*conn->login_reply));
		conn->wait_msg.fn = session_ended;
		if (!conn->login || !conn->login_data || !conn->login_reply) {
			conn_close(conn, "out of memory");
			return false;
		}
	}
	/* The first PDU must be a Login Request (6.3); anything else is no iSCSI initiator's. */
	if (conn->state == CONN_XPT_UP && bhs_opcode(&pdu->bhs) != ISCSI_OP_LOGIN_REQUEST) {
		conn_close(conn, "the first PDU is no Login Request: opcode 0x%02x",
			bhs_opcode(&pdu->bhs));
		return false;
	}
	conn->rx.sink.iov[0] = (struct iovec){ conn->login_data, pdu->data_bytes };
	conn->rx.sink.niov = pdu->data_bytes ? 1 : 0;
	return true;
}

/* One Login Request, with its data in conn->login_data. */
static void judge(struct conn *conn, const struct bhs_login_request *q, uint32_t data_bytes)
{
	struct login_reply *reply = conn->login_reply;
	enum login_verdict verdict;

	if (bhs_opcode((const struct bhs *)q) != ISCSI_OP_LOGIN_REQUEST || q->total_ahs_length)
		verdict = login_refuse(conn->login, LOGIN_STATUS_INVALID_DURING_LOGIN,
			"a PDU that is no plain Login Request", NULL, reply);
	else
		verdict = login_request(conn->login, q, conn->login_data, data_bytes, reply);
	conn->login_cmdsn = login_cmdsn(conn->login);
	switch (verdict) {
	case LOGIN_PENDING:
		send_reply(conn, reply);
		break;
	case LOGIN_COMPLETE:
		complete(conn);
		break;
	case LOGIN_REFUSED:
		end_refused(conn, reply);
		break;
	}
}

static void hold_over(struct loop_timer *t)
{
	struct login_hold *hold = container_of(t, struct login_hold, timer);
	struct conn *conn = hold->conn;

	conn->login_hold = NULL;
	judge(conn, &hold->req, hold->data_bytes);
	free(hold);
	/* After a refusal nothing more is received. */
	if (!conn->close_after_send)
		rx_resume(conn);
}

/* True: the request is judged later, or never. */
static bool hold_back(struct conn *conn, const struct bhs_login_request *q, uint32_t data_bytes)
{
	/* Half of the time that a login has at most: it must be answered in it. */
	uint64_t wait = atomic_load(&conn->entity->login_timeout_s) * NS_PER_S / 2;
	uint64_t now = loop_now_ns(conn->loop), at;
	struct login_hold *hold;

	if ((q->flags & LOGIN_CONTINUE) || !data_bytes || !login_awaits_response(conn->login))
		return false;
	at = hosts_judge_at(
		&conn->entity->hosts, conn->host, now, wait < HOST_WAIT_NS ? wait : HOST_WAIT_NS);
	if (at <= now)
		return false;
	hold = at == UINT64_MAX ? NULL : malloc(sizeof(*hold));
	if (!hold) {
		login_refuse(conn->login, LOGIN_STATUS_SERVICE_UNAVAILABLE,
			"too many wrong secrets came from its address: this one is not looked at",
			"find out who guesses there (ulio logins); it passes by itself",
			conn->login_reply);
		end_refused(conn, conn->login_reply);
		return true;
	}
	*hold = (struct login_hold){ .conn = conn, .req = *q, .data_bytes = data_bytes };
	hold->timer.fire = hold_over;
	conn->login_hold = hold;
	conn->rx.stopped = true;
	loop_timer_arm(conn->loop, &hold->timer, at - now);
	return true;
}

void login_end_pdu(struct conn *conn, const struct pdu *pdu)
{
	const struct bhs_login_request *q = (const struct bhs_login_request *)&pdu->bhs;

	if (conn->state == CONN_XPT_UP)
		conn->statsn = be32_get(q->expstatsn);
	conn_event(conn, EV_LOGIN_REQUEST);
	if (!hold_back(conn, q, pdu->data_bytes))
		judge(conn, q, pdu->data_bytes);
}
