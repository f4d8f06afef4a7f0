#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "jpeg_ls.h"

static kernel_image draw_image(fuzz_random *random)
{
    kernel_image image = {
        1 + draw(random, 9), 1 + draw(random, draw(random, 6) ? 30 : 400),
        draw(random, 3) ? 1 : 3, 1 + draw(random, 2), 0, false,
    };
    image.bits_stored = 1 + draw(random, 8 * image.word_size);
    image.is_signed = image.components == 1 && !draw(random, 3);
    return image;
}

static int read_word(const uint8_t *words, const kernel_image *image, size_t index)
{
    const uint8_t *word = words + index * image->word_size;
    int value = image->word_size == 1 ? word[0] : word[0] | word[1] << 8;
    if (!image->is_signed)
        return value;
    return image->word_size == 1 ? (int8_t)value : (int16_t)value;
}

static jpeg_ls_settings draw_settings(fuzz_random *random, const kernel_image *image)
{
    unsigned least = image->bits_stored < 2 ? 2 : image->bits_stored;
    unsigned most = ((1u << image->bits_stored) - 1) / 2;
    if (most > JPEG_LS_MOST_NEAR)
        most = JPEG_LS_MOST_NEAR;
    jpeg_ls_settings settings = {least + draw(random, 8 * image->word_size - least + 1), 0};
    if (image->is_signed)
        settings.precision = 8 * image->word_size;
    if (draw(random, 2))
        settings.near = draw(random, draw(random, 2) ? most + 1 : most < 3 ? most + 1 : 4);
    if (settings.near && !image->is_signed)
        settings.precision = least;
    return settings;
}

/* Words that NEAR moves to none past Bits Stored; often a few values, so that there are runs. */
static uint8_t *draw_words(fuzz_random *random, const kernel_image *image, unsigned near)
{
    size_t size = count_bytes(image), count = size / image->word_size;
    uint8_t *words = take(size);
    draw_bytes(random, words, size);
    int range = 1 << image->bits_stored, low = 0;
    if (image->is_signed) {
        low = -range / 2 + (int)near;
        range -= 2 * (int)near;
    }
    for (size_t i = 0; i < count; i++) {
        int value = low + (read_word(words, image, i) & 0xFFFF) % range;
        memcpy(words + i * image->word_size, (uint8_t[]){(uint8_t)value, (uint8_t)(value >> 8)},
               image->word_size);
    }
    return words;
}

static kernel_status decode(const uint8_t *stream, size_t length, const kernel_image *image,
                            uint8_t *words)
{
    count_input();
    return jpeg_ls_decode(stream, length, image, words);
}

/* Whether words are those that were encoded, or near. */
static bool are_near(const uint8_t *one, const uint8_t *other, const kernel_image *image, int near)
{
    for (size_t i = 0; i < count_bytes(image) / image->word_size; i++)
        if (abs(read_word(one, image, i) - read_word(other, image, i)) > near)
            return false;
    return true;
}

static uint8_t *draw_stream(fuzz_random *random, kernel_image *image, uint8_t **words,
                            jpeg_ls_settings *settings, size_t *length)
{
    *image = draw_image(random);
    *settings = draw_settings(random, image);
    *words = draw_words(random, image, settings->near);
    uint8_t *stream;
    count_input();
    CHECK(jpeg_ls_encode(*words, image, settings, &stream, length) == KERNEL_DONE);
    uint8_t *exact = take_copy(stream, *length);
    free(stream);
    return exact;
}

/* Data that lack a byte, with the end marker behind them, are never decoded. */
static void cut_data(fuzz_random *random, const uint8_t *stream, size_t length,
                     const kernel_image *image, uint8_t *back)
{
    size_t first = 0;
    while (stream[first] != 0xFF || stream[first + 1] != 0xDA)
        first++;
    first += 2 + stream[first + 3];
    for (int cuts = 0; cuts < 4; cuts++) {
        size_t cut = first + draw(random, (uint32_t)(length - 2 - first));
        uint8_t *shorter = take_copy(stream, cut + 2);
        memcpy(shorter + cut, (const uint8_t[]){0xFF, 0xD9}, 2);
        CHECK(decode(shorter, cut + 2, image, back) != KERNEL_DONE);
        free(shorter);
    }
}

void fuzz_jpeg_ls_round_trip(fuzz_random *random)
{
    kernel_image image;
    jpeg_ls_settings settings;
    uint8_t *words;
    size_t length;
    uint8_t *stream = draw_stream(random, &image, &words, &settings, &length);
    uint8_t *back = take(count_bytes(&image));
    CHECK(decode(stream, length, &image, back) == KERNEL_DONE);
    CHECK(are_near(words, back, &image, (int)settings.near));
    cut_data(random, stream, length, &image, back);
    free(stream);
    free(words);
    free(back);
}

/* Words of any kind, also past Bits Stored. */
static void encode_any(fuzz_random *random)
{
    kernel_image image = draw_image(random);
    jpeg_ls_settings settings = draw_settings(random, &image);
    uint8_t *words = take(count_bytes(&image)), *stream;
    size_t length;
    draw_bytes(random, words, count_bytes(&image));
    count_input();
    if (jpeg_ls_encode(words, &image, &settings, &stream, &length) == KERNEL_DONE)
        free(stream);
    free(words);
}

/* Let the headers say another interleaving, and state thresholds: the data are then noise. */
static uint8_t *change_headers(fuzz_random *random, const uint8_t *stream, size_t *length,
                               unsigned components)
{
    uint8_t preset[15] = {0xFF, 0xF8, 0, 13, 1};
    for (int i = 0; i < 3; i++)
        preset[8 + 2 * i] = (uint8_t)(i + 1 + draw(random, 9) * (unsigned)(i + 1));
    size_t frame = 12 + 3 * components;
    uint8_t *changed = take(*length + sizeof preset);
    memcpy(changed, stream, frame);
    memcpy(changed + frame, preset, sizeof preset);
    memcpy(changed + frame + sizeof preset, stream + frame, *length - frame);
    *length += sizeof preset;
    size_t scan = 0;
    while (scan + 9 < *length && (changed[scan] != 0xFF || changed[scan + 1] != 0xDA))
        scan++;
    size_t mode = scan + 6 + 2 * components;
    if (mode < *length && components == 3)
        changed[mode] = (uint8_t)draw(random, 3);
    return changed;
}

void fuzz_jpeg_ls_survive(fuzz_random *random)
{
    encode_any(random);
    kernel_image image;
    jpeg_ls_settings settings;
    uint8_t *words;
    size_t length;
    uint8_t *stream = draw_stream(random, &image, &words, &settings, &length);
    uint8_t *back = take(count_bytes(&image));
    if (length < 400 && !draw(random, 3)) {
        for (size_t cut = 0; cut < length; cut++) {
            uint8_t *shorter = take_copy(stream, cut);
            CHECK(decode(shorter, cut, &image, back) != KERNEL_DONE);
            free(shorter);
        }
    } else {
        if (draw(random, 3) == 0) {
            uint8_t *changed = change_headers(random, stream, &length, image.components);
            free(stream);
            stream = changed;
        }
        size_t damaged;
        uint8_t *data = take_damaged_or_noise(random, stream, length, 9, &damaged);
        decode(data, damaged, &image, back);
        free(data);
    }
    free(stream);
    free(words);
    free(back);
}
