/* The client's side of ZooKeeper's protocol, as far as the load generators need it: one thread, no locks, no retries. */
#define _GNU_SOURCE
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>


enum { OP_CREATE = 1, OP_DELETE = 2, OP_GET = 4, OP_SET = 5, OP_CLOSE = -11 };

typedef struct { char host[64]; int port; int pid; } Server;
typedef struct {
    int fd, idx, inflight;
    uint32_t xid;
    uint8_t *out; size_t outlen, outcap, outoff;
    uint8_t *in; size_t inlen, incap;
    uint64_t *ts; uint32_t tsh, tst, tscap;        /* send times, a ring in request order */
    uint64_t seq, made, gone;
    int events;
} Conn;

static uint64_t now(void) { struct timespec t; clock_gettime(CLOCK_MONOTONIC, &t); return t.tv_sec * 1000000000ull + t.tv_nsec; }
static void die(const char *f, ...) { va_list a; va_start(a, f); vfprintf(stderr, f, a); va_end(a); fputc('\n', stderr); exit(1); }

/* ---- output buffer */
static void need(Conn *c, size_t n) {
    if (c->outoff && c->outoff == c->outlen) c->outoff = c->outlen = 0;
    if (c->outlen + n > c->outcap) { c->outcap = (c->outlen + n) * 2; c->out = realloc(c->out, c->outcap); }
}
static void p32(Conn *c, int32_t v) { need(c, 4); uint32_t x = htonl(v); memcpy(c->out + c->outlen, &x, 4); c->outlen += 4; }
static void p64(Conn *c, int64_t v) { p32(c, v >> 32); p32(c, (int32_t)v); }
static void pbuf(Conn *c, const void *d, int n) { p32(c, n); if (n > 0) { need(c, n); memcpy(c->out + c->outlen, d, n); c->outlen += n; } }
static void pstr(Conn *c, const char *s) { pbuf(c, s, strlen(s)); }
static void p8(Conn *c, int v) { need(c, 1); c->out[c->outlen++] = v; }
static size_t begin(Conn *c) { size_t o; need(c, 4); o = c->outlen; c->outlen += 4; return o; }
static void end(Conn *c, size_t at) { uint32_t n = htonl(c->outlen - at - 4); memcpy(c->out + at, &n, 4); }

/* of every data that is written */
static uint8_t *payload;
static int bytes = 100;
/* requests a connection may have on their way */
static int window = 1;
/* what is asked for a session */
static int timeout_ms = 40000;

static void req_create(Conn *c, const char *path, int flags) {
    size_t a = begin(c); p32(c, ++c->xid); p32(c, OP_CREATE); pstr(c, path); pbuf(c, payload, bytes);
    p32(c, 1); p32(c, 31); pstr(c, "world"); pstr(c, "anyone"); p32(c, flags); end(c, a);
}
static void req_delete(Conn *c, const char *path) { size_t a = begin(c); p32(c, ++c->xid); p32(c, OP_DELETE); pstr(c, path); p32(c, -1); end(c, a); }
static void req_get(Conn *c, const char *path, int watch) { size_t a = begin(c); p32(c, ++c->xid); p32(c, OP_GET); pstr(c, path); p8(c, watch); end(c, a); }
static void req_set(Conn *c, const char *path) { size_t a = begin(c); p32(c, ++c->xid); p32(c, OP_SET); pstr(c, path); pbuf(c, payload, bytes); p32(c, -1); end(c, a); }
static void req_close(Conn *c) { size_t a = begin(c); p32(c, ++c->xid); p32(c, OP_CLOSE); end(c, a); }

static void flush(Conn *c) {
    while (c->outoff < c->outlen) {
        ssize_t n = send(c->fd, c->out + c->outoff, c->outlen - c->outoff, MSG_NOSIGNAL);
        if (n < 0) { if (errno == EAGAIN) return; die("send: %s", strerror(errno)); }
        c->outoff += n;
    }
    c->outoff = c->outlen = 0;
}
static int32_t g32(const uint8_t *p) { uint32_t x; memcpy(&x, p, 4); return ntohl(x); }

/* reads what is there; returns the number of whole frames, *off is moved along by next() */
static int fill(Conn *c) {
    if (c->incap - c->inlen < 65536) { c->incap = c->incap ? c->incap * 2 : 262144; c->in = realloc(c->in, c->incap); }
    ssize_t n = recv(c->fd, c->in + c->inlen, c->incap - c->inlen, 0);
    if (n == 0) die("server closed connection %d", c->idx);
    if (n < 0) { if (errno == EAGAIN) return 0; die("recv: %s", strerror(errno)); }
    c->inlen += n;
    return 1;
}
static const uint8_t *frame(Conn *c, size_t *off, int *len) {
    if (c->inlen - *off < 4) return NULL;
    int n = g32(c->in + *off);
    if (c->inlen - *off - 4 < (size_t)n) return NULL;
    const uint8_t *p = c->in + *off + 4; *len = n; *off += 4 + n;
    return p;
}
static void consume(Conn *c, size_t off) { memmove(c->in, c->in + off, c->inlen - off); c->inlen -= off; }

static void blocking(Conn *c, int on) { int f = fcntl(c->fd, F_GETFL); fcntl(c->fd, F_SETFL, on ? f & ~O_NONBLOCK : f | O_NONBLOCK); }
/* one blocking request; returns its error code */
static int wait_reply(Conn *c) {
    blocking(c, 1); flush(c);
    for (;;) {
        size_t off = 0; int len; const uint8_t *p = frame(c, &off, &len);
        if (!p) { fill(c); continue; }
        int xid = g32(p), err = g32(p + 12);
        consume(c, off);
        if (xid == (int)c->xid) { blocking(c, 0); return err; }
    }
}
static void open_conn(Conn *c, Server *s, int idx) {
    memset(c, 0, sizeof *c); c->idx = idx;
    struct sockaddr_in a = { .sin_family = AF_INET, .sin_port = htons(s->port) };
    struct hostent *h = gethostbyname(s->host); if (!h) die("no such host %s", s->host);
    memcpy(&a.sin_addr, h->h_addr, 4);
    c->fd = socket(AF_INET, SOCK_STREAM, 0); int one = 1; setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
    if (connect(c->fd, (void *)&a, sizeof a)) die("connect %s:%d: %s", s->host, s->port, strerror(errno));
    size_t b = begin(c); static uint8_t zero[16];
    p32(c, 0); p64(c, 0); p32(c, timeout_ms); p64(c, 0); pbuf(c, zero, 16); p8(c, 0); end(c, b);
    flush(c);
    for (;;) { size_t off = 0; int len; const uint8_t *p = frame(c, &off, &len); if (!p) { fill(c); continue; }
        if (g32(p + 4) <= 0) die("no session"); consume(c, off); break; }
    c->tscap = window + 8; c->ts = malloc(c->tscap * sizeof *c->ts);
    blocking(c, 0);
}
static double proc_cpu(int pid) {
    if (!pid) return 0;
    char b[64], line[2048]; snprintf(b, sizeof b, "/proc/%d/stat", pid); FILE *f = fopen(b, "r"); if (!f) return 0;
    if (!fgets(line, sizeof line, f)) line[0] = 0; fclose(f); char *p = strrchr(line, ')'); if (!p) return 0;
    unsigned long ut = 0, st = 0; sscanf(p + 2, "%*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &ut, &st);
    return (double)(ut + st) / sysconf(_SC_CLK_TCK);
}
static double proc_kb(int pid, const char *key) {
    if (!pid) return 0;
    char b[64], line[256]; double v = 0; snprintf(b, sizeof b, "/proc/%d/status", pid); FILE *f = fopen(b, "r"); if (!f) return 0;
    while (fgets(line, sizeof line, f)) if (!strncmp(line, key, strlen(key))) v = atof(line + strlen(key));
    fclose(f); return v / 1024;
}

