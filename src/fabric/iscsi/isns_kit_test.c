/* SPDX-License-Identifier: BSD-3-Clause */
/* isns_kit_test.c: the servers of the iSNS client's tests, and the bench that they stand on. */
#include <arpa/inet.h>
#include <stdlib.h>
#include <string.h>

#include "fabric/iscsi/isns_testkit.h"

struct bench b;

/* ---- the server ------------------------------------------------------------------------------ */

void serve(struct server *s)
{
	struct sockaddr_storage at;

	assert_int_equal(address_parse(s->address, &at, NULL), 0);
	s->listen = sim_serve(b.rig.k.loops, (struct sockaddr *)&at, address_bytes(&at));
	assert_true(s->listen >= 0);
}

void drop_peer(struct server *s)
{
	if (s->peer >= 0)
		sim_close(b.rig.k.loops, s->peer, false);
	s->peer = -1;
	s->n = 0;
}

void serve_no_more(struct server *s)
{
	drop_peer(s);
	if (s->listen >= 0)
		sim_serve_end(b.rig.k.loops, s->listen);
	s->listen = -1;
}

void forget(struct server *s)
{
	s->entity = false;
	s->nnodes = s->nports = s->npgs = 0;
}

static unsigned node_at(const struct server *s, const char *name)
{
	unsigned i = 0;

	while (i < s->nnodes && strcmp(s->nodes[i], name) != 0)
		i++;
	return i;
}

static void add_node(struct server *s, const char *name)
{
	if (node_at(s, name) < s->nnodes)
		return;
	assert_in_range(s->nnodes, 0, NODES_MAX - 1);
	strcpy(s->nodes[s->nnodes++], name);
}

static void remove_node(struct server *s, const char *name)
{
	unsigned i = node_at(s, name);

	assert_in_range(i, 0, s->nnodes - 1); /* nothing is withdrawn that is not there */
	memmove(s->nodes[i], s->nodes[--s->nnodes], sizeof(s->nodes[i]));
}

void set_port(struct server *s, uint32_t port, bool there)
{
	unsigned i = 0;

	while (i < s->nports && s->ports[i] != port)
		i++;
	if (there && i == s->nports)
		s->ports[s->nports++] = (uint16_t)port;
	assert_in_range(s->nports, 0, PORTALS_MAX);
	if (!there && i < s->nports)
		s->ports[i] = s->ports[--s->nports];
}

static void registered(struct server *s, const struct isns_attr *a)
{
	uint32_t v = 0;

	(void)isns_u32(a, &v);
	switch (a->tag) {
	case ISNS_ENTITY_ID:
		/* One at a time: whoever makes another one has left the first. */
		if (s->entity)
			assert_string_equal(s->eid, isns_text(a));
		strcpy(s->eid, isns_text(a));
		s->entity = true;
		break;
	case ISNS_REGISTRATION_PERIOD:
		s->period = v;
		break;
	case ISNS_PORTAL_ADDRESS:
		assert_int_equal(a->n, sizeof(s->last_address));
		memcpy(s->last_address, a->value, a->n);
		break;
	case ISNS_PORTAL_PORT:
		set_port(s, v, true);
		break;
	case ISNS_ESI_PORT:
		s->esi_port = v;
		break;
	case ISNS_SCN_PORT:
		s->scn_port = v;
		break;
	case ISNS_ISCSI_NAME:
		add_node(s, isns_text(a));
		s->names_told++;
		break;
	case ISNS_PG_TAG:
		s->npgs++;
		break;
	default:
		break;
	}
}

static void deregistered(struct server *s, const struct isns_attr *a)
{
	uint32_t v = 0;

	(void)isns_u32(a, &v);
	if (a->tag == ISNS_ENTITY_ID) {
		assert_string_equal(s->eid, isns_text(a));
		forget(s);
	}
	if (a->tag == ISNS_ISCSI_NAME)
		remove_node(s, isns_text(a));
	else if (a->tag == ISNS_PORTAL_PORT)
		set_port(s, v, false);
}

/* 5.6.5: source, key, delimiter, operating attributes. */
static void carry_out(struct server *s, uint16_t function, struct isns_reader r)
{
	bool behind = false, sourced = false;
	struct isns_attr a;
	int more;

	while ((more = isns_next(&r, &a)) > 0) {
		if (!behind && !sourced) {
			assert_int_equal(a.tag, ISNS_ISCSI_NAME);
			sourced = true;
			/* Who withdraws or asks must be registered. */
			if (function != ISNS_DEV_ATTR_REG && s->entity)
				assert_in_range(node_at(s, isns_text(&a)), 0, s->nnodes - 1);
		} else if (a.tag == ISNS_DELIMITER) {
			behind = true;
		} else if (function == ISNS_DEV_ATTR_REG) {
			registered(s, &a);
		} else if (function == ISNS_DEV_DEREG && behind) {
			deregistered(s, &a);
		}
	}
	assert_int_equal(more, 0);
	assert_true(sourced && behind);
}

static void put_answer(struct server *s, uint16_t function, uint16_t transaction, uint32_t status)
{
	uint8_t word[4];
	struct strbuf o;

	strbuf_init(&o);
	isns_begin(&o, function | ISNS_RESPONSE, ISNS_FLAG_SERVER, transaction);
	put_be32(word, status);
	strbuf_write(&o, word, 4);
	if (function == ISNS_DEV_ATTR_QRY && s->entity) {
		isns_put_text(&o, ISNS_ENTITY_ID, s->eid);
		isns_put(&o, ISNS_DELIMITER, NULL, 0);
		isns_put_text(&o, ISNS_ENTITY_ID, s->eid);
	}
	assert_true(isns_end(&o));
	if (s->mood == GARBLES)
		o.s[1] = 9;
	(void)sim_send(b.rig.k.loops, s->peer, o.s, o.len);
	strbuf_done(&o);
}

static void message(struct server *s, const struct isns_header *h, const uint8_t *p, size_t n)
{
	uint16_t function = be16_get(h->function), flags = be16_get(h->flags);
	bool replace = flags & ISNS_FLAG_REPLACE;

	assert_int_equal(be16_get(h->version), ISNS_VERSION);
	assert_int_equal(
		flags & ~ISNS_FLAG_REPLACE, ISNS_FLAG_CLIENT | ISNS_FLAG_FIRST | ISNS_FLAG_LAST);
	s->registrations += function == ISNS_DEV_ATTR_REG;
	s->deregistrations += function == ISNS_DEV_DEREG;
	s->queries += function == ISNS_DEV_ATTR_QRY;
	s->scn_regs += function == ISNS_SCN_REG;
	s->replaces += replace;
	if (s->mood == SILENT)
		return;
	if (s->mood == REFUSES) {
		put_answer(s, function, be16_get(h->transaction), s->status);
		return;
	}
	if (replace)
		forget(s);
	carry_out(s, function, (struct isns_reader){ p, n });
	if (s->mood == LOSES) {
		drop_peer(s);
		return;
	}
	put_answer(s, function, be16_get(h->transaction), 0);
}

void play(struct server *s)
{
	struct loops *loops = b.rig.k.loops;
	int64_t got;

	if (s->listen < 0)
		return;
	if (s->peer < 0) {
		int peer = sim_accept(loops, s->listen);

		if (peer < 0)
			return;
		s->peer = peer;
		s->accepted_ns[s->connections++ % 64] = sim_now_ns(loops);
		s->n = 0;
		if (s->mood == HANGS_UP)
			drop_peer(s);
		return;
	}
	got = sim_recv(loops, s->peer, s->in + s->n, sizeof(s->in) - s->n);
	if (got < 0) {
		drop_peer(s);
		return;
	}
	s->n += (size_t)got;
	while (s->peer >= 0 && s->n >= ISNS_HEADER_BYTES) {
		size_t n = ISNS_HEADER_BYTES + get_be16(s->in + 4);

		if (s->n < n)
			break;
		message(s, (const struct isns_header *)s->in, s->in + ISNS_HEADER_BYTES,
			n - ISNS_HEADER_BYTES);
		if (s->peer < 0)
			return;
		s->n -= n;
		memmove(s->in, s->in + n, s->n);
	}
}

/* ---- the bench ------------------------------------------------------------------------------- */

bool run_until(bool (*pred)(void))
{
	for (unsigned i = 0; i < STEPS; i++) {
		if (pred && pred())
			return true;
		sim_run(b.rig.k.loops, NULL, NULL, 1);
		play(&b.servers[0]);
		play(&b.servers[1]);
	}
	return !pred;
}

static uint64_t until_ns;

static bool time_is_up(void)
{
	return sim_now_ns(b.rig.k.loops) >= until_ns;
}

void run_for(uint64_t ns)
{
	until_ns = sim_now_ns(b.rig.k.loops) + ns;
	assert_true(run_until(time_is_up));
}

void configure(const char *servers)
{
	struct isns_settings s = *isns_settings(b.e->isns);
	struct errmsg err = { 0 };

	strcpy(s.servers, servers);
	strcpy(s.entity, "sim");
	if (isns_configure(b.e->isns, &s, &err))
		fail_msg("%s", err.text);
}

void add_target(const char *portal)
{
	unsigned i = b.ntargets++;
	char name[64];

	snprintf(name, sizeof(name), "iqn.2003-01.test:t%03u", i);
	assert_int_equal(target_new(b.e, name, &b.targets[i], NULL), 0);
	assert_int_equal(tpg_new(b.targets[i], 1, &b.tpgs[i], NULL), 0);
	assert_int_equal(portal_new(b.tpgs[i], portal, &b.portals[i], NULL), 0);
	assert_int_equal(tpg_enable(b.tpgs[i], true, NULL), 0);
	isns_changed(b.e->isns);
}

void remove_target(void)
{
	unsigned i = --b.ntargets;

	assert_int_equal(tpg_enable(b.tpgs[i], false, NULL), 0);
	assert_int_equal(portal_free(b.portals[i], NULL), 0);
	assert_int_equal(tpg_free(b.tpgs[i], NULL), 0);
	assert_int_equal(target_free(b.targets[i], NULL), 0);
	if (b.e->isns)
		isns_changed(b.e->isns);
}

static void tick(struct loop_timer *t)
{
	loop_timer_arm(rig_loop(&b.rig, 1), t, S / 20);
}

static void start_tick(struct loop *loop, void *arg)
{
	b.tick.fire = tick;
	tick(&b.tick);
}

static void stop_tick(struct loop *loop, void *arg)
{
	loop_timer_disarm(loop, &b.tick);
}

int setup(void **state)
{
	memset(&b, 0, sizeof(b));
	rig_init(&b.rig, LOOP_SIM, 2, 11);
	assert_int_equal(entity_new(b.rig.eng, &b.e), 0);
	for (unsigned i = 0; i < 2; i++) {
		snprintf(b.servers[i].address, sizeof(b.servers[i].address), "10.0.0.%u:3205",
			i + 5);
		b.servers[i].listen = b.servers[i].peer = -1;
	}
	loops_call(b.rig.k.loops, rig_loop(&b.rig, 1), start_tick, NULL);
	return 0;
}

int teardown(void **state)
{
	loops_call(b.rig.k.loops, rig_loop(&b.rig, 1), stop_tick, NULL);
	assert_int_equal(entity_stop(b.e, 10 * S), 0);
	while (b.ntargets)
		remove_target();
	entity_free(b.e);
	rig_done(&b.rig);
	return 0;
}

/* What the client says of a server. */
struct isns_server_info info(unsigned i)
{
	struct isns_server_info all[ISNS_SERVERS_MAX];

	assert_in_range(isns_info(b.e->isns, all), i + 1, ISNS_SERVERS_MAX);
	return all[i];
}

bool is_registered(void)
{
	return !strcmp(info(0).state, "registered");
}

bool is_not_registered(void)
{
	return !is_registered();
}

void settled(void)
{
	run_for(S / 5);
	assert_true(run_until(is_registered));
}
