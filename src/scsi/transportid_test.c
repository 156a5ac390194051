/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * transportid_test.c: iSCSI TransportIDs byte by byte (SPC-4 7.6.4.6), malformed ones,
 * and those of other protocols.
 */
#include "scsi/test_priv.h"

#include <errno.h>

#include "scsi/transportid.h"

static void test_encode_node(void **state)
{
	struct transportid id = { .name = "iqn.a:b" };
	uint8_t buf[TRANSPORTID_MAX];
	size_t n = transportid_encode(&id, buf, sizeof(buf));

	/* ADDITIONAL LENGTH is at least 20 */
	expect_bytes(buf, n, 0x05, 0, 0, 20, 'i', 'q', 'n', '.', 'a', ':', 'b', 0, 0, 0, 0, 0, 0, 0,
		0, 0, 0, 0, 0, 0);
	expect_truncation(buf, n, transportid_encode(&id, cut, cap));
}

/* A name whose NUL just fits, and one whose NUL needs four bytes more. */
static void test_encode_padding(void **state)
{
	struct transportid id = { .name = "iqn.2003-01.org.x:abcde" };
	uint8_t buf[TRANSPORTID_MAX];

	assert_int_equal(strlen(id.name), 23);
	assert_int_equal(transportid_encode(&id, buf, sizeof(buf)), 4 + 24);
	strcat(id.name, "f");
	assert_int_equal(transportid_encode(&id, buf, sizeof(buf)), 4 + 28);
}

static void test_encode_port(void **state)
{
	struct transportid id = {
		.name = "iqn.a:b", .has_isid = true, .isid = { 0x00, 0x02, 0x3d, 0xab, 0xcd, 0xef }
	};
	uint8_t buf[TRANSPORTID_MAX];
	size_t n = transportid_encode(&id, buf, sizeof(buf));

	/* 7 + 5 + 12 = 24: the NUL makes it 28 */
	expect_bytes(buf, n, 0x45, 0, 0, 28, 'i', 'q', 'n', '.', 'a', ':', 'b', ',', 'i', ',', '0',
		'x', '0', '0', '0', '2', '3', 'd', 'a', 'b', 'c', 'd', 'e', 'f', 0, 0, 0, 0);
	expect_truncation(buf, n, transportid_encode(&id, cut, cap));
}

static void test_round_trip(void **state)
{
	uint8_t buf[TRANSPORTID_MAX];

	for (size_t len = 1; len <= TRANSPORTID_NAME_MAX; len++) {
		for (int isid = 0; isid < 2; isid++) {
			struct transportid id = { .has_isid = isid }, back;
			size_t n, used = 0;
			uint8_t *copy;

			memset(id.name, 'n', len);
			if (isid)
				memcpy(id.isid, "\x80\x01\x02\x03\xfe\xff", 6);
			n = transportid_encode(&id, buf, sizeof(buf));
			assert_true(n <= sizeof(buf) && n % 4 == 0 && n >= 24);
			copy = exact_copy(buf, n);
			assert_int_equal(transportid_parse(copy, n, &back, &used), 0);
			assert_int_equal(used, n);
			assert_memory_equal(&back, &id, sizeof(id));
			for (size_t cut = 0; cut < n; cut++)
				assert_int_equal(
					transportid_parse(copy, cut, &back, &used), -EINVAL);
			free(copy);
		}
	}
}

/* Parse `text` as the bytes after the header, padded with `pad` to length. */
static int parse_text(uint8_t first, uint16_t length, const char *text, struct transportid *ret)
{
	uint8_t buf[400] = { first, 0, (uint8_t)(length >> 8), (uint8_t)length };
	size_t used = 0;
	uint8_t *copy;
	int rc;

	assert_true(4u + length <= sizeof(buf));
	memcpy(buf + 4, text, strlen(text) < length ? strlen(text) : length);
	copy = exact_copy(buf, 4u + length);
	rc = transportid_parse(copy, 4u + length, ret, &used);
	free(copy);
	return rc;
}

static void test_parse_isid(void **state)
{
	struct transportid id;

	assert_int_equal(parse_text(0x45, 28, "iqn.x:y,i,0x1", &id), 0);
	assert_string_equal(id.name, "iqn.x:y");
	assert_true(id.has_isid);
	assert_memory_equal(id.isid, "\x00\x00\x00\x00\x00\x01", 6);
	assert_int_equal(parse_text(0x45, 28, "iqn.x:y,i,0xABCdef012345", &id), 0);
	assert_memory_equal(id.isid, "\xab\xcd\xef\x01\x23\x45", 6);
	assert_int_equal(parse_text(0x45, 32, "iqn.x:y,i,0x0123456789abc", &id), -EINVAL);
	assert_int_equal(parse_text(0x45, 28, "iqn.x:y,i,0x", &id), -EINVAL);
	assert_int_equal(parse_text(0x45, 28, "iqn.x:y,i,0x12g4", &id), -EINVAL);
	assert_int_equal(parse_text(0x45, 28, "iqn.x:y,i,0x 1", &id), -EINVAL);
	assert_int_equal(parse_text(0x45, 28, "iqn.x:y,i,0", &id), -EINVAL);
	assert_int_equal(parse_text(0x45, 28, "iqn.x:y,t,0x0001", &id), -EINVAL);
	assert_int_equal(parse_text(0x45, 28, "iqn.x:y", &id), -EINVAL);
	assert_int_equal(parse_text(0x45, 28, ",i,0x1", &id), -EINVAL);
}

static void test_parse_malformed(void **state)
{
	struct transportid id = { .name = "untouched" };
	char longest[TRANSPORTID_NAME_MAX + 2];

	assert_int_equal(parse_text(0x85, 20, "iqn.x:y", &id), -EINVAL);
	assert_int_equal(parse_text(0xc5, 20, "iqn.x:y", &id), -EINVAL);
	assert_int_equal(parse_text(0x05, 16, "iqn.x:y", &id), -EINVAL);
	assert_int_equal(parse_text(0x05, 21, "iqn.x:y", &id), -EINVAL);
	assert_int_equal(parse_text(0x05, 20, "", &id), -EINVAL);
	assert_int_equal(parse_text(0x05, 20, "01234567890123456789", &id), -EINVAL); /* no NUL */
	assert_int_equal(parse_text(0x05, 20, "iqn.x:y,i,0x1", &id), -EINVAL);
	assert_int_equal(parse_text(0x05, 20, "iqn.x y", &id), -EINVAL);
	assert_int_equal(parse_text(0x05, 20, "iqn.x\ny", &id), -EINVAL);
	assert_int_equal(parse_text(0x05, 20, "iqn.x\xff", &id), -EINVAL);
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_int_equal(parse_text(0x05, 228, longest, &id), -EINVAL);
	assert_string_equal(id.name, "untouched");
	longest[TRANSPORTID_NAME_MAX] = '\0';
	assert_int_equal(parse_text(0x05, 228, longest, &id), 0);
	assert_false(id.has_isid);
}

/* ADDITIONAL LENGTH beyond the bytes there; and bytes after the NUL, which do not matter. */
static void test_parse_bounds(void **state)
{
	uint8_t buf[28] = { 0x05, 0, 0, 24, 'i', 'q', 'n', '.', 'x', 0, 0xff, 'j' };
	struct transportid id;
	size_t used = 7;

	assert_int_equal(transportid_parse(buf, 27, &id, &used), -EINVAL);
	assert_int_equal(used, 7);
	assert_int_equal(transportid_parse(buf, 28, &id, &used), 0);
	assert_int_equal(used, 28);
	assert_string_equal(id.name, "iqn.x");
	buf[2] = 0xff;
	assert_int_equal(transportid_parse(buf, 28, &id, &used), -EINVAL);
}

/* Every protocol, format and length: which are known, and where the next one begins. */
static void test_other_protocols(void **state)
{
	/* SPC-4 table 499; SSA, ADT, ATA, UAS and what is reserved have none. */
	static const bool known[16] = {
		[0x0] = true, [0x1] = true, [0x3] = true, [0x4] = true, [0x6] = true, [0xa] = true
	};

	for (unsigned first = 0; first < 256; first++) {
		unsigned protocol = first & 0xf;
		bool ok = known[protocol] && (first & 0xc0) == 0;

		if (protocol == 5)
			continue;
		for (size_t len = 0; len <= 28; len++) {
			uint8_t buf[28] = { (uint8_t)first, 0xff, 0xff, 0xff };
			struct transportid id = { .name = "untouched" };
			size_t used = 7;
			uint8_t *copy = exact_copy(buf, len);
			int rc = transportid_parse(copy, len, &id, &used);

			assert_int_equal(rc, ok && len >= 24 ? -EPROTONOSUPPORT : -EINVAL);
			assert_int_equal(used, ok && len >= 24 ? 24 : 7);
			assert_string_equal(id.name, "untouched");
			free(copy);
		}
	}
}

static void test_port_names(void **state)
{
	static const char *const bad[] = { "", ",i,0x1", "iqn.x,", "iqn.x,i,0x", "iqn.x,t,0x1",
		"iqn.x,i,0x1234567890123", "iqn.x,i,0x1g", "iqn. x", "iqn.x\n", "iqn.x\xff" };
	char port[TRANSPORTID_PORT_BYTES], longest[TRANSPORTID_NAME_MAX + 2];
	struct transportid id = { 0 };

	assert_true(transportid_from_port("iqn.A:b", &id));
	assert_string_equal(id.name, "iqn.A:b");
	assert_false(id.has_isid);
	transportid_to_port(&id, port);
	assert_string_equal(port, "iqn.a:b");
	assert_true(transportid_from_port("iqn.Z,i,0xABC", &id));
	assert_true(id.has_isid);
	transportid_to_port(&id, port);
	assert_string_equal(port, "iqn.z,i,0x000000000abc");
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_false(transportid_from_port(bad[i], &id));
	assert_string_equal(id.name, "iqn.Z");

	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	assert_false(transportid_from_port(longest, &id));
	longest[TRANSPORTID_NAME_MAX] = '\0';
	assert_true(transportid_from_port(longest, &id));
	id.has_isid = true;
	memset(id.isid, 0xff, sizeof(id.isid));
	transportid_to_port(&id, port);
	assert_int_equal(strlen(port), TRANSPORTID_PORT_BYTES - 1);
	assert_string_equal(port + TRANSPORTID_NAME_MAX, ",i,0xffffffffffff");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_encode_node),
		cmocka_unit_test(test_encode_padding),
		cmocka_unit_test(test_encode_port),
		cmocka_unit_test(test_round_trip),
		cmocka_unit_test(test_parse_isid),
		cmocka_unit_test(test_parse_malformed),
		cmocka_unit_test(test_parse_bounds),
		cmocka_unit_test(test_other_protocols),
		cmocka_unit_test(test_port_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
