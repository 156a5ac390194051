/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * isns_fuzz.c: the iSNS client against a server that says anything: as answers to its requests, on
 * connections that it makes itself, in pieces and in the wrong moment. What must hold: nobody falls
 * over, callers are bounded, and the client ends when it is told to.
 */
#include "fuzz.h"

#include <netinet/in.h>
#include <string.h>

#include "fabric/iscsi/isns_priv.h"
#include "loop/sim.h"
#include "rig.h"

#define NS_PER_MS UINT64_C(1000000)

enum { OPS_MAX = 300, CALLERS = 3, CHANGES_MAX = 8 };

struct fuzz {
	struct rig rig;
	struct entity *e;
	struct target *targets[2];
	struct tpg *tpgs[2];
	struct portal *portals[2];
	int listen, peer, callers[CALLERS];
	uint8_t in[70000];
	size_t n;
	/* of the last request */
	uint16_t function, transaction;
	unsigned changes;
};

static void take(struct fuzz *f)
{
	int64_t got;

	if (f->peer < 0) {
		int peer = sim_accept(f->rig.loops, f->listen);

		if (peer < 0)
			return;
		f->peer = peer;
		f->n = 0;
	}
	got = sim_recv(f->rig.loops, f->peer, f->in + f->n, sizeof(f->in) - f->n);
	if (got < 0) {
		sim_close(f->rig.loops, f->peer, false);
		f->peer = -1;
		return;
	}
	f->n += (size_t)got;
	while (f->n >= ISNS_HEADER_BYTES) {
		size_t n = ISNS_HEADER_BYTES + get_be16(f->in + 4);

		REQUIRE(get_be16(f->in) == ISNS_VERSION && !(n & 3), "it sends what is no iSNS");
		if (f->n < n)
			break;
		f->function = get_be16(f->in + 2);
		f->transaction = get_be16(f->in + 8);
		f->n -= n;
		memmove(f->in, f->in + n, f->n);
	}
}

static void run(struct fuzz *f, uint64_t ns)
{
	rig_run(&f->rig, ns);
	take(f);
	REQUIRE(f->e->isns->ncallers <= 2 * ISNS_CALLERS_MAX, "too many callers");
}

static void say(struct fuzz *f, int fd, uint16_t function, uint16_t transaction, struct input *in)
{
	const uint8_t *p;
	struct strbuf b;
	uint8_t word[4];
	size_t n;

	if (fd < 0)
		return;
	strbuf_init(&b);
	isns_begin(&b, function, ISNS_FLAG_SERVER, transaction);
	put_be32(word, input_u8(in));
	if (function & ISNS_RESPONSE)
		strbuf_write(&b, word, 4);
	p = input_bytes(in, input_u8(in), &n);
	if (n)
		strbuf_write(&b, p, n & ~(size_t)3);
	(void)isns_end(&b);
	(void)sim_send(f->rig.loops, fd, b.s, b.len);
	strbuf_done(&b);
}

static void say_raw(struct fuzz *f, int fd, struct input *in)
{
	size_t n;
	const uint8_t *p = input_bytes(in, input_u8(in), &n);

	if (fd >= 0 && n)
		(void)sim_send(f->rig.loops, fd, p, n);
}

static void call(struct fuzz *f, int *caller)
{
	struct sockaddr_in to = { .sin_family = AF_INET,
		.sin_addr.s_addr = htonl(0x0a000001),
		.sin_port = htons(f->e->isns->ports[0].port) };

	if (*caller >= 0)
		sim_close(f->rig.loops, *caller, true);
	*caller = sim_connect(f->rig.loops, (struct sockaddr *)&to, sizeof(to));
}

static void drop(struct fuzz *f, int *fd, bool reset)
{
	if (*fd >= 0)
		sim_close(f->rig.loops, *fd, reset);
	*fd = -1;
}

static void change(struct fuzz *f, uint8_t how)
{
	struct isns_settings s = *isns_settings(f->e->isns);
	struct errmsg err;

	errmsg_init(&err);
	if (f->changes++ >= CHANGES_MAX)
		return;
	if (how & 1) {
		REQUIRE(!tpg_enable(f->tpgs[1], !f->tpgs[1]->enabled, &err), "%s", err.text);
		isns_changed(f->e->isns);
	} else {
		s.period_s = how;
		strcpy(s.servers, how & 2 ? "" : "10.0.0.5");
		REQUIRE(!isns_configure(f->e->isns, &s, &err), "%s", err.text);
	}
}

static bool step(struct fuzz *f, struct input *in)
{
	uint8_t op = input_u8(in);
	int *caller = &f->callers[(op >> 4) % CALLERS];

	switch (op & 15) {
	case 0:
		run(f, (uint64_t)input_u8(in) * 100 * NS_PER_MS);
		break;
	case 1:
		run(f, NS_PER_MS);
		break;
	case 2:
		say(f, f->peer, f->function | ISNS_RESPONSE, f->transaction, in);
		run(f, NS_PER_MS);
		break;
	case 3:
		say(f, f->peer, input_u8(in), f->transaction, in);
		break;
	case 4:
		say_raw(f, f->peer, in);
		break;
	case 5:
		drop(f, &f->peer, op & 16);
		break;
	case 6:
		call(f, caller);
		break;
	case 7:
		say(f, *caller, op & 128 ? ISNS_SCN : ISNS_ESI, input_u8(in), in);
		break;
	case 8:
		say_raw(f, *caller, in);
		break;
	case 9:
		drop(f, caller, op & 128);
		break;
	case 10:
		change(f, input_u8(in));
		break;
	default:
		return in->left;
	}
	return in->left;
}

static void begin(struct fuzz *f, uint8_t seed)
{
	struct sockaddr_storage at;
	struct isns_settings s;
	struct errmsg err;

	errmsg_init(&err);
	rig_init(&f->rig, 2, seed, 8 << 20);
	REQUIRE(!entity_new(f->rig.eng, &f->e), "no entity");
	for (unsigned i = 0; i < 2; i++) {
		char name[] = "iqn.2003-01.test:t0";

		name[sizeof(name) - 2] = (char)('0' + i);
		REQUIRE(!target_new(f->e, name, &f->targets[i], &err) &&
				!tpg_new(f->targets[i], 1, &f->tpgs[i], &err) &&
				!portal_new(f->tpgs[i], i ? "0.0.0.0:3260" : "10.0.0.1:3261",
					&f->portals[i], &err) &&
				!tpg_enable(f->tpgs[i], true, &err),
			"%s", err.text);
	}
	REQUIRE(!address_parse("10.0.0.5:3205", &at, NULL), "no address");
	f->listen = sim_serve(f->rig.loops, (struct sockaddr *)&at, address_bytes(&at));
	f->peer = -1;
	for (unsigned i = 0; i < CALLERS; i++)
		f->callers[i] = -1;
	s = *isns_settings(f->e->isns);
	strcpy(s.servers, "10.0.0.5");
	strcpy(s.entity, "sim");
	REQUIRE(!isns_configure(f->e->isns, &s, &err), "%s", err.text);
}

static void end(struct fuzz *f)
{
	struct errmsg err;

	errmsg_init(&err);
	REQUIRE(!entity_stop(f->e, 100000 * NS_PER_MS), "it does not end");
	for (unsigned i = 0; i < CALLERS; i++)
		drop(f, &f->callers[i], false);
	drop(f, &f->peer, false);
	sim_serve_end(f->rig.loops, f->listen);
	for (unsigned i = 0; i < 2; i++)
		REQUIRE(!tpg_enable(f->tpgs[i], false, &err) && !portal_free(f->portals[i], &err) &&
				!tpg_free(f->tpgs[i], &err) && !target_free(f->targets[i], &err),
			"%s", err.text);
	entity_free(f->e);
	rig_done(&f->rig);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct fuzz f;
	struct input in = { data, size };

	memset(&f, 0, sizeof(f));
	begin(&f, input_u8(&in));
	run(&f, 100 * NS_PER_MS);
	for (unsigned i = 0; i < OPS_MAX && step(&f, &in);)
		i++;
	end(&f);
	return 0;
}
