/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * login_fuzz.c: a login phase, request by request, against configurations with and without CHAP.
 *
 * Byte 0 chooses the configuration. Then one record a Login Request: the flags byte (T, C, CSG,
 * NSG), a byte of variations (header fields that change, a right CHAP response to append, which no
 * fuzzer could guess), the length of the text (two bytes), the text. Checked: the shape of every
 * response, that nobody completes a login without what the configuration demands, and that a
 * refusal has its record.
 */
#include "fuzz.h"

#include <assert.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/evp.h>

#include "base/hex.h"
#include "fabric/iscsi/login.h"

enum { /* byte 0 */
	CONFIG_CHAP = 0x01,
	CONFIG_NONE = 0x02,
	CONFIG_DIGEST = 0x04,
	CONFIG_OFFERS = 0x08,
	CONFIG_JOIN = 0x10,
	CONFIG_STRICT = 0x20,
};

enum { /* variations of a request */
	VARY_ISID = 0x01,
	VARY_VERSION = 0x02,
	VARY_AHS = 0x04,
	VARY_TSIH = 0x08,
	CHAP_RESPONSE = 0x10, /* append CHAP_N and the right CHAP_R */
	CHAP_MUTUAL = 0x20, /* and CHAP_I, CHAP_C */
};

static const char userid[] = "fuzzy", password[] = "a secret of fuzz";

static uint16_t find_target(void *arg, const struct login_id *id, struct login_grant *g)
{
	uint8_t how = *(const uint8_t *)arg;

	assert(!id->discovery && id->target_name[0]);
	if (how & CONFIG_DIGEST)
		g->keys.header_digest = DIGEST_CRC32C;
	if (how & CONFIG_OFFERS) {
		g->keys.max_burst_length = 4096;
		g->keys.immediate_data = false;
	}
	g->keys.login_keys_workaround = !(how & CONFIG_STRICT);
	g->target_portal_group_tag = 65535;
	strcpy(g->target_address, "192.0.2.1");
	return strstr(id->target_name, "moved") ? LOGIN_STATUS_TARGET_MOVED_TEMPORARILY : 0;
}

static uint16_t find_node(void *arg, const struct login_id *id, struct login_grant *g)
{
	uint8_t how = *(const uint8_t *)arg;

	assert(id->initiator_name[0]);
	g->keys.auth_method = (how & CONFIG_CHAP ? AUTH_METHOD_CHAP : 0) |
			      (how & CONFIG_NONE ? AUTH_METHOD_NONE : 0);
	strcpy(g->chap.user.userid, userid);
	strcpy(g->chap.user.password, password);
	strcpy(g->chap.user.userid_mutual, "target");
	strcpy(g->chap.user.password_mutual, "a secret of the target");
	return 0;
}

static uint16_t find_session(void *arg, const struct login_id *id, struct sess_params *params)
{
	assert(id->tsih);
	params->max_burst_length = 65536;
	params->first_burst_length = 512;
	return id->tsih == 7 ? 0 : LOGIN_STATUS_SESSION_DOES_NOT_EXIST;
}

static const struct login_ops ops = {
	.find_target = find_target,
	.find_node = find_node,
	.find_session = find_session,
};

struct peer {
	struct login *l;
	uint8_t how;
	struct bhs_login_request req;
	uint8_t challenge[1 + sizeof(password) - 1 + CHAP_OUR_CHALLENGE_BYTES]; /* as digested */
	bool challenged, proved;
	char text[LOGIN_DATA_SEGMENT_BYTES_MAX];
	size_t text_bytes;
};

/* The SHA-256 response to the last challenge, if there was one and it fits. */
static void append_chap(struct peer *p, uint8_t vary)
{
	char r[65], text[256];
	uint8_t md[32];
	int n;

	if (!p->challenged || !(vary & CHAP_RESPONSE))
		return;
	EVP_Digest(p->challenge, sizeof(p->challenge), md, NULL, EVP_sha256(), NULL);
	hex_encode(r, sizeof(r), md, sizeof(md));
	n = snprintf(text, sizeof(text), "CHAP_N=%s%cCHAP_R=0x%s%c", userid, 0, r, 0);
	if (vary & CHAP_MUTUAL)
		n += snprintf(
			text + n, sizeof(text) - (size_t)n, "CHAP_I=1%cCHAP_C=0x0102%c", 0, 0);
	if ((size_t)n > sizeof(p->text) - p->text_bytes)
		return;
	memcpy(p->text + p->text_bytes, text, (size_t)n);
	p->text_bytes += (size_t)n;
	p->proved = true;
}

/* CHAP_I and CHAP_C out of a response that chose SHA-256. */
static void take_challenge(struct peer *p, const struct login_reply *r)
{
	static struct keys_pairs pairs;
	struct keys_fault f;
	struct keys_text t;
	const struct keys_pair *a, *i, *c;

	keys_text_init(&t, r->text_bytes);
	if (r->text_bytes && keys_text_append(&t, r->text, r->text_bytes) == 0 &&
		keys_parse(&t, &pairs, &f) == 0) {
		a = keys_find(&pairs, "CHAP_A");
		i = keys_find(&pairs, "CHAP_I");
		c = keys_find(&pairs, "CHAP_C");
		if (a && i && c && strcmp(a->value, "7") == 0) {
			p->challenge[0] = (uint8_t)atoi(i->value);
			memcpy(p->challenge + 1, password, sizeof(password) - 1);
			assert(keys_binary(c->value, p->challenge + sizeof(password),
				       CHAP_OUR_CHALLENGE_BYTES) == CHAP_OUR_CHALLENGE_BYTES);
			p->challenged = true;
		}
	}
	keys_text_done(&t);
}

static void check_refused(const struct peer *p, const struct login_reply *r)
{
	const struct login_failure *f = login_failure(p->l);

	assert(f && f->cause[0] && f->cure && f->state < LOGIN_FULL_FEATURE);
	assert(r->bhs.status_class >= 1 && r->bhs.status_class <= 3);
	assert((r->bhs.status_class << 8 | r->bhs.status_detail) == f->status);
	assert(r->bhs.flags == 0);
	for (const char *c = f->cause; *c; c++)
		assert(*c >= 0x20 && *c <= 0x7e);
}

static void check_complete(const struct peer *p)
{
	const struct keys_values *v = login_values(p->l);

	assert(!login_failure(p->l));
	assert(v->sess.initiator_name[0]);
	assert(login_id(p->l)->discovery || v->sess.target_name[0]);
	if (!(p->how & CONFIG_NONE)) {
		assert(p->how & CONFIG_CHAP);
		assert(p->proved && login_user(p->l));
	}
	if ((p->how & CONFIG_DIGEST) && !login_id(p->l)->discovery)
		assert(v->conn.header_digest == DIGEST_CRC32C);
	assert(v->sess.first_burst_length <= v->sess.max_burst_length);
}

static void check_reply(
	const struct peer *p, enum login_verdict verdict, const struct login_reply *r)
{
	uint8_t flags = r->bhs.flags;

	assert(r->bhs.opcode == ISCSI_OP_LOGIN_RESPONSE);
	assert(r->text_bytes <= LOGIN_DATA_SEGMENT_BYTES_MAX);
	assert(be24_get(r->bhs.data_segment_length) == r->text_bytes);
	assert(memcmp(r->bhs.isid, p->req.isid, sizeof(r->bhs.isid)) == 0);
	if (verdict == LOGIN_REFUSED) {
		check_refused(p, r);
		return;
	}
	assert(r->bhs.status_class == 0 && r->bhs.status_detail == 0);
	assert(login_csg(flags) == login_csg(p->req.flags));
	assert(!(flags & LOGIN_TRANSIT) || !(flags & LOGIN_CONTINUE));
	assert(!(flags & LOGIN_TRANSIT) || (p->req.flags & LOGIN_TRANSIT));
	assert((verdict == LOGIN_COMPLETE) ==
		((flags & LOGIN_TRANSIT) && login_nsg(flags) == ISCSI_STAGE_FULL_FEATURE_PHASE));
	if (p->req.flags & LOGIN_CONTINUE)
		assert(r->text_bytes == 0 && !(flags & LOGIN_TRANSIT));
	if (verdict == LOGIN_COMPLETE)
		check_complete(p);
}

static enum login_verdict run_request(struct peer *p, uint8_t flags, uint8_t vary)
{
	struct login_reply r;
	enum login_verdict verdict;

	append_chap(p, vary);
	p->req.opcode = ISCSI_OP_IMMEDIATE | ISCSI_OP_LOGIN_REQUEST;
	p->req.flags = flags;
	p->req.version_min = vary & VARY_VERSION ? 1 : 0;
	p->req.total_ahs_length = vary & VARY_AHS ? 1 : 0;
	p->req.isid[0] = vary & VARY_ISID ? 0x40 : 0x80;
	p->req.tsih = be16_put(vary & VARY_TSIH ? 9 : p->how & CONFIG_JOIN ? 7 : 0);
	verdict = login_request(p->l, &p->req, p->text, p->text_bytes, &r);
	check_reply(p, verdict, &r);
	if (verdict == LOGIN_PENDING)
		take_challenge(p, &r);
	return verdict;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct peer *p = calloc(1, sizeof(*p));
	enum login_verdict verdict = LOGIN_PENDING;
	size_t at = 1;

	if (!p)
		abort();
	p->how = size ? data[0] : 0;
	p->l = login_new(&ops, &p->how);
	if (!p->l)
		abort();
	while (verdict == LOGIN_PENDING && at + 4 <= size) {
		uint8_t flags = data[at], vary = data[at + 1];
		size_t n = get_be16(data + at + 2);

		at += 4;
		if (n > size - at)
			n = size - at;
		if (n > sizeof(p->text))
			n = sizeof(p->text);
		memcpy(p->text, data + at, n);
		p->text_bytes = n;
		at += n;
		verdict = run_request(p, flags, vary);
	}
	login_free(p->l);
	free(p);
	return 0;
}
