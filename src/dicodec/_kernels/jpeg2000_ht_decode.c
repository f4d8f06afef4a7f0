#include "jpeg2000_ht_decode.h"

#include <stdlib.h>
#include <string.h>

#include "jpeg2000_ht_decode_samples.h"
#include "processor.h"

enum {
    LEAST_LENGTH = 2, MOST_QUAD_BYTES = 4079,                     /* of Scup, 7.1.1 */
    MOST_SAMPLE_BYTES = JPEG2000_BLOCK * JPEG2000_BLOCK / 8 * HT_MOST_BOUND,
    MOST_PLANES = HT_MOST_BOUND - 1,
    SPARE = HT_SPARE_BYTES + 8,
    DROPPED = 8, /* bits: a last byte of ones is left out */
    SHARED = 8,  /* bits of a byte that MEL and VLC have in common */
};

struct jpeg2000_ht_decoder {
    jpeg2000_ht_tables tables;
    jpeg2000_ht_quads quads[2]; /* of a row and the one above */
    jpeg2000_ht_row row;
    jpeg2000_ht_quad_reader quad_reader;
    jpeg2000_ht_sample_reader sample_reader;
    jpeg2000_ht_samples samples;
    uint8_t quad_bits[MOST_QUAD_BYTES + SPARE], sample_bits[MOST_SAMPLE_BYTES + SPARE];
};

jpeg2000_ht_decoder *jpeg2000_make_ht_decoder(void)
{
    jpeg2000_ht_decoder *decoder = calloc(1, sizeof *decoder);
    if (!decoder)
        return NULL;
    jpeg2000_make_ht_tables(&decoder->tables);
    decoder->quad_reader.codes.bytes = decoder->quad_bits;
    decoder->sample_reader.bits.bytes = decoder->sample_bits;
    return decoder;
}

void jpeg2000_release_ht_decoder(jpeg2000_ht_decoder *decoder)
{
    free(decoder);
}

/* Divide a cleanup segment into the bits of samples, and of quads, 7.1. */
static bool start_segment(jpeg2000_ht_decoder *decoder, const uint8_t *data, size_t length)
{
    if (length < LEAST_LENGTH)
        return false;
    size_t of_quads = (size_t)data[length - 1] << 4 | (data[length - 2] & 15); /* Scup */
    if (of_quads < LEAST_LENGTH || of_quads > MOST_QUAD_BYTES || of_quads > length)
        return false;
    size_t of_samples = length - of_quads;
    jpeg2000_ht_quad_reader *quads = &decoder->quad_reader;
    jpeg2000_ht_sample_reader *samples = &decoder->sample_reader;
    quads->place = samples->place = 0;
    samples->row = 0;
    memset(samples->lower, 0, sizeof samples->lower);
    quads->events = jpeg2000_start_ht_events(data + of_samples, of_quads);
    return of_samples <= MOST_SAMPLE_BYTES
           && jpeg2000_take_ht_forward(&samples->bits, data, of_samples)
           && jpeg2000_take_ht_backward(&quads->codes, data + of_samples, of_quads);
}

/* Whether all bits of a segment were read, and no more than there are. */
static bool is_used_up(const jpeg2000_ht_decoder *decoder, size_t length)
{
    const jpeg2000_ht_quad_reader *quads = &decoder->quad_reader;
    const jpeg2000_ht_sample_reader *samples = &decoder->sample_reader;
    size_t of_quads = 8 * length - samples->bits.count;
    return samples->bits.count < samples->place + 8
           && quads->place + quads->events.taken <= of_quads + SHARED;
}

/* Put a row of samples into the array of their component; `plane` is their lowest one, of which
 * reversible ones drop the half. */
KERNEL_VARIANTS
static void put_row(const uint32_t *samples, unsigned width, unsigned plane, bool is_reversible,
                    float half_step, void *array, size_t place)
{
    int32_t halves[JPEG2000_BLOCK];
    for (unsigned x = 0; x < width; x++) {
        uint32_t sample = samples[x];
        int32_t magnitude = (int32_t)(sample ? (sample | 1) << plane : 0), sign;
        magnitude >>= is_reversible;
        sign = -(int32_t)(sample & 1);
        halves[x] = (magnitude ^ sign) - sign;
    }
    if (is_reversible)
        for (unsigned x = 0; x < width; x++)
            ((int32_t *)array)[place + x] = halves[x];
    else
        for (unsigned x = 0; x < width; x++)
            ((float *)array)[place + x] = (float)halves[x] * half_step;
}

/* The samples of a quad that lie in a block, of which it may be the last one of a row. */
static unsigned find_quad_samples(unsigned columns, unsigned rows)
{
    return (columns > 1 ? 15 : 3) & (rows > 1 ? 15 : 5);
}

/* Whether no sample outside of the block is significant. */
static bool is_inside(const jpeg2000_ht_quads *quads, unsigned width, unsigned rows)
{
    unsigned count = (width + 1) / 2, any = 0;
    for (unsigned q = 1; q < count; q++)
        any |= quads->told[q];
    unsigned outside = (any & ~find_quad_samples(2, rows))
                       | (quads->told[count] & ~find_quad_samples(width & 1 ? 1 : 2, rows));
    return !(outside & HT_SIGNIFICANT);
}

/* Begin with a row of quads; row 0 has none above it. */
static void start_row(jpeg2000_ht_decoder *decoder, unsigned row, unsigned count)
{
    jpeg2000_start_ht_row(&decoder->row, &decoder->quad_reader, &decoder->tables,
                          row ? decoder->quads + (~row & 1) : NULL, count,
                          decoder->quads + (row & 1));
}

/* End a row of quads; false if its bits cannot be right. */
static bool finish_row(jpeg2000_ht_decoder *decoder, unsigned width, unsigned rows)
{
    jpeg2000_ht_quad_reader *reader = &decoder->quad_reader;
    jpeg2000_finish_ht_row(&decoder->row, reader);
    return reader->place <= reader->codes.count && is_inside(decoder->row.quads, width, rows);
}

kernel_status jpeg2000_decode_ht_block(jpeg2000_ht_decoder *decoder,
                                       const jpeg2000_subband *subband,
                                       const jpeg2000_coding *coding, const jpeg2000_block *block,
                                       const jpeg2000_piece *pieces, void *array, size_t stride)
{
    const jpeg2000_piece *piece = pieces + block->first;
    if (block->passes != 1 || subband->planes > MOST_PLANES
        || !start_segment(decoder, piece->data, piece->length))
        return KERNEL_NOT_SERVED;
    jpeg2000_ht_sample_reader *sample_reader = &decoder->sample_reader;
    /* In plane 0 are the zero planes that precede it as well. */
    unsigned plane = subband->planes - 1u - block->zero_planes, bound = block->zero_planes + 2u;
    unsigned count = (block->width + 1u) / 2;
    size_t place = block->y * stride + block->x;
    start_row(decoder, 0, count);
    jpeg2000_read_ht_quads(&decoder->row);
    for (unsigned y = 0; y < block->height; y += 2) {
        const jpeg2000_ht_quads *quads = decoder->row.quads;
        unsigned rows = block->height - y;
        bool is_last = rows <= 2;
        if (!finish_row(decoder, block->width, rows))
            return KERNEL_NOT_SERVED;
        if (!is_last)
            start_row(decoder, y / 2 + 1, count);
        if (!jpeg2000_read_ht_samples(sample_reader, quads, count, bound, decoder->samples,
                                      is_last ? NULL : &decoder->row)
            || sample_reader->place > sample_reader->bits.count + DROPPED)
            return KERNEL_NOT_SERVED;
        for (unsigned i = 0; i < 2 && i < rows; i++, place += stride)
            put_row(decoder->samples[i], block->width, plane, coding->is_reversible,
                    subband->step / 2, array, place);
    }
    return is_used_up(decoder, piece->length) ? KERNEL_DONE : KERNEL_NOT_SERVED;
}
