/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * poison.h: tell AddressSanitizer which memory of our own allocators is free, so that it reports
 * a use after it was given back. Nothing in other builds.
 */
#ifndef ULIO_LOOP_POISON_H
#define ULIO_LOOP_POISON_H

#include <stddef.h>

#if defined(__SANITIZE_ADDRESS__)
#define ULIO_ASAN 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ULIO_ASAN 1
#endif
#endif

#ifdef ULIO_ASAN
#include <sanitizer/asan_interface.h>
static inline void mem_poison(const void *p, size_t n)
{
	ASAN_POISON_MEMORY_REGION(p, n);
}
static inline void mem_unpoison(const void *p, size_t n)
{
	ASAN_UNPOISON_MEMORY_REGION(p, n);
}
#else
static inline void mem_poison(const void *p, size_t n)
{
	(void)p;
	(void)n;
}
static inline void mem_unpoison(const void *p, size_t n)
{
	(void)p;
	(void)n;
}
#endif

#endif
