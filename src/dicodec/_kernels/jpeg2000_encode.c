#include <stdlib.h>
#include <string.h>

#include "jpeg2000_arrays.h"
#include "jpeg2000_components.h"
#include "jpeg2000_encoder.h"
#include "jpeg2000_quantization.h"
#include "jpeg2000_wavelet.h"
#include "jpeg2000_write_header.h"
#include "jpeg2000_write_tile_parts.h"

enum {
    BLOCK_EXPONENT = 6,
    GUARD_BITS = 2,
    MOST_LEVELS = 5,
    SMALLEST_SIDE = 8, /* of the lowest resolution, if there is any decomposition */
    FEW_BITS = 3,
};

static unsigned choose_levels(uint32_t rows, uint32_t columns)
{
    uint32_t side = rows < columns ? rows : columns;
    unsigned levels = 0;
    while (levels < MOST_LEVELS && side >> (levels + 1) >= SMALLEST_SIDE)
        levels++;
    return levels;
}

/* Exponents follow the gains of Table E.1, and are one more with RCT, whose chroma takes a bit more.
 * With high throughput they cost nothing, so samples of few bits have one more for what rounding
 * adds to them. */
static void plan_exponents(const jpeg2000_encoder *state, unsigned levels,
                           jpeg2000_quantization *quantization)
{
    unsigned bits = state->image->bits_stored;
    unsigned more = state->header.component_transform;
    more += state->header.high_throughput && bits < FEW_BITS;
    quantization->guard_bits = GUARD_BITS;
    quantization->count = 3u * levels + 1;
    for (unsigned i = 0; i < quantization->count; i++) {
        unsigned gain = !i ? 0 : i % 3 ? 1 : 2;
        quantization->exponents[i] = (uint8_t)(bits + more + gain);
    }
}

static void plan_component(const jpeg2000_encoder *state, jpeg2000_coding *coding,
                           jpeg2000_quantization *quantization)
{
    const kernel_image *image = state->image;
    coding->levels = (uint8_t)(state->header.high_throughput
                                   ? state->levels : choose_levels(image->rows, image->columns));
    coding->block_style = state->header.high_throughput ? JPEG2000_HIGH_THROUGHPUT : 0;
    coding->block_width = coding->block_height = BLOCK_EXPONENT;
    coding->is_reversible = !state->goal;
    memset(coding->precinct_width, 15, sizeof coding->precinct_width);
    memset(coding->precinct_height, 15, sizeof coding->precinct_height);
    if (state->goal)
        jpeg2000_plan_steps(coding->levels, image->bits_stored,
                            jpeg2000_choose_finer_steps(state), quantization);
    else
        plan_exponents(state, coding->levels, quantization);
}

static void plan(jpeg2000_encoder *state)
{
    const kernel_image *image = state->image;
    jpeg2000_header *header = &state->header;
    header->x1 = header->tile_width = image->columns;
    header->y1 = header->tile_height = image->rows;
    header->tiles_across = header->tiles_down = 1;
    header->components = image->components;
    header->precision = image->bits_stored;
    header->is_signed = image->is_signed;
    header->progression = state->goal || state->header.high_throughput
                              ? JPEG2000_RPCL : JPEG2000_LRCP; /* as OpenJPEG's, or OpenJPH's */
    header->layers = 1;
    for (unsigned i = 0; i < image->components; i++)
        plan_component(state, header->coding + i, header->quantization + i);
}

/* Take all rows as integers; those of a lossy stream become floats. */
static kernel_status take_rows(jpeg2000_encoder *state, const uint8_t *words)
{
    const kernel_image *image = state->image;
    size_t pixel = image->components * image->word_size;
    bool transform = state->header.component_transform;
    int32_t *memory = NULL, *rows[JPEG2000_MOST_COMPONENTS] = {NULL};
    float *floats[JPEG2000_MOST_COMPONENTS] = {NULL};
    if (state->goal && !(memory = malloc(image->components * state->stride * sizeof *memory)))
        return KERNEL_NO_MEMORY;
    kernel_status status = KERNEL_DONE;
    for (size_t y = 0; y < image->rows && status == KERNEL_DONE; y++) {
        for (unsigned i = 0; i < image->components; i++) {
            rows[i] = memory ? memory + i * state->stride
                             : (int32_t *)state->arrays[i] + y * state->stride;
            floats[i] = (float *)state->arrays[i] + y * state->stride;
        }
        if (!jpeg2000_take_row(words + y * image->columns * pixel, image, image->columns,
                               transform && !memory, rows, &state->seen))
            status = KERNEL_NOT_SERVED;
        else if (memory)
            jpeg2000_make_floats((const int32_t *const *)rows, image->components, image->columns,
                                 transform, floats);
    }
    free(memory);
    return status;
}

static kernel_status apply_wavelets(jpeg2000_encoder *state)
{
    kernel_status status = KERNEL_DONE;
    for (unsigned i = 0; i < state->image->components && status == KERNEL_DONE; i++) {
        const jpeg2000_tile_component *component = state->tile.components + i;
        status = jpeg2000_apply_wavelet(component->levels, component->resolutions, !state->goal,
                                        state->arrays[i], state->stride, state->threads);
    }
    return status;
}

static kernel_status encode_waiting(jpeg2000_worker *mine)
{
    unsigned count = mine->waiting;
    mine->waiting = 0;
    return count ? jpeg2000_encode_blocks(mine->blocks, mine->places, count, &mine->bytes)
                 : KERNEL_DONE;
}

static kernel_status encode_block(void *given, const jpeg2000_precinct *precinct,
                                  const jpeg2000_precinct_part *part, jpeg2000_block *block)
{
    jpeg2000_worker *mine = given;
    const jpeg2000_encoder *state = mine->state;
    const void *array = state->arrays[precinct->component];
    const jpeg2000_block_place place = {part->subband, block, array, state->stride};
    if (state->header.high_throughput)
        return jpeg2000_ht_encode_block(mine->ht_blocks, &place, &mine->bytes);
    if (!state->goal) {
        mine->places[mine->waiting++] = place;
        return mine->waiting == 2 ? encode_waiting(mine) : KERNEL_DONE;
    }
    return jpeg2000_encode_block_in_cuts(mine->blocks, part->subband, block, array,
                                         state->stride,
                                         jpeg2000_weigh_subband(state, precinct, part->subband),
                                         state->lowest_plane, &mine->bytes, &mine->cuts);
}

static kernel_status encode_share(void *given)
{
    jpeg2000_worker *mine = given;
    if (mine->state->header.high_throughput)
        mine->ht_blocks = jpeg2000_make_ht_encoder();
    else
        mine->blocks = jpeg2000_make_block_encoder();
    if (!mine->blocks && !mine->ht_blocks)
        return KERNEL_NO_MEMORY;
    kernel_status status = jpeg2000_visit_blocks(&mine->share, encode_block, mine);
    if (status == KERNEL_DONE)
        status = encode_waiting(mine);
    jpeg2000_release_block_encoder(mine->blocks);
    free(mine->ht_blocks);
    return status;
}

static kernel_status encode_blocks(jpeg2000_encoder *state)
{
    void *given[JPEG2000_MOST_THREADS];
    for (unsigned i = 0; i < state->threads; i++) {
        state->workers[i] = (jpeg2000_worker){
            .state = state, .share = {&state->tile, i, state->threads}};
        given[i] = state->workers + i;
    }
    return jpeg2000_work_together(state->threads, encode_share, given);
}

static kernel_status take_arrays(jpeg2000_encoder *state)
{
    for (unsigned i = 0; i < state->image->components; i++) {
        state->arrays[i] =
            jpeg2000_take_array(state->stride * state->image->rows * sizeof(int32_t));
        if (!state->arrays[i])
            return KERNEL_NO_MEMORY;
    }
    return KERNEL_DONE;
}

static void release_workers(jpeg2000_encoder *state)
{
    for (unsigned i = 0; i < state->threads; i++) {
        free(state->workers[i].bytes.bytes);
        free(state->workers[i].cuts.cuts);
        state->workers[i] = (jpeg2000_worker){0};
    }
}

/* Encode blocks for the goal, once more with all planes if those that should do do not. */
static kernel_status encode_to_goal(jpeg2000_encoder *state)
{
    state->lowest_plane = jpeg2000_find_lowest_plane(state);
    kernel_status status = encode_blocks(state);
    if (status == KERNEL_DONE)
        status = jpeg2000_meet_goal(state);
    if (status != KERNEL_DONE || state->is_met || !state->lowest_plane)
        return status;
    state->lowest_plane = 0;
    release_workers(state);
    status = encode_blocks(state);
    return status == KERNEL_DONE ? jpeg2000_meet_goal(state) : status;
}

static kernel_status encode(jpeg2000_encoder *state, const uint8_t *words)
{
    kernel_status status = take_arrays(state);
    if (status == KERNEL_DONE)
        status = take_rows(state, words);
    if (status != KERNEL_DONE)
        return status;
    jpeg2000_plan_error(state);
    plan(state);
    status = jpeg2000_divide_tile(&state->header, 0, SIZE_MAX, &state->tile);
    if (status == KERNEL_DONE)
        status = apply_wavelets(state);
    if (status == KERNEL_DONE && !jpeg2000_write_header(&state->header, &state->stream))
        status = KERNEL_NO_MEMORY;
    if (status == KERNEL_DONE)
        status = state->goal ? encode_to_goal(state) : encode_blocks(state);
    return status == KERNEL_DONE ? jpeg2000_write_tile_parts(state) : status;
}

/* Encode with what is set: kind, goal, transform, threads. */
static kernel_status encode_image(jpeg2000_encoder *state, const uint8_t *words,
                                  uint8_t **stream, size_t *length)
{
    state->stride = state->image->columns;
    state->seen = (jpeg2000_sample_range){INT32_MAX, INT32_MIN};
    if (state->threads > JPEG2000_MOST_THREADS)
        state->threads = JPEG2000_MOST_THREADS;
    kernel_status status = encode(state, words);
    for (unsigned i = 0; i < state->image->components; i++)
        free(state->arrays[i]);
    release_workers(state);
    jpeg2000_release_tile(&state->tile);
    if (status != KERNEL_DONE) {
        free(state->stream.bytes);
        return status;
    }
    *stream = state->stream.bytes;
    *length = state->stream.length;
    return KERNEL_DONE;
}

kernel_status jpeg2000_encode(const uint8_t *words, const kernel_image *image, bool transform,
                              unsigned threads, uint8_t **stream, size_t *length)
{
    jpeg2000_encoder state = {.image = image, .threads = threads,
                              .header.component_transform = transform};
    return encode_image(&state, words, stream, length);
}

kernel_status jpeg2000_encode_lossy(const uint8_t *words, const kernel_image *image,
                                    bool transform, const jpeg2000_goal *goal, unsigned threads,
                                    uint8_t **stream, size_t *length)
{
    jpeg2000_encoder state = {.image = image, .goal = goal, .threads = threads,
                              .header.component_transform = transform};
    return encode_image(&state, words, stream, length);
}

kernel_status jpeg2000_encode_high_throughput(const uint8_t *words, const kernel_image *image,
                                              bool transform, unsigned levels, unsigned threads,
                                              uint8_t **stream, size_t *length)
{
    jpeg2000_encoder state = {.image = image, .header.high_throughput = true, .levels = levels,
                              .threads = threads, .header.component_transform = transform};
    return encode_image(&state, words, stream, length);
}
