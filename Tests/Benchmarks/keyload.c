/* Records with keys, for a log that is to be compacted: gcc -O2 -pthread keyload.c -o keyload
   ./keyload host:port topic [-g megabytes] [-u keys a hundred records] [-n records a batch] [-s bytes a value] [-w requests in flight]
   Produce v7, acks=1, partition 0; keys are drawn from as many as `-u` says of the number of records, all equally often. */
#include "rawclient.h"

int main(int c, char **v) {
    long megabytes = 1024, share = 10, records = 500, value = 100, window = 4;
    if (c < 3) { fprintf(stderr, "see the head of keyload.c\n"); return 2; }
    where(v[1]); const char *topic = v[2];
    for (int i = 3; i + 1 < c; i += 2) { long x = atol(v[i + 1]); switch (v[i][1]) { case 'g': megabytes = x; break; case 'u': share = x; break; case 'n': records = x; break; case 's': value = x; break; case 'w': window = x; break;
        default: fprintf(stderr, "unknown %s\n", v[i]); return 2; } }
    int fd = dial(); uint8_t *buf = 0, *room = malloc(400 + strlen(topic) + records * (value + 60)); size_t cap = 0; long sent = 0, got = 0, bytes = 0, most = megabytes * 1000000, keys = 0; uint64_t x = 88172645463325252ull;
    double began = now();
    while (bytes < most || got < sent) {
        if (bytes < most && sent - got < window) {
            struct timeval tv; gettimeofday(&tv, 0); uint64_t ms = tv.tv_sec * 1000ull + tv.tv_usec / 1000;
            B b = {room, 0}; b4(&b, 0); b2(&b, 0); b2(&b, 7); b4(&b, sent); bs(&b, "keyload"); b2(&b, -1); b2(&b, 1); b4(&b, 30000); b4(&b, 1); bs(&b, topic); b4(&b, 1); b4(&b, 0); size_t size = b.n; b4(&b, 0);
            size_t at = b.n; b8(&b, 0); b4(&b, 0); b4(&b, -1); b1(&b, 2); b4(&b, 0); size_t head = b.n; b2(&b, 0); b4(&b, records - 1); b8(&b, ms); b8(&b, ms); b8(&b, -1); b2(&b, -1); b4(&b, -1); b4(&b, records);
            for (long i = 0; i < records; i++) {
                if (!keys) keys = most / (value + 25) * share / 100 + 1;
                x ^= x << 13; x ^= x >> 7; x ^= x << 17; char key[20]; snprintf(key, 20, "key-%012lld", (long long)(x % keys));
                bv(&b, 1 + 1 + vlen(i) + 1 + 16 + vlen(value) + value + 1); b1(&b, 0); bv(&b, 0); bv(&b, i); bv(&b, 16); memcpy(b.p + b.n, key, 16); b.n += 16; bv(&b, value);
                memset(b.p + b.n, 'a' + x % 26, value); b.n += value; bv(&b, 0);
            }
            at4(room + size, b.n - at); at4(room + at + 8, b.n - at - 12); at4(room + head - 4, crc32c(room + head, b.n - head)); at4(room, b.n - 4);
            wr(fd, room, b.n); sent++; bytes += b.n - at; continue;
        }
        rdframe(fd, &buf, &cap); uint8_t *q = buf + 8; q += 2 + g2(q) + 4; if (g2(q + 4)) { fprintf(stderr, "error code %ld\n", g2(q + 4)); return 1; } got++;
    }
    printf("keyload: %ld records of %ld keys, %.2f GB, %.0f MB/s\n", sent * records, keys, bytes / 1e9, bytes / (now() - began) / 1e6); return 0;
}
