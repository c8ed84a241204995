#define _GNU_SOURCE
#include "csystem.h"
#include <fcntl.h>
#ifdef __GLIBC__
#include <malloc.h>
#endif
#include <pthread.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

int csystem_accept(int fd, struct sockaddr *address, socklen_t *length) {
    return accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
int csystem_open(const char *path, int flags, unsigned mode) { return open(path, flags | O_CLOEXEC, mode); }
int csystem_fcntl(int fd, int command, int argument) { return fcntl(fd, command, argument); }
// In Linux both concern the calling thread alone. Failures leave it as weighty as the others.
void csystem_background_thread(void) {
    setpriority(PRIO_PROCESS, 0, 10);
    // IOPRIO_WHO_PROCESS; the best-effort class's lowest level.
    syscall(SYS_ioprio_set, 1, 0, (2 << 13) | 7);
}
void csystem_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }
void csystem_trim_memory(void) {
#ifdef __GLIBC__
    malloc_trim(0);
#endif
}
