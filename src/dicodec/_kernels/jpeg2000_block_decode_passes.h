/* The coding passes of a JPEG 2000 code-block that is decoded: ISO/IEC 15444-1 D.3 to D.6. */
#ifndef DICODEC_JPEG2000_BLOCK_DECODE_PASSES_H
#define DICODEC_JPEG2000_BLOCK_DECODE_PASSES_H

#include "jpeg2000_arithmetic_decoder.h"
#include "jpeg2000_block_from_planes.h"

typedef struct {
    jpeg2000_stripe significant[JPEG2000_STRIPES + 2]; /* a stripe above and below */
    jpeg2000_stripe visited[JPEG2000_STRIPES];         /* by this plane's significance pass */
    jpeg2000_stripe refined[JPEG2000_STRIPES];         /* at least once */
    jpeg2000_stripe inside[JPEG2000_STRIPES];          /* which samples are the block's */
    jpeg2000_decoded_planes bits;
    bool any[JPEG2000_STRIPES + 2]; /* whether a stripe has a significant sample */
    uint16_t neighbourhoods[NEIGHBOURHOODS];
    const uint8_t *zero_contexts;
    jpeg2000_arithmetic_decoder coder; /* of this pass' segment, or if that is raw: */
    jpeg2000_raw_reader raw;
    jpeg2000_context contexts[JPEG2000_CONTEXTS];
    jpeg2000_context_tables tables;    /* to be made once */
    jpeg2000_transitions transitions;
} jpeg2000_pass_decoder;

/* Passes of a block by their number: the first plane has a cleanup pass alone, D.3. */
enum { JPEG2000_SIGNIFICANCE, JPEG2000_REFINEMENT, JPEG2000_CLEANUP, JPEG2000_PASS_KINDS };

static inline unsigned jpeg2000_find_pass_kind(unsigned pass)
{
    return (pass + JPEG2000_CLEANUP) % JPEG2000_PASS_KINDS;
}

static inline unsigned jpeg2000_find_pass_plane(unsigned pass, unsigned planes)
{
    return planes - (pass + JPEG2000_CLEANUP) / JPEG2000_PASS_KINDS;
}

/* Begin with the contexts of Table D.7. */
void jpeg2000_reset_contexts(jpeg2000_pass_decoder *decoder);

/* Decode a pass of a block of some planes; `raw` is whether it bypasses the arithmetic coder, D.6. */
void jpeg2000_decode_pass(jpeg2000_pass_decoder *decoder, unsigned style, unsigned pass,
                          unsigned planes, bool raw);

#endif
