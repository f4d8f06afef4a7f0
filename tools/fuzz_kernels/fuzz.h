/* What the families of kernels share when they are fuzzed: chance, buffers, and the verdict.
 *
 * A family has a file fuzz_NAME.c with two functions, and a line in FUZZ_FAMILIES:
 *   fuzz_NAME_round_trip  encodes samples, decodes the stream, and compares
 *   fuzz_NAME_survive     decodes streams that are damaged, cut, or noise
 * Buffers come from `take`, exactly as large as the kernel is told, so that AddressSanitizer sees a
 * byte too far. Each calls `count_input` for every stream or frame that it gives to a kernel. */
#ifndef DICODEC_FUZZ_H
#define DICODEC_FUZZ_H

#include <stddef.h>
#include <stdint.h>

#include "image.h"

#define FUZZ_FAMILIES(FAMILY) \
    FAMILY(colors)            \
    FAMILY(elements)          \
    FAMILY(fragments)         \
    FAMILY(jpeg2000)          \
    FAMILY(jpeg_lossless)     \
    FAMILY(jpeg_ls)           \
    FAMILY(rle)               \
    FAMILY(words)

typedef struct {
    uint64_t state;
} fuzz_random;

/* A number from 0 to limit - 1. */
uint32_t draw(fuzz_random *random, uint32_t limit);

/* Bytes of one kind: noise, few values, runs, or all the same. */
void draw_bytes(fuzz_random *random, uint8_t *bytes, size_t length);

/* Heap memory of exactly this size; `free` returns it. */
uint8_t *take(size_t length);
uint8_t *take_copy(const uint8_t *bytes, size_t length);

/* A damaged copy: bits and bytes changed, pieces removed or repeated, or the end cut. */
uint8_t *take_damaged(fuzz_random *random, const uint8_t *bytes, size_t length, size_t *damaged);

/* A damaged copy, or, one time in so many, noise of up to 500 bytes. */
uint8_t *take_damaged_or_noise(fuzz_random *random, const uint8_t *bytes, size_t length,
                               uint32_t one_in, size_t *damaged);

/* How many bytes the words of an image have. */
size_t count_bytes(const kernel_image *image);

void count_input(void);

/* Say what is wrong and with which input, and end. */
_Noreturn void fail(const char *what);

#define CHECK(condition) ((condition) ? (void)0 : fail(#condition))

#endif
