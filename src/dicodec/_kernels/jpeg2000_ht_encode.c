#include "jpeg2000_ht_encode.h"

#include <stdlib.h>
#include <string.h>

#include "jpeg2000_block_model.h"
#include "jpeg2000_ht_encode_tables.h"
#include "jpeg2000_ht_writers.h"
#include "processor.h"

enum {
    BLOCK = JPEG2000_BLOCK,
    QUADS = BLOCK / 2, /* of a row */
    MOST_PLANES = 23,  /* that floats of 2 * magnitude - 1 hold, and residuals */
    MAGNITUDE_ROOM = BLOCK * BLOCK * (MOST_PLANES + 1) / 8,
    CODE_ROOM = QUADS * QUADS / 2 * 30 / 8 + 1, /* two quads take up to 7 + 7 + 16 bits */
};

/* The samples of a line of a block, with zeros on both sides. */
typedef struct {
    uint32_t values[BLOCK];         /* v_n, 7.3.8: twice the magnitude less 2, and the sign */
    uint8_t exponents[1 + BLOCK + 1]; /* E_n, 7.3.7: the bits of twice the magnitude less 1 */
} sample_line;

/* A row of quads. Sample n of a quad is that of its column n / 2 and line n % 2. */
typedef struct {
    sample_line upper, lower;
    uint16_t states[QUADS];    /* the index of its code: context, significance, EMB */
    uint8_t bounds[QUADS];     /* U_q, 7.3.7: bits of a value at most */
    uint8_t residuals[QUADS];  /* u_q, by which that is above what neighbours predict */
    uint32_t lengths[QUADS];   /* bits of the values that MagSgn has, a byte each */
} quad_row;

struct jpeg2000_ht_encoder {
    jpeg2000_ht_encode_tables tables;
    quad_row rows[2]; /* by turns, the one and that above it */
    jpeg2000_ht_mel mel;
    jpeg2000_ht_bits magnitudes, codes;
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

static void read_line(const int32_t *samples, unsigned width, sample_line *line)
{
    split_samples(samples, width, line->values, line->exponents + 1);
    line->exponents[1 + width] = 0;
    if (width < BLOCK)
        line->exponents[2 + width] = 0;
}

static inline uint8_t larger(uint8_t one, uint8_t other)
{
    return one > other ? one : other;
}

/* Find what the codes of a row's quads depend on; `upper` and `lower` are exponents of its lines. */
ALWAYS_INLINE void describe_quads(const uint8_t *restrict upper, const uint8_t *restrict lower,
                                  const uint8_t *restrict above, bool is_first, unsigned count,
                                  quad_row *restrict row)
{
    for (unsigned q = 0; q < count; q++) {
        uint8_t a = upper[2 * q + 1], b = lower[2 * q + 1];
        uint8_t c = upper[2 * q + 2], d = lower[2 * q + 2];
        uint8_t most = larger(larger(a, b), larger(c, d)), predicted = 1;
        uint8_t significance =
            (uint8_t)((a > 0) | (b > 0) << 1 | (c > 0) << 2 | (d > 0) << 3);
        uint8_t context; /* equations 1 and 2 */
        if (is_first) {
            uint8_t left = upper[2 * q], lower_left = lower[2 * q];
            uint8_t far = q ? upper[2 * q - 1] | lower[2 * q - 1] : 0;
            context = (uint8_t)((far > 0) | (left > 0) << 1 | (lower_left > 0) << 2);
        } else {
            uint8_t left = above[2 * q], right = above[2 * q + 3];
            uint8_t near = above[2 * q + 1], next = above[2 * q + 2];
            uint8_t beside = upper[2 * q] | lower[2 * q];
            uint8_t high = larger(larger(left, near), larger(next, right));
            bool is_single = !(significance & (significance - 1));
            context = (uint8_t)(((left | near) > 0) | (beside > 0) << 1
                                | ((next | right) > 0) << 2);
            predicted = is_single || high < 2 ? 1 : (uint8_t)(high - 1);
        }
        uint8_t bound = larger(most, predicted);
        uint8_t residual = (uint8_t)(bound - predicted);
        uint8_t longest = (uint8_t)((a == most) | (b == most) << 1 | (c == most) << 2
                                    | (d == most) << 3);
        row->bounds[q] = bound;
        row->residuals[q] = residual;
        row->states[q] =
            (uint16_t)(context << 8 | significance << 4 | (residual ? longest : 0));
    }
}

KERNEL_VARIANTS
static void describe_first_row(quad_row *row, unsigned count)
{
    describe_quads(row->upper.exponents, row->lower.exponents, NULL, true, count, row);
}

KERNEL_VARIANTS
static void describe_row(quad_row *row, const sample_line *above, unsigned count)
{
    describe_quads(row->upper.exponents, row->lower.exponents, above->exponents, false, count,
                   row);
}

/* By a set of a quad's samples, a byte of one for each. */
static const uint32_t BYTES[16] = {
    0x0, 0x1, 0x100, 0x101, 0x10000, 0x10001, 0x10100, 0x10101,
    0x1000000, 0x1000001, 0x1000100, 0x1000101, 0x1010000, 0x1010001, 0x1010100, 0x1010101,
};

/* Take the code of a quad behind one before it, of `*length` bits; a quad without significant
 * neighbours also has a MEL symbol. */
ALWAYS_INLINE uint32_t take_code(jpeg2000_ht_mel *mel, const jpeg2000_ht_quad_code *codes,
                                 quad_row *row, unsigned quad, unsigned *length)
{
    unsigned state = row->states[quad], significance = state >> 4 & 15;
    unsigned code = codes[state], known = code >> 12;
    if (state < 1u << 8)
        jpeg2000_ht_put_mel(mel, significance != 0);
    row->lengths[quad] = row->bounds[quad] * BYTES[significance] - BYTES[known];
    *length = code >> 8 & 15;
    return code & 0xFF;
}

/* Put the codes of a row's quads, two at a time: 7.3.4 in the other direction. */
ALWAYS_INLINE void put_codes(jpeg2000_ht_mel *mel, jpeg2000_ht_bits *codes,
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
ALWAYS_INLINE void put_values(jpeg2000_ht_bits *magnitudes, const quad_row *row, unsigned count)
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
    jpeg2000_ht_bits magnitudes = encoder->magnitudes, codes = encoder->codes;
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
    encoder->rows[0].upper.exponents[0] = encoder->rows[0].lower.exponents[0] = 0;
    encoder->rows[1].upper.exponents[0] = encoder->rows[1].lower.exponents[0] = 0;
    for (unsigned y = 0; y < block->height; y += 2) {
        quad_row *row = encoder->rows + y / 2 % 2, *above = encoder->rows + (y / 2 + 1) % 2;
        const int32_t *upper = samples + y * stride;
        read_line(upper, block->width, &row->upper);
        read_line(y + 1u < block->height ? upper + stride : ZEROS, block->width, &row->lower);
        if (!y)
            describe_first_row(row, count);
        else
            describe_row(row, &above->lower, count);
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
    for (unsigned y = 0; y < block->height; y++)
        seen |= gather_magnitudes(samples + y * place->stride, block->width);
    unsigned planes = seen ? 64 - count_high_zeros(seen) : 0;
    if (planes > place->subband->planes || planes > MOST_PLANES)
        return KERNEL_NOT_SERVED;
    block->passes = planes ? 1 : 0;
    block->zero_planes = (uint8_t)(place->subband->planes - 1); /* all are in one pass, 7.2 */
    block->length = 0;
    if (!planes)
        return KERNEL_DONE;
    jpeg2000_ht_begin_mel(&encoder->mel);
    encoder->magnitudes = (jpeg2000_ht_bits){0, 0, encoder->magnitude_bits};
    encoder->codes = (jpeg2000_ht_bits){0x0F, 4, encoder->code_bits};
    put_block(encoder, block, samples, place->stride);
    size_t length;
    if (!append_segment(encoder, bytes, &length))
        return KERNEL_NO_MEMORY;
    block->length = (uint32_t)length;
    return KERNEL_DONE;
}
