#include "words.h"

#include <string.h>

#include "processor.h"

#if defined(__BYTE_ORDER__) && __BYTE_ORDER__ == __ORDER_BIG_ENDIAN__
#define LITTLE_16(word) __builtin_bswap16(word)
#define LITTLE_32(word) __builtin_bswap32(word)
#define LITTLE_64(word) __builtin_bswap64(word)
#else
#define LITTLE_16(word) (word)
#define LITTLE_32(word) (word)
#define LITTLE_64(word) (word)
#endif

/* Words that fit have no bit above Bits Stored once the smallest value is subtracted. So the bits
 * of all words are collected, which is faster than to find the smallest and the largest. */
#define COLLECT(type, little)                                                                      \
    {                                                                                              \
        type all = 0, smallest = (type)lowest, word;                                               \
        for (size_t i = 0; i < count; i++) {                                                       \
            memcpy(&word, words + i * sizeof word, sizeof word);                                   \
            all |= (type)(little(word) - smallest);                                                \
        }                                                                                          \
        return all;                                                                                \
    }

KERNEL_VARIANTS
static uint64_t collect_bits(const uint8_t *words, size_t count, unsigned size, uint64_t lowest)
{
    switch (size) {
    case 1: COLLECT(uint8_t, )
    case 2: COLLECT(uint16_t, LITTLE_16)
    case 4: COLLECT(uint32_t, LITTLE_32)
    default: COLLECT(uint64_t, LITTLE_64)
    }
}

int words_fit(const uint8_t *words, size_t count, unsigned size, unsigned bits, int is_signed)
{
    if (bits >= 8 * size)
        return 1;
    uint64_t lowest = is_signed ? 0 - ((uint64_t)1 << (bits - 1)) : 0;
    return !(collect_bits(words, count, size, lowest) >> bits);
}

#define SWAP(type, swap)                                                                           \
    for (size_t i = 0; i < count; i++) {                                                           \
        type word;                                                                                 \
        memcpy(&word, words + i * sizeof word, sizeof word);                                       \
        word = swap(word);                                                                         \
        memcpy(swapped + i * sizeof word, &word, sizeof word);                                     \
    }                                                                                              \
    break;

KERNEL_VARIANTS
void words_swap(const uint8_t *words, size_t count, unsigned size, uint8_t *swapped)
{
    switch (size) {
    case 2: SWAP(uint16_t, __builtin_bswap16)
    case 4: SWAP(uint32_t, __builtin_bswap32)
    case 8: SWAP(uint64_t, __builtin_bswap64)
    default: memcpy(swapped, words, count * size);
    }
}

static inline void store(uint8_t *restrict words, const uint16_t *restrict values, size_t count,
                         size_t stride, size_t size)
{
    for (size_t i = 0; i < count; i++) {
        uint8_t *word = words + i * stride * size;
        word[0] = (uint8_t)values[i];
        if (size == 2)
            word[1] = (uint8_t)(values[i] >> 8);
    }
}

void words_store(uint8_t *words, const uint16_t *values, size_t count, size_t stride, unsigned size)
{
    if (stride != 1)
        store(words, values, count, stride, size);
    else if (size == 1)
        store(words, values, count, 1, 1);
    else
        store(words, values, count, 1, 2);
}
