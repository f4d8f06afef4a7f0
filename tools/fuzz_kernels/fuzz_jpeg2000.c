#include <stdlib.h>
#include <string.h>

#include "fuzz.h"
#include "jpeg2000.h"
#include "jpeg2000_streams.h"

typedef struct {
    const uint8_t *stream;
    size_t length;
    kernel_image image;
} example;

static const example EXAMPLES[] = {
    {STREAM_0, sizeof STREAM_0, {13, 21, 1, 2, 12, false}},
    {STREAM_1, sizeof STREAM_1, {24, 19, 1, 1, 8, false}},
    {STREAM_2, sizeof STREAM_2, {14, 15, 3, 1, 8, false}},
    {STREAM_3, sizeof STREAM_3, {16, 17, 3, 1, 8, false}},
    {STREAM_4, sizeof STREAM_4, {15, 18, 1, 2, 16, true}},
    {STREAM_5, sizeof STREAM_5, {18, 16, 1, 2, 14, false}},
    {STREAM_6, sizeof STREAM_6, {13, 21, 1, 2, 12, false}},
    {STREAM_7, sizeof STREAM_7, {14, 15, 3, 1, 8, false}},
    {STREAM_8, sizeof STREAM_8, {24, 19, 1, 1, 8, false}},
    {STREAM_9, sizeof STREAM_9, {18, 16, 1, 2, 16, true}},
    {STREAM_10, sizeof STREAM_10, {37, 35, 1, 1, 8, false}},
};

enum { COUNT = sizeof EXAMPLES / sizeof *EXAMPLES };

static kernel_status decode_halved(const uint8_t *stream, size_t length,
                                   const kernel_image *image, unsigned halvings,
                                   uint8_t **words)
{
    kernel_image halved = *image;
    for (unsigned i = 0; i < halvings; i++) {
        halved.rows = (halved.rows + 1) / 2;
        halved.columns = (halved.columns + 1) / 2;
    }
    *words = take(count_bytes(&halved));
    count_input();
    return jpeg2000_decode(stream, length, image, halvings, 1, *words);
}

static kernel_status decode(const uint8_t *stream, size_t length, const kernel_image *image,
                            uint8_t **words)
{
    return decode_halved(stream, length, image, 0, words);
}

/* Samples of any kind are encoded, and decoded to the same. */
static void encode_and_decode(fuzz_random *random)
{
    kernel_image image = {1 + draw(random, 70), 1 + draw(random, 70), draw(random, 2) ? 1 : 3,
                            1 + draw(random, 2), 0, draw(random, 2)};
    image.bits_stored = 8 * image.word_size;
    size_t size = count_bytes(&image), length;
    uint8_t *words = take(size), *stream, *decoded;
    draw_bytes(random, words, size);
    unsigned threads = 1 + draw(random, 8) / 7;
    CHECK(jpeg2000_encode(words, &image, image.components == 3 && draw(random, 2), threads,
                          &stream, &length)
          == KERNEL_DONE);
    uint8_t *exact = take_copy(stream, length);
    CHECK(decode(exact, length, &image, &decoded) == KERNEL_DONE);
    CHECK(!memcmp(words, decoded, size));
    free(words);
    free(stream);
    free(exact);
    free(decoded);
}

/* Samples are encoded for a goal, with any number of threads to the same, and decoded. */
static void encode_with_loss(fuzz_random *random)
{
    kernel_image image = {1 + draw(random, 70), 1 + draw(random, 70), draw(random, 2) ? 1 : 3,
                            1 + draw(random, 2), 0, draw(random, 2)};
    image.bits_stored = 8 * image.word_size;
    size_t size = count_bytes(&image), length, second_length;
    uint8_t *words = take(size), *stream, *second, *decoded;
    draw_bytes(random, words, size);
    jpeg2000_goal goal = {draw(random, 2) ? 1 + draw(random, (uint32_t)size + 200) : 0,
                          draw(random, 120), draw(random, 2)};
    bool transform = image.components == 3 && draw(random, 2);
    CHECK(jpeg2000_encode_lossy(words, &image, transform, &goal, 1, &stream, &length)
          == KERNEL_DONE);
    CHECK(jpeg2000_encode_lossy(words, &image, transform, &goal, 1 + draw(random, 8) / 7, &second,
                                &second_length)
          == KERNEL_DONE);
    CHECK(length == second_length && !memcmp(stream, second, length));
    CHECK(!goal.most_bytes || length <= goal.most_bytes || length < 200);
    uint8_t *exact = take_copy(stream, length);
    CHECK(decode(exact, length, &image, &decoded) == KERNEL_DONE);
    free(words);
    free(stream);
    free(second);
    free(exact);
    free(decoded);
}

/* Samples of any kind are encoded as HTJ2K, with any number of threads to the same, and decoded. */
static void encode_high_throughput(fuzz_random *random)
{
    kernel_image image = {1 + draw(random, 150), 1 + draw(random, 150), draw(random, 2) ? 1 : 3,
                            1 + draw(random, 2), 0, draw(random, 2)};
    image.bits_stored = 8 * image.word_size;
    size_t size = count_bytes(&image), length, second_length;
    uint8_t *words = take(size), *stream, *second, *decoded;
    draw_bytes(random, words, size);
    bool transform = image.components == 3 && draw(random, 2);
    unsigned levels = draw(random, 4) ? draw(random, 8) : draw(random, JPEG2000_MOST_LEVELS + 1);
    CHECK(jpeg2000_encode_high_throughput(words, &image, transform, levels, 1, &stream, &length)
          == KERNEL_DONE);
    CHECK(jpeg2000_encode_high_throughput(words, &image, transform, levels,
                                          1 + draw(random, 8) / 7, &second, &second_length)
          == KERNEL_DONE);
    CHECK(length == second_length && !memcmp(stream, second, length));
    uint8_t *exact = take_copy(stream, length);
    CHECK(decode(exact, length, &image, &decoded) == KERNEL_DONE);
    CHECK(!memcmp(words, decoded, size));
    free(words);
    free(stream);
    free(second);
    free(exact);
    free(decoded);
}

/* A whole stream is decoded, always to the same; none of its beginnings is. */
void fuzz_jpeg2000_round_trip(fuzz_random *random)
{
    encode_and_decode(random);
    encode_with_loss(random);
    encode_high_throughput(random);
    const example *from = EXAMPLES + draw(random, COUNT);
    uint8_t *stream = take_copy(from->stream, from->length), *first, *second, *words;
    CHECK(decode(stream, from->length, &from->image, &first) == KERNEL_DONE);
    CHECK(decode(stream, from->length, &from->image, &second) == KERNEL_DONE);
    CHECK(!memcmp(first, second, count_bytes(&from->image)));
    size_t cut = draw(random, (uint32_t)from->length);
    uint8_t *beginning = take_copy(stream, cut);
    CHECK(decode(beginning, cut, &from->image, &words) == KERNEL_NOT_SERVED);
    free(stream);
    free(first);
    free(second);
    free(beginning);
    free(words);
}

/* Change the image that a damaged stream is said to hold, as often as not to what it claims. */
static void draw_image(fuzz_random *random, const uint8_t *stream, size_t length,
                       kernel_image *image)
{
    if (draw(random, 4))
        return;
    image->bits_stored = 1 + draw(random, 8 * image->word_size);
    image->is_signed = draw(random, 2);
    if (draw(random, 2) && length > 24) {
        image->columns = stream[11] - stream[19];
        image->rows = stream[15] - stream[23];
    }
    if (!image->columns || image->columns > 255)
        image->columns = 1;
    if (!image->rows || image->rows > 255)
        image->rows = 1;
}

void fuzz_jpeg2000_survive(fuzz_random *random)
{
    const example *from = EXAMPLES + draw(random, COUNT);
    size_t length;
    uint8_t *stream = take_damaged(random, from->stream, from->length, &length), *words;
    kernel_image image = from->image;
    draw_image(random, stream, length, &image);
    unsigned halvings = draw(random, 2) * draw(random, 7);
    kernel_status status = decode_halved(stream, length, &image, halvings, &words);
    CHECK(status == KERNEL_DONE || status == KERNEL_NOT_SERVED);
    free(stream);
    free(words);
}
