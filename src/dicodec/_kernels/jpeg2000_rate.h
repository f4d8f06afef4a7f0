/* Choosing the coding passes of a lossy stream: D. Taubman, "High performance scalable image
 * compression with EBCOT", IEEE Transactions on Image Processing 9(7), 2000, section III.
 *
 * A code-block may be cut behind each of its passes. Of the cuts only those are worth while that lie
 * on the convex hull of error over bytes; so for any price of a byte the best cut of each block is
 * the last one that gains more. The price is searched with which the stream meets its goal. */
#ifndef DICODEC_JPEG2000_RATE_H
#define DICODEC_JPEG2000_RATE_H

#include "jpeg2000_tile.h"

/* Bytes that grow. */
typedef struct {
    uint8_t *bytes;
    size_t length, room;
} jpeg2000_bytes;

/* Make room for some more bytes; false without memory. */
bool jpeg2000_make_room(jpeg2000_bytes *bytes, size_t count);

/* The end of a pass at which a code-block may be cut. */
typedef struct {
    uint32_t length; /* bytes up to there */
    uint16_t passes;
    double gain;  /* squared error that all passes up to there take away */
    double slope; /* and that the last bytes do, by byte */
} jpeg2000_cut;

/* The cuts of blocks, one block behind the other. */
typedef struct {
    jpeg2000_cut *cuts;
    size_t count, room;
} jpeg2000_cuts;

/* Add a cut behind those of the same block, which begin at `first`, and remove those that it makes
 * worthless; false without memory. */
bool jpeg2000_add_cut(jpeg2000_cuts *cuts, size_t first, const jpeg2000_cut *cut);

/* Cut a block where bytes cost a price; return the gain. */
double jpeg2000_cut_block(jpeg2000_block *block, const jpeg2000_cuts *cuts, double price);

/* Cut a block that is cut one cut later, if bytes cost a price and some are left; return how many of
 * them it takes. */
uint32_t jpeg2000_extend_block(jpeg2000_block *block, const jpeg2000_cuts *cuts, double price,
                               uint64_t left);

#endif
