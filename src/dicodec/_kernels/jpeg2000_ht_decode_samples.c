#include "jpeg2000_ht_decode_samples.h"

#include <string.h>

#include "jpeg2000_ht_codes.h"
#include "processor.h"

/* Which vectors there are is found when it runs, but for AddressSanitizer, which so sees both. */
#if defined(__x86_64__) && defined(__GNUC__) \
    && (defined(__AVX2__) || !defined(__SANITIZE_ADDRESS__))
#define HAS_VECTORS 1
#include <immintrin.h>
#else
#define HAS_VECTORS 0
#endif

static const uint32_t SUMS = 0x01010101; /* times bytes: in each the sum of those up to it */

/* Find the bound U of the exponents of a quad, 7.3.7, of the four samples above it. */
ALWAYS_INLINE unsigned find_bound(unsigned told, unsigned residual, const uint32_t *above)
{
    unsigned pattern = told & HT_SIGNIFICANT;
    uint32_t any = above[0] | above[1] | above[2] | above[3];
    if (!(pattern & (pattern - 1))) /* of one sample, or none, nothing is predicted */
        any = 0;
    return residual + 63 - count_high_zeros(any | 3);
}

ALWAYS_INLINE uint32_t mask_sample(uint64_t bits, unsigned count)
{
    return (uint32_t)bits & ((UINT32_C(1) << count) - 1);
}

KERNEL_BIT_VARIANTS
static bool read_samples(jpeg2000_ht_bits bits, size_t *place, const jpeg2000_ht_quads *row,
                         unsigned count, unsigned most, const uint32_t *above, uint32_t *lower,
                         jpeg2000_ht_samples samples)
{
    for (unsigned q = 0; q < count; q++) {
        unsigned told = row->told[q + 1];
        unsigned bound = find_bound(told, row->residuals[q], above + 2 * q);
        if (bound > most)
            return false;
        uint32_t lengths = jpeg2000_ht_bytes[told & HT_SIGNIFICANT] * bound
                           - jpeg2000_ht_bytes[told >> HT_KNOWN_SHIFT & HT_SIGNIFICANT];
        uint32_t ends = lengths * SUMS;
        for (unsigned half = 0; half < 2; half++) {
            uint64_t word = peek_bits(bits.bytes, *place + (half ? ends >> 8 & 255 : 0));
            for (unsigned i = 2 * half; i < 2 * half + 2; i++) {
                unsigned length = lengths >> 8 * i & 255;
                uint32_t value = mask_sample(word, length)
                                 | (told >> (HT_IMPLIED_SHIFT + i) & 1) << length;
                word >>= length;
                samples[i & 1][2 * q + half] = value + (told >> i & 1) * 2;
                if (i & 1)
                    lower[1 + 2 * q + half] = value;
            }
        }
        *place += ends >> 24;
    }
    return true;
}

#if HAS_VECTORS
#define BY_VECTORS __attribute__((target("avx2,bmi,bmi2")))

enum { MOST_VECTOR_BOUND = 25 }; /* with up to 7 bits before them, a sample's bits have 32 */

/* Find the bounds of four quads, in every second lane. */
BY_VECTORS
static inline __m256i find_bounds(__m256i told, const uint8_t *residuals, const uint32_t *above)
{
    const __m256i one = _mm256_set1_epi32(1);
    __m256i any = _mm256_setzero_si256();
    for (unsigned i = 0; i < 4; i++)
        any = _mm256_or_si256(any, _mm256_loadu_si256((const __m256i *)(above + i)));
    __m256i pattern = _mm256_and_si256(told, _mm256_set1_epi32(HT_SIGNIFICANT));
    __m256i others = _mm256_and_si256(pattern, _mm256_sub_epi32(pattern, one));
    any = _mm256_andnot_si256(_mm256_cmpeq_epi32(others, _mm256_setzero_si256()), any);
    any = _mm256_or_si256(any, _mm256_set1_epi32(3));
    /* The exponent of a float, which is not rounded up without the second highest bit. */
    any = _mm256_andnot_si256(_mm256_srli_epi32(any, 1), any);
    __m256i exponent = _mm256_srli_epi32(_mm256_castps_si256(_mm256_cvtepi32_ps(any)), 23);
    uint32_t bytes;
    memcpy(&bytes, residuals, sizeof bytes);
    __m256i residual = _mm256_cvtepu8_epi64(_mm_cvtsi32_si128((int)bytes));
    return _mm256_add_epi32(residual, _mm256_sub_epi32(exponent, _mm256_set1_epi32(127)));
}

/* Load the bytes of two quads from where they begin. */
BY_VECTORS
static inline __m256i load_quads(const uint8_t *bytes, __m256i starts)
{
    unsigned first = (unsigned)_mm_cvtsi128_si32(_mm256_castsi256_si128(starts)) >> 3;
    unsigned second = (unsigned)_mm_cvtsi128_si32(_mm256_extracti128_si256(starts, 1)) >> 3;
    return _mm256_inserti128_si256(
        _mm256_castsi128_si256(_mm_loadu_si128((const __m128i *)(bytes + first))),
        _mm_loadu_si128((const __m128i *)(bytes + second)), 1);
}

/* The same as `read_samples`, of two quads at a time. Bounds are checked at last. */
BY_VECTORS ALWAYS_INLINE
bool read_by_vectors(jpeg2000_ht_bits bits, size_t *place, const jpeg2000_ht_quads *row,
                     unsigned count, unsigned most, const uint32_t *above, uint32_t *lower,
                     jpeg2000_ht_samples samples, jpeg2000_ht_row *next)
{
    const __m256i one = _mm256_set1_epi32(1), seven = _mm256_set1_epi32(7);
    const __m256i sample = _mm256_setr_epi32(0, 1, 2, 3, 0, 1, 2, 3);
    const __m256i of_second = _mm256_setr_epi32(0, 0, 0, 0, -1, -1, -1, -1);
    const __m256i four_bytes = _mm256_set1_epi32(0x03020100);
    const __m256i lowest_bytes = _mm256_setr_epi32(0, 0x04040404, 0x08080808, 0x0C0C0C0C, 0,
                                                   0x04040404, 0x08080808, 0x0C0C0C0C);
    const __m256i to_rows = _mm256_setr_epi32(0, 2, 4, 6, 1, 3, 5, 7);
    __m256i at = _mm256_set1_epi32((int)*place), largest = _mm256_setzero_si256();
    for (unsigned q = 0; q < count; q += 4) {
        __m256i tolds =
            _mm256_cvtepu16_epi64(_mm_loadl_epi64((const __m128i *)(row->told + q + 1)));
        __m256i bounds = find_bounds(tolds, row->residuals + q, above + 2 * q);
        largest = _mm256_max_epi32(largest, bounds);
        for (unsigned pair = 0; pair < 2; pair++) {
            if (next && q + 2 * pair < count)
                read_quad_pair(next, q + 2 * pair, false);
            const __m256i lanes = _mm256_setr_epi32(0, 0, 0, 0, 2, 2, 2, 2);
            __m256i which = _mm256_add_epi32(lanes, _mm256_set1_epi32(4 * (int)pair));
            __m256i told = _mm256_permutevar8x32_epi32(tolds, which);
            __m256i bound = _mm256_permutevar8x32_epi32(bounds, which);
            told = _mm256_srlv_epi32(told, sample);
            __m256i significant = _mm256_and_si256(told, one);
            __m256i known = _mm256_and_si256(_mm256_srli_epi32(told, HT_KNOWN_SHIFT), one);
            __m256i implied = _mm256_and_si256(_mm256_srli_epi32(told, HT_IMPLIED_SHIFT), one);
            __m256i length = _mm256_sub_epi32(
                _mm256_and_si256(bound, _mm256_cmpeq_epi32(significant, one)), known);
            __m256i end = _mm256_add_epi32(length, _mm256_slli_si256(length, 4));
            end = _mm256_add_epi32(end, _mm256_slli_si256(end, 8));
            __m256i first_end = _mm256_permutevar8x32_epi32(end, _mm256_set1_epi32(3));
            __m256i second_end = _mm256_permutevar8x32_epi32(end, seven);
            __m256i start = _mm256_add_epi32(at, _mm256_and_si256(first_end, of_second));
            at = _mm256_add_epi32(at, _mm256_add_epi32(first_end, second_end));
            __m256i bytes = load_quads(bits.bytes, start);
            /* From the first byte of each quad on. */
            __m256i from = _mm256_add_epi32(_mm256_and_si256(start, seven),
                                            _mm256_sub_epi32(end, length));
            __m256i places = _mm256_add_epi8(
                _mm256_shuffle_epi8(_mm256_srli_epi32(from, 3), lowest_bytes), four_bytes);
            __m256i value = _mm256_srlv_epi32(_mm256_shuffle_epi8(bytes, places),
                                              _mm256_and_si256(from, seven));
            value = _mm256_andnot_si256(_mm256_sllv_epi32(_mm256_set1_epi32(-1), length), value);
            value = _mm256_or_si256(value, _mm256_sllv_epi32(implied, length));
            __m256i whole = _mm256_add_epi32(value, _mm256_add_epi32(significant, significant));
            value = _mm256_permutevar8x32_epi32(value, to_rows);
            whole = _mm256_permutevar8x32_epi32(whole, to_rows);
            unsigned x = 2 * q + 4 * pair;
            _mm_storeu_si128((__m128i *)(lower + 1 + x), _mm256_extracti128_si256(value, 1));
            _mm_storeu_si128((__m128i *)(samples[0] + x), _mm256_castsi256_si128(whole));
            _mm_storeu_si128((__m128i *)(samples[1] + x), _mm256_extracti128_si256(whole, 1));
        }
    }
    *place = (unsigned)_mm_cvtsi128_si32(_mm256_castsi256_si128(at));
    largest = _mm256_cmpgt_epi32(largest, _mm256_set1_epi32((int)most));
    return !_mm256_movemask_epi8(_mm256_and_si256(largest, _mm256_set1_epi64x(UINT32_MAX)));
}

BY_VECTORS
static bool read_samples_by_vectors(jpeg2000_ht_bits bits, size_t *place,
                                    const jpeg2000_ht_quads *row, unsigned count, unsigned most,
                                    const uint32_t *above, uint32_t *lower,
                                    jpeg2000_ht_samples samples, jpeg2000_ht_row *next)
{
    if (!next)
        return read_by_vectors(bits, place, row, count, most, above, lower, samples, NULL);
    jpeg2000_ht_row own = *next;
    bool done = read_by_vectors(bits, place, row, count, most, above, lower, samples, &own);
    *next = own;
    return done;
}
#endif

bool jpeg2000_read_ht_samples(jpeg2000_ht_sample_reader *reader, const jpeg2000_ht_quads *row,
                              unsigned count, unsigned most, jpeg2000_ht_samples samples,
                              jpeg2000_ht_row *next)
{
    const uint32_t *above = reader->lower[reader->row & 1];
    uint32_t *lower = reader->lower[~reader->row & 1];
    reader->row++;
#if HAS_VECTORS
    if (most <= MOST_VECTOR_BOUND && __builtin_cpu_supports("avx2")
        && __builtin_cpu_supports("bmi2"))
        return read_samples_by_vectors(reader->bits, &reader->place, row, count, most, above,
                                       lower, samples, next);
#endif
    if (next)
        jpeg2000_read_ht_quads(next);
    return read_samples(reader->bits, &reader->place, row, count, most, above, lower, samples);
}
