#include "jpeg_lossless.h"

#include <stdlib.h>

#include "jpeg_lossless_codes.h"
#include "jpeg_lossless_entropy_encode.h"
#include "jpeg_lossless_lines.h"
#include "jpeg_lossless_markers.h"

enum {
    MOST_OTHER_BYTES = 128, /* that are not entropy-coded data, and some that stay free */
    EOI_BYTES = 2,
    HISTOGRAMS = 4,
};

static kernel_status measure(jpeg_lossless_lines *lines, jpeg_lossless_plan *plan)
{
    uint64_t histograms[HISTOGRAMS][JPEG_LOSSLESS_CATEGORIES] = {{0}};
    for (uint32_t y = 0; y < lines->image->rows; y++) {
        jpeg_lossless_read_line(lines, y);
        size_t i = 0;
        for (; i + HISTOGRAMS <= lines->count; i += HISTOGRAMS)
            for (size_t j = 0; j < HISTOGRAMS; j++)
                histograms[j][lines->categories[i + j]]++;
        for (; i < lines->count; i++)
            histograms[0][lines->categories[i]]++;
    }
    if (lines->biased >> lines->image->bits_stored)
        return KERNEL_NOT_SERVED;
    for (size_t j = 1; j < HISTOGRAMS; j++)
        for (size_t i = 0; i < JPEG_LOSSLESS_CATEGORIES; i++)
            histograms[0][i] += histograms[j][i];
    jpeg_lossless_choose_codes(histograms[0], plan);
    uint64_t bits = 0;
    unsigned place = 0;
    for (unsigned length = 1; length <= JPEG_LOSSLESS_LONGEST_CODE; length++)
        for (unsigned i = 0; i < plan->counts[length - 1]; i++) {
            unsigned category = plan->categories[place++];
            bits += histograms[0][category]
                    * (length + jpeg_lossless_count_additional_bits(category));
        }
    uint64_t bytes = (bits + 7) / 8;
    if (bytes > (SIZE_MAX - MOST_OTHER_BYTES) / 2)
        return KERNEL_NO_MEMORY;
    plan->most_bytes = MOST_OTHER_BYTES + 2 * (size_t)bytes; /* each byte may need stuffing */
    return KERNEL_DONE;
}

kernel_status jpeg_lossless_prepare(const uint8_t *words, const kernel_image *image,
                                    const jpeg_lossless_settings *settings,
                                    jpeg_lossless_plan *plan)
{
    jpeg_lossless_lines lines;
    if (!jpeg_lossless_open_lines(&lines, words, image, settings))
        return KERNEL_NO_MEMORY;
    kernel_status status = measure(&lines, plan);
    jpeg_lossless_close_lines(&lines);
    return status;
}

kernel_status jpeg_lossless_encode(const uint8_t *words, const kernel_image *image,
                                   const jpeg_lossless_settings *settings,
                                   const jpeg_lossless_plan *plan, uint8_t *stream, size_t room,
                                   size_t *length)
{
    if (room < MOST_OTHER_BYTES)
        return KERNEL_NO_ROOM;
    jpeg_lossless_lines lines;
    bool has_memory = jpeg_lossless_open_lines(&lines, words, image, settings);
    jpeg_lossless_writer writer = {
        .plain = malloc(4 * lines.count + 2 * sizeof writer.window), /* 31 bits a sample at most */
        .at = jpeg_lossless_write_headers(stream, image, settings, plan),
        .end = stream + room - EOI_BYTES,
    };
    if (!has_memory || !writer.plain) {
        if (has_memory)
            jpeg_lossless_close_lines(&lines);
        free(writer.plain);
        return KERNEL_NO_MEMORY;
    }
    jpeg_lossless_assign_codes(&writer, plan);
    for (uint32_t y = 0; y < image->rows && !writer.overflown; y++) {
        jpeg_lossless_read_line(&lines, y);
        jpeg_lossless_write_line(&writer, lines.differences, lines.categories, lines.count);
    }
    jpeg_lossless_close_lines(&lines);
    jpeg_lossless_fill_last_byte(&writer);
    free(writer.plain);
    if (writer.overflown)
        return KERNEL_NO_ROOM;
    *writer.at++ = 0xFF;
    *writer.at++ = 0xD9; /* EOI */
    *length = (size_t)(writer.at - stream);
    return KERNEL_DONE;
}
