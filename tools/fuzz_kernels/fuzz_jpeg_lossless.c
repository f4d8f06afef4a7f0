#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "jpeg_lossless.h"

/* A plain encoder beside the kernel's, because that one writes no restart intervals, no point
 * transform, and one scan alone. All categories have codes of five bits. */
typedef struct {
    uint8_t *bytes;
    size_t length;
    uint32_t bits;
    unsigned count;
} bit_writer;

static void put_bits(bit_writer *out, uint32_t value, unsigned count)
{
    while (count--) {
        out->bits = out->bits << 1 | (value >> count & 1);
        if (++out->count == 8) {
            out->bytes[out->length++] = (uint8_t)out->bits;
            if ((out->bits & 255) == 255)
                out->bytes[out->length++] = 0;
            out->count = 0;
        }
    }
}

static void put_bytes(bit_writer *out, const uint8_t *bytes, size_t length)
{
    while (out->count)
        put_bits(out, 1, 1);
    memcpy(out->bytes + out->length, bytes, length);
    out->length += length;
}

static void put_difference(bit_writer *out, int difference)
{
    int value = (difference & 0xFFFF) > 32768 ? (difference & 0xFFFF) - 65536 : difference & 0xFFFF;
    unsigned category = 0;
    for (int left = abs(value); left; left >>= 1)
        category++;
    put_bits(out, category, 5);
    if (category < 16)
        put_bits(out, (uint32_t)(value < 0 ? value + (1 << category) - 1 : value), category);
}

typedef struct {
    unsigned precision, predictor, transform;
    uint32_t lines; /* of a restart interval; 0 without */
    bool interleaved;
} plain_settings;

static int read_word(const uint8_t *words, const kernel_image *image, size_t index)
{
    const uint8_t *word = words + index * image->word_size;
    return image->word_size == 1 ? word[0] : word[0] | word[1] << 8;
}

static int predict(const uint8_t *words, const kernel_image *image,
                   const plain_settings *settings, uint32_t row, uint32_t column, unsigned part)
{
    size_t pixel = (size_t)image->components, line = pixel * image->columns;
    size_t here = row * line + column * pixel + part;
    unsigned shift = settings->transform;
    bool first = settings->lines ? row % settings->lines == 0 : row == 0;
    if (first && !column)
        return 1 << (settings->precision - shift - 1);
    int left = column ? read_word(words, image, here - pixel) >> shift : 0;
    int above = first ? 0 : read_word(words, image, here - line) >> shift;
    if (first || !column)
        return first ? left : above;
    int corner = read_word(words, image, here - line - pixel) >> shift;
    return jpeg_lossless_predict(left, above, corner, settings->predictor);
}

static void put_scan(bit_writer *out, const uint8_t *words, const kernel_image *image,
                     const plain_settings *settings, unsigned begin, unsigned end)
{
    uint8_t head[14] = {0xFF, 0xDA, 0, (uint8_t)(6 + 2 * (end - begin)), (uint8_t)(end - begin)};
    size_t length = 5;
    for (unsigned part = begin; part < end; part++) {
        head[length++] = (uint8_t)(part + 1);
        head[length++] = 0;
    }
    head[length++] = (uint8_t)settings->predictor;
    head[length++] = 0;
    head[length++] = (uint8_t)settings->transform;
    put_bytes(out, head, length);
    for (uint32_t row = 0; row < image->rows; row++) {
        if (settings->lines && row && row % settings->lines == 0) {
            uint8_t mark[2] = {0xFF, (uint8_t)(0xD0 + (row / settings->lines - 1) % 8)};
            put_bytes(out, mark, 2);
        }
        for (uint32_t column = 0; column < image->columns; column++)
            for (unsigned part = begin; part < end; part++) {
                size_t index = ((size_t)row * image->columns + column) * image->components + part;
                int sample = read_word(words, image, index) >> settings->transform;
                put_difference(out, sample - predict(words, image, settings, row, column, part));
            }
    }
}

static uint8_t *encode_plainly(const uint8_t *words, const kernel_image *image,
                               const plain_settings *settings, size_t *length)
{
    size_t samples = (size_t)image->rows * image->columns * image->components;
    bit_writer out = {take(200 + 8 * samples + 8 * image->rows), 0, 0, 0};
    uint8_t frame[19] = {
        0xFF, 0xC3, 0, (uint8_t)(8 + 3 * image->components), (uint8_t)settings->precision,
        (uint8_t)(image->rows >> 8), (uint8_t)image->rows, (uint8_t)(image->columns >> 8),
        (uint8_t)image->columns, (uint8_t)image->components,
        1, 0x11, 0, 2, 0x11, 0, 3, 0x11, 0,
    };
    uint8_t table[38] = {0xFF, 0xC4, 0, 36, 0, 0, 0, 0, 0, 17};
    for (uint8_t i = 0; i < 17; i++)
        table[21 + i] = i;
    put_bytes(&out, (const uint8_t[]){0xFF, 0xD8}, 2);
    put_bytes(&out, frame, 10 + 3 * image->components);
    put_bytes(&out, table, sizeof table);
    if (settings->lines) {
        uint32_t interval = settings->lines * image->columns;
        uint8_t restarts[6] = {0xFF, 0xDD, 0, 4, (uint8_t)(interval >> 8), (uint8_t)interval};
        put_bytes(&out, restarts, sizeof restarts);
    }
    for (unsigned part = 0; part < image->components; part++) {
        unsigned end = settings->interleaved ? image->components : part + 1;
        if (!settings->interleaved || !part)
            put_scan(&out, words, image, settings, part, end);
    }
    put_bytes(&out, (const uint8_t[]){0xFF, 0xD9}, 2);
    uint8_t *exact = take_copy(out.bytes, out.length);
    *length = out.length;
    free(out.bytes);
    return exact;
}

static kernel_image draw_image(fuzz_random *random)
{
    kernel_image image = {
        1 + draw(random, 9), 1 + draw(random, draw(random, 6) ? 30 : 400),
        draw(random, 3) ? 1 : 3, 1 + draw(random, 2), 0, false,
    };
    image.bits_stored = 1 + draw(random, 8 * image.word_size);
    return image;
}

/* Words within Bits Stored whose lowest bits are 0. */
static uint8_t *draw_words(fuzz_random *random, const kernel_image *image, unsigned zeros)
{
    size_t count = (size_t)image->rows * image->columns * image->components;
    unsigned unused = 8 * image->word_size - image->bits_stored;
    uint8_t *words = take(count * image->word_size);
    draw_bytes(random, words, count * image->word_size);
    for (size_t i = 0; i < count; i++) {
        int word = read_word(words, image, i);
        if (image->is_signed) { /* from the top of the container down again, with the sign */
            int top = word << unused & (image->word_size == 1 ? 0xFF : 0xFFFF);
            word = image->word_size == 1 ? (int8_t)top >> unused : (int16_t)top >> unused;
        } else {
            word = word & ((1 << image->bits_stored) - 1) & ~((1 << zeros) - 1);
        }
        memcpy(words + i * image->word_size, (uint8_t[]){(uint8_t)word, (uint8_t)(word >> 8)},
               image->word_size);
    }
    return words;
}

static kernel_status decode(const uint8_t *stream, size_t length, const kernel_image *image,
                            uint8_t *words)
{
    count_input();
    return jpeg_lossless_decode(stream, length, image, words);
}

static uint8_t *draw_plain_stream(fuzz_random *random, kernel_image *image, uint8_t **words,
                                  size_t *length)
{
    plain_settings settings = {.predictor = 1 + draw(random, 7), .interleaved = draw(random, 2)};
    if (image->bits_stored < 2)
        image->bits_stored = 2;
    unsigned spare = 8 * image->word_size - image->bits_stored;
    settings.precision = image->bits_stored + (draw(random, 2) ? draw(random, spare + 1) : 0);
    settings.transform = draw(random, 3) ? 0 : draw(random, image->bits_stored);
    settings.lines = draw(random, 2) ? 0 : 1 + draw(random, image->rows);
    *words = draw_words(random, image, settings.transform);
    return encode_plainly(*words, image, &settings, length);
}

static uint8_t *draw_stream(fuzz_random *random, kernel_image *image, uint8_t **words,
                            size_t *length)
{
    image->is_signed = image->components == 1 && draw(random, 2);
    *words = draw_words(random, image, 0);
    unsigned least = image->bits_stored < 2 ? 2 : image->bits_stored;
    jpeg_lossless_settings settings = {
        least + draw(random, 8 * image->word_size - least + 1), 1 + draw(random, 7),
        draw(random, 2),
    };
    jpeg_lossless_plan plan;
    count_input();
    CHECK(jpeg_lossless_prepare(*words, image, &settings, &plan) == KERNEL_DONE);
    size_t room = draw(random, 9) ? plan.most_bytes : draw(random, (uint32_t)plan.most_bytes + 1);
    uint8_t *stream = take(room);
    kernel_status status =
        jpeg_lossless_encode(*words, image, &settings, &plan, stream, room, length);
    if (status == KERNEL_NO_ROOM && room < plan.most_bytes) {
        free(stream);
        stream = take(room = plan.most_bytes);
        status = jpeg_lossless_encode(*words, image, &settings, &plan, stream, room, length);
    }
    CHECK(status == KERNEL_DONE && *length <= room);
    uint8_t *exact = take_copy(stream, *length);
    free(stream);
    return exact;
}

/* Begin of the entropy-coded data of the last scan. */
static size_t find_last_data(const uint8_t *stream, size_t length)
{
    size_t at = length - 4;
    while (stream[at] != 0xFF || stream[at + 1] != 0xDA)
        at--;
    return at + 2 + stream[at + 3];
}

/* Data that lack a byte, with the end marker behind them, are never decoded. */
static void cut_data(fuzz_random *random, const uint8_t *stream, size_t length,
                     const kernel_image *image, uint8_t *back)
{
    size_t first = find_last_data(stream, length);
    for (int cuts = 0; cuts < 4; cuts++) {
        size_t cut = first + draw(random, (uint32_t)(length - 2 - first));
        uint8_t *shorter = take_copy(stream, cut + 2);
        memcpy(shorter + cut, (const uint8_t[]){0xFF, 0xD9}, 2);
        CHECK(decode(shorter, cut + 2, image, back) != KERNEL_DONE);
        free(shorter);
    }
}

/* Words may be past Bits Stored, and change between the two passes over them. */
static void encode_changing(fuzz_random *random, const kernel_image *image)
{
    size_t length = 0;
    unsigned least = image->bits_stored < 2 ? 2 : image->bits_stored;
    jpeg_lossless_settings settings = {least, 1 + draw(random, 7), draw(random, 2)};
    jpeg_lossless_plan plan;
    uint8_t *words = take(count_bytes(image));
    draw_bytes(random, words, count_bytes(image));
    if (draw(random, 2))
        memset(words, 0, count_bytes(image));
    count_input();
    if (jpeg_lossless_prepare(words, image, &settings, &plan) == KERNEL_DONE) {
        draw_bytes(random, words, count_bytes(image));
        size_t room = draw(random, 2) ? plan.most_bytes : draw(random, (uint32_t)plan.most_bytes);
        uint8_t *stream = take(room);
        count_input();
        if (jpeg_lossless_encode(words, image, &settings, &plan, stream, room, &length)
            == KERNEL_DONE)
            CHECK(length <= room);
        free(stream);
    }
    free(words);
}

void fuzz_jpeg_lossless_round_trip(fuzz_random *random)
{
    kernel_image image = draw_image(random);
    uint8_t *words;
    size_t length;
    uint8_t *stream = (draw(random, 2) ? draw_stream : draw_plain_stream)(random, &image, &words,
                                                                          &length);
    uint8_t *back = take(count_bytes(&image));
    CHECK(decode(stream, length, &image, back) == KERNEL_DONE);
    CHECK(!memcmp(words, back, count_bytes(&image)));
    cut_data(random, stream, length, &image, back);
    free(stream);
    free(words);
    free(back);
}

/* A cut stream may lack no more than what holds no sample; anything else is refused or noise. */
void fuzz_jpeg_lossless_survive(fuzz_random *random)
{
    kernel_image image = draw_image(random);
    encode_changing(random, &image);
    uint8_t *words;
    size_t length;
    uint8_t *stream = (draw(random, 2) ? draw_stream : draw_plain_stream)(random, &image, &words,
                                                                          &length);
    uint8_t *back = take(count_bytes(&image));
    if (length < 400 && !draw(random, 3)) {
        for (size_t cut = 0; cut < length; cut++) {
            uint8_t *shorter = take_copy(stream, cut);
            if (decode(shorter, cut, &image, back) == KERNEL_DONE)
                CHECK(!memcmp(words, back, count_bytes(&image)));
            free(shorter);
        }
    } else {
        size_t damaged;
        uint8_t *data = take_damaged_or_noise(random, stream, length, 9, &damaged);
        decode(data, damaged, &image, back);
        free(data);
    }
    free(stream);
    free(words);
    free(back);
}
