/* SPDX-License-Identifier: BSD-3-Clause */
/* log.c: one line, one write. */
#include "base/log.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include "base/clock.h"

/* The one global that STYLE.md permits: level and sink of the process's log. */
static struct {
	_Atomic int level;
	_Atomic int fd;
	_Atomic bool priorities;
	_Atomic unsigned lost; /* lines that the sink did not take */
	void (*_Atomic listener)(void *arg, const char *text);
	void *_Atomic listener_arg;
} log_state = { .level = LOG_LEVEL_INFO, .fd = STDERR_FILENO };

static const struct {
	const char *name;
	int priority; /* of syslog(3), as sd-daemon(3) reads it */
} log_levels[] = {
	[LOG_LEVEL_ERROR] = { "error", 3 },
	[LOG_LEVEL_WARN] = { "warn", 4 },
	[LOG_LEVEL_INFO] = { "info", 6 },
	[LOG_LEVEL_DEBUG] = { "debug", 7 },
};

enum { NLEVELS = sizeof(log_levels) / sizeof(log_levels[0]) };

void log_set_level(enum log_level level)
{
	atomic_store_explicit(&log_state.level, (int)level, memory_order_relaxed);
}

enum log_level log_get_level(void)
{
	return (enum log_level)atomic_load_explicit(&log_state.level, memory_order_relaxed);
}

bool log_enabled(enum log_level level)
{
	return level <= log_get_level();
}

int log_level_parse(const char *s, enum log_level *ret_level)
{
	for (int i = 0; i < NLEVELS; i++) {
		if (strcmp(s, log_levels[i].name) == 0) {
			*ret_level = (enum log_level)i;
			return 0;
		}
	}
	return -EINVAL;
}

const char *log_level_name(enum log_level level)
{
	return (unsigned)level < NLEVELS ? log_levels[level].name : "?";
}

void log_set_sink(int fd, bool priorities)
{
	atomic_store(&log_state.fd, fd);
	atomic_store(&log_state.priorities, priorities);
}

void log_set_error_listener(void (*fn)(void *arg, const char *text), void *arg)
{
	atomic_store(&log_state.listener_arg, arg);
	atomic_store(&log_state.listener, fn);
}

static void tell_listener(enum log_level level, const char *text)
{
	void (*fn)(void *arg, const char *text) = atomic_load(&log_state.listener);

	if (fn && level == LOG_LEVEL_ERROR)
		fn(atomic_load(&log_state.listener_arg), text);
}

/* systemd.exec(5): JOURNAL_STREAM is "device:inode" of the stream that leads to the journal. */
void log_init(void)
{
	const char *env = getenv("JOURNAL_STREAM");
	unsigned long long dev, ino;
	bool journal = false;
	struct stat st;

	if (env && sscanf(env, "%llu:%llu", &dev, &ino) == 2 && fstat(STDERR_FILENO, &st) == 0)
		journal = st.st_dev == dev && st.st_ino == ino;
	log_set_sink(STDERR_FILENO, journal);
}

/* Write the printable form of c to p (at least 5 bytes); returns its length. */
static size_t log_escape_byte(char *p, uint8_t c)
{
	static const char hex[] = "0123456789abcdef";
	static const char names[256] = {
		['\n'] = 'n',
		['\r'] = 'r',
		['\t'] = 't',
		['\\'] = '\\',
	};

	if (names[c]) {
		p[0] = '\\';
		p[1] = names[c];
		return 2;
	}
	if (c >= 0x20 && c < 0x7f) {
		p[0] = (char)c;
		return 1;
	}
	p[0] = '\\';
	p[1] = 'x';
	p[2] = hex[c >> 4];
	p[3] = hex[c & 15];
	return 4;
}

size_t log_escape(char *dst, size_t cap, const void *src, size_t n)
{
	const uint8_t *b = src;
	size_t len = 0;

	if (cap == 0)
		return 0;
	for (size_t i = 0; i < n; i++) {
		char one[5];
		size_t k = log_escape_byte(one, b[i]);

		if (k >= cap - len)
			break;
		memcpy(dst + len, one, k);
		len += k;
	}
	dst[len] = '\0';
	return len;
}

/* What a line begins with. */
static size_t log_lead(char *line, size_t cap, enum log_level level)
{
	uint64_t now;
	time_t s;
	struct tm tm;
	int n;

	if (atomic_load(&log_state.priorities)) {
		n = snprintf(line, cap, "<%d>", log_levels[level].priority);
		return n > 0 ? (size_t)n : 0;
	}
	now = clock_wall_ns();
	s = (time_t)(now / NS_PER_S);
	if (!gmtime_r(&s, &tm))
		return 0;
	n = snprintf(line, cap, "%04d-%02d-%02dT%02d:%02d:%02d.%03uZ %s ", tm.tm_year + 1900,
		tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec,
		(unsigned)(now / NS_PER_MS % 1000), log_levels[level].name);
	return n > 0 ? (size_t)n : 0;
}

/* True if the sink took the line. */
static bool log_write(const char *line, size_t len)
{
	struct pollfd pfd = { .fd = atomic_load(&log_state.fd), .events = POLLOUT };
	ssize_t n;

	/* LOG_LINE_MAX is below PIPE_BUF: a pipe that polls writable takes a whole line */
	if (poll(&pfd, 1, 0) != 1 || !(pfd.revents & POLLOUT))
		return false;
	do
		n = write(pfd.fd, line, len);
	while (n < 0 && errno == EINTR);
	return n == (ssize_t)len;
}

/* End a line that has len bytes of at most LOG_LINE_MAX - 1, and write it. */
static void log_finish(char *line, size_t len, bool cut)
{
	char lost_line[128];
	unsigned lost = atomic_exchange(&log_state.lost, 0);

	if (cut) {
		if (len > LOG_LINE_MAX - 4)
			len = LOG_LINE_MAX - 4;
		memcpy(line + len, "...", 3);
		len += 3;
	}
	line[len++] = '\n';
	if (lost) {
		size_t n = log_lead(lost_line, sizeof(lost_line), LOG_LEVEL_WARN);

		n += (size_t)snprintf(lost_line + n, sizeof(lost_line) - n,
			"log: %u lines lost, the log did not take them\n", lost);
		if (!log_write(lost_line, n)) {
			atomic_fetch_add(&log_state.lost, lost + 1);
			return;
		}
	}
	if (!log_write(line, len))
		atomic_fetch_add(&log_state.lost, 1);
}

static void log_line(
	enum log_level level, const char *category, const char *object, const char *fmt, va_list ap)
{
	char text[LOG_LINE_MAX], line[LOG_LINE_MAX];
	const char *parts[] = { category, object };
	size_t len, lead;
	bool cut;
	int n;

	n = vsnprintf(text, sizeof(text), fmt, ap);
	if (n < 0)
		n = snprintf(text, sizeof(text), "(bad format) %s", fmt);
	cut = n >= (int)sizeof(text);
	lead = len = log_lead(line, sizeof(line), level);
	for (size_t i = 0; i < 2; i++) {
		if (!parts[i])
			continue;
		/* room stays for ": ", the end mark and the newline */
		len += log_escape(line + len, sizeof(line) / 4, parts[i], strlen(parts[i]));
		memcpy(line + len, ": ", 2);
		len += 2;
	}
	n = cut ? (int)sizeof(text) - 1 : n;
	for (int i = 0; i < n; i++) {
		char one[5];
		size_t k = log_escape_byte(one, (uint8_t)text[i]);

		if (len + k > LOG_LINE_MAX - 4) {
			cut = true;
			break;
		}
		memcpy(line + len, one, k);
		len += k;
	}
	line[len] = '\0';
	tell_listener(level, line + lead);
	log_finish(line, len, cut);
}

void log_msg(enum log_level level, const char *category, const char *fmt, ...)
{
	int saved_errno = errno;
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	log_line(level, category, NULL, fmt, ap);
	va_end(ap);
	errno = saved_errno;
}

void log_obj(enum log_level level, const char *category, const char *object, const char *fmt, ...)
{
	int saved_errno = errno;
	va_list ap;

	if (!log_enabled(level))
		return;
	va_start(ap, fmt);
	log_line(level, category, object, fmt, ap);
	va_end(ap);
	errno = saved_errno;
}

void log_limit_init(struct log_limit *l, unsigned burst, uint64_t interval_ns)
{
	l->burst = burst;
	l->interval_ns = interval_ns;
	atomic_init(&l->start_ns, 0);
	atomic_init(&l->used, 0);
	atomic_init(&l->dropped, 0);
}

bool log_limit_take(struct log_limit *l, uint64_t now_ns, unsigned *ret_dropped)
{
	uint64_t start = atomic_load(&l->start_ns);

	/* now may be behind start: another thread has just begun the interval */
	if (start == 0 || (now_ns > start && now_ns - start >= l->interval_ns)) {
		if (atomic_compare_exchange_strong(&l->start_ns, &start, now_ns ? now_ns : 1))
			atomic_store(&l->used, 0);
	}
	/* looked at first, so that a flood cannot make the counter wrap */
	if (atomic_load(&l->used) >= l->burst || atomic_fetch_add(&l->used, 1) >= l->burst) {
		atomic_fetch_add(&l->dropped, 1);
		return false;
	}
	*ret_dropped = atomic_exchange(&l->dropped, 0);
	return true;
}

void log_limited(struct log_limit *l, enum log_level level, const char *category,
	const char *object, const char *fmt, ...)
{
	int saved_errno = errno;
	unsigned dropped;
	va_list ap;

	if (!log_enabled(level) || !log_limit_take(l, clock_now_ns(), &dropped))
		return;
	if (dropped)
		log_obj(level, category, object, "%u lines like the next were dropped", dropped);
	va_start(ap, fmt);
	log_line(level, category, object, fmt, ap);
	va_end(ap);
	errno = saved_errno;
}
