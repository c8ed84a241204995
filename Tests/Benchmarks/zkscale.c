/* zkscale: what everybody else notices while a coordinator does something large.
 *
 *   zkscale -s HOST:PORT[:PID] [-n sessions] [-k children]
 *
 * One client asks for one node again and again, half a millisecond after each answer; the longest time it waited is printed for
 *   idle        nothing else happens
 *   sessions    -n sessions (10,000) with ten watches each vanish without a word and expire together
 *   children    a parent's -k children (100,000), each watched by another client, are deleted one by one
 *   ephemerals  one session with -k ephemeral nodes expires
 * Needs two descriptors a session: raise `ulimit -n` and the server's maxClientCnxns.
 */
#include "zkclient.h"
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <signal.h>

static Server server;
static volatile uint64_t *longest;
static char root[64];

static void probe(void) {
    Conn c; open_conn(&c, &server, 0);
    for (;;) {
        uint64_t asked = now(); req_get(&c, root, 0); wait_reply(&c);
        uint64_t took = now() - asked; if (took > *longest) *longest = took;
        usleep(500);
    }
}
static void told(const char *what, uint64_t began) {
    printf("%-11s longest wait of another client %.1f ms, over %.1f s  rss=%.0fMB\n", what, *longest / 1e6, (now() - began) / 1e9, proc_kb(server.pid, "VmRSS:"));
    fflush(stdout);
}
/* keeps up to 500 requests on their way until `count` are answered; events are counted apart */
static void pour(Conn *c, long count, void (*ask)(Conn *, long)) {
    long sent = 0, got = 0; blocking(c, 1);
    while (got < count) {
        while (sent < count && sent - got < 500) ask(c, sent++);
        flush(c); size_t off = 0; int len; const uint8_t *p;
        while ((p = frame(c, &off, &len))) { if (g32(p) > 0) got++; else c->events++; }
        consume(c, off); if (got < sent) fill(c);
    }
    blocking(c, 0);
}
static int who;
static void watch_own(Conn *c, long i) { char p[128]; snprintf(p, sizeof p, "%s/s%d-%ld", root, who, i); size_t a = begin(c); p32(c, ++c->xid); p32(c, 3); pstr(c, p); p8(c, 1); end(c, a); }
static void make_child(Conn *c, long i) { char p[128]; snprintf(p, sizeof p, "%s/p/n%ld", root, i); req_create(c, p, 0); }
static void watch_child(Conn *c, long i) { char p[128]; snprintf(p, sizeof p, "%s/p/n%ld", root, i); req_get(c, p, 1); }
static void drop_child(Conn *c, long i) { char p[128]; snprintf(p, sizeof p, "%s/p/n%ld", root, i); req_delete(c, p); }
static void make_ephemeral(Conn *c, long i) { char p[128]; snprintf(p, sizeof p, "%s/e%ld", root, i); req_create(c, p, 1); }

int main(int argc, char **argv) {
    long sessions = 10000, children = 100000; int o;
    while ((o = getopt(argc, argv, "s:n:k:")) != -1) switch (o) {
        case 's': server.pid = 0; if (sscanf(optarg, "%63[^:]:%d:%d", server.host, &server.port, &server.pid) < 2) die("-s HOST:PORT[:PID]"); break;
        case 'n': sessions = atol(optarg); break; case 'k': children = atol(optarg); break;
        default: die("see the head of zkscale.c"); }
    if (!server.port) die("-s HOST:PORT[:PID]");
    struct rlimit limit; getrlimit(RLIMIT_NOFILE, &limit); limit.rlim_cur = limit.rlim_max; setrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur < (rlim_t)sessions + 100) { sessions = limit.rlim_cur - 100; printf("only %ld sessions: raise ulimit -n\n", sessions); }
    payload = malloc(bytes + 1); memset(payload, 'd', bytes); window = 8;
    snprintf(root, sizeof root, "/zkscale-%d", getpid());
    longest = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    Conn main_conn, other; open_conn(&main_conn, &server, 0); open_conn(&other, &server, 0);
    req_create(&main_conn, root, 0); if (wait_reply(&main_conn)) die("cannot create %s", root);
    pid_t child = fork(); if (child == 0) { probe(); _exit(0); }

    uint64_t began = now(); *longest = 0; sleep(2); told("idle", began);

    Conn *all = calloc(sessions, sizeof *all); timeout_ms = 20000;
    for (who = 0; who < sessions; who++) { open_conn(&all[who], &server, who); pour(&all[who], 10, watch_own); free(all[who].in); all[who].in = NULL; all[who].incap = 0; }
    printf("%ld sessions with %ld watches  rss=%.0fMB\n", sessions, sessions * 10, proc_kb(server.pid, "VmRSS:"));
    began = now(); *longest = 0;
    for (long i = 0; i < sessions; i++) close(all[i].fd);
    /* 20 s were asked for; ours are kept meanwhile */
    for (int i = 0; i < 28; i++) { sleep(1); req_get(&main_conn, root, 0); wait_reply(&main_conn); req_get(&other, root, 0); wait_reply(&other); }
    told("sessions", began);

    char p[128]; snprintf(p, sizeof p, "%s/p", root); req_create(&main_conn, p, 0); wait_reply(&main_conn);
    pour(&main_conn, children, make_child); pour(&other, children, watch_child);
    began = now(); *longest = 0; other.events = 0;
    pour(&main_conn, children, drop_child); pour(&other, 1, watch_own);
    if (other.events < children) printf("only %d of %ld events came\n", other.events, children);
    told("children", began);

    timeout_ms = 6000; Conn owner; open_conn(&owner, &server, 0); pour(&owner, children, make_ephemeral);
    began = now(); *longest = 0; close(owner.fd);
    for (int i = 0; i < 14; i++) { sleep(1); req_get(&main_conn, root, 0); wait_reply(&main_conn); req_get(&other, root, 0); wait_reply(&other); }
    told("ephemerals", began);
    kill(child, SIGKILL); waitpid(child, NULL, 0);
    return 0;
}
