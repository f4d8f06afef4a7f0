/* Which instructions this processor has, beyond those that every one of its kind has.
 *
 * A kernel with loops that profit has KERNEL_VARIANTS before its function: the compiler then makes
 * it twice, and the loader picks one. Without such a compiler the plain one is all there is.
 * KERNEL_BIT_VARIANTS is the same for functions that shift by variables and count zeros. */
#ifndef DICODEC_PROCESSOR_H
#define DICODEC_PROCESSOR_H

#include <stdint.h> /* any header of the C library says which library it is */

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && defined(__linux__) \
    && defined(__GLIBC__) && !defined(__SANITIZE_ADDRESS__) /* which is not there yet at loading */
#define KERNEL_VARIANTS __attribute__((target_clones("avx2", "default")))
#if __GNUC__ >= 12
#define KERNEL_BIT_VARIANTS __attribute__((target_clones("arch=x86-64-v3", "default")))
#else
#define KERNEL_BIT_VARIANTS
#endif
#else
#define KERNEL_VARIANTS
#define KERNEL_BIT_VARIANTS
#endif

/* The names of those that count, separated by spaces; "" without any. */
const char *kernel_instructions(void);

#endif
