/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * check.c: --check: a configuration is read, its structure checked, and then it is carried out on a
 * daemon that is complete but for the world: sockets are the simulator's and no disk is opened. So
 * what a value is judged by is the very code that will use it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "daemon/daemon.h"

/* Disks are not opened; whether they are there is worth a note. */
static int not_opened(void *arg, struct node *disk, int error, struct errmsg *err)
{
	struct daemon *d = arg;
	struct strbuf path;
	int r;

	if (error != -ENOTSUP)
		return error; /* wrong before there is anything to open */
	strbuf_init(&path);
	r = tree_get(d->tree, disk, "udev_path", &path, NULL);
	if (!r && path.len && access(path.s, F_OK))
		errmsg_set(err, -ENOENT, "%s: %s", path.s, err_text(-errno));
	else
		r = 1; /* nothing to tell */
	strbuf_done(&path);
	return storage_set_pending(disk, err) ? -ENOMEM : r;
}

/* A daemon of the simulator, with a place in its files for what is kept where there will be one. */
static int up(struct daemon *d, struct errmsg *err)
{
	int r = daemon_up(d, DAEMON_CHECK, err);

	if (!r && (!d->o->dbroot || strcmp(d->o->dbroot, "none") != 0))
		r = engine_set_dbroot(d->eng, "/kept", err);
	return r;
}

static int carry_out(
	struct daemon *d, const json_t *config, const json_t *extras, struct problems *p)
{
	const struct saveapply_hooks hooks = { .disk_pending = not_opened, .arg = d };

	return saveapply(d->tree, config, extras, 0, &hooks, p, NULL);
}

int daemon_rehearse(void *arg, const json_t *config, const json_t *extras, struct problems *p,
	struct errmsg *err)
{
	const struct daemon *real = arg;
	struct daemon d = { .o = real->o, .sigfd = -1 };
	/* Nothing of the real one is looked at: others may have its tree. */
	bool stepped = loops_step_aside(real->loops);
	int r = up(&d, err);

	if (!r)
		r = carry_out(&d, config, extras, p);
	daemon_down(&d);
	loops_step_back(real->loops, stepped);
	return r;
}

int daemon_check(struct daemon *d)
{
	struct problems p;
	struct errmsg err = { 0 };
	struct strbuf out;
	json_t *config = NULL;
	int r = up(d, &err);

	problems_init(&p);
	strbuf_init(&out);
	if (r)
		fprintf(stderr, "uliod: %s\n", err.text);
	if (!r)
		r = saveconfig_check(d->o->config, &p, &config);
	if (!r)
		r = carry_out(d, config, NULL, &p);
	json_decref(config);
	problems_print(&p, &out);
	fputs(out.s, stdout);
	if (!r && !p.counts[PROBLEM_SKIPPED] && !p.counts[PROBLEM_ERROR])
		printf("%s: good\n", d->o->config);
	r = r || p.counts[PROBLEM_SKIPPED] || p.counts[PROBLEM_ERROR];
	strbuf_done(&out);
	problems_done(&p);
	daemon_down(d);
	return r ? 1 : 0;
}

int daemon_print_schema(struct daemon *d)
{
	struct errmsg err = { 0 };
	int r = daemon_up(d, DAEMON_CHECK, &err);
	json_t *schema = r ? NULL : control_schema(d->control);

	if (r)
		fprintf(stderr, "uliod: %s\n", err.text);
	else if (!schema || json_dumpf(schema, stdout, JSON_INDENT(1)))
		r = -ENOMEM;
	else
		printf("\n");
	json_decref(schema);
	daemon_down(d);
	return r ? 1 : 0;
}
