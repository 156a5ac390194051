/* SPDX-License-Identifier: BSD-3-Clause */
/* fuzz.h: what a fuzz target defines; libFuzzer calls it, and replay.c. */
#ifndef ULIO_FUZZ_FUZZ_H
#define ULIO_FUZZ_FUZZ_H

#include <stddef.h>
#include <stdint.h>

/* Take one input. Returns 0; what is wrong ends the process. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif
