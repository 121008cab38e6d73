/*
 * What the shim knows and writes down: which inodes are watched, the record, the faults to inject. See shim.c for how
 * it is used. Everything here is called with the lock held, except begin().
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

/* A record: u8 kind, u64 file, u64 number, u64 length, then so many bytes; all little endian. */
enum kind {
    CREATE = 1,       /* file, bytes: path below FAULT_DIR */
    MKDIR = 2,        /* bytes: path */
    WRITE = 3,        /* file, number: offset, bytes: data */
    TRUNCATE = 4,     /* file, number: new length */
    SYNC_BEGIN = 5,   /* file (0: a directory), number: token, bytes: the directory's path, empty for FAULT_DIR */
    SYNC_END = 6,     /* number: token */
    SYNC_FAILED = 7,  /* number: token */
    RENAME = 8,       /* bytes: from, NUL, to */
    UNLINK = 9,       /* bytes: path */
    RMDIR = 10,       /* bytes: path */
    ZERO = 11,        /* file, number: offset, bytes: u64 length; a punched hole */
    EXTEND = 12,      /* file, number: length that the file has at least */
    ACK = 13,         /* bytes: what was written to FAULT_ACK */
    UNSUPPORTED = 14, /* bytes: what */
};

enum class { CLASS_WRITE, CLASS_SYNC, CLASS_ALLOCATE, CLASS_OPEN, CLASS_NAME, CLASSES };
static const char *const class_names[CLASSES] = {"write", "sync", "allocate", "open", "name"};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static char root[PATH_MAX];
static size_t root_length;
static char ack_path[PATH_MAX];
static int log_fd = -1;
static uint64_t next_file = 1, next_token = 1;
static uint64_t counts[CLASSES];
static int inject_class = -1, inject_errno, inject_always;
static uint64_t inject_at;

/* Which file an inode is: 0 none, ACK_FILE the acknowledgements. A reused inode gets a new number when it is created. */
#define ACK_FILE UINT64_MAX
static struct { dev_t dev; ino_t ino; uint64_t file; } files[65536];
static size_t file_count;

#define REAL(result, name, ...) \
    typedef result (*name##_type)(__VA_ARGS__); \
    static name##_type real_##name(void) { \
        static name##_type found; \
        if (!found) found = (name##_type)dlsym(RTLD_NEXT, #name); \
        return found; \
    }

REAL(int, openat64, int, const char *, int, ...)
REAL(ssize_t, write, int, const void *, size_t)
REAL(ssize_t, pwrite64, int, const void *, size_t, off64_t)
REAL(int, fsync, int)
REAL(int, fdatasync, int)
REAL(int, ftruncate64, int, off64_t)
REAL(int, fallocate64, int, int, off64_t, off64_t)
REAL(int, renameat2, int, const char *, int, const char *, unsigned)
REAL(int, unlinkat, int, const char *, int)
REAL(int, mkdirat, int, const char *, mode_t)
REAL(int, linkat, int, const char *, int, const char *, int)
REAL(void *, mmap64, void *, size_t, int, int, int, off64_t)

static void die(const char *what) {
    dprintf(2, "fault shim: %s: %s\n", what, strerror(errno));
    _exit(121);
}

static void write_all(int fd, const void *bytes, size_t length) {
    while (length > 0) {
        ssize_t n = real_write()(fd, bytes, length);
        if (n < 0 && errno == EINTR) continue;
        if (n <= 0) die("cannot write the record");
        bytes = (const char *)bytes + n;
        length -= (size_t)n;
    }
}

static void record(enum kind kind, uint64_t file, uint64_t number, const void *bytes, uint64_t length) {
    if (log_fd < 0) return;
    int saved = errno;
    unsigned char head[25];
    head[0] = (unsigned char)kind;
    memcpy(head + 1, &file, 8);
    memcpy(head + 9, &number, 8);
    memcpy(head + 17, &length, 8);
    write_all(log_fd, head, sizeof head);
    if (length > 0) write_all(log_fd, bytes, length);
    errno = saved;
}

static void record_text(enum kind kind, uint64_t file, const char *text) {
    record(kind, file, 0, text, strlen(text));
}

static void leave_counts(void) {
    const char *path = getenv("FAULT_COUNTS");
    if (!path) return;
    int fd = real_openat64()(AT_FDCWD, path, O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, 0600);
    if (fd < 0) die("cannot write FAULT_COUNTS");
    for (int class = 0; class < CLASSES; class++) dprintf(fd, "%llu\n", (unsigned long long)counts[class]);
    close(fd);
}

static void read_inject(const char *spec) {
    char class[16], what[16], how[16];
    unsigned long long at;
    if (sscanf(spec, "%15[^:]:%llu:%15[^:]:%15s", class, &at, what, how) != 4) die("FAULT_INJECT is malformed");
    for (int i = 0; i < CLASSES; i++)
        if (!strcmp(class, class_names[i])) inject_class = i;
    if (!strcmp(what, "ENOSPC")) inject_errno = ENOSPC;
    else if (!strcmp(what, "EIO")) inject_errno = EIO;
    else if (!strcmp(what, "short")) inject_errno = -1;
    inject_at = at;
    inject_always = !strcmp(how, "always");
    if (inject_class < 0 || !inject_errno || !at || (!inject_always && strcmp(how, "once"))) die("FAULT_INJECT is malformed");
}

static void start(void) {
    const char *dir = getenv("FAULT_DIR"), *ack = getenv("FAULT_ACK"), *log = getenv("FAULT_LOG");
    if (!dir || !*dir) return;
    if (!realpath(dir, root)) die("FAULT_DIR");
    root_length = strlen(root);
    if (ack) snprintf(ack_path, sizeof ack_path, "%s", ack);
    if (log) {
        log_fd = real_openat64()(AT_FDCWD, log, O_CREAT | O_TRUNC | O_APPEND | O_WRONLY | O_CLOEXEC, 0600);
        if (log_fd < 0) die("FAULT_LOG");
    }
    if (getenv("FAULT_INJECT")) read_inject(getenv("FAULT_INJECT"));
    atexit(leave_counts);
}

static int begin(void) {
    pthread_once(&once, start);
    if (!root_length) return 0;
    pthread_mutex_lock(&lock);
    return 1;
}

static void end(void) {
    pthread_mutex_unlock(&lock);
}

/* Counts a call; 0 or the errno to fail with or -1 for a short write. The lock is held. */
static int fault(enum class class) {
    uint64_t n = ++counts[class];
    int hit = (int)class == inject_class && (n == inject_at || (inject_always && n > inject_at));
    return hit ? inject_errno : 0;
}

/* The path below the watched directory ("" for itself), or NULL. `out` has PATH_MAX bytes. */
static const char *below(int dirfd, const char *path, char *out) {
    char joined[PATH_MAX], link[64], parent[PATH_MAX];
    int saved = errno;
    if (path[0] == '/' || dirfd == AT_FDCWD) {
        snprintf(joined, sizeof joined, "%s", path);
    } else {
        char dir[PATH_MAX];
        snprintf(link, sizeof link, "/proc/self/fd/%d", dirfd);
        ssize_t n = readlink(link, dir, sizeof dir - 1);
        if (n < 0) { errno = saved; return NULL; }
        dir[n] = 0;
        if ((size_t)snprintf(joined, sizeof joined, "%s/%s", dir, path) >= sizeof joined) { errno = saved; return NULL; }
    }
    size_t length = strlen(joined);
    while (length > 1 && joined[length - 1] == '/') joined[--length] = 0;
    char *slash = strrchr(joined, '/');
    const char *base = slash ? slash + 1 : joined;
    if (slash == joined) snprintf(parent, sizeof parent, "/");
    else if (slash) snprintf(parent, sizeof parent, "%.*s", (int)(slash - joined), joined);
    else snprintf(parent, sizeof parent, ".");
    char real[PATH_MAX];
    int whole = !strcmp(base, ".") || !strcmp(base, "..") || !*base;
    char *ok = realpath(whole ? joined : parent, real);
    errno = saved;
    if (!ok) return NULL;
    size_t used = strlen(real);
    if (!whole) {
        if (used + 1 + strlen(base) >= PATH_MAX) return NULL;
        if (used > 1) real[used++] = '/';
        strcpy(real + used, base);
    }
    if (strncmp(real, root, root_length) || (real[root_length] && real[root_length] != '/')) return NULL;
    strcpy(out, real[root_length] ? real + root_length + 1 : "");
    return out;
}

static uint64_t file_of(int fd) {
    struct stat info;
    int saved = errno;
    int failed = fstat(fd, &info);
    errno = saved;
    if (failed || !S_ISREG(info.st_mode)) return 0;
    for (size_t i = file_count; i-- > 0;)
        if (files[i].ino == info.st_ino && files[i].dev == info.st_dev) return files[i].file;
    return 0;
}

static void remember(int fd, uint64_t file) {
    struct stat info;
    if (fstat(fd, &info)) die("fstat");
    if (file_count == sizeof files / sizeof *files) die("too many files");
    files[file_count].dev = info.st_dev;
    files[file_count].ino = info.st_ino;
    files[file_count++].file = file;
}
