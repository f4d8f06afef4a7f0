#include "jpeg2000_components.h"

#include <string.h>

#include "processor.h"
#include "words.h"

/* Undo RCT, G.2.2. Sums wrap around, because damaged streams may hold any sample. */
KERNEL_VARIANTS
static void undo_rct(int32_t *restrict first, int32_t *restrict second, int32_t *restrict third,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        uint32_t blue = (uint32_t)second[i], red = (uint32_t)third[i];
        uint32_t green = (uint32_t)first[i] - (uint32_t)((int32_t)(blue + red) >> 2);
        first[i] = (int32_t)(red + green);
        second[i] = (int32_t)green;
        third[i] = (int32_t)(blue + green);
    }
}

/* Undo ICT, G.3.2. */
KERNEL_VARIANTS
static void undo_ict(float *restrict first, float *restrict second, float *restrict third,
                     size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float luma = first[i], blue = second[i], red = third[i];
        first[i] = luma + 1.402f * red;
        second[i] = luma - 0.34413f * blue - 0.71414f * red;
        third[i] = luma + 1.772f * blue;
    }
}

/* Limit a float to 2^20, and what is not a number to that; by its bits, because compilers make
 * branches of comparisons that may trap. */
static inline float limit_sample(float sample)
{
    const int32_t limit = 0x49800000, infinity = 0x7F800000; /* as floats: 2^20 */
    int32_t bits;
    memcpy(&bits, &sample, sizeof bits);
    int32_t magnitude = bits & INT32_MAX, sign = bits & INT32_MIN;
    sign = magnitude > infinity ? 0 : sign;
    bits = sign | (magnitude < limit ? magnitude : limit);
    memcpy(&sample, &bits, sizeof bits);
    return sample;
}

/* Round floats to the nearest integers.
 *
 * Adding and taking away 1.5 * 2^23 rounds, ties to even, without a call for each. */
KERNEL_VARIANTS
static void round_samples(const float *restrict samples, int32_t *restrict rounded, size_t count)
{
    const float rounding = 12582912.0f;
    for (size_t i = 0; i < count; i++)
        rounded[i] = (int32_t)((limit_sample(samples[i]) + rounding) - rounding);
}

/* What becomes of samples: a level shift (G.1), limits, and the sign that the image wants. */
typedef struct {
    int32_t shift, lowest, highest;
    int32_t mask, sign; /* the bits of a sample, and that of its sign or 0 */
} finish;

static finish plan_finish(const jpeg2000_samples *samples, bool is_signed)
{
    int32_t half = 1 << (samples->precision - 1);
    if (samples->is_signed)
        return (finish){0, -half, half - 1, 2 * half - 1, is_signed ? half : 0};
    return (finish){half, 0, 2 * half - 1, 2 * half - 1, is_signed ? half : 0};
}

/* Finish samples; *limited is whether one lay outside of the limits. */
KERNEL_VARIANTS
static jpeg2000_sample_range finish_samples(const int32_t *restrict samples,
                                            uint16_t *restrict words, size_t count, finish plan,
                                            bool *limited)
{
    jpeg2000_sample_range seen = {INT32_MAX, INT32_MIN};
    int32_t changes = 0;
    for (size_t i = 0; i < count; i++) {
        int32_t sample = (int32_t)((uint32_t)samples[i] + (uint32_t)plan.shift), coded = sample;
        sample = sample < plan.lowest ? plan.lowest : sample;
        sample = sample > plan.highest ? plan.highest : sample;
        changes |= sample ^ coded;
        sample = ((sample & plan.mask) ^ plan.sign) - plan.sign;
        seen.lowest = sample < seen.lowest ? sample : seen.lowest;
        seen.highest = sample > seen.highest ? sample : seen.highest;
        words[i] = (uint16_t)sample;
    }
    *limited = changes;
    return seen;
}

bool jpeg2000_put_row(const jpeg2000_samples *samples, const kernel_image *image,
                      const jpeg2000_row_buffers *buffers, size_t count, uint8_t *words)
{
    void *const *rows = samples->rows;
    if (samples->transform && samples->is_reversible[0])
        undo_rct(rows[0], rows[1], rows[2], count);
    else if (samples->transform)
        undo_ict(rows[0], rows[1], rows[2], count);
    finish plan = plan_finish(samples, image->is_signed);
    int32_t highest = (1 << (image->bits_stored - image->is_signed)) - 1;
    int32_t lowest = image->is_signed ? -highest - 1 : 0;
    for (unsigned i = 0; i < image->components; i++) {
        const int32_t *integers = rows[i];
        if (!samples->is_reversible[i]) {
            round_samples(rows[i], buffers->rounded, count);
            integers = buffers->rounded;
        }
        bool limited;
        jpeg2000_sample_range seen =
            finish_samples(integers, buffers->finished, count, plan, &limited);
        if (count && (seen.lowest < lowest || seen.highest > highest
                      || (limited && samples->is_reversible[i] && samples->refuses_outside)))
            return false;
        words_store(words + i * image->word_size, buffers->finished, count, image->components,
                    image->word_size);
    }
    return true;
}

static inline void load_words(const uint8_t *restrict words, int32_t *restrict samples,
                              size_t count, size_t distance, size_t word_size, bool is_signed)
{
    for (size_t i = 0; i < count; i++) {
        const uint8_t *word = words + i * distance * word_size;
        unsigned value = word_size == 2 ? word[0] | (unsigned)word[1] << 8 : word[0];
        int32_t sign = is_signed ? 1 << (8 * word_size - 1) : 0;
        samples[i] = (int32_t)(value ^ (unsigned)sign) - sign;
    }
}

static void load(const uint8_t *words, int32_t *samples, size_t count, const kernel_image *image)
{
    if (image->components == 1 && image->word_size == 2)
        load_words(words, samples, count, 1, 2, image->is_signed);
    else if (image->components == 1)
        load_words(words, samples, count, 1, 1, image->is_signed);
    else if (image->word_size == 2)
        load_words(words, samples, count, 3, 2, image->is_signed);
    else
        load_words(words, samples, count, 3, 1, image->is_signed);
}

/* Subtract the level shift; return the smallest and largest sample of before. */
KERNEL_VARIANTS
static jpeg2000_sample_range shift_samples(int32_t *samples, size_t count, int32_t shift)
{
    jpeg2000_sample_range seen = {INT32_MAX, INT32_MIN};
    for (size_t i = 0; i < count; i++) {
        int32_t sample = samples[i];
        seen.lowest = sample < seen.lowest ? sample : seen.lowest;
        seen.highest = sample > seen.highest ? sample : seen.highest;
        samples[i] = sample - shift;
    }
    return seen;
}

/* Apply RCT, G.2.1. */
KERNEL_VARIANTS
static void apply_rct(int32_t *restrict first, int32_t *restrict second, int32_t *restrict third,
                      size_t count)
{
    for (size_t i = 0; i < count; i++) {
        int32_t red = first[i], green = second[i], blue = third[i];
        first[i] = (red + 2 * green + blue) >> 2;
        second[i] = blue - green;
        third[i] = red - green;
    }
}

bool jpeg2000_take_row(const uint8_t *words, const kernel_image *image, size_t count,
                       bool transform, int32_t *const rows[JPEG2000_MOST_COMPONENTS],
                       jpeg2000_sample_range *seen)
{
    int32_t half = 1 << (image->bits_stored - 1);
    int32_t lowest = image->is_signed ? -half : 0, highest = lowest + 2 * half - 1;
    for (unsigned i = 0; i < image->components; i++) {
        load(words + i * image->word_size, rows[i], count, image);
        jpeg2000_sample_range row = shift_samples(rows[i], count, image->is_signed ? 0 : half);
        if (count && (row.lowest < lowest || row.highest > highest))
            return false;
        seen->lowest = row.lowest < seen->lowest ? row.lowest : seen->lowest;
        seen->highest = row.highest > seen->highest ? row.highest : seen->highest;
    }
    if (transform)
        apply_rct(rows[0], rows[1], rows[2], count);
    return true;
}

/* Apply ICT, G.3.1. */
KERNEL_VARIANTS
static void apply_ict(const int32_t *restrict reds, const int32_t *restrict greens,
                      const int32_t *restrict blues, float *restrict first,
                      float *restrict second, float *restrict third, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        float red = (float)reds[i], green = (float)greens[i], blue = (float)blues[i];
        first[i] = 0.299f * red + 0.587f * green + 0.114f * blue;
        second[i] = -0.16875f * red - 0.33126f * green + 0.5f * blue;
        third[i] = 0.5f * red - 0.41869f * green - 0.08131f * blue;
    }
}

void jpeg2000_make_floats(const int32_t *const rows[JPEG2000_MOST_COMPONENTS], unsigned components,
                          size_t count, bool transform,
                          float *const floats[JPEG2000_MOST_COMPONENTS])
{
    if (transform) {
        apply_ict(rows[0], rows[1], rows[2], floats[0], floats[1], floats[2], count);
        return;
    }
    for (unsigned i = 0; i < components; i++)
        for (size_t x = 0; x < count; x++)
            floats[i][x] = (float)rows[i][x];
}
