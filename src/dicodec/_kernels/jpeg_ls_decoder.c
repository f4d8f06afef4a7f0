#include "jpeg_ls_decoder.h"

#include "jpeg_ls_codes.h"

enum { MOST_ZEROS = 38 }; /* of a code that is decoded at once: with a k of 16, a window holds it */

void jpeg_ls_begin_decoder(jpeg_ls_decoder *decoder)
{
    const jpeg_ls_parameters *is = &decoder->is;
    unsigned zeros = is->limit - is->bits - 1;
    decoder->most = is->range;
    decoder->least = UINT64_C(1) << (64 - (zeros < MOST_ZEROS ? zeros : MOST_ZEROS));
    decoder->position = 0;
    jpeg_ls_begin_contexts(&decoder->state, is);
    jpeg_ls_make_table(&decoder->table, is);
}

/* A place in a line: the context of the sample, and the mask that mirrors it, 0 or -1. */
typedef struct {
    jpeg_ls_context *context;
    int sign;
} choice;

/* Choose the context of a sample below gradients (A.3).
 *
 * `level` is that of the third gradient, times a context's size. */
static inline choice choose_regular(jpeg_ls_decoder *decoder, const jpeg_ls_record *record,
                                    int level)
{
    char *contexts = (char *)decoder->state.regular;
    ptrdiff_t place = record->context + (ptrdiff_t)level;
    return (choice){(jpeg_ls_context *)(void *)(contexts + place), record->place >> 31};
}

/* Choose the context of any sample. */
static inline choice choose_context(jpeg_ls_decoder *decoder, const jpeg_ls_record *record,
                                    int level)
{
    if (LIKELY(record->context))
        return choose_regular(decoder, record, level);
    int place = (level < 0 ? -level : level) / JPEG_LS_CONTEXT_SIZE;
    return (choice){&decoder->state.regular[place], level >> 31};
}

static inline int find_level(const jpeg_ls_decoder *decoder, const jpeg_ls_record *record, int left)
{
    const int8_t *plain = decoder->table.entries + JPEG_LS_SIDE;
    return plain[record->place + (ptrdiff_t)left];
}

/* Turn a mapped difference into the sample, and update the context (A.4.2, A.5.2, A.6). */
static inline int restore(const jpeg_ls_parameters *is, choice at, int mapped, int prediction,
                          bool is_lossless)
{
    jpeg_ls_context *context = at.context;
    int maximum = is->maximum;
    if (is_lossless) {
        int mask = at.sign & maximum;
        prediction = (prediction ^ mask) + context->c;
        prediction = prediction < 0 ? 0 : prediction;
        prediction = prediction > maximum ? maximum : prediction;
        mapped ^= (int)jpeg_ls_inverts(context);
        int error = mapped >> 1 ^ -(mapped & 1);
        jpeg_ls_update(context, (mapped + 1) >> 1, error);
        return ((prediction + error) & maximum) ^ mask;
    }
    prediction += (context->c ^ at.sign) - at.sign;
    prediction = prediction < 0 ? 0 : prediction > maximum ? maximum : prediction;
    int error = mapped >> 1 ^ -(mapped & 1);
    jpeg_ls_update(context, (mapped + 1) >> 1, error * is->step);
    return jpeg_ls_reconstruct(is, prediction, (error ^ at.sign) - at.sign);
}

/* Decode a regular sample; -1 if its code is long, or none. Nothing is called, so that all stays in
 * registers. */
static inline int decode_quickly(const jpeg_ls_decoder *decoder, size_t *position, choice at,
                                 int prediction, bool is_lossless)
{
    uint64_t window = jpeg_ls_look(decoder->bits, *position);
    if (UNLIKELY(window < decoder->least))
        return -1;
    unsigned zeros = jpeg_ls_count_zeros(window), k = at.context->k, length = zeros + k;
    int mapped = (int)(window >> (63 - length)) + (int)((zeros - 1) << k);
    if (UNLIKELY(mapped > decoder->most))
        return -1;
    *position += length + 1;
    return restore(&decoder->is, at, mapped, prediction, is_lossless);
}

/* Decode regular samples from `x` on, until a run or a long code; return where.
 *
 * Columns count up to 0: line and records are given by their ends. */
static inline ptrdiff_t decode_samples(jpeg_ls_decoder *decoder, uint16_t *line,
                                       const jpeg_ls_record *records, int corner, ptrdiff_t x,
                                       bool is_lossless)
{
    size_t position = decoder->position;
    int left = line[x - 1];
    for (; x < 0; x++) {
        const jpeg_ls_record *record = records + x;
        int level = find_level(decoder, record, left);
        if (UNLIKELY(!record->context) && (is_lossless || !level)) /* few, and dear here */
            break;
        choice at = is_lossless ? choose_regular(decoder, record, level)
                                : choose_context(decoder, record, level);
        int prediction = jpeg_ls_predict(left, record->above, corner);
        int sample = decode_quickly(decoder, &position, at, prediction, is_lossless);
        if (UNLIKELY(sample < 0))
            break;
        corner = record->above;
        left = sample;
        line[x] = (uint16_t)left;
    }
    decoder->position = position;
    return x;
}

/* Decode a sample whose code may be long; false if there is none. */
static bool decode_sample(jpeg_ls_decoder *decoder, uint16_t *line, const uint16_t *above,
                          const jpeg_ls_record *record, ptrdiff_t x)
{
    int left = line[x - 1], mapped;
    choice at = choose_context(decoder, record, find_level(decoder, record, left));
    if (!jpeg_ls_read_code(decoder, at.context->k, decoder->is.limit, &mapped))
        return false;
    int prediction = jpeg_ls_predict(left, above[x], above[x - 1]);
    line[x] = (uint16_t)(!decoder->is.near
                             ? restore(&decoder->is, at, mapped, prediction, true)
                             : restore(&decoder->is, at, mapped, prediction, false));
    return true;
}

static void fill(uint16_t *line, ptrdiff_t count, uint16_t value)
{
    for (ptrdiff_t i = 0; i < count; i++)
        line[i] = value;
}

/* Decode a run and what interrupts it; return the column behind, or -1. */
static ptrdiff_t decode_run(jpeg_ls_decoder *decoder, jpeg_ls_lines *lines, ptrdiff_t x,
                            unsigned *index)
{
    int left = lines->line[x - 1];
    ptrdiff_t length = jpeg_ls_read_run(decoder, index, decoder->columns - x);
    if (length < 0)
        return -1;
    fill(lines->line + x, length, (uint16_t)left);
    x += length;
    if (x == decoder->columns)
        return x;
    int above = lines->above[x], difference = left - above;
    unsigned type = difference <= decoder->is.near && -difference <= decoder->is.near;
    int sample = jpeg_ls_read_interruption(decoder, type, *index, left, above);
    if (sample < 0)
        return -1;
    if (*index)
        --*index;
    lines->line[x] = (uint16_t)sample;
    return x + 1;
}

/* Set the samples at either end of the lines, and make records of the line above. */
static void begin_line(jpeg_ls_decoder *decoder, jpeg_ls_lines *lines)
{
    size_t columns = (size_t)decoder->columns;
    lines->line[-1] = lines->above[0];
    lines->above[columns] = lines->above[columns - 1];
    /* Gradients take the place of samples to come. */
    int16_t *gradients = (int16_t *)lines->line;
    jpeg_ls_quantize_line(lines->above, columns, &decoder->is, gradients);
    jpeg_ls_make_records(lines->above, gradients, columns, lines->records);
}

bool jpeg_ls_decode_line(jpeg_ls_decoder *decoder, jpeg_ls_lines *lines, unsigned component)
{
    begin_line(decoder, lines);
    ptrdiff_t columns = decoder->columns, x = 0;
    uint16_t *end = lines->line + columns, *above = lines->above;
    const jpeg_ls_record *records_end = lines->records + columns;
    for (;;) {
        int corner = above[x - 1];
        x = columns
            + (!decoder->is.near
                   ? decode_samples(decoder, end, records_end, corner, x - columns, true)
                   : decode_samples(decoder, end, records_end, corner, x - columns, false));
        if (x == columns)
            return decoder->position <= decoder->end;
        const jpeg_ls_record *record = lines->records + x;
        if (!record->context && !find_level(decoder, record, lines->line[x - 1]))
            x = decode_run(decoder, lines, x, &decoder->state.run_index[component]);
        else
            x = decode_sample(decoder, lines->line, above, record, x) ? x + 1 : -1;
        if (x < 0)
            return false;
        if (x == columns)
            return true;
    }
}

/* Decode a run of triplets, and the one that interrupts it (A.7); the column behind, or -1. */
static ptrdiff_t decode_triplet_run(jpeg_ls_decoder *decoder, jpeg_ls_lines lines[3], ptrdiff_t x)
{
    unsigned *index = &decoder->state.run_index[0];
    ptrdiff_t length = jpeg_ls_read_run(decoder, index, decoder->columns - x);
    if (length < 0)
        return -1;
    for (int part = 0; part < 3; part++)
        fill(lines[part].line + x, length, lines[part].line[x - 1]);
    x += length;
    if (x == decoder->columns)
        return x;
    for (int part = 0; part < 3; part++) {
        int sample = jpeg_ls_read_interruption(decoder, 0, *index, lines[part].line[x - 1],
                                       lines[part].above[x]);
        if (sample < 0)
            return -1;
        lines[part].line[x] = (uint16_t)sample;
    }
    if (*index)
        --*index;
    return x + 1;
}

/* Decode three samples of which one at least is not of a run; false if there are none. */
static inline bool decode_triplet(jpeg_ls_decoder *decoder, jpeg_ls_lines lines[3], ptrdiff_t x,
                                  bool is_lossless)
{
    for (int part = 0; part < 3; part++) {
        uint16_t *line = lines[part].line, *above = lines[part].above;
        const jpeg_ls_record *record = lines[part].records + x;
        choice at = choose_context(decoder, record, find_level(decoder, record, line[x - 1]));
        int prediction = jpeg_ls_predict(line[x - 1], above[x], above[x - 1]);
        int sample = decode_quickly(decoder, &decoder->position, at, prediction, is_lossless);
        if (LIKELY(sample >= 0))
            line[x] = (uint16_t)sample;
        else if (!decode_sample(decoder, line, above, record, x))
            return false;
    }
    return true;
}

static inline bool decode_triplets(jpeg_ls_decoder *decoder, jpeg_ls_lines lines[3],
                                   bool is_lossless)
{
    for (ptrdiff_t x = 0; x < decoder->columns;) {
        bool is_run = true;
        for (int part = 0; part < 3 && is_run; part++) {
            const jpeg_ls_record *record = lines[part].records + x;
            is_run = !record->context && !find_level(decoder, record, lines[part].line[x - 1]);
        }
        if (!is_run && !decode_triplet(decoder, lines, x, is_lossless))
            return false;
        x = is_run ? decode_triplet_run(decoder, lines, x) : x + 1;
        if (x < 0)
            return false;
    }
    return decoder->position <= decoder->end;
}

bool jpeg_ls_decode_triplets(jpeg_ls_decoder *decoder, jpeg_ls_lines lines[3])
{
    for (int part = 0; part < 3; part++)
        begin_line(decoder, &lines[part]);
    return !decoder->is.near ? decode_triplets(decoder, lines, true)
                                : decode_triplets(decoder, lines, false);
}

bool jpeg_ls_is_at_end(const jpeg_ls_decoder *decoder)
{
    size_t left = decoder->end - decoder->position;
    return left < 8 && !(jpeg_ls_look(decoder->bits, decoder->position) >> 56);
}
