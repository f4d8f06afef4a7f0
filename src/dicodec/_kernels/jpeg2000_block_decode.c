#include "jpeg2000_block_decode.h"

#include <stdlib.h>
#include <string.h>

#include "jpeg2000_arithmetic_decoder.h"
#include "processor.h"

enum {
    PLANES = JPEG2000_MOST_PLANES + 1, /* the lowest one holds halves */
    MOST_JOINED = 1 << 16,             /* bytes of a segment in several pieces, at first */
};

struct jpeg2000_block_decoder {
    jpeg2000_stripe significant[JPEG2000_STRIPES + 2]; /* a stripe above and below */
    jpeg2000_stripe visited[JPEG2000_STRIPES];         /* by this plane's significance pass */
    jpeg2000_stripe refined[JPEG2000_STRIPES];         /* at least once */
    jpeg2000_stripe negative[JPEG2000_STRIPES];
    jpeg2000_stripe inside[JPEG2000_STRIPES];
    jpeg2000_stripe planes[PLANES][JPEG2000_STRIPES];
    bool any[JPEG2000_STRIPES + 2]; /* whether a stripe has a significant sample */
    uint16_t neighbourhoods[NEIGHBOURHOODS];
    unsigned stripes, width, height;
    const uint8_t *zero_contexts;
    jpeg2000_arithmetic_decoder coder;
    jpeg2000_raw_reader raw;
    jpeg2000_context contexts[JPEG2000_CONTEXTS];
    jpeg2000_context_tables tables;
    jpeg2000_transitions transitions;
    uint8_t *joined;      /* a segment's pieces together */
    size_t room;
};

jpeg2000_block_decoder *jpeg2000_make_block_decoder(void)
{
    jpeg2000_block_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return NULL;
    jpeg2000_make_context_tables(&decoder->tables);
    jpeg2000_make_transitions(&decoder->transitions);
    return decoder;
}

void jpeg2000_release_block_decoder(jpeg2000_block_decoder *decoder)
{
    if (decoder)
        free(decoder->joined);
    free(decoder);
}

static void reset_contexts(jpeg2000_block_decoder *block)
{
    for (unsigned i = 0; i < JPEG2000_CONTEXTS; i++)
        block->contexts[i] = make_context(jpeg2000_first_state(i), 0);
}

static void start_block(jpeg2000_block_decoder *block, unsigned width, unsigned height,
                        unsigned planes)
{
    block->width = width;
    block->height = height;
    block->stripes = (height + 3) / 4;
    memset(block->significant, 0, sizeof block->significant);
    memset(block->visited, 0, sizeof block->visited);
    memset(block->refined, 0, sizeof block->refined);
    memset(block->negative, 0, sizeof block->negative);
    memset(block->any, 0, sizeof block->any);
    memset(block->neighbourhoods, 0,
           (block->stripes + 2) * NEIGHBOURHOOD_STRIDE * sizeof *block->neighbourhoods);
    for (unsigned plane = 0; plane <= planes; plane++)
        memset(block->planes[plane], 0, block->stripes * sizeof *block->planes[plane]);
    for (unsigned stripe = 0; stripe < block->stripes; stripe++)
        for (unsigned k = 0; k < JPEG2000_WORDS; k++)
            block->inside[stripe][k] = find_inside(width, height, stripe, k);
    reset_contexts(block);
}

/* How a pass reads: by the arithmetic decoder or raw, and whether it looks at the stripe below. */
typedef struct {
    bool raw, causal;
} pass_kind;

/* Find the samples of a stripe with significant neighbours that count. */
ALWAYS_INLINE void find_stripe_near(const jpeg2000_block_decoder *block, unsigned stripe,
                                    pass_kind kind, jpeg2000_stripe near)
{
    static const jpeg2000_stripe NONE;
    find_near(block->significant[stripe], block->significant[stripe + 1],
              kind.causal ? NONE : block->significant[stripe + 2], near);
}

ALWAYS_INLINE bool has_none_near(const jpeg2000_block_decoder *block, unsigned stripe)
{
    return !(block->any[stripe] | block->any[stripe + 1] | block->any[stripe + 2]);
}

/* Decode the sign of a sample, D.3.2, and tell its neighbours. Refills before. */
ALWAYS_INLINE unsigned decode_sign(jpeg2000_block_decoder *block,
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
ALWAYS_INLINE unsigned decode_zero(jpeg2000_block_decoder *block,
                                   jpeg2000_arithmetic_decoder *coder, unsigned neighbourhood,
                                   pass_kind kind)
{
    if (kind.raw)
        return read_raw_bit(&block->raw);
    unsigned context = block->zero_contexts[neighbourhood & 255];
    return decode_symbol(coder, &block->transitions, block->contexts + context);
}

/* The significance propagation pass, D.3.1 and D.3.2. */
ALWAYS_INLINE void pass_significance(jpeg2000_block_decoder *block, unsigned plane,
                                     pass_kind kind)
{
    jpeg2000_arithmetic_decoder coder = block->coder;
    for (unsigned stripe = 0; stripe < block->stripes; stripe++) {
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
            block->negative[stripe][k] |= negatives;
            block->planes[plane][stripe][k] = significant;
            found |= significant;
        }
        block->any[stripe + 1] |= found != 0;
    }
    block->coder = coder;
}

/* The magnitude refinement pass, D.3.3. */
ALWAYS_INLINE void pass_refinement(jpeg2000_block_decoder *block, unsigned plane, pass_kind kind)
{
    jpeg2000_arithmetic_decoder coder = block->coder;
    jpeg2000_context *contexts = block->contexts + JPEG2000_MAGNITUDE_CONTEXT;
    for (unsigned stripe = 0; stripe < block->stripes; stripe++) {
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
            block->planes[plane][stripe][k] |= ones;
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
ALWAYS_INLINE void pass_cleanup(jpeg2000_block_decoder *block, unsigned plane, pass_kind kind)
{
    jpeg2000_arithmetic_decoder coder = block->coder;
    jpeg2000_context *contexts = block->contexts;
    const jpeg2000_transitions *transitions = &block->transitions;
    const unsigned last = JPEG2000_WORDS - 1;
    for (unsigned stripe = 0; stripe < block->stripes; stripe++) {
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
            block->negative[stripe][k] |= negatives;
            block->planes[plane][stripe][k] |= significant;
            found |= significant;
        }
        block->any[stripe + 1] |= found != 0;
    }
    block->coder = coder;
}

static void skip_segmentation_symbol(jpeg2000_block_decoder *block)
{
    for (int i = 0; i < 4; i++) { /* D.5; a wrong one is not an error for other decoders either */
        decode_symbol(&block->coder, &block->transitions,
                      block->contexts + JPEG2000_UNIFORM_CONTEXT);
        refill(&block->coder);
    }
}

/* Take samples whose lowest planes are missing for the middle of what they may be.
 *
 * `plane` is the lowest one with passes, of which it may have that of significance alone. */
static void add_halves(jpeg2000_block_decoder *block, unsigned plane, bool significance_alone)
{
    for (unsigned stripe = 0; stripe < block->stripes; stripe++) {
        for (unsigned k = 0; k < JPEG2000_WORDS; k++) {
            uint64_t all = block->significant[stripe + 1][k], coded = all;
            if (significance_alone)
                coded &= block->visited[stripe][k];
            block->planes[plane][stripe][k] |= all & ~coded;
            block->planes[plane - 1][stripe][k] |= coded;
        }
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
static void decode_significance(jpeg2000_block_decoder *block, unsigned plane, pass_kind kind)
{
    EACH_KIND(pass_significance, block, plane, kind);
}

KERNEL_BIT_VARIANTS
static void decode_refinement(jpeg2000_block_decoder *block, unsigned plane, pass_kind kind)
{
    EACH_KIND(pass_refinement, block, plane, kind);
}

KERNEL_BIT_VARIANTS
static void decode_cleanup(jpeg2000_block_decoder *block, unsigned plane, bool causal)
{
    if (causal)
        pass_cleanup(block, plane, (pass_kind){false, true});
    else
        pass_cleanup(block, plane, (pass_kind){false, false});
}

/* Join the pieces of the segment that begins with one, and return its bytes. */
static const uint8_t *join_segment(jpeg2000_block_decoder *decoder, const jpeg2000_piece *pieces,
                                   uint32_t first, unsigned passes, size_t *length)
{
    const jpeg2000_piece *piece = pieces + first;
    *length = piece->length;
    if (piece->passes >= passes)
        return piece->data;
    *length = 0;
    for (unsigned seen = 0;; piece = pieces + piece->next) {
        size_t needed = *length + piece->length;
        if (needed > decoder->room || !decoder->joined) {
            size_t room = needed < MOST_JOINED ? MOST_JOINED : 2 * needed;
            uint8_t *grown = realloc(decoder->joined, room);
            if (!grown)
                return NULL;
            decoder->joined = grown;
            decoder->room = room;
        }
        memcpy(decoder->joined + *length, piece->data, piece->length);
        *length = needed;
        seen += piece->passes;
        if (seen >= passes || !piece->next)
            return decoder->joined;
    }
}

static uint32_t skip_pieces(const jpeg2000_piece *pieces, uint32_t at, unsigned passes)
{
    for (unsigned seen = 0; at && seen < passes; at = pieces[at].next)
        seen += pieces[at].passes;
    return at;
}

/* Passes of a block by their number: the first plane has a cleanup pass alone, D.3. */
enum { SIGNIFICANCE, REFINEMENT, CLEANUP, KINDS };

static unsigned find_kind(unsigned pass)
{
    return (pass + CLEANUP) % KINDS;
}

static unsigned find_plane(unsigned pass, unsigned planes)
{
    return planes - (pass + CLEANUP) / KINDS;
}

static void decode_pass(jpeg2000_block_decoder *decoder, unsigned style, unsigned pass,
                        unsigned planes, bool raw)
{
    unsigned kind = find_kind(pass), plane = find_plane(pass, planes);
    pass_kind reading = {raw, style & JPEG2000_CAUSAL};
    if (kind == SIGNIFICANCE)
        decode_significance(decoder, plane, reading);
    else if (kind == REFINEMENT)
        decode_refinement(decoder, plane, reading);
    else
        decode_cleanup(decoder, plane, reading.causal);
    if (kind == CLEANUP && style & JPEG2000_SEGMENTATION_SYMBOLS)
        skip_segmentation_symbol(decoder);
    if (style & JPEG2000_RESET)
        reset_contexts(decoder);
}

/* Decode all passes of a block, D.4 to D.7; `planes` are those that are not missing. */
static kernel_status decode_passes(jpeg2000_block_decoder *decoder, unsigned style,
                                   const jpeg2000_block *block, const jpeg2000_piece *pieces,
                                   unsigned planes)
{
    uint32_t piece = block->first;
    for (unsigned pass = 0, end; pass < block->passes; pass = end) {
        end = pass + jpeg2000_count_segment_passes(style, pass);
        end = end < block->passes ? end : block->passes;
        size_t length;
        const uint8_t *data = join_segment(decoder, pieces, piece, end - pass, &length);
        if (!data)
            return KERNEL_NO_MEMORY;
        piece = skip_pieces(pieces, piece, end - pass);
        bool raw = jpeg2000_is_raw(style, pass);
        if (raw)
            decoder->raw = (jpeg2000_raw_reader){data, data + length, 0, 0};
        else
            decoder->coder = jpeg2000_start_decoder(data, length);
        for (unsigned i = pass; i < end; i++)
            decode_pass(decoder, style, i, planes, raw);
    }
    unsigned last = block->passes - 1u;
    add_halves(decoder, find_plane(last, planes), find_kind(last) == SIGNIFICANCE);
    return KERNEL_DONE;
}

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
static void finish_word(const jpeg2000_block_decoder *block, unsigned stripe, unsigned word,
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

kernel_status jpeg2000_decode_block(jpeg2000_block_decoder *decoder,
                                    const jpeg2000_subband *subband,
                                    const jpeg2000_coding *coding, const jpeg2000_block *block,
                                    const jpeg2000_piece *pieces, void *array, size_t stride)
{
    unsigned planes = subband->planes - block->zero_planes;
    start_block(decoder, block->width, block->height, planes);
    decoder->zero_contexts = decoder->tables.zero[subband->orientation];
    kernel_status status = decode_passes(decoder, coding->block_style, block, pieces, planes);
    for (unsigned stripe = 0; stripe < decoder->stripes && status == KERNEL_DONE; stripe++)
        for (unsigned word = 0; COLUMNS * word < decoder->width; word++)
            finish_word(decoder, stripe, word, planes, coding->is_reversible, subband->step / 2,
                        array, (block->y + ROWS * stripe) * stride + block->x + COLUMNS * word,
                        stride);
    return status;
}
