#include "jpeg_ls_codes.h"

bool jpeg_ls_read_code(jpeg_ls_decoder *decoder, unsigned k, unsigned limit, int *mapped)
{
    unsigned longest = limit - decoder->is.bits - 1, zeros = 0;
    uint64_t window;
    while (!(window = jpeg_ls_look(decoder->bits, decoder->position) >> 8)) {
        zeros += JPEG_LS_MOST_AT_ONCE;
        decoder->position += JPEG_LS_MOST_AT_ONCE;
        if (zeros > longest || decoder->position > decoder->end)
            return false;
    }
    unsigned more = jpeg_ls_count_zeros(window << 8);
    zeros += more;
    decoder->position += more + 1;
    if (zeros > longest || decoder->position > decoder->end)
        return false;
    window = jpeg_ls_look(decoder->bits, decoder->position);
    if (zeros < longest) {
        decoder->position += k;
        *mapped = (int)(zeros << k | jpeg_ls_take(window, k));
    } else {
        decoder->position += decoder->is.bits;
        *mapped = (int)jpeg_ls_take(window, decoder->is.bits) + 1;
    }
    return *mapped <= decoder->most && decoder->position <= decoder->end;
}

ptrdiff_t jpeg_ls_read_run(jpeg_ls_decoder *decoder, unsigned *index, ptrdiff_t left)
{
    ptrdiff_t length = 0;
    for (;;) {
        uint64_t window = jpeg_ls_look(decoder->bits, decoder->position++);
        if (decoder->position > decoder->end)
            return -1;
        unsigned bits = jpeg_ls_run_bits[*index];
        if (!(window >> 63)) {
            decoder->position += bits;
            length += jpeg_ls_take(window << 1, bits);
            return length < left && decoder->position <= decoder->end ? length : -1;
        }
        length += (ptrdiff_t)1 << bits;
        if (length <= left && *index < JPEG_LS_LARGEST_RUN_INDEX)
            ++*index;
        if (length >= left)
            return left;
    }
}

int jpeg_ls_read_interruption(jpeg_ls_decoder *decoder, unsigned type, unsigned index, int left,
                             int above)
{
    jpeg_ls_run_context *context = &decoder->state.interruption[type];
    unsigned k = jpeg_ls_find_run_k(context, type);
    int mapped;
    if (!jpeg_ls_read_code(decoder, k, decoder->is.limit - jpeg_ls_run_bits[index] - 1, &mapped))
        return -1;
    int doubled = mapped + (int)type, map = doubled & 1, error = (doubled + 1) / 2;
    if ((k || 2 * context->nn >= context->n) == map)
        error = -error;
    jpeg_ls_update_run(context, type, error, (unsigned)mapped);
    bool is_negative = !type && left > above;
    return jpeg_ls_reconstruct(&decoder->is, type ? left : above, is_negative ? -error : error);
}
