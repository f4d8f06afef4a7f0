/* Words: samples of 1, 2, 4 or 8 bytes, little endian. */
#ifndef DICODEC_WORDS_H
#define DICODEC_WORDS_H

#include <stddef.h>
#include <stdint.h>

/* Whether all words lie within Bits Stored: 0 to 2^bits - 1, or -2^(bits - 1) to 2^(bits - 1) - 1.
 * bits is 1 to 8 * size. */
int words_fit(const uint8_t *words, size_t count, unsigned size, unsigned bits, int is_signed);

/* Write values as words of 1 or 2 bytes, each `stride` words behind the one before. */
void words_store(uint8_t *words, const uint16_t *values, size_t count, size_t stride,
                 unsigned size);

/* Write words with the bytes of each reversed; both buffers have count * size bytes. */
void words_swap(const uint8_t *words, size_t count, unsigned size, uint8_t *swapped);

#endif
