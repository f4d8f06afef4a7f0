#include "jpeg2000_block_encode_passes.h"

#include <string.h>

#include "jpeg2000_block_error.h"
#include "processor.h"

enum { WORD = 64 };

static inline jpeg2000_symbol make_symbol(unsigned context, unsigned bit)
{
    return (jpeg2000_symbol)(context << 1 | bit);
}

/* Code the sign of a sample, D.3.2, and tell its neighbours. */
ALWAYS_INLINE jpeg2000_symbol code_sign(const jpeg2000_pass_encoder *encoder, uint16_t *sample,
                                        unsigned row, unsigned negative)
{
    unsigned entry = encoder->tables.sign[*sample >> SIGN_SHIFT];
    mark_significant(sample, row, negative, false);
    return make_symbol(entry & 127, negative ^ entry >> 7);
}

/* The significance propagation pass, D.3.1 and D.3.2. */
KERNEL_BIT_VARIANTS
static jpeg2000_symbol *pass_significance(jpeg2000_pass_encoder *encoder, unsigned plane,
                                          jpeg2000_symbol *symbols)
{
    const uint8_t *zero_contexts = encoder->zero_contexts;
    for (unsigned stripe = 0; stripe < encoder->block.stripes; stripe++) {
        jpeg2000_stripe *significant = encoder->significant + stripe, near;
        find_near(significant[0], significant[1], significant[2], near);
        uint64_t carried = 0; /* samples near one that the word before made significant */
        uint16_t *samples = encoder->neighbourhoods + find_neighbourhood(stripe, 0);
        for (unsigned k = 0; k < JPEG2000_WORDS; k++, samples += WORD) {
            uint64_t open = encoder->block.inside[stripe][k] & ~significant[1][k];
            uint64_t left = (near[k] | carried) & open, visited = left, found = 0;
            uint64_t ones = encoder->block.planes[plane][stripe][k];
            uint64_t negative = encoder->block.negative[stripe][k];
            carried = 0;
            while (left) {
                unsigned i = count_low_zeros(left), bit = ones >> i & 1;
                left &= left - 1;
                *symbols++ = make_symbol(zero_contexts[samples[i] & 255], bit);
                if (bit) {
                    *symbols++ = code_sign(encoder, samples + i, i & 3, negative >> i & 1);
                    found |= UINT64_C(1) << i;
                    uint64_t later = LATER_NEIGHBOURS[i & 3], more = later << i & open;
                    left |= more;
                    visited |= more;
                    carried |= later >> 1 >> (63 - i);
                }
            }
            encoder->visited[stripe][k] = visited;
            significant[1][k] |= found;
        }
    }
    return symbols;
}

/* The magnitude refinement pass, D.3.3. */
KERNEL_BIT_VARIANTS
static jpeg2000_symbol *pass_refinement(jpeg2000_pass_encoder *encoder, unsigned plane,
                                        jpeg2000_symbol *symbols)
{
    for (unsigned stripe = 0; stripe < encoder->block.stripes; stripe++) {
        jpeg2000_stripe *significant = encoder->significant + stripe, near;
        find_near(significant[0], significant[1], significant[2], near);
        for (unsigned k = 0; k < JPEG2000_WORDS; k++) {
            uint64_t left = significant[1][k] & ~encoder->visited[stripe][k];
            uint64_t again = encoder->refined[stripe][k], close = near[k] & ~again;
            uint64_t ones = encoder->block.planes[plane][stripe][k];
            encoder->refined[stripe][k] |= left;
            while (left) {
                unsigned i = count_low_zeros(left);
                left &= left - 1;
                unsigned context = (close >> i & 1) | (again >> i & 1) << 1; /* Table D.4 */
                *symbols++ = make_symbol(JPEG2000_MAGNITUDE_CONTEXT + context, ones >> i & 1);
            }
        }
    }
    return symbols;
}

/* The cleanup pass, D.3.4. */
KERNEL_BIT_VARIANTS
static jpeg2000_symbol *pass_cleanup(jpeg2000_pass_encoder *encoder, unsigned plane,
                                     jpeg2000_symbol *symbols)
{
    const uint8_t *zero_contexts = encoder->zero_contexts;
    for (unsigned stripe = 0; stripe < encoder->block.stripes; stripe++) {
        jpeg2000_stripe *significant = encoder->significant + stripe, near;
        find_near(significant[0], significant[1], significant[2], near);
        uint64_t carried = 0;
        uint16_t *samples = encoder->neighbourhoods + find_neighbourhood(stripe, 0);
        for (unsigned k = 0; k < JPEG2000_WORDS; k++, samples += WORD) {
            uint64_t inside = encoder->block.inside[stripe][k], known = significant[1][k];
            uint64_t left = inside & ~known & ~encoder->visited[stripe][k], found = 0;
            if (!left) {
                carried = 0;
                continue;
            }
            uint64_t runs = find_runs(near[k] | carried | known | ~inside);
            uint64_t ones = encoder->block.planes[plane][stripe][k];
            uint64_t negative = encoder->block.negative[stripe][k], empty = find_runs(ones);
            left = (left & ~(runs * 15)) | runs; /* a run stands for its column */
            carried = 0;
            while (left) {
                unsigned i = count_low_zeros(left);
                if (runs & empty & (left & (0 - left))) {
                    uint64_t together = find_leading(left, runs & empty);
                    *symbols++ = (jpeg2000_symbol)(EMPTY_RUNS + count_columns(together));
                    left &= ~together;
                    continue;
                }
                left &= left - 1;
                if (runs >> i & 1) {
                    unsigned row = count_low_zeros(ones >> i & 15);
                    *symbols++ = make_symbol(JPEG2000_RUN_CONTEXT, 1);
                    *symbols++ = make_symbol(JPEG2000_UNIFORM_CONTEXT, row >> 1);
                    *symbols++ = make_symbol(JPEG2000_UNIFORM_CONTEXT, row & 1);
                    left |= (uint64_t)(0xEu << row & 0xF) << i; /* the column's other samples */
                    i += row;
                } else {
                    unsigned bit = ones >> i & 1;
                    *symbols++ = make_symbol(zero_contexts[samples[i] & 255], bit);
                    if (!bit)
                        continue;
                }
                *symbols++ = code_sign(encoder, samples + i, i & 3, negative >> i & 1);
                found |= UINT64_C(1) << i;
                uint64_t broken = runs & UINT64_C(0x10) << (i & 60); /* the next column's run */
                runs ^= broken;
                left |= broken * 15;
                carried |= LATER_NEIGHBOURS[i & 3] >> 1 >> (63 - i);
            }
            significant[1][k] |= found;
        }
    }
    return symbols;
}

/* Return what a pass of a plane takes away of the squared error, in units of that plane. */
static double measure_pass(const jpeg2000_pass_encoder *encoder, unsigned plane, bool refines)
{
    const jpeg2000_coded_planes *block = &encoder->block;
    jpeg2000_stripe changed[JPEG2000_STRIPES];
    for (unsigned stripe = 0; stripe < block->stripes; stripe++) {
        for (unsigned k = 0; k < JPEG2000_WORDS; k++) {
            uint64_t without = (refines ? encoder->visited : encoder->before)[stripe][k];
            changed[stripe][k] = encoder->significant[stripe + 1][k] & ~without;
        }
    }
    if (refines)
        return jpeg2000_measure_refinement(block->planes, plane, changed, block->stripes);
    return jpeg2000_measure_significance(block->planes, plane, changed, block->stripes);
}

static void keep_significant(jpeg2000_pass_encoder *encoder)
{
    if (encoder->measures)
        memcpy(encoder->before, encoder->significant + 1, sizeof encoder->before);
}

/* Note where a pass of a plane ends. */
static void end_pass(jpeg2000_pass_encoder *encoder, const jpeg2000_symbol *end, unsigned plane,
                     bool refines)
{
    jpeg2000_pass_end *noted = encoder->ends + encoder->count;
    noted->symbols = (size_t)(end - encoder->symbols);
    if (encoder->measures) {
        double unit = (double)(UINT64_C(1) << 2 * plane);
        noted->gain = unit * measure_pass(encoder, plane, refines);
        noted->gain += encoder->count ? noted[-1].gain : 0;
    }
    encoder->count++;
}

/* Forget the block before. */
static void reset_samples(jpeg2000_pass_encoder *encoder)
{
    memset(encoder->significant, 0, sizeof encoder->significant);
    memset(encoder->visited, 0, sizeof encoder->visited);
    memset(encoder->refined, 0, sizeof encoder->refined);
    memset(encoder->neighbourhoods, 0,
           (encoder->block.stripes + 2) * NEIGHBOURHOOD_STRIDE * sizeof *encoder->neighbourhoods);
}

void jpeg2000_encode_passes(jpeg2000_pass_encoder *encoder, unsigned orientation, unsigned planes,
                            unsigned lowest, bool measures)
{
    reset_samples(encoder);
    encoder->zero_contexts = encoder->tables.zero[orientation];
    encoder->measures = measures;
    encoder->count = 0;
    keep_significant(encoder);
    jpeg2000_symbol *symbols = pass_cleanup(encoder, planes - 1, encoder->symbols);
    end_pass(encoder, symbols, planes - 1, false);
    for (unsigned plane = planes - 1; plane-- > lowest;) {
        keep_significant(encoder);
        symbols = pass_significance(encoder, plane, symbols);
        end_pass(encoder, symbols, plane, false);
        symbols = pass_refinement(encoder, plane, symbols);
        end_pass(encoder, symbols, plane, true);
        keep_significant(encoder);
        symbols = pass_cleanup(encoder, plane, symbols);
        end_pass(encoder, symbols, plane, false);
    }
}
