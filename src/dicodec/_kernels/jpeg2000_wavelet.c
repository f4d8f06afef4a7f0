#include "jpeg2000_wavelet.h"

#include <stdlib.h>
#include <string.h>

#include "jpeg2000_lifting.h"
#include "jpeg2000_threads.h"
#include "processor.h"

/* Several signals are transformed side by side, as the lanes of one: vertically a cache line, and
 * four if the signals are not too long for a cache, which takes a fifth less time. */
enum { LANES = 16, MOST_LANES = 64, LONG_SIGNAL = 4096 };

/* Samples of a level from which on it is worth threads: to start them takes 0.05 ms. */
enum { SMALLEST_SHARED = 1 << 17 };

/* Transforms some columns from the first on. */
typedef void (*column_work)(char *first, size_t stride, const jpeg2000_signal *lines,
                            bool is_reversible);

static uint32_t choose_lanes(uint32_t height)
{
    return height <= LONG_SIGNAL ? MOST_LANES : LANES;
}

KERNEL_VARIANTS
static void interleave(int32_t *restrict row, const int32_t *restrict first,
                       const int32_t *restrict second, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        row[2 * i] = first[i];
        row[2 * i + 1] = second[i];
    }
}

/* HOR_SR, F.3.4. Coefficients are moved as if they were integers, whatever they are. */
static void undo_row(char *row, const jpeg2000_signal *line, bool is_reversible)
{
    size_t even = line->even * JPEG2000_COEFFICIENT, odd = line->odd * JPEG2000_COEFFICIENT;
    memcpy(line->evens.bytes, row, even);
    memcpy(line->odds.bytes, row + even, odd);
    jpeg2000_undo_lifting(line, is_reversible);
    const char *first = line->starts_odd ? line->odds.bytes : line->evens.bytes;
    const char *second = line->starts_odd ? line->evens.bytes : line->odds.bytes;
    size_t pairs = line->even < line->odd ? line->even : line->odd;
    interleave((int32_t *)row, (const int32_t *)first, (const int32_t *)second, pairs);
    if (line->even != line->odd) /* a last one alone */
        memcpy(row + 2 * pairs * JPEG2000_COEFFICIENT, first + pairs * JPEG2000_COEFFICIENT,
               JPEG2000_COEFFICIENT);
}

/* VER_SR, F.3.5, of some columns from the first on. */
static void undo_columns(char *first, size_t stride, const jpeg2000_signal *lines,
                         bool is_reversible)
{
    size_t size = lines->lanes * JPEG2000_COEFFICIENT;
    if (is_reversible && lines->even && lines->odd) {
        jpeg2000_undo_reversible_columns(lines, (int32_t *)first, stride);
        return;
    }
    stride *= JPEG2000_COEFFICIENT;
    for (size_t i = 0; i < lines->even; i++)
        memcpy(lines->evens.bytes + i * size, first + i * stride, size);
    for (size_t i = 0; i < lines->odd; i++)
        memcpy(lines->odds.bytes + i * size, first + (lines->even + i) * stride, size);
    jpeg2000_undo_lifting(lines, is_reversible);
    for (size_t i = 0; i < lines->even; i++)
        memcpy(first + (2 * i + lines->starts_odd) * stride, lines->evens.bytes + i * size, size);
    for (size_t i = 0; i < lines->odd; i++)
        memcpy(first + (2 * i + !lines->starts_odd) * stride, lines->odds.bytes + i * size, size);
}

KERNEL_VARIANTS
static void deinterleave(const int32_t *restrict row, int32_t *restrict first,
                         int32_t *restrict second, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        first[i] = row[2 * i];
        second[i] = row[2 * i + 1];
    }
}

/* HOR_SD, F.4.4. Coefficients are moved as if they were integers, whatever they are. */
static void apply_row(int32_t *row, const jpeg2000_signal *line, bool is_reversible)
{
    int32_t *first = line->starts_odd ? line->odds.integers : line->evens.integers;
    int32_t *second = line->starts_odd ? line->evens.integers : line->odds.integers;
    size_t pairs = line->even < line->odd ? line->even : line->odd;
    deinterleave(row, first, second, pairs);
    if (line->even != line->odd)
        first[pairs] = row[2 * pairs];
    jpeg2000_apply_lifting(line, is_reversible);
    memcpy(row, line->evens.integers, line->even * sizeof *row);
    memcpy(row + line->even, line->odds.integers, line->odd * sizeof *row);
}

/* VER_SD, F.4.3, of some columns from the first on. */
static void apply_columns(char *start, size_t stride, const jpeg2000_signal *lines,
                          bool is_reversible)
{
    int32_t *first = (int32_t *)start;
    size_t lanes = lines->lanes, size = lanes * sizeof *first;
    for (size_t i = 0; i < lines->even; i++)
        memcpy(lines->evens.integers + i * lanes, first + (2 * i + lines->starts_odd) * stride,
               size);
    for (size_t i = 0; i < lines->odd; i++)
        memcpy(lines->odds.integers + i * lanes, first + (2 * i + !lines->starts_odd) * stride,
               size);
    jpeg2000_apply_lifting(lines, is_reversible);
    for (size_t i = 0; i < lines->even; i++)
        memcpy(first + i * stride, lines->evens.integers + i * lanes, size);
    for (size_t i = 0; i < lines->odd; i++)
        memcpy(first + (lines->even + i) * stride, lines->odds.integers + i * lanes, size);
}

/* Take memory for the longest signal of an area and its lower resolutions, and return it; NULL
 * without. */
static char *take_signal(const jpeg2000_area *area, jpeg2000_signal *lines)
{
    size_t height = jpeg2000_height(area), samples = jpeg2000_width(area);
    size_t narrow = height * LANES;
    size_t wide = (height < LONG_SIGNAL ? height : LONG_SIGNAL) * MOST_LANES;
    samples = samples > narrow ? samples : narrow;
    samples = samples > wide ? samples : wide;
    size_t size = (samples / 2 + 4 * MOST_LANES) * JPEG2000_COEFFICIENT;
    char *memory = malloc(2 * size);
    if (memory) {
        lines->evens.bytes = memory + MOST_LANES * JPEG2000_COEFFICIENT;
        lines->odds.bytes = memory + size + MOST_LANES * JPEG2000_COEFFICIENT;
    }
    return memory;
}

/* A thread's share of a level's rows and columns. */
typedef struct {
    const jpeg2000_area *area;
    bool is_reversible;
    char *array;
    size_t stride;
    unsigned number, count; /* of shares */
    jpeg2000_signal lines;
    char *memory; /* of the lines */
} share;

/* Find the first row of a share. */
static uint32_t find_row(const share *mine, unsigned number)
{
    return (uint32_t)((uint64_t)jpeg2000_height(mine->area) * number / mine->count);
}

static kernel_status undo_rows(void *given)
{
    share *mine = given;
    jpeg2000_set_signal(&mine->lines, mine->area->x0, mine->area->x1, 1);
    uint32_t end = find_row(mine, mine->number + 1);
    for (uint32_t y = find_row(mine, mine->number); y < end; y++)
        undo_row(mine->array + y * mine->stride * JPEG2000_COEFFICIENT, &mine->lines,
                 mine->is_reversible);
    return KERNEL_DONE;
}

static kernel_status apply_rows(void *given)
{
    share *mine = given;
    jpeg2000_set_signal(&mine->lines, mine->area->x0, mine->area->x1, 1);
    uint32_t end = find_row(mine, mine->number + 1);
    for (uint32_t y = find_row(mine, mine->number); y < end; y++)
        apply_row((int32_t *)mine->array + y * mine->stride, &mine->lines, mine->is_reversible);
    return KERNEL_DONE;
}

/* Do some work with a share of the columns: every `count`th group of them. */
static kernel_status visit_columns(share *mine, column_work work)
{
    uint32_t width = jpeg2000_width(mine->area), lanes = choose_lanes(jpeg2000_height(mine->area));
    for (uint64_t x = (uint64_t)mine->number * lanes; x < width;
         x += (uint64_t)mine->count * lanes) {
        jpeg2000_set_signal(&mine->lines, mine->area->y0, mine->area->y1,
                            width - x < lanes ? width - x : lanes);
        work(mine->array + x * JPEG2000_COEFFICIENT, mine->stride, &mine->lines,
             mine->is_reversible);
    }
    return KERNEL_DONE;
}

static kernel_status undo_all_columns(void *given)
{
    return visit_columns(given, undo_columns);
}

static kernel_status apply_all_columns(void *given)
{
    return visit_columns(given, apply_columns);
}

/* Do two kinds of work with all shares of a level, the second after the first. */
static void share_level(share *shares, unsigned count, const jpeg2000_area *area,
                        kernel_status (*first)(void *), kernel_status (*second)(void *))
{
    void *given[JPEG2000_MOST_THREADS];
    if ((uint64_t)jpeg2000_width(area) * jpeg2000_height(area) < SMALLEST_SHARED)
        count = 1;
    for (unsigned i = 0; i < count; i++) {
        shares[i].area = area;
        shares[i].number = i;
        shares[i].count = count;
        given[i] = shares + i;
    }
    jpeg2000_work_together(count, first, given); /* which cannot fail */
    jpeg2000_work_together(count, second, given);
}

static bool is_empty(const jpeg2000_area *area)
{
    return !jpeg2000_width(area) || !jpeg2000_height(area);
}

static void release_shares(share *shares, unsigned count)
{
    for (unsigned i = 0; i < count; i++)
        free(shares[i].memory);
}

/* Take what each thread needs to transform an area and its lower resolutions. */
static kernel_status take_shares(share *shares, unsigned count, const jpeg2000_area *area,
                                 bool is_reversible, void *array, size_t stride)
{
    for (unsigned i = 0; i < count; i++) {
        shares[i] = (share){.is_reversible = is_reversible, .array = array, .stride = stride};
        shares[i].memory = take_signal(area, &shares[i].lines);
        if (!shares[i].memory) {
            release_shares(shares, i);
            return KERNEL_NO_MEMORY;
        }
    }
    return KERNEL_DONE;
}

kernel_status jpeg2000_undo_wavelet(const jpeg2000_resolution *levels, unsigned resolutions,
                                    bool is_reversible, void *array, size_t stride,
                                    unsigned threads)
{
    share shares[JPEG2000_MOST_THREADS];
    kernel_status status = take_shares(shares, threads, &levels[resolutions - 1].area,
                                       is_reversible, array, stride);
    if (status != KERNEL_DONE)
        return status;
    for (unsigned r = 1; r < resolutions; r++) /* 2D_SR, F.3.2 */
        if (!is_empty(&levels[r].area))
            share_level(shares, threads, &levels[r].area, undo_rows, undo_all_columns);
    release_shares(shares, threads);
    return KERNEL_DONE;
}

kernel_status jpeg2000_apply_wavelet(const jpeg2000_resolution *levels, unsigned resolutions,
                                     bool is_reversible, void *array, size_t stride,
                                     unsigned threads)
{
    share shares[JPEG2000_MOST_THREADS];
    kernel_status status = take_shares(shares, threads, &levels[resolutions - 1].area,
                                       is_reversible, array, stride);
    if (status != KERNEL_DONE)
        return status;
    for (unsigned r = resolutions - 1; r; r--) /* 2D_SD, F.4.2 */
        if (!is_empty(&levels[r].area))
            share_level(shares, threads, &levels[r].area, apply_all_columns, apply_rows);
    release_shares(shares, threads);
    return KERNEL_DONE;
}
