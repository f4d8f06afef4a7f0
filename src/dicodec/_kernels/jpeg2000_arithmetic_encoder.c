#include "jpeg2000_arithmetic_encoder.h"

#include "processor.h"

enum { HELD = 32, INTERVAL_BITS = 16 };

static jpeg2000_encoder_context make_context(unsigned state, unsigned symbol)
{
    return (uint64_t)jpeg2000_states[state].probability << 48 | (2 * state + symbol);
}

void jpeg2000_make_encoder_transitions(jpeg2000_encoder_transitions *transitions)
{
    for (unsigned i = 0; i < JPEG2000_STATES; i++) {
        const jpeg2000_state *state = jpeg2000_states + i;
        for (unsigned symbol = 0; symbol < 2; symbol++) {
            transitions->next[2 * i + symbol][0] = make_context(state->next_more, symbol);
            transitions->next[2 * i + symbol][1] =
                make_context(state->next_less, symbol ^ state->exchanges);
        }
    }
}

jpeg2000_arithmetic_encoder jpeg2000_start_encoder(uint8_t *before)
{
    jpeg2000_arithmetic_encoder encoder = {0, 0x8000, -1, before, {0}};
    *before = 0;
    for (unsigned i = 0; i < JPEG2000_CONTEXTS; i++)
        encoder.contexts[i] = make_context(jpeg2000_first_state(i), 0);
    return encoder;
}

/* The bits of a code register that counts. */
typedef struct {
    uint64_t code;
    int held;
    uint8_t *last;
} output;

/* BYTEOUT, C.2.7: write the highest byte. */
ALWAYS_INLINE void write_byte(output *out)
{
    uint64_t carry = UINT64_C(1) << (INTERVAL_BITS + out->held);
    if (*out->last != 0xFF && out->code & carry) {
        ++*out->last;
        out->code &= ~carry;
    }
    out->held -= *out->last == 0xFF ? 7 : 8;
    *++out->last = (uint8_t)(out->code >> (INTERVAL_BITS + out->held));
    out->code &= (UINT64_C(1) << (INTERVAL_BITS + out->held)) - 1;
}

/* Write some bytes of at least HELD bits: three at once if no carry and no byte of ones is near. */
ALWAYS_INLINE void write_bytes(output *out)
{
    uint32_t next = (uint32_t)(out->code >> (INTERVAL_BITS + out->held - 24)); /* and the carry */
    uint32_t inverse = ~(next | (uint32_t)*out->last << 24);
    if (!((inverse - 0x01010101u) & ~inverse & 0x80808080u) && !(next >> 24 & 1)) {
        out->last[1] = (uint8_t)(next >> 16);
        out->last[2] = (uint8_t)(next >> 8);
        out->last[3] = (uint8_t)next;
        out->last += 3;
        out->held -= 24;
        out->code &= (UINT64_C(1) << (INTERVAL_BITS + out->held)) - 1;
        return;
    }
    while (out->held >= 16)
        write_byte(out);
}

/* An encoder in registers. */
typedef struct {
    output out;
    uint64_t interval;
    jpeg2000_encoder_context *contexts;
} coding;

static inline coding take_coding(jpeg2000_arithmetic_encoder *encoder)
{
    return (coding){{encoder->code, encoder->held, encoder->last}, encoder->interval,
                    encoder->contexts};
}

static inline void keep_coding(const coding *done, jpeg2000_arithmetic_encoder *encoder)
{
    encoder->code = done->out.code;
    encoder->held = done->out.held;
    encoder->last = done->out.last;
    encoder->interval = done->interval;
}

/* Take the part of the interval that is a symbol's: the lower one, Qe wide, if the symbol is the
 * less probable one, unless exchanged. `interval` is the part above Qe, and `raised` its code.
 * *next is left as it is if there is a renormalization, else becomes `now`. */
#if defined(__x86_64__) && defined(__GNUC__)
/* By conditional moves, as in the decoder: the compiler's masks take twice as many instructions. */
ALWAYS_INLINE void take_part(uint64_t *interval, uint64_t *code, uint64_t raised,
                             uint64_t probability, unsigned is_less, jpeg2000_encoder_context now,
                             jpeg2000_encoder_context *next)
{
    uint64_t lower, less = 0 - (uint64_t)is_less;
    __asm__("cmp %[probability], %[interval]\n\t"
            "sbb %[lower], %[lower]\n\t"
            "xor %[less], %[lower]\n\t"
            "cmovnz %[probability], %[interval]\n\t"
            "cmovz %[raised], %[code]\n\t"
            "bt $15, %[interval]\n\t"
            "cmovc %[now], %[next]"
            : [interval] "+&r"(*interval), [code] "+&r"(*code), [next] "+&r"(*next),
              [lower] "=&r"(lower)
            : [probability] "r"(probability), [raised] "r"(raised), [less] "r"(less),
              [now] "r"(now)
            : "cc");
}
#else
ALWAYS_INLINE void take_part(uint64_t *interval, uint64_t *code, uint64_t raised,
                             uint64_t probability, unsigned is_less, jpeg2000_encoder_context now,
                             jpeg2000_encoder_context *next)
{
    uint64_t lower = (0 - (uint64_t)is_less) ^ (0 - (uint64_t)(*interval < probability));
    *interval += (probability - *interval) & lower;
    *code += (raised - *code) & ~lower;
    *next ^= (*next ^ now) & (0 - (*interval >> 15));
}
#endif

/* CODE0 and CODE1, C.2.2 to C.2.6. */
ALWAYS_INLINE void encode_symbol(coding *at, const jpeg2000_encoder_transitions *transitions,
                                 unsigned symbol)
{
    jpeg2000_encoder_context now = at->contexts[symbol >> 1];
    uint64_t probability = now >> 48, interval = at->interval - probability;
    uint64_t code = at->out.code;
    unsigned place = (unsigned)now & 127, less = (symbol ^ place) & 1;
    jpeg2000_encoder_context next = transitions->next[place][less];
    take_part(&interval, &code, code + probability, probability, less, now, &next);
    at->contexts[symbol >> 1] = next;
    unsigned shift = count_high_zeros(interval) - 48;
    at->interval = interval << shift;
    at->out.code = code << shift;
    at->out.held += (int)shift;
    if (RARELY(at->out.held >= HELD))
        write_bytes(&at->out);
}

/* Encode zeros of the run-length context: all that are left at once if none is renormalized.
 *
 * Not to inline it costs a tenth of encoding, because registers would have an address. */
ALWAYS_INLINE void encode_empty_runs(coding *at, const jpeg2000_encoder_transitions *transitions,
                                     unsigned count)
{
    for (; count; count--) {
        jpeg2000_encoder_context now = at->contexts[JPEG2000_RUN_CONTEXT];
        uint64_t all = (now >> 48) * count;
        if (!(now & 1) && at->interval >= 0x8000 + all) {
            at->interval -= all;
            at->out.code += all;
            return;
        }
        encode_symbol(at, transitions, JPEG2000_RUN_CONTEXT << 1);
    }
}

ALWAYS_INLINE void encode_any(coding *at, const jpeg2000_encoder_transitions *transitions,
                              jpeg2000_symbol symbol)
{
    if (RARELY(symbol >= EMPTY_RUNS))
        encode_empty_runs(at, transitions, symbol - EMPTY_RUNS);
    else
        encode_symbol(at, transitions, symbol);
}

KERNEL_BIT_VARIANTS
void jpeg2000_encode_symbols(jpeg2000_arithmetic_encoder *encoder,
                             const jpeg2000_encoder_transitions *transitions,
                             const jpeg2000_symbol *symbols, size_t count)
{
    coding at = take_coding(encoder);
    for (size_t i = 0; i < count; i++)
        encode_any(&at, transitions, symbols[i]);
    keep_coding(&at, encoder);
}

KERNEL_BIT_VARIANTS
void jpeg2000_encode_two(jpeg2000_arithmetic_encoder encoders[2],
                         const jpeg2000_encoder_transitions *transitions,
                         const jpeg2000_symbol *first, const jpeg2000_symbol *second,
                         size_t count)
{
    coding one = take_coding(encoders), other = take_coding(encoders + 1);
    for (size_t i = 0; i < count; i++) {
        encode_any(&one, transitions, first[i]);
        encode_any(&other, transitions, second[i]);
    }
    keep_coding(&one, encoders);
    keep_coding(&other, encoders + 1);
}

/* Write at least some of the bits that are held, and zeros behind them. */
static void write_held(output *out, int left)
{
    while (left > 0) {
        for (; out->held < 8; out->held += 8)
            out->code <<= 8;
        int held = out->held;
        write_byte(out);
        left -= held - out->held;
    }
}

jpeg2000_upper_end jpeg2000_find_upper_end(const jpeg2000_arithmetic_encoder *encoder,
                                           const uint8_t *before)
{
    jpeg2000_upper_end end = {(size_t)(encoder->last - before), 0, {*encoder->last}};
    output out = {encoder->code + encoder->interval, encoder->held, end.bytes};
    write_held(&out, out.held + INTERVAL_BITS);
    end.length = (unsigned)(out.last - end.bytes) + 1;
    return end;
}

size_t jpeg2000_find_least_length(const jpeg2000_upper_end *end, const uint8_t *before,
                                  size_t length)
{
    for (unsigned i = 0; i < end->length && end->place + i < length; i++) {
        if (before[end->place + i] == end->bytes[i])
            continue;
        length = end->place + i; /* decoders read ones behind it, which stay below the end */
        break;
    }
    while (length && before[length] == 0xFF)
        length--;
    return length;
}

uint8_t *jpeg2000_finish_encoder(jpeg2000_arithmetic_encoder *encoder, const uint8_t *before)
{
    output out = {encoder->code, encoder->held, encoder->last};
    uint64_t end = out.code + encoder->interval;
    out.code |= 0xFFFF; /* SETBITS: as many ones as the interval allows, which need no bytes */
    if (out.code >= end)
        out.code -= 0x8000;
    write_held(&out, out.held + 1);
    while (out.last > before && *out.last == 0xFF) /* decoders read ones behind the end */
        out.last--;
    return out.last + 1;
}
