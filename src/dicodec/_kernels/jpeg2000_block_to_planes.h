/* The samples of a JPEG 2000 code-block that is encoded, as bit-planes: ISO/IEC 15444-1 D.1. */
#ifndef DICODEC_JPEG2000_BLOCK_TO_PLANES_H
#define DICODEC_JPEG2000_BLOCK_TO_PLANES_H

#include "jpeg2000_block_model.h"
#include "jpeg2000_tile.h"

typedef struct {
    unsigned stripes; /* that the block has; those behind them are not defined */
    jpeg2000_stripe negative[JPEG2000_STRIPES];
    jpeg2000_stripe inside[JPEG2000_STRIPES]; /* which samples are the block's */
    jpeg2000_stripe planes[JPEG2000_MOST_PLANES][JPEG2000_STRIPES];
} jpeg2000_coded_planes;

/* Put a block's samples, whose rows are `stride` apart, into planes; return how many it has, which
 * may be more than there is room for: the higher ones are then left out. */
unsigned jpeg2000_gather_planes(jpeg2000_coded_planes *bits, const jpeg2000_block *block,
                                const int32_t *samples, size_t stride);

#endif
