/* Tables of HTJ2K that both directions read; first its context-adaptive variable length codes:
 * ISO/IEC 15444-15 7.3.5 and Annex C. */
#ifndef DICODEC_JPEG2000_HT_CODES_H
#define DICODEC_JPEG2000_HT_CODES_H

#include <stdint.h>

enum {
    JPEG2000_HT_FIRST_ROW_CODES = 444,
    JPEG2000_HT_OTHER_ROW_CODES = 358,
    JPEG2000_HT_MEL_STATES = 13,
};

/* A row of a table: from the lowest bit on, 3 bits of context, 4 of the significance pattern, 1 of
 * u_off, 4 of EMB known (e_k), 4 of EMB (e_1), 8 of the codeword, whose first bit is the lowest,
 * and its length. */
extern const uint32_t jpeg2000_ht_first_row_codes[JPEG2000_HT_FIRST_ROW_CODES]; /* CxtVLC_table_0 */
extern const uint32_t jpeg2000_ht_other_row_codes[JPEG2000_HT_OTHER_ROW_CODES]; /* CxtVLC_table_1 */

/* Exponents of the adaptive run-length coder by its state: 7.3.3, Table 2. */
extern const uint8_t jpeg2000_ht_mel_exponents[JPEG2000_HT_MEL_STATES];

/* By a set of a quad's samples, a byte of one for each. */
extern const uint32_t jpeg2000_ht_bytes[16];

#endif
