// CRC-32C: the table for every processor, three interleaved streams of the instruction where x86 has it.
#include "csystem.h"
#include <string.h>

static uint32_t table[8][256];

static uint32_t crc_table(uint32_t crc, const unsigned char *p, size_t n) {
    while (n >= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        word ^= crc;  // little-endian machines only; both of ours are
        crc = table[7][word & 255] ^ table[6][(word >> 8) & 255] ^ table[5][(word >> 16) & 255] ^
              table[4][(word >> 24) & 255] ^ table[3][(word >> 32) & 255] ^ table[2][(word >> 40) & 255] ^
              table[1][(word >> 48) & 255] ^ table[0][word >> 56];
        p += 8;
        n -= 8;
    }
    while (n--) crc = (crc >> 8) ^ table[0][(crc ^ *p++) & 255];
    return crc;
}

#if defined(__x86_64__)
#include <immintrin.h>

// One instruction has a latency of three cycles and a throughput of one, so three blocks are summed side by side. Their sums
// are joined by shifting each over the zeros that follow it: `shift` holds that linear map, a byte at a time.
enum { LONG = 4096, SHORT = 256 };
static uint32_t shift_long[4][256], shift_short[4][256];

static uint32_t shifted(uint32_t map[4][256], uint32_t crc) {
    return map[0][crc & 255] ^ map[1][(crc >> 8) & 255] ^ map[2][(crc >> 16) & 255] ^ map[3][crc >> 24];
}

static void make_shift(uint32_t map[4][256], size_t zeros) {
    static const unsigned char nothing[LONG];
    uint32_t bit[32];
    for (int i = 0; i < 32; i++) bit[i] = crc_table(1u << i, nothing, zeros);
    for (int byte = 0; byte < 4; byte++)
        for (int value = 0; value < 256; value++) {
            uint32_t sum = 0;
            for (int i = 0; i < 8; i++)
                if (value >> i & 1) sum ^= bit[byte * 8 + i];
            map[byte][value] = sum;
        }
}

static inline uint64_t load(const unsigned char *p) {
    uint64_t word;
    memcpy(&word, p, 8);
    return word;
}

__attribute__((target("sse4.2"))) static uint32_t crc_three(uint32_t map[4][256], size_t block, uint32_t crc,
                                                            const unsigned char **bytes, size_t *left) {
    const unsigned char *p = *bytes;
    size_t n = *left;
    while (n >= 3 * block) {
        uint64_t a = crc, b = 0, c = 0;
        for (size_t i = 0; i < block; i += 8) {
            a = _mm_crc32_u64(a, load(p + i));
            b = _mm_crc32_u64(b, load(p + block + i));
            c = _mm_crc32_u64(c, load(p + 2 * block + i));
        }
        crc = shifted(map, (uint32_t)a) ^ (uint32_t)b;
        crc = shifted(map, crc) ^ (uint32_t)c;
        p += 3 * block;
        n -= 3 * block;
    }
    *bytes = p;
    *left = n;
    return crc;
}

__attribute__((target("sse4.2"))) static uint32_t crc_hardware(uint32_t crc, const unsigned char *p, size_t n) {
    crc = crc_three(shift_long, LONG, crc, &p, &n);
    crc = crc_three(shift_short, SHORT, crc, &p, &n);
    uint64_t wide = crc;
    while (n >= 8) {
        wide = _mm_crc32_u64(wide, load(p));
        p += 8;
        n -= 8;
    }
    crc = (uint32_t)wide;
    while (n--) crc = _mm_crc32_u8(crc, *p++);
    return crc;
}
#endif

static uint32_t (*chosen)(uint32_t, const unsigned char *, size_t) = crc_table;

__attribute__((constructor)) static void choose(void) {
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++) crc = (crc >> 1) ^ (crc & 1 ? 0x82F63B78u : 0);
        table[0][i] = crc;
    }
    for (uint32_t i = 0; i < 256; i++)
        for (int row = 1; row < 8; row++)
            table[row][i] = (table[row - 1][i] >> 8) ^ table[0][table[row - 1][i] & 255];
#if defined(__x86_64__)
    __builtin_cpu_init();
    if (__builtin_cpu_supports("sse4.2")) {
        make_shift(shift_long, LONG);
        make_shift(shift_short, SHORT);
        chosen = crc_hardware;
    }
#endif
}

uint32_t csystem_crc32c(uint32_t crc, const void *bytes, size_t count) { return ~chosen(~crc, bytes, count); }
