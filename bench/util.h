/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * util.h: what both benchmark programs need: memory or death, sockets, sizes, text keys.
 */
#ifndef ULIO_BENCH_UTIL_H
#define ULIO_BENCH_UTIL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Print "program: message" and exit with status 1. */
void die(const char *fmt, ...) __attribute__((format(printf, 1, 2), noreturn));

/* Zeroed memory. Does not return without it. */
void *xalloc(size_t bytes);

/* "4096", "4k", "256M", "1G": bytes. Dies on anything else. */
uint64_t parse_size(const char *s);

/* A whole number of at most max. Dies on anything else. */
uint64_t parse_number(const char *s, uint64_t max);

/* Split "host:port" (IPv4, or IPv6 in brackets) into two buffers. 0 or -EINVAL. */
int split_address(const char *s, char host[64], char port[8]);

/*
 * A listening or a connected TCP socket with TCP_NODELAY.
 *   address	"host:port", numeric; port 0 to listen on any
 * The descriptor, or -errno.
 */
int socket_listen(const char *address);
int socket_connect(const char *address);

/* The port that a socket is bound to. */
unsigned socket_port(int fd);

/*
 * The next key=value of a text segment (RFC 7143 6.1), cut out in place.
 *   p	where the last call stopped, first the start of the segment
 *   end	one behind it; the byte there must be writable: it is set to 0
 * False when there is none, or when the rest is not of that form.
 */
bool text_next(char **p, char *end, char **ret_key, char **ret_value);

#endif
