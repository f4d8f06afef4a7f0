/* An image of words: samples by pixel, little endian, 8 or 16 bits each, zero- or sign-extended. */
#ifndef DICODEC_IMAGE_H
#define DICODEC_IMAGE_H

#include <stdbool.h>
#include <stdint.h>

typedef struct {
    uint32_t rows, columns; /* at least 1; each codec has a most */
    unsigned components;    /* 1 or 3 */
    unsigned word_size;     /* bytes of a word: 1 or 2 */
    unsigned bits_stored;   /* 1 to 8 * word_size */
    bool is_signed;
} kernel_image;

#endif
