#include "jpeg2000.h"

#include <stdlib.h>

#include "jpeg2000_block_decode.h"
#include "jpeg2000_components.h"
#include "jpeg2000_wavelet.h"

typedef struct {
    const jpeg2000_image *image;
    uint8_t *words;
    jpeg2000_header header;
    jpeg2000_tile_parts parts;
    jpeg2000_pieces pieces;
    jpeg2000_block_decoder *blocks;
} decoder;

/* A tile with an array of coefficients for each component, which become samples in place. */
typedef struct {
    jpeg2000_tile divided;
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

static kernel_status decode_blocks(decoder *state, tile *decoded)
{
    for (size_t i = 0; i < decoded->divided.precinct_count; i++) {
        const jpeg2000_precinct *precinct = decoded->divided.precincts + i;
        const jpeg2000_coding *coding = state->header.coding + precinct->component;
        for (unsigned k = 0; k < precinct->count; k++) {
            const jpeg2000_precinct_part *part = precinct->parts + k;
            for (size_t b = 0; b < (size_t)part->across * part->down; b++) {
                if (!part->blocks[b].passes)
                    continue;
                kernel_status status = jpeg2000_decode_block(
                    state->blocks, part->subband, coding, part->blocks + b, state->pieces.pieces,
                    decoded->arrays[precinct->component], decoded->stride);
                if (status != KERNEL_DONE)
                    return status;
            }
        }
    }
    return KERNEL_DONE;
}

static kernel_status undo_wavelets(const decoder *state, tile *decoded)
{
    kernel_status status = KERNEL_DONE;
    for (unsigned i = 0; i < state->header.components && status == KERNEL_DONE; i++) {
        const jpeg2000_tile_component *component = decoded->divided.components + i;
        status = jpeg2000_undo_wavelet(component->levels, component->resolutions,
                                       state->header.coding[i].is_reversible, decoded->arrays[i],
                                       decoded->stride);
    }
    return status;
}

static kernel_status put_rows(decoder *state, tile *decoded)
{
    const jpeg2000_header *header = &state->header;
    const jpeg2000_area *area = &decoded->divided.area;
    size_t width = jpeg2000_width(area), pixel = state->image->components * state->image->word_size;
    jpeg2000_samples samples = {.transform = header->component_transform,
                                .precision = header->precision, .is_signed = header->is_signed};
    jpeg2000_row_buffers buffers = {malloc(width * sizeof *buffers.rounded),
                                    malloc(width * sizeof *buffers.finished)};
    kernel_status status = buffers.rounded && buffers.finished ? KERNEL_DONE : KERNEL_NO_MEMORY;
    for (uint32_t y = area->y0; y < area->y1 && status == KERNEL_DONE; y++) {
        for (unsigned i = 0; i < header->components; i++) {
            samples.is_reversible[i] = header->coding[i].is_reversible;
            samples.rows[i] =
                (int32_t *)decoded->arrays[i] + (size_t)(y - area->y0) * decoded->stride;
        }
        size_t first = (size_t)(y - header->y0) * state->image->columns + (area->x0 - header->x0);
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
    const jpeg2000_area *area = &decoded->divided.area;
    decoded->stride = jpeg2000_width(area);
    for (unsigned i = 0; i < state->header.components && status == KERNEL_DONE; i++) {
        decoded->arrays[i] = calloc(decoded->stride * jpeg2000_height(area), sizeof(int32_t));
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

/* Whether a header is one of the image, with which no bits are lost. */
static bool holds_image(const jpeg2000_header *header, const jpeg2000_image *image)
{
    return header->x1 - header->x0 == image->columns && header->y1 - header->y0 == image->rows
           && header->components == image->components
           && header->precision <= 8 * image->word_size
           && (header->is_signed == image->is_signed || header->precision <= image->bits_stored);
}

kernel_status jpeg2000_decode(const uint8_t *stream, size_t length, const jpeg2000_image *image,
                              uint8_t *words)
{
    decoder state = {.image = image, .words = words};
    size_t end;
    kernel_status status = jpeg2000_read_header(stream, length, &state.header, &end);
    if (status != KERNEL_DONE)
        return status;
    if (!holds_image(&state.header, image))
        return KERNEL_NOT_SERVED;
    status = jpeg2000_find_tile_parts(stream, length, end, &state.header, &state.parts);
    if (status == KERNEL_DONE && !(state.blocks = jpeg2000_make_block_decoder()))
        status = KERNEL_NO_MEMORY;
    uint32_t tiles = state.header.tiles_across * state.header.tiles_down;
    for (uint32_t i = 0; i < tiles && status == KERNEL_DONE; i++)
        status = decode_tile(&state, i);
    jpeg2000_release_block_decoder(state.blocks);
    free(state.pieces.pieces);
    jpeg2000_release_tile_parts(&state.parts);
    return status;
}
