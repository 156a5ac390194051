/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * control.h: the control socket of uliod, for programs that steer it.
 *
 * A Unix stream socket speaks JSON-RPC 2.0, one message a line:
 *
 *	-> {"jsonrpc":"2.0","id":1,"method":"get","params":{"path":"/iscsi/iqn…/tpgt_1/enable"}}
 *	<- {"jsonrpc":"2.0","id":1,"result":"1"}
 *	<- {"jsonrpc":"2.0","id":1,"error":{"code":-32000,"message":"/iscsi/iqn…/tpgt_1/enabel:
 *	    there is no such attribute",
 *	    "data":{"errno":"ENOENT","path":"/iscsi/iqn…/tpgt_1/enabel"}}}
 *
 * Requests of one connection are answered in their order. Batches (JSON arrays) are accepted;
 * requests without an id (notifications) are carried out and not answered. The method "help" lists
 * all methods with their parameters, docs/control.md tells of the rest. "message" of an error is a
 * whole sentence for people: it names the value that was refused and the cure.
 */
#ifndef ULIO_CONTROL_H
#define ULIO_CONTROL_H

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Names of targets begin so where nobody chose one; the host's name follows. */
#define ULIO_TARGET_PREFIX "iqn.2024-07.internal.ulio"

/* Where root's daemon listens unless told otherwise, and the variable that names another place. */
#define ULIO_CONTROL_PATH "/run/uliod.sock"
#define ULIO_CONTROL_ENV  "ULIO_CONTROL"

/* The place when nothing was said: of others than root in $XDG_RUNTIME_DIR, or at home. */
static inline void ulio_control_default_path(char *buf, size_t cap)
{
	const char *runtime = getenv("XDG_RUNTIME_DIR"), *home = getenv("HOME");

	if (geteuid() == 0)
		snprintf(buf, cap, "%s", ULIO_CONTROL_PATH);
	else if (runtime && *runtime)
		snprintf(buf, cap, "%s/uliod.sock", runtime);
	else
		snprintf(buf, cap, "%s/.uliod.sock", home && *home ? home : "/nonexistent");
}

/*
 * A mount of the tree (type fuse.ulio): made with a descriptor of /dev/fuse, which then goes to the
 * daemon with the method "mount.serve" (SCM_RIGHTS). The source is what LIO's tools look for.
 */
#define ULIO_MOUNT_DEFAULT "/sys/kernel/config"
#define ULIO_MOUNT_SOURCE  "configfs"
#define ULIO_MOUNT_TYPE    "fuse.ulio"
#define ULIO_MOUNT_OPTIONS                                                                         \
	"fd=%d,rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other"

/* The version of the protocol, told by the method "version": rises with incompatible changes. */
#define ULIO_CONTROL_PROTOCOL 1

enum {
	ULIO_CONTROL_REQUEST_MAX = 1 << 20, /* bytes of a line to the daemon */
	ULIO_CONTROL_REPLY_MAX = 256 << 20, /* bytes of a line from it */
};

/* "code" of an error: those of JSON-RPC 2.0, and one for all that an operation said. */
enum {
	ULIO_CONTROL_PARSE_ERROR = -32700, /* no JSON; the connection goes on at the next line */
	ULIO_CONTROL_INVALID_REQUEST = -32600, /* JSON, but no request */
	ULIO_CONTROL_NO_METHOD = -32601,
	ULIO_CONTROL_INVALID_PARAMS = -32602, /* "message" says which and why */
	ULIO_CONTROL_FAILED = -32000, /* "data" has "errno", and "path" where one is concerned */
};

#ifdef __cplusplus
}
#endif

#endif
