#include "jpeg_lossless.h"

#include <stdlib.h>
#include <string.h>

#include "jpeg_lossless_table.h"
#include "processor.h"

enum {
    SOF3 = 0xC3, DHT = 0xC4, RST0 = 0xD0, SOI = 0xD8, EOI = 0xD9, SOS = 0xDA, DRI = 0xDD,
    APP0 = 0xE0, APP15 = 0xEF, COM = 0xFE,
};

enum {
    TABLES = 4,
    MOST_SEGMENTS = 1000, /* real streams have a few */
    LOOKUPS = 5,          /* that a full window has the bits for */
    PADDING = 16,         /* zeros behind entropy-coded data, so that it is read eight bytes at once */
    BETWEEN = 64,         /* bytes behind EOI that must be 0, or another stream may begin there */
};

typedef struct {
    uint8_t id;
    bool decoded;
} frame_component;

typedef struct {
    const jpeg_lossless_image *image;
    uint8_t *words;
    const uint8_t *at, *end; /* of the stream */
    unsigned precision;      /* 0 before the frame header */
    uint32_t restart_lines;  /* 0 without restarts */
    frame_component components[3];
    huffman_table tables[TABLES];
    decoding_table decoding[TABLES];
    uint8_t *data;        /* of one restart interval, without stuffing */
    uint16_t *line;       /* its samples */
    uint16_t *above;      /* the line before it */
    uint16_t *differences;
} decoder;

/* The bits of a restart interval. Behind them are zeros. */
typedef struct {
    uint64_t window;    /* the next bits are its highest */
    int held;           /* bits of the window; below 0 if more were taken than there are */
    const uint8_t *at;  /* the next byte */
    const uint8_t *end; /* of the data; PADDING bytes follow */
} bit_reader;

/* One scan: of each pixel, it holds `count` samples from the component `first` on. */
typedef struct {
    unsigned first, count;
    unsigned predictor, point_transform;
    const decoding_table *tables[3];
} scan;

static inline uint64_t load_big_endian(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* Hold at least 56 bits, unless the data end before. */
static inline void refill(bit_reader *bits)
{
    if (bits->at > bits->end)
        return;
    bits->window |= load_big_endian(bits->at) >> bits->held;
    bits->at += (63 - bits->held) >> 3;
    bits->held |= 56;
}

static inline void skip(bit_reader *bits, unsigned count)
{
    bits->window <<= count;
    bits->held -= (int)count;
}

static inline bool is_past_end(const bit_reader *bits)
{
    return 8 * (bits->at - bits->end) > bits->held;
}

/* Return whether the next bits are a code, of any length and category; call refill before. */
static bool read_long_code(bit_reader *bits, const decoding_table *table, uint16_t *difference)
{
    uint32_t code = (uint32_t)(bits->window >> 48);
    unsigned length = 1;
    while (length <= JPEG_LOSSLESS_LONGEST_CODE && code >= table->limits[length])
        length++;
    if (length > JPEG_LOSSLESS_LONGEST_CODE)
        return false;
    code >>= JPEG_LOSSLESS_LONGEST_CODE - length;
    unsigned category = table->categories[table->places[length] + (int32_t)code];
    skip(bits, length);
    if (category == JPEG_LOSSLESS_LARGEST_CATEGORY) {
        *difference = 32768;
    } else {
        *difference = extend(bits->window, category, find_offset(category));
        skip(bits, category);
    }
    return true;
}

/* Read the difference that an entry has no room for; false if the next bits are not a code.
 *
 * Call refill before. */
static inline bool read_wide_difference(bit_reader *bits, const decoding_table *table,
                                        huffman_entry entry, uint16_t *difference)
{
    if (!entry.first)
        return read_long_code(bits, table, difference);
    *difference =
        extend(bits->window << entry.first, entry.total - entry.first, entry.differences[0]);
    skip(bits, entry.total);
    return true;
}

static inline huffman_entry look_up(const bit_reader *bits, const decoding_table *table)
{
    return table->entries[bits->window >> (64 - LOOKUP_BITS)];
}

/* Read differences that all have the same table; leave those that could reach past `count`. */
static size_t read_fast(bit_reader *reader, const decoding_table *table, uint16_t *differences,
                        size_t count, bool *known)
{
    bit_reader bits = *reader;
    size_t i = 0;
    while (i + 2 * LOOKUPS <= count) {
        refill(&bits);
        for (int lookup = 0; lookup < LOOKUPS; lookup++) {
            huffman_entry entry = look_up(&bits, table);
            if (entry.count) {
                memcpy(differences + i, entry.differences, sizeof entry.differences);
                i += entry.count;
                skip(&bits, entry.total);
            } else {
                bit_reader copy = bits; /* so that `bits` itself may stay in registers */
                if (lookup)
                    refill(&copy);
                *known &= read_wide_difference(&copy, table, entry, differences + i);
                bits = copy;
                i++;
                break;
            }
        }
    }
    *reader = bits;
    return i;
}

/* Read the differences of a line; false if a code is unknown. */
static bool read_line(bit_reader *bits, const scan *from, uint16_t *differences, size_t count)
{
    bool known = true;
    size_t i = 0;
    const decoding_table *first = from->tables[0];
    if (from->count == 1 || (from->tables[1] == first && from->tables[2] == first))
        i = read_fast(bits, first, differences, count, &known);
    for (; i < count; i++) {
        const decoding_table *table = from->tables[i % from->count];
        refill(bits);
        huffman_entry entry = look_up(bits, table);
        if (entry.count) {
            differences[i] = entry.differences[0];
            skip(bits, entry.first);
        } else {
            known &= read_wide_difference(bits, table, entry, differences + i);
        }
    }
    return known;
}

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

static inline void store_words(uint8_t *restrict words, const uint16_t *restrict values,
                               size_t count, size_t stride, size_t word_size)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t *word = words + i * stride * word_size;
        word[0] = (uint8_t)values[i];
        if (word_size == 2)
            word[1] = (uint8_t)(values[i] >> 8);
    }
}

/* Write a line's words; false if one is past its precision or past Bits Stored. */
static bool store_line(decoder *state, const scan *from, uint32_t y)
{
    const jpeg_lossless_image *image = state->image;
    size_t count = (size_t)image->columns * from->count;
    uint16_t *values = state->differences; /* they are used up */
    uint16_t bias = image->is_signed ? (uint16_t)(1 << (image->bits_stored - 1)) : 0, biased;
    uint16_t seen = finish_samples(state->line, values, count, from->point_transform,
                                   16 - state->precision, bias, &biased);
    if (seen >> (state->precision - from->point_transform)
        || (state->precision > image->bits_stored && biased >> image->bits_stored))
        return false;
    size_t first = (size_t)y * image->columns * image->components + from->first;
    uint8_t *words = state->words + first * image->word_size;
    if (from->count != image->components)
        store_words(words, values, count, image->components, image->word_size);
    else if (image->word_size == 1)
        store_words(words, values, count, 1, 1);
    else
        store_words(words, values, count, 1, 2);
    return true;
}

static kernel_status decode_interval(decoder *state, const scan *from, size_t size, uint32_t y,
                                     uint32_t lines)
{
    size_t count = (size_t)state->image->columns * from->count;
    bit_reader bits = {.at = state->data, .end = state->data + size};
    for (size_t i = 0; i < from->count; i++) /* the first prediction (H.1.1) */
        state->above[i] = (uint16_t)(1 << (state->precision - from->point_transform - 1));
    for (uint32_t done = 0; done < lines; done++) {
        if (!read_line(&bits, from, state->differences, count))
            return KERNEL_CORRUPT;
        if (is_past_end(&bits))
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

/* Copy entropy-coded data without their stuffing, up to the marker that ends them (B.1.1.5).
 *
 * Return its second byte, or 0 if there is none; `state->at` is then behind it. */
static unsigned remove_stuffing(decoder *state, size_t *size)
{
    uint8_t *data = state->data;
    unsigned marker = 0;
    while (state->at < state->end) {
        const uint8_t *found = memchr(state->at, 0xFF, (size_t)(state->end - state->at));
        if (!found)
            break;
        size_t plain = (size_t)(found - state->at);
        memcpy(data, state->at, plain);
        data += plain;
        state->at = found + 1;
        if (state->at < state->end && *state->at == 0) {
            *data++ = 0xFF;
            state->at++;
            continue;
        }
        while (state->at < state->end && *state->at == 0xFF) /* fill bytes (B.1.1.2) */
            state->at++;
        if (state->at < state->end)
            marker = *state->at++;
        break;
    }
    memset(data, 0, PADDING);
    *size = (size_t)(data - state->data);
    return marker;
}

/* Decode all intervals; `following` is the marker behind the scan.
 *
 * Data that end early are told only if all markers are as they must be, or those are the fault. */
static kernel_status decode_scan(decoder *state, const scan *from, unsigned *following)
{
    uint32_t rows = state->image->rows, lines;
    uint32_t interval = state->restart_lines ? state->restart_lines : rows;
    unsigned number = 0;
    kernel_status status = KERNEL_DONE;
    for (uint32_t y = 0; y < rows; y += lines) {
        lines = interval < rows - y ? interval : rows - y;
        size_t size;
        unsigned marker = remove_stuffing(state, &size);
        bool restarts = marker >= RST0 && marker < RST0 + 8, is_last = lines == rows - y;
        if (!marker || restarts == is_last || (restarts && marker != RST0 + (number++ & 7)))
            return KERNEL_NOT_SERVED;
        if (status == KERNEL_DONE)
            status = decode_interval(state, from, size, y, lines);
        if (status != KERNEL_DONE && status != KERNEL_TRUNCATED)
            return status;
        *following = marker;
    }
    return status;
}

/* A segment's parameters; false if the standard's form of them is not that of the process. */
static bool read_tables(decoder *state, const uint8_t *at, const uint8_t *end)
{
    while (at < end) {
        unsigned number = *at++, codes = 0;
        if (number >= TABLES || end - at < JPEG_LOSSLESS_LONGEST_CODE)
            return false;
        huffman_table *table = &state->tables[number];
        memcpy(table->counts, at, sizeof table->counts);
        at += sizeof table->counts;
        for (size_t i = 0; i < sizeof table->counts; i++)
            codes += table->counts[i];
        if (codes > MOST_CODES || (size_t)(end - at) < codes)
            return false;
        memcpy(table->categories, at, codes);
        memset(table->categories + codes, 0, MOST_CODES - codes);
        at += codes;
        table->defined = true;
        table->prepared = false;
    }
    return true;
}

static bool read_frame_header(decoder *state, const uint8_t *at, size_t size)
{
    const jpeg_lossless_image *image = state->image;
    if (state->precision || size != 6 + 3 * (size_t)image->components)
        return false;
    state->precision = at[0];
    if (at[0] < 2 || at[0] > 8 * image->word_size || at[5] != image->components)
        return false;
    if ((uint32_t)(at[1] << 8 | at[2]) != image->rows
        || (uint32_t)(at[3] << 8 | at[4]) != image->columns)
        return false;
    for (unsigned i = 0; i < image->components; i++) {
        const uint8_t *component = at + 6 + 3 * i;
        if (component[1] != 0x11)
            return false;
        for (unsigned other = 0; other < i; other++)
            if (state->components[other].id == component[0])
                return false;
        state->components[i].id = component[0];
    }
    return true;
}

static bool read_scan_header(decoder *state, const uint8_t *at, size_t size, scan *from)
{
    unsigned components = state->image->components;
    if (!state->precision || !size || (at[0] != 1 && at[0] != components)
        || size != 4 + 2 * (size_t)at[0])
        return false;
    from->count = at[0];
    from->first = 0;
    while (from->first < components && state->components[from->first].id != at[1])
        from->first++;
    if (from->first + from->count > components)
        return false;
    for (unsigned i = 0; i < from->count; i++) {
        frame_component *component = &state->components[from->first + i];
        unsigned number = at[2 + 2 * i] >> 4;
        if (component->id != at[1 + 2 * i] || component->decoded || number >= TABLES
            || !state->tables[number].defined
            || !jpeg_lossless_prepare_table(&state->tables[number], &state->decoding[number]))
            return false;
        component->decoded = true;
        from->tables[i] = &state->decoding[number];
    }
    at += 1 + 2 * from->count;
    from->predictor = at[0];
    from->point_transform = at[2];
    return at[0] >= 1 && at[0] <= 7 && at[1] == 0 && at[2] < state->precision;
}

/* Whether nothing follows EOI but what pads it. */
static bool ends_here(const decoder *state)
{
    size_t rest = (size_t)(state->end - state->at);
    if (rest > BETWEEN)
        rest = BETWEEN;
    if (rest > 1)
        for (size_t i = 0; i < rest; i++)
            if (state->at[i])
                return false;
    for (unsigned i = 0; i < state->image->components; i++)
        if (!state->components[i].decoded)
            return false;
    return true;
}

static unsigned read_marker(decoder *state)
{
    if (state->at == state->end || *state->at != 0xFF)
        return 0;
    while (state->at < state->end && *state->at == 0xFF)
        state->at++;
    return state->at < state->end ? *state->at++ : 0;
}

static kernel_status decode_stream(decoder *state)
{
    uint32_t restart_interval = 0;
    unsigned marker = read_marker(state);
    for (int segments = 0; marker != EOI; segments++) {
        bool takes_parameters = marker == SOF3 || marker == DHT || marker == SOS || marker == DRI
            || marker == COM || (marker >= APP0 && marker <= APP15);
        if (!takes_parameters || segments == MOST_SEGMENTS || state->end - state->at < 2)
            return KERNEL_NOT_SERVED;
        size_t size = (size_t)(state->at[0] << 8 | state->at[1]);
        if (size < 2 || (size_t)(state->end - state->at) < size)
            return KERNEL_NOT_SERVED;
        const uint8_t *body = state->at + 2;
        state->at += size;
        size -= 2;
        bool taken = true;
        if (marker == SOF3) {
            taken = read_frame_header(state, body, size);
        } else if (marker == DHT) {
            taken = read_tables(state, body, body + size);
        } else if (marker == DRI) {
            taken = size == 2;
            restart_interval = taken ? (uint32_t)(body[0] << 8 | body[1]) : 0;
        }
        if (!taken)
            return KERNEL_NOT_SERVED;
        if (marker != SOS) {
            marker = read_marker(state);
            continue;
        }
        scan from;
        if (!read_scan_header(state, body, size, &from) || restart_interval % state->image->columns)
            return KERNEL_NOT_SERVED;
        state->restart_lines = restart_interval / state->image->columns;
        kernel_status status = decode_scan(state, &from, &marker);
        if (status != KERNEL_DONE)
            return status;
    }
    return ends_here(state) ? KERNEL_DONE : KERNEL_NOT_SERVED;
}

kernel_status jpeg_lossless_decode(const uint8_t *stream, size_t length,
                                   const jpeg_lossless_image *image, uint8_t *words)
{
    /* A sample takes a bit at least. */
    uint64_t pixels = (uint64_t)image->rows * image->columns;
    if (length < 4 || stream[0] != 0xFF || stream[1] != SOI || pixels / 8 > length)
        return KERNEL_NOT_SERVED;
    size_t count = (size_t)image->columns * image->components;
    decoder *state = calloc(1, sizeof *state);
    uint16_t *lines = calloc(3 * count, sizeof *lines);
    uint8_t *data = malloc(length + PADDING);
    kernel_status status = KERNEL_NO_MEMORY;
    if (state && lines && data) {
        state->image = image;
        state->words = words;
        state->at = stream + 2;
        state->end = stream + length;
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
