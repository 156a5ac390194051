/* SPDX-License-Identifier: BSD-3-Clause */
/* options.c: the command line of uliod. */
#include "daemon/options.h"

#include <errno.h>
#include <getopt.h>
#include <string.h>
#include <ulio/control.h>

#include "base/num.h"
#include "base/strbuf.h"

/* O_PLACE: a text that may be left out; words[0] is meant then. */
enum option_type { O_TEXT, O_LIST, O_FLAG, O_NUMBER, O_WORD, O_PLACE };

static const char *const loop_words[] = { "auto", "uring", "epoll", NULL };
static const char *const mount_words[] = { ULIO_MOUNT_DEFAULT, NULL };
static const char *const level_words[] = { "error", "warn", "info", "debug", NULL };

static const struct row {
	const char *name, *arg;
	enum option_type type;
	size_t offset;
	const char *doc;
	const char *const *words; /* O_WORD */
	uint32_t max; /* O_NUMBER */
} rows[] = {
	{ "config", "FILE", O_TEXT, offsetof(struct options, config),
		"serve what FILE says, a saveconfig.json as LIO's tools write it" },
	{ "check", NULL, O_FLAG, offsetof(struct options, check),
		"check --config FILE, tell what is wrong with it, and end" },
	{ "disk", "SPEC", O_LIST, offsetof(struct options, disks),
		"serve a disk: file:/path,size=10G, ram:1G, null:1T, with filters in front: "
		"delay:ms=5|file:/path; repeated: LUN 0, 1, …" },
	{ "listen", "ADDRESS:PORT", O_LIST, offsetof(struct options, listen),
		"where to be reached, [::1]:3260 for IPv6; default 127.0.0.1:3260" },
	{ "advertise", "ADDRESS:PORT", O_LIST, offsetof(struct options, advertise),
		"what initiators are told instead of the --listen of the same place (behind NAT)" },
	{ "target", "IQN", O_TEXT, offsetof(struct options, target),
		"name of the target that has the --disk LUNs; default: from the host's name" },
	{ "allow", "IQN|any", O_LIST, offsetof(struct options, allow),
		"let this initiator, or any, use the disks; without it and --chap nobody may" },
	{ "chap", "USER:FILE", O_LIST, offsetof(struct options, chap),
		"initiators must know the secret that is in FILE (12 to 255 bytes, its first "
		"line), or is systemd's credential:NAME; repeated: any of these accounts" },
	{ "demo", NULL, O_FLAG, offsetof(struct options, demo),
		"serve a thin file disk and a RAM disk on 127.0.0.1 and say how to use them" },
	{ "run", "COMMAND", O_TEXT, offsetof(struct options, run),
		"run a shell command with $ULIO_URL and $ULIO_CONTROL, end with its status" },
	{ "autosave", NULL, O_FLAG, offsetof(struct options, autosave),
		"save what changes to the file of --config, at most once a second" },
	{ "control", "PATH|none", O_TEXT, offsetof(struct options, control),
		"the control socket; default /run/uliod.sock, of others than root in "
		"$XDG_RUNTIME_DIR" },
	{ "control-ro", "PATH", O_TEXT, offsetof(struct options, control_ro),
		"a second socket, for everybody who can reach it, that changes nothing and shows "
		"no secret" },
	{ "state", "DIRECTORY", O_TEXT, offsetof(struct options, state),
		"for what the daemon keeps; default /var/lib/ulio, of others than root in "
		"$XDG_STATE_HOME" },
	{ "dbroot", "DIRECTORY|none", O_TEXT, offsetof(struct options, dbroot),
		"for the reservations that initiators want to outlive a restart; default: where "
		"LIO keeps them, else the state directory" },
	{ "mount", "DIRECTORY", O_PLACE, offsetof(struct options, mount),
		"show the tree to all in DIRECTORY/target, for targetcli and its kin; default: "
		"where LIO has it, " ULIO_MOUNT_DEFAULT,
		.words = mount_words },
	{ "plugin", "PATH", O_LIST, offsetof(struct options, plugins), "load a backstore" },
	{ "user", "NAME", O_TEXT, offsetof(struct options, user),
		"become this user when disks and sockets are open" },
	{ "loops", "N", O_NUMBER, offsetof(struct options, loops),
		"I/O threads; default: one for each CPU that may be used", .max = 1024 },
	{ "loop", "KIND", O_WORD, offsetof(struct options, loop),
		"auto, uring or epoll; auto takes io_uring where the system permits it",
		.words = loop_words },
	{ "pin", NULL, O_FLAG, offsetof(struct options, pin), "bind each I/O thread to a CPU" },
	{ "memory", "MIB", O_NUMBER, offsetof(struct options, memory_mb),
		"most memory for RAM disks and data; default: half of all", .max = 1 << 24 },
	{ "log-level", "LEVEL", O_WORD, offsetof(struct options, log_level),
		"error, warn, info or debug; default info", .words = level_words },
	{ "dump-attributes", NULL, O_FLAG, offsetof(struct options, dump_attributes),
		"print a manual of all attributes, in Markdown, and end" },
	{ "dump-schema", NULL, O_FLAG, offsetof(struct options, dump_schema),
		"print the protocol of the control socket as a JSON Schema, and end" },
	{ "foreground", NULL, O_FLAG, SIZE_MAX, "the only way it runs; accepted for units" },
	{ "version", NULL, O_FLAG, offsetof(struct options, version), "print the version" },
	{ "help", NULL, O_FLAG, offsetof(struct options, help), "print this" },
};

enum { NROWS = sizeof(rows) / sizeof(rows[0]) };

static int take_number(const struct row *row, const char *arg, uint32_t *at, struct errmsg *err)
{
	if (num_parse_u32(arg, 0, row->max, at))
		return errmsg_set(err, -EINVAL, "--%s %s: a number from 0 to %u is meant",
			row->name, arg, row->max);
	return 0;
}

static int take_word(const struct row *row, const char *arg, const char **at, struct errmsg *err)
{
	struct strbuf all;

	strbuf_init(&all);
	for (const char *const *w = row->words; *w; w++) {
		if (!strcmp(*w, arg)) {
			*at = *w;
			strbuf_done(&all);
			return 0;
		}
		strbuf_printf(&all, "%s%s", all.len ? ", " : "", *w);
	}
	errmsg_set(err, -EINVAL, "--%s %s: is none of %s", row->name, arg, all.s);
	strbuf_done(&all);
	return -EINVAL;
}

static int take(const struct row *row, const char *arg, struct options *o, struct errmsg *err)
{
	void *at = (char *)o + row->offset;
	struct option_list *list = at;

	if (row->offset == SIZE_MAX)
		return 0;
	if (row->type == O_FLAG)
		*(bool *)at = true;
	else if (row->type == O_PLACE)
		*(const char **)at = arg ? arg : row->words[0];
	else if (row->type == O_TEXT)
		*(const char **)at = arg;
	else if (row->type == O_NUMBER)
		return take_number(row, arg, at, err);
	else if (row->type == O_WORD)
		return take_word(row, arg, at, err);
	else if (list->n == OPTIONS_LIST_MAX)
		return errmsg_set(
			err, -EINVAL, "--%s: at most %d are possible", row->name, OPTIONS_LIST_MAX);
	else
		list->v[list->n++] = arg;
	return 0;
}

static int wants_arg(const struct row *row)
{
	if (row->type == O_PLACE)
		return optional_argument;
	return row->arg ? required_argument : no_argument;
}

static int check(const struct options *o, struct errmsg *err)
{
	bool quick = o->disks.n || o->demo;

	if (o->check && !o->config)
		return errmsg_set(err, -EINVAL, "--check: --config FILE says what to check");
	if (o->autosave && !o->config)
		return errmsg_set(err, -EINVAL, "--autosave: --config FILE says where to save");
	if (o->config && quick)
		return errmsg_set(err, -EINVAL,
			"--config and --%s: a file or flags, not both at once; \"ulio disk add\" "
			"adds "
			"to what a file says",
			o->demo ? "demo" : "disk");
	if (o->demo && (o->disks.n || o->run))
		return errmsg_set(err, -EINVAL, "--demo has its own disks and no command");
	if (!quick && (o->listen.n || o->advertise.n || o->allow.n || o->chap.n || o->target))
		return errmsg_set(err, -EINVAL,
			"--listen, --advertise, --allow, --chap and --target belong to "
			"--disk%s%s%s",
			o->config ? "; those of --config " : "", o->config ? o->config : "",
			o->config ? " are in that file" : "");
	if (o->advertise.n > (o->listen.n ? o->listen.n : 1))
		return errmsg_set(
			err, -EINVAL, "--advertise: there are more of them than --listen");
	if (o->run && !o->disks.n)
		return errmsg_set(
			err, -EINVAL, "--run: --disk SPEC says what the command is to use");
	return 0;
}

int options_parse(int argc, char **argv, struct options *o, struct errmsg *err)
{
	struct option longs[NROWS + 1] = { 0 };
	int c, place = 0, r = 0;

	*o = (struct options){ .loop = "auto", .log_level = "info" };
	for (int i = 0; i < NROWS; i++)
		longs[i] = (struct option){ rows[i].name, wants_arg(&rows[i]), NULL, 1 };
	optind = 0; /* from the beginning, whatever was parsed before */
	opterr = 0;
	while (!r && (c = getopt_long(argc, argv, ":", longs, &place)) != -1) {
		if (c == 1)
			r = take(&rows[place], optarg, o, err);
		else
			r = errmsg_set(err, -EINVAL,
				c == ':' ? "%s: needs a value" : "%s: there is no such option",
				argv[optind - 1]);
	}
	if (!r && optind < argc)
		r = errmsg_set(err, -EINVAL, "%s: is no option; a disk is --disk %s", argv[optind],
			argv[optind]);
	if (r || o->help || o->version || o->dump_attributes)
		return r;
	return check(o, err);
}

/* Words of text from column at on, in lines that end before 80. */
static void wrap(struct strbuf *out, const char *text, unsigned at)
{
	unsigned column = at;

	while (*text) {
		unsigned n = (unsigned)strcspn(text, " ");

		if (column > at && column + 1 + n > 79) {
			strbuf_printf(out, "\n%*s", (int)at, "");
			column = at;
		} else if (column > at) {
			strbuf_putc(out, ' ');
			column++;
		}
		strbuf_write(out, text, n);
		column += n;
		text += n;
		text += strspn(text, " ");
	}
	strbuf_putc(out, '\n');
}

void options_help(struct strbuf *out)
{
	strbuf_puts(out, "Usage: uliod --config FILE | --disk SPEC… --allow IQN|any | --demo\n"
			 "Export disks over iSCSI. Ends with SIGTERM or Ctrl-C.\n\n");
	for (int i = 0; i < NROWS; i++) {
		size_t start = out->len;

		if (rows[i].type == O_PLACE)
			strbuf_printf(out, "  --%s[=%s]", rows[i].name, rows[i].arg);
		else
			strbuf_printf(out, "  --%s%s%s", rows[i].name, rows[i].arg ? " " : "",
				rows[i].arg ? rows[i].arg : "");
		if (out->len - start < 26)
			strbuf_printf(out, "%*s", (int)(26 - (out->len - start)), "");
		else
			strbuf_printf(out, "\n%26s", "");
		wrap(out, rows[i].doc, 26);
	}
	strbuf_puts(out, "\nSee uliod(8), ulio(8), saveconfig(5).\n");
}
