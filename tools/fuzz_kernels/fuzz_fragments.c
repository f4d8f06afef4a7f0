#define _POSIX_C_SOURCE 200809L

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fragments.h"
#include "fuzz.h"

enum { MOST = 60, ROOM = MOST * (ITEM_HEADER + 6000) + 100 };

static const uint8_t HEAD[] = {0xFF, 0xD8, 0xFF, 0xF7, 0, 11};

static void put_header(uint8_t *out, uint32_t element, uint32_t length)
{
    uint32_t numbers[] = {0xFFFE, element, length & 0xFFFF, length >> 16};
    for (int i = 0; i < 8; i++)
        out[i] = (uint8_t)(numbers[i / 2] >> 8 * (i % 2));
}

/* Items of drawn lengths, most of which begin as streams do; `*count` is how many. */
static uint8_t *draw_items(fuzz_random *random, size_t *size, size_t *count)
{
    uint8_t *bytes = take(ROOM);
    size_t at = 0;
    *count = draw(random, MOST);
    for (size_t i = 0; i < *count; i++) {
        uint32_t length = draw(random, draw(random, 2) ? 40 : 6000);
        put_header(bytes + at, 0xE000, length);
        at += ITEM_HEADER;
        draw_bytes(random, bytes + at, length);
        if (draw(random, 30))
            memcpy(bytes + at, HEAD, length < sizeof HEAD ? length : sizeof HEAD);
        at += length;
    }
    put_header(bytes + at, 0xE0DD, 0);
    *size = at + ITEM_HEADER;
    uint8_t *exact = take_copy(bytes, *size);
    free(bytes);
    return exact;
}

/* A file with these bytes, the same one each time. */
static int put_in_file(const uint8_t *bytes, size_t size)
{
    static FILE *file;
    if (!file && !(file = tmpfile()))
        fail("there is no temporary file");
    int descriptor = fileno(file);
    if (ftruncate(descriptor, 0) || pwrite(descriptor, bytes, size, 0) != (ssize_t)size)
        fail("the temporary file cannot be written");
    return descriptor;
}

/* Follow the items of a buffer and of a file: all that is found is within, and the same. */
static void follow(fuzz_random *random, const uint8_t *bytes, size_t size, size_t expected)
{
    byte_reader of_bytes = {.bytes = size ? bytes : (const uint8_t *)"", .size = size};
    byte_reader of_file = {.descriptor = put_in_file(bytes, size)};
    size_t most = expected ? expected + 1 : draw(random, MOST);
    uint64_t *starts[2], *lengths[2], positions[2] = {0, 0};
    uint8_t *heads[2];
    uint64_t end = expected ? size : draw(random, (uint32_t)size + 20);
    size_t counts[2];
    for (int i = 0; i < 2; i++) {
        starts[i] = (uint64_t *)take(most * sizeof **starts);
        lengths[i] = (uint64_t *)take(most * sizeof **lengths);
        heads[i] = take(most * FRAGMENT_HEAD);
        count_input();
        counts[i] = walk_plain_items(i ? &of_file : &of_bytes, &positions[i], end, starts[i],
                                     lengths[i], heads[i], most);
    }
    CHECK(counts[0] == counts[1] && positions[0] == positions[1] && counts[0] <= most);
    CHECK(!expected || counts[0] == expected);
    uint64_t at = 0;
    for (size_t i = 0; i < counts[0]; i++) {
        CHECK(starts[0][i] == starts[1][i] && lengths[0][i] == lengths[1][i]);
        CHECK(starts[0][i] == at + ITEM_HEADER);
        uint8_t *one = heads[0] + i * FRAGMENT_HEAD;
        CHECK(!memcmp(one, heads[1] + i * FRAGMENT_HEAD, FRAGMENT_HEAD));
        for (size_t j = 0; j < FRAGMENT_HEAD && starts[0][i] + j < size; j++)
            CHECK(one[j] == (j < lengths[0][i] ? bytes[starts[0][i] + j] : 0));
        at = starts[0][i] + lengths[0][i];
        CHECK(at <= end);
    }
    CHECK(at == positions[0]);
    beginning begins[] = {{HEAD, 3}, {HEAD, draw(random, 2) ? sizeof HEAD : 0}};
    beginning headers = {HEAD, draw(random, sizeof HEAD + 1)};
    size_t kinds = 1 + draw(random, 2), matched[2], alike[2];
    for (int i = 0; i < 2; i++) {
        count_input();
        matched[i] = match_beginnings(i ? &of_file : &of_bytes, starts[0], lengths[0], counts[0],
                                      begins, kinds, headers, &alike[i]);
    }
    CHECK(matched[0] == matched[1] && alike[0] == alike[1]);
    CHECK(matched[0] <= counts[0] && alike[0] <= matched[0]);
    for (size_t i = 0; i < matched[0] && kinds == 1; i++)
        CHECK(starts[0][i] + 3 <= size && !memcmp(bytes + starts[0][i], HEAD, 3));
    for (int i = 0; i < 2; i++) {
        free(starts[i]);
        free(lengths[i]);
        free(heads[i]);
    }
}

void fuzz_fragments_round_trip(fuzz_random *random)
{
    size_t size, count;
    uint8_t *bytes = draw_items(random, &size, &count);
    follow(random, bytes, size, count);
    free(bytes);
}

void fuzz_fragments_survive(fuzz_random *random)
{
    size_t size, count, damaged;
    uint8_t *bytes = draw_items(random, &size, &count);
    uint8_t *copy = take_damaged(random, bytes, size, &damaged);
    follow(random, copy, damaged, 0);
    free(bytes);
    free(copy);
}
