// What Swift cannot express on Linux: checksum instructions, epoll, and the variadic or macro-only system calls.
#pragma once
#include <stddef.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/sendfile.h>
#include <sys/signalfd.h>
#include <sys/file.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>

/// CRC-32C (Castagnoli) of `bytes`, continuing from `crc` (0 to begin). Picks the processor's instruction when there is one.
uint32_t csystem_crc32c(uint32_t crc, const void *bytes, size_t count);

/// accept4(2) with SOCK_NONBLOCK | SOCK_CLOEXEC.
int csystem_accept(int fd, struct sockaddr *address, socklen_t *length);
/// open(2) with O_CLOEXEC added.
int csystem_open(const char *path, int flags, unsigned mode);
/// Names the calling thread, for top and the debugger.
void csystem_name_thread(const char *name);
/// The calling thread gets what processor and disk time others leave.
void csystem_background_thread(void);
/// Gives whole pages that nobody has allocated back to the system, where the C library can.
void csystem_trim_memory(void);
/// fcntl(2) with one integer argument.
int csystem_fcntl(int fd, int command, int argument);
