/* What the files of elements share: VRs by number, tags, and how bytes are read. */
#ifndef DICODEC_ELEMENT_BYTES_H
#define DICODEC_ELEMENT_BYTES_H

#include <stdint.h>

/* All VRs, those of the long form first. */
#define EACH_VR(VR)                                                                              \
    VR(OB, 'O', 'B') VR(OD, 'O', 'D') VR(OF, 'O', 'F') VR(OL, 'O', 'L')                          \
    VR(OV, 'O', 'V') VR(OW, 'O', 'W') VR(SQ, 'S', 'Q') VR(SV, 'S', 'V')                          \
    VR(UC, 'U', 'C') VR(UN, 'U', 'N') VR(UR, 'U', 'R') VR(UT, 'U', 'T')                          \
    VR(UV, 'U', 'V') VR(AE, 'A', 'E') VR(AS, 'A', 'S') VR(AT, 'A', 'T')                          \
    VR(CS, 'C', 'S') VR(DA, 'D', 'A') VR(DS, 'D', 'S') VR(DT, 'D', 'T')                          \
    VR(FL, 'F', 'L') VR(FD, 'F', 'D') VR(IS, 'I', 'S') VR(LO, 'L', 'O')                          \
    VR(LT, 'L', 'T') VR(PN, 'P', 'N') VR(SH, 'S', 'H') VR(SL, 'S', 'L')                          \
    VR(SS, 'S', 'S') VR(ST, 'S', 'T') VR(TM, 'T', 'M') VR(UI, 'U', 'I')                          \
    VR(UL, 'U', 'L') VR(US, 'U', 'S')

#define NUMBER(name, one, two) VR_##name,
enum { EACH_VR(NUMBER) };

enum { FILE_META_GROUP = 0x0002, FIRST_DATA_SET_GROUP = 0x0008, DELIMITER_GROUP = 0xFFFE };

#define UNDEFINED_LENGTH 0xFFFFFFFFu
#define ITEM 0xFFFEE000u
#define ITEM_DELIMITER 0xFFFEE00Du
#define SEQUENCE_DELIMITER 0xFFFEE0DDu

static inline uint32_t read_16(const uint8_t *bytes) { return bytes[0] | (uint32_t)bytes[1] << 8; }

static inline uint32_t read_32(const uint8_t *bytes)
{
    return read_16(bytes) | read_16(bytes + 2) << 16;
}

static inline uint32_t read_tag(const uint8_t *bytes)
{
    return read_16(bytes) << 16 | read_16(bytes + 2);
}

#endif
