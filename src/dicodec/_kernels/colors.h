/* RGB and YBR_FULL (PS3.3 C.7.6.3.1.2, ITU-R BT.601) of bytes by pixel, in fixed point arithmetic. */
#ifndef DICODEC_COLORS_H
#define DICODEC_COLORS_H

#include <stddef.h>
#include <stdint.h>

/* Convert pixels of three bytes to such ones of the same number, clamped to 0 to 2^bits - 1. bits
 * is 1 to 8; bytes of the source may lie past it. */
void colors_to_rgb(const uint8_t *ybr, size_t pixels, unsigned bits, uint8_t *rgb);
void colors_to_ybr_full(const uint8_t *rgb, size_t pixels, unsigned bits, uint8_t *ybr);

#endif
