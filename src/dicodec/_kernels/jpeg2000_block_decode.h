/* Decoding of JPEG 2000's code-blocks: ISO/IEC 15444-1 Annex D. */
#ifndef DICODEC_JPEG2000_BLOCK_DECODE_H
#define DICODEC_JPEG2000_BLOCK_DECODE_H

#include "jpeg2000_packets.h"

typedef struct jpeg2000_block_decoder jpeg2000_block_decoder;

/* Make what one thread needs to decode blocks; NULL without memory. */
jpeg2000_block_decoder *jpeg2000_make_block_decoder(void);
void jpeg2000_release_block_decoder(jpeg2000_block_decoder *decoder);

/* Decode a block that has passes into an array of its component, whose rows have `stride`
 * coefficients: integers, or if the coding is not reversible floats, dequantized.
 *
 * A coefficient whose lowest planes are missing is taken for the middle of what it may be. */
kernel_status jpeg2000_decode_block(jpeg2000_block_decoder *decoder,
                                    const jpeg2000_subband *subband,
                                    const jpeg2000_coding *coding, const jpeg2000_block *block,
                                    const jpeg2000_piece *pieces, void *array, size_t stride);

#endif
