#define _GNU_SOURCE
#include "csystem.h"
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

int csystem_accept(int fd, struct sockaddr *address, socklen_t *length) {
    return accept4(fd, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}
int csystem_open(const char *path, int flags, unsigned mode) { return open(path, flags | O_CLOEXEC, mode); }
int csystem_fcntl(int fd, int command, int argument) { return fcntl(fd, command, argument); }
void csystem_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }
