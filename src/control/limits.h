/* SPDX-License-Identifier: BSD-3-Clause */
/* limits.h: the named limits of the control layer. */
#ifndef ULIO_CONTROL_LIMITS_H
#define ULIO_CONTROL_LIMITS_H

enum {
	CONTROL_CLIENTS_MAX =
		64, /* connections of the socket at a time; a CLI holds one for a moment */
	CONTROL_JSON_DEPTH_MAX = 64, /* nested arrays and objects of a request or a file */
	CONTROL_METHODS_MAX = 256,
	CONTROL_READ_BYTES = 65536, /* received from a client at a time */
	CONTROL_BACKLOG = 64, /* listen(2) */
	/* A request of each client at a time, of both sockets, and what the daemon does by itself:
	 * requests that wait for each other never keep up one that need not wait. */
	CONTROL_WORKERS_MAX = 2 * CONTROL_CLIENTS_MAX + 8,
	CONTROL_FDS_MAX = 4, /* descriptors that come at once; the kernel closes those above */
	EVENTS_QUEUED_MAX = 512, /* events of a client that wait to be sent, of some 300 bytes */
	EVENTS_PER_SECOND = 1000, /* to a client */

	FUSE_MOUNTS_MAX = 64, /* served at a time: one for all, one for each "ulio exec" */
	FUSE_WORKERS_MAX = 32, /* threads of a mount: operations under way at once */
	FUSE_NOTES_MAX = 1 << 18, /* changes that a mount has not been told of yet */

	SAVECONFIG_BYTES_MAX = 512 << 20, /* a file of 100,000 targets has about 400 MB */
	SAVECONFIG_GENERATIONS = 10, /* older good files that are kept, as targetcli does */
	SAVECONFIG_PROBLEMS_MAX = 1000, /* that are listed; the rest is counted */
};

#endif
