#include "jpeg2000_ht_encode_bits.h"

#include <stdbool.h>
#include <string.h>

#include "jpeg2000_ht_codes.h"

enum {
    CHUNK = 7, /* bytes that a window holds for certain */
    SCUP_BITS = 12,
};

static const uint64_t EACH_BYTE = UINT64_C(0x0001010101010101); /* of a chunk */

static void put_mel_bits(jpeg2000_ht_mel *mel, unsigned value, unsigned count)
{
    mel->window = mel->window << count | value;
    mel->held += count;
    while (mel->held >= mel->size) {
        mel->held -= mel->size;
        uint8_t byte = (uint8_t)(mel->window >> mel->held & (0xFFu >> (8 - mel->size)));
        mel->bytes[mel->length++] = byte;
        mel->size = byte == 0xFF ? 7 : 8;
    }
}

void jpeg2000_ht_put_mel(jpeg2000_ht_mel *mel, unsigned symbol)
{
    unsigned exponent = jpeg2000_ht_mel_exponents[mel->state];
    if (symbol) {
        put_mel_bits(mel, mel->run, 1 + exponent);
        mel->run = 0;
        mel->state -= mel->state > 0;
    } else if (++mel->run == 1u << exponent) {
        put_mel_bits(mel, 1, 1);
        mel->run = 0;
        mel->state += mel->state < JPEG2000_HT_MEL_STATES - 1;
    }
}

/* Fill the bytes behind the bits; return how many bits there are. */
static size_t finish(jpeg2000_ht_bit_writer *bits, const uint8_t *first, uint64_t filling)
{
    size_t count = 8 * (size_t)(bits->at - first) + bits->held;
    store_word(bits->at, bits->window | filling << bits->held);
    store_word(bits->at + 8, filling);
    return count;
}

/* A byte of ones is followed by one of seven bits; ones fill the last byte, and one of ones only is
 * left out at the end, where a reader finds ones. */
size_t jpeg2000_ht_stuff_magnitudes(jpeg2000_ht_bit_writer *bits, const uint8_t *first,
                                    uint8_t *out)
{
    size_t count = finish(bits, first, UINT64_MAX), position = 0;
    const uint8_t *start = out;
    bool after_ones = false;
    while (position < count) {
        uint64_t window = peek_bits(first, position), ones = window & (window >> 4);
        ones &= ones >> 2;
        ones &= ones >> 1;
        if (!after_ones && !(ones & EACH_BYTE) && count - position >= 8 * CHUNK) {
            store_word(out, window);
            out += CHUNK;
            position += 8 * CHUNK;
            continue;
        }
        *out = (uint8_t)(after_ones ? window & 0x7F : window);
        position += after_ones ? 7 : 8;
        after_ones = *out++ == 0xFF;
    }
    return (size_t)(out - start) - after_ones;
}

/* Stuff VLC bits from the end of their room back: behind a byte above 8F, seven ones are a byte of
 * their own. Leaves fewer bits than a byte has, `*left`, in `*rest`. */
static uint8_t *stuff_codes(const uint8_t *first, size_t count, uint8_t *end, unsigned *rest,
                            unsigned *left)
{
    uint8_t *at = end - 1;
    size_t position = 0;
    *at = 0xFF; /* for Scup */
    for (;;) {
        uint64_t window = peek_bits(first, position);
        if (!(((window & 0x7F * EACH_BYTE) + EACH_BYTE) & 0x80 * EACH_BYTE)
            && count - position >= 8 * CHUNK) {
            for (unsigned i = 0; i < CHUNK; i++)
                *--at = (uint8_t)(window >> 8 * i);
            position += 8 * CHUNK;
            continue;
        }
        bool is_short = *at > 0x8F && (window & 0x7F) == 0x7F;
        unsigned size = is_short ? 7 : 8;
        if (count - position < size) {
            *left = (unsigned)(count - position);
            *rest = (unsigned)window & ((1u << *left) - 1);
            return at;
        }
        *--at = (uint8_t)(window & (0xFF >> is_short));
        position += size;
    }
}

/* End the MEL bytes and the VLC bytes, which meet: a byte may hold bits of both. */
static uint8_t *fuse(jpeg2000_ht_mel *mel, uint8_t *at, bool has_codes, unsigned rest,
                     unsigned left)
{
    if (mel->run)
        put_mel_bits(mel, 1, 1);
    unsigned unused = mel->size - mel->held; /* bits of the last MEL byte */
    unsigned last = (mel->window & ((1u << mel->held) - 1)) << unused;
    unsigned high = 0xFFu << unused & 0xFF, low = (1u << left) - 1, both = last | rest;
    if (!(high | low))
        return at;
    if ((both & high) == last && (both & low) == rest && both != 0xFF && has_codes) {
        mel->bytes[mel->length++] = (uint8_t)both;
        return at;
    }
    mel->bytes[mel->length++] = (uint8_t)last;
    *--at = (uint8_t)rest;
    return at;
}

size_t jpeg2000_ht_join(jpeg2000_ht_mel *mel, jpeg2000_ht_bit_writer *codes, const uint8_t *first,
                        uint8_t *end)
{
    unsigned rest, left;
    size_t count = finish(codes, first, 0);
    uint8_t *at = stuff_codes(first, count, end, &rest, &left);
    at = fuse(mel, at, end - at > 1, rest, left);
    at -= mel->length;
    memcpy(at, mel->bytes, mel->length);
    size_t length = (size_t)(end - at);
    end[-1] = (uint8_t)(length >> (SCUP_BITS - 8));
    end[-2] = (uint8_t)((end[-2] & 0xF0) | (length & 0x0F));
    return length;
}
