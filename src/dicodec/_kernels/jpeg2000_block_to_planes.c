#include "jpeg2000_block_to_planes.h"

#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "processor.h"

enum { WORD = 64 };

/* The magnitudes of a word's samples, a byte of each in a row of its own, and their signs. */
typedef struct {
    uint8_t bytes[4][WORD];
    uint8_t negative[WORD];
} word_samples;

/* Split a word's samples, in the order of the scan, into bytes; return all magnitudes, or-ed. */
KERNEL_VARIANTS
static uint32_t split_samples(const int32_t values[WORD], word_samples *split)
{
    uint32_t seen = 0;
    for (unsigned i = 0; i < WORD; i++) {
        uint32_t sign = (uint32_t)(values[i] >> 31);
        uint32_t magnitude = ((uint32_t)values[i] ^ sign) - sign;
        split->negative[i] = sign & 1;
        split->bytes[0][i] = (uint8_t)magnitude;
        split->bytes[1][i] = (uint8_t)(magnitude >> 8);
        split->bytes[2][i] = (uint8_t)(magnitude >> 16);
        split->bytes[3][i] = (uint8_t)(magnitude >> 24);
        seen |= magnitude;
    }
    return seen;
}

/* Gather a bit of each of a word's bytes. */
#if defined(__SSE2__)
static uint64_t gather_bits(const uint8_t bytes[WORD], unsigned bit)
{
    const __m128i highest = _mm_cvtsi32_si128(7 - (int)bit); /* how far to shift to the bit taken */
    uint64_t gathered = 0;
    for (unsigned i = 0; i < WORD; i += 16) {
        __m128i shifted = _mm_sll_epi16(_mm_loadu_si128((const __m128i *)(bytes + i)), highest);
        gathered |= (uint64_t)(unsigned)_mm_movemask_epi8(shifted) << i;
    }
    return gathered;
}
#else
static inline uint64_t take_bytes(const uint8_t *bytes)
{
    uint64_t word = 0;
    for (unsigned i = 0; i < 8; i++)
        word |= (uint64_t)bytes[i] << 8 * i;
    return word;
}

static uint64_t gather_bits(const uint8_t bytes[WORD], unsigned bit)
{
    uint64_t gathered = 0;
    for (unsigned j = 0; j < 8; j++) {
        uint64_t ones = take_bytes(bytes + 8 * j) >> bit & UINT64_C(0x0101010101010101);
        gathered |= (ones * UINT64_C(0x0102040810204080) >> 56) << 8 * j;
    }
    return gathered;
}
#endif

/* Put a word's samples into the planes; return all magnitudes, or-ed. */
static uint32_t read_word(jpeg2000_coded_planes *bits, const jpeg2000_block *block,
                          unsigned stripe, unsigned word, const int32_t *first, size_t stride)
{
    int32_t values[WORD] = {0};
    word_samples split;
    unsigned columns = block->width - 16 * word, rows = block->height - 4 * stripe;
    columns = columns < 16 ? columns : 16;
    rows = rows < 4 ? rows : 4;
    for (unsigned row = 0; row < rows; row++)
        for (unsigned x = 0; x < columns; x++)
            values[4 * x + row] = first[row * stride + x];
    uint32_t seen = split_samples(values, &split);
    bits->negative[stripe][word] = gather_bits(split.negative, 0);
    for (unsigned plane = 0; plane < JPEG2000_MOST_PLANES; plane++)
        bits->planes[plane][stripe][word] =
            seen >> plane ? gather_bits(split.bytes[plane / 8], plane % 8) : 0;
    return seen;
}

unsigned jpeg2000_gather_planes(jpeg2000_coded_planes *bits, const jpeg2000_block *block,
                                const int32_t *samples, size_t stride)
{
    uint32_t seen = 0;
    bits->stripes = (block->height + 3u) / 4;
    for (unsigned stripe = 0; stripe < bits->stripes; stripe++) {
        const int32_t *first = samples + 4 * stripe * stride;
        for (unsigned k = 0; k < JPEG2000_WORDS; k++) {
            bits->inside[stripe][k] = find_inside(block->width, block->height, stripe, k);
            if (16 * k < block->width)
                seen |= read_word(bits, block, stripe, k, first + 16 * k, stride);
        }
    }
    return seen ? 64 - count_high_zeros(seen) : 0;
}
