#include "fake_disk.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

/*
 * A file has three contents: `cache` is what processes see, `clean` what the kernel takes for
 * written, `durable` what is. A sector is dirty where it was written to since it was clean, or,
 * through a mapping, where it differs from it. Writing it back makes all three the same; a sync
 * that fails makes it clean without being durable.
 *
 * Names are changed at once, and the changes are kept until the folder is synced: a machine that
 * dies has done the first few of them.
 *
 * A process that dies in the middle of a call goes on until the simulation takes notice. So the
 * whole disk is copied at that moment, and what the process does later is thrown away.
 */

/* There is one disk: what it is called for in each call says nothing.
 * NOLINTBEGIN(misc-unused-parameters) */
#pragma GCC diagnostic ignored "-Wunused-parameter"

enum {
    SECTOR = 512,
    PAGE = 4096,
    FILES_MAX = 48,
    NAMES_MAX = 48,
    HANDLES_MAX = 64,
    CHANGES_MAX = 256,
    PATH_MAX_BYTES = 128,
    FIRST_FD = 100,
    GROWTH = 64 * 1024,
    MAPPED_GROWTH = 4 * 1024 * 1024, /* a file that is mapped may grow by so much */
    NO_FILE = -1,
};

struct file {
    bool used;
    char *cache, *clean, *durable;
    unsigned char *dirty; /* a byte for each sector */
    size_t capacity;      /* a multiple of PAGE */
    size_t size, durable_size;
    int mapped;      /* so many times, now */
    bool was_mapped; /* stores may have changed it */
};

struct name {
    char path[PATH_MAX_BYTES];
    int file; /* NO_FILE: in a change, the name goes */
};

struct change {
    struct name name;
    char gone[PATH_MAX_BYTES]; /* in the same moment; "" for none */
};

struct handle {
    bool used, is_locked;
    int file;
    int flags;
    size_t at;
};

struct image {
    struct file files[FILES_MAX];
    struct name names[NAMES_MAX], durable_names[NAMES_MAX];
    struct change changes[CHANGES_MAX];
    size_t name_count, durable_name_count, change_count;
};

static struct {
    struct prng *dice;
    const int64_t *wall_ms;
    struct fake_disk_counts *counts;
    struct fake_faults faults;
    bool has_failed[FAKE_CALL_COUNT];
    struct image now, at_death;
    bool is_dead, is_lying;
    struct handle handles[HANDLES_MAX];
    uint64_t boots, mounts;
} disk;

static bool chance(uint32_t per_mille)
{
    return per_mille > 0 && prng_up_to(disk.dice, 999) < per_mille;
}

static uint64_t up_to(uint64_t max)
{
    return prng_up_to(disk.dice, max);
}

static void *must(void *memory)
{
    if (memory == NULL)
        abort(); /* a simulation without memory says nothing */
    return memory;
}

/* Files. */

static char *pages(size_t size)
{
    char *bytes = must(aligned_alloc(PAGE, size));

    memset(bytes, 0, size);
    return bytes;
}

static void free_file(struct file *file)
{
    free(file->cache);
    free(file->clean);
    free(file->durable);
    free(file->dirty);
    *file = (struct file){.used = false};
}

static void resize(char **bytes, size_t from, size_t to)
{
    char *larger = pages(to);

    if (from > 0)
        memcpy(larger, *bytes, from);
    free(*bytes);
    *bytes = larger;
}

static void reserve(struct file *file, size_t size)
{
    if (size <= file->capacity)
        return;
    assert(file->mapped == 0); /* it would move */
    size_t old = file->capacity, capacity = (size + GROWTH - 1) / GROWTH * GROWTH;
    resize(&file->cache, old, capacity);
    resize(&file->clean, old, capacity);
    resize(&file->durable, old, capacity);
    unsigned char *dirty = must(calloc(capacity / SECTOR, 1));
    if (old > 0)
        memcpy(dirty, file->dirty, old / SECTOR);
    free(file->dirty);
    file->dirty = dirty;
    file->capacity = capacity;
}

static struct file copy_file(const struct file *file)
{
    struct file copy = *file;

    if (!file->used || file->capacity == 0)
        return copy;
    copy.cache = pages(file->capacity);
    copy.clean = pages(file->capacity);
    copy.durable = pages(file->capacity);
    copy.dirty = must(malloc(file->capacity / SECTOR));
    memcpy(copy.cache, file->cache, file->capacity);
    memcpy(copy.clean, file->clean, file->capacity);
    memcpy(copy.durable, file->durable, file->capacity);
    memcpy(copy.dirty, file->dirty, file->capacity / SECTOR);
    return copy;
}

static bool is_dirty(const struct file *file, size_t sector)
{
    size_t at = sector * SECTOR;

    return file->dirty[sector] != 0 ||
           (file->was_mapped && memcmp(file->cache + at, file->clean + at, SECTOR) != 0);
}

static void write_back(struct file *file, size_t sector)
{
    size_t at = sector * SECTOR;

    memcpy(file->clean + at, file->cache + at, SECTOR);
    memcpy(file->durable + at, file->cache + at, SECTOR);
    file->dirty[sector] = 0;
}

/* The kernel takes it for written, and it is not. */
static void lose(struct file *file, size_t sector)
{
    size_t at = sector * SECTOR;

    memcpy(file->clean + at, file->cache + at, SECTOR);
    file->dirty[sector] = 0;
    disk.counts->lost_sectors++;
}

static void sync_file(struct file *file, bool fails)
{
    if (disk.is_lying)
        return;
    for (size_t i = 0; i < file->capacity / SECTOR; i++) {
        if (!is_dirty(file, i))
            continue;
        if (fails && chance(500))
            lose(file, i);
        else
            write_back(file, i);
    }
    if (!fails || chance(500))
        file->durable_size = file->size;
}

/* What the disk has of a file when the power goes. */
static void cut_file(struct file *file, uint32_t kept_per_mille)
{
    size_t old = file->durable_size, new = file->size;

    for (size_t i = 0; i < file->capacity / SECTOR; i++) {
        if (!is_dirty(file, i))
            continue;
        if (chance(kept_per_mille)) {
            write_back(file, i);
            disk.counts->kept_sectors++;
        } else {
            disk.counts->torn_sectors++;
        }
    }
    if (old != new &&chance(kept_per_mille))
        file->durable_size = new;
    else if (new > old && kept_per_mille > 0 && chance(500))
        file->durable_size = old + (size_t)up_to(new - old);
    file->size = file->durable_size;
    if (file->capacity > file->size)
        memset(file->durable + file->size, 0, file->capacity - file->size);
    if (file->capacity > 0) {
        memcpy(file->cache, file->durable, file->capacity);
        memcpy(file->clean, file->durable, file->capacity);
        memset(file->dirty, 0, file->capacity / SECTOR);
    }
    file->was_mapped = false;
}

/* Pages that the kernel takes for clean may be dropped, and are read from the disk again. */
static void evict(struct file *file)
{
    for (size_t i = 0; i < file->capacity / SECTOR; i++) {
        size_t at = i * SECTOR;
        if (is_dirty(file, i))
            continue;
        disk.counts->dropped_sectors += memcmp(file->cache + at, file->durable + at, SECTOR) != 0;
        memcpy(file->cache + at, file->durable + at, SECTOR);
        memcpy(file->clean + at, file->durable + at, SECTOR);
    }
}

/* Names. */

static struct name *find_name(struct name *names, size_t count, const char *path)
{
    for (size_t i = 0; i < count; i++)
        if (strcmp(names[i].path, path) == 0)
            return &names[i];
    return NULL;
}

static struct file *file_at(const char *path)
{
    const struct name *name = find_name(disk.now.names, disk.now.name_count, path);

    return name != NULL ? &disk.now.files[name->file] : NULL;
}

static void remove_name(struct name *names, size_t *count, const char *path)
{
    struct name *name = find_name(names, *count, path);

    if (name != NULL)
        *name = names[--*count];
}

static void change_name(struct name *names, size_t *count, const struct change *change)
{
    struct name *name = find_name(names, *count, change->name.path);

    if (change->name.file == NO_FILE) {
        remove_name(names, count, change->name.path);
    } else if (name != NULL) {
        name->file = change->name.file;
    } else {
        assert(*count < NAMES_MAX);
        names[(*count)++] = change->name;
    }
    remove_name(names, count, change->gone);
}

static void make_names_durable(size_t count)
{
    struct image *now = &disk.now;

    for (size_t i = 0; i < count; i++)
        change_name(now->durable_names, &now->durable_name_count, &now->changes[i]);
    now->change_count = 0;
}

static void set_name(const char *path, int file, const char *gone)
{
    struct image *now = &disk.now;
    struct change change = {.name.file = file};

    assert(strlen(path) < PATH_MAX_BYTES && strlen(gone) < PATH_MAX_BYTES);
    (void)snprintf(change.name.path, sizeof(change.name.path), "%s", path);
    (void)snprintf(change.gone, sizeof(change.gone), "%s", gone);
    if (now->change_count == CHANGES_MAX) /* the kernel commits now and then */
        make_names_durable(CHANGES_MAX);
    now->changes[now->change_count++] = change;
    change_name(now->names, &now->name_count, &change);
}

static size_t links_of(int file)
{
    size_t count = 0;

    for (size_t i = 0; i < disk.now.name_count; i++)
        count += disk.now.names[i].file == file;
    return count;
}

static bool has_name(int file)
{
    for (size_t i = 0; i < disk.now.durable_name_count; i++)
        if (disk.now.durable_names[i].file == file)
            return true;
    for (size_t i = 0; i < disk.now.change_count; i++)
        if (disk.now.changes[i].name.file == file)
            return true;
    return links_of(file) > 0;
}

static void drop_nameless(void)
{
    for (int i = 0; i < FILES_MAX; i++)
        if (disk.now.files[i].used && !has_name(i))
            free_file(&disk.now.files[i]);
}

/* Life and death. */

static void free_image(struct image *image)
{
    for (size_t i = 0; i < FILES_MAX; i++)
        if (image->files[i].used)
            free_file(&image->files[i]);
    *image = (struct image){.name_count = 0};
}

void fake_disk_start(struct prng *dice, const int64_t *wall_ms, struct fake_disk_counts *counts)
{
    memset(&disk, 0, sizeof(disk));
    disk.dice = dice;
    disk.wall_ms = wall_ms;
    disk.counts = counts;
}

void fake_disk_stop(void)
{
    free_image(&disk.now);
    free_image(&disk.at_death);
    memset(&disk, 0, sizeof(disk));
}

void fake_disk_set_faults(const struct fake_faults *faults)
{
    disk.faults = *faults;
    memset(disk.has_failed, 0, sizeof(disk.has_failed));
}

void fake_disk_set_lying(bool lies)
{
    disk.is_lying = lies;
}

bool fake_disk_is_dead(void)
{
    return disk.is_dead;
}

void fake_disk_die(void)
{
    if (disk.is_dead)
        return;
    disk.is_dead = true;
    disk.at_death = disk.now;
    for (size_t i = 0; i < FILES_MAX; i++)
        disk.at_death.files[i] = copy_file(&disk.now.files[i]);
}

static void restore(void)
{
    if (!disk.is_dead)
        return;
    free_image(&disk.now);
    disk.now = disk.at_death;
    disk.at_death = (struct image){.name_count = 0};
    disk.is_dead = false;
}

static void cut_power(void)
{
    static const uint32_t kept[] = {0, 500, 1000, 900, 100};
    uint32_t per_mille = kept[up_to(ARRAY_LENGTH(kept) - 1)];
    struct image *now = &disk.now;
    size_t done = (size_t)up_to(now->change_count);

    disk.counts->undone_names += now->change_count - done;
    make_names_durable(done);
    memcpy(now->names, now->durable_names, sizeof(now->names));
    now->name_count = now->durable_name_count;
    for (size_t i = 0; i < FILES_MAX; i++)
        if (now->files[i].used)
            cut_file(&now->files[i], per_mille);
}

void fake_disk_restart(enum fake_death death, bool drops_pages)
{
    restore();
    memset(disk.handles, 0, sizeof(disk.handles));
    for (size_t i = 0; i < FILES_MAX; i++)
        disk.now.files[i].mapped = 0;
    if (death == DEATH_OF_MACHINE || death == DEATH_OF_ATTACHMENT)
        cut_power();
    else if (drops_pages)
        for (size_t i = 0; i < FILES_MAX; i++)
            evict(&disk.now.files[i]);
    drop_nameless();
    disk.boots += death == DEATH_OF_MACHINE;
    disk.mounts += death != DEATH_OF_PROCESS;
    fake_disk_set_faults(&(struct fake_faults){.die_at = 0});
}

void fake_disk_write_back(void)
{
    uint32_t per_mille = (uint32_t)up_to(1000);
    struct file *file = &disk.now.files[up_to(FILES_MAX - 1)];

    for (size_t i = 0; i < file->capacity / SECTOR; i++) {
        if (!is_dirty(file, i) || !chance(per_mille))
            continue;
        write_back(file, i);
        disk.counts->written_back++;
    }
}

/* Whether the call fails: an errno, or 0. */
static int fault_of(enum fake_call call)
{
    bool fails =
        chance(disk.faults.per_mille[call]) || (disk.faults.is_lasting && disk.has_failed[call]);

    disk.counts->calls++;
    if (!fails)
        return 0;
    disk.has_failed[call] = true;
    disk.counts->failed[call]++;
    return EIO;
}

/* Whether the process dies in this call. */
static bool is_last(void)
{
    if (disk.is_dead || disk.faults.die_at == 0)
        return false;
    return --disk.faults.die_at == 0;
}

static int fail(int error)
{
    errno = error;
    return -1;
}

/* Around a call that is done whole or not at all. */
static void may_die_before(bool last)
{
    if (last && chance(500))
        fake_disk_die();
}

static void die_if(bool last)
{
    if (last)
        fake_disk_die();
}

/* Handles. */

static struct handle *handle_of(int fd)
{
    if (fd < FIRST_FD || fd >= FIRST_FD + HANDLES_MAX || !disk.handles[fd - FIRST_FD].used)
        return NULL;
    return &disk.handles[fd - FIRST_FD];
}

static struct file *file_of(int fd)
{
    const struct handle *handle = handle_of(fd);

    return handle != NULL ? &disk.now.files[handle->file] : NULL;
}

static int new_handle(int file, int flags)
{
    for (int i = 0; i < HANDLES_MAX; i++) {
        if (disk.handles[i].used)
            continue;
        disk.handles[i] = (struct handle){.used = true, .file = file, .flags = flags};
        return FIRST_FD + i;
    }
    return fail(EMFILE);
}

static int create(const char *path)
{
    for (int i = 0; i < FILES_MAX; i++) {
        if (disk.now.files[i].used)
            continue;
        disk.now.files[i].used = true;
        set_name(path, i, "");
        return i;
    }
    abort();
}

static int open_file(struct disk *unused, const char *path, int flags, unsigned mode)
{
    struct file *file = file_at(path);
    int error = fault_of(FAKE_OPEN);
    if (file == NULL && (flags & O_CREAT) == 0)
        return fail(ENOENT);
    if (error != 0)
        return fail(error);
    if (file != NULL && (flags & O_EXCL) != 0)
        return fail(EEXIST);
    if (file != NULL)
        return new_handle((int)(file - disk.now.files), flags);
    bool last = is_last();
    may_die_before(last);
    int number = create(path);
    die_if(last);
    return new_handle(number, flags);
}

static int close_file(struct disk *unused, int fd)
{
    struct handle *handle = handle_of(fd);

    if (handle == NULL)
        return fail(EBADF);
    *handle = (struct handle){.used = false};
    return 0;
}

/* Bytes. */

static ssize_t read_at(struct disk *unused, int fd, void *bytes, size_t count, uint64_t offset)
{
    const struct file *file = file_of(fd);
    int error = fault_of(FAKE_READ);

    if (file == NULL || error != 0)
        return fail(file == NULL ? EBADF : error);
    if (offset >= file->size)
        return 0;
    if (count > file->size - offset)
        count = file->size - offset;
    memcpy(bytes, file->cache + offset, count);
    return (ssize_t)count;
}

static size_t used_space(void)
{
    size_t sum = 0;

    for (size_t i = 0; i < FILES_MAX; i++)
        sum += disk.now.files[i].used ? disk.now.files[i].size : 0;
    return sum;
}

/* How many of so many bytes that a file grows by have room. */
static size_t room_for(size_t growth)
{
    size_t used = used_space();

    if (disk.faults.space == 0 || used + growth <= disk.faults.space)
        return growth;
    disk.counts->full++;
    return disk.faults.space > used ? (size_t)disk.faults.space - used : 0;
}

static void put(struct file *file, const void *bytes, size_t count, size_t offset, bool is_synced)
{
    if (count == 0)
        return;
    reserve(file, offset + count);
    memcpy(file->cache + offset, bytes, count);
    if (file->size < offset + count)
        file->size = offset + count;
    for (size_t i = offset / SECTOR; i <= (offset + count - 1) / SECTOR; i++) {
        file->dirty[i] = 1;
        if (is_synced)
            write_back(file, i);
    }
    if (is_synced && file->durable_size < file->size)
        file->durable_size = file->size;
}

/* A process may die with a part of it done; what was synced of that is whole sectors. */
static void put_and_die(struct file *file, const void *bytes, size_t count, size_t offset,
                        bool is_synced)
{
    size_t part = (size_t)up_to(count);

    put(file, bytes, part, offset, is_synced && chance(500));
    fake_disk_die();
    put(file, bytes, count, offset, is_synced);
}

static ssize_t put_at(int fd, enum fake_call call, const void *bytes, size_t count, size_t offset)
{
    struct file *file = file_of(fd);
    const struct handle *handle = handle_of(fd);
    int error = fault_of(call);

    if (file == NULL)
        return fail(EBADF);
    bool is_synced = (handle->flags & O_DSYNC) != 0 && !disk.is_lying, last = is_last();
    if (error != 0) {
        if (is_synced && count > 0 && chance(500)) /* a part of it is there nevertheless */
            put(file, bytes, (size_t)up_to(count), offset, chance(500));
        die_if(last);
        return fail(error);
    }
    size_t growth = offset + count > file->size ? offset + count - file->size : 0;
    size_t room = room_for(growth);
    if (room < growth) {
        count -= growth - room;
        if (count == 0)
            return fail(ENOSPC);
    } else if (count > 1 && chance(disk.faults.short_per_mille)) {
        count = 1 + (size_t)up_to(count - 2);
        disk.counts->short_writes++;
    }
    if (last)
        put_and_die(file, bytes, count, offset, is_synced);
    else
        put(file, bytes, count, offset, is_synced);
    return (ssize_t)count;
}

static ssize_t write_at(struct disk *unused, int fd, const void *bytes, size_t count,
                        uint64_t offset)
{
    return put_at(fd, FAKE_WRITE_AT, bytes, count, offset);
}

static ssize_t append(struct disk *unused, int fd, const void *bytes, size_t count)
{
    struct handle *handle = handle_of(fd);
    const struct file *file = file_of(fd);

    if (file == NULL)
        return fail(EBADF);
    if ((handle->flags & O_APPEND) != 0)
        handle->at = file->size;
    ssize_t done = put_at(fd, FAKE_APPEND, bytes, count, handle->at);
    if (done > 0)
        handle->at += (size_t)done;
    return done;
}

static void set_size(struct file *file, size_t size)
{
    if (size < file->size) {
        memset(file->cache + size, 0, file->size - size);
        for (size_t i = size / SECTOR; i <= (file->size - 1) / SECTOR; i++)
            file->dirty[i] = 1;
    } else {
        reserve(file, size);
    }
    file->size = size;
}

static int truncate_file(struct disk *unused, int fd, uint64_t size)
{
    struct file *file = file_of(fd);
    int error = fault_of(FAKE_TRUNCATE);

    if (file == NULL || error != 0)
        return fail(file == NULL ? EBADF : error);
    bool last = is_last();
    may_die_before(last);
    set_size(file, size);
    die_if(last);
    return 0;
}

static int allocate(struct disk *unused, int fd, uint64_t size)
{
    struct file *file = file_of(fd);
    int error = fault_of(FAKE_ALLOCATE);

    if (file == NULL || error != 0)
        return fail(file == NULL ? EBADF : error);
    bool last = is_last();
    may_die_before(last);
    size_t growth = size > file->size ? size - file->size : 0;
    if (room_for(growth) < growth)
        return fail(ENOSPC);
    if (growth > 0)
        set_size(file, size);
    die_if(last);
    return 0;
}

static int sync_one(struct disk *unused, int fd)
{
    struct file *file = file_of(fd);
    int error = fault_of(FAKE_SYNC);

    if (file == NULL)
        return fail(EBADF);
    bool last = is_last();
    may_die_before(last);
    sync_file(file, error != 0);
    die_if(last);
    return error != 0 ? fail(error) : 0;
}

static int sync_folder(struct disk *unused, const char *path)
{
    int error = fault_of(FAKE_SYNC);
    bool last = is_last();

    (void)path; /* there is one */
    may_die_before(last);
    if (error == 0 && !disk.is_lying)
        make_names_durable(disk.now.change_count);
    die_if(last);
    return error != 0 ? fail(error) : 0;
}

static int lock_file(struct disk *unused, int fd)
{
    struct handle *handle = handle_of(fd);

    if (handle == NULL)
        return fail(EBADF);
    for (size_t i = 0; i < HANDLES_MAX; i++) {
        const struct handle *other = &disk.handles[i];
        if (other->used && other != handle && other->is_locked && other->file == handle->file)
            return fail(EWOULDBLOCK);
    }
    handle->is_locked = true;
    return 0;
}

/* Names and what is known of files. */

static void describe(int number, struct stat *about)
{
    const struct file *file = &disk.now.files[number];

    memset(about, 0, sizeof(*about));
    about->st_dev = 1;
    about->st_ino = (ino_t)number + 1;
    about->st_mode = S_IFREG | 0644;
    about->st_nlink = links_of(number);
    about->st_size = (off_t)file->size;
}

static int stat_file(struct disk *unused, int fd, struct stat *about)
{
    const struct handle *handle = handle_of(fd);

    if (handle == NULL)
        return fail(EBADF);
    describe(handle->file, about);
    return 0;
}

static int stat_name(struct disk *unused, const char *path, struct stat *about)
{
    const struct file *file = file_at(path);

    if (file == NULL)
        return fail(ENOENT);
    describe((int)(file - disk.now.files), about);
    return 0;
}

static bool has_name_of(struct disk *unused, const char *path)
{
    errno = ENOENT;
    return file_at(path) != NULL;
}

static int rename_file(struct disk *unused, const char *from, const char *to)
{
    const struct file *file = file_at(from);
    int error = fault_of(FAKE_NAME);

    if (file == NULL || error != 0)
        return fail(file == NULL ? ENOENT : error);
    bool last = is_last();
    may_die_before(last);
    set_name(to, (int)(file - disk.now.files), from);
    die_if(last);
    return 0;
}

static int link_file(struct disk *unused, const char *from, const char *to)
{
    const struct file *file = file_at(from);
    int error = fault_of(FAKE_NAME);

    if (file == NULL || error != 0)
        return fail(file == NULL ? ENOENT : error);
    if (file_at(to) != NULL)
        return fail(EEXIST);
    bool last = is_last();
    may_die_before(last);
    set_name(to, (int)(file - disk.now.files), "");
    die_if(last);
    return 0;
}

static int unlink_file(struct disk *unused, const char *path)
{
    const struct file *file = file_at(path);

    if (file == NULL)
        return fail(ENOENT);
    int error = fault_of(FAKE_NAME);
    if (error != 0)
        return fail(error);
    bool last = is_last();
    may_die_before(last);
    set_name(path, NO_FILE, "");
    die_if(last);
    return 0;
}

static void *map_file(struct disk *unused, int fd, size_t size, bool writable)
{
    struct file *file = file_of(fd);
    int error = fault_of(FAKE_MAP);

    if (file == NULL || error != 0 || size > file->capacity) {
        errno = error != 0 ? ENOMEM : EINVAL;
        return NULL;
    }
    if (file->mapped == 0 && !writable) /* the journal has its size */
        reserve(file, file->size + MAPPED_GROWTH);
    file->mapped++;
    file->was_mapped = true;
    return file->cache;
}

static void unmap_file(struct disk *unused, void *address, size_t size)
{
    (void)size;
    for (size_t i = 0; i < FILES_MAX; i++)
        if (disk.now.files[i].used && disk.now.files[i].cache == address)
            disk.now.files[i].mapped--;
}

/* The rest, as far as the record asks for it. */

static int change_mode(struct disk *unused, int fd, unsigned mode)
{
    (void)mode;
    return file_of(fd) != NULL ? 0 : fail(EBADF);
}

static int change_owner(struct disk *unused, int fd, unsigned uid, unsigned gid)
{
    (void)uid;
    (void)gid;
    return file_of(fd) != NULL ? 0 : fail(EBADF);
}

static bool is_folder_open(struct disk *unused, const char *path)
{
    return strncmp(path, FAKE_FOLDER, strlen(FAKE_FOLDER)) == 0;
}

static char *resolve(struct disk *unused, const char *path)
{
    return strdup(path);
}

static char *name_of(struct disk *unused, int fd)
{
    const struct handle *handle = handle_of(fd);

    for (size_t i = 0; handle != NULL && i < disk.now.name_count; i++)
        if (disk.now.names[i].file == handle->file)
            return strdup(disk.now.names[i].path);
    return NULL;
}

static char *find_file(struct disk *unused, const char *pattern)
{
    (void)pattern;
    return NULL;
}

static void find_host(struct disk *unused, struct disk_host *ret_host)
{
    *ret_host = (struct disk_host){.name = "machine", .pid = 1};
    (void)snprintf(ret_host->boot_id, sizeof(ret_host->boot_id), "%08llx",
                   (unsigned long long)disk.boots);
}

static void find_mount(struct disk *unused, int fd, struct mount_mark *ret_mark)
{
    (void)fd;
    *ret_mark = (struct mount_mark){.device = 1, .mount_id = 1 + disk.mounts, .disk = 1};
}

static int64_t now_ms(struct disk *unused)
{
    return *disk.wall_ms;
}

static uint64_t random_number(struct disk *unused)
{
    return prng_next(disk.dice);
}

/* NOLINTEND(misc-unused-parameters) */

struct disk fake_disk = {
    .open = open_file,
    .close = close_file,
    .read_at = read_at,
    .write_at = write_at,
    .append = append,
    .truncate = truncate_file,
    .allocate = allocate,
    .sync = sync_one,
    .sync_data = sync_one,
    .sync_folder = sync_folder,
    .map = map_file,
    .unmap = unmap_file,
    .stat = stat_file,
    .lstat = stat_name,
    .has = has_name_of,
    .chmod = change_mode,
    .chown = change_owner,
    .rename = rename_file,
    .link = link_file,
    .unlink = unlink_file,
    .lock = lock_file,
    .is_folder_open = is_folder_open,
    .resolve = resolve,
    .follow = resolve,
    .name_of = name_of,
    .find = find_file,
    .host = find_host,
    .mount = find_mount,
    .now_ms = now_ms,
    .random = random_number,
};

const char *fake_disk_read(const char *path, size_t *ret_size)
{
    const struct file *file = file_at(path);

    if (file == NULL)
        return NULL;
    *ret_size = file->size;
    return file->size > 0 ? file->cache : "";
}
