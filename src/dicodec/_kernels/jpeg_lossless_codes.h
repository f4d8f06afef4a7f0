/* The Huffman codes of an image that is encoded: ISO/IEC 10918-1 K.2. */
#ifndef DICODEC_JPEG_LOSSLESS_CODES_H
#define DICODEC_JPEG_LOSSLESS_CODES_H

#include "jpeg_lossless.h"

static inline unsigned jpeg_lossless_count_additional_bits(unsigned category)
{
    return category == JPEG_LOSSLESS_LARGEST_CATEGORY ? 0 : category;
}

/* Make the table that codes the categories with the fewest bits. */
void jpeg_lossless_choose_codes(const uint64_t *histogram, jpeg_lossless_plan *plan);

#endif
