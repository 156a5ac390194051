/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * isns_testkit.h: for tests only: a target in the simulator, and iSNS servers that the test plays,
 * each with a database as RFC 4171 has it.
 */
#ifndef ULIO_FABRIC_ISCSI_ISNS_TESTKIT_H
#define ULIO_FABRIC_ISCSI_ISNS_TESTKIT_H

#include "engine/testkit.h"
#include "fabric/iscsi/isns.h"
#include "fabric/iscsi/isns_pdu.h"
#include "fabric/iscsi/target.h"
#include "loop/sim.h"

#define S UINT64_C(1000000000)

enum { NODES_MAX = 400, PORTALS_MAX = 4096, STEPS = 2000000 };

enum mood {
	ANSWERS,
	SILENT,
	LOSES /* the answer, on which it hangs up */,
	HANGS_UP,
	REFUSES,
	GARBLES
};

struct server {
	char address[40]; /* "10.0.0.5:3205" */
	int listen, peer; /* -1: none */
	enum mood mood;
	uint32_t status; /* what REFUSES says */
	uint8_t in[200000];
	size_t n;
	/* the database */
	bool entity;
	char eid[ISNS_ENTITY_BYTES];
	char nodes[NODES_MAX][NODE_NAME_BYTES_MAX + 1];
	unsigned nnodes;
	uint16_t ports[PORTALS_MAX];
	uint8_t last_address[16]; /* of a portal */
	unsigned nports, npgs;
	uint32_t esi_port, scn_port, period;
	/* what came */
	unsigned connections, registrations, replaces, deregistrations, queries, scn_regs;
	unsigned names_told; /* in registrations */
	uint64_t accepted_ns[64];
};

struct bench {
	struct rig rig;
	struct entity *e;
	struct target *targets[NODES_MAX];
	struct tpg *tpgs[NODES_MAX];
	struct portal *portals[NODES_MAX];
	unsigned ntargets;
	struct server servers[2];
	struct loop_timer tick; /* so that time goes on while nothing happens */
};

extern struct bench b;

/* Begin and end to listen; lose the database. */
void serve(struct server *s);
void drop_peer(struct server *s);
void serve_no_more(struct server *s);
void forget(struct server *s);
void set_port(struct server *s, uint32_t port, bool there);
void play(struct server *s);

/* Run until it is so, or STEPS; for a time. */
bool run_until(bool (*pred)(void));
void run_for(uint64_t ns);
bool is_registered(void);
bool is_not_registered(void);
void settled(void);

/* The client's servers; what it says of the i-th. */
void configure(const char *servers);
struct isns_server_info info(unsigned i);

/* Targets iqn.2003-01.test:t000 and so on, with one portal; the youngest goes first. */
void add_target(const char *portal);
void remove_target(void);

int setup(void **state);
int teardown(void **state);

#endif
