/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * rig.h: what targets with a whole engine share: the fields of an input, loops in the simulator
 * with an engine and disks, made anew for each input, and the same random numbers every time.
 */
#ifndef ULIO_FUZZ_RIG_H
#define ULIO_FUZZ_RIG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/lu.h"
#include "engine/port.h"
#include "loop/loop.h"

/* Say what is wrong and end the process. */
_Noreturn void fuzz_fail(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#define REQUIRE(cond, ...)                                                                         \
	do {                                                                                       \
		if (!(cond))                                                                       \
			fuzz_fail(__VA_ARGS__);                                                    \
	} while (0)

/* What is left of an input; behind its end are zeroes. */
struct input {
	const uint8_t *p;
	size_t left;
};

uint8_t input_u8(struct input *in);
uint16_t input_u16(struct input *in);
uint32_t input_u32(struct input *in);
/* Up to n bytes; *ret_n says how many there are. */
const uint8_t *input_bytes(struct input *in, size_t n, size_t *ret_n);

struct rig {
	struct loops *loops;
	struct backstore_registry *reg;
	struct engine *eng;
	uint64_t used_bytes; /* of the pool, at first */
};

void rig_init(struct rig *r, unsigned nloops, uint64_t seed, uint64_t page_limit_bytes);
/* Everything that was made in it must be gone; checks that all pages have come back. */
void rig_done(struct rig *r);
/* The attributes of a disk's LU before they are applied. */
typedef void rig_attribs_fn(struct lu_attribs *a, void *arg);
struct lu *rig_lu_new(struct rig *r, const char *spec, rig_attribs_fn *edit, void *arg);
void rig_lu_free(struct lu *lu);
/* Show it as that LUN of the port, and no more. */
void rig_map(struct port *port, uint32_t lun, struct lu *lu);
void rig_unmap(struct port *port, uint32_t lun);
/* A setting of its disk, live. */
void rig_set(struct lu *lu, const char *key, const char *value);
/* Let the simulation go on for so long. */
void rig_run(struct rig *r, uint64_t ns);

#endif
