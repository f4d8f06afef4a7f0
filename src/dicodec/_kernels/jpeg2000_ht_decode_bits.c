#include "jpeg2000_ht_decode_bits.h"

#include <string.h>

#include "jpeg2000_ht_codes.h"

enum {
    ONES = 0xFF,
    STUFFED_BEFORE = 0x90, /* bytes from there on in VLC, which is read backward */
    LENGTH_BITS = 4,     /* of Scup, in the last byte but one */
};

static const uint64_t EACH_BYTE = UINT64_C(0x0101010101010101);

/* Bits that are put together, less than a byte of them. */
typedef struct {
    uint8_t *at;
    uint64_t held;
    unsigned count;
} bit_writer;

ALWAYS_INLINE void put_bits(bit_writer *writer, unsigned bits, unsigned count)
{
    writer->held |= (uint64_t)bits << writer->count;
    writer->count += count;
    if (writer->count >= 8) {
        *writer->at++ = (uint8_t)writer->held;
        writer->held >>= 8;
        writer->count -= 8;
    }
}

/* Put eight bytes without stuffing. */
ALWAYS_INLINE void put_word(bit_writer *writer, uint64_t word)
{
    store_word(writer->at, writer->held | word << writer->count);
    writer->held = word >> 1 >> (63 - writer->count);
    writer->at += 8;
}

/* Fill the rest with zeros or ones. */
static void finish(bit_writer *writer, jpeg2000_ht_bits *bits, uint8_t filler)
{
    bits->count = (size_t)(writer->at - bits->bytes) * 8 + writer->count;
    *writer->at = (uint8_t)(writer->held | (unsigned)filler << writer->count);
    memset(writer->at + 1, filler, HT_SPARE_BYTES - 1);
}

/* Whether a byte may be all ones. */
ALWAYS_INLINE bool may_have_ones(uint64_t word)
{
    return (~word - EACH_BYTE) & word & 0x80 * EACH_BYTE;
}

bool jpeg2000_take_ht_forward(jpeg2000_ht_bits *bits, const uint8_t *data, size_t length)
{
    const uint8_t *end = data + length;
    bit_writer writer = {bits->bytes, 0, 0};
    bool after_ones = false;
    while (data < end) {
        if (end - data >= 8 && !after_ones) {
            uint64_t word = peek_bits(data, 0);
            if (!may_have_ones(word)) {
                put_word(&writer, word);
                data += 8;
                continue;
            }
        }
        const uint8_t *stop = end - data > 8 ? data + 8 : end;
        for (; data < stop; data++) {
            if (after_ones && *data >> 7)
                return false;
            put_bits(&writer, *data, 8 - after_ones);
            after_ones = *data == ONES;
        }
    }
    finish(&writer, bits, ONES);
    return true;
}

/* The eight bytes before a place, the last one lowest. */
ALWAYS_INLINE uint64_t load_backward(const uint8_t *end)
{
    return (uint64_t)end[-1] | (uint64_t)end[-2] << 8 | (uint64_t)end[-3] << 16
           | (uint64_t)end[-4] << 24 | (uint64_t)end[-5] << 32 | (uint64_t)end[-6] << 40
           | (uint64_t)end[-7] << 48 | (uint64_t)end[-8] << 56;
}

/* Whether a byte may have ones below its highest bit, and so be stuffed. */
ALWAYS_INLINE bool may_be_stuffed(uint64_t word)
{
    uint64_t lacking = ~word & 0x7F * EACH_BYTE;
    return (lacking - EACH_BYTE) & 0x80 * EACH_BYTE;
}

bool jpeg2000_take_ht_backward(jpeg2000_ht_bits *bits, const uint8_t *data, size_t length)
{
    const uint8_t *at = data + length - 2; /* behind the next byte */
    bit_writer writer = {bits->bytes, 0, 0};
    unsigned before = *at | ((1u << LENGTH_BITS) - 1), first = before >> LENGTH_BITS;
    put_bits(&writer, first & 7, 3);
    if ((first & 7) != 7) /* else its highest bit is stuffed */
        put_bits(&writer, first >> 3, 1);
    while (at > data) {
        if (at - data >= 8) {
            uint64_t word = load_backward(at);
            if (!may_be_stuffed(word)) {
                put_word(&writer, word);
                at -= 8;
                before = *at;
                continue;
            }
        }
        const uint8_t *stop = at - data > 8 ? at - 8 : data;
        while (at > stop) {
            unsigned byte = *--at;
            bool stuffed = before >= STUFFED_BEFORE && (byte & 127) == 127;
            if (stuffed && byte == ONES)
                return false;
            put_bits(&writer, byte, 8 - stuffed);
            before = byte;
        }
    }
    finish(&writer, bits, 0);
    return true;
}

jpeg2000_ht_events jpeg2000_start_ht_events(const uint8_t *data, size_t length)
{
    return (jpeg2000_ht_events){.at = data, .last = data + length - 2};
}

/* Have as many bits as a run takes; behind the end are ones. */
static void refill_events(jpeg2000_ht_events *events)
{
    while (events->count <= 56) {
        unsigned byte = events->at > events->last ? ONES : *events->at;
        if (events->at == events->last)
            byte |= (1u << LENGTH_BITS) - 1;
        unsigned count = 8 - events->after_ones;
        events->bits |= (uint64_t)(byte & ((1u << count) - 1)) << (64 - count - events->count);
        events->count += count;
        events->after_ones = byte == ONES;
        events->at += events->at <= events->last;
    }
}

void jpeg2000_read_ht_run(jpeg2000_ht_events *events)
{
    enum { LAST_STATE = JPEG2000_HT_MEL_STATES - 1, MOST_BITS = 6 };
    if (events->count < MOST_BITS)
        refill_events(events);
    unsigned exponent = jpeg2000_ht_mel_exponents[events->state], taken = 1;
    if (events->bits >> 63) {
        events->zeros = 1u << exponent;
        events->state += events->state < LAST_STATE;
    } else {
        events->zeros = (unsigned)(events->bits >> (63 - exponent));
        events->has_one = true;
        events->state -= events->state > 0;
        taken += exponent;
    }
    events->bits <<= taken;
    events->count -= taken;
    events->taken += taken;
}
