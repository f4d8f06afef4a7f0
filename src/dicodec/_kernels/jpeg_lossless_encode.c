#include "jpeg_lossless.h"

#include <stdlib.h>
#include <string.h>

#include "processor.h"

enum {
    CODES = JPEG_LOSSLESS_CATEGORIES + 1, /* and one that stays free, of ones alone (K.2) */
    MOST_OTHER_BYTES = 128, /* that are not entropy-coded data, and some that stay free */
    EOI_BYTES = 2,
    HISTOGRAMS = 4,
    MOST_BITS_AT_ONCE = 56, /* beside those of a byte begun */
};

/* Lines as 16-bit samples, and the last one's differences with their categories. */
typedef struct {
    const uint8_t *words;
    const jpeg_lossless_image *image;
    const jpeg_lossless_settings *settings;
    size_t count;   /* samples of a line */
    uint16_t *line; /* the last one read */
    uint16_t *above;
    uint16_t *differences;
    uint8_t *categories;
    uint32_t biased; /* all samples or-ed, moved so that Bits Stored hold them as unsigned */
} line_reader;

/* What stands for a difference: its category's code, and its additional bits. */
typedef struct {
    uint32_t code; /* moved to make room for the additional bits */
    uint16_t mask; /* of the additional bits */
    uint16_t count; /* bits of both */
} category_code;

/* The stream, and the bits of a line before they are stuffed. */
typedef struct {
    category_code codes[JPEG_LOSSLESS_CATEGORIES];
    uint64_t window; /* its lowest `held` bits are a byte begun */
    unsigned held;
    uint8_t *plain; /* room for a line, and eight bytes */
    uint8_t *at, *end;
    bool overflown;
} stream_writer;

static bool open_lines(line_reader *lines, const uint8_t *words, const jpeg_lossless_image *image,
                       const jpeg_lossless_settings *settings)
{
    size_t count = (size_t)image->columns * image->components;
    uint16_t *memory = calloc(4 * count, sizeof *memory);
    *lines = (line_reader){words, image, settings, count, memory, NULL, NULL, NULL, 0};
    if (!memory)
        return false;
    lines->above = memory + count;
    lines->differences = memory + 2 * count;
    lines->categories = (uint8_t *)(memory + 3 * count);
    return true;
}

/* The first two parts of the memory have changed places. */
static void close_lines(line_reader *lines)
{
    free(lines->line < lines->above ? lines->line : lines->above);
}

static inline uint16_t load_word(const uint8_t *words, unsigned word_size)
{
    return word_size == 1 ? words[0] : (uint16_t)(words[0] | words[1] << 8);
}

static inline void subtract_predictions(const uint16_t *line, const uint16_t *above,
                                        uint16_t *differences, size_t count, size_t pixel,
                                        unsigned predictor)
{
    for (size_t i = pixel; i < count; i++) {
        int prediction =
            jpeg_lossless_predict(line[i - pixel], above[i], above[i - pixel], predictor);
        differences[i] = (uint16_t)(line[i] - prediction);
    }
}

/* Find SSSS, the bits of a difference's magnitude (Table H.2): its exponent as a binary32
 * (IEEE 754), because vectors have no other instruction for it. */
KERNEL_VARIANTS
static void find_categories(const uint16_t *restrict differences, uint8_t *restrict categories,
                            size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float difference = (float)(int16_t)differences[i];
        int32_t bits;
        memcpy(&bits, &difference, sizeof bits);
        int category = ((bits >> 23) & 0xFF) - 126;
        categories[i] = (uint8_t)(category < 0 ? 0 : category);
    }
}

/* Read line y, and find its differences modulo 2^16 (H.1.2.1). */
KERNEL_VARIANTS
static void read_line(line_reader *lines, uint32_t y)
{
    const jpeg_lossless_image *image = lines->image;
    size_t count = lines->count, pixel = image->components;
    uint16_t *line = lines->above, *above = lines->line;
    uint16_t *differences = lines->differences;
    const uint8_t *words = lines->words + y * count * image->word_size;
    uint16_t mask = (uint16_t)((1u << lines->settings->precision) - 1);
    uint16_t all = (uint16_t)((1u << 8 * image->word_size) - 1);
    uint16_t bias = image->is_signed ? (uint16_t)(1u << (image->bits_stored - 1)) : 0;
    uint32_t biased = 0;
#define LOAD(size) \
    for (size_t i = 0; i < count; i++) { \
        uint16_t value = load_word(words + i * (size), size); \
        biased |= (uint16_t)(value + bias) & all; \
        line[i] = value & mask; \
    }
    if (image->word_size == 1) {
        LOAD(1)
    } else {
        LOAD(2)
    }
#undef LOAD
    lines->line = line;
    lines->above = above;
    lines->biased |= biased;
    if (!y)
        for (size_t i = 0; i < pixel; i++) /* the first prediction (H.1.1) */
            above[i] = (uint16_t)(1u << (lines->settings->precision - 1));
    for (size_t i = 0; i < pixel; i++)
        differences[i] = (uint16_t)(line[i] - above[i]);
    switch (y ? lines->settings->predictor : 1) {
#define WITH(number) \
    case number: \
        subtract_predictions(line, above, differences, count, pixel, number); \
        break
        EACH_PREDICTOR(WITH)
#undef WITH
    }
    find_categories(differences, lines->categories, count);
}

static inline unsigned count_additional_bits(unsigned category)
{
    return category == JPEG_LOSSLESS_LARGEST_CATEGORY ? 0 : category;
}

/* Return the code with the least frequency above 0 but `other`, the last of equals; -1: none. */
static int find_rarest(const uint64_t *frequencies, int other)
{
    int found = -1;
    for (int i = 0; i < CODES; i++)
        if (frequencies[i] && i != other
            && (found < 0 || frequencies[i] <= frequencies[found]))
            found = i;
    return found;
}

/* Make the table that codes the categories with the fewest bits: the procedure of K.2. */
static void choose_codes(const uint64_t *histogram, jpeg_lossless_plan *plan)
{
    uint64_t frequencies[CODES];
    unsigned sizes[CODES] = {0}, counts[CODES + 1] = {0};
    int others[CODES];
    memcpy(frequencies, histogram, JPEG_LOSSLESS_CATEGORIES * sizeof *histogram);
    frequencies[CODES - 1] = 1;
    for (int i = 0; i < CODES; i++)
        others[i] = -1;
    for (;;) { /* Figure K.1 */
        int first = find_rarest(frequencies, -1), second = find_rarest(frequencies, first);
        if (second < 0)
            break;
        frequencies[first] += frequencies[second];
        frequencies[second] = 0;
        for (sizes[first]++; others[first] >= 0; sizes[first]++)
            first = others[first];
        others[first] = second;
        for (sizes[second]++; others[second] >= 0; sizes[second]++)
            second = others[second];
    }
    for (int i = 0; i < CODES; i++)
        if (sizes[i])
            counts[sizes[i]]++;
    for (unsigned size = CODES; size > JPEG_LOSSLESS_LONGEST_CODE; size--) /* Figure K.3 */
        while (counts[size]) {
            unsigned shorter = size - 2;
            while (!counts[shorter])
                shorter--;
            counts[size] -= 2;
            counts[size - 1]++;
            counts[shorter + 1] += 2;
            counts[shorter]--;
        }
    unsigned longest = JPEG_LOSSLESS_LONGEST_CODE;
    while (!counts[longest])
        longest--;
    counts[longest]--; /* the free one */
    for (unsigned i = 0; i < JPEG_LOSSLESS_LONGEST_CODE; i++)
        plan->counts[i] = (uint8_t)counts[i + 1];
    unsigned place = 0; /* Figure K.4 */
    memset(plan->categories, 0, sizeof plan->categories);
    for (unsigned size = 1; size <= CODES; size++)
        for (unsigned i = 0; i < JPEG_LOSSLESS_CATEGORIES; i++)
            if (sizes[i] == size)
                plan->categories[place++] = (uint8_t)i;
}

static kernel_status measure(line_reader *lines, jpeg_lossless_plan *plan)
{
    uint64_t histograms[HISTOGRAMS][JPEG_LOSSLESS_CATEGORIES] = {{0}};
    for (uint32_t y = 0; y < lines->image->rows; y++) {
        read_line(lines, y);
        size_t i = 0;
        for (; i + HISTOGRAMS <= lines->count; i += HISTOGRAMS)
            for (size_t j = 0; j < HISTOGRAMS; j++)
                histograms[j][lines->categories[i + j]]++;
        for (; i < lines->count; i++)
            histograms[0][lines->categories[i]]++;
    }
    if (lines->biased >> lines->image->bits_stored)
        return KERNEL_NOT_SERVED;
    for (size_t j = 1; j < HISTOGRAMS; j++)
        for (size_t i = 0; i < JPEG_LOSSLESS_CATEGORIES; i++)
            histograms[0][i] += histograms[j][i];
    choose_codes(histograms[0], plan);
    uint64_t bits = 0;
    unsigned place = 0;
    for (unsigned length = 1; length <= JPEG_LOSSLESS_LONGEST_CODE; length++)
        for (unsigned i = 0; i < plan->counts[length - 1]; i++) {
            unsigned category = plan->categories[place++];
            bits += histograms[0][category] * (length + count_additional_bits(category));
        }
    uint64_t bytes = (bits + 7) / 8;
    if (bytes > (SIZE_MAX - MOST_OTHER_BYTES) / 2)
        return KERNEL_NO_MEMORY;
    plan->most_bytes = MOST_OTHER_BYTES + 2 * (size_t)bytes; /* each byte may need stuffing */
    return KERNEL_DONE;
}

kernel_status jpeg_lossless_prepare(const uint8_t *words, const jpeg_lossless_image *image,
                                    const jpeg_lossless_settings *settings,
                                    jpeg_lossless_plan *plan)
{
    line_reader lines;
    if (!open_lines(&lines, words, image, settings))
        return KERNEL_NO_MEMORY;
    kernel_status status = measure(&lines, plan);
    close_lines(&lines);
    return status;
}

static uint8_t *write_segment(uint8_t *at, unsigned marker, const uint8_t *body, size_t size)
{
    *at++ = 0xFF;
    *at++ = (uint8_t)marker;
    *at++ = (uint8_t)((size + 2) >> 8);
    *at++ = (uint8_t)(size + 2);
    memcpy(at, body, size);
    return at + size;
}

/* Write all before the entropy-coded data, with the markers that libjpeg writes. */
static uint8_t *write_headers(uint8_t *at, const jpeg_lossless_image *image,
                              const jpeg_lossless_settings *settings,
                              const jpeg_lossless_plan *plan)
{
    static const uint8_t jfif[] = {'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0};
    static const uint8_t adobe[] = {'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, 0};
    static const uint8_t gray_ids[] = {1}, rgb_ids[] = {'R', 'G', 'B'}, other_ids[] = {0, 1, 2};
    unsigned components = image->components;
    const uint8_t *ids = components == 1 ? gray_ids : settings->is_rgb ? rgb_ids : other_ids;
    uint8_t body[1 + JPEG_LOSSLESS_LONGEST_CODE + JPEG_LOSSLESS_CATEGORIES];
    *at++ = 0xFF;
    *at++ = 0xD8; /* SOI */
    if (components == 1)
        at = write_segment(at, 0xE0, jfif, sizeof jfif);
    else if (settings->is_rgb)
        at = write_segment(at, 0xEE, adobe, sizeof adobe);

    size_t size = 0; /* SOF3 */
    body[size++] = (uint8_t)settings->precision;
    body[size++] = (uint8_t)(image->rows >> 8);
    body[size++] = (uint8_t)image->rows;
    body[size++] = (uint8_t)(image->columns >> 8);
    body[size++] = (uint8_t)image->columns;
    body[size++] = (uint8_t)components;
    for (unsigned i = 0; i < components; i++) {
        body[size++] = ids[i];
        body[size++] = 0x11;
        body[size++] = 0;
    }
    at = write_segment(at, 0xC3, body, size);

    size_t codes = 0; /* DHT */
    body[0] = 0;
    memcpy(body + 1, plan->counts, sizeof plan->counts);
    for (unsigned i = 0; i < JPEG_LOSSLESS_LONGEST_CODE; i++)
        codes += plan->counts[i];
    memcpy(body + 1 + sizeof plan->counts, plan->categories, codes);
    at = write_segment(at, 0xC4, body, 1 + sizeof plan->counts + codes);

    size = 0; /* SOS */
    body[size++] = (uint8_t)components;
    for (unsigned i = 0; i < components; i++) {
        body[size++] = ids[i];
        body[size++] = 0;
    }
    body[size++] = (uint8_t)settings->predictor;
    body[size++] = 0;
    body[size++] = 0;
    return write_segment(at, 0xDA, body, size);
}

static void assign_codes(stream_writer *writer, const jpeg_lossless_plan *plan)
{
    uint32_t next = 0;
    unsigned place = 0;
    memset(writer->codes, 0, sizeof writer->codes);
    for (unsigned length = 1; length <= JPEG_LOSSLESS_LONGEST_CODE; length++, next <<= 1)
        for (unsigned i = 0; i < plan->counts[length - 1]; i++) {
            unsigned category = plan->categories[place++], count = count_additional_bits(category);
            writer->codes[category] = (category_code){
                next++ << count, (uint16_t)((1u << count) - 1), (uint16_t)(length + count)};
        }
}

static inline void store_big_endian(uint8_t *bytes, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
}

static inline uint64_t join_bits(category_code code, uint16_t difference)
{
    uint16_t additional = (uint16_t)(difference - (difference >> 15)); /* H.1.2.2 */
    return code.code | (additional & code.mask);
}

/* Write the lowest bits of a value, up to MOST_BITS_AT_ONCE; return where the next ones go. */
static inline uint8_t *write_bits(uint8_t *at, uint64_t *window, unsigned *held, uint64_t bits,
                                  unsigned count)
{
    *window = *window << count | bits;
    *held += count;
    if (!*held) /* a code that words got only after they were measured */
        return at;
    store_big_endian(at, *window << (64 - *held));
    at += *held >> 3;
    *held &= 7;
    return at;
}

/* Write the codes of a line without stuffing; return how many bytes are whole. */
static size_t write_line(stream_writer *writer, const uint16_t *differences,
                         const uint8_t *categories, size_t count)
{
    uint64_t window = writer->window;
    unsigned held = writer->held;
    uint8_t *at = writer->plain;
    size_t i = 0;
    for (; i + 2 <= count; i += 2) {
        category_code one = writer->codes[categories[i]], two = writer->codes[categories[i + 1]];
        uint64_t first = join_bits(one, differences[i]), second = join_bits(two, differences[i + 1]);
        if (one.count + two.count <= MOST_BITS_AT_ONCE) {
            at = write_bits(at, &window, &held, first << two.count | second, one.count + two.count);
        } else {
            at = write_bits(at, &window, &held, first, one.count);
            at = write_bits(at, &window, &held, second, two.count);
        }
    }
    for (; i < count; i++) {
        category_code one = writer->codes[categories[i]];
        at = write_bits(at, &window, &held, join_bits(one, differences[i]), one.count);
    }
    writer->window = window;
    writer->held = held;
    return (size_t)(at - writer->plain);
}

/* Add the line's bytes to the stream, with a zero behind each FF (F.1.2.3). */
static void stuff(stream_writer *writer, size_t size)
{
    const uint8_t *plain = writer->plain;
    while (size) {
        const uint8_t *found = memchr(plain, 0xFF, size);
        size_t run = found ? (size_t)(found - plain) + 1 : size;
        if ((size_t)(writer->end - writer->at) <= run) {
            writer->overflown = true;
            return;
        }
        memcpy(writer->at, plain, run);
        writer->at += run;
        if (found)
            *writer->at++ = 0;
        plain += run;
        size -= run;
    }
}

/* Fill the last byte with ones (F.1.2.3). */
static void finish(stream_writer *writer)
{
    if (!writer->held)
        return;
    unsigned missing = 8 - writer->held;
    writer->plain[0] = (uint8_t)(writer->window << missing | ((1u << missing) - 1));
    stuff(writer, 1);
}

kernel_status jpeg_lossless_encode(const uint8_t *words, const jpeg_lossless_image *image,
                                   const jpeg_lossless_settings *settings,
                                   const jpeg_lossless_plan *plan, uint8_t *stream, size_t room,
                                   size_t *length)
{
    if (room < MOST_OTHER_BYTES)
        return KERNEL_NO_ROOM;
    line_reader lines;
    bool has_memory = open_lines(&lines, words, image, settings);
    stream_writer writer = {
        .plain = malloc(4 * lines.count + 2 * sizeof writer.window), /* 31 bits a sample at most */
        .at = write_headers(stream, image, settings, plan),
        .end = stream + room - EOI_BYTES,
    };
    if (!has_memory || !writer.plain) {
        if (has_memory)
            close_lines(&lines);
        free(writer.plain);
        return KERNEL_NO_MEMORY;
    }
    assign_codes(&writer, plan);
    for (uint32_t y = 0; y < image->rows && !writer.overflown; y++) {
        read_line(&lines, y);
        stuff(&writer, write_line(&writer, lines.differences, lines.categories, lines.count));
    }
    close_lines(&lines);
    finish(&writer);
    free(writer.plain);
    if (writer.overflown)
        return KERNEL_NO_ROOM;
    *writer.at++ = 0xFF;
    *writer.at++ = 0xD9; /* EOI */
    *length = (size_t)(writer.at - stream);
    return KERNEL_DONE;
}
