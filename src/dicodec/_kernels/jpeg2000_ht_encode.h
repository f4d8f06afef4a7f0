/* Encoding of HTJ2K's code-blocks, by a cleanup pass only: ISO/IEC 15444-15 Clause 7. */
#ifndef DICODEC_JPEG2000_HT_ENCODE_H
#define DICODEC_JPEG2000_HT_ENCODE_H

#include "jpeg2000_block_encode.h"

typedef struct jpeg2000_ht_encoder jpeg2000_ht_encoder;

/* Make what one thread needs to encode blocks; NULL without memory. */
jpeg2000_ht_encoder *jpeg2000_make_ht_encoder(void);

/* Encode a block down to its lowest plane, and append its bytes; free() releases the encoder.
 *
 * A block then knows its pass and missing planes. KERNEL_NOT_SERVED: a coefficient has more bits
 * than its subband. */
kernel_status jpeg2000_ht_encode_block(jpeg2000_ht_encoder *encoder,
                                       const jpeg2000_block_place *place, jpeg2000_bytes *bytes);

#endif
