/* One-dimensional wavelet transformations of JPEG 2000, by lifting: ISO/IEC 15444-1 F.3.6 to F.3.8
 * and F.4.6 to F.4.8.
 *
 * A signal is split into its samples at even places of the grid, which come from low-pass
 * coefficients, and those at odd places, from high-pass ones. A lifting step changes the ones by
 * the sum of their neighbours among the others. At the ends, where one is missing, the signal is
 * extended by reflection (F.3.7): so the neighbour that is there stands for it.
 */
#ifndef DICODEC_JPEG2000_LIFTING_H
#define DICODEC_JPEG2000_LIFTING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A coefficient, an integer or a float. */
typedef union {
    int32_t *integers;
    float *floats;
    char *bytes;
} jpeg2000_coefficients;

enum { JPEG2000_COEFFICIENT = 4 }; /* bytes */

typedef struct {
    size_t even, odd; /* how many of them there are */
    bool starts_odd;
    jpeg2000_coefficients evens, odds; /* by place, then lane; there is room for one more before and
                                        * behind them */
    size_t lanes;
} jpeg2000_signal;

/* State where signals begin and end on the grid, and how many are side by side. */
void jpeg2000_set_signal(jpeg2000_signal *set, uint32_t start, uint32_t end, size_t lanes);

/* 1D_SR, F.3.6: from coefficients to samples, in place. */
void jpeg2000_undo_lifting(const jpeg2000_signal *lines, bool is_reversible);

/* The same of reversible coefficients that are rows of an array, `stride` apart: those of even
 * places first, then the odd ones, at least one of each. They become samples in place; of the
 * lines the evens are room. */
void jpeg2000_undo_reversible_columns(const jpeg2000_signal *lines, int32_t *first, size_t stride);

/* 1D_SD, F.4.6: from samples to coefficients, in place. */
void jpeg2000_apply_lifting(const jpeg2000_signal *lines, bool is_reversible);

#endif
