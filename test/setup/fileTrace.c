/*
 * Preloaded into a program: appends a line to $SMAUG_FILE_TRACE for each call that changes what is on the disk, in the
 * order of the calls. Fields are separated by tabs; paths are absolute. Only calls that succeeded are recorded.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

static int trace = -1;

__attribute__((constructor)) static void begin(void) {
  const char *path = getenv("SMAUG_FILE_TRACE");
  if (path) trace = (int)syscall(SYS_openat, AT_FDCWD, path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
}

static void record(const char *call, const char *first, const char *second) {
  char line[3 * PATH_MAX];
  int length = snprintf(line, sizeof line, "%s\t%s\t%s\n", call, first, second);
  if (trace >= 0 && syscall(SYS_write, trace, line, length) != length) abort();
}

static const char *absolute(const char *path, char *buffer) {
  if (path[0] == '/') return path;
  char folder[PATH_MAX];
  if (!getcwd(folder, sizeof folder)) abort();
  snprintf(buffer, 2 * PATH_MAX, "%s/%s", folder, path);
  return buffer;
}

/* The path of a regular file or folder; an empty string for pipes, sockets and the like. */
static const char *path_of(int descriptor, char *buffer) {
  char link[64];
  snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
  ssize_t length = readlink(link, buffer, PATH_MAX - 1);
  buffer[length < 0 ? 0 : length] = 0;
  return buffer[0] == '/' ? buffer : "";
}

#define REAL(name) ((__typeof__(&name))dlsym(RTLD_NEXT, #name))

static void opened(int descriptor, int flags) {
  char buffer[PATH_MAX];
  if (descriptor < 0 || trace < 0 || (flags & O_ACCMODE) == O_RDONLY) return;
  record("open", path_of(descriptor, buffer), flags & O_APPEND ? "append" : flags & O_EXCL ? "new" : "write");
}

#define OPEN(name)                                            \
  int name(const char *path, int flags, ...) {                \
    va_list rest;                                             \
    va_start(rest, flags);                                    \
    mode_t mode = va_arg(rest, mode_t);                       \
    va_end(rest);                                             \
    int descriptor = REAL(name)(path, flags, mode);           \
    opened(descriptor, flags);                                \
    return descriptor;                                        \
  }
OPEN(open)
OPEN(open64)

static void written(int descriptor, long long bytes) {
  char buffer[PATH_MAX];
  if (bytes <= 0 || trace < 0) return;
  const char *path = path_of(descriptor, buffer);
  if (path[0] && strncmp(path, "/dev/", 5) != 0 && strncmp(path, "/proc/", 6) != 0) record("write", path, "");
}

ssize_t write(int fd, const void *data, size_t size) {
  ssize_t result = REAL(write)(fd, data, size);
  written(fd, result);
  return result;
}
ssize_t pwrite64(int fd, const void *data, size_t size, off64_t at) {
  ssize_t result = REAL(pwrite64)(fd, data, size, at);
  written(fd, result);
  return result;
}
ssize_t writev(int fd, const struct iovec *parts, int count) {
  ssize_t result = REAL(writev)(fd, parts, count);
  written(fd, result);
  return result;
}
ssize_t pwritev64(int fd, const struct iovec *parts, int count, off64_t at) {
  ssize_t result = REAL(pwritev64)(fd, parts, count, at);
  written(fd, result);
  return result;
}
int ftruncate64(int fd, off64_t size) {
  int result = REAL(ftruncate64)(fd, size);
  if (result == 0) written(fd, 1);
  return result;
}

static int flushed(int fd, int result) {
  char buffer[PATH_MAX];
  if (result == 0 && trace >= 0) record("fsync", path_of(fd, buffer), "");
  return result;
}
int fsync(int fd) { return flushed(fd, REAL(fsync)(fd)); }
int fdatasync(int fd) { return flushed(fd, REAL(fdatasync)(fd)); }

#define ONE(name, word)                                                       \
  int name(const char *path) {                                                \
    char buffer[2 * PATH_MAX];                                                \
    int result = REAL(name)(path);                                            \
    if (result == 0 && trace >= 0) record(word, absolute(path, buffer), "");  \
    return result;                                                            \
  }
ONE(unlink, "remove")
ONE(rmdir, "remove")

#define TWO(name, word)                                                                                       \
  int name(const char *from, const char *to) {                                                                \
    char first[2 * PATH_MAX], second[2 * PATH_MAX];                                                           \
    int result = REAL(name)(from, to);                                                                        \
    if (result == 0 && trace >= 0) record(word, absolute(from, first), absolute(to, second));                 \
    return result;                                                                                            \
  }
TWO(rename, "rename")
TWO(link, "link")
