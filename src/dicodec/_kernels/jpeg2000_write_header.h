/* Writing of JPEG 2000's main header: ISO/IEC 15444-1 A.5, A.6. */
#ifndef DICODEC_JPEG2000_WRITE_HEADER_H
#define DICODEC_JPEG2000_WRITE_HEADER_H

#include "jpeg2000_rate.h"

/* Append a number of some bytes, for which there is room. */
void jpeg2000_put(jpeg2000_bytes *stream, uint32_t value, unsigned count);

/* Append SOC, SIZ, CAP with high throughput, COD and QCD of components that are coded alike; false
 * without memory. */
bool jpeg2000_write_header(const jpeg2000_header *header, jpeg2000_bytes *stream);

#endif
