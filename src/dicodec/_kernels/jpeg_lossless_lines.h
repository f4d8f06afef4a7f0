/* The lines of an image that is encoded, and their differences: ISO/IEC 10918-1 H.1. */
#ifndef DICODEC_JPEG_LOSSLESS_LINES_H
#define DICODEC_JPEG_LOSSLESS_LINES_H

#include "jpeg_lossless.h"

/* Lines as 16-bit samples, and the last one's differences with their categories. */
typedef struct {
    const uint8_t *words;
    const kernel_image *image;
    const jpeg_lossless_settings *settings;
    size_t count;   /* samples of a line */
    uint16_t *line; /* the last one read */
    uint16_t *above;
    uint16_t *differences;
    uint8_t *categories;
    uint32_t biased; /* all samples or-ed, moved so that Bits Stored hold them as unsigned */
} jpeg_lossless_lines;

/* Begin at the first line; false without memory. */
bool jpeg_lossless_open_lines(jpeg_lossless_lines *lines, const uint8_t *words,
                              const kernel_image *image,
                              const jpeg_lossless_settings *settings);
void jpeg_lossless_close_lines(jpeg_lossless_lines *lines);

/* Read line y, the one behind the last, and find its differences modulo 2^16 (H.1.2.1). */
void jpeg_lossless_read_line(jpeg_lossless_lines *lines, uint32_t y);

#endif
