#include <math.h>
#include <stdlib.h>

#include "jpeg2000_block_model.h"
#include "jpeg2000_encoder.h"
#include "jpeg2000_packet_headers.h"
#include "jpeg2000_quantization.h"

/* Rounding to integers takes small errors away, and adds 1/12 to the mean square of large ones: pairs
 * of the mean squares of a normal distribution, before and behind. */
static const double ROUNDED[][2] = {
    {0.010, 0}, {0.020, 0.0004}, {0.030, 0.0039}, {0.050, 0.0254}, {0.083, 0.0833},
    {0.100, 0.114}, {0.150, 0.199}, {0.200, 0.267}, {0.300, 0.380}, {1.000, 1.0833},
};

/* Return the mean square error before rounding that comes to one behind it. */
static double find_unrounded(double behind)
{
    enum { PAIRS = sizeof ROUNDED / sizeof *ROUNDED };
    unsigned i = 1;
    while (i < PAIRS && ROUNDED[i][1] < behind)
        i++;
    if (i == PAIRS)
        return behind - 1.0 / 12;
    const double *low = ROUNDED[i - 1], *high = ROUNDED[i];
    return low[0] + (high[0] - low[0]) * (behind - low[1]) / (high[1] - low[1]);
}

void jpeg2000_plan_error(jpeg2000_encoder *state)
{
    const kernel_image *image = state->image;
    if (!state->goal || state->goal->most_bytes)
        return;
    double peak = (double)((UINT64_C(1) << image->bits_stored) - 1);
    if (state->goal->of_range)
        peak = state->seen.highest > state->seen.lowest
                   ? (double)state->seen.highest - state->seen.lowest : 1;
    double mean = peak * peak / pow(10, state->goal->psnr / 10);
    state->most_error = find_unrounded(mean) * image->components * image->rows * image->columns;
}

unsigned jpeg2000_choose_finer_steps(const jpeg2000_encoder *state)
{
    enum { MOST = 4 };
    const kernel_image *image = state->image;
    double samples = (double)image->components * image->rows * image->columns;
    double error = state->header.component_transform ? 1.0 / 2 : 1.0 / 6;
    unsigned finer = 0;
    if (!state->goal->most_bytes)
        for (; finer < MOST && error * samples > state->most_error; finer++)
            error /= 4;
    return finer;
}

enum { SPARE = 2 }; /* planes below the one that is estimated */

static unsigned find_lowest_of_error(const jpeg2000_encoder *state)
{
    const kernel_image *image = state->image;
    double samples = (double)image->components * image->rows * image->columns;
    double error = 12 * state->most_error / samples; /* in steps, squared, of a plane */
    if (state->header.component_transform)
        error /= 3;
    double plane = log2(error) / 2 + jpeg2000_choose_finer_steps(state) - SPARE;
    return plane >= 1 ? (unsigned)plane : 0;
}

enum { SAMPLED = 16, HIGHEST = 31 };

/* How many coefficients of every 16th row have each plane as their highest one. */
typedef struct {
    const jpeg2000_encoder *state;
    uint64_t counts[HIGHEST + 1], all, looked_at;
} census;

static kernel_status count_coefficients(void *given, const jpeg2000_precinct *precinct,
                                        const jpeg2000_precinct_part *part, jpeg2000_block *block)
{
    census *made = given;
    size_t stride = made->state->stride;
    const float *row = (const float *)made->state->arrays[precinct->component];
    float inverse = 1 / part->subband->step;
    row += block->y * stride + block->x;
    for (unsigned y = 0; y < block->height; y += SAMPLED, row += SAMPLED * stride) {
        for (unsigned x = 0; x < block->width; x++) {
            float steps = fminf(fabsf(row[x]) * inverse, (float)(UINT64_C(1) << HIGHEST));
            if (steps >= 1)
                made->counts[63 - count_high_zeros((uint64_t)steps)]++;
        }
        made->looked_at += block->width;
    }
    made->all += (uint64_t)block->width * block->height;
    return KERNEL_DONE;
}

/* Find the plane at which the bytes are used up, by bits as they are in natural pictures: one for
 * each coefficient that is refined, and some for one that becomes significant, with its sign and
 * the zeros beside it. */
static unsigned find_lowest_of_bytes(const jpeg2000_encoder *state)
{
    enum { FRESH = 5 };
    census made = {.state = state};
    jpeg2000_visit_blocks(&(jpeg2000_share){&state->tile, 0, 1}, count_coefficients, &made);
    double bits = 8.0 * (double)state->goal->most_bytes * (double)made.looked_at / (double)made.all;
    uint64_t refined = 0;
    unsigned plane = HIGHEST + 1;
    while (plane > 0 && bits > 0) {
        uint64_t fresh = made.counts[--plane];
        bits -= (double)(refined + FRESH * fresh);
        refined += fresh;
    }
    return plane > SPARE ? plane - SPARE : 0;
}

unsigned jpeg2000_find_lowest_plane(const jpeg2000_encoder *state)
{
    return state->goal->most_bytes ? find_lowest_of_bytes(state) : find_lowest_of_error(state);
}

double jpeg2000_weigh_subband(const jpeg2000_encoder *state, const jpeg2000_precinct *precinct,
                              const jpeg2000_subband *subband)
{
    /* Of ICT (G.3.2): the squares of a component's factors, summed up. */
    static const double ICT[JPEG2000_MOST_COMPONENTS] = {3, 3.2584094, 2.4756000};
    unsigned level = state->header.coding[precinct->component].levels - precinct->resolution;
    double weight = jpeg2000_find_weight(precinct->resolution ? level + 1 : level,
                                         subband->orientation);
    return state->header.component_transform ? weight * ICT[precinct->component] : weight;
}

/* A price of a byte, and what comes of it. */
typedef struct {
    jpeg2000_encoder *state;
    double price, error;
    uint64_t bytes;   /* of blocks */
    bool reaches_end; /* whether a block has all that was encoded of it */
} trial;

static kernel_status cut_block(void *given, const jpeg2000_precinct *precinct,
                               const jpeg2000_precinct_part *part, jpeg2000_block *block)
{
    (void)precinct;
    (void)part;
    trial *made = given;
    const jpeg2000_cuts *cuts = &jpeg2000_find_next_worker(made->state)->cuts;
    made->error -= jpeg2000_cut_block(block, cuts, made->price);
    if (block->last > block->first)
        made->reaches_end |= block->passes == cuts->cuts[block->last - 1].passes;
    made->error += block->error;
    made->bytes += block->length;
    return KERNEL_DONE;
}

/* Cut all blocks where bytes cost a price. */
static trial try_price(jpeg2000_encoder *state, double price)
{
    trial made = {state, price, 0, 0, false};
    state->next = 0;
    jpeg2000_visit_blocks(&(jpeg2000_share){&state->tile, 0, 1}, cut_block, &made);
    return made;
}

/* Find the bytes of a stream whose blocks are cut. */
static kernel_status measure_stream(jpeg2000_encoder *state, uint64_t blocks, uint64_t *bytes)
{
    jpeg2000_bytes headers = {NULL, 0, 0};
    kernel_status status = KERNEL_DONE;
    for (size_t i = 0; i < state->tile.precinct_count && status == KERNEL_DONE; i++)
        if (!jpeg2000_write_packet_header(state->tile.precincts + i, &headers))
            status = KERNEL_NO_MEMORY;
    *bytes = state->stream.length + JPEG2000_MARKERS + headers.length + blocks;
    free(headers.bytes);
    return status;
}

/* Whether a stream at some price is as small as its goal, or as exact. */
static kernel_status meets_goal(jpeg2000_encoder *state, double price, bool *meets)
{
    trial made = try_price(state, price);
    *meets = made.error <= state->most_error;
    if (!state->goal->most_bytes)
        return KERNEL_DONE;
    uint64_t bytes;
    kernel_status status = measure_stream(state, made.bytes, &bytes);
    *meets = bytes <= state->goal->most_bytes;
    return status;
}

/* Bytes that are left, for blocks at a lower price. */
typedef struct {
    jpeg2000_encoder *state;
    double price;
    uint64_t left, bytes;
} filling;

static kernel_status extend_block(void *given, const jpeg2000_precinct *precinct,
                                  const jpeg2000_precinct_part *part, jpeg2000_block *block)
{
    enum { HEADER = 2 }; /* bytes that the packet's header may grow by */
    (void)precinct;
    (void)part;
    filling *made = given;
    const jpeg2000_cuts *cuts = &jpeg2000_find_next_worker(made->state)->cuts;
    if (made->left <= HEADER)
        return KERNEL_DONE;
    uint32_t bytes = jpeg2000_extend_block(block, cuts, made->price, made->left - HEADER);
    made->bytes += bytes;
    made->left -= bytes ? bytes + HEADER : 0;
    return KERNEL_DONE;
}

/* Fill the bytes that are left at a price by blocks whose next cut is worth less, but fits. */
static kernel_status fill(jpeg2000_encoder *state, double price, const double *slopes,
                          size_t count)
{
    enum { TRIALS = 64 };
    trial made = try_price(state, price);
    uint64_t size;
    kernel_status status = measure_stream(state, made.bytes, &size);
    if (status != KERNEL_DONE || size >= state->goal->most_bytes)
        return status;
    filling filled = {state, 0, state->goal->most_bytes - size, made.bytes};
    for (size_t i = 0; i < count && i < TRIALS; i++) {
        filled.price = slopes[i];
        state->next = 0;
        jpeg2000_visit_blocks(&(jpeg2000_share){&state->tile, 0, 1}, extend_block, &filled);
    }
    status = measure_stream(state, filled.bytes, &size);
    if (size > state->goal->most_bytes)
        try_price(state, price);
    return status;
}

static int compare_slopes(const void *one, const void *other)
{
    double a = *(const double *)one, b = *(const double *)other;
    return a < b ? 1 : a > b ? -1 : 0;
}

/* Return the slopes of all cuts, the steepest one first; NULL without memory. */
static double *list_slopes(const jpeg2000_encoder *state, size_t *count)
{
    *count = 0;
    for (unsigned i = 0; i < state->threads; i++)
        *count += state->workers[i].cuts.count;
    double *slopes = malloc((*count + 1) * sizeof *slopes), *next = slopes;
    for (unsigned i = 0; i < state->threads && slopes; i++)
        for (size_t k = 0; k < state->workers[i].cuts.count; k++)
            *next++ = state->workers[i].cuts.cuts[k].slope;
    if (slopes)
        qsort(slopes, *count, sizeof *slopes, compare_slopes);
    return slopes;
}

kernel_status jpeg2000_meet_goal(jpeg2000_encoder *state)
{
    size_t count;
    double *slopes = list_slopes(state, &count);
    if (!slopes)
        return KERNEL_NO_MEMORY;
    bool by_bytes = state->goal->most_bytes;
    kernel_status status = KERNEL_DONE;
    size_t low = 0, high = count; /* cuts: `low` are few enough by bytes, `high` exact enough */
    while (low < high && status == KERNEL_DONE) {
        size_t middle = low + (high - low + by_bytes) / 2;
        bool meets;
        status = meets_goal(state, middle ? slopes[middle - 1] : HUGE_VAL, &meets);
        if (by_bytes == meets)
            low = by_bytes ? middle : middle + 1;
        else
            high = by_bytes ? middle - 1 : middle;
    }
    double price = low ? slopes[low - 1] : HUGE_VAL;
    trial made = try_price(state, price);
    state->is_met = by_bytes ? !made.reaches_end : made.error <= state->most_error;
    if (by_bytes && status == KERNEL_DONE)
        status = fill(state, price, slopes + low, count - low);
    free(slopes);
    return status;
}
