#include "jpeg2000.h"

#include <stdlib.h>
#include <string.h>

#include "jpeg2000_arrays.h"
#include "jpeg2000_block_decode.h"
#include "jpeg2000_components.h"
#include "jpeg2000_ht_decode.h"
#include "jpeg2000_read_header.h"
#include "jpeg2000_read_tile_parts.h"
#include "jpeg2000_threads.h"
#include "jpeg2000_wavelet.h"

typedef struct {
    const kernel_image *image;
    uint8_t *words;
    jpeg2000_header header;
    jpeg2000_tile_parts parts;
    jpeg2000_pieces pieces;
    unsigned halvings, threads;
    jpeg2000_block_decoder *blocks[JPEG2000_MOST_THREADS]; /* or, of high throughput: */
    jpeg2000_ht_decoder *ht_blocks[JPEG2000_MOST_THREADS];
} decoder;

/* A tile with an array of coefficients for each component, which become samples in place. */
typedef struct {
    jpeg2000_tile divided;
    jpeg2000_area area; /* of its samples, in the resolution that is wanted */
    size_t stride;
    void *arrays[JPEG2000_MOST_COMPONENTS];
} tile;

static size_t count_bytes(const jpeg2000_tile_parts *parts, uint32_t index)
{
    size_t count = 0;
    for (uint32_t i = parts->first[index]; i; i = parts->parts[i].next)
        count += parts->parts[i].length;
    return count;
}

typedef struct {
    const decoder *state;
    const tile *decoded;
    jpeg2000_block_decoder *blocks;
    jpeg2000_ht_decoder *ht_blocks;
    jpeg2000_share share;
} worker;

static void clear_block(const jpeg2000_block *block, int32_t *array, size_t stride)
{
    array += block->y * stride + block->x;
    for (unsigned y = 0; y < block->height; y++, array += stride)
        memset(array, 0, block->width * sizeof *array);
}

static kernel_status decode_block(void *given, const jpeg2000_precinct *precinct,
                                  const jpeg2000_precinct_part *part, jpeg2000_block *block)
{
    const worker *mine = given;
    const jpeg2000_coding *coding = mine->state->header.coding + precinct->component;
    const jpeg2000_piece *pieces = mine->state->pieces.pieces;
    void *array = mine->decoded->arrays[precinct->component];
    size_t stride = mine->decoded->stride;
    if (precinct->resolution + mine->state->halvings > coding->levels)
        return KERNEL_DONE;
    if (!block->passes) {
        clear_block(block, array, stride);
        return KERNEL_DONE;
    }
    if (mine->ht_blocks)
        return jpeg2000_decode_ht_block(mine->ht_blocks, part->subband, coding, block, pieces,
                                        array, stride);
    return jpeg2000_decode_block(mine->blocks, part->subband, coding, block, pieces, array,
                                 stride);
}

static kernel_status decode_share(void *given)
{
    const worker *mine = given;
    return jpeg2000_visit_blocks(&mine->share, decode_block, given);
}

static kernel_status decode_blocks(const decoder *state, const tile *decoded)
{
    worker workers[JPEG2000_MOST_THREADS];
    void *given[JPEG2000_MOST_THREADS];
    for (unsigned i = 0; i < state->threads; i++) {
        workers[i] = (worker){state, decoded, state->blocks[i], state->ht_blocks[i],
                              {&decoded->divided, i, state->threads}};
        given[i] = workers + i;
    }
    return jpeg2000_work_together(state->threads, decode_share, given);
}

static kernel_status undo_wavelets(const decoder *state, tile *decoded)
{
    kernel_status status = KERNEL_DONE;
    for (unsigned i = 0; i < state->header.components && status == KERNEL_DONE; i++) {
        const jpeg2000_tile_component *component = decoded->divided.components + i;
        status = jpeg2000_undo_wavelet(
            component->levels, component->resolutions - state->halvings,
            state->header.coding[i].is_reversible, decoded->arrays[i], decoded->stride,
            state->threads);
    }
    return status;
}

static kernel_status put_rows(decoder *state, tile *decoded)
{
    const jpeg2000_header *header = &state->header;
    const jpeg2000_area *area = &decoded->area;
    uint32_t left = jpeg2000_shift_up(header->x0, state->halvings);
    uint32_t top = jpeg2000_shift_up(header->y0, state->halvings);
    size_t columns = jpeg2000_shift_up(header->x1, state->halvings) - left;
    size_t width = jpeg2000_width(area), pixel = state->image->components * state->image->word_size;
    jpeg2000_samples samples = {.transform = header->component_transform,
                                .precision = header->precision, .is_signed = header->is_signed};
    /* Such samples of HTJ2K go to OpenJPH, which does not limit them; halved ones to OpenJPEG. */
    samples.refuses_outside = header->high_throughput && !state->halvings;
    jpeg2000_row_buffers buffers = {malloc(width * sizeof *buffers.rounded),
                                    malloc(width * sizeof *buffers.finished)};
    kernel_status status = buffers.rounded && buffers.finished ? KERNEL_DONE : KERNEL_NO_MEMORY;
    for (uint32_t y = area->y0; y < area->y1 && status == KERNEL_DONE; y++) {
        for (unsigned i = 0; i < header->components; i++) {
            samples.is_reversible[i] = header->coding[i].is_reversible;
            samples.rows[i] =
                (int32_t *)decoded->arrays[i] + (size_t)(y - area->y0) * decoded->stride;
        }
        size_t first = (size_t)(y - top) * columns + (area->x0 - left);
        if (!jpeg2000_put_row(&samples, state->image, &buffers, width,
                              state->words + first * pixel))
            status = KERNEL_NOT_SERVED;
    }
    free(buffers.rounded);
    free(buffers.finished);
    return status;
}

static kernel_status decode_divided(decoder *state, uint32_t index, tile *decoded)
{
    kernel_status status = jpeg2000_read_packets(&state->header, state->parts.parts,
                                                 state->parts.first[index], &decoded->divided,
                                                 &state->pieces);
    const jpeg2000_tile_component *component = decoded->divided.components;
    const jpeg2000_area *area = &decoded->area;
    decoded->area = component->levels[component->resolutions - 1 - state->halvings].area;
    decoded->stride = jpeg2000_width(area);
    if (!decoded->stride || !jpeg2000_height(area))
        return status;
    size_t count = decoded->stride * jpeg2000_height(area);
    for (unsigned i = 0; i < state->header.components && status == KERNEL_DONE; i++) {
        if (count <= SIZE_MAX / sizeof(int32_t))
            decoded->arrays[i] = jpeg2000_take_array(count * sizeof(int32_t));
        if (!decoded->arrays[i])
            status = KERNEL_NO_MEMORY;
    }
    if (status == KERNEL_DONE)
        status = decode_blocks(state, decoded);
    if (status == KERNEL_DONE)
        status = undo_wavelets(state, decoded);
    if (status == KERNEL_DONE)
        status = put_rows(state, decoded);
    for (unsigned i = 0; i < state->header.components; i++)
        free(decoded->arrays[i]);
    return status;
}

static kernel_status decode_tile(decoder *state, uint32_t index)
{
    tile decoded = {0};
    kernel_status status = jpeg2000_divide_tile(
        &state->header, index, count_bytes(&state->parts, index), &decoded.divided);
    if (status == KERNEL_DONE)
        status = decode_divided(state, index, &decoded);
    jpeg2000_release_tile(&decoded.divided);
    return status;
}

/* Whether an end of an image on the grid is halved to where its size is. */
static bool halves_evenly(uint32_t start, uint32_t end, unsigned halvings)
{
    return jpeg2000_shift_up(end, halvings) - jpeg2000_shift_up(start, halvings)
           == jpeg2000_shift_up(end - start, halvings);
}

/* Whether all components have the resolutions to be halved, to the size that is expected, and
 * coefficients of them are means of the samples that are wanted. */
static bool can_halve(const jpeg2000_header *header, const kernel_image *image,
                      unsigned halvings)
{
    for (unsigned i = 0; i < header->components; i++)
        if (header->coding[i].levels < halvings)
            return false;
    return !halvings
           || (header->is_signed == image->is_signed
               && halves_evenly(header->x0, header->x1, halvings)
               && halves_evenly(header->y0, header->y1, halvings));
}

/* Whether a header is one of the image, with which no bits are lost. */
static bool holds_image(const jpeg2000_header *header, const kernel_image *image)
{
    return header->x1 - header->x0 == image->columns && header->y1 - header->y0 == image->rows
           && header->components == image->components
           && header->precision <= 8 * image->word_size
           && (header->is_signed == image->is_signed || header->precision <= image->bits_stored);
}

static kernel_status decode_tiles(decoder *state)
{
    kernel_status status = KERNEL_DONE;
    for (unsigned i = 0; i < state->threads && status == KERNEL_DONE; i++) {
        if (state->header.high_throughput)
            state->ht_blocks[i] = jpeg2000_make_ht_decoder();
        else
            state->blocks[i] = jpeg2000_make_block_decoder();
        if (!state->blocks[i] && !state->ht_blocks[i])
            status = KERNEL_NO_MEMORY;
    }
    uint32_t tiles = state->header.tiles_across * state->header.tiles_down;
    for (uint32_t i = 0; i < tiles && status == KERNEL_DONE; i++)
        status = decode_tile(state, i);
    for (unsigned i = 0; i < state->threads; i++) {
        jpeg2000_release_block_decoder(state->blocks[i]);
        jpeg2000_release_ht_decoder(state->ht_blocks[i]);
    }
    free(state->pieces.pieces);
    return status;
}

kernel_status jpeg2000_decode(const uint8_t *stream, size_t length, const kernel_image *image,
                              unsigned halvings, unsigned threads, uint8_t *words)
{
    decoder state = {.image = image, .words = words, .halvings = halvings};
    state.threads = threads < JPEG2000_MOST_THREADS ? threads : JPEG2000_MOST_THREADS;
    size_t end;
    kernel_status status = jpeg2000_read_header(stream, length, &state.header, &end);
    if (status != KERNEL_DONE)
        return status;
    if (!holds_image(&state.header, image) || !can_halve(&state.header, image, halvings))
        return KERNEL_NOT_SERVED;
    status = jpeg2000_read_tile_parts(stream, length, end, &state.header, &state.parts);
    if (status == KERNEL_DONE)
        status = decode_tiles(&state);
    jpeg2000_release_tile_parts(&state.parts);
    return status;
}
