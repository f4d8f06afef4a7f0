#include "jpeg_segments.h"

enum { BETWEEN = 64 }; /* bytes behind EOI that must be 0, or another stream may begin there */

static unsigned load_16(const uint8_t *bytes)
{
    return (unsigned)(bytes[0] << 8 | bytes[1]);
}

unsigned jpeg_read_marker(const uint8_t **at, const uint8_t *end)
{
    if (*at == end || **at != 0xFF)
        return 0;
    while (*at < end && **at == 0xFF)
        ++*at;
    return *at < end ? *(*at)++ : 0;
}

const uint8_t *jpeg_take_parameters(const uint8_t **at, const uint8_t *end, size_t *size)
{
    const uint8_t *start = *at;
    size_t left = (size_t)(end - start), length = left < 2 ? 0 : load_16(start);
    if (length < 2 || left < length)
        return NULL;
    *at += length;
    *size = length - 2;
    return start + 2;
}

bool jpeg_read_frame_header(const uint8_t *at, size_t size, const kernel_image *image,
                            unsigned *precision, uint8_t ids[3])
{
    if (size != 6 + 3 * (size_t)image->components)
        return false;
    *precision = at[0];
    if (at[0] < 2 || at[0] > 8 * image->word_size || at[5] != image->components)
        return false;
    if (load_16(at + 1) != image->rows || load_16(at + 3) != image->columns)
        return false;
    for (unsigned i = 0; i < image->components; i++) {
        const uint8_t *component = at + 6 + 3 * i;
        if (component[1] != 0x11)
            return false;
        for (unsigned other = 0; other < i; other++)
            if (ids[other] == component[0])
                return false;
        ids[i] = component[0];
    }
    return true;
}

bool jpeg_is_padding(const uint8_t *at, const uint8_t *end)
{
    size_t rest = (size_t)(end - at);
    if (rest > BETWEEN)
        rest = BETWEEN;
    if (rest > 1)
        for (size_t i = 0; i < rest; i++)
            if (at[i])
                return false;
    return true;
}
