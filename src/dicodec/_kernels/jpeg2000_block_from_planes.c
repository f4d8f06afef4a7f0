#include "jpeg2000_block_from_planes.h"

#include <string.h>

#include "processor.h"

enum { COLUMNS = 16, ROWS = 4, LOW_PLANES = 16 }; /* of a word; of which low[] holds the bits */

typedef uint16_t word_values[ROWS][COLUMNS];

#if defined(__GNUC__)
/* Gather bits of a word's samples from planes, the highest first, that are `stride` apart. */
ALWAYS_INLINE void gather_planes(const uint64_t *plane, ptrdiff_t stride, unsigned count,
                                 word_values values)
{
    typedef uint64_t groups __attribute__((vector_size(32))); /* four columns each */
    typedef uint16_t lanes __attribute__((vector_size(32)));
    const lanes first = {1, 16, 256, 4096, 1, 16, 256, 4096, 1, 16, 256, 4096, 1, 16, 256, 4096};
    lanes sums[ROWS] = {{0}};
    for (; count; count--, plane += stride) {
        groups bits = ((*plane - (groups){0}) >> (groups){0, 16, 32, 48}) & 0xFFFF;
        bits |= bits << 16;
        bits |= bits << 32;
        for (unsigned row = 0; row < ROWS; row++) /* equal is -1 */
            sums[row] += sums[row] - (lanes)(((lanes)bits & first << row) == first << row);
    }
    memcpy(values, sums, sizeof sums);
}
#else
ALWAYS_INLINE void gather_planes(const uint64_t *plane, ptrdiff_t stride, unsigned count,
                                 word_values values)
{
    memset(values, 0, sizeof(word_values));
    for (; count; count--, plane += stride)
        for (unsigned row = 0; row < ROWS; row++)
            for (unsigned x = 0; x < COLUMNS; x++)
                values[row][x] = (uint16_t)(2 * values[row][x] + (*plane >> (ROWS * x + row) & 1));
}
#endif

/* Put a row of a word's coefficients into the array of their component. */
ALWAYS_INLINE void put_row(const int32_t values[COLUMNS], unsigned columns, bool is_reversible,
                           float half_step, void *array, size_t place)
{
    if (is_reversible)
        for (unsigned x = 0; x < columns; x++)
            ((int32_t *)array)[place + x] = values[x];
    else
        for (unsigned x = 0; x < columns; x++)
            ((float *)array)[place + x] = (float)values[x] * half_step;
}

/* Put a word's coefficients there; the halves, their lowest bits, do not count if reversible. */
KERNEL_VARIANTS
static void finish_word(const jpeg2000_decoded_planes *block, unsigned stripe, unsigned word,
                        unsigned planes, bool is_reversible, float half_step, void *array,
                        size_t place, size_t stride)
{
    const ptrdiff_t below = -(ptrdiff_t)(sizeof *block->planes / sizeof(uint64_t));
    unsigned middle = planes < LOW_PLANES ? planes : LOW_PLANES - 1;
    word_values low, high = {{0}}, negative;
    gather_planes(&block->planes[middle][stripe][word], below, middle + 1, low);
    if (planes > middle)
        gather_planes(&block->planes[planes][stripe][word], below, planes - middle, high);
    gather_planes(&block->negative[stripe][word], 0, 1, negative);
    unsigned columns = block->width - COLUMNS * word, rows = block->height - ROWS * stripe;
    for (unsigned row = 0; row < ROWS && row < rows; row++, place += stride) {
        int32_t values[COLUMNS];
        for (unsigned x = 0; x < COLUMNS; x++) {
            uint32_t magnitude = low[row][x] | (uint32_t)high[row][x] << LOW_PLANES;
            int32_t value = (int32_t)(magnitude >> is_reversible);
            int32_t sign = -(int32_t)negative[row][x];
            values[x] = (value ^ sign) - sign;
        }
        if (columns >= COLUMNS)
            put_row(values, COLUMNS, is_reversible, half_step, array, place);
        else
            put_row(values, columns, is_reversible, half_step, array, place);
    }
}

void jpeg2000_put_coefficients(const jpeg2000_decoded_planes *block, unsigned planes,
                               bool is_reversible, float half_step, void *array, size_t place,
                               size_t stride)
{
    for (unsigned stripe = 0; stripe < block->stripes; stripe++, place += ROWS * stride)
        for (unsigned word = 0; COLUMNS * word < block->width; word++)
            finish_word(block, stripe, word, planes, is_reversible, half_step, array,
                        place + COLUMNS * word, stride);
}
