#include "jpeg2000_block_decode.h"

#include <stdlib.h>
#include <string.h>

#include "jpeg2000_block_decode_passes.h"

enum { MOST_JOINED = 1 << 16 }; /* bytes of a segment in several pieces, at first */

struct jpeg2000_block_decoder {
    jpeg2000_pass_decoder passes;
    uint8_t *joined; /* a segment's pieces together */
    size_t room;
};

jpeg2000_block_decoder *jpeg2000_make_block_decoder(void)
{
    jpeg2000_block_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return NULL;
    jpeg2000_make_context_tables(&decoder->passes.tables);
    jpeg2000_make_transitions(&decoder->passes.transitions);
    return decoder;
}

void jpeg2000_release_block_decoder(jpeg2000_block_decoder *decoder)
{
    if (decoder)
        free(decoder->joined);
    free(decoder);
}

static void start_block(jpeg2000_pass_decoder *block, unsigned width, unsigned height,
                        unsigned planes)
{
    jpeg2000_decoded_planes *bits = &block->bits;
    bits->width = width;
    bits->height = height;
    bits->stripes = (height + 3) / 4;
    memset(block->significant, 0, sizeof block->significant);
    memset(block->visited, 0, sizeof block->visited);
    memset(block->refined, 0, sizeof block->refined);
    memset(bits->negative, 0, sizeof bits->negative);
    memset(block->any, 0, sizeof block->any);
    memset(block->neighbourhoods, 0,
           (bits->stripes + 2) * NEIGHBOURHOOD_STRIDE * sizeof *block->neighbourhoods);
    for (unsigned plane = 0; plane <= planes; plane++)
        memset(bits->planes[plane], 0, bits->stripes * sizeof *bits->planes[plane]);
    for (unsigned stripe = 0; stripe < bits->stripes; stripe++)
        for (unsigned k = 0; k < JPEG2000_WORDS; k++)
            block->inside[stripe][k] = find_inside(width, height, stripe, k);
    jpeg2000_reset_contexts(block);
}

/* Take samples whose lowest planes are missing for the middle of what they may be.
 *
 * `plane` is the lowest one with passes, of which it may have that of significance alone. */
static void add_halves(jpeg2000_pass_decoder *block, unsigned plane, bool significance_alone)
{
    for (unsigned stripe = 0; stripe < block->bits.stripes; stripe++) {
        for (unsigned k = 0; k < JPEG2000_WORDS; k++) {
            uint64_t all = block->significant[stripe + 1][k], coded = all;
            if (significance_alone)
                coded &= block->visited[stripe][k];
            block->bits.planes[plane][stripe][k] |= all & ~coded;
            block->bits.planes[plane - 1][stripe][k] |= coded;
        }
    }
}

/* Join the pieces of the segment that begins with one, and return its bytes. */
static const uint8_t *join_segment(jpeg2000_block_decoder *decoder, const jpeg2000_piece *pieces,
                                   uint32_t first, unsigned passes, size_t *length)
{
    const jpeg2000_piece *piece = pieces + first;
    *length = piece->length;
    if (piece->passes >= passes)
        return piece->data;
    *length = 0;
    for (unsigned seen = 0;; piece = pieces + piece->next) {
        size_t needed = *length + piece->length;
        if (needed > decoder->room || !decoder->joined) {
            size_t room = needed < MOST_JOINED ? MOST_JOINED : 2 * needed;
            uint8_t *grown = realloc(decoder->joined, room);
            if (!grown)
                return NULL;
            decoder->joined = grown;
            decoder->room = room;
        }
        memcpy(decoder->joined + *length, piece->data, piece->length);
        *length = needed;
        seen += piece->passes;
        if (seen >= passes || !piece->next)
            return decoder->joined;
    }
}

static uint32_t skip_pieces(const jpeg2000_piece *pieces, uint32_t at, unsigned passes)
{
    for (unsigned seen = 0; at && seen < passes; at = pieces[at].next)
        seen += pieces[at].passes;
    return at;
}

/* Decode all passes of a block, D.4 to D.7; `planes` are those that are not missing. */
static kernel_status decode_passes(jpeg2000_block_decoder *decoder, unsigned style,
                                   const jpeg2000_block *block, const jpeg2000_piece *pieces,
                                   unsigned planes)
{
    jpeg2000_pass_decoder *passes = &decoder->passes;
    uint32_t piece = block->first;
    for (unsigned pass = 0, end; pass < block->passes; pass = end) {
        end = pass + jpeg2000_count_segment_passes(style, pass);
        end = end < block->passes ? end : block->passes;
        size_t length;
        const uint8_t *data = join_segment(decoder, pieces, piece, end - pass, &length);
        if (!data)
            return KERNEL_NO_MEMORY;
        piece = skip_pieces(pieces, piece, end - pass);
        bool raw = jpeg2000_is_raw(style, pass);
        if (raw)
            passes->raw = (jpeg2000_raw_reader){data, data + length, 0, 0};
        else
            passes->coder = jpeg2000_start_decoder(data, length);
        for (unsigned i = pass; i < end; i++)
            jpeg2000_decode_pass(passes, style, i, planes, raw);
    }
    unsigned last = block->passes - 1u;
    add_halves(passes, jpeg2000_find_pass_plane(last, planes),
               jpeg2000_find_pass_kind(last) == JPEG2000_SIGNIFICANCE);
    return KERNEL_DONE;
}

kernel_status jpeg2000_decode_block(jpeg2000_block_decoder *decoder,
                                    const jpeg2000_subband *subband,
                                    const jpeg2000_coding *coding, const jpeg2000_block *block,
                                    const jpeg2000_piece *pieces, void *array, size_t stride)
{
    unsigned planes = subband->planes - block->zero_planes;
    jpeg2000_pass_decoder *passes = &decoder->passes;
    start_block(passes, block->width, block->height, planes);
    passes->zero_contexts = passes->tables.zero[subband->orientation];
    kernel_status status = decode_passes(decoder, coding->block_style, block, pieces, planes);
    if (status == KERNEL_DONE)
        jpeg2000_put_coefficients(&passes->bits, planes, coding->is_reversible, subband->step / 2,
                                  array, block->y * stride + block->x, stride);
    return status;
}
