/* The bits of a scan: a 0 bit is stuffed behind each byte FF (ISO/IEC 14495-1 A.1, C.1). */
#ifndef DICODEC_JPEG_LS_BITS_H
#define DICODEC_JPEG_LS_BITS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    JPEG_LS_PADDING = 32, /* bytes behind bits that are read eight bytes at once */
    JPEG_LS_MOST_AT_ONCE = 56, /* bits that a window holds for certain, and that are put at once */
};

/* Written without a loop, because only so does the compiler make one instruction of it. */
static inline uint64_t jpeg_ls_load(const uint8_t *bytes)
{
    return (uint64_t)bytes[0] << 56 | (uint64_t)bytes[1] << 48 | (uint64_t)bytes[2] << 40
        | (uint64_t)bytes[3] << 32 | (uint64_t)bytes[4] << 24 | (uint64_t)bytes[5] << 16
        | (uint64_t)bytes[6] << 8 | bytes[7];
}

static inline void jpeg_ls_store(uint8_t *bytes, uint64_t value)
{
    bytes[0] = (uint8_t)(value >> 56);
    bytes[1] = (uint8_t)(value >> 48);
    bytes[2] = (uint8_t)(value >> 40);
    bytes[3] = (uint8_t)(value >> 32);
    bytes[4] = (uint8_t)(value >> 24);
    bytes[5] = (uint8_t)(value >> 16);
    bytes[6] = (uint8_t)(value >> 8);
    bytes[7] = (uint8_t)value;
}

/* The bits from a position on, at the top. */
static inline uint64_t jpeg_ls_look(const uint8_t *bits, size_t position)
{
    return jpeg_ls_load(bits + (position >> 3)) << (position & 7);
}

/* The first `count` bits of a window, up to 31. */
static inline unsigned jpeg_ls_take(uint64_t window, unsigned count)
{
    return (unsigned)(window >> 1 >> (63 - count));
}

/* The zeros at the top of a window that is not 0. */
static inline unsigned jpeg_ls_count_zeros(uint64_t window)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_clzll(window);
#else
    unsigned zeros = 0;
    while (!(window >> 63)) {
        window <<= 1;
        zeros++;
    }
    return zeros;
#endif
}

/* Copy a scan's bits without stuffing, up to the marker that ends them, and zeros behind them.
 *
 * `bits` has room for the bytes from `at` to `end` and for JPEG_LS_PADDING. Return where the marker
 * is, NULL if there is none. */
const uint8_t *jpeg_ls_remove_stuffing(const uint8_t *at, const uint8_t *end, uint8_t *bits,
                                       size_t *count);

/* Bits on their way out, without stuffing. */
typedef struct {
    uint64_t window; /* the bits that do not fill a byte yet, at the top */
    unsigned held;   /* how many, 0 to 7 */
    uint8_t *at;
} jpeg_ls_bits;

/* Put the lowest `count` bits of a value, all others being 0; 1 to JPEG_LS_MOST_AT_ONCE. */
static inline void jpeg_ls_put(jpeg_ls_bits *bits, uint64_t value, unsigned count)
{
    bits->window |= value << (64 - bits->held - count);
    bits->held += count;
    jpeg_ls_store(bits->at, bits->window);
    unsigned bytes = bits->held >> 3;
    bits->at += bytes;
    bits->window <<= 8 * bytes;
    bits->held &= 7;
}

static inline void jpeg_ls_put_zeros(jpeg_ls_bits *bits, unsigned count)
{
    for (; count > JPEG_LS_MOST_AT_ONCE; count -= JPEG_LS_MOST_AT_ONCE)
        jpeg_ls_put(bits, 0, JPEG_LS_MOST_AT_ONCE);
    if (count)
        jpeg_ls_put(bits, 0, count);
}

/* Stuffed bytes; room grows. */
typedef struct {
    uint8_t *bytes;
    size_t length, room;
    bool after_ff; /* the last byte is FF: the next takes seven bits */
} jpeg_ls_output;

/* Make room for some bytes more; false without memory. */
bool jpeg_ls_reserve(jpeg_ls_output *output, size_t more);

/* Move the bits of a line, which begin at `first`, to the output; a few stay in `bits`, which has
 * JPEG_LS_PADDING bytes of room. False without memory. */
bool jpeg_ls_stuff(jpeg_ls_output *output, jpeg_ls_bits *bits, uint8_t *first);

/* Fill up the last byte (A.1); false without memory. */
bool jpeg_ls_finish(jpeg_ls_output *output, jpeg_ls_bits *bits);

#endif
