#include "jpeg_lossless_lines.h"

#include <stdlib.h>
#include <string.h>

#include "processor.h"

bool jpeg_lossless_open_lines(jpeg_lossless_lines *lines, const uint8_t *words,
                              const kernel_image *image,
                              const jpeg_lossless_settings *settings)
{
    size_t count = (size_t)image->columns * image->components;
    uint16_t *memory = calloc(4 * count, sizeof *memory);
    *lines = (jpeg_lossless_lines){words, image, settings, count, memory, NULL, NULL, NULL, 0};
    if (!memory)
        return false;
    lines->above = memory + count;
    lines->differences = memory + 2 * count;
    lines->categories = (uint8_t *)(memory + 3 * count);
    return true;
}

void jpeg_lossless_close_lines(jpeg_lossless_lines *lines)
{
    /* The first two parts of the memory may have changed places. */
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

KERNEL_VARIANTS
void jpeg_lossless_read_line(jpeg_lossless_lines *lines, uint32_t y)
{
    const kernel_image *image = lines->image;
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
