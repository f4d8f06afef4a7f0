/* JPEG 2000's packets and their headers: ISO/IEC 15444-1 B.9 to B.12. */
#ifndef DICODEC_JPEG2000_PACKETS_H
#define DICODEC_JPEG2000_PACKETS_H

#include "jpeg2000_read_tile_parts.h"
#include "jpeg2000_tile.h"

/* The pieces of code-blocks that a tile's packets hold, from index 1 on. */
typedef struct {
    jpeg2000_piece *pieces;
    uint32_t count, room;
} jpeg2000_pieces;

/* Return how many passes the codeword segment that begins with a pass has at most, D.4 and D.6. */
unsigned jpeg2000_count_segment_passes(unsigned block_style, unsigned first_pass);

/* Return whether a pass bypasses the arithmetic coder, D.6. */
bool jpeg2000_is_raw(unsigned block_style, unsigned pass);

/* Read all packets of a divided tile; its blocks then know their pieces.
 *
 * KERNEL_NOT_SERVED: data are missing, left over, or contradict themselves. The pieces are to be
 * freed whatever comes of it. */
kernel_status jpeg2000_read_packets(const jpeg2000_header *header,
                                    const jpeg2000_tile_part *parts, uint32_t first,
                                    jpeg2000_tile *tile, jpeg2000_pieces *pieces);

#endif
