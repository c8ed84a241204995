/* What the load generators share: clocks, a broker's CPU and memory, CRC-32C, big-endian words, a connection, frames. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

/* Of the logs that logshape.c writes: records a batch, and the first one's timestamp; each that follows is a millisecond later. */
enum { BATCH_RECORDS = 16 };
static const int64_t TIME_OF_FIRST = 1700000000000;

static int pid, port;
static char host[100];
static double now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec + t.tv_nsec / 1e9; }
static double pidcpu(void) {
    char p[64], b[2000]; unsigned long u = 0, s = 0; snprintf(p, 64, "/proc/%d/stat", pid); FILE *f = fopen(p, "r"); if (!f) return 0;
    size_t n = fread(b, 1, sizeof b - 1, f); b[n] = 0; fclose(f); char *q = strrchr(b, ')');
    if (q) sscanf(q + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &u, &s);
    return (u + s) / (double)sysconf(_SC_CLK_TCK);
}
static long pidrss(void) { char p[64]; long a = 0, r = 0; snprintf(p, 64, "/proc/%d/statm", pid); FILE *f = fopen(p, "r"); if (f) { if (fscanf(f, "%ld %ld", &a, &r) != 2) r = 0; fclose(f); } return r * 4096; }

static uint32_t T[256];
static uint32_t crc32c(const uint8_t *p, size_t n) {
    if (!T[1]) for (int i = 0; i < 256; i++) { uint32_t c = i; for (int k = 0; k < 8; k++) c = c & 1 ? (c >> 1) ^ 0x82F63B78u : c >> 1; T[i] = c; }
    uint32_t c = ~0u; while (n--) c = T[(c ^ *p++) & 255] ^ (c >> 8); return ~c;
}
typedef struct { uint8_t *p; size_t n; } B;
static void b1(B *b, int v) { b->p[b->n++] = v; }
static void b2(B *b, int v) { b1(b, v >> 8 & 255); b1(b, v & 255); }
static void b4(B *b, uint32_t v) { b2(b, v >> 16); b2(b, v & 0xFFFF); }
static void b8(B *b, uint64_t v) { b4(b, v >> 32); b4(b, (uint32_t)v); }
static void bs(B *b, const char *s) { b2(b, strlen(s)); memcpy(b->p + b->n, s, strlen(s)); b->n += strlen(s); }
static void bv(B *b, int64_t v) { uint64_t z = ((uint64_t)v << 1) ^ (uint64_t)(v >> 63); while (z > 127) { b1(b, (z & 127) | 128); z >>= 7; } b1(b, z); }
static void at4(uint8_t *p, uint32_t v) { p[0] = v >> 24; p[1] = v >> 16; p[2] = v >> 8; p[3] = v; }
static int vlen(int64_t v) { uint64_t z = (uint64_t)v << 1; int n = 1; while (z > 127) { z >>= 7; n++; } return n; }

static int dial(void) {
    int fd = socket(AF_INET, SOCK_STREAM, 0), one = 1; struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(port)}; inet_pton(AF_INET, host, &a.sin_addr);
    if (connect(fd, (void *)&a, sizeof a)) { perror("connect"); exit(2); }
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, 4); struct timeval t = {15, 0}; setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t); return fd;
}
static void wr(int fd, const uint8_t *p, size_t n) { while (n) { ssize_t k = write(fd, p, n); if (k <= 0) { perror("write"); exit(2); } p += k; n -= k; } }
static size_t rdframe(int fd, uint8_t **buf, size_t *cap) {
    uint8_t h[4]; size_t n = 0; while (n < 4) { ssize_t k = read(fd, h + n, 4 - n); if (k <= 0) { perror("read"); exit(2); } n += k; }
    size_t len = (size_t)h[0] << 24 | h[1] << 16 | h[2] << 8 | h[3]; if (len > *cap) *buf = realloc(*buf, *cap = len + 65536);
    for (n = 0; n < len;) { ssize_t k = read(fd, *buf + n, len - n); if (k <= 0) { perror("read"); exit(2); } n += k; }
    return len;
}
static long g2(uint8_t *p) { return (int16_t)(p[0] << 8 | p[1]); }
static uint32_t g4(uint8_t *p) { return (uint32_t)p[0] << 24 | p[1] << 16 | p[2] << 8 | p[3]; }
static uint64_t g8(uint8_t *p) { return (uint64_t)g4(p) << 32 | g4(p + 4); }
/* HOST:PORT, an address or localhost. */
static void where(const char *s) {
    const char *q = strrchr(s, ':'); if (!q) { fprintf(stderr, "HOST:PORT, not %s\n", s); exit(2); }
    snprintf(host, 100, "%.*s", (int)(q - s), s); port = atoi(q + 1); if (!strcmp(host, "localhost")) strcpy(host, "127.0.0.1");
}
