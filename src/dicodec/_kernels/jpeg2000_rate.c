#include "jpeg2000_rate.h"

#include <stdlib.h>

bool jpeg2000_make_room(jpeg2000_bytes *bytes, size_t count)
{
    if (bytes->room - bytes->length >= count)
        return true;
    if (count > SIZE_MAX / 4 || bytes->room > SIZE_MAX / 4)
        return false;
    size_t room = bytes->room + bytes->room / 2 + count;
    uint8_t *grown = realloc(bytes->bytes, room);
    if (!grown)
        return false;
    bytes->bytes = grown;
    bytes->room = room;
    return true;
}

static bool make_room(jpeg2000_cuts *cuts)
{
    if (cuts->count < cuts->room)
        return true;
    size_t room = cuts->room ? 2 * cuts->room : 1024;
    if (room > UINT32_MAX || room > SIZE_MAX / sizeof *cuts->cuts)
        return false;
    jpeg2000_cut *grown = realloc(cuts->cuts, room * sizeof *grown);
    if (!grown)
        return false;
    cuts->cuts = grown;
    cuts->room = room;
    return true;
}

bool jpeg2000_add_cut(jpeg2000_cuts *cuts, size_t first, const jpeg2000_cut *cut)
{
    jpeg2000_cut added = *cut;
    for (;;) {
        const jpeg2000_cut *last = cuts->count > first ? cuts->cuts + cuts->count - 1 : NULL;
        double gain = added.gain - (last ? last->gain : 0);
        if (gain <= 0)
            return true;
        uint32_t bytes = added.length - (last ? last->length : 0);
        added.slope = gain / (bytes ? bytes : 0.5); /* an arithmetic code may take no byte */
        if (!last || added.slope < last->slope)
            break;
        cuts->count--;
    }
    if (!make_room(cuts))
        return false;
    cuts->cuts[cuts->count++] = added;
    return true;
}

double jpeg2000_cut_block(jpeg2000_block *block, const jpeg2000_cuts *cuts, double price)
{
    const jpeg2000_cut *chosen = NULL;
    for (size_t i = block->first; i < block->last && cuts->cuts[i].slope >= price; i++)
        chosen = cuts->cuts + i;
    block->passes = chosen ? chosen->passes : 0;
    block->length = chosen ? chosen->length : 0;
    return chosen ? chosen->gain : 0;
}

uint32_t jpeg2000_extend_block(jpeg2000_block *block, const jpeg2000_cuts *cuts, double price,
                               uint64_t left)
{
    size_t i = block->first;
    while (i < block->last && cuts->cuts[i].passes <= block->passes)
        i++;
    if (i == block->last || cuts->cuts[i].slope < price
        || cuts->cuts[i].length - block->length > left)
        return 0;
    uint32_t bytes = cuts->cuts[i].length - block->length;
    block->passes = cuts->cuts[i].passes;
    block->length = cuts->cuts[i].length;
    return bytes;
}
