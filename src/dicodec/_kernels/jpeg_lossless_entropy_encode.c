#include "jpeg_lossless_entropy_encode.h"

#include <string.h>

#include "jpeg_lossless_codes.h"

enum { MOST_BITS_AT_ONCE = 56 }; /* beside those of a byte begun */

void jpeg_lossless_assign_codes(jpeg_lossless_writer *writer, const jpeg_lossless_plan *plan)
{
    uint32_t next = 0;
    unsigned place = 0;
    memset(writer->codes, 0, sizeof writer->codes);
    for (unsigned length = 1; length <= JPEG_LOSSLESS_LONGEST_CODE; length++, next <<= 1)
        for (unsigned i = 0; i < plan->counts[length - 1]; i++) {
            unsigned category = plan->categories[place++];
            unsigned count = jpeg_lossless_count_additional_bits(category);
            writer->codes[category] = (jpeg_lossless_code){
                next++ << count, (uint16_t)((1u << count) - 1), (uint16_t)(length + count)};
        }
}

static inline void store_big_endian(uint8_t *bytes, uint64_t value)
{
    for (int i = 0; i < 8; i++)
        bytes[i] = (uint8_t)(value >> (56 - 8 * i));
}

static inline uint64_t join_bits(jpeg_lossless_code code, uint16_t difference)
{
    uint16_t additional = (uint16_t)(difference - (difference >> 15)); /* H.1.2.2 */
    return code.code | (additional & code.mask);
}

/* Write the lowest bits of a value, up to MOST_BITS_AT_ONCE; return where the next ones go. */
static inline uint8_t *write_bits(uint8_t *at, uint64_t *window, unsigned *held, uint64_t bits,
                                  unsigned count)
{
    *window = *window << count | bits;
    *held += count;
    if (!*held) /* a code that words got only after they were measured */
        return at;
    store_big_endian(at, *window << (64 - *held));
    at += *held >> 3;
    *held &= 7;
    return at;
}

/* Write the codes of a line without stuffing; return how many bytes are whole. */
static size_t write_codes(jpeg_lossless_writer *writer, const uint16_t *differences,
                          const uint8_t *categories, size_t count)
{
    uint64_t window = writer->window;
    unsigned held = writer->held;
    uint8_t *at = writer->plain;
    size_t i = 0;
    for (; i + 2 <= count; i += 2) {
        jpeg_lossless_code one = writer->codes[categories[i]];
        jpeg_lossless_code two = writer->codes[categories[i + 1]];
        uint64_t first = join_bits(one, differences[i]);
        uint64_t second = join_bits(two, differences[i + 1]);
        if (one.count + two.count <= MOST_BITS_AT_ONCE) {
            at = write_bits(at, &window, &held, first << two.count | second, one.count + two.count);
        } else {
            at = write_bits(at, &window, &held, first, one.count);
            at = write_bits(at, &window, &held, second, two.count);
        }
    }
    for (; i < count; i++) {
        jpeg_lossless_code one = writer->codes[categories[i]];
        at = write_bits(at, &window, &held, join_bits(one, differences[i]), one.count);
    }
    writer->window = window;
    writer->held = held;
    return (size_t)(at - writer->plain);
}

/* Add the line's bytes to the stream, with a zero behind each FF (F.1.2.3). */
static void stuff(jpeg_lossless_writer *writer, size_t size)
{
    const uint8_t *plain = writer->plain;
    while (size) {
        const uint8_t *found = memchr(plain, 0xFF, size);
        size_t run = found ? (size_t)(found - plain) + 1 : size;
        if ((size_t)(writer->end - writer->at) <= run) {
            writer->overflown = true;
            return;
        }
        memcpy(writer->at, plain, run);
        writer->at += run;
        if (found)
            *writer->at++ = 0;
        plain += run;
        size -= run;
    }
}

void jpeg_lossless_write_line(jpeg_lossless_writer *writer, const uint16_t *differences,
                              const uint8_t *categories, size_t count)
{
    stuff(writer, write_codes(writer, differences, categories, count));
}

void jpeg_lossless_fill_last_byte(jpeg_lossless_writer *writer)
{
    if (!writer->held)
        return;
    unsigned missing = 8 - writer->held;
    writer->plain[0] = (uint8_t)(writer->window << missing | ((1u << missing) - 1));
    stuff(writer, 1);
}
