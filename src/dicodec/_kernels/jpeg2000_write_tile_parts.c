#include "jpeg2000_write_tile_parts.h"

#include <string.h>

#include "jpeg2000_markers.h"
#include "jpeg2000_packet_headers.h"
#include "jpeg2000_write_header.h"

enum {
    LENGTH_PLACE = 6,        /* of Psot in SOT */
    LISTED = 2 + 4,          /* bytes of a tile-part in TLM: Ttlm and Ptlm */
    LIST_HEAD = 2 + 2 + 1 + 1, /* bytes of TLM before those */
};

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

/* Write a number of 4 bytes over those at a place of the stream. */
static void write_over(jpeg2000_bytes *stream, size_t place, size_t value)
{
    jpeg2000_bytes number = {stream->bytes + place, 0, 4};
    jpeg2000_put(&number, (uint32_t)value, 4);
}

/* TLM, A.7.1; the lengths are written when they are known. Returns the place of the first. */
static size_t put_list(jpeg2000_bytes *stream, unsigned parts)
{
    enum { TILES_OF_TWO_BYTES = 0x20, LENGTHS_OF_FOUR_BYTES = 0x40 };
    jpeg2000_put(stream, JPEG2000_TLM, 2);
    jpeg2000_put(stream, LIST_HEAD - 2 + LISTED * parts, 2);
    jpeg2000_put(stream, 0, 1);
    jpeg2000_put(stream, TILES_OF_TWO_BYTES | LENGTHS_OF_FOUR_BYTES, 1);
    size_t first = stream->length + 2;
    for (unsigned i = 0; i < parts; i++) {
        jpeg2000_put(stream, 0, 2);
        jpeg2000_put(stream, 0, 4);
    }
    return first;
}

/* Write a tile-part with the packets from `*next` on: those of a resolution, or all of the only one.
 * `*length` is how many bytes it has. */
static kernel_status write_part(jpeg2000_encoder *state, unsigned part, unsigned parts,
                                size_t *next, size_t *length)
{
    jpeg2000_bytes *stream = &state->stream;
    const jpeg2000_tile *tile = &state->tile;
    size_t start = stream->length;
    if (!jpeg2000_make_room(stream, JPEG2000_MARKERS))
        return KERNEL_NO_MEMORY;
    jpeg2000_put(stream, JPEG2000_SOT, 2); /* A.4.2; Psot follows */
    jpeg2000_put(stream, 10, 2);
    jpeg2000_put(stream, 0, 2);
    jpeg2000_put(stream, 0, 4);
    jpeg2000_put(stream, part << 8 | parts, 2);
    jpeg2000_put(stream, JPEG2000_SOD, 2);
    for (; *next < tile->precinct_count
           && (parts == 1 || tile->precincts[*next].resolution == part); ++*next)
        if (!put_packet(state, tile->precincts + *next))
            return KERNEL_NO_MEMORY;
    *length = stream->length - start;
    if (*length > UINT32_MAX)
        return KERNEL_NO_ROOM;
    write_over(stream, start + LENGTH_PLACE, *length);
    return KERNEL_DONE;
}

kernel_status jpeg2000_write_tile_parts(jpeg2000_encoder *state)
{
    jpeg2000_bytes *stream = &state->stream;
    unsigned parts = state->header.high_throughput ? state->header.coding->levels + 1u : 1;
    size_t next = 0, list = 0, length;
    if (!jpeg2000_make_room(stream, LIST_HEAD + LISTED * parts))
        return KERNEL_NO_MEMORY;
    if (state->header.high_throughput)
        list = put_list(stream, parts);
    state->next = 0;
    for (unsigned part = 0; part < parts; part++) {
        kernel_status status = write_part(state, part, parts, &next, &length);
        if (status != KERNEL_DONE)
            return status;
        if (state->header.high_throughput)
            write_over(stream, list + part * LISTED, length);
    }
    if (!jpeg2000_make_room(stream, JPEG2000_MARKERS))
        return KERNEL_NO_MEMORY;
    jpeg2000_put(stream, JPEG2000_EOC, 2);
    return KERNEL_DONE;
}
