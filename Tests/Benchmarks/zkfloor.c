/* zkfloor: what the kernel and the disk ask at least of a coordinator for what zkload asks of it, on this machine, now.
 *
 *   zkfloor DIR [PORT]       prints the port it listens at (on 127.0.0.1)
 *
 * No tree, no sessions, no checks: each request is answered with bytes that were made before. What is left is what no server can
 * spare its clients: a read, of a change the write of an entry of its size and its fdatasync in a file whose blocks were written
 * before, a send to each who watches, and a send of the reply. One thread, which looks out for requests without ever sleeping.
 * It is told apart from a server by what it does not hold: only zkload's set, get and watch make sense of it.
 */
#include "zkclient.h"

enum { MOST = 1024, ROOM = 64 << 20, FRAMING = 85 };
typedef struct { int fd, greeted, watches; size_t have; uint8_t in[65536]; } Client;

static Client *clients[MOST];
static int count, ep, file;
static off_t at;
static uint8_t entry[65536];
static int64_t zxid;

/* a frame's beginning; what follows is zeros */
static size_t head(uint8_t *to, int32_t xid, int32_t error, size_t body) {
    uint32_t words[5] = { htonl(16 + body), htonl(xid), htonl((uint32_t)(zxid >> 32)), htonl((uint32_t)zxid), htonl(error) };
    memcpy(to, words, sizeof words); return sizeof words;
}
static void out(Client *c, const uint8_t *from, size_t size) { if (send(c->fd, from, size, MSG_NOSIGNAL) != (ssize_t)size) die("send: %s", strerror(errno)); }
static void leave(Client *c) {
    close(c->fd);
    for (int i = 0; i < count; i++) if (clients[i] == c) { clients[i] = clients[--count]; break; }
    free(c);
}

static void change(const uint8_t *path, size_t pathlen) {
    size_t size = bytes + FRAMING;
    if (at + (off_t)size > ROOM) at = 0;
    if (pwrite(file, entry, size, at) != (ssize_t)size) die("pwrite: %s", strerror(errno));
    if (fdatasync(file)) die("fdatasync: %s", strerror(errno));
    at += size; zxid++;
    uint8_t event[512]; size_t body = 12 + pathlen, size_e = head(event, -1, 0, body);
    uint32_t words[3] = { htonl(3), htonl(3), htonl(pathlen) };
    memcpy(event + size_e, words, sizeof words); memcpy(event + size_e + 12, path, pathlen); size_e += body;
    for (int i = 0; i < count; i++) if (clients[i]->watches) { clients[i]->watches = 0; out(clients[i], event, size_e); }
}

/* returns whether the client is still there */
static int request(Client *c, const uint8_t *p, int len) {
    static uint8_t answer[70000];
    if (!c->greeted) {
        c->greeted = 1; memset(answer, 0, 41); uint32_t words[] = { htonl(37), 0, htonl(40000), 0, htonl(1), htonl(16) };
        memcpy(answer, words, sizeof words); out(c, answer, 41); return 1;
    }
    if (len < 8) die("a request of %d bytes", len);
    int32_t xid = g32(p), op = g32(p + 4); size_t body = 0, pathlen = len >= 12 ? g32(p + 8) : 0; const uint8_t *path = p + 12;
    if (op != OP_CLOSE && (len < 12 || pathlen > 300 || pathlen + 12 > (size_t)len)) die("a request that is not zkload's");
    memset(answer, 0, 20 + 4 + bytes + 68);
    switch (op) {
    case OP_SET: change(path, pathlen); body = 68; break;
    case OP_GET: c->watches = p[12 + pathlen]; body = 4 + bytes + 68; { uint32_t n = htonl(bytes); memcpy(answer + 20, &n, 4); } break;
    case OP_CREATE: zxid++; body = 4 + pathlen; { uint32_t n = htonl(pathlen); memcpy(answer + 20, &n, 4); memcpy(answer + 24, path, pathlen); } break;
    }
    head(answer, xid, 0, body); out(c, answer, 20 + body);
    if (op == OP_CLOSE) { leave(c); return 0; }
    return 1;
}

static void readable(Client *c) {
    ssize_t n = recv(c->fd, c->in + c->have, sizeof c->in - c->have, 0);
    if (n == 0 || (n < 0 && errno != EAGAIN && errno != EINTR)) { leave(c); return; }
    if (n < 0) return;
    c->have += n;
    size_t off = 0;
    while (c->have - off >= 4) {
        size_t len = g32(c->in + off);
        if (len > sizeof c->in - 4) die("a request of %zu bytes", len);
        if (c->have - off - 4 < len) break;
        if (!request(c, c->in + off + 4, len)) return;
        off += 4 + len;
    }
    memmove(c->in, c->in + off, c->have - off); c->have -= off;
}

int main(int argc, char **argv) {
    if (argc < 2) die("zkfloor DIR [PORT]");
    char p[4096]; snprintf(p, sizeof p, "%s/zkfloor.tmp", argv[1]);
    file = open(p, O_CREAT | O_TRUNC | O_RDWR, 0600); if (file < 0) die("%s: %s", p, strerror(errno));
    unlink(p); uint8_t *zeros = calloc(1, ROOM);
    if (pwrite(file, zeros, ROOM, 0) != ROOM || fsync(file)) die("%s: %s", p, strerror(errno));
    free(zeros); memset(entry, 'x', sizeof entry);
    int l = socket(AF_INET, SOCK_STREAM, 0), one = 1; struct sockaddr_in a = { .sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK), .sin_port = htons(argc > 2 ? atoi(argv[2]) : 0) }; socklen_t n = sizeof a;
    setsockopt(l, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
    if (bind(l, (void *)&a, n) || listen(l, 1024) || getsockname(l, (void *)&a, &n)) die("listen: %s", strerror(errno));
    ep = epoll_create1(0); struct epoll_event e = { .events = EPOLLIN, .data.ptr = NULL }, ev[256]; epoll_ctl(ep, EPOLL_CTL_ADD, l, &e);
    printf("%d\n", ntohs(a.sin_port)); fflush(stdout);
    for (;;) {
        int ready = epoll_wait(ep, ev, 256, count ? 0 : -1);
        for (int i = 0; i < ready; i++) {
            if (ev[i].data.ptr) { readable(ev[i].data.ptr); continue; }
            int fd = accept4(l, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC); if (fd < 0) continue;
            if (count == MOST) { close(fd); continue; }
            setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
            Client *c = calloc(1, sizeof *c); c->fd = fd; clients[count++] = c;
            struct epoll_event e = { .events = EPOLLIN, .data.ptr = c }; epoll_ctl(ep, EPOLL_CTL_ADD, fd, &e);
        }
    }
}
