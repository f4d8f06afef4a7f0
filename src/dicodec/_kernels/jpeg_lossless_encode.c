#include "jpeg_lossless.h"

#include <stdlib.h>
#include <string.h>

#include "processor.h"

enum {
    CODES = JPEG_LOSSLESS_CATEGORIES + 1, /* and one that stays free, of ones alone (K.2) */
    MOST_OTHER_BYTES = 128, /* that are not entropy-coded data, and some that stay free */
    EOI_BYTES = 2,
    HISTOGRAMS = 4,
    NEAR_ZERO = 256, /* differences below are coded by a table of their own */
};

/* Lines as 16-bit samples, and the differences of the last one read. */
typedef struct {
    const uint8_t *words;
    const jpeg_lossless_image *image;
    const jpeg_lossless_settings *settings;
    size_t count;   /* samples of a line */
    uint16_t *line; /* the last one read */
    uint16_t *above;
    uint16_t *differences;
    uint32_t biased; /* all samples or-ed, moved so that Bits Stored hold them as unsigned */
} line_reader;

/* The bits that stand for a difference: its category's code, and its additional bits. */
typedef struct {
    uint32_t bits;
    uint32_t count;
} coded_difference;

typedef struct {
    uint64_t window; /* the lowest bits are the last ones written */
    unsigned held;
    uint8_t *at, *end;
    bool overflown;
} bit_writer;

static bool open_lines(line_reader *lines, const uint8_t *words, const jpeg_lossless_image *image,
                       const jpeg_lossless_settings *settings)
{
    size_t count = (size_t)image->columns * image->components;
    uint16_t *memory = calloc(3 * count, sizeof *memory);
    *lines = (line_reader){words, image, settings, count, memory, memory, NULL, 0};
    if (!memory)
        return false;
    lines->above = memory + count;
    lines->differences = memory + 2 * count;
    return true;
}

/* The three parts of the memory have changed places. */
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
        WITH(1);
        WITH(2);
        WITH(3);
        WITH(4);
        WITH(5);
        WITH(6);
        WITH(7);
#undef WITH
    }
}

/* SSSS: the bits of the difference's magnitude (Table H.2). */
static inline unsigned find_category(uint16_t difference)
{
    int value = (int16_t)difference;
    unsigned magnitude = (unsigned)(value < 0 ? -value : value);
#ifdef __GNUC__
    return magnitude ? 32 - (unsigned)__builtin_clz(magnitude) : 0;
#else
    unsigned category = 0;
    for (; magnitude; magnitude >>= 1)
        category++;
    return category;
#endif
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
                histograms[j][find_category(lines->differences[i + j])]++;
        for (; i < lines->count; i++)
            histograms[0][find_category(lines->differences[i])]++;
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

/* Write the lowest bits of the window that are full bytes, at most four of them. */
static inline void write_bytes(bit_writer *writer, unsigned count)
{
    uint32_t bytes = (uint32_t)(writer->window >> (writer->held - 8 * count));
    writer->held -= 8 * count;
    if (writer->end - writer->at < 8) {
        writer->overflown = true;
        return;
    }
    uint32_t inverted = ~bytes; /* has a byte of 0 if one of `bytes` is FF */
    if (count == 4 && !((inverted - 0x01010101u) & ~inverted & 0x80808080u)) {
        for (unsigned i = 0; i < 4; i++)
            writer->at[i] = (uint8_t)(bytes >> (24 - 8 * i));
        writer->at += 4;
        return;
    }
    while (count) {
        uint8_t byte = (uint8_t)(bytes >> (8 * --count));
        *writer->at++ = byte;
        if (byte == 0xFF)
            *writer->at++ = 0;
    }
}

static inline void write_bits(bit_writer *writer, coded_difference coded)
{
    writer->window = writer->window << coded.count | coded.bits;
    writer->held += coded.count;
    if (writer->held >= 32)
        write_bytes(writer, 4);
}

/* Fill the last byte with ones (F.1.2.3). */
static void finish(bit_writer *writer)
{
    unsigned missing = -writer->held & 7;
    write_bits(writer, (coded_difference){(1u << missing) - 1, missing});
    write_bytes(writer, writer->held / 8);
}

typedef struct {
    coded_difference codes[JPEG_LOSSLESS_CATEGORIES]; /* without additional bits */
    coded_difference near_zero[2 * NEAR_ZERO];        /* differences from -NEAR_ZERO on */
} code_book;

static inline coded_difference code(const code_book *book, uint16_t difference)
{
    unsigned category = find_category(difference), count = count_additional_bits(category);
    coded_difference coded = book->codes[category];
    uint32_t additional = (uint32_t)((int16_t)difference - ((int16_t)difference < 0));
    coded.bits = coded.bits << count | (additional & ((1u << count) - 1));
    coded.count += count;
    return coded;
}

static void fill_book(code_book *book, const jpeg_lossless_plan *plan)
{
    uint32_t next = 0;
    unsigned place = 0;
    memset(book->codes, 0, sizeof book->codes);
    for (unsigned length = 1; length <= JPEG_LOSSLESS_LONGEST_CODE; length++, next <<= 1)
        for (unsigned i = 0; i < plan->counts[length - 1]; i++)
            book->codes[plan->categories[place++]] = (coded_difference){next++, length};
    for (int i = 0; i < 2 * NEAR_ZERO; i++)
        book->near_zero[i] = code(book, (uint16_t)(i - NEAR_ZERO));
}

static void write_line(bit_writer *to, const code_book *book, const uint16_t *differences,
                       size_t count)
{
    bit_writer writer = *to;
    for (size_t i = 0; i < count; i++) {
        uint16_t place = (uint16_t)(differences[i] + NEAR_ZERO);
        write_bits(&writer,
                   place < 2 * NEAR_ZERO ? book->near_zero[place] : code(book, differences[i]));
    }
    *to = writer;
}

kernel_status jpeg_lossless_encode(const uint8_t *words, const jpeg_lossless_image *image,
                                   const jpeg_lossless_settings *settings,
                                   const jpeg_lossless_plan *plan, uint8_t *stream, size_t room,
                                   size_t *length)
{
    if (room < MOST_OTHER_BYTES)
        return KERNEL_NO_ROOM;
    line_reader lines;
    if (!open_lines(&lines, words, image, settings))
        return KERNEL_NO_MEMORY;
    code_book book;
    fill_book(&book, plan);
    bit_writer writer = {.at = write_headers(stream, image, settings, plan),
                         .end = stream + room - EOI_BYTES};
    for (uint32_t y = 0; y < image->rows; y++) {
        read_line(&lines, y);
        write_line(&writer, &book, lines.differences, lines.count);
    }
    close_lines(&lines);
    finish(&writer);
    if (writer.overflown)
        return KERNEL_NO_ROOM;
    *writer.at++ = 0xFF;
    *writer.at++ = 0xD9; /* EOI */
    *length = (size_t)(writer.at - stream);
    return KERNEL_DONE;
}
