/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * sim_power_test.c: what initiators were told is durable is there after a power cut. Two of them
 * write to a file disk in the simulator by all commands that write, several at a time and over each
 * other, with FUA and SYNCHRONIZE CACHE among them; the power is cut at each operation on the
 * medium in turn, those of making the file included. A new target then opens the same medium, and
 * an initiator reads all of it.
 *
 * A sector may hold what a command wrote unless a later one, sent when that one had ended, was
 * acknowledged as durable: answered GOOD and forced to the medium by FUA, by WCE=0 (SBC-3 4.15), by
 * being a WRITE AND VERIFY, or by a SYNCHRONIZE CACHE that covers it, was sent afterwards and was
 * answered GOOD. Reads under way follow the same rule with "answered GOOD" alone. The same with a
 * disk that fails instead: nothing is GOOD that is not there.
 *
 * usage: iscsi_sim_power_test [first seed [number of seeds]]
 */
#include "fabric/iscsi/sim_peer_testkit.h"

enum {
	SECTOR = 512,
	SECTORS = 256,
	STEPS = 36,
	AFTER_CUT = 4, /* steps that are still taken without power */
	NPEERS = 2,
	RANGES = 2,
	MAX_BLOCKS = 12, /* of a command, with 512 bytes each */
	FAULT_RUNS = 12, /* for each seed */
};

#define NEVER UINT32_MAX

enum content { CONTENT_ZERO, CONTENT_DATA, CONTENT_SAME };
enum req_kind { REQ_WRITE, REQ_SYNC, REQ_READ };

struct extent {
	unsigned first, n; /* sectors */
};

/* A command. Times count what happened to any of them: sent, answered. */
struct req {
	enum req_kind kind;
	struct extent ranges[RANGES];
	uint8_t op;
	enum content content;
	unsigned sent, ended; /* NEVER: not answered */
	bool good, forced; /* forced: onto the medium before the answer */
	bool exclusive; /* nothing else that is under way may touch its blocks */
	bool miscompare; /* it must end so, and write nothing */
	bool nothing; /* it wrote nothing */
};

struct variant {
	const char *spec;
	unsigned block; /* sectors */
	bool wce, clear_wce; /* what the disk is; an initiator switches it off */
};

struct load {
	const struct variant *v;
	uint64_t seed, cut;
	struct sim_target t;
	struct peer peers[NPEERS];
	struct peer *list[NPEERS];
	struct sim_disk *medium;
	bool wce, faulty;
	bool dark; /* the power went while the disk was being opened */
	unsigned now, n; /* n: of reqs */
	unsigned good, errors; /* answers */
	struct req reqs[STEPS + 1]; /* 0: the zeroes of a new file */
	uint8_t page[24]; /* MODE SENSE's answer */
	bool settled;
};

static struct load l;
static uint64_t first_seed = 1, nseeds = 3;

static void __attribute__((noreturn, format(printf, 1, 2))) wrong(const char *fmt, ...)
{
	char text[256];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	fail_msg("%s%s, seed %llu, cut at %llu: %s", l.v->spec, l.v->clear_wce ? ", WCE=0" : "",
		(unsigned long long)l.seed, (unsigned long long)l.cut, text);
	abort();
}

static unsigned pick(unsigned n)
{
	return (unsigned)sim_random(l.t.rig.k.loops, n);
}

/* ---- what the sectors may hold -------------------------------------------------------------- */

static bool covers(const struct req *r, unsigned s)
{
	for (unsigned i = 0; i < RANGES; i++)
		if (s >= r->ranges[i].first && s < r->ranges[i].first + r->ranges[i].n)
			return true;
	return false;
}

static bool overlap(const struct req *a, const struct req *b)
{
	for (unsigned i = 0; i < RANGES; i++)
		for (unsigned j = 0; j < RANGES; j++) {
			const struct extent *x = &a->ranges[i], *y = &b->ranges[j];

			if (x->first < y->first + y->n && y->first < x->first + x->n)
				return true;
		}
	return false;
}

/* What command i leaves in sector s. */
static void content(uint8_t *p, unsigned i, unsigned s)
{
	const struct req *r = &l.reqs[i];

	if (r->content == CONTENT_SAME)
		s %= l.v->block;
	for (uint32_t at = 0; at < SECTOR; at += 4)
		put_be32(p + at, r->content == CONTENT_ZERO
					 ? 0
					 : (i << 20 | s << 8 | at / 4) * UINT32_C(2654435761));
}

/* Acknowledged as durable, as far as sector s goes. */
static bool durable(const struct req *r, unsigned s)
{
	if (!r->good)
		return false;
	for (unsigned i = 1; i <= l.n && !r->forced; i++) {
		const struct req *y = &l.reqs[i];

		if (y->kind == REQ_SYNC && y->good && y->sent > r->ended && covers(y, s))
			return true;
	}
	return r->forced;
}

/* Seen by all that is sent from then on. */
static bool visible(const struct req *r, unsigned by)
{
	return r->good && r->ended < by;
}

/*
 * What command i wrote to s is gone for sure: for a read sent at `by`, or from the medium when the
 * power has been away (by: NEVER).
 */
static bool replaced(unsigned i, unsigned s, unsigned by)
{
	for (unsigned k = 1; k <= l.n; k++) {
		const struct req *r = &l.reqs[k];

		if (r->kind != REQ_WRITE || r->sent <= l.reqs[i].ended || !covers(r, s))
			continue;
		if (by == NEVER ? durable(r, s) : visible(r, by))
			return true;
	}
	return false;
}

static bool candidate(unsigned i, unsigned s, unsigned by)
{
	const struct req *r = &l.reqs[i];

	return r->kind == REQ_WRITE && !r->nothing && covers(r, s) && !replaced(i, s, by);
}

static void check_sector(unsigned s, const uint8_t *p, unsigned by, const char *when)
{
	uint8_t want[SECTOR];

	for (unsigned i = 0; i <= l.n; i++) {
		content(want, i, s);
		if (!memcmp(want, p, SECTOR) && candidate(i, s, by))
			return;
	}
	for (unsigned i = 0; i <= l.n; i++) {
		const struct req *r = &l.reqs[i];

		content(want, i, s);
		if (r->kind == REQ_WRITE && covers(r, s))
			print_error("command %u, 0x%02x: sent %u, ended %u%s%s%s%s%s\n", i, r->op,
				r->sent, r->ended, r->good ? ", good" : "",
				r->forced ? ", forced" : "", durable(r, s) ? ", durable" : "",
				r->nothing ? ", wrote nothing" : "",
				memcmp(want, p, SECTOR) ? "" : ": this is what is there");
	}
	wrong("sector %u %s holds %08x, which it must not", s, when, get_be32(p));
}

/* The one command whose content s has now, -1: not known. */
static int known(unsigned s)
{
	int found = -1;

	for (unsigned i = 0; i <= l.n; i++) {
		if (!candidate(i, s, l.now + 1))
			continue;
		if (found >= 0 || (i && !l.reqs[i].good))
			return -1;
		found = (int)i;
	}
	return found;
}

/* ---- answers -------------------------------------------------------------------------------- */

static void read_came(struct req *r, const uint8_t *data)
{
	for (unsigned i = 0; i < r->ranges[0].n; i++)
		check_sector(
			r->ranges[0].first + i, data + (size_t)i * SECTOR, r->sent, "when read");
}

static void req_failed(struct req *r, uint8_t status, const uint8_t *sense, uint32_t n)
{
	uint8_t key = n > 2 ? sense[2] & 0x0f : 0xff;

	if (status != STATUS_CHECK_CONDITION)
		wrong("command 0x%02x ended with status 0x%02x", r->op, status);
	if (r->miscompare && key == KEY_MISCOMPARE) {
		r->nothing = true;
		return;
	}
	/* What could not be found out about the disk is not offered. */
	if (l.dark && key == KEY_ILLEGAL_REQUEST)
		return;
	if (key != KEY_MEDIUM_ERROR && key != KEY_HARDWARE_ERROR)
		wrong("command 0x%02x ended with sense key %x", r->op, key);
	if (!l.faulty && !sim_power_is_cut(l.t.rig.k.loops))
		wrong("command 0x%02x failed although all is well", r->op);
	l.errors++;
}

static void answered(
	struct peer *peer, struct peer_task *k, uint8_t status, const uint8_t *sense, uint32_t n)
{
	struct req *r = k->arg;

	r->ended = ++l.now;
	r->good = status == STATUS_GOOD;
	if (!r->good) {
		req_failed(r, status, sense, n);
		return;
	}
	if (r->miscompare)
		wrong("a comparison with what is not there was good");
	l.good++;
	if (r->kind == REQ_READ)
		read_came(r, k->data);
}

/* ---- commands ------------------------------------------------------------------------------- */

static struct extent some_range(void)
{
	unsigned b = l.v->block, most = MAX_BLOCKS > b ? MAX_BLOCKS / b : 1;
	unsigned n = 1 + pick(most), first = pick(SECTORS / b - n + 1);

	return (struct extent){ first * b, n * b };
}

/* No two commands of which one wants to be alone on its blocks. */
static bool clashes(const struct req *r)
{
	for (unsigned i = 1; i < l.n; i++) {
		const struct req *o = &l.reqs[i];

		if (o->ended == NEVER && (o->exclusive || r->exclusive) && overlap(o, r))
			return true;
	}
	return false;
}

/* The address and length fields of (10) and (16), in blocks. */
static void set_range(struct peer_cmd *c, const struct extent *r)
{
	unsigned b = l.v->block;

	if (c->cdb[0] < 0x80) {
		put_be32(c->cdb + 2, r->first / b);
		put_be16(c->cdb + 7, (uint16_t)(r->n / b));
	} else {
		put_be64(c->cdb + 2, r->first / b);
		put_be32(c->cdb + 10, r->n / b);
	}
}

static void fill(uint8_t *p, unsigned i, const struct extent *r)
{
	for (unsigned k = 0; k < r->n; k++)
		content(p + (size_t)k * SECTOR, i, r->first + k);
}

static uint8_t out[2 * 16 * SECTOR];

static void set_out(struct peer_cmd *c, unsigned bytes)
{
	c->out = out;
	c->out_bytes = bytes;
}

static void make_write(struct req *r, struct peer_cmd *c)
{
	r->content = CONTENT_DATA;
	r->forced = pick(3) == 0;
	c->cdb[0] = pick(2) ? OP_WRITE_10 : OP_WRITE_16;
	c->cdb[1] = r->forced ? 0x08 : 0;
	set_range(c, &r->ranges[0]);
	fill(out, l.n, &r->ranges[0]);
	set_out(c, r->ranges[0].n * SECTOR);
}

/* SBC-3 5.37: it verifies what is on the medium, so that is where the data are. */
static void make_write_verify(struct req *r, struct peer_cmd *c)
{
	make_write(r, c);
	r->forced = true;
	r->exclusive = pick(2);
	c->cdb[0] = c->cdb[0] == OP_WRITE_10 ? OP_WRITE_AND_VERIFY_10 : OP_WRITE_AND_VERIFY_16;
	c->cdb[1] = r->exclusive ? 0x02 : 0; /* BYTCHK */
}

static void make_write_same(struct req *r, struct peer_cmd *c)
{
	bool zero = pick(2);
	struct extent one = { 0, l.v->block };

	r->content = zero ? CONTENT_ZERO : CONTENT_SAME;
	c->cdb[0] = pick(2) ? OP_WRITE_SAME_10 : OP_WRITE_SAME_16;
	c->cdb[1] = zero && pick(2) ? 0x08 : 0; /* UNMAP */
	set_range(c, &r->ranges[0]);
	if (zero && c->cdb[0] == OP_WRITE_SAME_16 && pick(2)) {
		c->cdb[1] |= 0x01; /* NDOB */
		return;
	}
	fill(out, l.n, &one);
	set_out(c, one.n * SECTOR);
}

static void make_unmap(struct req *r, struct peer_cmd *c)
{
	unsigned n = 1 + pick(RANGES);

	r->content = CONTENT_ZERO;
	memset(out, 0, 8 + n * 16);
	put_be16(out, (uint16_t)(6 + n * 16));
	put_be16(out + 2, (uint16_t)(n * 16));
	for (unsigned i = 0; i < n; i++) {
		r->ranges[i] = some_range();
		put_be64(out + 8 + i * 16, r->ranges[i].first / l.v->block);
		put_be32(out + 8 + i * 16 + 8, r->ranges[i].n / l.v->block);
	}
	c->cdb[0] = OP_UNMAP;
	put_be16(c->cdb + 7, (uint16_t)(8 + n * 16));
	set_out(c, 8 + n * 16);
}

/* What is there is compared with what it must be, now and then with something else. */
static void make_compare_write(struct req *r, struct peer_cmd *c)
{
	unsigned n = r->ranges[0].n;

	for (unsigned i = 0; i < n; i++) {
		int was = known(r->ranges[0].first + i);

		if (was < 0) {
			make_write(r, c);
			return;
		}
		content(out + (size_t)i * SECTOR, (unsigned)was, r->ranges[0].first + i);
	}
	r->miscompare = pick(4) == 0;
	if (r->miscompare)
		out[pick(n * SECTOR)] ^= 1;
	r->content = CONTENT_DATA;
	r->exclusive = true;
	r->forced = pick(2);
	fill(out + (size_t)n * SECTOR, l.n, &r->ranges[0]);
	c->cdb[0] = OP_COMPARE_AND_WRITE;
	c->cdb[1] = r->forced ? 0x08 : 0;
	put_be64(c->cdb + 2, r->ranges[0].first / l.v->block);
	c->cdb[13] = (uint8_t)(n / l.v->block);
	set_out(c, 2 * n * SECTOR);
}

/* SBC-3 5.26: 0 blocks are all from the address on. */
static void make_sync(struct req *r, struct peer_cmd *c)
{
	r->kind = REQ_SYNC;
	c->cdb[0] = pick(2) ? OP_SYNCHRONIZE_CACHE_10 : OP_SYNCHRONIZE_CACHE_16;
	if (pick(3) == 0)
		r->ranges[0].n = 0;
	else
		r->ranges[0].first = r->ranges[0].n = 0;
	set_range(c, &r->ranges[0]);
	r->ranges[0].n = SECTORS - r->ranges[0].first;
}

static void make_read(struct req *r, struct peer_cmd *c)
{
	r->kind = REQ_READ;
	c->cdb[0] = pick(2) ? OP_READ_10 : OP_READ_16;
	set_range(c, &r->ranges[0]);
	c->in_bytes = r->ranges[0].n * SECTOR;
}

static void (*const makes[])(struct req *r, struct peer_cmd *c) = { make_write, make_write,
	make_write, make_write, make_write_same, make_write_same, make_unmap, make_unmap,
	make_compare_write, make_compare_write, make_write_verify, make_sync, make_sync, make_read,
	make_read };

/* False: there is no room for it. */
static bool step(void)
{
	struct peer *peer = &l.peers[pick(NPEERS)];
	struct req *r = &l.reqs[++l.n];
	struct peer_cmd c = { .attr = ISCSI_ATTR_SIMPLE, .done = answered, .arg = r };

	*r = (struct req){ .ended = NEVER, .sent = ++l.now, .nothing = true };
	r->ranges[0] = some_range();
	makes[pick(sizeof(makes) / sizeof(makes[0]))](r, &c);
	r->nothing = false;
	r->op = c.cdb[0];
	r->forced = r->forced || !l.wce;
	if (pick(12) == 0)
		c.attr = pick(2) ? ISCSI_ATTR_ORDERED : ISCSI_ATTR_HEAD_OF_QUEUE;
	if (!clashes(r) && peer_command(peer, &c))
		return true;
	l.n--;
	return false;
}

static void drain(void)
{
	for (unsigned i = 0; l.peers[0].nactive || l.peers[1].nactive; i++) {
		if (i == 20000)
			wrong("%u commands are not answered",
				l.peers[0].nactive + l.peers[1].nactive);
		peers_pump(l.list, NPEERS, 50);
	}
}

static void load_run(void)
{
	unsigned after = 0;

	for (unsigned i = 0; i < STEPS && after < AFTER_CUT; i++) {
		bool room = step();

		after += sim_power_is_cut(l.t.rig.k.loops);
		if (!room || pick(3) == 0)
			peers_pump(l.list, NPEERS, 1 + pick(40));
	}
	drain();
}

/* ---- sessions ------------------------------------------------------------------------------- */

static void settled(
	struct peer *peer, struct peer_task *k, uint8_t status, const uint8_t *sense, uint32_t n)
{
	if (status && (n < 3 || (sense[2] & 0x0f) != KEY_UNIT_ATTENTION))
		wrong("TEST UNIT READY: status 0x%02x", status);
	l.settled = status == STATUS_GOOD;
}

/* The unit attentions of a new session are told. */
static void settle(struct peer *peer)
{
	static const struct peer_cmd tur = { .cdb = { OP_TEST_UNIT_READY }, .done = settled };

	for (l.settled = false; !l.settled;) {
		assert_true(peer_command(peer, &tur));
		peer_drain(peer);
	}
}

static void page_came(
	struct peer *peer, struct peer_task *k, uint8_t status, const uint8_t *sense, uint32_t n)
{
	assert_int_equal(status, 0);
	if (k->bytes && !k->write)
		memcpy(l.page, k->data, sizeof(l.page));
}

/* WCE of the caching mode page (SBC-3 6.5.5). */
static bool mode_sense_wce(struct peer *peer)
{
	static const struct peer_cmd sense = { .cdb = { OP_MODE_SENSE_6, 0x08, 0x08, 0,
						       sizeof(l.page) },
		.in_bytes = sizeof(l.page),
		.done = page_came };

	assert_true(peer_command(peer, &sense));
	peer_drain(peer);
	assert_int_equal(l.page[4] & 0x3f, 0x08);
	return l.page[6] & 0x04;
}

static void clear_wce(struct peer *peer)
{
	struct peer_cmd select = { .cdb = { OP_MODE_SELECT_6, 0x10, 0, 0, sizeof(l.page) },
		.out = l.page,
		.out_bytes = sizeof(l.page),
		.done = page_came };

	memset(l.page, 0, 4); /* the header's fields are reserved here */
	l.page[4] = 0x08;
	l.page[6] &= (uint8_t)~0x04;
	assert_true(peer_command(peer, &select));
	peer_drain(peer);
}

static void log_in(void)
{
	static const struct peer_params params[NPEERS] = {
		{ true, true, true, true, 4096, 16384, 8192, 2 },
		{ false, false, false, false, 2048, 4096, 4096, 4 },
	};

	for (unsigned i = 0; i < NPEERS; i++) {
		l.list[i] = &l.peers[i];
		peer_init(&l.peers[i], &l.t, &params[i]);
		l.peers[i].port = (uint8_t)i;
		peer_login(&l.peers[i]);
		settle(&l.peers[i]);
	}
	l.wce = mode_sense_wce(&l.peers[0]);
	assert_int_equal(l.wce, l.v->wce);
	if (!l.v->clear_wce)
		return;
	clear_wce(&l.peers[0]);
	settle(&l.peers[1]); /* MODE PARAMETERS CHANGED */
	l.wce = mode_sense_wce(&l.peers[1]);
	assert_false(l.wce);
}

static void log_out(void)
{
	for (unsigned i = 0; i < NPEERS; i++)
		peer_done(&l.peers[i]);
}

/* ---- runs ----------------------------------------------------------------------------------- */

static void all_came(
	struct peer *peer, struct peer_task *k, uint8_t status, const uint8_t *sense, uint32_t n)
{
	unsigned first = *(const unsigned *)k->arg;

	if (status)
		wrong("the disk cannot be read: status 0x%02x", status);
	for (unsigned i = 0; i < k->bytes / SECTOR; i++)
		check_sector(first + i, k->data + (size_t)i * SECTOR, NEVER, "of the medium");
}

/* The power is back: a new target on the same medium. */
static void check(const struct sim_boot *before)
{
	struct sim_boot b = *before;
	unsigned piece = 64;

	b.cut_at = 0;
	b.seed += 1000;
	if (!sim_target_boot(&l.t, &b))
		wrong("the disk cannot be opened");
	l.t.rig.k.disk = l.medium; /* it goes with this one */
	peer_init(&l.peers[0], &l.t,
		&(struct peer_params){
			.first_burst = 512, .max_burst = 65536, .recv = 8192, .r2ts = 1 });
	peer_login(&l.peers[0]);
	settle(&l.peers[0]);
	for (unsigned at = 0; at < SECTORS; at += piece) {
		struct peer_cmd c = { .cdb = { OP_READ_16 },
			.in_bytes = piece * SECTOR,
			.done = all_came,
			.arg = &at };
		struct extent r = { at, piece };

		set_range(&c, &r);
		assert_true(peer_command(&l.peers[0], &c));
		peer_drain(&l.peers[0]);
	}
	peer_done(&l.peers[0]);
	sim_target_done(&l.t);
}

/*
 * One run: the power is cut at the operation `cut` of the medium (0: after all), and comes back.
 * Returns the number of operations.
 */
static uint64_t run(
	const struct variant *v, uint64_t seed, uint64_t cut, const struct sim_faults *faults)
{
	struct sim_boot b = { .seed = seed, .spec = v->spec, .recv = 8192, .cut_at = cut };
	uint64_t nops = cut;

	memset(&l, 0, sizeof(l));
	l.v = v;
	l.seed = seed;
	l.cut = cut;
	l.faulty = faults;
	l.medium = b.medium = sim_disk_new(seed * 7919 + cut);
	l.reqs[0] = (struct req){ .ranges = { { 0, SECTORS } }, .good = true };
	if (sim_target_boot(&l.t, &b)) {
		l.dark = sim_power_is_cut(l.t.rig.k.loops);
		log_in();
		if (faults)
			sim_set_faults(l.t.rig.k.loops, faults);
		load_run();
		nops = sim_file_ops(l.t.rig.k.loops);
		log_out();
		sim_target_done(&l.t);
	}
	sim_power_on(l.medium);
	check(&b);
	return nops;
}

static void cut_at_each_operation(void **state)
{
	for (uint64_t seed = first_seed; seed < first_seed + nseeds; seed++) {
		uint64_t nops = run(*state, seed, 0, NULL);

		assert_true(nops >= STEPS / 2 && l.good > STEPS / 2 && !l.errors);
		for (uint64_t cut = 1; cut <= nops; cut++)
			run(*state, seed, cut, NULL);
	}
}

static void failing_disk(void **state)
{
	/* No short ones: a write that fails half-way may leave a sector of both. */
	static const struct sim_faults faults = { .io_error = 25, .reorder = 300 };
	unsigned good = 0, errors = 0;

	for (uint64_t seed = first_seed; seed < first_seed + nseeds * FAULT_RUNS; seed++) {
		run(*state, seed, 0, &faults);
		good += l.good;
		errors += l.errors;
	}
	assert_true(good > nseeds * FAULT_RUNS && errors > nseeds);
}

#define FILE_DISK "file:/disk,size=128K"

static struct variant variants[] = {
	{ FILE_DISK ",direct=no", 1, true, false },
	{ FILE_DISK ",direct=yes", 1, true, false },
	{ FILE_DISK ",direct=no", 1, true, true },
	{ FILE_DISK ",direct=yes", 1, true, true },
	{ FILE_DISK ",direct=no,sync=yes", 1, false, false },
	{ FILE_DISK ",direct=yes,sync=yes", 1, false, false },
	{ FILE_DISK ",direct=yes,block=4096", 8, true, false },
};

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
		{ "cut, buffered", cut_at_each_operation, NULL, NULL, &variants[0] },
		{ "cut, direct", cut_at_each_operation, NULL, NULL, &variants[1] },
		{ "cut, buffered, WCE=0", cut_at_each_operation, NULL, NULL, &variants[2] },
		{ "cut, direct, WCE=0", cut_at_each_operation, NULL, NULL, &variants[3] },
		{ "cut, buffered and sync", cut_at_each_operation, NULL, NULL, &variants[4] },
		{ "cut, direct and sync", cut_at_each_operation, NULL, NULL, &variants[5] },
		{ "cut, blocks of 4096", cut_at_each_operation, NULL, NULL, &variants[6] },
		{ "faults, buffered", failing_disk, NULL, NULL, &variants[0] },
		{ "faults, direct", failing_disk, NULL, NULL, &variants[1] },
		{ "faults, buffered, WCE=0", failing_disk, NULL, NULL, &variants[2] },
		{ "faults, direct, WCE=0", failing_disk, NULL, NULL, &variants[3] },
		{ "faults, buffered and sync", failing_disk, NULL, NULL, &variants[4] },
		{ "faults, direct and sync", failing_disk, NULL, NULL, &variants[5] },
		{ "faults, blocks of 4096", failing_disk, NULL, NULL, &variants[6] },
	};

	if (argc > 1)
		first_seed = strtoull(argv[1], NULL, 0);
	if (argc > 2)
		nseeds = strtoull(argv[2], NULL, 0);
	log_set_level(LOG_LEVEL_ERROR);
	log_set_sink(-1, false);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
