/* Writing of JPEG 2000's packet headers: ISO/IEC 15444-1 B.10. */
#ifndef DICODEC_JPEG2000_PACKET_HEADERS_H
#define DICODEC_JPEG2000_PACKET_HEADERS_H

#include "jpeg2000_block_encode.h"

/* Append the header of a precinct's only packet, whose blocks are encoded; false without memory.
 *
 * It may be written again with other passes of the blocks. */
bool jpeg2000_write_packet_header(const jpeg2000_precinct *precinct, jpeg2000_bytes *bytes);

#endif
