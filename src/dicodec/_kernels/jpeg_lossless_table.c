#include "jpeg_lossless_table.h"

#include <string.h>

/* Fill the entries that begin with a code. */
static void fill_entries(huffman_entry *entries, uint32_t first, unsigned length, unsigned category)
{
    uint32_t count = 1u << (LOOKUP_BITS - length);
    unsigned total = length + category;
    huffman_entry entry = {.total = (uint8_t)total, .first = (uint8_t)length};
    if (total > LOOKUP_BITS) {
        entry.differences[0] = find_offset(category);
        for (uint32_t i = 0; i < count; i++)
            entries[first + i] = entry;
        return;
    }
    unsigned unused = LOOKUP_BITS - total;
    entry.first = (uint8_t)total;
    entry.count = 1;
    for (uint32_t i = 0; i < count; i++) {
        uint64_t additional = category ? (uint64_t)(i >> unused) << (64 - category) : 0;
        entry.differences[0] = extend(additional, category, find_offset(category));
        entries[first + i] = entry;
    }
}

/* Add the second difference to the entries that have the bits for one. */
static void pair_entries(huffman_entry *entries)
{
    for (uint32_t i = 0; i < 1u << LOOKUP_BITS; i++) {
        huffman_entry *entry = &entries[i];
        if (!entry->count)
            continue;
        const huffman_entry *next = &entries[i << entry->first & ((1u << LOOKUP_BITS) - 1)];
        if (next->count && entry->first + next->first <= LOOKUP_BITS) {
            entry->differences[1] = next->differences[0];
            entry->total = entry->first + next->first;
            entry->count = 2;
        }
    }
}

/* Make the table for decoding; false if the codes do not fit their lengths (C.2). */
bool jpeg_lossless_prepare_table(huffman_table *from, decoding_table *table)
{
    if (from->prepared)
        return true;
    uint32_t code = 0; /* the next one, of 16 bits */
    int32_t place = 0;
    memset(table->entries, 0, sizeof table->entries);
    memcpy(table->categories, from->categories, sizeof table->categories);
    for (unsigned length = 1; length <= JPEG_LOSSLESS_LONGEST_CODE; length++) {
        unsigned unused = JPEG_LOSSLESS_LONGEST_CODE - length;
        table->places[length] = place - (int32_t)(code >> unused);
        for (unsigned i = 0; i < from->counts[length - 1]; i++, place++) {
            unsigned category = from->categories[place];
            uint32_t next = code + (1u << unused);
            if (category > JPEG_LOSSLESS_LARGEST_CATEGORY || next > 1u << 16)
                return false;
            if (length <= LOOKUP_BITS && category != JPEG_LOSSLESS_LARGEST_CATEGORY)
                fill_entries(table->entries, code >> (16 - LOOKUP_BITS), length, category);
            code = next;
        }
        table->limits[length] = code;
    }
    pair_entries(table->entries);
    from->prepared = true;
    return true;
}
