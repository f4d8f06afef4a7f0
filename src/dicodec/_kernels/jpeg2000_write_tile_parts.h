/* Writing of the tile-parts of JPEG 2000's only tile: ISO/IEC 15444-1 A.4, A.7.1, B.9. */
#ifndef DICODEC_JPEG2000_WRITE_TILE_PARTS_H
#define DICODEC_JPEG2000_WRITE_TILE_PARTS_H

#include "jpeg2000_encoder.h"

/* Append all packets and EOC to the stream, of which there is the main header; the blocks are
 * encoded.
 *
 * A stream of high throughput has a tile-part for each resolution, and their lengths before them. */
kernel_status jpeg2000_write_tile_parts(jpeg2000_encoder *state);

#endif
