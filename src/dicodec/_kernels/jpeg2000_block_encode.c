#include "jpeg2000_block_encode.h"

#include <stdlib.h>
#include <string.h>

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "jpeg2000_arithmetic_encoder.h"
#include "jpeg2000_block_error.h"
#include "processor.h"

enum {
    PLANES = JPEG2000_MOST_PLANES,
    SAMPLES = JPEG2000_BLOCK * JPEG2000_BLOCK,
    MOST_PASSES = 3 * PLANES,
    /* A plane has a symbol for each sample, and three more for each run of four that ends; a sample
     * has one sign. */
    MOST_SYMBOLS = PLANES * (SAMPLES + 3 * SAMPLES / 4) + SAMPLES,
    AT_ONCE = 1024, /* symbols for which room is made */
};

typedef struct {
    size_t symbols; /* of all passes up to the end of one */
    double gain;    /* squared error that they take away, of coefficients with a fraction */
} pass_end;

struct jpeg2000_block_encoder {
    jpeg2000_stripe significant[JPEG2000_STRIPES + 2]; /* a stripe above and below */
    jpeg2000_stripe visited[JPEG2000_STRIPES];         /* by this plane's significance pass */
    jpeg2000_stripe refined[JPEG2000_STRIPES];         /* at least once */
    jpeg2000_stripe negative[JPEG2000_STRIPES];
    jpeg2000_stripe inside[JPEG2000_STRIPES];
    jpeg2000_stripe planes[PLANES][JPEG2000_STRIPES];
    uint16_t neighbourhoods[NEIGHBOURHOODS];
    unsigned stripes;
    const uint8_t *zero_contexts;
    jpeg2000_context_tables tables;
    jpeg2000_encoder_transitions transitions;
    unsigned passes;
    bool measures; /* gains of passes */
    pass_end ends[MOST_PASSES];
    jpeg2000_stripe before[JPEG2000_STRIPES]; /* a pass, significant */
    int32_t quantized[SAMPLES];
    jpeg2000_symbol symbols[MOST_SYMBOLS];
    jpeg2000_symbol kept[MOST_SYMBOLS]; /* of the first of two blocks */
    jpeg2000_bytes second;              /* code of the second one */
};

jpeg2000_block_encoder *jpeg2000_make_block_encoder(void)
{
    jpeg2000_block_encoder *encoder = malloc(sizeof *encoder);
    if (!encoder)
        return NULL;
    encoder->second = (jpeg2000_bytes){NULL, 0, 0};
    jpeg2000_make_context_tables(&encoder->tables);
    jpeg2000_make_encoder_transitions(&encoder->transitions);
    return encoder;
}

void jpeg2000_release_block_encoder(jpeg2000_block_encoder *encoder)
{
    if (encoder)
        free(encoder->second.bytes);
    free(encoder);
}

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

/* Put a word's samples into the bitmaps; return all magnitudes, or-ed. */
static uint32_t read_word(jpeg2000_block_encoder *encoder, const jpeg2000_block *block,
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
    encoder->negative[stripe][word] = gather_bits(split.negative, 0);
    for (unsigned plane = 0; plane < PLANES; plane++)
        encoder->planes[plane][stripe][word] =
            seen >> plane ? gather_bits(split.bytes[plane / 8], plane % 8) : 0;
    return seen;
}

/* Put a block into the bitmaps; return how many planes it has. */
static unsigned start_block(jpeg2000_block_encoder *encoder, const jpeg2000_block *block,
                            const int32_t *samples, size_t stride)
{
    uint32_t seen = 0;
    encoder->stripes = (block->height + 3u) / 4;
    memset(encoder->significant, 0, sizeof encoder->significant);
    memset(encoder->visited, 0, sizeof encoder->visited);
    memset(encoder->refined, 0, sizeof encoder->refined);
    memset(encoder->neighbourhoods, 0,
           (encoder->stripes + 2) * NEIGHBOURHOOD_STRIDE * sizeof *encoder->neighbourhoods);
    for (unsigned stripe = 0; stripe < encoder->stripes; stripe++) {
        const int32_t *first = samples + 4 * stripe * stride;
        for (unsigned k = 0; k < JPEG2000_WORDS; k++) {
            encoder->inside[stripe][k] = find_inside(block->width, block->height, stripe, k);
            if (16 * k < block->width)
                seen |= read_word(encoder, block, stripe, k, first + 16 * k, stride);
        }
    }
    return seen ? 64 - count_high_zeros(seen) : 0;
}

static inline jpeg2000_symbol make_symbol(unsigned context, unsigned bit)
{
    return (jpeg2000_symbol)(context << 1 | bit);
}

/* Code the sign of a sample, D.3.2, and tell its neighbours. */
ALWAYS_INLINE jpeg2000_symbol code_sign(const jpeg2000_block_encoder *encoder, uint16_t *sample,
                                        unsigned row, unsigned negative)
{
    unsigned entry = encoder->tables.sign[*sample >> SIGN_SHIFT];
    mark_significant(sample, row, negative, false);
    return make_symbol(entry & 127, negative ^ entry >> 7);
}

/* The significance propagation pass, D.3.1 and D.3.2. */
KERNEL_BIT_VARIANTS
static jpeg2000_symbol *pass_significance(jpeg2000_block_encoder *encoder, unsigned plane,
                                          jpeg2000_symbol *symbols)
{
    const uint8_t *zero_contexts = encoder->zero_contexts;
    for (unsigned stripe = 0; stripe < encoder->stripes; stripe++) {
        jpeg2000_stripe *significant = encoder->significant + stripe, near;
        find_near(significant[0], significant[1], significant[2], near);
        uint64_t carried = 0; /* samples near one that the word before made significant */
        uint16_t *samples = encoder->neighbourhoods + find_neighbourhood(stripe, 0);
        for (unsigned k = 0; k < JPEG2000_WORDS; k++, samples += WORD) {
            uint64_t open = encoder->inside[stripe][k] & ~significant[1][k];
            uint64_t left = (near[k] | carried) & open, visited = left, found = 0;
            uint64_t ones = encoder->planes[plane][stripe][k];
            uint64_t negative = encoder->negative[stripe][k];
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
static jpeg2000_symbol *pass_refinement(jpeg2000_block_encoder *encoder, unsigned plane,
                                        jpeg2000_symbol *symbols)
{
    for (unsigned stripe = 0; stripe < encoder->stripes; stripe++) {
        jpeg2000_stripe *significant = encoder->significant + stripe, near;
        find_near(significant[0], significant[1], significant[2], near);
        for (unsigned k = 0; k < JPEG2000_WORDS; k++) {
            uint64_t left = significant[1][k] & ~encoder->visited[stripe][k];
            uint64_t again = encoder->refined[stripe][k], close = near[k] & ~again;
            uint64_t ones = encoder->planes[plane][stripe][k];
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
static jpeg2000_symbol *pass_cleanup(jpeg2000_block_encoder *encoder, unsigned plane,
                                     jpeg2000_symbol *symbols)
{
    const uint8_t *zero_contexts = encoder->zero_contexts;
    for (unsigned stripe = 0; stripe < encoder->stripes; stripe++) {
        jpeg2000_stripe *significant = encoder->significant + stripe, near;
        find_near(significant[0], significant[1], significant[2], near);
        uint64_t carried = 0;
        uint16_t *samples = encoder->neighbourhoods + find_neighbourhood(stripe, 0);
        for (unsigned k = 0; k < JPEG2000_WORDS; k++, samples += WORD) {
            uint64_t inside = encoder->inside[stripe][k], known = significant[1][k], found = 0;
            uint64_t left = inside & ~known & ~encoder->visited[stripe][k];
            if (!left) {
                carried = 0;
                continue;
            }
            uint64_t runs = find_runs(near[k] | carried | known | ~inside);
            uint64_t ones = encoder->planes[plane][stripe][k];
            uint64_t negative = encoder->negative[stripe][k], empty = find_runs(ones);
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
static double measure_pass(const jpeg2000_block_encoder *encoder, unsigned plane, bool refines)
{
    jpeg2000_stripe changed[JPEG2000_STRIPES];
    for (unsigned stripe = 0; stripe < encoder->stripes; stripe++) {
        for (unsigned k = 0; k < JPEG2000_WORDS; k++) {
            uint64_t without = (refines ? encoder->visited : encoder->before)[stripe][k];
            changed[stripe][k] = encoder->significant[stripe + 1][k] & ~without;
        }
    }
    if (refines)
        return jpeg2000_measure_refinement(encoder->planes, plane, changed, encoder->stripes);
    return jpeg2000_measure_significance(encoder->planes, plane, changed, encoder->stripes);
}

static void keep_significant(jpeg2000_block_encoder *encoder)
{
    if (encoder->measures)
        memcpy(encoder->before, encoder->significant + 1, sizeof encoder->before);
}

/* Note where a pass of a plane ends. */
static void end_pass(jpeg2000_block_encoder *encoder, const jpeg2000_symbol *end, unsigned plane,
                     bool refines)
{
    pass_end *noted = encoder->ends + encoder->passes;
    noted->symbols = (size_t)(end - encoder->symbols);
    if (encoder->measures) {
        double unit = (double)(UINT64_C(1) << 2 * plane);
        noted->gain = unit * measure_pass(encoder, plane, refines);
        noted->gain += encoder->passes ? noted[-1].gain : 0;
    }
    encoder->passes++;
}

/* Code all planes from the highest one down to another. */
static void code_planes(jpeg2000_block_encoder *encoder, unsigned planes, unsigned lowest)
{
    encoder->passes = 0;
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

/* Make room for the next symbols' code. */
static bool make_room(jpeg2000_arithmetic_encoder *coder, jpeg2000_bytes *bytes)
{
    size_t written = (size_t)(coder->last - bytes->bytes);
    bytes->length = written + 1;
    if (!jpeg2000_make_room(bytes, ENCODER_ROOM * AT_ONCE + ENCODER_SLACK))
        return false;
    coder->last = bytes->bytes + written;
    return true;
}

/* Append the arithmetic code of some symbols. */
static bool append_symbols(const jpeg2000_block_encoder *encoder, const jpeg2000_symbol *symbols,
                           size_t count, jpeg2000_arithmetic_encoder *coder,
                           jpeg2000_bytes *bytes)
{
    for (size_t i = 0; i < count; i += AT_ONCE) {
        if (!make_room(coder, bytes))
            return false;
        jpeg2000_encode_symbols(coder, &encoder->transitions, symbols + i,
                                count - i < AT_ONCE ? count - i : AT_ONCE);
    }
    return true;
}

/* Start a code whose first byte, for a carry, comes before it. */
static bool start_code(jpeg2000_arithmetic_encoder *coder, jpeg2000_bytes *bytes)
{
    if (!jpeg2000_make_room(bytes, 1 + ENCODER_SLACK))
        return false;
    *coder = jpeg2000_start_encoder(bytes->bytes + bytes->length);
    return true;
}

/* Finish a code that starts at a place; return its length. */
static size_t finish_code(jpeg2000_arithmetic_encoder *coder, size_t start, jpeg2000_bytes *bytes)
{
    uint8_t *before = bytes->bytes + start;
    bytes->length = start;
    return (size_t)(jpeg2000_finish_encoder(coder, before) - before) - 1;
}

/* Keep some bytes of a code behind the one that was free. */
static void keep_code(jpeg2000_bytes *bytes, size_t length)
{
    uint8_t *before = bytes->bytes + bytes->length;
    memmove(before, before + 1, length);
    bytes->length += length;
}

/* Append the codes of two blocks' symbols. */
static bool append_codes(jpeg2000_block_encoder *encoder, const size_t counts[2],
                         jpeg2000_bytes *bytes, size_t lengths[2])
{
    jpeg2000_arithmetic_encoder coders[2];
    jpeg2000_bytes *second = &encoder->second;
    const jpeg2000_symbol *symbols[2] = {encoder->kept, encoder->symbols};
    size_t start = bytes->length, both = counts[0] < counts[1] ? counts[0] : counts[1];
    second->length = 0;
    if (!start_code(coders, bytes) || !start_code(coders + 1, second))
        return false;
    for (size_t i = 0; i < both; i += AT_ONCE) {
        if (!make_room(coders, bytes) || !make_room(coders + 1, second))
            return false;
        jpeg2000_encode_two(coders, &encoder->transitions, symbols[0] + i, symbols[1] + i,
                            both - i < AT_ONCE ? both - i : AT_ONCE);
    }
    if (!append_symbols(encoder, symbols[0] + both, counts[0] - both, coders, bytes)
        || !append_symbols(encoder, symbols[1] + both, counts[1] - both, coders + 1, second))
        return false;
    lengths[0] = finish_code(coders, start, bytes);
    lengths[1] = finish_code(coders + 1, 0, second);
    keep_code(bytes, lengths[0]);
    if (!jpeg2000_make_room(bytes, lengths[1]))
        return false;
    memcpy(bytes->bytes + bytes->length, second->bytes + 1, lengths[1]);
    bytes->length += lengths[1];
    return true;
}

/* Append the code of one block's symbols. */
static bool append_code(const jpeg2000_block_encoder *encoder, const jpeg2000_symbol *symbols,
                        size_t count, jpeg2000_bytes *bytes, size_t *length)
{
    jpeg2000_arithmetic_encoder coder;
    size_t start = bytes->length;
    if (!start_code(&coder, bytes) || !append_symbols(encoder, symbols, count, &coder, bytes))
        return false;
    *length = finish_code(&coder, start, bytes);
    keep_code(bytes, *length);
    return true;
}

/* Model all planes of a block as symbols, and count them. */
static kernel_status model_block(jpeg2000_block_encoder *encoder, const jpeg2000_block_place *place,
                                 size_t *count)
{
    jpeg2000_block *block = place->block;
    unsigned planes = start_block(
        encoder, block, place->array + block->y * place->stride + block->x, place->stride);
    if (planes > place->subband->planes || planes > PLANES)
        return KERNEL_NOT_SERVED;
    block->zero_planes = (uint8_t)(place->subband->planes - planes);
    block->passes = (uint16_t)(planes ? 3 * planes - 2 : 0);
    *count = 0;
    if (!planes)
        return KERNEL_DONE;
    encoder->zero_contexts = encoder->tables.zero[place->subband->orientation];
    encoder->measures = false;
    code_planes(encoder, planes, 0);
    *count = encoder->ends[encoder->passes - 1].symbols;
    return KERNEL_DONE;
}

kernel_status jpeg2000_encode_blocks(jpeg2000_block_encoder *encoder,
                                     const jpeg2000_block_place *places, unsigned count,
                                     jpeg2000_bytes *bytes)
{
    size_t symbols[2] = {0}, lengths[2] = {0};
    kernel_status status = model_block(encoder, places, symbols);
    if (status == KERNEL_DONE && count > 1) {
        memcpy(encoder->kept, encoder->symbols, symbols[0] * sizeof *encoder->kept);
        status = model_block(encoder, places + 1, symbols + 1);
    }
    if (status != KERNEL_DONE)
        return status;
    const jpeg2000_symbol *only = count > 1 && symbols[0] ? encoder->kept : encoder->symbols;
    bool done = true;
    if (symbols[0] && symbols[1])
        done = append_codes(encoder, symbols, bytes, lengths);
    else if (symbols[0] || symbols[1])
        done = append_code(encoder, only, symbols[0] + symbols[1], bytes, lengths + !symbols[0]);
    for (unsigned i = 0; i < count; i++)
        places[i].block->length = (uint32_t)lengths[i];
    return done ? KERNEL_DONE : KERNEL_NO_MEMORY;
}

/* Append the code of all passes behind a free byte, and find their upper ends. */
static bool append_passes(const jpeg2000_block_encoder *encoder, jpeg2000_bytes *bytes,
                          jpeg2000_upper_end *ends, size_t *length)
{
    jpeg2000_arithmetic_encoder coder;
    size_t start = bytes->length, from = 0;
    if (!start_code(&coder, bytes))
        return false;
    for (unsigned i = 0; i < encoder->passes; i++) {
        size_t to = encoder->ends[i].symbols;
        if (!append_symbols(encoder, encoder->symbols + from, to - from, &coder, bytes))
            return false;
        from = to;
        ends[i] = jpeg2000_find_upper_end(&coder, bytes->bytes + start);
    }
    *length = finish_code(&coder, start, bytes);
    return true;
}

/* Quantize a block, with a fraction; return the sum of squares, each of the middle of what comes to
 * the same. */
static double quantize(const jpeg2000_block *block, const float *coefficients, size_t stride,
                       float step, int32_t *quantized)
{
    float scale = (float)(1 << JPEG2000_FRACTION_BITS) / step;
    double squares = 0;
    for (unsigned y = 0; y < block->height; y++) {
        for (unsigned x = 0; x < block->width; x++) {
            float value = coefficients[y * stride + x] * scale;
            int32_t whole = (int32_t)value;
            double middle = whole ? abs(whole) + 0.5 : (double)value;
            squares += middle * middle;
            quantized[y * JPEG2000_BLOCK + x] = whole;
        }
    }
    return squares;
}

kernel_status jpeg2000_encode_block_in_cuts(jpeg2000_block_encoder *encoder,
                                            const jpeg2000_subband *subband,
                                            jpeg2000_block *block, const float *array,
                                            size_t stride, double weight, unsigned lowest,
                                            jpeg2000_bytes *bytes, jpeg2000_cuts *cuts)
{
    double unit = (double)subband->step / (1 << JPEG2000_FRACTION_BITS);
    weight *= unit * unit;
    block->error = weight * quantize(block, array + block->y * stride + block->x, stride,
                                     subband->step, encoder->quantized);
    unsigned planes = start_block(encoder, block, encoder->quantized, JPEG2000_BLOCK);
    block->first = block->last = (uint32_t)cuts->count;
    block->zero_planes = subband->planes;
    lowest += JPEG2000_FRACTION_BITS;
    if (planes <= lowest)
        return KERNEL_DONE;
    if (planes > PLANES || planes - JPEG2000_FRACTION_BITS > subband->planes)
        return KERNEL_NOT_SERVED;
    block->zero_planes = (uint8_t)(subband->planes + JPEG2000_FRACTION_BITS - planes);
    encoder->zero_contexts = encoder->tables.zero[subband->orientation];
    encoder->measures = true;
    code_planes(encoder, planes, lowest);
    jpeg2000_upper_end ends[MOST_PASSES];
    size_t length;
    if (!append_passes(encoder, bytes, ends, &length))
        return KERNEL_NO_MEMORY;
    for (unsigned i = 0; i < encoder->passes; i++) {
        size_t least =
            jpeg2000_find_least_length(ends + i, bytes->bytes + bytes->length, length);
        jpeg2000_cut cut = {(uint32_t)least, (uint16_t)(i + 1), weight * encoder->ends[i].gain, 0};
        if (!jpeg2000_add_cut(cuts, block->first, &cut))
            return KERNEL_NO_MEMORY;
    }
    block->last = (uint32_t)cuts->count;
    keep_code(bytes, block->last > block->first ? cuts->cuts[block->last - 1].length : 0);
    return KERNEL_DONE;
}
