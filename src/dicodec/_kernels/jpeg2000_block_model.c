#include "jpeg2000_block_model.h"

const jpeg2000_state jpeg2000_states[JPEG2000_STATES] = {
    {0x5601, 1, 1, true},    {0x3401, 2, 6, false},   {0x1801, 3, 9, false},
    {0x0AC1, 4, 12, false},  {0x0521, 5, 29, false},  {0x0221, 38, 33, false},
    {0x5601, 7, 6, true},    {0x5401, 8, 14, false},  {0x4801, 9, 14, false},
    {0x3801, 10, 14, false}, {0x3001, 11, 17, false}, {0x2401, 12, 18, false},
    {0x1C01, 13, 20, false}, {0x1601, 29, 21, false}, {0x5601, 15, 14, true},
    {0x5401, 16, 14, false}, {0x5101, 17, 15, false}, {0x4801, 18, 16, false},
    {0x3801, 19, 17, false}, {0x3401, 20, 18, false}, {0x3001, 21, 19, false},
    {0x2801, 22, 19, false}, {0x2401, 23, 20, false}, {0x2201, 24, 21, false},
    {0x1C01, 25, 22, false}, {0x1801, 26, 23, false}, {0x1601, 27, 24, false},
    {0x1401, 28, 25, false}, {0x1201, 29, 26, false}, {0x1101, 30, 27, false},
    {0x0AC1, 31, 28, false}, {0x09C1, 32, 29, false}, {0x08A1, 33, 30, false},
    {0x0521, 34, 31, false}, {0x0441, 35, 32, false}, {0x02A1, 36, 33, false},
    {0x0221, 37, 34, false}, {0x0141, 38, 35, false}, {0x0111, 39, 36, false},
    {0x0085, 40, 37, false}, {0x0049, 41, 38, false}, {0x0025, 42, 39, false},
    {0x0015, 43, 40, false}, {0x0009, 44, 41, false}, {0x0005, 45, 42, false},
    {0x0001, 45, 43, false}, {0x5601, 46, 46, false},
};

/* Table D.1 for LL and LH; HL has horizontal and vertical exchanged. */
static unsigned find_edge_context(unsigned horizontal, unsigned vertical, unsigned diagonal)
{
    if (horizontal == 2)
        return 8;
    if (horizontal == 1)
        return vertical ? 7 : diagonal ? 6 : 5;
    if (vertical)
        return vertical + 2;
    return diagonal < 2 ? diagonal : 2;
}

/* Table D.1 for HH */
static unsigned find_diagonal_context(unsigned nearest, unsigned diagonal)
{
    if (diagonal >= 3)
        return 8;
    if (diagonal == 2)
        return nearest ? 7 : 6;
    nearest = nearest < 2 ? nearest : 2;
    return diagonal ? 3 + nearest : nearest;
}

static unsigned has(unsigned neighbourhood, unsigned bit)
{
    return (neighbourhood & bit) != 0;
}

static uint8_t find_zero_context(unsigned orientation, unsigned neighbourhood)
{
    enum { HL = 1, HH = 3 };
    unsigned horizontal = has(neighbourhood, WEST) + has(neighbourhood, EAST);
    unsigned vertical = has(neighbourhood, NORTH) + has(neighbourhood, SOUTH);
    unsigned diagonal = has(neighbourhood, NORTH_WEST) + has(neighbourhood, NORTH_EAST)
                        + has(neighbourhood, SOUTH_WEST) + has(neighbourhood, SOUTH_EAST);
    if (orientation == HH)
        return (uint8_t)find_diagonal_context(horizontal + vertical, diagonal);
    if (orientation == HL)
        return (uint8_t)find_edge_context(vertical, horizontal, diagonal);
    return (uint8_t)find_edge_context(horizontal, vertical, diagonal);
}

/* Table D.2: two neighbours together, -1 to 1. */
static int find_contribution(unsigned neighbourhood, unsigned one, unsigned other)
{
    int sum = 0;
    unsigned bits[2] = {one, other};
    for (int i = 0; i < 2; i++)
        if (neighbourhood & bits[i])
            sum += neighbourhood & bits[i] << NEGATIVE ? -1 : 1;
    return sum > 1 ? 1 : sum < -1 ? -1 : sum;
}

/* Table D.3 */
static uint8_t find_sign_context(unsigned neighbourhood)
{
    int horizontal = find_contribution(neighbourhood, WEST, EAST);
    int vertical = find_contribution(neighbourhood, NORTH, SOUTH);
    bool flipped = horizontal < 0 || (!horizontal && vertical < 0);
    if (flipped) {
        horizontal = -horizontal;
        vertical = -vertical;
    }
    int context = JPEG2000_SIGN_CONTEXT + (horizontal ? 3 + vertical : vertical);
    return (uint8_t)(context | (flipped ? 128 : 0));
}

void jpeg2000_make_context_tables(jpeg2000_context_tables *tables)
{
    for (unsigned orientation = 0; orientation < 4; orientation++)
        for (unsigned i = 0; i < 256; i++)
            tables->zero[orientation][i] = find_zero_context(orientation, i);
    for (unsigned i = 0; i < 256; i++)
        tables->sign[i] = find_sign_context(i << SIGN_SHIFT);
}
