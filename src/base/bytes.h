/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * bytes.h: big-endian integers as byte arrays.
 *
 * Wire structures of SCSI and iSCSI are built from these types: they have alignment 1, so a struct
 * of them has no padding, and no arithmetic is possible on them, so a forgotten swap does not
 * compile. Only the functions here touch .b.
 */
#ifndef ULIO_BASE_BYTES_H
#define ULIO_BASE_BYTES_H

#include <stdint.h>

typedef struct {
	uint8_t b[2];
} be16;
typedef struct {
	uint8_t b[3];
} be24;
typedef struct {
	uint8_t b[4];
} be32;
typedef struct {
	uint8_t b[6];
} be48;
typedef struct {
	uint8_t b[8];
} be64;

/* Reads of unaligned big-endian bytes in plain buffers (parameter lists, CDBs). */
static inline uint16_t get_be16(const uint8_t *p)
{
	return (uint16_t)(p[0] << 8 | p[1]);
}

static inline uint32_t get_be24(const uint8_t *p)
{
	return (uint32_t)p[0] << 16 | (uint32_t)p[1] << 8 | p[2];
}

static inline uint32_t get_be32(const uint8_t *p)
{
	return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static inline uint64_t get_be48(const uint8_t *p)
{
	return (uint64_t)get_be16(p) << 32 | get_be32(p + 2);
}

static inline uint64_t get_be64(const uint8_t *p)
{
	return (uint64_t)get_be32(p) << 32 | get_be32(p + 4);
}

static inline void put_be16(uint8_t *p, uint16_t v)
{
	p[0] = (uint8_t)(v >> 8);
	p[1] = (uint8_t)v;
}

static inline void put_be24(uint8_t *p, uint32_t v)
{
	p[0] = (uint8_t)(v >> 16);
	p[1] = (uint8_t)(v >> 8);
	p[2] = (uint8_t)v;
}

static inline void put_be32(uint8_t *p, uint32_t v)
{
	put_be16(p, (uint16_t)(v >> 16));
	put_be16(p + 2, (uint16_t)v);
}

static inline void put_be48(uint8_t *p, uint64_t v)
{
	put_be16(p, (uint16_t)(v >> 32));
	put_be32(p + 2, (uint32_t)v);
}

static inline void put_be64(uint8_t *p, uint64_t v)
{
	put_be32(p, (uint32_t)(v >> 32));
	put_be32(p + 4, (uint32_t)v);
}

/* The same for fields of wire structures. */
static inline uint16_t be16_get(be16 v)
{
	return get_be16(v.b);
}

static inline uint32_t be24_get(be24 v)
{
	return get_be24(v.b);
}

static inline uint32_t be32_get(be32 v)
{
	return get_be32(v.b);
}

static inline uint64_t be48_get(be48 v)
{
	return get_be48(v.b);
}

static inline uint64_t be64_get(be64 v)
{
	return get_be64(v.b);
}

static inline be16 be16_put(uint16_t v)
{
	be16 r;

	put_be16(r.b, v);
	return r;
}

static inline be24 be24_put(uint32_t v)
{
	be24 r;

	put_be24(r.b, v);
	return r;
}

static inline be32 be32_put(uint32_t v)
{
	be32 r;

	put_be32(r.b, v);
	return r;
}

static inline be48 be48_put(uint64_t v)
{
	be48 r;

	put_be48(r.b, v);
	return r;
}

static inline be64 be64_put(uint64_t v)
{
	be64 r;

	put_be64(r.b, v);
	return r;
}

#endif
