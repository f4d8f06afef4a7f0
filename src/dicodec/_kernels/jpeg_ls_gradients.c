#include "jpeg_ls_gradients.h"

#include <string.h>

#include "processor.h"

enum { CENTER = JPEG_LS_SIDE / 2 - 1 };

/* Set the entries of differences from `first` to before `end`, and of their negatives. */
static void set_entries(jpeg_ls_table *table, int first, int end, int level)
{
    if (end <= first)
        return;
    size_t count = (size_t)(end - first);
    int8_t entry = (int8_t)(level * JPEG_LS_CONTEXT_SIZE);
    int8_t *negated = table->entries + CENTER, *plain = negated + JPEG_LS_SIDE;
    memset(plain + first, -entry, count);
    memset(plain - end + 1, entry, count);
    memset(negated + first, entry, count);
    memset(negated - end + 1, -entry, count);
}

void jpeg_ls_make_table(jpeg_ls_table *table, const jpeg_ls_parameters *is)
{
    int bounds[6] = {
        0, is->near + 1, is->threshold[0], is->threshold[1], is->threshold[2], is->maximum + 1,
    };
    for (int level = 0; level < 5; level++)
        set_entries(table, bounds[level], bounds[level + 1], level);
}

/* Quantize the differences of samples, -4 to 4. */
KERNEL_VARIANTS
static void quantize(const uint16_t *restrict minuends, const uint16_t *restrict subtrahends,
                     size_t count, const uint16_t *restrict bounds, int16_t *restrict levels)
{
    uint16_t first = bounds[0], second = bounds[1], third = bounds[2], fourth = bounds[3];
    for (size_t i = 0; i < count; i++) {
        uint16_t one = minuends[i], other = subtrahends[i];
        uint16_t most = one > other ? one : other;
        uint16_t up = most - other, down = most - one;
        levels[i] = (int16_t)((up >= first) + (up >= second) + (up >= third) + (up >= fourth)
                              - (down >= first) - (down >= second) - (down >= third)
                              - (down >= fourth));
    }
}

static void list_bounds(const jpeg_ls_parameters *is, uint16_t bounds[4])
{
    bounds[0] = (uint16_t)(is->near + 1);
    for (int i = 0; i < 3; i++)
        bounds[i + 1] = (uint16_t)is->threshold[i];
}

void jpeg_ls_quantize_line(const uint16_t *line, size_t columns, const jpeg_ls_parameters *is,
                           int16_t *gradients)
{
    uint16_t bounds[4];
    list_bounds(is, bounds);
    quantize(line, line - 1, columns + 1, bounds, gradients);
}

KERNEL_VARIANTS
static void make_records(const uint16_t *restrict above, const int16_t *restrict gradients,
                         size_t columns, jpeg_ls_record *restrict records)
{
    const uint16_t *corners = above - 1;
    for (size_t i = 0; i < columns; i++) {
        int16_t context = (int16_t)(81 * gradients[i + 1] + 9 * gradients[i]);
        int16_t sign = (int16_t)(context >> 15);
        uint16_t offset = (uint16_t)((uint16_t)((context ^ sign) - sign) * JPEG_LS_CONTEXT_SIZE);
        int32_t place = CENTER - corners[i] + (sign & -JPEG_LS_SIDE);
        records[i] = (jpeg_ls_record){above[i], offset, place};
    }
}

void jpeg_ls_make_records(const uint16_t *above, const int16_t *gradients, size_t columns,
                          jpeg_ls_record *records)
{
    make_records(above, gradients, columns, records);
}

KERNEL_VARIANTS
static void mirror(const uint16_t *restrict line, const uint16_t *restrict above,
                   const int16_t *restrict gradients, const int16_t *restrict third, size_t columns,
                   uint16_t maximum, uint16_t *restrict contexts, uint16_t *restrict samples,
                   uint16_t *restrict predictions)
{
    const uint16_t *lefts = line - 1, *corners = above - 1;
    for (size_t i = 0; i < columns; i++) {
        int16_t context = (int16_t)(81 * gradients[i + 1] + 9 * gradients[i] + third[i]);
        uint16_t sign = (uint16_t)(context >> 15);
        contexts[i] = (uint16_t)((context ^ sign) - sign);
        uint16_t left = lefts[i], up = above[i], corner = corners[i];
        uint16_t least = left < up ? left : up, most = left < up ? up : left;
        uint16_t prediction = (uint16_t)(left + up - corner);
        prediction = corner >= most ? least : corner <= least ? most : prediction;
        sign &= maximum;
        samples[i] = line[i] ^ sign;
        predictions[i] = prediction ^ sign;
    }
}

void jpeg_ls_prepare_line(const uint16_t *line, const uint16_t *above, const int16_t *gradients,
                          size_t columns, const jpeg_ls_parameters *is, int16_t *room,
                          const jpeg_ls_prepared *prepared)
{
    uint16_t bounds[4];
    list_bounds(is, bounds);
    quantize(above - 1, line - 1, columns, bounds, room);
    mirror(line, above, gradients, room, columns, (uint16_t)is->maximum, prepared->contexts,
           prepared->samples, prepared->predictions);
}
