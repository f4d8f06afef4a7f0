/* The squared error that coding passes take away, for rate control.
 *
 * Decoders take a sample for the middle of its possible values. In units of a plane, with a rest f
 * from the planes below it, the squared error changes by a linear function of f, so that it is
 * summed up by counting ones of the planes. */
#ifndef DICODEC_JPEG2000_BLOCK_ERROR_H
#define DICODEC_JPEG2000_BLOCK_ERROR_H

#include "jpeg2000_block_model.h"

typedef jpeg2000_stripe jpeg2000_plane[JPEG2000_STRIPES];

/* Of samples that a pass of a plane made significant: (1 + f)^2 - (f - 1/2)^2 each. */
double jpeg2000_measure_significance(const jpeg2000_plane *planes, unsigned plane,
                                     const jpeg2000_stripe *samples, unsigned stripes);

/* Of samples that it refined by a bit b: (b + f - 1)^2 - (f - 1/2)^2 each. */
double jpeg2000_measure_refinement(const jpeg2000_plane *planes, unsigned plane,
                                   const jpeg2000_stripe *samples, unsigned stripes);

#endif
