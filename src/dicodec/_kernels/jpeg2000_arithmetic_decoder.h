/* JPEG 2000's arithmetic decoder: ISO/IEC 15444-1 C.3; and raw bits, D.6.
 *
 * The code register holds Chigh in its highest 16 bits, below it the bits that were read ahead,
 * and below those a single 1, which so replaces the counter CT. Decisions are made without
 * branches, because no processor predicts them. */
#ifndef DICODEC_JPEG2000_ARITHMETIC_DECODER_H
#define DICODEC_JPEG2000_ARITHMETIC_DECODER_H

#include <string.h>

#include "jpeg2000_block_model.h"

/* A context: Qe in its highest 16 bits; the lowest are the place of its row, and bit 0 the more
 * probable symbol. A row has the contexts that come next if there is a renormalization: after the
 * more, and after the less probable symbol. A row begins a byte later if that symbol is 1, so that
 * its place needs no mask. */
typedef uint64_t jpeg2000_context;

enum { CONTEXT_ROW = 32, MORE_PROBABLE = 0, LESS_PROBABLE = 1 };

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

/* Take the part of the interval that the code lies in, Figure C.15, of which `interval` is the part
 * above Qe. Returns ones for the less probable symbol, and sets *next to what comes of the context,
 * which is `more`, `less`, or itself without renormalization. */
#if defined(__x86_64__) && defined(__GNUC__)
/* By conditional moves, of which the compiler would make branches or longer masks: a sixth of the
 * time of decoding. */
ALWAYS_INLINE uint64_t choose_part(uint64_t *code, uint64_t *interval, uint64_t probability,
                                   jpeg2000_context now, jpeg2000_context more,
                                   jpeg2000_context less, jpeg2000_context *next)
{
    uint64_t exchanged, below, before;
    __asm__("cmp %[probability], %[interval]\n\t" /* C.2.7 */
            "sbb %[exchanged], %[exchanged]\n\t"
            "mov %[code], %[before]\n\t"
            "sub %[probability], %[code]\n\t" /* the carry: whether the code lies below Qe */
            "cmovc %[before], %[code]\n\t"
            "cmovc %[probability], %[interval]\n\t"
            "sbb %[below], %[below]\n\t"
            "xor %[below], %[exchanged]\n\t"
            "cmovnz %[less], %[more]\n\t"
            "test %[interval], %[interval]\n\t"
            "cmovs %[now], %[more]"
            : [code] "+&r"(*code), [interval] "+&r"(*interval), [more] "+&r"(more),
              [exchanged] "=&r"(exchanged), [below] "=&r"(below), [before] "=&r"(before)
            : [probability] "r"(probability), [now] "r"(now), [less] "r"(less)
            : "cc");
    *next = more;
    return exchanged;
}
#else
ALWAYS_INLINE uint64_t choose_part(uint64_t *code, uint64_t *interval, uint64_t probability,
                                   jpeg2000_context now, jpeg2000_context more,
                                   jpeg2000_context less, jpeg2000_context *next)
{
    uint64_t below = 0 - (uint64_t)(*code < probability);
    uint64_t exchanged = 0 - (uint64_t)(*interval < probability); /* C.2.7 */
    uint64_t is_less = below ^ exchanged;
    *code -= probability & ~below;
    *interval += (probability - *interval) & below;
    more ^= (more ^ less) & is_less;
    *next = more ^ ((more ^ now) & (0 - (*interval >> 63)));
    return is_less;
}
#endif

/* Decode a symbol, C.3.2, without a refill behind it. */
ALWAYS_INLINE unsigned decode_symbol(jpeg2000_arithmetic_decoder *decoder,
                                     const jpeg2000_transitions *transitions,
                                     jpeg2000_context *context)
{
    jpeg2000_context now = *context, row[2];
    uint64_t place = (uint16_t)now, probability = now - place, code = decoder->code;
    uint64_t interval = decoder->interval - probability;
    memcpy(row, transitions->rows + place, sizeof row);
    uint64_t is_less = choose_part(&code, &interval, probability, now, row[MORE_PROBABLE],
                                   row[LESS_PROBABLE], context);
    unsigned shift = count_high_zeros(interval);
    decoder->interval = interval << shift;
    decoder->code = code << shift;
    return (unsigned)(now ^ is_less) & 1;
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
