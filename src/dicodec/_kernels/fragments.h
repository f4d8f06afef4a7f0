/* Fragments of encapsulated Pixel Data (PS3.5 A.4): follow their items, and look at how each begins.
 *
 * Little endian only. The bytes are a buffer's, or a file's, which is read at offsets and never
 * mapped: a file that becomes shorter meanwhile is one that ends, not a signal. What is not plain is
 * left to the caller: other tags, undefined lengths, items that end too late, errors of reading. */
#ifndef DICODEC_FRAGMENTS_H
#define DICODEC_FRAGMENTS_H

#include <stddef.h>
#include <stdint.h>

enum {
    ITEM_HEADER = 8,
    FRAGMENT_HEAD = 4, /* first bytes of each fragment that come with its item, at no cost */
    FRAGMENTS_AT_ONCE = 1 << 12, /* items that callers have followed in one call */
    SHORT_FRAGMENT = 1 << 10, /* bytes of one behind which several headers are read at once */
    FRAGMENT_WINDOW = 1 << 12 /* bytes that are then read */
};

/* Where bytes come from: `bytes`, or, if that is NULL, an open file; `size` of a file is not used.
 * The window is what was last read of a file. */
typedef struct {
    const uint8_t *bytes;
    uint64_t size;
    int descriptor;
    uint64_t base;
    size_t held;
    uint8_t window[FRAGMENT_WINDOW];
} byte_reader;

/* Read up to `length` bytes from an offset, at most FRAGMENT_WINDOW; `*got` is set to how many there
 * are: fewer only at the end, or if they cannot be read. `wanted` bytes, if these are more, are read
 * of a file at once, for the next calls. The bytes stay until then. */
const uint8_t *read_bytes(byte_reader *reader, uint64_t offset, size_t length, size_t wanted,
                          size_t *got);

/* Follow plain items from offset `*position` on, and return how many, `most` at most.
 *
 * An item is plain if its length is defined and it ends at offset `end` or before. Offset and length
 * of each one's value are set, its first FRAGMENT_HEAD bytes, zeros behind its end, and `*position`
 * to the offset behind the last one. */
size_t walk_plain_items(byte_reader *reader, uint64_t *position, uint64_t end, uint64_t *starts,
                        uint64_t *lengths, uint8_t *heads, size_t most);

/* Bytes that fragments may begin with. */
typedef struct {
    const uint8_t *bytes;
    size_t length;
} beginning;

/* Return how many fragments, from the first on, begin with one of `begins`.
 *
 * As many bytes as the longest of all beginnings has are looked at, also beyond a fragment's end.
 * `*alike` is set to how many, from the first on, begin with `headers`, too, and are at least as
 * long as that. No beginning has more than FRAGMENT_WINDOW bytes. */
size_t match_beginnings(byte_reader *reader, const uint64_t *starts, const uint64_t *lengths,
                        size_t count, const beginning *begins, size_t begins_count,
                        beginning headers, size_t *alike);

#endif
