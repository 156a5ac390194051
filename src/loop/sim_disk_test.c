/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * Tests of the simulator's disk: what a power cut may and may not leave. Each claim is tried with
 * many seeds; a claim that something may happen needs a seed with which it did.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/err.h"
#include "base/rng.h"
#include "loop/loop.h"
#include "loop/sim.h"

enum { SEEDS = 150, SECTOR = 512 };

static struct loops *boot(struct sim_disk *d, uint64_t seed)
{
	struct loops_config cfg = {
		.kind = LOOP_SIM, .nloops = 1, .sim_seed = seed, .page_limit_bytes = 1 << 20
	};
	struct loops *loops;
	struct errmsg err;

	errmsg_init(&err);
	if (loops_new(&cfg, &loops, &err))
		fail_msg("loops_new: %s", err.text);
	sim_attach_disk(loops, d);
	return loops;
}

/* The power goes, and comes again. */
static struct loops *reboot(struct loops *loops, struct sim_disk *d, uint64_t seed)
{
	loops_free(loops);
	sim_power_on(d);
	return boot(d, seed);
}

static int open_new(struct loops *loops, const char *path)
{
	int fd = loops_open(loops, path, O_RDWR | O_CREAT, 0600);

	assert_true(fd >= 0);
	return fd;
}

static void put(struct loops *loops, int fd, const void *data, size_t n, uint64_t off)
{
	assert_int_equal(loops_pwrite(loops, fd, data, n, off), n);
}

static size_t get(struct loops *loops, const char *path, void *buf, size_t max)
{
	int fd = loops_open(loops, path, O_RDONLY, 0);
	int64_t n;

	assert_true(fd >= 0);
	n = loops_pread(loops, fd, buf, max, 0);
	assert_true(n >= 0);
	assert_int_equal(loops_close(loops, fd), 0);
	return (size_t)n;
}

/* Synced content and size are there, whatever else happened. */
static void test_synced_stays(void **state)
{
	uint8_t out[3000], in[5000];

	memset(out, 0x5a, sizeof(out));
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sim_disk *d = sim_disk_new(seed);
		struct loops *loops = boot(d, seed);
		int fd = open_new(loops, "/f");

		put(loops, fd, out, sizeof(out), 1000);
		assert_int_equal(loops_fsync(loops, fd, seed % 2), 0);
		assert_int_equal(loops_fsync_dir_of(loops, "/f"), 0);
		put(loops, fd, "later", 5, 4000);
		loops_close(loops, fd);
		loops = reboot(loops, d, seed);
		assert_in_range(get(loops, "/f", in, sizeof(in)), 4000, 4005);
		for (unsigned i = 0; i < 1000; i++)
			assert_int_equal(in[i], 0);
		assert_memory_equal(in + 1000, out, sizeof(out));
		loops_free(loops);
		sim_disk_free(d);
	}
}

/* What was not synced may be lost, kept, or torn between sectors, and never within one. */
static void test_unsynced(void **state)
{
	enum { N = 8 };
	static uint8_t old[N * SECTOR], new[N * SECTOR], in[N * SECTOR];
	unsigned lost = 0, kept = 0, torn = 0;

	memset(old, 'o', sizeof(old));
	memset(new, 'n', sizeof(new));
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sim_disk *d = sim_disk_new(seed);
		struct loops *loops = boot(d, seed);
		unsigned n = 0;
		int fd;

		assert_int_equal(sim_disk_create(d, "/dir/f", 0), 0);
		fd = open_new(loops, "/dir/f");
		put(loops, fd, old, sizeof(old), 0);
		assert_int_equal(loops_fsync(loops, fd, true), 0);
		put(loops, fd, new, sizeof(new), 0);
		loops = reboot(loops, d, seed);
		assert_int_equal(get(loops, "/dir/f", in, sizeof(in)), sizeof(in));
		for (unsigned i = 0; i < N; i++) {
			uint8_t *s = in + i * SECTOR;

			assert_true(s[0] == 'o' || s[0] == 'n');
			assert_memory_equal(s, s[0] == 'o' ? old : new, SECTOR);
			n += s[0] == 'n';
		}
		lost += n == 0;
		kept += n == N;
		torn += n > 0 && n < N;
		loops_free(loops);
		sim_disk_free(d);
	}
	assert_true(lost > 10 && kept > 10 && torn > 10);
}

/* fsync of a file does not make its name durable; fsync of the directory does. */
static void test_names(void **state)
{
	unsigned lost = 0, kept = 0, old_name = 0, new_name = 0, removed = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sim_disk *d = sim_disk_new(seed);
		struct loops *loops = boot(d, seed);
		char buf[8];
		int fd;

		assert_int_equal(loops_mkdir(loops, "/a", 0700), 0);
		assert_int_equal(loops_mkdir(loops, "/a", 0700), -EEXIST);
		assert_int_equal(loops_fsync_dir_of(loops, "/a"), 0);
		fd = open_new(loops, "/a/renamed");
		put(loops, fd, "r", 1, 0);
		assert_int_equal(loops_fsync(loops, fd, false), 0);
		loops_close(loops, fd);
		loops_close(loops, open_new(loops, "/a/removed"));
		assert_int_equal(loops_fsync_dir_of(loops, "/a/x"), 0);
		fd = open_new(loops, "/a/made");
		put(loops, fd, "m", 1, 0);
		assert_int_equal(loops_fsync(loops, fd, false), 0);
		loops_close(loops, fd);
		assert_int_equal(loops_rename(loops, "/a/renamed", "/a/to"), 0);
		assert_int_equal(loops_unlink(loops, "/a/removed"), 0);

		loops = reboot(loops, d, seed);
		fd = loops_open(loops, "/a/made", O_RDONLY, 0);
		if (fd >= 0)
			assert_int_equal(loops_pread(loops, fd, buf, 8, 0), 1);
		else
			assert_int_equal(fd, -ENOENT);
		kept += fd >= 0;
		lost += fd < 0;
		if (loops_open(loops, "/a/renamed", O_RDONLY, 0) >= 0) {
			assert_int_equal(loops_open(loops, "/a/to", O_RDONLY, 0), -ENOENT);
			old_name++;
		} else {
			assert_int_equal(get(loops, "/a/to", buf, 8), 1);
			new_name++;
		}
		removed += loops_open(loops, "/a/removed", O_RDONLY, 0) < 0;
		loops_free(loops);
		sim_disk_free(d);
	}
	assert_true(lost > 10 && kept > 10 && old_name > 10 && new_name > 10);
	assert_true(removed > 10 && removed < SEEDS - 10);
}

/* A file in a directory whose own name was lost is lost. */
static void test_lost_directory(void **state)
{
	unsigned lost = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sim_disk *d = sim_disk_new(seed);
		struct loops *loops = boot(d, seed);
		int fd;

		assert_int_equal(loops_open(loops, "/b/f", O_RDWR | O_CREAT, 0600), -ENOENT);
		assert_int_equal(loops_mkdir(loops, "/b", 0700), 0);
		loops_close(loops, open_new(loops, "/b/f"));
		assert_int_equal(loops_fsync_dir_of(loops, "/b/f"), 0);
		loops = reboot(loops, d, seed);
		fd = loops_open(loops, "/b/f", O_RDONLY, 0);
		lost += fd < 0;
		assert_int_equal(loops_mkdir(loops, "/b", 0700), fd < 0 ? 0 : -EEXIST);
		loops_free(loops);
		sim_disk_free(d);
	}
	assert_in_range(lost, 10, SEEDS - 10);
}

/* loops_write_file(), cut at each of its steps, leaves the old content or the new one. */
static void test_write_file(void **state)
{
	static char old[3000], new[2000], in[4000];
	unsigned olds = 0, news = 0;
	uint64_t steps;

	memset(old, 'o', sizeof(old));
	memset(new, 'n', sizeof(new));
	for (uint64_t cut = 1, more = 1; more; cut++) {
		for (uint64_t seed = 0; seed < 40; seed++) {
			struct sim_disk *d = sim_disk_new(seed);
			struct loops *loops = boot(d, seed);
			int ret;

			assert_int_equal(
				loops_write_file(loops, "/conf", old, sizeof(old), 0600), 0);
			steps = sim_file_ops(loops);
			sim_power_cut_at(loops, steps + cut);
			ret = loops_write_file(loops, "/conf", new, sizeof(new), 0600);
			more = sim_power_is_cut(loops);
			assert_int_equal(ret, more ? -EIO : 0);
			loops = reboot(loops, d, seed);
			if (get(loops, "/conf", in, sizeof(in)) == sizeof(new)) {
				assert_memory_equal(in, new, sizeof(new));
				news++;
			} else {
				assert_int_equal(get(loops, "/conf", in, sizeof(in)), sizeof(old));
				assert_memory_equal(in, old, sizeof(old));
				assert_int_not_equal(ret, 0);
				olds++;
			}
			loops_free(loops);
			sim_disk_free(d);
		}
	}
	assert_true(olds > 10 && news > 10);
}

/* After the cut nothing works and nothing is stored. */
static void test_cut(void **state)
{
	struct sim_disk *d = sim_disk_new(1);
	struct loops *loops = boot(d, 1);
	int fd = open_new(loops, "/f");
	char c = 'x';

	assert_int_equal(loops_fsync_dir_of(loops, "/f"), 0);
	assert_int_equal(sim_file_ops(loops), 2);
	sim_power_cut_at(loops, 3);
	assert_false(sim_power_is_cut(loops));
	assert_int_equal(loops_pwrite(loops, fd, &c, 1, 0), -EIO);
	assert_true(sim_power_is_cut(loops));
	assert_int_equal(loops_pread(loops, fd, &c, 1, 0), -EIO);
	assert_int_equal(loops_pwrite(loops, fd, &c, 1, 0), -EIO);
	assert_int_equal(loops_fsync(loops, fd, false), -EIO);
	assert_int_equal(loops_ftruncate(loops, fd, 7), -EIO);
	assert_int_equal(loops_open(loops, "/f", O_RDWR, 0), -EIO);
	assert_int_equal(loops_rename(loops, "/f", "/g"), -EIO);
	assert_int_equal(loops_unlink(loops, "/f"), -EIO);
	assert_int_equal(loops_mkdir(loops, "/d", 0700), -EIO);
	assert_int_equal(loops_fsync_dir_of(loops, "/f"), -EIO);
	loops = reboot(loops, d, 2);
	assert_in_range(get(loops, "/f", &c, 1), 0, 1);
	loops_free(loops);
	sim_disk_free(d);
}

/* After a sync that failed a later one that succeeds does not mean that the data are there. */
static void test_failed_sync(void **state)
{
	unsigned lost = 0;

	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sim_faults none = { 0 }, all = { .io_error = 1000 };
		struct sim_disk *d = sim_disk_new(seed);
		struct loops *loops = boot(d, seed);
		char in[4] = { 0 };
		int fd;

		assert_int_equal(sim_disk_create(d, "/f", 3), 0);
		fd = open_new(loops, "/f");
		put(loops, fd, "abc", 3, 0);
		sim_set_faults(loops, &all);
		assert_int_equal(loops_fsync(loops, fd, false), -EIO);
		sim_set_faults(loops, &none);
		assert_int_equal(loops_pread(loops, fd, in, 3, 0), 3);
		assert_string_equal(in, "abc");
		assert_int_equal(loops_fsync(loops, fd, false), 0);
		loops = reboot(loops, d, seed);
		assert_int_equal(get(loops, "/f", in, 3), 3);
		lost += in[0] == 0;
		loops_free(loops);
		sim_disk_free(d);
	}
	assert_in_range(lost, 10, SEEDS - 10);
}

/* ---- against a model ---------------------------------------------------------------------- */

enum { SECTORS = 40, STEPS = 60 };

/* What a sector may hold: the stamps since and including the last one that is durable. */
struct model {
	uint8_t may[SECTORS][STEPS + 2];
	unsigned n[SECTORS];
	uint8_t now[SECTORS];
};

static void model_write(struct model *m, unsigned at, unsigned n, uint8_t stamp, bool durable)
{
	for (unsigned i = at; i < at + n; i++) {
		if (durable)
			m->n[i] = 0;
		m->may[i][m->n[i]++] = stamp;
		m->now[i] = stamp;
	}
}

static void model_sync(struct model *m)
{
	for (unsigned i = 0; i < SECTORS; i++) {
		m->may[i][0] = m->now[i];
		m->n[i] = 1;
	}
}

/* One step of a random load; false once the power is gone. */
static bool load_step(
	struct loops *loops, int fd, int dsync_fd, struct model *m, struct rng *rng, uint8_t stamp)
{
	static uint8_t data[SECTORS * SECTOR];
	unsigned at = (unsigned)rng_below(rng, SECTORS);
	unsigned n = 1 + (unsigned)rng_below(rng, SECTORS - at);
	uint64_t what = rng_below(rng, 8);
	int64_t ret;

	memset(data, stamp, sizeof(data));
	if (what == 0) {
		ret = loops_fsync(loops, fd, rng_chance(rng, 1, 2));
		if (!ret)
			model_sync(m);
	} else if (what < 3) {
		ret = loops_pwrite(loops, dsync_fd, data, n * SECTOR, at * SECTOR);
		model_write(m, at, n, stamp, ret > 0);
	} else {
		ret = loops_pwrite(loops, fd, data, n * SECTOR, at * SECTOR);
		model_write(m, at, n, stamp, false);
	}
	return ret >= 0;
}

static void model_check(const struct model *m, const uint8_t *in, uint64_t seed)
{
	for (unsigned i = 0; i < SECTORS; i++) {
		bool ok = false;

		for (unsigned k = 0; k < m->n[i]; k++)
			ok |= m->may[i][k] == in[i * SECTOR];
		if (!ok)
			fail_msg("seed %llu: sector %u holds %u", (unsigned long long)seed, i,
				in[i * SECTOR]);
		for (unsigned k = 1; k < SECTOR; k++)
			assert_int_equal(in[i * SECTOR + k], in[i * SECTOR]);
	}
}

/* A random load of writes, durable writes and syncs, cut at a random step. */
static void test_model(void **state)
{
	static uint8_t in[SECTORS * SECTOR];

	for (uint64_t seed = 0; seed < 10 * SEEDS; seed++) {
		struct sim_disk *d = sim_disk_new(seed);
		struct loops *loops = boot(d, seed);
		struct model m = { 0 };
		struct rng rng;
		int fd, dsync_fd;

		rng_seed(&rng, seed);
		assert_int_equal(sim_disk_create(d, "/f", SECTORS * SECTOR), 0);
		model_sync(&m);
		fd = open_new(loops, "/f");
		dsync_fd = loops_open(loops, "/f", O_RDWR | O_DSYNC, 0);
		assert_true(dsync_fd >= 0);
		sim_power_cut_at(loops, 1 + rng_below(&rng, STEPS));
		for (uint8_t i = 1; i <= STEPS; i++)
			if (!load_step(loops, fd, dsync_fd, &m, &rng, i))
				break;
		loops = reboot(loops, d, seed);
		assert_int_equal(get(loops, "/f", in, sizeof(in)), sizeof(in));
		model_check(&m, in, seed);
		loops_free(loops);
		sim_disk_free(d);
	}
}

/* A durable write beyond the end brings the size with it; holes read as zeros and are found. */
static void test_sizes_and_holes(void **state)
{
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		struct sim_disk *d = sim_disk_new(seed);
		struct loops *loops = boot(d, seed);
		_Alignas(SECTOR) uint8_t in[SECTOR], out[SECTOR];
		struct stat st;
		int fd;

		memset(out, 7, sizeof(out));
		assert_int_equal(sim_disk_create(d, "/big", UINT64_C(1) << 33), 0);
		fd = loops_open(loops, "/big", O_RDWR | O_DSYNC | O_DIRECT, 0);
		assert_true(fd >= 0);
		assert_int_equal(loops_lseek(loops, fd, 0, SEEK_DATA), -ENXIO);
		put(loops, fd, out, 0, 0);
		assert_int_equal(loops_pwrite(loops, fd, out, 10, 0), -EINVAL);
		loops_close(loops, fd);
		fd = loops_open(loops, "/big", O_RDWR | O_DSYNC, 0);
		put(loops, fd, out, sizeof(out), (UINT64_C(1) << 33) + 8192);
		assert_int_equal(loops_lseek(loops, fd, 0, SEEK_DATA), (UINT64_C(1) << 33) + 8192);
		assert_int_equal(loops_lseek(loops, fd, 5, SEEK_HOLE), 5);
		loops = reboot(loops, d, seed);
		fd = loops_open(loops, "/big", O_RDWR, 0);
		assert_int_equal(loops_fstat(loops, fd, &st), 0);
		assert_int_equal(st.st_size, (UINT64_C(1) << 33) + 8192 + SECTOR);
		assert_int_equal(
			loops_pread(loops, fd, in, SECTOR, (UINT64_C(1) << 33) + 8192), SECTOR);
		assert_memory_equal(in, out, SECTOR);
		assert_int_equal(loops_ftruncate(loops, fd, 100), 0);
		assert_int_equal(loops_fsync(loops, fd, false), 0);
		loops_close(loops, fd);
		loops = reboot(loops, d, seed);
		assert_int_equal(get(loops, "/big", in, SECTOR), 100);
		loops_free(loops);
		sim_disk_free(d);
	}
}

/* Faults: errors and short transfers at about the rate that was asked for. */
static void test_faults(void **state)
{
	struct sim_disk *d = sim_disk_new(3);
	struct loops *loops = boot(d, 3);
	struct sim_faults f = { .io_error = 100, .short_io = 100 };
	static uint8_t buf[8192];
	int fd = open_new(loops, "/f");
	unsigned errors = 0, shorts = 0;

	put(loops, fd, buf, sizeof(buf), 0);
	sim_set_faults(loops, &f);
	for (unsigned i = 0; i < 2000; i++) {
		int64_t n = i % 2 ? loops_pread(loops, fd, buf, sizeof(buf), 0)
				  : loops_pwrite(loops, fd, buf, sizeof(buf), 0);

		errors += n == -EIO;
		shorts += n > 0 && n < (int64_t)sizeof(buf);
		assert_true(n == -EIO || (n > 0 && n % SECTOR == 0));
	}
	assert_in_range(errors, 100, 300);
	assert_in_range(shorts, 100, 300);
	loops_free(loops);
	sim_disk_free(d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_synced_stays),
		cmocka_unit_test(test_unsynced),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_lost_directory),
		cmocka_unit_test(test_write_file),
		cmocka_unit_test(test_cut),
		cmocka_unit_test(test_failed_sync),
		cmocka_unit_test(test_model),
		cmocka_unit_test(test_sizes_and_holes),
		cmocka_unit_test(test_faults),
	};

	return cmocka_run_group_tests_name("sim_disk", tests, NULL, NULL);
}
