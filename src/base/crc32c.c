/* SPDX-License-Identifier: BSD-3-Clause */
/* crc32c.c: CRC32C over flat and scattered bytes. */
#include "base/crc32c.h"

#include <assert.h>
#include <isa-l/crc.h>

/* ISA-L takes the length as an int. */
#define CRC_PIECE_MAX ((size_t)1 << 30)

uint32_t crc32c_update(uint32_t state, const void *p, size_t n)
{
	const uint8_t *b = p;

	while (n) {
		size_t part = n < CRC_PIECE_MAX ? n : CRC_PIECE_MAX;

		/* declared without const, but only read */
		state = crc32_iscsi((unsigned char *)b, (int)part, state);
		b += part;
		n -= part;
	}
	return state;
}

uint32_t crc32c_iov(uint32_t state, const struct iovec *iov, size_t niov, size_t off, size_t len)
{
	for (size_t i = 0; i < niov && len; i++) {
		size_t part;

		if (off >= iov[i].iov_len) {
			off -= iov[i].iov_len;
			continue;
		}
		part = iov[i].iov_len - off;
		if (part > len)
			part = len;
		state = crc32c_update(state, (const uint8_t *)iov[i].iov_base + off, part);
		off = 0;
		len -= part;
	}
	assert(len == 0);
	return state;
}

uint32_t crc32c(const void *p, size_t n)
{
	return crc32c_final(crc32c_update(crc32c_init(), p, n));
}
