#include "jpeg_ls_bits.h"

#include <stdlib.h>
#include <string.h>

#define EACH_BYTE UINT64_C(0x0101010101010101)

/* Whether one of eight bytes is FF. */
static bool has_ff(uint64_t bytes)
{
    uint64_t zeros = ~bytes;
    return ((zeros - EACH_BYTE) & ~zeros & EACH_BYTE << 7) != 0;
}

const uint8_t *jpeg_ls_remove_stuffing(const uint8_t *at, const uint8_t *end, uint8_t *bits,
                                       size_t *count)
{
    jpeg_ls_bits out = {0, 0, bits};
    while (at < end) {
        if (end - at > 8) {
            uint64_t bytes = jpeg_ls_load(at);
            if (!has_ff(bytes)) {
                jpeg_ls_store(out.at, out.window | bytes >> out.held);
                out.at += 8;
                out.window = out.held ? bytes << (64 - out.held) : 0;
                at += 8;
                continue;
            }
        }
        unsigned byte = *at++;
        jpeg_ls_put(&out, byte, 8);
        if (byte != 0xFF)
            continue;
        if (at == end)
            return NULL;
        if (*at & 0x80) {
            *count = 8 * (size_t)(out.at - bits) + out.held - 8; /* without FF itself */
            size_t whole = *count >> 3, rest = *count & 7;
            memset(bits + whole + 1, 0, JPEG_LS_PADDING - 2);
            bits[whole] &= (uint8_t)~(0xFF >> rest);
            return at - 1;
        }
        jpeg_ls_put(&out, *at++, 7);
    }
    return NULL;
}

bool jpeg_ls_reserve(jpeg_ls_output *output, size_t more)
{
    if (output->room - output->length >= more)
        return true;
    size_t room = output->room + output->room / 2 + more;
    uint8_t *bytes = realloc(output->bytes, room);
    if (!bytes)
        return false;
    output->bytes = bytes;
    output->room = room;
    return true;
}

/* Move as many whole bytes as there are; return the position behind their bits. */
static size_t stuff(jpeg_ls_output *output, const uint8_t *bits, size_t count)
{
    uint8_t *out = output->bytes + output->length;
    bool after_ff = output->after_ff;
    size_t position = 0;
    for (;;) {
        uint64_t window = jpeg_ls_look(bits, position);
        if (after_ff) {
            if (count - position < 7)
                break;
            *out++ = (uint8_t)(window >> 57);
            position += 7;
            after_ff = false;
        } else if (count - position >= 56 && !has_ff(window & ~UINT64_C(0xFF))) {
            jpeg_ls_store(out, window);
            out += 7;
            position += 56;
        } else {
            if (count - position < 8)
                break;
            *out = (uint8_t)(window >> 56);
            after_ff = *out++ == 0xFF;
            position += 8;
        }
    }
    output->after_ff = after_ff;
    output->length = (size_t)(out - output->bytes);
    return position;
}

bool jpeg_ls_stuff(jpeg_ls_output *output, jpeg_ls_bits *bits, uint8_t *first)
{
    size_t count = 8 * (size_t)(bits->at - first) + bits->held;
    if (!jpeg_ls_reserve(output, count / 7 + JPEG_LS_PADDING))
        return false;
    jpeg_ls_store(bits->at, bits->window);
    size_t done = stuff(output, first, count);
    bits->window = jpeg_ls_look(first, done);
    bits->held = (unsigned)(count - done);
    bits->at = first;
    return true;
}

bool jpeg_ls_finish(jpeg_ls_output *output, jpeg_ls_bits *bits)
{
    if (!jpeg_ls_reserve(output, 2))
        return false;
    if (bits->held || output->after_ff) {
        uint8_t last = (uint8_t)(bits->window >> (output->after_ff ? 57 : 56));
        output->bytes[output->length++] = last;
        if (last == 0xFF)
            output->bytes[output->length++] = 0;
    }
    return true;
}
