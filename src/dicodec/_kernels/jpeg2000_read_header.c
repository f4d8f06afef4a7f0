#include "jpeg2000_read_header.h"

#include <string.h>

#include "jpeg2000_markers.h"

enum {
    MOST_LAYERS = 900, /* decoders hold a tag tree's infinity to be 999 */
    MOST_TILES = 65535,
    MOST_BLOCK_BITS = 12, /* xcb + ycb, Table A.18 */
};

static uint32_t divide_up(uint32_t value, uint32_t by)
{
    return value / by + (value % by != 0);
}

/* SIZ, A.5.1: one kind of component, sampled at each point of the grid. */
static bool read_size(jpeg2000_marker_reader *body, jpeg2000_header *header)
{
    header->has_capabilities = take_number(body, 2) >> 14 == 1; /* Rsiz; else what markers say counts */
    header->x1 = take_number(body, 4);
    header->y1 = take_number(body, 4);
    header->x0 = take_number(body, 4);
    header->y0 = take_number(body, 4);
    header->tile_width = take_number(body, 4);
    header->tile_height = take_number(body, 4);
    header->tile_x0 = take_number(body, 4);
    header->tile_y0 = take_number(body, 4);
    header->components = take_number(body, 2);
    if (header->components != 1 && header->components != 3)
        return false;
    uint32_t depth = take_number(body, 1);
    bool uniform = take_number(body, 2) == 0x0101;
    for (unsigned i = 1; i < header->components; i++)
        uniform &= take_number(body, 1) == depth && take_number(body, 2) == 0x0101;
    header->is_signed = depth >> 7;
    header->precision = (depth & 127) + 1;
    if (body->failed || !uniform || header->precision > JPEG2000_MOST_BITS
        || header->x1 > JPEG2000_MOST_LINES || header->y1 > JPEG2000_MOST_LINES
        || header->x0 >= header->x1 || header->y0 >= header->y1
        || header->tile_x0 > header->x0 || header->tile_y0 > header->y0
        || !header->tile_width || !header->tile_height)
        return false;
    uint32_t width = header->x1 - header->tile_x0, height = header->y1 - header->tile_y0;
    if (header->tile_width > width)
        header->tile_width = width;
    if (header->tile_height > height)
        header->tile_height = height;
    header->tiles_across = divide_up(width, header->tile_width);
    header->tiles_down = divide_up(height, header->tile_height);
    return header->x0 - header->tile_x0 < header->tile_width
           && header->y0 - header->tile_y0 < header->tile_height
           && (uint64_t)header->tiles_across * header->tiles_down <= MOST_TILES;
}

/* Table A.19, and ISO/IEC 15444-15 Table A.4: none of part 1 but causal contexts goes together with
 * high throughput; bit 7 mixes both. */
static bool is_known_style(unsigned style)
{
    return style < JPEG2000_HIGH_THROUGHPUT
           || (style & ~JPEG2000_CAUSAL) == JPEG2000_HIGH_THROUGHPUT;
}

/* SPcod or SPcoc, Tables A.15 and A.20. */
static bool read_coding(jpeg2000_marker_reader *body, bool has_precincts, jpeg2000_coding *coding)
{
    coding->levels = (uint8_t)take_number(body, 1);
    coding->block_width = (uint8_t)(take_number(body, 1) + 2);
    coding->block_height = (uint8_t)(take_number(body, 1) + 2);
    coding->block_style = (uint8_t)take_number(body, 1);
    uint32_t wavelet = take_number(body, 1);
    coding->is_reversible = wavelet == 1;
    if (wavelet > 1 || coding->levels > JPEG2000_MOST_LEVELS
        || !is_known_style(coding->block_style)
        || coding->block_width > JPEG2000_MOST_BLOCK_EXPONENT
        || coding->block_height > JPEG2000_MOST_BLOCK_EXPONENT
        || coding->block_width + coding->block_height > MOST_BLOCK_BITS)
        return false;
    for (unsigned i = 0; i <= coding->levels; i++) {
        uint32_t size = has_precincts ? take_number(body, 1) : 0xFF;
        coding->precinct_width[i] = size & 15;
        coding->precinct_height[i] = (uint8_t)(size >> 4);
        if (i && (!(size & 15) || !(size >> 4)))
            return false; /* a precinct of half a coefficient in each subband */
    }
    return !body->failed && !count_left(body);
}

static bool read_quantization(jpeg2000_marker_reader *body, jpeg2000_quantization *quantization)
{
    enum { NONE, DERIVED, EXPOUNDED };
    uint32_t style = take_number(body, 1);
    quantization->guard_bits = (uint8_t)(style >> 5);
    style &= 31;
    quantization->is_quantized = style != NONE;
    unsigned size = style == NONE ? 1 : 2;
    if (body->failed || style > EXPOUNDED || count_left(body) % size)
        return false;
    size_t count = count_left(body) / size;
    if (!count || count > JPEG2000_MOST_SUBBANDS || (style == DERIVED && count != 1))
        return false;
    for (unsigned i = 0; i < count; i++) {
        uint32_t step = take_number(body, size);
        quantization->exponents[i] = (uint8_t)(style == NONE ? step >> 3 : step >> 11);
        quantization->mantissas[i] = style == NONE ? 0 : step & 0x7FF;
    }
    quantization->count = (unsigned)count;
    if (style == DERIVED) { /* equation E-5 */
        for (unsigned i = 1; i < JPEG2000_MOST_SUBBANDS; i++) {
            int exponent = quantization->exponents[0] - (int)(i - 1) / 3;
            quantization->exponents[i] = (uint8_t)(exponent > 0 ? exponent : 0);
            quantization->mantissas[i] = quantization->mantissas[0];
        }
        quantization->count = JPEG2000_MOST_SUBBANDS;
    }
    return true;
}

/* What the main header has told so far. */
typedef struct {
    bool size, coding, quantization;
    bool own_coding[JPEG2000_MOST_COMPONENTS], own_quantization[JPEG2000_MOST_COMPONENTS];
} told;

/* COD, A.6.1 */
static bool read_default_coding(jpeg2000_marker_reader *body, jpeg2000_header *header, told *seen)
{
    uint32_t style = take_number(body, 1);
    header->progression = take_number(body, 1);
    header->layers = take_number(body, 2);
    uint32_t transform = take_number(body, 1);
    header->component_transform = transform == 1;
    header->may_have_sop = style >> 1 & 1;
    header->has_eph = style >> 2 & 1;
    jpeg2000_coding coding = {0};
    if (seen->coding || style > 7 || header->progression > JPEG2000_CPRL || !header->layers
        || header->layers > MOST_LAYERS || transform > 1
        || !read_coding(body, style & 1, &coding))
        return false;
    for (unsigned i = 0; i < header->components; i++)
        if (!seen->own_coding[i])
            header->coding[i] = coding;
    seen->coding = true;
    return true;
}

/* COC, A.6.2 */
static bool read_own_coding(jpeg2000_marker_reader *body, jpeg2000_header *header, told *seen)
{
    uint32_t component = take_number(body, 1), style = take_number(body, 1);
    if (component >= header->components || style > 1 || seen->own_coding[component])
        return false;
    seen->own_coding[component] = true;
    return read_coding(body, style, header->coding + component);
}

/* QCD, A.6.4 */
static bool read_default_quantization(jpeg2000_marker_reader *body, jpeg2000_header *header, told *seen)
{
    jpeg2000_quantization quantization = {0};
    if (seen->quantization || !read_quantization(body, &quantization))
        return false;
    for (unsigned i = 0; i < header->components; i++)
        if (!seen->own_quantization[i])
            header->quantization[i] = quantization;
    seen->quantization = true;
    return true;
}

/* QCC, A.6.5 */
static bool read_own_quantization(jpeg2000_marker_reader *body, jpeg2000_header *header, told *seen)
{
    uint32_t component = take_number(body, 1);
    if (component >= header->components || seen->own_quantization[component])
        return false;
    seen->own_quantization[component] = true;
    return read_quantization(body, header->quantization + component);
}

/* CAP, A.5.2: capabilities of ISO/IEC 15444-15 alone, in which all code-blocks have high
 * throughput, in one set of passes, and there is no region of interest (its A.3). */
static bool read_capabilities(jpeg2000_marker_reader *body, jpeg2000_header *header)
{
    enum { OTHER_BLOCKS = 0xC000, SETS = 0x2000, REGIONS = 0x1000 };
    uint32_t parts = take_number(body, 4), capabilities = take_number(body, 2);
    if (body->failed || count_left(body) || header->high_throughput
        || !header->has_capabilities || parts != JPEG2000_PART_15
        || capabilities & (OTHER_BLOCKS | SETS | REGIONS))
        return false;
    header->high_throughput = true;
    return true;
}

/* Whether the segments are all there and go together. */
static bool is_coherent(const jpeg2000_header *header, const told *seen)
{
    if (!seen->size || !seen->coding || !seen->quantization
        || (header->component_transform && header->components != 3))
        return false;
    if (header->high_throughput && header->layers > 1) /* of which no encoder is known */
        return false;
    for (unsigned i = 0; i < header->components; i++) {
        const jpeg2000_coding *coding = header->coding + i;
        const jpeg2000_quantization *quantization = header->quantization + i;
        bool high_throughput = coding->block_style & JPEG2000_HIGH_THROUGHPUT;
        if (coding->is_reversible == quantization->is_quantized
            || high_throughput != header->high_throughput
            || quantization->count < 3u * coding->levels + 1
            || (header->component_transform
                && coding->is_reversible != header->coding[0].is_reversible))
            return false;
    }
    return true;
}

/* Return whether a segment is known and well-formed. */
static bool read_segment(uint32_t marker, jpeg2000_marker_reader *body, jpeg2000_header *header, told *seen)
{
    if (marker == JPEG2000_SIZ) {
        bool again = seen->size;
        seen->size = true;
        return !again && read_size(body, header);
    }
    if (!seen->size) /* it is the first one, A.3 */
        return false;
    switch (marker) {
    case JPEG2000_CAP:
        return read_capabilities(body, header);
    case JPEG2000_COD:
        return read_default_coding(body, header, seen);
    case JPEG2000_COC:
        return read_own_coding(body, header, seen);
    case JPEG2000_QCD:
        return read_default_quantization(body, header, seen);
    case JPEG2000_QCC:
        return read_own_quantization(body, header, seen);
    case JPEG2000_TLM:
    case JPEG2000_PLM:
    case JPEG2000_CRG:
    case JPEG2000_COM:
        return true;
    default: /* ROI, POC, PPM, and extensions of other parts */
        return false;
    }
}

kernel_status jpeg2000_read_header(const uint8_t *stream, size_t length, jpeg2000_header *header,
                                   size_t *end)
{
    jpeg2000_marker_reader reader = {stream, stream + length, false};
    told seen = {0};
    memset(header, 0, sizeof *header);
    if (take_number(&reader, 2) != JPEG2000_SOC)
        return KERNEL_NOT_SERVED;
    for (;;) {
        uint32_t marker = take_number(&reader, 2);
        if (marker == JPEG2000_SOT)
            break;
        jpeg2000_marker_reader body = take_segment(&reader);
        if (body.failed || !read_segment(marker, &body, header, &seen))
            return KERNEL_NOT_SERVED;
    }
    *end = (size_t)(reader.at - stream) - 2;
    return is_coherent(header, &seen) ? KERNEL_DONE : KERNEL_NOT_SERVED;
}
