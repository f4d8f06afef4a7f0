/* Decoding of HTJ2K's code-blocks: ISO/IEC 15444-15 clause 7. */
#ifndef DICODEC_JPEG2000_HT_DECODE_H
#define DICODEC_JPEG2000_HT_DECODE_H

#include "jpeg2000_packets.h"

typedef struct jpeg2000_ht_decoder jpeg2000_ht_decoder;

/* Make what one thread needs to decode blocks; NULL without memory. */
jpeg2000_ht_decoder *jpeg2000_make_ht_decoder(void);
void jpeg2000_release_ht_decoder(jpeg2000_ht_decoder *decoder);

/* Decode a block that has passes as `jpeg2000_decode_block` does.
 *
 * KERNEL_NOT_SERVED: its bits are damaged, or it has passes behind the cleanup pass. */
kernel_status jpeg2000_decode_ht_block(jpeg2000_ht_decoder *decoder,
                                       const jpeg2000_subband *subband,
                                       const jpeg2000_coding *coding, const jpeg2000_block *block,
                                       const jpeg2000_piece *pieces, void *array, size_t stride);

#endif
