/* The coding passes of a JPEG 2000 code-block that is encoded: ISO/IEC 15444-1 D.3.
 *
 * They make symbols, which are coded arithmetically behind all of them. */
#ifndef DICODEC_JPEG2000_BLOCK_ENCODE_PASSES_H
#define DICODEC_JPEG2000_BLOCK_ENCODE_PASSES_H

#include "jpeg2000_arithmetic_encoder.h"
#include "jpeg2000_block_to_planes.h"

enum {
    JPEG2000_SAMPLES = JPEG2000_BLOCK * JPEG2000_BLOCK, /* of a block at most */
    JPEG2000_MOST_PASSES = 3 * JPEG2000_MOST_PLANES,
    /* A plane has a symbol for each sample, and three more for each run of four that ends; a sample
     * has one sign. */
    JPEG2000_MOST_SYMBOLS = JPEG2000_MOST_PLANES * (JPEG2000_SAMPLES + 3 * JPEG2000_SAMPLES / 4)
                            + JPEG2000_SAMPLES,
};

typedef struct {
    size_t symbols; /* of all passes up to the end of one */
    double gain;    /* squared error that they take away, of coefficients with a fraction */
} jpeg2000_pass_end;

typedef struct {
    jpeg2000_stripe significant[JPEG2000_STRIPES + 2]; /* a stripe above and below */
    jpeg2000_stripe visited[JPEG2000_STRIPES];         /* by this plane's significance pass */
    jpeg2000_stripe refined[JPEG2000_STRIPES];         /* at least once */
    jpeg2000_coded_planes block;
    uint16_t neighbourhoods[NEIGHBOURHOODS];
    const uint8_t *zero_contexts;
    jpeg2000_context_tables tables; /* to be made once */
    unsigned count; /* of passes */
    bool measures;  /* their gains */
    jpeg2000_pass_end ends[JPEG2000_MOST_PASSES];
    jpeg2000_stripe before[JPEG2000_STRIPES]; /* a pass, significant */
    jpeg2000_symbol symbols[JPEG2000_MOST_SYMBOLS];
} jpeg2000_pass_encoder;

/* Make the symbols of the block, which has `planes`, 1 or more: of all from the highest one down to
 * `lowest`. `measures` is whether the gains of passes are found, too. */
void jpeg2000_encode_passes(jpeg2000_pass_encoder *encoder, unsigned orientation, unsigned planes,
                            unsigned lowest, bool measures);

#endif
