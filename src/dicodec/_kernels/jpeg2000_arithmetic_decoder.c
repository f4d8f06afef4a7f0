#include "jpeg2000_arithmetic_decoder.h"

static void put_context(uint8_t *row, unsigned index, jpeg2000_context context)
{
    memcpy(row + 8 * index, &context, sizeof context);
}

void jpeg2000_make_transitions(jpeg2000_transitions *transitions)
{
    for (unsigned i = 0; i < JPEG2000_STATES; i++) {
        const jpeg2000_state *state = jpeg2000_states + i;
        for (unsigned symbol = 0; symbol < 2; symbol++) {
            uint8_t *row = transitions->rows + (2 * i + symbol) * CONTEXT_ROW + symbol;
            put_context(row, MORE_PROBABLE, make_context(state->next_more, symbol));
            put_context(row, LESS_PROBABLE,
                        make_context(state->next_less, symbol ^ state->exchanges));
        }
    }
}

jpeg2000_arithmetic_decoder jpeg2000_refill_slowly(jpeg2000_arithmetic_decoder decoder)
{
    const uint8_t *at = decoder.at;
    unsigned place = count_low_zeros(decoder.code);
    decoder.code &= decoder.code - 1;
    while (place >= 8) {
        if (at < decoder.end && at[-1] == 0xFF) {
            if (*at > 0x8F) { /* a marker ends the data */
                decoder.end = at;
                continue;
            }
            decoder.code += (uint64_t)*at++ << (place - 6); /* its first bit is for a carry */
            place -= 7;
        } else {
            uint64_t byte = at < decoder.end ? *at++ : 0xFF;
            decoder.code += byte << (place - 7);
            place -= 8;
        }
    }
    decoder.code |= UINT64_C(1) << place;
    decoder.at = at;
    return decoder;
}

jpeg2000_arithmetic_decoder jpeg2000_start_decoder(const uint8_t *data, size_t length)
{
    uint64_t first = length ? data[0] : 0xFF;
    jpeg2000_arithmetic_decoder decoder = {
        first << 55 | UINT64_C(1) << 54, LOWEST_INTERVAL, data + (length != 0), data + length};
    return jpeg2000_refill_slowly(decoder);
}
