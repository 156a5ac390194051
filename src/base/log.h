/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * log.h: the daemon's log: lines on stderr.
 *
 *	iscsi: conn 7 sess 3: header digest error, connection dropped
 *	category  object       text
 *
 * A line is one write(2), so lines of several threads never mix. Bytes outside printable ASCII,
 * and the backslash, appear as \xNN, \n, \\ ...: what a peer sent cannot forge a line or reach a
 * terminal. A line that stderr would not take at once is dropped and counted, not waited for: a
 * full pipe must not stop an I/O loop. Under the systemd journal lines begin with "<N>", the
 * priority of sd-daemon(3), elsewhere with the time (UTC) and the level.
 *
 * The layer that handles an error logs it, once; base and scsi never log. What a peer can
 * trigger goes through a struct log_limit. No secrets. All functions may be called from any
 * thread.
 */
#ifndef ULIO_BASE_LOG_H
#define ULIO_BASE_LOG_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum log_level {
	LOG_LEVEL_ERROR, /* something is broken and stays so until somebody acts */
	LOG_LEVEL_WARN, /* something failed that others may notice */
	LOG_LEVEL_INFO, /* rare events of normal life: logins, configuration */
	LOG_LEVEL_DEBUG, /* for those who read the source */
};

enum { LOG_LINE_MAX = 2048 }; /* bytes, the newline included; longer lines end in "..." */

/*
 * Log one line.
 *   category	the layer or module: "iscsi", "engine", "file"
 *   object	what it is about, "conn 7 sess 3", or NULL
 */
void log_msg(enum log_level level, const char *category, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
void log_obj(enum log_level level, const char *category, const char *object, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* The lowest level that is logged; LOG_LEVEL_INFO until it is set. */
void log_set_level(enum log_level level);
enum log_level log_get_level(void);

/* True if lines of this level are logged: asked before costly arguments are made. */
bool log_enabled(enum log_level level);

/* "error", "warn", "info", "debug" to the level: 0 or -EINVAL. And back. */
int log_level_parse(const char *s, enum log_level *ret_level);
const char *log_level_name(enum log_level level);

/*
 * At most burst lines per interval; the first line after that is led by one that tells how many
 * were dropped. Owned by the caller, one for each place or object; any thread may log through it.
 */
struct log_limit {
	unsigned burst;
	uint64_t interval_ns;
	_Atomic uint64_t start_ns; /* of the interval that runs, 0 before the first */
	_Atomic unsigned used; /* lines in it */
	_Atomic unsigned dropped; /* lines since one was told */
};

void log_limit_init(struct log_limit *l, unsigned burst, uint64_t interval_ns);

/*
 * May a line be logged at now_ns? If so *ret_dropped is the number that was refused since the
 * last time; the caller tells it. (log_limited() does all this.)
 */
bool log_limit_take(struct log_limit *l, uint64_t now_ns, unsigned *ret_dropped);

/* log_obj() within the limit. object may be NULL. */
void log_limited(struct log_limit *l, enum log_level level, const char *category,
	const char *object, const char *fmt, ...) __attribute__((format(printf, 5, 6)));

/*
 * Set where lines go: a descriptor, which stays the caller's, and whether they begin with "<N>".
 * Before threads are started. Until then: stderr, with time and level.
 */
void log_set_sink(int fd, bool priorities);

/*
 * Hear of each line of LOG_LEVEL_ERROR, too: the printable text, without time and level. fn may be
 * called on any thread and must not log. Before threads are started, or NULL when they have ended.
 */
void log_set_error_listener(void (*fn)(void *arg, const char *text), void *arg);

/* Send lines to stderr, with priorities if $JOURNAL_STREAM says that it leads to the journal. */
void log_init(void);

/* Append the printable form of n bytes to dst of cap bytes; NUL-terminated. Returns its length,
 * which is below cap; what does not fit is left out at a whole escape. */
size_t log_escape(char *dst, size_t cap, const void *src, size_t n);

#endif
