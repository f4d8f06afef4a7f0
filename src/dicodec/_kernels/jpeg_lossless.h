/* Lossless JPEG with Huffman codes: ISO/IEC 10918-1, process 14 (Annex H). */
#ifndef DICODEC_JPEG_LOSSLESS_H
#define DICODEC_JPEG_LOSSLESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image.h"
#include "status.h"

enum {
    JPEG_LOSSLESS_LARGEST_CATEGORY = 16, /* the difference 32768 alone, so no bits follow (H.1.2.2) */
    JPEG_LOSSLESS_CATEGORIES = JPEG_LOSSLESS_LARGEST_CATEGORY + 1,
    JPEG_LOSSLESS_LONGEST_CODE = 16,
    JPEG_LOSSLESS_MOST_LINES = 65500, /* and columns: libjpeg takes no more */
};

/* A macro for each selection value, so that the compiler makes a loop for each. */
#define EACH_PREDICTOR(WITH) WITH(1); WITH(2); WITH(3); WITH(4); WITH(5); WITH(6); WITH(7);

/* Predict a sample from those to the left, above, and above to the left (Table H.1). */
static inline int jpeg_lossless_predict(int left, int above, int corner, unsigned predictor)
{
    switch (predictor) {
    case 2:
        return above;
    case 3:
        return corner;
    case 4:
        return left + above - corner;
    case 5:
        return left + ((above - corner) >> 1);
    case 6:
        return above + ((left - corner) >> 1);
    case 7:
        return (left + above) >> 1;
    default:
        return left;
    }
}

/* Decode a stream that begins with SOI, and may be followed by zeros, into the words of `image`.
 *
 * KERNEL_NOT_SERVED and KERNEL_CORRUPT leave the decision to the library: another process or size,
 * a sample past its precision or past Bits Stored, a rare form of the markers, an unknown code. */
kernel_status jpeg_lossless_decode(const uint8_t *stream, size_t length,
                                   const kernel_image *image, uint8_t *words);

typedef struct {
    unsigned precision; /* P, 2 to 16: the lowest bits of a word that are coded */
    unsigned predictor; /* selection value, 1 to 7 */
    bool is_rgb;        /* mark three components as R, G and B */
} jpeg_lossless_settings;

/* The Huffman table of an image's differences, and how long the stream gets. */
typedef struct {
    uint8_t counts[JPEG_LOSSLESS_LONGEST_CODE];  /* BITS: codes by length, 1 to 16 */
    uint8_t categories[JPEG_LOSSLESS_CATEGORIES]; /* HUFFVAL: in the order of their codes */
    size_t most_bytes;                           /* no stream of the image is longer */
} jpeg_lossless_plan;

/* Measure an image's differences. KERNEL_NOT_SERVED: a sample is past Bits Stored. */
kernel_status jpeg_lossless_prepare(const uint8_t *words, const kernel_image *image,
                                    const jpeg_lossless_settings *settings,
                                    jpeg_lossless_plan *plan);

/* Write the stream, and its length; `room` is the size of `stream`, best plan->most_bytes. */
kernel_status jpeg_lossless_encode(const uint8_t *words, const kernel_image *image,
                                   const jpeg_lossless_settings *settings,
                                   const jpeg_lossless_plan *plan, uint8_t *stream, size_t room,
                                   size_t *length);

#endif
