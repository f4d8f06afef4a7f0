#include "jpeg2000_packets.h"

#include <stdlib.h>

enum {
    MARKER = 0xFF, SOP = 0x91, EPH = 0x92,
    SOP_LENGTH = 6,
    MOST_LENGTH_BITS = 32,
    FIRST_BYPASSED_PASS = 10, /* Table D.9 */
    MOST_PASSES = 3 * JPEG2000_MOST_PLANES,
};

/* The bits of a packet header, B.10.1: behind a byte of ones comes one of seven bits. */
typedef struct {
    const uint8_t *at, *end;
    unsigned byte, left; /* the current byte, and its bits to come */
    bool failed;
} bit_reader;

static unsigned read_bit(bit_reader *bits)
{
    if (!bits->left) {
        bits->left = bits->byte == MARKER ? 7 : 8;
        if (bits->at == bits->end) {
            bits->failed = true;
            return 0;
        }
        bits->byte = *bits->at++;
        if (bits->left == 7 && bits->byte > 127)
            bits->failed = true; /* a marker */
    }
    return bits->byte >> --bits->left & 1;
}

static uint32_t read_bits(bit_reader *bits, unsigned count)
{
    uint32_t value = 0;
    while (count--)
        value = value << 1 | read_bit(bits);
    return value;
}

/* Return the place behind a packet header. */
static const uint8_t *finish_header(bit_reader *bits)
{
    if (bits->byte == MARKER) { /* a stuffed bit fills a byte of its own */
        if (bits->at == bits->end)
            bits->failed = true;
        else
            bits->at++;
    }
    return bits->at;
}

/* Return whether a leaf's value is below a threshold, as far as bits have to be read for that. */
static bool is_below(bit_reader *bits, jpeg2000_tag_node *nodes, uint32_t across, uint32_t down,
                     uint32_t x, uint32_t y, unsigned threshold)
{
    jpeg2000_tag_node *path[JPEG2000_TAG_LEVELS];
    unsigned depth = jpeg2000_find_tag_path(nodes, across, down, x, y, path);
    unsigned low = 0;
    while (depth) {
        jpeg2000_tag_node *node = path[--depth];
        if (node->low > low)
            low = node->low;
        while (low < threshold && low < node->value) {
            if (read_bit(bits))
                node->value = (uint16_t)low;
            else
                low++;
        }
        node->low = (uint16_t)low;
    }
    return path[0]->value < threshold;
}

/* Table B.4 */
static unsigned read_passes(bit_reader *bits)
{
    if (!read_bit(bits))
        return 1;
    if (!read_bit(bits))
        return 2;
    unsigned more = read_bits(bits, 2);
    if (more < 3)
        return 3 + more;
    more = read_bits(bits, 5);
    if (more < 31)
        return 6 + more;
    return 37 + read_bits(bits, 7);
}

static unsigned find_logarithm(unsigned value)
{
    unsigned logarithm = 0;
    while (value >>= 1)
        logarithm++;
    return logarithm;
}

unsigned jpeg2000_count_segment_passes(unsigned block_style, unsigned first_pass)
{
    if (block_style & JPEG2000_HIGH_THROUGHPUT) /* cleanup, and both refinements: 15444-15 B.1 */
        return first_pass ? 2 : 1;
    if (block_style & JPEG2000_TERMINATE)
        return 1;
    if (!(block_style & JPEG2000_BYPASS))
        return MOST_PASSES;
    if (first_pass < FIRST_BYPASSED_PASS)
        return FIRST_BYPASSED_PASS - first_pass;
    return (first_pass - FIRST_BYPASSED_PASS) % 3 == 2 ? 1 : 2;
}

bool jpeg2000_is_raw(unsigned block_style, unsigned pass)
{
    return block_style & JPEG2000_BYPASS && pass >= FIRST_BYPASSED_PASS
           && (pass - FIRST_BYPASSED_PASS) % 3 != 2;
}

static jpeg2000_piece *add_piece(jpeg2000_pieces *pieces, jpeg2000_block *block)
{
    if (pieces->count + 1 >= pieces->room) {
        size_t room = pieces->room ? 2 * (size_t)pieces->room : 256;
        jpeg2000_piece *grown = NULL;
        if (room < UINT32_MAX / 2 && room < SIZE_MAX / sizeof *grown)
            grown = realloc(pieces->pieces, room * sizeof *grown);
        if (!grown)
            return NULL;
        pieces->pieces = grown;
        pieces->room = (uint32_t)room;
    }
    uint32_t index = ++pieces->count;
    *(block->last ? &pieces->pieces[block->last].next : &block->first) = index;
    block->last = index;
    pieces->pieces[index] = (jpeg2000_piece){0};
    return pieces->pieces + index;
}

/* The header of one packet, of one precinct and layer. */
typedef struct {
    bit_reader bits;
    unsigned layer, block_style;
    jpeg2000_pieces *pieces;
    kernel_status status;
} packet;

/* Read the lengths of what a packet has of a block, B.10.7. */
static void read_lengths(packet *read, jpeg2000_block *block, unsigned passes)
{
    bit_reader *bits = &read->bits;
    while (read_bit(bits))
        if (++block->length_bits > MOST_LENGTH_BITS)
            read->status = KERNEL_NOT_SERVED;
    while (passes && read->status == KERNEL_DONE) {
        /* A segment that an earlier packet has begun goes on: its passes count from its start. */
        unsigned first = 0, most = jpeg2000_count_segment_passes(read->block_style, 0);
        while (first + most <= block->passes) {
            first += most;
            most = jpeg2000_count_segment_passes(read->block_style, first);
        }
        unsigned left = first + most - block->passes, taken = passes < left ? passes : left;
        unsigned count = block->length_bits + find_logarithm(taken);
        jpeg2000_piece *piece = count <= MOST_LENGTH_BITS ? add_piece(read->pieces, block) : NULL;
        if (!piece) {
            read->status = count <= MOST_LENGTH_BITS ? KERNEL_NO_MEMORY : KERNEL_NOT_SERVED;
            return;
        }
        piece->passes = (uint16_t)taken;
        piece->length = read_bits(bits, count);
        block->passes = (uint16_t)(block->passes + taken);
        passes -= taken;
    }
}

/* Return whether a packet has passes of a block, B.10.4 and B.10.5. */
static bool is_included(packet *read, const jpeg2000_precinct_part *part, uint32_t x, uint32_t y)
{
    jpeg2000_block *block = part->blocks + (size_t)y * part->across + x;
    bit_reader *bits = &read->bits;
    if (block->length_bits)
        return read_bit(bits);
    if (!is_below(bits, part->inclusion, part->across, part->down, x, y, read->layer + 1))
        return false;
    unsigned planes = 0;
    while (!is_below(bits, part->zero_planes, part->across, part->down, x, y, planes + 1)) {
        if (++planes > part->subband->planes || bits->failed) {
            read->status = KERNEL_NOT_SERVED;
            return false;
        }
    }
    block->zero_planes = (uint8_t)planes;
    block->length_bits = 3;
    return true;
}

static void read_block(packet *read, const jpeg2000_precinct_part *part, uint32_t x, uint32_t y)
{
    if (!is_included(read, part, x, y))
        return;
    jpeg2000_block *block = part->blocks + (size_t)y * part->across + x;
    unsigned passes = read_passes(&read->bits);
    unsigned planes = part->subband->planes - block->zero_planes;
    if (read->bits.failed || !planes || planes > JPEG2000_MOST_PLANES
        || block->passes + passes > 3 * planes - 2)
        read->status = KERNEL_NOT_SERVED;
    else
        read_lengths(read, block, passes);
}

/* Give the pieces that a packet header told of their data, in the packet's order. */
static bool take_data(jpeg2000_pieces *pieces, uint32_t first, const uint8_t **at,
                      const uint8_t *end)
{
    for (uint32_t i = first; i <= pieces->count; i++) {
        jpeg2000_piece *piece = pieces->pieces + i;
        if (piece->length > (size_t)(end - *at))
            return false;
        piece->data = *at;
        *at += piece->length;
    }
    return true;
}

static void skip_start_marker(const uint8_t **at, const uint8_t *end)
{
    if (end - *at >= SOP_LENGTH && (*at)[0] == MARKER && (*at)[1] == SOP)
        *at += SOP_LENGTH;
}

static kernel_status read_packet(const jpeg2000_header *header, jpeg2000_precinct *precinct,
                                 unsigned layer, jpeg2000_pieces *pieces, const uint8_t **at,
                                 const uint8_t *end)
{
    if (header->may_have_sop)
        skip_start_marker(at, end);
    packet read = {{*at, end, 0, 0, false}, layer,
                   header->coding[precinct->component].block_style, pieces, KERNEL_DONE};
    uint32_t first = pieces->count + 1;
    if (read_bit(&read.bits)) {
        for (unsigned i = 0; i < precinct->count; i++) {
            const jpeg2000_precinct_part *part = precinct->parts + i;
            for (uint32_t y = 0; y < part->down; y++) {
                for (uint32_t x = 0; x < part->across; x++) {
                    read_block(&read, part, x, y);
                    if (read.status != KERNEL_DONE)
                        return read.status;
                }
            }
        }
    }
    *at = finish_header(&read.bits);
    if (read.bits.failed)
        return KERNEL_NOT_SERVED;
    if (header->has_eph) {
        if (end - *at < 2 || (*at)[0] != MARKER || (*at)[1] != EPH)
            return KERNEL_NOT_SERVED;
        *at += 2;
    }
    return take_data(pieces, first, at, end) ? KERNEL_DONE : KERNEL_NOT_SERVED;
}

/* A tile's packets, as they follow each other in its tile-parts. */
typedef struct {
    const jpeg2000_header *header;
    const jpeg2000_tile_part *parts;
    uint32_t part;
    const uint8_t *at, *end;
    jpeg2000_pieces *pieces;
} packet_reader;

static void enter_part(packet_reader *reader, uint32_t part)
{
    reader->part = part;
    reader->at = reader->parts[part].data;
    reader->end = reader->at + reader->parts[part].length;
}

/* Go to the next tile-part with data; false if there is none. */
static bool find_data(packet_reader *reader)
{
    while (reader->at == reader->end) {
        uint32_t next = reader->parts[reader->part].next;
        if (!next)
            return false;
        enter_part(reader, next);
    }
    return true;
}

static kernel_status read_layer(packet_reader *reader, jpeg2000_precinct *precincts, size_t count,
                                unsigned layer)
{
    kernel_status status = KERNEL_DONE;
    for (size_t i = 0; i < count && status == KERNEL_DONE; i++)
        status = find_data(reader) ? read_packet(reader->header, precincts + i, layer,
                                                 reader->pieces, &reader->at, reader->end)
                                   : KERNEL_NOT_SERVED;
    return status;
}

/* Return how many precincts from one on go through their layers together, B.12. */
static size_t count_together(const jpeg2000_header *header, const jpeg2000_tile *tile, size_t from)
{
    if (header->progression == JPEG2000_LRCP)
        return tile->precinct_count - from;
    size_t count = 1;
    if (header->progression == JPEG2000_RLCP)
        while (from + count < tile->precinct_count
               && tile->precincts[from + count].resolution == tile->precincts[from].resolution)
            count++;
    return count;
}

kernel_status jpeg2000_read_packets(const jpeg2000_header *header,
                                    const jpeg2000_tile_part *parts, uint32_t first,
                                    jpeg2000_tile *tile, jpeg2000_pieces *pieces)
{
    packet_reader reader = {header, parts, 0, NULL, NULL, pieces};
    enter_part(&reader, first);
    pieces->count = 0;
    kernel_status status = KERNEL_DONE;
    for (size_t from = 0, count; from < tile->precinct_count; from += count) {
        count = count_together(header, tile, from);
        for (unsigned layer = 0; layer < header->layers && status == KERNEL_DONE; layer++)
            status = read_layer(&reader, tile->precincts + from, count, layer);
        if (status != KERNEL_DONE)
            return status;
    }
    return find_data(&reader) ? KERNEL_NOT_SERVED : KERNEL_DONE; /* some are left over */
}
