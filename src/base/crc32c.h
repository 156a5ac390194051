/* SPDX-License-Identifier: BSD-3-Clause */
/*
 * crc32c.h: the digest of iSCSI (RFC 7143 13.1: CRC32C, generator 0x1EDC6F41), by ISA-L.
 *
 * Stepwise: state = crc32c_init(), then crc32c_update() over the bytes in order, in pieces of
 * any size, then crc32c_final() gives the CRC. Pure functions, any thread.
 */
#ifndef ULIO_BASE_CRC32C_H
#define ULIO_BASE_CRC32C_H

#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

static inline uint32_t crc32c_init(void)
{
	return UINT32_MAX;
}

static inline uint32_t crc32c_final(uint32_t state)
{
	return ~state;
}

/* Take n more bytes in. */
uint32_t crc32c_update(uint32_t state, const void *p, size_t n);

/*
 * Take len bytes in, which begin off bytes into the iovec list. They must lie within it.
 * The pad bytes of a PDU's data segment (RFC 7143 11.7) are the caller's to add.
 */
uint32_t crc32c_iov(uint32_t state, const struct iovec *iov, size_t niov, size_t off, size_t len);

/* The CRC of n bytes. */
uint32_t crc32c(const void *p, size_t n);

/*
 * The CRC as the four bytes of a digest: the least significant byte goes first, so that the
 * bytes are those of RFC 3720 B.4's examples.
 */
static inline void crc32c_put(uint8_t *digest, uint32_t crc)
{
	digest[0] = (uint8_t)crc;
	digest[1] = (uint8_t)(crc >> 8);
	digest[2] = (uint8_t)(crc >> 16);
	digest[3] = (uint8_t)(crc >> 24);
}

static inline uint32_t crc32c_get(const uint8_t *digest)
{
	return digest[0] | (uint32_t)digest[1] << 8 | (uint32_t)digest[2] << 16 |
	       (uint32_t)digest[3] << 24;
}

#endif
