/* JPEG 2000's wavelet transformations: ISO/IEC 15444-1 Annex F. */
#ifndef DICODEC_JPEG2000_WAVELET_H
#define DICODEC_JPEG2000_WAVELET_H

#include "jpeg2000_tile.h"

/* Undo the decomposition of a tile's component, in place (F.3).
 *
 * Its array has `stride` coefficients in a row, integers if reversible, else floats; the subbands
 * of each resolution stand around the resolution below it. `resolutions` of them are undone. Large
 * ones are shared among as many threads, at most JPEG2000_MOST_THREADS. */
kernel_status jpeg2000_undo_wavelet(const jpeg2000_resolution *levels, unsigned resolutions,
                                    bool is_reversible, void *array, size_t stride,
                                    unsigned threads);

/* Decompose a tile's component in place (F.4): integers if reversible, else floats. */
kernel_status jpeg2000_apply_wavelet(const jpeg2000_resolution *levels, unsigned resolutions,
                                     bool is_reversible, void *array, size_t stride,
                                     unsigned threads);

#endif
