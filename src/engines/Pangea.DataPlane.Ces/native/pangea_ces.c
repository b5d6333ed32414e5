/* Forwards the C interface to the exports of Pangea.DataPlane.Ces.dll, which it loads into a .NET runtime
 * through hostfxr on the first call. With -DCES_NATIVE_AOT it forwards to the same exports of an engine that
 * NativeAOT compiled (dotnet publish -p:PublishAot=true -p:NativeLib=Shared), to be linked with it, and needs no
 * runtime. The managed side writes messages into this file's thread-local buffer. */
#define _GNU_SOURCE
#include "pangea_ces.h"

#include <dirent.h>
#include <dlfcn.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MESSAGE_BYTES 512
#define PATH_BYTES 4096

/* From hostfxr.h and coreclr_delegates.h (MIT, part of every .NET SDK). */
typedef int (*initialize_fn)(const char *config, const void *parameters, void **context);
typedef int (*get_delegate_fn)(const void *context, int type, void **delegate);
typedef int (*close_fn)(const void *context);
typedef int (*load_fn)(
    const char *assembly, const char *type, const char *method, const char *delegate_type,
    void *reserved, void **function);
enum { HDT_LOAD_ASSEMBLY_AND_GET_FUNCTION_POINTER = 5 };
#define UNMANAGED_CALLERS_ONLY ((const char *)-1)

typedef int32_t (*new_fn)(const ces_options *, const uint8_t *, ces_handle *, char *, int32_t);
typedef int32_t (*key_fn)(ces_handle, uint8_t *, char *, int32_t);
typedef int32_t (*process_fn)(
    ces_handle, const uint8_t *, size_t, ces_shard **, size_t *, char *, int32_t);
typedef int32_t (*reconstruct_fn)(
    ces_handle, const ces_shard *, size_t, uint8_t **, size_t *, char *, int32_t);
typedef void (*free_fn)(void *);
typedef void (*free_handle_fn)(ces_handle);

static struct {
    new_fn create;
    key_fn key;
    process_fn process;
    reconstruct_fn reconstruct;
    free_fn free_memory;
    free_handle_fn free_handle;
} managed;

static pthread_once_t once = PTHREAD_ONCE_INIT;
static int ready;
static char start_error[MESSAGE_BYTES] = "the .NET runtime did not start";
static _Thread_local char message[MESSAGE_BYTES];

#ifdef CES_NATIVE_AOT

extern int32_t pangea_ces_new(
    const ces_options *, const uint8_t *, ces_handle *, char *, int32_t);
extern int32_t pangea_ces_key(ces_handle, uint8_t *, char *, int32_t);
extern int32_t pangea_ces_process(
    ces_handle, const uint8_t *, size_t, ces_shard **, size_t *, char *, int32_t);
extern int32_t pangea_ces_reconstruct(
    ces_handle, const ces_shard *, size_t, uint8_t **, size_t *, char *, int32_t);
extern void pangea_ces_free_memory(void *);
extern void pangea_ces_free_handle(ces_handle);

static void start(void)
{
    managed.create = pangea_ces_new;
    managed.key = pangea_ces_key;
    managed.process = pangea_ces_process;
    managed.reconstruct = pangea_ces_reconstruct;
    managed.free_memory = pangea_ces_free_memory;
    managed.free_handle = pangea_ces_free_handle;
    ready = 1;
}

#else

/* The highest version under root/host/fxr; versions are compared number by number. */
static int find_hostfxr(const char *root, char *path)
{
    char folder[PATH_BYTES];
    int best[3] = {-1, -1, -1};
    if (!root || snprintf(folder, sizeof folder, "%s/host/fxr", root) >= (int)sizeof folder) {
        return 0;
    }
    DIR *versions = opendir(folder);
    if (!versions) {
        return 0;
    }
    for (struct dirent *entry; (entry = readdir(versions));) {
        int v[3] = {0, 0, 0};
        if (sscanf(entry->d_name, "%d.%d.%d", &v[0], &v[1], &v[2]) < 2) {
            continue;
        }
        int newer = v[0] != best[0] ? v[0] > best[0]
            : v[1] != best[1] ? v[1] > best[1] : v[2] > best[2];
        if (newer && snprintf(path, PATH_BYTES, "%s/%s/libhostfxr.so", folder, entry->d_name)
            < PATH_BYTES) {
            memcpy(best, v, sizeof best);
        }
    }
    closedir(versions);
    return best[0] >= 0;
}

static void *load_hostfxr(void)
{
    char path[PATH_BYTES], home[PATH_BYTES], installed[PATH_BYTES] = "";
    FILE *location = fopen("/etc/dotnet/install_location", "r");
    if (location) {
        if (fgets(installed, sizeof installed, location)) {
            installed[strcspn(installed, "\r\n")] = 0;
        }
        fclose(location);
    }
    snprintf(home, sizeof home, "%s/.dotnet", getenv("HOME") ? getenv("HOME") : "");
    const char *roots[] = {
        getenv("DOTNET_ROOT"), installed, "/usr/share/dotnet", "/usr/lib/dotnet", "/usr/local/share/dotnet",
        "/opt/dotnet", home};
    for (size_t i = 0; i < sizeof roots / sizeof *roots; i++) {
        void *library = find_hostfxr(roots[i], path) ? dlopen(path, RTLD_NOW) : NULL;
        if (library) {
            return library;
        }
    }
    return NULL;
}

/* The folder this library lies in: the assemblies are beside it. */
static int own_folder(char *folder)
{
    Dl_info info;
    if (!dladdr((void *)own_folder, &info) || !info.dli_fname || !realpath(info.dli_fname, folder)) {
        return 0;
    }
    char *slash = strrchr(folder, '/');
    if (!slash) {
        return 0;
    }
    *slash = 0;
    return 1;
}

static int bind(load_fn load, const char *assembly, const char *method, void **function)
{
    int status = load(
        assembly, "Pangea.DataPlane.Ces.Abi.CesExports, Pangea.DataPlane.Ces", method,
        UNMANAGED_CALLERS_ONLY, NULL, function);
    if (status) {
        snprintf(start_error, sizeof start_error, "%.300s has no %s (0x%x)", assembly, method, status);
    }
    return status == 0;
}

static void start(void)
{
    static char folder[PATH_BYTES], config[PATH_BYTES + 64], assembly[PATH_BYTES + 64];
    void *hostfxr = load_hostfxr();
    if (!hostfxr || !own_folder(folder)) {
        snprintf(start_error, sizeof start_error,
            "no .NET runtime found: install dotnet-runtime-10.0 or set DOTNET_ROOT");
        return;
    }
    snprintf(config, sizeof config, "%s/pangea_ces.runtimeconfig.json", folder);
    snprintf(assembly, sizeof assembly, "%s/Pangea.DataPlane.Ces.dll", folder);
    initialize_fn initialize =
        (initialize_fn)dlsym(hostfxr, "hostfxr_initialize_for_runtime_config");
    get_delegate_fn get_delegate = (get_delegate_fn)dlsym(hostfxr, "hostfxr_get_runtime_delegate");
    close_fn close_context = (close_fn)dlsym(hostfxr, "hostfxr_close");
    void *context = NULL, *load = NULL;
    int status = initialize && get_delegate && close_context
        ? initialize(config, NULL, &context) : -1;
    if (status < 0 || status > 2 || !context
        || get_delegate(context, HDT_LOAD_ASSEMBLY_AND_GET_FUNCTION_POINTER, &load)) {
        snprintf(start_error, sizeof start_error,
            "the .NET runtime does not start with %.300s (0x%x)", config, status);
        return;
    }
    ready = bind((load_fn)load, assembly, "New", (void **)&managed.create)
        && bind((load_fn)load, assembly, "Key", (void **)&managed.key)
        && bind((load_fn)load, assembly, "Process", (void **)&managed.process)
        && bind((load_fn)load, assembly, "Reconstruct", (void **)&managed.reconstruct)
        && bind((load_fn)load, assembly, "FreeMemory", (void **)&managed.free_memory)
        && bind((load_fn)load, assembly, "Free", (void **)&managed.free_handle);
    close_context(context);
}

#endif

static int32_t begin(void)
{
    pthread_once(&once, start);
    message[0] = 0;
    if (!ready) {
        snprintf(message, sizeof message, "%s", start_error);
    }
    return ready ? CES_OK : CES_UNSUPPORTED;
}

static int32_t refuse(const char *what)
{
    snprintf(message, sizeof message, "%s is NULL", what);
    return CES_INVALID;
}

int32_t ces_new(const ces_options *options, ces_handle *out)
{
    int32_t status = begin();
    if (status || !out) {
        return status ? status : refuse("out");
    }
    return managed.create(options, NULL, out, message, sizeof message);
}

int32_t ces_new_with_key(const ces_options *options, const uint8_t *key, ces_handle *out)
{
    int32_t status = begin();
    if (status || !out || !key) {
        return status ? status : refuse(key ? "out" : "key");
    }
    return managed.create(options, key, out, message, sizeof message);
}

int32_t ces_key(ces_handle handle, uint8_t key[CES_KEY_BYTES])
{
    int32_t status = begin();
    if (status || !key) {
        return status ? status : refuse("key");
    }
    return managed.key(handle, key, message, sizeof message);
}

int32_t ces_process(
    ces_handle handle, const uint8_t *data, size_t bytes, ces_shard **out, size_t *count)
{
    int32_t status = begin();
    if (status || !out || !count || (!data && bytes)) {
        return status ? status : refuse("data, out or count");
    }
    return managed.process(handle, data, bytes, out, count, message, sizeof message);
}

int32_t ces_reconstruct(
    ces_handle handle, const ces_shard *shards, size_t count, uint8_t **out, size_t *bytes)
{
    int32_t status = begin();
    if (status || !out || !bytes || (!shards && count)) {
        return status ? status : refuse("shards, out or bytes");
    }
    return managed.reconstruct(handle, shards, count, out, bytes, message, sizeof message);
}

void ces_free_shards(ces_shard *shards)
{
    if (ready && shards) {
        managed.free_memory(shards);
    }
}

void ces_free_data(uint8_t *data)
{
    if (ready && data) {
        managed.free_memory(data);
    }
}

void ces_free(ces_handle handle)
{
    if (ready) {
        managed.free_handle(handle);
    }
}

const char *ces_last_error(void)
{
    return message;
}
