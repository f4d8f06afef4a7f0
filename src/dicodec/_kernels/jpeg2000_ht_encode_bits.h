/* Writing of the three bit streams of HTJ2K's cleanup segment: ISO/IEC 15444-15 7.1, 7.3.3.
 *
 * MagSgn and VLC bits are put without stuffing, from the lowest bit of a byte on, and stuffed when
 * all are there; so nothing branches on what noise decides. MEL bits are few. */
#ifndef DICODEC_JPEG2000_HT_ENCODE_BITS_H
#define DICODEC_JPEG2000_HT_ENCODE_BITS_H

#include <stddef.h>

#include "jpeg2000_ht_bits.h"

enum {
    JPEG2000_HT_AT_ONCE = 56, /* bits that are put at once */
    JPEG2000_HT_PADDING = 16, /* bytes of room behind bits, and before and behind stuffed bytes */
};

/* Bits on their way out, without stuffing. */
typedef struct {
    uint64_t window; /* the bits that do not fill a byte yet, at the bottom */
    unsigned held;   /* how many, 0 to 7 */
    uint8_t *at;
} jpeg2000_ht_bit_writer;

/* Put the lowest `count` bits of a value, all others being 0; up to JPEG2000_HT_AT_ONCE. */
static inline void jpeg2000_ht_put(jpeg2000_ht_bit_writer *bits, uint64_t value, unsigned count)
{
    bits->window |= value << bits->held;
    bits->held += count;
    store_word(bits->at, bits->window);
    unsigned whole = bits->held & ~7u;
    bits->at += whole >> 3;
    bits->window >>= whole;
    bits->held &= 7;
}

enum { JPEG2000_HT_MEL_ROOM = 1024 }; /* 1,040 symbols of a code-block, of up to 6 bits */

/* The adaptive run-length coder, 7.3.3. */
typedef struct {
    uint32_t window; /* the bits that do not fill a byte yet, at the bottom */
    unsigned held, size; /* how many, and how many fill it: 7 behind a byte of ones, else 8 */
    unsigned state, run;
    size_t length;
    uint8_t bytes[JPEG2000_HT_MEL_ROOM];
} jpeg2000_ht_mel;

static inline void jpeg2000_ht_begin_mel(jpeg2000_ht_mel *mel)
{
    mel->window = mel->held = mel->state = mel->run = 0;
    mel->size = 8;
    mel->length = 0;
}

void jpeg2000_ht_put_mel(jpeg2000_ht_mel *mel, unsigned symbol);

/* Stuff the MagSgn bits from `first` on, which are not empty bytes only; return how many bytes they
 * take from `out` on. */
size_t jpeg2000_ht_stuff_magnitudes(jpeg2000_ht_bit_writer *bits, const uint8_t *first,
                                    uint8_t *out);

/* Stuff the VLC bits from `first` on, which begin with four ones for Scup, and put MEL bytes before
 * them and Scup into them; *end is the end of the room, of which the segment's end takes the last
 * bytes. Return how many. */
size_t jpeg2000_ht_join(jpeg2000_ht_mel *mel, jpeg2000_ht_bit_writer *codes, const uint8_t *first,
                        uint8_t *end);

#endif
