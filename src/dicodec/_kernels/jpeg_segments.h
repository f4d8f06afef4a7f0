/* What the marker segments of lossless JPEG and JPEG-LS share: ISO/IEC 10918-1 Annex B. */
#ifndef DICODEC_JPEG_SEGMENTS_H
#define DICODEC_JPEG_SEGMENTS_H

#include <stdbool.h>
#include <stddef.h>

#include "image.h"

enum { JPEG_MOST_SEGMENTS = 1000 }; /* that are read; real streams have a few */

/* Read a marker, and fill bytes before it; 0 if there is none. */
unsigned jpeg_read_marker(const uint8_t **at, const uint8_t *end);

/* Return the parameters behind a marker, and go on behind them; NULL if they are cut. */
const uint8_t *jpeg_take_parameters(const uint8_t **at, const uint8_t *end, size_t *size);

/* Read P and the components' identifiers (B.2.2); false if the frame is not such an image, or its
 * components are subsampled or not told apart. */
bool jpeg_read_frame_header(const uint8_t *at, size_t size, const kernel_image *image,
                            unsigned *precision, uint8_t ids[3]);

/* Whether what is behind EOI only pads it, so that no other stream begins there. */
bool jpeg_is_padding(const uint8_t *at, const uint8_t *end);

#endif
