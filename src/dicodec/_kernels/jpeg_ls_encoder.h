/* Encoding the lines of a scan (ISO/IEC 14495-1 Annex A). */
#ifndef DICODEC_JPEG_LS_ENCODER_H
#define DICODEC_JPEG_LS_ENCODER_H

#include <stddef.h>
#include <stdint.h>

#include "jpeg_ls_bits.h"
#include "jpeg_ls_contexts.h"
#include "jpeg_ls_gradients.h"
#include "jpeg_ls_parameters.h"

/* A component's lines, each with a sample more at either end, and what is prepared of them. */
typedef struct {
    uint16_t *line, *above;
    int16_t *gradients; /* of the line above: a sample more than columns */
    int16_t *third;     /* room for as many */
    jpeg_ls_prepared prepared; /* without loss */
} jpeg_ls_source;

typedef struct {
    jpeg_ls_state state;
    jpeg_ls_parameters is;
    ptrdiff_t columns;
    jpeg_ls_bits bits; /* of the line */
    jpeg_ls_table table; /* with loss */
} jpeg_ls_encoder;

enum { JPEG_LS_MOST_SAMPLE_BYTES = 11 }; /* of bits: a run of none, and what interrupts it */

/* Begin a scan, whose parameters and columns are set. */
void jpeg_ls_begin_encoder(jpeg_ls_encoder *encoder);

/* Put a line of one component, or of three whose samples are interleaved. The samples become those
 * that a decoder has. */
void jpeg_ls_encode_line(jpeg_ls_encoder *encoder, jpeg_ls_source *sources, unsigned components);

#endif
