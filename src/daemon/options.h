/* SPDX-License-Identifier: BSD-3-Clause */
/* options.h: the command line of uliod, from one table that also prints --help. */
#ifndef ULIO_DAEMON_OPTIONS_H
#define ULIO_DAEMON_OPTIONS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/err.h"

enum { OPTIONS_LIST_MAX = 1024 }; /* --disk, --listen, --allow … each */

struct option_list {
	unsigned n;
	const char *v[OPTIONS_LIST_MAX];
};

struct options {
	const char *config; /* saveconfig.json */
	struct option_list disks, listen, advertise, allow, chap, plugins;
	const char *target; /* iqn; NULL: made from the host's name */
	const char *control; /* path of the socket, "none"; NULL: the default */
	const char *control_ro; /* path of a socket that can only read; NULL: there is none */
	const char *state; /* directory; NULL: the default */
	const char *dbroot; /* directory, "none"; NULL: the default */
	const char *user; /* to become */
	const char *run; /* captive command */
	const char *mount; /* directory; NULL: nowhere */
	uint32_t loops; /* 0: one per CPU */
	const char *loop; /* "auto", "uring", "epoll" */
	const char *log_level;
	uint32_t memory_mb; /* quota of pool pages, 0: by memory size */
	bool check, autosave, demo, pin, dump_attributes, dump_schema, version, help;
};

/*
 * Parse argv. 0; -EINVAL with *err (a wrong option, a combination that makes no sense). What is
 * pointed to is argv.
 */
int options_parse(int argc, char **argv, struct options *o, struct errmsg *err);
/* Append the text of --help. */
struct strbuf;
void options_help(struct strbuf *out);

#endif
