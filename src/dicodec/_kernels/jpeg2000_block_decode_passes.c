#include "jpeg2000_block_decode_passes.h"

#include <string.h>

#include "processor.h"

void jpeg2000_reset_contexts(jpeg2000_pass_decoder *block)
{
    for (unsigned i = 0; i < JPEG2000_CONTEXTS; i++)
        block->contexts[i] = make_context(jpeg2000_first_state(i), 0);
}

/* How a pass reads: by the arithmetic decoder or raw, and whether it looks at the stripe below. */
typedef struct {
    bool raw, causal;
} pass_kind;

/* Find the samples of a stripe with significant neighbours that count. */
ALWAYS_INLINE void find_stripe_near(const jpeg2000_pass_decoder *block, unsigned stripe,
                                    pass_kind kind, jpeg2000_stripe near)
{
    static const jpeg2000_stripe NONE;
    find_near(block->significant[stripe], block->significant[stripe + 1],
              kind.causal ? NONE : block->significant[stripe + 2], near);
}

ALWAYS_INLINE bool has_none_near(const jpeg2000_pass_decoder *block, unsigned stripe)
{
    return !(block->any[stripe] | block->any[stripe + 1] | block->any[stripe + 2]);
}

/* Decode the sign of a sample, D.3.2, and tell its neighbours. Refills before. */
ALWAYS_INLINE unsigned decode_sign(jpeg2000_pass_decoder *block,
                                   jpeg2000_arithmetic_decoder *coder, uint16_t *sample,
                                   unsigned row, pass_kind kind)
{
    unsigned negative;
    if (kind.raw) {
        negative = read_raw_bit(&block->raw);
    } else {
        refill(coder);
        unsigned entry = block->tables.sign[*sample >> SIGN_SHIFT];
        negative = decode_symbol(coder, &block->transitions, block->contexts + (entry & 127));
        negative ^= entry >> 7;
    }
    mark_significant(sample, row, negative, kind.causal);
    return negative;
}

/* Decode whether a sample is significant, D.3.1. Refills behind if it is not. */
ALWAYS_INLINE unsigned decode_zero(jpeg2000_pass_decoder *block,
                                   jpeg2000_arithmetic_decoder *coder, unsigned neighbourhood,
                                   pass_kind kind)
{
    if (kind.raw)
        return read_raw_bit(&block->raw);
    unsigned context = block->zero_contexts[neighbourhood & 255];
    return decode_symbol(coder, &block->transitions, block->contexts + context);
}

/* The significance propagation pass, D.3.1 and D.3.2. */
ALWAYS_INLINE void pass_significance(jpeg2000_pass_decoder *block, unsigned plane,
                                     pass_kind kind)
{
    jpeg2000_arithmetic_decoder coder = block->coder;
    for (unsigned stripe = 0; stripe < block->bits.stripes; stripe++) {
        if (has_none_near(block, stripe)) {
            memset(block->visited[stripe], 0, sizeof *block->visited);
            continue;
        }
        jpeg2000_stripe near;
        find_stripe_near(block, stripe, kind, near);
        uint64_t carried = 0, found = 0; /* samples near one that the word before made significant */
        uint16_t *samples = block->neighbourhoods + find_neighbourhood(stripe, 0);
        for (unsigned k = 0; k < JPEG2000_WORDS; k++, samples += 64) {
            uint64_t open = block->inside[stripe][k] & ~block->significant[stripe + 1][k];
            uint64_t left = (near[k] | carried) & open, visited = left;
            uint64_t significant = 0, negatives = 0;
            carried = 0;
            while (left) {
                unsigned i = count_low_zeros(left);
                left &= left - 1;
                if (decode_zero(block, &coder, samples[i], kind)) {
                    uint64_t negative = decode_sign(block, &coder, samples + i, i & 3, kind);
                    significant |= UINT64_C(1) << i;
                    negatives |= negative << i;
                    uint64_t later = LATER_NEIGHBOURS[i & 3], more = later << i & open;
                    left |= more;
                    visited |= more;
                    carried |= later >> 1 >> (63 - i);
                }
                if (!kind.raw)
                    refill(&coder);
            }
            block->visited[stripe][k] = visited;
            block->significant[stripe + 1][k] |= significant;
            block->bits.negative[stripe][k] |= negatives;
            block->bits.planes[plane][stripe][k] = significant;
            found |= significant;
        }
        block->any[stripe + 1] |= found != 0;
    }
    block->coder = coder;
}

/* The magnitude refinement pass, D.3.3. */
ALWAYS_INLINE void pass_refinement(jpeg2000_pass_decoder *block, unsigned plane, pass_kind kind)
{
    jpeg2000_arithmetic_decoder coder = block->coder;
    jpeg2000_context *contexts = block->contexts + JPEG2000_MAGNITUDE_CONTEXT;
    for (unsigned stripe = 0; stripe < block->bits.stripes; stripe++) {
        if (!block->any[stripe + 1])
            continue;
        jpeg2000_stripe near;
        find_stripe_near(block, stripe, kind, near);
        for (unsigned k = 0; k < JPEG2000_WORDS; k++) {
            uint64_t left = block->significant[stripe + 1][k] & ~block->visited[stripe][k];
            if (!left)
                continue;
            uint64_t again = block->refined[stripe][k], close = near[k] & ~again, ones = 0;
            block->refined[stripe][k] |= left;
            do {
                unsigned i = count_low_zeros(left), bit;
                left &= left - 1;
                if (kind.raw) {
                    bit = read_raw_bit(&block->raw);
                } else {
                    unsigned context = (close >> i & 1) | (again >> i & 1) << 1; /* Table D.4 */
                    bit = decode_symbol(&coder, &block->transitions, contexts + context);
                    refill(&coder);
                }
                ones |= (uint64_t)bit << i;
            } while (left);
            block->bits.planes[plane][stripe][k] |= ones;
        }
    }
    block->coder = coder;
}

/* Decode some runs at once if all are certain to be of zeros, without renormalization. */
ALWAYS_INLINE bool skip_runs(jpeg2000_arithmetic_decoder *coder, jpeg2000_context context,
                             unsigned count)
{
    uint64_t all = (context >> 48) * count;
    if (all >= 0x8000 || context & 1)
        return false;
    all <<= 48;
    if (coder->code < all || coder->interval - all < LOWEST_INTERVAL)
        return false;
    coder->interval -= all;
    coder->code -= all;
    return true;
}

/* The cleanup pass, D.3.4. */
ALWAYS_INLINE void pass_cleanup(jpeg2000_pass_decoder *block, unsigned plane, pass_kind kind)
{
    jpeg2000_arithmetic_decoder coder = block->coder;
    jpeg2000_context *contexts = block->contexts;
    const jpeg2000_transitions *transitions = &block->transitions;
    const unsigned last = JPEG2000_WORDS - 1;
    for (unsigned stripe = 0; stripe < block->bits.stripes; stripe++) {
        jpeg2000_stripe near = {0};
        if (has_none_near(block, stripe)) {
            if (block->inside[stripe][last] == UINT64_MAX
                && skip_runs(&coder, contexts[JPEG2000_RUN_CONTEXT], JPEG2000_BLOCK))
                continue;
        } else {
            find_stripe_near(block, stripe, kind, near);
        }
        uint64_t carried = 0, found = 0;
        uint16_t *samples = block->neighbourhoods + find_neighbourhood(stripe, 0);
        for (unsigned k = 0; k < JPEG2000_WORDS; k++, samples += 64) {
            uint64_t inside = block->inside[stripe][k], known = block->significant[stripe + 1][k];
            uint64_t left = inside & ~known & ~block->visited[stripe][k];
            if (!left) {
                carried = 0;
                continue;
            }
            uint64_t runs = find_runs(near[k] | carried | known | ~inside);
            uint64_t significant = 0, negatives = 0;
            left = (left & ~(runs * 15)) | runs; /* a run stands for its column */
            carried = 0;
            while (left) {
                unsigned i = count_low_zeros(left);
                if (runs >> i & 1) {
                    uint64_t together = find_leading(left, runs);
                    unsigned count = count_columns(together);
                    if (skip_runs(&coder, contexts[JPEG2000_RUN_CONTEXT], count)) {
                        left &= ~together;
                        continue;
                    }
                    left &= left - 1;
                    unsigned ends = decode_symbol(&coder, transitions,
                                                  contexts + JPEG2000_RUN_CONTEXT);
                    refill(&coder);
                    if (!ends)
                        continue;
                    jpeg2000_context *uniform = contexts + JPEG2000_UNIFORM_CONTEXT;
                    unsigned row = decode_symbol(&coder, transitions, uniform) << 1;
                    row |= decode_symbol(&coder, transitions, uniform);
                    left |= (uint64_t)(0xEu << row & 0xF) << i; /* the column's other samples */
                    i += row;
                } else {
                    left &= left - 1;
                    unsigned one = decode_zero(block, &coder, samples[i], kind);
                    if (!one) {
                        refill(&coder);
                        continue;
                    }
                }
                uint64_t negative = decode_sign(block, &coder, samples + i, i & 3, kind);
                refill(&coder);
                significant |= UINT64_C(1) << i;
                negatives |= negative << i;
                uint64_t broken = runs & UINT64_C(0x10) << (i & 60); /* the next column's run */
                runs ^= broken;
                left |= broken * 15;
                carried |= LATER_NEIGHBOURS[i & 3] >> 1 >> (63 - i);
            }
            block->significant[stripe + 1][k] |= significant;
            block->bits.negative[stripe][k] |= negatives;
            block->bits.planes[plane][stripe][k] |= significant;
            found |= significant;
        }
        block->any[stripe + 1] |= found != 0;
    }
    block->coder = coder;
}

static void skip_segmentation_symbol(jpeg2000_pass_decoder *block)
{
    for (int i = 0; i < 4; i++) { /* D.5; a wrong one is not an error for other decoders either */
        decode_symbol(&block->coder, &block->transitions,
                      block->contexts + JPEG2000_UNIFORM_CONTEXT);
        refill(&block->coder);
    }
}

#define EACH_KIND(PASS, block, plane, kind)                        \
    do {                                                           \
        if ((kind).raw && (kind).causal)                           \
            PASS(block, plane, (pass_kind){true, true});           \
        else if ((kind).raw)                                       \
            PASS(block, plane, (pass_kind){true, false});          \
        else if ((kind).causal)                                    \
            PASS(block, plane, (pass_kind){false, true});          \
        else                                                       \
            PASS(block, plane, (pass_kind){false, false});         \
    } while (0)

KERNEL_BIT_VARIANTS
static void decode_significance(jpeg2000_pass_decoder *block, unsigned plane, pass_kind kind)
{
    EACH_KIND(pass_significance, block, plane, kind);
}

KERNEL_BIT_VARIANTS
static void decode_refinement(jpeg2000_pass_decoder *block, unsigned plane, pass_kind kind)
{
    EACH_KIND(pass_refinement, block, plane, kind);
}

KERNEL_BIT_VARIANTS
static void decode_cleanup(jpeg2000_pass_decoder *block, unsigned plane, bool causal)
{
    if (causal)
        pass_cleanup(block, plane, (pass_kind){false, true});
    else
        pass_cleanup(block, plane, (pass_kind){false, false});
}

void jpeg2000_decode_pass(jpeg2000_pass_decoder *decoder, unsigned style, unsigned pass,
                          unsigned planes, bool raw)
{
    unsigned kind = jpeg2000_find_pass_kind(pass);
    unsigned plane = jpeg2000_find_pass_plane(pass, planes);
    pass_kind reading = {raw, style & JPEG2000_CAUSAL};
    if (kind == JPEG2000_SIGNIFICANCE)
        decode_significance(decoder, plane, reading);
    else if (kind == JPEG2000_REFINEMENT)
        decode_refinement(decoder, plane, reading);
    else
        decode_cleanup(decoder, plane, reading.causal);
    if (kind == JPEG2000_CLEANUP && style & JPEG2000_SEGMENTATION_SYMBOLS)
        skip_segmentation_symbol(decoder);
    if (style & JPEG2000_RESET)
        jpeg2000_reset_contexts(decoder);
}
