/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * saveauth.h: what a directory of CHAP secrets (auth/, discovery_auth/) has beyond LIO's four
 * files: the accounts in users/, second secrets, files that secrets are read from, the choice of
 * algorithms. LIO's schema has no place for them; they are kept beside it, by the path of the
 * directory that they lie in. Control thread.
 */
#ifndef ULIO_CONTROL_SAVEAUTH_H
#define ULIO_CONTROL_SAVEAUTH_H

#include <jansson.h>

#include "tree/node.h"

struct apply;

/* Add to the extras what auth (NULL: nothing) and its accounts have. */
void saveauth_dump(struct tree *t, struct node *auth, json_t *extras);

/*
 * Bring auth to what the extras have; without extras nothing is touched. Before LIO's four files
 * are set, which win where both have a secret. What fails is told, and sets a->unsafe if people
 * might get in by what is left.
 */
void saveauth_apply(struct apply *a, struct node *auth);

#endif
