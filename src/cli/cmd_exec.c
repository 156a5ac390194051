/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * cmd_exec.c: ulio exec: run a command that steers LIO, so that it steers uliod. It sees the tree
 * where LIO has it; nobody else does, and a LIO of the kernel is not touched.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <ulio/control.h>
#include <unistd.h>

#include "cli/cli.h"
#include "cli/exec_space.h"

enum {
	NOT_EXECUTABLE = 126, /* as a shell says it */
	NOT_FOUND = 127,
	BY_SIGNAL = 128,
};

/* Those that are meant for the command. */
static const int passed_on[] = { SIGTERM, SIGINT, SIGQUIT, SIGHUP, SIGUSR1, SIGUSR2, SIGCONT };

/* What became of the command: its exit status, or our own death by its signal. */
static int end_like(int status)
{
	sigset_t set;
	int sig;

	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	sig = WTERMSIG(status);
	signal(sig, SIG_DFL);
	sigemptyset(&set);
	sigaddset(&set, sig);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	raise(sig);
	return BY_SIGNAL + sig;
}

static void __attribute__((noreturn)) run_command(char **argv, const sigset_t *mask)
{
	int err;

	sigprocmask(SIG_SETMASK, mask, NULL);
	execvp(argv[0], argv);
	err = errno;
	fprintf(stderr, "ulio: %s: %s\n", argv[0], err_text(-err));
	_exit(err == ENOENT ? NOT_FOUND : NOT_EXECUTABLE);
}

/*
 * Pass signals on until the command has ended. What the terminal sends goes to the command by
 * itself. Returns its wait status.
 */
static int watch_command(pid_t pid, int sigfd, int daemon)
{
	struct pollfd fds[] = { { sigfd, POLLIN, 0 }, { daemon, POLLRDHUP, 0 } };
	struct signalfd_siginfo info;
	int status;

	for (;;) {
		if (poll(fds, 2, -1) < 0 && errno != EINTR)
			return waitpid(pid, &status, 0) == pid ? status : 1 << 8;
		if (fds[1].revents) {
			fprintf(stderr, "ulio: the daemon has gone\n");
			exec_space_abandon();
			fds[1].fd = -1;
			fds[1].revents = 0;
		}
		if (!(fds[0].revents & POLLIN) || read(sigfd, &info, sizeof(info)) < 0)
			continue;
		if (info.ssi_signo != SIGCHLD && info.ssi_code <= 0)
			kill(pid, (int)info.ssi_signo);
		if (waitpid(pid, &status, WNOHANG) == pid)
			return status;
	}
}

/* The words of the command, from the parameter; NULL at the end. */
static char **words_of(const json_t *list)
{
	size_t n = json_array_size(list);
	char **argv = calloc(n + 1, sizeof(*argv));

	for (size_t i = 0; argv && i < n; i++)
		argv[i] = (char *)json_string_value(json_array_get(list, i));
	return argv;
}

/* Mount, and have it served by the daemon. */
static int prepare(struct cli *cli, struct exec_space *s, struct errmsg *err)
{
	json_t *result;
	int r = exec_space_enter(s, err);

	if (r)
		return r;
	result = rpc_call_with_fd(cli->rpc, "mount.serve", NULL, s->fuse, err);
	if (!result)
		return -EIO;
	json_decref(result);
	exec_space_services(s);
	setenv(ULIO_CONTROL_ENV, cli->control, 1);
	return 0;
}

static int run_in_space(struct cli *cli, char **argv, struct errmsg *err)
{
	struct exec_space s;
	sigset_t ours, before;
	int sigfd, status = 0, r;
	pid_t pid = -1;

	sigemptyset(&ours);
	sigaddset(&ours, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		sigaddset(&ours, passed_on[i]);
	sigprocmask(SIG_BLOCK, &ours, &before);
	sigfd = signalfd(-1, &ours, SFD_CLOEXEC);
	r = prepare(cli, &s, err);
	if (!r && (sigfd < 0 || (pid = fork()) < 0))
		r = errmsg_set(err, -errno, "%s: %s", argv[0], err_text(-errno));
	if (!pid)
		run_command(argv, &before);
	if (!r)
		status = watch_command(pid, sigfd, rpc_fd(cli->rpc));
	exec_space_done(&s);
	if (sigfd >= 0)
		close(sigfd);
	if (r)
		return r;
	*err = (struct errmsg){ 0 };
	return end_like(status);
}

static int exec_run(struct cli *cli, json_t *result)
{
	char **argv = words_of(json_object_get(cli->params, "command"));
	struct errmsg err = { 0 };
	json_t *there;
	int status;

	if (cli->shell) {
		free(argv);
		return cli_fail(
			cli, CLI_USAGE, "exec: not from the shell: \"ulio exec -- %s\"", "COMMAND");
	}
	/* Connected from here: in the namespace the socket may not be seen. */
	there = cli_ask(cli, "version", NULL);
	if (!argv || !there) {
		free(argv);
		return CLI_FAILED;
	}
	json_decref(there);
	status = run_in_space(cli, argv, &err);
	free(argv);
	return err.code ? cli_fail(cli, CLI_FAILED, "exec: %s", err.text) : status;
}

const struct cli_command exec_commands[] = {
	{ "exec", NULL, "run a command of LIO's, such as targetcli, so that it steers this daemon",
		NULL, exec_run,
		.args = { { "command", ARG_REST, false,
			"and its arguments; \"--\" before it ends ulio's own options" } } },
	{ NULL },
};
