/* Encoding of JPEG 2000's code-blocks: ISO/IEC 15444-1 Annex D. */
#ifndef DICODEC_JPEG2000_BLOCK_ENCODE_H
#define DICODEC_JPEG2000_BLOCK_ENCODE_H

#include "jpeg2000_rate.h"

typedef struct jpeg2000_block_encoder jpeg2000_block_encoder;

enum { JPEG2000_FRACTION_BITS = 4 }; /* of quantized coefficients, which are not coded */

/* Make what one thread needs to encode blocks; NULL without memory. */
jpeg2000_block_encoder *jpeg2000_make_block_encoder(void);
void jpeg2000_release_block_encoder(jpeg2000_block_encoder *encoder);

typedef struct {
    const jpeg2000_subband *subband;
    jpeg2000_block *block;
    const int32_t *array; /* of its component */
    size_t stride;
} jpeg2000_block_place;

/* Encode all planes of one block, or of two at a time, and append their bytes.
 *
 * A block then knows its passes and missing planes. KERNEL_NOT_SERVED: a coefficient has more bits
 * than its subband. */
kernel_status jpeg2000_encode_blocks(jpeg2000_block_encoder *encoder,
                                     const jpeg2000_block_place *places, unsigned count,
                                     jpeg2000_bytes *bytes);

/* Quantize a block of an array of floats, and append its bytes and the cuts that are worth while.
 *
 * `weight` is the squared error of the image's samples that a coefficient's error of 1 makes; planes
 * below `lowest` are left out. */
kernel_status jpeg2000_encode_block_in_cuts(jpeg2000_block_encoder *encoder,
                                            const jpeg2000_subband *subband,
                                            jpeg2000_block *block, const float *array,
                                            size_t stride, double weight, unsigned lowest,
                                            jpeg2000_bytes *bytes, jpeg2000_cuts *cuts);

#endif
