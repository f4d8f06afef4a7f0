/* JPEG 2000's partition of a tile, and the order of its packets: ISO/IEC 15444-1 Annex B. */
#ifndef DICODEC_JPEG2000_TILE_H
#define DICODEC_JPEG2000_TILE_H

#include "jpeg2000_codestream.h"

enum { JPEG2000_LL, JPEG2000_HL, JPEG2000_LH, JPEG2000_HH };

typedef struct {
    uint32_t x0, y0, x1, y1;
} jpeg2000_area;

/* Bytes of a code-block in one packet, all of one codeword segment. */
typedef struct {
    const uint8_t *data;
    uint32_t length;
    uint32_t next; /* index of the block's next piece, or 0 */
    uint16_t passes;
} jpeg2000_piece;

typedef struct {
    uint32_t x, y; /* of its first coefficient in the array of its component */
    uint8_t width, height;
    uint8_t zero_planes; /* missing most significant bit-planes, B.10.5 */
    uint8_t length_bits; /* Lblock, B.10.7.1; 0 before the block is included */
    uint16_t passes;
    uint32_t first, last; /* pieces that are read, or 0; cuts of a block that is written */
    uint32_t length;      /* bytes that are written */
    double error;         /* squared, of a block that is quantized, without passes */
} jpeg2000_block;

/* B.10.2. A value is known once its node's `low` has reached it. */
typedef struct {
    uint16_t value, low;
} jpeg2000_tag_node;

enum { JPEG2000_TAG_LEVELS = 21 }; /* of 2^20 leaves across */

/* Find the nodes from a leaf of a tag tree to its root, and return how many they are. */
static inline unsigned jpeg2000_find_tag_path(jpeg2000_tag_node *nodes, uint32_t across,
                                              uint32_t down, uint32_t x, uint32_t y,
                                              jpeg2000_tag_node *path[JPEG2000_TAG_LEVELS])
{
    unsigned depth = 0;
    for (;;) {
        path[depth++] = nodes + (size_t)y * across + x;
        if (across == 1 && down == 1)
            return depth;
        nodes += (size_t)across * down;
        across = (across + 1) / 2;
        down = (down + 1) / 2;
        x /= 2;
        y /= 2;
    }
}

typedef struct {
    uint8_t orientation;
    uint8_t planes;                /* Mb, equation E-2 */
    float step;                    /* equation E-3; 1 if reversible */
    jpeg2000_area area;            /* equation B-15 */
    uint32_t array_x, array_y;     /* of its first coefficient in the array of its component */
} jpeg2000_subband;

/* The code-blocks of a subband in a precinct. */
typedef struct {
    const jpeg2000_subband *subband;
    uint32_t across, down;
    jpeg2000_block *blocks;
    jpeg2000_tag_node *inclusion, *zero_planes; /* leaves first, the root last */
} jpeg2000_precinct_part;

typedef struct {
    uint16_t component, resolution;
    uint32_t number;   /* in its resolution, B.6 */
    uint32_t x, y;     /* where it stands in a progression by position, B.12.1.3 */
    jpeg2000_precinct_part *parts;
    unsigned count;    /* of parts: 1 or 3 */
} jpeg2000_precinct;

typedef struct {
    jpeg2000_area area; /* equation B-14 */
    jpeg2000_subband subbands[3];
} jpeg2000_resolution;

typedef struct {
    unsigned resolutions; /* NL + 1 */
    jpeg2000_resolution *levels;
} jpeg2000_tile_component;

typedef struct {
    jpeg2000_area area; /* equations B-7 to B-11 */
    jpeg2000_tile_component components[JPEG2000_MOST_COMPONENTS];
    size_t precinct_count;
    jpeg2000_precinct *precincts; /* in the order of the progression, without layers */
    void *memory;                 /* all that it has, newest first */
} jpeg2000_tile;

/* Divide a tile. KERNEL_NOT_SERVED: `length` bytes cannot hold its packets, of which each has one.
 *
 * Release it whatever comes of it. */
kernel_status jpeg2000_divide_tile(const jpeg2000_header *header, uint32_t index, size_t length,
                                   jpeg2000_tile *tile);
void jpeg2000_release_tile(jpeg2000_tile *tile);

/* Divide by a power of two, rounded up. */
static inline uint32_t jpeg2000_shift_up(uint32_t value, unsigned exponent)
{
    return (uint32_t)(((uint64_t)value + ((UINT64_C(1) << exponent) - 1)) >> exponent);
}

static inline uint32_t jpeg2000_width(const jpeg2000_area *area)
{
    return area->x1 - area->x0;
}

static inline uint32_t jpeg2000_height(const jpeg2000_area *area)
{
    return area->y1 - area->y0;
}

#endif
