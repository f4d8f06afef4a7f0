#include <stdlib.h>
#include <string.h>

#include "rle.h"
#include "fuzz.h"

/* One byte at a time, as PS3.5 G.3.2 has it. */
static kernel_status unpack(const uint8_t *data, size_t length, uint8_t *plane, size_t pixels)
{
    size_t at = 0, filled = 0;
    while (filled < pixels) {
        if (at == length)
            return KERNEL_TRUNCATED;
        unsigned code = data[at++];
        if (code == 128)
            continue;
        size_t run = code < 128 ? code + 1 : 257 - code, bytes = code < 128 ? run : 1;
        if (bytes > length - at)
            return KERNEL_TRUNCATED;
        for (size_t i = 0; i < run && filled < pixels; i++)
            plane[filled++] = data[at + (code < 128 ? i : 0)];
        at += bytes;
    }
    return KERNEL_DONE;
}

static void decode_and_compare(rle_segment *segments, unsigned planes, size_t pixels, unsigned size)
{
    uint8_t *words = take(pixels * planes), *plane = take(pixels);
    kernel_status expected = KERNEL_DONE;
    count_input();
    kernel_status status = rle_decode(segments, planes, pixels, size, words);
    for (unsigned i = 0; i < planes && expected == KERNEL_DONE; i++) {
        expected = unpack(segments[i].data, segments[i].length, plane, pixels);
        unsigned place = i / size * size + size - 1 - i % size;
        if (expected == KERNEL_DONE && status == KERNEL_DONE)
            for (size_t pixel = 0; pixel < pixels; pixel++)
                CHECK(words[pixel * planes + place] == plane[pixel]);
    }
    CHECK(status == expected);
    free(words);
    free(plane);
}

static size_t read_32(const uint8_t *bytes)
{
    return bytes[0] | (size_t)bytes[1] << 8 | (size_t)bytes[2] << 16 | (size_t)bytes[3] << 24;
}

typedef struct {
    size_t rows, columns;
    unsigned samples, size;
} shape;

static shape draw_shape(fuzz_random *random)
{
    unsigned samples = draw(random, 3) ? 1 : 1 + draw(random, 4);
    unsigned size = 1 + draw(random, samples > 3 ? 3 : draw(random, 4) ? 2 : 5);
    size_t rows = 1 + draw(random, 5), columns = 1 + draw(random, draw(random, 9) ? 300 : 6000);
    return (shape){rows, columns, samples, size};
}

/* A frame of samples, whose planes are checked against the words; exactly as long as it says. */
static uint8_t *encode(const shape *image, const uint8_t *words, size_t *length)
{
    unsigned planes = image->samples * image->size;
    size_t room = rle_find_room(image->rows, image->columns, planes);
    uint8_t *frame = take(room);
    CHECK(rle_encode(words, image->rows, image->columns, image->samples, image->size, frame,
                     room - 1, length) == KERNEL_NO_ROOM);
    count_input();
    CHECK(rle_encode(words, image->rows, image->columns, image->samples, image->size, frame, room,
                     length) == KERNEL_DONE);
    CHECK(*length <= room);
    uint8_t *exact = take_copy(frame, *length);
    free(frame);
    CHECK(read_32(exact) == planes);
    return exact;
}

static void find_segments(const uint8_t *frame, size_t length, unsigned planes,
                          rle_segment *segments)
{
    for (unsigned i = 0; i < planes; i++) {
        size_t start = read_32(frame + 4 + 4 * i);
        size_t end = i + 1 < planes ? read_32(frame + 8 + 4 * i) : length;
        CHECK(start < end && end <= length && start % 2 == 0);
        segments[i] = (rle_segment){take_copy(frame + start, end - start), end - start};
    }
}

static void release(rle_segment *segments, unsigned planes)
{
    for (unsigned i = 0; i < planes; i++)
        free((void *)segments[i].data);
}

void fuzz_rle_round_trip(fuzz_random *random)
{
    shape image = draw_shape(random);
    unsigned planes = image.samples * image.size;
    size_t pixels = image.rows * image.columns, length;
    uint8_t *words = take(pixels * planes), *back = take(pixels * planes);
    draw_bytes(random, words, pixels * planes);
    uint8_t *frame = encode(&image, words, &length);
    rle_segment segments[RLE_MAX_SEGMENTS];
    find_segments(frame, length, planes, segments);
    CHECK(rle_decode(segments, planes, pixels, image.size, back) == KERNEL_DONE);
    CHECK(!memcmp(words, back, pixels * planes));
    for (unsigned i = 0; i < planes; i++) /* a row at a time, so runs end with the row */
        CHECK(segments[i].length <= image.rows * (image.columns + image.columns / 128 + 1) + 1);
    release(segments, planes);
    free(frame);
    free(words);
    free(back);
}

void fuzz_rle_survive(fuzz_random *random)
{
    shape image = draw_shape(random);
    unsigned planes = image.samples * image.size;
    size_t pixels = image.rows * image.columns, length;
    rle_segment segments[RLE_MAX_SEGMENTS];
    uint8_t *words = take(pixels * planes);
    draw_bytes(random, words, pixels * planes);
    uint8_t *frame = encode(&image, words, &length);
    find_segments(frame, length, planes, segments);
    unsigned hit = draw(random, planes);
    rle_segment whole = segments[hit];
    if (pixels < 200 && draw(random, 2)) {
        for (size_t cut = 0; cut < whole.length; cut++) {
            segments[hit] = (rle_segment){take_copy(whole.data, cut), cut};
            decode_and_compare(segments, planes, pixels, image.size);
            free((void *)segments[hit].data);
        }
    } else {
        size_t damaged;
        uint8_t *data = take_damaged_or_noise(random, whole.data, whole.length, 4, &damaged);
        segments[hit] = (rle_segment){data, damaged};
        decode_and_compare(segments, planes, draw(random, 3) ? pixels : 1 + draw(random, 9000),
                           image.size);
        free(data);
    }
    segments[hit] = whole;
    release(segments, planes);
    free(frame);
    free(words);
}
