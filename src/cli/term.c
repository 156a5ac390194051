/* SPDX-License-Identifier: BSD-3-Clause */
/* term.c: what the terminal can do, questions to who sits there, progress. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <unistd.h>

#include "cli/render.h"

bool term_colour(void)
{
	const char *no = getenv("NO_COLOR"), *term = getenv("TERM");

	return isatty(STDOUT_FILENO) && !(no && *no) && term && *term && strcmp(term, "dumb") != 0;
}

int term_width(void)
{
	const char *columns = getenv("COLUMNS");
	struct winsize w;

	if (!isatty(STDOUT_FILENO))
		return 0;
	if (!ioctl(STDOUT_FILENO, TIOCGWINSZ, &w) && w.ws_col)
		return w.ws_col;
	return columns && atoi(columns) > 0 ? atoi(columns) : RENDER_WIDTH;
}

bool term_asks(void)
{
	return isatty(STDIN_FILENO) && isatty(STDERR_FILENO);
}

bool term_ask(const char *question)
{
	char line[16];

	fprintf(stderr, "%s [y/N] ", question);
	fflush(stderr);
	if (!fgets(line, sizeof(line), stdin)) {
		fputc('\n', stderr);
		clearerr(stdin);
		return false;
	}
	return line[0] == 'y' || line[0] == 'Y';
}

int term_secret(const char *prompt, char *buf, size_t cap)
{
	struct termios old, quiet;
	int r = 0;

	if (!term_asks() || tcgetattr(STDIN_FILENO, &old))
		return -ENOTTY;
	quiet = old;
	quiet.c_lflag &= (tcflag_t)~ECHO;
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &quiet);
	fprintf(stderr, "%s: ", prompt);
	if (!fgets(buf, (int)cap, stdin))
		r = -EIO;
	else
		buf[strcspn(buf, "\r\n")] = '\0';
	fputc('\n', stderr);
	tcsetattr(STDIN_FILENO, TCSAFLUSH, &old);
	return r;
}

void term_progress(const char *what, size_t done, size_t total)
{
	if (!isatty(STDERR_FILENO))
		return;
	fprintf(stderr, "\r%s: %zu of %zu", what, done, total);
	if (done == total)
		fprintf(stderr, "\n");
	fflush(stderr);
}
