/* Reading of JPEG 2000's main header: ISO/IEC 15444-1 A.5, A.6. */
#ifndef DICODEC_JPEG2000_READ_HEADER_H
#define DICODEC_JPEG2000_READ_HEADER_H

#include "jpeg2000_codestream.h"

/* Read the main header; *end is the place of the first SOT marker. */
kernel_status jpeg2000_read_header(const uint8_t *stream, size_t length, jpeg2000_header *header,
                                   size_t *end);

#endif
