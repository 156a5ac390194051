/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * hostaddr.h: the addresses of this host, in the process's network namespace: the kernel's table of
 * local routes, which is asked for again only when the kernel has told of a change. Any thread.
 */
#ifndef ULIO_LOOP_HOSTADDR_H
#define ULIO_LOOP_HOSTADDR_H

#include <stdbool.h>
#include <sys/socket.h>

struct hostaddrs;

/* NULL: out of memory. Nothing is opened before the first question. */
struct hostaddrs *hostaddrs_new(void);
struct hostaddrs *hostaddrs_free(struct hostaddrs *h); /* NULL: nothing. Returns NULL. */

/*
 * Whether the host has the address now; ports do not matter. What no interface has but a local
 * route covers (127.0.0.2, addresses of a prefix that is routed to this host) is there too; one
 * whose uniqueness is yet to be tested (RFC 4862 5.4) is not, nor one that only a VRF has. Costs
 * one system call while nothing has changed, and does not wait for anything outside of the kernel.
 */
bool hostaddrs_has(struct hostaddrs *h, const struct sockaddr *addr, socklen_t addrlen);

#endif
