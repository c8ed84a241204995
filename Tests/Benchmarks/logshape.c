/* Writes a partition's directory as a log of any size: gcc -O2 -pthread logshape.c -o logshape
   ./logshape directory [-g logical size of the log] [-s of a segment] [-u of a pair of batches] [-i index interval]   sizes end in K, M or G
   Every batch is whole and has a right CRC-32C: 4 KB of small records, then one whose last value are zeros that fill the rest of the
   pair (none with -u 4K: small ones only, all of it on the disk).  Those zeros are a hole: a log of 100 GB in pairs of 1 MB takes
   0.8 GB of the disk, and is read, checked and searched as any other.  The record at offset o has the timestamp TIME_OF_FIRST + o
   (rawclient.h), so that whoever seeks knows the answer.  Indexes as Kafka writes them: an entry for a batch before which more than
   the interval was appended; snapshots of no producers. */
#include <fcntl.h>
#include <sys/stat.h>
#include "rawclient.h"

enum { SMALL = 4096 };
static long total = 1L << 30, segment = 1L << 30, pair = 1 << 20, interval = 4096;
static char *directory;
static long allocated;

static long size_of(const char *s) {
    char *end; long n = strtol(s, &end, 10);
    switch (*end) { case 'G': n <<= 10; /* fall through */ case 'M': n <<= 10; /* fall through */ case 'K': n <<= 10; }
    return n;
}
static int make(const char *name, long number, const char *suffix) {
    char path[4200]; if (number < 0) snprintf(path, sizeof path, "%s/%s", directory, name); else snprintf(path, sizeof path, "%s/%020ld%s", directory, number, suffix);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644); if (fd < 0) { perror(path); exit(1); } return fd;
}
static void put(int fd, const void *p, size_t n, long at) { if (pwrite(fd, p, n, at) != (ssize_t)n) { perror("pwrite"); exit(1); } }
static void whole(const char *name, long number, const char *suffix, const void *p, size_t n) { int fd = make(name, number, suffix); put(fd, p, n, 0); close(fd); }

static uint32_t go_on(uint32_t c, const uint8_t *p, size_t n) { while (n--) c = T[(c ^ *p++) & 255] ^ (c >> 8); return c; }

/* A batch with everything but its offset and times: what stands before the zeros, and how many those are. */
typedef struct { long size; uint8_t head[SMALL]; size_t length; uint32_t after[32]; } Shape;

static void shape(Shape *s, long size) {
    B b = {s->head, 0}; s->size = size; long each = (SMALL - 400) / BATCH_RECORDS;
    b8(&b, 0); b4(&b, size - 12); b4(&b, 0); b1(&b, 2); b4(&b, 0); b2(&b, 0); b4(&b, BATCH_RECORDS - 1); b8(&b, 0); b8(&b, 0); b8(&b, -1); b2(&b, -1); b4(&b, -1); b4(&b, BATCH_RECORDS);
    for (int i = 0; i < BATCH_RECORDS; i++) {
        /* The last one's value takes what is left: its length counts, and so do the bytes of the lengths themselves. */
        int last = i == BATCH_RECORDS - 1; long value = each;
        if (last) for (value = size; value > 0; value--) { long body = 1 + vlen(i) * 2 + 1 + vlen(value) + value + 1; if ((long)b.n + vlen(body) + body == size) break; }
        if (value <= 0) { fprintf(stderr, "no batch of %ld bytes\n", size); exit(2); }
        bv(&b, 1 + vlen(i) * 2 + 1 + vlen(value) + value + 1); b1(&b, 0); bv(&b, i); bv(&b, i); bv(&b, -1); bv(&b, value);
        if (!last) { for (int k = 0; k < value; k++) b1(&b, 'a' + (i + k) % 26); bv(&b, 0); }
    }
    s->length = b.n;
    /* The state of a CRC after so many zeros is linear in the state before: what becomes of each bit tells all. */
    for (int i = 0; i < 32; i++) { uint32_t c = 1u << i; for (long k = s->length; k < size; k++) c = T[c & 255] ^ (c >> 8); s->after[i] = c; }
}
static void place(Shape *s, long offset) {
    B at = {s->head, 0}; b8(&at, offset); at.n = 27; b8(&at, TIME_OF_FIRST + offset); b8(&at, TIME_OF_FIRST + offset + BATCH_RECORDS - 1);
    uint32_t c = go_on(~0u, s->head + 21, s->length - 21), r = 0; for (int i = 0; c; i++, c >>= 1) if (c & 1) r ^= s->after[i];
    at4(s->head + 17, ~r);
}
static void prove(Shape *s) {
    uint8_t *all = calloc(1, s->size); place(s, 12345); memcpy(all, s->head, s->length);
    if (g4(s->head + 17) != crc32c(all + 21, s->size - 21)) { fprintf(stderr, "wrong CRC\n"); exit(1); } free(all);
}

static void snapshot(long offset) {
    uint8_t p[10] = {0, 1}; at4(p + 2, crc32c(p + 6, 4)); whole("", offset, ".snapshot", p, 10);
}

int main(int c, char **v) {
    if (c < 2 || c % 2) { fprintf(stderr, "see the head of logshape.c\n"); return 2; }
    directory = v[1];
    for (int i = 2; i + 1 < c; i += 2) { long x = size_of(v[i + 1]); switch (v[i][1]) { case 'g': total = x; break; case 's': segment = x; break; case 'u': pair = x; break; case 'i': interval = x; break;
        default: fprintf(stderr, "unknown %s\n", v[i]); return 2; } }
    if (pair % SMALL || segment % pair || total % pair) { fprintf(stderr, "a log and its segments are whole pairs, those multiples of 4K\n"); return 2; }
    crc32c((uint8_t *)"", 0); Shape shapes[2] = {0}; int kinds = pair > SMALL ? 2 : 1;
    for (int k = 0; k < kinds; k++) { shape(shapes + k, k ? pair - SMALL : SMALL); prove(shapes + k); }
    long batches = total / pair * kinds, per = segment / pair * kinds, records = 0, segments = 0; uint8_t *index = malloc(per * 8), *times = malloc((per + 1) * 12);
    double began = now();
    for (long first = 0; first < batches; first += per, segments++) {
        long base = first * BATCH_RECORDS, n = batches - first < per ? batches - first : per, since = 0, at = 0; B offsets = {index, 0}, stamps = {times, 0};
        int fd = make("", base, ".log"); if (ftruncate(fd, n / kinds * pair)) { perror("ftruncate"); return 1; }
        for (long i = 0; i < n; i++) {
            Shape *s = shapes + i % kinds; long offset = base + i * BATCH_RECORDS, last = offset + BATCH_RECORDS - 1;
            place(s, offset); put(fd, s->head, s->length, at); records += BATCH_RECORDS;
            if (since > interval) { b4(&offsets, last - base); b4(&offsets, at); b8(&stamps, TIME_OF_FIRST + last); b4(&stamps, last - base); since = 0; }
            since += s->size; at += s->size;
        }
        long end = n * BATCH_RECORDS - 1; if (stamps.n < 12 || g4(times + stamps.n - 4) != (uint32_t)end) { b8(&stamps, TIME_OF_FIRST + base + end); b4(&stamps, end); }
        whole("", base, ".index", index, offsets.n); whole("", base, ".timeindex", times, stamps.n); if (base) snapshot(base);
        struct stat st; fstat(fd, &st); allocated += st.st_blocks * 512; close(fd);
    }
    snapshot(records); whole("leader-epoch-checkpoint", -1, "", "0\n1\n0 0\n", 8);
    printf("%ld %ld\n", segments, records);
    fprintf(stderr, "logshape: %ld segments, %ld batches, %ld records, %.2f GB of which %.2f on the disk, %.1f s\n", segments, batches, records, total / 1e9, allocated / 1e9, now() - began);
    return 0;
}
