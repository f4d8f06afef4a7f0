#include "jpeg2000_write_header.h"

#include "jpeg2000_markers.h"

void jpeg2000_put(jpeg2000_bytes *stream, uint32_t value, unsigned count)
{
    while (count--)
        stream->bytes[stream->length++] = (uint8_t)(value >> 8 * count);
}

/* SIZ, A.5.1 */
static void put_size(const jpeg2000_header *header, jpeg2000_bytes *stream)
{
    enum { EXTENDED_CAPABILITIES = 0x4000 };
    jpeg2000_put(stream, JPEG2000_SIZ, 2);
    jpeg2000_put(stream, 38 + 3 * header->components, 2);
    jpeg2000_put(stream, header->high_throughput ? EXTENDED_CAPABILITIES : 0, 2);
    jpeg2000_put(stream, header->x1, 4);
    jpeg2000_put(stream, header->y1, 4);
    jpeg2000_put(stream, 0, 4);
    jpeg2000_put(stream, 0, 4);
    jpeg2000_put(stream, header->tile_width, 4);
    jpeg2000_put(stream, header->tile_height, 4);
    jpeg2000_put(stream, 0, 4);
    jpeg2000_put(stream, 0, 4);
    jpeg2000_put(stream, header->components, 2);
    for (unsigned i = 0; i < header->components; i++) {
        jpeg2000_put(stream, (header->precision - 1) | (unsigned)header->is_signed << 7, 1);
        jpeg2000_put(stream, 0x0101, 2);
    }
}

/* Return how Ccap15 tells the bits that magnitudes have at most (MAGB), up to 27. */
static uint32_t code_magnitude_bits(const jpeg2000_quantization *quantization)
{
    enum { LEAST = 8 };
    unsigned most = LEAST;
    for (unsigned i = 0; i < quantization->count; i++) {
        unsigned bits = quantization->guard_bits + quantization->exponents[i] - 1u;
        most = bits > most ? bits : most;
    }
    return most - LEAST;
}

/* CAP, A.5.2: the code-blocks are those of HTJ2K only, of one set of passes. */
static void put_capabilities(const jpeg2000_header *header, jpeg2000_bytes *stream)
{
    jpeg2000_put(stream, JPEG2000_CAP, 2);
    jpeg2000_put(stream, 8, 2);
    jpeg2000_put(stream, JPEG2000_PART_15, 4);
    jpeg2000_put(stream, code_magnitude_bits(header->quantization), 2);
}

/* COD, A.6.1 */
static void put_coding(const jpeg2000_header *header, jpeg2000_bytes *stream)
{
    const jpeg2000_coding *coding = header->coding;
    jpeg2000_put(stream, JPEG2000_COD, 2);
    jpeg2000_put(stream, 12, 2);
    jpeg2000_put(stream, 0, 1);
    jpeg2000_put(stream, header->progression, 1);
    jpeg2000_put(stream, header->layers, 2);
    jpeg2000_put(stream, header->component_transform, 1);
    jpeg2000_put(stream, coding->levels, 1);
    jpeg2000_put(stream, coding->block_width - 2u, 1);
    jpeg2000_put(stream, coding->block_height - 2u, 1);
    jpeg2000_put(stream, coding->block_style, 1);
    jpeg2000_put(stream, coding->is_reversible, 1);
}

/* QCD, A.6.4 */
static void put_quantization(const jpeg2000_quantization *quantization, jpeg2000_bytes *stream)
{
    enum { EXPOUNDED = 2 };
    unsigned size = quantization->is_quantized ? 2 : 1;
    unsigned style = quantization->is_quantized ? EXPOUNDED : 0;
    jpeg2000_put(stream, JPEG2000_QCD, 2);
    jpeg2000_put(stream, 3 + size * quantization->count, 2);
    jpeg2000_put(stream, (uint32_t)quantization->guard_bits << 5 | style, 1);
    for (unsigned i = 0; i < quantization->count; i++) {
        if (quantization->is_quantized)
            jpeg2000_put(stream,
                         (uint32_t)quantization->exponents[i] << 11 | quantization->mantissas[i],
                         2);
        else
            jpeg2000_put(stream, (uint32_t)quantization->exponents[i] << 3, 1);
    }
}

bool jpeg2000_write_header(const jpeg2000_header *header, jpeg2000_bytes *stream)
{
    enum { ROOM = 256 };
    if (!jpeg2000_make_room(stream, ROOM))
        return false;
    jpeg2000_put(stream, JPEG2000_SOC, 2);
    put_size(header, stream);
    if (header->high_throughput)
        put_capabilities(header, stream);
    put_coding(header, stream);
    put_quantization(header->quantization, stream);
    return true;
}
