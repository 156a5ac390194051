/* SPDX-License-Identifier: BSD-3-Clause */
/* main.c: uliod: options, start, signals, end. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <ulio/control.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"

enum { EXIT_FAILED = 1, EXIT_USAGE = 2 };

/* ---- signals --------------------------------------------------------------------------------- */

static void log_problems(const struct problems *p)
{
	for (unsigned i = 0; i < p->n; i++)
		log_msg(p->list[i].level == PROBLEM_NOTE ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
			"config", "%s: %s: %s", problem_level_name(p->list[i].level),
			p->list[i].path, p->list[i].text);
}

static void reload(struct job *job)
{
	struct daemon *d = container_of(job, struct daemon, reload_job);
	struct problems p;
	struct errmsg err = { 0 };
	struct tree_claim all;

	problems_init(&p);
	tree_claim_all(d->tree, &all);
	if (saveconfig_load(d->save, true, &p, &err)) {
		log_msg(LOG_LEVEL_ERROR, "daemon", "not reloaded: %s", err.text);
	} else {
		log_problems(&p);
		log_msg(LOG_LEVEL_INFO, "daemon", "reloaded");
	}
	problems_done(&p);
	daemon_refresh_secrets(d);
	tree_unclaim(d->tree, &all);
}

static void start_reload(struct daemon *d);

static void reloaded(struct job *job)
{
	struct daemon *d = container_of(job, struct daemon, reload_job);

	d->reloading = false;
	if (d->reload_again)
		start_reload(d);
}

/* A signal that comes while the file is read may be about a newer one. */
static void start_reload(struct daemon *d)
{
	d->reload_again = d->reloading;
	if (d->reloading)
		return;
	d->reload_job = (struct job){ .run = reload, .done = reloaded };
	d->reloading = !jobs_post(d->jobs, &d->reload_job);
	if (!d->reloading)
		log_msg(LOG_LEVEL_ERROR, "daemon", "not reloaded: there is no thread for it");
}

/* The captive command has ended: its status becomes ours. */
static void reap(struct daemon *d)
{
	int status;

	if (d->child <= 0 || waitpid(d->child, &status, WNOHANG) != d->child)
		return;
	d->child = 0;
	d->exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
	poller_stop(d->poller);
}

static void on_signal(void *arg, int fd, short revents)
{
	struct daemon *d = arg;
	struct signalfd_siginfo info;

	while (read(fd, &info, sizeof(info)) == sizeof(info)) {
		if (info.ssi_signo == SIGHUP) {
			start_reload(d);
		} else if (info.ssi_signo == SIGCHLD) {
			reap(d);
		} else {
			log_msg(LOG_LEVEL_INFO, "daemon", "ends: signal %u", info.ssi_signo);
			poller_stop(d->poller);
		}
	}
}

/* Before threads are started, so that all of them have the signals blocked. */
static int take_signals(struct daemon *d, struct errmsg *err)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGCHLD);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &set, NULL))
		return errmsg_set(err, -errno, "signals: %s", err_text(-errno));
	d->sigfd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (d->sigfd < 0)
		return errmsg_set(err, -errno, "signals: %s", err_text(-errno));
	return 0;
}

/* ---- places ---------------------------------------------------------------------------------- */

static int make_state(struct daemon *d, struct errmsg *err)
{
	const char *xdg = getenv("XDG_STATE_HOME"), *home = getenv("HOME");
	char *p;
	int n;

	if (d->o->state)
		n = asprintf(&d->state, "%s", d->o->state);
	else if (geteuid() == 0)
		n = asprintf(&d->state, "/var/lib/ulio");
	else if (xdg && *xdg)
		n = asprintf(&d->state, "%s/ulio", xdg);
	else
		n = asprintf(&d->state, "%s/.local/state/ulio", home && *home ? home : "/tmp");
	if (n < 0)
		return errmsg_set(err, -ENOMEM, "out of memory");
	for (p = d->state + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(d->state, 0755);
		*p = '/';
	}
	if (mkdir(d->state, 0700) && errno != EEXIST)
		return errmsg_set(err, -errno, "--state %s: %s", d->state, err_text(-errno));
	return 0;
}

static int open_control(struct daemon *d, struct errmsg *err)
{
	int r;

	if (d->o->control && !strcmp(d->o->control, "none"))
		return 0;
	if (d->o->control)
		snprintf(d->control_path, sizeof(d->control_path), "%s", d->o->control);
	else if (d->scratch)
		snprintf(d->control_path, sizeof(d->control_path), "%.80s/control", d->scratch);
	else
		ulio_control_default_path(d->control_path, sizeof(d->control_path));
	r = control_sock_new(d->poller, d->control, d->events, d->control_path, CONTROL_SOCK_ADMIN,
		&d->sock, err);
	if (!r)
		control_sock_use(d->sock, d->jobs);
	return r;
}

static int open_control_ro(struct daemon *d, struct errmsg *err)
{
	int r = 0;

	if (d->o->control_ro)
		r = control_sock_new(d->poller, d->control, d->events, d->o->control_ro,
			CONTROL_SOCK_READ_ONLY, &d->sock_ro, err);
	if (d->sock_ro)
		control_sock_use(d->sock_ro, d->jobs);
	return r;
}

/* ---- life ------------------------------------------------------------------------------------ */

static bool dir_of_is_there(const char *file)
{
	char dir[4096];
	char *slash;

	snprintf(dir, sizeof(dir), "%s", file);
	slash = strrchr(dir, '/');
	if (slash)
		*slash = '\0';
	return !slash || slash == dir || !access(dir, F_OK);
}

/* What is to be served: the file's, or the flags'. */
static int load(struct daemon *d, struct errmsg *err)
{
	struct problems p;
	int r;

	if (d->o->disks.n)
		return daemon_quick(d, err);
	if (!d->o->config) {
		log_msg(LOG_LEVEL_INFO, "daemon",
			"serves nothing yet: \"ulio\" adds disks and targets");
		return 0;
	}
	problems_init(&p);
	r = saveconfig_load(d->save, false, &p, err);
	/* A file that is yet to be written is no mistake, a directory that is not there is one. */
	if (r == -ENOENT && dir_of_is_there(d->o->config)) {
		log_msg(LOG_LEVEL_WARN, "daemon", "%s is not there: serves nothing yet",
			d->o->config);
		r = 0;
	}
	log_problems(&p);
	problems_done(&p);
	return r;
}

static int start(struct daemon *d, struct options *o, struct errmsg *err)
{
	int r = privs_prepare(err);

	if (!r)
		r = make_state(d, err);
	if (!r && o->demo)
		r = daemon_demo_options(d, o, err);
	if (!r && o->run)
		r = daemon_captive_options(d, o, err);
	if (!r)
		r = take_signals(d, err);
	if (!r)
		r = daemon_up(d, DAEMON_SERVE, err);
	if (!r)
		r = load(d, err);
	if (!r)
		r = daemon_autosave_start(d, err);
	if (!r)
		r = open_control(d, err);
	if (!r)
		r = open_control_ro(d, err);
	if (!r)
		r = daemon_mount(d, err);
	if (!r && o->user)
		r = privs_drop(o->user, d->state, engine_dbroot(d->eng), d->control_path, err);
	if (!r)
		r = poller_add(d->poller, d->sigfd, POLLIN, on_signal, d);
	if (!r && o->run)
		r = daemon_captive_start(d, err);
	return r;
}

static int serve(struct daemon *d, struct options *o)
{
	struct errmsg err = { 0 };
	int r = start(d, o, &err);

	if (r) {
		log_msg(LOG_LEVEL_ERROR, "daemon", "cannot start: %s",
			err.text[0] ? err.text : err_text(r));
		d->exit_status = EXIT_FAILED;
	} else {
		notify_ready(d);
		if (o->demo)
			daemon_demo_print(d);
		log_msg(LOG_LEVEL_INFO, "daemon", "ready");
		r = poller_run(d->poller);
		if (r)
			d->exit_status = EXIT_FAILED;
		notify_stopping();
	}
	daemon_captive_end(d);
	if (daemon_settle(d))
		daemon_autosave_stop(d, true);
	daemon_down(d);
	daemon_captive_clean(d);
	if (d->sigfd >= 0)
		close(d->sigfd);
	free(d->state);
	return d->exit_status;
}

/* --help, --dump-attributes, or nothing at all. */
static int print_text(const struct options *o)
{
	bool asked = o->help || o->dump_attributes;
	struct strbuf text;

	strbuf_init(&text);
	if (o->dump_attributes)
		daemon_print_attributes(&text);
	else
		options_help(&text);
	fputs(text.s, asked ? stdout : stderr);
	strbuf_done(&text);
	return asked ? 0 : EXIT_USAGE;
}

int main(int argc, char **argv)
{
	static struct options o;
	struct daemon d = { .o = &o, .sigfd = -1, .started_ns = clock_now_ns() };
	struct errmsg err = { 0 };
	enum log_level level = LOG_LEVEL_INFO;

	log_init();
	if (options_parse(argc, argv, &o, &err)) {
		fprintf(stderr, "uliod: %s\nuliod --help lists the options\n", err.text);
		return EXIT_USAGE;
	}
	if (o.version) {
		printf("uliod %s\n", ULIO_VERSION);
		return 0;
	}
	if (o.help || o.dump_attributes || argc == 1)
		return print_text(&o);
	log_level_parse(o.check || o.dump_schema ? "error" : o.log_level, &level);
	log_set_level(level);
	if (o.dump_schema)
		return daemon_print_schema(&d);
	return o.check ? daemon_check(&d) : serve(&d, &o);
}
