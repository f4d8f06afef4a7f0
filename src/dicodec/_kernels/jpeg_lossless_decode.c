#include "jpeg_lossless.h"

#include <stdlib.h>
#include <string.h>

#include "jpeg_lossless_entropy_decode.h"
#include "jpeg_lossless_markers.h"
#include "processor.h"
#include "words.h"

enum { RST0 = 0xD0, SOI = 0xD8 };

typedef struct {
    jpeg_lossless_headers headers;
    uint8_t *words;
    uint8_t *data;        /* of one restart interval, without stuffing */
    uint16_t *line;       /* its samples */
    uint16_t *above;      /* the line before it */
    uint16_t *differences;
} decoder;

/* Add the predictions to a component's differences, modulo 2^16, but that of the first sample. */
static inline void add_predictions(uint16_t *restrict line, const uint16_t *restrict above,
                                   const uint16_t *restrict differences, size_t count, size_t pixel,
                                   unsigned predictor)
{
    uint16_t left = line[0], corner = above[0];
    for (size_t i = pixel; i < count; i += pixel) {
        int prediction = jpeg_lossless_predict(left, above[i], corner, predictor);
        left = (uint16_t)(differences[i] + prediction);
        corner = above[i];
        line[i] = left;
    }
}

static void restore_line(uint16_t *line, const uint16_t *above, const uint16_t *differences,
                         size_t count, size_t pixel, unsigned predictor)
{
    for (size_t i = 0; i < pixel; i++) {
        line[i] = (uint16_t)(differences[i] + above[i]);
#define WITH(number) \
    case number: \
        if (pixel == 1) \
            add_predictions(line, above, differences, count, 1, number); \
        else \
            add_predictions(line + i, above + i, differences + i, count - i, 3, number); \
        break
        switch (predictor) {
            EACH_PREDICTOR(WITH)
        }
#undef WITH
    }
}

/* Undo the point transform and extend the sign; return all that was seen, or-ed.
 *
 * `biased` are the words moved so that Bits Stored hold them as unsigned. */
KERNEL_VARIANTS
static uint16_t finish_samples(const uint16_t *restrict line, uint16_t *restrict words,
                               size_t count, unsigned point_transform, unsigned unused,
                               uint16_t bias, uint16_t *biased)
{
    uint16_t seen = 0, moved = 0;
    for (size_t i = 0; i < count; i++) {
        seen |= line[i];
        uint16_t value = (uint16_t)(line[i] << point_transform << unused);
        value = (uint16_t)(bias ? (int16_t)value >> unused : value >> unused);
        moved |= (uint16_t)(value + bias);
        words[i] = value;
    }
    *biased = moved;
    return seen;
}

/* Write a line's words; false if one is past its precision or past Bits Stored. */
static bool store_line(decoder *state, const jpeg_lossless_scan *from, uint32_t y)
{
    const kernel_image *image = state->headers.image;
    size_t count = (size_t)image->columns * from->count;
    uint16_t *values = state->differences; /* they are used up */
    uint16_t bias = image->is_signed ? (uint16_t)(1 << (image->bits_stored - 1)) : 0, biased;
    uint16_t seen = finish_samples(state->line, values, count, from->point_transform,
                                   16 - state->headers.precision, bias, &biased);
    if (seen >> (state->headers.precision - from->point_transform)
        || (state->headers.precision > image->bits_stored && biased >> image->bits_stored))
        return false;
    size_t first = (size_t)y * image->columns * image->components + from->first;
    uint8_t *words = state->words + first * image->word_size;
    words_store(words, values, count, from->count == image->components ? 1 : image->components,
                image->word_size);
    return true;
}

static kernel_status decode_interval(decoder *state, const jpeg_lossless_scan *from, size_t size,
                                     uint32_t y, uint32_t lines)
{
    size_t count = (size_t)state->headers.image->columns * from->count;
    jpeg_lossless_bits bits = {.at = state->data, .end = state->data + size};
    for (size_t i = 0; i < from->count; i++) /* the first prediction (H.1.1) */
        state->above[i] = (uint16_t)(1 << (state->headers.precision - from->point_transform - 1));
    for (uint32_t done = 0; done < lines; done++) {
        if (!jpeg_lossless_read_differences(&bits, from->tables, from->count, state->differences,
                                            count))
            return KERNEL_CORRUPT;
        if (jpeg_lossless_is_past_end(&bits))
            return KERNEL_TRUNCATED;
        restore_line(state->line, state->above, state->differences, count, from->count,
                     done ? from->predictor : 1);
        if (!store_line(state, from, y + done))
            return KERNEL_NOT_SERVED;
        uint16_t *line = state->line;
        state->line = state->above;
        state->above = line;
    }
    return KERNEL_DONE;
}

/* Decode all intervals, and take the marker behind the scan.
 *
 * Data that end early are told only if all markers are as they must be, or those are the fault. */
static kernel_status decode_scan(decoder *state, const jpeg_lossless_scan *from)
{
    jpeg_lossless_headers *headers = &state->headers;
    uint32_t rows = headers->image->rows, lines;
    uint32_t interval = from->restart_lines ? from->restart_lines : rows;
    unsigned number = 0;
    kernel_status status = KERNEL_DONE;
    for (uint32_t y = 0; y < rows; y += lines) {
        lines = interval < rows - y ? interval : rows - y;
        size_t size;
        unsigned marker = jpeg_lossless_remove_stuffing(&headers->at, headers->end, state->data,
                                                        &size);
        bool restarts = marker >= RST0 && marker < RST0 + 8, is_last = lines == rows - y;
        if (!marker || restarts == is_last || (restarts && marker != RST0 + (number++ & 7)))
            return KERNEL_NOT_SERVED;
        if (status == KERNEL_DONE)
            status = decode_interval(state, from, size, y, lines);
        if (status != KERNEL_DONE && status != KERNEL_TRUNCATED)
            return status;
        headers->marker = marker;
    }
    return status;
}

static kernel_status decode_stream(decoder *state)
{
    for (;;) {
        jpeg_lossless_scan from;
        jpeg_lossless_found found = jpeg_lossless_read_headers(&state->headers, &from);
        if (found != JPEG_LOSSLESS_SCAN)
            return found == JPEG_LOSSLESS_END ? KERNEL_DONE : KERNEL_NOT_SERVED;
        kernel_status status = decode_scan(state, &from);
        if (status != KERNEL_DONE)
            return status;
    }
}

kernel_status jpeg_lossless_decode(const uint8_t *stream, size_t length,
                                   const kernel_image *image, uint8_t *words)
{
    /* A sample takes a bit at least. */
    uint64_t pixels = (uint64_t)image->rows * image->columns;
    if (length < 4 || stream[0] != 0xFF || stream[1] != SOI || pixels / 8 > length)
        return KERNEL_NOT_SERVED;
    size_t count = (size_t)image->columns * image->components;
    decoder *state = calloc(1, sizeof *state);
    uint16_t *lines = calloc(3 * count, sizeof *lines);
    uint8_t *data = malloc(length + JPEG_LOSSLESS_PADDING);
    kernel_status status = KERNEL_NO_MEMORY;
    if (state && lines && data) {
        state->headers.image = image;
        state->words = words;
        state->headers.at = stream + 2;
        state->headers.end = stream + length;
        state->data = data;
        state->line = lines;
        state->above = lines + count;
        state->differences = lines + 2 * count;
        status = decode_stream(state);
    }
    free(data);
    free(lines);
    free(state);
    return status;
}
