/* JPEG-LS: ISO/IEC 14495-1, lossless and near-lossless. */
#ifndef DICODEC_JPEG_LS_H
#define DICODEC_JPEG_LS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "image.h"
#include "status.h"

enum {
    JPEG_LS_MOST_LINES = 65535, /* and columns, that a frame header can state */
    JPEG_LS_MOST_NEAR = 255,
};

/* Decode a stream that begins with SOI, and may be followed by zeros, into the words of `image`.
 *
 * KERNEL_NOT_SERVED leaves the decision to the library: another process or size, a rare form of the
 * markers, damaged data, data left over, a sample past Bits Stored. */
kernel_status jpeg_ls_decode(const uint8_t *stream, size_t length, const kernel_image *image,
                             uint8_t *words);

typedef struct {
    unsigned precision; /* P, 2 to 16: the lowest bits of a word that are coded */
    unsigned near;      /* NEAR: 0 to half of the largest sample, and to JPEG_LS_MOST_NEAR */
} jpeg_ls_settings;

/* Write a stream, the samples of three components interleaved; the caller frees it.
 *
 * KERNEL_NOT_SERVED: a sample is past Bits Stored, or NEAR could move a signed one past it. */
kernel_status jpeg_ls_encode(const uint8_t *words, const kernel_image *image,
                             const jpeg_ls_settings *settings, uint8_t **stream, size_t *length);

#endif
