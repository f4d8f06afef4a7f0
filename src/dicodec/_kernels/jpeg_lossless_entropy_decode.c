#include "jpeg_lossless_entropy_decode.h"

#include <string.h>

enum { LOOKUPS = 5 }; /* that a full window has the bits for */

static inline uint64_t load_big_endian(const uint8_t *bytes)
{
    uint64_t value = 0;
    for (int i = 0; i < 8; i++)
        value = value << 8 | bytes[i];
    return value;
}

/* Hold at least 56 bits, unless the data end before. */
static inline void refill(jpeg_lossless_bits *bits)
{
    if (bits->at > bits->end)
        return;
    bits->window |= load_big_endian(bits->at) >> bits->held;
    bits->at += (63 - bits->held) >> 3;
    bits->held |= 56;
}

static inline void skip(jpeg_lossless_bits *bits, unsigned count)
{
    bits->window <<= count;
    bits->held -= (int)count;
}

/* Return whether the next bits are a code, of any length and category; call refill before. */
static bool read_long_code(jpeg_lossless_bits *bits, const decoding_table *table,
                           uint16_t *difference)
{
    uint32_t code = (uint32_t)(bits->window >> 48);
    unsigned length = 1;
    while (length <= JPEG_LOSSLESS_LONGEST_CODE && code >= table->limits[length])
        length++;
    if (length > JPEG_LOSSLESS_LONGEST_CODE)
        return false;
    code >>= JPEG_LOSSLESS_LONGEST_CODE - length;
    unsigned category = table->categories[table->places[length] + (int32_t)code];
    skip(bits, length);
    if (category == JPEG_LOSSLESS_LARGEST_CATEGORY) {
        *difference = 32768;
    } else {
        *difference = extend(bits->window, category, find_offset(category));
        skip(bits, category);
    }
    return true;
}

/* Read the difference that an entry has no room for; false if the next bits are not a code.
 *
 * Call refill before. */
static inline bool read_wide_difference(jpeg_lossless_bits *bits, const decoding_table *table,
                                        huffman_entry entry, uint16_t *difference)
{
    if (!entry.first)
        return read_long_code(bits, table, difference);
    *difference =
        extend(bits->window << entry.first, entry.total - entry.first, entry.differences[0]);
    skip(bits, entry.total);
    return true;
}

static inline huffman_entry look_up(const jpeg_lossless_bits *bits, const decoding_table *table)
{
    return table->entries[bits->window >> (64 - LOOKUP_BITS)];
}

/* Read differences that all have the same table; leave those that could reach past `count`. */
static size_t read_fast(jpeg_lossless_bits *reader, const decoding_table *table,
                        uint16_t *differences, size_t count, bool *known)
{
    jpeg_lossless_bits bits = *reader;
    uint16_t *at = differences;
    const uint16_t *end = differences + count;
    while (end - at >= 2 * LOOKUPS) {
        refill(&bits);
        for (int lookup = 0; lookup < LOOKUPS; lookup++) {
            huffman_entry entry = look_up(&bits, table);
            if (entry.count) {
                memcpy(at, entry.differences, sizeof entry.differences);
                at += entry.count;
                skip(&bits, entry.total);
            } else {
                jpeg_lossless_bits copy = bits; /* so that `bits` itself may stay in registers */
                if (lookup)
                    refill(&copy);
                *known &= read_wide_difference(&copy, table, entry, at);
                bits = copy;
                at++;
                break;
            }
        }
    }
    *reader = bits;
    return (size_t)(at - differences);
}

bool jpeg_lossless_read_differences(jpeg_lossless_bits *bits,
                                    const decoding_table *const tables[3], size_t pixel,
                                    uint16_t *differences, size_t count)
{
    bool known = true;
    size_t i = 0;
    const decoding_table *first = tables[0];
    if (pixel == 1 || (tables[1] == first && tables[2] == first))
        i = read_fast(bits, first, differences, count, &known);
    for (; i < count; i++) {
        const decoding_table *table = tables[i % pixel];
        refill(bits);
        huffman_entry entry = look_up(bits, table);
        if (entry.count) {
            differences[i] = entry.differences[0];
            skip(bits, entry.first);
        } else {
            known &= read_wide_difference(bits, table, entry, differences + i);
        }
    }
    return known;
}

unsigned jpeg_lossless_remove_stuffing(const uint8_t **stream, const uint8_t *end, uint8_t *plain,
                                       size_t *size)
{
    const uint8_t *at = *stream;
    uint8_t *data = plain;
    unsigned marker = 0;
    while (at < end) {
        const uint8_t *found = memchr(at, 0xFF, (size_t)(end - at));
        if (!found)
            break;
        size_t run = (size_t)(found - at);
        memcpy(data, at, run);
        data += run;
        at = found + 1;
        if (at < end && *at == 0) {
            *data++ = 0xFF;
            at++;
            continue;
        }
        while (at < end && *at == 0xFF) /* fill bytes (B.1.1.2) */
            at++;
        if (at < end)
            marker = *at++;
        break;
    }
    memset(data, 0, JPEG_LOSSLESS_PADDING);
    *size = (size_t)(data - plain);
    *stream = at;
    return marker;
}
