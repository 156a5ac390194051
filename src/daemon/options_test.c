/* SPDX-License-Identifier: BSD-3-Clause */
/* options_test.c: the command line: what is taken, and in which words the rest is refused. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>
#include <cmocka.h>

#include "base/strbuf.h"
#include "daemon/options.h"

static struct options o;

/* Parse a line of words; 0 or the error's text must be want. */
static void parse(const char *line, const char *want)
{
	static char copy[1024];
	char *argv[64] = { (char *)"uliod" }, *save = NULL;
	struct errmsg err = { 0 };
	int argc = 1, r;

	strcpy(copy, line);
	for (char *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		argv[argc++] = w;
	r = options_parse(argc, argv, &o, &err);
	if (!want && r)
		fail_msg("%s: %s", line, err.text);
	if (want && !r)
		fail_msg("%s: taken", line);
	if (want) {
		assert_int_equal(r, -EINVAL);
		if (!strstr(err.text, want))
			fail_msg("%s: got \"%s\"", line, err.text);
	}
}

static void taken(void **state)
{
	parse("--disk ram:1G --disk=file:/a,size=1G --listen 127.0.0.1:3261 --advertise 10.0.0.1 "
	      "--allow any --chap u:f --loops 2 --loop epoll --pin --log-level debug --control "
	      "none "
	      "--state /s --dbroot none --target iqn.x --plugin /p.so --user nobody --memory 64 "
	      "--foreground",
		NULL);
	assert_int_equal(o.disks.n, 2);
	assert_string_equal(o.disks.v[1], "file:/a,size=1G");
	assert_string_equal(o.listen.v[0], "127.0.0.1:3261");
	assert_string_equal(o.advertise.v[0], "10.0.0.1");
	assert_string_equal(o.allow.v[0], "any");
	assert_string_equal(o.chap.v[0], "u:f");
	assert_string_equal(o.loop, "epoll");
	assert_string_equal(o.log_level, "debug");
	assert_string_equal(o.control, "none");
	assert_string_equal(o.state, "/s");
	assert_string_equal(o.dbroot, "none");
	assert_string_equal(o.target, "iqn.x");
	assert_string_equal(o.plugins.v[0], "/p.so");
	assert_string_equal(o.user, "nobody");
	assert_int_equal(o.loops, 2);
	assert_int_equal(o.memory_mb, 64);
	assert_true(o.pin);
	parse("--config /c --check", NULL);
	assert_true(o.check);
	assert_int_equal(o.disks.n, 0);
	assert_string_equal(o.loop, "auto");
	parse("--help --disk", "--disk: needs a value");
	parse("--version", NULL);
	parse("--demo --listen 127.0.0.1:3261", NULL);
	parse("--disk ram:1G --run true", NULL);
}

static void refused(void **state)
{
	parse("--dikc x", "--dikc: there is no such option");
	parse("-d", "-d: there is no such option");
	parse("file:/a", "file:/a: is no option; a disk is --disk file:/a");
	parse("--loops -1", "--loops -1: a number from 0 to 1024 is meant");
	parse("--loops 1025", "from 0 to 1024");
	parse("--loops 2x", "a number");
	parse("--loop poll", "--loop poll: is none of auto, uring, epoll");
	parse("--log-level loud", "is none of error, warn, info, debug");
	parse("--check", "--config FILE says what to check");
	parse("--config /c --disk ram:1G", "a file or flags, not both");
	parse("--demo --disk ram:1G", "--demo has its own disks");
	parse("--config /c --allow any", "belong to --disk; those of --config /c are in that file");
	parse("--allow any", "belong to --disk");
	parse("--run true", "--disk SPEC says");
	parse("--disk ram:1G --advertise a --advertise b", "more of them than --listen");
}

/* Every option is in the help, no line is longer than a terminal. */
static void help(void **state)
{
	struct strbuf b;

	strbuf_init(&b);
	options_help(&b);
	assert_non_null(strstr(b.s, "  --disk SPEC "));
	assert_non_null(strstr(b.s, "  --log-level LEVEL "));
	for (const char *p = b.s; *p;) {
		size_t n = strcspn(p, "\n");

		if (n > 82) /* three dots of UTF-8 have bytes to spare */
			fail_msg("%.*s", (int)n, p);
		p += n;
		p += *p == '\n';
	}
	strbuf_done(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(taken),
		cmocka_unit_test(refused),
		cmocka_unit_test(help),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
