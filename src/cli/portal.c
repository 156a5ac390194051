/* SPDX-License-Identifier: BSD-3-Clause */
/* portal.c: see portal.h. */
#include "cli/portal.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netinet/in.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* An address of this host that others can reach, IPv4 before IPv6; else its name. */
static void own_address(char buf[PORTAL_CHARS])
{
	struct ifaddrs *all = NULL;
	char text[INET6_ADDRSTRLEN];
	bool v4 = false;

	if (gethostname(buf, PORTAL_CHARS - 1))
		strcpy(buf, "localhost");
	if (getifaddrs(&all))
		return;
	for (struct ifaddrs *i = all; i; i = i->ifa_next) {
		const struct sockaddr_in *in = (void *)i->ifa_addr;
		const struct sockaddr_in6 *in6 = (void *)i->ifa_addr;

		if (!i->ifa_addr || !(i->ifa_flags & IFF_UP) || i->ifa_flags & IFF_LOOPBACK)
			continue;
		if (in->sin_family == AF_INET && !v4 &&
			inet_ntop(AF_INET, &in->sin_addr, text, sizeof(text))) {
			snprintf(buf, PORTAL_CHARS, "%s", text);
			v4 = true;
		} else if (in->sin_family == AF_INET6 && !v4 &&
			   !IN6_IS_ADDR_LINKLOCAL(&in6->sin6_addr) &&
			   inet_ntop(AF_INET6, &in6->sin6_addr, text, sizeof(text))) {
			snprintf(buf, PORTAL_CHARS, "[%s]", text);
		}
	}
	freeifaddrs(all);
}

void portal_for_initiators(const char *name, char buf[PORTAL_CHARS])
{
	static const char *const all[] = { "0.0.0.0:", "[::]:", "[::0]:" };
	size_t n = strcspn(name, "@"); /* of another network namespace */
	char host[PORTAL_CHARS];

	snprintf(buf, PORTAL_CHARS, "%.*s", (int)n, name);
	for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++) {
		if (strncmp(name, all[i], strlen(all[i])) != 0)
			continue;
		own_address(host);
		snprintf(buf, PORTAL_CHARS, "%.200s:%.*s", host, (int)(n - strlen(all[i])),
			name + strlen(all[i]));
	}
}

int portal_of_target(struct cli *cli, const char *target, json_int_t tpg, char buf[PORTAL_CHARS])
{
	json_t *rows = cli_ask(cli, "target.list", NULL), *row;
	const char *name = NULL;
	size_t i;

	json_array_foreach (rows, i, row) {
		if (!strcmp(json_string_value(json_object_get(row, "target")), target) &&
			json_integer_value(json_object_get(row, "tpg")) == tpg)
			name = json_string_value(
				json_array_get(json_object_get(row, "portals"), 0));
	}
	if (name)
		portal_for_initiators(name, buf);
	json_decref(rows);
	return name ? 0
		    : cli_fail(cli, CLI_FAILED,
			      "%s: has no portal; \"ulio portal add 0.0.0.0:3260 --target %s\" "
			      "adds "
			      "one",
			      target, target);
}
