/* The quads of an HTJ2K code-block, as its MEL and VLC bits tell of them: ISO/IEC 15444-15 7.3. */
#ifndef DICODEC_JPEG2000_HT_DECODE_QUADS_H
#define DICODEC_JPEG2000_HT_DECODE_QUADS_H

#include "jpeg2000_ht_decode_bits.h"
#include "jpeg2000_ht_decode_tables.h"

enum { HT_QUADS = JPEG2000_BLOCK / 2 }; /* of a row, and rows of them */

typedef struct {
    jpeg2000_ht_bits codes; /* VLC */
    size_t place;           /* of the next one */
    jpeg2000_ht_events events;
} jpeg2000_ht_quad_reader;

/* A row of quads. One before the first, and three behind the last, are not significant. */
typedef struct {
    uint16_t told[HT_QUADS + 4]; /* of a quad from index 1 on, see jpeg2000_ht_decode_tables.h */
    uint8_t residuals[HT_QUADS + 4]; /* u, from index 0 on */
} jpeg2000_ht_quads;

/* VLC bits that are read ahead. Those above `count` are right, if not 0. */
typedef struct {
    uint64_t bits;
    unsigned count;
    const uint8_t *next;
} jpeg2000_ht_window;

/* A row of quads that is being read, two at a time. */
typedef struct {
    jpeg2000_ht_window seen;
    jpeg2000_ht_events events;
    const uint32_t *codes, *prefixes;
    uint32_t west; /* the entry of the quad before */
    bool is_first;
    unsigned count;
    jpeg2000_ht_quads *quads;
    uint16_t contexts[HT_QUADS]; /* as far as the row above tells them, where codes have them */
} jpeg2000_ht_row;

/* Begin to read a row of some quads; `above` is the one above it, or NULL. What `quads` had is
 * overwritten. */
void jpeg2000_start_ht_row(jpeg2000_ht_row *row, const jpeg2000_ht_quad_reader *reader,
                           const jpeg2000_ht_tables *tables, const jpeg2000_ht_quads *above,
                           unsigned count, jpeg2000_ht_quads *quads);

/* Read all quads of a row. The bits may end before, which is to be checked. */
void jpeg2000_read_ht_quads(jpeg2000_ht_row *row);

/* Let the reader go on behind a row. */
void jpeg2000_finish_ht_row(const jpeg2000_ht_row *row, jpeg2000_ht_quad_reader *reader);

ALWAYS_INLINE void skip_bits(jpeg2000_ht_window *seen, uint32_t entry)
{
    seen->bits >>= entry & HT_LENGTH;
    seen->count -= entry & HT_LENGTH;
}

/* Read the entry of a quad's codeword; in the context of none that is significant, an event says
 * whether there is one. */
ALWAYS_INLINE uint32_t read_code(jpeg2000_ht_row *row, unsigned context)
{
    uint32_t entry = row->codes[context | (row->seen.bits & ((1u << HT_CODE_BITS) - 1))];
    if (!context && !take_event(&row->events))
        return 0;
    skip_bits(&row->seen, entry);
    return entry;
}

ALWAYS_INLINE unsigned mask_bits(uint64_t bits, unsigned count)
{
    return (unsigned)bits & ((1u << count) - 1);
}

/* Read a quad and the one behind it, of which the row may have only the first. */
ALWAYS_INLINE void read_quad_pair(jpeg2000_ht_row *row, unsigned q, bool is_first_row)
{
    jpeg2000_ht_window *seen = &row->seen;
    seen->bits |= peek_bits(seen->next, 0) << seen->count; /* so that it has 56 or more */
    seen->next += (63 - seen->count) >> 3;
    seen->count |= 56;
    uint32_t first = read_code(row, row->contexts[q] | row->west >> HT_WEST_SHIFT), second = 0;
    if (q + 1 < row->count)
        second = read_code(row, row->contexts[q + 1] | first >> HT_WEST_SHIFT);
    row->west = second;
    unsigned first_told = first >> HT_TOLD_SHIFT & HT_TOLD;
    unsigned second_told = second >> HT_TOLD_SHIFT & HT_TOLD;
    unsigned mode = (first_told >> HT_HAS_RESIDUAL_SHIFT & 1)
                    | (second_told >> HT_HAS_RESIDUAL_SHIFT & 1) << 1;
    if (is_first_row && mode == HT_BOTH)
        mode += take_event(&row->events);
    uint32_t entry =
        row->prefixes[mode << HT_PREFIX_BITS | (seen->bits & ((1u << HT_PREFIX_BITS) - 1))];
    unsigned prefix = entry >> HT_PREFIX_SHIFT & HT_PREFIX;
    unsigned length = entry >> HT_FIRST_SUFFIX_SHIFT & HT_FIRST_SUFFIX;
    unsigned suffix = mask_bits(seen->bits >> prefix, (entry & HT_LENGTH) - prefix);
    skip_bits(seen, entry);
    jpeg2000_ht_quads *quads = row->quads;
    quads->told[q + 1] = (uint16_t)first_told;
    quads->told[q + 2] = (uint16_t)second_told;
    quads->residuals[q] =
        (uint8_t)((entry >> HT_FIRST_SHIFT & HT_FIRST) + mask_bits(suffix, length));
    quads->residuals[q + 1] = (uint8_t)((entry >> HT_SECOND_SHIFT) + (suffix >> length));
}

#endif
