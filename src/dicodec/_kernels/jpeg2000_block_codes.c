#include "jpeg2000_block_codes.h"

#include <string.h>

enum { AT_ONCE = 1024 }; /* symbols for which room is made */

/* Make room for the next symbols' code. */
static bool make_room(jpeg2000_arithmetic_encoder *coder, jpeg2000_bytes *bytes)
{
    size_t written = (size_t)(coder->last - bytes->bytes);
    bytes->length = written + 1;
    if (!jpeg2000_make_room(bytes, ENCODER_ROOM * AT_ONCE + ENCODER_SLACK))
        return false;
    coder->last = bytes->bytes + written;
    return true;
}

/* Append the arithmetic code of some symbols. */
static bool append_symbols(jpeg2000_arithmetic_encoder *coder,
                           const jpeg2000_encoder_transitions *transitions,
                           const jpeg2000_symbol *symbols, size_t count, jpeg2000_bytes *bytes)
{
    for (size_t i = 0; i < count; i += AT_ONCE) {
        if (!make_room(coder, bytes))
            return false;
        jpeg2000_encode_symbols(coder, transitions, symbols + i,
                                count - i < AT_ONCE ? count - i : AT_ONCE);
    }
    return true;
}

/* Start a code whose first byte, for a carry, comes before it. */
static bool start_code(jpeg2000_arithmetic_encoder *coder, jpeg2000_bytes *bytes)
{
    if (!jpeg2000_make_room(bytes, 1 + ENCODER_SLACK))
        return false;
    *coder = jpeg2000_start_encoder(bytes->bytes + bytes->length);
    return true;
}

/* Finish a code that starts at a place; return its length. */
static size_t finish_code(jpeg2000_arithmetic_encoder *coder, size_t start, jpeg2000_bytes *bytes)
{
    uint8_t *before = bytes->bytes + start;
    bytes->length = start;
    return (size_t)(jpeg2000_finish_encoder(coder, before) - before) - 1;
}

void jpeg2000_keep_code(jpeg2000_bytes *bytes, size_t length)
{
    uint8_t *before = bytes->bytes + bytes->length;
    memmove(before, before + 1, length);
    bytes->length += length;
}

bool jpeg2000_append_codes(jpeg2000_block_coder *coder, const jpeg2000_symbol *const symbols[2],
                           const size_t counts[2], jpeg2000_bytes *bytes, size_t lengths[2])
{
    jpeg2000_arithmetic_encoder coders[2];
    jpeg2000_bytes *second = &coder->second;
    size_t start = bytes->length, both = counts[0] < counts[1] ? counts[0] : counts[1];
    second->length = 0;
    if (!start_code(coders, bytes) || !start_code(coders + 1, second))
        return false;
    for (size_t i = 0; i < both; i += AT_ONCE) {
        if (!make_room(coders, bytes) || !make_room(coders + 1, second))
            return false;
        jpeg2000_encode_two(coders, &coder->transitions, symbols[0] + i, symbols[1] + i,
                            both - i < AT_ONCE ? both - i : AT_ONCE);
    }
    if (!append_symbols(coders, &coder->transitions, symbols[0] + both, counts[0] - both, bytes)
        || !append_symbols(coders + 1, &coder->transitions, symbols[1] + both, counts[1] - both,
                           second))
        return false;
    lengths[0] = finish_code(coders, start, bytes);
    lengths[1] = finish_code(coders + 1, 0, second);
    jpeg2000_keep_code(bytes, lengths[0]);
    if (!jpeg2000_make_room(bytes, lengths[1]))
        return false;
    memcpy(bytes->bytes + bytes->length, second->bytes + 1, lengths[1]);
    bytes->length += lengths[1];
    return true;
}

bool jpeg2000_append_code(const jpeg2000_block_coder *coder, const jpeg2000_symbol *symbols,
                          size_t count, jpeg2000_bytes *bytes, size_t *length)
{
    jpeg2000_arithmetic_encoder started;
    size_t start = bytes->length;
    if (!start_code(&started, bytes)
        || !append_symbols(&started, &coder->transitions, symbols, count, bytes))
        return false;
    *length = finish_code(&started, start, bytes);
    jpeg2000_keep_code(bytes, *length);
    return true;
}

bool jpeg2000_append_passes(const jpeg2000_block_coder *coder, const jpeg2000_symbol *symbols,
                            const jpeg2000_pass_end *passes, unsigned count,
                            jpeg2000_bytes *bytes, jpeg2000_upper_end *ends, size_t *length)
{
    jpeg2000_arithmetic_encoder started;
    size_t start = bytes->length, from = 0;
    if (!start_code(&started, bytes))
        return false;
    for (unsigned i = 0; i < count; i++) {
        size_t to = passes[i].symbols;
        if (!append_symbols(&started, &coder->transitions, symbols + from, to - from, bytes))
            return false;
        from = to;
        ends[i] = jpeg2000_find_upper_end(&started, bytes->bytes + start);
    }
    *length = finish_code(&started, start, bytes);
    return true;
}
