#include <stdlib.h>
#include <string.h>

#include "jpeg2000_components.h"
#include "jpeg2000_encoder.h"
#include "jpeg2000_main_header.h"
#include "jpeg2000_packet_headers.h"
#include "jpeg2000_quantization.h"
#include "jpeg2000_wavelet.h"

enum {
    BLOCK_EXPONENT = 6,
    GUARD_BITS = 2,
    MOST_LEVELS = 5,
    LENGTH_PLACE = 6, /* of Psot in SOT */
    SMALLEST_SIDE = 8, /* of the lowest resolution, if there is any decomposition */
};

static unsigned choose_levels(uint32_t rows, uint32_t columns)
{
    uint32_t side = rows < columns ? rows : columns;
    unsigned levels = 0;
    while (levels < MOST_LEVELS && side >> (levels + 1) >= SMALLEST_SIDE)
        levels++;
    return levels;
}

/* Exponents follow the gains of Table E.1, and are one more with RCT, whose chroma takes a bit more. */
static void plan_exponents(const kernel_image *image, bool transform, unsigned levels,
                           jpeg2000_quantization *quantization)
{
    quantization->guard_bits = GUARD_BITS;
    quantization->count = 3u * levels + 1;
    for (unsigned i = 0; i < quantization->count; i++) {
        unsigned gain = !i ? 0 : i % 3 ? 1 : 2;
        quantization->exponents[i] = (uint8_t)(image->bits_stored + transform + gain);
    }
}

static void plan_component(const jpeg2000_encoder *state, jpeg2000_coding *coding,
                           jpeg2000_quantization *quantization)
{
    const kernel_image *image = state->image;
    coding->levels = (uint8_t)choose_levels(image->rows, image->columns);
    coding->block_width = coding->block_height = BLOCK_EXPONENT;
    coding->is_reversible = !state->goal;
    memset(coding->precinct_width, 15, sizeof coding->precinct_width);
    memset(coding->precinct_height, 15, sizeof coding->precinct_height);
    if (state->goal)
        jpeg2000_plan_steps(coding->levels, image->bits_stored,
                            jpeg2000_choose_finer_steps(state), quantization);
    else
        plan_exponents(image, state->header.component_transform, coding->levels, quantization);
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
    header->progression = state->goal ? JPEG2000_RPCL : JPEG2000_LRCP; /* as OpenJPEG's */
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
    if (!state->goal) {
        mine->places[mine->waiting++] =
            (jpeg2000_block_place){part->subband, block, array, state->stride};
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
    mine->blocks = jpeg2000_make_block_encoder();
    if (!mine->blocks)
        return KERNEL_NO_MEMORY;
    kernel_status status = jpeg2000_visit_blocks(&mine->share, encode_block, mine);
    if (status == KERNEL_DONE)
        status = encode_waiting(mine);
    jpeg2000_release_block_encoder(mine->blocks);
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

/* Append the bytes of a block to the stream. */
static bool put_block(jpeg2000_encoder *state, const jpeg2000_block *block)
{
    jpeg2000_worker *from = jpeg2000_find_next_worker(state);
    bool is_cut = block->last > block->first;
    if (!jpeg2000_make_room(&state->stream, block->length))
        return false;
    if (block->length)
        memcpy(state->stream.bytes + state->stream.length, from->bytes.bytes + from->at,
               block->length);
    state->stream.length += block->length;
    from->at += is_cut ? from->cuts.cuts[block->last - 1].length : block->length;
    return true;
}

/* Append a packet: its header, and what it has of each block. */
static bool put_packet(jpeg2000_encoder *state, const jpeg2000_precinct *precinct)
{
    if (!jpeg2000_write_packet_header(precinct, &state->stream))
        return false;
    for (unsigned k = 0; k < precinct->count; k++)
        for (size_t b = 0; b < (size_t)precinct->parts[k].across * precinct->parts[k].down; b++)
            if (!put_block(state, precinct->parts[k].blocks + b))
                return false;
    return true;
}

/* Write the stream behind its header: the only tile-part, EOC. */
static kernel_status write_packets(jpeg2000_encoder *state)
{
    jpeg2000_bytes *stream = &state->stream;
    size_t start = stream->length;
    if (!jpeg2000_make_room(stream, JPEG2000_MARKERS))
        return KERNEL_NO_MEMORY;
    jpeg2000_put(stream, 0xFF90, 2); /* SOT, A.4.2; Psot follows */
    jpeg2000_put(stream, 10, 2);
    jpeg2000_put(stream, 0, 2);
    jpeg2000_put(stream, 0, 4);
    jpeg2000_put(stream, 0x0001, 2);
    jpeg2000_put(stream, 0xFF93, 2);
    state->next = 0;
    for (size_t i = 0; i < state->tile.precinct_count; i++)
        if (!put_packet(state, state->tile.precincts + i))
            return KERNEL_NO_MEMORY;
    if (!jpeg2000_make_room(stream, JPEG2000_MARKERS))
        return KERNEL_NO_MEMORY;
    if (stream->length - start > UINT32_MAX)
        return KERNEL_NO_ROOM;
    jpeg2000_bytes length = {stream->bytes + start + LENGTH_PLACE, 0, 4};
    jpeg2000_put(&length, (uint32_t)(stream->length - start), 4);
    jpeg2000_put(stream, 0xFFD9, 2);
    return KERNEL_DONE;
}

static kernel_status take_arrays(jpeg2000_encoder *state)
{
    for (unsigned i = 0; i < state->image->components; i++) {
        state->arrays[i] = malloc(state->stride * state->image->rows * sizeof(int32_t));
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
    return status == KERNEL_DONE ? write_packets(state) : status;
}

static kernel_status encode_for_goal(const uint8_t *words, const kernel_image *image,
                                     bool transform, const jpeg2000_goal *goal, unsigned threads,
                                     uint8_t **stream, size_t *length)
{
    jpeg2000_encoder state = {.image = image, .goal = goal, .stride = image->columns,
                     .seen = {INT32_MAX, INT32_MIN}};
    state.threads = threads < JPEG2000_MOST_THREADS ? threads : JPEG2000_MOST_THREADS;
    state.header.component_transform = transform;
    kernel_status status = encode(&state, words);
    for (unsigned i = 0; i < image->components; i++)
        free(state.arrays[i]);
    release_workers(&state);
    jpeg2000_release_tile(&state.tile);
    if (status != KERNEL_DONE) {
        free(state.stream.bytes);
        return status;
    }
    *stream = state.stream.bytes;
    *length = state.stream.length;
    return KERNEL_DONE;
}

kernel_status jpeg2000_encode(const uint8_t *words, const kernel_image *image, bool transform,
                              unsigned threads, uint8_t **stream, size_t *length)
{
    return encode_for_goal(words, image, transform, NULL, threads, stream, length);
}

kernel_status jpeg2000_encode_lossy(const uint8_t *words, const kernel_image *image,
                                    bool transform, const jpeg2000_goal *goal, unsigned threads,
                                    uint8_t **stream, size_t *length)
{
    return encode_for_goal(words, image, transform, goal, threads, stream, length);
}
