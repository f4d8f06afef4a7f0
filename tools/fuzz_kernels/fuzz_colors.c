#include <stdlib.h>

#include "colors.h"
#include "fuzz.h"

typedef void conversion(const uint8_t *from, size_t pixels, unsigned bits, uint8_t *to);

/* Bytes within Bits Stored come back from YBR_FULL nearly as they were. */
void fuzz_colors_round_trip(fuzz_random *random)
{
    unsigned bits = 1 + draw(random, 8);
    size_t pixels = draw(random, 1200), size = 3 * pixels;
    uint8_t *rgb = take(size), *ybr = take(size), *back = take(size);
    draw_bytes(random, rgb, size);
    for (size_t i = 0; i < size; i++)
        rgb[i] &= (uint8_t)((1u << bits) - 1);
    count_input();
    colors_to_ybr_full(rgb, pixels, bits, ybr);
    colors_to_rgb(ybr, pixels, bits, back);
    /* Each of Y, Cb, Cr is half a unit off at most, or a whole one where chroma is clamped:
     * 1 + 1.772, and a half for rounding. */
    for (size_t i = 0; i < size; i++)
        CHECK(abs(rgb[i] - back[i]) <= 3);
    free(rgb);
    free(ybr);
    free(back);
}

/* Whatever bytes come, each pixel is converted as it is alone, and stays within Bits Stored. */
void fuzz_colors_survive(fuzz_random *random)
{
    conversion *convert = draw(random, 2) ? colors_to_rgb : colors_to_ybr_full;
    unsigned bits = 1 + draw(random, 8);
    size_t pixels = draw(random, 1200), size = 3 * pixels;
    uint8_t *from = take(size), *to = take(size), alone[3];
    draw_bytes(random, from, size);
    count_input();
    convert(from, pixels, bits, to);
    for (size_t i = 0; i < size; i++) {
        if (i % 3 == 0)
            convert(from + i, 1, bits, alone);
        CHECK(to[i] == alone[i % 3] && to[i] >> bits == 0);
    }
    free(from);
    free(to);
}
