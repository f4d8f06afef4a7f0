#include "jpeg2000_tile.h"

#include <math.h>
#include <stdlib.h>

enum { HIGHEST_EXPONENT = 38 }; /* of a step, so that no plane is past bit 37 */

/* Memory that is released with the tile. */
typedef struct grant {
    struct grant *older;
    max_align_t memory[];
} grant;

static void *take_memory(jpeg2000_tile *tile, size_t count, size_t size)
{
    if (count > (SIZE_MAX - sizeof(grant)) / size)
        return NULL;
    grant *taken = calloc(1, sizeof *taken + (count ? count : 1) * size);
    if (!taken)
        return NULL;
    taken->older = tile->memory;
    tile->memory = taken;
    return taken->memory;
}

void jpeg2000_release_tile(jpeg2000_tile *tile)
{
    for (grant *at = tile->memory; at;) {
        grant *older = at->older;
        free(at);
        at = older;
    }
    tile->memory = NULL;
}

static uint32_t smaller(uint32_t one, uint32_t other)
{
    return one < other ? one : other;
}

static uint32_t larger(uint32_t one, uint32_t other)
{
    return one > other ? one : other;
}

static jpeg2000_area scale(const jpeg2000_area *area, unsigned exponent)
{
    return (jpeg2000_area){
        jpeg2000_shift_up(area->x0, exponent), jpeg2000_shift_up(area->y0, exponent),
        jpeg2000_shift_up(area->x1, exponent), jpeg2000_shift_up(area->y1, exponent)};
}

/* One end of a subband, equation B-15: `high` is whether it holds high frequencies. */
static uint32_t find_subband_end(uint32_t end, unsigned level, bool high)
{
    uint64_t half = high && level ? UINT64_C(1) << (level - 1) : 0, power = UINT64_C(1) << level;
    return end <= half ? 0 : (uint32_t)((end - half + power - 1) >> level);
}

static jpeg2000_area find_subband_area(const jpeg2000_area *tile, unsigned level,
                                       unsigned orientation)
{
    bool x = orientation & 1, y = orientation >> 1;
    return (jpeg2000_area){
        find_subband_end(tile->x0, level, x), find_subband_end(tile->y0, level, y),
        find_subband_end(tile->x1, level, x), find_subband_end(tile->y1, level, y)};
}

static bool divide_resolution(const jpeg2000_header *header, unsigned component, unsigned index,
                              const jpeg2000_area *tile, jpeg2000_resolution *resolution)
{
    const jpeg2000_coding *coding = header->coding + component;
    const jpeg2000_quantization *quantization = header->quantization + component;
    unsigned level = coding->levels - index, first = index ? JPEG2000_HL : JPEG2000_LL;
    resolution->area = scale(tile, level);
    jpeg2000_area lower = scale(tile, level + 1);
    for (unsigned i = 0; i < (index ? 3u : 1u); i++) {
        jpeg2000_subband *subband = resolution->subbands + i;
        unsigned orientation = first + i, number = index ? 3 * (index - 1) + 1 + i : 0;
        unsigned exponent = quantization->exponents[number];
        unsigned gain = orientation == JPEG2000_LL ? 0 : orientation == JPEG2000_HH ? 2 : 1;
        if (exponent > HIGHEST_EXPONENT || quantization->guard_bits + exponent < 1)
            return false;
        subband->orientation = (uint8_t)orientation;
        subband->planes = (uint8_t)(quantization->guard_bits + exponent - 1);
        subband->step = 1;
        if (!coding->is_reversible)
            subband->step = ldexpf(1 + quantization->mantissas[number] / 2048.0f,
                                   (int)(header->precision + gain) - (int)exponent);
        subband->area = find_subband_area(tile, index ? level + 1 : level, orientation);
        subband->array_x = orientation & 1 ? jpeg2000_width(&lower) : 0;
        subband->array_y = orientation >> 1 ? jpeg2000_height(&lower) : 0;
    }
    return true;
}

static size_t count_nodes(uint32_t across, uint32_t down)
{
    size_t count = (size_t)across * down;
    while (across > 1 || down > 1) {
        across = (across + 1) / 2;
        down = (down + 1) / 2;
        count += (size_t)across * down;
    }
    return count;
}

static jpeg2000_tag_node *take_tag_tree(jpeg2000_tile *tile, uint32_t across, uint32_t down)
{
    size_t count = across && down ? count_nodes(across, down) : 0;
    jpeg2000_tag_node *nodes = take_memory(tile, count, sizeof *nodes);
    for (size_t i = 0; nodes && i < count; i++)
        nodes[i].value = UINT16_MAX;
    return nodes;
}

/* Divide what a precinct has of a subband into code-blocks, B.7. */
static bool divide_part(jpeg2000_tile *tile, const jpeg2000_subband *subband,
                        const jpeg2000_area *precinct, unsigned width, unsigned height,
                        jpeg2000_precinct_part *part)
{
    jpeg2000_area area = {
        larger(precinct->x0, subband->area.x0), larger(precinct->y0, subband->area.y0),
        smaller(precinct->x1, subband->area.x1), smaller(precinct->y1, subband->area.y1)};
    part->subband = subband;
    if (area.x0 >= area.x1 || area.y0 >= area.y1)
        return true;
    uint32_t left = area.x0 >> width, top = area.y0 >> height;
    part->across = jpeg2000_shift_up(area.x1, width) - left;
    part->down = jpeg2000_shift_up(area.y1, height) - top;
    part->blocks = take_memory(tile, (size_t)part->across * part->down, sizeof *part->blocks);
    part->inclusion = take_tag_tree(tile, part->across, part->down);
    part->zero_planes = take_tag_tree(tile, part->across, part->down);
    if (!part->blocks || !part->inclusion || !part->zero_planes)
        return false;
    jpeg2000_block *block = part->blocks;
    for (uint32_t y = top; y < top + part->down; y++) {
        uint32_t y0 = larger(y << height, area.y0), y1 = smaller((y + 1) << height, area.y1);
        for (uint32_t x = left; x < left + part->across; x++, block++) {
            uint32_t x0 = larger(x << width, area.x0), x1 = smaller((x + 1) << width, area.x1);
            block->x = x0 - subband->area.x0 + subband->array_x;
            block->y = y0 - subband->area.y0 + subband->array_y;
            block->width = (uint8_t)(x1 - x0);
            block->height = (uint8_t)(y1 - y0);
        }
    }
    return true;
}

/* The precincts of a resolution, B.6. */
typedef struct {
    uint32_t left, top; /* of the first one, counted from 0 */
    uint32_t across, down;
    unsigned width, height; /* exponents */
} precinct_grid;

static precinct_grid find_grid(const jpeg2000_coding *coding, unsigned index,
                               const jpeg2000_area *area)
{
    precinct_grid grid = {0, 0, 0, 0, coding->precinct_width[index],
                          coding->precinct_height[index]};
    if (area->x0 < area->x1 && area->y0 < area->y1) {
        grid.left = area->x0 >> grid.width;
        grid.top = area->y0 >> grid.height;
        grid.across = jpeg2000_shift_up(area->x1, grid.width) - grid.left;
        grid.down = jpeg2000_shift_up(area->y1, grid.height) - grid.top;
    }
    return grid;
}

/* Return where a precinct stands in the progressions by position, B.12.1.3.
 *
 * The first one of a tile stands at the tile's edge, if it begins before it. */
static uint32_t find_place(uint32_t number, uint32_t first, uint32_t resolution_edge,
                           uint32_t tile_edge, unsigned exponent, unsigned level)
{
    if (!number && resolution_edge & ((1u << exponent) - 1))
        return tile_edge;
    return (uint32_t)((uint64_t)(first + number) << exponent << level);
}

static bool divide_precincts(const jpeg2000_header *header, jpeg2000_tile *tile,
                             unsigned component, unsigned index, jpeg2000_precinct **next)
{
    const jpeg2000_coding *coding = header->coding + component;
    const jpeg2000_resolution *resolution = tile->components[component].levels + index;
    precinct_grid grid = find_grid(coding, index, &resolution->area);
    unsigned half = index ? 1 : 0, level = coding->levels - index;
    unsigned width = grid.width - half, height = grid.height - half; /* in a subband */
    unsigned block_width = smaller(coding->block_width, width);
    unsigned block_height = smaller(coding->block_height, height);
    for (uint32_t y = 0; y < grid.down; y++) {
        for (uint32_t x = 0; x < grid.across; x++) {
            jpeg2000_precinct *precinct = (*next)++;
            jpeg2000_area area = {(grid.left + x) << width, (grid.top + y) << height,
                                  (grid.left + x + 1) << width, (grid.top + y + 1) << height};
            precinct->component = (uint16_t)component;
            precinct->resolution = (uint16_t)index;
            precinct->number = y * grid.across + x;
            precinct->x = find_place(x, grid.left, resolution->area.x0, tile->area.x0,
                                     grid.width, level);
            precinct->y = find_place(y, grid.top, resolution->area.y0, tile->area.y0,
                                     grid.height, level);
            precinct->count = index ? 3 : 1;
            precinct->parts = take_memory(tile, precinct->count, sizeof *precinct->parts);
            if (!precinct->parts)
                return false;
            for (unsigned i = 0; i < precinct->count; i++)
                if (!divide_part(tile, resolution->subbands + i, &area, block_width,
                                 block_height, precinct->parts + i))
                    return false;
        }
    }
    return true;
}

/* Compare what comes before the layers in LRCP and RLCP, B.12.1.1 and B.12.1.2. */
static int compare_by_resolution(const void *one, const void *other)
{
    const jpeg2000_precinct *a = one, *b = other;
    if (a->resolution != b->resolution)
        return a->resolution < b->resolution ? -1 : 1;
    if (a->component != b->component)
        return a->component < b->component ? -1 : 1;
    return a->number < b->number ? -1 : a->number > b->number;
}

static int compare_places(const jpeg2000_precinct *a, const jpeg2000_precinct *b)
{
    if (a->y != b->y)
        return a->y < b->y ? -1 : 1;
    return a->x < b->x ? -1 : a->x > b->x;
}

/* B.12.1.3 */
static int compare_rpcl(const void *one, const void *other)
{
    const jpeg2000_precinct *a = one, *b = other;
    if (a->resolution != b->resolution)
        return a->resolution < b->resolution ? -1 : 1;
    int place = compare_places(a, b);
    return place ? place : compare_by_resolution(one, other);
}

static int compare_component(const jpeg2000_precinct *a, const jpeg2000_precinct *b)
{
    return a->component < b->component ? -1 : a->component > b->component;
}

/* B.12.1.4 */
static int compare_pcrl(const void *one, const void *other)
{
    int place = compare_places(one, other), component = compare_component(one, other);
    return place ? place : component ? component : compare_by_resolution(one, other);
}

/* B.12.1.5 */
static int compare_cprl(const void *one, const void *other)
{
    int place = compare_places(one, other), component = compare_component(one, other);
    return component ? component : place ? place : compare_by_resolution(one, other);
}

static void sort_precincts(const jpeg2000_header *header, jpeg2000_tile *tile)
{
    static int (*const orders[])(const void *, const void *) = {
        [JPEG2000_LRCP] = compare_by_resolution, [JPEG2000_RLCP] = compare_by_resolution,
        [JPEG2000_RPCL] = compare_rpcl, [JPEG2000_PCRL] = compare_pcrl,
        [JPEG2000_CPRL] = compare_cprl,
    };
    qsort(tile->precincts, tile->precinct_count, sizeof *tile->precincts,
          orders[header->progression]);
}

static void find_tile_area(const jpeg2000_header *header, uint32_t index, jpeg2000_area *area)
{
    uint32_t left = header->tile_x0 + index % header->tiles_across * header->tile_width;
    uint32_t top = header->tile_y0 + index / header->tiles_across * header->tile_height;
    area->x0 = larger(left, header->x0);
    area->y0 = larger(top, header->y0);
    area->x1 = smaller(left + header->tile_width, header->x1);
    area->y1 = smaller(top + header->tile_height, header->y1);
}

kernel_status jpeg2000_divide_tile(const jpeg2000_header *header, uint32_t index, size_t length,
                                   jpeg2000_tile *tile)
{
    *tile = (jpeg2000_tile){0};
    find_tile_area(header, index, &tile->area);
    uint64_t count = 0;
    for (unsigned c = 0; c < header->components; c++) {
        jpeg2000_tile_component *component = tile->components + c;
        component->resolutions = header->coding[c].levels + 1u;
        component->levels = take_memory(tile, component->resolutions, sizeof *component->levels);
        if (!component->levels)
            return KERNEL_NO_MEMORY;
        for (unsigned r = 0; r < component->resolutions; r++) {
            if (!divide_resolution(header, c, r, &tile->area, component->levels + r))
                return KERNEL_NOT_SERVED;
            precinct_grid grid = find_grid(header->coding + c, r, &component->levels[r].area);
            count += (uint64_t)grid.across * grid.down;
            if (count * header->layers > length)
                return KERNEL_NOT_SERVED;
        }
    }
    tile->precincts = take_memory(tile, (size_t)count, sizeof *tile->precincts);
    if (!tile->precincts)
        return KERNEL_NO_MEMORY;
    tile->precinct_count = (size_t)count;
    jpeg2000_precinct *next = tile->precincts;
    for (unsigned c = 0; c < header->components; c++)
        for (unsigned r = 0; r < tile->components[c].resolutions; r++)
            if (!divide_precincts(header, tile, c, r, &next))
                return KERNEL_NO_MEMORY;
    sort_precincts(header, tile);
    return KERNEL_DONE;
}
