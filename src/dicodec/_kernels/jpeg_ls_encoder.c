#include "jpeg_ls_encoder.h"

void jpeg_ls_begin_encoder(jpeg_ls_encoder *encoder)
{
    jpeg_ls_begin_contexts(&encoder->state, &encoder->is);
    if (encoder->is.near)
        jpeg_ls_make_table(&encoder->table, &encoder->is);
    encoder->bits.window = 0;
    encoder->bits.held = 0;
}

/* Put a mapped difference (A.5.3). */
static inline void put_code(jpeg_ls_bits *bits, unsigned mapped, unsigned k, unsigned limit,
                            unsigned longest)
{
    unsigned zeros = mapped >> k, stop = limit - longest - 1;
    if (LIKELY(zeros < stop)) {
        unsigned value = 1u << k | (mapped & ((1u << k) - 1));
        if (UNLIKELY(zeros + k >= JPEG_LS_MOST_AT_ONCE)) {
            jpeg_ls_put_zeros(bits, zeros);
            zeros = 0;
        }
        jpeg_ls_put(bits, value, zeros + k + 1);
    } else {
        jpeg_ls_put_zeros(bits, stop);
        jpeg_ls_put(bits, 1u << longest | (mapped - 1), longest + 1);
    }
}

/* Map a difference to a number that is not negative (A.5.2), before it may be inverted. */
static inline unsigned map_error(int error)
{
    return (unsigned)(jpeg_ls_sign(error) ^ (2 * error));
}

/* Put a regular sample without loss; it and its prediction are mirrored by the context's sign. */
static inline void put_lossless(jpeg_ls_bits *bits, jpeg_ls_context *context,
                             const jpeg_ls_parameters *is, int sample, int prediction)
{
    int maximum = is->maximum;
    unsigned unused = 32 - is->bits;
    prediction += context->c;
    prediction = prediction < 0 ? 0 : prediction;
    prediction = prediction > maximum ? maximum : prediction;
    int error = (int)((unsigned)(sample - prediction) << unused) >> unused; /* modulo (A.4.5) */
    unsigned mapped = map_error(error);
    put_code(bits, mapped ^ jpeg_ls_inverts(context), context->k, is->limit, is->bits);
    jpeg_ls_update(context, (int)((mapped + 1) >> 1), error);
}

/* Put the length of a run (A.7.1.2), up to the sample that interrupts it or to the line's end. */
static void put_run(jpeg_ls_bits *bits, unsigned *index, ptrdiff_t length, bool is_interrupted)
{
    while (length >= (ptrdiff_t)1 << jpeg_ls_run_bits[*index]) {
        jpeg_ls_put(bits, 1, 1);
        length -= (ptrdiff_t)1 << jpeg_ls_run_bits[*index];
        if (*index < JPEG_LS_LARGEST_RUN_INDEX)
            ++*index;
    }
    if (is_interrupted)
        jpeg_ls_put(bits, (uint64_t)length, jpeg_ls_run_bits[*index] + 1u);
    else if (length)
        jpeg_ls_put(bits, 1, 1);
}

/* Put the sample that interrupts a run (A.7.2), and return it as a decoder has it. */
static int put_interruption(jpeg_ls_encoder *encoder, unsigned type, unsigned index, int sample,
                            int left, int above)
{
    const jpeg_ls_parameters *is = &encoder->is;
    jpeg_ls_run_context *context = &encoder->state.interruption[type];
    int prediction = type ? left : above;
    bool is_mirrored = !type && left > above;
    int error = jpeg_ls_quantize(is, is_mirrored ? prediction - sample : sample - prediction);
    unsigned k = jpeg_ls_find_run_k(context, type);
    bool is_rare = 2 * context->nn >= context->n, map = error > 0 && !k && !is_rare;
    if (error < 0)
        map = is_rare || k;
    unsigned mapped = 2 * (unsigned)(error < 0 ? -error : error) - type - map;
    put_code(&encoder->bits, mapped, k, is->limit - jpeg_ls_run_bits[index] - 1, is->bits);
    jpeg_ls_update_run(context, type, error, mapped);
    return jpeg_ls_reconstruct(is, prediction, is_mirrored ? -error : error);
}

static bool are_near(int one, int other, int near)
{
    int difference = one - other;
    return difference <= near && -difference <= near;
}

/* Put a run from `x` on, with what interrupts it; return the column behind. */
static ptrdiff_t encode_run(jpeg_ls_encoder *encoder, jpeg_ls_source *source, ptrdiff_t x)
{
    uint16_t *line = source->line;
    ptrdiff_t end = x, columns = encoder->columns;
    unsigned *index = &encoder->state.run_index[0];
    int left = line[x - 1], near = encoder->is.near;
    if (near)
        for (; end < columns && are_near(line[end], left, near); end++)
            line[end] = (uint16_t)left;
    else
        while (end < columns && line[end] == left)
            end++;
    put_run(&encoder->bits, index, end - x, end < columns);
    if (end == columns)
        return end;
    int above = source->above[end];
    unsigned type = are_near(left, above, near);
    line[end] = (uint16_t)put_interruption(encoder, type, *index, line[end], left, above);
    if (*index)
        --*index;
    return end + 1;
}

/* The same of three components whose samples are interleaved. */
static ptrdiff_t encode_triplet_run(jpeg_ls_encoder *encoder, jpeg_ls_source *sources, ptrdiff_t x)
{
    ptrdiff_t end = x;
    unsigned *index = &encoder->state.run_index[0];
    for (; end < encoder->columns; end++) {
        bool goes_on = true;
        for (int i = 0; i < 3; i++)
            goes_on &= are_near(sources[i].line[end], sources[i].line[x - 1], encoder->is.near);
        if (!goes_on)
            break;
        for (int i = 0; i < 3; i++)
            sources[i].line[end] = sources[i].line[x - 1];
    }
    put_run(&encoder->bits, index, end - x, end < encoder->columns);
    if (end == encoder->columns)
        return end;
    for (int i = 0; i < 3; i++) {
        uint16_t *sample = &sources[i].line[end];
        *sample = (uint16_t)put_interruption(encoder, 0, *index, *sample, sources[i].line[x - 1],
                                             sources[i].above[end]);
    }
    if (*index)
        --*index;
    return end + 1;
}

static void encode_lossless_line(jpeg_ls_encoder *encoder, jpeg_ls_source *source)
{
    const jpeg_ls_prepared prepared = source->prepared;
    jpeg_ls_bits bits = encoder->bits; /* so that they stay in registers */
    for (ptrdiff_t x = 0; x < encoder->columns;) {
        unsigned context = prepared.contexts[x];
        if (LIKELY(context)) {
            put_lossless(&bits, &encoder->state.regular[context], &encoder->is, prepared.samples[x],
                      prepared.predictions[x]);
            x++;
        } else {
            encoder->bits = bits;
            x = encode_run(encoder, source, x);
            bits = encoder->bits;
        }
    }
    encoder->bits = bits;
}

static void encode_lossless_triplets(jpeg_ls_encoder *encoder, jpeg_ls_source *sources)
{
    jpeg_ls_bits bits = encoder->bits;
    for (ptrdiff_t x = 0; x < encoder->columns;) {
        unsigned contexts[3], any = 0;
        for (int i = 0; i < 3; i++)
            any |= contexts[i] = sources[i].prepared.contexts[x];
        if (LIKELY(any)) {
            for (int i = 0; i < 3; i++)
                put_lossless(&bits, &encoder->state.regular[contexts[i]], &encoder->is,
                          sources[i].prepared.samples[x], sources[i].prepared.predictions[x]);
            x++;
        } else {
            encoder->bits = bits;
            x = encode_triplet_run(encoder, sources, x);
            bits = encoder->bits;
        }
    }
    encoder->bits = bits;
}

/* The context of a sample and its sign: below 0 if that is negative. */
static int find_context(const jpeg_ls_encoder *encoder, const jpeg_ls_source *source, ptrdiff_t x)
{
    const int8_t *levels = encoder->table.entries + JPEG_LS_SIDE + JPEG_LS_SIDE / 2 - 1;
    int third = levels[source->line[x - 1] - source->above[x - 1]] / JPEG_LS_CONTEXT_SIZE;
    return 81 * source->gradients[x + 1] + 9 * source->gradients[x] + third;
}

/* Put a regular sample with loss, and return it as a decoder has it. */
static inline int put_near(jpeg_ls_bits *bits, jpeg_ls_context *context,
                           const jpeg_ls_parameters *is, int sample, int prediction, int sign)
{
    prediction += (context->c ^ sign) - sign;
    prediction = prediction < 0 ? 0 : prediction;
    prediction = prediction > is->maximum ? is->maximum : prediction;
    int error = jpeg_ls_quantize(is, ((sample - prediction) ^ sign) - sign);
    unsigned mapped = map_error(error);
    put_code(bits, mapped, context->k, is->limit, is->bits);
    jpeg_ls_update(context, (int)((mapped + 1) >> 1), error * is->step);
    return jpeg_ls_reconstruct(is, prediction, (error ^ sign) - sign);
}

static inline void encode_near_line(jpeg_ls_encoder *encoder, jpeg_ls_source *sources,
                                    unsigned components)
{
    jpeg_ls_bits bits = encoder->bits;
    for (ptrdiff_t x = 0; x < encoder->columns;) {
        int found[3], any = 0;
        for (unsigned i = 0; i < components; i++)
            any |= found[i] = find_context(encoder, &sources[i], x);
        if (UNLIKELY(!any)) {
            encoder->bits = bits;
            x = components == 1 ? encode_run(encoder, sources, x)
                                : encode_triplet_run(encoder, sources, x);
            bits = encoder->bits;
            continue;
        }
        for (unsigned i = 0; i < components; i++) {
            uint16_t *line = sources[i].line, *above = sources[i].above;
            int sign = jpeg_ls_sign(found[i]);
            jpeg_ls_context *context = &encoder->state.regular[(found[i] ^ sign) - sign];
            int prediction = jpeg_ls_predict(line[x - 1], above[x], above[x - 1]);
            line[x] = (uint16_t)put_near(&bits, context, &encoder->is, line[x], prediction, sign);
        }
        x++;
    }
    encoder->bits = bits;
}

void jpeg_ls_encode_line(jpeg_ls_encoder *encoder, jpeg_ls_source *sources, unsigned components)
{
    size_t columns = (size_t)encoder->columns;
    for (unsigned i = 0; i < components; i++) {
        jpeg_ls_source *source = &sources[i];
        source->line[-1] = source->above[0];
        source->above[columns] = source->above[columns - 1];
        jpeg_ls_quantize_line(source->above, columns, &encoder->is, source->gradients);
        if (!encoder->is.near)
            jpeg_ls_prepare_line(source->line, source->above, source->gradients, columns,
                                 &encoder->is, source->third, &source->prepared);
    }
    if (!encoder->is.near && components == 1)
        encode_lossless_line(encoder, sources);
    else if (!encoder->is.near)
        encode_lossless_triplets(encoder, sources);
    else if (components == 1)
        encode_near_line(encoder, sources, 1);
    else
        encode_near_line(encoder, sources, 3);
}
