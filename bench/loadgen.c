/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * loadgen.c: load generator: an iSCSI initiator on plain sockets that keeps a number of commands
 * in flight on each of several sessions, spread over threads, and tells IOPS, bytes, latency and
 * its own CPU time. It is made to be cheaper than the target: data of reads that nobody looks at
 * is dropped in the kernel, commands leave in batches.
 *
 * Exit status 0 only if every command succeeded and, with --verify, carried the right data.
 */
#include "bench/gen.h"
#include "bench/util.h"

#include <errno.h>
#include <getopt.h>
#include <pthread.h>
#include <sched.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

uint64_t gen_clock(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (uint64_t)ts.tv_sec * 1000000000ull + (uint64_t)ts.tv_nsec;
}

/* ---- options ---- */

enum opt_kind { OPT_FLAG, OPT_OFF, OPT_UINT, OPT_SIZE, OPT_SIZE64, OPT_U64, OPT_TEXT, OPT_SECONDS };

#define AT(field) offsetof(struct gen_options, field)

static const struct opt_row {
	const char *name, *value; /* value: how help names it, NULL for flags */
	enum opt_kind kind;
	size_t at;
	uint64_t min, max;
	const char *help;
} opt_rows[] = {
	{ "portal", "ADDR:PORT", OPT_TEXT, AT(portal), 0, 0, "where the target listens" },
	{ "target", "NAME", OPT_TEXT, AT(target), 0, 0, "its name; else the first found" },
	{ "initiator", "NAME", OPT_TEXT, AT(initiator), 0, 0, "our own name" },
	{ "lun", "N", OPT_U64, AT(lun), 0, 255, "logical unit" },
	{ "sessions", "N", OPT_UINT, AT(sessions), 1, GEN_SESSIONS, "sessions in all" },
	{ "connections", "N", OPT_UINT, AT(connections), 1, GEN_CONNECTIONS,
		"connections of each session" },
	{ "threads", "N", OPT_UINT, AT(threads), 1, GEN_THREADS, "threads that serve them" },
	{ "depth", "N", OPT_UINT, AT(depth), 1, GEN_QUEUE_DEPTH,
		"commands in flight a connection" },
	{ "bytes", "N", OPT_SIZE, AT(bytes), 512, GEN_BLOCK, "length of one command" },
	{ "write", "PERCENT", OPT_UINT, AT(write_percent), 0, 100, "share of writes" },
	{ "random", NULL, OPT_FLAG, AT(random), 0, 0, "random places, else sequential" },
	{ "span", "N", OPT_SIZE64, AT(span), 0, ~0ull, "use only the first N bytes" },
	{ "count", "N", OPT_U64, AT(count), 1, ~0ull, "commands in all, instead of a time" },
	{ "seconds", "S", OPT_SECONDS, AT(seconds), 0, 86400, "time that counts" },
	{ "warmup", "S", OPT_SECONDS, AT(warmup), 0, 86400, "time before it" },
	{ "verify", NULL, OPT_FLAG, AT(verify), 0, 0, "write a pattern, check what is read" },
	{ "seed", "N", OPT_U64, AT(seed), 0, ~0ull, "of places and patterns" },
	{ "copy", NULL, OPT_FLAG, AT(copy), 0, 0, "fetch data read instead of dropping it" },
	{ "idle", NULL, OPT_FLAG, AT(idle), 0, 0, "only stay logged in" },
	{ "initial-r2t", NULL, OPT_FLAG, AT(initial_r2t), 0, 0, "offer InitialR2T=Yes" },
	{ "no-immediate", NULL, OPT_OFF, AT(immediate), 0, 0, "offer ImmediateData=No" },
	{ "mrdsl", "N", OPT_SIZE, AT(mrdsl), 512, BENCH_MRDSL, "MaxRecvDataSegmentLength" },
	{ "first-burst", "N", OPT_SIZE, AT(first_burst), 512, 0xffffff, "FirstBurstLength" },
	{ "max-burst", "N", OPT_SIZE, AT(max_burst), 512, 0xffffff, "MaxBurstLength" },
	{ "json", NULL, OPT_FLAG, AT(json), 0, 0, "print one JSON object" },
};

enum { NOPTS = sizeof(opt_rows) / sizeof(opt_rows[0]), OPT_CPUS = NOPTS, OPT_HELP };

static void usage(void)
{
	puts("usage: loadgen --portal ADDR:PORT [option]...");
	for (int i = 0; i < NOPTS; i++) {
		char left[40];

		snprintf(left, sizeof(left), "--%s %s", opt_rows[i].name,
			opt_rows[i].value ? opt_rows[i].value : "");
		printf("  %-26s %s\n", left, opt_rows[i].help);
	}
	puts("  --cpus A,B,...             pin threads to these CPUs in turn\n"
	     "Sizes take k, M, G. A verified read run expects what a verified write run with the "
	     "same\n"
	     "seed left; a verified mixed run needs none before it.");
	exit(0);
}

static double parse_seconds(const char *s)
{
	char *end;
	double v = strtod(s, &end);

	if (end == s || *end || !(v >= 0 && v <= 86400))
		die("not a number of seconds: %s", s);
	return v;
}

static void set_option(struct gen_options *o, const struct opt_row *row, const char *arg)
{
	char *field = (char *)o + row->at;
	uint64_t n = 0;

	if (row->kind == OPT_SIZE || row->kind == OPT_SIZE64)
		n = parse_size(arg);
	else if (row->kind == OPT_UINT || row->kind == OPT_U64)
		n = parse_number(arg, row->max);
	else if (row->kind == OPT_TEXT)
		*(const char **)field = arg;
	else if (row->kind == OPT_SECONDS)
		*(double *)field = parse_seconds(arg);
	else
		*(bool *)field = row->kind == OPT_FLAG;
	if (row->kind != OPT_TEXT && row->kind != OPT_SECONDS && row->value &&
		(n < row->min || n > row->max))
		die("--%s: from %llu to %llu", row->name, (unsigned long long)row->min,
			(unsigned long long)row->max);
	if (row->kind == OPT_UINT)
		*(unsigned *)field = (unsigned)n;
	else if (row->kind == OPT_SIZE)
		*(uint32_t *)field = (uint32_t)n;
	else if (row->kind == OPT_U64 || row->kind == OPT_SIZE64)
		*(uint64_t *)field = n;
}

static void set_cpus(struct gen_options *o, char *list)
{
	for (char *save, *p = strtok_r(list, ",", &save); p; p = strtok_r(NULL, ",", &save)) {
		if (o->ncpus == GEN_THREADS)
			die("--cpus: at most %d", GEN_THREADS);
		o->cpus[o->ncpus++] = (int)parse_number(p, CPU_SETSIZE - 1);
	}
}

static void parse_options(struct gen_options *o, int argc, char **argv)
{
	struct option opts[NOPTS + 3] = { 0 };
	int c;

	for (int i = 0; i < NOPTS; i++)
		opts[i] = (struct option){ opt_rows[i].name, opt_rows[i].value != NULL, NULL,
			256 + i };
	opts[OPT_CPUS] = (struct option){ "cpus", 1, NULL, 256 + OPT_CPUS };
	opts[OPT_HELP] = (struct option){ "help", 0, NULL, 256 + OPT_HELP };
	while ((c = getopt_long(argc, argv, "", opts, NULL)) != -1) {
		if (c < 256)
			exit(1);
		if (c - 256 == OPT_HELP)
			usage();
		if (c - 256 == OPT_CPUS)
			set_cpus(o, optarg);
		else
			set_option(o, &opt_rows[c - 256], optarg);
	}
	if (optind != argc || !o->portal)
		die("usage: loadgen --portal ADDR:PORT [option]... (--help tells all)");
	if (o->bytes % 512)
		die("--bytes: a multiple of 512");
	if (o->first_burst > o->max_burst)
		o->first_burst = o->max_burst;
	if (o->threads > o->sessions * o->connections)
		o->threads = o->sessions * o->connections;
	if (o->count)
		o->warmup = 0;
	o->lun <<= 48; /* peripheral device addressing, SAM-5 4.7.7.4 */
}

/* ---- one thread ---- */

static void thread_wait(struct gen_thread *th)
{
	struct epoll_event ev[BENCH_EVENTS];
	int ms = GEN_ANSWER_SECONDS * 1000, n;

	if (th->o->idle)
		ms = (int)((th->end_ns - th->now_ns) / 1000000) + 1;
	n = epoll_wait(th->epoll, ev, BENCH_EVENTS, ms);
	if (n < 0 && errno != EINTR)
		die("epoll_wait: %s", strerror(errno));
	if (n == 0 && !th->o->idle)
		die("no answer in %d s", GEN_ANSWER_SECONDS);
	for (int i = 0; i < n; i++) {
		struct gen_sess *s = ev[i].data.ptr;

		if (ev[i].events & ~(uint32_t)EPOLLOUT)
			gen_sess_receive(s, MSG_DONTWAIT);
		th->now_ns = gen_clock();
		gen_sess_start(s);
		gen_sess_flush(s);
	}
}

static void *thread_main(void *arg)
{
	struct gen_thread *th = arg;
	struct gen_sess *only = th->nsess == 1 && !th->o->idle ? th->sess[0] : NULL;
	cpu_set_t set;

	if (th->cpu >= 0) {
		CPU_ZERO(&set);
		CPU_SET(th->cpu, &set);
		if (pthread_setaffinity_np(pthread_self(), sizeof(set), &set))
			die("cannot run on CPU %d", th->cpu);
	}
	th->now_ns = gen_clock();
	for (unsigned i = 0; i < th->nsess; i++) {
		gen_sess_start(th->sess[i]);
		gen_sess_flush(th->sess[i]);
	}
	while (th->busy || (th->o->idle && th->now_ns < th->end_ns)) {
		if (only && !txq_count(&only->tx)) { /* no need to ask which socket has something */
			gen_sess_receive(only, 0);
			th->now_ns = gen_clock();
			gen_sess_start(only);
			gen_sess_flush(only);
		} else {
			thread_wait(th);
			if (th->o->idle)
				th->now_ns = gen_clock();
		}
	}
	return NULL;
}

static void thread_init(struct gen_thread *th, const struct gen_options *o, unsigned index)
{
	th->o = o;
	th->cpu = o->ncpus ? o->cpus[index % o->ncpus] : -1;
	th->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (th->epoll < 0)
		die("epoll_create1: %s", strerror(errno));
	th->sess = xalloc(o->sessions * o->connections * sizeof(*th->sess));
	th->budget = o->idle ? 0 : ~0ull;
	if (o->count && !o->idle)
		th->budget = o->count / o->threads + (index < o->count % o->threads);
}

static void thread_add(struct gen_thread *th, struct gen_sess *s)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.ptr = s };

	s->thread = th;
	th->sess[th->nsess++] = s;
	if (epoll_ctl(th->epoll, EPOLL_CTL_ADD, s->fd, &ev))
		die("epoll_ctl: %s", strerror(errno));
}

/* ---- the run and its report ---- */

struct report {
	struct gen_stats stats;
	double seconds, cpu; /* that count; of this process, from login to the end */
	struct gen_params p; /* as the first session negotiated */
};

static double cpu_seconds(void)
{
	struct rusage u;

	getrusage(RUSAGE_SELF, &u);
	return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
	       (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6;
}

static void run_threads(const struct gen_options *o, struct gen_thread *th, struct report *ret)
{
	pthread_t *ids = xalloc(o->threads * sizeof(*ids));
	double cpu = cpu_seconds();
	uint64_t start = gen_clock(), end = 0;

	if (o->idle) { /* tells a script that all are logged in */
		puts("idle");
		fflush(stdout);
	}
	for (unsigned i = 0; i < o->threads; i++) {
		th[i].measure_ns = start + (uint64_t)(o->warmup * 1e9);
		th[i].end_ns = o->count ? ~0ull : th[i].measure_ns + (uint64_t)(o->seconds * 1e9);
		if (pthread_create(&ids[i], NULL, thread_main, &th[i]))
			die("cannot start a thread");
	}
	for (unsigned i = 0; i < o->threads; i++) {
		pthread_join(ids[i], NULL);
		ret->stats.reads += th[i].stats.reads;
		ret->stats.writes += th[i].stats.writes;
		hist_merge(&ret->stats.latency, &th[i].stats.latency);
		end = th[i].last_ns > end ? th[i].last_ns : end;
	}
	ret->cpu = cpu_seconds() - cpu;
	ret->seconds = o->count ? (double)(end - start) / 1e9 : o->seconds;
	free(ids);
}

static double quantile_us(const struct report *r, double share)
{
	return (double)hist_quantile(&r->stats.latency, share) / 1e3;
}

static void print_json(const struct gen_options *o, const struct report *r)
{
	const struct hist *h = &r->stats.latency;
	double n = (double)h->count;

	printf("{\"sessions\": %u, \"connections\": %u, \"threads\": %u, \"depth\": %u, \"bytes\": "
	       "%u, ",
		o->sessions, o->connections, o->threads, o->depth, o->bytes);
	printf("\"write_percent\": %u, \"random\": %s, \"verified\": %s, ", o->write_percent,
		o->random ? "true" : "false", o->verify ? "true" : "false");
	printf("\"immediate\": %s, \"initial_r2t\": %s, \"first_burst\": %u, \"max_burst\": %u, "
	       "\"peer_mrdsl\": %u, ",
		r->p.immediate ? "true" : "false", r->p.initial_r2t ? "true" : "false",
		r->p.first_burst, r->p.max_burst, r->p.peer_mrdsl);
	printf("\"reads_all\": %llu, \"writes_all\": %llu, ", (unsigned long long)r->stats.reads,
		(unsigned long long)r->stats.writes);
	printf("\"seconds\": %.6f, \"count\": %.0f, \"iops\": %.1f, \"mb_per_second\": %.2f, ",
		r->seconds, n, n / r->seconds, n * o->bytes / r->seconds / 1e6);
	printf("\"cpu_seconds\": %.6f, \"latency_us\": {\"mean\": %.2f, \"p50\": %.2f, "
	       "\"p90\": %.2f, \"p99\": %.2f, \"p99.9\": %.2f, \"max\": %.2f}}\n",
		r->cpu, n ? (double)h->sum / n / 1e3 : 0, quantile_us(r, 0.5), quantile_us(r, 0.9),
		quantile_us(r, 0.99), quantile_us(r, 0.999), (double)h->max / 1e3);
}

static void print_text(const struct gen_options *o, const struct report *r)
{
	const struct hist *h = &r->stats.latency;
	double n = (double)h->count, all = (double)(r->stats.reads + r->stats.writes);

	printf("%.0f commands of %u bytes in %.2f s: %.0f IOPS, %.1f MB/s (%.2f Gbit/s)\n", n,
		o->bytes, r->seconds, n / r->seconds, n * o->bytes / r->seconds / 1e6,
		n * o->bytes / r->seconds * 8 / 1e9);
	printf("latency us: mean %.1f, p50 %.1f, p90 %.1f, p99 %.1f, p99.9 %.1f, max %.1f\n",
		n ? (double)h->sum / n / 1e3 : 0, quantile_us(r, 0.5), quantile_us(r, 0.9),
		quantile_us(r, 0.99), quantile_us(r, 0.999), (double)h->max / 1e3);
	printf("own CPU %.2f s, %.2f s per million commands%s\n", r->cpu,
		all ? r->cpu / all * 1e6 : 0, o->verify ? ", data verified" : "");
}

int main(int argc, char **argv)
{
	struct gen_options o = { .initiator = "iqn.2026-01.org.ulio:loadgen",
		.threads = 1,
		.sessions = 1,
		.connections = 1,
		.depth = 32,
		.bytes = 4096,
		.immediate = true,
		.seconds = 5,
		.mrdsl = BENCH_MRDSL,
		.first_burst = BENCH_FIRST_BURST,
		.max_burst = BENCH_MAX_BURST };
	struct gen_sess *sess;
	struct gen_thread *th;
	static struct report r;
	char name[256];
	unsigned all;

	parse_options(&o, argc, argv);
	if (!o.target) {
		gen_discover(&o, name, sizeof(name));
		o.target = name;
	}
	all = o.sessions * o.connections;
	sess = xalloc(all * sizeof(*sess));
	th = xalloc(o.threads * sizeof(*th));
	for (unsigned i = 0; i < o.threads; i++)
		thread_init(&th[i], &o, i);
	for (unsigned i = 0; i < all; i++) {
		unsigned cid = i % o.connections;

		sess[i].o = &o;
		sess[i].index = i;
		if (cid)
			gen_join(&sess[i], &sess[i - cid], (uint16_t)cid);
		else
			gen_login(&sess[i], false);
		gen_sess_init(&sess[i]);
		thread_add(&th[i % o.threads], &sess[i]);
	}
	r.p = sess[0].p;
	run_threads(&o, th, &r);
	/* The leading connection of a session goes last, and the session with it. */
	for (unsigned i = all; i-- > 0;) {
		gen_logout(&sess[i]);
		gen_sess_done(&sess[i]);
	}
	for (unsigned i = 0; i < o.threads; i++) {
		close(th[i].epoll);
		free(th[i].sess);
	}
	free(sess);
	free(th);
	o.json ? print_json(&o, &r) : print_text(&o, &r);
	return 0;
}
