/* JPEG 2000's arithmetic decoder: ISO/IEC 15444-1 C.3; and raw bits, D.6.
 *
 * The code register holds Chigh in its highest 16 bits, below it the bits that were read ahead,
 * and below those a single 1, which so replaces the counter CT. Decisions are made by masks, not
 * branches, because no processor predicts them. */
#ifndef DICODEC_JPEG2000_ARITHMETIC_DECODER_H
#define DICODEC_JPEG2000_ARITHMETIC_DECODER_H

#include <string.h>

#include "jpeg2000_block_model.h"

/* A context: Qe in its highest 16 bits; the lowest are the place of its row, and bit 0 the more
 * probable symbol. A row has the contexts that may come next: without renormalization, with it, and
 * after the less probable symbol. A row begins a byte later if that symbol is 1, so that its place
 * needs no mask. */
typedef uint64_t jpeg2000_context;

enum { CONTEXT_ROW = 32, KEPT = 0, MORE_PROBABLE = 1, LESS_PROBABLE = 2 };

typedef struct {
    uint8_t rows[2 * JPEG2000_STATES * CONTEXT_ROW + 1];
} jpeg2000_transitions;

void jpeg2000_make_transitions(jpeg2000_transitions *transitions);

/* Return the context that has a state and a more probable symbol. */
static inline jpeg2000_context make_context(unsigned state, unsigned symbol)
{
    return (uint64_t)jpeg2000_states[state].probability << 48
           | ((2 * state + symbol) * CONTEXT_ROW + symbol);
}

typedef struct {
    uint64_t code, interval;
    const uint8_t *at, *end;
} jpeg2000_arithmetic_decoder;

jpeg2000_arithmetic_decoder jpeg2000_start_decoder(const uint8_t *data, size_t length);

/* Fill the code register where the data end or have a byte of ones. */
jpeg2000_arithmetic_decoder jpeg2000_refill_slowly(jpeg2000_arithmetic_decoder decoder);

static const uint64_t LOWEST_INTERVAL = UINT64_C(0x8000) << 48;

ALWAYS_INLINE uint64_t get_probability(jpeg2000_context context)
{
    return context & ~UINT64_C(0xFFFF);
}

/* Have at least 16 bits below Chigh; a decision takes up to 15. */
ALWAYS_INLINE void refill(jpeg2000_arithmetic_decoder *decoder)
{
    if (!RARELY(!(uint32_t)decoder->code))
        return;
    const uint8_t *at = decoder->at;
    if (decoder->end - at >= 4) {
        uint32_t before = (uint32_t)at[-1] << 24 | (uint32_t)at[0] << 16 | (uint32_t)at[1] << 8
                          | at[2];
        uint32_t inverse = ~before; /* a byte of it is 0 if one of these is a byte of ones */
        if (!((inverse - 0x01010101u) & before & 0x80808080u)) {
            uint32_t next = before << 8 | at[3];
            unsigned place = count_low_zeros(decoder->code);
            decoder->code = (decoder->code & (decoder->code - 1))
                            + (((uint64_t)next << 1 | 1) << (place - 32));
            decoder->at = at + 4;
            return;
        }
    }
    *decoder = jpeg2000_refill_slowly(*decoder);
}

/* Decode a symbol, C.3.2, without a refill behind it. */
ALWAYS_INLINE unsigned decode_symbol(jpeg2000_arithmetic_decoder *decoder,
                                     const jpeg2000_transitions *transitions,
                                     jpeg2000_context *context)
{
    uint64_t now = *context, place = (uint16_t)now, probability = now - place;
    uint64_t rest = decoder->interval - probability, difference = probability - rest;
    uint64_t below = 0 - (uint64_t)(decoder->code < probability);
    uint64_t exchanged = 0 - (uint64_t)(rest < probability); /* C.2.7 */
    uint64_t less = below ^ exchanged;
    decoder->code -= probability;
    decoder->code += probability & below;
    decoder->interval = rest + (difference & below);
    /* The row's entry: 0 if the interval is still wide enough, else 1, or 2 if `less`. */
    const uint8_t *row = transitions->rows + place + 8;
    memcpy(context, row - 8 * (ptrdiff_t)(less + (decoder->interval >> 63)), sizeof *context);
    unsigned shift = count_high_zeros(decoder->interval);
    decoder->interval <<= shift;
    decoder->code <<= shift;
    return (unsigned)(now ^ less) & 1;
}

/* Raw bits: behind a byte of ones comes one of seven bits; behind the end are ones. */
typedef struct {
    const uint8_t *at, *end;
    unsigned byte, left;
} jpeg2000_raw_reader;

static inline unsigned read_raw_bit(jpeg2000_raw_reader *raw)
{
    if (!raw->left) {
        unsigned next = raw->at < raw->end ? *raw->at : 0xFF;
        raw->left = 8;
        if (raw->byte == 0xFF && next > 0x8F) {
            raw->byte = 0xFF;
        } else {
            raw->left = raw->byte == 0xFF ? 7 : 8;
            raw->byte = next;
            raw->at += raw->at < raw->end;
        }
    }
    return raw->byte >> --raw->left & 1;
}

#endif
