/* Decoding the lines of a scan (ISO/IEC 14495-1 Annex A, in reverse). */
#ifndef DICODEC_JPEG_LS_DECODER_H
#define DICODEC_JPEG_LS_DECODER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "jpeg_ls_bits.h"
#include "jpeg_ls_contexts.h"
#include "jpeg_ls_gradients.h"
#include "jpeg_ls_parameters.h"

/* A component's lines, each with a sample more at either end, and what the one above says. */
typedef struct {
    uint16_t *line, *above;
    jpeg_ls_record *records;
} jpeg_ls_lines;

typedef struct {
    jpeg_ls_state state;
    jpeg_ls_parameters is;
    int most;          /* mapped differences are not larger */
    uint64_t least;    /* a window below it begins with a code that is decoded apart */
    const uint8_t *bits; /* of the scan; JPEG_LS_PADDING zeros follow */
    size_t end;        /* of the bits */
    size_t position;   /* of the next bit */
    ptrdiff_t columns;
    jpeg_ls_table table;
} jpeg_ls_decoder;

/* Begin a scan, whose parameters, bits and columns are set. */
void jpeg_ls_begin_decoder(jpeg_ls_decoder *decoder);

/* Decode a component's line; false if the bits are not those of such a line. */
bool jpeg_ls_decode_line(jpeg_ls_decoder *decoder, jpeg_ls_lines *lines, unsigned component);

/* Decode a line of three components whose samples are interleaved. */
bool jpeg_ls_decode_triplets(jpeg_ls_decoder *decoder, jpeg_ls_lines lines[3]);

/* Whether all bits were taken but those that fill up the last byte. */
bool jpeg_ls_is_at_end(const jpeg_ls_decoder *decoder);

#endif
