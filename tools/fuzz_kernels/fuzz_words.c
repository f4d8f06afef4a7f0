#include <stdlib.h>
#include <string.h>

#include "words.h"
#include "fuzz.h"

static uint64_t read_word(const uint8_t *word, unsigned size)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < size; i++)
        value |= (uint64_t)word[i] << 8 * i;
    return value;
}

static int fits(const uint8_t *word, unsigned size, unsigned bits, int is_signed)
{
    uint64_t value = read_word(word, size);
    if (bits == 64)
        return 1;
    if (!is_signed)
        return value >> bits == 0;
    uint64_t above = value >> (bits - 1), ones = UINT64_MAX >> (64 - 8 * size) >> (bits - 1);
    return above == 0 || above == ones;
}

void fuzz_words_survive(fuzz_random *random)
{
    unsigned size = 1u << draw(random, 4), bits = 1 + draw(random, 8 * size);
    int is_signed = (int)draw(random, 2), expected = 1;
    size_t count = draw(random, 200);
    uint8_t *words = take(count * size);
    draw_bytes(random, words, count * size);
    if (draw(random, 2)) /* all of them fit, but perhaps one */
        for (size_t i = 0; i < count; i++)
            if (!fits(words + i * size, size, bits, is_signed) && draw(random, 300))
                memset(words + i * size, 0, size);
    for (size_t i = 0; i < count; i++)
        expected &= fits(words + i * size, size, bits, is_signed);
    count_input();
    CHECK(words_fit(words, count, size, bits, is_signed) == expected);
    free(words);
}

void fuzz_words_round_trip(fuzz_random *random)
{
    unsigned size = 1u << draw(random, 4);
    size_t count = draw(random, 200);
    uint8_t *words = take(count * size), *swapped = take(count * size), *back = take(count * size);
    draw_bytes(random, words, count * size);
    count_input();
    words_swap(words, count, size, swapped);
    words_swap(swapped, count, size, back);
    for (size_t i = 0; i < count * size; i++)
        CHECK(swapped[i] == words[i - i % size + size - 1 - i % size]);
    CHECK(!count || !memcmp(words, back, count * size));
    free(words);
    free(swapped);
    free(back);
}
