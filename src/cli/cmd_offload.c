/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_offload.c: ulio check-offload: what of this machine makes the daemon quick, and what to
 * change where something is missing.
 */
#include <dirent.h>
#include <errno.h>
#include <linux/ethtool.h>
#include <linux/io_uring.h>
#include <linux/sockios.h>
#include <net/if.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/render.h"

enum { TEXT = 256, FILES_WANTED = 65536, FAST_MBIT = 10000, JUMBO = 9000 };

enum verdict { GOOD, FAIR, POOR };

struct report {
	json_t *rows;
};

/* A line of the report. cure: what to do; NULL: nothing. */
static void add(struct report *r, enum verdict v, const char *what, const char *cure,
	const char *fmt, ...) __attribute__((format(printf, 5, 6)));

static void add(
	struct report *r, enum verdict v, const char *what, const char *cure, const char *fmt, ...)
{
	static const char *const words[] = { "good", "fair", "poor" };
	char text[TEXT];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	json_array_append_new(r->rows, json_pack("{s:s, s:s, s:s, s:s*}", "what", what, "verdict",
					       words[v], "found", text, "cure", cure));
}

/* The first line of a file, "" if it cannot be read. */
static const char *line_of(char buf[TEXT], const char *path)
{
	FILE *f = fopen(path, "re");

	if (!f || !fgets(buf, TEXT, f))
		buf[0] = '\0';
	buf[strcspn(buf, "\n")] = '\0';
	if (f)
		fclose(f);
	return buf;
}

/* ---- io_uring -------------------------------------------------------------------------------- */

static void check_uring(struct report *r)
{
	struct io_uring_params p = { 0 };
	int fd = (int)syscall(SYS_io_uring_setup, 8, &p);
	char buf[TEXT];

	if (fd < 0 && errno == ENOSYS) {
		add(r, POOR, "io_uring", "a kernel from 5.19 on, with CONFIG_IO_URING",
			"the kernel lacks it: the daemon uses epoll and threads");
		return;
	}
	if (fd < 0) {
		line_of(buf, "/proc/sys/kernel/io_uring_disabled");
		add(r, POOR, "io_uring",
			*buf && *buf != '0' ? "sysctl kernel.io_uring_disabled=0"
					    : "permit io_uring in the container's seccomp profile",
			"refused (%s): the daemon uses epoll and threads", strerror(errno));
		return;
	}
	if (p.features & IORING_FEAT_NODROP && p.features & IORING_FEAT_FAST_POLL &&
		p.features & IORING_FEAT_EXT_ARG)
		add(r, GOOD, "io_uring", NULL, "usable, features %#x", p.features);
	else
		add(r, FAIR, "io_uring", "a kernel from 5.19 on", "usable, but old: features %#x",
			p.features);
	close(fd);
}

/* ---- limits, processor, memory --------------------------------------------------------------- */

static void check_limits(struct report *r)
{
	struct rlimit lim;

	if (!getrlimit(RLIMIT_MEMLOCK, &lim)) {
		if (lim.rlim_max == RLIM_INFINITY)
			add(r, GOOD, "locked memory", NULL, "no limit");
		else
			add(r, lim.rlim_max >= 64 << 20 ? GOOD : FAIR, "locked memory",
				lim.rlim_max >= 64 << 20 ? NULL
							 : "LimitMEMLOCK=infinity in the service, "
							   "ulimit -l unlimited",
				"at most %llu KiB", (unsigned long long)lim.rlim_max >> 10);
	}
	if (!getrlimit(RLIMIT_NOFILE, &lim))
		add(r, lim.rlim_max >= FILES_WANTED ? GOOD : FAIR, "open files",
			lim.rlim_max >= FILES_WANTED ? NULL : "LimitNOFILE=1048576 in the service",
			"at most %llu", (unsigned long long)lim.rlim_max);
}

static void check_cpu(struct report *r)
{
	char *line = NULL, found[TEXT] = "";
	FILE *f = fopen("/proc/cpuinfo", "re");
	size_t cap = 0;
	cpu_set_t set;
	bool crc = false, fold = false;

	while (f && getline(&line, &cap, f) > 0) {
		if (strncmp(line, "flags", 5) != 0 && strncmp(line, "Features", 8) != 0)
			continue;
		crc = crc || strstr(line, " sse4_2") || strstr(line, " crc32");
		fold = fold || strstr(line, " pclmulqdq") || strstr(line, " pmull");
		if (strstr(line, " vpclmulqdq"))
			snprintf(found, sizeof(found), ", 512 bits at once");
	}
	free(line);
	if (f)
		fclose(f);
	if (crc && fold)
		add(r, GOOD, "CRC32C", NULL, "the processor computes digests%s", found);
	else
		add(r, POOR, "CRC32C", "HeaderDigest=None DataDigest=None, or another processor",
			"%s", crc ? "by its instruction alone" : "in software: digests are slow");
	if (!sched_getaffinity(0, sizeof(set), &set))
		add(r, GOOD, "processors", NULL, "%d may be used, an I/O loop each",
			CPU_COUNT(&set));
}

static void check_memory(struct report *r)
{
	char buf[TEXT];

	line_of(buf, "/sys/kernel/mm/transparent_hugepage/enabled");
	if (strstr(buf, "[never]"))
		add(r, FAIR, "huge pages",
			"echo madvise >/sys/kernel/mm/transparent_hugepage/enabled", "never");
	else
		add(r, GOOD, "huge pages", NULL, "%s", *buf ? buf : "not told");
}

/* ---- network --------------------------------------------------------------------------------- */

/* A feature of an interface, -1: it cannot be asked. */
static int ethtool(int fd, const char *name, unsigned cmd)
{
	struct ethtool_value v = { .cmd = cmd };
	struct ifreq ifr = { 0 };

	snprintf(ifr.ifr_name, sizeof(ifr.ifr_name), "%.15s", name);
	ifr.ifr_data = (void *)&v;
	return ioctl(fd, SIOCETHTOOL, &ifr) ? -1 : v.data != 0;
}

static long figure_of(const char *name, const char *file)
{
	char path[TEXT], buf[TEXT];

	snprintf(path, sizeof(path), "/sys/class/net/%.32s/%s", name, file);
	return strtol(line_of(buf, path), NULL, 10);
}

static void check_nic(struct report *r, int fd, const char *name)
{
	static const struct {
		const char *word, *option;
		unsigned cmd;
	} features[] = { { "tx checksum", "tx", ETHTOOL_GTXCSUM },
		{ "rx checksum", "rx", ETHTOOL_GRXCSUM }, { "scatter-gather", "sg", ETHTOOL_GSG },
		{ "TSO", "tso", ETHTOOL_GTSO }, { "GRO", "gro", ETHTOOL_GGRO } };
	char missing[TEXT] = "", untold[TEXT] = "", cure[TEXT], what[64];
	long speed = figure_of(name, "speed"), mtu = figure_of(name, "mtu");
	size_t n = 0, u = 0, c = (size_t)snprintf(cure, sizeof(cure), "ethtool -K %s", name);

	snprintf(what, sizeof(what), "network %.32s", name);
	for (size_t i = 0; i < sizeof(features) / sizeof(features[0]); i++) {
		int on = ethtool(fd, name, features[i].cmd);

		if (on < 0)
			u += (size_t)snprintf(untold + u, sizeof(untold) - u, "%s%s", u ? ", " : "",
				features[i].word);
		if (on)
			continue;
		n += (size_t)snprintf(
			missing + n, sizeof(missing) - n, "%s%s", n ? ", " : "", features[i].word);
		c += (size_t)snprintf(cure + c, sizeof(cure) - c, " %s on", features[i].option);
	}
	if (n)
		add(r, FAIR, what, cure, "without %s", missing);
	else if (u)
		add(r, FAIR, what, "see its driver's documentation", "does not tell of %s", untold);
	else if (speed >= FAST_MBIT && mtu < JUMBO)
		add(r, FAIR, what, "an MTU of 9000 here, in the switches and at the initiators",
			"%ld Mbit/s, all offloads, but an MTU of %ld", speed, mtu);
	else
		add(r, GOOD, what, NULL, "all offloads%s, MTU %ld", speed > 0 ? "" : " (virtual)",
			mtu);
}

static void check_network(struct report *r)
{
	int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);
	DIR *d = opendir("/sys/class/net");
	struct dirent *e;

	while (fd >= 0 && d && (e = readdir(d))) {
		char path[TEXT], buf[TEXT];

		snprintf(path, sizeof(path), "/sys/class/net/%.32s/operstate", e->d_name);
		if (e->d_name[0] == '.' || !strcmp(e->d_name, "lo") ||
			strcmp(line_of(buf, path), "up") != 0)
			continue;
		check_nic(r, fd, e->d_name);
	}
	if (d)
		closedir(d);
	if (fd >= 0)
		close(fd);
}

/* ---- the report ------------------------------------------------------------------------------ */

/* What the daemon made of it, if one runs. */
static void check_daemon(struct report *r, struct cli *cli)
{
	struct errmsg err;
	json_t *status = cli_call(cli, "status", NULL, &err);
	const char *loops = json_string_value(json_object_get(status, "loops"));

	if (loops)
		add(r, strstr(loops, "io_uring") ? GOOD : FAIR, "daemon",
			strstr(loops, "io_uring") ? NULL : "see io_uring, then start it anew", "%s",
			loops);
	json_decref(status);
}

static size_t count(const json_t *rows, const char *verdict)
{
	json_t *row;
	size_t i, n = 0;

	json_array_foreach (rows, i, row)
		n += !strcmp(json_string_value(json_object_get(row, "verdict")), verdict);
	return n;
}

static void print_report(const json_t *rows)
{
	static const struct column columns[] = {
		{ "WHAT", "what", COL_TEXT },
		{ "VERDICT", "verdict", COL_TEXT },
		{ "FOUND", "found", COL_TEXT },
		{ NULL },
	};
	size_t fair = count(rows, "fair"), poor = count(rows, "poor"), i;
	struct strbuf b;
	json_t *row;

	table_print(rows, columns, "");
	if (!fair && !poor) {
		printf("\nVerdict: good; nothing of this machine holds the daemon back.\n");
		return;
	}
	printf("\nVerdict: %s; %zu thing%s could be better:\n", poor ? "poor" : "fair", fair + poor,
		fair + poor == 1 ? "" : "s");
	strbuf_init(&b);
	json_array_foreach (rows, i, row) {
		const char *cure = json_string_value(json_object_get(row, "cure"));

		if (cure)
			strbuf_printf(&b, "  %s: %s\n",
				json_string_value(json_object_get(row, "what")), cure);
	}
	fputs(b.s, stdout);
	strbuf_done(&b);
}

static int check_offload(struct cli *cli, json_t *none)
{
	struct report r = { json_array() };
	struct utsname u;
	json_t *out;

	if (!uname(&u))
		add(&r, GOOD, "kernel", NULL, "%s %s", u.release, u.machine);
	check_uring(&r);
	check_limits(&r);
	check_cpu(&r);
	check_memory(&r);
	check_network(&r);
	check_daemon(&r, cli);
	if (cli->json) {
		out = json_pack("{s:s, s:O}", "verdict",
			count(r.rows, "poor")   ? "poor"
			: count(r.rows, "fair") ? "fair"
						: "good",
			"checks", r.rows);
		cli_print_json(out);
		json_decref(out);
	} else {
		print_report(r.rows);
	}
	json_decref(r.rows);
	return 0;
}

const struct cli_command offload_commands[] = {
	{ "check-offload", NULL, "tell what of this machine makes the daemon quick, and cures",
		NULL, check_offload },
	{ NULL },
};
