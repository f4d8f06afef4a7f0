#include "jpeg_ls.h"

#include <stdlib.h>

#include "jpeg_ls_decoder.h"
#include "jpeg_ls_markers.h"
#include "processor.h"
#include "words.h"

typedef struct {
    const kernel_image *image;
    uint8_t *words;
    jpeg_ls_headers headers;
    jpeg_ls_decoder decoder;
    uint8_t *bits; /* room for all of the stream, without stuffing */
    uint16_t *room; /* for the lines of three components at most */
    jpeg_ls_lines lines[3];
    uint16_t *values; /* a line that is finished */
} stream_decoder;

/* Extend the sign of samples; return all that was seen, or-ed, moved so that Bits Stored hold it as
 * unsigned. */
KERNEL_VARIANTS
static uint16_t extend_signs(const uint16_t *restrict line, uint16_t *restrict values, size_t count,
                             unsigned unused, uint16_t bias)
{
    uint16_t seen = 0;
    for (size_t i = 0; i < count; i++) {
        uint16_t value = (uint16_t)(line[i] << unused);
        value = (uint16_t)(bias ? (int16_t)value >> unused : value >> unused);
        seen |= (uint16_t)(value + bias);
        values[i] = value;
    }
    return seen;
}

/* Write a component's line as words; false if a sample is past Bits Stored. */
static bool store_line(stream_decoder *stream, unsigned component, uint32_t y)
{
    const kernel_image *image = stream->image;
    unsigned precision = stream->headers.precision;
    uint16_t bias = image->is_signed ? (uint16_t)(1 << (image->bits_stored - 1)) : 0;
    uint16_t seen = extend_signs(stream->lines[component].line, stream->values, image->columns,
                                 16 - precision, bias);
    if (precision > image->bits_stored && seen >> image->bits_stored)
        return false;
    size_t stride = image->components;
    uint8_t *words = stream->words
        + ((size_t)y * image->columns * stride + component) * image->word_size;
    words_store(words, stream->values, image->columns, stride, image->word_size);
    return true;
}

static void exchange_lines(jpeg_ls_lines *lines)
{
    uint16_t *line = lines->line;
    lines->line = lines->above;
    lines->above = line;
}

/* Point to two lines of zeros for each component of a scan, as are above the first (A.2.1). */
static void begin_lines(stream_decoder *stream, const jpeg_ls_scan *scan)
{
    size_t columns = stream->image->columns, length = columns + 2;
    for (unsigned i = scan->first; i < scan->first + scan->count; i++) {
        jpeg_ls_lines *lines = &stream->lines[i];
        uint16_t *room = stream->room + 2 * length * i;
        for (size_t at = 0; at < 2 * length; at++)
            room[at] = 0;
        lines->line = room + 1;
        lines->above = room + length + 1;
    }
}

static bool decode_lines(stream_decoder *stream, const jpeg_ls_scan *scan, uint32_t y)
{
    unsigned end = scan->first + scan->count;
    if (scan->interleaving == JPEG_LS_BY_SAMPLE) {
        if (!jpeg_ls_decode_triplets(&stream->decoder, stream->lines))
            return false;
    } else {
        for (unsigned i = scan->first; i < end; i++)
            if (!jpeg_ls_decode_line(&stream->decoder, &stream->lines[i], i))
                return false;
    }
    for (unsigned i = scan->first; i < end; i++) {
        if (!store_line(stream, i, y))
            return false;
        exchange_lines(&stream->lines[i]);
    }
    return true;
}

static bool decode_scan(stream_decoder *stream, const jpeg_ls_scan *scan)
{
    jpeg_ls_headers *headers = &stream->headers;
    jpeg_ls_decoder *decoder = &stream->decoder;
    headers->at = jpeg_ls_remove_stuffing(headers->at, headers->end, stream->bits, &decoder->end);
    if (!headers->at)
        return false;
    decoder->is = scan->is;
    decoder->bits = stream->bits;
    decoder->columns = (ptrdiff_t)stream->image->columns;
    jpeg_ls_begin_decoder(decoder);
    begin_lines(stream, scan);
    for (uint32_t y = 0; y < stream->image->rows; y++)
        if (!decode_lines(stream, scan, y))
            return false;
    return jpeg_ls_is_at_end(decoder);
}

static kernel_status decode_stream(stream_decoder *stream)
{
    jpeg_ls_scan scan;
    jpeg_ls_found found;
    while ((found = jpeg_ls_read_headers(&stream->headers, &scan)) == JPEG_LS_SCAN)
        if (!decode_scan(stream, &scan))
            return KERNEL_NOT_SERVED;
    return found == JPEG_LS_END ? KERNEL_DONE : KERNEL_NOT_SERVED;
}

kernel_status jpeg_ls_decode(const uint8_t *stream, size_t length, const kernel_image *image,
                             uint8_t *words)
{
    enum { SOI = 0xD8 };
    /* A line takes a bit at least. */
    if (length < 4 || stream[0] != 0xFF || stream[1] != SOI || image->rows / 8 > length)
        return KERNEL_NOT_SERVED;
    size_t columns = image->columns, parts = image->components;
    stream_decoder *state = malloc(sizeof *state);
    uint16_t *room = calloc((2 * parts + 1) * (columns + 2), sizeof *room);
    jpeg_ls_record *records = malloc(parts * columns * sizeof *records);
    uint8_t *bits = malloc(length + JPEG_LS_PADDING);
    kernel_status status = KERNEL_NO_MEMORY;
    if (state && room && records && bits) {
        state->image = image;
        state->words = words;
        state->headers = (jpeg_ls_headers){
            .image = image, .at = stream + 2, .end = stream + length,
        };
        state->bits = bits;
        state->room = room;
        for (size_t i = 0; i < parts; i++)
            state->lines[i].records = records + i * columns;
        state->values = room + 2 * parts * (columns + 2);
        status = decode_stream(state);
    }
    free(bits);
    free(records);
    free(room);
    free(state);
    return status;
}
