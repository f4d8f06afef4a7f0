#include "colors.h"

#include "processor.h"

/* The coefficients of BT.601 by 2^16, rounded, and results rounded to nearest, which is the
 * arithmetic of the IJG's JPEG library; pixels/color.py has the same. Products of bytes have 26
 * bits at most. */
enum { SCALE = 16, HALF = 1 << (SCALE - 1) };

/* Pixels that are taken apart together: arithmetic on bytes that follow each other takes the
 * processor's vectors, and these stay in its first cache. */
enum { BLOCK = 512 };

typedef struct {
    uint8_t planes[3][BLOCK];
} pixel_block;

static inline void take_apart(const uint8_t *restrict pixels, size_t count, pixel_block *block)
{
    for (size_t i = 0; i < count; i++)
        for (size_t plane = 0; plane < 3; plane++)
            block->planes[plane][i] = pixels[3 * i + plane];
}

static inline void put_together(const pixel_block *block, size_t count, uint8_t *restrict pixels)
{
    for (size_t i = 0; i < count; i++)
        for (size_t plane = 0; plane < 3; plane++)
            pixels[3 * i + plane] = block->planes[plane][i];
}

static inline uint8_t clamp(int32_t value, int32_t top)
{
    return (uint8_t)(value < 0 ? 0 : value > top ? top : value);
}

static inline void turn_to_rgb(pixel_block *block, size_t count, unsigned bits)
{
    const int32_t middle = 1 << (bits - 1), top = (1 << bits) - 1;
    for (size_t i = 0; i < count; i++) {
        int32_t y = block->planes[0][i];
        int32_t cb = block->planes[1][i] - middle, cr = block->planes[2][i] - middle;
        block->planes[0][i] = clamp(y + ((91881 * cr + HALF) >> SCALE), top);
        block->planes[1][i] = clamp(y + ((-22553 * cb - 46802 * cr + HALF) >> SCALE), top);
        block->planes[2][i] = clamp(y + ((116130 * cb + HALF) >> SCALE), top);
    }
}

static inline void turn_to_ybr_full(pixel_block *block, size_t count, unsigned bits)
{
    const int32_t top = (1 << bits) - 1;
    /* IJG: the offset of chroma is rounded down, so that 2^bits is never reached. */
    const int32_t chroma = (1 << (bits - 1 + SCALE)) + HALF - 1;
    for (size_t i = 0; i < count; i++) {
        int32_t red = block->planes[0][i], green = block->planes[1][i], blue = block->planes[2][i];
        /* The coefficients of Y are 1 together, those of Cb and Cr 0: differences take fewer. */
        int32_t y = 19595 * (red - green) + 7471 * (blue - green) + HALF;
        int32_t cb = 11058 * (blue - red) + 21710 * (blue - green) + chroma;
        int32_t cr = 27439 * (red - green) + 5329 * (red - blue) + chroma;
        block->planes[0][i] = clamp(green + (y >> SCALE), top);
        block->planes[1][i] = clamp(cb >> SCALE, top);
        block->planes[2][i] = clamp(cr >> SCALE, top);
    }
}

static inline size_t count_next(size_t pixels, size_t done)
{
    return pixels - done < BLOCK ? pixels - done : BLOCK;
}

KERNEL_VARIANTS
void colors_to_rgb(const uint8_t *ybr, size_t pixels, unsigned bits, uint8_t *rgb)
{
    pixel_block block;
    for (size_t done = 0, count; done < pixels; done += count) {
        count = count_next(pixels, done);
        take_apart(ybr + 3 * done, count, &block);
        turn_to_rgb(&block, count, bits);
        put_together(&block, count, rgb + 3 * done);
    }
}

KERNEL_VARIANTS
void colors_to_ybr_full(const uint8_t *rgb, size_t pixels, unsigned bits, uint8_t *ybr)
{
    pixel_block block;
    for (size_t done = 0, count; done < pixels; done += count) {
        count = count_next(pixels, done);
        take_apart(rgb + 3 * done, count, &block);
        turn_to_ybr_full(&block, count, bits);
        put_together(&block, count, ybr + 3 * done);
    }
}
