/* The coefficients of a JPEG 2000 code-block that is decoded, of bit-planes: ISO/IEC 15444-1 D.1,
 * E.1. */
#ifndef DICODEC_JPEG2000_BLOCK_FROM_PLANES_H
#define DICODEC_JPEG2000_BLOCK_FROM_PLANES_H

#include <stddef.h>

#include "jpeg2000_block_model.h"

enum { JPEG2000_DECODED_PLANES = JPEG2000_MOST_PLANES + 1 }; /* the lowest one holds halves */

typedef struct {
    unsigned stripes, width, height;
    jpeg2000_stripe negative[JPEG2000_STRIPES];
    jpeg2000_stripe planes[JPEG2000_DECODED_PLANES][JPEG2000_STRIPES];
} jpeg2000_decoded_planes;

/* Put a block's coefficients of some planes, beside that of halves, into the array of its component
 * from a place on: integers, to which halves do not count, or if not reversible floats, dequantized
 * by half a step for each half. */
void jpeg2000_put_coefficients(const jpeg2000_decoded_planes *block, unsigned planes,
                               bool is_reversible, float half_step, void *array, size_t place,
                               size_t stride);

#endif
