#include <errno.h>
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "net/credentials.h"

#include "core/redact.h"
#include "net/key_command.h"

static void protect_process(void)
{
    const struct rlimit none = {0, 0};
    /* Both can only fail where they are forbidden to us; there is no safer way to go on. */
    (void)setrlimit(RLIMIT_CORE, &none);
    (void)prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
}

/* The two kinds of keys, and where each may be found. */
struct kind {
    const char *name;
    const char *variable;
    const char *credential; /* systemd's name */
    const char *missing;
};

static const struct kind master_key = {
    "api key", "NBATCH_API_KEY", "api-key",
    "no api key: put the product's MasterKey into a file that only you can read and name it with "
    "--api-key-file FILE, or set NBATCH_API_KEY (--simulate needs none; for an access key give "
    "--product-id ID)"};
static const struct kind access_key = {
    "access key", "NBATCH_ACCESS_KEY", "access-key",
    "no access key: put the product's access key (with --user-id the account's) into a file that "
    "only you can read and name it "
    "with --access-key-file FILE, or set NBATCH_ACCESS_KEY"};

void credentials_protect_environment(void)
{
    if (getenv(master_key.variable) != NULL || getenv(access_key.variable) != NULL)
        protect_process();
}

/* A search for a key. */
struct search {
    const struct kind *kind;
    const struct key_form *form;
    bool must_rest;
    struct buf *message;
};

static enum status refuse(const struct search *search, const char *where, const char *why)
{
    buf_add_format(search->message, "%s from ", search->kind->name);
    buf_add_printable(search->message, span_string(where));
    buf_add_format(search->message, ": %s", why);
    return STATUS_CREDENTIALS;
}

/* Takes the bytes over as the key when they can be one. They are wiped by the caller. */
static enum status adopt(const struct search *search, const char *where, struct span text,
                         struct credentials *ret_credentials)
{
    if (text.len > 0 && text.ptr[text.len - 1] == '\n')
        text.len--;
    if (text.len == 0)
        return refuse(search, where, "it is empty");
    for (size_t i = 0; i < text.len; i++)
        if (text.ptr[i] <= 0x20 || text.ptr[i] >= 0x7f)
            return refuse(search, where,
                          "it holds a space, a line break or another character that no key has; "
                          "it must hold the key alone, on one line");
    const char *flaw = key_flaw(search->form, text);
    if (flaw != NULL)
        return refuse(search, where, flaw);
    char *key = malloc(text.len + 1);
    if (key == NULL)
        return STATUS_NO_MEMORY;
    memcpy(key, text.ptr, text.len);
    key[text.len] = '\0';
    redact_add(text);
    *ret_credentials = (struct credentials){key, text.len, *search->form, false};
    return STATUS_OK;
}

/* Whoever writes a file in place empties it first, and may write it in pieces. */
static bool has_just_changed(const struct stat *info)
{
    struct timespec now;

    (void)clock_gettime(CLOCK_REALTIME, &now);
    int64_t age_ms = (int64_t)(now.tv_sec - info->st_mtim.tv_sec) * 1000 +
                     (now.tv_nsec - info->st_mtim.tv_nsec) / 1000000;
    return age_ms >= 0 && age_ms < CREDENTIALS_REST_MS;
}

static enum status judge_file(const struct search *search, const char *path,
                              const struct stat *info)
{
    if (!S_ISREG(info->st_mode))
        return refuse(search, path, "it is not a regular file");
    if (info->st_uid != geteuid() && info->st_uid != 0)
        return refuse(search, path, "it belongs to another user; it must belong to you or to root");
    if ((info->st_mode & 077) != 0)
        return refuse(search, path, "others may read it; run chmod 600 on it");
    if (info->st_size > CREDENTIALS_KEY_MAX)
        return refuse(search, path, "it is too large for a key");
    if (search->must_rest && info->st_size > 0 && has_just_changed(info))
        return refuse(search, path, "it changed a moment ago, and may be half written");
    return STATUS_OK;
}

static enum status load_file(const struct search *search, const char *path, bool from_systemd,
                             struct credentials *ret_credentials)
{
    char text[CREDENTIALS_KEY_MAX + 1];
    struct stat info;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);

    if (fd < 0 && errno == ENOENT && !from_systemd)
        return refuse(search, path,
                      "No such file or directory; make one that only you can read with touch and "
                      "chmod 600, and write the key into it with an editor");
    if (fd < 0 || fstat(fd, &info) != 0) {
        enum status status = refuse(search, path, strerror(errno));
        if (fd >= 0)
            (void)close(fd);
        return status;
    }
    if (from_systemd) /* systemd owns and guards that directory, with modes of its own */
        info.st_mode &= ~(mode_t)077;
    enum status status = judge_file(search, path, &info);
    if (status == STATUS_OK) {
        ssize_t len = read(fd, text, sizeof(text));
        status = len < 0 ? refuse(search, path, strerror(errno))
                         : adopt(search, path, span_of(text, (size_t)len), ret_credentials);
    }
    explicit_bzero(text, sizeof(text));
    (void)close(fd);
    return status;
}

static void wipe_variable(const char *name)
{
    char *value = getenv(name);

    if (value == NULL)
        return;
    explicit_bzero(value, strlen(value));
    (void)unsetenv(name);
}

static void wipe_variables(void)
{
    wipe_variable(master_key.variable);
    wipe_variable(access_key.variable);
}

static const char *variable(size_t i)
{
    return i == 0 ? master_key.variable : access_key.variable;
}

enum status credentials_hold(struct held_variables *ret_held)
{
    *ret_held = (struct held_variables){{NULL}};
    for (size_t i = 0; i < CREDENTIALS_VARIABLES; i++) {
        const char *value = getenv(variable(i));
        ret_held->values[i] = value != NULL ? strdup(value) : NULL;
        if (value != NULL && ret_held->values[i] == NULL)
            return STATUS_NO_MEMORY;
    }
    return STATUS_OK;
}

enum status credentials_put_back(const struct held_variables *held)
{
    for (size_t i = 0; i < CREDENTIALS_VARIABLES; i++)
        if (held->values[i] != NULL && setenv(variable(i), held->values[i], 1) != 0)
            return STATUS_NO_MEMORY;
    return STATUS_OK;
}

void credentials_let_go(struct held_variables *held)
{
    for (size_t i = 0; i < CREDENTIALS_VARIABLES; i++) {
        if (held->values[i] != NULL)
            explicit_bzero(held->values[i], strlen(held->values[i]));
        free(held->values[i]);
        held->values[i] = NULL;
    }
}

static enum status load_command(const struct search *search, const char *command,
                                struct credentials *ret_credentials)
{
    static const char where[] = "--api-key-command";
    char text[CREDENTIALS_KEY_MAX + 1];
    struct buf reason;
    size_t len = 0;

    wipe_variables(); /* the command has no use for them */
    buf_init_text(&reason, 4096);
    enum status status =
        key_command_run(command, KEY_COMMAND_TIMEOUT_MS, text, sizeof(text), &len, &reason);
    if (status == STATUS_OK)
        status = adopt(search, where, span_of(text, len), ret_credentials);
    else if (status == STATUS_CREDENTIALS)
        status = refuse(search, where, buf_string(&reason));
    explicit_bzero(text, sizeof(text));
    buf_deinit(&reason);
    return status;
}

/* Where no place was named. */
static enum status load_usual(const struct search *search, struct credentials *ret_credentials)
{
    const char *value = getenv(search->kind->variable);
    const char *directory = getenv("CREDENTIALS_DIRECTORY");
    char path[4096];

    if (value != NULL) {
        enum status status =
            adopt(search, search->kind->variable, span_string(value), ret_credentials);
        if (status == STATUS_OK)
            ret_credentials->is_fixed = true;
        return status;
    }
    if (directory != NULL) {
        int len = snprintf(path, sizeof(path), "%s/%s", directory, search->kind->credential);
        if (len > 0 && (size_t)len < sizeof(path) && access(path, F_OK) == 0)
            return load_file(search, path, true, ret_credentials);
    }
    buf_add_string(search->message, search->kind->missing);
    return STATUS_CREDENTIALS;
}

/* Which key is meant, and whether its places go together. */
static enum status choose_form(const struct credentials_options *options, struct key_form *ret_form,
                               struct buf *message)
{
    const struct key_asked asked = {.dialect = options->dialect,
                                    .product_id = options->product_id,
                                    .user_id = options->user_id,
                                    .master_key = options->api_key_file != NULL ? "--api-key-file"
                                                  : options->api_key_command != NULL
                                                      ? "--api-key-command"
                                                      : NULL,
                                    .access_key = options->access_key_file != NULL
                                                      ? "--access-key-file"
                                                      : NULL};

    if (options->api_key_file != NULL && options->api_key_command != NULL) {
        buf_add_string(message, "--api-key-file and --api-key-command exclude each other: leave "
                                "one of them out");
        return STATUS_USAGE;
    }
    return key_choose(&asked, ret_form, message);
}

enum status credentials_load(const struct credentials_options *options, struct buf *message,
                             struct credentials *ret_credentials)
{
    struct key_form form = {.id = NULL};
    enum status status = choose_form(options, &form, message);
    bool signs = key_is_signing(&form);
    const struct search search = {signs ? &access_key : &master_key, &form, options->must_rest,
                                  message};
    const char *path = signs ? options->access_key_file : options->api_key_file;

    if (status == STATUS_OK) {
        protect_process();
        if (path != NULL)
            status = load_file(&search, path, false, ret_credentials);
        else if (options->api_key_command != NULL)
            status = load_command(&search, options->api_key_command, ret_credentials);
        else
            status = load_usual(&search, ret_credentials);
    }
    wipe_variables();
    return status;
}

static void wipe(struct credentials *credentials)
{
    explicit_bzero(credentials->key, credentials->key_len);
    free(credentials->key);
    *credentials = (struct credentials){.key = NULL};
}

bool credentials_replace(struct credentials *credentials, struct credentials *other)
{
    bool is_same = span_equal(span_of(credentials->key, credentials->key_len),
                              span_of(other->key, other->key_len));

    if (is_same) {
        wipe(other);
        return false;
    }
    wipe(credentials);
    *credentials = *other;
    *other = (struct credentials){.key = NULL};
    return true;
}

void credentials_deinit(struct credentials *credentials)
{
    if (credentials == NULL || credentials->key == NULL)
        return;
    redact_forget();
    wipe(credentials);
}
