#include "jpeg2000_block_encode.h"

#include <stdlib.h>
#include <string.h>

#include "jpeg2000_block_codes.h"
#include "jpeg2000_block_encode_passes.h"
#include "jpeg2000_block_to_planes.h"

struct jpeg2000_block_encoder {
    jpeg2000_pass_encoder passes;
    jpeg2000_block_coder coder;
    int32_t quantized[JPEG2000_SAMPLES];
    jpeg2000_symbol kept[JPEG2000_MOST_SYMBOLS]; /* of the first of two blocks */
};

jpeg2000_block_encoder *jpeg2000_make_block_encoder(void)
{
    jpeg2000_block_encoder *encoder = malloc(sizeof *encoder);
    if (!encoder)
        return NULL;
    encoder->coder.second = (jpeg2000_bytes){NULL, 0, 0};
    jpeg2000_make_context_tables(&encoder->passes.tables);
    jpeg2000_make_encoder_transitions(&encoder->coder.transitions);
    return encoder;
}

void jpeg2000_release_block_encoder(jpeg2000_block_encoder *encoder)
{
    if (encoder)
        free(encoder->coder.second.bytes);
    free(encoder);
}

/* Model all planes of a block as symbols, and count them. */
static kernel_status model_block(jpeg2000_block_encoder *encoder, const jpeg2000_block_place *place,
                                 size_t *count)
{
    jpeg2000_block *block = place->block;
    unsigned planes = jpeg2000_gather_planes(
        &encoder->passes.block, block, place->array + block->y * place->stride + block->x,
        place->stride);
    if (planes > place->subband->planes || planes > JPEG2000_MOST_PLANES)
        return KERNEL_NOT_SERVED;
    block->zero_planes = (uint8_t)(place->subband->planes - planes);
    block->passes = (uint16_t)(planes ? 3 * planes - 2 : 0);
    *count = 0;
    if (!planes)
        return KERNEL_DONE;
    jpeg2000_encode_passes(&encoder->passes, place->subband->orientation, planes, 0, false);
    *count = encoder->passes.ends[encoder->passes.count - 1].symbols;
    return KERNEL_DONE;
}

kernel_status jpeg2000_encode_blocks(jpeg2000_block_encoder *encoder,
                                     const jpeg2000_block_place *places, unsigned count,
                                     jpeg2000_bytes *bytes)
{
    const jpeg2000_symbol *const symbols[2] = {encoder->kept, encoder->passes.symbols};
    size_t counts[2] = {0}, lengths[2] = {0};
    kernel_status status = model_block(encoder, places, counts);
    if (status == KERNEL_DONE && count > 1) {
        memcpy(encoder->kept, symbols[1], counts[0] * sizeof *encoder->kept);
        status = model_block(encoder, places + 1, counts + 1);
    }
    if (status != KERNEL_DONE)
        return status;
    bool done = true;
    if (counts[0] && counts[1])
        done = jpeg2000_append_codes(&encoder->coder, symbols, counts, bytes, lengths);
    else if (counts[0] || counts[1])
        done = jpeg2000_append_code(&encoder->coder, symbols[count == 1 || !counts[0]],
                                    counts[0] + counts[1], bytes, lengths + !counts[0]);
    for (unsigned i = 0; i < count; i++)
        places[i].block->length = (uint32_t)lengths[i];
    return done ? KERNEL_DONE : KERNEL_NO_MEMORY;
}

/* Quantize a block, with a fraction; return the sum of squares, each of the middle of what comes to
 * the same. */
static double quantize(const jpeg2000_block *block, const float *coefficients, size_t stride,
                       float step, int32_t *quantized)
{
    float scale = (float)(1 << JPEG2000_FRACTION_BITS) / step;
    double squares = 0;
    for (unsigned y = 0; y < block->height; y++) {
        for (unsigned x = 0; x < block->width; x++) {
            float value = coefficients[y * stride + x] * scale;
            int32_t whole = (int32_t)value;
            double middle = whole ? abs(whole) + 0.5 : (double)value;
            squares += middle * middle;
            quantized[y * JPEG2000_BLOCK + x] = whole;
        }
    }
    return squares;
}

kernel_status jpeg2000_encode_block_in_cuts(jpeg2000_block_encoder *encoder,
                                            const jpeg2000_subband *subband,
                                            jpeg2000_block *block, const float *array,
                                            size_t stride, double weight, unsigned lowest,
                                            jpeg2000_bytes *bytes, jpeg2000_cuts *cuts)
{
    double unit = (double)subband->step / (1 << JPEG2000_FRACTION_BITS);
    weight *= unit * unit;
    block->error = weight * quantize(block, array + block->y * stride + block->x, stride,
                                     subband->step, encoder->quantized);
    unsigned planes = jpeg2000_gather_planes(&encoder->passes.block, block, encoder->quantized,
                                             JPEG2000_BLOCK);
    block->first = block->last = (uint32_t)cuts->count;
    block->zero_planes = subband->planes;
    lowest += JPEG2000_FRACTION_BITS;
    if (planes <= lowest)
        return KERNEL_DONE;
    if (planes > JPEG2000_MOST_PLANES || planes - JPEG2000_FRACTION_BITS > subband->planes)
        return KERNEL_NOT_SERVED;
    block->zero_planes = (uint8_t)(subband->planes + JPEG2000_FRACTION_BITS - planes);
    jpeg2000_pass_encoder *passes = &encoder->passes;
    jpeg2000_encode_passes(passes, subband->orientation, planes, lowest, true);
    jpeg2000_upper_end ends[JPEG2000_MOST_PASSES];
    size_t length;
    if (!jpeg2000_append_passes(&encoder->coder, passes->symbols, passes->ends, passes->count,
                                bytes, ends, &length))
        return KERNEL_NO_MEMORY;
    for (unsigned i = 0; i < passes->count; i++) {
        size_t least =
            jpeg2000_find_least_length(ends + i, bytes->bytes + bytes->length, length);
        jpeg2000_cut cut = {(uint32_t)least, (uint16_t)(i + 1), weight * passes->ends[i].gain, 0};
        if (!jpeg2000_add_cut(cuts, block->first, &cut))
            return KERNEL_NO_MEMORY;
    }
    block->last = (uint32_t)cuts->count;
    jpeg2000_keep_code(bytes, block->last > block->first ? cuts->cuts[block->last - 1].length : 0);
    return KERNEL_DONE;
}
