/* The entropy-coded data of lossless JPEG's differences: ISO/IEC 10918-1 F.1.2, H.1.2.2. */
#ifndef DICODEC_JPEG_LOSSLESS_ENTROPY_ENCODE_H
#define DICODEC_JPEG_LOSSLESS_ENTROPY_ENCODE_H

#include "jpeg_lossless.h"

/* What stands for a difference: its category's code, and its additional bits. */
typedef struct {
    uint32_t code; /* moved to make room for the additional bits */
    uint16_t mask; /* of the additional bits */
    uint16_t count; /* bits of both */
} jpeg_lossless_code;

/* The stream, and the bits of a line before they are stuffed. */
typedef struct {
    jpeg_lossless_code codes[JPEG_LOSSLESS_CATEGORIES];
    uint64_t window; /* its lowest `held` bits are a byte begun */
    unsigned held;
    uint8_t *plain; /* room for a line, and eight bytes */
    uint8_t *at, *end;
    bool overflown;
} jpeg_lossless_writer;

/* Find the codes of a plan (C.2). */
void jpeg_lossless_assign_codes(jpeg_lossless_writer *writer, const jpeg_lossless_plan *plan);

/* Write a line's codes; bits of a byte begun wait for the next one. */
void jpeg_lossless_write_line(jpeg_lossless_writer *writer, const uint16_t *differences,
                              const uint8_t *categories, size_t count);

/* Fill the last byte with ones (F.1.2.3). */
void jpeg_lossless_fill_last_byte(jpeg_lossless_writer *writer);

#endif
