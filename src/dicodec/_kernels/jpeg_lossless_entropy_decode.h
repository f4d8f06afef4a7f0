/* The differences that entropy-coded data of lossless JPEG hold: ISO/IEC 10918-1 F.2.2, H.2. */
#ifndef DICODEC_JPEG_LOSSLESS_ENTROPY_DECODE_H
#define DICODEC_JPEG_LOSSLESS_ENTROPY_DECODE_H

#include "jpeg_lossless_table.h"

/* Zeros behind entropy-coded data, so that it is read eight bytes at once. */
enum { JPEG_LOSSLESS_PADDING = 16 };

/* The bits of a restart interval. Behind them are zeros. */
typedef struct {
    uint64_t window;    /* the next bits are its highest */
    int held;           /* bits of the window; below 0 if more were taken than there are */
    const uint8_t *at;  /* the next byte */
    const uint8_t *end; /* of the data; JPEG_LOSSLESS_PADDING bytes follow */
} jpeg_lossless_bits;

static inline bool jpeg_lossless_is_past_end(const jpeg_lossless_bits *bits)
{
    return 8 * (bits->at - bits->end) > bits->held;
}

/* Copy entropy-coded data without their stuffing, up to the marker that ends them (B.1.1.5), with
 * padding behind.
 *
 * Return its second byte, or 0 if there is none; `*stream` is then behind it. */
unsigned jpeg_lossless_remove_stuffing(const uint8_t **stream, const uint8_t *end, uint8_t *plain,
                                       size_t *size);

/* Read the differences of a line, by a table for each of a pixel's samples; false if a code is
 * unknown. */
bool jpeg_lossless_read_differences(jpeg_lossless_bits *bits,
                                    const decoding_table *const tables[3], size_t pixel,
                                    uint16_t *differences, size_t count);

#endif
