/* SPDX-License-Identifier: BSD-3-Clause */
/* aptpl_text_test.c: LIO's format to the byte, and what is not taken for it. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "engine/pr/aptpl_text.h"
#include "engine/pr/state.h"

#define A "iqn.2003-01.org.example:a"
#define B "iqn.2003-01.org.example:b"
#define T "iqn.2003-01.org.example:disk"

/* As LIO 6.1 writes it. */
#define BLOCK_A                                                                                    \
	"PR_REG_START: 0\ninitiator_fabric=iSCSI\ninitiator_node=" A "\n"                          \
	"initiator_sid=00023d000001\nsa_res_key=1311768467463790320\nres_holder=1\n"               \
	"res_type=05\nres_scope=00\nres_all_tg_pt=0\nmapped_lun=3\ntarget_fabric=iSCSI\n"          \
	"target_node=" T "\ntpgt=1\nport_rtpi=2\ntarget_lun=7\nPR_REG_END: 0\n"
#define BLOCK_B                                                                                    \
	"PR_REG_START: 1\ninitiator_fabric=iSCSI\ninitiator_node=" B "\n"                          \
	"sa_res_key=1\nres_holder=0\nres_all_tg_pt=1\nmapped_lun=0\ntarget_fabric=iSCSI\n"         \
	"target_node=" T "\ntpgt=65535\nport_rtpi=3\ntarget_lun=0\nPR_REG_END: 1\n"

static struct pr_state *two(void)
{
	struct pr_registration a = {
		.nexus = { A, A ",i,0x00023d000001", T, 1, 2 },
		.key = 0x123456789abcdef0,
		.lun = 3,
		.target_lun = 7,
		.registered_s = 1700000000,
	};
	struct pr_registration b = {
		.nexus = { B, B, T, 65535, 3 },
		.key = 1,
		.all_tg_pt = true,
		.registered_s = 1700000001,
	};
	struct pr_state *s = pr_state_new();

	assert_non_null(s);
	assert_int_equal(pr_state_add(s, &a), 0);
	assert_int_equal(pr_state_add(s, &b), 0);
	pr_state_reserve(s, 0, RESERVATION_LU_SCOPE, RESERVATION_WRITE_EXCLUSIVE_RO);
	s->aptpl = true;
	return s;
}

static void check_text(const struct pr_state *s, bool extras, const char *want, size_t n)
{
	struct strbuf b;

	strbuf_init(&b);
	assert_int_equal(aptpl_format(s, extras, &b), 0);
	if (b.len != n || memcmp(b.s, want, n) != 0)
		fail_msg("%zu bytes, not %zu:\n%s\nwanted:\n%s", b.len, n, b.s, want);
	strbuf_done(&b);
}

/* Owned. */
static struct pr_state *parse_n(const char *text, size_t n)
{
	struct pr_state *s = NULL;
	struct errmsg err = { 0 };
	unsigned foreign = 99;

	if (aptpl_parse(text, n, &s, &foreign, &err))
		fail_msg("%s\n%s", err.text, text);
	assert_int_equal(foreign, 0);
	return s;
}

static void check_two(const struct pr_state *s, bool extras)
{
	assert_int_equal(s->n, 2);
	assert_true(s->aptpl);
	assert_false(s->lost);
	assert_int_equal(s->type, RESERVATION_WRITE_EXCLUSIVE_RO);
	assert_int_equal(s->generation, 0);
	assert_string_equal(s->r[0]->nexus.initiator, A);
	assert_string_equal(s->r[0]->nexus.initiator_port, A ",i,0x00023d000001");
	assert_string_equal(s->r[0]->nexus.device, T);
	assert_int_equal(s->r[0]->nexus.tpgt, 1);
	assert_int_equal(s->r[0]->nexus.rtpi, 2);
	assert_true(s->r[0]->key == 0x123456789abcdef0);
	assert_int_equal(s->r[0]->lun, 3);
	assert_int_equal(s->r[0]->target_lun, 7);
	assert_true(s->r[0]->holder);
	assert_false(s->r[0]->all_tg_pt);
	assert_true(s->r[0]->registered_s == (extras ? 1700000000 : 0));
	assert_string_equal(s->r[1]->nexus.initiator_port, B);
	assert_int_equal(s->r[1]->nexus.tpgt, 65535);
	assert_true(s->r[1]->all_tg_pt);
	assert_false(s->r[1]->holder);
}

static void both_ways(void **state)
{
	static const char want[] = BLOCK_A BLOCK_B;
	struct pr_state *s = two(), *again;
	struct strbuf b;

	check_text(s, false, want, sizeof(want));
	again = parse_n(want, sizeof(want));
	check_two(again, false);
	pr_state_free(again);
	/* An editor may have taken the NUL away, or put a line end behind it. */
	again = parse_n(want, sizeof(want) - 1);
	check_two(again, false);
	pr_state_free(again);
	again = parse_n(BLOCK_A BLOCK_B "\0\n", sizeof(want) + 1);
	check_two(again, false);
	pr_state_free(again);

	strbuf_init(&b);
	assert_int_equal(aptpl_format(s, true, &b), 0);
	again = parse_n(b.s, b.len);
	check_two(again, true);
	pr_state_free(again);
	strbuf_done(&b);
	pr_state_free(s);
}

static void nothing(void **state)
{
	static const char want[] = "No Registrations or Reservations";
	static const char extras[] = "aptpl=0\nNo Registrations or Reservations";
	struct pr_state *s = pr_state_new(), *again;

	check_text(s, false, want, sizeof(want));
	check_text(s, true, extras, sizeof(extras));
	again = parse_n(want, sizeof(want));
	assert_int_equal(again->n, 0);
	assert_int_equal(again->type, RESERVATION_NONE);
	pr_state_free(again);
	again = parse_n("No Registrations or Reservations\n", 33);
	assert_int_equal(again->n, 0);
	pr_state_free(again);
	again = parse_n(extras, sizeof(extras));
	assert_int_equal(again->n, 0);
	assert_false(again->aptpl);
	pr_state_free(again);
	pr_state_free(s);
}

/* LIO knows one holder, also where all registrants are; and so it writes one. */
static void all_registrants(void **state)
{
	struct pr_state *s = two(), *again;
	struct strbuf b;
	char *second;

	pr_state_reserve(s, 0, RESERVATION_LU_SCOPE, RESERVATION_EXCLUSIVE_ACCESS_AR);
	strbuf_init(&b);
	assert_int_equal(aptpl_format(s, false, &b), 0);
	assert_non_null(strstr(b.s, "res_holder=1\nres_type=08\nres_scope=00\n"));
	second = strstr(b.s, "PR_REG_START: 1");
	assert_non_null(strstr(second, "res_holder=0\nres_all_tg_pt=1\n"));
	again = parse_n(b.s, b.len);
	assert_int_equal(again->type, RESERVATION_EXCLUSIVE_ACCESS_AR);
	assert_true(again->r[0]->holder && again->r[1]->holder);
	pr_state_free(again);
	pr_state_free(s);
	strbuf_done(&b);
}

/* text with the first `from` replaced by `to`, as a file; must be refused for a reason with why. */
static void refuse(const char *text, const char *from, const char *to, const char *why)
{
	struct strbuf b;
	struct pr_state *s = NULL;
	struct errmsg err = { 0 };
	const char *at = strstr(text, from);
	unsigned foreign;
	int r;

	assert_non_null(at);
	strbuf_init(&b);
	strbuf_write(&b, text, (size_t)(at - text));
	strbuf_puts(&b, to);
	strbuf_puts(&b, at + strlen(from));
	r = aptpl_parse(b.s, b.len, &s, &foreign, &err);
	if (r != -EINVAL || !strstr(err.text, why))
		fail_msg("\"%s\" for \"%s\": %d %s", to, from, r, err.text);
	strbuf_done(&b);
}

static void damaged(void **state)
{
	static const char text[] = BLOCK_A BLOCK_B;
	static const char twice[] = BLOCK_A
		"PR_REG_START: x\ninitiator_fabric=iSCSI\n"
		"initiator_node=iqn.2003-01.org.Example:A\ninitiator_sid=00023D000001\n"
		"sa_res_key=2\nres_holder=0\nres_all_tg_pt=0\nmapped_lun=4\ntarget_fabric=iSCSI\n"
		"target_node=" T "\ntpgt=1\nport_rtpi=9\ntarget_lun=8\nPR_REG_END: 1\n";
	struct pr_state *s;
	struct errmsg err = { 0 };
	unsigned foreign;

	refuse(text, "sa_res_key=1\n", "sa_res_key=0\n", "line 20: sa_res_key=0 is not possible");
	refuse(text, "sa_res_key=1\n", "sa_res_key=-1\n", "sa_res_key");
	refuse(text, "sa_res_key=1\n", "sa_res_key=18446744073709551616\n", "sa_res_key");
	refuse(text, "sa_res_key=1\n", "sa_res_key=\n", "sa_res_key");
	refuse(text, "sa_res_key=1\n", "", "sa_res_key is missing");
	refuse(text, "tpgt=65535", "tpgt=65536", "tpgt=65536");
	refuse(text, "port_rtpi=3", "port_rtpi=65536", "port_rtpi");
	refuse(text, "mapped_lun=3", "mapped_lun=4294967296", "mapped_lun");
	refuse(text, "res_holder=0", "res_holder=2", "res_holder");
	refuse(text, "res_holder=0", "res_holder=1", "belong to res_holder=1");
	refuse(text, "res_type=05\n", "", "belong to res_holder=1");
	refuse(text, "res_holder=1", "res_holder=0", "belong to res_holder=1");
	refuse(text, "res_type=05", "res_type=02", "no possible type");
	refuse(text, "res_type=05", "res_type=00", "no possible type");
	refuse(text, "res_type=05", "res_type=105", "res_type=105");
	refuse(text, "res_scope=00", "res_scope=01", "no possible type and scope");
	refuse(text, "res_holder=0", "res_holder=1\nres_type=05\nres_scope=00",
		"two registrations");
	refuse(text, "initiator_sid=00023d000001", "initiator_sid=00023d00001", "initiator_sid");
	refuse(text, "initiator_sid=00023d000001", "initiator_sid=00023d00000g", "initiator_sid");
	refuse(text, "initiator_node=" A, "initiator_node=", "initiator_node");
	refuse(text, "initiator_node=" A, "initiator_node=a b", "initiator_node");
	refuse(text, "initiator_node=" A, "initiator_node=a\xff", "initiator_node");
	refuse(text, "tpgt=1\n", "tpgt=1\ntpgt=1\n", "tpgt is there twice");
	refuse(text, "tpgt=1\n", "colour=red\n", "\"colour=red\" does not belong here");
	refuse(text, "tpgt=1\n", "\n", "does not belong here");
	refuse(text, "PR_REG_START: 1", "PR_REG_START: 2", "does not belong here");
	refuse(text, "PR_REG_END: 1\n", "PR_REG_END: 0\n", "does not belong here");
	refuse(text, "PR_REG_END: 1\n", "", "its end is missing");
	refuse(text, "PR_REG_START: 0\n", "", "line 1");
	refuse(text, "PR_REG_START: 0\n", "No Registrations or Reservations\n",
		"no registrations and more");
	refuse(text, "PR_REG_START: 0\n", "tpgt=1\nPR_REG_START: 0\n", "line 1");
	/* The same nexus twice, in whatever case. */
	refuse(twice, "PR_REG_START: x", "PR_REG_START: 1", "is registered twice");
	assert_int_equal(aptpl_parse("", 0, &s, &foreign, &err), -EINVAL);
	assert_non_null(strstr(err.text, "does not belong here"));
	assert_int_equal(aptpl_parse("\0\0\0", 3, &s, &foreign, &err), -EINVAL);
	assert_int_equal(
		aptpl_parse(BLOCK_A "\0" BLOCK_B, sizeof(text), &s, &foreign, &err), -EINVAL);
	assert_string_equal(err.text, "it is not text");
}

/* Every beginning of a file is found to be torn, but where it ends with a registration. */
static void torn(void **state)
{
	static const char text[] = BLOCK_A BLOCK_B;
	struct pr_state *s = NULL;
	unsigned foreign;

	for (size_t n = 0; n < sizeof(text) - 1; n++) {
		int r = aptpl_parse(text, n, &s, &foreign, NULL);

		/* The last line end is not needed. */
		if (n == strlen(BLOCK_A) || n == strlen(BLOCK_A) - 1 || n == sizeof(text) - 2) {
			assert_int_equal(r, 0);
			pr_state_free(s);
		} else if (r != -EINVAL) {
			fail_msg("%zu bytes are taken", n);
		}
	}
}

static void other_fabrics(void **state)
{
	static const char text[] =
		"PR_REG_START: "
		"0\ninitiator_fabric=qla2xxx\ninitiator_node=21:00:00:24:ff:31:4c:48\n"
		"sa_res_key=1\nres_holder=1\nres_type=01\nres_scope=00\nres_all_tg_pt=0\n"
		"mapped_lun=0\ntarget_fabric=qla2xxx\ntarget_node=21:00:00:24:ff:31:4c:49\ntpgt=1\n"
		"port_rtpi=1\ntarget_lun=0\nPR_REG_END: 0\n" BLOCK_B;
	struct strbuf b;
	struct pr_state *s;
	unsigned foreign;

	assert_int_equal(aptpl_parse(text, sizeof(text), &s, &foreign, NULL), 0);
	assert_int_equal(foreign, 1);
	assert_int_equal(s->n, 1);
	assert_int_equal(s->type, RESERVATION_NONE);
	assert_string_equal(s->r[0]->nexus.initiator, B);
	pr_state_free(s);
	/* What all registrants hold the other one holds. */
	strbuf_init(&b);
	strbuf_write(&b, text, sizeof(text));
	strstr(b.s, "res_type=01")[10] = '7';
	assert_int_equal(aptpl_parse(b.s, b.len, &s, &foreign, NULL), 0);
	assert_int_equal(s->n, 1);
	assert_int_equal(s->type, RESERVATION_WRITE_EXCLUSIVE_AR);
	assert_true(s->r[0]->holder);
	pr_state_free(s);
	strbuf_done(&b);
}

/* What the format has no form for is not written in another one. */
static void names_that_do_not_fit(void **state)
{
	static const struct pr_nexus names[] = {
		{ A, A, "a b", 1, 1 },
		{ A, A, "a,b", 1, 1 },
		{ A, A, "a\nb", 1, 1 },
		{ A, A, "a=b", 1, 1 },
		{ A, A, "a\xff", 1, 1 },
		{ "a=b", "a=b", T, 1, 1 },
		{ A, B, T, 1, 1 },
		{ A, A "x", T, 1, 1 },
		{ A, A "x,i,0x00023d000001", T, 1, 1 },
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		struct pr_registration r = { .nexus = names[i], .key = 1 };
		struct pr_state *s = pr_state_new();
		struct strbuf b;

		strbuf_init(&b);
		assert_int_equal(pr_state_add(s, &r), 0);
		if (aptpl_format(s, false, &b) != -EINVAL)
			fail_msg("name %zu was written:\n%s", i, b.s);
		strbuf_done(&b);
		pr_state_free(s);
	}
}

static int one(const char *text, struct pr_state **ret, const char *why)
{
	struct errmsg err = { 0 };
	int r = aptpl_parse_one(text, ret, &err);

	if (why && (!r || !strstr(err.text, why)))
		fail_msg("%s: %d %s", text, r, err.text);
	return r;
}

static void metadata(void **state)
{
	struct pr_state *s = NULL;

	/* As rtslib feeds it: the words of the file, split at blanks, with the lone numbers. */
	assert_int_equal(
		one("0,initiator_fabric=iSCSI,initiator_node=" A
		    ",initiator_sid=00023D000001,sa_res_key=1311768467463790320,"
		    "res_holder=1,res_type=05,res_scope=00,res_all_tg_pt=0,mapped_lun=3,"
		    "target_fabric=iSCSI,target_node=" T ",tpgt=1,port_rtpi=2,target_lun=7,0",
			&s, NULL),
		0);
	assert_int_equal(s->n, 1);
	assert_string_equal(s->r[0]->nexus.initiator_port, A ",i,0x00023d000001");
	assert_true(s->r[0]->key == 0x123456789abcdef0);
	assert_true(s->aptpl && s->r[0]->holder);
	assert_int_equal(s->type, RESERVATION_WRITE_EXCLUSIVE_RO);
	pr_state_free(s);
	assert_int_equal(one("initiator_node=" A "\nsa_res_key=0x10\ntarget_node=" T "\n"
			     "unheard_of=1",
				 &s, NULL),
		0);
	assert_true(s->r[0]->key == 16);
	assert_int_equal(s->type, RESERVATION_NONE);
	pr_state_free(s);
	one("", &s, "initiator_node= is missing");
	one("initiator_node=" A ",sa_res_key=1", &s, "target_node= is missing");
	one("initiator_node=" A ",target_node=" T, &s, "sa_res_key= is missing");
	one("initiator_node=" A ",target_node=" T ",sa_res_key=0", &s, "sa_res_key=0");
	one("initiator_node=" A ",target_node=" T ",sa_res_key=1,res_holder=1", &s, "type");
	one("initiator_node=" A ",target_node=" T ",sa_res_key=1,target_fabric=srpt", &s, "iSCSI");
	one("initiator_node=" A ",target_node=" T ",sa_res_key=1,tpgt=70000", &s, "tpgt=70000");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_ways),
		cmocka_unit_test(nothing),
		cmocka_unit_test(all_registrants),
		cmocka_unit_test(damaged),
		cmocka_unit_test(torn),
		cmocka_unit_test(other_fabrics),
		cmocka_unit_test(names_that_do_not_fit),
		cmocka_unit_test(metadata),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
