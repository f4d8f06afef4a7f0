#include "jpeg_ls_markers.h"

#include <string.h>

#include "jpeg_segments.h"

enum {
    SOI = 0xD8, EOI = 0xD9, SOS = 0xDA, APP0 = 0xE0, APP8 = 0xE8, APP15 = 0xEF, SOF55 = 0xF7,
    LSE = 0xF8, COM = 0xFE,
};

enum {
    PRESET = 11,     /* bytes of preset coding parameters */
    FEWEST_BITS = 8, /* with fewer, DCMTK has other thresholds, and does not state them */
    MOST_BITS = 12,  /* with more, CharLS states the thresholds */
};

static int load_16(const uint8_t *bytes)
{
    return bytes[0] << 8 | bytes[1];
}

static bool read_frame_header(jpeg_ls_headers *headers, const uint8_t *at, size_t size)
{
    const kernel_image *image = headers->image;
    if (headers->precision
        || !jpeg_read_frame_header(at, size, image, &headers->precision, headers->ids))
        return false;
    for (unsigned i = 0; i < image->components; i++)
        if (at[8 + 3 * i]) /* Tq */
            return false;
    return true;
}

/* Preset coding parameters (C.2.4.1.1); once, before all scans. */
static bool read_preset(jpeg_ls_headers *headers, const uint8_t *at, size_t size)
{
    if (size != PRESET || at[0] != 1 || headers->has_preset || headers->decoded)
        return false;
    headers->has_preset = true;
    headers->maximum = load_16(at + 1);
    for (int i = 0; i < 3; i++)
        headers->threshold[i] = load_16(at + 3 + 2 * i);
    int reset = load_16(at + 9);
    return reset == 0 || reset == JPEG_LS_RESET;
}

/* Make a scan's parameters of its NEAR and of the preset; false if the preset does not suit. */
static bool find_parameters(const jpeg_ls_headers *headers, int near, jpeg_ls_parameters *is)
{
    int maximum = (1 << headers->precision) - 1;
    /* CharLS does not read what the standard says of a smaller MAXVAL. */
    if ((headers->maximum && headers->maximum != maximum) || near > maximum / 2)
        return false;
    jpeg_ls_set_parameters(is, headers->precision, near);
    int lowest = near + 1;
    for (int i = 0; i < 3; i++) {
        if (headers->threshold[i])
            is->threshold[i] = headers->threshold[i];
        if (is->threshold[i] < lowest || is->threshold[i] > maximum)
            return false;
        lowest = is->threshold[i];
    }
    return headers->precision >= FEWEST_BITS || headers->has_preset;
}

static bool read_scan_header(jpeg_ls_headers *headers, const uint8_t *at, size_t size,
                             jpeg_ls_scan *scan)
{
    unsigned components = headers->image->components;
    if (!headers->precision || !size || (at[0] != 1 && at[0] != components)
        || size != 4 + 2 * (size_t)at[0])
        return false;
    scan->first = headers->decoded;
    scan->count = at[0];
    if (scan->first + scan->count > components)
        return false;
    for (unsigned i = 0; i < scan->count; i++)
        if (at[1 + 2 * i] != headers->ids[scan->first + i] || at[2 + 2 * i])
            return false;
    headers->decoded += scan->count;
    at += 1 + 2 * scan->count;
    if (at[2] || at[1] > JPEG_LS_BY_SAMPLE || (scan->count == 1) != (at[1] == JPEG_LS_APART))
        return false;
    scan->interleaving = (jpeg_ls_interleaving)at[1];
    return find_parameters(headers, at[0], &scan->is);
}

jpeg_ls_found jpeg_ls_read_headers(jpeg_ls_headers *headers, jpeg_ls_scan *scan)
{
    for (int segments = 0; segments < JPEG_MOST_SEGMENTS; segments++) {
        unsigned marker = jpeg_read_marker(&headers->at, headers->end);
        if (marker == EOI)
            return jpeg_is_padding(headers->at, headers->end)
                    && headers->decoded == headers->image->components ? JPEG_LS_END : JPEG_LS_OTHER;
        /* APP8 may state a transform of colors, or a SPIFF header. */
        bool is_comment = marker == COM || (marker >= APP0 && marker <= APP15 && marker != APP8);
        if (!is_comment && marker != SOF55 && marker != LSE && marker != SOS)
            return JPEG_LS_OTHER;
        size_t size;
        const uint8_t *body = jpeg_take_parameters(&headers->at, headers->end, &size);
        if (!body)
            return JPEG_LS_OTHER;
        if (marker == SOS)
            return read_scan_header(headers, body, size, scan) ? JPEG_LS_SCAN : JPEG_LS_OTHER;
        if (marker == SOF55 && !read_frame_header(headers, body, size))
            return JPEG_LS_OTHER;
        if (marker == LSE && !read_preset(headers, body, size))
            return JPEG_LS_OTHER;
    }
    return JPEG_LS_OTHER;
}

static uint8_t *put_16(uint8_t *out, unsigned value)
{
    out[0] = (uint8_t)(value >> 8);
    out[1] = (uint8_t)value;
    return out + 2;
}

static uint8_t *put_segment(uint8_t *out, unsigned marker, unsigned size)
{
    out[0] = 0xFF;
    out[1] = (uint8_t)marker;
    return put_16(out + 2, size + 2);
}

static uint8_t *put_preset(uint8_t *out, const jpeg_ls_parameters *is)
{
    out = put_segment(out, LSE, PRESET);
    *out++ = 1;
    out = put_16(out, (unsigned)is->maximum);
    for (int i = 0; i < 3; i++)
        out = put_16(out, (unsigned)is->threshold[i]);
    return put_16(out, JPEG_LS_RESET);
}

size_t jpeg_ls_write_headers(uint8_t *out, const kernel_image *image, unsigned precision,
                             const jpeg_ls_parameters *is)
{
    uint8_t *start = out;
    unsigned components = image->components;
    *out++ = 0xFF;
    *out++ = SOI;
    out = put_segment(out, SOF55, 6 + 3 * components);
    *out++ = (uint8_t)precision;
    out = put_16(put_16(out, image->rows), image->columns);
    *out++ = (uint8_t)components;
    for (unsigned i = 0; i < components; i++) {
        memcpy(out, (const uint8_t[]){(uint8_t)(i + 1), 0x11, 0}, 3);
        out += 3;
    }
    if (precision < FEWEST_BITS || precision > MOST_BITS)
        out = put_preset(out, is);
    out = put_segment(out, SOS, 4 + 2 * components);
    *out++ = (uint8_t)components;
    for (unsigned i = 0; i < components; i++)
        out = put_16(out, (i + 1) << 8);
    *out++ = (uint8_t)is->near;
    *out++ = components == 1 ? JPEG_LS_APART : JPEG_LS_BY_SAMPLE;
    *out++ = 0;
    return (size_t)(out - start);
}
