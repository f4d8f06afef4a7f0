#include "jpeg_ls.h"

#include <stdlib.h>

#include "jpeg_ls_encoder.h"
#include "jpeg_ls_markers.h"
#include "processor.h"

typedef struct {
    const kernel_image *image;
    const uint8_t *words;
    unsigned precision;
    jpeg_ls_source sources[3];
    jpeg_ls_encoder encoder;
    jpeg_ls_output output;
} stream_encoder;

/* What words may be: `bias` moves them so that `most` is the largest as unsigned. */
typedef struct {
    uint16_t bias, most, mask;
} bounds;

static bounds find_bounds(const kernel_image *image, const jpeg_ls_settings *settings)
{
    bounds of = {0, (uint16_t)((1 << image->bits_stored) - 1), 0};
    of.mask = (uint16_t)((1 << settings->precision) - 1);
    if (image->is_signed) { /* one that NEAR moves may not become one of the other end */
        of.bias = (uint16_t)((1 << (image->bits_stored - 1)) - (int)settings->near);
        of.most = (uint16_t)(of.most - 2 * (int)settings->near);
    }
    return of;
}

static inline void load_words(const uint8_t *restrict words, size_t count, size_t stride,
                              size_t word_size, bool is_signed, uint16_t *restrict line)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *word = words + i * stride * word_size;
        if (word_size == 2)
            line[i] = (uint16_t)(word[0] | word[1] << 8);
        else
            line[i] = is_signed ? (uint16_t)(int8_t)word[0] : word[0];
    }
}

/* Mask samples; return whether all are within their bounds. */
KERNEL_VARIANTS
static bool check_line(uint16_t *line, size_t count, bounds of)
{
    uint16_t outside = 0;
    for (size_t i = 0; i < count; i++) {
        outside |= (uint16_t)(line[i] + of.bias) > of.most;
        line[i] &= of.mask;
    }
    return !outside;
}

static bool load_line(stream_encoder *stream, unsigned component, uint32_t y, bounds of)
{
    const kernel_image *image = stream->image;
    size_t stride = image->components, columns = image->columns;
    const uint8_t *words = stream->words + (y * columns * stride + component) * image->word_size;
    uint16_t *line = stream->sources[component].line;
    if (stride == 1 && image->word_size == 2)
        load_words(words, columns, 1, 2, false, line);
    else if (stride == 1)
        load_words(words, columns, 1, 1, image->is_signed, line);
    else
        load_words(words, columns, stride, image->word_size, image->is_signed, line);
    return check_line(line, columns, of);
}

static void exchange_lines(jpeg_ls_source *source)
{
    uint16_t *line = source->line;
    source->line = source->above;
    source->above = line;
}

/* Point a component's lines into zeros for seven lines of columns + 2. */
static void set_source(jpeg_ls_source *source, uint16_t *room, size_t columns)
{
    size_t length = columns + 2;
    source->line = room + 1;
    source->above = room + length + 1;
    source->gradients = (int16_t *)room + 2 * length;
    source->third = (int16_t *)room + 3 * length;
    source->prepared.contexts = room + 4 * length;
    source->prepared.samples = room + 5 * length;
    source->prepared.predictions = room + 6 * length;
}

static kernel_status encode_lines(stream_encoder *stream, const jpeg_ls_settings *settings,
                                  uint8_t *bits)
{
    const kernel_image *image = stream->image;
    jpeg_ls_encoder *encoder = &stream->encoder;
    bounds of = find_bounds(image, settings);
    jpeg_ls_begin_encoder(encoder);
    encoder->bits.at = bits;
    for (uint32_t y = 0; y < image->rows; y++) {
        for (unsigned i = 0; i < image->components; i++)
            if (!load_line(stream, i, y, of))
                return KERNEL_NOT_SERVED;
        jpeg_ls_encode_line(encoder, stream->sources, image->components);
        for (unsigned i = 0; i < image->components; i++)
            exchange_lines(&stream->sources[i]);
        if (!jpeg_ls_stuff(&stream->output, &encoder->bits, bits))
            return KERNEL_NO_MEMORY;
    }
    return jpeg_ls_finish(&stream->output, &encoder->bits) ? KERNEL_DONE : KERNEL_NO_MEMORY;
}

static kernel_status encode_stream(stream_encoder *stream, const jpeg_ls_settings *settings,
                                   uint8_t *bits)
{
    jpeg_ls_output *output = &stream->output;
    uint64_t samples = (uint64_t)stream->image->rows * stream->image->columns;
    uint64_t size = samples * stream->image->components * stream->image->word_size;
    if (size > SIZE_MAX / 16) /* no stream takes nine times as much */
        return KERNEL_NO_ROOM;
    jpeg_ls_set_parameters(&stream->encoder.is, settings->precision, (int)settings->near);
    if (!jpeg_ls_reserve(output, (size_t)size / 2 + JPEG_LS_MOST_HEADER))
        return KERNEL_NO_MEMORY;
    output->length = jpeg_ls_write_headers(output->bytes, stream->image, settings->precision,
                                           &stream->encoder.is);
    kernel_status status = encode_lines(stream, settings, bits);
    if (status == KERNEL_DONE && !jpeg_ls_reserve(output, 2))
        status = KERNEL_NO_MEMORY;
    if (status == KERNEL_DONE) {
        output->bytes[output->length++] = 0xFF; /* EOI */
        output->bytes[output->length++] = 0xD9;
    }
    return status;
}

kernel_status jpeg_ls_encode(const uint8_t *words, const kernel_image *image,
                             const jpeg_ls_settings *settings, uint8_t **stream, size_t *length)
{
    size_t columns = image->columns, parts = image->components;
    stream_encoder *state = calloc(1, sizeof *state);
    uint16_t *room = calloc(7 * parts * (columns + 2), sizeof *room);
    uint8_t *bits = malloc(parts * columns * JPEG_LS_MOST_SAMPLE_BYTES + JPEG_LS_PADDING);
    kernel_status status = KERNEL_NO_MEMORY;
    if (state && room && bits) {
        state->image = image;
        state->words = words;
        state->encoder.columns = (ptrdiff_t)columns;
        for (size_t i = 0; i < parts; i++)
            set_source(&state->sources[i], room + 7 * i * (columns + 2), columns);
        status = encode_stream(state, settings, bits);
        if (status == KERNEL_DONE) {
            *stream = state->output.bytes;
            *length = state->output.length;
        } else {
            free(state->output.bytes);
        }
    }
    free(bits);
    free(room);
    free(state);
    return status;
}
