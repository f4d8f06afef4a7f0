#include <stdlib.h>
#include <string.h>

#include "jpeg2000_components.h"
#include "jpeg2000_packet_headers.h"
#include "jpeg2000_threads.h"
#include "jpeg2000_wavelet.h"

enum {
    BLOCK_EXPONENT = 6,
    GUARD_BITS = 2,
    MOST_LEVELS = 5,
    SMALLEST_SIDE = 8, /* of the lowest resolution, if there is any decomposition */
    HEADER_ROOM = 256,
};

/* Encodes a share of the blocks; its bytes are theirs, in their order. */
typedef struct {
    const struct encoder *state;
    jpeg2000_block_encoder *blocks;
    jpeg2000_share share;
    jpeg2000_bytes bytes;
    size_t at; /* of the bytes, that the stream has */
} worker;

typedef struct encoder {
    const jpeg2000_image *image;
    jpeg2000_header header;
    jpeg2000_tile tile;
    size_t stride;
    int32_t *arrays[JPEG2000_MOST_COMPONENTS];
    unsigned threads, next; /* workers, and the one that has the stream's next block */
    worker workers[JPEG2000_MOST_THREADS];
    jpeg2000_bytes stream;
} encoder;

static unsigned choose_levels(uint32_t rows, uint32_t columns)
{
    uint32_t side = rows < columns ? rows : columns;
    unsigned levels = 0;
    while (levels < MOST_LEVELS && side >> (levels + 1) >= SMALLEST_SIDE)
        levels++;
    return levels;
}

/* Exponents follow the gains of Table E.1, and are one more with RCT, whose chroma takes a bit more. */
static void plan_component(const jpeg2000_image *image, bool transform, jpeg2000_coding *coding,
                           jpeg2000_quantization *quantization)
{
    coding->levels = (uint8_t)choose_levels(image->rows, image->columns);
    coding->block_width = coding->block_height = BLOCK_EXPONENT;
    coding->is_reversible = true;
    memset(coding->precinct_width, 15, sizeof coding->precinct_width);
    memset(coding->precinct_height, 15, sizeof coding->precinct_height);
    quantization->guard_bits = GUARD_BITS;
    quantization->count = 3u * coding->levels + 1;
    for (unsigned i = 0; i < quantization->count; i++) {
        unsigned gain = !i ? 0 : i % 3 ? 1 : 2;
        quantization->exponents[i] = (uint8_t)(image->bits_stored + transform + gain);
    }
}

static void plan(encoder *state, bool transform)
{
    const jpeg2000_image *image = state->image;
    jpeg2000_header *header = &state->header;
    header->x1 = header->tile_width = image->columns;
    header->y1 = header->tile_height = image->rows;
    header->tiles_across = header->tiles_down = 1;
    header->components = image->components;
    header->precision = image->bits_stored;
    header->is_signed = image->is_signed;
    header->progression = JPEG2000_LRCP;
    header->layers = 1;
    header->component_transform = transform;
    for (unsigned i = 0; i < image->components; i++)
        plan_component(image, transform, header->coding + i, header->quantization + i);
}

static void put(jpeg2000_bytes *stream, uint32_t value, unsigned count)
{
    while (count--)
        stream->bytes[stream->length++] = (uint8_t)(value >> 8 * count);
}

/* SIZ, A.5.1 */
static void put_size(const jpeg2000_header *header, jpeg2000_bytes *stream)
{
    put(stream, 0xFF51, 2);
    put(stream, 38 + 3 * header->components, 2);
    put(stream, 0, 2);
    put(stream, header->x1, 4);
    put(stream, header->y1, 4);
    put(stream, 0, 4);
    put(stream, 0, 4);
    put(stream, header->tile_width, 4);
    put(stream, header->tile_height, 4);
    put(stream, 0, 4);
    put(stream, 0, 4);
    put(stream, header->components, 2);
    for (unsigned i = 0; i < header->components; i++) {
        put(stream, (header->precision - 1) | (unsigned)header->is_signed << 7, 1);
        put(stream, 0x0101, 2);
    }
}

/* COD, A.6.1, and QCD, A.6.4 */
static void put_coding(const jpeg2000_header *header, jpeg2000_bytes *stream)
{
    const jpeg2000_coding *coding = header->coding;
    const jpeg2000_quantization *quantization = header->quantization;
    put(stream, 0xFF52, 2);
    put(stream, 12, 2);
    put(stream, 0, 1);
    put(stream, header->progression, 1);
    put(stream, header->layers, 2);
    put(stream, header->component_transform, 1);
    put(stream, coding->levels, 1);
    put(stream, coding->block_width - 2u, 1);
    put(stream, coding->block_height - 2u, 1);
    put(stream, 0, 1);
    put(stream, 1, 1); /* 5-3 */
    put(stream, 0xFF5C, 2);
    put(stream, 3 + quantization->count, 2);
    put(stream, (uint32_t)quantization->guard_bits << 5, 1);
    for (unsigned i = 0; i < quantization->count; i++)
        put(stream, (uint32_t)quantization->exponents[i] << 3, 1);
}

static kernel_status take_rows(encoder *state, const uint8_t *words)
{
    const jpeg2000_image *image = state->image;
    size_t pixel = image->components * image->word_size;
    for (size_t y = 0; y < image->rows; y++) {
        int32_t *rows[JPEG2000_MOST_COMPONENTS] = {NULL};
        for (unsigned i = 0; i < image->components; i++)
            rows[i] = state->arrays[i] + y * state->stride;
        if (!jpeg2000_take_row(words + y * image->columns * pixel, image, image->columns,
                               state->header.component_transform, rows))
            return KERNEL_NOT_SERVED;
    }
    return KERNEL_DONE;
}

static kernel_status apply_wavelets(encoder *state)
{
    kernel_status status = KERNEL_DONE;
    for (unsigned i = 0; i < state->image->components && status == KERNEL_DONE; i++) {
        const jpeg2000_tile_component *component = state->tile.components + i;
        status = jpeg2000_apply_wavelet(component->levels, component->resolutions,
                                        state->arrays[i], state->stride);
    }
    return status;
}

static kernel_status encode_block(void *given, const jpeg2000_precinct *precinct,
                                  const jpeg2000_precinct_part *part, jpeg2000_block *block)
{
    worker *mine = given;
    return jpeg2000_encode_block(mine->blocks, part->subband, block,
                                 mine->state->arrays[precinct->component], mine->state->stride,
                                 &mine->bytes);
}

static kernel_status encode_share(void *given)
{
    worker *mine = given;
    mine->blocks = jpeg2000_make_block_encoder();
    if (!mine->blocks)
        return KERNEL_NO_MEMORY;
    kernel_status status = jpeg2000_visit_blocks(&mine->share, encode_block, mine);
    jpeg2000_release_block_encoder(mine->blocks);
    return status;
}

static kernel_status encode_blocks(encoder *state)
{
    void *given[JPEG2000_MOST_THREADS];
    for (unsigned i = 0; i < state->threads; i++) {
        state->workers[i] = (worker){.state = state, .share = {&state->tile, i, state->threads}};
        given[i] = state->workers + i;
    }
    return jpeg2000_work_together(state->threads, encode_share, given);
}

/* Append the bytes of a block to the stream. */
static bool put_block(encoder *state, const jpeg2000_block *block)
{
    worker *from = state->workers + state->next;
    state->next = (state->next + 1) % state->threads;
    if (!jpeg2000_make_room(&state->stream, block->length))
        return false;
    if (block->length)
        memcpy(state->stream.bytes + state->stream.length, from->bytes.bytes + from->at,
               block->length);
    state->stream.length += block->length;
    from->at += block->length;
    return true;
}

/* Append a packet: its header, and what it has of each block. */
static bool put_packet(encoder *state, const jpeg2000_precinct *precinct)
{
    if (!jpeg2000_write_packet_header(precinct, &state->stream))
        return false;
    for (unsigned k = 0; k < precinct->count; k++)
        for (size_t b = 0; b < (size_t)precinct->parts[k].across * precinct->parts[k].down; b++)
            if (!put_block(state, precinct->parts[k].blocks + b))
                return false;
    return true;
}

/* Write the stream: headers, the only tile-part, EOC. */
static kernel_status write_stream(encoder *state)
{
    enum { SOT_LENGTH = 12, LENGTH_PLACE = 6 };
    jpeg2000_bytes *stream = &state->stream;
    if (!jpeg2000_make_room(stream, HEADER_ROOM))
        return KERNEL_NO_MEMORY;
    put(stream, 0xFF4F, 2);
    put_size(&state->header, stream);
    put_coding(&state->header, stream);
    size_t start = stream->length;
    put(stream, 0xFF90, 2); /* SOT, A.4.2; Psot follows */
    put(stream, 10, 2);
    put(stream, 0, 2);
    put(stream, 0, 4);
    put(stream, 0x0001, 2);
    put(stream, 0xFF93, 2);
    for (size_t i = 0; i < state->tile.precinct_count; i++)
        if (!put_packet(state, state->tile.precincts + i))
            return KERNEL_NO_MEMORY;
    if (!jpeg2000_make_room(stream, HEADER_ROOM))
        return KERNEL_NO_MEMORY;
    if (stream->length - start > UINT32_MAX)
        return KERNEL_NO_ROOM;
    jpeg2000_bytes length = {stream->bytes + start + LENGTH_PLACE, 0, 4};
    put(&length, (uint32_t)(stream->length - start), 4);
    put(stream, 0xFFD9, 2);
    return KERNEL_DONE;
}

static kernel_status encode(encoder *state, const uint8_t *words)
{
    kernel_status status = jpeg2000_divide_tile(&state->header, 0, SIZE_MAX, &state->tile);
    state->stride = state->image->columns;
    for (unsigned i = 0; i < state->image->components && status == KERNEL_DONE; i++) {
        state->arrays[i] = malloc(state->stride * state->image->rows * sizeof(int32_t));
        if (!state->arrays[i])
            status = KERNEL_NO_MEMORY;
    }
    if (status == KERNEL_DONE)
        status = take_rows(state, words);
    if (status == KERNEL_DONE)
        status = apply_wavelets(state);
    if (status == KERNEL_DONE)
        status = encode_blocks(state);
    return status == KERNEL_DONE ? write_stream(state) : status;
}

kernel_status jpeg2000_encode(const uint8_t *words, const jpeg2000_image *image, bool transform,
                              unsigned threads, uint8_t **stream, size_t *length)
{
    encoder state = {.image = image};
    state.threads = threads < JPEG2000_MOST_THREADS ? threads : JPEG2000_MOST_THREADS;
    plan(&state, transform);
    kernel_status status = encode(&state, words);
    for (unsigned i = 0; i < image->components; i++)
        free(state.arrays[i]);
    for (unsigned i = 0; i < state.threads; i++)
        free(state.workers[i].bytes.bytes);
    jpeg2000_release_tile(&state.tile);
    if (status != KERNEL_DONE) {
        free(state.stream.bytes);
        return status;
    }
    *stream = state.stream.bytes;
    *length = state.stream.length;
    return KERNEL_DONE;
}
