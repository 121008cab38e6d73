/*
 * LD_PRELOAD shim for crash and fault tests: records what a program does to the files below one directory, in one
 * order, and makes chosen calls fail. Linux with glibc. Build: cc -shared -fPIC -O2 -o shim.so shim.c
 *
 *   FAULT_DIR     the directory to watch, as a real path; empty when the program starts. Required.
 *   FAULT_ACK     a file whose writes are recorded as acknowledgements among the rest. It never fails.
 *   FAULT_LOG     where the record goes (replaced). Without it nothing is recorded.
 *   FAULT_INJECT  class:n:what:how, e.g. write:12:ENOSPC:always
 *                 class  write | sync | allocate | open | name
 *                 n      the n-th call of that class, from 1; calls are counted over all watched files
 *                 what   ENOSPC | EIO | short (writes half of it; only for write)
 *                 how    once | always (the n-th and every later one)
 *   FAULT_COUNTS  where to leave, at exit, how many calls of each class there were: five numbers in the order above
 *
 * Every call runs under one lock with its record, so the record's order is the true one. Only syncs run outside it, with
 * a record at either end: what was written before the beginning is durable at the end. sync_file_range is no sync: it
 * neither flushes the disk's cache nor writes metadata, so it is passed on and not recorded. Files are known by inode, so
 * renames and duplicated descriptors need no care. Shared writable maps cannot be seen from here and are recorded as
 * UNSUPPORTED, as are links; copy_file_range and sendfile report ENOSYS, after which callers read and write.
 *
 * The layout of the record is in recorder.h.
 */
#include "recorder.h"

static int open_any(int dirfd, const char *path, int flags, mode_t mode) {
    if (!begin()) return real_openat64()(dirfd, path, flags, mode);
    char buffer[PATH_MAX];
    int is_ack = ack_path[0] && !strcmp(path, ack_path);
    const char *name = is_ack ? NULL : below(dirfd, path, buffer);
    if (!name) {
        int fd = real_openat64()(dirfd, path, flags, mode);
        if (fd >= 0 && is_ack && !file_of(fd)) remember(fd, ACK_FILE);
        end();
        return fd;
    }
    int error = fault(CLASS_OPEN);
    if (error > 0) { end(); errno = error; return -1; }
    struct stat info;
    int saved = errno, existed = !fstatat(dirfd, path, &info, 0);
    errno = saved;
    int fd = real_openat64()(dirfd, path, flags, mode);
    if (fd >= 0) {
        if (!existed) {
            remember(fd, next_file);
            record_text(CREATE, next_file++, name);
        } else if (S_ISREG(info.st_mode)) {
            uint64_t file = file_of(fd);
            if (!file && log_fd >= 0) record_text(UNSUPPORTED, 0, "a file that was there before the program started");
            if (!file) remember(fd, file = next_file++);
            if (flags & O_TRUNC) record(TRUNCATE, file, 0, NULL, 0);
        }
        if ((flags & O_TMPFILE) == O_TMPFILE) record_text(UNSUPPORTED, 0, "O_TMPFILE");
    }
    end();
    return fd;
}

#define MODE(flags) \
    mode_t mode = 0; \
    if ((flags) & (O_CREAT | __O_TMPFILE)) { \
        va_list list; \
        va_start(list, flags); \
        mode = va_arg(list, mode_t); \
        va_end(list); \
    }

int open(const char *path, int flags, ...) { MODE(flags) return open_any(AT_FDCWD, path, flags, mode); }
int open64(const char *path, int flags, ...) { MODE(flags) return open_any(AT_FDCWD, path, flags | O_LARGEFILE, mode); }
int openat(int dirfd, const char *path, int flags, ...) { MODE(flags) return open_any(dirfd, path, flags, mode); }
int openat64(int dirfd, const char *path, int flags, ...) { MODE(flags) return open_any(dirfd, path, flags | O_LARGEFILE, mode); }
int creat(const char *path, mode_t mode) { return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC, mode); }
int creat64(const char *path, mode_t mode) { return open_any(AT_FDCWD, path, O_CREAT | O_WRONLY | O_TRUNC | O_LARGEFILE, mode); }

/* Where a write without an offset goes. */
static uint64_t position(int fd) {
    if (fcntl(fd, F_GETFL) & O_APPEND) {
        struct stat info;
        if (fstat(fd, &info)) die("fstat");
        return (uint64_t)info.st_size;
    }
    off64_t at = lseek64(fd, 0, SEEK_CUR);
    if (at < 0) die("lseek");
    return (uint64_t)at;
}

/* One write; `offset` -1 means at the file's own position. */
static ssize_t write_any(int fd, const void *bytes, size_t length, off64_t offset) {
    if (!begin()) return offset < 0 ? real_write()(fd, bytes, length) : real_pwrite64()(fd, bytes, length, offset);
    uint64_t file = file_of(fd);
    if (!file) {
        end();
        return offset < 0 ? real_write()(fd, bytes, length) : real_pwrite64()(fd, bytes, length, offset);
    }
    int error = file == ACK_FILE ? 0 : fault(CLASS_WRITE);
    if (error > 0) { end(); errno = error; return -1; }
    if (error < 0 && length > 1) length /= 2;
    uint64_t at = offset < 0 ? position(fd) : (uint64_t)offset;
    ssize_t n = offset < 0 ? real_write()(fd, bytes, length) : real_pwrite64()(fd, bytes, length, offset);
    if (n > 0) record(file == ACK_FILE ? ACK : WRITE, file == ACK_FILE ? 0 : file, at, bytes, (uint64_t)n);
    end();
    return n;
}

ssize_t write(int fd, const void *bytes, size_t length) { return write_any(fd, bytes, length, -1); }

static ssize_t pwrite_any(int fd, const void *bytes, size_t length, off64_t offset) {
    if (offset < 0) { errno = EINVAL; return -1; }
    return write_any(fd, bytes, length, offset);
}

ssize_t pwrite(int fd, const void *bytes, size_t length, off_t offset) { return pwrite_any(fd, bytes, length, offset); }
ssize_t pwrite64(int fd, const void *bytes, size_t length, off64_t offset) { return pwrite_any(fd, bytes, length, offset); }

/* Vectors are written piece by piece, which a writer has to expect anyway: it is a short write. */
static ssize_t writev_any(int fd, const struct iovec *pieces, int count, off64_t offset) {
    ssize_t total = 0;
    for (int i = 0; i < count; i++) {
        if (!pieces[i].iov_len) continue;
        ssize_t n = write_any(fd, pieces[i].iov_base, pieces[i].iov_len, offset < 0 ? -1 : offset + total);
        if (n < 0) return total > 0 ? total : -1;
        total += n;
        if ((size_t)n < pieces[i].iov_len) break;
    }
    return total;
}

ssize_t writev(int fd, const struct iovec *pieces, int count) { return writev_any(fd, pieces, count, -1); }
ssize_t pwritev(int fd, const struct iovec *pieces, int count, off_t offset) { return writev_any(fd, pieces, count, offset); }
ssize_t pwritev64(int fd, const struct iovec *pieces, int count, off64_t offset) { return writev_any(fd, pieces, count, offset); }
ssize_t pwritev2(int fd, const struct iovec *pieces, int count, off_t offset, int flags) { (void)flags; return writev_any(fd, pieces, count, offset); }
ssize_t pwritev64v2(int fd, const struct iovec *pieces, int count, off64_t offset, int flags) { (void)flags; return writev_any(fd, pieces, count, offset); }

static int sync_any(int fd, int (*real)(int)) {
    if (!begin()) return real(fd);
    struct stat info;
    char link[64], dir[PATH_MAX], buffer[PATH_MAX];
    const char *name = NULL;
    uint64_t file = 0;
    if (!fstat(fd, &info) && S_ISDIR(info.st_mode)) {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t n = readlink(link, dir, sizeof dir - 1);
        if (n > 0) {
            dir[n] = 0;
            name = below(AT_FDCWD, dir, buffer);
        }
    } else {
        file = file_of(fd);
    }
    if ((!file && !name) || file == ACK_FILE) { end(); return real(fd); }
    uint64_t token = next_token++;
    record(SYNC_BEGIN, file, token, name, name ? strlen(name) : 0);
    int error = fault(CLASS_SYNC);
    end();
    int result = error > 0 ? -1 : real(fd);
    int saved = error > 0 ? error : errno;
    pthread_mutex_lock(&lock);
    record(result ? SYNC_FAILED : SYNC_END, file, token, NULL, 0);
    end();
    errno = saved;
    return result;
}

int fsync(int fd) { return sync_any(fd, real_fsync()); }
int fdatasync(int fd) { return sync_any(fd, real_fdatasync()); }

static int truncate_any(int fd, off64_t length) {
    if (!begin()) return real_ftruncate64()(fd, length);
    uint64_t file = file_of(fd);
    int error = file && file != ACK_FILE ? fault(CLASS_ALLOCATE) : 0;
    if (error > 0) { end(); errno = error; return -1; }
    int result = real_ftruncate64()(fd, length);
    if (!result && file && file != ACK_FILE) record(TRUNCATE, file, (uint64_t)length, NULL, 0);
    end();
    return result;
}

int ftruncate(int fd, off_t length) { return truncate_any(fd, length); }
int ftruncate64(int fd, off64_t length) { return truncate_any(fd, length); }

static int truncate_path(const char *path, off64_t length) {
    int fd = open_any(AT_FDCWD, path, O_WRONLY | O_CLOEXEC, 0);
    if (fd < 0) return -1;
    int result = truncate_any(fd, length), saved = errno;
    close(fd);
    errno = saved;
    return result;
}

int truncate(const char *path, off_t length) { return truncate_path(path, length); }
int truncate64(const char *path, off64_t length) { return truncate_path(path, length); }

static int allocate_any(int fd, int mode, off64_t offset, off64_t length) {
    if (!begin()) return real_fallocate64()(fd, mode, offset, length);
    uint64_t file = file_of(fd);
    int error = file && file != ACK_FILE ? fault(CLASS_ALLOCATE) : 0;
    if (error > 0) { end(); errno = error; return -1; }
    int result = real_fallocate64()(fd, mode, offset, length);
    if (!result && file && file != ACK_FILE) {
        uint64_t size = (uint64_t)length;
        if (mode == 0) record(EXTEND, file, (uint64_t)(offset + length), NULL, 0);
        else if (mode == (FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE)) record(ZERO, file, (uint64_t)offset, &size, sizeof size);
        else if (mode != FALLOC_FL_KEEP_SIZE) record_text(UNSUPPORTED, 0, "a mode of fallocate");
    }
    end();
    return result;
}

int fallocate(int fd, int mode, off_t offset, off_t length) { return allocate_any(fd, mode, offset, length); }
int fallocate64(int fd, int mode, off64_t offset, off64_t length) { return allocate_any(fd, mode, offset, length); }
int posix_fallocate(int fd, off_t offset, off_t length) { return allocate_any(fd, 0, offset, length) ? errno : 0; }
int posix_fallocate64(int fd, off64_t offset, off64_t length) { return allocate_any(fd, 0, offset, length) ? errno : 0; }

static int rename_any(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) {
    if (!begin()) return real_renameat2()(from_dir, from, to_dir, to, flags);
    char from_buffer[PATH_MAX], to_buffer[PATH_MAX], both[2 * PATH_MAX];
    const char *a = below(from_dir, from, from_buffer), *b = below(to_dir, to, to_buffer);
    int error = a || b ? fault(CLASS_NAME) : 0;
    if (error > 0) { end(); errno = error; return -1; }
    int result = real_renameat2()(from_dir, from, to_dir, to, flags);
    if (!result && (a || b)) {
        if (a && b && !(flags & ~(unsigned)RENAME_NOREPLACE)) {
            size_t length = strlen(a) + 1;
            memcpy(both, a, length);
            strcpy(both + length, b);
            record(RENAME, 0, 0, both, length + strlen(b));
        } else {
            record_text(UNSUPPORTED, 0, "a rename across the watched directory, or an exchange");
        }
    }
    end();
    return result;
}

int rename(const char *from, const char *to) { return rename_any(AT_FDCWD, from, AT_FDCWD, to, 0); }
int renameat(int from_dir, const char *from, int to_dir, const char *to) { return rename_any(from_dir, from, to_dir, to, 0); }
int renameat2(int from_dir, const char *from, int to_dir, const char *to, unsigned flags) { return rename_any(from_dir, from, to_dir, to, flags); }

static int unlink_any(int dirfd, const char *path, int flags) {
    if (!begin()) return real_unlinkat()(dirfd, path, flags);
    char buffer[PATH_MAX];
    const char *name = below(dirfd, path, buffer);
    int error = name ? fault(CLASS_NAME) : 0;
    if (error > 0) { end(); errno = error; return -1; }
    int result = real_unlinkat()(dirfd, path, flags);
    if (!result && name) record_text(flags & AT_REMOVEDIR ? RMDIR : UNLINK, 0, name);
    end();
    return result;
}

int unlink(const char *path) { return unlink_any(AT_FDCWD, path, 0); }
int rmdir(const char *path) { return unlink_any(AT_FDCWD, path, AT_REMOVEDIR); }
int unlinkat(int dirfd, const char *path, int flags) { return unlink_any(dirfd, path, flags); }

static int mkdir_any(int dirfd, const char *path, mode_t mode) {
    if (!begin()) return real_mkdirat()(dirfd, path, mode);
    char buffer[PATH_MAX];
    const char *name = below(dirfd, path, buffer);
    int error = name ? fault(CLASS_NAME) : 0;
    if (error > 0) { end(); errno = error; return -1; }
    int result = real_mkdirat()(dirfd, path, mode);
    if (!result && name) record_text(MKDIR, 0, name);
    end();
    return result;
}

int mkdir(const char *path, mode_t mode) { return mkdir_any(AT_FDCWD, path, mode); }
int mkdirat(int dirfd, const char *path, mode_t mode) { return mkdir_any(dirfd, path, mode); }

static int link_any(int from_dir, const char *from, int to_dir, const char *to, int flags) {
    int result = real_linkat()(from_dir, from, to_dir, to, flags);
    char buffer[PATH_MAX];
    if (!result && begin()) {
        if (below(to_dir, to, buffer)) record_text(UNSUPPORTED, 0, "a hard link");
        end();
    }
    return result;
}

int link(const char *from, const char *to) { return link_any(AT_FDCWD, from, AT_FDCWD, to, 0); }
int linkat(int from_dir, const char *from, int to_dir, const char *to, int flags) { return link_any(from_dir, from, to_dir, to, flags); }

static void *map_any(void *address, size_t length, int protection, int flags, int fd, off64_t offset) {
    if (fd >= 0 && (flags & MAP_SHARED) && (protection & PROT_WRITE) && begin()) {
        uint64_t file = file_of(fd);
        if (file && file != ACK_FILE) record_text(UNSUPPORTED, 0, "a shared writable map");
        end();
    }
    return real_mmap64()(address, length, protection, flags, fd, offset);
}

void *mmap(void *address, size_t length, int protection, int flags, int fd, off_t offset) { return map_any(address, length, protection, flags, fd, offset); }
void *mmap64(void *address, size_t length, int protection, int flags, int fd, off64_t offset) { return map_any(address, length, protection, flags, fd, offset); }

ssize_t copy_file_range(int in, off64_t *in_at, int out, off64_t *out_at, size_t length, unsigned flags) {
    (void)in, (void)in_at, (void)out, (void)out_at, (void)length, (void)flags;
    errno = ENOSYS;
    return -1;
}

ssize_t sendfile(int out, int in, off_t *at, size_t length) {
    (void)out, (void)in, (void)at, (void)length;
    errno = ENOSYS;
    return -1;
}

ssize_t sendfile64(int out, int in, off64_t *at, size_t length) { return sendfile(out, in, at, length); }
