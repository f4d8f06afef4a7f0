/* The samples of a row of HTJ2K's quads, of their MagSgn bits: ISO/IEC 15444-15 7.3.7 and 7.3.8. */
#ifndef DICODEC_JPEG2000_HT_DECODE_SAMPLES_H
#define DICODEC_JPEG2000_HT_DECODE_SAMPLES_H

#include "jpeg2000_ht_decode_quads.h"

enum { HT_MOST_BOUND = 28 }; /* of an exponent, so that two samples are read at once */

/* Two rows of samples: twice the magnitude, and 1 if negative; 0 if not significant. */
typedef uint32_t jpeg2000_ht_samples[2][JPEG2000_BLOCK];

typedef struct {
    jpeg2000_ht_bits bits; /* MagSgn */
    size_t place;          /* of the next sample */
    /* What the row above tells of exponents: of the samples to the north-west and the north of a
     * quad, magnitudes less 1, all their bits together. */
    uint32_t above[HT_QUADS + 1];
} jpeg2000_ht_sample_reader;

/* Read the samples of a row of some quads; false if an exponent may be more than `most`, which is
 * HT_MOST_BOUND at most. The bits may end before, which is to be checked. */
bool jpeg2000_read_ht_samples(jpeg2000_ht_sample_reader *reader, const jpeg2000_ht_quads *row,
                              unsigned count, unsigned most, jpeg2000_ht_samples samples);

#endif
