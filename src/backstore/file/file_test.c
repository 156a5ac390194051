/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * file_test.c: files on a real file system: making, refusing and locking them, sizes that change
 * outside, space that is given back, data in too many pieces, and a loop device where that is
 * permitted. That data arrive is the model test's; that flushed data stay is power_test.c's.
 */
#include "block/testkit.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "backstore/file/file.h"
#include "base/log.h"

struct env {
	struct kit k;
	char dir[64];
	char path[96], spec[256];
};

static int setup(void **state)
{
	static struct env e;

	memset(&e, 0, sizeof(e));
	kit_init(&e.k, LOOP_AUTO, 2);
	assert_int_equal(backstore_register_internal(e.k.reg, &backstore_file), 0);
	/* A file system with direct I/O; /tmp may be memory. */
	strcpy(e.dir, "/var/tmp/ulio_file.XXXXXX");
	assert_non_null(mkdtemp(e.dir));
	snprintf(e.path, sizeof(e.path), "%s/disk", e.dir);
	*state = &e;
	return 0;
}

static int teardown(void **state)
{
	struct env *e = *state;

	kit_done(&e->k);
	unlink(e->path);
	rmdir(e->dir);
	return 0;
}

/* "file:PATH" and settings. */
static const char *spec(struct env *e, const char *settings)
{
	snprintf(e->spec, sizeof(e->spec), "file:%s%s", e->path, settings);
	return e->spec;
}

static struct backstore *open_file(struct env *e, const char *settings)
{
	return kit_open(&e->k, spec(e, settings));
}

static struct stat file_stat(struct env *e)
{
	struct stat st;

	assert_int_equal(stat(e->path, &st), 0);
	return st;
}

static uint64_t info_size(struct backstore *bs)
{
	struct ulio_backstore_info info;

	backstore_info(bs, &info);
	return info.size_bytes;
}

static uint32_t info_flags(struct backstore *bs)
{
	struct ulio_backstore_info info;

	backstore_info(bs, &info);
	return info.flags;
}

/* ---- making and opening --------------------------------------------------------------------- */

static void made_thin(void **state)
{
	struct env *e = *state;
	struct backstore *bs = open_file(e, ",size=64M");
	struct stat st = file_stat(e);

	assert_int_equal(st.st_size, 64 << 20);
	assert_true(st.st_blocks < 1000);
	assert_int_equal(st.st_mode & 0777, 0600);
	assert_int_equal(info_size(bs), 64 << 20);
	assert_true(info_flags(bs) & ULIO_INFO_VOLATILE_CACHE);
	kit_close(bs);
	bs = open_file(e, ",sync=yes");
	assert_false(info_flags(bs) & ULIO_INFO_VOLATILE_CACHE);
	kit_close(bs);
}

static void made_with_its_space(void **state)
{
	struct env *e = *state;
	struct backstore *bs = open_file(e, ",size=4M,prealloc=yes");

	assert_true(file_stat(e).st_blocks >= (4 << 20) / 512);
	kit_close(bs);
}

static void refused(void **state)
{
	static const struct {
		const char *settings;
		int r;
		const char *says;
	} rows[] = {
		{ "", -ENOENT, "with size=10G, say, it is made" },
		{ ",size=1M,create=no", -ENOENT, "no such file" },
		{ ",size=1M,readonly=yes", -ENOENT, "no such file" },
		{ ",size=1000", -EINVAL, "multiple of 512" },
		{ ",size=512,block=4096", -EINVAL, "multiple of 4096" },
		{ ",block=1024", -EINVAL, "must be one of auto|512|4096" },
	};
	struct env *e = *state;

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		kit_refused(&e->k, spec(e, rows[i].settings), rows[i].r, rows[i].says);
		/* Nothing is left of what could not be used. */
		assert_int_equal(access(e->path, F_OK), -1);
	}
	kit_refused(&e->k, "file", -EINVAL, "path: must be given");
	kit_refused(&e->k, "file:/dev/null", -EINVAL, "neither a regular file nor");
	kit_refused(&e->k, "file:/var/tmp", -EINVAL, "neither a regular file nor");
	kit_refused(&e->k, "file:/nowhere/disk,size=1M", -ENOENT, "/nowhere/disk: cannot be made");
	/* A pipe: opening it must not wait for the other end. */
	assert_int_equal(mkfifo(e->path, 0600), 0);
	kit_refused(&e->k, spec(e, ""), -EINVAL, "neither a regular file nor");
	unlink(e->path);
	/* Empty. */
	close(open(e->path, O_CREAT | O_WRONLY, 0600));
	kit_refused(&e->k, spec(e, ""), -EINVAL, "is empty");
	assert_int_equal(access(e->path, F_OK), 0);
}

/* A limit on the size of files stands in for a full disk. */
static void cannot_be_made(void **state)
{
	struct env *e = *state;
	struct rlimit old, small;

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = 1 << 20;
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	kit_refused(&e->k, spec(e, ",size=2M"), -EFBIG, "cannot be made");
	assert_int_equal(access(e->path, F_OK), -1);
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
}

static void only_once(void **state)
{
	struct env *e = *state;
	struct backstore *bs = open_file(e, ",size=1M"), *bs2;

	kit_refused(&e->k, spec(e, ""), -EBUSY, "disk: is in use by another");
	kit_refused(&e->k, spec(e, ",readonly=yes"), -EBUSY, "is in use");
	kit_close(bs);
	/* Several may read. */
	bs = open_file(e, ",readonly=yes");
	bs2 = open_file(e, ",readonly=yes");
	kit_refused(&e->k, spec(e, ""), -EBUSY, "is in use");
	kit_close(bs2);
	kit_close(bs);
	kit_close(open_file(e, ""));
}

static void readonly(void **state)
{
	struct env *e = *state;
	struct backstore *bs = open_file(e, ",size=1M");
	char buf[512] = "kept";

	assert_int_equal(kit_write(bs, 0, buf, 512), 0);
	kit_close(bs);
	assert_int_equal(chmod(e->path, 0400), 0);
	bs = open_file(e, ",readonly=yes");
	assert_true(info_flags(bs) & ULIO_INFO_READONLY);
	assert_false(
		info_flags(bs) & (ULIO_INFO_DISCARD | ULIO_INFO_ZERO | ULIO_INFO_VOLATILE_CACHE));
	assert_int_equal(kit_write(bs, 0, buf, 512), -EROFS);
	assert_int_equal(kit_op(bs, ULIO_OP_FLUSH, 0, 0, 0), 0);
	memset(buf, 0, sizeof(buf));
	assert_int_equal(kit_read(bs, 0, buf, 512), 0);
	assert_string_equal(buf, "kept");
	assert_int_equal(backstore_resize(bs, 2 << 20, NULL), -EROFS);
	kit_close(bs);
}

/* ---- size ----------------------------------------------------------------------------------- */

static void sizes_at_open(void **state)
{
	struct env *e = *state;
	struct backstore *bs;

	assert_int_equal(close(open(e->path, O_CREAT | O_RDWR, 0600)), 0);
	assert_int_equal(truncate(e->path, (1 << 20) + 700), 0);
	bs = open_file(e, "");
	assert_int_equal(info_size(bs), (1 << 20) + 512); /* whole blocks */
	kit_close(bs);
	bs = open_file(e, ",size=2M");
	assert_int_equal(info_size(bs), 2 << 20);
	assert_int_equal(file_stat(e).st_size, 2 << 20);
	kit_close(bs);
	bs = open_file(e, ",size=1M"); /* nothing is cut off */
	assert_int_equal(info_size(bs), 2 << 20);
	kit_close(bs);
}

static void size_changes_outside(void **state)
{
	struct env *e = *state;
	struct backstore *bs = open_file(e, ",size=1M");
	struct ulio_extent extent;
	struct errmsg err;
	char buf[8192];

	assert_int_equal(truncate(e->path, 3 << 20), 0);
	assert_int_equal(info_size(bs), 1 << 20);
	assert_int_equal(backstore_resize(bs, 0, &err), 0);
	assert_int_equal(info_size(bs), 3 << 20);
	assert_int_equal(kit_read(bs, (3 << 20) - 8192, buf, 8192), 0);
	/* Cut off: what is gone does not read as zeroes, nor does the rest fail. */
	assert_int_equal(truncate(e->path, (1 << 20) + 4096), 0);
	assert_int_equal(kit_read(bs, 2 << 20, buf, 8192), -EIO);
	assert_int_equal(kit_read(bs, 1 << 20, buf, 8192), -EIO);
	assert_int_equal(kit_read(bs, 1 << 20, buf, 4096), 0);
	assert_int_equal(backstore_map(bs, 2 << 20, 4096, &extent, 1), 1);
	assert_int_equal(extent.kind, ULIO_EXTENT_DATA);
	assert_int_equal(truncate(e->path, (1 << 20) + 700), 0);
	assert_int_equal(kit_read(bs, 1 << 20, buf, 4096), -EIO);
	assert_int_equal(kit_read(bs, 1 << 20, buf, 512), 0);
	assert_int_equal(backstore_resize(bs, 0, &err), 0);
	assert_int_equal(info_size(bs), (1 << 20) + 512);
	kit_close(bs);
}

static void resized(void **state)
{
	struct env *e = *state;
	struct backstore *bs = open_file(e, ",size=1M");
	struct errmsg err;

	assert_int_equal(backstore_resize(bs, 5 << 20, &err), 0);
	assert_int_equal(file_stat(e).st_size, 5 << 20);
	assert_int_equal(backstore_resize(bs, 2 << 20, &err), 0);
	assert_int_equal(file_stat(e).st_size, 2 << 20);
	kit_close(bs);
}

/* ---- requests ------------------------------------------------------------------------------- */

static void space_is_given_back(void **state)
{
	struct env *e = *state;
	struct backstore *bs = open_file(e, ",size=8M");
	const uint32_t wants = ULIO_INFO_DISCARD | ULIO_INFO_DISCARD_ZEROES | ULIO_INFO_ZERO;
	char *buf = malloc(1 << 20);
	uint64_t full;

	if ((info_flags(bs) & wants) != wants) {
		kit_close(bs);
		free(buf);
		skip();
	}
	memset(buf, 'b', 1 << 20);
	assert_int_equal(kit_rw(bs, ULIO_OP_WRITE, ULIO_BIO_FUA, 0, buf, 1 << 20), 0);
	full = (uint64_t)file_stat(e).st_blocks;
	assert_true(full >= 2048);
	/* Zeroed without leave to unmap: the space stays. */
	assert_int_equal(kit_op(bs, ULIO_OP_ZERO, ULIO_BIO_FUA, 0, 256 << 10), 0);
	assert_true((uint64_t)file_stat(e).st_blocks >= full);
	assert_int_equal(
		kit_op(bs, ULIO_OP_ZERO, ULIO_BIO_FUA | ULIO_BIO_MAY_UNMAP, 0, 256 << 10), 0);
	assert_true((uint64_t)file_stat(e).st_blocks <= full - 512);
	assert_int_equal(kit_op(bs, ULIO_OP_DISCARD, ULIO_BIO_FUA, 256 << 10, 768 << 10), 0);
	assert_true((uint64_t)file_stat(e).st_blocks <= full - 2048);
	assert_int_equal(kit_read(bs, 0, buf, 1 << 20), 0);
	assert_true(buf[0] == 0 && memcmp(buf, buf + 1, (1 << 20) - 1) == 0);
	assert_int_equal(file_stat(e).st_size, 8 << 20);
	kit_close(bs);
	free(buf);
}

/* More pieces than the kernel takes at once, in memory that direct I/O takes, and in other. */
static void many_pieces(void **state)
{
	enum { N = 3000 };
	static struct iovec iov[N];
	struct env *e = *state;
	struct backstore *bs = open_file(e, ",size=8M");
	char *mem = aligned_alloc(4096, N * 512 + 4096), *back = malloc(N * 512);

	for (unsigned odd = 0; odd < 2; odd++) {
		struct kit_io io = { .bs = bs,
			.op = ULIO_OP_WRITE,
			.off = 4096,
			.len = N * 512,
			.iov = iov,
			.niov = N,
			.iov_cap = N };

		for (unsigned i = 0; i < N; i++) {
			iov[i] = (struct iovec){ mem + i * 512 + odd * 3, 512 };
			memset(iov[i].iov_base, (int)(i + odd), 512);
		}
		assert_int_equal(kit_run(&io), 0);
		assert_int_equal(kit_read(bs, 4096, back, N * 512), 0);
		assert_memory_equal(back, mem + odd * 3, N * 512);
		memset(mem, 0, N * 512 + 4096);
		for (unsigned i = 0; i < N; i++)
			iov[i] = (struct iovec){ mem + i * 512 + odd * 3, 512 };
		io.op = ULIO_OP_READ;
		assert_int_equal(kit_run(&io), 0);
		assert_memory_equal(back, mem + odd * 3, N * 512);
		for (unsigned i = 0; i < N; i++)
			assert_true(iov[i].iov_base == mem + i * 512 + odd * 3 &&
				    iov[i].iov_len == 512);
	}
	kit_close(bs);
	free(mem);
	free(back);
}

/* A write that the file system refuses is an error of that write and of nothing else. */
static void write_refused(void **state)
{
	static const char *const how[] = { ",size=4M", ",size=4M,direct=no", ",size=4M,sync=yes" };
	struct env *e = *state;
	struct rlimit old, small;
	char *buf = calloc(1, 1 << 20);

	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &old), 0);
	small = old;
	small.rlim_cur = (1 << 20) + (512 << 10);
	for (size_t i = 0; i < sizeof(how) / sizeof(how[0]); i++) {
		struct backstore *bs = open_file(e, how[i]);

		/* Only part of it fits; with FUA it would be flushed. */
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
		assert_int_equal(
			kit_rw(bs, ULIO_OP_WRITE, ULIO_BIO_FUA, 1 << 20, buf, 1 << 20), -EFBIG);
		assert_int_equal(setrlimit(RLIMIT_FSIZE, &old), 0);
		assert_int_equal(kit_write(bs, 1 << 20, buf, 1 << 20), 0);
		assert_int_equal(kit_op(bs, ULIO_OP_FLUSH, 0, 0, 0), 0);
		kit_close(bs);
		unlink(e->path);
	}
	free(buf);
}

/* Many flushes at once share few; each is answered. */
static void flushes(void **state)
{
	enum { N = 100 };
	static struct kit_io ios[N];
	struct env *e = *state;
	struct backstore *bs = open_file(e, ",size=1M");

	for (unsigned i = 0; i < N; i++) {
		ios[i] = (struct kit_io){ .bs = bs, .loop = i % 2, .op = ULIO_OP_FLUSH };
		kit_start(&ios[i]);
	}
	for (unsigned i = 0; i < N; i++)
		assert_int_equal(kit_wait(&ios[i]), 0);
	kit_close(bs);
}

/* ---- a block device ------------------------------------------------------------------------- */

static int loop_attach(const char *file, int *ret_fd, char *ret_path, size_t n)
{
	int ctl = open("/dev/loop-control", O_RDWR | O_CLOEXEC);
	int fd = open(file, O_RDWR | O_CLOEXEC), dev = -1, nr;

	for (unsigned i = 0; ctl >= 0 && dev < 0 && i < 10; i++) {
		nr = ioctl(ctl, LOOP_CTL_GET_FREE);
		if (nr < 0)
			break;
		snprintf(ret_path, n, "/dev/loop%d", nr);
		dev = open(ret_path, O_RDWR | O_CLOEXEC);
		if (dev >= 0 && ioctl(dev, LOOP_SET_FD, fd) < 0) {
			close(dev);
			dev = -1;
		}
	}
	close(fd);
	if (ctl >= 0)
		close(ctl);
	*ret_fd = dev;
	return dev < 0 ? -1 : 0;
}

static void block_device(void **state)
{
	struct env *e = *state;
	char dev[32], s[64];
	struct ulio_backstore_info info;
	struct backstore *bs;
	char buf[8192];
	int fd;

	close(open(e->path, O_CREAT | O_RDWR, 0600));
	assert_int_equal(truncate(e->path, 4 << 20), 0);
	if (loop_attach(e->path, &fd, dev, sizeof(dev)) < 0)
		skip(); /* not permitted here */
	snprintf(s, sizeof(s), "file:%s", dev);
	bs = kit_open(&e->k, s);
	backstore_info(bs, &info);
	assert_int_equal(info.size_bytes, 4 << 20);
	assert_int_equal(info.block_bytes, 512);
	assert_true(info.flags & ULIO_INFO_VOLATILE_CACHE);
	assert_false(info.flags & ULIO_INFO_DISCARD_ZEROES);
	kit_refused(&e->k, s, -EBUSY, "in use");
	memset(buf, 'l', sizeof(buf));
	assert_int_equal(kit_rw(bs, ULIO_OP_WRITE, ULIO_BIO_FUA, 4096, buf, 8192), 0);
	assert_int_equal(kit_op(bs, ULIO_OP_FLUSH, 0, 0, 0), 0);
	assert_int_equal(kit_op(bs, ULIO_OP_ZERO, ULIO_BIO_MAY_UNMAP, 4096, 4096), 0);
	assert_int_equal(kit_op(bs, ULIO_OP_ZERO, ULIO_BIO_FUA, 8192, 512), 0);
	assert_int_equal(kit_read(bs, 4096, buf, 8192), 0);
	assert_true(buf[0] == 0 && buf[4095] == 0 && buf[4096 + 511] == 0);
	assert_true(buf[4096 + 512] == 'l' && buf[8191] == 'l');
	if (info.flags & ULIO_INFO_DISCARD)
		assert_int_equal(kit_op(bs, ULIO_OP_DISCARD, 0, 0, 1 << 20), 0);
	/* The medium grows. */
	assert_int_equal(backstore_resize(bs, 8 << 20, NULL), -EINVAL);
	assert_int_equal(truncate(e->path, 8 << 20), 0);
	assert_int_equal(ioctl(fd, LOOP_SET_CAPACITY), 0);
	assert_int_equal(backstore_resize(bs, 0, NULL), 0);
	assert_int_equal(info_size(bs), 8 << 20);
	assert_int_equal(kit_write(bs, (8 << 20) - 8192, buf, 8192), 0);
	kit_close(bs);
	snprintf(s, sizeof(s), "file:%s,size=1G", dev);
	kit_refused(&e->k, s, -EINVAL, "fewer than size=");
	assert_int_equal(ioctl(fd, LOOP_CLR_FD), 0);
	close(fd);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(made_thin),
		T(made_with_its_space),
		T(refused),
		T(cannot_be_made),
		T(only_once),
		T(readonly),
		T(sizes_at_open),
		T(size_changes_outside),
		T(resized),
		T(space_is_given_back),
		T(many_pieces),
		T(write_refused),
		T(flushes),
		T(block_device),
	};

	log_set_level(LOG_LEVEL_ERROR);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
