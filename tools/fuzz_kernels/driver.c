/* Fuzz all kernels for a number of inputs or seconds: driver INPUTS SECONDS SEED [FIRST].
 *
 * Round N of a seed is always the same; a failure names it, and FIRST begins there. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "fuzz.h"

typedef struct {
    const char *name;
    void (*round_trip)(fuzz_random *random);
    void (*survive)(fuzz_random *random);
} fuzz_family;

#define DECLARE(name)                               \
    void fuzz_##name##_round_trip(fuzz_random *r);  \
    void fuzz_##name##_survive(fuzz_random *r);
FUZZ_FAMILIES(DECLARE)

#define ROW(name) {#name, fuzz_##name##_round_trip, fuzz_##name##_survive},
static const fuzz_family families[] = {FUZZ_FAMILIES(ROW)};
#define FAMILIES (sizeof families / sizeof *families)

static unsigned long long inputs[FAMILIES], at;
static size_t current;

uint32_t draw(fuzz_random *random, uint32_t limit)
{
    uint64_t mixed = random->state += 0x9E3779B97F4A7C15u; /* SplitMix64 */
    mixed = (mixed ^ mixed >> 30) * 0xBF58476D1CE4E5B9u;
    mixed = (mixed ^ mixed >> 27) * 0x94D049BB133111EBu;
    return (uint32_t)((mixed ^ mixed >> 31) >> 32) % limit;
}

void draw_bytes(fuzz_random *random, uint8_t *bytes, size_t length)
{
    uint32_t kind = draw(random, 4), values = kind ? 1 + draw(random, 6) : 256;
    uint8_t value = (uint8_t)draw(random, 256);
    for (size_t i = 0; i < length; i++) {
        if (kind < 2 || (kind == 2 && !draw(random, 1 + draw(random, 200))))
            value = (uint8_t)(values == 256 ? draw(random, 256) : 50 * draw(random, values));
        bytes[i] = value;
    }
}

uint8_t *take(size_t length)
{
    uint8_t *bytes = malloc(length);
    if (!bytes && length)
        fail("there is not enough memory");
    return bytes;
}

uint8_t *take_copy(const uint8_t *bytes, size_t length)
{
    uint8_t *copy = take(length);
    if (length)
        memcpy(copy, bytes, length);
    return copy;
}

uint8_t *take_damaged(fuzz_random *random, const uint8_t *bytes, size_t length, size_t *damaged)
{
    uint8_t *copy = take_copy(bytes, length);
    for (uint32_t left = 1 + draw(random, 4); left && length; left--) {
        size_t place = draw(random, draw(random, 2) || length < 64 ? (uint32_t)length : 64);
        size_t piece = 1 + draw(random, 9);
        if (piece > length - place)
            piece = length - place;
        switch (draw(random, 5)) {
        case 0:
            copy[place] ^= (uint8_t)(1 << draw(random, 8));
            break;
        case 1:
            copy[place] = (uint8_t)draw(random, 256);
            break;
        case 2:
            copy[place] = draw(random, 2) ? 255 : 0;
            break;
        case 3:
            memmove(copy + place, copy + place + piece, length - place - piece);
            length -= piece;
            break;
        default:
            length = draw(random, 3) ? length : place;
        }
    }
    uint8_t *exact = take_copy(copy, length);
    free(copy);
    *damaged = length;
    return exact;
}

uint8_t *take_damaged_or_noise(fuzz_random *random, const uint8_t *bytes, size_t length,
                               uint32_t one_in, size_t *damaged)
{
    if (draw(random, one_in))
        return take_damaged(random, bytes, length, damaged);
    *damaged = draw(random, 500);
    uint8_t *noise = take(*damaged);
    draw_bytes(random, noise, *damaged);
    return noise;
}

size_t count_bytes(const kernel_image *image)
{
    return (size_t)image->rows * image->columns * image->components * image->word_size;
}

void count_input(void)
{
    inputs[current]++;
}

void fail(const char *what)
{
    fprintf(stderr, "%s, round %llu: %s\n", families[current].name, at, what);
    abort();
}

int main(int count, char **arguments)
{
    if (count < 4) {
        fprintf(stderr, "driver INPUTS SECONDS SEED [FIRST]\n");
        return 2;
    }
#if defined(__AVX2__)
    if (!__builtin_cpu_supports("avx2")) {
        printf("this processor has no avx2\n");
        return 0;
    }
#endif
    unsigned long long wanted = strtoull(arguments[1], NULL, 10), total = 0;
    time_t end = time(NULL) + (time_t)strtoull(arguments[2], NULL, 10);
    uint64_t seed = strtoull(arguments[3], NULL, 10);
    for (at = count > 4 ? strtoull(arguments[4], NULL, 10) : 0; total < wanted; at++) {
        current = at % FAMILIES;
        fuzz_random random = {seed * 0xD1B54A32D192ED03u + at};
        (draw(&random, 2) ? families[current].survive : families[current].round_trip)(&random);
        total = 0;
        for (size_t i = 0; i < FAMILIES; i++)
            total += inputs[i];
        if (at % 256 == 0 && time(NULL) >= end)
            break;
    }
    for (size_t i = 0; i < FAMILIES; i++)
        printf("%s: %llu inputs\n", families[i].name, inputs[i]);
    return 0;
}
