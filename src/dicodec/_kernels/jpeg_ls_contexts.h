/* The contexts of a scan, and how a difference changes them (ISO/IEC 14495-1 A.2.1, A.5, A.6).
 *
 * Nothing here branches on what noise decides: a branch that is foretold wrongly half of the time
 * costs more than all other work on a sample. */
#ifndef DICODEC_JPEG_LS_CONTEXTS_H
#define DICODEC_JPEG_LS_CONTEXTS_H

#include <stdint.h>

#include "jpeg_ls_parameters.h"

#if defined(__GNUC__)
#define LIKELY(condition) __builtin_expect(!!(condition), 1)
#define UNLIKELY(condition) __builtin_expect(!!(condition), 0)
#else
#define LIKELY(condition) (condition)
#define UNLIKELY(condition) (condition)
#endif

enum {
    JPEG_LS_CONTEXTS = 365, /* context 0 is that of runs, but for interleaved samples (A.7) */
    JPEG_LS_CONTEXT_SIZE = 16,
    JPEG_LS_LARGEST_RUN_INDEX = 31,
};

/* A regular context. The letters are those of the standard; k is made when A and N change. */
typedef struct {
    int32_t a; /* sum of magnitudes */
    int32_t b; /* bias, above -n and up to 0 */
    int32_t c; /* correction of predictions, -128 to 127 */
    uint16_t n; /* occurrences, 1 to RESET */
    uint16_t k; /* the Golomb parameter: the smallest with n << k >= a */
} jpeg_ls_context;

_Static_assert(sizeof(jpeg_ls_context) == JPEG_LS_CONTEXT_SIZE, "tables hold offsets of contexts");

/* A context of samples that interrupt a run. */
typedef struct {
    int32_t a, n, nn;
} jpeg_ls_run_context;

typedef struct {
    jpeg_ls_context regular[JPEG_LS_CONTEXTS];
    jpeg_ls_run_context interruption[2]; /* by RItype */
    unsigned run_index[3]; /* RUNindex of each component; interleaved samples have one */
} jpeg_ls_state;

/* J: the binary logarithms of the lengths of runs (A.2.1). */
static const uint8_t jpeg_ls_run_bits[JPEG_LS_LARGEST_RUN_INDEX + 1] = {
    0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3,
    4, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10, 11, 12, 13, 14, 15,
};

static inline unsigned jpeg_ls_find_k(int a, int n)
{
    unsigned k = 0;
    while (n << k < a)
        k++;
    return k;
}

static inline void jpeg_ls_begin_contexts(jpeg_ls_state *state, const jpeg_ls_parameters *is)
{
    int sum = jpeg_ls_first_sum(is);
    unsigned k = jpeg_ls_find_k(sum, 1);
    for (int i = 0; i < JPEG_LS_CONTEXTS; i++)
        state->regular[i] = (jpeg_ls_context){sum, 0, 0, 1, (uint16_t)k};
    for (int i = 0; i < 2; i++)
        state->interruption[i] = (jpeg_ls_run_context){sum, 1, 0};
    for (int i = 0; i < 3; i++)
        state->run_index[i] = 0;
}

/* -1 if a number is negative, else 0. */
static inline int jpeg_ls_sign(int number)
{
    return number >> 31;
}

/* 1 if a context's mapping of differences is inverted, which no scan with NEAR does (A.5.2). */
static inline unsigned jpeg_ls_inverts(const jpeg_ls_context *context)
{
    return (unsigned)((2 * context->b + context->n - 1) & ((int)context->k - 1)) >> 31;
}

/* Update a context by a difference, times the step for the bias (A.6.1, A.6.2). */
static inline void jpeg_ls_update(jpeg_ls_context *context, int magnitude, int error)
{
    int a = context->a + magnitude, b = context->b + error, n = context->n;
    if (UNLIKELY(n == JPEG_LS_RESET)) {
        a >>= 1;
        b >>= 1;
        n >>= 1;
    }
    n++;
    int change = jpeg_ls_sign(b + n - 1) - jpeg_ls_sign(-b); /* of the correction: -1, 0 or 1 */
    b -= n * change;
    int lowest = 1 - n;
    b = b < lowest ? lowest : b;
    context->b = b > 0 ? 0 : b;
    int c = context->c + change;
    if (UNLIKELY((unsigned)(c + 128) > 255))
        c = c < 0 ? -128 : 127;
    context->c = c;
    context->a = a;
    context->n = (uint16_t)n;
    /* k rarely changes, so that comparing is faster than making it anew. */
    unsigned k = context->k;
    int largest = n << k;
    if (UNLIKELY(a > largest))
        context->k = (uint16_t)jpeg_ls_find_k(a, n);
    else if (UNLIKELY(k && 2 * a <= largest))
        context->k = (uint16_t)(k - 1);
}

static inline unsigned jpeg_ls_find_run_k(const jpeg_ls_run_context *context, unsigned type)
{
    return jpeg_ls_find_k(context->a + (type ? context->n >> 1 : 0), context->n);
}

/* Update the context of a sample that interrupted a run by its difference, as mapped (A.7.2.2). */
static inline void jpeg_ls_update_run(jpeg_ls_run_context *context, unsigned type, int error,
                                      unsigned mapped)
{
    context->nn += error < 0;
    context->a += (int)(mapped + 1 - type) >> 1;
    if (context->n == JPEG_LS_RESET) {
        context->a >>= 1;
        context->n >>= 1;
        context->nn >>= 1;
    }
    context->n++;
}

#endif
