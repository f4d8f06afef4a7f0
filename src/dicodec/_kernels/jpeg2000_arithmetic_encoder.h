/* JPEG 2000's arithmetic encoder: ISO/IEC 15444-1 C.2.
 *
 * The code register has the interval's 16 bits lowest; above them are `held` bits that were not
 * written yet, and above those one for a carry. Decisions are made by masks, not branches, because
 * no processor predicts them. */
#ifndef DICODEC_JPEG2000_ARITHMETIC_ENCODER_H
#define DICODEC_JPEG2000_ARITHMETIC_ENCODER_H

#include <string.h>

#include "jpeg2000_block_model.h"

/* A symbol with its context: twice the context, and the bit. Or some zeros of the run-length
 * context, as most of a smooth picture's symbols are: EMPTY_RUNS and how many. */
typedef uint8_t jpeg2000_symbol;

enum { EMPTY_RUNS = 128, MOST_EMPTY_RUNS = 16 };

/* A context: Qe in its highest 16 bits; the lowest ones are twice its state, and the more probable
 * symbol. */
typedef uint64_t jpeg2000_encoder_context;

typedef struct {
    /* By a context's lowest bits: what it becomes by renormalization after the more probable
     * symbol, and after the less probable one. */
    jpeg2000_encoder_context next[2 * JPEG2000_STATES][2];
} jpeg2000_encoder_transitions;

void jpeg2000_make_encoder_transitions(jpeg2000_encoder_transitions *transitions);

enum {
    ENCODER_ROOM = 3 * MOST_EMPTY_RUNS, /* bytes that a symbol writes at most, 3 a decision */
    ENCODER_SLACK = 32, /* bytes that the end writes at most, or a symbol beyond its own */
};

typedef struct {
    uint64_t code, interval;
    int held; /* -1 at first: no carry can leave the first byte */
    uint8_t *last; /* the byte that was written last; at first one that is before the data, and 0 */
    jpeg2000_encoder_context contexts[JPEG2000_CONTEXTS];
} jpeg2000_arithmetic_encoder;

jpeg2000_arithmetic_encoder jpeg2000_start_encoder(uint8_t *before);

/* Encode symbols; there is room for ENCODER_ROOM bytes for each, and ENCODER_SLACK. */
void jpeg2000_encode_symbols(jpeg2000_arithmetic_encoder *encoder,
                             const jpeg2000_encoder_transitions *transitions,
                             const jpeg2000_symbol *symbols, size_t count);

/* Encode as many symbols by each of two encoders: an encoder waits for its last symbol most of the
 * time, in which the other one goes on. */
void jpeg2000_encode_two(jpeg2000_arithmetic_encoder encoders[2],
                         const jpeg2000_encoder_transitions *transitions,
                         const jpeg2000_symbol *first, const jpeg2000_symbol *second,
                         size_t count);

/* The upper end of the interval after some symbols, as bytes; any code below it has them all. */
typedef struct {
    size_t place; /* of the first byte, from the one before the data on */
    unsigned length;
    uint8_t bytes[16];
} jpeg2000_upper_end;

jpeg2000_upper_end jpeg2000_find_upper_end(const jpeg2000_arithmetic_encoder *encoder,
                                           const uint8_t *before);

/* Return how many bytes of finished data have all symbols before an upper end. */
size_t jpeg2000_find_least_length(const jpeg2000_upper_end *end, const uint8_t *before,
                                  size_t length);

/* Write the rest, C.2.9, and return the place behind the data. */
uint8_t *jpeg2000_finish_encoder(jpeg2000_arithmetic_encoder *encoder, const uint8_t *before);

#endif
