/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * address.h: IP addresses with their ports as people and RFC 7143 13.8 write them: 10.0.0.1:3260,
 * [2001:db8::1]:3260, [fe80::1%eth0]:3260. Pure functions, for any thread.
 */
#ifndef ULIO_FABRIC_ISCSI_ADDRESS_H
#define ULIO_FABRIC_ISCSI_ADDRESS_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/err.h"

/* Room for the text of an address and its port, with the NUL. */
#define ADDRESS_TEXT_BYTES 80

/* Room for HOST:PORT that initiators are told (13.8: a value of at most 255 bytes, with ",tag"). */
#define ENDPOINT_TEXT_BYTES 250

/* An address and a port from 1 to 65535. 0, or -EINVAL with *err naming the text and the cure. */
int address_parse(const char *text, struct sockaddr_storage *ret, struct errmsg *err);

/* The address and, unless port is 0, ":port". IPv4 in IPv6 is written as IPv4, without a scope. */
void address_format(const struct sockaddr_storage *ss, uint16_t port, char *buf, size_t cap);

/* Bytes of it that count for bind(). */
socklen_t address_bytes(const struct sockaddr_storage *ss);
uint16_t address_port(const struct sockaddr_storage *ss);

/* 0.0.0.0 or ::; an IPv6 address that is valid on its link alone. */
bool address_is_any(const struct sockaddr_storage *ss);
bool address_is_link_local(const struct sockaddr_storage *ss);

/* AF_INET also for IPv4 in IPv6. */
int address_family(const struct sockaddr_storage *ss);

/* Whether both have the same address and port; and the same link, of link-local ones. */
bool address_equal(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

/* <0, 0, >0: an order of all addresses, with 0 where address_equal() is true. */
int address_compare(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

/* The same but for the ports; IPv4 in IPv6 is IPv4. */
bool address_same_host(const struct sockaddr_storage *a, const struct sockaddr_storage *b);

/* Whether text may be told to initiators as HOST:PORT (13.8), a host name included. */
bool address_is_endpoint(const char *text);

#endif
