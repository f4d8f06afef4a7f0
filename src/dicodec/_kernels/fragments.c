#define _POSIX_C_SOURCE 200809L
#define _FILE_OFFSET_BITS 64

#include "fragments.h"

#include <string.h>

#ifndef _WIN32
#include <errno.h>
#include <unistd.h>

/* Read up to `length` bytes of a file into the window; what it has fewer is its end or an error. */
static void fill(byte_reader *reader, uint64_t offset, size_t length)
{
    reader->base = offset;
    reader->held = 0;
    while (reader->held < length) {
        ssize_t count = pread(reader->descriptor, reader->window + reader->held,
                              length - reader->held, (off_t)(offset + reader->held));
        if (count < 0 && errno == EINTR)
            continue;
        if (count <= 0)
            return;
        reader->held += (size_t)count;
    }
}
#else
static void fill(byte_reader *reader, uint64_t offset, size_t length)
{
    (void)length;
    reader->base = offset;
    reader->held = 0;
}
#endif

const uint8_t *read_bytes(byte_reader *reader, uint64_t offset, size_t length, size_t wanted,
                          size_t *got)
{
    uint64_t at = offset - reader->base;
    if (!reader->bytes && offset <= INT64_MAX - FRAGMENT_WINDOW
        && (offset < reader->base || at > reader->held || length > reader->held - (size_t)at)) {
        fill(reader, offset, wanted > length ? wanted : length);
        at = 0;
    }
    uint64_t size = reader->bytes ? reader->size : reader->held;
    at = reader->bytes ? offset : at;
    size_t left = at < size ? (size_t)(size - at) : 0;
    *got = left < length ? left : length;
    return (reader->bytes ? reader->bytes : reader->window) + (left ? at : 0);
}

size_t walk_plain_items(byte_reader *reader, uint64_t *position, uint64_t end, uint64_t *starts,
                        uint64_t *lengths, uint8_t *heads, size_t most)
{
    static const uint8_t item[] = {0xFE, 0xFF, 0x00, 0xE0};
    size_t count = 0, wanted = 0, got;
    uint64_t at = *position;
    for (; count < most && at <= end && end - at >= ITEM_HEADER; count++) {
        const uint8_t *head = read_bytes(reader, at, ITEM_HEADER + FRAGMENT_HEAD, wanted, &got);
        if (got < ITEM_HEADER || memcmp(head, item, sizeof item))
            break;
        uint32_t length = head[4] | (uint32_t)head[5] << 8 | (uint32_t)head[6] << 16
                          | (uint32_t)head[7] << 24;
        if (length == UINT32_MAX || length > end - at - ITEM_HEADER)
            break;
        starts[count] = at + ITEM_HEADER;
        lengths[count] = length;
        size_t there = got - ITEM_HEADER < length ? got - ITEM_HEADER : length;
        memset(heads + count * FRAGMENT_HEAD, 0, FRAGMENT_HEAD);
        memcpy(heads + count * FRAGMENT_HEAD, head + ITEM_HEADER, there);
        at += ITEM_HEADER + (uint64_t)length;
        wanted = length < SHORT_FRAGMENT ? FRAGMENT_WINDOW : 0;
    }
    *position = at;
    return count;
}

static int begins_with(const uint8_t *head, size_t size, beginning one)
{
    return one.length <= size && (!one.length || !memcmp(head, one.bytes, one.length));
}

size_t match_beginnings(byte_reader *reader, const uint64_t *starts, const uint64_t *lengths,
                        size_t count, const beginning *begins, size_t begins_count,
                        beginning headers, size_t *alike)
{
    size_t longest = headers.length, same = 0, i = 0, got;
    for (size_t j = 0; j < begins_count; j++)
        longest = begins[j].length > longest ? begins[j].length : longest;
    for (; i < count; i++) {
        size_t wanted = lengths[i] < SHORT_FRAGMENT ? FRAGMENT_WINDOW : longest;
        const uint8_t *head = read_bytes(reader, starts[i], longest, wanted, &got);
        size_t j = 0;
        while (j < begins_count && !begins_with(head, got, begins[j]))
            j++;
        if (j == begins_count)
            break;
        if (same == i && lengths[i] >= longest && begins_with(head, got, headers))
            same++;
    }
    *alike = same;
    return i;
}
