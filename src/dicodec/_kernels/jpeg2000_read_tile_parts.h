/* Reading of the headers of JPEG 2000's tile-parts: ISO/IEC 15444-1 A.4. */
#ifndef DICODEC_JPEG2000_READ_TILE_PARTS_H
#define DICODEC_JPEG2000_READ_TILE_PARTS_H

#include "jpeg2000_codestream.h"

/* The packets of a tile-part. */
typedef struct {
    const uint8_t *data;
    size_t length;
    uint32_t next; /* index of the tile's next tile-part, or 0 */
} jpeg2000_tile_part;

typedef struct {
    jpeg2000_tile_part *parts; /* from 1 on, in the order of the stream */
    uint32_t *first;           /* by tile, the index of its first tile-part */
} jpeg2000_tile_parts;

/* Find all tile-parts from the first SOT marker to EOC; release them whatever comes of it. */
kernel_status jpeg2000_read_tile_parts(const uint8_t *stream, size_t length, size_t at,
                                       const jpeg2000_header *header, jpeg2000_tile_parts *found);
void jpeg2000_release_tile_parts(jpeg2000_tile_parts *found);

#endif
