#include "jpeg2000_ht_encode.h"

#include <stdlib.h>
#include <string.h>

#include "jpeg2000_block_model.h"
#include "jpeg2000_ht_codes.h"
#include "jpeg2000_ht_encode_bits.h"
#include "jpeg2000_ht_encode_tables.h"
#include "processor.h"

enum {
    BLOCK = JPEG2000_BLOCK,
    QUADS = BLOCK / 2, /* of a row */
    AHEAD = 8,         /* lines that are asked for before they are read */
    CACHE_LINE = 16,   /* samples */
    MOST_PLANES = 23,  /* that floats of 2 * magnitude - 1 hold, and residuals */
    MAGNITUDE_ROOM = BLOCK * BLOCK * (MOST_PLANES + 1) / 8,
    CODE_ROOM = QUADS * QUADS / 2 * 30 / 8 + 1, /* two quads take up to 7 + 7 + 16 bits */
};

/* The samples of a line of a block; E_n is 0 behind the last one. */
typedef struct {
    uint32_t values[BLOCK];   /* v_n, 7.3.8: twice the magnitude less 2, and the sign */
    uint8_t exponents[BLOCK]; /* E_n, 7.3.7: the bits of twice the magnitude less 1 */
    uint8_t evens[QUADS + 1]; /* E_n of even columns, then 0 */
    uint8_t odds[1 + QUADS];  /* 0, then E_n of odd columns */
} sample_line;

/* A row of quads. Sample n of a quad is that of its column n / 2 and line n % 2. */
typedef struct {
    sample_line upper, lower;
    uint8_t contexts[QUADS];
    uint8_t patterns[QUADS];  /* which samples are significant, and above that EMB */
    uint8_t bounds[QUADS];    /* U_q, 7.3.7: bits of a value at most */
    uint8_t residuals[QUADS]; /* u_q, by which that is above what neighbours predict */
    uint32_t lengths[QUADS];  /* bits of the values that MagSgn has, a byte each */
} quad_row;

struct jpeg2000_ht_encoder {
    jpeg2000_ht_encode_tables tables;
    quad_row rows[2]; /* by turns, the one and that above it */
    jpeg2000_ht_mel mel;
    jpeg2000_ht_bit_writer magnitudes, codes;
    uint8_t magnitude_bits[MAGNITUDE_ROOM + JPEG2000_HT_PADDING];
    uint8_t code_bits[CODE_ROOM + JPEG2000_HT_PADDING];
};

jpeg2000_ht_encoder *jpeg2000_make_ht_encoder(void)
{
    jpeg2000_ht_encoder *encoder = malloc(sizeof *encoder);
    if (!encoder)
        return NULL;
    jpeg2000_ht_make_encode_tables(&encoder->tables);
    return encoder;
}

/* Ask for the cache lines of a line, of whose like no processor finds the rule by itself. */
static inline void fetch_line(const int32_t *samples, unsigned width)
{
#if defined(__GNUC__)
    for (unsigned x = 0; x < width; x += CACHE_LINE)
        __builtin_prefetch(samples + x);
#else
    (void)samples;
    (void)width;
#endif
}

/* Return all magnitudes of a line, or-ed. */
KERNEL_VARIANTS
static uint32_t gather_magnitudes(const int32_t *samples, unsigned width)
{
    uint32_t seen = 0;
    for (unsigned x = 0; x < width; x++) {
        uint32_t sign = (uint32_t)(samples[x] >> 31);
        seen |= ((uint32_t)samples[x] ^ sign) - sign;
    }
    return seen;
}

/* The exponents are those of floats, which hold each odd number of up to 24 bits. */
KERNEL_VARIANTS
static void split_samples(const int32_t *restrict samples, unsigned width,
                          uint32_t *restrict values, uint8_t *restrict exponents)
{
    enum { MANTISSA = 23, BIAS = 126 };
    for (unsigned x = 0; x < width; x++) {
        int32_t sign = samples[x] >> 31, twice = ((samples[x] ^ sign) - sign) * 2, bits;
        float odd = (float)(twice - 1);
        memcpy(&bits, &odd, sizeof bits);
        int32_t exponent = (bits >> MANTISSA) - BIAS; /* negative for 0, which makes -1 */
        values[x] = (uint32_t)(twice - 2 - sign);
        exponents[x] = (uint8_t)(exponent > 0 ? exponent : 0);
    }
}

KERNEL_VARIANTS
static void split_columns(const uint8_t *restrict exponents, uint8_t *restrict evens,
                          uint8_t *restrict odds)
{
    for (unsigned q = 0; q < QUADS; q++) {
        evens[q] = exponents[2 * q];
        odds[q] = exponents[2 * q + 1];
    }
}

static void read_line(const int32_t *samples, unsigned width, sample_line *line)
{
    split_samples(samples, width, line->values, line->exponents);
    split_columns(line->exponents, line->evens, line->odds + 1);
}

static inline uint8_t larger(uint8_t one, uint8_t other)
{
    return one > other ? one : other;
}

/* Return 1 for whatever is not 0: bytes stay bytes, which vectors have most of. */
static inline uint8_t is_some(uint8_t value)
{
    return value < 1 ? value : 1;
}

/* Find contexts of the first row of quads, equation 1. */
KERNEL_VARIANTS
static void find_first_contexts(const sample_line *restrict upper,
                                const sample_line *restrict lower, uint8_t *restrict contexts)
{
    contexts[0] = 0;
    for (unsigned q = 1; q < QUADS; q++) {
        uint8_t farther = is_some(upper->evens[q - 1] | lower->evens[q - 1]);
        uint8_t higher = is_some(upper->odds[q]), lower_one = is_some(lower->odds[q]);
        contexts[q] = (uint8_t)(farther | higher << 1 | lower_one << 2);
    }
}

/* Find contexts of another row, equation 2, and predict its exponents, 7.3.7. */
KERNEL_VARIANTS
static void look_above(const sample_line *restrict upper, const sample_line *restrict lower,
                       const sample_line *restrict above, uint8_t *restrict contexts,
                       uint8_t *restrict predicted)
{
    for (unsigned q = 0; q < QUADS; q++) {
        uint8_t left = larger(above->odds[q], above->evens[q]);
        uint8_t right = larger(above->odds[q + 1], above->evens[q + 1]);
        uint8_t beside = is_some(upper->odds[q] | lower->odds[q]), most = larger(left, right);
        contexts[q] = (uint8_t)(is_some(left) | beside << 1 | is_some(right) << 2);
        predicted[q] = (uint8_t)(larger(most, 2) - 1);
    }
}

/* Find what else the codes of a row's quads depend on; a single sample is not predicted. */
KERNEL_VARIANTS
static void describe_quads(const sample_line *restrict upper, const sample_line *restrict lower,
                           const uint8_t *restrict predicted, uint8_t *restrict patterns,
                           uint8_t *restrict bounds, uint8_t *restrict residuals)
{
    for (unsigned q = 0; q < QUADS; q++) {
        uint8_t a = upper->evens[q], b = lower->evens[q];
        uint8_t c = upper->odds[q + 1], d = lower->odds[q + 1];
        uint8_t some_a = is_some(a), some_b = is_some(b), some_c = is_some(c), some_d = is_some(d);
        uint8_t most = larger(larger(a, b), larger(c, d));
        uint8_t several = is_some((uint8_t)(some_a + some_b + some_c + some_d) >> 1);
        uint8_t prediction = larger(predicted[q] & (uint8_t)-several, 1);
        uint8_t bound = larger(most, prediction), residual = (uint8_t)(bound - prediction);
        uint8_t longest = (uint8_t)((a == most) | (b == most) << 1 | (c == most) << 2
                                    | (d == most) << 3);
        uint8_t significance = (uint8_t)(some_a | some_b << 1 | some_c << 2 | some_d << 3);
        patterns[q] = (uint8_t)(significance << 4 | (longest & (uint8_t)-is_some(residual)));
        bounds[q] = bound;
        residuals[q] = residual;
    }
}

static void describe_row(quad_row *row, const sample_line *above)
{
    uint8_t predicted[QUADS];
    if (above) {
        look_above(&row->upper, &row->lower, above, row->contexts, predicted);
    } else {
        find_first_contexts(&row->upper, &row->lower, row->contexts);
        memset(predicted, 1, sizeof predicted);
    }
    describe_quads(&row->upper, &row->lower, predicted, row->patterns, row->bounds,
                   row->residuals);
}

/* Take the code of a quad behind one before it, of `*length` bits; a quad without significant
 * neighbours also has a MEL symbol. */
ALWAYS_INLINE uint32_t take_code(jpeg2000_ht_mel *mel, const jpeg2000_ht_quad_code *codes,
                                 quad_row *row, unsigned quad, unsigned *length)
{
    unsigned context = row->contexts[quad], pattern = row->patterns[quad];
    unsigned code = codes[context << 8 | pattern], known = code >> 12;
    unsigned significance = pattern >> 4;
    if (!context)
        jpeg2000_ht_put_mel(mel, significance != 0);
    row->lengths[quad] = row->bounds[quad] * jpeg2000_ht_bytes[significance] - jpeg2000_ht_bytes[known];
    *length = code >> 8 & 15;
    return code & 0xFF;
}

/* Put the codes of a row's quads, two at a time: 7.3.4 in the other direction. */
ALWAYS_INLINE void put_codes(jpeg2000_ht_mel *mel, jpeg2000_ht_bit_writer *codes,
                             const jpeg2000_ht_row_tables *tables, bool is_first, quad_row *row,
                             unsigned count)
{
    for (unsigned q = 0; q < count; q += 2) {
        unsigned one = row->residuals[q], other = 0, bits, other_bits = 0;
        uint64_t code = take_code(mel, tables->quads, row, q, &bits);
        if (q + 1 < count) {
            other = row->residuals[q + 1];
            code |= take_code(mel, tables->quads, row, q + 1, &other_bits) << bits;
        }
        if (is_first && one && other)
            jpeg2000_ht_put_mel(mel, one > 2 && other > 2);
        jpeg2000_ht_residual_code residuals = tables->residuals[one][other];
        bits += other_bits;
        code |= (uint64_t)(residuals & 0xFFFFFF) << bits;
        jpeg2000_ht_put(codes, code, bits + (residuals >> 24));
    }
}

ALWAYS_INLINE uint64_t take_bits(uint32_t value, unsigned count)
{
    return value & ((UINT64_C(1) << count) - 1);
}

/* Put the values of a row's quads, 7.3.8. */
ALWAYS_INLINE void put_values(jpeg2000_ht_bit_writer *magnitudes, const quad_row *row, unsigned count)
{
    const uint32_t *upper = row->upper.values, *lower = row->lower.values;
    for (unsigned q = 0; q < count; q++) {
        uint32_t lengths = row->lengths[q];
        if (!lengths)
            continue;
        unsigned a = lengths & 0xFF, b = lengths >> 8 & 0xFF;
        unsigned c = lengths >> 16 & 0xFF, d = lengths >> 24;
        jpeg2000_ht_put(magnitudes,
                        take_bits(upper[2 * q], a) | take_bits(lower[2 * q], b) << a, a + b);
        jpeg2000_ht_put(magnitudes,
                        take_bits(upper[2 * q + 1], c) | take_bits(lower[2 * q + 1], d) << c,
                        c + d);
    }
}

KERNEL_BIT_VARIANTS
static void put_row(jpeg2000_ht_encoder *encoder, quad_row *row, bool is_first, unsigned count)
{
    jpeg2000_ht_bit_writer magnitudes = encoder->magnitudes, codes = encoder->codes;
    if (is_first)
        put_codes(&encoder->mel, &codes, &encoder->tables.first, true, row, count);
    else
        put_codes(&encoder->mel, &codes, &encoder->tables.other, false, row, count);
    put_values(&magnitudes, row, count);
    encoder->magnitudes = magnitudes;
    encoder->codes = codes;
}

static void put_block(jpeg2000_ht_encoder *encoder, const jpeg2000_block *block,
                      const int32_t *samples, size_t stride)
{
    static const int32_t ZEROS[BLOCK];
    unsigned count = (block->width + 1u) / 2;
    memset(encoder->rows, 0, sizeof encoder->rows); /* what is beside the samples stays 0 */
    for (unsigned y = 0; y < block->height; y += 2) {
        quad_row *row = encoder->rows + y / 2 % 2, *above = encoder->rows + (y / 2 + 1) % 2;
        const int32_t *upper = samples + y * stride;
        read_line(upper, block->width, &row->upper);
        read_line(y + 1u < block->height ? upper + stride : ZEROS, block->width, &row->lower);
        describe_row(row, y ? &above->lower : NULL);
        put_row(encoder, row, !y, count);
    }
}

static bool append_segment(jpeg2000_ht_encoder *encoder, jpeg2000_bytes *bytes, size_t *length)
{
    enum { CODE_BYTES = CODE_ROOM * 8 / 7 + JPEG2000_HT_MEL_ROOM };
    size_t most = (size_t)(encoder->magnitudes.at - encoder->magnitude_bits + 1) * 8 / 7;
    if (!jpeg2000_make_room(bytes, most + 2 * JPEG2000_HT_PADDING))
        return false;
    uint8_t *at = bytes->bytes + bytes->length, codes[CODE_BYTES];
    size_t values = jpeg2000_ht_stuff_magnitudes(&encoder->magnitudes, encoder->magnitude_bits, at);
    size_t others = jpeg2000_ht_join(&encoder->mel, &encoder->codes, encoder->code_bits,
                                     codes + sizeof codes);
    bytes->length += values;
    if (!jpeg2000_make_room(bytes, others))
        return false;
    memcpy(bytes->bytes + bytes->length, codes + sizeof codes - others, others);
    bytes->length += others;
    *length = values + others;
    return true;
}

kernel_status jpeg2000_ht_encode_block(jpeg2000_ht_encoder *encoder,
                                       const jpeg2000_block_place *place, jpeg2000_bytes *bytes)
{
    jpeg2000_block *block = place->block;
    const int32_t *samples = place->array + block->y * place->stride + block->x;
    uint32_t seen = 0;
    for (unsigned y = 0; y < block->height; y++) {
        if (y + AHEAD < block->height)
            fetch_line(samples + (y + AHEAD) * place->stride, block->width);
        seen |= gather_magnitudes(samples + y * place->stride, block->width);
    }
    unsigned planes = seen ? 64 - count_high_zeros(seen) : 0;
    if (planes > place->subband->planes || planes > MOST_PLANES)
        return KERNEL_NOT_SERVED;
    block->passes = planes ? 1 : 0;
    block->zero_planes = (uint8_t)(place->subband->planes - 1); /* all are in one pass, 7.2 */
    block->length = 0;
    if (!planes)
        return KERNEL_DONE;
    jpeg2000_ht_begin_mel(&encoder->mel);
    encoder->magnitudes = (jpeg2000_ht_bit_writer){0, 0, encoder->magnitude_bits};
    encoder->codes = (jpeg2000_ht_bit_writer){0x0F, 4, encoder->code_bits};
    put_block(encoder, block, samples, place->stride);
    size_t length;
    if (!append_segment(encoder, bytes, &length))
        return KERNEL_NO_MEMORY;
    block->length = (uint32_t)length;
    return KERNEL_DONE;
}
