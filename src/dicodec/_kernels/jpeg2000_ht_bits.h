/* Bits of HTJ2K without stuffing, from the lowest of each byte on: ISO/IEC 15444-15 7.1. */
#ifndef DICODEC_JPEG2000_HT_BITS_H
#define DICODEC_JPEG2000_HT_BITS_H

#include <stddef.h>

#include "jpeg2000_block_model.h"

/* Return 57 or more bits from a place on. */
ALWAYS_INLINE uint64_t peek_bits(const uint8_t *bytes, size_t place)
{
    const uint8_t *at = bytes + (place >> 3);
    uint64_t bits = (uint64_t)at[0] | (uint64_t)at[1] << 8 | (uint64_t)at[2] << 16
                    | (uint64_t)at[3] << 24 | (uint64_t)at[4] << 32 | (uint64_t)at[5] << 40
                    | (uint64_t)at[6] << 48 | (uint64_t)at[7] << 56;
    return bits >> (place & 7);
}

/* Written without a loop, because only so does the compiler make one instruction of it. */
ALWAYS_INLINE void store_word(uint8_t *bytes, uint64_t value)
{
    bytes[0] = (uint8_t)value;
    bytes[1] = (uint8_t)(value >> 8);
    bytes[2] = (uint8_t)(value >> 16);
    bytes[3] = (uint8_t)(value >> 24);
    bytes[4] = (uint8_t)(value >> 32);
    bytes[5] = (uint8_t)(value >> 40);
    bytes[6] = (uint8_t)(value >> 48);
    bytes[7] = (uint8_t)(value >> 56);
}

#endif
