#include "jpeg2000_ht_decode_samples.h"

#include "processor.h"

/* The bits of a quad's field, a byte each. */
static const uint32_t SPREAD[16] = {
    0x00000000, 0x00000001, 0x00000100, 0x00000101, 0x00010000, 0x00010001, 0x00010100, 0x00010101,
    0x01000000, 0x01000001, 0x01000100, 0x01000101, 0x01010000, 0x01010001, 0x01010100, 0x01010101,
};

static const uint32_t SUMS = 0x01010101; /* times bytes: in each the sum of those up to it */

/* Find the bounds U of the exponents of each quad, 7.3.7; false if one is too large. */
ALWAYS_INLINE bool find_bounds(const jpeg2000_ht_sample_reader *reader,
                               const jpeg2000_ht_quads *row, unsigned count, unsigned most,
                               uint8_t bounds[HT_QUADS])
{
    unsigned largest = 0;
    for (unsigned q = 0; q < count; q++) {
        unsigned pattern = row->told[q + 1] & HT_SIGNIFICANT;
        uint32_t above = reader->above[q] | reader->above[q + 1];
        if (!(pattern & (pattern - 1))) /* of one sample, or none, nothing is predicted */
            above = 0;
        unsigned bound = row->residuals[q] + 64 - count_high_zeros(above | 1);
        bounds[q] = (uint8_t)bound;
        largest = bound > largest ? bound : largest;
    }
    return largest <= most;
}

ALWAYS_INLINE uint32_t mask_sample(uint64_t bits, unsigned count)
{
    return (uint32_t)bits & ((UINT32_C(1) << count) - 1);
}

ALWAYS_INLINE bool read_samples(jpeg2000_ht_sample_reader *reader, const jpeg2000_ht_quads *row,
                                unsigned count, unsigned most, jpeg2000_ht_samples samples)
{
    uint8_t bounds[HT_QUADS];
    if (!find_bounds(reader, row, count, most, bounds))
        return false;
    const uint8_t *bytes = reader->bits.bytes;
    size_t place = reader->place;
    uint32_t before = 0; /* of the sample to the south-west */
    for (unsigned q = 0; q < count; q++) {
        unsigned told = row->told[q + 1];
        uint32_t significant = SPREAD[told & HT_SIGNIFICANT];
        uint32_t lengths = significant * bounds[q] - SPREAD[told >> HT_KNOWN_SHIFT & 15];
        uint32_t ends = lengths * SUMS;
        unsigned implied = told >> HT_IMPLIED_SHIFT;
        uint32_t values[4];
        for (unsigned half = 0; half < 2; half++) {
            uint64_t bits = peek_bits(bytes, place + (half ? ends >> 8 & 255 : 0));
            unsigned one = lengths >> 16 * half & 255, other = lengths >> (16 * half + 8) & 255;
            values[2 * half] =
                mask_sample(bits, one) | (implied >> 2 * half & 1) << one;
            values[2 * half + 1] =
                mask_sample(bits >> one, other) | (implied >> (2 * half + 1) & 1) << other;
        }
        place += ends >> 24;
        for (unsigned i = 0; i < 4; i++)
            samples[i & 1][2 * q + i / 2] = values[i] + (significant >> 8 * i & 1) * 2;
        reader->above[q] = before | values[1] >> 1;
        before = values[3] >> 1;
    }
    reader->above[count] = before;
    reader->place = place;
    return true;
}

KERNEL_BIT_VARIANTS
bool jpeg2000_read_ht_samples(jpeg2000_ht_sample_reader *reader, const jpeg2000_ht_quads *row,
                              unsigned count, unsigned most, jpeg2000_ht_samples samples)
{
    return read_samples(reader, row, count, most, samples);
}
