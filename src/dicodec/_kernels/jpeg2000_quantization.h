/* Steps of quantization for the irreversible transformation: ISO/IEC 15444-1 Annex E. */
#ifndef DICODEC_JPEG2000_QUANTIZATION_H
#define DICODEC_JPEG2000_QUANTIZATION_H

#include "jpeg2000_codestream.h"

enum { JPEG2000_MOST_PLANNED_LEVELS = 5 };

/* Return the squared error of all samples that an error of 1 in a coefficient makes.
 *
 * `level` is 0 to 5, and 1 or more if the orientation is not LL. */
double jpeg2000_find_weight(unsigned level, unsigned orientation);

/* Choose steps with which each coefficient's error counts as much, E.1.1: a sample's error of 1,
 * halved as often as `finer` says. */
void jpeg2000_plan_steps(unsigned levels, unsigned precision, unsigned finer,
                         jpeg2000_quantization *quantization);

#endif
