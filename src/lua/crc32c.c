/*
 * crc32c.c - the Castagnoli checksum (RFC 3720, appendix B.4)
 *
 * Three ways, chosen once: the crc32 instruction of SSE4.2, that of ARMv8, and
 * tables that take eight bytes per step.  The instructions have a latency of
 * three cycles and a throughput of one, so long inputs run three independent
 * streams, joined by a table that appends LANE zero bytes to a checksum.
 */
#include <pthread.h>
#include <string.h>

#include "lbuf.h"

#define POLYNOMIAL 0x82f63b78u /* reflected */
#define LANE 4096

typedef uint32_t Crc32cFunc(uint32_t crc, const uint8_t *p, size_t len);

static uint32_t bytes_table[8][256];
static uint32_t lane_table[4][256]; /* shifts a checksum over LANE zeros */
static Crc32cFunc *crc32c_best;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static uint64_t load64(const uint8_t *p)
{
    uint64_t v;
    memcpy(&v, p, sizeof(v));
    return v;
}

static uint32_t crc32c_table(uint32_t crc, const uint8_t *p, size_t len)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
    for (; len >= 8; p += 8, len -= 8) {
        uint64_t v = load64(p) ^ crc;
        crc = 0;
        for (int i = 0; i < 8; i++) {
            crc ^= bytes_table[7 - i][(v >> (8 * i)) & 0xff];
        }
    }
#endif
    for (; len > 0; p++, len--) {
        crc = (crc >> 8) ^ bytes_table[0][(crc ^ *p) & 0xff];
    }
    return crc;
}

#if defined(__x86_64__)
#include <nmmintrin.h>
#define HAVE_INSTRUCTION 1
#define INSTRUCTION_TARGET __attribute__((target("sse4.2")))
#define STEP8(crc, v) ((uint32_t)_mm_crc32_u64((crc), (v)))
#define STEP1(crc, v) _mm_crc32_u8((crc), (v))

static bool have_instruction(void)
{
    return __builtin_cpu_supports("sse4.2");
}
#elif defined(__aarch64__) && defined(__ARM_FEATURE_CRC32)
#include <arm_acle.h>
#define HAVE_INSTRUCTION 1
#define INSTRUCTION_TARGET
#define STEP8(crc, v) __crc32cd((crc), (v))
#define STEP1(crc, v) __crc32cb((crc), (v))

static bool have_instruction(void)
{
    return true; /* the compiler was told so */
}
#endif

#ifdef HAVE_INSTRUCTION
static uint32_t shift_lane(uint32_t crc)
{
    return lane_table[0][crc & 0xff] ^ lane_table[1][(crc >> 8) & 0xff] ^
           lane_table[2][(crc >> 16) & 0xff] ^ lane_table[3][crc >> 24];
}

INSTRUCTION_TARGET
static uint32_t crc32c_instruction(uint32_t crc, const uint8_t *p, size_t len)
{
    for (; len >= 3 * LANE; p += 3 * LANE, len -= 3 * LANE) {
        uint32_t b = 0, c = 0;
        for (size_t i = 0; i < LANE; i += 8) {
            crc = STEP8(crc, load64(p + i));
            b = STEP8(b, load64(p + LANE + i));
            c = STEP8(c, load64(p + 2 * LANE + i));
        }
        crc = shift_lane(shift_lane(crc) ^ b) ^ c;
    }
    for (; len >= 8; p += 8, len -= 8) {
        crc = STEP8(crc, load64(p));
    }
    for (; len > 0; p++, len--) {
        crc = STEP1(crc, *p);
    }
    return crc;
}
#endif

static void fill_bytes_table(void)
{
    for (uint32_t n = 0; n < 256; n++) {
        uint32_t crc = n;
        for (int bit = 0; bit < 8; bit++) {
            crc = (crc >> 1) ^ (crc & 1 ? POLYNOMIAL : 0);
        }
        bytes_table[0][n] = crc;
    }
    for (int k = 1; k < 8; k++) {
        for (uint32_t n = 0; n < 256; n++) {
            uint32_t prev = bytes_table[k - 1][n];
            bytes_table[k][n] = (prev >> 8) ^ bytes_table[0][prev & 0xff];
        }
    }
}

/* A checksum is linear: it is enough to shift each single bit. */
static void fill_lane_table(void)
{
    static const uint8_t zeros[LANE];
    uint32_t bits[32];

    for (int i = 0; i < 32; i++) {
        bits[i] = crc32c_table(1u << i, zeros, LANE);
    }
    for (int k = 0; k < 4; k++) {
        for (uint32_t n = 0; n < 256; n++) {
            for (int bit = 0; bit < 8; bit++) {
                lane_table[k][n] ^= n >> bit & 1 ? bits[8 * k + bit] : 0;
            }
        }
    }
}

static void choose(void)
{
    fill_bytes_table();
    fill_lane_table();
    crc32c_best = crc32c_table;
#ifdef HAVE_INSTRUCTION
    if (have_instruction()) {
        crc32c_best = crc32c_instruction;
    }
#endif
}

uint32_t crc32c(uint32_t crc, const void *data, size_t len)
{
    pthread_once(&once, choose);
    return ~crc32c_best(~crc, data, len);
}
