#include "jpeg2000_read_tile_parts.h"

#include <stdlib.h>

#include "jpeg2000_markers.h"

enum {
    SOT_LENGTH = 12, /* with its marker */
    LEAST_PART = 14, /* SOT and SOD */
};

/* SOT, A.4.2 */
typedef struct {
    uint32_t tile, index;
    const uint8_t *end; /* of the tile-part */
} part_header;

static bool read_part_header(jpeg2000_marker_reader *reader, part_header *part)
{
    const uint8_t *start = reader->at;
    bool known = take_number(reader, 2) == JPEG2000_SOT && take_number(reader, 2) == SOT_LENGTH - 2;
    part->tile = take_number(reader, 2);
    uint32_t length = take_number(reader, 4);
    part->index = take_number(reader, 1);
    take_number(reader, 1); /* TNsot: Psot counts */
    if (!known || reader->failed)
        return false;
    size_t left = (size_t)(reader->end - start);
    if (!length && left >= 2) /* the last one goes up to EOC */
        length = left - 2 <= UINT32_MAX ? (uint32_t)(left - 2) : 0;
    if (length < LEAST_PART || length > left)
        return false;
    part->end = start + length;
    return true;
}

/* Skip a tile-part's header; false if it says how its tile is coded. */
static bool skip_part_segments(jpeg2000_marker_reader *part)
{
    for (;;) {
        uint32_t marker = take_number(part, 2);
        if (marker == JPEG2000_SOD)
            return true;
        if (marker != JPEG2000_PLT && marker != JPEG2000_COM)
            return false;
        if (take_segment(part).failed)
            return false;
    }
}

static bool is_end(jpeg2000_marker_reader reader)
{
    return take_number(&reader, 2) == JPEG2000_EOC;
}

/* Return how many tile-parts there are, or 0 if they are not well-formed up to EOC. */
static size_t count_parts(jpeg2000_marker_reader reader)
{
    size_t count = 0;
    part_header part;
    while (!is_end(reader)) {
        if (!read_part_header(&reader, &part))
            return 0;
        reader.at = part.end;
        count++;
    }
    return count;
}

kernel_status jpeg2000_read_tile_parts(const uint8_t *stream, size_t length, size_t at,
                                       const jpeg2000_header *header, jpeg2000_tile_parts *found)
{
    jpeg2000_marker_reader reader = {stream + at, stream + length, false};
    size_t tiles = (size_t)header->tiles_across * header->tiles_down, count = count_parts(reader);
    *found = (jpeg2000_tile_parts){0};
    if (count < tiles || count >= UINT32_MAX)
        return KERNEL_NOT_SERVED;
    found->parts = calloc(count + 1, sizeof *found->parts);
    found->first = calloc(tiles, sizeof *found->first);
    uint32_t *last = calloc(tiles, sizeof *last), *seen = calloc(tiles, sizeof *seen);
    kernel_status status = KERNEL_DONE;
    if (!found->parts || !found->first || !last || !seen)
        status = KERNEL_NO_MEMORY;
    for (uint32_t i = 1; i <= count && status == KERNEL_DONE; i++) {
        part_header part;
        if (!read_part_header(&reader, &part) || part.tile >= tiles
            || part.index != seen[part.tile]++) {
            status = KERNEL_NOT_SERVED;
            break;
        }
        jpeg2000_marker_reader rest = {reader.at, part.end, false};
        if (!skip_part_segments(&rest)) {
            status = KERNEL_NOT_SERVED;
            break;
        }
        found->parts[i] = (jpeg2000_tile_part){rest.at, count_left(&rest), 0};
        *(last[part.tile] ? &found->parts[last[part.tile]].next : found->first + part.tile) = i;
        last[part.tile] = i;
        reader.at = part.end;
    }
    for (size_t i = 0; i < tiles && status == KERNEL_DONE; i++)
        if (!found->first[i])
            status = KERNEL_NOT_SERVED;
    free(last);
    free(seen);
    return status;
}

void jpeg2000_release_tile_parts(jpeg2000_tile_parts *found)
{
    free(found->parts);
    free(found->first);
}
