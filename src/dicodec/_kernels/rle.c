#include "rle.h"

#include <stdlib.h>
#include <string.h>

#include "processor.h"

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#define LONGEST_RUN 128
#define NOTHING 128 /* a code that stands for no byte (G.3.2) */
#define COPIED 64   /* bytes that are moved at once; so many may be moved too many */
#define BLOCK 4096  /* pixels of a plane that are decoded before they become words */

/* Planes */

/* The byte at one place of each pixel. A constant distance lets the compiler use vectors. */
KERNEL_VARIANTS
static void gather(const uint8_t *words, size_t count, size_t distance, uint8_t *plane)
{
    switch (distance) {
    case 1:
        memcpy(plane, words, count);
        break;
    case 2:
        for (size_t i = 0; i < count; i++)
            plane[i] = words[2 * i];
        break;
    case 3:
        for (size_t i = 0; i < count; i++)
            plane[i] = words[3 * i];
        break;
    case 4:
        for (size_t i = 0; i < count; i++)
            plane[i] = words[4 * i];
        break;
    default:
        for (size_t i = 0; i < count; i++)
            plane[i] = words[distance * i];
    }
}

/* The place of a plane's byte within its pixel (G.2). */
static size_t find_place(unsigned plane, unsigned size)
{
    return (size_t)(plane / size) * size + (size - 1 - plane % size);
}

KERNEL_VARIANTS
static void interleave(const uint8_t *const *bytes, unsigned planes, size_t count, uint8_t *words)
{
    switch (planes) {
    case 1:
        memcpy(words, bytes[0], count);
        break;
    case 2: {
        const uint8_t *first = bytes[0], *second = bytes[1];
        for (size_t i = 0; i < count; i++) {
            words[2 * i] = first[i];
            words[2 * i + 1] = second[i];
        }
        break;
    }
    case 3: {
        const uint8_t *first = bytes[0], *second = bytes[1], *third = bytes[2];
        for (size_t i = 0; i < count; i++) {
            words[3 * i] = first[i];
            words[3 * i + 1] = second[i];
            words[3 * i + 2] = third[i];
        }
        break;
    }
    case 4: {
        const uint8_t *first = bytes[0], *second = bytes[1], *third = bytes[2], *fourth = bytes[3];
        for (size_t i = 0; i < count; i++) {
            words[4 * i] = first[i];
            words[4 * i + 1] = second[i];
            words[4 * i + 2] = third[i];
            words[4 * i + 3] = fourth[i];
        }
        break;
    }
    default:
        for (size_t i = 0; i < count; i++)
            for (unsigned place = 0; place < planes; place++)
                words[planes * i + place] = bytes[place][i];
    }
}

/* Runs of equal bytes are found in a bit map: bit i says whether byte i equals the one behind it. */

static unsigned count_trailing_zeros(uint64_t bits)
{
#if defined(__GNUC__)
    return (unsigned)__builtin_ctzll(bits);
#else
    unsigned count = 0;
    for (; !(bits & 1); bits >>= 1)
        count++;
    return count;
#endif
}

/* Needs 65 readable bytes. */
static uint64_t compare_64(const uint8_t *bytes)
{
    uint64_t equal = 0;
#if defined(__SSE2__)
    for (int i = 0; i < 4; i++) {
        __m128i here = _mm_loadu_si128((const __m128i *)(bytes + 16 * i));
        __m128i behind = _mm_loadu_si128((const __m128i *)(bytes + 16 * i + 1));
        equal |= (uint64_t)(unsigned)_mm_movemask_epi8(_mm_cmpeq_epi8(here, behind)) << 16 * i;
    }
#else
    for (int i = 0; i < 64; i++)
        equal |= (uint64_t)(bytes[i] == bytes[i + 1]) << i;
#endif
    return equal;
}

/* `row` has 80 readable bytes behind its last, `equal` room for count / 64 + 4 words. */
static void mark_equal(const uint8_t *row, size_t count, uint64_t *equal)
{
    size_t last = (count - 1) / 64;
    for (size_t i = 0; i <= last; i++)
        equal[i] = compare_64(row + 64 * i);
    equal[last] &= ((uint64_t)1 << (count - 1) % 64) - 1; /* nothing is behind the last byte */
    memset(equal + last + 1, 0, 3 * sizeof *equal);
}

/* The 64 bits from a byte on, whatever its place in its word. */
static uint64_t read_bits(const uint64_t *equal, size_t start)
{
    const uint64_t *word = equal + start / 64;
    unsigned shift = start % 64;
    return word[0] >> shift | word[1] << 1 << (63 - shift);
}

/* The first byte from `start` on that equals the next one, or `end`; `end` is at most 128 away. */
static size_t find_equal(const uint64_t *equal, size_t start, size_t end)
{
    uint64_t bits = read_bits(equal, start);
    if (!bits) {
        start += 64;
        if (start >= end || !(bits = read_bits(equal, start)))
            return end;
    }
    size_t found = start + count_trailing_zeros(bits);
    return found < end ? found : end;
}

/* How many bytes from `start` on are equal, at most 128; the bit of the last byte of a row is 0. */
static size_t measure_run(const uint64_t *equal, size_t start)
{
    uint64_t unequal = ~read_bits(equal, start);
    if (unequal)
        return count_trailing_zeros(unequal) + 1;
    unequal = ~read_bits(equal, start + 64);
    size_t length = unequal ? 64 + count_trailing_zeros(unequal) + 1 : LONGEST_RUN;
    return length;
}

/* Encoding */

static size_t find_longest(size_t columns)
{
    return columns + (columns + LONGEST_RUN - 1) / LONGEST_RUN;
}

size_t rle_find_room(size_t rows, size_t columns, unsigned planes)
{
    if (!rows || !columns || columns > UINT32_MAX || rows > UINT32_MAX)
        return 0;
    uint64_t plane = (uint64_t)find_longest(columns);
    if (plane > UINT32_MAX / rows)
        return 0;
    uint64_t room = RLE_HEADER_SIZE + planes * (plane * rows + 1) + LONGEST_RUN;
    return room > UINT32_MAX ? 0 : (size_t)room;
}

/* Writes and reads whole pieces of COPIED bytes. */
static uint8_t *write_literal(uint8_t *out, const uint8_t *bytes, size_t length)
{
    *out++ = (uint8_t)(length - 1);
    for (size_t i = 0; i < length; i += COPIED)
        memcpy(out + i, bytes + i, COPIED);
    return out + length;
}

static uint8_t *write_literals(uint8_t *out, const uint8_t *row, size_t count)
{
    for (size_t start = 0; start < count; start += LONGEST_RUN)
        out = write_literal(out, row + start,
                            count - start < LONGEST_RUN ? count - start : LONGEST_RUN);
    return out;
}

/* Where a literal run ends: before the next run of equal bytes. One of two bytes is left in it, if
 * more literal bytes and another run follow, because to end it there and begin anew costs a byte. */
static size_t find_end_of_literal(const uint64_t *equal, size_t first, size_t end)
{
    if (first == end || read_bits(equal, first) & 2)
        return first;
    size_t next = find_equal(equal, first + 2, end);
    return next < end && next > first + 2 ? next : first;
}

static uint8_t *encode_row(const uint8_t *row, size_t count, const uint64_t *equal, uint8_t *out)
{
    uint8_t *begin = out, *limit = out + find_longest(count);
    size_t at = 0;
    while (at < count) {
        size_t end = count - at < LONGEST_RUN ? count : at + LONGEST_RUN;
        size_t first = find_equal(equal, at, end);
        if (first > at) {
            size_t length = find_end_of_literal(equal, first, end) - at;
            /* Where runs would take as much room as none, there are none. */
            if ((size_t)(limit - out) <= length + 1)
                return write_literals(begin, row, count);
            out = write_literal(out, row + at, length);
            at += length;
            if (at == end)
                continue;
        }
        size_t length = measure_run(equal, at);
        if (limit - out < 2)
            return write_literals(begin, row, count);
        *out++ = (uint8_t)(257 - length);
        *out++ = row[at];
        at += length;
    }
    return out;
}

static void put_32(uint8_t *place, size_t value)
{
    for (int i = 0; i < 4; i++)
        place[i] = (uint8_t)(value >> 8 * i);
}

kernel_status rle_encode(const uint8_t *words, size_t rows, size_t columns, unsigned samples,
                         unsigned size, uint8_t *frame, size_t room, size_t *length)
{
    unsigned planes = samples * size;
    size_t needed = rle_find_room(rows, columns, planes);
    if (!needed || room < needed)
        return KERNEL_NO_ROOM;
    uint8_t *row = calloc(columns + 80, 1);
    uint64_t *equal = malloc((columns / 64 + 4) * sizeof *equal);
    if (!row || !equal) {
        free(row);
        free(equal);
        return KERNEL_NO_MEMORY;
    }
    memset(frame, 0, RLE_HEADER_SIZE);
    put_32(frame, planes);
    uint8_t *out = frame + RLE_HEADER_SIZE;
    for (unsigned plane = 0; plane < planes; plane++) {
        put_32(frame + 4 + 4 * plane, (size_t)(out - frame));
        const uint8_t *first = words + find_place(plane, size);
        for (size_t i = 0; i < rows; i++) {
            gather(first + i * columns * planes, columns, planes, row);
            mark_equal(row, columns, equal);
            out = encode_row(row, columns, equal, out);
        }
        if ((out - frame) % 2)
            *out++ = 0;
    }
    free(row);
    free(equal);
    *length = (size_t)(out - frame);
    return KERNEL_DONE;
}

/* Decoding */

typedef struct {
    const uint8_t *in, *end;
    uint8_t *bytes; /* BLOCK, and room for the rest of a run */
    size_t filled;
} plane_reader;

/* Decode runs until `wanted` bytes are there; the last run may bring more. */
static kernel_status read_runs(plane_reader *reader, size_t wanted)
{
    const uint8_t *in = reader->in, *end = reader->end;
    uint8_t *out = reader->bytes + reader->filled, *stop = reader->bytes + wanted;
    while (out < stop) {
        if (in == end)
            return KERNEL_TRUNCATED;
        unsigned code = *in++;
        if (code == NOTHING)
            continue;
        if (code > NOTHING) {
            if (in == end)
                return KERNEL_TRUNCATED;
            size_t length = 257 - code;
            for (size_t i = 0; i < length; i += COPIED)
                memset(out + i, *in, COPIED);
            in++;
            out += length;
            continue;
        }
        size_t length = code + 1, left = (size_t)(end - in);
        if (left >= LONGEST_RUN) {
            for (size_t i = 0; i < length; i += COPIED)
                memcpy(out + i, in + i, COPIED);
        } else {
            if (left < length)
                return KERNEL_TRUNCATED;
            memcpy(out, in, length);
        }
        in += length;
        out += length;
    }
    reader->in = in;
    reader->filled = (size_t)(out - reader->bytes);
    return KERNEL_DONE;
}

kernel_status rle_decode(const rle_segment *segments, unsigned planes, size_t pixels, unsigned size,
                         uint8_t *words)
{
    const size_t room = BLOCK + LONGEST_RUN;
    plane_reader readers[RLE_MAX_SEGMENTS];
    const uint8_t *bytes[RLE_MAX_SEGMENTS];
    uint8_t *blocks = malloc(planes * room);
    if (!blocks)
        return KERNEL_NO_MEMORY;
    for (unsigned plane = 0; plane < planes; plane++) {
        uint8_t *block = blocks + plane * room;
        const uint8_t *data = segments[plane].data;
        readers[plane] = (plane_reader){data, data + segments[plane].length, block, 0};
        bytes[find_place(plane, size)] = block;
    }
    kernel_status status = KERNEL_DONE;
    for (size_t done = 0; done < pixels && status == KERNEL_DONE; done += BLOCK) {
        size_t count = pixels - done < BLOCK ? pixels - done : BLOCK;
        for (unsigned plane = 0; plane < planes && status == KERNEL_DONE; plane++)
            status = read_runs(&readers[plane], count);
        if (status != KERNEL_DONE)
            break;
        interleave(bytes, planes, count, words + done * planes);
        for (unsigned plane = 0; plane < planes; plane++) {
            plane_reader *reader = &readers[plane];
            reader->filled -= count;
            memmove(reader->bytes, reader->bytes + count, reader->filled);
        }
    }
    free(blocks);
    return status;
}
