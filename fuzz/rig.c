/* SPDX-License-Identifier: BSD-3-Clause */
/* rig.c: what targets with a whole engine share. */
#include "rig.h"

#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "backstore/builtin.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/rng.h"
#include "block/backstore.h"
#include "engine/engine.h"
#include "loop/pool.h"
#include "loop/sim.h"

#define WAIT_NS (120 * NS_PER_S)

void fuzz_fail(const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	fputs("fuzz: ", stderr);
	vfprintf(stderr, fmt, ap);
	fputc('\n', stderr);
	va_end(ap);
	abort();
}

/* ---- input ---------------------------------------------------------------------------------- */

const uint8_t *input_bytes(struct input *in, size_t n, size_t *ret_n)
{
	const uint8_t *p = in->p;

	*ret_n = n < in->left ? n : in->left;
	in->p += *ret_n;
	in->left -= *ret_n;
	return p;
}

static uint32_t input_number(struct input *in, size_t bytes)
{
	uint32_t v = 0;
	size_t n;
	const uint8_t *p = input_bytes(in, bytes, &n);

	for (size_t i = 0; i < n; i++)
		v = v << 8 | p[i];
	return v;
}

uint8_t input_u8(struct input *in)
{
	return (uint8_t)input_number(in, 1);
}

uint16_t input_u16(struct input *in)
{
	return (uint16_t)input_number(in, 2);
}

uint32_t input_u32(struct input *in)
{
	return input_number(in, 4);
}

/* ---- random numbers ------------------------------------------------------------------------- */

/* Keys of hash tables and challenges are drawn from it: an input gives the same run each time. */
static struct rng dice;

/* In place of the C library's. */
ssize_t getrandom(void *buf, size_t n, unsigned flags)
{
	uint8_t *p = buf;

	(void)flags;
	for (size_t i = 0; i < n; i++)
		p[i] = (uint8_t)rng_next(&dice);
	return (ssize_t)n;
}

/* ---- loops, engine, disks ------------------------------------------------------------------- */

/* Disks that fail on purpose are an error to the log. */
static void quiet(void)
{
	static bool done;
	int fd = done ? -1 : open("/dev/null", O_WRONLY | O_CLOEXEC);

	log_set_level(LOG_LEVEL_ERROR);
	if (fd >= 0)
		log_set_sink(fd, false);
	done = true;
}

void rig_init(struct rig *r, unsigned nloops, uint64_t seed, uint64_t page_limit_bytes)
{
	struct loops_config cfg = { .kind = LOOP_SIM,
		.nloops = nloops,
		.page_limit_bytes = page_limit_bytes,
		.sim_seed = seed };
	struct errmsg err;

	quiet();
	rng_seed(&dice, seed);
	errmsg_init(&err);
	REQUIRE(!loops_new(&cfg, &r->loops, &err), "loops_new: %s", err.text);
	r->reg = backstore_registry_new(r->loops);
	REQUIRE(r->reg && !backstores_register(r->reg), "no registry");
	r->used_bytes = pages_used_bytes(r->loops);
	r->eng = engine_new(r->loops);
	REQUIRE(r->eng, "no engine");
}

void rig_done(struct rig *r)
{
	uint64_t used;

	engine_free(r->eng);
	REQUIRE(!backstore_registry_settle(r->reg, WAIT_NS), "disks do not end");
	backstore_registry_free(r->reg);
	used = pages_used_bytes(r->loops);
	REQUIRE(used == r->used_bytes, "%lld bytes of pages have not come back",
		(long long)(used - r->used_bytes));
	loops_free(r->loops);
}

struct lu *rig_lu_new(struct rig *r, const char *spec, rig_attribs_fn *edit, void *arg)
{
	struct backstore *bs;
	struct lu_attribs a;
	struct errmsg err;
	struct lu *lu;

	errmsg_init(&err);
	REQUIRE(!backstore_open_spec(r->reg, "disk", spec, &bs, &err), "%s: %s", spec, err.text);
	lu_attribs_default(&a, "ramdisk", bs);
	if (edit)
		edit(&a, arg);
	REQUIRE(!lu_new(r->eng, "lu", "ramdisk", bs, &a, &lu, &err), "%s", err.text);
	return lu;
}

void rig_lu_free(struct lu *lu)
{
	struct errmsg err;

	errmsg_init(&err);
	REQUIRE(!lu_free(lu, &err), "%s", err.text);
}

void rig_map(struct port *port, uint32_t lun, struct lu *lu)
{
	struct port_lun *pl;
	struct errmsg err;

	errmsg_init(&err);
	REQUIRE(!port_lun_add(port, lun, &pl, &err) && !port_lun_link(pl, lu, "link", &err), "%s",
		err.text);
}

void rig_unmap(struct port *port, uint32_t lun)
{
	struct port_lun *pl = port_lun_find(port, lun);
	struct errmsg err;

	errmsg_init(&err);
	REQUIRE(!port_lun_unlink(pl, &err) && !port_lun_remove(pl, &err), "%s", err.text);
}

void rig_set(struct lu *lu, const char *key, const char *value)
{
	struct ulio_param p = { key, value };
	struct errmsg err;

	errmsg_init(&err);
	REQUIRE(!backstore_set(lu->bs, &p, 1, &err), "%s", err.text);
}

void rig_run(struct rig *r, uint64_t ns)
{
	struct loop_event never;

	loop_event_init(&never, r->loops);
	(void)loop_event_wait(&never, ns);
}
