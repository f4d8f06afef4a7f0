/* JPEG 2000's component transformations and level shift: ISO/IEC 15444-1 Annex G. */
#ifndef DICODEC_JPEG2000_COMPONENTS_H
#define DICODEC_JPEG2000_COMPONENTS_H

#include "jpeg2000.h"

/* One row of samples of each component, as the wavelet transformation leaves them. */
typedef struct {
    void *rows[JPEG2000_MOST_COMPONENTS]; /* integers, or floats */
    bool is_reversible[JPEG2000_MOST_COMPONENTS];
    bool transform; /* undo RCT or ICT */
    unsigned precision;
    bool is_signed; /* in the stream */
    bool refuses_outside; /* do not limit what lies outside of the precision, if reversible */
} jpeg2000_samples;

/* Room for a row each. */
typedef struct {
    int32_t *rounded;
    uint16_t *finished;
} jpeg2000_row_buffers;

/* Put a row into the words of an image; false if a sample is past Bits Stored, or is refused. */
bool jpeg2000_put_row(const jpeg2000_samples *samples, const kernel_image *image,
                      const jpeg2000_row_buffers *buffers, size_t count, uint8_t *words);

/* The smallest and the largest of some samples. */
typedef struct {
    int32_t lowest, highest;
} jpeg2000_sample_range;

/* Take a row of an image's words as samples of each component, shifted (G.1), and apply RCT (G.2.1)
 * if `transform`; false if a sample is past Bits Stored. *seen becomes as wide as the samples. */
bool jpeg2000_take_row(const uint8_t *words, const kernel_image *image, size_t count,
                       bool transform, int32_t *const rows[JPEG2000_MOST_COMPONENTS],
                       jpeg2000_sample_range *seen);

/* Turn rows of shifted samples into floats, and apply ICT (G.3.1) if `transform`. */
void jpeg2000_make_floats(const int32_t *const rows[JPEG2000_MOST_COMPONENTS], unsigned components,
                          size_t count, bool transform,
                          float *const floats[JPEG2000_MOST_COMPONENTS]);

#endif
