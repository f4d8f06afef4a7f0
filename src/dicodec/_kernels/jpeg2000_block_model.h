/* What encoding and decoding JPEG 2000's code-blocks have in common: ISO/IEC 15444-1 Annexes C, D.
 *
 * A code-block is a set of bitmaps in the order of the scan (D.1): a word has 16 columns of a
 * stripe, and the sample of column x and row y of it is bit 4 * x + y. So the coding passes find
 * their samples by counting zeros, and never look at the others. Beside them is a neighbourhood of
 * each sample: one bit for each neighbour that is significant, and for each of the four nearest
 * that is negative; it is the index of the tables of contexts. */
#ifndef DICODEC_JPEG2000_BLOCK_MODEL_H
#define DICODEC_JPEG2000_BLOCK_MODEL_H

#include "jpeg2000_codestream.h"

#if defined(__GNUC__)
#define ALWAYS_INLINE static inline __attribute__((always_inline))
#define RARELY(condition) __builtin_expect(!!(condition), 0)
#else
#define ALWAYS_INLINE static inline
#define RARELY(condition) (condition)
#endif

enum {
    JPEG2000_BLOCK = 1 << JPEG2000_MOST_BLOCK_EXPONENT, /* columns and rows at most */
    JPEG2000_STRIPES = JPEG2000_BLOCK / 4,
    JPEG2000_WORDS = JPEG2000_BLOCK / 16, /* of a stripe */
};

/* Contexts in the order of Table D.7. */
enum {
    JPEG2000_ZERO_CONTEXT = 0,
    JPEG2000_SIGN_CONTEXT = 9,
    JPEG2000_MAGNITUDE_CONTEXT = 14,
    JPEG2000_RUN_CONTEXT = 17,
    JPEG2000_UNIFORM_CONTEXT = 18,
    JPEG2000_CONTEXTS = 19,
};

/* The bits of a neighbourhood: significant neighbours, then negative ones. */
enum {
    NORTH_WEST = 1, NORTH_EAST = 2, SOUTH_WEST = 4, SOUTH_EAST = 8,
    WEST = 16, NORTH = 32, EAST = 64, SOUTH = 128,
    NEGATIVE = 4, /* shift from a significant neighbour's bit to that of its sign */
    SIGN_SHIFT = 4,
};

/* Neighbourhoods have a column to the left and to the right of the block, and a stripe above and
 * below. */
enum {
    NEIGHBOURHOOD_STRIDE = 4 * (JPEG2000_BLOCK + 2), /* of a stripe */
    NEIGHBOURHOODS = (JPEG2000_STRIPES + 2) * NEIGHBOURHOOD_STRIDE,
};

typedef uint64_t jpeg2000_stripe[JPEG2000_WORDS];

static const uint64_t FIRST_ROWS = UINT64_C(0x1111111111111111);
static const uint64_t LAST_ROWS = UINT64_C(0x8888888888888888);

/* By the row of a sample: the neighbours behind it in the scan, in its word or the next, as bits
 * from the sample's own on. */
static const uint64_t LATER_NEIGHBOURS[4] = {0x32, 0x3A, 0x3A, 0x18};

typedef struct {
    uint8_t zero[4][256]; /* Table D.1: by orientation, and a neighbourhood's lowest bits */
    uint8_t sign[256];    /* Tables D.2 and D.3: by its bits from WEST on; bit 7 is the XORbit */
} jpeg2000_context_tables;

void jpeg2000_make_context_tables(jpeg2000_context_tables *tables);

/* The states of the arithmetic coder, Table C.2. */
enum { JPEG2000_STATES = 47 };

typedef struct {
    uint16_t probability; /* Qe */
    uint8_t next_more;    /* NMPS */
    uint8_t next_less;    /* NLPS */
    bool exchanges;       /* SWITCH */
} jpeg2000_state;

extern const jpeg2000_state jpeg2000_states[JPEG2000_STATES];

/* The state that a context begins with, Table D.7. */
static inline unsigned jpeg2000_first_state(unsigned context)
{
    return context == JPEG2000_ZERO_CONTEXT ? 4 : context == JPEG2000_RUN_CONTEXT ? 3
           : context == JPEG2000_UNIFORM_CONTEXT ? 46 : 0;
}

static inline unsigned count_low_zeros(uint64_t word)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_ctzll(word);
#else
    unsigned count = 0;
    for (; !(word & 1); word >>= 1)
        count++;
    return count;
#endif
}

static inline unsigned count_high_zeros(uint64_t word)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_clzll(word);
#else
    unsigned count = 0;
    for (; !(word >> 63); word <<= 1)
        count++;
    return count;
#endif
}

/* Find the samples of a stripe with a significant neighbour, which the stripes above and below
 * may have. */
ALWAYS_INLINE void find_near(const jpeg2000_stripe above, const jpeg2000_stripe stripe,
                             const jpeg2000_stripe below, jpeg2000_stripe near)
{
    uint64_t columns[JPEG2000_WORDS]; /* significant samples and those above and below them */
    for (int k = 0; k < JPEG2000_WORDS; k++) {
        uint64_t word = stripe[k];
        near[k] = (word << 1 & ~FIRST_ROWS) | (word >> 1 & ~LAST_ROWS)
                  | (above[k] >> 3 & FIRST_ROWS) | (below[k] << 3 & LAST_ROWS);
        columns[k] = near[k] | word;
    }
    for (int k = 0; k < JPEG2000_WORDS; k++) {
        near[k] |= columns[k] << 4 | columns[k] >> 4;
        if (k)
            near[k] |= columns[k - 1] >> 60;
        if (k < JPEG2000_WORDS - 1)
            near[k] |= columns[k + 1] << 60;
    }
}

/* Tell a sample's neighbours that it is significant; `causal` hides it from the stripe above. */
ALWAYS_INLINE void mark_significant(uint16_t *sample, unsigned row, unsigned negative, bool causal)
{
    static const int ABOVE[4] = {3 - NEIGHBOURHOOD_STRIDE, -1, -1, -1};
    static const int BELOW[4] = {1, 1, 1, NEIGHBOURHOOD_STRIDE - 3};
    uint16_t *above = sample + ABOVE[row], *below = sample + BELOW[row];
    unsigned sign = negative << NEGATIVE;
    if (!causal || row) {
        above[-4] |= SOUTH_EAST;
        above[0] |= (uint16_t)(SOUTH | sign * SOUTH);
        above[4] |= SOUTH_WEST;
    }
    sample[-4] |= (uint16_t)(EAST | sign * EAST);
    sample[4] |= (uint16_t)(WEST | sign * WEST);
    below[-4] |= NORTH_EAST;
    below[0] |= (uint16_t)(NORTH | sign * NORTH);
    below[4] |= NORTH_WEST;
}

/* The neighbourhood of the first sample of a stripe's word. */
static inline size_t find_neighbourhood(unsigned stripe, unsigned word)
{
    return (size_t)(stripe + 1) * NEIGHBOURHOOD_STRIDE + 4 + (size_t)word * 64;
}

/* Which bits of a stripe's word are samples of a block. */
static inline uint64_t find_inside(unsigned width, unsigned height, unsigned stripe, unsigned word)
{
    unsigned rows = height - 4 * stripe, columns = width > 16 * word ? width - 16 * word : 0;
    uint64_t inside = rows >= 4 ? UINT64_MAX : FIRST_ROWS * ((1u << rows) - 1);
    return columns >= 16 ? inside : inside & ((UINT64_C(1) << 4 * columns) - 1);
}

/* Find the columns that the cleanup pass codes as runs, D.3.4: all four samples are to be coded,
 * and none has a significant neighbour. Returns their first rows. */
static inline uint64_t find_runs(uint64_t hindered)
{
    hindered |= hindered >> 1;
    hindered |= hindered >> 2;
    return ~hindered & FIRST_ROWS;
}

/* Count bits of FIRST_ROWS. */
static inline unsigned count_columns(uint64_t first_rows)
{
    uint64_t pairs = (first_rows & UINT64_C(0x0F0F0F0F0F0F0F0F))
                     + (first_rows >> 4 & UINT64_C(0x0F0F0F0F0F0F0F0F));
    return (unsigned)(pairs * UINT64_C(0x0101010101010101) >> 56);
}

/* Of the columns that are left of a word, find those before one that is no member of a set. */
static inline uint64_t find_leading(uint64_t left, uint64_t set)
{
    uint64_t others = left & ~set;
    return left & (others - 1) & ~others;
}

#endif
