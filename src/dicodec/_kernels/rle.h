/* RLE Lossless (PS3.5 Annex G): PackBits of each byte plane of an image.
 *
 * Words are samples of 1 to 8 bytes, little endian and by pixel. The planes are those of the first
 * sample, the most significant byte first, then those of the next sample (G.2). */
#ifndef DICODEC_RLE_H
#define DICODEC_RLE_H

#include <stddef.h>
#include <stdint.h>

#include "status.h"

#define RLE_HEADER_SIZE 64
#define RLE_MAX_SEGMENTS 15

typedef struct {
    const uint8_t *data;
    size_t length;
} rle_segment;

/* The room that rle_encode wants, in bytes; 0 if that is more than a header's offsets can say. */
size_t rle_find_room(size_t rows, size_t columns, unsigned planes);

/* Write a whole frame: header, and a segment of even length for each plane. Runs end with the row
 * (G.3.1).
 *
 * `words` has rows * columns * samples * size bytes; samples * size is 1 to 15. `room` is at least
 * what rle_find_room says, or nothing is written: KERNEL_NO_ROOM. */
kernel_status rle_encode(const uint8_t *words, size_t rows, size_t columns, unsigned samples,
                         unsigned size, uint8_t *frame, size_t room, size_t *length);

/* Decode the segments of an image's planes, 1 to 15, into words.
 *
 * Bytes behind the run that completes a plane are ignored, and so is what that run holds too much.
 * KERNEL_TRUNCATED: a segment ends before its plane is complete, or within a run. `words` has
 * pixels * planes bytes; size is 1 to 8 and divides planes. */
kernel_status rle_decode(const rle_segment *segments, unsigned planes, size_t pixels, unsigned size,
                         uint8_t *words);

#endif
