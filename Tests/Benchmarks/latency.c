/* How long a client waits: gcc -O2 -pthread latency.c -o latency
   ./latency seek host:port topic [-n calls] [-p places] [-k broker pid]
     ListOffsets by time, then Fetch of the one batch there, at random places of a log that logshape.c wrote (partition 0), one call after
     another, in a batch of 4 KB each, after each place was visited once.  Every answer is compared with what the log must say.
   ./latency steady host:port topic [-r records a second] [-a acks] [-t seconds at most; SIGTERM ends it before]
     one record at a time by the clock to partition 0, while a consumer waits for each in a long poll.  A record counts from when it was
     due, so that what a late answer held up is in the figures. */
#include <signal.h>
#include "rawclient.h"

static int calls = 20000, places = 2000, rate = 200, acks = 1, secs = 3600;
static char *topic; static volatile int stopped;
static int by_size(const void *a, const void *b) { double x = *(double *)a, y = *(double *)b; return x < y ? -1 : x > y; }
static void tell(const char *words, double *d, long n, double cpu) {
    if (!n) { printf("%s: nothing measured\n", words); return; }
    qsort(d, n, 8, by_size);
    printf("%s: p50 %.0f us, p99 %.0f us, worst %.0f us, %ld of them", words, d[n / 2] * 1e6, d[n - 1 - n / 100] * 1e6, d[n - 1] * 1e6, n);
    if (pid) printf(", broker CPU %.1f us each", cpu / n * 1e6);
    printf("\n"); fflush(stdout);
}
static uint8_t *buf; static size_t cap;
static void begin(B *b, int api, int version, int number) { b->n = 0; b4(b, 0); b2(b, api); b2(b, version); b4(b, number); bs(b, "latency"); }
static size_t call(int fd, B *b, uint8_t **into, size_t *room) { at4(b->p, b->n - 4); wr(fd, b->p, b->n); return rdframe(fd, into, room); }
static void fail(const char *what, long long asked, long long got) { fprintf(stderr, "%s: %lld, and the answer %lld\n", what, asked, got); exit(1); }

/* The offset at a time; -1 and -2: the end, the beginning. */
static int64_t offset_at(int fd, int64_t time) {
    uint8_t room[400]; B b = {room, 0}; begin(&b, 2, 1, 7); b4(&b, -1); b4(&b, 1); bs(&b, topic); b4(&b, 1); b4(&b, 0); b8(&b, time);
    call(fd, &b, &buf, &cap); uint8_t *q = buf + 8; q += 2 + g2(q) + 4;
    if (g2(q + 4)) fail("ListOffsets", time, g2(q + 4)); return g8(q + 14);
}
/* Into `into`; the first batch, or 0 when nothing came. */
static uint8_t *fetch(int fd, int64_t offset, int wait, int most, uint8_t **into, size_t *room, size_t *length) {
    uint8_t words[400]; B b = {words, 0}; begin(&b, 1, 4, 8); b4(&b, -1); b4(&b, wait); b4(&b, 1); b4(&b, most); b1(&b, 0); b4(&b, 1); bs(&b, topic); b4(&b, 1); b4(&b, 0); b8(&b, offset); b4(&b, most);
    call(fd, &b, into, room); uint8_t *q = *into + 8 + 4; q += 2 + g2(q) + 4; if (g2(q + 4)) fail("Fetch", offset, g2(q + 4));
    q += 6 + 16; int ab = (int)g4(q); q += 4 + (ab > 0 ? ab * 16 : 0); int n = (int)g4(q); *length = n > 0 ? n : 0; return n > 0 ? q + 4 : 0;
}
static int seek(void) {
    int fd = dial(); int64_t end = offset_at(fd, -1), *at = calloc(places, 8); double *took = calloc(calls, 8); uint64_t x = 88172645463325252ull;
    for (int i = 0; i < places; i++) { x ^= x << 13; x ^= x >> 7; x ^= x << 17; at[i] = x % (end / BATCH_RECORDS / 2) * 2 * BATCH_RECORDS + (x >> 40) % BATCH_RECORDS; }
    for (int by_offset = 0; by_offset < 2; by_offset++) {
        double c0 = 0;
        for (int i = -places; i < calls; i++) {
            if (!i && pid) c0 = pidcpu();
            int64_t o = at[(unsigned)(i + places) % places]; double t0 = now();
            if (by_offset) {
                size_t n; uint8_t *q = fetch(fd, o, 0, 1, &buf, &cap, &n);
                if (!q || n != 12 + g4(q + 8) || g8(q) != (uint64_t)o / BATCH_RECORDS * BATCH_RECORDS) fail("Fetch", o, q ? (long long)g8(q) : -1);
            } else { int64_t found = offset_at(fd, TIME_OF_FIRST + o); if (found != o) fail("a time's offset", o, found); }
            if (i >= 0) took[i] = now() - t0;
        }
        tell(by_offset ? "fetch at an offset" : "offset of a time", took, calls, pid ? pidcpu() - c0 : 0);
    }
    return 0;
}

enum { MOST = 1 << 22 };
static double *answered, *received; static long answers, receipts; static int64_t start;
static void *consumer(void *a) {
    int fd = dial(); uint8_t *mine = 0; size_t room = 0, n; int64_t offset = start;
    while (!stopped) {
        uint8_t *q = fetch(fd, offset, 100, 1 << 20, &mine, &room, &n), *e = q + n;
        for (; q && q + 61 <= e && q + 12 + g4(q + 8) <= e; q += 12 + g4(q + 8)) {
            double due; memcpy(&due, q + 12 + g4(q + 8) - 9, 8); offset = g8(q) + g4(q + 23) + 1;    /* the value, before the count of headers */
            if (receipts < MOST) received[receipts++] = now() - due;
        }
    }
    return 0;
}
static int steady(void) {
    int fd = dial(); start = offset_at(fd, -1); answered = calloc(MOST, 8); received = calloc(MOST, 8); pthread_t t;
    /* Taken between two records only: no read is interrupted. */
    sigset_t end; sigemptyset(&end); sigaddset(&end, SIGTERM); sigaddset(&end, SIGINT); pthread_sigmask(SIG_BLOCK, &end, 0); pthread_create(&t, 0, consumer, 0);
    double began = now(), c0 = pid ? pidcpu() : 0; uint8_t room[600];
    for (long i = 0; answers < MOST; i++) {
        double due = began + (double)i / rate; if (due > began + secs) break;
        double left = due - now(); if (left < 0) left = 0; struct timespec w = {(time_t)left, (left - (time_t)left) * 1e9}; if (sigtimedwait(&end, 0, &w) > 0) break;
        struct timeval tv; gettimeofday(&tv, 0); uint64_t ms = tv.tv_sec * 1000ull + tv.tv_usec / 1000;
        B b = {room, 0}; begin(&b, 0, 7, i); b2(&b, -1); b2(&b, acks); b4(&b, 30000); b4(&b, 1); bs(&b, topic); b4(&b, 1); b4(&b, 0); size_t size = b.n; b4(&b, 0);
        size_t at = b.n; b8(&b, 0); b4(&b, 0); b4(&b, -1); b1(&b, 2); b4(&b, 0); size_t c = b.n; b2(&b, 0); b4(&b, 0); b8(&b, ms); b8(&b, ms); b8(&b, -1); b2(&b, -1); b4(&b, -1); b4(&b, 1);
        bv(&b, 1 + 1 + 1 + 1 + vlen(100) + 100 + 1); b1(&b, 0); bv(&b, 0); bv(&b, 0); bv(&b, -1); bv(&b, 100); for (int k = 0; k < 92; k++) b1(&b, 'a' + k % 26);
        memcpy(b.p + b.n, &due, 8); b.n += 8; bv(&b, 0); at4(room + size, b.n - at); at4(room + at + 8, b.n - at - 12); at4(room + c - 4, crc32c(room + c, b.n - c));
        call(fd, &b, &buf, &cap); uint8_t *q = buf + 8; q += 2 + g2(q) + 4; if (g2(q + 4)) fail("Produce", i, g2(q + 4));
        answered[answers++] = now() - due;
    }
    stopped = 1; pthread_join(t, 0);
    double cpu = pid ? pidcpu() - c0 : 0; tell("produced", answered, answers, cpu); pid = 0; tell("consumed", received, receipts, 0); return 0;
}
int main(int c, char **v) {
    if (c < 4) { fprintf(stderr, "see the head of latency.c\n"); return 2; }
    where(v[2]); topic = v[3]; buf = malloc(cap = 65536);
    for (int i = 4; i + 1 < c; i += 2) { int x = atoi(v[i + 1]); switch (v[i][1]) { case 'n': calls = x; break; case 'p': places = x; break; case 'k': pid = x; break; case 'r': rate = x; break;
        case 'a': acks = x; break; case 't': secs = x; break; default: fprintf(stderr, "unknown %s\n", v[i]); return 2; } }
    return strcmp(v[1], "seek") ? steady() : seek();
}
