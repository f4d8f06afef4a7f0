/* Encoding of JPEG 2000's code-blocks: ISO/IEC 15444-1 Annex D. */
#ifndef DICODEC_JPEG2000_BLOCK_ENCODE_H
#define DICODEC_JPEG2000_BLOCK_ENCODE_H

#include "jpeg2000_tile.h"

typedef struct jpeg2000_block_encoder jpeg2000_block_encoder;

/* Make what one thread needs to encode blocks; NULL without memory. */
jpeg2000_block_encoder *jpeg2000_make_block_encoder(void);
void jpeg2000_release_block_encoder(jpeg2000_block_encoder *encoder);

/* The bytes of blocks, one behind the other. */
typedef struct {
    uint8_t *bytes;
    size_t length, room;
} jpeg2000_bytes;

/* Make room for some more bytes; false without memory. */
bool jpeg2000_make_room(jpeg2000_bytes *bytes, size_t count);

/* Encode all planes of a block of a component's array, and append its bytes.
 *
 * The block then knows its passes and missing planes. KERNEL_NOT_SERVED: a coefficient has more
 * bits than its subband. */
kernel_status jpeg2000_encode_block(jpeg2000_block_encoder *encoder,
                                    const jpeg2000_subband *subband, jpeg2000_block *block,
                                    const int32_t *array, size_t stride, jpeg2000_bytes *bytes);

#endif
