#include "jpeg_lossless_markers.h"

#include <string.h>

#include "jpeg_segments.h"

enum {
    SOF3 = 0xC3, DHT = 0xC4, SOI = 0xD8, EOI = 0xD9, SOS = 0xDA, DRI = 0xDD, APP0 = 0xE0,
    APP14 = 0xEE, APP15 = 0xEF, COM = 0xFE,
};

/* A segment's parameters; false if the standard's form of them is not that of the process. */
static bool read_tables(jpeg_lossless_headers *headers, const uint8_t *at, const uint8_t *end)
{
    while (at < end) {
        unsigned number = *at++, codes = 0;
        if (number >= JPEG_LOSSLESS_TABLES || end - at < JPEG_LOSSLESS_LONGEST_CODE)
            return false;
        huffman_table *table = &headers->tables[number];
        memcpy(table->counts, at, sizeof table->counts);
        at += sizeof table->counts;
        for (size_t i = 0; i < sizeof table->counts; i++)
            codes += table->counts[i];
        if (codes > MOST_CODES || (size_t)(end - at) < codes)
            return false;
        memcpy(table->categories, at, codes);
        memset(table->categories + codes, 0, MOST_CODES - codes);
        at += codes;
        table->defined = true;
        table->prepared = false;
    }
    return true;
}

static bool read_scan_header(jpeg_lossless_headers *headers, const uint8_t *at, size_t size,
                             jpeg_lossless_scan *scan)
{
    unsigned components = headers->image->components;
    if (!headers->precision || !size || (at[0] != 1 && at[0] != components)
        || size != 4 + 2 * (size_t)at[0])
        return false;
    scan->count = at[0];
    scan->first = 0;
    while (scan->first < components && headers->ids[scan->first] != at[1])
        scan->first++;
    if (scan->first + scan->count > components)
        return false;
    for (unsigned i = 0; i < scan->count; i++) {
        unsigned component = scan->first + i, number = at[2 + 2 * i] >> 4;
        if (headers->ids[component] != at[1 + 2 * i] || headers->decoded[component]
            || number >= JPEG_LOSSLESS_TABLES
            || !headers->tables[number].defined
            || !jpeg_lossless_prepare_table(&headers->tables[number], &headers->decoding[number]))
            return false;
        headers->decoded[component] = true;
        scan->tables[i] = &headers->decoding[number];
    }
    at += 1 + 2 * scan->count;
    scan->predictor = at[0];
    scan->point_transform = at[2];
    return at[0] >= 1 && at[0] <= 7 && at[1] == 0 && at[2] < headers->precision;
}

static bool has_all_components(const jpeg_lossless_headers *headers)
{
    for (unsigned i = 0; i < headers->image->components; i++)
        if (!headers->decoded[i])
            return false;
    return true;
}

jpeg_lossless_found jpeg_lossless_read_headers(jpeg_lossless_headers *headers,
                                               jpeg_lossless_scan *scan)
{
    const uint8_t **at = &headers->at;
    if (!headers->marker)
        headers->marker = jpeg_read_marker(at, headers->end);
    for (; headers->marker != EOI; headers->marker = jpeg_read_marker(at, headers->end)) {
        unsigned marker = headers->marker;
        bool takes_parameters = marker == SOF3 || marker == DHT || marker == SOS || marker == DRI
            || marker == COM || (marker >= APP0 && marker <= APP15);
        if (!takes_parameters || headers->segments++ == JPEG_MOST_SEGMENTS)
            return JPEG_LOSSLESS_OTHER;
        size_t size;
        const uint8_t *body = jpeg_take_parameters(at, headers->end, &size);
        if (!body)
            return JPEG_LOSSLESS_OTHER;
        bool taken = true;
        if (marker == SOF3) {
            taken = !headers->precision
                && jpeg_read_frame_header(body, size, headers->image, &headers->precision,
                                          headers->ids);
        } else if (marker == DHT) {
            taken = read_tables(headers, body, body + size);
        } else if (marker == DRI) {
            taken = size == 2;
            headers->restart_interval = taken ? (uint32_t)(body[0] << 8 | body[1]) : 0;
        } else if (marker == SOS) {
            uint32_t columns = headers->image->columns;
            if (!read_scan_header(headers, body, size, scan) || headers->restart_interval % columns)
                return JPEG_LOSSLESS_OTHER;
            scan->restart_lines = headers->restart_interval / columns;
            return JPEG_LOSSLESS_SCAN;
        }
        if (!taken)
            return JPEG_LOSSLESS_OTHER;
    }
    return jpeg_is_padding(headers->at, headers->end) && has_all_components(headers)
        ? JPEG_LOSSLESS_END : JPEG_LOSSLESS_OTHER;
}

static uint8_t *write_segment(uint8_t *at, unsigned marker, const uint8_t *body, size_t size)
{
    *at++ = 0xFF;
    *at++ = (uint8_t)marker;
    *at++ = (uint8_t)((size + 2) >> 8);
    *at++ = (uint8_t)(size + 2);
    memcpy(at, body, size);
    return at + size;
}

uint8_t *jpeg_lossless_write_headers(uint8_t *at, const kernel_image *image,
                                     const jpeg_lossless_settings *settings,
                                     const jpeg_lossless_plan *plan)
{
    static const uint8_t jfif[] = {'J', 'F', 'I', 'F', 0, 1, 1, 0, 0, 1, 0, 1, 0, 0};
    static const uint8_t adobe[] = {'A', 'd', 'o', 'b', 'e', 0, 100, 0, 0, 0, 0, 0};
    static const uint8_t gray_ids[] = {1}, rgb_ids[] = {'R', 'G', 'B'}, other_ids[] = {0, 1, 2};
    unsigned components = image->components;
    const uint8_t *ids = components == 1 ? gray_ids : settings->is_rgb ? rgb_ids : other_ids;
    uint8_t body[1 + JPEG_LOSSLESS_LONGEST_CODE + JPEG_LOSSLESS_CATEGORIES];
    *at++ = 0xFF;
    *at++ = SOI;
    if (components == 1)
        at = write_segment(at, APP0, jfif, sizeof jfif);
    else if (settings->is_rgb)
        at = write_segment(at, APP14, adobe, sizeof adobe);

    size_t size = 0;
    body[size++] = (uint8_t)settings->precision;
    body[size++] = (uint8_t)(image->rows >> 8);
    body[size++] = (uint8_t)image->rows;
    body[size++] = (uint8_t)(image->columns >> 8);
    body[size++] = (uint8_t)image->columns;
    body[size++] = (uint8_t)components;
    for (unsigned i = 0; i < components; i++) {
        body[size++] = ids[i];
        body[size++] = 0x11;
        body[size++] = 0;
    }
    at = write_segment(at, SOF3, body, size);

    size_t codes = 0;
    body[0] = 0;
    memcpy(body + 1, plan->counts, sizeof plan->counts);
    for (unsigned i = 0; i < JPEG_LOSSLESS_LONGEST_CODE; i++)
        codes += plan->counts[i];
    memcpy(body + 1 + sizeof plan->counts, plan->categories, codes);
    at = write_segment(at, DHT, body, 1 + sizeof plan->counts + codes);

    size = 0;
    body[size++] = (uint8_t)components;
    for (unsigned i = 0; i < components; i++) {
        body[size++] = ids[i];
        body[size++] = 0;
    }
    body[size++] = (uint8_t)settings->predictor;
    body[size++] = 0;
    body[size++] = 0;
    return write_segment(at, SOS, body, size);
}
