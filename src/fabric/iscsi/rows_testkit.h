/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rows_testkit.h: a tree with core/ and iscsi/ over real loops, with a RAM disk and a portal group,
 * driven by path; for the tests of the rows and of the sessions. A try_ function returns what the
 * tree said, having checked that a refusal explains itself; the macros fail the test.
 */
#ifndef ULIO_FABRIC_ISCSI_ROWS_TESTKIT_H
#define ULIO_FABRIC_ISCSI_ROWS_TESTKIT_H

#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "fabric/iscsi/target.h"
#include "tree/node.h"

#define IQN  "iqn.2003-01.org.example:t0"
#define INI  "iqn.2003-01.org.example:init-a"
#define TPG  "/iscsi/" IQN "/tpgt_1"
#define DISK "/core/rd_mcp_0/r0"

extern struct tree *t;
extern struct entity *entity;

struct node *at(const char *path);
int try_mkdir(const char *path);
int try_rmdir(const char *path);
int try_link(const char *path, const char *target);
int try_unlink(const char *path);
int try_set(const char *path, const char *value);
void ok(int r, const char *what);
#define MKDIR(p)    ok(try_mkdir(p), "mkdir " p)
#define RMDIR(p)    ok(try_rmdir(p), "rmdir " p)
#define LINK(p, to) ok(try_link(p, to), "link " p)
#define UNLINK(p)   ok(try_unlink(p), "unlink " p)
#define SET(p, v)   ok(try_set(p, v), p "=" v)

int get(const char *path, struct strbuf *b);
void is(const char *path, const char *want);
int get_error(const char *path);

int setup(void **state);
int setup_sim(void **state);
int teardown(void **state);

#endif
