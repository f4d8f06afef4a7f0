/* Words: samples of 1, 2, 4 or 8 bytes, little endian. */
#ifndef DICODEC_WORDS_H
#define DICODEC_WORDS_H

#include <stddef.h>
#include <stdint.h>

/* Whether all words lie within Bits Stored: 0 to 2^bits - 1, or -2^(bits - 1) to 2^(bits - 1) - 1.
 * bits is 1 to 8 * size. */
int words_fit(const uint8_t *words, size_t count, unsigned size, unsigned bits, int is_signed);

/* Write words with the bytes of each reversed; both buffers have count * size bytes. */
void words_swap(const uint8_t *words, size_t count, unsigned size, uint8_t *swapped);

#endif
