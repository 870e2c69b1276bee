/*
 * crc.h
 *	  Four CRCs at a time.
 */
#ifndef VECIDX_KERNEL_CRC_H
#define VECIDX_KERNEL_CRC_H

#include "kernel/kernel.h"

static inline uint64
vecidx_crc_word(const uint8 *data)
{
	uint64		word;

	memcpy(&word, data, sizeof(word));
	return word;
}

/*
 * Defines a function that makes the CRC-32C of four runs of n bytes, each a
 * chain of steps that wait for each other: those of four chains do not.
 * step(crc, word) takes eight bytes in.
 */
#define VECIDX_CRC_QUARTERS(attribute, name, step) \
attribute void \
name(const uint8 *data, Size n, uint32 *crc) \
{ \
	uint32		a = 0xFFFFFFFF; \
	uint32		b = 0xFFFFFFFF; \
	uint32		c = 0xFFFFFFFF; \
	uint32		d = 0xFFFFFFFF; \
\
	for (Size at = 0; at < n; at += sizeof(uint64)) \
	{ \
		a = (uint32) step(a, vecidx_crc_word(data + at)); \
		b = (uint32) step(b, vecidx_crc_word(data + n + at)); \
		c = (uint32) step(c, vecidx_crc_word(data + 2 * n + at)); \
		d = (uint32) step(d, vecidx_crc_word(data + 3 * n + at)); \
	} \
	crc[0] = ~a; \
	crc[1] = ~b; \
	crc[2] = ~c; \
	crc[3] = ~d; \
}

#endif							/* VECIDX_KERNEL_CRC_H */
