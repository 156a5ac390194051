/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * abi_test.c: plugins as shared objects: the example, one of the first release, and wrong ones. The
 * directory in which they were built is the first argument, that of the example the second.
 */
#include "block/testkit.h"

#include <errno.h>
#include <stdio.h>

static const char *plugin_dir, *example_dir;

static int setup(void **state)
{
	static struct kit k;

	kit_init(&k, LOOP_AUTO, 2);
	*state = &k;
	return 0;
}

static int teardown(void **state)
{
	kit_done(*state);
	return 0;
}

static void load(struct kit *k, const char *dir, const char *name)
{
	char path[512];
	struct errmsg err;

	snprintf(path, sizeof(path), "%s/%s.so", dir, name);
	if (backstore_load_plugin(k->reg, path, &err) < 0)
		fail_msg("%s", err.text);
}

static void write_and_read(struct backstore *bs)
{
	char a[2048], b[2048];
	struct iovec iov[2] = { { b, 100 }, { b + 100, 1948 } };
	struct kit_io io = { .bs = bs,
		.loop = 1,
		.op = ULIO_OP_READ,
		.off = 4096,
		.len = 2048,
		.iov = iov,
		.niov = 2,
		.iov_cap = 2 };

	memset(a, 0x5a, sizeof(a));
	memset(b, 0, sizeof(b));
	assert_int_equal(kit_write(bs, 4096, a, 2048), 0);
	assert_int_equal(kit_run(&io), 0);
	assert_memory_equal(a, b, 2048);
	assert_int_equal(kit_op(bs, ULIO_OP_FLUSH, 0, 0, 0), 0);
	assert_int_equal(kit_op(bs, ULIO_OP_ZERO, 0, 4096, 1024), 0);
	assert_int_equal(kit_read(bs, 4096, b, 2048), 0);
	memset(a, 0, 1024);
	assert_memory_equal(a, b, 2048);
}

static void example(void **state)
{
	struct kit *k = *state;
	struct ulio_backstore_info info;
	struct backstore *bs;

	load(k, example_dir, "tmpdisk");
	bs = kit_open(k, "tmpdisk:64K");
	backstore_info(bs, &info);
	assert_int_equal(info.size_bytes, 64 << 10);
	write_and_read(bs);
	kit_close(bs);
	kit_refused(k, "tmpdisk", -EINVAL, "size: must be given");
	kit_refused(k, "tmpdisk:1000", -EINVAL, "multiple of 512");
	kit_refused(k, "tmpdisk:2G", -EINVAL, "at most");
}

static void first_release(void **state)
{
	struct kit *k = *state;
	struct kit_io io = { .op = ULIO_OP_FLUSH };
	struct ulio_backstore_info info;
	struct ulio_extent extent;
	struct backstore *bs;
	struct errmsg err;

	load(k, plugin_dir, "plugin_v1");
	bs = io.bs = kit_open(k, "v1");
	backstore_info(bs, &info);
	assert_int_equal(info.size_bytes, 1 << 20);
	assert_int_equal(info.physical_bytes, 512);
	assert_true(info.flags & ULIO_INFO_VOLATILE_CACHE);
	write_and_read(bs);
	assert_int_equal(kit_op(bs, ULIO_OP_DISCARD, ULIO_BIO_FUA, 0, 8192), 0);
	assert_int_equal(backstore_map(bs, 512, 1024, &extent, 1), 1);
	assert_int_equal(extent.len_bytes, 1024);
	assert_int_equal(backstore_resize(bs, 512 << 10, &err), 0);
	backstore_info(bs, &info);
	assert_int_equal(info.size_bytes, 512 << 10);
	assert_int_equal(backstore_resize(bs, 2 << 20, &err), -EFBIG);
	assert_non_null(strstr(err.text, "1 MiB is all there is"));

	/* It answers nothing until it is told to; and then it is cancelled. */
	assert_int_equal(backstore_set(bs, &(struct ulio_param){ "deaf", "yes" }, 1, &err), 0);
	kit_start(&io);
	assert_true(kit_pending(&io));
	assert_int_equal(backstore_set(bs, &(struct ulio_param){ "deaf", "no" }, 1, &err), 0);
	assert_int_equal(kit_wait(&io), 0);
	assert_int_equal(backstore_set(bs, &(struct ulio_param){ "deaf", "yes" }, 1, &err), 0);
	kit_start(&io);
	kit_cancel(&io);
	assert_int_equal(kit_wait(&io), -ECANCELED);
	kit_close(bs);
	kit_refused(k, "v1:refuse=yes", -EPERM, "v1: refused as asked");
}

/* A name without a directory is not searched for anywhere. */
static void only_by_path(void **state)
{
	struct kit *k = *state;
	struct errmsg err;

	assert_int_equal(backstore_load_plugin(k->reg, "tmpdisk.so", &err), -EINVAL);
	assert_non_null(strstr(err.text, "must be a path"));
}

static void wrong_ones(void **state)
{
	static const struct {
		const char *name;
		int r;
		const char *says;
	} rows[] = {
		{ "plugin_abi", -EINVAL, "made for plugin ABI 2, this is 1" },
		{ "plugin_short", -EINVAL, "size of" },
		{ "plugin_later", -EINVAL, "later version" },
		{ "plugin_lacks", -EINVAL, "lacks close, info or submit" },
		{ "plugin_entry", -ELIBBAD, "has no ulio_backstore_init" },
		{ "plugin_refuses", -EINVAL, "refuses plugin ABI 1" },
		{ "not_there", -ELIBBAD, "not_there" },
	};
	struct kit *k = *state;
	struct errmsg err;
	char path[512];

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s.so", plugin_dir, rows[i].name);
		assert_int_equal(backstore_load_plugin(k->reg, path, &err), rows[i].r);
		if (!strstr(err.text, rows[i].says))
			fail_msg("%s: says \"%s\"", rows[i].name, err.text);
	}
	/* None of them has left anything behind; and one kind is loaded once. */
	assert_null(backstore_kind_at(k->reg, 0));
	load(k, plugin_dir, "plugin_v1");
	snprintf(path, sizeof(path), "%s/plugin_v1.so", plugin_dir);
	assert_int_equal(backstore_load_plugin(k->reg, path, &err), -EEXIST);
	assert_null(backstore_kind_at(k->reg, 1));
}

int main(int argc, char **argv)
{
#define T(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
		T(example),
		T(first_release),
		T(only_by_path),
		T(wrong_ones),
	};

	if (argc != 3) {
		fprintf(stderr, "usage: abi_test DIR EXAMPLE-DIR\n");
		return 2;
	}
	plugin_dir = argv[1];
	example_dir = argv[2];
	return cmocka_run_group_tests(tests, NULL, NULL);
}
