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
    unsigned row;          /* of quads, the next one */
    /* Of the rows before, the lower samples, from index 1 on, of which exponents are predicted: 2
     * less than jpeg2000_ht_samples has, or 0. Beside them are zeros. */
    uint32_t lower[2][JPEG2000_BLOCK + 4];
} jpeg2000_ht_sample_reader;

/* Read the samples of a row of some quads; false if an exponent may be more than `most`, which is
 * HT_MOST_BOUND at most. The bits may end before, which is to be checked.
 *
 * `next` is another row of quads, or NULL, which is read at the same time: a processor has time for
 * the samples while it waits for codes. */
bool jpeg2000_read_ht_samples(jpeg2000_ht_sample_reader *reader, const jpeg2000_ht_quads *row,
                              unsigned count, unsigned most, jpeg2000_ht_samples samples,
                              jpeg2000_ht_row *next);

#endif
