#include "jpeg2000_block_error.h"

#include "processor.h"

static unsigned count_ones(uint64_t word)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_popcountll(word);
#else
    unsigned count = 0;
    for (; word; word &= word - 1)
        count++;
    return count;
#endif
}

/* Count the samples of a set whose bit of a plane is 1. */
KERNEL_VARIANTS
static uint64_t count_common(const jpeg2000_stripe *samples, const jpeg2000_stripe *plane,
                             unsigned stripes)
{
    uint64_t count = 0;
    for (unsigned stripe = 0; stripe < stripes; stripe++)
        for (unsigned k = 0; k < JPEG2000_WORDS; k++)
            count += count_ones(samples[stripe][k] & plane[stripe][k]);
    return count;
}

/* Return the sum of the rests of some samples, in units of a plane. All planes below count, because
 * the errors that are left are small differences of large sums. */
static double sum_rests(const jpeg2000_plane *planes, unsigned plane,
                        const jpeg2000_stripe *samples, unsigned stripes, uint64_t count)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < plane; i++)
        sum += count_common(samples, planes[i], stripes) << i;
    return ((double)sum + (double)count / 2) / (double)(UINT64_C(1) << plane);
}

double jpeg2000_measure_significance(const jpeg2000_plane *planes, unsigned plane,
                                     const jpeg2000_stripe *samples, unsigned stripes)
{
    uint64_t count = count_common(samples, samples, stripes);
    if (!count)
        return 0;
    return 0.75 * (double)count + 3 * sum_rests(planes, plane, samples, stripes, count);
}

double jpeg2000_measure_refinement(const jpeg2000_plane *planes, unsigned plane,
                                   const jpeg2000_stripe *samples, unsigned stripes)
{
    jpeg2000_plane ones, zeros;
    for (unsigned stripe = 0; stripe < stripes; stripe++) {
        for (unsigned k = 0; k < JPEG2000_WORDS; k++) {
            ones[stripe][k] = samples[stripe][k] & planes[plane][stripe][k];
            zeros[stripe][k] = samples[stripe][k] & ~planes[plane][stripe][k];
        }
    }
    uint64_t one_count = count_common(ones, ones, stripes);
    uint64_t zero_count = count_common(zeros, zeros, stripes);
    if (!one_count && !zero_count)
        return 0;
    return sum_rests(planes, plane, ones, stripes, one_count) - 0.25 * (double)one_count
           + 0.75 * (double)zero_count - sum_rests(planes, plane, zeros, stripes, zero_count);
}
