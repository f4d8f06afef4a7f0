#include "jpeg2000_packet_headers.h"

enum {
    LEAST_LENGTH_BITS = 3, /* Lblock at first */
    BLOCK_ROOM = 40, /* bytes that the header of a block takes at most: its tag trees, and 60 bits */
};

/* Bits of a packet header, B.10.1: behind a byte of ones comes one of seven bits. */
typedef struct {
    jpeg2000_bytes *bytes; /* there is room */
    unsigned byte, left;   /* the byte that is written, and its bits that are free */
    unsigned size;         /* bits that it has: 7 or 8 */
} bit_writer;

static void write_bit(bit_writer *bits, unsigned bit)
{
    bits->byte |= (bit & 1) << --bits->left;
    if (!bits->left) {
        bits->bytes->bytes[bits->bytes->length++] = (uint8_t)bits->byte;
        bits->left = bits->size = bits->byte == 0xFF ? 7 : 8;
        bits->byte = 0;
    }
}

static void write_bits(bit_writer *bits, uint32_t value, unsigned count)
{
    while (count--)
        write_bit(bits, value >> count & 1);
}

/* Fill the last byte; behind a byte of ones, one follows in any case. */
static void finish_bits(bit_writer *bits)
{
    if (bits->left < bits->size || bits->size == 7)
        bits->bytes->bytes[bits->bytes->length++] = (uint8_t)bits->byte;
}

/* Give each node of a tag tree the smallest of the values below it, B.10.2. */
static void fill_tag_tree(jpeg2000_tag_node *nodes, uint32_t across, uint32_t down)
{
    while (across > 1 || down > 1) {
        jpeg2000_tag_node *parents = nodes + (size_t)across * down;
        uint32_t wide = (across + 1) / 2, high = (down + 1) / 2;
        for (size_t i = 0; i < (size_t)wide * high; i++)
            parents[i] = (jpeg2000_tag_node){UINT16_MAX, 0};
        for (uint32_t y = 0; y < down; y++) {
            for (uint32_t x = 0; x < across; x++) {
                jpeg2000_tag_node *parent = parents + (size_t)(y / 2) * wide + x / 2;
                uint16_t value = nodes[(size_t)y * across + x].value;
                if (value < parent->value)
                    parent->value = value;
            }
        }
        nodes = parents;
        across = wide;
        down = high;
    }
}

/* Write what a reader has to know to tell whether a leaf's value is below a threshold. */
static void write_tag(bit_writer *bits, jpeg2000_tag_node *nodes, uint32_t across, uint32_t down,
                      uint32_t x, uint32_t y, unsigned threshold)
{
    jpeg2000_tag_node *path[JPEG2000_TAG_LEVELS];
    unsigned depth = jpeg2000_find_tag_path(nodes, across, down, x, y, path);
    unsigned low = 0;
    while (depth) {
        jpeg2000_tag_node *node = path[--depth];
        bool is_known = node->low > node->value; /* its 1 was written */
        low = node->low > low ? node->low : low;
        for (; low < threshold && low < node->value; low++)
            write_bit(bits, 0);
        if (low < threshold && !is_known) {
            write_bit(bits, 1);
            node->low = (uint16_t)(node->value + 1);
        } else if (!is_known) {
            node->low = (uint16_t)low;
        }
        low = node->value < low ? node->value : low;
    }
}

/* Table B.4 */
static void write_passes(bit_writer *bits, unsigned passes)
{
    if (passes == 1)
        write_bits(bits, 0, 1);
    else if (passes == 2)
        write_bits(bits, 2, 2);
    else if (passes < 6)
        write_bits(bits, 0xC | (passes - 3), 4);
    else if (passes < 37)
        write_bits(bits, 0x1E0 | (passes - 6), 9);
    else
        write_bits(bits, 0xFF80 | (passes - 37), 16);
}

static unsigned count_bits(uint32_t value)
{
    unsigned count = 0;
    for (; value; value >>= 1)
        count++;
    return count;
}

/* B.10.7.1 */
static void write_length(bit_writer *bits, const jpeg2000_block *block)
{
    unsigned more = count_bits(block->passes) - 1, needed = count_bits(block->length);
    unsigned length_bits = LEAST_LENGTH_BITS;
    for (; length_bits + more < needed; length_bits++)
        write_bit(bits, 1);
    write_bit(bits, 0);
    write_bits(bits, block->length, length_bits + more);
}

static void write_part(bit_writer *bits, const jpeg2000_precinct_part *part)
{
    size_t count = (size_t)part->across * part->down;
    for (size_t i = 0; i < count; i++) {
        part->inclusion[i] = (jpeg2000_tag_node){part->blocks[i].passes ? 0 : 1, 0};
        part->zero_planes[i] = (jpeg2000_tag_node){part->blocks[i].zero_planes, 0};
    }
    fill_tag_tree(part->inclusion, part->across, part->down);
    fill_tag_tree(part->zero_planes, part->across, part->down);
    const jpeg2000_block *block = part->blocks;
    for (uint32_t y = 0; y < part->down; y++) {
        for (uint32_t x = 0; x < part->across; x++, block++) {
            write_tag(bits, part->inclusion, part->across, part->down, x, y, 1);
            if (!block->passes)
                continue;
            write_tag(bits, part->zero_planes, part->across, part->down, x, y,
                      block->zero_planes + 1u);
            write_passes(bits, block->passes);
            write_length(bits, block);
        }
    }
}

static bool has_passes(const jpeg2000_precinct *precinct)
{
    for (unsigned i = 0; i < precinct->count; i++)
        for (size_t b = 0; b < (size_t)precinct->parts[i].across * precinct->parts[i].down; b++)
            if (precinct->parts[i].blocks[b].passes)
                return true;
    return false;
}

bool jpeg2000_write_packet_header(const jpeg2000_precinct *precinct, jpeg2000_bytes *bytes)
{
    size_t blocks = 1;
    for (unsigned i = 0; i < precinct->count; i++)
        blocks += (size_t)precinct->parts[i].across * precinct->parts[i].down;
    if (!jpeg2000_make_room(bytes, blocks * BLOCK_ROOM))
        return false;
    bit_writer bits = {bytes, 0, 8, 8};
    bool full = has_passes(precinct);
    write_bit(&bits, full);
    for (unsigned i = 0; i < precinct->count && full; i++)
        if (precinct->parts[i].across && precinct->parts[i].down)
            write_part(&bits, precinct->parts + i);
    finish_bits(&bits);
    return true;
}
