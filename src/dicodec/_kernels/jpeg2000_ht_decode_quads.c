#include "jpeg2000_ht_decode_quads.h"

#include "processor.h"

enum { CODE = (1 << HT_CODE_BITS) - 1, PREFIXES = (1 << HT_PREFIX_BITS) - 1 };

/* Find what the row above contributes to contexts, equation 2: the quads to the north-west and the
 * north, then to the north and the north-east. */
ALWAYS_INLINE void find_contexts(const jpeg2000_ht_quads *above, uint16_t contexts[HT_QUADS])
{
    const uint16_t *told = above->told;
    for (unsigned q = 0; q < HT_QUADS; q++) {
        unsigned west = (told[q] >> 3 | told[q + 1] >> 1) & 1;
        unsigned east = (told[q + 1] >> 3 | told[q + 2] >> 1) & 1;
        contexts[q] = (uint16_t)(west | east << 2);
    }
}

/* What a quad contributes to the context of the next one, equations 1 and 2. */
ALWAYS_INLINE unsigned find_west(unsigned told, bool is_first_row)
{
    return is_first_row ? (told >> 1 & 7) | (told & 1) : (told >> 1 | told >> 2) & 2;
}

/* Read what a quad's codeword tells; in the context of none that is significant, an event says
 * whether there is one. */
ALWAYS_INLINE unsigned read_code(jpeg2000_ht_events *events, const uint16_t *codes,
                                 unsigned context, uint64_t bits)
{
    unsigned told = codes[context << HT_CODE_BITS | (bits & CODE)];
    if (!context && !take_event(events))
        told = 0;
    return told;
}

ALWAYS_INLINE unsigned mask_bits(uint64_t bits, unsigned count)
{
    return (unsigned)bits & ((1u << count) - 1);
}

ALWAYS_INLINE void read_row(jpeg2000_ht_quad_reader *reader, const jpeg2000_ht_tables *tables,
                            const jpeg2000_ht_quads *above, unsigned count,
                            jpeg2000_ht_quads *row)
{
    bool is_first_row = !above;
    const uint16_t *codes = tables->codes[!is_first_row];
    const uint16_t *prefixes = tables->prefixes[!is_first_row];
    uint16_t contexts[HT_QUADS] = {0};
    if (above)
        find_contexts(above, contexts);
    jpeg2000_ht_events events = reader->events;
    const uint8_t *bytes = reader->codes.bytes;
    size_t place = reader->place;
    unsigned west = 0;
    row->told[0] = 0;
    for (unsigned q = 0; q < count; q += 2) {
        uint64_t bits = peek_bits(bytes, place);
        unsigned first = read_code(&events, codes, contexts[q] | west, bits);
        unsigned taken = first >> HT_LENGTH_SHIFT, second = 0;
        bits >>= taken;
        west = find_west(first, is_first_row);
        if (q + 1 < count)
            second = read_code(&events, codes, contexts[q + 1] | west, bits);
        west = find_west(second, is_first_row);
        unsigned length = second >> HT_LENGTH_SHIFT;
        bits >>= length;
        taken += length;
        unsigned mode = (first >> HT_HAS_RESIDUAL_SHIFT & 1)
                        | (second >> HT_HAS_RESIDUAL_SHIFT & 1) << 1;
        if (is_first_row && mode == HT_BOTH)
            mode += take_event(&events);
        unsigned told = prefixes[mode << HT_PREFIX_BITS | (bits & PREFIXES)];
        length = told & HT_PREFIX;
        bits >>= length;
        taken += length;
        unsigned suffixes = told >> HT_SUFFIX_SHIFT & 15, split = told >> HT_FIRST_SUFFIX_SHIFT & 7;
        unsigned suffix = mask_bits(bits, suffixes);
        place += taken + suffixes;
        row->told[q + 1] = (uint16_t)first;
        row->told[q + 2] = (uint16_t)second;
        row->residuals[q] =
            (uint8_t)((told >> HT_FIRST_SHIFT & 7) + mask_bits(suffix, split));
        row->residuals[q + 1] = (uint8_t)((told >> HT_SECOND_SHIFT) + (suffix >> split));
    }
    row->told[(count + 1) / 2 * 2 + 1] = 0;
    reader->events = events;
    reader->place = place;
}

KERNEL_BIT_VARIANTS
void jpeg2000_read_ht_quads(jpeg2000_ht_quad_reader *reader, const jpeg2000_ht_tables *tables,
                            const jpeg2000_ht_quads *above, unsigned count,
                            jpeg2000_ht_quads *row)
{
    if (above)
        read_row(reader, tables, above, count, row);
    else
        read_row(reader, tables, NULL, count, row);
}
